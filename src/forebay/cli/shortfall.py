"""`forebay shortfall`: who goes short, by how much, until when, under which terms, for how much."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, risks, session

#: How a shortfall is shared out, in words.
SHARED = {
    "pro_rata": "everybody by the same share",
    "signing": "who signed last goes short first",
    "least_damages": "who is owed least for it goes short first",
}


@command.command("shortfall", examples="forebay shortfall\nforebay shortfall --json")
def shortfall_command() -> None:
    """Who goes short, by how many GPUs, until when, for how much.

    An operator and finance see everybody, a tenant itself. Fees are those that cannot be charged for what is missing;
    damages are those of the late-delivery terms, from the end of their grace on and up to their cap.
    """
    said = session.current()
    body = client.connect(said).get("/v1/shortfalls")
    if said.json:
        said.emit("shortfall", body)
    else:
        click.echo(shortfall_text(body, said.colors()))


def shortfall_text(body: dict[str, Any], color: bool) -> str:
    """The table, what it comes to, and by which policy it was shared out."""
    if not body["items"]:
        return "nobody goes short: what is promised will be there" + _policy(body)
    headers = (
        "TRANCHE", "TENANT", "SITE", "SKU", "GPUS", "RACKS", "FROM", "UNTIL", "TERMS", "FEES NOT CHARGED", "DAMAGES",
        "LONGSTOP",
    )  # fmt: skip
    rows = [_row(each) for each in body["items"]]
    told = [paper.table(headers, rows, right="    rr   rr", color=color), ""]
    if any(each["capped"] for each in body["items"]):
        told.append("capped: the damages reached the cap of the terms, and no more falls due")
    told.append(risks.totals_text(body["totals"]))
    return "\n".join(told) + _policy(body)


def _row(risk: dict[str, Any]) -> list[object]:
    racks, rest = divmod(risk["nodes"], risk["nodes_per_rack"])
    terms = "late delivery" if risk["late"] else "none"
    return [
        risk["tranche"], risk["tenant"], risk["site"], risk["sku"], f"{risk['gpus']:,}",
        f"{risk['nodes'] / risk['nodes_per_rack']:,.1f}" if rest else f"{racks:,}", paper.day(risk["start"]),
        paper.day(risk["end"]) or "no end in sight", terms + (", capped" if risk["capped"] else ""),
        paper.money(risk["fees"]), paper.money(risk["damages"]) if risk["late"] else "-",
        paper.day(risk["longstop"]) or "-",
    ]  # fmt: skip


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
