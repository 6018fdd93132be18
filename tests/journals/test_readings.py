"""The store of readings: in any order the same hours, nothing twice, and a batch that waits until it is recorded."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core.units import HOUR_US, MICROS
from forebay.journals.readings import SqliteReadings
from forebay.loop.ports import JournalError
from forebay.loop.readings import Batch, Metered, Reading, ReadingKind

NODE = Metered(ReadingKind.ENERGY, "r1-n01", 0, 10_000)
START = 1000 * HOUR_US
LATER = START + 10 * HOUR_US


def reading(name: str, minute: int, value: int, meter: Metered = NODE) -> Reading:
    return Reading(name, meter, START + minute * 60 * MICROS, value)


def told(store: SqliteReadings, *readings: Reading, source: str = "bmc") -> tuple[list[str], Batch | None]:
    results = store.file(source, readings, LATER)
    batch = store.pending()
    if batch is not None:
        store.recorded(batch.batch)
    return results, batch


def hours(batch: Batch | None) -> list[tuple[int, int, int, int]]:
    """Node, minutes from the start, covered minutes, energy."""
    assert batch is not None
    return [
        (each.node, (each.start - START) // 60 // MICROS, each.covered_us // 60 // MICROS, each.energy_uj)
        for each in batch.energy
    ]


def test_hours_are_told_as_they_grow(tmp_path: Path) -> None:
    store = SqliteReadings(tmp_path / "readings.sqlite")
    _, first = told(store, reading("a", 0, 100), reading("b", 30, 400))
    assert hours(first) == [(0, 0, 30, 300)]
    store.close()
    store = SqliteReadings(tmp_path / "readings.sqlite")
    _, second = told(store, reading("c", 60, 700), reading("d", 90, 1300))
    assert hours(second) == [(0, 0, 60, 600), (0, 60, 30, 600)]
    assert second is not None
    assert (second.batch, second.source, second.size, second.end - second.start) == (
        2,
        "bmc",
        2,
        HOUR_US // 2,
    )
    # One that comes late makes its hour anew.
    _, third = told(store, reading("e", 45, 500))
    assert hours(third) == [(0, 0, 60, 600)]
    assert store.tallies()[0].counts == {"accepted": 5, "gap": 2, "late": 5, "out_of_order": 1}
    store.close()


def test_a_spike_is_taken_back_when_it_is_seen_to_be_one() -> None:
    """In ten hours a node may draw 50 kWh; when a reading in between shows that it was a minute, it may not."""
    store = SqliteReadings(":memory:")
    spike = 50_000 * HOUR_US
    _, first = told(store, reading("a", 0, 0), reading("b", 600, spike))
    assert len(hours(first)) == 10
    _, second = told(store, reading("c", 599, 0))
    assert [each[2:] for each in hours(second)] == [(60, 0)] * 9 + [(59, 0)]
    assert store.tallies()[0].counts["over_rating"] == 1
    _, third = told(store, reading("d", 599 - 60, 0), reading("e", 1, spike))
    assert sum(each[3] for each in hours(third)) == 0
    store.close()


def test_the_same_reading_once_more_is_a_duplicate_and_another_source_is_refused() -> None:
    store = SqliteReadings(":memory:")
    power = Metered(ReadingKind.POWER, "r1")
    assert told(store, reading("a", 0, 1), reading("a", 0, 1))[0] == ["accepted", "duplicate"]
    results, batch = told(store, reading("a", 0, 1), reading("b", 5, 2), reading("p", 6, 0, power))
    assert results == ["duplicate", "accepted", "accepted"]
    assert batch is not None
    assert batch.size == 2
    assert told(store, reading("a", 0, 1))[1] is None
    assert told(store, reading("z", 9, 3), source="other")[0] == ["other_source"]
    store.count("other", {"sentinel": 2})
    assert [(each.source, each.counts) for each in store.tallies()] == [
        ("bmc", {"accepted": 3, "duplicate": 3, "late": 3}),
        ("other", {"other_source": 1, "sentinel": 2}),
    ]
    store.close()


def test_a_batch_waits_until_it_is_recorded(tmp_path: Path) -> None:
    store = SqliteReadings(tmp_path / "readings.sqlite")
    store.file("bmc", [reading("a", 0, 100), reading("b", 30, 400)], LATER)
    before = store.pending()
    with pytest.raises(AssertionError):
        store.file("bmc", [reading("c", 31, 500)], LATER)
    store.close()
    store = SqliteReadings(tmp_path / "readings.sqlite")
    assert store.pending() == before
    assert before is not None
    store.recorded(before.batch)
    assert store.pending() is None
    store.close()


def test_nothing_is_kept_of_a_batch_that_fails(tmp_path: Path) -> None:
    path = tmp_path / "readings.sqlite"
    store = SqliteReadings(path)
    told(store, reading("a", 0, 100))
    other = sqlite3.connect(path)
    other.execute("CREATE TRIGGER full BEFORE INSERT ON batches BEGIN SELECT raise(ABORT, 'full'); END")
    with pytest.raises(JournalError, match="full"):
        store.file("bmc", [reading("b", 30, 400)], LATER)
    other.execute("DROP TRIGGER full")
    other.close()
    _, batch = told(store, reading("b", 30, 400))
    assert hours(batch) == [(0, 0, 30, 300)]
    store.close()
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(JournalError, match="not a database"):
        SqliteReadings(path)


STEPS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 10**6)), min_size=2, max_size=12)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.randoms(use_true_random=False))
def test_any_order_of_readings_gives_the_same_hours(steps: list[tuple[int, int]], random: object) -> None:
    """Whatever their order, in whichever batches, some of them twice: the last word on every hour is the same."""
    all_of_them = [reading(f"i{n}", minute, value) for n, (minute, value) in enumerate(steps)]

    def last_words(order: list[Reading], size: int) -> dict[int, tuple[int, int, int]]:
        store = SqliteReadings(":memory:")
        found = {}
        for first in range(0, len(order), size):
            _, batch = told(store, *order[first : first + size])
            for each in batch.energy if batch else ():
                found[each.start // HOUR_US] = (each.covered_us, each.energy_uj, each.end)
        store.close()
        return found

    shuffled = [*all_of_them, *all_of_them[::2]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    whole = last_words(all_of_them, len(all_of_them))
    assert last_words(shuffled, 1) == whole
    assert last_words(shuffled, 3) == whole
