"""What follows when an engine is not heard of any more? At first it is only told; then comes a fence, then a restart.

Whether a run that nobody hears of still goes on is not known. So it holds its GPUs, and starts nowhere else, until
its engine says that it ended, or it is over for sure: because its lease is, or because somebody made sure of it.

A lease: a run that was placed while the policy asks for it (`engine_fence`) is ended by its own hosts when their
engine got no answer to a heartbeat for so long. An answer is given only to what is durable here, and what is not
written down of them came less than a quarter of `engine_silent` later than what is. So all is over `FENCE_MARGIN_S`
after: the last one written down, that quarter, the lease, and the grace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from forebay.core import claims, supply
from forebay.core.ids import (
    Answer,
    Command,
    Effect,
    Event,
    NodeIndex,
    Refusal,
    Role,
    SiteId,
    TrancheId,
    refuse_name,
)
from forebay.core.placements import campaigning, campaigns, heartbeats, hosts, schedule, turnover
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import Ending, Gang, Phase
from forebay.core.placements.heartbeats import ENGINE_SILENT, Engine
from forebay.core.placements.schedule import Desk
from forebay.core.placements.state import Derived, State
from forebay.core.timeline import Due, text
from forebay.core.units import SECOND_US

#: For clocks that do not run alike, and for hosts that take their time to kill, seconds.
FENCE_MARGIN_S = 30
_SILENT, _FENCE = "engine_silent", "engine_fence"

#: Who may ask for what.
ENGINE_ROLES: dict[type[Command], frozenset[Role]] = {
    heartbeats.ReportEngineHeard: frozenset({Role.EDGE}),
    heartbeats.FenceEngine: frozenset({Role.OPERATOR}),
}


def report_heard(desk: Desk, report: heartbeats.ReportEngineHeard) -> Answer | Refusal:
    """An engine is there. Refuses: bad_id, unknown_site, site_served. Nothing is written down where no policy asks
    for it, nor when a quarter of the time has not passed since the last that was."""
    no = refuse_name(report.engine, "engine")
    if no is not None:
        return no
    unknown = next((site for site in report.sites if site not in desk.supplied.sites), None)
    if unknown is not None:
        return Refusal("unknown_site", f"there is no site {unknown}", "sites")
    known, silent_s = desk.state.engines.known, desk.state.policy.failing.engine_silent_s
    for name, other in known.items():
        if (
            name != report.engine
            and heartbeats.overlap(other.sites, report.sites)
            and (not other.fenced_at or any(_held_by(desk, other)))
        ):
            told = f"engine {name} serves these sites, and was not fenced"
            return Refusal("site_served", told, "sites")
    engine = known.get(report.engine)
    changed = bool(silent_s)
    if engine is not None:
        quarter_us = silent_s * SECOND_US // heartbeats.PARTS
        soon = not silent_s or desk.at < engine.heard_at + quarter_us
        changed = bool(engine.silent_at) or engine.sites != report.sites or not soon
    if changed:
        back = engine is not None and engine.silent_at > 0
        desk.emit(heartbeats.EngineHeard(report.engine, report.sites, back))
    return {"engine": report.engine, "changed": changed}


def fence(desk: Desk, command: heartbeats.FenceEngine) -> Answer | Refusal:
    """Everything that a silent engine has is over. Refuses: unknown_engine, not_silent."""
    engine = desk.state.engines.known.get(command.engine)
    if engine is None:
        return Refusal("unknown_engine", f"there is no engine {command.engine}", "engine")
    if not engine.silent_at:
        told = f"engine {command.engine} was heard of at {text(engine.heard_at)}: it can be asked to stop its work"
        return Refusal("not_silent", told, "engine")
    over = list(_held_by(desk, engine))
    if over or not engine.fenced_at:
        _fence(desk, command.engine, over, by_lease=False, reason=command.reason)
    return {"engine": command.engine, "changed": bool(over), "gangs": len(over)}


def _held_by(desk: Desk, engine: Engine) -> Iterator[Gang]:
    """Gangs that hold GPUs where an engine starts work, in order of submission."""
    held = [desk.state.gangs[name] for name in desk.derived.held.gangs]
    for gang in sorted(held, key=lambda gang: gang.order):
        if not engine.sites or gang.site in engine.sites:
            yield gang


def _fence(desk: Desk, name: str, over: list[Gang], *, by_lease: bool, reason: str) -> None:
    """These are over, since their engine was last heard of, as far as anybody knows."""
    heard_at = desk.state.engines.known[name].heard_at
    generations = tuple((gang.spec.id, gang.generation) for gang in over)
    desk.emit(heartbeats.EngineFenced(name, by_lease, reason, generations))
    why = "its lease was over" if by_lease else f"it was fenced{f': {reason}' if reason else ''}"
    for gang in over:
        stops = gang.phase is Phase.STOPPING
        desk.emit(
            gangs.GangEnded(
                gang.spec.id, gang.generation, Ending.STOPPED,
                min(max(heard_at, gang.started_at or gang.placed_at), desk.at), name,
                gang.reason if stops else ENGINE_SILENT, gang.again if stops else True,
                not_before=0, returns_at=turnover.returns_at(desk.state.policy, gang, desk.at),
                evidence=f"engine {name} was silent, and {why}",
            )
        )  # fmt: skip


# By time


def or_beside(due: Due | None, state: State) -> Due | None:
    """What falls due next: this, or something of an engine, or of a campaign."""
    if state.campaigns:
        due = campaigning.or_campaign(due, state)
    failing, found = state.policy.failing, [] if due is None else [due]
    for name, engine in state.engines.known.items():
        if engine.silent_at:
            if engine.fence_at and not engine.fenced_at:
                found.append(Due(engine.fence_at, _FENCE, name, 0))
        elif failing.engine_silent_s:
            found.append(Due(heartbeats.silent_due(engine, failing), _SILENT, name, 0))
    return min(found, default=None)


def wake_beside(desk: Desk, due: Due) -> None:
    """What `or_beside` found is due."""
    if due.what == _SILENT:
        _fall_silent(desk, due.about)
    elif due.what == _FENCE:
        engine, leases = desk.state.engines.known[due.about], desk.state.engines.leases
        leased = [gang for gang in _held_by(desk, engine) if heartbeats.lease_at(leases, gang.placed_seq)]
        _fence(desk, due.about, leased, by_lease=True, reason="")
    else:
        campaigning.wake_power_or_campaign(desk, due)


def _fall_silent(desk: Desk, name: str) -> None:
    engines = desk.state.engines
    engine = engines.known[name]
    away_s = 0
    for gang in _held_by(desk, engine):
        lease_s = heartbeats.lease_at(engines.leases, gang.placed_seq)
        if lease_s:
            away_s = max(away_s, lease_s + gang.spec.grace_s + FENCE_MARGIN_S)
    quarter_us = desk.state.policy.failing.engine_silent_s * SECOND_US // heartbeats.PARTS
    fence_at = engine.heard_at + quarter_us + away_s * SECOND_US if away_s else 0
    desk.emit(heartbeats.EngineSilent(name, engine.heard_at, fence_at))
    # Nobody starts there: what is kept there is kept for nothing.
    kept = [
        held for held in desk.state.holds if heartbeats.silent_at_site(engines, desk.state.gangs[held].site)
    ]
    hosts.let_go(schedule.floor_of(desk), kept, ENGINE_SILENT)


# What is recorded, and what follows


def apply_beside(
    state: State, derived: Derived | None, supplied: supply.State, event: Event, at: int
) -> None:
    """Apply one event of an engine, or of a campaign."""
    if isinstance(event, heartbeats.EngineEvent):
        state.engines.record_engine(event, at)
        if derived is not None:
            bar(derived, state, supplied)
        return
    assert isinstance(event, campaigns.CampaignEvent), "these two are kept beside gangs"
    campaigning.recorded_campaign(state, event, at)
    if derived is not None:
        derived.stirred = True


def bar(derived: Derived, state: State, supplied: supply.State) -> None:
    """Searches see the nodes of a site whose engine is silent no more, and those of the others again."""
    barred = {site for site in supplied.sites if heartbeats.silent_at_site(state.engines, site)}
    changed = barred ^ derived.barred
    derived.barred = barred
    for rack_id in supplied.rack_order if changed else ():
        rack = supplied.racks[rack_id]
        if rack.site in changed:
            for node in range(rack.first_node, rack.first_node + rack.nodes):
                free = rack.site not in barred and node not in derived.kept
                derived.index.set_usable(node, free and supply.usable(supplied, NodeIndex(node)))
    if changed:
        derived.ends.moved = derived.stirred = True


def told_again(state: State, tranches: dict[TrancheId, claims.Tranche], event: Event) -> Iterable[Effect]:
    """What an engine is told that is back: to stop what was fenced meanwhile, and all that is wanted of it."""
    assert isinstance(event, heartbeats.EngineHeard)
    if not event.back:
        return
    engines = state.engines
    for name, generation in engines.fenced.items():
        yield gangs.StopGang(name, generation, 0, ENGINE_SILENT, 0)
    for gang in sorted(state.gangs.values(), key=lambda gang: gang.order):
        if gang.phase in gangs.HOLDING and (not event.sites or gang.site in event.sites):
            yield schedule.effect_of(gang, gang.placed_seq, state.shed, tranches, engines.leases)


def silence_of(desk: Desk, site: SiteId) -> str:
    """What is told of a site whose engine is silent; "" where it is not."""
    name = heartbeats.silent_at_site(desk.state.engines, site)
    if not name:
        return ""
    engine = desk.state.engines.known[name]
    return f"Engine {name} has not been heard of since {text(engine.heard_at)}"


def gang_facts(desk: Desk, gang: Gang, *, whole: bool) -> list[str]:
    """What a gang that holds GPUs at a site whose engine is silent has to know."""
    told = silence_of(desk, gang.site)
    if not told:
        return []
    engine = desk.state.engines.known[heartbeats.silent_at_site(desk.state.engines, gang.site)]
    leased = heartbeats.lease_at(desk.state.engines.leases, gang.placed_seq)
    until = "until that says that it ended"
    if leased and engine.fence_at:
        until += f", or until {text(engine.fence_at)}, when its lease is over for sure"
    return [
        f"{told if whole else 'Its engine is silent'}: it counts as running, and starts nowhere else {until}."
    ]


def site_facts(desk: Desk, sites: Iterable[SiteId], *, whole: bool) -> list[str]:
    """What a gang that waits has to know of sites whose engine is silent."""
    found = [(site, silence_of(desk, site)) for site in sites]
    return [
        f"{told if whole else 'Its engine is silent'}: nothing is started at {site} meanwhile."
        for site, told in found
        if told
    ]


def check_beside(state: State, derived: Derived, supplied: supply.State) -> Iterator[str]:
    """No search sees the nodes of a site whose engine is silent, nothing that was fenced holds GPUs, and what
    `check_campaigns` says."""
    yield from campaigning.check_campaigns(state, supplied)
    if {site for site in supplied.sites if heartbeats.silent_at_site(state.engines, site)} != derived.barred:
        yield "sites whose engine is silent differ from the state"
    for name, generation in state.engines.fenced.items():
        gang = state.gangs.get(name)
        if gang is not None and gang.phase in gangs.HOLDING and gang.generation <= generation:
            yield f"gang {name} holds GPUs, and was fenced"


#: What is decided about engines.
ENGINE_DECIDED: dict[type[Command], Callable[[Desk, Any], Answer | Refusal]] = {
    heartbeats.ReportEngineHeard: report_heard,
    heartbeats.FenceEngine: fence,
}
