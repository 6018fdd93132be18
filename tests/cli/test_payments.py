"""What falls due under a contract: by date, by milestone, month by month."""

from __future__ import annotations

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk, golden

PAID = """\
forebay: 1
kind: Contract
id: birch-2
seller: us
tenant: birch
currency: EUR
zone: UTC
tranches:
  - {id: birch-mesa, site: mesa, sku: duo, count: 10, start: 2028-07-01, term: 62d, price_per_gpu_hour: 2.50}
  - {id: birch-less, site: mesa, sku: duo, count: 1, start: 2028-07-16, term: 30d, price_per_gpu_hour: 2.50}
payments:
  billing: arrears
  net: 30d
  deposit: 50000
  deposit_due: 2027-01-15
  prepayments:
    - {at: 2028-01-15, amount: 100000}
  milestones:
    - {site: fjord, milestone: first-hall, share: 10 %}
    - {site: mesa, milestone: plant, share: 20 %}
  drawdown: [birch-mesa, birch-less]
  guarantee: {issuer: a parent company, amount: 250000, expires: 2029-01-01}
  interest: 8 %
  withholding: 50 %
  refund: 90 %
"""


def test_the_calendar_of_payments(desk: Desk) -> None:
    assert desk("apply", desk.file("paid.yaml", PAID)).status == 0
    golden("payments", desk("payments", "birch-2").out)
    told = desk("payments", "birch-2", "--json", by="finance").json
    validate(told, outputs.OUTPUTS["payments"])
    # 80 GPUs for 62 days and 8 for 30, at 60.00 a day.
    assert told["fees"]["amount"] == "312000.00"


def test_a_slip_moves_what_a_milestone_makes_due(desk: Desk) -> None:
    assert desk("apply", desk.file("paid.yaml", PAID)).status == 0
    before = dues(desk)
    assert desk("slip", "permit", "--site", "mesa", "--by", "10").status == 0
    after = dues(desk)
    assert before["fjord/first-hall"] == after["fjord/first-hall"] == "2026-12-15T00:00:00Z"
    assert (before["mesa/plant"], after["mesa/plant"]) == ("2028-03-02T00:00:00Z", "2028-03-12T00:00:00Z")


def dues(desk: Desk, by: str = "operator") -> dict[str, str | None]:
    items = desk("payments", "birch-2", "--json", by=by).json["items"]
    return {each["about"]: each["due_p50"] for each in items if each["kind"] == "milestone"}


def test_a_tenant_is_not_told_what_is_planned(desk: Desk) -> None:
    assert desk("apply", desk.file("paid.yaml", PAID)).status == 0
    assert dues(desk, by="birch") == {"fjord/first-hall": "2026-12-15T00:00:00Z", "mesa/plant": None}
    assert "not known" in desk("payments", "birch-2", by="birch").out
    assert desk("payments", "birch-2", by="acme").err == "forebay: there is no contract birch-2\n"


def test_what_is_not_agreed_is_said(desk: Desk) -> None:
    silent = (
        "forebay: 1\nkind: Contract\nid: elm-1\nseller: us\ntenant: elm\ncurrency: EUR\non_demand: true\n"
    )
    assert desk("apply", desk.file("elm.yaml", silent)).status == 0
    assert desk("payments", "elm-1").out == (
        "the contract says nothing of payment: fees are told as due at the end of their month\n\n"
        "nothing falls due: no tranche, deposit or prepayment\n"
    )


def test_mistakes_are_told_where_they_stand(desk: Desk) -> None:
    for old, new, told in (
        (
            "milestone: plant",
            "milestone: roof",
            "20:20: payments.milestones[1].milestone: mesa has no milestone roof",
        ),
        (
            "share: 10 %",
            "share: 90 %",
            "payments.milestones: payments: milestone payments come to 110 % of all fees",
        ),
        (
            "drawdown: [birch-mesa, birch-less]",
            "drawdown: [birch-far]",
            "contract birch-2 has no tranche birch-far",
        ),
        ("  deposit_due: 2027-01-15\n", "", "'deposit' (how much) and 'deposit_due' (when) go together"),
    ):
        ran = desk("apply", desk.file("paid.yaml", PAID.replace(old, new)))
        assert (ran.status, told in " ".join(ran.err.split())) == (1, True), ran.err


RAN = """\
forebay: 1
kind: Contract
id: birch-3
seller: us
tenant: birch
currency: EUR
zone: UTC
tranches:
  - {id: birch-ran, site: fjord, sku: duo, count: 1, start: 2026-10-01, term: 400d, price_per_gpu_hour: 2.50}
payments:
  {billing: arrears, net: 30d, interest: 10 %, withholding: 50 %, refund: 90 %}
opening:
  at: 2026-11-30
  billed: 9000
  prepaid: 1000
  prepaid_drawn: 400
  tranches: [{tranche: birch-ran, delivered: 0}]
  invoices:
    - {number: A-1, open: 3650, issued: 2026-10-01}
    - {number: A-2, open: 100, issued: 2026-11-15}
    - {number: A-3, open: 50, issued: 2026-11-01, due: 2026-11-21T08:00:00Z}
"""


def test_what_was_open_at_the_cutover(desk: Desk) -> None:
    assert desk("apply", desk.file("ran.yaml", RAN)).status == 0
    told = desk("payments", "birch-3", "--json").json
    validate(told, outputs.OUTPUTS["payments"])
    found = {
        each["number"]: (each["due"], each["interest"]["amount"], each["may_be_withheld"]["amount"])
        for each in told["open_invoices"]
    }
    # 3,650.00 at a tenth a year is 1.00 a day: due on 31 October, it is late for 31 days and 8 hours.
    assert found == {
        "A-1": ("2026-10-31T00:00:00Z", "31.333333", "1825.00"),
        "A-2": ("2026-12-15T00:00:00Z", "0.00", "50.00"),
        "A-3": ("2026-11-21T08:00:00Z", "0.136986", "25.00"),
    }
    assert told["refund"]["amount"] == "540.00"
    out = desk("payments", "birch-3").out
    assert "as if nothing was paid of it since" in out
    assert "refund if it had ended at the cutover: 540.00" in out
    assert desk("payments", "acme-1", "--json").json["open_invoices"] == []
