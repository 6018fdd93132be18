"""What fell due of what we rent, and what follows from it?"""

from __future__ import annotations

from forebay.core import supply
from forebay.core.claims import answering, receiving, rental_amendments, renting
from forebay.core.claims.contracts import State
from forebay.core.supply import Emit
from forebay.core.timeline import Due

#: How the names of these due times begin.
PREFIX = "rented_"


def fall_due_rented(
    state: State, supplied: supply.State, due: Due, seen_at: int, at: int, emit: Emit
) -> None:
    """Do what falls due; `seen_at` is when somebody looked at it."""
    match due.what:
        case "rented_delivery":
            renting.pass_over(state, due, emit)
        case "rented_amendment":
            rental_amendments.take_effect(due, emit)
        case "rented_silence":
            receiving.be_silent(state, supplied, due, seen_at, at, emit)
        case _:
            answering.let_lapse(state, supplied, due, seen_at, at, emit)
