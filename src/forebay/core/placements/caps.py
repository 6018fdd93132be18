"""Who may not start though there is room: its project, or its user, is over a cap, or a budget is spent.

Who is over a cap waits, and with it whoever comes later and counts to the same cap: so small gangs do not keep a
large one of the same project waiting for ever. It is in nobody else's way: to all others it does not wait.

All gangs of one row of the queue (a lane, a shape, a project, a user and a class) are alike to every cap, so the
question is asked of rows. What was found, and who is first of all that a cap holds, is looked up again only when
something happened to a gang that counts to the same cap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from forebay.core.placements.projects import Node, Project, Whose
from forebay.core.placements.sharing import Turns

#: A row of the queue.
R = TypeVar("R")


class Barred(NamedTuple):
    """Why a gang may not start: a budget that is spent, or a cap, with who before it is held by the same one."""

    spent: Project | None = None
    node: Node | None = None
    most: int = 0
    left: int = 0
    #: Whether it is within the cap itself, and waits for one that comes before it.
    behind: bool = False


class Caps(Generic[R]):
    """Rows of gangs that count to a cap."""

    __slots__ = ("_first", "_rows", "found", "turns")

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        #: Cap -> rows that count to it, each with the GPUs of its gangs.
        self._rows: dict[Node, dict[R, int]] = {}
        #: Cap -> the place of the first that it holds back; None where it holds nobody.
        self._first: dict[Node, Any] = {}
        #: Row -> who was asked about last, and what holds that one back: kept by the row, until something happens.
        self.found: dict[R, tuple[Any, Barred | None]] = {}

    def enter(self, row: R, whose: Whose, gpus: int) -> None:
        """Somebody waits in a row."""
        for node, _, _ in self.turns.limits(whose):
            self._rows.setdefault(node, {})[row] = gpus
        self.stir(whose)

    def stir(self, whose: Whose) -> None:
        """Something happened to a gang that counts like this: it waits, was placed, or is gone."""
        found = self.found
        for node, _, _ in self.turns.limits(whose):
            self._first.pop(node, None)
            for row in self._rows.get(node, ()):
                found.pop(row, None)

    def barred(self, whose: Whose, gpus: int, place: Any, head: Callable[[R], Any]) -> Barred | None:
        """What holds a gang back at its place; `head` is the place of the first who waits in a row, or None."""
        spent = self.turns.spent(whose)
        if spent is not None:
            return Barred(spent)
        behind: Barred | None = None
        for node, most, left in self.turns.limits(whose):
            if gpus > left:
                return Barred(None, node, most, left)
            if behind is None:
                first = self._first_held(node, most, left, head)
                if first is not None and first < place:
                    behind = Barred(None, node, most, left, behind=True)
        return behind

    def _first_held(self, node: Node, most: int, left: int, head: Callable[[R], Any]) -> Any:
        if node in self._first:
            return self._first[node]
        # Who could never start under it, as after it was lowered, holds up nobody.
        rows = (row for row, gpus in self._rows.get(node, {}).items() if left < gpus <= most)
        first = min((place for row in rows if (place := head(row)) is not None), default=None)
        self._first[node] = first
        return first
