"""What is recorded about who waits for whom: the rest is tried in test_arrays, through the World."""

from __future__ import annotations

from forebay.core.ids import GangId
from forebay.core.placements import chains
from tests.core.plant import spec


def test_one_that_waits_twice_for_one_that_fails_and_for_another() -> None:
    """Told once that it can never start, it is not told otherwise by the next that is over."""
    known = chains.Chains()
    first, second = (chains.After(GangId(name)) for name in ("first", "second"))
    again = chains.After(GangId("first"), chains.Precondition.FAILED)
    chains.record_submitted(known, {}, spec("next", after=(first, again, second)))
    settled: dict[GangId, None] = {}
    chains.record_over(known, {}, spec("first"), "completed", settled)
    assert known.waits[GangId("next")].failed_by == "first"
    chains.record_over(known, {}, spec("second"), "completed", settled)
    assert known.waits[GangId("next")].failed_by == "first"
    assert [*settled] == ["next"]
