"""`forebay prepayments` and `forebay refund`: what is paid ahead, and what of it goes back."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session


@command.command("prepayments", examples="forebay prepayments\nforebay prepayments lake-1 --json")
@click.argument("contract", required=False, default="")
def prepayments_command(contract: str) -> None:
    """What contracts paid ahead: asked for, paid, drawn by fees, returned, and what is left.

    Prepayments and deposits are billed by themselves, on their date or once their milestone is reached. Fees draw on
    what is paid when a period is closed; a deposit is never drawn.
    """
    said = session.current()
    body = client.connect(said).get("/v1/prepayments", contract=contract)
    if said.json:
        said.emit("prepayments", body)
    else:
        click.echo(prepayments_text(body, said.colors()))


def prepayments_text(body: dict[str, Any], color: bool) -> str:
    """A row for each contract and kind."""
    if not body["items"]:
        return "nothing was paid ahead, and nothing is asked for"
    names = ("requested", "paid", "drawn", "returned", "kept", "left")
    rows = [
        (
            each["contract"], each["what"], *(each[name]["amount"] for name in names), each["left"]["currency"],
            ", ".join(_request(part) for part in each["requests"]) or "before the cutover",
        )
        for each in body["items"]
    ]  # fmt: skip
    headers = (
        "CONTRACT",
        "WHAT",
        "ASKED FOR",
        "PAID",
        "DRAWN",
        "RETURNED",
        "KEPT",
        "LEFT",
        "CURRENCY",
        "INVOICES",
    )
    return paper.table(headers, rows, right="  rrrrrr  ", color=color)


def _request(part: dict[str, Any]) -> str:
    if not float(part["open"]["amount"]):
        return str(part["invoice"])
    return f"{part['invoice']} ({part['open']['amount']} open)"


@command.command(
    "refund",
    examples='forebay refund lake-1 --reference "wire 4712"\nforebay refund lake-1 --deposit --reference "wire 4713"',
)
@click.argument("contract")
@click.option("--deposit", is_flag=True, help="The deposit; else what is left of prepayments.")
@click.option("--reference", required=True, metavar="TEXT", help="What the bank calls the payment.")
def refund_command(contract: str, deposit: bool, reference: str) -> None:
    """What a contract that is over paid ahead, and did not draw, goes back.

    Of prepayments as much as the contract says; a deposit whole. Refused while a tranche may still draw on it.
    """
    said = session.current()
    posted = {"what": "deposit" if deposit else "prepayment", "reference": reference}
    answer = client.connect(said).post(f"/v1/contracts/{client.escaped(contract)}/refund", posted)
    if said.json:
        said.emit("refund", answer)
        return
    kept = f"; {paper.money(answer['kept'])} are kept" if float(answer["kept"]["amount"]) else ""
    said.say(f"{paper.money(answer['returned'])} go back to the customer of {contract}{kept}")
