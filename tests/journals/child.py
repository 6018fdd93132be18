"""Programs that tests run in a process of their own: to be killed, or on a disk that is full.

python -m tests.journals.child write JOURNAL              appends until it is killed; prints each acknowledged seq
python -m tests.journals.child fill JOURNAL BALLAST ...   appends until there is no space; frees it; goes on
python -m tests.journals.child limit JOURNAL              the same with a limit on the size of files
python -m tests.journals.child some JOURNAL               appends 50 records
python -m tests.journals.child look JOURNAL               opens them where nobody may write
"""

from __future__ import annotations

import random
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from forebay.journals.sqlite import SqliteJournal, SqliteReader
from forebay.loop import codec, ports
from forebay.loop.loop import Loop
from forebay.loop.replay import Replay
from forebay.twin.clock import VirtualClock
from tests.journals import records
from tests.loop import toy
from tests.loop.rig import Edge, pay, remind, spend


def write(path: str, seed: str) -> None:
    chance = random.Random(seed)
    journal = SqliteJournal(path)
    clock = VirtualClock()
    loop = Loop(Replay(toy.World, Path(path + ".snapshots")), clock, journal, Edge())
    while True:
        clock.set(clock.now() + 100)
        asked = [pay("a", 30), remind(clock.now() + 50, again_us=10, times=3)]
        asked += [spend("a", 3, 3) for _ in range(chance.randrange(9))]
        results = loop.step(asked)
        if not isinstance(results[-1], dict):
            raise SystemExit(f"refused: {results[-1]}")
        print(results[-1]["seq"], flush=True)  # noqa: T201


def until_full(journal: ports.Journal) -> str:
    """Append until it says no; what it said."""
    while True:
        head = journal.head()
        try:
            journal.append(head[0], records.after(head, 7, 3, text="x" * 300))
        except ports.Full as error:
            if error.may_have_landed or journal.head() != head:
                raise AssertionError("some of the batch may have landed") from error
            return str(error)


def fill(path: str, *ballast: str) -> None:
    journal = SqliteJournal(path)
    for file in ballast:
        assert "no space left" in until_full(journal)
        head = journal.head()
        assert codec.verify(journal.read()) == head
        Path(file).unlink()
        journal.append(head[0], records.after(head, 7, 3))
    assert codec.verify(journal.read()) == journal.head()
    journal.close()
    reader = SqliteReader(path)
    assert codec.verify(reader.read()) == reader.head()
    print("records", reader.head()[0])  # noqa: T201
    reader.close()


def limit(path: str) -> None:
    journal = SqliteJournal(path)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, unlimited[1]))
    assert "the file system refused a write" in until_full(journal)
    head = journal.head()
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    journal.append(head[0], records.after(head, 7, 3))
    assert codec.verify(journal.read()) == journal.head()
    print("records", journal.head()[0])  # noqa: T201


def some(path: str) -> None:
    journal = SqliteJournal(path)
    journal.append(0, records.first(50))
    journal.close()


def look(path: str) -> None:
    for there in (path, path + ".none"):
        with pytest.raises(
            ports.Full, match=r"cannot be opened for writing: .*(Read-only|Permission denied)"
        ):
            SqliteJournal(there)
    reader = SqliteReader(path)
    assert codec.verify(reader.read()) == reader.head()
    print("records", reader.head()[0])  # noqa: T201
    reader.close()


if __name__ == "__main__":
    programs: dict[str, Callable[..., None]] = {
        "write": write,
        "fill": fill,
        "limit": limit,
        "some": some,
        "look": look,
    }
    programs[sys.argv[1]](*sys.argv[2:])
