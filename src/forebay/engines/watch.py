"""What does the local engine do about each generation, and how does it find out how it is?

All of this runs in one thread at a time (`local` sees to that), reads and writes the gangs' folders, and signals
supervisors. What a generation is:

    unclaimed   ordered on disk, and no supervisor has claimed it: forebay died in between
    live        a supervisor keeps it
    orphaned    its supervisor died without an outcome: what is left is being killed
    ended       its outcome is known

A generation is never started twice, because its folder is made by one mkdir and claimed by one link(2); the engine
forbids a start by claiming it first.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import os
import selectors
import signal
import time
from collections.abc import Callable, Sequence
from enum import Enum, auto
from pathlib import Path

from forebay.core import ids
from forebay.core.placements import gang
from forebay.engines import gang_folders, launching, leases, leftovers, supervisor

_log = logging.getLogger(__name__)

#: How often to look where nothing tells us: for ranks coming up, on kernels without pidfd, and at overdue stops.
POLL_S = 1.0
#: Between two rounds of killing what a dead supervisor left.
SWEEP_S = 0.05

Report = gang.ReportGangStarted | gang.ReportGangEnded | gang.ReportGangProgress


class Keeping(Enum):
    """See the top of this file."""

    UNCLAIMED = auto()
    LIVE = auto()
    ORPHANED = auto()
    ENDED = auto()


class Generation:
    """One generation of one gang."""

    __slots__ = (
        "cause",
        "folder",
        "gang",
        "grace_s",
        "keeping",
        "kill_at",
        "mark",
        "number",
        "outcome",
        "pid",
        "pidfd",
        "port",
        "up",
    )

    def __init__(
        self, gang_id: str, number: int, folder: Path, cause: int, grace_s: int = 0, port: int = 0
    ) -> None:
        self.gang = gang_id
        self.number = number
        self.folder = folder
        self.cause = cause
        self.grace_s = grace_s
        self.port = port
        self.keeping = Keeping.UNCLAIMED
        self.outcome: supervisor.OutcomeFile | None = None
        #: Process id of its supervisor, 0 before there is one.
        self.pid = 0
        #: Tells when the supervisor exits; -1 where the kernel has no such thing.
        self.pidfd = -1
        #: Whether it was seen that all ranks came up.
        self.up = False
        #: Monotonic seconds at which its supervisor is killed; None until a stop was asked for.
        self.kill_at: float | None = None
        #: How far it was seen to have got; -1 where it has not said so.
        self.mark = -1


class _Gang:
    """Generations of one gang that have a folder, or whose end is still to be acknowledged."""

    __slots__ = ("generations", "known", "waiting")

    def __init__(self) -> None:
        self.generations: dict[int, Generation] = {}
        #: Highest generation heard of.
        self.known = -1
        #: What starts as soon as older generations are dead.
        self.waiting: gang.RunGang | None = None

    def running(self) -> list[Generation]:
        return [one for one in self.generations.values() if one.keeping is not Keeping.ENDED]


class Watch:
    """All gangs of one state folder.

    `report(report, cause)` is told each fact once. `selector` wakes its owner when a supervisor exits; the key's
    data is then the `Generation` to `look` at. Steps may raise OSError; what they left undone, `tend` finds.
    """

    def __init__(
        self,
        folders: gang_folders.GangFolders,
        launcher: launching.Launcher,
        selector: selectors.BaseSelector,
        report: Callable[[Report, int], None],
        *,
        source: str,
        ended_kept: int,
        overdue_s: float,
        lease: leases.Lease,
    ) -> None:
        self._boot = supervisor.boot_id()
        self._folders = folders
        self._launcher = launcher
        self._selector = selector
        self._report = report
        self._source = source
        self._ended_kept = ended_kept
        self._overdue_s = overdue_s
        self._lease = lease
        self._gangs: dict[str, _Gang] = {}
        #: Ended and acknowledged generations, oldest first.
        self._kept: collections.deque[tuple[str, int]] = collections.deque()

    def running(self) -> list[Generation]:
        """Generations that have not ended."""
        return [one for entry in self._gangs.values() for one in entry.running()]

    def timeout(self) -> float | None:
        """Seconds until `tend` has something to do; None, so no polling, while all that runs is up and watched."""
        timeout = None
        for one in self.running():
            if one.keeping is Keeping.ORPHANED:
                return SWEEP_S
            if one.keeping is Keeping.UNCLAIMED or not one.up or one.pidfd < 0 or one.kill_at is not None:
                timeout = POLL_S
        return timeout

    def tend(self, one: Generation) -> None:
        """Do what is due, and look where nothing tells us."""
        if one.keeping is Keeping.UNCLAIMED:
            if gang_folders.read_keeper(one.folder) is not None:  # by a supervisor that was on its way
                self.look(one)
        elif one.keeping is Keeping.ORPHANED:
            self._sweep(one)
        elif one.keeping is Keeping.LIVE:
            self._look_for_start(one)
            if one.pidfd < 0 and self._is_gone(one):
                self.look(one)
            elif one.kill_at is not None:
                overdue = time.monotonic() >= one.kill_at
                self._signal(one, signal.SIGKILL if overdue else signal.SIGUSR1)

    # What is wanted

    def follow_all(self, desired: Sequence[gang.RunGang | gang.StopGang]) -> None:
        """Stop what is not in `desired`; report again what is known of the rest, and start what is not known."""
        wanted = {(effect.gang, effect.generation) for effect in desired}
        for gang_id, entry in list(self._gangs.items()):
            if entry.waiting is not None and (gang_id, entry.waiting.generation) not in wanted:
                entry.waiting = None
            for one in entry.running():
                if (gang_id, one.number) not in wanted:
                    self._stop(one, one.grace_s, "no longer wanted")
        for effect in desired:
            self.follow(effect, report_again=True)

    def follow(self, effect: gang.RunGang | gang.StopGang, report_again: bool = False) -> None:
        """Begin to make one effect true."""
        entry = self._gangs.setdefault(effect.gang, _Gang())
        one = entry.generations.get(effect.generation)
        if isinstance(effect, gang.StopGang):
            self._follow_stop(entry, one, effect)
        elif one is None:
            self._follow_run(entry, effect, report_again)
        elif one.keeping is Keeping.UNCLAIMED:
            self._spawn(one)
        if report_again and one is not None:
            self._report_again(one)

    def _follow_run(self, entry: _Gang, effect: gang.RunGang, report_again: bool) -> None:
        if effect.generation < entry.known:
            if report_again:
                self._refuse(entry, effect, gang.Ending.LOST, "a later generation of it has run here")
            return
        entry.known = effect.generation
        entry.waiting = effect
        for older in entry.running():
            self._stop(older, older.grace_s, f"generation {effect.generation} takes its place")
        self._start_waiting(entry)

    def _follow_stop(self, entry: _Gang, one: Generation | None, effect: gang.StopGang) -> None:
        for older in entry.running():
            if older.number < effect.generation:
                self._stop(older, effect.grace_s, effect.reason)
        if one is not None:
            self._stop(one, effect.grace_s, effect.reason)
            return
        # Never started here, and never will be, should its start arrive late.
        entry.known = max(entry.known, effect.generation)
        if entry.waiting is not None and entry.waiting.generation <= effect.generation:
            entry.waiting = None
        self._refuse(entry, effect, gang.Ending.STOPPED, f"{effect.reason}: it had not been started")

    def _refuse(
        self, entry: _Gang, effect: gang.RunGang | gang.StopGang, ending: gang.Ending, evidence: str
    ) -> None:
        """End a generation that has no folder, on disk where that can be done."""
        try:
            folder = self._folders.make_generation(effect.gang, effect.generation)
        except (OSError, ValueError):
            folder = self._folders.nowhere
        one = Generation(effect.gang, effect.generation, folder, effect.cause)
        entry.generations[one.number] = one
        self._give_up(one, ending, evidence)

    # Starting

    def _start_waiting(self, entry: _Gang) -> None:
        if entry.waiting is None or entry.running() or not self._lease.holds(entry.waiting.lease_s):
            return
        effect, entry.waiting = entry.waiting, None
        try:
            order = self._launcher.draw_up(effect, {one.port for one in self.running()})
            folder = self._folders.make_generation(effect.gang, effect.generation)
        except ValueError as why:
            self._refuse(entry, effect, gang.Ending.UNSTARTABLE, str(why))
            return
        except OSError as why:
            self._refuse(entry, effect, gang.Ending.LOST, f"it could not be started: {why}")
            return
        one = Generation(effect.gang, effect.generation, folder, effect.cause, effect.grace_s, order["port"])
        entry.generations[one.number] = one
        try:
            supervisor.write_whole(str(folder / "spec.json"), order)
        except OSError as why:
            self._give_up(one, gang.Ending.LOST, f"it could not be started: {why}")
            return
        self._spawn(one)

    def _spawn(self, one: Generation) -> None:
        order = gang_folders.read_order(one.folder)
        if order is None:
            self._give_up(one, gang.Ending.LOST, "its order does not read back")
            return
        try:
            one.pid = self._launcher.spawn(one.folder, order["token"])
        except OSError as why:
            self._give_up(one, gang.Ending.LOST, f"its supervisor could not be started: {why}")
            return
        one.keeping = Keeping.LIVE
        self._watch_exit(one)

    def start_leased(self) -> None:
        """The lease goes on: start what waited for that."""
        for entry in list(self._gangs.values()):
            self._start_waiting(entry)

    # Stopping

    def _stop(self, one: Generation, grace_s: int, reason: str) -> None:
        """Ask a generation to stop; asking again changes nothing."""
        if one.keeping is Keeping.UNCLAIMED:
            self._give_up(one, gang.Ending.STOPPED, f"{reason}: it had not been started")
        if one.keeping is not Keeping.LIVE or one.kill_at is not None:
            return
        one.kill_at = time.monotonic() + grace_s + self._overdue_s
        request: supervisor.StopFile = {"grace_s": grace_s, "reason": reason}
        try:
            supervisor.write_whole(str(one.folder / "stop.json"), request)
        except OSError:
            # A full disk. SIGTERM needs no file, at the price of an ending that does not say why.
            self._signal(one, signal.SIGTERM)
            return
        # A supervisor that has not claimed yet cannot take the signal; it looks for the request when it has.
        self._signal(one, signal.SIGUSR1)

    def _signal(self, one: Generation, number: signal.Signals) -> None:
        if number is not signal.SIGKILL and not leftovers.is_kept(one.folder, one.pid, self._boot):
            return
        with contextlib.suppress(ProcessLookupError):
            if one.pidfd >= 0:
                signal.pidfd_send_signal(one.pidfd, number)
            elif leftovers.is_kept(one.folder, one.pid, self._boot):
                os.kill(one.pid, number)

    def _give_up(self, one: Generation, ending: gang.Ending, evidence: str) -> None:
        """End a generation that nobody keeps and forbid its start; if a supervisor was first, adopt it."""
        nobody: supervisor.Keeper = {"pid": 0, "started": 0, "boot": "", "token": ""}
        try:
            if not supervisor.claim_generation(str(one.folder), nobody):
                self.look(one)
                return
        except OSError as why:
            _log.warning("gang %s.%d: its end could not be written down: %s", one.gang, one.number, why)
        self._conclude(one, ending, evidence)

    # What is seen

    def adopt(self) -> None:
        """Take over what an earlier engine on this state folder left. Raises OSError if it does not read."""
        acknowledged: list[tuple[int, str, int]] = []
        for gang_id in self._folders.gangs():
            for number in self._folders.generations(gang_id):
                one = self._read_generation(gang_id, number)
                if one is None:
                    continue
                entry = self._gangs.setdefault(gang_id, _Gang())
                entry.known = number
                entry.generations[number] = one
                self.look(one)
                if one.outcome is not None and gang_folders.is_marked(one.folder, "outcome"):
                    acknowledged.append((one.outcome["at"], gang_id, number))
        self._kept.extend((gang_id, number) for _, gang_id, number in sorted(acknowledged))

    def _read_generation(self, gang_id: str, number: int) -> Generation | None:
        """What is in a folder; None for one that was not finished, so that nothing can have been started."""
        folder = self._folders.of_generation(gang_id, number)
        order = gang_folders.read_order(folder)
        if order is not None:
            return Generation(gang_id, number, folder, order["cause"], order["grace_s"], order["port"])
        outcome = gang_folders.read_outcome(folder)
        if outcome is not None:
            return Generation(gang_id, number, folder, outcome["cause"])
        self._folders.prune(gang_id, number)
        return None

    def look(self, one: Generation) -> None:
        """Find out from its folder how a generation is, whatever was known before."""
        self._unwatch(one)
        self._look_for_start(one)
        outcome = gang_folders.read_outcome(one.folder)
        keeper = gang_folders.read_keeper(one.folder)
        if outcome is not None:
            self._end(one, outcome)
        elif keeper is not None:
            self._look_at_keeper(one, keeper["pid"])
        elif one.keeping is Keeping.LIVE:
            why = gang_folders.last_line(one.folder / "supervisor.log") or "it left no word"
            self._give_up(one, gang.Ending.LOST, f"its supervisor died at once: {why}")

    def _look_at_keeper(self, one: Generation, pid: int) -> None:
        one.pid = pid
        one.keeping = Keeping.LIVE
        self._watch_exit(one)  # first, so that an exit between the two does not go unnoticed
        if leftovers.is_kept(one.folder, pid, self._boot):
            if (one.folder / "stop.json").exists():
                if one.kill_at is None:
                    one.kill_at = time.monotonic() + one.grace_s + self._overdue_s
                self._signal(one, signal.SIGUSR1)
            return
        self._unwatch(one)
        outcome = gang_folders.read_outcome(one.folder)  # it may have been written since
        if outcome is not None:
            self._end(one, outcome)
        else:
            one.keeping = Keeping.ORPHANED
            self._sweep(one)

    def _is_gone(self, one: Generation) -> bool:
        """Whether the supervisor has exited, on kernels that do not tell."""
        try:
            return os.waitpid(one.pid, os.WNOHANG)[0] != 0
        except ChildProcessError:  # adopted, so it has claimed
            return not leftovers.is_kept(one.folder, one.pid, self._boot)

    def _watch_exit(self, one: Generation) -> None:
        with contextlib.suppress(OSError):  # it is gone, or the kernel is older than 5.3
            one.pidfd = os.pidfd_open(one.pid)
            self._selector.register(one.pidfd, selectors.EVENT_READ, one)

    def _unwatch(self, one: Generation) -> None:
        if one.pidfd >= 0:
            self._selector.unregister(one.pidfd)
            os.close(one.pidfd)
            one.pidfd = -1
        if one.pid:
            with contextlib.suppress(ChildProcessError):  # adopted: another process reaps it
                os.waitpid(one.pid, os.WNOHANG)

    def _sweep(self, one: Generation) -> None:
        if not leftovers.kill_left(one.folder, self._boot):
            return
        why = gang_folders.last_line(one.folder / "supervisor.log") or "killed, or the host restarted"
        stop = gang_folders.read_stop(one.folder)
        if stop is not None:
            self._conclude(one, gang.Ending.STOPPED, f"{stop['reason']}; its supervisor was gone: {why}")
        else:
            self._conclude(one, gang.Ending.LOST, f"its supervisor was gone: {why}")

    def _conclude(self, one: Generation, ending: gang.Ending, evidence: str) -> None:
        """Write the outcome in place of a supervisor that cannot."""
        outcome: supervisor.OutcomeFile = {
            "at": leftovers.instant_of_loss(one.folder, self._boot),
            "ending": ending.value,
            "rank": -1,
            "exit_status": 0,
            "evidence": evidence[: supervisor.EVIDENCE_CHARS_MAX],
            "cause": one.cause,
            "log_bytes_lost": 0,
        }
        try:
            supervisor.write_outcome(str(one.folder), outcome)
        except OSError as why:
            # Reported all the same. A later engine finds no outcome, and reports the generation lost again.
            _log.warning("gang %s.%d: its end could not be written down: %s", one.gang, one.number, why)
        self._end(one, outcome)

    def _end(self, one: Generation, outcome: supervisor.OutcomeFile) -> None:
        self._look_for_start(one)
        one.keeping = Keeping.ENDED
        one.kill_at = None
        one.outcome = outcome
        if not gang_folders.is_marked(one.folder, "outcome"):
            self._report_ended(one, outcome)
        self._start_waiting(self._gangs[one.gang])

    # Reporting

    def look_for_progress(self) -> None:
        """How far gangs got, as their programs say in the file that they were given."""
        for one in self.running():
            found = gang_folders.read_progress(self._folders.of_gang(one.gang) / "home", one.number)
            if found is None or found[0] <= one.mark or not one.up:
                continue
            one.mark, at = found
            self._report(
                gang.ReportGangProgress(ids.GangId(one.gang), one.mark, one.number, at, self._source),
                one.cause,
            )

    def _look_for_start(self, one: Generation) -> None:
        started = None if one.up else gang_folders.read_started(one.folder)
        if started is not None:
            one.up = True
            if not gang_folders.is_marked(one.folder, "started"):
                self._report_started(one, started["at"])

    def _report_again(self, one: Generation) -> None:
        started = gang_folders.read_started(one.folder)
        if started is not None:
            gang_folders.unmark(one.folder, "started")
            self._report_started(one, started["at"])
        if one.outcome is not None:
            gang_folders.unmark(one.folder, "outcome")
            self._report_ended(one, one.outcome)

    def _report_started(self, one: Generation, at: int) -> None:
        self._report(gang.ReportGangStarted(ids.GangId(one.gang), one.number, at, self._source), one.cause)

    def _report_ended(self, one: Generation, outcome: supervisor.OutcomeFile) -> None:
        report = gang.ReportGangEnded(
            gang=ids.GangId(one.gang),
            generation=one.number,
            effective_at=outcome["at"],
            source=self._source,
            ending=gang.Ending(outcome["ending"]),
            rank=outcome["rank"],
            exit_status=outcome["exit_status"],
            evidence=outcome["evidence"],
        )
        self._report(report, one.cause)

    # Room

    def acknowledge(self, reports: Sequence[Report]) -> None:
        """Note that these need not be reported again, and prune ended generations beyond the number kept."""
        for report in reports:
            entry = self._gangs.get(report.gang)
            one = entry.generations.get(report.generation) if entry is not None else None
            if one is None:
                continue
            if isinstance(report, gang.ReportGangStarted):
                gang_folders.mark(one.folder, "started")
            elif isinstance(report, gang.ReportGangEnded):
                gang_folders.mark(one.folder, "outcome")
                self._kept.append((one.gang, one.number))
        self.prune()

    def prune(self) -> None:
        """Remove the oldest ended generations beyond the number kept."""
        while len(self._kept) > self._ended_kept:
            gang_id, number = self._kept.popleft()
            entry = self._gangs.get(gang_id)
            if entry is None or number not in entry.generations:
                continue
            with contextlib.suppress(ValueError):  # an unsafe id, which never had a folder
                self._folders.prune(gang_id, number)
            del entry.generations[number]
            if not entry.generations and entry.waiting is None:
                del self._gangs[gang_id]

    def is_idle(self, gang_id: str) -> bool:
        """Whether nothing of a gang runs or is about to, and every end is known to have been taken note of."""
        entry = self._gangs.get(gang_id)
        return entry is None or (entry.waiting is None and all(map(_is_settled, entry.generations.values())))

    def forget(self, gang_id: str) -> None:
        """Remove all that an idle gang left. Raises OSError."""
        self._folders.remove(gang_id)
        self._gangs.pop(gang_id, None)

    def let_go(self) -> None:
        """Close what watches supervisors, and leave them alone."""
        for one in self.running():
            self._unwatch(one)


def _is_settled(one: Generation) -> bool:
    """Its end was taken note of, or there is nothing on disk to lose."""
    if one.keeping is not Keeping.ENDED:
        return False
    return gang_folders.is_marked(one.folder, "outcome") or not one.folder.exists()
