"""A tranche is put elsewhere before its term begins, if it could be signed there."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core import claims
from forebay.core.claims import Unit
from forebay.core.claims.calendar import Calendar, Stock
from forebay.core.ids import SiteId, SkuId, TrancheId
from forebay.core.supply.blocks import Confidence
from tests.core import machine, plant
from tests.core.claims import market
from tests.core.claims.market import bound, day, extension, promise, refusal, sign, terms_of
from tests.core.claims.test_nomination import GB, HGX, N, S, W, choice, places, where
from tests.core.plant import FINANCE, Driver, contract


def ask(site: str = "south", sku: str = "hgx", name: str = "t1") -> claims.NominateTranche:
    return claims.NominateTranche(TrancheId(name), SiteId(site), SkuId(sku))


def later(racks: int = 1, **terms: Any) -> claims.TranchePlan:
    """From the tenth day on, in the north or the south."""
    known: dict[str, Any] = {"sites": (N, S), "substitutes": (GB,), "start": 10}
    return choice("t1", racks, **(known | terms))


def same_as_made_anew(driver: Driver) -> None:
    state = driver.world.state
    kept, anew = driver.world.calendar, Calendar(state.supply, state.claims)
    assert kept.stocks() == anew.stocks()
    for stock in kept.stocks():
        assert kept.tranches(stock) == anew.tranches(stock)
        assert list(kept.encumbrances(stock)) == list(anew.encumbrances(stock))
        for confidence in Confidence:
            assert kept.available(stock, confidence) == anew.available(stock, confidence)


def test_a_tranche_is_put_elsewhere_with_all_that_belongs_to_it() -> None:
    driver = places()
    going = extension(notice_s=86_400)
    driver.ask(sign(contract("c1", "acme", later(), rights=(going,))))
    driver.ask(sign(contract("c2", "bravo", promise("other", 1, site=S))))
    assert (where(driver), len(bound(driver))) == ((N, HGX), 1)
    before = bound(driver)
    answer = driver.ask(ask(), FINANCE)
    assert answer == {"tranche": "t1", "site": "south", "sku": "hgx", "changed": True}
    event = driver.last(claims.TrancheNominated)
    assert (event.site, event.sku, event.from_site, event.from_sku) == (S, HGX, N, HGX)
    # It has racks there at once, and those that it had are free.
    assert bound(driver) != before
    assert sum(count for _, count in bound(driver)) == 4
    available = driver.world.calendar.available(Stock(N, HGX), Confidence.P90)
    assert (available.at(day(20)), available.at(day(370))) == (4, 4)
    assert driver.world.calendar.available(Stock(S, HGX), Confidence.P90).at(day(370)) == 4
    same_as_made_anew(driver)
    assert driver.ask(ask())["changed"] is False
    driver.ask(ask("north", "gb"))
    assert (where(driver), sum(count for _, count in bound(driver))) == ((N, GB), 2)
    # And back again: all that would do at first still does.
    driver.ask(ask("north"))
    driver.until(day(11))
    assert driver.book("t1")[0] == 0
    same_as_made_anew(driver)
    machine.same_when_replayed(driver.world, driver.events)


def test_every_refusal_in_its_order() -> None:
    driver = places(north=2, south=2)
    nodes = choice("t1", 8, sites=(N, S), substitutes=(GB,), start=10, unit=Unit.NODE)
    first = choice("t2", 2, sites=(N, S), start=20)
    going = extension(of="t3", notice_s=86_400)
    third = choice("t3", 1, sites=(W, S), start=20, end=40)
    driver.ask(sign(contract("c1", "acme", nodes)))
    driver.ask(sign(contract("c2", "acme", first, third, rights=(going,))))
    assert [where(driver, name).site for name in ("t1", "t2", "t3")] == [N, S, W]
    keeper = refusal("rofr", site=S, expires_at=day(5))
    driver.ask(sign(contract("c3", "bravo", rights=(keeper,))))
    assert market.code(driver, ask(name="t9")) == "unknown_tranche"
    no = driver.refused(ask("west"))
    assert (no.code, no.field) == ("outside_scope", "site")
    assert "(hgx at north, hgx at south, gb at north, gb at south)" in no.detail
    assert market.code(driver, ask(name="t1")) == "first_refusal"
    driver.until(day(6))
    no = driver.refused(ask(name="t1"))
    assert (no.code, no.field) == ("oversold", "site")
    assert "0 can be promised over its term at P90" in no.detail
    assert "nor does it fit" not in no.detail
    assert market.code(driver, ask(name="t3")) == "oversold"
    driver.until(day(20))
    assert market.code(driver, ask("north", "gb")) == "too_late"
    driver.until(day(500))
    assert market.code(driver, ask("north", "gb")) == "tranche_over"
    assert driver.count(claims.TrancheNominated) == 0


def test_the_right_to_go_on_has_to_fit_too() -> None:
    driver = places(north=1, south=1)
    going = extension(notice_s=86_400)
    driver.ask(sign(contract("c1", "acme", later(end=40), rights=(going,))))
    driver.ask(sign(contract("c2", "bravo", promise("after", 1, site=S, start=45))))
    no = driver.refused(ask())
    assert (no.code, "right longer may take 4 nodes of hgx at south" in no.detail) == ("oversold", True)


def test_racks_have_to_be_whole_there() -> None:
    """Four nodes are free from the fifth day on: three of one rack, and one of the other."""
    driver = places(north=1, south=2)
    early = promise("early", 3, site=S, unit=Unit.NODE, end=5)
    stays = promise("stays", 4, site=S, unit=Unit.NODE)
    driver.ask(sign(contract("c2", "bravo", early, stays)))
    driver.ask(sign(contract("c1", "acme", later())))
    no = driver.refused(ask())
    assert (no.code, no.field) == ("no_whole_racks", "site")


def test_what_goes_short_there_or_here_is_known_at_once() -> None:
    driver = places(north=1, south=2)
    driver.ask(sign(contract("c1", "acme", later()), override=""))
    driver.ask(sign(contract("c2", "bravo", promise("too", 1, site=N, start=10)), override="we dare"))
    shorts = driver.world.state.claims.shorts
    assert {short.tranche for short in shorts[N, HGX]} == {"too"}
    driver.ask(ask())
    assert (N, HGX) not in shorts
    assert sum(count for _, count in bound(driver, "too")) == 4


@pytest.mark.parametrize("nominated", [False, True])
def test_lists_stay_in_order_of_signing(nominated: bool) -> None:
    driver = places(south=3)
    driver.ask(sign(contract("c1", "acme", later(), rights=(extension(notice_s=86_400),))))
    others = (promise("t2", 1, site=S, start=10), promise("t3", 1, site=S, start=10))
    longer = extension("longer2", of="t2", notice_s=86_400)
    driver.ask(sign(contract("c2", "bravo", *others, rights=(longer,))))
    if nominated:
        driver.ask(ask())
    expected = ["t1", "t2", "t3"] if nominated else ["t2", "t3"]
    assert driver.world.calendar.tranches(Stock(S, HGX)) == expected
    same_as_made_anew(driver)


def test_it_is_for_sellers_only() -> None:
    driver = places()
    driver.ask(sign(contract("c1", "acme", later())))
    assert driver.refused(ask(), plant.tenant("acme")).code == "forbidden"
    assert terms_of(driver, "t1").site == N
