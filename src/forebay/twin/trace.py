"""Which jobs did a real cluster get, when? Traces as Parquet, in the Standard Workload Format, or as `sacct` prints.

One row a job: its name, submission, duration, GPUs and tenant, and its limit of time where it asked for one. Times
are seconds from the start of the trace. A row that cannot be a job is counted and left out; a file with too many of
them is refused, before anything runs. What each format is read from is `formats`' matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from forebay.core.units import SECOND_US, counted
from forebay.twin import formats

#: Rows that may be broken before the file is refused, unless told otherwise.
BROKEN_MAX = 1000
#: So many of them are told with their line and reason.
BROKEN_LISTED = 20
#: A trace of so many jobs at the most is kept as it was read the first time; a longer one is read twice.
KEPT_MAX = 250_000
#: A century: no job was submitted later or ran longer. Not-a-number and infinity are not below it.
LATEST_S = 100 * 366 * 86_400
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


class TraceError(Exception):
    """The trace cannot be read; the message names file, row and column. `broken` are the first wrong rows."""

    def __init__(self, message: str, broken: list[BrokenRow] | None = None) -> None:
        super().__init__(message)
        self.broken = broken or []


class BrokenRow(NamedTuple):
    """A row that cannot be a job."""

    file: str
    #: "row" or "line", and its number from 1.
    counted: str
    number: int
    reason: str

    def place(self) -> str:
        """Where it is and what is wrong, without the file."""
        return f"{self.counted} {self.number}: {self.reason}"

    def __str__(self) -> str:
        return f"{self.file}: {self.place()}"


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
    """A trace file, read and checked once: `tenants`, `count`, `span_us` and what is broken are known at once, and
    `jobs` streams it in order of submission.
    """

    def __init__(self, path: Path, broken_max: int = BROKEN_MAX) -> None:
        if not path.is_file():
            raise TraceError(f"{path}: there is no such file")
        self.path = path
        #: The first rows that are broken, and how many there are.
        self.broken: list[BrokenRow] = []
        self.broken_count = 0
        self.count = 0
        #: From the first second of the trace to the last submission.
        self.span_us = 0
        self._safe: dict[object, str] = {}
        self._kept: list[Job] = []
        try:
            self._source = formats.source(path)
            in_order = self._look()
        except (formats.FormatError, OSError) as error:
            raise TraceError(f"{path}: {error}") from error
        if self.broken_count > broken_max:
            rows = counted(self.broken_count, "row")
            told = f"{rows} cannot be jobs, more than the {broken_max} that may be left out"
            raise TraceError(f"{path}: {told}; the first is {self.broken[0].place()}", self.broken)
        if not in_order or self.count <= KEPT_MAX:
            self._kept = sorted(self._kept or self._read(), key=lambda job: job.submit_us)
        self.tenants = sorted(set(self._safe.values()))

    def jobs(self) -> Iterator[Job]:
        """Every job, by submission, else as in the file."""
        return iter(self._kept) if self._kept else self._read()

    def _look(self) -> bool:
        """Go through the file once, and keep its jobs unless there are many; whether they are in order."""
        kept, count, latest_us, in_order = self._kept, 0, 0, True
        self._origin_s = self._earliest_s()
        for job in self._read(noted=True):
            count += 1
            if job.submit_us < latest_us:
                in_order = False
            else:
                latest_us = job.submit_us
            if count <= KEPT_MAX:
                kept.append(job)
            elif count == KEPT_MAX + 1:
                kept.clear()
        self.count, self.span_us = count, latest_us
        return in_order

    def _earliest_s(self) -> float:
        """When the trace begins: dates count from the earliest, seconds from its start are as they stand."""
        if not self._source.dated:
            return 0.0
        return min((row[3] for row in self._source.rows() if row[3] is not None and row[3] >= 0), default=0.0)

    def _read(self, *, noted: bool = False) -> Iterator[Job]:
        safe, origin_s = self._safe, self._origin_s
        for number, name, tenant, submit_s, duration_s, gpus, walltime_s, wrong in self._source.rows():
            if submit_s is not None:
                submit_s -= origin_s
            wrong = wrong or _wrong(name, submit_s, duration_s, gpus)
            if wrong:
                if noted:
                    self.broken_count += 1
                    if self.broken_count <= BROKEN_LISTED:
                        self.broken.append(BrokenRow(str(self.path), self._source.counted, number, wrong))
                continue
            assert submit_s is not None, "a row that is not wrong has everything"
            assert duration_s is not None, "as above"
            assert gpus is not None, "as above"
            named = safe.get(tenant)
            if named is None:
                named = safe[tenant] = safe_name(tenant or "none")
            yield Job(
                safe_name(name), named, int(submit_s * SECOND_US), int(duration_s * SECOND_US) or 1, int(gpus),
                int(walltime_s) if walltime_s and 0 < walltime_s < LATEST_S else 0,
            )  # fmt: skip


def _wrong(name: object, submit_s: float | None, duration_s: float | None, gpus: float | None) -> str:
    """What keeps a row from being a job, "" when nothing does."""
    if not name:
        return "job_id is empty"
    if submit_s is None or not 0 <= submit_s < LATEST_S:
        return f"submit_s is {_told(submit_s)}; seconds from the start are meant"
    if duration_s is None or not 0 <= duration_s < LATEST_S:
        return f"duration_s is {_told(duration_s)}; seconds from 0 up are meant"
    if gpus is None or not 1 <= gpus < 1e9 or gpus != int(gpus):
        return f"gpus is {_told(gpus)}; a whole number from 1 up is meant"
    return ""


def _told(number: float | None) -> str:
    return "missing" if number is None else f"{number:g}"


def safe_name(name: object) -> str:
    """A name as an id may be spelled."""
    text = str(name)
    if text.isalnum() and text.isascii() and len(text) <= 60:
        return text
    return _UNSAFE.sub("-", text)[:60].strip("-") or "none"
