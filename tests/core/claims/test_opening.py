"""Which states of a right an opening may state, and what stands in the books at the cutover."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core import claims, ids
from forebay.core.claims import opening
from forebay.core.claims.opening import OpenedInvoice, OpenedOffer, OpenedRight, Opening
from forebay.core.claims.rights import Life, Right, RightPlan, closing
from forebay.core.ids import ContractId, HoldId, RightId, TenantId
from forebay.core.units import MICROS
from tests.core.claims.market import HGX, NORTH, backstop, call, day, extension, refusal, termination

OFFER = OpenedOffer(HoldId("h"), TenantId("bravo"), NORTH, HGX, 4, day(1), day(9), MICROS, day(6))
#: The cutover is on the fifth day.
CUTOVER = day(5)


def stated(life: Life = Life.DORMANT, racks: int = 0, unsold: int = -1, offered: bool = False) -> OpenedRight:
    return OpenedRight(RightId("r"), life, racks, unsold, OFFER if offered else None)


POSSIBLE: list[tuple[RightPlan, OpenedRight]] = [
    (refusal(), stated()),
    (refusal(), stated(racks=3)),
    (refusal(), stated(Life.OFFERED, offered=True)),
    (refusal(), stated(Life.WAIVED)),
    (refusal(expires_at=day(5)), stated(Life.LAPSED)),
    (call(), stated(racks=1)),
    (call(), stated(Life.EXERCISED, racks=2)),
    (call(), stated(Life.WAIVED, racks=1)),
    (call(expires_at=day(4)), stated(Life.LAPSED, racks=1)),
    (backstop(), stated()),
    (backstop(measure_at=day(5)), stated(unsold=0)),
    (backstop(measure_at=day(3)), stated(Life.EXERCISED, racks=2, unsold=4)),
    (extension(), stated(Life.EXERCISED)),
    (extension(), stated()),
    (termination(), stated()),
    (termination(), stated(Life.WAIVED)),
]


@pytest.mark.parametrize(("plan", "as_stated"), POSSIBLE, ids=str)
def test_what_a_right_may_be(plan: RightPlan, as_stated: OpenedRight) -> None:
    right = Right(plan, ContractId("c"), TenantId("acme"), closes_at=closing(plan, day(365), {}))
    assert opening.impossible(right, as_stated, CUTOVER) == ""
    made = opening.opened(right, as_stated)
    assert (made.life, made.racks, made.unsold) == (as_stated.life, as_stated.racks, as_stated.unsold)
    assert (made.hold, made.deadline_at) == (("h", day(6)) if as_stated.offer else ("", 0))


IMPOSSIBLE: list[tuple[RightPlan, OpenedRight, str]] = [
    (call(), stated(racks=-1), "negative"),
    (backstop(), stated(unsold=-2), "negative"),
    (call(), stated(racks=3), "took 3 racks of 2"),
    (refusal(), stated(Life.OFFERED), "where a sale is on offer"),
    (refusal(), stated(offered=True), "where a sale is on offer"),
    (call(), stated(Life.OFFERED, offered=True), "only a refusal is offered a sale"),
    (termination(), stated(Life.EXERCISED), "has ended its tranche"),
    (call(), stated(Life.EXERCISED, racks=1), "it is dormant, with the racks that it took"),
    (refusal(), stated(Life.EXERCISED, racks=1), "it is dormant"),
    (refusal(), stated(Life.EXERCISED), "took no racks"),
    (backstop(measure_at=day(3)), stated(Life.EXERCISED, unsold=1), "took no racks"),
    (backstop(), stated(racks=1), "took racks, and is dormant"),
    (extension(), stated(Life.WAIVED, racks=1), "took racks, and is waived"),
    (call(), stated(racks=2), "it is exercised"),
    (backstop(), stated(unsold=1), "was not measured yet"),
    (call(), stated(unsold=1), "was not measured yet"),
    (backstop(measure_at=day(5)), stated(), "how many racks stayed unsold"),
    (call(expires_at=day(5)), stated(), "was to be used before the cutover"),
    (call(expires_at=day(6)), stated(Life.LAPSED), "it is not lapsed"),
    (termination(), stated(Life.LAPSED), "it is not lapsed"),
]


@pytest.mark.parametrize(("plan", "as_stated", "why"), IMPOSSIBLE, ids=str)
def test_what_a_right_cannot_be(plan: RightPlan, as_stated: OpenedRight, why: str) -> None:
    right = Right(plan, ContractId("c"), TenantId("acme"), closes_at=closing(plan, day(365), {}))
    assert why in opening.impossible(right, as_stated, CUTOVER)


def test_what_is_over_and_what_is_not() -> None:
    over = [life for life in Life if opening.is_over(stated(life))]
    assert over == [Life.EXERCISED, Life.WAIVED, Life.LAPSED]


def test_the_books_hold_what_is_owed_on_both_sides_and_nothing_that_is_zero() -> None:
    numbers: dict[str, Any] = {
        "billed_micros": 900, "deferred_micros": 70, "prepaid_micros": 60, "deposit_micros": 50,
        "credited_micros": 40, "credit_open_micros": 30,
    }  # fmt: skip
    invoices = (OpenedInvoice("1", 500), OpenedInvoice("2", 20))
    found = opening.balances(Opening(CUTOVER, invoices=invoices, **numbers), ids.TenantId("acme"))
    assert found == (
        ("receivable:acme", 520),
        ("deferred_revenue:acme", -70),
        ("prepayments:acme", -60),
        ("deposits:acme", -50),
        ("credits:acme", -30),
    )
    assert opening.balances(claims.Opening(CUTOVER, billed_micros=9), ids.TenantId("acme")) == ()
