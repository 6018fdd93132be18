"""Who are we, and what do we keep to ourselves about a contract?

A contract names parties and nothing else. The *estate* says which of them we are: for its seller a contract is a
claim on what stands here, for its customer it is supply at somebody else's site. An *overlay* holds what one party
thinks of a contract and the other does not know: it names the contract and is never part of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from forebay.core.ids import Command, ContractId, Event, MilestoneId, SiteId, TrancheId
from forebay.core.supply.blocks import Confidence


@dataclass(slots=True)
class Estate:
    """Whose World this is."""

    version: int
    #: We, as contracts spell it.
    party: str
    #: For people.
    title: str = ""
    #: Other names under which we sign: companies of our group.
    also: tuple[str, ...] = ()


@dataclass(slots=True)
class Behind:
    """A milestone of ours that has to be reached for a committed date to be kept."""

    tranche: TrancheId
    #: Which delivery of it, from 1 on.
    delivery: int
    site: SiteId
    milestone: MilestoneId


@dataclass(slots=True)
class Overlay:
    """What we alone know of a contract."""

    contract: ContractId
    version: int
    #: Whose overlay it is.
    party: str
    #: Below this we do not sign without a reason, micro-units a GPU-hour; 0 for no floor.
    floor_micros_per_gpu_hour: int = 0
    #: What is to be left of the price, parts per million; nothing is decided by it.
    margin_ppm: int = 0
    #: Where we sell: the contracts with the lowest go short first.
    priority: int = 0
    #: How sure the dates behind this contract must be, whatever the policy says; None for what it says.
    confidence: Confidence | None = None
    behind: tuple[Behind, ...] = ()
    notes: str = ""


# Commands


@dataclass(slots=True)
class ApplyEstate(Command):
    """This is who we are. Versions only grow; the same again changes nothing."""

    estate: Estate


@dataclass(slots=True)
class ApplyOverlay(Command):
    """This is what we think of a contract, signed or not. Versions only grow; the same again changes nothing."""

    overlay: Overlay


# Events


@dataclass(slots=True)
class EstateApplied(Event):
    """Who we are, from here on."""

    estate: Estate


@dataclass(slots=True)
class OverlayApplied(Event):
    """What we think of a contract, from here on."""

    overlay: Overlay


PartyEvent = EstateApplied | OverlayApplied
