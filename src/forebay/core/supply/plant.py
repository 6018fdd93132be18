"""What stands: sites, feeds, halls, racks and nodes, with watts and health.

Two trees over one plant. *Fabric*: site > hall > rack (one NVLink domain) > node > GPU. *Electrical*: feed > ... >
feed > rack, with a limit and a base load at every level. A rack hangs on one place in each. There is no object per
GPU: nodes are dense integers, a rack owns the run `[first, first + nodes)`, and health is kept for the exceptions.

This file is the state and what may happen to it; `placements.index` derives what is free from it.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from forebay.core.ids import (
    Answer,
    BlockId,
    Command,
    CurtailmentId,
    Event,
    FeedId,
    HallId,
    LoopId,
    NodeIndex,
    RackId,
    Refusal,
    SiteId,
    SkuId,
    SwitchId,
    refuse_name,
)
from forebay.core.supply import cooling, counting
from forebay.core.supply.blocks import BlockPlan, Schedule, SchedulePlan
from forebay.core.supply.condition import PlantHealth, Switch
from forebay.core.supply.cooling import PPM, CoolingLoop, LoopAdded, LoopPlan, RackHung
from forebay.core.supply.curtailments import Curtailment
from forebay.core.supply.storage import StorageBook

Emit = Callable[[Event], None]

NODES_PER_RACK_MAX = 256
GPUS_PER_NODE_MAX = 64
#: A terawatt: more than any plant; keeps a slip of the pen out of the books.
WATTS_MAX = 10**12


@dataclass(slots=True)
class Sku:
    """A kind of rack. GPUs are packages (never dies); each figure has a source in the catalogue file."""

    id: SkuId
    title: str
    gpus_per_node: int
    nodes_per_rack: int
    #: Nameplate power of a full rack, watts.
    rack_w: int
    #: Drawn by a rack with no work on it: network, pumps, idle nodes, watts.
    rack_base_w: int
    #: Drawn by one GPU at work with its share of the node, watts.
    gpu_w: int
    #: Healthy nodes a rack needs to count as delivered.
    healthy_nodes_min: int
    source: str = ""
    #: What quotes and invoices count besides GPUs, and how many GPUs a superchip has; 0 where there are none.
    counts: counting.Counted = counting.Counted.GPU
    gpus_per_superchip: int = 0
    #: Share of its heat that goes into the liquid of its cooling loop, in millionths; the rest goes into the air.
    liquid_ppm: int = 0


@dataclass(slots=True)
class FeedPlan:
    """A level of the electrical tree as a site file states it."""

    id: FeedId
    limit_w: int
    #: "" for a root.
    parent: FeedId = FeedId("")
    base_w: int = 0


@dataclass(slots=True)
class RackPlan:
    """A rack as a site file states it; `nodes` 0 means as many as the SKU has, `limit_w` 0 its nameplate."""

    id: RackId
    sku: SkuId
    feed: FeedId
    row: str = ""
    nodes: int = 0
    limit_w: int = 0
    #: The block that it came with; "" for none.
    block: BlockId = BlockId("")
    #: The cooling loop that it hangs on; "" where that is not known.
    loop: LoopId = LoopId("")
    #: The spine that it hangs on, of its hall; "" where that is not known.
    spine: str = ""


@dataclass(slots=True)
class HallPlan:
    """A hall as a site file states it."""

    id: HallId
    racks: tuple[RackPlan, ...]


@dataclass(slots=True)
class SwitchPlan:
    """A switch as a site file states it: racks that lose their network with it."""

    id: SwitchId
    racks: tuple[RackId, ...]


@dataclass(slots=True)
class SitePlan:
    """A site as its file states it: what is live there now."""

    id: SiteId
    title: str
    region: str
    #: Whose law the machines stand under (ISO 3166-1 alpha-2).
    jurisdiction: str
    #: IANA name of the site's time zone, for people.
    zone: str
    feeds: tuple[FeedPlan, ...]
    halls: tuple[HallPlan, ...]
    switches: tuple[SwitchPlan, ...] = ()
    #: Cooling loops whose capacity is known.
    loops: tuple[LoopPlan, ...] = ()


# Commands


@dataclass(slots=True)
class ApplyCatalogue(Command):
    """These SKUs are to be known; one that is known must not change its shape."""

    skus: tuple[Sku, ...]


@dataclass(slots=True)
class ApplySite(Command):
    """This site is to exist as described; what it adds is added, nothing is removed."""

    plan: SitePlan
    #: What is to come there, where that is applied at once; None where it stays as it is.
    schedule: SchedulePlan | None = None


# Events


@dataclass(slots=True)
class SkuCatalogued(Event):
    """A SKU is known from here on."""

    sku: Sku


@dataclass(slots=True)
class SiteAdded(Event):
    """A site exists."""

    site: SiteId
    title: str
    region: str
    jurisdiction: str
    zone: str


@dataclass(slots=True)
class FeedAdded(Event):
    """A level of a site's electrical tree exists."""

    feed: FeedId
    site: SiteId
    parent: FeedId
    limit_w: int
    base_w: int


@dataclass(slots=True)
class HallAdded(Event):
    """A hall exists."""

    hall: HallId
    site: SiteId


@dataclass(slots=True)
class RackAdded(Event):
    """A rack is live, with its nodes `[first_node, first_node + nodes)`."""

    rack: RackId
    hall: HallId
    row: str
    sku: SkuId
    feed: FeedId
    first_node: int
    nodes: int
    limit_w: int
    base_w: int
    #: The block that it came with; "" for none.
    block: BlockId = BlockId("")
    #: The cooling loop that it hangs on; "" where that is not known.
    loop: LoopId = LoopId("")
    #: The spine that it hangs on, of its hall; "" where that is not known.
    spine: str = ""


@dataclass(slots=True)
class SwitchAdded(Event):
    """A switch exists, that serves these racks."""

    switch: SwitchId
    site: SiteId
    racks: tuple[RackId, ...]


# State


@dataclass(slots=True)
class Site:
    """A site as recorded."""

    id: SiteId
    title: str
    region: str
    jurisdiction: str
    zone: str


@dataclass(slots=True)
class Feed:
    """A level of the electrical tree as recorded."""

    id: FeedId
    site: SiteId
    parent: FeedId
    limit_w: int
    base_w: int


@dataclass(slots=True)
class Hall:
    """A hall as recorded."""

    id: HallId
    site: SiteId


@dataclass(slots=True)
class Rack:
    """A rack as recorded: one NVLink domain."""

    id: RackId
    site: SiteId
    hall: HallId
    row: str
    sku: SkuId
    feed: FeedId
    first_node: int
    nodes: int
    limit_w: int
    base_w: int
    block: BlockId = BlockId("")
    #: The cooling loop that it hangs on; "" where that is not known.
    loop: LoopId = LoopId("")
    #: The spine that it hangs on, of its hall; "" where that is not known.
    spine: str = ""


@dataclass(slots=True)
class State:
    """Everything that stands, and what is to come. Racks lie in order of their first node."""

    skus: dict[SkuId, Sku] = field(default_factory=dict)
    sites: dict[SiteId, Site] = field(default_factory=dict)
    feeds: dict[FeedId, Feed] = field(default_factory=dict)
    halls: dict[HallId, Hall] = field(default_factory=dict)
    racks: dict[RackId, Rack] = field(default_factory=dict)
    #: Racks in order, and the first node of each: node -> rack by bisection.
    rack_order: list[RackId] = field(default_factory=list)
    rack_starts: list[int] = field(default_factory=list)
    nodes: int = 0
    #: Nodes that are out, by themselves or with what they hang on, with the reason.
    failed: dict[NodeIndex, str] = field(default_factory=dict)
    #: Nodes that take no new work, with the reason.
    cordoned: dict[NodeIndex, str] = field(default_factory=dict)
    #: Since when the nodes whose health ever changed are as they are: older news cannot reach back over it.
    health_since: dict[NodeIndex, int] = field(default_factory=dict)
    #: What is to come at each site.
    schedules: dict[SiteId, Schedule] = field(default_factory=dict)
    #: Why nodes are out, reason by reason.
    health: PlantHealth = field(default_factory=PlantHealth)
    #: Cooling loops whose capacity is known.
    loops: dict[LoopId, CoolingLoop] = field(default_factory=dict)
    #: Levels that carry less for a while, announced or begun.
    curtailments: dict[CurtailmentId, Curtailment] = field(default_factory=dict)
    #: Where data lies.
    storage: StorageBook = field(default_factory=StorageBook)

    def fork(self) -> State:
        """A copy whose containers are its own; the records in them are never changed in place."""
        return State(
            self.skus.copy(), self.sites.copy(), self.feeds.copy(), self.halls.copy(), self.racks.copy(),
            self.rack_order.copy(), self.rack_starts.copy(), self.nodes, self.failed.copy(), self.cordoned.copy(),
            self.health_since.copy(), self.schedules.copy(), self.health.fork(), self.loops.copy(),
            self.curtailments.copy(), self.storage.fork(),
        )  # fmt: skip


def rack_of(state: State, node: int) -> Rack:
    """The rack that a node stands in."""
    return state.racks[state.rack_order[bisect.bisect_right(state.rack_starts, node) - 1]]


def node_name(state: State, node: int) -> str:
    """How people call a node: its rack and its place in it, counted from 1 (`r01-n03`)."""
    rack = rack_of(state, node)
    return f"{rack.id}-n{node - rack.first_node + 1:02d}"


def node_named(state: State, name: str) -> NodeIndex | None:
    """The node with this name; None when there is none."""
    rack_id, dash, place = name.rpartition("-n")
    rack = state.racks.get(RackId(rack_id))
    if not dash or rack is None or not place.isascii() or not place.isdigit() or len(place) > 4:
        return None
    node = NodeIndex(rack.first_node + int(place) - 1)
    inside = rack.first_node <= node < rack.first_node + rack.nodes
    return node if inside and node_name(state, node) == name else None


def feed_path(state: State, feed: FeedId) -> list[Feed]:
    """A feed and the feeds above it, nearest first."""
    path = []
    while feed:
        path.append(state.feeds[feed])
        feed = state.feeds[feed].parent
    return path


class PowerLevel(NamedTuple):
    """A level of the electrical tree: a rack, or a feed."""

    kind: str
    name: str


def levels_of(state: State, rack: Rack) -> list[PowerLevel]:
    """A rack and the feeds above it, nearest first."""
    return [
        PowerLevel("rack", rack.id),
        *(PowerLevel("feed", feed.id) for feed in feed_path(state, rack.feed)),
    ]


def room_w(state: State) -> dict[PowerLevel, int]:
    """Watts of work that each level can carry: its limit, less what it carries when no work runs."""
    room = {PowerLevel("feed", feed.id): feed.limit_w for feed in state.feeds.values()}
    room |= {PowerLevel("rack", rack.id): rack.limit_w for rack in state.racks.values()}
    for feed in state.feeds.values():
        for above in feed_path(state, feed.id):
            room[PowerLevel("feed", above.id)] -= feed.base_w
    for rack in state.racks.values():
        for level in levels_of(state, rack):
            room[level] -= rack.base_w
    return room


@dataclass(slots=True)
class Stands:
    """What stands at a site: nodes by SKU, and racks by the block that they came with."""

    nodes: dict[SkuId, int] = field(default_factory=dict)
    blocks: dict[BlockId, int] = field(default_factory=dict)

    def add(self, rack: Rack) -> None:
        """One rack more."""
        self.nodes[rack.sku] = self.nodes.get(rack.sku, 0) + rack.nodes
        if rack.block:
            self.blocks[rack.block] = self.blocks.get(rack.block, 0) + 1


def standing(state: State) -> dict[SiteId, Stands]:
    """What stands at each site, counted rack by rack."""
    found: dict[SiteId, Stands] = {}
    for rack in state.racks.values():
        found.setdefault(rack.site, Stands()).add(rack)
    return found


# Decisions: a column of checks, in documented order, then the events.


def apply_catalogue(state: State, command: ApplyCatalogue, emit: Emit) -> Answer | Refusal:
    """Learn SKUs. Refuses each in turn: bad_id, bad_quantity, sku_differs."""
    listed: dict[SkuId, Sku] = {}
    for place, sku in enumerate(command.skus):
        where = f"skus[{place}]"
        no = refuse_name(sku.id, f"{where}.id")
        if no is not None:
            return no
        if not (
            1 <= sku.gpus_per_node <= GPUS_PER_NODE_MAX and 1 <= sku.nodes_per_rack <= NODES_PER_RACK_MAX
        ):
            return Refusal("bad_quantity", f"SKU {sku.id}: GPUs a node or nodes a rack out of range", where)
        if not (0 <= sku.rack_base_w <= sku.rack_w <= WATTS_MAX and 0 < sku.gpu_w <= WATTS_MAX):
            return Refusal("bad_quantity", f"SKU {sku.id}: watts out of range", where)
        if not 0 <= sku.healthy_nodes_min <= sku.nodes_per_rack:
            return Refusal("bad_quantity", f"SKU {sku.id}: healthy_nodes_min is not within a rack", where)
        if not counting.superchips_fit(sku.counts, sku.gpus_per_superchip, sku.gpus_per_node):
            told = f"SKU {sku.id}: a node has whole superchips of one or more GPUs, where they are counted"
            return Refusal("bad_quantity", told, f"{where}.gpus_per_superchip")
        if not 0 <= sku.liquid_ppm <= PPM:
            told = f"SKU {sku.id}: the share of its heat that goes into liquid is not within the whole"
            return Refusal("bad_quantity", told, f"{where}.liquid_ppm")
        known = state.skus.get(sku.id) or listed.setdefault(sku.id, sku)
        if sku.liquid_ppm and not known.liquid_ppm:
            known = listed[sku.id] = replace(known, liquid_ppm=sku.liquid_ppm)
        if _shape(known) != _shape(sku) or sku.liquid_ppm not in (known.liquid_ppm, 0):
            told = f"SKU {sku.id} is known with other figures; give it a new id"
            return Refusal("sku_differs", told, where)
    for sku in listed.values():
        emit(SkuCatalogued(sku))
    return {"added": list(listed)}


def _shape(sku: Sku) -> tuple[int | str, ...]:
    """What decisions and bills rest on; words about a SKU may change, and are kept as they were first."""
    return (
        sku.gpus_per_node, sku.nodes_per_rack, sku.rack_w, sku.rack_base_w, sku.gpu_w, sku.healthy_nodes_min,
        sku.counts, sku.gpus_per_superchip,
    )  # fmt: skip


def apply_site(
    state: State, command: ApplySite, load_w: Callable[[FeedId], int], emit: Emit
) -> Answer | Refusal:
    """Make a site exist as described; `load_w` is what a recorded feed carries now, work included.

    Refuses: first for the feeds in turn bad_id, bad_quantity, duplicate_id; then unknown_feed, feed_cycle; then for
    loops in turn bad_id, bad_quantity, duplicate_id, and site_differs; then for halls and racks in turn bad_id,
    duplicate_id, unknown_sku, unknown_feed, bad_quantity, unknown_block, block_differs, block_full; then for the
    switches in turn bad_id, duplicate_id, unknown_rack, site_differs; then site_differs; then over_limit (a rack
    whose limit is under its base load; base loads that a feed or a loop has no room for).
    """
    plan = command.plan
    no = refuse_name(plan.id, "id") or _refuse_feeds(state, plan)
    no = no or cooling.refuse_loops(state.loops, plan.id, plan.loops, WATTS_MAX) or _refuse_racks(state, plan)
    no = no or _refuse_switches(state, plan) or _refuse_changes(state, plan)
    no = no or _refuse_base_load(state, plan, load_w) or cooling.refuse_base_heat(state, plan)
    if no is not None:
        return no
    added = 0

    def add(event: Event) -> None:
        nonlocal added
        added += 1
        emit(event)

    if plan.id not in state.sites:
        add(SiteAdded(plan.id, plan.title, plan.region, plan.jurisdiction, plan.zone))
    for feed in _parents_first(plan.feeds):
        if feed.id not in state.feeds:
            add(FeedAdded(feed.id, plan.id, feed.parent, feed.limit_w, feed.base_w))
    cooling.add_loops(state.loops, plan.id, plan.loops, add)
    for hall in plan.halls:
        if hall.id not in state.halls:
            add(HallAdded(hall.id, plan.id))
        for rack in hall.racks:
            if rack.id in state.racks and rack.loop != state.racks[rack.id].loop:
                add(RackHung(rack.id, rack.loop))
            if rack.id not in state.racks:
                made = _rack(state, plan.id, hall.id, rack, state.nodes)
                add(
                    RackAdded(
                        rack.id, hall.id, rack.row, rack.sku, rack.feed, made.first_node, made.nodes, made.limit_w,
                        made.base_w, made.block, made.loop, made.spine,
                    )
                )  # fmt: skip
    for switch in plan.switches:
        if switch.id not in state.health.switches:
            add(SwitchAdded(switch.id, plan.id, switch.racks))
    return {"site": plan.id, "added": added}


def _rack(state: State, site: SiteId, hall: HallId, plan: RackPlan, first_node: int) -> Rack:
    sku = state.skus[plan.sku]
    nodes = plan.nodes or sku.nodes_per_rack
    return Rack(
        plan.id, site, hall, plan.row, plan.sku, plan.feed, first_node, nodes, plan.limit_w or sku.rack_w,
        sku.rack_base_w, plan.block, plan.loop, plan.spine,
    )  # fmt: skip


def _parents_first(feeds: tuple[FeedPlan, ...]) -> list[FeedPlan]:
    """Feeds in an order that names each parent before its children; a cycle's members are left out."""
    here = {feed.id for feed in feeds}
    ordered: list[FeedPlan] = []
    done: set[FeedId] = set()
    waiting = list(feeds)
    while waiting:
        ready = [feed for feed in waiting if feed.parent not in here or feed.parent in done]
        if not ready:
            break
        ordered += ready
        done |= {feed.id for feed in ready}
        waiting = [feed for feed in waiting if feed.id not in done]
    return ordered


def _refuse_feeds(state: State, plan: SitePlan) -> Refusal | None:
    here: set[FeedId] = set()
    for place, feed in enumerate(plan.feeds):
        where = f"feeds[{place}]"
        no = refuse_name(feed.id, f"{where}.id")
        if no is not None:
            return no
        if not (0 < feed.limit_w <= WATTS_MAX and 0 <= feed.base_w <= WATTS_MAX):
            return Refusal("bad_quantity", f"feed {feed.id}: limit or base load out of range", where)
        if feed.id in here:
            return Refusal("duplicate_id", f"feed {feed.id} stands twice", f"{where}.id")
        here.add(feed.id)
    for place, feed in enumerate(plan.feeds):
        if feed.parent and feed.parent not in here and feed.parent not in state.feeds:
            return Refusal(
                "unknown_feed",
                f"feed {feed.id} hangs on {feed.parent}, which is not a feed here",
                f"feeds[{place}].parent",
            )
    in_order = {feed.id for feed in _parents_first(plan.feeds)}
    loop = [feed.id for feed in plan.feeds if feed.id not in in_order]
    if loop:
        return Refusal("feed_cycle", f"feeds hang on each other in a circle: {', '.join(loop)}", "feeds")
    return None


def _refuse_racks(state: State, plan: SitePlan) -> Refusal | None:
    feeds = {feed.id for feed in plan.feeds} | {f.id for f in state.feeds.values() if f.site == plan.id}
    racks: set[RackId] = set()
    halls: set[HallId] = set()
    left = racks_to_come(state, plan.id)
    for i, hall in enumerate(plan.halls):
        no = refuse_name(hall.id, f"halls[{i}].id")
        if no is not None:
            return no
        if hall.id in halls:
            return Refusal("duplicate_id", f"hall {hall.id} stands twice", f"halls[{i}].id")
        halls.add(hall.id)
        for j, rack in enumerate(hall.racks):
            where = f"halls[{i}].racks[{j}]"
            no = refuse_name(rack.id, f"{where}.id")
            no = no or (refuse_name(rack.loop, f"{where}.loop") if rack.loop else None)
            if no is not None:
                return no
            if rack.id in racks:
                return Refusal("duplicate_id", f"rack {rack.id} stands twice", f"{where}.id")
            racks.add(rack.id)
            if rack.sku not in state.skus:
                known = ", ".join(sorted(state.skus)) or "none"
                return Refusal(
                    "unknown_sku",
                    f"rack {rack.id}: SKU {rack.sku} is not in the catalogue (known: {known})",
                    f"{where}.sku",
                )
            if rack.feed not in feeds:
                return Refusal(
                    "unknown_feed",
                    f"rack {rack.id} hangs on {rack.feed}, which is not a feed of {plan.id}",
                    f"{where}.feed",
                )
            if not (
                0 <= rack.nodes <= state.skus[rack.sku].nodes_per_rack and 0 <= rack.limit_w <= WATTS_MAX
            ):
                return Refusal("bad_quantity", f"rack {rack.id}: nodes or limit out of range", where)
            no = None if rack.id in state.racks else _refuse_block(plan.id, rack, left, f"{where}.block")
            if no is not None:
                return no
    return None


def _refuse_switches(state: State, plan: SitePlan) -> Refusal | None:
    racks = {rack.id for hall in plan.halls for rack in hall.racks}
    racks |= {rack.id for rack in state.racks.values() if rack.site == plan.id} if plan.switches else set()
    here: set[SwitchId] = set()
    for place, switch in enumerate(plan.switches):
        where = f"switches[{place}]"
        no = refuse_name(switch.id, f"{where}.id")
        if no is not None:
            return no
        if switch.id in here:
            return Refusal("duplicate_id", f"switch {switch.id} stands twice", f"{where}.id")
        here.add(switch.id)
        unknown = [rack for rack in switch.racks if rack not in racks]
        if unknown:
            told = f"switch {switch.id} serves rack {unknown[0]}, which is not at {plan.id}"
            return Refusal("unknown_rack", told, f"{where}.racks")
        known = state.health.switches.get(switch.id)
        if known is not None and known != Switch(switch.id, plan.id, switch.racks):
            told = f"switch {switch.id} is recorded otherwise, at site {known.site}"
            return Refusal("site_differs", told, where)
    return None


def racks_to_come(state: State, site: SiteId) -> dict[BlockId, tuple[BlockPlan, int]]:
    """Each block that is planned at a site, and how many of its racks are still to come."""
    schedule = state.schedules.get(site)
    if schedule is None:
        return {}
    here = standing(state).get(site, Stands()).blocks
    return {block.id: (block, block.racks - here.get(block.id, 0)) for block in schedule.plan.blocks}


def _refuse_block(
    site: SiteId, rack: RackPlan, left: dict[BlockId, tuple[BlockPlan, int]], where: str
) -> Refusal | None:
    """Whether a new rack may be one of its block; it is then taken off what is `left`."""
    if not rack.block:
        return None
    if rack.block not in left:
        return Refusal("unknown_block", f"rack {rack.id}: no block {rack.block} is planned at {site}", where)
    block, racks = left[rack.block]
    if block.sku != rack.sku:
        return Refusal(
            "block_differs", f"rack {rack.id} is of {rack.sku}; block {block.id} of {block.sku}", where
        )
    if not racks:
        return Refusal("block_full", f"rack {rack.id}: block {block.id} has {block.racks} racks only", where)
    left[rack.block] = block, racks - 1
    return None


def _refuse_changes(state: State, plan: SitePlan) -> Refusal | None:
    """What is recorded stays as it is: a file that says otherwise is refused, naming the place."""
    site = state.sites.get(plan.id)
    if site is not None and site != Site(plan.id, plan.title, plan.region, plan.jurisdiction, plan.zone):
        return Refusal("site_differs", f"site {plan.id} is recorded with other particulars", "")
    for i, feed in enumerate(plan.feeds):
        known = state.feeds.get(feed.id)
        if known is not None and known != Feed(feed.id, plan.id, feed.parent, feed.limit_w, feed.base_w):
            return Refusal(
                "site_differs", f"feed {feed.id} is recorded otherwise, at site {known.site}", f"feeds[{i}]"
            )
    for i, hall in enumerate(plan.halls):
        there = state.halls.get(hall.id)
        if there is not None and there.site != plan.id:
            return Refusal("site_differs", f"hall {hall.id} is recorded at site {there.site}", f"halls[{i}]")
        for j, rack in enumerate(hall.racks):
            old = state.racks.get(rack.id)
            said = old and _rack(state, plan.id, hall.id, rack, old.first_node)
            if old is not None and said not in (old, replace(old, loop=old.loop or rack.loop)):
                return Refusal(
                    "site_differs",
                    f"rack {rack.id} is recorded otherwise, in hall {old.hall}",
                    f"halls[{i}].racks[{j}]",
                )
    return None


def _refuse_base_load(state: State, plan: SitePlan, load_w: Callable[[FeedId], int]) -> Refusal | None:
    """What is added draws power before any work runs on it: there must be room for that under every limit."""
    known: list[Feed | FeedPlan] = [*state.feeds.values(), *plan.feeds]
    parents = {feed.id: feed.parent for feed in known}
    limits = {feed.id: feed.limit_w for feed in known}
    load = {feed: load_w(feed) if feed in state.feeds else 0 for feed in limits}
    added = [(feed.id, feed.base_w) for feed in plan.feeds if feed.id not in state.feeds]
    for i, hall in enumerate(plan.halls):
        for j, rack in enumerate(hall.racks):
            sku = state.skus[rack.sku]
            if (rack.limit_w or sku.rack_w) < sku.rack_base_w:
                return Refusal(
                    "over_limit",
                    f"rack {rack.id}: a limit of {rack.limit_w} W is under its base load of {sku.rack_base_w} W",
                    f"halls[{i}].racks[{j}].limit_w",
                )
            if rack.id not in state.racks:
                added.append((rack.feed, sku.rack_base_w))
    for feed, base_w in added:
        while feed:
            load[feed] += base_w
            feed = parents[feed]
    for feed, watts in load.items():
        if watts > limits[feed]:
            return Refusal(
                "over_limit",
                f"feed {feed} would carry {watts} W with what is added, above its limit of {limits[feed]} W",
                "feeds",
            )
    return None


# The only way state changes, live and on replay.


def apply(state: State, event: Event) -> None:
    """Apply one event of this stage."""
    match event:
        case SkuCatalogued():
            state.skus[event.sku.id] = event.sku
        case SiteAdded():
            site = Site(event.site, event.title, event.region, event.jurisdiction, event.zone)
            state.sites[event.site] = site
        case FeedAdded():
            state.feeds[event.feed] = Feed(event.feed, event.site, event.parent, event.limit_w, event.base_w)
        case HallAdded():
            state.halls[event.hall] = Hall(event.hall, event.site)
        case RackAdded():
            site_id = state.halls[event.hall].site
            state.racks[event.rack] = Rack(
                event.rack, site_id, event.hall, event.row, event.sku, event.feed, event.first_node, event.nodes,
                event.limit_w, event.base_w, event.block, event.loop, event.spine,
            )  # fmt: skip
            state.rack_order.append(event.rack)
            state.rack_starts.append(event.first_node)
            state.nodes = event.first_node + event.nodes
        case SwitchAdded():
            state.health.switches[event.switch] = Switch(event.switch, event.site, event.racks)
            for rack in event.racks:
                known = state.health.switches_of.get(rack, ())
                state.health.switches_of[rack] = (*known, event.switch)
        case LoopAdded():
            state.loops[event.loop] = CoolingLoop(event.loop, event.site, event.liquid_w, event.air_w)
        case RackHung():
            state.racks[event.rack] = replace(state.racks[event.rack], loop=event.loop)


EVENTS: tuple[type[Event], ...] = (
    SkuCatalogued,
    SiteAdded,
    FeedAdded,
    HallAdded,
    RackAdded,
    SwitchAdded,
    LoopAdded,
    RackHung,
)


def check(state: State) -> Iterator[str]:
    """What is wrong with the books of this stage, in words; nothing when all is well."""
    first = 0
    for rack_id, start in zip(state.rack_order, state.rack_starts, strict=True):
        if start != first or state.racks[rack_id].first_node != start:
            yield f"rack {rack_id} starts at node {start}, not {first}"
        first += state.racks[rack_id].nodes
    if first != state.nodes:
        yield f"racks hold {first} nodes, not {state.nodes}"
