"""What is kept of work that is over? Its name and last generation, for a while; its history is in the journal."""

from __future__ import annotations

from forebay.core.placements import chains
from forebay.core.placements.gang import Phase
from forebay.core.placements.state import State

#: Far more than any engine remembers.
SPENT_MAX = 100_000


def drop_ended(state: State) -> None:
    """Finished work leaves the live state (its history stays in the journal)."""
    gone = [(n, g.reason) for n, g in state.gangs.items() if g.phase is Phase.ENDED and not g.returns_at]
    for name, _ in gone:
        state.spent[name] = state.gangs.pop(name).generation
    chains.record_gone(state.chains, gone)
    # What starts are learned of later lies in a period that is closed.
    state.unheard = {}
    for name in list(state.spent)[: max(0, len(state.spent) - SPENT_MAX)]:
        del state.spent[name]
