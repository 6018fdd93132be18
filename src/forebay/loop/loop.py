"""The only place where time moves. Commands, reports and timers go in; nothing comes out before it is durable.

`Loop.step` is the whole of it: the live server calls it from `run`, on one thread; the twin calls it with a virtual
clock. Batching changes when things become durable, never what is decided: the same commands at the same instants give
the same journal, whatever the batches were.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Generic, NoReturn, TypeVar

from forebay.core import ids
from forebay.loop import ports
from forebay.loop.inbox import Inbox, LoopError, Read, Submission
from forebay.loop.replay import Folded, Replay, W

T = TypeVar("T")
Result = ids.Answer | ids.Refusal | LoopError
#: Is given records that have just become durable. Must return at once.
Publish = Callable[[Sequence[ports.Stored]], None]

#: Is given events that have just become durable, with their time of record, before any edge hears of what follows
#: from them. Must return at once.
Watch = Callable[[Sequence[ids.Event], int], None]

#: Commands taken into one batch at most.
BATCH_MAX = 512
#: The loop looks at clock and edges at least this often: a clock may be set, a nudge lost.
IDLE_S = 1.0
#: After a failure that may pass (a full disk) nothing is tried for so long.
PAUSE_S = 1.0

_log = logging.getLogger(__name__)


class _Batch:
    """What one step decided. A plain class: there is one a turn, and a dataclass takes twice as long to make."""

    __slots__ = ("digest", "effects", "events", "records", "results", "seq")

    def __init__(self, seq: int, digest: bytes) -> None:
        self.seq = seq
        self.digest = digest
        self.records: list[ports.Stored] = []
        self.effects: list[ids.Effect] = []
        self.results: list[Result] = []
        #: Events with their time of record, kept for who watches.
        self.events: list[tuple[list[ids.Event], int]] = []


class _Bug(Exception):
    """The World raised. `place` is the command's (reports first), -1 for a timer."""

    def __init__(self, place: int, error: Exception) -> None:
        super().__init__(f"a bug in forebay: {type(error).__name__}: {error}")
        self.place = place


class Loop(Generic[W]):
    """One World, one journal, one clock, the edges. `publish` is called with all that becomes durable."""

    def __init__(
        self,
        replay: Replay[W],
        clock: ports.Clock,
        journal: ports.Journal,
        edge: ports.Edge,
        publish: Sequence[Publish] = (),
        *,
        pause_s: float = PAUSE_S,
        watch: Watch | None = None,
    ) -> None:
        self._watch = watch
        self._replay = replay
        self._encode = replay.codec.encode
        self._clock = clock
        self._journal = journal
        self._edge = edge
        self._publish = publish
        self._pause_s = pause_s
        #: The edge is to be told the whole desired state: after a start, a refold, or an edge that raised.
        self._resync = True
        #: Reports that the World cannot handle, a bug of ours: passed over until the next start.
        self.set_aside: list[ids.Asked] = []
        #: Why the last step failed as a whole, "" when it did not; nothing is tried before this monotonic time.
        self.failing_because = ""
        self._paused_until = 0.0
        #: How long the last refold took.
        self._refold_s = 0.0
        #: Not "" when the loop has stopped for good.
        self.stopped_because = ""
        self._inbox = Inbox()
        self._running = threading.Lock()
        self._folded: Folded[W] = replay.latest(journal)

    @property
    def world(self) -> W:
        """The World as it is durable; only for the thread that calls `step`. Others use `read`."""
        return self._folded.world

    def step(
        self, asked: Sequence[ids.Asked] = (), tell: Callable[[list[Result]], None] | None = None
    ) -> list[Result]:
        """One batch: what fell due, what the edges saw, what was asked. One result for each command in `asked`.

        `tell` is called with the results as soon as they are durable, before the edges hear of them.
        """
        # 1. After a start or a refold, the edges learn what is wanted.
        if self.stopped_because:
            return _tell_all(tell, len(asked), LoopError(self.stopped_because))
        if self._resync:
            self._resync = False
            self._guarded(lambda world: self._edge.resync(world.desired()), self.world)
        # 2. Time never decreases, whatever the clock says.
        at, now = self._clock.now(), self._folded.world.now
        if at < now:
            at = now
        # 3. Decide, and encode each event as it is decided.
        reports = self._reports(at)
        try:
            batch, reports = self._decide(at, reports, asked)
        except ports.JournalError as error:
            return _tell_all(tell, len(asked), LoopError(str(error)))
        except _Bug as bug:  # a timer raised: without it, time cannot move
            self._pause(str(bug))
            return _tell_all(tell, len(asked), LoopError(str(bug)))
        # 4. Make it durable, all of it or nothing.
        if batch.records:
            try:
                self._journal.append(batch.seq - len(batch.records), batch.records)
            except Exception as error:
                return _tell_all(tell, len(asked), self._recover(error, batch))
        self._folded.digest = batch.digest
        self.failing_because = ""
        # 5. Answer.
        results = batch.results[len(reports) :] if reports else batch.results
        if tell is not None:
            tell(results)
        if self._watch is not None:
            for events, recorded_at in batch.events:
                self._watch(events, recorded_at)
        # 6. Release effects, and let go of reports.
        if batch.effects:
            self._guarded(self._edge.release, batch.effects)
        if reports:
            self._guarded(self._edge.acknowledge, reports)
        # 7. Publish.
        if batch.records:
            for publish in self._publish:
                self._guarded(publish, batch.records)
        return results

    # What a step is made of.

    def _decide(
        self, at: int, reports: list[ids.Asked], asked: Sequence[ids.Asked]
    ) -> tuple[_Batch, list[ids.Asked]]:
        """The batch, and the reports in it. A command that raises is answered and left out; nothing has landed."""
        broken: dict[int, LoopError] = {}
        while True:
            try:
                return self._decide_all(at, [*reports, *asked] if reports else asked, broken), reports
            except _Bug as bug:
                _log.exception("a command or timer raised; nothing of its batch has landed")
                self._refold()
                if bug.place < 0:
                    raise
                if bug.place < len(reports):
                    self.set_aside.append(reports[bug.place])
                    reports = [*reports[: bug.place], *reports[bug.place + 1 :]]
                    broken = {place - 1: error for place, error in broken.items()}
                else:
                    broken[bug.place] = LoopError(str(bug))

    def _decide_all(self, at: int, asked: Sequence[ids.Asked], broken: dict[int, LoopError]) -> _Batch:
        world = self._folded.world
        batch = _Batch(world.seq, self._folded.digest)
        place = -1
        next_wake, handle, results = world.next_wake, world.handle, batch.results
        try:
            if (due := next_wake()) is not None and due <= at:
                self._wake(world, at, batch)
            for place, one in enumerate(asked):
                if broken and place in broken:
                    results.append(broken[place])
                    continue
                outcome = handle(one, at)
                if outcome.events:
                    self._take(world, batch, outcome, at, one.by, one.cause)
                elif world.seq != batch.seq:
                    _disagree(world, batch)
                results.append(outcome.answer)
                # Also between commands: else what is decided would depend on where a batch ends. A timer that raises
                # here was set off by this command.
                if (due := next_wake()) is not None and due <= at:
                    self._wake(world, at, batch)
        except Exception as error:
            raise _Bug(place, error) from error
        return batch

    def _wake(self, world: W, at: int, batch: _Batch) -> None:
        while (due := world.next_wake()) is not None and due <= at:
            moment = max(due, world.now)
            outcome = world.wake(moment, at)
            if not outcome.events and world.next_wake() == due:
                raise AssertionError(f"woken at {moment}, the World did nothing of what was due at {due}")
            self._take(world, batch, outcome, moment, ids.CLOCK, 0)

    def _take(
        self, world: W, batch: _Batch, outcome: ids.Outcome, at: int, by: ids.Principal, cause: int
    ) -> None:
        if outcome.effects:
            batch.effects += outcome.effects
        if outcome.events:
            records = self._encode(
                batch.seq, batch.digest, at, f"c{batch.seq + 1}", by, cause, outcome.events
            )
            batch.records += records
            if self._watch is not None:
                batch.events.append((outcome.events, at))
            batch.seq, _, batch.digest = records[-1]
        if world.seq != batch.seq:
            _disagree(world, batch)

    def _reports(self, at: int) -> list[ids.Asked]:
        try:
            reports = self._edge.reports(at)
        except Exception:
            self._raised()
            return []
        return [report for report in reports if report not in self.set_aside] if self.set_aside else reports

    def _guarded(self, call: Callable[[Any], None], told: Any) -> None:
        """Tell an edge or a follower: when it raises, the loop goes on, and says all that is wanted once more."""
        try:
            call(told)
        except Exception:
            self._raised()

    def _raised(self) -> None:
        _log.exception("an edge or a follower raised")
        self._resync = True

    # When the journal said no.

    def _recover(self, error: Exception, batch: _Batch) -> LoopError:
        """Throw the World away and fold it again; what the batch's commands are answered."""
        before = batch.seq - len(batch.records), self._folded.digest
        if isinstance(error, ports.Fenced):
            self.stopped_because = str(error)
            return LoopError(f"not recorded: {error}")
        known = isinstance(error, ports.JournalError)
        may_have_landed = error.may_have_landed if isinstance(error, ports.JournalError) else True
        text = str(error) if known else f"{type(error).__name__}: {error}"
        _log.error("append failed: %s", text)
        if may_have_landed:
            try:
                head = self._journal.head()
            except Exception as second:
                text = f"{text}; it is not known whether the command is recorded ({second})"
            else:
                may_have_landed = head != before
                if head not in (before, (batch.seq, batch.digest)):
                    self.stopped_because = "another writer has appended to the journal"
        if not self.stopped_because:
            try:
                self._refold()
            except ports.JournalError as second:
                text = f"{text}; {second}"
        self._pause(text)
        return LoopError(text if may_have_landed else f"not recorded: {text}", may_have_landed)

    def _refold(self) -> None:
        """The World as the journal has it. Raises `ports.JournalError` when that cannot be read: the loop stops."""
        start = time.monotonic()
        try:
            self._folded = self._replay.latest(self._journal)
        except Exception as error:
            self.stopped_because = f"the journal cannot be folded: {error}"
            raise ports.JournalError(self.stopped_because) from error
        self._resync = True
        self._refold_s = time.monotonic() - start

    def _pause(self, reason: str) -> None:
        self.failing_because = reason
        # What fails again and again must not keep the loop folding instead of serving reads.
        self._paused_until = time.monotonic() + max(self._pause_s, 5 * self._refold_s)

    # The live thread.

    def submit(self, asked: ids.Asked) -> Future[ids.Answer | ids.Refusal]:
        """Let a command wait for the next batch. From any thread; the future raises `LoopError`.

        A future that is cancelled before its batch begins was not executed.
        """
        submission = Submission(asked)
        self._inbox.put(submission)
        return submission.future

    def read(self, function: Callable[[W], T]) -> Future[T]:
        """Call `function` with the World between two batches, on the loop's thread: keep it short."""
        read = Read(function)
        self._inbox.put(read)
        return read.future

    def nudge(self) -> None:
        """An edge has something to report. From any thread."""
        self._inbox.nudge()

    def run(self) -> None:
        """Serve until `stop`, or until the loop stops for good (`stopped_because`). Blocks."""
        with self._running:
            try:
                self._serve([])
                while not self.stopped_because and not self._inbox.stopping.is_set():
                    self._turn(self._timeout_s())
                while not self.stopped_because and self._turn(0):
                    pass
            except BaseException as error:
                self.stopped_because = f"the loop was ended by {type(error).__name__}: {error}"
                raise
            finally:
                if self.stopped_because:
                    _log.error("the loop has stopped: %s", self.stopped_because)
                self._inbox.close(self.stopped_because or "forebay has stopped")

    def stop(self) -> None:
        """Serve what already waits, refuse the rest, and wait until `run` has returned. From any other thread."""
        self._inbox.ask_to_stop()
        with self._running:
            self._inbox.close(self.stopped_because or "forebay has stopped")

    def _turn(self, timeout_s: float) -> bool:
        """Serve what waits; whether anything did."""
        asked, reads = self._inbox.take(timeout_s, BATCH_MAX)
        for read in reads:
            read.serve(self.world)
        if not self.failing_because or time.monotonic() >= self._paused_until:
            self._serve(asked)
        else:
            _settle(asked, [LoopError(f"not recorded: {self.failing_because}")] * len(asked))
        return bool(asked or reads)

    def _serve(self, submissions: list[Submission]) -> None:
        try:
            self.step([each.asked for each in submissions], lambda results: _settle(submissions, results))
        except BaseException as error:
            text = f"the loop was ended by {type(error).__name__}: {error}"
            left = [each for each in submissions if not each.future.done()]
            _settle(left, [LoopError(text, may_have_landed=True)] * len(left))
            raise

    def _timeout_s(self) -> float:
        if self.failing_because:
            return max(0.0, self._paused_until - time.monotonic())
        due = [self.world.next_wake()]
        if not self.set_aside:  # a report that was set aside stays due
            due.append(self._edge.next_report())
        now = self._clock.now()
        return min([IDLE_S, *(max(0.0, (each - now) / 1e6) for each in due if each is not None)])


def _disagree(world: ports.Machine, batch: _Batch) -> NoReturn:
    """What the World applies is what it gives, no more and no less."""
    raise AssertionError(f"the World applied events up to {world.seq}, but gave them up to {batch.seq}")


def _tell_all(tell: Callable[[list[Result]], None] | None, count: int, error: LoopError) -> list[Result]:
    results: list[Result] = [error] * count
    if tell is not None:
        tell(results)
    return results


def _settle(submissions: list[Submission], results: Sequence[Result]) -> None:
    for submission, result in zip(submissions, results, strict=True):
        if isinstance(result, LoopError):
            submission.future.set_exception(result)
        else:
            submission.future.set_result(result)
