"""What is posted and answered about readings? As `bodies`."""

from typing import TypedDict

import msgspec


class PostedReading(msgspec.Struct):
    """A reading as a CloudEvent 1.0; a batch is a list of them."""

    #: With its source it names the reading.
    id: str
    source: str
    #: forebay.reading.energy.v1, forebay.reading.power.v1 or forebay.reading.gpu.v1.
    type: str
    #: The node, rack or feed that the meter hangs on; NODE/GPU for a GPU.
    subject: str
    #: When it was read (RFC 3339).
    time: str
    #: `wh` or `joules` of a counter; `watts`; `energy_mj` and `util` of a GPU.
    data: dict[str, float]
    specversion: str = "1.0"


class ReadingProblem(TypedDict):
    """A reading that was not taken in, or was there already. `index` counts from 0."""

    index: int
    #: duplicate or refused.
    result: str
    #: Why it was refused, and the field; "" for a duplicate.
    code: str
    field: str
    detail: str


class ReadingsAnswer(TypedDict):
    """What became of a batch: all that are not listed were accepted."""

    accepted: int
    duplicate: int
    refused: int
    items: list[ReadingProblem]


class ReadingsOfSource(TypedDict):
    """What came from a source so far."""

    source: str
    #: accepted, duplicate, late, out_of_order, reset, gap, over_rating, and each code of a refusal -> how many.
    counts: dict[str, int]


class ReadingsList(TypedDict):
    """Sources of readings, in order of their names."""

    items: list[ReadingsOfSource]
