"""How fast does the real World come back? A million events made by the twin, folded whole and from a snapshot.

    python benchmarks/world.py [--events 1000000] [--gpus 4096] [--folder DIR]

The work is synthetic: gangs of 1 to 64 GPUs on demand and on spot, about 85 % load, four events each; now and then a
node fails and comes back. Prints the size of the journal, the time to fold it whole and from a snapshot, each in a
process of its own, as after a restart, and where the time of an event goes.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from forebay.core import claims, ids, money, supply, units
from forebay.core.placements import gang as gangs
from forebay.core.world import OpenWorld, World
from forebay.engines.simulated import Fate, SimulatedEngine
from forebay.journals.sqlite import SqliteJournal
from forebay.loop import codec, snapshot
from forebay.loop.replay import Replay
from forebay.twin.clock import VirtualClock
from forebay.twin.driver import Twin

OPERATOR = ids.Principal("bench", ids.Role.OPERATOR)
START = 1_800_000_000 * units.SECOND_US
SKU = supply.Sku(ids.SkuId("hgx8"), "Eight-GPU nodes", 8, 4, 40_000, 10_000, 700, 4)


def plant(gpus: int) -> list[ids.Command]:
    """One site, four tenants on demand and on spot, one tranche that lends."""
    racks = tuple(
        supply.RackPlan(ids.RackId(f"r{place:05d}"), SKU.id, ids.FeedId("feed"))
        for place in range(gpus // 32)
    )
    site = supply.SitePlan(
        ids.SiteId("site"), "Bench", "none", "US", "UTC",
        (supply.FeedPlan(ids.FeedId("feed"), len(racks) * SKU.rack_w),),
        (supply.HallPlan(ids.HallId("hall"), racks),),
    )  # fmt: skip
    prices = tuple(money.Price(tier, SKU.id, 2_000_000) for tier in (gangs.Tier.ON_DEMAND, gangs.Tier.SPOT))
    tranche = claims.TranchePlan(
        ids.TrancheId("t"), site.id, SKU.id, claims.Unit.RACK, max(1, gpus // 128), START,
        START + 3650 * units.DAY_US, 1_500_000, claims.Lending(600, 500_000),
    )  # fmt: skip
    return [
        OpenWorld("bench"),
        supply.ApplyCatalogue((SKU,)),
        supply.ApplySite(site),
        money.ApplyPriceList(money.PriceList(1, "USD", 0, prices)),
        claims.SignContract(
            claims.ContractPlan(ids.ContractId("c"), 1, "us", ids.TenantId("owner"), "USD", (tranche,))
        ),
        *(
            claims.SignContract(
                claims.ContractPlan(
                    ids.ContractId(f"c{n}"),
                    1,
                    "us",
                    ids.TenantId(f"tenant{n}"),
                    "USD",
                    (),
                    on_demand=True,
                    spot=True,
                )
            )
            for n in range(4)
        ),
    ]


def record(folder: Path, events: int, gpus: int) -> None:
    """Let the twin make a journal of about so many events."""
    dice = random.Random(1)
    clock = VirtualClock(START)
    journal = SqliteJournal(folder / "journal.sqlite")
    twin = Twin(
        clock,
        SimulatedEngine(clock, lambda effect: Fate(dice.randrange(60, 7200) * units.SECOND_US)),
        journal,
    )
    for answer in twin.ask(OPERATOR, *plant(gpus)):
        assert not isinstance(answer, ids.Refusal), answer
    sizes, weights = (1, 2, 4, 8, 16, 64), (55, 15, 12, 12, 5, 1)
    mean = sum(size * weight for size, weight in zip(sizes, weights, strict=True)) / sum(weights)
    gap_us = int(3630 * units.SECOND_US * mean / (gpus * 0.85))
    number = 0
    while twin.world.seq < events:
        # A batch at a time, as under load: one append for all that happens in it.
        batch = []
        for _ in range(64):
            number += 1
            tier = gangs.Tier.SPOT if number % 4 == 0 else gangs.Tier.ON_DEMAND
            tenant = ids.TenantId(f"tenant{number % 4}")
            spec = gangs.Spec(
                ids.GangId(f"{tenant}.job{number}"),
                tenant,
                tier,
                SKU.id,
                dice.choices(sizes, weights)[0],
                86_400,
            )
            batch.append(ids.Asked(gangs.SubmitGang(spec), OPERATOR))
        clock.advance_to(clock.now() + 64 * gap_us)
        if number // 64 % 50 == 0:
            batch.append(ids.Asked(_health(number // 3200, gpus), OPERATOR))
        twin.step(*batch)
    journal.close()


def _health(turn: int, gpus: int) -> supply.ReportNodeHealth:
    """A node fails in every even turn, and is well again in the next."""
    node = ids.NodeIndex(turn // 2 * 37 % (gpus // SKU.gpus_per_node))
    return supply.ReportNodeHealth(node, bool(turn % 2), "bench", 0)


def fold(folder: Path, snapshots: Path | None) -> None:
    """Bring the World back, and print how long that took, and how long its parts and its check take."""
    journal = SqliteJournal(folder / "journal.sqlite")
    began = time.perf_counter()
    folded = Replay(World, snapshots if snapshots and snapshots.exists() else None).latest(journal)
    took_s = time.perf_counter() - began
    seq = folded.world.seq
    if snapshots is not None and snapshots.exists():
        print(f"back from the snapshot  {took_s:.2f} s (at most 2 s)")
        journal.close()
        return
    print(
        f"fold of all             {took_s:.2f} s, {took_s / seq * 1e6:.2f} us an event (at most 10 s a million)"
    )
    began = time.perf_counter()
    for _ in codec.Walk(journal.read(), 0, codec.GENESIS):
        pass
    print(f"  of it reading, chain  {time.perf_counter() - began:.2f} s")
    began = time.perf_counter()
    folded.world.next_wake()
    print(f"index, queue, due times {time.perf_counter() - began:.2f} s, at the first question")
    if snapshots is not None:
        began = time.perf_counter()
        snapshot.write(snapshots, folded.world, folded.digest)
        print(f"writing a snapshot      {time.perf_counter() - began:.2f} s")
    began = time.perf_counter()
    folded.world.check()
    print(f"check() of all          {time.perf_counter() - began:.2f} s")
    journal.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--gpus", type=int, default=4096)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--fold", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fold is not None:
        fold(options.fold, options.fold / "snapshots")
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        began = time.perf_counter()
        record(folder, options.events, options.gpus)
        made_s = time.perf_counter() - began
        journal = SqliteJournal(folder / "journal.sqlite")
        seq, _ = journal.head()
        size = sum(path.stat().st_size for path in folder.glob("journal.sqlite*"))
        print(f"made by the twin        {seq} events in {made_s:.1f} s, {seq / made_s:,.0f} a second")
        print(
            f"size of the journal     {size / 1e6:.0f} MB, {size / seq:.0f} bytes an event (at most 400 a million)"
        )
        journal.close()
        # Twice: whole, which writes the snapshot, and from that.
        for _ in range(2):
            words = [sys.executable, __file__, "--fold", str(folder)]
            print(subprocess.run(words, check=True, capture_output=True, text=True).stdout, end="")


if __name__ == "__main__":
    main()
