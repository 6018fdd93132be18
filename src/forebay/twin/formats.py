"""How is a trace written? Parquet, the Standard Workload Format (SWF), or what `sacct` prints: each as one query.

The query gives the columns `row` (from 1, as an editor counts lines; rows of a Parquet file from 1), `job_id`,
`tenant`, `submit_s`, `duration_s`, `gpus`, `walltime_s`, any of which may be NULL where the file is wrong there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import duckdb

_COLUMNS = ("job_id", "submit_s", "duration_s", "gpus", "tenant")
#: Fields of SWF version 2.2, from 1: job, submission, run time, processors allocated and requested, requested time,
#: user.
_SWF = {"job_id": 1, "submit_s": 2, "run_s": 4, "allocated": 5, "asked": 8, "asked_s": 9, "user": 12}
#: Columns that `sacct --parsable2` has to print, the better of two first.
_SACCT = {
    "job": ("JobIDRaw", "JobID"),
    "submit": ("Submit",),
    "elapsed": ("ElapsedRaw", "Elapsed"),
    "tres": ("AllocTRES", "ReqTRES"),
    "limit": ("TimelimitRaw", "Timelimit"),
    "tenant": ("Account", "User"),
}
_NEEDED = ("job", "submit", "elapsed", "tres", "tenant")


class Source(NamedTuple):
    """A query whose one parameter is the file, and what it counts by."""

    query: str
    #: "row" or "line".
    counted: str


class FormatError(Exception):
    """The file is none of the formats; the message says what is missing."""


def source(path: Path, database: duckdb.DuckDBPyConnection) -> Source:
    """The query that reads a trace. Raises `FormatError`."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(b"PAR1") or path.suffix == ".parquet":
        return _parquet(path, database)
    first = next((line for line in head.decode("utf-8", "replace").splitlines() if line.strip()), "")
    if "|" in first:
        return _sacct(first.split("|"))
    fields = first.split()
    if first.startswith(";") or (len(fields) == 18 and all(_is_number(field) for field in fields)):
        return _swf()
    raise FormatError(
        "neither Parquet, nor the Standard Workload Format (18 numbers a line), nor what `sacct --parsable2` prints"
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _parquet(path: Path, database: duckdb.DuckDBPyConnection) -> Source:
    import duckdb

    try:
        found = database.execute("SELECT name FROM parquet_schema(?)", [str(path)]).fetchall()
    except duckdb.Error as error:
        raise FormatError(f"not a Parquet file ({str(error).splitlines()[0]})") from error
    columns = {name for (name,) in found}
    missing = [name for name in _COLUMNS if name not in columns]
    if missing:
        raise FormatError(f"column {missing[0]} is missing (needed: {', '.join(_COLUMNS)})")
    walltime = "req_walltime_s" if "req_walltime_s" in columns else "NULL"
    query = (
        "SELECT file_row_number + 1 AS row, job_id, coalesce(tenant, 'none') AS tenant, submit_s, duration_s, gpus, "
        f"{walltime} AS walltime_s FROM read_parquet(?, file_row_number = true)"
    )
    return Source(query, "row")


_LINES = """
    SELECT row_number() OVER () AS row, line FROM read_csv(
        ?, delim = '\x01', quote = '', escape = '', header = false, columns = {'line': 'VARCHAR'},
        null_padding = true, ignore_errors = false, max_line_size = 1000000, parallel = false)
"""


def _swf() -> Source:
    numbers = {
        name: f"try_cast(nullif(fields[{place}], '-1') AS DOUBLE)"
        for name, place in _SWF.items()
        if name != "user"
    }
    query = f"""
        SELECT row, fields[1] AS job_id, 'u' || fields[{_SWF["user"]}] AS tenant, {numbers["submit_s"]} AS submit_s,
            {numbers["run_s"]} AS duration_s, coalesce({numbers["allocated"]}, {numbers["asked"]}) AS gpus,
            {numbers["asked_s"]} AS walltime_s
        FROM (SELECT row, string_split_regex(trim(line), '\\s+') AS fields FROM ({_LINES})
              WHERE NOT starts_with(trim(coalesce(line, '')), ';') AND trim(coalesce(line, '')) <> '')
    """
    return Source(query, "line")


def _sacct(header: list[str]) -> Source:
    chosen = {what: next((name for name in names if name in header), "") for what, names in _SACCT.items()}
    missing = [_SACCT[what][0] for what in _NEEDED if not chosen[what]]
    if missing:
        raise FormatError(
            f"column {missing[0]} is missing (ask sacct for "
            "--format=JobIDRaw,Account,Submit,ElapsedRaw,TimelimitRaw,AllocTRES)"
        )
    place = {what: f"fields[{header.index(name) + 1}]" for what, name in chosen.items() if name}
    elapsed = _seconds(place["elapsed"], raw_s=chosen["elapsed"] == "ElapsedRaw")
    limit = "NULL"
    if chosen["limit"]:
        raw = chosen["limit"] == "TimelimitRaw"
        limit = f"60 * try_cast({place['limit']} AS DOUBLE)" if raw else _seconds(place["limit"], raw_s=False)
    # Steps of a job (12.batch, 12.0) are parts of it; what never ran, or had no GPU, is no job for us.
    query = f"""
        SELECT row, {place["job"]} AS job_id, coalesce(nullif({place["tenant"]}, ''), 'none') AS tenant,
            epoch(try_cast({place["submit"]} AS TIMESTAMP)) - min(epoch(try_cast({place["submit"]} AS TIMESTAMP)))
                OVER () AS submit_s,
            {elapsed} AS duration_s,
            try_cast(nullif(regexp_extract({place["tres"]}, 'gres/gpu=([0-9]+)', 1), '') AS DOUBLE) AS gpus,
            {limit} AS walltime_s
        FROM (SELECT row, string_split(line, '|') AS fields FROM ({_LINES}) WHERE row > 1 AND trim(line) <> '')
        WHERE NOT contains({place["job"]}, '.') AND {place["tres"]} LIKE '%gres/gpu=%'
            AND {elapsed} IS DISTINCT FROM 0
    """
    return Source(query, "line")


def _seconds(field: str, *, raw_s: bool) -> str:
    """SQL for a duration: seconds, or [days-]hours:minutes:seconds."""
    if raw_s:
        return f"try_cast({field} AS DOUBLE)"
    parts = f"regexp_extract({field}, '^(?:([0-9]+)-)?([0-9]+):([0-9]+):([0-9]+)$', ['d', 'h', 'm', 's'])"
    return (
        f"(coalesce(try_cast(nullif({parts}.d, '') AS DOUBLE), 0) * 86400 + try_cast({parts}.h AS DOUBLE) * 3600"
        f" + try_cast({parts}.m AS DOUBLE) * 60 + try_cast({parts}.s AS DOUBLE))"
    )
