"""Energy that is passed through: a line beside each line of use, for the energy that was metered for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from forebay.core import claims
from forebay.core.claims import energy
from forebay.core.money.invoices import Line
from forebay.core.money.rating import Books
from forebay.core.units import HOUR_US, decimal_text, divide_half_even, micros_to_minor

#: Microjoules of a megawatt-hour.
_MWH_UJ = HOUR_US * 1_000_000


def energy_lines(
    books: Books, rated: Iterable[tuple[claims.ContractPlan, Line]]
) -> Iterator[tuple[claims.ContractPlan, Line]]:
    """For each line of a contract that passes energy through: energy times PUE times the price of its month, rounded
    once, half-even. A line that corrects use corrects its energy.
    """
    for contract, line in rated:
        agreed = contract.energy
        if agreed is None or not line.energy_uj or line.kind == "lending_share":
            continue
        price, why = energy.mwh_price(agreed, line.start, books.claims.indices)
        amount = divide_half_even(line.energy_uj * agreed.pue_ppm * price, _MWH_UJ * claims.PPM)
        drawn = decimal_text(divide_half_even(line.energy_uj * 1_000_000, _MWH_UJ))
        text = f"energy: {drawn} MWh x PUE {decimal_text(agreed.pue_ppm)} x {decimal_text(price)}"
        text += f" ({why})" if why else ""
        yield contract, Line(
            "energy", contract.id, contract.version, "energy.price_per_mwh", line.claim, line.tier, line.sku,
            line.site, 0, line.start, line.end, amount_micros=amount,
            amount_minor=micros_to_minor(amount, contract.currency), text=text, energy_source=line.energy_source,
        )  # fmt: skip
