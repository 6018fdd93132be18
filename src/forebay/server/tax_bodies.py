"""What is answered about taxes."""

from __future__ import annotations

from typing import TypedDict


class TaxRateBody(TypedDict):
    """A rate of one jurisdiction, from an instant on."""

    jurisdiction: str
    rate_ppm: int
    start: str
    reverse_charge: bool
    number: str
    evidence: str
    #: Whether it holds now.
    in_force: bool


class AccountTaxes(TypedDict):
    """All rates of an account, as they are recorded."""

    account: str
    rates: list[TaxRateBody]


class TaxesBody(TypedDict):
    """Accounts that have taxes on their invoices. A tenant sees its own."""

    items: list[AccountTaxes]
