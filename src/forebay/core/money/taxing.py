"""Taxes come onto an invoice after its rounding: a line for each rate, of the net total.

The rates are those at the last instant of the period. A tax is rounded once, half-even, to the minor unit of the
currency. What the customer owes itself (reverse charge) is a line of nothing that says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forebay.core import claims, supply, timeline
from forebay.core.ids import Answer, Principal, Refusal, TenantId, TrancheId, refuse_name
from forebay.core.money.invoices import TAX, Line
from forebay.core.money.rating import Books
from forebay.core.money.taxes import ApplyTaxes, TaxesApplied, TaxRate, rates_at
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import decimal_text, divide_half_even, minor_to_micros


def apply_taxes(
    books: Books, command: ApplyTaxes, by: Principal, at: int, emit: supply.Emit
) -> Answer | Refusal:
    """Learn the rates of an account. Refuses: unknown_account; for each rate bad_id (of its jurisdiction), bad_tax
    (rate or date out of range, twice from one instant); closed_past (a rate of a closed period would be another one).
    The same again changes nothing.
    """
    account, rates = command.account, command.rates
    if all(plan.tenant != account for plan in books.claims.contracts.values()):
        return Refusal("unknown_account", f"nothing is signed with {account}", "account")
    seen: set[tuple[str, int]] = set()
    for place, rate in enumerate(rates):
        no = _refuse_rate(rate, seen, f"rates[{place}]")
        if no is not None:
            return no
        seen.add((rate.jurisdiction, rate.from_at))
    known = books.money.taxes.get(account)
    if known == rates:
        return {"account": account, "changed": False}
    no = _refuse_past(known or rates, rates, books.usage.period_start)
    if no is not None:
        return no
    emit(TaxesApplied(account, rates))
    return {"account": account, "changed": True}


def _refuse_rate(rate: TaxRate, seen: set[tuple[str, int]], where: str) -> Refusal | None:
    no = refuse_name(rate.jurisdiction, f"{where}.jurisdiction")
    if no is not None:
        return no
    if not 0 <= rate.rate_ppm <= claims.PPM:
        return Refusal("bad_tax", "a tax lies from 0 % to 100 %", f"{where}.rate_ppm")
    if not 0 <= rate.from_at <= INSTANT_MAX:
        return Refusal("bad_tax", "its date is out of range", f"{where}.from_at")
    if (rate.jurisdiction, rate.from_at) in seen:
        told = f"{rate.jurisdiction} has two rates from {timeline.text(rate.from_at)} on"
        return Refusal("bad_tax", told, f"{where}.from_at")
    return None


def _refuse_past(known: Sequence[TaxRate], rates: Sequence[TaxRate], open_since: int) -> Refusal | None:
    """What held at the close of an earlier period stays; what is said first was not known then."""
    gone = next((each for each in known if each.from_at < open_since and each not in rates), None)
    if gone is not None:
        told = f"{gone.jurisdiction} from {timeline.text(gone.from_at)} on was billed, and stays as it is"
        return Refusal("closed_past", told, "rates")
    for place, rate in enumerate(rates):
        if rate.from_at < open_since and rate not in known:
            told = f"the periods before {timeline.text(open_since)} were billed without it"
            return Refusal("closed_past", told, f"rates[{place}].from_at")
    return None


def tax_lines(
    rates: Sequence[TaxRate], tenant: TenantId, currency: str, net_minor: int, lines: Sequence[Line], end: int
) -> Iterator[Line]:
    """The lines of taxes on a net total; they stand under the contract of the first line."""
    for rate in rates_at(rates, end - 1):
        tax_minor = 0 if rate.reverse_charge else divide_half_even(net_minor * rate.rate_ppm, claims.PPM)
        first = lines[0]
        start = min(line.start for line in lines)
        yield Line(
            TAX, first.contract, first.contract_version, f"taxes[{rate.jurisdiction}]", TrancheId(""), None, "", "",
            0, start, end, amount_micros=minor_to_micros(tax_minor, currency), amount_minor=tax_minor,
            text=_text(rate, tenant, minor_to_micros(net_minor, currency)),
        )  # fmt: skip


def _text(rate: TaxRate, tenant: TenantId, net_micros: int) -> str:
    number = f", {tenant} is {rate.number} there" if rate.number else ""
    evidence = f" ({rate.evidence})" if rate.evidence else ""
    if rate.reverse_charge:
        return f"reverse charge: the customer owes the tax in {rate.jurisdiction}{number}{evidence}"
    percent = decimal_text(rate.rate_ppm * 100)
    return f"tax in {rate.jurisdiction}: {percent} % of {decimal_text(net_micros)}{number}{evidence}"
