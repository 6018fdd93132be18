"""What events of money that is paid ahead say, in sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from forebay.core import units

Body = dict[str, Any]


def _requested(body: Body) -> list[str]:
    amount = f"{units.decimal_text(body['amount_micros'])} {body['currency']}"
    return [
        f"{body['tenant']} is asked for a {body['what']} of {amount} ({body['contract']}, {body['invoice']})"
    ]


def _returned(body: Body) -> list[str]:
    amount = units.decimal_text(body["returned_micros"])
    return [f"{amount} of the {body['what']} of {body['contract']} went back ({body['reference']})"]


PREPAID_SENTENCES: dict[str, Callable[[Body], list[str]]] = {
    "AheadRequested": _requested,
    "AheadReturned": _returned,
}
