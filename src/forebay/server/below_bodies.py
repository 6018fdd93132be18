"""What shape has an answer about a hall, a row, a feed or a cooling loop? As `bodies`.

Figures are in nodes and watts.

Annotations are not postponed in this file: what may be missing is known at run time (`__required_keys__`).
"""

from typing import TypedDict


class MonthBelowBody(TypedDict):
    """A month in nodes: `bound` at its highest instant, everything else at its lowest."""

    month: str
    start: str
    end: str
    supply_p50: int
    supply_p90: int
    #: What tranches have there, or will have from the start of their term on.
    bound: int
    #: Supply less what is bound, at the policy's confidence.
    unbound: int
    #: No more than this may be promised there: the least of what is unbound there, promisable at the site, and for a
    #: feed powered.
    promisable: int
    site_promisable: int
    #: What the site keeps to make a loss good, in no particular place; at its highest instant.
    site_spares: int
    #: What the site has, or will have, without it being told whether it is there.
    unplaced_p50: int
    unplaced_p90: int
    #: What the power left suffices for, were it all for this SKU; null where no feed is asked about.
    powered: int | None


class BoundThere(TypedDict):
    """Nodes there that a tranche has, or will have from `start` on."""

    tranche: str
    contract: str
    tenant: str
    nodes: int
    gpus: int
    start: str
    end: str


class StockBelowBody(TypedDict):
    """One kind of rack there, month by month."""

    sku: str
    nodes_per_rack: int
    gpus_per_node: int
    #: Whether its P50 and P90 are not those of a forecast of today's schedule.
    provisional: bool
    #: The most GPUs of the site in any of these months of which it is not told whether they are there (P50).
    gpus_unplaced: int
    months: list[MonthBelowBody]
    bound: list[BoundThere]


class PowerMonthBody(TypedDict):
    """A feed in one month, in watts: promises at their highest instant, everything else at its lowest."""

    month: str
    start: str
    end: str
    limit_w: int
    #: What the stages of power of the site have for all its racks, at the policy's confidence; null without stages.
    site_w: int | None
    #: What it carries when no work runs.
    base_w: int
    #: What tranches bound there are promised.
    promised_w: int
    #: What it has left, and everything above it.
    left_w: int
    #: What leaves no more: "feed" or "site", and its name.
    tightest_kind: str
    tightest: str


class SubtreeBody(TypedDict):
    """A part of a site. What is promised is of the site until racks are bound to it."""

    path: str
    site: str
    #: "hall", "row", "feed" or "loop".
    kind: str
    #: Of the hall, where it is a row.
    name: str
    row: str
    stocks: list[StockBelowBody]
    #: Empty where no feed is asked about.
    power: list[PowerMonthBody]
