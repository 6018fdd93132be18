"""What answers over HTTP? Every address, what goes wrong as problem details, and the OpenAPI document of both.

Nothing is loaded from anywhere else: there are no documentation pages that need a network.
"""

from __future__ import annotations

import logging
import re
import uuid
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import forebay
from forebay.feeds import schemas
from forebay.server import (
    availability_bodies,
    availability_routes,
    binding_bodies,
    binding_routes,
    bodies,
    business_day_bodies,
    business_day_routes,
    campaign_bodies,
    campaign_routes,
    contract_routes,
    cost_bodies,
    crediting_bodies,
    crediting_routes,
    delivery_bodies,
    delivery_routes,
    dispute_bodies,
    dispute_routes,
    document_routes,
    draft_bodies,
    engine_bodies,
    engine_routes,
    entry_bodies,
    entry_routes,
    estimate_bodies,
    estimate_routes,
    explain_routes,
    explained_bodies,
    explaining_bodies,
    export_routes,
    fragmentation_bodies,
    fragmentation_routes,
    goodput_bodies,
    goodput_routes,
    health_bodies,
    health_routes,
    journal_routes,
    ledger_bodies,
    ledger_routes,
    loan_bodies,
    loan_routes,
    money_routes,
    offer_bodies,
    offer_routes,
    payable_bodies,
    plant_routes,
    power_bodies,
    power_routes,
    prepaid_bodies,
    prepaid_routes,
    problems,
    project_bodies,
    project_routes,
    promise_bodies,
    promise_routes,
    reading_bodies,
    reading_routes,
    receivable_bodies,
    receivable_routes,
    shortfall_bodies,
    side_bodies,
    side_routes,
    storage_bodies,
    storage_routes,
    tax_bodies,
    tax_routes,
    term_bodies,
    term_routes,
    what_if_bodies,
    what_if_routes,
    work_routes,
)
from forebay.server.composition import Forebay

#: Largest body of a request.
BODY_BYTES_MAX = 8 << 20
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
ROUTERS = (
    document_routes.router,
    work_routes.router,
    explain_routes.router,
    project_routes.router,
    plant_routes.router,
    power_routes.router,
    health_routes.router,
    engine_routes.router,
    campaign_routes.router,
    what_if_routes.router,
    money_routes.router,
    ledger_routes.router,
    availability_routes.router,
    receivable_routes.router,
    prepaid_routes.router,
    dispute_routes.router,
    entry_routes.router,
    reading_routes.router,
    tax_routes.router,
    crediting_routes.router,
    export_routes.router,
    contract_routes.router,
    loan_routes.router,
    promise_routes.router,
    binding_routes.router,
    fragmentation_routes.router,
    goodput_routes.router,
    estimate_routes.router,
    storage_routes.router,
    delivery_routes.router,
    term_routes.router,
    side_routes.router,
    offer_routes.router,
    business_day_routes.router,
    journal_routes.router,
)

#: Where the types of bodies are.
BODIES = (
    bodies, promise_bodies, shortfall_bodies, binding_bodies, delivery_bodies, side_bodies, term_bodies,
    business_day_bodies, offer_bodies, power_bodies, health_bodies, what_if_bodies, project_bodies, loan_bodies,
    fragmentation_bodies, goodput_bodies, ledger_bodies, campaign_bodies, storage_bodies, engine_bodies,
    explained_bodies, explaining_bodies, estimate_bodies, cost_bodies, tax_bodies, receivable_bodies, draft_bodies,
    availability_bodies, payable_bodies, prepaid_bodies, dispute_bodies, entry_bodies, crediting_bodies,
    reading_bodies,
)  # fmt: skip

_log = logging.getLogger(__name__)


def create(running: Forebay) -> FastAPI:
    """The application for a running forebay."""
    app = FastAPI(
        title="forebay",
        version=forebay.__version__,
        summary="The capacity control plane for AI factories.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.forebay = running
    for router in ROUTERS:
        app.include_router(router)

    @app.get("/openapi.json", include_in_schema=False)
    async def show_openapi() -> Response:
        return Response(msgspec.json.encode(openapi(app)), media_type="application/json")

    app.add_exception_handler(problems.Failure, _failed)
    app.add_exception_handler(RequestValidationError, _bad_parameter)
    app.add_exception_handler(HTTPException, _no_such_address)
    app.add_exception_handler(Exception, _bug)
    app.add_middleware(_Envelope)
    return app


# What goes wrong


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, problems.Failure)
    return problems.response(error, request.url.path)


async def _bad_parameter(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors: list[problems.ProblemError] = [
        {"pointer": "/" + "/".join(map(str, each["loc"][1:])), "detail": each["msg"]}
        for each in error.errors()
    ]
    name = errors[0]["pointer"].removeprefix("/")
    failure = problems.Failure("bad_parameter", f"{name}: {errors[0]['detail']}", errors=errors)
    return problems.response(failure, request.url.path)


async def _no_such_address(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        failure = problems.Failure("method_not_allowed", f"{request.method} is not for this address")
    elif error.status_code == 404:
        failure = problems.Failure("not_found", "there is nothing at this address")
    else:
        failure = problems.Failure("bad_request", str(error.detail), status=error.status_code)
    made = problems.response(failure, request.url.path)
    made.headers.update(error.headers or {})
    return made


async def _bug(request: Request, error: Exception) -> Response:
    _log.error("%s %s raised", request.method, request.url.path, exc_info=error)
    failure = problems.Failure("bug", "forebay made a mistake; its log says more")
    return problems.response(failure, request.url.path)


class _Envelope:
    """Around every request: its id, a bound on its body, and headers that keep answers out of caches."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = dict(scope["headers"])
        request_id = sent.get(b"x-request-id", b"").decode("latin-1")
        if not _REQUEST_ID.fullmatch(request_id):
            request_id = uuid.uuid4().hex
        seen = 0

        async def bounded() -> Message:
            nonlocal seen
            length = sent.get(b"content-length", b"0")
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > BODY_BYTES_MAX or (length.isdigit() and int(length) > BODY_BYTES_MAX):
                raise problems.Failure("too_large", f"a body has at most {BODY_BYTES_MAX} bytes")
            return message

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-request-id", request_id.encode()),
                    (b"cache-control", b"no-store"),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        await self._app(scope, bounded, marked)


# The OpenAPI document


def openapi(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI 3.1 document, with a schema for every body."""
    if app.openapi_schema is None:
        app.openapi_schema = _described(FastAPI.openapi(app))
    return app.openapi_schema


#: What an address answers with that gives a text: a table, as it is made.
CSV = {"text/csv": {"schema": {"type": "string"}}}


def _described(document: dict[str, Any]) -> dict[str, Any]:
    ours = document.get("components", {}).get("schemas", {})
    components = {name: each for name, each in ours.items() if "ValidationError" not in name} | _components()
    for operations in document["paths"].values():
        for operation in operations.values():
            gives, takes = operation.pop("x-gives"), operation.pop("x-takes")
            body = _reference(gives) if gives in components else {"type": "object"}
            for answer in operation["responses"].values():
                answer["content"] = {"application/json": {"schema": body}} if gives != "str" else CSV
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = {
                "description": "Problem details (RFC 9457)",
                "content": {problems.MEDIA_TYPE: {"schema": _reference("ProblemBody")}},
            }
            if takes:
                content = {"application/json": {"schema": _reference(takes)}}
                operation["requestBody"] = {
                    "content": content,
                    "required": takes == "Gang" or bool(components[takes].get("required")),
                }
            if operation["x-roles"]:
                operation["security"] = [{"bearer": []}]
    document["components"] = {
        "schemas": components,
        "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
    }
    return document


def _components() -> dict[str, Any]:
    named = [
        each
        for module in BODIES
        for each in vars(module).values()
        if isinstance(each, type) and each.__module__ == module.__name__
    ]
    template = "#/components/schemas/{name}"
    _, components = msgspec.json.schema_components([*named, problems.ProblemBody], ref_template=template)
    return components | {"Gang": _embedded(schemas.schema("Gang"))}


def _embedded(schema: dict[str, Any]) -> dict[str, Any]:
    """A document posted as JSON may leave out its header."""
    required = [name for name in schema["required"] if name not in ("forebay", "kind")]
    return {key: value for key, value in schema.items() if key != "$schema"} | {"required": required}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
