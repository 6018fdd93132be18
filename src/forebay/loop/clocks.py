"""Where does `at` come from in a live forebay? The system's clock; the twin has its own.

A world that only plans may live at another date: it is then a fixed time ahead of the system's clock, or behind it.
"""

from __future__ import annotations

import json
import time
from pathlib import Path


class SystemClock:
    """The system's clock. It may be set back; the loop goes on at the time of its last record until it catches up."""

    def now(self) -> int:
        """Microseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1000


class ShiftedClock:
    """The system's clock, a fixed time ahead or behind."""

    def __init__(self, offset_us: int) -> None:
        self.offset_us = offset_us

    def now(self) -> int:
        """Microseconds since the Unix epoch, UTC, of the shifted clock."""
        return SystemClock().now() + self.offset_us


def shift(path: Path, as_of: int) -> None:
    """Note that the world whose clock is kept in this file is at `as_of` now. A clock that is set stays as it is."""
    if not path.exists():
        path.write_text(json.dumps({"offset_us": as_of - SystemClock().now()}), encoding="ascii")


def read_clock(path: Path) -> SystemClock | ShiftedClock:
    """The clock of a world: the system's where no file says otherwise. Raises ValueError."""
    try:
        held = json.loads(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        return SystemClock()
    offset_us = held.get("offset_us") if isinstance(held, dict) else None
    if type(offset_us) is not int:
        raise ValueError(f"{path} does not say how far the clock of this world is shifted")
    return ShiftedClock(offset_us)
