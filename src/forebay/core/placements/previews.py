"""What is lent to whom, and who would go if an owner wanted so many GPUs back now? Nothing is recorded."""

from __future__ import annotations

from typing import NamedTuple

from forebay.core import claims
from forebay.core.ids import GangId, Refusal, TrancheId
from forebay.core.placements import reclaiming, schedule, shapes, turnover
from forebay.core.placements.borrowers import LoanBook
from forebay.core.placements.checkpoints import lost_gpu_us
from forebay.core.placements.ends import free_at
from forebay.core.placements.gang import Gang, Level, Phase, Spec, Tier
from forebay.core.placements.schedule import Desk
from forebay.core.units import SECOND_US


class Loan(NamedTuple):
    """One gang on lent nodes."""

    gang: Gang
    tranche: TrancheId
    #: When its nodes are back at the latest, were it called back now; for one that leaves, when they are due.
    back_at: int
    #: What it would lose, GPU-microseconds; 0 for one that leaves.
    lost_gpu_us: int


def loans(desk: Desk) -> list[Loan]:
    """Everything that is lent, by tranche, and then in order of placement."""
    known = desk.state
    found = []
    for tranche in sorted(desk.derived.lent):
        held = [known.gangs[name] for name in desk.derived.lent[tranche]]
        for gang in sorted(held, key=lambda gang: gang.placed_seq):
            leaving = gang.phase is Phase.STOPPING or gang.returns_at > 0
            lost = 0 if leaving else lost_gpu_us(gang, known.lending.checkpoints.get(gang.spec.id), desk.at)
            found.append(Loan(gang, tranche, _back_at(desk, gang), lost))
    return found


def _back_at(desk: Desk, gang: Gang) -> int:
    """When the nodes of a borrower are wiped and checked, at the latest, if it is told to leave now at the latest."""
    if gang.phase is Phase.STOPPING or gang.returns_at:
        return free_at(gang, desk.state.policy)
    takes = gang.spec.grace_s + turnover.wipe_s(desk.state.policy)
    return desk.at + takes * SECOND_US


class Preview(NamedTuple):
    """What a call for capacity of a tranche would do."""

    #: Who would be called back, and what each would lose, GPU-microseconds.
    victims: list[tuple[Gang, int]]
    #: Who leaves anyway and is waited for.
    leaving: list[Gang]
    #: When the last of them is gone and wiped at the latest; now, where nobody has to go.
    back_at: int
    #: By when all is due back; now, where nobody has to go.
    due_at: int


def preview_reclaim(
    desk: Desk, tranche: TrancheId, gpus: int, within: Level, slice_gpus: int
) -> Preview | Refusal:
    """Who would go if somebody of the owner wanted so many GPUs now. To be asked of a fork, for it uses up what it
    looks at. Refuses, in this order: unknown_tranche, tranche_over, bad_quantity, bad_shape, never_fits, no_room.
    """
    held = desk.claimed.tranches.get(tranche)
    if held is None:
        return Refusal("unknown_tranche", f"there is no tranche {tranche}", "tranche")
    if held.standing is not claims.Standing.LIVE:
        return Refusal("tranche_over", f"the term of tranche {tranche} does not run", "tranche")
    spec = Spec(
        GangId("preview"), held.tenant, Tier.DEDICATED, held.plan.sku, gpus, 1, tranche, within,
        slice_gpus=slice_gpus,
    )  # fmt: skip
    if gpus < 1:
        return Refusal("bad_quantity", f"gpus is {gpus}; 1 or more is meant", "gpus")
    no = shapes.refuse_shape(spec, desk.supplied.skus[spec.sku].gpus_per_node)
    no = no or schedule.never_fits(desk, spec)
    if no is not None:
        return no
    gang = Gang(spec, Phase.PENDING, 0, desk.at)
    lent = tranche in desk.derived.lent
    book = reclaiming.loans_of(desk, tranche) if lent else LoanBook()
    leaving = [desk.state.gangs[name] for name in sorted(book.leaving)]
    call = reclaiming.make_room(desk, book, reclaiming.without(desk, leaving), gang, leaving)
    if call is None:
        told = f"{gpus} GPUs do not fit tranche {tranche}, even with all that it lent: its own work holds the rest"
        return Refusal("no_room", told, "gpus")
    reported = desk.state.lending.checkpoints
    victims = [(each, lost_gpu_us(each, reported.get(each.spec.id), desk.at)) for each in call.victims]
    gone = [*call.victims, *call.leaving]
    lending = claims.lending_at(held, desk.at)
    within_s = lending.reclaim_deadline_s if gone and lending is not None else 0
    back_at = max((_back_at(desk, each) for each in gone), default=desk.at)
    return Preview(victims, call.leaving, back_at, desk.at + within_s * SECOND_US)
