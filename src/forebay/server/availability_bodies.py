"""Bodies of what was delivered of what was entitled, tranche by tranche and month by month."""

from __future__ import annotations

from typing import TypedDict

import msgspec

from forebay.server.bodies import Money


class IncidentBody(TypedDict):
    """A unit was missing."""

    start: str
    #: Its end, or until when the month is known.
    end: str
    #: The first node of the unit, as people call it.
    unit: str
    #: "node", "quarantine", "checks", "maintenance", "curtailment", "tenant", or what it hangs on ("rack", "loop",
    #: "feed" and the like).
    cause: str
    reason: str
    #: "down", or why it does not count: "replacement", "tenant", "relief" or "maintenance".
    counted: str
    #: Why it counts so, and who decided.
    decided: str


class LostBody(TypedDict):
    """Time in which units were missing, in whole microseconds and in hours."""

    #: What it counts as, or what caused it.
    name: str
    unit_us: int
    unit_hours: str


class AvailabilityBody(TypedDict):
    """A month of a tranche. Available is due less missed: excluded time counts as available."""

    tranche: str
    contract: str
    tenant: str
    month: str
    #: Until when it is known.
    until: str
    #: "node", "rack" or "tranche".
    unit: str
    due: LostBody
    available: LostBody
    #: What does not count, by why.
    excluded: list[LostBody]
    #: What counts, by cause.
    missed: list[LostBody]
    missed_us: int
    #: Available over due in percent, six places, cut.
    percent: str
    #: What the credit is a share of: what the month was billed so far.
    base: Money
    #: The step of the ladder that was reached; "" for none.
    clause: str
    #: The share of it, in percent, before caps.
    credit_percent: str
    credit: Money
    #: Whether a credit stands on an invoice; else it is what would be due.
    credited: bool
    #: What was credited so far.
    given: Money
    #: What the next close of a month credits, or takes back where it is below zero: for what became known since.
    open: Money
    #: Until when the credit can be claimed; null where it comes by itself, or was claimed.
    claim_until: str | None
    incidents: list[IncidentBody]


class AvailabilitiesBody(TypedDict):
    """Every tranche that was served in a month."""

    month: str
    items: list[AvailabilityBody]


class ExclusionBody(TypedDict):
    """Loss that the tenant caused itself."""

    id: str
    tranche: str
    start: str
    end: str
    #: Nodes as people call them; empty for the whole tranche.
    nodes: list[str]
    reason: str
    evidence: str
    decided_by: str
    decided_at: str
    #: When it was withdrawn, why and by whom; null while it stands.
    withdrawn_at: str | None
    withdrawn_for: str
    withdrawn_by: str


class ExclusionPage(TypedDict):
    """A page of exclusions."""

    items: list[ExclusionBody]
    next_cursor: str | None


class ExclusionAnswer(TypedDict):
    """What became of an exclusion."""

    exclusion: str
    changed: bool


class ClaimAnswer(TypedDict):
    """What became of a claim."""

    tranche: str
    changed: bool


class PostedExclusion(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Loss that a tenant caused; `nodes` names nodes or racks, none for all of the tranche."""

    tranche: str
    start: str
    end: str
    reason: str
    evidence: str
    nodes: list[str] = []


class PostedClaim(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A claim for the credit of a month (2026-11)."""

    tranche: str
    month: str
