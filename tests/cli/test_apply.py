"""Documents are applied; what is wrong in them is told with file, line and field."""

import json
import subprocess

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import TOO_MUCH, Desk
from tests.cli.rig import DOCUMENTS, Lab, Shell

WRONG = """\
forebay: 1
kind: PriceList
version: 2
currency: USD
prices:
  - {tier: spot, sku: gb300-nvl72, price_per_gpu_hour: cheap}
  - {tier: spot, sku: gb300-nvl72, price_per_gpu_houre: 1}
"""
PRICES = """\
forebay: 1
kind: PriceList
version: 2
currency: USD
prices:
  - {tier: on_demand, sku: gb300-nvl72, price_per_gpu_hour: 4}
  - {tier: spot, sku: gb300-nvl72, price_per_gpu_hour: 1.10}
"""


def test_the_same_documents_again_change_nothing(lab: Lab) -> None:
    path = lab.shell.home / "lab.yaml"
    path.write_text(DOCUMENTS)
    before = lab.client.get("/v1/journal/head")["seq"]
    ran = lab.shell("apply", str(path), "--json")
    assert ran.status == 0, ran.err
    validate(ran.json, outputs.OUTPUTS["apply"])
    assert not any(each["changed"] for each in ran.json["applied"])
    # All that is recorded is which keys these requests had.
    assert {each["kind"] for each in lab.client.pages("/v1/journal", after=before)} <= {"KeyUsed"}


def test_a_dry_run_and_then_the_real_one(lab: Lab) -> None:
    (lab.shell.home / "prices").mkdir()
    (lab.shell.home / "prices" / "prices.yaml").write_text(PRICES)
    assert "PriceList 2: would be applied" in lab.shell("apply", "--dry-run", "prices").out
    assert "PriceList 2: applied" in lab.shell("apply", "prices").out
    assert "PriceList 2: unchanged" in lab.shell("apply", "prices").out


def test_mistakes_are_told_where_they_stand(lab: Lab) -> None:
    path = lab.shell.home / "wrong.yaml"
    path.write_text(WRONG)
    ran = lab.shell("apply", str(path))
    assert ran.status == 1
    assert "wrong.yaml:6:" in ran.err
    assert "'cheap' is not a price" in ran.err
    assert "did you mean 'price_per_gpu_hour'?" in ran.err
    told = lab.shell("apply", str(path), "--json")
    assert '"line": 7' in told.err


def test_a_contract_that_differs_and_one_that_oversells(lab: Lab) -> None:
    _, contract, *_ = DOCUMENTS.split("---\n")
    path = lab.shell.home / "contract.yaml"
    path.write_text(contract.replace("price_per_gpu_hour: 2.00", "price_per_gpu_hour: 1.00"))
    ran = lab.shell("apply", str(path))
    assert ran.status == 4
    assert "is signed with other terms" in ran.err
    path.write_text(contract.replace("acme", "oak").replace("count: 2", "count: 20"))
    ran = lab.shell("apply", str(path))
    assert ran.status == 3
    assert "tranches[0].count" in ran.err
    assert "promises 20 nodes" in ran.err


def test_nothing_is_applied_from_files_of_which_anything_is_refused(desk: Desk) -> None:
    good = TOO_MUCH.replace("count: 15", "count: 1")
    other = good.replace("cedar", "dogwood").replace("sku: duo", "sku: dou")
    file, before = desk.file("both.yaml", f"{good}---\n{other}"), desk.seq()
    for command in (["apply"], ["sign"], ["apply", "--dry-run"]):
        ran = desk(*command, file)
        assert (ran.status, ran.out) == (1, "")
        assert "both.yaml:19:" in ran.err
        assert "Nothing was applied." in ran.err
        assert desk.seq() == before
    assert desk("apply", desk.file("both.yaml", f"{good}---\n{other.replace('dou', 'duo')}")).status == 0


#: What is written in the place of what, why it is refused, and where and in which words.
MISTAKES = [
    ("zone: UTC\n", "", "no_zone", 8, "'2027-09-01' has no zone: write an offset"),
    ("count: 15", "count: -1", "bad_quantity", 9, "'-1' is not a whole number from 1 to 10000000"),
    ("count: 15", "count: 99999999999", "bad_quantity", 9, "'99999999999' is not a whole number from 1 to"),
    ("term: 365d", "term: -365d", "bad_quantity", 9, "'-365d' is not a duration, such as '90s'"),
    ("term: 365d", "term: 365000d", "bad_quantity", 9, "it ends after the year 2199: a shorter term is meant"),
    ("hour: 3}", "hour: -3}", "bad_quantity", 9, "'-3' is not a price, such as '2.85'"),
    ("hour: 3}", "hour: 99999999999999}", "bad_quantity", 9, "is too large: a price, such as '2.85' is meant"),
    ("hour: 3}", "hour: 3.1234567}", "too_precise", 9, "money with more digits than a micro-unit: at most six"),
    ("sku: duo", "sku: dou", "unknown_sku", 9, "SKU dou is not in the catalogue (known: duo,"),
    ("id: cedar-1", "id: acme-1", "contract_differs", 1, "give them a new version, 2"),
    ("id: cedar-1", "id: acme-1\nversion: 3", "contract_version", 4, "signed in version 1: the next is 2"),
    ("id: cedar-1", "id: acme-1\nversion: 2\neffective: 2026-01-01", "bad_effective", 5, "next from then or later"),
    ("3}\n", "3}\nrights: [{id: r, kind: refusal, site: mesa, sku: gb300-nvl72, notice: 9d}]\n", "bad_scope", 10,
     "no rack of gb300-nvl72 stands at mesa, and none is to come; there are duo"),
    ("3}\n", "3}\nrights: [{id: r, kind: refusal, site: messa, notice: 9d}]\n", "bad_scope", 10,
     "there is no site messa (known: fjord, mesa)"),
    ("3}\n", "3}\ncaps: [{id: c, amount: 0.0000001}]\n", "too_precise", 10, "at most six decimals are kept"),
]  # fmt: skip


def test_each_mistake_has_its_reason_its_place_and_what_would_be_right(desk: Desk) -> None:
    before, one = desk.seq(), TOO_MUCH.replace("count: 15", "count: 1")
    for old, new, code, line, words in MISTAKES:
        text = TOO_MUCH.replace(old, new).replace("count: 15", "count: 1")
        assert text != one, old
        ran = desk("--json", "apply", desk.file("wrong.yaml", text))
        told = json.loads(ran.err)
        place = told["errors"][0]
        assert (ran.out, told["code"], place["code"]) == ("", code, code), told
        assert words in place["detail"], told
        assert (place["file"].rpartition("/")[2], place["line"]) == ("wrong.yaml", line), told
        assert place["pointer"], told
    assert desk.seq() == before
    twice = json.loads(desk("--json", "apply", desk.file("twice.yaml", f"{one}---\n{one}")).err)
    assert (twice["code"], twice["errors"][0]["line"]) == ("duplicate_id", 13)
    assert "one of them is meant" in twice["message"]
    assert desk.seq() == before


CIRCLE = """\
forebay: 1
kind: Schedule
site: mesa
zone: UTC
milestones:
  - {id: permit, after: [plant], duration: 3d}
  - {id: shell, after: [permit], duration: 3d}
  - {id: plant, after: [shell], duration: 9d}
blocks: []
"""


def test_milestones_in_a_circle_are_named_in_order(desk: Desk) -> None:
    told = json.loads(desk("--json", "apply", desk.file("circle.yaml", CIRCLE)).err)
    (place,) = told["errors"]
    assert (told["code"], place["pointer"]) == ("milestone_cycle", "/milestones/1/after")
    assert place["detail"].endswith("in a circle: permit before shell before plant before permit")
    assert place["line"] == 7


def test_from_stdin(lab: Lab) -> None:
    done = subprocess.run(
        lab.shell.command("apply", "-"), env=lab.shell.environment, cwd=lab.shell.home,
        input=DOCUMENTS, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Site lab-1: unchanged" in done.stdout


def test_a_file_without_a_document(lab: Lab) -> None:
    for text in ("", "---\n"):
        (lab.shell.home / "nothing.yaml").write_text(text)
        ran = lab.shell("apply", "nothing.yaml", "--json")
        assert ran.status == 1
        assert "nothing.yaml: there is no document in it" in ran.err


def test_a_file_that_is_not_there(shell: Shell) -> None:
    (shell.home / "site.yaml").write_text("")
    ran = shell("apply", "sites.yaml")
    assert ran.status == 1
    assert "did you mean site.yaml?" in ran.err
    (shell.home / "empty").mkdir()
    assert "there is no .yaml file in empty" in shell("apply", "empty").err
