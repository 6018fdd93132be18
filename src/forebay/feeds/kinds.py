"""What may stand in a document? One type for each kind; the comment above a field is what an editor shows.

Values are written as people write them (`132 kW`, `15m`, `2.85`) and are read into whole numbers of the smallest
unit. `commands` makes commands of them.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from forebay.core import claims
from forebay.core.placements import gang
from forebay.feeds import forms


class DocumentPart(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A part of a document."""


class SkuEntry(DocumentPart, kw_only=True, frozen=True):
    """A kind of rack."""

    #: What racks, tranches and gangs call it.
    id: forms.Name
    #: Its name for people.
    title: forms.Words
    #: GPUs in a node, counted as packages, never as dies.
    gpus_per_node: forms.Few
    #: Nodes in a full rack. A rack is one NVLink domain.
    nodes_per_rack: forms.Few
    #: Nameplate power of a full rack.
    rack_power: forms.Watts
    #: Power of a rack with no work on it: network, pumps, idle nodes.
    base_power: forms.Watts
    #: Power of one GPU at work, with its share of the node.
    gpu_power: forms.Watts
    #: Healthy nodes that a rack needs to count as delivered.
    healthy_nodes: forms.FewOrNone
    #: Where the figures come from, and of when they are.
    source: forms.Words = ""


class CatalogueDocument(DocumentPart, kw_only=True, frozen=True):
    """Kinds of racks that sites may have. What is known stays as it is; new figures need a new id."""

    KIND: ClassVar = "Catalogue"
    #: Kinds of racks.
    skus: list[SkuEntry]


class FeedEntry(DocumentPart, kw_only=True, frozen=True):
    """A level of the electrical tree."""

    #: What racks and other feeds call it.
    id: forms.Name
    #: Most that it may carry.
    limit: forms.Watts
    #: The feed that it hangs on; left out for one at the top.
    parent: forms.Name = ""
    #: What it carries whether work runs or not, beyond the racks' own base.
    base: forms.Watts = 0


class RackEntry(DocumentPart, kw_only=True, frozen=True):
    """A rack, or several alike."""

    #: Its name; `r[01-08]` stands for eight racks, r01 to r08.
    id: forms.Words
    #: Which kind of rack it is.
    sku: forms.Name
    #: The feed that it hangs on.
    feed: forms.Name
    #: The row that it stands in.
    row: forms.Words = ""
    #: Nodes in it; left out for a full rack.
    nodes: forms.FewOrNone = 0
    #: Most that it may draw; left out for the kind's nameplate.
    limit: forms.Watts = 0


class HallEntry(DocumentPart, kw_only=True, frozen=True):
    """A hall with its racks."""

    #: Its name.
    id: forms.Name
    #: Racks in it.
    racks: list[RackEntry]


class SiteDocument(DocumentPart, kw_only=True, frozen=True):
    """A site as it stands: what the file adds is added, nothing is taken away."""

    KIND: ClassVar = "Site"
    #: What contracts and gangs call it.
    id: forms.Name
    #: Its name for people.
    title: forms.Words = ""
    #: Where in the world it is, in your own terms.
    region: forms.Words = ""
    #: Whose law the machines stand under: ISO 3166-1, two letters.
    jurisdiction: forms.Country
    #: Its time zone.
    zone: forms.Zone = "UTC"
    #: Levels of the electrical tree.
    feeds: list[FeedEntry]
    #: Halls with their racks.
    halls: list[HallEntry]


class LendingEntry(DocumentPart, kw_only=True, frozen=True):
    """Under which terms idle capacity may be lent to others."""

    #: From the owner's need to the return of the capacity.
    reclaim_deadline: forms.Seconds
    #: What the owner gets of what a borrower pays.
    owner_share: forms.Share


class TrancheEntry(DocumentPart, kw_only=True, frozen=True):
    """Capacity promised for a term."""

    #: What gangs call it.
    id: forms.Name
    #: Where it is.
    site: forms.Name
    #: Which kind of rack it is.
    sku: forms.Name
    #: Whether whole racks are promised, or nodes anywhere at the site.
    unit: claims.Unit = claims.Unit.RACK
    #: How many of them.
    count: forms.Many
    #: First instant of its term; `now` is the moment of signing.
    start: forms.When
    #: First instant after its term. One of `end` and `term` stands here.
    end: forms.When | None = None
    #: How long it lasts from its start. One of `end` and `term` stands here.
    term: forms.Seconds | None = None
    #: What a GPU-hour costs, used or not.
    price_per_gpu_hour: forms.Price
    #: Left out where idle capacity must not be lent.
    lending: LendingEntry | None = None


class ClauseEntry(DocumentPart, kw_only=True, frozen=True):
    """A clause outside the model."""

    #: What it is about.
    title: forms.Words
    #: What forebay does about it.
    coverage: claims.Coverage


class ContractDocument(DocumentPart, kw_only=True, frozen=True):
    """What a provider and a customer signed. Signing the same text again changes nothing."""

    KIND: ClassVar = "Contract"
    #: Its name.
    id: forms.Name
    #: Version of the text.
    version: forms.Version = 1
    #: Who provides.
    seller: forms.Words
    #: Who may use.
    tenant: forms.Tenant
    #: Of all its prices.
    currency: forms.Currency
    #: In which dates without an offset are meant.
    zone: forms.Zone | None = None
    #: Capacity promised.
    tranches: list[TrancheEntry] = []
    #: Whether the tenant may also run on demand, at the price list in force.
    on_demand: bool = False
    #: Whether the tenant may also run on spot, at the price list in force.
    spot: bool = False
    #: Clauses outside the model, and what is done about each.
    clauses: list[ClauseEntry] = []


class PriceEntry(DocumentPart, kw_only=True, frozen=True):
    """A price for use without a tranche."""

    #: By which claim.
    tier: gang.Tier
    #: Of which kind of rack.
    sku: forms.Name
    #: What a GPU-hour costs.
    price_per_gpu_hour: forms.Price


class PriceListDocument(DocumentPart, kw_only=True, frozen=True):
    """What use on demand and on spot costs, from a date on."""

    KIND: ClassVar = "PriceList"
    #: Grows with each list.
    version: forms.Version
    #: Of all its prices.
    currency: forms.Currency
    #: From when on it holds; `now` is the moment it is applied.
    effective: forms.When = "now"
    #: In which dates without an offset are meant.
    zone: forms.Zone | None = None
    #: The prices.
    prices: list[PriceEntry]


class PolicyDocument(DocumentPart, kw_only=True, frozen=True):
    """How gangs are ordered and handed over."""

    KIND: ClassVar = "Policy"
    #: Grows with each change.
    version: forms.Version
    #: How long a gang that does not fit may be overtaken by smaller ones that came later.
    overtake: forms.Seconds = 3600
    #: Pause before the second restart after a failure; doubles with each further one.
    backoff: forms.Seconds = 5
    #: Longest such pause.
    backoff_max: forms.Seconds = 600
    #: To wipe and check a node between a borrower and its owner.
    turnover: forms.Seconds = 0
    #: A gang that has not started by then is stopped and queued again.
    start_timeout: forms.Seconds = 600
    #: How often a gang is queued again that its engine stopped unasked, or did not start in time.
    interruptions: forms.Times = 10


class ProgramEntry(DocumentPart, kw_only=True, frozen=True):
    """What each rank runs."""

    #: The command and its arguments; a first word `{python}` is the interpreter that runs forebay. Run as it is, not
    #: by a shell, unless `shell` is asked for.
    argv: list[forms.AsWritten] | forms.AsWritten
    #: Run `argv`, then one text, by /bin/sh.
    shell: bool = False
    #: Added to the clean environment of each rank. It is recorded: nothing secret belongs here.
    env: dict[str, forms.AsWritten] = {}
    #: Working folder, below the folder of this document.
    folder: forms.Words = ""
    #: Processors that the whole gang may use; 0 for no limit.
    cpu: forms.Processors = 0
    #: Memory that the whole gang may use; 0 for no limit.
    memory: forms.Bytes = 0
    #: Size at which a rank's log is rotated.
    log_limit: forms.Bytes = 4_000_000


class GangDocument(DocumentPart, kw_only=True, frozen=True):
    """Work that starts together or not at all, one rank a GPU."""

    KIND: ClassVar = "Gang"
    #: Its name; its id is `<tenant>.<name>`.
    name: forms.Name
    #: Whose it is; left out by a tenant who submits it.
    tenant: forms.Tenant = ""
    #: By which claim it runs.
    tier: gang.Tier
    #: The tranche that it runs on, for dedicated work.
    tranche: forms.Name = ""
    #: Which kind of rack it needs.
    sku: forms.Name
    #: How many GPUs.
    gpus: forms.Many
    #: All its GPUs lie within one of these.
    within: gang.Level = gang.Level.SITE
    #: Sites that it may run at, in order of preference; left out for any.
    sites: list[forms.Name] = []
    #: How long it may run.
    walltime: forms.Seconds
    #: Time between checkpoints; left out when it makes none.
    checkpoint: forms.Seconds = 0
    #: Between the request to stop (SIGTERM) and the kill.
    grace: forms.Seconds = 30
    #: Failures after which it is started again.
    restarts: forms.Times = 3
    #: What each rank runs; left out for work that is only simulated.
    program: ProgramEntry | None = None
    #: Free words for people.
    title: forms.Words = ""


#: Every kind, in the order in which they are applied: what is named comes before what names it.
KINDS: dict[str, type[DocumentPart]] = {
    "Catalogue": CatalogueDocument,
    "Site": SiteDocument,
    "Policy": PolicyDocument,
    "PriceList": PriceListDocument,
    "Contract": ContractDocument,
    "Gang": GangDocument,
}
#: The format of documents that this forebay reads.
FORMAT = 1
