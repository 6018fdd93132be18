"""How much of what a gang held became work that lasts? From its events, generation by generation.

GPU-time that a gang held is one of these, and nothing twice: *productive* (work that was finished, or is in a
checkpoint), *lost* (work since the last checkpoint of a generation that ended otherwise, by cause), *starting* (from
placement until all ranks were up), or *at risk* (work of a generation that runs, since its last checkpoint).

Times are those at which facts took effect. A checkpoint is one that was reported of the generation; where none was,
the last multiple of the gang's own interval since its start counts, as for who is evicted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from forebay.core.ids import Event, GangId
from forebay.core.placements import gang as gangs
from forebay.core.placements.checkpoints import GangCheckpointed
from forebay.core.placements.gang import Ending, Spec
from forebay.core.placements.index import gpus_of
from forebay.core.placements.unheard import GangStartLearned
from forebay.core.units import SECOND_US


class LossCause(StrEnum):
    """Why work was lost that no checkpoint held."""

    FAILURE = "failure"
    RECLAIM = "reclaim"
    CURTAILMENT = "curtailment"
    PREEMPTION = "preemption"
    #: Whoever runs the plant: a drain, a quarantine, maintenance.
    OPERATOR = "operator"
    #: Its own limit of time, or whoever cancelled it.
    OWN = "own"


#: By the reason for which a generation ended. All else is a failure.
_CAUSES = {
    **dict.fromkeys(("reclaim", "claim_started", "claim_ended", "claim_power", "rebound"), LossCause.RECLAIM),
    "curtailed": LossCause.CURTAILMENT,
    **dict.fromkeys(("preempted", "budget"), LossCause.PREEMPTION),
    **dict.fromkeys(("drain", "quarantine", "maintenance"), LossCause.OPERATOR),
    **dict.fromkeys(("walltime", "cancelled"), LossCause.OWN),
}


class Ran(NamedTuple):
    """One generation of a gang."""

    gpus: int
    placed_at: int
    #: 0 while its ranks are not up.
    started_at: int = 0
    #: The last checkpoint that was reported of it; 0 for none.
    kept_at: int = 0
    #: 0 while it holds its GPUs.
    ended_at: int = 0
    reason: str = ""


@dataclass(slots=True)
class GangStory:
    """A gang with all its generations."""

    spec: Spec
    submitted_at: int
    ran: dict[int, Ran] = field(default_factory=dict)
    #: When it was over for good; 0 while it is not.
    over_at: int = 0


class Goodput(NamedTuple):
    """What became of the GPU-time of a gang, or of several, in GPU-microseconds."""

    held_gpu_us: int = 0
    productive_gpu_us: int = 0
    starting_gpu_us: int = 0
    at_risk_gpu_us: int = 0
    #: In the order of `LossCause`.
    lost_gpu_us: tuple[int, ...] = (0,) * len(LossCause)
    #: GPU-microseconds from the first start until the end, or now.
    span_gpu_us: int = 0
    #: Microseconds of generations whose ranks were up.
    running_us: int = 0
    starts: int = 0
    #: Generations that had started and ended by a failure.
    failures: int = 0

    def plus(self, other: Goodput) -> Goodput:
        """Both together."""
        return Goodput(
            self.held_gpu_us + other.held_gpu_us, self.productive_gpu_us + other.productive_gpu_us,
            self.starting_gpu_us + other.starting_gpu_us, self.at_risk_gpu_us + other.at_risk_gpu_us,
            tuple(a + b for a, b in zip(self.lost_gpu_us, other.lost_gpu_us, strict=True)),
            self.span_gpu_us + other.span_gpu_us, self.running_us + other.running_us, self.starts + other.starts,
            self.failures + other.failures,
        )  # fmt: skip


def take(known: dict[GangId, GangStory], event: Event, at: int) -> None:
    """What an event says of gangs."""
    match event:
        case gangs.GangSubmitted():
            known[event.spec.id] = GangStory(event.spec, at)
        case gangs.GangPlaced():
            known[event.gang].ran[event.generation] = Ran(gpus_of(event.runs), at)
        case gangs.GangStarted():
            _change(known, event.gang, event.generation, started_at=event.effective_at)
        case GangStartLearned():
            _change(known, event.gang, event.generation, started_at=event.effective_at)
        case GangCheckpointed():
            _change(known, event.gang, event.generation, kept_at=event.effective_at)
        case gangs.GangEnded():
            reason = "" if event.ending is Ending.COMPLETED else event.reason
            _change(known, event.gang, event.generation, ended_at=event.effective_at, reason=reason)
            known[event.gang].over_at = 0 if event.again else event.effective_at
        case gangs.GangWithdrawn():
            known[event.gang].over_at = at


def _change(known: dict[GangId, GangStory], name: GangId, generation: int, **values: int | str) -> None:
    ran = known[name].ran
    ran[generation] = ran[generation]._replace(**values)  # type: ignore[arg-type]


def goodput(story: GangStory, at: int) -> Goodput:
    """What became of what a gang held, until `at`."""
    total = Goodput()
    for ran in story.ran.values():
        total = total.plus(_of_generation(story.spec, ran, at))
    started = [ran for ran in story.ran.values() if ran.started_at]
    if not started:
        return total
    end = story.over_at or at
    return total._replace(span_gpu_us=started[-1].gpus * (end - started[0].started_at))


def _of_generation(spec: Spec, ran: Ran, at: int) -> Goodput:
    end = ran.ended_at or at
    held_us = end - ran.placed_at
    if not ran.started_at:
        return Goodput(ran.gpus * held_us, starting_gpu_us=ran.gpus * held_us)
    run_us = end - ran.started_at
    finished = bool(ran.ended_at) and not ran.reason
    kept_us = run_us if finished else _kept_us(spec, ran, run_us)
    left = ran.gpus * (run_us - kept_us)
    cause = _CAUSES.get(ran.reason, LossCause.FAILURE)
    lost = tuple(left if ran.ended_at and each is cause else 0 for each in LossCause)
    failed = bool(ran.ended_at) and bool(ran.reason) and cause is LossCause.FAILURE
    return Goodput(
        ran.gpus * held_us, ran.gpus * kept_us, ran.gpus * (ran.started_at - ran.placed_at),
        0 if ran.ended_at else left, lost, 0, run_us, 1, int(failed),
    )  # fmt: skip


def _kept_us(spec: Spec, ran: Ran, run_us: int) -> int:
    """How much of a run is in a checkpoint."""
    if ran.kept_at:
        return min(run_us, max(0, ran.kept_at - ran.started_at))
    period_us = spec.checkpoint_s * SECOND_US
    return run_us // period_us * period_us if period_us else 0
