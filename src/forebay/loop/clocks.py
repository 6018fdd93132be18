"""Where does `at` come from in a live forebay? The system's clock; the twin has its own."""

from __future__ import annotations

import time


class SystemClock:
    """The system's clock. It may be set back; the loop goes on at the time of its last record until it catches up."""

    def now(self) -> int:
        """Microseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1000
