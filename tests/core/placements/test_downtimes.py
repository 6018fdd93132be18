"""When nodes were out, stretch by stretch."""

from __future__ import annotations

from forebay.core.ids import NodeIndex, TrancheId
from forebay.core.placements import downtimes
from forebay.core.placements.downtimes import Downtimes, Outage
from forebay.core.timeline import INSTANT_MAX, Interval

N, T = NodeIndex(1), TrancheId("t1")


def test_a_stretch_that_is_learned_goes_between_the_others() -> None:
    known = Downtimes(out={N: (Outage(10, 20, "node", "xid"), Outage(40, INSTANT_MAX, "rack", "pump"))})
    downtimes.learn_stretch(known, N, 20, 30, "fan", healthy=False)
    assert [each[:2] for each in known.out[N]] == [(10, 20), (20, 30), (40, INSTANT_MAX)]
    assert downtimes.out_us(known, N, Interval(15, 50)) == 5 + 10 + 10
    downtimes.learn_stretch(known, N, 12, 25, "", healthy=True)
    assert [each[:2] for each in known.out[N]] == [(10, 12), (25, 30), (40, INSTANT_MAX)]
    downtimes.learn_stretch(known, N, 0, INSTANT_MAX, "", healthy=True)
    assert known.out == {}


def test_what_was_curtailed_begins_and_ends_once() -> None:
    known = Downtimes()
    downtimes.begin_curtailed(known, T, N, 10, "heat")
    downtimes.begin_curtailed(known, T, N, 12, "again")
    downtimes.end_curtailed(known, T, N, 20)
    downtimes.end_curtailed(known, T, N, 30)
    downtimes.begin_curtailed(known, T, N, 15, "heat")
    assert known.curtailed[T, N] == (
        Outage(10, 20, "curtailment", "heat"), Outage(20, INSTANT_MAX, "curtailment", "heat"),
    )  # fmt: skip
    downtimes.end_curtailed(known, T, N, 20)
    assert len(known.curtailed[T, N]) == 1
    downtimes.forget(known, 21 + downtimes.KEPT_US)
    assert known.curtailed == {}
    # One that was over as it began leaves nothing.
    downtimes.begin_curtailed(known, T, N, 40, "heat")
    downtimes.end_curtailed(known, T, N, 40)
    assert known.curtailed == {}
