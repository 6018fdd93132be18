"""Whom does an owner call back, so that the least work is lost?

What it costs to call a gang back is its GPUs times (the age of its last checkpoint + what a start takes). `pick`
says who makes room for a shape, at the least cost in all:

- A shape that takes racks whole: exact, the cheapest racks that there are. A gang that is on several racks is paid
  for once and frees them all; so racks are taken together with those that they share gangs with (a cluster of them),
  each cluster has its own table (so many racks for so much), and the cheapest choice over all tables is found by
  dynamic programming, after all that no best choice can contain was struck out. Exact as long as no cluster has more
  than `SPANNING_MAX` gangs that are on several racks; beyond, such a cluster is taken greedily.
- A shape within one node: exact, over all sets of gangs on each node that could be as cheap as the best so far.
- Everything else, greedily: whoever frees a node for the least cost a node goes first, and whoever is not needed in
  the end stays. How far that is from the best is measured (docs/benchmarks.md).

Only reads: a book of borrowers, and an index as it will be when all that leave anyway have left.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate, combinations, islice
from typing import NamedTuple

from forebay.core.ids import GangId
from forebay.core.placements import search
from forebay.core.placements.borrowers import Borrower, LoanBook
from forebay.core.placements.gang import Level
from forebay.core.placements.index import Index, Pool, PoolKey, bits, each_node
from forebay.core.placements.search import Misfit, Want
from forebay.core.timeline import INSTANT_MAX

#: Gangs on several racks in one cluster of racks, up to which all their sets are tried.
SPANNING_MAX = 10
#: Racks that are looked into, one by one, for a shape that takes a part of each; for one at least so many.
RACKS_MAX = 64
#: So many racks are looked at in one go, by what they cost as far as is known.
AT_ONCE = 512
#: Rows or halls that are held against each other for a shape that lies within one of them.
#: As many as these, and no more once so many nodes were found in all.
GROUPS_MAX, GROUPS_NODES_MAX = 8, 256
#: Nodes that are looked into, one by one, because they have some GPUs free.
FREE_NODES_MAX = 256
#: Ways to free nodes that are looked at for the last ones that are needed.
LAST_MAX = 64
#: Up to so many nodes, what was found greedily is held against all sets of ways that were come upon, and so many
#: gangs more are looked at for them.
SETS_NODES_MAX, SETS_GANGS_MAX = 32, 256
#: Bits below a cost that say which rack.
RACK_BITS = 24
_RACK = (1 << RACK_BITS) - 1
#: More than anything costs.
_NEVER = 1 << 200


@dataclass(slots=True)
class Scene:
    """What a choice reads."""

    book: LoanBook
    #: As it will be when all that leave anyway have left.
    index: Index
    at: int
    #: What a start takes, each time.
    restart_us: int
    #: Who is gone already in `index`.
    gone: set[GangId] = field(default_factory=set)
    _costs: dict[GangId, int] = field(default_factory=dict)
    #: Rack -> its nodes, each with those who borrow GPUs of it.
    _nodes: dict[int, dict[int, list[Borrower]]] = field(default_factory=dict)

    def cost(self, borrower: Borrower) -> int:
        """What it costs to call one back."""
        found = self._costs.get(borrower.gang)
        if found is None:
            found = self._costs[borrower.gang] = borrower.cost(self.at, self.restart_us)
        return found

    def total(self, some: Iterable[Borrower]) -> int:
        """What it costs to call several back."""
        return sum(map(self.cost, some))

    def on(self, node: int) -> list[Borrower]:
        """Who borrows GPUs of a node, and stays."""
        rack = self.index.plant.rack_of_node[node]
        nodes = self._nodes.get(rack)
        if nodes is None:
            nodes = self._nodes[rack] = self._by_node(rack)
        here = nodes.get(node, [])
        return [each for each in here if each.gang not in self.gone] if self.gone else here

    def _by_node(self, rack: int) -> dict[int, list[Borrower]]:
        nodes: dict[int, list[Borrower]] = {}
        there = self.book.racks.get(rack)
        if there is not None:
            first, last = self.index.plant.rack_first[rack], self.index.plant.rack_nodes[rack]
            for each in sorted(
                (*there.local.values(), *there.spanning.values()), key=lambda one: one.placed_seq
            ):
                for start, count, _ in each.runs:
                    for node in range(max(start, first), min(start + count, first + last)):
                        nodes.setdefault(node, []).append(each)
        return nodes


def pick(scene: Scene, want: Want) -> list[Borrower]:
    """Whom to call back so that a shape fits that does not fit now: the cheapest first. It may not be enough where
    something else than GPUs is short, or where there is nobody else: whoever asks looks whether the shape fits then.
    """
    pool = scene.index.pools.get(PoolKey(want.owner, want.sku, want.site))
    if pool is None:
        return []
    chosen: list[Borrower] = []
    scene.book.price(scene.restart_us, scene.at)
    whole, rest = divmod(want.gpus, pool.gpus_per_node)
    if want.gpus <= pool.gpus_per_node:
        chosen = _on_one_node(scene, pool, want.owner, want.gpus)
    elif want.slice_gpus:
        nodes = want.slice_gpus // pool.gpus_per_node
        chosen = _racks(scene, pool, want, nodes, want.gpus // want.slice_gpus)
    elif want.within is Level.RACK:
        chosen = _racks(scene, pool, want, whole + (rest > 0), 1)
    elif want.within is not Level.NODE:
        lacks = isinstance(search.locate(scene.index, want._replace(gpus=want.gpus - rest)), Misfit)
        chosen = _nodes(scene, pool, want, whole) if lacks or not rest else []
        if rest:
            # On a node that is wholly freed too, or on one that another gang leaves in part.
            beside = [*chosen, *_beside(scene, pool, want, chosen, rest)]
            more = _nodes(scene, pool, want, whole + 1)
            chosen = min((some for some in (more, beside) if some), key=scene.total, default=[])
    return sorted(chosen, key=lambda each: (scene.cost(each), -each.placed_seq))


# Within one node.


def _beside(scene: Scene, pool: Pool, want: Want, gone: list[Borrower], rest: int) -> list[Borrower]:
    """Who else is to go for the remainder of a shape, once these are gone and its whole nodes are taken."""
    index, gpu_w = scene.index, want.gpu_w
    for borrower in gone:
        index.release(borrower.runs, gpu_w)
    found: list[Borrower] = []
    whole = search.locate(index, want._replace(gpus=want.gpus - rest))
    if isinstance(search.locate(index, want), Misfit) and not isinstance(whole, Misfit):
        index.take(whole, gpu_w)
        scene.gone.update(each.gang for each in gone)
        found = _on_one_node(scene, pool, want.owner, rest)
        scene.gone.clear()
        index.release(whole, gpu_w)
    for borrower in gone:
        index.take(borrower.runs, gpu_w)
    return found


def _on_one_node(scene: Scene, pool: Pool, owner: str, gpus: int) -> list[Borrower]:
    """The cheapest set of gangs on one node without which it has so many free GPUs."""
    index, looked = scene.index, set[int]()
    best: tuple[int, list[Borrower]] = (_NEVER, [])
    # Nodes that have the most free already come first, as long as they are few. On every other one at least so many
    # GPUs have to go, each at the age of the youngest that was not looked at yet.
    least = 1
    while least < gpus:
        by_rack = pool.by_free[gpus - least]
        if len(looked) + sum(nodes.bit_count() for nodes in by_rack.values()) > FREE_NODES_MAX:
            break
        some = [
            index.plant.rack_first[rack] + place for rack in sorted(by_rack) for place in bits(by_rack[rack])
        ]
        looked.update(some)
        for node in some:
            best = min(best, _cheapest_on(scene, node, gpus), key=lambda found: found[0])
        least += 1
    for borrower in scene.book.youngest_first(scene.at):
        if least * (borrower.age_us(scene.at) + scene.restart_us) > best[0]:
            break
        for node, _ in each_node(borrower.runs):
            if (
                borrower.gang in scene.gone
                or node in looked
                or not index.usable[node]
                or index.owner[node] != owner
            ):
                continue
            looked.add(node)
            best = min(best, _cheapest_on(scene, node, gpus), key=lambda found: found[0])
    return best[1]


def _cheapest_on(scene: Scene, node: int, gpus: int) -> tuple[int, list[Borrower]]:
    """The cheapest set of gangs of one node that leaves so many GPUs of it free."""
    here = scene.on(node)
    held = {
        each.gang: sum(mask.bit_count() for other, mask in each_node(each.runs) if other == node)
        for each in here
    }
    needed = gpus - scene.index.free[node].bit_count()
    best: tuple[int, list[Borrower]] = (_NEVER, [])
    for count in range(1, len(here) + 1):
        for some in combinations(here, count):
            if sum(held[each.gang] for each in some) >= needed and (cost := scene.total(some)) < best[0]:
                best = (cost, list(some))
    return best


# Racks, whole or in part.


class _Way(NamedTuple):
    """So many slices more, at this cost, without these."""

    slices: int
    cost: int
    without: tuple[Borrower, ...]


def _groups(index: Index, want: Want) -> list[int]:
    """Groups of racks that the shape may lie in, by number: -1 for all of the site."""
    return [-1] if want.within in (Level.SITE, Level.RACK) else index.plant.groups_at[want.within, want.site]


def _racks(scene: Scene, pool: Pool, want: Want, nodes: int, count: int) -> list[Borrower]:
    """Whoever is to leave so that `count` slices of so many nodes fit, each within one rack."""
    best: tuple[int, list[Borrower]] = (_NEVER, [])
    for group in _groups(scene.index, want):
        scope = -1 if group < 0 else scene.index.plant.group_racks[group]
        there = sum((some & scope).bit_count() * (n // nodes) for n, some in enumerate(pool.racks_by_whole))
        # One that does not fit though there is room for it lacks something else.
        needed = max(1, count - there)
        best = min(best, _in_scope(scene, pool, want.owner, scope, nodes, needed), key=lambda found: found[0])
    return best[1]


def _in_scope(
    scene: Scene, pool: Pool, owner: str, scope: int, nodes: int, needed: int
) -> tuple[int, list[Borrower]]:
    """The same within some racks: those that may cost least come first, until no other can be among the cheapest."""
    rack_nodes, book, at = scene.index.plant.rack_nodes, scene.book, scene.at
    shares = book.shares
    order = book.by_least(at)
    if scope != -1:
        order = sorted((book.least(rack, at), rack) for rack in bits(scope) if rack in book.racks)
    parts_max = max(RACKS_MAX, needed + needed // 8)
    in_parts = nodes not in rack_nodes
    #: The cheapest racks that share nobody with others, and those that a slice takes a part of, the dearest on top.
    single: list[tuple[int, int]] = []
    partial: list[tuple[int, int]] = []
    spanned: list[tuple[int, int]] = []
    limit = part_limit = _NEVER
    looked, spanning = 0, book.spanned
    for begin in range(0, len(order), AT_ONCE):
        # Most are too dear by the limit that holds by then: they are passed over without a further look.
        most = part_limit if in_parts else limit
        some = [
            (place, least, rack, share)
            for place, (least, rack) in enumerate(order[begin : begin + AT_ONCE], begin)
            if (share := shares[rack])[0] * at - share[1] <= most or at >= share[2] or rack in spanning
        ]
        for place, least, rack, (rate, weight, until) in some:
            if least > limit or (in_parts and least > part_limit):
                break
            looked = place + 1
            cost = rate * at - weight if at < until else book.share(rack, at)
            if cost > limit and rack not in spanning:
                continue
            mark = (-cost, -rack)
            if rack_nodes[rack] != nodes:
                if len(partial) < parts_max:
                    heapq.heappush(partial, mark)
                elif mark > partial[0]:
                    heapq.heapreplace(partial, mark)
                if len(partial) == parts_max:
                    part_limit = -partial[0][0]
            elif rack in spanning:
                spanned.append((cost, rack))
            elif (limit == _NEVER or mark > single[0]) and _whole(scene, pool, rack):
                heapq.heappush(single, mark)
                if len(single) > needed:
                    heapq.heappop(single)
                if len(single) == needed:
                    limit = -single[0][0]
        # From there on each costs more than the dearest of these, whenever somebody makes a checkpoint.
        most = min(limit, part_limit) if in_parts else limit
        end = min(begin + AT_ONCE, len(order))
        if order[end - 1][0] > most:
            looked = max(looked, bisect_right(order, (most, INSTANT_MAX), begin, end))
            break
        looked = end
    single.sort(reverse=True)
    singles = [_Way(1, -cost, tuple(book.racks[-rack].local.values())) for cost, rack in single]
    others = (
        each
        for each in islice(order, looked, None)
        if each[1] in book.spanned and rack_nodes[each[1]] == nodes
    )
    tables = _tables(scene, _worth_it(scene, pool, spanned, others, singles, needed))
    if partial:
        tables += _in_part(scene, pool, owner, [-rack for _, rack in sorted(partial, reverse=True)], nodes)
    return _cheapest(singles, tables, needed)


def _worth_it(
    scene: Scene,
    pool: Pool,
    shares: list[tuple[int, int]],
    others: Iterable[tuple[int, int]],
    singles: list[_Way],
    needed: int,
) -> list[int]:
    """Of racks that share gangs with others those that a best choice may contain. Whatever is chosen costs at least
    the sum of its racks' shares; and a rack at least what all of its gangs cost, on whatever racks they are, besides
    the shares of the racks that they are not on. `others` are dearer than each of `singles`, by what they are at
    least.
    """
    if len(singles) < needed:
        return [rack for _, rack in shares if _whole(scene, pool, rack)]
    book, at, known = scene.book, scene.at, _known(scene, pool, shares, singles, needed)
    cheapest = sorted([way.cost for way in singles] + heapq.nsmallest(needed, [share for share, _ in shares]))
    #: What so many racks cost at least.
    sums = [0, *accumulate(cheapest[:needed])]
    most = known - sums[needed - 1]
    found = [(share, rack) for share, rack in shares if share <= most]
    for least, rack in others:
        if least > most:
            break
        rate, weight, until = book.shares[rack]
        share = rate * at - weight if at < until else book.share(rack, at)
        found.append((share, rack))
    kept = []
    for share, rack in found:
        cost, freed = share, {rack}
        for each in book.racks[rack].spanning.values():
            freed.update(other for other, _ in each.racks)
            away = sum(gpus for other, gpus in each.racks if other != rack)
            cost += away * (each.age_us(at) + scene.restart_us)
        if cost + sums[max(0, needed - len(freed))] <= known and _whole(scene, pool, rack):
            kept.append(rack)
    return kept


def _known(scene: Scene, pool: Pool, shares: list[tuple[int, int]], singles: list[_Way], needed: int) -> int:
    """What some choice costs that there is: of the cheapest racks and of gangs that have several racks to themselves,
    those that cost the least a rack.
    """
    on_rack, known, left = scene.book.racks, 0, needed
    looked, own = set[GangId](), {rack for _, rack in shares}
    dearest = singles[-1].cost
    # Of those that have racks to themselves the shares of these racks are the cost of each.
    for cost, rack in sorted(
        [(way.cost, -1) for way in singles] + [entry for entry in shares if entry[0] < dearest]
    ):
        if left <= 0:
            break
        if rack < 0:
            known += cost
            left -= 1
        elif not on_rack[rack].local and len(on_rack[rack].spanning) == 1:
            (each,) = on_rack[rack].spanning.values()
            if each.gang not in looked and all(
                on_rack[other].gpus == gpus and _whole(scene, pool, other) for other, gpus in each.racks
            ):
                known += scene.cost(each)
                left -= sum(other in own for other, _ in each.racks)
            looked.add(each.gang)
    return min(known, sum(way.cost for way in singles))


def _whole(scene: Scene, pool: Pool, rack: int) -> bool:
    """Whether all of a rack is the owner's as soon as its borrowers are gone."""
    nodes = scene.index.plant.rack_nodes[rack]
    if pool.by_free[0].get(rack, 0).bit_count() == nodes:
        return nodes * pool.gpus_per_node == scene.book.racks[rack].gpus
    seen = taken = 0
    for free, by_rack in enumerate(pool.by_free):
        count = by_rack.get(rack, 0).bit_count()
        seen += count
        taken += count * (pool.gpus_per_node - free)
    return seen == nodes and taken == scene.book.racks[rack].gpus


def _tables(scene: Scene, racks: list[int]) -> list[list[_Way]]:
    """For each cluster of racks that share gangs: so many of its racks for so much."""
    left, tables = set(racks), []
    for first in sorted(racks):
        if first not in left:
            continue
        cluster, frontier, gangs = [], [first], dict[GangId, Borrower]()
        left.discard(first)
        while frontier:
            rack = frontier.pop()
            cluster.append(rack)
            for name, borrower in scene.book.racks[rack].spanning.items():
                if name not in gangs:
                    gangs[name] = borrower
                    joined = [other for other, _ in borrower.racks if other in left]
                    left.difference_update(joined)
                    frontier += joined
        tables.append(_table(scene, sorted(cluster), gangs))
    return tables


def _table(scene: Scene, racks: list[int], gangs: dict[GangId, Borrower]) -> list[_Way]:
    on_rack = scene.book.racks
    local = [
        (on_rack[rack].cost(scene.at, scene.restart_us), rack, frozenset(on_rack[rack].spanning))
        for rack in racks
    ]
    local.sort(key=lambda found: found[:2])
    best: dict[int, _Way] = {}
    for gone in _sets(scene, racks, gangs):
        cost = scene.total(gangs[name] for name in gone)
        without = tuple(gangs[name] for name in sorted(gone))
        freed = [(own, rack) for own, rack, spanning in local if spanning <= gone]
        for count, (own, rack) in enumerate(freed, 1):
            cost += own
            without += tuple(on_rack[rack].local.values())
            if count not in best or cost < best[count].cost:
                best[count] = _Way(count, cost, without)
    return [best[count] for count in sorted(best)]


def _sets(scene: Scene, racks: list[int], gangs: dict[GangId, Borrower]) -> Iterator[frozenset[GangId]]:
    """Sets of gangs on several racks that may go together: all of them; or, where they are too many, ever larger
    ones, by the cheapest rack next.
    """
    if len(gangs) <= SPANNING_MAX:
        for count in range(1, len(gangs) + 1):
            yield from map(frozenset, combinations(sorted(gangs), count))
        return
    on_rack, gone, left = scene.book.racks, set[GangId](), set(racks)
    while left:

        def more(rack: int, gone: set[GangId] = gone) -> tuple[int, int]:
            spanning = on_rack[rack].spanning.values()
            new = scene.total(each for each in spanning if each.gang not in gone)
            return new + on_rack[rack].cost(scene.at, scene.restart_us), rack

        rack = min(left, key=more)
        left.discard(rack)
        gone.update(on_rack[rack].spanning)
        yield frozenset(gone)


def _cheapest(singles: list[_Way], tables: list[list[_Way]], needed: int) -> tuple[int, list[Borrower]]:
    """The least that so many slices cost: of each table one way at most, and any of `singles`, the cheapest first."""
    prefix = [0]
    for way in singles:
        prefix.append(prefix[-1] + way.cost)
    core = _core(singles, tables, needed)
    #: By slices: the least cost of the tables so far, and the ways it is made of.
    best: list[tuple[int, tuple[_Way, ...]]] = [(_NEVER, ())] * (needed + 1)
    best[0] = (0, ())
    for table in core:
        for done in range(needed, -1, -1):
            cost, ways = best[done]
            if cost == _NEVER:
                continue
            for way in table:
                slices = min(needed, done + way.slices)
                if slices > done and cost + way.cost < best[slices][0]:
                    best[slices] = (cost + way.cost, (*ways, way))
    total, at = min(
        (
            (best[slices][0] + prefix[needed - slices], slices)
            for slices in range(needed + 1)
            if needed - slices < len(prefix)
        ),
        default=(_NEVER, 0),
    )
    if total >= _NEVER:
        return _NEVER, []
    ways = (*best[at][1], *singles[: needed - at])
    return total, list({each.gang: each for way in ways for each in way.without}.values())


def _core(singles: list[_Way], tables: list[list[_Way]], needed: int) -> list[list[_Way]]:
    """Ways that a best choice may contain. Struck out is what costs more than some choice that there is, with the
    least that the slices still missing could cost: if they could be had one by one, each at the least cost a slice
    that its rack or cluster has.
    """
    if not tables:
        return []
    rates = [(way.cost, 1, way) for way in singles]
    rates += [
        (way.cost // way.slices, table[-1].slices, way)
        for table in tables
        for way in [min(table, key=lambda way: way.cost // way.slices)]
    ]
    rates.sort(key=lambda rate: (rate[0], rate[1]))
    least, known, done = [0], 0, 0
    for rate, slices, way in rates:
        for _ in range(min(slices, needed + 1 - len(least))):
            least.append(least[-1] + rate)
        if done < needed:
            done += way.slices
            known += way.cost
    if done < needed:
        return tables
    kept = [
        [way for way in table if way.cost + least[max(0, needed - way.slices)] <= known] for table in tables
    ]
    return [table for table in kept if table]


def _in_part(scene: Scene, pool: Pool, owner: str, racks: list[int], nodes: int) -> list[list[_Way]]:
    """For racks that a slice takes a part of: so many slices more for so much, each by itself and greedily."""
    on_rack, plant = scene.book.racks, scene.index.plant
    tables = []
    for rack in racks:
        count, free = plant.rack_nodes[rack], pool.by_free[-1].get(rack, 0).bit_count()
        there = {**on_rack[rack].local, **on_rack[rack].spanning}
        young, table = _young(scene, there.values()), []
        for slices in range(free // nodes + 1, count // nodes + 1):
            taking = _Taking(scene, owner, pool.gpus_per_node, slices * nodes - free, 1 << rack, sets=False)
            found = _fed(taking, young)
            if found is None:
                break
            table.append(_Way(slices - free // nodes, scene.total(found), tuple(found)))
        if table:
            tables.append(table)
    return tables


# Nodes, wherever they are.


def _nodes(scene: Scene, pool: Pool, want: Want, whole: int) -> list[Borrower]:
    """Whoever is to leave so that so many nodes of one group of racks are wholly free, greedily. Of several groups
    those are looked into that seem to be cheapest, rack by rack.
    """
    groups = _groups(scene.index, want)
    if groups == [-1]:
        taking = _Taking(scene, want.owner, pool.gpus_per_node, max(1, whole - pool.whole), -1)
        return _fed(taking, scene.book.youngest_first(scene.at)) or []
    on_rack, plant = scene.book.racks, scene.index.plant
    found: list[list[Borrower]] = []
    for group, racks in _ranked(scene, pool, groups, whole):
        needed = max(1, whole - pool.whole_in.get(group, 0))
        taking = _Taking(scene, want.owner, pool.gpus_per_node, needed, plant.group_racks[group])
        here = {name: each for rack in racks for name, each in on_rack[rack].local.items()}
        here.update((name, each) for rack in racks for name, each in on_rack[rack].spanning.items())
        ended = _fed(taking, _young(scene, here.values()))
        if ended:
            found.append(ended)
            if len(found) * needed >= GROUPS_NODES_MAX or len(found) == GROUPS_MAX:
                break
    return min(found, key=scene.total, default=[])


def _ranked(scene: Scene, pool: Pool, groups: list[int], whole: int) -> Iterator[tuple[int, list[int]]]:
    """Groups that may come to so many wholly free nodes, the cheapest first as far as its racks tell, if they were
    called back whole; with the racks that are lent.
    """
    plant, book, at = scene.index.plant, scene.book, scene.at
    shares, rack_nodes = book.shares, plant.rack_nodes
    ranked, racks_of = [], dict[int, list[int]]()
    for group in groups:
        racks_of[group] = racks = [rack for rack in plant.racks_of_group[group] if rack in shares]
        # One number for (what it costs, rack): they are put in order more quickly.
        costs = []
        for rack in racks:
            rate, weight, until = shares[rack]
            costs.append((rate * at - weight if at < until else book.share(rack, at)) << RACK_BITS | rack)
        costs.sort()
        left, about = whole - pool.whole_in.get(group, 0), 0
        for mark in costs:
            if left <= 0:
                break
            left -= rack_nodes[mark & _RACK]
            about += mark >> RACK_BITS
        if left <= 0 and racks:
            ranked.append((about, plant.group_name[group], group))
    for _, _, group in sorted(ranked):
        yield group, racks_of[group]


def _young(scene: Scene, borrowers: Iterable[Borrower]) -> list[Borrower]:
    """Whoever has the youngest checkpoint comes first."""
    return sorted(borrowers, key=lambda each: (each.age_us(scene.at), -each.placed_seq))


def _fed(taking: _Taking, borrowers: Iterable[Borrower]) -> list[Borrower] | None:
    for borrower in borrowers:
        if taking.look(borrower):
            break
    return taking.ended()


class _Unit(NamedTuple):
    """Gangs that free nodes when they go together."""

    gangs: tuple[Borrower, ...]
    nodes: frozenset[int]
    cost: int


class _Taking:
    """Nodes of some racks are freed, those that cost least a node first, until they are enough."""

    __slots__ = (
        "_due",
        "_freed",
        "_gone",
        "_gpus_per_node",
        "_known",
        "_least",
        "_left",
        "_needed",
        "_owner",
        "_racks",
        "_scene",
        "_sets", "_units",
        "_waiting",
    )  # fmt: skip

    def __init__(
        self, scene: Scene, owner: str, gpus_per_node: int, needed: int, racks: int, *, sets: bool = True
    ) -> None:
        self._scene, self._owner, self._needed, self._racks = scene, owner, needed, racks
        self._gpus_per_node = gpus_per_node
        #: Whether sets of all that was come upon are tried in the end.
        self._sets = sets and needed <= SETS_NODES_MAX
        #: Units that were come upon, by cost a node (in 1,024ths); and how often each was entered.
        self._waiting: list[tuple[int, int, _Unit]] = []
        self._known: set[frozenset[GangId]] = set()
        self._due = 0
        self._gone: dict[GangId, Borrower] = {}
        self._freed: set[int] = set()
        #: Once they are enough: what that costs, and how many gangs more are looked at.
        self._least, self._left = _NEVER, SETS_GANGS_MAX
        #: All units, as long as sets of them may be tried.
        self._units: list[_Unit] = []

    def look(self, borrower: Borrower) -> bool:
        """The next of all borrowers, by the age of its checkpoint. Whether enough nodes are freed by now."""
        self._find(borrower)
        # Whoever comes later costs this much for each node that is full.
        rate = (borrower.age_us(self._scene.at) + self._scene.restart_us) * self._gpus_per_node << 10
        while len(self._freed) < self._needed:
            if not self._waiting or self._waiting[0][0] > rate:
                return False
            self._take()
        if self._least == _NEVER:
            self._least = self._scene.total(self._gone.values())
        self._left -= 1
        return not self._sets or not self._left or rate >> 10 > self._least

    def ended(self) -> list[Borrower] | None:
        """Nobody else is to be looked at: who is to go; None where that frees too few."""
        while len(self._freed) < self._needed:
            if not self._waiting:
                return None
            self._take()
        greedy = self._spared(self._gone)
        if not self._sets:
            return greedy
        sets = self._spared(self._cheapest_set(self._scene.total(greedy)))
        return min(sets or greedy, greedy, key=self._scene.total)

    def _cheapest_set(self, least: int) -> dict[GangId, Borrower]:
        """The cheapest set of units that frees enough, as if each freed nodes of its own: by dynamic programming."""
        best: list[tuple[int, tuple[_Unit, ...]]] = [(_NEVER, ())] * (self._needed + 1)
        best[0] = (0, ())
        for unit in self._units:
            if unit.cost >= least:
                continue
            for done in range(self._needed - 1, -1, -1):
                cost, units = best[done]
                freed = min(self._needed, done + len(unit.nodes))
                if cost + unit.cost < best[freed][0]:
                    best[freed] = (cost + unit.cost, (*units, unit))
        return {each.gang: each for unit in best[-1][1] for each in unit.gangs}

    def _take(self) -> None:
        _, _, unit = heapq.heappop(self._waiting)
        new, left = unit.nodes - self._freed, self._needed - len(self._freed)
        if not new:
            return
        if len(new) > left:
            unit = self._last(unit, left)
        for borrower in unit.gangs:
            self._gone[borrower.gang] = borrower
        self._freed |= unit.nodes

    def _last(self, unit: _Unit, left: int) -> _Unit:
        """Instead of a unit that frees more than is needed: the cheapest of the next that frees enough."""
        best, least = unit, self._more(unit)
        for _, _, other in islice(self._waiting, LAST_MAX):
            if len(other.nodes - self._freed) >= left and (cost := self._more(other)) < least:
                best, least = other, cost
        return best

    def _more(self, unit: _Unit) -> int:
        return self._scene.total(each for each in unit.gangs if each.gang not in self._gone)

    def _find(self, borrower: Borrower) -> None:
        """Units that somebody is a part of: itself, with the nodes that are its alone; and for each node that it
        shares, all who are there.
        """
        scene, index = self._scene, self._scene.index
        alone: list[int] = []
        for first, count, mask in borrower.runs:
            for node in range(first, first + count):
                if not self._may(node):
                    continue
                if mask | index.free[node] == index.plant.full_mask[node]:
                    alone.append(node)
                else:
                    self._share(node)
        if alone:
            self._wait(_Unit((borrower,), frozenset(alone), scene.cost(borrower)))

    def _share(self, node: int) -> None:
        scene = self._scene
        here = scene.on(node)
        free = scene.index.free[node]
        nodes = {node}
        for each in here:
            for other, mask in each_node(each.runs):
                if other == node:
                    free |= mask
                elif (
                    self._may(other) and mask | scene.index.free[other] == scene.index.plant.full_mask[other]
                ):
                    nodes.add(other)
        if free == scene.index.plant.full_mask[node]:
            self._wait(_Unit(tuple(here), frozenset(nodes), scene.total(here)))

    def _may(self, node: int) -> bool:
        index = self._scene.index
        return (
            index.owner[node] == self._owner
            and bool(index.usable[node])
            and (self._racks < 0 or bool(self._racks >> index.plant.rack_of_node[node] & 1))
        )

    def _wait(self, unit: _Unit) -> None:
        mark = frozenset(each.gang for each in unit.gangs)
        if mark not in self._known:
            self._known.add(mark)
            self._due += 1
            if self._sets:
                self._units.append(unit)
            heapq.heappush(self._waiting, ((unit.cost << 10) // len(unit.nodes), self._due, unit))

    def _spared(self, gone: dict[GangId, Borrower]) -> list[Borrower]:
        """Without those that are not needed after all, the dearest first; nobody where they are not enough."""
        scene, kept = self._scene, dict(gone)
        freed = self._freed_without(gone)
        if len(freed) < self._needed:
            return []
        for borrower in sorted(gone.values(), key=scene.cost, reverse=True):
            held = {node for node, _ in each_node(borrower.runs)} & freed
            if len(freed) - len(held) >= self._needed:
                del kept[borrower.gang]
                freed -= held
        return list(kept.values())

    def _freed_without(self, gone: dict[GangId, Borrower]) -> set[int]:
        """Nodes that are wholly free when these are gone."""
        index, free = self._scene.index, dict[int, int]()
        for each in gone.values():
            for first, count, mask in each.runs:
                for node in range(first, first + count):
                    free[node] = free.get(node, index.free[node]) | mask
        full = index.plant.full_mask
        return {node for node, mask in free.items() if mask == full[node] and self._may(node)}
