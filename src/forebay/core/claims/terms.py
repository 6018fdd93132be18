"""What does a contract say? Its tranches, its terms and rights, and the policy where contracts are silent.

Plain records, read from a document and carried whole by the event that it was signed with.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from forebay.core.claims.commitments import Commitment
from forebay.core.claims.energy_terms import EnergyTerms
from forebay.core.claims.maintenance import Maintenance
from forebay.core.claims.payments import PaymentTerms
from forebay.core.claims.remedies import Remedies
from forebay.core.claims.rights import Cap, RightPlan
from forebay.core.claims.service_levels import ServiceLevel
from forebay.core.claims.serving import ShortfallTerms
from forebay.core.ids import ContractId, IndexId, SiteId, SkuId, TenantId, TrancheId
from forebay.core.supply.blocks import Confidence

#: A billion dollars for one GPU-hour: keeps a slip of the pen out of the books.
PRICE_MICROS_MAX = 10**15
PPM = 1_000_000
#: A month: a loan that comes back later than that is no loan.
RECLAIM_S_MAX = 31 * 24 * 3600
#: A hundred days free for each that is late.
DISCOUNT_PPM_MAX = 100 * PPM


class Unit(StrEnum):
    """What a tranche counts: whole racks (NVLink domains), or nodes anywhere at the site."""

    RACK = "rack"
    NODE = "node"


class Operation(StrEnum):
    """Who schedules the work of a tranche: we do, or its customer does, to whom it is handed over."""

    MANAGED = "managed"
    HANDED_OVER = "handed_over"


class Coverage(StrEnum):
    """What forebay does about a clause that is not part of the model."""

    MODELLED = "modelled"
    WATCHED = "watched"
    NOT_HANDLED = "not_handled"


@dataclass(slots=True)
class Lending:
    """Under which terms idle capacity of a tranche may be lent out."""

    #: From the owner's need to the return of the capacity: grace, tenant scrub and checks included.
    reclaim_deadline_s: int
    #: The owner's share of what the borrower pays, parts per million.
    owner_share_ppm: int


@dataclass(slots=True)
class Delivery:
    """A part of a tranche, in its units, that is due at an instant of its own."""

    at: int
    count: int


@dataclass(slots=True)
class Late:
    """What follows when a part of a tranche is late."""

    #: For so long nothing follows, seconds.
    grace_s: int
    #: After that, for each GPU and day of lateness, micro-units.
    damages_micros_per_gpu_day: int
    #: The most that may fall due for the tranche, micro-units; 0 for no cap.
    cap_micros: int = 0
    #: After so long the customer may end the tranche, seconds; 0 for never.
    longstop_s: int = 0
    #: Instead of damages: after grace, for each day, such a share of a day's fee of what is missing, parts per
    #: million.
    discount_ppm_per_day: int = 0


class Direction(StrEnum):
    """On which side of its threshold a result is good."""

    AT_LEAST = "at_least"
    AT_MOST = "at_most"


@dataclass(slots=True)
class AcceptanceTest:
    """A test that what is delivered has to pass, by a name of the contract's own."""

    name: str
    #: What is just good enough, in millionths of whatever it is measured in.
    threshold_micros: int
    direction: Direction = Direction.AT_LEAST


class BillingFrom(StrEnum):
    """The date that the start of billing is counted from."""

    COMMITTED = "committed"
    READY = "ready"
    ACCEPTANCE = "acceptance"


@dataclass(slots=True)
class AcceptanceTerms:
    """How what is delivered is handed over: what it has to pass, how long an answer may take, when it is paid."""

    tests: tuple[AcceptanceTest, ...] = ()
    #: So long after the ready notice the customer is deemed to accept, seconds; 0 for never.
    deemed_s: int = 0
    billing_from: BillingFrom = BillingFrom.ACCEPTANCE
    #: So long after that date billing starts, and never before it is accepted, seconds.
    billing_after_s: int = 0


class ReliefKind(StrEnum):
    """Why a committed date may move."""

    FORCE_MAJEURE = "force_majeure"
    CUSTOMER_DELAY = "customer_delay"
    CHANGE_ORDER = "change_order"


@dataclass(slots=True)
class ReliefTerms:
    """By what a kind of event may move the committed dates of a tranche."""

    kind: ReliefKind
    #: Notice is to be received within so long of its beginning, seconds.
    notice_s: int
    #: The most that all events of the kind may move a date, seconds.
    cap_s: int


@dataclass(slots=True)
class Indexed:
    """How far a price follows an index, month by month: by the last value published before the month."""

    index: IndexId
    #: The value at which the price is as stated, millionths.
    base_micros: int
    #: How much of the price follows, parts per million.
    share_ppm: int
    #: The price never falls below the first, nor rises above the second, micro-units a GPU-hour; 0 for no bound.
    price_micros_min: int = 0
    price_micros_max: int = 0


@dataclass(slots=True)
class PriceStep:
    """What holds of a tranche's price from `at` on."""

    at: int
    price_micros_per_gpu_hour: int
    index: Indexed | None = None
    take_or_pay_ppm: int = PPM


@dataclass(slots=True)
class TranchePlan:
    """A tranche as a contract states it."""

    id: TrancheId
    site: SiteId
    sku: SkuId
    unit: Unit
    count: int
    start_at: int
    end_at: int
    price_micros_per_gpu_hour: int
    #: None where lending is not allowed.
    lending: Lending | None = None
    #: Its parts, the first at its start; empty when all of it is due then.
    deliveries: tuple[Delivery, ...] = ()
    #: None where the contract is silent about lateness.
    late: Late | None = None
    #: None where nodes count as delivered when they pass over.
    acceptance: AcceptanceTerms | None = None
    #: What may move its dates, beside what the contract says of kinds that are not named here.
    relief: tuple[ReliefTerms, ...] = ()
    operation: Operation = Operation.MANAGED
    #: None where nothing is promised about availability.
    service: ServiceLevel | None = None
    #: None where no maintenance is agreed: then all of it is downtime.
    maintenance: Maintenance | None = None
    #: In the place of a site, as signed: where it may be, in order of preference, or within which region or
    #: jurisdiction. Once it is nominated, `site` says where it is.
    sites: tuple[SiteId, ...] = ()
    region: str = ""
    jurisdiction: str = ""
    #: SKUs that would do as well as `sku`, in order of preference.
    substitutes: tuple[SkuId, ...] = ()
    #: Later prices, in order; the one above holds before the first.
    price_steps: tuple[PriceStep, ...] = ()
    #: None where the price follows no index.
    index: Indexed | None = None
    #: The least that is paid of what was deliverable, used or not, parts per million.
    take_or_pay_ppm: int = PPM
    #: Its prices were stated for an hour of a superchip of so many GPUs; 0 where for one of a GPU.
    superchip_gpus: int = 0
    #: Its place when there is too little; None for what the contract says of all.
    shortfall: ShortfallTerms | None = None
    #: From how far a spare is kept for a gang that lost a node; None for what the policy says.
    spare: SpareScope | None = None


@dataclass(slots=True)
class Clause:
    """A clause outside the model, and what is done about it."""

    title: str
    coverage: Coverage
    #: When a clause that is watched falls due; 0 for no date.
    watch_at: int = 0


@dataclass(slots=True)
class ContractPlan:
    """A contract as its file states it."""

    id: ContractId
    version: int
    seller: str
    tenant: TenantId
    #: ISO 4217.
    currency: str
    tranches: tuple[TranchePlan, ...] = ()
    #: Whether the tenant may also run on demand, and on spot, at the price list in force.
    on_demand: bool = False
    spot: bool = False
    clauses: tuple[Clause, ...] = ()
    #: What one side may still ask for, and the money that it may draw on.
    rights: tuple[RightPlan, ...] = ()
    caps: tuple[Cap, ...] = ()
    #: What may move the dates of each tranche that does not say otherwise.
    relief: tuple[ReliefTerms, ...] = ()
    #: None where at most one kind of remedy is granted.
    remedies: Remedies | None = None
    #: None where nothing is said of payment.
    payments: PaymentTerms | None = None
    #: From when on an amendment holds; 0 for its signature, and for the first version.
    effective_at: int = 0
    #: IANA name of the zone in which its document means dates; "" where it names none. For people.
    zone: str = ""
    #: The place of each tranche that does not say otherwise when there is too little; None where it is silent.
    shortfall: ShortfallTerms | None = None
    #: The least that is paid in each so many months; None for no such minimum.
    commitment: Commitment | None = None
    #: None where energy is in the price of a GPU-hour.
    energy: EnergyTerms | None = None


class Shorting(StrEnum):
    """Who goes short first where contracts do not say."""

    #: Everybody by the same share.
    PRO_RATA = "pro_rata"
    #: Who signed last.
    SIGNING = "signing"
    #: Who is owed least for it.
    LEAST_DAMAGES = "least_damages"
    #: The seller has no rule: what clauses do not settle is not shared out, but by hand.
    NONE = "none"


class SpareScope(StrEnum):
    """From how far a node may come that stands in for one which failed under a gang."""

    #: None is kept.
    NONE = "none"
    RACK = "rack"
    ROW = "row"
    HALL = "hall"
    SITE = "site"


class Spares(StrEnum):
    """What may be lost at once, so that nodes are kept to make it good: the largest of its kind."""

    NONE = "none"
    RACK = "rack"
    ROW = "row"
    FEED = "feed"
    LOOP = "loop"


@dataclass(slots=True)
class PromisePolicy:
    """How sure supply must be to be promised, and who goes short where contracts are silent: the seller's own.

    There is always one: before the first is applied the defaults hold, as version 0.
    """

    version: int = 1
    confidence: Confidence = Confidence.P90
    shorting: Shorting = Shorting.PRO_RATA
    #: Contracts that go short only when all others have nothing left, and of these the first named last.
    protected: tuple[ContractId, ...] = ()
    #: For so long after a deadline a notice may be entered that was received in time, seconds.
    notice_grace_s: int = 24 * 3600
    #: So many nodes of a stock are not promised as the largest of its racks, rows, feeds or cooling loops has.
    spares: Spares = Spares.NONE
