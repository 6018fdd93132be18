"""Bodies of what capacity cost: invoices by tenant, site, project and the like."""

from __future__ import annotations

from typing import TypedDict

from forebay.server.bodies import Money


class CostBody(TypedDict):
    """What some charges have in common, and what they sum to, in one currency."""

    #: What they were grouped by, in the order asked for; "" where a charge has none.
    group: list[str]
    #: As billed.
    cost: Money
    #: GPU-hours that were used by who pays for them.
    used_gpu_hours: str
    #: GPU-hours of dedicated capacity that were paid for and not used, and of them what was lent.
    unused_gpu_hours: str
    lent_gpu_hours: str
    #: What is paid for them: committed capacity that did nothing for its owner.
    unused_cost: Money
    #: Cost over GPU-hours used, six places; None where none were.
    per_used_gpu_hour: Money | None


class CostsBody(TypedDict):
    """Costs of a month, of a tenant, or of all that was invoiced; the most expensive first."""

    by: list[str]
    period: str
    items: list[CostBody]
    #: The same by currency alone.
    totals: list[CostBody]
