"""What the money views say: accruals that become the invoice, price lists, and the ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from forebay.core import units
from forebay.core.ids import SkuId
from forebay.server import amounts
from tests.server.rig import HOUR, PRICES, SITE, START, Rig, contract, gang, rigged

SKU = SkuId("gb300-nvl72")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        yield made


def test_what_accrues_is_what_is_billed(rig: Rig) -> None:
    rig.apply(SITE, PRICES, contract("acme", "acme-t1"))
    rig.operator.post("/v1/gangs", json=gang("acme", "more", gpus=8))
    rig.operator.post("/v1/gangs", json=gang("acme", "spot", tier="spot"))
    rig.pass_time(HOUR)
    # A price list that no longer has a price for what runs: the last that had one holds for it.
    rig.apply(PRICES.replace("version: 1", "version: 2").replace("on_demand", "spot", 1).rsplit("  - ", 1)[0])
    rig.pass_time(HOUR)
    open_period = rig.acme.get("/v1/status").json()["period"]
    assert open_period["start"] == "2026-12-01T08:00:00Z"
    assert open_period["end"] == "2027-01-01T00:00:00Z"
    use = {(each["tier"], each["segment"]): each for each in open_period["use"]}
    assert {mark: each["gpu_us"] for mark, each in use.items()} == {
        ("on_demand", 1): 8 * HOUR,
        ("on_demand", 2): 8 * HOUR,
        ("spot", 1): 4 * HOUR,
        ("spot", 2): 4 * HOUR,
    }
    assert use["on_demand", 2]["amount"] == {"amount": "33.60", "currency": "USD"}
    (tranche,) = open_period["tranches"]
    assert tranche["amount"] == {"amount": "338.40", "currency": "USD"}
    rig.operator.post("/v1/periods/close")
    lines = rig.acme.get("/v1/invoices/INV-000001").json()["lines"]
    billed = sorted((line["kind"], line["exact"]["amount"]) for line in lines)
    accrued = [(tier, each["amount"]["amount"]) for (tier, _), each in use.items()]
    assert billed == sorted([*accrued, ("dedicated", tranche["amount"]["amount"])])
    for line in lines:
        told = rig.acme.get(f"/v1/invoices/INV-000001/lines/{line['n']}/explain").json()
        held = told["price_list"]
        assert (held["version"] if held else 0) == line["price_version"]
    assert sorted((line["kind"], line["price_version"]) for line in lines) == [
        ("dedicated", 0), ("on_demand", 1), ("on_demand", 1), ("spot", 1), ("spot", 2),
    ]  # fmt: skip


def test_price_lists_tell_which_holds(rig: Rig) -> None:
    rig.apply(SITE, PRICES)
    later = PRICES.replace("version: 1", "version: 2") + "effective: 2026-12-02T00:00:00Z\n"
    rig.apply(later)
    one, two = rig.acme.get("/v1/prices").json()["items"]
    assert (one["in_force"], one["effective_at"], one["held_since"]) == (True, *[amounts.when(START)] * 2)
    assert (two["in_force"], two["effective_at"], two["held_since"]) == (False, "2026-12-02T00:00:00Z", None)
    rig.pass_time(24 * HOUR)
    assert [each["in_force"] for each in rig.acme.get("/v1/prices").json()["items"]] == [False, True]


def test_the_ledger_balances(rig: Rig) -> None:
    assert rig.finance.get("/v1/ledger").json() == {
        "at": None,
        "known": None,
        "accounts": [],
        "totals": [],
        "balanced": True,
        "transactions": 0,
    }
    rig.furnish()
    body = rig.finance.get("/v1/ledger").json()
    assert body["balanced"] is True
    assert body["totals"] == [{"amount": "0.00", "currency": "USD"}]
    assert body["transactions"] == 2
    names = [each["account"] for each in body["accounts"]]
    assert names == ["receivable:acme", "receivable:birch", "revenue:dedicated", "revenue:on_demand"]


#: minor units, currency, text
MINOR = [
    (0, "USD", "0.00"),
    (-5, "USD", "-0.05"),
    (123456, "EUR", "1234.56"),
    (12, "JPY", "12"),
    (-1, "KWD", "-0.001"),
]


@pytest.mark.parametrize(("amount", "currency", "text"), MINOR)
def test_minor_units_have_their_places(amount: int, currency: str, text: str) -> None:
    assert amounts.minor(amount, currency) == {"amount": text, "currency": currency}
    assert amounts.when(START + 1) == "2026-12-01T08:00:00.000001Z"
    assert amounts.kilowatt_hours(1500 * units.HOUR_US) == "1.50"
