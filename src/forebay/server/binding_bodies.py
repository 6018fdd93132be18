"""Who has which racks, and why a plan gave them so, as told over HTTP. As `bodies`.

Annotations are not postponed in this file: what may be missing is known at run time (`__required_keys__`).
"""

from typing import TypedDict

import msgspec


class BoundPlace(TypedDict):
    """Nodes of a tranche that are lost together: on one rack, row, feed or cooling loop."""

    name: str
    nodes: int


class BoundTranche(TypedDict):
    """What a tranche has. Racks, rows, feeds and loops, those with most of its nodes first."""

    tranche: str
    contract: str
    tenant: str
    standing: str
    start: str
    end: str
    #: Nodes that it is promised in all, is owed by now (or at its start), and has.
    promised: int
    owed: int
    bound: int
    racks: list[BoundPlace]
    rows: list[BoundPlace]
    feeds: list[BoundPlace]
    loops: list[BoundPlace]


class BindingMerits(TypedDict):
    """What is good and bad about who has which nodes; nodes unless said otherwise."""

    #: Owed and not had.
    short: int
    #: Lost with the worst feed, row and cooling loop of each tranche: the sum over tranches.
    worst_feed: int
    worst_row: int
    worst_loop: int
    #: Racks of which only parts are taken, and nodes left over on them.
    broken_racks: int
    stranded: int
    #: Racks, and nodes in service, that nobody has at the busiest instant.
    spare_racks: int
    spare_nodes: int


class CoveredDomain(TypedDict):
    """The largest failure domain of a kind, in racks, and whether the spare racks cover its loss."""

    kind: str
    racks: int
    covered: bool


class PlanBody(TypedDict):
    """A plan for one stock: what became of it, and why it is as it is."""

    site: str
    sku: str
    #: The version of the stock that it was made for: the journal names it where the plan was taken.
    version: str
    made: str
    after_seq: int
    #: "taken"; "kept" where nothing was to be gained; "tried" where it was only to be shown; "refused" (`detail`).
    outcome: str
    detail: str
    #: Tranches that have, or would have, other nodes by it.
    tranches: list[str]
    #: "solver", "spread" (dealt out quickly), or "kept".
    how: str
    #: What the solver said at its end; "" where none was asked. How long it took, and how often it was made.
    status: str
    took_ms: int
    times_made: int
    #: What the model pays, what every plan pays at least, and how much of the cost may be more than it had to be.
    cost: str
    bound: str
    gap_ppm: int
    before: BindingMerits
    after: BindingMerits
    #: Nodes given up by running tranches, those of them with work, and nodes given up by others.
    moved: int
    work_moved: int
    changed: int
    domains: list[CoveredDomain]
    #: What the promise policy keeps spares for, and how many nodes are to be left over, and are missing.
    spares: str
    spares_needed: int
    spares_missing: int


class BoundStock(TypedDict):
    """A stock, who has what of it, and the newest plan since the start of the server; null where there is none."""

    site: str
    sku: str
    nodes_per_rack: int
    #: The version that it has now.
    version: str
    tranches: list[BoundTranche]
    plan: PlanBody | None


class BindingsBody(TypedDict):
    """Who has which racks."""

    stocks: list[BoundStock]


class PostedSolve(msgspec.Struct, forbid_unknown_fields=True):
    """How a plan is to be made: at most so many seconds of the solver, and no better than this gap.

    `moves`: running tranches may have to give up nodes. With `dry_run` it is only shown.
    """

    seconds: int = 30
    gap_ppm: int = 1000
    moves: bool = False
    dry_run: bool = False
