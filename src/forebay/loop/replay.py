"""How does a World come back? From its newest snapshot, and the records after it.

Recovery cuts only at the end of a command: events are applied when all of their command have been read and hold.
"""

from __future__ import annotations

import contextlib
import gc
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from forebay.loop import codec, ports, snapshot

W = TypeVar("W", bound=ports.Machine)

#: Records that are decoded, and then applied, at a time.
BATCH = 500

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Folded(Generic[W]):
    """A World, and the chain's digest at its last record."""

    world: W
    digest: bytes = codec.GENESIS


class Replay(Generic[W]):
    """Folds journals into Worlds of one type; `snapshots` is the folder where they may be, None to do without."""

    def __init__(
        self, world: type[W], snapshots: Path | None = None, upcasters: codec.Upcasters = codec.UPCASTERS
    ) -> None:
        self.codec = codec.Codec(world.EVENTS, upcasters)
        self.snapshots = snapshots
        self._world = world
        snapshot.leaves_of(world.STATE)  # refuses at start what could not be stored later

    def latest(self, journal: ports.Journal, *, cut: bool = False) -> Folded[W]:
        """The World after the journal's last record, or with `cut` after its last whole command.

        Raises `ports.Damaged`, `ports.Unsupported`.
        """
        with _uncollected():
            folded = self.begin(journal)
            self.follow(journal, folded, cut=cut)
        return folded

    def begin(self, journal: ports.Journal) -> Folded[W]:
        """The World of the newest usable snapshot, or an empty one."""
        found = snapshot.latest(self.snapshots, self._world.STATE, journal) if self.snapshots else None
        if found is not None:
            header, state = found
            world = self._world.restore(state)
            if world.seq == header.seq:
                return Folded(world, bytes.fromhex(header.digest))
            _log.warning("a snapshot of record %d restores to record %d: passed over", header.seq, world.seq)
        return Folded(self._world())

    def follow(self, journal: ports.Journal, folded: Folded[W], *, cut: bool = False) -> None:
        """Apply every record that the World has not seen yet."""
        self.apply(journal.read(after=folded.world.seq), folded, cut=cut)

    def apply(self, records: Iterable[ports.Stored], folded: Folded[W], *, cut: bool = False) -> None:
        """Apply these records, which must follow the World's last. When it raises, the World is to be discarded."""
        walk = codec.Walk(records, folded.world.seq, folded.digest, cut=cut)
        apply, decode = folded.world.apply, self.codec.decode
        for batch in _batches(walk):
            # Each step over all of them: the processor's caches are too small for all steps at once.
            events = [decode(record) for record in batch]
            for event, record in zip(events, batch, strict=True):
                apply(event, record.at)
        folded.digest = walk.digest
        if folded.world.seq != walk.seq:
            raise AssertionError(f"the World counted {folded.world.seq} events, the journal {walk.seq}")


def _batches(walk: codec.Walk) -> Iterator[list[codec.Envelope]]:
    """Records of whole commands, about `BATCH` at a time."""
    batch: list[codec.Envelope] = []
    for command in walk:
        batch += command
        if len(batch) >= BATCH:
            yield batch
            batch = []
    yield batch


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector: a fold makes many objects and no cycles, and passes over them cost a third.

    What was folded stays, so that it is put out of the collector's sight for good.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.freeze()
            gc.enable()
