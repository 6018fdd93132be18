"""`forebay suppliers`: from whom our capacity is, month by month, and how much hangs on one of them."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session

EXAMPLES = """
    forebay suppliers                              the next 18 months
    forebay suppliers --from 2028-01-01 --months 6
"""


@command.command("suppliers", examples=EXAMPLES)
@click.option(
    "--months", default=18, show_default=True, type=click.IntRange(min=1, max=240), help="So many months."
)
@click.option(
    "--from", "start", default="", metavar="DATE", help="From this date on (UTC); now when left out."
)
def suppliers_command(months: int, start: str) -> None:
    """From whom our capacity is, month by month.

    What is rented starts on the date that its seller committed to or notified last, or by our own forecast where
    there is one, and counts at the confidence of the promise policy. Each stock is at its lowest instant of a month.
    Concentration is the sum of the squares of all shares in percent: 10,000 where everything is from one.
    """
    said = session.current()
    body = client.connect(said).get("/v1/suppliers", months=months, **{"from": start})
    if said.json:
        said.emit("suppliers", body)
        return
    we = f"we are {body['party']}" if body["party"] else "nobody said who we are: apply an Estate"
    click.echo(f"GPUs and shares at {body['confidence'].upper()}; {we}\n")
    click.echo(suppliers_text(body["months"], body["confidence"], said.colors()))


def suppliers_text(months: list[dict[str, Any]], confidence: str, color: bool) -> str:
    """A row for each month, with GPUs and share of each supplier."""
    names = [each["supplier"] for each in months[0]["suppliers"]]
    rows = []
    for month in months:
        cells: list[object] = [month["month"]]
        for each in month["suppliers"]:
            cells += [f"{each[f'gpus_{confidence}']:,}", share_text(each["share_ppm"])]
        rows.append([*cells, f"{month['concentration']:,}"])
    heads = [word for name in names for word in ((name or "own").upper(), "SHARE")]
    headers = ("MONTH", *heads, "CONCENTRATION")
    return paper.table(headers, rows, right=" " + "r" * (2 * len(names) + 1), color=color)


def share_text(share_ppm: int) -> str:
    """A share in percent, to one place."""
    tenths = (share_ppm + 500) // 1000
    return f"{tenths // 10}.{tenths % 10} %"
