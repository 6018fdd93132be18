"""Do gangs of some tiers run here, as things stand when it is asked?"""

from __future__ import annotations

from forebay.core.placements.gang import Phase, Tier
from forebay.core.placements.state import Held, State


class AtWork:
    """Nodes where gangs of these tiers are to run on, as things stand when it is asked: `node in AtWork(...)`."""

    __slots__ = ("_held", "_state", "_tiers")

    def __init__(self, state: State, held: Held, *tiers: Tier) -> None:
        self._state = state
        self._held = held
        self._tiers = tiers

    def __contains__(self, node: object) -> bool:
        assert isinstance(node, int)
        here = (self._state.gangs[name] for name in self._held.on_node.get(node, ()))
        return any(gang.spec.tier in self._tiers and gang.phase is not Phase.STOPPING for gang in here)
