"""An invoice as it was issued, line by line: a record that is never made again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from forebay.core import timeline
from forebay.core.energy import EnergySource
from forebay.core.ids import ContractId, Event, InvoiceId, TenantId, TrancheId
from forebay.core.money.ledger import BroughtForward
from forebay.core.placements.gang import Tier

#: Version of the rules by which lines are made; recorded with every invoice.
RATING = 1
#: Kinds of lines that count towards a minimum commitment, and the kind that bills what is missing.
ELIGIBLE = frozenset(("dedicated", "on_demand", "spot", "correction"))
TRUE_UP = "commitment_true_up"
#: The kind of a line of tax.
TAX = "tax"
#: Kinds of lines about rights: for having one, and for using it.
RIGHT_FEES = ("right_premium", "right_exercise")


@dataclass(slots=True)
class Line:
    """One line of an invoice: an exact quantity times a price, and why."""

    #: "dedicated", "on_demand", "spot", "lending_share", "service_credit", "late_discount",
    #: "late_damages", "commitment_true_up", "right_premium", "right_exercise", "energy", "correction", "prepayment",
    #: "prepayment_drawn", "deposit", "late_interest", "rounding" or "tax".
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
    #: Energy behind it in microjoules; billed on a line of its own, where that is agreed.
    energy_uj: int = 0
    price_micros_per_gpu_hour: int = 0
    #: Rounded once, half-even, to micro-units.
    amount_micros: int = 0
    #: Rounded once to the minor unit of the currency.
    amount_minor: int = 0
    #: The sum in words.
    text: str = ""
    #: Where its energy is known from.
    energy_source: EnergySource = EnergySource.PROFILE


def eligible(lines: Iterable[Line]) -> dict[tuple[ContractId, int], int]:
    """What lines bill towards a commitment, by contract and month."""
    found: dict[tuple[ContractId, int], int] = {}
    months: dict[int, int] = {}
    for line in lines:
        if line.kind in ELIGIBLE:
            if line.start not in months:
                months[line.start] = timeline.month_start(line.start)
            mark = (line.contract, months[line.start])
            found[mark] = found.get(mark, 0) + line.amount_micros
    return found


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
    #: The void invoice that it is in the place of; "" for none.
    replaces: InvoiceId = InvoiceId("")


class InvoiceHead(NamedTuple):
    """What of an issued invoice stays in the live state. Its lines are read from the record that issued it: history
    must not fill memory.
    """

    invoice: InvoiceId
    seller: str
    number: int
    tenant: TenantId
    currency: str
    start: int
    end: int
    #: How many, and what they sum to: in minor units, GPU-microseconds and microjoules.
    lines: int
    lines_minor: int
    gpu_us: int
    energy_uj: int
    charges_minor: int
    credits_minor: int
    total_minor: int
    #: The void invoice that it is in the place of; "" for none.
    replaces: InvoiceId
    #: Sequence of the record that issued it.
    seq: int


def head_of(issued: InvoiceIssued, seq: int) -> InvoiceHead:
    """What stays of an invoice that this record issued."""
    return InvoiceHead(
        issued.invoice, issued.seller, issued.number, issued.tenant, issued.currency, issued.start, issued.end,
        len(issued.lines), sum(line.amount_minor for line in issued.lines),
        sum(line.gpu_us for line in issued.lines), sum(line.energy_uj for line in issued.lines),
        issued.charges_minor, issued.credits_minor, issued.total_minor, issued.replaces, seq,
    )  # fmt: skip
