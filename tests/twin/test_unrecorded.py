"""Records that are never written are counted all the same."""

from __future__ import annotations

import pytest

from forebay.core.placements.gang import GangWithdrawn
from forebay.core.world import World
from forebay.journals.digest import DigestJournal
from forebay.loop import codec, ports
from forebay.twin import plants, unrecorded


def test_it_counts_and_keeps_nothing() -> None:
    journal, made = unrecorded.NoJournal(), unrecorded.Unrecorded(World.EVENTS)
    assert list(journal.read()) == []
    event = GangWithdrawn(gang="g", reason="r")  # type: ignore[arg-type]
    journal.append(0, made.encode(0, codec.GENESIS, 1, "c1", plants.OPERATOR, 0, [event, event]))
    assert journal.head() == (2, codec.GENESIS)
    with pytest.raises(ports.Fenced):
        journal.append(0, [])
    with pytest.raises(ports.JournalError, match="only counts"):
        journal.read()
    journal.close()
    assert DigestJournal().head() == (0, codec.GENESIS)
