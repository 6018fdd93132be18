"""What is late, withheld and paid back, worked out by hand."""

from __future__ import annotations

import pytest

from forebay.core.claims import payments
from forebay.core.claims.payments import BillingTime, PaymentTerms
from forebay.core.units import DAY_US, MICROS

TERMS = PaymentTerms(BillingTime.ARREARS, 0, interest_ppm=73_000, withholding_ppm=500_000, refund_ppm=900_000)


@pytest.mark.parametrize(
    ("owed", "late_us", "interest"),
    [
        # 7.3 % of 1,000.00 a year are 73.00: 0.20 a day.
        (1_000 * MICROS, 365 * DAY_US, 73 * MICROS), (1_000 * MICROS, DAY_US, 200_000),
        (1_000 * MICROS, DAY_US // 2, 100_000), (1_000 * MICROS, 0, 0),
        # A leap year is a day more; and half a micro-unit is rounded to even.
        (1_000 * MICROS, 366 * DAY_US, 73_200_000), (5, 365 * DAY_US * 100 // 73, 0),
        (15, 365 * DAY_US * 100 // 73, 2),
    ],
)  # fmt: skip
def test_interest_on_what_is_late(owed: int, late_us: int, interest: int) -> None:
    assert payments.interest_micros(TERMS, owed, late_us) == interest


def test_what_is_withheld_and_paid_back() -> None:
    assert payments.withheld_micros(TERMS, 250 * MICROS) == 125 * MICROS
    assert [payments.withheld_micros(TERMS, micros) for micros in (1, 3)] == [0, 2]
    assert payments.refund_micros(TERMS, 100 * MICROS, 40 * MICROS) == 54 * MICROS
    assert payments.refund_micros(TERMS, 40 * MICROS, 40 * MICROS) == 0
    silent = PaymentTerms(BillingTime.ADVANCE, 0)
    assert payments.refund_micros(silent, 100, 40) == 60
    assert (payments.interest_micros(silent, 10**9, DAY_US), payments.withheld_micros(silent, 10**9)) == (
        0,
        0,
    )
