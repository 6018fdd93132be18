"""How much work can feeds and cooling loops ever carry? The most GPUs of a kind, when nothing else runs.

Within a node or a rack it is the rack that carries most which counts; wider, all racks of one row, block, hall or
site together. A feed carries no more than what hangs on it draws, a loop no more than its racks there give; what
either has room for caps that, level by level up the electrical tree, loop by loop beside it. Nodes are not looked at
one by one: what is refused can never run, what is not may still have to wait for ever for a shape that is lost in
between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from forebay.core import supply
from forebay.core.ids import Refusal, SiteId
from forebay.core.placements.gang import LEVELS, Level, Spec
from forebay.core.placements.index import Plant
from forebay.core.units import counted

if TYPE_CHECKING:
    from forebay.core.placements.schedule import Desk

_CARRIES = "carries at the most"
#: Levels that are named in one sentence.
NAMED_MAX = 4


class Carried(NamedTuple):
    """So many GPUs can be carried; `cut` are the levels that have room for less than what is below them, and `room_w`
    what those have room for together.
    """

    gpus: int
    cut: tuple[int, ...] = ()
    room_w: int = 0


def refuse_load(desk: Desk, spec: Spec) -> Refusal | None:
    """never_fits, where more GPUs are asked for than levels can carry, whatever stands there."""
    plant, sku = desk.derived.index.plant, desk.supplied.skus[spec.sku]
    anywhere = plant.carried.get(spec.sku)
    if anywhere is None:
        anywhere = plant.carried[spec.sku] = _least_of_a_rack(plant, sku), ""
    if spec.gpus <= anywhere[0]:
        # Most work: whichever rack it is on.
        return None
    own = desk.claimed.tranches.get(spec.tranche) if spec.tranche else None
    sites = spec.sites if own is None else (own.plan.site,)
    mark = (spec.sku, sku.gpu_w, spec.within, sites)
    found = plant.carried.get(mark)
    if found is None:
        found = plant.carried[mark] = _most_carried(
            plant, sku, spec.within, sites or tuple(desk.supplied.sites)
        )
    most, why = found
    if spec.gpus <= most:
        return None
    asked = f"{counted(spec.gpus, 'GPU')} of {spec.sku}"
    are = "is" if spec.gpus == 1 else "are"
    detail = f"{asked} {are} asked for; one {spec.within} {_CARRIES} {most}: {why}"
    return Refusal(
        "never_fits", detail, "gpus", f"nothing here could ever hold {asked} within one {spec.within}"
    )


def is_of_levels(no: Refusal) -> bool:
    """Whether a gang was refused for what levels carry."""
    return f" {_CARRIES} " in no.detail


def _least_of_a_rack(plant: Plant, sku: supply.Sku) -> int:
    """So many GPUs can be carried by each rack of a kind, if by no other beside it."""
    racks = [rack for rack, key in enumerate(plant.pool_key) if key[0] == sku.id]
    alone = ({rack: sku.gpus_per_node * plant.rack_nodes[rack]} for rack in racks)
    return min((min(_powered(plant, sku, gpus).gpus, _cooled(plant, gpus).gpus) for gpus in alone), default=0)


def _most_carried(plant: Plant, sku: supply.Sku, within: Level, sites: tuple[SiteId, ...]) -> tuple[int, str]:
    """The most that one of these carries, and what is in the way of more."""
    groups: dict[int, list[int]] = {}
    for rack, key in enumerate(plant.pool_key):
        if key[0] == sku.id and key[1] in sites:
            groups.setdefault(_place(plant, rack, within, sites.index(key[1])), []).append(rack)
    best = Carried(0)
    for racks in groups.values():
        gpus = dict.fromkeys(racks, sku.gpus_per_node)
        if within is not Level.NODE:
            gpus = {rack: sku.gpus_per_node * plant.rack_nodes[rack] for rack in racks}
        found = min(_powered(plant, sku, gpus), _cooled(plant, gpus), key=lambda each: each.gpus)
        best = max(best, found, key=lambda each: each.gpus)
    return best.gpus, _told(plant, best)


def _place(plant: Plant, rack: int, within: Level, site: int) -> int:
    if within in LEVELS[:2]:
        return rack
    row, hall, *block = plant.groups_of_rack[rack]
    return {Level.ROW: row, Level.BLOCK: (*block, row)[0], Level.HALL: hall}.get(within, -1 - site)


def _powered(plant: Plant, sku: supply.Sku, gpus: dict[int, int]) -> Carried:
    """Up the electrical tree, the deepest levels first: each hands on what it carries of what is below."""
    below = {plant.rack_path[rack]: most for rack, most in gpus.items()}
    cut: list[int] = []
    total = room_w = 0
    for depth in range(max(map(len, below)), 0, -1):
        for path in [path for path in below if len(path) == depth]:
            level, drawn = path[0], below.pop(path)
            bears_w = max(0, plant.room_w(level))
            if sku.gpu_w * drawn > bears_w:
                cut.append(level)
                room_w += bears_w
                drawn = bears_w // sku.gpu_w
            if depth > 1:
                below[path[1:]] = below.get(path[1:], 0) + drawn
            else:
                total += drawn
    return Carried(total, tuple(cut), room_w)


def _cooled(plant: Plant, gpus: dict[int, int]) -> Carried:
    """Loop by loop; racks that hang on none give their heat elsewhere."""
    loops: dict[tuple[tuple[int, int], ...], int] = {}
    for rack, most in gpus.items():
        loop = plant.rack_heat.get(rack, ())
        loops[loop] = loops.get(loop, 0) + most
    cut: list[int] = []
    total = room_w = 0
    for loop, given in loops.items():
        # Its liquid or its air, whichever bears fewer.
        bears, level = min(
            ((max(0, plant.room_w(level)) // each_w, level) for level, each_w in loop), default=(given, -1)
        )
        total += min(bears, given)
        if bears < given:
            cut.append(level)
            room_w += max(0, plant.room_w(level))
    return Carried(total, tuple(cut), room_w)


def _told(plant: Plant, carried: Carried) -> str:
    """The levels that are in the way of more, and what they have room for."""
    names = [plant.level_name[level] for level in carried.cut]
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    has = "has" if len(names) == 1 else "have"
    heat = any(level in plant.heat_levels for level in carried.cut)
    what = "heat" if heat else "work"
    return f"{', '.join(names[:NAMED_MAX])}{more} {has} room for {carried.room_w} W of {what}"
