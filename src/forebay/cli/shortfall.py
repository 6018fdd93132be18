"""`forebay shortfall`: who goes short, by how much, until when, under which terms, for how much."""

from __future__ import annotations

import re
from typing import Any

import click

from forebay.cli import client, command, deliveries, paper, risks, session
from forebay.cli.failure import Failed, Status

_SHARE = re.compile(r"([^=@]+)=([0-9]{1,9})(?:@(.+)\.\.(.+))?")

#: How a shortfall is shared out, in words.
SHARED = {
    "pro_rata": "everybody by the same share",
    "signing": "who signed last goes short first",
    "least_damages": "who is owed least for it goes short first",
    "none": "no rule for who goes short",
}


EXAMPLES = """
    forebay shortfall
    forebay shortfall allocate fjord nvl72 acme-fjord=6 birch-fjord=2 --racks --reason "agreed with both"
"""


@command.group("shortfall", examples=EXAMPLES, invoke_without_command=True)
@click.pass_context
def shortfall_group(context: click.Context) -> None:
    """Who goes short, by how many GPUs, for how much; share it out by hand.

    An operator and finance see everybody, a tenant itself. Fees are those that cannot be charged for what is missing;
    damages are those of the late-delivery terms, from the end of their grace on and up to their cap; where the terms
    take a discount off later fees instead, it stands in their place, marked "off".
    """
    if context.invoked_subcommand is None:
        context.invoke(_list_shortfalls)


@shortfall_group.command("list", examples="forebay shortfall list\nforebay shortfall list --json")
def _list_shortfalls() -> None:
    """List who goes short."""
    said = session.current()
    body = client.connect(said).get("/v1/shortfalls")
    if said.json:
        said.emit("shortfall", body)
    else:
        click.echo(shortfall_text(body, said.colors()))


ALLOCATE_EXAMPLES = """
    forebay shortfall allocate fjord nvl72 acme-fjord=6 birch-fjord=2 --racks --reason "agreed with both" --dry-run
    forebay shortfall allocate fjord nvl72 acme-fjord=108@2027-07-01..2027-08-01 --reason "birch later"
"""


@shortfall_group.command("allocate", examples=ALLOCATE_EXAMPLES)
@click.argument("site")
@click.argument("sku")
@click.argument("shares", nargs=-1, metavar="TRANCHE=N[@FROM..UNTIL]...")
@click.option(
    "--reason", default="", metavar="TEXT", help="Why it is not left to the policy; it is recorded."
)
@click.option("--racks", is_flag=True, help="N counts racks; nodes when left out.")
@click.option("-n", "--dry-run", is_flag=True, help="Decide on a copy; record nothing.")
def _allocate(site: str, sku: str, shares: tuple[str, ...], reason: str, racks: bool, dry_run: bool) -> None:
    """Share out by hand what a stock is short of, from now on.

    Each tranche goes short of N nodes: without dates for as long as there is something to share and its term runs.
    Everything has to be shared out, and no more. It stands until there is more or less to share; then the promise
    policy shares it out again. Operators only.
    """
    said = session.current()
    found = client.connect(said)
    posted = {
        "shares": [_share(each, "racks" if racks else "nodes") for each in shares],
        "reason": reason,
        "dry_run": dry_run,
    }
    try:
        body = found.post(f"/v1/shortfalls/{client.escaped(site)}/{client.escaped(sku)}", posted)
    except Failed as failure:
        if failure.code == "bad_allocation":
            failure.hint = _what_there_is(found, site, sku)
        raise
    if said.json:
        said.emit("shortfall.allocate", body)
    else:
        click.echo(allocation_text(body, said.colors()))


def _share(text: str, unit: str) -> dict[str, Any]:
    """`acme-fjord=8@2027-07-01..2027-08-01` as it is posted."""
    told = _SHARE.fullmatch(text)
    if told is None:
        raise Failed(
            f"{text!r} does not say who goes short of how many: TRANCHE=N or TRANCHE=N@FROM..UNTIL is meant",
            Status.USAGE,
            code="usage",
        )
    tranche, count, start, end = told.groups("")
    return {"tranche": tranche, unit: int(count), "start": start, "end": end}


def _what_there_is(found: client.Client, site: str, sku: str) -> str:
    """What there is to share out, for who got it wrong."""
    stocks = found.get("/v1/shortfalls")["stocks"]
    here = [each for each in stocks if (each["site"], each["sku"]) == (site, sku)]
    return "\n  ".join(map(_shareable, here)) or f"Nothing of {sku} at {site} is to be shared out."


def _shareable(stock: dict[str, Any]) -> str:
    parts = []
    for part in stock["parts"]:
        until = f"until {paper.day(part['end'])}" if part["end"] else "with no end in sight"
        racks = f"{part['nodes'] / stock['nodes_per_rack']:,.3g}"
        much = f"{paper.count(part['nodes'], 'node')} ({racks} racks, {paper.count(part['gpus'], 'GPU')})"
        parts.append(f"{much} from {paper.day(part['start'])} {until}")
    return f"To be shared out, {stock['sku']} at {stock['site']}: {'; '.join(parts)}."


def allocation_text(body: dict[str, Any], color: bool) -> str:
    """What was shared out, and whom that makes short in another way."""
    what = f"{body['sku']} at {body['site']}"
    if not body["changed"]:
        return f"{what}: shared out so already, for this reason; nothing changes"
    tried = "; a dry run, nothing is recorded" if body["dry_run"] else ""
    told = [f"{what}: shared out by hand ({body['reason']}){tried}", ""]
    told += [risks.changes_text(body["risks"], color, body["dry_run"]), "", risks.totals_text(body["totals"])]
    return "\n".join(told)


def shortfall_text(body: dict[str, Any], color: bool) -> str:
    """The table, what it comes to, and by which policy it was shared out."""
    if not body["items"]:
        lines = _unallocated(body) or ["nobody goes short: what is promised will be there"]
        return "\n".join(lines) + _policy(body)
    headers: tuple[str, ...] = (
        "TRANCHE", "TENANT", "SITE", "SKU", "GPUS", "RACKS", "FROM", "UNTIL", "TERMS", "FEES NOT CHARGED",
        risks.remedy_header(body["items"]), "LONGSTOP",
    )  # fmt: skip
    rows = [_row(each) for each in body["items"]]
    if any(each["decided_by"]["clauses"] for each in body["items"]):
        # Where all contracts are silent, what is said of the policy below says it.
        headers, rows = (*headers, "SHARED OUT BY"), _decided(body, rows)
    told = [paper.table(headers, rows, right="    rr   rr", color=color), ""]
    if any(each["capped"] for each in body["items"]):
        told.append("capped: the cap of the terms is reached, and no more falls due")
    for each in body["items"]:
        told += deliveries.moved_lines(each)
    told.append(risks.totals_text(body["totals"]))
    told += [
        f"{stock['sku']} at {stock['site']} is shared out by hand: {stock['by_hand']}"
        for stock in body.get("stocks", ())
        if stock["by_hand"] is not None
    ]
    return "\n".join([*told, *_unallocated(body)]) + _policy(body)


def _unallocated(body: dict[str, Any]) -> list[str]:
    """What nobody is said to go short of, a line each."""
    told = []
    for stock in body.get("stocks", ()):
        for part in stock["unallocated"]:
            until = f"until {paper.day(part['end'])}" if part["end"] else "with no end in sight"
            much = paper.extent(part["nodes"], part["gpus"], stock["nodes_per_rack"])
            told.append(
                f"{stock['sku']} at {stock['site']}: {much} are missing from {paper.day(part['start'])} {until}, and "
                f"nothing says who goes short of them; share them out by hand, or apply a policy that does"
            )
    return told


def _row(risk: dict[str, Any]) -> list[object]:
    racks, rest = divmod(risk["nodes"], risk["nodes_per_rack"])
    terms = "late delivery" if risk["late"] else "none"
    terms += ", until accepted" if risk["until_accepted"] else ""
    return [
        risk["tranche"], risk["tenant"], risk["site"], risk["sku"], f"{risk['gpus']:,}",
        f"{risk['nodes'] / risk['nodes_per_rack']:,.1f}" if rest else f"{racks:,}", paper.day(risk["start"]),
        paper.day(risk["end"]) or "no end in sight", terms + (", capped" if risk["capped"] else ""),
        paper.money(risk["fees"]), paper.money(risk[risks.remedy(risk)]) if risk["late"] else "-",
        paper.day(risk["longstop"]) or "-",
    ]  # fmt: skip


def _decided(body: dict[str, Any], rows: list[list[object]]) -> list[list[object]]:
    """Rows with what decided that somebody goes short: clauses, an operator, or else the policy."""
    by_hand = {(each["site"], each["sku"]) for each in body.get("stocks", ()) if each["by_hand"] is not None}
    return [
        [*row, _decided_by(risk, (risk["site"], risk["sku"]) in by_hand)]
        for row, risk in zip(rows, body["items"], strict=True)
    ]


def _decided_by(risk: dict[str, Any], by_hand: bool) -> str:
    found = risk["decided_by"]
    told = [
        f"{each['contract']}: {each['clause']}" if each["contract"] else "another's contract"
        for each in found["clauses"]
    ]
    told += ["by hand"] if by_hand else ["policy"] if found["policy"] else []
    return "; ".join(dict.fromkeys(told)) or "it alone"


def _policy(body: dict[str, Any]) -> str:
    policy = body.get("policy")
    if policy is None:
        return ""
    protected = policy["protected"]
    last = f", {', '.join(protected)} last" if protected else ""
    return (
        f"\npromise policy {policy['version']}: supply at {policy['confidence'].upper()}; "
        f"{SHARED[policy['shorting']]}{last}"
    )
