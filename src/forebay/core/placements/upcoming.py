"""Which nodes are to be worked on before a gang would be gone? They are hidden from its search."""

from __future__ import annotations

from collections.abc import Iterable

from forebay.core import supply
from forebay.core.ids import NodeIndex
from forebay.core.placements.campaigns import Campaign, CampaignPhase, run_nodes
from forebay.core.placements.gang import Spec
from forebay.core.placements.index import POOL, Index
from forebay.core.placements.queue import away_s
from forebay.core.placements.returning import expected_back
from forebay.core.timeline import text
from forebay.core.units import SECOND_US, counted


def hide(
    campaigns: Iterable[Campaign], index: Index, spec: Spec, at: int, now: int | None = None
) -> list[int]:
    """Hide nodes whose wave begins before a gang that starts at `at` is gone, and is not over by `at`: which were.

    Those of claims that have yet to consent stay open, and so do all of a campaign that is paused. A wave that was to
    have begun before `now` (`at` where that is not said) waits for one that slipped: all are later by so much.
    """
    until = at + away_s(spec) * SECOND_US
    hidden: list[int] = []
    for campaign in campaigns:
        if campaign.phase is not CampaignPhase.RUNNING or not campaign.waves:
            continue
        takes_us = campaign.plan.takes_s * SECOND_US
        waiting = {
            node for hit in campaign.hits if not campaign.consented(hit) for node in run_nodes(hit.nodes)
        }
        # The one that runs ends before the next begins.
        ahead_us = takes_us if campaign.busy else 0
        if campaign.busy:
            ahead_us = max(ahead_us, (at if now is None else now) - campaign.next_at)
        for start_at, nodes in campaign.starts():
            if start_at + ahead_us >= until:
                break
            if start_at + ahead_us + takes_us <= at:
                continue
            for node in run_nodes(nodes):
                if index.usable[node] and node not in waiting:
                    index.set_usable(node, False)
                    hidden.append(node)
    return hidden


def over_at(campaigns: Iterable[Campaign], now: int) -> list[int]:
    """When each wave to come is over, if none slips any more: from then on its nodes are open."""
    found = []
    for campaign in campaigns:
        if campaign.phase is CampaignPhase.RUNNING and campaign.waves:
            takes_us = campaign.plan.takes_s * SECOND_US
            ahead_us = max(takes_us, now - campaign.next_at) if campaign.busy else 0
            found += [start_at + ahead_us + takes_us for start_at, _ in campaign.starts()]
    return found


def back_at(campaigns: Iterable[Campaign], supplied: supply.State, now: int) -> list[tuple[int, NodeIndex]]:
    """Nodes that are out for a wave, and when it is expected to be over; none of one that is late."""
    out = {node for campaign in campaigns for node in campaign.out}
    return [(at, node) for at, node in expected_back(supplied, now) if node in out] if out else []


def show(index: Index, hidden: Iterable[int]) -> None:
    """Let searches see them again."""
    for node in hidden:
        index.set_usable(node, True)


def kept_clear(campaigns: Iterable[Campaign], index: Index, spec: Spec, at: int, *, whole: bool) -> list[str]:
    """What a search does not see of a gang's own nodes for that reason, in sentences."""
    facts = []
    for campaign in campaigns:
        hidden = hide([campaign], index, spec, at)
        show(index, hidden)
        own = [node for node in hidden if index.owner[node] == (spec.tranche or POOL)]
        if own:
            name = f"campaign {campaign.plan.id} ({campaign.plan.work})" if whole else campaign.plan.work
            told = (
                f"{counted(len(own), 'node')} take no work that would still be there when maintenance begins"
            )
            facts.append(f"{told}: {name}, the next wave not before {text(campaign.next_at)}.")
    return facts
