"""Who we are, what we keep to ourselves, and what that decides."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core import ids
from forebay.core.claims import ContractSigned, Shorting, overlays, parties
from forebay.core.claims.rights import Side
from forebay.core.ids import ContractId, MilestoneId, SiteId, TrancheId
from forebay.core.supply.blocks import Confidence
from forebay.core.units import MICROS
from tests.core.claims import market
from tests.core.claims.market import code, promise, shorts, sign
from tests.core.claims.sides import LAB, behind, customer, estate, overlay, provider, rental
from tests.core.plant import Driver, contract, plant


@pytest.mark.parametrize(
    ("we", "seller", "tenant", "side"),
    [
        ("", "us", "lab", Side.SELLER),
        ("us", "us", "lab", Side.SELLER),
        ("lab", "us", "lab", Side.CUSTOMER),
        # A team of our own.
        ("lab", "lab", "team", Side.SELLER),
        ("lab", "lab", "lab", Side.SELLER),
        ("else", "us", "lab", None),
    ],
)
def test_the_side_is_ours(we: str, seller: str, tenant: str, side: Side | None) -> None:
    known = parties.Estate(1, we) if we else None
    assert overlays.side_of(known, contract("c", tenant, seller=seller)) is side
    group = parties.Estate(1, "group", also=("other", we)) if we else None
    assert overlays.side_of(group, contract("c", tenant, seller=seller)) is side


def test_an_estate_is_refused_in_this_order() -> None:
    sold, rented = provider(), customer(rental(promise()))
    for driver, command, why in (
        (sold, estate("not a name", 1), "bad_id"),
        (sold, parties.ApplyEstate(parties.Estate(1, "us", also=("",))), "bad_id"),
        (sold, estate("lab", 1), "document_version"),
        (sold, estate("lab", 2), "side_changes"),
        (rented, estate("us", 2), "side_changes"),
    ):
        assert code(driver, command) == why
    assert sold.refused(estate("lab", 2)).detail == (
        "contract c0 is recorded with us as its seller, and lab is not that"
    )
    assert sold.ask(estate("us", 2)) == {"party": "us", "version": 2, "changed": True}
    assert sold.ask(estate("us", 2)) == {"party": "us", "version": 2, "changed": False}


def test_a_contract_of_two_others_is_not_ours() -> None:
    driver = provider()
    no = driver.refused(sign(contract("c1", "lab", seller="them")))
    assert (no.code, no.detail) == ("not_a_party", "contract c1 is between them and lab, and we are us")


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (overlay("bad name", party=LAB), "foreign_overlay"),
        (overlay("bad name", party="us", floor_micros_per_gpu_hour=-1), "bad_id"),
        (overlay(party="us", floor_micros_per_gpu_hour=-1, margin_ppm=-1), "bad_price"),
        (overlay(party="us", floor_micros_per_gpu_hour=10**15 + 1, margin_ppm=-1), "bad_price"),
        (overlay(party="us", margin_ppm=-1, priority=-1), "bad_quantity"),
        (overlay(party="us", margin_ppm=1_000_001, priority=-1), "bad_quantity"),
        (overlay("c0", party="us", priority=-1, version=1), "bad_quantity"),
        (overlay("c0", party="us", priority=10**6 + 1, version=1), "bad_quantity"),
        (overlay("c0", party="us", version=1, behind=(behind(milestone="none"),)), "document_version"),
        (overlay("c0", party="us", version=3, behind=(behind(milestone="none"),)), "unknown_milestone"),
    ],
)
def test_an_overlay_is_refused_in_this_order(command: ids.Command, why: str) -> None:
    driver = provider()
    driver.ask(overlay("c0", party="us", version=2))
    assert code(driver, command) == why


def test_an_overlay_is_somebodys() -> None:
    driver = plant()
    assert code(driver, overlay("bad name", party="us")) == "no_estate"
    driver.ask(estate("us"))
    assert driver.ask(overlay("c1", party="us"))["changed"]
    assert not driver.ask(overlay("c1", party="us"))["changed"]
    away = parties.Behind(TrancheId("t1"), 1, SiteId("away"), MilestoneId("b1-ready"))
    planned = provider()
    planned.ask(overlay("c1", party="us", behind=(behind(),)))
    assert planned.last(parties.OverlayApplied).overlay.behind == (behind(),)
    no = driver.refused(overlay("c1", party="us", version=2, behind=(away,)))
    assert (no.code, no.field) == ("unknown_milestone", "behind[0].milestone")


# What they decide.


def test_below_the_floor_nothing_is_signed_without_a_reason() -> None:
    driver = provider()
    driver.ask(overlay(party="us", floor_micros_per_gpu_hour=2_500_000))
    plan = rental(promise("t1", 1), promise("t2", 9, price_micros_per_gpu_hour=3 * MICROS))
    no = driver.refused(sign(plan))
    # Before what does not fit.
    assert (no.code, no.field) == ("below_floor", "tranches[0].price")
    assert no.detail == "tranche t1 costs 2.00 a GPU-hour; our floor for contract rent is 2.50"
    fits = rental(promise("t1", 1))
    driver.ask(sign(fits, override="the chair promised it"))
    assert driver.last(ContractSigned).override == "the chair promised it"
    # What fits is bound, as ever.
    assert market.bound(driver) == [(0, 4)]


def test_the_floor_holds_for_prices_of_rights() -> None:
    driver = provider()
    driver.ask(overlay(party="us", floor_micros_per_gpu_hour=2_500_000))
    free = market.refusal("first")
    no = driver.refused(sign(rental(rights=(free, market.call(racks=1)))))
    assert (no.code, no.field) == ("below_floor", "rights[1].price")
    driver.ask(sign(rental(rights=(free,))))


def test_one_contract_may_be_signed_less_surely_and_another_more() -> None:
    def at_odds() -> Driver:
        driver = provider(comes=2, on=10)
        market.forecast(driver, 10, 40)
        driver.ask(overlay("bold", party="us", confidence=Confidence.P50))
        driver.ask(overlay("careful", party="us", confidence=Confidence.P90))
        return driver

    driver = at_odds()
    assert code(driver, sign(rental(promise("t1", 4, start=20), name="plain"))) == "oversold"
    driver.ask(sign(rental(promise("t1", 4, start=20), name="bold")))
    assert driver.last(ContractSigned).confidence is Confidence.P50
    # The policy goes on to say who goes short.
    assert shorts(driver) == [("t1", 8, 20, 40)]
    driver = at_odds()
    market.policy(driver, confidence=Confidence.P50)
    assert code(driver, sign(rental(promise("t1", 4, start=20), name="careful"))) == "oversold"
    driver.ask(sign(rental(promise("t1", 4, start=20), name="plain")))


@pytest.mark.parametrize("shorting", [each for each in Shorting if each is not Shorting.NONE])
def test_contracts_of_a_low_priority_go_short_first(shorting: Shorting) -> None:
    driver = provider(comes=4, on=10)
    market.policy(driver, shorting=shorting, protected=(ContractId("c0"),))
    for name, priority in (("high", 2), ("low", 1)):
        driver.ask(overlay(name, party="us", priority=priority))
    for name in ("plain", "low", "high"):
        driver.ask(sign(rental(promise(name, 2, start=20), name=name)))
    assert not shorts(driver)
    market.slip(driver, 30)
    assert shorts(driver) == [("low", 8, 20, 30), ("plain", 8, 20, 30)]
    # Another order, from now on.
    driver.ask(overlay("plain", party="us", priority=9))
    assert shorts(driver) == [("high", 8, 20, 30), ("low", 8, 20, 30)]


def test_who_goes_short_first_may_be_said_for_all() -> None:
    names: list[Any] = [ContractId("a"), ContractId("b"), ContractId("c")]
    private = {
        name: parties.Overlay(name, 1, "us", priority=rank)
        for name, rank in zip(names, (5, 0, 5), strict=True)
    }
    assert overlays.priorities(private, names) == [{"b"}, {"a", "c"}]
    assert overlays.priorities({}, names) == [set(names)]
    assert overlays.priorities(private, []) == []
