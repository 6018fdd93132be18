"""Readings over HTTP: CloudEvents of meters, one or a batch, and what became of them."""

from __future__ import annotations

import asyncio

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from forebay.core import ids
from forebay.feeds import cloud_events
from forebay.loop.inbox import LoopError
from forebay.loop.ports import JournalError
from forebay.server import metering, problems, reading_bodies
from forebay.server.calls import BOOKS, Caller, address

router = APIRouter()
METERS = frozenset({ids.Role.OPERATOR, ids.Role.METER})
ONE, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
#: Either of both: what the first byte says.
PLAIN = "application/json"


@address(
    router, "POST", "/v1/readings", METERS, reading_bodies.ReadingsAnswer, takes=reading_bodies.PostedReading
)
async def take_readings(call: Caller) -> Response:
    """Take in readings, as CloudEvents 1.0: one (application/cloudevents+json) or a batch
    (application/cloudevents-batch+json). Each is answered for itself; the same once more is a duplicate.
    """
    media_type = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in (ONE, BATCH, PLAIN):
        raise problems.Failure("bad_request", f"readings are {ONE} or {BATCH}", status=415)
    body = await call.request.body()
    many = media_type == BATCH or (media_type == PLAIN and body.lstrip().startswith(b"["))
    try:
        told = cloud_events.batch_of(body) if many else [cloud_events.event_of(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise problems.Failure("bad_request", f"this is not JSON: {error}") from None
    # Names of meters are looked up between two batches of the loop.
    marks = {(each.kind, each.subject) for each in told if isinstance(each, cloud_events.ReadingTold)}
    running = call.forebay
    meters = await call.glance(lambda world: {mark: metering.meter_of(world, *mark) for mark in marks})
    try:
        outcomes = await asyncio.to_thread(
            running.metering.take, running.loop, meters, told, call.principal, call.principal.actor
        )
    except LoopError as error:
        raise problems.undecided(error) from None
    except JournalError as error:
        raise problems.Failure("unavailable", str(error)) from None
    items: list[reading_bodies.ReadingProblem] = [
        {
            "index": index,
            "result": each.result,
            "code": each.fault.code if each.fault else "",
            "field": each.fault.field if each.fault else "",
            "detail": each.fault.detail if each.fault else "",
        }
        for index, each in enumerate(outcomes)
        if each.result != "accepted"
    ]
    refused = sum(1 for each in items if each["result"] == "refused")
    body_out: reading_bodies.ReadingsAnswer = {
        "accepted": len(outcomes) - len(items), "duplicate": len(items) - refused, "refused": refused,
        "items": items,
    }  # fmt: skip
    return call.answer(body_out)


@address(router, "GET", "/v1/readings", BOOKS, reading_bodies.ReadingsList)
async def count_readings(call: Caller) -> Response:
    """What came from each source so far: accepted, duplicate, late, out of order, refused and why."""
    found = await asyncio.to_thread(call.forebay.metering.store.tallies)
    items: list[reading_bodies.ReadingsOfSource] = [
        {"source": each.source, "counts": each.counts} for each in found
    ]
    return call.answer({"items": items})
