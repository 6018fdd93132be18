"""What stands below the lines of an invoice: charges, credits; where there are taxes, net and each tax."""

from __future__ import annotations

from decimal import Decimal
from typing import Any


def sums_of(body: dict[str, Any]) -> list[tuple[str, str]]:
    """Labels and amounts above the total. Charges and credits are without tax; a credit is what it takes away."""
    taxes = [
        (line["clause"], Decimal(line["amount"]["amount"])) for line in body["lines"] if line["kind"] == "tax"
    ]
    charged = Decimal(body["charges"]["amount"]) - sum(amount for _, amount in taxes if amount > 0)
    given = Decimal(body["credits"]["amount"]) + sum(amount for _, amount in taxes if amount < 0)
    told = [("Charges", f"{charged:f}"), ("Credits", f"{-given:f}" if given else f"{given:f}")]
    if taxes:
        told.append(("Net", f"{charged - given:f}"))
    for clause, amount in taxes:
        told.append((f"Tax, {clause.removeprefix('taxes[').removesuffix(']')}", f"{amount:f}"))
    return told
