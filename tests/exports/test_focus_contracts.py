"""Rows of contracts: terms, fees, what is prepaid, and rights with and without an end."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core import claims, ids
from forebay.core.claims import rights
from forebay.core.units import DAY_US
from forebay.exports import focus, focus_contracts
from forebay.exports.focus_columns import COLUMNS, FocusDataset
from tests.core import plant


def rows(driver: plant.Driver, *names: str) -> dict[str, dict[str, str]]:
    columns = [column.name for column in COLUMNS[FocusDataset.CONTRACT_COMMITMENT]]
    state = driver.world.state
    made = focus_contracts.contract_commitments(state.claims, state.supply, set(map(ids.ContractId, names)))
    told = [dict(zip(columns, row, strict=True)) for row in made]
    return {row["ContractCommitmentId"]: row for row in told}


def signed(**terms: Any) -> plant.Driver:
    own = plant.tranche("t1", 2, start_at=plant.T0, end_at=plant.T0 + 10 * DAY_US)
    return plant.plant(plant.contract("c1", "acme", own, **terms))


def test_the_least_that_is_paid_over_the_term() -> None:
    """Two racks of 4 nodes of 8 GPUs for ten days: 15,360 GPU-hours at the tranche's price."""
    driver = signed()
    row = rows(driver, "c1")["t1"]
    plan = driver.world.state.claims.tranches[ids.TrancheId("t1")].plan
    assert row["ContractCommitmentQuantity"] == str(64 * 24 * 10)
    assert float(row["ContractCommitmentCost"]) == 64 * 24 * 10 * plan.price_micros_per_gpu_hour / 10**6
    assert (row["ContractCommitmentDurationType"], row["ContractCommitmentPaymentModel"]) == (
        "10 Days",
        "No Upfront",
    )


@pytest.mark.parametrize(
    ("micros", "model", "share"),
    [
        ((), "No Upfront", "0"),
        ((1,), "Partial Upfront", "0.000001"),
        ((250_000, 250_000), "Partial Upfront", "0.5"),
        ((999_999,), "Partial Upfront", "0.999999"),
        ((1_000_000,), "All Upfront", "1"),
    ],
)
def test_what_is_prepaid_of_the_fees(micros: tuple[int, ...], model: str, share: str) -> None:
    prepaid = tuple(claims.payments.Prepayment(plant.T0, each) for each in micros)
    terms = claims.payments.PaymentTerms(claims.payments.BillingTime.ARREARS, 0, prepayments=prepaid)
    plan = plant.contract("c1", "acme", plant.tranche("t1"), payments=terms)
    ppm, named = focus_contracts._upfront(plan, 1_000_000)
    assert (named, focus.micros(ppm)) == (model, share)


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        (plant.utc(2026), plant.utc(2027), "1 Year"),
        (plant.utc(2026), plant.utc(2026, 7), "2 Quarters"),
        (plant.utc(2026), plant.utc(2026, 2), "1 Month"),
        (plant.utc(2026), plant.utc(2026, 1, 15), "14 Days"),
        (plant.utc(2026), plant.utc(2026, 1, 1, 5), "5 Hours"),
        (plant.utc(2026), plant.utc(2026), "1 Hour"),
    ],
)
def test_how_long_a_term_is(start: int, end: int, text: str) -> None:
    assert focus_contracts._duration(start, end) == text


def test_from_signature_to_the_end() -> None:
    later = plant.tranche("t1", 1, start_at=plant.T0 + DAY_US, end_at=plant.T0 + 10 * DAY_US)
    driver = plant.plant(plant.contract("c1", "acme", later))
    told = []
    for days in (0, 1, 9):
        driver.later(days=days)
        told.append(rows(driver, "c1")["t1"]["ContractCommitmentLifecycleStatus"])
    assert told == ["Pending", "Active", "Expired"]


def test_one_that_ended_before_its_end_is_canceled() -> None:
    driver = signed()
    known = driver.world.state.claims.tranches
    name = ids.TrancheId("t1")
    known[name] = known[name]._replace(standing=claims.Standing.ENDED, ended_at=plant.T0 + DAY_US)
    assert rows(driver, "c1")["t1"]["ContractCommitmentLifecycleStatus"] == "Canceled"


def test_a_right_without_an_end_says_the_last_midnight() -> None:
    first = rights.RightPlan(ids.RightId("first"), rights.RightKind.REFUSAL, notice_s=5 * 86_400)
    driver = plant.plant(plant.contract("c2", "acme", rights=(first,)))
    row = rows(driver, "c2")["first"]
    assert row["ContractCommitmentPeriodEnd"] == row["ContractPeriodEnd"] == "9999-12-31T00:00:00Z"
    assert (row["x_NoticeDays"], row["x_RightHolder"], row["x_ExerciseBy"]) == ("5", "customer", "")
