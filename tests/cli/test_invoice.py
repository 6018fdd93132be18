"""Invoices as people read them."""

import hashlib
import re

from jsonschema import validate

from forebay.cli import invoice, outputs
from forebay.server import listening
from tests.cli.desk import Desk, golden
from tests.cli.rig import Lab, Shell
from tests.server.rig import HOUR, PRICES, SITE, contract

BODY = {
    "due_at": "2026-12-31T00:00:00Z",
    "id": "INV-000007",
    "tenant": "acme",
    "start": "2026-11-01T00:00:00Z",
    "end": "2026-12-01T00:00:00Z",
    "total": {"amount": "1419.60", "currency": "USD"},
    "lines": [
        {
            "n": 1, "kind": "dedicated", "gpu_us": 1, "gpu_hours": "720.001389",
            "price_per_gpu_hour": {"amount": "2.00", "currency": "USD"},
            "amount": {"amount": "1440.00", "currency": "USD"}, "text": "1 GPU dedicated",
        },
        {
            "n": 2, "kind": "lending_share", "gpu_us": 0, "gpu_hours": "0.00",
            "price_per_gpu_hour": {"amount": "1.00", "currency": "USD"},
            "amount": {"amount": "-20.40", "currency": "USD"}, "text": "share of lending",
        },
    ],
}  # fmt: skip
TEXT = """\
  LINE  FOR                       GPU-H  PRICE      USD
     1  own tranche, used or not  720.00   2.00  1440.00
     2  share of lending                          -20.40
        total                                   1419.60

  1: 1 GPU dedicated
  2: share of lending"""


def test_an_invoice_as_text() -> None:
    head, *lines = invoice.invoice_text(BODY, color=False).splitlines()
    assert head.startswith("INV-000007 to acme, 20")
    assert head.endswith(", due 2026-12-31")
    assert [line.split() for line in lines] == [line.split() for line in TEXT.splitlines()]
    assert len({len(line) for line in lines[:3]}) == 1


def test_the_list_and_one(lab: Lab) -> None:
    assert "INV-000001  acme" in lab.shell("invoice", "list").out
    assert "own tranche, used or not" in lab.shell("invoice", "INV-000001").out
    ran = lab.shell("invoice", "INV-009999")
    assert ran.status == 1
    assert "there is no invoice INV-009999" in ran.err


def test_closing_is_not_for_tenants(lab: Lab) -> None:
    ran = lab.as_tenant("acme", "invoice", "close")
    assert ran.status == 5
    assert "not for the role tenant" in ran.err
    assert "Periods close by themselves" in ran.err


def test_before_the_first_invoice(shell: Shell) -> None:
    lab = listening.start(listening.Options(shell.worlds / "new", port=0, world="new"))
    token = shell.home / "x.token"
    shell("token", "create", "--role", "tenant", "--tenant", "acme", "-o", str(token))
    try:
        own = shell("invoice", "list")
        tenant = shell("invoice", "list", "--token-file", str(token))
    finally:
        lab.close()
    for ran in (own, tenant):
        assert (ran.status, ran.out) == (0, "")
        assert re.search(r"the open period ends by itself at \d{4}-\d\d-01T00:00:00Z", ran.err)
    assert "invoice close" in own.err
    assert "invoice close" not in tenant.err


def test_closing(lab: Lab) -> None:
    ran = lab.shell("invoice", "close", "--reason", "test", "--json")
    assert ran.status == 0
    validate(ran.json, outputs.OUTPUTS["invoice.close"])
    assert len(ran.json["invoices"]) == 2


def test_a_draft_and_the_bytes_of_what_became_of_it(desk: Desk) -> None:
    ran = desk("invoice", "draft")
    assert (ran.status, ran.out) == (0, "")
    assert "would bill nothing yet" in ran.err
    documents = "---\n".join((SITE, PRICES, contract("cedar", "cedar-t1")))
    assert desk("apply", desk.file("lab.yaml", documents)).status == 0
    desk.rig.pass_time(HOUR)
    ran = desk("invoice", "draft", "cedar")
    golden("invoice_draft", ran.out)
    assert "a draft: the period ends by itself at 2027-01-01" in ran.err
    assert "would bill nothing to elder yet" in desk("invoice", "draft", "elder").err
    validate(desk("invoice", "draft", "--json").json, outputs.OUTPUTS["invoice.draft"])
    assert desk("invoice", "close", "--yes").status == 0
    shown = desk("invoice", "INV-000001").out
    assert shown.splitlines()[1:] == ran.out.splitlines()[1:]
    kept = desk("invoice", "INV-000001", "--canonical").out
    digest = desk("invoice", "INV-000001", "--json").json["digest"]
    assert hashlib.sha256(kept.encode()).hexdigest() == digest
    ran = desk("invoice", "INV-000009", "--canonical")
    assert (ran.status, ran.out) == (1, "")
    assert "there is no invoice INV-000009" in ran.err
