"""How is an event written down, chained, and read back years later?

A record is one JSON array, encoded once and hashed as stored:

    [seq, at, kind, version, command_id, index, count, actor, role, tenant, cause, body]

The chain covers each record's own bytes with their length, so that batching cannot change it:

    digest(0) = sha256("forebay journal 1")
    digest(n) = sha256(digest(n - 1) + length of data as 8 bytes, big-endian + data)

**Reading is strict.** A body with a field that this forebay does not know is refused, although its kind and version
are known: to drop a field silently is to fold another history than the one that was recorded, and the digest could
not tell. A field is added by raising `VERSION` and giving it a default; an older forebay then stops at the version,
with both numbers. A newer one reads the old body, with an upcaster where the default is not enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any

import msgspec

from forebay.core import ids
from forebay.core.placements import reserved
from forebay.loop import ports, schema

#: Digest of the empty journal.
GENESIS = sha256(b"forebay journal 1").digest()

#: From a body of this kind and version to the next version's, as JSON objects. Kept for ever.
Upcasters = Mapping[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]]
UPCASTERS: Upcasters = {}


class Envelope(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """One record, its body not yet decoded."""

    seq: int
    #: Time of record, microseconds since the epoch.
    at: int
    kind: str
    version: int
    #: The same for all events of one command.
    command_id: str
    #: Place within the command, from 0, and how many events it has.
    place: int
    places: int
    actor: str
    role: str
    tenant: str
    #: Sequence of the record that this command follows from, 0 for none.
    cause: int
    body: msgspec.Raw


#: A record from its three fields.
_stored: Callable[[tuple[int, bytes, bytes]], ports.Stored] = partial(tuple.__new__, ports.Stored)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Envelope).decode


def chain(digest: bytes, data: bytes) -> bytes:
    """The digest after a record with these bytes."""
    return sha256(digest + len(data).to_bytes(8, "big") + data).digest()


def envelope(record: ports.Stored) -> Envelope:
    """The record's envelope; `ports.Damaged` when it is none."""
    try:
        return _decode(record.data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ports.Damaged(f"record {record.seq} cannot be decoded: {error}", record.seq - 1) from None


class Codec:
    """Events of the given kinds to records and back. Refuses kinds that would not be read as they were written."""

    def __init__(self, events: Iterable[type[ids.Event]], upcasters: Upcasters = UPCASTERS) -> None:
        self._upcasters = upcasters
        #: By kind: its version, and what decodes its body.
        self._kinds: dict[str, tuple[int, Callable[[bytes], ids.Event]]] = {}
        self._names: dict[type[ids.Event], tuple[str, int]] = {}
        for event in events:
            name = event.__name__
            if name in self._kinds:
                raise ValueError(f"two kinds of event are called {name}")
            schema.describe(event)
            self._names[event] = (name, event.VERSION)
            self._kinds[name] = (event.VERSION, msgspec.json.Decoder(event).decode)

    def encode(
        self,
        seq: int,
        digest: bytes,
        at: int,
        command_id: str,
        by: ids.Principal,
        cause: int,
        events: Sequence[ids.Event],
    ) -> list[ports.Stored]:
        """All events of one command, as the records that follow the one with this sequence and digest."""
        actor, role, tenant = by
        count, names = len(events), self._names
        records: list[ports.Stored] = []
        for index, event in enumerate(events):
            seq += 1
            try:
                kind, version = names[type(event)]
            except KeyError:
                raise TypeError(
                    f"{type(event).__name__} is not among the kinds of event of this World"
                ) from None
            data = _encode(
                [seq, at, kind, version, command_id, index, count, actor, role, tenant, cause, event]
            )
            digest = sha256(digest + len(data).to_bytes(8, "big") + data).digest()
            records.append(_stored((seq, data, digest)))
        return records

    def decode(self, record: Envelope) -> ids.Event:
        """The event in this record, of today's version. Raises `ports.Unsupported`, `ports.Damaged`."""
        try:
            known, decode = self._kinds[record.kind]
        except KeyError:
            if record.kind in reserved.RESERVED_EVENTS:
                raise ports.Unsupported(
                    f"record {record.seq} is a {record.kind}: that kind is reserved for services, which this "
                    "forebay does not have"
                ) from None
            raise ports.Unsupported(
                f"record {record.seq} is a {record.kind} (version {record.version}), which this forebay "
                "does not know: the journal was written by a newer forebay"
            ) from None
        body = bytes(record.body)
        if record.version != known:
            body = self._upcast(record, known, body)
        try:
            event = decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ports.Damaged(
                f"record {record.seq}: the body of this {record.kind} (version {record.version}) cannot be "
                f"decoded: {error}",
                record.seq - 1,
            ) from None
        # What is folded is exactly what was stored: msgspec by itself ignores the fields that it does not know.
        again = _encode(event)
        if again != body:
            path = _dropped(msgspec.json.decode(body), msgspec.json.decode(again))
            if path is not None:
                raise ports.Unsupported(
                    f"record {record.seq} is a {record.kind} (version {record.version}) with a field "
                    f"{path.lstrip('.')!r} that this forebay does not know: the journal was written by a newer "
                    "forebay"
                )
        return event

    def _upcast(self, record: Envelope, known: int, body: bytes) -> bytes:
        if record.version > known:
            raise ports.Unsupported(
                f"record {record.seq} is a {record.kind} of version {record.version}; this forebay knows "
                f"versions up to {known}: the journal was written by a newer forebay"
            )
        try:
            fields: dict[str, Any] = msgspec.json.decode(body)
            for version in range(record.version, known):
                step = self._upcasters.get((record.kind, version))
                if step is not None:  # none: only fields with defaults were added
                    fields = step(fields)
        except Exception as error:
            raise ports.Damaged(
                f"record {record.seq}: the body of this {record.kind} cannot be brought from version "
                f"{record.version} to {known}: {type(error).__name__}: {error}",
                record.seq - 1,
            ) from error
        return _encode(fields)


def _dropped(stored: Any, read: Any, path: str = "") -> str | None:
    """Path of the first field in `stored` that is not in `read`; None when there is none."""
    if isinstance(stored, dict):
        inner = [(f"{path}.{key}", value, read.get(key)) for key, value in stored.items()]
        lost = next((f"{path}.{key}" for key in stored if key not in read), None)
        if lost is not None:
            return lost
    elif isinstance(stored, list):
        inner = [(f"{path}.{place}", value, read[place]) for place, value in enumerate(stored)]
    else:
        return None
    return next(
        (lost for at, value, other in inner if (lost := _dropped(value, other, at)) is not None), None
    )


class Walk:
    """Iterates over whole commands (lists of envelopes), holding each record against the chain and its envelope.

    `seq` and `digest` are those of the last whole command that was given. Raises `ports.Damaged` at the first gap,
    digest that does not match or envelope that contradicts its neighbours, and, unless `cut`, when the records end
    inside a command; the error names the last record of the last whole command.
    """

    def __init__(
        self, records: Iterable[ports.Stored], seq: int = 0, digest: bytes = GENESIS, *, cut: bool = False
    ) -> None:
        self.seq = seq
        self.digest = digest
        self._records = records
        self._cut = cut

    def __iter__(self) -> Iterator[list[Envelope]]:
        seq, digest, at = self.seq, self.digest, 0
        command: list[Envelope] = []
        try:
            for number, data, stored in self._records:
                seq += 1
                if number != seq:
                    raise self._damaged(f"record {seq} is missing: {number} follows {seq - 1}")
                digest = sha256(digest + len(data).to_bytes(8, "big") + data).digest()
                if digest != stored:
                    raise self._damaged(f"record {seq} is not as it was written: its digest does not match")
                try:
                    record = _decode(data)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise self._damaged(f"record {seq} cannot be decoded: {error}") from None
                place = record.place
                if (
                    record.seq != seq
                    or record.at < at
                    or place != len(command)
                    or place >= record.places
                    or (command and not _same_command(command[0], record))
                ):
                    raise self._damaged(f"record {seq} contradicts the records around it")
                command.append(record)
                if place + 1 == record.places:
                    at = record.at
                    self.seq, self.digest = seq, digest
                    yield command
                    command = []
        except ports.Damaged as error:
            if error.last_good_seq == self.seq:
                raise
            raise self._damaged(str(error)) from error
        if command and not self._cut:
            raise self._damaged(
                f"the journal ends inside a command ({len(command)} of {command[0].places} records)"
            )

    def _damaged(self, message: str) -> ports.Damaged:
        return ports.Damaged(f"{message}; the last good record is {self.seq}", self.seq)


def _same_command(first: Envelope, record: Envelope) -> bool:
    return (
        first.at == record.at
        and first.command_id == record.command_id
        and first.places == record.places
        and first.actor == record.actor
        and first.role == record.role
        and first.tenant == record.tenant
        and first.cause == record.cause
    )


def verify(records: Iterable[ports.Stored], seq: int = 0, digest: bytes = GENESIS) -> tuple[int, bytes]:
    """Walk to the end; sequence and digest of the last record. Raises `ports.Damaged`.

    Records that are missing at the very end leave no trace in what remains: compare with a digest noted elsewhere
    (a snapshot's, an auditor's).
    """
    walk = Walk(records, seq, digest)
    for _ in walk:
        pass
    return walk.seq, walk.digest
