"""What does every handler need? Who asks, the World to ask, and one way to answer.

A `Call` is one request. Handlers ask it for what the World says (`read`, `glance`), hand it commands (`submit`), and
let it write the answer.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import urllib.parse
from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from forebay.core import ids
from forebay.core.world import World
from forebay.feeds import tree
from forebay.loop.follower import Stopped
from forebay.loop.inbox import LoopError
from forebay.server import auth, problems
from forebay.server.composition import Forebay

T = TypeVar("T")

LIMIT_DEFAULT, LIMIT_MAX = 100, 1000
#: Longest wait for the follower, seconds.
FOLLOW_S = 30.0
KEY_MAX = 200


class Call:
    """One request by somebody who is known."""

    def __init__(self, request: Request, forebay: Forebay, principal: ids.Principal) -> None:
        self.request = request
        self.forebay = forebay
        self.principal = principal

    # Asking

    async def glance(self, function: Callable[[World], T]) -> T:
        """Ask the World itself, between two batches: for what is found at once."""
        try:
            return await asyncio.wrap_future(self.forebay.loop.read(function))
        except LoopError as error:
            raise problems.undecided(error) from None

    async def read(self, function: Callable[[World], T]) -> T:
        """Ask the follower, once it has seen all that was answered before: for what takes longer."""
        seq = await self.glance(lambda world: world.seq)
        try:
            answer, _ = await asyncio.to_thread(self.forebay.follower.read, function, seq, FOLLOW_S)
        except (Stopped, TimeoutError) as error:
            raise problems.Failure("unavailable", str(error)) from None
        return answer

    async def submit(self, command: ids.Command, key: str | None = None) -> ids.Answer | ids.Refusal:
        """Hand a command to the loop, under this request's idempotency key unless another is given."""
        asked = ids.Asked(command, self.principal, self.key() if key is None else key)
        try:
            return await asyncio.wrap_future(self.forebay.loop.submit(asked))
        except LoopError as error:
            raise problems.undecided(error) from None

    async def decided(self, command: ids.Command) -> ids.Answer:
        """As `submit`; a refusal is the request's answer."""
        answer = await self.submit(command)
        if isinstance(answer, ids.Refusal):
            raise problems.refused(answer, self.principal)
        return answer

    def key(self) -> str:
        """The Idempotency-Key, "" when there is none."""
        key = self.request.headers.get("idempotency-key")
        if key is None:
            return ""
        if not 0 < len(key) <= KEY_MAX or not key.isascii() or not key.isprintable():
            raise problems.Failure(
                "bad_key", f"an idempotency key has 1 to {KEY_MAX} printable ASCII characters"
            )
        return key

    # The body

    async def posted(self, kind: type[T]) -> T:
        """The body as this type; an empty one counts as {}."""
        try:
            return msgspec.json.decode(await self.request.body() or b"{}", type=kind)
        except msgspec.ValidationError as error:
            detail, _, path = str(error).partition(" - at `$")
            where = problems.pointer(path.strip("`.").replace("[...]", ""))
            raise problems.Failure(
                "bad_body", detail, errors=[{"pointer": where, "detail": detail}]
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise problems.Failure("bad_request", f"this is not JSON: {error}") from None

    async def posted_tree(self) -> tree.Node:
        """The body as a document's tree."""
        try:
            return tree.from_json(tree.json_value(await self.request.body()))
        except tree.DocumentError as error:
            raise problems.unreadable(error, "bad_request") from None

    # Answering

    def missing(self, what: str, name: str) -> problems.Failure:
        """It does not exist, or is somebody else's: nobody can tell which."""
        return problems.Failure("not_found", f"there is no {what} {name}")

    def answer(self, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        """A body that changes with time."""
        return Response(msgspec.json.encode(body), status, headers, "application/json")

    def tagged(self, body: Any) -> Response:
        """A body with a strong ETag; 304 when the caller has it already."""
        data = msgspec.json.encode(body)
        tag = _tag(data)
        said = self.request.headers.get("if-none-match", "")
        if tag in _tags(said) or said.strip() == "*":
            return Response(status_code=304, headers={"ETag": tag})
        return Response(data, 200, {"ETag": tag}, "application/json")

    def unchanged(self, body: Any) -> None:
        """If-Match names what `body` is now, or is not there; else 412."""
        said = self.request.headers.get("if-match")
        if said is not None and said.strip() != "*" and _tag(msgspec.json.encode(body)) not in _tags(said):
            raise problems.Failure("stale", "it has changed since you read it: read it again, then decide")

    def after(self, kind: type[T], start: T) -> T:
        """Where the cursor says to go on, `start` without one."""
        cursor = self.request.query_params.get("cursor", "")
        if not cursor:
            return start
        try:
            place, value = json.loads(base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
        except (ValueError, UnicodeError, RecursionError, TypeError):
            place, value = "", None
        if place != self.request.url.path or type(value) is not kind:
            raise problems.Failure("bad_cursor", "begin again without a cursor")
        made: T = value
        return made

    def page(self, items: list[Any], next_value: int | str | None) -> Response:
        """Part of a list, with the way to the next."""
        if next_value is None:
            return self.answer({"items": items, "next_cursor": None})
        place = json.dumps([self.request.url.path, next_value]).encode()
        cursor = base64.urlsafe_b64encode(place).decode().rstrip("=")
        query = {**self.request.query_params, "cursor": cursor}
        link = f'<{self.request.url.path}?{urllib.parse.urlencode(query)}>; rel="next"'
        return self.answer({"items": items, "next_cursor": cursor}, headers={"Link": link})

    def named_page(self, found: list[tuple[Any, Any]], limit: int, kind: type[Any], start: Any) -> Response:
        """Part of a whole list of (key, body) in order of their keys."""
        after = self.after(kind, start)
        left = [(key, body) for key, body in found if key > after]
        return self.page(
            [body for _, body in left[:limit]], left[limit - 1][0] if len(left) > limit else None
        )


def _tag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def _tags(header: str) -> list[str]:
    return [tag.strip() for tag in header.split(",")]


# Who may call what


async def known_caller(request: Request) -> Call:
    """Find out who asks. Nobody is answered 401, whatever they asked for."""
    forebay: Forebay = request.app.state.forebay
    presented = auth.bearer(request.headers.get("authorization", ""))
    try:
        principal = forebay.tokens.principal(presented) if presented else None
    except auth.AuthError as error:
        raise problems.Failure("unavailable", str(error)) from None
    if principal is None:
        raise problems.Failure("unauthorized", "a valid token is needed: 'Authorization: Bearer ...'")
    return Call(request, forebay, principal)


Caller = Annotated[Call, Depends(known_caller)]


def _only(roles: frozenset[ids.Role]) -> Callable[[Call], Awaitable[None]]:
    async def check(call: Caller) -> None:
        if call.principal.role not in roles:
            raise problems.Failure("forbidden", f"this is not for the role {call.principal.role}")

    return check


Handler = Callable[..., Awaitable[Response]]
OPERATOR = frozenset({ids.Role.OPERATOR})
BOOKS = frozenset({ids.Role.OPERATOR, ids.Role.FINANCE})
WORK = frozenset({ids.Role.OPERATOR, ids.Role.TENANT})
EVERYBODY = frozenset({ids.Role.OPERATOR, ids.Role.FINANCE, ids.Role.TENANT})
NOBODY_ASKED: frozenset[ids.Role] = frozenset()


def address(
    router: APIRouter,
    method: str,
    path: str,
    roles: Iterable[ids.Role],
    gives: type,
    *,
    status: int = 200,
    takes: type | str = "",
) -> Callable[[Handler], Handler]:
    """Serve an address for these roles; for no role at all, to anybody. `gives` and `takes` are its bodies.

    `takes` is a type, or the name of a kind of document.
    """
    allowed = frozenset(roles)

    def register(handler: Handler) -> Handler:
        router.add_api_route(
            path,
            handler,
            methods=[method],
            status_code=status,
            response_class=Response,
            dependencies=[Depends(_only(allowed))] if allowed else [],
            openapi_extra={"x-roles": sorted(allowed), "x-gives": gives.__name__, "x-takes": _name(takes)},
            name=handler.__name__,
        )
        return handler

    return register


def _name(takes: type | str) -> str:
    return takes if isinstance(takes, str) else takes.__name__
