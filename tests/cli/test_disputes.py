"""`forebay payables` and `forebay dispute compare`: a provider's files beside our own computation."""

from __future__ import annotations

import json

import pytest
from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk, golden
from tests.cli.test_suppliers import rent
from tests.feeds.test_invoice_files import HEAD

#: March of the ten racks of 8 GPUs that came on 2027-02-03: 80 x 31 x 24 = 59,520 GPU-h x 2.00 = 119,040.00.
MARCH = "2027-03-01T00:00:00Z,2027-04-01T00:00:00Z"
ROW = f"{{amount}},USD,Purchase,{MARCH},I-9,lakeside,{{hours}},{{price}},Standard,lake-duo,,"


@pytest.fixture
def rented(desk: Desk) -> Desk:
    """Ten racks came on 3 February; it is April."""
    rent(desk)
    desk.rig.pass_time(days_until("2027-02-03", desk))
    assert desk("delivered", "lake-duo", "--delivery", "1").status == 0
    desk.rig.pass_time(days_until("2027-04-02", desk))
    return desk


def days_until(text: str, desk: Desk) -> int:
    import datetime

    then = datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)
    return int(then.timestamp()) * 1_000_000 - desk.rig.clock.now()


def theirs(desk: Desk, *rows: str) -> str:
    return desk.file("theirs.csv", HEAD + "".join(f"{row}\n" for row in rows))


def test_what_we_are_to_pay(rented: Desk) -> None:
    golden("payables", rented("payables", "lake-1", "--period", "2027-03").out)
    body = rented("payables", "lake-1", "--period", "2027-03", "--json").json
    validate(body, outputs.OUTPUTS["payables"])
    assert (body["total"]["amount"], body["over"]) == ("119040.00", True)
    running = rented("payables", "lake-1")
    assert "2027-04-01 to 2027-05-01, as far as now" in running.out
    nothing = rented("payables", "lake-1", "--period", "2027-01")
    assert "nothing of it was there, and nothing is to be paid" in nothing.out


def test_an_invoice_that_is_right(rented: Desk) -> None:
    file = theirs(rented, ROW.format(amount="119040.00", hours="59520", price="2"))
    ran = rented("dispute", "compare", str(file), "--contract", "lake-1")
    assert (ran.status, ran.err) == (0, "")
    golden("dispute_none", ran.out)


def test_an_invoice_that_differs(rented: Desk) -> None:
    # 59,600 hours at 2.05: 59,600 x 0.05 = 2,980.00 for the price, 80 x 2.00 = 160.00 for the hours.
    file = theirs(
        rented,
        ROW.format(amount="122180.00", hours="59600", price="2.05"),
        f"500.00,USD,Purchase,{MARCH},I-9,lakeside,250,2,Standard,lake-new,,",
        f"-20.00,USD,Credit,{MARCH},I-9,lakeside,,,,,,for the outage of 7 March",
    )
    ran = rented("dispute", "compare", str(file), "--contract", "lake-1")
    assert ran.status == 4
    golden("dispute", ran.out)
    told = rented("dispute", "compare", str(file), "--contract", "lake-1", "--json")
    validate(told.json, outputs.OUTPUTS["comparison"])
    assert [(each["cause"], each["amount"]["amount"]) for each in told.json["causes"]] == [
        ("extra", "500.00"), ("price", "2980.00"), ("quantity", "160.00"),
    ]  # fmt: skip
    assert told.json["unchecked"]["amount"] == "-20.00"


def test_files_and_contracts_that_do_not_fit(rented: Desk) -> None:
    good = ROW.format(amount="1", hours="1", price="1")
    ran = rented("dispute", "compare", theirs(rented, good))
    assert ran.status == 1
    assert "which contract is it about? it names no contract" in ran.err
    ran = rented("dispute", "compare", theirs(rented, "x" + good), "--contract", "lake-1")
    assert ran.status == 1
    assert "theirs.csv" in ran.err
    assert "BilledCost" in ran.err
    assert "'x1' is not a number" in ran.err
    ran = rented("dispute", "compare", theirs(rented, good.replace("USD", "EUR")), "--contract", "lake-1")
    assert "they bill in EUR, and the contract is in USD" in ran.err
    ran = rented("dispute", "compare", theirs(rented, good), "--contract", "lake-7")
    assert "there is no contract lake-7 in which we are the customer" in ran.err
    ran = rented("payables", "lake-1", "--period", "2027-13")
    assert "'2027-13' is not a month like 2026-11" in ran.err


def test_canonical_json_names_its_contract(rented: Desk) -> None:
    line = {"kind": "dedicated", "contract": "lake-1", "claim": "lake-duo", "start": 1803859200000000,
            "end": 1806537600000000, "gpu_us": 59520 * 3_600_000_000, "price_micros_per_gpu_hour": 2_000_000,
            "amount_minor": 11_904_000}  # fmt: skip
    told = {"invoice": "INV-000003", "seller": "lakeside", "currency": "USD", "start": line["start"],
            "end": line["end"], "total_minor": 11_904_000, "lines": [line]}  # fmt: skip
    ran = rented("dispute", "compare", str(rented.file("theirs.json", json.dumps(told))))
    assert ran.status == 0, ran.err
    assert "INV-000003 beside lake-1, 2027-03-01 to 2027-04-01" in ran.out
    two = told | {"lines": [line, line | {"contract": "lake-2"}]}
    ran = rented("dispute", "compare", str(rented.file("theirs.json", json.dumps(two))))
    assert "it names lake-1 and lake-2" in ran.err
