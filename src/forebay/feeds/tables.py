"""How do tables become documents? Rows are gathered into things by their ids, and things are read as documents are.

Every value goes through the forms that YAML is read with, so a table can say nothing that a document could not. A
value keeps the place of its cell all the way, also through the text that is sent: whatever is wrong is told by file,
sheet, row and column.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from forebay.core.units import MINOR_DIGITS
from forebay.feeds import columns, commands, forms, quantities, reading, sheets, tree, writing
from forebay.feeds.columns import Column, Match, Path, Table, TableLevel
from forebay.feeds.sheets import CellPlace, CellProblem, Sheet, TableError

#: A bare number of watts below this is a number of something else whose unit was forgotten.
BARE_WATTS_MIN = 1000
_NUMBER = re.compile(r"[0-9.]+")
#: That a number with a comma in it is none.
_COMMA = re.compile(r"'[0-9.]*[0-9],[0-9]")
_COUNTED = re.compile(r"([^\[\]]*?)([0-9]{1,6})([^0-9\[\]]*)")
#: A range that was made of rows before.
_RANGE_SO_FAR = re.compile(r"([^\[\]]*)\[([0-9]{1,6})-([0-9]{1,6})\]([^\[\]]*)")


class Made(NamedTuple):
    """A document that tables came to, and the text that it is sent and written as."""

    document: reading.Document
    text: writing.Written
    cells: Cells

    @property
    def id(self) -> str:
        """Its id; of a schedule that of its site."""
        return self.document.name or str(self.document.body.site)

    @property
    def stem(self) -> str:
        """What a file with it is called, without its ending."""
        return f"{self.document.kind.lower()}-{self.id}"

    def cell(self, line: int) -> CellPlace | None:
        """The cell that a line of the text came from."""
        place = self.text.place(line)
        return None if place is None else self.cells.at(place)


class Cells:
    """Places of cells, each with a number that stands for it in a tree."""

    def __init__(self) -> None:
        self._places: list[CellPlace] = []

    def add(self, place: CellPlace) -> tree.Place:
        """Its number, as the line of a place in a tree."""
        self._places.append(place)
        return tree.Place(len(self._places))

    def at(self, place: tree.Place) -> CellPlace | None:
        """The cell that a place in a tree stands for."""
        return self._places[place.line - 1] if 0 < place.line <= len(self._places) else None


@dataclass(slots=True)
class _Value:
    text: str
    node: tree.Node
    place: CellPlace


@dataclass(slots=True)
class _Thing:
    level: TableLevel
    key: str
    place: tree.Place
    values: dict[Path, _Value] = field(default_factory=dict)
    #: Cells in which nothing stands, of columns that need something.
    blanks: dict[Path, CellPlace] = field(default_factory=dict)
    #: List -> id -> thing.
    things: dict[str, dict[str, _Thing]] = field(default_factory=dict)


def documents_of(found: list[Sheet], table: str = "") -> list[Made]:
    """The documents that these sheets come to. `table` says what each of them is; else their columns do.

    Raises `TableError` with all that is wrong.
    """
    gathering = _Gathering()
    for sheet in found:
        gathering.add(sheet, table)
    # What stands in a table that could not be told would be missing from documents that the others speak of.
    made = [] if gathering.untold else gathering.documents()
    if gathering.problems:
        order = {(sheet.file, sheet.name): number for number, sheet in enumerate(found)}
        gathering.problems.sort(key=lambda each: (order.get(each.place[:2], 0), each.place.row))
        raise TableError(gathering.problems[: sheets.PROBLEMS_MAX])
    if not made:
        files = ", ".join(dict.fromkeys(sheet.file for sheet in found))
        raise TableError(
            [CellProblem(CellPlace(files or "nothing"), "there is no row in it below the names of columns")]
        )
    return made


def table_of(sheet: Sheet) -> str:
    """The table that a sheet is, by its columns. Raises `TableError`."""
    header = sheet.rows[0]
    place = CellPlace(sheet.file, sheet.name, header.number)
    names = [name for name in header.texts if name]
    fitting = [table for table in columns.TABLES if not list(_unfit(table, names))]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        told = f"these columns are those of {' and of '.join(fitting)} alike: say which with --as"
        raise TableError([CellProblem(place, told)])
    counted = {
        table: sum(columns.match(table, name) is not None for name in names) for table in columns.TABLES
    }
    best = max(counted.values())
    near = [table for table, count in counted.items() if count == best]
    if not best:
        told = f"none of these is a column of a table that is known: {', '.join(columns.TABLES)}"
        raise TableError([CellProblem(place, f"{told}; names of columns stand in the first row")])
    why = "; ".join(f"for {table} {', '.join(_unfit(table, names))}" for table in near[:3])
    raise TableError([CellProblem(place, f"which table this is does not follow from its columns: {why}")])


def _unfit(table: str, names: list[str]) -> list[str]:
    """Why these are not the columns of a table."""
    matches = [(name, columns.match(table, name)) for name in names]
    here = [match.column.name for _, match in matches if match is not None]
    unknown = [repr(name) for name, match in matches if match is None]
    missing = [
        repr(each.name)
        for each in columns.columns_of(table).values()
        if each.required and each.name not in here
    ]
    twice = sorted({repr(name) for name in here if here.count(name) > 1})
    said = ((unknown, "is not known", "are not known"), (missing, "is missing", "are missing"),
            (twice, "stands twice", "stand twice"))  # fmt: skip
    return [f"{', '.join(found)} {one if len(found) == 1 else more}" for found, one, more in said if found]


class _Gathering:
    """Rows that were read so far, as things; and what was wrong with them."""

    def __init__(self) -> None:
        self.problems: list[CellProblem] = []
        #: Whether there is a table of which it is not known what its columns are.
        self.untold = False
        self._cells = Cells()
        #: Kind -> id -> document.
        self._roots: dict[str, dict[str, _Thing]] = {"Site": {}, "Schedule": {}, "Contract": {}}
        #: Kind, id of the document, of the tranche, word and id of a thing -> the row that it was stated in.
        self._stated: dict[tuple[str, str, str, str, str], CellPlace] = {}

    def add(self, sheet: Sheet, name: str) -> None:
        """Read a sheet as the table that it is."""
        sheet = sheets.without_title(sheet)
        if not sheet.rows:
            return
        try:
            name = name or table_of(sheet)
            matches = _header(sheet, name)
        except TableError as error:
            self.problems += error.problems
            self.untold = True
            return
        for number, texts in sheet.rows[1:]:
            row = _Row(CellPlace(sheet.file, sheet.name, number), columns.TABLES[name])
            # Only cells of the header's width have a name above them; what stands beyond is told of.
            for place, text in enumerate(texts):
                above, match = matches[place] if place < len(matches) else ("", None)
                self._cell(row, text, above or sheets.letters_of(place), match)
            self._gather(row)

    def _cell(self, row: _Row, text: str, header: str, match: Match | None) -> None:
        place = row.place._replace(column=header)
        if match is None:
            if text:
                self.problems.append(CellProblem(place, f"{text!r} stands in a column without a name"))
            return
        column = match.column
        values = row.values.setdefault(column.level.word, {})
        if not text:
            row.blanks[column.level.word, column.path] = (place, column)
            return
        if _bare_watts(match, text):
            told = f"{text!r} would be {text} W: write a unit here ('{text} MW'), or after the name of the column"
            self.problems.append(CellProblem(place, told))
        values[column.path] = _Value(text, _node_of(match, text, self._cells.add(place)), place)
        if match.unit in MINOR_DIGITS:
            currency = tree.Scalar(self._cells.add(place), match.unit, True)
            row.currencies.append(_Value(match.unit, currency, place))

    def _gather(self, row: _Row) -> None:
        """Find or make the things that a row is about, and note what it says of them."""
        levels = row.levels()
        here: dict[str, _Thing] = {}
        for level in levels:
            key = row.values.get(level.word, {}).get((level.key,))
            if key is None:
                self.problems.append(row.missing(level))
                return
            siblings = self._roots[row.table.document]
            if level.above:
                siblings = here[level.above].things.setdefault(level.within, {})
            thing = siblings.get(key.text) or _Thing(level, key.text, self._cells.add(key.place))
            if level is row.table.own or level is row.single():
                stated = self._stated_first(row, level, here, key)
                if stated is None:
                    return
                if stated:
                    # In the order of the rows that state them, whatever named them before.
                    siblings.pop(key.text, None)
            siblings[key.text] = here[level.word] = thing
            self._note(thing, row)

    def _stated_first(
        self, row: _Row, level: TableLevel, here: dict[str, _Thing], key: _Value
    ) -> bool | None:
        """Whether this row is the first that states a thing; None if it may not be stated again."""
        root = next(iter(here.values())).key if here else key.text
        # A contract is opened once, whatever the date. What stands in a tranche is told apart within it.
        known = "" if level is columns.OPENING else key.text
        inside = here["tranche"].key if level.above == "tranche" else ""
        what = (row.table.document, root, inside, level.word, known)
        if what not in self._stated:
            self._stated[what] = row.place
            return True
        if level is row.single():
            first = self._stated[what].words()
            told = f"{level.word} {key.text} stands twice (first in {first}): one row for each is meant"
            self.problems.append(CellProblem(key.place, told))
            return None
        return False

    def _note(self, thing: _Thing, row: _Row) -> None:
        said = list(row.values[thing.level.word].items())
        if not thing.level.above:
            said += [(("currency",), value) for value in row.currencies]
        for path, value in said:
            known = thing.values.setdefault(path, value)
            if known.text != value.text:
                told = (
                    f"{value.text!r} here, {known.text!r} in {known.place.words()}: the same is meant for one"
                )
                self.problems.append(CellProblem(value.place, f"{told} {thing.level.word}"))
        for (word, path), (place, column) in row.blanks.items():
            if word == thing.level.word and column.required:
                thing.blanks.setdefault(path, place)

    def documents(self) -> list[Made]:
        """Every document, read and checked; what is wrong is added to the problems."""
        made: list[Made] = []
        for kind, things in self._roots.items():
            for name, thing in things.items():
                if kind == "Schedule":
                    self._check_whole(name, thing)
                try:
                    root = self._mapping(thing)
                    document = reading.document(root, "", kind)
                    commands.command_of(document, commands.Setting(0))
                except tree.DocumentError as error:
                    self.problems += [self._located(problem) for problem in error.problems]
                else:
                    made.append(Made(document, writing.written(kind, root), self._cells))
        return made

    def _check_whole(self, name: str, thing: _Thing) -> None:
        """A schedule takes the place of the one before: half of one would take away the other half."""
        for missing in ("milestones", "blocks"):
            if missing not in thing.things:
                told = f"the schedule of {name} has no {missing} here, and a new schedule takes the place of the old"
                place = self._cells.at(thing.place) or CellPlace("")
                advice = "import milestones and blocks together"
                self.problems.append(CellProblem(place, f"{told}: {advice}"))

    def _mapping(self, thing: _Thing) -> tree.Mapping:
        """A thing with the fields that were said, in the order of its kind."""
        entries: dict[str, tuple[tree.Place, tree.Node]] = {}
        for member in reading.members(thing.level.kind):
            node = self._member(thing, member.name)
            if node is None and member.required and member.name in _LISTS:
                node = tree.Sequence(thing.place, [])
            if node is not None:
                entries[member.name] = (node.place, node)
        return tree.Mapping(thing.place, entries)

    def _opening(self, thing: _Thing) -> tree.Node | None:
        """How a contract stood at its cutover: its one row, and the rows of the tables beside it."""
        inside = f"{columns.OPENING.within}."
        parts = {
            within.removeprefix(inside): things
            for within, things in thing.things.items()
            if within.startswith(inside)
        }
        stated = [*thing.things.get(columns.OPENING.within, {}).values()]
        if not stated and not parts:
            return None
        places = [each.place for things in parts.values() for each in things.values()]
        known = stated[0] if stated else _Thing(columns.OPENING, "", places[0])
        return self._mapping(_Thing(known.level, known.key, known.place, known.values, known.blanks, parts))

    def _member(self, thing: _Thing, name: str) -> tree.Node | None:
        if thing.level is columns.CONTRACT and name == columns.OPENING.within:
            return self._opening(thing)
        if name in thing.things:
            return tree.Sequence(thing.place, [self._mapping(each) for each in _ranged(thing.things[name])])
        said = {path: value for path, value in thing.values.items() if path[0] == name}
        if (name,) not in said:
            lists = {tuple(within.split(".")): things for within, things in thing.things.items()}
            blank = thing.blanks.get((name,))
            if inner := said | {path: things for path, things in lists.items() if path[0] == name}:
                return self._group(inner, 1)
            return None if blank is None else tree.Scalar(self._cells.add(blank), "", False)
        if len(said) > 1:
            other = next(value for path, value in said.items() if path != (name,))
            told = f"this is said by column {said[name,].place.column!r} already: one of them is meant"
            self.problems.append(CellProblem(other.place, told))
        return said[name,].node

    def _group(self, inner: dict[Path, _Value | dict[str, _Thing]], depth: int) -> tree.Mapping:
        """Fields of a group, groups in it, and lists of things; `depth` fields of each path stand above."""
        entries: dict[str, tuple[tree.Place, tree.Node]] = {}
        for name in dict.fromkeys(path[depth] for path in inner):
            here = {path: each for path, each in inner.items() if path[depth] == name}
            said = next((each for path, each in here.items() if len(path) == depth + 1), None)
            node: tree.Node
            match said:
                case None:
                    node = self._group(here, depth + 1)
                case _Value():
                    node = said.node
                case _:
                    node = tree.Sequence(
                        next(iter(said.values())).place, [*map(self._mapping, said.values())]
                    )
            entries[name] = (node.place, node)
        return tree.Mapping(next(iter(entries.values()))[0], entries)

    def _located(self, problem: tree.Problem) -> CellProblem:
        place = self._cells.at(tree.Place(problem.line)) or CellPlace("")
        if re.match(r"'\w+' is missing: ", problem.detail):
            place = place._replace(column="")
        comma = (
            "; digits stand without commas, decimals after a point" if _COMMA.match(problem.detail) else ""
        )
        code = "bad_table" if problem.code == "bad_document" else problem.code
        return CellProblem(place, f"{problem.detail}{comma}", code)


class _Row:
    """What one row says, by level."""

    def __init__(self, place: CellPlace, table: Table) -> None:
        self.place = place
        self.table = table
        self.values: dict[str, dict[Path, _Value]] = {}
        #: That stand in the names of columns with prices, for the whole document.
        self.currencies: list[_Value] = []
        self.blanks: dict[tuple[str, Path], tuple[CellPlace, Column]] = {}

    def levels(self) -> list[TableLevel]:
        """The levels that this row says something about, those above first."""
        if self.table.optional is columns.FEED and self._says(columns.FEED):
            # The feed's id is what the rack hangs on; without it there is nothing to say it of.
            feed = self.values.get("rack", {}).get(("feed",))
            self.values["feed"] = {} if feed is None else self.values["feed"] | {("id",): feed}
        return [level for level in self.table.levels if level is not self.table.optional or self._says(level)]

    def _says(self, level: TableLevel) -> bool:
        return bool(self.values.get(level.word))

    def single(self) -> TableLevel:
        """The level of which each row states another thing."""
        split = self.table.optional is columns.DELIVERY and self._says(columns.DELIVERY)
        return columns.DELIVERY if split else self.table.own

    def missing(self, level: TableLevel) -> CellProblem:
        """That the id of a thing is not in the row."""
        blank = self.blanks.get((level.word, (level.key,)))
        found = [each for each in columns.columns_of_table(self.table) if each.level is level]
        column = next(each for each in found if each.path == (level.key,))
        place = blank[0] if blank else self.place
        return CellProblem(place, f"nothing stands here: {meant_in(column)}, in every row")


#: Lists that a document has even when nothing stands in them.
_LISTS = frozenset({"feeds", "halls", "racks", "milestones", "blocks"})


def _header(sheet: Sheet, name: str) -> list[tuple[str, Match | None]]:
    """What each column is. Raises `TableError`."""
    header = sheet.rows[0]
    problems: list[CellProblem] = []
    matches: list[tuple[str, Match | None]] = []
    first: dict[str, str] = {}
    for text in header.texts:
        match = columns.match(name, text) if text else None
        matches.append((text, match))
        place = CellPlace(sheet.file, sheet.name, header.number, text)
        if match is None:
            if text:
                advice = reading.like(text, columns.columns_of(name))
                if any(advice in problem.detail for problem in problems):
                    advice = ""
                problems.append(CellProblem(place, f"{name} have no column {text!r}{advice}"))
        elif match.column.name in first:
            told = f"this column and {first[match.column.name]!r} are the same one: one of them is meant"
            problems.append(CellProblem(place, told))
        else:
            first[match.column.name] = text
    row = CellPlace(sheet.file, sheet.name, header.number)
    problems += [
        CellProblem(row, f"{name} need a column {column.name!r}: {meant_in(column)}")
        for column in columns.columns_of(name).values()
        if column.required and column.name not in first
    ]
    if problems:
        raise TableError(problems)
    return matches


def meant_in(column: Column) -> str:
    """What a cell of a column is to hold."""
    return f"{reading.meant_by(column.hint)} is meant"


def _bare_watts(match: Match, text: str) -> bool:
    form = match.column.form
    if not isinstance(form, forms.Form) or form.read is not quantities.watts or match.unit:
        return False
    return bool(_NUMBER.fullmatch(text)) and text.count(".") < 2 and 0 < float(text) < BARE_WATTS_MIN


def _node_of(match: Match, text: str, place: tree.Place) -> tree.Node:
    """A cell's text as a document would hold it: texts that look like numbers stay texts where a text is meant."""
    column, form = match.column, match.column.form
    if column.several:
        words = [word for word in re.split(r"[,;\s]+", text) if word]
        return tree.Sequence(place, [tree.Scalar(place, word, True) for word in words])
    if match.unit and match.unit not in MINOR_DIGITS and _NUMBER.fullmatch(text):
        text = f"{text}{match.unit}" if match.unit in quantities.SECONDS else f"{text} {match.unit}"
    is_text = isinstance(form, forms.Form) and form.looks == ("string",)
    return tree.Scalar(place, text, is_text)


def _ranged(things: dict[str, _Thing]) -> list[_Thing]:
    """Things in their order; racks that are alike and follow each other in number as one, `r[01-08]`."""
    found: list[_Thing] = []
    for thing in things.values():
        last = found[-1] if found and thing.level is columns.RACK else None
        name = None if last is None else _next_range(last, thing)
        if last is None or name is None:
            found.append(thing)
            continue
        known = last.values["id",]
        node = tree.Scalar(known.node.place, name, True)
        values = last.values | {("id",): _Value(name, node, known.place)}
        found[-1] = _Thing(last.level, name, last.place, values, last.blanks, last.things)
    return found


def _next_range(last: _Thing, thing: _Thing) -> str | None:
    """The range of both, if `thing` is the next after `last` and like it in all else."""
    one, other = ({path: value.text for path, value in each.values.items()} for each in (last, thing))
    name, following = one.pop(("id",)), other.pop(("id",))
    found = _RANGE_SO_FAR.fullmatch(name) or _COUNTED.fullmatch(name)
    if found is None or one != other or last.blanks or thing.blanks:
        return None
    before, first, *middle, after = found.groups()
    end = int(middle[0] if middle else first) + 1
    if end > 999_999 or following != f"{before}{end:0{len(first)}}{after}":
        return None
    return f"{before}[{first}-{end:0{len(first)}}]{after}"
