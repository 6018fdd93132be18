"""What every journal does, whatever it keeps its records in: one suite, run for each kind (as `TestContract`)."""

from __future__ import annotations

import threading
from typing import Protocol

import pytest

from forebay.loop import codec, ports
from tests.journals import records


class Store(Protocol):
    """Where one journal is kept, to be opened any number of times."""

    def writer(self, *, takeover: bool = False) -> ports.Journal: ...

    def reader(self) -> ports.Journal: ...


class JournalContract:
    """A kind of journal passes when a subclass has a fixture `store` of its kind."""

    def test_an_empty_journal_stands_at_genesis(self, store: Store) -> None:
        journal = store.writer()
        assert journal.head() == (0, codec.GENESIS)
        assert list(journal.read()) == []
        journal.close()

    def test_records_come_back_as_they_were_stored(self, store: Store) -> None:
        journal = store.writer()
        written = records.first(7, 2)
        journal.append(0, written[:3])
        journal.append(3, written[3:4])
        journal.append(4, written[4:])
        assert journal.head() == (14, written[-1].digest)
        assert list(journal.read()) == written
        assert all(type(each) is ports.Stored for each in journal.read())
        journal.close()

    @pytest.mark.parametrize(
        ("after", "limit", "expected"),
        [
            (0, None, 5),
            (2, None, 3),
            (5, None, 0),
            (9, None, 0),
            (-1, None, 5),
            (0, 2, 2),
            (3, 9, 2),
            (0, 0, 0),
        ],
    )
    def test_read_begins_after_and_ends_at_a_limit(
        self, store: Store, after: int, limit: int | None, expected: int
    ) -> None:
        journal = store.writer()
        written = records.first(5)
        journal.append(0, written)
        found = list(journal.read(after, limit))
        assert found == written[max(after, 0) :][:limit]
        assert len(found) == expected
        journal.close()

    def test_what_was_appended_is_there_for_the_next_writer(self, store: Store) -> None:
        journal = store.writer()
        journal.append(0, records.first(3))
        journal.close()
        journal.close()
        again = store.writer()
        assert again.head()[0] == 3
        again.append(3, records.after(again.head(), 2))
        assert codec.verify(again.read()) == again.head()
        again.close()

    def test_an_append_elsewhere_than_at_the_end_is_fenced(self, store: Store) -> None:
        journal = store.writer()
        journal.append(0, records.first(3))
        for expected in (0, 2, 4):
            with pytest.raises(ports.Fenced, match=rf"ends at record 3, not {expected}"):
                journal.append(expected, records.after((expected, codec.GENESIS), 1))
        assert journal.head()[0] == 3
        journal.close()

    def test_records_that_do_not_follow_are_our_bug(self, store: Store) -> None:
        journal = store.writer()
        with pytest.raises(AssertionError):
            journal.append(0, records.first(3)[1:])
        assert journal.head()[0] == 0
        journal.close()

    def test_an_empty_batch_is_nothing(self, store: Store) -> None:
        journal = store.writer()
        journal.append(0, [])
        assert journal.head()[0] == 0
        journal.close()

    def test_a_second_writer_is_refused_at_the_door(self, store: Store) -> None:
        first = store.writer()
        with pytest.raises(ports.Locked):
            store.writer()
        first.append(0, records.first(1))
        first.close()
        store.writer().close()

    def test_a_writer_that_was_taken_over_is_fenced_and_its_batch_is_not_there(self, store: Store) -> None:
        first = store.writer()
        first.append(0, records.first(2))
        second = store.writer(takeover=True)
        with pytest.raises(ports.Fenced, match="taken"):
            first.append(2, records.after(first.head(), 1))
        second.append(2, records.after(second.head(), 1, text="second"))
        with pytest.raises(ports.Fenced):
            first.append(3, records.after(second.head(), 1))
        assert [b"second" in each.data for each in second.read()] == [False, False, True]
        first.close()
        second.close()

    def test_a_reader_sees_what_is_durable_while_the_writer_goes_on(self, store: Store) -> None:
        writer = store.writer()
        writer.append(0, records.first(2))
        reader = store.reader()
        assert reader.head() == writer.head()
        walk = reader.read()
        assert next(walk).seq == 1
        writer.append(2, records.after(writer.head(), 3000))
        assert [each.seq for each in walk] in (list(range(2, 3003)), [2])
        assert codec.verify(reader.read()) == writer.head()
        reader.close()
        writer.close()

    def test_any_thread_may_read(self, store: Store) -> None:
        journal = store.writer()
        journal.append(0, records.first(10))
        found: list[int] = []
        threads = [
            threading.Thread(target=lambda: found.append(len(list(journal.read())) + journal.head()[0]))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [20] * 4
        journal.close()

    def test_a_closed_journal_says_so(self, store: Store) -> None:
        journal = store.writer()
        journal.close()
        for use in (journal.head, journal.read, lambda: journal.append(0, records.first(1))):
            with pytest.raises(ports.JournalError, match="closed"):
                use()

    def test_large_records_and_large_batches(self, store: Store) -> None:
        journal = store.writer()
        written = records.first(1, text="x" * 5_000_000)
        written += records.after((1, written[0].digest), 5000)
        journal.append(0, written)
        assert codec.verify(journal.read()) == journal.head() == (5001, written[-1].digest)
        journal.close()
