"""The journal of one host: one SQLite file, written by one forebay at a time, read by any number beside it.

Write-ahead logging with `synchronous=FULL`: a commit returns when its frames are on disk. Two things keep a second
writer out. A lock file refuses it at the door, with the process id of the first. Should both be in all the same (a
lock lost, a takeover), each append checks inside its own transaction that the journal's *epoch* is still the one this
writer took when it opened; the one that came later wins, the other is fenced.

What cannot be seen from the file alone: records that are missing at the very end, such as when the write-ahead log
beside it was deleted. A snapshot, or a digest noted elsewhere, shows it. Nor does a changed byte show where SQLite
keeps nothing.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from forebay.journals import sqlite_file
from forebay.loop import codec, ports

#: Records read in one statement: short ones, because a reader holds back the truncation of the write-ahead log.
CHUNK = 2000
#: Rows in one INSERT: SQLite takes 32,766 parameters, and keeps what it has compiled for these sizes.
ROWS = (2048, 256, 32, 8, 1)
#: How long to wait for another process's short transaction, seconds.
BUSY_S = 10.0

_INSERT = {rows: "INSERT INTO records VALUES " + ", ".join(["(?, ?, ?)"] * rows) for rows in ROWS}
_HEAD = "SELECT seq, digest FROM records ORDER BY seq DESC LIMIT 1"
_READ = "SELECT seq, data, digest FROM records WHERE seq > ? ORDER BY seq LIMIT ?"
_SETTLE = "INSERT INTO meta VALUES ('settled', 1) ON CONFLICT(key) DO UPDATE SET value = value + 1"
_FENCE = "SELECT (SELECT value FROM meta WHERE key = 'epoch'), (SELECT max(seq) FROM records)"


class SqliteReader:
    """A journal opened for reading only, beside its writer or without. Raises `ports.JournalError` and its kinds."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).absolute()
        sqlite_file.check(self.path)
        self._closed = False
        #: A commit failed that may have landed.
        self._unsettled = False
        self._lock = threading.Lock()
        self._database = self._connect_read_only()

    def head(self) -> tuple[int, bytes]:
        """Sequence and digest of the last record."""
        self._assert_open()
        with self._lock:
            return self._head()

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[ports.Stored]:
        """Records with a sequence above `after`, in order, over a connection of its own."""
        self._assert_open()
        return self._read(after, limit)

    def append(self, expected_seq: int, records: Sequence[ports.Stored]) -> None:
        """Refused: this one only reads."""
        raise ports.JournalError(f"{self.path} was opened for reading only")

    def close(self) -> None:
        """Let go of the file."""
        self._closed = True
        self._database.close()

    def _head(self) -> tuple[int, bytes]:
        try:
            row = self._database.execute(_HEAD).fetchone()
        except sqlite3.Error as error:
            self._translate(error)
        return (row[0], row[1]) if row else (0, codec.GENESIS)

    def _read(self, after: int, limit: int | None) -> Iterator[ports.Stored]:
        left = limit
        rows: list[tuple[int, bytes, bytes]] = []
        try:
            database = self._connect_read_only()
            try:
                while left is None or left > 0:
                    size = CHUNK if left is None else min(left, CHUNK)
                    rows = []
                    rows.extend(database.execute(_READ, (after, size)))  # keeps what came before an error
                    yield from map(ports.Stored._make, rows)
                    if len(rows) < size:
                        return
                    after = rows[-1][0]
                    left = None if left is None else left - size
            finally:
                database.close()
        except sqlite3.Error as error:
            yield from map(ports.Stored._make, rows)
            self._translate(error, last_good_seq=rows[-1][0] if rows else after)

    def _connect_read_only(self) -> sqlite3.Connection:
        try:
            try:
                return self._connect("mode=ro")
            except sqlite3.OperationalError as error:
                # In a folder that we may not write to, SQLite cannot make the files that readers of a write-ahead log
                # share; without a log there is nothing to share.
                log = self.path.with_name(self.path.name + "-wal")
                if _primary(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) or _size(log):
                    raise
                return self._connect("immutable=1")
        except sqlite3.Error as error:
            if _primary(error) == sqlite3.SQLITE_NOTADB:
                raise ports.Unsupported(
                    f"{self.path} is not a forebay journal, or its first page is damaged"
                ) from None
            self._translate(error, last_good_seq=0)

    def _connect(
        self, how: str, factory: type[sqlite3.Connection] = sqlite3.Connection
    ) -> sqlite3.Connection:
        database = sqlite3.connect(
            f"{self.path.as_uri()}?{how}",
            uri=True,
            timeout=BUSY_S,
            isolation_level=None,
            check_same_thread=False,
            factory=factory,
        )
        try:
            application_id = database.execute("PRAGMA application_id").fetchone()[0]
            sqlite_file.check_ids(
                self.path, application_id, database.execute("PRAGMA user_version").fetchone()[0]
            )
        except BaseException:
            database.close()
            raise
        return database

    def _assert_open(self) -> None:
        if self._closed:
            raise ports.JournalError(f"the journal {self.path} is closed")

    def _translate(
        self, error: sqlite3.Error, *, committing: bool = False, last_good_seq: int | None = None
    ) -> NoReturn:
        """Raise what this means for a journal."""
        code, primary = getattr(error, "sqlite_errorcode", 0), _primary(error)
        if (
            primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
            or code == sqlite3.SQLITE_IOERR_SHORT_READ
        ):
            good = self._last_good_seq() if last_good_seq is None else last_good_seq
            raise ports.Damaged(f"the journal {self.path} is damaged: {error}", good) from error
        if primary == sqlite3.SQLITE_FULL:
            raise ports.Full(f"no space left for the journal {self.path}") from error
        if code in (sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_TRUNCATE, sqlite3.SQLITE_IOERR_SHMSIZE):
            # SQLite does not say why. A commit whose last frame could not be written is not one.
            raise ports.Full(
                f"the file system refused a write to the journal {self.path} (quota, file size limit or disk fault)"
            ) from error
        if primary == sqlite3.SQLITE_READONLY:
            raise ports.Full(f"the journal {self.path} is read-only") from error
        if primary == sqlite3.SQLITE_BUSY:
            raise ports.JournalError(
                f"the journal {self.path} was locked by another process for {BUSY_S:.0f} s"
            ) from error
        self._unsettled = committing
        raise ports.JournalError(f"the journal {self.path}: {error}", may_have_landed=committing) from error

    def _last_good_seq(self) -> int:
        walk = codec.Walk(self._read(0, None))
        with contextlib.suppress(ports.JournalError):
            for _ in walk:
                pass
        return walk.seq


class SqliteJournal(SqliteReader):
    """The writer. Makes the journal when there is none; raises `ports.Locked` when another process writes to it.

    With `takeover` the lock is passed over: the writer before is fenced at its next append. `factory` is the type of
    connection that writes.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        takeover: bool = False,
        factory: type[sqlite3.Connection] = sqlite3.Connection,
    ) -> None:
        self._lock_handle: int | None = None
        where = Path(path).absolute()
        if not takeover:
            self._lock_handle = sqlite_file.lock(where)
        try:
            if not where.exists():
                sqlite_file.make_journal(where)
            super().__init__(where)
            self._database.close()
            self._database = self._connect_writer(factory)
            self._epoch = self._take_epoch()
        except BaseException:
            self._unlock()
            raise

    def head(self) -> tuple[int, bytes]:
        """Sequence and digest of the last record. After an append that may have landed: settles whether it did."""
        self._assert_open()
        with self._lock:
            if self._unsettled:
                self._settle()
            return self._head()

    def append(self, expected_seq: int, records: Sequence[ports.Stored]) -> None:
        """Make all records durable, or none: one transaction, which also holds the fence."""
        self._assert_open()
        if not records:
            return
        if records[0].seq != expected_seq + 1 or records[-1].seq != expected_seq + len(records):
            raise AssertionError(f"records {records[0].seq}..{records[-1].seq} do not follow {expected_seq}")
        with self._lock:
            committing = False
            try:
                self._database.execute("BEGIN IMMEDIATE")
                self._check_fence(expected_seq)
                self._insert(records)
                committing = True
                self._database.execute("COMMIT")
                self._unsettled = False
            except sqlite3.Error as error:
                self._translate(error, committing=committing)
            finally:
                self._roll_back()

    def close(self) -> None:
        """Fold the log into the file, let go of both and of the lock."""
        if not self._closed:
            super().close()
            self._unlock()

    def _settle(self) -> None:
        # The frames of a commit that failed are in the log but count for nobody, until a crash lets recovery find
        # them whole. Another commit takes their place. It has to change something: SQLite writes no page that stays
        # as it is.
        try:
            self._database.execute(_SETTLE)
        except sqlite3.Error as error:
            self._translate(error, committing=True)
        self._unsettled = False

    def _insert(self, records: Sequence[ports.Stored]) -> None:
        # Few statements with many rows, not `executemany`: the sqlite3 module lets go of the interpreter and takes it
        # back for each row, and beside a busy thread every time costs up to a switch interval (5 ms).
        start = 0
        for rows in ROWS:
            while len(records) - start >= rows:
                part = records[start : start + rows]
                self._database.execute(_INSERT[rows], [value for record in part for value in record])
                start += rows

    def _check_fence(self, expected_seq: int) -> None:
        epoch, last = self._database.execute(_FENCE).fetchone()
        if epoch != self._epoch:
            raise ports.Fenced(f"another forebay has taken over the journal {self.path}; this one must stop")
        if (last or 0) != expected_seq:
            raise ports.Fenced(
                f"the journal {self.path} ends at record {last or 0}, not {expected_seq}: another forebay has "
                "appended; this one must stop"
            )

    def _connect_writer(self, factory: type[sqlite3.Connection]) -> sqlite3.Connection:
        if not os.access(self.path, os.W_OK):
            raise ports.Full(f"the journal {self.path} is read-only")
        try:
            database = self._connect("mode=rw", factory)
        except sqlite3.Error as error:
            self._translate(error)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error as error:
            database.close()
            self._translate(error)
        return database

    def _take_epoch(self) -> int:
        take = "UPDATE meta SET value = value + 1 WHERE key = 'epoch' RETURNING value"
        try:
            row = self._database.execute(take).fetchall()
        except sqlite3.Error as error:
            self._database.close()
            self._translate(error)
        if not row:
            self._database.close()
            raise ports.Damaged(f"the journal {self.path} has lost its epoch", self._last_good_seq())
        return int(row[0][0])

    def _roll_back(self) -> None:
        if self._database.in_transaction:
            with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                self._database.execute("ROLLBACK")

    def _unlock(self) -> None:
        if self._lock_handle is not None:
            os.close(self._lock_handle)
            self._lock_handle = None


def _primary(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
