"""Rights that may take more than there will be: told where a slip makes it so, in the table, and right by right."""

from __future__ import annotations

from jsonschema import validate

from forebay.cli import outputs, overdrafts
from tests.cli.desk import Desk, golden


def test_a_slip_that_overdraws_a_call(desk: Desk) -> None:
    golden("what_if_slip_overdrawn", desk("what-if", "slip", "permit", "--by", "150").out)
    tried = desk("slip", "permit", "--by", "150", "--dry-run").out
    assert "call birch-call (birch; duo at mesa) would be overdrawn by" in tried
    golden("slip_overdrawn", desk("slip", "permit", "--by", "150").out)
    golden(
        "capacity_overdrawn", desk("capacity", "--site", "mesa", "--from", "2028-05-01", "--months", "8").out
    )
    golden("rights_overdrawn", desk("rights").out)
    told = desk("capacity", "--site", "mesa", "--from", "2028-05-01", "--json").json
    validate(told, outputs.OUTPUTS["capacity"])
    (stock,) = told["stocks"]
    (over,) = stock["overdrawn"]
    assert (over["kind"], over["id"]) == ("call", "birch-call")
    assert max(month["overdrawn"] for month in stock["months"]) == over["parts"][0]["nodes"] == 40
    # A tenant learns nothing of it: it knows what it may take, and not what is behind it.
    assert "overdrawn" not in desk("rights", by="birch").out
    again = desk("slip", "permit", "--by", "-150")
    assert "call birch-call (birch; duo at mesa) is overdrawn no more" in again.out


def test_colours() -> None:
    parts = [{"start": "2027-01-01T00:00:00Z", "end": "2027-02-01T00:00:00Z", "nodes": 3, "gpus": 12}]
    each = {
        "kind": "hold",
        "id": "h",
        "tenant": "t",
        "site": "s",
        "sku": "k",
        "nodes_per_rack": 2,
        "parts": parts,
    }
    told = overdrafts.overdraft_changes_text([{"before": None, "after": each}], color=True)
    assert "hold h (t; k at s) is overdrawn by 12 GPUs (3 nodes) from 2027-01-01 to 2027-02-01" in told
    assert told.startswith("\x1b[33m")
