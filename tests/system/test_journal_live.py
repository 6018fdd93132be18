"""Everything together on a real disk: a running loop with clients, a follower with snapshots, a restart."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from forebay.journals.sqlite import SqliteJournal, SqliteReader
from forebay.loop import codec, snapshot
from forebay.loop.clocks import SystemClock
from forebay.loop.follower import Follower
from forebay.loop.loop import Loop
from forebay.loop.replay import Replay
from tests.loop import toy
from tests.loop.rig import PATIENCE_S, Edge, answer, pay, remind


def test_clients_a_follower_and_a_restart(tmp_path: Path) -> None:
    replay = Replay(toy.World, tmp_path / "snapshots")
    journal = SqliteJournal(tmp_path / "journal")
    reader = SqliteReader(tmp_path / "journal")
    follower = Follower(replay, reader, snapshot_every=50, waiting_max=20)
    loop = Loop(replay, SystemClock(), journal, Edge(), [follower.publish])
    thread = threading.Thread(target=loop.run)
    thread.start()
    follower.start()
    wrong: list[Any] = []

    def client(name: str) -> None:
        for number in range(1, 21):
            seq = answer(loop.submit(pay(name, 1)))["seq"]
            (amount, generation), at = follower.read(lambda world: told(world, name), seq, PATIENCE_S)
            if (amount, generation) != (number, number) or at < seq:
                wrong.append((name, number, amount, at))

    clients = [threading.Thread(target=client, args=(f"a{number}",)) for number in range(8)]
    for each in clients:
        each.start()
    answer(loop.submit(remind(SystemClock().now() + 10_000)))
    for each in clients:
        each.join()
    while answer(loop.read(lambda world: world.next_wake())) is not None:
        pass  # the reminder is still due
    state = answer(loop.read(lambda world: world.state))
    loop.stop()
    thread.join()
    follower.stop()
    assert wrong == []
    assert codec.verify(reader.read()) == journal.head()
    assert journal.head()[0] == 8 * 20 + 2
    assert int(snapshot.found(tmp_path / "snapshots")[0].stem) == 162
    reader.close()
    journal.close()

    again = SqliteJournal(tmp_path / "journal")
    assert replay.begin(again).world.state == state
    assert Replay(toy.World).latest(again).world.state == state
    again.close()


def told(world: toy.World, name: str) -> tuple[int, int]:
    account = world.state.bank.accounts[toy.AccountId(name)]
    return account.amount, account.generation
