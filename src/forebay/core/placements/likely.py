"""When does a gang that waits start if all goes as usual, and if all takes long? From what was learned of run times.

Each gang that holds GPUs is taken to end when half, or nine of ten, of those like it ended that had run as long as
it has by now; at its limit at the latest, and by its limit where nothing is known of it. With these ends the same
question is asked as with limits (`foreseen`). It is a projection of each gang's quantile, not a quantile of all of
them together, and like the other it counts nobody who arrives meanwhile.

Nothing is kept: the answer follows from the state alone, whoever asked before.

Theory of operation. Gangs that are alike and have run about as long are gone so many seconds after their starts, all
of them by the same number: so each such group is in order of its ends once it is in order of its starts, whatever the
percent. Groups are made once for both percents, and merged end by end, as far as ends are asked for: mostly a few.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from forebay.core import timeline
from forebay.core.placements import estimates, schedule
from forebay.core.placements.ends import End, free_at
from forebay.core.placements.estimates import Estimates, RunTimes
from forebay.core.placements.foreseen import foreseen_start
from forebay.core.placements.gang import Gang, Phase, Spec
from forebay.core.placements.turnover import wiped_for_s
from forebay.core.units import SECOND_US

#: Constraints that are none of room: what a gang waits for has an end of its own.
_OTHERS = frozenset({"turnover", "backoff", "dependency", "array", "claim", "cap", "budget"})


class Alike:
    """Gangs that hold GPUs, of one tenant, user and size, that have run about as long: (start, name, gang) each."""

    __slots__ = ("bucket", "gangs", "limit_s", "spec")

    def __init__(self, spec: Spec, bucket: int) -> None:
        #: Of the first of them.
        self.spec = spec
        #: Of how long they have run; -1 before they started.
        self.bucket = bucket
        #: The shortest limit of time of any.
        self.limit_s = spec.walltime_s
        self.gangs: list[tuple[int, str, Gang]] = []


class Holders(NamedTuple):
    """Who holds GPUs: by group, and others that are looked at one by one."""

    groups: list[Alike]
    others: list[Gang]


def holders_of(desk: schedule.Desk) -> Holders:
    """Who holds GPUs, in groups that end in the order of their starts."""
    groups: dict[tuple[str, str, int, int], Alike] = {}
    others: list[Gang] = []
    scrub, now = desk.state.policy.scrub_pool, desk.at
    #: Starts later than one instant and up to another are of one bucket: most that come one after the other are.
    after = until = bucket = -1
    for gang in schedule.holding(desk):
        if scrub or gang.lender or gang.returns_at or gang.phase is _STOPPING:
            others.append(gang)
            continue
        spec, since = gang.spec, gang.started_at
        if not since:
            here, since = -1, gang.placed_at
        else:
            if not after < since <= until:
                bucket = estimates.bucket_of((now - since) // SECOND_US)
                after = now - estimates.bound_s(bucket) * SECOND_US
                until = now - (estimates.bound_s(bucket - 1) if bucket else 0) * SECOND_US
            here = bucket
        mark = (spec.tenant, spec.user, spec.gpus.bit_length(), here)
        group = groups.get(mark)
        if group is None:
            group = groups[mark] = Alike(spec, here)
        elif spec.walltime_s < group.limit_s:
            group.limit_s = spec.walltime_s
        group.gangs.append((since, spec.id, gang))
    for group in groups.values():
        group.gangs.sort()
    return Holders(list(groups.values()), others)


class Likely:
    """By when each gang is gone, at one percent of what was learned."""

    __slots__ = ("_books", "_desk", "_held", "_percent", "_within", "known")

    def __init__(self, desk: schedule.Desk, percent: int, held: Holders | None = None) -> None:
        self._desk, self._percent = desk, percent
        self._held = held
        #: By tenant, user and size: the book that tells.
        self._books: dict[tuple[str, str, int], RunTimes | None] = {}
        #: By that, and the bucket of how long it has run (-1 before it started): within how long it is gone.
        self._within: dict[tuple[str, str, int, int], int | None] = {}
        #: Whether anything was known of any of them.
        self.known = False

    def free(self, gang: Gang) -> int:
        """When its GPUs are free, wiped where they were lent."""
        spec, phase, started = gang.spec, gang.phase, gang.started_at
        if phase is _STOPPING or gang.returns_at:
            return free_at(gang, self._desk.state.policy)
        bucket, since = -1, gang.placed_at
        if started:
            bucket, since = estimates.bucket_of((self._desk.at - started) // SECOND_US), started
        within_s = self._within_s(spec, bucket)
        if within_s is None or within_s >= spec.walltime_s:
            away_s = spec.walltime_s + spec.grace_s
        else:
            self.known, away_s = True, within_s
        if gang.lender or self._desk.state.policy.scrub_pool:
            away_s += wiped_for_s(self._desk.state.policy, spec, gang.lender)
        return since + away_s * SECOND_US

    def _within_s(self, spec: Spec, bucket: int) -> int | None:
        mark = (spec.tenant, spec.user, spec.gpus.bit_length(), bucket)
        try:
            return self._within[mark]
        except KeyError:
            within_s = self._within[mark] = self._learned_s(spec, bucket)
            return within_s

    def _learned_s(self, spec: Spec, bucket: int) -> int | None:
        alike = (spec.tenant, spec.user, spec.gpus.bit_length())
        if alike not in self._books:
            self._books[alike] = estimates.book_for(self._desk.state.learned, spec)
        book = self._books[alike]
        return None if book is None else estimates.quantile_s(book, self._percent, max(bucket, 0))

    def ends(self) -> Iterable[End]:
        """The ends of all that hold GPUs, in order of time."""
        if self._held is None:
            self._held = holders_of(self._desk)
        runs: list[Iterable[End]] = [self._one_by_one(self._held.others)]
        for group in self._held.groups:
            within_s = self._within_s(group.spec, group.bucket)
            if within_s is None or within_s >= group.limit_s:
                runs.append(self._one_by_one(gang for _, _, gang in group.gangs))
            else:
                self.known = True
                runs.append(self._shifted(group, within_s * SECOND_US))
        return heapq.merge(*runs)

    def _one_by_one(self, gangs: Iterable[Gang]) -> list[End]:
        free, skus = self.free, self._desk.supplied.skus
        return sorted(End(free(gang), gang.spec.id, gang.runs, skus[gang.spec.sku].gpu_w) for gang in gangs)

    def _shifted(self, group: Alike, away_us: int) -> Iterator[End]:
        skus = self._desk.supplied.skus
        for since, _, gang in group.gangs:
            yield End(since + away_us, gang.spec.id, gang.runs, skus[gang.spec.sku].gpu_w)

    def start(self, gang: Gang) -> int | None:
        """By when a gang that waits fits; None where it never does."""
        desk = self._desk
        if isinstance(schedule.find(desk, gang), schedule.Fit):
            return schedule.expected_start(desk, gang, self.free)
        return foreseen_start(desk, gang, self.ends, self.free)


_STOPPING = Phase.STOPPING


def outlook(desk: schedule.Desk, gang: Gang, code: str) -> dict[str, Any] | None:
    """When a gang that waits starts as learned: {by, p50, p90}, of which `by` is "learned", or "limits" where nothing
    is known of what runs. None where limits are all there is to go by, or it waits for no room.
    """
    if desk.state.policy.estimates is not Estimates.LEARNED or code in _OTHERS:
        return None
    held = holders_of(desk)
    half, most = Likely(desk, 50, held), Likely(desk, 90, held)
    p50, p90 = half.start(gang), most.start(gang)
    if p50 is None or p90 is None or not (half.known or most.known):
        return {"by": "limits", "p50": None, "p90": None}
    return {"by": "learned", "p50": p50, "p90": max(p50, p90)}


def likely_fact(told: dict[str, Any]) -> str:
    """The same in words."""
    if told["by"] == "limits":
        return "Too little has ended to say more about its start than limits of time do: at the latest."
    soon, late = timeline.text(told["p50"]), timeline.text(told["p90"])
    if soon == late:
        return f"By how long such work ran so far, it starts by {soon}."
    usually = f"it starts by {soon} as things usually go, and by {late} if all takes long"
    return f"By how long such work ran so far, {usually}."
