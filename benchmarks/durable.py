"""How many placements a second does the whole World make durable? End to end: World, loop, codec, SQLite, engine.

    python benchmarks/durable.py [--gpus 16384] [--seconds 5] [--folder DIR]

Gangs of 1 to 64 GPUs arrive so fast that the plant stays at about 85 % load for as long as is measured; a simulated
engine starts each at once and ends it after its time. So each placement counts with its whole life: submitted,
placed, started, ended, four records, each durable (SQLite, WAL, `synchronous = FULL`) before anybody hears of it.
Time on the plant is virtual, on the disk it is not. By the number of clients that wait for their answers: so many
submissions share a commit. The last column is the processor's part; the rest is the disk.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from forebay.core import claims, ids, money, supply, units
from forebay.core.placements import gang as gangs
from forebay.core.world import OpenWorld
from forebay.engines.simulated import Fate, SimulatedEngine
from forebay.journals.digest import DigestJournal
from forebay.journals.sqlite import SqliteJournal
from forebay.loop import ports
from forebay.twin.clock import VirtualClock
from forebay.twin.driver import Twin

OPERATOR = ids.Principal("bench", ids.Role.OPERATOR)
START = 1_800_000_000 * units.SECOND_US
SKU = supply.Sku(ids.SkuId("hgx8"), "Eight-GPU nodes", 8, 4, 40_000, 10_000, 700, 4)
TENANT = ids.TenantId("tenant")
SIZES, WEIGHTS = (1, 2, 4, 8, 16, 64), (55, 15, 12, 12, 5, 1)
LASTS_S = (60, 7200)
LOAD = 0.85


class Rate(NamedTuple):
    """What one run made."""

    placements: int
    records: int
    steps: int
    wall_s: float
    cpu_s: float


def plant(gpus: int) -> list[ids.Command]:
    """One site with power for all its racks, and a contract for use on demand."""
    racks = tuple(
        supply.RackPlan(ids.RackId(f"r{place:05d}"), SKU.id, ids.FeedId("feed"))
        for place in range(gpus // 32)
    )
    site = supply.SitePlan(
        ids.SiteId("site"), "Bench", "none", "US", "UTC",
        (supply.FeedPlan(ids.FeedId("feed"), len(racks) * SKU.rack_w),),
        (supply.HallPlan(ids.HallId("hall"), racks),),
    )  # fmt: skip
    return [
        OpenWorld("bench"),
        supply.ApplyCatalogue((SKU,)),
        supply.ApplySite(site),
        money.ApplyPriceList(
            money.PriceList(1, "USD", 0, (money.Price(gangs.Tier.ON_DEMAND, SKU.id, 2_000_000),))
        ),
        claims.SignContract(
            claims.ContractPlan(ids.ContractId("c"), 1, "us", TENANT, "USD", (), on_demand=True)
        ),
    ]


def sustained(journal: ports.Journal, gpus: int, clients: int, seconds: float) -> Rate:
    """Let so many clients submit at a time, for so long, after the plant has filled up."""
    dice = random.Random(1)
    clock = VirtualClock(START)
    placed = 0

    def fate(effect: gangs.RunGang) -> Fate:
        nonlocal placed
        placed += 1
        return Fate(dice.randrange(*LASTS_S) * units.SECOND_US)

    twin = Twin(clock, SimulatedEngine(clock, fate), journal)
    for answer in twin.ask(OPERATOR, *plant(gpus)):
        assert not isinstance(answer, ids.Refusal), answer
    mean = sum(size * weight for size, weight in zip(SIZES, WEIGHTS, strict=True)) / sum(WEIGHTS)
    gap_us = int(sum(LASTS_S) / 2 * units.SECOND_US * mean / (gpus * LOAD))
    number = 0

    def step() -> None:
        nonlocal number
        batch = []
        for _ in range(clients):
            number += 1
            name, size = ids.GangId(f"job{number}"), dice.choices(SIZES, WEIGHTS)[0]
            spec = gangs.Spec(name, TENANT, gangs.Tier.ON_DEMAND, SKU.id, size, 86_400)
            batch.append(ids.Asked(gangs.SubmitGang(spec), OPERATOR))
        clock.advance_to(clock.now() + clients * gap_us)
        for answer in twin.step(*batch):
            assert not isinstance(answer, ids.Refusal), answer

    full_at = START + 2 * LASTS_S[1] * units.SECOND_US
    while clock.now() < full_at:
        step()
    before, first, steps = placed, twin.world.seq, 0
    wall, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < seconds:
        step()
        steps += 1
    took = time.perf_counter() - wall, time.process_time() - cpu
    return Rate(placed - before, twin.world.seq - first, steps, *took)


def fsyncs(folder: Path, seconds: float) -> float:
    """Page-sized appends that this disk makes durable in a second."""
    handle = os.open(folder / "fsync", os.O_RDWR | os.O_CREAT)
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        os.pwrite(handle, b"x" * 4096, count * 4096)
        os.fdatasync(handle)
        count += 1
    os.close(handle)
    return count / (time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--gpus", type=int, default=16_384)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each row")
    parser.add_argument("--folder", type=Path, help="on the disk to be measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        print(f"this disk: {fsyncs(folder, 1.0):,.0f} appends of 4 KiB made durable a second")
        print("clients  placements/s  records/s  commits/s  CPU us a placement  CPU part")
        for clients in (1, 8, 64, 512):
            journal = SqliteJournal(folder / f"journal{clients}.sqlite")
            _tell(str(clients), sustained(journal, options.gpus, clients, options.seconds))
            journal.close()
        _tell("64, no disk", sustained(DigestJournal(), options.gpus, 64, options.seconds))
    print("at least 5,000 placements a second, durable, with 64 clients")


def _tell(what: str, rate: Rate) -> None:
    a_second = (rate.placements / rate.wall_s, rate.records / rate.wall_s, rate.steps / rate.wall_s)
    told = "  ".join(f"{value:>9,.0f}" for value in a_second)
    each_us = rate.cpu_s / max(1, rate.placements) * 1e6
    print(f"{what:<12}{told}  {each_us:>18.1f}  {rate.cpu_s / rate.wall_s:>7.0%}", flush=True)


if __name__ == "__main__":
    main()
