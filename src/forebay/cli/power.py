"""`forebay power`, `forebay curtail` and `forebay curtailments`: what feeds and loops may carry, carry, have left."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session
from forebay.cli.failure import Failed, Status
from forebay.cli.power_story import level_name

#: What the columns mean.
MEANING = (
    "MAY CARRY is the limit, less what curtailments take off. Of HEADROOM, STRANDED is what nobody can use: there are"
    " no free GPUs for it (nodes), or limits below or above keep them from it. RESERVED is kept for claims."
)


@command.command(
    "power",
    examples="""
    forebay power                  every feed and loop: limit, load, headroom, stranded
    forebay power fjord --json     of one site, for programs
""",
)
@click.argument("site", default="")
def power_command(site: str) -> None:
    """What each feed and cooling loop may carry, carries and has left.

    With what is stranded and why, what is being shed, curtailments, and who comes back from the restore queue.
    """
    said = session.current()
    body = client.connect(said).get(f"/v1/power?site={client.escaped(site)}" if site else "/v1/power")
    if said.json:
        said.emit("power", body)
        return
    for each in body["sites"]:
        click.echo(f"{each['site']}")
        click.echo(_levels(each["levels"], said.colors()))
    for line in paper.wrapped(MEANING, 0):
        click.echo(line)
    for shedding in body["sheddings"]:
        late = "overdue since" if shedding["overdue"] else "to be gone by"
        level = level_name(shedding["carrier"], shedding["name"])
        click.echo(
            f"SHEDDING  {level}: {paper.power(shedding['left_w'])} too much, {late} {shedding['deadline']}"
        )
    if body["curtailments"]:
        click.echo(_curtailments(body["curtailments"], said.colors()))
    if body["restore_queue"]:
        click.echo(f"restore queue, in order: {', '.join(each['gang'] for each in body['restore_queue'])}")


def _levels(levels: list[dict[str, Any]], color: bool) -> str:
    rows = [
        (
            level_name(each["carrier"], each["name"]),
            *(
                paper.power(each[name])
                for name in (
                    "limit_w",
                    "effective_w",
                    "base_w",
                    "load_w",
                    "reserved_w",
                    "headroom_w",
                    "stranded_w",
                )
            ),
            _why(each),
        )
        for each in levels
    ]
    headers = ("LEVEL", "LIMIT", "MAY CARRY", "BASE", "LOAD", "RESERVED", "HEADROOM", "STRANDED", "WHY")
    return paper.table(headers, rows, right=" rrrrrrr ", color=color)


def _why(level: dict[str, Any]) -> str:
    parts = [
        f"{paper.power(level[f'stranded_{name}_w'])} {name}"
        for name in ("nodes", "below", "above")
        if level[f"stranded_{name}_w"]
    ]
    return ", ".join(parts)


@command.command("curtailments", examples="forebay curtailments\nforebay curtailments --json")
def curtailments_command() -> None:
    """List curtailments that are announced or hold."""
    said = session.current()
    body = client.connect(said).get("/v1/curtailments")
    if said.json:
        said.emit("curtailments", body)
    elif body["items"]:
        click.echo(_curtailments(body["items"], said.colors()))
    else:
        said.say("nothing is curtailed")


def _curtailments(items: list[dict[str, Any]], color: bool) -> str:
    rows = [
        (
            each["id"],
            level_name(each["carrier"], each["name"]),
            f"{paper.power(each['less_w'])} less" if each["most_w"] is None else paper.power(each["most_w"]),
            each["start"],
            each["end"] or "until lifted",
            paper.span(each["respond_s"]),
            "begun" if each["begun"] else f"sheds {each['sheds']}",
            each["reason"],
        )
        for each in items
    ]
    headers = ("CURTAILMENT", "LEVEL", "TO", "FROM", "UNTIL", "WITHIN", "STATE", "WHY")
    return paper.table(headers, rows, color=color)


@command.command(
    "curtail",
    examples="""
    forebay curtail fjord-main --to 3.2MW --reason "grid operator"
    forebay curtail fjord-main --less 1MW --from 2026-12-01T17:00:00Z --until 2026-12-01T20:00:00Z
    forebay curtail cdu-3 --loop --to 400kW --reason "pump failed"
    forebay curtail end lab-c812
""",
)
@click.argument("level", metavar="FEED|LOOP|end")
@click.argument("name", metavar="[ID]", default="")
@click.option("--to", metavar="POWER", default="", help="It carries so much at the most.")
@click.option("--less", metavar="POWER", default="", help="It carries so much less than its limit.")
@click.option("--from", "start", metavar="TIME", default="", help="Since when; now when left out.")
@click.option(
    "--until", "end", metavar="TIME", default="", help="Until when; until it is lifted when left out."
)
@click.option(
    "--respond-within", metavar="TIME", default="5m", show_default=True, help="How long shedding may take."
)
@click.option("--loop", is_flag=True, help="It is the liquid of a cooling loop.")
@click.option("--air", is_flag=True, help="It is the air of a cooling loop.")
@click.option("--id", "called", metavar="ID", default="", help="What it is called; made up when left out.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the record.")
def curtail_command(level: str, name: str, loop: bool, air: bool, called: str, **terms: str) -> None:
    """A feed or a cooling loop is to carry less for a while; `end ID` lifts that.

    Spot is shed first, then loans, on demand, and claims in contract order. What was shed comes back by itself.
    """
    said = session.current()
    found = client.connect(said)
    if level == "end" and name:
        answer = found.post(f"/v1/curtailments/{client.escaped(name)}/end", {})
        if said.json:
            said.emit("curtail.end", answer)
        else:
            said.say(f"curtailment {name} is over: what was shed comes back")
        return
    if name:
        hint = "`forebay curtail FEED --to POWER` curtails, `forebay curtail end ID` lifts."
        raise Failed(f"unexpected argument {name}", Status.USAGE, hint=hint, code="usage")
    where = {"loop": level, "air": air} if loop or air else {"feed": level}
    answer = found.post("/v1/curtailments", {"id": called, **where, **terms})
    if said.json:
        said.emit("curtail", answer)
    else:
        sheds = "" if answer["sheds"] == answer["start"] else f", shed from {answer['sheds']} on"
        said.say(f"curtailment {answer['curtailment']}: {level} from {answer['start']}{sheds}")
