"""Since when has nobody answered this engine? The file by which supervisors know whether a lease goes on.

`lease.json` in the engine's state folder says when it sent the last heartbeat that was answered: by the clock of this
boot that goes on while the host sleeps. It need not be durable: after a start of the host nothing runs.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from forebay.engines import supervisor


class Lease:
    """The file `path`, which one engine writes and all its supervisors read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        #: By `supervisor.boot_clock_s`; 0.0 before the first answer of this boot.
        self.answered_s = supervisor.read_answered(str(path), supervisor.boot_id())

    def answer(self, sent_s: float) -> None:
        """The heartbeat that was sent then was answered. Raises OSError."""
        if sent_s <= self.answered_s:
            return
        self.answered_s = sent_s
        temporary = f"{self.path}.{os.getpid()}.tmp"
        try:
            with open(temporary, "w", encoding="ascii") as file:
                json.dump({"boot": supervisor.boot_id(), "answered_s": sent_s}, file)
            os.rename(temporary, self.path)
        except OSError:
            # A full disk: leases end, unless it is written next time.
            self.answered_s = 0.0
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise

    def holds(self, lease_s: int) -> bool:
        """Whether a run with such a lease may start now; one without always may."""
        return not lease_s or supervisor.boot_clock_s() - self.answered_s < lease_s
