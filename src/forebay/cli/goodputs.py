"""`forebay goodput`: what became of the GPU-time that gangs held."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session

EXAMPLES = """
    forebay goodput                         every tranche, all its gangs together
    forebay goodput acme.train              one gang, with what was lost and why
    forebay goodput --tranche big-lab-t1
"""


@command.command("goodput", examples=EXAMPLES)
@click.argument("gang", required=False, default="")
@click.option("--tranche", default="", metavar="TRANCHE", help="All gangs of a tranche together.")
def goodput_command(gang: str, tranche: str) -> None:
    """How much of what gangs held became work that lasts.

    Productive is work that was finished or is in a checkpoint. GOODPUT is productive over held GPU-time; ETTR is
    productive over the time from the first start until the end, or now; MTBF is running time over failures.
    """
    said = session.current()
    body = client.connect(said).get("/v1/goodput", gang=gang, tranche=tranche)
    if said.json:
        said.emit("goodput", body)
        return
    if not body["items"]:
        said.say("no gang of a tranche has held anything yet")
        return
    headers = (
        "GANG" if gang else "TRANCHE", "HELD GPU-H", "PRODUCTIVE", "STARTING", "AT RISK", "LOST", "GOODPUT", "ETTR",
        "STARTS", "FAILURES", "MTBF H",
    )  # fmt: skip
    rows = [_row(each) for each in body["items"]]
    click.echo(paper.table(headers, rows, right=" rrrr rrrrr", color=said.colors()))


def _row(each: dict[str, Any]) -> tuple[str, ...]:
    lost = ", ".join(f"{part['cause']} {part['gpu_hours']}" for part in each["lost"]) or "-"
    percents = (f"{each[key]} %" if each[key] else "-" for key in ("goodput_percent", "ettr_percent"))
    return (
        each["name"], each["held_gpu_hours"], each["productive_gpu_hours"], each["starting_gpu_hours"],
        each["at_risk_gpu_hours"], lost, *percents, str(each["starts"]), str(each["failures"]),
        each["mtbf_hours"] or "-",
    )  # fmt: skip
