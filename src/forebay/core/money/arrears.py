"""What was open of each invoice, and since when? Kept as long as it is open, for the interest on what is late.

What is posted late with an earlier date changes what was open before: interest is reckoned anew from the due date at
each close, and what was charged already is taken off.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from forebay.core.ids import ContractId, Event, TenantId
from forebay.core.money.invoices import InvoiceIssued
from forebay.core.money.ledger import BalancesOpened, TransactionPosted, opened_item
from forebay.core.money.receivables import Item

#: Lines of interest on what is late.
LATE_INTEREST = "late_interest"
_OWED = "receivable:"


@dataclass(slots=True)
class LateInterestCharged(Event):
    """Interest on an invoice is charged until an instant; less than 0 where too much was charged before."""

    invoice: str
    tenant: TenantId
    currency: str
    until_at: int
    amount_micros: int


class Arrears(NamedTuple):
    """What was posted about an open invoice, and the interest that was charged on it."""

    #: (When it took effect, micro-units), in order of record.
    posted: tuple[tuple[int, int], ...] = ()
    charged_micros: int = 0
    charged_until: int = 0
    #: Nothing of it was open at the last close.
    settled: bool = False


class Origin(NamedTuple):
    """What an invoice was for."""

    contracts: tuple[ContractId, ...]
    #: Interest on it, which bears none.
    interest_micros: int


@dataclass(slots=True)
class OpenArrears:
    """Open invoices over time."""

    open: dict[Item, Arrears] = field(default_factory=dict)
    origins: dict[Item, Origin] = field(default_factory=dict)

    def fork(self) -> OpenArrears:
        """A copy whose containers are its own."""
        return OpenArrears(self.open.copy(), self.origins.copy())


def bill_arrears(own: OpenArrears, event: InvoiceIssued | BalancesOpened) -> None:
    """Learn what an invoice is for."""
    if isinstance(event, InvoiceIssued):
        interest = sum(line.amount_micros for line in event.lines if line.kind == LATE_INTEREST)
        contracts = tuple(sorted({line.contract for line in event.lines}))
        item = Item(event.tenant, event.currency, event.invoice)
        own.origins[item] = Origin(contracts, max(0, interest))
        return
    for each in event.balances:
        if each.number:
            item = Item(event.tenant, event.currency, opened_item(each))
            own.origins[item] = Origin((each.contract,), 0)


def post_arrears(own: OpenArrears, posted: TransactionPosted) -> None:
    """What a transaction does to what is open."""
    for entry in posted.entries:
        if entry.account.startswith(_OWED):
            tenant = TenantId(entry.account.removeprefix(_OWED))
            item = Item(tenant, posted.currency, entry.item or posted.invoice)
            if item in own.origins:
                known = own.open.get(item) or Arrears()
                news = (posted.effective_at, entry.amount_micros)
                own.open[item] = known._replace(posted=(*known.posted, news), settled=False)


def charge_arrears(own: OpenArrears, event: LateInterestCharged) -> None:
    """Interest was charged."""
    item = Item(event.tenant, event.currency, event.invoice)
    known = own.open[item]
    own.open[item] = known._replace(
        charged_micros=known.charged_micros + event.amount_micros, charged_until=event.until_at
    )


def forget_settled(own: OpenArrears) -> None:
    """A period closes: what was paid before the last one is history."""
    for item, known in list(own.open.items()):
        if sum(micros for _, micros in known.posted):
            continue
        if known.settled:
            del own.open[item]
        else:
            own.open[item] = known._replace(settled=True)
