"""Nothing that stands could ever hold it. Would it fit once more is delivered, and when is that?

Racks are counted, of its kind, in the order in which their blocks are expected in even odds. Of a block that is not
known to come to a hall (or to a row of it) only its own racks are near each other. What power there will be is not
known feed by feed before it stands, and is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from forebay.core import supply
from forebay.core.ids import BlockId, Refusal, SiteId
from forebay.core.placements.carrying import is_of_levels
from forebay.core.placements.gang import Level, Spec
from forebay.core.supply.blocks import Confidence, Outlook
from forebay.core.supply.plant import racks_to_come
from forebay.core.timeline import INSTANT_MAX, text

#: What is refused that no state of the plant could hold: for good, and until a delivery.
NEVER = ("never_fits", "fits_later")


class RoomToCome(NamedTuple):
    """The first block with which there is room for a shape, how much there is then, and by when it is there."""

    p50_at: int
    block: BlockId
    site: SiteId
    gpus: int
    p90_at: int


def never_fits_later(spec: Spec, sku: supply.Sku, promised: int) -> Refusal | None:
    """Whether a gang never fits on a tranche whose racks are still to come, of which so many nodes are promised."""
    most, where = promised * sku.gpus_per_node, f"tranche {spec.tranche}, once all of it has come,"
    if spec.within is Level.NODE:
        most, where = sku.gpus_per_node, "a node"
    elif spec.within is Level.RACK:
        most, where = min(most, sku.gpus_per_node * sku.nodes_per_rack), "a rack"
    if spec.gpus <= most:
        return None
    told = f"{spec.gpus} GPUs of {spec.sku} are asked for; {where} has {most}"
    return Refusal("never_fits", told, "gpus")


def or_later(supplied: supply.State, spec: Spec, sites: list[SiteId], no: Refusal | None) -> Refusal | None:
    """A refusal for want of room as it stands, or `fits_later` where there will be room. Dates of what is to come
    are for whoever owns the plant: a tenant is told that more comes.
    """
    if no is None or not supplied.schedules or spec.tranche:
        return no
    # What stands and cannot be carried is no room; what is to come hangs on levels that are not known yet.
    beside = not is_of_levels(no)
    found = min(
        (each for site in sites for each in _first(supplied, spec, site, beside=beside)), default=None
    )
    if found is None:
        return no
    sure = text(found.p90_at) if found.p90_at < INSTANT_MAX else "not known"
    near = "" if spec.within is Level.SITE else f" within one {spec.within}"
    detail = (
        f"{no.detail}. Once block {found.block} has come to {found.site} there will be {found.gpus}{near}: "
        f"{text(found.p50_at)} in even odds, nine times in ten by {sure}"
    )
    told = f"{no.tenant_detail or no.detail}; more is to come"
    return Refusal("fits_later", detail, no.field, told)


def _first(supplied: supply.State, spec: Spec, site: SiteId, *, beside: bool) -> Iterator[RoomToCome]:
    """The first block of one site that is enough, if any is, `beside` what stands or alone."""
    known, sku = supplied.schedules.get(site), supplied.skus[spec.sku]
    if known is None:
        return
    slice_gpus = spec.slice_gpus or 1

    def usable(gpus: int) -> int:
        return gpus - gpus % slice_gpus

    #: GPUs near each other: by hall and row as far as the shape asks.
    near: dict[tuple[str, ...], int] = {}
    for rack in supplied.racks.values() if beside else ():
        if rack.site == site and rack.sku == sku.id:
            mark = _near(spec.within, rack.hall, rack.row, rack.id)
            near[mark] = near.get(mark, 0) + usable(rack.nodes * sku.gpus_per_node)
    of_rack = sku.gpus_per_node * (1 if spec.within is Level.NODE else sku.nodes_per_rack)
    outlook = Outlook(known)
    coming = sorted(
        (outlook.block(block, Confidence.P50), block.id, block, left)
        for block, left in racks_to_come(supplied, site).values()
        if left and block.sku == sku.id
    )
    for p50_at, name, block, left in coming:
        if p50_at >= INSTANT_MAX:
            return
        alone = spec.within in (Level.NODE, Level.RACK)
        mark = _near(spec.within, block.hall, block.row, name)
        near[mark] = near.get(mark, 0) + usable(of_rack) * (1 if alone else left)
        if near[mark] >= spec.gpus:
            yield RoomToCome(p50_at, name, site, near[mark], outlook.block(block, Confidence.P90))
            return


def _near(within: Level, hall: str, row: str, name: str) -> tuple[str, ...]:
    """What is near enough to what, by name; what has no place yet is near itself only."""
    if within is Level.SITE:
        return ()
    if within is Level.HALL and hall:
        return (hall,)
    if within in (Level.ROW, Level.BLOCK) and hall and row:
        return (hall, row)
    return ("", "", name)
