"""What shape has each answer? One type a body; the OpenAPI document is made from these, and docs/reference/http.md
lists them.

Times are RFC 3339 in UTC, with microseconds where there are any. Money is {"amount": "12.50", "currency": "USD"}. GPU
time is given twice: exactly in GPU-microseconds, and as GPU-hours with six places for people.

Annotations are not postponed in this file: what may be missing is known at run time (`__required_keys__`).
"""

from typing import Any, NotRequired, TypedDict

import msgspec

from forebay.server.explained_bodies import WhyThere


class Money(TypedDict):
    """An amount in a currency; the amount is a plain decimal."""

    amount: str
    currency: str


class GangProgram(TypedDict):
    """What each rank runs."""

    argv: list[str]
    folder: str


class ConstraintBody(TypedDict):
    """What binds, with its number."""

    code: str
    level: str
    have: int
    need: int


class AfterBody(TypedDict):
    """A gang that has to be over first, and how: "completed", "ended" or "failed"."""

    gang: str
    when: str


class ChoiceBody(TypedDict):
    """A kind of rack, and how many GPUs of it."""

    sku: str
    gpus: int


class ArrayBody(TypedDict):
    """An array of gangs."""

    id: str
    tenant: str
    tier: str
    sku: str
    #: Of each of its gangs.
    gpus: int
    #: How many gangs it has.
    gangs: int
    #: So many of them may be at work at one time.
    at_most: int
    #: How many of them are pending, placed, running, stopping or ended.
    phases: dict[str, int]
    #: Of those that ended, how many did not complete.
    failed: int
    submitted_at: str


class ArrayPage(TypedDict):
    """Arrays in the order in which they were submitted."""

    items: list[ArrayBody]
    next_cursor: str | None


class GangBody(TypedDict):
    """A gang, for its owner and for operators."""

    id: str
    tenant: str
    tier: str
    tranche: str
    sku: str
    gpus: int
    #: Kinds of rack that it takes, in order of preference; empty where it takes one. `sku` is what it asks for first,
    #: or what it got.
    skus: list[ChoiceBody]
    #: It is withdrawn where it has not started in time for these.
    start_by: str | None
    finish_by: str | None
    within: str
    near: str
    slice_gpus: int
    #: Gangs that have to be over before it may start, and how.
    after: list[AfterBody]
    #: The array that it is of, "" when it stands alone, and its number there.
    array: str
    array_index: int
    #: What it counts to among its tenant's own; "" where its tenant has no projects.
    project: str
    user: str
    priority: str
    sites: list[str]
    walltime_s: int
    #: Where it asked for no limit, for how long it is taken to run; else 0.
    estimate_s: int
    checkpoint_s: int
    grace_s: int
    restarts_max: int
    title: str
    program: GangProgram | None
    phase: str
    #: Why it is stopping or last ended; "" while it is neither.
    reason: str
    #: Which placement this is; 0 before the first.
    generation: int
    failures: int
    #: Times its engine stopped it unasked, or did not start it in time, or it got nowhere.
    interruptions: int
    #: Where it is, or was last.
    nodes: list[str]
    #: Whether it runs on capacity lent by a tranche; which one, operators see.
    borrowed: bool
    lender: NotRequired[str]
    #: In lists, what a gang that is pending waits for.
    waits_for: NotRequired[ConstraintBody]
    submitted_at: str
    placed_at: str | None
    started_at: str | None
    ended_at: str | None


class GangPage(TypedDict):
    """Gangs in the order in which they were submitted."""

    items: list[GangBody]
    next_cursor: str | None


class FittingChange(TypedDict):
    """Something after which a gang would fit now ("gpus", "within", "sites"), or what it lacks ("nodes", "power")."""

    change: str
    value: int | str
    text: str


class LikelyStart(TypedDict):
    """When a gang that waits starts by what was learned of run times."""

    #: `learned`; or `limits` where too little has ended to say more than limits of time do.
    by: str
    #: If each that runs ends when half of those like it did, and when nine of ten did; null by limits.
    p50: str | None
    p90: str | None


class GangExplanation(TypedDict):
    """Why a gang waits, runs or is over."""

    gang: str
    phase: str
    summary: str
    facts: list[str]
    constraint: NotRequired[ConstraintBody]
    #: Gangs of the same queue that come first.
    ahead: NotRequired[int]
    #: At the latest, if all that runs takes the time it may and nothing arrives before it.
    expected_start: NotRequired[str | None]
    #: Where run times are learned: the same as such work usually runs, and if all takes long.
    expected: NotRequired[LikelyStart]
    #: With a deadline: seconds from the expected start until it would be too late; null where no start is known.
    slack_s: NotRequired[int | None]
    would_fit: NotRequired[list[FittingChange]]
    #: Of one that is placed, as of the time of the answer.
    why_there: NotRequired[WhyThere]


class LogPart(TypedDict):
    """Part of what a rank wrote."""

    text: str
    #: Ask for this offset next, with the same generation.
    next_offset: int
    #: Nothing more will come from this generation.
    ended: bool
    generation: int


class Cancelled(TypedDict):
    """What became of a gang that was cancelled, or of an array."""

    gang: str
    phase: str
    #: Of an array: how many of its gangs were not over.
    gangs: NotRequired[int]


class FeedStatus(TypedDict):
    """A level of the electrical tree, watts."""

    id: str
    parent: str
    limit_w: int
    load_w: int
    #: What is left under the limit, reserved or not.
    headroom_w: int
    #: Not drawn now, and reserved for tranches' nodes: work on the pool may not draw it.
    reserved_w: int


class SiteStatus(TypedDict):
    """A site in numbers."""

    id: str
    title: str
    region: str
    jurisdiction: str
    zone: str
    racks: int
    nodes: int
    gpus: int
    gpus_healthy: int
    gpus_used: int
    feeds: list[FeedStatus]


class TrancheStatus(TypedDict):
    """What the GPUs of a tranche do now: gpus = used + lent + idle + undeliverable while it is live."""

    tranche: str
    contract: str
    tenant: str
    site: str
    sku: str
    standing: str
    start: str
    end: str
    gpus: int
    used: int
    lent: int
    idle: int
    undeliverable: int


class UseAccrual(TypedDict):
    """Use without a tranche in the open period, so far, at the price in force then."""

    tenant: str
    tier: str
    sku: str
    site: str
    segment: int
    gpu_us: int
    gpu_hours: str
    amount: Money | None


class TrancheAccrual(TypedDict):
    """What became of a tranche's GPU-time in the open period, so far."""

    tranche: str
    tenant: str
    entitled_gpu_us: int
    used_gpu_us: int
    lent_gpu_us: int
    idle_gpu_us: int
    undeliverable_gpu_us: int
    entitled_gpu_hours: str
    amount: Money


class OpenPeriod(TypedDict):
    """The period that is not closed yet; nothing in it is final."""

    start: str
    end: str
    use: list[UseAccrual]
    tranches: list[TrancheAccrual]


class StatusBody(TypedDict):
    """All at a glance. Sites are for operators, gangs not for finance; a tenant sees its own only."""

    world: str
    now: str
    seq: int
    sites: NotRequired[list[SiteStatus]]
    tranches: list[TrancheStatus]
    #: Gangs by phase.
    gangs: NotRequired[dict[str, int]]
    period: OpenPeriod


class NodeBody(TypedDict):
    """A node. `tranche` is the one that it is bound to now, "" for the pool."""

    name: str
    rack: str
    hall: str
    site: str
    sku: str
    gpus: int
    gpus_used: int
    healthy: bool
    cordoned: bool
    #: Why it is not healthy or cordoned.
    reason: str
    tranche: str
    gangs: list[str]
    #: healthy, degraded, failed, quarantined or in_acceptance.
    condition: str


class NodePage(TypedDict):
    """Nodes in the order in which they were added."""

    items: list[NodeBody]
    next_cursor: str | None


class NodeAnswer(TypedDict):
    """What a command about a node did."""

    node: str
    changed: bool


class LimitsBody(TypedDict):
    """What holds gangs to their CPU and memory limits, where forebay runs them as processes of its own machine."""

    #: "cgroup", or "rlimit" for an equal share of private memory for each rank.
    memory: str
    #: "cgroup", or "affinity" for as many processors as the limit comes to, which others may use too.
    cpu: str
    #: How the last process of a gang is found: "cgroup" or "descent".
    kill: str
    #: The control group in use, or why there is none.
    detail: str


class EngineBody(TypedDict):
    """The engine that runs gangs; `limits` is null where no process runs on this machine."""

    limits: LimitsBody | None


class NameBody(TypedDict):
    """What is called so, as far as the caller may see it.

    Of: gang, tranche, contract, invoice, tenant, right, hold, milestone, block, site, rack, node.
    """

    name: str
    kinds: list[str]


class ClauseBody(TypedDict):
    """A clause outside the model."""

    title: str
    coverage: str
    #: When it falls due, of one that is watched.
    date: str | None


class ContractBody(TypedDict):
    """A contract as signed."""

    id: str
    version: int
    seller: str
    tenant: str
    currency: str
    on_demand: bool
    spot: bool
    tranches: list[str]
    clauses: list[ClauseBody]
    #: The cutover of a contract that ran before it was taken in.
    opened_at: str | None
    #: For ourselves, once we said who we are: "seller" or "customer".
    side: NotRequired[str]


class ContractPage(TypedDict):
    """Contracts by id."""

    items: list[ContractBody]
    next_cursor: str | None


class LendingBody(TypedDict):
    """Under which terms idle capacity may be lent."""

    reclaim_deadline_s: int
    owner_share_ppm: int


class TrancheBody(TypedDict):
    """A tranche as signed and bound; `nodes` are runs, as the names of their first and last node."""

    id: str
    contract: str
    tenant: str
    site: str
    sku: str
    #: Where else, and of what else, it may be before its term begins: "SKU at SITE" each, its own first.
    choices: list[str]
    unit: str
    count: int
    gpus: int
    start: str
    end: str
    #: As it is stated for now, before its index.
    price_per_gpu_hour: Money
    lending: LendingBody | None
    #: "managed", or "handed_over": then no gang runs on it by forebay.
    operation: str
    standing: str
    nodes: list[list[str]]


class TranchePage(TypedDict):
    """Tranches by id."""

    items: list[TrancheBody]
    next_cursor: str | None


class PriceBody(TypedDict):
    """A price for use without a tranche."""

    tier: str
    sku: str
    price_per_gpu_hour: Money


class PriceListBody(TypedDict):
    """A price list; `effective_at` is null for one that held from the moment it was applied."""

    version: int
    currency: str
    effective_at: str | None
    held_since: str | None
    in_force: bool
    prices: list[PriceBody]


class PricePage(TypedDict):
    """Price lists by version."""

    items: list[PriceListBody]
    next_cursor: str | None


class InvoiceLine(TypedDict):
    """One line. `exact` is the amount before it was rounded to the currency's minor unit."""

    n: int
    kind: str
    contract: str
    contract_version: int
    clause: str
    claim: str
    sku: str
    site: str
    #: "" for a rounding.
    tier: str
    #: Price list that it is billed at; 0 where the contract sets the price.
    price_version: int
    #: When the use was; a correction's is before the invoice's period.
    start: str
    end: str
    gpu_us: int
    gpu_hours: str
    energy_kwh: str
    #: Where the energy is known from: profile (of the SKU), metered (by readings), or mixed.
    energy_source: str
    price_per_gpu_hour: Money
    exact: Money
    amount: Money
    text: str


class InvoiceSummary(TypedDict):
    """An invoice without its lines."""

    id: str
    tenant: str
    start: str
    end: str
    charges: Money
    credits: Money
    total: Money
    #: Number of lines.
    lines: int
    #: By when it is to be paid, and how much of it is not.
    due_at: str
    open: Money
    #: "open", "paid", "credited" (whole) or "void".
    state: str


class InvoicePage(TypedDict):
    """Invoices by number."""

    items: list[InvoiceSummary]
    next_cursor: str | None


class BroughtForwardBody(TypedDict):
    """A balance at the cutover of a contract: positive is owed by the customer, negative to it."""

    contract: str
    at: str
    account: str
    #: Number of the unpaid invoice that it is of; "" for none.
    number: str
    due_at: str | None
    balance: Money


class InvoiceBody(TypedDict):
    """An invoice as issued."""

    id: str
    seller: str
    #: Counts each seller's invoices from 1.
    number: int
    tenant: str
    start: str
    end: str
    charges: Money
    credits: Money
    total: Money
    #: Version of the rules by which its lines were made.
    rating: int
    lines: list[InvoiceLine]
    #: Balances of contracts that ran before forebay knew of them; no part of the total.
    brought_forward: list[BroughtForwardBody]
    #: By when it is to be paid.
    due_at: str
    #: SHA-256 of its canonical bytes.
    digest: str
    #: Why it is void; "" where it is not.
    void: str
    #: The void invoice that it is in the place of; "" for none.
    replaces: str


class PlacementShare(TypedDict):
    """GPU-time of one placement within a line. For the owner of lent capacity, a borrower is "other work"."""

    gang: str
    #: Which placement of the gang; 0 where the gang is not named.
    generation: int
    #: "own", "lent", "idle" for what nobody used, or "unpaid" for what take-or-pay does not ask for, or
    #: "late_facts" for what a late report about a node changed and no
    #: placement can be named for.
    use: str
    nodes: list[str]
    gpus: int
    started: str | None
    #: Null while it went on when the period was closed.
    ended: str | None
    gpu_us: int
    gpu_hours: str


class LineExplanation(TypedDict):
    """What a line rests on, down to the placements. Their `gpu_us` sum to `gpu_us`."""

    invoice: str
    line: InvoiceLine
    contract: ContractBody
    #: Price list that set the price, where the contract did not.
    price_list: PriceListBody | None
    #: Record that closed the period, and the one that issued the invoice.
    closed_by: int
    issued_by: int
    gpu_us: int
    gpu_hours: str
    placements: list[PlacementShare]
    #: Facts behind a line that rests on no placements: dates, acceptances, relief and stretches of lateness.
    basis: list[str]


class PeriodClosedBody(TypedDict):
    """The period that was closed, and the invoices issued for it."""

    start: str
    end: str
    invoices: list[str]


class RecordBody(TypedDict):
    """One record of the journal."""

    seq: int
    at: str
    kind: str
    version: int
    command: str
    place: int
    places: int
    actor: str
    role: str
    tenant: str
    cause: int
    body: dict[str, Any]
    #: SHA-256 chain up to here, hexadecimal.
    digest: str


class JournalPage(TypedDict):
    """Records in order; `next_after` goes on from here, null at the end."""

    items: list[RecordBody]
    next_after: int | None


class JournalHead(TypedDict):
    """The last record."""

    seq: int
    digest: str


class EventsBody(TypedDict):
    """What was recorded since; ask again after `next_after`."""

    items: list[RecordBody]
    next_after: int


class ModelledTerm(TypedDict):
    """A term that is modelled, and the tranches, rights or caps that state it; none for the contract itself."""

    term: str
    about: list[str]


class WatchedClause(TypedDict):
    """A clause that is watched, and when it falls due."""

    title: str
    date: str | None


class CoverageBody(TypedDict):
    """What is done about all that a contract says."""

    modelled: list[ModelledTerm]
    #: What falls due next comes first.
    watched: list[WatchedClause]
    #: Titles of clauses that nothing is done about.
    not_handled: list[str]


class Applied(TypedDict):
    """A document that was applied, or with `dry_run` would be. `answer` is empty for what is recorded already."""

    name: str
    kind: str
    id: str
    changed: bool
    answer: dict[str, Any]
    #: Of a contract only.
    coverage: NotRequired[CoverageBody]


class DocumentsBody(TypedDict):
    """Documents in the order in which they were applied."""

    applied: list[Applied]
    dry_run: bool


class FieldChange(TypedDict):
    """A field that is recorded otherwise than a document says; "" where nothing is said."""

    thing: str
    field: str
    old: str
    new: str


class RefusedDocument(TypedDict):
    """Why a document would be refused, and where in its file that is; 0 where the place is not known."""

    code: str
    detail: str
    pointer: str
    line: int
    column: int


class Difference(TypedDict):
    """A document beside what is recorded. `state` is `new`, `same` or `differs`; things are told as `rack r01`."""

    name: str
    kind: str
    id: str
    state: str
    added: list[str]
    #: Recorded, and gone once the document is applied.
    removed: list[str]
    #: How many things are recorded word for word.
    equal: int
    changed: list[FieldChange]
    refused: RefusedDocument | None
    #: Of a contract only.
    coverage: NotRequired[CoverageBody]


class DifferencesBody(TypedDict):
    """Documents in the order in which they would be applied."""

    documents: list[Difference]


class GangTaken(TypedDict):
    """A gang that was taken in, or an array."""

    gang: str
    #: Of an array: how many gangs it has.
    gangs: NotRequired[int]
    #: False where the very same array was known already.
    changed: NotRequired[bool]


class SchemasBody(TypedDict):
    """JSON Schemas by kind."""

    schemas: dict[str, Any]


class VersionBody(TypedDict):
    """Which forebay this is."""

    version: str
    api: str
    documents: int


class Health(TypedDict):
    """Whether forebay decides and records; anything but "ok" comes with 503."""

    status: str


class PostedDocument(msgspec.Struct, forbid_unknown_fields=True):
    """A file of documents. `folder`, for operators only, is where it lies on forebay's machine (absolute)."""

    name: str
    text: str
    folder: str = ""


class PostedDocuments(msgspec.Struct, forbid_unknown_fields=True):
    """Files to be applied, in an order that is forebay's to choose. With `dry_run` nothing is."""

    documents: list[PostedDocument]
    dry_run: bool = False


class PostedReason(msgspec.Struct, forbid_unknown_fields=True):
    """Why, in a few words."""

    reason: str = ""


class PostedNodeReason(msgspec.Struct, forbid_unknown_fields=True):
    """Why, and for `fail` and `restore` since when (RFC 3339; now when left out)."""

    reason: str = ""
    effective_at: str = ""
