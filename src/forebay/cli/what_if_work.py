"""`forebay what-if submit` and `what-if fail`: what would come of work, or of a failure."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import apply, client, command, paper, session

FAULTS = ("node", "rack", "switch", "loop", "feed", "hall", "site")
horizon = click.option(
    "--days", default=7, show_default=True, type=click.IntRange(1, 366), help="How far to look ahead."
)


@command.command("submit", examples="forebay what-if submit gangs/train.yaml")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@horizon
def try_submit(files: tuple[str, ...], days: int) -> None:
    """What if these gangs were submitted?

    When and where each would start, who would make room for it or start later, and what an hour costs. Every gang
    that runs counts with its whole limit of time. A tenant reads what becomes of its own gangs.
    """
    said = session.current()
    found = client.connect(said)
    documents = [document for path in files for document in apply.read(path)]
    posted = {"documents": apply.sendable(found, documents), "horizon_s": days * 86_400}
    _tell(said, found.post("/v1/what-if/submit", posted), days)


@command.command("fail", examples="forebay what-if fail rack r01")
@click.argument("kind", type=click.Choice(FAULTS))
@click.argument("name")
@horizon
def try_fail(kind: str, name: str, days: int) -> None:
    """What if a part of the plant failed, now and for good?

    Which gangs stop, when they would start again, and which claims would have less than they are entitled to.
    """
    said = session.current()
    posted = {"kind": kind, "name": name, "horizon_s": days * 86_400}
    _tell(said, client.connect(said).post("/v1/what-if/fail", posted), days)


@command.command(
    "curtail", examples='forebay what-if curtail utility --to "800 kW" --start 2026-12-01T16:00Z'
)
@click.argument("feed")
@click.option("--loop", is_flag=True, help="It is a cooling loop: its liquid.")
@click.option("--to", default="", metavar="POWER", help="So much at the most.")
@click.option("--less", default="", metavar="POWER", help="So much less than its limit.")
@click.option("--start", default="", metavar="TIME", help="From when on; now when left out.")
@click.option("--end", default="", metavar="TIME", help="Until when; until it is lifted when left out.")
@click.option(
    "--respond-within", default="5m", show_default=True, metavar="TIME", help="How long shedding may take."
)
def try_curtail(feed: str, loop: bool, **fields: str) -> None:
    """What if a feed or a cooling loop had to carry less for a while?

    Which gangs would be shed and when, what each does again, and by when they would start again.
    """
    said = session.current()
    posted = {"loop" if loop else "feed": feed, **{name: value for name, value in fields.items() if value}}
    _tell(said, client.connect(said).post("/v1/what-if/curtail", posted), 7)


def _tell(said: session.Session, body: dict[str, Any], days: int) -> None:
    if said.json:
        said.emit("what-if.work", body)
    else:
        click.echo(tried_text(body, days, said.colors()))


def tried_text(body: dict[str, Any], days: int, color: bool) -> str:
    """What would come of it, for people."""
    never = f"not within {paper.count(days, 'day')}"
    told = [f"what if: {body['what']} (nothing is recorded)"]
    for gang in body["gangs"]:
        cost = f", at {gang['price_per_hour']} an hour" if gang["price_per_hour"] else ""
        gpus = paper.count(gang["gpus"], "GPU")
        if gang["starts"] is None:
            told += ["", f"{gang['gang']} ({gpus}{cost}) would not start: {never}."]
        else:
            when = "at once" if gang["starts"] == body["at"] else f"by {paper.moment(gang['starts'])}"
            nodes = gang["nodes"]
            where = f"{', '.join(nodes[:4])}{f' and {len(nodes) - 4} more' if len(nodes) > 4 else ''}"
            told += ["", f"{gang['gang']} ({gpus}{cost}) would start {when}, at {gang['site']} on {where}."]
        if gang["summary"]:
            told += paper.wrapped(f"  {gang['summary']}", 0)
    if body["stopped"]:
        rows = [
            (each["gang"], each["gpus"], paper.moment(each["stops"]), each["reason"],
             f"{each['lost_gpu_s'] / 3600:,.1f}", paper.moment(each["starts"]) or never)
            for each in body["stopped"]
        ]  # fmt: skip
        told += [
            "",
            paper.table(
                ("STOPS", "GPUS", "AT", "REASON", "GPU-H LOST", "AGAIN BY"), rows, right=" r  r", color=color
            ),
        ]
    if body["delayed"]:
        later = [
            (
                each["gang"],
                each["gpus"],
                paper.moment(each["otherwise"]),
                paper.moment(each["starts"]) or never,
            )
            for each in body["delayed"]
        ]
        told += [
            "",
            paper.table(("WAITS", "GPUS", "STARTS NOW BY", "THEN BY"), later, right=" r", color=color),
        ]
    if body["claims"]:
        short = [
            (each["tranche"], each["undeliverable_gpus_before"], each["undeliverable_gpus"], each["idle_nodes"],
             each["price_per_hour"])
            for each in body["claims"]
        ]  # fmt: skip
        heads = ("CLAIM", "GPUS SHORT NOW", "THEN", "NODES LEFT IDLE", "AN HOUR")
        told += ["", paper.table(heads, short, right=" rrrr", color=color)]
    if not (body["stopped"] or body["delayed"] or body["claims"]):
        told += ["", "nobody else would stop, or wait longer"]
    return "\n".join(told)
