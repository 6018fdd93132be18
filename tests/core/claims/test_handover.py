"""Ready notices, answers to them, silence, and what is paid for from then on."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from forebay.core import claims, ids, units, usage
from forebay.core.claims import AcceptanceTest, Unit, acceptance
from forebay.core.claims.acceptance import PartLife
from forebay.core.ids import TrancheId
from forebay.core.units import DAY_US, HOUR_US, MICROS, SECOND_US
from tests.core import auditor, machine
from tests.core.claims import market
from tests.core.claims.market import (
    BURN_IN,
    DAY_S,
    GPUS,
    LATENCY,
    accept,
    accepted,
    bound,
    code,
    come,
    day,
    policy,
    promise,
    ramp,
    reach,
    ready,
    reject,
    sign,
)
from tests.core.plant import T0, Driver, contract, tenant

ACME = tenant("acme")
RACK_HOUR_US = GPUS * HOUR_US


def handing(*tranches: claims.TranchePlan, stands: int = 4, **more: Any) -> Driver:
    """A market in which acme signed these tranches."""
    return market.market(contract("c1", "acme", *tranches), stands=stands, comes=more.pop("comes", 0), **more)


def parts(driver: Driver, name: str = "t1") -> tuple[acceptance.DeliveredPart, ...]:
    return driver.world.state.claims.tranches[TrancheId(name)].parts


def billed(driver: Driver, name: str = "t1") -> list[tuple[int, int]]:
    return list(claims.billed_runs(driver.world.state.claims.tranches[TrancheId(name)]))


def audited(driver: Driver) -> None:
    auditor.same_books(driver.world, driver.events)
    machine.same_when_replayed(driver.world, driver.events)


# What a contract may say


TEST = AcceptanceTest("a", 1)
TERMS: list[tuple[Any, str, str]] = [
    (accepted(AcceptanceTest("no name", 1)), "bad_id", "tranches[0].acceptance.tests[0].name"),
    (accepted(TEST, TEST), "duplicate_id", "tranches[0].acceptance.tests[1].name"),
    (accepted(AcceptanceTest("a", -1)), "bad_acceptance", "tranches[0].acceptance.tests[0]"),
    (accepted(deemed=-1), "bad_acceptance", "tranches[0].acceptance"),
    (accepted(after=100 * 366), "bad_acceptance", "tranches[0].acceptance"),
]


@pytest.mark.parametrize(("terms", "expected", "where"), TERMS)
def test_terms_that_cannot_stand(terms: Any, expected: str, where: str) -> None:
    driver = handing(stands=2)
    no = driver.refused(sign(contract("c2", "acme", promise(acceptance=terms))))
    assert (no.code, no.field) == (expected, where)


# Ready notices


def test_every_refusal_of_a_ready_notice_in_its_order() -> None:
    tests = (BURN_IN, LATENCY)
    driver = handing(
        promise("t1", 2, acceptance=accepted(*tests)),
        promise("plain"),
        promise("old", end=1, acceptance=accepted()),
    )
    driver.later(days=4)
    good: dict[str, Any] = {"burn_in_hours": 72 * MICROS, "storage_ms": 1_500_000}
    twice = (acceptance.Result("burn_in_hours", 1), acceptance.Result("burn_in_hours", 1))
    rows: list[tuple[ids.Command, str]] = [
        (ready(of="absent", on=9), "unknown_tranche"),
        (ready(of="plain", on=9), "no_acceptance"),
        (ready(of="old", on=9), "tranche_over"),
        (ready(0, on=9), "future_fact"),
        (ready(0, on=2), "too_late"),
        (ready(0), "bad_quantity"),
        (ready(3, speed=1), "not_bound"),
        (ready(1, speed=1), "unknown_test"),
        (dataclasses.replace(ready(), results=twice), "duplicate_id"),
        (ready(1, burn_in_hours=-1), "bad_quantity"),
        (ready(1, storage_ms=0), "test_missing"),
        (ready(1, **(good | {"burn_in_hours": 72 * MICROS - 1})), "test_failed"),
        (ready(1, **(good | {"storage_ms": 1_500_001})), "test_failed"),
    ]
    for command, expected in rows:
        assert code(driver, command) == expected, command
    assert [driver.refused(rows[place][0]).detail for place in (4, 6, 7, 10, 11, 12)] == [
        "a notice is to be entered in time: now one that was received from 2026-01-04T00:00:00Z on",
        "tranche t1 has 2 of its 2 racks by now, and notice was given of 0: 2 may be ready, not 3",
        "the contract names no test speed (known: burn_in_hours, storage_ms)",
        "test burn_in_hours has no result: at least 72.00 is meant",
        "test burn_in_hours gave 71.999999: at least 72.00 is meant",
        "test storage_ms gave 1.500001: at most 1.50 is meant",
    ]  # fmt: skip
    answer = driver.ask(ready(1, on=3, **good))
    assert answer == {"tranche": "t1", "notice": 1, "count": 1, "ready_at": day(3), "deemed_at": 0}
    assert code(driver, ready(2, **good)) == "not_bound"
    assert driver.ask(ready(1, **good))["notice"] == 2
    assert code(driver, ready(1, **good)) == "not_bound"


def test_a_contract_without_tests_says_so() -> None:
    driver = handing(promise(acceptance=accepted()))
    assert driver.refused(ready(1, speed=1)).detail == "the contract names no test speed (known: none)"


def test_only_what_a_tranche_has_may_be_ready() -> None:
    driver = handing(ramp((0, 1), (5, 2), acceptance=accepted()), stands=1, comes=2, on=5)
    assert driver.ask(ready(1))["notice"] == 1
    assert code(driver, ready(1)) == "not_bound"
    driver.later(days=5)
    reach(driver)
    come(driver, 2)
    assert driver.ask(ready(2))["count"] == 2
    audited(driver)


# Answers


def test_every_refusal_of_an_answer_in_its_order() -> None:
    driver = handing(
        promise("t1", 2, acceptance=accepted(deemed=3)),
        promise("plain"),
        promise("old", end=1, acceptance=accepted()),
    )
    driver.later(days=4)
    driver.ask(ready())
    driver.later(days=1)
    driver.ask(ready())
    driver.ask(accept(1))
    rows: list[tuple[int, str, int, str]] = [
        (0, "absent", 9, "unknown_tranche"),
        (0, "plain", 9, "no_acceptance"),
        (0, "old", 9, "tranche_over"),
        (3, "t1", 9, "unknown_notice"),
        (-1, "t1", 9, "unknown_notice"),
        (1, "t1", 9, "not_ready"),
        (2, "t1", 9, "future_fact"),
        (2, "t1", 4, "too_early"),
    ]
    for notice, of, on, expected in rows:
        assert code(driver, accept(notice, of, on)) == expected, (notice, of)
        assert code(driver, reject(notice, of, on, reason="")) == expected, (notice, of)
    driver.until(day(8))
    assert code(driver, accept(2)) == code(driver, reject(2, reason="")) == "too_late"
    assert (
        driver.refused(accept(2)).detail
        == "notice 2 of tranche t1 was to be answered before 2026-01-09T00:00:00Z"
    )
    assert code(driver, reject(2, on=7, reason="")) == "no_reason"
    assert driver.ask(reject(2, on=7))["rejected_at"] == day(7)
    assert driver.refused(accept(3)).detail == "open notices of tranche t1: none"


def test_which_notice_is_meant() -> None:
    driver = handing(promise("t1", 2, acceptance=accepted()))
    assert code(driver, accept()) == "unknown_notice"
    driver.ask(ready())
    driver.ask(ready())
    assert driver.refused(accept()).detail == "open notices of tranche t1: 1, 2; which one is meant?"
    driver.ask(reject(2))
    assert driver.ask(accept())["notice"] == 1


def test_a_customer_answers_for_itself() -> None:
    driver = handing(promise(acceptance=accepted()))
    driver.ask(ready())
    assert code(driver, ready(), by=ACME) == "forbidden"
    for command in (accept(), reject()):
        assert code(driver, command, by=tenant("bravo")) == "unknown_tranche"
        assert code(driver, command, by=tenant("carol")) == "unknown_tranche"
    assert code(driver, accept(of="absent"), by=ACME) == "unknown_tranche"
    assert code(driver, accept(on=1), by=ACME) == code(driver, reject(on=1), by=ACME) == "own_notice"
    assert driver.ask(reject(), ACME)["notice"] == 1
    driver.ask(ready())
    assert driver.ask(accept(), ACME)["accepted_at"] == T0


def test_what_was_rejected_may_be_ready_again() -> None:
    driver = handing(promise(acceptance=accepted()))
    driver.ask(ready())
    driver.ask(reject())
    driver.later(days=1)
    driver.ask(ready())
    driver.ask(accept())
    assert [(part.life, part.answered_at, part.reason) for part in parts(driver)] == [
        (PartLife.REJECTED, T0, "links flap"),
        (PartLife.ACCEPTED, day(1), ""),
    ]


# Silence


def test_who_stays_silent_accepts() -> None:
    driver = handing(promise(acceptance=accepted(deemed=3)))
    driver.ask(ready())
    driver.until(day(4) - 1)
    assert parts(driver)[0].life is PartLife.READY
    driver.later(1)
    # Recorded once the grace for notices is over, as of its date.
    (part,) = parts(driver)
    assert (part.life, part.deemed, part.answered_at, part.billing_at) == (
        PartLife.ACCEPTED,
        True,
        day(3),
        day(4),
    )
    driver.later(hours=1)
    assert driver.world.state.usage.books[TrancheId("t1")].gpus == GPUS
    audited(driver)


def test_an_answer_in_time_may_be_entered_in_the_grace() -> None:
    driver = handing(promise(acceptance=accepted(deemed=3)))
    driver.ask(ready())
    driver.until(day(3) + 5 * HOUR_US)
    command = dataclasses.replace(reject(), effective_at=day(3) - 1)
    assert driver.ask(command)["notice"] == 1
    driver.later(days=9)
    assert parts(driver)[0].life is PartLife.REJECTED


def test_a_grace_of_another_policy() -> None:
    driver = handing(promise(acceptance=accepted(deemed=3)))
    driver.ask(ready())
    policy(driver, notice_grace_s=0)
    driver.until(day(3))
    assert driver.last(acceptance.DeliveryAccepted).billing_at == day(3)


def test_silence_while_forebay_was_down() -> None:
    driver = handing(promise(acceptance=accepted(deemed=3)))
    driver.ask(ready())
    down_until = day(20)
    driver.at = down_until
    due = driver.world.next_wake()
    assert due == day(4)
    outcome = driver.world.wake(due, down_until)
    driver.events += [(due, event) for event in outcome.events]
    (resumed,) = outcome.events
    assert resumed == acceptance.AcceptanceResumed(TrancheId("t1"), 1, down_until + DAY_S * SECOND_US)
    assert code(driver, accept()) == "too_late"
    again = type(driver.world).restore(driver.world.fork().state)
    assert again.next_wake() == down_until + DAY_S * SECOND_US
    driver.until(day(21))
    (part,) = parts(driver)
    assert (part.answered_at, part.billing_at, part.billed) == (day(3), day(21), True)
    audited(driver)


def test_nobody_answers_for_what_is_over() -> None:
    driver = handing(promise(end=3, acceptance=accepted(deemed=5)))
    driver.ask(ready())
    driver.later(days=9)
    assert parts(driver)[0].life is PartLife.READY
    assert not driver.count(acceptance.DeliveryAccepted)


# What is paid for


START: list[tuple[str, int, int, int, int]] = [
    # from, days after, begins, accepted on day, paid from day
    ("acceptance", 0, 0, 4, 4),
    ("acceptance", 5, 0, 4, 9),
    ("ready", 0, 0, 4, 4),
    ("ready", 5, 0, 4, 7),
    ("committed", 0, 0, 4, 4),
    ("committed", 30, 0, 4, 30),
    ("committed", 2, 10, 4, 12),
    ("acceptance", 0, 10, 4, 10),
]


@pytest.mark.parametrize(("of", "after", "begins", "on", "expected"), START)
def test_from_when_it_is_paid_for(of: str, after: int, begins: int, on: int, expected: int) -> None:
    driver = handing(promise(start=begins, acceptance=accepted(of=of, after=after)))
    driver.later(days=2).ask(ready())
    driver.later(days=on - 2)
    assert driver.ask(accept())["billing_at"] == day(expected)
    driver.until(day(expected) + HOUR_US)
    line = usage.tranche_lines(driver.world.state.usage, driver.at)[0]
    assert line.entitled_gpu_us == RACK_HOUR_US
    driver.until(day(40))
    audited(driver)


def test_the_committed_date_is_that_of_its_delivery() -> None:
    driver = handing(ramp((0, 1), (5, 2), acceptance=accepted(of="committed", after=30)))
    driver.ask(ready())
    driver.later(days=6)
    driver.ask(ready(2))
    assert driver.ask(accept(2))["billing_at"] == day(35)
    assert driver.ask(accept(1))["billing_at"] == day(35)


def test_an_acceptance_that_is_entered_late_is_not_billed_for_the_past() -> None:
    driver = handing(promise(acceptance=accepted()))
    driver.ask(ready())
    driver.later(days=3)
    answer = driver.ask(accept(on=1))
    assert (answer["accepted_at"], answer["billing_at"]) == (day(1), day(3))


def test_part_by_part() -> None:
    driver = handing(promise("t1", 3, acceptance=accepted()))
    driver.run("own", 64, tranche="t1", walltime_s=30 * DAY_S)
    driver.later(days=1).ask(ready(2))
    driver.ask(accept())
    assert billed(driver) == [(0, 8)]
    assert driver.book() == (64, 0, 0)
    driver.later(days=1).ask(ready())
    driver.ask(accept())
    assert billed(driver) == [(0, 12)]
    driver.later(hours=1)
    line = usage.tranche_lines(driver.world.state.usage, driver.at)[0]
    assert line.entitled_gpu_us == 2 * 25 * RACK_HOUR_US + RACK_HOUR_US
    assert line.used_gpu_us == 2 * 25 * RACK_HOUR_US
    driver.end("own")
    assert driver.book() == (0, 0, 0)
    audited(driver)


def test_what_is_not_accepted_is_used_and_not_billed() -> None:
    driver = handing(promise("t1", 2, acceptance=accepted()))
    driver.later(hours=1).run("tests", 64, tranche="t1", walltime_s=DAY_S)
    assert driver.book() == (0, 0, 0)
    driver.fail(0)
    driver.later(hours=1).recover(0)
    assert driver.book() == (0, 0, 0)
    driver.cordon(1)
    driver.later(hours=1)
    assert driver.close() == []
    driver.uncordon(1)
    driver.ask(ready(1))
    driver.ask(accept())
    driver.later(hours=1)
    (invoice,) = driver.close()
    (line,) = invoice.lines
    told = "32 of 64 GPUs dedicated: 32.00 GPU-h entitled - 0.00 undeliverable = 32.00 GPU-h x 2.00; used 32.00, "
    assert (line.amount_minor, line.start) == (64_00, driver.at - HOUR_US)
    assert line.text == told + "lent 0.00, idle 0.00"
    audited(driver)


def test_a_node_that_was_out_before_it_was_paid_for() -> None:
    driver = handing(promise(acceptance=accepted()))
    driver.later(hours=1).ask(ready())
    driver.ask(accept())
    driver.later(hours=2).fail(0, ago_s=150 * 60)
    # It counts from when it is paid for: two hours, not two and a half.
    line = usage.tranche_lines(driver.world.state.usage, driver.at)[0]
    assert line.undeliverable_gpu_us == 2 * 8 * HOUR_US
    audited(driver)


def test_accepted_before_the_term_and_bound_later() -> None:
    driver = handing(promise("t1", 2, start=5, acceptance=accepted()), stands=2)
    driver.ask(ready(2))
    driver.ask(accept())
    # Who begins before takes one of the racks: what is missing then is short, and paid for once it comes.
    early = promise("early", 1, start=1, end=9)
    driver.ask(sign(contract("c2", "bravo", early), override="we dare"))
    driver.until(day(5) + HOUR_US)
    assert billed(driver) == bound(driver)
    had = sum(count for _, count in bound(driver))
    driver.until(day(9) + HOUR_US)
    assert billed(driver) == bound(driver)
    assert sum(count for _, count in billed(driver)) == 8 > had
    audited(driver)


def test_nodes_that_change_by_a_plan() -> None:
    driver = handing(promise("t1", 2, acceptance=accepted()), stands=4)
    driver.ask(ready(1))
    driver.ask(accept())
    driver.run("own", 32, tranche="t1", walltime_s=30 * DAY_S)
    state = driver.world.state
    driver.later(hours=1)
    version = claims.rebinding.version(state.claims, state.supply, market.STOCK)
    wanted = claims.Rebinding(TrancheId("t1"), ((4, 8),))
    driver.ask(claims.ProposeBinding(market.NORTH, market.HGX, version, (wanted,), 4))
    assert billed(driver) == [(4, 4)]
    driver.later(hours=1)
    line = usage.tranche_lines(driver.world.state.usage, driver.at)[0]
    assert line.entitled_gpu_us == 2 * RACK_HOUR_US
    version = claims.rebinding.version(state.claims, state.supply, market.STOCK)
    wanted = claims.Rebinding(TrancheId("t1"), ((4, 4), (12, 4)))
    driver.ask(claims.ProposeBinding(market.NORTH, market.HGX, version, (wanted,), 4))
    assert billed(driver) == [(4, 4)]
    audited(driver)


def test_nodes_and_not_racks() -> None:
    driver = handing(promise("t1", 3, unit=Unit.NODE, acceptance=accepted()))
    driver.ask(ready(2))
    driver.ask(accept())
    assert billed(driver) == [(0, 2)]
    assert code(driver, ready(2)) == "not_bound"


def test_by_hand() -> None:
    """The example of docs/explanation/promises.md: two racks, rejected, ready again, one accepted, one by silence."""
    late = market.late(5, 5, longstop=60)
    terms = accepted(BURN_IN, deemed=10, after=5)
    plan = promise("t1", 2, start=10, late=late, acceptance=terms, relief=(market.relieved(cap=2),))
    driver = handing(plan)
    good: dict[str, Any] = {"burn_in_hours": 80 * MICROS}
    driver.until(day(12)).ask(ready(2, **good))
    driver.until(day(15)).ask(reject(), ACME)
    driver.until(day(18)).ask(ready(1, **good))
    driver.until(day(19)).ask(ready(1, **good))
    driver.until(day(20)).ask(accept(2), ACME)
    driver.until(day(40))
    assert [
        (part.life.value, part.ready_at, part.answered_at, part.billing_at) for part in parts(driver)
    ] == [
        ("rejected", day(12), day(15), 0),
        ("accepted", day(18), day(20), day(25)),
        ("accepted", day(19), day(29), day(34)),
    ]
    (risk,) = claims.quotes.risks(driver.world.state.claims, driver.world.state.supply, driver.at)
    assert risk.cost == claims.shortfall.Cost(44_544 * MICROS, 3_040 * MICROS, False, 0)
    invoices = driver.issued()
    january = [line for invoice in invoices for line in invoice.lines if line.claim == "t1"]
    assert [(line.kind, line.start, line.gpu_us, line.amount_minor) for line in january] == [
        ("dedicated", day(25), 6 * 24 * RACK_HOUR_US, 9_216_00), ("late_damages", day(15), 0, -3_040_00),
    ]  # fmt: skip
    first_hour = units.gpu_time_cost_micros(RACK_HOUR_US, plan.price_micros_per_gpu_hour)
    assert first_hour == 64 * MICROS
    driver.ask(market.held_up(5, 8, received_at=day(9)))
    (risk,) = claims.quotes.risks(driver.world.state.claims, driver.world.state.supply, driver.at)
    assert risk.cost == claims.shortfall.Cost(44_544 * MICROS, 2_400 * MICROS, False, 0)
    assert risk.moved == (claims.lateness.CommittedDate(2, day(10), day(12)),)
    audited(driver)


def test_one_gpu_second_has_one_remedy() -> None:
    """Each second of a rack is late, free, billed, or undeliverable: never two of them."""
    driver = handing(promise("t1", 1, late=market.late(0, 5), acceptance=accepted(after=2)))
    driver.until(day(3)).ask(ready())
    driver.until(day(4)).ask(accept())
    driver.until(day(8)).fail(0)
    driver.until(day(10))
    state = driver.world.state
    found = claims.lateness.lateness(
        state.claims, state.supply, state.claims.tranches[TrancheId("t1")], driver.at
    )
    assert [(short.start_at, short.end_at) for short in found.late] == [(day(0), day(4))]
    line = usage.tranche_lines(state.usage, driver.at)[0]
    # Free from day 4 to 6, billed from then on, but for a node from day 8 on.
    assert line.entitled_gpu_us == GPUS * 4 * DAY_US
    assert line.undeliverable_gpu_us == 8 * 2 * DAY_US
    audited(driver)


def test_news_of_nodes_that_were_paid_for_one_after_the_other() -> None:
    driver = handing(promise("t1", 3, unit=Unit.NODE, acceptance=accepted()))
    for _ in range(2):
        driver.ask(ready())
        driver.ask(accept())
        driver.later(hours=2)
    driver.fail(0, ago_s=3 * 3600)
    driver.fail(1, ago_s=3 * 3600)
    driver.fail(2, ago_s=3 * 3600)
    # The first was paid for since four hours, the second since two, the third never.
    line = usage.tranche_lines(driver.world.state.usage, driver.at)[0]
    assert (line.entitled_gpu_us, line.undeliverable_gpu_us) == (8 * 6 * HOUR_US, 8 * 5 * HOUR_US)
    audited(driver)


def test_what_is_accepted_in_time_is_no_risk() -> None:
    driver = handing(promise(start=5, acceptance=accepted()))
    driver.ask(ready())
    driver.ask(accept())
    driver.later(days=9)
    assert claims.quotes.risks(driver.world.state.claims, driver.world.state.supply, driver.at) == []


def test_damage_is_found() -> None:
    driver = handing(promise(acceptance=accepted()))
    driver.ask(ready())
    driver.ask(accept())
    state = driver.world.state.claims.fork()
    held = state.tranches[TrancheId("t1")]
    rows: list[tuple[dict[str, Any], list[str]]] = [
        ({}, []),
        ({"parts": (held.parts[0]._replace(quantity=2),)}, ["tranche t1: more is ready than it promises"]),
        ({"parts": ()}, ["tranche t1: 4 nodes are paid for, and 0 units were accepted"]),
        ({"billed": ((1, 4, T0),)}, ["tranche t1 pays for nodes that it does not have"]),
    ]
    for damage, expected in rows:
        state.tranches[TrancheId("t1")] = held._replace(**damage)
        assert list(claims.check(state, driver.world.state.supply)) == expected
