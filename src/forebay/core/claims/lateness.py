"""How late is a tranche? By which dates, of how many nodes, and what that costs.

Without terms for acceptance what is late is what is recorded as short. With them a node is late from its committed
date until it is accepted, whether it is short, stands unready, is being looked at, or was rejected. Who is accepted
first serves the date that is oldest. In both cases a date counts from where relief moved it to.

What is still to be accepted has no forecast of its own. Money counts as far as an end is known: until now, or until
the customer is deemed to accept what it was told is ready. For the longstop it counts as if nobody accepted more.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from forebay.core import supply, timeline
from forebay.core.claims import contracts, deliveries, relief, shortfall
from forebay.core.claims.acceptance import PartLife
from forebay.core.claims.contracts import Standing, State, Tranche
from forebay.core.claims.shorts import Short
from forebay.core.claims.terms import Delivery, ReliefTerms
from forebay.core.ids import Answer, Refusal
from forebay.core.supply import Emit
from forebay.core.timeline import INSTANT_MAX, Steps
from forebay.core.units import SECOND_US

LENGTH_S_MAX = 50 * 366 * 24 * 3600


class Lateness(NamedTuple):
    """What of a tranche is not there, or not accepted, over time; as shortfalls of it."""

    #: What cannot be charged, by the dates of the contract, as far as an end is known.
    missing: tuple[Short, ...]
    #: What counts as late, by the dates as they were moved, as far as an end is known.
    late: tuple[Short, ...]
    #: The same if nobody accepts what waits for it now.
    lasting: tuple[Short, ...]


def lateness(state: State, supplied: supply.State, tranche: Tranche, at: int) -> Lateness:
    """How late a tranche is as far as it is known at an instant."""
    plan = tranche.plan
    recorded = state.shorts.get((plan.site, plan.sku), ())
    shorts = tuple(each for each in recorded if each.tranche == plan.id)
    if plan.acceptance is None and not tranche.reliefs:
        return Lateness(shorts, shorts, shorts)
    due = timeline.summed(contracts.commitment(tranche, supplied))
    moved = timeline.summed(contracts.commitment(_with_moved_dates(tranche), supplied))
    short = timeline.summed(
        change for each in shorts for change in ((each.start_at, each.nodes), (each.end_at, -each.nodes))
    )
    accepted = _accepted_over_time(tranche, supplied)
    # What is accepted, or will be of itself; and what is due now, and stays so if nobody accepts it.
    foreseen = max(accepted.values) if accepted else 0

    def told(owed: Steps, most: int) -> tuple[Short, ...]:
        starts = {at, *due.starts, *owed.starts, *short.starts, *(accepted.starts if accepted else ())}
        instants = sorted(start for start in starts if start < INSTANT_MAX)
        found: list[Short] = []
        for start_at, end_at in zip(instants, [*instants[1:], INSTANT_MAX], strict=True):
            relieved = due.at(start_at) - owed.at(start_at)
            nodes = max(0, short.at(start_at) - relieved)
            if accepted:
                wanted = owed.at(start_at) if start_at < at else min(owed.at(start_at), most)
                nodes = max(nodes, wanted - accepted.at(start_at))
            if found and (found[-1].nodes, found[-1].end_at) == (nodes, start_at):
                found[-1] = Short(plan.id, nodes, found[-1].start_at, end_at)
            elif nodes > 0:
                found.append(Short(plan.id, nodes, start_at, end_at))
        return tuple(found)

    return Lateness(told(due, foreseen), told(moved, foreseen), told(moved, max(foreseen, moved.at(at))))


def _accepted_over_time(tranche: Tranche, supplied: supply.State) -> Steps | None:
    """Nodes that are accepted, also those that the customer will be deemed to accept if it stays silent; None without
    terms for it.
    """
    if tranche.plan.acceptance is None:
        return None
    each = contracts.nodes_each(tranche.plan, supplied)
    whens = (
        (part.answered_at if part.life is PartLife.ACCEPTED else part.deemed_at, part.quantity * each)
        for part in tranche.parts
        if part.life is not PartLife.REJECTED
    )
    return timeline.summed((when, nodes) for when, nodes in whens if when)


def _with_moved_dates(tranche: Tranche) -> Tranche:
    """The tranche as if its contract said the dates that relief moved it to."""
    dates = tuple(Delivery(each.moved_to, each.quantity) for each in dates_of(tranche))
    return tranche._replace(plan=dataclasses.replace(tranche.plan, deliveries=dates))


def cost_of(supplied: supply.State, tranche: Tranche, found: Lateness) -> shortfall.Cost:
    """What all lateness of one tranche costs: fees for what is missing, damages and the longstop for what is late."""
    fees_micros = shortfall.cost(tranche, supplied, found.missing).fees_micros
    late = shortfall.cost(tranche, supplied, found.late)
    longstop_at = shortfall.cost(tranche, supplied, found.lasting).longstop_at
    return late._replace(fees_micros=fees_micros, longstop_at=longstop_at)


class CommittedDate(NamedTuple):
    """A committed date of a tranche: how many units, by the contract, and where relief moved it to."""

    quantity: int
    at: int
    moved_to: int


def dates_of(tranche: Tranche) -> list[CommittedDate]:
    """The committed dates of a tranche."""
    return [
        CommittedDate(each.count, each.at, relief.moved(tranche.reliefs, each.at))
        for each in deliveries.committed(tranche.plan)
    ]


# Which dates count.


def refuse_relief(told: tuple[ReliefTerms, ...], where: str) -> Refusal | None:
    """bad_relief: a kind that stands twice, or a time out of range."""
    kinds: set[str] = set()
    for place, terms in enumerate(told):
        here = f"{where}[{place}]"
        if terms.kind in kinds:
            return Refusal("bad_relief", f"relief for {terms.kind.value} stands twice", f"{here}.kind")
        kinds.add(terms.kind)
        if not (0 < terms.notice_s <= LENGTH_S_MAX and 0 < terms.cap_s <= LENGTH_S_MAX):
            return Refusal("bad_relief", f"relief for {terms.kind.value}: time out of range", here)
    return None


def report_relief(state: State, command: relief.ReportRelief, at: int, emit: Emit) -> Answer | Refusal:
    """Something held up a tranche. Refuses, in this order: unknown_tranche, tranche_over, no_relief (the contract
    gives none for the kind), bad_term (it ends before it begins), future_fact (of the notice), no_reason, too_late
    (notice was received too late), relief_used_up, moves_nothing (all dates had passed as it began).
    """
    name, received_at = command.tranche, command.received_at or at
    tranche = state.tranches.get(name)
    if tranche is None:
        return Refusal("unknown_tranche", f"there is no tranche {name}", "tranche")
    if tranche.standing is Standing.ENDED:
        return Refusal("tranche_over", f"tranche {name} is over", "tranche")
    contract = state.contracts[tranche.contract]
    terms = relief.terms_for(contract, tranche.plan, command.kind)
    if terms is None:
        told = f"contract {contract.id} gives tranche {name} no relief for {command.kind.value}"
        return Refusal("no_relief", told, "kind")
    if not 0 <= command.start_at < command.end_at <= INSTANT_MAX:
        return Refusal("bad_term", "it is over before it begins", "end_at")
    if received_at > at:
        return Refusal("future_fact", "a notice cannot be received after it is entered", "received_at")
    if not command.reason:
        return Refusal("no_reason", "a date is moved for a reason", "reason")
    last_at = command.start_at + terms.notice_s * SECOND_US
    if received_at >= last_at:
        told = f"notice of {command.kind.value} was to be received before {timeline.text(last_at)}"
        return Refusal("too_late", told, "received_at")
    left_us = terms.cap_s * SECOND_US - relief.used_us(tranche.reliefs, command.kind)
    if left_us <= 0:
        told = f"relief for {command.kind.value} is used up for tranche {name}"
        return Refusal("relief_used_up", told, "kind")
    until_at = min(command.end_at, command.start_at + left_us)
    granted = relief.ReliefGranted(
        name, command.kind, command.start_at, command.end_at, until_at, received_at, command.reason
    )  # fmt: skip
    more = (
        *tranche.reliefs,
        relief.Relief(command.kind, command.start_at, command.end_at, until_at, received_at, command.reason),
    )
    after = tranche._replace(reliefs=more)
    changed = [
        now
        for was, now in zip(dates_of(tranche), dates_of(after), strict=True)
        if was.moved_to != now.moved_to
    ]
    if not changed:
        told = (
            f"every committed date of tranche {name} had passed as it began, or was moved by as much already"
        )
        return Refusal("moves_nothing", told, "start_at")
    emit(granted)
    return {"tranche": name, "granted_until_at": until_at, "moved": [list(each) for each in changed]}
