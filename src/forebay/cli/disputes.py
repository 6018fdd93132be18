"""`forebay dispute`: is what a provider bills what we owe?"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from forebay.cli import client, command, paper, session
from forebay.cli.failure import Failed, Status
from forebay.core import timeline, units
from forebay.feeds import invoice_differences, invoice_files

EXAMPLES = """
    forebay dispute compare theirs.csv                       FOCUS, Cost and Usage
    forebay dispute compare INV-000001.json                  canonical JSON, as forebay writes it
    forebay dispute compare theirs.csv --contract lake-1 --period 2026-10
"""
#: What causes are called.
_WORDS = {
    "extra": "billed, and owed by nothing we know of",
    "missing": "owed, and not billed",
    "price": "another price",
    "quantity": "other hours",
    "arithmetic": "hours x price is not the amount",
    "sum": "lines do not sum to the total",
    "other_period": "about another month",
    "rounding": "rounding",
}


@click.group("dispute", cls=command.CommandGroup, examples=EXAMPLES)
def dispute_group() -> None:
    """Contest lines of an invoice; compare a provider's invoice with our own computation."""


@dispute_group.command("compare", examples=EXAMPLES)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--contract", default="", metavar="NAME", help="Ours with them; else the one that the file names."
)
@click.option("--period", default="", metavar="MONTH", help="A month like 2026-10; else that of the file.")
def _compare(file: Path, contract: str, period: str) -> None:
    """Lay a provider's invoice beside what we compute, and tell the differences by cause.

    The causes sum to the difference exactly. What only the provider can know (use on demand, service credits,
    lending) is listed as not checked. Ends with 4 where something differs beyond rounding.
    """
    said = session.current()
    try:
        theirs = invoice_files.read_invoice(file.name, file.read_bytes())
    except invoice_files.UnreadableInvoice as failure:
        errors = [
            {
                "file": each.file,
                "line": each.line,
                "detail": f"{each.column}: {each.detail}" if each.column else each.detail,
            }
            for each in failure.problems
        ]
        raise Failed(f"{file.name} cannot be read as an invoice", code="bad_invoice", errors=errors) from None
    named = contract or _named(theirs)
    month = period or timeline.text(theirs.start)[:7]
    body = client.connect(said).get(f"/v1/payables/{client.escaped(named)}", period=month)
    try:
        found = invoice_differences.compare_invoices(theirs, _own(body))
    except ValueError as error:
        raise Failed(str(error), code="other_currency") from None
    told = comparison_body(file.name, theirs, body, found)
    if said.json:
        said.emit("comparison", told)
    else:
        click.echo(comparison_text(told, said.colors()))
    if any(each["cause"] != "rounding" for each in told["differences"]):
        raise click.exceptions.Exit(Status.CONFLICT)


def _named(theirs: invoice_files.BilledInvoice) -> str:
    names = sorted({line.contract for line in theirs.lines if line.contract})
    if len(names) != 1:
        told = f"it names {' and '.join(names)}" if names else "it names no contract"
        raise Failed(
            f"which contract is it about? {told}", hint="Say --contract NAME.", code="which_contract"
        )
    return names[0]


def _own(body: dict[str, Any]) -> invoice_differences.OwnInvoice:
    lines = tuple(
        invoice_differences.OwnLine(
            line["tranche"], _us(line["start"]), Decimal(line["gpu_us"]) / units.HOUR_US,
            Decimal(line["price_per_gpu_hour"]["amount"]), Decimal(line["amount"]["amount"]),
            Decimal(line["take_or_pay"].removesuffix(" %")) / 100,
        )
        for line in body["lines"]
    )  # fmt: skip
    return invoice_differences.OwnInvoice(
        body["contract"], body["currency"], _us(body["start"]), _us(body["end"]), lines
    )


def _us(text: str) -> int:
    return invoice_files.instant_of_text(text)


def comparison_body(
    file: str,
    theirs: invoice_files.BilledInvoice,
    ours: dict[str, Any],
    found: invoice_differences.Comparison,
) -> dict[str, Any]:
    """The whole comparison as JSON."""
    currency = theirs.currency

    def money(amount: Decimal) -> dict[str, str]:
        return {"amount": f"{amount:f}", "currency": currency}

    return {
        "file": file,
        "invoices": list(theirs.numbers),
        "contract": ours["contract"],
        "start": ours["start"],
        "end": ours["end"],
        "over": ours["over"],
        "theirs": money(found.theirs),
        "ours": money(found.ours),
        "unchecked": money(sum((line.amount for line in found.unchecked), Decimal(0))),
        "causes": [{"cause": cause.value, "amount": money(amount)} for cause, amount in found.by_cause().items()],
        "differences": [
            {
                "cause": each.cause.value, "tranche": each.tranche, "place": each.place,
                "amount": money(each.amount), "detail": each.detail,
            }
            for each in found.differences
        ],
        "not_checked": [
            {"place": line.place, "kind": line.kind, "amount": money(line.amount), "text": line.text}
            for line in found.unchecked
        ],
    }  # fmt: skip


def comparison_text(body: dict[str, Any], color: bool) -> str:
    """From their total to ours, cause by cause; then each difference with its place."""
    numbers = ", ".join(body["invoices"]) or body["file"]
    whole = "" if body["over"] else " (the month is not over: ours is as far as now)"
    told = [
        f"{numbers} beside {body['contract']}, {paper.day(body['start'])} to {paper.day(body['end'])}{whole}",
        "",
    ]
    rows = [("they bill", body["theirs"]["amount"]), ("we compute", body["ours"]["amount"])]
    if body["not_checked"]:
        rows.append(("not checked", body["unchecked"]["amount"]))
    rows += [(_WORDS[each["cause"]], each["amount"]["amount"]) for each in body["causes"]]
    told.append(paper.table(("", body["theirs"]["currency"]), rows, right=" r", color=color))
    if body["differences"]:
        lines = [
            (each["amount"]["amount"], each["tranche"] or "-", each["place"] or "-", each["detail"])
            for each in body["differences"]
        ]
        told += ["", paper.table(("DIFFERENCE", "TRANCHE", "PLACE", "WHY"), lines, right="r", color=color)]
    if body["not_checked"]:
        lines = [
            (each["amount"]["amount"], each["kind"], each["place"], each["text"])
            for each in body["not_checked"]
        ]
        told += ["", "not checked: what only the provider can know"]
        told.append(paper.table(("AMOUNT", "KIND", "PLACE", "FOR"), lines, right="r", color=color))
    if not body["differences"]:
        told += ["", "nothing differs"]
    return "\n".join(told)
