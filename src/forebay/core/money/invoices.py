"""An invoice as it was issued, line by line: a record that is never made again."""

from __future__ import annotations

from dataclasses import dataclass

from forebay.core.ids import ContractId, Event, InvoiceId, TenantId, TrancheId
from forebay.core.money.ledger import BroughtForward
from forebay.core.placements.gang import Tier

#: Version of the rules by which lines are made; recorded with every invoice.
RATING = 1


@dataclass(slots=True)
class Line:
    """One line of an invoice: an exact quantity times a price, and why."""

    #: "dedicated", "on_demand", "spot", "lending_share", "service_credit", "correction" or
    #: "rounding".
    kind: str
    contract: ContractId
    contract_version: int
    #: Where the price stands ("tranches[t1].price_per_gpu_hour", "price list 1: spot gb300").
    clause: str
    claim: TrancheId
    #: None for a rounding.
    tier: Tier | None
    sku: str
    site: str
    #: Price list that it is billed at; 0 for a contract's own price.
    price_version: int
    #: When the use was; a correction's is before the invoice's period.
    start: int
    end: int
    #: Places in `PeriodClosed.lines` and `.tranches` of what it was made from; -1 for none.
    source_line: int = -1
    source_tranche: int = -1
    #: GPU-microseconds billed; a share or a rounding has none.
    gpu_us: int = 0
    #: Energy behind it in microjoules, from the SKU's profile; not billed.
    energy_uj: int = 0
    price_micros_per_gpu_hour: int = 0
    #: Rounded once, half-even, to micro-units.
    amount_micros: int = 0
    #: Rounded once to the minor unit of the currency.
    amount_minor: int = 0
    #: The sum in words.
    text: str = ""


@dataclass(slots=True)
class InvoiceIssued(Event):
    """An invoice as it was issued, whole: this is the invoice, and it is never made again."""

    invoice: InvoiceId
    seller: str
    #: Counts each seller's invoices from 1, without a gap.
    number: int
    tenant: TenantId
    currency: str
    start: int
    end: int
    lines: tuple[Line, ...]
    charges_minor: int
    credits_minor: int
    total_minor: int
    rating: int
    #: What was brought forward since the last invoice; no part of the total.
    brought_forward: tuple[BroughtForward, ...] = ()
    #: By when it is to be paid; 0 for 30 days after its period, in journals of before.
    due_at: int = 0
