"""Minimum commitments by hand: what is missing at the end of a period, and after a correction."""

from __future__ import annotations

from dataclasses import replace

from forebay.core import claims
from forebay.core.claims import SignContract
from forebay.core.claims.commitments import Commitment
from forebay.core.units import MICROS
from tests.core import plant
from tests.core.plant import Driver, contract, tranche, utc

#: A rack of 32 GPUs at 2.00 in January: 744 h, 47,616.00; in February 672 h, 43,008.00.
JANUARY, FEBRUARY = 47_616, 43_008
START = utc(2026)


def committed(amount: int, months: int = 1, periods: int = 3, **terms: int) -> claims.ContractPlan:
    agreed = Commitment(amount * MICROS, months, terms.get("start_at", START), periods)
    plan: claims.ContractPlan = contract("c1", "acme", tranche("t1"), commitment=agreed)
    return plan


def true_ups(driver: Driver) -> list[tuple[int, str]]:
    """Cents and text of each line."""
    return [
        (line.amount_minor, line.text)
        for issued in driver.issued()
        for line in issued.lines
        if line.kind == "commitment_true_up"
    ]


def test_what_is_missing_is_billed_each_month_and_nothing_rolls_over() -> None:
    driver = plant.plant(committed(45_000))
    driver.until(utc(2026, 6))
    # January is above it by 2,616.00, which do not help February; March has 31 days, and April no minimum.
    assert true_ups(driver) == [
        (199_200, "minimum commitment of 2026-02: 45000.00 less 43008.00 billed for use = 1992.00")
    ]
    february = driver.issued()[1]
    assert february.total_minor == 4_500_000
    (line,) = [each for each in february.lines if each.kind == "commitment_true_up"]
    assert (line.clause, line.start, line.end) == ("commitment.amount", utc(2026, 2), utc(2026, 3))
    balances = driver.world.state.money.balances
    assert balances["revenue:commitments", "USD"] == -1_992 * MICROS


def test_a_period_of_several_months_and_use_beside_the_tranche() -> None:
    """Two months and 8 GPUs on demand for 10 hours at 3.00: 90,624.00 and 240.00 of 100,000.00."""
    driver = plant.plant(committed(100_000, 2, 1))
    driver.run("g1", 8, walltime_s=36_000)
    driver.later(hours=10).end("g1")
    driver.close()
    driver.until(utc(2026, 5))
    assert true_ups(driver) == [
        (
            913_600,
            "minimum commitment of 2026-01 to 2026-02: 100000.00 less 90864.00 billed for use = 9136.00",
        )
    ]


def test_a_correction_after_the_close_changes_what_was_missing() -> None:
    """A node was out for a day of February, which is told in March: 384.00 less billed, 384.00 more missing."""
    driver = plant.plant(committed(45_000, periods=2))
    driver.until(utc(2026, 3, 1))
    driver.later(hours=1).fail(0, ago_s=25 * 3600)
    driver.recover(0, ago_s=3600)
    driver.until(utc(2026, 4))
    march = {line.kind: line for line in driver.issued()[-1].lines}
    assert march["correction"].amount_minor == -38_400
    assert march["commitment_true_up"].amount_minor == 38_400
    assert march["commitment_true_up"].text == (
        "correction of the minimum commitment of 2026-02: 45000.00 less 42624.00 billed for use = 2376.00; billed "
        "before: 1992.00"
    )
    driver.until(utc(2026, 6))
    assert len(true_ups(driver)) == 2


def test_an_amendment_holds_for_the_periods_that_end_under_it() -> None:
    plan = committed(45_000)
    driver = plant.plant(plan, contract("c2", "bravo"))
    driver.until(utc(2026, 2, 10))
    assert plan.commitment is not None
    driver.ask(
        SignContract(replace(plan, version=2, commitment=replace(plan.commitment, micros=50_000 * MICROS)))
    )
    driver.until(utc(2026, 4))
    assert [amount for amount, _ in true_ups(driver)] == [699_200, 238_400]


def test_what_was_over_when_it_was_signed_is_nobodys() -> None:
    driver = plant.plant(contract("c0", "nobody"))
    driver.until(utc(2026, 2, 10))
    driver.ask(SignContract(contract("c1", "acme", commitment=Commitment(100 * MICROS, 1, START, 2))))
    driver.until(utc(2026, 4))
    assert [amount for amount, _ in true_ups(driver)] == [10_000]


def test_an_amendment_that_adds_a_commitment() -> None:
    """February ends under the first version, March under the second: 47,616.00 of 50,000.00."""
    driver = plant.plant(contract("c1", "acme", tranche("t1")))
    driver.until(utc(2026, 3, 10))
    driver.ask(SignContract(replace(committed(50_000, periods=3), version=2)))
    driver.until(utc(2026, 4))
    assert [amount for amount, _ in true_ups(driver)] == [238_400]
