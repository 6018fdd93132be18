"""How long does what a gang left stay, when the gang is over?

A gang that is over leaves the logs of its ranks, its home and its checkpoints. All of it goes together, so many days
after its end; what was set aside because a new gang took the name goes as many days after that. A gang that runs or
waits to run again keeps its own, and so does one whose last end has not been taken note of.

Whether a gang is over is not for an engine to know: between two generations it may wait for weeks. So it is asked
(`Ended`), and where there is nobody to ask, nothing goes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence

from forebay.engines import gang_folders, watch

KEEP_DAYS = 14
#: The first look comes soon, for a forebay that is started often; then they come at this distance.
FIRST_LOOK_S = 60.0
LOOK_EVERY_S = 3600.0

_log = logging.getLogger(__name__)

#: Of these gangs, those that are over for good; None when that cannot be said now. It may take a while to find out.
Ended = Callable[[Sequence[str]], Collection[str] | None]


class Retention:
    """When to look, and what goes then. For the engine's thread."""

    def __init__(
        self,
        folders: gang_folders.GangFolders,
        watched: watch.Watch,
        ended: Ended,
        keep_days: float,
        first_look_s: float,
    ) -> None:
        self._folders = folders
        self._watch = watched
        self._ended = ended
        self._keep_s = keep_days * 86_400
        self._look_at = time.monotonic() + first_look_s

    def due_in(self) -> float:
        """Seconds until the next look; 0 when it is due."""
        return max(0.0, self._look_at - time.monotonic())

    def look(self) -> None:
        """Remove what has been kept for long enough."""
        self._look_at = time.monotonic() + LOOK_EVERY_S
        before = time.time() - self._keep_s
        known = self._folders.gangs()
        idle = [gang_id for gang_id in known if self._watch.is_idle(gang_id)]
        ended = self._ended(idle)
        if ended is None:
            return
        over = set(idle).intersection(ended)
        for gang_id in known:
            try:
                self._judge(gang_id, gang_id in over, before)
            except OSError as why:  # a folder that is not as we made it must not keep the others
                _log.warning("what gang %s left could not be removed: %s", gang_id, why)
        if self._folders.holds_removed:
            # Checkpoints may be many and large, and this thread has gangs to stop in time.
            threading.Thread(target=self._folders.free_removed, name="free-removed", daemon=True).start()

    def _judge(self, gang_id: str, over: bool, before: float) -> None:
        self._folders.remove_earlier(gang_id, before)
        if not over:
            self._folders.not_over(gang_id)
        elif self._folders.over_since(gang_id) <= before:
            self._watch.forget(gang_id)
