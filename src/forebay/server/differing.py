"""What would documents change? Each is compared with what is recorded, and tried on a copy of the World.

A document that would be refused is compared all the same: what differs is why.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from forebay.core import claims, ids, money, supply
from forebay.core.placements import arrays, campaigns, gang, projects, substitutes
from forebay.core.supply import blocks
from forebay.core.world import World
from forebay.feeds import commands
from forebay.feeds import differences as comparing
from forebay.server import applying, bodies, contract_views, forecasting, problems
from forebay.server.calls import Call


async def differences(call: Call, posted: bodies.PostedDocuments) -> bodies.DifferencesBody:
    """What the files would add and change, and which of them would be refused."""
    asked = await applying.asked_for(call, posted)
    at = call.forebay.clock.now()

    def look(world: World) -> list[bodies.Difference]:
        copy = world.fork()
        told = [_difference(world, one.want) for one in asked]
        for one in asked:
            if one.command is None:
                continue
            answer = copy.handle(ids.Asked(one.command, call.principal), max(at, copy.now)).answer
            if isinstance(answer, ids.Refusal):
                blamed = one.want.blamed(answer).document
                for other, entry in zip(asked, told, strict=True):
                    if other.want.document is blamed:
                        entry["refused"] = _refused(call, one.want, answer)
            forecasting.settle_copy(copy, max(at, copy.now))
        return told

    return {"documents": await call.read(look)}


def _difference(world: World, want: commands.Wanted) -> bodies.Difference:
    wanted = _plan(want.command)
    recorded = _recorded_plan(world, want.command)
    found = comparing.compare(recorded, wanted, keeps=isinstance(want.command, _KEEPING))
    if isinstance(want.command, claims.SignContract) and want.command.opening is not None:
        known = world.state.claims.openings.get(want.command.plan.id)
        found = found.with_more(comparing.compare(known, want.command.opening))
    differs = found.added or found.removed or found.changed
    told: bodies.Difference = {
        "name": want.document.file,
        "kind": want.document.kind,
        "id": want.about,
        "state": "new" if recorded is None else "differs" if differs else "same",
        "added": found.added,
        "removed": found.removed,
        "equal": len(found.equal),
        "changed": [
            {"thing": each.thing, "field": each.field, "old": each.old, "new": each.new}
            for each in found.changed
        ],
        "refused": None,
    }
    if isinstance(want.command, claims.SignContract):
        told["coverage"] = contract_views.coverage_body(want.command.plan)
    return told


def _refused(call: Call, want: commands.Wanted, refusal: ids.Refusal) -> bodies.RefusedDocument:
    detail = refusal.told_to(call.principal)
    problem = want.problem(refusal, detail)
    return {
        "code": refusal.code,
        "detail": detail,
        "pointer": problems.pointer(problem.path),
        "line": problem.line,
        "column": problem.column,
    }


#: Commands that take nothing away of what they do not name.
_KEEPING = (supply.ApplySite, supply.ApplyCatalogue, claims.PublishIndex)


def _plan(command: ids.Command) -> Any:
    """What a document says, as the core keeps it."""
    match command:
        case supply.ApplySite() | blocks.ApplySchedule() | claims.SignContract() | projects.ApplyProjects():
            return command.plan
        case supply.storage.ApplyStorage():
            return command.plan
        case gang.ApplyPolicy() | claims.ApplyPromisePolicy():
            return command.policy
        case campaigns.ApplyCampaign():
            return command.plan
        case claims.workdays.ApplyBusinessCalendar():
            # What is known of its zone is not said by the document.
            return dataclasses.replace(command.calendar, offsets=())
        case money.ApplyPriceList():
            return command.prices
        case gang.SubmitGang():
            return command.spec
        case claims.parties.ApplyEstate():
            return command.estate
        case claims.parties.ApplyOverlay():
            return command.overlay
    return command


def _recorded_plan(world: World, command: ids.Command) -> Any:
    """The same as it is recorded; None where there is none."""
    state = world.state
    match command:
        case supply.ApplySite():
            return _recorded_site(state.supply, command.plan)
        case supply.ApplyCatalogue():
            named = {sku.id for sku in command.skus}
            known = tuple(sku for sku in state.supply.skus.values() if sku.id in named)
            return supply.ApplyCatalogue(known) if known else None
        case blocks.ApplySchedule():
            schedule = state.supply.schedules.get(command.plan.site)
            return None if schedule is None else schedule.plan
        case claims.SignContract():
            versions = state.claims.versions.get(command.plan.id, ())
            versions = versions or state.claims.rented.versions.get(command.plan.id, ())
            same = (each.plan for each in versions if each.plan.version == command.plan.version)
            return next(same, versions[-1].plan if versions else None)
        case claims.PublishIndex():
            values = state.claims.indices.get(command.index)
            return claims.PublishIndex(command.index, values) if values else None
        case money.ApplyTaxes():
            rates = state.money.taxes.get(command.account)
            return None if rates is None else money.ApplyTaxes(command.account, rates)
        case gang.ApplyPolicy():
            return state.placements.policy if state.placements.policy.version else None
        case claims.ApplyPromisePolicy():
            return state.claims.policy if state.claims.policy.version else None
        case claims.workdays.ApplyBusinessCalendar():
            calendar = state.claims.calendars.get(command.calendar.id)
            return None if calendar is None else dataclasses.replace(calendar, offsets=())
        case money.ApplyPriceList():
            prices = state.money.price_lists.get(command.prices.version)
            if prices is None or command.prices.effective_at:
                return prices
            # A list that holds at once was given its date when it was applied.
            return dataclasses.replace(prices, effective_at=0)
        case claims.parties.ApplyEstate():
            return state.claims.estate
        case claims.parties.ApplyOverlay():
            return state.claims.overlays.get(command.overlay.contract)
        case claims.deliveries.NotifyDelivery() | claims.deliveries.ReportDelivered():
            return _recorded_notice(state.claims, command)
        case campaigns.ApplyCampaign():
            placed = state.placements
            name = command.plan.id
            campaign = placed.campaigns.get(name) or placed.past_campaigns.get(name)
            return None if campaign is None else campaign.plan
        case projects.ApplyProjects():
            return state.placements.sharing.plans.get(command.plan.tenant)
        case supply.storage.ApplyStorage():
            return state.supply.storage.plan
        case gang.SubmitArray():
            return command if arrays.same_array(state.placements, command) else None
        case gang.SubmitGang():
            known_gang = state.placements.gangs.get(command.spec.id)
            if known_gang is not None and substitutes.same_as_asked(known_gang.spec, command.spec):
                return command.spec
            return None if known_gang is None else known_gang.spec
    raise AssertionError(f"no document asks for {type(command).__name__}")


def _recorded_notice(
    state: claims.State, command: claims.deliveries.NotifyDelivery | claims.deliveries.ReportDelivered
) -> ids.Command | None:
    """The last that was told of a delivery. Why, is not kept: it is as the document says."""
    known = state.deliveries.get((command.tranche, command.delivery))
    if known is None:
        return None
    if isinstance(command, claims.deliveries.ReportDelivered):
        return dataclasses.replace(command, effective_at=known.delivered_at) if known.delivered_at else None
    if not known.notified_at:
        return None
    return dataclasses.replace(command, expected_at=known.notified_at, effective_at=known.heard_at)


def _recorded_site(state: supply.State, plan: supply.SitePlan) -> supply.SitePlan | None:
    """A site as a file would state it. Of a rack, what the plan leaves to the SKU is left to it, where it is so."""
    site = state.sites.get(plan.id)
    if site is None:
        return None
    planned = {rack.id: rack for hall in plan.halls for rack in hall.racks}
    halls = []
    for hall in state.halls.values():
        if hall.site == plan.id:
            racks = [rack for rack in state.racks.values() if rack.hall == hall.id and rack.id in planned]
            stated = tuple(_recorded_rack(state, rack, planned[rack.id]) for rack in racks)
            halls.append(supply.HallPlan(hall.id, stated))
    feeds = tuple(
        supply.FeedPlan(feed.id, feed.limit_w, feed.parent, feed.base_w)
        for feed in state.feeds.values()
        if feed.site == plan.id
    )
    named = {switch.id for switch in plan.switches}
    switches = tuple(
        supply.SwitchPlan(switch.id, switch.racks)
        for switch in state.health.switches.values()
        if switch.site == plan.id and switch.id in named
    )
    carried = {loop.id for loop in plan.loops}
    loops = tuple(
        supply.LoopPlan(loop.id, loop.liquid_w, loop.air_w)
        for loop in state.loops.values()
        if loop.site == plan.id and loop.id in carried
    )
    return supply.SitePlan(
        site.id, site.title, site.region, site.jurisdiction, site.zone, feeds, tuple(halls), switches, loops
    )


def _recorded_rack(state: supply.State, rack: supply.Rack, planned: supply.RackPlan) -> supply.RackPlan:
    sku = state.skus[rack.sku]
    nodes = 0 if not planned.nodes and rack.nodes == sku.nodes_per_rack else rack.nodes
    limit_w = 0 if not planned.limit_w and rack.limit_w == sku.rack_w else rack.limit_w
    return supply.RackPlan(
        rack.id, rack.sku, rack.feed, rack.row, nodes, limit_w, rack.block, rack.loop, rack.spine
    )
