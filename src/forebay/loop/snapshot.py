"""How does forebay start without folding its whole journal? A snapshot: state, bound to the record it stands after.

It is disposable. Whatever does not fit (another format, another shape of state, another journal, a damaged file) is
passed over with a logged reason, and the journal is folded instead. The one thing that is not passed over is a
snapshot later than the journal's end: then records are missing.

    forebay snapshot\\n
    {"format":1,"seq":...,"digest":"...","schema":"..."}\\n
    zlib( frames: leaf (4 bytes), length (8 bytes), JSON )
    SHA-256 of all bytes before (32 bytes)

State is split into *leaves*, the fields of nested dataclasses that are not dataclasses themselves, and large
containers into pieces, so that no single call holds the interpreter for long while the loop waits for it. JSON, not
MessagePack, because sums of money and energy are Python integers and may pass 64 bits; a dict in a leaf is stored as
pairs, so that its keys may be tuples.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import os
import struct
import typing
import zlib
from collections.abc import Iterator
from functools import reduce
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from forebay.loop import ports, schema

FORMAT = 1
MAGIC = b"forebay snapshot\n"
#: Snapshots kept in a folder.
KEPT = 2
#: Entries of a container encoded in one call: some milliseconds.
PIECE = 4096

_FRAME = struct.Struct(">IQ")
_log = logging.getLogger(__name__)


class Header(msgspec.Struct, frozen=True):
    """What a snapshot says of itself."""

    format: int
    #: The record it stands after, and the chain's digest there (hex).
    seq: int
    digest: str
    #: `schema.digest` of the state's type.
    schema: str


class Unfit(Exception):
    """This snapshot cannot be used; the message says why."""


class Leaf(NamedTuple):
    """One leaf of the state: where it is, and how its pieces are read."""

    path: tuple[str, ...]
    #: dict, list, or None for a value that is stored whole.
    container: type | None
    decoder: msgspec.json.Decoder[Any]


def leaves_of(kind: type) -> list[Leaf]:
    """The leaves of a state type, in order. Raises `schema.Unstorable`."""
    schema.describe(kind)
    return list(_leaves(kind, ()))


def _leaves(kind: type, path: tuple[str, ...]) -> Iterator[Leaf]:
    for name, declared in schema.fields(kind):
        leaf = schema.plain(declared)
        here = (*path, name)
        if dataclasses.is_dataclass(leaf) and isinstance(leaf, type):
            yield from _leaves(leaf, here)
            continue
        origin, args = typing.get_origin(leaf), typing.get_args(leaf)
        if origin is dict:
            pairs = list[tuple[args]]  # type: ignore[valid-type]
            yield Leaf(here, dict, msgspec.json.Decoder(pairs))
        elif origin is list:
            yield Leaf(here, list, msgspec.json.Decoder(leaf))
        else:
            yield Leaf(here, None, msgspec.json.Decoder(leaf))


def write(folder: Path, world: ports.Machine, digest: bytes) -> Path:
    """Store the World's state as it is after the record with this digest; older snapshots go. Raises `OSError`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    header = Header(FORMAT, world.seq, digest.hex(), schema.digest(world.STATE))
    path = folder / f"{world.seq:020d}.snapshot"
    draft = folder / f"{path.name}.{os.getpid()}.tmp"
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            seal = sha256()
            for data in _bytes(header, world.state, leaves_of(world.STATE)):
                seal.update(data)
                file.write(data)
            file.write(seal.digest())
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    _sync(folder)
    for old in found(folder)[KEPT:]:
        old.unlink(missing_ok=True)
    return path


def found(folder: Path) -> list[Path]:
    """Snapshots in a folder, the newest first."""
    return sorted(folder.glob("*.snapshot"), reverse=True)


def unseal(path: Path) -> tuple[Header, memoryview]:
    """The header and the packed state, as they were written. Raises `Unfit`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Unfit(f"cannot be read: {error.strerror}") from None
    body = memoryview(data)[:-32]
    if not data.startswith(MAGIC) or sha256(body).digest() != data[-32:]:
        raise Unfit("is damaged")
    end = data.index(b"\n", len(MAGIC))
    return _header(data[len(MAGIC) : end]), body[end + 1 :]


def state(header: Header, packed: memoryview, kind: type) -> Any:
    """The state, when it is of this type. Raises `Unfit`."""
    if header.schema != schema.digest(kind):
        raise Unfit("holds state of another shape")
    try:
        return _state(zlib.decompress(packed), kind)
    except (msgspec.DecodeError, zlib.error, struct.error) as error:
        raise Unfit(f"cannot be decoded: {error}") from None


def latest(folder: Path, kind: type, journal: ports.Journal) -> tuple[Header, Any] | None:
    """The newest usable snapshot of this journal. Raises `ports.Damaged` when one is later than the journal's end."""
    last, _ = journal.head()
    for path in found(folder):
        try:
            header, packed = unseal(path)
            if header.seq > last:
                raise ports.Damaged(
                    f"records are missing: the snapshot {path} stands after record {header.seq}, but the journal "
                    f"ends at record {last}",
                    last,
                )
            record = next(journal.read(after=header.seq - 1, limit=1), None) if header.seq else None
            if header.seq and (record is None or record.digest.hex() != header.digest):
                raise Unfit("belongs to another journal")
            return header, state(header, packed, kind)
        except Unfit as reason:
            _log.warning("snapshot %s %s: passed over", path, reason)
    return None


def _header(line: bytes) -> Header:
    try:
        header = msgspec.json.decode(line, type=Header)
    except msgspec.DecodeError as error:
        raise Unfit(f"has no header: {error}") from None
    if header.format != FORMAT:
        raise Unfit(f"has format {header.format}, not {FORMAT}")
    return header


def _bytes(header: Header, root: Any, leaves: list[Leaf]) -> Iterator[bytes]:
    yield MAGIC
    yield msgspec.json.encode(header) + b"\n"
    # Level 1: a third of the bytes, for less time than a slow disk needs to write the rest.
    packer = zlib.compressobj(1)
    encode = msgspec.json.Encoder().encode
    for number, leaf in enumerate(leaves):
        for piece in _pieces(reduce(getattr, leaf.path, root), leaf.container):
            data = encode(piece)
            yield packer.compress(_FRAME.pack(number, len(data)) + data)
    yield packer.flush()


def _pieces(value: Any, container: type | None) -> Iterator[Any]:
    if container is None:
        yield value
        return
    entries = iter(value.items() if container is dict else value)
    while piece := list(itertools.islice(entries, PIECE)):
        yield piece


def _state(data: bytes, kind: type) -> Any:
    leaves = leaves_of(kind)
    values: list[Any] = [leaf.container() if leaf.container else None for leaf in leaves]
    view, at = memoryview(data), 0
    while at < len(data):
        number, length = _FRAME.unpack_from(data, at)
        at += _FRAME.size
        leaf, piece = leaves[number], view[at : at + length]
        at += length
        read_piece = leaf.decoder.decode(piece)
        if leaf.container is None:
            values[number] = read_piece
        else:
            (values[number].update if leaf.container is dict else values[number].extend)(read_piece)
    return _build(kind, iter(values))


def _build(kind: type, values: Iterator[Any]) -> Any:
    def value(declared: Any) -> Any:
        leaf = schema.plain(declared)
        return (
            _build(leaf, values)
            if isinstance(leaf, type) and dataclasses.is_dataclass(leaf)
            else next(values)
        )

    return kind(**{name: value(declared) for name, declared in schema.fields(kind)})


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
