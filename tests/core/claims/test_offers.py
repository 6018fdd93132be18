"""What is recorded of offers that we received: which right has one open, and what was let pass."""

from __future__ import annotations

from forebay.core.claims import offers, rights
from forebay.core.claims.rights import Life, Right
from forebay.core.ids import ContractId, RightId, TenantId
from forebay.core.timeline import Due
from forebay.core.units import DAY_US, SECOND_US
from tests.core.claims import market, sides

NAME = RightId("rofr")
RIGHT = Right(market.refusal(), ContractId("rent"), TenantId("lab"))


def opened(found: offers.Offers, deadline_at: int = 100, grace_until_at: int = 0) -> Right:
    event = offers.OfferReceived(NAME, sides.sale(), 40, deadline_at, grace_until_at)
    return offers.heard(found, RIGHT, event, 50)


def test_one_offer_is_open_by_a_right() -> None:
    found = offers.Offers()
    right = opened(found)
    assert (right.life, right.deadline_at, right.offered_at) == (Life.OFFERED, 100, 40)
    assert found.open == {NAME: offers.OpenOffer(sides.sale(), 40)}
    assert rights.opening(right) == 40
    assert offers.answer_due(right, 3) == Due(100 + 3 * SECOND_US, "rented_offer", NAME, 100)
    assert offers.answer_due(opened(found, grace_until_at=777), 3) == Due(777, "rented_offer", NAME, 100)
    assert offers.answer_due(RIGHT, 3) is None


def test_more_grace_is_more_time_to_enter_an_answer() -> None:
    found = offers.Offers()
    right = offers.heard(found, opened(found), offers.AnswerGraceExtended(NAME, 900), 60)
    assert offers.answer_due(right, 3) == Due(900, "rented_offer", NAME, 100)


def test_what_was_let_pass_is_kept_for_as_long_as_it_covers_a_sale() -> None:
    found = offers.Offers()
    for until_at in (200, 300):
        right = offers.heard(found, opened(found), offers.ReceivedOfferLapsed(NAME, until_at), 110)
        assert (right.life, right.hold, right.deadline_at) == (Life.DORMANT, "", 0)
    assert found.open == {}
    assert found.let_pass[NAME] == (offers.LetPass(sides.sale(), 200), offers.LetPass(sides.sale(), 300))
    told = offers.CoveredOfferReceived(NAME, sides.sale(nodes=2), 150, 200)
    assert offers.heard(found, right, told, 150) is right
    assert [each.again_at for each in found.let_pass[NAME]] == [150, 0]
    later = offers.passed_on(found, opened(found), DAY_US, 250)
    assert later.life is Life.DORMANT
    assert [each.until_at for each in found.let_pass[NAME]] == [300, DAY_US]


def test_a_copy_is_its_own() -> None:
    found = offers.Offers()
    copy = found.fork()
    opened(found)
    assert (copy.open, copy.let_pass) == ({}, {})
