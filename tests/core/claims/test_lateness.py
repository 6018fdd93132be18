"""How late a tranche is: until it is accepted, and by which dates."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core import claims, ids
from forebay.core.claims import lateness, shortfall
from forebay.core.claims.shorts import Short
from forebay.core.ids import TrancheId
from forebay.core.units import DAY_US, MICROS
from tests.core.claims import market
from tests.core.claims.market import (
    accept,
    accepted,
    code,
    day,
    held_up,
    late,
    policy,
    promise,
    ramp,
    ready,
    reject,
    relieved,
    sign,
    slip,
    termination,
    use,
)
from tests.core.plant import OPERATOR, T0, Driver, contract

Told = list[tuple[int, int, int]]


def late_by(driver: Driver, name: str = "t1") -> lateness.Lateness:
    state = driver.world.state
    return lateness.lateness(state.claims, state.supply, state.claims.tranches[TrancheId(name)], driver.at)


def days(shorts: tuple[Short, ...]) -> Told:
    """Racks that are missing, from which day until which."""
    return [
        (each.nodes // 4, (each.start_at - T0) // DAY_US, (each.end_at - T0) // DAY_US) for each in shorts
    ]


def handing(*tranches: claims.TranchePlan, **more: Any) -> Driver:
    return market.market(contract("c1", "acme", *tranches), **({"stands": 4, "comes": 0} | more))


# Until it is accepted


def test_without_terms_what_is_short_is_late() -> None:
    driver = handing(promise("t1", 4, start=10), stands=2, comes=2, on=5)
    slip(driver, 20)
    shorts = driver.world.state.claims.shorts[market.STOCK]
    assert late_by(driver) == (shorts, shorts, shorts)


def test_late_until_it_is_accepted() -> None:
    driver = handing(promise("t1", 3, end=100, acceptance=accepted(deemed=10)))
    driver.until(day(2))
    # Nobody said that anything is ready: so far it counts until now, and would go on to the end of the term.
    found = late_by(driver)
    assert (days(found.missing), days(found.late), days(found.lasting)) == (
        [(3, 0, 2)],
        [(3, 0, 2)],
        [(3, 0, 100)],
    )
    driver.ask(ready(1))
    driver.ask(ready(1))
    # Two would be accepted by silence.
    found = late_by(driver)
    assert (days(found.late), days(found.lasting)) == ([(3, 0, 2), (2, 2, 12)], [(3, 0, 12), (1, 12, 100)])
    driver.until(day(4)).ask(accept(1))
    driver.until(day(6)).ask(reject(2))
    driver.until(day(8))
    found = late_by(driver)
    assert (days(found.late), days(found.lasting)) == ([(3, 0, 4), (2, 4, 8)], [(3, 0, 4), (2, 4, 100)])


def test_notice_may_come_before_the_date() -> None:
    driver = handing(promise("t1", 2, start=10, end=100, acceptance=accepted(deemed=20)))
    driver.ask(ready(1))
    assert days(late_by(driver).late) == [(1, 10, 20)]
    assert days(late_by(driver).lasting) == [(1, 10, 20)]
    driver.until(day(5)).ask(accept())
    assert late_by(driver) == ((), (), ())
    driver.until(day(12))
    assert days(late_by(driver).late) == [(1, 10, 12)]


def test_notice_without_an_end_is_no_acceptance() -> None:
    driver = handing(promise("t1", 1, end=100, acceptance=accepted()))
    driver.ask(ready())
    driver.until(day(3))
    assert (days(late_by(driver).late), days(late_by(driver).lasting)) == ([(1, 0, 3)], [(1, 0, 100)])


def test_what_is_short_is_late_before_it_can_be_ready() -> None:
    driver = handing(ramp((0, 2), (20, 2), end=100, acceptance=accepted()), stands=2, comes=2, on=15)
    driver.ask(ready(2))
    driver.ask(accept())
    slip(driver, 30)
    assert days(late_by(driver).late) == [(2, 20, 30)]
    driver.until(day(25))
    # The date passed: it is late until somebody accepts it, and that it is short counts no second time.
    assert days(late_by(driver).late) == [(2, 20, 30)]
    assert days(late_by(driver).lasting) == [(2, 20, 100)]


def test_what_ends_is_late_no_more() -> None:
    driver = handing(promise("t1", 1, end=5, acceptance=accepted()))
    driver.until(day(9))
    assert days(late_by(driver).late) == days(late_by(driver).lasting) == [(1, 0, 5)]


def test_the_longstop_of_what_nobody_accepts() -> None:
    plan = promise("t1", 1, late=late(0, 5, longstop=30), acceptance=accepted())
    driver = market.market(contract("c1", "acme", plan, rights=(termination(),)), stands=2, comes=0)
    driver.until(day(10))
    driver.ask(ready())
    cost = lateness.cost_of(
        driver.world.state.supply, driver.world.state.claims.tranches[TrancheId("t1")], late_by(driver)
    )
    assert cost == shortfall.Cost(10 * 32 * 48 * MICROS, 10 * 32 * 5 * MICROS, False, day(30))
    driver.until(day(29))
    assert driver.refused(use("out")).detail == (
        "tranche t1 is not late beyond its longstop of 30 days; it is from 2026-01-31T00:00:00Z on"
    )
    driver.until(day(30))
    assert driver.ask(use("out"))["ended"] == ["t1"]


# Relief


TERMS: list[tuple[Any, Any, str, str]] = [
    ((relieved(), relieved()), (), "bad_relief", "tranches[0].relief[1].kind"),
    ((relieved(notice=0),), (), "bad_relief", "tranches[0].relief[0]"),
    ((), (relieved(cap=0),), "bad_relief", "relief[0]"),
]


@pytest.mark.parametrize(("own", "shared", "expected", "where"), TERMS)
def test_terms_that_cannot_stand(own: Any, shared: Any, expected: str, where: str) -> None:
    driver = handing()
    no = driver.refused(sign(contract("c2", "acme", promise(relief=own), relief=shared)))
    assert (no.code, no.field) == (expected, where)


def test_every_refusal_of_relief_in_its_order() -> None:
    plans = promise("t1", start=20, relief=(relieved(notice=5, cap=3),)), promise("old", end=1)
    driver = handing(*plans)
    driver.later(days=10)
    rows: list[tuple[ids.Command, str]] = [
        (held_up(9, 8, of="absent"), "unknown_tranche"),
        (held_up(9, 8, of="old"), "tranche_over"),
        (held_up(9, 8, "change_order"), "no_relief"),
        (held_up(9, 9, received_at=day(11), reason=""), "bad_term"),
        (held_up(9, 12, received_at=day(11), reason=""), "future_fact"),
        (held_up(5, 12, reason=""), "no_reason"),
        (held_up(5, 12), "too_late"),
        (held_up(25, 29), "moves_nothing"),
    ]
    for command, expected in rows:
        assert code(driver, command) == expected, command
    assert driver.refused(rows[6][0]).detail == (
        "notice of force_majeure was to be received before 2026-01-11T00:00:00Z"
    )
    answer = driver.ask(held_up(9, 20))
    assert answer == {"tranche": "t1", "granted_until_at": day(12), "moved": [[1, day(20), day(23)]]}
    assert code(driver, held_up(9, 20)) == "relief_used_up"


def test_a_cap_adds_up_over_events_of_a_kind() -> None:
    terms = relieved(cap=5), relieved("customer_delay", cap=5)
    driver = handing(promise("t1", start=40, relief=terms))
    driver.ask(held_up(0, 3))
    driver.ask(held_up(10, 14))
    assert lateness.dates_of(driver.world.state.claims.tranches[TrancheId("t1")])[0].moved_to == day(45)
    driver.ask(held_up(20, 24, "customer_delay"))
    assert lateness.dates_of(driver.world.state.claims.tranches[TrancheId("t1")])[0].moved_to == day(49)
    # Days that were given before move nothing, and use up no cap.
    assert code(driver, held_up(22, 24, "customer_delay")) == "moves_nothing"
    assert driver.ask(held_up(30, 40, "customer_delay"))["moved"] == [[1, day(40), day(50)]]


def test_the_same_day_moves_a_date_once() -> None:
    driver = handing(promise("t1", start=40, relief=(relieved(), relieved("change_order"))))
    driver.ask(held_up(10, 14))
    assert code(driver, held_up(11, 13, "change_order")) == "moves_nothing"
    driver.ask(held_up(12, 20, "change_order"))
    (date,) = lateness.dates_of(driver.world.state.claims.tranches[TrancheId("t1")])
    assert date.moved_to == day(50)


def test_what_the_contract_says_holds_for_kinds_that_a_tranche_does_not_name() -> None:
    own = promise("t1", start=40, relief=(relieved(cap=1),))
    shared = relieved(cap=5), relieved("customer_delay", cap=5)
    driver = market.market(contract("c1", "acme", own, relief=shared), stands=2, comes=0)
    assert driver.ask(held_up(0, 9))["granted_until_at"] == day(1)
    assert driver.ask(held_up(0, 9, "customer_delay"))["granted_until_at"] == day(5)


def short_of_two() -> Driver:
    """Two racks are missing from day 0 to 40, and two more from day 20 to 40."""
    driver = market.market(stands=1, comes=3, on=10)
    plan = ramp((0, 1), (10, 1), (20, 2), end=100, late=late(0, 5, longstop=25), relief=(relieved(),))
    driver.ask(sign(contract("c1", "acme", plan, rights=(termination(),))))
    slip(driver, 40)
    return driver


def test_damages_count_from_where_a_date_was_moved_to() -> None:
    driver = short_of_two()
    assert days(late_by(driver).late) == [(1, 10, 20), (3, 20, 40)]
    driver.until(day(12))
    driver.ask(held_up(12, 17))
    found = late_by(driver)
    # What was late already stays so; what is due on day 20 is late from day 25 on. Nothing more can be charged.
    assert days(found.missing) == [(1, 10, 20), (3, 20, 40)]
    assert days(found.late) == days(found.lasting) == [(1, 10, 25), (3, 25, 40)]
    tranche = driver.world.state.claims.tranches[TrancheId("t1")]
    cost = lateness.cost_of(driver.world.state.supply, tranche, found)
    assert cost == shortfall.Cost(70 * 32 * 48 * MICROS, 60 * 32 * 5 * MICROS, False, day(35))
    driver.until(day(36))
    assert driver.ask(use("out"))["ended"] == ["t1"]


def test_a_longstop_moves_with_its_date() -> None:
    driver = market.market(stands=1, comes=1, on=10)
    plan = promise("t1", 2, start=10, end=100, late=late(0, 5, longstop=25), relief=(relieved(),))
    driver.ask(sign(contract("c1", "acme", plan, rights=(termination(),))))
    slip(driver, 60)
    driver.ask(held_up(0, 5))
    driver.until(day(36))
    assert "2026-02-10T00:00:00Z" in driver.refused(use("out")).detail
    driver.until(day(40))
    assert driver.ask(use("out"))["ended"] == ["t1"]


def test_a_date_that_is_moved_behind_the_term() -> None:
    driver = handing(promise("t1", 2, start=10, end=15, relief=(relieved(),)), stands=1, comes=1, on=5)
    slip(driver, 60)
    driver.ask(held_up(1, 9))
    assert (days(late_by(driver).missing), days(late_by(driver).late)) == ([(1, 10, 15)], [])


def test_relief_and_acceptance() -> None:
    driver = handing(promise("t1", 1, start=10, acceptance=accepted(), relief=(relieved(),)))
    driver.ask(held_up(0, 4))
    driver.until(day(20)).ask(ready())
    driver.ask(accept())
    found = late_by(driver)
    assert (days(found.missing), days(found.late)) == ([(1, 10, 20)], [(1, 14, 20)])


# The first tranche ends the order


def order(ends: str = "first", **more: Any) -> Driver:
    """Four tranches, each of a rack: one is late, two begin later, one is accepted or not."""
    terms = {"late": late(0, 5, longstop=5), "acceptance": accepted()}
    plans = (
        promise("t1", 1, start=1, **terms),
        promise("t2", 1, start=2, **terms),
        promise("t3", 1, start=2),
        promise("t4", 1, start=90, **terms),
    )
    granted = tuple(termination(f"out-{name}", of=name, **more) for name in ("t1", "t2", "t4"))
    return market.market(contract("c1", "acme", *plans, rights=granted), stands=4, comes=0)


def test_the_first_tranche_ends_what_has_not_begun() -> None:
    driver = order(first_ends_rest=True)
    driver.until(day(8))
    # t3 began, and has no terms for acceptance: it stays.
    assert driver.ask(use("out-t1"))["ended"] == ["t1", "t2", "t4"]
    assert driver.world.state.claims.tranches[TrancheId("t3")].standing is claims.Standing.LIVE


def test_what_was_accepted_stays() -> None:
    driver = order(first_ends_rest=True)
    driver.until(day(8))
    for name, left in (("t2", ["t1", "t4"]), ("t4", ["t1"])):
        # Also where its term is yet to begin.
        driver.ask(ready(of=name))
        driver.ask(accept(of=name))
        copy = driver.world.fork()
        asked = ids.Asked(use("out-t1"), OPERATOR)
        assert copy.handle(asked, driver.at).answer["ended"] == left  # type: ignore[index]


def test_a_later_tranche_ends_itself_only() -> None:
    driver = order(first_ends_rest=True)
    driver.until(day(8))
    assert driver.ask(use("out-t2"))["ended"] == ["t2"]
    # What is over ends nothing, and nothing ends with it.
    assert driver.ask(use("out-t1"))["ended"] == ["t1", "t4"]


def test_what_has_ended_does_not_end_again() -> None:
    driver = order(first_ends_rest=True)
    driver.until(day(8))
    driver.ask(use("out-t2"))
    assert driver.ask(use("out-t1"))["ended"] == ["t1", "t4"]


def test_tranche_by_tranche() -> None:
    driver = order()
    driver.until(day(8))
    assert driver.ask(use("out-t1"))["ended"] == ["t1"]


def test_a_right_ends_the_order_or_the_rest() -> None:
    driver = market.market(stands=2, comes=0)
    both = termination(ends_order=True, first_ends_rest=True)
    plan = promise(late=late(longstop=5))
    no = driver.refused(sign(contract("c1", "acme", plan, rights=(both,))))
    assert (no.code, no.field) == ("bad_term", "rights[0].first_ends_rest")


def test_a_policy_changes_when_silence_counts() -> None:
    driver = handing(promise("t1", 1, acceptance=accepted(deemed=3)))
    driver.ask(ready())
    policy(driver, notice_grace_s=2 * market.DAY_S)
    assert driver.world.next_wake() == day(5)
