"""`forebay explain`: why a gang waits or runs where it does, and why another thing that has a name is as it is;
what an invoice line adds up.
"""

from __future__ import annotations

import contextlib
import re
from typing import Any

import click

from forebay.cli import client, command, paper, session
from forebay.cli.failure import Failed

EXAMPLES = """
    forebay explain acme.train             why it waits, or where it runs and why there
    forebay explain acme.sweep             an array: how many of it wait, and for what
    forebay explain acme/lab               a project: its cap, its budget, and who waits because of it
    forebay explain r01-n02                a node: why it is out, until when, and who holds it or waits for it
    forebay explain firmware --kind campaign
    forebay explain INV-000001:2           line 2 of an invoice, down to the placements
    forebay explain CN-000001:1            the first line of a credit note, and the line that it credits
"""
_LINE = re.compile(r"(INV-[0-9]+):([0-9]+)", re.IGNORECASE)
_CREDIT = re.compile(r"(CN-[0-9]+):([0-9]+)", re.IGNORECASE)
_INVOICE = re.compile(r"INV-[0-9]+", re.IGNORECASE)
#: Where the energy of a line is known from.
_ENERGY = {
    "profile": "from the profile of the SKU",
    "metered": "metered",
    "mixed": "metered in part, the rest from the profile of the SKU",
}
#: What can be explained besides lines of invoices.
KINDS = ("gang", "array", "project", "node", "campaign")
#: What tells about other things.
INSTEAD = {
    "invoice": "`forebay invoice show {name}` prints it, `forebay explain {name}:1` tells what line 1 adds up",
    "tranche": "`forebay status` tells what the GPUs of a tranche do, `forebay shortfall` whether it goes short, "
    "`forebay deliveries {name}` what of it is accepted",
    "contract": "`forebay status` tells what the tranches of a contract do",
    "right": "`forebay rights` tells what may still be asked for by it",
    "hold": "`forebay hold list` tells what is kept, and until when",
    "milestone": "`forebay schedule` tells its dates, and what waits for it",
    "block": "`forebay schedule` tells its dates, and what it waits for",
    "tenant": "`forebay jobs --tenant {name}` lists the gangs of a tenant",
    "site": "`forebay status` tells what a site has and uses",
    "rack": "`forebay node list` tells what the nodes of a rack do",
}


@command.command("explain", examples=EXAMPLES)
@click.argument("what", metavar="NAME|INVOICE:LINE|NOTE:LINE")
@click.option("--kind", type=click.Choice(KINDS), help="Of which kind it is, where several have the name.")
def explain_command(what: str, kind: str | None) -> None:
    """Why a gang waits or runs; what an invoice line adds up.

    Of an array, a project, a node or a maintenance campaign it says why it is as it is.
    A tenant's explanation names the tenant's own objects and calls everything else "other work".
    """
    said = session.current()
    found = client.connect(said)
    line = _LINE.fullmatch(what)
    if line is not None:
        body = found.get(f"/v1/invoices/{line[1].upper()}/lines/{line[2]}/explain")
        if said.json:
            said.emit("explain.line", body)
        else:
            _print_line(said, body)
        return
    credit = _CREDIT.fullmatch(what)
    if credit is not None:
        body = found.get(f"/v1/credit-notes/{credit[1].upper()}/lines/{credit[2]}/explain")
        if said.json:
            said.emit("explain.credit", body)
        else:
            _print_credit(said, body)
        return
    body = _ask(found, what, kind)
    gang = body.get("gang")
    if said.json and gang is not None:
        said.emit("explain.gang", gang)
    elif said.json:
        said.emit("explain.other", body)
    elif gang is not None:
        _print_gang(gang)
    else:
        _print_other(body)


def _ask(found: client.Client, what: str, kind: str | None) -> dict[str, Any]:
    """What the server says of whatever is called so."""
    try:
        body: dict[str, Any] = found.get("/v1/explain", name=what, kind=kind)
    except Failed as failure:
        if failure.code == "not_found":
            failure.hint = _hint(found, what)
        elif failure.code == "ambiguous_name":
            failure.hint = "`--kind` says which is meant; a project is called TENANT/PROJECT."
        raise
    return body


def _print_other(body: dict[str, Any]) -> None:
    click.echo("\n".join(paper.wrapped(f"{body['kind'].capitalize()} {body['name']}. {body['summary']}", 0)))
    for fact in body["facts"]:
        click.echo("\n".join(paper.wrapped(f"  {fact}", 0)))
    if when := body.get("expected_start"):
        click.echo(
            f"  The first of them starts by {paper.moment(when)} at the latest, if nothing arrives before."
        )


def _hint(found: client.Client, what: str) -> str:
    """What to ask instead. The server says what is called so only where the caller may see it."""
    if _INVOICE.fullmatch(what):  # told by its form, whether there is one or not
        number = what.upper()
        return f"{number} would be an invoice: {INSTEAD['invoice'].format(name=number)}."
    kinds = []
    with contextlib.suppress(Failed):
        kinds = found.get(f"/v1/names/{client.escaped(what)}")["kinds"]
    told = [f"{what} is a {kind}: {INSTEAD[kind].format(name=what)}." for kind in kinds if kind in INSTEAD]
    return " ".join(told) or "`forebay jobs` lists gangs."


def _print_gang(body: dict[str, Any]) -> None:
    click.echo(f"{body['gang']} is {body['phase']}. {body['summary']}")
    for fact in body["facts"]:
        click.echo("\n".join(paper.wrapped(f"  {fact}", 0)))
    if body["phase"] == "pending":
        for change in body.get("would_fit", ()):
            # What is short the summary has told, where nothing at all is there.
            if body["constraint"]["have"] or change["change"] in ("gpus", "within", "sites"):
                click.echo("\n".join(paper.wrapped(f"  {change['text']}", 0)))
        if ahead := body.get("ahead", 0):
            click.echo(
                f"  {paper.count(ahead, 'gang')} of its queue {'comes' if ahead == 1 else 'come'} first."
            )
        when = body.get("expected_start")
        click.echo(
            _start_text(when, body.get("expected"))
            if when
            else "  When it starts cannot be said: what it waits for has no end of its own."
        )


def _start_text(when: str, likely: dict[str, Any] | None) -> str:
    if likely is None or likely["by"] == "limits":
        return f"  It starts by {paper.moment(when)} at the latest, if nothing arrives before it."
    soon, late = paper.moment(likely["p50"]), paper.moment(likely["p90"])
    return f"  It is expected to start by {soon} (P50) or {late} (P90), if nothing arrives before it."


def _print_credit(said: session.Session, body: dict[str, Any]) -> None:
    credited = body["credited"]
    of = f"line {credited['line']} of {body['billed']['invoice']}"
    click.echo(f"{body['note']} credits {paper.charge(credited['amount'])} of {of}: {body['reason']}")
    click.echo()
    _print_line(said, body["billed"])


def _print_line(said: session.Session, body: dict[str, Any]) -> None:
    line = body["line"]
    click.echo(f"{body['invoice']}, line {line['n']}: {paper.charge(line['amount'])}")
    click.echo("\n".join(paper.wrapped(f"  {line['text']}", 0)))
    contract = body["contract"]
    pairs = [
        ("from", paper.moment(line["start"])),
        ("until", paper.moment(line["end"])),
        ("clause", f"{contract['id']} version {line['contract_version']}, {line['clause']}"),
        ("price", f"{paper.charge(line['price_per_gpu_hour'])} a GPU-hour"),
        ("exact", paper.charge(line["exact"])),
        ("energy", f"{line['energy_kwh']} kWh, {_ENERGY[line['energy_source']]}"),
        (
            "recorded",
            f"period closed by record {body['closed_by']}, invoice issued by record {body['issued_by']}",
        ),
    ]
    click.echo(paper.facts([(f"  {name}", value) for name, value in pairs]))
    for fact in body["basis"]:
        click.echo("\n".join(paper.wrapped(f"  {fact}", 0)))
    shares = body["placements"]
    *hours, whole = paper.gpu_hours([*(share["gpu_hours"] for share in shares), body["gpu_hours"]])
    if shares:
        click.echo()
        headers = ("GANG", "START", "USE", "GPUS", "NODES", "FROM", "UNTIL", "GPU-H")
        rows = [_placement(share, told) for share, told in zip(shares, hours, strict=True)]
        click.echo(paper.table(headers, rows, right=" r r   r", color=said.colors()))
    if shares or not body["basis"]:
        click.echo(f"in all {whole} GPU-h")


def _placement(share: dict[str, Any], hours: str) -> list[object]:
    nodes = share["nodes"]
    where = " ".join(nodes[:2]) + (f" +{len(nodes) - 2}" if len(nodes) > 2 else "")
    return [
        share["gang"],
        share["generation"] or "",
        share["use"],
        share["gpus"] or "",
        where,
        paper.moment(share["started"]),
        paper.moment(share["ended"]),
        hours,
    ]
