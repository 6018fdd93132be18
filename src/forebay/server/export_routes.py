"""Exports over HTTP: the datasets of FOCUS as CSV, sent while they are made; and what capacity cost, grouped."""

from __future__ import annotations

import asyncio
import itertools

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from forebay.core.world import World
from forebay.exports import tabular
from forebay.exports.focus_columns import FocusDataset
from forebay.loop import ports
from forebay.server import cost_bodies, costs, focusing, packs, problems
from forebay.server.calls import BOOKS, EVERYBODY, Caller, address

router = APIRouter()


@address(router, "GET", "/v1/costs", EVERYBODY, cost_bodies.CostsBody)
async def show_costs(call: Caller, by: str = "tenant", period: str = "", tenant: str = "") -> Response:
    """What was invoiced, grouped `by` tenant, contract, claim, class, site, sku, project, user, month, or several."""
    focusing.check_month(period)
    groups = tuple(each.strip() for each in by.split(","))
    for each in groups:
        if each not in costs.GROUPS or groups.count(each) > 1:
            told = f"by: {each!r} is not one of {', '.join(costs.GROUPS)}, each once"
            raise problems.Failure("bad_parameter", told, errors=[{"pointer": "/by", "detail": told}])
    uncounted = await call.glance(costs.uncounted_now)
    try:
        body = await asyncio.to_thread(
            costs.costs_of,
            call.forebay.journal,
            call.forebay.replay.codec,
            call.principal,
            groups,
            period,
            tenant,
            uncounted,
        )
    except ports.JournalError as error:
        raise problems.Failure("unavailable", f"the journal cannot be read: {error}") from None
    return call.answer(body)


@address(router, "GET", "/v1/exports/focus/{dataset}", EVERYBODY, str)
async def export_focus(call: Caller, dataset: str, period: str = "", tenant: str = "") -> Response:
    """A dataset of FOCUS 1.4 as CSV (`text/csv`): of a month, of a tenant, or of all that there is."""
    if dataset not in tuple(FocusDataset):
        raise problems.Failure(
            "not_found",
            f"there is no dataset {dataset}; there are {', '.join(each.value for each in FocusDataset)}",
        )
    wanted = FocusDataset(dataset)

    def select(world: World) -> focusing.Selection | problems.Failure:
        try:
            return focusing.select(world, call.principal, wanted, period, tenant)
        except problems.Failure as failure:  # a reader must not raise on the follower's thread
            return failure

    chosen = await call.read(select)
    if isinstance(chosen, problems.Failure):
        raise chosen
    rows = focusing.rows(call.forebay.journal, call.forebay.replay.codec, chosen)
    pieces = tabular.csv_pieces(wanted, rows)
    try:
        # What cannot be read at all is told before the answer begins; what breaks later breaks the answer off.
        first = await asyncio.to_thread(next, pieces)
    except ports.JournalError as error:
        raise problems.Failure("unavailable", f"the journal cannot be read: {error}") from None
    return StreamingResponse(
        itertools.chain([first], pieces),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{dataset}.csv"'},
    )


@address(router, "GET", "/v1/exports/close/{table}", BOOKS, str)
async def export_close(call: Caller, table: str, period: str = "") -> Response:
    """A table of the pack for a closed month as CSV: `entries`, `balances`, `revenue`, `obligations`, `expected`."""
    focusing.check_month(period)
    if table not in packs.HEADERS:
        raise problems.Failure(
            "not_found", f"there is no table {table}; there are {', '.join(packs.HEADERS)}"
        )
    left, now, void = await call.read(
        lambda world: (packs.signed_now(world), world.now, frozenset(world.state.money.credits.voided))
    )
    try:
        made = await asyncio.to_thread(
            packs.pack_table, call.forebay.journal, call.forebay.replay.codec, table, period, left, now, void
        )
    except ports.JournalError as error:
        raise problems.Failure("unavailable", f"the journal cannot be read: {error}") from None
    return Response(
        made, media_type="text/csv", headers={"Content-Disposition": f'attachment; filename="{table}.csv"'}
    )
