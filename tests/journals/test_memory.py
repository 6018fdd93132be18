"""The journal in memory keeps the contract."""

from __future__ import annotations

import pytest

from forebay.journals.memory import MemoryJournal, Shelf
from forebay.loop import ports
from tests.journals.contract import JournalContract


class InMemory:
    def __init__(self) -> None:
        self.shelf = Shelf()
        self.last = MemoryJournal(self.shelf)
        self.last.close()

    def writer(self, *, takeover: bool = False) -> ports.Journal:
        self.last = MemoryJournal(self.shelf, takeover=takeover)
        return self.last

    def reader(self) -> ports.Journal:
        return self.last  # the process that wrote it is the only one that can read it


class TestContract(JournalContract):
    @pytest.fixture
    def store(self) -> InMemory:
        return InMemory()
