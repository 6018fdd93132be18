"""`forebay readings`: what meters told, and what became of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from forebay.cli import client, command, paper, session
from forebay.cli.failure import Failed, Status

EXAMPLES = """
    forebay readings show
    forebay readings import meters.csv
    forebay readings import events.jsonl
"""
#: Events in one request.
_MOST = 2000
_MEDIA_TYPE = "application/cloudevents-batch+json"
_COLUMNS = ("id", "source", "type", "subject", "time")
_VALUES = ("wh", "joules", "watts", "energy_mj", "util")
_SHOWN = 20


@command.group("readings", examples=EXAMPLES)
def readings_group() -> None:
    """Readings of meters: bring in a file, show what became of them."""


@readings_group.command(
    "show", examples="forebay readings show\nforebay readings show --source bmc-row-4 --json"
)
@click.option("--source", default="", metavar="NAME", help="Only what came from this source.")
def _show(source: str) -> None:
    """Show what became of the readings of each source.

    Accepted ones may be late (an hour or more), out of order, or after a gap or a reset of the counter besides.
    """
    said = session.current()
    items: list[dict[str, Any]] = client.connect(said).get("/v1/readings")["items"]
    items = [each for each in items if source in ("", each["source"])]
    if said.json:
        said.emit("readings", {"items": items})
        return
    if not items:
        said.say("no readings came yet")
        return
    rows = [(each["source"], what, f"{n:,}") for each in items for what, n in sorted(each["counts"].items())]
    click.echo(paper.table(("SOURCE", "WHAT", "READINGS"), rows, right="  r", color=said.colors()))


@readings_group.command(
    "import", examples="forebay readings import meters.csv\nforebay readings import events.jsonl --json"
)
@click.argument("file", type=click.Path(path_type=Path))
def _import(file: Path) -> None:
    """Bring in readings from a file: CloudEvents, one a line (.jsonl), or a table (.csv).

    A table has the columns id, source, type, subject, time, and of wh, joules, watts, energy_mj, util those that its
    types need. What came before is a duplicate and changes nothing, so that a file may be brought in again.
    """
    said = session.current()
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"{file} cannot be read: {error}") from None
    events = list(_rows(text, file) if file.suffix.lower() == ".csv" else _lines(text))
    speaks = client.connect(said)
    told: dict[str, Any] = {"accepted": 0, "duplicate": 0, "refused": 0, "items": []}
    for first in range(0, len(events), _MOST):
        body = b"[" + b",".join(events[first : first + _MOST]) + b"]"
        answer = speaks.send("/v1/readings", body, _MEDIA_TYPE)
        for what in ("accepted", "duplicate", "refused"):
            told[what] += answer[what]
        told["items"] += [each | {"index": each["index"] + first} for each in answer["items"]]
    if said.json:
        said.emit("readings.import", told)
        return
    counted = f"{told['accepted']:,} accepted, {told['duplicate']:,} duplicate, {told['refused']:,} refused"
    said.say(f"{file}: {counted}")
    refused = [each for each in told["items"] if each["result"] == "refused"]
    for each in refused[:_SHOWN]:
        said.say(f"  {each['index'] + 1}: {each['code']} ({each['field']}): {each['detail']}")
    if len(refused) > _SHOWN:
        said.say(f"  and {len(refused) - _SHOWN:,} more (--json lists all)")


def _lines(text: str) -> Iterator[bytes]:
    """Events of a file with one on each line."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                msgspec.json.decode(line)
            except msgspec.DecodeError as error:
                raise Failed(
                    f"line {number} is not JSON: {error}", Status.FAILED, code="bad_request"
                ) from None
            yield line.encode()


def _rows(text: str, file: Path) -> Iterator[bytes]:
    """Events of a table."""
    rows = csv.DictReader(io.StringIO(text))
    missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise Failed(f"{file} has no column {', '.join(missing)}", code="bad_body")
    for row in rows:
        event: dict[str, Any] = {name: row[name] for name in _COLUMNS}
        # Numbers stay as they are written: none is made a float on the way.
        values = [f"{json.dumps(name)}:{_number(row[name])}" for name in _VALUES if row.get(name)]
        yield f'{json.dumps(event)[:-1]}, "data": {{{", ".join(values)}}}}}'.encode()


def _number(text: str) -> str:
    """As it is written where it is a number; else as text, which is refused where it is read."""
    try:
        return text if isinstance(msgspec.json.decode(text), int | float) else json.dumps(text)
    except msgspec.DecodeError:
        return json.dumps(text)
