"""Two plans side by side: what is new, gone, the same, and what differs, as people write it."""

from dataclasses import replace
from typing import Any

import pytest

from forebay.core import ids
from forebay.core.supply import blocks
from forebay.feeds import commands, differences, folder
from tests.feeds.test_commands import CONTRACT, HANDED, SITE, wanted
from tests.feeds.test_tables import NOW, ROOT

SCHEDULE = """\
forebay: 1
kind: Schedule
site: lpp
zone: Europe/Helsinki
pue: 1.15
causes: [{id: ice, share: 12.5 %}]
milestones:
  - {id: grid, planned: 2027-03-01, late_p90: 90d, causes: [ice]}
  - {id: shell, after: [grid], duration: {p50: 36h, p90: 90s}}
power: [{id: s1, kind: grid, contracted: 1.2 GW, connected: 900 kW, start: grid}]
blocks: [{id: b1, sku: x, racks: 2, after: [grid, shell]}]
"""


def plan(text: str) -> Any:
    return wanted(text).command.plan  # type: ignore[attr-defined]


def test_values_are_told_as_people_write_them() -> None:
    assert differences.laid_out(plan(SCHEDULE)) == {
        "schedule of lpp": {"pue": "1.15"},
        "milestone grid": {"planned": "2027-02-28T22:00:00Z", "late_p90": "90d", "causes": "ice"},
        "milestone shell": {"after": "grid", "duration_p50": "36h", "duration_p90": "90s"},
        "block b1": {"sku": "x", "racks": "2", "after": "grid, shell"},
        "power stage s1": {"kind": "grid", "contracted": "1.2 GW", "connected": "900 kW", "start": "grid"},
        "cause ice": {"share": "12.5 %"},
    }


def test_tests_and_relief_are_things_of_their_own() -> None:
    found = differences.laid_out(plan(HANDED))
    assert found["test burn_in_hours of t1"] == {"threshold_micros": "72.00", "direction": "at_least"}
    assert found["relief change_order of t1"] == {"notice": "5d", "cap": "20d"}
    assert found["relief force_majeure of c1"] == {"notice": "10d", "cap": "90d"}
    assert found["tranche t1"]["acceptance.billing_after"] == "36h"


#: text, what is replaced in it, by what, the one change
CHANGES = [
    (SCHEDULE, "late_p90: 90d", "late_p90: 91d", ("milestone grid", "late_p90", "90d", "91d")),
    (SCHEDULE, ", late_p90: 90d", "", ("milestone grid", "late_p90", "90d", "")),
    (SCHEDULE, "after: [grid, shell]", "after: [shell]", ("block b1", "after", "grid, shell", "shell")),
    (SITE, "limit: 600 kW", "limit: 0.7 MW", ("feed a", "limit", "600 kW", "700 kW")),
    (SITE, "{id: x1, sku: s", "{id: x1, row: A, sku: s", ("rack x1", "row", "", "A")),
    (SITE, "- id: h1", "- id: h2", ("rack x1", "hall", "h1", "h2")),
    (CONTRACT, "2.85", "2.8501", ("tranche t1", "price_per_gpu_hour", "2.85", "2.8501")),
    (CONTRACT, "40 %", "40.5 %", ("tranche t2", "lending.owner_share", "40 %", "40.5 %")),
    (CONTRACT, "currency: USD", "currency: EUR", ("contract c1", "currency", "USD", "EUR")),
]


@pytest.mark.parametrize(("text", "old", "new", "change"), CHANGES)
def test_a_field_that_differs(text: str, old: str, new: str, change: tuple[str, ...]) -> None:
    found = differences.compare(plan(text), plan(text.replace(old, new)), keeps=True)
    assert change in found.changed


def test_what_is_new_what_is_gone_and_what_is_the_same() -> None:
    old = plan(SCHEDULE)
    new = replace(
        old, stages=(), blocks=(*old.blocks, blocks.BlockPlan(ids.BlockId("b10"), ids.SkuId("x"), 1, ()))
    )
    assert differences.compare(None, old).added == list(differences.laid_out(old))
    found = differences.compare(old, new)
    assert (found.added, found.removed, found.changed) == (["block b10"], ["power stage s1"], [])
    assert differences.compare(old, new, keeps=True).removed == []
    assert differences.compare(old, old) == ([], [], list(differences.laid_out(old)), [])


def test_another_order_is_a_difference_too() -> None:
    old = plan(CONTRACT)
    found = differences.compare(old, replace(old, tranches=old.tranches[::-1]))
    assert [(change.thing, change.field) for change in found.changed] == [("contract c1", "order")]


def test_every_document_of_the_examples_can_be_laid_out() -> None:
    for name in ("deal", "one_site"):
        for document in folder.Folder.read(ROOT / "examples" / name).documents:
            command: Any = commands.command_of(document, NOW).command
            # An index is its own plan.
            whole = next(
                (
                    getattr(command, field)
                    for field in ("plan", "policy", "prices", "spec")
                    if hasattr(command, field)
                ),
                command,
            )
            assert differences.laid_out(whole)
