"""`forebay rights`: what one side of a contract may still ask for, and using it."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, deliveries, paper, session

EXAMPLES = """
    forebay rights
    forebay rights offer big-lab-refusal --hold acme-offer
    forebay rights offered lake-first --racks 10 --start 2029-01-01 --end 2032-01-01 --price 2.10
    forebay rights exercise big-lab-call --racks 100 --start 2029-01-01
    forebay rights waive big-lab-refusal
"""


@command.group("rights", examples=EXAMPLES, invoke_without_command=True)
@click.pass_context
def rights_group(context: click.Context) -> None:
    """What may still be asked for; offer, be offered, exercise, waive.

    Operators and finance see every right, a tenant those of its own contracts, which it may exercise and waive itself
    unless they are its seller's.
    """
    if context.invoked_subcommand is None:
        context.invoke(_list_rights)


@rights_group.command("list", examples="forebay rights list\nforebay rights list --json")
def _list_rights() -> None:
    """List rights: where they stand, their window, what is left of them, and the next deadline."""
    said = session.current()
    items = client.connect(said).pages("/v1/rights")
    if said.json:
        said.emit("rights.list", {"items": items})
    elif items:
        click.echo(rights_text(items, said.colors()))
    else:
        said.say("no contract grants a right")


def rights_text(items: list[dict[str, Any]], color: bool) -> str:
    """The table, then what is on offer."""
    sided = any("ours" in each for each in items)
    rows = [
        (
            each["id"], each["kind"], f"{each['tenant']} ({each['holder']})", *([_side(each)] if sided else []),
            _about(each), each["life"], _window(each), _notice(each), _left(each), _deadline(each),
        )
        for each in items
    ]  # fmt: skip
    headers = (
        "RIGHT", "KIND", "CUSTOMER (HELD BY)", *(["FOR US"] if sided else []), "ABOUT", "LIFE", "WINDOW", "NOTICE",
        "LEFT", "NEXT DEADLINE",
    )  # fmt: skip
    told = [paper.table(headers, rows, color=color)]
    told += [_on_offer(each) for each in items if each["offer"]]
    told += [f"\n{line}" for each in items for line in _passed(each)]
    told += ["", *changes] if (changes := [line for each in items for line in _changes(each)]) else []
    told += [f"\n{line}" for each in items for line in deliveries.moved_lines(each)]
    told += ["", *over] if (over := [line for each in items for line in _overdrawn(each)]) else []
    return "\n".join(told)


def _side(right: dict[str, Any]) -> str:
    return "ours to use" if right["ours"] else "against us"


def _about(right: dict[str, Any]) -> str:
    if right["tranche"]:
        return f"tranche {right['tranche']}"
    return (
        " ".join(part for part in (right["sku"], f"at {right['site']}" if right["site"] else "") if part)
        or "any sale"
    )


def _window(right: dict[str, Any]) -> str:
    if right["kind"] == "termination" and not right["opens"]:
        return "once late beyond the longstop"
    opens, expires = paper.day(right["opens"]), paper.day(right["expires"])
    return f"{opens or 'now'} to {expires or 'the end of the contract'}"


def _notice(right: dict[str, Any]) -> str:
    counted = right["notice"]
    if not counted:
        return paper.span(right["notice_s"]) if right["notice_s"] else "-"
    what = paper.count(counted["days"], "business day" if counted["business"] else "day")
    return f"{what} of {counted['calendar']}"


def _deadline(right: dict[str, Any]) -> str:
    """With the calendar by which it was counted: it is a time of day then, and not the end of one."""
    if right["deadline"] and right["notice"] and (right["offer"] or right["kind"] == "extension"):
        return f"{paper.moment(right['deadline'])} ({right['notice']['calendar']})"
    return paper.day(right["deadline"]) or "-"


def _left(right: dict[str, Any]) -> str:
    parts = []
    if right["racks_left"] is not None:
        parts.append(paper.count(right["racks_left"], "rack"))
    if right["unsold"] == "not_sold":
        parts.append("also what is held or callable")
    if right["cap_left"]:
        parts.append(f"{paper.money(right['cap_left'])} of {right['cap']}")
    return ", ".join(parts) or "-"


def _overdrawn(right: dict[str, Any]) -> list[str]:
    told = []
    for part in right.get("overdrawn", ()):
        until = f"to {paper.day(part['end'])}" if part["end"] else "on"
        told.append(
            f"{right['id']} is overdrawn by {part['gpus']:,} GPUs ({paper.count(part['nodes'], 'node')}) from "
            f"{paper.day(part['start'])} {until}"
        )
    return told


def _changes(right: dict[str, Any]) -> list[str]:
    """What amendments that are signed change in it later."""
    told = []
    for terms in right.get("to_come", ()):
        price, racks = terms["price_per_gpu_hour"], terms["racks_max"]
        days = terms["notice_days"]
        parts = [
            paper.count(racks, "rack") if racks else "",
            "also what is held or callable" if terms["unsold"] == "not_sold" else "",
            f"{paper.count(days, 'day')} of notice" if days else "",
            f"{paper.span(terms['notice_s'])} of notice" if terms["notice_s"] else "",
            f"for {paper.span(terms['term_s'])}" if terms["term_s"] else "",
            f"{paper.charge(price)} a GPU-hour" if price else "",
            f"until {paper.day(terms['expires'])}" if terms["expires"] else "",
        ]
        what = ", ".join(part for part in parts if part)
        told.append(f"{right['id']} from {paper.day(terms['since'])} on: {what}")
    if right.get("withdrawn") and right["life"] in ("dormant", "offered"):
        told.append(f"{right['id']} is withdrawn from {paper.day(right['withdrawn'])} on")
    return told


def _on_offer(right: dict[str, Any]) -> str:
    sale = right["offer"]
    hold = f" (hold {sale['hold']})" if "hold" in sale else ""
    until = paper.moment(right["deadline"])
    return f"\non offer to {right['tenant']} by {right['id']} until {until}: {sale_text(sale)}{hold}"


def sale_text(sale: dict[str, Any]) -> str:
    """What is sold, when, and at which price."""
    much = f"{sale['gpus']:,} GPUs ({paper.count(sale['nodes'], 'node')}) of {sale['sku']} at {sale['site']}"
    term = f"{paper.day(sale['start'])} to {paper.day(sale['end'])}"
    return f"{much}, {term}, {paper.charge(sale['price_per_gpu_hour'])} a GPU-hour"


def _passed(right: dict[str, Any]) -> list[str]:
    """What we let pass as the customer."""
    told = []
    for sale in right.get("let_pass", ()):
        again = f"; told of again {paper.moment(sale['again'])}" if sale["again"] else ""
        told.append(
            f"let pass by {right['id']}: {sale_text(sale)}, or more, may be sold until "
            f"{paper.moment(sale['until'])}{again}"
        )
    return told


OFFERED_EXAMPLES = """
    forebay rights offered lake-first --racks 10 --start 2029-01-01 --end 2032-01-01 --price 2.10
    forebay rights offered lake-first --racks 10 --start 2029-01-01 --end 2032-01-01 --price 2.10 --anew
"""


@rights_group.command("offered", examples=OFFERED_EXAMPLES)
@click.argument("right")
@click.option("--racks", type=click.IntRange(min=1), help="How many racks are offered.")
@click.option("--nodes", type=click.IntRange(min=1), help="How many nodes, in the place of racks.")
@click.option("--start", required=True, metavar="DATE", help="From when on it would be sold.")
@click.option("--end", required=True, metavar="DATE", help="Until when.")
@click.option("--price", required=True, metavar="PRICE", help="What a GPU-hour would cost.")
@click.option("--site", default="", metavar="SITE", help="Where; the site of the right when left out.")
@click.option("--sku", default="", metavar="SKU", help="Of what; the SKU of the right when left out.")
@click.option(
    "--received", default="", metavar="DATE", help="When the notice was received; now when left out."
)
@click.option("--anew", is_flag=True, help="It is another sale than one that we let pass, the notice says.")
def _offered(right: str, racks: int | None, nodes: int | None, price: str, **rest: Any) -> None:
    """Record what our seller offers us before it sells it to somebody else.

    Its clock runs from when the notice was received: use the right, or waive it, before it ends. An offer on no
    better terms than one that we let pass is recorded as covered, and starts no clock.
    """
    said = session.current()
    received = rest.pop("received")
    posted = {
        "racks": racks or 0, "nodes": nodes or 0, "price_per_gpu_hour": price, "received_at": received, **rest
    }  # fmt: skip
    body = client.connect(said).post(f"/v1/rights/{client.escaped(right)}/offered", posted)
    if said.json:
        said.emit("rights.offered", body)
    elif body["offer"] == "covered":
        click.echo(f"{right}: we let this sale pass, and it may be sold until {paper.moment(body['until'])}")
    else:
        click.echo(f"{right}: to be answered before {paper.moment(body['until'])}")
    _say_zone(said, body)


@rights_group.command("offer", examples="forebay rights offer big-lab-refusal --hold acme-offer")
@click.argument("right")
@click.option("--hold", required=True, metavar="NAME", help="The hold for somebody else that is offered.")
def _offer_held(right: str, hold: str) -> None:
    """Offer a sale that is held for somebody else to the holder of a refusal.

    The offer says what is sold, when and for how much, and not to whom.
    """
    said = session.current()
    body = client.connect(said).post(f"/v1/rights/{client.escaped(right)}/offer", {"hold": hold})
    if said.json:
        said.emit("rights.offer", body)
    else:
        click.echo(f"{hold} is on offer by {right} until {paper.moment(body['deadline'])}")


@rights_group.command(
    "exercise", examples="forebay rights exercise big-lab-call --racks 100 --start 2029-01-01"
)
@click.argument("right")
@click.option("--racks", type=click.IntRange(min=1), help="How many racks; where the right does not say it.")
@click.option(
    "--start", default="", metavar="DATE", help="From when on; as soon as the notice allows when left out."
)
@click.option(
    "--tranche", default="", metavar="NAME", help="What the new tranche is called; RIGHT-1 when left out."
)
@click.option(
    "--received",
    default="",
    metavar="DATE",
    help="When the notice was received; now when left out.",
)
def _exercise(right: str, racks: int | None, start: str, tranche: str, received: str) -> None:
    """Use a right: it makes a tranche, or ends one that is too late.

    A date without a zone is meant in that of the contract, or of the site where that names none.
    """
    said = session.current()
    posted = {"racks": racks or 0, "start": start, "tranche": tranche, "received_at": received}
    body = client.connect(said).post(f"/v1/rights/{client.escaped(right)}/exercise", posted)
    if said.json:
        said.emit("rights.exercise", body)
    elif body["ended"]:
        click.echo(f"{right} is exercised: tranche {', '.join(body['ended'])} is ended")
    else:
        click.echo(
            f"{right} is exercised: tranche {body['tranche']}, {paper.money(body['drawn'])} over its term"
        )
    _say_zone(said, body)


@rights_group.command("waive", examples="forebay rights waive big-lab-refusal")
@click.argument("right")
@click.option(
    "--received",
    default="",
    metavar="DATE",
    help="When the notice was received; now when left out.",
)
def _waive(right: str, received: str) -> None:
    """Let an offer pass; without an open offer, give the right up.

    A date without a zone is meant in that of the contract, or of the site where that names none.
    """
    said = session.current()
    body = client.connect(said).post(f"/v1/rights/{client.escaped(right)}/waive", {"received_at": received})
    if said.json:
        said.emit("rights.waive", body)
    elif body["until"]:
        click.echo(
            f"{right}: the offer was let pass; its sale may be signed until {paper.moment(body['until'])}"
        )
    else:
        click.echo(f"{right} is given up")
    _say_zone(said, body)


def _say_zone(said: session.Session, body: dict[str, Any]) -> None:
    for line in [] if said.json else paper.zone_lines(body):
        click.echo(line)
