"""What exists, and when: what stands at each site (`plant`), and what is to come there (`blocks`, `schedule`), also
by hall, row, feed and cooling loop (`subtrees`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from forebay.core.ids import Event
from forebay.core.supply import blocks, plant, schedule
from forebay.core.supply.counting import Counted
from forebay.core.supply.plant import (
    GPUS_PER_NODE_MAX,
    NODES_PER_RACK_MAX,
    WATTS_MAX,
    ApplyCatalogue,
    ApplySite,
    CordonNode,
    Emit,
    Feed,
    FeedAdded,
    FeedPlan,
    Hall,
    HallAdded,
    HallPlan,
    NodeCordoned,
    NodeHealthChanged,
    NodeUncordoned,
    PowerLevel,
    Rack,
    RackAdded,
    RackPlan,
    ReportNodeHealth,
    Site,
    SiteAdded,
    SitePlan,
    Sku,
    SkuCatalogued,
    Stands,
    State,
    UncordonNode,
    apply_catalogue,
    apply_site,
    cordon,
    feed_path,
    levels_of,
    node_name,
    node_named,
    rack_of,
    report_health,
    room_w,
    standing,
    uncordon,
    usable,
)

__all__ = [
    "EVENTS",
    "GPUS_PER_NODE_MAX",
    "NODES_PER_RACK_MAX",
    "WATTS_MAX",
    "ApplyCatalogue",
    "ApplySite",
    "CordonNode",
    "Counted",
    "Emit",
    "Feed",
    "FeedAdded",
    "FeedPlan",
    "Hall",
    "HallAdded",
    "HallPlan",
    "NodeCordoned",
    "NodeHealthChanged",
    "NodeUncordoned",
    "PowerLevel",
    "Rack",
    "RackAdded",
    "RackPlan",
    "ReportNodeHealth",
    "Site",
    "SiteAdded",
    "SitePlan",
    "Sku",
    "SkuCatalogued",
    "Stands",
    "State",
    "UncordonNode",
    "apply",
    "apply_catalogue",
    "apply_site",
    "blocks",
    "check",
    "cordon",
    "feed_path",
    "levels_of",
    "node_name",
    "node_named",
    "plant",
    "rack_of",
    "report_health",
    "room_w",
    "schedule",
    "standing",
    "uncordon",
    "usable",
]

EVENTS: tuple[type[Event], ...] = (*plant.EVENTS, *get_args(blocks.ScheduleEvent))


def apply(state: State, event: Event) -> None:
    """Apply one event of this stage."""
    plant.apply(state, event)
    schedule.apply_event(state, event)


def check(state: State) -> Iterator[str]:
    """What is wrong with the books of this stage, in words; nothing when all is well."""
    yield from plant.check(state)
    yield from schedule.check_schedules(state)
