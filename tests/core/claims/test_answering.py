"""What our seller offers us first: when it counts as received, by when we answer, and what a waiver covers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forebay.core import ids, timeline
from forebay.core.claims import offers, rented, workdays
from forebay.core.claims.answering import NODES_MAX
from forebay.core.claims.rights import Life, Right
from forebay.core.claims.terms import PRICE_MICROS_MAX, TranchePlan
from forebay.core.ids import RightId, SiteId, SkuId, TrancheId
from forebay.core.supply import SiteAdded
from forebay.core.units import DAY_US, HOUR_US, MICROS, SECOND_US, decimal_text
from tests.core import machine
from tests.core.claims import market, sides
from tests.core.claims.market import call, code, day, policy, promise, refusal, sign, use, waiver
from tests.core.claims.sides import HOME, LAB, customer, internal, provider, received, rental
from tests.core.claims.test_exercise import down
from tests.core.claims.test_workdays import DESK, calendar
from tests.core.plant import FINANCE, T0, Driver, contract, tenant
from tests.core.test_claims import money, written


def asked(*granted: Any, grace_s: int = 0, **terms: Any) -> Driver:
    """A customer with a right of first refusal, which waits so long for answers that are entered late."""
    driver = customer(rental(promise(racks=1, start=30), rights=granted or (refusal(**terms),)))
    policy(driver, notice_grace_s=grace_s)
    return driver


def right_of(driver: Driver, name: str = "rofr") -> Right:
    return driver.world.state.claims.rented.rights[RightId(name)]


def passed(driver: Driver, name: str = "rofr") -> list[tuple[int, int, int]]:
    """Nodes of what we let pass, until when, and when we were told of it again."""
    found = driver.world.state.claims.rented.offers.let_pass.get(RightId(name), ())
    return [(each.sale.nodes, each.until_at, each.again_at) for each in found]


def made(driver: Driver, name: str = "new") -> TranchePlan:
    return driver.world.state.claims.rented.tranches[TrancheId(name)].plan


# Receiving


def test_every_refusal_of_an_offer_that_we_receive_in_its_order() -> None:
    other = replace(rental(promise("t2", site=SiteId("yonder")), name="other"), seller="them")
    days = workdays.DayNotice(5, DESK)
    driver = customer(other)
    driver.ask(workdays.ApplyBusinessCalendar(calendar(until_day=calendar().until_day - 600)))
    granted = (
        refusal(sku=SkuId("hgx"), opens_at=day(2), expires_at=day(20)), call(), refusal("any", site=SiteId("")),
        refusal("counted", answer_s=0, notice=days),
    )  # fmt: skip
    driver.ask(sign(rental(promise(racks=1, start=30), rights=granted)))
    sold = contract("mine", "team", seller=LAB, rights=(refusal("ours", site=HOME),))
    driver.ask(sign(sold))
    driver.later(days=1)
    bad: dict[str, Any] = {"sku": "none", "nodes": 0, "at": HOME}
    late_at = driver.at + 1
    for command, why, field in [
        (received("none", late_at, **bad), "unknown_right", "right"),
        (received("ours", late_at, **bad), "not_rented", "right"),
        (received("call", late_at, **bad), "bad_scope", "right"),
        (received("rofr", late_at, **bad), "unknown_sku", "sku"),
        (received("any", late_at, at=SiteId("a b"), nodes=0), "bad_id", "site"),
        (received("any", late_at, at=HOME, nodes=0), "own_site", "site"),
        (received("any", late_at, at=SiteId("yonder"), nodes=0), "other_seller", "site"),
        (received("rofr", late_at, nodes=0), "bad_quantity", "nodes"),
        (received("rofr", late_at, nodes=NODES_MAX + 1), "bad_quantity", "nodes"),
        (received("rofr", late_at, price=0), "future_fact", "effective_at"),
        (received("rofr", price=0), "bad_scope", "right"),
        (received("rofr", at=SiteId("south"), price=0), "bad_scope", "right"),
        (received("any", price=0, end=0), "no_price", "price"),
        (received("any", price=-1, end=0), "bad_price", "price"),
        (received("any", price=PRICE_MICROS_MAX + 1, end=0), "bad_price", "price"),
        (received("any", end=0), "bad_term", "end_at"),
        (received("any", start=-25_000), "bad_term", "end_at"),
        (received("any", start=0, end=1), "bad_term", "end_at"),
        (received("counted", start=0, end=1), "bad_term", "end_at"),
    ]:
        no = driver.refused(command, FINANCE)
        assert (no.code, no.field) == (why, field), command
    driver.ask(received("any"), FINANCE)
    assert code(driver, received("any", price=0, nodes=3)) == "already_offered"
    # Received while the right was open, and entered later; or before it opened, or after it was over.
    driver.until(day(25))
    assert code(driver, received("rofr", day(2) - 1)) == "bad_scope"
    assert code(driver, received("rofr", day(20))) == "bad_scope"
    assert driver.ask(received("rofr", day(20) - 1, end=40))["offer"] == "open"
    driver.until(timeline.INSTANT_MAX // 5000 * 1000)
    far = (driver.at - T0) // DAY_US
    assert code(driver, received("counted", start=far, end=far + 900)) == "beyond_calendar"
    assert driver.refused(received("any"), tenant("lab")).code == "forbidden"


def test_the_same_again_changes_nothing() -> None:
    driver = asked()
    told = driver.ask(received())
    assert told == {"right": "rofr", "offer": "open", "until_at": T0 + HOUR_US, "changed": True}
    seen = len(driver.events)
    driver.later(seconds=9)
    for again in (received(), received(since=T0)):
        assert driver.ask(again) == told | {"changed": False}
    assert len(driver.events) == seen
    assert code(driver, received(since=T0 + 1)) == "already_offered"
    assert code(driver, received(nodes=5)) == "already_offered"


def test_a_site_of_which_we_hear_by_an_offer() -> None:
    driver = asked(site=SiteId(""))
    driver.ask(received(at=SiteId("far")))
    assert driver.last(SiteAdded).site == "far"
    assert driver.world.state.claims.rented.sites[SiteId("far")] == "us"
    driver.ask(use("rofr"))
    assert made(driver).site == "far"
    known = asked(site=SiteId(""))
    seen = len(known.events)
    known.ask(received())
    assert [type(event).__name__ for _, event in known.events[seen:]] == ["OfferReceived"]


# Answering


def test_it_is_taken_whole_and_is_supply() -> None:
    driver = asked()
    driver.ask(received(start=5, end=25))
    driver.ask(sign(internal("team", 1, 8, 20, at=HOME)))
    driver.later(seconds=60)
    assert code(driver, use("rofr", racks=2)) == "bad_quantity"
    assert code(driver, use("rofr", start_at=day(6))) == "bad_term"
    assert code(driver, use("rofr", "t1")) == "duplicate_id"
    assert code(driver, use("rofr", "team-t")) == "duplicate_id"
    assert driver.ask(use("rofr"))["start_at"] == day(5)
    assert sides.from_day(driver)[:3] == [(0, 0), (5, 1), (25, 0)]
    assert (right_of(driver).life, driver.world.state.claims.rented.offers.open) == (Life.DORMANT, {})
    assert code(driver, use("rofr", "more")) == "not_exercisable"
    # And it stands before the next sale.
    assert driver.ask(received(start=6, end=25))["offer"] == "open"
    machine.same_when_replayed(driver.world, driver.events)
    machine.same_when_restored(driver.world)


def test_an_offer_is_one_of_its_own_contract() -> None:
    other = rental(promise("t2", start=30), name="other", rights=(refusal("second", notice_s=7200),))
    driver = customer(rental(promise(racks=1, start=30), rights=(refusal(),)), other)
    driver.ask(received())
    driver.ask(received("second", nodes=1))
    for name, nodes in (("rent", 4), ("other", 1)):
        (found,) = sides.entitled(driver, name).rights
        assert found.offer is not None
        assert found.offer.nodes == nodes
    driver.ask(use("second", "more"))
    assert (made(driver, "more").count, right_of(driver).life) == (1, Life.OFFERED)


def test_an_answer_is_received_after_the_offer() -> None:
    driver = asked()
    driver.later(hours=2)
    driver.ask(received())
    for answer in (use("rofr", effective_at=driver.at - 1), waiver(effective_at=driver.at - 1)):
        assert code(driver, answer) == "too_early"
    assert driver.ask(use("rofr", effective_at=driver.at))["start_at"] == driver.at


def test_an_offer_that_is_entered_late_is_answered_when_it_was() -> None:
    driver = asked(grace_s=600)
    driver.later(hours=1, seconds=300)
    driver.ask(received(since=T0))
    assert driver.last(offers.OfferReceived).grace_until_at == 0
    assert code(driver, use("rofr")) == "too_late"
    driver.ask(use("rofr", effective_at=T0 + HOUR_US - 1))
    assert made(driver).start_at == T0 + HOUR_US - 1


def test_an_offer_that_is_entered_after_its_time_has_its_grace_anew() -> None:
    driver = asked(grace_s=600)
    driver.later(hours=9)
    driver.ask(received(since=T0))
    assert driver.last(offers.OfferReceived).grace_until_at == driver.at + 600 * SECOND_US
    assert code(driver, waiver()) == "too_late"
    driver.later(seconds=599)
    assert right_of(driver).life is Life.OFFERED
    driver.later(seconds=1)
    assert passed(driver) == [(4, T0 + HOUR_US + DAY_US, 0)]


def test_what_it_draws_and_what_it_costs() -> None:
    granted = refusal(cap=ids.CapId("cap"), price_micros_per_gpu_hour=3 * MICROS)
    plan = rental(promise(racks=1, start=30), rights=(granted,), caps=(market.cap(money=16_000),))
    driver = customer(plan)
    driver.ask(received(end=10))
    assert driver.refused(use("rofr")).code == "cap_reached"
    driver.ask(waiver())
    driver.ask(received(nodes=2, end=10, anew=True))
    assert driver.ask(use("rofr"))["drawn_micros"] == 16 * 240 * 3 * MICROS
    assert made(driver).price_micros_per_gpu_hour == 3 * MICROS


# What was let pass


def test_a_waiver_covers_the_sale_on_no_better_terms() -> None:
    driver = asked()
    driver.ask(received())
    driver.later(seconds=600)
    until_at = driver.at + DAY_US
    assert driver.ask(waiver()) == {"right": "rofr", "until_at": until_at}
    assert driver.last(rented.RentedRightWaived).until_at == until_at
    assert passed(driver) == [(4, until_at, 0)]
    driver.later(seconds=60)
    told = {"right": "rofr", "offer": "covered", "until_at": until_at, "changed": True}
    for again in (received(), received(nodes=3, start=1, end=19, price=2_000_001)):
        assert driver.ask(again) == told
        assert driver.ask(again) == told | {"changed": False}
        assert passed(driver) == [(4, until_at, driver.at)]
        assert right_of(driver).life is Life.DORMANT
        assert code(driver, use("rofr")) == "not_exercisable"
        driver.later(seconds=60)
    assert driver.ask(received(since=T0 + 1))["changed"]


@pytest.mark.parametrize(
    "better",
    [{"price": 1_999_999}, {"nodes": 5}, {"start": -1}, {"end": 21}, {"at": SiteId("far")},
     {"anew": True}],
)  # fmt: skip
def test_a_better_one_is_a_new_offer(better: dict[str, Any]) -> None:
    driver = asked(site=SiteId(""))
    driver.ask(received())
    driver.ask(waiver())
    assert driver.ask(received())["offer"] == "covered"
    assert driver.ask(received(**better))["offer"] == "open"
    assert right_of(driver).deadline_at == driver.at + HOUR_US


def test_what_was_not_answered_counts_from_its_deadline() -> None:
    driver = asked(grace_s=3600)
    driver.ask(received())
    driver.later(hours=1)
    assert right_of(driver).life is Life.OFFERED
    driver.later(hours=1)
    until_at = T0 + HOUR_US + DAY_US
    assert driver.last(offers.ReceivedOfferLapsed).until_at == until_at
    driver.until(until_at - 1)
    assert driver.ask(received())["offer"] == "covered"
    driver.later(seconds=1)
    assert driver.ask(received())["offer"] == "open"


def test_a_right_is_given_up_without_an_offer_as_before() -> None:
    driver = asked(call(), refusal())
    assert code(driver, waiver()) == "not_exercisable"
    driver.ask(waiver("call"))
    assert right_of(driver, "call").life is Life.WAIVED


def test_business_days_count_as_on_the_sellers_side() -> None:
    driver = customer()
    driver.ask(workdays.ApplyBusinessCalendar(calendar()))
    granted = refusal(answer_s=0, notice=workdays.DayNotice(2, DESK))
    driver.ask(sign(rental(promise(racks=1, start=30), rights=(granted,))))
    policy(driver, notice_grace_s=0)
    # Friday at 18:00 in Helsinki: received on Monday, and answered until Wednesday at 17:00.
    driver.until(day(1) + 16 * HOUR_US)
    assert driver.ask(received())["until_at"] == day(6) + 15 * HOUR_US
    driver.until(day(5))
    assert code(driver, waiver(effective_at=day(1))) == "too_early"
    driver.ask(waiver(effective_at=day(4) + 15 * HOUR_US))
    # What comes in at closing time is received the next morning.
    assert driver.last(rented.RentedRightWaived).effective_at == day(4) + 22 * HOUR_US
    assert passed(driver) == [(4, day(5) + 22 * HOUR_US, 0)]


# Clocks that ran while forebay was down


def test_the_clock_of_an_offer_passes_while_forebay_is_down() -> None:
    driver = asked(grace_s=86_400)
    driver.ask(received())
    assert down(driver, day(7)) == ["AnswerGraceExtended"]
    assert driver.last(offers.AnswerGraceExtended).grace_until_at == day(8)
    assert code(driver, use("rofr")) == "too_late"
    driver.until(day(8) - 1)
    driver.ask(use("rofr", effective_at=T0 + HOUR_US - 1))
    assert made(driver).count == 4
    machine.same_when_replayed(driver.world, driver.events)
    machine.same_when_restored(driver.world)


def test_nobody_answered_after_the_outage() -> None:
    driver = asked(grace_s=86_400)
    driver.ask(received())
    assert down(driver, day(7)) == ["AnswerGraceExtended"]
    driver.until(day(8))
    assert driver.last(offers.ReceivedOfferLapsed).until_at == T0 + HOUR_US + DAY_US
    assert right_of(driver).life is Life.DORMANT


def test_another_policy_waits_for_another_time() -> None:
    driver = asked(grace_s=86_400)
    driver.ask(received())
    policy(driver, notice_grace_s=60)
    driver.later(hours=1, seconds=60)
    assert right_of(driver).life is Life.DORMANT


# Amendments


def test_an_offer_is_answered_by_the_terms_under_which_it_was_received() -> None:
    plan = rental(promise(racks=1, start=30), rights=(refusal(answer_s=7200),))
    driver = customer(plan)
    policy(driver, notice_grace_s=0)
    granted = refusal(answer_s=60, waiver_s=0, price_micros_per_gpu_hour=9 * MICROS)
    driver.ask(sign(replace(plan, version=2, effective_at=T0 + HOUR_US, rights=(granted,))))
    driver.later(hours=1, seconds=30)
    assert right_of(driver).plan.notice_s == 60
    # It was received before the amendment, and is entered after it.
    assert driver.ask(received(since=T0 + 1))["until_at"] == T0 + 1 + 2 * HOUR_US
    found = sides.entitled(driver).rights[0]
    assert found.offer is not None
    assert found.offer.price_micros_per_gpu_hour == 2 * MICROS
    another = replace(plan, version=3, effective_at=driver.at + HOUR_US, rights=(refusal(answer_s=90),))
    assert code(driver, sign(another)) == "not_amendable"
    driver.ask(waiver())
    assert passed(driver) == [(4, driver.at + DAY_US, 0)]
    # The next one is by the terms that hold now.
    assert driver.ask(received(anew=True))["until_at"] == driver.at + 60 * SECOND_US
    driver.ask(use("rofr"))
    assert made(driver).price_micros_per_gpu_hour == 9 * MICROS


def test_terms_that_came_into_force_while_it_was_open_hold_for_the_next() -> None:
    plan = rental(promise(racks=1, start=30), rights=(refusal(answer_s=7200),))
    for answer in (use("rofr"), waiver(), None):
        driver = customer(plan)
        policy(driver, notice_grace_s=0)
        driver.ask(sign(replace(plan, version=2, effective_at=T0 + HOUR_US, rights=(refusal(answer_s=60),))))
        driver.ask(received())
        driver.later(hours=1, seconds=1)
        assert right_of(driver).plan.notice_s == 7200
        if answer is None:
            driver.later(hours=1)
        else:
            driver.ask(answer)
        assert right_of(driver).plan.notice_s == 60


def test_an_offer_goes_with_the_order() -> None:
    late = market.late(longstop=5)
    granted = (market.termination(ends_order=True), refusal())
    driver = customer(rental(promise(racks=1, start=2, late=late), rights=granted))
    driver.until(day(8))
    driver.ask(received(end=30))
    driver.ask(use("out"))
    assert (right_of(driver).life, driver.world.state.claims.rented.offers.open) == (Life.LAPSED, {})
    driver.later(days=3)


# The worked example of docs/explanation/promises.md


def test_an_offer_answered_at_the_last_second_on_both_sides() -> None:
    for answered_at, codes in ((T0 + HOUR_US - SECOND_US, []), (T0 + HOUR_US, ["not_exercisable"])):
        plan = rental(promise(racks=1, start=30), rights=(refusal(),))
        seller, buyer = provider(stands=4, comes=0), customer()
        for driver in (seller, buyer):
            driver.ask(sign(plan))
            policy(driver, notice_grace_s=0)
        market.keep(seller, market.hold(nodes=8))
        deadline_at = market.offer(seller)
        assert buyer.ask(received(nodes=8))["until_at"] == deadline_at == T0 + HOUR_US
        for driver in (seller, buyer):
            driver.at = answered_at
        answers = [driver.handle(use("rofr")).answer for driver in (seller, buyer)]
        assert answers[0] == answers[1]
        assert [each.code for each in answers[:1] if isinstance(each, ids.Refusal)] == codes
        if not codes:
            assert isinstance(answers[1], dict)
            assert made(buyer).start_at == answered_at
            cost = answers[1]["drawn_micros"]
            assert decimal_text(cost) == "61312.035556"
            written(f"64 GPUs for 479 hours and one second, {money(cost)}")
        for driver in (seller, buyer):
            driver.later(seconds=1)
        assert sides.entitled(seller) == sides.entitled(buyer)
    assert passed(buyer) == [(8, T0 + HOUR_US + DAY_US, 0)]
    written(
        "us offers it to lab, whose World has the notice at the same instant",
        f"may be sold until {timeline.text(passed(buyer)[0][1])[:19].replace('T', ' ')}",
    )
    assert buyer.ask(received(nodes=8))["offer"] == "covered"
    assert buyer.ask(received(nodes=8, price=1_990_000))["offer"] == "open"


def test_what_is_on_offer_and_the_offer_agree() -> None:
    driver = asked()
    driver.ask(received())
    driver.world.check()
    found = driver.world.state.claims.rented
    found.rights[RightId("rofr")] = right_of(driver)._replace(life=Life.DORMANT)
    with pytest.raises(
        AssertionError, match="right rofr of what we rent is dormant, and an offer by it is open"
    ):
        driver.world.check()
