"""`forebay what-if`: what a slip or a signature would change. It is decided on a copy; nothing is recorded."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import capacity, client, command, overdrafts, paper, risks, schedule, session, sign

EXAMPLES = """
    forebay what-if slip grid-1 --site lappeenranta --by 60
    forebay what-if sign contract.yaml
    forebay what-if sign contract.yaml --override "to see who would go short"
"""
MONTHS = 60


@command.group("what-if", examples=EXAMPLES)
def what_if_group() -> None:
    """What a slip or a signature would change; records nothing.

    Shows what could be promised before and after, and who would go short. For operators and finance.
    """


def _shared(function: Any) -> Any:
    function = click.option(
        "--unit",
        type=click.Choice(capacity.UNITS),
        default="racks",
        show_default=True,
        help="What is counted.",
    )(function)
    return click.option(
        "--months",
        default=MONTHS,
        show_default=True,
        type=click.IntRange(min=1, max=240),
        help="How far to compare.",
    )(function)


@what_if_group.command("slip", examples="forebay what-if slip grid-1 --site lappeenranta --by 60")
@click.argument("milestone")
@click.option("--to", "to", default="", metavar="DATE", help="The date at which it would come.")
@click.option("--by", "by", metavar="DAYS", default="", help="So many days later; negative for sooner.")
@click.option("--site", default="", metavar="SITE", help="The site, where several have such a milestone.")
@_shared
def _try_slip(milestone: str, to: str, by: str, site: str, months: int, unit: str) -> None:
    """What if a milestone came at another date?"""
    said = session.current()
    found = client.connect(said)
    where, forecast_at = schedule.target(found, milestone, to, by, site)
    posted = {"site": where, "milestone": milestone, "forecast_at": forecast_at, "months": months}
    _tell(said, found.post("/v1/what-if/slip", posted), unit)


@what_if_group.command("sign", examples="forebay what-if sign contract.yaml")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--hold", default="", metavar="NAME", help="The hold that the contract would use up.")
@click.option("--override", default="", metavar="REASON", help="Also if more is promised than there will be.")
@_shared
def _try_sign(files: tuple[str, ...], hold: str, override: str, months: int, unit: str) -> None:
    """What if these contracts were signed?"""
    said = session.current()
    found = client.connect(said)
    more = {"hold": hold, "override": override, "months": months}
    _tell(said, sign.post_contracts(found, "/v1/what-if/sign", files, more), unit)


def _tell(said: session.Session, body: dict[str, Any], unit: str) -> None:
    if said.json:
        said.emit("what-if", body)
    else:
        click.echo(what_if_text(body, unit, said.colors()))


def what_if_text(body: dict[str, Any], unit: str, color: bool) -> str:
    """What would be different, for people."""
    told = [f"what if: {body['what']} (nothing is recorded)"]
    if body["moved"]:
        told += ["", risks.moved_text(body["moved"], body["confidence"], color)]
    told += ["", risks.changes_text(body["risks"], color, would=True)]
    if body["totals_before"] == body["totals_after"]:
        told += ["", risks.totals_text(body["totals_after"], "in all, as now")]
    else:
        told += ["", risks.totals_text(body["totals_before"], "in all now")]
        told += [risks.totals_text(body["totals_after"], "in all then")]
    if body["overdrawn"]:
        told += ["", overdrafts.overdraft_changes_text(body["overdrawn"], color, would=True)]
    told += ["", _capacity_text(body["capacity"], unit, color)]
    if body["provisional"] and body["moved"]:
        told += ["", *paper.wrapped(risks.PROVISIONAL, 0)]
    return "\n".join(told)


def _capacity_text(changes: list[dict[str, Any]], unit: str, color: bool) -> str:
    if not changes:
        return "what can be promised stays as it is"
    told = []
    for (site, sku), rows in _stretches(changes, unit).items():
        counted = "GPUs" if unit == "gpus" else unit
        told.append(f"{site}, {sku}, in {counted}:")
        heads = [word for name in _figures(changes) for word in (_HEADINGS[name], "")]
        right = " " + "".join("R " if name == "promisable" else "r " for name in _figures(changes))
        told.append(paper.table(("MONTHS", *heads, ""), rows, right=right, color=color))
    return "\n".join(told)


_HEADINGS = {
    "supply_p50": "P50", "supply_p90": "P90", "committed": "COMMITTED", "backstop": "BACKSTOP",
    "promisable": "PROMISABLE",
}  # fmt: skip


def _figures(changes: list[dict[str, Any]]) -> list[str]:
    """What is told of each month: a backstop, which takes nothing away, only where it would be another."""
    moved = any(change["before"]["backstop"] != change["after"]["backstop"] for change in changes)
    return [name for name in _HEADINGS if moved or name != "backstop"]


def _stretches(changes: list[dict[str, Any]], unit: str) -> dict[tuple[str, str], list[list[str]]]:
    """Months of a stock; those in a row whose figures change alike as one."""
    found: dict[tuple[str, str], list[list[str]]] = {}
    for change in changes:
        rows = found.setdefault((change["site"], change["sku"]), [])
        figures: list[str] = []
        for name in _figures(changes):
            was, now = (capacity.in_unit(change[side][name], change, unit) for side in ("before", "after"))
            figures += [f"{was:,}", f"-> {now:,}" if was != now else ""]
        figures.append(capacity.month_mark(change["after"]))
        month = change["before"]["month"]
        if rows and rows[-1][1:] == figures:
            rows[-1][0] = f"{rows[-1][0].split(' ')[0]} to {month}"
        else:
            rows.append([month, *figures])
    return found
