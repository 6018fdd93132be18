"""The books over HTTP: the trial balance and statements of accounts, at any instant, as known at any other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query
from starlette.responses import Response

from forebay.loop import ports
from forebay.server import ledger_bodies, ledgers, problems
from forebay.server.calls import BOOKS, LIMIT_DEFAULT, Call, Caller, address
from forebay.server.posted import Rows, instant_of

router = APIRouter()

T = TypeVar("T")


@address(router, "GET", "/v1/ledger", BOOKS, ledger_bodies.LedgerBody)
async def show_ledger(call: Caller, at: str = "", known: str = "") -> Response:
    """The trial balance; `at` an instant, as far as it was `known` at another."""
    before, known_at = instant_of(at, "at", "bad_parameter"), instant_of(known, "known", "bad_parameter")
    if not before and not known_at:
        own = await call.read(lambda world: world.state.money)
        return call.answer(ledgers.balance_body(own.balances, own.transactions))
    return call.answer(
        await told_by_journal(
            call,
            lambda: ledgers.trial_balance(call.forebay.journal, call.forebay.replay.codec, before, known_at),
        )
    )


@address(router, "GET", "/v1/ledger/accounts/{account}", BOOKS, ledger_bodies.StatementPage)
async def show_statement(
    call: Caller,
    account: str,
    start: Annotated[str, Query(alias="from")] = "",
    until: str = "",
    known: str = "",
    limit: Rows = LIMIT_DEFAULT,
    cursor: str = "",
) -> Response:
    """What was posted to an account, `from` an instant `until` another, as far as it was `known` at a third."""
    from_at, until_at = (
        instant_of(text, name, "bad_parameter") for text, name in ((start, "from"), (until, "until"))
    )
    known_at = instant_of(known, "known", "bad_parameter")
    if until_at and until_at <= from_at:
        raise problems.Failure("bad_parameter", "until: is not after from")
    entries = await told_by_journal(
        call,
        lambda: ledgers.statement(
            call.forebay.journal, call.forebay.replay.codec, account, from_at, until_at, known_at
        ),
    )
    if not entries and account not in await call.read(
        lambda world: {name for name, _ in world.state.money.balances}
    ):
        raise call.missing("account", account)
    return call.named_page(entries, limit, int, 0)


async def told_by_journal(call: Call, read: Callable[[], T]) -> T:
    """What the journal tells, once it holds all that was answered before."""
    await call.glance(lambda world: world.seq)
    try:
        return await asyncio.to_thread(read)
    except ports.JournalError as error:
        raise problems.Failure("unavailable", str(error)) from None
