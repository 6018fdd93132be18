"""Work starts where its data is; where it is nowhere, it is copied first, for a price."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forebay.core import claims, ids, supply
from forebay.core.placements import datasets
from forebay.core.placements.gang import GangPlaced, SubmitArray, SubmitGang, Tier
from forebay.core.supply.storage import (
    ApplyStorage,
    CopyFinished,
    CopyStarted,
    Dataset,
    SiteLink,
    StoragePlan,
    StoragePool,
)
from forebay.core.timeline import Due
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


def test_pools_that_gangs_write_checkpoints_to_stay() -> None:
    driver = two_sites()
    driver.ask(storage(1))
    driver.submit("acme.done", 8, checkpoint_store=ids.PoolId("s1"))
    driver.start("acme.done")
    driver.end("acme.done")
    driver.submit("acme.g", 8, checkpoint_store=ids.PoolId("n1"))
    driver.submit("acme.h", 8, checkpoint_store=ids.PoolId("any"))
    (north, south) = storage().plan.pools
    for name, pools in (
        ("n1", (south,)),
        ("n1", (replace(north, site=south.site), south)),
        ("any", (north,)),
    ):
        refusal = driver.refused(ApplyStorage(StoragePlan(2, "EUR", pools)))
        assert refusal.code == "dataset_in_use"
        assert f"writes checkpoints to storage pool {name}: it stays" in refusal.detail
    driver.ask(ApplyStorage(StoragePlan(2, "EUR", (replace(north, capacity_bytes=TB), south))))


def test_an_array_brings_its_data_once() -> None:
    driver = two_sites()
    driver.ask(storage(1, data()))
    asked = plant.spec("acme.a", 8, **reads("web", sites=(ids.SiteId("south"),)))
    driver.ask(SubmitArray(asked, (0, 1, 2), 2))
    assert driver.count(CopyStarted) == 1
    assert driver.phases("acme.a.0", "acme.a.1", "acme.a.2") == ["pending"] * 3
    driver.later(8000)
    assert driver.phases("acme.a.0", "acme.a.1", "acme.a.2") == ["placed", "placed", "pending"]


def test_who_is_cancelled_while_its_data_comes_is_forgotten() -> None:
    driver = two_sites()
    driver.ask(storage(1, data()))
    driver.submit("acme.g", 8, **reads("web", sites=(ids.SiteId("south"),)))
    driver.submit("acme.h", 8, **reads("web", sites=(ids.SiteId("south"),)))
    driver.cancel("acme.g")
    driver.later(8000)
    assert driver.phases("acme.g", "acme.h") == ["ended", "placed"]
    assert not driver.world.placed.awaiting


def test_what_is_due_before_a_copy_comes_first() -> None:
    driver = two_sites()
    driver.ask(storage(1, data()))
    driver.submit("acme.g", 8, **reads("web", sites=(ids.SiteId("south"),)))
    copy = driver.last(CopyStarted)
    for other, told in ((copy.end_at, "timer"), (copy.end_at + 1, "copy")):
        due = datasets.copy_due(driver.world.state.supply, Due(other, "timer", "", 0))
        assert due is not None
        assert due.what == told


def test_storage_stays_as_it_is_while_copies_are_on_their_way() -> None:
    driver = two_sites()
    driver.ask(storage(1, data()))
    driver.submit("acme.g", 8, **reads("web", sites=(ids.SiteId("south"),)))
    refusal = driver.refused(storage(2, data()))
    assert (refusal.code, refusal.field) == ("dataset_in_use", "datasets")
    driver.later(8000)
    driver.ask(storage(2, data("web", 40 * TB, "n1", "s1")))


def test_nobody_borrows_where_its_data_is_not() -> None:
    """The south is all lent out, the north is full: whose data is in the north waits."""
    driver = two_sites()
    own = plant.tranche("t9", 1, site="south", lending=plant.LENT)
    driver.ask(claims.SignContract(plant.contract("c9", "bravo", own)))
    driver.ask(storage(1, data()))
    driver.run("acme.full", 64)
    spot: dict[str, Any] = {"tier": Tier.SPOT, "grace_s": 60}
    driver.submit("acme.stays", 8, **reads("web"), **spot)
    driver.submit("acme.borrows", 8, **spot)
    assert driver.phases("acme.stays", "acme.borrows") == ["pending", "placed"]
    assert driver.gang("acme.borrows").lender == "t9"


def test_work_where_its_data_is_not_is_told() -> None:
    driver = two_sites()
    driver.ask(storage(1, data()))
    driver.run("acme.g", 8, **reads("web"))
    state = driver.world.state
    assert not list(datasets.check_data(state.placements.gangs, state.supply, state.claims))
    elsewhere = state.supply.fork()
    elsewhere.storage.copies[ids.DatasetId("web")] = (ids.PoolId("s1"),)
    assert list(datasets.check_data(state.placements.gangs, elsewhere, state.claims)) == [
        "gang acme.g is at north, where its data is not, or may not be"
    ]
