"""What is kept of engines: from which record on runs have a lease, and who serves which site."""

from __future__ import annotations

from forebay.core.ids import SiteId
from forebay.core.placements import heartbeats
from forebay.core.placements.failing import Failing

NORTH, SOUTH = SiteId("north"), SiteId("south")


def test_a_run_has_the_lease_that_was_asked_for_when_it_was_placed() -> None:
    leases = ((10, 60), (20, 0), (30, 90))
    assert [heartbeats.lease_at(leases, seq) for seq in (9, 10, 19, 20, 30, 99)] == [0, 60, 60, 0, 90, 90]
    assert heartbeats.lease_at((), 5) == 0


def test_engines_overlap_where_they_would_serve_one_site() -> None:
    assert heartbeats.overlap((), (NORTH,))
    assert heartbeats.overlap((NORTH,), ())
    assert heartbeats.overlap((NORTH,), (SOUTH, NORTH))
    assert not heartbeats.overlap((NORTH,), (SOUTH,))


def test_another_time_of_silence_counts_from_when_it_is_asked_for() -> None:
    kept = heartbeats.Engines({"a": heartbeats.Engine((), 5), "b": heartbeats.Engine((), 5, silent_at=7)})
    copied = kept.copy()
    kept.record_policy(Failing(), Failing(engine_silent_s=60, engine_fence_s=90), at=9, seq=3)
    assert [engine.heard_at for engine in kept.known.values()] == [9, 5]
    assert kept.leases == ((3, 90),)
    assert copied.known["a"].heard_at == 5
    assert not copied.leases


def test_a_lease_that_is_asked_for_no_more_is_none_from_then_on() -> None:
    kept = heartbeats.Engines({"a": heartbeats.Engine((), 5)}, leases=((3, 90),))
    kept.record_policy(Failing(engine_silent_s=60, engine_fence_s=90), Failing(engine_silent_s=60), 11, 4)
    assert kept.known["a"].heard_at == 5
    assert kept.leases == ((3, 90), (4, 0))
