"""New versions of a contract under which we rent: the file that its seller signs, and what it changes here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forebay.core import claims
from forebay.core.claims import SignContract
from forebay.core.claims.rented import RentalAmended, RentalTermsChanged
from forebay.core.ids import ContractId, HoldId, SiteId, SkuId, TrancheId
from forebay.core.supply import SiteAdded
from forebay.core.supply.blocks import Confidence
from forebay.core.timeline import INSTANT_MAX
from tests.core.claims import market, sides
from tests.core.claims.market import (
    accept,
    accepted,
    call,
    cap,
    code,
    day,
    extension,
    late,
    promise,
    ramp,
    ready,
    sign,
    termination,
    use,
)
from tests.core.claims.sides import (
    HOME,
    LAB,
    both,
    customer,
    entitled,
    from_day,
    internal,
    provider,
    rental,
    there,
)
from tests.core.plant import Driver, contract

RENT = ContractId("rent")
#: A choice.
NORTH_AND_MORE = (SiteId("north"), SiteId("south"))


def text(driver: Driver, **changed: Any) -> claims.ContractPlan:
    """The next version of what is rented: the last one, with changes."""
    last = driver.world.state.claims.rented.versions[RENT][-1].plan
    return replace(last, **({"version": last.version + 1, "effective_at": 0} | changed))


def test_every_refusal_in_its_order() -> None:
    driver = customer(
        rental(
            promise("t1", 1), promise("t2", 1, start=40), rights=(call(cap="cap"),), caps=(cap(money=10**6),)
        ),
        rental(promise("theirs", site=SiteId("other")), name="more", seller="them"),
    )
    driver.ask(sign(internal("inner", 1, 50, 60)))
    driver.later(days=9).ask(use("call", "called", racks=1))
    one, two = text(driver).tranches
    strange = promise("t3", 0, start=50, site=SiteId("other"))
    broken = replace(
        text(driver), version=3, effective_at=INSTANT_MAX + 1, currency="EUR",
        tranches=(replace(one, site=SiteId("new"), count=2), two, replace(strange, sites=NORTH_AND_MORE)),
        rights=(replace(text(driver).rights[0], site=SiteId("far")),),
    )  # fmt: skip
    third, taken = replace(strange, sites=()), promise("inner-t", 0, start=50)
    rules: list[tuple[str, str, dict[str, Any]]] = [
        ("contradiction", "tranches[2]", {"tranches": (broken.tranches[0], two, third)}),
        ("other_seller", "tranches[2].site", {"tranches": (broken.tranches[0], two, replace(third, site=HOME))}),
        ("own_site", "tranches[2].site", {"tranches": (broken.tranches[0], two, taken)}),
        ("unknown_hold", "hold", {}),
        ("contract_version", "version", {"version": 2}),
        ("bad_effective", "effective_at", {"effective_at": day(12)}),
        ("not_amendable", "currency", {"currency": "USD"}),
        ("not_amendable", "rights[0].site", {"rights": text(driver).rights}),
        ("not_amendable", "tranches[0].site", {"tranches": (one, two, taken)}),
        ("duplicate_id", "tranches[2].id", {"tranches": (one, two, replace(taken, id=TrancheId("theirs")))}),
        ("duplicate_id", "tranches[2].id", {"tranches": (one, two, replace(taken, id=TrancheId("t3")))}),
        ("bad_quantity", "tranches[2].count", {"tranches": (one, two, promise("t3", 9, start=50))}),
    ]  # fmt: skip
    for place, (why, field, repair) in enumerate(rules):
        hold = HoldId("h") if place <= 3 else HoldId("")
        no = driver.refused(SignContract(broken, hold=hold))
        assert (no.code, no.field) == (why, field)
        broken = replace(broken, **repair)
    assert driver.ask(sign(broken))["version"] == 2
    known = broken
    # Signed, it is known; with other words it is another version.
    assert driver.ask(sign(known))["signed"] is False
    assert code(driver, sign(replace(known, on_demand=True))) == "contract_differs"


def test_it_changes_what_is_there_from_its_signature_on() -> None:
    driver = customer(rental(ramp((10, 4), (20, 6), end=100)))
    (plan,) = text(driver).tranches
    more = replace(plan, count=7, deliveries=(claims.Delivery(day(10), 4), claims.Delivery(day(30), 3)))
    added = promise("t2", 5, start=40, end=60, site=SiteId("far"))
    told = driver.ask(sign(text(driver, tranches=(more, added), effective_at=day(5))))
    assert told == {"contract": "rent", "signed": True, "tranches": {}, "version": 2, "effective_at": day(5)}
    assert from_day(driver) == [(0, 0), (10, 4), (30, 7), (100, 0)]
    assert driver.last(SiteAdded).site == "far"
    far = claims.calendar.Stock(SiteId("far"), SkuId("hgx"))
    assert driver.world.calendar.supply(far, Confidence.P90).at(day(50)) == 20
    state = driver.world.state.claims
    # Its terms hold from its date on, also in a World that is restored before.
    assert state.rented.contracts[RENT].version == 1
    assert type(driver.world).restore(driver.world.fork().state).next_wake() == day(5)
    driver.until(day(5))
    assert driver.last(RentalTermsChanged) == RentalTermsChanged(RENT, 2, day(5))
    assert state.rented.contracts[RENT].version == 2
    driver.ask(sign(text(driver)))
    assert state.rented.contracts[RENT].version == 3


def test_a_team_has_what_is_added() -> None:
    driver = customer(rental(promise(racks=1, start=10, end=100)))
    driver.ask(sign(internal("team", 2, 20, 60), override="the rest is being signed"))
    assert market.shorts(driver) == [("team-t", 4, 20, 60)]
    (plan,) = text(driver).tranches
    driver.ask(sign(text(driver, tranches=(replace(plan, count=2),))))
    assert market.shorts(driver) == []
    driver.ask(sign(text(driver, tranches=(replace(plan, count=2, end_at=day(50)),))))
    assert market.shorts(driver) == [("team-t", 8, 50, 60)]


def test_rights_that_it_adds_are_used_here() -> None:
    driver = customer(rental(promise(racks=1, start=10, end=100)))
    granted = (call("call", racks=3, expires_at=day(90)), extension("longer"))
    driver.ask(sign(text(driver, rights=granted, effective_at=day(4))))
    assert driver.world.state.claims.rented.rights[granted[0].id].plan.opens_at == day(4)
    assert code(driver, use("call", "called", racks=2)) == "too_early"
    driver.until(day(4))
    driver.ask(use("call", "called", racks=2))
    # The deadline of an extension follows the end of its tranche.
    before = driver.world.state.claims.rented.rights[granted[1].id].closes_at
    (plan,) = text(driver).tranches
    driver.ask(sign(text(driver, tranches=(replace(plan, end_at=day(110)),))))
    after = driver.world.state.claims.rented.rights[granted[1].id].closes_at
    assert after - before == day(10) - day(0)


def test_one_that_is_recorded_late_is_judged_as_of_its_date() -> None:
    driver = customer(rental(promise(racks=1, start=10, end=100)))
    (plan,) = text(driver).tranches
    # On its date the term had not begun; now it has.
    later = text(driver, tranches=(replace(plan, start_at=day(15)),), effective_at=day(8))
    driver.until(day(12))
    driver.ask(sign(later))
    assert driver.last(RentalAmended).effective_at == day(8)
    assert driver.last(RentalTermsChanged).effective_at == day(8)
    assert from_day(driver) == [(0, 0), (15, 1), (100, 0)]
    # Not before the version before it.
    assert code(driver, sign(text(driver, effective_at=day(7)))) == "bad_effective"


def test_what_was_handed_over_stays() -> None:
    driver = customer(rental(promise(racks=3, start=10, end=100, acceptance=accepted())))
    driver.ask(ready(2))
    driver.ask(accept())
    (plan,) = text(driver).tranches
    assert code(driver, sign(text(driver, tranches=(replace(plan, count=1),)))) == "not_amendable"
    driver.ask(sign(text(driver, tranches=(replace(plan, count=2),))))
    assert there(driver, 5) == 2


@pytest.mark.parametrize("wait", [0, 9])
def test_both_sides_sign_the_same_file(wait: int) -> None:
    """Prices, terms for lateness and an end change, before and within the term."""
    terms = late(grace=2, damages=5, longstop=30)
    first = rental(
        ramp((5, 2), (20, 2), end=100, late=terms), promise("t2", 1, start=30, end=60),
        rights=(termination(of="t1"),),
    )  # fmt: skip
    seller, buyer = provider(first, stands=9), customer(first)
    both(seller, buyer, days=wait)
    plan, second = first.tranches
    amended = replace(
        first, version=2, effective_at=day(12),
        tranches=(
            replace(plan, end_at=day(80), late=late(grace=1, damages=9, longstop=20),
                    price_micros_per_gpu_hour=3_000_000),
            replace(second, count=3), promise("t3", 1, start=50, end=70),
        ),
        rights=(*first.rights, call("call", racks=1, expires_at=day(40))),
    )  # fmt: skip
    for driver in (seller, buyer):
        assert driver.ask(sign(amended))["effective_at"] == day(12)
    for days in (0, 3, 12, 20, 30):
        both(seller, buyer, days=days)
        assert entitled(seller) == entitled(buyer)
    assert entitled(buyer).version == 2
    assert {each.tranche for each in entitled(buyer).late} == {"t1", "t2", "t3"}


def test_a_contract_of_our_own_is_amended_as_before() -> None:
    driver = customer(rental(promise()))
    own = contract("own", "team", seller=LAB, version=2)
    assert driver.ask(sign(replace(own, on_demand=False)))["version"] == 2
    assert not driver.world.state.claims.rented.versions.keys() & {"own"}


def test_the_other_side_is_asked_for_by_its_own_name() -> None:
    # A tranche of the same name on another contract of the same seller is in the way, too.
    driver = customer(rental(promise(start=5)), rental(promise("t9", start=5), name="second"))
    there_too = promise("t9", 2, start=6)
    assert code(driver, sign(text(driver, tranches=(*text(driver).tranches, there_too)))) == "duplicate_id"
    granted = (extension("longer", of="t1"),)
    driver.ask(sign(text(driver, rights=granted)))
    second = driver.world.state.claims.rented.versions[ContractId("second")][-1].plan
    again = replace(second, version=2, rights=(extension("longer", of="t9"),))
    assert code(driver, sign(again)) == "duplicate_id"
    assert sides.book(driver).plan.version == 2


def test_rights_on_other_terms_and_withdrawn() -> None:
    """As on the seller's side: what changes of a right holds from the version's date on."""
    granted = (call("call", racks=2, expires_at=day(40)), call("other", racks=1, expires_at=day(40)))
    driver = customer(rental(promise("t1", 1), rights=granted))
    more = call("call", racks=4, expires_at=day(40))
    driver.ask(sign(text(driver, rights=(more,), effective_at=day(20))))
    event = driver.last(RentalAmended)
    assert (event.regranted, event.withdrawn) == ((replace(more, opens_at=day(20)),), (granted[1].id,))
    driver.ask(use("call", "before", racks=1))
    assert code(driver, use("call", "too-many", racks=3)) == "bad_quantity"
    driver.later(days=21)
    driver.ask(use("call", "after", racks=3))
    assert code(driver, use("other", "gone", racks=1)) == "too_late"
    driver.world.check()
