"""Loans over HTTP: what is lent, what a call would take back, and checkpoints that say what would be lost."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from forebay.core import ids
from forebay.core.placements import gang
from forebay.core.placements.checkpoints import ReportCheckpoint
from forebay.core.placements.previews import Loan
from forebay.core.units import SECOND_US
from forebay.core.world import World
from forebay.server import amounts, loan_bodies, problems, sight, views
from forebay.server.calls import OPERATOR, WORK, Caller, address
from forebay.server.posted import instant_of

router = APIRouter()


@address(router, "GET", "/v1/loans", WORK, loan_bodies.LoanPage)
async def list_loans(call: Caller) -> Response:
    """Who lends what to whom, when it could be back, and what work that would cost."""
    at = call.forebay.clock.now()
    found = await call.read(lambda world: _loans(world, call.principal, at))
    return call.answer({"items": found})


def _loans(world: World, principal: ids.Principal, at: int) -> list[loan_bodies.LoanBody]:
    """Those that a principal may see: as a tenant, what it borrowed and what it lends."""
    found = []
    for loan in world.loans(max(at, world.now)):
        borrows = sight.owns(principal, loan.gang.spec.tenant)
        lends = sight.owns(principal, world.state.claims.tranches[loan.tranche].tenant)
        if borrows or lends:
            found.append(_loan_body(loan, borrows=borrows, lends=lends))
    return found


def _loan_body(loan: Loan, *, borrows: bool, lends: bool) -> loan_bodies.LoanBody:
    gang_of = loan.gang
    return {
        "gang": gang_of.spec.id if borrows else "",
        "tenant": gang_of.spec.tenant if borrows else "",
        "tranche": loan.tranche if lends else "",
        "phase": gang_of.phase.value,
        "gpus": gang_of.spec.gpus,
        "since": amounts.when(gang_of.placed_at),
        "back_at": amounts.when(loan.back_at),
        "due_at": amounts.when_or_none(max(gang_of.reclaim_at, 0)),
        "late": gang_of.reclaim_at < 0,
        "lost_gpu_s": loan.lost_gpu_us // SECOND_US,
    }


@address(router, "GET", "/v1/what-if/reclaim", OPERATOR, loan_bodies.ReclaimPreview)
async def try_reclaim(
    call: Caller,
    tranche: str,
    gpus: int,
    within: gang.Level = gang.Level.SITE,
    slice_gpus: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """What if a gang of a tranche's owner wanted so many GPUs now: who would go, and when they are back."""
    at = call.forebay.clock.now()
    name = ids.TrancheId(tranche)
    found = await call.read(
        lambda world: world.preview_reclaim(name, gpus, within, slice_gpus, max(at, world.now))
    )
    if isinstance(found, ids.Refusal):
        raise problems.refused(found, call.principal)
    told: loan_bodies.ReclaimPreview = {
        "tranche": tranche,
        "gpus": gpus,
        "victims": [
            {
                "gang": each.spec.id,
                "tenant": each.spec.tenant,
                "gpus": each.spec.gpus,
                "lost_gpu_s": lost // SECOND_US,
            }
            for each, lost in found.victims
        ],
        "leaving": [each.spec.id for each in found.leaving],
        "lost_gpu_s": sum(lost for _, lost in found.victims) // SECOND_US,
        "back_at": amounts.when(found.back_at),
        "due_at": amounts.when(found.due_at),
    }
    return call.answer(told)


@address(
    router, "POST", "/v1/gangs/{name}/checkpoint", WORK, loan_bodies.CheckpointTaken,
    takes=loan_bodies.PostedCheckpoint,
)  # fmt: skip
async def post_checkpoint(call: Caller, name: str) -> Response:
    """A gang wrote a checkpoint, whole: what it did before is not lost when it is stopped."""
    posted = await call.posted(loan_bodies.PostedCheckpoint)
    shown = await call.glance(lambda world: views.gang(world, call.principal, name))
    if shown is None:
        raise call.missing("gang", name)
    now = call.forebay.clock.now()
    since = instant_of(posted.effective_at, "effective_at") if posted.effective_at else now
    command = ReportCheckpoint(ids.GangId(name), shown["generation"], since, call.principal.actor)
    return call.answer(await call.decided(command))
