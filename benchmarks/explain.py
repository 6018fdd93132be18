"""What does "it cannot fit, why, and when" cost on a large fleet?

    python benchmarks/explain.py [--racks 14000] [--gangs 80000] [--rounds 200]

One World: NVL72-like racks (18 nodes of 4 GPUs) in rows of 20 and halls of 200 under feeds that bear 97 to 99 % of
what is below them, filled with gangs of 1 to 72 GPUs, each with a limit of time of its own, until nothing more fits.
Then gangs wait, of each shape one; between two questions about the large ones a gang ends and another one starts.
Microseconds of one processor for the whole explanation, as an operator reads it. Target: 10 ms.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from forebay.core import claims, ids, money, supply
from forebay.core.ids import Asked, Command, Principal, Role
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import Ending, Level, Phase, Spec, Tier
from forebay.core.units import MICROS, SECOND_US
from forebay.core.world import OpenWorld, World

NODES, GPUS, GPU_W, ROW, HALL = 18, 4, 1_400, 20, 200
RACK_W = NODES * GPUS * GPU_W
OPERATOR, EDGE = Principal("op", Role.OPERATOR), Principal("engine", Role.EDGE)
SHAPES = [(1, Level.SITE), (4, Level.SITE), (72, Level.RACK), (72, Level.SITE), (1_152, Level.ROW),
          (4_096, Level.SITE), (4_096, Level.HALL), (16_384, Level.SITE), (100_000, Level.SITE)]  # fmt: skip


class Lab:
    """A World and its clock."""

    def __init__(self) -> None:
        self.world, self.at = World(), 1_700_000_000 * SECOND_US

    def ask(self, command: Command, by: Principal = OPERATOR) -> None:
        """What is not refused."""
        answer = self.world.handle(Asked(command, by), self.at).answer
        assert not isinstance(answer, ids.Refusal), answer


def site(racks: int) -> supply.SitePlan:
    """So many racks, each row and hall on a feed."""
    feeds = [supply.FeedPlan(ids.FeedId("site"), racks * RACK_W * 97 // 100)]
    halls = []
    for hall in range(-(-racks // HALL)):
        feeds.append(supply.FeedPlan(ids.FeedId(f"h{hall}"), HALL * RACK_W * 98 // 100, ids.FeedId("site")))
        here = []
        for rack in range(hall * HALL, min(racks, (hall + 1) * HALL)):
            row = f"w{rack // ROW}"
            if rack % ROW == 0:
                feeds.append(
                    supply.FeedPlan(ids.FeedId(row), ROW * RACK_W * 99 // 100, ids.FeedId(f"h{hall}"))
                )
            here.append(supply.RackPlan(ids.RackId(f"r{rack}"), ids.SkuId("nvl72"), ids.FeedId(row), row))
        halls.append(supply.HallPlan(ids.HallId(f"hall{hall}"), tuple(here)))
    return supply.SitePlan(ids.SiteId("north"), "North", "nordics", "FI", "UTC", tuple(feeds), tuple(halls))


def filled(racks: int, most: int, draw: random.Random) -> Lab:
    """A World on which nothing more fits of what comes, or so many gangs run."""
    lab = Lab()
    lab.ask(OpenWorld("bench"))
    sku = supply.Sku(ids.SkuId("nvl72"), "", GPUS, NODES, RACK_W, 0, GPU_W, NODES, "assumed")
    lab.ask(supply.ApplyCatalogue((sku,)))
    lab.ask(supply.ApplySite(site(racks)))
    listed = tuple(money.Price(tier, sku.id, MICROS) for tier in (Tier.ON_DEMAND, Tier.SPOT))
    lab.ask(money.ApplyPriceList(money.PriceList(1, "USD", 0, listed)))
    lab.ask(
        claims.SignContract(
            claims.ContractPlan(
                ids.ContractId("c"), 1, "us", ids.TenantId("acme"), "USD", on_demand=True, spot=True
            )
        )
    )
    held, number = 0, 0
    while number < most:
        gpus = draw.choice([1, 1, 2, 4, 4, 8, 8, 16, 32, 72])
        number += 1
        lab.ask(gangs.SubmitGang(spec(f"g{number}", gpus, draw.randrange(600, 86_400))))
        if lab.world.state.placements.gangs[ids.GangId(f"g{number}")].phase is Phase.PENDING:
            lab.ask(gangs.CancelGang(ids.GangId(f"g{number}")))
            if gpus == 1:
                break
        held += gpus
    return lab


def spec(name: str, gpus: int, walltime_s: int, within: Level = Level.SITE) -> Spec:
    """A gang on demand."""
    return Spec(
        ids.GangId(name),
        ids.TenantId("acme"),
        Tier.ON_DEMAND,
        ids.SkuId("nvl72"),
        gpus,
        walltime_s,
        within=within,
    )


def main() -> None:
    """Fill, ask, and print a line for each shape."""
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("--racks", type=int, default=14_000)
    said.add_argument("--gangs", type=int, default=120_000)
    said.add_argument("--rounds", type=int, default=200)
    asked = said.parse_args()
    draw = random.Random(1)
    lab = filled(asked.racks, asked.gangs, draw)
    world = lab.world
    running = [name for name, gang in world.state.placements.gangs.items() if gang.phase is Phase.PLACED]
    gpus = asked.racks * NODES * GPUS
    print(f"{gpus:,} GPUs, {len(running):,} gangs run; microseconds an explanation")
    print(f"{'shape':>18} {'p50':>9} {'p99':>9} {'first':>10}  binding                    expected in")
    for size, within in SHAPES:
        if size > gpus // 2:
            continue
        name = ids.GangId(f"w{size}-{within}")
        lab.ask(gangs.SubmitGang(spec(name, size, 3_600, within)))
        if world.state.placements.gangs[name].phase is not Phase.PENDING:
            print(f"{size:>9} in {within:<6} fits")
            continue
        spent = []
        told: dict[str, object] = {}
        for _ in range(asked.rounds):
            gone = running.pop(draw.randrange(len(running)))
            # What is small enough to start at once where something ends is asked about as it is.
            if size >= 4_096 and (gang := world.state.placements.gangs[gone]).phase is Phase.PLACED:
                report = gangs.ReportGangEnded(gone, gang.generation, lab.at, "sim", Ending.COMPLETED)
                lab.ask(report, EDGE)
                more = ids.GangId(f"{gone}x")
                lab.ask(gangs.SubmitGang(spec(more, gang.spec.gpus, draw.randrange(600, 86_400))))
                running.append(more)
            if world.state.placements.gangs[name].phase is not Phase.PENDING:
                break
            since = time.process_time()
            answer = world.explain(name, OPERATOR)
            spent.append((time.process_time() - since) * 1e6)
            assert isinstance(answer, dict)
            told = answer
        first, spent = spent[0], sorted(spent)
        limit = told["constraint"]
        assert isinstance(limit, dict)
        start = told["expected_start"]
        when = f"{(start - lab.at) / SECOND_US:,.0f} s" if isinstance(start, int) else "never"
        print(
            f"{size:>9,} in {within:<6} {spent[len(spent) // 2]:9,.0f} {spent[len(spent) * 99 // 100]:9,.0f}"
            f" {first:10,.0f}  {limit['code']} have {limit['have']:,} need {limit['need']:,}  {when}",
            flush=True,
        )
        if world.state.placements.gangs[name].phase is Phase.PENDING:
            lab.ask(gangs.CancelGang(name))


if __name__ == "__main__":
    main()
