"""`forebay entitlements`, `forebay overlays`: what both sides of a contract know, and what we keep to ourselves."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, rights, risks, session
from forebay.cli.suppliers import share_text

EXAMPLES = """
    forebay entitlements big-lab-1
    forebay entitlements big-lab-1 --json > ours.json      to lay beside theirs
"""


@command.command("entitlements", examples=EXAMPLES)
@click.argument("contract")
def entitlements_command(contract: str) -> None:
    """Who is entitled to what under a contract: the same in both parties' Worlds.

    It follows from the contract, the dates that were notified, the deliveries that were delivered, the rights that
    were used, and the time; nothing counts that only one side knows.
    """
    said = session.current()
    body = client.connect(said).get(f"/v1/contracts/{client.escaped(contract)}/entitlements")
    if said.json:
        said.emit("entitlements", body)
    else:
        click.echo(entitlements_text(body, said.colors()))


def entitlements_text(body: dict[str, Any], color: bool) -> str:
    """Deliveries, lateness, rights and caps, one table each."""
    title = f"{body['contract']}, version {body['version']}: {body['seller']} to {body['tenant']}"
    told = [f"{title}, as of {paper.moment(body['at'])}"]
    rows: list[list[object]] = [
        [
            f"{each['tranche']}/{each['delivery']}", each["site"], each["sku"], f"{each['gpus']:,}",
            _from(each), paper.day(each["end"]),
            f"{each['state']} {paper.day(each['comes']) or 'never'}",
        ]
        for each in body["deliveries"]
    ]  # fmt: skip
    if rows:
        told += [
            "",
            paper.table(
                ("DELIVERY", "SITE", "SKU", "GPUS", "ENTITLED FROM", "UNTIL", "STATE"),
                rows,
                right="   r",
                color=color,
            ),
        ]
    rows = [
        [
            each["tranche"], paper.money(each["fees"]), paper.money(each[risks.remedy(each)]) + _capped(each),
            paper.day(each["longstop"]) or "-",
        ]
        for each in body["late"]
    ]  # fmt: skip
    if rows:
        told += [
            "",
            paper.table(
                ("LATE", "FEES NOT CHARGED", risks.remedy_header(body["late"]), "LONGSTOP"),
                rows,
                right=" rr",
                color=color,
            ),
        ]
    rows = [
        [
            each["right"], each["kind"], each["holder"], each["life"], f"{each['racks']:,}",
            _until(each),
        ]
        for each in body["rights"]
    ]  # fmt: skip
    if rows:
        told += [
            "",
            paper.table(
                ("RIGHT", "KIND", "HELD BY", "LIFE", "RACKS TAKEN", "UNTIL"), rows, right="    r", color=color
            ),
        ]
    told += [
        f"\non offer by {each['right']}: {rights.sale_text(each['offer'])}"
        for each in body["rights"]
        if each["offer"]
    ]
    told += [""] if body["caps"] else []
    told += [
        f"cap {each['cap']}: {paper.money(each['drawn'])} of {paper.money(each['amount'])} drawn"
        for each in body["caps"]
    ]
    return "\n".join(told)


def _until(right: dict[str, Any]) -> str:
    """The day; of an offer that is open the instant."""
    return paper.moment(right["deadline"]) if right["offer"] else paper.day(right["deadline"]) or "-"


def _from(entitled: dict[str, Any]) -> str:
    committed, moved_to = paper.day(entitled["committed"]), paper.day(entitled["moved_to"])
    return committed if committed == moved_to else f"{committed}, moved to {moved_to}"


def _capped(late: dict[str, Any]) -> str:
    return ", capped" if late["capped"] else ""


@command.command("overlays", examples="forebay overlays\nforebay overlays --json")
def overlays_command() -> None:
    """What we alone know of our contracts: floors, priorities, milestones behind dates.

    For operators and finance; no tenant sees any of it. Documents of the kind Overlay say it.
    """
    said = session.current()
    items = client.connect(said).pages("/v1/overlays")
    if said.json:
        said.emit("overlays", {"items": items})
    elif items:
        click.echo("\n\n".join(_overlay_text(each) for each in items))
    else:
        said.say("there is no overlay")


def _overlay_text(overlay: dict[str, Any]) -> str:
    signed = "" if overlay["signed"] else ", which is not signed"
    pairs: list[tuple[str, object]] = [
        ("floor", f"{overlay['floor_price']} a GPU-hour" if overlay["floor_price"] else "none"),
        ("margin", share_text(overlay["margin_ppm"]) if overlay["margin_ppm"] else "not said"),
        ("priority", f"{overlay['priority']}; the lowest goes short first"),
        ("confidence", (overlay["confidence"] or "that of the promise policy").upper()
         if overlay["confidence"] else "that of the promise policy"),
    ]  # fmt: skip
    for each in overlay["behind"]:
        left = each["days_left"]
        slack = "no date" if left is None else f"{left} days left" if left >= 0 else f"{-left} days late"
        pairs.append(
            (
                f"{each['tranche']}/{each['delivery']}",
                f"waits for {each['milestone']} at {each['site']}: {slack}",
            )
        )
    pairs += [("notes", overlay["notes"])] if overlay["notes"] else []
    title = f"overlay of {overlay['party']} on {overlay['contract']}{signed}, version {overlay['version']}"
    return f"{title}\n{paper.facts(pairs)}"
