"""Work starts where its data is; where it is nowhere, it is copied first, for a price."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core import ids, supply
from forebay.core.placements.gang import GangPlaced, SubmitGang
from forebay.core.supply.storage import (
    ApplyStorage,
    CopyFinished,
    CopyStarted,
    Dataset,
    SiteLink,
    StoragePlan,
    StoragePool,
)
from tests.core import plant
from tests.core.plant import Driver

TB = 10**12


def storage(version: int = 1, *datasets: Dataset, room: int = 100 * TB) -> ApplyStorage:
    north, south = ids.SiteId("north"), ids.SiteId("south")
    pools = (
        StoragePool(ids.PoolId("n1"), north, "nvme", 100 * TB),
        StoragePool(ids.PoolId("s1"), south, "nvme", room),
    )
    links = (SiteLink(north, south, 5 * 10**9, 80_000),)
    return ApplyStorage(StoragePlan(version, "EUR", pools, links, datasets))


def data(
    name: str = "web", size: int = 40 * TB, *copies: str, residency: tuple[str, ...] = (), of: str = ""
) -> Dataset:
    held = tuple(map(ids.PoolId, copies or ("n1",)))
    return Dataset(ids.DatasetId(name), size, held, residency, ids.TenantId(of))


def two_sites() -> Driver:
    driver = plant.plant()
    hall = plant.hall("south-h1", plant.rack("s-r1", on="f9"))
    driver.ask(supply.ApplySite(plant.site("south", [plant.feed("f9")], [hall])))
    return driver


def reads(*names: str, **terms: Any) -> dict[str, Any]:
    return {"datasets": tuple(map(ids.DatasetId, names)), **terms}


def test_it_goes_where_its_data_is_and_nothing_is_copied() -> None:
    driver = two_sites()
    driver.ask(storage(1, data("web", TB, "s1")))
    driver.submit("acme.g", 8, **reads("web"))
    assert driver.gang("acme.g").site == "south"
    assert not driver.count(CopyStarted)


def test_what_is_missing_is_copied_first_and_then_it_is_placed_there() -> None:
    driver = two_sites()
    driver.ask(storage(1, data()))
    driver.submit("acme.g", 8, **reads("web", sites=(ids.SiteId("south"),)))
    copy = driver.last(CopyStarted)
    # 40 TB at 5 GB a second, and 40,000 GB at 0.08 a GB.
    assert (copy.end_at - copy.start_at, copy.price_micros) == (8000 * 10**6, 3_200 * 10**6)
    assert driver.phase("acme.g") == "pending"
    driver.later(7999)
    assert not driver.count(GangPlaced)
    driver.later(1)
    assert driver.count(CopyFinished) == 1
    assert driver.gang("acme.g").site == "south"


def test_explain_says_what_is_copied_and_what_another_site_would_cost() -> None:
    driver = two_sites()
    driver.ask(storage(1, data()))
    driver.submit("acme.wait", 8, **reads("web", sites=(ids.SiteId("south"),)))
    told = driver.world.explain(ids.GangId("acme.wait"), plant.OPERATOR)
    assert not isinstance(told, ids.Refusal)
    assert told["constraint"]["code"] == "data"
    assert told["summary"] == (
        "Data: 1 dataset (40 TB) is copied from north to south until 2026-01-01T02:13:20Z, for 3200.00 EUR."
    )
    driver.submit("acme.full", 64, **reads("web"))
    driver.submit("acme.next", 8, **reads("web"))
    told = driver.world.explain(ids.GangId("acme.next"), plant.OPERATOR)
    assert not isinstance(told, ids.Refusal)
    assert "Its data is at north: it starts only there." in told["facts"]


def test_what_another_site_would_cost() -> None:
    driver = two_sites()
    driver.ask(storage(1, data()))
    driver.submit("acme.full", 64, **reads("web"))
    driver.submit("acme.next", 8, **reads("web"))
    told = driver.world.explain(ids.GangId("acme.next"), plant.OPERATOR)
    assert not isinstance(told, ids.Refusal)
    assert "To run at south, 40 TB would have to be copied from north: 8000 s, 3200.00 EUR." in told["facts"]


def test_a_link_carries_one_copy_at_a_time_and_one_on_its_way_serves_all() -> None:
    driver = two_sites()
    driver.ask(storage(1, data("a", TB), data("b", TB)))
    south = (ids.SiteId("south"),)
    driver.submit("acme.both", 8, **reads("a", "b", sites=south))
    driver.submit("acme.again", 8, **reads("a", sites=south))
    copies = [event for _, event in driver.events if isinstance(event, CopyStarted)]
    assert [(each.start_at - plant.T0, each.end_at - plant.T0) for each in copies] == [
        (0, 200 * 10**6),
        (200 * 10**6, 400 * 10**6),
    ]
    driver.later(200)
    assert driver.phases("acme.both", "acme.again") == ["pending", "placed"]
    driver.later(200)
    assert driver.phases("acme.both", "acme.again") == ["placed", "placed"]


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        (reads(*(f"d{n}" for n in range(101))), "bad_quantity"),
        (reads("none"), "unknown_dataset"),
        (reads("others"), "unknown_dataset"),
        (reads("web", "web"), "duplicate_id"),
        ({"checkpoint_store": ids.PoolId("none")}, "unknown_pool"),
        (reads("home", sites=(ids.SiteId("south"),)), "outside_residency"),
        (reads("home", checkpoint_store=ids.PoolId("s1")), "outside_residency"),
        (reads("southern", sites=(ids.SiteId("north"),)), "no_link"),
        (reads("large", sites=(ids.SiteId("south"),)), "pool_full"),
    ],
)
def test_a_gang_is_refused(terms: dict[str, Any], code: str) -> None:
    driver = two_sites()
    driver.ask(
        storage(
            1, data(), data("others", 1, of="bravo"), data("home", 1, residency=("north",)),
            data("southern", 1, "s1"), data("large", 55 * TB), room=50 * TB,
        )
    )  # fmt: skip
    refusal = driver.refused(plant_submit(**terms))
    assert refusal.code == code, refusal


def plant_submit(**terms: Any) -> ids.Command:
    return SubmitGang(plant.spec("acme.g", 8, **terms))


def test_checkpoints_go_to_a_pool_at_its_site() -> None:
    driver = two_sites()
    driver.ask(storage(1))
    driver.submit("acme.g", 8, checkpoint_store=ids.PoolId("s1"))
    driver.submit("acme.h", 8, checkpoint_store=ids.PoolId("any"))
    assert (driver.gang("acme.g").site, driver.gang("acme.h").site) == ("south", "north")


def test_what_gangs_read_stays() -> None:
    driver = two_sites()
    driver.ask(storage(1, data("web", TB)))
    driver.submit("acme.g", 8, **reads("web"))
    assert driver.refused(storage(2)).code == "dataset_in_use"
    assert driver.ask(storage(1, data("web", TB)))["changed"] is False
    driver.ask(storage(2, data("web", TB, "n1", "s1")))
