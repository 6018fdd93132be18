"""What does a contract say? Its tranches, its terms and rights, and the policy where contracts are silent.

Plain records, read from a document and carried whole by the event that it was signed with.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from forebay.core.claims.rights import Cap, RightPlan
from forebay.core.ids import ContractId, SiteId, SkuId, TenantId, TrancheId
from forebay.core.supply.blocks import Confidence

#: A billion dollars for one GPU-hour: keeps a slip of the pen out of the books.
PRICE_MICROS_MAX = 10**15
PPM = 1_000_000
#: A month: a loan that comes back later than that is no loan.
RECLAIM_S_MAX = 31 * 24 * 3600


class Unit(StrEnum):
    """What a tranche counts: whole racks (NVLink domains), or nodes anywhere at the site."""

    RACK = "rack"
    NODE = "node"


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


@dataclass(slots=True)
class Clause:
    """A clause outside the model, and what is done about it."""

    title: str
    coverage: Coverage


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


class Shorting(StrEnum):
    """Who goes short first where contracts do not say."""

    #: Everybody by the same share.
    PRO_RATA = "pro_rata"
    #: Who signed last.
    SIGNING = "signing"
    #: Who is owed least for it.
    LEAST_DAMAGES = "least_damages"


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
