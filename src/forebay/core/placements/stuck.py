"""Which gangs run and get nowhere? By the marks of progress that they, or their engines, report.

A mark is a number that grows: a step, a checkpoint, bytes written. A gang that never reported one is not judged:
silence says nothing of it. One that did is stuck when it runs and no larger mark was reported for `stuck_s`, counted
from its start where it started later.
"""

from __future__ import annotations

from forebay.core.ids import Answer, Refusal
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import Gang, Phase
from forebay.core.placements.heartbeats import refuse_fenced
from forebay.core.placements.state import State
from forebay.core.supply import Emit


def report_progress(state: State, report: gangs.ReportGangProgress, emit: Emit, at: int) -> Answer | Refusal:
    """A gang got so far. Refuses: fenced_generation, unknown_gang, bad_quantity, not_running, stale_generation. A
    mark that is no larger than the last one of this generation changes nothing."""
    gang = state.gangs.get(report.gang)
    fenced = refuse_fenced(state.engines, report.gang, report.generation) if state.engines.fenced else None
    if fenced is not None and report.generation:
        return fenced
    if gang is None:
        return Refusal("unknown_gang", f"there is no gang {report.gang}", "gang")
    if not 0 <= report.mark < 1 << 63:
        return Refusal("bad_quantity", f"mark is {report.mark}; from 0 to 2^63 - 1 is meant", "mark")
    if gang.phase is not Phase.RUNNING:
        return Refusal("not_running", f"gang {report.gang} is {gang.phase}", "gang")
    if report.generation not in (0, gang.generation):
        told = f"gang {report.gang} is at generation {gang.generation}"
        return Refusal("stale_generation", told, "generation")
    last = state.progress.get(report.gang)
    if last is not None and last.generation == gang.generation and report.mark <= last.mark:
        return {"gang": report.gang, "changed": False}
    since = min(max(report.effective_at or at, gang.started_at), at)
    emit(gangs.GangProgressed(report.gang, gang.generation, report.mark, since, report.source))
    return {"gang": report.gang, "changed": True}


def flag(state: State, gang: Gang, emit: Emit) -> None:
    """A gang got nowhere for as long as the policy allows: it is flagged, and started again where the policy says."""
    last, policy = state.progress[gang.spec.id], state.policy
    emit(gangs.GangStuck(gang.spec.id, gang.generation, last.mark, max(last.at, gang.started_at)))
    if policy.failing.stuck_restarts:
        again = gang.interruptions < policy.interruptions_max
        emit(gangs.GangStopping(gang.spec.id, gang.generation, "stuck", again))
