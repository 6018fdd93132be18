"""Why is it as it is? One address for whatever has a name."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from forebay.core.world import World
from forebay.server import explaining, problems
from forebay.server.calls import WORK, Caller, address
from forebay.server.explaining_bodies import Explanation

router = APIRouter()


@address(router, "GET", "/v1/explain", WORK, Explanation)
async def explain_name(call: Caller, name: Annotated[str, Query(max_length=200)], kind: str = "") -> Response:
    """Why a gang, an array, a project, a node or a campaign is as it is. Where several have the name, `kind` says
    which; a project is also called `tenant/project`."""
    if kind and kind not in explaining.KINDS:
        told = f"kind is {kind}; {', '.join(explaining.KINDS)} are meant"
        raise problems.Failure("bad_parameter", told)

    def ask(world: World) -> Explanation | list[explaining.Named]:
        known = [each for each in explaining.called(world, call.principal, name) if kind in ("", each.kind)]
        return explaining.explained(world, call.principal, known[0]) if len(known) == 1 else known

    found = await call.read(ask)
    if isinstance(found, dict):
        return call.answer(found)
    if not found:
        told = (
            f"there is no {kind} {name}" if kind else f"there is nothing called {name} that can be explained"
        )
        raise problems.Failure("not_found", told)
    several = ", ".join(f"{each.kind} {each.name}" for each in found)
    raise problems.Failure("ambiguous_name", f"several are called {name}: {several}")
