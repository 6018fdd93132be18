"""What stands in the cells of a CSV or XLSX file? Text as people see it, with the place of each.

A number is what its cell shows: `30%` for 0.3 in a cell of percents, `132 kW` where the unit is part of the format.
A cell that shows less than it holds is refused, since nobody can tell which of the two is meant. Of a formula the
stored result is taken. Files come from anywhere: size, parts, rows and columns are bounded before a workbook is
opened, and no XML that declares entities is read.
"""

from __future__ import annotations

import csv
import datetime
import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple
from xml.parsers import expat

BYTES_MAX = 16 << 20
#: Of all parts of a workbook, unpacked.
UNPACKED_MAX = 128 << 20
PARTS_MAX = 2000
ROWS_MAX, COLUMNS_MAX, CELL_MAX = 50_000, 200, 2000
PROBLEMS_MAX = 50


class CellPlace(NamedTuple):
    """Where something stands in a file of tables; "" and 0 where that is not known. `sheet` is "" for CSV."""

    file: str
    sheet: str = ""
    row: int = 0
    #: The name above it, or its letters.
    column: str = ""

    def words(self) -> str:
        """`plan.xlsx, sheet 'Racks', row 12, column 'limit'`"""
        parts = [
            self.file,
            f"sheet {self.sheet!r}" if self.sheet else "",
            f"row {self.row}" if self.row else "",
        ]
        return ", ".join(part for part in (*parts, f"column {self.column!r}" if self.column else "") if part)


class CellProblem(NamedTuple):
    """One thing that is wrong, and where."""

    place: CellPlace
    detail: str
    #: In a word, as of a document; `bad_table` for what is wrong with the table itself.
    code: str = "bad_table"

    def sentence(self) -> str:
        """Place and detail, in one line."""
        return f"{self.place.words()}: {self.detail}"


class TableError(Exception):
    """Tables that cannot be read; `problems` holds at least one."""

    def __init__(self, problems: list[CellProblem]) -> None:
        super().__init__("\n".join(problem.sentence() for problem in problems))
        self.problems = problems


class SheetRow(NamedTuple):
    """A row in which something stands; `texts` by column from 0, "" where nothing stands."""

    number: int
    texts: list[str]


class Sheet(NamedTuple):
    """A sheet, or a whole CSV file: the rows in which something stands."""

    file: str
    #: "" for CSV.
    name: str
    rows: list[SheetRow]
    #: Hidden in the workbook.
    hidden: bool = False


def without_title(sheet: Sheet) -> Sheet:
    """The sheet from the names of its columns on. A row above them with one text in it (often in cells that are
    merged) is a title: no table has one column.
    """
    first = next((n for n, row in enumerate(sheet.rows) if sum(map(bool, row.texts)) > 1), 0)
    return sheet._replace(rows=sheet.rows[first:])


def read_sheets(data: bytes, file: str) -> list[Sheet]:
    """The sheets of a file, by the ending of its name. Raises `TableError`, and nothing else."""
    ending = file.lower().rpartition(".")[2]
    if len(data) > BYTES_MAX:
        raise _no(CellPlace(file), f"{len(data)} bytes are more than is read ({BYTES_MAX >> 20} MiB)")
    if ending in ("csv", "tsv"):
        return [_csv_sheet(data, file, "\t" if ending == "tsv" else "")]
    if ending == "xlsx":
        return _Workbook(data, file).sheets()
    raise _no(CellPlace(file), "tables are read from .csv, .tsv and .xlsx files: save it as one of these")


def _no(place: CellPlace, detail: str) -> TableError:
    return TableError([CellProblem(place, detail)])


def _cell_text(text: str, place: CellPlace) -> str:
    """The text without space around it, if it is one."""
    text = text.replace("\u00a0", " ").strip()
    if len(text) > CELL_MAX:
        raise _no(place, f"{len(text)} characters are more than a cell may hold ({CELL_MAX})")
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise _no(place, "a character that no text may hold (zero, or half of a pair)")
    return text


# CSV


def _csv_sheet(data: bytes, file: str, delimiter: str) -> Sheet:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _no(CellPlace(file, "", line), "this is not UTF-8 text: save it as 'CSV UTF-8'") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise _no(CellPlace(file, "", line), "there is a zero byte in it: this is no text") from None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter or _delimiter(text), strict=True)
    rows: list[SheetRow] = []
    number = 0
    try:
        for number, found in enumerate(reader, 1):
            place = CellPlace(file, "", number)
            if len(found) > COLUMNS_MAX:
                raise _no(place, f"{len(found)} columns are more than are read ({COLUMNS_MAX})")
            texts = [_cell_text(each, place) for each in found]
            if any(texts):
                rows.append(SheetRow(number, texts))
            if len(rows) > ROWS_MAX:
                raise _no(place, f"more than {ROWS_MAX} rows are not read from one sheet")
    except csv.Error as error:
        raise _no(CellPlace(file, "", number + 1), f"this is not CSV: {error}") from None
    return Sheet(file, "", rows)


def _delimiter(text: str) -> str:
    """What stands between columns: the one of `,`, `;` and tab that the first line has most of, outside quotes."""
    first = next((line for line in text.splitlines() if line.strip(' ,;\t"')), "")
    bare = re.sub(r'"[^"]*"', "", first)
    return max(",;\t", key=bare.count)


# XLSX


class _Workbook:
    def __init__(self, data: bytes, file: str) -> None:
        self._file = file
        self._data = data
        try:
            self._extent = self._checked(zipfile.ZipFile(io.BytesIO(data)))
        except (
            zipfile.BadZipFile,
            NotImplementedError,
            RuntimeError,
            EOFError,
            ValueError,
            OSError,
        ) as error:
            raise self._broken(error) from None
        except expat.ExpatError as error:
            raise self._broken(error) from None

    def _broken(self, error: Exception) -> TableError:
        return _no(
            CellPlace(self._file),
            f"this is not a workbook that can be read: {str(error) or type(error).__name__}",
        )

    def _checked(self, archive: zipfile.ZipFile) -> _Extent:
        """How far its cells reach, once it is known to be small enough and to declare nothing."""
        parts = archive.infolist()
        size = sum(part.file_size for part in parts)
        if len(parts) > PARTS_MAX or size > UNPACKED_MAX:
            told = f"unpacked it has {len(parts)} parts and {size >> 20} MiB"
            most = f"at most {PARTS_MAX} and {UNPACKED_MAX >> 20} MiB are read"
            raise _no(CellPlace(self._file), f"{told}: {most}")
        extent = _Extent(self._file)
        for part in parts:
            if part.filename.lower().endswith((".xml", ".rels", ".vml")):
                with archive.open(part) as source:
                    extent.scan(source)
        return extent

    def sheets(self) -> list[Sheet]:
        # Whatever a broken or hostile workbook makes the library raise is a workbook that cannot be read.
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self._read()
        except TableError:
            raise
        except Exception as error:
            raise self._broken(error) from None

    def _read(self) -> list[Sheet]:
        import openpyxl  # late: it takes a while to load

        found = []
        options: dict[str, Any] = {"read_only": True, "keep_links": False}
        written = openpyxl.load_workbook(io.BytesIO(self._data), **options)
        values = openpyxl.load_workbook(io.BytesIO(self._data), data_only=True, **options)
        for sheet in written.worksheets:
            beside = values[sheet.title]
            hidden = sheet.sheet_state != "visible"
            found.append(Sheet(self._file, sheet.title, [] if hidden else self._rows(sheet, beside), hidden))
        return found

    def _rows(self, written: Any, values: Any) -> list[SheetRow]:
        rows, problems = [], []
        names: list[str] = []
        for number, (formulas, results) in enumerate(
            zip(self._cells(written), self._cells(values), strict=True), 1
        ):
            texts = []
            for column, (formula, result) in enumerate(zip(formulas, results, strict=True)):
                above = names[column] if column < len(names) else letters_of(column)
                place = CellPlace(self._file, written.title, number, above or letters_of(column))
                try:
                    texts.append(_cell_text(_shown(formula, result), place))
                except _Unclear as error:
                    problems.append(CellProblem(place, str(error)))
                    texts.append("")
            if any(texts):
                names = names or (texts if sum(map(bool, texts)) > 1 else [])
                rows.append(SheetRow(number, texts))
            if len(problems) >= PROBLEMS_MAX:
                break
        if problems:
            raise TableError(problems)
        return rows

    def _cells(self, sheet: Any) -> Iterator[tuple[Any, ...]]:
        # What a sheet says of its own size may be wrong.
        sheet.reset_dimensions()
        return iter(sheet.iter_rows(max_row=self._extent.rows or 1, max_col=self._extent.columns or 1))


class _Extent:
    """How far the cells of a workbook reach in which something stands. Reads XML without building anything."""

    def __init__(self, file: str) -> None:
        self._file = file
        self.rows = self.columns = 0
        self._row = self._cell = self._last = 0

    def scan(self, source: Any) -> None:
        """Read one part. Raises `TableError` when it declares something, or reaches too far."""
        parser = expat.ParserCreate()
        self._row = self._cell = self._last = 0
        parser.StartDoctypeDeclHandler = self._declared
        parser.StartElementHandler = self._begin
        while block := source.read(1 << 16):
            parser.Parse(block, False)
        parser.Parse(b"", True)

    def _declared(self, *_: object) -> None:
        raise _no(CellPlace(self._file), "XML that declares entities is not read")

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        word = name.rpartition(":")[2]
        if word == "row":
            self._row = int(attributes.get("r") or self._row + 1)
            if self._row <= self._last:
                raise _no(CellPlace(self._file, "", self._row), "the rows of this sheet are not in order")
            self._last, self._cell = self._row, 0
        elif word == "c":
            letters = re.match(r"[A-Z]{1,3}", attributes.get("r", ""))
            self._cell = _number(letters.group()) if letters else self._cell + 1
        elif word in ("v", "is", "f") and self._row:
            if self._row > ROWS_MAX:
                raise _no(
                    CellPlace(self._file, "", self._row), f"at most {ROWS_MAX} rows are read from a sheet"
                )
            if self._cell > COLUMNS_MAX:
                raise _no(CellPlace(self._file, "", self._row), f"at most {COLUMNS_MAX} columns are read")
            self.rows, self.columns = max(self.rows, self._row), max(self.columns, self._cell)


def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def letters_of(column: int) -> str:
    """What a spreadsheet calls a column, counted from 0: A, B, ..., Z, AA."""
    text, column = "", column + 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


# What a cell shows


class _Unclear(ValueError):
    """A cell that shows something else than it holds, or nothing that can be read."""


def _shown(formula: Any, result: Any) -> str:
    """What a cell shows. `formula` and `result` are one cell, read as it is written and as it was last computed."""
    value, style = result.value, result.number_format or "General"
    if value is None:
        if formula.data_type == "f":
            raise _Unclear(
                "the result of this formula is not in the file: open and save it in a spreadsheet, or write the value"
            )
        return ""
    if result.data_type == "e":
        raise _Unclear(f"this cell shows the error {value}: a value is meant")
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _number_shown(value, style)
        case datetime.datetime():
            return _moment_shown(value, style)
        case datetime.date():
            return value.isoformat()
        case datetime.timedelta():
            return _span_shown(value)
        case datetime.time():
            raise _Unclear(f"{value} is a time of day: a date is meant, or a duration such as '2h'")
        case _:
            return str(value)


#: A text in a number format: in quotes, or one letter after a backslash.
_LITERAL = re.compile(r'"([^"]*)"|\\(.)')
#: Colours, conditions, locales with their currency, and what only keeps room.
_DRESS = re.compile(r"\[[^\]]*\]|_.|\*.")
_DIGITS = re.compile(r"[#0?,]*(?:\.([#0?]+))?")


def _number_shown(value: int | float, style: str) -> str:
    exact = Decimal(value) if isinstance(value, int) else Decimal(f"{value:.15g}")
    if not exact.is_finite():
        raise _Unclear(f"{value} is not a number")
    first = style.split(";", maxsplit=1)[0].strip()
    if first.lower() in ("general", "@", "") or re.fullmatch(r"[#0?,.]+E[+-]0+", first):
        return _plain(exact)
    words = "".join(quoted or letter for quoted, letter in _LITERAL.findall(first))
    bare = re.sub(r"[$€£¥ \u00a0()+]|-(?=[#0])", "", _DRESS.sub("", _LITERAL.sub("", first)))
    percent = bare.endswith("%")
    found = _DIGITS.fullmatch(bare.removesuffix("%"))
    if not found or bare.count("%") > 1 or bare.endswith(","):
        raise _Unclear(f"the number format {style!r} is not read here: format the cell as a plain number")
    exact = exact * 100 if percent else exact
    places = len(found[1] or "")
    if exact != round(exact, places):
        told = f"{_plain(round(exact, places))}{'%' if percent else ''}"
        held = f"{_plain(exact)}{'%' if percent else ''}"
        raise _Unclear(f"this cell shows {told} and holds {held}: round the value, or show all its digits")
    unit = words.strip(" $€£¥")
    return f"{_plain(exact)}%" if percent else f"{_plain(exact)} {unit}".strip()


def _plain(value: Decimal) -> str:
    """A decimal without an exponent and without zeros at its end."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _moment_shown(value: datetime.datetime, style: str) -> str:
    first = _DRESS.sub("", _LITERAL.sub("", style.split(";", maxsplit=1)[0])).lower()
    day = value.date().isoformat()
    if not (value.hour or value.minute or value.second or value.microsecond):
        if "d" not in first and value.day != 1:
            raise _Unclear(f"this cell shows no day and holds {day}: show the day too")
        return day
    if "h" not in first:
        raise _Unclear(f"this cell shows a date only and holds {value}: show the time too, or take it away")
    return value.isoformat(" ")


def _span_shown(value: datetime.timedelta) -> str:
    seconds, rest = divmod(value, datetime.timedelta(seconds=1))
    if rest or seconds < 0:
        raise _Unclear(f"{value} is not a duration of whole seconds")
    return f"{seconds}s"
