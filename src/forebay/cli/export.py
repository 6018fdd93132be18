"""`forebay export`: invoices and contracts as files in somebody else's form."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from forebay.cli import client, command, session
from forebay.cli.failure import Failed
from forebay.exports import tabular
from forebay.exports.focus_columns import FOCUS_VERSION, FocusDataset

EXAMPLES = """
    forebay export focus                                      all four datasets as CSV, in ./focus
    forebay export focus --period 2026-11 --format parquet -o november
    forebay export focus --tenant acme --dataset cost_and_usage
"""

#: Tables of the pack for a close.
_CLOSE = ("entries", "balances", "revenue", "obligations", "expected")


@command.group("export", examples=EXAMPLES)
def export_group() -> None:
    """Write invoices and contracts as files that other tools read."""


@export_group.command("focus", examples=EXAMPLES)
@click.option("--version", type=click.Choice([FOCUS_VERSION]), default=FOCUS_VERSION, show_default=True,
              help="Version of FOCUS.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True,
              help="Form of the files.")  # fmt: skip
@click.option("--dataset", "datasets", type=click.Choice([each.value for each in FocusDataset]), multiple=True,
              help="Only this dataset; may be given several times.")  # fmt: skip
@click.option(
    "--period", default="", metavar="MONTH", help="Only periods that began in this month (2026-11)."
)
@click.option("--tenant", default="", metavar="NAME", help="Only what is billed to this tenant.")
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path, file_okay=False), default=Path("focus"),
              show_default=True, help="Folder for the files; it is made.")  # fmt: skip
def _focus(
    version: str, form: str, datasets: tuple[str, ...], period: str, tenant: str, folder: Path
) -> None:
    """Write issued invoices and contracts in FOCUS, the FinOps Open Cost and Usage Specification.

    A file that is there already is replaced once the new one is whole. A tenant gets what is its own.
    """
    said = session.current()
    found = client.connect(said)
    folder.mkdir(parents=True, exist_ok=True)
    written: list[dict[str, Any]] = []
    chosen = [each for each in FocusDataset if not datasets or each.value in datasets]
    parts: list[tuple[Path, Path]] = []
    try:
        for dataset in chosen:
            part = folder / f".{dataset.value}.{os.getpid()}.csv"
            target = folder / f"{dataset.value}.{form}"
            parts.append((part, target))
            with part.open("wb") as file:
                found.download(f"/v1/exports/focus/{dataset.value}", file, period=period, tenant=tenant)
            if form == "parquet":
                made = part.with_suffix(".parquet")
                parts[-1] = (made, target)
                try:
                    tabular.write_parquet(dataset, part, made)
                except tabular.NoParquet as error:
                    raise Failed(
                        str(error), hint="`--format csv` needs nothing.", code="no_parquet"
                    ) from None
                finally:
                    part.unlink()
        # All or nothing: no file of an older export is left between new ones.
        for part, target in parts:
            part.replace(target)
            name = target.name.partition(".")[0]
            written.append({"dataset": name, "file": str(target), "bytes": target.stat().st_size})
    finally:
        for part, _ in parts:
            part.unlink(missing_ok=True)
    metadata = folder / "metadata.json"
    metadata.write_text(
        json.dumps([tabular.metadata(dataset) for dataset in chosen], indent=2) + "\n", "utf-8"
    )
    if said.json:
        said.emit(
            "export.focus", {"version": version, "format": form, "files": written, "metadata": str(metadata)}
        )
        return
    for each in written:
        said.say(f"{each['file']}  {each['bytes']} bytes")
    said.say(f"{metadata}  what the columns are")


@export_group.command(
    "close",
    examples="""
    forebay export close --period 2026-11 -o november
""",
)
@click.option(
    "--period", default="", metavar="MONTH", help="What took effect in this month (2026-11); all without."
)
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path, file_okay=False), default=Path("close"),
              show_default=True, help="Folder for the files; it is made.")  # fmt: skip
def _close(period: str, folder: Path) -> None:
    """Write what finance takes over when a month is closed, as CSV.

    entries.csv: every posting that took effect, debit and credit, for the ERP. revenue.csv: what was invoiced, by
    contract, class, site and SKU. obligations.csv: what is left of every tranche that is signed, by year, at the
    stated prices; the least of it is due, used or not. expected.csv: the same by month. balances.csv: of every
    account, what it stood at before the month, what was posted, and what it stood at after.
    """
    said = session.current()
    found = client.connect(said)
    folder.mkdir(parents=True, exist_ok=True)
    parts = {name: folder / f".{name}.{os.getpid()}.csv" for name in _CLOSE}
    written = []
    try:
        for name, part in parts.items():
            with part.open("wb") as file:
                found.download(f"/v1/exports/close/{name}", file, period=period)
        # All or nothing, as above.
        for name, part in parts.items():
            target = folder / f"{name}.csv"
            part.replace(target)
            written.append({"table": name, "file": str(target), "bytes": target.stat().st_size})
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    if said.json:
        said.emit("export.close", {"period": period, "files": written})
        return
    for each in written:
        said.say(f"{each['file']}  {each['bytes']} bytes")
