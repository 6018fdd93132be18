"""A provider's invoice beside our own: each cause by hand, and that the causes sum to the difference, always."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core.units import DAY_US
from forebay.feeds.invoice_differences import Comparison, DisputeCause, OwnInvoice, OwnLine, compare_invoices
from forebay.feeds.invoice_files import BilledInvoice, BilledLine
from tests.core.plant import T0

END = T0 + 31 * DAY_US


def own(
    tranche: str = "t1", hours: str = "744", price: str = "2", *, start: int = T0, paid: str = "1"
) -> OwnLine:
    amount = round(Decimal(hours) * Decimal(price), 2)
    return OwnLine(tranche, start, Decimal(hours), Decimal(price), amount, Decimal(paid))


def billed(
    amount: str,
    hours: str = "744",
    price: str = "2",
    *,
    tranche: str = "t1",
    kind: str = "dedicated",
    **more: Any,
) -> BilledLine:
    known: dict[str, Any] = {
        "start": T0,
        "end": END,
        "contract": "c1",
        "place": "theirs.csv:2",
        "text": "",
    } | more
    return BilledLine(
        known["place"], kind, known["contract"], tranche, known["start"], known["end"],
        Decimal(hours) if hours else None, Decimal(price) if price else None, Decimal(amount), known["text"],
    )  # fmt: skip


def beside(theirs: list[BilledLine], *ours: OwnLine, total: str = "") -> Comparison:
    stated = Decimal(total) if total else None
    found = compare_invoices(
        BilledInvoice(("I-7",), "lake", "USD", T0, END, tuple(theirs), stated),
        OwnInvoice("c1", "USD", T0, END, ours),
    )
    exact(found)
    return found


def exact(found: Comparison) -> None:
    """Theirs is ours, the differences, and what was not checked."""
    parts = [each.amount for each in found.differences] + [line.amount for line in found.unchecked]
    assert found.theirs == found.ours + sum(parts, Decimal(0))


def causes(found: Comparison) -> list[tuple[str, str]]:
    return [(each.cause.value, f"{each.amount:f}") for each in found.differences]


def test_nothing_differs() -> None:
    found = beside([billed("1488.00")], own(), total="1488.00")
    assert (found.differences, found.unchecked, found.by_cause()) == ((), (), {})


def test_another_price_and_other_hours() -> None:
    # 2 hours at 2.10 more: 746 x 0.10 = 74.60 for the price, 2 x 2.00 = 4.00 for the hours.
    found = beside([billed("1566.60", "746", "2.1")], own())
    assert causes(found) == [("price", "74.60"), ("quantity", "4.00")]
    assert [each.detail for each in found.differences] == ["2.1 a GPU-hour, not 2", "746 GPU-h, not 744"]
    assert found.by_cause() == {DisputeCause.PRICE: Decimal("74.60"), DisputeCause.QUANTITY: Decimal("4.00")}


def test_a_cent_is_rounding_and_more_is_arithmetic() -> None:
    assert causes(beside([billed("1488.01")], own())) == [("rounding", "0.01")]
    found = beside([billed("1500.00")], own())
    assert causes(found) == [("arithmetic", "12.00")]
    assert found.differences[0].detail == "744 GPU-h x 2 is 1488.00, not 1500.00"
    assert causes(beside([billed("1500.00", "")], own())) == [("arithmetic", "12.00")]
    assert causes(beside([billed("1488.00", price="")], own())) == []


def test_what_is_missing_and_what_nobody_owes() -> None:
    found = beside([billed("7.00", tranche="t9"), billed("1", tranche="")], own())
    assert causes(found) == [("extra", "1"), ("extra", "7.00"), ("missing", "-1488.00")]
    assert found.differences[0].detail == "it names no tranche"
    assert "744 GPU-h x 2 from 2026-01-01" in found.differences[2].detail
    assert causes(beside([billed("5", contract="c2")])) == [("extra", "5")]


def test_lines_at_one_price_belong_together() -> None:
    later = T0 + 10 * DAY_US
    ours = [own(hours="240"), own(hours="504", price="3", start=later)]
    theirs = [billed("1512.00", "504", "3", start=T0), billed("480.00", "240", start=later)]
    assert causes(beside(theirs, *ours)) == []
    # One line where two prices held: 744 x 2.00 beside 240 x 2.00, and 504 x 3.00 not billed.
    assert causes(beside([billed("1488.00")], *ours)) == [("missing", "-1512.00"), ("quantity", "1008.00")]


def test_another_month_and_what_only_they_know() -> None:
    december: dict[str, Any] = {"start": T0 - 31 * DAY_US, "end": T0}
    found = beside(
        [
            billed("100", **december), billed("-3", kind="correction", **december), billed("9", kind="on_demand"),
            billed("-2", "", "", kind="service_credit"), billed("1488.00"),
        ],
        own(),
    )  # fmt: skip
    assert causes(found) == [("other_period", "100")]
    assert [line.kind for line in found.unchecked] == ["correction", "on_demand", "service_credit"]


def test_rounding_lines_have_a_bound() -> None:
    found = beside([billed("1488.00"), billed("0.01", "", "", kind="rounding", tranche="")], own())
    assert causes(found) == [("rounding", "0.01")]
    found = beside([billed("1488.00"), billed("0.02", "", "", kind="rounding", tranche="")], own())
    assert causes(found) == [("arithmetic", "0.02")]
    assert causes(beside([billed("1488.00"), billed("0", "", "", kind="rounding", tranche="")], own())) == []


def test_a_total_that_is_not_the_sum() -> None:
    found = beside([billed("1488.00")], own(), total="1490.00")
    assert causes(found) == [("sum", "2.00")]
    assert found.theirs == 1490


def test_with_take_or_pay_less_may_be_right() -> None:
    (found,) = beside([billed("1000.00", "500")], own(paid="0.5")).differences
    assert found.detail == "500 GPU-h, not 744; with take-or-pay anything from 372 on may be right"
    (found,) = beside([billed("600.00", "300")], own(paid="0.5")).differences
    assert found.detail == "300 GPU-h, not 744"


def test_another_currency_is_not_compared() -> None:
    theirs = BilledInvoice(("I-7",), "lake", "EUR", T0, END, (), None)
    with pytest.raises(ValueError, match="they bill in EUR, and the contract is in USD"):
        compare_invoices(theirs, OwnInvoice("c1", "USD", T0, END, ()))


MONEY = st.decimals(-10_000, 10_000, places=2)
HOURS = st.one_of(st.none(), st.decimals(0, 800, places=6))
PRICES = st.one_of(st.none(), st.sampled_from([Decimal(1), Decimal("2.35"), Decimal("2.350001")]))
LINES = st.builds(
    BilledLine, st.just("x:1"), st.sampled_from(["dedicated", "rounding", "correction", "spot"]),
    st.sampled_from(["", "c1", "c2"]), st.sampled_from(["", "t1", "t2", "t3"]),
    st.sampled_from([T0 - DAY_US, T0, T0 + DAY_US]), st.sampled_from([T0, END]), HOURS, PRICES, MONEY, st.just(""),
)  # fmt: skip
OWN = st.builds(
    OwnLine, st.sampled_from(["t1", "t2"]), st.sampled_from([T0, T0 + DAY_US]), HOURS.filter(bool),
    PRICES.filter(bool), MONEY, st.sampled_from([Decimal(1), Decimal("0.5")]),
)  # fmt: skip


@settings(derandomize=True, database=None, max_examples=300)
@given(st.lists(LINES, max_size=6), st.lists(OWN, max_size=4), st.one_of(st.none(), MONEY))
def test_causes_sum_to_the_difference(
    theirs: list[BilledLine], ours: list[OwnLine], total: Decimal | None
) -> None:
    exact(
        compare_invoices(
            BilledInvoice((), "lake", "USD", T0, END, tuple(theirs), total),
            OwnInvoice("c1", "USD", T0, END, tuple(ours)),
        )
    )
