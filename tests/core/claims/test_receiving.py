"""What is handed over of what we rent: the same words as on its seller's side, and what they change here."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core import ids
from forebay.core.claims import acceptance, relief, renting
from forebay.core.claims.terms import ReliefKind
from forebay.core.ids import Command, TrancheId
from forebay.core.units import MICROS
from tests.core.claims import market, sides
from tests.core.claims.market import (
    BURN_IN,
    accept,
    accepted,
    code,
    day,
    held_up,
    late,
    promise,
    ramp,
    ready,
    reject,
    sign,
    use,
)
from tests.core.claims.sides import (
    both,
    customer,
    entitled,
    from_day,
    handed,
    notice,
    provider,
    rental,
    there,
)
from tests.core.plant import Driver, contract
from tests.core.test_claims import date, money, written

GOOD: dict[str, Any] = {"burn_in_hours": BURN_IN.threshold_micros}


def renter(*tests: Any, deemed: int = 0, **terms: Any) -> Driver:
    plan = ramp((10, 4), (20, 6), end=100, acceptance=accepted(*tests, deemed=deemed), **terms)
    return customer(rental(plan, promise("plain", 1, start=10, end=100)))


def test_what_is_accepted_is_there_at_once() -> None:
    driver = renter()
    assert from_day(driver) == [(0, 0), (10, 5), (20, 11), (100, 0)]
    driver.until(day(5))
    assert driver.ask(ready(3)) == {
        "tranche": "t1", "notice": 1, "count": 3, "ready_at": day(5), "deemed_at": 0,
    }  # fmt: skip
    assert there(driver, 6) == 0
    driver.until(day(6)).ask(accept())
    assert from_day(driver) == [(0, 0), (6, 3), (10, 5), (20, 11), (100, 0)]
    # The date of what is left passes without it: three are there, and the one of the other tranche did not come.
    driver.until(day(11))
    assert from_day(driver) == [(0, 0), (6, 3), (20, 9), (100, 0)]
    driver.ask(ready(7))
    driver.ask(reject())
    driver.ask(ready(7))
    driver.ask(accept())
    assert from_day(driver) == [(0, 0), (6, 3), (11, 10), (100, 0)]
    driver.until(day(30))
    assert from_day(driver) == [(0, 0), (6, 3), (11, 10), (100, 0)]


def test_a_team_that_was_short_has_it_since_it_was_accepted() -> None:
    driver = customer(rental(promise(racks=2, start=5, end=100, acceptance=accepted())))
    driver.ask(sign(sides.internal("team", 2, 5, 90)))
    driver.until(day(8))
    assert market.shorts(driver) == [("team-t", 8, 5, 90)]
    driver.ask(ready(2, on=7))
    driver.ask(accept(on=7))
    assert market.shorts(driver) == [("team-t", 8, 5, 7)]


@pytest.mark.parametrize("down", [False, True])
def test_who_is_silent_accepts(down: bool) -> None:
    driver = renter(deemed=3)
    driver.until(day(5)).ask(ready(4))
    grace = driver.world.state.claims.policy.notice_grace_s * 1_000_000
    due = day(8) + grace
    assert driver.world.next_wake() == due
    # Restored, it knows as much.
    assert type(driver.world).restore(driver.world.fork().state).next_wake() == due
    if down:
        # Nobody looked for a week: answers that were given meanwhile may still be entered for a grace.
        back = due + 7 * market.DAY_S * 1_000_000
        driver.at = back
        outcome = driver.world.wake(due, back)
        assert [type(event) for event in outcome.events] == [acceptance.AcceptanceResumed]
        driver.events += [(due, event) for event in outcome.events]
        assert driver.world.next_wake() == day(10)
        return
    driver.until(due)
    assert driver.last(acceptance.DeliveryAccepted) == acceptance.DeliveryAccepted(
        TrancheId("t1"), 1, day(8), True, max(due, day(10))
    )
    assert from_day(driver)[1] == (8, 4)


def test_silence_means_nothing_once_it_is_over() -> None:
    driver = renter(deemed=3)
    driver.until(day(98)).ask(ready(4))
    driver.until(day(110))
    assert not [event for _, event in driver.events if isinstance(event, acceptance.DeliveryAccepted)]


REFUSED: list[tuple[Command, str]] = [
    (ready(0, of="plain", on=99), "no_acceptance"),
    (ready(0, of="over", on=99), "tranche_over"),
    (ready(0, on=99), "future_fact"),
    (ready(0, on=1), "too_late"),
    (ready(0), "bad_quantity"),
    (ready(8, strange=1), "not_bound"),
    (ready(7, strange=1), "unknown_test"),
    (ready(7), "test_missing"),
    (ready(7, burn_in_hours=1), "test_failed"),
    (accept(of="none"), "unknown_tranche"),
    (accept(of="plain", notice=9, on=99), "no_acceptance"),
    (accept(notice=9, on=99), "unknown_notice"),
    (accept(1, on=99), "not_ready"),
    (accept(2, on=99), "future_fact"),
    (accept(2, on=10), "too_early"),
    (reject(2, on=10, reason=""), "too_early"),
    (reject(2, reason=""), "no_reason"),
    (held_up(9, 5, of="over"), "tranche_over"),
    (held_up(9, 5, "change_order", reason=""), "no_relief"),
    (held_up(9, 5, received_at=day(99), reason=""), "bad_term"),
    (held_up(5, 9, received_at=day(99), reason=""), "future_fact"),
    (held_up(5, 9, received_at=day(10), reason=""), "no_reason"),
    (held_up(1, 9), "too_late"),
    (held_up(25, 29), "moves_nothing"),
    (handed(5), "by_acceptance"),
]


@pytest.mark.parametrize(("command", "why"), REFUSED)
def test_what_is_said_is_refused_as_its_seller_refuses_it(command: Command, why: str) -> None:
    terms: Any = {"relief": (market.relieved(cap=40),), "acceptance": accepted(BURN_IN)}
    over = promise("over", 1, start=0, end=10, acceptance=accepted())
    driver = customer(rental(ramp((10, 4), (20, 6), end=100, **terms), promise("plain", 1, start=2), over))
    driver.until(day(12))
    for said in (ready(3, **GOOD), accept(), ready(3, **GOOD)):
        driver.ask(said)
    if not isinstance(command, acceptance.AcceptDelivery | acceptance.RejectDelivery):
        driver.ask(reject())
    assert code(driver, command) == why


def test_relief_is_used_up_and_used_twice() -> None:
    driver = renter(relief=(market.relieved(cap=4),))
    driver.until(day(8))
    assert driver.ask(held_up(6, 12))["granted_until_at"] == day(10)
    assert code(driver, held_up(9, 11)) == "relief_used_up"
    assert driver.last(relief.ReliefGranted).kind is ReliefKind("force_majeure")
    (tranche, _) = renting.tranches_of(driver.world.state.claims, ids.ContractId("rent"), driver.at)
    assert [each.granted_until_at for each in tranche.reliefs] == [day(10)]
    # The date that both sides count from has moved; what we count on has not: nobody notified another.
    assert [day(14), day(24)] == [each.moved_to for each in entitled(driver).deliveries][:2]
    assert there(driver, 10) == 5


def test_relief_moves_the_longstop_on_both_sides() -> None:
    terms = late(grace=2, damages=5, longstop=10)
    plan = rental(
        promise(racks=2, start=10, end=100, late=terms, relief=(market.relieved(cap=30),)),
        rights=(market.termination(),),
    )
    seller, buyer = provider(comes=2, on=60, stands=0), customer()
    for driver in (seller, buyer):
        driver.ask(sign(plan, override="we hope" if driver is seller else ""))
    both(seller, buyer, days=8)
    both(seller, buyer, held_up(7, 15), notice(60), days=14)
    # Day 22 is beyond the longstop by the contract, and not by the date as it was moved.
    for driver in (seller, buyer):
        assert code(driver, use("out")) == "not_late"
    assert entitled(seller) == entitled(buyer)
    (lateness,) = entitled(buyer).late
    assert lateness.cost.longstop_at == day(28)
    both(seller, buyer, days=7)
    both(seller, buyer, use("out"))
    assert entitled(seller) == entitled(buyer)
    assert entitled(buyer).deliveries[0].end_at == day(29)


def test_both_sides_count_what_is_accepted() -> None:
    terms: Any = {"acceptance": accepted(deemed=3), "late": late(grace=1, damages=10, cap=50_000)}
    plan = rental(ramp((5, 2), (12, 2), end=100, **terms))
    seller, buyer = provider(plan, stands=6), customer(plan)
    for driver in (seller, buyer):
        driver.until(day(6))
    both(seller, buyer, ready(1, on=6), days=1)
    both(seller, buyer, accept(on=6), days=1)
    assert entitled(seller) == entitled(buyer)
    both(seller, buyer, ready(1), days=0)
    both(seller, buyer, reject(), ready(1), days=2)
    assert [(each.delivery, each.gpus, each.delivered) for each in entitled(buyer).deliveries] == [
        (1, 32, True), (1, 32, False), (2, 64, False),
    ]  # fmt: skip
    assert entitled(seller) == entitled(buyer)
    # By silence, and one side looked while the other did not yet.
    seller.until(day(11))
    assert entitled(buyer)._replace(at=seller.at) != entitled(seller)
    buyer.at = seller.at
    assert entitled(seller) == entitled(buyer)
    for driver in (seller, buyer):
        driver.until(day(20))
    assert entitled(seller) == entitled(buyer)
    # As docs/explanation/promises.md says by hand.
    (lateness,) = entitled(buyer).late
    pieces = entitled(buyer).deliveries
    for each, fees, damages in zip(pieces, (1_536, 9_216, 24_576), (0, 1_600, 4_480), strict=True):
        until = each.comes_at if each.delivered else day(20)
        cells = (each.gpus, date(each.committed_at), date(until), f"{fees:,}.00", f"{damages:,}.00")
        written("| " + " | ".join(map(str, cells)) + " |")
    assert lateness.cost[:2] == (35_328 * MICROS, 6_080 * MICROS)
    written(f"| together | | | {money(lateness.cost.fees_micros)} | {money(lateness.cost.damages_micros)} |")
    assert [each.comes_at for each in entitled(buyer).deliveries] == [day(6), day(11), day(12)]
    # A contract of our own is handed over as before.
    own = contract(
        "mine", "team", promise("mine-t", site=sides.HOME, acceptance=accepted()), seller=sides.LAB
    )
    buyer.ask(sign(own))
    assert buyer.ask(ready(1, of="mine-t"))["notice"] == 1
