"""Which racks for which tranche? A plan for one stock, made beside the loop, with the reasons for it.

Signing binds at once, first fit: that serves until a plan arrives. A plan sees all tranches of a stock together. It
serves everybody whom the racks can serve; it moves no work that it need not move; it spreads each tranche over feeds
and rows, so that the loss of one takes little of it; and it keeps parts of racks together, so that few racks are of
no use to who wants them whole. It comes as the command that the World checks and takes (`core.claims.rebinding`), or
as none where nothing is gained, and always with a report.

Racks that are alike are planned as numbers (`alike`), first quickly (`spreading`) and, where that is not good enough,
by a solver (`solving`). Terms that do not meet share racks.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from forebay.core import claims, supply, timeline
from forebay.core.claims import rebinding as door
from forebay.core.claims import spares
from forebay.core.claims.calendar import Stock
from forebay.core.claims.noderuns import nodes_in
from forebay.core.ids import NodeIndex, TrancheId
from forebay.planner import alike, solving, spreading
from forebay.planner.alike import Case, Counts, Runs
from forebay.planner.solving import Solved
from forebay.planner.spreading import Weights

Bound = Mapping[TrancheId, Runs]
#: What it costs to move a rack where none is to be moved: more than anything that could be gained.
STILL = 10_000.0
#: Nodes that each tranche is to have.
Wanted = Mapping[TrancheId, int]


class Merits(NamedTuple):
    """What is good and bad about who has which nodes."""

    #: Nodes that tranches are owed by now, or at their start, and do not have.
    short: int
    #: Nodes that tranches lose with their worst feed, and with their worst row: the sum over tranches.
    worst_feed: int
    worst_row: int
    #: Racks of which only parts are taken at some time, and the nodes of them that are left over then at least.
    broken: int
    stranded: int
    #: Racks of which nobody has a node at the busiest instant.
    spares: int
    #: Nodes that tranches lose with their worst cooling loop: the sum over tranches.
    worst_loop: int = 0
    #: Nodes in service that nobody has at the busiest instant.
    spare_nodes: int = 0


class Domain(NamedTuple):
    """A kind of failure domain: the racks of the largest one, and whether the spares of a binding cover its loss."""

    racks: int
    covered: bool


@dataclass(slots=True)
class BindingReport:
    """Why a plan is as it is."""

    stock: Stock
    before: Merits
    after: Merits
    #: Nodes that tranches give up whose term runs; those of them with work on them; and those of all others.
    moved: int
    work_moved: int
    changed: int
    #: By kind: "rack", "row", "feed", "hall", and "loop" where racks name theirs.
    domains: dict[str, Domain]
    #: What the model pays, and what it would pay at least: see `spreading.Weights`. Where it goes without a rack
    #: for which parts of several were then found, it pays for that still: cost and gap are too high.
    cost: float
    bound: float
    gap: float
    #: "solver", "spread", or "kept" where what is bound already stays.
    how: str
    #: The version of the stock that the plan was made for.
    version: str = ""
    #: What may be lost at once by the policy, and the nodes that are to be left over for it.
    spares_for: str = "none"
    spares_needed: int = 0
    #: What the solver said at its end; "" where none was asked. How long the plan took, seconds.
    status: str = ""
    seconds: float = 0.0

    @property
    def spares_missing(self) -> int:
        """Nodes by which too few are left over."""
        return max(0, self.spares_needed - self.after.spare_nodes)

    def text(self) -> str:
        """The report for people."""
        before, after = self.before, self.after
        lines = [
            f"{self.stock.sku} at {self.stock.site}: {self.how}",
            f"cost {self.cost:.1f}, at least {self.bound:.1f} (gap {100 * self.gap:.2f} %)",
            f"nodes short: {before.short} -> {after.short}",
            f"nodes lost with the worst feed of each tranche: {before.worst_feed} -> {after.worst_feed}",
            f"nodes lost with the worst row of each tranche: {before.worst_row} -> {after.worst_row}",
            f"racks in parts: {before.broken} -> {after.broken}",
            f"nodes stranded on them: {before.stranded} -> {after.stranded}",
            f"nodes given up by running tranches: {self.moved} ({self.work_moved} with work)",
            f"nodes given up by others: {self.changed}",
        ]
        if "loop" in self.domains:
            lost = f"{before.worst_loop} -> {after.worst_loop}"
            lines.insert(5, f"nodes lost with the worst cooling loop of each tranche: {lost}")
        for kind, domain in self.domains.items():
            covers = "cover" if domain.covered else "do not cover"
            lines.append(f"{after.spares} spare racks {covers} the largest {kind} ({domain.racks} racks)")
        if self.spares_needed:
            lines.append(
                f"{after.spare_nodes} spare nodes, {self.spares_needed} are to be kept as the largest "
                f"{self.spares_for} has: {self.spares_missing} are missing"
            )
        return "\n  ".join(lines)


class _Moves(NamedTuple):
    """Nodes given up by tranches whose term runs, those of them with work, and nodes given up by the others."""

    live: int
    work: int
    others: int


class Tries(NamedTuple):
    """How hard to try."""

    seconds: float
    gap: float
    settled: bool


class Proposal(NamedTuple):
    """A plan for one stock: what to ask of the World, or None for nothing, and why."""

    command: claims.ProposeBinding | None
    report: BindingReport


class _Plan(NamedTuple):
    bound: Bound
    merits: Merits
    moves: _Moves
    solved: Solved
    how: str


def propose(
    state: claims.State, supplied: supply.State, stock: Stock, work: door.Work, at: int, *,
    seconds: float = 20.0, gap: float = 0.001, weights: Weights | None = None, still: bool = False,
) -> Proposal:  # fmt: skip
    """Plan a stock: at most so many seconds of the solver, and not on when the gap is small enough; `still` where no
    tranche whose term runs is to give up a node.
    """
    began = time.monotonic()
    weights = weights or Weights()
    if still:
        weights = weights._replace(move=STILL, work=STILL)
    now = {tranche.plan.id: tranche for tranche in door.bindable(state, stock)}
    had = {name: tranche.runs for name, tranche in now.items()}
    wanted = alike.wanted(state, supplied, now, at)
    before = _merits(now, had, wanted, supplied, stock)
    per_rack = supplied.skus[stock.sku].nodes_per_rack
    for settled in (False, True):
        posed = alike.pose(state, supplied, stock, work, at, settled=settled)
        plan = _planned(posed, now, wanted, state, supplied, work, Tries(seconds / 2, gap, settled), weights)
        loses = any(nodes_in(plan.bound[name]) < nodes_in(had[name]) for name in now)
        unpowered = bool(door.beyond_power(state, supplied, plan.bound))
        paid = _price(plan.moves, per_rack, weights)
        better = _score(plan.merits, per_rack, weights) + paid < _score(before, per_rack, weights)
        if better and not loses and not unpowered and not (still and plan.moves.live):
            break
    else:
        solved = plan.solved._replace(
            cost=max(plan.solved.bound, float(spreading.costs(posed, posed.had(), weights).sum()))
        )
        plan = _Plan(had, before, _Moves(0, 0, 0), solved, "kept")
    solved, kind = plan.solved, state.policy.spares
    needed = spares.nodes_needed(alike.racks_at(supplied, stock), kind, per_rack)
    version = door.version(state, supplied, stock)
    report = BindingReport(
        stock, before, plan.merits, *plan.moves, _domains(supplied, stock, plan.merits.spares),
        solved.cost, solved.bound, solved.gap, plan.how, version, kind.value, needed, solved.status,
        time.monotonic() - began,
    )  # fmt: skip
    bindings = tuple(claims.Rebinding(name, runs) for name, runs in plan.bound.items() if runs != had[name])
    if not bindings:
        return Proposal(None, report)
    return Proposal(claims.ProposeBinding(*stock, version, bindings, plan.moves.work), report)


def _planned(
    posed: Case, now: Mapping[TrancheId, claims.Tranche], wanted: Wanted, state: claims.State, supplied: supply.State,
    work: door.Work, tries: Tries, weights: Weights,
) -> _Plan:  # fmt: skip
    """A plan for the stock as it is posed, better than its start if the solver finds one."""
    starts = [spreading.spread(posed), *([posed.had()] if tries.settled else [])]
    start = min(starts, key=lambda counts: float(spreading.costs(posed, counts, weights).sum()))
    solved = solving.improve(posed, start, weights, tries.seconds, tries.gap)
    bound = _bound(posed, solved.counts, state, supplied, now, wanted, work)
    moves = _moves(now, bound, work)
    how = "solver" if solved.solved else "spread"
    return _Plan(bound, _merits(now, bound, wanted, supplied, posed.stock), moves, solved, how)


def _bound(
    posed: Case, counts: Counts, state: claims.State, supplied: supply.State,
    now: Mapping[TrancheId, claims.Tranche], wanted: Wanted, work: door.Work,
) -> Bound:  # fmt: skip
    """The nodes of each tranche: what stayed, whole racks, its part of shared ones, and what is found elsewhere."""
    found: dict[TrancheId, list[tuple[int, int]]] = {name: [*posed.placed.get(name, ())] for name in now}
    for want, racks in zip(posed.wants, alike.racks_of(posed, counts), strict=True):
        if want.tranche:
            found[want.tranche] += [(rack.first_node, rack.nodes) for rack in racks]
        for rack in racks if want.rests else ():
            node = rack.first_node
            for rest in want.rests:
                found[rest.tranche].append((node, rest.nodes))
                node += rest.nodes
    bound: dict[TrancheId, Runs] = {name: claims.joined_runs(*runs) for name, runs in found.items()}
    for name, tranche in now.items():
        missing = wanted[name] - nodes_in(bound[name])
        if missing and tranche.plan.unit is claims.Unit.NODE:
            more = _anywhere(tranche, bound, now, posed, supplied, work)
            found_more = claims.joined_runs(*bound[name], *((node, 1) for node in more[:missing]))
            if not door.beyond_power(state, supplied, bound | {name: found_more}):
                bound[name] = found_more
    return bound


def _anywhere(
    tranche: claims.Tranche, bound: Bound, now: Mapping[TrancheId, claims.Tranche], posed: Case,
    supplied: supply.State, work: door.Work,
) -> list[int]:  # fmt: skip
    """Nodes of a stock that nobody has over the term of a tranche, those of begun racks first."""
    term, live = claims.term(tranche.plan), tranche.standing is claims.Standing.LIVE
    taken = [
        run for name, runs in bound.items() if claims.term(now[name].plan).overlaps(term) for run in runs
    ]
    found: list[tuple[bool, int]] = []
    for rack in alike.racks_at(supplied, posed.stock):
        free = claims.runs_less(((rack.first_node, rack.nodes),), tuple(taken))
        nodes = [node for first, count in free for node in range(first, first + count)]
        found += [
            (len(nodes) == rack.nodes, node)
            for node in nodes
            if not (live and alike.out(supplied, work, node))
        ]
    return [node for _, node in sorted(found)]


def _moves(now: Mapping[TrancheId, claims.Tranche], planned: Bound, work: door.Work) -> _Moves:
    live = with_work = others = 0
    for name, tranche in now.items():
        gave = claims.runs_less(tranche.runs, planned[name])
        if tranche.standing is claims.Standing.LIVE:
            live += nodes_in(gave)
            with_work += sum(
                node in work.nodes for first, count in gave for node in range(first, first + count)
            )
        else:
            others += nodes_in(gave)
    return _Moves(live, with_work, others)


def _price(moves: _Moves, per_rack: int, weights: Weights) -> float:
    return (moves.live * weights.move + moves.others * weights.change) / per_rack + moves.work * weights.work


# What is good and bad about a binding.


def _score(merits: Merits, per_rack: int, weights: Weights) -> float:
    """What a binding costs, as the model counts it, and a rack for each that is broken."""
    lost = (
        weights.feed * merits.worst_feed + weights.row * merits.worst_row + weights.loop * merits.worst_loop
    )
    return (weights.short * merits.short + lost) / per_rack + merits.broken


def _merits(
    now: Mapping[TrancheId, claims.Tranche],
    bound: Bound,
    wanted: Wanted,
    supplied: supply.State,
    stock: Stock,
) -> Merits:
    short = worst_feed = worst_row = worst_loop = 0
    #: By rack: when how many of its nodes are taken.
    taken: dict[str, list[tuple[int, int]]] = {}
    for name, tranche in now.items():
        short += wanted[name] - nodes_in(bound[name])
        feeds: dict[str, int] = {}
        rows: dict[tuple[str, str], int] = {}
        loops: dict[str, int] = {}
        term = claims.term(tranche.plan)
        for rack, count in _by_rack(supplied, bound[name]):
            feeds[rack.feed] = feeds.get(rack.feed, 0) + count
            rows[rack.hall, rack.row] = rows.get((rack.hall, rack.row), 0) + count
            if rack.loop:
                loops[rack.loop] = loops.get(rack.loop, 0) + count
            taken.setdefault(rack.id, []).extend(((term.start, count), (term.end, -count)))
        worst_feed += max(feeds.values(), default=0)
        worst_row += max(rows.values(), default=0)
        worst_loop += max(loops.values(), default=0)
    left = _left_over(now, bound, supplied, stock)
    return Merits(short, worst_feed, worst_row, *_parts(taken, supplied, stock), worst_loop, left)


def _left_over(
    now: Mapping[TrancheId, claims.Tranche], bound: Bound, supplied: supply.State, stock: Stock
) -> int:
    """Nodes in service that nobody has at the busiest instant."""

    def in_service(runs: Iterable[tuple[int, int]]) -> int:
        return sum(
            supply.usable(supplied, NodeIndex(node))
            for first, count in runs
            for node in range(first, first + count)
        )

    racks = alike.racks_at(supplied, stock)
    used = []
    for name, tranche in now.items():
        term, nodes = claims.term(tranche.plan), in_service(bound[name])
        used += [(term.start, nodes), (term.end, -nodes)]
    there = in_service((rack.first_node, rack.nodes) for rack in racks)
    return there - max(timeline.summed(used).values)


def _by_rack(supplied: supply.State, runs: Runs) -> Iterable[tuple[supply.Rack, int]]:
    for first, count in runs:
        node = first
        while node < first + count:
            rack = supply.rack_of(supplied, node)
            end = min(first + count, rack.first_node + rack.nodes)
            yield rack, end - node
            node = end


def _parts(
    taken: Mapping[str, list[tuple[int, int]]], supplied: supply.State, stock: Stock
) -> tuple[int, int, int]:
    """Racks in parts, nodes left over on them, and racks that nobody has at the busiest instant."""
    broken = stranded = 0
    used: list[tuple[int, int]] = []
    racks = alike.racks_at(supplied, stock)
    for rack in racks:
        level = 0
        left = [rack.nodes - nodes for _, nodes in timeline.summed(taken.get(rack.id, ())) if nodes]
        if any(left):
            broken += 1
            stranded += min(nodes for nodes in left if nodes)
        for start, nodes in timeline.summed(taken.get(rack.id, ())):
            if bool(nodes) is not bool(level):
                used.append((start, 1 if nodes else -1))
            level = nodes
    return broken, stranded, len(racks) - max(timeline.summed(used).values)


def _domains(supplied: supply.State, stock: Stock, spares: int) -> dict[str, Domain]:
    """The largest failure domain of each kind. Who loses one finds as many spares, or does not.

    The spares that a domain has itself go with it, and so many less of its racks were in use: it comes to the same.
    """
    racks = alike.racks_at(supplied, stock)
    kinds: dict[str, Sequence[object]] = {
        "rack": [rack.id for rack in racks],
        "row": [(rack.hall, rack.row) for rack in racks],
        "feed": [rack.feed for rack in racks],
        "hall": [rack.hall for rack in racks],
    }
    if any(rack.loop for rack in racks):
        kinds["loop"] = [rack.loop for rack in racks if rack.loop]
    found = {}
    for kind, names in kinds.items():
        sizes: dict[object, int] = {}
        for name in names:
            sizes[name] = sizes.get(name, 0) + 1
        largest = max(sizes.values(), default=0)
        found[kind] = Domain(largest, spares >= largest)
    return found
