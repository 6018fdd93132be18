"""Rows of invoices: numbers without floats, corrections, credits, and sums that hold for any line."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core import money, units, usage
from forebay.core.ids import ContractId, InvoiceId, SiteId, SkuId, TenantId, TrancheId
from forebay.core.placements.gang import Tier
from forebay.exports import focus
from forebay.exports.focus_columns import COLUMNS, FocusDataset

HOUR = units.HOUR_US
KNOWN = focus.Lookups({}, {}, {}, {}, {})


def line(kind: str = "dedicated", **terms: Any) -> money.Line:
    told: dict[str, Any] = {
        "contract": ContractId("c1"), "contract_version": 1, "clause": "tranches[t1].price_per_gpu_hour",
        "claim": TrancheId("t1"), "tier": Tier.DEDICATED if kind != "spot" else Tier.SPOT, "sku": "hgx",
        "site": "north", "price_version": 0, "start": 0, "end": HOUR,
    }  # fmt: skip
    return money.Line(kind, **{**told, **terms})


def bill(*lines: money.Line, used_us: int = 0, since: int = 0) -> focus.Billed:
    total = sum(each.amount_minor for each in lines)
    invoice = money.InvoiceIssued(
        InvoiceId("INV-000001"), "us", 1, TenantId("acme"), "USD", since, HOUR, lines, max(total, 0),
        max(-total, 0), total, 1,
    )  # fmt: skip
    book = usage.TrancheLine(TrancheId("t1"), 0, 0, used_us, 0, 0, 0)
    meter = usage.UsageLine(
        TenantId("acme"),
        Tier.SPOT,
        TrancheId(""),
        TrancheId(""),
        SkuId("hgx"),
        SiteId("north"),
        1,
        0,
        0,
        0,
        1,
    )
    return focus.Billed(invoice, 2 * HOUR, usage.PeriodClosed(since, HOUR, (meter,), (book,)))


def rows(billed: focus.Billed) -> list[dict[str, str]]:
    names = [column.name for column in COLUMNS[FocusDataset.COST_AND_USAGE]]
    return [dict(zip(names, row, strict=True)) for row in focus.cost_and_usage(billed, KNOWN)]


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (0, 6, "0"),
        (1, 6, "0.000001"),
        (-1, 6, "-0.000001"),
        (2_350_000, 6, "2.35"),
        (10**30, 11, "1" + "0" * 19),
    ],
)
def test_decimals(value: int, places: int, text: str) -> None:
    assert focus.decimal(value, places) == text


def test_moments_are_whole_seconds_of_utc() -> None:
    assert focus.written_time(1_796_112_000_999_999) == "2026-12-01T08:00:00Z"


@pytest.mark.parametrize(
    ("made", "category"),
    [
        (line("dedicated"), "Purchase"), (line("spot"), "Usage"), (line("lending_share"), "Credit"),
        (line("rounding"), "Adjustment"), (line("correction"), "Purchase"),
        (line("correction", tier=Tier.SPOT), "Usage"), (line("service_credit", amount_minor=-5), "Credit"),
        (line("fee", amount_minor=5), "Adjustment"),
    ],
)  # fmt: skip
def test_the_category_of_each_kind(made: money.Line, category: str) -> None:
    assert focus.category(made) == category


@settings(max_examples=200, derandomize=True, database=None, deadline=None)
@given(
    entitled=st.integers(0, 72 * 31 * 24 * HOUR),
    used_ppm=st.integers(0, 1_000_000),
    price=st.integers(0, 100_000_000),
)
def test_what_is_used_and_what_is_not_bear_what_is_billed(entitled: int, used_ppm: int, price: int) -> None:
    used = entitled * used_ppm // 1_000_000
    exact = units.gpu_time_cost_micros(entitled, price)
    made = line(
        gpu_us=entitled, price_micros_per_gpu_hour=price, amount_micros=exact,
        amount_minor=units.micros_to_minor(exact, "USD"), source_tranche=0,
    )  # fmt: skip
    got = rows(bill(made, used_us=used))
    total = Decimal(made.amount_minor) / 100
    assert sum(Decimal(row["BilledCost"]) for row in got) == total
    if entitled:
        assert sum(Decimal(row["EffectiveCost"]) for row in got) == total
    for row in got:
        product = Decimal(row["ContractedUnitPrice"]) * Decimal(row["PricingQuantity"])
        assert product == Decimal(row["ContractedCost"])


def test_a_correction_says_so_and_what_is_no_use_has_no_quantity() -> None:
    late = bill(
        line("correction", source_tranche=0), line("lending_share", source_line=0, amount_minor=-250), since=7
    )
    first, *_, credit = rows(late)
    assert (first["ChargeClass"], first["ChargeCategory"]) == ("Correction", "Purchase")
    assert (credit["ChargeClass"], credit["BilledCost"], credit["EffectiveCost"]) == (
        "Correction",
        "-2.5",
        "-2.5",
    )
    assert (credit["PricingQuantity"], credit["x_EnergyKwh"], credit["SkuId"]) == ("", "", "")


def test_what_is_paid_ahead_is_billed_and_costs_nothing_by_itself() -> None:
    """It may be asked for before any period is closed; the fees that draw on it bear its cost."""
    (asked,) = focus.billed([(0, bill(line("prepayment", amount_minor=100)).invoice)])
    assert isinstance(asked, focus.Billed)
    (row,) = rows(asked)
    assert (row["ChargeCategory"], row["BilledCost"], row["EffectiveCost"]) == ("Adjustment", "1", "0")
    (_, drawn) = rows(bill(line("rounding", amount_minor=1), line("prepayment_drawn", amount_minor=-100)))
    assert (drawn["ChargeCategory"], drawn["BilledCost"], drawn["EffectiveCost"]) == ("Credit", "-1", "0")
