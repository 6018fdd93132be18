"""What customers owe, and money that came, over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from forebay.core import ids, money
from forebay.server import (
    amounts,
    bodies,
    ledger_routes,
    payable_bodies,
    payables,
    posted,
    receivable_bodies,
    receivables,
)
from forebay.server.calls import BOOKS, EVERYBODY, LIMIT_DEFAULT, Call, Caller, address

router = APIRouter()


@address(router, "GET", "/v1/receivables", EVERYBODY, receivable_bodies.ReceivablesBody)
async def show_receivables(call: Caller, account: str = "", at: str = "", known: str = "") -> Response:
    """Open invoices by age: of an `account` or of all, `at` an instant, as far as it was `known` at another. A tenant
    sees its own.
    """
    then, known_at = (
        posted.instant_of(text, name, "bad_parameter") for text, name in ((at, "at"), (known, "known"))
    )
    now = call.forebay.clock.now()
    if not then and not known_at:
        told = await call.read(lambda world: receivables.aged_now(world, call.principal, account, now))
        return call.answer(told)
    billing = await call.glance(lambda world: world.state.money.receivables.billed.copy())
    contested = await call.glance(lambda world: world.state.money.disputes.fork())
    told = await ledger_routes.told_by_journal(
        call,
        lambda: receivables.aged_then(
            call.forebay.journal, call.forebay.replay.codec, billing, contested, call.principal, account,
            then or now, known_at,
        ),
    )  # fmt: skip
    return call.answer(told)


@address(router, "GET", "/v1/payables/{contract}", BOOKS, payable_bodies.PayablesBody)
async def show_payables(call: Caller, contract: str, period: str = "") -> Response:
    """What a month of a contract comes to in which we are the customer, by what both sides know; this month, or
    `period` (2026-11).
    """
    now = call.forebay.clock.now()
    return call.answer(await call.read(lambda world: payables.payables(world, contract, period, now)))


@address(router, "GET", "/v1/receipts", EVERYBODY, receivable_bodies.ReceiptPage)
async def list_receipts(call: Caller, limit: posted.Rows = LIMIT_DEFAULT, cursor: str = "") -> Response:
    """Receipts in the order of their records. A tenant sees its own."""
    found = await call.read(lambda world: receivables.receipts_seen(world, call.principal))
    return call.named_page(found, limit, str, "")


@address(
    router, "POST", "/v1/receipts", BOOKS, receivable_bodies.ReceiptAnswer,
    takes=receivable_bodies.PostedReceipt,
)  # fmt: skip
async def post_receipt(call: Caller) -> Response:
    """Record money that came; what is not allocated lies on account."""
    given = await call.posted(receivable_bodies.PostedReceipt)
    posted.refuse_long(given.reference, "reference")
    command = money.RecordReceipt(
        ids.TenantId(given.account), given.currency, posted.micros_of(given.amount, "amount"),
        posted.instant_of(given.received, "received"), given.reference.strip(), _allocations(given.allocate),
    )  # fmt: skip
    return _told(call, await call.decided(command))


@address(
    router, "POST", "/v1/receipts/{receipt}/allocate", BOOKS, receivable_bodies.ReceiptAnswer,
    takes=receivable_bodies.PostedReceiptParts,
)  # fmt: skip
async def post_allocation(call: Caller, receipt: str) -> Response:
    """Pay invoices from what lies on account of a receipt."""
    given = await call.posted(receivable_bodies.PostedReceiptParts)
    return _told(call, await call.decided(money.AllocateReceipt(receipt, _allocations(given.allocate))))


@address(
    router, "POST", "/v1/receipts/{receipt}/reverse", BOOKS, receivable_bodies.ReceiptAnswer,
    takes=bodies.PostedReason,
)  # fmt: skip
async def post_reversal(call: Caller, receipt: str) -> Response:
    """A receipt was wrong: what it paid is open again."""
    given = await call.posted(bodies.PostedReason)
    posted.refuse_long(given.reason, "reason")
    return _told(call, await call.decided(money.ReverseReceipt(receipt, given.reason)))


def _allocations(given: list[receivable_bodies.PostedReceiptPart]) -> tuple[money.Allocation, ...]:
    return tuple(
        money.Allocation(each.invoice, posted.micros_of(each.amount, f"allocate/{place}/amount"))
        for place, each in enumerate(given)
    )


def _told(call: Call, answer: ids.Answer) -> Response:
    told: receivable_bodies.ReceiptAnswer = {
        "receipt": answer["receipt"],
        "on_account": amounts.exact(answer["on_account_micros"], answer["currency"]),
        "changed": answer["changed"],
    }
    return call.answer(told)
