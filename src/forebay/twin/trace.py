"""Which jobs did a real cluster get, when? Traces as Parquet, in the Standard Workload Format, or as `sacct` prints.

One row a job: its name, submission, duration, GPUs and tenant, and its limit of time where it asked for one. Times
are seconds from the start of the trace. A row that cannot be a job is counted and left out; a file with too many of
them is refused, naming the first. What each format is read from is `formats`' matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from forebay.core.units import SECOND_US
from forebay.twin import formats

#: Rows that may be broken before the file is refused.
BROKEN_MAX = 1000
#: A century: no job was submitted later or ran longer. Not-a-number and infinity are not below it.
LATEST_S = 100 * 366 * 86_400
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


class TraceError(Exception):
    """The trace cannot be read; the message names file, row and column."""


class Job(NamedTuple):
    """One job of a trace. The true duration is for the simulated engine, never for a decision."""

    name: str
    tenant: str
    submit_us: int
    duration_us: int
    gpus: int
    #: Asked for; 0 where the trace has none.
    walltime_s: int


class Trace:
    """A trace file: `jobs` streams it in order of submission; `tenants` and `count` are known at once."""

    def __init__(self, path: Path) -> None:
        import duckdb  # 30 ms to import, and only replays need it

        if not path.is_file():
            raise TraceError(f"{path}: there is no such file")
        self.path = path
        self.broken: list[str] = []
        self._source = duckdb.connect()
        self._source.execute("SET threads = 1; SET enable_progress_bar = false")
        try:
            self._query, self._counted = formats.source(path, self._source)
            counted = self._source.execute(
                f"SELECT tenant, count(*) FROM ({self._query}) GROUP BY tenant", [str(path)]
            ).fetchall()
        except (formats.FormatError, duckdb.Error) as error:
            raise TraceError(f"{path}: {str(error).splitlines()[0]}") from error
        self.tenants = sorted({_safe(name) for name, _ in counted})
        self.count: int = sum(jobs for _, jobs in counted)

    def jobs(self) -> Iterator[Job]:
        """Every job, by submission, else as in the file. Raises `TraceError` when too many rows are broken."""
        rows = self._source.execute(
            "SELECT row, job_id, tenant, submit_s, duration_s, gpus, walltime_s"
            f" FROM ({self._query}) ORDER BY submit_s, row",
            [str(self.path)],
        )
        tenants: dict[object, str] = {}
        while batch := rows.fetchmany(10_000):
            for row, name, tenant, submit_s, duration_s, gpus, walltime_s in batch:
                wrong = _wrong(name, submit_s, duration_s, gpus)
                if wrong:
                    self.broken.append(f"{self.path}: {self._counted} {row}: {wrong}")
                    if len(self.broken) > BROKEN_MAX:
                        raise TraceError(f"{self.broken[0]} (and {BROKEN_MAX} more broken rows)")
                    continue
                safe = tenants.get(tenant)
                if safe is None:
                    safe = tenants[tenant] = _safe(tenant)
                yield Job(
                    _safe(name), safe, int(submit_s * SECOND_US), int(duration_s * SECOND_US) or 1, int(gpus),
                    int(walltime_s) if walltime_s and walltime_s > 0 else 0,
                )  # fmt: skip


def _wrong(name: object, submit_s: float | None, duration_s: float | None, gpus: float | None) -> str:
    """What keeps a row from being a job, "" when nothing does."""
    if not name:
        return "job_id is empty"
    if submit_s is None or not 0 <= submit_s < LATEST_S:
        return f"submit_s is {submit_s}; seconds from the start are meant"
    if duration_s is None or not 0 <= duration_s < LATEST_S:
        return f"duration_s is {duration_s}; seconds from 0 up are meant"
    if gpus is None or not 1 <= gpus < 1e9 or gpus != int(gpus):
        return f"gpus is {gpus}; a whole number from 1 up is meant"
    return ""


def _safe(name: object) -> str:
    """A name as an id may be spelled."""
    return _UNSAFE.sub("-", str(name))[:60].strip("-") or "none"
