"""The journal over HTTP: decoded records, its head, and a long poll at its end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from forebay.loop import ports
from forebay.server import bodies, history, problems
from forebay.server.calls import LIMIT_DEFAULT, LIMIT_MAX, OPERATOR, Call, Caller, address

router = APIRouter()
WAIT_S_MAX = 60

After = Annotated[int, Query(ge=0)]
RecordLimit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]


@address(router, "GET", "/v1/journal", OPERATOR, bodies.JournalPage)
async def read_journal(call: Caller, after: After = 0, limit: RecordLimit = LIMIT_DEFAULT) -> Response:
    """Decoded records after a sequence."""
    items = await _records(call, after, limit + 1)
    more = len(items) > limit
    items = items[:limit]
    return call.answer({"items": items, "next_after": items[-1]["seq"] if more else None})


@address(router, "GET", "/v1/journal/head", OPERATOR, bodies.JournalHead)
async def show_journal_head(call: Caller) -> Response:
    """Sequence and digest of the last record."""
    try:
        seq, digest = await asyncio.to_thread(call.forebay.journal.head)
    except ports.JournalError as error:
        raise problems.Failure("unavailable", str(error)) from None
    head: bodies.JournalHead = {"seq": seq, "digest": digest.hex()}
    return call.answer(head)


@address(router, "GET", "/v1/events", OPERATOR, bodies.EventsBody)
async def wait_for_events(
    call: Caller,
    after: After = 0,
    wait: Annotated[int, Query(ge=0, le=WAIT_S_MAX)] = 0,
    limit: RecordLimit = LIMIT_DEFAULT,
) -> Response:
    """Records after a sequence; with none yet, waits for the first up to `wait` seconds."""
    if wait and call.forebay.tail.seq <= after:
        await _grown(call, after, wait)
    items = await _records(call, after, limit)
    told: bodies.EventsBody = {"items": items, "next_after": items[-1]["seq"] if items else after}
    return call.answer(told)


async def _grown(call: Call, after: int, wait: int) -> None:
    """Until there is a record beyond `after`, forebay closes, or time is up."""
    tail, here = call.forebay.tail, asyncio.get_running_loop()
    changed = asyncio.Event()

    def listener() -> None:
        with contextlib.suppress(RuntimeError):  # the event loop has ended
            here.call_soon_threadsafe(changed.set)

    number = tail.listen(listener)
    try:
        if tail.seq <= after:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), wait)
    finally:
        tail.leave(number)


async def _records(call: Call, after: int, limit: int) -> list[bodies.RecordBody]:
    try:
        return await asyncio.to_thread(history.records, call.forebay.journal, after, limit)
    except ports.JournalError as error:
        raise problems.Failure("unavailable", str(error)) from None
