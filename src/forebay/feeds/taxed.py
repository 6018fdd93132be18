"""What may a document of taxes say, and what is it to the core?"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import msgspec

from forebay.core import ids, money
from forebay.feeds import forms


class TaxPart(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A part of a document of taxes."""


class TaxEntry(TaxPart, kw_only=True, frozen=True):
    """A rate of one jurisdiction, from a date on until the next one of the same jurisdiction."""

    #: Whose tax it is.
    jurisdiction: forms.Name
    #: A share of the net total; 0 % ends it.
    rate: forms.Share
    #: From when on it holds.
    start: forms.When
    #: Whether the customer owes it: the invoice says so, and bills nothing.
    reverse_charge: bool = False
    #: The customer's number there.
    number: forms.Words = ""
    #: What it rests on.
    evidence: forms.Words = ""


class TaxesDocument(TaxPart, kw_only=True, frozen=True):
    """All taxes that stand on the invoices of an account. Without one there are none."""

    KIND: ClassVar = "Taxes"
    #: The customer, as contracts name it.
    account: forms.Tenant
    #: In which dates without an offset are meant.
    zone: forms.Zone | None = None
    #: The rates.
    rates: list[TaxEntry]


def taxes_of(body: TaxesDocument, instant: Callable[[str, tuple[str | int, ...]], int]) -> money.ApplyTaxes:
    """The rates as plain records; `instant` reads a date, naming the path where it cannot."""
    rates = tuple(
        money.TaxRate(
            each.jurisdiction, each.rate, instant(each.start, ("rates", place, "start")), each.reverse_charge,
            each.number, each.evidence,
        )
        for place, each in enumerate(body.rates)
    )  # fmt: skip
    return money.ApplyTaxes(ids.TenantId(body.account), rates)
