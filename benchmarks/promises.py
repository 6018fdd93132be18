"""How fast does the calendar answer? Sites in delivery, blocks of racks, and tranches that promise them, all made up.

    python benchmarks/promises.py [--sites 50] [--blocks 2000] [--tranches 10000] [--standing 0] [--oversold]

Five years; two SKUs a site, of each some racks that stand already; a graph of milestones, bridge power and then the
grid, a recorded forecast for each site. Ten tranches a contract, each where it fits (or, with --oversold, anywhere:
then many go short of what they were promised); and an extension with each contract, now and then a call or a right of
first refusal. Prints the time to sign all tranches, to make the calendar from a state, of a search over all sites at
P90, of a whole quote, and of a slip of sixty days; the same from 100 tranches on, and how much more each costs for
twice as many. One process, one core.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from forebay.core import claims, ids, supply
from forebay.core.claims import calendar as calendars
from forebay.core.claims import quotes
from forebay.core.claims.calendar import Calendar, Part, Stock
from forebay.core.claims.rights import RightKind, RightPlan
from forebay.core.supply import blocks
from forebay.core.supply.blocks import Confidence
from forebay.core.timeline import Interval
from forebay.core.units import DAY_US, SECOND_US
from forebay.core.world import OpenWorld, World

OPERATOR = ids.Principal("bench", ids.Role.OPERATOR)
START = 1_800_000_000 * SECOND_US
SKUS = tuple(
    supply.Sku(ids.SkuId(name), name, 4, 18, 130_000, 10_000, 1_400, 16) for name in ("nvl72-a", "nvl72-b")
)


def ask(world: World, command: ids.Command, at: int = START) -> ids.Outcome:
    """Have a command carried out."""
    outcome = world.handle(ids.Asked(command, OPERATOR), at)
    assert not isinstance(outcome.answer, ids.Refusal), outcome.answer
    return outcome


def plan(dice: random.Random, site: str, count: int) -> blocks.SchedulePlan:
    """So many blocks of seven racks, one after the other over three years."""

    def milestone(name: str, *after: str, days: int = 0, planned: int = 0) -> blocks.MilestonePlan:
        return blocks.MilestonePlan(
            ids.MilestoneId(name), "", tuple(map(ids.MilestoneId, after)), planned * DAY_US + START * bool(planned),
            0, days * 86_400, 2 * days * 86_400,
        )  # fmt: skip

    begins = dice.randrange(30, 400)
    milestones = [
        milestone("permit", planned=begins),
        milestone("grid", "permit", days=200),
        milestone("shell", "permit", days=120),
        milestone("cooling", "shell", days=60),
    ]
    planned = []
    for n in range(count):
        milestones.append(milestone(f"racks-{n}", "cooling", planned=begins + 200 + n * 1000 // count))
        milestones.append(milestone(f"network-{n}", f"racks-{n}", days=20))
        milestones.append(milestone(f"accepted-{n}", f"network-{n}", days=10))
        after = (ids.MilestoneId(f"accepted-{n}"), ids.MilestoneId("grid"))
        planned.append(blocks.BlockPlan(ids.BlockId(f"{site}-b{n}"), SKUS[n % 2].id, 7, after))
    power_w = count * 7 * 150_000
    stages = (
        blocks.PowerStage(
            ids.StageId("bridge"), blocks.StageKind.BRIDGE, power_w // 4, power_w // 4, ids.MilestoneId("shell"),
            ids.MilestoneId("grid"),
        ),
        blocks.PowerStage(ids.StageId("grid"), blocks.StageKind.GRID, power_w, power_w, ids.MilestoneId("grid")),
    )  # fmt: skip
    return blocks.SchedulePlan(ids.SiteId(site), tuple(milestones), tuple(planned), stages, pue_ppm=1_150_000)


def plant(sites: int, blocks_in_all: int, standing: int) -> World:
    """Sites that are yet to come, each with its forecast, and some racks that stand."""
    dice = random.Random(1)
    world = World()
    ask(world, OpenWorld("bench"))
    ask(world, supply.ApplyCatalogue(SKUS))
    for n in range(sites):
        site = ids.SiteId(f"site-{n:02d}")
        feed = supply.FeedPlan(ids.FeedId(f"feed-{n:02d}"), 10**9)
        racks = tuple(
            supply.RackPlan(ids.RackId(f"r{n:02d}-{place:03d}"), SKUS[place % 2].id, feed.id)
            for place in range(2 * standing)
        )
        halls = (supply.HallPlan(ids.HallId(f"hall-{n:02d}"), racks),)
        ask(world, supply.ApplySite(supply.SitePlan(site, site, "none", "US", "UTC", (feed,), halls)))
        ask(world, blocks.ApplySchedule(plan(dice, site, blocks_in_all // sites)))
        ask(world, forecast(world, site))
    return world


def forecast(world: World, site: ids.SiteId) -> blocks.RecordForecast:
    """What a simulation might have given: nine in ten are at most 90 days late."""
    outlook = world.calendar.outlook(site)
    assert outlook is not None
    late = 90 * DAY_US
    plan = outlook.schedule.plan
    return blocks.RecordForecast(
        site, outlook.schedule.graph, "bench", 1000,
        tuple(blocks.MilestoneQuantile(name, at, at + late) for name, at in outlook.dates.items()),
        tuple(
            blocks.BlockQuantile(block.id, outlook.block_date(block), outlook.block_date(block) + late)
            for block in plan.blocks
        ),
    )  # fmt: skip


def contracts(
    world: World, dice: random.Random, tranches: int, sites: int, each: int = 10, *, oversold: bool = False
) -> Iterator[claims.ContractPlan]:
    """Contracts of ten tranches each, of one or two racks for half a year to four years, with their rights."""
    for first in range(0, tranches, each):
        plans = []
        for n in range(first, min(first + each, tranches)):
            start_at = START + dice.randrange(600, 1600) * DAY_US
            sku, count = dice.choice(SKUS).id, dice.choice((1, 1, 2))
            end_at = start_at + dice.randrange(180, 1460) * DAY_US
            tries = [ids.SiteId(f"site-{dice.randrange(sites):02d}") for _ in range(20)]
            fits = (site for site in tries if _fits(world, Stock(site, sku), 18 * count, start_at, end_at))
            site = tries[0] if oversold else next(fits, tries[0])
            plans.append(
                claims.TranchePlan(
                    ids.TrancheId(f"t{n:05d}"), site, sku, claims.Unit.RACK, count, start_at, end_at, 2_000_000,
                    late=claims.Late(30 * 86_400, 50_000_000),
                )
            )  # fmt: skip
        tenant = ids.TenantId(f"tenant{first // each % 100}")
        yield claims.ContractPlan(
            ids.ContractId(f"c{first:05d}"), 1, "us", tenant, "USD", tuple(plans),
            rights=tuple(granted(first // each, plans[0])),
        )  # fmt: skip


def _fits(world: World, stock: Stock, nodes: int, start_at: int, end_at: int) -> bool:
    return world.calendar.available(stock, Confidence.P90).least(Interval(start_at, end_at)) >= nodes


def granted(contract: int, tranche: claims.TranchePlan) -> Iterator[RightPlan]:
    """An extension with each contract; with every tenth a call of one rack, and a refusal that opens late."""
    site, sku = tranche.site, tranche.sku
    yield RightPlan(
        ids.RightId(f"e{contract:05d}"), RightKind.EXTENSION, tranche=tranche.id, notice_s=90 * 86_400,
        term_s=180 * 86_400,
    )  # fmt: skip
    if contract % 10 == 0:
        yield RightPlan(
            ids.RightId(f"k{contract:05d}"), RightKind.CALL, site, sku, racks_max=1, notice_s=90 * 86_400,
            opens_at=tranche.start_at, expires_at=tranche.end_at, term_s=365 * 86_400,
        )  # fmt: skip
        yield RightPlan(
            ids.RightId(f"f{contract:05d}"), RightKind.REFUSAL, site, sku, notice_s=10 * 86_400,
            opens_at=START + 3000 * DAY_US,
        )  # fmt: skip


def timed(do: Callable[[], object]) -> float:
    """Seconds of the processor that something takes."""
    began = time.process_time()
    do()
    return time.process_time() - began


def search(calendar: Calendar, stocks: list[Stock], dice: random.Random) -> None:
    """Where does this fit first? Over all sites, at P90."""
    part = Part(0, 18 * dice.randrange(1, 40))
    term_us = dice.randrange(90, 1500) * DAY_US
    not_before = START + dice.randrange(1, 1000) * DAY_US
    for stock in stocks:
        calendars.earliest(calendar.available(stock, Confidence.P90), (part,), term_us, not_before)


def quote(world: World, dice: random.Random) -> None:
    """The whole question, with what stands in the way."""
    sku = dice.choice(SKUS).id
    term_us = dice.randrange(90, 1500) * DAY_US
    request = quotes.Request((sku,), dice.randrange(1, 40), term_us, START + dice.randrange(1, 1000) * DAY_US)
    quotes.quote(world.state.claims, world.state.supply, world.calendar, request)


def spread(times: list[float]) -> str:
    """Median and 99th percentile in milliseconds."""
    return f"{statistics.median(times) * 1e3:8.2f} {statistics.quantiles(times, n=100)[98] * 1e3:8.2f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sites", type=int, default=50)
    parser.add_argument("--blocks", type=int, default=2000)
    parser.add_argument("--tranches", type=int, default=10_000)
    parser.add_argument("--standing", type=int, default=0)
    parser.add_argument("--oversold", action="store_true")
    options = parser.parse_args()
    print(f"{options.sites} sites, {options.blocks} blocks; targets at {options.tranches} tranches")
    print("tranches   signing  of them   calendar    search ms         quote ms        slip   short")
    print("            s each      all     anew s  median      p99  median      p99       s        ")
    print("target      (flat)                     < 10    < 100   < 10    < 100     < 1        ")
    sizes = [size for size in (100, 300, 1000, 3000) if size < options.tranches] + [options.tranches]
    found = [
        measure(options.sites, options.blocks, options.standing, size, oversold=options.oversold)
        for size in sizes
    ]
    print("\ntwice as many tranches cost so many times as much: 2 is linear")
    print("from     to      n log n  signing of all  calendar  quote   slip")
    for few, many, before, after in zip(sizes, sizes[1:], found, found[1:], strict=False):
        doublings = math.log2(many / few)
        n_log_n = many * math.log2(many) / (few * math.log2(few))
        told = [
            grown ** (1 / doublings)
            for grown in (n_log_n, *(b / a for a, b in zip(before, after, strict=True)))
        ]
        print("{:<8d} {:<8d} {:6.2f}  {:13.2f}  {:8.2f} {:6.2f} {:6.2f}".format(few, many, *told))


def measure(
    sites: int, blocks_in_all: int, standing: int, tranches: int, *, oversold: bool
) -> tuple[float, float, float, float]:
    """One line of figures. Gives seconds: signing of all, the calendar anew, a quote, a slip."""
    dice = random.Random(2)
    world = plant(sites, blocks_in_all, standing)
    signing = []
    for signed in contracts(world, dice, tranches, sites, oversold=oversold):
        command = claims.SignContract(signed, override="bench")
        signing.append(timed(lambda command=command: ask(world, command)))  # type: ignore[misc]
    last = signing[-max(1, len(signing) // 10) :]
    again = World.restore(world.state)
    anew_s = timed(
        lambda: [again.calendar.available(each, Confidence.P90) for each in again.calendar.stocks()]
    )
    stocks = again.calendar.stocks()
    searches = [timed(lambda: search(again.calendar, stocks, dice)) for _ in range(300)]
    quotes = [timed(lambda: quote(again, dice)) for _ in range(300)]
    site, permit = ids.SiteId("site-00"), ids.MilestoneId("permit")
    outlook = again.calendar.outlook(site)
    assert outlook is not None
    slip = blocks.ReportForecast(site, permit, outlook.dates[permit] + 60 * DAY_US)
    slip_s = timed(lambda: ask(again, slip))
    short = len({s.tranche for shorts in again.state.claims.shorts.values() for s in shorts})
    print(
        f"{tranches:8d}   {statistics.mean(last) / 10:7.5f} {sum(signing):8.2f}   {anew_s:8.3f} {spread(searches)}"
        f" {spread(quotes)}  {slip_s:6.3f} {short:7d}"
    )
    return sum(signing), anew_s, statistics.median(quotes), slip_s


if __name__ == "__main__":
    main()
