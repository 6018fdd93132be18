"""Who goes short in another way, in words."""

from typing import Any

import pytest

from forebay.cli import risks

USD = {"currency": "USD"}
RISK: dict[str, Any] = {
    "tranche": "t", "tenant": "acme", "contract": "c", "nodes_per_rack": 2, "gpu_hours": 10, "capped": False,
    "longstop": None, "late": None, "fees": USD | {"amount": "10.00"}, "damages": USD | {"amount": "0.00"},
    "discount": USD | {"amount": "0.00"},
    "parts": [{"start": "2027-01-01T00:00:00Z", "end": None, "nodes": 3, "gpus": 12}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, {}, "goes short"),
        ({}, None, "goes short no more"),
        ({}, {"gpu_hours": 11}, "goes short more"),
        ({}, {"gpu_hours": 9}, "goes short less"),
        ({}, {"fees": USD | {"amount": "11.00"}}, "goes short more"),
        ({}, {"longstop": "2027-03-01T00:00:00Z"}, "goes short otherwise"),
    ],
)
def test_how_it_changed(before: Any, after: Any, told: str) -> None:
    change = {
        name: None if each is None else RISK | each for name, each in (("before", before), ("after", after))
    }
    assert risks.changes_text([change], False).splitlines()[0] == f"t (acme, contract c): {told}"
    would = risks.changes_text([change], True, would=True)
    assert f"would {told.replace('goes', 'go')}" in would


def test_no_end_in_sight_and_no_whole_racks() -> None:
    told = risks.changes_text([{"before": None, "after": RISK}], False)
    assert "12 GPUs (3 nodes) from 2027-01-01 with no end in sight" in told


def test_terms_in_words() -> None:
    late: dict[str, Any] = {
        "grace_s": 0, "damages_per_gpu_day": USD | {"amount": "20.00"}, "cap": None, "longstop_s": 0,
        "discount_ppm_per_day": 0,
    }  # fmt: skip
    assert risks.terms_text({"late": late}) == "late delivery: 20.00 USD a GPU and day, without a cap"
    told = risks.terms_text({"late": late | {"grace_s": 86_400, "discount_ppm_per_day": 1_500_000}})
    assert told == (
        "late delivery: after 1d of grace 150 % of a day's fee taken off later fees for each day, without a cap"
    )
    assert risks.moved_text([], "p90", False) == "no block comes at another date"
    assert risks.totals_text([], "in all now") == "in all now: nobody goes short"
