"""Documents and their schemas over HTTP, and which forebay this is."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

import forebay
from forebay.feeds import kinds, schemas
from forebay.server import applying, bodies, differing
from forebay.server.calls import EVERYBODY, NOBODY_ASKED, Caller, address

router = APIRouter()


@address(router, "POST", "/v1/documents", EVERYBODY, bodies.DocumentsBody, takes=bodies.PostedDocuments)
async def apply_documents(call: Caller) -> Response:
    """Apply files of documents; all are read and checked before the first is applied."""
    return call.answer(await applying.apply(call, await call.posted(bodies.PostedDocuments)))


@address(
    router,
    "POST",
    "/v1/documents/differences",
    EVERYBODY,
    bodies.DifferencesBody,
    takes=bodies.PostedDocuments,
)
async def compare_documents(call: Caller) -> Response:
    """What files of documents would add and change, field by field, and whether it would be refused."""
    return call.answer(await differing.differences(call, await call.posted(bodies.PostedDocuments)))


@address(router, "GET", "/v1/schemas", EVERYBODY, bodies.SchemasBody)
async def list_schemas(call: Caller) -> Response:
    """JSON Schemas (draft 2020-12) of all kinds of documents."""
    body: bodies.SchemasBody = {"schemas": schemas.schemas()}
    return call.tagged(body)


@address(router, "GET", "/v1/schemas/{kind}", EVERYBODY, dict)
async def show_schema(call: Caller, kind: str) -> Response:
    """JSON Schema of one kind of document; of `any`, for files that hold several."""
    if kind == "any":
        return call.tagged(schemas.any_kind())
    if kind not in kinds.KINDS:
        raise call.missing("kind", kind)
    return call.tagged(schemas.schema(kind))


@address(router, "GET", "/v1/version", NOBODY_ASKED, bodies.VersionBody)
async def show_version(request: Request) -> Response:
    """Which forebay this is."""
    body: bodies.VersionBody = {"version": forebay.__version__, "api": "v1", "documents": kinds.FORMAT}
    return Response(msgspec.json.encode(body), media_type="application/json")


@address(router, "GET", "/healthz", NOBODY_ASKED, bodies.Health)
async def show_health(request: Request) -> Response:
    """Whether forebay decides and records. Says no more than that: anybody may ask."""
    loop = request.app.state.forebay.loop
    status = "stopped" if loop.stopped_because else "failing" if loop.failing_because else "ok"
    body: bodies.Health = {"status": status}
    return Response(msgspec.json.encode(body), 200 if status == "ok" else 503, media_type="application/json")
