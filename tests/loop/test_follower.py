"""The follower: behind the loop, never in its way, with snapshots and heavy reads."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from forebay.loop import ports, snapshot
from forebay.loop.follower import Follower, Stopped
from forebay.loop.replay import Replay
from tests.loop import toy
from tests.loop.rig import PATIENCE_S, Rig, pay


def following(rig: Rig, **options: int) -> Follower[toy.World]:
    follower = Follower(Replay(toy.World, rig.snapshots), rig.journal, **options)
    rig.loop._publish = [follower.publish]
    return follower


def test_it_follows_what_was_there_and_what_comes() -> None:
    rig = Rig()
    rig.loop.step([pay(), pay()])
    follower = following(rig)
    follower.start()
    assert follower.read(lambda world: world.seq) == (2, 2)
    rig.loop.step([pay()])
    assert follower.read(lambda world: world.state, seq_min=3, timeout_s=PATIENCE_S) == (
        rig.loop.world.state,
        3,
    )
    follower.stop()
    with pytest.raises(Stopped, match="the follower has stopped"):
        follower.read(lambda world: world.seq)


def test_it_never_holds_up_the_loop_and_reads_the_journal_when_it_fell_behind() -> None:
    rig = Rig()
    follower = following(rig, waiting_max=3)
    follower.start()
    held, entered = threading.Event(), threading.Event()

    def hold(world: toy.World) -> None:
        entered.set()
        assert held.wait(PATIENCE_S)

    holder = threading.Thread(target=follower.read, args=(hold,))
    holder.start()
    assert entered.wait(PATIENCE_S)
    for _ in range(10):
        rig.loop.step([pay()])  # returns although the follower stands still
    assert follower._waiting <= 3
    held.set()
    assert follower.read(lambda world: world.state.bank.accounts, 10, PATIENCE_S)[0] == (
        rig.loop.world.state.bank.accounts
    )
    holder.join()
    follower.stop()


def test_records_that_were_not_published_are_read_from_the_journal() -> None:
    rig = Rig()
    follower = following(rig)
    follower.start()
    assert follower.read(lambda world: world.seq) == (0, 0)
    rig.loop._publish = []
    rig.loop.step([pay()])
    rig.loop._publish = [follower.publish]
    rig.loop.step([pay()])
    assert follower.read(lambda world: world.seq, 2, PATIENCE_S) == (2, 2)
    follower.publish(list(rig.journal.read()))  # once more: nothing happens
    assert follower.read(lambda world: world.seq, 2, PATIENCE_S) == (2, 2)
    follower.stop()


def test_a_read_waits_for_its_sequence_and_gives_up() -> None:
    rig = Rig()
    follower = following(rig)
    follower.start()
    with pytest.raises(TimeoutError, match=r"has not reached record 1 in 0\.01 s"):
        follower.read(lambda world: world.seq, seq_min=1, timeout_s=0.01)
    rig.loop.step([pay()])
    assert follower.read(lambda world: world.seq, 1, PATIENCE_S) == (1, 1)
    with pytest.raises(ZeroDivisionError):
        follower.read(lambda world: world.seq // 0)
    follower.stop()


def test_it_writes_a_snapshot_every_so_many_events_and_at_its_end(tmp_path: Path) -> None:
    rig = Rig(snapshots=tmp_path)
    follower = following(rig, snapshot_every=4)
    follower.start()
    for seq in range(1, 6):
        rig.loop.step([pay()])
        follower.read(lambda world: world.seq, seq, PATIENCE_S)
    follower.read(lambda world: world.seq)  # a turn later than the snapshot
    assert [int(path.stem) for path in snapshot.found(tmp_path)] == [4]
    follower.stop()
    assert [int(path.stem) for path in snapshot.found(tmp_path)] == [5, 4]
    again = following(rig)
    assert again._replay.begin(rig.journal).world.state == rig.loop.world.state
    again.start()
    again.stop()
    assert [int(path.stem) for path in snapshot.found(tmp_path)] == [5, 4]


def test_a_snapshot_that_cannot_be_written_does_not_stop_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "taken"
    rig = Rig(snapshots=folder)
    follower = following(rig, snapshot_every=1)
    folder.write_text("a file")
    follower.start()
    for seq in (1, 2):
        rig.loop.step([pay()])
        assert follower.read(lambda world: world.seq, seq, PATIENCE_S) == (seq, seq)
    follower.stop()
    assert "no snapshot at record 1" in caplog.text


def test_a_damaged_journal_stops_it_and_says_so() -> None:
    rig = Rig()
    follower = following(rig)
    follower.start()
    follower.read(lambda world: world.seq)
    waiting: list[Exception] = []

    def wait() -> None:
        try:
            follower.read(lambda world: world.seq, 5)
        except Stopped as error:
            waiting.append(error)

    reader = threading.Thread(target=wait)
    reader.start()
    follower.publish([ports.Stored(1, b"[]", b"")])
    reader.join(PATIENCE_S)
    follower.stop()
    assert "record 1 is not as it was written" in str(waiting[0])
    assert "record 1 is not as it was written" in follower.stopped_because
