"""Why a gang waits, runs where it runs, or is over: the binding constraint with its number, and an expected start.

Two forms. The operator's names everything: levels, tranches, who is in the way. A tenant's names its own objects only
and calls the rest "other work": nothing in it tells that another tenant exists.
"""

from __future__ import annotations

from typing import Any

from forebay.core import claims, supply, timeline
from forebay.core.ids import Principal, Role
from forebay.core.placements import (
    arrays,
    checkpoints,
    datasets,
    deadlines,
    evictions,
    explain_data,
    explain_place,
    explain_power,
    hosts,
    likely,
    schedule,
    silence,
    turnover,
    upcoming,
    withheld,
)
from forebay.core.placements.foreseen import foreseen_start
from forebay.core.placements.gang import LEVELS, Gang, Level, Order, Phase, Tier
from forebay.core.placements.index import each_node
from forebay.core.placements.queue import Ticket, lane_of
from forebay.core.placements.relaxing import relaxed
from forebay.core.placements.search import Misfit
from forebay.core.placements.sheddings import grace_s
from forebay.core.placements.state import INTERRUPTIONS
from forebay.core.units import SECOND_US, counted

#: What ended or stopped a gang, in words.
REASONS = {
    "completed": "every rank finished",
    "failed": "a rank failed",
    "unstartable": "it could not be started",
    "lost": "the engine lost it",
    "stopped": "it was stopped outside forebay",
    "cancelled": "it was cancelled",
    "walltime": "it reached its limit of time",
    "claim_ended": "the term of its claim is over",
    "claim_started": "the nodes passed to a claim whose term began",
    "maintenance": "its nodes were maintained",
    "curtailed": "there was less power for a while",
    "claim_power": "the power that it drew passed to a claim whose term began",
    "reclaim": "lent capacity went back to its owner",
    "node_failed": "a node failed",
    "quarantine": "a node was quarantined",
    "drain": "a node is being drained",
    "rebound": "its claim was given other nodes",
    "stuck": "it ran and got nowhere",
    "engine_silent": "its engine was silent, and what it ran is over for sure",
    "start_timeout": "the engine did not start it in time",
    "deadline_passed": "it could not start in time",
    "dependency_failed": "it was to come after a gang that did not end as it had to",
    "budget": "the budget of its project was spent",
    "preempted": "a gang of a higher class of its tenant's took its place",
}

INTERRUPTED = "its engine stopped it unasked, or did not start it in time, or it got nowhere"


def explain(desk: schedule.Desk, gang: Gang, principal: Principal) -> dict[str, Any]:
    """Why a gang is where it is: JSON-ready. `principal` may read the gang; only an operator reads the whole form.

    Keys: gang, phase, summary (a sentence), facts (further sentences); when it waits also constraint
    ({code, level, have, need}), ahead (gangs before it), expected_start (microseconds, or None), expected (where run
    times are learned: `likely.outlook`) and would_fit (changes
    after which it would fit now, each alone, and what is short: {change, value, text}).
    """
    whole = principal.role is Role.OPERATOR
    told: dict[str, Any] = {"gang": gang.spec.id, "phase": gang.phase.value}
    if gang.phase is Phase.PENDING:
        waiting = _waiting(desk, gang, whole)
        if (soon := likely.outlook(desk, gang, waiting["constraint"]["code"])) is not None:
            waiting |= {"expected": soon, "facts": [*waiting["facts"], likely.likely_fact(soon)]}
        hold = desk.state.holds.get(gang.spec.id)
        kept = [] if hold is None else [hosts.told_of(hold, timeline.text(hold.until_at))]
        if gang.spec.start_by or gang.spec.finish_by:
            waiting["slack_s"] = deadlines.slack_s(gang, waiting["expected_start"])
            kept.append(deadlines.fact(gang, waiting["expected_start"]))
        if datasets.reads(gang.spec):
            kept += explain_data.data_facts(desk, gang.spec)
        return told | waiting | {"facts": [*waiting["facts"], *kept, *withheld.turn_facts(desk, gang)]}
    if gang.phase is Phase.ENDED:
        return told | {
            "summary": f"It is over: {REASONS.get(gang.reason, gang.reason)}{_no_more(gang)}.",
            "facts": [*_past(gang), *evictions.numbers(desk, gang, gang.reason, whole=whole)],
        }
    return told | _placed(desk, gang, whole)


def _no_more(gang: Gang) -> str:
    over = gang.reason in ("failed", "lost") or gang.reason in INTERRUPTIONS
    return " and no restart was left" if over else ""


def _past(gang: Gang) -> list[str]:
    facts = []
    starts = gang.generation - gang.generation_before
    if starts:
        failed = f"; {_times(gang.failures)} it failed" if gang.failures else ""
        if gang.interruptions:
            failed += f"; {_times(gang.interruptions)} {INTERRUPTED}"
        facts.append(f"It was started {_times(starts)}{failed}.")
    if gang.evidence:
        facts.append(f"The engine saw: {gang.evidence}")
    if gang.phase is Phase.PENDING and gang.reason:
        facts.append(f"Before that it ran and stopped, because {REASONS.get(gang.reason, gang.reason)}.")
    return facts


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _waiting(desk: schedule.Desk, gang: Gang, whole: bool) -> dict[str, Any]:
    spec = gang.spec
    if gang.returns_at:
        summary = f"The nodes it left are wiped and checked until {timeline.text(gang.returns_at)}."
        facts = _past(gang) + evictions.by_rule(desk, gang, whole=whole)
        return _wait("turnover", "", 0, 0, summary, facts, 0, gang.returns_at)
    if gang.not_before > desk.at:
        then = f"is started again at {timeline.text(gang.not_before)}"
        summary = f"It failed {_times(gang.failures)} and {then}."
        if gang.reason in INTERRUPTIONS:
            left = desk.state.policy.interruptions_max - gang.interruptions
            after = f"and {_times(left)} more at most" if left > 0 else "for the last time"
            summary = f"{_times(gang.interruptions).capitalize()} {INTERRUPTED}: it {then}, {after}."
        return _wait("backoff", "", 0, 0, summary, _past(gang), 0, gang.not_before)
    comes_after = arrays.sentence(desk, gang) if spec.after or spec.part is not None else ""
    if comes_after:
        unmet = len(desk.state.chains.waits[spec.id].unmet) if spec.id in desk.state.chains.waits else 0
        code = "dependency" if unmet else "array"
        return _wait(code, "", 0, unmet, comes_after, _past(gang), 0, None)
    if spec.datasets and spec.id in desk.derived.awaiting:
        soon = explain_data.awaited(desk, spec)
        return _wait("data", "", 0, soon.missing, soon.summary, _past(gang), 0, soon.at)
    ahead = _ahead(desk, gang)
    if spec.tier is Tier.DEDICATED:
        tranche = desk.claimed.tranches[spec.tranche]
        if tranche.standing is claims.Standing.SIGNED:
            summary = f"The term of tranche {spec.tranche} begins at {timeline.text(tranche.plan.start_at)}."
            return _wait(
                "claim", spec.tranche, 0, spec.gpus, summary, _past(gang), ahead, tranche.plan.start_at
            )
    barred = desk.derived.queue.barred(gang, desk.state.gangs)
    if barred is not None:
        held = withheld.tell(desk, gang, barred)
        return _wait(*held.constraint, held.summary, [*_past(gang), *held.facts], ahead, held.expected)
    found = schedule.find(desk, gang)
    if isinstance(found, schedule.Fit):
        expected = schedule.expected_start(desk, gang)
        policy = desk.state.policy
        summary = {
            Order.OVERTAKE: f"waits for older work that has waited {policy.overtake_s} s and may not be overtaken.",
            Order.FIFO: "waits its turn: nobody goes before older work.",
            Order.EASY: "waits: it could still run when older work is promised its start.",
            Order.EASY_DEPTH: f"waits: older work is promised its start, or {policy.depth} others come before it.",
            Order.CONSERVATIVE: "waits: it could still run when older work is to start.",
        }[policy.order]
        summary = f"It would fit, and {summary}"
        return _wait("queue", "", ahead, 0, summary, _past(gang), ahead, expected)
    expected = foreseen_start(desk, gang)
    turn_at = desk.derived.ends.turn_at if desk.derived.ends.watched else 0
    if spec.tier is not Tier.DEDICATED and (expected is None or expected >= turn_at):
        # Where it fits before anything changes hands, what it waits for is no term.
        small = schedule.too_small_until(desk, gang)
        if small is not None:
            past = evictions.by_rule(desk, gang, whole=whole)
            return _too_small(gang, small, past, whole, ahead, expected)
    facts = _past(gang) + evictions.by_rule(desk, gang, whole=whole)
    facts += explain_power.shed_facts(desk, gang, whole)
    known = desk.state.campaigns.values()
    facts += upcoming.kept_clear(known, desk.derived.index, spec, desk.at, whole=whole)
    owner = desk.claimed.tranches.get(spec.tranche)
    places = schedule.sites_for(desk, spec) if owner is None else [owner.plan.site]
    facts += silence.site_facts(desk, places, whole=whole)
    facts += explain_power.level_facts(desk, gang, found, whole) + _in_the_way(desk, gang, found, whole)
    own = spec.tier is Tier.DEDICATED and found.constraint not in explain_power.OF_LEVELS
    level = found.level if whole or own else ""
    if spec.skus:
        others = ", ".join(f"{each.gpus} of {each.sku}" for each in spec.skus[1:])
        facts.append(f"It would also take {others}, for which there is no room either.")
    told = _wait(
        found.constraint, level, found.have, found.need, _sentence(gang, found, whole), facts, ahead, expected
    )
    return told | {"would_fit": relaxed(desk, gang, found, whole)}


def _too_small(
    gang: Gang, small: schedule.TooSmall, past: list[str], whole: bool, ahead: int, expected: int | None
) -> dict[str, Any]:
    """Nothing that ends or is repaired makes room: only the end of a term does."""
    from_ = timeline.text(small.at)
    summary = f"There is no room for it before {from_}: until then what could hold it belongs to other work."
    if whole:
        summary = f"The pool cannot hold it before {from_}, when the term of tranche {small.tranche} ends."
    facts = [*_past(gang), *past, f"If nothing ran: {_sentence(gang, small.misfit, whole)}"]
    level = small.tranche if whole else ""
    have, need = small.misfit.have, small.misfit.need
    return _wait("pool", level, have, need, summary, facts, ahead, expected)


NEAR = {
    Level.SITE: "at one site",
    Level.HALL: "in one hall",
    Level.ROW: "in one row",
    Level.BLOCK: "in one block",
    Level.RACK: "in one rack",
}


def _wait(
    code: str,
    level: str,
    have: int,
    need: int,
    summary: str,
    facts: list[str],
    ahead: int,
    expected: int | None,
) -> dict[str, Any]:
    return {
        "summary": summary,
        "facts": facts,
        "constraint": {"code": code, "level": level, "have": have, "need": need},
        "ahead": ahead,
        "expected_start": expected,
        "would_fit": [],
    }


def _sentence(gang: Gang, misfit: Misfit, whole: bool) -> str:
    """The binding constraint with its number."""
    spec = gang.spec
    where = f"tranche {spec.tranche}" if spec.tier is Tier.DEDICATED else "the pool"
    match misfit.constraint:
        case "power":
            level = misfit.level if whole else "the power supply there"
            return f"Power: {level} has {misfit.have} W of headroom, the next node needs {misfit.need} W."
        case "cooling":
            return explain_power.cooling_sentence(misfit, whole)
        case "nodes":
            near = NEAR.get(spec.within, "near enough")
            needed = f"{counted(misfit.need, 'wholly free node')} {near} {'is' if misfit.need == 1 else 'are'} needed"
            return f"Nodes: {needed}, {where} has {misfit.have}."
        case "slices":
            needed = f"{counted(misfit.need, 'slice')} of {spec.slice_gpus} GPUs {NEAR[spec.within]}"
            return f"Slices: {needed}, each in one rack, are needed; {where} has room for {misfit.have}."
        case _ if misfit.level and not misfit.have:
            are = "is" if misfit.need == 1 else "are"
            return f"GPUs: {counted(misfit.need, 'GPU')} of {spec.sku} {are} needed, {where} has none free."
        case _:
            needed = f"{counted(misfit.need, 'free GPU')} of {spec.sku} on one node"
            return f"GPUs: {needed} {'is' if misfit.need == 1 else 'are'} needed, {where} has {misfit.have}."


def _ahead(desk: schedule.Desk, gang: Gang) -> int:
    """Gangs of the same lane that come first."""
    mine = Ticket(desk.derived.queue.rank(gang), gang.order, gang.spec.id, gang.generation)
    waiting = desk.derived.queue.waiting(lane_of(gang.spec), desk.state.gangs)
    return sum(1 for entry in waiting if entry < mine)


def _in_the_way(desk: schedule.Desk, gang: Gang, misfit: Misfit, whole: bool) -> list[str]:
    """What holds the capacity that the gang could have."""
    spec, known = gang.spec, desk.state.gangs
    facts = []
    lent = sorted(desk.derived.lent.get(spec.tranche, ())) if spec.tranche else []
    coming_back = [
        known[name] for name in lent if known[name].phase is Phase.STOPPING or known[name].returns_at
    ]
    if coming_back:
        lending = desk.claimed.tranches[spec.tranche].plan.lending
        within = f" within {lending.reclaim_deadline_s} s" if lending is not None else ""
        names = ", ".join(sorted(other.spec.id for other in coming_back)) if whole else "other work"
        facts.append(f"Lent capacity was called back from {names}; it returns{within}.")
    if spec.tier is Tier.SPOT:
        facts += _not_lent(desk, gang, whole)
    mine = desk.derived.queue.row(spec).shape
    head = desk.derived.queue.head(lane_of(spec), mine, known)
    if head is not None and head.gang != spec.id:
        first = head.gang if whole or known[head.gang].spec.tenant == spec.tenant else "other work"
        facts.append(f"Before it in the queue, with the same shape: {first}.")
    index = desk.derived.index
    if whole and spec.tier is not Tier.DEDICATED and misfit.constraint in explain_power.OF_LEVELS:
        level = index.plant.level_name.index(misfit.level)
        load_w, kept_w = index.load_w[level], index.reserved_w[level]
        if kept_w:
            facts.append(f"Of {misfit.level}, {load_w} W are drawn and {kept_w} W more reserved for claims.")
    out = [*desk.supplied.failed, *desk.supplied.cordoned]
    if whole and out:
        names = ", ".join(supply.node_name(desk.supplied, node) for node in sorted(set(out))[:8])
        facts.append(f"Out of service: {names}.")
    return facts


def _not_lent(desk: schedule.Desk, gang: Gang, whole: bool) -> list[str]:
    """Idle capacity that would be lent, were the borrower gone sooner."""
    takes = turnover.away(gang.spec, desk.state.policy)
    facts = []
    for name, tranche in desk.claimed.tranches.items():
        lending = tranche.plan.lending
        if (
            tranche.standing is not claims.Standing.LIVE
            or tranche.plan.sku != gang.spec.sku
            or lending is None
        ):
            continue
        if takes.total_s > lending.reclaim_deadline_s:
            who = f"tranche {name}" if whole else "other work"
            facts.append(
                f"Idle capacity of {who} is lent to who can be gone in {lending.reclaim_deadline_s} s; "
                f"this gang takes up to {takes.total_s} s ({takes.told()})."
            )
    return facts


def _placed(desk: schedule.Desk, gang: Gang, whole: bool) -> dict[str, Any]:
    spec = gang.spec
    nodes = [supply.node_name(desk.supplied, node) for node, _ in each_node(gang.runs)]
    racks = {supply.rack_of(desk.supplied, node).id for node, _ in each_node(gang.runs)}
    by_right = {
        Tier.DEDICATED: f"on its own tranche {spec.tranche}",
        Tier.ON_DEMAND: "on demand, on the pool",
        Tier.SPOT: "on spot, on idle capacity" if gang.lender else "on spot, on the pool",
    }[spec.tier]
    if gang.lender and whole:
        by_right = f"on spot, lent by tranche {gang.lender}"
    count = f"{counted(len(nodes), 'node')} in {counted(len(racks), 'rack')}"
    facts = [
        f"Nodes: {', '.join(nodes[:16])}{' ...' if len(nodes) > 16 else ''}.",
        "Chosen by best fit: the fullest nodes and the tightest rack that hold it, under every power limit.",
        *_passed_over(desk, gang, len(racks)),
        *explain_data.placed_facts(desk, gang),
    ]
    last = desk.state.progress.get(spec.id)
    if last is not None and last.generation == gang.generation:
        word = "It is stuck: no progress was reported" if last.stuck else "The last progress was reported"
        facts.append(f"{word}{' since' * last.stuck} {timeline.text(last.at)} (mark {last.mark}).")
    if spec.skus and spec.sku != spec.skus[0].sku:
        first = spec.skus[0]
        facts.append(f"It asked for {first.gpus} of {first.sku} first, and got {spec.gpus} of {spec.sku}.")
    facts += silence.gang_facts(desk, gang, whole=whole)
    starts = gang.generation - gang.generation_before
    if starts > 1:
        interrupted = f", and {_times(gang.interruptions)} {INTERRUPTED}" if gang.interruptions else ""
        facts.append(f"This is start {starts}; {gang.failures} failed before{interrupted}.")
    facts += evictions.on_loan(desk, gang)
    if gang.phase is Phase.STOPPING:
        told = evictions.by_rule(desk, gang, whole=whole)
        facts += told or evictions.numbers(desk, gang, gang.reason, whole=whole)
        facts += withheld.taken_facts(desk, gang)
        then = "goes back to the queue" if gang.again else "is over"
        grace = grace_s(desk.state.shed, spec.id, spec.grace_s)
        kill_at = timeline.text(gang.stopping_at + grace * SECOND_US)
        why = REASONS.get(gang.reason, gang.reason)
        summary = f"It is stopping, because {why}; it is killed at {kill_at} at the latest, then it {then}."
        facts += _lost(desk, gang)
        facts += explain_power.shed_facts(desk, gang, whole)
        return {"summary": summary, "facts": facts}
    word = "runs" if gang.phase is Phase.RUNNING else "is being started"
    summary = f"It {word} {by_right}: {counted(spec.gpus, 'GPU')} on {count}."
    there = explain_place.why_there(desk, gang, _reached(desk, gang, len(racks)), whole=whole)
    facts += [*there.pop("facts"), *evictions.before_this_start(desk, gang, whole=whole)]
    return {"summary": summary, "facts": facts, "why_there": there}


def _passed_over(desk: schedule.Desk, gang: Gang, racks: int) -> list[str]:
    """What it would rather have had, and did not get."""
    spec, facts = gang.spec, []
    if spec.sites and gang.site != spec.sites[0] and not datasets.reads(spec):
        before = ", ".join(spec.sites[: spec.sites.index(gang.site)])
        facts.append(f"It is at {gang.site}: when it was placed, there was no room for it at {before}.")
    if gang.lender:
        facts.append("The pool had no room for it when it was placed: so it borrows.")
    if LEVELS.index(spec.near) < LEVELS.index(spec.within):
        reached = _reached(desk, gang, racks)
        if LEVELS.index(reached) <= LEVELS.index(spec.near):
            facts.append(f"It lies within one {reached}, as near as it asked to.")
        else:
            facts.append(f"It lies within one {reached}: no {spec.near} had room for it when it was placed.")
    return facts


def _reached(desk: schedule.Desk, gang: Gang, racks: int) -> Level:
    """The nearest level within one of which a gang lies."""
    if racks == 1:
        return Level.NODE if len(each_node(gang.runs)) == 1 else Level.RACK
    plant = desk.derived.index.plant
    groups = [plant.groups_of_rack[plant.rack_of_node[node]] for node, _ in each_node(gang.runs)]
    if len({row for row, *_ in groups}) == 1:
        return Level.ROW
    if len({(*block, row)[0] for row, _, *block in groups}) == 1:
        return Level.BLOCK
    return Level.HALL if len({hall for _, hall, *_ in groups}) == 1 else Level.SITE


def _lost(desk: schedule.Desk, gang: Gang) -> list[str]:
    """What is done again, where it goes back to the queue: what it did since its last checkpoint."""
    if not gang.again or not gang.started_at:
        return []
    reported = desk.state.lending.checkpoints.get(gang.spec.id)
    lost_s = checkpoints.lost_gpu_us(gang, reported, gang.stopping_at) // SECOND_US
    lost = f"{lost_s} GPU-seconds when it was asked to stop"
    if not gang.spec.checkpoint_s and reported is None:
        return [f"It makes no checkpoints: what it did since its start is lost, {lost}."]
    every = f" (one every {gang.spec.checkpoint_s} s)" if reported is None else ""
    return [
        f"What it did since its last checkpoint{every} is lost, {lost}, unless it makes one in its grace."
    ]
