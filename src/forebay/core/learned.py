"""What does news that comes late do to the books? Of a node that was out or well in the past, and of work that was
over, or had run, before anybody said so.

The books take each fact from when it took effect, and decisions from when they were made: what held a node until its
engine said that it had ended was idle there since its end.
"""

from __future__ import annotations

from collections.abc import Sequence

from forebay.core import claims, curtailed, supply, usage
from forebay.core.books import Stay, settled_book
from forebay.core.ids import Event, NodeIndex
from forebay.core.placements import downtimes, unheard
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import Gang
from forebay.core.placements.index import each_node
from forebay.core.placements.sheddings import CURTAILED
from forebay.core.placements.state import Held
from forebay.core.placements.state import State as Placements
from forebay.core.timeline import Interval

_METERED = (
    gangs.GangPlaced,
    gangs.GangStarted,
    gangs.GangEnded,
    gangs.NodesReturned,
    gangs.ReclaimOverdue,
    gangs.GangWithdrawn,
    unheard.GangStartLearned,
)
#: Events about gangs that the books know of.
METERED: frozenset[type[Event]] = frozenset(_METERED)


def books_follow_supply(
    state: usage.State, held: Held, placements: Placements, claimed: claims.State, supplied: supply.State,
    event: Event, turns: Sequence[supply.NodeTurn], at: int,
) -> None:  # fmt: skip
    """An event of supply was applied; `turns` are nodes that it took out or brought back."""
    downtimes.note_nodes(state.downtimes, supplied, event, turns, at)
    if turns:
        usage.on_nodes(state, held, placements, claimed, supplied, turns, at)
    elif isinstance(event, supply.NodeHealthLearned) and event.since_at < event.until_at:
        downtimes.learn_stretch(
            state.downtimes, event.node, event.since_at, event.until_at, event.reason, healthy=event.healthy
        )
        _learned_health(state, held, placements, claimed, supplied, event, at)


def _learned_health(
    state: usage.State, held: Held, placements: Placements, claimed: claims.State, supplied: supply.State,
    event: supply.NodeHealthLearned, at: int,
) -> None:  # fmt: skip
    """A node was out, or well, for a while: for whoever had it in service."""
    node = event.node
    for tranche in claims.in_service_of(claimed, [node]).get(node, ()):
        since = max(event.since_at, claims.held_since(tranche, node))
        until = min(event.until_at, tranche.ended_at or event.until_at)
        if since >= until:
            continue
        name = tranche.plan.id
        stays = []
        if tranche.standing is claims.Standing.LIVE:
            here = ((placements.gangs[each], gpus) for each, gpus in usage.held_on(held, placements, node))
            stays = [
                Stay(gpus, gang.placed_at, bool(gang.lender))
                for gang, gpus in here
                if name not in state.overdue.get(gang.spec.id, ())
            ]
        gpus = supplied.skus[tranche.plan.sku].gpus_per_node
        usage.move_late(state, usage.LateNews(name, node, gpus, since, until, event.healthy), stays)


def books_follow_gang(
    state: usage.State,
    placements: Placements,
    claimed: claims.State,
    supplied: supply.State,
    event: Event,
    at: int,
) -> None:
    """What an event about a gang does to the books; `placements` is still as it was before the event."""
    if isinstance(event, unheard.GangStartLearned):
        gang = placements.unheard[event.gang].gang
        key = usage.key_of(gang)
        usage.shift_use(state, key, gang.spec.gpus, event.effective_at, at, starts=1)
        usage.shift_use(state, key, -gang.spec.gpus, event.ended_at, at)
        return
    if isinstance(event, gangs.GangEnded) and event.effective_at < at and not event.returns_at:
        gang = placements.gangs[event.gang]
        tranche = gang.lender or gang.spec.tranche
        if tranche and tranche not in state.overdue.get(event.gang, ()):
            _held_idle(state, claimed.tranches[tranche], gang, event, at)
    usage.meter_gang(state, placements, claimed, supplied, event, at)
    if isinstance(event, gangs.GangEnded):
        if event.reason == CURTAILED and curtailed.gave_up_power(placements.gangs[event.gang], event):
            curtailed.begin_waiting(state, placements, claimed, event, at)
    elif state.waiting:
        curtailed.follow_gang(state, placements, event, at)


def _held_idle(
    state: usage.State, tranche: claims.Tranche, gang: Gang, event: gangs.GangEnded, at: int
) -> None:
    """What a gang held since its end was idle, as far as it was deliverable, in the period that is open; or lost,
    where it had given up its power.
    """
    name, ended_at = tranche.plan.id, event.effective_at
    lost = curtailed.gave_up_power(gang, event)
    if name not in state.books:
        return
    starts = [start for start in usage.starts_known(state, name) if start >= state.period_start]
    until = min(at, tranche.ended_at or at)
    for start, end in zip(starts, [*starts[1:], until], strict=True):
        held_us = 0
        for number, mask in each_node(gang.runs):
            node = NodeIndex(number)
            since = max(ended_at, gang.placed_at, start, claims.held_since(tranche, node))
            if since < end and usage.holds(tranche, node):
                out_us = downtimes.out_us(state.downtimes, node, Interval(since, end))
                held_us += mask.bit_count() * (end - since - out_us)
        open_ = start == starts[-1]
        book = settled_book(state.books[name], at) if open_ else state.pieces[name, start]
        if gang.lender:
            book = book._replace(lent_gpu_us=book.lent_gpu_us - min(held_us, book.lent_gpu_us))
        else:
            held_us = min(held_us, book.used_gpu_us)
            book = book._replace(
                used_gpu_us=book.used_gpu_us - held_us,
                curtailed_gpu_us=book.curtailed_gpu_us + (held_us if lost else 0),
            )
        if open_:
            state.books[name] = book
        else:
            state.pieces[name, start] = book
