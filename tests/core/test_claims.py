"""Promises as a whole: anything in any order, and the worked examples of the documentation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from forebay.core import claims, ids, timeline, units
from forebay.core.claims import (
    Unit,
    exercise,
    lateness,
    maintenance,
    outages,
    overdrawn,
    rights,
    service_levels,
    shortfall,
    workdays,
)  # fmt: skip
from forebay.core.claims.rights import Cap, Life
from forebay.core.ids import CapId, ContractId, RightId, TenantId, TrancheId
from forebay.core.timeline import Interval
from forebay.core.units import DAY_US, HOUR_US, MICROS, SECOND_US
from tests.core import plant
from tests.core.claims import market
from tests.core.claims.market import day, hold, keep, late, life, offer, promise, refusal, sign, use, waiver
from tests.core.claims.test_workdays import at, calendar, number
from tests.core.claims.traders import Traders
from tests.core.plant import T0, Driver, contract, tenant, utc
from tests.core.test_world import run_machine

PAGE = (Path(__file__).parents[2] / "docs/explanation/promises.md").read_text(encoding="utf-8")


def test_promises_in_any_order() -> None:
    run_machine(Traders, examples=25, steps=30)


@pytest.mark.slow
def test_promises_in_any_order_at_length() -> None:
    run_machine(Traders, examples=150, steps=50)


# The worked examples of docs/explanation/promises.md


def written(*figures: str) -> None:
    """The page says so."""
    text = " ".join(PAGE.split())
    for figure in figures:
        assert figure in text, figure


def money(micros: int) -> str:
    whole, _, rest = units.decimal_text(micros).partition(".")
    return f"{int(whole):,}.{rest}"


def date(at: int) -> str:
    return timeline.text(at)[:10]


def test_a_new_price_in_the_middle_of_a_month() -> None:
    driver = market.market(contract("c1", "acme", promise(price_micros_per_gpu_hour=2_100_000)), comes=0)
    plan = contract(
        "c1", "acme", promise(price_micros_per_gpu_hour=1_950_000), version=2, effective_at=day(15)
    )
    driver.until(day(5)).ask(sign(plan))
    driver.until(day(31))
    lines = driver.issued()[0].lines
    for line in lines:
        price, hours = line.price_micros_per_gpu_hour, line.gpu_us // HOUR_US
        written(
            f"| {line.contract_version} | {date(line.start)} | {date(line.end)} |", f"= {hours:,} | "
            f"{units.decimal_text(price)} | {money(line.amount_micros)} |",
        )  # fmt: skip
    assert len(lines) == 2
    assert driver.count(claims.AmendmentTookEffect) == 1
    written(f"On {date(day(5))} an amendment is signed: 1.95 from {date(day(15))} on")


def test_a_call_on_other_terms() -> None:
    first = market.call()
    driver = market.market(contract("c1", "acme", promise("t1", 1), rights=(first,)), stands=5, comes=0)
    later = market.call(
        "call", 3, price_micros_per_gpu_hour=3 * MICROS, notice_s=2 * market.DAY_S, expires_at=day(12)
    )
    text = contract("c1", "acme", promise("t1", 1), rights=(later,), version=2, effective_at=day(5))
    driver.ask(sign(text))
    kept = [(day(1), market.encumbered(driver, 1))]
    for n in range(2, 30):
        if market.encumbered(driver, n) != kept[-1][1]:
            kept.append((day(n), market.encumbered(driver, n)))
    assert [racks for _, racks in kept] == [2, 3, 0]
    for (from_at, racks), (to_at, _), between in zip(kept, kept[1:], (day(7), day(20)), strict=False):
        assert from_at < between <= to_at
        written(f"| {date(from_at)} | ")
        assert racks
    written(
        f"| {date(kept[1][0])} | {date(day(20))} | 2 | 3 | 3 |", f"| {date(day(20))} | {date(kept[2][0])} |"
    )
    driver.until(day(7))
    drawn = []
    for name, received_at in (("before", day(5) - SECOND_US), ("then", day(5))):
        used = market.use("call", name, racks=1, effective_at=received_at)
        drawn.append(driver.ask(used, plant.FINANCE)["drawn_micros"])
    written(f"32 x 240 x 2.00 = {money(drawn[0])}", f"costs {money(drawn[1])}.")


def test_a_price_that_follows_an_index() -> None:
    driver = market.market(comes=0)
    power = ids.IndexId("power")
    rows = [(day(-1), 110), (day(5), 90)]
    before, after = (claims.PublishIndex(power, (claims.IndexValue(at, n * MICROS),)) for at, n in rows)
    driver.ask(before)
    follows = claims.Indexed(power, 100 * MICROS, 300_000)
    driver.ask(sign(contract("c1", "acme", promise(price_micros_per_gpu_hour=2_100_001, index=follows))))
    driver.until(day(5)).ask(after)
    driver.until(day(59))
    told = []
    for issued in driver.issued():
        told += [line.price_micros_per_gpu_hour for line in issued.lines]
    months = ("January", "February")
    for month, micros, (when, points) in zip(months, told, rows, strict=True):
        price = units.decimal_text(micros)
        written(f"{month}: 2.100001 x (70 % + 30 % x {points} / 100) =", f"which is {price} a GPU-hour")
        written(f"{points} on {date(when)}")


def test_take_or_pay_below_the_whole() -> None:
    driver = market.market(contract("c1", "acme", promise(take_or_pay_ppm=500_000)), comes=0)
    driver.run("acme.g", 16, tranche="t1", walltime_s=10 * 86_400)
    driver.until(day(10)).end("acme.g")
    driver.until(day(32)).fail(0, ago_s=5 * 86_400)
    driver.until(day(59))
    lines = [line for each in driver.issued() for line in each.lines]
    hours = [line.gpu_us // HOUR_US for line in lines]
    written(f"half of them is {hours[0]:,}", f"{hours[0]:,} x 2.00 = {money(lines[0].amount_micros)}")
    correction = next(place for place, line in enumerate(lines) if line.kind == "correction")
    written(
        "3,840 were used, so 8,064 of the others", f"{-hours[correction]} of the 768 hours are given back"
    )


def test_a_tranche_that_is_late() -> None:
    driver = market.market(stands=1, comes=0)
    market.plan(driver, b1=(2, 30), b2=(2, 30))
    terms = late(grace=10, damages=5, cap=12_000, longstop=60)
    driver.ask(sign(contract("c1", "acme", promise("t1", 4, start=30, late=terms), promise("now", 1))))
    market.slip(driver, 50, "b1")
    market.slip(driver, 75, "b2")
    for on, block in ((50, "b1"), (75, "b2")):
        driver.until(day(on))
        market.reach(driver, block)
        market.come(driver, 2, block)
    driver.later(days=20)
    state = driver.world.state
    shorts = state.claims.shorts[market.STOCK]
    assert market.shorts(driver) == [("t1", 16, 30, 50), ("t1", 8, 50, 75)]
    tranche = state.claims.tranches[TrancheId("t1")]
    cost = shortfall.cost(tranche, state.supply, shorts)
    free = shortfall.cost(
        tranche._replace(plan=promise("t1", 4, start=30, late=late(grace=10, damages=5))),
        state.supply,
        shorts,
    )
    gpu_days = [64 * 10, 64 * 35]
    assert free.damages_micros == sum(gpu_days) * 5 * MICROS
    assert (cost.damages_micros, cost.capped, cost.longstop_at) == (12_000 * MICROS, True, 0)
    written(
        "due on 2026-01-31", f"{date(day(30))} to {date(day(50))} | 20 | 10 | 640 | 3,200.00",
        f"{date(day(30))} to {date(day(75))} | 45 | 35 | 2,240 | 11,200.00",
        f"Damages come to {money(free.damages_micros)}, of which the cap leaves {money(cost.damages_micros)}",
        f"Fees of {money(cost.fees_micros)} cannot be charged: 4,160 GPU-days at 48.00",
        f"longstop would have been on {date(day(90))}",
    )  # fmt: skip


def test_rejected_ready_again_and_accepted_by_silence() -> None:
    terms = market.accepted(deemed=10, after=5)
    plan = promise(
        "t1", 2, start=10, late=late(grace=5, damages=5), acceptance=terms, relief=(market.relieved(cap=2),)
    )
    driver = market.market(contract("c1", "acme", plan), stands=4, comes=0)
    driver.until(day(12)).ask(market.ready(2))
    driver.until(day(15)).ask(market.reject(), tenant("acme"))
    driver.until(day(18)).ask(market.ready())
    driver.until(day(19)).ask(market.ready())
    driver.until(day(20)).ask(market.accept(2), tenant("acme"))
    driver.until(day(40))
    state = driver.world.state
    tranche = state.claims.tranches[TrancheId("t1")]
    found = lateness.lateness(state.claims, state.supply, tranche, driver.at)
    cost = lateness.cost_of(state.supply, tranche, found)
    both, one, other = tranche.parts
    january = next(line for each in driver.issued() for line in each.lines if line.claim == "t1")
    written(
        f"| both racks | {date(both.ready_at)} | rejected on {date(both.answered_at)} | |",
        f"| one rack | {date(one.ready_at)} | accepted on {date(one.answered_at)} | {date(one.billing_at)} |",
        f"| the other | {date(other.ready_at)} | none; deemed on {date(other.answered_at)} |",
        f"{date(other.answered_at)} | {date(other.billing_at)} |",
        f"{date(day(10))} to {date(day(20))} | 10 | 5 | 160 | 800.00",
        f"{date(day(10))} to {date(day(29))} | 19 | 14 | 448 | 2,240.00",
        f"Damages come to {money(cost.damages_micros)}, and fees of {money(cost.fees_micros)} cannot be charged",
        f"from {date(january.start)} 00:00 on: 32 GPUs, {money(32 * plan.price_micros_per_gpu_hour)}",
        f"6 days of one rack, {money(january.amount_micros)}",
    )
    driver.ask(market.held_up(5, 8, received_at=day(9)))
    tranche = state.claims.tranches[TrancheId("t1")]
    found = lateness.lateness(state.claims, state.supply, tranche, driver.at)
    moved = lateness.cost_of(state.supply, tranche, found)
    (due,) = lateness.dates_of(tranche)
    written(
        f"a flood lasts from {date(day(5))} to {date(day(8))}. Notice comes on {date(day(9))}",
        f"So {date(due.at)} moves to {date(due.moved_to)}", f"damages come to {money(moved.damages_micros)}",
    )  # fmt: skip
    assert moved.fees_micros == cost.fees_micros


def test_a_discount_in_the_place_of_damages() -> None:
    driver = market.market(comes=0)
    terms = claims.Late(10 * 86_400, 0, 12_000 * MICROS, 0, 250_000)
    tranche = claims.Tranche(
        promise("t1", 4, late=terms), ContractId("c1"), TenantId("a"), claims.Standing.LIVE
    )
    shorts = (market.short("t1", 8, 30, 50), market.short("t1", 8, 30, 75))
    cost = shortfall.cost(tranche, driver.world.state.supply, shorts)
    day_micros = shortfall.discount_micros_per_gpu_day(tranche)
    assert (cost.damages_micros, cost.discount_micros, cost.capped) == (0, 12_000 * MICROS, True)
    owed_micros = (640 + 2_240) * day_micros
    written(
        f"a quarter of it {money(day_micros)}", f"2,880 GPU-days after grace come to {money(owed_micros)}",
        f"of which the cap leaves {money(cost.discount_micros)}. It is taken off",
    )  # fmt: skip


def test_a_ladder() -> None:
    steps = ((999_000, 100_000), (990_000, 250_000), (950_000, 1_000_000))
    ladder = tuple(service_levels.Rung(*step) for step in steps)
    level = service_levels.ServiceLevel(service_levels.ServiceUnit.RACK, ladder, cap_month_ppm=500_000)
    due_us = 4 * 744 * HOUR_US
    fee_micros = 128 * 744 * 2 * MICROS
    written(f"128 GPUs x 744 h x 2.00 = {money(fee_micros)}", f"{4 * 744:,} rack-hours")
    for lost_h, credit in ((2, 0), (3, 19_046.40), (29, 19_046.40), (30, 47_616), (150, 95_232)):
        month = service_levels.Availability(due_us - lost_h * HOUR_US, due_us)
        given = service_levels.credit(level, month, fee_micros)
        assert given.micros == round(credit * MICROS)
        up_ppm = units.divide_half_even(month.up_us * 1_000_000, due_us)
        step = next((f"below {below / 10_000:g} %" for below, _ in steps[::-1] if up_ppm < below), "none")
        step += ", capped" if given.capped else ""
        written(f"| {lost_h} | {up_ppm / 10_000:.4f} % | {step} | {money(given.micros)} |")
    kept = service_levels.Availability(due_us - 2_976 * HOUR_US // 1_000, due_us)
    assert service_levels.credit(level, kept, fee_micros).micros == 0


def test_replaced_in_time_and_too_late() -> None:
    january, february = Interval(utc(2027), utc(2027, 2)), Interval(utc(2027, 2), utc(2027, 3))
    steps = ((999_000, 100_000), (990_000, 250_000), (950_000, 1_000_000))
    ladder = tuple(service_levels.Rung(*step) for step in steps)
    level = service_levels.ServiceLevel(service_levels.ServiceUnit.RACK, ladder, cap_month_ppm=500_000)
    failures = [
        [Interval(utc(2027, 1, 5), utc(2027, 1, 5, 4))], [Interval(utc(2027, 1, 9, 10), utc(2027, 1, 10, 14))],
        [Interval(utc(2027, 1, 31, 22), utc(2027, 2, 1, 5))], [],
    ]  # fmt: skip
    due = [[Interval(utc(2026), utc(2028))]] * 4
    fee_micros = 128 * 744 * 2 * MICROS

    def told(hours: int, month: Interval) -> tuple[int, str, str]:
        known = outages.availability(replace(level, replacement_s=hours * 3600), failures, due, month)
        ppm = units.divide_half_even(known.up_us * 1_000_000, known.due_us)
        given = service_levels.credit(level, known, fee_micros)
        return (known.due_us - known.up_us) // HOUR_US, f"{ppm / 10_000:.4f} %", money(given.micros)

    (lost, share, credit), (at_once, other_share, other) = told(4, january), told(0, january)
    written(f"{lost} rack-hours lost are {share}: {credit}")
    written(f"At once down, the {at_once} hours would have been {other_share}, and {other}.")
    written(f"February begins with {told(4, february)[0]} rack-hours lost")


def test_maintenance_in_excess() -> None:
    start = utc(2027)
    sunday = maintenance.WeeklyWindow(workdays.Weekday.SUNDAY, 7200, 4 * 3600)
    agreed = maintenance.Maintenance(8 * 3600, 72 * 3600, (sunday,))
    open_ = [start + day * DAY_US + 2 * HOUR_US for day in (2, 9, 16, 23, 30)]
    windows = [Interval(at, at + 4 * HOUR_US) for at in open_]

    def work(day: int, first_h: int, last_h: int, told_days: int) -> maintenance.WorkDone:
        begin = start + (day - 1) * DAY_US
        at = begin + first_h * HOUR_US
        return maintenance.WorkDone(at, begin + last_h * HOUR_US, at - told_days * DAY_US)

    done = [work(3, 2, 6, 7), work(10, 1, 5, 7), work(13, 2, 3, 7), work(17, 2, 4, 1), work(24, 2, 6, 7)]
    pieces = maintenance.split(agreed, done, windows, Interval(start, utc(2027, 2)))
    found = [((each.end_at - each.start_at) // HOUR_US, each.counted.value) for each in pieces]
    assert found == [
        (4, "allowed"), (1, "outside_windows"), (3, "allowed"), (1, "outside_windows"), (2, "late_notice"),
        (1, "allowed"), (3, "over_allowance"),
    ]  # fmt: skip
    allowed_h = sum(hours for hours, counted in found if counted == "allowed")
    written(f"{allowed_h} hours are no downtime, {maintenance.excess_us(pieces) // HOUR_US} hours are")


def offered(*granted: rights.RightPlan) -> Driver:
    driver = market.market(contract("c1", "acme", rights=granted or (refusal(),)), stands=4, comes=0)
    keep(driver, hold(nodes=8))
    return driver


def test_first_refusal_at_the_last_second() -> None:
    driver = offered()
    offer(driver)
    driver.until(T0 + HOUR_US - SECOND_US)
    answer = driver.ask(use("rofr"), tenant("acme"))
    written(f"64 GPUs for 479 hours and one second, {money(answer['drawn_micros'])}")
    assert market.terms_of(driver).count == 8
    assert driver.world.state.claims.holds == {}


def test_first_refusal_one_second_later() -> None:
    driver = offered()
    offer(driver)
    driver.until(T0 + HOUR_US)
    assert driver.refused(use("rofr"), tenant("acme")).code == "too_late"
    # The seller knows that no other notice is under way, and waits for none.
    market.policy(driver, notice_grace_s=0)
    driver.later()
    assert market.held_right(driver, "rofr").passed == (("h1", T0 + HOUR_US + DAY_US),)
    written(f"until {timeline.text(T0 + HOUR_US + DAY_US).replace('T', ' ')[:-1]}")
    driver.until(T0 + HOUR_US + DAY_US - 1)
    cheaper = promise("t2", 2, end=20, price_micros_per_gpu_hour=1_990_000)
    for plan in (cheaper, promise("t2", 9, end=20, unit=Unit.NODE)):
        assert driver.refused(sign(contract("c2", "bravo", plan), "h1")).code == "first_refusal"
    driver.ask(sign(contract("c2", "bravo", promise("t2", 2, end=20)), "h1"))


def test_who_waits_for_late_notices_has_less_time_to_sell() -> None:
    driver = offered()
    offer(driver)
    driver.until(T0 + HOUR_US + DAY_US - 1)
    assert life(driver, "rofr") is Life.OFFERED
    driver.until(T0 + HOUR_US + DAY_US)
    assert market.held_right(driver, "rofr").passed == (("h1", driver.at),)
    refused = driver.refused(sign(contract("c2", "bravo", promise("t2", 2, end=20)), "h1"))
    written(
        f"recorded at {timeline.text(driver.at).replace('T', ' ')[:-1]}", "nothing is left of a single day"
    )
    assert refused.code == "first_refusal"


def test_two_rights_on_one_scope() -> None:
    driver = market.market(
        contract("c1", "acme", rights=(refusal("junior", priority=2),)),
        contract("c3", "carol", rights=(refusal("senior", priority=1),)), stands=4, comes=0,
    )  # fmt: skip
    keep(driver, hold(nodes=8))
    early = driver.refused(rights.OfferSale(RightId("junior"), hold().id))
    offer(driver, "senior")
    driver.ask(waiver("senior"))
    signing = sign(contract("c2", "bravo", promise("t2", 2, end=20)), "h1")
    assert (early.code, driver.refused(signing).code) == ("higher_priority", "first_refusal")
    offer(driver, "junior")
    driver.ask(use("junior"))
    assert (market.terms_of(driver).count, life(driver, "senior")) == (8, Life.DORMANT)


def test_a_backstop_whose_money_ends_within_a_block() -> None:
    put = market.backstop(cap=CapId("cap"))
    cap = Cap(CapId("cap"), 46_079_990_000)
    driver = market.market(contract("c1", "acme", rights=(put,), caps=(cap,)), stands=4, comes=0)
    driver.until(day(10))
    assert market.held_right(driver, "put").unsold == 4
    answer = driver.ask(use("put"))
    plan = market.terms_of(driver)
    rack = exercise.cost_micros(promise("one", start=0, end=10), driver.world.state.supply)
    assert (answer["count"], answer["drawn_micros"]) == (2, 2 * rack)
    left = exercise.cap_left_micros(driver.world.state.claims, market.held_right(driver, "put"))
    assert left is not None
    written(
        f"what stayed unsold on {date(day(10))}", f"for {money(cap.micros)} in all", f"= {money(rack)}.",
        f"Three racks would cost {money(3 * rack)}", f"from {date(plan.start_at)} to {date(plan.end_at)}",
        f"for {money(2 * rack)}. {money(left)} are left",
    )  # fmt: skip


def test_enough_for_promises_and_too_little_for_rights() -> None:
    granted = market.call(opens_at=day(30), expires_at=day(40))
    plan = contract("c1", "acme", promise("t1", 2, 0, 45), rights=(market.extension(), granted))
    driver = market.market(plan)
    market.slip(driver, 50)
    state, calendar = driver.world.state.claims, driver.world.calendar
    (over,) = overdrawn.overdrafts(state, calendar, market.STOCK, driver.world.now)
    assert (state.shorts, over.kind, over.nodes) == ({}, "call", 2 * 4)
    written(
        f"A tranche has two until {date(day(45))}",
        f"called from {date(granted.opens_at)} to {date(granted.expires_at)}",
        f"The block slips to {date(day(50))}",
        f"by 2 racks, from {date(over.window.start)}, its first possible day, to {date(over.window.end)}",
    )  # fmt: skip


def test_ten_business_days_in_helsinki() -> None:
    off = (number("2026-12-24"), number("2026-12-25"), number("2027-01-01"))
    known = calendar(holidays=off)
    offered_at = at("2026-12-18 18:30")
    notice = workdays.DayNotice(10, known.id)
    received_at = workdays.deemed_at(known, offered_at)
    ends_at = workdays.ends_at(known, notice, offered_at)
    days = range(workdays.local_day(known, received_at) + 1, workdays.local_day(known, ends_at) + 1)
    counted = [each - number("2026-12-31") for each in days if workdays.is_business_day(known, each)]
    assert counted == [-9, -8, -3, -2, -1, 0, 4, 5, 6, 7]
    assert timeline.text(ends_at) == "2027-01-07T15:00:00Z"
    holiday = calendar(holidays=(*off, number("2027-01-06")))
    assert workdays.ends_at(holiday, notice, offered_at) > ends_at
    written(
        "offered on Friday 2026-12-18 at 18:30", "received on Monday 2026-12-21",
        "22, 23, 28, 29, 30, 31 December and 4, 5, 6, 7 January",
        "before 2027-01-07 at 17:00 in Helsinki, which is 15:00 in UTC",
    )  # fmt: skip


def test_a_contract_that_ran_before() -> None:
    driver = market.market(stands=3, comes=0).until(day(40) + 6 * HOUR_US)
    plan = contract("old", "acme", promise(racks=3, start=10))
    opening = claims.Opening(day(39), tranches=(claims.opening.OpenedTranche(TrancheId("t1"), 2),))
    driver.ask(claims.SignContract(plan, opening=opening))
    (bill,) = driver.until(day(41)).close()
    (line,) = bill.lines
    assert line.gpu_us == (64 * 48 + 32 * 18) * HOUR_US == 3_648 * HOUR_US
    assert bill.total_minor == 729_600
    tranche = driver.world.state.claims.tranches[TrancheId("t1")]
    shorts = driver.world.state.claims.shorts[market.STOCK]
    assert [(each.start_at, each.end_at) for each in shorts] == [(day(10), day(40) + 6 * HOUR_US)]
    told = shortfall.cost(tranche, driver.world.state.supply, shorts)
    assert told.fees_micros == 32 * 726 * 2 * MICROS == 46_464 * MICROS
    written("3,072", "576", "3,648 GPU-hours: 7,296.00", "for 726 hours: 23,232 GPU-hours, or 46,464.00")
    assert timeline.text(day(39)) == "2026-02-09T00:00:00Z"
