"""How does what a document says differ from what is recorded? Thing by thing, and field by field.

Both are plans of the core. A plan is laid out as things (a site, its feeds, its racks) with their fields as people
write them; then two layouts are compared.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

from forebay.core import claims, money, supply, timeline, units
from forebay.core.placements import campaigns, gang, projects
from forebay.core.supply import blocks
from forebay.feeds import commands

#: Name of a thing -> field -> value, as people write it.
Layout = dict[str, dict[str, str]]

#: What a part of a plan is called, and the fields that tell it from others of its sort.
_WORDS: dict[type, tuple[str, tuple[str, ...]]] = {
    supply.ApplyCatalogue: ("catalogue", ()),
    supply.Sku: ("SKU", ("id",)),
    supply.SitePlan: ("site", ("id",)),
    supply.FeedPlan: ("feed", ("id",)),
    supply.HallPlan: ("hall", ("id",)),
    supply.RackPlan: ("rack", ("id",)),
    blocks.SchedulePlan: ("schedule of", ("site",)),
    blocks.MilestonePlan: ("milestone", ("id",)),
    blocks.BlockPlan: ("block", ("id",)),
    blocks.PowerStage: ("power stage", ("id",)),
    blocks.Cause: ("cause", ("id",)),
    claims.ContractPlan: ("contract", ("id",)),
    claims.TranchePlan: ("tranche", ("id",)),
    claims.Delivery: ("delivery", ("at",)),
    claims.AcceptanceTest: ("test", ("name",)),
    claims.ReliefTerms: ("relief", ("kind",)),
    claims.PriceStep: ("price", ("at",)),
    claims.Clause: ("clause", ("title",)),
    claims.rights.RightPlan: ("right", ("id",)),
    claims.rights.Cap: ("cap", ("id",)),
    claims.Opening: ("opening", ()),
    claims.opening.OpenedInvoice: ("open invoice", ("number",)),
    claims.opening.OpenedTranche: ("delivered of tranche", ("tranche",)),
    claims.opening.OpenedCap: ("drawn on cap", ("cap",)),
    claims.opening.OpenedRight: ("state of right", ("right",)),
    claims.PromisePolicy: ("promise policy", ()),
    claims.workdays.BusinessCalendar: ("business calendar", ("id",)),
    claims.parties.Estate: ("estate", ()),
    claims.parties.Overlay: ("overlay on", ("contract",)),
    claims.parties.Behind: ("milestone", ("site", "milestone", "tranche", "delivery")),
    claims.deliveries.NotifyDelivery: ("notice of", ("tranche", "delivery")),
    claims.deliveries.ReportDelivered: ("delivery of", ("tranche", "delivery")),
    money.PriceList: ("price list", ("version",)),
    money.Price: ("price", ("tier", "sku")),
    claims.PublishIndex: ("index", ("index",)),
    money.ApplyTaxes: ("taxes of", ("account",)),
    money.TaxRate: ("rate", ("jurisdiction", "from_at")),
    claims.IndexValue: ("value", ("published_at",)),
    gang.Policy: ("policy", ()),
    gang.Spec: ("gang", ("id",)),
    campaigns.CampaignPlan: ("campaign", ("id",)),
    campaigns.CampaignPart: ("part", ("kind", "name")),
    projects.ProjectsPlan: ("projects of", ("tenant",)),
    projects.Project: ("project", ("id",)),
    projects.PriorityClass: ("priority", ("name",)),
    supply.storage.StoragePlan: ("storage", ()),
    supply.storage.StoragePool: ("pool", ("id",)),
    supply.storage.SiteLink: ("link", ("source", "target")),
    supply.storage.Dataset: ("dataset", ("id",)),
    supply.SwitchPlan: ("switch", ("id",)),
    supply.LoopPlan: ("loop", ("id",)),
}


class Change(NamedTuple):
    """A field that is recorded otherwise; "" where nothing is said."""

    thing: str
    field: str
    old: str
    new: str


class Compared(NamedTuple):
    """What is recorded beside what is wanted."""

    added: list[str]
    #: Recorded, and not in what is wanted.
    removed: list[str]
    #: Things that are recorded word for word.
    equal: list[str]
    changed: list[Change]

    def with_more(self, other: Compared) -> Compared:
        """What both found."""
        return Compared(
            self.added + other.added, self.removed + other.removed, self.equal + other.equal,
            self.changed + other.changed,
        )  # fmt: skip


def compare(recorded: Any, wanted: Any, *, keeps: bool = False) -> Compared:
    """Compare two plans; `recorded` is None where there is none. With `keeps` what is not wanted stays."""
    old, new = ({} if plan is None else laid_out(plan) for plan in (recorded, wanted))
    changed = [
        Change(thing, field, old[thing].get(field, ""), new[thing].get(field, ""))
        for thing in new
        if thing in old
        for field in dict.fromkeys([*old[thing], *new[thing]])
        if old[thing].get(field, "") != new[thing].get(field, "")
    ]
    added = [thing for thing in new if thing not in old]
    removed = [] if keeps else [thing for thing in old if thing not in new]
    if recorded not in (None, wanted) and not (keeps or added or removed or changed):
        changed = [Change(next(iter(new)), "order", ", ".join(old), ", ".join(new))]
    return Compared(
        added,
        removed,
        [thing for thing in new if old.get(thing) == new[thing]],
        changed,
    )


def laid_out(plan: Any) -> Layout:
    """A plan as its things with their fields."""
    layout: Layout = {}
    for name, fields in _things(plan, "", {}):
        layout.setdefault(name, {}).update(fields)
    return layout


def _things(plan: Any, within: str, above: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """A thing, then the things in its lists. `within` is told of those that have no id of their own."""
    word, keys = _WORDS[type(plan)]
    told = " ".join(_spelled(key, getattr(plan, key)) for key in keys)
    name = f"{word} {told}{within if keys != ('id',) else ''}".strip()
    fields = dict(above)
    lists: list[Any] = []
    for field in dataclasses.fields(plan):
        value = getattr(plan, field.name)
        if isinstance(value, claims.AcceptanceTerms):
            lists += value.tests
            value = dataclasses.replace(value, tests=())
        if isinstance(value, tuple) and value and type(value[0]) in _WORDS:
            lists += value
        elif field.name not in keys:
            fields |= _fields(field.name, value)
    yield name, fields
    own = {"hall": told} if isinstance(plan, supply.HallPlan) else {}
    for each in lists:
        yield from _things(each, f" of {told}" if told else "", own)


def _fields(name: str, value: Any) -> dict[str, str]:
    """A field, or those of a group of fields, by the names that documents have for them."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f"{name}.{inner}": text
            for field in dataclasses.fields(value)
            for inner, text in _fields(field.name, getattr(value, field.name)).items()
        }
    text = _spelled(name, value)
    return {commands.document_field(name): text} if text else {}


def _spelled(name: str, value: Any) -> str:
    """A value as a document would say it; "" for one that says nothing."""
    if isinstance(value, tuple):
        return ", ".join(map(_each, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}={each}" for key, each in sorted(value.items()))
    if isinstance(value, bool):
        return "true" if value else ""
    if not isinstance(value, int) or value == 0:
        return "" if value is None or value == 0 else str(value)
    parts = name.split("_")
    if name == "at" or parts[-1] == "at":
        rest = value % units.SECOND_US
        return f"{timeline.text(value)[:-1]}.{rest:06d}Z" if rest else timeline.text(value)
    if "micros" in parts:
        return units.decimal_text(value)
    if "ppm" in parts:
        return units.decimal_text(value) if name == "pue_ppm" else f"{_decimal(value, 10_000)} %"
    if "w" in parts:
        return _scaled(value, (("GW", 10**9), ("MW", 10**6), ("kW", 10**3)), "W")
    if "s" in parts:
        whole = next(
            (unit, size)
            for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
            if not value % size
        )
        return f"{value // whole[1]}{whole[0]}"
    return str(value)


def _each(value: Any) -> str:
    """One of several: a name, or a record as its fields."""
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return str(value)
    told = ((each.name, _spelled(each.name, getattr(value, each.name))) for each in dataclasses.fields(value))
    return " ".join(f"{commands.document_field(name)} {text}" for name, text in told if text)


def _scaled(value: int, sizes: tuple[tuple[str, int], ...], least: str) -> str:
    unit, size = next(((unit, size) for unit, size in sizes if value >= size), (least, 1))
    return f"{_decimal(value, size)} {unit}"


def _decimal(value: int, size: int) -> str:
    """`value / size` exactly; `size` is a power of ten."""
    whole, rest = divmod(value, size)
    digits = str(size + rest)[1:].rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
