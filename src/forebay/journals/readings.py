"""Readings of one host: a SQLite file beside the journal. Stored first, recorded second.

A reading is known by its source and id. Of the energy counter of each meter, what was counted is kept hour by hour
(`intervals`): readings that follow the last one add to it, others make the hours they touch anew from all that is
stored, with the same result. Hours of nodes that changed wait in one *pending* batch until the journal has them.
"""

from __future__ import annotations

import hashlib
import itertools
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from forebay.core.energy import NodeEnergy
from forebay.core.ids import NodeIndex
from forebay.core.units import HOUR_US
from forebay.journals.intervals import Cell, Point, count_up, points
from forebay.loop.ports import JournalError
from forebay.loop.readings import Batch, Metered, Reading, ReadingKind, SourceTally

#: A reading that is older than this when it comes is late.
LATE_US = HOUR_US

_TABLES = """
    CREATE TABLE IF NOT EXISTS sources(source INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE IF NOT EXISTS meters(
        meter INTEGER PRIMARY KEY, source INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
        node INTEGER NOT NULL, rating_w INTEGER NOT NULL, last_at INTEGER, last_value INTEGER, UNIQUE(kind, subject)
    );
    CREATE TABLE IF NOT EXISTS readings(
        source INTEGER NOT NULL, id TEXT NOT NULL, meter INTEGER NOT NULL, at INTEGER NOT NULL,
        value INTEGER NOT NULL, gauge INTEGER NOT NULL, PRIMARY KEY(source, id)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS by_time ON readings(meter, at, value);
    CREATE TABLE IF NOT EXISTS cells(
        meter INTEGER NOT NULL, hour INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL,
        covered_us INTEGER NOT NULL, energy_uj INTEGER NOT NULL, resets INTEGER NOT NULL, gaps INTEGER NOT NULL,
        over INTEGER NOT NULL, PRIMARY KEY(meter, hour)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS changed(meter INTEGER NOT NULL, hour INTEGER NOT NULL, PRIMARY KEY(meter, hour))
        WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS batches(
        batch INTEGER PRIMARY KEY, source INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL,
        count INTEGER NOT NULL, digest TEXT NOT NULL, recorded INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS tallies(source INTEGER NOT NULL, what TEXT NOT NULL, count INTEGER NOT NULL,
        PRIMARY KEY(source, what)) WITHOUT ROWID;
"""
_FILE = "INSERT OR IGNORE INTO readings VALUES (?, ?, ?, ?, ?, ?)"
_TALLY = "INSERT INTO tallies VALUES (?, ?, ?) ON CONFLICT(source, what) DO UPDATE SET count = count + excluded.count"
_CELL = "INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_KNOWN = 'SELECT hour, start, "end", covered_us, energy_uj, resets, gaps, over FROM cells WHERE meter = ?'
_PENDING = """
    SELECT meters.node, cells.start, cells."end", cells.covered_us, cells.energy_uj
    FROM changed JOIN cells USING (meter, hour) JOIN meters USING (meter)
    WHERE meters.node >= 0 AND meters.kind = 'energy' AND cells.start < cells."end"
    ORDER BY meters.node, cells.hour
"""
_TROUBLE = """
    SELECT sources.name, sum(resets), sum(gaps), sum(over)
    FROM cells JOIN meters USING (meter) JOIN sources USING (source) GROUP BY sources.name
"""


class _Known:
    """A meter, and what it showed last."""

    __slots__ = ("last", "meter", "rating_w", "source")

    def __init__(self, meter: int, source: int, rating_w: int, last: Point | None) -> None:
        self.meter, self.source, self.rating_w, self.last = meter, source, rating_w, last


class SqliteReadings:
    """The store. Raises `ports.JournalError` where SQLite cannot."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.RLock()
        self._known: dict[tuple[ReadingKind, str], _Known] = {}
        self._sources: dict[str, int] = {}
        try:
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute("PRAGMA cache_size = -262144")
            self._database.executescript(_TABLES)
            self._learn()
        except sqlite3.Error as error:
            raise JournalError(f"the readings in {path}: {error}") from error

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._database.close()

    def pending(self) -> Batch | None:
        """The batch that is stored and not known to be recorded."""
        with self._lock:
            row = self._database.execute(
                'SELECT batch, sources.name, start, "end", count, digest FROM batches JOIN sources USING (source) '
                "WHERE recorded = 0 ORDER BY batch LIMIT 1"
            ).fetchone()
            if row is None:
                return None
            energy = self._database.execute(_PENDING).fetchall()
        told = tuple(NodeEnergy(NodeIndex(node), *rest) for node, *rest in energy)
        return Batch._make((*row, told))

    def recorded(self, batch: int) -> None:
        """The pending batch is on the journal."""
        with self._lock, self._all_or_nothing():
            self._database.execute("UPDATE batches SET recorded = 1 WHERE batch = ?", (batch,))
            self._database.execute("DELETE FROM changed")

    def count(self, source: str, what: dict[str, int]) -> None:
        """Add to what became of the readings of a source."""
        with self._lock, self._all_or_nothing():
            self._tally(self._source(source), what)

    def tallies(self) -> list[SourceTally]:
        """What became of all readings, in order of sources."""
        with self._lock:
            rows = self._database.execute(
                "SELECT name, what, count FROM tallies JOIN sources USING (source) ORDER BY name, what"
            ).fetchall()
            trouble = self._database.execute(_TROUBLE).fetchall()
        found: dict[str, dict[str, int]] = {}
        for name, what, count in rows:
            found.setdefault(name, {})[what] = count
        for name, *counts in trouble:
            told = found.setdefault(name, {})
            told |= {what: n for what, n in zip(("reset", "gap", "over_rating"), counts, strict=True) if n}
        return [SourceTally(name, counts) for name, counts in sorted(found.items())]

    def file(self, source: str, readings: Sequence[Reading], received_at: int) -> list[str]:
        """Store what is new, durably; there must be no pending batch."""
        with self._lock:
            assert self.pending() is None, "what was stored is recorded before more is"
            try:
                with self._all_or_nothing():
                    return self._file(source, readings, received_at)
            except BaseException:
                # What is kept in memory may tell of what was rolled back.
                self._learn()
                raise

    def _file(self, source: str, readings: Sequence[Reading], received_at: int) -> list[str]:
        own = self._source(source)
        meters = {each.meter for each in readings}
        known = {meter: self._meter(own, meter) for meter in sorted(meters)}
        results = ["accepted" if known[each.meter].source == own else "other_source" for each in readings]
        rows = [
            (own, each.id, known[each.meter].meter, each.at, each.value, each.gauge)
            for each, result in zip(readings, results, strict=True)
            if result == "accepted"
        ]
        self._database.execute("SAVEPOINT rows")
        done = self._database.executemany(_FILE, rows).rowcount
        if done != len(rows):
            # Some were there already: which, is found one by one.
            self._database.execute("ROLLBACK TO rows")
            self._file_each(own, readings, known, results)
        self._database.execute("RELEASE rows")
        new = [each for each, result in zip(readings, results, strict=True) if result == "accepted"]
        counts = {what: results.count(what) for what in dict.fromkeys(results)}
        counts["late"] = sum(1 for each in new if each.at < received_at - LATE_US)
        self._meter_new(new, known, counts)
        self._tally(own, {what: n for what, n in counts.items() if n})
        if new:
            lines = [
                f"{each.id}\0{each.meter.subject}\0{each.at}\0{each.value}\0{each.gauge}\n" for each in new
            ]
            digest = hashlib.sha256("".join(lines).encode()).hexdigest()
            start, end = min(each.at for each in new), max(each.at for each in new)
            self._database.execute(
                "INSERT INTO batches VALUES (NULL, ?, ?, ?, ?, ?, 0)", (own, start, end, len(new), digest)
            )
        return results

    def _file_each(
        self, own: int, readings: Sequence[Reading], known: dict[Metered, _Known], results: list[str]
    ) -> None:
        for place, each in enumerate(readings):
            if results[place] == "accepted":
                row = (own, each.id, known[each.meter].meter, each.at, each.value, each.gauge)
                if self._database.execute(_FILE, row).rowcount != 1:
                    results[place] = "duplicate"

    # What counters counted

    def _meter_new(self, new: list[Reading], known: dict[Metered, _Known], counts: dict[str, int]) -> None:
        by_meter: dict[Metered, list[tuple[int, int]]] = {}
        for each in new:
            by_meter.setdefault(each.meter, []).append((each.at, each.value))
        cells: list[tuple[int, ...]] = []
        lasts = []
        for metered, rows in by_meter.items():
            meter = known[metered]
            shown = points(rows)
            last = meter.last
            if last is not None:
                counts["out_of_order"] = counts.get("out_of_order", 0) + sum(at < last.at for at, _ in rows)
            if metered.kind is ReadingKind.POWER:
                made = []
            elif last is None or shown[0].at > last.at:
                made = self._appended(meter, shown)
            else:
                made = self._anew(meter, shown)
            cells += [(meter.meter, *cell) for cell in made]
            if last is None or shown[-1].at >= last.at:
                meter.last = shown[-1]
                if last is not None and last.at == shown[-1].at:
                    meter.last = max(last, shown[-1])
                lasts.append((*meter.last, meter.meter))
        self._database.executemany(_CELL, cells)
        self._database.executemany(
            "INSERT OR IGNORE INTO changed VALUES (?, ?)", [(meter, hour) for meter, hour, *_ in cells]
        )
        self._database.executemany("UPDATE meters SET last_at = ?, last_value = ? WHERE meter = ?", lasts)

    def _appended(self, meter: _Known, shown: list[Point]) -> list[Cell]:
        """Readings that follow all others: what they add to the hours."""
        follow = shown if meter.last is None else [meter.last, *shown]
        cells: dict[int, Cell] = {}
        if meter.last is not None:
            hour = meter.last.at // HOUR_US
            rows = self._database.execute(f"{_KNOWN} AND hour BETWEEN ? AND ?", (meter.meter, hour - 1, hour))
            cells = {row[0]: Cell(*row) for row in rows}
        touched = count_up(cells, follow, meter.rating_w)
        return [cells[hour] for hour in sorted(touched)]

    def _anew(self, meter: _Known, shown: list[Point]) -> list[Cell]:
        """Readings among others: the hours between their neighbours, made from all that is stored."""
        before, after = (
            self._database.execute(query, (meter.meter, at)).fetchone()[0]
            for query, at in (
                ("SELECT max(at) FROM readings WHERE meter = ? AND at < ?", shown[0].at),
                ("SELECT min(at) FROM readings WHERE meter = ? AND at > ?", shown[-1].at),
            )
        )
        first_hour = (shown[0].at if before is None else before) // HOUR_US
        last_hour = max(first_hour, ((shown[-1].at if after is None else after) - 1) // HOUR_US)
        from_, to = first_hour * HOUR_US, (last_hour + 1) * HOUR_US
        rows = self._database.execute(
            "SELECT at, value FROM readings WHERE meter = :meter"
            " AND at >= coalesce((SELECT max(at) FROM readings WHERE meter = :meter AND at < :first), :first)"
            " AND at <= coalesce((SELECT min(at) FROM readings WHERE meter = :meter AND at > :last), :last)",
            {"meter": meter.meter, "first": from_, "last": to},
        ).fetchall()
        known = self._database.execute(
            f"{_KNOWN} AND hour BETWEEN ? AND ?", (meter.meter, first_hour, last_hour)
        )
        cells: dict[int, Cell] = {}
        touched = count_up(cells, points(rows), meter.rating_w)
        for hour in touched:
            if not first_hour <= hour <= last_hour:
                del cells[hour]
        for was in itertools.starmap(Cell, known):
            # What is not believed any more is told as nothing.
            now = cells.get(was.hour, Cell(was.hour, was.start, was.end, 0, 0))
            if not now.covered_us:
                cells[was.hour] = now._replace(start=was.start, end=was.end)
        return [cells[hour] for hour in sorted(cells)]

    # What is kept in memory

    def _learn(self) -> None:
        self._sources = dict(self._database.execute("SELECT name, source FROM sources"))
        rows = self._database.execute(
            "SELECT kind, subject, meter, source, rating_w, last_at, last_value FROM meters"
        )
        self._known = {
            (ReadingKind(kind), subject): _Known(
                meter, source, rating_w, None if last_at is None else Point(last_at, last_value)
            )
            for kind, subject, meter, source, rating_w, last_at, last_value in rows
        }

    def _source(self, name: str) -> int:
        if name not in self._sources:
            made = self._database.execute("INSERT INTO sources VALUES (NULL, ?) RETURNING source", (name,))
            self._sources[name] = made.fetchone()[0]
        return self._sources[name]

    def _meter(self, source: int, metered: Metered) -> _Known:
        mark = (metered.kind, metered.subject)
        if mark not in self._known:
            made = self._database.execute(
                "INSERT INTO meters VALUES (NULL, ?, ?, ?, ?, ?, NULL, NULL) RETURNING meter",
                (source, *metered),
            )
            self._known[mark] = _Known(made.fetchone()[0], source, metered.rating_w, None)
        return self._known[mark]

    def _tally(self, source: int, what: dict[str, int]) -> None:
        self._database.executemany(_TALLY, [(source, name, n) for name, n in sorted(what.items())])

    def _all_or_nothing(self) -> _Transaction:
        return _Transaction(self._database)


class _Transaction:
    """All that is written within is durable when it ends, or nothing is."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is None:
            self._database.execute("COMMIT")
        elif self._database.in_transaction:
            self._database.execute("ROLLBACK")
        if isinstance(error, sqlite3.Error):
            raise JournalError(f"the readings: {error}") from error
