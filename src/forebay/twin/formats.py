"""How is a trace written? Parquet, the Standard Workload Format (SWF), or what `sacct` prints: each as rows.

A row is `(number, name, tenant, submit_s, duration_s, gpus, walltime_s, wrong)`: its number as an editor counts lines
(rows of a Parquet file from 1), what it says, None where it says nothing that can be read, and what is wrong with the
line as a whole ("" for nothing). What is no job at all (a comment, a step of a job, one that never ran) is no row.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

TraceRow = tuple[int, object, object, float | None, float | None, float | None, float | None, str]
#: Reads a file from its beginning, any number of times.
Rows = Callable[[], Iterator[TraceRow]]


class Source(NamedTuple):
    """What reads a trace."""

    rows: Rows
    #: "row" or "line".
    counted: str
    #: Whether submissions are dates, seconds since 1970, and not seconds since the trace began.
    dated: bool


_COLUMNS = ("job_id", "submit_s", "duration_s", "gpus", "tenant")
#: Longest line that is looked at, characters: a longer one is no line of a trace.
LINE_MAX = 1_000_000
_SWF_FIELDS = 18
#: Columns that `sacct --parsable2` has to print, the better of two first.
_SACCT = {
    "job": ("JobIDRaw", "JobID"),
    "submit": ("Submit",),
    "elapsed": ("ElapsedRaw", "Elapsed"),
    "tres": ("AllocTRES", "AllocGRES", "ReqTRES", "ReqGRES"),
    "limit": ("TimelimitRaw", "Timelimit"),
    "tenant": ("Account", "User"),
    "state": ("State",),
}
_NEEDED = ("job", "submit", "elapsed", "tres", "tenant")
ASK_SACCT = "JobIDRaw,Account,Submit,ElapsedRaw,TimelimitRaw,AllocTRES,State"
#: `gres/gpu=8`, `gres/gpu:h100=8`, `gpu:8`, `gpu:tesla:2`; not `gres/gpumem`, `gres/gpuutil`.
_GPUS = re.compile(r"(?:^|[,/])gpu(:[A-Za-z][^:=,()]*)?[:=]([0-9]+)")
_CLOCK = re.compile(r"(?:([0-9]+)-)?(?:([0-9]+):)?([0-9]+):([0-9]+)(?:\.[0-9]+)?")
#: States of an attempt that another row of the same job follows, or of what has no end yet because it has no start.
_NO_RUN = ("PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESIZING", "REVOKED")
#: Limits of time that are none.
_NO_LIMIT = frozenset({"", "UNLIMITED", "PARTITION_LIMIT", "INVALID", "NONE", "INFINITE"})


class FormatError(Exception):
    """The file is none of the formats; the message says what is missing."""


def source(path: Path) -> Source:
    """What reads a trace. Raises `FormatError`."""
    with path.open("rb") as file:
        head = file.read(65_536)
    if head.startswith(b"PAR1") or path.suffix == ".parquet":
        return Source(_parquet(path), "row", dated=False)
    text = head.decode("utf-8-sig", "replace")
    first = next((line for line in text.splitlines() if line.strip()), "")
    if "|" in first and not first.startswith(";"):
        header = first.strip("\r\n").removesuffix("|").split("|")
        return Source(_sacct(path, header), "line", dated=True)
    fields = first.split()
    if first.startswith(";") or (len(fields) == _SWF_FIELDS and _number(fields[1]) is not None):
        return Source(lambda: _swf(path), "line", dated=False)
    if not first:
        raise FormatError("there is nothing in it")
    raise FormatError(
        "neither Parquet, nor the Standard Workload Format (18 numbers a line), nor what `sacct --parsable2` prints"
    )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines with their number, without blank ones. What is no UTF-8 is replaced: a bad byte breaks its line only."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        number, rest_of_line = 0, False
        while line := file.readline(LINE_MAX):
            number += not rest_of_line
            if not rest_of_line and not line.isspace():
                yield number, line
            rest_of_line = not line.endswith("\n")


def _parquet(path: Path) -> Rows:
    import duckdb  # 30 ms to import, and only this format needs it

    def connected() -> duckdb.DuckDBPyConnection:
        database = duckdb.connect()
        database.execute("SET threads = 1; SET enable_progress_bar = false")
        return database

    try:
        found = connected().execute("SELECT name FROM parquet_schema(?)", [str(path)]).fetchall()
    except duckdb.Error as error:
        raise FormatError(f"not a Parquet file ({str(error).splitlines()[0]})") from error
    columns = {name for (name,) in found}
    missing = [name for name in _COLUMNS if name not in columns]
    if missing:
        raise FormatError(f"column {missing[0]} is missing (needed: {', '.join(_COLUMNS)})")
    walltime = "try_cast(req_walltime_s AS DOUBLE)" if "req_walltime_s" in columns else "NULL"
    query = (
        "SELECT file_row_number + 1, job_id, tenant, try_cast(submit_s AS DOUBLE), try_cast(duration_s AS DOUBLE),"
        f" try_cast(gpus AS DOUBLE), {walltime}, '' FROM read_parquet(?, file_row_number = true)"
    )

    def read() -> Iterator[TraceRow]:
        try:
            answer = connected().execute(query, [str(path)])
            while batch := answer.fetchmany(10_000):
                yield from batch
        except duckdb.Error as error:
            raise FormatError(str(error).splitlines()[0]) from error

    return read


def _swf(path: Path) -> Iterator[TraceRow]:
    """Fields of SWF version 2.2, from 1: job, submission, wait, run time, processors allocated, ..., 8 processors
    requested, 9 requested time, 10 memory, 11 status, 12 user."""
    for number, line in _lines(path):
        field = line.split()
        if field[0][0] == ";":
            continue
        if len(field) != _SWF_FIELDS:
            wrong = f"it has {len(field)} fields; {_SWF_FIELDS} numbers are meant"
            yield number, field[0], "", None, None, None, None, wrong
            continue
        try:
            submit_s, run_s, gpus, limit_s = (
                float(field[1]), float(field[3]), float(field[4]), float(field[8]),
            )  # fmt: skip
            if gpus == -1:
                gpus = float(field[7])
        except ValueError as error:
            yield number, field[0], "", None, None, None, None, f"{error}"
            continue
        if run_s <= 0 and field[10] == "5":
            continue  # cancelled before it began
        yield (
            number, field[0], f"u{field[11]}", submit_s, None if run_s == -1 else run_s,
            None if gpus == -1 else gpus, limit_s, "",
        )  # fmt: skip


def _sacct(path: Path, header: list[str]) -> Rows:
    names = [name.strip() for name in header]
    chosen = {what: next((name for name in known if name in names), "") for what, known in _SACCT.items()}
    missing = [_SACCT[what][0] for what in _NEEDED if not chosen[what]]
    if missing:
        raise FormatError(f"column {missing[0]} is missing (ask sacct for --format={ASK_SACCT})")
    at = {what: names.index(name) for what, name in chosen.items() if name}
    job, submit, elapsed, tenant = (at[what] for what in ("job", "submit", "elapsed", "tenant"))
    of_gpus = [names.index(name) for name in _SACCT["tres"] if name in names]
    limit, state = at.get("limit", -1), at.get("state", -1)
    minutes = chosen["limit"] == "TimelimitRaw"

    def read() -> Iterator[TraceRow]:
        body = _lines(path)
        next(body, None)
        for number, line in body:
            field = line.rstrip("\r\n").split("|")
            if field[job : job + 1] and "." in field[job]:
                continue  # a step is a part of its job
            if len(field) == len(names) + 1 and not field[-1]:
                field.pop()  # sacct --parsable ends each line with a bar
            if len(field) != len(names):
                wrong = f"it has {len(field)} fields, the header {len(names)}"
                yield number, field[0], "", None, None, None, None, wrong
                continue
            gpus = next((found for place in of_gpus if (found := _gpus(field[place])) is not None), None)
            run_s = _span_s(field[elapsed])
            if gpus is None or run_s == 0 or (state >= 0 and field[state].startswith(_NO_RUN)):
                continue  # no GPU, or it never ran, or another attempt of it did
            limit_s = None if limit < 0 else _limit_s(field[limit], minutes=minutes)
            yield number, field[job], field[tenant], _instant_s(field[submit]), run_s, gpus, limit_s, ""

    return read


def _gpus(text: str) -> int | None:
    """GPUs in a list of trackable or generic resources: the whole where it stands, else the sum of its kinds."""
    kinds = None
    for kind, count in _GPUS.findall(text):
        if not kind:
            return int(count)
        kinds = (kinds or 0) + int(count)
    return kinds


def _instant_s(text: str) -> float | None:
    """A date as Slurm prints it (local time of its cluster, taken as UTC), or seconds since 1970."""
    try:
        at = datetime.datetime.fromisoformat(text)
    except ValueError:
        return _number(text)
    return (at if at.tzinfo else at.replace(tzinfo=datetime.UTC)).timestamp()


def _span_s(text: str) -> float | None:
    """Seconds, or [days-][hours:]minutes:seconds."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        return _number(text)
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _limit_s(text: str, *, minutes: bool) -> float | None:
    if text.upper() in _NO_LIMIT:
        return None
    found = _span_s(text)
    return found * 60 if minutes and found is not None and ":" not in text else found
