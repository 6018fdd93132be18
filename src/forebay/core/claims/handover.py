"""Is a part of a tranche handed over? What the provider and the customer say of it, and what follows by time.

A ready notice is about units that are bound to the tranche, and passes every test. Nothing is paid for before it is
accepted, and its acceptance on the record: so what was billed is never taken back.
"""

from __future__ import annotations

from forebay.core import supply, timeline, units
from forebay.core.claims import acceptance, contracts, deliveries, rights
from forebay.core.claims.acceptance import DeliveredPart, PartLife, Result
from forebay.core.claims.contracts import Standing, State, Tranche
from forebay.core.claims.terms import AcceptanceTerms, AcceptanceTest, BillingFrom, Direction, TranchePlan
from forebay.core.ids import Answer, Refusal, TrancheId, refuse_name
from forebay.core.supply import Emit
from forebay.core.timeline import INSTANT_MAX, Due
from forebay.core.units import SECOND_US

#: As for the terms of a contract: fifty years.
LENGTH_S_MAX = 50 * 366 * 24 * 3600
#: A result of a billion keeps a slip of the pen out of the record.
RESULT_MICROS_MAX = 10**15


# What a contract may say.


def refuse_acceptance(plan: TranchePlan, where: str) -> Refusal | None:
    """bad_id (the name of a test), duplicate_id, bad_acceptance (a threshold or a time out of range)."""
    terms = plan.acceptance
    if terms is None:
        return None
    names: set[str] = set()
    for place, test in enumerate(terms.tests):
        here = f"{where}.acceptance.tests[{place}]"
        no = refuse_name(test.name, f"{here}.name")
        if no is None and test.name in names:
            no = Refusal("duplicate_id", f"tranche {plan.id}: test {test.name} stands twice", f"{here}.name")
        names.add(test.name)
        if no is None and not 0 <= test.threshold_micros <= RESULT_MICROS_MAX:
            no = Refusal("bad_acceptance", f"test {test.name}: threshold out of range", here)
        if no is not None:
            return no
    if not (0 <= terms.deemed_s <= LENGTH_S_MAX and 0 <= terms.billing_after_s <= LENGTH_S_MAX):
        return Refusal("bad_acceptance", f"tranche {plan.id}: time out of range", f"{where}.acceptance")
    return None


# What is said of it.


def give_notice(
    state: State, supplied: supply.State, command: acceptance.GiveReadyNotice, at: int, emit: Emit
) -> Answer | Refusal:
    """A part is ready. Refuses, in this order: unknown_tranche, no_acceptance (its contract has no terms for it),
    tranche_over, future_fact, too_late (it was received longer ago than notices may be entered), bad_quantity
    (count), not_bound (more than the tranche has that no notice is about); for each result unknown_test,
    duplicate_id, bad_quantity; for each test test_missing, test_failed.
    """
    found = _handed_over(state, command.tranche)
    if isinstance(found, Refusal):
        return found
    tranche, terms = found
    effective_at = command.effective_at or at
    if effective_at > at:
        return Refusal("future_fact", "a notice cannot be received after it is entered", "effective_at")
    oldest_at = at - state.policy.notice_grace_s * SECOND_US
    if effective_at < oldest_at:
        told = (
            f"a notice is to be entered in time: now one that was received from {timeline.text(oldest_at)} on"
        )
        return Refusal("too_late", told, "effective_at")
    if command.count < 1:
        return Refusal("bad_quantity", f"a notice about {command.count} units; at least 1 is meant", "count")
    bound = contracts.nodes_bound(tranche) // contracts.nodes_each(tranche.plan, supplied)
    told_of = contracts.units_accepted(tranche, PartLife.READY, PartLife.ACCEPTED)
    if command.count > bound - told_of:
        told = (
            f"tranche {command.tranche} has {bound} of its {tranche.plan.count} {tranche.plan.unit.value}s by now, "
            f"and notice was given of {told_of}: {max(0, bound - told_of)} may be ready, not {command.count}"
        )
        return Refusal("not_bound", told, "count")
    no = _refuse_results(terms, command.results)
    if no is not None:
        return no
    deemed_at = min(effective_at + terms.deemed_s * SECOND_US, INSTANT_MAX) if terms.deemed_s else 0
    notice = len(tranche.parts) + 1
    emit(
        acceptance.ReadyNoticeGiven(
            command.tranche, notice, command.count, effective_at, deemed_at, command.results
        )
    )
    return {
        "tranche": command.tranche, "notice": notice, "count": command.count, "ready_at": effective_at,
        "deemed_at": deemed_at,
    }  # fmt: skip


def _handed_over(state: State, name: TrancheId) -> tuple[Tranche, AcceptanceTerms] | Refusal:
    """The tranche and its terms for acceptance, if there is anything to say of it."""
    tranche = state.tranches.get(name)
    if tranche is None:
        return Refusal("unknown_tranche", f"there is no tranche {name}", "tranche")
    terms = tranche.plan.acceptance
    if terms is None:
        told = f"the contract of tranche {name} says nothing of acceptance: nodes count when they pass over"
        return Refusal("no_acceptance", told, "tranche")
    if tranche.standing is Standing.ENDED:
        return Refusal("tranche_over", f"tranche {name} is over", "tranche")
    return tranche, terms


def _refuse_results(terms: AcceptanceTerms, results: tuple[Result, ...]) -> Refusal | None:
    known = {test.name for test in terms.tests}
    values: dict[str, int] = {}
    for place, result in enumerate(results):
        where = f"results[{place}]"
        if result.test not in known:
            told = f"the contract names no test {result.test} (known: {', '.join(sorted(known)) or 'none'})"
            return Refusal("unknown_test", told, where)
        if result.test in values:
            return Refusal("duplicate_id", f"test {result.test} has two results", where)
        if not 0 <= result.value_micros <= RESULT_MICROS_MAX:
            return Refusal("bad_quantity", f"test {result.test}: result out of range", where)
        values[result.test] = result.value_micros
    for test in terms.tests:
        if test.name not in values:
            return Refusal("test_missing", f"test {test.name} has no result: {asked_of(test)}", "results")
        if not _passes(test, values[test.name]):
            told = f"test {test.name} gave {units.decimal_text(values[test.name])}: {asked_of(test)}"
            return Refusal("test_failed", told, "results")
    return None


def asked_of(test: AcceptanceTest) -> str:
    """What a test asks for, in words."""
    side = "at least" if test.direction is Direction.AT_LEAST else "at most"
    return f"{side} {units.decimal_text(test.threshold_micros)} is meant"


def _passes(test: AcceptanceTest, value_micros: int) -> bool:
    if test.direction is Direction.AT_LEAST:
        return value_micros >= test.threshold_micros
    return value_micros <= test.threshold_micros


def accept(state: State, command: acceptance.AcceptDelivery, at: int, emit: Emit) -> Answer | Refusal:
    """The customer accepts. Refuses, in this order: unknown_tranche, no_acceptance, tranche_over, unknown_notice,
    not_ready (it was answered already), future_fact, too_early (before it was ready), too_late.
    """
    effective_at = command.effective_at or at
    found = _answered(state, command.tranche, command.notice, effective_at, at)
    if isinstance(found, Refusal):
        return found
    tranche, part = found
    accepted = _accepted(tranche, part, effective_at, at, deemed=False)
    emit(accepted)
    return {
        "tranche": command.tranche, "notice": part.notice, "count": part.quantity, "ready_at": part.ready_at,
        "accepted_at": effective_at, "billing_at": accepted.billing_at,
    }  # fmt: skip


def reject(state: State, command: acceptance.RejectDelivery, at: int, emit: Emit) -> Answer | Refusal:
    """The customer does not accept. Refuses what `accept` does, and last no_reason."""
    effective_at = command.effective_at or at
    found = _answered(state, command.tranche, command.notice, effective_at, at)
    if isinstance(found, Refusal):
        return found
    if not command.reason:
        return Refusal("no_reason", "what is rejected is so for a reason", "reason")
    _, part = found
    emit(acceptance.DeliveryRejected(command.tranche, part.notice, effective_at, command.reason))
    return {
        "tranche": command.tranche,
        "notice": part.notice,
        "count": part.quantity,
        "rejected_at": effective_at,
    }


def _answered(
    state: State, name: TrancheId, notice: int, effective_at: int, at: int
) -> tuple[Tranche, DeliveredPart] | Refusal:
    """The part that an answer is about, if it may be answered so."""
    found = _handed_over(state, name)
    if isinstance(found, Refusal):
        return found
    tranche, _ = found
    open_ = [part.notice for part in tranche.parts if part.life is PartLife.READY]
    number = open_[0] if not notice and len(open_) == 1 else notice
    if not 1 <= number <= len(tranche.parts):
        told = f"open notices of tranche {name}: {', '.join(map(str, open_)) or 'none'}"
        return Refusal("unknown_notice", f"{told}; which one is meant?" if open_ else told, "notice")
    part = tranche.parts[number - 1]
    if part.life is not PartLife.READY:
        return Refusal("not_ready", f"notice {number} of tranche {name} is {part.life.value}", "notice")
    if effective_at > at:
        return Refusal("future_fact", "an answer cannot be received after it is entered", "effective_at")
    if effective_at < part.ready_at:
        told = f"notice {number} of tranche {name} was given at {timeline.text(part.ready_at)}"
        return Refusal("too_early", told, "effective_at")
    if part.deemed_at and effective_at >= part.deemed_at:
        told = f"notice {number} of tranche {name} was to be answered before {timeline.text(part.deemed_at)}"
        return Refusal("too_late", told, "effective_at")
    return tranche, part


def _accepted(
    tranche: Tranche, part: DeliveredPart, effective_at: int, at: int, *, deemed: bool
) -> acceptance.DeliveryAccepted:
    """Accepted, and from when on it is paid for: as the contract says, not before the term begins, nor before it is
    accepted and that is on the record.
    """
    terms = tranche.plan.acceptance
    assert terms is not None, "only what has terms for it is accepted"
    match terms.billing_from:
        case BillingFrom.COMMITTED:
            from_at = _committed_at(tranche, part)
        case BillingFrom.READY:
            from_at = part.ready_at
        case _:
            from_at = effective_at
    stated_at = min(from_at + terms.billing_after_s * SECOND_US, INSTANT_MAX)
    billing_at = max(stated_at, at, tranche.plan.start_at)
    return acceptance.DeliveryAccepted(tranche.plan.id, part.notice, effective_at, deemed, billing_at)


def _committed_at(tranche: Tranche, part: DeliveredPart) -> int:
    """The committed date of the last unit of a part, which follows on those that were accepted before it."""
    upto = contracts.units_accepted(tranche) + part.quantity
    for delivery in deliveries.committed(tranche.plan):
        upto -= delivery.count
        if upto <= 0:
            return delivery.at
    raise AssertionError("no more is accepted than is promised")


# By time.


def stay_silent(state: State, due: Due, seen_at: int, at: int, emit: Emit) -> None:
    """The customer did not answer in time, and is deemed to accept; unless forebay was down as the grace ended: then
    answers that were given meanwhile may still be entered for a grace.
    """
    tranche = state.tranches[TrancheId(due.about)]
    part = tranche.parts[due.stamp - 1]
    if seen_at - due.at > rights.DOWN_US:
        until_at = seen_at + state.policy.notice_grace_s * SECOND_US
        emit(acceptance.AcceptanceResumed(tranche.plan.id, part.notice, until_at))
        return
    emit(_accepted(tranche, part, part.deemed_at, at, deemed=True))
