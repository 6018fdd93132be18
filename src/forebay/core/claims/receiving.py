"""Is a part of what we rent handed over, and which of its dates move? By the rules by which its seller decides it.

Both sides record the same notices, the same answers and the same relief, each when it hears of them. What its seller
has behind a ready notice, we cannot see: what it says is ready, it has.
"""

from __future__ import annotations

from forebay.core import supply
from forebay.core.claims import acceptance, contracts, handover, lateness, relief, renting
from forebay.core.claims.contracts import State
from forebay.core.ids import Answer, Refusal, TrancheId
from forebay.core.timeline import Due

Said = (
    acceptance.GiveReadyNotice | acceptance.AcceptDelivery | acceptance.RejectDelivery | relief.ReportRelief
)


def receive(
    state: State, supplied: supply.State, command: Said, at: int, emit: supply.Emit
) -> Answer | Refusal:
    """What was said of a tranche that we rent. Refuses what `handover.give_notice`, `handover.accept`,
    `handover.reject` and `lateness.report_relief` refuse, in their order; for a notice, not_bound means that it is
    about more than the tranche has that no notice is about.
    """
    seen = _seen(state, supplied, command.tranche, at)
    match command:
        case acceptance.GiveReadyNotice():
            return handover.give_notice(seen, supplied, command, at, emit)
        case acceptance.AcceptDelivery():
            return handover.accept(seen, command, at, emit)
        case acceptance.RejectDelivery():
            return handover.reject(seen, command, at, emit)
        case _:
            return lateness.report_relief(seen, command, at, emit)


def be_silent(
    state: State, supplied: supply.State, due: Due, seen_at: int, at: int, emit: supply.Emit
) -> None:
    """We did not answer in time, and are deemed to accept, as on our seller's side."""
    handover.stay_silent(_seen(state, supplied, TrancheId(due.about), at), due, seen_at, at, emit)


def _seen(state: State, supplied: supply.State, name: TrancheId, at: int) -> State:
    """The contract of a tranche as its seller holds it, with our own grace for what is entered late."""
    seen = renting.mirror(state, supplied, state.rented.tranches[name].contract, at)
    seen.policy = state.policy
    tranche = seen.tranches[name]
    seen.tranches[name] = tranche._replace(runs=((0, contracts.nodes_promised(tranche.plan, supplied)),))
    return seen
