"""What does it cost to explain a line of a large invoice, and how does it grow?

    python benchmarks/invoice_lines.py [--lines 100000]

A customer with work on two thousand nodes, one of each of a hundred kinds at twenty sites, and prices that change up
to fifty times in the month: one invoice with a line for each node and price. Each line is explained from the journal
(SQLite) down to the placements, which sum to it: the first one as after a start of the server, and more at random.
Seconds are those of a processor.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from forebay.core import claims, ids, money, supply, units
from forebay.core.placements import gang as gangs
from forebay.core.world import OpenWorld, World
from forebay.journals.sqlite import SqliteJournal
from forebay.loop import codec
from forebay.server import history, listening
from forebay.server.tellings import Tellings

#: What is aimed at for one line of an invoice of 100,000.
TARGET_S = 1
SKUS, SITES = 100, 20
START = 1_767_225_600 * units.SECOND_US  # the first instant of 2026
OPERATOR = ids.Principal("bench", ids.Role.OPERATOR)
ENGINE = ids.Principal("bench", ids.Role.EDGE)
TENANT = ids.TenantId("acme")


class Story:
    """A World whose records go to a journal."""

    def __init__(self, path: Path) -> None:
        self.world = World()
        self.journal = SqliteJournal(path)
        self.codec = codec.Codec(World.EVENTS)
        self.digest = codec.GENESIS
        self.at = START

    def ask(self, command: ids.Command, by: ids.Principal = OPERATOR) -> None:
        """One command, a second later."""
        self.at += units.SECOND_US
        while (due := self.world.next_wake()) is not None and due <= self.at:
            self._keep(self.world.wake(due), due)
        outcome = self.world.handle(ids.Asked(command, by), self.at)
        assert not isinstance(outcome.answer, ids.Refusal), outcome.answer
        self._keep(outcome, self.at)

    def _keep(self, outcome: ids.Outcome, at: int) -> None:
        if outcome.events:
            seq = self.world.seq - len(outcome.events)
            records = self.codec.encode(seq, self.digest, at, f"c{seq + 1}", OPERATOR, 0, outcome.events)
            self.journal.append(seq, records)
            self.digest = records[-1].digest


def month(story: Story, lines: int) -> None:
    """A month whose invoice has so many lines."""
    skus = [ids.SkuId(f"sku{number:03d}") for number in range(SKUS)]
    story.ask(OpenWorld("bench"))
    story.ask(supply.ApplyCatalogue(tuple(supply.Sku(sku, "", 8, 1, 9_000, 1_000, 1_000, 1) for sku in skus)))
    story.ask(
        claims.SignContract(claims.ContractPlan(ids.ContractId("c1"), 1, "us", TENANT, "USD", on_demand=True))
    )
    for site in range(SITES):
        racks = tuple(
            supply.RackPlan(ids.RackId(f"s{site}-r{number:03d}"), sku, ids.FeedId(f"f{site}"))
            for number, sku in enumerate(skus)
        )
        halls = (supply.HallPlan(ids.HallId(f"s{site}-h"), racks),)
        feeds = (supply.FeedPlan(ids.FeedId(f"f{site}"), 10_000_000),)
        plan = supply.SitePlan(ids.SiteId(f"s{site}"), "", "none", "US", "UTC", feeds, halls)
        story.ask(supply.ApplySite(plan))
    _prices(story, 1, skus)
    for number in range(SKUS * SITES):
        sku, place = skus[number % SKUS], ids.SiteId(f"s{number // SKUS}")
        spec = gangs.Spec(
            ids.GangId(f"acme.g{number}"), TENANT, gangs.Tier.ON_DEMAND, sku, 8, 40 * 86_400,
            sites=(place,),
        )  # fmt: skip
        story.ask(gangs.SubmitGang(spec))
        story.ask(gangs.ReportGangStarted(spec.id, 1, story.at, "sim"), ENGINE)
    for version in range(2, lines // (SKUS * SITES) + 1):
        story.at += units.HOUR_US
        _prices(story, version, skus)
    story.at += units.HOUR_US
    story.ask(money.CloseBillingPeriod("bench"))


def _prices(story: Story, version: int, skus: list[ids.SkuId]) -> None:
    listed = tuple(money.Price(gangs.Tier.ON_DEMAND, sku, 2_000_000 + version) for sku in skus)
    story.ask(money.ApplyPriceList(money.PriceList(version, "USD", 0, listed)))


def main() -> None:
    """A row for each size."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--lines", type=int, default=100_000)
    given = asked.parse_args()
    draw = random.Random(1)
    for lines in [size for size in (2_000, 10_000, 100_000) if size <= given.lines]:
        with tempfile.TemporaryDirectory() as folder:
            story = Story(Path(folder) / "journal.sqlite")
            month(story, lines)
            (head,) = story.world.state.money.invoices.values()
            tellings = Tellings(story.journal, story.codec)
            gc.collect()
            gc.freeze()  # as the server does once it has started
            gc.set_threshold(*listening.COLLECT_AFTER)
            spent: list[float] = []
            for n in [1, *draw.sample(range(1, head.lines + 1), 200)]:
                start = time.process_time()
                told = history.explain_line(tellings, head, head.seq, n, OPERATOR)
                spent.append(time.process_time() - start)
                assert len(told["placements"]) == 1 or told["line"]["kind"] == "rounding"
            first, rest = spent[0], sorted(spent[1:])
            print(
                f"{head.lines:>8,} lines  {story.world.seq:>7,} records  the first {first:5.2f} s  then "
                f"{rest[100] * 1e3:6.3f} ms, at most {rest[-1] * 1e3:6.3f} ms",
                flush=True,
            )
            story.journal.close()
            if lines == 100_000:
                print(f"asked for {TARGET_S} s: {'met' if first < TARGET_S else 'NOT MET'}", flush=True)


if __name__ == "__main__":
    main()
