"""Which names are kept for services: replicas that are kept up around the clock? Nothing is done about them yet.

A journal that holds such an event was written by a later forebay, and a document of such a kind is for one. No other
event and no other document may take these names meanwhile.
"""

from __future__ import annotations

#: Kinds of events.
RESERVED_EVENTS = frozenset(
    {
        "ServiceSubmitted",
        "ServiceChanged",
        "ServiceScaled",
        "ServiceMoved",
        "ServiceWithdrawn",
        "ReplicaPlaced",
        "ReplicaReady",
        "ReplicaLost",
        "ReplicaEnded",
    }
)
#: Kinds of documents.
RESERVED_DOCUMENTS = frozenset({"Service"})
