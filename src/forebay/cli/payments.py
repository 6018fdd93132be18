"""`forebay payments`: what falls due under a contract, and when."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session


@command.command("payments", examples="forebay payments big-lab-1\nforebay payments big-lab-1 --json")
@click.argument("contract")
def payments_command(contract: str) -> None:
    """What falls due under a contract, and when.

    By dates, and by milestones in even odds (P50) and in nine cases of ten (P90); a tenant is told of a milestone
    once it is reached. Fees are those of what is promised, month by month: what is late is not taken off. DRAWN is
    what they take from what was prepaid by then.
    """
    said = session.current()
    body = client.connect(said).get(f"/v1/contracts/{client.escaped(contract)}/payments")
    if said.json:
        said.emit("payments", body)
    else:
        click.echo(payments_text(body, said.colors()))


def payments_text(body: dict[str, Any], color: bool) -> str:
    """The terms, then what falls due, the earliest first."""
    told = [*_terms(body["terms"]), ""]
    rows = [
        (
            paper.day(each["due_p50"]) or "not known", _later(each), each["kind"], _about(each),
            paper.money(each["amount"]), _some(each["drawn"]), paper.money(each["to_pay"]),
        )
        for each in body["items"]
    ]  # fmt: skip
    if not rows:
        told.append("nothing falls due: no tranche, deposit or prepayment")
        return "\n".join([*told, *_opened(body, color)])
    headers = ("DUE (P50)", "AT P90", "WHAT", "FOR", "AMOUNT", "DRAWN", "TO PAY")
    told += [paper.table(headers, rows, right="    rrr", color=color), ""]
    fees, drawn, prepaid, undrawn = (
        paper.money(body[name]) for name in ("fees", "drawn", "prepaid", "undrawn")
    )
    told.append(f"fees: {fees}, of which {drawn} are drawn from what is prepaid")
    if float(body["prepaid"]["amount"]):
        told.append(f"prepaid: {prepaid}, of which {undrawn} are not drawn")
    return "\n".join([*told, *_opened(body, color)])


def _opened(body: dict[str, Any], color: bool) -> list[str]:
    """What was open at the cutover of a contract that ran before, as if nothing was paid of it since."""
    told: list[str] = []
    if body["open_invoices"]:
        rows = [
            (
                each["number"], paper.day(each["due"]) or "not known", paper.money(each["open"]),
                _some(each["interest"]), _some(each["may_be_withheld"]),
            )
            for each in body["open_invoices"]
        ]  # fmt: skip
        headers = ("OPEN AT THE CUTOVER", "DUE", "AMOUNT", "INTEREST BY NOW", "MAY BE WITHHELD")
        told += ["", paper.table(headers, rows, right="  rrr", color=color)]
        told.append("as if nothing was paid of it since")
    if body["refund"]:
        told.append(f"refund if it had ended at the cutover: {paper.money(body['refund'])}")
    return told


def _terms(terms: dict[str, Any] | None) -> list[str]:
    if terms is None:
        return ["the contract says nothing of payment: fees are told as due at the end of their month"]
    within = paper.span(terms["net_s"]) if terms["net_s"] else "the day"
    billed = "at the start" if terms["billing"] == "advance" else "at the end"
    pairs: list[tuple[str, object]] = [
        ("fees", f"billed {billed} of their month, to be paid within {within}")
    ]
    if terms["drawdown"]:
        pairs.append(("drawn down by", ", then ".join(terms["drawdown"])))
    if terms["guarantee"]:
        until = f" until {paper.day(terms['guarantee_expires'])}" if terms["guarantee_expires"] else ""
        pairs.append(
            ("guarantee", f"{paper.money(terms['guarantee'])} by {terms['guarantee_issuer']}{until}")
        )
    if terms["interest_ppm"]:
        pairs.append(("late interest", f"{paper.share(terms['interest_ppm'])} a year of 365 days"))
    if terms["withholding_ppm"]:
        pairs.append(("withholding", f"{paper.share(terms['withholding_ppm'])} of what is disputed"))
    if float(terms["refund_ppm"]) != 1_000_000:
        pairs.append(("refund", f"{paper.share(terms['refund_ppm'])} of what is prepaid and not drawn"))
    return paper.facts(pairs).splitlines()


def _later(each: dict[str, Any]) -> str:
    return "" if each["due_p90"] == each["due_p50"] else paper.day(each["due_p90"]) or "not known"


def _about(each: dict[str, Any]) -> str:
    if each["kind"] != "fee":
        return str(each["about"])
    return f"{each['about']}, {paper.day(each['start'])} to {paper.day(each['end'])}"


def _some(given: dict[str, str]) -> str:
    return paper.money(given) if float(given["amount"]) else "-"
