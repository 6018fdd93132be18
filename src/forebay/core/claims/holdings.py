"""Who has what, rack by rack and level by level: kept up, so that to bind one tranche nobody looks at all of them.

Derived from supply and claims and never stored.
"""

from __future__ import annotations

from collections.abc import Iterable

from forebay.core import supply
from forebay.core.claims import contracts
from forebay.core.claims.contracts import Standing, State, Tranche
from forebay.core.ids import Event, SiteId, SkuId, TrancheId


class Holdings:
    """The racks of each stock, and the power that is there and promised on each level."""

    def __init__(self, supplied: supply.State, claimed: State) -> None:
        self._supplied = supplied
        self._claimed = claimed
        self._racks: dict[tuple[SiteId, SkuId], list[supply.Rack]] = {}
        self._room_w: dict[supply.PowerLevel, int] = {}
        #: Levels that a tranche has a share of, and who has a share of a level.
        self._levels: dict[TrancheId, list[supply.PowerLevel]] = {}
        self._loads: dict[supply.PowerLevel, dict[TrancheId, int]] = {}
        self._look()
        for name in claimed.tranches:
            self._bound(name)

    def racks(self, site: SiteId, sku: SkuId) -> list[supply.Rack]:
        """The racks of a stock, in order."""
        return self._racks.get((site, sku), [])

    def room_w(self, level: supply.PowerLevel) -> int:
        """Watts of work that a level can carry."""
        return self._room_w[level]

    def loads(self, level: supply.PowerLevel) -> Iterable[tuple[Tranche, int]]:
        """Tranches that have not ended with nodes below a level, and the watts that they are promised there."""
        return ((self._claimed.tranches[name], watts) for name, watts in self._loads.get(level, {}).items())

    def follow(self, event: Event) -> None:
        """What an event, just applied, changes here."""
        match event:
            case supply.FeedAdded() | supply.RackAdded():
                self._room_w = {}
            case (
                contracts.TrancheBound()
                | contracts.TrancheUnbound()
                | contracts.TrancheRebound()
                | contracts.TrancheEnded()
            ):
                self._bound(event.tranche)

    def fresh(self) -> Holdings:
        """With what was built since somebody last looked."""
        if not self._room_w:
            self._look()
        return self

    def _look(self) -> None:
        self._room_w = supply.room_w(self._supplied)
        self._racks = {}
        for name in self._supplied.rack_order:
            rack = self._supplied.racks[name]
            self._racks.setdefault((rack.site, rack.sku), []).append(rack)

    def _bound(self, name: TrancheId) -> None:
        for level in self._levels.pop(name, ()):
            del self._loads[level][name]
        tranche = self._claimed.tranches[name]
        if tranche.standing is not Standing.ENDED and tranche.runs:
            power = contracts.power_of(tranche.plan, tranche.runs, self._supplied)
            self._levels[name] = list(power)
            for level, watts in power.items():
                self._loads.setdefault(level, {})[name] = watts
