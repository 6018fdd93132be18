"""What is handed over, on the command line: ready, accepted, rejected, by silence; and dates that move."""

import re
import shlex
from pathlib import Path

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk, golden

#: A rack that stands, for three months from today on.
HANDED = """\
forebay: 1
kind: Contract
id: acme-2
seller: us
tenant: acme
currency: USD
zone: UTC
tranches:
  - id: acme-now
    site: fjord
    sku: duo
    count: 2
    start: 2026-12-01
    term: 90d
    price_per_gpu_hour: 4.00
    late: {grace: 0d, damages_per_gpu_day: 20, longstop: 60d}
    acceptance:
      tests: [{name: burn_in_hours, at_least: 72}, {name: storage_ms, at_most: 1.5}]
      deemed: 10d
      billing_after: 5d
    relief: [{kind: force_majeure, notice: 10d, cap: 2d}]
  - {id: acme-soon, site: fjord, sku: duo, count: 1, start: 2026-12-20, term: 30d, price_per_gpu_hour: 4.00,
     late: {damages_per_gpu_day: 20, longstop: 30d}}
rights:
  - {id: acme-out, kind: termination, tranche: acme-soon, first_ends_rest: true}
relief:
  - {kind: customer_delay, notice: 5d, cap: 30d}
"""
GOOD = ("--result", "burn_in_hours=80", "--result", "storage_ms=1.25")


def handed(desk: Desk) -> Desk:
    path = desk.file("handed.yaml", HANDED)
    ran = desk("sign", path)
    assert ran.status == 0, ran.err
    return desk


def test_from_the_notice_to_the_bill(desk: Desk) -> None:
    handed(desk)
    none = desk(
        "ready", "acme-now", "--count", "1", "--result", "burn_in_hours=71", "--result", "storage_ms=1"
    )
    assert (none.status, none.err) == (1, "forebay: test burn_in_hours gave 71.00: at least 72.00 is meant\n")
    told = desk("ready", "acme-now", "--count", "2", *GOOD).out
    assert told == (
        "notice 1 of acme-now: 2 ready since 2026-12-01T08:00:00Z; accepted by silence on 2026-12-11T08:00:00Z\n"
    )
    told = desk("reject", "acme-now", "--reason", "links flap", by="acme").out
    assert told == "notice 1 of acme-now is rejected: 2 to be ready again\n"
    for _ in range(2):
        assert desk("ready", "acme-now", "--count", "1", *GOOD).status == 0
    ran = desk("accept", "acme-now", by="acme")
    assert (ran.status, ran.err) == (
        1,
        "forebay: open notices of tranche acme-now: 2, 3; which one is meant?\n",
    )
    told = desk("accept", "acme-now", "--notice", "2", by="acme").out
    assert told == (
        "notice 2 of acme-now is accepted since 2026-12-01T08:00:00Z: 1 billed from 2026-12-06T08:00:00Z on\n"
    )
    told = desk(
        "relief", "acme-now", "--kind", "force_majeure", "--from", "2026-11-30", "--until", "2026-12-07",
        "--reason", "a flood",
    ).out  # fmt: skip
    assert told == (
        "acme-now: 2026-12-01 is moved to 2026-12-03\nrelief is granted until 2026-12-02: the cap is used up\n"
    )
    golden("deliveries", desk("deliveries").out)
    golden("shortfall_until_accepted", desk("shortfall", by="acme").out)
    assert desk("deliveries", by="birch").out == ""
    assert "acme-now" in desk("deliveries", by="acme").out
    assert desk("deliveries", "acme-soon").out == (
        "acme-soon (acme): 1 rack, 1 there, 0 accepted, 0 billed\n  1 rack due on 2026-12-20\n"
        "  nodes count as delivered when they pass over\n"
    )


def test_why_a_longstop_moved(desk: Desk) -> None:
    handed(desk)
    said = (
        "--kind",
        "customer_delay",
        "--from",
        "2026-12-01",
        "--until",
        "2026-12-05",
        "--reason",
        "no cables",
    )
    assert desk("relief", "acme-soon", *said).out == "acme-soon: 2026-12-20 is moved to 2026-12-24\n"
    golden("rights_moved", desk("rights", by="acme").out)
    again = desk("relief", "acme-soon", *said)
    assert (again.status, "was moved by as much already" in again.err) == (4, True)
    late = desk("relief", "acme-soon", *(word.replace("12-", "11-") for word in said))
    assert (late.status, "was to be received before 2026-11-06T00:00:00Z" in late.err) == (4, True)


def test_the_how_to_does_what_it_says(desk: Desk) -> None:
    page = Path(__file__).parents[2] / "docs/how-to/hand-over-a-delivery.md"
    text = page.read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert found
    assert desk("sign", desk.file("how-to.yaml", found[1])).status == 0
    lines = re.findall(r"^    \./forebay (.*)$", text, re.MULTILINE)
    for line in lines:
        ran = desk(*shlex.split(line), by="acme" if line.startswith(("accept", "reject")) else "operator")
        assert ran.status == 0, (line, ran.err)
    assert len(lines) == 8
    assert "rejected: two nodes drop out of the ring" in desk("deliveries").out


def test_what_is_printed_is_as_its_schema_says(desk: Desk) -> None:
    handed(desk)
    flood = ("--kind", "force_majeure", "--from", "2026-12-01", "--until", "2026-12-02", "--reason", "flood")
    for arguments in (
        ["ready", "acme-now", "--count", "1", *GOOD],
        ["reject", "acme-now", "--reason", "cold"],
        ["ready", "acme-now", "--count", "1", *GOOD],
        ["accept", "acme-now"],
        ["relief", "acme-now", *flood],
        ["deliveries"],
        ["deliveries", "acme-now"],
        ["shortfall"],
        ["rights"],
    ):
        ran = desk(*arguments, "--json")
        assert ran.status == 0, ran.err
        name = "rights.list" if arguments[0] == "rights" else arguments[0]
        assert ran.json["schema"] == f"forebay.{name}/1"
        validate(ran.json, outputs.OUTPUTS[name])


#: What we rent, to be accepted.
TAKEN_OVER = """\
forebay: 1
kind: Contract
id: lake-2
seller: lakeside
tenant: us
currency: USD
zone: UTC
tranches:
  - id: lake-now
    site: lake
    sku: duo
    count: 4
    start: 2026-12-05
    term: 90d
    price_per_gpu_hour: 4.00
    late: {grace: 0d, damages_per_gpu_day: 20, longstop: 60d}
    acceptance: {tests: [{name: burn_in_hours, at_least: 72}], deemed: 10d}
    relief: [{kind: force_majeure, notice: 10d, cap: 30d}]
  - {id: lake-plain, site: lake, sku: duo, count: 3, start: 2026-12-05, term: 90d, price_per_gpu_hour: 4.00}
"""


def test_what_we_rent_is_handed_over_to_us(desk: Desk) -> None:
    assert desk.rig.apply("forebay: 1\nkind: Estate\nparty: us\n", TAKEN_OVER).status_code == 200
    none = desk("ready", "lake-now", "--count", "5", "--result", "burn_in_hours=72")
    assert (none.status, "lake-now has 4 of its 4 racks by now" in none.err) == (4, True)
    for _ in range(2):
        assert desk("ready", "lake-now", "--count", "2", "--result", "burn_in_hours=72").status == 0
    told = desk("accept", "lake-now", "--notice", "1").out
    assert told == (
        "notice 1 of lake-now is accepted since 2026-12-01T08:00:00Z: 2 billed from 2026-12-05T00:00:00Z on\n"
    )
    assert desk("reject", "lake-now", "--reason", "links flap").status == 0
    flood = (
        "--kind",
        "force_majeure",
        "--from",
        "2026-12-01",
        "--until",
        "2026-12-04",
        "--reason",
        "a flood",
    )
    assert desk("relief", "lake-now", *flood).out == "lake-now: 2026-12-05 is moved to 2026-12-08\n"
    golden("deliveries_rented", desk("deliveries").out)
    golden("entitlements_accepted", desk("entitlements", "lake-2").out)
    assert "3 racks, 0 there" in desk("deliveries", "lake-plain").out
    desk.rig.pass_time(5 * 24 * 3_600_000_000)
    assert desk("delivered", "lake-plain", "--on", "2026-12-05").status == 0
    assert "3 racks, 3 there" in desk("deliveries", "lake-plain").out
    twice = desk("delivered", "lake-now", "--on", "2026-12-05")
    assert (twice.status, "has terms for acceptance" in twice.err) == (4, True)
    assert desk("deliveries", "lake-now", by="acme").status == 1
    assert "lake-now" in desk("deliveries", by="finance").out


def test_mistakes(desk: Desk) -> None:
    assert desk("deliveries").err == "no contract has terms for acceptance, and no date was moved\n"
    handed(desk)
    for wrong in ("burn_in_hours", "=3", "burn_in_hours="):
        ran = desk("ready", "acme-now", "--count", "1", "--result", wrong)
        assert (ran.status, "TEST=VALUE is meant" in ran.err) == (2, True)
    ran = desk("ready", "acme-now", "--count", "1", "--result", "burn_in_hours=hot")
    assert (ran.status, "is not a number" in ran.err) == (1, True)
    # Somebody else's answers like what is not there.
    for arguments in (["deliveries", "{}"], ["accept", "{}"], ["reject", "{}", "--reason", "no"]):
        one, two = (
            desk(*(w.format(name) for w in arguments), by="birch") for name in ("acme-now", "acme-new")
        )
        assert one.status == two.status == 1
        assert one.err.replace("acme-now", "X") == two.err.replace("acme-new", "X")
    dates = ("--from", "2026-12-01", "--until", "2026-12-02", "--reason", "x")
    reported = ["relief", "acme-now", "--kind", "change_order", *dates]
    for arguments in (["ready", "acme-now", "--count", "1"], reported):
        assert desk(*arguments, by="acme").status == 5
