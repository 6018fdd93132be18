"""`forebay capacity`: what can still be promised, site by kind of rack by month."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any, TextIO

import click

from forebay.cli import client, command, overdrafts, paper, session, subtree, suppliers
from forebay.cli.failure import Failed, Status

EXAMPLES = """
    forebay capacity                                     every site, the next 18 months, in racks
    forebay capacity --site lappeenranta --unit gpus --months 36
    forebay capacity --from 2028-01-01 --csv -           for a spreadsheet
    forebay capacity --xlsx capacity.xlsx
    forebay capacity --under lappeenranta/hall-1         a hall; also SITE/HALL/ROW, SITE/FEED, SITE/LOOP
"""
UNITS = ("racks", "gpus", "nodes")
#: So many rights that are overdrawn are told below the table.
OVERDRAFTS_TOLD = 10
#: Heading of each figure, and its name in the answer.
FIGURES = (
    ("P50", "supply_p50"),
    ("P90", "supply_p90"),
    ("COMMITTED", "committed"),
    ("HELD", "held"),
    ("CALLS", "calls"),
    ("EXTENSIONS", "extensions"),
    ("REFUSALS", "refusals"),
    ("BACKSTOP", "backstop"),
    ("PROMISABLE", "promisable"),
    ("SHORT", "short"),
)
#: For a spreadsheet; people read it below the table, right by right.
SHEET_FIGURES = (*FIGURES, ("OVERDRAWN", "overdrawn"))
#: Figures that are worth a look only where there are any.
QUIET = frozenset({"committed", "held", "calls", "extensions", "refusals", "backstop", "short"})
#: What the columns of figures mean, for the second sheet of a workbook.
MEANINGS = (
    ("P50, P90", "Supply: what will have arrived and have power in even odds, and in nine cases of ten."),
    ("COMMITTED", "Promised by tranches of signed contracts."),
    ("HELD", "Kept for customers while they think an offer over."),
    ("CALLS, EXTENSIONS", "What customers may still take by a right."),
    ("REFUSALS", "On offer to the holder of a right of first refusal."),
    ("BACKSTOP", "A floor under what stays unsold, which a customer must take; it takes nothing away."),
    (
        "PROMISABLE",
        "What may still be promised; below zero, more is promised or may be called than there will be.",
    ),
    ("SHORT", "By how much tranches go short."),
    ("OVERDRAWN", "By how much holds and rights may take more than there will be, beside that."),
)


@command.command("capacity", examples=EXAMPLES)
@click.option("--site", default="", metavar="SITE", help="Only this site.")
@click.option("--sku", default="", metavar="SKU", help="Only this kind of rack.")
@click.option(
    "--months", default=18, show_default=True, type=click.IntRange(min=1, max=240), help="So many months."
)
@click.option(
    "--from",
    "start",
    default="",
    metavar="DATE",
    help="From this date on (UTC), which is not before this month; now when left out.",
)
@click.option(
    "--under",
    default="",
    metavar="SITE/PART",
    help="Only a part of a site: a hall, HALL/ROW, a feed with all below it, or a cooling loop.",
)
@click.option("--unit", type=click.Choice(UNITS), default="racks", show_default=True, help="What is counted.")
@click.option("--csv", "csv_file", default="", metavar="FILE", help="Write CSV; - for stdout.")
@click.option("--xlsx", "xlsx_file", default="", metavar="FILE", help="Write an Excel workbook.")
def capacity_command(
    site: str, sku: str, months: int, start: str, under: str, unit: str, csv_file: str, xlsx_file: str
) -> None:
    """What can still be promised: site by kind of rack by month.

    Supply (P50, P90) and what is promisable are those of the lowest instant of a month, everything else of its
    highest; what is promisable is so at the confidence of the promise policy. Below zero, more is promised, or may be
    asked for by a right, than there will be. With --json figures are in nodes.

    With --under it tells of a part of a site what it has, what is bound there, and how much of it may be promised at
    most: a promise is of the site until racks are bound to it. Of a feed also its watts, and for how many racks more
    they suffice.
    """
    said = session.current()
    if said.json and csv_file == "-":
        raise Failed("--json and --csv - would both print", Status.USAGE, code="usage")
    found = client.connect(said)
    body = found.get("/v1/capacity", site=site, sku=sku, months=months, under=under, **{"from": start})
    if csv_file == "-":
        _write_csv(body, unit, sys.stdout)
    elif csv_file:
        with Path(csv_file).open("w", newline="", encoding="utf-8") as file:
            _write_csv(body, unit, file)
        said.say(f"{csv_file}: {paper.count(_size(body), 'row')}")
    if xlsx_file:
        if under:
            subtree.write_below_xlsx(body, unit, in_unit, Path(xlsx_file))
        else:
            write_xlsx(body, unit, Path(xlsx_file))
        said.say(f"{xlsx_file}: {paper.count(_size(body), 'row')}")
    if said.json:
        said.emit("capacity", body)
    elif not csv_file and not xlsx_file:
        text = subtree.below_text(body, unit, in_unit, said.colors()) if under else ""
        click.echo(text or capacity_text(body, unit, said.colors()))


def _size(body: dict[str, Any]) -> int:
    return sum(len(stock["months"]) for stock in body.get("under", body)["stocks"])


def _write_csv(body: dict[str, Any], unit: str, file: TextIO) -> None:
    if "under" in body:
        subtree.write_below_csv(body, unit, in_unit, file)
    else:
        write_csv(body, unit, file)


def in_unit(nodes: int, stock: dict[str, Any], unit: str) -> int | Decimal:
    """Nodes as nodes, GPUs, or racks, which may be broken: then with one place, rounded down."""
    if unit == "racks":
        whole, rest = divmod(nodes, stock["nodes_per_rack"])
        if not rest:
            return int(whole)
        racks = Decimal(nodes) / Decimal(stock["nodes_per_rack"])
        return racks.quantize(Decimal("0.1"), rounding=ROUND_FLOOR)
    return int(nodes * stock["gpus_per_node"]) if unit == "gpus" else nodes


def capacity_text(body: dict[str, Any], unit: str, color: bool) -> str:
    """The table for people, stock by stock."""
    if not body["stocks"]:
        return "nothing stands, is to come or is promised: apply a Site and its Schedule"
    policy = body["policy"]
    counted = "GPUs" if unit == "gpus" else unit
    sure = f"promisable at {policy['confidence'].upper()} (promise policy {policy['version']})"
    told = [f"{counted}, {sure}; each month at its lowest instant"]
    for stock in body["stocks"]:
        gpus = stock["nodes_per_rack"] * stock["gpus_per_node"]
        head = f"{stock['site']}, {stock['sku']}: {gpus} GPUs in {stock['nodes_per_rack']} nodes a rack"
        head += f"; rented from {stock['supplier']}" if stock.get("supplier") else ""
        kept = max(month.get("spares", 0) for month in stock["months"])
        if kept:
            head += f"; {in_unit(kept, stock, unit):,} kept as spares, as the largest {policy['spares']} has"
        head = click.style(head, bold=True) if color else head
        mark = click.style("provisional", fg="yellow") if color else "provisional"
        told += ["", f"{head}; {mark}" if stock["provisional"] else head, _stock_table(stock, unit, color)]
    if "suppliers" in body:
        shares = suppliers.suppliers_text(body["suppliers"], policy["confidence"], color)
        told += ["", "all GPUs by supplier, and the share of each", shares]
    notes = [note for mark, note in NOTES.items() if any(_has(stock, mark) for stock in body["stocks"])]
    over = [
        line
        for stock in body["stocks"]
        for each in stock["overdrawn"]
        for line in overdrafts.overdraft_lines(each)
    ]
    notes += over[:OVERDRAFTS_TOLD]
    if len(over) > OVERDRAFTS_TOLD:
        notes.append(f"and {len(over) - OVERDRAFTS_TOLD} more; `forebay rights` tells all")
    told += [""] if notes else []
    return "\n".join([*told, *(line for note in notes for line in paper.wrapped(note, 0))])


#: What a mark means.
NOTES = {
    "provisional": "provisional: P50 and P90 are not those of a forecast of today's schedule; until one is recorded "
    "they are never before the dates by which we reckon.",
    "short": "short: tranches promise more than there will be; `forebay shortfall` tells who goes short.",
    "overdrawn": "overdrawn: holds and rights may take more than there will be; nobody goes short before they do.",
}


def _has(stock: dict[str, Any], mark: str) -> bool:
    if mark == "provisional":
        return bool(stock["provisional"])
    return any(month[mark] for month in stock["months"])


def month_mark(month: dict[str, Any]) -> str:
    """What is wrong in a month: "short", "overdrawn", both, or "" for nothing."""
    return ", ".join(mark for mark in ("short", "overdrawn") if month[mark])


def _stock_table(stock: dict[str, Any], unit: str, color: bool) -> str:
    rows = []
    for month in stock["months"]:
        figures = [_figure(in_unit(month[name], stock, unit), name) for _, name in FIGURES]
        rows.append([month["month"], *figures, month_mark(month)])
    headers = ("MONTH", *(heading for heading, _ in FIGURES), "")
    return paper.table(headers, rows, right=" rrrrrrrrRr", color=color)


def _figure(value: int | Decimal, name: str) -> str:
    return f"{value:,}" if value or name not in QUIET else "-"


# For spreadsheets


def _records(body: dict[str, Any], unit: str) -> Iterator[list[Any]]:
    for stock in body["stocks"]:
        for month in stock["months"]:
            figures = [in_unit(month[name], stock, unit) for _, name in SHEET_FIGURES]
            mark = month_mark(month)
            yield [stock["site"], stock["sku"], month["month"], *figures, stock["provisional"], mark]


def _supplied(body: dict[str, Any]) -> Iterator[list[Any]]:
    """The supplier of each record, and its share of all GPUs in the month, percent; where anything is rented."""
    shares = {
        (month["month"], each["supplier"]): Decimal(each["share_ppm"]) / 10_000
        for month in body.get("suppliers", [])
        for each in month["suppliers"]
    }
    for stock in body["stocks"]:
        for month in stock["months"]:
            name = stock.get("supplier", "")
            yield [name or "own", shares[month["month"], name]] if shares else []


def write_csv(body: dict[str, Any], unit: str, file: TextIO) -> None:
    """The table as CSV (RFC 4180), one row a stock and month."""
    writer = csv.writer(file, lineterminator="\n")
    more = ["supplier", "supplier_share_percent"] if "suppliers" in body else []
    writer.writerow(
        [
            "site",
            "sku",
            "month",
            *(f"{name}_{unit}" for _, name in SHEET_FIGURES),
            "provisional",
            "mark",
            *more,
        ]
    )
    for record, supplied in zip(_records(body, unit), _supplied(body), strict=True):
        *values, provisional, mark = record
        writer.writerow([*values, "yes" if provisional else "no", mark, *supplied])


def write_xlsx(body: dict[str, Any], unit: str, path: Path) -> None:
    """The table as a workbook: one sheet with a filter, one that says what the columns mean."""
    import datetime

    import openpyxl
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "capacity"
    headers = ["SITE", "SKU", "MONTH", *(heading for heading, _ in SHEET_FIGURES), "PROVISIONAL", "MARK"]
    sheet.append([*headers, *(["SUPPLIER", "SUPPLIER'S SHARE, %"] if "suppliers" in body else [])])
    for record, supplied in zip(_records(body, unit), _supplied(body), strict=True):
        site, sku, month, *figures, provisional, mark = record
        first = datetime.date.fromisoformat(f"{month}-01")
        sheet.append([site, sku, first, *figures, "provisional" if provisional else "", mark, *supplied])
    for row in sheet.iter_rows(min_row=2, min_col=3, max_col=3 + len(SHEET_FIGURES)):
        row[0].number_format = "yyyy-mm"
        for cell in row[1:]:
            # Below zero in red: more is promised than there will be.
            cell.number_format = "#,##0.##;[Red]-#,##0.##"
    sheet.freeze_panes = "D2"
    sheet.auto_filter.ref = sheet.dimensions
    about = book.create_sheet("about")
    policy = body["policy"]
    rows: list[Sequence[str]] = [
        ("Unit", "GPUs" if unit == "gpus" else unit),
        ("Promisable at", f"{policy['confidence'].upper()} (promise policy {policy['version']})"),
        ("A month", "Supply and promisable at its lowest instant, everything else at its highest; UTC."),
        *MEANINGS,
    ]
    for each in rows:
        about.append(list(each))
    for cell in [*sheet[1], *about["A"]]:
        cell.font = Font(bold=True)
    for table in (sheet, about):
        for place, column in enumerate(table.columns, 1):
            width = max(len(str(cell.value or "")) for cell in column)
            table.column_dimensions[get_column_letter(place)].width = min(width + 2, 100)
    book.save(path)
