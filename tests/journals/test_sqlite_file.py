"""Files: whose they are, who may write, and that nothing is touched that is not ours."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from forebay.journals import sqlite_file
from forebay.journals.sqlite import SqliteJournal, SqliteReader
from forebay.loop import ports
from tests.journals import records


def journal_with(path: Path, count: int) -> None:
    journal = SqliteJournal(path)
    journal.append(0, records.first(count))
    journal.close()


def other_database(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE records(seq, data, digest)")
    database.commit()
    database.close()


def newer(path: Path) -> None:
    journal_with(path, 1)
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {sqlite_file.FORMAT + 1}")
    database.commit()
    database.close()


def older(path: Path) -> None:
    newer(path)
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 0")
    database.commit()
    database.close()


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda path: path.write_text("dear diary"), ports.Unsupported, "is not a forebay journal"),
        (
            lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(84)),
            ports.Unsupported,
            "another program",
        ),
        (other_database, ports.Unsupported, "SQLite database of another program"),
        (newer, ports.Unsupported, "has the newer format 2; this forebay knows format 1"),
        (older, ports.Unsupported, "has the unknown format 0"),
        (lambda path: path.write_bytes(b""), ports.Damaged, "is empty"),
        (lambda path: path.write_bytes(b"SQLite form"), ports.Damaged, "ends after 11 bytes"),
        (lambda path: path.mkdir(), ports.Unsupported, "is not a file"),
    ],
)
@pytest.mark.parametrize("kind", [SqliteJournal, SqliteReader])
def test_a_file_that_is_not_ours_is_refused_and_untouched(
    tmp_path: Path, make: object, error: type[Exception], text: str, kind: type[SqliteReader]
) -> None:
    path = tmp_path / "some.file"
    assert callable(make)
    make(path)
    # Not a file of this process's own making, as far as it knows.
    sqlite_file._seen.clear()
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(error, match=text):
        kind(path)
    assert (path.read_bytes() if path.is_file() else None) == before
    assert {each.name for each in tmp_path.iterdir()} <= {"some.file", "some.file.lock"}


def test_a_format_that_is_newer_only_in_the_log_is_refused_too(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal_with(path, 1)
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA user_version = 7")  # in the write-ahead log while the connection is open
    with pytest.raises(ports.Unsupported, match="newer format 7"):
        SqliteReader(path)
    database.close()


def test_a_reader_needs_a_journal_and_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(ports.JournalError, match="there is no journal at"):
        SqliteReader(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []
    journal_with(tmp_path / "journal", 1)
    reader = SqliteReader(tmp_path / "journal")
    with pytest.raises(ports.JournalError, match="reading only"):
        reader.append(1, [])
    reader.close()


def test_a_journal_is_private_and_made_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    old = os.umask(0)
    try:
        journal = SqliteJournal(path)
        journal.append(0, records.first(1))
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    finally:
        os.umask(old)
    assert modes == dict.fromkeys(["journal", "journal-wal", "journal-shm", "journal.lock"], 0o600)
    journal.close()
    assert {each.name for each in tmp_path.iterdir()} == {"journal", "journal.lock"}


def test_a_draft_that_a_crash_left_behind_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "journal.new").write_text("half made")
    journal_with(tmp_path / "journal", 2)
    assert not (tmp_path / "journal.new").exists()


def test_the_second_forebay_is_told_which_process_is_the_first(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = SqliteJournal(path)
    code = f"from forebay.journals.sqlite import SqliteJournal; SqliteJournal({str(path)!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=False
    )
    assert done.returncode == 1
    assert f"is open for writing by another forebay (process {os.getpid()})" in done.stderr
    journal.close()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr


def environment() -> dict[str, str]:
    """For a Python that sees what this one sees."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def test_opening_a_reader_does_not_drop_the_writers_locks(tmp_path: Path) -> None:
    """SQLite holds fcntl locks, which a process loses on a file when it closes any handle of it."""
    path = tmp_path / "journal"
    journal = SqliteJournal(path)
    journal.append(0, records.first(1))
    SqliteReader(path).close()
    # Another process that opens and closes it must not believe that it is the last one, and take away the log.
    code = f"import sqlite3; d = sqlite3.connect({str(path)!r}); d.execute('SELECT count(*) FROM records').fetchall()"
    subprocess.run([sys.executable, "-c", code + "; d.close()"], check=True)
    assert (tmp_path / "journal-wal").stat().st_size > 0
    journal.append(1, records.after(journal.head(), 1))
    assert len(list(journal.read())) == 2
    journal.close()
