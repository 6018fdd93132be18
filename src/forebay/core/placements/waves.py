"""Which nodes does a campaign take at once, whose are they, and what do their contracts say to that?

Units (nodes, or whole racks) are taken in the order of the fleet; each goes into the first wave that has room for it
altogether and for each claim that has nodes in it. What of the time counts as agreed is found as for service levels
(`claims.maintenance`): all work on a claim's nodes in a calendar month, done or planned, the earliest first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from forebay.core import claims, supply
from forebay.core.claims.maintenance import CountedAs, Maintenance, WorkDone, split
from forebay.core.ids import NodeIndex, TrancheId
from forebay.core.placements.campaigns import (
    Campaign,
    CampaignHit,
    CampaignPlan,
    NodeRuns,
    Overrun,
    TrancheWindows,
    WaveUnit,
    run_nodes,
    runs_of,
)
from forebay.core.placements.schedule import Desk
from forebay.core.supply import FaultDomain
from forebay.core.timeline import Interval, month_end, month_start, text
from forebay.core.units import SECOND_US, counted

WAVES_MAX = 1000
_NOTHING = Maintenance(0)
_BEYOND = {
    CountedAs.LATE_NOTICE: Overrun.LATE_NOTICE,
    CountedAs.OUTSIDE_WINDOWS: Overrun.OUTSIDE_WINDOWS,
    CountedAs.OVER_ALLOWANCE: Overrun.OVER_ALLOWANCE,
}


def nodes_meant(supplied: supply.State, plan: CampaignPlan) -> list[NodeIndex]:
    """The nodes that a campaign is about, in the order of the fleet."""
    found = {
        node
        for part in plan.parts
        for node in supply.nodes_under(supplied, FaultDomain(part.kind, part.name))
        if not plan.sku or supply.rack_of(supplied, node).sku == plan.sku
    }
    return sorted(found)


def owners(claimed: claims.State, nodes: Iterable[NodeIndex], during: Interval) -> dict[NodeIndex, TrancheId]:
    """Whose each node is within a stretch of time: of several, the first's."""
    wanted, found = set(nodes), dict[NodeIndex, TrancheId]()
    held = (each for each in claimed.tranches.values() if each.standing is not claims.Standing.ENDED)
    for tranche in sorted(held, key=lambda each: (each.plan.start_at, each.plan.id)):
        if tranche.plan.start_at < during.end and during.start < tranche.plan.end_at:
            for node in run_nodes(tuple((first, count) for first, count in tranche.runs)):
                if node in wanted:
                    found.setdefault(node, tranche.plan.id)
    return found


def lay_out(
    supplied: supply.State,
    plan: CampaignPlan,
    nodes: Iterable[NodeIndex],
    owner: Mapping[NodeIndex, TrancheId],
) -> list[list[NodeIndex]]:
    """Nodes in waves, as the head of this file says; more than `WAVES_MAX` where there would be too many."""
    units: dict[object, list[NodeIndex]] = {}
    for node in nodes:
        key = supply.rack_of(supplied, node).id if plan.unit is WaveUnit.RACK else node
        units.setdefault(key, []).append(node)
    waves: list[list[NodeIndex]] = []
    taken: list[Counter[TrancheId]] = []
    sizes: list[int] = []
    full = 0
    for unit in units.values():
        mine = {owner[node] for node in unit if node in owner}
        most = plan.claim_units_max or plan.units_max
        fits = (
            wave
            for wave in range(full, len(waves))
            if sizes[wave] < plan.units_max and all(taken[wave][name] < most for name in mine)
        )
        place = next(fits, len(waves))
        if place == len(waves):
            if place == WAVES_MAX:
                return [*waves, unit]
            waves.append([])
            taken.append(Counter())
            sizes.append(0)
        waves[place] += unit
        taken[place].update(mine)
        sizes[place] += 1
        while full < len(waves) and sizes[full] == plan.units_max:
            full += 1
    return waves


def hits_of(
    claimed: claims.State,
    plan: CampaignPlan,
    waves: Sequence[NodeRuns],
    owner: Mapping[NodeIndex, TrancheId],
    at: int,
) -> tuple[CampaignHit, ...]:
    """The claims that are touched, by name."""
    by_claim: dict[TrancheId, dict[int, list[NodeIndex]]] = {}
    for place, wave in enumerate(waves):
        for node in run_nodes(wave):
            if node in owner:
                by_claim.setdefault(owner[node], {}).setdefault(place, []).append(node)
    found = []
    for name, per_wave in sorted(by_claim.items()):
        tranche = claimed.tranches[name]
        agreed = tranche.plan.maintenance or _NOTHING
        first_at = plan.start_at + min(per_wave) * plan.takes_s * SECOND_US
        before_s = max(plan.notice_s, agreed.notice_s)
        notify_at = max(at, first_at - before_s * SECOND_US) if plan.notice_s else at
        found.append(
            CampaignHit(
                name, tranche.tenant, runs_of(node for nodes in per_wave.values() for node in nodes),
                max(map(len, per_wave.values())), agreed.consent, notify_at,
                first_at - agreed.notice_s * SECOND_US, first_at,
            )
        )  # fmt: skip
    return tuple(found)


class MonthUse(NamedTuple):
    """What a campaign takes of what a claim allows in a calendar month (UTC), seconds."""

    month: Interval
    #: Of its work, what is agreed, done already, and what is not.
    agreed_s: int
    done_s: int
    beyond: dict[Overrun, int]
    #: What is left of the allowance after all work that is known.
    left_s: int


def months_used(desk: Desk, campaign: Campaign, hit: CampaignHit) -> list[MonthUse]:
    """What a campaign takes of a claim's months; nothing where no maintenance is agreed."""
    agreed = desk.claimed.tranches[hit.tranche].plan.maintenance
    if agreed is None:
        return []
    done, coming = _done(campaign, hit.tranche), _coming(campaign, hit)
    known = {**desk.state.past_campaigns, **desk.state.campaigns}
    others = [
        each
        for name, other in known.items()
        if name != campaign.plan.id
        for same in other.hits
        if same.tranche == hit.tranche
        for each in (*_done(other, hit.tranche), *_coming(other, same))
    ]
    open_ = [Interval(*each) for each in _windows(campaign.windows, hit.tranche)]
    starts = sorted({
        month_start(edge) for each in (*done, *coming) for edge in (each.start_at, each.end_at - 1)
    })  # fmt: skip
    found = []
    for start in starts:
        month = Interval(start, month_end(start))
        before = _sums(agreed, others, open_, month)
        past = _sums(agreed, [*others, *done], open_, month)
        after = _sums(agreed, [*others, *done, *coming], open_, month)
        fine = CountedAs.ALLOWED
        beyond = {_BEYOND[kind]: after[kind] - before[kind] for kind in _BEYOND if after[kind] > before[kind]}
        found.append(
            MonthUse(
                month, after[fine] - before[fine], past[fine] - before[fine], beyond,
                agreed.allowed_s - after[fine],
            )
        )  # fmt: skip
    return found


def _sums(
    agreed: Maintenance, works: Iterable[WorkDone], open_: Sequence[Interval], month: Interval
) -> Counter[CountedAs]:
    found: Counter[CountedAs] = Counter()
    for piece in split(agreed, works, open_, month):
        found[piece.counted] += (piece.end_at - piece.start_at) // SECOND_US
    return found


def _windows(known: Iterable[TrancheWindows], tranche: TrancheId) -> tuple[tuple[int, int], ...]:
    return next((each.open for each in known if each.tranche == tranche), ())


def _done(campaign: Campaign, tranche: TrancheId) -> list[WorkDone]:
    told_at = campaign.notices.get(tranche, 0)
    return [
        WorkDone(each.start_at, each.end_at, told_at) for each in campaign.works if each.tranche == tranche
    ]


def _coming(campaign: Campaign, hit: CampaignHit) -> list[WorkDone]:
    """The work on a claim that runs or is to come, as planned."""
    told_at = campaign.notices.get(hit.tranche, hit.notify_at)
    takes_us, own = campaign.plan.takes_s * SECOND_US, set(run_nodes(hit.nodes))
    found = []
    if campaign.busy and not own.isdisjoint(run_nodes(campaign.wave_nodes)):
        found.append(WorkDone(campaign.wave_at, campaign.wave_at + takes_us, told_at))
    ahead_us = takes_us if campaign.busy else 0
    for start_at, nodes in campaign.starts():
        if not own.isdisjoint(run_nodes(nodes)):
            found.append(WorkDone(start_at + ahead_us, start_at + ahead_us + takes_us, told_at))
    return found


def overruns(desk: Desk, campaign: Campaign, hit: CampaignHit) -> list[tuple[Overrun, str]]:
    """How a campaign goes beyond what a claim agrees, in words."""
    plan = desk.claimed.tranches[hit.tranche].plan
    if plan.maintenance is None:
        told = f"{hit.tranche} has a service level, and no maintenance is agreed: all of it is downtime"
        return [(Overrun.NOT_AGREED, told)] if plan.service is not None else []
    found = []
    for used in months_used(desk, campaign, hit):
        for kind, seconds in sorted(used.beyond.items()):
            much = f"{counted(seconds, 'second')} in the month from {text(used.month.start)[:10]} on"
            told = {
                Overrun.LATE_NOTICE: f"{hit.tranche} had to be told by {text(hit.latest_at)}: {much}",
                Overrun.OUTSIDE_WINDOWS: f"{hit.tranche} has no window open then: {much}",
                Overrun.OVER_ALLOWANCE: f"{hit.tranche} allows {plan.maintenance.allowed_s} s a month: {much} more",
            }[kind]
            found.append((kind, told))
    return found
