"""The journal as told up to an invoice: kept for the next question about it, for whoever asks about one line asks on.

What was told up to a close serves every line of every invoice of that close; a later one is told on from there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from forebay.core import money
from forebay.loop import codec, ports
from forebay.server.retelling import HEARD, Retelling

T = TypeVar("T")


class Tellings:
    """The last telling and the last invoice that was asked about. Any thread may ask; they take turns."""

    def __init__(self, journal: ports.Journal, known: codec.Codec) -> None:
        self._journal = journal
        self._known = known
        self._turn = threading.Lock()
        self._told = Retelling()
        #: Record that it is told up to.
        self._seq = 0
        self._issued: money.InvoiceIssued | None = None

    def about(
        self, head: money.InvoiceHead, until: int, ask: Callable[[Retelling, money.InvoiceIssued], T]
    ) -> T:
        """What `ask` finds in the telling `until` a record: that of the invoice, or of the void one that it is in the
        place of. Raises LookupError, `ports.JournalError`.
        """
        with self._turn:
            if self._issued is None or self._issued.invoice != head.invoice:
                self._issued = None
                self._issued = self._invoice(head)
            if not self._covers(until):
                self._tell(until)
            return ask(self._told, self._issued)

    def _invoice(self, head: money.InvoiceHead) -> money.InvoiceIssued:
        stored = next(self._journal.read(head.seq - 1, 1), None)
        event = None if stored is None else self._known.decode(codec.envelope(stored))
        if not isinstance(event, money.InvoiceIssued) or event.invoice != head.invoice:
            raise LookupError(f"invoice {head.invoice} is not in the journal")
        return event

    def _covers(self, seq: int) -> bool:
        """Whether the last close told is the one behind this record. It is told up to invoices only, which follow
        their close."""
        return self._seq >= seq > self._told.closed_seq > 0

    def _tell(self, seq: int) -> None:
        if self._seq >= seq:
            self._told, self._seq = Retelling(), 0
        told, known = self._told, self._known
        # Told in part, it is of no use to anybody.
        self._told, start, self._seq = Retelling(), self._seq, 0
        for stored in self._journal.read(start):
            envelope = codec.envelope(stored)
            if envelope.seq > seq:
                break
            if envelope.kind in HEARD:
                told.apply(known.decode(envelope), envelope.at, envelope.seq)
        self._told, self._seq = told, seq
