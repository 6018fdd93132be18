"""`forebay schedule`, `forebay slip`, `forebay reached`: what is to come at a site, and news of it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any

import click

from forebay.cli import client, command, overdrafts, paper, risks, session
from forebay.cli.failure import Failed, Status

KINDS_OF_POWER = (
    "Contracted, connected, facility and IT power are four different quantities: each column stands for itself, and "
    "none is added to another."
)


@command.command("schedule", examples="forebay schedule\nforebay schedule lappeenranta --json")
@click.argument("site", required=False, default="")
def schedule_command(site: str) -> None:
    """What is to come at a site, and when: milestones, blocks, power.

    Of each milestone the planned, the reported and the reached date are told apart. P50 and P90 are the dates by
    which it is done in even odds, and in nine cases of ten. Dates are UTC.
    """
    said = session.current()
    found = client.connect(said)
    if site:
        items = [found.get(f"/v1/schedules/{client.escaped(site)}")]
    else:
        items = found.pages("/v1/schedules")
    if said.json:
        said.emit("schedule", {"items": items})
        return
    if not items:
        said.say("nothing is planned at any site: apply a Schedule")
    click.echo("\n\n\n".join(schedule_text(each, said.colors()) for each in items))


def schedule_text(body: dict[str, Any], color: bool) -> str:
    """One site for people."""
    title = f"{body['site']}: {body['title']}" if body["title"] else body["site"]
    told = [click.style(title, bold=True) if color else title, *paper.wrapped(_sure(body), 0)]
    rows = [
        (
            each["id"], paper.day(each["planned"]), paper.day(each["reported"]), paper.day(each["reached"]),
            _date(each["p50"]), _date(each["p90"]), _waits(each),
        )
        for each in body["milestones"]
    ]  # fmt: skip
    headers: tuple[str, ...] = ("MILESTONE", "PLANNED", "REPORTED", "REACHED", "P50", "P90", "WAITS FOR")
    told += ["", paper.table(headers, rows, color=color)]
    if body["blocks"]:
        blocks = [
            (
                each["id"], each["sku"], f"{each['racks']:,}", f"{each['racks_standing']:,}", f"{each['gpus']:,}",
                _date(each["p50"]), _date(each["p90"]), ", ".join(each["after"]), _place(each),
            )
            for each in body["blocks"]
        ]  # fmt: skip
        headers = ("BLOCK", "SKU", "RACKS", "STANDING", "GPUS", "P50", "P90", "WAITS FOR")
        if any(map(_place, body["blocks"])):
            headers = (*headers, "COMES TO")
        shown = [row[: len(headers)] for row in blocks]
        told += ["", paper.table(headers, shown, right="  rrr", color=color)]
    if body["power"]:
        stages = [
            (
                each["id"], each["kind"].replace("_", " "), paper.power(each["contracted_w"]),
                paper.power(each["connected_w"]), paper.power(each["facility_w"]), paper.power(each["it_w"]),
                _date(each["start_p50"]), _date(each["start_p90"]),
                _date(each["end_date"]) if each["end"] else "stays",
            )
            for each in body["power"]
        ]  # fmt: skip
        headers = ("POWER", "SOURCE", "CONTRACTED", "CONNECTED", "FACILITY", "IT", "P50", "P90", "UNTIL")
        told += [
            "",
            paper.table(headers, stages, right="  rrrr", color=color),
            *paper.wrapped(KINDS_OF_POWER, 0),
        ]
    return "\n".join(told)


def _sure(body: dict[str, Any]) -> str:
    forecast = body["forecast"]
    if forecast is None:
        return "No forecast is recorded: P50 and P90 are the dates by which we reckon, and are not estimated."
    made = f"forecast by {forecast['source']} from {forecast['scenarios']:,} scenarios"
    if forecast["current"]:
        return f"P50 and P90: {made}."
    return (
        f"P50 and P90 are provisional: the {made} is of an older schedule, and none is before today's dates."
    )


def _place(block: dict[str, Any]) -> str:
    """Where the racks of a block are to hang, as far as that is told."""
    parts = [f"{what} {block[what]}" for what in ("hall", "row", "feed", "loop") if block[what]]
    return ", ".join(parts)


def _date(text: str | None) -> str:
    return paper.day(text) or "no date"


def _waits(milestone: dict[str, Any]) -> str:
    if milestone["reached"]:
        return "done"
    return ", ".join(milestone["waits_for"]) or ("nothing more" if milestone["after"] else "")


# News

_DAYS = re.compile(r"[+-]?[0-9]{1,9}d?")

SLIP_EXAMPLES = """
    forebay slip grid-1 --site lappeenranta --by 60 --dry-run     who would go short?
    forebay slip grid-1 --site lappeenranta --by 60 --reason "the transformers are late"
    forebay slip acceptance-2 --to 2028-03-01
"""


@command.command("slip", examples=SLIP_EXAMPLES)
@click.argument("milestone")
@click.option("--to", "to", default="", metavar="DATE", help="The date at which it is now expected.")
@click.option("--by", "by", metavar="DAYS", default="", help="So many days later; negative for sooner.")
@click.option("--site", default="", metavar="SITE", help="The site, where several have such a milestone.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the record.")
@click.option("-n", "--dry-run", is_flag=True, help="Decide on a copy; record nothing.")
def slip_command(milestone: str, to: str, by: str, site: str, reason: str, dry_run: bool) -> None:
    """A milestone comes at another date: who goes short?

    All that waits for it moves with it. A date without a zone is meant in that of the site, and the answer says so.
    """
    said = session.current()
    found = client.connect(said)
    where, forecast_at = target(found, milestone, to, by, site)
    body = found.post(
        f"/v1/schedules/{client.escaped(where)}/milestones/{client.escaped(milestone)}/forecast",
        {"forecast_at": forecast_at, "reason": reason, "dry_run": dry_run},
    )
    if said.json:
        said.emit("slip", body)
    else:
        click.echo("\n".join([report_text(body, said.colors()), *paper.zone_lines(body)]))


@command.command(
    "reached",
    examples='forebay reached permit --site birmingham --at 2027-02-03 --evidence "council minutes 2027-14"',
)
@click.argument("milestone")
@click.option("--at", "at", default="", metavar="DATE", help="Since when; now when left out.")
@click.option("--site", default="", metavar="SITE", help="The site, where several have such a milestone.")
@click.option("--evidence", default="", metavar="TEXT", help="What shows it, for the record.")
@click.option("-n", "--dry-run", is_flag=True, help="Decide on a copy; record nothing.")
def reached_command(milestone: str, at: str, site: str, evidence: str, dry_run: bool) -> None:
    """A milestone is done.

    What is reached stays: only what it waits for being done, too, is asked. A date without a zone is meant in that of
    the site.
    """
    said = session.current()
    found = client.connect(said)
    where = schedule_of(found, milestone, site)["site"]
    body = found.post(
        f"/v1/schedules/{client.escaped(where)}/milestones/{client.escaped(milestone)}/reached",
        {"reached_at": at, "evidence": evidence, "dry_run": dry_run},
    )
    if said.json:
        said.emit("reached", body)
    else:
        click.echo("\n".join([report_text(body, said.colors()), *paper.zone_lines(body)]))


def target(found: client.Client, milestone: str, to: str, by: str, site: str) -> tuple[str, str]:
    """The site of a milestone, and the date that is meant for it. Days are counted from its date of today, here and
    not by the server, so that a report that is sent twice says the same.
    """
    _refuse_neither(to, by)
    schedule = schedule_of(found, milestone, site)
    dates = {each["id"]: each["date"] for each in schedule["milestones"]}
    return schedule["site"], days_later(to, by, lambda: dates[milestone], milestone)


def _refuse_neither(to: str, by: str) -> None:
    if bool(to) is bool(by):
        raise Failed("say one of --to DATE and --by DAYS", Status.USAGE, code="usage")
    if by and not _DAYS.fullmatch(by):
        raise Failed(f"--by: {by!r} is not a number of days, such as 60 or -10", Status.USAGE, code="usage")


def days_later(to: str, by: str, date_of: Callable[[], str | None], what: str) -> str:
    """The date of --to, or so many days as --by says after today's date of a thing. Raises `Failed`."""
    _refuse_neither(to, by)
    if to:
        return to
    date = date_of()
    if not date:
        raise Failed(f"{what} has no date to count from: say --to DATE", Status.USAGE, code="usage")
    try:
        moved = datetime.datetime.fromisoformat(date) + datetime.timedelta(days=int(by.rstrip("d")))
    except OverflowError:
        raise Failed(f"--by: {by} is too far", Status.USAGE, code="usage") from None
    return moved.isoformat().replace("+00:00", "Z")


def schedule_of(found: client.Client, milestone: str, site: str) -> dict[str, Any]:
    """The schedule that has the milestone."""
    schedules: list[dict[str, Any]]
    if site:
        schedules = [found.get(f"/v1/schedules/{client.escaped(site)}")]
    else:
        schedules = found.pages("/v1/schedules")
    having = [each for each in schedules if any(known["id"] == milestone for known in each["milestones"])]
    if len(having) == 1:
        (schedule,) = having
        return schedule
    if having:
        sites = ", ".join(each["site"] for each in having)
        raise Failed(
            f"{milestone} is a milestone of {sites}: say which with --site", Status.USAGE, code="usage"
        )
    at = f" at {site}" if site else ""
    names = sorted({known["id"] for each in schedules for known in each["milestones"]})
    raise Failed(
        f"there is no milestone {milestone}{at}",
        code="not_found",
        hint=f"Known are: {', '.join(names) or 'none'}.",
    )


def report_text(body: dict[str, Any], color: bool) -> str:
    """What a report moved, and whom it makes short."""
    name = f"{body['site']}, {body['milestone']}"
    # A date that follows from what it waits for is good to the day; where it moves within one, the time is told.
    told_as = paper.day if paper.date(body["before"]) == paper.date(body["after"]) else paper.date
    before, after = told_as(body["before"]) or "no date", told_as(body["after"]) or "no date"
    if body["repeated"]:
        return f"{name}: recorded already, {after}; `forebay shortfall` tells who goes short now"
    if not body["changed"]:
        return f"{name}: {after}, as is known already; nothing changes"
    told = [f"{name}: {before} -> {after}{'; a dry run, nothing is recorded' if body['dry_run'] else ''}"]
    told += ["", risks.moved_text(body["moved"], body["confidence"], color)]
    told += ["", risks.changes_text(body["risks"], color, body["dry_run"])]
    if body["totals"]:
        told += ["", risks.totals_text(body["totals"])]
    if body["overdrawn"]:
        told += ["", overdrafts.overdraft_changes_text(body["overdrawn"], color, body["dry_run"])]
    if body["provisional"] and body["moved"]:
        told += ["", *paper.wrapped(risks.PROVISIONAL, 0)]
    return "\n".join(told)
