"""What SQLite's errors mean for a journal. Those that take a broken disk are raised by a connection of ours."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, ClassVar

import pytest

from forebay.journals.sqlite import SqliteJournal, SqliteReader
from forebay.loop import codec, ports
from forebay.loop.inbox import LoopError
from forebay.loop.loop import Loop
from forebay.loop.replay import Replay
from forebay.twin.clock import VirtualClock
from tests.journals import records
from tests.journals.contract import JournalContract
from tests.loop import toy
from tests.loop.rig import Edge, pay


class InSqlite:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "forebay.journal"

    def writer(self, *, takeover: bool = False) -> ports.Journal:
        return SqliteJournal(self.path, takeover=takeover)

    def reader(self) -> ports.Journal:
        return SqliteReader(self.path)


class TestContract(JournalContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> InSqlite:
        return InSqlite(tmp_path)


class Flaky(sqlite3.Connection):
    """Fails so many `times` with `code` at statements that begin with `at`, before or `after` they were done."""

    at: ClassVar[str] = ""
    code: ClassVar[int] = 0
    after: ClassVar[bool] = False
    times: ClassVar[int] = 0

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if not (Flaky.times and sql.startswith(Flaky.at)):
            return super().execute(sql, *parameters)
        Flaky.times -= 1
        if Flaky.after:
            super().execute(sql, *parameters)
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = Flaky.code
        raise error


def fail(at: str, code: int, *, after: bool = False, times: int = 1) -> None:
    Flaky.at, Flaky.code, Flaky.after, Flaky.times = at, code, after, times


@pytest.fixture
def journal(tmp_path: Path) -> SqliteJournal:
    fail("", 0, times=0)
    made = SqliteJournal(tmp_path / "journal", factory=Flaky)
    made.append(0, records.first(4, 2))
    return made


@pytest.mark.parametrize(
    ("at", "code", "error", "text", "may_have_landed"),
    [
        ("BEGIN", sqlite3.SQLITE_BUSY, ports.JournalError, "locked by another process for 10 s", False),
        ("BEGIN", sqlite3.SQLITE_IOERR_SHMSIZE, ports.Full, "the file system refused a write", False),
        ("SELECT", sqlite3.SQLITE_IOERR_READ, ports.JournalError, "disk I/O error", False),
        ("SELECT", sqlite3.SQLITE_CORRUPT, ports.Damaged, "is damaged", False),
        ("SELECT", sqlite3.SQLITE_IOERR_SHORT_READ, ports.Damaged, "is damaged", False),
        ("INSERT", sqlite3.SQLITE_FULL, ports.Full, "no space left", False),
        ("INSERT", sqlite3.SQLITE_READONLY_DBMOVED, ports.Full, "is read-only", False),
        ("INSERT", sqlite3.SQLITE_IOERR_FSYNC, ports.JournalError, "disk I/O error", False),
        ("COMMIT", sqlite3.SQLITE_FULL, ports.Full, "no space left", False),
        ("COMMIT", sqlite3.SQLITE_IOERR_WRITE, ports.Full, "the file system refused a write", False),
        ("COMMIT", sqlite3.SQLITE_IOERR_FSYNC, ports.JournalError, "disk I/O error", True),
        ("COMMIT", 0, ports.JournalError, "disk I/O error", True),
    ],
)
def test_what_an_error_means(
    journal: SqliteJournal,
    at: str,
    code: int,
    error: type[ports.JournalError],
    text: str,
    may_have_landed: bool,
) -> None:
    head = journal.head()
    batch = records.after(head, 3)
    fail(at, code)
    with pytest.raises(error, match=text) as caught:
        journal.append(8, batch)
    assert type(caught.value) is error
    assert caught.value.may_have_landed == may_have_landed
    if isinstance(caught.value, ports.Damaged):
        assert caught.value.last_good_seq == 8
    # Usable again when whatever it was has passed.
    assert journal.head() == head
    journal.append(8, batch)
    assert codec.verify(journal.read()) == journal.head() == (11, batch[-1].digest)
    journal.close()


def test_a_commit_that_failed_and_landed_is_settled_by_the_next_look(journal: SqliteJournal) -> None:
    batch = records.after(journal.head(), 3)
    fail("COMMIT", sqlite3.SQLITE_IOERR_FSYNC, after=True)
    with pytest.raises(ports.JournalError) as caught:
        journal.append(8, batch)
    assert caught.value.may_have_landed
    assert journal.head() == (11, batch[-1].digest)
    journal.close()


def test_it_is_settled_by_writing_and_stays_open_until_that_works(journal: SqliteJournal) -> None:
    head = journal.head()
    fail("COMMIT", sqlite3.SQLITE_IOERR_FSYNC)
    with pytest.raises(ports.JournalError):
        journal.append(8, records.after(head, 3))
    fail("INSERT INTO meta", sqlite3.SQLITE_IOERR_FSYNC)
    with pytest.raises(ports.JournalError) as caught:
        journal.head()
    assert caught.value.may_have_landed
    fail("INSERT INTO meta", sqlite3.SQLITE_IOERR_FSYNC)
    with pytest.raises(ports.JournalError):
        journal.head()
    log = journal.path.with_name(journal.path.name + "-wal")
    before = log.stat().st_size
    assert journal.head() == head
    assert log.stat().st_size > before  # another commit stands where the failed one was
    fail("INSERT INTO meta", sqlite3.SQLITE_IOERR_FSYNC)
    assert journal.head() == head  # settled: only read
    journal.close()


@pytest.mark.parametrize("after", [False, True])
def test_a_loop_over_a_commit_that_failed(tmp_path: Path, after: bool) -> None:
    fail("", 0, times=0)
    journal = SqliteJournal(tmp_path / "journal", factory=Flaky)
    edge = Edge()
    loop = Loop(Replay(toy.World), VirtualClock(1000), journal, edge)
    loop.step([pay("a", 1)])
    fail("COMMIT", sqlite3.SQLITE_IOERR_FSYNC, after=after)
    (result,) = loop.step([pay("a", 2)])
    assert isinstance(result, LoopError)
    assert result.may_have_landed == after
    assert loop.world.state.bank.accounts[toy.AccountId("a")].amount == (3 if after else 1)
    loop.step([pay("a", 4)])
    assert Replay(toy.World).latest(journal).world.state == loop.world.state
    assert edge.said() == ["resync", "release", "resync", "release"]
    journal.close()


def test_a_million_records_of_200_bytes_would_fit_into_400_megabytes(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal")
    padding = "x" * 92
    while (head := journal.head())[0] < 20_000:
        journal.append(head[0], records.after(head, 2000, text=padding))
    sizes = [len(each.data) for each in journal.read()]
    assert 195 < sum(sizes) / len(sizes) < 215
    journal.close()
    assert (tmp_path / "journal").stat().st_size * 50 < 400e6
