"""The codec: bytes that never change, a chain that shows any change, and bodies of other versions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.core import ids
from forebay.loop import codec, ports
from tests.loop import toy
from tests.loop.rig import OPERATOR, Rig, ask, pay, remind

# A journal as it was written at format 1. These bytes and digests may never change: they are in people's files.
GOLDEN_BYTES = rb"""
[1,1000,"Paid",1,"c1",0,1,"op-1","operator","",0,{"account":"a","amount":3,"runs":[[1,3,255]],"notes":{"z":1,"a":2}}]
[2,2000,"Paid",1,"c2",0,2,"u-7","tenant","t-1",1,{"account":"a","amount":-1,"runs":[],"notes":{}}]
[3,2000,"Paid",1,"c2",1,2,"u-7","tenant","t-1",1,{"account":"a","amount":-1,"runs":[],"notes":{}}]
[4,2000,"ReminderSet",1,"c4",0,1,"op-1","operator","",0,{"account":"AA\"x","due":2500,"again_us":0,"times":0,"mood":"calm","bomb":false,"inner":null}]
[5,2500,"Reminded",3,"c5",0,1,"clock","clock","",0,{"account":"AA\"x","due":2500,"number":4,"mood":"calm"}]
""".replace(b"AA", b"\xc3\xa5").split(b"\n")[1:-1]
GOLDEN_DIGESTS = [
    "9a9ee7d71b4e8d2f808be159aed78d7415bdaa1b3ab8de47e3736167e40e1615",
    "391ea1bd351bbedbdeeedb71ee442a30ad68b055e978da0702a27aeecc132bd6",
    "cd93e8f4a3923ec54a49a468bc17fc1b81327ac27d6a4ddaa0c8d5e910b2185b",
    "2c7896489b9b37e03fe976e2197af146376b9b1fa4ec2e88edf777dc94aa33b3",
    "b9e9fb40f61cce4b1e3354c6b9c6c0d9160c9db4620361693849d367d7c82d27",
]
GOLDEN = list(zip(GOLDEN_BYTES, GOLDEN_DIGESTS, strict=True))


def golden() -> list[ports.Stored]:
    return [
        ports.Stored(seq, data, bytes.fromhex(digest)) for seq, (data, digest) in enumerate(GOLDEN, start=1)
    ]


def test_what_is_written_is_what_was_always_written() -> None:
    rig = Rig()
    tenant = ids.Principal("u-7", ids.Role.TENANT, ids.TenantId("t-1"))
    rig.loop.step([pay("a", 3)])
    rig.clock.set(2000)
    rig.loop.step([ask(toy.Spend(toy.AccountId("a"), 2, 2), tenant, cause=1), remind(2500, 'å"x')])
    rig.clock.set(3000)
    rig.loop.step()
    assert list(rig.journal.read()) == golden()


def test_what_was_written_is_read() -> None:
    assert codec.GENESIS.hex() == "4363c110a9171a9507131a10d300ef822990f791808cea6d43e51c4f3d604678"
    assert codec.verify(golden()) == (5, bytes.fromhex(GOLDEN[-1][1]))
    digest = codec.GENESIS
    for data, expected in GOLDEN:
        digest = codec.chain(digest, data)
        assert digest.hex() == expected
    reader = codec.Codec(toy.World.EVENTS)
    events = [reader.decode(codec.envelope(record)) for record in golden()]
    assert events[0] == toy.Paid(toy.AccountId("a"), 3, (toy.Run(1, 3, 255),), {"z": 1, "a": 2})
    assert events[4] == toy.Reminded(toy.AccountId('å"x'), 2500, 4, toy.Mood.CALM)


TEXT = st.text(max_size=20)
EVENTS = st.one_of(
    st.builds(
        toy.Paid,
        TEXT.map(toy.AccountId),
        st.integers(-(2**90), 2**90),
        st.lists(st.builds(toy.Run, *[st.integers()] * 3), max_size=3).map(tuple),
        st.dictionaries(TEXT, st.integers(), max_size=3),
    ),
    st.builds(toy.Reminded, TEXT.map(toy.AccountId), st.integers(), st.integers(), st.sampled_from(toy.Mood)),
    st.builds(
        toy.ReminderSet,
        TEXT.map(toy.AccountId),
        st.integers(),
        st.integers(),
        st.integers(),
        st.sampled_from(toy.Mood),
        st.booleans(),
        st.none() | st.builds(toy.Inner, st.lists(TEXT, max_size=2).map(tuple)),
    ),
)


@given(st.lists(st.lists(EVENTS, min_size=1, max_size=4), max_size=6))
def test_events_come_back_as_they_went(commands: list[list[ids.Event]]) -> None:
    both = codec.Codec(toy.World.EVENTS)
    records: list[ports.Stored] = []
    seq, digest = 0, codec.GENESIS
    for events in commands:
        records += both.encode(seq, digest, 5, f"c{seq + 1}", OPERATOR, 0, events)
        seq, _, digest = records[-1]
    walked = [[both.decode(record) for record in command] for command in codec.Walk(records)]
    assert walked == commands


# The chain shows any change.


def at(record: int, **change: Any) -> Callable[[list[ports.Stored]], None]:
    """Changes a record's envelope, and makes the chain fit again from there."""

    def do(records: list[ports.Stored]) -> None:
        envelope = msgspec.structs.replace(codec.envelope(records[record]), **change)
        records[record] = records[record]._replace(data=msgspec.json.encode(envelope))
        digest = records[record - 1].digest if record else codec.GENESIS
        for number in range(record, len(records)):
            digest = codec.chain(digest, records[number].data)
            records[number] = records[number]._replace(digest=digest)

    return do


def flip(records: list[ports.Stored]) -> None:
    records[3] = records[3]._replace(data=records[3].data.replace(b"2500", b"2600"))


def drop(records: list[ports.Stored]) -> None:
    del records[1]


def swap(records: list[ports.Stored]) -> None:
    records[3], records[4] = records[4], records[3]


@pytest.mark.parametrize(
    ("change", "text", "last_good"),
    [
        (flip, "record 4 is not as it was written", 3),
        (drop, "record 2 is missing: 3 follows 1", 1),
        (swap, "record 4 is missing: 5 follows 3", 3),
        (lambda records: records.pop(0), "record 1 is missing", 0),
        (lambda records: records.__delitem__(slice(2, None)), "ends inside a command (1 of 2 records)", 1),
        (at(0, seq=2), "record 1 contradicts", 0),
        (at(4, at=1999), "record 5 contradicts", 4),
        (at(1, place=1), "record 2 contradicts", 1),
        (at(2, place=0), "record 3 contradicts", 1),
        (at(2, place=2), "record 3 contradicts", 1),
        (at(2, places=3), "record 3 contradicts", 1),
        (at(2, command_id="c3"), "record 3 contradicts", 1),
        (at(2, at=2001), "record 3 contradicts", 1),
        (at(2, tenant="t-2"), "record 3 contradicts", 1),
        (at(2, cause=0), "record 3 contradicts", 1),
        (at(0, places=0), "record 1 contradicts", 0),
        (at(2, version="1"), "record 3 cannot be decoded", 1),
    ],
)
def test_verify_finds(change: Callable[[list[ports.Stored]], None], text: str, last_good: int) -> None:
    records = golden()
    change(records)
    with pytest.raises(ports.Damaged) as caught:
        codec.verify(records)
    assert text in str(caught.value)
    assert str(caught.value).endswith(f"the last good record is {last_good}")
    assert caught.value.last_good_seq == last_good


def test_verify_can_begin_anywhere_and_cut_at_the_last_whole_command() -> None:
    records = golden()
    assert codec.verify(records[3:], 3, records[2].digest) == (5, records[4].digest)
    walk = codec.Walk(records[:2], cut=True)
    assert [len(command) for command in walk] == [1]
    assert (walk.seq, walk.digest) == (1, records[0].digest)


@given(st.data())
def test_any_changed_byte_of_any_record_is_found(data: st.DataObject) -> None:
    records = golden()
    place = data.draw(st.integers(0, len(records) - 1))
    record = records[place]
    in_digest = data.draw(st.booleans())
    raw = bytearray(record.digest if in_digest else record.data)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    changed = bytes(raw)
    records[place] = record._replace(digest=changed) if in_digest else record._replace(data=changed)
    with pytest.raises(ports.Damaged):
        codec.verify(records)


# Bodies of other versions.


def reading(events: list[type[ids.Event]], body: str, version: int = 1, **upcasters: Any) -> ids.Event:
    steps = {("Moved", int(name[1:])): step for name, step in upcasters.items()}
    data = f'[7,5,"Moved",{version},"c7",0,1,"a","operator","",0,{body}]'.encode()
    return codec.Codec(events, steps).decode(codec.envelope(ports.Stored(7, data, b"")))


@dataclass(slots=True)
class Moved(ids.Event):
    VERSION: ClassVar[int] = 3
    place: str
    #: Metres; in version 1 in feet, as `feet`.
    metres: int
    #: New in version 3.
    inner: toy.Inner = field(default_factory=toy.Inner)


def in_metres(body: dict[str, Any]) -> dict[str, Any]:
    return {"place": body["place"], "metres": body["feet"] * 3048 // 10000}


def test_older_bodies_are_brought_up_step_by_step() -> None:
    expected = Moved("here", 304)
    assert reading([Moved], '{"place":"here","feet":1000}', 1, v1=in_metres) == expected
    assert reading([Moved], '{"place":"here","metres":304}', 2, v1=in_metres) == expected
    assert reading([Moved], '{"metres":304,"inner":{"words":[]},"place":"here"}', 3) == expected


@pytest.mark.parametrize(
    ("body", "version", "error", "text"),
    [
        (
            '{"place":"x","metres":1}',
            4,
            ports.Unsupported,
            "record 7 is a Moved of version 4; this forebay knows",
        ),
        ('{"place":"x","metres":1,"speed":2}', 3, ports.Unsupported, "'speed'"),
        ('{"place":"x","metres":1,"inner":{"words":[],"tone":"c"}}', 3, ports.Unsupported, "'inner.tone'"),
        ('{"place":"x","metres":1.0}', 3, ports.Damaged, "Expected `int`, got `float`"),
        ('{"place":"x"}', 3, ports.Damaged, "missing required field `metres`"),
        ('{"place":"x","metres":"1"}', 3, ports.Damaged, "Expected `int`"),
        ('{"place":"x"}', 1, ports.Damaged, "cannot be brought from version 1 to 3: KeyError: 'feet'"),
    ],
)
def test_bodies_that_are_refused(body: str, version: int, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        reading([Moved], body, version, v1=in_metres)
    assert text in str(caught.value)


def test_a_kind_that_nobody_knows_is_newer_than_we_are() -> None:
    with pytest.raises(
        ports.Unsupported, match=r"record 7 is a Moved \(version 1\).* written by a newer forebay"
    ):
        reading([], "{}")


def test_only_declared_kinds_are_written_and_no_two_share_a_name() -> None:
    with pytest.raises(TypeError, match="Moved is not among the kinds"):
        codec.Codec([]).encode(0, codec.GENESIS, 0, "c1", OPERATOR, 0, [Moved("x", 1)])
    with pytest.raises(ValueError, match="two kinds of event are called Moved"):
        codec.Codec([Moved, Moved])
