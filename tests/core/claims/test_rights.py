"""When a right may be used, when it lapses, and what each event makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core.claims import rights
from forebay.core.claims.rights import Life, Right, RightKind, Side
from forebay.core.ids import ContractId, HoldId, RightId, TenantId, TrancheId
from forebay.core.timeline import Due
from forebay.core.units import DAY_US, HOUR_US, SECOND_US
from tests.core.claims.market import backstop, call, day, extension, refusal, termination
from tests.core.plant import T0

R, H = RightId("r"), HoldId("h1")


def held(plan: rights.RightPlan, **terms: Any) -> Right:
    return Right(plan, ContractId("c1"), TenantId("acme"))._replace(**terms)


@pytest.mark.parametrize("kind", list(RightKind))
def test_who_holds_a_right(kind: RightKind) -> None:
    expected = Side.SELLER if kind is RightKind.BACKSTOP else Side.CUSTOMER
    assert rights.holder(held(rights.RightPlan(R, kind))) is expected


@pytest.mark.parametrize(
    ("plan", "closes_at"),
    [
        (refusal(), 0),
        (refusal(expires_at=day(9)), day(9)),
        (call(), day(10)),
        (termination(), 0),
        (extension(), day(95)),
        (extension(expires_at=day(90)), day(90)),
        (extension(expires_at=day(99)), day(95)),
    ],
)
def test_by_when_a_right_is_to_be_used(plan: rights.RightPlan, closes_at: int) -> None:
    assert rights.closing(plan, day(100), {}) == closes_at
    assert rights.deadline(held(plan, closes_at=closes_at)) == closes_at


def test_when_an_offer_may_be_answered() -> None:
    offered = held(refusal(opens_at=day(-9)), life=Life.OFFERED, deadline_at=T0 + HOUR_US)
    assert (rights.opening(offered), rights.deadline(offered)) == (T0, T0 + HOUR_US)
    assert rights.opening(held(refusal(opens_at=day(-9)))) == day(-9)


@pytest.mark.parametrize(
    ("right", "at"),
    [
        (held(call(), closes_at=day(10)), day(11)),
        (held(call(), closes_at=day(10), grace_until_at=day(30)), day(30)),
        (held(refusal()), None),
        (held(refusal(), life=Life.OFFERED, deadline_at=day(2)), day(3)),
        (held(call(), closes_at=day(10), life=Life.WAIVED), None),
        (held(call(), closes_at=day(10), life=Life.LAPSED), None),
        (held(call(), closes_at=day(10), life=Life.EXERCISED), None),
    ],
)
def test_when_a_right_lapses(right: Right, at: int | None) -> None:
    due = rights.lapse(right, 86_400)
    assert due == (None if at is None else Due(at, "deadline", right.plan.id, rights.deadline(right)))


def test_when_a_backstop_is_measured() -> None:
    assert rights.measuring(held(backstop())) == Due(day(10), "measure", "put", 0)
    assert rights.measuring(held(backstop(), unsold=0)) is None
    assert rights.measuring(held(backstop(), life=Life.WAIVED)) is None
    assert rights.measuring(held(call())) is None


def test_the_life_of_a_refusal() -> None:
    right = held(refusal())
    offered = rights.advanced(right, rights.SaleOffered(R, H, day(1)))
    assert (offered.life, offered.hold, offered.deadline_at) == (Life.OFFERED, H, day(1))
    resumed = rights.advanced(offered, rights.ClockResumed(R, day(3)))
    assert resumed.grace_until_at == day(3)
    for event in (rights.RightWaived(R, T0, H, day(2)), rights.RightLapsed(R, H, day(2))):
        passed = rights.advanced(resumed, event)
        assert (passed.life, passed.hold, passed.deadline_at, passed.grace_until_at) == (
            Life.DORMANT,
            "",
            0,
            0,
        )
        assert passed.passed == ((H, day(2)),)
        assert rights.advanced(passed, rights.SaleOffered(R, H, day(9))).passed == ()
        assert rights.advanced(passed, rights.SaleOffered(R, HoldId("h2"), day(9))).passed == ((H, day(2)),)
        assert rights.forget_sale(passed, HoldId("h2")) == passed
    used = rights.advanced(offered, rights.RightExercised(R, T0, TrancheId("t"), 0, 0))
    assert (used.life, used.hold) == (Life.DORMANT, "")


def test_the_life_of_other_rights() -> None:
    def used(right: Right, racks: int) -> Right:
        return rights.advanced(right, rights.RightExercised(R, T0, TrancheId("t"), racks, 0))

    some = used(held(call(racks=3)), 2)
    assert (some.life, some.racks) == (Life.DORMANT, 2)
    assert (used(some, 1).life, used(some, 1).racks) == (Life.EXERCISED, 3)
    for plan in (backstop(), extension(), termination()):
        assert used(held(plan), 1).life is Life.EXERCISED
    assert rights.advanced(some, rights.RightWaived(R, T0, HoldId(""), 0)).life is Life.WAIVED
    assert rights.advanced(some, rights.RightLapsed(R, HoldId(""), 0)).life is Life.LAPSED
    assert rights.advanced(held(backstop()), rights.BackstopMeasured(R, 4)).unsold == 4
    assert rights.DOWN_US < DAY_US
    assert rights.DOWN_US >= SECOND_US
