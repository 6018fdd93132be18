"""What would an engine do and report, were there one? A `ports.Edge` under any clock, for the twin and for tests.

No thread, no waiting, no process: a gang is an entry in a heap of instants. It keeps the same promises as an engine
that runs real work, and passes the same tests. Nothing goes wrong by itself; `EngineFaults` is a menu of what may.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from forebay.core import ids
from forebay.core.placements import gang
from forebay.loop import ports


class Fate(NamedTuple):
    """What becomes of one generation, were it left alone."""

    #: Microseconds from start to end; None for one that runs until it is stopped.
    duration_us: int | None
    ending: gang.Ending = gang.Ending.COMPLETED
    rank: int = -1
    exit_status: int = 0
    evidence: str = ""
    #: What it takes to stop when asked, microseconds; it is killed when its grace is over.
    stop_us: int = 0


@dataclass(frozen=True, slots=True)
class EngineFaults:
    """What may go wrong, each with its own dice, so that one fault does not move another. All off by default.

    Rates are per thousand.
    """

    seed: int = 0
    #: An effect never arrives; a resync or another release brings it.
    lost_effects: int = 0
    #: An effect arrives once more, up to `delay_us_max` later.
    repeated_effects: int = 0
    #: A report is seen up to `delay_us_max` after what it reports.
    late_reports: int = 0
    #: A report is given once more after it was acknowledged, up to `delay_us_max` later.
    repeated_reports: int = 0
    #: As a generation starts, the end of the one before it is reported again.
    stale_reports: int = 0
    #: One rank does not come up; the others are stopped again, and the gang failed without having started.
    halfway_starts: int = 0
    delay_us_max: int = 60_000_000
    #: Windows `[start, end)`, sorted, in which the engine cannot be reached: effects are lost, work goes on, and
    #: what happened is seen at the end.
    outages: tuple[tuple[int, int], ...] = ()


#: Gangs that are over and still known, at the least: an effect that comes that late is taken for a new one.
KNOWN_MAX: Final = 100_000
_START: Final = 0
_END: Final = 1
_SHOW: Final = 2
_EFFECT: Final = 3

#: Gang, generation, and whether it is about the end.
_Key = tuple[str, int, bool]
_Item = tuple[int, int, int, object]


class _Live:
    """One generation that runs, or is about to."""

    __slots__ = (
        "cause",
        "comes_up",
        "end_seq",
        "ends_at",
        "fate",
        "gang",
        "generation",
        "grace_us",
        "starts_at",
        "stopping",
    )

    def __init__(self, effect: gang.RunGang, fate: Fate, starts_at: int, comes_up: bool) -> None:
        self.gang = effect.gang
        self.generation = effect.generation
        self.cause = effect.cause
        self.grace_us = effect.grace_s * 1_000_000
        self.fate = fate
        self.starts_at = starts_at
        #: Whether all ranks get to run.
        self.comes_up = comes_up
        #: When it ends as things stand, and the heap item that says so: one with another sequence is out of date.
        self.ends_at: int | None = None
        self.end_seq = -1
        #: Why it was asked to stop, "" if it was not.
        self.stopping = ""


class SimulatedEngine:
    """`ports.Edge` under `clock`.

    `fates` says what becomes of each generation: a function of its effect, or a table from gang to (duration in
    microseconds, ending). Ranks take `start_us` to come up.
    """

    def __init__(
        self,
        clock: ports.Clock,
        fates: Callable[[gang.RunGang], Fate] | Mapping[str, tuple[int, gang.Ending]],
        *,
        name: str = "simulated",
        start_us: int = 0,
        faults: EngineFaults | None = None,
    ) -> None:
        self._clock = clock
        self._fates = _lookup(fates) if isinstance(fates, Mapping) else fates
        self._name = name
        self._by = ids.Principal(name, ids.Role.EDGE)
        self._start_us = start_us
        self._faults = faults
        self._dice: dict[str, random.Random] = {}
        self._heap: list[_Item] = []
        self._seq = 0
        #: Highest generation heard of, by gang.
        self._known: dict[str, int] = {}
        self._live: dict[str, _Live] = {}
        #: Generations that start when the one before them is dead.
        self._waiting: dict[str, gang.RunGang] = {}
        #: What can be seen and is not acknowledged, in order.
        self._facts: dict[_Key, ids.Asked] = {}
        #: Last end of each gang, for stale reports; kept only if there may be some.
        self._ends: dict[str, tuple[_Key, ids.Asked]] = {}

    # ports.Edge

    def release(self, effects: Sequence[ids.Effect]) -> None:
        """Start and stop gangs; effects for other edges are passed over."""
        at = self._clock.now()
        if self._faults is None:
            for effect in effects:
                self._follow(effect, at)
            return
        for effect in effects:
            if not (self._outage_end(at) or self._roll("lost_effects", self._faults.lost_effects)):
                self._follow(effect, at)
                if self._roll("repeated_effects", self._faults.repeated_effects):
                    self._push(at + self._delay("repeated_effects"), _EFFECT, effect)

    def resync(self, desired: Sequence[ids.Effect]) -> None:
        """Make this all that runs. What is known of each desired generation is reported again."""
        at = self._clock.now()
        self._advance(at)
        ours = [effect for effect in desired if isinstance(effect, gang.RunGang | gang.StopGang)]
        wanted = {(effect.gang, effect.generation) for effect in ours}
        for waiting in list(self._waiting.values()):
            if (waiting.gang, waiting.generation) not in wanted:
                del self._waiting[waiting.gang]
        for live in list(self._live.values()):
            if (live.gang, live.generation) not in wanted:
                self._stop(live, at, live.grace_us, "no longer wanted")
        for effect in ours:
            known = self._known.get(effect.gang, -1)
            self._follow(effect, at)
            if known >= effect.generation:
                self._report_again(effect, at)

    def reports(self, at: int) -> list[ids.Asked]:
        """Facts that can be seen at `at` and are not acknowledged, in the order in which they came to be seen."""
        heap = self._heap
        if heap and heap[0][0] <= at:
            self._advance(at)
        if not self._facts or (self._faults is not None and self._outage_end(at)):
            return []
        return list(self._facts.values())

    def acknowledge(self, reports: Sequence[ids.Asked]) -> None:
        """Stop reporting these; reports that are not (or no longer) ours are passed over."""
        facts = self._facts
        for asked in reports:
            report = asked.command
            if isinstance(report, gang.ReportGangStarted):
                key = (report.gang, report.generation, False)
            elif isinstance(report, gang.ReportGangEnded):
                key = (report.gang, report.generation, True)
            else:
                continue
            was_known = facts.pop(key, None) is not None
            if self._faults is None or not was_known:
                continue
            if self._roll("repeated_reports", self._faults.repeated_reports):
                at = self._clock.now()
                self._push(self._seen_at(at + self._delay("repeated_reports")), _SHOW, (key, asked))

    def next_report(self) -> int | None:
        """When the next fact can be seen: now, if one can be already; None if nothing is under way."""
        if self._facts:
            at = self._clock.now()
            return at if self._faults is None else self._seen_at(at)
        heap = self._heap
        while heap and self._is_out_of_date(heap[0]):
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    # What is wanted

    def _follow(self, effect: ids.Effect, at: int) -> None:
        if isinstance(effect, gang.RunGang):
            self._follow_run(effect, at)
        elif isinstance(effect, gang.StopGang):
            self._follow_stop(effect, at)

    def _follow_run(self, effect: gang.RunGang, at: int) -> None:
        if effect.generation <= self._known.get(effect.gang, -1):
            return
        self._known[effect.gang] = effect.generation
        if len(self._known) > 2 * KNOWN_MAX:
            self._forget()
        older = self._live.get(effect.gang)
        if older is None:
            self._start(effect, at)
        else:
            self._waiting[effect.gang] = effect
            self._stop(older, at, older.grace_us, f"generation {effect.generation} takes its place")

    def _forget(self) -> None:
        """What was heard of longest ago, and is over, is not known any more."""
        for name in list(itertools.islice(self._known, len(self._known) - KNOWN_MAX)):
            if name not in self._live and name not in self._waiting:
                del self._known[name]

    def _follow_stop(self, effect: gang.StopGang, at: int) -> None:
        live = self._live.get(effect.gang)
        if live is not None and live.generation <= effect.generation:
            self._stop(live, at, effect.grace_s * 1_000_000, effect.reason)
        if live is not None and live.generation == effect.generation:
            return
        waiting = self._waiting.get(effect.gang)
        if waiting is not None and waiting.generation <= effect.generation:
            del self._waiting[effect.gang]
        elif effect.generation <= self._known.get(effect.gang, -1):
            return  # it has ended
        # Never started here, and never will be, should its start arrive late.
        self._known[effect.gang] = max(effect.generation, self._known.get(effect.gang, -1))
        evidence = f"{effect.reason}: it had not been started"
        fate = Fate(0, evidence=evidence)
        self._report_end(effect.gang, effect.generation, effect.cause, at, gang.Ending.STOPPED, fate)

    def _start(self, effect: gang.RunGang, at: int) -> None:
        fate = self._fates(effect)
        comes_up = fate.ending is not gang.Ending.UNSTARTABLE
        faults = self._faults
        if faults is not None:
            if self._roll("halfway_starts", faults.halfway_starts):
                comes_up = False
                fate = Fate(0, gang.Ending.FAILED, 0, 0, "rank 0: Resource temporarily unavailable")
            end_before = self._ends.get(effect.gang)
            if end_before is not None and self._roll("stale_reports", faults.stale_reports):
                self._push(self._seen_at(at), _SHOW, end_before)
        starts_at = at + self._start_us
        live = self._live[effect.gang] = _Live(effect, fate, starts_at, comes_up)
        if not comes_up:
            self._end_at(live, starts_at)
            return
        if self._start_us:
            self._push(starts_at, _START, live)
        else:
            self._report_start(live)
        if fate.duration_us is not None:
            self._end_at(live, starts_at + fate.duration_us)

    def _stop(self, live: _Live, at: int, grace_us: int, reason: str) -> None:
        """Let it end by its answer or its grace, or by itself if that is earlier; asking again changes nothing."""
        if live.stopping:
            return
        live.stopping = reason or "stopped"
        stops_at = at + min(live.fate.stop_us, grace_us)
        if live.ends_at is None or stops_at < live.ends_at:
            self._end_at(live, stops_at)

    def _end_at(self, live: _Live, at: int) -> None:
        live.ends_at = at
        live.end_seq = self._push(at, _END, live)

    # What happens

    def _advance(self, at: int) -> None:
        heap = self._heap
        while heap and heap[0][0] <= at:
            item = heapq.heappop(heap)
            due, seq, kind, what = item
            if kind == _END:
                assert isinstance(what, _Live)
                if what.end_seq == seq:
                    self._end(what, due)
            elif kind == _START:
                assert isinstance(what, _Live)
                if self._live.get(what.gang) is what:
                    self._report_start(what)
            elif kind == _EFFECT:
                assert isinstance(what, ids.Effect)
                self._follow(what, due)
            else:
                assert isinstance(what, tuple)
                key, asked = what
                self._facts[key] = asked

    def _is_out_of_date(self, item: _Item) -> bool:
        _, seq, kind, what = item
        if not isinstance(what, _Live):
            return False
        return what.end_seq != seq if kind == _END else self._live.get(what.gang) is not what

    def _end(self, live: _Live, at: int) -> None:
        del self._live[live.gang]
        live.end_seq = -1
        if live.stopping:
            fate = Fate(0, evidence=live.stopping)
            self._report_end(live.gang, live.generation, live.cause, at, gang.Ending.STOPPED, fate)
        else:
            self._report_end(live.gang, live.generation, live.cause, at, live.fate.ending, live.fate)
        waiting = self._waiting.pop(live.gang, None)
        if waiting is not None:
            self._start(waiting, at)

    # Reporting

    def _report_start(self, live: _Live) -> None:
        name, generation, at = live.gang, live.generation, live.starts_at
        asked = ids.Asked(gang.ReportGangStarted(name, generation, at, self._name), self._by, "", live.cause)
        if self._faults is None:
            self._facts[name, generation, False] = asked
        else:
            self._see((name, generation, False), asked, at)

    def _report_end(
        self, gang_id: ids.GangId, generation: int, cause: int, at: int, ending: gang.Ending, fate: Fate
    ) -> None:
        report = gang.ReportGangEnded(
            gang_id, generation, at, self._name, ending, fate.rank, fate.exit_status, fate.evidence
        )
        key = (gang_id, generation, True)
        asked = ids.Asked(report, self._by, "", cause)
        if self._faults is None:
            self._facts[key] = asked
            return
        if self._faults.stale_reports:
            self._ends[gang_id] = key, asked
        self._see(key, asked, at)

    def _report_again(self, effect: gang.RunGang | gang.StopGang, at: int) -> None:
        live = self._live.get(effect.gang)
        waiting = self._waiting.get(effect.gang)
        if live is not None and live.generation == effect.generation:
            if live.starts_at <= at and live.comes_up:
                self._report_start(live)
            return
        if waiting is not None and waiting.generation == effect.generation:
            return
        if (effect.gang, effect.generation, True) not in self._facts:
            fate = Fate(0, evidence="it has ended, and was acknowledged, before")
            self._report_end(effect.gang, effect.generation, effect.cause, at, gang.Ending.LOST, fate)

    def _see(self, key: _Key, asked: ids.Asked, at: int) -> None:
        """With faults: let a fact of instant `at` be seen at once, or when one lets it through."""
        assert self._faults is not None, "without faults it is seen at once"
        seen_at = at
        if self._roll("late_reports", self._faults.late_reports):
            seen_at += self._delay("late_reports")
        seen_at = self._seen_at(seen_at)
        if seen_at > at:
            self._push(seen_at, _SHOW, (key, asked))
            return
        self._facts[key] = asked

    def _push(self, at: int, kind: int, what: object) -> int:
        self._seq += 1
        heapq.heappush(self._heap, (at, self._seq, kind, what))
        return self._seq

    # Faults

    def _outage_end(self, at: int) -> int:
        """End of the outage that `at` lies in, 0 if it lies in none."""
        assert self._faults is not None
        return next((end for start, end in self._faults.outages if start <= at < end), 0)

    def _seen_at(self, at: int) -> int:
        return max(at, self._outage_end(at))

    def _roll(self, fault: str, per_mille: int) -> bool:
        return per_mille > 0 and self._die(fault).randrange(1000) < per_mille

    def _delay(self, fault: str) -> int:
        assert self._faults is not None
        return self._die(fault).randint(1, max(1, self._faults.delay_us_max))

    def _die(self, fault: str) -> random.Random:
        assert self._faults is not None
        if fault not in self._dice:
            self._dice[fault] = random.Random(f"{self._faults.seed} {fault}")
        return self._dice[fault]


def _lookup(table: Mapping[str, tuple[int, gang.Ending]]) -> Callable[[gang.RunGang], Fate]:
    return lambda effect: Fate(*table[effect.gang])
