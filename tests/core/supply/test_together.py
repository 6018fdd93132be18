"""A site and its schedule at once: in an order that works, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from forebay.core.ids import FeedId, HallId, MilestoneId, SiteId
from forebay.core.supply import ApplyCatalogue, ApplySite, blocks
from tests.core import plant
from tests.core.plant import Driver, hall, rack, site, sku


def opened() -> Driver:
    driver = plant.opened()
    driver.ask(ApplyCatalogue((sku(),)))
    return driver


def both(racks: int = 2, planned: int = 3, limit_w: int = 10**6) -> ApplySite:
    """Of block b1 so many racks stand, and so many are planned."""
    made = (rack(f"r{number}", block="b1") for number in range(1, racks + 1))
    plan = plant.schedule(plant.milestone("m", on=9), plant.block("b1", "m", racks=planned))
    return ApplySite(site("north", (plant.feed("f1", limit_w),), (hall("h1", *made),)), plan)


def test_neither_has_to_come_first() -> None:
    driver = opened()
    assert driver.ask(both()) == {"site": "north", "added": 5, "planned": True}
    kinds = [type(event).__name__ for _, event in driver.events[2:]]
    assert kinds == ["SiteAdded", "FeedAdded", "HallAdded", "SchedulePlanned", "RackAdded", "RackAdded"]
    # 2 racks stand, one is to come: of the block it is one, and not counted twice.
    stock = driver.world.calendar.stocks()[0]
    assert list(driver.world.calendar.supply(stock, blocks.Confidence.P50)) == [(0, 8), (plant.day(9), 12)]
    assert driver.ask(both()) == {"site": "north", "added": 0, "planned": False}
    assert driver.ask(both(3, 4)) == {"site": "north", "added": 1, "planned": True}


def test_blocks_may_say_where_they_come() -> None:
    driver = opened()
    command = both()
    assert command.schedule is not None
    (block,) = command.schedule.blocks
    placed = replace(block, hall=HallId("h1"), row="a", feed=FeedId("f1"))
    driver.ask(schedule_of(blocks=(placed,))(command))
    assert driver.world.state.supply.schedules[SiteId("north")].plan.blocks == (placed,)
    for code, other in (("unknown_hall", replace(placed, hall=HallId("h2"))),
                        ("unknown_feed", replace(placed, feed=FeedId("f2")))):  # fmt: skip
        no = opened().refused(schedule_of(blocks=(other,))(command))
        assert (no.code, no.field.rpartition(".")[0]) == (code, "schedule.blocks[0]")


Mend = Callable[[ApplySite], ApplySite]


def schedule_of(**terms: object) -> Mend:
    def mended(command: ApplySite) -> ApplySite:
        assert command.schedule is not None
        changed: dict[str, object] = dict(terms)
        return replace(command, schedule=replace(command.schedule, **changed))  # type: ignore[arg-type]

    return mended


def test_what_is_refused_of_either_applies_nothing_of_both() -> None:
    driver = opened()
    fine = both()
    assert fine.schedule is not None
    again = replace(fine.schedule.milestones[0], after=(MilestoneId("m"),))
    rules: list[tuple[str, str, Mend]] = [
        ("unknown_site", "schedule.site", schedule_of(site=SiteId("north"))),
        ("milestone_cycle", "schedule.milestones[0].after", schedule_of(milestones=fine.schedule.milestones)),
        ("block_full", "halls[0].racks[1].block", schedule_of(blocks=fine.schedule.blocks)),
        ("over_limit", "feeds", lambda command: replace(command, plan=fine.plan)),
    ]
    broken = both(planned=1, limit_w=1)
    command = schedule_of(site=SiteId("south"), milestones=(again,))(broken)
    for code, field, mend in rules:
        no = driver.refused(command)
        assert (no.code, no.field) == (code, field), no.detail
        command = mend(command)
    assert driver.world.state.supply.sites == {}
    assert driver.world.state.supply.schedules == {}
    driver.ask(command)


def test_what_stands_already_counts_against_a_new_schedule() -> None:
    driver = opened()
    driver.ask(both(2, 3))
    no = driver.refused(both(1, 1))
    assert (no.code, no.field) == ("block_delivered", "schedule.blocks")
    assert driver.world.state.supply.schedules[SiteId("north")].plan.blocks[0].racks == 3
