"""What may a document of a maintenance campaign say, and what is it to the core?"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from forebay.core import ids
from forebay.core.placements import campaigns
from forebay.core.supply import DomainKind
from forebay.feeds import forms


class CampaignPartEntry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A part of the plant, with all that hangs on it."""

    #: What it is.
    kind: DomainKind
    #: Its name.
    id: forms.Name


class CampaignDocument(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Maintenance of many nodes, in waves: what is done, to what, when, and how much at once."""

    KIND: ClassVar = "Campaign"
    #: What others call it.
    id: forms.Name
    #: What is done: driver 590, firmware 24.9, work on a feed.
    work: forms.Words
    #: What it is done to: racks, switches, cooling loops, feeds, halls, sites.
    parts: list[CampaignPartEntry]
    #: Only nodes of this kind; left out for all.
    sku: forms.Name = ""
    #: When the first wave begins.
    start: forms.When
    #: No wave goes beyond.
    end: forms.When
    #: How long a wave takes.
    takes: forms.Seconds
    #: What waves are counted in: racks stay whole.
    unit: campaigns.WaveUnit = campaigns.WaveUnit.RACK
    #: So many of them at once.
    at_once: forms.Many
    #: So many at once that one claim has nodes in; left out for as many.
    at_once_per_claim: forms.Times = 0
    #: How long before its first wave a claim is told; left out for at once. What its clause asks for is kept anyway.
    notice: forms.Seconds = 0
    #: With more nodes that do not come back from the work it pauses by itself.
    failures: forms.Times = 0
    #: In which ways it may go beyond what contracts agree.
    despite: list[campaigns.Overrun] = []
    #: In which dates without an offset are meant.
    zone: forms.Zone | None = None


def campaign_plan(body: CampaignDocument, start_at: int, end_at: int) -> campaigns.CampaignPlan:
    """The plan that a document says."""
    parts = tuple(campaigns.CampaignPart(each.kind, each.id) for each in body.parts)
    return campaigns.CampaignPlan(
        ids.CampaignId(body.id), body.work, parts, ids.SkuId(body.sku), start_at, end_at, body.takes, body.unit,
        body.at_once, body.at_once_per_claim, body.notice, body.failures, tuple(sorted(set(body.despite))),
    )  # fmt: skip
