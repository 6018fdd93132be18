"""Who holds GPUs of a node?"""

from __future__ import annotations

from forebay.core.ids import GangId
from forebay.core.placements.gang import Run

#: Neighbouring nodes that are looked at together, as a power of two.
_NEAR = 6


class OnNode:
    """Gangs by the nodes they hold GPUs of. Kept by groups of neighbours: a gang of thousands of nodes enters a few
    dozen of them, and who asks for a node looks at those near it.
    """

    __slots__ = ("near",)

    def __init__(self) -> None:
        #: Group -> the gangs that hold GPUs there, in order of placement, with all they hold.
        self.near: dict[int, dict[GangId, tuple[Run, ...]]] = {}

    def add(self, gang: GangId, runs: tuple[Run, ...]) -> None:
        """A gang holds these GPUs from now on."""
        near = self.near
        for first, count, _ in runs:
            for group in (
                (first >> _NEAR,) if count == 1 else range(first >> _NEAR, (first + count - 1 >> _NEAR) + 1)
            ):
                here = near.get(group)
                if here is None:
                    near[group] = {gang: runs}
                else:
                    here[gang] = runs

    def drop(self, gang: GangId, runs: tuple[Run, ...]) -> None:
        """A gang holds them no more."""
        near = self.near
        for first, count, _ in runs:
            for group in (
                (first >> _NEAR,) if count == 1 else range(first >> _NEAR, (first + count - 1 >> _NEAR) + 1)
            ):
                here = near.get(group)
                # Two runs may lie in one group.
                if here is not None and here.pop(gang, None) is not None and not here:
                    del near[group]

    def get(self, node: int, default: tuple[GangId, ...] = ()) -> tuple[GangId, ...]:
        """Gangs that hold GPUs of a node, in order of placement."""
        here = self.near.get(node >> _NEAR)
        if here is None:
            return default
        return tuple(
            name
            for name, runs in here.items()
            if any(first <= node < first + count for first, count, _ in runs)
        )
