"""How fast is the journal, and what does durability cost on this disk?

    python benchmarks/journal.py [--events 1000000] [--clients 64] [--seconds 5] [--folder DIR]

Prints one line for each measure, with its target and whether it was met, and beside it what the disk itself does and
what plain SQLite does with one commit for each insert. Everything is written below the folder and removed again.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from forebay.core import ids
from forebay.core.placements.gang import Run, Tier
from forebay.journals.sqlite import SqliteJournal
from forebay.loop import codec, ports, snapshot
from forebay.loop.clocks import SystemClock
from forebay.loop.loop import Loop
from forebay.loop.replay import Folded, Replay

OPERATOR = ids.Principal("bench", ids.Role.OPERATOR)


@dataclass(slots=True)
class Place(ids.Command):
    """Place a gang, or end it when it is there."""

    number: int


@dataclass(slots=True)
class Placed(ids.Event):
    """About the size of the usual event: 200 bytes with its envelope."""

    gang: ids.GangId
    generation: int
    tenant: str
    tranche: str
    tier: Tier
    runs: tuple[Run, ...]
    due: int


@dataclass(slots=True)
class State:
    """Ten thousand live gangs."""

    now: int = 0
    seq: int = 0
    gangs: dict[str, Placed] = field(default_factory=dict)


class World:
    """The least that a World may do with an event."""

    EVENTS: tuple[type[ids.Event], ...] = (Placed,)
    STATE: type = State
    LIVE: ClassVar[int] = 10_000

    def __init__(self) -> None:
        self.state = State()

    @classmethod
    def restore(cls, state: State) -> World:
        world = cls()
        world.state = state
        return world

    @property
    def now(self) -> int:
        return self.state.now

    @property
    def seq(self) -> int:
        return self.state.seq

    def handle(self, asked: ids.Asked, at: int) -> ids.Outcome:
        assert isinstance(asked.command, Place)
        event = placed(asked.command.number, at)
        self.apply(event, at)
        return ids.Outcome([event], [], {"seq": self.seq})

    def wake(self, at: int, seen_at: int = 0) -> ids.Outcome:
        return ids.Outcome([], [], {})

    def next_wake(self) -> int | None:
        return None

    def apply(self, event: ids.Event, at: int) -> None:
        state = self.state
        state.seq += 1
        state.now = at
        assert isinstance(event, Placed)
        state.gangs[event.gang] = event

    def check(self) -> None: ...

    def desired(self) -> list[ids.Effect]:
        return []


class NoEdge:
    """Nothing to tell, nothing to report."""

    def release(self, effects: Sequence[ids.Effect]) -> None: ...

    def resync(self, desired: Sequence[ids.Effect]) -> None: ...

    def reports(self, at: int) -> list[ids.Asked]:
        return []

    def acknowledge(self, reports: Sequence[ids.Asked]) -> None: ...

    def next_report(self) -> int | None:
        return None


def placed(number: int, at: int) -> Placed:
    name = ids.GangId(f"lab-g{number % World.LIVE}")
    return Placed(name, 3, "tenant-a", "tr-1", Tier.SPOT, (Run(number % 9000, 2, 255),), at + 3_600_000_000)


@contextmanager
def timed() -> Iterator[list[float]]:
    took = [0.0]
    start = time.perf_counter()
    yield took
    took[0] = time.perf_counter() - start


def say(what: str, value: float, unit: str, target: float | None = None, *, most: bool = False) -> float:
    """One line; `most` for a target that is not to be passed."""
    line = f"{what:<58}{value:>12,.2f} {unit:<12}"
    if target is not None:
        met = value <= target if most else value >= target
        line += f"target {'<' if most else '>'} {target:,.0f}: {'met' if met else 'MISSED'}"
    print(line, flush=True)
    return value


def fsyncs(folder: Path, seconds: float) -> float:
    """Page-sized appends, each made durable."""
    handle = os.open(folder / "fsync", os.O_RDWR | os.O_CREAT)
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        os.pwrite(handle, b"x" * 4096, count * 4096)
        os.fdatasync(handle)
        count += 1
    os.close(handle)
    return count / (time.perf_counter() - start)


def plain_sqlite(folder: Path, seconds: float) -> float:
    """The peer: the same rows, WAL and FULL, one commit for each insert, nothing else."""
    database = sqlite3.connect(folder / "plain", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(
        "CREATE TABLE records(seq INTEGER PRIMARY KEY, data BLOB NOT NULL, digest BLOB NOT NULL)"
    )
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        database.execute("INSERT INTO records VALUES (?, ?, ?)", (count, b"x" * 200, b"d" * 32))
        count += 1
    rate = count / (time.perf_counter() - start)
    database.close()
    return rate


def single_commands(folder: Path, clients: int, seconds: float) -> tuple[float, float]:
    """Durable commands a second, and how many shared a commit: each client waits for its answer, then asks again."""
    journal = SqliteJournal(folder / "commands")
    batches: list[int] = []
    loop = Loop(
        Replay(World), SystemClock(), journal, NoEdge(), [lambda records: batches.append(len(records))]
    )
    thread = threading.Thread(target=loop.run)
    thread.start()
    end = time.perf_counter() + seconds

    def client(number: int) -> None:
        while time.perf_counter() < end:
            loop.submit(ids.Asked(Place(number), OPERATOR)).result()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    with timed() as took:
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    loop.stop()
    thread.join()
    assert codec.verify(journal.read()) == journal.head()
    journal.close()
    return sum(batches) / took[0], sum(batches) / len(batches)


def batched(folder: Path, events: int) -> float:
    """Events a second through the loop, a thousand commands a batch: decided, encoded, chained, durable."""
    journal = SqliteJournal(folder / "batched")
    loop = Loop(Replay(World), SystemClock(), journal, NoEdge())
    with timed() as took:
        for start in range(0, events, 1000):
            loop.step([ids.Asked(Place(number), OPERATOR) for number in range(start, start + 1000)])
    journal.close()
    return events / took[0]


def codec_rates(events: int) -> tuple[float, float, float]:
    """Records a second: encoded and chained; verified; verified and decoded."""
    both = codec.Codec(World.EVENTS)
    made = [placed(number, number) for number in range(events)]
    records: list[ports.Stored] = []
    seq, digest = 0, codec.GENESIS
    with timed() as encoding:
        for event in made:
            records += both.encode(seq, digest, 1_700_000_000_000_000, f"c{seq + 1}", OPERATOR, 0, [event])
            seq, _, digest = records[-1]
    with timed() as verifying:
        codec.verify(records)
    with timed() as decoding:
        for command in codec.Walk(records):
            for record in command:
                both.decode(record)
    return events / encoding[0], events / verifying[0], events / decoding[0]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=1_000_000, help="events to write and fold (thousands)")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="for each measure that counts in a fixed time"
    )
    parser.add_argument(
        "--folder", type=Path, help="on the disk to be measured; the system's temporary folder"
    )
    chosen = parser.parse_args()
    part = chosen.events / 1_000_000
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        disk = say("this disk: 4 KiB appends made durable", fsyncs(folder, chosen.seconds / 2), "fsync/s")
        peer = say(
            "plain sqlite3, one commit for each insert", plain_sqlite(folder, chosen.seconds), "rows/s"
        )
        rate, shared = single_commands(folder, chosen.clients, chosen.seconds)
        say(f"single commands, {chosen.clients} clients, each durable", rate, "commands/s", 2000)
        say("    commands that shared a commit, mean", shared, "")
        say("    against plain sqlite3", rate / peer, "x")
        say("    against the disk", rate / disk, "x")
        encode, verify, decode = codec_rates(min(chosen.events, 200_000))
        say("codec: events encoded and chained", encode, "records/s", 150_000)
        say("codec: records verified", verify, "records/s")
        say("codec: records verified and decoded", decode, "records/s", 150_000)
        rate = say("batched events, durable", batched(folder, chosen.events), "events/s", 50_000)
        say("    against plain sqlite3", rate / peer, "x")
        path = folder / "batched"
        say("journal on disk", path.stat().st_size / 1e6, "MB", 400 * part, most=True)
        journal = SqliteJournal(path)
        mean = sum(len(record.data) for record in journal.read(limit=10_000)) / min(10_000, chosen.events)
        say("    bytes of data a record, mean", mean, "bytes")
        replay = Replay(World, folder / "snapshots")
        with timed() as took:
            folded = replay.latest(journal)
        say(f"fold of {chosen.events:,} events", took[0], "s", max(1, 10 * part), most=True)
        say("    an event", took[0] / chosen.events * 1e6, "us")
        with timed() as took:
            written = snapshot.write(folder / "snapshots", folded.world, folded.digest)
        say(f"snapshot of {len(folded.world.state.gangs):,} gangs written", took[0], "s")
        say("    on disk", written.stat().st_size / 1e6, "MB")
        tail(journal, folded)
        with timed() as took:
            again: Folded[World] = replay.latest(journal)
        say("start from the snapshot and 10,000 events after it", took[0], "s", 2, most=True)
        assert again.world.seq == chosen.events + 10_000
        journal.close()


def tail(journal: SqliteJournal, folded: Folded[World]) -> None:
    """Ten thousand events more."""
    both = codec.Codec(World.EVENTS)
    events: list[ids.Event] = [placed(number, folded.world.now) for number in range(10_000)]
    seq = folded.world.seq
    journal.append(seq, both.encode(seq, folded.digest, folded.world.now, f"c{seq + 1}", OPERATOR, 0, events))


if __name__ == "__main__":
    main()
