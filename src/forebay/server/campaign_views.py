"""Maintenance campaigns as answers hold them, and the windows that a new one is judged by."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import cast

from forebay.core import ids, supply, timeline
from forebay.core.placements import campaigning, campaigns
from forebay.core.placements.schedule import Desk
from forebay.core.timeline import Interval
from forebay.core.units import SECOND_US
from forebay.core.world import World
from forebay.feeds import windows
from forebay.server import campaign_bodies


def with_windows(world: World, command: campaigns.ApplyCampaign) -> campaigns.ApplyCampaign:
    """A campaign with the windows of every tranche, for the months that it touches: zones are resolved here."""
    if command.plan.end_at <= command.plan.start_at:
        return command
    plan = command.plan
    within = Interval(timeline.month_start(plan.start_at), timeline.month_end(plan.end_at))
    found = []
    for name, tranche in world.state.claims.tranches.items():
        agreed = tranche.plan.maintenance
        if agreed is not None and agreed.windows:
            open_ = [each for one in agreed.windows for each in windows.occurrences(one, agreed.zone, within)]
            found.append(
                campaigns.TrancheWindows(name, tuple(sorted((each.start, each.end) for each in open_)))
            )
    return dataclasses.replace(command, windows=tuple(found))


def campaigns_seen(world: World, by: ids.Principal) -> list[tuple[str, campaign_bodies.CampaignBody]]:
    """Campaigns by name; of a tenant those that touch its claims."""
    placed = world.state.placements
    known = {**placed.past_campaigns, **placed.campaigns}
    return [(name, _body(world, each, by)) for name, each in sorted(known.items()) if may_see(each, by)]


def may_see(campaign: campaigns.Campaign, by: ids.Principal) -> bool:
    """Whether it touches claims of whoever asks."""
    return by.role is not ids.Role.TENANT or any(hit.tenant == by.tenant for hit in campaign.hits)


def _never(event: ids.Event) -> None:
    raise AssertionError(f"a look decides nothing: {event}")


def _body(world: World, campaign: campaigns.Campaign, by: ids.Principal) -> campaign_bodies.CampaignBody:
    plan, whole = campaign.plan, by.role is not ids.Role.TENANT
    hits = [hit for hit in campaign.hits if whole or hit.tenant == by.tenant]
    state = world.state
    desk = Desk(state.placements, world.placed, state.supply, state.claims, _never, world.now)
    own = {node for hit in hits for node in campaigns.run_nodes(hit.nodes)}

    def names(nodes: Iterable[ids.NodeIndex]) -> list[str]:
        seen = (node for node in sorted(nodes) if whole or node in own)
        return [supply.node_name(world.state.supply, node) for node in seen]

    begins = campaign.next_at if campaign.waves else None
    if begins is not None and campaign.busy:
        begins += plan.takes_s * SECOND_US
    return {
        "id": plan.id,
        "work": plan.work,
        "phase": campaign.phase.value,
        "reason": campaign.reason,
        "start": timeline.text(plan.start_at),
        "end": timeline.text(plan.end_at),
        "next": None if begins is None else timeline.text(begins),
        "waves_begun": campaign.begun,
        "waves_left": len(campaign.waves),
        "slipped": campaign.busy and campaign.slipped,
        "nodes_done": campaign.done,
        "draining": names(campaign.draining),
        "out": names(campaign.out),
        "failed": names(set(campaign.failed)),
        "left": names(campaign.left),
        "claims": [
            cast("campaign_bodies.CampaignClaim", campaigning.claim_told(desk, campaign, hit)) for hit in hits
        ],
    }
