"""Rows become the documents that YAML would hold; what is wrong is told by file, sheet, row and column."""

import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.feeds import columns, commands, folder, reading, sheets, tables
from tests.feeds import rows
from tests.feeds.test_sheets import book

ROOT = Path(__file__).resolve().parents[2]
NOW = commands.Setting(0)


def made_of(texts: dict[str, str], table: str = "") -> list[tables.Made]:
    """What tables come to, by file."""
    found = [sheet for file, text in texts.items() for sheet in sheets.read_sheets(text.encode(), file)]
    return tables.documents_of(found, table)


def wrong(texts: dict[str, str], table: str = "") -> list[sheets.CellProblem]:
    with pytest.raises(sheets.TableError) as error:
        made_of(texts, table)
    return error.value.problems


def asked(documents: list[reading.Document]) -> list[Any]:
    return [commands.command_of(document, NOW).command for document in folder.in_order(documents)]


def again(made: list[tables.Made]) -> list[reading.Document]:
    """The documents as their written text reads."""
    return [document for each in made for document in reading.documents(each.text.text, each.stem)]


def test_the_tables_of_the_deal_ask_for_what_its_documents_ask_for() -> None:
    files = sorted((ROOT / "examples" / "deal" / "tables").glob("*.csv"))
    made = made_of({file.name: file.read_text(encoding="utf-8") for file in files})
    wanted = [
        each for each in folder.Folder.read(ROOT / "examples" / "deal").documents if each.kind in rows.WHOLE
    ]
    assert asked([each.document for each in made]) == asked(wanted)
    assert asked(again(made)) == asked(wanted)


def test_documents_come_back_from_their_tables() -> None:
    wanted = folder.Folder.read(ROOT / "examples" / "one_site").documents
    wanted = [each for each in wanted if each.kind in rows.WHOLE]
    found = rows.joined(wanted)
    texts = {f"{name}.csv": rows.csv_of(each).decode() for name, each in found.items()}
    assert asked([each.document for each in made_of(texts)]) == asked(wanted)


# Hypothesis: document -> table -> document

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,5}", fullmatch=True)
WORDS = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=12).map(
    lambda text: text.replace("\u00a0", " ").strip()
)
DAYS = st.integers(1, 999).map(lambda days: f"{days}d")
DATES = st.dates(min_value=datetime.date(2026, 1, 1)).filter(lambda day: day.year < 2199).map(str)
WATTS = st.builds("{} {}".format, st.integers(1, 999), st.sampled_from(["W", "kW", "MW"]))
PRICES = st.decimals(0, 10**6, places=6).map(str)


def record(required: Any, optional: Any = None) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(required, optional=optional)


def listed(strategy: st.SearchStrategy[Any], most: int = 4, key: str = "id") -> st.SearchStrategy[Any]:
    return st.lists(strategy, min_size=1, max_size=most, unique_by=lambda each: str(each[key]))


def quoted(value: Any) -> str:
    """A value as YAML's flow style."""
    match value:
        case dict():
            return "{" + ", ".join(f"{name}: {quoted(each)}" for name, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(quoted(each) for each in value) + "]"
        case bool() | int():
            return str(value).lower()
    return "'" + str(value).replace("'", "''") + "'"


TRANCHES = record(
    {"id": NAMES, "site": NAMES, "sku": NAMES, "count": st.integers(1, 10**7), "start": DATES, "term": DAYS,
     "price_per_gpu_hour": PRICES},
    optional={
        "unit": st.sampled_from(["rack", "node"]),
        "lending": record({"reclaim_deadline": DAYS, "owner_share": st.just("12.5 %")}),
        "late": record({}, optional={"grace": DAYS, "cap": PRICES}).filter(bool),
        "price_steps": st.lists(
            record({"at": DATES, "price_per_gpu_hour": PRICES}), min_size=1, max_size=3,
            unique_by=lambda each: str(each["at"]),
        ),
        "deliveries": st.lists(
            record({"at": DATES, "count": st.integers(1, 99)}),
            min_size=1, max_size=3, unique_by=lambda each: str(each["at"]),
        ),
        "acceptance": record(
            {"tests": listed(record({"name": NAMES, "at_least": st.just("370.5")}), key="name")},
            optional={"deemed": DAYS},
        ),
        "maintenance": record({"allowed": DAYS}, optional={"windows": listed(
            record({"day": st.sampled_from(["sunday", "friday"]), "start": st.just("02:00"),
                    "length": st.just("4h")}), key="day")}),
        "service": record({"unit": st.just("rack")}, optional={
            "ladder": st.just([{"below": "99 %", "credit": "5 %"}, {"below": "95 %", "credit": "30 %"}]),
            "chronic": st.just({"months": 3, "of_months": 6, "below": "95 %"}), "cap_month": st.just("30 %")}),
    },
)  # fmt: skip
CONTRACTS = record(
    {"id": NAMES, "seller": WORDS.filter(bool), "tenant": NAMES, "currency": st.sampled_from(["USD", "EUR"]),
     "zone": st.just("UTC"), "tranches": listed(TRANCHES)},
    optional={
        "version": st.integers(1, 9), "on_demand": st.booleans(), "spot": st.booleans(),
        "relief": listed(record({"kind": st.sampled_from(["force_majeure", "change_order"]), "notice": DAYS,
                                 "cap": DAYS}), key="kind"),
        "payments": record({"billing": st.just("arrears"), "net": DAYS}, optional={
            "prepayments": listed(record({"at": DATES, "amount": st.just("7.25")}), key="at"),
            "interest": st.just("8 %"), "guarantee": record({"issuer": WORDS.filter(bool), "amount": st.just("5")})}),
    },
)  # fmt: skip
RACKS = record(
    {
        "id": NAMES | st.integers(0, 12).map("r{:02d}".format),
        "sku": st.sampled_from(["a", "b"]),
        "feed": NAMES,
    },
    optional={"row": WORDS.filter(bool), "nodes": st.integers(0, 9), "limit": WATTS, "block": NAMES},
)
SITES = record(
    {"id": NAMES, "jurisdiction": st.just("FI"),
     "feeds": listed(record({"id": NAMES, "limit": WATTS}, optional={"parent": NAMES, "base": WATTS})),
     "halls": listed(record({"id": NAMES, "racks": listed(RACKS, 12)}), 1)},
    optional={"title": WORDS.filter(bool), "region": WORDS.filter(bool), "zone": st.just("Europe/Helsinki")},
)  # fmt: skip
MILESTONES = record(
    {"id": NAMES},
    optional={
        "kind": WORDS.filter(bool), "after": st.lists(NAMES, min_size=1, max_size=3), "planned": DATES,
        "late_p90": DAYS, "causes": st.lists(NAMES, min_size=1, max_size=2), "reached": DATES,
        "duration": DAYS | record({"p50": st.just("1d"), "p90": DAYS})
        | st.just({"low": "1d", "likely": "2d", "high": "4d"}),
    },
)  # fmt: skip
SCHEDULES = record(
    {"site": NAMES, "zone": st.just("Europe/Helsinki"), "milestones": listed(MILESTONES),
     "blocks": listed(record(
         {"id": NAMES, "sku": NAMES, "racks": st.integers(1, 99), "after": st.lists(NAMES, min_size=1, max_size=2)}
     ))},
    optional={"pue": st.just("1.15"), "power": listed(record(
        {"id": NAMES, "kind": st.just("grid"), "contracted": WATTS, "start": NAMES}, optional={"end": NAMES}))},
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(["Site", "Schedule", "Contract"]), st.sampled_from([",", ";"]))
def test_a_document_as_tables_is_the_same_document(data: st.DataObject, kind: str, delimiter: str) -> None:
    fields = data.draw({"Site": SITES, "Schedule": SCHEDULES, "Contract": CONTRACTS}[kind])
    text = f"forebay: 1\nkind: {kind}\n" + "".join(
        f"{name}: {quoted(value)}\n" for name, value in fields.items()
    )
    wanted = reading.documents(text)
    texts = {name: rows.csv_of(each, delimiter) for name, each in rows.joined(wanted).items()}
    found = [sheet for name, each in texts.items() for sheet in sheets.read_sheets(each, f"{name}.csv")]
    made = tables.documents_of(found)
    assert asked([each.document for each in made]) == asked(wanted)
    assert asked(again(made)) == asked(wanted)


# From workbooks


def test_a_workbook_of_several_tables_comes_to_one_contract() -> None:
    first, second = (datetime.datetime(2027, month, 1) for month in (7, 9))  # noqa: DTZ001
    data = book({
        "Terms": [["Contract", "Provider", "Customer", "Currency", "Time zone"],
                  ["c1", "us", "acme", "EUR", "Europe/Helsinki"]],
        "Sold": [["Contract", "Tranche", "Site", "SKU", "Qty", "Start date", "Term (days)", "GPU/h price (EUR)",
                  "Owner share", "Reclaim deadline"],
                 ["c1", 7, "lpp", "x", 20, first, 365, (4.5, "€0.00"), (0.4, "0%"), "5m"]],
        "Plan": [["Contract", "Tranche", "Date", "Qty"], ["c1", 7, first, 12], ["c1", 7, second, 8]],
    })  # fmt: skip
    (made,) = tables.documents_of(sheets.read_sheets(data, "plan.xlsx"))
    assert (
        made.text.text
        == """\
forebay: 1
kind: Contract
id: c1
seller: us
tenant: acme
currency: EUR
zone: Europe/Helsinki
tranches:
  - id: '7'
    site: lpp
    sku: x
    count: 20
    start: 2027-07-01
    term: 365d
    price_per_gpu_hour: 4.5
    lending:
      owner_share: 40%
      reclaim_deadline: 5m
    deliveries:
      - at: 2027-07-01
        count: 12
      - at: 2027-09-01
        count: 8
"""
    )
    place = made.cell(22)
    assert place is not None
    assert place.words() == "plan.xlsx, sheet 'Plan', row 3, column 'Date'"


def test_terms_that_are_lists_have_tables_of_their_own() -> None:
    """Two tranches may have the same date; what stands in one is told apart within it."""
    more = "acceptance deemed (days),service unit,service chronic months,service chronic of months,"
    more += "service chronic below (%),payments billing,payments net (days)"
    second = ROW.replace("t1", "t2")
    (one,) = made_of({
        "a.csv": f"{TRANCHE},{more}\n{ROW},10,rack,3,6,95,arrears,30\n{second},,,,,,arrears,30",
        "b.csv": "contract,tranche,due,quantity\nc1,t1,2027-07-01T00:00:00Z,2\nc1,t2,2027-07-01T00:00:00Z,2",
        "c.csv": "contract,tranche,test,at least\nc1,t1,burn_in,72\nc1,t2,burn_in,48\n",
        "d.csv": "contract,site,milestone,share (%)\nc1,lpp,grid,10\n",
        "e.csv": "contract,tranche,below (%),credit (%)\nc1,t1,99,5\nc1,t1,95,30\n",
    })  # fmt: skip
    told = one.text.text[one.text.text.index("tranches:") :]
    assert [line.strip() for line in told.splitlines() if "id: t" in line or "at_least" in line] == [
        "- id: t1", "at_least: 72", "- id: t2", "at_least: 48",
    ]  # fmt: skip
    assert told.count("at: 2027-07-01T00:00:00Z") == 2
    plan = asked([one.document])[0].plan
    service = plan.tranches[0].service
    assert [rung.credit_ppm for rung in service.ladder] == [50_000, 300_000]
    assert (service.chronic.months, service.chronic.of_months) == (3, 6)
    assert [each.milestone for each in plan.payments.milestones] == ["grid"]


def test_racks_of_several_rows_and_files() -> None:
    made = made_of({
        "a.csv": "Site,Country,Hall,Rack,SKU,Feed,Feed limit (MW)\n"
        "lpp,FI,h1,r09,x,a,1.2\nlpp,,h1,r10,x,a,\nlpp,,h1,r12,x,a,\nlpp,,h2,s1,y,b,2\n",
        "b.csv": "site,hall,rack,sku,feed,limit\nlpp,h1,r13,x,a,132 kW\n",
    })  # fmt: skip
    (one,) = made
    command = asked([one.document])[0]
    assert [rack.id for hall in command.plan.halls for rack in hall.racks] == [
        "r09",
        "r10",
        "r12",
        "r13",
        "s1",
    ]
    assert [(feed.id, feed.limit_w) for feed in command.plan.feeds] == [("a", 1_200_000), ("b", 2_000_000)]
    assert "- id: 'r[09-10]'" in one.text.text


# What is wrong

RACK = "site,jurisdiction,hall,rack,sku,feed"
TRANCHE = "contract,seller,tenant,currency,tranche,site,sku,count,start,term,price_per_gpu_hour"
ROW = "c1,us,acme,USD,t1,lpp,x,2,2027-07-01T00:00:00Z,30d,2.85"
#: table, text, place of the first problem (row, column), words in it
WRONG: list[tuple[str, str, tuple[int, str], str]] = [
    ("", "colour,weight\n1,2", (1, ""), "none of these is a column of a table that is known"),
    ("", f"{RACK},colour\n", (1, ""), "for racks 'colour' is not known"),
    ("", "site,jurisdiction,rack,sku\n", (1, ""), "for racks 'hall', 'feed' are missing"),
    ("", f"{RACK},Rack ID\n", (1, ""), "for racks 'rack' stands twice"),
    ("", "site,id\nlpp,x", (1, ""), "those of milestones and of causes alike: say which with --as"),
    ("racks", f"{RACK},colour\n", (1, "colour"), "racks have no column 'colour'; known are: site,"),
    ("racks", f"{RACK},nods\n", (1, "nods"), "did you mean 'nodes'?"),
    ("racks", f"{RACK},Rack ID\n", (1, "Rack ID"), "this column and 'rack' are the same one"),
    ("racks", "site,hall,rack,feed\n", (1, ""), "racks need a column 'sku': a name"),
    ("", RACK, (0, ""), "there is no row in it below the names of columns"),
    ("", "", (0, ""), "there is no row in it"),
    ("", f"{RACK}\nlpp,FI,h1,r1,x,a,b\n", (2, "G"), "'b' stands in a column without a name"),
    ("", f"{RACK}\nlpp,FI,,r1,x,a\n", (2, "hall"), "nothing stands here: a name"),
    ("", f"{RACK}\n,FI,h1,r1,x,a\n", (2, "site"), "nothing stands here"),
    ("", f"{RACK}\nlpp,FI,h1,r1,,a\n", (2, "sku"), "nothing is not a name"),
    ("", f"{RACK}\nlpp,,h1,r1,x,a\n", (2, ""), "'jurisdiction' is missing: a country, such as 'FI'"),
    ("", f"{RACK}\nlpp,Finland,h1,r1,x,a\n", (2, "jurisdiction"), "two capital letters are meant"),
    ("", f"{RACK}\nlpp,FI,h1,r1,x,a\nlpp,SE,h1,r2,x,a", (3, "jurisdiction"), "'FI' in t.csv, row 2"),
    ("", f"{RACK}\nlpp,FI,h1,r1,x,a\nlpp,FI,h2,r1,x,a", (3, "rack"), "r1 stands twice (first in t.csv, row 2)"),
    ("", f"{RACK},nodes\nlpp,FI,h1,r1,x,a,-2", (2, "nodes"), "'-2' is not a whole number from 0"),
    ("", f"{RACK},nodes\nlpp,FI,h1,r1,x,a,2.5", (2, "nodes"), "'2.5' is not a whole number from 0"),
    ("", f"{RACK},limit\nlpp,FI,h1,r1,x,a,132", (2, "limit"), "'132' would be 132 W: write a unit here"),
    ("", f"{RACK},limit\nlpp,FI,h1,r1,x,a,-1 kW", (2, "limit"), "'-1 kW' is not power"),
    ("", f"{RACK},limit\nlpp,FI,h1,r1,x,a,99999999 GW", (2, "limit"), "is too large"),
    ("", f"{RACK},limit (kW)\nlpp,FI,h1,r1,x,a,much", (2, "limit (kW)"), "'much' is not power"),
    ("", f"{RACK}\nlpp,FI,h1,r[1-99999],x,a", (2, "rack"), "stands for 99999 racks"),
    ("", f"{TRANCHE}\n{ROW[:-4]}2.8512345", (2, "price_per_gpu_hour"), "more digits than a micro-unit"),
    ("", f"{TRANCHE}\n{ROW[:-4]}-1", (2, "price_per_gpu_hour"), "'-1' is not a price"),
    ("", f'{TRANCHE}\n{ROW[:-4]}"2,85"', (2, "price_per_gpu_hour"), "'2.85'; digits stand without commas"),
    ("", f"{TRANCHE}\n{ROW.replace('T00:00:00Z', '')}", (2, "start"), "has no zone"),
    ("", f"{TRANCHE}\n{ROW.replace('2027-07-01T00:00:00Z', '1 July')}", (2, "start"), "'1 July' is not a time"),
    ("", f"{TRANCHE},end\n{ROW},2028-01-01Z", (2, "end"), "is not a time"),
    ("", f"{TRANCHE},end\n{ROW},2028-01-01T00:00:00Z", (2, "tranche"), "one of 'end' (a date) and 'term'"),
    ("", f"{TRANCHE}\n{ROW}\n{ROW}", (3, "tranche"), "t1 stands twice (first in t.csv, row 2)"),
    ("", "contract,tranche,test,at_least\nc1,t1,burn_in,72\nc1,t1,burn_in,9", (3, "test"), "burn_in stands twice"),
    ("", "contract,tranche,test,at_least\nc1,t1,burn_in,much", (2, "at_least"), "'much' is not a number"),
    ("", "contract,tranche,below,credit\nc1,t1,99,5 %", (2, "below"), "'99'"),
    ("", f"{TRANCHE},delivery_at,delivered\n{ROW},2027-07-01,1\n{ROW},2027-07-01,1", (3, "delivery_at"),
     "delivery 2027-07-01 stands twice"),
    ("", f"{TRANCHE},delivery_at,delivered\n{ROW},,1", (2, "delivery_at"), "nothing stands here: a time"),
    ("", f"{TRANCHE.replace('per_gpu_hour', 'per GPU hour (EUR)')}\n{ROW}", (2, "price_per GPU hour (EUR)"),
     "'EUR' here, 'USD' in t.csv, row 2, column 'currency'"),
    ("", "contract,tranche,at,count\nc1,t1,2027-07-01Z,1", (2, ""), "'seller' is missing"),
    ("", "site,milestone,planned\nlpp,m,2027-01-01Z", (2, "site"), "has no blocks here"),
    ("milestones", "site,milestone,duration,p50\nlpp,m,3d,3d", (2, "p50"), "is said by column 'duration' already"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "text", "place", "words"), WRONG, ids=lambda value: str(value)[:40])
def test_mistakes_are_told_by_their_cell(table: str, text: str, place: tuple[int, str], words: str) -> None:
    problems = wrong({"t.csv": text}, table)
    told = [problem for problem in problems if words in problem.detail]
    assert told, problems
    assert (told[0].place.file, told[0].place.row, told[0].place.column) == ("t.csv", *place)


def test_all_that_is_wrong_is_told_at_once() -> None:
    text = f"{RACK},nodes\n,FI,h1,r1,x,a,\nlpp,FI,h1,r2,x,a,many\nlpp,FI,h1,r2,x,a,1\n"
    assert [(each.place.row, each.place.column) for each in wrong({"t.csv": text})] == [
        (2, "site"), (3, "nodes"), (4, "rack"),
    ]  # fmt: skip
    many = f"{RACK}\n" + "lpp,FI,h1,r1,x,a\n" * 100
    assert len(wrong({"t.csv": many})) == sheets.PROBLEMS_MAX


def test_what_a_sheet_is_may_be_said() -> None:
    assert made_of({"t.csv": "site,id,planned\nlpp,m,2027-01-01T00:00:00Z",
                    "b.csv": "site,block,sku,racks,after\nlpp,b,x,1,m"})  # fmt: skip
    with pytest.raises(sheets.TableError, match="causes have no column 'planned'"):
        made_of({"t.csv": "site,id,planned\nlpp,m,2027-01-01Z"}, "causes")


def test_every_table_is_recognised_by_its_own_columns() -> None:
    for name, table in columns.TABLES.items():
        names = [column.name for column in columns.columns_of_table(table)]
        required = [column.name for column in columns.columns_of_table(table) if column.required]
        for header in (names, required):
            found = sheets.Sheet("t.csv", "", [sheets.SheetRow(1, header)])
            assert tables.table_of(found) == name
