"""A part of a site: for people, for spreadsheets, for programs."""

import csv
import io

import openpyxl
import pytest
from jsonschema import validate

from forebay.cli import capacity, outputs, subtree
from tests.cli.desk import Desk, golden

#: A second hall on a second feed, and where the racks of the second block are to come: half of them.
PLACED = """\
forebay: 1
kind: Site
id: fjord
title: The fjord
region: north
jurisdiction: NO
feeds:
  - {id: fjord-main, limit: 50 MW}
  - {id: fjord-a, limit: 1.5 MW, parent: fjord-main, base: 100 kW}
  - {id: fjord-b, limit: 3 MW, parent: fjord-main}
halls:
  - id: fjord-h1
    racks:
      - {id: 'f[01-10]', sku: duo, feed: fjord-main, block: fjord-b1}
      - {id: 'f[11-12]', sku: duo, feed: fjord-a, row: a, loop: l1}
  - {id: fjord-h2, racks: []}
  - {id: l1, racks: []}
---
forebay: 1
kind: Schedule
site: fjord
zone: UTC
pue: 1.25
milestones:
  - {id: first-hall, planned: 2026-11-01, reached: 2026-11-15}
  - {id: grid, kind: grid, planned: 2027-05-01}
  - {id: racks, planned: 2027-04-01}
  - {id: acceptance, after: [grid, racks], duration: 30d}
power:
  - {id: fjord-line, kind: grid, contracted: 2 MW, connected: 1.5 MW, start: first-hall}
  - {id: fjord-upgrade, kind: grid, contracted: 8 MW, start: grid}
blocks:
  - {id: fjord-b1, sku: duo, racks: 10, after: [first-hall]}
  - {id: fjord-b2, sku: duo, racks: 15, after: [acceptance], hall: fjord-h1, row: a, feed: fjord-a}
  - {id: fjord-b3, sku: duo, racks: 15, after: [acceptance], hall: fjord-h2, feed: fjord-b}
  - {id: fjord-b4, sku: duo, racks: 8, after: [acceptance]}
---
forebay: 1
kind: PromisePolicy
version: 2
spares: rack
---
forebay: 1
kind: Contract
id: elm-1
seller: us
tenant: elm
currency: EUR
zone: UTC
tranches:
  - {id: elm-now, site: fjord, sku: duo, count: 11, start: 2026-12-15, end: 2027-04-01, price_per_gpu_hour: 5}
"""


@pytest.fixture
def placed(desk: Desk) -> Desk:
    ran = desk("apply", desk.file("placed.yaml", PLACED))
    assert ran.status == 0, ran.err
    return desk


SHOWN = ("--months", "9", "--from", "2026-12-01")


def test_a_hall_and_a_feed_for_people(placed: Desk) -> None:
    golden("capacity_hall", placed("capacity", "--under", "fjord/fjord-h1", *SHOWN).out)
    golden("capacity_feed", placed("capacity", "--under", "fjord/fjord-a", *SHOWN, "--unit", "gpus").out)
    row = placed("capacity", "--under", "fjord/fjord-h1/a", "--months", "1").out
    assert row.startswith("fjord/fjord-h1/a, a row; racks, promisable at P90 (promise policy 2)")
    assert "whose row is not told: they count for the site, and for none of its rows." in row.replace(
        "\n  ", " "
    )


def test_the_schedule_says_where_blocks_come(placed: Desk) -> None:
    told = placed("schedule", "fjord").out
    assert "WAITS FOR   COMES TO\n" in told
    assert "acceptance  hall fjord-h1, row a, feed fjord-a\n" in told
    assert "COMES TO" not in placed("schedule", "mesa").out


def test_figures_are_as_the_schema_says(placed: Desk) -> None:
    told = placed("capacity", "--under", "fjord/fjord-a", "--json", *SHOWN).json
    validate(told, outputs.OUTPUTS["capacity"])
    under = told["under"]
    assert (under["path"], under["kind"], under["site"]) == ("fjord/fjord-a", "feed", "fjord")
    assert [stock["site"] for stock in told["stocks"]] == ["fjord"]
    # In July 17 racks are there, 2 of them are bound, and the power suffices for 13 and a half: 27 nodes.
    (stock,) = under["stocks"]
    july = stock["months"][7]
    names = ("supply_p90", "bound", "unbound", "powered", "promisable", "site_promisable", "unplaced_p50")
    assert [july[name] for name in names] == [34, 4, 30, 27, 27, 38, 16]
    assert under["power"][7]["left_w"] == 1_500_000 - 120_000 - 160_000


def test_spreadsheets(placed: Desk) -> None:
    rows = list(
        csv.DictReader(io.StringIO(placed("capacity", "--under", "fjord/fjord-a", "--csv", "-", *SHOWN).out))
    )
    assert [row["month"] for row in rows] == ["2026-12", *(f"2027-0{n}" for n in range(1, 9))]
    july = {"under": "fjord/fjord-a", "sku": "duo", "unbound_racks": "15", "powered_racks": "13.5"}
    assert rows[7] == rows[7] | july | {"left_w": "1220000", "tightest": "fjord-a"}
    hall = placed("capacity", "--under", "fjord/fjord-h2", "--csv", "-", "--months", "1").out.splitlines()
    assert hall[0].endswith("unplaced_p90_racks,powered_racks,provisional")
    path = placed.shell.home / "hall.xlsx"
    ran = placed("capacity", "--under", "fjord/fjord-h1", "--xlsx", str(path), *SHOWN)
    assert (ran.out, ran.err) == ("", f"{path}: 9 rows\n")
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["capacity", "bound", "about"]
    assert [cell.value for cell in book["bound"][2]][:5] == ["elm-now", "elm-1", "elm", "duo", 11]
    assert book["about"]["B1"].value == "fjord/fjord-h1, a hall"
    path = placed.shell.home / "feed.xlsx"
    assert placed("capacity", "--under", "mesa/mesa-main", "--xlsx", str(path)).status == 0
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["capacity", "power", "bound", "about"]
    assert [cell.value for cell in book["power"][2]][2:] == [
        50_000_000,
        None,
        0,
        0,
        50_000_000,
        "feed",
        "mesa-main",
    ]


MISTAKES = [
    (["--under", "nowhere/h1"], "there is no site nowhere (there are: fjord, mesa)"),
    (["--under", "fjord"], "fjord is a site: name a part of it, such as fjord/HALL"),
    (
        ["--under", "fjord/h9"],
        "there is no hall, feed or loop h9 at fjord (there are: halls fjord-h1, fjord-h2, l1; feeds",
    ),
    (["--under", "fjord/fjord-h1/b"], "there is no row 'b' in hall fjord-h1 of fjord (there are: a)"),
    (["--under", "fjord/l1"], "l1 is a hall and a loop of fjord: say fjord/hall:l1 or fjord/loop:l1"),
    (["--under", "fjord/fjord-h1", "--site", "mesa"], "fjord/fjord-h1 is a part of site fjord, not of mesa"),
    (["--under", "fjord/fjord-h1", "--sku", "trio"], "there is no SKU trio; known: duo"),
]


def test_mistakes_say_what_would_be_right(placed: Desk) -> None:
    for arguments, told in MISTAKES:
        ran = placed("capacity", *arguments)
        assert (ran.status, ran.out) == (1, "")
        assert told in ran.err


def test_a_tenant_is_not_told(placed: Desk) -> None:
    ran = placed("capacity", "--under", "fjord/fjord-h1", by="acme")
    assert (ran.status, ran.out) == (5, "")
    assert placed("capacity", "--under", "fjord/fjord-h1", by="finance").status == 0


def test_many_tranches_and_nothing_at_all() -> None:
    months = [
        {name: 0 for _, name in subtree.BELOW_FIGURES} | {"month": "2027-01", "powered": None, "unbound": -2}
    ]
    bound = [
        {
            "tranche": f"t{n}",
            "tenant": "x",
            "nodes": 2,
            "start": "2027-01-01T00:00:00Z",
            "end": "2028-01-01T00:00:00Z",
        }
        for n in range(14)
    ]
    stock = {"sku": "duo", "nodes_per_rack": 2, "gpus_per_node": 4, "provisional": True, "gpus_unplaced": 0,
             "months": months, "bound": bound}  # fmt: skip
    under = {
        "path": "s/l",
        "site": "s",
        "kind": "loop",
        "name": "l",
        "row": "",
        "stocks": [stock],
        "power": [],
    }
    body = {"policy": {"version": 0, "confidence": "p50"}, "under": under}
    told = subtree.below_text(body, "racks", capacity.in_unit, True)
    assert "s/l, a cooling loop; racks, promisable at P50" in told
    assert "and 2 more; --json tells all" in told
    assert "\x1b[31m\x1b[1m" in told
    assert "provisional: P50 and P90 are not those" in told
    bare = subtree.below_text(body | {"under": under | {"stocks": []}}, "nodes", capacity.in_unit, False)
    assert "nothing stands there or is to come" in bare
