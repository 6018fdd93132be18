"""What shape has an offer that we receive as the customer, and its answer? As `bodies`."""

from typing import TypedDict

import msgspec


class ReceivedOffer(TypedDict):
    """What our seller offered us: "open" and to be answered before `until`, or "covered" by a waiver until then."""

    right: str
    offer: str
    until: str
    #: Whether it was not known before.
    changed: bool
    #: The zone in which dates without one were read; "" where there was none.
    zone: str


class PostedReceivedOffer(msgspec.Struct, forbid_unknown_fields=True):
    """What our seller would sell to somebody else; its notice was received at `received_at` (now when left out).

    So many `racks` or `nodes` from `start` until `end`, at a price in the currency of the contract. Without `site` or
    `sku` those of the right. `anew`: the notice says that it is another sale than one that we let pass.
    """

    price_per_gpu_hour: str
    start: str
    end: str
    site: str = ""
    sku: str = ""
    racks: int = 0
    nodes: int = 0
    received_at: str = ""
    anew: bool = False
