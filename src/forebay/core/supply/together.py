"""How are a site and what is to come there applied at once? Each names the other: racks the blocks that they came
with, and a schedule its site. So all of both is checked before the first event; then the site comes without its
racks, then its schedule, then its racks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from forebay.core.ids import Answer, Event, FeedId, Refusal
from forebay.core.supply import blocks, plant, schedule
from forebay.core.supply.plant import ApplySite, Emit, Site, State


def apply_both(
    state: State, command: ApplySite, load_w: Callable[[FeedId], int], at: int, emit: Emit
) -> Answer | Refusal:
    """Make a site exist as described, with its schedule. Refuses: unknown_site (the schedule is that of another),
    what `schedule.apply_schedule` refuses of the schedule, then what `plant.apply_site` refuses.
    """
    plan, planned = command.plan, command.schedule
    assert planned is not None, "there are two"
    if planned.site != plan.id:
        return Refusal(
            "unknown_site", f"this schedule is of {planned.site}, not of {plan.id}", "schedule.site"
        )
    site = Site(plan.id, plan.title, plan.region, plan.jurisdiction, plan.zone)
    ask = blocks.ApplySchedule(planned)
    # Blocks may name halls and feeds of the site.
    halls = {hall.id: plant.Hall(hall.id, plan.id) for hall in plan.halls}
    feeds = {
        feed.id: plant.Feed(feed.id, plan.id, feed.parent, feed.limit_w, feed.base_w) for feed in plan.feeds
    }
    with_site = replace(
        state,
        sites={plan.id: site, **state.sites},
        halls={**halls, **state.halls},
        feeds={**feeds, **state.feeds},
    )
    scheduled = schedule.apply_schedule(with_site, ask, at, _tell_nobody)
    if isinstance(scheduled, Refusal):
        return replace(scheduled, field=f"schedule.{scheduled.field}".rstrip("."))
    with_schedule = replace(state, schedules={**state.schedules, plan.id: blocks.Schedule(planned)})
    built = plant.apply_site(with_schedule, command, load_w, _tell_nobody)
    if isinstance(built, Refusal):
        return built
    empty = tuple(replace(hall, racks=()) for hall in plan.halls)
    plant.apply_site(state, ApplySite(replace(plan, halls=empty)), _nothing_carried, emit)
    schedule.apply_schedule(state, ask, at, emit)
    plant.apply_site(state, command, _nothing_carried, emit)
    return built | {"planned": scheduled["changed"]}


def _tell_nobody(event: Event) -> None:
    """What would happen is of no interest, only whether it could."""


def _nothing_carried(feed: FeedId) -> int:
    """Whether feeds can carry it was looked at before."""
    return 0
