"""Bodies of what was delivered of what was entitled, tranche by tranche and month by month."""

from __future__ import annotations

from typing import TypedDict

from forebay.server.bodies import Money


class IncidentBody(TypedDict):
    """A unit was missing."""

    start: str
    #: Its end, or until when the month is known.
    end: str
    #: The first node of the unit, as people call it.
    unit: str
    #: "node", "quarantine", "checks", "maintenance", or what it hangs on ("rack", "loop", "feed" and the like).
    cause: str
    reason: str
    #: "down", or why it does not count: "replacement", "relief" or "maintenance".
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
    #: Whether it stands on an invoice; else it is what would be due.
    credited: bool
    incidents: list[IncidentBody]


class AvailabilitiesBody(TypedDict):
    """Every tranche that was served in a month."""

    month: str
    items: list[AvailabilityBody]
