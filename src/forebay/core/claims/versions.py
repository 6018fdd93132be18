"""Which version of a contract holds when, and what it changed: the records of amendments.

An amendment is the whole text of the contract again, with the next version and the date from which on it holds. What
it promises is promised from its signature on; the version, with its prices and terms, holds from its date on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from forebay.core.claims.rights import RightPlan
from forebay.core.claims.terms import ContractPlan, Late, Lending, TranchePlan
from forebay.core.ids import ContractId, Event, RightId, TrancheId
from forebay.core.supply.blocks import Confidence


@dataclass(slots=True)
class ContractAmended(Event):
    """Both sides signed a new version, which holds from `effective_at` on."""

    plan: ContractPlan
    effective_at: int
    #: Tranches that it changes or adds, as they stand now: with what holds before that date.
    tranches: tuple[TranchePlan, ...]
    #: Rights that it adds; none opens before that date.
    rights: tuple[RightPlan, ...]
    #: What it was checked under: the version of the policy, and how sure supply had to be.
    policy: int = 0
    confidence: Confidence = Confidence.P90
    #: Why it was signed although it did not fit; "" where it did.
    override: str = ""
    #: Rights that it grants on other terms, from that date on, or from its signature where that is later.
    regranted: tuple[RightPlan, ...] = ()
    #: Rights that it grants no more from then on.
    withdrawn: tuple[RightId, ...] = ()


@dataclass(slots=True)
class AmendmentTookEffect(Event):
    """From `effective_at` on this version is the contract."""

    contract: ContractId
    version: int
    effective_at: int
    #: Whether use without a claim, or on loan, is metered apart from then on: its terms change.
    apart: bool


@dataclass(slots=True)
class TranchePriceChanged(Event):
    """Another price holds for a tranche whose term runs: what it gets from now on is metered apart."""

    tranche: TrancheId


@dataclass(slots=True)
class Version:
    """A version of a contract as it was signed."""

    plan: ContractPlan
    effective_at: int
    signed_at: int


class Earlier(NamedTuple):
    """Terms that held for a tranche until an amendment took effect."""

    until_at: int
    lending: Lending | None
    late: Late | None


def with_terms(
    was: TranchePlan, earlier: tuple[Earlier, ...], stated: TranchePlan, effective_at: int
) -> tuple[TranchePlan, tuple[Earlier, ...]]:
    """A tranche once a version takes effect, with the terms that it states; and what held before."""
    if (was.lending, was.late) != (stated.lending, stated.late):
        earlier = (*earlier, Earlier(effective_at, was.lending, was.late))
    plan = replace(
        was, lending=stated.lending, late=stated.late, relief=stated.relief, service=stated.service,
        maintenance=stated.maintenance, shortfall=stated.shortfall, spare=stated.spare,
    )  # fmt: skip
    return plan, earlier


def in_force(versions: Sequence[Version], at: int) -> ContractPlan:
    """The version that holds at an instant; before the first, that one."""
    found = [version.plan for version in versions if version.effective_at <= at]
    return found[-1] if found else versions[0].plan


def meters_apart(old: ContractPlan, new: ContractPlan) -> bool:
    """Whether it matters to what is used without a claim, or on loan, which of two versions holds."""
    before = {tranche.id: tranche.lending for tranche in old.tranches}
    return (old.on_demand, old.spot) != (new.on_demand, new.spot) or any(
        tranche.lending != before.get(tranche.id, tranche.lending) for tranche in new.tranches
    )


EVENTS: tuple[type[Event], ...] = (ContractAmended, AmendmentTookEffect, TranchePriceChanged)
