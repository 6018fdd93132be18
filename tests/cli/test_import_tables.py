"""Tables are shown beside what is recorded, applied whole or not at all, and written as YAML."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import validate

from forebay.cli import hosting, outputs
from forebay.cli.main import run_line
from forebay.server import listening
from tests.cli.rig import ROOT, Shell
from tests.feeds.test_sheets import book

RACKS = """\
Site,Country,Hall,Rack,SKU,Feed,Feed limit (MW),Nodes
lab-1,FI,h1,r01,gb300-nvl72,main,1,2
lab-1,,h1,r02,gb300-nvl72,main,,2
"""
TRANCHES = """\
Contract,Seller,Customer,Currency,Tranche,Site,SKU,Unit,Count,Start,Term (days),GPU/h price
acme-1,us,acme,USD,acme-t1,lab-1,gb300-nvl72,node,2,now,30,2.00
"""
MILESTONES = "Site,Time zone,Milestone,Planned date\nlab-1,UTC,grid,2030-03-01\n"
BLOCKS = "Site,Block,SKU,Racks,After\nlab-1,b1,gb300-nvl72,2,grid\n"
POWER = "Site,Stage,Kind,Contracted (MW),Start\nlab-1,s1,grid,10,grid\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A world with nothing in it, and a command line that finds it."""
    shell = Shell(tmp_path_factory.mktemp("import"))
    state = shell.worlds / "import"
    state.mkdir(parents=True, mode=0o700)
    host = hosting.Host(listening.Options(state, port=0, world="import"), any_port=False)
    yield shell
    host.stop_work(lambda count: None)
    host.close()


def write(shell: Shell, **texts: str) -> None:
    for name, text in texts.items():
        (shell.home / f"{name}.csv").write_text(text, encoding="utf-8")


def test_a_diff_then_the_real_one_then_nothing(server: Shell) -> None:
    write(server, racks=RACKS, tranches=TRANCHES)
    ran = server("import", "--dry-run", "racks.csv", "tranches.csv")
    assert ran.status == 0, ran.err
    assert (
        "Site lab-1: new\n  + site lab-1\n  + feed main\n  + hall h1\n  + rack r01\n  + rack r02\n" in ran.out
    )
    assert "Contract acme-1: new" in ran.out
    ran = server("import", "racks.csv", "tranches.csv", "--json")
    assert ran.status == 0, ran.err
    validate(ran.json, outputs.OUTPUTS["import"])
    assert [each["changed"] for each in ran.json["applied"]] == [True, True]
    assert (
        server("import", "tranches.csv", "racks.csv").out
        == "Site lab-1: unchanged\nContract acme-1: unchanged\n"
    )
    write(server, changed=TRANCHES.replace("2.00", "2.10"))
    ran = server("import", "-n", "changed.csv", "--json")
    assert ran.status == 4
    validate(ran.json, outputs.OUTPUTS["import.diff"])
    (change,) = ran.json["documents"][0]["changed"]
    assert (change["field"], change["old"], change["new"]) == ("price_per_gpu_hour", "2.00", "2.10")
    ran = server("import", "-n", "changed.csv")
    assert "~ tranche acme-t1: price_per_gpu_hour: 2.00 -> 2.10" in ran.out
    assert "changed.csv, row 2" in ran.err
    assert "is signed with other terms" in ran.err


def test_what_would_be_refused_is_told_by_its_cell_and_nothing_is_applied(server: Shell) -> None:
    write(
        server,
        racks2=RACKS.replace("lab-1", "lab-2").replace("r0", "s0").replace("main", "m2").replace("h1", "h2"),
    )
    text = TRANCHES.replace("acme", "oak").replace("lab-1", "lab-2").replace("node,2", "node,20")
    write(server, oversold=text)
    ran = server("import", "racks2.csv", "oversold.csv")
    assert ran.status == 3
    assert ran.err.startswith(
        "forebay: oversold.csv, row 2, column 'Count': tranche oak-t1 promises 20 nodes"
    )
    assert "Nothing was applied." in ran.err
    assert "lab-2" not in server("status", "--json").out
    told = server("import", "racks2.csv", "oversold.csv", "--json")
    assert '"column_name": "Count"' in told.err
    assert '"row": 2' in told.err


def test_a_schedule_loses_nothing_unasked(server: Shell) -> None:
    write(server, racks=RACKS, milestones=MILESTONES, blocks=BLOCKS, power=POWER)
    assert server("import", "racks.csv", "milestones.csv", "blocks.csv", "power.csv").status == 0
    ran = server("import", "milestones.csv", "blocks.csv")
    assert ran.status == 4
    assert "recorded, and not in these tables: power stage s1" in ran.err
    assert server("import", "--remove", "milestones.csv", "blocks.csv").out == "Schedule lab-1: applied\n"


def test_a_site_comes_with_its_schedule(server: Shell) -> None:
    site = RACKS.replace("lab-1", "lab-9").replace("r0", "n0").replace("main", "m9").replace("h1", "h9")
    header, *rows = site.splitlines()
    racks = "\n".join([f"{header},Block", *(f"{row},b9" for row in rows)]) + "\n"
    blocks = "Site,Block,SKU,Racks,After\nlab-9,b9,gb300-nvl72,{},shell\n"
    shell = "Site,Time zone,Milestone,Reached\nlab-9,UTC,shell,2020-03-01\n"
    write(server, nine=racks, nine_b=blocks.format(1), nine_m=shell)
    files = ("nine.csv", "nine_b.csv", "nine_m.csv")
    ran = server("import", *files)
    assert (ran.status, ran.err.splitlines()[0]) == (
        3, "forebay: nine.csv, row 2, column 'Block': rack n02: block b9 has 1 racks only",
    )  # fmt: skip
    write(server, nine_b=blocks.format(4).replace(",shell", ",roof"))
    ran = server("import", *files)
    assert "nine_b.csv, row 2, column 'After': block b9 waits for roof, which is not a milestone" in ran.err
    assert "lab-9" not in server("status", "--json").out
    write(server, nine_b=blocks.format(4))
    assert server("import", *files).out == "Site lab-9: applied\nSchedule lab-9: applied\n"
    assert server("import", *files).out == "Site lab-9: unchanged\nSchedule lab-9: unchanged\n"


def test_prices_that_change_have_a_table(server: Shell) -> None:
    tranches = TRANCHES.replace("acme", "elm").replace(",2,now,30,", ",1,2030-01-01,60,")
    steps = "Contract,Tranche,Price date,GPU/h price (USD)\nelm-1,elm-t1,2030-01-15,1.75\n"
    steps += "elm-1,elm-t1,2030-02-01,1.5\n"
    zone = tranches.replace("Currency,", "Currency,Zone,").replace("USD,", "USD,UTC,")
    write(server, racks=RACKS, elm=zone, steps=steps)
    assert server("import", "racks.csv").status == 0
    ran = server("import", "--dry-run", "elm.csv", "steps.csv")
    assert (ran.status, "  + price 2030-01-15T00:00:00Z of elm-t1\n" in ran.out) == (0, True), (
        ran.out + ran.err
    )
    assert server("import", "elm.csv", "steps.csv").status == 0
    assert "Contract elm-1: unchanged" in server("import", "elm.csv", "steps.csv").out
    write(server, steps=steps.replace("1.5", "1.25"))
    ran = server("import", "--dry-run", "elm.csv", "steps.csv")
    assert "~ price 2030-02-01T00:00:00Z of elm-t1: price_per_gpu_hour: 1.50 -> 1.25" in ran.out, ran.out
    write(server, steps=steps.replace("1.5", "1.2345678"))
    ran = server("import", "--dry-run", "elm.csv", "steps.csv")
    told = " ".join(ran.err.split())
    assert "steps.csv, row 3, column 'GPU/h price (USD)': '1.2345678'" in told, told


def told(capsys: pytest.CaptureFixture[str], status: int, *arguments: str | Path) -> str:
    """What is said when nothing is asked of a server: in this process, since processes take their time."""
    assert run_line(["import", *map(str, arguments)]) == status
    return capsys.readouterr().err


def test_mistakes_are_told_without_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = book({"Racks": [["Site", "Hall", "Rack", "SKU", "Feed", "Nodes"], ["l", "h", "r", "x", "f", -1]],
                 "Notes": [["call Jussi"]]}, hidden="Notes")  # fmt: skip
    path = tmp_path / "plan.xlsx"
    path.write_bytes(data)
    err = told(capsys, 1, path)
    assert "plan.xlsx: sheet 'Notes' is hidden and is not read" in err
    assert (
        "plan.xlsx, sheet 'Racks', row 2, column 'Nodes': '-1' is not a whole number from 0 to 10000" in err
    )
    assert "hidden" not in told(capsys, 1, "-q", "--sheet", "Racks", path)
    assert "there is no sheet 'Rack'; there are: Racks, Notes" in told(capsys, 1, "--sheet", "Rack", path)
    assert "Show it in the workbook" in told(capsys, 1, "--sheet", "Notes", path)
    assert "there is no file or folder" in told(capsys, 1, tmp_path / "none.csv")
    assert "plan.xlsx, sheet 'Racks'" in told(capsys, 1, tmp_path)
    (tmp_path / "empty").mkdir()
    assert "there is no .csv, .tsv, .xlsx file in" in told(capsys, 1, tmp_path / "empty")
    assert "one of them is meant" in told(capsys, 2, "--write", "x", "-n", path)


@pytest.mark.parametrize(
    ("contracts", "words"),
    [
        (
            "Contract,Seller,Customer,Currency,Lawyer\noak-1,us,oak,USD,Jussi\n",
            "for contracts 'Lawyer' is not known",
        ),
        (
            "Contract,Seller,Customer,Currency,Customer\noak-1,us,oak,USD,oak\n",
            "for contracts 'tenant' stands twice",
        ),
    ],
)
def test_a_table_that_cannot_be_told_is_all_that_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], contracts: str, words: str
) -> None:
    # The tranches lack their seller only because it stands in the table that could not be told.
    tranches = "Contract,Tranche,Site,SKU,Count,Start,Term (days),GPU/h price,Zone\n"
    tranches += "oak-1,oak-t1,lab-1,gb300-nvl72,1,2030-01-01,30,2.00,UTC\n"
    (tmp_path / "contracts.csv").write_text(contracts)
    (tmp_path / "tranches.csv").write_text(tranches)
    err = told(capsys, 1, tmp_path / "tranches.csv", tmp_path / "contracts.csv")
    why = "contracts.csv, row 1: which table this is does not follow from its columns: "
    assert f"{why}{words}" in " ".join(err.split())
    assert ("tranches.csv" in err, err.count("contracts.csv")) == (False, 1)
    # What is wrong with a cell by itself is told all the same.
    (tmp_path / "tranches.csv").write_text(tranches + ",oak-t2,lab-1,gb300-nvl72,1,2030-01-01,30,2.00,UTC\n")
    err = told(capsys, 1, tmp_path / "tranches.csv", tmp_path / "contracts.csv")
    assert words in " ".join(err.split())
    assert "tranches.csv, row 3, column 'Contract': nothing stands here" in err


#: What is written in which column in the place of what is right, the reason, and the words.
MISTAKES = [
    ("Zone", "", "no_zone", "Start", "'2031-09-01' has no zone: write an offset"),
    ("Count", "-1", "bad_quantity", "Count", "'-1' is not a whole number from 1 to 10000000"),
    ("Count", "99999999999", "bad_quantity", "Count", "is not a whole number from 1 to 10000000"),
    ("Price", "3.1234567", "too_precise", "Price", "money with more digits than a micro-unit"),
    ("Price", "-3", "bad_quantity", "Price", "'-3' is not a price, such as '2.85'"),
    ("SKU", "gb999", "unknown_sku", "SKU", "SKU gb999 is not in the catalogue (known: "),
]


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_each_mistake_has_its_reason_and_its_cell(server: Shell, ending: str) -> None:
    write(server, racks=RACKS)
    assert server("import", "racks.csv").status == 0
    head = [
        "Contract",
        "Seller",
        "Customer",
        "Currency",
        "Zone",
        "Tranche",
        "Site",
        "SKU",
        "Count",
        "Start",
        "Term",
        "Price",
    ]
    good = [
        "oak-1",
        "us",
        "oak",
        "USD",
        "UTC",
        "oak-t1",
        "lab-1",
        "gb300-nvl72",
        "1",
        "2031-09-01",
        "30d",
        "3",
    ]
    for column, text, code, blamed, words in MISTAKES:
        row = good.copy()
        row[head.index(column)] = text
        path = server.home / f"wrong.{ending}"
        if ending == "csv":
            path.write_text("\n".join(map(",".join, (head, row))) + "\n")
        else:
            path.write_bytes(book({"Tranches": [head, row]}))
        told = json.loads(server("import", path.name, "--json").err)
        (place,) = told["errors"]
        assert (told["code"], place["code"]) == (code, code), told
        assert (place["row"], place["column_name"], words in place["detail"]) == (2, blamed, True), told
    assert "oak" not in server("contracts", "--json").out


def test_what_is_written_is_left_alone_and_applies_as_the_same(server: Shell) -> None:
    tables = str(ROOT / "examples" / "deal" / "tables")
    ran = server("import", "--write", "estate", tables, "--json")
    assert ran.status == 0, ran.err
    validate(ran.json, outputs.OUTPUTS["import.written"])
    assert all(each["changed"] for each in ran.json["files"])
    assert "unchanged" in server("import", "--write", "estate", tables).out
    sites = [str(path) for path in sorted(Path(server.home, "estate").glob("s*.yaml"))]
    assert server("apply", *sites).status == 0
    files = [f"{tables}/{name}.csv" for name in ("sites", "feeds", "milestones", "causes", "power", "blocks")]
    assert "applied" not in server("import", *files).out
    (server.home / "estate" / "site-birmingham.yaml").write_text("mine")
    ran = server("import", "--write", "estate", tables)
    assert ran.status == 4
    assert "says something else; nothing was written" in ran.err
