"""Are expected ends in order, whatever is added, moved and taken out, and does an outlook say what will be free?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.core import ids
from forebay.core.placements import ends as module
from forebay.core.placements.ends import End, Ends, Foresight, MovedEnd, end_of
from forebay.core.placements.gang import Gang, GangWithdrawn, Phase, Policy, PolicyApplied, Run
from tests.core import plant
from tests.core.placements.racks import made


def end(at: int, name: str, node: int = 0) -> End:
    return End(at, ids.GangId(name), (Run(node, 1, 0xFF),), 1)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12)), max_size=20),
    st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(0, 12)), max_size=60),
)
def test_ends_are_in_order(first: list[tuple[int, int]], steps: list[tuple[int, int | None]]) -> None:
    """Against a plain dict, with pieces so small that they are split and joined."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", 2)
        plain = {f"g{name}": end(at, f"g{name}") for name, at in first}
        ends = Ends()
        ends.watch(list(plain.values()))
        for number, at in steps:
            name = ids.GangId(f"g{number}")
            now = None if at is None else end(at, name)
            was = plain.get(name)
            assert ends.set(name, now) == (None if was == now else MovedEnd(was, now))
            plain.pop(name, None)
            if now is not None:
                plain[name] = now
            for instant in range(-1, 13):
                later = [each.at for each in plain.values() if each.at > instant]
                sooner = [each.at for each in plain.values() if each.at <= instant]
                after = [each for each in plain.values() if later and each.at == min(later)]
                until = [each for each in plain.values() if sooner and each.at == max(sooner)]
                assert sorted(ends.after(instant)) == sorted(after)
                assert sorted(ends.until(instant)) == sorted(until)


def test_nothing_is_noted_before_somebody_asks() -> None:
    ends, event = Ends(), GangWithdrawn(ids.GangId("a"), "cancelled")
    ends.note(event)
    assert not ends.touched
    ends.watch([end(1, "a")])
    ends.note(event)
    ends.note(PolicyApplied(Policy()))
    assert list(ends.touched) == ["a"]
    ends.forget()
    assert (ends.watched, list(ends.touched), ends.after(0)) == (False, [], [])


def test_when_a_gang_is_gone_at_the_latest() -> None:
    """By hand: an hour and 30 s of grace after its start; 30 s after it was told to stop; wiped, if it borrowed."""
    policy = Policy(turnover_s=20)
    waits = Gang(plant.spec("g", walltime_s=3600), Phase.PENDING, 1, 0)
    assert end_of(waits, policy, 7) is None
    placed = waits._replace(phase=Phase.PLACED, placed_at=10 * 10**6, runs=(Run(0, 1, 0xFF),))
    expected = {
        3640: placed,
        3645: placed._replace(started_at=15 * 10**6),
        3660: placed._replace(lender=ids.TrancheId("t1")),
        130: placed._replace(phase=Phase.STOPPING, stopping_at=100 * 10**6),
        77: placed._replace(phase=Phase.ENDED, returns_at=77 * 10**6),
    }
    for at_s, gang in expected.items():
        assert end_of(gang, policy, 7) == End(at_s * 10**6, ids.GangId("g"), gang.runs, 7)


def test_an_outlook_moves_and_follows() -> None:
    index = made([("h", "f", 3)])
    held = [end(10, "a", 0), end(10, "b", 1), end(20, "c", 2)]
    for each in held:
        index.take(each.runs, each.gpu_w)
    free = [index.copy()]
    outlook = Foresight(index)
    outlook.forward(held[:2])
    for each in held[:2]:
        index.release(each.runs, each.gpu_w)
    free.append(index)
    assert (outlook.at, outlook.index.buckets()) == (10, free[1].buckets())
    outlook.back(held[:2])
    assert (outlook.at, outlook.index.buckets()) == (9, free[0].buckets())
    outlook.forward(held[:2])
    # What ends by then is of no account; what ends later is.
    outlook.add(end(10, "d", 0))
    assert outlook.index.buckets() == free[1].buckets()
    later = end(11, "e", 0)
    outlook.add(later)
    outlook.enter([MovedEnd(later, None)])
    assert outlook.index.buckets() == free[1].buckets()


@pytest.mark.parametrize(
    ("was", "now", "changed"),
    [
        (None, 9, False), (None, 10, False), (None, 11, True), (9, None, False), (9, 10, False), (9, 11, True),
        (10, None, True), (10, 9, True), (10, 11, True), (11, None, True), (11, 9, True), (11, 10, False),
        (11, 12, False),
    ],
)  # fmt: skip
def test_when_an_answer_may_be_another(was: int | None, now: int | None, changed: bool) -> None:
    """The first fits at 10 and not before: only less at 10, or more before it, makes a difference."""
    index = made([("h", "f", 1)])
    before = None if was is None else end(was, "a")
    if was is not None:
        index.take(end(was, "a").runs, 1)
    outlook = Foresight(index)
    outlook.at = 10
    if before is not None and before.at <= 10:
        outlook.index.release(before.runs, 1)
    outlook.enter([MovedEnd(before, None if now is None else end(now, "a"))])
    assert outlook.changed is changed
    free = now is None or now <= 10
    assert (outlook.index.room("", ids.SkuId("hgx"), ids.SiteId("north")).whole == 1) is free
