"""Disputes about invoices, over HTTP."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from starlette.responses import Response

from forebay.core import ids, money
from forebay.core.world import World
from forebay.server import amounts, bills, bodies, dispute_bodies, posted, sight
from forebay.server.calls import BOOKS, EVERYBODY, LIMIT_DEFAULT, Call, Caller, address

router = APIRouter()


@address(router, "GET", "/v1/disputes", EVERYBODY, dispute_bodies.DisputePage)
async def list_disputes(call: Caller, limit: posted.Rows = LIMIT_DEFAULT, cursor: str = "") -> Response:
    """Disputes in the order in which they were opened. A tenant sees its own."""
    found = await call.read(lambda world: _seen(world, call.principal))
    return call.named_page(found, limit, str, "")


@address(
    router, "POST", "/v1/invoices/{number}/disputes", EVERYBODY, dispute_bodies.DisputeAnswer,
    takes=dispute_bodies.PostedDispute,
)  # fmt: skip
async def post_dispute(call: Caller, number: str) -> Response:
    """Contest lines of an invoice. A tenant contests its own."""
    given = await call.posted(dispute_bodies.PostedDispute)
    posted.refuse_long(given.reason, "reason")
    lines = tuple(
        money.Contested(each.line, posted.micros_of(each.amount, f"lines/{place}/amount"))
        for place, each in enumerate(given.lines)
    )
    head = await call.read(lambda world: bills.head(world, call.principal, number))
    if head is None:
        raise call.missing("invoice", number)
    journal, known = call.forebay.journal, call.forebay.replay.codec
    issued = await asyncio.to_thread(bills.issued, journal, known, head.seq)
    return _told(call, await call.decided(money.OpenDispute(issued, lines, given.reason)))


@address(
    router, "POST", "/v1/disputes/{dispute}/settle", BOOKS, dispute_bodies.DisputeAnswer,
    takes=dispute_bodies.PostedSettlement,
)  # fmt: skip
async def post_settlement(call: Caller, dispute: str) -> Response:
    """Both sides agree: for the customer with a credit note or an amount, or for the seller."""
    given = await call.posted(dispute_bodies.PostedSettlement)
    posted.refuse_long(given.reason, "reason")
    if given.outcome not in ("customer", "seller"):
        raise posted.wrong("outcome", f"{given.outcome!r} is neither customer nor seller")
    amount = posted.micros_of(given.amount, "amount") if given.amount else 0
    command = money.SettleDispute(dispute, given.outcome == "customer", given.reason, given.note, amount)
    return _told(call, await call.decided(command))


@address(
    router, "POST", "/v1/disputes/{dispute}/withdraw", EVERYBODY, dispute_bodies.DisputeAnswer,
    takes=bodies.PostedReason,
)  # fmt: skip
async def post_dispute_withdrawal(call: Caller, dispute: str) -> Response:
    """It is contested no more. A tenant withdraws its own."""
    given = await call.posted(bodies.PostedReason)
    posted.refuse_long(given.reason, "reason")
    return _told(call, await call.decided(money.WithdrawDispute(dispute, given.reason)))


def _seen(world: World, principal: ids.Principal) -> list[tuple[str, dispute_bodies.DisputeBody]]:
    return [
        (
            name,
            {
                "id": name,
                "invoice": each.invoice,
                "account": each.tenant,
                "lines": [
                    {"line": line.n, "amount": amounts.exact(line.amount_micros, each.currency)}
                    for line in each.lines
                ],
                "disputed": amounts.exact(each.disputed_micros, each.currency),
                "withheld": amounts.exact(each.withheld_micros, each.currency),
                "opened_at": amounts.when(each.opened_at),
                "reason": each.reason,
                "closed_at": None if each.outcome == "open" else amounts.when(each.closed_at),
                "outcome": each.outcome,
                "note": each.note,
                "agreed": amounts.exact(each.agreed_micros, each.currency),
                "answer": each.answer,
            },
        )
        for name, each in sorted(world.state.money.disputes.known.items())
        if sight.owns(principal, each.tenant)
    ]


def _told(call: Call, answer: ids.Answer) -> Response:
    told: dispute_bodies.DisputeAnswer = {
        "dispute": answer["dispute"],
        "invoice": answer["invoice"],
        "outcome": answer["outcome"],
        "disputed": amounts.exact(answer["disputed_micros"], answer["currency"]),
        "withheld": amounts.exact(answer["withheld_micros"], answer["currency"]),
    }
    return call.answer(told)
