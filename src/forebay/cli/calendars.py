"""`forebay calendars`: by which days notices are counted, and which rights are."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session

EXAMPLES = """
    forebay calendars
    forebay calendars show helsinki        its holidays, and the rights that are counted by it
"""


@command.group("calendars", examples=EXAMPLES, invoke_without_command=True)
@click.pass_context
def calendars_group(context: click.Context) -> None:
    """By which days notices are counted.

    Operators and finance see every business calendar, a tenant those of its own rights. `forebay apply` puts one in
    force, or a new version of one.
    """
    if context.invoked_subcommand is None:
        context.invoke(_list_calendars)


@calendars_group.command("list", examples="forebay calendars list\nforebay calendars list --json")
def _list_calendars() -> None:
    """List business calendars."""
    said = session.current()
    items = client.connect(said).pages("/v1/calendars")
    if said.json:
        said.emit("calendars.list", {"items": items})
    elif items:
        rows = [
            (
                each["id"], each["version"], each["zone"], each["closes"], ", ".join(each["weekend"]) or "-",
                len(each["holidays"]), each["until"], len(each["rights"]),
            )
            for each in items
        ]  # fmt: skip
        headers = ("CALENDAR", "VERSION", "ZONE", "CLOSES", "WEEKEND", "HOLIDAYS", "KNOWN UNTIL", "RIGHTS")
        click.echo(paper.table(headers, rows, right=" r   r r", color=said.colors()))
    else:
        said.say("no business calendar is in force")


@calendars_group.command("show", examples="forebay calendars show helsinki")
@click.argument("calendar")
def _show_calendar(calendar: str) -> None:
    """Show a business calendar: its holidays, and the rights that are counted by it."""
    said = session.current()
    body = client.connect(said).get(f"/v1/calendars/{client.escaped(calendar)}")
    if said.json:
        said.emit("calendars.show", body)
    else:
        click.echo(paper.facts(_facts(body)))


def _facts(body: dict[str, Any]) -> list[tuple[str, object]]:
    when = f"today, {body['received']}" if body["open"] else f"on {body['received']}"
    holidays: dict[str, list[str]] = {}
    for day in body["holidays"]:
        holidays.setdefault(day[:4], []).append(day[5:])
    return [
        ("calendar", f"{body['id']}, version {body['version']}"),
        ("zone", body["zone"]),
        ("weekend", ", ".join(body["weekend"]) or "none"),
        ("closes", f"{body['closes']}; a notice that comes in now counts as received {when}"),
        *((f"holidays {year}", ", ".join(days)) for year, days in holidays.items()),
        ("known until", body["until"]),
        ("rights", ", ".join(body["rights"]) or "none is counted by it"),
    ]  # fmt: skip
