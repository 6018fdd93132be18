"""Where does data lie, what may it lie in, and what does it take to copy it to another site?

One document says it for the whole estate: storage *pools* at sites, *links* between sites, and *datasets* with their
size, the sites or countries that each may lie in (its residency), and the pools that hold a copy.

A copy goes over one link, in one piece, and a link carries one copy at a time: who comes later waits. It takes
`bytes / bytes per second`, rounded up to a whole microsecond, and costs `bytes x price of a GB` (10^9 bytes), rounded
once, half-even. Nothing here moves data: a copy is ordered, and is taken to be there when that time is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from forebay.core.ids import Command, DatasetId, Event, GangId, PoolId, Refusal, SiteId, TenantId, refuse_name
from forebay.core.units import SECOND_US, divide_half_even

GB = 10**9
#: Larger than any pool, and dearer than any link.
BYTES_MAX = 10**21
PRICE_MICROS_MAX = 10**12
#: Most pools, links and datasets.
ENTRIES_MAX = 100_000


@dataclass(slots=True)
class StoragePool:
    """Storage at one site."""

    id: PoolId
    site: SiteId
    #: A word for people ("nvme", "object").
    kind: str
    capacity_bytes: int


@dataclass(slots=True)
class SiteLink:
    """A way from one site to another; the way back is a link of its own."""

    source: SiteId
    target: SiteId
    bytes_per_s: int
    price_micros_per_gb: int = 0


@dataclass(slots=True)
class Dataset:
    """Data that gangs read."""

    id: DatasetId
    size_bytes: int
    #: Pools that hold a whole copy.
    copies: tuple[PoolId, ...]
    #: Sites and countries that it may lie in; empty for any.
    residency: tuple[str, ...] = ()
    #: Whose gangs may name it; "" for everybody's.
    tenant: TenantId = TenantId("")


@dataclass(slots=True)
class StoragePlan:
    """All storage of the estate."""

    #: Grows with each change.
    version: int
    #: In which links are paid.
    currency: str
    pools: tuple[StoragePool, ...]
    links: tuple[SiteLink, ...] = ()
    datasets: tuple[Dataset, ...] = ()


@dataclass(slots=True)
class ApplyStorage(Command):
    """This is the storage from here on. Versions only grow; the same document twice changes nothing."""

    plan: StoragePlan


@dataclass(slots=True)
class StorageApplied(Event):
    """Data lies like this from here on."""

    plan: StoragePlan


@dataclass(slots=True)
class CopyStarted(Event):
    """A dataset is copied to a pool for a gang, over the link between their sites, from `start_at` until `end_at`."""

    dataset: DatasetId
    source: PoolId
    target: PoolId
    size_bytes: int
    start_at: int
    end_at: int
    #: What the link costs for it.
    price_micros: int
    currency: str
    gang: GangId


@dataclass(slots=True)
class CopyFinished(Event):
    """A pool holds another copy of a dataset from here on."""

    dataset: DatasetId
    target: PoolId


StorageEvent = StorageApplied | CopyStarted | CopyFinished


class CopyKey(NamedTuple):
    """Which copy."""

    dataset: DatasetId
    target: PoolId


@dataclass(slots=True)
class StorageBook:
    """What is recorded of storage."""

    plan: StoragePlan | None = None
    pools: dict[PoolId, StoragePool] = field(default_factory=dict)
    datasets: dict[DatasetId, Dataset] = field(default_factory=dict)
    #: Dataset -> pools that hold it, those included that it was copied to.
    copies: dict[DatasetId, tuple[PoolId, ...]] = field(default_factory=dict)
    #: Copies on their way.
    copying: dict[CopyKey, CopyStarted] = field(default_factory=dict)

    def fork(self) -> StorageBook:
        """A copy whose containers are its own."""
        return StorageBook(
            self.plan, self.pools.copy(), self.datasets.copy(), self.copies.copy(), self.copying.copy()
        )


def apply_storage_event(book: StorageBook, event: Event) -> None:
    """Record an event, if it is about storage."""
    match event:
        case StorageApplied():
            book.plan = event.plan
            book.pools = {pool.id: pool for pool in event.plan.pools}
            book.datasets = {each.id: each for each in event.plan.datasets}
            book.copies = {each.id: each.copies for each in event.plan.datasets}
        case CopyStarted():
            book.copying[CopyKey(event.dataset, event.target)] = event
        case CopyFinished():
            del book.copying[CopyKey(event.dataset, event.target)]
            book.copies[event.dataset] = (*book.copies[event.dataset], event.target)


# Questions


def used_bytes(book: StorageBook, pool: PoolId) -> int:
    """What a pool holds, with what is on its way to it."""
    there = sum(book.datasets[name].size_bytes for name, pools in book.copies.items() if pool in pools)
    return there + sum(each.size_bytes for each in book.copying.values() if each.target == pool)


def sites_with(book: StorageBook, dataset: DatasetId) -> set[SiteId]:
    """Sites that hold a copy."""
    return {book.pools[pool].site for pool in book.copies[dataset]}


def may_lie(dataset: Dataset, site: SiteId, country: str) -> bool:
    """Whether its residency allows a site."""
    return not dataset.residency or site in dataset.residency or country in dataset.residency


def next_copy(book: StorageBook) -> CopyStarted | None:
    """The copy that is there first."""
    return min(book.copying.values(), key=lambda each: (each.end_at, each.dataset, each.target), default=None)


def copy_over(
    book: StorageBook, dataset: Dataset, link: SiteLink, since: int, then: list[CopyStarted]
) -> tuple[int, int, int]:
    """When a copy over a link would start and end if it was ordered at `since`, and its price in micro-units; `then`
    are others that are ordered before it."""
    before = [
        each.end_at
        for each in [*book.copying.values(), *then]
        if (book.pools[each.source].site, book.pools[each.target].site) == (link.source, link.target)
    ]
    start_at = max(since, *before) if before else since
    took_us = -(-dataset.size_bytes * SECOND_US // link.bytes_per_s)
    return start_at, start_at + took_us, divide_half_even(dataset.size_bytes * link.price_micros_per_gb, GB)


# A document is refused.


def refuse_storage(
    plan: StoragePlan, book: StorageBook, countries: dict[SiteId, str], in_use: set[DatasetId]
) -> Refusal | None:
    """Refuses, in this order: storage_version, bad_quantity, bad_id, duplicate_id, unknown_site, bad_link,
    unknown_pool, outside_residency, pool_full, dataset_in_use. `countries` are those of all sites, `in_use` datasets
    of gangs that are not over.
    """
    if book.plan is not None and plan.version <= book.plan.version:
        told = f"version {book.plan.version} of the storage is in force already"
        return Refusal("storage_version", told, "version")
    for name, many in (
        ("pools", len(plan.pools)),
        ("links", len(plan.links)),
        ("datasets", len(plan.datasets)),
    ):
        if many > ENTRIES_MAX:
            return Refusal("bad_quantity", f"{many} {name}; at most {ENTRIES_MAX} are meant", name)
    return (
        _refuse_pools(plan, countries)
        or _refuse_links(plan, countries)
        or _refuse_datasets(plan, countries)
        or _refuse_change(plan, book, in_use)
    )


def _refuse_pools(plan: StoragePlan, countries: dict[SiteId, str]) -> Refusal | None:
    known: set[PoolId] = set()
    for place, pool in enumerate(plan.pools):
        where = f"pools[{place}]"
        if (no := refuse_name(pool.id, f"{where}.id")) is not None:
            return no
        if pool.id in known:
            return Refusal("duplicate_id", f"pool {pool.id} stands there twice", f"{where}.id")
        known.add(pool.id)
        if pool.site not in countries:
            return Refusal("unknown_site", f"there is no site {pool.site}", f"{where}.site")
        if not 1 <= pool.capacity_bytes <= BYTES_MAX:
            told = f"the capacity of pool {pool.id} is {pool.capacity_bytes} bytes; from 1 to {BYTES_MAX} is meant"
            return Refusal("bad_quantity", told, f"{where}.capacity")
    return None


def _refuse_links(plan: StoragePlan, countries: dict[SiteId, str]) -> Refusal | None:
    known: set[tuple[SiteId, SiteId]] = set()
    for place, link in enumerate(plan.links):
        where = f"links[{place}]"
        unknown = next((site for site in (link.source, link.target) if site not in countries), None)
        if unknown is not None:
            return Refusal("unknown_site", f"there is no site {unknown}", where)
        told = f"from {link.source} to {link.target}"
        if link.source == link.target or (link.source, link.target) in known:
            again = "it leads nowhere" if link.source == link.target else "it stands there twice"
            return Refusal("bad_link", f"a link {told}: {again}", where)
        known.add((link.source, link.target))
        for value, least, most in (
            (link.bytes_per_s, 1, BYTES_MAX),
            (link.price_micros_per_gb, 0, PRICE_MICROS_MAX),
        ):
            if not least <= value <= most:
                return Refusal(
                    "bad_quantity", f"the link {told} has {value}; from {least} to {most} is meant", where
                )
    return None


def _refuse_datasets(plan: StoragePlan, countries: dict[SiteId, str]) -> Refusal | None:
    pools = {pool.id: pool for pool in plan.pools}
    room = {pool.id: pool.capacity_bytes for pool in plan.pools}
    known: set[DatasetId] = set()
    for place, each in enumerate(plan.datasets):
        where = f"datasets[{place}]"
        if (no := refuse_name(each.id, f"{where}.id")) is not None:
            return no
        if each.id in known or len(set(each.copies)) < len(each.copies):
            told = f"dataset {each.id}, or a copy of it, stands there twice"
            return Refusal("duplicate_id", told, f"{where}.id")
        known.add(each.id)
        if not 1 <= each.size_bytes <= BYTES_MAX or not each.copies:
            told = f"dataset {each.id} has {each.size_bytes} bytes in {len(each.copies)} pools; 1 or more are meant"
            return Refusal("bad_quantity", told, where)
        for name in each.copies:
            pool = pools.get(name)
            if pool is None:
                there = ", ".join(sorted(pools)[:20]) or "none"
                told = f"there is no pool {name} (there is: {there})"
                return Refusal("unknown_pool", told, f"{where}.copies")
            if not may_lie(each, pool.site, countries[pool.site]):
                told = (
                    f"dataset {each.id} may lie in {', '.join(each.residency)}; pool {name} is at {pool.site}"
                    f" ({countries[pool.site]})"
                )
                return Refusal("outside_residency", told, f"{where}.copies")
            room[name] -= each.size_bytes
            if room[name] < 0:
                told = (
                    f"pool {name} holds {pool.capacity_bytes} bytes; with dataset {each.id} it would have to hold"
                    f" {pool.capacity_bytes - room[name]}"
                )
                return Refusal("pool_full", told, f"{where}.copies")
    return None


def _refuse_change(plan: StoragePlan, book: StorageBook, in_use: set[DatasetId]) -> Refusal | None:
    """What gangs count on stays: the dataset as it is with each of its copies, and whatever is on its way."""
    if book.copying:
        told = "copies are on their way: apply it once they are there (`forebay datasets` says when)"
        return Refusal("dataset_in_use", told, "datasets")
    new = {each.id: each for each in plan.datasets}
    pools = {pool.id: pool for pool in plan.pools}
    for name in sorted(in_use):
        now, then = book.datasets[name], new.get(name)
        gone = then is None or not set(book.copies[name]) <= set(then.copies)
        moved = any(pools[p].site != book.pools[p].site for p in book.copies[name] if p in pools)
        if then is None or gone or moved or (
            (now.size_bytes, now.residency, now.tenant) != (then.size_bytes, then.residency, then.tenant)
        ):  # fmt: skip
            held = ", ".join(book.copies[name])
            told = (
                f"gangs that are not over read dataset {name}: it stays as it is, with its copies in {held}"
            )
            return Refusal("dataset_in_use", told, "datasets")
    return None


def check_storage(book: StorageBook, countries: dict[SiteId, str]) -> Iterator[str]:
    """No pool holds more than it can, and nothing lies where it may not."""
    for pool in book.pools.values():
        if used_bytes(book, pool.id) > pool.capacity_bytes:
            yield f"pool {pool.id} holds more than {pool.capacity_bytes} bytes"
    for name, pools in book.copies.items():
        coming = [each.target for each in book.copying.values() if each.dataset == name]
        for pool_id in (*pools, *coming):
            site = book.pools[pool_id].site
            if not may_lie(book.datasets[name], site, countries[site]):
                yield f"dataset {name} lies at {site}, outside its residency"
