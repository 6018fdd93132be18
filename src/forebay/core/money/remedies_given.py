"""What did all remedies of a contract come to, in a month and in all? The caps of a contract are shared by them."""

from __future__ import annotations

from dataclasses import dataclass, field

from forebay.core import claims
from forebay.core.claims import remedies
from forebay.core.claims.remedies import Remedy
from forebay.core.ids import ContractId, TrancheId


@dataclass(slots=True)
class Given:
    """What was given before a close, and what it gives: by contract and month."""

    months: dict[tuple[ContractId, int], int] = field(default_factory=dict)
    totals: dict[ContractId, int] = field(default_factory=dict)
    #: What was credited before the close, tranche by tranche: (start of a month, micro-units).
    before: dict[TrancheId, list[tuple[int, int]]] = field(default_factory=dict)
    #: What the close that is under way credits for the month, tranche by tranche.
    credited: dict[TrancheId, int] = field(default_factory=dict)

    def add(self, contract: ContractId, month_at: int, micros: int) -> None:
        """So much more for a month; less where it is negative."""
        mark = (contract, month_at)
        self.months[mark] = self.months.get(mark, 0) + micros
        self.totals[contract] = self.totals.get(contract, 0) + micros

    def capped(
        self, plan: claims.ContractPlan, month_at: int, remedy: Remedy, micros: int, own: int = 0
    ) -> int:
        """What the caps of a contract leave of so much for a month; `own` of what was given is part of it."""
        if plan.remedies is None or micros <= 0:
            return micros
        month = self.months.get((plan.id, month_at), 0) - own
        total = self.totals.get(plan.id, 0) - own
        return remedies.within_caps(plan.remedies, {remedy: micros}, month, total).get(remedy, 0)
