"""What is paid ahead, over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from forebay.core import ids, money
from forebay.core.money import prepaid
from forebay.core.world import World
from forebay.server import amounts, posted, prepaid_bodies, sight
from forebay.server.calls import BOOKS, EVERYBODY, Caller, address

router = APIRouter()


@address(router, "GET", "/v1/prepayments", EVERYBODY, prepaid_bodies.AheadBody)
async def list_prepayments(call: Caller, contract: str = "") -> Response:
    """Prepayments and deposits by contract: asked for, paid, drawn, returned and left. A tenant sees its own."""
    items = await call.read(lambda world: _pools(world, call.principal, contract))
    told: prepaid_bodies.AheadBody = {"items": items}
    return call.answer(told)


@address(
    router, "POST", "/v1/contracts/{name}/refund", BOOKS, prepaid_bodies.ReturnAnswer,
    takes=prepaid_bodies.PostedReturn,
)  # fmt: skip
async def post_refund(call: Caller, name: str) -> Response:
    """What a contract that is over paid ahead, and did not draw, goes back."""
    given = await call.posted(prepaid_bodies.PostedReturn)
    posted.refuse_long(given.reference, "reference")
    if given.what not in tuple(money.Advance):
        raise posted.wrong("what", f"{given.what!r} is neither prepayment nor deposit")
    command = money.ReturnAhead(ids.ContractId(name), money.Advance(given.what), given.reference.strip())
    answer = await call.decided(command)
    told: prepaid_bodies.ReturnAnswer = {
        "contract": answer["contract"],
        "returned": amounts.exact(answer["returned_micros"], answer["currency"]),
        "kept": amounts.exact(answer["kept_micros"], answer["currency"]),
    }
    return call.answer(told)


def _pools(world: World, principal: ids.Principal, contract: str) -> list[prepaid_bodies.AheadPool]:
    own = world.state.money
    found: list[prepaid_bodies.AheadPool] = []
    for (name, what), pool in sorted(own.ahead.pools.items()):
        if not sight.owns(principal, pool.tenant) or contract not in ("", name):
            continue
        currency = pool.currency
        asked = pool.requested_micros - pool.credited_micros
        unpaid = prepaid.unpaid_micros(own.receivables, pool)
        found.append(
            {
                "contract": name,
                "tenant": pool.tenant,
                "what": what.value,
                "opened": amounts.exact(pool.opened_micros, currency),
                "requested": amounts.exact(asked, currency),
                "paid": amounts.exact(pool.opened_micros + asked - unpaid, currency),
                "drawn": amounts.exact(pool.drawn_micros, currency),
                "returned": amounts.exact(pool.returned_micros, currency),
                "kept": amounts.exact(pool.kept_micros, currency),
                "left": amounts.exact(prepaid.left_micros(own.receivables, pool), currency),
                "requests": [
                    {
                        "invoice": each.invoice,
                        "amount": amounts.exact(each.amount_micros, currency),
                        "open": amounts.exact(
                            prepaid.request_open_micros(own.receivables, pool, each), currency
                        ),
                    }
                    for each in pool.requested
                ],
            }
        )
    return found
