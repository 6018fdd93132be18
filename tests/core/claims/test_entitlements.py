"""Both sides of a contract compute the same entitlements from the facts that they share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from forebay.core import ids, timeline, units
from forebay.core.claims import entitlements, offers, workdays
from forebay.core.claims.rights import Life
from forebay.core.ids import ContractId
from forebay.core.supply.blocks import Confidence
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import DAY_US, HOUR_US, SECOND_US
from tests.core import kept, plant
from tests.core.claims import market, sides
from tests.core.claims.market import late, promise, ramp, sign, use
from tests.core.claims.sides import (
    book,
    both,
    customer,
    entitled,
    expect,
    handed,
    notice,
    overlay,
    provider,
    rental,
)
from tests.core.claims.test_workdays import DESK, calendar
from tests.core.plant import Driver
from tests.core.test_claims import date, money, written


def text_of(found: entitlements.Entitlements) -> Iterator[str]:
    """In words, for the golden text."""

    def when(at: int) -> str:
        return "-" if not at else "never" if at == INSTANT_MAX else timeline.text(at)

    yield f"{found.contract} at {when(found.at)}: {found.seller} to {found.tenant}, {found.currency}"
    for each in found.deliveries:
        came = "delivered" if each.delivered else "overdue" if each.overdue else "expected"
        yield (
            f"  {each.tranche}/{each.delivery}: {each.gpus} GPUs of {each.sku} at {each.site}, "
            f"{when(each.committed_at)} to {when(each.end_at)}; {came} {when(each.comes_at)}"
            + (f"; moved to {when(each.moved_to)}" if each.moved_to != each.committed_at else "")
        )
    for lateness in found.late:
        cost = lateness.cost
        yield (
            f"  {lateness.tranche} is late: {units.decimal_text(cost.fees_micros)} of fees not charged, "
            f"{units.decimal_text(cost.damages_micros)} of damages{', capped' if cost.capped else ''}; "
            f"longstop {when(cost.longstop_at)}"
        )
    for right in found.rights:
        sale = right.offer
        yield (
            f"  {right.kind.value} {right.right} of the {right.holder.value}: {right.life.value}, "
            f"{right.racks} racks, until {when(right.deadline_at)}"
        )
        if sale is not None:
            price = units.decimal_text(sale.price_micros_per_gpu_hour)
            yield (
                f"    {sale.nodes} nodes of {sale.sku} at {sale.site} are on offer, {when(sale.start_at)} to "
                f"{when(sale.end_at)}, at {price}"
            )
    for cap in found.caps:
        yield f"  cap {cap.cap}: {units.decimal_text(cap.drawn_micros)} of {units.decimal_text(cap.micros)} drawn"


def deal() -> tuple[Driver, Driver]:
    """One contract in two Worlds, which know different things otherwise."""
    terms = late(grace=5, damages=10, cap=20_000, longstop=60)
    plan = rental(
        ramp((20, 2), (40, 2), end=200, late=terms), promise("t2", 1, start=60, end=200),
        promise(
            "t3", 3, start=12, end=200, late=late(grace=2, damages=5, longstop=90),
            acceptance=market.accepted(deemed=5), relief=(market.relieved(cap=4),),
        ),
        caps=(market.cap(money=200_000),),
        rights=(
            market.call(racks=5, cap=ids.CapId("cap"), expires_at=market.day(70)), market.extension(of="t2"),
            market.termination(of="t1"), market.refusal(expires_at=market.day(30)),
            market.backstop(cap=ids.CapId("cap"), measure_at=market.day(50)),
        ),
    )  # fmt: skip
    seller, buyer = provider(stands=10, comes=20, on=15), customer()
    seller.ask(overlay(party="us", floor_micros_per_gpu_hour=1, priority=7))
    buyer.ask(overlay(confidence=Confidence.P50, notes="they were late before"))
    for driver in (seller, buyer):
        driver.ask(sign(plan))
    return seller, buyer


def told(seller: Driver, buyer: Driver) -> Iterator[str]:
    """What both say, which is the same, at each of a few instants."""

    def same(title: str) -> Iterator[str]:
        ours, theirs = ("\n".join(text_of(entitled(driver))) for driver in (seller, buyer))
        assert ours == theirs
        yield from (f"== {title}", ours, "")

    yield from same("signed")
    offered(seller, buyer, nodes=3)
    yield from same(
        "a sale to somebody else is on offer for an hour; it is taken at once, and came a day later"
    )
    both(seller, buyer, use("rofr", "matched"), days=1)
    both(seller, buyer, handed(1, "matched"))
    both(seller, buyer, notice(30, number=1, effective_at=seller.at), days=9)
    # What one side alone knows changes nothing.
    market.slip(seller, 45)
    market.policy(seller, confidence=Confidence.P50)
    buyer.ask(expect(33, 50))
    buyer.ask(sign(sides.internal("team", 1, 60, 90)))
    both(seller, buyer, market.held_up(8, 14, of="t3"))
    yield from same("day 10: the first delivery is notified for day 30; a flood moves t3 by four days")
    both(seller, buyer, use("call", "called", racks=2), days=8)
    both(seller, buyer, market.ready(2, of="t3"), days=1)
    both(seller, buyer, market.accept(of="t3"), days=9)
    yield from same(
        "day 28: two racks were called and not delivered; the seller's own dates slipped; two of t3 were accepted"
    )
    both(seller, buyer, handed(26), handed(27, "called"), days=10)
    market.reach(seller)
    both(seller, buyer, market.ready(1, of="t3"))
    both(seller, buyer, notice(75, number=2, effective_at=seller.at), days=20)
    yield from same(
        "day 58: the first delivery came on day 26, the second is notified for day 75, the refusal is over; "
        "t3 was accepted by silence"
    )
    both(seller, buyer, use("longer", "t2-on"), handed(57, number=2), days=4)
    both(seller, buyer, use("put", "put-1", racks=1), days=60)
    yield from same("day 122: extended, put; t2 never came and nobody said a word")


def test_both_sides_compute_the_same() -> None:
    kept.compare("entitlements.txt", "\n".join(told(*deal())) + "\n")


def test_a_termination_ends_it_by_its_notice() -> None:
    first = promise(racks=1, start=10, end=100, late=late(longstop=10))
    for ends_order in (False, True):
        plan = rental(
            first, promise("t2", 1, start=12, end=100), rights=(market.termination(ends_order=ends_order),)
        )
        seller, buyer = provider(comes=2, on=60, stands=0), customer()
        for driver in (seller, buyer):
            driver.ask(sign(plan, override="we hope" if driver is seller else ""))
        both(seller, buyer, days=21)
        # The notice was received a day before it is entered.
        both(seller, buyer, use("out", effective_at=market.day(20)), days=5)
        assert entitled(seller) == entitled(buyer)
        ends = [market.day(20), market.day(20 if ends_order else 100)]
        assert [each.end_at for each in entitled(buyer).deliveries] == ends
        assert [each.overdue for each in entitled(buyer).deliveries] == [True, True]
        assert entitled(buyer).rights[0].life is Life.EXERCISED


def test_a_tranche_ended_before_it_begins_entitles_to_nothing() -> None:
    first = promise(racks=1, start=10, end=100, late=late(longstop=5))
    plan = rental(first, promise("t2", 1, start=50, end=100), rights=(market.termination(ends_order=True),))
    buyer = customer(plan)
    buyer.later(days=16)
    buyer.ask(use("out"))
    second = entitled(buyer).deliveries[1]
    assert (second.committed_at, second.end_at, second.overdue) == (market.day(16), market.day(16), False)
    assert [each.tranche for each in entitled(buyer).late] == ["t1"]


def offered(seller: Driver, buyer: Driver, name: str = "rofr", **terms: Any) -> int:
    """The seller offers what it holds, and its customer enters the notice: by when it is to be answered."""
    start = terms.pop("start", (seller.at - plant.T0) // DAY_US)
    held = market.keep(
        seller, market.hold(start=start, end=start + 20, expires_at=seller.at + DAY_US, **terms)
    )
    deadline_at = market.offer(seller, name, held.id)
    told = sides.sale(held.nodes, start, start + 20, price=held.price_micros_per_gpu_hour)
    answer = buyer.ask(offers.ReceiveOffer(ids.RightId(name), told))
    assert (answer["offer"], answer["until_at"]) == ("open", deadline_at)
    return deadline_at


def test_an_offer_that_only_the_seller_knows_of_tells_them_apart() -> None:
    plan = rental(promise(racks=1, start=2), rights=(market.refusal(),))
    seller, buyer = provider(plan), customer(plan)
    market.keep(seller, market.hold())
    market.offer(seller)
    assert entitled(seller) != entitled(buyer)
    assert entitled(buyer).rights[0].life is Life.DORMANT
    buyer.ask(sides.received())
    assert entitled(seller) == entitled(buyer)
    (right,) = entitled(buyer).rights
    assert (right.life, right.deadline_at, right.offer) == (Life.OFFERED, seller.at + HOUR_US, sides.sale())


@pytest.mark.parametrize("price", [0, 3_000_000])
@pytest.mark.parametrize("days", [None, 4])
def test_both_sides_have_one_clock(days: int | None, price: int) -> None:
    """Whoever answers, and however: until it is answered or its time is over, the same is on offer on both sides."""
    counted: dict[str, Any] = {}
    if days is not None:
        counted = {"answer_s": 0, "notice": workdays.DayNotice(days, DESK)}
    granted = market.refusal(price_micros_per_gpu_hour=price, **counted)
    for answer in (use("rofr", "matched"), market.waiver(), None):
        seller, buyer = provider(), customer()
        for driver in (seller, buyer):
            driver.ask(workdays.ApplyBusinessCalendar(calendar()))
            driver.ask(sign(rental(promise(racks=1, start=2), rights=(granted,))))
            driver.later(days=4, hours=19)
        deadline_at = offered(seller, buyer, start=20)
        assert entitled(seller) == entitled(buyer)
        assert entitled(buyer).rights[0].offer == sides.sale(4, 20, 40, price=price or 2_000_000)
        for driver in (seller, buyer):
            driver.until(deadline_at - SECOND_US)
        assert entitled(seller) == entitled(buyer)
        assert entitled(buyer).rights[0].life is Life.OFFERED
        if answer is not None:
            both(seller, buyer, answer)
        assert entitled(seller) == entitled(buyer)
        for driver in (seller, buyer):
            driver.until(deadline_at)
        # Over at its deadline on both sides, whatever grace each keeps.
        assert entitled(seller) == entitled(buyer)
        assert entitled(buyer).rights[0].life is Life.DORMANT
        both(seller, buyer, days=3)
        assert entitled(seller) == entitled(buyer)


def test_a_contract_that_nobody_signed_has_no_book() -> None:
    assert entitlements.book_of(provider().world.state.claims, ContractId("none")) is None
    assert book(provider(rental(promise())), "rent").plan.id == "rent"


# The worked example of docs/explanation/promises.md


def test_the_same_date_on_both_sides() -> None:
    plan = rental(promise(racks=2, start=10, end=100, late=late(grace=2, damages=5)))
    seller, buyer = provider(plan), customer(plan)
    buyer.ask(sign(sides.internal("team", 1, 31, 80)))
    for driver in (seller, buyer):
        driver.later(days=5)
    both(seller, buyer, notice(30))
    assert entitled(seller) == entitled(buyer)
    (lateness,) = entitled(buyer).late
    (part,) = entitled(buyer).deliveries
    assert (part.gpus, part.committed_at, part.end_at) == (64, market.day(10), market.day(100))
    assert sides.from_day(buyer) == [(0, 0), (30, 2), (100, 0)]
    fees, damages = (f"{money(each)} | {money(each)}" for each in lateness.cost[:2])
    written(
        f"from {date(market.day(10))} to {date(market.day(100))}", f"On {date(market.day(5))} it notifies",
        f"it notifies {date(market.day(30))}", f"| fees not charged | {fees} |", f"| damages | {damages} |",
    )  # fmt: skip
    buyer.ask(expect(35, 55))
    assert sides.from_day(buyer) == [(0, 0), (55, 2), (100, 0)]
    assert market.shorts(buyer) == [("team-t", 4, 31, 55)]
    written(
        f"on {date(market.day(35))} in even odds and on {date(market.day(55))} in nine cases of ten",
        f"from {date(market.day(31))} on goes short for 24 days",
    )
    assert entitled(seller) == entitled(buyer)
    buyer.ask(notice(63))
    assert sides.from_day(buyer) == [(0, 0), (63, 2), (100, 0)]
    written(f"A notice of {date(market.day(63))}")
    buyer.until(market.day(64))
    assert sides.from_day(buyer) == [(0, 0)]
