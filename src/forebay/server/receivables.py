"""Who owes what, and for how long, at any instant, as it was known at any other?

As `ledgers`: what is open of an invoice is what was posted about it. Reads the journal where an instant is given:
never call `aged_then` from the loop.
"""

from __future__ import annotations

from collections.abc import Mapping

from forebay.core import ids, timeline
from forebay.core.money import disputes, receivables
from forebay.core.world import World
from forebay.loop import codec, ports
from forebay.server import amounts, ledgers, sight
from forebay.server.receivable_bodies import AgedAccount, AgedInvoice, ReceiptBody, ReceivablesBody

Billing = Mapping[tuple[ids.TenantId, str], receivables.Owed]
Open = dict[receivables.Item, int]


def aged_now(world: World, principal: ids.Principal, account: str, at: int) -> ReceivablesBody:
    """What is open now, aged until `at`."""
    own = world.state.money
    return _body(
        own.receivables.open, own.balances, own.receivables.billed, own.disputes, principal, account, at, 0
    )


def aged_then(
    journal: ports.Journal, known: codec.Codec, billing: Billing, contested: disputes.Disputes,
    principal: ids.Principal, account: str, at: int, known_at: int,
) -> ReceivablesBody:  # fmt: skip
    """What was open at an instant, as far as it was `known_at` another (0 for all)."""
    opened: Open = {}
    balances: dict[tuple[str, str], int] = {}
    for _, _, posted in ledgers.postings(journal, known, known_at):
        if posted.effective_at < at:
            receivables.post_items(opened, posted)
            for entry in posted.entries:
                mark = (entry.account, posted.currency)
                balances[mark] = balances.get(mark, 0) + entry.amount_micros
    return _body(opened, balances, billing, contested, principal, account, at, known_at)


def _body(
    opened: Open, balances: Mapping[tuple[str, str], int], billing: Billing, contested: disputes.Disputes,
    principal: ids.Principal, account: str, at: int, known_at: int,
) -> ReceivablesBody:  # fmt: skip
    def seen(name: str) -> bool:
        return sight.owns(principal, ids.TenantId(name)) and account in ("", name)

    invoices: list[AgedInvoice] = []
    sums: dict[tuple[str, str], dict[str, int]] = {}
    for item, micros in sorted(opened.items()):
        if not seen(item.account):
            continue
        billed = billing.get((item.account, item.invoice))
        due_at = billed.due_at if billed is not None else at
        bucket = receivables.bucket(due_at, at)
        aged = sums.setdefault((item.account, item.currency), {})
        withheld = disputes.withheld_at(contested, item.invoice, at, known_at or timeline.INSTANT_MAX)
        disputed = max(0, min(micros, withheld))
        aged[bucket] = aged.get(bucket, 0) + micros - disputed
        aged["disputed"] = aged.get("disputed", 0) + disputed
        invoices.append(
            {
                "account": item.account,
                "invoice": item.invoice,
                "due_at": None if billed is None else amounts.when(due_at),
                "days_late": receivables.days_late(due_at, at),
                "bucket": bucket,
                "open": amounts.exact(micros, item.currency),
                "disputed": amounts.exact(disputed, item.currency),
            }
        )
    for ledger_account, currency in balances:
        kind, _, name = ledger_account.partition(":")
        if kind == "on_account" and seen(name) and balances[ledger_account, currency]:
            sums.setdefault((name, currency), {})
    return {
        "at": amounts.when(at),
        "known": amounts.when_or_none(known_at),
        "accounts": [_account(*mark, sums[mark], balances) for mark in sorted(sums)],
        "invoices": invoices,
    }


def _account(
    account: str, currency: str, aged: dict[str, int], balances: Mapping[tuple[str, str], int]
) -> AgedAccount:
    late = [amounts.exact(aged.get(bucket, 0), currency) for bucket in receivables.BUCKETS]
    open_micros = sum(aged.values())
    on_account = -balances.get((f"on_account:{account}", currency), 0)
    return {
        "account": account,
        "not_due": late[0],
        "late_1_30": late[1],
        "late_31_60": late[2],
        "late_61_90": late[3],
        "late_over_90": late[4],
        "disputed": amounts.exact(aged.get("disputed", 0), currency),
        "open": amounts.exact(open_micros, currency),
        "on_account": amounts.exact(on_account, currency),
        "net": amounts.exact(open_micros - on_account, currency),
    }


def receipts_seen(world: World, principal: ids.Principal) -> list[tuple[str, ReceiptBody]]:
    """Receipts in the order in which they were recorded."""
    return [
        (
            name,
            {
                "id": name,
                "account": each.account,
                "reference": each.reference,
                "received_at": amounts.when(each.received_at),
                "amount": amounts.exact(each.amount_micros, each.currency),
                "on_account": amounts.exact(each.unallocated_micros, each.currency),
                "allocations": [
                    {"invoice": part.invoice, "amount": amounts.exact(part.amount_micros, each.currency)}
                    for part in each.allocated
                ],
                "reversed_at": amounts.when_or_none(each.reversed_at),
                "reason": each.reason,
            },
        )
        for name, each in sorted(world.state.money.receivables.receipts.items())
        if sight.owns(principal, each.account)
    ]
