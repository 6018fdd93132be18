"""An invoice put right over HTTP: credit notes, and what is void."""

from __future__ import annotations

import asyncio
import hashlib
from decimal import Decimal

from fastapi import APIRouter
from starlette.responses import Response

from forebay.core import money, units
from forebay.exports import canonical
from forebay.server import amounts, bills, credit_notes, crediting_bodies, draft_bodies, money_routes, posted
from forebay.server.calls import BOOKS, EVERYBODY, LIMIT_DEFAULT, Caller, address

router = APIRouter()


@address(
    router, "POST", "/v1/invoices/{number}/credit-notes", BOOKS, crediting_bodies.CreditNoteAnswer,
    takes=crediting_bodies.PostedCreditNote,
)  # fmt: skip
async def post_credit_note(call: Caller, number: str) -> Response:
    """Credit lines of an invoice, or all that is left of it."""
    given = await call.posted(crediting_bodies.PostedCreditNote)
    posted.refuse_long(given.reason, "reason")
    issued = await _issued(call, number)
    lines = tuple(
        money.LineCredit(each.line, _minor(each.amount, issued.currency, f"lines/{place}/amount"))
        for place, each in enumerate(given.lines)
    )
    answer = await call.decided(money.IssueCreditNote(issued, lines, given.reason))
    told: crediting_bodies.CreditNoteAnswer = {
        "note": answer["note"],
        "invoice": answer["invoice"],
        "total": amounts.minor(answer["total_minor"], answer["currency"]),
        "left": amounts.minor(answer["left_minor"], answer["currency"]),
    }
    return call.answer(told)


@address(
    router, "POST", "/v1/invoices/{number}/void", BOOKS, crediting_bodies.VoidAnswer,
    takes=crediting_bodies.PostedVoid,
)  # fmt: skip
async def post_void(call: Caller, number: str) -> Response:
    """An invoice should never have been issued; with `reissue` its lines are billed by another one at once."""
    given = await call.posted(crediting_bodies.PostedVoid)
    posted.refuse_long(given.reason, "reason")
    issued = await _issued(call, number)
    answer = await call.decided(money.VoidInvoice(issued, given.reason, given.reissue))
    told: crediting_bodies.VoidAnswer = {"invoice": answer["invoice"], "reissued": answer["reissued"]}
    return call.answer(told)


@address(router, "GET", "/v1/credit-notes", EVERYBODY, crediting_bodies.CreditNotePage)
async def list_credit_notes(call: Caller, limit: posted.Rows = LIMIT_DEFAULT, cursor: str = "") -> Response:
    """Credit notes in order of issue. A tenant sees its own."""
    found = await call.read(lambda world: credit_notes.notes_seen(world, call.principal))
    return call.named_page(found, limit, str, "")


@address(router, "GET", "/v1/credit-notes/{note}", EVERYBODY, crediting_bodies.CreditNoteBody)
async def show_credit_note(call: Caller, note: str) -> Response:
    """One credit note with its lines."""
    return call.tagged(await _note_body(call, note))


async def _note(call: Caller, note: str) -> tuple[money.CreditNoteHead, crediting_bodies.CreditNoteSummary]:
    """Raises `problems.Failure`: not_found."""
    found = await call.read(lambda world: credit_notes.note_seen(world, call.principal, note))
    if found is None:
        raise call.missing("credit note", note)
    return found


async def _note_body(call: Caller, note: str) -> crediting_bodies.CreditNoteBody:
    found = await _note(call, note)
    journal, known = call.forebay.journal, call.forebay.replay.codec
    return await asyncio.to_thread(credit_notes.note_body, journal, known, *found)


@address(router, "GET", "/v1/credit-notes/{note}/canonical", EVERYBODY, draft_bodies.CanonicalInvoice)
async def show_canonical_note(call: Caller, note: str) -> Response:
    """One credit note as canonical JSON: the same bytes for ever. Its SHA-256 is the ETag."""
    head, _ = await _note(call, note)
    journal, known = call.forebay.journal, call.forebay.replay.codec
    issued = await asyncio.to_thread(credit_notes.note_issued, journal, known, head)
    data = canonical.invoice_bytes(issued)
    return Response(data, 200, {"ETag": f'"{hashlib.sha256(data).hexdigest()}"'}, "application/json")


@address(
    router, "GET", "/v1/credit-notes/{note}/lines/{n}/explain", EVERYBODY, crediting_bodies.CreditExplanation
)
async def explain_credit(call: Caller, note: str, n: int) -> Response:
    """Why something is credited by the nth line of a credit note, and what the line of the invoice rests on."""
    body = await _note_body(call, note)
    if not 1 <= n <= len(body["credited"]):
        raise call.missing("line", f"{n} of credit note {note}")
    credited = body["credited"][n - 1]
    told: crediting_bodies.CreditExplanation = {
        "note": body["id"],
        "reason": body["reason"],
        "credited": credited,
        "billed": await money_routes.explained_line(call, body["invoice"], credited["line"]),
    }
    return call.answer(told)


@address(
    router, "POST", "/v1/credit-notes/{note}/allocate", BOOKS, crediting_bodies.CreditNoteLeft,
    takes=crediting_bodies.PostedCreditParts,
)  # fmt: skip
async def post_credit_allocation(call: Caller, note: str) -> Response:
    """Pay other invoices from what is left of a credit note."""
    given = await call.posted(crediting_bodies.PostedCreditParts)
    parts = tuple(
        money.Allocation(each.invoice, posted.micros_of(each.amount, f"allocate/{place}/amount"))
        for place, each in enumerate(given.allocate)
    )
    answer = await call.decided(money.AllocateCreditNote(note, parts))
    told: crediting_bodies.CreditNoteLeft = {
        "note": answer["note"],
        "left": amounts.exact(answer["left_micros"], answer["currency"]),
    }
    return call.answer(told)


async def _issued(call: Caller, number: str) -> money.InvoiceIssued:
    """An invoice as its record has it. Raises `problems.Failure`: not_found."""
    head = await call.read(lambda world: bills.head(world, call.principal, number))
    if head is None:
        raise call.missing("invoice", number)
    return await asyncio.to_thread(bills.issued, call.forebay.journal, call.forebay.replay.codec, head.seq)


def _minor(text: str, currency: str, field: str) -> int:
    """An amount in minor units, below 0 for what takes a credit back."""
    micros = posted.micros_of(text.removeprefix("-"), field)
    minor = units.micros_to_minor(micros, currency)
    if units.minor_to_micros(minor, currency) != micros:
        places = Decimal(1).scaleb(-units.MINOR_DIGITS[currency])
        raise posted.wrong(field, f"{text} is finer than {places} {currency}", "bad_amount")
    return -minor if text.startswith("-") else minor
