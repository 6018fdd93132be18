"""What may a contract say of energy? `energy` says what follows."""

from __future__ import annotations

from dataclasses import dataclass

from forebay.core.ids import IndexId

_PPM = 1_000_000


@dataclass(slots=True)
class EnergyTerms:
    """Energy of what is used is billed as it is metered."""

    price_micros_per_mwh: int
    #: Power usage effectiveness: so much is billed for what the racks draw, parts per million, at least one.
    pue_ppm: int = _PPM
    #: The price follows it month by month, by the last value published before the month; "" for a fixed tariff.
    index: IndexId = IndexId("")
    #: The value at which the price is as stated, millionths.
    base_micros: int = 0
