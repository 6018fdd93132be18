"""Why does a gang wait for power or cooling, or why was it stopped for it, in sentences?

The operator's form names levels and curtailments. A tenant's tells what happens to its own work and until when, and
no name of what it hangs on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from forebay.core import timeline
from forebay.core.placements.gang import Gang, Phase, Tier
from forebay.core.placements.search import Misfit
from forebay.core.placements.sheddings import Shed
from forebay.core.supply import Curtailment, curtailments
from forebay.core.timeline import INSTANT_MAX

if TYPE_CHECKING:
    from forebay.core.placements.schedule import Desk

#: What is looked at level by level.
OF_LEVELS = frozenset({"power", "cooling"})


def shed_facts(desk: Desk, gang: Gang, whole: bool) -> list[str]:
    """By what rule and curtailment a gang was stopped, and what stands before it in the restore queue."""
    shed = desk.state.shed.get(gang.spec.id)
    if shed is None:
        return []
    what = _named(desk, shed) if whole else "a curtailment"
    told = f"It was shed under {what}: {_rule(gang, shed, whole)}. It had {shed.grace_s} s to save its work"
    asked_s = gang.spec.grace_s
    facts = [f"{told}, of the {asked_s} s that it asks for." if shed.grace_s < asked_s else f"{told}."]
    if gang.phase is Phase.PENDING:
        facts.append("It comes back from the restore queue, before work that has not run.")
    return facts


def _named(desk: Desk, shed: Shed) -> str:
    if not shed.curtailment:
        return f"what {shed.level.told()} can take"
    known = desk.supplied.curtailments.get(shed.curtailment)
    why = f", {known.reason}" if known is not None and known.reason else ""
    return f"curtailment {shed.curtailment} of {shed.level.told()}{why}"


def _rule(gang: Gang, shed: Shed, whole: bool) -> str:
    if shed.for_gang:
        whom = shed.for_gang if whole else "other work"
        return f"its power went to {whom}, which runs on its own claim"
    if gang.lender:
        return "after spot on the pool what runs on lent capacity goes, the latest placed first"
    return {
        Tier.SPOT: "spot on the pool goes first, the latest placed before the rest",
        Tier.ON_DEMAND: "after spot and loans on demand goes, the latest placed first",
        Tier.DEDICATED: "claims go last, in contract order, and of each the latest placed first",
    }[gang.spec.tier]


def level_facts(desk: Desk, gang: Gang, misfit: Misfit, whole: bool) -> list[str]:
    """What holds down the level that has too little for a gang, and until when."""
    if misfit.constraint not in OF_LEVELS:
        return []
    index = desk.derived.index
    number = index.plant.level_name.index(misfit.level)
    what = misfit.level if whole else "The power supply there"
    what = what[0].upper() + what[1:]
    facts = []
    for each in desk.supplied.curtailments.values():
        if index.level_of(each.level) != number:
            continue
        if each.begun:
            limits = f"{index.limit_w[number]} W instead of {index.plant.level_limit_w[number]} W"
            may = f"may carry {limits}" if whole else "is curtailed"
            facts.append(f"{what} {may} {_until(each)}{_by(each, whole)}.")
        else:
            at = timeline.text(each.start_at)
            limit_w = curtailments.lowered(index.plant.level_limit_w[number], [each])
            may = f"may carry only {limit_w} W" if whole else "is curtailed"
            facts.append(f"From {at} {what[0].lower()}{what[1:]} {may} {_until(each)}{_by(each, whole)}.")
    feed = next((name for name, level in index.plant.level_of_feed.items() if level == number), "")
    paid_at = next((at for name, at in desk.state.ramps.items() if name == feed), 0)
    if paid_at > desk.at:
        rate = desk.state.policy.ramp_w_per_minute
        first = (desk.derived.bounds.held or {}).get(number, gang.spec.id)
        who = first if whole else "other work"
        behind = "" if first == gang.spec.id else f", and {who} comes first"
        fast = f"no more than {rate} W a minute" if whole else "load only so fast"
        paid = timeline.text(paid_at)
        facts.append(f"{what} takes on {fast}: what it took on is paid off at {paid}{behind}.")
    return facts


def _until(each: Curtailment) -> str:
    return "until that is lifted" if each.end_at >= INSTANT_MAX else f"until {timeline.text(each.end_at)}"


def _by(each: Curtailment, whole: bool) -> str:
    if not whole:
        return ""
    return f" (curtailment {each.id}{f', {each.reason}' if each.reason else ''})"


def cooling_sentence(misfit: Misfit, whole: bool) -> str:
    """The number of a loop that has too little."""
    level = misfit.level if whole else "the cooling there"
    return f"Cooling: {level} takes {misfit.have} W of heat more, the next node gives {misfit.need} W."
