"""Does a tranche fit? There is enough over its whole term, in racks that are whole, with power that nobody has.

Tranches that are signed together are looked at one after the other, each with what those before it take. First what
there will be, at every instant of the term; then the racks that stand, as far as they do.
"""

from __future__ import annotations

from forebay.core import supply, timeline
from forebay.core.claims import binding, contracts, nomination, refusals, vacancy
from forebay.core.claims import calendar as calendars
from forebay.core.claims.calendar import Calendar, Part
from forebay.core.claims.contracts import State, Tranche
from forebay.core.claims.terms import ContractPlan, TranchePlan, Unit
from forebay.core.ids import Refusal, TrancheId
from forebay.core.supply.blocks import Confidence
from forebay.core.timeline import INSTANT_MAX, Steps
from forebay.core.units import SECOND_US


def refuse_oversold(
    left: nomination.Left, supplied: supply.State, tranche: TranchePlan, at: int, sure: Confidence, where: str
) -> Refusal | None:
    """oversold, where a tranche promises more than is left over its term; what was short before now is no matter."""
    least = left.spare(tranche, supplied, at)
    if least >= 0:
        return None
    promised = contracts.nodes_promised(tranche, supplied)
    parts = calendars.parts(tranche, supplied.skus[tranche.sku].nodes_per_rack)
    stock, since = calendars.stock_of(tranche), max(tranche.start_at, at)
    found = _earliest(left.of(stock), parts, tranche.end_at - tranche.start_at, since)
    when = f"; it fits from {timeline.text(found)} on" if found is not None else ""
    told = (
        f"tranche {tranche.id} promises {promised} nodes of {tranche.sku} at {tranche.site}; "
        f"{max(0, promised + least)} can be promised over its term at {sure.value.upper()}{when}"
    )
    return Refusal("oversold", told, f"{where}.count")


def refuse_oversold_right(left: nomination.Left, sale: refusals.Sale, sure: Confidence) -> Refusal | None:
    """oversold, where a right may take more than is left over its window."""
    least = left.of(sale.stock).least(sale.window)
    if least >= sale.nodes:
        return None
    told = (
        f"{sale.what} may take {sale.nodes} nodes of {sale.stock.sku} at {sale.stock.site}; {max(0, least)} "
        f"can be promised over its window at {sure.value.upper()}"
    )
    return Refusal("oversold", told, sale.where)


def _earliest(left: Steps, wanted: tuple[Part, ...], term_us: int, not_before: int) -> int | None:
    """The first whole second, for that is how it is told, at which all parts fit for their whole term."""
    second = not_before
    while True:
        second = -(-second // SECOND_US) * SECOND_US
        found = calendars.earliest(left, wanted, term_us, second)
        if found is None or found + term_us > INSTANT_MAX:
            return None
        if found == second:
            return second
        second = found


# Which racks.


class Racks:
    """Racks for tranches that are signed together, one after the other, as far as they stand."""

    def __init__(
        self, state: State, supplied: supply.State, calendar: Calendar, sure: Confidence, at: int
    ) -> None:
        self._state = state
        self._supplied = supplied
        self._calendar = calendar
        self._sure = sure
        self._at = at
        self._taken: list[tuple[Tranche, binding.Runs]] = []

    def take(self, plan: TranchePlan, contract: ContractPlan, runs: binding.Runs) -> None:
        """A tranche has these nodes: those after it do without."""
        if runs:
            self._taken.append((_signed(plan, contract), runs))

    def find(self, plan: TranchePlan, contract: ContractPlan, where: str) -> binding.Runs | Refusal:
        """Nodes for a tranche. Refuses: no_whole_racks (there are nodes enough, but too few racks that are whole, or
        to come), no_power (they stand, and have no power left).
        """
        supplied, calendar = self._supplied, self._calendar
        if not calendar.holdings.racks(plan.site, plan.sku):
            return self.refuse(plan, contract, where) or ()
        tranche = _signed(plan, contract)
        wanted = contracts.nodes_due(plan, supplied, self._at)
        free = binding.free_racks(self._state, calendar, tranche, self._taken)
        room = binding.spare_w(supplied, calendar, tranche, self._taken)
        runs = binding.fit(free, room, supplied, plan, wanted)
        few = sum(count for _, count in runs) < contracts.nodes_promised(plan, supplied)
        return (self.refuse(plan, contract, where) if few else None) or runs

    def refuse(self, plan: TranchePlan, contract: ContractPlan, where: str) -> Refusal | None:
        """Why there are too few, even if those that begin later made room. Refuses as `find` does."""
        supplied, calendar = self._supplied, self._calendar
        if not calendar.holdings.racks(plan.site, plan.sku):
            # Nothing stands yet: there is nothing to look through, however much is promised of it.
            return self._refuse_broken(plan, vacancy.Free([], [], ()), where)
        tranche = _signed(plan, contract)
        wanted = contracts.nodes_due(plan, supplied, self._at)
        may = binding.free_racks(self._state, calendar, tranche, self._taken, before_later=True)
        no = self._refuse_broken(plan, may, where)
        may_w = binding.spare_w(supplied, calendar, tranche, self._taken, before_later=True)
        return no or _refuse_unpowered(supplied, plan, may, may_w, wanted, where)

    def _refuse_broken(self, plan: TranchePlan, free: vacancy.Free, where: str) -> Refusal | None:
        """Whether there are too few racks that are whole or to come, even if all that begin later made room."""
        if plan.unit is not Unit.RACK:
            return None
        whole = sum(1 for _ in free.whole(self._supplied.skus[plan.sku].nodes_per_rack))
        whole += self._racks_to_come(plan)
        if whole >= plan.count:
            return None
        told = f"tranche {plan.id} promises {plan.count} whole racks; {whole} are wholly free over its term"
        return Refusal("no_whole_racks", told, f"{where}.count")

    def _racks_to_come(self, plan: TranchePlan) -> int:
        """Racks of a tranche's stock that do not stand yet, and will when the last of it is due."""
        stock = calendars.stock_of(plan)
        last_at = max(self._at, plan.start_at, *(delivery.at for delivery in plan.deliveries))
        stands = sum(rack.nodes for rack in self._calendar.holdings.racks(*stock))
        will = self._calendar.supply(stock, self._sure).at(last_at)
        return max(0, will - stands) // self._supplied.skus[plan.sku].nodes_per_rack


def _signed(plan: TranchePlan, contract: ContractPlan) -> Tranche:
    return Tranche(plan, contract.id, contract.tenant, contracts.Standing.SIGNED)


def _refuse_unpowered(
    supplied: supply.State, plan: TranchePlan, free: vacancy.Free, room: binding.Room, wanted: int, where: str
) -> Refusal | None:
    """Whether what stands for a tranche has no power, even if all that begin later made room."""
    short = binding.short_of_power(free, room, supplied, plan, wanted)
    if short is None:
        return None
    sku = supplied.skus[plan.sku]
    told = (
        f"tranche {plan.id} promises {wanted} nodes of {plan.sku}, {sku.gpus_per_node * sku.gpu_w} W each; of those "
        f"that are free over its term {short[0]} have power that nobody else is promised: {short[1].kind} "
        f"{short[1].name} has no more"
    )
    return Refusal("no_power", told, f"{where}.count")


def bind(
    state: State, supplied: supply.State, calendar: Calendar, plan: ContractPlan, sure: Confidence, at: int
) -> dict[TrancheId, binding.Runs] | Refusal:
    """Racks for the tranches of a contract, as far as they stand. Refuses for each in turn what `Racks.find` does."""
    racks = Racks(state, supplied, calendar, sure, at)
    bound: dict[TrancheId, binding.Runs] = {}
    for place, each in enumerate(plan.tranches):
        runs = racks.find(each, plan, f"tranches[{place}]")
        if isinstance(runs, Refusal):
            return runs
        racks.take(each, plan, runs)
        bound[each.id] = runs
    return bound
