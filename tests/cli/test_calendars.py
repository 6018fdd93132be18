"""Business calendars: listed and shown, to a tenant those of its own rights."""

from __future__ import annotations

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk, golden
from tests.cli.test_rights import FIRST, HELSINKI

OSLO = """\
forebay: 1
kind: BusinessCalendar
id: oslo
zone: Europe/Oslo
weekend: []
closes: "09:00"
until: 2030-12-31
"""


def test_business_calendars(desk: Desk) -> None:
    assert desk("calendars").err == "no business calendar is in force\n"
    assert desk("apply", desk.file("helsinki.yaml", HELSINKI)).status == 0
    assert desk("apply", desk.file("oslo.yaml", OSLO)).status == 0
    mine = FIRST.replace("tenant: dune", "tenant: acme")
    assert desk("sign", desk.file("first.yaml", mine)).status == 0
    listed, helsinki = desk("calendars").out, desk("calendars", "show", "helsinki").out
    oslo = desk("calendars", "show", "oslo").out
    golden("calendars", f"{listed}\n{helsinki}\n{oslo}")
    assert desk("calendars", "list", by="finance").out == listed
    for name in ("calendars.list", "calendars.show"):
        arguments = ("calendars", "list") if name.endswith("list") else ("calendars", "show", "oslo")
        told = desk(*arguments, "--json")
        validate(told.json, outputs.OUTPUTS[name])


def test_a_tenant_sees_those_of_its_own_rights(desk: Desk) -> None:
    for name, text in (("helsinki", HELSINKI), ("oslo", OSLO)):
        assert desk("apply", desk.file(f"{name}.yaml", text)).status == 0
    mine = FIRST.replace("tenant: dune", "tenant: birch")
    assert desk("sign", desk.file("first.yaml", mine)).status == 0
    assert "helsinki" in desk("calendars", by="birch").out
    assert "oslo" not in desk("calendars", by="birch").out
    assert desk("calendars", by="acme").err == "no business calendar is in force\n"
    # What is not its own is told as what does not exist.
    refused, unknown = (desk("calendars", "show", name, by="acme") for name in ("helsinki", "nowhere"))
    assert refused.status == unknown.status != 0
    assert refused.err.replace("helsinki", "nowhere") == unknown.err
