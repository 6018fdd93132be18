"""Where does somebody's invoice differ from our own computation of it, by how much, and why?

Lines are laid side by side tranche by tranche. A difference is split so that its parts sum to it exactly: first what
comes of another price (at their hours), then of other hours (at our price), then of rounding or of arithmetic. What
only one side can know is not judged: it is listed as not checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from forebay.core import timeline
from forebay.core.units import MINOR_DIGITS
from forebay.feeds.invoice_files import BilledInvoice, BilledLine

#: Hours are written with six places at least: less is no difference.
HOURS_TOLERANCE = Decimal("0.000001")


class DisputeCause(StrEnum):
    """Why two invoices differ, in the order in which it is told."""

    #: Billed by them, and owed by nothing that we know of.
    EXTRA = "extra"
    #: Owed, and not billed.
    MISSING = "missing"
    PRICE = "price"
    QUANTITY = "quantity"
    #: Their hours times their price is not their amount.
    ARITHMETIC = "arithmetic"
    #: Their lines do not sum to their total.
    SUM = "sum"
    #: It is about another month.
    OTHER_PERIOD = "other_period"
    #: Less than a minor unit a line.
    ROUNDING = "rounding"


class OwnLine(NamedTuple):
    """What a tranche comes to at one price, as we compute it."""

    tranche: str
    start: int
    hours: Decimal
    price: Decimal
    amount: Decimal
    #: Of what was not used so much is paid, 0 to 1.
    take_or_pay: Decimal


class OwnInvoice(NamedTuple):
    """Our own computation of a month of one contract."""

    contract: str
    currency: str
    start: int
    end: int
    lines: tuple[OwnLine, ...]


class InvoiceDifference(NamedTuple):
    """One thing that differs: theirs less ours."""

    cause: DisputeCause
    tranche: str
    #: Where it stands in their file; "" for what does not.
    place: str
    amount: Decimal
    detail: str


class Comparison(NamedTuple):
    """All of it. `theirs` is what they billed; it is `ours`, the differences, and what was not checked, exactly."""

    theirs: Decimal
    ours: Decimal
    differences: tuple[InvoiceDifference, ...]
    #: Lines about what their seller alone knows.
    unchecked: tuple[BilledLine, ...]

    def by_cause(self) -> dict[DisputeCause, Decimal]:
        """Sums of the causes that there are."""
        sums = {
            cause: sum((d.amount for d in self.differences if d.cause is cause), Decimal(0))
            for cause in DisputeCause
        }
        return {
            cause: sums[cause] for cause in DisputeCause if any(d.cause is cause for d in self.differences)
        }


def compare_invoices(theirs: BilledInvoice, ours: OwnInvoice) -> Comparison:
    """Lay their invoice beside our computation. Raises ValueError where the currencies differ."""
    if theirs.currency != ours.currency:
        raise ValueError(f"they bill in {theirs.currency}, and the contract is in {ours.currency}")
    found: list[InvoiceDifference] = []
    unchecked: list[BilledLine] = []
    dedicated: dict[str, list[BilledLine]] = {}
    known = {line.tranche for line in ours.lines}
    for line in theirs.lines:
        if line.contract not in ("", ours.contract):
            told = f"it is billed under contract {line.contract}"
            found.append(InvoiceDifference(DisputeCause.EXTRA, line.tranche, line.place, line.amount, told))
        elif line.end <= ours.start or line.start >= ours.end:
            if line.kind == "correction":
                unchecked.append(line)
                continue
            told = f"it is about the time from {timeline.text(line.start)}"
            found.append(
                InvoiceDifference(DisputeCause.OTHER_PERIOD, line.tranche, line.place, line.amount, told)
            )
        elif line.kind == "dedicated":
            dedicated.setdefault(line.tranche, []).append(line)
        elif line.kind == "rounding":
            found += _rounding(line, len(theirs.lines), theirs.currency)
        else:
            unchecked.append(line)
    for tranche in sorted(dedicated.keys() | known):
        own = [line for line in ours.lines if line.tranche == tranche]
        found += _tranche(tranche, dedicated.get(tranche, []), own, theirs.currency)
    billed = sum((line.amount for line in theirs.lines), Decimal(0))
    if theirs.total is not None and theirs.total != billed:
        told = f"their lines sum to {billed:f}, their total says {theirs.total:f}"
        found.append(InvoiceDifference(DisputeCause.SUM, "", "", theirs.total - billed, told))
    owed = sum((line.amount for line in ours.lines), Decimal(0))
    order = list(DisputeCause)
    found.sort(key=lambda each: (order.index(each.cause), each.tranche, each.place))
    total = billed if theirs.total is None else theirs.total
    return Comparison(total, owed, tuple(found), tuple(unchecked))


def _rounding(line: BilledLine, lines: int, currency: str) -> Iterator[InvoiceDifference]:
    """Half a minor unit a line is what rounding may make; more is not rounding."""
    most = Decimal(lines).scaleb(-MINOR_DIGITS[currency]) / 2
    told = f"lines are rounded one by one, which is {most:f} {currency} at the most for {lines} lines"
    cause = DisputeCause.ROUNDING if abs(line.amount) <= most else DisputeCause.ARITHMETIC
    if line.amount:
        yield InvoiceDifference(cause, "", line.place, line.amount, told)


def _tranche(
    tranche: str, theirs: list[BilledLine], ours: list[OwnLine], currency: str
) -> Iterator[InvoiceDifference]:
    """Lines of one tranche: those at the same price belong together, the others by time."""
    left, right = sorted(theirs, key=lambda line: line.start), sorted(ours, key=lambda line: line.start)
    pairs: list[tuple[BilledLine, OwnLine]] = []
    for line in list(left):
        same = next((own for own in right if own.price == line.price), None)
        if same is not None:
            pairs.append((line, same))
            left.remove(line)
            right.remove(same)
    pairs += zip(left, right, strict=False)
    for line, own in pairs:
        yield from _pair(line, own, currency)
    for line in left[len(right) :]:
        told = f"no tranche {tranche} was to be paid at that time" if tranche else "it names no tranche"
        yield InvoiceDifference(DisputeCause.EXTRA, tranche, line.place, line.amount, told)
    for own in right[len(left) :]:
        told = f"{own.hours:f} GPU-h x {own.price:f} from {timeline.text(own.start)} were not billed"
        yield InvoiceDifference(DisputeCause.MISSING, tranche, "", -own.amount, told)


def _pair(line: BilledLine, own: OwnLine, currency: str) -> Iterator[InvoiceDifference]:
    tranche, place, left = own.tranche, line.place, line.amount - own.amount
    hours, price = line.hours, line.price
    if hours is None or price is None:
        if left:
            told = f"it gives no hours and price: {own.hours:f} GPU-h x {own.price:f} are owed"
            yield InvoiceDifference(DisputeCause.ARITHMETIC, tranche, place, left, told)
        return
    by_price = _money((price - own.price) * hours, currency)
    if price != own.price:
        told = f"{price:f} a GPU-hour, not {own.price:f}"
        yield InvoiceDifference(DisputeCause.PRICE, tranche, place, by_price, told)
        left -= by_price
    more = hours - own.hours
    if abs(more) > HOURS_TOLERANCE:
        by_hours = _money(more * own.price, currency)
        told = f"{_short(hours)} GPU-h, not {_short(own.hours)}"
        least = own.hours * own.take_or_pay
        if own.take_or_pay < 1 and least - HOURS_TOLERANCE <= hours < own.hours:
            told += f"; with take-or-pay anything from {_short(least)} on may be right"
        yield InvoiceDifference(DisputeCause.QUANTITY, tranche, place, by_hours, told)
        left -= by_hours
    if left:
        unit = Decimal(1).scaleb(-MINOR_DIGITS[currency])
        # Each part is rounded once, as each of the two amounts is.
        if abs(left) <= 2 * unit:
            yield InvoiceDifference(DisputeCause.ROUNDING, tranche, place, left, "rounded otherwise")
        else:
            told = f"{_short(hours)} GPU-h x {price:f} is {_money(hours * price, currency):f}, not {line.amount:f}"
            yield InvoiceDifference(DisputeCause.ARITHMETIC, tranche, place, left, told)


def _money(amount: Decimal, currency: str) -> Decimal:
    return round(amount, MINOR_DIGITS[currency])


def _short(hours: Decimal) -> str:
    """Hours with six places at most."""
    return f"{round(hours, 6).normalize():f}"
