"""Work that is over leaves its name and last generation behind, for a while."""

from __future__ import annotations

from forebay.core.ids import GangId
from forebay.core.placements import ended
from forebay.core.placements import gang as gangs
from forebay.core.placements import state as states
from forebay.core.placements.gang import Phase
from tests.core import plant
from tests.core.plant import T0


def test_names_are_not_remembered_for_ever() -> None:
    state = states.State()
    state.spent = {GangId(f"g{n}"): 1 for n in range(ended.SPENT_MAX)}
    state.gangs[GangId("last")] = gangs.Gang(plant.spec("last"), Phase.ENDED, 1, T0, 4)
    ended.drop_ended(state)
    assert len(state.spent) == ended.SPENT_MAX
    assert (next(iter(state.spent)), state.spent[GangId("last")]) == ("g1", 4)
