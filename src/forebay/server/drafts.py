"""What would the open period bill if it were closed now? Closed on a copy of the World: nothing is recorded.

The copy goes through the very close that issues invoices, so that a draft differs from its invoice only by what
happens in between.
"""

from __future__ import annotations

from forebay.core import money
from forebay.core.ids import Asked, Principal, Role
from forebay.core.world import World
from forebay.server import amounts, bills, bodies, sight
from forebay.server.draft_bodies import DraftInvoice, DraftsBody

#: Who closes the copy: a tenant may see its draft, and close nothing.
_CLOSING = Principal("draft", Role.OPERATOR)


def drafts(world: World, principal: Principal, account: str, at: int) -> DraftsBody:
    """Drafts by tenant, of one `account` or of all that the principal may see. None where nothing accrued."""
    copy = world.fork()
    at = max(at, copy.now)
    copy.wake(at)
    start, ends = copy.state.usage.period_start, copy.state.money.period_end
    outcome = copy.handle(Asked(money.CloseBillingPeriod("draft"), _CLOSING), at)
    # Refused is only what would be empty: a period that begins at this very instant.
    issued = [event for event in outcome.events if isinstance(event, money.InvoiceIssued)]
    seen = [each for each in issued if sight.owns(principal, each.tenant) and account in ("", each.tenant)]
    return {
        "at": amounts.when(at),
        "start": amounts.when(start),
        "ends": amounts.when(ends),
        "items": [_draft(bills.invoice(each, each.due_at)) for each in seen],
    }


def _draft(body: bodies.InvoiceBody) -> DraftInvoice:
    return {
        "seller": body["seller"],
        "tenant": body["tenant"],
        "start": body["start"],
        "end": body["end"],
        "charges": body["charges"],
        "credits": body["credits"],
        "total": body["total"],
        "rating": body["rating"],
        "lines": body["lines"],
        "brought_forward": body["brought_forward"],
        "due_at": body["due_at"],
    }
