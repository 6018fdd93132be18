"""How long do plans take? Dates of 2,000 blocks, and racks for 500 tranches on 14,000 racks (1,008,000 GPUs).

    python benchmarks/planner.py [--blocks 2000] [--racks 14000] [--tranches 500] [--sites 10] [--seconds 50]

Dates: 50 sites, eight milestones a block in a chain, three causes in common, 2,000 scenarios. Racks: rows of twenty,
four rows a feed, ten rows a hall; every fifth tranche counts nodes and breaks into racks. Tranches begin one after
the other over two years; a hundred days have passed when the plan is made, and on each running tranche work runs.
`--sites 1` puts all racks at one site, which is then too large for one model.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from forebay.core import claims, ids, supply, units
from forebay.core.claims.calendar import Stock
from forebay.core.placements import gang as gangs
from forebay.core.supply import blocks
from forebay.core.world import OpenWorld, World
from forebay.planner import binding, delays

OPERATOR = ids.Principal("bench", ids.Role.OPERATOR)
START = 1_800_000_000 * units.SECOND_US // units.DAY_US * units.DAY_US
SKU = supply.Sku(ids.SkuId("nvl72"), "Racks of 72 GPUs", 4, 18, 130_000, 10_000, 1_200, 18)
DAY_S = 24 * 3600
STEPS = ("permit", "grid", "transformer", "shell", "cooling", "racks", "network", "acceptance")


def schedule(number: int, count: int) -> blocks.Schedule:
    """A site with so many blocks, each after a chain of eight milestones."""
    causes = tuple(
        blocks.Cause(ids.CauseId(name), 300_000, 50_000, 60 * DAY_S)
        for name in ("vendor", "law", f"utility-{number}")
    )
    milestones, found = [], []
    for block in range(count):
        chain = [ids.MilestoneId(f"{step}-{block}") for step in STEPS]
        for place, name in enumerate(chain):
            milestones.append(
                blocks.MilestonePlan(
                    name, STEPS[place], tuple(chain[max(0, place - 1) : place]), START + place * 30 * units.DAY_US,
                    20 * DAY_S, 30 * DAY_S, 60 * DAY_S, (causes[place % 3].id,),
                )
            )  # fmt: skip
        found.append(blocks.BlockPlan(ids.BlockId(f"b{number}-{block}"), SKU.id, 10, (chain[-1],)))
    return blocks.Schedule(
        blocks.SchedulePlan(ids.SiteId(f"s{number}"), tuple(milestones), tuple(found), (), causes)
    )


def measure_dates(count: int) -> None:
    """Simulate 50 sites."""
    schedules = [schedule(number, count // 50) for number in range(50)]
    began, cpu = time.perf_counter(), time.process_time()
    for each in schedules:
        delays.forecast(each, START)
    took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    print(
        f"dates of {count // 50 * 50} blocks      {took_s:.1f} s ({cpu_s:.1f} s of a processor; at most 10 s)"
    )


def site(number: int, racks: int) -> supply.SitePlan:
    """Rows of twenty racks, four rows a feed, ten rows a hall."""
    rows = -(-racks // 20)
    feeds = tuple(
        supply.FeedPlan(ids.FeedId(f"s{number}-f{feed}"), 80 * SKU.rack_w) for feed in range(-(-rows // 4))
    )
    halls: dict[int, list[supply.RackPlan]] = {}
    for rack in range(racks):
        row = rack // 20
        feed = feeds[row // 4].id
        plan = supply.RackPlan(ids.RackId(f"s{number}-r{rack}"), SKU.id, feed, f"row{row}")
        halls.setdefault(row // 10, []).append(plan)
    return supply.SitePlan(
        ids.SiteId(f"s{number}"), "Bench", "none", "US", "UTC", feeds,
        tuple(supply.HallPlan(ids.HallId(f"s{number}-h{hall}"), tuple(held)) for hall, held in halls.items()),
    )  # fmt: skip


class Estate:
    """A World with racks and signed tranches."""

    def __init__(self) -> None:
        self.world = World()
        self.at = START
        self.ask(OpenWorld("bench"))
        self.ask(supply.ApplyCatalogue((SKU,)))

    def ask(self, command: ids.Command) -> ids.Answer | ids.Refusal:
        return self.world.handle(ids.Asked(command, OPERATOR), self.at).answer

    def sign(self, count: int, sites: int) -> int:
        """Sign tranches, each for its own tenant; how many were refused because they would oversell."""
        dice = random.Random(1)
        refused = 0
        for number in range(count):
            start_at = self.at + dice.randrange(1, 730) * units.DAY_US
            unit = claims.Unit.NODE if number % 5 == 0 else claims.Unit.RACK
            racks = dice.randrange(18, 36)
            size = racks * 18 + dice.randrange(18) if unit is claims.Unit.NODE else racks
            plan = claims.TranchePlan(
                ids.TrancheId(f"t{number}"), ids.SiteId(f"s{number % sites}"), SKU.id, unit, size, start_at,
                start_at + dice.randrange(365, 1500) * units.DAY_US, 2_000_000,
            )  # fmt: skip
            signed = claims.ContractPlan(
                ids.ContractId(f"c{number}"), 1, "us", ids.TenantId(f"tenant{number}"), "USD", (plan,)
            )
            refused += isinstance(self.ask(claims.SignContract(signed)), ids.Refusal)
        return refused

    def pass_days(self, days: int) -> None:
        """Terms begin, and on each tranche that runs a gang takes half of it."""
        until = self.at + days * units.DAY_US
        while (due := self.world.next_wake()) is not None and due <= until:
            self.at = max(due, self.world.now)
            self.world.wake(self.at)
        self.at = until
        for name, held in list(self.world.state.claims.tranches.items()):
            if held.standing is claims.Standing.LIVE:
                gang = ids.GangId(f"{held.tenant}.job")
                dedicated = gangs.Tier.DEDICATED
                spec = gangs.Spec(gang, held.tenant, dedicated, SKU.id, held.gpus // 2, 86_400, tranche=name)
                self.ask(gangs.SubmitGang(spec))


def measure_racks(racks: int, tranches: int, sites: int, seconds: float) -> None:
    """Sign everything, then plan every site and have the World take it."""
    estate = Estate()
    for number in range(sites):
        estate.ask(supply.ApplySite(site(number, racks // sites)))
    began, cpu = time.perf_counter(), time.process_time()
    refused = estate.sign(tranches, sites)
    took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    print(
        f"signing, greedy binding  {took_s:.2f} s ({cpu_s:.2f} s of a processor; at most 2 s) for {tranches} tranches"
    )
    print(f"  would oversell         {refused} refused")
    estate.pass_days(100)
    state = estate.world.state
    running = sum(held.standing is claims.Standing.LIVE for held in state.claims.tranches.values())
    print(f"running by then          {running} tranches, {len(state.placements.gangs)} gangs")
    for title, limit_s in (("quick plan", 0.0), ("solved plan", seconds)):
        began = time.perf_counter()
        stocks = [Stock(ids.SiteId(f"s{number}"), SKU.id) for number in range(sites)]
        made = [
            binding.propose(
                state.claims, state.supply, stock, estate.world.work(), estate.at, seconds=limit_s / sites
            )
            for stock in stocks
        ]
        took_s = time.perf_counter() - began
        reports = [each.report for each in made]
        cost, bound = sum(each.cost for each in reports), sum(each.bound for each in reports)
        gap = 100 * (cost - bound) / cost
        print(f"{title:24} {took_s:.1f} s, cost {cost:.1f}, at least {bound:.1f}: gap {gap:.2f} %")
        print(
            f"  worst feeds, rows      {sum(r.before.worst_feed for r in reports)} -> "
            f"{sum(r.after.worst_feed for r in reports)}, {sum(r.before.worst_row for r in reports)} -> "
            f"{sum(r.after.worst_row for r in reports)} nodes"
        )
        print(
            f"  in parts, stranded     {sum(r.before.broken for r in reports)} -> "
            f"{sum(r.after.broken for r in reports)} racks, {sum(r.before.stranded for r in reports)} -> "
            f"{sum(r.after.stranded for r in reports)} nodes"
        )
        print(
            f"  moves                  {sum(r.moved for r in reports)} nodes of running tranches, "
            f"{sum(r.work_moved for r in reports)} with work; short {sum(r.after.short for r in reports)}"
        )
    began = time.perf_counter()
    for each in made:
        if each.command is not None:
            answer = estate.ask(each.command)
            assert not isinstance(answer, ids.Refusal), answer
    print(f"taken by the World       {time.perf_counter() - began:.2f} s")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--blocks", type=int, default=2000)
    parser.add_argument("--racks", type=int, default=14_000)
    parser.add_argument("--tranches", type=int, default=500)
    parser.add_argument("--sites", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=50.0)
    options = parser.parse_args()
    measure_dates(options.blocks)
    measure_racks(options.racks, options.tranches, options.sites, options.seconds)


if __name__ == "__main__":
    main()
