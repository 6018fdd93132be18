"""What does an answer to "why" look like? Of a gang's place."""

from typing import TypedDict


class PlaceChosen(TypedDict):
    """The place that a gang was given, at the level that decided; its own GPUs count as free."""

    level: str
    name: str
    free: int
    #: What is counted: of places that hold it, the one with the fewest is taken.
    by: str


class PlacePassedOver(TypedDict):
    """Another place: a node, rack, row, block, hall, site, tranche or kind of rack."""

    level: str
    name: str
    free: int
    fits: bool
    text: str


class WhyThere(TypedDict):
    """Other places that a gang was not given. Asked again, for they are not on record."""

    #: The instant for which this holds.
    as_of: str
    chosen: PlaceChosen | None
    passed_over: list[PlacePassedOver]
    #: Places like these that have as much free and are not named.
    more: int
