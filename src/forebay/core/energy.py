"""Whose energy is it? What meters of nodes counted, shared among the gangs that ran there.

A meter counts up; what it counted in one hour of UTC is told as one figure (`NodeEnergy`), and told again when later
or late readings change it: the last word on a node and an hour holds. Of that figure a gang has

    energy * (its GPUs on the node * its time within) // (GPUs of the node * length of what was covered)

so what idle GPUs drew is nobody's. What was said last is kept hour by hour for `KEPT_US`: a fact about a gang that
comes late, and a reading that comes late, take back what they correct and share it out anew, so the order in which
readings arrive never matters. Of GPU-time that no meter covered, energy is the SKU's watts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from forebay.core import supply
from forebay.core.ids import Answer, Command, Event, GangId, NodeIndex, Refusal
from forebay.core.meters import Key, Span
from forebay.core.placements.gang import HOLDING, Gang
from forebay.core.placements.index import each_node
from forebay.core.placements.state import State as Placements
from forebay.core.units import DAY_US, HOUR_US

#: Readings may come this late.
WINDOW_US = 3 * DAY_US
#: Between two readings further apart than this, nothing is metered.
HOLE_US = DAY_US
#: For so long what was said of an hour can be said anew: the oldest hour that a reading in the window can change.
KEPT_US = WINDOW_US + HOLE_US + HOUR_US
#: A source may be ahead of our clock by so much.
AHEAD_US = 60_000_000


class EnergySource(StrEnum):
    """Where the energy of a line is known from."""

    PROFILE = "profile"
    METERED = "metered"
    MIXED = "mixed"


@dataclass(slots=True)
class NodeEnergy:
    """What the meter of a node counted in `[start, end)`, within one hour of UTC: the last word on that hour."""

    node: NodeIndex
    start: int
    end: int
    #: So much of it lies between readings that are believed, microseconds.
    covered_us: int
    energy_uj: int


@dataclass(slots=True)
class AcceptReadings(Command):
    """A batch of readings is stored: what money needs of it."""

    source: str
    #: Counts the batches of the readings store.
    batch: int
    #: Of the oldest and the newest reading in it.
    start: int
    end: int
    count: int
    #: SHA-256 of its content, in hexadecimal digits.
    digest: str
    energy: tuple[NodeEnergy, ...] = ()


@dataclass(slots=True)
class ReadingsAccepted(Event):
    """A batch of readings is stored: what money needs of it."""

    source: str
    batch: int
    start: int
    end: int
    count: int
    digest: str
    energy: tuple[NodeEnergy, ...] = ()


class NodeStay(NamedTuple):
    """GPUs of a node that a gang was at work on in `[start, end)`; `end` 0 while it is."""

    gang: GangId
    key: Key
    gpus: int
    start: int
    end: int = 0


class HourTold(NamedTuple):
    """`NodeEnergy` as it is kept."""

    start: int
    end: int
    covered_us: int
    energy_uj: int


class MeteredNode(NamedTuple):
    """A node that has a meter: who was there, and what was told of it, hour by hour."""

    gpus: int
    stays: tuple[NodeStay, ...] = ()
    told: tuple[HourTold, ...] = ()


class EnergyTally(NamedTuple):
    """Metered energy of a meter of use, and the GPU-time that it is for."""

    energy_uj: int = 0
    covered_us: int = 0


class BatchSeen(NamedTuple):
    """The last batch of a readings store that is recorded."""

    batch: int = 0
    digest: str = ""


@dataclass(slots=True)
class EnergyBooks:
    """What was metered in the open period, and corrections of earlier ones."""

    nodes: dict[NodeIndex, MeteredNode] = field(default_factory=dict)
    tallies: dict[tuple[Key, Span], EnergyTally] = field(default_factory=dict)
    last: BatchSeen = BatchSeen()
    #: Source -> readings that were recorded.
    counts: dict[str, int] = field(default_factory=dict)

    def fork(self) -> EnergyBooks:
        """A copy whose containers are its own."""
        return EnergyBooks(self.nodes.copy(), self.tallies.copy(), self.last, self.counts.copy())


def drawn(books: EnergyBooks, mark: tuple[Key, Span], gpu_us: int, gpu_w: int) -> tuple[int, EnergySource]:
    """Energy of so much GPU-time of a meter of use: metered as far as there were readings, else by the SKU."""
    tally = books.tallies.get(mark)
    if tally is None:
        return gpu_us * gpu_w, EnergySource.PROFILE
    left_us = gpu_us - tally.covered_us
    whole = left_us <= 0
    energy_uj = tally.energy_uj + left_us * gpu_w
    return energy_uj, EnergySource.METERED if whole else EnergySource.MIXED


def accept_readings(
    books: EnergyBooks, supplied: supply.State, command: AcceptReadings, at: int, emit: supply.Emit
) -> Answer | Refusal:
    """Record a batch. Refuses: unknown_node, bad_metering. The same batch once more changes nothing.

    Hours older than what is kept are passed over: they are told in the answer, and stay as they were.
    """
    if books.last == BatchSeen(command.batch, command.digest):
        return {"batch": command.batch, "changed": False, "passed_over": 0}
    for place, each in enumerate(command.energy):
        if not 0 <= each.node < supplied.nodes:
            return Refusal("unknown_node", f"there is no node {each.node}", f"energy[{place}].node")
        within = each.start // HOUR_US == (each.end - 1) // HOUR_US
        if not each.start < each.end <= at + AHEAD_US or not within:
            return Refusal(
                "bad_metering", "what a meter counted lies in one hour, and not ahead", f"energy[{place}].end"
            )
        if not 0 <= each.covered_us <= each.end - each.start or each.energy_uj < 0:
            return Refusal(
                "bad_metering", "it covers its time at most, and is not negative", f"energy[{place}]"
            )
    kept = tuple(each for each in command.energy if each.start >= at - KEPT_US)
    emit(
        ReadingsAccepted(
            command.source, command.batch, command.start, command.end, command.count, command.digest, kept
        )
    )
    return {"batch": command.batch, "changed": True, "passed_over": len(command.energy) - len(kept)}


def apply_accepted(
    books: EnergyBooks, spans: Sequence[Span], placements: Placements, supplied: supply.State,
    event: ReadingsAccepted, at: int,
) -> None:  # fmt: skip
    """Record a batch: what it says of an hour takes the place of what was said before."""
    books.last = BatchSeen(event.batch, event.digest)
    books.counts[event.source] = books.counts.get(event.source, 0) + event.count
    new = {each.node for each in event.energy} - books.nodes.keys()
    if new:
        stays = _here_now(placements, new)
        for node in sorted(new):
            gpus = supplied.skus[supply.rack_of(supplied, node).sku].gpus_per_node
            books.nodes[node] = MeteredNode(gpus, tuple(stays[node]))
    for each in event.energy:
        metered = books.nodes[each.node]
        hour = each.start // HOUR_US
        told = HourTold(each.start, each.end, each.covered_us, each.energy_uj)
        others = []
        for one in metered.told:
            if one.start // HOUR_US == hour:
                _post(books, spans, metered, one, -1)
            elif one.start >= at - KEPT_US:
                others.append(one)
        _post(books, spans, metered, told, 1)
        stays_kept = tuple(stay for stay in metered.stays if not stay.end or stay.end > at - KEPT_US)
        books.nodes[each.node] = metered._replace(stays=stays_kept, told=tuple(sorted((*others, told))))


def _here_now(placements: Placements, nodes: set[NodeIndex]) -> dict[NodeIndex, list[NodeStay]]:
    """Who is at work on nodes that get a meter, and since when."""
    found: dict[NodeIndex, list[NodeStay]] = {node: [] for node in nodes}
    for gang in placements.gangs.values():
        if gang.phase in HOLDING and gang.started_at:
            spec = gang.spec
            key = Key(spec.tenant, spec.tier, spec.tranche, gang.lender, spec.sku, gang.site)
            for number, mask in each_node(gang.runs):
                if (node := NodeIndex(number)) in nodes:
                    found[node].append(NodeStay(spec.id, key, mask.bit_count(), gang.started_at))
    return found


def work_began(books: EnergyBooks, spans: Sequence[Span], gang: Gang, key: Key, since: int) -> None:
    """A gang is at work from `since` on, on nodes of which some have a meter."""
    for number, mask in each_node(gang.runs):
        metered = books.nodes.get(NodeIndex(number))
        if metered is not None:
            stay = NodeStay(gang.spec.id, key, mask.bit_count(), since)
            _stay_anew(books, spans, NodeIndex(number), (*metered.stays, stay), since)


def work_ended(books: EnergyBooks, spans: Sequence[Span], gang: Gang, until: int) -> None:
    """A gang was at work until `until`."""
    for number, _ in each_node(gang.runs):
        metered = books.nodes.get(NodeIndex(number))
        if metered is not None:
            stays = tuple(
                stay._replace(end=max(until, stay.start))
                if stay.gang == gang.spec.id and not stay.end
                else stay
                for stay in metered.stays
            )
            _stay_anew(books, spans, NodeIndex(number), stays, until)


def _stay_anew(
    books: EnergyBooks, spans: Sequence[Span], node: NodeIndex, stays: tuple[NodeStay, ...], since: int
) -> None:
    """Who was on a node is known otherwise from `since` on: what was told of later is shared out anew."""
    before = books.nodes[node]
    after = before._replace(stays=stays)
    for one in before.told:
        if one.end > since:
            _post(books, spans, before, one, -1)
            _post(books, spans, after, one, 1)
    books.nodes[node] = after


def _post(books: EnergyBooks, spans: Sequence[Span], node: MeteredNode, told: HourTold, sign: int) -> None:
    """Share out what a node drew (1), or take it back (-1): each piece in the price segment and period that it
    belongs to.
    """
    length = told.end - told.start
    for stay in node.stays:
        start, end = max(told.start, stay.start), min(told.end, stay.end or told.end)
        if start >= end:
            continue
        for span in reversed(spans):
            from_ = max(start, span.start)
            if from_ < end:
                gpu_us = stay.gpus * (end - from_)
                mark = (stay.key, span)
                was = books.tallies.get(mark, EnergyTally())
                books.tallies[mark] = now = EnergyTally(
                    was.energy_uj + sign * (told.energy_uj * gpu_us // (node.gpus * length)),
                    was.covered_us + sign * (gpu_us * told.covered_us // length),
                )
                if now == EnergyTally():
                    del books.tallies[mark]
                end = from_
            if span.start <= start:
                break


def check_stays(books: EnergyBooks, placements: Placements) -> Iterator[str]:
    """Who is known to be at work on a node with a meter is who is."""
    here = _here_now(placements, set(books.nodes))
    for node, metered in books.nodes.items():
        known = sorted(stay for stay in metered.stays if not stay.end)
        if known != sorted(here[node]):
            yield f"node {node}: its meter knows of {known}, and {here[node]} are there"
