"""What a customer counts on at its provider's, and what follows when it does not come."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forebay.core import claims, ids
from forebay.core.claims import deliveries, payments, renting, rights
from forebay.core.claims.calendar import Stock
from forebay.core.claims.rights import Life
from forebay.core.ids import ContractId, HoldId, RightId, SiteId, SkuId, TrancheId
from forebay.core.supply import ApplySite, SiteAdded, blocks
from forebay.core.supply.blocks import Confidence
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import MICROS
from tests.core import plant
from tests.core.claims import market
from tests.core.claims.market import NORTH, call, code, day, late, promise, ramp, sign, use
from tests.core.claims.renters import Renters
from tests.core.claims.sides import (
    HOME,
    LAB,
    customer,
    expect,
    from_day,
    handed,
    internal,
    notice,
    overlay,
    rental,
    there,
)
from tests.core.plant import FINANCE, Driver, contract, tenant
from tests.core.test_world import run_machine

# Signing as the customer.


def test_a_signature_adds_supply_and_asks_nothing_of_ours() -> None:
    driver = customer()
    plan = rental(ramp((10, 4), (20, 6), end=100))
    assert driver.ask(sign(plan)) == {"contract": "rent", "signed": True, "tranches": {}}
    assert driver.last(SiteAdded).site == NORTH
    assert from_day(driver) == [(0, 0), (10, 4), (20, 10), (100, 0)]
    state = driver.world.state
    assert state.supply.sites[NORTH].title == ""
    assert not state.claims.contracts.keys() & {"rent"}
    assert not state.claims.tranches
    # At home nothing changed.
    assert driver.world.calendar.supply(Stock(HOME, SkuId("hgx")), Confidence.P90).at(day(50)) == 8
    assert driver.ask(sign(plan)) == {"contract": "rent", "signed": False, "tranches": {}}


def test_a_site_that_was_described_keeps_its_description() -> None:
    driver = customer()
    described = replace(plant.site("north"), feeds=(), halls=(), region="nordics")
    driver.ask(ApplySite(described))
    driver.ask(sign(rental(promise(start=2))))
    assert driver.world.state.supply.sites[NORTH].region == "nordics"
    assert there(driver, 5) == 1
    # Its description once more changes nothing; another one, or something that is built there, is refused.
    assert not driver.handle(ApplySite(described)).events
    schedule = blocks.SchedulePlan(NORTH, (), ())
    built = (plant.feed("north-f1"),)
    for asked in (
        ApplySite(replace(described, region="")), ApplySite(replace(described, feeds=built)),
        ApplySite(described, schedule),
    ):  # fmt: skip
        assert code(driver, asked) == "rented_site"


@pytest.mark.parametrize(
    ("plan", "more", "why", "field"),
    [
        (rental(promise(racks=2), name="known"), {}, "contract_differs", ""),
        (rental(promise("t2", site=HOME), promise("t3", site=SiteId("far")), seller="x y"), {}, "own_site",
         "tranches[0].site"),
        (rental(promise("t2", site=SiteId("planned"))), {}, "own_site", "tranches[0].site"),
        (rental(promise("t2"), seller="them"), {}, "other_seller", "tranches[0].site"),
        (rental(rights=(call(site=HOME),)), {}, "own_site", "rights"),
        (rental(promise("t2", site=SiteId("far")), seller="x y"), {}, "bad_id", "seller"),
        (rental(promise("t1", racks=0)), {}, "duplicate_id", "tranches[0].id"),
        (rental(promise("t2", racks=0), rights=(call(racks=0),)), {}, "bad_quantity", "tranches[0].count"),
        (rental(promise("t2"), rights=(call("call-1"),)), {}, "duplicate_id", "rights[0].id"),
        (rental(promise("t2"), rights=(call(racks=0),)), {"by_hold": "h"}, "bad_quantity", "rights[0].racks_max"),
        (rental(promise("t2")), {"by_hold": "h"}, "unknown_hold", "hold"),
    ],
)  # fmt: skip
def test_a_signature_is_refused_in_this_order(
    plan: claims.ContractPlan, more: dict[str, Any], why: str, field: str
) -> None:
    driver = customer(rental(promise(), name="known", rights=(call("call-1"),)))
    empty = replace(plant.site("planned"), feeds=(), halls=())
    driver.ask(ApplySite(empty))
    driver.ask(blocks.ApplySchedule(blocks.SchedulePlan(SiteId("planned"), (), ())))
    no = driver.refused(sign(plan, **more))
    assert (no.code, no.field) == (why, field)


def test_names_are_taken_on_both_sides() -> None:
    driver = customer(rental(promise(start=2), rights=(call("call-1"),)))
    own = contract("mine", "team", market.promise("t1", site=HOME), seller=LAB)
    assert code(driver, sign(own)) == "duplicate_id"
    granted = contract("mine", "team", seller=LAB, rights=(market.refusal("call-1", site=HOME),))
    assert code(driver, sign(granted)) == "duplicate_id"
    given = contract("mine", "team", seller=LAB, rights=(call("mine-call", site=HOME),))
    driver.ask(sign(given))
    assert code(driver, use("mine-call", "t1", racks=1)) == "duplicate_id"
    driver.ask(sign(internal("inner", 1, 3, 9)))
    assert code(driver, use("call-1", "inner-t", racks=1)) == "duplicate_id"


def test_nothing_of_ours_is_built_at_a_rented_site() -> None:
    driver = customer(rental(promise()))
    assert code(driver, ApplySite(plant.site("north"))) == "rented_site"
    assert code(driver, blocks.ApplySchedule(blocks.SchedulePlan(NORTH, (), ()))) == "rented_site"
    driver.ask(ApplySite(plant.site("home", feeds=(plant.feed("h-f1"),), racks=2)))


# What moves it.


def test_notices_and_forecasts_move_it() -> None:
    driver = customer(rental(ramp((10, 4), (20, 6), end=100)))
    driver.ask(notice(30, number=2), FINANCE)
    assert from_day(driver) == [(0, 0), (10, 4), (30, 10), (100, 0)]
    driver.ask(expect(25, 50, number=2))
    assert from_day(driver, Confidence.P50) == [(0, 0), (10, 4), (25, 10), (100, 0)]
    assert from_day(driver) == [(0, 0), (10, 4), (50, 10), (100, 0)]
    # Until we think again, the later of both.
    driver.ask(notice(40, number=2))
    assert from_day(driver, Confidence.P50) == [(0, 0), (10, 4), (40, 10), (100, 0)]
    assert from_day(driver) == [(0, 0), (10, 4), (50, 10), (100, 0)]
    driver.ask(expect(41, 44, number=2))
    assert from_day(driver, Confidence.P50) == [(0, 0), (10, 4), (41, 10), (100, 0)]
    # A date behind the term: never there.
    driver.ask(notice(120, number=2))
    assert from_day(driver) == [(0, 0), (10, 4), (100, 0)]


def test_an_overlay_says_how_sure_one_supplier_is() -> None:
    driver = customer(rental(promise(racks=4, start=10, end=100)))
    driver.ask(expect(12, 40))
    driver.ask(overlay(confidence=Confidence.P50))
    assert from_day(driver) == [(0, 0), (12, 4), (100, 0)]
    driver.ask(overlay(version=2, confidence=Confidence.P90))
    assert from_day(driver, Confidence.P50) == [(0, 0), (40, 4), (100, 0)]


def test_what_does_not_come_counts_no_more() -> None:
    driver = customer(rental(promise(racks=4, start=10, end=100)))
    driver.ask(expect(12, 40))
    driver.later(days=13)
    assert from_day(driver, Confidence.P50) == [(0, 0), (40, 4), (100, 0)]
    driver.later(days=30)
    assert from_day(driver, Confidence.P50) == [(0, 0)]
    assert driver.last(deliveries.DeliveryOverdue).expected_at == INSTANT_MAX
    assert driver.count(deliveries.DeliveryOverdue) == 2
    driver.ask(notice(60))
    assert from_day(driver) == [(0, 0), (60, 4), (100, 0)]
    driver.later(days=18)
    driver.ask(handed(59))
    assert from_day(driver) == [(0, 0), (59, 4), (100, 0)]
    driver.later(days=10)
    assert driver.count(deliveries.DeliveryOverdue) == 3


def test_a_unit_may_be_a_node() -> None:
    driver = customer(rental(promise(racks=6, start=10, end=100, unit=claims.Unit.NODE)))
    assert driver.world.calendar.supply(Stock(NORTH, SkuId("hgx")), Confidence.P90).at(day(50)) == 6


def test_notices_are_refused_in_this_order() -> None:
    driver = customer(rental(ramp((1, 1), (2, 1), end=100)))
    driver.later(days=5)
    driver.ask(handed(2))
    future = replace(notice(9), effective_at=day(6))
    for command, why in (
        (notice(9, "none", 9), "unknown_tranche"),
        (replace(notice(9, number=3), expected_at=0), "unknown_delivery"),
        (notice(9, number=0), "unknown_delivery"),
        (replace(future, expected_at=0), "bad_quantity"),
        (replace(future, expected_at=INSTANT_MAX), "bad_quantity"),
        (future, "future_fact"),
        (notice(9), "delivered_already"),
        (handed(9, "none", 9), "unknown_tranche"),
        (replace(handed(9, number=3), effective_at=0), "unknown_delivery"),
        (replace(handed(9), effective_at=0), "bad_quantity"),
        (handed(9), "future_fact"),
        (handed(3), "delivered_already"),
        (expect(9, 8, "none", 9), "unknown_tranche"),
        (expect(9, 8, number=3), "unknown_delivery"),
        (expect(9, 8), "bad_quantity"),
        (replace(expect(9, 9), p50_at=0), "bad_quantity"),
        (replace(expect(9, 9), p90_at=INSTANT_MAX), "bad_quantity"),
        (expect(9, 9), "delivered_already"),
    ):
        assert code(driver, command) == why
    assert code(driver, expect(9, 9), by=FINANCE) == "forbidden"
    assert code(driver, notice(9, number=2), by=tenant(LAB)) == "forbidden"


def test_the_same_again_changes_nothing() -> None:
    driver = customer(rental(promise(start=20, end=100)))
    driver.later(days=6)
    second = notice(40, effective_at=day(5))
    told = driver.ask(second)
    assert told == {"tranche": "t1", "delivery": 1, "changed": True, "from": day(20), "to": day(40)}
    for again in (second, notice(40), notice(30, effective_at=day(4))):
        assert driver.ask(again) == {
            "tranche": "t1", "delivery": 1, "changed": False, "from": day(40), "to": day(40),
        }  # fmt: skip
    assert driver.ask(expect(30, 50))["changed"]
    assert not driver.ask(expect(30, 50))["changed"]
    driver.ask(notice(45))
    # The same figures, thought over.
    assert driver.ask(expect(30, 50))["changed"]
    driver.later(days=30)
    assert driver.ask(handed(34)) == {
        "tranche": "t1", "delivery": 1, "changed": True, "from": day(45), "to": day(34),
    }  # fmt: skip
    assert driver.ask(handed(34))["changed"] is False
    assert from_day(driver) == [(0, 0), (34, 1), (100, 0)]


def test_we_forecast_what_others_deliver() -> None:
    driver = customer(rental(promise(start=2)), internal("inner", 1, 3, 9))
    assert code(driver, expect(9, 8, "inner-t", 9)) == "not_rented"
    # What we tell our own team is a notice all the same.
    assert driver.ask(notice(5, "inner-t"))["changed"]


# Our own teams on rented supply.


def test_a_team_is_promised_what_was_rented_and_goes_short_when_it_slips() -> None:
    driver = customer(rental(promise(racks=4, start=10, end=100)))
    assert code(driver, sign(internal("early", 1, 5, 50))) == "oversold"
    assert code(driver, sign(internal("large", 5, 12, 50))) == "oversold"
    driver.ask(sign(internal("team-a", 3, 12, 50)))
    assert not market.shorts(driver)
    driver.ask(notice(30))
    assert market.shorts(driver) == [("team-a-t", 12, 12, 30)]
    driver.ask(expect(30, 60))
    assert market.shorts(driver) == [("team-a-t", 12, 12, 50)]
    driver.later(days=20)
    driver.ask(handed(18))
    assert market.shorts(driver) == [("team-a-t", 12, 12, 18)]
    driver.later(days=40)
    assert driver.world.state.claims.tranches[TrancheId("team-a-t")].standing is claims.Standing.ENDED


# Rights.


def granted(**more: Any) -> claims.ContractPlan:
    """One tranche of 2 racks from day 10 to day 100, and a right of every kind."""
    plan = promise(racks=2, start=10, end=100, late=late(2, 5, longstop=10))
    return rental(
        plan, caps=(market.cap(money=100_000),),
        rights=(
            call(racks=5, cap=ids.CapId("cap")), market.extension(of="t1"), market.termination(of="t1"),
            market.refusal(), market.backstop(cap=ids.CapId("cap")),
        ), **more,
    )  # fmt: skip


def right(driver: Driver, name: str) -> rights.Right:
    return driver.world.state.claims.rented.rights[RightId(name)]


def test_a_call_of_ours_adds_supply() -> None:
    driver = customer(granted())
    # It keeps nothing of ours free before.
    assert driver.world.calendar.encumbered(Stock(NORTH, SkuId("hgx"))).at(day(5)) == 0
    answer = driver.ask(use("call", "more", racks=3))
    assert (answer["count"], answer["start_at"], answer["drawn_micros"]) == (3, day(1), 46_080 * MICROS)
    assert from_day(driver) == [(0, 0), (1, 3), (10, 5), (11, 2), (100, 0)]
    assert right(driver, "call").racks == 3
    assert driver.world.state.claims.rented.drawn == {("rent", "cap"): 46_080 * MICROS}
    assert code(driver, use("call", "more", racks=1)) == "duplicate_id"
    assert code(driver, use("call", "again", racks=3)) == "bad_quantity"
    driver.later(days=2)
    # Nobody said that it came.
    assert from_day(driver) == [(0, 0), (10, 2), (100, 0)]


def test_an_extension_goes_on() -> None:
    other = rental(
        promise("t2", site=SiteId("far"), start=1), name="c2", rights=(market.extension("on", of="t2"),)
    )
    driver = customer(granted(), other)
    driver.ask(use("longer", "t1-on"))
    assert from_day(driver) == [(0, 0), (10, 2), (110, 0)]
    assert right(driver, "longer").life is Life.EXERCISED


def test_a_backstop_is_put_to_us_as_the_notice_says() -> None:
    driver = customer(granted())
    assert code(driver, use("put", "put-1")) == "bad_quantity"
    assert code(driver, use("put", "put-1", racks=3)) == "too_early"
    driver.later(days=11)
    driver.ask(handed(10))
    # 15,360.00 a rack: 6 of them are in the cap.
    assert code(driver, use("put", "put-1", racks=7)) == "bad_quantity"
    answer = driver.ask(use("put", "put-1", racks=4))
    assert (answer["count"], answer["start_at"]) == (4, day(12))
    assert there(driver, 13) == 6


def test_a_termination_needs_lateness_that_both_know() -> None:
    driver = customer(granted())
    driver.later(days=15)
    assert code(driver, use("out")) == "not_late"
    driver.later(days=5)
    answer = driver.ask(use("out"))
    assert answer["ended"] == ["t1"]
    assert driver.world.state.claims.rented.tranches[TrancheId("t1")].ended_at == day(20)
    assert from_day(driver) == [(0, 0)]
    assert code(driver, use("longer", "on")) == "not_exercisable"
    driver.later(days=100)
    assert driver.count(deliveries.DeliveryOverdue) == 1


def test_a_termination_may_end_the_order() -> None:
    first = promise(racks=2, start=10, end=100, late=late(longstop=10))
    plan = rental(
        first, promise("t2", 3, start=40, end=100),
        rights=(market.termination(of="t1", ends_order=True), call(expires_at=day(50)), market.refusal()),
    )  # fmt: skip
    driver = customer(plan)
    driver.later(days=20)
    answer = driver.ask(use("out"))
    assert answer["ended"] == ["t1", "t2"]
    assert from_day(driver) == [(0, 0)]
    assert [right(driver, name).life for name in ("out", "call", "rofr")] == [
        Life.EXERCISED, Life.LAPSED, Life.LAPSED,
    ]  # fmt: skip


def test_what_is_given_up_is_gone() -> None:
    driver = customer(granted())
    assert driver.ask(market.waiver("call")) == {"right": "call", "until_at": 0}
    assert right(driver, "call").life is Life.WAIVED
    assert code(driver, market.waiver("call")) == "not_exercisable"
    # An offer its seller makes elsewhere is not on record here.
    assert code(driver, use("rofr")) == "not_exercisable"
    assert code(driver, rights.OfferSale(RightId("rofr"), HoldId("h"))) == "unknown_right"


def test_a_contract_is_found_on_whichever_side() -> None:
    driver = customer(
        granted(), contract("in", "team", seller=LAB, rights=(market.refusal("own", site=HOME),))
    )
    state = driver.world.state.claims
    assert claims.overlays.contract_named(state, ContractId("rent")) == granted()
    assert claims.overlays.contract_named(state, ContractId("in")) is not None
    assert claims.overlays.contract_named(state, ContractId("none")) is None


def test_a_copy_of_the_world_is_its_own() -> None:
    driver = customer(granted())
    copy = driver.world.fork()
    copy.handle(ids.Asked(notice(50), plant.OPERATOR), driver.at)
    copy.handle(ids.Asked(use("call", "more", racks=3), plant.OPERATOR), driver.at)
    assert from_day(driver) == [(0, 0), (10, 2), (100, 0)]
    assert not driver.world.state.claims.rented.drawn


def test_renting_in_any_order() -> None:
    run_machine(Renters, examples=40, steps=30)


@pytest.mark.slow
def test_renting_in_any_order_at_length() -> None:
    run_machine(Renters, examples=100, steps=50)


# What only its seller can say, and what only its seller keeps.


def test_a_choice_and_an_opening_are_the_sellers() -> None:
    driver = customer()
    plan = rental(ramp((10, 4), end=100))
    tranche = plan.tranches[0]
    open_ = replace(plan, tranches=(replace(tranche, substitutes=(SkuId("l40s"),)),))
    assert code(driver, sign(open_)) == "contradiction"
    opened = claims.SignContract(plan, opening=claims.Opening(at=driver.at))
    assert code(driver, opened) == "contradiction"
    assert driver.ask(sign(plan))["signed"]


def test_milestones_of_the_seller_are_not_looked_for() -> None:
    driver = customer()
    paid = payments.MilestonePayment(NORTH, ids.MilestoneId("hall"), share_ppm=100_000)

    def billed(*milestones: payments.MilestonePayment) -> claims.ContractPlan:
        terms = payments.PaymentTerms(payments.BillingTime.ARREARS, 0, milestones=milestones)
        return rental(ramp((10, 4), end=100), payments=terms)

    # A share and an amount stays a mistake, whoever builds.
    assert code(driver, sign(billed(replace(paid, micros=1)))) == "bad_payments"
    assert driver.ask(sign(billed(paid)))["signed"]


def test_no_spares_are_kept_of_what_is_rented() -> None:
    driver = customer()
    driver.ask(sign(rental(ramp((10, 4), end=100))))
    policy = replace(driver.world.state.claims.policy, spares=claims.terms.Spares.RACK)
    driver.ask(claims.ApplyPromisePolicy(replace(policy, version=policy.version + 1)))
    calendar = driver.world.calendar
    for site, kept in ((NORTH, False), (HOME, True)):
        stock = Stock(site, SkuId("hgx"))
        spare = calendar.spares(stock, Confidence.P90).at(day(50))
        assert bool(spare) is kept


def test_tranches_of_a_contract_on_either_side() -> None:
    driver = customer(rental(promise("t1", 1), promise("t2", 1)))
    driver.ask(sign(internal("inner", 1, 50, 60, HOME)))
    state, at = driver.world.state.claims, driver.at
    for contract_id, names in (("rent", ["t1", "t2"]), ("inner", ["inner-t"]), ("none", [])):
        held = renting.tranches_of(state, ContractId(contract_id), at)
        assert [each.plan.id for each in held] == names
