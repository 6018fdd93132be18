"""A World comes back: from the journal, from a snapshot and the records after it, up to the last whole command."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.core import ids
from forebay.loop import ports, schema, snapshot
from forebay.loop.replay import Folded, Replay
from tests.loop import toy
from tests.loop.rig import FaultyJournal, Rig, pay, remind, spend
from tests.loop.test_codec import flip, golden
from tests.loop.test_loop import COMMANDS


def encoded(world: toy.World) -> bytes:
    """Every piece of the state, in order, as a snapshot would hold it."""
    return b"".join(
        snapshot._bytes(snapshot.Header(1, 0, "", ""), world.state, snapshot.leaves_of(toy.State))
    )


def lived() -> Rig:
    """A journal with some of everything."""
    rig = Rig()
    rig.loop.step([pay("a", 3), remind(1700, again_us=100, times=20), spend("a", 2, parts=2)])
    for at in range(2000, 2500, 100):
        rig.clock.set(at)
        rig.loop.step([pay("b", 2**70), spend("b", at)])
    return rig


def test_a_fold_gives_the_world_that_wrote_the_journal() -> None:
    rig = lived()
    folded = Replay(toy.World).latest(rig.journal)
    assert folded.world.state == rig.loop.world.state
    assert encoded(folded.world) == encoded(rig.loop.world)
    assert folded.digest == rig.journal.head()[1]
    assert folded.world.next_wake() == rig.loop.world.next_wake()


@given(st.lists(COMMANDS, max_size=12), st.integers(0, 30))
def test_a_snapshot_and_the_tail_equal_the_full_fold(
    tmp_path_factory: pytest.TempPathFactory, commands: list[ids.Asked], where: int
) -> None:
    folder = tmp_path_factory.mktemp("snapshots")
    rig = Rig()
    for number, asked in enumerate(commands):
        rig.clock.set(number * 50)
        rig.loop.step([asked])
        if number == where:
            snapshot.write(folder, rig.loop.world, rig.loop._folded.digest)
    replay = Replay(toy.World, folder)
    if where < len(commands):
        assert replay.begin(rig.journal).world.seq == int(snapshot.found(folder)[0].stem)
    assert encoded(replay.latest(rig.journal).world) == encoded(rig.loop.world)


def test_a_journal_that_ends_inside_a_command_is_cut_only_when_asked() -> None:
    journal = FaultyJournal()
    journal.append(0, golden()[:2])
    with pytest.raises(ports.Damaged, match="ends inside a command"):
        Replay(toy.World).latest(journal)
    folded = Replay(toy.World).latest(journal, cut=True)
    assert (folded.world.seq, folded.digest) == (1, golden()[0].digest)


def test_the_chain_is_verified_while_folding() -> None:
    records = golden()
    flip(records)
    journal = FaultyJournal()
    journal.append(0, records)
    with pytest.raises(ports.Damaged, match="the last good record is 3"):
        Replay(toy.World).latest(journal)


def test_a_journal_of_a_newer_forebay_is_refused() -> None:
    class Older(toy.World):
        EVENTS: tuple[type[ids.Event], ...] = (toy.Paid, toy.ReminderSet)

    journal = FaultyJournal()
    journal.append(0, golden())
    with pytest.raises(
        ports.Unsupported, match=r"record 5 is a Reminded \(version 3\).* written by a newer forebay"
    ):
        Replay(Older).latest(journal)


def test_a_world_that_counts_otherwise_than_the_journal_is_caught() -> None:
    class Miscounting(toy.World):
        def apply(self, event: ids.Event, at: int) -> None:
            super().apply(event, at)
            self.state.seq += 1

    with pytest.raises(AssertionError, match="the World counted 2 events, the journal 1"):
        Replay(Miscounting).apply(golden()[:1], Folded(Miscounting()))


# Snapshots: whatever does not fit is passed over, except records that are missing.


def test_a_snapshot_is_private_atomic_and_the_last_two_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "snapshots"
    rig = Rig()
    for _ in range(4):
        rig.loop.step([pay()])
        path = snapshot.write(folder, rig.loop.world, rig.loop._folded.digest)
        assert path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in folder.iterdir() if path.suffix != ".snapshot"] == []
    assert [int(path.stem) for path in snapshot.found(folder)] == [4, 3]


def test_a_snapshot_of_every_byte_flipped_is_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = lived()
    path = snapshot.write(tmp_path, rig.loop.world, rig.loop._folded.digest)
    data = path.read_bytes()
    replay = Replay(toy.World, tmp_path)
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :])
        assert replay.begin(rig.journal).world.seq == 0
    for length in (0, 1, 40, len(data) - 1):
        path.write_bytes(data[:length])
        assert replay.begin(rig.journal).world.seq == 0
    assert "is damaged: passed over" in caplog.text
    assert replay.latest(rig.journal).world.state == rig.loop.world.state


def test_the_older_snapshot_serves_when_the_newer_is_damaged(tmp_path: Path) -> None:
    rig = Rig()
    for _ in range(2):
        rig.loop.step([pay()])
        path = snapshot.write(tmp_path, rig.loop.world, rig.loop._folded.digest)
    path.write_bytes(b"x")
    assert Replay(toy.World, tmp_path).begin(rig.journal).world.seq == 1


def sealed(header: bytes, body: bytes = b"") -> bytes:
    data = snapshot.MAGIC + header + b"\n" + body
    return data + sha256(data).digest()


def test_other_formats_shapes_and_journals_are_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = lived()
    schema_digest = schema.digest(toy.State)
    seq, digest = rig.journal.head()
    head = digest.hex()
    rows = [
        (sealed(b"{}"), "has no header"),
        (sealed(msgspec.json.encode(snapshot.Header(2, seq, head, schema_digest))), "has format 2, not 1"),
        (sealed(msgspec.json.encode(snapshot.Header(1, seq, head, "00"))), "holds state of another shape"),
        (
            sealed(msgspec.json.encode(snapshot.Header(1, seq, head, schema_digest)), b"no"),
            "cannot be decoded",
        ),
    ]
    for number, (data, text) in enumerate(rows):
        path = tmp_path / f"{number:020d}.snapshot"
        path.write_bytes(data)
        assert Replay(toy.World, tmp_path).begin(rig.journal).world.seq == 0
        assert text in caplog.text
        path.unlink()
    other = Rig()
    other.loop.step([pay("other")])
    snapshot.write(tmp_path, other.loop.world, other.loop._folded.digest)
    assert Replay(toy.World, tmp_path).begin(rig.journal).world.seq == 0
    assert "belongs to another journal" in caplog.text


def test_a_snapshot_later_than_the_journal_says_that_records_are_missing(tmp_path: Path) -> None:
    rig = lived()
    snapshot.write(tmp_path, rig.loop.world, rig.loop._folded.digest)
    shorter = FaultyJournal()
    shorter.append(0, list(rig.journal.read(limit=2)))
    last = rig.journal.head()[0]
    with pytest.raises(ports.Damaged, match=rf"stands after record {last}, but the journal ends at record 2"):
        Replay(toy.World, tmp_path).latest(shorter)


def stored(folder: Path) -> toy.State:
    header, packed = snapshot.unseal(snapshot.found(folder)[0])
    state = snapshot.state(header, packed, toy.State)
    assert isinstance(state, toy.State)
    return state


def test_a_snapshot_of_the_empty_world_and_of_large_containers(tmp_path: Path) -> None:
    world = toy.World()
    snapshot.write(tmp_path, world, b"\0" * 32)
    assert stored(tmp_path) == toy.State()
    for number in range(snapshot.PIECE * 2 + 1):
        world.apply(toy.Paid(toy.AccountId(f"a{number}"), number, (toy.Run(number, 1, 1),)), number)
    snapshot.write(tmp_path, world, b"\0" * 32)
    state = stored(tmp_path)
    assert state == world.state
    assert list(state.bank.accounts) == list(world.state.bank.accounts)


def test_a_snapshot_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    class Broken(toy.World):
        @property
        def state(self) -> toy.State:
            raise OSError("no space")

        @property
        def seq(self) -> int:
            return 1

    with pytest.raises(OSError, match="no space"):
        snapshot.write(tmp_path, Broken(), b"")
    assert list(tmp_path.iterdir()) == []
