"""Documents of what stands: the catalogue of racks, and sites with their feeds, loops, switches, halls and racks."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from forebay.core import supply
from forebay.feeds import forms


class PlantPart(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A part of a document."""


class SkuEntry(PlantPart, kw_only=True, frozen=True):
    """A kind of rack."""

    #: What racks, tranches and gangs call it.
    id: forms.Name
    #: Its name for people.
    title: forms.Words
    #: GPUs in a node, counted as packages, never as dies.
    gpus_per_node: forms.Few
    #: Nodes in a full rack. A rack is one NVLink domain.
    nodes_per_rack: forms.Few
    #: Nameplate power of a full rack.
    rack_power: forms.Watts
    #: Power of a rack with no work on it: network, pumps, idle nodes.
    base_power: forms.Watts
    #: Power of one GPU at work, with its share of the node.
    gpu_power: forms.Watts
    #: Healthy nodes that a rack needs to count as delivered.
    healthy_nodes: forms.FewOrNone
    #: Where the figures come from, and of when they are.
    source: forms.Words = ""
    #: What quotes and invoices count besides GPUs.
    counts: supply.Counted = supply.Counted.GPU
    #: GPUs in a superchip; left out where there are none.
    gpus_per_superchip: forms.FewOrNone = 0
    #: Share of its heat that goes into the liquid of its cooling loop; the rest goes into the air.
    liquid_share: forms.Share = 0


class CatalogueDocument(PlantPart, kw_only=True, frozen=True):
    """Kinds of racks that sites may have. What is known stays as it is; new figures need a new id."""

    KIND: ClassVar = "Catalogue"
    #: Kinds of racks.
    skus: list[SkuEntry]


class FeedEntry(PlantPart, kw_only=True, frozen=True):
    """A level of the electrical tree."""

    #: What racks and other feeds call it.
    id: forms.Name
    #: Most that it may carry.
    limit: forms.Watts
    #: The feed that it hangs on; left out for one at the top.
    parent: forms.Name = ""
    #: What it carries whether work runs or not, beyond the racks' own base.
    base: forms.Watts = 0


class LoopEntry(PlantPart, kw_only=True, frozen=True):
    """A cooling loop: what one distribution unit serves, with the air handlers beside it."""

    #: What racks call it.
    id: forms.Name
    #: Heat that its liquid takes away.
    liquid: forms.Watts
    #: Heat that the air of its racks takes away.
    air: forms.Watts


class RackEntry(PlantPart, kw_only=True, frozen=True):
    """A rack, or several alike."""

    #: Its name; `r[01-08]` stands for eight racks, r01 to r08.
    id: forms.Words
    #: Which kind of rack it is.
    sku: forms.Name
    #: The feed that it hangs on.
    feed: forms.Name
    #: The row that it stands in.
    row: forms.Words = ""
    #: Nodes in it; left out for a full rack.
    nodes: forms.FewOrNone = 0
    #: Most that it may draw; left out for the kind's nameplate.
    limit: forms.Watts = 0
    #: The block of the site's schedule that it came with.
    block: forms.Name = ""
    #: The cooling loop that it hangs on; what a loop serves may fail together.
    loop: forms.Name = ""
    #: The spine that it hangs on: racks of a hall under one spine are a block. Where none is named, the row is.
    spine: forms.Words = ""


class HallEntry(PlantPart, kw_only=True, frozen=True):
    """A hall with its racks."""

    #: Its name.
    id: forms.Name
    #: Racks in it.
    racks: list[RackEntry]


class SwitchEntry(PlantPart, kw_only=True, frozen=True):
    """A switch: racks that lose their network with it."""

    #: What failures call it.
    id: forms.Name
    #: The racks that it serves; `r[01-08]` stands for eight.
    racks: list[forms.Words]


class SiteDocument(PlantPart, kw_only=True, frozen=True):
    """A site as it stands: what the file adds is added, nothing is taken away."""

    KIND: ClassVar = "Site"
    #: What contracts and gangs call it.
    id: forms.Name
    #: Its name for people.
    title: forms.Words = ""
    #: Where in the world it is, in your own terms.
    region: forms.Words = ""
    #: Whose law the machines stand under: ISO 3166-1, two letters.
    jurisdiction: forms.Country
    #: Its time zone.
    zone: forms.Zone = "UTC"
    #: Levels of the electrical tree.
    feeds: list[FeedEntry]
    #: Halls with their racks.
    halls: list[HallEntry]
    #: Cooling loops whose capacity is known: racks that name one are checked against it.
    loops: list[LoopEntry] = []
    #: Switches that take racks out with them; left out where racks do not share one.
    switches: list[SwitchEntry] = []
