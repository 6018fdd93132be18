"""What exists, and when: what stands at each site (`plant`), and what is to come there (`blocks`, `schedule`), also
by hall, row, feed and cooling loop (`subtrees`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from forebay.core.ids import Event
from forebay.core.supply import blocks, curtailing, curtailments, health, plant, schedule, storage
from forebay.core.supply.condition import DomainKind, FaultDomain, NodeCondition, NodeTurn, RepairTicket
from forebay.core.supply.cooling import CoolingLoop, Heat, LoopAdded, LoopPlan, RackHung, heat_of
from forebay.core.supply.counting import Counted
from forebay.core.supply.curtailments import (
    Carrier,
    CurtailedLevel,
    Curtailment,
    CurtailmentBegan,
    CurtailmentEnded,
    CurtailPower,
    EndCurtailment,
    PowerCurtailed,
)
from forebay.core.supply.health import (
    CordonNode,
    DomainHealthChanged,
    NodeChecked,
    NodeCordoned,
    NodeDegraded,
    NodeHealthChanged,
    NodeQuarantined,
    NodeReleased,
    NodeTicketed,
    NodeUncordoned,
    QuarantineNode,
    ReleaseNode,
    ReportDomainHealth,
    ReportNodeCheck,
    ReportNodeDegraded,
    ReportNodeHealth,
    TicketNode,
    UncordonNode,
    condition_of,
    nodes_under,
    usable,
)
from forebay.core.supply.plant import (
    GPUS_PER_NODE_MAX,
    NODES_PER_RACK_MAX,
    WATTS_MAX,
    ApplyCatalogue,
    ApplySite,
    Emit,
    Feed,
    FeedAdded,
    FeedPlan,
    Hall,
    HallAdded,
    HallPlan,
    PowerLevel,
    Rack,
    RackAdded,
    RackPlan,
    Site,
    SiteAdded,
    SitePlan,
    Sku,
    SkuCatalogued,
    Stands,
    State,
    SwitchAdded,
    SwitchPlan,
    apply_catalogue,
    apply_site,
    feed_path,
    levels_of,
    node_name,
    node_named,
    rack_of,
    room_w,
    standing,
)
from forebay.core.supply.reported import NodeHealthLearned

__all__ = [
    "EVENTS",
    "GPUS_PER_NODE_MAX",
    "NODES_PER_RACK_MAX",
    "WATTS_MAX",
    "ApplyCatalogue",
    "ApplySite",
    "Carrier",
    "CoolingLoop",
    "CordonNode",
    "Counted",
    "CurtailPower",
    "CurtailedLevel",
    "Curtailment",
    "CurtailmentBegan",
    "CurtailmentEnded",
    "DomainHealthChanged",
    "DomainKind",
    "Emit",
    "EndCurtailment",
    "FaultDomain",
    "Feed",
    "FeedAdded",
    "FeedPlan",
    "Hall",
    "HallAdded",
    "HallPlan",
    "Heat",
    "LoopAdded",
    "LoopPlan",
    "NodeChecked",
    "NodeCondition",
    "NodeCordoned",
    "NodeDegraded",
    "NodeHealthChanged",
    "NodeHealthLearned",
    "NodeQuarantined",
    "NodeReleased",
    "NodeTicketed",
    "NodeTurn",
    "NodeUncordoned",
    "PowerCurtailed",
    "PowerLevel",
    "QuarantineNode",
    "Rack",
    "RackAdded",
    "RackHung",
    "RackPlan",
    "ReleaseNode",
    "RepairTicket",
    "ReportDomainHealth",
    "ReportNodeCheck",
    "ReportNodeDegraded",
    "ReportNodeHealth",
    "Site",
    "SiteAdded",
    "SitePlan",
    "Sku",
    "SkuCatalogued",
    "Stands",
    "State",
    "SwitchAdded",
    "SwitchPlan",
    "TicketNode",
    "UncordonNode",
    "apply",
    "apply_catalogue",
    "apply_site",
    "blocks",
    "check",
    "condition_of",
    "curtailing",
    "curtailments",
    "feed_path",
    "health",
    "heat_of",
    "levels_of",
    "node_name",
    "node_named",
    "nodes_under",
    "plant",
    "rack_of",
    "room_w",
    "schedule",
    "standing",
    "storage",
    "usable",
]

EVENTS: tuple[type[Event], ...] = (
    *plant.EVENTS,
    *health.EVENTS,
    *get_args(blocks.ScheduleEvent),
    *get_args(curtailments.CurtailmentEvent),
    *get_args(storage.StorageEvent),
)


def apply(state: State, event: Event, at: int = 0) -> list[NodeTurn]:
    """Apply one event of this stage, of this time of record: which nodes it took out of service, or brought back."""
    plant.apply(state, event)
    storage.apply_storage_event(state.storage, event)
    schedule.apply_event(state, event)
    curtailing.apply_curtailment(state, event, at)
    return health.apply_health(state, event)


def check(state: State) -> Iterator[str]:
    """What is wrong with the books of this stage, in words; nothing when all is well."""
    yield from plant.check(state)
    yield from health.check_health(state)
    yield from schedule.check_schedules(state)
    yield from curtailing.check_curtailments(state)
    countries = {site.id: site.jurisdiction for site in state.sites.values()}
    yield from storage.check_storage(state.storage, countries)
