"""Does an inspector notice? True events are read as they are, then with one decision that was made wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forebay.core import ids
from forebay.core.placements.gang import GangPlaced, Level, Run
from forebay.core.supply.storage import ApplyStorage, Dataset, SiteLink, StoragePlan, StoragePool
from tests.core import inspector, plant
from tests.core.plant import Driver

INSPECTORS = (inspector.AsShaped, inspector.WithData)


def two_sites() -> Driver:
    """Three racks under two spines in the north, of two nodes of eight GPUs each, and one rack in the south."""
    spines = (("r1", "a"), ("r2", "a"), ("r3", "b"))
    north = plant.hall("h1", *(plant.rack(name, on="f", spine=spine) for name, spine in spines))
    south = plant.hall("h2", plant.rack("r4", on="g"))
    sites = (
        plant.site("north", [plant.feed("f")], [north]),
        plant.site("south", [plant.feed("g")], [south]),
    )
    skus = (plant.sku(nodes_per_rack=2, healthy_nodes_min=2),)
    driver = plant.plant(plant.contract("c1", "acme"), sites=sites, skus=skus)
    driver.ask(storage())
    return driver


def storage() -> ApplyStorage:
    """A pool at each site; what is read lies in the north."""
    north, south, pool = ids.SiteId("north"), ids.SiteId("south"), ids.PoolId("n1")
    pools = StoragePool(pool, north, "nvme", 10**12), StoragePool(ids.PoolId("s1"), south, "nvme", 10**12)
    web = Dataset(ids.DatasetId("web"), 10**11, (pool,))
    return ApplyStorage(StoragePlan(1, "EUR", pools, (SiteLink(north, south, 10**9),), (web,)))


def before(driver: Driver) -> tuple[inspector.Facts, GangPlaced]:
    """What was so when the gang was placed, and that it was."""
    facts = inspector.Facts()
    for at, event in driver.events:
        if isinstance(event, GangPlaced):
            return facts, event
        facts.take(event, at)
    raise AssertionError("nobody is placed")


def wrong(driver: Driver, runs: tuple[Run, ...]) -> list[str]:
    """What is said of the events as they are (nothing), and of the same with the gang put elsewhere."""
    facts, placed = before(driver)
    for each in INSPECTORS:
        assert [*each().decided(facts, placed, driver.at)] == []
    elsewhere = replace(placed, runs=runs)
    return [said for each in INSPECTORS for said in each().decided(facts, elsewhere, driver.at)]


def whole(*nodes: int) -> tuple[Run, ...]:
    return tuple(Run(node, 1, 0xFF) for node in nodes)


@pytest.mark.parametrize(
    ("gpus", "within", "slice_gpus", "runs", "said"),
    [
        (16, Level.RACK, 0, whole(0, 2), "within one rack, and is in ['r1', 'r2']"),
        (32, Level.BLOCK, 0, whole(0, 1, 4, 5), "within one block, and is in ['spine h1/a', 'spine h1/b']"),
        (48, Level.HALL, 0, whole(0, 1, 2, 3, 6, 7), "within one hall, and is in ['h1', 'h2']"),
        (8, Level.SITE, 0, (Run(0, 2, 0x0F),), "takes parts of nodes: {0: 4, 1: 4}"),
        (12, Level.SITE, 0, (Run(0, 2, 0x3F),), "takes parts of nodes: {0: 6, 1: 6}"),
        (32, Level.SITE, 16, whole(0, 1, 2, 4), "has 8 GPUs in r2, which is no multiple of 16"),
    ],
)
def test_who_is_not_placed_in_the_shape_that_it_asked_for(
    gpus: int, within: Level, slice_gpus: int, runs: tuple[Run, ...], said: str
) -> None:
    driver = two_sites()
    driver.submit("acme.g", gpus, within=within, slice_gpus=slice_gpus)
    assert said in wrong(driver, runs)[0]


@pytest.mark.parametrize(
    ("terms", "runs", "said"),
    [
        ({"datasets": (ids.DatasetId("web"),)}, whole(6), "starts at south, where web is not"),
        ({"checkpoint_store": ids.PoolId("s1")}, whole(0), "starts at north, where s1 is not"),
    ],
)
def test_who_starts_where_its_data_is_not(terms: dict[str, Any], runs: tuple[Run, ...], said: str) -> None:
    driver = two_sites()
    driver.submit("acme.g", 8, **terms)
    assert said in wrong(driver, runs)[0]


def test_who_keeps_checkpoints_where_no_storage_is() -> None:
    """With `any` pool, a site needs one."""
    driver = two_sites()
    driver.submit("acme.g", 8, checkpoint_store=ids.PoolId("any"))
    facts, placed = before(driver)
    assert [*inspector.WithData().decided(facts, placed, driver.at)] == []
    del facts.stores["n1"]
    assert "where no storage is" in next(inspector.WithData().decided(facts, placed, driver.at))
