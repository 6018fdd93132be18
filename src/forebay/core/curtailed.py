"""What did a curtailment take from a claim? Its own work that gave up its power, until that is placed again.

A gang of a claim that was shed (`GangShed`) has left its GPUs for want of power. From its end on as many GPUs of the
tranche as it held are undeliverable, as far as so many are idle: nobody is charged for one GPU-second twice, and what
the tranche runs there meanwhile is used. The nodes that it left are out for that reason, each until something runs
there again. It is over when the gang is placed again, or waits no more.
"""

from __future__ import annotations

from forebay.core import claims, usage
from forebay.core.books import WaitingForPower, settled_book
from forebay.core.ids import Event, GangId, NodeIndex, TrancheId
from forebay.core.placements import downtimes
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import Gang
from forebay.core.placements.index import each_node
from forebay.core.placements.sheddings import CURTAILED
from forebay.core.placements.state import State as Placements


def gave_up_power(gang: Gang, event: gangs.GangEnded) -> bool:
    """Whether work of a claim leaves its own GPUs for want of power, and is to come back."""
    return event.reason == CURTAILED and event.again and bool(gang.spec.tranche) and not gang.lender


def begin_waiting(
    state: usage.State, placements: Placements, claimed: claims.State, event: gangs.GangEnded, at: int
) -> None:
    """A gang left its GPUs for want of power; `placements` is still as it was before the event."""
    gang = placements.gangs[event.gang]
    shed, name = placements.shed[event.gang], gang.spec.tranche
    tranche = claimed.tranches[name]
    nodes = tuple(NodeIndex(node) for node, _ in each_node(gang.runs) if usage.holds(tranche, node))
    reason = f"{shed.level.told()} is curtailed" + f" ({shed.curtailment})" * bool(shed.curtailment)
    state.waiting[event.gang] = WaitingForPower(name, gang.spec.gpus, nodes)
    _wait(state, name, gang.spec.gpus, at)
    for node in nodes:
        downtimes.begin_curtailed(
            state.downtimes, name, node, max(event.effective_at, gang.placed_at), reason
        )


def follow_gang(state: usage.State, placements: Placements, event: Event, at: int) -> None:
    """Somebody was placed, or waits no more, while work waits for power."""
    if isinstance(event, gangs.GangPlaced):
        gang = placements.gangs[event.gang]
        for node, _ in each_node(event.runs):
            downtimes.end_curtailed(state.downtimes, event.lender or gang.spec.tranche, NodeIndex(node), at)
    if isinstance(event, gangs.GangPlaced | gangs.GangWithdrawn):
        _wait_no_more(state, event.gang, at)


def _wait_no_more(state: usage.State, name: GangId, at: int) -> None:
    waited = state.waiting.pop(name, None)
    if waited is None:
        return
    _wait(state, waited.tranche, -waited.gpus, at)
    others = {
        node for each in state.waiting.values() if each.tranche == waited.tranche for node in each.nodes
    }
    for node in waited.nodes:
        if node not in others:
            downtimes.end_curtailed(state.downtimes, waited.tranche, node, at)


def _wait(state: usage.State, tranche: TrancheId, gpus: int, at: int) -> None:
    book = state.books.get(tranche)
    if book is not None and book.gpus:
        now = settled_book(book, at)
        state.books[tranche] = now._replace(waiting=now.waiting + gpus)
