"""Is energy billed beside the GPU-hours? At a price for a megawatt-hour, with what the site needs on top of it."""

from __future__ import annotations

from forebay.core import timeline
from forebay.core.claims import prices
from forebay.core.claims.energy_terms import EnergyTerms
from forebay.core.claims.prices import Indices
from forebay.core.ids import Refusal
from forebay.core.units import decimal_text, divide_half_even

_PPM = 1_000_000
#: A million for a megawatt-hour: keeps a slip of the pen out of the books.
MWH_MICROS_MAX = 10**12


def refuse_energy(agreed: EnergyTerms | None, indices: Indices) -> Refusal | None:
    """bad_energy: a price, a factor or a base out of range, or a base without an index; unknown_index."""
    if agreed is None:
        return None
    if not 0 <= agreed.price_micros_per_mwh <= MWH_MICROS_MAX:
        return Refusal("bad_energy", "energy: price out of range", "energy.price_per_mwh")
    if not _PPM <= agreed.pue_ppm <= 10 * _PPM:
        return Refusal("bad_energy", "energy: a PUE lies from 1 to 10", "energy.pue")
    if bool(agreed.index) is not (0 < agreed.base_micros <= prices.VALUE_MICROS_MAX):
        return Refusal("bad_energy", "energy: an index and its base go together", "energy.base")
    if agreed.index and not indices.get(agreed.index):
        known = ", ".join(sorted(indices)) or "none"
        told = f"energy: no value of index {agreed.index} is published (known: {known})"
        return Refusal("unknown_index", told, "energy.index")
    return None


def mwh_price(agreed: EnergyTerms, at: int, indices: Indices) -> tuple[int, str]:
    """What a megawatt-hour costs at an instant, and why: rounded once, half-even; as stated while no value of the
    index is published.
    """
    month_at = timeline.month_start(at)
    value = prices.value_for(indices[agreed.index], month_at) if agreed.index else None
    if value is None:
        return agreed.price_micros_per_mwh, ""
    price = divide_half_even(agreed.price_micros_per_mwh * value.value_micros, agreed.base_micros)
    stated, told = decimal_text(agreed.price_micros_per_mwh), decimal_text(value.value_micros)
    since = timeline.text(value.published_at)
    return price, f"{stated} x {told} / {decimal_text(agreed.base_micros)}, index {agreed.index} of {since}"
