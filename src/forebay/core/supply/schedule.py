"""What may happen to a site's schedule: it is planned, reported on, reached, and forecast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from forebay.core.ids import Answer, BlockId, Event, MilestoneId, Refusal, SiteId, refuse_name
from forebay.core.supply import blocks, plant
from forebay.core.supply.blocks import MilestonePlan, Quantile, Schedule, SchedulePlan
from forebay.core.supply.plant import Emit, Stands, State
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import DAY_US

RACKS_MAX = 10**6
DURATION_S_MAX = 50 * 366 * 24 * 3600
PPM = 1_000_000


def apply_schedule(state: State, command: blocks.ApplySchedule, at: int, emit: Emit) -> Answer | Refusal:
    """Plan what is to come at a site. Refuses: unknown_site; then for causes, the power usage effectiveness,
    milestones, stages and blocks in turn bad_id, duplicate_id, bad_quantity, unknown_cause, unknown_milestone,
    unknown_sku, no_date, unknown_hall (none of the site, or a row without one), unknown_feed; milestone_cycle; for
    milestones in turn future_fact, not_in_order, milestone_reached (done otherwise); again milestone_reached (one
    that is done is left out); block_delivered (racks of a block that is left out stand already, or more than its new
    number, or of another SKU).
    """
    plan = command.plan
    if plan.site not in state.sites:
        return Refusal("unknown_site", f"there is no site {plan.site}", "site")
    known = state.schedules.get(plan.site)
    if known is not None and known.plan == plan:
        return {"site": plan.site, "changed": False}
    no = (
        _refuse_causes(plan)
        or _refuse_milestones(plan)
        or _refuse_stages(plan)
        or _refuse_blocks(state, plan)
        or _refuse_circle(plan)
        or _refuse_reached(state, plan, at)
        or _refuse_forgetting(state, plan)
    )
    if no is not None:
        return no
    emit(blocks.SchedulePlanned(plan))
    return {"site": plan.site, "changed": True}


def _refuse_id(name: str, taken: set[str], what: str, where: str) -> Refusal | None:
    no = refuse_name(name, f"{where}.id")
    if no is None and name in taken:
        no = Refusal("duplicate_id", f"{what} {name} stands twice", f"{where}.id")
    taken.add(name)
    return no


def _refuse_causes(plan: SchedulePlan) -> Refusal | None:
    taken: set[str] = set()
    for place, cause in enumerate(plan.causes):
        where = f"causes[{place}]"
        no = _refuse_id(cause.id, taken, "cause", where)
        if no is not None:
            return no
        if not (0 <= cause.share_ppm <= PPM and 0 <= cause.strike_ppm <= PPM):
            return Refusal("bad_quantity", f"cause {cause.id}: a share is from 0 to 100 %", where)
        if not 0 <= cause.delay_s <= DURATION_S_MAX:
            return Refusal("bad_quantity", f"cause {cause.id}: delay out of range", f"{where}.delay_s")
    if not PPM <= plan.pue_ppm <= 10 * PPM:
        return Refusal("bad_quantity", "a power usage effectiveness is from 1 to 10", "pue_ppm")
    return None


def _refuse_milestones(plan: SchedulePlan) -> Refusal | None:
    taken: set[str] = set()
    names = {milestone.id for milestone in plan.milestones}
    causes = {cause.id: cause for cause in plan.causes}
    for place, milestone in enumerate(plan.milestones):
        where = f"milestones[{place}]"
        no = _refuse_id(milestone.id, taken, "milestone", where) or _refuse_length(milestone, where)
        if no is not None:
            return no
        for cause in milestone.causes:
            if cause not in causes:
                told = f"milestone {milestone.id}: there is no cause {cause} here"
                return Refusal("unknown_cause", told, f"{where}.causes")
        for before in milestone.after:
            if before not in names:
                told = f"milestone {milestone.id} waits for {before}, which is not a milestone here"
                return Refusal("unknown_milestone", told, f"{where}.after")
        if not (milestone.after or milestone.planned_at or milestone.reached_at):
            told = f"milestone {milestone.id} waits for nothing and has no planned date"
            return Refusal("no_date", told, f"{where}.planned_at")
    return None


def _refuse_length(milestone: MilestonePlan, where: str) -> Refusal | None:
    for date, field in ((milestone.planned_at, "planned_at"), (milestone.reached_at, "reached_at")):
        if not 0 <= date <= INSTANT_MAX:
            return Refusal("bad_quantity", f"milestone {milestone.id}: date out of range", f"{where}.{field}")
    if not 0 <= milestone.duration_p50_s <= milestone.duration_p90_s <= DURATION_S_MAX:
        told = f"milestone {milestone.id}: its duration is at least 0, and at P90 not shorter than at P50"
        return Refusal("bad_quantity", told, f"{where}.duration_p90_s")
    if not 0 <= milestone.late_p90_s <= DURATION_S_MAX:
        return Refusal(
            "bad_quantity", f"milestone {milestone.id}: lateness out of range", f"{where}.late_p90_s"
        )
    return None


def _refuse_stages(plan: SchedulePlan) -> Refusal | None:
    taken: set[str] = set()
    names = {milestone.id for milestone in plan.milestones}
    for place, stage in enumerate(plan.stages):
        where = f"stages[{place}]"
        no = _refuse_id(stage.id, taken, "power stage", where)
        if no is not None:
            return no
        if not (0 < stage.contracted_w <= plant.WATTS_MAX and 0 < stage.connected_w <= plant.WATTS_MAX):
            return Refusal("bad_quantity", f"power stage {stage.id}: watts out of range", where)
        for milestone, field in ((stage.start, "start"), (stage.end, "end")):
            if milestone and milestone not in names:
                told = f"power stage {stage.id}: {milestone} is not a milestone here"
                return Refusal("unknown_milestone", told, f"{where}.{field}")
        if not stage.start:
            return Refusal("no_date", f"power stage {stage.id} waits for no milestone", f"{where}.start")
    return None


def _refuse_blocks(state: State, plan: SchedulePlan) -> Refusal | None:
    taken: set[str] = set()
    names = {milestone.id for milestone in plan.milestones}
    elsewhere = {
        block.id: site
        for site, schedule in state.schedules.items()
        if site != plan.site
        for block in schedule.plan.blocks
    }
    for place, block in enumerate(plan.blocks):
        where = f"blocks[{place}]"
        no = _refuse_id(block.id, taken, "block", where)
        if no is not None:
            return no
        if block.id in elsewhere:
            told = f"block {block.id} is one of site {elsewhere[block.id]} already"
            return Refusal("duplicate_id", told, f"{where}.id")
        if not 1 <= block.racks <= RACKS_MAX:
            told = f"block {block.id}: from 1 to {RACKS_MAX} racks are meant"
            return Refusal("bad_quantity", told, f"{where}.racks")
        missing = [milestone for milestone in block.after if milestone not in names]
        if missing:
            told = f"block {block.id} waits for {missing[0]}, which is not a milestone here"
            return Refusal("unknown_milestone", told, f"{where}.after")
        if block.sku not in state.skus:
            known = ", ".join(sorted(state.skus)) or "none"
            told = f"block {block.id}: SKU {block.sku} is not in the catalogue (known: {known})"
            return Refusal("unknown_sku", told, f"{where}.sku")
        if not block.after:
            told = f"block {block.id} waits for no milestone: it has no date"
            return Refusal("no_date", told, f"{where}.after")
        no = _refuse_place(state, plan.site, block, where)
        if no is not None:
            return no
    return None


def _refuse_place(state: State, site: SiteId, block: blocks.BlockPlan, where: str) -> Refusal | None:
    """Whether the site has the hall and the feed that a block is to hang on."""
    halls = sorted(hall.id for hall in state.halls.values() if hall.site == site)
    feeds = sorted(feed.id for feed in state.feeds.values() if feed.site == site)
    if block.row and not block.hall:
        told = f"block {block.id}: a row is one of a hall, and none is named"
        return Refusal("unknown_hall", told, f"{where}.hall")
    if block.hall and block.hall not in halls:
        known = ", ".join(halls) or "none"
        told = f"block {block.id}: there is no hall {block.hall} at {site} (there are: {known})"
        return Refusal("unknown_hall", told, f"{where}.hall")
    if block.feed and block.feed not in feeds:
        known = ", ".join(feeds) or "none"
        told = f"block {block.id}: there is no feed {block.feed} at {site} (there are: {known})"
        return Refusal("unknown_feed", told, f"{where}.feed")
    return None


def _refuse_circle(plan: SchedulePlan) -> Refusal | None:
    loop = blocks.circle(plan.milestones)
    if not loop:
        return None
    told = f"milestones wait for each other in a circle: {' before '.join(loop)}"
    # The second of them waits for the first: there it can be broken.
    place = next(place for place, milestone in enumerate(plan.milestones) if milestone.id == loop[1])
    return Refusal("milestone_cycle", told, f"milestones[{place}].after")


def _refuse_reached(state: State, plan: SchedulePlan, at: int) -> Refusal | None:
    known = state.schedules.get(plan.site)
    reached = reached_after(known, plan)
    for place, milestone in enumerate(plan.milestones):
        where = f"milestones[{place}].reached_at"
        if milestone.reached_at > at:
            told = f"milestone {milestone.id}: a fact cannot take effect after it is reported"
            return Refusal("future_fact", told, where)
        if not milestone.reached_at:
            continue
        open_ = [before for before in milestone.after if before not in reached]
        if open_:
            told = f"milestone {milestone.id} waits for {', '.join(open_)}, which is not done"
            return Refusal("not_in_order", told, where)
        if reached[milestone.id] != milestone.reached_at:
            return Refusal("milestone_reached", f"milestone {milestone.id} is reached already", where)
    return None


def reached_after(known: Schedule | None, plan: SchedulePlan) -> dict[MilestoneId, int]:
    """What is done once a plan is applied: what was reported, and what the plan says."""
    stated = {milestone.id: milestone.reached_at for milestone in plan.milestones if milestone.reached_at}
    return stated | (known.reached if known else {})


def _refuse_forgetting(state: State, plan: SchedulePlan) -> Refusal | None:
    known = state.schedules.get(plan.site)
    if known is None:
        return None
    gone = sorted(set(known.reached) - {milestone.id for milestone in plan.milestones})
    if gone:
        told = f"milestone {gone[0]} is reached already and cannot be left out"
        return Refusal("milestone_reached", told, "milestones")
    planned = {block.id: block for block in plan.blocks}
    here = plant.standing(state).get(plan.site, Stands()).blocks
    for before in sorted(
        (block for block in known.plan.blocks if block.id in here), key=lambda block: block.id
    ):
        block, stand = planned.get(before.id), here[before.id]
        if block is None or block.racks < stand or block.sku != before.sku:
            told = f"{stand} racks of block {before.id} stand already, of {before.sku}"
            return Refusal("block_delivered", told, "blocks")
    return None


def report_forecast(state: State, command: blocks.ReportForecast, emit: Emit) -> Answer | Refusal:
    """A milestone slips, or comes sooner. Refuses: unknown_site, unknown_milestone, milestone_reached,
    bad_quantity. The same date again changes nothing.
    """
    known = _milestone(state, command.site, command.milestone)
    if isinstance(known, Refusal):
        return known
    if command.milestone in known.reached:
        told = f"milestone {command.milestone} is reached already"
        return Refusal("milestone_reached", told, "milestone")
    if not 0 < command.forecast_at <= INSTANT_MAX:
        return Refusal("bad_quantity", "the date is out of range", "forecast_at")
    if known.reported.get(command.milestone) == command.forecast_at:
        return {"site": command.site, "milestone": command.milestone, "changed": False, "moved": {}}
    before = blocks.Outlook(known)
    emit(blocks.MilestoneForecast(command.site, command.milestone, command.forecast_at, command.reason))
    return _moved(state, before, command.site, command.milestone)


def report_reached(state: State, command: blocks.ReportReached, at: int, emit: Emit) -> Answer | Refusal:
    """A milestone is done. Refuses: unknown_site, unknown_milestone, future_fact, milestone_reached (since another
    instant), not_in_order (something that it waits for is not done). The same news twice changes nothing.
    """
    known = _milestone(state, command.site, command.milestone)
    if isinstance(known, Refusal):
        return known
    if command.effective_at > at:
        return Refusal("future_fact", "a fact cannot take effect after it is reported", "effective_at")
    if command.milestone in known.reached:
        if known.reached[command.milestone] == command.effective_at:
            return {"site": command.site, "milestone": command.milestone, "changed": False, "moved": {}}
        told = f"milestone {command.milestone} is reached already"
        return Refusal("milestone_reached", told, "milestone")
    plan = next(each for each in known.plan.milestones if each.id == command.milestone)
    open_ = [before for before in plan.after if before not in known.reached]
    if open_:
        told = f"milestone {command.milestone} waits for {', '.join(open_)}, which is not done"
        return Refusal("not_in_order", told, "milestone")
    before = blocks.Outlook(known)
    emit(blocks.MilestoneReached(command.site, command.milestone, command.effective_at, command.evidence))
    return _moved(state, before, command.site, command.milestone)


def _milestone(state: State, site: SiteId, milestone: MilestoneId) -> Schedule | Refusal:
    known = state.schedules.get(site)
    if known is None:
        return Refusal("unknown_site", f"nothing is planned at a site {site}", "site")
    names = [each.id for each in known.plan.milestones]
    if milestone not in names:
        told = f"there is no milestone {milestone} at {site} (there are: {', '.join(names)})"
        return Refusal("unknown_milestone", told, "milestone")
    return known


def _moved(state: State, before: blocks.Outlook, site: SiteId, milestone: MilestoneId) -> Answer:
    """What a report moved: block -> its date before, and now."""
    after = blocks.Outlook(state.schedules[site])
    moved = {
        block.id: {"from": before.block_date(block), "to": after.block_date(block)}
        for block in after.schedule.plan.blocks
        if before.block_date(block) != after.block_date(block)
    }
    return {"site": site, "milestone": milestone, "changed": True, "moved": moved}


def record_forecast(state: State, command: blocks.RecordForecast, emit: Emit) -> Answer | Refusal:
    """Take in what a simulation of the graph gave. Refuses: unknown_site, stale_forecast (the graph has moved on),
    bad_quantity (no scenario; a date at P90 before that at P50), then for milestones and then for blocks
    unknown_milestone or unknown_block, duplicate_id, incomplete_forecast.
    """
    known = state.schedules.get(command.site)
    if known is None:
        return Refusal("unknown_site", f"nothing is planned at a site {command.site}", "site")
    if command.graph != known.graph:
        told = f"the forecast is of version {command.graph} of the graph, which is at {known.graph}"
        return Refusal("stale_forecast", told, "graph")
    if command.scenarios < 1:
        return Refusal("bad_quantity", "a forecast is of one scenario at least", "scenarios")
    given: list[tuple[str, int, int]] = [(m.milestone, m.p50_at, m.p90_at) for m in command.milestones]
    given += [(b.block, b.p50_at, b.p90_at) for b in command.blocks]
    for name, p50_at, p90_at in given:
        if not 0 <= p50_at <= p90_at <= INSTANT_MAX:
            return Refusal("bad_quantity", f"{name}: P90 is before P50, or out of range", "")
    no = _refuse_names(
        [each.id for each in known.plan.milestones],
        [each.milestone for each in command.milestones],
        "unknown_milestone",
    ) or _refuse_names(
        [each.id for each in known.plan.blocks], [each.block for each in command.blocks], "unknown_block"
    )
    if no is not None:
        return no
    recorded = blocks.ForecastRecorded(
        command.site, command.graph, command.source, command.scenarios, command.milestones, command.blocks
    )
    if known.forecast == _forecast(recorded):
        return {"site": command.site, "changed": False}
    emit(recorded)
    return {"site": command.site, "changed": True}


def _refuse_names(planned: Sequence[str], told: Sequence[str], code: str) -> Refusal | None:
    strange, missing = sorted(set(told) - set(planned)), sorted(set(planned) - set(told))
    twice = sorted(name for name, count in Counter(told).items() if count > 1)
    if strange:
        return Refusal(code, f"{strange[0]} is not planned there", "")
    if twice:
        return Refusal("duplicate_id", f"{twice[0]} stands twice in the forecast", "")
    if missing:
        return Refusal("incomplete_forecast", f"the forecast leaves out {missing[0]}", "")
    return None


def _forecast(event: blocks.ForecastRecorded) -> blocks.Forecast:
    return blocks.Forecast(
        event.graph,
        event.source,
        event.scenarios,
        {each.milestone: Quantile(each.p50_at, each.p90_at) for each in event.milestones},
        {each.block: Quantile(each.p50_at, each.p90_at) for each in event.blocks},
    )


def apply_event(state: State, event: Event) -> None:
    """Apply one event about a schedule."""
    match event:
        case blocks.SchedulePlanned():
            known = state.schedules.get(event.plan.site)
            reached = reached_after(known, event.plan)
            made = Schedule(event.plan, 1, {}, reached)
            if known is not None:
                names = {milestone.id for milestone in event.plan.milestones}
                reported = {name: when for name, when in known.reported.items() if name in names}
                made = Schedule(event.plan, known.graph + 1, reported, reached, known.forecast)
            state.schedules[event.plan.site] = made
        case blocks.MilestoneForecast():
            known = state.schedules[event.site]
            reported = known.reported | {event.milestone: event.forecast_at}
            state.schedules[event.site] = replace(known, graph=known.graph + 1, reported=reported)
        case blocks.MilestoneReached():
            known = state.schedules[event.site]
            reached = known.reached | {event.milestone: event.effective_at}
            state.schedules[event.site] = replace(known, graph=known.graph + 1, reached=reached)
        case blocks.ForecastRecorded():
            known = state.schedules[event.site]
            state.schedules[event.site] = replace(known, forecast=_forecast(event))


def arrivals(
    state: State, stands: Stands, outlook: blocks.Outlook | None, confidence: blocks.Confidence
) -> list[blocks.Arrival]:
    """What stands at a site, and what is to come there: nodes by SKU, with their dates at a confidence."""
    found = [
        blocks.Arrival(0, BlockId(""), sku, nodes, 1, _node_w(state.skus[sku]))
        for sku, nodes in stands.nodes.items()
    ]
    if outlook is None:
        return found
    for block in outlook.schedule.plan.blocks:
        left = block.racks - stands.blocks.get(block.id, 0)
        if left:
            sku = state.skus[block.sku]
            at, nodes = outlook.block(block, confidence), left * sku.nodes_per_rack
            found.append(blocks.Arrival(at, block.id, sku.id, nodes, sku.nodes_per_rack, _node_w(sku)))
    return found


def _node_w(sku: plant.Sku) -> int:
    return -(-sku.rack_w // sku.nodes_per_rack)


def overdue(outlook: blocks.Outlook, milestone: MilestoneId, at: int, emit: Emit) -> None:
    """A date has passed and the milestone is not reached: it counts no more. The date by which we reckon takes its
    place, or where it was that one, the one at P90; after that it has none until somebody reports one.
    """
    known = (outlook.dates[milestone], outlook.milestone(milestone, blocks.Confidence.P90))
    forecast_at = next((date for date in known if date > at), INSTANT_MAX)
    emit(blocks.MilestoneForecast(outlook.schedule.plan.site, milestone, forecast_at, "overdue"))


def slip_days(from_at: int, to_at: int) -> int:
    """Whole days between two dates, rounded away from zero: what people call a slip."""
    days = -(-abs(to_at - from_at) // DAY_US)
    return days if to_at >= from_at else -days


def check_schedules(state: State) -> Iterator[str]:
    """What is wrong with the schedules, in words."""
    stand = plant.standing(state)
    for site, schedule in state.schedules.items():
        names = {milestone.id for milestone in schedule.plan.milestones}
        if not set(schedule.reported) | set(schedule.reached) <= names:
            yield f"site {site}: a date is known of a milestone that is not planned"
        here = stand.get(site, Stands()).blocks
        for block in schedule.plan.blocks:
            if here.get(block.id, 0) > block.racks:
                yield f"site {site}: more racks of block {block.id} stand than it has"
