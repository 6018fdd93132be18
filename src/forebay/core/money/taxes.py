"""What taxes stand on the invoices of an account? Given, rate by rate and date by date, and never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from forebay.core.ids import Command, Event, TenantId


@dataclass(slots=True)
class TaxRate:
    """A rate of one jurisdiction, from an instant on until the next one of the same jurisdiction."""

    jurisdiction: str
    #: Parts per million of the net total; 0 ends it.
    rate_ppm: int
    from_at: int
    #: Whether the customer owes it, so that the invoice says so and bills nothing.
    reverse_charge: bool = False
    #: The customer's number there, and what the rate rests on; for people.
    number: str = ""
    evidence: str = ""


@dataclass(slots=True)
class ApplyTaxes(Command):
    """These are all the rates of an account."""

    account: TenantId
    rates: tuple[TaxRate, ...]


@dataclass(slots=True)
class TaxesApplied(Event):
    """The rates of an account are known: all of them, in the place of what was known."""

    account: TenantId
    rates: tuple[TaxRate, ...]


def rates_at(rates: Sequence[TaxRate], at: int) -> list[TaxRate]:
    """The rates that hold at an instant, by jurisdiction."""
    found: dict[str, TaxRate] = {}
    for rate in sorted(rates, key=lambda each: each.from_at):
        if rate.from_at <= at:
            found[rate.jurisdiction] = rate
    return [found[name] for name in sorted(found) if found[name].rate_ppm or found[name].reverse_charge]
