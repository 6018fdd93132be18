"""Where, and of what, is a tranche that leaves a choice?

A tranche names one site, or several in order, a region or a jurisdiction; and one SKU, or further ones that would
do, in order. Its places are the SKUs in their order, and for each the sites in theirs (by name within a region or
jurisdiction); `choosing` takes the first that it fits when it is signed. Before its term begins another one may be
named.
"""

from __future__ import annotations

from collections.abc import Iterator

from forebay.core import supply, timeline
from forebay.core.claims import calendar as calendars
from forebay.core.claims import contracts
from forebay.core.claims.calendar import Calendar, Part, Stock
from forebay.core.claims.contracts import Hold, Tranche
from forebay.core.claims.terms import ContractPlan, TranchePlan
from forebay.core.ids import Refusal, SiteId, SkuId
from forebay.core.supply.blocks import Confidence
from forebay.core.timeline import Steps


def has_choice(plan: TranchePlan) -> bool:
    """Whether a tranche leaves open where it is, or of what."""
    return bool(plan.sites or plan.region or plan.jurisdiction or plan.substitutes)


def skus_of(plan: TranchePlan) -> tuple[SkuId, ...]:
    """SKUs that would do, in order."""
    return tuple(dict.fromkeys((plan.sku, *plan.substitutes)))


def sites_of(plan: TranchePlan, supplied: supply.State) -> tuple[SiteId, ...]:
    """Sites where a tranche may be, in order; those of a region or a jurisdiction by name."""
    if plan.sites:
        return tuple(dict.fromkeys(plan.sites))
    if plan.region or plan.jurisdiction:
        found = (
            site.id
            for site in supplied.sites.values()
            if (plan.region and site.region == plan.region)
            or (plan.jurisdiction and site.jurisdiction == plan.jurisdiction)
        )
        return tuple(sorted(found))
    return (plan.site,)


def choices(plan: TranchePlan, supplied: supply.State) -> Iterator[Stock]:
    """Each stock that a tranche may be promised from, in order."""
    for sku in skus_of(plan):
        for site in sites_of(plan, supplied):
            yield Stock(site, sku)


def refuse_choice(supplied: supply.State, plan: TranchePlan, where: str) -> Refusal | None:
    """What is wrong with where and of what a tranche may be. Refuses, in this order: contradiction (two ways to say
    where), empty_scope (no way), unknown_site, empty_scope (a region or jurisdiction without a site), unknown_sku.
    """
    said = {"site": plan.site, "sites": plan.sites, "region": plan.region, "jurisdiction": plan.jurisdiction}
    ways = [name for name, value in said.items() if value]
    if len(ways) > 1:
        told = f"tranche {plan.id}: '{ways[0]}' and '{ways[1]}' contradict each other: one of them says where it is"
        return Refusal("contradiction", told, f"{where}.{ways[1]}")
    known = ", ".join(sorted(supplied.sites)) or "none"
    if not ways:
        told = f"tranche {plan.id}: no site, sites, region or jurisdiction says where it is (sites: {known})"
        return Refusal("empty_scope", told, where)
    for place, site in enumerate(
        plan.sites or (plan.site,) if not (plan.region or plan.jurisdiction) else ()
    ):
        if site not in supplied.sites:
            field = f"{where}.sites[{place}]" if plan.sites else f"{where}.site"
            return Refusal(
                "unknown_site", f"tranche {plan.id}: there is no site {site} (known: {known})", field
            )
    if not sites_of(plan, supplied):
        (way,) = ways
        there = {getattr(site, way) for site in supplied.sites.values()} - {""}
        told = f"tranche {plan.id}: no site is in {way} {said[way]} (known: {', '.join(sorted(there)) or 'none'})"
        return Refusal("empty_scope", told, f"{where}.{way}")
    for place, sku in enumerate(skus_of(plan)):
        if sku not in supplied.skus:
            field = f"{where}.substitutes[{plan.substitutes.index(sku)}]" if place else f"{where}.sku"
            skus = ", ".join(sorted(supplied.skus)) or "none"
            told = f"tranche {plan.id}: SKU {sku} is not in the catalogue (known: {skus})"
            return Refusal("unknown_sku", told, field)
    return None


class Left:
    """What is left of each stock once what is looked at is taken: with a customer's own hold free again."""

    def __init__(self, calendar: Calendar, confidence: Confidence, hold: Hold | None) -> None:
        self._calendar = calendar
        self._confidence = confidence
        self._hold = hold
        self._left: dict[Stock, Steps] = {}

    def of(self, stock: Stock) -> Steps:
        """Nodes that may still be promised."""
        if stock not in self._left:
            left, hold = self._calendar.available(stock, self._confidence), self._hold
            if hold is not None and (hold.site, hold.sku) == stock:
                left = left.minus(timeline.summed([(hold.start_at, -hold.nodes), (hold.end_at, hold.nodes)]))
            self._left[stock] = left
        return self._left[stock]

    def take(self, stock: Stock, changes: list[tuple[int, int]]) -> None:
        """These changes (when, nodes) are promised."""
        self._left[stock] = self.of(stock).minus(timeline.summed(changes))

    def spare(self, plan: TranchePlan, supplied: supply.State, at: int) -> int:
        """The fewest nodes that are left at any instant of a tranche's term once it is taken; negative: it does not
        fit. What would have been short before now is no matter.
        """
        start_at = max(plan.start_at, at)
        parts = calendars.parts(plan, supplied.skus[plan.sku].nodes_per_rack)
        wanted = [Part(max(0, plan.start_at + part.offset - start_at), part.nodes) for part in parts]
        return calendars.shortest(self.of(calendars.stock_of(plan)), wanted, start_at, plan.end_at)

    def promise(self, plan: TranchePlan, contract: ContractPlan, supplied: supply.State) -> None:
        """A tranche is taken."""
        made = Tranche(plan, contract.id, contract.tenant, contracts.Standing.SIGNED)
        self.take(calendars.stock_of(plan), contracts.commitment(made, supplied))
