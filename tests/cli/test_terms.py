"""What a contract says: to its seller and its customer, and to nobody else."""

from __future__ import annotations

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk, golden

#: Two tranches: one handed over with every term that there is, one with hardly any.
TERMS = """\
forebay: 1
kind: Contract
id: dale-1
seller: us
tenant: birch
currency: EUR
zone: Europe/Oslo
tranches:
  - id: dale-mesa
    site: mesa
    sku: duo
    count: 10
    start: 2028-06-16
    term: 1095d
    price_per_gpu_hour: 2.50
    operation: handed_over
    shortfall: {served: last, before: [acme]}
    late: {grace: 10d, discount_per_day: 50 %, cap: 10000, longstop: 90d}
    service:
      unit: rack
      replacement: 4h
      ladder:
        - {below: 99.9 %, credit: 10 %}
        - {below: 99 %, credit: 25 %}
        - {below: 95 %, credit: 100 %}
      credits: on_claim
      claim: 30d
      cap_month: 50 %
      cap_total: 1000000
      sole_remedy: true
      chronic: {months: 3, of_months: 6, below: 98 %}
    maintenance:
      allowed: 8h
      notice: 72h
      windows:
        - {day: sunday, start: '02:00', length: 4h}
  - id: dale-more
    site: mesa
    sku: duo
    unit: node
    count: 4
    start: 2028-06-16
    term: 1095d
    price_per_gpu_hour: 2.50
    lending: {reclaim_deadline: 15m, owner_share: 40 %}
    service: {unit: tranche, damages_per_gpu_day: 12}
    maintenance: {allowed: 2h}
remedies: {order: [credit, damages, fee_discount], settlement: set_off, cap_month: 50000}
energy: {price_per_mwh: 60, pue: 1.25}
commitment: {amount: 250000, months: 3, start: 2028-07-01, periods: 12}
"""
#: What it says beside that of its price, its hand-over and its dates.
MORE = """\
    price_steps:
      - {at: 2029-06-16, price_per_gpu_hour: 2.405}
    index: {id: power, base: 100, share: 10 %, floor_per_gpu_hour: 2.20, cap_per_gpu_hour: 2.80}
    take_or_pay: 90 %
    acceptance: {tests: [{name: burn_in_hours, at_least: 72}], deemed: 10d, billing_from: acceptance}
"""
RELIEF = """\
relief:
  - {kind: force_majeure, notice: 10d, cap: 120d}
  - {kind: change_order, notice: 5d, cap: 90d}
"""
INDEX = """\
forebay: 1
kind: PriceIndex
id: power
zone: UTC
values: [{published: 2026-01-31, value: 100}]
"""


def test_every_term_is_told(desk: Desk) -> None:
    assert desk("apply", desk.file("index.yaml", INDEX)).status == 0
    text = TERMS.replace("    operation: handed_over\n", f"{MORE}    operation: handed_over\n") + RELIEF
    assert desk("apply", desk.file("terms.yaml", text)).status == 0
    golden("terms", desk("terms", "dale-1").out)
    golden("terms_silent", desk("terms", "acme-1", by="acme").out)
    told = desk("terms", "dale-1", "--json", by="finance").json
    validate(told, outputs.OUTPUTS["terms"])
    first, more = told["tranches"]
    # A month at 80 GPUs and 2.50 is 144,000.00: a tenth of it, a quarter, and the cap of the month.
    assert [rung["of_30_days"]["amount"] for rung in first["service"]["ladder"]] == [
        "14400.00",
        "36000.00",
        "72000.00",
    ]
    assert (first["service"]["healthy_nodes"], more["service"]["healthy_nodes"]) == (2, 4)
    # Oslo is two hours ahead in summer.
    assert first["maintenance"]["windows"][0]["next_start"] == "2028-06-18T00:00:00Z"
    for name, by in (("acme-1", "birch"), ("nobody", "operator")):
        ran = desk("terms", name, by=by)
        assert (ran.status, ran.err) == (1, f"forebay: there is no contract {name}\n")


def test_a_past_day_has_the_terms_of_its_day(desk: Desk) -> None:
    assert desk("apply", desk.file("terms.yaml", TERMS)).status == 0
    then = desk("terms", "dale-1", "--at", "2028-07-01").out
    text = TERMS.replace("id: dale-1", "id: dale-1\nversion: 2\neffective: 2029-01-01")
    text = text.replace("credit: 25 %", "credit: 30 %").replace(
        "price_per_gpu_hour: 2.50", "price_per_gpu_hour: 3"
    )
    text = text.replace("allowed: 8h", "allowed: 6h").replace("cap_month: 50000", "cap_month: 40000")
    assert desk("sign", desk.file("two.yaml", text)).status == 0
    assert then == desk("terms", "dale-1", "--at", "2028-07-01").out
    assert then.startswith("dale-1, version 1, as of 2028-06-30T22:00:00Z")
    told = desk("terms", "dale-1", "--at", "2029-01-01", "--json").json
    validate(told, outputs.OUTPUTS["terms"])
    first = told["tranches"][0]
    assert (told["version"], first["price"]["price_per_gpu_hour"]["amount"], first["maintenance"]["allowed_s"]) == (
        2, "3.00", 6 * 3600,
    )  # fmt: skip
    assert first["service"]["ladder"][1]["credit_ppm"] == 300_000
    ran = desk("terms", "dale-1", "--at", "soon")
    assert (ran.status != 0, "at: " in ran.err) == (True, True)


def test_a_ladder_out_of_order_is_refused_where_it_stands(desk: Desk) -> None:
    wrong = TERMS.replace("{below: 99 %, credit: 25 %}", "{below: 99 %, credit: 5 %}")
    ran = desk("apply", desk.file("terms.yaml", wrong))
    assert ran.status == 1
    assert "terms.yaml:24:11: tranches[0].service.ladder[1]: " in ran.err
    assert "5 % below 99 % stands after 10 % below 99.9 %" in " ".join(ran.err.split())


def test_two_clauses_that_contradict_are_both_named(desk: Desk) -> None:
    wrong = TERMS.replace("sole_remedy: true", "sole_remedy: true\n      damages_per_gpu_day: 12")
    ran = desk("apply", desk.file("terms.yaml", wrong))
    told = " ".join(ran.err.split())
    assert "'service.sole_remedy' and 'service.damages_per_gpu_day' contradict each other" in told
    silent = TERMS[: TERMS.index("remedies:")]
    told = " ".join(desk("apply", desk.file("terms.yaml", silent)).err.split())
    assert "contract dale-1 grants fee_discount (late.discount_per_day of tranche dale-mesa)" in told


def test_no_gang_runs_on_what_is_handed_over(desk: Desk) -> None:
    assert desk("apply", desk.file("terms.yaml", TERMS)).status == 0
    gang = (
        "forebay: 1\nkind: Gang\nname: train\ntenant: birch\ntier: dedicated\ntranche: dale-mesa\nsku: duo\n"
        "gpus: 8\nwalltime: 1h\n"
    )
    ran = desk("submit", desk.file("gang.yaml", gang))
    assert "tranche dale-mesa is handed over: its work is scheduled by birch, not here" in ran.err


def test_a_discount_takes_the_place_of_damages(desk: Desk) -> None:
    """Half of a day's fee of 60.00 for each GPU and day, 80 GPUs, from the eleventh day on."""
    assert desk("apply", desk.file("terms.yaml", TERMS)).status == 0
    assert desk("slip", "permit", "--site", "mesa", "--by", "30").status == 0
    told = desk("shortfall", "--json").json
    (risk,) = [each for each in told["items"] if each["tranche"] == "dale-mesa"]
    (total,) = [each for each in told["totals"] if each["currency"] == "EUR"]
    assert (risk["damages"]["amount"], risk["discount"], risk["capped"]) == (
        "0.00",
        {"amount": "10000.00", "currency": "EUR"},
        True,
    )
    assert total["discount"] == risk["discount"]
    golden("shortfall_discount", desk("shortfall").out)
    told_text = desk("what-if", "slip", "permit", "--site", "mesa", "--by", "40").out
    assert "after 10d of grace 50 % of a day's fee taken off later fees for each day" in " ".join(
        told_text.split()
    )
