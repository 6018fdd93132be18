"""Whose time is it in the twin? Its own: it moves when it is told to."""

from __future__ import annotations


class VirtualClock:
    """A clock that is set by hand. Microseconds since the Unix epoch, UTC."""

    def __init__(self, at: int = 0) -> None:
        self._at = at

    def now(self) -> int:
        """Where it stands."""
        return self._at

    def set(self, at: int) -> None:
        """To any time, back too (as a system's clock may be)."""
        self._at = at

    def advance_to(self, at: int) -> None:
        """Forward to `at`; stays where it is when that is past."""
        self._at = max(self._at, at)
