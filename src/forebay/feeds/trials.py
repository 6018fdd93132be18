"""What is said about a replay in the twin: how jobs of a trace become gangs, and how often the plant fails.

Documents like any other in form, but nothing in a World: they are read beside the plant, and never applied.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from forebay.core.placements import gang
from forebay.feeds import forms
from forebay.feeds.kinds import DocumentPart


class JobRuleEntry(DocumentPart, kw_only=True, frozen=True):
    """What becomes of some jobs. What a rule leaves out is as the options of the command say."""

    #: Whose jobs: the tenant (virtual cluster, account, user) as the trace names it, with `*` for any letters.
    match: forms.Words = "*"
    #: Only jobs of so many GPUs, or more.
    gpus_from: forms.Many = 1
    #: Only jobs of so many GPUs, or fewer; left out for no limit.
    gpus_to: forms.Many = 10**7
    #: Tenant that they are submitted for; left out for the one in the trace.
    tenant: forms.Tenant = ""
    #: By which claim they run.
    tier: gang.Tier | None = None
    #: Tranche that dedicated work runs on; left out for the tenant's largest.
    tranche: forms.Name = ""
    #: Kind of rack; left out for the one that most nodes are of, or the tranche's.
    sku: forms.Name = ""
    #: All GPUs of a job lie within one of these.
    within: gang.Level = gang.Level.SITE
    #: Time between checkpoints.
    checkpoint: forms.Seconds | None = None
    #: Failures of its own after which a job is started again.
    restarts: forms.Times = 3


class TraceMapDocument(DocumentPart, kw_only=True, frozen=True):
    """How the jobs of a trace become gangs: of several rules, the first that matches a job."""

    KIND: ClassVar = "TraceMap"
    #: Rules, the first that matches counts; jobs that none matches are as the options of the command say.
    rules: list[JobRuleEntry]


class RateEntry(DocumentPart, kw_only=True, frozen=True):
    """How often one of a kind fails, and for how long."""

    #: Mean time between failures of one of them; 0 for never.
    mtbf: forms.Seconds
    #: Mean time until it is well again.
    repair: forms.Seconds
    #: Where the figures come from.
    source: forms.Words = ""


class FailureRatesDocument(DocumentPart, kw_only=True, frozen=True):
    """How often nodes, racks and feeds fail. What is left out fails as `forebay replay --faults` states it."""

    KIND: ClassVar = "FailureRates"
    #: One node: a GPU, its memory, its link, the host.
    node: RateEntry | None = None
    #: A rack with all its nodes: its switches, its busbar, its coolant.
    rack: RateEntry | None = None
    #: A feed with all racks under it.
    feed: RateEntry | None = None
    #: Time that a restart costs before work goes on where its checkpoint left it.
    restart: forms.Seconds = 300


#: Kinds that are read beside a plant.
TRIALS: dict[str, type[msgspec.Struct]] = {
    "TraceMap": TraceMapDocument,
    "FailureRates": FailureRatesDocument,
}
