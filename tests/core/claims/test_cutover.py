"""Contracts that ran before forebay knew of them: what is taken in, and refused, and what is billed afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from forebay.core import claims, ids, money
from forebay.core.claims import Opening, Unit
from forebay.core.claims.opening import OpenedCap, OpenedInvoice, OpenedOffer, OpenedRight, OpenedTranche
from forebay.core.claims.rights import Life
from forebay.core.ids import CapId, HoldId, RackId, RightId, TenantId, TrancheId
from forebay.core.units import DAY_US, HOUR_US, MICROS, SECOND_US
from tests.core import plant
from tests.core.claims import market
from tests.core.claims.market import (
    HGX,
    NORTH,
    STOCK,
    backstop,
    bound,
    call,
    cap,
    day,
    extension,
    held_right,
    hold,
    keep,
    late,
    life,
    promise,
    ramp,
    reach,
    refusal,
    shorts,
    sign,
    termination,
    use,
)
from tests.core.plant import FINANCE, Driver, contract

#: Everything happens on this day, and the contracts began before.
TODAY = 40


def desk(stands: int = 4, comes: int = 2, **more: Any) -> Driver:
    """A site with racks, on the fortieth day; a block comes on the sixtieth."""
    return market.market(stands=stands, comes=comes, on=60, **more).until(day(TODAY))


def has(name: str = "t1", delivered: int = 2, **more: Any) -> OpenedTranche:
    return OpenedTranche(TrancheId(name), delivered, **more)


def stood(*tranches: OpenedTranche, on: int = TODAY, **more: Any) -> Opening:
    return Opening(day(on), tranches=tranches, **more)


def take(plan: claims.ContractPlan, opening: Opening) -> claims.SignContract:
    return claims.SignContract(plan, opening=opening)


def runs(*tranches: claims.TranchePlan, **more: Any) -> Any:
    """A contract whose one tranche of two racks began on the tenth day, if no others are said."""
    return contract("old", "acme", *(tranches or (promise(racks=2, start=10),)), **more)


# What is taken in.


def test_a_running_contract_is_bound_at_once_and_counts_in_the_calendar() -> None:
    driver = desk()
    answer = driver.ask(take(runs(), stood(has())), FINANCE)
    assert answer == {"contract": "old", "signed": True, "tranches": {"t1": [[0, 8]]}}
    tranche = driver.world.state.claims.tranches[TrancheId("t1")]
    assert (tranche.standing, tranche.started_at, tranche.opened_at) == ("live", day(TODAY), day(TODAY))
    assert market.available(driver, TODAY) == 2
    assert market.available(driver, 400) == 6
    assert shorts(driver) == []
    # It is what any tranche is: whoever wants these racks is refused.
    assert market.code(driver, sign(contract("new", "bravo", promise("t2", 3, 40, 60)))) == "oversold"


def test_nothing_of_before_the_cutover_is_metered_or_billed() -> None:
    driver = desk()
    driver.ask(take(runs(), stood(has())))
    (bill,) = driver.until(day(41)).close()
    (line,) = bill.lines
    # 2 racks of 32 GPUs for one day.
    assert line.gpu_us == 64 * DAY_US
    assert (line.start, line.end) == (day(TODAY), day(41))
    assert bill.total_minor == 64 * 24 * 2 * 100
    assert bill.brought_forward == ()


def test_what_was_delivered_is_billed_from_the_cutover_also_where_it_is_taken_in_later() -> None:
    driver = desk()
    driver.close()
    driver.until(day(42))
    plan = runs(promise(racks=3, start=10), promise("t2", 1, 41))
    driver.ask(take(plan, stood(has(delivered=2))))
    (bill,) = driver.until(day(43)).close()
    first, second = bill.lines
    # Two racks since the fortieth day; one more, which stood there, since it was taken in.
    assert first.gpu_us == 64 * 3 * DAY_US + 32 * DAY_US
    assert (first.start, first.end) == (day(40), day(43))
    # What began after the cutover begins when it is taken in, as ever.
    assert (second.gpu_us, second.start) == (32 * DAY_US, day(42))
    assert driver.book("t1") == (0, 0, 0)
    (bill,) = driver.until(day(44)).close()
    assert {(line.start, line.end) for line in bill.lines} == {(day(43), day(44))}


def test_named_racks_are_bound_and_the_others_take_what_is_left() -> None:
    driver = desk()
    plan = runs(promise("t1", 1, 10), promise("t2", 2, 10), promise("t3", 3, 10, unit=Unit.NODE))
    named = tuple(map(RackId, ("r2", "r3")))
    driver.ask(take(plan, stood(has("t1", 1), has("t2", 2, racks=named), has("t3", 3))))
    assert (bound(driver, "t1"), bound(driver, "t2")) == ([(0, 4)], [(4, 8)])
    assert bound(driver, "t3") == [(12, 3)]


def test_who_begins_later_makes_room() -> None:
    driver = desk(stands=2)
    driver.ask(sign(contract("new", "bravo", promise("t2", 1, 50, 60))))
    assert bound(driver, "t2") == [(0, 4)]
    driver.ask(take(runs(promise(racks=1, start=10)), stood(has(delivered=1, racks=(RackId("r1"),)))))
    assert (bound(driver), bound(driver, "t2")) == ([(0, 4)], [(4, 4)])


def test_work_without_a_right_leaves_the_racks_of_a_running_contract() -> None:
    driver = plant.plant(contract("c0", "bravo"), sites=(plant.site(racks=2),), policy=None).until(day(1))
    driver.run("guest", 64, tenant="bravo")
    driver.ask(take(runs(promise(racks=1, start=0)), stood(has(delivered=1), on=1)))
    assert driver.phase("guest") == "stopping"
    assert driver.book() == (0, 0, 32)


def test_what_was_late_at_the_cutover_is_short_since_it_was_due() -> None:
    driver = desk(stands=3)
    plan = runs(ramp((10, 2), (20, 1), (30, 2), late=late(5, 10, longstop=12)), rights=(termination(),))
    driver.ask(take(plan, stood(has(delivered=2), on=38)))
    # 1 of 3 missed since the 20th, 3 of 5 since the 30th; one of them stands, and is handed over at once. The block
    # brings two more on the 60th.
    assert shorts(driver) == [("t1", 4, 20, 30), ("t1", 12, 30, 40), ("t1", 8, 40, 60)]
    assert bound(driver) == [(0, 12)]
    cost = claims.shortfall.cost(
        driver.world.state.claims.tranches[TrancheId("t1")],
        driver.world.state.supply,
        driver.world.state.claims.shorts[STOCK],
    )
    # The one that was missing first was beyond its longstop; the clock of the last two runs since the 30th.
    assert cost.longstop_at == day(32)
    assert market.code(driver, use("out")) == "not_late"
    assert driver.until(day(42)).ask(use("out"))["ended"] == ["t1"]


def test_late_by_hand_stays_by_hand() -> None:
    driver = desk(stands=2, comes=0)
    driver.ask(sign(contract("c1", "bravo", promise("t2", 3, 50, 60)), override="we dare"))
    driver.ask(market.allocate(market.short("t2", 4, 50, 60), reason="we agreed"))
    driver.ask(take(runs(promise(racks=1, start=10, end=45)), stood(has(delivered=0), on=39)))
    assert shorts(driver) == [("t1", 4, 10, 40), ("t2", 4, 50, 60)]
    assert driver.world.state.claims.by_hand == {STOCK: "we agreed"}


def test_it_asks_no_leave_and_makes_others_short() -> None:
    driver = desk(stands=2, comes=0)
    driver.ask(sign(contract("c1", "bravo", promise("t2", 2, 50, 60), rights=(refusal("first"),))))
    driver.ask(take(runs(), stood(has())))
    assert shorts(driver) == [("t2", 8, 50, 60)]


def test_rights_go_on_where_they_stood() -> None:
    driver = desk(stands=8)
    granted = (
        call("part", 3, expires_at=day(50)), call("used", 2, expires_at=day(30), price_micros_per_gpu_hour=0),
        call("gone", 2, expires_at=day(30)), backstop("put", measure_at=day(35)), extension("longer"),
        refusal("first"),
    )  # fmt: skip
    offer = OpenedOffer(HoldId("sale"), TenantId("bravo"), NORTH, HGX, 4, day(45), day(65), 2 * MICROS, 0)
    offer.deadline_at = day(TODAY) + 1800 * SECOND_US
    states = (
        OpenedRight(RightId("part"), Life.DORMANT, racks=2), OpenedRight(RightId("used"), Life.EXERCISED, racks=2),
        OpenedRight(RightId("gone"), Life.LAPSED), OpenedRight(RightId("put"), Life.DORMANT, unsold=3),
        OpenedRight(RightId("first"), Life.OFFERED, offer=offer),
    )  # fmt: skip
    driver.ask(take(runs(rights=granted), stood(has(), rights=states)))
    assert [life(driver, right.id) for right in granted] == [
        "dormant", "exercised", "lapsed", "dormant", "dormant", "offered",
    ]  # fmt: skip
    # One rack may still be called; the sale on offer is held.
    assert market.encumbered(driver, 48) == 2
    assert market.code(driver, use("part", racks=2)) == "bad_quantity"
    driver.ask(use("part", "called", racks=1))
    assert driver.ask(use("put", "puts"))["count"] == 3
    # The clock of the offer runs on, and it is kept as long as the sale may pass afterwards.
    assert driver.world.state.claims.holds[HoldId("sale")].expires_at == offer.deadline_at + DAY_US
    driver.until(offer.deadline_at + DAY_US)
    assert life(driver, "first") == "dormant"
    assert held_right(driver, "first").passed == ()


def test_what_was_drawn_on_a_cap_is_gone() -> None:
    driver = desk(stands=8)
    # A rack for ten days costs 15,360.
    plan = runs(rights=(call(racks=3, expires_at=day(50), cap=CapId("cap")),), caps=(cap(money=40_000),))
    opening = stood(
        has(),
        caps=(OpenedCap(CapId("cap"), 30_000 * MICROS),),
        rights=(OpenedRight(RightId("call"), Life.DORMANT, 1),),
    )
    driver.ask(take(plan, opening))
    assert market.code(driver, use("call", racks=1)) == "cap_reached"


# The books.


def test_the_books_are_opened_in_balance_and_shown_on_the_first_invoice() -> None:
    driver = desk()
    opening = stood(
        has(), billed_micros=900 * MICROS, deferred_micros=100 * MICROS, prepaid_micros=50 * MICROS,
        deposit_micros=25 * MICROS, credited_micros=10 * MICROS, credit_open_micros=5 * MICROS,
        invoices=(OpenedInvoice("A-7", 200 * MICROS, day(5), day(45)), OpenedInvoice("A-8", 80 * MICROS)),
    )  # fmt: skip
    driver.ask(take(runs(), opening))
    posted = driver.last(money.TransactionPosted)
    assert (posted.effective_at, posted.currency, posted.invoice) == (day(TODAY), "USD", "")
    assert [(entry.account, entry.amount_micros // MICROS) for entry in posted.entries] == [
        ("receivable:acme", 200), ("receivable:acme", 80), ("deferred_revenue:acme", -100), ("prepayments:acme", -50),
        ("deposits:acme", -25), ("credits:acme", -5), ("equity:opening", -100),
    ]  # fmt: skip
    (bill,) = driver.until(day(41)).close()
    assert [(each.account, each.amount_micros // MICROS, each.number) for each in bill.brought_forward] == [
        ("receivable:acme", 200, "A-7"), ("receivable:acme", 80, "A-8"), ("deferred_revenue:acme", -100, ""),
        ("prepayments:acme", -50, ""), ("deposits:acme", -25, ""), ("credits:acme", -5, ""),
    ]  # fmt: skip
    # What was prepaid is drawn by the first fees.
    assert bill.total_minor == (64 * 24 * 2 - 50) * 100
    assert driver.world.state.money.forward == {}
    # Later ones show nothing of it.
    (bill,) = driver.until(day(42)).close()
    assert bill.brought_forward == ()
    assert (
        driver.world.state.money.balances["receivable:acme", "USD"] == (280 + 2 * 64 * 24 * 2 - 50) * MICROS
    )


def test_balances_that_cancel_out_need_no_equity() -> None:
    driver = desk()
    invoices = (OpenedInvoice("A-7", 5 * MICROS),)
    driver.ask(
        take(runs(), stood(has(), billed_micros=9 * MICROS, prepaid_micros=5 * MICROS, invoices=invoices))
    )
    assert len(driver.last(money.TransactionPosted).entries) == 2


def test_two_contracts_of_one_customer_come_forward_on_one_invoice() -> None:
    driver = desk()
    driver.ask(take(runs(), stood(has(), prepaid_micros=MICROS)))
    second = contract("older", "acme", promise("t2", 1, 20))
    driver.ask(take(second, stood(has("t2", 1), deposit_micros=MICROS)))
    (bill,) = driver.until(day(41)).close()
    assert [each.contract for each in bill.brought_forward] == ["old", "older"]


# Refusals. What breaks every rule is mended rule by rule: what is refused next is the next rule.

Mend = Callable[[Opening], Opening]


def of(**terms: Any) -> Mend:
    return lambda opening: replace(opening, **terms)


def part(name: str, place: int, **terms: Any) -> Mend:
    def mended(opening: Opening) -> Opening:
        parts = getattr(opening, name)
        changed: Any = {name: (*parts[:place], replace(parts[place], **terms), *parts[place + 1 :])}
        return replace(opening, **changed)

    return mended


def test_every_refusal_of_an_opening_in_its_order() -> None:
    driver = desk(stands=3)
    keep(driver, hold("taken", "carol", start=50, end=60, expires_at=day(50)))
    used = call("used", 2, cap=CapId("cap"), expires_at=day(30))
    plan = runs(
        promise(racks=2, start=10), promise("t2", 1, 20), promise("t3", 9, 50),
        rights=(used, refusal("first", expires_at=day(60)), refusal("second")),
        caps=(cap("cap"), cap("other")),
    )  # fmt: skip
    offer = OpenedOffer(HoldId("!"), TenantId("!"), ids.SiteId("?"), HGX, 0, day(45), day(40), 0, 0)
    broken = Opening(
        day(41), "EUR", -1, 2, 0, 3, 0, 4, 5,
        (OpenedInvoice("1", 0, day(99)), OpenedInvoice("1", 0)),
        (has("?", -1, accepted_at=day(99)), has("t2", 1)),
        (OpenedCap(CapId("?"), -1), OpenedCap(CapId("cap"), 0)),
        (OpenedRight(RightId("?"), Life.LAPSED, 9), OpenedRight(RightId("first"), Life.OFFERED, offer=offer)),
    )  # fmt: skip
    rules: list[tuple[str, str, Mend]] = [
        ("future_fact", "opening.at", of(at=0)),
        ("bad_term", "opening.at", of(at=day(40))),
        ("bad_term", "rights[0].expires_at", part("rights", 0, right=RightId("used"))),
        ("currency_differs", "opening.currency", of(currency="USD")),
        ("bad_quantity", "opening.billed", of(billed_micros=1)),
        ("bad_balance", "opening.deferred", of(deferred_micros=1)),
        ("bad_balance", "opening.prepaid_drawn", of(prepaid_drawn_micros=1)),
        ("bad_balance", "opening.credited", of(credited_micros=1)),
        ("bad_balance", "opening.credit_open", of(credit_open_micros=1)),
        ("bad_quantity", "opening.invoices[0].open_micros", part("invoices", 0, open_micros=2)),
        ("bad_balance", "opening.billed", of(billed_micros=9)),
        ("bad_term", "opening.invoices[0].issued_at", part("invoices", 0, issued_at=day(40))),
        ("duplicate_id", "opening.invoices[1].number", part("invoices", 1, number="2")),
        ("bad_quantity", "opening.invoices[1].open_micros", part("invoices", 1, open_micros=1)),
        ("unknown_tranche", "opening.tranches[0].tranche", part("tranches", 0, tranche="t2")),
        ("bad_quantity", "opening.tranches[0].delivered", part("tranches", 0, delivered=3)),
        ("over_delivered", "opening.tranches[0].delivered", part("tranches", 0, delivered=1)),
        ("bad_term", "opening.tranches[0].accepted_at", part("tranches", 0, accepted_at=day(40))),
        ("duplicate_id", "opening.tranches[1].tranche", of(tranches=(has("t2", 1),))),
        ("bad_quantity", "opening.tranches", of(tranches=(has("t3", 1), has("t2", 1), has()))),
        ("over_delivered", "opening.tranches[0].delivered", part("tranches", 0, delivered=0)),
        ("unknown_cap", "opening.caps[0].cap", part("caps", 0, cap=CapId("cap"))),
        ("bad_quantity", "opening.caps[0].drawn", part("caps", 0, drawn_micros=1001 * MICROS)),
        ("cap_reached", "opening.caps[0].drawn", part("caps", 0, drawn_micros=1)),
        ("duplicate_id", "opening.caps[1].cap", part("caps", 1, cap=CapId("other"), drawn_micros=1)),
        ("bad_right_state", "opening.rights[0].life", part("rights", 0, racks=0)),
        (
            "bad_id",
            "opening.rights[1].offer.hold",
            part("rights", 1, offer=replace(offer, hold=HoldId("taken"))),
        ),
    ]
    opening = refused_in_order(driver, plan, broken, rules)
    offers: list[tuple[str, str, dict[str, Any]]] = [
        ("bad_id", "tenant", {"tenant": "acme"}),
        ("duplicate_id", "hold", {"hold": "sale"}),
        ("bad_scope", "hold", {"site": NORTH}),
        ("bad_scope", "hold", {"tenant": "bravo"}),
        ("bad_quantity", "nodes", {"nodes": 4}),
        ("bad_term", "deadline_at", {"deadline_at": day(40) + 2 * HOUR_US}),
        ("bad_term", "deadline_at", {"deadline_at": day(40) + HOUR_US}),
        ("bad_term", "end_at", {"end_at": day(60)}),
        ("bad_price", "price", {"price_micros_per_gpu_hour": 1}),
    ]
    for code, field, terms in offers:
        no = driver.refused(take(plan, opening))
        assert (no.code, no.field) == (code, f"opening.rights[1].offer.{field}"), no.detail
        known = opening.rights[1].offer
        assert known is not None
        opening = part("rights", 1, offer=replace(known, **terms))(opening)
    more = OpenedRight(RightId("used"), Life.LAPSED)
    opening = replace(opening, rights=(*opening.rights, more))
    rest: list[tuple[str, str, Mend]] = [
        ("duplicate_id", "opening.rights[2].right", part("rights", 2, right=RightId("none"))),
        ("unknown_right", "opening.rights[2].right", of(rights=opening.rights[:2])),
        ("bad_balance", "opening.caps", of(caps=(OpenedCap(CapId("cap"), 0),))),
        ("bad_balance", "opening.caps", of(caps=(OpenedCap(CapId("cap"), 5),))),
    ]
    # Something is drawn and nothing was taken; then the other way round.
    opening = refused_in_order(driver, plan, opening, rest[:3])
    opening = part("rights", 0, racks=1)(opening)
    opening = refused_in_order(driver, plan, opening, rest[3:])
    driver.ask(take(plan, opening))


def refused_in_order(
    driver: Driver, plan: claims.ContractPlan, opening: Opening, rules: list[tuple[str, str, Mend]]
) -> Opening:
    """Ask, and mend what was refused, one after the other; the opening that breaks none of the rules."""
    for place, (code, field, mend) in enumerate(rules):
        no = driver.refused(take(plan, opening))
        assert (no.code, no.field) == (code, field), (place, no.detail)
        opening = mend(opening)
    return opening


def test_what_a_refusal_drew_needs_no_racks() -> None:
    driver = desk()
    plan = runs(rights=(refusal(cap=CapId("cap")),), caps=(cap(),))
    driver.ask(take(plan, stood(has(), caps=(OpenedCap(CapId("cap"), 5),))))
    assert driver.world.state.claims.drawn == {("old", "cap"): 5}


RACKS: list[tuple[str, str, OpenedTranche]] = [
    ("bad_binding", "there is no rack r9", has(racks=(RackId("r9"), RackId("r2")))),
    ("bad_binding", "named twice", has(racks=(RackId("r2"), RackId("r2")))),
    ("bad_binding", "rack r1 is somebody else's", has(racks=(RackId("r1"), RackId("r2")))),
    ("bad_binding", "4 nodes, and 8 were delivered", has(racks=(RackId("r2"),))),
    ("not_standing", "12 nodes were delivered, and 8 stand", has(delivered=3)),
]


@pytest.mark.parametrize(("code", "why", "tranche"), RACKS, ids=lambda value: str(value)[:30])
def test_what_was_delivered_must_stand(code: str, why: str, tranche: OpenedTranche) -> None:
    driver = desk(stands=3)
    driver.ask(sign(contract("c1", "bravo", promise("t0", 1, TODAY))))
    no = driver.refused(take(runs(promise(racks=3, start=10)), stood(tranche)))
    assert no.code == code
    assert why in no.detail
    assert no.field.startswith("opening.tranches[0].")


@pytest.mark.parametrize("racks", [(), (RackId("r1"), RackId("r2"))], ids=["any", "named"])
def test_what_was_delivered_must_have_power(racks: tuple[RackId, ...]) -> None:
    feeds = (plant.feed("f1", 40_000),)
    driver = plant.plant(contract("c0", "nobody"), sites=(plant.site(feeds=feeds, racks=2),)).until(
        day(TODAY)
    )
    no = driver.refused(take(runs(), stood(has(racks=racks))))
    assert (no.code, no.field) == ("no_power", "opening.tranches[0].delivered")


def test_nodes_that_were_delivered_must_stand() -> None:
    driver = desk(stands=1)
    no = driver.refused(take(runs(promise(racks=5, start=10, unit=Unit.NODE)), stood(has(delivered=5))))
    assert (no.code, no.detail) == (
        "not_standing",
        "tranche t1: 5 nodes were delivered, and 4 stand that are free",
    )


def test_a_contract_is_opened_once_and_before_all_else() -> None:
    driver = desk()
    opening = stood(has())
    driver.ask(take(runs(), opening))
    before = driver.world.seq
    # The same again, and the contract without what it was opened with, change nothing.
    for command in (take(runs(), opening), sign(runs())):
        assert driver.ask(command) == {"contract": "old", "signed": False, "tranches": {}}
    assert driver.world.seq == before
    no = driver.refused(take(runs(), stood(has(), on=39)))
    assert (no.code, no.field) == ("opened_already", "opening")
    driver.ask(sign(contract("new", "bravo", promise("t2"))))
    no = driver.refused(take(contract("new", "bravo", promise("t2")), stood(has("t2", 1))))
    assert (no.code, no.field) == ("signed_already", "opening")


def test_a_running_contract_uses_up_no_hold() -> None:
    driver = desk()
    keep(driver, hold(of="acme", start=40, end=60, expires_at=day(50)))
    command = replace(take(runs(), stood(has())), hold=HoldId("h1"))
    assert market.code(driver, command) == "unknown_hold"


def test_racks_that_come_later_go_to_what_was_missing() -> None:
    driver = desk(stands=1, comes=1)
    driver.ask(take(runs(), stood(has(delivered=1))))
    driver.until(day(55))
    reach(driver)
    market.come(driver, 1)
    assert bound(driver) == [(0, 8)]
    assert shorts(driver) == [("t1", 4, 10, 55)]


def test_what_was_accepted_before_the_cutover_is_in_service() -> None:
    """Two of three racks were delivered and accepted before, and are billed from the cutover; the third later."""
    driver = desk()
    driver.later(days=1)
    plan = promise(racks=3, start=10, acceptance=market.accepted())
    driver.ask(take(runs(plan), stood(has(delivered=2))), FINANCE)
    state = driver.world.state
    tranche = state.claims.tranches[TrancheId("t1")]
    assert claims.billed_runs(tranche) == ((0, 8),)
    driver.later(days=1)
    assert bound(driver) == [(0, 12)]
    (risk,) = claims.quotes.risks(state.claims, state.supply, driver.at)
    assert max(part.nodes for part in risk.parts if part.end_at == driver.at) == 4
    driver.ask(market.ready())
    driver.ask(market.accept(2))
    (invoice,) = driver.close()
    assert invoice.lines[0].gpu_us == 64 * 2 * DAY_US
    assert claims.billed_runs(state.claims.tranches[TrancheId("t1")]) == ((0, 12),)


def test_what_runs_already_is_somewhere() -> None:
    driver = desk()
    plan = runs(promise(racks=2, start=10, site=ids.SiteId(""), sites=(NORTH,)))
    refusal = driver.refused(take(plan, stood(has())))
    assert (refusal.code, refusal.field) == ("contradiction", "tranches[0]")
