"""Which reading does a CloudEvent tell? CloudEvents 1.0 in JSON, one or a batch; each is read by itself.

    type                           data
    forebay.reading.energy.v1      {"wh": n} or {"joules": n}: a counter that only goes up; of a node, rack or feed
    forebay.reading.power.v1       {"watts": n}: at that instant; of a node, rack or feed
    forebay.reading.gpu.v1         {"energy_mj": n, "util": percent}: of a GPU, as DCGM counts it; subject NODE/GPU

`source` and `id` together name a reading: the same once more is a duplicate. `time` is when it was read.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import NamedTuple

import msgspec

from forebay.loop.readings import ReadingKind

#: Names and ids are not longer.
ID_MAX = 200
ENERGY, POWER, GPU = (f"forebay.reading.{kind}.v1" for kind in ("energy", "power", "gpu"))
_KINDS = {ENERGY: ReadingKind.ENERGY, POWER: ReadingKind.POWER, GPU: ReadingKind.GPU}
_VERSIONS = ("1.0", "1.0.2")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
#: What DCGM says where it has no value: blank, not found, not supported, not permitted, as 32 and 64 bits.
_BLANKS = frozenset(
    {2**31 - 16 + n for n in range(4)} | {2**63 - 16 + n for n in range(4)} | {2**47 + n for n in range(4)}
)
#: No counter comes this far: 4.6 terajoules, in microjoules.
VALUE_MAX = 2**62
#: Whatever is below this stands for itself, and is below every bound.
_PLAIN = min(*_BLANKS, VALUE_MAX // 3_600_000_000)


class EventData(msgspec.Struct):
    """What was read."""

    wh: Decimal | None = None
    joules: Decimal | None = None
    watts: Decimal | None = None
    energy_mj: Decimal | None = None
    util: Decimal | None = None


class CloudEvent(msgspec.Struct):
    """A CloudEvent, as far as a reading needs it; what else it has is passed over."""

    id: str
    source: str
    type: str
    subject: str
    time: dt.datetime
    data: EventData
    specversion: str = "1.0"


class ReadingTold(NamedTuple):
    """A reading as its source tells it: a counter in microjoules, a gauge in watts or percent."""

    source: str
    id: str
    kind: ReadingKind
    subject: str
    at: int
    value: int
    gauge: int


class Fault(NamedTuple):
    """Why an event is no reading: a reason code, the field, a sentence."""

    code: str
    field: str
    detail: str


_BATCH = msgspec.json.Decoder(list[CloudEvent])
_ONE = msgspec.json.Decoder(CloudEvent)
_RAW = msgspec.json.Decoder(list[msgspec.Raw])


def batch_of(body: bytes) -> list[ReadingTold | Fault]:
    """Each event of a batch. Raises `msgspec.DecodeError` where the body is no list in JSON."""
    try:
        return [reading_of(each) for each in _BATCH.decode(body)]
    except msgspec.ValidationError:
        # One bad event does not lose the others: which it is, is found one by one.
        return [event_of(bytes(raw)) for raw in _RAW.decode(body)]


def event_of(body: bytes) -> ReadingTold | Fault:
    """One event. Raises `msgspec.DecodeError` where the body is not JSON."""
    try:
        return reading_of(_ONE.decode(body))
    except msgspec.ValidationError as error:
        detail, _, path = str(error).partition(" - at `$")
        return Fault("bad_event", path.strip("`.") or _missing(detail), detail)


def reading_of(event: CloudEvent) -> ReadingTold | Fault:
    """What an event tells."""
    kind = _KINDS.get(event.type)
    if kind is None:
        return Fault("unknown_type", "type", f"a reading is one of {', '.join(_KINDS)}")
    if event.specversion not in _VERSIONS:
        return Fault("bad_event", "specversion", "forebay reads CloudEvents 1.0")
    for field, text in (("id", event.id), ("source", event.source), ("subject", event.subject)):
        if not 0 < len(text) <= ID_MAX:
            return Fault("bad_event", field, f"{field} has 1 to {ID_MAX} characters")
    if event.time.tzinfo is None:
        return Fault("bad_event", "time", "a time says how far it is from UTC")
    value = gauge = 0
    for field, scale in _fields(kind, event.data):
        told: Decimal | None = getattr(event.data, field)
        if told is None:
            return Fault("bad_event", f"data.{field}", f"{event.type} needs it")
        # Nearly all are plain numbers below every mark and bound.
        if not told.is_finite() or not 0 <= told < _PLAIN or field == "util":
            if not told.is_finite() or (told == told.to_integral_value() and int(told) in _BLANKS):
                return Fault("sentinel", f"data.{field}", "this stands for no value")
            if told < 0 or told * max(scale, 1) > VALUE_MAX or (field == "util" and told > 100):
                return Fault("impossible", f"data.{field}", "it cannot be")
        if scale:
            value = int(told * scale)
        else:
            gauge = int(told)
    since = event.time - _EPOCH
    at = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return ReadingTold(event.source, event.id, kind, event.subject, at, value, gauge)


def _fields(kind: ReadingKind, data: EventData) -> tuple[tuple[str, int], ...]:
    """What a kind of reading has, and how many microjoules one of it is; 0 for a gauge."""
    if kind is ReadingKind.POWER:
        return (("watts", 0),)
    if kind is ReadingKind.GPU:
        return (("energy_mj", 1000), ("util", 0)) if data.util is not None else (("energy_mj", 1000),)
    return (("joules", 1_000_000),) if data.wh is None else (("wh", 3_600_000_000),)


def _missing(detail: str) -> str:
    """The field that `msgspec` misses; "" where it is about something else."""
    return detail.split("`")[1] if "missing required field" in detail else ""
