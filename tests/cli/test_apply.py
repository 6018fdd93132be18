"""Documents are applied; what is wrong in them is told with file, line and field."""

import subprocess

from jsonschema import validate

from forebay.cli import outputs
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
