"""What any release recorded, this one reads: to the same digest, the same invoices, and with every invariant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from forebay.core import ids
from forebay.core.world import World
from forebay.journals.memory import MemoryJournal, Shelf
from forebay.loop import codec, ports
from forebay.loop.replay import Replay
from tests.recorded import make

RELEASES = sorted(path.parent for path in make.FOLDER.glob("*/records.txt"))


def records(folder: Path) -> list[ports.Stored]:
    """The recording, chained anew."""
    stored: list[ports.Stored] = []
    digest = codec.GENESIS
    for seq, data in enumerate((folder / "records.txt").read_bytes().splitlines(), 1):
        digest = codec.chain(digest, data)
        stored.append(ports.Stored(seq, data, digest))
    return stored


@pytest.mark.parametrize("folder", RELEASES, ids=lambda folder: folder.name)
def test_a_release_is_read_as_it_was_written(folder: Path) -> None:
    stored = records(folder)
    journal = MemoryJournal(Shelf(stored))
    folded = Replay(World).latest(journal)
    assert folded.digest.hex() == (folder / "digest").read_text().strip()
    assert make.facts(folded.world, stored) == json.loads((folder / "end.json").read_text(encoding="utf-8"))
    folded.world.check()


def test_every_kind_of_event_is_in_a_recording() -> None:
    found = {
        (envelope.kind, envelope.version)
        for folder in RELEASES
        for envelope in map(codec.envelope, records(folder))
    }
    missing = {(kind.__name__, kind.VERSION) for kind in World.EVENTS} - found
    assert not missing, f"no recording has {sorted(missing)}: see tests/recorded/make.py"


@pytest.mark.parametrize("kind", World.EVENTS, ids=lambda kind: kind.__name__)
def test_a_shape_changes_only_with_its_version(kind: type[ids.Event]) -> None:
    name, version = kind.__name__, kind.VERSION
    known = make.known_shapes().get((name, version))
    assert known is not None, f"tests/recorded/shapes.txt lacks: {name} {version} {make.shape(kind)}"
    assert known == make.shape(kind), (
        f"{name} is recorded with another shape than before, and is still version {version}. Give what is new a "
        f"default, raise VERSION to {version + 1}, add an upcaster where the default is not enough, and add to "
        f"tests/recorded/shapes.txt: {name} {version + 1} {make.shape(kind)}"
    )
