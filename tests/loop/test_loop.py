"""The loop: what is decided, in which order, when it is told, and what happens when the journal says no."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.core import ids
from forebay.journals.memory import MemoryJournal
from forebay.loop import codec, ports
from forebay.loop.inbox import Inbox, LoopError, Read, Submission
from forebay.loop.loop import Loop, Result
from forebay.loop.replay import Replay
from tests.loop import toy
from tests.loop.rig import Fault, FaultyJournal, Rig, answer, ask, envelope, pay, remind, spend


def amount(rig: Rig, account: str = "a") -> int:
    return rig.loop.world.state.bank.accounts.get(toy.AccountId(account), toy.Account()).amount


def refolded(rig: Rig) -> toy.State:
    return Replay(toy.World).latest(rig.journal).world.state


# What is decided, and in which order.


def test_a_step_decides_appends_once_answers_and_releases_in_that_order() -> None:
    rig = Rig()
    rig.edge.facts = [pay("fact", 5)]

    def tell(results: list[Result]) -> None:
        rig.journal.log.append("answer")
        rig.edge.heard.append(("answer", results))

    rig.loop.step([pay("a", 3), spend("a", 9), spend("a", 2, parts=2)], tell)
    assert rig.journal.appends == [4]
    assert rig.journal.log == ["append", "answer"]
    assert rig.edge.said() == ["resync", "answer", "release", "acknowledge"]
    assert [list(records) for records in rig.published] == [list(rig.journal.read())]
    results = dict(rig.edge.heard)["answer"]
    assert results == [{"seq": 2}, ids.Refusal("short", "3 of 9"), {"seq": 4}]


def test_the_envelope_says_who_when_and_why() -> None:
    rig = Rig()
    tenant = ids.Principal("u-7", ids.Role.TENANT, ids.TenantId("t-1"))
    rig.loop.step([pay(), ask(toy.Spend(toy.AccountId("a"), 1, 2), tenant, cause=1)])
    first, second, third = (msgspec.structs.astuple(envelope(record)) for record in rig.journal.read())
    assert first[:11] == (1, 1000, "Paid", 1, "c1", 0, 1, "op-1", "operator", "", 0)
    assert second[:11] == (2, 1000, "Paid", 1, "c2", 0, 2, "u-7", "tenant", "t-1", 1)
    assert third[:11] == (3, 1000, "Paid", 1, "c2", 1, 2, "u-7", "tenant", "t-1", 1)


def test_a_step_without_events_appends_nothing_and_still_acknowledges_refused_reports() -> None:
    rig = Rig()
    rig.edge.facts = [spend("a", 9)]
    assert rig.loop.step() == []
    assert rig.journal.appends == []
    assert rig.edge.said() == ["resync", "acknowledge"]


def test_wakes_run_first_at_their_own_time_each_as_a_command_of_the_clock() -> None:
    rig = Rig()
    rig.loop.step([remind(1500), remind(1400, again_us=200, times=1), remind(900)])
    assert rig.kinds()[3:] == [
        (1000, "Reminded")
    ]  # due before it was asked for: woken at once, not in the past
    rig.clock.set(2000)
    rig.edge.facts = [pay("fact")]
    rig.loop.step([pay("late")])
    assert rig.kinds()[4:] == [
        (1400, "Reminded"),
        (1400, "ReminderSet"),
        (1500, "Reminded"),
        (1600, "Reminded"),
        (2000, "Paid"),
        (2000, "Paid"),
    ]
    woken = [envelope(record) for record in rig.journal.read(4, 4)]
    assert {(each.actor, each.role) for each in woken} == {("clock", "clock")}
    assert [each.command_id for each in woken] == ["c5", "c5", "c7", "c8"]


def test_a_clock_that_is_set_back_does_not_move_time_back() -> None:
    rig = Rig()
    rig.loop.step([pay()])
    rig.clock.set(10)
    rig.loop.step([remind(20), pay()])
    assert [at for at, _ in rig.kinds()] == [1000, 1000, 1000, 1000]


def test_after_a_start_the_edge_learns_the_whole_desired_state() -> None:
    rig = Rig()
    rig.loop.step([pay("a", 3)])
    rig.edge.heard.clear()
    again = rig.begin()
    again.step()
    assert rig.edge.heard == [("resync", [toy.Want(toy.AccountId("a"), 1, 3)])]


def test_an_edge_that_raises_is_told_everything_again_and_stops_nobody() -> None:
    rig = Rig()
    rig.loop.step()
    rig.edge.broken = True
    assert rig.loop.step([pay("a", 3)]) == [{"seq": 1}]
    rig.edge.broken = False
    rig.edge.heard.clear()
    rig.loop.step()
    assert rig.edge.heard == [("resync", [toy.Want(toy.AccountId("a"), 1, 3)])]


COMMANDS = st.one_of(
    st.builds(pay, st.sampled_from("ab"), st.integers(0, 50)),
    st.builds(spend, st.sampled_from("ab"), st.integers(0, 50), st.integers(1, 3)),
    st.builds(remind, st.integers(0, 300), st.sampled_from("ab"), st.integers(1, 30), st.integers(0, 3)),
)


@given(st.lists(st.tuples(st.integers(0, 3), COMMANDS, st.booleans(), st.booleans()), max_size=25))
def test_any_batching_of_the_same_commands_gives_the_same_digest(
    script: list[tuple[int, ids.Asked, bool, bool]],
) -> None:
    heads = []
    for cut_by in (2, 3):
        rig = Rig()
        at, batch_at = 0, 0
        batch: list[ids.Asked] = []
        for later, asked, *cuts in script:
            at += later * 40
            if batch and (cuts[cut_by - 2] or at != batch_at):  # a batch is at one instant
                rig.clock.set(batch_at)
                rig.loop.step(batch)
                batch = []
            batch.append(asked)
            batch_at = at
        rig.clock.set(batch_at)
        rig.loop.step(batch)
        rig.clock.set(10_000)
        rig.loop.step()
        rig.loop.world.check()
        assert refolded(rig) == rig.loop.world.state
        heads.append(rig.journal.head())
    assert heads[0] == heads[1]


# When the journal says no.


def failing(rig: Rig, fault: Fault) -> LoopError:
    """One step with a good start before it; what its command was answered."""
    rig.loop.step([pay("a", 1)])
    rig.edge.heard.clear()
    rig.published.clear()
    rig.journal.plan = [fault]
    rig.edge.facts = [pay("fact", 7)]
    (result,) = rig.loop.step([pay("a", 2)])
    assert isinstance(result, LoopError)
    assert rig.edge.heard == []
    assert rig.published == []
    return result


def test_full_means_nothing_landed_and_the_same_works_when_there_is_space() -> None:
    rig = Rig()
    result = failing(rig, Fault(ports.Full("no space left")))
    assert not result.may_have_landed
    assert str(result) == "not recorded: no space left"
    assert rig.loop.failing_because
    assert amount(rig) == 1
    assert rig.loop.step([pay("a", 2)]) == [{"seq": 3}]
    assert amount(rig, "fact") == 7
    assert rig.edge.said() == ["resync", "release", "acknowledge"]
    assert not rig.loop.failing_because


def test_an_ambiguous_failure_that_did_not_land() -> None:
    rig = Rig()
    result = failing(rig, Fault(ports.JournalError("disk I/O error", may_have_landed=True)))
    assert not result.may_have_landed
    assert rig.loop.world.seq == 1
    assert rig.loop.step([pay("a", 2)]) == [{"seq": 3}]
    assert refolded(rig) == rig.loop.world.state


def test_an_ambiguous_failure_that_did_land_is_not_done_twice() -> None:
    rig = Rig()
    result = failing(rig, Fault(ports.JournalError("disk I/O error", may_have_landed=True), after=True))
    assert result.may_have_landed
    assert rig.loop.world.seq == 3
    assert amount(rig) == 3
    rig.edge.facts.clear()
    rig.loop.step()
    assert [word for word, _ in rig.edge.heard] == ["resync"]
    assert rig.loop.step([pay("a", 2)]) == [{"seq": 4}]


def test_an_error_that_nobody_foresaw_counts_as_ambiguous() -> None:
    rig = Rig()
    assert failing(rig, Fault(OSError("what?"), after=True)).may_have_landed


def test_ambiguous_stays_unknown_while_the_journal_cannot_be_read() -> None:
    rig = Rig()
    rig.journal.head_error = ports.JournalError("still no")
    result = failing(rig, Fault(ports.JournalError("disk I/O error", may_have_landed=True)))
    assert result.may_have_landed
    assert "it is not known whether the command is recorded" in str(result)


def test_fenced_stops_for_good() -> None:
    rig = Rig()
    result = failing(rig, Fault(ports.Fenced("another forebay has taken over")))
    assert not result.may_have_landed
    assert rig.loop.stopped_because == "another forebay has taken over"
    (later,) = rig.loop.step([pay()])
    assert isinstance(later, LoopError)
    assert rig.edge.heard == []
    assert rig.journal.head()[0] == 1


def test_somebody_elses_records_after_an_ambiguous_failure_stop_it_too() -> None:
    rig = Rig()
    rig.loop.step([pay()])

    def intrude() -> None:
        by = ids.Principal("x", ids.Role.OPERATOR)
        event = toy.Paid(toy.AccountId("x"), 1)
        records = Replay(toy.World).codec.encode(*rig.journal.head(), 2000, "c2", by, 0, [event])
        MemoryJournal.append(rig.journal, 1, records)

    rig.journal.plan = [Fault(ports.JournalError("gone", may_have_landed=True))]
    intrude()
    (result,) = rig.loop.step([pay()])
    assert isinstance(result, LoopError)
    assert rig.loop.stopped_because == "another writer has appended to the journal"


class Unreadable(FaultyJournal):
    """Cannot be read any more once `gone`."""

    gone = False

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[ports.Stored]:
        if self.gone:
            raise ports.JournalError("I/O error")
        return super().read(after, limit)


@pytest.mark.parametrize("asked", [pay(), ask(toy.Crash())])
def test_a_loop_that_cannot_fold_its_journal_again_stops(asked: ids.Asked) -> None:
    journal = Unreadable()
    rig = Rig(journal=journal)
    rig.loop.step([pay()])
    journal.gone = True
    journal.plan = [Fault(ports.Full("no space left"))]
    (result,) = rig.loop.step([asked])
    assert isinstance(result, LoopError)
    assert "the journal cannot be folded: I/O error" in str(result)
    assert not result.may_have_landed
    assert rig.loop.stopped_because == "the journal cannot be folded: I/O error"


# Our own bugs.


def test_a_command_that_raises_is_answered_alone() -> None:
    rig = Rig()
    results = rig.loop.step([pay("a", 1), ask(toy.Crash()), pay("a", 2), ask(toy.Crash("again"))])
    assert results[0] == {"seq": 1}
    assert results[2] == {"seq": 2}
    for place, text in ((1, "crash"), (3, "again")):
        error = results[place]
        assert isinstance(error, LoopError)
        assert str(error) == f"a bug in forebay: RuntimeError: {text}"
        assert not error.may_have_landed
    assert rig.journal.appends == [2]
    assert "dirt" not in rig.loop.world.state.bank.accounts
    assert refolded(rig) == rig.loop.world.state


def test_a_report_that_raises_is_set_aside_and_the_others_go_on() -> None:
    rig = Rig()
    poison = ask(toy.Crash())
    rig.edge.facts = [pay("one"), poison, pay("two")]
    assert rig.loop.step([ask(toy.Crash()), pay("three")])[1] == {"seq": 3}
    assert rig.loop.set_aside == [poison]
    assert rig.edge.facts == [poison]  # never acknowledged
    rig.loop.step([pay()])
    assert rig.loop.world.seq == 4


def test_a_timer_that_raises_stops_time_but_not_reads() -> None:
    rig = Rig()
    rig.loop.step([pay(), remind(2000, "bomb")])
    rig.clock.set(3000)
    (result,) = rig.loop.step([pay()])
    assert isinstance(result, LoopError)
    assert rig.loop.failing_because == "a bug in forebay: RuntimeError: bomb"
    assert rig.loop.world.seq == 2


def test_a_command_that_sets_off_a_timer_that_raises_is_the_one_to_blame() -> None:
    rig = Rig()
    results = rig.loop.step([remind(500, "bomb"), pay()])
    assert isinstance(results[0], LoopError)
    assert results[1] == {"seq": 1}


def test_a_world_that_does_nothing_of_what_is_due_is_not_woken_for_ever() -> None:
    class Sleepy(toy.World):
        def wake(self, at: int, seen_at: int = 0) -> ids.Outcome:
            return ids.Outcome([], [], {})

        def next_wake(self) -> int | None:
            return 5

    rig = Rig()
    loop = Loop(Replay(Sleepy), rig.clock, rig.journal, rig.edge)
    (result,) = loop.step([pay()])
    assert "did nothing of what was due at 5" in str(result)


def test_an_event_that_was_applied_but_not_given_is_caught() -> None:
    class Leaky(toy.World):
        def handle(self, asked: ids.Asked, at: int) -> ids.Outcome:
            super().handle(asked, at)
            return ids.Outcome([], [], {})

    rig = Rig()
    (result,) = Loop(Replay(Leaky), rig.clock, rig.journal, rig.edge).step([pay()])
    assert "the World applied events up to 1, but gave them up to 0" in str(result)
    assert rig.journal.head() == (0, codec.GENESIS)


# The live thread.


def test_commands_that_wait_share_one_append() -> None:
    rig = Rig()
    with rig.running() as loop:
        rig.journal.open.clear()
        first = loop.submit(pay("first"))
        assert rig.journal.entered.acquire(timeout=60)
        rest = [loop.submit(pay(f"a{number}")) for number in range(200)]
        assert not first.done()
        rig.journal.open.set()
        assert [answer(each)["seq"] for each in [first, *rest]] == list(range(1, 202))
    assert rig.journal.appends == [1, 200]


def test_nothing_is_answered_released_or_read_before_it_is_durable() -> None:
    rig = Rig()
    with rig.running() as loop:
        assert answer(loop.read(lambda world: world.seq)) == 0
        rig.journal.open.clear()
        submitted = loop.submit(pay("a", 4))
        assert rig.journal.entered.acquire(timeout=60)
        read = loop.read(lambda world: world.seq)
        assert (submitted.done(), read.done(), rig.edge.said()) == (False, False, ["resync"])
        rig.journal.open.set()
        assert answer(submitted) == {"seq": 1}
        assert answer(read) == 1


def test_a_refusal_is_a_value_and_an_error_is_raised() -> None:
    rig = Rig()
    with rig.running() as loop:
        assert answer(loop.submit(spend("a", 5))) == ids.Refusal("short", "0 of 5")
        with pytest.raises(LoopError, match="a bug in forebay"):
            answer(loop.submit(ask(toy.Crash())))
        with pytest.raises(ZeroDivisionError):
            answer(loop.read(lambda world: world.seq // 0))


def test_full_pauses_and_goes_on_when_there_is_space_again() -> None:
    rig = Rig()
    rig.journal.plan = [Fault(ports.Full("no space left"))] * 3
    rig.edge.facts = [pay("fact")]
    with rig.running() as loop:
        while rig.edge.facts:  # the loop goes on by itself: nobody asks anything
            answer(loop.read(lambda world: world.seq))
        assert answer(loop.submit(pay()))["seq"] == 2
    assert rig.journal.appends[0] == 1
    assert rig.journal.plan == []


def test_while_paused_commands_are_refused_at_once() -> None:
    rig = Rig()
    rig.loop._pause_s = 3600
    rig.journal.plan = [Fault(ports.Full("no space left"))]
    with rig.running() as loop:
        for _ in range(2):
            with pytest.raises(LoopError, match="not recorded: no space left"):
                answer(loop.submit(pay()))
        assert answer(loop.read(lambda world: world.seq)) == 0
    assert rig.journal.plan == []


def test_a_fenced_loop_ends_and_answers_all_that_wait() -> None:
    rig = Rig()
    with rig.running() as loop:
        rig.journal.plan = [Fault(ports.Fenced("taken over"))]
        rig.journal.open.clear()
        first = loop.submit(pay())
        assert rig.journal.entered.acquire(timeout=60)
        others: list[Any] = [loop.submit(pay()), loop.read(lambda world: world.seq)]
        rig.journal.open.set()
        for future in (first, *others):
            with pytest.raises(LoopError, match="taken over"):
                answer(future)
        with pytest.raises(LoopError, match="taken over"):
            answer(loop.submit(pay()))
    assert rig.edge.said() == ["resync"]


def test_a_nudge_has_reports_fetched_and_a_timer_wakes_the_loop() -> None:
    rig = Rig()
    with rig.running() as loop:
        answer(loop.read(lambda world: world.seq))
        rig.edge.facts = [pay("fact")]
        loop.nudge()
        while not answer(loop.read(lambda world: world.seq)):
            pass
        rig.edge.next_at = 5000
        answer(loop.submit(remind(4000)))
        rig.clock.set(4500)
        loop.nudge()
        while answer(loop.read(lambda world: world.seq)) < 3:
            pass


def test_a_loop_that_is_interrupted_answers_all_that_wait() -> None:
    class Interrupted(toy.World):
        def handle(self, asked: ids.Asked, at: int) -> ids.Outcome:
            raise KeyboardInterrupt

    rig = Rig()
    loop = Loop(Replay(Interrupted), rig.clock, rig.journal, rig.edge)
    waiting = [loop.submit(pay()), loop.submit(pay())]
    with pytest.raises(KeyboardInterrupt):
        loop.run()
    late = loop.submit(pay())
    for future in [*waiting, late]:
        with pytest.raises(LoopError, match="ended by KeyboardInterrupt"):
            answer(future)


def test_stop_serves_what_waits_and_refuses_the_rest() -> None:
    rig = Rig()
    with rig.running() as loop:
        rig.journal.open.clear()
        futures = [loop.submit(pay()) for _ in range(5)]
        assert rig.journal.entered.acquire(timeout=60)
        stopper = threading.Thread(target=loop.stop)
        stopper.start()
        assert loop._inbox.stopping.wait(60)
        late = loop.submit(pay())
        rig.journal.open.set()
        stopper.join(60)
        assert [answer(each)["seq"] for each in futures] == [1, 2, 3, 4, 5]
        with pytest.raises(LoopError, match="stopping"):
            answer(late)


def test_a_command_that_was_cancelled_before_its_batch_is_not_executed() -> None:
    rig = Rig()
    with rig.running() as loop:
        rig.journal.open.clear()
        first = loop.submit(pay())
        assert rig.journal.entered.acquire(timeout=60)
        second, third = loop.submit(pay()), loop.submit(pay())
        assert second.cancel()
        assert not first.cancel()
        rig.journal.open.set()
        assert answer(third) == {"seq": 2}


def test_the_inbox_is_bounded_and_answers_what_it_cannot_hold() -> None:
    inbox = Inbox(waiting_max=2)
    items: list[Submission | Read] = [Submission(pay()), Read(lambda world: None), Submission(pay())]
    for item in items:
        inbox.put(item)
    with pytest.raises(LoopError, match=r"too many commands are waiting \(2\)"):
        items[2].future.result(0)
    inbox.close("closed")
    for item in items[:2]:
        with pytest.raises(LoopError, match="closed"):
            item.future.result(0)
