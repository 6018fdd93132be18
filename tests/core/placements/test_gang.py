from __future__ import annotations

from forebay.core.placements.gang import HOLDING, Gang, Phase
from tests.core import plant


def test_what_holds_gpus() -> None:
    assert {Phase.PLACED, Phase.RUNNING, Phase.STOPPING} == HOLDING


def test_a_recorded_gang_is_replaced_never_changed() -> None:
    gang = Gang(plant.spec(), Phase.PENDING, 1, plant.T0)
    assert gang._replace(phase=Phase.PLACED) != gang
    assert gang.phase is Phase.PENDING
    assert not gang.runs
