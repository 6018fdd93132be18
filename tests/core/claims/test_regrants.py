"""Rights that an amendment grants on other terms, or no more: what may not change, and what holds until when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forebay.core import claims
from forebay.core.claims import SignContract, rights
from forebay.core.claims.rights import Life, RightKind, RightPlan
from forebay.core.ids import CapId, RightId, SkuId
from forebay.core.units import MICROS
from tests.core.claims.market import (
    backstop,
    call,
    cap,
    code,
    day,
    encumbered,
    extension,
    held_right,
    hold,
    keep,
    late,
    life,
    offer,
    promise,
    refusal,
    sign,
    termination,
    terms_of,
    use,
    waiver,
)
from tests.core.claims.test_amendments import amended, signed, text
from tests.core.plant import FINANCE, Driver, contract

DAY_S = 86_400


def refused(driver: Driver, *granted: RightPlan, **changed: Any) -> tuple[str, str]:
    no = driver.refused(SignContract(text(driver, rights=granted, **changed)))
    return no.code, no.field


# What is refused.


def test_what_a_right_may_not_change_in_its_order() -> None:
    """Of several mistakes the first one is told; each row mends the one of the row before."""
    used, first, put = call("used", 1), call("first", 2, cap="cap"), backstop("put", measure_at=day(2))
    driver = signed(
        promise("t1", 1),
        caps=(cap("cap", 10**6), cap("more")),
        stands=6,
        rights=(refusal(), used, first, put),
    )
    driver.ask(use("used", "t8", racks=1))
    driver.ask(use("first", "t9", racks=1))
    driver.until(day(3))
    keep(driver, hold())
    offer(driver)
    assert [life(driver, name).value for name in ("rofr", "used", "first", "put")] == [
        "offered", "exercised", "dormant", "dormant",
    ]  # fmt: skip
    fine = replace(put, price_micros_per_gpu_hour=3 * MICROS)
    less, moved = replace(first, racks_max=0), replace(fine, measure_at=day(20))
    rows = [
        ("rights", (less, moved)),
        ("rights[0]", (replace(refusal(), notice_s=7200), less, moved)),
        ("rights", (refusal(), less, moved)),
        ("rights[1]", (refusal(), call("used", 2), less, moved)),
        ("rights[2].kind", (refusal(), used, replace(less, kind=RightKind.BACKSTOP, sku=SkuId("?")), moved)),
        ("rights[2].sku", (refusal(), used, replace(less, sku=SkuId("?"), cap=CapId("more")), moved)),
        ("rights[2].cap", (refusal(), used, replace(less, cap=CapId("more")), moved)),
        ("rights[3].measure_at", (refusal(), used, first, moved)),
    ]
    for field, granted in rows:
        assert refused(driver, *granted) == ("not_amendable", field)
    # What is granted anew is checked like any other right.
    assert refused(driver, refusal(), used, replace(first, racks_max=0), fine) == (
        "bad_quantity", "rights[2].racks_max",
    )  # fmt: skip
    assert refused(driver, refusal(), used, replace(first, expires_at=day(3)), fine) == (
        "bad_term", "rights[2].expires_at",
    )  # fmt: skip
    later = {"effective_at": day(9)}
    assert refused(driver, refusal(), used, replace(first, expires_at=day(9)), fine, **later)[0] == "bad_term"
    amended(driver, rights=(refusal(), used, first, fine))
    assert held_right(driver, "put").unsold == 2


def test_no_fewer_racks_than_were_taken() -> None:
    driver = signed(promise("t1", 1), rights=(call("call", 3),), stands=5)
    driver.ask(use("call", "t9", racks=2))
    assert refused(driver, call("call", 1)) == ("not_amendable", "rights[0].racks_max")
    assert amended(driver, rights=(call("call", 2),))["signed"]
    assert life(driver, "call") is Life.EXERCISED


def test_a_name_of_before_is_not_granted_again() -> None:
    driver = signed(promise("t1", 1), rights=(call(),), stands=3)
    amended(driver, rights=())
    assert refused(driver, call()) == ("duplicate_id", "rights[0].id")


# From when on.


def test_other_terms_hold_from_their_date_and_more_is_kept_from_the_signature() -> None:
    """Two racks now, three from day 5 on: from the signature on nobody else can have the third."""
    driver = signed(promise("t1", 1), rights=(call("call", 2),), stands=4)
    dearer = replace(
        call("call", 3), price_micros_per_gpu_hour=3 * MICROS, notice_s=2 * DAY_S, expires_at=day(12)
    )
    assert [encumbered(driver, n) for n in (1, 20, 21)] == [2, 2, 0]
    amended(driver, rights=(dearer,), effective_at=day(5))
    # 2 racks from day 1 to day 21 by the old terms, 3 from day 7 to day 24 by the new ones.
    assert [encumbered(driver, n) for n in (1, 6, 7, 20, 21, 23, 24)] == [2, 2, 3, 3, 3, 3, 0]
    assert code(driver, sign(contract("c2", "bravo", promise("theirs", 1, start=8)))) == "oversold"
    held = held_right(driver, "call")
    assert (held.plan.racks_max, held.closes_at, len(held.to_come)) == (2, day(10), 1)
    driver.until(day(4)).ask(use("call", "early", racks=1))
    assert terms_of(driver, "early").price_micros_per_gpu_hour == 2 * MICROS
    assert encumbered(driver, 7) == 2
    driver.until(day(6))
    held = held_right(driver, "call")
    assert (held.plan.price_micros_per_gpu_hour, held.closes_at, held.to_come) == (3 * MICROS, day(12), ())
    assert [encumbered(driver, n) for n in (6, 7, 8, 23)] == [0, 2, 2, 2]
    driver.ask(use("call", "late", racks=2))
    assert (terms_of(driver, "late").price_micros_per_gpu_hour, terms_of(driver, "late").start_at) == (
        3 * MICROS, day(8),
    )  # fmt: skip
    assert life(driver, "call") is Life.EXERCISED


def test_less_is_free_on_the_date_and_not_before() -> None:
    driver = signed(promise("t1", 1), rights=(call("call", 2),), stands=3)
    amended(driver, rights=(call("call", 1, term_s=5 * DAY_S),), effective_at=day(5))
    assert [encumbered(driver, n) for n in (2, 8, 18)] == [2, 2, 2]
    driver.until(day(5))
    assert [encumbered(driver, n) for n in (2, 6, 8, 15, 18)] == [0, 1, 1, 1, 0]


def test_a_notice_counts_by_the_terms_of_when_it_was_received() -> None:
    driver = signed(promise("t1", 1), rights=(call("call", 2),), stands=3)
    dearer = replace(call("call", 2), price_micros_per_gpu_hour=3 * MICROS, opens_at=day(7))
    amended(driver, rights=(dearer,), effective_at=day(5))
    driver.until(day(6))
    assert code(driver, use("call", racks=1)) == "too_early"
    driver.ask(use("call", "in-time", racks=1, effective_at=day(5) - 1), FINANCE)
    assert terms_of(driver, "in-time").price_micros_per_gpu_hour == 2 * MICROS
    assert code(driver, use("call", racks=1, effective_at=day(5)), by=FINANCE) == "too_early"
    shorter = replace(dearer, expires_at=day(9))
    amended(driver, rights=(shorter,), effective_at=day(8))
    driver.until(day(9))
    # The window that ended meanwhile had not ended when the notice was received.
    assert code(driver, use("call", racks=1)) == "too_late"
    driver.ask(use("call", "window", racks=1, effective_at=day(7)), FINANCE)


def test_an_open_offer_is_answered_by_its_own_terms() -> None:
    driver = signed(promise("t1", 1), rights=(refusal(answer_s=4 * DAY_S),), stands=4)
    keep(driver, hold())
    amended(
        driver, rights=(refusal(answer_s=3600, waiver_s=5 * DAY_S, price_micros_per_gpu_hour=MICROS),),
        effective_at=day(2),
    )  # fmt: skip
    assert offer(driver) == day(4)
    driver.until(day(3))
    held = held_right(driver, "rofr")
    assert (held.life, held.plan.notice_s, held.deadline_at) == (Life.OFFERED, 4 * DAY_S, day(4))
    driver.ask(waiver())
    # One day to sell it, as was agreed when it was offered; and the next offer is for an hour.
    held = held_right(driver, "rofr")
    assert (held.passed[0][1], held.plan.notice_s, held.life) == (day(4), 3600, Life.DORMANT)
    keep(driver, hold("h2", of="carol", start=4, end=9, expires_at=day(9)))
    assert offer(driver, held="h2") == day(3) + 3600 * MICROS
    driver.ask(use("rofr", "mine"))
    assert terms_of(driver, "mine").price_micros_per_gpu_hour == MICROS


def test_terms_follow_on_each_other() -> None:
    driver = signed(promise("t1", 1), rights=(call("call", 1),), stands=5)
    amended(driver, rights=(call("call", 3),), effective_at=day(3))
    amended(driver, rights=(call("call", 2),), effective_at=day(6))
    assert encumbered(driver, 9) == 3
    driver.until(day(4)).ask(use("call", "t9", racks=3))
    driver.until(day(7))
    # More was taken than the last version grants.
    assert (life(driver, "call"), encumbered(driver, 9)) == (Life.EXERCISED, 0)
    assert [each.plan.racks_max for each in held_right(driver, "call").earlier] == [1]


@pytest.mark.parametrize("taken", [0, 1])
def test_a_cap_that_is_lowered_holds_from_the_signature_on(taken: int) -> None:
    """A rack for ten days costs 32 x 240 x 2.00 = 15360.00."""
    driver = signed(
        promise("t1", 1), rights=(call("call", 3, cap="cap"),), caps=(cap("cap", 50_000),), stands=5
    )
    amended(driver, caps=(cap("cap", 20_000),), effective_at=day(5))
    assert code(driver, use("call", racks=2)) == "cap_reached"
    driver.ask(use("call", "t8", racks=1))
    if taken:
        driver.until(day(6))
    assert code(driver, use("call", "t9", racks=1)) == "cap_reached"


# Withdrawn.


def test_a_right_that_is_withdrawn_with_the_signature_is_over() -> None:
    driver = signed(promise("t1", 1), rights=(call(), refusal(), extension()), stands=3)
    assert encumbered(driver, 5) == 2
    amended(driver, rights=(extension(),))
    assert [life(driver, name) for name in ("call", "rofr", "longer")] == [
        Life.LAPSED,
        Life.LAPSED,
        Life.DORMANT,
    ]
    assert (encumbered(driver, 5), encumbered(driver, 370)) == (0, 1)
    assert code(driver, use("call", racks=1)) == "not_exercisable"
    driver.ask(sign(contract("c2", "bravo", promise("theirs", 2))))


def test_a_right_that_is_withdrawn_later_may_be_used_until_then() -> None:
    driver = signed(
        promise("t1", 1, late=late(longstop=5)), rights=(call("call", 3), refusal(), termination()), stands=5
    )
    amended(driver, rights=(), effective_at=day(5))
    assert [held_right(driver, name).closes_at for name in ("call", "rofr", "out")] == [day(5)] * 3
    driver.until(day(4)).ask(use("call", "before", racks=1, start_at=day(11)))
    driver.until(day(5))
    assert encumbered(driver, 8) == 2
    assert code(driver, use("call", racks=1)) == "too_late"
    # It no longer stands before a sale; a notice that was received in time may be entered for a day.
    driver.ask(sign(contract("c2", "bravo", promise("theirs", 1))))
    driver.later(hours=20).ask(use("call", "in-time", racks=1, effective_at=day(5) - 1), FINANCE)
    driver.until(day(6))
    assert [life(driver, name) for name in ("call", "rofr", "out")] == [Life.LAPSED] * 3
    assert encumbered(driver, 8) == 0


def test_a_right_is_withdrawn_while_its_offer_is_open() -> None:
    driver = signed(promise("t1", 1), rights=(refusal(answer_s=4 * DAY_S),), stands=3)
    keep(driver, hold(expires_at=day(9)))
    amended(driver, rights=(), effective_at=day(2))
    offer(driver)
    driver.until(day(3)).ask(waiver())
    assert (life(driver, "rofr"), held_right(driver, "rofr").passed[0][1]) == (Life.LAPSED, day(4))


def test_an_extension_is_withdrawn_and_its_tranche_goes_on() -> None:
    driver = signed(promise("t1", 1, end=20), rights=(extension(),), stands=2)
    amended(driver, rights=(), effective_at=day(8))
    assert (held_right(driver, "longer").closes_at, encumbered(driver, 25)) == (day(8), 1)
    # A longer term moves the last day of its notice, and not the day of its withdrawal.
    amended(driver, tranches=(promise("t1", 1, end=40),), effective_at=day(8))
    assert held_right(driver, "longer").closes_at == day(8)
    driver.until(day(10))
    assert encumbered(driver, 45) == 0


# What they take more.


def test_more_than_there_will_be_is_refused_for_the_right_that_takes_it() -> None:
    driver = signed(promise("t1", 1, end=20), rights=(call("a", 1), call("b", 1), extension()), stands=3)
    told = driver.refused(SignContract(text(driver, rights=(call("a", 1), call("b", 2), extension()))))
    assert (told.code, told.field, told.detail) == (
        "oversold", "rights[1]",
        "right b may take 4 nodes of hgx at north too many from 2026-01-01T00:00:00Z on, at P90",
    )  # fmt: skip
    later = SignContract(text(driver, rights=(call("a", 1), call("b", 2), extension()), effective_at=day(4)))
    assert driver.refused(later).detail.startswith(
        "right b may take 4 nodes of hgx at north too many from 2026-01-06"
    )
    # A longer extension is in nobody's way, and another price takes nothing.
    amended(
        driver, rights=(call("a", 1), call("b", 1, price_micros_per_gpu_hour=1), extension(term_s=20 * DAY_S))
    )
    assert (encumbered(driver, 35), encumbered(driver, 41)) == (1, 0)
    driver.ask(replace(later, plan=replace(text(driver), rights=later.plan.rights), override="it comes"))


def test_what_a_right_takes_more_is_offered_to_others_first() -> None:
    driver = signed(promise("t1", 1, end=20), rights=(call(), extension()), stands=6)
    driver.ask(sign(contract("c9", "carol", promise("theirs", 1), rights=(refusal(),))))
    assert code(driver, SignContract(text(driver, rights=(call("call", 3), extension())))) == "first_refusal"
    longer = (call(), extension(term_s=11 * DAY_S))
    assert code(driver, SignContract(text(driver, rights=longer))) == "first_refusal"
    amended(driver, rights=(call("call", 1), extension(term_s=9 * DAY_S)))
    # A window that is over before a notice could end takes nothing.
    amended(driver, rights=(call("call", 1), extension(term_s=9 * DAY_S, price_micros_per_gpu_hour=1)))


def test_what_is_to_come_is_taken_as_it_will_be() -> None:
    """A right is extended, and the tranche that it is about moves before that holds."""
    driver = signed(promise("t1", 1, end=20), rights=(extension(),), stands=3)
    amended(driver, rights=(extension(term_s=20 * DAY_S, notice_s=2 * DAY_S),), effective_at=day(5))
    amended(driver, tranches=(promise("t1", 1, end=30),), effective_at=day(5))
    assert [encumbered(driver, n) for n in (29, 30, 39, 40, 49, 50)] == [0, 1, 1, 1, 1, 0]
    driver.until(day(6))
    assert held_right(driver, "longer").closes_at == day(28)
    assert held_right(driver, "longer").earlier[0].closes_at == day(25)


def test_an_amendment_that_changes_no_right_keeps_what_is_to_come() -> None:
    driver = signed(promise("t1", 1), rights=(call("call", 1),), stands=4)
    amended(driver, rights=(call("call", 2),), effective_at=day(3))
    amended(driver, clauses=(claims.Clause("Audit", claims.Coverage.WATCHED, day(40)),), effective_at=day(4))
    assert encumbered(driver, 9) == 2
    driver.until(day(5))
    assert held_right(driver, RightId("call")).plan.racks_max == 2
    assert driver.count(rights.RightLapsed) == 0
