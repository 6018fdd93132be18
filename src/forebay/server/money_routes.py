"""Contracts, prices, periods and invoices over HTTP."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from forebay.core import money
from forebay.exports import canonical
from forebay.server import amounts, bills, bodies, draft_bodies, drafts, history, problems, sides, views
from forebay.server.calls import BOOKS, EVERYBODY, LIMIT_DEFAULT, LIMIT_MAX, Caller, address

router = APIRouter()

PageLimit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]


@address(router, "GET", "/v1/contracts", EVERYBODY, bodies.ContractPage)
async def list_contracts(call: Caller, limit: PageLimit = LIMIT_DEFAULT, cursor: str = "") -> Response:
    """Contracts as signed."""
    found = await call.read(lambda world: sides.contracts_of_both_sides(world, call.principal))
    return call.named_page(found, limit, str, "")


@address(router, "GET", "/v1/tranches", EVERYBODY, bodies.TranchePage)
async def list_tranches(call: Caller, limit: PageLimit = LIMIT_DEFAULT, cursor: str = "") -> Response:
    """Tranches as signed and bound."""
    found = await call.read(lambda world: views.tranches(world, call.principal))
    return call.named_page(found, limit, str, "")


@address(router, "GET", "/v1/prices", EVERYBODY, bodies.PricePage)
async def list_prices(call: Caller, limit: PageLimit = LIMIT_DEFAULT, cursor: str = "") -> Response:
    """Price lists: what use without a tranche costs."""
    found = await call.read(lambda world: bills.price_lists(world, call.principal))
    return call.named_page(found, limit, int, -1)


@address(router, "POST", "/v1/periods/close", BOOKS, bodies.PeriodClosedBody, takes=bodies.PostedReason)
async def close_period_now(call: Caller) -> Response:
    """Close the open period now and issue its invoices."""
    posted = await call.posted(bodies.PostedReason)
    answer = await call.decided(money.CloseBillingPeriod(posted.reason[:500]))
    told: bodies.PeriodClosedBody = {
        "start": amounts.when(answer["start"]),
        "end": amounts.when(answer["end"]),
        "invoices": list(answer["invoices"]),
    }
    return call.answer(told)


@address(router, "GET", "/v1/invoices", EVERYBODY, bodies.InvoicePage)
async def list_invoices(call: Caller, limit: PageLimit = LIMIT_DEFAULT, cursor: str = "") -> Response:
    """Invoices by number, without their lines."""
    found = await call.read(lambda world: bills.invoices(world, call.principal))
    return call.named_page(found, limit, str, "")


@address(router, "GET", "/v1/drafts", EVERYBODY, draft_bodies.DraftsBody)
async def show_drafts(call: Caller, account: str = "") -> Response:
    """What the open period would bill if it were closed now: of an `account`, or of all. A tenant sees its own."""
    now = call.forebay.clock.now()
    return call.answer(await call.read(lambda world: drafts.drafts(world, call.principal, account, now)))


@address(router, "GET", "/v1/invoices/{number}/canonical", EVERYBODY, draft_bodies.CanonicalInvoice)
async def show_canonical_invoice(call: Caller, number: str) -> Response:
    """One invoice as canonical JSON: the same bytes for ever. Its SHA-256 is the ETag."""
    head = await _head(call, number)
    data = await asyncio.to_thread(lambda: canonical.invoice_bytes(_issued(call, head)))
    return Response(data, 200, {"ETag": f'"{hashlib.sha256(data).hexdigest()}"'}, "application/json")


@address(router, "GET", "/v1/invoices/{number}", EVERYBODY, bodies.InvoiceBody)
async def show_invoice(call: Caller, number: str) -> Response:
    """One invoice as it was issued."""
    head = await _head(call, number)
    due_at, void = await call.read(lambda world: bills.beside(world, head))

    def read() -> bodies.InvoiceBody:
        issued = _issued(call, head)
        return bills.invoice(issued, due_at, void) | {"digest": canonical.invoice_digest(issued)}

    return call.tagged(await asyncio.to_thread(read))


async def _head(call: Caller, number: str) -> money.InvoiceHead:
    """What is known of an invoice. Raises `problems.Failure`: not_found."""
    head = await call.read(lambda world: bills.head(world, call.principal, number))
    if head is None:
        raise call.missing("invoice", number)
    return head


def _issued(call: Caller, head: money.InvoiceHead) -> money.InvoiceIssued:
    return bills.issued(call.forebay.journal, call.forebay.replay.codec, head.seq)


@address(router, "GET", "/v1/invoices/{number}/lines/{n}/explain", EVERYBODY, bodies.LineExplanation)
async def show_line_explanation(call: Caller, number: str, n: int) -> Response:
    """What a line rests on: contract, clause, price list, and the placements behind it, summing to it exactly."""
    return call.answer(await explained_line(call, number, n))


async def explained_line(call: Caller, number: str, n: int) -> bodies.LineExplanation:
    """What line `n` of an invoice, from 1, rests on. Raises `problems.Failure`: not_found, unavailable."""
    head = await _head(call, number)
    if not 1 <= n <= head.lines:
        raise call.missing("line", f"{n} of invoice {number}")
    until = await call.read(lambda world: bills.first_seq(world, head))
    try:
        return await asyncio.to_thread(
            history.explain_line, call.forebay.tellings, head, until, n, call.principal
        )
    except LookupError as error:
        raise problems.Failure("unavailable", f"the journal cannot be read that far: {error}") from None
