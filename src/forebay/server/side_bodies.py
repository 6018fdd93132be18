"""What shape has each answer about our side of contracts: who we are, suppliers, entitlements? As `bodies`.

Annotations are not postponed in this file: what may be missing is known at run time (`__required_keys__`).
"""

from typing import TypedDict

import msgspec

from forebay.server.bodies import Money
from forebay.server.promise_bodies import RiskChange, RiskTotal, SaleOnOffer, SupplierMonth


class EstateBody(TypedDict):
    """Who we are; "" and 0 where nobody said, and we are the seller of every contract."""

    party: str
    title: str
    also: list[str]
    version: int


class SuppliersBody(TypedDict):
    """From whom our capacity is; shares are of supply at the policy's confidence."""

    party: str
    confidence: str
    months: list[SupplierMonth]


class BehindBody(TypedDict):
    """A milestone behind a committed date, and the days that are left between the two at the policy's confidence;
    null where one of them has no date.
    """

    tranche: str
    delivery: int
    site: str
    milestone: str
    committed: str | None
    expected: str | None
    days_left: int | None


class OverlayBody(TypedDict):
    """What we alone know of a contract."""

    contract: str
    version: int
    party: str
    signed: bool
    #: null for none.
    floor_price: str | None
    margin_ppm: int
    priority: int
    #: null for what the policy says.
    confidence: str | None
    behind: list[BehindBody]
    notes: str


class OverlayPage(TypedDict):
    """Overlays by contract."""

    items: list[OverlayBody]
    next_cursor: str | None


class EntitledBody(TypedDict):
    """One delivery of a tranche, or as much of it as comes at once: so many GPUs from `committed` on, until `end`."""

    tranche: str
    delivery: int
    site: str
    sku: str
    gpus: int
    committed: str
    #: Where relief moved `committed` to; the same where it did not.
    moved_to: str
    end: str
    #: When it came or was accepted, or is expected by the last notice.
    comes: str | None
    #: "delivered", "expected", or "overdue": its date has passed without it.
    state: str


class LatenessBody(TypedDict):
    """What late deliveries of one tranche come to: overdue ones until now, expected ones until they are expected."""

    tranche: str
    fees: Money
    damages: Money
    #: What is taken off later fees in the place of damages.
    discount: Money
    #: Whether the damages, or the discount, reached the cap of the terms.
    capped: bool
    longstop: str | None


class RightStateBody(TypedDict):
    """A right as both sides know it."""

    right: str
    kind: str
    holder: str
    life: str
    racks: int
    deadline: str | None
    #: What is on offer by it, at the price that the customer would pay.
    offer: SaleOnOffer | None


class CapStateBody(TypedDict):
    """What rights drew on a cap."""

    cap: str
    amount: Money
    drawn: Money


class EntitlementsBody(TypedDict):
    """What follows from a contract and what passed between its parties: the same on both sides."""

    contract: str
    version: int
    seller: str
    tenant: str
    at: str
    deliveries: list[EntitledBody]
    late: list[LatenessBody]
    rights: list[RightStateBody]
    caps: list[CapStateBody]


class DeliveryReport(TypedDict):
    """What was told of a delivery, and who goes short by it, or no more."""

    tranche: str
    delivery: int
    changed: bool
    #: The date that both parties know, before and after; `counted_on` is the one that we count on, where we rent it.
    before: str | None
    after: str | None
    counted_on: str | None
    confidence: str
    risks: list[RiskChange]
    totals: list[RiskTotal]
    #: The zone in which dates without one were read; "" where there was none.
    zone: str


class PostedNotice(msgspec.Struct, forbid_unknown_fields=True):
    """The seller told the customer this date (RFC 3339), at `received_at` (now when left out)."""

    expected_at: str
    received_at: str = ""
    reason: str = ""


class PostedDelivered(msgspec.Struct, forbid_unknown_fields=True):
    """It came then (RFC 3339; now when left out)."""

    at: str = ""
    evidence: str = ""


class PostedExpectation(msgspec.Struct, forbid_unknown_fields=True):
    """We expect it by then: at even odds, and in nine cases of ten (the same when left out)."""

    p50: str
    p90: str = ""
    source: str = ""
