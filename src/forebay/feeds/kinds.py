"""What may stand in a document? One type for each kind; the comment above a field is what an editor shows.

Values are written as people write them (`132 kW`, `15m`, `2.85`) and are read into whole numbers of the smallest
unit. `commands` makes commands of them.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from forebay.core import claims
from forebay.core.placements import gang
from forebay.core.supply import blocks
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
    #: The block of the site's schedule that it came with.
    block: forms.Name = ""


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


class DurationEntry(DocumentPart, kw_only=True, frozen=True):
    """How long something takes: in even odds and in nine cases of ten, or as three points."""

    #: In even odds.
    p50: forms.Seconds | None = None
    #: In nine cases of ten.
    p90: forms.Seconds | None = None
    #: The least, of three points.
    low: forms.Seconds | None = None
    #: What is most likely, of three points.
    likely: forms.Seconds | None = None
    #: The most, of three points.
    high: forms.Seconds | None = None


class CauseEntry(DocumentPart, kw_only=True, frozen=True):
    """Something that delays several milestones at once: one utility, one vendor, one moratorium."""

    #: What milestones call it; sites that name the same cause are late together.
    id: forms.Name
    #: How much of the scatter of a milestone comes from it.
    share: forms.Share = 0
    #: The chance that it strikes.
    chance: forms.Share = 0
    #: How late a milestone is if it strikes.
    delay: forms.Seconds = 0


class MilestoneEntry(DocumentPart, kw_only=True, frozen=True):
    """Something that has to be done before capacity is there."""

    #: What others call it.
    id: forms.Name
    #: Free word: permit, grid, bridge power, shell, cooling, racks, network, acceptance.
    kind: forms.Words = ""
    #: Milestones that have to be done before it.
    after: list[forms.Name] = []
    #: Its date in the plan; left out where it follows from what it waits for.
    planned: forms.When | None = None
    #: How late it is against that date in one case of ten.
    late_p90: forms.Seconds = 0
    #: How long it takes once all that it waits for is done.
    duration: DurationEntry | forms.Seconds = 0
    #: What may delay it together with others.
    causes: list[forms.Name] = []
    #: Since when it is done; left out while it is not.
    reached: forms.When | None = None


class PowerEntry(DocumentPart, kw_only=True, frozen=True):
    """A stage of the site's power."""

    #: Its name.
    id: forms.Name
    #: Where it comes from.
    kind: blocks.StageKind
    #: What is owed by contract.
    contracted: forms.Watts
    #: What is energised at the boundary of the site; left out for all that is contracted.
    connected: forms.Watts | None = None
    #: The milestone from which on it is there.
    start: forms.Name
    #: The milestone at which it ends; left out where it stays.
    end: forms.Name = ""


class BlockEntry(DocumentPart, kw_only=True, frozen=True):
    """Racks that are delivered together."""

    #: What racks call it once they stand.
    id: forms.Name
    #: Which kind of rack.
    sku: forms.Name
    #: How many.
    racks: forms.Many
    #: Milestones that it waits for.
    after: list[forms.Name]


class ScheduleDocument(DocumentPart, kw_only=True, frozen=True):
    """What is to come at a site, and when. What was reported and reached stays when the plan changes."""

    KIND: ClassVar = "Schedule"
    #: The site.
    site: forms.Name
    #: In which dates without an offset are meant; left out for offsets with every date.
    zone: forms.Zone | None = None
    #: Facility power over IT power, such as '1.15'.
    pue: forms.Ratio = 1_000_000
    #: What may delay several milestones at once.
    causes: list[CauseEntry] = []
    #: What has to be done.
    milestones: list[MilestoneEntry]
    #: Stages of power; left out where power is not counted.
    power: list[PowerEntry] = []
    #: What is delivered.
    blocks: list[BlockEntry]


class PromisePolicyDocument(DocumentPart, kw_only=True, frozen=True):
    """How sure supply must be to be promised, and who goes short where contracts do not say: the seller's own."""

    KIND: ClassVar = "PromisePolicy"
    #: Grows with each change.
    version: forms.Version
    #: How sure the dates of supply must be.
    confidence: blocks.Confidence = blocks.Confidence.P90
    #: Who goes short first.
    shorting: claims.Shorting = claims.Shorting.PRO_RATA
    #: Contracts that go short last, the most protected first.
    protected: list[forms.Name] = []
    #: How long after a deadline a notice may be entered that was received in time.
    notice_grace: forms.Seconds = 24 * 3600


class DeliveryEntry(DocumentPart, kw_only=True, frozen=True):
    """A part of a tranche that is due at an instant of its own."""

    #: When it is due.
    at: forms.When
    #: How much, in the units of the tranche.
    count: forms.Many


class LateEntry(DocumentPart, kw_only=True, frozen=True):
    """What follows when a part of a tranche is late."""

    #: For so long nothing follows.
    grace: forms.Seconds = 0
    #: After that, for each GPU that is missing and each day.
    damages_per_gpu_day: forms.Price = 0
    #: The most that may fall due for the tranche; left out for no cap.
    cap: forms.Amount = 0
    #: After so long the customer may end the tranche, by a right that says so; left out for never.
    longstop: forms.Seconds = 0


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
    #: Its parts with their dates, the first at its start; left out when all of it is due then.
    deliveries: list[DeliveryEntry] = []
    #: What follows when it is late; left out where the contract is silent.
    late: LateEntry | None = None


class CapEntry(DocumentPart, kw_only=True, frozen=True):
    """Money that rights may draw on together."""

    #: What rights call it.
    id: forms.Name
    #: How much, in the currency of the contract.
    amount: forms.Amount


class RightEntry(DocumentPart, kw_only=True, frozen=True):
    """What one side may still ask for: the seller with a backstop, the customer with every other."""

    #: Its name.
    id: forms.Name
    #: A refusal is offered a sale first; a call takes more; a backstop takes what stayed unsold; an extension lets a
    #: term go on; a termination ends a tranche that is too late.
    kind: claims.rights.RightKind
    #: The site that it is about; left out for any (a refusal only).
    site: forms.Name = ""
    #: The kind of rack that it is about; left out for any (a refusal only).
    sku: forms.Name = ""
    #: The tranche that is extended or ended.
    tranche: forms.Name = ""
    #: Racks that may be taken in all; left out for as many as the cap pays for.
    racks: forms.ManyOrNone = 0
    #: The fewest racks at once.
    racks_min: forms.Many = 1
    #: The cap that it draws on.
    cap: forms.Name = ""
    #: Between rights of one scope, the lowest goes first.
    priority: forms.Times = 0
    #: What a GPU-hour costs; left out for the price of the offer, or of the tranche that goes on.
    price_per_gpu_hour: forms.Price = 0
    #: To answer an offer, or between the notice and the start of what is taken.
    notice: forms.Seconds = 0
    #: When it opens; left out for at once.
    opens: forms.When | None = None
    #: From when on it is no more; left out where it lasts with the contract.
    expires: forms.When | None = None
    #: How long what is taken lasts.
    term: forms.Seconds = 0
    #: How long an offer that was let pass may be sold to somebody else.
    waiver: forms.Seconds = 0
    #: When it is measured what stayed unsold, for a backstop.
    measured: forms.When | None = None
    #: Whether a termination ends the whole order, as for its first tranche, or its own tranche only.
    ends_order: bool = False


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
    #: What one side may still ask for.
    rights: list[RightEntry] = []
    #: Money that rights draw on.
    caps: list[CapEntry] = []


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
    #: Who may go before the first that does not fit: whoever fits, for as long as `overtake` says; nobody (`fifo`);
    #: or whoever fits and does not delay it (`easy`).
    order: gang.Order = gang.Order.OVERTAKE


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
    "Schedule": ScheduleDocument,
    "Policy": PolicyDocument,
    "PromisePolicy": PromisePolicyDocument,
    "PriceList": PriceListDocument,
    "Contract": ContractDocument,
    "Gang": GangDocument,
}
#: The format of documents that this forebay reads.
FORMAT = 1
