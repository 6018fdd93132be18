"""What cells show, where they stand, and which files are refused before they are opened."""

import datetime
import io
import zipfile
from collections.abc import Iterable
from typing import Any

import openpyxl
import pytest

from forebay.feeds import sheets

Styled = tuple[Any, str]


def book(cells: dict[str, Iterable[Iterable[Any]]], hidden: str = "") -> bytes:
    """A workbook; a cell is a value, or a value with a number format."""
    made = openpyxl.Workbook()
    made.remove(made.worksheets[0])
    for name, rows in cells.items():
        sheet = made.create_sheet(name)
        for row, values in enumerate(rows, 1):
            for column, each in enumerate(values, 1):
                value, style = each if isinstance(each, tuple) else (each, "")
                cell = sheet.cell(row, column, value)
                if style:
                    cell.number_format = style
        if name == hidden:
            sheet.sheet_state = "hidden"
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def read(data: bytes, file: str = "plan.xlsx") -> list[sheets.Sheet]:
    return sheets.read_sheets(data, file)


def wrong(data: bytes, file: str = "plan.xlsx") -> list[sheets.CellProblem]:
    with pytest.raises(sheets.TableError) as error:
        read(data, file)
    return error.value.problems


def one(value: Any, style: str = "") -> str:
    (sheet,) = read(book({"S": [["name"], [(value, style) if style else value]]}))
    return sheet.rows[1].texts[0]


MIDNIGHT = datetime.datetime(2027, 7, 1)  # noqa: DTZ001 - a workbook knows no zones
#: value, number format, what is read
SHOWN: list[tuple[Any, str, str]] = [
    ("r01", "", "r01"),
    ("  r01\u00a0", "", "r01"),
    (480, "", "480"),
    (480.0, "0", "480"),
    (4.1, "", "4.1"),
    (2.1000000000000001, "", "2.1"),
    (4.5, "0.00", "4.5"),
    (4.5, '"$"#,##0.00', "4.5"),
    (4.5, "[$€-407] 0.00", "4.5"),
    (1200000, "#,##0", "1200000"),
    (0.3, "0%", "30%"),
    (0.125, "0.0%", "12.5%"),
    (132, '0 "kW"', "132 kW"),
    (132, r"0\ \k\W", "132 kW"),
    (1e15, "0.00E+00", "1000000000000000"),
    (-5, "0", "-5"),
    (True, "", "true"),
    (MIDNIGHT, "yyyy-mm-dd", "2027-07-01"),
    (MIDNIGHT, "mmm yy", "2027-07-01"),
    (MIDNIGHT.replace(hour=8, minute=30), "dd/mm/yyyy hh:mm", "2027-07-01 08:30:00"),
    (MIDNIGHT.date(), "", "2027-07-01"),
    (datetime.timedelta(hours=30), "[h]:mm", "108000s"),
]


@pytest.mark.parametrize(("value", "style", "text"), SHOWN)
def test_a_cell_is_what_it_shows(value: Any, style: str, text: str) -> None:
    assert one(value, style) == text


#: value, number format, words of the problem
UNCLEAR: list[tuple[Any, str, str]] = [
    (4.126, "0.00", "shows 4.13 and holds 4.126"),
    (0.3333, "0%", "shows 33% and holds 33.33%"),
    (12000, '0,"k"', "number format"),
    (0.5, "# ?/?", "number format"),
    (MIDNIGHT.replace(hour=12), "yyyy-mm-dd", "shows a date only"),
    (MIDNIGHT.replace(day=15), "mmm yy", "shows no day"),
    (datetime.time(8, 30), "hh:mm", "time of day"),
    ("=1+1", "", "result of this formula is not in the file"),
    ("#REF!", "", "shows the error #REF!"),
]


@pytest.mark.parametrize(("value", "style", "words"), UNCLEAR)
def test_a_cell_that_is_not_clear_is_told_with_its_place(value: Any, style: str, words: str) -> None:
    (problem,) = wrong(book({"Racks": [["name", "limit"], ["r01", (value, style or "General")]]}))
    assert problem.place == sheets.CellPlace("plan.xlsx", "Racks", 2, "limit")
    assert words in problem.detail
    assert problem.sentence().startswith("plan.xlsx, sheet 'Racks', row 2, column 'limit': ")


def test_the_stored_result_of_a_formula_is_taken() -> None:
    data = rewritten(book({"S": [["n"], ["=1+1"]]}), b"<v></v>", b"<v>2</v>", b"<v />", b"<v>2</v>")
    assert read(data)[0].rows[1].texts == ["2"]


def rewritten(data: bytes, *pairs: bytes) -> bytes:
    """A workbook with other bytes in its parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            part = old.read(name)
            for before, after in zip(pairs[::2], pairs[1::2], strict=True):
                part = part.replace(before, after)
            new.writestr(name, part)
    return out.getvalue()


def test_sheets_rows_and_what_is_hidden() -> None:
    rows: list[list[Any]] = [["a", "b"], [None, None], [1, None], ["", " "]]
    found = read(book({"One": rows, "Two": rows, "Empty": []}, hidden="Two"))
    assert [(each.name, each.hidden, [row.number for row in each.rows]) for each in found] == [
        ("One", False, [1, 3]), ("Two", True, []), ("Empty", False, []),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("a,b\n\n1,2\n", "t.csv"),
        ("\ufeffa;b\r\n\r\n1;2\r\n", "t.csv"),
        ("a\tb\n\n1\t2\n", "t.tsv"),
        ('"a","b"\n\n"1",2', "T.CSV"),
        ('a;"b"\n;\n1;2', "t.csv"),
    ],
)
def test_csv(text: str, file: str) -> None:
    (sheet,) = read(text.encode(), file)
    assert sheet == sheets.Sheet(file, "", [sheets.SheetRow(1, ["a", "b"]), sheets.SheetRow(3, ["1", "2"])])


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("xl/sharedStrings.xml", "w") as part:
            for _ in range(sheets.UNPACKED_MAX >> 20):
                part.write(bytes(1 << 20))
        archive.writestr("more", b"1")
    return out.getvalue()


PLAIN = book({"S": [["a"], [1]]})
ENTITIES = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]>'
#: file, bytes, words of the problem
REFUSED: list[tuple[str, bytes, str]] = [
    ("t.xls", b"", "save it as one of these"),
    ("t", b"", "save it as one of these"),
    ("t.csv", b"a,b\n\xff", "not UTF-8"),
    ("t.csv", b"a,b\n\0", "zero byte"),
    ("t.csv", b'a,b\n"1', "this is not CSV"),
    ("t.csv", b"," * sheets.COLUMNS_MAX, "columns are more than are read"),
    ("t.csv", b"1\n" * (sheets.ROWS_MAX + 1), "rows are not read"),
    ("t.csv", b"x" * (sheets.CELL_MAX + 1), "more than a cell may hold"),
    ("t.csv", b"x" * (sheets.BYTES_MAX + 1), "bytes are more than is read"),
    ("t.xlsx", b"", "not a workbook"),
    ("t.xlsx", b"PK\x03\x04" + bytes(100), "not a workbook"),
    ("t.xlsx", bomb(), "unpacked it has"),
    ("t.xlsx", rewritten(PLAIN, b"<worksheet", ENTITIES + b"<worksheet"), "declares entities"),
    ("t.xlsx", rewritten(PLAIN, b"<row", b"<wor"), "not a workbook"),
    ("t.xlsx", rewritten(PLAIN, b'r="2"', b'r="1048576"'), "rows are read"),
    ("t.xlsx", rewritten(PLAIN, b'r="A2"', b'r="XFD2"'), "columns are read"),
    ("t.xlsx", rewritten(PLAIN, b'<row r="2"', b'<row r="1"'), "not in order"),
    ("t.xlsx", rewritten(PLAIN, b"<v>1</v>", b"<v>one</v>"), "not a workbook"),
    ("t.xlsx", rewritten(PLAIN, b'Id="rId1"', b'Id="rId9"'), "not a workbook"),
]


@pytest.mark.parametrize(("file", "data", "words"), REFUSED, ids=lambda value: str(value)[:24])
def test_files_that_are_refused(file: str, data: bytes, words: str) -> None:
    problem = wrong(data, file)[0]
    assert problem.place.file == file
    assert words in problem.detail


def test_what_a_sheet_says_of_its_own_size_is_not_believed() -> None:
    data = rewritten(PLAIN, b'<dimension ref="A1:A2"', b'<dimension ref="A1"')
    assert [row.texts for row in read(data)[0].rows] == [["a"], ["1"]]


@pytest.mark.parametrize(("column", "letters"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA")])
def test_letters(column: int, letters: str) -> None:
    assert sheets.letters_of(column) == letters
