"""Which function decides about which command of money. Each sees the books, who asks, and the instant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from forebay.core import energy, supply, usage
from forebay.core.ids import Answer, Command, ContractId, Principal, Refusal
from forebay.core.money.advances import AHEAD, ahead_dues, is_demanded, request_ahead, return_ahead
from forebay.core.money.closing import CloseBillingPeriod, close
from forebay.core.money.collecting import decide_receipt
from forebay.core.money.credit_notes import AllocateCreditNote, IssueCreditNote, VoidInvoice
from forebay.core.money.crediting import decide_crediting
from forebay.core.money.disputes import OpenDispute, SettleDispute, WithdrawDispute
from forebay.core.money.disputing import decide_dispute
from forebay.core.money.excluding import decide_exclusion
from forebay.core.money.exclusions import ClaimCredit, ExcludeLoss, WithdrawExclusion
from forebay.core.money.manual_entries import decide_entry
from forebay.core.money.prepaid import ReturnAhead
from forebay.core.money.price_lists import ApplyPriceList
from forebay.core.money.proposals import ApproveEntry, ProposeEntry, RejectEntry
from forebay.core.money.rates import apply_prices
from forebay.core.money.rating import Books
from forebay.core.money.receipts import AllocateReceipt, RecordReceipt, ReverseReceipt
from forebay.core.money.state import dues, meant
from forebay.core.money.taxes import ApplyTaxes
from forebay.core.money.taxing import apply_taxes
from forebay.core.timeline import Due, Dues

Decision = Callable[[Books, Any, Principal, int, supply.Emit], Answer | Refusal]


def _apply_prices(
    books: Books, command: ApplyPriceList, by: Principal, at: int, emit: supply.Emit
) -> Answer | Refusal:
    return apply_prices(books.money, command, at, emit)


def _close(
    books: Books, command: CloseBillingPeriod, by: Principal, at: int, emit: supply.Emit
) -> Answer | Refusal:
    return close(books, command.reason, at, emit)


def _accept(
    books: Books, command: energy.AcceptReadings, by: Principal, at: int, emit: supply.Emit
) -> Answer | Refusal:
    return energy.accept_readings(books.usage.energy, books.supply, command, at, emit)


DECIDED_MONEY: dict[type[Command], Decision] = {
    ApplyPriceList: _apply_prices,
    ApplyTaxes: apply_taxes,
    CloseBillingPeriod: _close,
    energy.AcceptReadings: _accept,
    **dict.fromkeys((ExcludeLoss, WithdrawExclusion, ClaimCredit), decide_exclusion),
    **dict.fromkeys((RecordReceipt, AllocateReceipt, ReverseReceipt), decide_receipt),
    ReturnAhead: return_ahead,
    **dict.fromkeys((OpenDispute, SettleDispute, WithdrawDispute), decide_dispute),
    **dict.fromkeys((ProposeEntry, ApproveEntry, RejectEntry), decide_entry),
    **dict.fromkeys((IssueCreditNote, AllocateCreditNote, VoidInvoice), decide_crediting),
}


def dues_of_books(books: Books) -> Dues:
    """When anything of money falls due."""
    heap = dues(books.money)
    for due in ahead_dues(books):
        heap.push(due)
    return heap


def meant_by_books(books: Books, due: Due) -> bool:
    """Whether a due time still means something."""
    return is_demanded(books, due) if due.what == AHEAD else meant(books.money, due)


def wake_books(books: Books, due: Due, at: int, emit: supply.Emit) -> None:
    """Do what fell due."""
    if due.what == AHEAD:
        request_ahead(books, ContractId(due.about), at, emit)
    elif due.what == "prices":
        emit(usage.PriceSegmentStarted(due.stamp))
    else:
        close(books, "", at, emit)
