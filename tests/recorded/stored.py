"""The part of the story in which data is copied before work that reads it starts."""

from __future__ import annotations

from forebay.core import ids, supply
from forebay.core.supply.storage import (
    ApplyStorage,
    Dataset,
    SiteLink,
    StoragePlan,
    StoragePool,
)
from tests.core import plant
from tests.core.plant import Driver


def bring_data(driver: Driver) -> None:
    """What a gang reads lies at a new site, from where it is copied."""
    driver.ask(supply.ApplySite(plant.site("vault", [plant.feed("v-f1")], [plant.hall("v-h1")])))
    north, vault = ids.SiteId("north"), ids.SiteId("vault")
    pools = (
        StoragePool(ids.PoolId("n-pool"), north, "nvme", 10**13),
        StoragePool(ids.PoolId("v-pool"), vault, "object", 10**14),
    )
    web = Dataset(ids.DatasetId("web"), 10**12, (ids.PoolId("v-pool"),), ("FI",), ids.TenantId("bravo"))
    links = (SiteLink(vault, north, 10**10, 80_000),)
    driver.ask(ApplyStorage(StoragePlan(1, "EUR", pools, links, (web,))))
    driver.submit(
        "bravo.reads", 1, tenant="bravo", datasets=(web.id,), checkpoint_store=ids.PoolId("any"),
        sites=(north,), walltime_s=600,
    )  # fmt: skip
    driver.later(100)
    driver.cancel("bravo.reads")
    if driver.phase("bravo.reads") == "stopping":
        driver.end("bravo.reads")
