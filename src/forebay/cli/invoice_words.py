"""What lines of an invoice, and balances on it, are called."""

from __future__ import annotations

#: Balances that are brought forward, in words: which side owes it is part of the word.
BALANCES = {
    "receivable": "unpaid",
    "deferred_revenue": "billed ahead",
    "prepayments": "prepaid",
    "deposits": "deposit",
    "credits": "credit",
}


#: What lines are for, in words.
KINDS = {
    "dedicated": "own tranche, used or not",
    "on_demand": "on demand",
    "spot": "spot",
    "lending_share": "share of lending",
    "service_credit": "service credit",
    "late_discount": "discount for late delivery",
    "late_damages": "damages for late delivery",
    "commitment_true_up": "minimum commitment",
    "energy": "energy",
    "right_premium": "premium of a right",
    "right_exercise": "use of a right",
    "correction": "correction",
    "prepayment": "prepayment",
    "prepayment_drawn": "drawn from what is prepaid",
    "deposit": "deposit",
    "late_interest": "late interest",
    "rounding": "rounding",
    "tax": "tax",
}
