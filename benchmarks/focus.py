"""What does an export in FOCUS cost, and how does it grow?

    python benchmarks/focus.py [--rows 1000000]

An invoice of dedicated, on-demand and spot lines, with as many rows in Cost and Usage as asked for; CSV, and Parquet
made of it. Memory is what the process took more than before: rows are made one by one, and never kept. Each size is a
process of its own.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from forebay.core import money, units, usage
from forebay.core.ids import ContractId, InvoiceId, SiteId, SkuId, TenantId, TrancheId
from forebay.core.placements.gang import Tier
from forebay.exports import focus, tabular
from forebay.exports.focus_columns import FocusDataset

#: What is aimed at for a million rows.
TARGET_S = 30
SIZES = (10_000, 100_000, 1_000_000)


def billed(rows: int) -> focus.Billed:
    """An invoice whose lines become so many rows: of five, three for a tranche, one on demand, one on spot."""
    lines: list[money.Line] = []
    books: list[usage.TrancheLine] = []
    for number in range(rows // 5):
        start = number * units.SECOND_US
        for tier, price in ((Tier.DEDICATED, 2_350_000), (Tier.ON_DEMAND, 4_200_000), (Tier.SPOT, 1_500_000)):
            own = tier is Tier.DEDICATED
            used_us = 72 * units.HOUR_US + number
            exact = units.gpu_time_cost_micros(used_us, price)
            lines.append(
                money.Line(
                    tier.value, ContractId("acme-1"), 1,
                    "tranches[acme-t1].price_per_gpu_hour" if own else f"price list 1: {tier} gb300-nvl72",
                    TrancheId("acme-t1" if own else ""), tier, "gb300-nvl72", "lpp", 0 if own else 1, start,
                    start + units.HOUR_US, source_tranche=len(books) if own else -1, gpu_us=used_us,
                    energy_uj=used_us, price_micros_per_gpu_hour=price, amount_micros=exact,
                    amount_minor=units.micros_to_minor(exact, "USD"), text=f"{tier}: 72.00 GPU-h",
                )
            )  # fmt: skip
        books.append(usage.TrancheLine(TrancheId("acme-t1"), 0, 0, 36 * units.HOUR_US, 0, 0, 0))
    total = sum(line.amount_minor for line in lines)
    invoice = money.InvoiceIssued(
        InvoiceId("INV-000001"), "us", 1, TenantId("acme"), "USD", 0, units.DAY_US, tuple(lines), total, 0, total, 1
    )  # fmt: skip
    meter = usage.UsageLine(
        TenantId("acme"), Tier.SPOT, TrancheId(""), TrancheId(""), SkuId("gb300-nvl72"), SiteId("lpp"), 1, 0, 0,
        0, 1,
    )  # fmt: skip
    return focus.Billed(invoice, units.DAY_US, usage.PeriodClosed(0, units.DAY_US, (meter,), tuple(books)))


def measure(rows: int) -> None:
    """Print a line for one size."""
    bill, known = billed(rows), focus.Lookups({}, {}, {}, {}, {})
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "rows.csv", Path(folder) / "rows.parquet"
        count = itertools.count()
        start = time.process_time()
        made = (row for row, _ in zip(focus.cost_and_usage(bill, known), count, strict=False))
        with source.open("wb") as file:
            for piece in tabular.csv_pieces(FocusDataset.COST_AND_USAGE, made):
                file.write(piece)
        csv_s = time.process_time() - start
        csv_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        start = time.process_time()
        tabular.write_parquet(FocusDataset.COST_AND_USAGE, source, target)
        parquet_s = time.process_time() - start
        sizes = source.stat().st_size / 1e6, target.stat().st_size / 1e6
    print(
        f"{next(count):>10,} rows  CSV {csv_s:6.1f} s, {sizes[0]:7.1f} MB, {csv_mb - before_mb:5.0f} MB of memory"
        f" more  Parquet {parquet_s:6.1f} s, {sizes[1]:6.1f} MB",
        flush=True,
    )


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=SIZES[-1])
    parser.add_argument("--only", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only:
        measure(asked.rows)
        return
    print(f"processor seconds; {TARGET_S} s are aimed at for a million rows")
    for rows in (*(size for size in SIZES if size < asked.rows), asked.rows):
        subprocess.run([sys.executable, __file__, "--rows", str(rows), "--only"], check=True)


if __name__ == "__main__":
    main()
