"""What does somebody's invoice say? Read from FOCUS Cost and Usage (CSV), or from an invoice as canonical JSON.

Amounts, hours and prices are decimals, never floats. Whatever cannot be read is told with its file, line and column,
all of it at once; nothing is guessed.
"""

from __future__ import annotations

import csv
import datetime
import io
import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from forebay.core import timeline, units

#: Columns that FOCUS 1.4 demands and an invoice cannot be read without.
NEEDED = (
    "BilledCost",
    "BillingCurrency",
    "ChargeCategory",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "InvoiceId",
)
BYTES_MAX = 1 << 30
PROBLEMS_MAX = 50
_CATEGORIES = {"Purchase": "dedicated", "Credit": "credit", "Tax": "tax", "Adjustment": "adjustment"}


class FileProblem(NamedTuple):
    """One thing that cannot be read. Line and column are 0 and "" where they are not known."""

    file: str
    line: int
    column: str
    detail: str

    def sentence(self) -> str:
        """`theirs.csv:17: BilledCost: '1,5' is not a number`"""
        return ": ".join(
            part
            for part in (f"{self.file}:{self.line}" if self.line else self.file, self.column, self.detail)
            if part
        )


class UnreadableInvoice(Exception):
    """A file that is no invoice, or not a whole one."""

    def __init__(self, problems: list[FileProblem]) -> None:
        super().__init__("\n".join(each.sentence() for each in problems))
        self.problems = problems


class BilledLine(NamedTuple):
    """A line of somebody's invoice."""

    #: Where it stands: `theirs.csv:17`, or `line 3`.
    place: str
    #: As forebay calls it; `credit`, `tax` or `adjustment` where the file has a charge category only.
    kind: str
    #: "" where the file does not say.
    contract: str
    tranche: str
    start: int
    end: int
    #: None for what has no quantity.
    hours: Decimal | None
    price: Decimal | None
    amount: Decimal
    text: str


class BilledInvoice(NamedTuple):
    """What a file says of one currency: one invoice or several."""

    numbers: tuple[str, ...]
    seller: str
    currency: str
    start: int
    end: int
    lines: tuple[BilledLine, ...]
    #: As the file states it; None where it states none.
    total: Decimal | None


def read_invoice(name: str, data: bytes) -> BilledInvoice:
    """An invoice from a file's bytes: JSON where they begin like it, else CSV. Raises `UnreadableInvoice`."""
    if len(data) > BYTES_MAX:
        raise _unreadable(name, f"more than {BYTES_MAX >> 20} MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(name, f"byte {error.start} is not UTF-8") from None
    if not text.strip():
        raise _unreadable(name, "it is empty")
    return _canonical(name, text) if text.lstrip().startswith("{") else _focus(name, text)


def _unreadable(name: str, detail: str, line: int = 0, column: str = "") -> UnreadableInvoice:
    return UnreadableInvoice([FileProblem(name, line, column, detail)])


def instant_of_text(text: str) -> int:
    """A time of ISO 8601, UTC where it names no zone, as microseconds since the epoch. Raises ValueError."""
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return timeline.instant(moment)


# Canonical JSON


def _canonical(name: str, text: str) -> BilledInvoice:
    try:
        told = json.loads(text, parse_float=_no_float)
    except (ValueError, RecursionError) as error:
        raise _unreadable(name, f"it is no JSON of an invoice: {error}") from None
    try:
        currency = told["currency"]
        digits = units.MINOR_DIGITS[currency]
        lines = tuple(
            BilledLine(
                f"line {place}", _text(line["kind"]), _text(line["contract"]), _text(line["claim"]),
                _whole(line["start"]), _whole(line["end"]),
                Decimal(_whole(line["gpu_us"])) / units.HOUR_US if line.get("gpu_us") else None,
                _scaled(line["price_micros_per_gpu_hour"], 6) if "price_micros_per_gpu_hour" in line else None,
                _scaled(line.get("amount_minor", 0), digits), _text(line.get("text", "")),
            )
            for place, line in enumerate(told["lines"], 1)
        )  # fmt: skip
        return BilledInvoice(
            (_text(told["invoice"]),), _text(told["seller"]), currency, _whole(told["start"]), _whole(told["end"]),
            lines, _scaled(told["total_minor"], digits),
        )  # fmt: skip
    except KeyError as error:
        raise _unreadable(
            name, f"it is not an invoice as canonical JSON: {error} is missing or unknown"
        ) from None
    except (TypeError, AttributeError) as error:
        raise _unreadable(name, f"it is not an invoice as canonical JSON: {error}") from None


def _no_float(text: str) -> int:
    raise ValueError(f"{text}: an invoice holds whole numbers only")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _scaled(value: Any, places: int) -> Decimal:
    return Decimal(_whole(value)).scaleb(-places)


# FOCUS


def _focus(name: str, text: str) -> BilledInvoice:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        head = next(reader)
        lacking = [column for column in NEEDED if column not in head]
        if lacking:
            raise _unreadable(name, f"columns of FOCUS Cost and Usage are missing: {', '.join(lacking)}", 1)
        rows = [
            _Row(name, line, dict(zip(head, cells, strict=False)), cells, head)
            for line, cells in _cells(reader)
        ]
    except csv.Error as error:
        raise _unreadable(name, str(error), reader.line_num) from None
    problems: list[FileProblem] = []
    lines: list[BilledLine] = []
    for row in rows:
        line = row.read()
        problems += row.problems
        if line is not None:
            lines.append(line)
    currencies = sorted({row.cells["BillingCurrency"] for row in rows if not row.problems})
    if not rows:
        problems.append(FileProblem(name, 0, "", "it has no rows"))
    elif len(currencies) > 1:
        told = f"one currency is meant, not {' and '.join(currencies)}"
        problems.append(FileProblem(name, 0, "BillingCurrency", told))
    if problems:
        raise UnreadableInvoice(problems[:PROBLEMS_MAX])
    numbers = tuple(sorted({row.cells["InvoiceId"] for row in rows if row.cells["InvoiceId"]}))
    sellers = sorted({row.cells.get("InvoiceIssuerName", "") for row in rows})
    starts, ends = zip(*((row.period("Start"), row.period("End")) for row in rows), strict=True)
    return BilledInvoice(
        numbers, ", ".join(sellers), currencies[0], min(starts), max(ends), tuple(lines), None
    )


def _cells(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line that each begins on; lines without anything are none."""
    line = reader.line_num + 1
    for cells in reader:
        if cells:
            yield line, cells
        line = reader.line_num + 1


class _Row:
    """One row of Cost and Usage, and what is wrong with it."""

    def __init__(
        self, name: str, line: int, cells: dict[str, str], given: list[str], head: list[str]
    ) -> None:
        self.name, self.line, self.cells = name, line, cells
        self.problems: list[FileProblem] = []
        if len(given) != len(head):
            self._wrong("", f"{len(given)} cells under {len(head)} columns")
            self.cells = dict.fromkeys(head, "") | cells

    def _wrong(self, column: str, detail: str) -> None:
        self.problems.append(FileProblem(self.name, self.line, column, detail))

    def read(self) -> BilledLine | None:
        """The line; None where the row bills nothing, or cannot be read."""
        category, cells = self.cells["ChargeCategory"], self.cells
        amount = self._number("BilledCost", needed=True)
        if category not in (*_CATEGORIES, "Usage"):
            self._wrong("ChargeCategory", f"{category!r} is not one of {', '.join((*_CATEGORIES, 'Usage'))}")
        if cells["BillingCurrency"] not in units.MINOR_DIGITS:
            self._wrong(
                "BillingCurrency", f"{cells['BillingCurrency']!r} is not a currency that is known here"
            )
        start, end = self._instant("ChargePeriodStart"), self._instant("ChargePeriodEnd")
        hours, price = self._number("PricingQuantity"), self._number("ContractedUnitPrice")
        self.period("Start"), self.period("End")
        if self.problems or amount is None or (not amount and category == "Usage"):
            # What was bought before is used at no further cost.
            return None
        spot = "spot" if cells.get("PricingCategory") == "Dynamic" else "on_demand"
        kind = cells.get("x_Kind") or _CATEGORIES.get(category, spot)
        tranche = (
            cells.get("x_ClaimId")
            or cells.get("CapacityReservationId")
            or self._applied("ContractCommitmentId")
        )
        contract = cells.get("x_ContractId") or self._applied("ContractId")
        text = cells.get("ChargeDescription", "")
        place = f"{self.name}:{self.line}"
        return BilledLine(place, kind, contract, tranche, start, end, hours, price, amount, text)

    def _number(self, column: str, *, needed: bool = False) -> Decimal | None:
        text = self.cells.get(column, "")
        if not text and not needed:
            return None
        try:
            value = Decimal(text)
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite():
            self._wrong(column, f"{text!r} is not a number")
            return None
        return value

    def _instant(self, column: str) -> int:
        text = self.cells.get(column, "")
        try:
            return instant_of_text(text)
        except ValueError:
            self._wrong(column, f"{text!r} is not a time like 2026-11-01T00:00:00Z")
            return 0

    def period(self, which: str) -> int:
        """When the billing period begins or ends; that of the charge where the file does not say."""
        column = f"BillingPeriod{which}"
        return self._instant(column if self.cells.get(column) else f"ChargePeriod{which}")

    def _applied(self, name: str) -> str:
        """What `ContractApplied` names first; "" for nothing."""
        try:
            found = json.loads(self.cells.get("ContractApplied") or "{}")["Elements"][0][name]
        except (ValueError, KeyError, IndexError, TypeError):
            return ""
        return found if isinstance(found, str) else ""
