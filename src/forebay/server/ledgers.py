"""What do the books say, and what did they say then? Effective time stands apart from the time of record.

*At* an instant: what took effect before it. *Known* at an instant: what was recorded before it. Both together tell
what was believed then of a time before. Reads the journal from its first record, on the caller's thread: never call
it from the loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from forebay.core import money
from forebay.loop import codec, ports
from forebay.server import amounts, ledger_bodies

_POSTED = money.TransactionPosted.__name__
_MARK = f'"{_POSTED}"'.encode()


class Posting(NamedTuple):
    """A transaction with its record."""

    seq: int
    recorded_at: int
    posted: money.TransactionPosted


def postings(journal: ports.Journal, known: codec.Codec, known_at: int = 0) -> Iterator[Posting]:
    """Every transaction in order of record, those recorded before `known_at` (0 for all). Raises
    `ports.JournalError`."""
    for stored in journal.read():
        # Looked for before anything is decoded: of a million records a few are postings.
        if _MARK not in stored.data:
            continue
        envelope = codec.envelope(stored)
        if known_at and envelope.at >= known_at:
            return
        if envelope.kind == _POSTED:
            event = known.decode(envelope)
            assert isinstance(event, money.TransactionPosted), "its kind says so"
            yield Posting(envelope.seq, envelope.at, event)


def trial_balance(
    journal: ports.Journal, known: codec.Codec, at: int = 0, known_at: int = 0
) -> ledger_bodies.LedgerBody:
    """Every account as it stood `at` an instant, as far as it was `known_at` another one; 0 for all."""
    balances: dict[tuple[str, str], int] = {}
    count = 0
    for _, _, posted in postings(journal, known, known_at):
        if at and posted.effective_at >= at:
            continue
        count += 1
        for entry in posted.entries:
            mark = (entry.account, posted.currency)
            balances[mark] = balances.get(mark, 0) + entry.amount_micros
    return balance_body(balances, count, at, known_at)


def balance_body(
    balances: dict[tuple[str, str], int], transactions: int, at: int = 0, known_at: int = 0
) -> ledger_bodies.LedgerBody:
    """A trial balance, account by account, with a sum for each currency."""
    totals: dict[str, int] = {}
    accounts: list[ledger_bodies.AccountBody] = []
    for (account, currency), micros in sorted(balances.items()):
        accounts.append({"account": account, "balance": amounts.exact(micros, currency)})
        totals[currency] = totals.get(currency, 0) + micros
    return {
        "at": amounts.when_or_none(at),
        "known": amounts.when_or_none(known_at),
        "accounts": accounts,
        "totals": [amounts.exact(total, currency) for currency, total in sorted(totals.items())],
        "balanced": not any(totals.values()),
        "transactions": transactions,
    }


class _Side(NamedTuple):
    """What a transaction does to one account, in the order of a statement."""

    currency: str
    effective_at: int
    seq: int
    recorded_at: int
    micros: int
    posted: money.TransactionPosted


def statement(
    journal: ports.Journal,
    known: codec.Codec,
    account: str,
    start: int = 0,
    until: int = 0,
    known_at: int = 0,
) -> list[tuple[int, ledger_bodies.StatementEntry]]:
    """Entries of an account that took effect in `[start, until)`, numbered from 1; 0 for no bound. What was there
    before comes first, where anything was. Empty for an account that nothing was ever posted to.
    """
    sides: list[_Side] = []
    for seq, recorded_at, posted in postings(journal, known, known_at):
        if until and posted.effective_at >= until:
            continue
        sides += [
            _Side(posted.currency, posted.effective_at, seq, recorded_at, entry.amount_micros, posted)
            for entry in posted.entries
            if entry.account == account
        ]
    told: list[ledger_bodies.StatementEntry] = []
    for currency in sorted({side.currency for side in sides}):
        own = sorted((side for side in sides if side.currency == currency), key=lambda side: side[1:3])
        balance = sum(side.micros for side in own if side.effective_at < start)
        if balance:
            told.append(_forward(balance, currency, start))
        for side in own:
            if side.effective_at >= start:
                balance += side.micros
                told.append(_entry(side, balance))
    return list(enumerate(told, 1))


def _forward(balance: int, currency: str, start: int) -> ledger_bodies.StatementEntry:
    return {
        "seq": 0,
        "transaction": "",
        "effective_at": None,
        "recorded_at": None,
        "amount": amounts.exact(balance, currency),
        "balance": amounts.exact(balance, currency),
        "text": f"balance before {amounts.when(start)}",
        "invoice": "",
    }


def _entry(side: _Side, balance: int) -> ledger_bodies.StatementEntry:
    return {
        "seq": side.seq,
        "transaction": side.posted.transaction,
        "effective_at": amounts.when(side.effective_at),
        "recorded_at": amounts.when(side.recorded_at),
        "amount": amounts.exact(side.micros, side.currency),
        "balance": amounts.exact(balance, side.currency),
        "text": side.posted.text,
        "invoice": side.posted.invoice,
    }
