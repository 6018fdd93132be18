"""Own and rented capacity in one calendar: for people, as JSON, CSV and a workbook."""

import csv
import io
from pathlib import Path

import openpyxl
from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk, golden

WE = "forebay: 1\nkind: Estate\nparty: us\ntitle: The desk\n"
RENTED = """\
forebay: 1
kind: Contract
id: lake-1
seller: lakeside
tenant: us
currency: USD
zone: UTC
tranches:
  - id: lake-duo
    site: lake
    sku: duo
    count: 30
    start: 2027-02-01
    term: 1000d
    deliveries: [{at: 2027-02-01, count: 10}, {at: 2027-04-01, count: 20}]
    price_per_gpu_hour: 2.00
    late: {grace: 5d, damages_per_gpu_day: 10, cap: 100000, longstop: 30d}
caps: [{id: more, amount: 5000000}]
rights:
  - {id: lake-call, kind: call, site: lake, sku: duo, racks: 30, racks_min: 5, cap: more, price_per_gpu_hour: 2,
     notice: 30d, expires: 2027-10-01, term: 365d}
  - {id: lake-put, kind: backstop, site: lake, sku: duo, racks: 20, cap: more, price_per_gpu_hour: 2, notice: 10d,
     measured: 2027-06-01, term: 30d}
  - {id: lake-ends, kind: termination, tranche: lake-duo}
"""
WINDOW = ("--from", "2027-01-01", "--months", "5")


def rent(desk: Desk) -> None:
    answer = desk.rig.apply(WE, RENTED)
    assert answer.status_code == 200, answer.text


def test_suppliers_month_by_month(desk: Desk) -> None:
    before = desk("suppliers", *WINDOW, "--months", "1")
    assert before.out.startswith("GPUs and shares at P90; nobody said who we are: apply an Estate\n")
    rent(desk)
    golden("suppliers", desk("suppliers", *WINDOW).out)
    validate(desk("suppliers", "--json", by="finance").json, outputs.OUTPUTS["suppliers"])
    assert desk("suppliers", by="acme").status == 5


def test_the_capacity_table_has_what_is_rented(desk: Desk) -> None:
    own = desk("capacity", *WINDOW).out
    assert "supplier" not in own
    rent(desk)
    golden("capacity_rented", desk("capacity", *WINDOW, "--site", "lake").out)
    validate(desk("capacity", "--json").json, outputs.OUTPUTS["capacity"])


def test_tables_for_spreadsheets_name_the_supplier(desk: Desk, tmp_path: Path) -> None:
    rent(desk)
    rows = list(csv.DictReader(io.StringIO(desk("capacity", *WINDOW, "--csv", "-").out)))
    april = {row["site"]: row for row in rows if row["month"] == "2027-04"}
    assert (april["lake"]["supplier"], april["lake"]["supplier_share_percent"]) == ("lakeside", "75")
    assert (april["fjord"]["supplier"], april["fjord"]["supplier_share_percent"]) == ("own", "25")
    path = tmp_path / "capacity.xlsx"
    assert desk("capacity", *WINDOW, "--xlsx", str(path)).status == 0
    sheet = openpyxl.load_workbook(path).worksheets[0]
    heads = [cell.value for cell in sheet[1]]
    assert heads[-2:] == ["SUPPLIER", "SUPPLIER'S SHARE, %"]
    lake = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2) if row[0].value == "lake"]
    assert [row[-2:] for row in lake[:2]] == [["lakeside", 0], ["lakeside", 50]]
