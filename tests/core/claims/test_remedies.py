"""How several remedies stand to each other."""

from __future__ import annotations

import pytest

from forebay.core.claims import remedies
from forebay.core.claims.remedies import Remedies, Remedy, Settlement

DISCOUNT, DAMAGES, CREDIT = Remedy.FEE_DISCOUNT, Remedy.DAMAGES, Remedy.CREDIT


def agreed(*order: Remedy, month: int = 0, total: int = 0) -> Remedies:
    return Remedies(order, Settlement.SET_OFF, month, total)


@pytest.mark.parametrize(
    ("order", "owed", "first"),
    [
        ((CREDIT, DAMAGES), {CREDIT: 5, DAMAGES: 9}, CREDIT),
        ((DAMAGES, CREDIT), {CREDIT: 5, DAMAGES: 9}, DAMAGES),
        ((CREDIT, DAMAGES), {CREDIT: 0, DAMAGES: 9}, DAMAGES),
        ((CREDIT, DAMAGES), {DISCOUNT: 9}, None),
        ((CREDIT,), {}, None),
    ],
)
def test_the_same_time_has_one_remedy(
    order: tuple[Remedy, ...], owed: dict[Remedy, int], first: Remedy | None
) -> None:
    assert remedies.first_of(agreed(*order), owed) is first


@pytest.mark.parametrize(
    ("month", "total", "given", "expected"),
    [
        (0, 0, (0, 0), {DAMAGES: 60, CREDIT: 50}),
        (100, 0, (0, 0), {DAMAGES: 60, CREDIT: 40}),
        (100, 0, (70, 70), {DAMAGES: 30}),
        (100, 0, (120, 0), {}),
        (0, 100, (0, 95), {DAMAGES: 5}),
        (100, 65, (0, 0), {DAMAGES: 60, CREDIT: 5}),
        (0, 65, (0, 66), {}),
    ],
)
def test_caps_leave_more_to_the_first(
    month: int, total: int, given: tuple[int, int], expected: dict[Remedy, int]
) -> None:
    owed = {CREDIT: 50, DAMAGES: 60}
    terms = agreed(DAMAGES, CREDIT, DISCOUNT, month=month, total=total)
    assert remedies.within_caps(terms, owed, *given) == expected
