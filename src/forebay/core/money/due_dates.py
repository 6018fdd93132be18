"""By when is an invoice to be paid?"""

from __future__ import annotations

from collections.abc import Iterable

from forebay.core import claims
from forebay.core.money.invoices import Line
from forebay.core.units import DAY_US, SECOND_US

#: Where a contract says nothing of payment.
NET_DEFAULT_US = 30 * DAY_US


def due_date(claimed: claims.State, lines: Iterable[Line], issued_at: int) -> int:
    """So long after the issue as the contracts of its lines say. Of several contracts on one invoice the longest time
    holds: nobody is late by the words of another contract.
    """
    net_us = 0
    for name in {line.contract for line in lines}:
        terms = claims.contract_at(claimed, name, issued_at).payments
        net_us = max(net_us, NET_DEFAULT_US if terms is None else terms.net_s * SECOND_US)
    return issued_at + net_us
