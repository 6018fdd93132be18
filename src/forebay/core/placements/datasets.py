"""At which sites may a gang run that reads datasets, where is its data already, and what does it cost to bring it?

A gang that names datasets runs only at sites that its tranche or its own list, *and* the residency of every one of
its datasets allow, and, where it names a checkpoint store, at the site of that pool (`any`: at sites with a pool).

It starts only at a site that holds all of its data. Where one does, nothing is copied. Where none does when it is
taken in, what is missing is copied to one: of the sites that could ever hold it and have room in a pool, the one
where all is there soonest, then the cheapest, then the first. It takes no nodes while it waits for that, and delays
nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from forebay.core import claims, supply
from forebay.core.ids import Answer, DatasetId, GangId, PoolId, Refusal, SiteId, TenantId
from forebay.core.placements.gang import HOLDING, Gang, Phase, Spec
from forebay.core.supply import storage
from forebay.core.timeline import Due
from forebay.core.units import size_text

if TYPE_CHECKING:
    from forebay.core.placements.schedule import Desk

#: Checkpoints go to any pool of the site that it runs at.
ANY_POOL = PoolId("any")
#: Most datasets of one gang.
DATASETS_MAX = 100


class Staging(NamedTuple):
    """What it would take to have all data of a gang at a site."""

    site: SiteId
    #: Copies to be ordered; none where all is there, or on its way.
    copies: tuple[storage.CopyStarted, ...]
    #: When all is there.
    ready_at: int
    price_micros: int


def reads(spec: Spec) -> bool:
    """Whether it matters to a gang where data lies."""
    return bool(spec.datasets or spec.checkpoint_store)


def allowed_sites(supplied: supply.State, claimed: claims.State, spec: Spec) -> list[SiteId]:
    """Sites that a gang may run at, in order of preference, wherever its data lies now."""
    own = claimed.tranches.get(spec.tranche) if spec.tranche else None
    sites = [own.plan.site] if own is not None else list(spec.sites) or list(supplied.sites)
    return [site for site in sites if _level_that_bars(supplied, spec, site) == ""]


def _level_that_bars(supplied: supply.State, spec: Spec, site: SiteId) -> str:
    """What keeps a gang from a site, in words; "" where nothing does."""
    book, country = supplied.storage, supplied.sites[site].jurisdiction
    for name in spec.datasets:
        each = book.datasets[name]
        if not storage.may_lie(each, site, country):
            return f"dataset {name} may lie in {', '.join(each.residency)} only"
    if spec.checkpoint_store == ANY_POOL:
        return "" if any(pool.site == site for pool in book.pools.values()) else "it has no storage pool"
    if spec.checkpoint_store and book.pools[spec.checkpoint_store].site != site:
        return (
            f"its checkpoints go to pool {spec.checkpoint_store}, at {book.pools[spec.checkpoint_store].site}"
        )
    return ""


def ready_sites(supplied: supply.State, claimed: claims.State, spec: Spec) -> list[SiteId]:
    """Of these, the sites that hold all of its data."""
    book = supplied.storage
    held = [storage.sites_with(book, name) for name in spec.datasets]
    return [site for site in allowed_sites(supplied, claimed, spec) if all(site in sites for sites in held)]


def staging_at(supplied: supply.State, spec: Spec, site: SiteId, at: int) -> Staging | Refusal:
    """What it would take to have all data at a site, told at `at`. Refuses: no_link, pool_full."""
    book, ready_at, price = supplied.storage, at, 0
    ordered: list[storage.CopyStarted] = []
    for name in spec.datasets:
        if site in storage.sites_with(book, name):
            continue
        coming = [
            each.end_at for key, each in book.copying.items()
            if key.dataset == name and book.pools[key.target].site == site
        ]  # fmt: skip
        if coming:
            ready_at = max(ready_at, *coming)
            continue
        found = _copy(supplied, spec, site, book.datasets[name], at, ordered)
        if isinstance(found, Refusal):
            return found
        ordered.append(found)
        ready_at, price = max(ready_at, found.end_at), price + found.price_micros
    return Staging(site, tuple(ordered), ready_at, price)


def _copy(
    supplied: supply.State,
    spec: Spec,
    site: SiteId,
    data: storage.Dataset,
    at: int,
    ordered: list[storage.CopyStarted],
) -> storage.CopyStarted | Refusal:
    """The copy of one dataset to a site: from where it is there soonest, then at the least cost."""
    book = supplied.storage
    plan = book.plan
    assert plan is not None, "there are datasets"
    target = next(
        (pool.id for pool in plan.pools if pool.site == site and _has_room(book, pool, data, ordered)), None
    )
    if target is None:
        told = f"no storage pool at {site} has room for dataset {data.id} ({size_text(data.size_bytes)})"
        return Refusal("pool_full", told, "datasets")
    ways = []
    for source in book.copies[data.id]:
        for link in plan.links:
            if (link.source, link.target) == (book.pools[source].site, site):
                start_at, end_at, price = storage.copy_over(book, data, link, at, ordered)
                ways.append((end_at, price, source, start_at))
    if not ways:
        sites = ", ".join(sorted(storage.sites_with(book, data.id)))
        told = f"dataset {data.id} lies at {sites}, and no link leads from there to {site}"
        return Refusal("no_link", told, "datasets")
    end_at, price, source, start_at = min(ways)
    return storage.CopyStarted(
        data.id, source, target, data.size_bytes, start_at, end_at, price, plan.currency, spec.id
    )


def _has_room(
    book: storage.StorageBook,
    pool: storage.StoragePool,
    data: storage.Dataset,
    ordered: list[storage.CopyStarted],
) -> bool:
    coming = sum(each.size_bytes for each in ordered if each.target == pool.id)
    return storage.used_bytes(book, pool.id) + coming + data.size_bytes <= pool.capacity_bytes


# A gang comes.


def refuse_data(supplied: supply.State, claimed: claims.State, spec: Spec) -> Refusal | None:
    """Refuses, in this order: bad_quantity, unknown_dataset, duplicate_id, unknown_pool, outside_residency."""
    book = supplied.storage
    if len(spec.datasets) > DATASETS_MAX:
        told = f"{len(spec.datasets)} datasets; at most {DATASETS_MAX} are meant"
        return Refusal("bad_quantity", told, "datasets")
    for name in spec.datasets:
        if name not in book.datasets or not may_read(book.datasets[name], spec.tenant):
            return Refusal("unknown_dataset", f"{spec.tenant} has no dataset {name}", "datasets")
    if len(set(spec.datasets)) < len(spec.datasets):
        return Refusal("duplicate_id", "a dataset stands there twice", "datasets")
    if spec.checkpoint_store not in ("", ANY_POOL) and spec.checkpoint_store not in book.pools:
        told = f"there is no storage pool {spec.checkpoint_store}"
        return Refusal("unknown_pool", told, "checkpoint_store")
    if allowed_sites(supplied, claimed, spec):
        return None
    own = claimed.tranches.get(spec.tranche) if spec.tranche else None
    sites = [own.plan.site] if own is not None else list(spec.sites) or list(supplied.sites)
    level = f"tranche {spec.tranche}" if own is not None else "the gang" if spec.sites else "the estate"
    why = "; ".join(f"at {site}, {_level_that_bars(supplied, spec, site)}" for site in sites[:8])
    told = f"no site is left of those that {level} allows ({', '.join(sites[:8])}): {why}"
    return Refusal("outside_residency", told, "datasets")


def may_read(data: storage.Dataset, tenant: TenantId) -> bool:
    """Whether gangs of a tenant may name a dataset."""
    return data.tenant in ("", tenant)


def as_allowed(supplied: supply.State, claimed: claims.State, spec: Spec) -> Spec:
    """The same gang as far as capacity goes: at all sites that it may ever run at."""
    sites = tuple(allowed_sites(supplied, claimed, spec))
    return replace(spec, sites=sites, datasets=(), checkpoint_store=PoolId(""))


def refuse_unreachable(
    supplied: supply.State,
    claimed: claims.State,
    spec: Spec,
    never_fits: Callable[[Spec], Refusal | None],
    at: int,
) -> Refusal | None:
    """Refuses where it fits at none of its sites (never_fits), or its data cannot come there (no_link, pool_full)."""
    if isinstance(found := chosen(supplied, claimed, spec, never_fits, at), Refusal):
        return found
    return None


def chosen(
    supplied: supply.State,
    claimed: claims.State,
    spec: Spec,
    never_fits: Callable[[Spec], Refusal | None],
    at: int,
) -> Staging | Refusal:
    """To which site the data of a gang goes: where all is there soonest, then at the least cost, then the first."""
    best: tuple[int, int, int, Staging] | None = None
    # What keeps the data from a site that has room says more than that another site has none.
    lacking: Refusal | None = None
    barred: Refusal | None = None
    for place, site in enumerate(allowed_sites(supplied, claimed, spec)):
        plain = replace(spec, sites=(site,), datasets=(), checkpoint_store=PoolId(""))
        if (no := never_fits(plain)) is not None:
            lacking = lacking or no
            continue
        found = staging_at(supplied, spec, site, at)
        if isinstance(found, Refusal):
            barred = barred or found
        elif best is None or (found.ready_at, found.price_micros, place) < best[:3]:
            best = (found.ready_at, found.price_micros, place, found)
    if best is not None:
        return best[3]
    no = barred or lacking
    assert no is not None, "a gang without any site was refused"
    return no


def bring(desk: Desk, spec: Spec, never_fits: Callable[[Spec], Refusal | None]) -> None:
    """A gang was taken in: order the copies that it needs."""
    if ready_sites(desk.supplied, desk.claimed, spec):
        # It would wait for capacity there and nowhere else, whatever another site costs.
        return
    found = chosen(desk.supplied, desk.claimed, spec, never_fits, desk.at)
    assert isinstance(found, Staging), "it would have been refused"
    for copy in found.copies:
        desk.emit(copy)


# By time.


def copy_due(supplied: supply.State, other: Due | None) -> Due | None:
    """When the next copy is there, if that is before another thing is due."""
    copy = storage.next_copy(supplied.storage)
    if copy is None or (other is not None and other.at <= copy.end_at):
        return other
    return Due(copy.end_at, "copy", copy.dataset, 0)


def wake_copy(desk: Desk) -> None:
    """A copy is there."""
    copy = storage.next_copy(desk.supplied.storage)
    assert copy is not None, "one is due"
    desk.emit(storage.CopyFinished(copy.dataset, copy.target))


def let_in_ready(desk: Desk) -> None:
    """Whose data is there waits for room from here on."""
    awaiting = desk.derived.awaiting
    for name in sorted(awaiting):
        gang = desk.state.gangs.get(name)
        if gang is None or gang.phase is not Phase.PENDING:
            awaiting.discard(name)
        elif ready_sites(desk.supplied, desk.claimed, gang.spec):
            awaiting.discard(name)
            desk.derived.queue.add(gang)
            desk.derived.arrivals.append(name)


# A document comes.


def apply_storage(desk: Desk, command: storage.ApplyStorage) -> Answer | Refusal:
    """Put storage in force. Refuses what `storage.refuse_storage` does."""
    book, plan = desk.supplied.storage, command.plan
    if book.plan == plan:
        return {"storage": plan.version, "changed": False}
    countries = {site.id: site.jurisdiction for site in desk.supplied.sites.values()}
    no = storage.refuse_storage(plan, book, countries, in_use(desk.state.gangs)) or _refuse_stores(desk, plan)
    if no is not None:
        return no
    desk.emit(storage.StorageApplied(plan))
    return {"storage": plan.version, "changed": True}


def in_use(known: Mapping[GangId, Gang]) -> set[DatasetId]:
    """Datasets of gangs that are not over."""
    live = (gang.spec.datasets for gang in known.values() if gang.phase is not Phase.ENDED)
    return {name for names in live for name in names}


def _refuse_stores(desk: Desk, plan: storage.StoragePlan) -> Refusal | None:
    pools = {pool.id: pool.site for pool in plan.pools}
    for gang in desk.state.gangs.values():
        store = gang.spec.checkpoint_store
        if gang.phase is Phase.ENDED or not store:
            continue
        known = desk.supplied.storage.pools
        kept = pools.get(store) == known[store].site if store != ANY_POOL else (
            {pool.site for pool in known.values()} <= set(pools.values())
        )  # fmt: skip
        if not kept:
            told = f"gang {gang.spec.id} is not over and writes checkpoints to storage pool {store}: it stays"
            return Refusal("dataset_in_use", told, "pools")
    return None


def check_data(known: Mapping[GangId, Gang], supplied: supply.State, claimed: claims.State) -> Iterator[str]:
    """Invariant 5: what holds GPUs holds them where its data lies and may lie."""
    for gang in known.values():
        if reads(gang.spec) and gang.phase in HOLDING:
            site = supply.rack_of(supplied, gang.runs[0].first).site
            if site not in ready_sites(supplied, claimed, gang.spec):
                yield f"gang {gang.spec.id} is at {site}, where its data is not, or may not be"
