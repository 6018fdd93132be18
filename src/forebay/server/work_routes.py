"""Gangs over HTTP: submitting, looking, cancelling, explaining, and what they wrote."""

from __future__ import annotations

import asyncio
import codecs
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from forebay.core import ids
from forebay.core.placements import gang
from forebay.feeds import commands, reading, tree
from forebay.server import applying, array_views, bodies, problems, views
from forebay.server.calls import LIMIT_DEFAULT, LIMIT_MAX, WORK, Call, Caller, address

router = APIRouter()
LOG_BYTES, LOG_BYTES_MAX = 65_536, 1 << 20

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]


@address(router, "POST", "/v1/gangs", WORK, bodies.GangTaken, status=201, takes="Gang")
async def submit_gang(call: Caller) -> Response:
    """Submit a gang: one Gang document as a JSON object."""
    root = await call.posted_tree()
    try:
        document = reading.document(root, kind="Gang")
        want = commands.command_of(document, applying.setting(call, {}, ""))
    except tree.DocumentError as error:
        raise problems.unreadable(error) from None
    applying.permit_gang(call, want)
    answer = await call.submit(want.command)
    if isinstance(answer, ids.Refusal):
        detail = answer.told_to(call.principal)
        raise problems.Failure(answer.code, detail, errors=[problems.located(want.problem(answer, detail))])
    return call.answer(answer, 201, {"Location": f"/v1/gangs/{want.about}"})


@address(router, "GET", "/v1/gangs", WORK, bodies.GangPage)
async def list_gangs(
    call: Caller,
    phase: gang.Phase | None = None,
    tenant: str = "",
    array: str = "",
    members: bool = True,
    limit: Limit = LIMIT_DEFAULT,
    cursor: str = "",
) -> Response:
    """Gangs since the last close of a period, in the order in which they were submitted; with `array`, those of one
    array; with `members=false`, those of none."""
    of = array or (None if members else "")
    after = call.after(int, 0)
    items, going_on = await call.read(
        lambda world: views.gang_page(
            world, call.principal, phase=phase or "", tenant=tenant, after=after, limit=limit, array=of
        )
    )
    return call.page(items, going_on)


@address(router, "GET", "/v1/arrays", WORK, bodies.ArrayPage)
async def list_arrays(
    call: Caller, tenant: str = "", limit: Limit = LIMIT_DEFAULT, cursor: str = ""
) -> Response:
    """Arrays of which not all gangs were over at the last close of a period, with how far they are."""
    found = await call.read(lambda world: array_views.array_bodies(world, call.principal, tenant))
    return call.named_page([(each["id"], each) for each in found], limit, str, "")


@address(router, "GET", "/v1/gangs/{name}", WORK, bodies.GangBody)
async def show_gang(call: Caller, name: str) -> Response:
    """One gang."""
    return call.tagged(await _gang(call, name))


@address(router, "POST", "/v1/gangs/{name}/cancel", WORK, bodies.Cancelled, takes=bodies.PostedReason)
async def cancel_gang(call: Caller, name: str) -> Response:
    """Stop a gang for good, or take it out of the queue; or all gangs of an array. If-Match is honoured."""
    await call.posted(bodies.PostedReason)
    array = await call.glance(lambda world: array_views.array_body(world, call.principal, name))
    call.unchanged(array if array is not None else await _gang(call, name))
    return call.answer(await call.decided(gang.CancelGang(ids.GangId(name))))


@address(router, "GET", "/v1/gangs/{name}/explain", WORK, bodies.GangExplanation)
async def explain_gang(call: Caller, name: str) -> Response:
    """Why a gang waits, runs or is over."""
    told = await call.read(lambda world: views.gang_explanation(world, call.principal, name))
    if told is None:
        raise call.missing("gang", name)
    return call.answer(told)


@address(router, "GET", "/v1/gangs/{name}/logs", WORK, bodies.LogPart)
async def read_gang_log(
    call: Caller,
    name: str,
    rank: Annotated[int, Query(ge=0)] = 0,
    offset: int = 0,
    limit: Annotated[int, Query(ge=1, le=LOG_BYTES_MAX)] = LOG_BYTES,
    generation: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """What a rank wrote, of its latest start unless `generation` says another. A negative offset is from the end."""
    shown = await _gang(call, name)
    _check_asked(shown, rank, generation)
    logs = call.forebay.logs
    if logs is None:
        raise problems.Failure("no_logs", "this forebay keeps no logs", status=404)

    def read() -> tuple[bytes, int, int]:
        known = logs.generations(name)
        which = generation if generation is not None else (known[-1] if known else 0)
        if which not in known:
            return b"", 0, which
        return *logs.read_log(name, rank, which, offset, limit), which

    try:
        data, next_offset, which = await asyncio.to_thread(read)
    except LookupError:
        data, next_offset, which = b"", max(offset, 0), generation or 0
    over = shown["phase"] == gang.Phase.ENDED or shown["generation"] > which > 0 or _waits_again(shown, which)
    text, left = _decoded(data, final=over and len(data) < limit)
    part: bodies.LogPart = {
        "text": text,
        "next_offset": next_offset - left,
        "ended": over and len(data) < limit,
        "generation": which,
    }
    return call.answer(part)


def _check_asked(shown: bodies.GangBody, rank: int, generation: int | None) -> None:
    """A rank or a start that there is not, and cannot be yet, is a mistake. Each GPU of a gang has a rank."""
    last, starts = shown["gpus"] - 1, shown["generation"]
    if rank > last:
        ranks = f"its ranks are 0 to {last}" if last else "it has rank 0 only"
        raise problems.Failure("bad_parameter", f"there is no rank {rank} of {shown['id']}: {ranks}")
    if generation is not None and generation > starts:
        many = {0: "it has not been started yet", 1: "it was started once"}
        told = many.get(starts, f"it was started {starts} times")
        raise problems.Failure("bad_parameter", f"there is no start {generation} of {shown['id']}: {told}")


def _waits_again(shown: bodies.GangBody, generation: int) -> bool:
    return shown["phase"] == gang.Phase.PENDING and shown["generation"] == generation > 0


def _decoded(data: bytes, final: bool) -> tuple[str, int]:
    """Bytes as text, and how many at the end are the beginning of a letter that is still to come."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data, final)
    left = len(decoder.getstate()[0])
    if left == len(data):
        return decoder.decode(b"", True), 0
    return text, left


async def _gang(call: Call, name: str) -> bodies.GangBody:
    shown = await call.glance(lambda world: views.gang(world, call.principal, name))
    if shown is None:
        raise call.missing("gang", name)
    return shown
