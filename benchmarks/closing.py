"""What does the close of a month cost, and how does it grow with its lines and with the months before it?

    python benchmarks/closing.py [--lines 1000000] [--months 12]

A World with a thousand customers who use twenty kinds of racks at five sites on demand, under as many price lists
as it takes; its meters are filled as a month of use leaves them. The close through the World: what was metered, what
each line is worth, an invoice for each customer, and its posting; then what a journal keeps of it. After that months
of 20,000 lines are closed one after another, for what stays in memory. Seconds are those of a processor; each size
is a process of its own.
"""

from __future__ import annotations

import argparse
import gc
import resource
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from forebay.core import claims, ids, meters, money, supply, timeline, units
from forebay.core.placements.gang import Tier
from forebay.core.world import OpenWorld, World
from forebay.loop import codec

#: What is aimed at for a million lines.
TARGET_S = 60
SIZES = (10_000, 100_000, 1_000_000)
TENANTS, SKUS, SITES = 1_000, 20, 5
MONTH_LINES = 20_000
START = 1_767_225_600 * units.SECOND_US  # the first instant of 2026
OPERATOR = ids.Principal("bench", ids.Role.OPERATOR)


class Books:
    """A World whose meters are filled by hand, and whose periods are closed as they end."""

    def __init__(self, segments: int) -> None:
        self.world = World()
        self.at = START
        self.ask(OpenWorld("bench"))
        names = [ids.SkuId(f"sku{number:02d}") for number in range(SKUS)]
        self.ask(
            supply.ApplyCatalogue(
                tuple(supply.Sku(name, "", 8, 4, 33_000, 1_000, 1_000, 4) for name in names)
            )
        )
        for number in range(TENANTS):
            name = f"t{number:04d}"
            self.ask(
                claims.SignContract(
                    claims.ContractPlan(
                        ids.ContractId(f"{name}-1"), 1, "us", ids.TenantId(name), "USD", on_demand=True
                    )
                )
            )
        # Prices change as often within the month as segments are asked for.
        for version in range(1, segments + 1):
            listed = tuple(money.Price(Tier.ON_DEMAND, name, 2_000_000 + version) for name in names)
            self.ask(money.ApplyPriceList(money.PriceList(version, "USD", 0, listed)))
            self.at += units.HOUR_US
        self.names = names

    def ask(self, command: ids.Command) -> ids.Outcome:
        """One command, a microsecond later."""
        self.at += 1
        while (due := self.world.next_wake()) is not None and due <= self.at:
            self.world.wake(due)
        outcome = self.world.handle(ids.Asked(command, OPERATOR), self.at)
        assert not isinstance(outcome.answer, ids.Refusal), outcome.answer
        return outcome

    def fill(self, lines: int) -> None:
        """As many meters as lines, each with some hours."""
        state = self.world.state.usage
        spans = [span for span in state.spans if span.segment and span.period_start == state.period_start]
        per_span = lines // len(spans)
        for span in spans:
            for number in range(per_span):
                tenant, rest = number % TENANTS, number // TENANTS
                key = meters.Key(
                    ids.TenantId(f"t{tenant:04d}"), Tier.ON_DEMAND, ids.TrancheId(""), ids.TrancheId(""),
                    self.names[rest % SKUS], ids.SiteId(f"site{rest // SKUS % SITES}"),
                )  # fmt: skip
                used_us = 8 * units.HOUR_US + number * 1_000_003
                state.meters[key, span] = meters.Meter(0, span.start, used_us, 1 + number % 7)

    def close_month(self) -> ids.Outcome:
        """Time passes until the period is over, and it is closed by itself."""
        self.at = timeline.month_end(self.world.state.usage.period_start)
        return self.world.wake(self.at)


def memory_mb() -> float:
    """What the process takes now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


def measure(lines: int) -> None:
    """Print the row of one size."""
    books = Books(max(1, lines // (TENANTS * SKUS * SITES)))
    books.fill(lines)
    gc.collect()
    before_mb = memory_mb()
    start = time.process_time()
    outcome = books.close_month()
    close_s = time.process_time() - start
    after_mb = memory_mb()
    issued = [event for event in outcome.events if isinstance(event, money.InvoiceIssued)]
    told = sum(len(event.lines) for event in issued)
    start = time.process_time()
    records = codec.Codec(World.EVENTS).encode(0, codec.GENESIS, books.at, "c1", OPERATOR, 0, outcome.events)
    encode_s = time.process_time() - start
    size_mb = sum(len(record.data) for record in records) / 1e6
    print(
        f"{lines:>9,} lines  {len(issued):>5} invoices with {told:>9,}  close {close_s:6.2f} s  "
        f"encode {encode_s:5.2f} s  {size_mb:6.0f} MB  memory {before_mb:5.0f} MB, then {after_mb:5.0f} MB",
        flush=True,
    )
    if lines == SIZES[-1]:
        print(
            f"{'asked for':>9}  {TARGET_S} s: {'met' if close_s + encode_s < TARGET_S else 'NOT MET'}",
            flush=True,
        )


def months(count: int) -> None:
    """Print what stays in memory after each of some months."""
    books = Books(1)
    for month in range(1, count + 1):
        if month > 1:
            span = books.world.state.usage.spans[-1]
            assert span.segment, "prices go on"
        books.fill(MONTH_LINES)
        start = time.process_time()
        books.close_month()
        close_s = time.process_time() - start
        gc.collect()
        print(f"month {month:>3}: close {close_s:5.2f} s  memory {memory_mb():6.0f} MB", flush=True)


def main() -> None:
    """Each size in a process of its own, then the months."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--lines", type=int, default=SIZES[-1])
    asked.add_argument("--months", type=int, default=12)
    asked.add_argument("--one", choices=("lines", "months"))
    given = asked.parse_args()
    if given.one == "lines":
        measure(given.lines)
    elif given.one == "months":
        months(given.months)
    else:
        own = [sys.executable, __file__]
        for lines in [size for size in SIZES if size <= given.lines]:
            subprocess.run([*own, "--one", "lines", "--lines", str(lines)], check=True)
        subprocess.run([*own, "--one", "months", "--months", str(given.months)], check=True)


if __name__ == "__main__":
    main()
