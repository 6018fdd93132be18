"""How is maintenance taken in, begun wave by wave, and brought to its end? What a campaign is stands in `campaigns`.

A wave begins when its time has come and the one before is over. Nodes of claims that have yet to consent are left
out. The rest take no new work, and what runs there is asked to stop; each node goes out once nothing is on it, with a
ticket, and comes back as any other: it is reported well, and passes its checks (`supply.health`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from forebay.core import supply
from forebay.core.ids import Answer, CampaignId, Command, NodeIndex, Refusal, Role, refuse_name
from forebay.core.placements import campaigns, hosts, schedule, shedding, waves
from forebay.core.placements.campaigns import (
    MAINTENANCE,
    AnswerCampaign,
    ApplyCampaign,
    Campaign,
    CampaignEvent,
    CampaignPhase,
    CampaignPlan,
    CancelCampaign,
    PauseCampaign,
    ResumeCampaign,
    run_nodes,
    runs_of,
)
from forebay.core.placements.schedule import Desk
from forebay.core.placements.state import State
from forebay.core.supply import FaultDomain, health
from forebay.core.timeline import INSTANT_MAX, Due, Interval, text
from forebay.core.units import DAY_US, SECOND_US, counted

#: What falls due for a campaign is called so.
DUE = "campaign"
#: Seven days: longer work on one node is no wave.
TAKES_S_MAX = 7 * 24 * 3600
_YEAR_S = 366 * 24 * 3600
#: What is over is known for so long after its last instant of work: 13 months and more, for allowances are by month.
PAST_KEPT_US = 400 * DAY_US
_OWN = frozenset({Role.OPERATOR})
#: Who may ask for what.
CAMPAIGN_ROLES: dict[type[Command], frozenset[Role]] = {
    ApplyCampaign: _OWN,
    PauseCampaign: _OWN,
    ResumeCampaign: _OWN,
    CancelCampaign: _OWN,
    AnswerCampaign: _OWN | {Role.TENANT},
}


# Taking in.


def apply_campaign(desk: Desk, command: ApplyCampaign) -> Answer | Refusal:
    """Take a campaign in. Refuses: bad_id, duplicate_id (another of this name), bad_quantity, bad_interval,
    unknown_sku, unknown_domain, nothing_to_maintain, campaigns_overlap, too_many_waves, campaign_too_long, and each
    `Overrun` that the plan does not accept. The same again changes nothing.
    """
    plan, at = command.plan, desk.at
    known = _known(desk.state, plan.id)
    if known is not None and known.plan == plan:
        return {"campaign": plan.id, "changed": False}
    no = refuse_name(plan.id, "id") or _refuse_plan(desk, plan, known)
    if no is not None:
        return no
    nodes = waves.nodes_meant(desk.supplied, plan)
    no = _refuse_nodes(desk, nodes)
    if no is not None:
        return no
    owner = waves.owners(desk.claimed, nodes, Interval(plan.start_at, plan.end_at))
    laid = waves.lay_out(desk.supplied, plan, nodes, owner)
    if len(laid) > waves.WAVES_MAX:
        told = f"more than {waves.WAVES_MAX} waves: more at once, or less of the plant, is meant"
        return Refusal("too_many_waves", told, "units_max")
    over_at = plan.start_at + len(laid) * plan.takes_s * SECOND_US
    if over_at > plan.end_at:
        told = f"{counted(len(laid), 'wave')} of {plan.takes_s} s end at {text(over_at)}, after {text(plan.end_at)}"
        return Refusal("campaign_too_long", told, "end_at")
    runs = tuple(runs_of(wave) for wave in laid)
    hits = waves.hits_of(desk.claimed, plan, runs, owner, at)
    made = Campaign(plan, CampaignPhase.RUNNING, at, hits, command.windows, runs, plan.start_at)
    beyond = [each for hit in hits for each in waves.overruns(desk, made, hit)]
    refused = [each for each in beyond if each[0] not in plan.despite]
    if refused:
        return Refusal(refused[0][0].value, "; ".join(f"{kind}: {told}" for kind, told in refused), "despite")
    answer = _told(desk, made, len(nodes))
    desk.emit(campaigns.CampaignPlanned(plan, runs, hits, command.windows))
    _send_notices(desk, plan.id)
    return answer


def _known(state: State, name: CampaignId) -> Campaign | None:
    return state.campaigns.get(name) or state.past_campaigns.get(name)


def _refuse_plan(desk: Desk, plan: CampaignPlan, known: Campaign | None) -> Refusal | None:
    if known is not None:
        return Refusal("duplicate_id", f"campaign {plan.id} says something else already", "id")
    for name, value, least, most in (
        ("takes_s", plan.takes_s, 1, TAKES_S_MAX),
        ("units_max", plan.units_max, 1, 10**6),
        ("claim_units_max", plan.claim_units_max, 0, plan.units_max),
        ("notice_s", plan.notice_s, 0, _YEAR_S),
        ("failures_max", plan.failures_max, 0, 10**6),
    ):
        if not least <= value <= most:
            return Refusal("bad_quantity", f"{name} is {value}; from {least} to {most} is meant", name)
    if not desk.at <= plan.start_at < plan.end_at <= INSTANT_MAX:
        told = f"it would begin at {text(max(plan.start_at, 0))}; after now, and before it ends, is meant"
        return Refusal("bad_interval", told, "start_at")
    if plan.sku and plan.sku not in desk.supplied.skus:
        return Refusal("unknown_sku", f"SKU {plan.sku} is not in the catalogue", "sku")
    for place, part in enumerate(plan.parts):
        if not health.known(desk.supplied, FaultDomain(part.kind, part.name)):
            return Refusal("unknown_domain", f"there is no {part.kind} {part.name}", f"parts[{place}].name")
    return None


def _refuse_nodes(desk: Desk, nodes: list[NodeIndex]) -> Refusal | None:
    if not nodes:
        return Refusal("nothing_to_maintain", "no node hangs on what the campaign names", "parts")
    meant = set(nodes)
    for name, other in desk.state.campaigns.items():
        theirs = [node for wave in other.waves for node in run_nodes(wave)]
        both = meant.intersection((*theirs, *other.draining, *other.out))
        if both:
            node = supply.node_name(desk.supplied, min(both))
            return Refusal("campaigns_overlap", f"campaign {name} is to maintain {node} too", "parts")
    return None


def _told(desk: Desk, campaign: Campaign, nodes: int) -> Answer:
    """What a campaign would do, claim by claim."""
    plan = campaign.plan
    over_at = plan.start_at + len(campaign.waves) * plan.takes_s * SECOND_US
    return {
        "campaign": plan.id,
        "changed": True,
        "waves": len(campaign.waves),
        "nodes": nodes,
        "start": text(plan.start_at),
        "end": text(over_at),
        "claims": [claim_told(desk, campaign, hit) for hit in campaign.hits],
    }


def claim_told(desk: Desk, campaign: Campaign, hit: campaigns.CampaignHit) -> dict[str, Any]:
    """One claim of a campaign, in plain words and numbers."""
    agreed = desk.claimed.tranches[hit.tranche].plan.maintenance
    said = campaign.consents.get(hit.tranche)
    asked = "asked" if hit.consent else "not_needed"
    noticed_at = campaign.notices.get(hit.tranche)
    return {
        "tranche": hit.tranche,
        "tenant": hit.tenant,
        "nodes": [supply.node_name(desk.supplied, node) for node in run_nodes(hit.nodes)],
        "at_once": hit.at_once,
        "first": text(hit.first_at),
        "notice_s": 0 if agreed is None else agreed.notice_s,
        "notify": text(hit.notify_at),
        "latest_notice": text(hit.latest_at),
        "noticed": None if noticed_at is None else text(noticed_at),
        "consent": asked if said is None else "given" if said.given else "refused",
        "allowed_s": None if agreed is None else agreed.allowed_s,
        "months": [
            {
                "month": text(used.month.start)[:7],
                "agreed_s": used.agreed_s,
                "done_s": used.done_s,
                "beyond_s": sum(used.beyond.values()),
                "left_s": used.left_s,
            }
            for used in waves.months_used(desk, campaign, hit)
        ],
        "overruns": [
            {"overrun": kind.value, "detail": told} for kind, told in waves.overruns(desk, campaign, hit)
        ],
    }


# Asked of one that is there.


def _live(desk: Desk, name: CampaignId, *phases: CampaignPhase) -> Campaign | Refusal:
    known = _known(desk.state, name)
    if known is None:
        return Refusal("unknown_campaign", f"there is no campaign {name}", "campaign")
    if known.phase not in phases:
        return Refusal("campaign_not_open", f"campaign {name} is {known.phase}", "campaign")
    return known


def _pause(desk: Desk, command: PauseCampaign) -> Answer | Refusal:
    """Refuses: unknown_campaign, campaign_not_open."""
    known = _live(desk, command.campaign, CampaignPhase.RUNNING)
    if isinstance(known, Refusal):
        return known
    desk.emit(campaigns.CampaignPaused(command.campaign, command.reason))
    return {"campaign": command.campaign}


def _resume(desk: Desk, command: ResumeCampaign) -> Answer | Refusal:
    """Refuses: unknown_campaign, campaign_not_open."""
    known = _live(desk, command.campaign, CampaignPhase.PAUSED)
    if isinstance(known, Refusal):
        return known
    desk.emit(campaigns.CampaignResumed(command.campaign, runs_of(known.broken)))
    _uncordon(desk, known, known.broken)
    return {"campaign": command.campaign}


def _cancel(desk: Desk, command: CancelCampaign) -> Answer | Refusal:
    """Refuses: unknown_campaign, campaign_not_open."""
    known = _live(desk, command.campaign, CampaignPhase.RUNNING, CampaignPhase.PAUSED)
    if isinstance(known, Refusal):
        return known
    desk.emit(campaigns.CampaignCancelled(command.campaign, command.reason, runs_of(known.draining)))
    _uncordon(desk, known, known.draining)
    return {"campaign": command.campaign}


def _answer(desk: Desk, command: AnswerCampaign) -> Answer | Refusal:
    """Refuses: unknown_campaign, campaign_not_open, unknown_tranche (it is not hit). The same again changes
    nothing."""
    known = _live(desk, command.campaign, CampaignPhase.RUNNING, CampaignPhase.PAUSED)
    if isinstance(known, Refusal):
        return known
    if all(hit.tranche != command.tranche for hit in known.hits):
        told = f"campaign {command.campaign} does not touch tranche {command.tranche}"
        return Refusal("unknown_tranche", told, "tranche")
    said = known.consents.get(command.tranche)
    if said is not None and said.given is command.given:
        return {"campaign": command.campaign, "changed": False}
    more: list[campaigns.NodeRuns] = []
    if command.given and known.left:
        owner = waves.owners(desk.claimed, known.left, Interval(desk.at, known.plan.end_at))
        own = [node for node in known.left if owner.get(node) == command.tranche]
        more = [runs_of(wave) for wave in waves.lay_out(desk.supplied, known.plan, own, owner)]
    desk.emit(
        campaigns.ConsentAnswered(
            command.campaign, command.tranche, command.given, command.reason, tuple(more)
        )
    )
    return {"campaign": command.campaign, "changed": True}


#: What is decided about campaigns.
DECIDED_CAMPAIGNS: dict[type[Command], Callable[[Desk, Any], Answer | Refusal]] = {
    ApplyCampaign: apply_campaign,
    PauseCampaign: _pause,
    ResumeCampaign: _resume,
    CancelCampaign: _cancel,
    AnswerCampaign: _answer,
}


# By time.


def or_campaign(due: Due | None, state: State) -> Due | None:
    """What falls due next: this, or something of a campaign."""
    dues = [
        Due(at, DUE, name, 0) for name, each in state.campaigns.items() if (at := _due_at(each)) is not None
    ]
    return min((*dues, *([due] if due is not None else [])), default=None)


def _due_at(campaign: Campaign) -> int | None:
    """When a campaign is to be looked at."""
    open_ = campaign.phase in (CampaignPhase.RUNNING, CampaignPhase.PAUSED)
    found = [hit.notify_at for hit in campaign.hits if open_ and hit.tranche not in campaign.notices]
    if campaign.busy:
        if not campaign.slipped:
            found.append(campaign.wave_at + campaign.plan.takes_s * SECOND_US)
    elif campaign.phase is CampaignPhase.RUNNING:
        found.append(campaign.next_at)
    return min(found, default=None)


def wake_power_or_campaign(desk: Desk, due: Due) -> None:
    """What `or_campaign` found is due."""
    if due.what == DUE:
        _fall_due(desk, due)
    else:
        shedding.wake_power(desk, due.at)


def _fall_due(desk: Desk, due: Due) -> None:
    """Send notices, say that a wave slipped, or begin the next."""
    name = CampaignId(due.about)
    _send_notices(desk, name)
    known, at = desk.state.campaigns[name], desk.at
    if known.busy:
        follow(desk)
        known = desk.state.campaigns.get(name, known)
        if known.busy and not known.slipped and known.wave_at + known.plan.takes_s * SECOND_US <= at:
            desk.emit(campaigns.WaveSlipped(name, known.begun, runs_of((*known.draining, *known.out))))
    elif known.phase is CampaignPhase.RUNNING and known.next_at <= at:
        if at + known.plan.takes_s * SECOND_US > known.plan.end_at:
            _end(desk, name, "no_time_left")
        else:
            _begin(desk, name)


def _send_notices(desk: Desk, name: CampaignId) -> None:
    known = desk.state.campaigns[name]
    for hit in known.hits:
        if hit.notify_at <= desk.at and hit.tranche not in known.notices:
            desk.emit(campaigns.NoticeSent(name, hit.tranche, hit.tenant, hit.nodes, hit.first_at))


def _begin(desk: Desk, name: CampaignId) -> None:
    """The next wave begins."""
    known = desk.state.campaigns[name]
    nodes = run_nodes(known.waves[0])
    owner = waves.owners(desk.claimed, nodes, Interval(desk.at, known.plan.end_at))
    hits = {hit.tranche: hit for hit in known.hits}
    # Who came by nodes since is not told, and so not touched.
    left = [
        node for node in nodes
        if node in owner and (owner[node] not in hits or not known.consented(hits[owner[node]]))
    ]  # fmt: skip
    taken = sorted({*nodes} - {*left})
    fresh = [node for node in taken if node not in desk.supplied.health.cordoned]
    desk.emit(campaigns.WaveStarted(name, known.begun + 1, runs_of(taken), runs_of(fresh), runs_of(left)))
    for node in fresh:
        desk.emit(supply.NodeCordoned(node, maintenance_mark(known.plan), True))
    floor = schedule.floor_of(desk)
    for gang in schedule.clear_nodes(desk, set(taken), MAINTENANCE):
        if desk.state.policy.failing.hold_s:
            hosts.keep(floor, gang, hosts.until(floor))
    _tend(desk, name)


def maintenance_mark(plan: CampaignPlan) -> str:
    """Why its nodes are out, in words."""
    return f"{MAINTENANCE}: {plan.work} (campaign {plan.id})"


def follow(desk: Desk) -> None:
    """What became of the nodes that are worked on: gone out, back, or broken."""
    for name in sorted(desk.state.campaigns):
        if desk.state.campaigns[name].busy:
            _tend(desk, name)
        elif desk.state.campaigns[name].phase is CampaignPhase.CANCELLED:
            _end(desk, name, "cancelled")


def _tend(desk: Desk, name: CampaignId) -> None:
    known, index = desk.state.campaigns[name], desk.derived.index
    expected_at = desk.at + known.plan.takes_s * SECOND_US
    for node in known.draining:
        if index.free[node] == index.plant.full_mask[node]:
            well = node not in desk.supplied.failed
            desk.emit(campaigns.MaintenanceBegan(name, node, well))
            if well:
                told = maintenance_mark(known.plan)
                desk.emit(supply.NodeHealthChanged(node, False, told, desk.at, planned=True))
                desk.emit(supply.NodeTicketed(node, name, MAINTENANCE, known.plan.work, expected_at, desk.at))
    known = desk.state.campaigns[name]
    for node in known.out:
        if node not in desk.supplied.failed:
            desk.emit(campaigns.MaintenanceEnded(name, node))
            _uncordon(desk, known, (node,))
        elif node in known.own and node not in known.broken and node not in desk.supplied.health.planned:
            desk.emit(campaigns.MaintenanceFailed(name, node, desk.supplied.failed[node]))
    known = desk.state.campaigns[name]
    if known.phase is CampaignPhase.RUNNING and known.broken and len(known.failed) > known.plan.failures_max:
        desk.emit(campaigns.CampaignPaused(name, "failures"))
    if not known.draining and not known.out:
        _end_wave(desk, name)


def _end_wave(desk: Desk, name: CampaignId) -> None:
    known = desk.state.campaigns[name]
    touched = waves.owners(desk.claimed, run_nodes(known.wave_nodes), Interval(known.wave_at, desk.at + 1))
    tranches = tuple(sorted(set(touched.values())))
    desk.emit(campaigns.WaveEnded(name, known.begun, tranches, known.wave_at))
    known = desk.state.campaigns[name]
    if known.phase is CampaignPhase.CANCELLED:
        _end(desk, name, "cancelled")
    elif not known.waves:
        _end(desk, name, "done")


def _end(desk: Desk, name: CampaignId, outcome: str) -> None:
    known = desk.state.campaigns[name]
    left = (*known.left, *(node for wave in known.waves for node in run_nodes(wave)))
    desk.emit(campaigns.CampaignEnded(name, outcome, runs_of(left)))


def _uncordon(desk: Desk, known: Campaign, nodes: tuple[NodeIndex, ...]) -> None:
    """Nodes may have work again that the campaign cordoned."""
    for node in nodes:
        if node in known.cordoned and node in desk.supplied.health.cordoned:
            desk.emit(supply.NodeUncordoned(node))


# The fold, and what holds.


def recorded_campaign(state: State, event: CampaignEvent, at: int) -> None:
    """Apply one event: what is over is kept apart, for a while (its history stays in the journal)."""
    campaigns.record_campaign(state.campaigns, event, at)
    if isinstance(event, campaigns.CampaignEnded):
        state.past_campaigns[event.campaign] = state.campaigns.pop(event.campaign)
        for name in [
            name for name, past in state.past_campaigns.items() if past.last_at + PAST_KEPT_US <= at
        ]:
            del state.past_campaigns[name]


def check_campaigns(state: State, supplied: supply.State) -> Iterator[str]:
    """A node is in one campaign at most, and while it is in a wave it takes no new work."""
    seen: set[int] = set()
    for name, known in state.campaigns.items():
        nodes = [*known.draining, *known.out, *(node for wave in known.waves for node in run_nodes(wave))]
        if len(set(nodes)) < len(nodes) or not seen.isdisjoint(nodes):
            yield f"a node of campaign {name} is to be maintained twice"
        seen.update(nodes)
        if known.busy is not bool(known.draining or known.out):
            yield f"a wave of campaign {name} runs without nodes, or nodes are out without a wave"
        if not known.busy and not known.waves and known.phase is not CampaignPhase.PAUSED:
            yield f"campaign {name} has nothing to do, and is not over"
