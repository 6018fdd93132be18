"""Who has what, rack by rack and level by level, and who lacks something: kept up, so that to bind one tranche nobody
looks at all of them.

Derived from supply and claims and never stored. Who looked for more in vain need not look again before somebody gave
something up, or something came: whatever others take meanwhile only leaves less.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, get_args

from forebay.core import supply
from forebay.core.claims import contracts, versions
from forebay.core.claims.contracts import Standing, State, Tranche
from forebay.core.claims.promised_power import power_of
from forebay.core.claims.rights import RightEvent
from forebay.core.claims.shorts import ShortfallAssessed
from forebay.core.claims.terms import TranchePlan
from forebay.core.ids import Event, SiteId, SkuId, TrancheId

#: After these nobody finds more than before; after any other event somebody might.
_ONLY_TAKE: tuple[type[Event], ...] = (
    contracts.ContractSigned, contracts.TrancheAdded, contracts.TrancheBound, contracts.TrancheStarted,
    contracts.CapacityHeld, contracts.HoldReleased, contracts.PromisePolicyApplied, ShortfallAssessed,
    *get_args(RightEvent),
)  # fmt: skip


class Seeker(NamedTuple):
    """Who takes when: in order of start, and then of signing."""

    start_at: int
    signed: int
    tranche: TrancheId


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
        self._starts: dict[tuple[SiteId, SkuId], list[int]] = {}
        #: Of each stock those tranches that have not ended and have less than they are promised.
        self._lacking: dict[tuple[SiteId, SkuId], dict[TrancheId, Seeker]] = {}
        self._turns: dict[TrancheId, Seeker] = {}
        #: How often something was given up, or came; and when in this sense somebody looked in vain.
        self.freed = 0
        self._in_vain: dict[TrancheId, int] = {}
        self._look()
        for tranche in claimed.tranches.values():
            self._list(tranche.plan)
            self._bound(tranche.plan.id)

    def racks(self, site: SiteId, sku: SkuId) -> list[supply.Rack]:
        """The racks of a stock, in order."""
        return self._racks.get((site, sku), [])

    def starts(self, site: SiteId, sku: SkuId) -> list[int]:
        """The first node of each rack of a stock, in order."""
        return self._starts.get((site, sku), [])

    def lacking(self, stock: tuple[SiteId, SkuId]) -> list[Seeker]:
        """Tranches of a stock that lack something and might find it, the first to take at the end."""
        known = self._lacking.get(stock, {}).values()
        waiting = (turn for turn in known if self._in_vain.get(turn.tranche) != self.freed)
        return sorted(waiting, reverse=True)

    def in_vain(self, name: TrancheId) -> None:
        """A tranche took what there was, and lacks more."""
        self._in_vain[name] = self.freed

    def room_w(self, level: supply.PowerLevel) -> int:
        """Watts of work that a level can carry."""
        return self._room_w[level]

    def loads(self, level: supply.PowerLevel) -> Iterable[tuple[Tranche, int]]:
        """Tranches that have not ended with nodes below a level, and the watts that they are promised there."""
        return ((self._claimed.tranches[name], watts) for name, watts in self._loads.get(level, {}).items())

    def last_first(self, levels: Iterable[supply.PowerLevel]) -> list[Tranche]:
        """Tranches with nodes below any of these levels, the last to begin first, then in order of signing."""
        names = {name for level in levels for name in self._loads.get(level, {})}
        turns = sorted((self._turns[name] for name in names), key=lambda turn: (-turn.start_at, turn.signed))
        return [self._claimed.tranches[turn.tranche] for turn in turns]

    def follow(self, event: Event) -> None:
        """What an event, just applied, changes here."""
        if not isinstance(event, _ONLY_TAKE):
            self.freed += 1
        match event:
            case contracts.ContractSigned():
                for plan in event.plan.tranches:
                    self._list(self._claimed.tranches[plan.id].plan)
            case contracts.TrancheAdded():
                self._list(event.plan)
            case supply.FeedAdded() | supply.RackAdded():
                self._room_w = {}
            case (
                contracts.TrancheBound()
                | contracts.TrancheUnbound()
                | contracts.TrancheRebound()
                | contracts.TrancheEnded()
            ):
                self._bound(event.tranche)
            case contracts.TrancheNominated():
                self._restated(event.tranche)
            case versions.ContractAmended():
                for plan in event.tranches:
                    self._restated(plan.id)

    def fresh(self) -> Holdings:
        """With what was built since somebody last looked."""
        if not self._room_w:
            self._look()
        return self

    def _look(self) -> None:
        self._room_w = supply.room_w(self._supplied)
        self._racks, self._starts = {}, {}
        for name in self._supplied.rack_order:
            rack = self._supplied.racks[name]
            self._racks.setdefault((rack.site, rack.sku), []).append(rack)
            self._starts.setdefault((rack.site, rack.sku), []).append(rack.first_node)

    def _restated(self, name: TrancheId) -> None:
        """A tranche is promised otherwise, perhaps from another stock, or a contract promises one more."""
        for lacking in self._lacking.values():
            lacking.pop(name, None)
        self._list(self._claimed.tranches[name].plan)
        self._bound(name)

    def _list(self, plan: TranchePlan) -> None:
        was = self._turns.get(plan.id)
        signed = was.signed if was else len(self._turns)
        turn = self._turns[plan.id] = Seeker(plan.start_at, signed, plan.id)
        self._lacking.setdefault((plan.site, plan.sku), {})[plan.id] = turn

    def _bound(self, name: TrancheId) -> None:
        for level in self._levels.pop(name, ()):
            del self._loads[level][name]
        tranche = self._claimed.tranches[name]
        if tranche.standing is not Standing.ENDED and tranche.runs:
            power = power_of(tranche.plan, tranche.runs, self._supplied)
            self._levels[name] = list(power)
            for level, watts in power.items():
                self._loads.setdefault(level, {})[name] = watts
        self._follow_want(tranche)

    def _follow_want(self, tranche: Tranche) -> None:
        """Whether a tranche lacks something of what it is promised in all."""
        plan = tranche.plan
        lacking = self._lacking[plan.site, plan.sku]
        has = contracts.nodes_bound(tranche)
        if tranche.standing is Standing.ENDED or has >= contracts.nodes_promised(plan, self._supplied):
            lacking.pop(plan.id, None)
        else:
            lacking[plan.id] = self._turns[plan.id]
