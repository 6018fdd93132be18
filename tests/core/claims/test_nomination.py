"""Where a tranche is that leaves a choice: the first combination that fits; and what is no choice at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forebay.core import claims, supply
from forebay.core.claims import Unit, contracts, nomination, quotes
from forebay.core.claims.calendar import Stock
from forebay.core.ids import Asked, SiteId, SkuId
from forebay.core.supply.blocks import Confidence
from tests.core import plant
from tests.core.claims import market
from tests.core.claims.market import day, hold, keep, promise, sign, terms_of
from tests.core.plant import Driver, contract

N, S, W = SiteId("north"), SiteId("south"), SiteId("west")
HGX, GB = SkuId("hgx"), SkuId("gb")


def places(north: int = 1, south: int = 2, west: int = 3) -> Driver:
    """Three sites with so many racks of each kind; north and south are in one region, west under another law."""
    sites = []
    for name, racks, region, law in (
        ("north", north, "nordics", "FI"), ("south", south, "nordics", "SE"), ("west", west, "", "US"),
    ):  # fmt: skip
        made = tuple(
            plant.rack(f"{name}-{sku}{n}", of=sku, on=f"{name}-f")
            for sku in ("hgx", "gb")
            for n in range(racks)
        )
        site = plant.site(name, (plant.feed(f"{name}-f"),), (plant.hall(f"{name}-h", *made),))
        sites.append(replace(site, region=region, jurisdiction=law))
    kinds = (plant.sku("hgx"), plant.sku("gb", nodes_per_rack=2, healthy_nodes_min=2))
    return plant.plant(contract("c0", "nobody"), sites=sites, skus=kinds)


def choice(name: str = "t1", racks: int = 1, **terms: Any) -> claims.TranchePlan:
    return promise(name, racks, **({"site": SiteId("")} | terms))


def where(driver: Driver, name: str = "t1") -> Stock:
    plan = terms_of(driver, name)
    return Stock(plan.site, plan.sku)


@pytest.mark.parametrize(
    ("terms", "racks", "there"),
    [
        ({"sites": (S, N)}, 1, (S, HGX)), ({"sites": (N, S)}, 1, (N, HGX)),
        ({"sites": (N, S)}, 2, (S, HGX)),  # too many for the first
        ({"region": "nordics"}, 1, (N, HGX)), ({"region": "nordics"}, 2, (S, HGX)),
        ({"jurisdiction": "US"}, 3, (W, HGX)),
        # The SKU comes first, then the site.
        ({"site": N, "substitutes": (GB,)}, 1, (N, HGX)), ({"site": S, "substitutes": (GB,)}, 2, (S, HGX)),
        ({"sku": GB, "substitutes": (HGX,), "sites": (N, S)}, 2, (S, GB)),
        ({"sites": (N, S), "substitutes": (GB,)}, 2, (S, HGX)),
    ],
)  # fmt: skip
def test_the_first_that_fits(terms: dict[str, Any], racks: int, there: tuple[SiteId, SkuId]) -> None:
    driver = places()
    plan = contract("c1", "acme", choice("t1", racks, **terms))
    driver.ask(sign(plan))
    assert where(driver) == there
    event = driver.last(claims.ContractSigned)
    # What was signed stays as it was signed; signing it again changes nothing.
    assert event.plan == driver.world.state.claims.contracts[plan.id] == plan
    assert event.nominations == (claims.Nomination(plan.tranches[0].id, *there),)
    assert driver.ask(sign(plan))["signed"] is False
    nodes = claims.nodes_promised(terms_of(driver, "t1"), driver.world.state.supply)
    assert sum(count for _, count in market.bound(driver)) == nodes


def test_a_substitute_is_taken_where_the_first_is_gone() -> None:
    driver = places()
    driver.ask(sign(contract("c1", "acme", promise("all", 1, site=N))))
    driver.ask(sign(contract("c2", "acme", choice("t1", site=N, substitutes=(GB,)))))
    assert where(driver) == (N, GB)
    # A rack is of two nodes there.
    assert market.bound(driver)[0][1] == 2
    assert nomination.skus_of(terms_of(driver, "t1")) == (GB, HGX)


def test_tranches_of_one_contract_make_room_for_each_other() -> None:
    driver = places()
    both = (choice("t1", region="nordics"), choice("t2", region="nordics"))
    driver.ask(sign(contract("c1", "acme", *both, promise("t3", 1, site=S))))
    assert [where(driver, name).site for name in ("t1", "t2", "t3")] == [N, S, S]


def test_it_fits_for_its_whole_term() -> None:
    driver = places()
    driver.ask(sign(contract("c1", "acme", promise("later", 1, site=N, start=100))))
    driver.ask(sign(contract("c2", "acme", choice("t1", sites=(N, S), end=100))))
    driver.ask(sign(contract("c3", "acme", choice("t2", sites=(N, S), end=101))))
    assert [where(driver, name).site for name in ("t1", "t2")] == [N, S]


def test_a_hold_of_its_own_is_free_again() -> None:
    driver = places()
    keep(driver, hold("h1", "acme", 4, site=N, end=365))
    driver.ask(sign(contract("c1", "acme", choice("t1", sites=(N, S))), "h1"))
    assert where(driver).site == N


def test_it_fits_nowhere() -> None:
    driver = places()
    plan = contract("c1", "acme", choice("t1", 4, sites=(S, N), substitutes=(GB,)))
    no = driver.refused(sign(plan))
    assert (no.code, no.field) == ("oversold", "tranches[0].count")
    assert "promises 16 nodes of hgx at south" in no.detail
    assert no.detail.split(". Nor ")[1:] == [
        "hgx at north (oversold): it promises 16 nodes of hgx at north; 4 can be promised over its term at P90",
        "gb at south (oversold): it promises 8 nodes of gb at south; 4 can be promised over its term at P90",
        "gb at north (oversold): it promises 8 nodes of gb at north; 2 can be promised over its term at P90",
    ]
    driver.ask(sign(plan, override="we dare"))
    assert where(driver) == (S, HGX)


def test_what_is_no_choice_in_its_order() -> None:
    driver = places()
    plan = choice("t1", sku=SkuId("?"), site=N, sites=(N,), region="?", substitutes=(SkuId("!"),))
    rules: list[tuple[str, str, str, dict[str, Any]]] = [
        ("contradiction", ".sites", "'site' and 'sites' contradict", {"site": SiteId("")}),
        ("contradiction", ".region", "'sites' and 'region' contradict", {"sites": (), "jurisdiction": "?"}),
        ("contradiction", ".jurisdiction", "'region' and 'jurisdiction'", {"region": "", "jurisdiction": ""}),
        ("empty_scope", "", "(sites: north, south, west)", {"site": SiteId("moon")}),
        ("unknown_site", ".site", "no site moon (known: north, south, west)", {"site": "", "sites": (N, "moon")}),
        ("unknown_site", ".sites[1]", "no site moon", {"sites": (), "region": "arctic"}),
        ("empty_scope", ".region", "region arctic (known: nordics)", {"region": "", "jurisdiction": "AQ"}),
        ("empty_scope", ".jurisdiction", "AQ (known: FI, SE, US)", {"jurisdiction": "FI"}),
        ("unknown_sku", ".sku", "SKU ? is not", {"sku": HGX}),
        ("unknown_sku", ".substitutes[0]", "SKU ! is not", {"substitutes": (GB,)}),
    ]  # fmt: skip
    for code, field, told, mended in rules:
        no = driver.refused(sign(contract("c1", "acme", plan)))
        assert (no.code, no.field, told in no.detail) == (code, f"tranches[0]{field}", True), no.detail
        plan = replace(plan, **mended)
    driver.ask(sign(contract("c1", "acme", plan)))


def test_terms_have_to_hold_for_every_sku_that_would_do() -> None:
    driver = places()
    level = claims.service_levels.ServiceLevel(
        claims.service_levels.ServiceUnit.RACK, (claims.service_levels.Rung(999_000, 100_000),), 3
    )
    no = driver.refused(sign(contract("c1", "acme", choice("t1", site=N, substitutes=(GB,), service=level))))
    assert (no.code, "a rack has 2 nodes, not 3" in no.detail) == ("bad_service", True)


def test_nothing_is_known_of_sites_before_there_are_any() -> None:
    nowhere = supply.State()
    no = nomination.refuse_choice(nowhere, choice("t1", region="nordics"), "tranches[0]")
    assert no is not None
    assert (no.code, "(known: none)" in no.detail) == ("empty_scope", True)
    no = nomination.refuse_choice(nowhere, choice("t1"), "tranches[0]")
    assert no is not None
    assert "(sites: none)" in no.detail


def test_names_that_stand_twice_are_one() -> None:
    plan = choice("t1", sites=(N, S, N), sku=HGX, substitutes=(HGX, GB, GB))
    assert list(nomination.choices(plan, places().world.state.supply)) == [
        (N, HGX),
        (S, HGX),
        (N, GB),
        (S, GB),
    ]
    made = contracts.nominated(plan, S, GB)
    assert (made.site, made.sku, made.substitutes, made.sites) == (S, GB, (HGX,), plan.sites)


def test_what_goes_on_stays_where_it_is() -> None:
    driver = places()
    going = market.extension(notice_s=86_400)
    driver.ask(sign(contract("c1", "acme", choice("t1", sites=(N, S), end=20), rights=(going,))))
    driver.ask(market.use("longer"))
    plan = terms_of(driver)  # the new one
    assert (plan.site, nomination.has_choice(plan), plan.start_at) == (N, False, day(20))


@pytest.mark.parametrize(
    ("terms", "racks"),
    [
        ({"sites": (S, N)}, 1), ({"sites": (N, S)}, 2), ({"sites": (W, N)}, 3), ({"region": "nordics"}, 2),
        ({"jurisdiction": "US"}, 1), ({"sites": (N, S), "substitutes": (GB,)}, 2),
        ({"site": N, "substitutes": (GB,)}, 1), ({"site": N, "sku": GB, "substitutes": (HGX,)}, 1),
        ({"region": "nordics"}, 3),
    ],
)  # fmt: skip
def test_a_quote_says_where_it_would_be(terms: dict[str, Any], racks: int) -> None:
    """Whatever is gone already, a quote names what signing would choose."""
    driver = places()
    plan = choice("t1", racks, **terms)
    request = quotes.Request(
        nomination.skus_of(plan), racks, plan.end_at - plan.start_at, plan.start_at, sites=plan.sites or (
            (plan.site,) if plan.site else ()), regions=(plan.region,) if plan.region else (),
        jurisdictions=(plan.jurisdiction,) if plan.jurisdiction else (),
    )  # fmt: skip
    for gone in ((), (N, HGX), (N, GB), (S, HGX)):
        if gone:
            name = f"all-{gone[0]}-{gone[1]}"
            driver.ask(sign(contract(name, "bravo", promise(name, 1, site=gone[0], sku=gone[1], end=365))))
        world = driver.world.fork()
        found = quotes.nominee(
            world.state.claims, world.state.supply, world.calendar, request, Confidence.P90
        )
        outcome = world.handle(Asked(sign(contract("c1", "acme", plan)), plant.OPERATOR), driver.at)
        if found is None:
            assert getattr(outcome.answer, "code", "") == "oversold"
        else:
            made = world.state.claims.tranches[plan.id].plan
            assert (made.site, made.sku) == found


def test_whole_nodes_anywhere_may_be_quoted_too() -> None:
    driver = places()
    driver.ask(sign(contract("c1", "bravo", promise("half", 2, site=N, unit=Unit.NODE))))
    request = quotes.Request((HGX,), 2, 10**9, day(0), Unit.NODE, sites=(N, S))
    world = driver.world
    known = world.state.claims, world.state.supply, world.calendar
    assert quotes.nominee(*known, request, Confidence.P90) == (N, HGX)
    assert quotes.nominee(*known, replace(request, count=99), Confidence.P90) is None
