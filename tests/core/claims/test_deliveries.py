"""By which date a customer counts on a delivery."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core.claims import deliveries
from forebay.core.claims.deliveries import DeliveryDates
from forebay.core.supply.blocks import Confidence
from tests.core.claims import market


@pytest.mark.parametrize(
    ("known", "both_know", "p50", "p90"),
    [
        ({}, 10, 10, 10),
        ({"notified_at": 25}, 25, 25, 25),
        ({"notified_at": 5}, 5, 5, 5),
        # Our own forecast counts, also where it is before what the seller says.
        ({"p50_at": 8, "p90_at": 30}, 10, 8, 30),
        ({"notified_at": 40, "p50_at": 35, "p90_at": 60}, 40, 35, 60),
        # A notice that came after it: the later of the two.
        ({"notified_at": 40, "p50_at": 20, "p90_at": 60, "stale": True}, 40, 40, 60),
        # What passed without it counts no more.
        ({"p50_at": 8, "p90_at": 30, "not_before": 30}, 10, 30, 30),
        ({"not_before": 99}, 10, 99, 99),
        # It came.
        ({"notified_at": 40, "p50_at": 20, "p90_at": 60, "not_before": 99, "delivered_at": 41}, 41, 41, 41),
    ],
)
def test_the_date_that_counts(known: dict[str, Any], both_know: int, p50: int, p90: int) -> None:
    dates = DeliveryDates(**known)
    assert deliveries.told(dates, 10) == both_know
    assert deliveries.counted_on(dates, 10, Confidence.P50) == p50
    assert deliveries.counted_on(dates, 10, Confidence.P90) == p90


def test_a_tranche_without_deliveries_comes_at_once() -> None:
    whole, parts = market.promise(racks=3, start=4), market.ramp((4, 1), (9, 2))
    assert [(each.at, each.count) for each in deliveries.committed(whole)] == [(market.day(4), 3)]
    assert deliveries.committed(parts) == parts.deliveries
