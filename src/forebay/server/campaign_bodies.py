"""The bodies of maintenance campaigns."""

from __future__ import annotations

from typing import TypedDict

import msgspec


class CampaignMonth(TypedDict):
    """What a campaign takes of what a claim allows in a calendar month (UTC)."""

    month: str
    #: Of its work, what is agreed, and of that what is done; what is not agreed; and what is left after all work.
    agreed_s: int
    done_s: int
    beyond_s: int
    left_s: int


class CampaignOverrun(TypedDict):
    """How it goes beyond what the contract agrees."""

    overrun: str
    detail: str


class CampaignClaim(TypedDict):
    """A claim that a campaign touches."""

    tranche: str
    tenant: str
    nodes: list[str]
    #: The most of them in one wave.
    at_once: int
    #: When its first wave begins, as planned.
    first: str
    notice_s: int
    #: When it is told, when it has to be told at the latest, and when it was.
    notify: str
    latest_notice: str
    noticed: str | None
    #: "not_needed", "asked", "given" or "refused".
    consent: str
    #: None where no maintenance is agreed.
    allowed_s: int | None
    months: list[CampaignMonth]
    overruns: list[CampaignOverrun]


class CampaignBody(TypedDict):
    """A campaign, and how far it is; a tenant sees its own claims only."""

    id: str
    work: str
    phase: str
    reason: str
    start: str
    end: str
    #: When the next wave begins, if none slips.
    next: str | None
    waves_begun: int
    waves_left: int
    #: Whether the wave that runs takes longer than it should.
    slipped: bool
    nodes_done: int
    #: Nodes that are being emptied, that are worked on, that did not come back, and that were left out.
    draining: list[str]
    out: list[str]
    failed: list[str]
    left: list[str]
    claims: list[CampaignClaim]


class CampaignPage(TypedDict):
    """A page of campaigns."""

    items: list[CampaignBody]
    next_cursor: str | None


class CampaignAnswer(TypedDict):
    """What was asked of a campaign was done."""

    campaign: str
    changed: bool


class PostedCampaignVerb(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Why a campaign is paused, resumed or cancelled."""

    reason: str = ""


class PostedConsent(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Whether a claim may be touched."""

    tranche: str
    given: bool = True
    reason: str = ""
