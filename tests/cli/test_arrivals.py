"""What a seller tells of a delivery, and what its customer expects of it."""

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk, golden
from tests.cli.test_suppliers import rent

TEAM = """\
forebay: 1
kind: Contract
id: team-1
seller: us
tenant: team
currency: USD
zone: UTC
tranches:
  - {id: team-lake, site: lake, sku: duo, count: 25, start: 2027-04-10, term: 300d, price_per_gpu_hour: 0}
"""


def test_a_notice_a_forecast_and_a_delivery(desk: Desk) -> None:
    rent(desk)
    assert desk("sign", desk.file("team.yaml", TEAM)).status == 0
    told = desk("notice", "lake-duo", "--delivery", "2", "--by", "60", "--reason", "a pump")
    golden("notice", told.out)
    again = desk("notice", "lake-duo", "--delivery", "2", "--to", "2027-05-31", "--json")
    validate(again.json, outputs.OUTPUTS["delivery"])
    assert not again.json["changed"]
    assert desk("notice", "lake-duo", "--delivery", "2", "--to", "2027-05-31").out == (
        "lake-duo, delivery 2: as is known already; nothing changes\n"
        "  we count on it from 2027-05-31 on (promise policy: P90)\n"
    )
    expected = desk("forecast", "lake-duo", "--delivery", "2", "--p50", "2027-04-05", "--p90", "2027-04-08")
    assert expected.out == (
        "lake-duo, delivery 2: our own forecast is recorded\n"
        "  we count on it from 2027-04-08 on (promise policy: P90)\n\n"
        "team-lake (team, contract team-1): goes short no more\n\nin all: nobody goes short\n"
    )
    early = desk("delivered", "lake-duo", "--on", "2027-02-01")
    assert (early.status, "a fact cannot take effect after it is reported" in early.err) == (1, True)
    came = desk("delivered", "lake-duo", "--delivery", "2", "--on", "2026-12-01", "--evidence", "protocol 1")
    assert came.out.startswith("lake-duo, delivery 2: 2027-05-31 -> 2026-12-01\n")
    assert desk("notice", "lake-duo", "--delivery", "2", "--to", "2027-05-31").status == 4


def test_the_seller_records_what_it_serves(desk: Desk) -> None:
    told = desk("notice", "acme-fjord", "--to", "2027-07-20", "--received", "2026-11-20")
    assert told.out == "acme-fjord, delivery 1: 2027-07-01 -> 2027-07-20\n"
    (late,) = desk("entitlements", "acme-1", "--json", by="acme").json["late"]
    # 30 racks of 8 GPUs, 9 days after 10 of grace.
    assert late["damages"] == {"amount": "43200.00", "currency": "USD"}


def test_which_delivery_is_meant(desk: Desk) -> None:
    rent(desk)
    for arguments, status, said in (
        (["notice", "lake-duo"], 2, "say one of --to DATE and --by DAYS"),
        (["notice", "none", "--by", "5"], 2, "none/1 has no date to count from: say --to DATE"),
        (
            ["notice", "lake-duo", "--delivery", "3", "--to", "2027-05-31"],
            1,
            "has 2 deliveries, counted from 1",
        ),
        (["forecast", "acme-fjord", "--p50", "2027-08-01"], 1, "is ours to deliver"),
        (["forecast", "lake-duo", "--p50", "2027-08-01", "--p90", "2027-07-01"], 1, "P90 is before P50"),
    ):
        ran = desk(*arguments)
        assert (ran.status, said in ran.err) == (status, True), ran.err
    assert desk("notice", "lake-duo", "--to", "2027-05-31", by="acme").status == 5
