"""What do a pass over everybody, a large gang and the memory cost when a World holds a million GPUs?

    python benchmarks/fleet.py [--quick] [--order easy]

A fleet of NVL72-like racks (18 nodes of 4 GPUs) in rows of 20 and halls of 200 on one site, filled with 200,000
gangs that run, 50,000 more that wait; a tenth of it with `--quick`. All of it goes through `World.handle`, as in the
server. Then: what the World takes in memory; a full pass in which nothing fits; one after two percent of the gangs
have ended, in which thousands start; and gangs of up to 16,384 GPUs, submitted, placed and ended on a fleet with
room. Seconds are those of a processor.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from forebay.core import claims, ids, money, supply, units
from forebay.core.placements import gang as gangs
from forebay.core.world import OpenWorld, World

OPERATOR = ids.Principal("bench", ids.Role.OPERATOR)
ENGINE = ids.Principal("bench", ids.Role.EDGE)
START = 1_800_000_000 * units.SECOND_US
NODES, GPUS, ROW, HALL = 18, 4, 20, 200
RACK_W = 10_000 + NODES * GPUS * 1_400
SKU = supply.Sku(ids.SkuId("nvl72"), "", GPUS, NODES, RACK_W, 10_000, 1_400, NODES, "assumed")
TENANT = ids.TenantId("tenant")
SIZES = (1, 1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 16)


def plant(racks: int, order: gangs.Order) -> list[ids.Command]:
    """The site, its prices, a contract, the policy."""
    halls = tuple(
        supply.HallPlan(
            ids.HallId(f"h{hall}"),
            tuple(
                supply.RackPlan(
                    ids.RackId(f"r{rack:05d}"), SKU.id, ids.FeedId(f"f{hall}"), row=f"w{rack // ROW}"
                )
                for rack in range(hall * HALL, min(racks, (hall + 1) * HALL))
            ),
        )
        for hall in range(-(-racks // HALL))
    )
    feeds = (
        supply.FeedPlan(ids.FeedId("site"), racks * RACK_W),
        *(
            supply.FeedPlan(ids.FeedId(f"f{hall}"), HALL * RACK_W, ids.FeedId("site"))
            for hall in range(len(halls))
        ),
    )
    return [
        OpenWorld("bench"),
        supply.ApplyCatalogue((SKU,)),
        supply.ApplySite(supply.SitePlan(ids.SiteId("site"), "Bench", "none", "US", "UTC", feeds, halls)),
        money.ApplyPriceList(
            money.PriceList(1, "USD", 0, (money.Price(gangs.Tier.ON_DEMAND, SKU.id, 2_000_000),))
        ),
        claims.SignContract(claims.ContractPlan(ids.ContractId("c"), 1, "us", TENANT, "USD", on_demand=True)),
        gangs.ApplyPolicy(gangs.Policy(order=order)),
    ]


class Fleet:
    """A World with the engine played by hand."""

    def __init__(self, racks: int, order: gangs.Order) -> None:
        self.world = World()
        self.at = START
        self.number = 0
        self.draw = random.Random(1)
        #: Gangs that run, with their generation.
        self.running: list[tuple[ids.GangId, int]] = []
        for command in plant(racks, order):
            self.do(command)

    def do(self, command: ids.Command, by: ids.Principal = OPERATOR) -> list[ids.Event]:
        """A command, now; what it started is reported to run."""
        outcome = self.world.handle(ids.Asked(command, by), self.at)
        assert not isinstance(outcome.answer, ids.Refusal), outcome.answer
        for effect in outcome.effects:
            assert isinstance(effect, gangs.RunGang)
            started = gangs.ReportGangStarted(effect.gang, effect.generation, self.at, "bench")
            self.world.handle(ids.Asked(started, ENGINE), self.at)
            self.running.append((effect.gang, effect.generation))
        return outcome.events

    def submit(self, gpus: int) -> list[ids.Event]:
        """A gang of so many GPUs."""
        self.number += 1
        walltime_s = self.draw.randrange(600, 7 * 86_400)
        name = ids.GangId(f"tenant.job{self.number}")
        return self.do(
            gangs.SubmitGang(gangs.Spec(name, TENANT, gangs.Tier.ON_DEMAND, SKU.id, gpus, walltime_s))
        )

    def end(self, gang: ids.GangId, generation: int) -> list[ids.Event]:
        """A gang has ended."""
        ended = gangs.ReportGangEnded(gang, generation, self.at, "bench", gangs.Ending.COMPLETED)
        return self.do(ended, ENGINE)


def resident_mb() -> float:
    """Memory of this process, resident."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def whole_pass(fleet: Fleet) -> tuple[float, int]:
    """A pass over everybody, as after an end: its seconds, and how many it placed."""
    fleet.world.placed.stirred = True
    since = time.process_time()
    outcome = fleet.world.wake(fleet.at)
    return time.process_time() - since, len(outcome.effects)


def large_gangs(racks: int, order: gangs.Order) -> None:
    """Large gangs from submission to end on a fleet that is half used."""
    fleet = Fleet(racks, order)
    while fleet.number < racks * NODES * GPUS // 10:
        fleet.submit(fleet.draw.choice(SIZES))
    print("\n     gang   submitted and placed, median and p99     ended, median and p99")
    for gpus in (72, 512, 4_096, 16_384):
        if gpus > racks * NODES * GPUS // 8:
            continue
        placed, ended = [], []
        for _ in range(200 if gpus < 4_096 else 60):
            since = time.process_time()
            fleet.submit(gpus)
            placed.append(time.process_time() - since)
            gang, generation = fleet.running.pop()
            since = time.process_time()
            fleet.end(gang, generation)
            ended.append(time.process_time() - since)
        told = "".join(
            f"{sorted(each)[len(each) // 2] * 1e3:14.2f} ms {sorted(each)[len(each) * 99 // 100] * 1e3:9.2f} ms"
            for each in (placed, ended)
        )
        print(f"{gpus:9,}  {told}", flush=True)


def main() -> None:
    """Measure and print."""
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("--quick", action="store_true")
    said.add_argument("--order", default="easy", choices=[order.value for order in gangs.Order])
    asked = said.parse_args()
    order = gangs.Order(asked.order)
    racks, running, waiting = (1_400, 20_000, 5_000) if asked.quick else (14_000, 200_000, 50_000)
    before_mb = resident_mb()
    gc.disable()
    since = time.process_time()
    fleet = Fleet(racks, order)
    print(f"{racks * NODES * GPUS:,} GPUs in {racks:,} racks taken in: {time.process_time() - since:.1f} s")
    since = time.process_time()
    while len(fleet.running) < running - 1:
        fleet.submit(fleet.draw.choice(SIZES))
    # One more takes what is left, so that whoever comes now waits.
    free = sum(mask.bit_count() for mask in fleet.world.placed.index.free)
    fleet.submit(free // GPUS * GPUS)
    began, first = time.process_time(), fleet.number
    print(f"{len(fleet.running):,} gangs run: {(began - since) / first * 1e6:.0f} us each")
    while fleet.number < first + waiting:
        fleet.submit(fleet.draw.choice((*SIZES, 32, 64, 128, 512)))
    print(f"{waiting:,} more wait: {(time.process_time() - began) / waiting * 1e6:.0f} us each")
    print(f"the World in memory: {resident_mb() - before_mb:.0f} MB")
    for _ in range(3):
        spent_s, placed = whole_pass(fleet)
        print(f"a pass over everybody, nothing fits: {spent_s * 1e3:.1f} ms, {placed} placed")
    fleet.draw.shuffle(fleet.running)
    # They are recorded one after the other, and the pass comes once.
    for gang, generation in fleet.running[: running // 50]:
        ended = gangs.GangEnded(
            gang, generation, gangs.Ending.COMPLETED, fleet.at, "bench", "completed", False, 0, 0
        )
        fleet.world.apply(ended, fleet.at)
    spent_s, placed = whole_pass(fleet)
    print(f"a pass over everybody after {running // 50:,} ended: {spent_s * 1e3:.0f} ms, {placed:,} placed")
    del fleet
    gc.enable()
    large_gangs(racks, order)


if __name__ == "__main__":
    main()
