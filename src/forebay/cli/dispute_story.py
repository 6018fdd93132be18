"""What events of disputes, of late interest and of entries by hand say, in sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from forebay.core import units

Body = dict[str, Any]


def _opened(body: Body) -> list[str]:
    amount = f"{units.decimal_text(body['disputed_micros'])} {body['currency']}"
    return [f"{body['tenant']} contests {amount} of {body['invoice']} ({body['dispute']}): {body['reason']}"]


def _settled(body: Body) -> list[str]:
    who = "customer" if body["for_customer"] else "seller"
    return [f"dispute {body['dispute']} is settled for the {who}: {body['reason']}"]


def _withdrawn(body: Body) -> list[str]:
    return [f"dispute {body['dispute']} is withdrawn: {body['reason']}"]


def _charged(body: Body) -> list[str]:
    amount = f"{units.decimal_text(body['amount_micros'])} {body['currency']}"
    return [f"{amount} of late interest on {body['invoice']} of {body['tenant']}"]


def _entry(word: str) -> Callable[[Body], list[str]]:
    return lambda body: [f"{body['by']} {word} entry {body['entry']}"]


DISPUTE_SENTENCES: dict[str, Callable[[Body], list[str]]] = {
    "DisputeOpened": _opened,
    "DisputeSettled": _settled,
    "DisputeWithdrawn": _withdrawn,
    "LateInterestCharged": _charged,
    "EntryProposed": _entry("proposes"),
    "EntryApproved": _entry("approves"),
    "EntryRejected": _entry("rejects"),
}
