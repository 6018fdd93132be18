"""What do answers about deliveries hold, and what is posted? Ready notices, answers to them, and relief."""

from __future__ import annotations

from typing import TypedDict

import msgspec

from forebay.server.promise_bodies import MovedDate, ReliefBody


class TestBody(TypedDict):
    """A test that what is delivered has to pass: `direction` is "at_least" or "at_most"."""

    name: str
    direction: str
    threshold: str


class AcceptanceBody(TypedDict):
    """How what is delivered is handed over."""

    tests: list[TestBody]
    #: So long after a ready notice a customer that stays silent is deemed to accept; 0 for never.
    deemed_s: int
    #: "committed", "ready" or "acceptance", and so long after that date billing starts.
    billing_from: str
    billing_after_s: int


class ResultBody(TypedDict):
    """What a test gave."""

    test: str
    value: str


class PartBody(TypedDict):
    """What a ready notice was about. Its three dates: it was ready, it was accepted, its billing starts."""

    notice: int
    #: In the units of the tranche.
    count: int
    #: "ready", "accepted" or "rejected".
    life: str
    ready: str
    #: When a customer that stays silent is deemed to accept, exclusive; null for never.
    deemed_by: str | None
    accepted: str | None
    #: Whether the customer stayed silent.
    deemed: bool
    rejected: str | None
    #: Why it was rejected.
    reason: str
    #: From when on it is paid for, and whether it is by now.
    billing: str | None
    billed: bool
    results: list[ResultBody]


class CommittedBody(TypedDict):
    """A committed date, and where relief moved it to; the same where it did not."""

    count: int
    committed: str
    moved_to: str


class DeliveryBody(TypedDict):
    """How far a tranche is handed over, in its own units (`unit`: rack or node)."""

    tranche: str
    contract: str
    tenant: str
    standing: str
    unit: str
    count: int
    #: Units that it has by now, that notice was given of and nobody answered yet, that were accepted, that are paid.
    bound: int
    ready: int
    accepted: int
    billed: int
    #: null where nodes count as delivered when they pass over.
    acceptance: AcceptanceBody | None
    dates: list[CommittedBody]
    parts: list[PartBody]
    reliefs: list[ReliefBody]


class DeliveryPage(TypedDict):
    """Deliveries by tranche."""

    items: list[DeliveryBody]
    next_cursor: str | None


class ReadyAnswer(TypedDict):
    """Notice was given. Without `deemed_by` silence is no answer."""

    tranche: str
    notice: int
    count: int
    ready: str
    deemed_by: str | None
    #: The zone in which dates without one were read; "" where there was none.
    zone: str


class AcceptedAnswer(TypedDict):
    """A part was accepted."""

    tranche: str
    notice: int
    count: int
    ready: str
    accepted: str
    billing: str
    #: The zone in which dates without one were read; "" where there was none.
    zone: str


class RejectedAnswer(TypedDict):
    """A part was not accepted."""

    tranche: str
    notice: int
    count: int
    rejected: str
    #: The zone in which dates without one were read; "" where there was none.
    zone: str


class ReliefAnswer(TypedDict):
    """What a relief event moved, and until when the contract gives relief for it."""

    tranche: str
    granted_until: str
    #: Whether that is before its end, for the cap is used up.
    capped: bool
    moved: list[MovedDate]
    #: The zone in which dates without one were read; "" where there was none.
    zone: str


class PostedReady(msgspec.Struct, forbid_unknown_fields=True):
    """So many units are ready; the customer received the notice at `received_at` (now when left out).

    `results` are what the tests gave, as decimal texts by their names.
    """

    count: int
    results: dict[str, str] = {}
    received_at: str = ""


class PostedAcceptance(msgspec.Struct, forbid_unknown_fields=True):
    """Which notice is accepted (0 for the only one that is open), and when that was said (now when left out)."""

    notice: int = 0
    received_at: str = ""


class PostedRejection(msgspec.Struct, forbid_unknown_fields=True):
    """Which notice is not accepted (0 for the only one that is open), why, and when that was said."""

    reason: str
    notice: int = 0
    received_at: str = ""


class PostedRelief(msgspec.Struct, forbid_unknown_fields=True):
    """Something held up a tranche, from `start` until `end`. Notice was received at `received_at`, or now.

    `kind` is force_majeure, customer_delay or change_order.
    """

    kind: str
    start: str
    end: str
    reason: str
    received_at: str = ""
