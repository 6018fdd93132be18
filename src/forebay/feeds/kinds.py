"""What may stand in a document? One type for each kind; the comment above a field is what an editor shows.

Values are written as people write them (`132 kW`, `15m`, `2.85`) and are read into whole numbers of the smallest
unit. `commands` makes commands of them.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from forebay.core import claims
from forebay.core.placements import gang
from forebay.core.placements.estimates import Estimates
from forebay.core.supply import blocks
from forebay.feeds import divided, failing, forms, maintained, plant_kinds, stored, taxed, tenancy, terms
from forebay.feeds.gang_parts import AfterEntry, ChoiceEntry, ProgramEntry


class DocumentPart(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A part of a document."""


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
    #: The hall that its racks are to stand in; left out while that is open, and then they count for the site only.
    hall: forms.Name = ""
    #: The row of that hall.
    row: forms.Words = ""
    #: The feed that they are to hang on.
    feed: forms.Name = ""
    #: The cooling loop that they are to hang on.
    loop: forms.Name = ""


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
    #: What may be lost at once: of each kind of rack at a site, so many nodes stay unpromised as the largest one has.
    spares: claims.Spares = claims.Spares.NONE


class BusinessCalendarDocument(DocumentPart, kw_only=True, frozen=True):
    """Which days are business days somewhere, and until when notices are received on them. What was reckoned by an
    earlier version stays: offers that are open, and by when an extension is to be used.
    """

    KIND: ClassVar = "BusinessCalendar"
    #: What rights call it.
    id: forms.Name
    #: Grows with each change.
    version: forms.Version = 1
    #: Where its days begin and end.
    zone: forms.Zone
    #: Days of every week that are no business days; left out for Saturday and Sunday.
    weekend: list[claims.workdays.Weekday] | None = None
    #: Until when a notice counts as received that day; after that, on the next business day.
    closes: forms.Closing
    #: Other days that are no business days.
    holidays: list[forms.Day] = []
    #: The last day of which this is known. No notice may end later: then a new version is due.
    until: forms.Day


class EstateDocument(DocumentPart, kw_only=True, frozen=True):
    """Who we are: contracts name their parties, and this says which of them is ours. Without it we sell them all."""

    KIND: ClassVar = "Estate"
    #: Grows with each change.
    version: forms.Version = 1
    #: We, as contracts spell it.
    party: forms.Tenant
    #: Our name for people.
    title: forms.Words = ""
    #: Other names under which we sign: companies of our group.
    also: list[forms.Name] = []


class BehindEntry(DocumentPart, kw_only=True, frozen=True):
    """A milestone of ours that has to be reached for a committed date to be kept."""

    #: The tranche whose date it is.
    tranche: forms.Name
    #: Which delivery of it, from 1 on.
    delivery: forms.Few = 1
    #: Where the milestone is.
    site: forms.Name
    #: The milestone.
    milestone: forms.Name


class OverlayDocument(DocumentPart, kw_only=True, frozen=True):
    """What we alone know of a contract. It names the contract, signed or not, and is never part of it."""

    KIND: ClassVar = "Overlay"
    #: The contract.
    contract: forms.Name
    #: Grows with each change.
    version: forms.Version = 1
    #: Whose it is: us. A file that strayed into another's World is refused there.
    party: forms.Tenant
    #: Below this price of a GPU-hour we do not sign without a reason; left out for none.
    floor_price: forms.Price = 0
    #: What is to be left of the price. Nothing is decided by it.
    margin: forms.Share = 0
    #: Where we sell: the contracts with the lowest go short first.
    priority: forms.Times = 0
    #: How sure the dates behind this contract must be; left out for what the policy says.
    confidence: blocks.Confidence | None = None
    #: Our milestones behind its dates.
    behind: list[BehindEntry] = []
    #: Free words for ourselves.
    notes: forms.Words = ""


class NoticeDocument(DocumentPart, kw_only=True, frozen=True):
    """What passed between seller and customer about a delivery: another date, or that it came."""

    KIND: ClassVar = "Notice"
    #: The tranche that it is about.
    tranche: forms.Name
    #: Which delivery of it, from 1 on.
    delivery: forms.Few = 1
    #: In which dates without an offset are meant.
    zone: forms.Zone | None = None
    #: When it is expected. One of `expected` and `delivered` stands here.
    expected: forms.When | None = None
    #: When that was told; goes with `expected`.
    received: forms.When | None = None
    #: Since when it is delivered. One of `expected` and `delivered` stands here.
    delivered: forms.When | None = None
    #: Why it moves, or what shows that it came.
    reason: forms.Words = ""


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
    #: Instead of damages: for each day after grace, such a share of a day's fee of what is missing.
    discount_per_day: forms.Multiple = 0


class LendingEntry(DocumentPart, kw_only=True, frozen=True):
    """Under which terms idle capacity may be lent to others."""

    #: From the owner's need to the return of the capacity.
    reclaim_deadline: forms.Seconds
    #: What the owner gets of what a borrower pays.
    owner_share: forms.Share


class TestEntry(DocumentPart, kw_only=True, frozen=True):
    """A test that what is delivered has to pass. One of `at_least` and `at_most` stands here."""

    #: Its name, free: burn_in_hours, all_reduce_gbps, storage_gbps, healthy_nodes.
    name: forms.Name
    #: The least result that is good enough.
    at_least: forms.Measure | None = None
    #: The highest result that is good enough.
    at_most: forms.Measure | None = None


class AcceptanceEntry(DocumentPart, kw_only=True, frozen=True):
    """How what is delivered is handed over, part by part: a notice that it is ready, and the customer's answer."""

    #: Each has to be passed before notice may be given.
    tests: list[TestEntry] = []
    #: So long after the notice a customer that stays silent is deemed to accept; left out for never.
    deemed: forms.Seconds = 0
    #: The date that the start of billing is counted from. Nothing is billed before it is accepted.
    billing_from: claims.BillingFrom = claims.BillingFrom.ACCEPTANCE
    #: So long after that date billing starts.
    billing_after: forms.Seconds = 0


class ReliefEntry(DocumentPart, kw_only=True, frozen=True):
    """By what something that the provider cannot help may move committed dates."""

    #: What it is.
    kind: claims.ReliefKind
    #: Notice is to be received within so long of its beginning.
    notice: forms.Seconds
    #: The most that all of the kind may move a date of a tranche.
    cap: forms.Seconds


class PriceStepEntry(DocumentPart, kw_only=True, frozen=True):
    """A price that holds from a date on."""

    #: From when on it holds, within the term.
    at: forms.When
    #: What a GPU-hour costs from then on.
    price_per_gpu_hour: forms.Price | None = None
    #: Or what an hour of a superchip costs, where the tranche states that.
    price_per_superchip_hour: forms.Price | None = None


class FollowedEntry(DocumentPart, kw_only=True, frozen=True):
    """An index that the price follows: the price of a month, by the last value published before the month.

    It is price x ((1 - share) + share x value / base), rounded to a millionth, and then held within its bounds.
    """

    #: The index: a document PriceIndex holds its values.
    id: forms.Name
    #: The value at which the price is as stated.
    base: forms.Points
    #: How much of the price follows.
    share: forms.Share
    #: The price never falls below this; left out for no bound.
    floor_per_gpu_hour: forms.Price = 0
    #: The price never rises above this; left out for no bound.
    cap_per_gpu_hour: forms.Price = 0


class TrancheEntry(DocumentPart, kw_only=True, frozen=True):
    """Capacity promised for a term."""

    #: What gangs call it.
    id: forms.Name
    #: Where it is. One of `site`, `sites`, `region` and `jurisdiction` stands here.
    site: forms.Name = ""
    #: Where it may be, in order of preference: the first where it fits when it is signed.
    sites: list[forms.Name] = []
    #: Within which region it may be.
    region: forms.Words = ""
    #: Under whose law it may be.
    jurisdiction: forms.Country = ""
    #: Which kind of rack it is.
    sku: forms.Name
    #: Kinds that would do as well, in order of preference.
    substitutes: list[forms.Name] = []
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
    #: What a GPU-hour costs. One of this and `price_per_superchip_hour` stands here.
    price_per_gpu_hour: forms.Price | None = None
    #: Left out where idle capacity must not be lent.
    lending: LendingEntry | None = None
    #: Its parts with their dates, the first at its start; left out when all of it is due then.
    deliveries: list[DeliveryEntry] = []
    #: What follows when it is late; left out where the contract is silent.
    late: LateEntry | None = None
    #: How it is handed over; left out where nodes count as delivered when they pass over.
    acceptance: AcceptanceEntry | None = None
    #: What may move its dates, beside what the contract says of kinds that are not named here.
    relief: list[ReliefEntry] = []
    #: Who schedules its work: we (managed), or its customer, to whom it is handed over: no gang runs there by us.
    operation: claims.Operation = claims.Operation.MANAGED
    #: What is promised about its availability; left out where nothing is.
    service: terms.ServiceEntry | None = None
    #: How much maintenance is agreed; left out where all of it is downtime.
    maintenance: terms.MaintenanceEntry | None = None
    #: Later prices, in order of their dates; the one above holds before the first.
    price_steps: list[PriceStepEntry] = []
    #: Left out where the price follows no index.
    index: FollowedEntry | None = None
    #: The least that is paid of what was deliverable, used or not, settled when a billing period closes.
    take_or_pay: forms.Share = 1_000_000
    #: What an hour of a superchip costs; what that is for a GPU-hour comes out in whole millionths.
    price_per_superchip_hour: forms.Price | None = None
    #: How many GPUs such a superchip has: as many as the kind of rack says.
    gpus_per_superchip: forms.FewOrNone = 0
    #: Its place when there is too little; left out for what the contract says of all its tranches.
    shortfall: terms.ShortfallEntry | None = None
    #: From how far a spare is kept for a gang that lost a node; left out for what the policy says.
    spare: claims.terms.SpareScope | None = None


class DayNoticeEntry(DocumentPart, kw_only=True, frozen=True):
    """A notice in days of a calendar: one of `business_days` and `calendar_days`, without the day of receipt."""

    #: So many business days: it ends as the last of them closes.
    business_days: forms.Few | None = None
    #: So many days of any kind: it ends as the last of them closes, or the business day that follows.
    calendar_days: forms.Few | None = None
    #: The BusinessCalendar that says which days are business days, and until when a notice is received that day.
    calendar: forms.Name = ""


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
    #: To answer an offer, or between the notice and the start of what is taken: a duration, or days of a calendar.
    notice: DayNoticeEntry | forms.Seconds = 0
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
    #: Whether a termination ends the whole order, or its own tranche only.
    ends_order: bool = False
    #: Whether a termination of the contract's first tranche ends with it all of which nothing was accepted, if they
    #: have not begun or are to be accepted; and one of a later tranche that one only.
    first_ends_rest: bool = False
    #: What a backstop counts as unsold: what no tranche is promised and no hold, call or extension may take, or
    #: whatever no tranche is promised.
    unsold: claims.rights.Unsold = claims.rights.Unsold.AVAILABLE
    #: What its holder pays for having it.
    premium: forms.Amount = 0
    #: What its holder pays each time that it is used.
    exercise_fee: forms.Amount = 0


class ClauseEntry(DocumentPart, kw_only=True, frozen=True):
    """A clause outside the model."""

    #: What it is about.
    title: forms.Words
    #: What forebay does about it.
    coverage: claims.Coverage
    #: When it falls due, of a clause that is watched.
    date: forms.When | None = None


class ContractDocument(DocumentPart, kw_only=True, frozen=True):
    """What a provider and a customer signed. Signing the same text again changes nothing."""

    KIND: ClassVar = "Contract"
    #: Its name.
    id: forms.Name
    #: Version of the text: 1, and one more with each amendment, which is the whole text again.
    version: forms.Version = 1
    #: From when on an amendment holds; `now`, or left out, for its signature.
    effective: forms.When = "now"
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
    #: How it stands, for a contract that runs already; one side's own, and no part of what was signed.
    opening: terms.OpeningEntry | None = None
    #: What may move the dates of each tranche that does not say otherwise.
    relief: list[ReliefEntry] = []
    #: How its remedies stand to each other: required where it grants more than one kind.
    remedies: terms.RemediesEntry | None = None
    #: When what is owed is to be paid; left out where nothing is said of it.
    payments: terms.PaymentsEntry | None = None
    #: The place of each tranche that does not say otherwise when there is too little; left out where it is silent.
    shortfall: terms.ShortfallEntry | None = None
    #: The least that is paid for use in each so many months; left out for no such minimum.
    commitment: terms.CommitmentEntry | None = None
    #: How energy is billed; left out where it is in the price of a GPU-hour.
    energy: terms.EnergyEntry | None = None


class IndexValueEntry(DocumentPart, kw_only=True, frozen=True):
    """What an index was published to be."""

    #: When it was published.
    published: forms.When
    #: What it is.
    value: forms.Points


class PriceIndexDocument(DocumentPart, kw_only=True, frozen=True):
    """Values of an index that prices follow. What is known stays; values that the file adds are added."""

    KIND: ClassVar = "PriceIndex"
    #: What contracts call it.
    id: forms.Name
    #: In which dates without an offset are meant.
    zone: forms.Zone | None = None
    #: Its values, in order of their dates.
    values: list[IndexValueEntry]


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
    """How gangs are ordered and delivered."""

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
    #: whoever fits and does not delay it (`easy`; `easy_depth` looks only at the next few behind it); or whoever
    #: fits and delays nobody who comes before (`conservative`).
    order: gang.Order = gang.Order.OVERTAKE
    #: With `easy_depth`: how many are tried behind the first of a lane that does not start.
    depth: forms.Depth = 100
    #: What a start takes until work goes on: whoever is called back is taken to lose that too, besides the work since
    #: its last checkpoint.
    restart: forms.Seconds = 60
    #: To wipe a node between a borrower and its owner, on top of `turnover`.
    scrub: forms.Seconds = 0
    #: To check it after that.
    check: forms.Seconds = 0
    #: Until an owner's load has ramped up on what returned: the reclaim deadline covers that too.
    reclaim_ramp: forms.Seconds = 0
    #: Whether nodes of the pool are wiped and checked too when work leaves them.
    scrub_pool: bool = False
    #: So much power may each feed take on within a minute; 0 for as much as its limit allows.
    ramp_per_minute: forms.Watts = 0
    #: What is done about what fails.
    failing: failing.FailingEntry = failing.FailingEntry()
    #: How long until half of what a project used is forgotten; left out for no fair share.
    half_life: forms.Seconds = 0
    #: How often use is weighed.
    weigh: forms.Seconds = 3600
    #: How much waiting makes up for one step of use.
    age: forms.Seconds = 3600
    #: By what backfill takes a gang to be gone that asks for no limit of time: by the limit that it gets
    #: (`requested`), or by how long its tenant's gangs ran so far (`learned`).
    estimates: Estimates = Estimates.REQUESTED
    #: The limit of time of a gang that asks for none; left out where it has to ask for one, or, with learned
    #: estimates, gets the longest.
    walltime_default: forms.Seconds = 0
    #: The longest limit of time that a gang may ask for; left out for a year.
    walltime_max: forms.Seconds = 0
    #: With learned estimates: whoever waits first and has waited so long is gone by no more.
    estimates_wait: forms.Seconds = 604_800
    #: Fair share among tenants in the lanes that they share.
    among_tenants: tenancy.AmongEntry = tenancy.AmongEntry()
    #: Whether a node of which nobody reports in time that it was wiped between two tenants is quarantined.
    wipe_reported: bool = False


class ProjectsDocument(DocumentPart, kw_only=True, frozen=True):
    """How a tenant divides what it may use, among its own."""

    KIND: ClassVar = "Projects"
    #: Whose they are; left out by a tenant who applies its own.
    tenant: forms.Tenant = ""
    #: Grows with each change.
    version: forms.Version
    #: All of them.
    projects: list[divided.ProjectEntry]
    #: Classes of priority, the highest first; left out where there are none.
    priorities: list[divided.PriorityEntry] = []
    #: The class of a gang that names none; left out for the last.
    priority: forms.Name = ""
    #: In which dates without an offset are meant.
    zone: forms.Zone | None = None


class StorageDocument(DocumentPart, kw_only=True, frozen=True):
    """Where data lies, and the ways between sites."""

    KIND: ClassVar = "Storage"
    #: Grows with each change.
    version: forms.Version
    #: In which links are paid.
    currency: forms.Currency
    #: All pools of the estate.
    pools: list[stored.PoolEntry]
    #: All ways between its sites.
    links: list[stored.LinkEntry] = []
    #: All data, with the copies that were made meanwhile.
    datasets: list[stored.DatasetEntry] = []


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
    #: Which kind of rack it needs; left out where `skus` says it.
    sku: forms.Name = ""
    #: How many GPUs; left out where `skus` says it for each.
    gpus: forms.Many | None = None
    #: Kinds of rack that it may run on, in order of preference, instead of one.
    skus: list[ChoiceEntry] = []
    #: All its GPUs lie within one of these.
    within: gang.Level = gang.Level.SITE
    #: All its GPUs lie within one of these where they can: a level nearer than `within`; left out for no such wish.
    near: gang.Level = gang.Level.SITE
    #: Its GPUs come in slices of so many, each within one rack; left out for none.
    slice_gpus: forms.Times = 0
    #: Sites that it may run at, in order of preference; left out for any.
    sites: list[forms.Name] = []
    #: How long it may run; left out for no limit of its own, where the policy allows that.
    walltime: forms.Seconds = 0
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
    #: Gangs of the same tenant that have to be over before it may start.
    after: list[AfterEntry] = []
    #: Many such gangs, one for each number: `0-99`, `1,3,5-7`, or `0-99%10` for at most ten of them at once. Their
    #: names are `NAME.NUMBER`, and their programs find the number in FOREBAY_ARRAY_INDEX. Left out for one gang.
    array: forms.Words = ""
    #: It is withdrawn where it has not started by then.
    start_by: forms.When | None = None
    #: The same where its `walltime` does not end by then any more.
    finish_by: forms.When | None = None
    #: In which dates without an offset are meant.
    zone: forms.Zone | None = None
    #: The project that it counts to, where its tenant has projects.
    project: forms.Name = ""
    #: Who asks, by an opaque id.
    user: forms.Name = ""
    #: Its class of priority; left out for the one that the tenant's document names.
    priority: forms.Name = ""
    #: What it reads: it starts only at a site that holds a copy of each.
    datasets: list[forms.Name] = []
    #: The storage pool that its checkpoints go to: it runs at the site of that; `any` for one of whichever site.
    checkpoint_store: forms.Name = ""


#: Every kind, in the order in which they are applied: what is named comes before what names it.
KINDS: dict[str, type[msgspec.Struct]] = {
    "Estate": EstateDocument,
    "Catalogue": plant_kinds.CatalogueDocument,
    "Site": plant_kinds.SiteDocument,
    "Schedule": ScheduleDocument,
    "Storage": StorageDocument,
    "Policy": PolicyDocument,
    "PromisePolicy": PromisePolicyDocument,
    "BusinessCalendar": BusinessCalendarDocument,
    "PriceList": PriceListDocument,
    "PriceIndex": PriceIndexDocument,
    "Overlay": OverlayDocument,
    "Contract": ContractDocument,
    "Taxes": taxed.TaxesDocument,
    "Campaign": maintained.CampaignDocument,
    "Projects": ProjectsDocument,
    "Notice": NoticeDocument,
    "Gang": GangDocument,
}
#: The format of documents that this forebay reads.
FORMAT = 1
