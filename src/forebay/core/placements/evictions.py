"""By which rule was a gang told to leave, and on what evidence? In words, with the numbers that the rule went by."""

from __future__ import annotations

from forebay.core import timeline
from forebay.core.placements import turnover
from forebay.core.placements.checkpoints import lost_gpu_us
from forebay.core.placements.gang import Gang, Phase
from forebay.core.placements.lending import Eviction
from forebay.core.placements.schedule import Desk
from forebay.core.units import SECOND_US

#: The rule behind each reason.
RULES = {
    "reclaim": "lent capacity goes back when its owner needs it; those leave who lose the least work in all",
    "claim_started": "when a term begins, its nodes are the claim's",
    "claim_power": "when a term begins, its power is the claim's: spot leaves first, and the latest placed",
    "claim_ended": "when a term ends, its nodes go back to the pool",
    "rebound": "work moves with its claim, and leaves nodes that are another's",
    "node_failed": "a gang is whole or not at all: what loses a node starts again elsewhere",
    "quarantine": "a quarantined node has no work",
    "drain": "a node that is drained has no work",
    "start_timeout": "what the engine does not start in time is stopped and started again",
}


def by_rule(desk: Desk, gang: Gang, *, whole: bool) -> list[str]:
    """Sentences about the last eviction of a gang; none where it was never evicted. `whole` names others."""
    known = desk.state.lending.evicted.get(gang.spec.id)
    if known is None:
        return []
    rule = RULES.get(known.reason)
    facts = [f"By the rule: {rule}."] if rule else []
    # While it stops it may still make a checkpoint: `explain` says what it stands to lose.
    if gang.phase is not Phase.STOPPING:
        at, lost = timeline.text(known.at), _gpu_s(known.lost_gpu_us)
        facts.append(f"At {at} that cost it {lost} of work since its last checkpoint.")
    if known.deadline_at:
        facts.append(_called_back(gang, known, whole=whole))
    return facts


def _called_back(gang: Gang, known: Eviction, *, whole: bool) -> str:
    to = f"{known.for_gang}, on tranche {known.tranche}" if whole else "other work"
    late = ", and is late" if gang.reclaim_at < 0 else ""
    return f"What it borrowed was called back for {to}: due by {timeline.text(known.deadline_at)}{late}."


def on_loan(desk: Desk, gang: Gang) -> list[str]:
    """What a borrower that runs has to expect, in numbers; nothing for one that does not borrow."""
    if not gang.lender or gang.phase is Phase.STOPPING:
        return []
    lending = desk.claimed.tranches[gang.lender].plan.lending
    takes = turnover.away(gang.spec, desk.state.policy)
    within = "" if lending is None else f" of the {lending.reclaim_deadline_s} s after which it is due back"
    lost = lost_gpu_us(gang, desk.state.lending.checkpoints.get(gang.spec.id), desk.at)
    parts = f" ({takes.told()})" if takes.total_s else ""
    return [
        f"It may be called back at any time: that takes up to {takes.total_s} s{within}{parts}.",
        f"Called back at {timeline.text(desk.at)} it would lose {_gpu_s(lost)} of work.",
    ]


def _gpu_s(gpu_us: int) -> str:
    return f"{gpu_us // SECOND_US} GPU-seconds"
