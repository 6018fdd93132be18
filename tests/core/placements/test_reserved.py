"""Names that are kept for services are nobody else's, and are refused as what they are."""

from __future__ import annotations

import msgspec
import pytest

from forebay.core.placements import reserved
from forebay.core.world import World
from forebay.feeds import kinds, reading, tree
from forebay.loop import codec, ports
from forebay.loop.codec import Codec


def test_no_event_and_no_document_is_called_so() -> None:
    assert reserved.RESERVED_EVENTS.isdisjoint(event.__name__ for event in World.EVENTS)
    assert reserved.RESERVED_DOCUMENTS.isdisjoint(kinds.KINDS)


@pytest.mark.parametrize("kind", sorted(reserved.RESERVED_EVENTS))
def test_an_event_of_a_service_is_of_a_later_forebay(kind: str) -> None:
    record = codec.Envelope(1, 0, kind, 1, "", 0, 1, "", "", "", 0, msgspec.Raw(b"{}"))
    with pytest.raises(ports.Unsupported, match="reserved for services"):
        Codec(World.EVENTS).decode(record)


def test_a_document_of_a_service_is_for_a_later_forebay() -> None:
    with pytest.raises(tree.DocumentError) as caught:
        reading.documents("{forebay: 1, kind: Service, name: chat}", "chat.yaml")
    problem = caught.value.problems[0]
    assert problem.code == "reserved"
    assert "'Service' is reserved" in problem.detail
