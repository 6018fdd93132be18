"""What do rights themselves cost? A premium once, and a fee each time that one is used; whoever holds the right pays.

A premium is billed at the close after the signature of the version that grants the right, a fee at the close after it
was used. What an amendment makes of a premium later is billed as the difference. Premiums of rights that a contract
brought along at its cutover were billed by others.
"""

from __future__ import annotations

from collections.abc import Iterator

from forebay.core import claims, usage
from forebay.core.claims import rights
from forebay.core.claims.rights import Right
from forebay.core.ids import TrancheId
from forebay.core.money.invoices import RIGHT_FEES, Line
from forebay.core.money.rating import Books
from forebay.core.units import decimal_text, micros_to_minor


def right_lines(books: Books, closed: usage.PeriodClosed) -> Iterator[tuple[claims.ContractPlan, Line]]:
    """Premiums and fees that are owed and were not billed yet: a charge where the customer holds the right, a credit
    where the seller does.
    """
    for name in sorted(books.claims.rights):
        right = books.claims.rights[name]
        plan = books.claims.contracts[right.contract]
        opening = books.claims.openings.get(right.contract)
        first = books.claims.versions[right.contract][0].plan
        brought = opening is not None and any(each.id == name for each in first.rights)
        for kind, owed in (
            (RIGHT_FEES[0], 0 if brought else right.plan.premium_micros),
            (RIGHT_FEES[1], right.fees_micros),
        ):
            clause = f"rights[{name}].{'premium' if kind == RIGHT_FEES[0] else 'exercise_fee'}"
            sign = 1 if rights.holder(right) is rights.Side.CUSTOMER else -1
            more = sign * owed - books.money.right_fees.get((right.contract, clause), 0)
            if more:
                yield plan, _right_line(plan, right, kind, clause, more, closed)


def _right_line(
    plan: claims.ContractPlan, right: Right, kind: str, clause: str, more: int, closed: usage.PeriodClosed
) -> Line:
    text = f"premium of right {right.plan.id}, a {right.plan.kind.value}"
    if kind == RIGHT_FEES[1]:
        text = f"use of right {right.plan.id}, a {right.plan.kind.value}"
    holder = rights.holder(right)
    less = " less" if (more < 0) is (holder is rights.Side.CUSTOMER) else ""
    text += f": {decimal_text(abs(more))}{less}, paid by the {holder.value} who holds it"
    return Line(
        kind, plan.id, plan.version, clause, TrancheId(""), None, right.plan.sku, right.plan.site, 0, closed.start,
        closed.end, amount_micros=more, amount_minor=micros_to_minor(more, plan.currency), text=text,
    )  # fmt: skip
