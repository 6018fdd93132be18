"""How each kind of right is used: notices, windows, caps, and what was down while a clock ran."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.core import claims, ids, units
from forebay.core.claims import Unit, exercise, rights
from forebay.core.claims.rights import Life
from forebay.core.ids import CapId, TrancheId
from forebay.core.placements import schedule
from forebay.core.placements.gang import Ending
from forebay.core.timeline import INSTANT_MAX, Interval
from forebay.core.units import DAY_US, HOUR_US, MICROS
from tests.core import machine, plant
from tests.core.claims import market
from tests.core.claims.market import (
    DAY_S,
    backstop,
    bound,
    call,
    cap,
    come,
    day,
    extension,
    held_right,
    hold,
    keep,
    late,
    life,
    offer,
    policy,
    promise,
    reach,
    refusal,
    shorts,
    sign,
    slip,
    termination,
    terms_of,
    use,
    waiver,
)
from tests.core.plant import T0, Driver, contract, tenant

ACME = tenant("acme")
#: A rack for ten days at 2.00 a GPU-hour: 32 x 240 x 2.00.
RACK = 15_360


def granted(
    *plans: rights.RightPlan, tranches: tuple[Any, ...] = (), caps: tuple[Any, ...] = (), **more: Any
) -> Driver:
    return market.market(contract("c1", "acme", *tranches, rights=plans, caps=caps), **({"comes": 0} | more))


def code(driver: Driver, command: ids.Command, **by: Any) -> str:
    return driver.refused(command, **by).code


# What comes before everything else


def test_notices_that_cannot_be_meant() -> None:
    driver = granted(
        call(opens_at=day(2)), refusal(site="north"), call("gone", racks=1, opens_at=day(8)), stands=3
    )
    driver.ask(waiver("gone"))
    rows: list[tuple[ids.Command, str]] = [
        (use("absent", effective_at=day(1)), "unknown_right"),
        (use("gone", effective_at=day(1)), "future_fact"),
        (use("gone", effective_at=T0), "not_exercisable"),
        (use("rofr"), "not_exercisable"),
        (use("call"), "too_early"),
        (waiver("absent", effective_at=day(1)), "unknown_right"),
        (waiver("gone", effective_at=day(1)), "future_fact"),
        (waiver("gone"), "not_exercisable"),
        (waiver("rofr"), "not_exercisable"),
    ]
    for command, expected in rows:
        assert code(driver, command) == expected
    assert driver.refused(use("call")).detail == "right call opens at 2026-01-03T00:00:00Z"
    driver.until(day(10))
    assert code(driver, use("call")) == code(driver, waiver("call")) == "too_late"


def test_an_answer_before_the_offer_is_none() -> None:
    driver = granted(refusal())
    keep(driver, hold())
    driver.later(60)
    offer(driver)
    for command in (use("rofr", effective_at=T0 + 1), waiver(effective_at=T0 + 1)):
        no = driver.refused(command)
        assert (no.code, no.detail) == ("too_early", "right rofr was offered at 2026-01-01T00:01:00Z")


# Calls


def test_every_refusal_of_a_call_in_its_order() -> None:
    driver = granted(
        call(racks=4, racks_min=2, cap=CapId("cap")),
        tranches=(promise("t1"),),
        caps=(cap(money=RACK),),
        stands=5,
    )
    rows = [
        (use("call", "!", racks=1, start_at=day(1) - 1), "bad_term"),
        (use("call", "!", racks=1, start_at=day(11) + 1), "bad_term"),
        (use("call", "!", racks=1), "bad_quantity"),
        (use("call", "!", racks=5), "bad_quantity"),
        (use("call", "!"), "bad_quantity"),
        (use("call", "!", racks=2), "bad_id"),
        (use("call", "t1", racks=2), "duplicate_id"),
        (use("call", racks=2), "cap_reached"),
    ]
    for command, expected in rows:
        assert code(driver, command) == expected
    assert (
        driver.refused(rows[1][0]).detail == "it may start from 2026-01-02T00:00:00Z to 2026-01-12T00:00:00Z"
    )
    assert (
        driver.refused(rows[-1][0]).detail
        == "2 racks cost 30720.00 over their term; cap cap has 15360.00 left"
    )


def test_a_call_is_used_bit_by_bit() -> None:
    driver = granted(call(racks=4, racks_min=2, opens_at=T0), stands=4)
    assert (market.encumbered(driver, 0), market.encumbered(driver, 1)) == (0, 4)
    answer = driver.ask(use("call", "a", racks=3, effective_at=0), ACME)
    assert answer == {
        "right": "call", "tranche": "a", "count": 3, "start_at": day(1), "drawn_micros": 3 * RACK * MICROS,
    }  # fmt: skip
    plan = terms_of(driver, "a")
    assert (plan.unit, plan.count, plan.start_at, plan.end_at) == (Unit.RACK, 3, day(1), day(11))
    assert bound(driver, "a") == [(0, 12)]
    assert (life(driver, "call"), market.encumbered(driver, 1)) == (Life.DORMANT, 1)
    # The last of it is less than the least, and may be taken all the same.
    driver.ask(use("call", "b", racks=1, start_at=day(11)))
    assert (life(driver, "call"), market.encumbered(driver, 1)) == (Life.EXERCISED, 0)
    assert (bound(driver, "b"), market.available(driver, 12)) == ([(0, 4)], 3)
    assert code(driver, use("call", racks=1)) == "not_exercisable"


def test_a_call_lapses_and_frees_what_it_kept() -> None:
    driver = granted(call(racks=2))
    driver.until(day(11) - 1)
    assert market.encumbered(driver, 12) == 2
    driver.until(day(11))
    assert (life(driver, "call"), market.encumbered(driver, 12)) == (Life.LAPSED, 0)


def test_a_call_that_is_given_up_frees_what_it_kept() -> None:
    driver = granted(call(racks=2, opens_at=day(5)))
    assert driver.ask(waiver("call"), ACME) == {"right": "call", "until_at": 0}
    assert (life(driver, "call"), market.encumbered(driver, 12)) == (Life.WAIVED, 0)
    assert code(driver, use("call", racks=1, effective_at=0)) == "not_exercisable"


def test_a_notice_that_is_entered_late_counts_from_when_it_was_received() -> None:
    driver = granted(call(racks=2))
    driver.until(day(10) + HOUR_US)
    assert code(driver, use("call", racks=1)) == "too_late"
    driver.ask(use("call", racks=1, effective_at=day(10) - 1))
    assert terms_of(driver).start_at == day(11) - 1


def test_a_call_on_supply_that_slipped_is_short() -> None:
    called = call(racks=2, opens_at=day(4), expires_at=day(9))
    driver = market.market(contract("c1", "acme", rights=(called,)), stands=1, comes=2, on=4)
    slip(driver, 8)
    driver.until(day(5))
    driver.ask(use("call", racks=2), ACME)
    assert shorts(driver) == [("new", 4, 6, 8)]


def test_a_cap_is_shared_to_the_micro_unit() -> None:
    shared = (cap("cap", RACK), cap("other", 1))
    driver = granted(
        call("a", racks=1, cap=CapId("cap"), expires_at=day(9)), call("b", racks=1, cap=CapId("cap")),
        caps=(rights.Cap(CapId("cap"), 2 * RACK * MICROS - 1), shared[1]),
    )  # fmt: skip
    driver.ask(use("a", "a", racks=1))
    assert code(driver, use("b", "b", racks=1)) == "cap_reached"
    assert driver.world.state.claims.drawn == {("c1", "cap"): RACK * MICROS}
    again = granted(
        call("a", racks=1, cap=CapId("cap")), call("b", racks=1, cap=CapId("cap")),
        caps=(rights.Cap(CapId("cap"), 2 * RACK * MICROS),),
    )  # fmt: skip
    again.ask(use("a", "a", racks=1))
    again.ask(use("b", "b", racks=1))
    assert again.world.state.claims.drawn == {("c1", "cap"): 2 * RACK * MICROS}


def test_a_call_near_the_end_of_time() -> None:
    plan = call(racks=1, opens_at=INSTANT_MAX - 9, expires_at=INSTANT_MAX, notice_s=0)
    driver = granted(plan)
    state = driver.world.state.claims
    right = state.rights[ids.RightId("call")]
    asked = use("call", racks=1)
    assert (
        exercise._refuse_start(state, right, use("call", start_at=INSTANT_MAX), INSTANT_MAX - 9) is not None
    )
    assert exercise._refuse_start(state, right, asked, INSTANT_MAX - 9) is None


# Backstops


def test_every_refusal_of_a_backstop_in_its_order() -> None:
    driver = granted(backstop(racks_min=2, cap=CapId("cap"), expires_at=day(30)), tranches=(promise("t1"),),
                     caps=(cap(money=4 * RACK),), stands=5)  # fmt: skip
    driver.until(day(10) - 1)
    assert driver.refused(use("put")).detail == "what stays unsold is measured at 2026-01-11T00:00:00Z"
    driver.until(day(10) + 1)
    taken = contract("c2", "bravo", promise("t2", 3, end=14))
    rows = [
        (use("put", "!", racks=9, effective_at=day(10) - 1), "too_early"),
        (use("put", "!", racks=9, start_at=day(11)), "bad_term"),
        (use("put", "!", racks=9, start_at=day(32)), "bad_term"),
        (use("put", "!", racks=1), "bad_quantity"),
        (use("put", "!", racks=5), "bad_quantity"),
        (use("put", "!", racks=2), "bad_id"),
        (use("put", "t1", racks=2), "duplicate_id"),
    ]
    for command, expected in rows:
        assert code(driver, command) == expected
    driver.ask(sign(taken))
    no = driver.refused(use("put", "!", racks=9))
    assert (no.code, no.detail) == (
        "nothing_unsold", "1 racks of hgx at north stay unsold, 1 fit; 2 is the least",
    )  # fmt: skip
    # It may begin later, when the other is over.
    assert driver.ask(use("put", racks=2, start_at=day(14)))["count"] == 2
    assert life(driver, "put") is Life.EXERCISED


def test_a_backstop_takes_what_was_unsold_on_its_date() -> None:
    driver = granted(backstop(), stands=4, comes=2, on=12)
    keep(driver, hold(nodes=4, expires_at=day(19)))
    driver.ask(sign(contract("c2", "bravo", promise("t2", 1), rights=(call(racks=1, expires_at=day(15)),))))
    assert (held_right(driver, "put").unsold, market.encumbered(driver, 15)) == (-1, 2)
    driver.until(day(10))
    # Of four racks one is sold, one held and one callable; those of the block come after it would begin.
    assert held_right(driver, "put").unsold == 1
    assert driver.last(rights.BackstopMeasured).racks == 1
    reach(driver.until(day(12)))
    come(driver, 2)
    assert driver.ask(use("put"))["count"] == 1
    assert terms_of(driver).price_micros_per_gpu_hour == 2 * MICROS
    assert (terms_of(driver).start_at, terms_of(driver).end_at) == (day(13), day(23))


def test_a_backstop_may_be_put_ahead_of_what_is_to_come() -> None:
    # Two racks stand, two come on day 12 and are forecast: notice may be given on day 10 for both.
    driver = granted(backstop(expires_at=day(14)), stands=2, comes=2, on=12)
    driver.until(day(10))
    assert held_right(driver, "put").unsold == 4
    no = driver.refused(use("put", racks=4, start_at=day(11)))
    assert (no.code, no.detail) == ("bad_quantity", "right put may take from 1 to 2 racks, not 4")
    assert driver.ask(use("put", start_at=day(12)))["count"] == 4
    # What comes after the last day on which it may begin is not counted; without an end, that is the first.
    for expires_at in (day(11), 0):
        late = granted(backstop(expires_at=expires_at), stands=2, comes=2, on=13).until(day(10))
        assert held_right(late, "put").unsold == 2


def test_a_backstop_encumbers_nothing() -> None:
    driver = granted(backstop(), refusal())
    assert market.encumbered(driver, 15) == 0
    assert market.available(driver, 15) == 2
    driver.ask(sign(contract("c2", "acme", promise("t2", 2))))
    driver.until(day(10))
    assert held_right(driver, "put").unsold == 0
    assert code(driver, use("put")) == "nothing_unsold"


def test_no_more_than_a_number_of_racks_may_be_put() -> None:
    driver = granted(backstop(racks_max=2), stands=4)
    driver.until(day(10))
    assert held_right(driver, "put").unsold == 2
    assert driver.ask(use("put"))["count"] == 2


def test_a_backstop_up_to_its_cap_in_the_middle_of_a_block() -> None:
    driver = granted(backstop(cap=CapId("cap")), caps=(cap(money=3 * RACK - 1),), stands=4)
    driver.until(day(10))
    assert held_right(driver, "put").unsold == 4
    assert driver.ask(use("put")) == {
        "right": "put", "tranche": "new", "count": 2, "start_at": day(11), "drawn_micros": 2 * RACK * MICROS,
    }  # fmt: skip


def test_a_backstop_that_was_signed_after_its_date_is_measured_at_once() -> None:
    driver = market.market(stands=4, comes=0).until(day(20))
    driver.ask(sign(contract("c1", "acme", rights=(backstop(),))))
    assert held_right(driver, "put").unsold == 4
    assert driver.ask(use("put"))["count"] == 4


def test_a_backstop_that_costs_nothing_draws_nothing() -> None:
    driver = granted(backstop(cap=CapId("cap"), price_micros_per_gpu_hour=0), caps=(cap(money=1),), stands=4)
    driver.until(day(10))
    assert driver.ask(use("put"))["drawn_micros"] == 0


@given(st.integers(0, 10**12), st.integers(1, 10**7), st.integers(1, 40 * DAY_US), st.integers(0, 60))
def test_money_lasts_for_the_most_racks(left: int, price: int, term_us: int, most: int) -> None:
    supplied = FOUR.world.state.supply
    one = promise("one", start_at=T0, end_at=T0 + term_us, price_micros_per_gpu_hour=price)
    racks = exercise._racks_for(left, one, supplied, most)
    costs = [units.gpu_time_cost_micros(n * 32 * term_us, price) for n in range(most + 1)]
    assert racks == max(n for n, cost in enumerate(costs) if cost <= left)
    assert exercise._racks_for(None, one, supplied, most) == most


FOUR = market.market(stands=4, comes=0)


def test_money_that_is_a_tie_short() -> None:
    # Half a micro-unit rounds to even: three racks cost 1.5, which is 2.
    one = promise("one", start_at=T0, end_at=T0 + HOUR_US // 64, price_micros_per_gpu_hour=1)
    supplied = FOUR.world.state.supply
    assert [exercise._racks_for(left, one, supplied, 9) for left in (0, 1, 2)] == [1, 2, 5]


# Extensions


def test_an_extension_before_its_notice() -> None:
    lent = promise("t1", 2, end=20, lending=plant.LENT, late=late(1, 1))
    driver = granted(extension(), tranches=(lent,))
    assert [market.encumbered(driver, on) for on in (19, 20, 29, 30)] == [0, 2, 2, 0]
    driver.until(day(15) - 1)
    rows = [
        (use("longer", "!", start_at=day(19), racks=1), "bad_term"),
        (use("longer", "!", start_at=day(20), racks=1), "bad_quantity"),
        (use("longer", "!", start_at=day(20), racks=2), "bad_id"),
        (use("longer", "t1"), "duplicate_id"),
    ]
    for command, expected in rows:
        assert code(driver, command) == expected
    driver.ask(use("longer"), ACME)
    plan = terms_of(driver)
    assert (plan.count, plan.start_at, plan.end_at, plan.price_micros_per_gpu_hour) == (
        2,
        day(20),
        day(30),
        2 * MICROS,
    )
    assert (plan.lending, plan.late) == (plant.LENT, late(1, 1))
    assert (bound(driver, "new"), market.encumbered(driver, 25)) == ([(0, 8)], 0)
    driver.until(day(21))
    assert driver.world.state.claims.tranches[TrancheId("new")].standing is claims.Standing.LIVE


def test_an_extension_lapses_with_its_notice() -> None:
    driver = granted(extension(price_micros_per_gpu_hour=3), tranches=(promise("t1", 2, end=20),))
    driver.until(day(15))
    assert code(driver, use("longer")) == "too_late"
    driver.until(day(16))
    assert (life(driver, "longer"), market.encumbered(driver, 25)) == (Life.LAPSED, 0)


def test_an_extension_without_notice_may_be_entered_after_the_end() -> None:
    driver = granted(extension(notice_s=0, price_micros_per_gpu_hour=3), tranches=(promise("t1", 2, end=20),))
    driver.until(day(20) + HOUR_US)
    driver.ask(use("longer", effective_at=day(20) - 1))
    assert terms_of(driver).price_micros_per_gpu_hour == 3
    assert bound(driver, "new") == [(0, 8)]


def test_a_tranche_that_was_ended_early_does_not_go_on() -> None:
    driver = late_tranche(termination(), extension())
    driver.until(day(62))
    driver.ask(use("out"))
    assert driver.refused(use("longer")).detail == "tranche t1 was ended early"


# Terminations


def late_tranche(*plans: rights.RightPlan, more: tuple[Any, ...] = ()) -> Driver:
    """Two racks are due on day 30, and come on day 200; the longstop is after 30 days."""
    first = promise("t1", 2, start=30, late=late(longstop=30))
    driver = market.market(stands=1, comes=4, on=30)
    driver.ask(sign(contract("c1", "acme", first, *more, rights=plans)))
    slip(driver, 200)
    return driver


def test_a_termination_beyond_the_longstop() -> None:
    driver = late_tranche(termination())
    driver.submit("g", 8, tranche="t1")
    assert driver.refused(use("out")).detail == "tranche t1 is not late beyond its longstop of 30 days"
    driver.until(day(60) - 1)
    no = driver.refused(use("out"))
    assert (no.code, no.detail) == (
        "not_late",
        "tranche t1 is not late beyond its longstop of 30 days; it is from 2026-03-02T00:00:00Z on",
    )
    driver.until(day(60))
    assert driver.ask(use("out"), ACME) == {"right": "out", "tranche": "t1", "ended": ["t1"]}
    held = driver.world.state.claims.tranches[TrancheId("t1")]
    assert (held.standing, held.ended_at) == (claims.Standing.ENDED, day(60))
    # What was short until now stays on the record, and nothing is short any more.
    assert shorts(driver) == [("t1", 4, 30, 60)]
    assert (driver.phase("g"), life(driver, "out")) == ("stopping", Life.EXERCISED)
    assert market.available(driver, 250) == 5
    machine.same_when_replayed(driver.world, driver.events)


def test_a_termination_of_what_is_over_or_was_delivered() -> None:
    driver = late_tranche(termination())
    driver.until(day(61))
    driver.ask(use("out"))
    other = late_tranche(termination())
    other.until(day(61))
    reach(other)
    come(other, 4)
    assert code(other, use("out")) == "not_late"
    over = late_tranche(termination())
    over.until(day(365))
    assert driver.refused(use("out")).code == "not_exercisable"
    assert over.refused(use("out")).detail == "tranche t1 is over"


def test_one_late_tranche_ends_itself_only() -> None:
    driver = late_tranche(
        termination(), refusal(), more=(promise("t2", 1, start=50), promise("t3", 1, end=2))
    )
    driver.until(day(70))
    assert driver.ask(use("out"))["ended"] == ["t1"]
    assert driver.world.state.claims.tranches[TrancheId("t2")].standing is claims.Standing.LIVE
    assert life(driver, "rofr") is Life.DORMANT


def test_the_first_tranche_ends_the_order() -> None:
    called = call(racks=1, opens_at=day(31), expires_at=day(90))
    plans = (termination(ends_order=True), refusal(), extension(of="t2"), called)
    driver = late_tranche(*plans, more=(promise("t2", 1, start=1, end=150), promise("t3", 1, end=1)))
    driver.until(day(2)).run("g", 16, tranche="t2", walltime_s=99 * DAY_S)
    keep(driver, hold(start=205, end=225, expires_at=day(90)))
    driver.until(day(60))
    offer(driver)
    assert driver.ask(use("out"))["ended"] == ["t1", "t2"]
    assert (driver.phase("g"), driver.gang("g").reason) == ("stopping", "claim_ended")
    driver.end("g", Ending.STOPPED)
    assert [life(driver, name) for name in ("rofr", "longer", "call")] == [Life.LAPSED] * 3
    assert market.encumbered(driver, 155) == 0
    # What was on offer may be sold to whom it is held for.
    driver.ask(sign(contract("c2", "bravo", promise("b", 1, start=205, end=225)), "h1"))
    machine.same_when_replayed(driver.world, driver.events)


def test_ending_what_never_began_leaves_others_alone() -> None:
    driver = market.market(contract("c2", "bravo", promise("now", 2, end=40)), stands=2, comes=2, on=30)
    first = promise("t1", 2, start=40, late=late(longstop=10))
    driver.ask(sign(contract("c1", "acme", first, rights=(termination(),))))
    assert bound(driver) == [(0, 8)]
    driver.run("b1", 64, tenant="bravo", tranche="now", walltime_s=30 * DAY_S)
    world = driver.world.fork()
    schedule.end_tranche(world._desk(driver.at), TrancheId("t1"))
    assert world._events == []


# Clocks that ran while forebay was down


def down(driver: Driver, until: int) -> list[str]:
    """Nothing was looked at for a while; the names of what happens then."""
    outcome = driver.world.wake(until)
    driver.events += [(until, event) for event in outcome.events]
    driver.at = until
    driver.world.check()
    return [type(event).__name__ for event in outcome.events]


def test_a_deadline_that_passed_while_forebay_was_down() -> None:
    driver = granted(refusal(), call(racks=1))
    keep(driver, hold())
    offer(driver)
    assert down(driver, day(7)) == ["ClockResumed", "CapacityHeld"]
    assert driver.last(rights.ClockResumed).grace_until_at == day(8)
    assert code(driver, use("rofr")) == "too_late"
    driver.until(day(8) - 1)
    assert life(driver, "rofr") is Life.OFFERED
    driver.ask(use("rofr", effective_at=T0 + HOUR_US - 1))
    assert terms_of(driver).count == 4
    machine.same_when_replayed(driver.world, driver.events)
    machine.same_when_restored(driver.world)


def test_nobody_entered_a_notice_after_the_outage() -> None:
    driver = granted(refusal())
    keep(driver, hold())
    offer(driver)
    down(driver, day(7))
    # Down again as the grace ended: it runs anew.
    assert down(driver, day(12)) == ["ClockResumed", "CapacityHeld"]
    driver.until(day(13))
    # What the contract says of the sale afterwards counts from its own deadline: that time is over too.
    assert life(driver, "rofr") is Life.DORMANT
    assert driver.last(rights.RightLapsed).until_at == T0 + HOUR_US + DAY_US
    assert driver.world.state.claims.holds == {}


def test_a_short_delay_is_no_outage() -> None:
    driver = granted(call(racks=1))
    assert down(driver, day(11) + rights.DOWN_US) == ["RightLapsed"]
    other = granted(call(racks=1))
    assert down(other, day(11) + rights.DOWN_US + 1) == ["ClockResumed"]
    other.ask(use("call", racks=1, effective_at=day(9)))
    assert terms_of(other).start_at == day(10)


def test_what_fell_due_while_down_is_done_in_its_order() -> None:
    driver = granted(
        backstop(measure_at=day(3)),
        call(racks=1, expires_at=day(9)),
        tranches=(promise("t1", 1, start=2, end=4),),
    )
    keep(driver, hold("h2", nodes=1, start=30, end=40))
    assert down(driver, day(14)) == [
        "TrancheStarted",
        "BackstopMeasured",
        "TrancheEnded",
        "HoldReleased",
        "ClockResumed",
    ]
    assert held_right(driver, "put").unsold == 1


def test_without_a_grace_nothing_is_waited_for() -> None:
    driver = granted(refusal(), call(racks=1))
    policy(driver, notice_grace_s=0)
    keep(driver, hold())
    offer(driver)
    driver.until(T0 + HOUR_US)
    assert life(driver, "rofr") is Life.DORMANT
    assert down(driver, day(12)) == ["HoldReleased", "ClockResumed", "RightLapsed"]


def test_a_grace_that_is_cut_short_leaves_time_all_the_same() -> None:
    driver = granted(call(racks=1))
    policy(driver, notice_grace_s=5 * DAY_S)
    driver.until(day(13))
    policy(driver, notice_grace_s=DAY_S)
    assert (life(driver, "call"), held_right(driver, "call").grace_until_at) == (Life.DORMANT, day(14))


# What is encumbered, by each kind and at each end


def _waived(driver: Driver, name: str) -> None:
    driver.ask(waiver(name))


def _lapsed(driver: Driver, name: str) -> None:
    driver.until(day(17))


def _used(driver: Driver, name: str) -> None:
    driver.ask(use(name, racks=2) if name == "call" else use(name))


@pytest.mark.parametrize("name", ["call", "longer"])
@pytest.mark.parametrize("end", [_waived, _lapsed, _used])
def test_what_a_right_keeps_is_released_with_it(name: str, end: Callable[[Driver, str], None]) -> None:
    driver = granted(call(racks=2), extension(), tranches=(promise("t1", 2, end=20),), stands=4)
    before = market.encumbered(driver, 20)
    assert before == 4
    end(driver, name)
    gone = ("call", "longer") if end is _lapsed else (name,)
    assert market.encumbered(driver, 20) == before - 2 * len(gone)
    kinds = {each.id for each in driver.world.calendar.encumbrances(market.STOCK)}
    assert kinds == {"call", "longer"} - set(gone)


def test_what_is_measured_lasts_for_all_of_the_term() -> None:
    supplied = FOUR.world.state
    plan = backstop(racks_max=3)
    window = Interval(day(1), day(2))
    assert exercise._racks_unsold(supplied.claims, supplied.supply, FOUR.world.calendar, plan, window) == 3


def test_a_right_without_a_cap_has_no_end_of_money() -> None:
    driver = granted(call(racks=1), caps=(cap(),))
    assert exercise.cap_left_micros(driver.world.state.claims, held_right(driver, "call")) is None
