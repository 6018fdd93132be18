"""What may a document of storage say of pools, links and datasets, and what is it to the core?"""

from __future__ import annotations

import msgspec

from forebay.core import ids
from forebay.core.supply import storage
from forebay.feeds import forms


class StoragePart(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A part of a document of storage."""


class PoolEntry(StoragePart, kw_only=True, frozen=True):
    """Storage at one site."""

    #: What datasets and gangs call it.
    id: forms.Name
    #: Where it is.
    site: forms.Name
    #: A word for people, such as `nvme`.
    type: forms.Words = ""
    #: How much it holds.
    capacity: forms.Bytes


class LinkEntry(StoragePart, kw_only=True, frozen=True):
    """A way from one site to another."""

    #: The site that it leads from.
    source: forms.Name
    #: The site that it leads to.
    target: forms.Name
    #: How much it carries in a second.
    per_second: forms.Bytes
    #: What 10^9 bytes over it cost.
    price_per_gb: forms.Price = 0


class DatasetEntry(StoragePart, kw_only=True, frozen=True):
    """Data that gangs read."""

    #: What gangs call it.
    id: forms.Name
    #: How large it is.
    size: forms.Bytes
    #: Pools that hold a whole copy.
    copies: list[forms.Name]
    #: Sites and countries that it may lie in; left out for any.
    residency: list[forms.Name] = []
    #: Whose gangs may name it; left out for everybody's.
    tenant: forms.Tenant = ""


def pool_of(entry: PoolEntry) -> storage.StoragePool:
    """A pool as a plain record."""
    return storage.StoragePool(ids.PoolId(entry.id), ids.SiteId(entry.site), entry.type, entry.capacity)


def link_of(entry: LinkEntry) -> storage.SiteLink:
    """A link as a plain record."""
    source, target = ids.SiteId(entry.source), ids.SiteId(entry.target)
    return storage.SiteLink(source, target, entry.per_second, entry.price_per_gb)


def dataset_of(entry: DatasetEntry) -> storage.Dataset:
    """A dataset as a plain record."""
    return storage.Dataset(
        ids.DatasetId(entry.id), entry.size, tuple(map(ids.PoolId, entry.copies)), tuple(entry.residency),
        ids.TenantId(entry.tenant),
    )  # fmt: skip
