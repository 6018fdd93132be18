"""Who comes first of those that are short enough, and is it who a look at everybody finds?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from forebay.core.placements.shortest import Shortest


def test_the_first_that_is_short_enough() -> None:
    row = Shortest([("a", 50), ("b", 10), ("c", 30)])
    assert row.first(60) == (0, "a")
    assert row.first(49) == (1, "b")
    assert row.first(9) is None
    row.drop(1)
    assert row.first(49) == (2, "c")


def test_a_full_row_takes_nobody() -> None:
    row: Shortest[int] = Shortest([])
    assert row.first(10**9) is None
    grown = 0
    while row.append(grown, 100 - grown):
        grown += 1
    assert row.first(100 - (grown - 1)) == (grown - 1, grown - 1)


@given(
    st.lists(st.integers(0, 20), max_size=40),
    st.lists(st.tuples(st.sampled_from(["append", "drop", "first"]), st.integers(0, 20)), max_size=60),
)
def test_it_is_who_a_look_at_everybody_finds(lengths: list[int], steps: list[tuple[str, int]]) -> None:
    row = Shortest([(n, length) for n, length in enumerate(lengths)])
    plain: dict[int, int] = dict(enumerate(lengths))
    for what, number in steps:
        if what == "append":
            place = len(lengths)
            if row.append(place, number):
                lengths.append(number)
                plain[place] = number
        elif what == "drop" and number in plain:
            row.drop(number)
            del plain[number]
        expected = next((place for place in sorted(plain) if plain[place] <= number), None)
        assert row.first(number) == (None if expected is None else (expected, expected))
