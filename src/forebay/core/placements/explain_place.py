"""Why does a gang run there? What was decided when it was placed, and which other places were passed over.

What was decided is on record: nodes, lender, kind of rack, site. What else there was is not: it is asked again when
somebody wants to know, of the plant as it is then, with the gang's own GPUs counted as free. So each answer says for
which instant it holds, and where another place would be chosen today, it says so.

Who is not an operator reads of its own claim's racks and of the sites and kinds of rack that it named itself: what is
free elsewhere tells what others do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from forebay.core import supply, timeline
from forebay.core.ids import SiteId, TrancheId
from forebay.core.placements import narrowing, search, substitutes, upcoming
from forebay.core.placements.gang import LEVELS, Gang, Level, Spec, Tier
from forebay.core.placements.index import POOL, Pool, PoolKey, bits, each_node
from forebay.core.placements.schedule import lenders, may_lend, sites_for, want_of
from forebay.core.placements.search import Misfit, Want
from forebay.core.units import counted

if TYPE_CHECKING:
    from forebay.core.placements.schedule import Desk

#: At most so many places of a level are tried, and so many of those that would do are named.
TRIED_MAX = 12
TOLD_MAX = 4

#: By what places of a level are compared: of those that hold a gang, the one with the fewest of these is taken.
_COUNTED = {Level.NODE: "free GPU"} | dict.fromkeys(LEVELS[1:], "wholly free node")


class Other(NamedTuple):
    """A place that was passed over: what of it is free, and what is in the way (None where nothing is)."""

    level: str
    name: str
    free: int
    misfit: Misfit | None
    text: str


#: The place that was chosen, others, and how many more there are.
Found = tuple[Other | None, list[Other], int]


class _Plant:
    """The plant as it is, without one gang."""

    def __init__(self, desk: Desk, gang: Gang) -> None:
        self._desk = desk
        self.spec = gang.spec
        self.gpu_w = desk.supplied.skus[gang.spec.sku].gpu_w
        self.index = desk.derived.index.copy()
        self.index.release(gang.runs, self.gpu_w)
        upcoming.hide(desk.state.campaigns.values(), self.index, gang.spec, desk.at)
        narrow = desk.supplied.curtailments or desk.state.ramps
        # An instant later: a ramp that holds up who only asks holds up nobody.
        self._locate = narrowing.locator(desk, gang, desk.at + 1) if narrow else search.locate

    def want(self, owner: str, site: SiteId) -> Want:
        """What the gang asks of an owner's nodes; of a lender, no wish and no slices (`schedule.find`)."""
        spec = self.spec
        if owner not in (POOL, spec.tranche):
            return Want(owner, spec.sku, site, spec.gpus, spec.within, self.gpu_w)
        return want_of(spec, owner, site, self.gpu_w)

    def misfit(self, want: Want, racks: int = -1) -> Misfit | None:
        """What keeps a shape out of these racks (as bits; -1 for all); None where it fits."""
        key = PoolKey(want.owner, want.sku, want.site)
        pool = self.index.pools.get(key)
        if pool is not None and racks != -1:
            self.index.pools[key] = self._part(pool, racks)
        found = self._locate(self.index, want, ())
        if pool is not None:
            self.index.pools[key] = pool
        return found if isinstance(found, Misfit) else None

    def _part(self, pool: Pool, racks: int) -> Pool:
        """What of a pool is in these racks."""
        part = Pool(pool.gpus_per_node)
        for free, by_rack in enumerate(pool.by_free):
            for rack in bits(racks & pool.racks_by_free[free]):
                part.enter(rack, by_rack[rack], free)
        part.racks_by_whole = [each & racks for each in pool.racks_by_whole]
        groups = self.index.plant.groups_of_rack
        for rack, nodes in part.by_free[-1].items():
            part.whole += nodes.bit_count()
            for group in groups[rack]:
                part.whole_in[group] = part.whole_in.get(group, 0) + nodes.bit_count()
        return part

    def whole(self, owner: str, site: SiteId) -> int:
        """Wholly free nodes of an owner at a site."""
        pool = self.index.pools.get(PoolKey(owner, self.spec.sku, site))
        return 0 if pool is None else pool.whole


def why_there(desk: Desk, gang: Gang, reached: Level, *, whole: bool) -> dict[str, Any]:
    """Why a gang that is placed is where it is: {as_of (microseconds), chosen ({level, name, free, by}, or None),
    passed_over ([{level, name, free, fits, text}]), more (places like these that are not named), facts}. `reached` is
    the nearest level within which it lies.
    """
    plant = _Plant(desk, gang)
    chosen, others, more = _compared(desk, gang, plant, reached)
    own = gang.spec.tier is Tier.DEDICATED
    if not whole and not own:
        # What is free on the pool, or on what is lent, is what others leave.
        chosen, others, more = None, [], 0
    apart = [*_sites(desk, gang, plant, whole), *_lenders(desk, gang, plant, whole), *_kinds(desk, gang)]
    told = [*others, *apart]
    facts = [_recorded(gang, whole)]
    if told or chosen is not None:
        facts.append(f"As of {timeline.text(desk.at)}, were its own GPUs free:")
    if chosen is not None:
        facts.append(_score(chosen, others))
    fitting = [each for each in others if each.misfit is None]
    if fitting:
        names = ", ".join(f"{each.name} ({each.free})" for each in fitting)
        rest = f", and {counted(more, fitting[0].level)} more with as many free" if more else ""
        facts.append(f"  It would fit as well on {names}{rest}.")
    elif chosen is None and (whole or own):
        facts += _spread(desk, gang, plant)
    facts += [each.text for each in told if each not in fitting]
    return {
        "as_of": desk.at,
        "chosen": None if chosen is None else {
            "level": chosen.level, "name": chosen.name, "free": chosen.free, "by": _COUNTED[Level(chosen.level)]
        },
        "passed_over": [
            {"level": each.level, "name": each.name, "free": each.free, "fits": each.misfit is None,
             "text": each.text}
            for each in told
        ],
        "more": more,
        "facts": facts,
    }  # fmt: skip


def _recorded(gang: Gang, whole: bool) -> str:
    start = gang.generation - gang.generation_before
    again = "" if start == 1 else "; hosts of its own that it had before come first"
    at = timeline.text(gang.placed_at)
    by = f" by record {gang.placed_seq}" if whole else ""
    return f"It was placed at {at}{by}, start {start}{again}."


# Places side by side.


def _compared(desk: Desk, gang: Gang, plant: _Plant, reached: Level) -> Found:
    """The place that was chosen at the level that decided, and others of that level."""
    spec, index = gang.spec, plant.index
    owner = spec.tranche or gang.lender or POOL
    pool = index.pools[PoolKey(owner, spec.sku, gang.site)]
    want = plant.want(owner, gang.site)
    nodes = [node for node, _ in each_node(gang.runs)]
    if spec.gpus <= pool.gpus_per_node:
        return _nodes(desk, plant, pool, want, nodes[0])
    level = _decided_at(want, reached)
    if level in (Level.NODE, Level.RACK):
        return _racks(desk, plant, pool, want, nodes)
    if level is not Level.SITE:
        return _groups(
            plant, pool, want._replace(within=level, near=level), index.plant.rack_of_node[nodes[0]]
        )
    # Nearness to each other does not matter then: only the wholly taken nodes are kept in one rack where that can be.
    whole = [node for node, mask in each_node(gang.runs) if mask == index.plant.full_mask[node]]
    if want.slice_gpus or len({index.plant.rack_of_node[node] for node in whole}) > 1:
        return None, [], 0
    return _racks(desk, plant, pool, want._replace(gpus=len(whole) * pool.gpus_per_node), whole)


def _decided_at(want: Want, reached: Level) -> Level:
    """The level of which one was chosen: the one it would like, where it lies within one of those."""
    wished = LEVELS.index(want.near) < LEVELS.index(want.within)
    return want.near if wished and LEVELS.index(reached) <= LEVELS.index(want.near) else want.within


def _spread(desk: Desk, gang: Gang, plant: _Plant) -> list[str]:
    """Of one that lies over several racks of a site: how much one rack would have held."""
    if gang.spec.slice_gpus:
        return []
    owner = gang.spec.tranche or gang.lender or POOL
    pool = plant.index.pools[PoolKey(owner, gang.spec.sku, gang.site)]
    racks = {plant.index.plant.rack_of_node[node] for node, _ in each_node(gang.runs)}
    most = max((whole for whole, some in enumerate(pool.racks_by_whole) if some), default=0)
    need = gang.spec.gpus // pool.gpus_per_node
    told = f"It is on {counted(len(racks), 'rack')}, as few as hold it: one has {most} wholly free nodes at the most"
    return [f"{told} as of {timeline.text(desk.at)}, and it takes {need}."]


def _nodes(desk: Desk, plant: _Plant, pool: Pool, want: Want, node: int) -> Found:
    """The node with the fewest free GPUs that hold it: others that hold it too, rack by rack."""
    index = plant.index
    free = index.free[node].bit_count()
    chosen = Other("node", supply.node_name(desk.supplied, node), free, None, "")
    candidates = (
        (amount, rack)
        for amount in range(want.gpus, pool.gpus_per_node + 1)
        for rack in bits(pool.racks_by_free[amount])
    )
    found: list[tuple[str, int, Misfit | None]] = []
    for tried, (amount, rack) in enumerate(candidates):
        if tried == TRIED_MAX:
            break
        misfit = plant.misfit(want, 1 << rack)
        first = index.plant.rack_first[rack]
        found += [
            (supply.node_name(desk.supplied, first + place), amount, misfit)
            for place in bits(pool.by_free[amount][rack])
            if first + place != node
        ]
    held = sum(nodes.bit_count() for by_rack in pool.by_free[want.gpus :] for nodes in by_rack.values())
    return chosen, *_told("node", found, held - index.usable[node])


def _racks(desk: Desk, plant: _Plant, pool: Pool, want: Want, mine: list[int]) -> Found:
    """The rack with the fewest wholly free nodes that hold it."""
    names, index = desk.supplied.rack_order, plant.index
    need, rack = want.gpus // pool.gpus_per_node, index.plant.rack_of_node[mine[0]]
    first = index.plant.rack_first[rack]
    # Its own nodes count, whether they would be given out again or not.
    free = sum(
        index.free[node] == index.plant.full_mask[node] and (node in mine or bool(index.usable[node]))
        for node in range(first, first + index.plant.rack_nodes[rack])
    )
    chosen = Other("rack", names[rack], free, None, "")
    candidates = [
        (whole, each) for whole in range(need, len(pool.racks_by_whole)) for each in bits(pool.racks_by_whole[whole])
        if each != rack
    ]  # fmt: skip
    in_one = want._replace(within=Level.RACK, near=Level.RACK)
    found = [
        (str(names[each]), whole, plant.misfit(in_one, 1 << each)) for whole, each in candidates[:TRIED_MAX]
    ]
    return chosen, *_told("rack", found, len(candidates))


def _groups(plant: _Plant, pool: Pool, want: Want, rack: int) -> Found:
    """The row, block or hall with the fewest wholly free nodes that hold it."""
    known, level = plant.index.plant, want.within
    groups = known.groups_at.get((level, want.site), [])
    here = next(group for group in groups if known.group_racks[group] >> rack & 1)
    need = want.gpus // pool.gpus_per_node
    chosen = Other(level.value, known.group_name[here], pool.whole_in.get(here, 0), None, "")
    ordered = sorted(
        (pool.whole_in.get(group, 0), known.group_name[group], group) for group in groups if group != here
    )
    holding = [each for each in ordered if each[0] >= need]
    found = [
        (name, whole, plant.misfit(want, known.group_racks[group]))
        for whole, name, group in holding[:TRIED_MAX]
    ]
    return chosen, *_told(level.value, found, len(holding))


def _told(level: str, found: Iterable[tuple[str, int, Misfit | None]], held: int) -> tuple[list[Other], int]:
    """A few of the places that were tried, those that would do before the others; of `held` that have as much free in
    all, how many are not named.
    """
    tried = list(found)
    fitting = [each for each in tried if each[2] is None][:TOLD_MAX]
    barred = [each for each in tried if each[2] is not None][: TOLD_MAX // 2]
    unit = _COUNTED[Level(level)]
    told = []
    for name, free, misfit in (*fitting, *barred):
        has = f"{level} {name} has {counted(free, unit)}"
        why = "and would hold it" if misfit is None else f"and does not hold it: {_short(misfit)}"
        told.append(Other(level, name, free, misfit, f"  {has}, {why}."))
    return told, held - len(told)


def _score(chosen: Other, others: list[Other]) -> str:
    """By what number a place won, and whether it would win today."""
    unit = _COUNTED[Level(chosen.level)]
    here = f"  It is on {chosen.level} {chosen.name}, with {counted(chosen.free, unit)}"
    fitting = [each for each in others if each.misfit is None]
    if not fitting:
        return f"{here}: no other {chosen.level} there holds it."
    rule = f"of those that hold it, the {chosen.level} with the fewest is taken"
    first = min(fitting, key=lambda each: each.free)
    if first.free < chosen.free:
        return (
            f"{here}: {rule}, which today is {first.name}, with {first.free}; work has come and gone since."
        )
    return f"{here}: {rule}{', and of equals the first' if first.free == chosen.free else ''}."


def _short(misfit: Misfit) -> str:
    """What binds, in a few words."""
    match misfit.constraint:
        case "power":
            return f"{misfit.level} has {misfit.have} W of headroom, {misfit.need} W are needed"
        case "cooling":
            return f"{misfit.level} takes {misfit.have} W of heat more, {misfit.need} W would come"
        case "gpus" if misfit.level:
            return "nothing of that kind is free there"
        case "gpus":
            return f"{counted(misfit.need, 'free GPU')} on one node asked for, {misfit.have} there"
        case _:
            what = "wholly free node" if misfit.constraint == "nodes" else "slice"
            return f"{counted(misfit.need, what)} near enough asked for, {misfit.have} there"


# Sites, lenders, kinds of rack: in an order that is given, the first that has room.


def _sites(desk: Desk, gang: Gang, plant: _Plant, whole: bool) -> Iterator[Other]:
    spec = gang.spec
    if spec.tier is Tier.DEDICATED or not (whole or spec.sites):
        return
    sites = sites_for(desk, spec)
    order = "its list" if spec.sites else "the estate's list"
    mine = sites.index(gang.site) if gang.site in sites and not gang.lender else len(sites)
    named = 0
    for place, site in enumerate(sites):
        if place == mine or named == TOLD_MAX:
            continue
        named += 1
        misfit = plant.misfit(plant.want(POOL, site))
        if misfit is not None:
            text = (
                f"  The pool at {site} does not hold it: {_short(misfit) if whole else 'there is no room'}."
            )
        elif place < mine:
            text = f"  The pool at {site} would hold it today, and had no room when it was placed."
        else:
            text = f"  The pool at {site} would hold it too; {site} comes later in {order}."
        yield Other("site", site, plant.whole(POOL, site) if whole else 0, misfit, text)


def _lenders(desk: Desk, gang: Gang, plant: _Plant, whole: bool) -> Iterator[Other]:
    """Tranches that might lend instead: the pool comes before them, and they come in the order in which they were
    signed."""
    if gang.spec.tier is not Tier.SPOT or not whole:
        return
    now = lenders(desk, gang.spec)
    named: list[TrancheId] = [name for name in may_lend(desk, gang.spec) if name != gang.lender][:TOLD_MAX]
    for name in named:
        site = desk.claimed.tranches[name].plan.site
        misfit = plant.misfit(plant.want(name, site))
        if name not in now:
            text = f"  Tranche {name} lends nothing now: work of its own waits."
        elif misfit is not None:
            text = f"  Tranche {name} does not hold it: {_short(misfit)}."
        elif gang.lender:
            text = f"  Tranche {name} would lend as much; the first that can is asked."
        else:
            text = f"  Tranche {name} would lend as much; the pool comes first."
        yield Other("tranche", name, plant.whole(name, site), misfit, text)


def _kinds(desk: Desk, gang: Gang) -> Iterator[Other]:
    """Other kinds of rack that it would take."""
    spec = gang.spec
    for each in substitutes.variants(spec):
        if each.sku == spec.sku or spec.tier is Tier.DEDICATED:
            continue
        misfit = _kind_misfit(desk, gang, each)
        first = [choice.sku for choice in spec.skus]
        before = first.index(each.sku) < first.index(spec.sku)
        kind = f"{counted(each.gpus, 'GPU')} of {each.sku}"
        if misfit is not None:
            text = f"  {kind} would do as well, for which there is no room."
        elif before:
            text = f"  {kind}, which it would rather have, would fit today and did not when it was placed."
        else:
            text = f"  {kind} would fit too, and comes later in its list."
        yield Other("sku", each.sku, each.gpus, misfit, text)


def _kind_misfit(desk: Desk, gang: Gang, spec: Spec) -> Misfit | None:
    plant = _Plant(desk, gang)
    plant.spec, plant.gpu_w = spec, desk.supplied.skus[spec.sku].gpu_w
    misfit: Misfit | None = None
    for site in sites_for(desk, spec):
        misfit = plant.misfit(plant.want(POOL, site))
        if misfit is None:
            return None
    return misfit
