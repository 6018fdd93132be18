"""A document of storage is refused, in the documented order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forebay.core import ids
from forebay.core.supply.storage import (
    ENTRIES_MAX,
    Dataset,
    SiteLink,
    StorageBook,
    StoragePlan,
    StoragePool,
    check_storage,
    refuse_storage,
)

NORTH, SOUTH = ids.SiteId("north"), ids.SiteId("south")
COUNTRIES = {NORTH: "FI", SOUTH: "US"}
N1, S1 = StoragePool(ids.PoolId("n1"), NORTH, "nvme", 100), StoragePool(ids.PoolId("s1"), SOUTH, "nvme", 100)
LINK = SiteLink(NORTH, SOUTH, 10)
WEB = Dataset(ids.DatasetId("web"), 60, (N1.id,), ("FI",))
PLAN = StoragePlan(2, "EUR", (N1, S1), (LINK,), (WEB,))


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        (replace(PLAN, version=1), "storage_version"),
        (replace(PLAN, links=(LINK,) * (ENTRIES_MAX + 1)), "bad_quantity"),
        (replace(PLAN, pools=(replace(N1, id=ids.PoolId("?")),)), "bad_id"),
        (replace(PLAN, pools=(N1, N1)), "duplicate_id"),
        (replace(PLAN, pools=(replace(N1, site=ids.SiteId("east")),)), "unknown_site"),
        (replace(PLAN, pools=(replace(N1, capacity_bytes=0),)), "bad_quantity"),
        (replace(PLAN, links=(replace(LINK, target=ids.SiteId("east")),)), "unknown_site"),
        (replace(PLAN, links=(LINK, LINK)), "bad_link"),
        (replace(PLAN, links=(replace(LINK, target=NORTH),)), "bad_link"),
        (replace(PLAN, links=(replace(LINK, bytes_per_s=0),)), "bad_quantity"),
        (replace(PLAN, datasets=(replace(WEB, id=ids.DatasetId("?")),)), "bad_id"),
        (replace(PLAN, datasets=(WEB, WEB)), "duplicate_id"),
        (replace(PLAN, datasets=(replace(WEB, copies=()),)), "bad_quantity"),
        (replace(PLAN, datasets=(replace(WEB, copies=(ids.PoolId("x"),)),)), "unknown_pool"),
        (replace(PLAN, datasets=(replace(WEB, copies=(S1.id,)),)), "outside_residency"),
        (replace(PLAN, datasets=(WEB, replace(WEB, id=ids.DatasetId("b")))), "pool_full"),
    ],
)
def test_a_document_is_refused(plan: StoragePlan, code: str) -> None:
    book = StorageBook(plan=replace(PLAN, version=1))
    refusal = refuse_storage(plan, book, COUNTRIES, set())
    assert refusal is not None
    assert refusal.code == code


def test_a_good_one_is_not() -> None:
    assert refuse_storage(PLAN, StorageBook(), COUNTRIES, set()) is None


@pytest.mark.parametrize(
    "now",
    [
        (),
        (replace(WEB, copies=(S1.id,), residency=()),),
        (replace(WEB, size_bytes=61),),
        (replace(WEB, residency=()),),
        (replace(WEB, tenant=ids.TenantId("acme")),),
    ],
)
def test_what_gangs_read_stays_as_it_is(now: tuple[Dataset, ...]) -> None:
    book = StorageBook(PLAN, {N1.id: N1, S1.id: S1}, {WEB.id: WEB}, {WEB.id: (N1.id,)})
    refusal = refuse_storage(replace(PLAN, version=3, datasets=now), book, COUNTRIES, {WEB.id})
    assert refusal == ids.Refusal(
        "dataset_in_use", "gangs that are not over read dataset web: it stays as it is, with its copies in n1",
        "datasets",
    )  # fmt: skip


def test_a_pool_that_holds_too_much_and_data_where_it_may_not_lie_are_told() -> None:
    small = replace(N1, capacity_bytes=59)
    book = StorageBook(PLAN, {N1.id: small, S1.id: S1}, {WEB.id: WEB}, {WEB.id: (N1.id,)})
    assert list(check_storage(book, COUNTRIES)) == ["pool n1 holds more than 59 bytes"]
    book = StorageBook(PLAN, {N1.id: N1, S1.id: S1}, {WEB.id: WEB}, {WEB.id: (S1.id,)})
    assert list(check_storage(book, COUNTRIES)) == ["dataset web lies at south, outside its residency"]
