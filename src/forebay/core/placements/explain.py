"""Why a gang waits, runs where it runs, or is over: the binding constraint with its number, and an expected start.

Two forms. The operator's names everything: levels, tranches, who is in the way. A tenant's names its own objects only
and calls the rest "other work": nothing in it tells that another tenant exists.
"""

from __future__ import annotations

from typing import Any

from forebay.core import claims, supply, timeline
from forebay.core.ids import Principal, Role
from forebay.core.placements import schedule
from forebay.core.placements.gang import Gang, Level, Order, Phase, Tier
from forebay.core.placements.index import each_node
from forebay.core.placements.queue import Ticket, lane_of, shape_of
from forebay.core.placements.search import Misfit
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
    "claim_power": "the power that it drew passed to a claim whose term began",
    "reclaim": "lent capacity went back to its owner",
    "node_failed": "a node failed",
    "drain": "a node is being drained",
    "rebound": "its claim was given other nodes",
    "start_timeout": "the engine did not start it in time",
}

INTERRUPTED = "its engine stopped it unasked, or did not start it in time"


def explain(desk: schedule.Desk, gang: Gang, principal: Principal) -> dict[str, Any]:
    """Why a gang is where it is: JSON-ready. `principal` may read the gang; only an operator reads the whole form.

    Keys: gang, phase, summary (a sentence), facts (further sentences); when it waits also constraint
    ({code, level, have, need}), ahead (gangs before it) and expected_start (microseconds, or None).
    """
    whole = principal.role is Role.OPERATOR
    told: dict[str, Any] = {"gang": gang.spec.id, "phase": gang.phase.value}
    if gang.phase is Phase.PENDING:
        return told | _waiting(desk, gang, whole)
    if gang.phase is Phase.ENDED:
        return told | {
            "summary": f"It is over: {REASONS.get(gang.reason, gang.reason)}{_no_more(gang)}.",
            "facts": _past(gang),
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
        return _wait("turnover", "", 0, 0, summary, _past(gang), 0, gang.returns_at)
    if gang.not_before > desk.at:
        then = f"is started again at {timeline.text(gang.not_before)}"
        summary = f"It failed {_times(gang.failures)} and {then}."
        if gang.reason in INTERRUPTIONS:
            left = desk.state.policy.interruptions_max - gang.interruptions
            after = f"and {_times(left)} more at most" if left > 0 else "for the last time"
            summary = f"{_times(gang.interruptions).capitalize()} {INTERRUPTED}: it {then}, {after}."
        return _wait("backoff", "", 0, 0, summary, _past(gang), 0, gang.not_before)
    ahead = _ahead(desk, gang)
    if spec.tier is Tier.DEDICATED:
        tranche = desk.claimed.tranches[spec.tranche]
        if tranche.standing is claims.Standing.SIGNED:
            summary = f"The term of tranche {spec.tranche} begins at {timeline.text(tranche.plan.start_at)}."
            return _wait(
                "claim", spec.tranche, 0, spec.gpus, summary, _past(gang), ahead, tranche.plan.start_at
            )
    found = schedule.find(desk, gang)
    expected = schedule.expected_start(desk, gang)
    if isinstance(found, schedule.Fit):
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
    if spec.tier is not Tier.DEDICATED:
        small = schedule.too_small_until(desk, gang)
        if small is not None:
            return _too_small(gang, small, whole, ahead, expected)
    facts = _past(gang) + _in_the_way(desk, gang, found, whole)
    level = found.level if whole or (spec.tier is Tier.DEDICATED and found.constraint != "power") else ""
    return _wait(
        found.constraint, level, found.have, found.need, _sentence(gang, found, whole), facts, ahead, expected
    )


def _too_small(
    gang: Gang, small: schedule.TooSmall, whole: bool, ahead: int, expected: int | None
) -> dict[str, Any]:
    """Nothing that ends or is repaired makes room: only the end of a term does."""
    from_ = timeline.text(small.at)
    summary = f"There is no room for it before {from_}: until then what could hold it belongs to other work."
    if whole:
        summary = f"The pool cannot hold it before {from_}, when the term of tranche {small.tranche} ends."
    facts = [*_past(gang), f"If nothing ran: {_sentence(gang, small.misfit, whole)}"]
    level = small.tranche if whole else ""
    have, need = small.misfit.have, small.misfit.need
    return _wait("pool", level, have, need, summary, facts, ahead, expected)


NEAR = {
    Level.SITE: "at one site",
    Level.HALL: "in one hall",
    Level.ROW: "in one row",
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
    }


def _sentence(gang: Gang, misfit: Misfit, whole: bool) -> str:
    """The binding constraint with its number."""
    spec = gang.spec
    where = f"tranche {spec.tranche}" if spec.tier is Tier.DEDICATED else "the pool"
    match misfit.constraint:
        case "power":
            level = misfit.level if whole else "the power supply there"
            return f"Power: {level} has {misfit.have} W of headroom, the next node needs {misfit.need} W."
        case "nodes":
            near = NEAR.get(spec.within, "near enough")
            needed = f"{counted(misfit.need, 'wholly free node')} {near} {'is' if misfit.need == 1 else 'are'} needed"
            return f"Nodes: {needed}, {where} has {misfit.have}."
        case "slices":
            needed = f"{counted(misfit.need, 'slice')} of {spec.slice_gpus} GPUs {NEAR[spec.within]}"
            return f"Slices: {needed}, each in one rack, are needed; {where} has room for {misfit.have}."
        case _:
            needed = f"{counted(misfit.need, 'free GPU')} of {spec.sku} on one node"
            return f"GPUs: {needed} {'is' if misfit.need == 1 else 'are'} needed, {where} has {misfit.have}."


def _ahead(desk: schedule.Desk, gang: Gang) -> int:
    """Gangs of the same lane that come first."""
    mine = Ticket(0 if gang.front else 1, gang.order, gang.spec.id, gang.generation)
    waiting = desk.derived.queue.waiting(lane_of(gang.spec), desk.state.gangs)
    return sum(1 for entry in waiting if entry < mine)


def _in_the_way(desk: schedule.Desk, gang: Gang, misfit: Misfit, whole: bool) -> list[str]:
    """What holds the capacity that the gang could have."""
    spec, known = gang.spec, desk.state.gangs
    facts = []
    coming_back = [
        other
        for other in known.values()
        if spec.tranche
        and other.lender == spec.tranche
        and (other.phase is Phase.STOPPING or other.returns_at)
    ]
    if coming_back:
        lending = desk.claimed.tranches[spec.tranche].plan.lending
        within = f" within {lending.reclaim_deadline_s} s" if lending is not None else ""
        names = ", ".join(sorted(other.spec.id for other in coming_back)) if whole else "other work"
        facts.append(f"Lent capacity was called back from {names}; it returns{within}.")
    if spec.tier is Tier.SPOT:
        facts += _not_lent(desk, gang, whole)
    mine = shape_of(spec)
    head = desk.derived.queue.head(lane_of(spec), mine, known)
    if head is not None and head.gang != spec.id:
        first = head.gang if whole or known[head.gang].spec.tenant == spec.tenant else "other work"
        facts.append(f"Before it in the queue, with the same shape: {first}.")
    index = desk.derived.index
    if whole and spec.tier is not Tier.DEDICATED and misfit.constraint == "power":
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
    away_s = gang.spec.grace_s + desk.state.policy.turnover_s
    facts = []
    for name, tranche in desk.claimed.tranches.items():
        lending = tranche.plan.lending
        if (
            tranche.standing is not claims.Standing.LIVE
            or tranche.plan.sku != gang.spec.sku
            or lending is None
        ):
            continue
        if away_s > lending.reclaim_deadline_s:
            who = f"tranche {name}" if whole else "other work"
            facts.append(
                f"Idle capacity of {who} is lent to who can be gone in {lending.reclaim_deadline_s} s; "
                f"this gang takes up to {away_s} s (its grace, and the wiping)."
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
    ]
    starts = gang.generation - gang.generation_before
    if starts > 1:
        interrupted = f", and {_times(gang.interruptions)} {INTERRUPTED}" if gang.interruptions else ""
        facts.append(f"This is start {starts}; {gang.failures} failed before{interrupted}.")
    if gang.phase is Phase.STOPPING:
        then = "goes back to the queue" if gang.again else "is over"
        kill_at = timeline.text(gang.stopping_at + spec.grace_s * SECOND_US)
        why = REASONS.get(gang.reason, gang.reason)
        summary = f"It is stopping, because {why}; it is killed at {kill_at} at the latest, then it {then}."
    else:
        word = "runs" if gang.phase is Phase.RUNNING else "is being started"
        summary = f"It {word} {by_right}: {counted(spec.gpus, 'GPU')} on {count}."
    return {"summary": summary, "facts": facts}
