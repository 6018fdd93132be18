"""`forebay import`: sites, schedules and contracts from tables."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forebay.cli import apply, client, command, contracts, session
from forebay.cli.failure import Failed, Status, status_of_refusal

if TYPE_CHECKING:
    from forebay.feeds.sheets import CellPlace, CellProblem, Sheet
    from forebay.feeds.tables import Made

EXAMPLES = """
    forebay import --dry-run racks.csv               what it would add and change
    forebay import plan.xlsx                         every sheet that is shown
    forebay import --as blocks --sheet Phase2 plan.xlsx
    forebay import --write sites plan.xlsx           leave the spreadsheet: YAML files, nothing is applied
"""
ENDINGS = (".csv", ".tsv", ".xlsx")
#: Things of one sort that a difference names one by one; more are counted.
NAMED_MAX = 4
#: Written out, since nothing of forebay is to be loaded for `--help`; a test compares it.
TABLES = (
    "sites", "feeds", "racks", "milestones", "causes", "power", "blocks", "contracts", "tranches", "deliveries",
    "price_steps", "rights", "caps", "clauses", "tests", "ladders", "windows", "reliefs", "prepayments",
    "paid_milestones", "openings", "opening_tranches", "opening_rights", "opening_caps", "opening_invoices",
)  # fmt: skip


@command.command("import", examples=EXAMPLES)
@click.argument("paths", nargs=-1, required=True, metavar="FILE...")
@click.option("--as", "table", type=click.Choice(TABLES), metavar="TABLE",
              help=f"What each sheet is, where its columns do not say it: {', '.join(TABLES)}.")  # fmt: skip
@click.option("--sheet", "only", multiple=True, metavar="NAME", help="Read this sheet only; may be repeated.")
@click.option("-n", "--dry-run", is_flag=True, help="Check it, and show what it would add and change.")
@click.option("--write", "folder", default="", metavar="DIR", help="Write it as YAML files; apply nothing.")
@click.option(
    "--remove", is_flag=True, help="Take away of a schedule what is recorded and not in the tables."
)
def import_command(
    paths: tuple[str, ...], table: str | None, only: tuple[str, ...], dry_run: bool, folder: str, remove: bool
) -> None:
    """Apply sites, schedules and contracts from tables: CSV and XLSX.

    Several tables come together to one document: racks and feeds to a site, milestones and blocks to a schedule,
    tranches and deliveries to a contract. Columns are found by name. Nothing is applied from files in which anything
    is wrong; importing the same tables again changes nothing. docs/reference/tables.md lists tables and columns.
    """
    said = session.current()
    if folder and dry_run:
        raise Failed(
            "--write applies nothing, and --dry-run asks what applying would do: one of them is meant",
            Status.USAGE,
        )
    made = read_tables(said, paths, table or "", only)
    if folder:
        _write(said, made, Path(folder))
        return
    found = client.connect(said)
    posted = {"documents": [{"name": _file(each), "text": each.text.text} for each in made]}
    told = _post(found, "/v1/documents/differences", posted, made)
    if dry_run:
        _show(said, told)
    _refuse(told["documents"], made)
    if dry_run:
        return
    _keep(told["documents"], remove)
    answer = _post(found, "/v1/documents", posted, made)
    if said.json:
        said.emit("import", answer)
        return
    for each in answer["applied"]:
        click.echo(apply.applied_text(each))


# Reading


def read_tables(
    said: session.Session, paths: tuple[str, ...], table: str, only: tuple[str, ...]
) -> list[Made]:
    """What the files come to. Raises `Failed` with every cell that is wrong."""
    from forebay.feeds import sheets, tables

    found: list[Sheet] = []
    problems: list[CellProblem] = []
    for path in [each for given in paths for each in _files(given)]:
        try:
            found += sheets.read_sheets(_bytes(path, sheets.BYTES_MAX), str(path))
        except sheets.TableError as error:
            problems += error.problems
    try:
        chosen = _chosen(said, found, only)
        if not problems:
            return tables.documents_of(chosen, table)
    except sheets.TableError as error:
        problems += error.problems
    raise _wrong(problems)


def _files(given: str) -> list[Path]:
    path = Path(given)
    if path.is_dir():
        inside = sorted(each for each in path.iterdir() if each.suffix.lower() in ENDINGS and each.is_file())
        # A spreadsheet program keeps a file beside the one that it has open.
        inside = [each for each in inside if not each.name.startswith((".", "~$"))]
        if not inside:
            raise Failed(f"there is no {', '.join(ENDINGS)} file in {given}", code="no_tables")
        return inside
    if not path.is_file():
        raise Failed(f"there is no file or folder {given}", code="no_tables")
    return [path]


def _bytes(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        return file.read(most + 1)


def _chosen(said: session.Session, found: list[Sheet], only: tuple[str, ...]) -> list[Sheet]:
    """The sheets that are meant: those that are shown, or those that were named."""
    if only:
        names = [sheet.name for sheet in found if sheet.name]
        for name in only:
            if name not in names:
                raise Failed(
                    f"there is no sheet {name!r}; there are: {', '.join(names) or 'none'}", code="no_tables"
                )
        found = [sheet for sheet in found if sheet.name in only]
    for sheet in found:
        if sheet.hidden:
            told = f"{sheet.file}: sheet {sheet.name!r} is hidden and is not read"
            if only:
                raise Failed(told, hint="Show it in the workbook first.", code="no_tables")
            said.say(f"forebay: {told}")
    return [sheet for sheet in found if not sheet.hidden]


# Telling what is wrong


def _wrong(problems: list[CellProblem]) -> Failed:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    errors = [_error(problem.place, problem.detail) | {"code": problem.code} for problem in problems]
    codes = {problem.code for problem in problems}
    code = codes.pop() if len(codes) == 1 else "bad_table"
    return Failed(problems[0].sentence() + more, code=code, errors=errors)


def _error(place: CellPlace, detail: str) -> dict[str, Any]:
    told: dict[str, Any] = {"detail": detail, "cell": place.words(), "file": place.file, "sheet": place.sheet}
    return told | {"row": place.row, "column_name": place.column}


def _file(made: Made) -> str:
    return f"{made.stem}.yaml"


def _post(found: client.Client, address: str, body: dict[str, Any], made: list[Made]) -> dict[str, Any]:
    """Ask; what is told of a line of what we sent is told of its cell."""
    try:
        answer: dict[str, Any] = found.post(address, body)
    except Failed as failure:
        by_name = {_file(each): each for each in made}
        from forebay.feeds.sheets import CellProblem

        problems = []
        for error in failure.errors:
            here = by_name.get(str(error.get("file")))
            place = here.cell(int(error.get("line") or 0)) if here else None
            if place is None:
                raise
            code = str(error.get("code") or failure.code)
            problems.append(CellProblem(place, str(error.get("detail")), code))
        if not problems:
            raise
        told = _wrong(problems)
        raise Failed(
            told.message, failure.status, hint=failure.hint, code=failure.code, errors=told.errors
        ) from None
    return answer


def _refuse(documents: list[dict[str, Any]], made: list[Made]) -> None:
    """End here if forebay would refuse one of them."""
    refused = [each for each in documents if each["refused"]]
    if not refused:
        return
    by_name = {_file(each): each for each in made}
    errors = []
    for each in refused:
        place = by_name[each["name"]].cell(each["refused"]["line"])
        detail = str(each["refused"]["detail"])
        told = _error(place, detail) if place else {"detail": detail}
        errors.append(told | {"code": each["refused"]["code"]})
    first = refused[0]["refused"]
    place = by_name[refused[0]["name"]].cell(first["line"])
    message = f"{place.words()}: {first['detail']}" if place else str(first["detail"])
    raise Failed(
        message,
        status_of_refusal(first["code"], 0),
        hint="Nothing was applied.",
        code=first["code"],
        errors=errors,
    )


def _keep(documents: list[dict[str, Any]], remove: bool) -> None:
    """End here if something would be taken away that nobody said may go."""
    for each in documents:
        if each["removed"] and not remove:
            gone = ", ".join(_grouped(each["removed"]))
            raise Failed(
                f"{each['kind']} {each['id']}: recorded, and not in these tables: {gone}",
                Status.CONFLICT,
                hint="Nothing was applied. Add what is missing to the tables, or say --remove to take it away.",
                code="would_remove",
            )


# Showing and writing


def _show(said: session.Session, told: dict[str, Any]) -> None:
    if said.json:
        said.emit("import.diff", told)
        return
    words = {"new": "new", "same": "recorded already, the same", "differs": "differs from what is recorded"}
    for each in told["documents"]:
        click.echo(f"{each['kind']} {each['id']}: {words[each['state']]}")
        if each["state"] == "same":
            continue
        for sign, things in (("+", each["added"]), ("-", each["removed"])):
            for line in _grouped(things):
                click.echo(f"  {sign} {line}")
        for change in each["changed"]:
            old, new = (change[which] or "(nothing)" for which in ("old", "new"))
            click.echo(f"  ~ {change['thing']}: {change['field']}: {old} -> {new}")
        if each["equal"]:
            click.echo(f"  = {each['equal']} as recorded")
        for line in contracts.coverage_text(each["coverage"]) if "coverage" in each else ():
            click.echo(line)


def _grouped(things: list[str]) -> list[str]:
    """Names of things; many of one sort that follow each other as their number."""
    told = []
    for word, group in groupby(things, key=lambda thing: thing.partition(" ")[0]):
        names = list(group)
        if len(names) <= NAMED_MAX:
            told += names
            continue
        first, last = (name.removeprefix(f"{word} ") for name in (names[0], names[-1]))
        told.append(f"{len(names)} x {word}: {first} to {last}")
    return told


def _write(said: session.Session, made: list[Made], folder: Path) -> None:
    """Each document as a file. A file that says something else is left as it is, and nothing is written."""
    texts = {folder / _file(each): each for each in made}
    folder.mkdir(parents=True, exist_ok=True)
    known = {path: path.read_bytes() for path in texts if path.exists()}
    for path, each in texts.items():
        if path in known and known[path] != each.text.text.encode():
            raise Failed(
                f"{path} is there already and says something else; nothing was written",
                Status.CONFLICT,
                hint="Move it away, or write to another folder.",
                code="file_exists",
            )
    for path, each in texts.items():
        if path not in known:
            path.write_bytes(each.text.text.encode())
    files = [
        {"file": str(path), "kind": each.document.kind, "id": each.id, "changed": path not in known}
        for path, each in texts.items()
    ]
    if said.json:
        said.emit("import.written", {"files": files})
        return
    for each_file in files:
        click.echo(f"{each_file['file']}: {'written' if each_file['changed'] else 'unchanged'}")
    said.say(f"Apply them: forebay apply {folder}")
