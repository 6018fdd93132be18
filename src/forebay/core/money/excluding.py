"""Loss that a tenant caused is excluded, and a credit is claimed: who may, until when, and what is refused.

News about a month that is closed is taken in as long as its credit is revised: until `REVISED_MONTHS` calendar months
after it have been closed. What follows stands open until the next close of a month, and comes with that.
"""

from __future__ import annotations

from forebay.core import supply, timeline
from forebay.core.claims import inforce, service_levels
from forebay.core.claims.service_levels import Crediting
from forebay.core.ids import Answer, Principal, Refusal, TrancheId
from forebay.core.money.exclusions import (
    ClaimCredit,
    CreditClaimed,
    ExcludeLoss,
    ExclusionWithdrawn,
    LossExcluded,
    WithdrawExclusion,
    revised_since,
)
from forebay.core.money.rating import Books


def decide_exclusion(
    books: Books,
    command: ExcludeLoss | WithdrawExclusion | ClaimCredit,
    by: Principal,
    at: int,
    emit: supply.Emit,
) -> Answer | Refusal:
    """Decide about one of the commands of this module."""
    if isinstance(command, ExcludeLoss):
        return _exclude(books, command, by, at, emit)
    if isinstance(command, WithdrawExclusion):
        return _withdraw(books, command, by, emit)
    return _claim(books, command, by, at, emit)


def _exclude(
    books: Books, command: ExcludeLoss, by: Principal, at: int, emit: supply.Emit
) -> Answer | Refusal:
    """Refuses: unknown_tranche, no_reason, no_evidence, bad_interval, future_fact, closed_past, not_in_service. The
    same once more changes nothing.
    """
    known = books.money.exclusions.of(command.tranche)
    asked = (
        command.tranche,
        command.start_at,
        command.end_at,
        command.nodes,
        command.reason,
        command.evidence,
    )
    if command.tranche not in books.claims.tranches:
        return _unknown_tranche(command.tranche)
    same = next((each for each in known if each[1:7] == asked), None)
    if same is not None:
        return {"exclusion": same.id, "changed": False}
    if not command.reason.strip():
        return Refusal("no_reason", "say what the tenant did", "reason")
    if not command.evidence.strip():
        return Refusal("no_evidence", "say what shows it: a ticket, a log, a letter", "evidence")
    if command.start_at >= command.end_at:
        return Refusal("bad_interval", "it ends before it begins", "end")
    if command.end_at > at:
        return Refusal("future_fact", "loss that is still to come is not excluded", "end")
    since = revised_since(books.usage.period_start)
    if command.start_at < since:
        told = f"credits of months before {timeline.text(since)[:7]} are not looked at any more"
        return Refusal("closed_past", told, "start")
    if not _had_in_service(books, command):
        told = f"{command.tranche} had none of that in service then"
        return Refusal("not_in_service", told, "nodes" if command.nodes else "start")
    name = f"EXC-{len(books.money.exclusions.known) + 1:06d}"
    emit(LossExcluded(name, *asked, by.actor))
    return {"exclusion": name, "changed": True}


def _had_in_service(books: Books, command: ExcludeLoss) -> bool:
    """Whether each of the runs (or anything, where none is named) was in service of the tranche within that time."""
    stints = [
        each
        for each in books.usage.downtimes.served.get(command.tranche, ())
        if each.start_at < command.end_at and command.start_at < each.end_at
    ]
    return bool(stints) and all(
        any(each.first < first + count and first < each.first + each.nodes for each in stints)
        for first, count in command.nodes
    )


def _withdraw(books: Books, command: WithdrawExclusion, by: Principal, emit: supply.Emit) -> Answer | Refusal:
    """Refuses: unknown_exclusion, no_reason, closed_past. One that is withdrawn already changes nothing."""
    known = books.money.exclusions.known.get(command.exclusion)
    if known is None:
        return Refusal("unknown_exclusion", f"there is no exclusion {command.exclusion}", "exclusion")
    if known.withdrawn_at:
        return {"exclusion": known.id, "changed": False}
    if not command.reason.strip():
        return Refusal("no_reason", "say why it is withdrawn", "reason")
    if known.start_at < revised_since(books.usage.period_start):
        return Refusal("closed_past", "the credit of its month is not looked at any more", "exclusion")
    emit(ExclusionWithdrawn(known.id, command.reason, by.actor))
    return {"exclusion": known.id, "changed": True}


def _claim(books: Books, command: ClaimCredit, by: Principal, at: int, emit: supply.Emit) -> Answer | Refusal:
    """Refuses: unknown_tranche, month_not_over, not_on_claim, claim_too_late. A credit that was claimed already
    changes nothing.
    """
    name, start = command.tranche, command.month_at
    tranche = books.claims.tranches.get(name)
    if tranche is None or (by.tenant and by.tenant != tranche.tenant):
        return _unknown_tranche(name)
    if (name, start) in books.money.exclusions.claimed:
        return {"tranche": name, "changed": False}
    end = timeline.month_end(start)
    if timeline.month_start(start) != start or end > at:
        return Refusal(
            "month_not_over", "a credit is claimed for a calendar month (UTC) that is over", "month"
        )
    level = (inforce.tranche_at(books.claims, tranche, end - 1) or tranche.plan).service
    if level is None or level.crediting is not Crediting.ON_CLAIM:
        return Refusal("not_on_claim", f"the contract gives {name} no credit on claim", "tranche")
    if not service_levels.is_granted(level, end, at) or start < revised_since(books.usage.period_start):
        return Refusal("claim_too_late", "the time to claim the credit of this month is over", "month")
    emit(CreditClaimed(name, start, by.actor))
    return {"tranche": name, "changed": True}


def _unknown_tranche(name: TrancheId) -> Refusal:
    return Refusal("unknown_tranche", f"there is no tranche {name}", "tranche")
