"""What may happen to a site's schedule: planned, reported on, reached, forecast, overdue, and refused in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.core import ids, supply
from forebay.core.claims.calendar import Stock
from forebay.core.ids import Asked, MilestoneId, SiteId, SkuId
from forebay.core.supply import ApplySite, blocks
from forebay.core.supply import schedule as plans
from forebay.core.supply.blocks import (
    ApplySchedule,
    Confidence,
    MilestoneForecast,
    RecordForecast,
    ReportForecast,
    ReportReached,
    SchedulePlan,
)
from forebay.core.supply.plant import Stands
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import DAY_US, SECOND_US
from tests.core import plant
from tests.core.plant import (
    EDGE,
    OPERATOR,
    Driver,
    block,
    day,
    hall,
    milestone,
    rack,
    schedule,
    site,
    sku,
    stage,
)

NORTH = SiteId("north")
CAUSE = blocks.Cause(ids.CauseId("utility"))
#: Grid and permit are done; one rack of b1 stands.
PLAN = schedule(
    milestone("racks", "grid", on=5),
    milestone("accepted", "racks", takes=2),
    milestone("late", "racks", takes=1),
    milestone("grid", on=1),
    milestone("permit", on=1),
    block("b1", "racks", racks=2),
    block("b2", "accepted"),
    stage("bridge", 10_000, "grid", "racks"),
    stage("grid", 90_000, "grid"),
    CAUSE,
    blocks.Cause(ids.CauseId("vendor")),
)


def known_site(plan: SchedulePlan = PLAN) -> Driver:
    """Two sites with what is to come there, two days after it was planned."""
    driver = plant.opened()
    driver.ask(supply.ApplyCatalogue((sku(), sku("other"))))
    driver.ask(ApplySite(site("north", halls=(hall("h1"),))))
    driver.ask(ApplySite(site("south", (plant.feed("s1"),), (hall("h2"),))))
    driver.ask(ApplySchedule(schedule(milestone("m", on=90), block("b9", "m"), at="south")))
    driver.ask(ApplySchedule(plan))
    driver.ask(ApplySite(site("north", halls=(hall("h1", rack("r1", block="b1")),))))
    reach(driver, "grid")
    reach(driver, "permit")
    return driver.later(days=2)


def reach(driver: Driver, name: str, ago_s: int = 0) -> dict[str, Any]:
    since = driver.at - ago_s * SECOND_US
    return driver.ask(ReportReached(NORTH, MilestoneId(name), since, "photo 7"), EDGE)


def expect(driver: Driver, name: str, on: int) -> dict[str, Any]:
    return driver.ask(ReportForecast(NORTH, MilestoneId(name), day(on), "vendor"), EDGE)


def date(driver: Driver, name: str) -> int:
    outlook = driver.world.calendar.outlook(NORTH)
    assert outlook is not None
    return outlook.dates[MilestoneId(name)]


# Planning, and what is refused: each row breaks all later rules as well.

Break = Callable[[SchedulePlan], SchedulePlan]


def put(kind: str, place: int, **figures: Any) -> Break:
    def broken(plan: SchedulePlan) -> SchedulePlan:
        parts = list(getattr(plan, kind))
        parts[place] = replace(parts[place], **figures)
        changed: dict[str, Any] = {kind: tuple(parts)}
        return replace(plan, **changed)

    return broken


def circle(plan: SchedulePlan) -> SchedulePlan:
    waits_for_itself = milestone("z", "z")
    return replace(plan, milestones=(*plan.milestones, waits_for_itself))


def without_permit(plan: SchedulePlan) -> SchedulePlan:
    kept = tuple(each for each in plan.milestones if each.id != "permit")
    return replace(plan, milestones=kept)


RULES: list[tuple[str, str, Break]] = [
    ("unknown_site", "site", lambda plan: replace(plan, site=SiteId("nowhere"))),
    ("bad_id", "causes[1].id", put("causes", 1, id="!")),
    ("duplicate_id", "causes[1].id", put("causes", 1, id="utility")),
    ("bad_quantity", "causes[1]", put("causes", 1, share_ppm=1_000_001)),
    ("bad_quantity", "causes[1]", put("causes", 1, strike_ppm=-1)),
    ("bad_quantity", "causes[1].delay_s", put("causes", 1, delay_s=-1)),
    ("bad_quantity", "pue_ppm", lambda plan: replace(plan, pue_ppm=999_999)),
    ("bad_id", "milestones[1].id", put("milestones", 1, id="!")),
    ("duplicate_id", "milestones[1].id", put("milestones", 1, id="racks")),
    ("bad_quantity", "milestones[1].planned_at", put("milestones", 1, planned_at=INSTANT_MAX + 1)),
    ("bad_quantity", "milestones[1].reached_at", put("milestones", 1, reached_at=-1)),
    ("bad_quantity", "milestones[1].duration_p90_s", put("milestones", 1, duration_p50_s=-1)),
    ("bad_quantity", "milestones[1].late_p90_s", put("milestones", 1, late_p90_s=-1)),
    ("unknown_cause", "milestones[1].causes", put("milestones", 1, causes=("vendor", "?"))),
    ("unknown_milestone", "milestones[1].after", put("milestones", 1, after=("racks", "?"))),
    ("no_date", "milestones[1].planned_at", put("milestones", 1, after=(), planned_at=0, reached_at=0)),
    ("bad_id", "stages[1].id", put("stages", 1, id="!")),
    ("duplicate_id", "stages[1].id", put("stages", 1, id="bridge")),
    ("bad_quantity", "stages[1]", put("stages", 1, contracted_w=0)),
    ("bad_quantity", "stages[1]", put("stages", 1, connected_w=supply.WATTS_MAX + 1)),
    ("unknown_milestone", "stages[1].start", put("stages", 1, start="?")),
    ("unknown_milestone", "stages[1].end", put("stages", 1, end="?")),
    ("no_date", "stages[1].start", put("stages", 1, start="")),
    ("bad_id", "blocks[1].id", put("blocks", 1, id="!")),
    ("duplicate_id", "blocks[1].id", put("blocks", 1, id="b1")),
    ("duplicate_id", "blocks[1].id", put("blocks", 1, id="b9")),
    ("bad_quantity", "blocks[1].racks", put("blocks", 1, racks=0)),
    ("unknown_milestone", "blocks[1].after", put("blocks", 1, after=("racks", "?"))),
    ("unknown_sku", "blocks[1].sku", put("blocks", 1, sku="?")),
    ("no_date", "blocks[1].after", put("blocks", 1, after=())),
    ("unknown_hall", "blocks[1].hall", put("blocks", 1, hall="", row="a")),
    ("unknown_hall", "blocks[1].hall", put("blocks", 1, hall="?")),
    ("unknown_feed", "blocks[1].feed", put("blocks", 1, feed="?")),
    ("milestone_cycle", "milestones[4].after", circle),
    ("future_fact", "milestones[2].reached_at", put("milestones", 2, reached_at=day(2) + 1)),
    ("not_in_order", "milestones[2].reached_at", put("milestones", 2, reached_at=day(2))),
    ("milestone_reached", "milestones[3].reached_at", put("milestones", 3, reached_at=day(1))),
    ("milestone_reached", "milestones", without_permit),
    ("block_delivered", "blocks", put("blocks", 0, sku="other")),
]


@pytest.mark.parametrize("place", range(len(RULES)), ids=lambda place: f"{RULES[place][0]}-{RULES[place][1]}")
def test_a_plan_is_refused_in_order(place: int) -> None:
    plan = PLAN
    for _, _, broken in reversed(RULES[place:]):
        plan = broken(plan)
    refusal = known_site().refused(ApplySchedule(plan))
    code, field, _ = RULES[place]
    assert (refusal.code, refusal.field) == (code, field), refusal.detail


@pytest.mark.parametrize(
    ("code", "broken"),
    [
        ("bad_quantity", put("causes", 0, share_ppm=-1)),
        ("bad_quantity", put("causes", 0, strike_ppm=1_000_001)),
        ("bad_quantity", put("causes", 0, delay_s=plans.DURATION_S_MAX + 1)),
        ("bad_quantity", lambda plan: replace(plan, pue_ppm=10_000_001)),
        ("bad_quantity", put("milestones", 0, planned_at=-1)),
        ("bad_quantity", put("milestones", 0, duration_p50_s=2, duration_p90_s=1)),
        ("bad_quantity", put("milestones", 0, duration_p90_s=plans.DURATION_S_MAX + 1)),
        ("bad_quantity", put("milestones", 0, late_p90_s=plans.DURATION_S_MAX + 1)),
        ("bad_quantity", put("stages", 0, contracted_w=supply.WATTS_MAX + 1)),
        ("bad_quantity", put("stages", 0, connected_w=0)),
        ("bad_quantity", put("blocks", 0, racks=plans.RACKS_MAX + 1)),
        ("block_delivered", put("blocks", 0, id="b3")),
    ],
)
def test_other_figures_that_are_refused(code: str, broken: Break) -> None:
    assert known_site().refused(ApplySchedule(broken(PLAN))).code == code


def test_a_block_has_at_least_the_racks_that_stand() -> None:
    driver = known_site()
    driver.ask(ApplySite(site("north", halls=(hall("h1", rack("r1", block="b1"), rack("r2", block="b1")),))))
    assert driver.refused(ApplySchedule(put("blocks", 0, racks=1)(PLAN))).code == "block_delivered"
    # A block of which nothing stands may go.
    assert driver.ask(ApplySchedule(replace(PLAN, blocks=PLAN.blocks[:1]))) == {
        "site": "north",
        "changed": True,
    }


def test_a_circle_is_named_in_order() -> None:
    plan = schedule(milestone("a", "b"), milestone("b", "c"), milestone("c", "a"), milestone("d", on=1))
    detail = known_site().refused(ApplySchedule(replace(plan, site=SiteId("south")))).detail
    assert detail == "milestones wait for each other in a circle: a before c before b before a"


def test_the_same_plan_again_changes_nothing() -> None:
    driver = known_site()
    assert driver.ask(ApplySchedule(PLAN)) == {"site": "north", "changed": False}
    assert driver.count(blocks.SchedulePlanned) == 2


def test_what_was_reported_and_reached_stays() -> None:
    driver = known_site()
    expect(driver, "racks", 9)
    expect(driver, "late", 30)
    graph = driver.world.state.supply.schedules[NORTH].graph
    # The plan has other dates now, says what is done, and leaves one out.
    plan = put("milestones", 3, reached_at=day(0))(put("milestones", 0, planned_at=day(7))(PLAN))
    plan = replace(plan, milestones=tuple(each for each in plan.milestones if each.id != "late"))
    driver.ask(ApplySchedule(plan))
    known = driver.world.state.supply.schedules[NORTH]
    assert known.graph == graph + 1
    assert known.reported == {"racks": day(9)}
    assert known.reached == {"grid": day(0), "permit": day(0)}
    assert date(driver, "accepted") == day(11)


def test_a_plan_says_what_is_done() -> None:
    driver = known_site()
    plan = schedule(
        milestone("land", reached_at=day(-90)), milestone("grid", "land", reached_at=day(-5)),
        milestone("racks", "grid", on=4), block("s1", "racks"), at="south",
    )  # fmt: skip
    driver.ask(ApplySchedule(plan))
    known = driver.world.state.supply.schedules[SiteId("south")]
    assert known.reached == {"land": day(-90), "grid": day(-5)}
    assert driver.count(MilestoneForecast) == 0
    later = replace(plan, milestones=(*plan.milestones[:2], replace(plan.milestones[2], reached_at=day(2))))
    driver.ask(ApplySchedule(later))
    assert driver.world.state.supply.schedules[SiteId("south")].reached[MilestoneId("racks")] == day(2)


# Reports


@pytest.mark.parametrize(
    ("at", "name", "on", "code", "field"),
    [
        ("nowhere", "?", 0, "unknown_site", "site"),
        ("north", "?", 0, "unknown_milestone", "milestone"),
        ("north", "grid", 0, "milestone_reached", "milestone"),
        ("north", "racks", 0, "bad_quantity", "forecast_at"),
        ("north", "racks", INSTANT_MAX + 1, "bad_quantity", "forecast_at"),
    ],
)
def test_forecasts_that_are_refused(at: str, name: str, on: int, code: str, field: str) -> None:
    refusal = known_site().refused(ReportForecast(SiteId(at), MilestoneId(name), on), EDGE)
    assert (refusal.code, refusal.field) == (code, field)


@pytest.mark.parametrize(
    ("at", "name", "since", "code", "field"),
    [
        ("nowhere", "?", day(3), "unknown_site", "site"),
        ("north", "?", day(3), "unknown_milestone", "milestone"),
        ("north", "grid", day(3), "future_fact", "effective_at"),
        ("north", "accepted", day(3), "future_fact", "effective_at"),
        ("north", "grid", day(1), "milestone_reached", "milestone"),
        ("north", "accepted", day(1), "not_in_order", "milestone"),
    ],
)
def test_news_that_is_refused(at: str, name: str, since: int, code: str, field: str) -> None:
    refusal = known_site().refused(ReportReached(SiteId(at), MilestoneId(name), since), EDGE)
    assert (refusal.code, refusal.field) == (code, field)


def test_what_is_reached_is_not_reached_at_another_time() -> None:
    # Also where the plan has found something since that it should have waited for.
    driver = known_site()
    driver.ask(ApplySchedule(put("milestones", 3, after=("permit", "new"))(
        replace(PLAN, milestones=(*PLAN.milestones, milestone("new", on=8)))
    )))  # fmt: skip
    refusal = driver.refused(ReportReached(NORTH, MilestoneId("grid"), day(1)), EDGE)
    assert refusal.code == "milestone_reached"


def test_a_slip_moves_what_waits_for_it() -> None:
    driver = known_site()
    assert expect(driver, "racks", 65) == {
        "site": "north",
        "milestone": "racks",
        "changed": True,
        "moved": {
            "b1": {"from": day(5), "to": day(65)},
            "b2": {"from": day(7), "to": day(67)},
        },
    }
    assert expect(driver, "racks", 65) == {
        "site": "north", "milestone": "racks", "changed": False, "moved": {},
    }  # fmt: skip
    assert driver.last(MilestoneForecast) == MilestoneForecast(NORTH, MilestoneId("racks"), day(65), "vendor")
    # Sooner again, than planned even: what was planned for later stays there.
    assert expect(driver, "racks", 3)["moved"]["b2"] == {"from": day(67), "to": day(5)}
    assert expect(driver, "late", 90)["moved"] == {}


def test_reached_fixes_a_date() -> None:
    driver = known_site()
    expect(driver, "racks", 65)
    assert reach(driver, "racks", ago_s=86_400)["moved"] == {
        "b1": {"from": day(65), "to": day(1)},
        "b2": {"from": day(67), "to": day(3)},
    }
    assert reach(driver, "racks", ago_s=86_400) == {
        "site": "north", "milestone": "racks", "changed": False, "moved": {},
    }  # fmt: skip
    assert driver.last(blocks.MilestoneReached).evidence == "photo 7"
    assert [date(driver, name) for name in ("racks", "accepted")] == [day(1), day(3)]


@pytest.mark.parametrize(
    ("from_at", "to_at", "days"),
    [
        (day(0), day(0), 0), (day(0), day(60), 60), (day(60), day(0), -60), (day(0), day(1) + 1, 2),
        (day(1) + 1, day(0), -2), (day(0), day(0) + 1, 1), (day(0) + 1, day(0), -1),
    ],
)  # fmt: skip
def test_slips_in_days(from_at: int, to_at: int, days: int) -> None:
    assert plans.slip_days(from_at, to_at) == days


# Recorded forecasts


def recorded(driver: Driver, late: int = 10, **terms: Any) -> RecordForecast:
    """Today's dates at P50, so many days later at P90."""
    outlook = driver.world.calendar.outlook(NORTH)
    assert outlook is not None
    plan = outlook.schedule.plan
    told: dict[str, Any] = {
        "site": NORTH, "graph": outlook.schedule.graph, "source": "planner 1", "scenarios": 100,
        "milestones": tuple(
            blocks.MilestoneQuantile(name, when, when + late * DAY_US) for name, when in outlook.dates.items()
        ),
        "blocks": tuple(
            blocks.BlockQuantile(each.id, outlook.block_date(each), outlook.block_date(each) + late * DAY_US)
            for each in plan.blocks
        ),
    }  # fmt: skip
    return RecordForecast(**(told | terms))


STRANGE = blocks.MilestoneQuantile(MilestoneId("?"), 1, 2)
STRANGE_BLOCK = blocks.BlockQuantile(ids.BlockId("?"), 1, 2)


def all_wrong(good: RecordForecast) -> list[tuple[str, str, dict[str, Any]]]:
    """Rules in order, each with what breaks it."""
    twice = (*good.milestones[1:], good.milestones[1])
    blocks_twice = (*good.blocks[1:], good.blocks[1])
    return [
        ("unknown_site", "site", {"site": SiteId("nowhere")}),
        ("stale_forecast", "graph", {"graph": good.graph - 1}),
        ("bad_quantity", "scenarios", {"scenarios": 0}),
        ("bad_quantity", "", {"milestones": (replace(good.milestones[0], p90_at=1), STRANGE)}),
        ("bad_quantity", "", {"blocks": (replace(good.blocks[0], p50_at=-1), STRANGE_BLOCK)}),
        (
            "unknown_milestone",
            "",
            {"milestones": (*twice, STRANGE), "blocks": (*blocks_twice, STRANGE_BLOCK)},
        ),
        ("duplicate_id", "", {"milestones": twice, "blocks": (*blocks_twice, STRANGE_BLOCK)}),
        ("incomplete_forecast", "", {"milestones": twice[:-1], "blocks": (*blocks_twice, STRANGE_BLOCK)}),
        ("unknown_block", "", {"milestones": good.milestones, "blocks": (*blocks_twice, STRANGE_BLOCK)}),
        ("duplicate_id", "", {"blocks": blocks_twice}),
        ("incomplete_forecast", "", {"blocks": blocks_twice[:-1]}),
    ]


@pytest.mark.parametrize("place", range(11))
def test_forecasts_are_refused_in_order(place: int) -> None:
    driver = known_site()
    good = recorded(driver)
    rules = all_wrong(good)
    told = good
    for _, _, figures in reversed(rules[place:]):
        told = replace(told, **figures)
    refusal = driver.refused(told)
    assert (refusal.code, refusal.field) == rules[place][:2], refusal.detail


def test_a_forecast_is_recorded_once_and_becomes_provisional() -> None:
    driver = known_site()
    told = recorded(driver)
    assert driver.ask(told) == {"site": "north", "changed": True}
    assert driver.ask(told) == {"site": "north", "changed": False}
    outlook = driver.world.calendar.outlook(NORTH)
    assert outlook is not None
    assert not outlook.provisional
    assert outlook.block(PLAN.blocks[1], Confidence.P90) == day(17)
    expect(driver, "late", 40)
    outlook = driver.world.calendar.outlook(NORTH)
    assert outlook is not None
    assert outlook.provisional
    assert driver.refused(told).code == "stale_forecast"
    assert driver.ask(recorded(driver)) == {"site": "north", "changed": True}


# Overdue

WAITING = schedule(
    milestone("grid", on=5),
    milestone("racks", "grid", takes=3),
    milestone("spare", on=50),
    block("b1", "racks", racks=2),
)


def waiting_site(forecast: tuple[int, int] | None = None) -> Driver:
    """Two racks wait for the grid on day 5; forecast for these days."""
    driver = known_site(schedule(milestone("grid", on=1), milestone("permit", on=1), block("b1", "grid")))
    plan = replace(WAITING, site=SiteId("south"))
    driver.ask(ApplySchedule(replace(plan, blocks=(block("b8", "racks", racks=2),))))
    if forecast is not None:
        p50, p90 = map(day, forecast)
        wait = 3 * DAY_US
        known = driver.world.state.supply.schedules[SiteId("south")]
        spare = blocks.MilestoneQuantile(MilestoneId("spare"), day(50), day(50))
        driver.ask(
            RecordForecast(
                SiteId("south"), known.graph, "planner", 9,
                (
                    blocks.MilestoneQuantile(MilestoneId("grid"), p50, p90),
                    blocks.MilestoneQuantile(MilestoneId("racks"), p50 + wait, p90 + wait), spare,
                ),
                (blocks.BlockQuantile(ids.BlockId("b8"), p50 + wait, p90 + wait),),
            )
        )  # fmt: skip
    return driver


def moved_dates(driver: Driver, since: int = 0) -> list[tuple[int, str, int | None]]:
    """(day, milestone, its new date as a day, None for none) of what went overdue."""
    return [
        (
            (at - day(0)) // DAY_US,
            event.milestone,
            None if event.forecast_at == INSTANT_MAX else (event.forecast_at - day(0)) // DAY_US,
        )
        for at, event in driver.events
        if isinstance(event, MilestoneForecast) and event.reason == "overdue" and at >= since
    ]


def nodes(driver: Driver, confidence: Confidence, on: int) -> int:
    stock = Stock(SiteId("south"), SkuId("hgx"))
    return driver.world.calendar.supply(stock, confidence).at(day(on))


@pytest.mark.parametrize(
    ("forecast", "overdue", "p50", "p90"),
    [
        # Without a forecast the date passes, and there is no other.
        (None, [(5, "grid", None)], None, None),
        # The date at P90 takes its place, then none.
        ((5, 20), [(5, "grid", 20), (20, "grid", None)], 23, 23),
        # Odds that are even before the date do not count on what is not there: the date does, then P90.
        ((3, 20), [(3, "grid", 5), (5, "grid", 20), (20, "grid", None)], 23, 23),
        ((3, 4), [(3, "grid", 5), (5, "grid", None)], None, None),
        ((5, 5), [(5, "grid", None)], None, None),
        ((9, 30), [(5, "grid", 30), (30, "grid", None)], 33, 33),
    ],
)
def test_a_date_that_passes_loses_its_meaning(
    forecast: tuple[int, int] | None,
    overdue: list[tuple[int, str, int | None]],
    p50: int | None,
    p90: int | None,
) -> None:
    driver = waiting_site(forecast)
    assert driver.world.next_wake() == day(overdue[0][0])
    driver.until(day(6))
    for confidence, on in ((Confidence.P50, p50), (Confidence.P90, p90)):
        assert nodes(driver, confidence, 6) == 0
        if on is not None:
            assert [nodes(driver, confidence, each) for each in (on - 1, on)] == [0, 8]
    driver.until(day(45))
    assert moved_dates(driver) == overdue
    assert nodes(driver, Confidence.P50, 10_000) == 0
    # Somebody says when, and then that it is done.
    driver.ask(ReportForecast(SiteId("south"), MilestoneId("grid"), day(46)))
    assert [nodes(driver, Confidence.P50, each) for each in (48, 49)] == [0, 8]
    driver.ask(ReportReached(SiteId("south"), MilestoneId("grid"), day(44)))
    # Day 44 and three: with a forecast of an older graph, not before what that said.
    assert [nodes(driver, Confidence.P50, each) for each in (46, 47)] == [0, 8]


@pytest.mark.parametrize("forecast", [None, (5, 20), (3, 20), (3, 60), (9, 30)])
def test_the_same_after_a_long_time_down(forecast: tuple[int, int] | None) -> None:
    driver = waiting_site(forecast)
    world = driver.world.fork()
    at = day(40)
    events = [event for event in world.wake(at).events if isinstance(event, MilestoneForecast)]
    left = day(60) if forecast == (3, 60) else INSTANT_MAX
    assert events == [MilestoneForecast(SiteId("south"), MilestoneId("grid"), left, "overdue")]
    # Nobody is woken for what has no date; the rest goes on.
    assert world.calendar.next_expected() == (day(50), "south", "spare")
    assert not world.wake(at).events
    world.check()


def test_what_waits_is_not_overdue_before_what_it_waits_for() -> None:
    driver = known_site(
        schedule(
            milestone("z", on=4), milestone("a", "z"), milestone("grid", on=1), milestone("permit", on=1),
            block("b1", "a"),
        )
    )  # fmt: skip
    driver.until(day(6))
    assert moved_dates(driver) == [(4, "z", None)]
    # What was done in time, and told late, leaves the next one overdue at once.
    reach(driver, "z", ago_s=86_400)
    assert moved_dates(driver)[1:] == [(6, "a", None)]
    reach(driver, "a")
    assert date(driver, "a") == day(6)


def test_what_is_reached_in_time_is_not_overdue() -> None:
    driver = waiting_site((5, 20))
    driver.until(day(4))
    driver.ask(ReportReached(SiteId("south"), MilestoneId("grid"), driver.at))
    assert driver.world.next_wake() == day(7)
    driver.ask(ReportReached(SiteId("south"), MilestoneId("racks"), driver.at))
    assert driver.world.calendar.next_expected() == (day(50), "south", "spare")
    driver.until(day(49))
    assert not moved_dates(driver)


def test_a_forecast_of_the_past_is_overdue_at_once() -> None:
    driver = waiting_site()
    driver.ask(ReportForecast(SiteId("south"), MilestoneId("grid"), day(1)))
    assert moved_dates(driver) == [(2, "grid", None)]
    assert nodes(driver, Confidence.P50, 99) == 0


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=3, max_size=3), st.integers(0, 12))
def test_nothing_is_counted_on_before_it_is_done(told: list[tuple[int, int]], asked: int) -> None:
    """Whatever a forecast says, and however late forebay is woken, what is not done is still to come."""
    driver = plant.opened()
    driver.ask(supply.ApplyCatalogue((sku(),)))
    driver.ask(ApplySite(site("north", halls=(hall("h1"),))))
    driver.ask(ApplySchedule(replace(WAITING, milestones=WAITING.milestones[:2])))
    dates = [tuple(sorted(pair)) for pair in told]
    driver.ask(
        RecordForecast(
            NORTH, 1, "planner", 1,
            tuple(
                blocks.MilestoneQuantile(MilestoneId(name), day(p50), day(p90))
                for name, (p50, p90) in zip(("grid", "racks"), dates, strict=False)
            ),
            (blocks.BlockQuantile(ids.BlockId("b1"), *map(day, dates[2])),),
        )
    )  # fmt: skip
    world = driver.world
    due = world.next_wake()
    if due is not None and due <= day(asked):
        world.handle(Asked(supply.ApplyCatalogue(()), OPERATOR), day(0))
        world.wake(day(asked))
        while (due := world.next_wake()) is not None and due <= day(asked):
            world.wake(day(asked))
    for confidence in Confidence:
        assert world.calendar.supply(Stock(NORTH, SkuId("hgx")), confidence).at(day(asked)) == 0


# What stands, and what is to come


def test_arrivals_are_what_stands_and_the_rest_of_each_block() -> None:
    driver = known_site()
    state, outlook = driver.world.state.supply, driver.world.calendar.outlook(NORTH)
    stands = supply.standing(state)
    assert stands == {NORTH: Stands({SkuId("hgx"): 4}, {ids.BlockId("b1"): 1})}
    assert [tuple(each) for each in plans.arrivals(state, stands[NORTH], outlook, Confidence.P50)] == [
        (0, "", "hgx", 4, 1, 8_250), (day(5), "b1", "hgx", 4, 4, 8_250), (day(7), "b2", "hgx", 4, 4, 8_250),
    ]  # fmt: skip
    assert plans.arrivals(state, stands[NORTH], None, Confidence.P50)[1:] == []
    driver.ask(ApplySite(site("north", halls=(hall("h1", rack("r1", block="b1"), rack("r2", block="b1")),))))
    again = supply.standing(state)[NORTH]
    assert [each.block for each in plans.arrivals(state, again, outlook, Confidence.P50)] == ["", "b2"]


def test_a_rack_that_draws_nothing_needs_no_power() -> None:
    driver = plant.opened()
    driver.ask(supply.ApplyCatalogue((sku(rack_w=0, rack_base_w=0),)))
    driver.ask(ApplySite(site("north", halls=(hall("h1"),))))
    driver.ask(ApplySchedule(schedule(milestone("grid", on=1), stage("s", 1, "grid"), block("b1", "grid"))))
    assert driver.world.calendar.supply(Stock(NORTH, SkuId("hgx")), Confidence.P50).at(day(1)) == 4


# What `check` finds


def test_damaged_schedules_are_found() -> None:
    state = known_site().world.state.supply.fork()
    known = state.schedules[NORTH]
    state.schedules[NORTH] = replace(
        known, plan=replace(PLAN, blocks=(replace(PLAN.blocks[0], racks=0),)), reported={MilestoneId("?"): 1}
    )
    assert list(supply.check(state)) == [
        "site north: a date is known of a milestone that is not planned",
        "site north: more racks of block b1 stand than it has",
    ]
