"""`forebay deliveries`, `ready`, `accept`, `reject`, `relief`: what is handed over, and which dates moved."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session
from forebay.cli.failure import Failed, Status

DELIVERIES_EXAMPLES = """
    forebay deliveries                     every tranche with terms for acceptance
    forebay deliveries big-lab-1           one tranche, with each notice and what came of it
"""
KINDS = ("force_majeure", "customer_delay", "change_order")
LIFE = {"ready": "waits for an answer", "accepted": "accepted", "rejected": "rejected"}


@command.command("deliveries", examples=DELIVERIES_EXAMPLES)
@click.argument("tranche", required=False)
def deliveries_command(tranche: str | None) -> None:
    """What is ready, accepted and billed of each tranche.

    Three dates are told of each part: it was ready, it was accepted, its billing starts. Operators and finance see
    every tranche, a tenant its own.
    """
    said = session.current()
    server = client.connect(said)
    if tranche is not None:
        items = [server.get(f"/v1/deliveries/{client.escaped(tranche)}")]
    else:
        items = server.pages("/v1/deliveries")
    if said.json:
        said.emit("deliveries", {"items": items})
        return
    shown = items if tranche else [each for each in items if each["acceptance"] or each["reliefs"]]
    if not shown:
        said.say("no contract has terms for acceptance, and no date was moved")
    else:
        click.echo("\n\n".join(delivery_text(each, said.colors()) for each in shown))


def delivery_text(delivery: dict[str, Any], color: bool) -> str:
    """One tranche: how far it is, its dates, each notice, and what moved a date."""
    unit = delivery["unit"]
    head = f"{delivery['tranche']} ({delivery['tenant']}): {paper.count(delivery['count'], unit)}, "
    head += f"{delivery['bound']} there, {delivery['accepted']} accepted, {delivery['billed']} billed"
    told = [head]
    told += [f"  {_due(date, unit)}" for date in delivery["dates"]]
    told.append(f"  {acceptance_text(delivery['acceptance'])}")
    if delivery["parts"]:
        rows = [_part(part) for part in delivery["parts"]]
        headers = ("NOTICE", f"{unit.upper()}S", "READY", "ANSWER", "ANSWERED", "BILLING", "TESTS")
        told.append(paper.table(headers, rows, right="rr", color=color))
    told += [f"  {line}" for line in relief_lines(delivery["reliefs"])]
    return "\n".join(told)


def _due(date: dict[str, Any], unit: str) -> str:
    due = f"{paper.count(date['count'], unit)} due on {paper.day(date['committed'])}"
    return due if date["moved_to"] == date["committed"] else f"{due}, moved to {paper.day(date['moved_to'])}"


def _number(text: str) -> str:
    """A decimal without zeros that say nothing."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def acceptance_text(terms: dict[str, Any] | None) -> str:
    """How a tranche is handed over, in words."""
    if terms is None:
        return "nodes count as delivered when they pass over"
    side = {"at_least": ">=", "at_most": "<="}
    tests = [
        f"{each['name']} {side[each['direction']]} {_number(each['threshold'])}" for each in terms["tests"]
    ]
    deemed = (
        f"silence is an answer after {paper.span(terms['deemed_s'])}"
        if terms["deemed_s"]
        else "silence is no answer"
    )
    after = f"{paper.span(terms['billing_after_s'])} after " if terms["billing_after_s"] else "from "
    date = {"committed": "the committed date", "ready": "the ready notice", "acceptance": "acceptance"}
    return f"tests: {', '.join(tests) or 'none'}; {deemed}; billed {after}{date[terms['billing_from']]}"


def _part(part: dict[str, Any]) -> list[object]:
    answer = "by silence" if part["deemed"] else LIFE[part["life"]]
    if part["life"] == "ready" and part["deemed_by"]:
        answer = f"due before {paper.moment(part['deemed_by'])}"
    elif part["reason"]:
        answer = f"rejected: {part['reason']}"
    results = ", ".join(f"{result['test']} {_number(result['value'])}" for result in part["results"])
    return [
        part["notice"], part["count"], paper.moment(part["ready"]), answer,
        paper.moment(part["accepted"] or part["rejected"]) if part["life"] != "ready" else "-",
        paper.moment(part["billing"]) if part["billing"] else "-", results or "-",
    ]  # fmt: skip


def relief_lines(reliefs: list[dict[str, Any]]) -> list[str]:
    """What moved dates, one a line."""
    return [
        f"{each['kind'].replace('_', ' ')} from {paper.day(each['start'])} to {paper.day(each['end'])}"
        + (
            f", relief until {paper.day(each['granted_until'])}"
            if each["granted_until"] != each["end"]
            else ""
        )
        + f": {each['reason']}"
        for each in reliefs
    ]


def moved_lines(item: dict[str, Any]) -> list[str]:
    """Where the dates of a tranche were moved to and why, for views of lateness."""
    if not item["moved"]:
        return []
    dates = [f"{paper.day(date['committed'])} to {paper.day(date['moved_to'])}" for date in item["moved"]]
    why = "; ".join(relief_lines(item["reliefs"]))
    return [f"{item['tranche']}: moved from {', from '.join(dates)} ({why})"]


RECEIVED = click.option(
    "--received",
    default="",
    metavar="DATE",
    help="When it was received; now when left out. Without a zone: in that of the contract, or of the site.",
)
NOTICE = click.option(
    "--notice", type=click.IntRange(min=1), help="Which notice; the only one that is open when left out."
)


@command.command(
    "ready",
    examples="forebay ready big-lab-1 --count 16 --result burn_in_hours=96 --result all_reduce_gbps=371.5",
)
@click.argument("tranche")
@click.option("--count", required=True, type=click.IntRange(min=1), help="How many racks or nodes are ready.")
@click.option("--result", "results", multiple=True, metavar="TEST=VALUE", help="What a test gave.")
@RECEIVED
def ready_command(tranche: str, count: int, results: tuple[str, ...], received: str) -> None:
    """Give the customer notice that a part of a tranche is ready.

    A part counts racks, or nodes where the tranche does. Each test that the contract names needs a result that is
    good enough.
    """
    said = session.current()
    values: dict[str, str] = {}
    for each in results:
        test, equals, value = each.partition("=")
        if not equals or not test or not value or test in values:
            raise Failed(f"--result {each}: TEST=VALUE is meant, each test once", Status.USAGE, code="usage")
        values[test] = value
    posted = {"count": count, "results": values, "received_at": received}
    body = client.connect(said).post(f"/v1/deliveries/{client.escaped(tranche)}/ready", posted)
    if said.json:
        said.emit("ready", body)
        return
    until = (
        f"accepted by silence on {paper.moment(body['deemed_by'])}"
        if body["deemed_by"]
        else "silence is no answer"
    )
    click.echo(
        f"notice {body['notice']} of {tranche}: {count} ready since {paper.moment(body['ready'])}; {until}"
    )
    _say_zone(body)


@command.command("accept", examples="forebay accept big-lab-1\nforebay accept big-lab-1 --notice 2")
@click.argument("tranche")
@NOTICE
@RECEIVED
def accept_command(tranche: str, notice: int | None, received: str) -> None:
    """Accept what a ready notice was about.

    A tenant answers for itself; an operator enters what a customer said.
    """
    said = session.current()
    posted = {"notice": notice or 0, "received_at": received}
    body = client.connect(said).post(f"/v1/deliveries/{client.escaped(tranche)}/accept", posted)
    if said.json:
        said.emit("accept", body)
    else:
        click.echo(
            f"notice {body['notice']} of {tranche} is accepted since {paper.moment(body['accepted'])}: "
            f"{body['count']} billed from {paper.moment(body['billing'])} on"
        )
        _say_zone(body)


@command.command("reject", examples='forebay reject big-lab-1 --reason "links flap in rack 7"')
@click.argument("tranche")
@NOTICE
@click.option("--reason", required=True, help="What is wrong with it.")
@RECEIVED
def reject_command(tranche: str, notice: int | None, reason: str, received: str) -> None:
    """Do not accept what a ready notice was about, and say why.

    It is late as if there had been no notice; the provider may give notice of it again.
    """
    said = session.current()
    posted = {"notice": notice or 0, "reason": reason, "received_at": received}
    body = client.connect(said).post(f"/v1/deliveries/{client.escaped(tranche)}/reject", posted)
    if said.json:
        said.emit("reject", body)
    else:
        click.echo(f"notice {body['notice']} of {tranche} is rejected: {body['count']} to be ready again")
        _say_zone(body)


@command.command(
    "relief",
    examples="forebay relief big-lab-1 --kind force_majeure --from 2027-02-01 --until 2027-02-09 --reason flood",
)
@click.argument("tranche")
@click.option("--kind", required=True, type=click.Choice(KINDS), help="What it was.")
@click.option(
    "--from",
    "start",
    required=True,
    metavar="DATE",
    help="When it began; a date without a zone as with --received.",
)
@click.option("--until", "end", required=True, metavar="DATE", help="When it was, or will be, over.")
@click.option("--reason", required=True, help="What happened.")
@RECEIVED
def relief_command(tranche: str, kind: str, start: str, end: str, reason: str, received: str) -> None:
    """Report what the contract gives relief for: committed dates move.

    Only with notice in time, and only up to the cap of its kind. Damages and the longstop count from the new dates.
    """
    said = session.current()
    posted = {"kind": kind, "start": start, "end": end, "reason": reason, "received_at": received}
    body = client.connect(said).post(f"/v1/deliveries/{client.escaped(tranche)}/relief", posted)
    if said.json:
        said.emit("relief", body)
        return
    for date in body["moved"]:
        click.echo(f"{tranche}: {paper.day(date['committed'])} is moved to {paper.day(date['moved_to'])}")
    if body["capped"]:
        click.echo(f"relief is granted until {paper.day(body['granted_until'])}: the cap is used up")
    _say_zone(body)


def _say_zone(body: dict[str, Any]) -> None:
    for line in paper.zone_lines(body):
        click.echo(line)
