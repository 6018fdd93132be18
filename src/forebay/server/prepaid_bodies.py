"""Bodies of what is paid ahead."""

from __future__ import annotations

from typing import TypedDict

import msgspec

from forebay.server.bodies import Money


class AheadRequest(TypedDict):
    """An invoice that asks for a deposit or for a prepayment."""

    invoice: str
    amount: Money
    #: What of it is not paid.
    open: Money


class AheadPool(TypedDict):
    """What a contract paid ahead, or is to pay, and what became of it."""

    contract: str
    tenant: str
    #: "prepayment" or "deposit".
    what: str
    #: What it brought along from before a cutover.
    opened: Money
    #: Less what was credited of it.
    requested: Money
    #: With what it brought along.
    paid: Money
    drawn: Money
    returned: Money
    #: What the contract let the seller keep of what was not drawn.
    kept: Money
    #: What is paid, and neither drawn nor returned.
    left: Money
    requests: list[AheadRequest]


class AheadBody(TypedDict):
    """Pools by contract."""

    items: list[AheadPool]


class PostedReturn(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What was paid ahead goes back: `what` is "prepayment" or "deposit", `reference` what the bank calls it."""

    what: str
    reference: str


class ReturnAnswer(TypedDict):
    """What went back."""

    contract: str
    returned: Money
    kept: Money
