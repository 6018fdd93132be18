"""How do readings come in? Checked one by one, stored, and then recorded, as one step after another.

A batch that was stored and not recorded, for forebay was killed in between, is recorded before the next is stored.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import NamedTuple, Protocol

from forebay.core import ids, supply
from forebay.core.energy import AHEAD_US, WINDOW_US, AcceptReadings
from forebay.core.world import World
from forebay.feeds.cloud_events import Fault, ReadingTold
from forebay.loop.inbox import LoopError
from forebay.loop.ports import Clock
from forebay.loop.readings import Metered, Reading, ReadingKind, ReadingsStore

#: Longest wait for the loop, seconds.
LOOP_S = 30.0


#: What meters hang on, by what readings call them.
Meters = Mapping[tuple[ReadingKind, str], Metered | Fault]


class Recorder(Protocol):
    """What records a batch: the loop."""

    def submit(self, asked: ids.Asked) -> Future[ids.Answer | ids.Refusal]:
        """Decide about a command."""
        ...


class ReadingOutcome(NamedTuple):
    """What became of the reading at a place."""

    result: str
    fault: Fault | None = None


_ACCEPTED = ReadingOutcome("accepted")


class Metering:
    """The one door to the readings store."""

    def __init__(self, store: ReadingsStore, clock: Clock) -> None:
        self.store = store
        self._clock = clock
        self._lock = threading.Lock()

    def settle(self, recorder: Recorder, by: ids.Principal) -> None:
        """Record what was stored before a crash. Raises `LoopError`."""
        with self._lock:
            self._record(recorder, by)

    def take(
        self,
        recorder: Recorder,
        meters: Meters,
        told: Sequence[ReadingTold | Fault],
        by: ids.Principal,
        source: str = "",
    ) -> list[ReadingOutcome]:
        """Store and record readings; what became of each, in order. `meters` are all that they name; `source` is who
        is counted where an event does not say. Raises `LoopError`, `ports.JournalError`.
        """
        received_at = self._clock.now()
        results: list[ReadingOutcome] = []
        by_source: dict[str, list[tuple[int, Reading]]] = {}
        refused: dict[str, dict[str, int]] = {}
        for place, each in enumerate(told):
            fault, name = (each, source) if isinstance(each, Fault) else (None, each.source)
            if isinstance(each, ReadingTold):
                metered = meters[each.kind, each.subject]
                fault = metered if isinstance(metered, Fault) else _refuse(each, metered, received_at)
                if not isinstance(metered, Fault) and fault is None:
                    at = min(each.at, received_at)
                    reading = Reading(each.id, metered, at, each.value, each.gauge)
                    by_source.setdefault(name, []).append((place, reading))
            if fault is not None:
                counts = refused.setdefault(name or "unknown", {})
                counts[fault.code] = counts.get(fault.code, 0) + 1
            results.append(_ACCEPTED if fault is None else ReadingOutcome("refused", fault))
        with self._lock:
            for name, counts in sorted(refused.items()):
                self.store.count(name, counts)
            for name, placed in sorted(by_source.items()):
                self._record(recorder, by)
                filed = self.store.file(name, [reading for _, reading in placed], received_at)
                for (place, _), result in zip(placed, filed, strict=True):
                    if result == "other_source":
                        fault = Fault(result, "source", "this meter is told of by another source")
                        results[place] = ReadingOutcome("refused", fault)
                    elif result != _ACCEPTED.result:
                        results[place] = ReadingOutcome(result)
                self._record(recorder, by)
        return results

    def _record(self, recorder: Recorder, by: ids.Principal) -> None:
        batch = self.store.pending()
        if batch is None:
            return
        command = AcceptReadings(
            batch.source, batch.batch, batch.start, batch.end, batch.size, batch.digest, batch.energy
        )
        answer = recorder.submit(ids.Asked(command, by)).result(LOOP_S)
        if isinstance(answer, ids.Refusal):
            raise LoopError(f"batch {batch.batch} of readings was refused: {answer.detail}")
        self.store.recorded(batch.batch)


def meter_of(world: World, kind: ReadingKind, subject: str) -> Metered | Fault:
    """What a meter hangs on, and what it can draw."""
    known = world.state.supply
    name, _, gpu = subject.partition("/") if kind is ReadingKind.GPU else (subject, "", "")
    node = supply.node_named(known, name)
    if node is not None:
        sku = known.skus[supply.rack_of(known, node).sku]
        if kind is ReadingKind.GPU:
            if not gpu.isascii() or not gpu.isdigit() or len(gpu) > 4 or int(gpu) >= sku.gpus_per_node:
                return Fault("unknown_gpu", "subject", f"{name} has GPUs 0 to {sku.gpus_per_node - 1}")
            return Metered(kind, f"{name}/{int(gpu)}", -1, sku.gpu_w)
        return Metered(kind, name, node, -(-sku.rack_w // sku.nodes_per_rack))
    rack = known.racks.get(ids.RackId(name))
    feed = known.feeds.get(ids.FeedId(name))
    if kind is ReadingKind.GPU or (rack is None and feed is None):
        rack_id, dash, _ = name.rpartition("-n")
        if dash and ids.RackId(rack_id) in known.racks:
            return Fault("unknown_node", "subject", f"there is no node {name}")
        return Fault("unknown_rack", "subject", f"there is no node, rack or feed {name}")
    if rack is not None:
        return Metered(kind, subject, -1, known.skus[rack.sku].rack_w)
    assert feed is not None
    return Metered(kind, subject, -1, feed.limit_w)


def _refuse(told: ReadingTold, metered: Metered, received_at: int) -> Fault | None:
    if told.at > received_at + AHEAD_US:
        return Fault("clock_ahead", "time", "it is later than now")
    if told.at < received_at - WINDOW_US:
        return Fault("too_late", "time", f"readings are taken for {WINDOW_US // 86_400_000_000} days")
    if told.kind is ReadingKind.POWER and told.gauge > metered.rating_w * 11 // 10:
        return Fault("impossible", "data.watts", f"it draws {metered.rating_w} W at most")
    return None
