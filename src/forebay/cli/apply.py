"""`forebay apply`: documents from files and folders."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from forebay.cli import client, command, contracts, session
from forebay.cli.failure import Failed

EXAMPLES = """
    forebay apply contract.yaml prices.yaml
    forebay apply examples/one_site                  every document in a folder
    forebay apply --dry-run contract.yaml            what it would do
    cat contract.yaml | forebay apply -
"""
#: The server refuses more than 1 MiB with the place; more than this is not even read.
BYTES_MAX = 4 << 20
#: Files of a folder that hold no documents.
NOT_DOCUMENTS = frozenset({"scenario.yaml"})


@command.command("apply", examples=EXAMPLES)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("-n", "--dry-run", is_flag=True, help="Check it, and say what it would change.")
def apply_command(paths: tuple[str, ...], dry_run: bool) -> None:
    """Apply documents: sites, contracts, prices, policies, gangs.

    Applying the same text again changes nothing. Documents of one call are applied in the order in which they build
    on each other, whatever the order of the files.
    """
    said = session.current()
    documents = [document for path in paths for document in read(path)]
    found = client.connect(said)
    answer = found.post("/v1/documents", {"documents": sendable(found, documents), "dry_run": dry_run})
    if said.json:
        said.emit("apply", answer)
        return
    for each in answer["applied"]:
        click.echo(applied_text(each, dry_run))


def sendable(found: client.Client, documents: list[dict[str, str]]) -> list[dict[str, str]]:
    """What this caller may send: a folder means something only to a server on the same machine, from its operator."""
    if found.own:
        return documents
    return [{name: value for name, value in each.items() if name != "folder"} for each in documents]


def applied_text(applied: dict[str, Any], dry_run: bool = False) -> str:
    """One line about one document; of a contract also how much of it is handled."""
    will = "would be applied" if dry_run else "applied"
    state = will if applied["changed"] else "unchanged"
    named = f"{applied['kind']} {applied['id']}".strip()
    told = [f"{named}: {state}"]
    if "coverage" in applied and applied["changed"]:
        told += contracts.coverage_text(applied["coverage"])
    return "\n".join(told)


def read(path: str) -> list[dict[str, str]]:
    """The documents of a file, of a folder (its own *.yaml, not those below it) or of stdin (`-`)."""
    if path == "-":
        return [{"name": "stdin", "text": sys.stdin.read()}]
    where = Path(path)
    if where.is_dir():
        files = sorted(each for each in where.glob("*.y*ml") if each.suffix in (".yaml", ".yml"))
        files = [each for each in files if each.name not in NOT_DOCUMENTS and each.is_file()]
        if not files:
            raise Failed(f"there is no .yaml file in {path}", code="no_documents")
    elif where.exists():
        files = [where]
    else:
        raise Failed(f"there is no file or folder {path}{_near(where)}", code="no_documents")
    return [read_file(each) for each in files]


def read_file(path: Path) -> dict[str, str]:
    """One file, with the folder that it lies in."""
    if not path.is_file():
        raise Failed(f"{path} is not a file", code="no_documents")
    with path.open("rb") as file:
        data = file.read(BYTES_MAX + 1)
    if len(data) > BYTES_MAX:
        raise Failed(f"{path} is larger than a document may be ({BYTES_MAX >> 20} MiB)", code="no_documents")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        told = (
            f"{path}:{line}: this is not a text (UTF-8): byte {error.start + 1} is {data[error.start]:#04x}"
        )
        raise Failed(told, code="no_documents") from None
    return {"name": path.name, "text": text, "folder": str(path.resolve().parent)}


def _near(path: Path) -> str:
    import difflib

    try:
        names = [each.name for each in path.parent.iterdir()]
    except OSError:
        return ""
    near = difflib.get_close_matches(path.name, names, 1, 0.6)
    return f"; did you mean {path.parent / near[0]}?" if near else ""
