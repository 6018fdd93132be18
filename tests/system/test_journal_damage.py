"""A journal that was cut or changed behind our back: found, and never read as if it were whole.

Two things cannot be found from the file alone. Records missing at the very end, when the log beside the file was
lost: what remains is a valid shorter journal (a snapshot shows it, see tests/loop/test_replay.py). And a changed byte
where SQLite keeps nothing, or nothing that changes what is read: then what is read is what was written.
"""

from __future__ import annotations

import os
import random
import sqlite3
from pathlib import Path

import pytest

from forebay.journals import sqlite_file
from forebay.journals.sqlite import SqliteJournal, SqliteReader
from forebay.loop import codec, ports
from tests.journals import records

COUNT = 600


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("journal") / "journal"
    journal = SqliteJournal(path)
    for _ in range(COUNT // 20):
        journal.append(journal.head()[0], records.after(journal.head(), 10, 2))
    journal.close()
    return path.read_bytes()


def read(path: Path) -> list[ports.Stored]:
    """All records, verified."""
    sqlite_file._seen.clear()
    reader = SqliteReader(path)
    try:
        codec.verify(reader.read())
        return list(reader.read())
    finally:
        reader.close()


def test_a_journal_cut_anywhere_is_found_damaged(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    pages = len(whole) // 4096
    cuts = [
        1,
        2,
        100,
        4095,
        4096,
        4097,
        3 * 4096,
        (pages - 1) * 4096,
        len(whole) - 100,
        len(whole) - 1,
        len(whole),
    ]
    for cut in cuts:
        path.write_bytes(whole[: len(whole) - cut])
        with pytest.raises(ports.Damaged):
            read(path)
    path.write_bytes(whole)
    assert len(read(path)) == COUNT


def test_a_changed_byte_is_found_or_changes_nothing(whole: bytes, tmp_path: Path) -> None:
    """The seed is fixed; pages are full of records, so that nearly every change is found."""
    path = tmp_path / "journal"
    path.write_bytes(whole)
    written = read(path)
    chance = random.Random(20)
    found = 0
    for _ in range(300):
        place = chance.randrange(len(whole))
        data = bytearray(whole)
        data[place] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        try:
            assert read(path) == written, f"the change at byte {place} went unseen"
        except (ports.Damaged, ports.Unsupported):
            found += 1
    assert found > 250


def test_damage_names_the_last_good_record(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    place = whole.index(b"[201,")
    path.write_bytes(whole[:place] + b"\0" + whole[place + 1 :])
    with pytest.raises(ports.Damaged, match="record 201 is not as it was written") as caught:
        read(path)
    assert caught.value.last_good_seq == 200


def test_a_page_overwritten_is_reported_with_the_last_good_record(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    last = whole.rindex(b'"c599"') // 4096
    path.write_bytes(whole[: last * 4096] + os.urandom(4096) + whole[(last + 1) * 4096 :])
    with pytest.raises(ports.Damaged) as caught:
        read(path)
    assert 400 < caught.value.last_good_seq < COUNT
    assert caught.value.last_good_seq % 2 == 0
    sqlite_file._seen.clear()
    journal = SqliteJournal(path)
    with pytest.raises(ports.Damaged) as caught:
        journal.head()
    journal.close()
    assert 400 < caught.value.last_good_seq < COUNT


def test_a_journal_without_its_epoch_is_not_written_to(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(whole)
    database = sqlite3.connect(path)
    database.execute("DELETE FROM meta")
    database.commit()
    database.close()
    with pytest.raises(ports.Damaged, match="lost its epoch"):
        SqliteJournal(path)
    assert len(read(path)) == COUNT
