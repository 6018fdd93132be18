"""docs/how-to/take-over-running-contracts.md: its tables are imported, and its commands print what it shows."""

import io
import re
import shlex
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk
from tests.cli.rig import ROOT
from tests.system.test_tutorial import blocks, matches

PAGE = (ROOT / "docs/how-to/take-over-running-contracts.md").read_text(encoding="utf-8")
TABLES = dict(re.findall(r"^```csv (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
DAY = 86_400_000_000


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.close()


def write(desk: Desk, **changes: tuple[str, str]) -> None:
    """The tables of the page; in those that are named a text stands in the place of another."""
    (desk.shell.home / "cutover").mkdir(exist_ok=True)
    for name, text in TABLES.items():
        old, new = changes.get(name.removeprefix("cutover/").removesuffix(".csv").replace("-", "_"), ("", ""))
        assert old in text, old
        desk.file(name, text.replace(old, new) if old else text)


def close_month(desk: Desk) -> None:
    desk.rig.pass_time(31 * DAY)


def test_it_happens_as_the_page_says(desk: Desk) -> None:
    write(desk)
    for command, expected, _ in blocks(PAGE):
        program, *arguments = shlex.split(command)
        assert program == "forebay"
        if "invoice" in arguments:
            close_month(desk)
        ran = desk(*arguments)
        assert matches(expected, ran.out + ran.err), f"$ {command}\n{ran.out}{ran.err}"
    body = desk("invoice", "show", "INV-000001", "--json").json
    validate(body, outputs.OUTPUTS["invoice"])
    line, drawn = body["lines"]
    assert (drawn["kind"], drawn["amount"]["amount"]) == ("prepayment_drawn", "-40000.00")
    # Four racks of 8 GPUs from the cutover on, eight hours before it was applied; two more since the 15th.
    assert line["start"] == "2026-12-01T00:00:00Z"
    assert line["gpu_hours"] == f"{32 * 31 * 24 + 16 * 17 * 24}.00"
    # What a line rests on is found also where a part of it was before anything was recorded.
    assert desk("explain", "INV-000001:1").status == 0
    assert len(desk("invoice", "list", "--json").json["items"]) == 1
    (signed,) = [
        each
        for each in desk.rig.finance.get("/v1/contracts").json()["items"]
        if each["opened_at"] is not None
    ]
    assert (signed["id"], signed["opened_at"]) == ("fir-1", "2026-12-01T00:00:00Z")
    balances = {
        each["account"]: each["balance"]["amount"]
        for each in desk.rig.finance.get("/v1/ledger").json()["accounts"]
    }
    assert balances["equity:opening"] == "40400.00"
    assert desk.rig.finance.get("/v1/ledger").json()["balanced"] is True


HAD = "Contract,Tranche,Delivered\nfir-1,fir-fjord,4\n"
REFUSED: list[tuple[str, str, str, str, int]] = [
    ("openings", "700000.50", "1000", "openings.csv, row 2, column 'Billed': the opening: more is unpaid", 1),
    ("openings", "2026-12-01,", "2027-01-01,", "openings.csv, row 2, column 'Cutover': the cutover lies ahead", 1),
    ("openings", "40000", "-40000", "openings.csv, row 2, column 'Prepaid': '-40000' is not", 1),
    ("openings", "40000", '"40.000,50"', "column 'Prepaid': '40.000,50' is not", 1),
    ("openings", "40000", '"40,50"', "digits stand without commas, decimals after a point", 1),
    ("opening_tranches", ",4,", ",5,", "opening-tranches.csv, row 2, column 'Delivered': tranche fir-fjord: 5", 1),
    ("opening_tranches", "f[03-06]", "f[03-05]", "column 'Racks': tranche fir-fjord: its racks have 6 nodes", 1),
    ("opening_tranches", "fir-fjord", "fir-lake", "column 'Tranche': contract fir-1 has no tranche fir-lake", 1),
    ("opening_rights", "dormant", "offered", "opening-rights.csv, row 2, column 'State': right fir-call is off", 1),
    ("opening_rights", "dormant", "sleepy", "column 'State': 'sleepy' is not one of these", 1),
    ("opening_caps", "560640", "5606400", "opening-caps.csv, row 2, column 'Drawn': more is drawn on cap fir-cap", 3),
    ("opening_caps", "560640", "0", "nothing is drawn on cap fir-cap", 1),
    ("tranches", "Price (USD)", "Price (EUR)", "'EUR' here, 'USD' in", 1),
]  # fmt: skip


@pytest.mark.parametrize(("table", "old", "new", "why", "status"), REFUSED, ids=[each[2] for each in REFUSED])
def test_a_mistake_is_told_by_its_cell_and_nothing_is_applied(
    desk: Desk, table: str, old: str, new: str, why: str, status: int
) -> None:
    write(desk, **{table: (old, new)})
    before = desk.seq()
    for dry_run in (("-n",), ()):
        ran = desk("import", *dry_run, "cutover")
        assert (ran.status, why in " ".join(ran.err.split())) == (status, True), ran.err
    assert desk.seq() == before


def test_an_opening_is_stated_once_and_before_all_else(desk: Desk) -> None:
    row = TABLES["cutover/openings.csv"].splitlines()[1]
    write(desk, openings=(row, f"{row}\n{row.replace('12-01', '11-30')}"))
    ran = desk("import", "cutover")
    assert "openings.csv, row 3, column 'Cutover': opening 2026-11-30 stands twice" in " ".join(
        ran.err.split()
    )
    write(desk)
    (desk.shell.home / "cutover/openings.csv").unlink()
    assert "'at' is missing" in desk("import", "cutover").err
    # Signed as a new one it cannot be opened any more.
    first = "".join(TABLES["cutover/tranches.csv"].splitlines(keepends=True)[:3])
    new = [desk.file("contract.csv", TABLES["cutover/contracts.csv"]), desk.file("promised.csv", first)]
    assert desk("import", *new).status == 0
    begun = (desk.file("begun.csv", "Contract,Cutover\nfir-1,2026-12-01\n"), desk.file("had.csv", HAD))
    ran = desk("import", *new, *begun)
    assert (ran.status, "is signed: an opening comes with the signature" in ran.err) == (4, True)


def test_afterwards_the_opening_may_go_and_may_not_change(desk: Desk) -> None:
    write(desk)
    assert desk("import", "cutover").status == 0
    write(desk, openings=("25000", "26000"))
    ran = desk("import", "--dry-run", "cutover")
    assert "  ~ opening: deposit: 25000.00 -> 26000.00\n" in ran.out
    assert (ran.status, "was opened as of 2026-12-01" in ran.err) == (4, True)
    for name in TABLES:
        if "opening" in name:
            (desk.shell.home / name).unlink()
    assert desk("import", "cutover").out == "Contract fir-1: unchanged\n"


def workbook() -> bytes:
    """The same tables as people keep them: titles over merged cells, blank rows, typed dates, numbers as text."""
    made = openpyxl.Workbook()
    made.remove(made.worksheets[0])
    for name, text in TABLES.items():
        sheet = made.create_sheet(name.removeprefix("cutover/").removesuffix(".csv"))
        header, *rows = [line.split(",") for line in text.splitlines()]
        sheet.append([f"As of the cutover: {sheet.title}"])
        sheet.merge_cells(start_row=1, start_column=1, end_row=1, end_column=len(header))
        sheet.append([])
        sheet.append(header)
        for row in rows:
            sheet.append([])
            sheet.append([typed(cell, above) for cell, above in zip(row, header, strict=True)])
        for cells in sheet.iter_rows():
            for cell in cells:
                if isinstance(cell.value, datetime):
                    cell.number_format = "DD.MM.YYYY"
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def typed(text: str, above: str) -> Any:
    """A date as a date, an amount as a number; a count stays a text, as it is after many an export."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return datetime.fromisoformat(text)
    if re.fullmatch(r"[\d.]+", text) and above not in ("Count", "Delivered", "Racks"):
        return float(text)
    return text or None


def test_a_workbook_says_the_same(desk: Desk) -> None:
    write(desk)
    path = desk.shell.home / "cutover.xlsx"
    path.write_bytes(workbook())
    assert desk("import", "--write", "from-csv", "cutover").status == 0
    assert desk("import", "--write", "from-xlsx", "cutover.xlsx").status == 0
    for folder in ("from-csv", "from-xlsx"):
        assert [each.name for each in (desk.shell.home / folder).iterdir()] == ["contract-fir-1.yaml"]
    told = desk("import", "--dry-run", "cutover.xlsx")
    assert (told.status, told.out.count("+")) == (0, 12)
    assert desk("import", "cutover.xlsx").out.startswith("Contract fir-1: applied\n")
    # Whichever way it comes, it is the same; and the files that were written say it too.
    assert desk("import", "cutover").out == "Contract fir-1: unchanged\n"
    assert desk("apply", "from-xlsx").out == "Contract fir-1: unchanged\n"
    assert desk("apply", "from-csv").out == "Contract fir-1: unchanged\n"


def test_a_mistake_in_a_workbook_is_told_by_file_sheet_row_and_column(desk: Desk) -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook()))
    book["openings"]["C5"] = "700.000,50"
    path = desk.shell.home / "cutover.xlsx"
    book.save(path)
    ran = desk("import", "cutover.xlsx")
    assert "cutover.xlsx, sheet 'openings', row 5, column 'Billed': '700.000,50' is not" in ran.err
    assert "decimals after a point" in ran.err
