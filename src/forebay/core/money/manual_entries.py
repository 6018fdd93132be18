"""An entry that somebody makes by hand: one actor proposes it, another approves it, and only then is it posted.

It is decided when it is proposed and again when it is approved, for the books may have changed in between.
"""

from __future__ import annotations

from forebay.core import supply
from forebay.core.ids import Answer, Principal, Refusal, TenantId
from forebay.core.money.collecting import RECEIPT_MICROS_MAX
from forebay.core.money.ledger import Entry
from forebay.core.money.posting import post
from forebay.core.money.prepaid import LIABILITIES
from forebay.core.money.proposals import (
    ApproveEntry,
    EntryApproved,
    EntryCommand,
    EntryProposed,
    EntryRejected,
    ProposedEntry,
    ProposeEntry,
    RejectEntry,
)
from forebay.core.money.rating import Books
from forebay.core.units import MINOR_DIGITS, decimal_text

#: Accounts that are kept with what they are about: only their own commands post to them.
_KEPT = ("on_account:", *LIABILITIES.values())
_OWED = "receivable:"


def decide_entry(
    books: Books, command: EntryCommand, by: Principal, at: int, emit: supply.Emit
) -> Answer | Refusal:
    """Decide about one of the commands of this module. To approve or to reject refuses: unknown_entry, entry_decided;
    to approve then same_person and all that proposing does, to reject no_reason.
    """
    own = books.money.entries
    if isinstance(command, ProposeEntry):
        no = _refuse_entry(books, command, at)
        if no is not None:
            return no
        name = f"ENT-{len(own) + 1:06d}"
        emit(
            EntryProposed(
                name, command.currency, command.entries, command.text, command.effective_at, by.actor
            )
        )
        return {"entry": name, "standing": "proposed"}
    known = own.get(command.entry)
    if known is None:
        return Refusal("unknown_entry", f"there is no entry {command.entry}", "entry")
    if known.standing != "proposed":
        return Refusal("entry_decided", f"entry {command.entry} is {known.standing} already", "entry")
    if isinstance(command, RejectEntry):
        if not command.reason.strip():
            return Refusal("no_reason", "say why it is not posted", "reason")
        emit(EntryRejected(command.entry, by.actor, command.reason))
        return {"entry": command.entry, "standing": "rejected"}
    return _approve(books, command, known, by, at, emit)


def _approve(
    books: Books, command: ApproveEntry, known: ProposedEntry, by: Principal, at: int, emit: supply.Emit
) -> Answer | Refusal:
    if by.actor == known.proposed_by:
        told = f"{by.actor} proposed entry {command.entry}: another person is to approve it"
        return Refusal("same_person", told, "entry")
    again = ProposeEntry(known.currency, known.entries, known.text, known.effective_at)
    no = _refuse_entry(books, again, at)
    if no is not None:
        return no
    emit(EntryApproved(command.entry, by.actor))
    text = f"entry {command.entry}: {known.text}"
    post(books.money, known.currency, known.effective_at, known.entries, text, emit)
    return {"entry": command.entry, "standing": "posted"}


def _refuse_entry(books: Books, asked: ProposeEntry, at: int) -> Refusal | None:
    """Refuses: unknown_currency, no_reason (it has no text), closed_period (what is closed is corrected in the open
    period), future_fact, for each side bad_amount and what `_refuse_account` does; unbalanced.
    """
    if asked.currency not in MINOR_DIGITS:
        told = f"currency {asked.currency} is not one of {', '.join(MINOR_DIGITS)}"
        return Refusal("unknown_currency", told, "currency")
    if not asked.text.strip():
        return Refusal("no_reason", "say what the entry is for", "text")
    if asked.effective_at < books.usage.period_start:
        told = "that period is closed: date the entry, or what reverses another, in the open one"
        return Refusal("closed_period", told, "effective")
    if asked.effective_at > at:
        return Refusal("future_fact", "an entry takes effect now or before", "effective")
    for place, each in enumerate(asked.entries):
        if not 0 < abs(each.amount_micros) <= RECEIPT_MICROS_MAX:
            told = f"an amount is above 0 and at most {decimal_text(RECEIPT_MICROS_MAX)}"
            return Refusal("bad_amount", told, f"entries[{place}]")
        no = _refuse_account(books, asked.currency, each, f"entries[{place}]")
        if no is not None:
            return no
    total = sum(each.amount_micros for each in asked.entries)
    if total or not asked.entries:
        told = f"debits less credits are {decimal_text(total)}, not 0" if total else "it has no side"
        return Refusal("unbalanced", told, "entries")
    return None


def _refuse_account(books: Books, currency: str, side: Entry, where: str) -> Refusal | None:
    """Refuses: kept_account, unknown_account, unknown_invoice (of a receivable account), other_currency."""
    account = side.account
    if account.startswith(_KEPT):
        told = f"what {account} holds is kept with what it is about: only its own commands post to it"
        return Refusal("kept_account", told, where)
    if not account.startswith(_OWED):
        kind, colon, name = account.partition(":")
        known = any(account == each for each, _ in books.money.balances)
        if known or (kind in _KINDS and colon and name.strip()):
            return None
        return Refusal("unknown_account", f"there is no account {account}: say {_SAY}", where)
    billed = books.money.receivables.billed.get((TenantId(account.removeprefix(_OWED)), side.item))
    if billed is None:
        told = f"{account} has no invoice {side.item or '(none named)'}: say ACCOUNT/INVOICE=AMOUNT"
        return Refusal("unknown_invoice", told, where)
    if billed.currency != currency:
        told = f"invoice {side.item} is in {billed.currency}"
        return Refusal("other_currency", told, where)
    return None


#: Accounts that may be made by an entry: of these kinds, with a name.
_KINDS = ("asset", "liability", "equity", "revenue", "expense")
_SAY = "one that was posted to, or asset:, liability:, equity:, revenue: or expense: and a name"
