"""What is offered before it is sold: to whom, in which order, and what may be sold once it was let pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forebay.core import claims, ids
from forebay.core.claims import Unit, refusals, rights
from forebay.core.claims.rights import Life
from forebay.core.ids import HoldId, Refusal, RightId, TenantId
from forebay.core.units import DAY_US, HOUR_US, MICROS, SECOND_US
from tests.core import machine, plant
from tests.core.claims import market
from tests.core.claims.market import (
    call,
    day,
    extension,
    held_right,
    hold,
    keep,
    life,
    offer,
    policy,
    promise,
    refusal,
    sign,
    terms_of,
    use,
    waiver,
)
from tests.core.plant import OPERATOR, T0, Driver, contract, tenant

ACME = tenant("acme")


def two_parties(*granted: rights.RightPlan, nodes: int = 8, **terms: Any) -> Driver:
    """acme has a refusal on all that is sold at the site; something is held for bravo."""
    driver = market.market(contract("c1", "acme", rights=granted or (refusal(),)), stands=4, comes=0)
    keep(driver, hold(nodes=nodes, **terms))
    return driver


def sale(racks: int = 2, end: int = 20, **terms: Any) -> Any:
    """What bravo would sign: what is held for it, for two dollars."""
    return contract("c2", "bravo", promise("t2", racks, end=end, **terms))


def code(driver: Driver, command: ids.Command) -> str:
    return driver.refused(command).code


# Offers


def test_every_refusal_of_an_offer_in_its_order() -> None:
    first = refusal("first", sku=ids.SkuId("hgx"), opens_at=day(1))
    driver = market.market(
        contract("c1", "acme", rights=(refusal("rofr", priority=1), refusal("second", priority=2), call(racks=1))),
        contract("c3", "carol", rights=(first, refusal("any", site="", priority=3))), stands=4, comes=0,
    )  # fmt: skip
    keep(driver, hold("own", "acme", nodes=4))
    keep(driver, hold("h1", nodes=4, price_micros_per_gpu_hour=0, expires_at=day(9)))
    keep(driver, hold("h2", nodes=1, end=1, expires_at=day(9)))

    def asked(name: str, held: str) -> rights.OfferSale:
        return rights.OfferSale(RightId(name), HoldId(held))

    driver.until(day(1) - 1)
    assert code(driver, asked("absent", "absent")) == "unknown_right"
    assert code(driver, asked("call", "absent")) == "unknown_hold"
    assert code(driver, asked("call", "own")) == "bad_scope"
    assert code(driver, asked("first", "h1")) == "bad_scope"
    assert code(driver, asked("second", "own")) == "own_sale"
    assert code(driver, asked("second", "h1")) == "higher_priority"
    assert code(driver, asked("rofr", "h1")) == "no_price"
    keep(driver, hold("h0", nodes=1, end=1, expires_at=day(9), currency="EUR"))
    no = driver.refused(asked("rofr", "h0"))
    assert (no.code, no.detail) == (
        "other_currency", "hold h0 names its price in EUR, the contract of right rofr is in USD"
    )  # fmt: skip
    assert code(driver, asked("rofr", "h2")) == "bad_term"
    keep(driver, hold("h3", nodes=1, expires_at=day(9)))
    keep(driver, hold("h4", nodes=1, expires_at=day(9)))
    offer(driver, "rofr", "h3")
    driver.later(1)
    assert driver.refused(asked("rofr", "h4")).detail == (
        "right rofr has an offer open until 2026-01-02T00:59:59Z"
    )
    # Now that the first has opened, it would go before: but the sale is on offer.
    no = driver.refused(asked("first", "h3"))
    assert (no.code, no.field) == ("already_offered", "hold")
    assert driver.refused(asked("second", "h4")).detail == "right first goes before right second"
    offer(driver, "first", "h4")


def test_an_offer_keeps_what_it_is_about() -> None:
    driver = two_parties(refusal(answer_s=10 * 86_400, waiver_s=5 * 86_400), expires_at=day(1))
    assert market.encumbered(driver, 1) == 2
    deadline_at = offer(driver)
    assert deadline_at == day(10)
    assert driver.world.state.claims.holds[HoldId("h1")].expires_at == day(15)
    driver.until(day(10))
    assert (life(driver, "rofr"), market.encumbered(driver, 19)) == (Life.OFFERED, 2)
    # Nobody answered; for a day notices may be entered that came in time, and then it lapses.
    driver.until(day(11))
    assert (life(driver, "rofr"), held_right(driver, "rofr").passed) == (Life.DORMANT, (("h1", day(15)),))
    driver.until(day(15))
    assert (market.encumbered(driver, 19), held_right(driver, "rofr").passed) == (0, ())


def test_an_offer_longer_than_its_hold_is_kept_as_long_as_notices_may_be_entered() -> None:
    driver = two_parties(refusal(waiver_s=0))
    offer(driver)
    assert driver.world.state.claims.holds[HoldId("h1")].expires_at == day(5)
    policy(driver, notice_grace_s=9 * 86_400)
    driver.until(day(6))
    assert (life(driver, "rofr"), market.encumbered(driver, 19)) == (Life.OFFERED, 2)
    driver.ask(use("rofr", effective_at=T0 + HOUR_US - 1))
    assert terms_of(driver).start_at == T0 + HOUR_US - 1
    machine.same_when_replayed(driver.world, driver.events)


# Before a sale


def test_a_sale_has_to_be_offered_first() -> None:
    driver = two_parties()
    no = driver.refused(sign(sale(), "h1"))
    assert (no.code, no.field) == ("first_refusal", "hold")
    offer(driver)
    assert code(driver, sign(sale(), "h1")) == "first_refusal"
    driver.ask(waiver(), ACME)
    assert code(driver, sign(sale())) == "first_refusal"
    driver.ask(sign(sale(), "h1"))
    # It stands again before the next.
    assert code(driver, sign(contract("c3", "bravo", promise("t3")))) == "first_refusal"


@pytest.mark.parametrize(
    ("granted", "passes"),
    [
        (refusal(opens_at=day(1)), True),
        (refusal(expires_at=T0 + 1), False),
        (refusal(site="", sku=ids.SkuId("other")), True),
        (refusal(sku=ids.SkuId("hgx")), False),
        (refusal(site=ids.SiteId("south")), True),
        (refusal(site=""), False),
        (call(racks=1), True),
    ],
)
def test_what_is_in_the_scope_of_a_refusal(granted: rights.RightPlan, passes: bool) -> None:
    south = plant.site(
        "south",
        (plant.feed("s"),),
        (plant.hall("sh", plant.rack("s1", on="s"), plant.rack("s2", "other", "s")),),
    )
    driver = plant.plant(contract("c0", "nobody"), sites=(plant.site(racks=4), south),
                         skus=(plant.sku(), plant.sku("other")))  # fmt: skip
    driver.ask(sign(contract("c1", "acme", rights=(granted,))))
    answer = driver.handle(sign(sale())).answer
    assert isinstance(answer, Refusal) is not passes


def test_a_refusal_ends_with_its_window() -> None:
    driver = two_parties(refusal(expires_at=day(1)))
    driver.until(day(1) - 1)
    assert code(driver, sign(sale(), "h1")) == "first_refusal"
    driver.until(day(1))
    assert life(driver, "rofr") is Life.DORMANT
    driver.ask(sign(sale(), "h1"))
    driver.until(day(2))
    assert life(driver, "rofr") is Life.LAPSED


def test_an_offer_outlives_the_window_of_its_right() -> None:
    driver = two_parties(refusal(answer_s=5 * 86_400, expires_at=day(1)), expires_at=day(9))
    offer(driver)
    driver.until(day(3))
    # Another sale is free now, this one is still to be answered.
    assert code(driver, sign(sale(), "h1")) == "first_refusal"
    driver.ask(sign(contract("c3", "carol", promise("t3"))))
    driver.until(day(6))
    assert life(driver, "rofr") is Life.LAPSED
    assert driver.count(rights.ClockResumed) == 0
    driver.ask(sign(sale(), "h1"))


def test_ones_own_refusal_stands_before_nothing() -> None:
    driver = two_parties()
    driver.ask(sign(contract("c3", "acme", promise("t3"))))


def test_using_a_right_asks_nobody_first() -> None:
    driver = market.market(
        contract("c2", "bravo", promise("t2", end=20), rights=(call(racks=1), extension(of="t2"))),
        contract("c1", "acme", rights=(refusal(),)), stands=4, comes=0,
    )  # fmt: skip
    driver.ask(use("call", racks=1))
    driver.ask(use("longer", "t2b"))
    assert terms_of(driver, "t2b").start_at == day(20)


# No better terms


@pytest.mark.parametrize(
    ("plan", "passes"),
    [
        (sale(), True),
        (sale(1), True),
        (sale(price_micros_per_gpu_hour=2 * MICROS + 1), True),
        (sale(price_micros_per_gpu_hour=2 * MICROS - 1), False),
        (sale(3), False),
        (sale(start=1), True),
        (sale(start_at=T0 - 1), False),
        (sale(end=19), True),
        (sale(end_at=day(20) + 1), False),
        (contract("c2", "bravo", promise("a", end=20), promise("b", end=20)), True),
        (contract("c2", "bravo", promise("a", 2, end=10), promise("b", 2, start=10, end=20)), True),
        (
            contract(
                "c2", "bravo", promise("a", 2, end=20), promise("b", 1, start=10, end=20, unit=Unit.NODE)
            ),
            False,
        ),
        (contract("c2", "bravo", promise("a", 1, end=20), rights=(call(racks=1, expires_at=day(9)),)), True),
        (
            contract("c2", "bravo", promise("a", 1, end=20), rights=(call(racks=1, expires_at=day(10)),)),
            False,
        ),
        (contract("c2", "bravo", promise("a", 1, end=20), rights=(call(racks=2, expires_at=day(9)),)), False),
        (
            contract("c2", "bravo", rights=(call(racks=1, expires_at=day(9), price_micros_per_gpu_hour=1),)),
            False,
        ),
        (contract("c2", "bravo", promise("a", end=10), rights=(extension(of="a"),)), True),
        (contract("c2", "bravo", promise("a", end=11), rights=(extension(of="a"),)), False),
        (
            contract(
                "c2", "bravo", promise("a", end=9), rights=(extension(of="a", price_micros_per_gpu_hour=1),)
            ),
            False,
        ),
        (contract("c2", "bravo", rights=(refusal("r2"),)), True),
    ],
)
def test_what_was_let_pass_is_signed_on_no_better_terms(plan: claims.ContractPlan, passes: bool) -> None:
    driver = two_parties()
    offer(driver)
    driver.ask(waiver())
    outcome = driver.handle(sign(plan, "h1")).answer
    if passes:
        assert not isinstance(outcome, Refusal), outcome
    else:
        assert isinstance(outcome, Refusal)
        assert outcome.code == "first_refusal"


def test_what_was_let_pass_is_no_leave_for_another_stock() -> None:
    driver = plant.plant(contract("c0", "nobody"), sites=(plant.site(racks=4), SOUTH))
    driver.ask(sign(contract("c1", "acme", rights=(refusal(site=""),))))
    keep(driver, hold(nodes=8))
    offer(driver)
    driver.ask(waiver())
    assert code(driver, sign(sale(1, site="south"), "h1")) == "first_refusal"


SOUTH = plant.site("south", (plant.feed("s"),), (plant.hall("sh", plant.rack("s1", on="s")),))


def test_better_terms_are_offered_anew() -> None:
    driver = two_parties()
    offer(driver)
    driver.ask(waiver())
    cheaper = sale(price_micros_per_gpu_hour=MICROS)
    assert code(driver, sign(cheaper, "h1")) == "first_refusal"
    driver.ask(claims.ReleaseHold(HoldId("h1")))
    keep(driver, hold(nodes=8, price_micros_per_gpu_hour=MICROS))
    # The same name again is not the same sale.
    assert code(driver, sign(cheaper, "h1")) == "first_refusal"
    offer(driver)
    driver.ask(waiver())
    driver.ask(sign(cheaper, "h1"))


# The clock


def test_exercised_at_the_last_second() -> None:
    driver = two_parties()
    offer(driver)
    driver.until(T0 + HOUR_US - SECOND_US)
    answer = driver.ask(use("rofr"), ACME)
    # 64 GPUs for 479 hours and a second, at 2.00.
    assert (answer["count"], answer["drawn_micros"]) == (8, 61_312_035_556)
    taken = terms_of(driver)
    assert (taken.count, taken.start_at, taken.end_at) == (8, driver.at, day(20))
    assert taken.price_micros_per_gpu_hour == 2 * MICROS
    assert (market.encumbered(driver, 1), market.available(driver, 1)) == (0, 2)
    assert life(driver, "rofr") is Life.DORMANT
    assert code(driver, sign(sale(), "h1")) == "unknown_hold"


def test_lapsed_one_second_later() -> None:
    driver = two_parties()
    offer(driver)
    driver.until(T0 + HOUR_US)
    assert driver.refused(use("rofr"), ACME).detail == "right rofr was to be used before 2026-01-01T01:00:00Z"
    assert code(driver, waiver()) == "too_late"
    # It was served in time, as the operator can show: this may be entered for a day.
    driver.until(T0 + HOUR_US + DAY_US - 1)
    driver.ask(use("rofr", effective_at=T0 + HOUR_US - SECOND_US))


def test_a_waiver_covers_its_sale_for_its_time() -> None:
    for passed, expected in ((DAY_US - 1, None), (DAY_US, "first_refusal")):
        driver = two_parties()
        offer(driver)
        driver.later(60).ask(waiver(), ACME)
        assert driver.last(rights.RightWaived).until_at == driver.at + DAY_US
        driver.until(driver.at + passed)
        answer = driver.handle(sign(sale(), "h1")).answer
        assert (answer.code if isinstance(answer, Refusal) else None) == expected


def test_two_sales_at_once() -> None:
    driver = two_parties(nodes=4)
    keep(driver, hold("h2", "carol"))
    offer(driver)
    driver.ask(waiver())
    offer(driver, held="h2")
    # What passed before stays so, while the next is thought over.
    driver.ask(sign(sale(1), "h1"))
    driver.ask(waiver())
    driver.ask(sign(contract("c3", "carol", promise("t3", end=20)), "h2"))


def test_what_is_offered_again_is_open_again() -> None:
    driver = two_parties()
    offer(driver)
    driver.ask(waiver())
    offer(driver)
    assert code(driver, sign(sale(), "h1")) == "first_refusal"
    driver.ask(waiver())
    assert held_right(driver, "rofr").passed == (("h1", T0 + DAY_US),)


def test_two_rights_on_one_scope_by_priority() -> None:
    driver = market.market(
        contract("c1", "acme", rights=(refusal("junior", priority=2),)),
        contract("c3", "carol", rights=(refusal("senior", priority=1),)), stands=4, comes=0,
    )  # fmt: skip
    keep(driver, hold(nodes=8))
    assert driver.refused(rights.OfferSale(RightId("junior"), HoldId("h1"))).code == "higher_priority"
    offer(driver, "senior")
    assert code(driver, sign(sale(), "h1")) == "first_refusal"
    driver.ask(waiver("senior"), tenant("carol"))
    assert "right junior of acme" in driver.refused(sign(sale(), "h1")).detail
    offer(driver, "junior")
    driver.ask(use("junior"), ACME)
    assert terms_of(driver).count == 8


# What the holder is told


def test_the_holder_is_not_told_who_else_wants_it() -> None:
    driver = two_parties()
    assert driver.world.open_offers(ACME) == []
    offer(driver)
    told = driver.world.open_offers(ACME)
    assert told == [
        {
            "right": "rofr", "deadline_at": T0 + HOUR_US, "site": "north", "sku": "hgx", "nodes": 8, "start_at": T0,
            "end_at": day(20), "price_micros_per_gpu_hour": 2 * MICROS,
        }
    ]  # fmt: skip
    assert driver.world.open_offers(OPERATOR) == driver.world.open_offers(tenant("bravo")) == []
    answers = [
        driver.handle(command, ACME).answer
        for command in (
            use("rofr", racks=1), use("rofr", start_at=day(1)), use("rofr", "!"), use("rofr", effective_at=1),
            use("absent"), use("rofr"), use("rofr"), waiver(),
        )
    ]  # fmt: skip
    read = [each.told_to(ACME) if isinstance(each, Refusal) else repr(each) for each in answers]
    for text in (*read, repr(told)):
        assert "bravo" not in text
        assert "h1" not in text


def test_the_price_of_the_right_comes_before_that_of_the_sale() -> None:
    driver = two_parties(refusal(price_micros_per_gpu_hour=3 * MICROS))
    offer(driver)
    assert driver.world.open_offers(ACME)[0]["price_micros_per_gpu_hour"] == 3 * MICROS
    driver.ask(use("rofr"), ACME)
    assert terms_of(driver).price_micros_per_gpu_hour == 3 * MICROS


def test_a_tenant_tells_nothing_from_what_is_anothers() -> None:
    driver = two_parties(refusal(), market.backstop())
    offer(driver)
    for name in ("rofr", "absent"):
        no = driver.refused(waiver(name), tenant("bravo"))
        assert no == Refusal("unknown_right", f"there is no right {name}", "right")
    # A backstop is the seller's.
    assert code_for(driver, use("put")) == code_for(driver, use("absent")) == "unknown_right"
    # A customer's own notice is heard when it is entered.
    no = driver.refused(waiver(effective_at=T0), ACME)
    assert (no.code, no.field) == ("own_notice", "effective_at")


def code_for(driver: Driver, command: ids.Command) -> str:
    return driver.refused(command, ACME).code


def test_what_contracts_ask_for_is_told_in_their_order() -> None:
    driver = market.market(comes=0)
    plan = contract(
        "c2",
        "bravo",
        market.ramp((0, 1), (5, 1), name="a", end=9),
        rights=(refusal(), extension(of="a"), call()),
    )
    state, supplied = driver.world.state.claims, driver.world.state.supply
    asked = [*refusals.promised(supplied, plan), *refusals.granted(state, supplied, plan, day(1))]
    assert [(sale.what, sale.where, sale.nodes, sale.window.start) for sale in asked] == [
        ("tranche a", "tranches[0]", 4, day(0)), ("tranche a", "tranches[0]", 4, day(5)),
        ("right longer", "rights[1]", 8, day(9)), ("right call", "rights[2]", 8, day(2)),
    ]  # fmt: skip


def test_a_hold_without_a_term_left_is_still_the_customers_own() -> None:
    driver = two_parties(nodes=4)
    offer(driver)
    held = driver.world.state.claims.holds[HoldId("h1")]
    assert claims.contracts.held_until(held, 0) == held
    assert claims.contracts.held_until(held, day(30)) == replace(held, expires_at=day(30))
    assert claims.contracts.offer_on(driver.world.state.claims, HoldId("h9")) is None
    assert held.tenant == TenantId("bravo")
