"""What is to be told of a replay? Kept up event by event, in room that does not grow with the trace.

Waits are from submission to the first placement. The bounded slowdown of a job is its time from submission to its end
over its true duration, which counts as `SLOWDOWN_BOUND_US` where it is shorter, and at least 1 (Feitelson et al.,
"Theory and Practice in Parallel Job Scheduling", 1997). Work is *lost* when a gang stops and goes back to the queue:
what it did since its last checkpoint. *Productive* is the work of jobs that ended by themselves, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from forebay.core import ids, supply, usage
from forebay.core.placements import gang as gangs
from forebay.core.units import SECOND_US
from forebay.engines.simulated import Fate
from forebay.twin.tallies import Series, Tally

SLOWDOWN_BOUND_US = 10 * SECOND_US
#: Slowdowns are kept in thousandths.
SLOWDOWN_UNIT = 1000
#: Tenants that are told apart; the rest are one.
TENANTS_MAX = 200
OTHERS = "(others)"
#: Places of a series.
HELD, WATTS, QUEUE, QUEUE_GPUS, DOWN = range(5)
#: Classes of sizes, the smallest first.
SIZES = ("1", "2", "3-4", "5-8", "9-16", "17-32", "33-64", "65-")


def size_class(gpus: int) -> str:
    """A class of sizes for the report."""
    for most in (1, 2, 4, 8, 16, 32, 64):
        if gpus <= most:
            return f"{most // 2 + 1}-{most}" if most > 2 else f"{most}"
    return SIZES[-1]


def waits_tally() -> Tally:
    """An empty count of waits in microseconds, told in seconds."""
    return Tally(SECOND_US)


Tallies = tuple[Tally, Tally]
#: Pairs of a tenant and a number of GPUs whose tallies are looked up once only.
TALLIES_KNOWN_MAX = 100_000


def _merged(named: Iterable[tuple[str, Tallies]]) -> dict[str, Tallies]:
    found: dict[str, Tallies] = {}
    for name, (waits, slowdowns) in named:
        into = found.setdefault(name, (waits_tally(), Tally()))
        into[0].merge(waits)
        into[1].merge(slowdowns)
    return found


def _name_of(known: tuple[tuple[str, str], Tallies]) -> tuple[str, str]:
    return known[0]


class Followed:
    """One job while it waits or runs."""

    __slots__ = (
        "checkpoint_us", "duration_us", "estimate_s", "first_at", "gpus", "held", "lost_us", "saved_us",
        "since_at", "starts", "submitted_at", "tallies", "tenant", "up_at", "watts",
    )  # fmt: skip

    def __init__(
        self, spec: gangs.Spec, duration_us: int, submitted_at: int, watts: int, tallies: Tallies
    ) -> None:
        self.tenant = spec.tenant
        self.gpus = spec.gpus
        self.checkpoint_us = spec.checkpoint_s * SECOND_US
        self.duration_us = duration_us
        self.submitted_at = submitted_at
        #: Drawn while it runs.
        self.watts = watts
        #: Waits and slowdowns of its tenant and size.
        self.tallies = tallies
        self.first_at = -1
        #: Whether it holds GPUs, since when, and since when it is up (-1 while it is not).
        self.held = False
        self.since_at = 0
        self.up_at = -1
        #: Work that checkpoints keep, and that was done again.
        self.saved_us = 0
        self.lost_us = 0
        self.starts = 0
        #: For how long it was taken to run when it came; 0 where nobody could know.
        self.estimate_s = 0


class Measures:
    """Follows every job of a replay; `watch` is told the events, `fate` is what the engine asks."""

    def __init__(
        self,
        start: int,
        slice_us: int,
        *,
        restart_us: int = 0,
        sampled: Callable[[], Sequence[int]] = lambda: (),
    ) -> None:
        self.series = Series(start, slice_us, 5, sampled)
        self.restart_us = restart_us
        #: Jobs that wait or run, by gang.
        self.jobs: dict[str, Followed] = {}
        #: When something last happened to a gang.
        self.last_at = start
        #: Tenant and class of size -> waits in microseconds, slowdowns in thousandths.
        self._tallies: dict[tuple[str, str], Tallies] = {}
        self._tallies_of: dict[tuple[str, int], Tallies] = {}
        self._tenants: set[str] = set()
        #: Why work stopped and went back to the queue -> how often, and GPU-microseconds that are lost by it.
        self.stops: dict[str, list[int]] = {}
        #: How jobs came to their end -> how many.
        self.ends: dict[str, int] = {}
        #: GPU-microseconds held, of them productive; and of jobs that completed, from their first placement on.
        self.held_gpu_us = 0
        self.productive_gpu_us = 0
        self.spent_gpu_us = 0
        #: The last two, of jobs that were stopped at least once; and how many these are.
        self.hit_productive_gpu_us = 0
        self.hit_spent_gpu_us = 0
        self.hit = 0
        self.restarts = 0
        #: Metered by the World, in closed periods.
        self.metered_gpu_us = 0
        self.metered_uj = 0
        self._down: Callable[[], int] = lambda: 0
        #: Of jobs that asked for no limit of time, thousandths of their estimate that they ran; only where those are
        #: learned.
        self.of_estimates: Tally | None = None
        self._follow = self._FOLLOW

    def judge_estimates(self) -> None:
        """Estimates are learned: it is to be told how wrong they were."""
        self.of_estimates = Tally()
        self._follow = {**self._FOLLOW, gangs.GangSubmitted: Measures._estimated}

    def know_down(self, down: Callable[[], int]) -> None:
        """What tells how many GPUs are out of order."""
        self._down = down

    def base(self, watts: int) -> None:
        """What the plant draws when no work runs, from here on."""
        self.series.now[WATTS] += watts

    # Jobs come.

    def submit(self, spec: gangs.Spec, duration_us: int, at: int, watts: int) -> None:
        """A job is about to be submitted; its true duration is for the engine only."""
        gpus = spec.gpus
        tallies = self._tallies_of.get((spec.tenant, gpus)) or self._new_tallies(spec)
        self.jobs[spec.id] = Followed(spec, duration_us, at, watts, tallies)
        series = self.series
        if at > series.at:
            series.advance(at)
        now = series.now
        now[QUEUE] += 1
        now[QUEUE_GPUS] += gpus

    def refused(self, spec: gangs.Spec) -> None:
        """It was not taken in."""
        del self.jobs[spec.id]
        self._queue(-1, -spec.gpus)

    def _new_tallies(self, spec: gangs.Spec) -> Tallies:
        """Those of a tenant and a number of GPUs that were not asked for before."""
        tenant: str = spec.tenant
        if tenant not in self._tenants and len(self._tenants) >= TENANTS_MAX:
            tenant = OTHERS
        self._tenants.add(tenant)
        found = self._tallies.setdefault((tenant, size_class(spec.gpus)), (waits_tally(), Tally()))
        if len(self._tallies_of) < TALLIES_KNOWN_MAX:
            self._tallies_of[spec.tenant, spec.gpus] = found
        return found

    def by_size(self) -> dict[str, Tallies]:
        """Class of size -> waits in microseconds, slowdowns in thousandths; the smallest first."""
        found = _merged((size, tallies) for (_, size), tallies in self._tallies.items())
        return {size: found[size] for size in SIZES if size in found}

    def by_tenant(self) -> dict[str, Tallies]:
        """The same by tenant."""
        return _merged(
            (tenant, tallies) for (tenant, _), tallies in sorted(self._tallies.items(), key=_name_of)
        )

    def _queue(self, jobs: int, gpus: int) -> None:
        now = self.series.now
        now[QUEUE] += jobs
        now[QUEUE_GPUS] += gpus

    def waiting(self) -> bool:
        """Whether any job waits."""
        return self.series.now[QUEUE] > 0

    def waiting_count(self) -> int:
        """How many do."""
        return self.series.now[QUEUE]

    # The engine asks.

    def fate(self, effect: gangs.RunGang) -> Fate:
        """A job runs for as long as it did in the trace, less what its checkpoints kept; a restart costs time."""
        job = self.jobs[effect.gang]
        again_us = self.restart_us if job.starts > 1 else 0
        return Fate(max(1, job.duration_us - job.saved_us) + again_us)

    # Things happen.

    def passing(self, at: int) -> None:
        """Time is about to move to `at`: what is sampled as a slice begins is as it was before what happens then."""
        if at > self.series.ends:
            self.series.advance(at)

    def watch(self, events: Sequence[ids.Event], at: int) -> None:
        """Events that have just been recorded."""
        for event in events:
            follow = self._follow.get(type(event))
            if follow is not None:
                follow(self, event, at)

    def _estimated(self, event: gangs.GangSubmitted, at: int) -> None:
        spec = event.spec
        if 0 < spec.estimate_s < spec.walltime_s:
            self.jobs[spec.id].estimate_s = spec.estimate_s

    def _placed(self, event: gangs.GangPlaced, at: int) -> None:
        job, series = self.jobs[event.gang], self.series
        if at > series.at:
            series.advance(at)
        self.last_at = at
        now, gpus = series.now, job.gpus
        now[QUEUE] -= 1
        now[QUEUE_GPUS] -= gpus
        now[HELD] += gpus
        now[WATTS] += job.watts
        job.held, job.since_at, job.up_at = True, at, -1
        job.starts += 1
        if job.first_at < 0:
            job.first_at = at
            job.tallies[0].add(at - job.submitted_at)
        else:
            self.restarts += 1

    def _started(self, event: gangs.GangStarted, at: int) -> None:
        self.jobs[event.gang].up_at = event.effective_at

    def _ended(self, event: gangs.GangEnded, at: int) -> None:
        job, series = self.jobs[event.gang], self.series
        if at > series.at:
            series.advance(at)
        self.last_at = at
        now, gpus = series.now, job.gpus
        now[HELD] -= gpus
        now[WATTS] -= job.watts
        self.held_gpu_us += gpus * (at - job.since_at)
        job.held = False
        if event.again:
            now[QUEUE] += 1
            now[QUEUE_GPUS] += gpus
            self._stopped(job, event)
            return
        del self.jobs[event.gang]
        self.ends[event.reason] = self.ends.get(event.reason, 0) + 1
        if event.ending is gangs.Ending.COMPLETED:
            self._completed(job, at)

    def _stopped(self, job: Followed, event: gangs.GangEnded) -> None:
        done_us = event.effective_at - job.up_at if job.up_at >= 0 else 0
        again_us = self.restart_us if job.starts > 1 else 0
        work_us = max(0, done_us - again_us)
        kept_us = work_us - work_us % job.checkpoint_us if job.checkpoint_us else 0
        job.saved_us += kept_us
        job.lost_us += done_us - kept_us
        told = self.stops.setdefault(event.reason, [0, 0])
        told[0] += 1
        told[1] += (done_us - kept_us) * job.gpus

    def _completed(self, job: Followed, at: int) -> None:
        productive, spent = job.gpus * job.duration_us, job.gpus * (at - job.first_at)
        self.productive_gpu_us += productive
        self.spent_gpu_us += spent
        if job.starts > 1:
            self.hit += 1
            self.hit_productive_gpu_us += productive
            self.hit_spent_gpu_us += spent
        if self.of_estimates is not None and job.estimate_s:
            self.of_estimates.add(job.duration_us * 1000 // (job.estimate_s * SECOND_US))
        ran_us = max(job.duration_us, SLOWDOWN_BOUND_US)
        slowdown = max(SLOWDOWN_UNIT, (at - job.submitted_at) * SLOWDOWN_UNIT // ran_us)
        job.tallies[1].add(slowdown)

    def _withdrawn(self, event: gangs.GangWithdrawn, at: int) -> None:
        job = self.jobs.pop(event.gang)
        self.series.advance(at)
        self._queue(-1, -job.gpus)
        self.ends[event.reason] = self.ends.get(event.reason, 0) + 1

    def _health(self, event: ids.Event, at: int) -> None:
        self.series.advance(at)
        self.series.now[DOWN] = self._down()

    def _period(self, event: usage.PeriodClosed, at: int) -> None:
        self.metered_gpu_us += sum(line.gpu_us for line in event.lines)
        self.metered_uj += sum(line.energy_uj for line in event.lines)

    _FOLLOW: dict[type[ids.Event], Callable[[Measures, Any, int], None]] = {  # noqa: RUF012
        gangs.GangPlaced: _placed,
        gangs.GangStarted: _started,
        gangs.GangEnded: _ended,
        gangs.GangWithdrawn: _withdrawn,
        **dict.fromkeys(supply.health.EVENTS, _health),
        usage.PeriodClosed: _period,
    }
