"""What is broken is refused, with the place, the number and what would be right: everything that is printed, as text.

Each row is files and a command line. All of them run against one world, in this process, and change nothing in it.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from forebay.cli import main
from tests.cli.desk import Desk, golden
from tests.server.rig import SECOND

#: Two halls with racks of two nodes with four GPUs: h1 has three, two of them in a row, h2 one, all cooled. A gang of
#: one rack draws 80 kW; of both nodes and the tight loop 20 kW are carried away.
RIDGE = """\
forebay: 1
kind: Site
id: ridge
region: north
jurisdiction: NO
feeds: [{id: ridge-main, limit: 5 MW}, {id: ridge-weak, limit: 100 kW, parent: ridge-main}]
loops: [{id: ridge-cool, liquid: 20 kW, air: 1 MW}]
halls:
  - {id: h1, racks: [{id: 'a[1-2]', sku: duo, feed: ridge-main, row: a}, {id: b1, sku: duo, feed: ridge-main}]}
  - {id: h2, racks: [{id: c1, sku: wet, feed: ridge-main, loop: ridge-cool}]}
  - {id: h3, racks: [{id: 'd[1-2]', sku: old, feed: ridge-weak}]}
---
forebay: 1
kind: Catalogue
skus:
  - {id: wet, title: Wet, gpus_per_node: 4, nodes_per_rack: 2, rack_power: 100 kW, base_power: 10 kW,
     gpu_power: 10 kW, liquid_share: 80 %, healthy_nodes: 2}
  - {id: old, title: Old, gpus_per_node: 4, nodes_per_rack: 2, rack_power: 100 kW, base_power: 10 kW,
     gpu_power: 10 kW, healthy_nodes: 2}
---
forebay: 1
kind: PriceList
version: 1
currency: USD
prices:
  - {tier: on_demand, sku: duo, price_per_gpu_hour: 4}
  - {tier: on_demand, sku: wet, price_per_gpu_hour: 4}
  - {tier: on_demand, sku: old, price_per_gpu_hour: 4}
---
forebay: 1
kind: Contract
id: elm-1
seller: us
tenant: elm
currency: USD
on_demand: true
---
forebay: 1
kind: Projects
tenant: acme
version: 1
projects: [{id: lab, gpus: 8}]
"""


class Row(NamedTuple):
    """One thing that is wrong: in words, the command line, and the files that it reads."""

    wrong: str
    words: tuple[str, ...]
    files: dict[str, str | bytes]


def gang(wrong: str, **fields: object) -> Row:
    """A gang of elm's that is not as it should be."""
    known: dict[str, object] = {
        "name": "g", "tenant": "elm", "tier": "on_demand", "sku": "duo", "gpus": 4, "sites": "[ridge]",
        "walltime": "1h",
    }  # fmt: skip
    lines = [f"{name}: {value}" for name, value in (known | fields).items() if value is not None]
    return Row(wrong, ("submit", "g.yaml"), {"g.yaml": "\n".join(["forebay: 1", "kind: Gang", *lines, ""])})


def document(wrong: str, kind: str, *lines: str, **files: str | bytes) -> Row:
    name = f"{kind.lower()}.yaml"
    return Row(wrong, ("apply", name), {name: "\n".join(["forebay: 1", f"kind: {kind}", *lines, ""])})


def sold(wrong: str, terms: str) -> Row:
    """A contract whose tranche has these terms."""
    return document(
        wrong, "Contract", "id: x", "seller: us", "tenant: elm", "currency: USD", "zone: UTC", "tranches:",
        "  - {id: x1, site: ridge, sku: duo, count: 1, start: 2027-01-01, term: 30d, price_per_gpu_hour: 2,",
        f"     {terms}}}",
    )  # fmt: skip


def replay(wrong: str, text: str | bytes, *words: str, name: str = "t.swf") -> Row:
    return Row(wrong, ("replay", name, "--gpus", "8", *words), {name: text})


JOB = "1 0 0 60 4 -1 -1 4 90 -1 1 1 1 -1 1 -1 -1 -1\n"
CYCLE = """\
forebay: 1
kind: Gang
name: {}
tenant: elm
tier: on_demand
sku: duo
gpus: 4
walltime: 1h
after: [{{gang: {}}}]
"""
BROKEN = """\
1 0 0 60 4 -1 -1 4 90 -1 1 1 1 -1 1 -1 -1 -1
2 x
3 -5 0 60 4 -1 -1 4 90 -1 1 1 1 -1 1 -1 -1 -1
4 9 0 60 0 -1 -1 0 90 -1 1 1 1 -1 1 -1 -1 -1
5 9 0 -7 4 -1 -1 4 90 -1 1 1 1 -1 1 -1 -1 -1
"""
ROWS = [
    # What can never fit, by level.
    gang("More than a node has", gpus=5, within="node"),
    gang("More than a rack has", gpus=12, within="rack"),
    gang("More than a row has", gpus=20, within="row"),
    gang("More than a block has", gpus=20, within="block"),
    gang("More than a hall has", gpus=28, within="hall"),
    gang("More than the site has", gpus=28, within="site"),
    gang("More power than its feed has", sku="old", gpus=12),
    gang("More heat than its loop carries away", sku="wet", gpus=8),
    gang("Slices larger than a rack", gpus=24, slice_gpus=12),
    gang("More than the site has, until a block is delivered", gpus=300, sites="[fjord]"),
    gang("Work of a claim that is larger than the claim", tenant="birch", tier="dedicated", tranche="birch-fjord",
         sites=None, gpus=1000),
    # What a gang may not be.
    gang("A wish for nearness that is wider than what is required", within="rack", near="hall"),
    gang("Slices that do not make up the gang", gpus=12, slice_gpus=8),
    gang("No GPU", gpus=0),
    gang("Less than no GPU", gpus=-4),
    gang("GPUs with a unit", gpus="4 GPUs"),
    gang("No limit of time", walltime="0s"),
    gang("A negative limit of time", walltime="-1h"),
    gang("A limit of time without a unit", walltime="90"),
    gang("A limit of time with the unit of power", walltime="4 kW"),
    gang("A limit of time of more than a year", walltime="400d"),
    gang("A negative grace", grace="-30s"),
    gang("A start that has passed", start_by="2020-01-01T00:00:00Z"),
    gang("A date without a zone", start_by="2027-01-01"),
    gang("An end that comes before it could be done", finish_by="2026-12-01T00:00:01Z", walltime="30d"),
    gang("An array that runs backwards", array="9-0"),
    gang("An array of no number", array="a-b"),
    gang("An array with a number twice", array="1,1"),
    gang("An array of which none may run", array="0-9%0"),
    gang("An array of negative numbers", array="-3--1"),
    # Names that nobody knows.
    gang("A kind of rack that is not in the catalogue", sku="dou"),
    gang("A site that there is not", sites="[ridg]"),
    gang("A tenant without a contract", tenant="oak"),
    gang("A tier that the contract does not allow", tier="spot"),
    gang("A tier that there is not", tier="on-demand"),
    gang("A level that there is not", within="pod"),
    gang("A tranche of somebody else's", tier="dedicated", tranche="birch-fjord", sites=None),
    gang("No tranche", tier="dedicated", sites=None),
    gang("A project that there is not", tenant="acme", tier="dedicated", tranche="acme-fjord", project="labs",
         sites=None),
    gang("More than its project may hold", tenant="acme", tier="dedicated", tranche="acme-fjord", project="lab",
         sites=None, gpus=12),
    gang("A dataset that there is not", datasets="[web]"),
    gang("A field that there is not", wall_time="1h"),
    gang("A field twice", name="g\nname: h"),
    gang("A name that is none", name="'../etc'"),
    # Who waits for whom.
    gang("It waits for itself", after="[{gang: g}]"),
    gang("It waits for one that there is not", after="[{gang: nobody}]"),
    Row("Two that wait for each other", ("submit", "two.yaml"),
        {"two.yaml": CYCLE.format("g1", "g2") + "---\n" + CYCLE.format("g2", "g1")}),
    # Policies that cannot be.
    document("A policy whose order there is not", "Policy", "version: 9", "order: sjf"),
    document("A policy with a depth of none", "Policy", "version: 9", "order: easy_depth", "depth: 0"),
    document("A policy with a negative time", "Policy", "version: 9", "overtake: -1h"),
    document("A policy that weighs more seldom than it forgets", "Policy", "version: 9", "half_life: 1h",
             "weigh: 7h"),
    document("A policy with an old version", "Policy", "version: 0"),
    document("A policy whose default is longer than the longest", "Policy", "version: 9", "walltime_default: 3h",
             "walltime_max: 2h"),
    document("Projects in a circle", "Projects", "tenant: acme", "version: 2",
             "projects: [{id: lab, parent: sub}, {id: sub, parent: lab}]"),
    document("A power limit without a unit that is one", "Site", "id: x", "jurisdiction: NO",
             "feeds: [{id: f, limit: 5 MWh}]", "halls: []"),
    document("A site on a feed that there is not", "Site", "id: x", "jurisdiction: NO",
             "feeds: [{id: f, limit: 5 MW}]", "halls: [{id: h, racks: [{id: r1, sku: duo, feed: g}]}]"),
    # Money.
    document("Prices without a currency", "PriceList", "version: 9",
             "prices: [{tier: spot, sku: duo, price_per_gpu_hour: 1}]"),
    document("Prices in a currency that there is not", "PriceList", "version: 9", "currency: DOLLAR",
             "prices: [{tier: spot, sku: duo, price_per_gpu_hour: 1}]"),
    document("A price with its currency", "PriceList", "version: 9", "currency: USD",
             "prices: [{tier: spot, sku: duo, price_per_gpu_hour: 1 USD}]"),
    document("Two prices for one thing", "PriceList", "version: 9", "currency: USD",
             "prices: [{tier: spot, sku: duo, price_per_gpu_hour: 1}, {tier: spot, sku: duo, "
             "price_per_gpu_hour: 2}]"),
    document("A contract without a currency", "Contract", "id: x", "seller: us", "tenant: elm"),
    sold("A ladder with a hole", "service: {unit: rack, ladder: [{below: 99 %, credit: 10 %}, {credit: 20 %}]}"),
    sold("A ladder that goes up", "service: {unit: rack, ladder: [{below: 95 %, credit: 10 %}, {below: 99 %, "
         "credit: 20 %}]}"),
    sold("A ladder whose lower step gives less", "service: {unit: rack, ladder: [{below: 99 %, credit: 20 %}, "
         "{below: 95 %, credit: 10 %}]}"),
    sold("Damages and a discount for one lateness", "late: {grace: 1d, damages_per_gpu_day: 5, "
         "discount_per_day: 10 %}"),
    document("A minimum of nothing", "Contract", "id: x", "seller: us", "tenant: elm", "currency: USD",
             "commitment: {amount: 0, months: 3, start: 2027-01-01}"),
    document("A minimum whose first month begins within one", "Contract", "id: x", "seller: us", "tenant: elm",
             "currency: USD", "commitment: {amount: 100, months: 3, start: 2027-01-15}"),
    document("Energy without the base of its index", "Contract", "id: x", "seller: us", "tenant: elm",
             "currency: USD", "energy: {price_per_mwh: 60, index: power}"),
    document("Energy by an index that there is not", "Contract", "id: x", "seller: us", "tenant: elm",
             "currency: USD", "energy: {price_per_mwh: 60, index: power, base: 100}"),
    document("Taxes of nobody", "Taxes", "account: oak", "zone: UTC",
             "rates: [{jurisdiction: FI, rate: 25.5 %, start: 2026-01-01}]"),
    document("Two taxes from one day", "Taxes", "account: elm", "zone: UTC",
             "rates: [{jurisdiction: FI, rate: 25.5 %, start: 2026-01-01}, {jurisdiction: FI, rate: 24 %, "
             "start: 2026-01-01}]"),
    Row("A period that is closed twice", ("invoice", "close", "--reason", "again"), {}),
    # Files.
    Row("A file that is not UTF-8", ("apply", "latin.yaml"), {"latin.yaml": b"forebay: 1\ntitle: caf\xe9\n"}),
    Row("An empty file", ("apply", "empty.yaml"), {"empty.yaml": b""}),
    Row("A file of nothing but a comment", ("submit", "empty.yaml"), {"empty.yaml": "# nothing\n"}),
    Row("A file that is no YAML", ("apply", "broken.yaml"), {"broken.yaml": "forebay: 1\nkind: [Gang\n"}),
    Row("A kind that there is not", ("apply", "kind.yaml"), {"kind.yaml": "forebay: 1\nkind: Gangs\n"}),
    Row("A format of tomorrow", ("apply", "format.yaml"), {"format.yaml": "forebay: 2\nkind: Gang\n"}),
    Row("A file that is not there", ("apply", "none.yaml"), {}),
    Row("A folder with nothing in it", ("apply", "folder"), {"folder/readme.txt": "nothing"}),
    # Traces.
    replay("Broken rows of a trace, counted", BROKEN, "--broken-max", "2"),
    replay("An empty trace", ""),
    replay("A trace that is not text", b"\xff\xfe\x00\x01" * 8, "--broken-max", "0"),
    replay("A trace of a kind that nobody reads", "a,b\n", name="t.csv"),
    replay("A trace that says it is Parquet", "PAR0 no", name="t.parquet"),
    replay("A policy that there is not", JOB, "--policy", "sjf"),
    replay("A plant of no GPU", JOB, "--gpus", "0"),
    replay("Broken rows counted below none", JOB, "--broken-max", "-1"),
    # Command lines.
    Row("A number that is none", ("submit", "--gpus", "four", "--sku", "duo", "--", "true"), {}),
    Row("An option that there is not", ("submit", "--gpu", "4", "g.yaml"), {}),
    Row("A gang that there is not", ("explain", "elm.none"), {}),
    Row("A gang that there is not, to be cancelled", ("cancel", "elm.none"), {}),
    Row("A curtailment to more than there is", ("what-if", "curtail", "ridge-main", "--to", "5 GW"), {}),
    Row("A curtailment of a feed that there is not", ("what-if", "curtail", "ridge-mian", "--to", "1 MW"), {}),
    Row("A failure of a node that there is not", ("what-if", "fail", "node", "a1-n09"), {}),
]  # fmt: skip


@pytest.fixture
def ridge(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    answer = made.rig.apply(RIDGE)
    assert answer.status_code == 200, answer.text
    made.rig.pass_time(SECOND)
    assert made.rig.finance.post("/v1/periods/close").status_code == 200
    yield made
    made.close()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_what_is_broken_is_told_in_full(ridge: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    before, said, taken = ridge.seq(), list[str](), list[str]()
    for place, (wrong, words, files) in enumerate(ROWS):
        home = ridge.shell.home / f"{place:02d}"
        for name, content in files.items():
            path = home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        home.mkdir(exist_ok=True)
        with contextlib.chdir(home):
            server = (
                ()
                if words[0] == "replay"
                else ("--server", ridge.address, "--token-file", ridge.tokens["operator"])
            )
            status = main.run_line([*server, *words])
        out, err = capsys.readouterr()
        if not (status and not out and err.startswith("forebay: ")):
            taken.append(f"{wrong}: {status} {out}{err}")
        said.append(f"# {wrong}\n$ forebay {' '.join(words)}\n{err}(exit status {int(status)})\n")
    assert not taken, "what is wrong is refused, and told on stderr:\n" + "\n".join(taken)
    assert ridge.seq() == before, "nothing was recorded"
    golden("bad_input", "\n".join(said))
    # A command line ends with its process, which closes what it left open: here that is done now.
    gc.collect()
