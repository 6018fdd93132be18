"""`forebay capacity --under`: what is there, bound and left in a hall, a row, a feed or a cooling loop."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import click

from forebay.cli import paper

#: So many tranches are told below the tables.
BOUND_TOLD = 12
#: Heading of each figure, and its name in the answer.
BELOW_FIGURES = (
    ("P50", "supply_p50"),
    ("P90", "supply_p90"),
    ("BOUND", "bound"),
    ("UNBOUND", "unbound"),
    ("PROMISABLE", "promisable"),
    ("OF SITE", "site_promisable"),
    ("SPARES", "site_spares"),
    ("UNPLACED P50", "unplaced_p50"),
    ("UNPLACED P90", "unplaced_p90"),
    ("POWER FOR", "powered"),
)
#: Of those, what is worth a look only where there is any.
BELOW_QUIET = frozenset({"bound", "site_spares", "unplaced_p50", "unplaced_p90"})
POWER_FIGURES = (
    ("LIMIT", "limit_w"),
    ("OF SITE", "site_w"),
    ("BASE", "base_w"),
    ("PROMISED", "promised_w"),
    ("LEFT", "left_w"),
)
#: What the columns mean, for the last sheet of a workbook.
BELOW_MEANINGS = (
    (
        "P50, P90",
        "Supply: what will have arrived there and have power in even odds, and in nine cases of ten.",
    ),
    ("BOUND", "Racks there that tranches have, or will have from the start of their term on."),
    ("UNBOUND", "Supply less what is bound, at the confidence of the promise policy."),
    (
        "PROMISABLE",
        "No more than this may be promised there: the least of UNBOUND, OF SITE and POWER FOR.",
    ),
    (
        "OF SITE",
        "What may still be promised at the site as a whole; of power, what its stages have for all racks.",
    ),
    ("SPARES", "What the site keeps to make a loss good, in no particular place."),
    ("UNPLACED", "What the site has, or will have, without it being told whether it is there."),
    ("POWER FOR", "What the power left suffices for, were it all for this kind of rack."),
    ("LEFT", "Watts that the feed and everything above it have left, beside base loads and promises."),
)


class Printed(NamedTuple):
    """A table for a spreadsheet."""

    title: str
    headers: Sequence[str]
    rows: list[list[Any]]


def below_text(body: dict[str, Any], unit: str, scale: Any, color: bool) -> str:
    """The answer for people: each kind of rack, the power of a feed, who is bound, and what all of it means. `scale`
    gives nodes in a unit.
    """
    under, policy = body["under"], body["policy"]
    counted = "GPUs" if unit == "gpus" else unit
    sure = policy["confidence"].upper()
    head = f"{under['path']}, a {_kind(under)}; {counted}, promisable at {sure} (promise policy {policy['version']})"
    told = [head, "each month at its lowest instant, what is bound or promised at its highest"]
    if not under["stocks"]:
        told += ["", "nothing stands there or is to come"]
    for stock in under["stocks"]:
        told += [
            "",
            _bold(_stock_head(stock), color),
            _stock_below(stock, unit, scale, policy["confidence"], color),
        ]
    if under["power"]:
        told += ["", _bold("power", color)]
        told.append(_power_table(under, color))
    bound = [(stock, each) for stock in under["stocks"] for each in stock["bound"]]
    if bound:
        told += ["", _bold("bound there", color), _bound_table(bound[:BOUND_TOLD], unit, scale, color)]
    if len(bound) > BOUND_TOLD:
        told.append(f"and {len(bound) - BOUND_TOLD} more; --json tells all")
    told.append("")
    return "\n".join([*told, *(line for note in _notes(under) for line in paper.wrapped(note, 0))])


def _bold(text: str, color: bool) -> str:
    return click.style(text, bold=True) if color else text


def _stock_head(stock: dict[str, Any]) -> str:
    gpus = stock["nodes_per_rack"] * stock["gpus_per_node"]
    head = f"{stock['sku']}: {gpus} GPUs in {stock['nodes_per_rack']} nodes a rack"
    return f"{head}; provisional" if stock["provisional"] else head


def _stock_below(stock: dict[str, Any], unit: str, scale: Any, sure: str, color: bool) -> str:
    known = [
        ("UNPLACED" if name.startswith("unplaced") else heading, name)
        for heading, name in BELOW_FIGURES
        if stock["months"][0][name] is not None
        and name not in {"unplaced_p50", "unplaced_p90"} - {f"unplaced_{sure}"}
    ]
    rows = [
        [month["month"], *(_cell(scale(month[name], stock, unit), name) for _, name in known)]
        for month in stock["months"]
    ]
    headers = ("MONTH", *(heading for heading, _ in known))
    return paper.table(headers, rows, right=" rrrRRRrrr"[: len(headers)], color=color)


def _cell(value: int | Decimal, name: str) -> str:
    return f"{value:,}" if value or name not in BELOW_QUIET else "-"


def _power_table(under: dict[str, Any], color: bool) -> str:
    rows = []
    for month in under["power"]:
        cells = ["-" if month[name] is None else paper.power(month[name]) for _, name in POWER_FIGURES]
        rows.append([month["month"], *cells, f"{month['tightest_kind']} {month['tightest']}"])
    headers = ("MONTH", *(heading for heading, _ in POWER_FIGURES), "LEAST LEFT BY")
    return paper.table(headers, rows, right=" rrrrR ", color=color)


def _bound_table(
    bound: list[tuple[dict[str, Any], dict[str, Any]]], unit: str, scale: Any, color: bool
) -> str:
    rows = [
        [
            each["tranche"], each["tenant"], stock["sku"], f"{scale(each['nodes'], stock, unit):,}",
            paper.day(each["start"]), paper.day(each["end"]),
        ]
        for stock, each in bound
    ]  # fmt: skip
    headers = ("TRANCHE", "CUSTOMER", "SKU", unit.upper(), "FROM", "UNTIL")
    return paper.table(headers, rows, right="   r", color=color)


def _notes(under: dict[str, Any]) -> Iterator[str]:
    least = "and than the site can promise (OF SITE)."
    if under["power"]:
        least = "than the site can promise (OF SITE), and than has power (POWER FOR)."
    yield (
        "promisable: an upper bound. A promise is of the site until racks are bound to it: no more can be promised "
        "here than is unbound here as racks are bound today, " + least
    )
    for stock in under["stocks"]:
        if stock["gpus_unplaced"]:
            of = f"{stock['gpus_unplaced']:,} GPUs of {stock['sku']}"
            yield (
                f"unplaced: {of} whose {_kind(under)} is not told: they count for the site, and for none of its "
                f"{_kind(under)}s."
            )
    if any(month["site_spares"] for stock in under["stocks"] for month in stock["months"]):
        yield "spares: the site keeps them, in no particular place; they are in none of what it can promise."
    if under["power"]:
        yield (
            "power for: so much more, were all that is left for this kind: first racks that stand and are not bound, "
            "then new ones with their base load. What is promised and not bound yet draws on no feed."
        )
    if any(stock["provisional"] for stock in under["stocks"]):
        yield (
            "provisional: P50 and P90 are not those of a forecast of today's schedule; until one is recorded they "
            "are never before the dates by which we reckon."
        )


def _kind(under: dict[str, Any]) -> str:
    return "cooling loop" if under["kind"] == "loop" else str(under["kind"])


# For spreadsheets


def below_sheets(body: dict[str, Any], unit: str, scale: Any) -> list[Printed]:
    """All tables: kinds of racks by month, the power of a feed, and who is bound."""
    under = body["under"]
    months: list[list[Any]] = []
    bound: list[list[Any]] = []
    for stock in under["stocks"]:
        for month in stock["months"]:
            figures = [
                "" if month[name] is None else scale(month[name], stock, unit) for _, name in BELOW_FIGURES
            ]
            sure = "yes" if stock["provisional"] else "no"
            months.append([under["path"], stock["sku"], month["month"], *figures, sure])
        for each in stock["bound"]:
            nodes = scale(each["nodes"], stock, unit)
            bound.append(
                [
                    each["tranche"],
                    each["contract"],
                    each["tenant"],
                    stock["sku"],
                    nodes,
                    each["start"],
                    each["end"],
                ]
            )
    names = [f"{name}_{unit}" for _, name in BELOW_FIGURES]
    found = [Printed("capacity", ["under", "sku", "month", *names, "provisional"], months)]
    if under["power"]:
        columns = [*(name for _, name in POWER_FIGURES), "tightest_kind", "tightest"]
        watts = [["" if month[name] is None else month[name] for name in columns] for month in under["power"]]
        rows = [
            [under["path"], month["month"], *each] for month, each in zip(under["power"], watts, strict=True)
        ]
        found.append(Printed("power", ["under", "month", *columns], rows))
    headers = ["tranche", "contract", "customer", "sku", unit, "from", "until"]
    return [*found, Printed("bound", headers, bound)]


def write_below_csv(body: dict[str, Any], unit: str, scale: Any, file: TextIO) -> None:
    """The kinds of racks by month as CSV (RFC 4180), with the watts of a feed in each row of its month."""
    first, *others = below_sheets(body, unit, scale)
    power = {row[1]: row[2:] for sheet in others if sheet.title == "power" for row in sheet.rows}
    columns = [name for sheet in others if sheet.title == "power" for name in sheet.headers[2:]]
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*first.headers, *columns])
    for row in first.rows:
        writer.writerow([*row, *power.get(row[2], [])])


def write_below_xlsx(body: dict[str, Any], unit: str, scale: Any, path: Path) -> None:
    """All tables as a workbook, a sheet each, and one that says what the columns mean."""
    import openpyxl
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for place, each in enumerate(below_sheets(body, unit, scale)):
        if place:
            sheet = book.create_sheet()
        sheet.title = each.title
        sheet.append(list(each.headers))
        for row in each.rows:
            sheet.append(row)
        for cells in sheet.iter_rows(min_row=2):
            for cell in cells:
                if isinstance(cell.value, int | Decimal | float):
                    cell.number_format = "#,##0.##;[Red]-#,##0.##"
        sheet.freeze_panes = "A2"
        sheet.auto_filter.ref = sheet.dimensions
    about = book.create_sheet("about")
    policy = body["policy"]
    rows: list[Sequence[str]] = [
        ("Under", f"{body['under']['path']}, a {_kind(body['under'])}"),
        ("Unit", "GPUs" if unit == "gpus" else unit),
        ("Promisable at", f"{policy['confidence'].upper()} (promise policy {policy['version']})"),
        *BELOW_MEANINGS,
    ]
    for pair in rows:
        about.append(list(pair))
    for table in book.worksheets:
        for cell in table[1] if table is not about else about["A"]:
            cell.font = Font(bold=True)
        for place, column in enumerate(table.columns, 1):
            width = max(len(str(cell.value or "")) for cell in column)
            table.column_dimensions[get_column_letter(place)].width = min(width + 2, 100)
    book.save(path)
