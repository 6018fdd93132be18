"""`forebay what-if`: what a slip or a signature would change. It is decided on a copy; nothing is recorded."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import click

from forebay.cli import (
    capacity,
    client,
    command,
    loans,
    overdrafts,
    paper,
    risks,
    schedule,
    session,
    sign,
    what_if_work,
)
from forebay.core.placements import gang

EXAMPLES = """
    forebay what-if slip grid-1 --site lappeenranta --by 60
    forebay what-if sign contract.yaml
    forebay what-if sign contract.yaml --override "to see who would go short"
    forebay what-if submit gangs/train.yaml
    forebay what-if fail rack r01
    forebay what-if curtail utility --to "800 kW"
    forebay what-if reclaim acme-1 --gpus 72
"""
MONTHS = 60


@command.group("what-if", examples=EXAMPLES)
def what_if_group() -> None:
    """What a slip, a sale, more work, a failure, a curtailment or a reclaim would change.

    A slip and a signature show what could be promised before and after, and who would go short; for operators and
    finance. Work shows when it would start and who would make room; for tenants, of their own.
    """


what_if_group.add_command(what_if_work.try_submit)
what_if_group.add_command(what_if_work.try_fail)
what_if_group.add_command(what_if_work.try_curtail)


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


@what_if_group.command("reclaim", examples="forebay what-if reclaim acme-1 --gpus 72 --within rack")
@click.argument("tranche")
@click.option("--gpus", required=True, type=click.IntRange(min=1), help="How many GPUs its owner would want.")
@click.option(
    "--within",
    type=click.Choice([level.value for level in gang.Level]),
    default="site",
    show_default=True,
    help="All of them within one of these.",
)
@click.option(
    "--slice",
    "slice_gpus",
    default=0,
    type=click.IntRange(min=0),
    help="In parts of so many, each in one rack.",
)
def _try_reclaim(tranche: str, gpus: int, within: str, slice_gpus: int) -> None:
    """What if an owner wanted lent capacity back now: who would go, what work is lost, and when it is back."""
    said = session.current()
    asked = {"tranche": tranche, "gpus": gpus, "within": within, "slice_gpus": slice_gpus}
    body = client.connect(said).get(f"/v1/what-if/reclaim?{urlencode(asked)}")
    if said.json:
        said.emit("what-if.reclaim", body)
    else:
        click.echo(loans.preview_text(body, said.colors()))


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
