"""How free capacity lies, in a table and for programs."""

from __future__ import annotations

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk, golden
from tests.cli.test_binding import CAPE


def test_what_is_free(desk: Desk) -> None:
    assert desk("apply", desk.file("cape.yaml", CAPE)).status == 0
    golden("fragmentation", desk("fragmentation").out)
    told = desk("fragmentation", "--json").json
    validate(told, outputs.OUTPUTS["fragmentation"])
    assert told["items"][0]["node_ppm"] == 0
    assert desk("fragmentation", by="acme").status == 5
