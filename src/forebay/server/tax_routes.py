"""Taxes of accounts, over HTTP. They are applied as documents."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from forebay.core import money
from forebay.core.ids import Principal
from forebay.core.world import World
from forebay.server import amounts, sight, tax_bodies
from forebay.server.calls import EVERYBODY, Caller, address

router = APIRouter()


@address(router, "GET", "/v1/taxes", EVERYBODY, tax_bodies.TaxesBody)
async def show_taxes(call: Caller) -> Response:
    """The taxes of every account that has some. A tenant sees its own."""
    now = call.forebay.clock.now()
    return call.answer(await call.read(lambda world: taxes_body(world, call.principal, now)))


def taxes_body(world: World, principal: Principal, at: int) -> tax_bodies.TaxesBody:
    """What a principal may see of taxes."""
    items: list[tax_bodies.AccountTaxes] = []
    for account, rates in sorted(world.state.money.taxes.items()):
        if not sight.owns(principal, account):
            continue
        held = money.rates_at(rates, at)
        items.append(
            {
                "account": account,
                "rates": [
                    {
                        "jurisdiction": rate.jurisdiction,
                        "rate_ppm": rate.rate_ppm,
                        "start": amounts.when(rate.from_at),
                        "reverse_charge": rate.reverse_charge,
                        "number": rate.number,
                        "evidence": rate.evidence,
                        "in_force": rate in held,
                    }
                    for rate in rates
                ],
            }
        )
    return {"items": items}
