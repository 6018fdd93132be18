"""Records to fill journals with: a chain that continues from anywhere."""

from __future__ import annotations

from forebay.core import ids
from forebay.loop import codec, ports
from tests.loop import toy

_CODEC = codec.Codec(toy.World.EVENTS)
_BY = ids.Principal("op-1", ids.Role.OPERATOR)


def after(head: tuple[int, bytes], count: int, size: int = 1, text: str = "a") -> list[ports.Stored]:
    """`count` commands of `size` events each, following this head."""
    seq, digest = head
    records: list[ports.Stored] = []
    for _ in range(count):
        events = [toy.Paid(toy.AccountId(text), seq + part) for part in range(size)]
        records += _CODEC.encode(seq, digest, seq, f"c{seq + 1}", _BY, 0, events)
        seq, _, digest = records[-1]
    return records


def first(count: int, size: int = 1, text: str = "a") -> list[ports.Stored]:
    return after((0, codec.GENESIS), count, size, text)
