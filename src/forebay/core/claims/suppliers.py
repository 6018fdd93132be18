"""From whom is our capacity, month by month, and how much hangs on one of them?

The share of a supplier is that of the GPUs that are there, at the lowest instant of a month for each stock and at the
confidence of the policy in force. Concentration is the Herfindahl-Hirschman index: the sum of the squares of all
shares in percent, 10,000 where everything is from one (US Department of Justice and Federal Trade Commission, Merger
Guidelines, 2023, guideline 1).
"""

from __future__ import annotations

from typing import NamedTuple

from forebay.core import supply, timeline
from forebay.core.claims.calendar import Calendar
from forebay.core.claims.contracts import State
from forebay.core.claims.terms import PPM
from forebay.core.ids import SiteId
from forebay.core.supply.blocks import Confidence
from forebay.core.timeline import Interval
from forebay.core.units import divide_half_even

#: The index where everything is from one.
CONCENTRATION_MAX = 10_000


class Share(NamedTuple):
    """What one supplier has for us in a month, in GPUs."""

    #: "" for ourselves.
    supplier: str
    gpus_p50: int
    gpus_p90: int
    #: Of all GPUs that count, parts per million; 0 where there are none at all.
    share_ppm: int


class SupplyMonth(NamedTuple):
    """A month, or what is left of the first: every supplier of the window, ourselves first."""

    start_at: int
    end_at: int
    shares: tuple[Share, ...]
    #: 0 where there is nothing at all.
    concentration: int


def supplier_of(state: State, site: SiteId) -> str:
    """Whose a site is; "" for our own."""
    return state.rented.sites.get(site, "")


def supply_by_supplier(
    state: State, supplied: supply.State, calendar: Calendar, from_at: int, months: int
) -> list[SupplyMonth]:
    """Month by month (calendar months in UTC), the first what is left of the one that holds `from_at`."""
    found, start_at = [], from_at
    for _ in range(months):
        month = Interval(start_at, timeline.month_end(start_at))
        found.append(_month(state, supplied, calendar, month))
        start_at = month.end
    return found


def _month(state: State, supplied: supply.State, calendar: Calendar, month: Interval) -> SupplyMonth:
    gpus = {(name, sure): 0 for name in ("", *state.rented.sites.values()) for sure in Confidence}
    for stock in calendar.stocks():
        per_node = supplied.skus[stock.sku].gpus_per_node
        for sure in Confidence:
            nodes = calendar.supply(stock, sure).least(month)
            gpus[supplier_of(state, stock.site), sure] += nodes * per_node
    counted = state.policy.confidence
    total = sum(count for (_, sure), count in gpus.items() if sure is counted)
    shares = []
    for name in sorted({name for name, _ in gpus}):
        part_ppm = divide_half_even(gpus[name, counted] * PPM, total) if total else 0
        shares.append(Share(name, gpus[name, Confidence.P50], gpus[name, Confidence.P90], part_ppm))
    squares = sum(gpus[share.supplier, counted] ** 2 for share in shares)
    index = divide_half_even(squares * CONCENTRATION_MAX, total * total) if total else 0
    return SupplyMonth(month.start, month.end, tuple(shares), index)
