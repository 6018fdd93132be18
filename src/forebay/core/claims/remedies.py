"""Which remedy comes first, how much of all of them is owed, and how is it settled?

One GPU-second has one remedy: before it was delivered that of lateness, after it that of the service level. Where two
could be had for the same time, the first of the order counts, and the other one not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Remedy(StrEnum):
    """What a customer may have for what it did not get."""

    FEE_DISCOUNT = "fee_discount"
    DAMAGES = "damages"
    CREDIT = "credit"


class Settlement(StrEnum):
    """How a remedy is settled: taken off what the customer owes, or paid out."""

    SET_OFF = "set_off"
    PAYABLE = "payable"


@dataclass(slots=True)
class Remedies:
    """How the remedies of a contract stand to each other."""

    #: Which one counts, and is paid, first.
    order: tuple[Remedy, ...]
    settlement: Settlement
    #: The most that all of them together come to in a calendar month, and in all, micro-units; 0 for no cap.
    cap_month_micros: int = 0
    cap_total_micros: int = 0


def first_of(terms: Remedies, owed_micros: Mapping[Remedy, int]) -> Remedy | None:
    """Of several remedies for the same time, the one that counts: the first that comes to anything."""
    return next((remedy for remedy in terms.order if owed_micros.get(remedy, 0) > 0), None)


def within_caps(
    terms: Remedies, owed_micros: Mapping[Remedy, int], month_micros: int = 0, total_micros: int = 0
) -> dict[Remedy, int]:
    """What is left under the caps of remedies that are owed for different times of one month, in their order, where
    so much was given in that month, and in all, already.
    """
    room = [sum(owed_micros.values())]
    if terms.cap_month_micros:
        room.append(max(0, terms.cap_month_micros - month_micros))
    if terms.cap_total_micros:
        room.append(max(0, terms.cap_total_micros - total_micros))
    left_micros = min(room)
    given: dict[Remedy, int] = {}
    for remedy in terms.order:
        given[remedy] = min(left_micros, owed_micros.get(remedy, 0))
        left_micros -= given[remedy]
    return {remedy: micros for remedy, micros in given.items() if micros}
