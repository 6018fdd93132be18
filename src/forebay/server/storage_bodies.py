"""What shape has an answer about storage? As `bodies`."""

from __future__ import annotations

from typing import TypedDict

from forebay.server.bodies import Money


class DatasetBody(TypedDict):
    """Data that gangs may name."""

    id: str
    size_bytes: int
    #: Whose gangs may name it; "" for everybody's.
    tenant: str
    #: Sites and countries that it may lie in; empty for any.
    residency: list[str]
    #: Sites that hold a copy.
    sites: list[str]
    #: Pools that do; for operators.
    pools: list[str]


class PoolBody(TypedDict):
    """A storage pool at a site, and how full it is with what is on its way."""

    id: str
    site: str
    kind: str
    capacity_bytes: int
    used_bytes: int


class LinkBody(TypedDict):
    """A way from one site to another."""

    source: str
    target: str
    bytes_per_s: int
    price_per_gb: Money


class CopyBody(TypedDict):
    """A copy on its way, and for whom it was ordered."""

    dataset: str
    source: str
    target: str
    size_bytes: int
    start: str
    end: str
    price: Money
    gang: str


class StorageBody(TypedDict):
    """What storage there is. A tenant sees the datasets that it may name, and where they lie."""

    #: Of the document in force; 0 for none.
    version: int
    datasets: list[DatasetBody]
    pools: list[PoolBody]
    links: list[LinkBody]
    copies: list[CopyBody]
