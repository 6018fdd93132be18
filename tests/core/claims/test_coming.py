"""Which units of a tranche come when."""

from __future__ import annotations

import pytest

from forebay.core.claims import Delivery, coming
from forebay.core.claims.acceptance import DeliveredPart, PartLife
from forebay.core.claims.deliveries import DeliveryDates
from forebay.core.claims.relief import Relief
from forebay.core.claims.shorts import Short
from forebay.core.claims.terms import ReliefKind
from forebay.core.ids import TrancheId
from tests.core.claims.market import day, ramp

T1 = TrancheId("t1")
DUE = (Delivery(10, 4), Delivery(20, 6))


@pytest.mark.parametrize(
    ("accepted", "found"),
    [
        ([], [((), 4), ((), 6)]),
        ([(5, 4)], [(((5, 4),), 0), ((), 6)]),
        ([(5, 3)], [(((5, 3),), 1), ((), 6)]),
        # A part that serves two dates, the oldest first.
        ([(5, 3), (7, 3)], [(((5, 3), (7, 1)), 0), (((7, 2),), 4)]),
        # Who was accepted first, in whichever order it was told.
        ([(7, 3), (5, 3)], [(((5, 3), (7, 1)), 0), (((7, 2),), 4)]),
        ([(5, 10)], [(((5, 4),), 0), (((5, 6),), 0)]),
    ],
)
def test_what_is_accepted_serves_the_oldest_date(
    accepted: list[tuple[int, int]], found: list[tuple[tuple[tuple[int, int], ...], int]]
) -> None:
    assert coming.served(DUE, accepted) == found


def part(life: PartLife, units: int, ready: int, answered: int = 0, deemed: int = 0) -> DeliveredPart:
    return DeliveredPart(
        1, units, day(ready), day(deemed) if deemed else 0, (), life, day(answered) if answered else 0
    )


def test_what_is_known_of_each_unit() -> None:
    plan = ramp((10, 4), (20, 6), end=100)
    parts = [
        part(PartLife.ACCEPTED, 3, 8, answered=12), part(PartLife.REJECTED, 2, 9, answered=10),
        part(PartLife.READY, 2, 15, deemed=18), part(PartLife.READY, 1, 15),
    ]  # fmt: skip
    flood = Relief(ReliefKind("force_majeure"), day(15), day(19), day(19), day(15), "a flood")
    dates = {(T1, 2): DeliveryDates(notified_at=day(30))}
    rows = [
        (1, 3, day(10), day(10), day(12), True), (1, 1, day(10), day(10), day(18), False),
        (2, 1, day(20), day(24), day(18), False), (2, 5, day(20), day(24), day(30), False),
    ]  # fmt: skip
    assert coming.coming(plan, dates, parts, [flood], day(17)) == rows
    # Silence is an answer once its time is over, whether somebody looked or not.
    later = coming.coming(plan, dates, parts, [flood], day(18))
    assert [piece.delivered for piece in later] == [True, True, True, False]
    assert coming.missing_parts(plan, later, 4, day(100), day(18)) == (
        Short(T1, 12, day(10), day(12)), Short(T1, 4, day(10), day(18)), Short(T1, 20, day(20), day(30)),
    )  # fmt: skip
    # By the dates as they were moved, until now at least, and no longer than it lasts.
    moved = coming.missing_parts(plan, later, 4, day(40), day(50), moved=True)
    assert moved[-1] == Short(T1, 20, day(24), day(40))
