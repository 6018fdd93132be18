"""Which tables are read, and which columns may each have? The columns follow from the fields of the documents.

A table says something about things on one or several levels: a row of `racks` about a rack, its hall, its feed and
its site. A thing's id stands in a column that is called as the thing is (`rack`), its other fields in columns called
as the fields are; a group of fields (`late`) gives a column for each (`late_grace`). Case, spaces and signs in the
names of columns do not matter. A unit at the end of a name (`limit (kW)`) is meant for the bare numbers below it.
"""

from __future__ import annotations

import functools
import re
import types
import typing
from typing import Any, NamedTuple

import msgspec

from forebay.core.units import MINOR_DIGITS
from forebay.feeds import forms, kinds, plant_kinds, quantities, reading, terms

Path = tuple[str, ...]


class TableLevel(NamedTuple):
    """Things of one sort that a row says something about."""

    #: What its id column is called.
    word: str
    kind: type
    #: The field that tells one from another.
    key: str = "id"
    #: The level that it stands in, and in which of its lists; "" for a whole document.
    above: str = ""
    within: str = ""


SITE = TableLevel("site", plant_kinds.SiteDocument)
FEED = TableLevel("feed", plant_kinds.FeedEntry, "id", "site", "feeds")
HALL = TableLevel("hall", plant_kinds.HallEntry, "id", "site", "halls")
RACK = TableLevel("rack", plant_kinds.RackEntry, "id", "hall", "racks")
SCHEDULE = TableLevel("schedule", kinds.ScheduleDocument, "site")
MILESTONE = TableLevel("milestone", kinds.MilestoneEntry, "id", "schedule", "milestones")
CAUSE = TableLevel("cause", kinds.CauseEntry, "id", "schedule", "causes")
STAGE = TableLevel("stage", kinds.PowerEntry, "id", "schedule", "power")
BLOCK = TableLevel("block", kinds.BlockEntry, "id", "schedule", "blocks")
CONTRACT = TableLevel("contract", kinds.ContractDocument)
TRANCHE = TableLevel("tranche", kinds.TrancheEntry, "id", "contract", "tranches")
DELIVERY = TableLevel("delivery", kinds.DeliveryEntry, "at", "tranche", "deliveries")
PRICE_STEP = TableLevel("price step", kinds.PriceStepEntry, "at", "tranche", "price_steps")
RIGHT = TableLevel("right", kinds.RightEntry, "id", "contract", "rights")
CAP = TableLevel("cap", kinds.CapEntry, "id", "contract", "caps")
OPENING = TableLevel("opening", terms.OpeningEntry, "at", "contract", "opening")
OPENED_TRANCHE = TableLevel(
    "opened tranche", terms.OpenedTrancheEntry, "tranche", "contract", "opening.tranches"
)
OPENED_RIGHT = TableLevel("opened right", terms.OpenedRightEntry, "right", "contract", "opening.rights")
OPENED_CAP = TableLevel("opened cap", terms.OpenedCapEntry, "cap", "contract", "opening.caps")
OPENED_INVOICE = TableLevel(
    "open invoice", terms.OpenedInvoiceEntry, "number", "contract", "opening.invoices"
)
CLAUSE = TableLevel("clause", kinds.ClauseEntry, "title", "contract", "clauses")
TEST = TableLevel("test", kinds.TestEntry, "name", "tranche", "acceptance.tests")
RUNG = TableLevel("rung", terms.RungEntry, "below", "tranche", "service.ladder")
WINDOW = TableLevel("window", terms.WindowEntry, "day", "tranche", "maintenance.windows")
RELIEF = TableLevel("relief", kinds.ReliefEntry, "kind", "contract", "relief")
PREPAYMENT = TableLevel("prepayment", terms.PrepaymentEntry, "at", "contract", "payments.prepayments")
PAID_MILESTONE = TableLevel(
    "paid milestone", terms.MilestonePaymentEntry, "milestone", "contract", "payments.milestones"
)


class Table(NamedTuple):
    """A table: what a row of it is about. The first level is the document, `own` what each row is one of."""

    #: The kind of document that it is a part of.
    document: str
    levels: tuple[TableLevel, ...]
    own: TableLevel
    #: A level that a row says something about only where its columns are filled.
    optional: TableLevel | None = None


TABLES: dict[str, Table] = {
    "sites": Table("Site", (SITE,), SITE),
    "feeds": Table("Site", (SITE, FEED), FEED),
    "racks": Table("Site", (SITE, HALL, RACK, FEED), RACK, FEED),
    "milestones": Table("Schedule", (SCHEDULE, MILESTONE), MILESTONE),
    "causes": Table("Schedule", (SCHEDULE, CAUSE), CAUSE),
    "power": Table("Schedule", (SCHEDULE, STAGE), STAGE),
    "blocks": Table("Schedule", (SCHEDULE, BLOCK), BLOCK),
    "contracts": Table("Contract", (CONTRACT,), CONTRACT),
    "tranches": Table("Contract", (CONTRACT, TRANCHE, DELIVERY), TRANCHE, DELIVERY),
    "deliveries": Table("Contract", (CONTRACT, TRANCHE, DELIVERY), DELIVERY),
    "price_steps": Table("Contract", (CONTRACT, TRANCHE, PRICE_STEP), PRICE_STEP),
    "rights": Table("Contract", (CONTRACT, RIGHT), RIGHT),
    "caps": Table("Contract", (CONTRACT, CAP), CAP),
    "clauses": Table("Contract", (CONTRACT, CLAUSE), CLAUSE),
    "tests": Table("Contract", (CONTRACT, TRANCHE, TEST), TEST),
    "ladders": Table("Contract", (CONTRACT, TRANCHE, RUNG), RUNG),
    "windows": Table("Contract", (CONTRACT, TRANCHE, WINDOW), WINDOW),
    "reliefs": Table("Contract", (CONTRACT, RELIEF), RELIEF),
    "prepayments": Table("Contract", (CONTRACT, PREPAYMENT), PREPAYMENT),
    "paid_milestones": Table("Contract", (CONTRACT, PAID_MILESTONE), PAID_MILESTONE),
    "openings": Table("Contract", (CONTRACT, OPENING), OPENING),
    "opening_tranches": Table("Contract", (CONTRACT, OPENED_TRANCHE), OPENED_TRANCHE),
    "opening_rights": Table("Contract", (CONTRACT, OPENED_RIGHT), OPENED_RIGHT),
    "opening_caps": Table("Contract", (CONTRACT, OPENED_CAP), OPENED_CAP),
    "opening_invoices": Table("Contract", (CONTRACT, OPENED_INVOICE), OPENED_INVOICE),
}

#: Other names of columns, by level and field. Beside them each column answers to its level's name before its own.
SYNONYMS: dict[tuple[str, str], tuple[str, ...]] = {
    ("site", "jurisdiction"): ("country",),
    ("site", "zone"): ("time zone",),
    ("feed", "limit"): ("feed power",),
    ("feed", "parent"): ("upstream", "upstream feed"),
    ("rack", "sku"): ("type", "rack type", "model"),
    ("rack", "limit"): ("power limit", "rack power"),
    ("rack", "loop"): ("cooling loop",),
    ("schedule", "zone"): ("time zone",),
    ("milestone", "planned"): ("planned date", "date", "target date"),
    ("milestone", "after"): ("depends on", "waits for", "predecessors"),
    ("milestone", "reached"): ("reached on", "done", "actual date"),
    ("milestone", "duration_p50"): ("p50",),
    ("milestone", "duration_p90"): ("p90",),
    ("milestone", "duration_low"): ("low",),
    ("milestone", "duration_likely"): ("likely",),
    ("milestone", "duration_high"): ("high",),
    ("stage", "contracted"): ("contracted power",),
    ("stage", "connected"): ("connected power",),
    ("block", "sku"): ("type", "rack type", "model"),
    ("block", "racks"): ("rack count", "number of racks"),
    ("block", "after"): ("depends on", "waits for", "milestones"),
    ("block", "loop"): ("cooling loop",),
    ("contract", "tenant"): ("customer",),
    ("contract", "seller"): ("provider",),
    ("contract", "zone"): ("time zone",),
    ("tranche", "sku"): ("type", "rack type", "model"),
    ("tranche", "count"): ("quantity", "qty"),
    ("tranche", "start"): ("start date", "from"),
    ("tranche", "end"): ("end date", "until"),
    ("tranche", "price_per_gpu_hour"): ("GPU/h price", "price per GPU/h", "GPU-hour price", "price"),
    ("tranche", "lending_reclaim_deadline"): ("reclaim deadline",),
    ("tranche", "lending_owner_share"): ("owner share",),
    ("tranche", "late_grace"): ("grace",),
    ("tranche", "late_damages_per_gpu_day"): ("damages per GPU/day", "damages"),
    ("tranche", "late_longstop"): ("longstop",),
    ("delivery", "at"): ("delivery date", "delivery", "due"),
    ("delivery", "count"): ("delivered", "delivery quantity", "delivery qty"),
    ("price step", "at"): ("step date", "price date", "from", "effective from"),
    ("price step", "price_per_gpu_hour"): ("GPU/h price", "price per GPU/h", "GPU-hour price", "price"),
    ("right", "price_per_gpu_hour"): ("GPU/h price", "price per GPU/h", "GPU-hour price", "price"),
    ("clause", "title"): ("clause title",),
    ("opening", "at"): ("cutover", "as of", "opening date"),
    ("opening", "billed"): ("billed to date",),
    ("opening", "deferred"): ("deferred revenue",),
    ("opening", "prepaid"): ("prepayment balance",),
    ("opening", "credited"): ("credits given",),
    ("opening", "credit_open"): ("open credits",),
    ("opened tranche", "delivered"): ("units delivered", "accepted units"),
    ("opened tranche", "accepted"): ("accepted on", "since"),
    ("opened cap", "drawn"): ("drawn to date",),
    ("open invoice", "number"): ("invoice", "invoice number"),
    ("open invoice", "open"): ("outstanding", "open amount"),
    ("open invoice", "issued"): ("invoice date",),
    ("open invoice", "due"): ("due date",),
    ("clause", "date"): ("clause date", "due date"),
    ("test", "name"): ("test",),
    ("test", "at_least"): ("least",),
    ("test", "at_most"): ("most",),
    ("rung", "below"): ("below availability",),
    ("prepayment", "at"): ("payment date", "date", "due"),
}
#: Fields of a whole document whose name alone would say something else in a row.
_PREFIXED = frozenset({"title", "version", "shortfall_served", "shortfall_before", "shortfall_after"})
#: What is said by tables of its own; and the currency of an opening, which is the contract's.
_ELSEWHERE = frozenset({(kinds.ContractDocument, "opening"), (terms.OpeningEntry, "currency")})
_UNITS: dict[Any, dict[str, str]] = {
    quantities.watts: {unit.lower(): unit for unit in quantities.WATTS},
    quantities.seconds: {"s": "s", "min": "min", "h": "h", "d": "d", "seconds": "s", "minutes": "min", "hours": "h",
                         "days": "d"},
    quantities.share_ppm: {"%": "%"},
}  # fmt: skip
_CURRENCIES = {currency.lower(): currency for currency in MINOR_DIGITS}
_UNIT_AT_END = re.compile(r"(.+?)(?:[\s_]+|[\s_]*[(\[])([A-Za-z%]+)[)\]]?")


class Column(NamedTuple):
    """A column that a table may have."""

    name: str
    level: TableLevel
    #: The field of the level that its values are.
    path: Path
    hint: Any
    #: Whether the table is not one without it.
    required: bool
    synonyms: tuple[str, ...]

    @property
    def form(self) -> forms.Form | forms.Count | None:
        """How one value is written; None for a choice, a truth, and a list of names."""
        found = typing.get_args(self.hint) if typing.get_origin(self.hint) is typing.Annotated else ()
        return found[1] if found else None

    @property
    def several(self) -> bool:
        """Whether a cell may hold several names."""
        return typing.get_origin(self.hint) is list


class Match(NamedTuple):
    """A column as a sheet has it, with the unit that stands in its name."""

    column: Column
    unit: str = ""


def plain_name(name: str) -> str:
    """A name with nothing left but letters and digits, in lower case."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


@functools.cache
def columns_of(table: str) -> dict[str, Column]:
    """The columns that a table may have, by name."""
    return {column.name: column for column in columns_of_table(TABLES[table])}


@functools.cache
def columns_of_table(table: Table) -> tuple[Column, ...]:
    """The columns that a table may have, those of the levels above first."""
    return tuple(column for level in table.levels for column in _level_columns(table, level))


@functools.cache
def known_names(table: str) -> dict[str, Column]:
    """Every name that a column of the table answers to, in its normal form. A name of two columns is the first's."""
    names: dict[str, Column] = {}
    columns = columns_of(table).values()
    for column in columns:
        names.setdefault(plain_name(column.name), column)
    for column in columns:
        for synonym in column.synonyms:
            names.setdefault(plain_name(synonym), column)
    return names


def match(table: str, header: str) -> Match | None:
    """The column that a name in a sheet means; None when the table has no such column."""
    names = known_names(table)
    if column := names.get(plain_name(header)):
        unit = "%" if header.rstrip(")] ").endswith("%") else ""
        return Match(column, unit)
    found = _UNIT_AT_END.fullmatch(header.strip())
    if found and (column := names.get(plain_name(found[1]))):
        unit = _units_of(column).get(found[2].lower(), "")
        return Match(column, unit) if unit else None
    return None


def _units_of(column: Column) -> dict[str, str]:
    """Units that may stand in the name of a column, by how they are spelled there."""
    if not isinstance(column.form, forms.Form):
        return {}
    read = column.form.read
    return _CURRENCIES if read.__name__.endswith("_micros") else _UNITS.get(read, {})


def _level_columns(table: Table, level: TableLevel) -> list[Column]:
    fields = [each for each in _fields(level.kind) if (level.kind, each[0][0]) not in _ELSEWHERE]
    if level is table.levels[0] or level is table.own or level is table.optional:
        chosen = fields
    else:
        chosen = [field for field in fields if field[0] == (level.key,)]
    if level is table.optional and table.own is RACK:
        # The id of the feed is the rack's own column.
        chosen = [field for field in chosen if field[0] != (level.key,)]
    return [_column(table, level, *field) for field in chosen]


def _column(table: Table, level: TableLevel, path: Path, hint: Any, required: bool) -> Column:
    field = "_".join(path)
    is_key = path == (level.key,)
    prefixed = f"{level.word}_{field}"
    if is_key and level.key == "id":
        name, others = level.word, (prefixed, f"{level.word} name", *(["id"] if level is table.own else []))
    elif level is table.own or (level is table.levels[0] and field not in _PREFIXED):
        name, others = field, (prefixed,)
    else:
        name, others = prefixed, ()
    needed = level is not table.optional and (is_key or (required and level is table.own))
    return Column(name, level, path, hint, needed, (*others, *_synonyms(table, level, field)))


def _synonyms(table: Table, level: TableLevel, field: str) -> tuple[str, ...]:
    found = SYNONYMS.get((level.word, field), ())
    if level is DELIVERY is table.own:
        found += {"at": ("date",), "count": ("quantity", "qty")}[field]
    return found


def _fields(kind: type) -> list[tuple[Path, Any, bool]]:
    """Fields that a cell can hold: path, type, whether it is required. Lists of things are tables of their own."""
    found: list[tuple[Path, Any, bool]] = []
    for member in reading.members(kind):
        options = [member.hint]
        if typing.get_origin(member.hint) in (typing.Union, types.UnionType):
            options = [each for each in typing.get_args(member.hint) if each is not type(None)]
        for hint in sorted(options, key=_is_group):
            if _is_group(hint):
                found += [((member.name, *path), inner, False) for path, inner, _ in _fields(hint)]
            elif typing.get_origin(hint) is not list or not _is_group(typing.get_args(hint)[0]):
                found.append(((member.name,), hint, member.required))
    return found


def _is_group(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)
