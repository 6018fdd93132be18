"""What is kept up about racks and power is what is found when everything is looked at anew."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core import claims, supply
from forebay.core.claims import Unit
from forebay.core.claims.holdings import Holdings
from forebay.core.ids import SiteId, SkuId
from forebay.core.timeline import INSTANT_MAX, Interval, peak
from forebay.core.units import DAY_US
from tests.core import plant
from tests.core.claims import market
from tests.core.plant import Driver, contract, site, tranche


def same(driver: Driver) -> None:
    state, kept = driver.world.state, driver.world.calendar.holdings
    anew = Holdings(state.supply, state.claims)
    held = [
        (each.plan, each.runs)
        for each in state.claims.tranches.values()
        if each.standing is not claims.Standing.ENDED
    ]
    always = Interval(0, INSTANT_MAX)
    promised_w = claims.promised_w(held, state.supply, always)
    for level, room_w in supply.room_w(state.supply).items():
        assert kept.room_w(level) == room_w
        loads = [(claims.term(each.plan), watts) for each, watts in kept.loads(level)]
        assert peak(loads, always) == promised_w.get(level, 0)
        assert list(kept.loads(level)) == list(anew.loads(level)) or len(loads) > 1
    stock = SiteId("north"), SkuId("hgx")
    assert kept.starts(*stock) == state.supply.rack_starts
    lacking = [
        (each.plan.start_at, place, name)
        for place, (name, each) in enumerate(state.claims.tranches.items())
        if each.standing is not claims.Standing.ENDED
        and claims.nodes_bound(each) < claims.nodes_promised(each.plan, state.supply)
    ]
    # Made anew, nobody has looked in vain yet.
    assert anew.lacking(stock) == sorted(lacking, reverse=True)
    assert set(kept.lacking(stock)) <= set(lacking)
    assert [rack.id for rack in kept.racks(*stock)] == state.supply.rack_order
    south = SiteId("south"), SkuId("hgx")
    assert (kept.racks(*south), kept.starts(*south), kept.lacking(south)) == ([], [], [])


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_holdings_are_kept_up(data: st.DataObject) -> None:
    driver = plant.plant(contract("c0", "acme"), sites=[site(racks=4)])
    same(driver)
    for step in range(data.draw(st.integers(1, 8))):
        match data.draw(st.sampled_from(["sign", "sign", "racks", "later"])):
            case "sign":
                start = driver.at + data.draw(st.integers(0, 10)) * DAY_US
                unit = data.draw(st.sampled_from(Unit))
                end = start + data.draw(st.integers(1, 20)) * DAY_US
                count = data.draw(st.integers(1, 3))
                plan = tranche(f"t{step}", count, unit=unit, start_at=start, end_at=end)
                signed = contract(f"c{step + 1}", "acme", plan)
                driver.handle(claims.SignContract(signed, override=data.draw(st.sampled_from(["", "soon"]))))
            case "racks":
                driver.handle(supply.ApplySite(site(racks=4 + step)))
            case _:
                driver.later(days=data.draw(st.integers(1, 12)))
        same(driver)


def test_who_looked_in_vain_looks_again_once_something_comes() -> None:
    driver = market.market(
        contract("c1", "acme", market.promise("t1", 2, start=30)),
        contract("c2", "acme", market.promise("t2", 1, start=31)),
        stands=1,
        comes=2,
    )
    kept = driver.world.calendar.holdings
    assert [market.bound(driver, name) for name in ("t1", "t2")] == [[(0, 4)], []]
    # t1 found one rack of two, t2 none: nothing that is only taken is a reason to look again.
    assert kept.lacking(market.STOCK) == []
    driver.ask(market.sign(contract("c3", "acme", market.promise("t3", 1, end=20))))
    assert kept.lacking(market.STOCK) == []
    market.reach(driver.until(market.day(30)))
    market.come(driver, 1)
    assert [market.bound(driver, name) for name in ("t1", "t2")] == [[(0, 8)], []]
    assert [turn.tranche for turn in kept.lacking(market.STOCK)] == []
    market.come(driver, 1)
    assert market.bound(driver, "t2") == [(8, 4)]
