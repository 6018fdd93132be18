"""What is decided about gangs: taking them in, finding a place, taking loans back, and what follows from facts.

Who goes before whom is `ordering`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import NamedTuple

from forebay.core import claims, ids, supply
from forebay.core.ids import Answer, GangId, NodeIndex, Refusal, SiteId, SkuId, TrancheId
from forebay.core.placements import (
    carrying,
    chains,
    checkpoints,
    datasets,
    deadlines,
    estimates,
    hosts,
    limits,
    narrowing,
    search,
    shapes,
    stuck,
    substitutes,
    to_come,
    turnover,
    upcoming,
)  # fmt: skip
from forebay.core.placements import gang as gangs
from forebay.core.placements import state as states
from forebay.core.placements.ends import free_at
from forebay.core.placements.gang import HOLDING, Ending, Gang, Level, Phase, Run, Spec, Tier
from forebay.core.placements.heartbeats import lease_at, refuse_late
from forebay.core.placements.index import POOL, Index, Plant
from forebay.core.placements.occupants import holders
from forebay.core.placements.projects import refuse_gang
from forebay.core.placements.queue import TIER_RANK, Lane
from forebay.core.placements.returning import expected_back
from forebay.core.placements.search import Misfit, Want
from forebay.core.placements.sheddings import Shed, grace_s
from forebay.core.placements.unheard import learn_start
from forebay.core.supply import Emit
from forebay.core.timeline import Due
from forebay.core.units import SECOND_US, counted

#: By names of their own: to read a member of an enum takes ten times as long.
_COMPLETED, _RUNNING, _DEDICATED, _SPOT = Ending.COMPLETED, Phase.RUNNING, Tier.DEDICATED, Tier.SPOT
#: What follows a completion: its reason, whether it goes back to the queue, and after how many seconds.
_COMPLETED_SO = (Ending.COMPLETED.value, False, 0)
WALLTIME_S_MAX = estimates.LIMIT_S_MAX
GRACE_S_MAX = 24 * 3600


@dataclass(slots=True)
class Desk:
    """What a decision about placements reads, and where its events go."""

    state: states.State
    derived: states.Derived
    supplied: supply.State
    claimed: claims.State
    emit: Emit
    at: int


class Fit(NamedTuple):
    """A place that was found: runs of nodes and the tranche that lends them ("" for none)."""

    runs: tuple[Run, ...]
    lender: TrancheId
    #: Which of its kinds of rack these are.
    choice: int = 0


# Asked by people.


def submit(desk: Desk, spec: Spec, made_id: GangId) -> Answer | Refusal:
    """Take a gang in. Refuses, in this order: bad_choice, bad_id, duplicate_id, unknown_sku, bad_quantity,
    gang_too_long, bad_shape, bad_tier, no_contract, unknown_tranche, tranche_over, sku_not_promised, unknown_site,
    deadline_passed, what `projects.refuse_gang` does, dependency_cycle, unknown_gang, dependency_failed,
    never_fits (or fits_later).
    """
    if not spec.id:
        spec = replace(spec, id=made_id)
    spec = resolved(desk, spec)
    no = refuse(desk, spec)
    if no is not None:
        return no
    desk.emit(gangs.GangSubmitted(spec))
    if spec.datasets:
        datasets.bring(desk, spec, lambda each: never_fits(desk, each))
    return {"gang": spec.id}


def refuse(desk: Desk, spec: Spec, names: Collection[GangId] = ()) -> Refusal | None:
    """Why a gang cannot be taken in, as `submit` says; `names` are those of the array that it stands for."""
    no = substitutes.refuse_choices(spec) if spec.skus else None
    if no is None and len(spec.skus) > 1:
        # The first kind is looked at last, and told of where none will do.
        others = [refuse(desk, each, names) for each in substitutes.variants(spec)][1:]
        no = next((each for each in others if each is not None and each.code not in to_come.NEVER), None)
        if no is None and not all(others):
            return _but_never_fits(refuse(desk, replace(spec, skus=()), names))
    no = no or _refuse_spec(desk, spec) or _refuse_claim(desk, spec) or _refuse_project(desk, spec)
    if no is None and (spec.start_by or spec.finish_by):
        no = deadlines.refuse_deadlines(spec, desk.at)
    if no is None and spec.after:
        no = chains.refuse_after(desk.state.chains, desk.state.gangs, spec, names)
    if spec.datasets or spec.checkpoint_store:
        no = no or datasets.refuse_data(desk.supplied, desk.claimed, spec)
        no = no or datasets.refuse_unreachable(
            desk.supplied, desk.claimed, spec, lambda each: never_fits(desk, each), desk.at
        )
        if no is None:
            spec = datasets.as_allowed(desk.supplied, desk.claimed, spec)
    no = no or never_fits(desk, spec) or _slices_never_fit(desk, spec)
    if no is not None and no.code in to_come.NEVER:
        no = to_come.or_later(desk.supplied, spec, sites_for(desk, spec), no)
    return no


def _but_never_fits(no: Refusal | None) -> Refusal | None:
    return None if no is None or no.code in to_come.NEVER else no


def resolved(desk: Desk, spec: Spec) -> Spec:
    """A dedicated gang as one of its tranche's kind, where it takes several; and one that asks for no limit of time
    with the one that it gets."""
    if not spec.walltime_s or spec.estimate_s:
        division = desk.derived.held.divisions.get(spec.tenant)
        above = (
            division.above(spec.project) if division is not None and spec.project in division.by_id else ()
        )
        limits_s = [project.walltime_s_max for project in above if project.walltime_s_max]
        spec = estimates.limited(spec, desk.state.policy, desk.state.learned, limits_s)
    tranche = desk.claimed.tranches.get(spec.tranche) if spec.skus and spec.tranche else None
    return spec if tranche is None else substitutes.as_of_tranche(spec, tranche.plan.sku)


def _refuse_spec(desk: Desk, spec: Spec) -> Refusal | None:
    no = ids.refuse_name(spec.id, "id")
    if no is not None:
        return no
    if spec.id in desk.state.gangs or spec.id in desk.state.chains.arrays:
        return Refusal("duplicate_id", f"gang {spec.id} exists already", "id")
    if spec.sku not in desk.supplied.skus:
        known = ", ".join(sorted(desk.supplied.skus))
        return Refusal("unknown_sku", f"SKU {spec.sku} is not in the catalogue (known: {known})", "sku")
    if not 1 <= spec.gpus <= 10**7:
        return Refusal("bad_quantity", f"gpus is {spec.gpus}; from 1 to {10**7} is meant", "gpus")
    no = estimates.refuse_limit(spec, desk.state.policy)
    if no is not None:
        return no
    for name, value, most in (
        ("grace_s", spec.grace_s, GRACE_S_MAX),
        ("checkpoint_s", spec.checkpoint_s, WALLTIME_S_MAX),
        ("restarts_max", spec.restarts_max, 10**6),
    ):
        if not 0 <= value <= most:
            return Refusal("bad_quantity", f"{name} is {value}; from 0 to {most} is meant", name)
    return shapes.refuse_shape(spec, desk.supplied.skus[spec.sku].gpus_per_node)


def _refuse_claim(desk: Desk, spec: Spec) -> Refusal | None:
    if spec.tier is not Tier.DEDICATED:
        if spec.tranche:
            return Refusal(
                "bad_tier", f"only dedicated gangs run on a tranche; this one is {spec.tier}", "tranche"
            )
        spot = spec.tier is Tier.SPOT
        if claims.contract_for(desk.claimed, spec.tenant, spot=spot) is None:
            word = "spot" if spot else "on demand"
            return Refusal("no_contract", f"{spec.tenant} has no contract that allows {word} use", "tier")
        unknown = [site for site in spec.sites if site not in desk.supplied.sites]
        told = f"there is no site {unknown[0]}" if unknown else ""
        whole = f"{told} (known: {', '.join(desk.supplied.sites)})"
        return Refusal("unknown_site", whole, "sites", told) if unknown else None
    tranche = desk.claimed.tranches.get(spec.tranche)
    if tranche is None or tranche.tenant != spec.tenant:
        own = sorted(name for name, held in desk.claimed.tranches.items() if held.tenant == spec.tenant)
        told = f"{spec.tenant} has no tranche {spec.tranche}" if spec.tranche else "no tranche is named"
        return Refusal(
            "unknown_tranche",
            f"{told} (it has: {', '.join(own) or 'none'})",
            "tranche",
        )
    if tranche.standing is claims.Standing.ENDED:
        return Refusal("tranche_over", f"the term of tranche {spec.tranche} is over", "tranche")
    if tranche.plan.operation is claims.Operation.HANDED_OVER:
        told = f"tranche {spec.tranche} is handed over: its work is scheduled by {tranche.tenant}, not here"
        return Refusal("handed_over", told, "tranche")
    if tranche.plan.sku != spec.sku:
        return Refusal(
            "sku_not_promised", f"tranche {spec.tranche} is of {tranche.plan.sku}, not {spec.sku}", "sku"
        )
    if spec.sites and tranche.plan.site not in spec.sites:
        return Refusal("unknown_site", f"tranche {spec.tranche} is at {tranche.plan.site}", "sites")
    return None


def _refuse_project(desk: Desk, spec: Spec) -> Refusal | None:
    divisions = desk.derived.held.divisions
    no = ids.refuse_name(spec.user, "user") if spec.user else None
    return no or (refuse_gang(divisions, spec) if divisions or spec.project or spec.priority else None)


def never_fits(desk: Desk, spec: Spec) -> Refusal | None:
    """Whether no state of this plant could hold the gang: with the level and the number that rule it out. What is yet
    to come to a tranche counts as far as it is known: by its number and the shape of its racks.
    """
    sku, plant = desk.supplied.skus[spec.sku], desk.derived.index.plant
    if spec.tier is Tier.DEDICATED:
        tranche = desk.claimed.tranches[spec.tranche]
        promised = claims.nodes_promised(tranche.plan, desk.supplied)
        if claims.nodes_bound(tranche) < promised:
            return to_come.never_fits_later(spec, sku, promised)
        most = _most(plant, sku, spec.within, [tranche.plan.site], tranche.gpus, f"tranche {spec.tranche}")
    else:
        # The same for every gang of the pool until the plant changes.
        mark = (spec.sku, spec.within, spec.sites)
        found = desk.derived.most.get(mark)
        if found is None:
            found = _most(plant, sku, spec.within, sites_for(desk, spec), 10**9, "the largest site")
            desk.derived.most[mark] = found
        most = found
    load_w = spec.gpus * sku.gpu_w
    if spec.gpus <= most.gpus and load_w <= most.watts:
        return carrying.refuse_load(desk, spec)
    told = f"nothing here could ever hold {counted(spec.gpus, 'GPU')} of {spec.sku} within one {spec.within}"
    if spec.gpus > most.gpus:
        are = "is" if spec.gpus == 1 else "are"
        text = f"{counted(spec.gpus, 'GPU')} of {spec.sku} {are} asked for; {most.where} has {most.gpus}"
        return Refusal("never_fits", text, "gpus", "" if spec.tier is Tier.DEDICATED else told)
    work = f"{counted(spec.gpus, 'GPU')} of {load_w} W in all"
    text = f"{work} are asked for; the feeds of one {spec.within} have room for {most.watts} W of work"
    return Refusal("never_fits", text, "gpus", told)


def _most(
    plant: Plant, sku: supply.Sku, within: Level, sites: list[SiteId], gpus: int, where: str
) -> states.Most:
    """What one node, rack, hall or site can hold at most when nothing else runs; `gpus` and `where` say what a site
    counts for."""
    extents = [plant.extents[sku.id, site] for site in sites if (sku.id, site) in plant.extents]
    near, near_gpus = {
        Level.NODE: ("a node", sku.gpus_per_node),
        Level.RACK: ("a rack", max((extent.rack for extent in extents), default=0)),
        Level.ROW: ("a row", max((extent.row for extent in extents), default=0)),
        Level.BLOCK: ("a block", max((extent.block for extent in extents), default=0)),
        Level.HALL: ("a hall", max((extent.hall for extent in extents), default=0)),
        Level.SITE: (where, max((extent.site for extent in extents), default=0)),
    }[within]
    if near_gpus < gpus:
        gpus, where = near_gpus, near
    # A rack hangs on one root of the electrical tree; a hall or a site may hang on several.
    under_one = within in (Level.NODE, Level.RACK)
    rooms_w = [[plant.room_w(root) for root in extent.roots] for extent in extents]
    watts = max((max(rooms) if under_one else sum(rooms) for rooms in rooms_w), default=0)
    return states.Most(gpus, where, watts)


def _slices_never_fit(desk: Desk, spec: Spec) -> Refusal | None:
    """The same for slices: no rack is large enough for one, or nothing that is near enough for so many."""
    if not spec.slice_gpus:
        return None
    sku, plant = desk.supplied.skus[spec.sku], desk.derived.index.plant
    owner = desk.claimed.tranches.get(spec.tranche)
    sites = sites_for(desk, spec) if owner is None else [owner.plan.site]
    room: dict[tuple[SiteId, int], int] = {}
    for rack, key in enumerate(plant.pool_key):
        if key[0] == spec.sku and key[1] in sites:
            slices = plant.rack_nodes[rack] * sku.gpus_per_node // spec.slice_gpus
            row, hall, *block = plant.groups_of_rack[rack]
            group = {Level.ROW: row, Level.BLOCK: (*block, row)[0], Level.HALL: hall, Level.SITE: -1}.get(
                spec.within, -2 - rack
            )
            room[key[1], group] = room.get((key[1], group), 0) + slices
    most, count = max(room.values(), default=0), spec.gpus // spec.slice_gpus
    comes = owner is not None and claims.nodes_bound(owner) < claims.nodes_promised(owner.plan, desk.supplied)
    if count <= most or comes:
        return None
    asked = f"{counted(count, 'slice')} of {spec.slice_gpus} GPUs, each in one rack and all within one {spec.within}"
    told = "" if owner is not None else f"nothing here could ever hold {asked}"
    return Refusal("never_fits", f"{asked}: there is room for {most} at the most", "slice_gpus", told)


def cancel(desk: Desk, name: GangId) -> Answer | Refusal:
    """Stop a gang for good. Refuses: unknown_gang, already_ended."""
    gang = desk.state.gangs.get(name)
    if gang is None:
        return Refusal("unknown_gang", f"there is no gang {name}", "gang")
    if gang.phase is Phase.ENDED:
        return Refusal("already_ended", f"gang {name} has ended ({gang.reason})", "gang")
    if gang.phase is Phase.PENDING:
        desk.emit(gangs.GangWithdrawn(name, "cancelled"))
    elif gang.phase is not Phase.STOPPING or gang.again:
        desk.emit(gangs.GangStopping(name, gang.generation, "cancelled", again=False))
    return {"gang": name, "phase": desk.state.gangs[name].phase}


# Reported by the engine.


def report_started(desk: Desk, report: gangs.ReportGangStarted) -> Answer | Refusal:
    """All ranks are up. Refuses: unknown_gang, stale_generation. The same news twice changes nothing."""
    gang = _current(desk, report.gang, report.generation)
    if isinstance(gang, Refusal):
        return learn_start(desk.state.unheard, report, desk.emit) or gang
    if gang.started_at:
        return {"gang": report.gang, "changed": False}
    since = min(max(report.effective_at, gang.placed_at), desk.at)
    desk.emit(gangs.GangStarted(report.gang, report.generation, since, report.source))
    return {"gang": report.gang, "changed": True}


def report_ended(desk: Desk, report: gangs.ReportGangEnded) -> Answer | Refusal:
    """A generation is over. Refuses: unknown_gang, stale_generation."""
    gang = _current(desk, report.gang, report.generation)
    if isinstance(gang, Refusal):
        return gang
    since = min(max(report.effective_at, gang.started_at or gang.placed_at), desk.at)
    ending = report.ending
    reason, again, pause_s = _COMPLETED_SO if ending is _COMPLETED else _afterwards(desk, gang, ending)
    desk.emit(
        gangs.GangEnded(
            report.gang, report.generation, report.ending, since, report.source, reason, again,
            not_before=desk.at + pause_s * SECOND_US if again and pause_s else 0,
            returns_at=turnover.returns_at(desk.state.policy, gang, desk.at),
            rank=report.rank, exit_status=report.exit_status, evidence=report.evidence,
        )
    )  # fmt: skip
    return {"gang": report.gang, "changed": True}


def report_checkpoint(desk: Desk, report: checkpoints.ReportCheckpoint) -> Answer | Refusal:
    """What a gang did before an instant is kept. Refuses: unknown_gang, stale_generation, not_started. News that is
    older than what is known changes nothing.
    """
    gang = _current(desk, report.gang, report.generation)
    if isinstance(gang, Refusal):
        return gang
    if not gang.started_at:
        return Refusal("not_started", f"gang {report.gang} has not started yet", "gang")
    since = min(max(report.effective_at, gang.started_at), desk.at)
    known = desk.state.lending.checkpoints.get(report.gang)
    if known is not None and known.generation == report.generation and known.at >= since:
        return {"gang": report.gang, "changed": False}
    desk.emit(checkpoints.GangCheckpointed(report.gang, report.generation, since, report.source))
    return {"gang": report.gang, "changed": True}


def _current(desk: Desk, name: GangId, generation: int) -> Gang | Refusal:
    """The gang that a report is about, if it still holds that generation."""
    gang = desk.state.gangs.get(name)
    if gang is None:
        return Refusal("unknown_gang", f"there is no gang {name}", "gang")
    phase = gang.phase
    if gang.generation != generation or (phase is not _RUNNING and phase not in HOLDING):
        return refuse_late(desk.state.engines, gang, generation)
    return gang


def _afterwards(desk: Desk, gang: Gang, ending: Ending) -> tuple[str, bool, int]:
    """After an end: the reason, whether it goes back to the queue, and after how many seconds."""
    if ending in (Ending.COMPLETED, Ending.UNSTARTABLE):
        return ending.value, False, 0
    policy = desk.state.policy
    if gang.phase is Phase.STOPPING:
        interrupted = gang.reason in states.INTERRUPTIONS
        return gang.reason, gang.again, _pause_s(policy, gang.interruptions) if interrupted else 0
    if ending is Ending.STOPPED:
        # Its engine stopped it, as when its host goes down: not the gang's failure, but neither for ever.
        again = gang.interruptions < policy.interruptions_max
        return ending.value, again, _pause_s(policy, gang.interruptions)
    again = gang.failures < gang.spec.restarts_max
    return ending.value, again, _pause_s(policy, gang.failures)


def _pause_s(policy: gangs.Policy, before: int) -> int:
    """How long a gang pauses that came to this end so often before: not at all the first time, then ever longer."""
    return min(policy.backoff_s << min(before - 1, 40), policy.backoff_s_max) if before else 0


# What follows from supply and claims.


def clear_nodes(desk: Desk, nodes: set[NodeIndex], reason: str) -> list[GangId]:
    """Whatever holds GPUs on these nodes is to stop, and to start again elsewhere; nothing is kept on them. Tells who
    is to stop now."""
    stopped = []
    if desk.state.holds:
        hosts.let_go(floor_of(desk), hosts.touching(desk.state, nodes), reason)
    for name in holders(desk.derived, nodes):
        gang = desk.state.gangs[name]
        if gang.phase is not Phase.STOPPING:
            desk.emit(gangs.GangStopping(name, gang.generation, reason, again=True))
            stopped.append(name)
    return stopped


def floor_of(desk: Desk) -> hosts.Floor:
    """What a decision about hosts reads."""
    return hosts.Floor(desk.state, desk.derived, desk.supplied, desk.claimed, desk.emit, desk.at)


def take_over(desk: Desk, runs: Iterable[tuple[int, int]]) -> None:
    """These nodes and their power passed to a tranche: whoever runs there by another right goes back to the queue."""
    clear_nodes(desk, _nodes(runs), "claim_started")
    _shed(desk)


def _shed(desk: Desk) -> None:
    """Work on the pool that draws what a tranche may draw now goes back to the queue: spot first, and of each tier
    the latest placed, as far as it takes."""
    index = desk.derived.index
    # By what levels are built for: curtailments are shed by an order of their own.
    over_w = {
        level: index.load_w[level] + index.reserved_w[level] - limit_w
        for level, limit_w in enumerate(index.plant.level_limit_w)
    }
    holders = sorted(
        holding(desk),
        key=lambda gang: (
            gang.phase in (Phase.PLACED, Phase.RUNNING), -TIER_RANK[gang.spec.tier], -gang.placed_seq,
        ),
    )  # fmt: skip
    # Those that are leaving come first, and need not be asked.
    for gang in holders:
        drawn = index.pool_draw(gang.runs, desk.supplied.skus[gang.spec.sku].gpu_w)
        staying = gang.phase in (Phase.PLACED, Phase.RUNNING)
        if not staying or any(over_w[level] > 0 for level in drawn):
            for level, watts in drawn.items():
                over_w[level] -= watts
            if staying:
                desk.emit(gangs.GangStopping(gang.spec.id, gang.generation, "claim_power", again=True))


def move_over(desk: Desk, changes: Iterable[claims.TrancheRebound]) -> None:
    """Tranches whose term runs have other nodes now: whoever is left on nodes without a right to them moves."""
    live = [
        change for change in changes if desk.claimed.tranches[change.tranche].standing is claims.Standing.LIVE
    ]
    for change in live:
        clear_nodes(desk, _nodes(change.gave), "rebound")
    for change in live:
        take_over(desk, change.took)


def end_tranche(desk: Desk, tranche: TrancheId) -> None:
    """The nodes pass back: the tranche's own gangs are over, its borrowers go back to the queue."""
    for name in sorted(desk.state.gangs):
        gang = desk.state.gangs[name]
        if (
            gang.spec.tranche == tranche
            and gang.phase in HOLDING
            and not (gang.phase is Phase.STOPPING and not gang.again)
        ):
            desk.emit(gangs.GangStopping(name, gang.generation, "claim_ended", again=False))
        elif gang.spec.tranche == tranche and gang.phase is Phase.PENDING:
            desk.emit(gangs.GangWithdrawn(name, "claim_ended"))
    if desk.claimed.tranches[tranche].started_at:
        clear_nodes(desk, _nodes(desk.claimed.tranches[tranche].runs), "claim_ended")


def _nodes(runs: Iterable[tuple[int, int]]) -> set[NodeIndex]:
    return {NodeIndex(node) for first, count in runs for node in range(first, first + count)}


# By time.


def wake(desk: Desk, due: Due) -> None:
    """Something fell due for a gang."""
    desk.derived.dues.pop()
    gang = desk.state.gangs[GangId(due.about)]
    match due.what:
        case "start":
            again = gang.interruptions < desk.state.policy.interruptions_max
            desk.emit(gangs.GangStopping(gang.spec.id, gang.generation, "start_timeout", again))
        case "walltime":
            desk.emit(gangs.GangStopping(gang.spec.id, gang.generation, "walltime", again=False))
        case "estimate":
            desk.emit(estimates.overrun(gang))
        case "reclaim":
            desk.emit(gangs.ReclaimOverdue(gang.lender, gang.spec.id, gang.generation))
        case "deadline":
            desk.emit(gangs.GangWithdrawn(gang.spec.id, deadlines.DEADLINE_PASSED))
        case "hold":
            hosts.let_go(floor_of(desk), [gang.spec.id], "timeout")
        case "stuck":
            stuck.flag(desk.state, gang, desk.emit)
        case _:
            # A pause is over: the pass that follows lets the gang back into the queue.
            pass


# Places.


def place(desk: Desk, gang: Gang, fit: Fit) -> None:
    """It is to run there."""
    desk.emit(gangs.GangPlaced(gang.spec.id, gang.generation + 1, fit.runs, fit.lender, fit.choice))


def find(
    desk: Desk,
    gang: Gang,
    *,
    pool_barred: bool = False,
    index: Index | None = None,
    at: int | None = None,
    barred: Collection[SkuId] = (),
) -> Fit | Misfit:
    """Where a gang fits now. The misfit is that of the first place it may be: its own claim, or the pool.

    In another index, what is to come and ramps count only where it is said when that is: `at`. Of one that takes
    several kinds of rack, `barred` are those for which others come before it.
    """
    if index is None:
        index, at = desk.derived.index, desk.at
    locate: narrowing.Locate = search.locate
    if at is not None and (desk.supplied.curtailments or desk.state.ramps):
        locate = narrowing.locator(desk, gang, at)
    hold = desk.state.holds.get(gang.spec.id) if desk.state.holds else None
    if hold is None and not desk.state.campaigns:
        return _find_on(desk, gang, index, gang.runs if gang.front else (), pool_barred, locate, barred)
    opened = [] if hold is None else hosts.open_up(index, desk.supplied, hold)
    hidden = upcoming.hide(
        desk.state.campaigns.values(), index, gang.spec, desk.at if at is None else at, desk.at
    )
    if hold is None:
        found = _find_on(desk, gang, index, gang.runs if gang.front else (), pool_barred, locate, barred)
    else:
        found = _find_on(desk, gang, index, hosts.preferred(index, gang, hold), False, locate)
    upcoming.show(index, hidden)
    hosts.shut(index, opened)
    return found


def _find_on(
    desk: Desk,
    gang: Gang,
    index: Index,
    prefer: tuple[Run, ...],
    pool_barred: bool,
    locate: narrowing.Locate,
    barred: Collection[SkuId] = (),
) -> Fit | Misfit:
    spec = gang.spec
    if spec.skus:
        return _find_any(desk, gang, index, prefer, locate, barred)
    gpu_w = desk.supplied.skus[spec.sku].gpu_w
    if spec.tier is _DEDICATED:
        tranche = desk.claimed.tranches[spec.tranche]
        want = want_of(spec, spec.tranche, tranche.plan.site, gpu_w)
        found = locate(index, want, prefer)
        return found if isinstance(found, Misfit) else Fit(found, TrancheId(""))
    misfit = Misfit("queue", "", 0, spec.gpus) if pool_barred else None
    for site in () if pool_barred else sites_for(desk, spec):
        found = locate(index, want_of(spec, POOL, site, gpu_w), prefer)
        if not isinstance(found, Misfit):
            return Fit(found, TrancheId(""))
        misfit = misfit or found
    if spec.tier is _SPOT:
        for lender in lenders(desk, spec):
            plan = desk.claimed.tranches[lender].plan
            found = locate(index, Want(lender, spec.sku, plan.site, spec.gpus, spec.within, gpu_w), prefer)
            if not isinstance(found, Misfit):
                return Fit(found, lender)
    return misfit or Misfit("gpus", f"{spec.sku}", 0, spec.gpus)


def _find_any(
    desk: Desk,
    gang: Gang,
    index: Index,
    prefer: tuple[Run, ...],
    locate: narrowing.Locate,
    barred: Collection[SkuId],
) -> Fit | Misfit:
    """The same for a gang that takes several kinds of rack: the first that has room."""
    misfit: Misfit | None = None
    for choice, spec in enumerate(substitutes.variants(gang.spec)):
        found = _find_on(desk, gang._replace(spec=spec), index, prefer, spec.sku in barred, locate)
        if isinstance(found, Fit):
            return found._replace(choice=choice)
        misfit = misfit or found
    assert misfit is not None, "who takes several kinds takes one"
    return misfit


def want_of(spec: Spec, owner: str, site: SiteId, gpu_w: int) -> Want:
    """What a gang asks of an owner's nodes at a site."""
    return Want(owner, spec.sku, site, spec.gpus, spec.within, gpu_w, spec.near, spec.slice_gpus)


def sites_for(desk: Desk, spec: Spec) -> list[SiteId]:
    """Sites that a gang which owns nothing may be at, in order of preference."""
    if spec.datasets or spec.checkpoint_store:
        return datasets.ready_sites(desk.supplied, desk.claimed, spec)
    return list(spec.sites) or list(desk.supplied.sites)


def lenders(desk: Desk, spec: Spec) -> list[TrancheId]:
    """Tranches that may lend to this gang now: lending is agreed, nobody of their own waits, the borrower's grace
    with wiping, checking and the ramp fits in the reclaim deadline, and what it pays is in the owner's currency."""
    queue, known = desk.derived.queue, desk.state.gangs
    return [name for name in may_lend(desk, spec) if not queue.heads(Lane(Tier.DEDICATED, name), known)]


def may_lend(desk: Desk, spec: Spec) -> list[TrancheId]:
    """The same, as far as contracts and policy say: whoever waits."""
    borrower = claims.contract_for(desk.claimed, spec.tenant, spot=True)
    # Where spot was withdrawn, what was taken in before goes on.
    borrower = borrower or claims.contract_of_use(desk.claimed, spec.tenant, desk.at, spot=True)
    assert borrower is not None, "a gang on spot is taken in by a contract"
    away_s = turnover.away(spec, desk.state.policy).total_s
    found = []
    for name, tranche in desk.claimed.tranches.items():
        lending = tranche.plan.lending
        if lending is None or tranche.standing is not claims.Standing.LIVE or tranche.plan.sku != spec.sku:
            continue
        if spec.sites and tranche.plan.site not in spec.sites:
            continue
        if datasets.reads(spec) and tranche.plan.site not in sites_for(desk, spec):
            continue
        if away_s > lending.reclaim_deadline_s:
            continue
        if desk.claimed.contracts[tranche.contract].currency != borrower.currency:
            continue
        found.append(name)
    return found


# Effects, and questions.


def effect_of(
    gang: Gang,
    seq: int,
    shed: Mapping[GangId, Shed],
    tranches: Mapping[TrancheId, claims.Tranche],
    leases: Sequence[tuple[int, int]] = (),
) -> gangs.RunGang | gangs.StopGang:
    """What the engine is to make true about a gang that holds GPUs."""
    spec = gang.spec
    if gang.phase is not Phase.STOPPING:
        return gangs.RunGang(
            spec.id,
            gang.generation,
            spec.tenant,
            gang.runs,
            spec.grace_s,
            gang.generation - gang.generation_before - 1,
            spec.program,
            gang.placed_seq,
            _reclaim_s(tranches[gang.lender]) if gang.lender else 0,
            lease_at(leases, gang.placed_seq) if leases else 0,
        )
    grace = grace_s(shed, spec.id, spec.grace_s)
    return gangs.StopGang(spec.id, gang.generation, grace, gang.reason, seq)


def _reclaim_s(lender: claims.Tranche) -> int:
    """Within how many seconds of a call a lender has its nodes back."""
    lending = lender.plan.lending
    return 0 if lending is None else lending.reclaim_deadline_s


#: By when a gang's GPUs are free.
FreeAt = Callable[[Gang], int]


def promise(
    desk: Desk, gang: Gang, back: Iterable[tuple[int, NodeIndex]] = (), free: FreeAt | None = None
) -> states.Promised | None:
    """By when a pending gang fits, if everything runs to its limit of time, terms begin and end as signed, nodes come
    `back` when they are expected, and nothing else starts; None when even then it does not (it waits for repair, or
    for power)."""
    scratch = desk.derived.index.copy()
    changes: list[Turn | limits.LimitStep] = [*turns_of(desk), *narrowing.changes_ahead(desk, gang)]
    steps: list[tuple[int, int, int, Turn | limits.LimitStep | Gang | NodeIndex | None]] = [
        (change.at, 0, place, change) for place, change in enumerate(changes)
    ]
    if campaigns := desk.state.campaigns.values():
        back = {*back, *upcoming.back_at(campaigns, desk.supplied, desk.at)}
        steps += [(at, 3, 0, None) for at in upcoming.over_at(campaigns, desk.at)]
    steps += [(at, 2, node, node) for at, node in back]
    for other in holding(desk):
        steps.append((free(other) if free else free_at(other, desk.state.policy), 1, other.order, other))
    steps.sort(key=lambda step: step[:3])
    for (at, _, _, step), following in zip_longest(steps, steps[1:]):
        if isinstance(step, Turn):
            scratch.set_owner(step.runs, step.owner)
        elif isinstance(step, limits.LimitStep):
            scratch.set_limit(step.level, scratch.limit_w[step.level] if step.limit_w < 0 else step.limit_w)
        elif isinstance(step, int):
            scratch.set_usable(step, True)
        elif step is not None:
            scratch.release(step.runs, desk.supplied.skus[step.spec.sku].gpu_w)
        # Looked at when all that happens at one instant has happened.
        then = max(at, desk.at)
        if (following is not None and following[0] <= at) or narrowing.lacks_room(desk, gang, scratch, then):
            continue
        if isinstance(find(desk, gang, index=scratch, at=then), Fit):
            return states.Promised(gang, then, scratch)
    return None


def expected_start(desk: Desk, gang: Gang, free: FreeAt | None = None) -> int | None:
    """By when a pending gang fits, as `promise` says, with nodes back when their tickets say; None when it says
    none."""
    found = promise(desk, gang, expected_back(desk.supplied, desk.at), free)
    return None if found is None else found.at


class TooSmall(NamedTuple):
    """The pool cannot hold a gang before `at`, when the term of `tranche` ends; `misfit` is what it lacks."""

    at: int
    tranche: TrancheId
    misfit: Misfit


def too_small_until(desk: Desk, gang: Gang) -> TooSmall | None:
    """Whether a gang that owns nothing waits for the end of a term: the pool as it is now could not hold it, even if
    nothing ran there and every node were well. None where it could, or where no end of a term helps.
    """
    spec, scratch = gang.spec, desk.derived.index.copy()
    scratch.limit_w = scratch.plant.level_limit_w.copy()
    for other in holding(desk):
        scratch.release(other.runs, desk.supplied.skus[other.spec.sku].gpu_w)
    for node in sorted({*desk.supplied.failed, *desk.supplied.cordoned}):
        scratch.set_usable(node, True)
    found = find(desk, gang, index=scratch)
    if isinstance(found, Fit):
        return None
    gpu_w = desk.supplied.skus[spec.sku].gpu_w
    for name in may_lend(desk, spec) if spec.tier is Tier.SPOT else []:
        want = want_of(spec, name, desk.claimed.tranches[name].plan.site, gpu_w)
        if not isinstance(search.locate(scratch, want), Misfit):
            return None
    ended = TrancheId("")
    turns = turns_of(desk)
    for turn, following in zip_longest(turns, turns[1:]):
        scratch.set_owner(turn.runs, turn.owner)
        ended = ended if turn.begins else turn.tranche
        if (following is None or following.at > turn.at) and isinstance(find(desk, gang, index=scratch), Fit):
            return TooSmall(turn.at, ended, found)
    return None


class Turn(NamedTuple):
    """At `at` the nodes of a tranche pass to `owner`: to it, or back to the pool."""

    at: int
    #: What ends at an instant comes before what begins then.
    begins: bool
    tranche: TrancheId
    owner: str
    runs: tuple[tuple[int, int], ...]


def turns_of(desk: Desk) -> list[Turn]:
    """When nodes change hands by what is signed, in order."""
    found = []
    for name, tranche in desk.claimed.tranches.items():
        if tranche.standing is claims.Standing.SIGNED:
            found.append(Turn(tranche.plan.start_at, True, name, name, tranche.runs))
        if tranche.standing is not claims.Standing.ENDED:
            found.append(Turn(tranche.plan.end_at, False, name, POOL, tranche.runs))
    return sorted(found)


def holding(desk: Desk) -> list[Gang]:
    """Every gang that holds GPUs, those included whose GPUs are still being wiped."""
    held = desk.derived.held
    return [desk.state.gangs[name] for name in [*held.gangs, *sorted(held.wiped)]]


def check(desk: Desk) -> Iterator[str]:
    """Invariant 3: a tranche's first waiting gang does not fit its own claim, or it would run."""
    if desk.derived.stirred or desk.derived.arrivals:
        return
    queue, known = desk.derived.queue, desk.state.gangs
    for lane in queue.lanes():
        heads = queue.heads(lane, known)
        if lane.tier is Tier.DEDICATED and heads:
            first = known[min(heads)[0].gang]
            if isinstance(find(desk, first), Fit):
                yield f"gang {first.spec.id} waits though it fits its own claim"
