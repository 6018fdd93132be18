"""Which bytes is an invoice? Always the same ones: what two parties compare, sign and keep.

Canonical JSON of the event that issued it: every field of an invoice and of its lines under its own name, keys
sorted, no spaces, UTF-8 without escapes beyond those of JSON; whole numbers, text, lists and objects only. Instants
are microseconds since the Unix epoch, money is in micro-units or in minor units, as the name says. A field that holds
its default is left out, so that fields that come later do not change an invoice of before.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, fields
from enum import Enum
from typing import Any

from forebay.core.money import CreditNoteIssued, InvoiceIssued


def invoice_bytes(issued: InvoiceIssued | CreditNoteIssued) -> bytes:
    """The invoice, or the credit note, as canonical JSON."""
    return json.dumps(_plain(issued, {}), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def invoice_digest(issued: InvoiceIssued | CreditNoteIssued) -> str:
    """SHA-256 of the canonical bytes, in hex."""
    return hashlib.sha256(invoice_bytes(issued)).hexdigest()


#: Its kind of record -> its fields by name, each with its default.
_Fields = dict[type, list[tuple[str, Any]]]


def _plain(value: Any, known: _Fields) -> Any:
    kind = type(value)
    # Nearly all that an invoice holds is one of these: an invoice may have 100,000 lines of 20 fields.
    if kind is int or kind is str or value is None:
        return value
    if kind is tuple:
        return [_plain(each, known) for each in value]
    if isinstance(value, Enum):
        return value.value
    if kind not in known:
        # No event and no line has a default that is made anew each time.
        known[kind] = [(each.name, each.default) for each in fields(value)]
    told: dict[str, Any] = {}
    for name, default in known[kind]:
        held = getattr(value, name)
        if default is MISSING or held != default:
            told[name] = _plain(held, known)
    return told
