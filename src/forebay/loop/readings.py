"""What is a reading, and what does a store of readings answer? The port; `journals.readings` is one."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from forebay.core.energy import NodeEnergy


class ReadingKind(StrEnum):
    """What a meter tells."""

    #: A counter of energy, microjoules.
    ENERGY = "energy"
    #: Power at an instant, watts.
    POWER = "power"
    #: A GPU: its counter of energy, microjoules, and its use in percent.
    GPU = "gpu"


class Metered(NamedTuple):
    """What a meter hangs on. Only the energy counter of a node (`node` not below 0) is shared out among gangs."""

    kind: ReadingKind
    #: Node, rack or feed by its name; a GPU as NODE/GPU.
    subject: str
    node: int = -1
    #: What it can draw at most, watts.
    rating_w: int = 0


class Reading(NamedTuple):
    """One reading: `value` of a counter, `gauge` of an instant."""

    id: str
    meter: Metered
    at: int
    value: int = 0
    gauge: int = 0


class Batch(NamedTuple):
    """What was stored, and is to be recorded."""

    batch: int
    source: str
    start: int
    end: int
    size: int
    digest: str
    energy: tuple[NodeEnergy, ...]


class SourceTally(NamedTuple):
    """What came from a source so far, by what became of it."""

    source: str
    counts: dict[str, int]


class ReadingsStore(Protocol):
    """Where readings are kept, beside the journal. Thread-safe."""

    def pending(self) -> Batch | None:
        """The batch that is stored and not known to be recorded."""
        ...

    def file(self, source: str, readings: Sequence[Reading], received_at: int) -> list[str]:
        """Store what is new, durably; there must be no pending batch. For each: "accepted", "duplicate" or
        "other_source".
        """
        ...

    def recorded(self, batch: int) -> None:
        """The pending batch is on the journal."""
        ...

    def count(self, source: str, what: dict[str, int]) -> None:
        """Add to what became of the readings of a source."""
        ...

    def tallies(self) -> list[SourceTally]:
        """What became of all readings, in order of sources."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...
