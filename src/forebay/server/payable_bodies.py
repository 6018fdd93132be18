"""Bodies of what we are to pay."""

from __future__ import annotations

from typing import TypedDict

from forebay.server.bodies import Money


class PayableBody(TypedDict):
    """A tranche at one price, within a month."""

    tranche: str
    clause: str
    sku: str
    site: str
    #: From when until when anything of it was there.
    start: str
    end: str
    gpu_us: int
    gpu_hours: str
    price_per_gpu_hour: Money
    #: Why the price is another than the contract states; "" where it is not.
    reason: str
    #: So much of what was not used is paid: what was used, its seller knows.
    take_or_pay: str
    exact: Money
    amount: Money


class PayablesBody(TypedDict):
    """What a month of a contract comes to, by what both of its sides know."""

    contract: str
    version: int
    seller: str
    tenant: str
    currency: str
    start: str
    end: str
    #: Whether the month is over; else it is told as far as now.
    over: bool
    lines: list[PayableBody]
    #: Lines as they are rounded one by one.
    total: Money


class CauseSum(TypedDict):
    """What the differences of one cause sum to."""

    #: "extra", "missing", "price", "quantity", "arithmetic", "sum", "other_period" or "rounding".
    cause: str
    amount: Money


class InvoiceDifferenceBody(TypedDict):
    """One thing that differs: theirs less ours."""

    cause: str
    tranche: str
    #: Where it stands in their file; "" for what does not.
    place: str
    amount: Money
    detail: str


class UncheckedLine(TypedDict):
    """A line about what its seller alone knows."""

    place: str
    kind: str
    amount: Money
    text: str


class ComparisonBody(TypedDict):
    """A provider's invoice beside our computation: theirs is ours, the causes, and what was not checked, exactly."""

    file: str
    invoices: list[str]
    contract: str
    start: str
    end: str
    #: Whether the month is over; else ours is told as far as now.
    over: bool
    theirs: Money
    ours: Money
    unchecked: Money
    causes: list[CauseSum]
    differences: list[InvoiceDifferenceBody]
    not_checked: list[UncheckedLine]
