"""What does a gang's data have to do with when and where it starts? For explanations."""

from __future__ import annotations

from typing import NamedTuple

from forebay.core.ids import Refusal, SiteId
from forebay.core.placements import datasets
from forebay.core.placements.gang import Gang, Spec
from forebay.core.placements.schedule import Desk
from forebay.core.timeline import text
from forebay.core.units import SECOND_US, counted, decimal_text, size_text

#: At most so many sites are told of.
TOLD_MAX = 8


class Awaited(NamedTuple):
    """When all data of a gang is somewhere, in words, and how many copies are missing."""

    summary: str
    missing: int
    at: int


def awaited(desk: Desk, spec: Spec) -> Awaited:
    """For what a gang waits whose data is at none of its sites."""
    book, soonest = desk.supplied.storage, []
    for site in datasets.allowed_sites(desk.supplied, desk.claimed, spec):
        found = datasets.staging_at(desk.supplied, spec, site, desk.at)
        if not isinstance(found, Refusal) and not found.copies:
            soonest.append((found.ready_at, site))
    assert soonest, "what is missing was ordered when it was taken in"
    at, site = min(soonest)
    coming = [
        each
        for each in book.copying.values()
        if each.dataset in spec.datasets and book.pools[each.target].site == site
    ]
    cost = decimal_text(sum(each.price_micros for each in coming))
    size = sum(each.size_bytes for each in coming)
    sources = ", ".join(sorted({book.pools[each.source].site for each in coming}))
    are = "is" if len(coming) == 1 else "are"
    summary = (
        f"Data: {counted(len(coming), 'dataset')} ({size_text(size)}) {are} copied from {sources} to {site}"
        f" until {text(at)}, for {cost} {coming[0].currency}."
    )
    return Awaited(summary, len(coming), at)


def data_facts(desk: Desk, spec: Spec) -> list[str]:
    """What it would take to have the data of a gang at the sites that lack it."""
    ready = datasets.ready_sites(desk.supplied, desk.claimed, spec)
    facts = [f"Its data is at {', '.join(ready)}: it starts only there."] if ready and spec.datasets else []
    others = datasets.allowed_sites(desk.supplied, desk.claimed, spec)
    for site in [each for each in others if each not in ready][:TOLD_MAX]:
        facts += _copying(desk, spec, site)
    return facts


def _copying(desk: Desk, spec: Spec, site: SiteId) -> list[str]:
    found = datasets.staging_at(desk.supplied, spec, site, desk.at)
    if isinstance(found, Refusal):
        return [f"It cannot run at {site}: {found.detail}."]
    if not found.copies:
        return []
    size = sum(each.size_bytes for each in found.copies)
    book = desk.supplied.storage
    sources = ", ".join(sorted({book.pools[each.source].site for each in found.copies}))
    took_s = -(-(found.ready_at - desk.at) // SECOND_US)
    cost = f"{decimal_text(found.price_micros)} {found.copies[0].currency}"
    return [
        f"To run at {site}, {size_text(size)} would have to be copied from {sources}: {took_s} s, {cost}."
    ]


def placed_facts(desk: Desk, gang: Gang) -> list[str]:
    """Why a gang is at the site that has its data."""
    names = ", ".join(gang.spec.datasets)
    return [f"{gang.site} holds what it reads ({names})."] if names else []
