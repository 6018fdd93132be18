"""What does the opening of a contract that runs already say, as the core keeps it?"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from forebay.core import claims, ids
from forebay.core.claims import opening as core
from forebay.feeds import reading, terms


class Spelling(NamedTuple):
    """How a document spells what an opening is made of; each raises for what it cannot read, naming the path."""

    #: An instant; 0 for one that is left out.
    instant: Callable[[str | None, reading.Path], int]
    #: The racks that a name stands for, which may be a range.
    racks: Callable[[str, reading.Path], list[str]]


def opening_of(entry: terms.OpeningEntry, spelling: Spelling) -> claims.Opening:
    """The opening as a plain record."""
    instant = spelling.instant
    invoices = tuple(
        core.OpenedInvoice(
            each.number, each.open, instant(each.issued, ("opening", "invoices", place, "issued")),
            instant(each.due, ("opening", "invoices", place, "due")),
        )
        for place, each in enumerate(entry.invoices)
    )  # fmt: skip
    tranches = tuple(
        core.OpenedTranche(
            ids.TrancheId(each.tranche), each.delivered,
            instant(each.accepted, ("opening", "tranches", place, "accepted")),
            tuple(
                ids.RackId(rack)
                for name in each.racks
                for rack in spelling.racks(name, ("opening", "tranches", place, "racks"))
            ),
        )
        for place, each in enumerate(entry.tranches)
    )  # fmt: skip
    return claims.Opening(
        instant(entry.at, ("opening", "at")), entry.currency, entry.billed, entry.deferred, entry.prepaid,
        entry.prepaid_drawn, entry.deposit, entry.credited, entry.credit_open, invoices, tranches,
        tuple(core.OpenedCap(ids.CapId(each.cap), each.drawn) for each in entry.caps),
        tuple(_right(each, place, spelling) for place, each in enumerate(entry.rights)),
    )  # fmt: skip


def _right(entry: terms.OpenedRightEntry, place: int, spelling: Spelling) -> core.OpenedRight:
    unsold = -1 if entry.unsold is None else entry.unsold
    offer, here = entry.offer, ("opening", "rights", place, "offer")
    return core.OpenedRight(
        ids.RightId(entry.right), entry.state, entry.racks, unsold,
        None
        if offer is None
        else core.OpenedOffer(
            ids.HoldId(offer.hold), ids.TenantId(offer.tenant), ids.SiteId(offer.site), ids.SkuId(offer.sku),
            offer.nodes, spelling.instant(offer.start, (*here, "start")), spelling.instant(offer.end, (*here, "end")),
            offer.price_per_gpu_hour, spelling.instant(offer.answer_by, (*here, "answer_by")),
        ),
    )  # fmt: skip
