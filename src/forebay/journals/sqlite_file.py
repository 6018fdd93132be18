"""Is this file a journal of ours, and may we write to it? What is settled before SQLite opens it.

A file that is not ours is refused by its first 100 bytes and stays as it is. A new journal is made complete under
another name and renamed, so that a journal is never seen half made.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from pathlib import Path

from forebay.loop import ports

#: "fbay": says in the file's header, and to file(1), whose it is.
APPLICATION_ID = 0x66626179
#: Format of the tables and records; raised when an older forebay must not write, or would misread.
FORMAT = 1

_MAGIC = b"SQLite format 3\0"
_TABLES = """
    CREATE TABLE records(seq INTEGER PRIMARY KEY, data BLOB NOT NULL, digest BLOB NOT NULL) STRICT;
    CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    INSERT INTO meta VALUES ('epoch', 0);
"""

#: Files that this process has looked into. SQLite locks with fcntl, and closing any handle of a file lets go of all
#: locks that the process holds on it: a file that may be open here is not looked into again.
_seen: set[tuple[int, int]] = set()
_seen_lock = threading.Lock()


def check(path: Path) -> None:
    """Raises `ports.Unsupported` for a file that is not ours or newer, `ports.Damaged` for one cut to nothing."""
    with _seen_lock:
        try:
            status = path.stat()
            if (status.st_dev, status.st_ino) in _seen:
                return
            if not path.is_file():
                raise ports.Unsupported(f"{path} is not a file")
            with path.open("rb") as file:
                header = file.read(100)
        except FileNotFoundError:
            raise ports.JournalError(f"there is no journal at {path}") from None
        except OSError as error:
            raise ports.JournalError(f"the journal {path} cannot be read: {error.strerror}") from None
        if not header:
            raise ports.Damaged(f"{path} is empty: a journal never is", 0)
        if not header.startswith(_MAGIC[: len(header)]):
            raise ports.Unsupported(f"{path} is not a forebay journal")
        if len(header) < 100:
            raise ports.Damaged(f"{path} ends after {len(header)} bytes", 0)
        check_ids(path, int.from_bytes(header[68:72], "big"), int.from_bytes(header[60:64], "big"))
        _seen.add((status.st_dev, status.st_ino))


def check_ids(path: Path, application_id: int, user_version: int) -> None:
    """Raises `ports.Unsupported` unless this is a journal that we know."""
    if application_id != APPLICATION_ID:
        raise ports.Unsupported(
            f"{path} is not a forebay journal: it is a SQLite database of another program"
        )
    if user_version != FORMAT:
        newer = "newer" if user_version > FORMAT else "unknown"
        raise ports.Unsupported(
            f"{path} has the {newer} format {user_version}; this forebay knows format {FORMAT}. Nothing was changed"
        )


def make_journal(path: Path) -> None:
    """Make an empty journal, durably, readable by its owner only. Raises `ports.JournalError`."""
    draft = path.with_name(path.name + ".new")
    try:
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        database = sqlite3.connect(draft, isolation_level=None)
        try:
            database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {FORMAT}")
            database.executescript(_TABLES)
            database.execute("PRAGMA journal_mode = WAL")
        finally:
            database.close()
        _sync(draft)
        draft.rename(path)
        _sync(path.parent)
    except OSError as error:
        raise ports.Full(f"no journal can be made at {path}: {error.strerror}") from None
    except sqlite3.Error as error:
        raise ports.Full(f"no journal can be made at {path}: {error}") from None


def lock(path: Path) -> int:
    """Hold `<path>.lock`, with our process id in it. The descriptor; close it to let go. Raises `ports.Locked`."""
    name = path.with_name(path.name + ".lock")
    try:
        handle = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ports.Full(f"{path} cannot be opened for writing: {name}: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError:
        holder = os.pread(handle, 20, 0).decode(errors="replace").strip() or "unknown"
        os.close(handle)
        raise ports.Locked(f"{path} is open for writing by another forebay (process {holder})") from None
    except OSError as error:
        os.close(handle)
        raise ports.Full(f"{path} cannot be opened for writing: {name}: {error.strerror}") from None
    return handle


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
