"""What does a GPU-hour of a tranche cost at an instant, why, and how much of what was not used is paid all the same?

A price has steps by date, and may follow an index. With a share `s` of the price following, a base value `b` and the
last value `v` published before a UTC calendar month began, the price of that month is

    price x ((1 - s) + s x v / b), rounded once, half-even, to micro-units; then held within its bounds

What is paid is settled when a period closes. Of what was deliverable at each price, its take-or-pay share is the
least:

    paid = used + as much of the rest as is missing of the sum of share x deliverable over the period

earlier prices first. At 100 % that is all that was deliverable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from forebay.core import timeline
from forebay.core.claims import terms
from forebay.core.claims.terms import Indexed, PriceStep, TranchePlan
from forebay.core.ids import Answer, Command, Event, IndexId, Refusal, refuse_name
from forebay.core.supply import Emit
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import HOUR_US, decimal_text, divide_half_even

#: A trillion of any index.
VALUE_MICROS_MAX = 10**18


@dataclass(slots=True)
class IndexValue:
    """What an index was published to be, millionths; and when."""

    published_at: int
    value_micros: int


#: The values of each index, in order of publication.
Indices = Mapping[IndexId, tuple[IndexValue, ...]]


@dataclass(slots=True)
class PublishIndex(Command):
    """These values of an index were published. What is known already changes nothing."""

    index: IndexId
    values: tuple[IndexValue, ...]


@dataclass(slots=True)
class IndexPublished(Event):
    """These values of an index are known from here on."""

    index: IndexId
    values: tuple[IndexValue, ...]


class HourPrice(NamedTuple):
    """A price per GPU-hour in micro-units, and how it came about; "" where it is as the contract states it."""

    micros: int
    reason: str


# What a tranche says.


def price_at(plan: TranchePlan, at: int) -> PriceStep:
    """The price of a tranche and its terms as stated for an instant; before its start, those of its start."""
    first = PriceStep(plan.start_at, plan.price_micros_per_gpu_hour, plan.index, plan.take_or_pay_ppm)
    return next((step for step in reversed(plan.price_steps) if step.at <= at), first)


def amended(old: TranchePlan, new: TranchePlan, since: int) -> TranchePlan:
    """The new terms with the prices of the old before `since`, where the term begins before."""
    if new.start_at >= since:
        return new
    steps = [step for step in old.price_steps if step.at < since]
    then, was = price_at(new, since), price_at(old, since - 1)
    if _terms(then) != _terms(was):
        steps.append(PriceStep(since, *_terms(then)))
    steps += [step for step in new.price_steps if step.at > since]
    return replace(
        new, price_micros_per_gpu_hour=old.price_micros_per_gpu_hour, lending=old.lending, late=old.late,
        relief=old.relief, service=old.service, maintenance=old.maintenance, price_steps=tuple(steps),
        index=old.index, take_or_pay_ppm=old.take_or_pay_ppm, shortfall=old.shortfall, spare=old.spare,
    )  # fmt: skip


def _terms(step: PriceStep) -> tuple[int, Indexed | None, int]:
    return (step.price_micros_per_gpu_hour, step.index, step.take_or_pay_ppm)


def cost_of_term(plan: TranchePlan, gpus: int, start_at: int, end_at: int) -> int:
    """GPUs times hours times the prices as stated, rounded once: no index, for nobody knows what it will be."""
    return divide_half_even(gpus * exact_cost(plan, start_at, end_at), HOUR_US)


def exact_cost(plan: TranchePlan, start_at: int, end_at: int) -> int:
    """The same for one GPU, in micro-units and microseconds an hour: nothing is rounded."""
    changes = [step.at for step in plan.price_steps if start_at < step.at < end_at]
    return sum(
        (to_at - from_at) * price_at(plan, from_at).price_micros_per_gpu_hour
        for from_at, to_at in zip([start_at, *changes], [*changes, end_at], strict=True)
    )


def refuse_prices(plan: TranchePlan, indices: Indices, at: int, where: str) -> Refusal | None:
    """The first price that cannot stand: bad_price (of a step, a bound, a share; steps that do not follow on each
    other), unknown_index, no_index_value (none was published before the first month that is to be paid).
    """
    dates = [step.at for step in plan.price_steps]
    if dates != sorted(set(dates)) or any(not plan.start_at < date < plan.end_at for date in dates):
        told = f"tranche {plan.id}: its prices change one after the other, within its term"
        return Refusal("bad_price", told, f"{where}.price_steps")
    first = PriceStep(plan.start_at, plan.price_micros_per_gpu_hour, plan.index, plan.take_or_pay_ppm)
    for place, step in enumerate((first, *plan.price_steps), -1):
        here = where if step is first else f"{where}.price_steps[{place}]"
        if not 0 <= step.price_micros_per_gpu_hour <= terms.PRICE_MICROS_MAX:
            return Refusal("bad_price", f"tranche {plan.id}: price out of range", f"{here}.price")
        if not 0 <= step.take_or_pay_ppm <= terms.PPM:
            told = f"tranche {plan.id}: a share from 0 to 100 % is meant"
            return Refusal("bad_price", told, f"{here}.take_or_pay_ppm")
        no = step.index and _refuse_index(plan, step.index, indices, max(step.at, at), where)
        if no:
            return no
    return None


def _refuse_index(
    plan: TranchePlan, index: Indexed, indices: Indices, from_at: int, where: str
) -> Refusal | None:
    low, high = index.price_micros_min, index.price_micros_max
    bounded = 0 <= low <= (high or terms.PRICE_MICROS_MAX) and 0 <= high <= terms.PRICE_MICROS_MAX
    if not (0 < index.base_micros <= VALUE_MICROS_MAX and 0 < index.share_ppm <= terms.PPM and bounded):
        told = f"tranche {plan.id}: base, share or bounds of its index are out of range"
        return Refusal("bad_price", told, f"{where}.index")
    if not indices.get(index.index):
        known = ", ".join(sorted(indices)) or "none"
        told = f"tranche {plan.id}: no value of index {index.index} is published (known: {known})"
        return Refusal("unknown_index", told, f"{where}.index")
    month_at = timeline.month_start(from_at)
    if value_for(indices[index.index], month_at) is None:
        told = (
            f"tranche {plan.id}: the price of the month from {timeline.text(month_at)} on needs a value of index "
            f"{index.index} that was published before, and the first is of "
            f"{timeline.text(indices[index.index][0].published_at)}"
        )
        return Refusal("no_index_value", told, f"{where}.index")
    return None


# What it costs.


def value_for(values: Sequence[IndexValue], month_at: int) -> IndexValue | None:
    """The last value published before a month; None where there is none."""
    return next((value for value in reversed(values) if value.published_at < month_at), None)


def rate(plan: TranchePlan, at: int, indices: Indices) -> HourPrice:
    """What a GPU-hour costs at an instant, and why."""
    step = price_at(plan, at)
    price, reason = step.price_micros_per_gpu_hour, ""
    if step.at > plan.start_at:
        reason = f"from {timeline.text(step.at)} on"
    if step.index is None:
        return HourPrice(price, reason)
    value = value_for(indices[step.index.index], timeline.month_start(at))
    assert value is not None, "a price follows an index that has a value before its first month"
    micros, told = _indexed(price, step.index, value)
    return HourPrice(micros, "; ".join(part for part in (reason, told) if part))


def _indexed(price: int, index: Indexed, value: IndexValue) -> tuple[int, str]:
    fixed_ppm = terms.PPM - index.share_ppm
    weight = fixed_ppm * index.base_micros + index.share_ppm * value.value_micros
    exact = divide_half_even(price * weight, terms.PPM * index.base_micros)
    told = (
        f"{decimal_text(price)} x ({decimal_text(fixed_ppm * 100)} % + {decimal_text(index.share_ppm * 100)} % x "
        f"{decimal_text(value.value_micros)} / {decimal_text(index.base_micros)}) = {decimal_text(exact)}, index "
        f"{index.index} of {timeline.text(value.published_at)}"
    )
    if index.price_micros_max and exact > index.price_micros_max:
        return index.price_micros_max, f"{told}, at most {decimal_text(index.price_micros_max)}"
    if exact < index.price_micros_min:
        return index.price_micros_min, f"{told}, at least {decimal_text(index.price_micros_min)}"
    return exact, told


class Stretch(NamedTuple):
    """What became of a tranche's capacity at one price, in GPU-microseconds."""

    deliverable: int
    used: int
    take_or_pay_ppm: int


def unused_due(pieces: Iterable[Stretch]) -> list[int]:
    """How much of what was not used is paid of each piece of one period."""
    known = list(pieces)
    least = sum(divide_half_even(piece.deliverable * piece.take_or_pay_ppm, terms.PPM) for piece in known)
    missing = max(0, least - sum(piece.used for piece in known))
    found = []
    for piece in known:
        found.append(min(missing, max(0, piece.deliverable - piece.used)))
        missing -= found[-1]
    return found


# What is published.


def publish(
    indices: Indices, command: PublishIndex, periods: Iterable[int], at: int, emit: Emit
) -> Answer | Refusal:
    """Learn values of an index. `periods` are the starts of closed periods that invoices may still correct.

    Refuses: bad_id, bad_quantity (no value, out of range, not in order of their dates), future_fact, index_differs
    (another value of the same date is known), closed_past (the price of a closed period would be another one). The
    same values again change nothing.
    """
    no = refuse_name(command.index, "index")
    if no is not None:
        return no
    dates = [value.published_at for value in command.values]
    if not dates or dates != sorted(set(dates)):
        told = (
            f"index {command.index}: one or more values are meant, each of a later date than the one before"
        )
        return Refusal("bad_quantity", told, "values")
    known = indices.get(command.index, ())
    before = {value.published_at: value for value in known}
    for place, value in enumerate(command.values):
        where = f"values[{place}]"
        if not (0 < value.value_micros <= VALUE_MICROS_MAX and 0 <= value.published_at <= INSTANT_MAX):
            return Refusal("bad_quantity", f"index {command.index}: out of range", f"{where}.value_micros")
        if value.published_at > at:
            told = f"index {command.index}: a value is entered once it is published"
            return Refusal("future_fact", told, f"{where}.published_at")
        if before.get(value.published_at, value) != value:
            told = (
                f"index {command.index}: of {timeline.text(value.published_at)} "
                f"{decimal_text(before[value.published_at].value_micros)} is known"
            )
            return Refusal("index_differs", told, f"{where}.value_micros")
    more = tuple(value for value in command.values if value.published_at not in before)
    together = joined(known, more)
    for month_at in sorted(map(timeline.month_start, periods)):
        was = value_for(known, month_at)
        if was is not None and was != value_for(together, month_at):
            told = f"index {command.index}: the month from {timeline.text(month_at)} on was billed without it"
            return Refusal("closed_past", told, "values")
    if more:
        emit(IndexPublished(command.index, more))
    return {"index": command.index, "changed": bool(more), "values": len(together)}


def joined(known: Sequence[IndexValue], more: Sequence[IndexValue]) -> tuple[IndexValue, ...]:
    """All values in order of publication."""
    return tuple(sorted([*known, *more], key=lambda value: value.published_at))


def next_change(plan: TranchePlan, since: int) -> int | None:
    """When the price of a tranche changes next, after an instant and within its term; None for never."""
    return next((step.at for step in plan.price_steps if since < step.at < plan.end_at), None)
