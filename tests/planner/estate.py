"""A site of some rows on some feeds to plan on: its racks have four nodes of eight GPUs."""

from __future__ import annotations

from typing import Any

from forebay.core import claims, supply
from forebay.core.claims.calendar import Stock
from forebay.core.ids import SiteId, SkuId, TrancheId
from forebay.core.units import DAY_US
from tests.core import plant
from tests.core.plant import T0, Driver, contract, feed, hall, rack, site, sku, tranche

STOCK = Stock(SiteId("north"), SkuId("hgx"))
LATER = {"start_at": T0 + 30 * DAY_US, "end_at": T0 + 60 * DAY_US}


def rows(*of: int, feeds: int = 2, nodes: int = 0) -> supply.SitePlan:
    """A site with so many racks in each row; rows take turns on the feeds."""
    made = [
        rack(f"r{row}-{place}", on=f"f{row % feeds}", row=f"row{row}", nodes=nodes)
        for row, count in enumerate(of)
        for place in range(count)
    ]
    return site(feeds=[feed(f"f{place}", 10**7) for place in range(feeds)], halls=[hall("h1", *made)])


def estate(*tranches: claims.TranchePlan, at: supply.SitePlan | None = None, **more: Any) -> Driver:
    """acme has the tranches; bravo runs on demand and on spot."""
    signed = [contract(f"c-{each.id}", "acme", each) for each in tranches]
    return plant.plant(*signed, contract("c-bravo", "bravo"), sites=[at or rows(4, 4, 4, 4)], **more)


def runs(driver: Driver, name: str = "t1") -> tuple[tuple[int, int], ...]:
    return driver.world.state.claims.tranches[TrancheId(name)].runs


__all__ = ["LATER", "STOCK", "Driver", "contract", "estate", "rows", "runs", "sku", "tranche"]
