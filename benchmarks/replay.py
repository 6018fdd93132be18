"""What does a replay cost, stage by stage, and beside a peer?

    python benchmarks/replay.py [--shared DIR] [--what-if 8] [--no-peer] [--long]

The synthetic trace of 100,000 jobs is made by the tool in DIR/tools (jobs on 4,000 GPUs, load 0.85, seed 1), October
2017 is in DIR/data; what is not there is skipped by name. Each replay is a process of its own: cold is all that the
process took of a processor, warm the replay alone, once forebay is imported and the trace is read.

Then what a job costs by stage, from a deterministic profile of the first 10,000 jobs, scaled to what they take
without it. Then first come, first served where only numbers of GPUs count, whose mean wait is published; the peer
AccaSim, from PyPI into an environment of its own; and many what-if replays by forked workers. With --long also a
contended run of 1,000,000 jobs on 300,000 GPUs, 10,000,000 on 1,000,000, and all of 100 what-if replays.
"""

from __future__ import annotations

import argparse
import cProfile
import itertools
import json
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from forebay.twin import asked, replay, side_by_side, trace

ROOT = Path(__file__).resolve().parents[1]
#: What published simulators give, seconds.
FIFO_MEAN_S = 19_072.93
#: The first that a file's path contains is its stage.
STAGES = (
    ("trace and jobs", ("twin/trace", "twin/formats", "twin/mapping")),
    ("report", ("twin/measures", "twin/tallies", "twin/report")),
    ("driver and replay", ("twin/",)),
    ("loop", ("loop/loop",)),
    ("codec and digest", ("loop/codec", "journals/", "msgspec", "_hashlib", "sha256", "to_bytes")),
    ("engine", ("engines/",)),
    ("pass: who goes first", ("placements/ordering", "placements/backfill", "placements/queue", "placements/ends")),
    ("place: search and index", ("placements/search", "placements/index")),
    ("submit and reports", ("placements/schedule", "core/claims", "core/ids")),
    ("placements recorded, due times", ("placements/", "core/timeline")),
    ("usage and prices", ("core/usage", "core/books", "core/money")),
    ("World", ("core/",)),
)  # fmt: skip


class Case(NamedTuple):
    """One replay as a command line, and what is aimed at."""

    name: str
    trace: Path
    words: tuple[str, ...]
    target: str


def measured(words: list[str]) -> tuple[dict[str, Any], float, float]:
    """What a process of forebay prints, the CPU-seconds that it took, and its most memory in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "forebay.cli.main", "replay", *words, "--json", "--quiet"]
    ran = subprocess.run(command, check=True, capture_output=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(ran.stdout), cpu_s, after.ru_maxrss / 1000


def show(cases: list[Case]) -> None:
    """Replay each, and print a line."""
    print(
        f"{'':44} {'jobs':>10} {'cold':>8} {'warm':>8} {'a job':>8} {'mean wait':>10} {'memory':>8}  target"
    )
    for case in cases:
        if not case.trace.is_file():
            print(f"{case.name:44} not run: {case.trace.name} is not there")
            continue
        report, cpu_s, most_mb = measured([str(case.trace), *case.words])
        warm_s, a_job_us = report["machine"]["cpu_s"], cpu_s / report["jobs"] * 1e6
        print(
            f"{case.name:44} {report['jobs']:10,} {cpu_s:6.1f} s {warm_s:6.1f} s {a_job_us:5.0f} us"
            f" {report['wait_s']['mean']:8,} s {most_mb:5,.0f} MB  {case.target}",
            flush=True,
        )


def stages(path: Path, policy: str) -> None:
    """Microseconds a job, stage by stage."""
    setup = asked.ReplayWords(gpus=4000, policy=policy).setup()
    read_s = time.process_time()
    jobs = trace.Trace(path)
    read_s = time.process_time() - read_s
    replay.run_trace(jobs, setup)  # warm
    plain_s = min(replay.run_trace(jobs, setup).cpu_s for _ in range(3))
    profile = cProfile.Profile()
    profile.enable()
    replay.run_trace(jobs, setup)
    profile.disable()
    spent: dict[str, float] = dict.fromkeys(
        [*(name for name, _ in STAGES), "built-in functions, and the rest"], 0
    )
    stats: Any = pstats.Stats(profile)
    for (file, _, function), (_, _, own_s, _, callers) in stats.stats.items():
        if file == "~":
            # Of a built-in function, to whoever called it.
            for (caller, _, _), (_, _, their_s, _) in callers.items():
                spent[_stage(caller, function)] += their_s
        else:
            spent[_stage(file, function)] += own_s
    whole_s = sum(spent.values())
    plain_us, read_us = plain_s / jobs.count * 1e6, read_s / jobs.count * 1e6
    print(f"what a job costs, {policy}: {plain_us:.0f} us, and {read_us:.1f} to read it")
    for name, own_s in spent.items():
        print(f"  {name:34} {own_s / whole_s * plain_us:6.1f} us")


def _stage(file: str, function: str) -> str:
    for name, parts in STAGES:
        if any(part in function for part in parts[3:]) or any(part in file for part in parts):
            return name
    return "built-in functions, and the rest"


def peer(path: Path, script: Path, folder: Path) -> None:
    """AccaSim, which takes a trace and a policy by the same name."""
    home = folder / "accasim"
    try:
        venv.create(home, with_pip=True)
        subprocess.run(
            [home / "bin" / "pip", "install", "-q", "accasim==1.1.3", "numpy"],
            check=True,
            capture_output=True,
            timeout=300,
        )
    except (subprocess.SubprocessError, OSError) as error:
        print(f"peer AccaSim 1.1.3: not run: it cannot be installed ({type(error).__name__})")
        return
    ran = subprocess.run(
        [home / "bin" / "python", script, path, "4000", "easy"], capture_output=True, text=True, check=False
    )
    said = [
        line for line in (ran.stdout + ran.stderr).splitlines() if "waiting times" in line or "cpu_s" in line
    ]
    told = (
        ", ".join(line.split("INFO:")[-1].strip() for line in said)
        or f"it ended with status {ran.returncode}"
    )
    print(f"peer AccaSim 1.1.3, EASY, 100,000 jobs on 4,000 GPUs in nodes of 8: {told}", flush=True)


def fifo(path: Path) -> None:
    """The mean wait that AccaSim, SimPy and SimGrid agree on."""
    report = replay.run_trace(
        trace.Trace(path), asked.ReplayWords(gpus=4000, gpus_per_node=1, policy="fifo").setup()
    )
    mean_s = report.waits.total / report.waits.count / 1e6
    verdict = "the same" if round(mean_s, 2) == FIFO_MEAN_S else "NOT THE SAME"
    published = f"published {FIFO_MEAN_S:,} s: {verdict}"
    print(f"fifo, only numbers: mean wait {mean_s:,.2f} s; {published}; {report.cpu_s:.1f} CPU-s", flush=True)


def what_if(path: Path, count: int) -> None:
    """Many replays at once."""
    began = time.monotonic()
    jobs = trace.Trace(path)
    gpus = ",".join(str(4800 - 16 * place) for place in range(count))
    wanted = asked.variations(
        asked.ReplayWords(gpus=4000, policy="easy", recorded=False, measured=False), [f"gpus={gpus}"]
    )
    rows = side_by_side.run_all(jobs, [each.setup for each in wanted])
    wall_s, cpu_s = time.monotonic() - began, sum(row["cpu_s"] for row in rows)
    each = f"{cpu_s / count:.2f} CPU-s each; 100 would take {wall_s / count * 100:.0f} s (target 120 s)"
    processors = len(os.sched_getaffinity(0))
    print(f"{count} what-if replays: {wall_s:.1f} s on {processors} processors, {each}", flush=True)


def made(tool: Path, folder: Path, name: str, jobs: int, gpus: int, load: str) -> Path:
    """A synthetic trace."""
    words = [
        "--jobs",
        str(jobs),
        "--gpus",
        str(gpus),
        "--load",
        load,
        "--seed",
        "1",
        "--out",
        str(folder / name),
    ]
    subprocess.run([sys.executable, str(tool), *words], check=True, capture_output=True)
    return folder / f"{name}.swf"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--what-if", type=int, default=8, metavar="N")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--long", action="store_true")
    options = parser.parse_args()
    tool = options.shared / "tools" / "gen_trace.py"
    philly = options.shared / "data" / "jobs_philly_2017_oct_dev.parquet"
    helios = options.shared / "data" / "jobs_helios_venus_2vc_sep2020.parquet"
    if not tool.is_file():
        print(f"not run: {tool.name} is not in {options.shared}")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        synthetic = made(tool, folder, "t4k", 100_000, 4000, "0.85")
        short = folder / "t4k_10k.swf"
        with synthetic.open() as whole:
            short.write_text("".join(itertools.islice(whole, 10_008)))
        easy = ("--policy", "easy", "--gpus")
        show(
            [
                Case("100,000 jobs, EASY, 4,000 GPUs", synthetic, (*easy, "4000"), "3 s"),
                Case("the same on 100,000 GPUs", synthetic, (*easy, "100000"), "1.3 times that"),
                Case("October 2017, EASY, 1,600 GPUs", philly, (*easy, "1600"), "2 s"),
                Case("September 2020, two clusters, EASY, 256 GPUs", helios, (*easy, "256"), ""),
                Case("100,000 jobs, EASY, squeezed onto 2,000", synthetic, (*easy, "2000"), "5 s"),
            ]
        )
        stages(short, "easy")
        fifo(synthetic)
        script = options.shared / "tools" / "peer_accasim.py"
        if options.no_peer or not script.is_file():
            print("peer AccaSim 1.1.3: not run: " + ("--no-peer" if options.no_peer else f"no {script.name}"))
        else:
            peer(synthetic, script, folder)
        what_if(synthetic, 100 if options.long else options.what_if)
        if options.long:
            million = made(tool, folder, "t300k", 1_000_000, 300_000, "0.95")
            show([Case("1,000,000 jobs, EASY, 300,000 GPUs, load 0.95", million, (*easy, "300000"), "60 s")])
            million.unlink()
            most = made(tool, folder, "t1m", 10_000_000, 1_000_000, "0.85")
            show([Case("10,000,000 jobs, EASY, 1,000,000 GPUs", most, (*easy, "1000000"), "360 s, 2,000 MB")])


if __name__ == "__main__":
    main()
