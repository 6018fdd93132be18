"""What does a right grant after an amendment? Other terms from its date on, or nothing from then on any more.

A right that nobody uses at the moment may get another window, notice, price, number or length; what it is about, and
which cap it draws on, stay. Until the date the terms before hold, and a notice that was received before it counts by
them, whenever it is entered. A sale that is on offer on the date is answered by the terms under which it was offered.

What it may take more than before is kept for it from the signature on, and what it may take less is free on the
date. A right that is withdrawn may be used until the date, and lapses after the grace of every clock; one that is
withdrawn with the signature lapses with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from forebay.core import timeline
from forebay.core.claims import rights
from forebay.core.claims.rights import DatedRight, Life, Right, RightKind, RightPlan
from forebay.core.claims.terms import ContractPlan
from forebay.core.claims.workdays import Calendars
from forebay.core.ids import Refusal, RightId

#: What a right is about, and what it draws on.
_KEPT = ("kind", "site", "sku", "tranche", "cap")


def refuse_regrant(
    held: Mapping[RightId, Right], last: Iterable[RightPlan], now: Iterable[RightPlan]
) -> Refusal | None:
    """Whether rights may be left out of a text, or differ in it. Refuses not_amendable, for each in turn: withdrawn,
    and not dormant; another, and not dormant; another kind, site, SKU, tranche or cap; fewer racks than were taken;
    measured already.
    """
    granted = {right.id: (place, right) for place, right in enumerate(now)}
    for old in last:
        right = held[old.id]
        place, new = granted.get(old.id, (-1, None))
        where = "rights" if new is None else f"rights[{place}]"
        if new == old:
            continue
        if right.life is not Life.DORMANT:
            what = "stays in the text" if new is None else "stays as it was granted"
            return _not(f"right {old.id} {what}: it is {right.life.value}", where)
        if new is None:
            continue
        for name in _KEPT:
            if getattr(new, name) != getattr(old, name):
                told = f"right {old.id}: its {name} stays; withdraw it, and grant another"
                return _not(told, f"{where}.{name}")
        if new.racks_max and new.racks_max < right.racks:
            return _not(f"right {old.id}: {right.racks} racks of it are taken", f"{where}.racks_max")
        for name in ("measure_at", "unsold") if right.unsold >= 0 else ():
            if getattr(new, name) != getattr(old, name):
                told = f"right {old.id}: what stayed unsold was measured at {timeline.text(old.measure_at)}"
                return _not(told, f"{where}.{name}")
    return None


def _not(told: str, where: str) -> Refusal:
    return Refusal("not_amendable", told, where)


def granted_anew(last: ContractPlan, plan: ContractPlan, not_before: int) -> list[RightPlan]:
    """Rights that a text adds, and those that it grants on other terms; none opens before `not_before`."""
    before = {right.id: right for right in last.rights}
    return [
        replace(right, opens_at=max(right.opens_at, not_before))
        for right in plan.rights
        if before.get(right.id) != right
    ]


def withdrawn(last: ContractPlan, plan: ContractPlan) -> tuple[RightId, ...]:
    """Rights that a text grants no more."""
    stated = {right.id for right in plan.rights}
    return tuple(right.id for right in last.rights if right.id not in stated)


def as_stated(held: Mapping[RightId, Right], plan: ContractPlan, anew: Iterable[RightPlan]) -> ContractPlan:
    """A text with its rights as they are granted: those that it leaves as they were in their last terms."""
    granted = {right.id: right for right in anew}
    for right in (held[each.id] for each in plan.rights if each.id not in granted):
        granted[right.plan.id] = right.to_come[-1].plan if right.to_come else right.plan
    return replace(plan, rights=tuple(granted[each.id] for each in plan.rights))


def reclosed(right: Right, term_ends_at: int, calendars: Calendars) -> Right:
    """The right with the date by which it is to be used, as its terms and its withdrawal say now."""
    closes_at = rights.closing(right.plan, term_ends_at, calendars)
    if right.withdrawn_at:
        closes_at = min(closes_at or right.withdrawn_at, right.withdrawn_at)
    return right._replace(closes_at=closes_at)


def on_present_terms(right: Right, at: int, term_ends_at: int, calendars: Calendars) -> Right:
    """The right with the terms that hold for it now; not before an offer that is open was answered."""
    while right.life is Life.DORMANT and right.to_come and right.to_come[0].at <= at:
        step = right.to_come[0]
        was = DatedRight(step.at, right.plan, right.closes_at)
        right = right._replace(
            plan=step.plan, earlier=(*right.earlier, was), to_come=right.to_come[1:], grace_until_at=0
        )
        right = reclosed(right, term_ends_at, calendars)
        if right.plan.kind is RightKind.CALL and right.racks >= right.plan.racks_max:
            # As many were taken meanwhile as it grants now.
            right = right._replace(life=Life.EXERCISED)
    return right


def as_of(right: Right, received_at: int) -> Right:
    """The right with the terms under which a notice counts that was received at an instant."""
    if right.life is not Life.DORMANT:
        return right
    then = next((each for each in right.earlier if received_at < each.at), None)
    return right if then is None else right._replace(plan=then.plan, closes_at=then.closes_at)
