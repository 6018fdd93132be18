"""Invariants 1, 2, 3 and 5, asked again of the events alone, by somebody who knows no index, queue or plan.

`Facts` is what the events say so far, written down plainly: what stands where and hangs on what, who holds which GPU,
who waits. Each inspector holds every decision against it before it is written down, and looks at all of it after each
step. Whoever adds a kind of event that moves a limit or takes a node out adds it to `Facts`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations

from forebay.core import claims, supply
from forebay.core.ids import Event
from forebay.core.placements import gang as gangs
from forebay.core.placements import heartbeats, sheddings
from forebay.core.placements.gang import Level, Tier
from forebay.core.placements.index import each_node
from forebay.core.supply import storage
from forebay.core.units import SECOND_US

#: Ends after which a gang stands in front (docs/reference/policies.md, "Order within a lane").
IN_FRONT = {
    "failed",
    "lost",
    "stopped",
    "start_timeout",
    "stuck",
    "node_failed",
    "quarantine",
    "drain",
    "rebound",
    "curtailed",
    "maintenance",
    "engine_silent",
}

#: What keeps a node from having work, or lets it have work again.
HEALTH = (
    supply.NodeHealthChanged, supply.DomainHealthChanged, supply.NodeDegraded, supply.NodeChecked,
    supply.NodeQuarantined, supply.NodeReleased, supply.NodeCordoned, supply.NodeUncordoned,
)  # fmt: skip


@dataclass
class Work:
    """A gang, as far as events told of it."""

    spec: gangs.Spec
    order: int
    #: node -> GPUs, as a mask; also while they are wiped.
    nodes: dict[int, int] = field(default_factory=dict)
    lender: str = ""
    waits: bool = True
    stopping: bool = False
    wiping: bool = False
    front: bool = False
    not_before: int = 0
    #: When it is gone at the latest, wiped where it borrows; 0 where it holds nothing.
    gone_at: int = 0
    stopping_at: int = 0

    @property
    def by_right_of(self) -> str:
        """Whose nodes it may be on: a tranche's, or the pool's ("")."""
        return self.spec.tranche if self.spec.tier is Tier.DEDICATED else self.lender


class Facts:
    """What the events say."""

    def __init__(self) -> None:
        self.skus: dict[str, supply.Sku] = {}
        self.sites: dict[str, supply.SiteAdded] = {}
        self.feeds: dict[str, supply.FeedAdded] = {}
        self.site_of_hall: dict[str, str] = {}
        self.racks: dict[str, supply.RackAdded] = {}
        self.rack_of: dict[int, str] = {}
        #: Nodes that failed by themselves, and everything else that keeps a node out.
        self.broken: set[int] = set()
        self.quarantined: set[int] = set()
        self.unchecked: dict[int, list[str]] = {}
        self.domains: set[tuple[str, str]] = set()
        self.switches: dict[str, supply.SwitchAdded] = {}
        #: Cooling loops of which the capacity is known, and racks that were hung on one later.
        self.loops: dict[str, supply.LoopAdded] = {}
        self.hung: dict[str, str] = {}
        #: Nodes that take nothing new.
        self.degraded: set[int] = set()
        self.cordoned: set[int] = set()
        #: All nodes that are out; made anew after each change.
        self.failed: set[int] = set()
        self.plans: dict[str, claims.TranchePlan] = {}
        self.bound: dict[str, set[int]] = {}
        self.live: set[str] = set()
        #: Gang -> nodes that are kept for it.
        self.kept: dict[str, set[int]] = {}
        #: Engines that are silent, of which each serves all sites.
        self.silent: dict[str, bool] = {}
        self.work: dict[str, Work] = {}
        self.turnover_s = 0
        #: Watts a minute that a feed may take on; 0 for as many as may be.
        self.ramp_w = 0
        self.curtailed: dict[str, supply.PowerCurtailed] = {}
        self.begun: set[str] = set()
        #: Level -> its open shedding: by when, and whether it was told to be late.
        self.sheddings: dict[str, tuple[int, bool]] = {}
        #: Storage pool -> its site; and dataset -> pools that hold all of it.
        self.stores: dict[str, str] = {}
        self.copies: dict[str, set[str]] = {}
        #: Counts whatever may change what a tranche's own gangs can have.
        self.floor_changes = 0

    def take(self, event: Event, at: int) -> None:
        """Write one event down."""
        if isinstance(event, HEALTH):
            self.floor_changes += 1
            self._health(event)
            self.failed = {node for node in self.rack_of if self._is_out(node)}
            return
        match event:
            case supply.SkuCatalogued():
                self.skus[event.sku.id] = event.sku
            case supply.SiteAdded():
                self.sites[event.site] = event
            case supply.FeedAdded():
                self.feeds[event.feed] = event
            case supply.HallAdded():
                self.site_of_hall[event.hall] = event.site
            case supply.RackAdded():
                self.racks[event.rack] = event
                nodes = range(event.first_node, event.first_node + event.nodes)
                self.rack_of.update(dict.fromkeys(nodes, event.rack))
                self.failed |= {node for node in nodes if self._is_out(node)}
            case supply.LoopAdded():
                self.loops[event.loop] = event
                self.floor_changes += 1
            case supply.RackHung():
                self.hung[event.rack] = event.loop
                self.floor_changes += 1
                self.failed = {node for node in self.rack_of if self._is_out(node)}
            case supply.SwitchAdded():
                self.switches[event.switch] = event
            case storage.StorageApplied():
                self.stores = {pool.id: pool.site for pool in event.plan.pools}
                self.copies = {each.id: {*each.copies} for each in event.plan.datasets}
            case storage.CopyFinished():
                self.copies[event.dataset].add(event.target)
            case heartbeats.EngineHeard():
                self.silent.pop(event.engine, None)
                self.floor_changes += 1
            case heartbeats.EngineSilent():
                self.silent[event.engine] = True
                self.floor_changes += 1
            case gangs.HostsHeld():
                self.kept[event.gang] = _each((*event.hosts, *event.spares))
                self.floor_changes += 1
            case gangs.HostsReleased():
                del self.kept[event.gang]
                self.floor_changes += 1
            case gangs.PolicyApplied():
                self.turnover_s, self.ramp_w = event.policy.turnover_s, event.policy.ramp_w_per_minute
                self.floor_changes += 1
            case supply.PowerCurtailed():
                self.curtailed[event.curtailment] = event
                self.floor_changes += 1
            case supply.CurtailmentBegan():
                self.begun.add(event.curtailment)
                self.floor_changes += 1
            case supply.CurtailmentEnded():
                del self.curtailed[event.curtailment]
                self.begun.discard(event.curtailment)
                self.floor_changes += 1
            case sheddings.SheddingOpened():
                self.sheddings[f"{event.carrier} {event.name}"] = event.deadline_at, False
            case sheddings.SheddingOverdue():
                level = f"{event.carrier} {event.name}"
                self.sheddings[level] = self.sheddings[level][0], True
            case sheddings.SheddingClosed():
                del self.sheddings[f"{event.carrier} {event.name}"]
            case _:
                self._claims(event)
                self._work(event, at)

    def _health(self, event: Event) -> None:
        match event:
            case supply.NodeHealthChanged():
                (self.broken.discard if event.healthy else self.broken.add)(event.node)
                self.unchecked[event.node] = [*event.checks] if event.healthy else []
                if event.healthy:
                    self.degraded.discard(event.node)
            case supply.DomainHealthChanged():
                (self.domains.discard if event.healthy else self.domains.add)((event.kind, event.name))
            case supply.NodeChecked():
                if event.passed:
                    self.unchecked[event.node].remove(event.check)
                else:
                    self.broken.add(event.node)
                    self.unchecked[event.node] = []
            case supply.NodeQuarantined():
                self.quarantined.add(event.node)
            case supply.NodeReleased():
                self.quarantined.discard(event.node)
            case supply.NodeDegraded():
                (self.degraded.add if event.degraded else self.degraded.discard)(event.node)
            case supply.NodeCordoned():
                self.cordoned.add(event.node)
            case supply.NodeUncordoned():
                self.cordoned.discard(event.node)
            case _:
                pass

    def _is_out(self, node: int) -> bool:
        rack = self.racks[self.rack_of[node]]
        hangs_on = {
            ("rack", rack.rack),
            ("loop", self.loop_of(rack.rack)),
            ("hall", rack.hall),
            ("site", self.site(node)),
        }
        hangs_on |= {("switch", name) for name, switch in self.switches.items() if rack.rack in switch.racks}
        hangs_on |= {("feed", level.removeprefix("feed ")) for level in self.levels(node)[1:]}
        own = node in self.broken or node in self.quarantined or bool(self.unchecked.get(node))
        return own or bool(hangs_on & self.domains)

    def shut(self, node: int) -> bool:
        """Whether a node may have nothing new."""
        return bool(self.silent) or node in self.failed or node in self.cordoned or node in self.degraded

    def kept_from(self, gang: str) -> set[int]:
        """Nodes that are kept for others."""
        return {node for name, nodes in self.kept.items() if name != gang for node in nodes}

    def _claims(self, event: Event) -> None:
        match event:
            case claims.ContractSigned():
                self.plans.update({plan.id: plan for plan in event.plan.tranches})
            case claims.TrancheBound():
                self.bound.setdefault(event.tranche, set()).update(_each(event.runs))
            case claims.TrancheUnbound() | claims.TrancheNominated():
                self.bound.pop(event.tranche, None)
            case claims.TrancheRebound():
                self.bound[event.tranche] -= _each(event.gave)
                self.bound[event.tranche] |= _each(event.took)
            case claims.TrancheStarted():
                self.live.add(event.tranche)
            case claims.TrancheEnded():
                self.live.discard(event.tranche)
            case _:
                return
        self.floor_changes += 1

    def _work(self, event: Event, at: int) -> None:
        match event:
            case gangs.GangSubmitted():
                self.work[event.spec.id] = Work(event.spec, len(self.work))
            case gangs.GangPlaced():
                work = self.work[event.gang]
                work.spec = as_placed(work.spec, event)
                work.nodes, work.lender = dict(each_node(event.runs)), event.lender
                work.waits = work.front = work.stopping = False
                work.not_before = work.stopping_at = 0
                work.gone_at = at + self.away_us(work, work.spec.walltime_s)
            case gangs.GangStarted():
                work = self.work[event.gang]
                if not work.stopping:
                    work.gone_at = event.effective_at + self.away_us(work, work.spec.walltime_s)
            case gangs.GangStopping():
                work = self.work[event.gang]
                work.stopping = True
                work.stopping_at = work.stopping_at or at
                work.gone_at = work.stopping_at + self.away_us(work, 0)
            case gangs.GangEnded():
                work = self.work[event.gang]
                work.gone_at = event.returns_at
                work.waits, work.stopping, work.not_before = event.again, False, event.not_before
                work.front = event.again and event.reason in IN_FRONT
                work.wiping = event.returns_at > 0
                if not work.wiping:
                    work.nodes = {}
            case gangs.NodesReturned():
                work = self.work[event.gang]
                work.wiping, work.nodes, work.gone_at = False, {}, 0
            case gangs.GangWithdrawn():
                self.work[event.gang].waits = False
            case _:
                pass

    # Read off.

    def away_us(self, work: Work, walltime_s: int) -> int:
        """How long a gang may stay, its grace and the wiping included, in microseconds."""
        return (walltime_s + work.spec.grace_s + (self.turnover_s if work.lender else 0)) * SECOND_US

    def gpus(self, node: int) -> int:
        """GPUs of a node."""
        return self.skus[self.racks[self.rack_of[node]].sku].gpus_per_node

    def site(self, node: int) -> str:
        """Where a node stands."""
        return self.site_of_hall[self.racks[self.rack_of[node]].hall]

    def owner(self, node: int) -> str:
        """Whose a node is: a tranche's whose term runs, or the pool's ("")."""
        return next((name for name in sorted(self.live) if node in self.bound.get(name, ())), "")

    def busy(self, node: int, but: Iterable[str] = ()) -> int:
        """GPUs of a node that somebody holds, as a mask."""
        mask = 0
        for name, work in self.work.items():
            if name not in but:
                mask |= work.nodes.get(node, 0)
        return mask

    def levels(self, node: int) -> list[str]:
        """What a node hangs on: its rack, then each feed above."""
        found, feed = [f"rack {self.rack_of[node]}"], self.racks[self.rack_of[node]].feed
        while feed:
            found.append(f"feed {feed}")
            feed = self.feeds[feed].parent
        return found

    def loop_of(self, rack: str) -> str:
        """The cooling loop that a rack hangs on; "" where that is not known."""
        return self.hung.get(rack, self.racks[rack].loop)

    def weighs(self, node: int, watts: int) -> dict[str, int]:
        """What so many watts drawn on a node are to each level: power to its rack and its feeds, heat to
        the liquid and the air of its loop.
        """
        rack = self.rack_of[node]
        found = dict.fromkeys(self.levels(node), watts)
        loop = self.loop_of(rack)
        if loop in self.loops:
            liquid_w = watts * self.skus[self.racks[rack].sku].liquid_ppm // 1_000_000
            found |= {f"liquid {loop}": liquid_w, f"air {loop}": watts - liquid_w}
        return found

    def limit_w(self, level: str, at: int = -1) -> int:
        """What a level may carry now; or at an instant to come, as far as that is announced."""
        kind, _, name = level.partition(" ")
        if kind == "rack":
            return self.racks[name].limit_w
        if kind == "feed":
            limit_w = self.feeds[name].limit_w
        else:
            limit_w = self.loops[name].liquid_w if kind == "liquid" else self.loops[name].air_w
        most_w = limit_w
        for key, each in self.curtailed.items():
            holds = key in self.begun if at < 0 else each.start_at <= at < each.end_at
            if each.carrier == kind and each.name == name and holds:
                limit_w -= each.less_w
                most_w = most_w if each.most_w < 0 else min(most_w, each.most_w)
        return max(0, min(limit_w, most_w))

    def loads_w(self, works: Iterable[Work]) -> dict[str, int]:
        """What each level carries: what is there anyway, and each GPU that one of these works holds."""
        found = {f"feed {name}": 0 for name in self.feeds}
        for name, feed in self.feeds.items():
            while name:
                found[f"feed {name}"] += feed.base_w
                name = self.feeds[name].parent
        for rack in self.racks.values():
            for level, base_w in self.weighs(rack.first_node, rack.base_w).items():
                found[level] = found.get(level, 0) + base_w
        for work in works:
            for node, mask in work.nodes.items():
                for level, gpu_w in self.weighs(node, self.skus[work.spec.sku].gpu_w).items():
                    found[level] += mask.bit_count() * gpu_w
        return found

    def kept_w(self, works: Iterable[Work]) -> dict[str, int]:
        """What each level has to keep for claims whose terms run: the full profile of GPUs that nobody holds."""
        busy: dict[int, int] = {}
        for work in works:
            for node, mask in work.nodes.items():
                busy[node] = busy.get(node, 0) | mask
        found: dict[str, int] = {}
        for name in self.live:
            for node in self.bound.get(name, ()):
                idle = self.gpus(node) - busy.get(node, 0).bit_count()
                each_w = self.skus[self.racks[self.rack_of[node]].sku].gpu_w
                for level, gpu_w in self.weighs(node, each_w).items():
                    found[level] = found.get(level, 0) + idle * gpu_w
        return found


def _each(runs: Iterable[tuple[int, int]]) -> set[int]:
    return {node for first, count in runs for node in range(first, first + count)}


def as_placed(spec: gangs.Spec, event: gangs.GangPlaced) -> gangs.Spec:
    """A gang that takes several kinds of rack, as one of the kind that it got."""
    if not spec.skus:
        return spec
    got = spec.skus[event.choice]
    return replace(spec, sku=got.sku, gpus=got.gpus)


class Inspector:
    """Holds decisions against one invariant."""

    def decided(self, facts: Facts, event: gangs.GangPlaced, at: int) -> Iterator[str]:
        """What is wrong with a placement, by the facts before it."""
        return iter(())

    def stands(self, facts: Facts, at: int) -> Iterator[str]:
        """What is wrong after a step."""
        return iter(())


class OncePerGpu(Inspector):
    """Invariant 1: never twice on a GPU, nor on one that is not healthy, or beyond a term; gangs are whole."""

    def decided(self, facts: Facts, event: gangs.GangPlaced, at: int) -> Iterator[str]:
        work, nodes = facts.work[event.gang], each_node(event.runs)
        spec = as_placed(work.spec, event)
        if not work.waits or work.wiping or work.not_before > at:
            yield f"{event.gang} is placed though it does not wait"
        if sum(mask.bit_count() for _, mask in nodes) != spec.gpus or len(dict(nodes)) != len(nodes):
            yield f"{event.gang} is not whole: {event.runs}"
        right = work.spec.tranche if work.spec.tier is Tier.DEDICATED else event.lender
        for node, mask in nodes:
            if mask >> facts.gpus(node) or facts.racks[facts.rack_of[node]].sku != spec.sku:
                yield f"{event.gang}: node {node} has no such GPUs"
            if facts.busy(node) & mask:
                yield f"{event.gang}: GPUs of node {node} are held already"
            if node in facts.kept_from(event.gang):
                yield f"{event.gang}: node {node} is kept for another"
            if facts.shut(node):
                yield f"{event.gang}: node {node} is out of service"
            if facts.owner(node) != right:
                yield f"{event.gang}: node {node} is of {facts.owner(node)!r}, not of {right!r}"
        if right and not facts.plans[right].start_at <= at < facts.plans[right].end_at:
            yield f"{event.gang}: the term of {right} does not run"

    def stands(self, facts: Facts, at: int) -> Iterator[str]:
        seen: dict[int, int] = {}
        for name, work in facts.work.items():
            for node, mask in work.nodes.items():
                if seen.get(node, 0) & mask:
                    yield f"node {node} is held twice"
                seen[node] = seen.get(node, 0) | mask
                stays = not work.stopping and not work.wiping
                if stays and node in facts.failed:
                    yield f"{name} is to stay on node {node}, which failed"
                if stays and facts.owner(node) != work.by_right_of:
                    yield f"{name} is to stay on node {node}, which is of {facts.owner(node) or 'the pool'}"


class UnderLimits(Inspector):
    """Invariant 2: no placement takes a level over its limit, nor what is left there for claims."""

    def decided(self, facts: Facts, event: gangs.GangPlaced, at: int) -> Iterator[str]:
        work = facts.work[event.gang]
        on = Work(as_placed(work.spec, event), 0, dict(each_node(event.runs)))
        works = [*facts.work.values(), on]
        touched = {level for node in on.nodes for level in facts.weighs(node, 0)}
        load_w = facts.loads_w(works)
        own = work.spec.tier is Tier.DEDICATED or event.lender
        kept_w = {} if own else facts.kept_w(works)
        for level in sorted(touched):
            if load_w[level] + kept_w.get(level, 0) > facts.limit_w(level):
                yield f"{event.gang} takes {level} to {load_w[level]} W and {kept_w.get(level, 0)} W kept"
        until = at + (work.spec.walltime_s + work.spec.grace_s) * SECOND_US
        for key, each in facts.curtailed.items():
            level = f"{each.carrier} {each.name}"
            if key in facts.begun or level not in touched or not at < each.start_at < until:
                continue
            there = [*(other for other in facts.work.values() if other.gone_at > each.start_at), on]
            then_w, limit_w = facts.loads_w(there)[level], facts.limit_w(level, each.start_at)
            if then_w > limit_w:
                yield f"{event.gang} takes {level} to {then_w} W when it may carry {limit_w} W only"

    def stands(self, facts: Facts, at: int) -> Iterator[str]:
        drawing = [work for work in facts.work.values() if not work.wiping]
        over = set()
        for level, watts in facts.loads_w(drawing).items():
            if watts > facts.limit_w(level):
                over.add(level)
        if over != facts.sheddings.keys():
            yield f"above their limits are {sorted(over)}, and on record {sorted(facts.sheddings)}"
        for level, (deadline_at, told) in facts.sheddings.items():
            if at > deadline_at and not told:
                yield f"{level} was to be down by {deadline_at}, and nobody says that it is late"


class OwnAtOnce(Inspector):
    """Invariant 3: the first gang of a claim that fits what is unused of it has started; the first that fits what is
    lent as well has the loans called back at once, and starts within the deadline if borrowers take their grace only.
    """

    def __init__(self) -> None:
        #: Tranche -> the gang that waits for lent capacity, since when, and how the floor was then.
        self.since: dict[str, tuple[str, int, int]] = {}

    def decided(self, facts: Facts, event: gangs.GangPlaced, at: int) -> Iterator[str]:
        if event.lender:
            lending, spec = facts.plans[event.lender].lending, facts.work[event.gang].spec
            away_s = spec.grace_s + facts.turnover_s
            if lending is None or away_s > lending.reclaim_deadline_s:
                yield f"{event.gang} borrows from {event.lender} and would be away after {away_s} s only"

    def stands(self, facts: Facts, at: int) -> Iterator[str]:
        for name in sorted(facts.live):
            first = self._first(facts, name, at)
            if first is None:
                self.since.pop(name, None)
                continue
            who = first.spec.id
            if facts.ramp_w or facts.curtailed.keys() - facts.begun:
                continue  # it may wait for a ramp, or for what is to come
            if fits_beside(facts, first, name, but=()):
                yield f"{who} waits though it fits what is unused of {name}"
            lent = [each for each, work in facts.work.items() if work.lender == name and work.nodes]
            if not fits_beside(facts, first, name, but=lent):
                self.since.pop(name, None)
                continue
            leaving = [each for each in lent if facts.work[each].stopping or facts.work[each].wiping]
            if not fits_beside(facts, first, name, but=leaving):
                yield f"{who} would fit {name} were its loans called back, and they are not"
            mark = self.since.get(name)
            if mark is None or (mark[0], mark[2]) != (who, facts.floor_changes):
                self.since[name] = mark = (who, at, facts.floor_changes)
            lending = facts.plans[name].lending
            assert lending is not None, "what was lent may be lent"
            if at > mark[1] + lending.reclaim_deadline_s * SECOND_US:
                yield f"{who} waits for what {name} lent, longer than {lending.reclaim_deadline_s} s"

    @staticmethod
    def _first(facts: Facts, tranche: str, at: int) -> Work | None:
        own = [
            work
            for work in facts.work.values()
            if work.waits and not work.wiping and work.spec.tranche == tranche and work.not_before <= at
        ]
        return min(own, key=lambda work: (not work.front, work.order), default=None)


def fits_beside(facts: Facts, work: Work, tranche: str, but: Iterable[str]) -> bool:
    """Whether a gang fits a tranche's healthy nodes beside all that holds GPUs, but for these; by trying."""
    gone = set(but)
    kept = facts.kept_from(work.spec.id)
    nodes = sorted(n for n in facts.bound.get(tranche, ()) if n not in kept and not facts.shut(n))
    free = {node: facts.gpus(node) - facts.busy(node, gone).bit_count() for node in nodes}
    others = [each for name, each in facts.work.items() if name not in gone]
    load_w = facts.loads_w(others)
    watts = facts.skus[work.spec.sku].gpu_w

    def powered(chosen: dict[int, int]) -> bool:
        more: dict[str, int] = {}
        for node, gpus in chosen.items():
            for level, gpu_w in facts.weighs(node, watts).items():
                more[level] = more.get(level, 0) + gpus * gpu_w
        return all(load_w[level] + added <= facts.limit_w(level) for level, added in more.items())

    per_node = facts.skus[work.spec.sku].gpus_per_node
    if work.spec.gpus <= per_node:
        return any(free[node] >= work.spec.gpus and powered({node: work.spec.gpus}) for node in nodes)
    if work.spec.within is Level.NODE:
        return False
    whole, rest = divmod(work.spec.gpus, per_node)
    groups: dict[str, list[int]] = {}
    for node in nodes:
        groups.setdefault(_group(facts, node, work.spec.within), []).append(node)
    for group in groups.values():
        for chosen in combinations([node for node in group if free[node] == per_node], whole):
            taken = dict.fromkeys(chosen, per_node)
            if not rest and powered(taken):
                return True
            if rest and any(
                free[node] >= rest and powered({**taken, node: rest}) for node in group if node not in chosen
            ):
                return True
    return False


def _group(facts: Facts, node: int, within: Level) -> str:
    rack = facts.racks[facts.rack_of[node]]
    return {
        Level.NODE: str(node),
        Level.RACK: rack.rack,
        Level.ROW: f"row {rack.hall}/{rack.row or rack.rack}",
        # Without a spine, a row counts as its block.
        Level.BLOCK: f"spine {rack.hall}/{rack.spine}"
        if rack.spine
        else f"row {rack.hall}/{rack.row or rack.rack}",
        Level.HALL: rack.hall,
        Level.SITE: facts.site(node),
    }[within]


class AsShaped(Inspector):
    """The shape that was asked for: whole nodes and at most one rest, near enough, in slices of one rack each."""

    def decided(self, facts: Facts, event: gangs.GangPlaced, at: int) -> Iterator[str]:
        spec, nodes = as_placed(facts.work[event.gang].spec, event), dict(each_node(event.runs))
        of_node = facts.skus[spec.sku].gpus_per_node
        taken = {node: mask.bit_count() for node, mask in nodes.items()}
        groups = {_group(facts, node, spec.within) for node in taken}
        if len(groups) > 1:
            yield f"{event.gang} is to be within one {spec.within}, and is in {sorted(groups)}"
        if sum(gpus < of_node for gpus in taken.values()) > (spec.gpus % of_node > 0):
            yield f"{event.gang} takes parts of nodes: {taken}"
        if spec.slice_gpus:
            of_rack: dict[str, int] = {}
            for node, gpus in taken.items():
                of_rack[facts.rack_of[node]] = of_rack.get(facts.rack_of[node], 0) + gpus
            for rack, gpus in sorted(of_rack.items()):
                if gpus % spec.slice_gpus:
                    yield f"{event.gang} has {gpus} GPUs in {rack}, which is no multiple of {spec.slice_gpus}"


class WithData(Inspector):
    """Work starts only where all is that it reads, and where its checkpoints go."""

    def decided(self, facts: Facts, event: gangs.GangPlaced, at: int) -> Iterator[str]:
        spec = facts.work[event.gang].spec
        for site in sorted({facts.site(node) for node, _ in each_node(event.runs)}):
            for name in spec.datasets:
                if site not in {facts.stores[pool] for pool in facts.copies.get(name, ())}:
                    yield f"{event.gang} starts at {site}, where {name} is not"
            if spec.checkpoint_store == "any" and site not in facts.stores.values():
                yield f"{event.gang} starts at {site}, where no storage is"
            if spec.checkpoint_store not in ("", "any") and site != facts.stores.get(spec.checkpoint_store):
                yield f"{event.gang} starts at {site}, where {spec.checkpoint_store} is not"


class Resident(Inspector):
    """Invariant 5: work stays where its own words, and its claim's, let it be: also after a failure, also on loan."""

    def decided(self, facts: Facts, event: gangs.GangPlaced, at: int) -> Iterator[str]:
        yield from self._strays(facts, facts.work[event.gang], [node for node, _ in each_node(event.runs)])

    def stands(self, facts: Facts, at: int) -> Iterator[str]:
        for work in facts.work.values():
            yield from self._strays(facts, work, [*work.nodes])

    @staticmethod
    def _strays(facts: Facts, work: Work, nodes: list[int]) -> Iterator[str]:
        sites = {facts.site(node) for node in nodes}
        if len(sites) > 1:
            yield f"{work.spec.id} is at several sites: {sorted(sites)}"
        for site in sites:
            if work.spec.sites and site not in work.spec.sites:
                yield f"{work.spec.id} is at {site}, and may be at {work.spec.sites}"
            if work.spec.tranche and not resides(facts, facts.plans[work.spec.tranche], site):
                yield f"{work.spec.id} is at {site}, where its claim {work.spec.tranche} may not be"


def resides(facts: Facts, plan: claims.TranchePlan, site: str) -> bool:
    """Whether a tranche may be at a site: the one it names, one of several, or any of its region or jurisdiction."""
    known = facts.sites[site]
    if plan.sites:
        return site in plan.sites
    if plan.jurisdiction or plan.region:
        in_law = not plan.jurisdiction or known.jurisdiction == plan.jurisdiction
        return in_law and (not plan.region or known.region == plan.region)
    return site == plan.site


class Inspection:
    """Reads the events of a run as they come, and has every inspector look at them."""

    def __init__(self, *inspectors: Inspector) -> None:
        self.facts = Facts()
        self.inspectors = inspectors
        self.read = 0

    def see(self, events: list[tuple[int, Event]], at: int) -> None:
        """Read on, to the end; then look at how things stand at `at`."""
        wrong: list[str] = []
        for moment, event in events[self.read :]:
            if isinstance(event, gangs.GangPlaced):
                for each in self.inspectors:
                    wrong += each.decided(self.facts, event, moment)
            self.facts.take(event, moment)
        self.read = len(events)
        for each in self.inspectors:
            wrong += each.stands(self.facts, at)
        assert not wrong, "; ".join(wrong)
