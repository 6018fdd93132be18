"""The first place where a tranche fits by every check; of one that fits nowhere, why each place would not do. What is
quoted may be signed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from forebay.core import claims
from forebay.core.claims import Unit, quotes
from forebay.core.claims.calendar import Stock
from forebay.core.ids import Asked, Refusal, SiteId, SkuId, TenantId
from forebay.core.supply.blocks import Confidence
from forebay.core.units import DAY_US
from tests.core import plant
from tests.core.claims import market
from tests.core.claims.market import day, promise, refusal, sign, terms_of
from tests.core.plant import Driver, contract

N, S, W = SiteId("north"), SiteId("south"), SiteId("west")
HGX = SkuId("hgx")


def places(racks: int = 2, **limits: int) -> Driver:
    """Three sites with so many racks each, on feeds with these limits."""
    sites = []
    for name in ("north", "south", "west"):
        made = tuple(plant.rack(f"{name}-r{n}", on=f"{name}-f") for n in range(racks))
        feed = plant.feed(f"{name}-f", limits.get(name, 10**6))
        sites.append(plant.site(name, (feed,), (plant.hall(f"{name}-h", *made),)))
    return plant.plant(contract("c0", "nobody"), sites=sites)


def choice(racks: int = 2, **terms: Any) -> claims.TranchePlan:
    return promise("t1", racks, **({"site": SiteId(""), "sites": (N, S)} | terms))


def taken(driver: Driver, *tranches: claims.TranchePlan, **terms: Any) -> None:
    """Somebody else has something."""
    driver.ask(sign(contract("other", "bravo", *tranches, **terms)))


def broken(driver: Driver) -> None:
    """From the first day on two of the three racks at the first place have one node taken each."""
    today = promise("today", 3, end=1, unit=Unit.NODE, site=N)
    taken(driver, today, promise("on", 2, unit=Unit.NODE, site=N))


def granted(driver: Driver) -> None:
    taken(driver, rights=(refusal(site=N),))


def all_there(driver: Driver) -> None:
    taken(driver, promise("all", 2, site=N))


def behind(driver: Driver) -> None:
    """It is taken once a term is over."""
    taken(driver, promise("later", 2, site=N, start=20))


def nothing(driver: Driver) -> None:
    """All is free."""


#: The feed at the first place carries the base load of two racks, and the work of one.
ONE_RACK = {"north": 2 * 1_000 + 32_000}
GOING_ON = market.extension(notice_s=86_400)


@pytest.mark.parametrize(
    ("code", "racks", "limits", "before", "rights"),
    [
        ("first_refusal", 2, {}, granted, ()), ("oversold", 2, {}, all_there, ()),
        ("oversold", 2, {}, behind, (GOING_ON,)), ("no_whole_racks", 3, {}, broken, ()),
        ("no_power", 2, ONE_RACK, nothing, ()),
    ],
)  # fmt: skip
def test_the_second_place_where_the_first_is_refused(
    code: str, racks: int, limits: dict[str, int], before: Callable[[Driver], None], rights: Any
) -> None:
    driver = places(racks, **limits)
    before(driver)
    term = {"start": 1, "end": 20}
    no = driver.refused(sign(contract("c1", "acme", choice(sites=(N,), **term), rights=rights)))
    assert no.code == code, no.detail
    driver.ask(sign(contract("c1", "acme", choice(**term), rights=rights)))
    assert terms_of(driver, "t1").site == S
    assert sum(nodes for _, nodes in market.bound(driver)) == 8


def test_a_right_that_cannot_be_granted_is_refused_as_ever() -> None:
    driver = places()
    wrong = replace(GOING_ON, term_s=-1)
    assert market.code(driver, sign(contract("c1", "acme", choice(), rights=(wrong,)))) == "bad_quantity"


def test_every_place_with_its_own_reason() -> None:
    driver = places(3, west=3 * 1_000 + 32_000)
    broken(driver)
    driver.ask(sign(contract("held-back", "carol", rights=(refusal(site=S),))))
    plan = contract("c1", "acme", choice(sites=(S, N, W), start=1))
    no = driver.refused(sign(plan))
    # It is put where no right stands before it, and refused there.
    assert (no.code, no.field) == ("no_whole_racks", "tranches[0].count")
    here, south, west = no.detail.split(". Nor ")
    assert here == "tranche t1 promises 2 whole racks; 1 are wholly free over its term"
    assert south.startswith(
        "hgx at south (first_refusal): right rofr of carol comes before this sale: hold the"
    )
    assert west == (
        "hgx at west (no_power): it promises 8 nodes of hgx, 8000 W each; of those that are free over its term 4 "
        "have power that nobody else is promised: feed west-f has no more"
    )
    driver.ask(sign(plan, override="we dare"))
    assert terms_of(driver, "t1").site == N


def test_rights_of_others_at_every_place() -> None:
    driver = places()
    taken(driver, rights=(refusal(site=SiteId("")),))
    no = driver.refused(sign(contract("c1", "acme", choice())))
    assert (no.code, no.field) == ("first_refusal", "hold")
    assert ". Nor hgx at south (first_refusal): right rofr" in no.detail


def test_another_tranche_is_refused_with_its_own_reason_alone() -> None:
    driver = places()
    plan = contract("c1", "acme", promise("t0", 9, site=N), choice(9))
    no = driver.refused(sign(plan))
    assert (no.field, "Nor" in no.detail) == ("tranches[0].count", False)


def test_a_new_version_chooses_anew() -> None:
    driver = places(**ONE_RACK)
    first = contract("c1", "acme", promise("t0", 1, site=W))
    driver.ask(sign(first))
    more = replace(first, version=2, tranches=(*first.tranches, choice(start=1)))
    none = replace(first, version=2, tranches=(*first.tranches, choice(3, start=1)))
    no = driver.refused(sign(none))
    assert (no.code, no.field) == ("oversold", "tranches[1].count")
    assert "Nor hgx at south (oversold): it promises 12 nodes of hgx at south; 8 can" in no.detail
    driver.ask(sign(more))
    assert [terms_of(driver, name).site for name in ("t0", "t1")] == [W, S]


# What is quoted may be signed.


def quoted(driver: Driver, racks: int = 2, **terms: Any) -> list[tuple[str, float]]:
    """Sites of offers, and the days on which they begin; each is signed on a copy."""
    state = driver.world.state
    request = quotes.Request((HGX,), racks, 10 * DAY_US, **({"not_before": day(0)} | terms))
    found = quotes.quote(state.claims, state.supply, driver.world.calendar, request)
    for each in found:
        copy = driver.world.fork()
        made = promise("q", racks, site=each.site, start_at=each.start_at, end_at=each.end_at)
        answer = copy.handle(Asked(sign(contract("cq", "acme", made)), plant.OPERATOR), driver.at).answer
        assert not isinstance(answer, Refusal), answer
    chosen = quotes.nominee(state.claims, state.supply, driver.world.calendar, request, Confidence.P90)
    assert (chosen is not None) == any(each.start_at == request.not_before for each in found)
    return [(each.site, (each.start_at - day(0)) / DAY_US) for each in found]


def test_offers_have_whole_racks_and_power() -> None:
    driver = places(3, south=3 * 1_000 + 32_000)
    driver.ask(sign(contract("c1", "bravo", promise("s", 1, site=S, end=7))))
    today = promise("today", 3, end=1, unit=Unit.NODE, site=N)
    taken(driver, today, promise("on", 2, unit=Unit.NODE, site=N, end=30))
    # One rack: in the north there is one that is whole, in the south power for one from the seventh day on.
    assert quoted(driver, 1) == [("north", 0), ("west", 0), ("south", 7)]
    # Two: in the north there are as many nodes at once, but no two racks are whole before the thirtieth day. In the
    # south there never is power for two.
    assert quoted(driver, 2) == [("west", 0), ("north", 30)]
    assert quoted(driver, 2, sites=(N, S), not_after=day(30)) == []
    assert quoted(driver, 2, not_before=day(30)) == [("north", 30), ("west", 30)]


def test_an_offer_waits_for_what_comes() -> None:
    driver = market.market(stands=1, comes=2, on=30)
    market.forecast(driver, 30, 40)
    state = driver.world.state
    taken(driver, promise("half", 1, unit=Unit.NODE))
    request = quotes.Request((HGX,), 2, 10 * DAY_US, day(0), tenant=TenantId("acme"))
    found = quotes.quote(state.claims, state.supply, driver.world.calendar, request)
    assert [(each.confidence, each.start_at) for each in found] == [
        (Confidence.P50, day(30)), (Confidence.P90, day(40)),
    ]  # fmt: skip
    assert quotes.nominee(state.claims, state.supply, driver.world.calendar, request, Confidence.P90) is None
    later = replace(request, not_before=day(40))
    known = (state.claims, state.supply, driver.world.calendar)
    assert quotes.nominee(*known, later, Confidence.P90) == Stock(N, HGX)
