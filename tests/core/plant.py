"""A small plant to test on: SKU, sites, contracts and gangs in one line each, and a driver for an opened World.

The driver moves its own clock as the loop does (what fell due first, then the command), keeps every event and effect,
and after each step asserts the World's invariants, and that a pass right afterwards would find nothing more to do.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from forebay.core import claims, ids, money, supply, timeline
from forebay.core.ids import Asked, Command, Effect, Event, Outcome, Principal, Refusal, Role
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import Ending, Gang, Policy, Spec, Tier
from forebay.core.placements.index import each_node
from forebay.core.supply import blocks
from forebay.core.units import DAY_US, HOUR_US, MICROS, SECOND_US
from forebay.core.world import OpenWorld, World

E = TypeVar("E", bound=Event)


def utc(year: int, month: int = 1, day: int = 1, hour: int = 0) -> int:
    return timeline.instant(datetime.datetime(year, month, day, hour, tzinfo=datetime.UTC))


T0 = utc(2026)
YEAR_US = 365 * DAY_US
OPERATOR = Principal("op-1", Role.OPERATOR)
FINANCE = Principal("fin-1", Role.FINANCE)
EDGE = Principal("engine-1", Role.EDGE)


def tenant(name: str) -> Principal:
    return Principal(f"{name}-1", Role.TENANT, ids.TenantId(name))


# Documents


def sku(name: str = "hgx", **figures: Any) -> supply.Sku:
    """8 GPUs a node, 4 nodes a rack, 1 kW a GPU, 1 kW a rack without work, 33 kW a full rack."""
    known: dict[str, Any] = {
        "id": name, "title": name.upper(), "gpus_per_node": 8, "nodes_per_rack": 4, "rack_w": 33_000,
        "rack_base_w": 1_000, "gpu_w": 1_000, "healthy_nodes_min": 4,
    }  # fmt: skip
    return supply.Sku(**(known | figures))


def feed(name: str, limit_w: int = 10**6, parent: str = "", base_w: int = 0) -> supply.FeedPlan:
    return supply.FeedPlan(ids.FeedId(name), limit_w, ids.FeedId(parent), base_w)


def rack(
    name: str,
    of: str = "hgx",
    on: str = "f1",
    nodes: int = 0,
    limit_w: int = 0,
    row: str = "",
    block: str = "",
    loop: str = "",
    spine: str = "",
) -> supply.RackPlan:
    return supply.RackPlan(
        ids.RackId(name),
        ids.SkuId(of),
        ids.FeedId(on),
        row,
        nodes,
        limit_w,
        ids.BlockId(block),
        ids.LoopId(loop),
        spine,
    )


def hall(name: str, *racks: supply.RackPlan) -> supply.HallPlan:
    return supply.HallPlan(ids.HallId(name), racks)


def site(
    name: str = "north",
    feeds: Iterable[supply.FeedPlan] = (),
    halls: Iterable[supply.HallPlan] = (),
    racks: int = 2,
    loops: Iterable[supply.LoopPlan] = (),
) -> supply.SitePlan:
    """A site; without halls it has one, with racks `r1`, `r2`, ... on the first feed."""
    feeds = tuple(feeds) or (feed("f1"),)
    if not halls:
        halls = (hall(f"{name}-h1", *(rack(f"r{n}", on=feeds[0].id) for n in range(1, racks + 1))),)
    return supply.SitePlan(
        ids.SiteId(name),
        name.title(),
        "nordics",
        "FI",
        "Europe/Helsinki",
        feeds,
        tuple(halls),
        loops=tuple(loops),
    )


def day(number: int) -> int:
    """So many days after the start of the tests."""
    return T0 + number * DAY_US


def milestone(name: str, *after: str, on: int = 0, takes: int = 0, **terms: Any) -> blocks.MilestonePlan:
    """Something to be done, planned on a day (counted from the start of the tests) or so many days after others."""
    known: dict[str, Any] = {
        "id": name, "after": after, "planned_at": day(on) if on else 0, "duration_p50_s": takes * 86_400,
        "duration_p90_s": takes * 86_400,
    }  # fmt: skip
    return blocks.MilestonePlan(**(known | terms))


def block(name: str, *after: str, racks: int = 1, of: str = "hgx") -> blocks.BlockPlan:
    """Racks that come once these milestones are done."""
    return blocks.BlockPlan(
        ids.BlockId(name), ids.SkuId(of), racks, tuple(ids.MilestoneId(each) for each in after)
    )


def stage(name: str, watts: int, start: str, end: str = "", connected_w: int = 0) -> blocks.PowerStage:
    """Power from one milestone on, and until another."""
    kind = blocks.StageKind.BRIDGE if end else blocks.StageKind.GRID
    return blocks.PowerStage(
        ids.StageId(name), kind, watts, connected_w or watts, ids.MilestoneId(start), ids.MilestoneId(end)
    )


def schedule(*parts: Any, at: str = "north", pue_ppm: int = 1_000_000) -> blocks.SchedulePlan:
    """What is to come at a site: milestones, blocks, stages and causes, in any order."""

    def of(kind: type) -> Any:
        return tuple(part for part in parts if isinstance(part, kind))

    return blocks.SchedulePlan(
        ids.SiteId(at), of(blocks.MilestonePlan), of(blocks.BlockPlan), of(blocks.PowerStage), of(blocks.Cause),
        pue_ppm,
    )  # fmt: skip


def tranche(name: str = "t1", count: int = 1, **terms: Any) -> claims.TranchePlan:
    """Whole racks for a year from the start of the tests, at 2.00 a GPU-hour, not lent."""
    known: dict[str, Any] = {
        "id": name, "site": "north", "sku": "hgx", "unit": claims.Unit.RACK, "count": count, "start_at": T0,
        "end_at": T0 + YEAR_US, "price_micros_per_gpu_hour": 2 * MICROS,
    }  # fmt: skip
    return claims.TranchePlan(**(known | terms))


def contract(name: str = "c1", of: str = "acme", *tranches: claims.TranchePlan, **terms: Any) -> Any:
    """A contract with these tranches; on demand and spot are allowed unless said otherwise."""
    known: dict[str, Any] = {
        "id": name, "version": 1, "seller": "us", "tenant": of, "currency": "USD", "tranches": tranches,
        "on_demand": True, "spot": True,
    }  # fmt: skip
    return claims.ContractPlan(**(known | terms))


LENT = claims.Lending(reclaim_deadline_s=300, owner_share_ppm=400_000)


def prices(
    version: int = 1,
    on_demand: int = 3 * MICROS,
    spot: int = 1 * MICROS,
    of: str = "hgx",
    currency: str = "USD",
    effective_at: int = 0,
) -> money.PriceList:
    listed = (
        money.Price(Tier.ON_DEMAND, ids.SkuId(of), on_demand),
        money.Price(Tier.SPOT, ids.SkuId(of), spot),
    )
    return money.PriceList(version, currency, effective_at, listed)


def spec(name: str = "g1", gpus: int = 8, **terms: Any) -> Spec:
    """On demand for `acme`, for an hour; dedicated when a tranche is named."""
    known: dict[str, Any] = {
        "id": name, "tenant": "acme", "tier": Tier.DEDICATED if "tranche" in terms else Tier.ON_DEMAND,
        "sku": "hgx", "gpus": gpus, "walltime_s": 3600,
    }  # fmt: skip
    return Spec(**(known | terms))


# The driver


class Driver:
    """A World and its clock, with all that was asked, every event and every effect so far."""

    def __init__(self, at: int = T0) -> None:
        self.world = World()
        self.at = at
        self.asked: list[tuple[int, Asked]] = []
        self.events: list[tuple[int, Event]] = []
        self.effects: list[Effect] = []

    # Asking

    def handle(self, command: Command, by: Principal = OPERATOR, key: str = "", cause: int = 0) -> Outcome:
        self.until(self.at)
        asked = Asked(command, by, key, cause)
        self.asked.append((self.at, asked))
        outcome = self._took(self.world.handle(asked, self.at), self.at)
        self.until(self.at)
        return outcome

    def ask(self, command: Command, by: Principal = OPERATOR, key: str = "") -> dict[str, Any]:
        """The answer of a command that is not refused."""
        answer = self.handle(command, by, key).answer
        assert not isinstance(answer, Refusal), answer
        return answer

    def refused(self, command: Command, by: Principal = OPERATOR, key: str = "") -> Refusal:
        """The refusal of a command that is refused."""
        outcome = self.handle(command, by, key)
        assert isinstance(outcome.answer, Refusal), outcome.answer
        assert not outcome.events
        assert not outcome.effects
        return outcome.answer

    # Time

    def until(self, at: int) -> Driver:
        """Let time pass, waking the World at each instant at which something falls due."""
        while (due := self.world.next_wake()) is not None and due <= at:
            moment = max(due, self.world.now)
            self._took(self.world.wake(moment), moment)
        self.at = at
        return self

    def later(self, seconds: int = 0, hours: int = 0, days: int = 0) -> Driver:
        return self.until(self.at + seconds * SECOND_US + hours * HOUR_US + days * DAY_US)

    def _took(self, outcome: Outcome, at: int) -> Outcome:
        self.events += [(at, event) for event in outcome.events]
        self.effects += outcome.effects
        self.world.check()
        again = self.world.fork()
        due = again.next_wake()
        if due is None or due > at:
            more = again.wake(at).events
            assert not more, f"a second pass finds more to do: {more}"
        return outcome

    # Short ways

    def submit(self, name: str = "g1", gpus: int = 8, *, by: Principal = OPERATOR, **terms: Any) -> Gang:
        self.ask(gangs.SubmitGang(spec(name, gpus, **terms)), by)
        return self.gang(name)

    def run(self, name: str = "g1", gpus: int = 8, **terms: Any) -> Gang:
        """Submit a gang that is placed at once, and have it started."""
        self.submit(name, gpus, **terms)
        return self.start(name)

    def start(self, name: str, ago_s: int = 0) -> Gang:
        since = self.at - ago_s * SECOND_US
        report = gangs.ReportGangStarted(ids.GangId(name), self.gang(name).generation, since, "sim")
        self.ask(report, EDGE)
        return self.gang(name)

    def end(self, name: str, ending: Ending = Ending.COMPLETED, ago_s: int = 0) -> Gang:
        since = self.at - ago_s * SECOND_US
        report = gangs.ReportGangEnded(ids.GangId(name), self.gang(name).generation, since, "sim", ending)
        self.ask(report, EDGE)
        return self.gang(name)

    def cancel(self, name: str) -> Gang:
        self.ask(gangs.CancelGang(ids.GangId(name)))
        return self.gang(name)

    def health(self, node: int, healthy: bool, ago_s: int = 0) -> None:
        since = self.at - ago_s * SECOND_US
        self.ask(supply.ReportNodeHealth(ids.NodeIndex(node), healthy, "xid 79", since), EDGE)

    def domain(self, kind: str, name: str, healthy: bool, ago_s: int = 0) -> dict[str, Any]:
        since = self.at - ago_s * SECOND_US
        reason = "" if healthy else "tripped"
        report = supply.ReportDomainHealth(supply.DomainKind(kind), name, healthy, reason, since)
        return self.ask(report, EDGE)

    def fail(self, node: int, ago_s: int = 0) -> None:
        self.health(node, False, ago_s)

    def recover(self, node: int, ago_s: int = 0) -> None:
        self.health(node, True, ago_s)

    def cordon(self, node: int, drain: bool = False) -> None:
        self.ask(supply.CordonNode(ids.NodeIndex(node), "maintenance", drain))

    def uncordon(self, node: int) -> None:
        self.ask(supply.UncordonNode(ids.NodeIndex(node)))

    def policy(self, **terms: Any) -> None:
        held = self.world.state.placements.policy
        self.ask(gangs.ApplyPolicy(replace(held, **({"version": held.version + 1} | terms))))

    def curtail(self, name: str, level: str, most_w: int = -1, **terms: Any) -> dict[str, Any]:
        """So many watts at the most from now on, within a minute; a loop's liquid where the level is `loop/NAME`."""
        kind, _, loop = level.rpartition("/")
        carrier = supply.Carrier.LIQUID if kind else supply.Carrier.FEED
        known: dict[str, Any] = {
            "id": name, "carrier": carrier, "name": loop, "most_w": most_w, "less_w": 0, "start_at": 0,
            "end_at": 0, "respond_s": 60, "reason": "heat",
        }  # fmt: skip
        return self.ask(supply.CurtailPower(**(known | terms)))

    def lift(self, name: str) -> None:
        self.ask(supply.EndCurtailment(ids.CurtailmentId(name)))

    def close(self) -> list[money.InvoiceIssued]:
        """Close the open period; its invoices."""
        numbers = self.ask(money.CloseBillingPeriod("test"), FINANCE)["invoices"]
        return [issued for issued in self.issued() if issued.invoice in numbers]

    # Looking

    def live(self) -> list[Gang]:
        """Gangs that have not ended, in order of submission."""
        return live(self.world)

    def gang(self, name: str) -> Gang:
        return self.world.state.placements.gangs[ids.GangId(name)]

    def nodes(self, name: str) -> list[int]:
        return [node for node, _ in each_node(self.gang(name).runs)]

    def phase(self, name: str) -> str:
        return self.gang(name).phase.value

    def phases(self, *names: str) -> list[str]:
        return [self.phase(name) for name in names]

    def last(self, kind: type[E], where: Callable[[E], bool] = lambda event: True) -> E:
        """The last event of a kind."""
        return next(e for _, e in reversed(self.events) if isinstance(e, kind) and where(e))

    def issued(self) -> list[money.InvoiceIssued]:
        """Every invoice so far."""
        return [event for _, event in self.events if isinstance(event, money.InvoiceIssued)]

    def count(self, kind: type[Event]) -> int:
        return sum(isinstance(event, kind) for _, event in self.events)

    def book(self, name: str = "t1") -> tuple[int, int, int]:
        """GPUs of a tranche that are used, lent and undeliverable now."""
        held = self.world.state.usage.books[ids.TrancheId(name)]
        return held.used, held.lent, held.undeliverable


def live(world: World) -> list[Gang]:
    """Gangs that have not ended, in order of submission."""
    alive = [gang for gang in world.state.placements.gangs.values() if gang.phase is not gangs.Phase.ENDED]
    return sorted(alive, key=lambda gang: gang.order)


class PromptDriver(Driver):
    """The same with an engine that kills in time: what is to stop is gone when its grace is over."""

    def until(self, at: int) -> Driver:
        while True:
            kill, due = self._next_kill(), self.world.next_wake()
            if kill is not None and kill[0] <= at and (due is None or kill[0] <= due):
                self.at = max(kill[0], self.world.now)
                ended = gangs.ReportGangEnded(kill[1], kill[2], self.at, "sim", Ending.STOPPED)
                self._took(self.world.handle(Asked(ended, EDGE), self.at), self.at)
            elif due is not None and due <= at:
                super().until(due)
            else:
                return super().until(at)

    def _next_kill(self) -> tuple[int, ids.GangId, int] | None:
        known = self.world.state.placements.gangs
        stopping = [gang for gang in known.values() if gang.phase is gangs.Phase.STOPPING]
        return min(
            ((gang.stopping_at + gang.spec.grace_s * SECOND_US, gang.spec.id, gang.generation)
             for gang in stopping), default=None,
        )  # fmt: skip


def opened(at: int = T0, name: str = "lab", kind: type[Driver] = Driver) -> Driver:
    """A World that is open, and nothing else."""
    driver = kind(at)
    driver.ask(OpenWorld(name))
    return driver


def plant(
    *contracts: claims.ContractPlan,
    sites: Iterable[supply.SitePlan] = (),
    skus: Iterable[supply.Sku] = (),
    priced: bool = True,
    policy: Policy | None = None,
) -> Driver:
    """A site (two racks of four nodes of eight GPUs), prices, and these contracts, or acme's plain one."""
    driver = opened()
    driver.ask(supply.ApplyCatalogue(tuple(skus) or (sku(),)))
    for each in sites or (site(),):
        driver.ask(supply.ApplySite(each))
    if priced:
        driver.ask(money.ApplyPriceList(prices()))
    if policy is not None:
        driver.ask(gangs.ApplyPolicy(policy))
    for signed in contracts or (contract(),):
        driver.ask(claims.SignContract(signed))
    return driver
