"""What shape has each answer about what is to come, what may be promised, and who goes short? As `bodies`.

Dates that nobody knows are null. Nodes are whole; racks are nodes over `nodes_per_rack`, GPUs nodes times
`gpus_per_node`.

Annotations are not postponed in this file: what may be missing is known at run time (`__required_keys__`).
"""

from typing import NotRequired, TypedDict

import msgspec

from forebay.server.below_bodies import SubtreeBody
from forebay.server.bodies import Applied, Money, PostedDocument
from forebay.server.shortfall_bodies import DecidedBy, ShortStock


class PromisePolicyBody(TypedDict):
    """How sure supply must be to be promised, and who goes short where contracts are silent: the seller's own."""

    version: int
    confidence: str
    shorting: str
    #: Contracts that go short last.
    protected: list[str]
    notice_grace_s: int
    #: What may be lost at once, so that nodes are kept to make it good: none, rack, row, feed or loop.
    spares: str


# What is there, promised and left.


class CapacityMonth(TypedDict):
    """A month in nodes: supply and promisable at their lowest instant, everything else at its highest."""

    month: str
    start: str
    end: str
    supply_p50: int
    supply_p90: int
    committed: int
    #: Held for customers.
    held: int
    #: What calls and extensions may still take.
    calls: int
    extensions: int
    #: Kept for sales on offer to the holder of a refusal.
    refusals: int
    #: A floor under what stays unsold; encumbers nothing.
    backstop: int
    #: Below 0 where more is promised, or may be asked for by a right, than there will be.
    promisable: int
    #: By how much tranches go short.
    short: int
    #: By how much holds and rights may take more than there will be, beside that.
    overdrawn: int
    #: What is kept to make a loss good; it is not promisable.
    spares: int


class OverdraftPart(TypedDict):
    """Nodes that may be taken from `start` until `end` (null: with no end in sight), and will not be there."""

    start: str
    end: str | None
    nodes: int
    gpus: int


class OverdraftBody(TypedDict):
    """A hold, or a right that is not used yet, which may take more than there will be. Nobody goes short yet."""

    #: "hold", "call" or "extension".
    kind: str
    id: str
    tenant: str
    site: str
    sku: str
    nodes_per_rack: int
    parts: list[OverdraftPart]


class OverdraftChange(TypedDict):
    """A hold or a right that is overdrawn in another way: null where it is not overdrawn."""

    before: OverdraftBody | None
    after: OverdraftBody | None


class CapacityStock(TypedDict):
    """One kind of rack at one site, month by month."""

    site: str
    sku: str
    nodes_per_rack: int
    gpus_per_node: int
    #: Whether its P50 and P90 are not those of a forecast of today's schedule.
    provisional: bool
    months: list[CapacityMonth]
    #: From the first of these months on, also beyond the last.
    overdrawn: list[OverdraftBody]
    #: Where anything is rented: whose it is, "" for our own.
    supplier: NotRequired[str]


class SupplierShare(TypedDict):
    """What one supplier has for us in a month; "" is ourselves. `share_ppm` is of what counts, parts per million."""

    supplier: str
    gpus_p50: int
    gpus_p90: int
    share_ppm: int


class SupplierMonth(TypedDict):
    """A month by supplier, each stock at its lowest instant."""

    month: str
    start: str
    end: str
    suppliers: list[SupplierShare]
    #: Sum of the squares of all shares in percent: 10,000 where everything is from one, 0 where there is nothing.
    concentration: int


class CapacityBody(TypedDict):
    """What can still be promised, where and from when; `promisable` is at the policy's confidence."""

    policy: PromisePolicyBody
    stocks: list[CapacityStock]
    #: Where anything is rented: how much is from whom.
    suppliers: NotRequired[list[SupplierMonth]]
    #: Where a part of a site is asked about: that part. The stocks are then those of its site.
    under: NotRequired[SubtreeBody]


class CapacityChange(TypedDict):
    """A month that a what-if changes."""

    site: str
    sku: str
    nodes_per_rack: int
    gpus_per_node: int
    before: CapacityMonth
    after: CapacityMonth


# What is to come.


class ForecastBody(TypedDict):
    """The recorded simulation of a schedule; `current` when it was made for the schedule as it is."""

    source: str
    graph: int
    scenarios: int
    current: bool


class MilestoneBody(TypedDict):
    """Something that has to be done, with its dates, which are never mixed."""

    id: str
    kind: str
    after: list[str]
    #: Those of `after` that are not reached.
    waits_for: list[str]
    planned: str | None
    reported: str | None
    reached: str | None
    #: By which we reckon today.
    date: str | None
    p50: str | None
    p90: str | None


class BlockBody(TypedDict):
    """Racks that are delivered together; `racks_standing` of them stand already."""

    id: str
    sku: str
    racks: int
    gpus: int
    racks_standing: int
    after: list[str]
    #: Where its racks are to hang; "" where that is not told.
    hall: str
    row: str
    feed: str
    loop: str
    date: str | None
    p50: str | None
    p90: str | None


class PowerStageBody(TypedDict):
    """A stage of power. Contracted, connected, facility and IT watts are four quantities and do not add up."""

    id: str
    kind: str
    contracted_w: int
    connected_w: int
    #: What the site may draw of it.
    facility_w: int
    #: What reaches the racks.
    it_w: int
    #: The milestone from which on it is there, and the dates of it.
    start: str
    start_p50: str | None
    start_p90: str | None
    #: The milestone at which it ends, "" where it stays, and its earlier date.
    end: str
    end_date: str | None


class ScheduleBody(TypedDict):
    """What is to come at a site. Without a forecast P50 and P90 are the date by which we reckon."""

    site: str
    title: str
    zone: str
    #: Version of the graph of milestones; grows with each report.
    graph: int
    forecast: ForecastBody | None
    provisional: bool
    milestones: list[MilestoneBody]
    blocks: list[BlockBody]
    power: list[PowerStageBody]


class SchedulePage(TypedDict):
    """Schedules by site."""

    items: list[ScheduleBody]
    next_cursor: str | None


# Who is at risk.


class LateBody(TypedDict):
    """What follows when a part of a tranche is late. No `cap` is no limit; a longstop of 0 is none."""

    grace_s: int
    damages_per_gpu_day: Money
    cap: Money | None
    longstop_s: int
    #: In the place of damages: such a share of a day's fee, for each day late.
    discount_ppm_per_day: int


class ShortPart(TypedDict):
    """A time in which the same number is missing."""

    start: str
    end: str | None
    nodes: int
    gpus: int


class MovedDate(TypedDict):
    """A committed date that relief moved, and how many units of the tranche are due then."""

    count: int
    committed: str
    moved_to: str


class ReliefBody(TypedDict):
    """Why dates moved: "force_majeure", "customer_delay" or "change_order", from when to when it lasted, and how much
    of that the contract gives relief for.
    """

    kind: str
    start: str
    end: str
    granted_until: str
    #: When notice of it was received.
    received: str
    reason: str


class DatesBody(TypedDict):
    """Dates that relief moved, and why."""

    moved: list[MovedDate]
    reliefs: list[ReliefBody]


class RiskBody(TypedDict):
    """A tranche that goes short, what that costs its seller, and under which terms."""

    tranche: str
    contract: str
    tenant: str
    site: str
    sku: str
    #: From when, until when, and how many at most.
    start: str
    end: str | None
    nodes: int
    gpus: int
    nodes_per_rack: int
    #: GPU-hours that are missing, rounded up.
    gpu_hours: int
    parts: list[ShortPart]
    #: "late" for the late-delivery terms of `late`, "none" where the contract is silent.
    terms: str
    late: LateBody | None
    #: Fees that cannot be charged.
    fees: Money
    damages: Money
    #: What is taken off later fees, where the terms say so in the place of damages.
    discount: Money
    #: Whether the damages, or the discount, reached the cap of the terms.
    capped: bool
    #: From when on the customer may end the tranche.
    longstop: str | None
    #: Whether what stands counts as missing until the customer accepts it.
    until_accepted: bool
    #: Dates that relief moved: damages and the longstop count from there. And why.
    moved: list[MovedDate]
    reliefs: list[ReliefBody]
    #: Whether clauses on shortfall say who goes short here, or the policy of the seller, or both.
    decided_by: DecidedBy


class RiskChange(TypedDict):
    """A tranche that goes short in another way: as it was and as it is; null where it does not go short."""

    before: RiskBody | None
    after: RiskBody | None


class RiskTotal(TypedDict):
    """What all shortfalls of one currency cost."""

    currency: str
    fees: Money
    damages: Money
    discount: Money
    total: Money


class ShortfallsBody(TypedDict):
    """Who goes short. A tenant sees its own, and not the policy by which it was shared out."""

    policy: NotRequired[PromisePolicyBody]
    items: list[RiskBody]
    totals: list[RiskTotal]
    #: What there is to share out, stock by stock.
    stocks: NotRequired[list[ShortStock]]


# Reports.


class MovedBlock(TypedDict):
    """A block that comes at another date; `days` is null where there is no date before or after."""

    block: str
    sku: str
    racks: int
    gpus: int
    #: The date by which we reckon.
    before: str | None
    after: str | None
    days: int | None
    #: The date that promises are measured by: at the confidence of the policy.
    sure_before: str | None
    sure_after: str | None
    sure_days: int | None


class MilestoneReport(TypedDict):
    """What a report about a milestone moved, and what that does to the promises behind it."""

    site: str
    milestone: str
    #: The date of the milestone by which we reckoned, and do now.
    before: str | None
    after: str | None
    changed: bool
    #: Recorded earlier under the same key: `moved` is what it did then, and the difference to now is empty.
    repeated: bool
    dry_run: bool
    #: Of the promise policy.
    confidence: str
    #: Whether P50 and P90 are those of an older schedule until they are estimated again.
    provisional: bool
    moved: list[MovedBlock]
    risks: list[RiskChange]
    #: What all shortfalls cost now.
    totals: list[RiskTotal]
    overdrawn: list[OverdraftChange]
    #: The zone in which dates without one were read; "" where there was none.
    zone: str


class SigningBody(TypedDict):
    """Contracts that were signed, and what that makes short (by an override only)."""

    applied: list[Applied]
    dry_run: bool
    risks: list[RiskChange]
    totals: list[RiskTotal]
    overdrawn: list[OverdraftChange]


class AllocationBody(TypedDict):
    """A shortfall that was shared out by hand, and whom that makes short in another way."""

    site: str
    sku: str
    reason: str
    changed: bool
    dry_run: bool
    risks: list[RiskChange]
    #: What all shortfalls cost now.
    totals: list[RiskTotal]


class WhatIfBody(TypedDict):
    """What would be different. Nothing of it is recorded."""

    what: str
    #: Of the promise policy.
    confidence: str
    provisional: bool
    moved: list[MovedBlock]
    applied: list[Applied]
    risks: list[RiskChange]
    #: What all shortfalls cost now, and would.
    totals_before: list[RiskTotal]
    totals_after: list[RiskTotal]
    #: Months whose figures differ.
    capacity: list[CapacityChange]
    overdrawn: list[OverdraftChange]


# Quotes and holds.


class ObstacleBody(TypedDict):
    """What stands in the way of an offer, or made it later.

    `kind` is refusal, hold, call, extension, tranche (it ends then), waits_for (a milestone) or provisional.
    """

    kind: str
    id: str
    until: str | None


class OfferBody(TypedDict):
    """Where and from when on a request fits."""

    site: str
    sku: str
    start: str
    end: str
    confidence: str
    #: Whether it is as sure as the policy asks for: one that is not cannot be held or signed.
    signable: bool
    nodes: int
    gpus: int
    #: What the same is in superchips; 0 where the kind of rack does not count them.
    superchips: int
    nodes_per_rack: int
    cost: Money | None
    obstacles: list[ObstacleBody]


class NomineeBody(TypedDict):
    """A kind of rack at a site."""

    site: str
    sku: str


class QuoteBody(TypedDict):
    """Offers, the earliest first; nothing is kept by it."""

    now: str
    policy: PromisePolicyBody
    not_before: str
    term_s: int
    items: list[OfferBody]
    #: Where a tranche with this choice would be if it were signed to begin at `not_before`: the first kind of rack,
    #: and of the sites the first, where it fits. Null where it fits nowhere from then on.
    nominee: NomineeBody | None


class HoldBody(TypedDict):
    """Capacity that is kept for a customer until `expires`."""

    id: str
    tenant: str
    site: str
    sku: str
    nodes: int
    gpus: int
    nodes_per_rack: int
    start: str
    end: str
    expires: str
    price_per_gpu_hour: str
    #: Of the price; "" where none is named.
    currency: str
    #: The right to whose holder it is on offer, "" for none.
    offered_to: str


class HoldPage(TypedDict):
    """Holds by name."""

    items: list[HoldBody]
    next_cursor: str | None


class HoldAnswer(TypedDict):
    """What a command about a hold did."""

    hold: str
    changed: bool
    #: The zone in which dates without one were read; "" where there was none.
    zone: NotRequired[str]


# Rights.


class SaleOnOffer(TypedDict):
    """What the holder of a refusal may take: the sale as it is, at its price."""

    site: str
    sku: str
    nodes: int
    gpus: int
    start: str
    end: str
    price_per_gpu_hour: Money
    #: Which hold it is, not for tenants: whose it is the offer does not say. Nor for ours: the hold is the seller's.
    hold: NotRequired[str]


class SaleLetPass(TypedDict):
    """A sale that we let pass as the customer; until when it may be sold on no better terms; told `again` then."""

    site: str
    sku: str
    nodes: int
    gpus: int
    start: str
    end: str
    price_per_gpu_hour: Money
    until: str
    again: str | None


class DayNoticeBody(TypedDict):
    """A notice that is counted in days of a business calendar. It ends as the last of them closes there."""

    days: int
    #: Whether business days are counted, or all.
    business: bool
    calendar: str
    #: The version that a notice which begins now is counted by.
    version: int
    zone: str
    #: Until when a notice counts as received that day, local time.
    closes: str


class RightTermsBody(TypedDict):
    """Other terms of a right, that an amendment brings."""

    #: From when on they hold.
    since: str
    #: 0 for no limit but the cap.
    racks_max: int
    racks_min: int
    #: What a backstop counts as unsold; null for any other right.
    unsold: str | None
    opens: str | None
    expires: str | None
    #: Seconds; 0 where it is counted in days of a calendar.
    notice_s: int
    notice_days: int | None
    term_s: int
    price_per_gpu_hour: Money | None


class RightBody(TypedDict):
    """What one side of a contract may still ask for."""

    id: str
    kind: str
    contract: str
    tenant: str
    #: Who may use it: "customer" or "seller".
    holder: str
    #: "dormant", "offered", "exercised", "waived" or "lapsed".
    life: str
    #: What it is about; "" for any.
    site: str
    sku: str
    tranche: str
    #: When it may be used, and from when on no more; null for at once, and for no end.
    opens: str | None
    expires: str | None
    #: The next date by which something has to be said, exclusive; null for none.
    deadline: str | None
    #: Seconds; 0 where it is counted in days of a calendar, as `notice` says.
    notice_s: int
    notice: DayNoticeBody | None
    term_s: int
    price_per_gpu_hour: Money | None
    #: The fewest racks at once; racks taken; racks left by its number and its cap, null for no limit.
    racks_min: int
    racks_taken: int
    racks_left: int | None
    #: What a backstop counts as unsold: "not_sold" (no tranche is promised it) or "available" (nor may a hold, a call
    #: or an extension take it); null for any other right.
    unsold: str | None
    #: From when on an amendment grants it no more; null for never. And on which terms amendments grant it later.
    withdrawn: str | None
    to_come: list[RightTermsBody]
    #: What it draws on, and what is left of that.
    cap: str
    cap_left: Money | None
    offer: SaleOnOffer | None
    #: What it may take and will not be there; not told to a tenant.
    overdrawn: NotRequired[list[OverdraftPart]]
    #: A termination: dates of its tranche that relief moved, by which its longstop counts. And why.
    moved: list[MovedDate]
    reliefs: list[ReliefBody]
    #: For ourselves, once we said who we are: whether it is ours to use, or against us.
    ours: NotRequired[bool]
    #: Where we are the customer: what we let pass, and may still be sold to somebody else.
    let_pass: NotRequired[list[SaleLetPass]]


class RightPage(TypedDict):
    """Rights by name."""

    items: list[RightBody]
    next_cursor: str | None


class SaleOffer(TypedDict):
    """A sale is on offer to the holder of a right until `deadline`."""

    right: str
    hold: str
    deadline: str


class RightUsed(TypedDict):
    """What came of using a right: the tranche that it made; or the one that was too late, and all that `ended`."""

    right: str
    tranche: str
    ended: list[str]
    #: In whole racks, or for a matched sale in nodes; 0 where a tranche ended.
    count: int
    drawn: Money | None
    #: The zone in which dates without one were read; "" where there was none.
    zone: str


class RightPassed(TypedDict):
    """An offer was let pass, and its sale may be signed until `until`; or, without it, a right was given up."""

    right: str
    until: str | None
    #: The zone in which dates without one were read; "" where there was none.
    zone: str


# What is posted.


class PostedForecast(msgspec.Struct, forbid_unknown_fields=True):
    """A milestone is now expected at this date (RFC 3339)."""

    forecast_at: str
    reason: str = ""
    dry_run: bool = False


class PostedReached(msgspec.Struct, forbid_unknown_fields=True):
    """A milestone is done since then (RFC 3339; now when left out)."""

    reached_at: str = ""
    evidence: str = ""
    dry_run: bool = False


class PostedSlip(msgspec.Struct, forbid_unknown_fields=True):
    """What if this milestone came at that date?"""

    site: str
    milestone: str
    forecast_at: str
    #: Months of the capacity table to compare, from now on.
    months: int = 60


class PostedQuote(msgspec.Struct, forbid_unknown_fields=True):
    """A shape: racks, nodes or GPUs of one of several SKUs, for a term (such as `1826d`), not before a date.

    One of `racks`, `nodes` and `gpus` is given. Without places it may be anywhere.
    """

    skus: list[str]
    term: str
    not_before: str = ""
    not_after: str = ""
    racks: int = 0
    nodes: int = 0
    gpus: int = 0
    sites: list[str] = []
    regions: list[str] = []
    jurisdictions: list[str] = []
    tenant: str = ""
    price_per_gpu_hour: str = ""
    currency: str = "USD"


class PostedHold(msgspec.Struct, forbid_unknown_fields=True):
    """Nodes to be kept for a customer until `expires`."""

    id: str
    tenant: str
    site: str
    sku: str
    nodes: int
    start: str
    end: str
    expires: str
    price_per_gpu_hour: str = "0"
    currency: str = "USD"


class PostedSaleOffer(msgspec.Struct, forbid_unknown_fields=True):
    """The hold that is offered."""

    hold: str


class PostedExercise(msgspec.Struct, forbid_unknown_fields=True):
    """How a right is used; the notice was received at `received_at` (now when left out).

    Without `tranche` the new one is called after the right.
    """

    tranche: str = ""
    racks: int = 0
    start: str = ""
    received_at: str = ""


class PostedWaiver(msgspec.Struct, forbid_unknown_fields=True):
    """The notice was received then (RFC 3339; now when left out)."""

    received_at: str = ""


class PostedSigning(msgspec.Struct, forbid_unknown_fields=True):
    """Files of contracts that were signed. One contract may use up a hold.

    `override` is why it is signed although more is promised than there will be.
    """

    documents: list[PostedDocument]
    hold: str = ""
    override: str = ""
    #: The version of the promise policy under which it was quoted; 0 for whichever is in force.
    policy: int = 0
    dry_run: bool = False
    #: For what-if: months of the capacity table to compare, from now on.
    months: int = 60
