"""`forebay contracts`: what was signed, version by version, and which clauses fall due next."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session

EXAMPLES = """
    forebay contracts
    forebay contracts show big-lab-1       its versions, and what each changed
    forebay contracts watch                clauses that are watched, what falls due next first
"""


@command.group("contracts", examples=EXAMPLES, invoke_without_command=True)
@click.pass_context
def contracts_group(context: click.Context) -> None:
    """What was signed, version by version; clauses that are watched.

    Operators and finance see every contract, a tenant its own.
    """
    if context.invoked_subcommand is None:
        context.invoke(_list_contracts)


@contracts_group.command("list", examples="forebay contracts list\nforebay contracts list --json")
def _list_contracts() -> None:
    """List contracts as they hold now."""
    said = session.current()
    items = client.connect(said).pages("/v1/contracts")
    if said.json:
        said.emit("contracts.list", {"items": items})
    elif items:
        rows = [
            (
                each["id"], each["version"], each["tenant"], each["seller"], each["currency"],
                ", ".join(each["tranches"]) or "-", len(each["clauses"]),
            )
            for each in items
        ]  # fmt: skip
        headers = ("CONTRACT", "VERSION", "CUSTOMER", "SELLER", "CURRENCY", "TRANCHES", "CLAUSES")
        click.echo(paper.table(headers, rows, right=" r    r", color=said.colors()))
    else:
        said.say("nothing is signed")


@contracts_group.command("show", examples="forebay contracts show big-lab-1")
@click.argument("contract")
def _show_contract(contract: str) -> None:
    """Show a contract: its versions, since when each holds, and what it changed."""
    said = session.current()
    body = client.connect(said).get(f"/v1/contracts/{client.escaped(contract)}")
    if said.json:
        said.emit("contracts.show", body)
    else:
        click.echo(versions_text(body))


def versions_text(body: dict[str, Any]) -> str:
    """Every version with what it changed of the one before."""
    contract = body["contract"]
    told = [
        f"Contract {contract['id']}: {contract['seller']} and {contract['tenant']}, in {contract['currency']}"
    ]
    for each in body["versions"]:
        now = ", in force" if each["in_force"] else ""
        told.append(
            f"version {each['version']}: from {paper.moment(each['effective'])} on, signed "
            f"{paper.moment(each['signed'])}{now}"
        )
        told += [f"  + {thing}" for thing in each["added"]]
        told += [f"  - {thing}" for thing in each.get("removed", ())]
        told += [
            f"  ~ {change['thing']}: {change['field']}: {change['old'] or '(nothing)'} -> "
            f"{change['new'] or '(nothing)'}"
            for change in each["changed"]
        ]
    return "\n".join(told)


@contracts_group.command("watch", examples="forebay contracts watch\nforebay contracts watch --json")
def _watch() -> None:
    """List clauses that are watched by their dates, and offers to us; what falls due next comes first."""
    said = session.current()
    items = client.connect(said).pages("/v1/clauses/watched")
    if said.json:
        said.emit("contracts.watch", {"items": items})
    elif items:
        rows = [
            (
                paper.day(each["date"]) or "-",
                _in_days(each["days"]),
                each["contract"],
                each["tenant"],
                each["title"],
            )
            for each in items
        ]
        headers = ("DUE", "IN", "CONTRACT", "CUSTOMER", "CLAUSE")
        click.echo(paper.table(headers, rows, color=said.colors()))
    else:
        said.say("no clause is watched")


def _in_days(days: int | None) -> str:
    if days is None:
        return "-"
    return paper.count(days, "day") if days >= 0 else f"{paper.count(-days, 'day')} ago"


def coverage_text(coverage: dict[str, Any]) -> list[str]:
    """How much of a contract is handled: the terms that are modelled, what is watched, and what is not handled."""
    modelled, watched, left = coverage["modelled"], coverage["watched"], coverage["not_handled"]
    dated = paper.count(len(watched), "clause")
    told = [
        f"  {paper.count(len(modelled), 'term')} modelled, {dated} watched by date, {len(left)} not handled"
    ]
    if modelled:
        told += paper.wrapped(f"  modelled: {', '.join(each['term'] for each in modelled)}", 0)
    told += [f"  watched: {each['title']} ({paper.day(each['date']) or 'no date'})" for each in watched]
    return told + [f"  not handled: {title}" for title in left]
