"""Quotes, the capacity table and who is at risk, against a model that looks at every day.

In the model a stock is lists of nodes, one figure a day: all that changes, changes at midnight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forebay.core import claims, ids, supply, timeline
from forebay.core.claims import HoldCapacity, SignContract, Unit, quotes, rights
from forebay.core.claims.calendar import Stock
from forebay.core.claims.quotes import Obstacle, Request
from forebay.core.claims.rights import Cap, RightKind, RightPlan
from forebay.core.ids import CapId, HoldId, MilestoneId, RightId, SiteId, SkuId, TenantId, TrancheId
from forebay.core.supply import blocks
from forebay.core.supply.blocks import BlockPlan, BlockQuantile, Confidence, MilestonePlan, MilestoneQuantile
from forebay.core.units import DAY_US, MICROS
from tests.core import plant
from tests.core.plant import T0, Driver, contract, site, tranche

NORTH, HGX = SiteId("north"), SkuId("hgx")
STOCK = Stock(NORTH, HGX)
#: Nodes of a rack, GPUs of a node; a year of days is looked at.
NODES, GPUS, DAYS = 4, 8, 365


def day(number: int) -> int:
    return T0 + number * DAY_US


# A market: what stands, what comes, what is promised and kept, in racks and days.


@dataclass
class Come:
    """Racks that come: on a day in even odds, and in nine cases of ten."""

    racks: int
    p50: int
    p90: int


@dataclass
class Taken:
    """Racks from a day on for a while."""

    racks: int
    start: int
    days: int


def built(
    stands: int, comes: list[Come], promised: list[Taken], held: list[Taken], called: list[Taken]
) -> Driver:
    """The market, built by commands. Whatever does not fit is signed all the same; holds that do not are left out."""
    driver = plant.plant(contract("c0"), sites=[site(racks=stands)], priced=False)
    if comes:
        milestones = tuple(
            MilestonePlan(MilestoneId(f"m{n}"), planned_at=day(each.p50)) for n, each in enumerate(comes)
        )
        planned = tuple(
            BlockPlan(ids.BlockId(f"b{n}"), HGX, each.racks, (MilestoneId(f"m{n}"),))
            for n, each in enumerate(comes)
        )
        driver.ask(blocks.ApplySchedule(blocks.SchedulePlan(NORTH, milestones, planned)))
        driver.ask(
            blocks.RecordForecast(
                NORTH, 1, "test", 1,
                tuple(MilestoneQuantile(MilestoneId(f"m{n}"), day(c.p50), day(c.p90)) for n, c in enumerate(comes)),
                tuple(BlockQuantile(ids.BlockId(f"b{n}"), day(c.p50), day(c.p90)) for n, c in enumerate(comes)),
            )
        )  # fmt: skip
    calls = tuple(
        RightPlan(
            RightId(f"call{n}"), RightKind.CALL, NORTH, HGX, racks_max=each.racks, opens_at=day(each.start),
            expires_at=day(each.start + 1), term_s=(each.days - 1) * 86400,
        )
        for n, each in enumerate(called)
    )  # fmt: skip
    tranches = tuple(
        tranche(f"t{n}", each.racks, start_at=day(each.start), end_at=day(each.start + each.days))
        for n, each in enumerate(promised)
    )
    driver.ask(SignContract(contract("c1", "bravo", *tranches, rights=calls), "a test"))
    for n, each in enumerate(held):
        driver.handle(HoldCapacity(hold(f"h{n}", each)))
    return driver


def hold(name: str, taken: Taken, of: str = "cedar") -> claims.Hold:
    return claims.Hold(
        HoldId(name), TenantId(of), NORTH, HGX, taken.racks * NODES, day(taken.start),
        day(taken.start + taken.days), day(300), 2 * MICROS, "USD",
    )  # fmt: skip


def each_day(takes: list[Taken]) -> list[int]:
    return [
        sum(NODES * each.racks for each in takes if each.start <= now < each.start + each.days)
        for now in range(2 * DAYS)
    ]


def there(stands: int, comes: list[Come], confidence: str) -> list[int]:
    return [
        NODES * (stands + sum(each.racks for each in comes if getattr(each, confidence) <= now))
        for now in range(2 * DAYS)
    ]


def less(of: list[int], *others: list[int]) -> list[int]:
    return [left - sum(taken) for left, *taken in zip(of, *others, strict=True)]


racks = st.integers(1, 6)
comings = st.lists(
    st.builds(
        lambda racks, p50, more: Come(racks, p50, p50 + more), racks, st.integers(1, 90), st.integers(0, 60)
    ),
    max_size=3,
)
takings = st.lists(st.builds(Taken, racks, st.integers(0, 120), st.integers(2, 90)), max_size=3)
few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@few
@given(st.integers(1, 5), comings, takings, takings, takings)
def test_the_table_is_that_of_every_day(
    stands: int, comes: list[Come], promised: list[Taken], held: list[Taken], called: list[Taken]
) -> None:
    driver = built(stands, comes, promised, held, called)
    state = driver.world.state
    kept = [each for n, each in enumerate(held) if HoldId(f"h{n}") in state.claims.holds]
    p50, p90 = (there(stands, comes, each) for each in ("p50", "p90"))
    committed = each_day(promised)
    taken, calls = each_day(kept), each_day(called)
    left = less(p90, committed, taken, calls)
    short = [max(0, nodes - there_is) for nodes, there_is in zip(committed, p90, strict=True)]
    over = [
        max(0, s - max(0, t - c))
        for s, t, c in zip(map(sum, zip(taken, calls, strict=False)), p90, committed, strict=True)
    ]
    # From the tenth of January on.
    rows = quotes.capacity_table(state.claims, state.supply, driver.world.calendar, day(9), 5)
    assert [row.start_at for row in rows] == [day(9), day(31), day(59), day(90), day(120)]
    for row in rows:
        month = slice((row.start_at - T0) // DAY_US, (row.end_at - T0) // DAY_US)
        assert row[4:] == (
            min(p50[month]), min(p90[month]), max(committed[month]), max(taken[month]), max(calls[month]), 0, 0, 0,
            min(left[month]), max(short[month]), False, max(over[month]), 0,
        )  # fmt: skip


@few
@given(
    st.integers(1, 5),
    comings,
    takings,
    takings,
    takings,
    st.integers(1, 24),
    st.integers(1, 40),
    st.integers(0, 100),
)
def test_a_quote_is_the_first_day_on_which_it_fits(
    stands: int, comes: list[Come], promised: list[Taken], held: list[Taken], called: list[Taken], nodes: int,
    days: int, not_before: int,
) -> None:  # fmt: skip
    driver = built(stands, comes, promised, held, called)
    state = driver.world.state
    kept = [each for n, each in enumerate(held) if HoldId(f"h{n}") in state.claims.holds]
    starts = {}
    for confidence in ("p90", "p50"):
        left = less(there(stands, comes, confidence), each_day(promised), each_day(kept), each_day(called))
        # After the last day on which anything changes, every day is like the one before.
        fits = (at for at in range(not_before, 2 * DAYS - 40) if min(left[at : at + days]) >= nodes)
        starts[confidence] = next(fits, None)
    if starts["p50"] == starts["p90"] or starts["p50"] is None:
        del starts["p50"]
    request = Request((HGX,), nodes, days * DAY_US, day(not_before), Unit.NODE)
    told = quotes.quote(state.claims, state.supply, driver.world.calendar, request)
    found = {offer.confidence.value: (offer.start_at - T0) // DAY_US for offer in told}
    assert found == {name: start for name, start in starts.items() if start is not None}
    assert [offer.start_at for offer in told] == sorted(offer.start_at for offer in told)
    for offer in told:
        assert (offer.nodes, offer.gpus, offer.end_at - offer.start_at) == (
            nodes,
            nodes * GPUS,
            days * DAY_US,
        )


# What is in the way, and what is asked for


def asked(driver: Driver, count: int = 1, **terms: Any) -> list[quotes.Offer]:
    state = driver.world.state
    known: dict[str, Any] = {"skus": (HGX,), "count": count, "term_us": 10 * DAY_US, "not_before": T0}
    return quotes.quote(state.claims, state.supply, driver.world.calendar, Request(**(known | terms)))


def obstacles(offer: quotes.Offer) -> list[tuple[str, str, int]]:
    return [(each.kind, each.id, each.until) for each in offer.obstacles]


def test_what_stands_in_the_way() -> None:
    driver = built(2, [Come(4, 20, 40)], [Taken(1, 0, 30)], [], [Taken(1, 50, 20)])
    (sure, even) = asked(driver, 3, price_micros_per_gpu_hour=2 * MICROS)[::-1]
    assert (sure.confidence, sure.start_at, even.confidence, even.start_at) == (
        Confidence.P90, day(40), Confidence.P50, day(20),
    )  # fmt: skip
    assert sure.cost_micros == 3 * NODES * GPUS * 240 * 2 * MICROS
    # A call that opens on the fiftieth day did not make it later.
    assert obstacles(sure) == [("waits_for", "b0/m0", day(40))]
    driver.ask(blocks.ReportForecast(NORTH, MilestoneId("m0"), day(45)))
    (late,) = asked(driver, 3)
    assert obstacles(late) == [("waits_for", "b0/m0", day(45)), ("provisional", "north", 0)]
    # Six racks in all: five of them fit from day 45 on but for what is held, and but for the call before that.
    driver.ask(HoldCapacity(hold("h1", Taken(1, 60, 185))))
    assert [each[:2] for each in obstacles(asked(driver, 6)[0])[:2]] == [("hold", "h1"), ("call", "call0")]
    driver.ask(HoldCapacity(hold("h2", Taken(1, 40, 3))))
    (five,) = asked(driver, 5, term_us=3 * DAY_US)
    assert (five.start_at, obstacles(five)[0][:2]) == (day(45), ("waits_for", "b0/m0"))
    # What comes free as a tranche ends.
    (two,) = asked(driver, 2)
    assert (two.start_at, obstacles(two)[0]) == (day(30), ("tranche", "t0", day(30)))


def elsewhere(driver: plant.Driver) -> None:
    """A rack of another kind, at another site."""
    driver.ask(supply.ApplyCatalogue((plant.sku("other"),)))
    hall = plant.hall("south-h1", plant.rack("s1", "other", "south-f1"))
    driver.ask(supply.ApplySite(plant.site("south", (plant.feed("south-f1"),), (hall,))))


def test_a_right_of_somebody_else_comes_first() -> None:
    driver = built(4, [], [], [], [])
    for name, of, more in (
        ("r2", "acme", {"priority": 2}),
        ("r1", "acme", {"priority": 1, "expires_at": day(50)}),
        ("later", "acme", {"opens_at": day(9)}),
        ("gone", "acme", {"expires_at": day(5), "opens_at": day(1)}),
        ("else", "acme", {"sku": SkuId("other")}),
        ("own", "cedar", {"site": NORTH}),
    ):
        if name == "else":
            elsewhere(driver)
        granted = RightPlan(RightId(name), RightKind.REFUSAL, notice_s=86400, **more)
        driver.ask(SignContract(contract(name, of, rights=(granted,))))
    assert obstacles(asked(driver, tenant=TenantId("cedar"))[0]) == [
        ("refusal", "r1", day(50)),
        ("refusal", "r2", 0),
    ]
    assert [each.id for each in asked(driver, tenant=TenantId("acme"))[0].obstacles] == ["own"]
    signed = asked(driver, tenant=TenantId("cedar"), signed_at=day(60), not_before=day(2))[0]
    assert [each.id for each in signed.obstacles] == ["later", "r2"]


def test_where_it_may_be_and_how_many_offers() -> None:
    south = site("south", feeds=[plant.feed("f2")])
    halls = (plant.hall("south-h1", plant.rack("s1", on="f2"), plant.rack("s2", on="f2")),)
    south = supply.SitePlan(SiteId("south"), "South", "iberia", "ES", "Europe/Madrid", south.feeds, halls)
    driver = plant.plant(contract("c0", "acme", tranche(count=1)), sites=[site(), south], priced=False)
    assert [offer.site for offer in asked(driver)] == ["north", "south"]
    for terms, found in (
        ({"sites": (SiteId("south"),)}, ["south"]),
        ({"regions": ("nordics",)}, ["north"]),
        ({"jurisdictions": ("ES",)}, ["south"]),
        ({"sites": (SiteId("moon"),)}, []),
        ({"skus": (SkuId("none"),)}, []),
        ({"count": 2}, ["south", "north"]),
        ({"count": 3}, []),
        ({"count": 2, "not_after": day(5)}, ["south"]),
        ({"count": 2, "unit": Unit.NODE}, ["north", "south"]),
    ):
        assert [offer.site for offer in asked(driver, **terms)] == found, terms
    state = driver.world.state
    request = Request((HGX,), 1, DAY_US, T0)
    assert len(quotes.quote(state.claims, state.supply, driver.world.calendar, request, most=1)) == 1


def test_the_cheaper_and_the_freer_go_first() -> None:
    def offer(**terms: Any) -> quotes.Offer:
        known: dict[str, Any] = {
            "site": NORTH, "sku": HGX, "start_at": 5, "end_at": 9, "confidence": Confidence.P90, "nodes": 1,
            "gpus": 8, "cost_micros": 7, "obstacles": (),
        }  # fmt: skip
        return quotes.Offer(**(known | terms))

    hindered = (Obstacle("provisional", "north"),)
    wanted = [
        offer(start_at=4, cost_micros=9, obstacles=hindered),
        offer(cost_micros=6),
        offer(site=SiteId("east")),
        offer(),
        offer(sku=SkuId("vr")),
        offer(cost_micros=1, obstacles=hindered),
    ]
    assert quotes.ranked(wanted[::-1]) == wanted


# The other columns


def rows(driver: Driver, months: int = 1, from_at: int = T0, **more: Any) -> list[quotes.Row]:
    state = driver.world.state
    return quotes.capacity_table(state.claims, state.supply, driver.world.calendar, from_at, months, **more)


def test_which_stocks() -> None:
    driver = built(2, [], [], [], [])
    assert [(row.site, row.sku) for row in rows(driver, 2)] == [STOCK, STOCK]
    assert rows(driver, stocks=[]) == []
    (row,) = rows(driver, stocks=[Stock(NORTH, SkuId("hgx"))], from_at=day(400))
    assert row.start_at == day(400)
    assert timeline.text(row.end_at) == "2027-03-01T00:00:00Z"


def test_offers_extensions_and_backstops() -> None:
    driver = built(6, [], [], [Taken(1, 10, 5), Taken(2, 10, 5)], [])
    granted = (
        RightPlan(RightId("first"), RightKind.REFUSAL, notice_s=5 * 86400),
        RightPlan(RightId("longer"), RightKind.EXTENSION, tranche=TrancheId("t9"), term_s=10 * 86400),
    )
    own = tranche("t9", 1, start_at=day(20), end_at=day(25))
    driver.ask(SignContract(contract("c9", "acme", own, rights=granted)))
    driver.ask(rights.OfferSale(RightId("first"), HoldId("h1")))
    (row,) = rows(driver)
    assert (row.held, row.refusals, row.extensions, row.committed, row.promisable) == (
        NODES, 2 * NODES, NODES, NODES, 3 * NODES,
    )  # fmt: skip


#: What a backstop is, whether it shares its cap, and its floor in racks in January and in March.
BACKSTOPS: list[tuple[list[dict[str, Any]], tuple[int, int]]] = [
    ([{}], (0, 6)),
    ([{"racks_max": 2}], (0, 2)),
    ([{"racks_max": 2}, {"racks_max": 1}], (0, 3)),
    ([{"measure_at": day(3)}], (6, 6)),
    ([{"measure_at": day(3), "expires_at": day(40)}], (6, 0)),
    # 32 GPUs for ten days at a dollar: 7,680 for a rack.
    ([{"cap": "all", "price_micros_per_gpu_hour": MICROS}], (0, 2)),
    ([{"cap": "all", "price_micros_per_gpu_hour": MICROS}] * 2, (0, 2)),
    ([{"cap": "all", "price_micros_per_gpu_hour": MICROS, "racks_max": 1}], (0, 1)),
    ([{"cap": "all"}], (0, 6)),
    ([{"kind": RightKind.CALL, "racks_max": 1, "expires_at": day(2), "measure_at": 0}], (0, 0)),
    ([{"sku": SkuId("other"), "site": SiteId("south")}], (0, 0)),
]


@pytest.mark.parametrize(("granted", "floors"), BACKSTOPS)
def test_a_backstop_is_a_floor_under_what_stays_unsold(
    granted: list[dict[str, Any]], floors: tuple[int, int]
) -> None:
    driver = built(6, [], [], [], [])
    elsewhere(driver)
    known: dict[str, Any] = {
        "kind": RightKind.BACKSTOP, "site": NORTH, "sku": HGX, "term_s": 10 * 86400, "measure_at": day(70),
    }  # fmt: skip
    plans = tuple(RightPlan(RightId(f"r{n}"), **(known | each)) for n, each in enumerate(granted))
    driver.ask(SignContract(contract("c9", "acme", rights=plans, caps=(Cap(CapId("all"), 16_000 * MICROS),))))
    table = rows(driver, 3, stocks=[STOCK])
    assert (table[0].backstop, table[2].backstop) == (floors[0] * NODES, floors[1] * NODES)
    assert table[0].promisable >= table[0].backstop
    if granted == [{"racks_max": 2}]:
        driver.ask(rights.WaiveRight(RightId("r0"), T0), plant.OPERATOR)
        assert rows(driver, 3)[2].backstop == 0


def test_what_stayed_unsold_is_a_floor_no_more_than_that() -> None:
    driver = built(6, [], [], [Taken(2, 0, 200)], [])
    granted = RightPlan(
        RightId("put"),
        RightKind.BACKSTOP,
        NORTH,
        HGX,
        measure_at=day(3),
        expires_at=day(90),
        term_s=10 * 86400,
    )
    driver.ask(SignContract(contract("c9", "acme", rights=(granted,))))
    assert rows(driver)[0].backstop == 4 * NODES
    driver.later(days=4)
    driver.ask(claims.ReleaseHold(HoldId("h0")))
    (row,) = rows(driver, from_at=day(4))
    assert (row.promisable, row.backstop) == (6 * NODES, 4 * NODES)


def test_provisional_until_all_is_reached() -> None:
    driver = built(2, [Come(1, 20, 30)], [], [], [])
    assert [row.provisional for row in rows(driver)] == [False]
    driver.ask(blocks.ReportForecast(NORTH, MilestoneId("m0"), day(25)))
    assert [row.provisional for row in rows(driver)] == [True]
    driver.ask(blocks.ReportReached(NORTH, MilestoneId("m0"), T0))
    assert [row.provisional for row in rows(driver)] == [False]
    assert asked(driver, 2)[0].obstacles == ()
    assert [row.provisional for row in rows(built(1, [], [], [], []))] == [False]


# Who is at risk


def test_who_goes_short() -> None:
    driver = built(2, [], [], [], [])
    late = claims.Late(86400, 24 * MICROS, cap_micros=0, longstop_s=3 * 86400)
    own = tranche("t5", 3, start_at=day(10), end_at=day(20), late=late)
    driver.ask(SignContract(contract("c5", "cedar", own), "a test"))
    claimed, supplied = driver.world.state.claims, driver.world.state.supply
    before = quotes.risks(claimed, supplied, T0)
    assert [(risk.tranche, risk.start_at, risk.end_at, risk.gpus_most, risk.terms) for risk in before] == [
        ("t5", day(10), day(20), NODES * GPUS, "late"),
    ]
    (risk,) = before
    gpu_days = NODES * GPUS * 10
    assert (risk.gpu_hours, risk.cost.fees_micros) == (24 * gpu_days, 48 * gpu_days * MICROS)
    assert (risk.cost.damages_micros, risk.cost.longstop_at) == (24 * NODES * GPUS * 9 * MICROS, day(13))
    # One more, silent about lateness: both lose.
    more = tranche("t6", 3, start_at=day(15), end_at=day(20))
    driver.ask(SignContract(contract("c6", "dora", more), "a test"))
    after = quotes.risks(claimed, supplied, T0)
    assert {risk.tranche: risk.terms for risk in after} == {"t5": "late", "t6": "none"}
