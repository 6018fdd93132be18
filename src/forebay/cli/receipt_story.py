"""What events of money that came say, in sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from forebay.core import timeline, units

Body = dict[str, Any]


def _recorded(body: Body) -> list[str]:
    amount = f"{units.decimal_text(body['amount_micros'])} {body['currency']}"
    day = timeline.text(body["received_at"])[:10]
    return [f"{body['account']} paid {amount} on {day} ({body['receipt']}, {body['reference']})"]


def _allocated(body: Body) -> list[str]:
    paid = ", ".join(each["invoice"] for each in body["allocations"])
    return [f"receipt {body['receipt']} pays {paid}"]


def _reversed(body: Body) -> list[str]:
    return [f"receipt {body['receipt']} was wrong: {body['reason']}"]


RECEIPT_SENTENCES: dict[str, Callable[[Body], list[str]]] = {
    "ReceiptRecorded": _recorded,
    "ReceiptAllocated": _allocated,
    "ReceiptReversed": _reversed,
}
