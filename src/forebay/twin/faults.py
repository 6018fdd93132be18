"""What breaks, when, for how long? Nodes, racks and feeds, at stated rates, the same for one seed.

A menu: each kind of failure has its own dice, so that the rate of one does not move another. Times between failures
of a kind are exponential, over all of that kind together, and which one it is is drawn evenly; times to repair are
exponential too. A rack or a feed is reported as one, and takes its nodes with it.
A node that is repaired passes the checks that the policy asks for; one that the policy quarantines stays out.

Figures that are built in, each for one of a kind:

- node: one unexpected interruption in 50,700 GPU-hours, divided by the GPUs of a node: 419 in 54 days on 16,384 GPUs
  (Llama 3 405B, as reported in July 2024); repaired in a day, which is assumed.
- rack: ten years, half a day; both assumed, for nobody publishes them.
- feed: 100,000 hours, between the 50,000 and 200,000 that makers state for power protection without redundancy; four
  hours, assumed.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from forebay.core import ids, supply
from forebay.core.units import SECOND_US

HOUR_S = 3600
#: Hours of one GPU between unexpected interruptions.
GPU_HOURS = 50_700
BY = ids.Principal("faults", ids.Role.EDGE)


class FailureRate(NamedTuple):
    """How often one of a kind fails, and how long it is out, on average. `mtbf_s` 0 is never."""

    mtbf_s: int
    repair_s: int
    source: str = ""


RACK = FailureRate(87_600 * HOUR_S, 12 * HOUR_S, "assumed: ten years, half a day")
FEED = FailureRate(
    100_000 * HOUR_S, 4 * HOUR_S, "power protection without redundancy: 50,000 to 200,000 h; repair assumed"
)
NODE_REPAIR_S = 24 * HOUR_S
NODE_SOURCE = f"{GPU_HOURS:,} GPU-hours between unexpected interruptions (Llama 3 405B, 2024); repair assumed"


@dataclass(frozen=True, slots=True)
class Rates:
    """How often each kind fails; None for what is built in."""

    node: FailureRate | None = None
    rack: FailureRate = RACK
    feed: FailureRate = FEED
    #: What a restart costs before work goes on.
    restart_s: int = 300

    def of_node(self, gpus: int) -> FailureRate:
        """Of a node with so many GPUs."""
        if self.node is not None:
            return self.node
        return FailureRate(GPU_HOURS * HOUR_S // max(1, gpus), NODE_REPAIR_S, NODE_SOURCE)


class _Kind(NamedTuple):
    """Things that fail alike."""

    name: str
    rate: FailureRate
    #: What each is called (of a node, its number), and how many nodes go out with it.
    things: list[tuple[str | ids.NodeIndex, int]]


@dataclass(slots=True)
class Breakage:
    """How often a kind failed, for the report."""

    count: int = 0
    #: Microseconds that nodes were out, or are to be, in all.
    out_us: int = 0


class Faults:
    """`driver.Happenings`: what fails on a plant from `start` on, by `seed`. `checks` are those of the policy."""

    def __init__(
        self, rates: Rates, seed: int, start: int, plant: supply.State, checks: tuple[str, ...] = ()
    ) -> None:
        self._kinds = _kinds(rates, plant)
        self._dice = [random.Random(f"{seed} {kind.name}") for kind in self._kinds]
        self._checks = checks
        self.told = {kind.name: Breakage() for kind in self._kinds}
        #: (At, number, kind, which; -1 for the next failure of the kind).
        self._due: list[tuple[int, int, int, int]] = []
        self._number = 0
        #: What is broken: kind and which.
        self._out: set[tuple[int, int]] = set()
        for place in range(len(self._kinds)):
            self._next_failure(place, start)

    def next_at(self) -> int | None:
        """When something fails, or is well again."""
        return self._due[0][0] if self._due else None

    def due(self, at: int) -> Sequence[ids.Asked]:
        """What failed, and what is well again, by then."""
        found: list[ids.Asked] = []
        while self._due and self._due[0][0] <= at:
            when, _, place, which = heapq.heappop(self._due)
            if which >= 0:
                self._out.discard((place, which))
                found += self._report(place, which, True, when)
            else:
                found += self._break(place, when)
                self._next_failure(place, when)
        return found

    def as_told(self) -> dict[str, tuple[int, int, str]]:
        """Kind -> failures, hours of nodes that were out by it, and where its rate comes from."""
        return {
            kind.name: (told.count, told.out_us // (HOUR_S * SECOND_US), kind.rate.source)
            for kind, told in zip(self._kinds, self.told.values(), strict=True)
        }

    def _push(self, at: int, place: int, which: int) -> None:
        self._number += 1
        heapq.heappush(self._due, (at, self._number, place, which))

    def _next_failure(self, place: int, since: int) -> None:
        kind = self._kinds[place]
        if kind.rate.mtbf_s and kind.things:
            wait_s = self._dice[place].expovariate(len(kind.things) / kind.rate.mtbf_s)
            self._push(since + max(1, int(wait_s * SECOND_US)), place, -1)

    def _break(self, place: int, at: int) -> list[ids.Asked]:
        kind, dice = self._kinds[place], self._dice[place]
        which = dice.randrange(len(kind.things))
        out_us = max(1, int(dice.expovariate(1 / max(1, kind.rate.repair_s)) * SECOND_US))
        if (place, which) in self._out:
            return []  # it is broken already
        self._out.add((place, which))
        self._push(at + out_us, place, which)
        told = self.told[kind.name]
        told.count += 1
        told.out_us += out_us * kind.things[which][1]
        return self._report(place, which, False, at)

    def _report(self, place: int, which: int, healthy: bool, at: int) -> list[ids.Asked]:
        kind = self._kinds[place]
        name, _ = kind.things[which]
        reason = "repaired" if healthy else f"{kind.name} failed"
        if isinstance(name, str):
            whole = supply.ReportDomainHealth(supply.DomainKind(kind.name), name, healthy, reason, at)
            return [ids.Asked(whole, BY)]
        found = [ids.Asked(supply.ReportNodeHealth(name, healthy, reason, at), BY)]
        if healthy:
            found += [
                ids.Asked(supply.ReportNodeCheck(name, check, True, "as new"), BY) for check in self._checks
            ]
        return found


def _kinds(rates: Rates, plant: supply.State) -> list[_Kind]:
    """Nodes apart by their GPUs, then racks, then feeds with all that is under them."""
    by_gpus: dict[int, list[tuple[str | ids.NodeIndex, int]]] = {}
    under: dict[str, int] = {}
    for name in plant.rack_order:
        rack = plant.racks[name]
        nodes = range(rack.first_node, rack.first_node + rack.nodes)
        alike = by_gpus.setdefault(plant.skus[rack.sku].gpus_per_node, [])
        alike += [(ids.NodeIndex(node), 1) for node in nodes]
        for feed in supply.feed_path(plant, rack.feed):
            under[feed.id] = under.get(feed.id, 0) + rack.nodes
    alone = len(by_gpus) == 1
    found = [
        _Kind("node" if alone else f"node of {gpus} GPUs", rates.of_node(gpus), nodes)
        for gpus, nodes in sorted(by_gpus.items())
    ]
    racks = [(name, plant.racks[name].nodes) for name in plant.rack_order]
    return [*found, _Kind("rack", rates.rack, [*racks]), _Kind("feed", rates.feed, sorted(under.items()))]
