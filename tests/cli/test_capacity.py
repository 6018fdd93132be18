"""The capacity table: for people, for spreadsheets, for programs."""

import csv
import io

import openpyxl
import pytest
from jsonschema import validate

from forebay.cli import capacity, outputs
from tests.cli.desk import TOO_MUCH, Desk, golden


def test_the_table_for_people(desk: Desk) -> None:
    assert desk("slip", "grid", "--by", "90").status == 0
    ran = desk("capacity", "--months", "10", "--from", "2027-05-01")
    golden("capacity", ran.out)
    one = desk(
        "capacity",
        "--site",
        "mesa",
        "--sku",
        "duo",
        "--months",
        "1",
        "--from",
        "2028-02-15",
        "--unit",
        "gpus",
    )
    assert "2028-02  800    0" in one.out
    assert "fjord" not in one.out
    assert "2028-02  200    0" in desk(
        "capacity", "--site", "mesa", "--months", "1", "--from", "2028-02-15", "--unit", "nodes"
    ).out  # fmt: skip


def test_figures_are_as_the_schema_says_and_do_not_depend_on_the_unit(desk: Desk) -> None:
    told = [desk("capacity", "--json", "--unit", unit).json for unit in ("racks", "gpus")]
    assert told[0]["stocks"] == told[1]["stocks"]
    validate(told[0], outputs.OUTPUTS["capacity"])
    assert [len(stock["months"]) for stock in told[0]["stocks"]] == [18, 18]


def test_csv(desk: Desk) -> None:
    rows = list(csv.DictReader(io.StringIO(desk("capacity", "--csv", "-", "--months", "8").out)))
    assert len(rows) == 16
    figures = dict.fromkeys((f"{name}_racks" for _, name in capacity.SHEET_FIGURES), "0")
    assert rows[7] == figures | {
        "site": "fjord", "sku": "duo", "month": "2027-07", "supply_p50_racks": "50", "supply_p90_racks": "50",
        "committed_racks": "30", "promisable_racks": "20", "provisional": "no", "mark": "",
    }  # fmt: skip
    path = desk.shell.home / "capacity.csv"
    ran = desk("capacity", "--csv", str(path), "--months", "8")
    assert (ran.out, ran.err) == ("", f"{path}: 16 rows\n")
    assert len(path.read_text().splitlines()) == 17
    assert desk("capacity", "--csv", "-", "--json").status == 2


def test_a_workbook(desk: Desk) -> None:
    path = desk.shell.home / "capacity.xlsx"
    assert desk("sign", desk.file("too.yaml", TOO_MUCH), "--override", "a test").status == 0
    assert desk("capacity", "--xlsx", str(path), "--months", "12", "--site", "fjord").status == 0
    book = openpyxl.load_workbook(path)
    sheet = book["capacity"]
    assert [sheet[f"{letter}1"].value for letter in "ABCDL"] == ["SITE", "SKU", "MONTH", "P50", "PROMISABLE"]
    # September 2027: 50 racks there, 55 promised.
    assert [sheet[f"{letter}11"].value for letter in "ABDFLMP"] == ["fjord", "duo", 50, 55, -5, 5, "short"]
    assert str(sheet["C11"].value) == "2027-09-01 00:00:00"
    assert "[Red]" in sheet["L11"].number_format
    assert sheet.auto_filter.ref == f"A1:P{sheet.max_row}"
    about = {name.value: meaning.value for name, meaning in book["about"].iter_rows()}
    assert about["HELD"] == "Kept for customers while they think an offer over."


MISTAKES = [
    (["--site", "nowhere"], 1, "there is no site nowhere; known: fjord, mesa"),
    (["--sku", "trio"], 1, "there is no SKU trio; known: duo, "),
    (["--from", "soon"], 1, "from: 'soon' is not a time, such as '2026-12-01T08:00:00Z'"),
    (["--months", "0"], 2, "0 is not in the range"),
]


def test_mistakes_say_what_would_be_right(desk: Desk) -> None:
    for arguments, status, told in MISTAKES:
        ran = desk("capacity", *arguments)
        assert ran.status == status
        assert told in ran.err


def test_a_tenant_is_not_told(desk: Desk) -> None:
    ran = desk("capacity", by="acme")
    assert (ran.status, ran.out) == (5, "")


STOCK = {"nodes_per_rack": 18, "gpus_per_node": 4}


@pytest.mark.parametrize(
    ("nodes", "unit", "told"),
    [
        (36, "racks", "2"),
        (-36, "racks", "-2"),
        (71, "racks", "3.9"),
        (-1, "racks", "-0.1"),
        (3, "gpus", "12"),
    ],
)
def test_racks_that_are_broken(nodes: int, unit: str, told: str) -> None:
    assert str(capacity.in_unit(nodes, STOCK, unit)) == told


def test_nothing_at_all_and_colours() -> None:
    policy = {"version": 0, "confidence": "p90"}
    assert capacity.capacity_text({"policy": policy, "stocks": []}, "racks", False).startswith(
        "nothing stands"
    )
    month = {name: 0 for _, name in capacity.SHEET_FIGURES} | {
        "month": "2027-01",
        "promisable": -36,
        "calls": 36,
    }
    parts = [{"start": "2027-01-01T00:00:00Z", "end": None, "nodes": 36, "gpus": 144}]
    over = {
        "kind": "call",
        "id": "c",
        "tenant": "t",
        "site": "s",
        "sku": "k",
        "nodes_per_rack": 18,
        "parts": parts,
    }
    stock = STOCK | {"site": "s", "sku": "k", "provisional": True, "months": [month | {"overdrawn": 36}],
                     "overdrawn": [over | {"id": f"c{n}"} for n in range(12)]}  # fmt: skip
    told = capacity.capacity_text({"policy": policy, "stocks": [stock]}, "racks", True)
    assert "\x1b[31m\x1b[1m" in told
    assert "overdrawn: holds and rights may take more than there will be" in told
    assert "call c9 (t; k at s) is overdrawn by 144 GPUs (2 racks) from 2027-01-01 on" in told
    assert told.endswith("and 2 more; `forebay rights` tells all")
    assert "-2" in told
