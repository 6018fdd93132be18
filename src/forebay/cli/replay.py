"""`forebay replay`: what would this plant have made of that trace? The twin's report, and how far it is meanwhile."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forebay.cli import command, paper, session
from forebay.cli.failure import Failed, Status

if TYPE_CHECKING:
    from forebay.twin import asked

EXAMPLES = """
    forebay replay trace.parquet --gpus 6568
    forebay replay trace.swf --gpus 4000 --policy easy --report replay.html
    forebay replay trace.swf --estate examples/one_site --map jobs.yaml
    forebay replay trace.swf --gpus 4000 --faults 1
    forebay replay trace.swf --gpus 4000 --vary gpus=3200,3600,4000 --vary policy=fifo,easy
"""
#: How often it is told how far it is where no bar is shown, seconds.
TELL_S = 3.0
#: Rows of a table of tenants on a terminal; all are in the JSON and on the page.
TENANTS_SHOWN = 12
#: Broken rows that a terminal shows.
BROKEN_SHOWN = 5
Progress = Callable[[int, int], None]
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_BOTH = click.Path(exists=True, path_type=Path)


@command.command("replay", examples=EXAMPLES)
@click.argument("trace", type=_FILE)
@click.option("--gpus", default=None, type=click.IntRange(min=1), metavar="N",
              help="On a plant of so many GPUs, in whole nodes.")  # fmt: skip
@click.option("--gpus-per-node", default=8, show_default=True, type=click.IntRange(min=1, max=64),
              help="With --gpus: GPUs of a node; with 1, only numbers matter and not where they are.")  # fmt: skip
@click.option("--estate", multiple=True, type=_BOTH, metavar="FILE",
              help="On the plant of these documents: files and folders, as for apply; may be repeated.")  # fmt: skip
@click.option("--begin", "begins", default="", metavar="DATE",
              help="With --estate: when the trace begins; else as the first tranche with a date does.")  # fmt: skip
@click.option("--policy", default="", metavar="NAME|FILE",
              help="overtake, fifo, easy, easy_depth or conservative, or a file with a Policy; else that of the "
              "estate, or overtake.")  # fmt: skip
@click.option("--depth", default=None, type=click.IntRange(1, 10**6), metavar="N",
              help="With easy_depth: how many are tried behind the first that does not start (100).")  # fmt: skip
@click.option("--estimates", default="", type=click.Choice(["", "requested", "learned"]), metavar="requested|learned",
              help="Of jobs that asked for no limit of time: learn how long they run, or not; else as the policy "
              "says.")  # fmt: skip
@click.option("--price", default="2.00", show_default=True, metavar="USD",
              help="Price of a GPU-hour on demand and on spot, where no price list says it.")  # fmt: skip
@click.option("--tier", default="on_demand", show_default=True,
              type=click.Choice(["dedicated", "on_demand", "spot"]), help="By which claim jobs run.")  # fmt: skip
@click.option("--map", "mapped", type=_FILE, metavar="FILE",
              help="A TraceMap: which jobs run for which tenant, by which claim, on what.")  # fmt: skip
@click.option("--checkpoint", default="", metavar="TIME",
              help="Time between checkpoints of a job: none, or 30m with --faults.")  # fmt: skip
@click.option("--load", default="1", show_default=True, metavar="X", help="Jobs come X times as fast.")
@click.option("--power", default="100 %", show_default=True, metavar="SHARE",
              help="With --gpus: so much of the power needed at full work is there.")  # fmt: skip
@click.option("--curtail", multiple=True, metavar="FEED=SHARE:AFTER:FOR",
              help="A feed carries only so much of its limit, so long after the beginning, for so long.")  # fmt: skip
@click.option("--faults", "seed", default=None, type=click.IntRange(min=0), metavar="SEED",
              help="Let nodes, racks and feeds fail at stated rates; the same for the same seed.")  # fmt: skip
@click.option(
    "--rates", type=_FILE, metavar="FILE", help="With --faults: FailureRates other than those built in."
)
@click.option("--broken-max", default=1000, show_default=True, type=click.IntRange(min=0), metavar="N",
              help="Rows that may be broken and are left out; with more, the trace is refused.")  # fmt: skip
@click.option("--report", "page", default=None, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the report as a page with pictures (.html), or as JSON (.json).")  # fmt: skip
@click.option("--vary", multiple=True, metavar="NAME=A,B",
              help="Replay every combination, side by side: gpus, policy, depth, price, power, load, seed "
              "(also 1-20), tier, checkpoint, curtail (or none), estimates; may be repeated.")  # fmt: skip
@click.option(
    "--full", is_flag=True, help="With --vary: with digests, slowdowns and what failures cost, for more time."
)
def replay_command(
    trace: Path, gpus: int, gpus_per_node: int, estate: tuple[Path, ...], begins: str, policy: str, depth: int | None,
    price: str, tier: str, mapped: Path | None, checkpoint: str, load: str, power: str,
    curtail: tuple[str, ...], seed: int | None, estimates: str,
    rates: Path | None, broken_max: int, page: Path | None, vary: tuple[str, ...], full: bool,
) -> None:  # fmt: skip
    """Replay a trace of jobs in the twin.

    The same World and the same loop as in a server, under a virtual clock, with a simulated engine. The same trace,
    plant and seed give the same journal, told by its digest, on every machine. A trace is a Parquet file with a row
    for each job (job_id, submit_s, duration_s, gpus, tenant, and req_walltime_s where the cluster asked for one), one
    in the Standard Workload Format (.swf; processors are GPUs), or what `sacct --parsable2
    --format=JobIDRaw,Account,Submit,ElapsedRaw,TimelimitRaw,AllocTRES,State` prints.

    On an estate, tenants of the trace that no contract names get one for use on demand and on spot; a TraceMap says
    otherwise. docs/how-to/replay-a-trace.md tells more.
    """
    from forebay.core.placements.gang import Tier
    from forebay.feeds import tree
    from forebay.twin import asked
    from forebay.twin.trace import Trace, TraceError

    said = session.current()
    words = asked.ReplayWords(
        gpus or 0, gpus_per_node, tuple(estate), begins, policy, depth or 0, price, power, load, Tier(tier), mapped,
        checkpoint, seed, rates, full or not vary, full or not vary, tuple(curtail), estimates,
    )  # fmt: skip
    if page is not None and (vary or page.suffix not in (".html", ".json")):
        wrong = "one replay is written, and --vary makes many" if vary else "a file .html or .json is meant"
        raise Failed(f"--report {page}: {wrong}", Status.USAGE, code="usage")
    try:
        if vary:
            _vary(said, Trace, trace, broken_max, asked.variations(words, vary))
            return
        setup = words.setup()
        report = _replay(said, trace, broken_max, setup)
    except TraceError as error:
        errors = [{"file": row.file, row.counted: row.number, "detail": row.reason} for row in error.broken]
        raise Failed(str(error), code="bad_trace", errors=errors) from None
    except ValueError as error:
        raise Failed(str(error), Status.USAGE, code="usage") from None
    except tree.DocumentError as error:
        first = error.problems[0]
        places = [_place(problem) for problem in error.problems]
        raise Failed(first.sentence(), code=first.code, errors=places) from None
    if page is not None:
        _write(page, report)
    if said.json:
        said.emit("replay", report)
    else:
        _print(report, said)


def _replay(said: session.Session, path: Path, broken_max: int, setup: Any) -> dict[str, Any]:
    from forebay.twin import replay
    from forebay.twin.trace import Trace

    with _shown(said) as progress:
        return replay.run_trace(Trace(path, broken_max), setup, progress).as_json()


def _place(problem: Any) -> dict[str, Any]:
    found = {"file": problem.file, "line": problem.line, "column": problem.column, "pointer": problem.path}
    return {"detail": problem.detail, "code": problem.code} | {
        key: value for key, value in found.items() if value
    }


def _write(page: Path, report: dict[str, Any]) -> None:
    import json

    from forebay.twin import page as pages

    text = pages.html(report) if page.suffix == ".html" else json.dumps(report, indent=2) + "\n"
    try:
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failed(f"--report {page}: {error.strerror}") from None


def _vary(
    said: session.Session, read: Any, path: Path, broken_max: int, wanted: list[asked.Variation]
) -> None:
    """Many replays side by side, as a table."""
    from forebay.twin import side_by_side

    since = time.monotonic()
    trace = read(path, broken_max)

    def told(done: int, of: int) -> None:
        if done % max(1, of // 10) == 0:
            said.say(f"{done} of {of} replays done, {paper.span(time.monotonic() - since)}")

    rows = side_by_side.run_all(trace, [each.setup for each in wanted], told)
    wall_s = round(time.monotonic() - since, 2)
    names = list(wanted[0].values)
    runs = [{"varied": each.values} | row for each, row in zip(wanted, rows, strict=True)]
    if said.json:
        machine = {"wall_s": wall_s, "cpu_s": round(sum(row["cpu_s"] for row in rows), 2)}
        said.emit("replay.vary", {"varied": names, "runs": runs, "machine": machine})
        return
    more = [name for name in ("ettr_ppm", "restarts") if name in rows[0]]
    cells = [
        [
            *(run["varied"][name] for name in names), paper.span(run["wait_s"].get("mean", 0)),
            paper.span(run["wait_s"].get("p90", 0)), paper.span(run["wait_s"].get("max", 0)),
            f"{run['utilisation_ppm_while_jobs_arrive'] / 10_000:.1f} %", f"{run['refused']:,}",
            f"{run['energy_kwh'] / 1000:,.0f} MWh", run["invoiced_total"],
            *(f"{run[name] / 10_000:.1f} %" if name == "ettr_ppm" else f"{run[name]:,}" for name in more),
        ]
        for run in runs
    ]  # fmt: skip
    heads = (*map(str.upper, names), "WAIT MEAN", "P90", "MAX", "IN USE", "REFUSED", "ENERGY",
             f"INVOICED {rows[0]['currency']}", *(name.removesuffix("_ppm").upper() for name in more))  # fmt: skip
    click.echo(paper.table(heads, cells, right="r" * len(heads), color=said.colors()))
    click.echo(f"\n{len(runs)} replays of {trace.count:,} jobs in {wall_s:.1f} s")


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
    series, slowdown = report["series"], report["slowdown_milli"]
    most_mw, limit_mw = max(series["watts"], default=0) / 1e6, report["limit_w"] / 1e6
    most_waiting, slice_told = max(series["jobs_waiting"], default=0), paper.span(series["slice_s"])
    middle, ninth = (slowdown.get(name, 0) / 1000 for name in ("p50", "p90"))
    pairs = [
        ("policy", report["policy"]),
        ("jobs", f"{report['jobs']:,}{refused}{broken}"),
        ("plant", f"{_plant(report)} over {paper.span(report['span_s'])}"),
        ("in use", f"{used} of all GPU-time; {while_arriving} while jobs arrived"),
        ("waiting", f"{most_waiting:,} jobs at the most, as means over {slice_told}"),
        ("stranded", f"{_stranded(series)} of free GPUs stood on partly used nodes"),
        ("power", f"{most_mw:,.2f} MW at the most, of {limit_mw:,.2f} MW"),
        ("GPU-hours", paper.gpu_hours([report["gpu_hours"]])[0]),
        ("energy", f"{report['energy_kwh']:,} kWh, {report['energy_kwh_work']:,} of it for work"),
        ("invoiced", f"{report['invoiced_total']} {report['currency']} to {tenants}"),
        ("price", f"{report['price_per_gpu_hour']} {report['currency']} a GPU-hour"),
        ("slowdown", f"{middle:,.2f} in the median, {ninth:,.2f} at p90"),
        ("estimates", _estimates_text(report)),
        ("journal", f"{report['events']:,} records, digest {report['digest']}"),
        ("took", f"{machine['wall_s']:.2f} s, {machine['cpu_s']:.2f} s of a processor"),
    ]  # fmt: skip
    own_prices = report["price_per_gpu_hour"] == "0.00"
    click.echo(paper.facts([pair for pair in pairs if pair[1] and not (own_prices and pair[0] == "price")]))
    for text in (
        _waits_text({"all": report["wait_s"], **report["wait_s_by_gpus"]}, "GPUS", said),
        _waits_text(_most_jobs(report["wait_s_by_tenant"]), "TENANT", said),
        _failures_text(report, said),
        _left_out_text(report),
    ):
        if text:
            click.echo(f"\n{text}")


def _estimates_text(report: dict[str, Any]) -> str:
    told = report["estimates"]
    if not told or not told["jobs"]:
        return ""
    middle, ninth = told["p50_milli"] / 1000, told["p90_milli"] / 1000
    over = f"{100 * told['over'] / told['jobs']:.1f} %"
    ran = f"{middle:.2f} of it in the median, {ninth:.2f} at p90"
    return f"{told['jobs']:,} jobs had one: {over} ran longer, {ran}"


def _plant(report: dict[str, Any]) -> str:
    gpus: str = paper.count(report["gpus"], "GPU")
    return gpus if report["plant"] == gpus else f"{report['plant']}: {gpus}"


def _stranded(series: dict[str, Any]) -> str:
    free = sum(series["gpus_free"])
    stranded = sum(
        gpus * share for gpus, share in zip(series["gpus_free"], series["fragmentation_ppm"], strict=True)
    )
    return f"{stranded / max(1, free) / 10_000:.1f} %"


def _most_jobs(by_tenant: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    ordered = sorted(by_tenant, key=lambda each: (-by_tenant[each]["count"], each))
    return {each: by_tenant[each] for each in ordered[:TENANTS_SHOWN]}


def _waits_text(waits: dict[str, dict[str, int]], word: str, said: session.Session) -> str:
    names = ("mean", "p50", "p90", "p99", "max")
    rows = [
        [name, f"{told['count']:,}", *(paper.span(told[column]) for column in names)]
        for name, told in waits.items()
        if told
    ]
    heads = (word, "JOBS", *(f"WAIT {column.upper()}" for column in names))
    return paper.table(heads, rows, right="rrrrrrr", color=said.colors()) if rows else ""


def _failures_text(report: dict[str, Any], said: session.Session) -> str:
    told, found = report["reliability"], []
    if told["failures"]:
        rows = [
            [each["kind"], f"{each['failures']:,}", f"{each['node_hours_out']:,}", each["rate"]]
            for each in told["failures"]
        ]
        found.append(
            paper.table(
                ("FAILED", "TIMES", "NODE-HOURS OUT", "RATE"), rows, right=" rr ", color=said.colors()
            )
        )
        stopped = paper.count(told["jobs_stopped"], "job")
        of_stopped = f"{told['ettr_ppm_of_stopped'] / 10_000:.2f} % of {stopped} that were stopped"
        pairs = [
            ("ETTR", f"{told['ettr_ppm'] / 10_000:.2f} %; {of_stopped}"),
            ("goodput", f"{told['goodput_ppm'] / 10_000:.2f} % of all GPU-time"),
            ("restarts", f"{told['restarts']:,}, {told['lost_gpu_hours']} GPU-hours lost"),
        ]  # fmt: skip
        found.append(paper.facts(pairs))
    if report["stops"]:
        rows = [[each["reason"], f"{each['stops']:,}", each["lost_gpu_hours"]] for each in report["stops"]]
        found.append(
            paper.table(("STOPPED FOR", "TIMES", "GPU-HOURS LOST"), rows, right=" rr", color=said.colors())
        )
    return "\n\n".join(found)


def _left_out_text(report: dict[str, Any]) -> str:
    lines = [
        f"{each['reason']}: {paper.count(each['jobs'], 'job')} ({each['example']})"
        for each in report["refusals"]
    ]
    for each in report["broken"][:BROKEN_SHOWN]:
        counted = next(name for name in ("line", "row") if name in each)
        lines.append(f"{each['file']}: {counted} {each[counted]}: {each['detail']}")
    if report["broken_rows"] > BROKEN_SHOWN:
        lines.append(f"and {report['broken_rows'] - BROKEN_SHOWN:,} more broken rows")
    return "\n".join(lines)
