"""How much heat do cooling loops take away, and how much of it do racks give to liquid and to air?

A *loop* is what one distribution unit serves (a CDU, with the air handlers beside it): so many watts of heat into its
liquid, so many into the air. A rack hangs on one loop. All that it draws becomes heat; of each GPU's watts the SKU
says which share goes into the liquid, in millionths, and the rest goes into the air. A loop that only racks name has
no capacity that is known, and binds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from forebay.core.ids import Event, LoopId, RackId, Refusal, SiteId, SkuId, refuse_name

if TYPE_CHECKING:
    from forebay.core.supply.plant import SitePlan, State

PPM = 1_000_000


@dataclass(slots=True)
class LoopPlan:
    """A cooling loop as a site file states it."""

    id: LoopId
    #: Heat that its liquid takes away, watts.
    liquid_w: int
    #: Heat that the air of its racks takes away, watts.
    air_w: int


@dataclass(slots=True)
class CoolingLoop:
    """A cooling loop as recorded."""

    id: LoopId
    site: SiteId
    liquid_w: int
    air_w: int


@dataclass(slots=True)
class LoopAdded(Event):
    """The capacity of a cooling loop is known from here on: racks that name it are checked against it."""

    loop: LoopId
    site: SiteId
    liquid_w: int
    air_w: int


@dataclass(slots=True)
class RackHung(Event):
    """A rack of which that was not known hangs on this cooling loop."""

    rack: RackId
    loop: LoopId


class Heat(NamedTuple):
    """Watts of heat into liquid and into air."""

    liquid_w: int
    air_w: int


def heat_of(watts: int, liquid_ppm: int) -> Heat:
    """Where the heat of so many watts goes: all of it somewhere."""
    liquid_w = watts * liquid_ppm // PPM
    return Heat(liquid_w, watts - liquid_w)


def refuse_loops(
    known: Mapping[LoopId, CoolingLoop], site: SiteId, loops: Iterable[LoopPlan], watts_max: int
) -> Refusal | None:
    """What is wrong with the loops of a site file: in turn bad_id, bad_quantity, duplicate_id; then site_differs."""
    here: set[LoopId] = set()
    for place, loop in enumerate(loops):
        where = f"loops[{place}]"
        no = refuse_name(loop.id, f"{where}.id")
        if no is not None:
            return no
        if not (0 <= loop.liquid_w <= watts_max and 0 <= loop.air_w <= watts_max):
            return Refusal("bad_quantity", f"loop {loop.id}: watts of heat out of range", where)
        if loop.id in here:
            return Refusal("duplicate_id", f"loop {loop.id} stands twice", f"{where}.id")
        here.add(loop.id)
    for place, loop in enumerate(loops):
        there = known.get(loop.id)
        if there is not None and there != CoolingLoop(loop.id, site, loop.liquid_w, loop.air_w):
            told = f"loop {loop.id} is recorded otherwise, at site {there.site}"
            return Refusal("site_differs", told, f"loops[{place}]")
    return None


def add_loops(
    known: Mapping[LoopId, CoolingLoop],
    site: SiteId,
    loops: Iterable[LoopPlan],
    emit: Callable[[Event], None],
) -> None:
    """Those that are not recorded yet."""
    for loop in loops:
        if loop.id not in known:
            emit(LoopAdded(loop.id, site, loop.liquid_w, loop.air_w))


def refuse_base_heat(state: State, plan: SitePlan) -> Refusal | None:
    """over_limit: racks that are added, or hung on a loop, give off heat before any work runs on them."""
    limits: dict[LoopId, CoolingLoop | LoopPlan] = dict(state.loops) | {loop.id: loop for loop in plan.loops}
    carried = dict.fromkeys(limits, Heat(0, 0))

    def add(loop: LoopId, sku: SkuId) -> None:
        if loop in carried:
            more, had = heat_of(state.skus[sku].rack_base_w, state.skus[sku].liquid_ppm), carried[loop]
            carried[loop] = Heat(had.liquid_w + more.liquid_w, had.air_w + more.air_w)

    said = {rack.id: rack for hall in plan.halls for rack in hall.racks}
    for rack in state.racks.values():
        add(rack.loop or (said[rack.id].loop if rack.id in said else rack.loop), rack.sku)
    for rack_plan in said.values():
        if rack_plan.id not in state.racks:
            add(rack_plan.loop, rack_plan.sku)
    for name, heat in carried.items():
        loop = limits[name]
        if heat.liquid_w > loop.liquid_w or heat.air_w > loop.air_w:
            told = (
                f"loop {name} takes {loop.liquid_w} W of heat into liquid and {loop.air_w} W into air; its racks give"
                f" {heat.liquid_w} W and {heat.air_w} W with no work on them"
            )
            return Refusal("over_limit", told, "loops")
    return None
