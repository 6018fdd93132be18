"""Entries that are made by hand, over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from forebay.core import ids, money
from forebay.core.world import World
from forebay.server import amounts, bodies, entry_bodies, posted
from forebay.server.calls import BOOKS, LIMIT_DEFAULT, Call, Caller, address

router = APIRouter()


@address(router, "GET", "/v1/entries", BOOKS, entry_bodies.ManualEntryPage)
async def list_entries(call: Caller, limit: posted.Rows = LIMIT_DEFAULT, cursor: str = "") -> Response:
    """Entries by hand, in the order in which they were proposed."""
    return call.named_page(await call.read(_entries), limit, str, "")


@address(
    router, "POST", "/v1/entries", BOOKS, entry_bodies.ManualEntryAnswer, takes=entry_bodies.PostedManualEntry
)
async def post_entry(call: Caller) -> Response:
    """Propose an entry: it is posted once another person approves it."""
    given = await call.posted(entry_bodies.PostedManualEntry)
    posted.refuse_long(given.text, "text")
    sides = tuple(_side(each, f"sides/{place}") for place, each in enumerate(given.sides))
    effective_at = posted.instant_of(given.effective, "effective")
    return _told(
        call, await call.decided(money.ProposeEntry(given.currency, sides, given.text, effective_at))
    )


@address(
    router, "POST", "/v1/entries/{entry}/approve", BOOKS, entry_bodies.ManualEntryAnswer,
    takes=entry_bodies.PostedApproval,
)  # fmt: skip
async def post_approval(call: Caller, entry: str) -> Response:
    """Approve an entry that another person proposed: it is posted."""
    await call.posted(entry_bodies.PostedApproval)
    return _told(call, await call.decided(money.ApproveEntry(entry)))


@address(
    router,
    "POST",
    "/v1/entries/{entry}/reject",
    BOOKS,
    entry_bodies.ManualEntryAnswer,
    takes=bodies.PostedReason,
)
async def post_rejection(call: Caller, entry: str) -> Response:
    """An entry is not posted; who proposed it may take it back."""
    given = await call.posted(bodies.PostedReason)
    posted.refuse_long(given.reason, "reason")
    return _told(call, await call.decided(money.RejectEntry(entry, given.reason)))


def _side(given: entry_bodies.PostedSide, where: str) -> money.Entry:
    if bool(given.debit) is bool(given.credit):
        raise posted.wrong(where, "either a debit or a credit is given")
    micros = posted.micros_of(given.debit or given.credit, where)
    return money.Entry(given.account, micros if given.debit else -micros, given.item)


def _entries(world: World) -> list[tuple[str, entry_bodies.ManualEntryBody]]:
    return [
        (
            name,
            {
                "id": name,
                "text": each.text,
                "effective_at": amounts.when(each.effective_at),
                "sides": [
                    {
                        "account": side.account,
                        "item": side.item,
                        "amount": amounts.exact(side.amount_micros, each.currency),
                    }
                    for side in each.entries
                ],
                "standing": each.standing,
                "proposed_by": each.proposed_by,
                "proposed_at": amounts.when(each.proposed_at),
                "decided_by": each.decided_by,
                "reason": each.reason,
            },
        )
        for name, each in sorted(world.state.money.entries.items())
    ]


def _told(call: Call, answer: ids.Answer) -> Response:
    told: entry_bodies.ManualEntryAnswer = {"entry": answer["entry"], "standing": answer["standing"]}
    return call.answer(told)
