"""`forebay quote` and `forebay hold`: where and from when on a request fits, and keeping an offer for a while."""

from __future__ import annotations

import datetime
import re
from typing import Any

import click

from forebay.cli import client, command, paper, session
from forebay.cli.failure import Failed, Status

EXAMPLES = """
    forebay quote --sku vr-nvl72 --racks 100 --term 3y --not-before 2027-06-01 --price 4.50
    forebay quote --sku vr-nvl72,gb300-nvl72 --gpus 8192 --term 365d --jurisdiction FI
    forebay quote --sku vr-nvl72 --racks 40 --term 5y --for acme --hold acme-offer --keep 14d
"""
#: What stands in the way, in words; `until` follows where it is known.
OBSTACLES = {
    "refusal": "right {id} comes before the sale: hold it, then `forebay rights offer {id} --hold NAME`",
    "hold": "earlier but for hold {id}, which keeps capacity",
    "call": "earlier but for right {id}, which may still call capacity",
    "extension": "earlier but for right {id}, which may extend a term",
    "tranche": "comes free as tranche {id} ends",
    "waits_for": "comes with {id}",
    "provisional": "the dates of {id} are provisional",
}
_YEARS = re.compile(r"([0-9]{1,3})y")


def _listed(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> list[str]:
    """`a,b` and `a` `b` alike."""
    return [part for value in values for part in value.split(",") if part]


@command.command("quote", examples=EXAMPLES)
@click.option("--sku", "skus", multiple=True, required=True, callback=_listed, metavar="SKU[,SKU]",
              help="Kinds of rack that would do.")  # fmt: skip
@click.option("--racks", type=click.IntRange(min=1), help="So many whole racks.")
@click.option("--nodes", type=click.IntRange(min=1), help="Or so many nodes.")
@click.option("--gpus", type=click.IntRange(min=1), help="Or so many GPUs, in whole nodes.")
@click.option("--term", required=True, metavar="TIME", help="For how long: 365d, or 3y (of 365 days each).")
@click.option("--not-before", default="", metavar="DATE", help="The earliest start (UTC); now when left out.")
@click.option("--not-after", default="", metavar="DATE", help="Starts from here on are too late (UTC).")
@click.option("--site", "sites", multiple=True, callback=_listed, metavar="SITE", help="Only there.")
@click.option("--region", "regions", multiple=True, callback=_listed, metavar="NAME", help="Only there.")
@click.option(
    "--jurisdiction",
    "jurisdictions",
    multiple=True,
    callback=_listed,
    metavar="COUNTRY",
    help="Only under this law.",
)
@click.option("--price", default="", metavar="AMOUNT", help="Price of a GPU-hour, to tell the cost.")
@click.option("--currency", default="USD", show_default=True, help="Of the price.")
@click.option(
    "--for", "tenant", default="", metavar="TENANT", help="For whom: its own rights do not stand in the way."
)
@click.option("--hold", default="", metavar="NAME", help="Keep the first offer that can be signed.")
@click.option("--keep", default="14d", show_default=True, metavar="TIME", help="How long it is kept.")
def quote_command(hold: str, tenant: str, keep: str, **wish: Any) -> int:
    """Where and from when on a request fits; hold an offer.

    Each kind of rack at each site once, at the confidence that the promise policy asks for; and once at P50 where
    even odds are earlier: that cannot be held or signed.
    """
    said = session.current()
    if sum(wish[name] is not None for name in ("racks", "nodes", "gpus")) != 1:
        raise Failed("say one of --racks, --nodes and --gpus", Status.USAGE, code="usage")
    if hold and not tenant:
        raise Failed("--hold keeps it for somebody: say --for TENANT", Status.USAGE, code="usage")
    found = client.connect(said)
    posted = {
        "skus": wish["skus"], "term": term_text(wish["term"]), "not_before": wish["not_before"],
        "not_after": wish["not_after"], "sites": wish["sites"], "regions": wish["regions"],
        "jurisdictions": wish["jurisdictions"], "tenant": tenant, "price_per_gpu_hour": wish["price"],
        "currency": wish["currency"],
    }  # fmt: skip
    posted |= {name: wish[name] for name in ("racks", "nodes", "gpus") if wish[name] is not None}
    body = found.post("/v1/quotes", posted)
    kept = None
    if hold and body["items"]:
        kept = _keep(found, body, hold, tenant, keep, wish["price"], wish["currency"])
    if said.json:
        said.emit("quote", body | ({"hold": kept} if kept else {}))
    else:
        click.echo(quote_text(body, posted, said.colors()))
        if kept:
            click.echo(
                f"\nheld as {hold} until {paper.day(kept['expires'])}: the first offer that can be signed"
            )
            said.say(
                f"`forebay sign FILE --hold {hold}` uses it up, `forebay hold release {hold}` gives it back"
            )
    return Status.OK if body["items"] else Status.INFEASIBLE


def term_text(text: str) -> str:
    """A length of time as documents spell it; years have 365 days."""
    years = _YEARS.fullmatch(text)
    return f"{int(years[1]) * 365}d" if years else text


def _keep(
    found: client.Client, body: dict[str, Any], name: str, tenant: str, keep: str, price: str, currency: str
) -> dict[str, Any]:
    first = next((each for each in body["items"] if each["signable"]), None)
    if first is None:
        sure = body["policy"]["confidence"].upper()
        raise Failed(
            f"no offer can be held: none is as sure as the promise policy asks for ({sure})",
            Status.INFEASIBLE,
            code="oversold",
        )
    hold = {
        "id": name, "tenant": tenant, "site": first["site"], "sku": first["sku"], "nodes": first["nodes"],
        "start": first["start"], "end": first["end"], "expires": _later(body["now"], keep),
        "price_per_gpu_hour": price or "0", "currency": currency,
    }  # fmt: skip
    found.post("/v1/holds", hold)
    return hold


def _later(now: str, length: str) -> str:
    from forebay.feeds import quantities

    try:
        length_s = quantities.seconds(term_text(length))
        moved = datetime.datetime.fromisoformat(now) + datetime.timedelta(seconds=length_s)
    except (quantities.Malformed, OverflowError) as error:
        raise Failed(f"--keep: {error}", Status.USAGE, code="usage") from None
    return moved.isoformat().replace("+00:00", "Z")


def quote_text(body: dict[str, Any], posted: dict[str, Any], color: bool) -> str:
    """Offers for people, with what stands in the way of each."""
    amount = next(paper.count(posted[unit], noun) for unit, noun in UNITS if posted.get(unit))
    wish = f"{amount} of {' or '.join(posted['skus'])} for {paper.span(body['term_s'])}"
    since = f"not before {paper.day(body['not_before'])}"
    sure = body["policy"]["confidence"].upper()
    if not body["items"]:
        return f"{wish}, {since}: nothing fits, at P50 or {sure}, before the end of all dates"
    offers = f"{paper.count(len(body['items']), 'offer')} under promise policy {body['policy']['version']}"
    told = [f"{wish}, {since}: {offers}", ""]
    rows = []
    for number, each in enumerate(body["items"], 1):
        much = paper.extent(each["nodes"], each["gpus"], each["nodes_per_rack"])
        if each["superchips"]:
            much += f" = {paper.count(each['superchips'], 'superchip')}"
        cost = paper.money(each["cost"])
        rows.append(
            (number, each["site"], each["sku"], paper.day(each["start"]), paper.day(each["end"]),
             each["confidence"].upper(), "yes" if each["signable"] else "no", much, cost)
        )  # fmt: skip
    headers = ("#", "SITE", "SKU", "START", "END", "SURE", "SIGNABLE", "CAPACITY", "COST")
    told += [paper.table(headers, rows, right="r       r", color=color), ""]
    for number, each in enumerate(body["items"], 1):
        for obstacle in each["obstacles"]:
            told += paper.wrapped(f"  {number}: {obstacle_text(obstacle)}", 0)
    if len({(each["site"], each["sku"]) for each in body["items"]}) > 1:
        told.append(_nominee(body))
    if any(not each["signable"] for each in body["items"]):
        told.append(f"not signable: promise policy {body['policy']['version']} asks for {sure}")
    return "\n".join(told).rstrip()


def _nominee(body: dict[str, Any]) -> str:
    since, chosen = paper.day(body["not_before"]), body["nominee"]
    if chosen is None:
        return f"a tranche with this choice from {since} on could not be signed"
    return f"a tranche with this choice from {since} on would be of {chosen['sku']} at {chosen['site']}"


UNITS = (("racks", "rack"), ("nodes", "node"), ("gpus", "GPU"))


def obstacle_text(obstacle: dict[str, Any]) -> str:
    """What stands in the way, in words."""
    kind = obstacle["kind"]
    name = obstacle["id"]
    if kind == "waits_for":
        block, _, milestone = name.partition("/")
        return f"comes with block {block}, which waits for {milestone} ({paper.day(obstacle['until'])})"
    told = OBSTACLES[kind].format(id=name)
    if kind == "tranche":
        return f"{told} ({paper.day(obstacle['until'])})"
    return told + (f" (until {paper.day(obstacle['until'])})" if obstacle["until"] else "")


# Holds


@command.group(
    "hold", examples="forebay hold list\nforebay hold release acme-offer", invoke_without_command=True
)
@click.pass_context
def hold_group(context: click.Context) -> None:
    """List what is held for customers; release it.

    `forebay quote --hold` holds an offer.
    """
    if context.invoked_subcommand is None:
        context.invoke(_list_held)


@hold_group.command("list", examples="forebay hold list\nforebay hold list --json")
def _list_held() -> None:
    """List what is held, for whom, and until when."""
    said = session.current()
    items = client.connect(said).pages("/v1/holds")
    if said.json:
        said.emit("hold.list", {"items": items})
        return
    if not items:
        said.say("nothing is held")
        return
    rows = [
        (
            each["id"], each["tenant"], each["site"], each["sku"],
            paper.extent(each["nodes"], each["gpus"], each["nodes_per_rack"]), paper.day(each["start"]),
            paper.day(each["end"]), _price_text(each), paper.moment(each["expires"]), each["offered_to"],
        )
        for each in items
    ]  # fmt: skip
    headers = (
        "HOLD",
        "FOR",
        "SITE",
        "SKU",
        "CAPACITY",
        "START",
        "END",
        "A GPU-HOUR",
        "KEPT UNTIL",
        "ON OFFER TO",
    )
    click.echo(paper.table(headers, rows, color=said.colors()))


def _price_text(hold: dict[str, Any]) -> str:
    price = {"amount": hold["price_per_gpu_hour"], "currency": hold["currency"]}
    return paper.charge(price) if hold["currency"] else ""


@hold_group.command("release", examples="forebay hold release acme-offer")
@click.argument("name")
def _release_held(name: str) -> None:
    """Keep it no longer."""
    said = session.current()
    body = client.connect(said).post(f"/v1/holds/{client.escaped(name)}/release", {})
    if said.json:
        said.emit("hold.release", body)
    else:
        said.say(f"{name} is held no longer")
