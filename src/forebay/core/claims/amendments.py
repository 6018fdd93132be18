"""Is a new version of a signed contract taken on? What it may not change is refused by name; then what it takes more.

An amendment is the whole text again, with the next version and the date from which on it holds: its signature, a date
to come, or the beginning of the open billing period. What it promises is checked like any other sale, as far as it is
more than was promised before: fewer racks, an earlier end or another price need nobody's leave.

A tranche whose term begins before that date keeps its place, its kind of rack and what was due by then; parts, price,
end and terms may change. One that begins later may be restated, all but its name. What stands in the text stays in
it: a tranche is ended by its end. What a right may change, and that it may be withdrawn, `regrants` says.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from forebay.core import supply, timeline
from forebay.core.claims import (
    binding,
    choosing,
    clauses,
    contracts,
    contradicting,
    cutover,
    energy,
    exercise,
    fitting,
    inforce,
    lateness,
    nomination,
    overlays,
    prices,
    refusals,
    regrants,
    rights,
    scopes,
    signing,
    versions,
)
from forebay.core.claims import calendar as calendars
from forebay.core.claims.acceptance import PartLife
from forebay.core.claims.calendar import Calendar, Stock
from forebay.core.claims.contracts import Standing, State, Tranche
from forebay.core.claims.refusals import Sale
from forebay.core.claims.rights import RightKind, RightPlan
from forebay.core.claims.terms import ContractPlan, TranchePlan
from forebay.core.ids import Answer, ContractId, HoldId, Refusal, TenantId, TrancheId, refuse_name
from forebay.core.supply import Emit
from forebay.core.timeline import INSTANT_MAX, Dues, Steps
from forebay.core.units import decimal_text


class _Changed(NamedTuple):
    """A tranche that an amendment changes or adds: its place in the text, and how it was."""

    place: int
    old: Tranche | None
    #: With what holds before the amendment takes effect.
    new: TranchePlan


class NewVersion(NamedTuple):
    """A new version that may be signed by its text."""

    #: As it stands, with a site and a SKU for each tranche.
    plan: ContractPlan
    event: versions.ContractAmended
    changed: list[_Changed]
    #: Where else tranches that leave a choice were tried.
    choice: choosing.Choice


def is_amendment(state: State, plan: ContractPlan) -> bool:
    """Whether this is another version of a contract that is signed, and not one that was."""
    known = state.versions.get(plan.id, ())
    return bool(known) and all(each.plan.version != plan.version for each in known)


def amend(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    command: contracts.SignContract,
    open_since: int,
    at: int,
    emit: Emit,
) -> Answer | Refusal:
    """Sign a new version. `open_since` is when the open billing period began.

    Refuses, in this order: policy_version; contract_version (versions follow one after the other); bad_effective
    (before the version before it, or in the past); not_amendable (seller, tenant, currency, a tranche that is
    missing, what `regrants.refuse_regrant` refuses, a cap that is missing, or below what was drawn);
    opened_already, signed_already (an opening that is not as it was); for each tranche in turn what it may not
    change (not_amendable), bad_term (it begins, or ends, before the amendment holds), and what `signing.sign`
    refuses of a tranche; bad_relief (of the contract); what `contradicting.refuse_shortfall`,
    `clauses.refuse_remedies` and `clauses.refuse_payments` refuse; unknown_hold, other_currency; what
    `exercise.refuse_rights` refuses, bad_term (a right is over before it may be used), bad_scope (one that is added
    is over nothing, by `scopes.refuse_empty`; a termination has lost its longstop); first_refusal; what
    `contradicting.refuse_contradicting` and `contradicting.refuse_unsettled` refuse; and, unless that is
    overridden, oversold, no_whole_racks, no_power, as far as it takes more than before.
    """
    no = signing.refuse_policy(state, command)
    if no is not None:
        return no
    hold = state.holds.get(command.hold) if command.hold else None
    decided = decide(state, supplied, calendar, command, hold, open_since, at)
    if isinstance(decided, Refusal):
        return decided
    plan, event, changed, choice = decided
    granted = [*event.rights, *event.regranted]
    sales = _sales(supplied, changed, at)
    sales += refusals.granted(
        state, supplied, regrants.as_stated(state.rights, plan, granted), at, state.rights
    )
    no = refusals.refuse_unoffered(state, calendar, plan.tenant, sales, hold, at)
    no = no or contradicting.refuse_contradicting(
        state, calendar, command.plan, plan, max(event.effective_at, at)
    )
    last = state.versions[plan.id][-1].plan
    unsettled = [each.new.id for each in changed] + contradicting.said_otherwise(last, command.plan)
    no = no or contradicting.refuse_unsettled(state, command.plan, unsettled)
    if no is not None:
        return choosing.every_place(no, choice)
    no = overlays.refuse_below_floor(state, plan)
    no = no or _refuse_oversold(state, supplied, calendar, event, changed, hold, at)
    no = no or _refuse_unbindable(state, supplied, calendar, plan, changed, at)
    if no is not None and not command.override:
        return choosing.every_place(no, choice)
    if hold is not None:
        emit(contracts.HoldReleased(hold.id, hold.site, hold.sku, f"signed: {plan.id}"))
    _emit_amended(
        state, supplied, calendar, replace(event, override=command.override if no else ""), changed, at, emit
    )
    return {
        "contract": plan.id, "signed": True, "tranches": {}, "version": plan.version,
        "effective_at": event.effective_at,
    }  # fmt: skip


def decide(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    command: contracts.SignContract,
    hold: contracts.Hold | None,
    open_since: int,
    at: int,
    *,
    theirs: bool = False,
) -> NewVersion | Refusal:
    """What a new version comes to by its text, before anybody asks whether there is enough for it. Refuses what
    `amend` does up to first_refusal. `theirs`: what its seller builds is not known here.
    """
    plan, last = command.plan, state.versions[command.plan.id][-1]
    effective_at = plan.effective_at or at
    no = _refuse_version(last, plan, effective_at, open_since, at) or _refuse_kept(state, last.plan, plan)
    no = no or cutover.refuse_reopening(last.plan, state, command.opening)
    changed = [] if no else _changed(state, supplied, last.plan, plan, effective_at, at)
    no = no or (changed if isinstance(changed, Refusal) else None)
    no = no or lateness.refuse_relief(plan.relief, "relief") or contradicting.refuse_shortfall(state, plan)
    no = no or clauses.refuse_remedies(plan) or clauses.refuse_payments(supplied, plan, theirs=theirs)
    no = no or energy.refuse_energy(plan.energy, state.indices)
    choice = choosing.Choice(plan, ())
    if no is None and command.hold:
        no = signing.refuse_hold(replace(command, opening=None), hold)
    if no is None and not isinstance(changed, Refusal):
        changed, choice = _placed(state, supplied, calendar, plan, changed, hold, at)
        plan = _as_it_stands(state, plan, changed)
    granted = regrants.granted_anew(last.plan, plan, effective_at if effective_at > at else 0)
    no = no or _refuse_granted(state, supplied, plan, granted, at)
    if no is not None:
        return no
    assert isinstance(changed, list)
    event = versions.ContractAmended(
        command.plan, effective_at, tuple(each.new for each in changed),
        tuple(each for each in granted if each.id not in state.rights), state.policy.version,
        overlays.confidence_for(state, plan.id), "",
        tuple(each for each in granted if each.id in state.rights), regrants.withdrawn(last.plan, plan),
    )  # fmt: skip
    return NewVersion(plan, event, changed, choice)


def _emit_amended(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    event: versions.ContractAmended,
    changed: list[_Changed],
    at: int,
    emit: Emit,
) -> None:
    for each in changed:
        # What is yet to begin is bound anew, as it is promised now.
        if each.old is not None and each.old.standing is Standing.SIGNED and each.old.runs:
            emit(contracts.TrancheUnbound(each.new.id))
    emit(event)
    for each in changed:
        if each.old is not None and each.old.standing is Standing.LIVE:
            live = state.tranches[each.new.id]
            for name in binding.that_make_room(state, supplied, calendar, live, live.runs):
                emit(contracts.TrancheUnbound(name))
    if event.effective_at <= at:
        emit(contracts.taking_effect(state, event.plan.id, event.plan.version))
        for withdrawn in event.withdrawn:
            emit(rights.RightLapsed(withdrawn, HoldId(""), 0))
    for each in changed:
        if state.tranches[each.new.id].standing is Standing.SIGNED and each.new.start_at <= at:
            emit(contracts.TrancheStarted(each.new.id))


# What an amendment may be.


def _refuse_version(
    last: versions.Version, plan: ContractPlan, effective_at: int, open_since: int, at: int
) -> Refusal | None:
    if plan.version != last.plan.version + 1:
        told = f"contract {plan.id} is signed in version {last.plan.version}: the next is {last.plan.version + 1}"
        return Refusal("contract_version", told, "version")
    if effective_at < last.effective_at:
        told = (
            f"contract {plan.id}: version {last.plan.version} holds from {timeline.text(last.effective_at)} on, and "
            f"the next from then or later"
        )
        return Refusal("bad_effective", told, "effective_at")
    if (effective_at < at and effective_at != open_since) or effective_at > INSTANT_MAX:
        told = (
            f"contract {plan.id}: a version holds from its signature, from a date to come, or from the beginning of "
            f"the open billing period, {timeline.text(open_since)}, on"
        )
        return Refusal("bad_effective", told, "effective_at")
    return None


def _not(plan: ContractPlan, what: str, where: str) -> Refusal:
    return Refusal("not_amendable", f"contract {plan.id}: {what}", where)


def _refuse_kept(state: State, last: ContractPlan, plan: ContractPlan) -> Refusal | None:
    """What stands in every version of a contract."""
    for name in ("seller", "tenant", "currency"):
        if getattr(plan, name) != getattr(last, name):
            return _not(plan, f"its {name} is {getattr(last, name)} in every version", name)
    stated = {tranche.id for tranche in plan.tranches}
    for tranche in last.tranches:
        if tranche.id not in stated:
            return _not(plan, f"tranche {tranche.id} is missing; it is ended by its end", "tranches")
    no = regrants.refuse_regrant(state.rights, last.rights, plan.rights)
    if no is not None:
        return no
    caps = {cap.id: (place, cap) for place, cap in enumerate(plan.caps)}
    for cap in last.caps:
        if cap.id not in caps:
            return _not(plan, f"cap {cap.id} is missing", "caps")
        place, new_cap = caps[cap.id]
        drawn = state.drawn.get((plan.id, cap.id), 0)
        if new_cap.micros < drawn:
            return _not(plan, f"{decimal_text(drawn)} is drawn on cap {cap.id}", f"caps[{place}].micros")
    return None


def _changed(
    state: State, supplied: supply.State, last: ContractPlan, plan: ContractPlan, effective_at: int, at: int
) -> list[_Changed] | Refusal:
    """The tranches that a new version changes or adds."""
    before = {tranche.id: tranche for tranche in last.tranches}
    since = max(effective_at, at)
    seen: set[TrancheId] = set()
    found: list[_Changed] = []
    for place, new in enumerate(plan.tranches):
        where = f"tranches[{place}]"
        old = state.tranches.get(new.id)
        if new.id in seen or (old is not None and old.contract != plan.id):
            return Refusal("duplicate_id", f"tranche {new.id} exists already", f"{where}.id")
        seen.add(new.id)
        if old is not None and new == before.get(new.id, old.plan):
            continue
        there = new if old is None else _where_it_is(supplied, old, new)
        no = (
            refuse_name(new.id, f"{where}.id")
            if old is None
            else _refuse_change(plan, old, there, since, where)
        )
        no = no or signing.refuse_tranche(state, supplied, new, since, where)
        if no is None and new.start_at < since and (old is None or not _begun(old, since)):
            told = f"tranche {new.id} begins before this version holds, at {timeline.text(since)}"
            no = Refusal("bad_term", told, f"{where}.start_at")
        if no is not None:
            return no
        found.append(
            _Changed(place, old, new if old is None else prices.amended(old.plan, there, effective_at))
        )
    return found


def _where_it_is(supplied: supply.State, old: Tranche, new: TranchePlan) -> TranchePlan:
    """A tranche that leaves a choice stays where it is, as far as its text allows that."""
    stock = calendars.stock_of(old.plan)
    stays = nomination.has_choice(new) and stock in nomination.choices(new, supplied)
    return contracts.nominated(new, *stock) if stays else new


def _placed(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    plan: ContractPlan,
    changed: list[_Changed],
    hold: contracts.Hold | None,
    at: int,
) -> tuple[list[_Changed], choosing.Choice]:
    """The tranches with a site and a SKU each: those that leave a choice, and cannot stay where they are, anew."""
    anew = [
        each
        for each in changed
        if nomination.has_choice(each.new)
        and (each.old is None or calendars.stock_of(each.old.plan) != calendars.stock_of(each.new))
    ]
    if not anew:
        return changed, choosing.Choice(plan, ())
    without = state.fork()
    for name in [each.new.id for each in anew if each.old is not None]:
        del without.tranches[name]
        for right in [right for right in without.rights.values() if right.plan.tranche == name]:
            del without.rights[right.plan.id]
    free = Calendar(supplied, without) if len(without.tranches) < len(state.tranches) else calendar
    there = choosing.Places(without, supplied, free, overlays.confidence_for(state, plan.id), hold, at)
    new = {each.new.id: each.new for each in anew}
    stated = replace(plan, tranches=tuple(new.get(each.id, each) for each in plan.tranches))
    choice = choosing.choose(there, stated, new)
    found = {each.id: each for each in choice.plan.tranches if each.id in new}
    return [each._replace(new=found.get(each.new.id, each.new)) for each in changed], choice


def _as_it_stands(state: State, plan: ContractPlan, changed: list[_Changed]) -> ContractPlan:
    """The new version with each tranche as it is promised, also where its text leaves a choice."""
    new = {each.new.id: each.new for each in changed}
    kept = (new[each.id] if each.id in new else state.tranches[each.id].plan for each in plan.tranches)
    return replace(plan, tranches=tuple(kept))


def _begun(old: Tranche, since: int) -> bool:
    return old.standing is Standing.LIVE or old.plan.start_at < since


def _refuse_change(
    plan: ContractPlan, old: Tranche, new: TranchePlan, since: int, where: str
) -> Refusal | None:
    was = old.plan
    if old.standing is Standing.ENDED or was.end_at <= since:
        return _not(plan, f"the term of tranche {new.id} is over when this version holds", where)
    begun = _begun(old, since)
    if not begun and not old.parts:
        return None
    why = "its term runs when this version holds" if begun else "some of it is handed over already"
    for name in ("site", "sku", "unit", "start_at", "acceptance", "operation"):
        if getattr(new, name) != getattr(was, name):
            told = f"tranche {new.id}: {why}: its {name.removesuffix('_at')} stays"
            return _not(plan, told, f"{where}.{name}")
    handed = contracts.units_accepted(old, PartLife.READY, PartLife.ACCEPTED)
    if (
        sum(count for when, count in _due_before(new, INSTANT_MAX) if when <= max(since, new.start_at))
        < handed
    ):
        told = f"tranche {new.id}: {handed} are handed over already, or ready to be: no fewer are due"
        return _not(plan, told, f"{where}.deliveries")
    if _due_before(new, since) != _due_before(was, since):
        told = (
            f"tranche {new.id}: what is due before this version holds stays; more, or less, is a matter of its later "
            f"deliveries"
        )
        return _not(plan, told, f"{where}.deliveries")
    return None


def _due_before(plan: TranchePlan, since: int) -> list[tuple[int, int]]:
    due = [(part.at, part.count) for part in plan.deliveries] or [(plan.start_at, plan.count)]
    return [part for part in due if part[0] < since]


def _refuse_granted(
    state: State, supplied: supply.State, plan: ContractPlan, granted: list[RightPlan], at: int
) -> Refusal | None:
    places = {right.id: f"rights[{place}]" for place, right in enumerate(plan.rights)}
    changed = {right.id for right in state.versions[plan.id][-1].plan.rights} & {
        right.id for right in granted
    }
    without = replace(
        state, rights={name: state.rights[name] for name in state.rights if name not in changed}
    )
    stated_anew = replace(plan, rights=tuple(granted))
    no = exercise.refuse_rights(without, supplied, stated_anew, at)
    no = no or scopes.refuse_empty(state, supplied, stated_anew, changed)
    if no is not None and no.field.startswith("rights["):
        number, _, rest = no.field.removeprefix("rights[").partition("]")
        return replace(no, field=places[granted[int(number)].id] + rest)
    if no is not None:
        return no
    stated = {tranche.id: tranche for tranche in plan.tranches}
    for right in plan.rights:
        known = state.rights.get(right.id)
        ends = right.kind is RightKind.TERMINATION and (known is None or known.life is rights.Life.DORMANT)
        late = stated[right.tranche].late if ends else None
        if ends and (late is None or not late.longstop_s):
            told = f"right {right.id}: tranche {right.tranche} has no longstop to end it by"
            return Refusal("bad_scope", told, f"{places[right.id]}.tranche")
    return None


# What it takes more.


def _more(supplied: supply.State, each: _Changed) -> Steps:
    """By how many nodes a tranche promises more than before, or less."""
    nobody = Tranche(each.new, ContractId(""), TenantId(""), Standing.SIGNED)
    new = (each.old or nobody)._replace(plan=each.new)
    more = timeline.summed(contracts.commitment(new, supplied))
    if each.old is not None and calendars.stock_of(each.old.plan) == calendars.stock_of(each.new):
        more = more.minus(timeline.summed(contracts.commitment(each.old, supplied)))
    return more


def _sales(supplied: supply.State, changed: list[_Changed], at: int) -> list[Sale]:
    """What an amendment takes more, stretch by stretch."""
    found = []
    for each in changed:
        for window, nodes in timeline.positive(_more(supplied, each), at):
            price = prices.price_at(each.new, window.start).price_micros_per_gpu_hour
            what, where = f"tranche {each.new.id}", f"tranches[{each.place}]"
            found.append(Sale(calendars.stock_of(each.new), window, nodes, price, what, where))
    return found


def _refuse_oversold(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    event: versions.ContractAmended,
    changed: list[_Changed],
    hold: contracts.Hold | None,
    at: int,
) -> Refusal | None:
    """Whether a stock would be short, and shorter than it is, at any instant from now on."""
    copy = state.fork()
    inforce.apply(copy, supplied, Dues(), event, at)
    if hold is not None:
        del copy.holds[hold.id]
    after, confidence = Calendar(supplied, copy), event.confidence
    stocks = {calendars.stock_of(each.new) for each in changed}
    granted = (*event.rights, *event.regranted)
    stocks |= {Stock(right.site, right.sku) for right in granted if right.kind is RightKind.CALL}
    stocks |= {
        calendars.stock_of(copy.tranches[right.tranche].plan)
        for right in granted
        if right.kind is RightKind.EXTENSION
    }
    as_stated = regrants.as_stated(state.rights, _as_it_stands(copy, event.plan, []), granted)
    for stock in sorted(stocks):
        was, left = calendar.available(stock, confidence), after.available(stock, confidence)
        for when in sorted({at, *(start for start in (*was.starts, *left.starts) if start > at)}):
            if left.at(when) < min(0, was.at(when)):
                over = min(0, was.at(when)) - left.at(when)
                more = refusals.granted(state, supplied, as_stated, 0, state.rights)
                return _oversold(supplied, event, changed, more, stock, when, over)
    return None


def _oversold(
    supplied: supply.State, event: versions.ContractAmended, changed: list[_Changed], granted: list[Sale],
    stock: Stock, when: int, over: int,
) -> Refusal:  # fmt: skip
    """Which of what is taken more, in turn, is the one for which there is too little."""
    taken = [
        (f"tranche {each.new.id} promises", f"tranches[{each.place}].count", _more(supplied, each).at(when))
        for each in changed
        if calendars.stock_of(each.new) == stock
    ]
    taken += [
        (f"{sale.what} may take", sale.where, sale.nodes)
        for sale in granted
        if sale.stock == stock and sale.window.start <= when < sale.window.end
    ]
    what, where, missing = "what may be extended takes", "tranches", over
    for told, field, nodes in reversed(taken):
        if nodes > 0 and missing > 0:
            what, where = told, field
            missing -= nodes
    since = f"from {timeline.text(when)} on, at {event.confidence.value.upper()}"
    return Refusal("oversold", f"{what} {over} nodes of {stock.sku} at {stock.site} too many {since}", where)


def _refuse_unbindable(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    plan: ContractPlan,
    changed: list[_Changed],
    at: int,
) -> Refusal | None:
    """Whether what it adds finds whole racks, and power."""
    added = [each for each in changed if each.old is None]
    alone = replace(plan, tranches=tuple(each.new for each in added))
    sure = overlays.confidence_for(state, plan.id)
    bound = fitting.bind(state, supplied, calendar, alone, sure, at)
    if not isinstance(bound, Refusal):
        return None
    number, _, rest = bound.field.removeprefix("tranches[").partition("]")
    return replace(bound, field=f"tranches[{added[int(number)].place}]{rest}")
