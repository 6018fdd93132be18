"""What shape has each answer about contracts, their versions and their clauses? As `bodies`.

Annotations are not postponed in this file: what may be missing is known at run time (`__required_keys__`).
"""

from typing import TypedDict

from forebay.server.bodies import ContractBody, FieldChange


class SignedVersion(TypedDict):
    """A version of a contract, and what it changed of the one before."""

    version: int
    #: From when on it holds, and when it was signed.
    effective: str
    signed: str
    #: Whether it holds now.
    in_force: bool
    #: Things that it added or left out, and fields that it changed. Of the first version all is new, and nothing is
    #: listed.
    added: list[str]
    removed: list[str]
    changed: list[FieldChange]


class ContractStory(TypedDict):
    """A contract as it holds now, and every version of it."""

    contract: ContractBody
    versions: list[SignedVersion]


class WatchedBody(TypedDict):
    """A clause that is watched by its date; or an offer to us that is to be answered by then."""

    contract: str
    tenant: str
    title: str
    #: When it falls due; null in contracts of before clauses had dates.
    date: str | None
    #: Days from now, rounded down; negative for one that is past.
    days: int | None


class WatchPage(TypedDict):
    """Clauses that are watched, in order of their dates."""

    items: list[WatchedBody]
    next_cursor: str | None


class IndexValueBody(TypedDict):
    """What an index was published to be."""

    published: str
    value: str


class IndexBody(TypedDict):
    """An index that prices may follow."""

    id: str
    values: list[IndexValueBody]


class IndexPage(TypedDict):
    """Indices by name."""

    items: list[IndexBody]
    next_cursor: str | None
