"""`forebay replay`: what would this plant have made of that trace? The twin's report, with a progress bar."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from forebay.cli import command, paper, session
from forebay.cli.failure import Failed, Status

EXAMPLES = """
    forebay replay trace.parquet --gpus 6568
    forebay replay trace.parquet --gpus 6568 --json
"""
Progress = Callable[[int, int], None]


@command.command("replay", examples=EXAMPLES)
@click.argument("trace", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--gpus", required=True, type=click.IntRange(min=1), help="GPUs of the plant, in nodes of eight."
)
def replay_command(trace: Path, gpus: int) -> None:
    """Replay a trace of jobs in the twin.

    The same World and the same loop as in a server, under a virtual clock, with a simulated engine. The same trace
    and plant give the same journal, told by its digest, on every machine. A trace is a Parquet file with a row for
    each job: job_id, submit_s, duration_s, gpus, tenant, and req_walltime_s where the cluster asked for one.
    """
    from forebay.twin import replay
    from forebay.twin.trace import TraceError

    said = session.current()
    try:
        with _bar(said) as progress:
            report = replay.run(trace, gpus, progress).as_json()
    except TraceError as error:
        raise Failed(str(error), code="bad_trace") from None
    except ValueError as error:
        raise Failed(str(error), Status.USAGE, code="usage") from None
    if said.json:
        said.emit("replay", report)
    else:
        _print(report, said)


@contextlib.contextmanager
def _bar(said: session.Session) -> Iterator[Progress]:
    """Something to call with (done, of all)."""
    if not said.progress_shown():
        yield lambda done, of: None
        return
    with click.progressbar(length=1, label="replaying", file=sys.stderr) as bar:

        def progress(done: int, of: int) -> None:
            bar.length = max(1, of)
            bar.update(done - bar.pos)

        yield progress


def _print(report: dict[str, Any], said: session.Session) -> None:
    machine = report["machine"]
    refused = f", {report['refused']:,} refused" if report["refused"] else ""
    broken = f", {paper.count(report['broken_rows'], 'broken row')} left out" if report["broken_rows"] else ""
    used, while_arriving = (
        f"{report[name] / 10_000:.2f} %" for name in ("utilisation_ppm", "utilisation_ppm_while_jobs_arrive")
    )
    pairs = [
        ("jobs", f"{report['jobs']:,}{refused}{broken}"),
        ("plant", f"{report['gpus']:,} GPUs over {paper.span(report['span_s'])}"),
        ("in use", f"{used} of all GPU-time; {while_arriving} while jobs arrived"),
        ("GPU-hours", report["gpu_hours"]),
        ("energy", f"{report['energy_kwh']:,} kWh, {report['energy_kwh_work']:,} of it for work"),
        ("invoiced", f"{report['invoiced_total']} {report['currency']} to {len(report['invoiced'])} tenants"),
        ("journal", f"{report['events']:,} records, digest {report['digest']}"),
        ("took", f"{machine['wall_s']} s, {machine['cpu_s']} s of a processor"),
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
