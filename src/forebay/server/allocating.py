"""What is there to share out by hand, and who is to go short of it? From what an operator says to what is recorded.

More may be promised of a stock than there will be in several stretches of time. Who says no dates means all of them,
as far as the term of the tranche reaches. The World checks that it adds up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from forebay.core import claims, supply
from forebay.core.claims import quotes
from forebay.core.claims.calendar import Stock
from forebay.core.ids import Principal, TrancheId
from forebay.core.timeline import INSTANT_MAX, Interval
from forebay.core.world import World
from forebay.server import amounts, shortfall_bodies, sight

Parts = list[tuple[Interval, int]]


def to_share(world: World, stock: Stock) -> Parts:
    """Stretches of time that are not over in which more is promised than there will be, and by how many nodes."""
    calendar, confidence = world.calendar, world.state.claims.policy.confidence
    left = calendar.supply(stock, confidence).minus(calendar.committed(stock))
    ends = [*left.starts[1:], INSTANT_MAX]
    stretches = zip(left.starts, ends, left.values, strict=True)
    return [
        (Interval(start, end), -nodes) for start, end, nodes in stretches if nodes < 0 and end > world.now
    ]


def stocks_short(world: World) -> list[shortfall_bodies.ShortStock]:
    """Every stock of which more is promised than there will be."""
    found: list[shortfall_bodies.ShortStock] = []
    for stock in world.calendar.stocks():
        parts = to_share(world, stock)
        sku = world.state.supply.skus[stock.sku]
        if parts:
            found.append(
                {
                    "site": stock.site,
                    "sku": stock.sku,
                    "nodes_per_rack": sku.nodes_per_rack,
                    "parts": [
                        {
                            "start": amounts.when(max(when.start, world.now)),
                            "end": amounts.when(when.end) if when.end < INSTANT_MAX else None,
                            "nodes": nodes,
                            "gpus": nodes * sku.gpus_per_node,
                        }
                        for when, nodes in parts
                    ],
                    "by_hand": world.state.claims.by_hand.get(stock),
                    "unallocated": [
                        {
                            "start": amounts.when(max(each.start_at, world.now)),
                            "end": amounts.when(each.end_at) if each.end_at < INSTANT_MAX else None,
                            "nodes": each.nodes,
                            "gpus": each.nodes * sku.gpus_per_node,
                        }
                        for each in world.state.claims.unallocated.get(stock, ())
                        if each.end_at > world.now
                    ],
                }
            )
    return found


def decided_by(world: World, risk: quotes.Risk, principal: Principal) -> shortfall_bodies.DecidedBy:
    """What decides how much a tranche goes short, as far as one may know it."""
    claimed = world.state.claims
    found = claims.shortfall.decided(claimed, claimed.tranches[risk.tranche], risk.parts)
    return {
        "clauses": [
            {"contract": contract, "clause": clause}
            if sight.owns(principal, claimed.contracts[contract].tenant)
            else {"contract": "", "clause": ""}
            for contract, clause in found.clauses
        ],
        "policy": found.by_policy,
    }


def shorts_meant(
    world: World,
    stock: Stock,
    shares: Sequence[shortfall_bodies.PostedShare],
    instant: Callable[[str, str], int],
) -> tuple[claims.Short, ...]:
    """The shares as they are recorded. `instant` reads a date of a field."""
    found = []
    for place, share in enumerate(shares):
        nodes = share.nodes + share.racks * _per_rack(world.state.supply, stock)
        if share.start or share.end:
            dates = [instant(getattr(share, name), f"shares[{place}].{name}") for name in ("start", "end")]
            stretches = [Interval(dates[0], dates[1])]
        else:
            stretches = _whenever(world, stock, TrancheId(share.tranche))
        found += [
            claims.Short(TrancheId(share.tranche), nodes, when.start, when.end) for when in stretches if nodes
        ]
    return tuple(found)


def _per_rack(supplied: supply.State, stock: Stock) -> int:
    return supplied.skus[stock.sku].nodes_per_rack if stock.sku in supplied.skus else 1


def _whenever(world: World, stock: Stock, name: TrancheId) -> list[Interval]:
    """All stretches in which there is something to share and the term of the tranche runs, neighbours as one; the
    term itself where there is none, which is then refused.
    """
    tranche = world.state.claims.tranches.get(name)
    term = claims.term(tranche.plan) if tranche else Interval(0, INSTANT_MAX)
    found: list[Interval] = []
    for when, _ in to_share(world, stock):
        start, end = max(when.start, term.start), min(when.end, term.end)
        if found and found[-1].end == start < end:
            found[-1] = Interval(found[-1].start, end)
        elif start < end:
            found.append(Interval(start, end))
    return found or [term]
