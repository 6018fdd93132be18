"""Who estimates again how sure the dates of a site are, once its schedule has moved? A thread beside the loop.

The World moves its dates at once and calls its quantiles provisional. This takes the schedules of which that is so,
simulates them (`planner.delays`), and hands the result in as any edge does: as a command, which is refused when the
schedule has moved on meanwhile, and then it is done again.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import CancelledError

from forebay.core import ids
from forebay.core.supply.blocks import Schedule
from forebay.core.world import World
from forebay.loop import ports
from forebay.loop.inbox import LoopError
from forebay.loop.loop import Loop
from forebay.planner import delays
from forebay.server.tail import Tail

PLANNER = ids.Principal("planner", ids.Role.EDGE)
#: At most so often it is looked whether something moved, seconds.
LOOK_EVERY_S = 0.2
#: Longest wait for all dates to be estimated, seconds.
SETTLE_S = 60.0

_log = logging.getLogger(__name__)


class Forecaster:
    """Keeps the quantiles of every schedule up to date."""

    def __init__(self, loop: Loop[World], clock: ports.Clock, tail: Tail) -> None:
        self._loop = loop
        self._clock = clock
        self._tail = tail
        self._grown = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._listening = 0
        self._thread = threading.Thread(target=self._run, name="forecaster", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._listening = self._tail.listen(self._grown.set)
        self._grown.set()
        self._thread.start()

    def stop(self) -> None:
        """Look no more; waits for a simulation that runs."""
        if self._thread.is_alive():
            self._stopping.set()
            self._grown.set()
            self._tail.leave(self._listening)
            self._thread.join()

    def settle(self) -> None:
        """Estimate everything that moved, now. What cannot be estimated in time stays provisional."""
        with self._lock:
            try:
                for _ in range(100):
                    moved = self._loop.read(_moved).result(SETTLE_S)
                    if not moved:
                        return
                    for schedule in moved:
                        made = delays.forecast(schedule, self._clock.now())
                        self._loop.submit(ids.Asked(made, PLANNER)).result(SETTLE_S)
            except (LoopError, TimeoutError, CancelledError) as error:
                # Who stops reads nothing of it: the next start estimates them.
                _log.log(
                    logging.DEBUG if self._stopping.is_set() else logging.WARNING,
                    "dates stay provisional: %s",
                    error,
                )

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._grown.wait()
            self._grown.clear()
            if not self._stopping.is_set():
                self.settle()
            self._stopping.wait(LOOK_EVERY_S)


def settle_copy(world: World, at: int) -> None:
    """The same on a copy of the World, for what is only tried."""
    for schedule in _moved(world):
        world.handle(ids.Asked(delays.forecast(schedule, at), PLANNER), at)


def _moved(world: World) -> list[Schedule]:
    """Schedules whose quantiles are provisional. Replaced, never changed in place: safe to read elsewhere."""
    return [
        schedule
        for schedule in world.state.supply.schedules.values()
        if schedule.forecast is None or schedule.forecast.graph != schedule.graph
    ]
