"""A site at which racks are still to come, and the documents and commands of those who trade in them, in a line each.

A rack holds 4 nodes of 8 GPUs. Two racks stand; block `b1` brings so many more once its milestone is reached.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from forebay.core import claims, ids, supply
from forebay.core.claims import (
    AcceptanceTerms,
    AcceptanceTest,
    AllocateShortfall,
    BillingFrom,
    Hold,
    Late,
    PromisePolicy,
    ReliefKind,
    ReliefTerms,
    Short,
    SignContract,
    acceptance,
    relief,
    rights,
)
from forebay.core.claims.acceptance import Result
from forebay.core.claims.calendar import Stock
from forebay.core.claims.rights import Cap, Life, Right, RightKind, RightPlan
from forebay.core.ids import CapId, HoldId, RightId, SiteId, SkuId, TenantId, TrancheId
from forebay.core.supply import blocks
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import DAY_US, MICROS, SECOND_US
from tests.core import plant
from tests.core.plant import EDGE, FINANCE, T0, Driver, contract, rack, site, tranche

NORTH = SiteId("north")
HGX = SkuId("hgx")
STOCK = Stock(NORTH, HGX)
DAY_S = 86_400
#: GPUs of a rack.
GPUS = 32


def day(n: int) -> int:
    return T0 + n * DAY_US


def market(
    *contracts: claims.ContractPlan, stands: int = 2, comes: int = 2, on: int = 30, **more: Any
) -> Driver:
    """A plant whose block `b1` is planned for a day, and these contracts."""
    driver = plant.plant(contract("c0", "nobody"), sites=(site(racks=stands),), **more)
    if comes:
        plan(driver, b1=(comes, on))
    for each in contracts:
        driver.ask(SignContract(each))
    return driver


def plan(driver: Driver, **planned: tuple[int, int]) -> None:
    """Blocks of so many racks, each on a day; a block `b1` waits for a milestone `b1-ready`."""
    schedule = blocks.SchedulePlan(
        NORTH,
        tuple(
            blocks.MilestonePlan(ids.MilestoneId(f"{name}-ready"), planned_at=day(on))
            for name, (_, on) in planned.items()
        ),
        tuple(
            blocks.BlockPlan(ids.BlockId(name), HGX, racks, (ids.MilestoneId(f"{name}-ready"),))
            for name, (racks, _) in planned.items()
        ),
    )
    driver.ask(blocks.ApplySchedule(schedule))


def slip(driver: Driver, to: int, block: str = "b1") -> None:
    """A block is now expected on another day."""
    driver.ask(blocks.ReportForecast(NORTH, ids.MilestoneId(f"{block}-ready"), day(to), "late"), EDGE)


def reach(driver: Driver, block: str = "b1", ago_s: int = 0) -> None:
    since = driver.at - ago_s * SECOND_US
    driver.ask(blocks.ReportReached(NORTH, ids.MilestoneId(f"{block}-ready"), since), EDGE)


def come(driver: Driver, racks: int, block: str = "b1") -> None:
    """So many racks of a block stand now."""
    here = len(driver.world.state.supply.racks)
    names = [f"{block}-r{here + n}" for n in range(racks)]
    made = [replace(rack(name), block=ids.BlockId(block)) for name in names]
    driver.ask(supply.ApplySite(site(halls=(plant.hall(f"hall-{here}", *made),))))


def forecast(driver: Driver, p50: int, p90: int, block: str = "b1") -> None:
    """A simulation says by which days a block comes."""
    name = ids.MilestoneId(f"{block}-ready")
    graph = driver.world.state.supply.schedules[NORTH].graph
    driver.ask(
        blocks.RecordForecast(
            NORTH, graph, "test", 1000, (blocks.MilestoneQuantile(name, day(p50), day(p90)),),
            (blocks.BlockQuantile(ids.BlockId(block), day(p50), day(p90)),),
        ),
        EDGE,
    )  # fmt: skip


# Documents


def promise(
    name: str = "t1", racks: int = 1, start: int = 0, end: int = 365, **terms: Any
) -> claims.TranchePlan:
    """So many racks from one day to another."""
    return tranche(name, racks, **({"start_at": day(start), "end_at": day(end)} | terms))


def ramp(*parts: tuple[int, int], **terms: Any) -> claims.TranchePlan:
    """So many racks on each of these days."""
    deliveries = tuple(claims.Delivery(day(on), racks) for on, racks in parts)
    total = sum(racks for _, racks in parts)
    return promise(racks=total, start=parts[0][0], deliveries=deliveries, **terms)


def late(grace: int = 0, damages: int = 0, cap: int = 0, longstop: int = 0) -> Late:
    """Days of grace, money for a GPU and day, money in all, days until the longstop."""
    return Late(grace * DAY_S, damages * MICROS, cap * MICROS, longstop * DAY_S)


def accepted(*tests: AcceptanceTest, deemed: int = 0, of: str = "acceptance", after: int = 0) -> Any:
    """Days until silence is an answer, and from which date on, with how many days more, it is paid for."""
    return AcceptanceTerms(tests, deemed * DAY_S, BillingFrom(of), after * DAY_S)


#: Both must be passed.
BURN_IN = AcceptanceTest("burn_in_hours", 72 * MICROS)
LATENCY = AcceptanceTest("storage_ms", 1_500_000, claims.Direction.AT_MOST)


def relieved(kind: str = "force_majeure", notice: int = 10, cap: int = 30) -> ReliefTerms:
    """Days within which notice is to be given, and that a date may move."""
    return ReliefTerms(ReliefKind(kind), notice * DAY_S, cap * DAY_S)


def right(name: str, kind: RightKind, **terms: Any) -> RightPlan:
    return RightPlan(RightId(name), kind, **terms)


def refusal(name: str = "rofr", answer_s: int = 3600, **terms: Any) -> RightPlan:
    """An hour to answer, and a day to sell afterwards."""
    known: dict[str, Any] = {"site": NORTH, "notice_s": answer_s, "waiver_s": DAY_S}
    return right(name, RightKind.REFUSAL, **(known | terms))


def call(name: str = "call", racks: int = 2, **terms: Any) -> RightPlan:
    """May be called within ten days, for ten days, with a day's notice."""
    known: dict[str, Any] = {
        "site": NORTH, "sku": HGX, "racks_max": racks, "notice_s": DAY_S, "term_s": 10 * DAY_S,
        "expires_at": day(10), "price_micros_per_gpu_hour": 2 * MICROS,
    }  # fmt: skip
    return right(name, RightKind.CALL, **(known | terms))


def backstop(name: str = "put", **terms: Any) -> RightPlan:
    """Measured on the tenth day; for ten days, with a day's notice."""
    known: dict[str, Any] = {
        "site": NORTH, "sku": HGX, "notice_s": DAY_S, "term_s": 10 * DAY_S, "measure_at": day(10),
        "price_micros_per_gpu_hour": 2 * MICROS,
    }  # fmt: skip
    return right(name, RightKind.BACKSTOP, **(known | terms))


def extension(name: str = "longer", of: str = "t1", **terms: Any) -> RightPlan:
    """For ten days more, with five days' notice."""
    known: dict[str, Any] = {"tranche": TrancheId(of), "notice_s": 5 * DAY_S, "term_s": 10 * DAY_S}
    return right(name, RightKind.EXTENSION, **(known | terms))


def termination(name: str = "out", of: str = "t1", **terms: Any) -> RightPlan:
    return right(name, RightKind.TERMINATION, tranche=TrancheId(of), **terms)


def cap(name: str = "cap", money: int = 1000) -> Cap:
    return Cap(CapId(name), money * MICROS)


def hold(
    name: str = "h1", of: str = "bravo", nodes: int = 4, start: int = 0, end: int = 20, **terms: Any
) -> Hold:
    """Until the fifth day, at 2.00 a GPU-hour."""
    known: dict[str, Any] = {
        "id": HoldId(name), "tenant": TenantId(of), "site": NORTH, "sku": HGX, "nodes": nodes,
        "start_at": day(start), "end_at": day(end), "expires_at": day(5), "price_micros_per_gpu_hour": 2 * MICROS,
        "currency": "USD",
    }  # fmt: skip
    return Hold(**(known | terms))


# Commands


def sign(plan: claims.ContractPlan, by_hold: str = "", override: str = "") -> SignContract:
    return SignContract(plan, override, HoldId(by_hold))


def keep(driver: Driver, held: Hold) -> Hold:
    driver.ask(claims.HoldCapacity(held), FINANCE)
    return held


def offer(driver: Driver, name: str = "rofr", held: str = "h1") -> int:
    """By when it is to be answered."""
    answer = driver.ask(rights.OfferSale(RightId(name), HoldId(held)), FINANCE)
    return int(answer["deadline_at"])


def use(name: str, new: str = "new", **terms: Any) -> rights.ExerciseRight:
    return rights.ExerciseRight(RightId(name), **({"tranche": TrancheId(new)} | terms))


def waiver(name: str = "rofr", **terms: Any) -> rights.WaiveRight:
    return rights.WaiveRight(RightId(name), **terms)


def policy(driver: Driver, **terms: Any) -> None:
    """Another policy of promises."""
    version = driver.world.state.claims.policy.version + 1
    driver.ask(claims.ApplyPromisePolicy(PromisePolicy(**({"version": version} | terms))))


def ready(count: int = 1, of: str = "t1", on: int = 0, **results: int) -> acceptance.GiveReadyNotice:
    """So many units are ready, with these results in millionths; received on a day, or now."""
    given = tuple(Result(name, value) for name, value in results.items())
    return acceptance.GiveReadyNotice(TrancheId(of), count, given, day(on) if on else 0)


def accept(notice: int = 0, of: str = "t1", on: int = 0) -> acceptance.AcceptDelivery:
    return acceptance.AcceptDelivery(TrancheId(of), notice, day(on) if on else 0)


def reject(notice: int = 0, of: str = "t1", on: int = 0, reason: str = "links flap") -> Any:
    return acceptance.RejectDelivery(TrancheId(of), reason, notice, day(on) if on else 0)


def held_up(start: int, end: int, kind: str = "force_majeure", of: str = "t1", **terms: Any) -> Any:
    """A tranche was held up from one day to another; notice is received when it is entered."""
    known = {"reason": "a flood"} | terms
    return relief.ReportRelief(TrancheId(of), ReliefKind(kind), day(start), day(end), **known)


def allocate(*shorts: Short, reason: str = "agreed with both") -> AllocateShortfall:
    return AllocateShortfall(NORTH, HGX, shorts, reason)


# Looking


def held_right(driver: Driver, name: str) -> Right:
    return driver.world.state.claims.rights[RightId(name)]


def life(driver: Driver, name: str) -> Life:
    return held_right(driver, name).life


def terms_of(driver: Driver, name: str = "new") -> claims.TranchePlan:
    return driver.world.state.claims.tranches[TrancheId(name)].plan


def bound(driver: Driver, name: str = "t1") -> list[tuple[int, int]]:
    """Runs of nodes that are bound to a tranche."""
    return list(driver.world.state.claims.tranches[TrancheId(name)].runs)


def available(driver: Driver, on: int) -> int:
    """Racks that may be promised on a day."""
    confidence = driver.world.state.claims.policy.confidence
    nodes = driver.world.calendar.available(STOCK, confidence).at(day(on))
    assert nodes % 4 == 0
    return nodes // 4


def encumbered(driver: Driver, on: int) -> int:
    """Racks that somebody may still take on a day."""
    return driver.world.calendar.encumbered(STOCK).at(day(on)) // 4


def shorts(driver: Driver) -> list[tuple[str, int, float, float]]:
    """Who goes short: tranche, nodes, from which day, until which; no day is 9999."""

    def told(at: int) -> float:
        return 9999 if at == INSTANT_MAX else (at - T0) / DAY_US

    found = driver.world.state.claims.shorts.get(STOCK, ())
    return [(each.tranche, each.nodes, told(each.start_at), told(each.end_at)) for each in found]


def short(name: str, nodes: int, start: int, end: int) -> Short:
    return Short(TrancheId(name), nodes, day(start), day(end))


def code(driver: Driver, command: ids.Command, **by: Any) -> str:
    """Why a command is refused, in a word."""
    return driver.refused(command, **by).code
