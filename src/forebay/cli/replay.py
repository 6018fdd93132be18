"""`forebay replay`: what would this plant have made of that trace? The twin's report, and how far it is meanwhile."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from forebay.cli import command, paper, session
from forebay.cli.failure import Failed, Status

EXAMPLES = """
    forebay replay trace.parquet --gpus 6568
    forebay replay trace.parquet --gpus 6568 --price 2.35
    forebay replay trace.swf --gpus 4000 --policy easy
    forebay replay trace.parquet --gpus 6568 --json
"""
#: How often it is told how far it is where no bar is shown, seconds.
TELL_S = 3.0
Progress = Callable[[int, int], None]


@command.command("replay", examples=EXAMPLES)
@click.argument("trace", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--gpus", required=True, type=click.IntRange(min=1), help="GPUs of the plant, in whole nodes.")
@click.option(
    "--gpus-per-node",
    default=8,
    show_default=True,
    type=click.IntRange(min=1, max=64),
    help="GPUs of a node; with 1, only numbers of GPUs matter and not where they are.",
)
@click.option(
    "--price",
    default="2.00",
    show_default=True,
    metavar="USD",
    help="Price of a GPU-hour, at which everything is invoiced.",
)
@click.option(
    "--policy",
    default="overtake",
    show_default=True,
    type=click.Choice(["overtake", "fifo", "easy", "easy_depth", "conservative"]),
    help="Who may go before the first that does not fit.",
)
@click.option(
    "--depth",
    default=100,
    show_default=True,
    type=click.IntRange(1, 10**6),
    help="With easy_depth: how many are tried behind the first that does not start.",
)
def replay_command(trace: Path, gpus: int, gpus_per_node: int, price: str, policy: str, depth: int) -> None:
    """Replay a trace of jobs in the twin.

    The same World and the same loop as in a server, under a virtual clock, with a simulated engine. The same trace
    and plant give the same journal, told by its digest, on every machine. A trace is a Parquet file with a row for
    each job (job_id, submit_s, duration_s, gpus, tenant, and req_walltime_s where the cluster asked for one), a file
    in the Standard Workload Format (.swf; processors are GPUs), or what `sacct --parsable2
    --format=JobIDRaw,Account,Submit,ElapsedRaw,TimelimitRaw,AllocTRES` prints.
    """
    from forebay.core.placements.gang import Order
    from forebay.feeds import quantities
    from forebay.twin import replay
    from forebay.twin.trace import TraceError

    said = session.current()
    try:
        price_micros = quantities.price_micros(price)
    except quantities.Malformed as error:
        raise Failed(f"--price: {error}", Status.USAGE, code="usage") from None
    try:
        with _shown(said) as progress:
            report = replay.run(
                trace, gpus, progress, price_micros, Order(policy), gpus_per_node, depth
            ).as_json()
    except TraceError as error:
        raise Failed(str(error), code="bad_trace") from None
    except ValueError as error:
        raise Failed(str(error), Status.USAGE, code="usage") from None
    if said.json:
        said.emit("replay", report)
    else:
        _print(report, said)


@contextlib.contextmanager
def _shown(said: session.Session) -> Iterator[Progress]:
    """Something to call with (done, of all): a bar on a terminal, else a line on stderr every few seconds."""
    if not said.progress_shown():
        with plain_progress(said) as progress:
            yield progress
        return
    with click.progressbar(length=1, label="replaying", file=sys.stderr) as bar:

        def progress(done: int, of: int) -> None:
            bar.length = max(1, of)
            bar.update(done - bar.pos)

        yield progress


@contextlib.contextmanager
def plain_progress(said: session.Session, every_s: float = TELL_S) -> Iterator[Progress]:
    """Lines come from a thread of their own: while the last jobs run to their end, nobody calls."""
    begun, over = time.monotonic(), threading.Event()
    told = "the trace is read"

    def progress(done: int, of: int) -> None:
        nonlocal told
        told = f"{done:,} of {of:,} jobs submitted"

    def tell() -> None:
        while not over.wait(every_s):
            said.say(f"replaying: {told}, {paper.span(time.monotonic() - begun)}")

    thread = threading.Thread(target=tell, name="progress", daemon=True)
    thread.start()
    try:
        yield progress
    finally:
        over.set()
        thread.join()


def _print(report: dict[str, Any], said: session.Session) -> None:
    machine = report["machine"]
    refused = f", {report['refused']:,} refused" if report["refused"] else ""
    broken = f", {paper.count(report['broken_rows'], 'broken row')} left out" if report["broken_rows"] else ""
    used, while_arriving = (
        f"{report[name] / 10_000:.2f} %" for name in ("utilisation_ppm", "utilisation_ppm_while_jobs_arrive")
    )
    tenants = paper.count(len(report["invoiced"]), "tenant")
    pairs = [
        ("policy", report["policy"]),
        ("jobs", f"{report['jobs']:,}{refused}{broken}"),
        ("plant", f"{paper.count(report['gpus'], 'GPU')} over {paper.span(report['span_s'])}"),
        ("in use", f"{used} of all GPU-time; {while_arriving} while jobs arrived"),
        ("GPU-hours", paper.gpu_hours([report["gpu_hours"]])[0]),
        ("energy", f"{report['energy_kwh']:,} kWh, {report['energy_kwh_work']:,} of it for work"),
        ("invoiced", f"{report['invoiced_total']} {report['currency']} to {tenants}"),
        ("price", f"{report['price_per_gpu_hour']} {report['currency']} a GPU-hour"),
        ("journal", f"{report['events']:,} records, digest {report['digest']}"),
        ("took", f"{machine['wall_s']:.2f} s, {machine['cpu_s']:.2f} s of a processor"),
    ]
    click.echo(paper.facts(pairs))
    names = ("mean", "p50", "p90", "p99", "max")
    sizes = {"all": report["wait_s"], **report["wait_s_by_gpus"]}
    rows = [[size, *(paper.span(waits[name]) for name in names)] for size, waits in sizes.items() if waits]
    if rows:
        click.echo()
        click.echo(
            paper.table(
                ("GPUS", *(f"WAIT {n.upper()}" for n in names)), rows, right="rrrrrr", color=said.colors()
            )
        )
