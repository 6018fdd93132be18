"""How fast does `forebay` start? Commands against `python -c pass`, the median of N runs and what they take above it.

    python benchmarks/cli.py [--runs 21] [--check]

`forebay --help` should take at most 60 ms above the bare interpreter, `forebay status` at most 200 ms; with --check
the exit status is 1 when they do not. `status` asks a running server, when there is one (--state, FOREBAY_STATE).
Bytecode is cached in a folder of its own, as it is after the first start of an installed program.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = [sys.executable, "-P"]
FOREBAY = [*PYTHON, "-m", "forebay.cli.main"]
#: What is measured, and how many milliseconds above the interpreter it may take.
ROWS = (
    ("python -c pass", [*PYTHON, "-c", "pass"], None),
    ("forebay --help", [*FOREBAY, "--help"], 60),
    ("forebay --version", [*FOREBAY, "--version"], 60),
    ("forebay status", [*FOREBAY, "status"], 200),
    ("forebay jobs --json", [*FOREBAY, "jobs", "--json"], 200),
)


def measure(command: list[str], runs: int, environment: dict[str, str]) -> tuple[float, int]:
    """Median wall-clock milliseconds of a command, after one run that warms the caches, and its exit status."""
    times = []
    status = 0
    for _ in range(runs + 1):
        start = time.perf_counter()
        status = subprocess.run(command, env=environment, capture_output=True, check=False).returncode
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times[1:]), status


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=int, default=21)
    options.add_argument("--check", action="store_true", help="fail when a limit is passed")
    asked = options.parse_args()
    over = []
    with tempfile.TemporaryDirectory() as cache:
        environment = dict(os.environ, PYTHONPATH=str(ROOT / "src"), PYTHONPYCACHEPREFIX=cache)
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        base = 0.0
        print(f"{'':<22}{'median':>9}{'above':>9}{'ratio':>8}{'limit':>8}   status")
        for name, command, limit in ROWS:
            median, status = measure(command, asked.runs, environment)
            base = base or median
            above = median - base
            told = f"{limit} ms" if limit else ""
            print(f"{name:<22}{median:>6.1f} ms{above:>6.1f} ms{median / base:>8.1f}{told:>8}   {status}")
            if limit and above > limit:
                over.append(name)
    if over and asked.check:
        print(f"over their limit: {', '.join(over)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
