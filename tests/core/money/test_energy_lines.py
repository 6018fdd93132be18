"""Energy that is passed through, by hand: fixed, by an index, and corrected."""

from __future__ import annotations

import pytest

from forebay.core import claims, money
from forebay.core.claims import IndexValue, PublishIndex, SignContract
from forebay.core.claims.energy_terms import EnergyTerms
from forebay.core.ids import IndexId
from forebay.core.placements.gang import Tier
from forebay.core.units import MICROS
from tests.core import plant
from tests.core.plant import FINANCE, Driver, contract, day, tranche, utc

POWER = IndexId("power")
#: 60.00 a megawatt-hour, and a quarter more than the racks draw.
FIXED = EnergyTerms(60 * MICROS, 1_250_000)
INDEXED = EnergyTerms(60 * MICROS, 1_000_000, POWER, 100 * MICROS)


def energy(driver: Driver) -> list[tuple[str, int]]:
    """Cents and text of each line."""
    return [
        (line.text, line.amount_micros)
        for issued in driver.issued()
        for line in issued.lines
        if line.kind == "energy"
    ]


def test_a_fixed_tariff_on_what_was_drawn() -> None:
    """16 GPUs at 1 kW for 50 hours on demand are 0.8 MWh, and 8 of a tranche for 10 hours 0.08 MWh."""
    driver = plant.plant(contract("c1", "acme", tranche("t1"), energy=FIXED))
    driver.run("own", 8, tranche="t1", walltime_s=36_000)
    driver.run("more", 16, walltime_s=180_000)
    driver.later(hours=10).end("own")
    driver.later(hours=40).end("more")
    driver.close()
    assert energy(driver) == [
        ("energy: 0.08 MWh x PUE 1.25 x 60.00", 6 * MICROS),
        ("energy: 0.80 MWh x PUE 1.25 x 60.00", 60 * MICROS),
    ]
    (issued,) = driver.issued()
    lines = [line for line in issued.lines if line.kind == "energy"]
    assert [(line.claim, line.clause, line.energy_uj) for line in lines] == [
        ("t1", "energy.price_per_mwh", 0), ("", "energy.price_per_mwh", 0),
    ]  # fmt: skip
    assert driver.world.state.money.balances["revenue:energy", "USD"] == -66 * MICROS


def test_an_index_month_by_month_and_as_stated_before_its_first_value() -> None:
    """8 kW for a day of each month are 0.192 MWh."""
    driver = plant.plant(contract("c0", "nobody"))
    driver.until(day(9))
    driver.ask(PublishIndex(POWER, (IndexValue(day(9), 120 * MICROS),)), FINANCE)
    driver.ask(SignContract(contract("c1", "acme", energy=INDEXED)))
    for month in (1, 2):
        driver.until(utc(2026, month, 20))
        driver.run(f"g{month}", 8, walltime_s=86_400)
        driver.later(days=1).end(f"g{month}")
    driver.until(utc(2026, 3))
    assert energy(driver) == [
        ("energy: 0.192 MWh x PUE 1.00 x 60.00", 11_520_000),
        (
            "energy: 0.192 MWh x PUE 1.00 x 72.00 (60.00 x 120.00 / 100.00, index power of 2026-01-10T00:00:00Z)",
            13_824_000,
        ),
    ]


def test_a_correction_of_use_corrects_its_energy() -> None:
    driver = plant.plant(contract("c1", "acme", energy=FIXED))
    driver.run("g1", 8, walltime_s=86_400)
    driver.later(hours=3).close()
    driver.later(hours=1).end("g1", ago_s=2 * 3600)
    driver.close()
    # An hour less: 8 kWh.
    assert energy(driver)[1] == ("energy: -0.008 MWh x PUE 1.25 x 60.00", -600_000)


@pytest.mark.parametrize(
    ("terms", "code", "field"),
    [
        (EnergyTerms(-1), "bad_energy", "energy.price_per_mwh"),
        (EnergyTerms(1, 999_999), "bad_energy", "energy.pue"),
        (EnergyTerms(1, 1_000_000, POWER), "bad_energy", "energy.base"),
        (EnergyTerms(1, 1_000_000, IndexId(""), 5), "bad_energy", "energy.base"),
        (INDEXED, "unknown_index", "energy.index"),
    ],
)
def test_terms_that_cannot_stand(terms: EnergyTerms, code: str, field: str) -> None:
    driver = plant.plant(contract("c0", "nobody"))
    no = driver.refused(SignContract(contract("c1", "acme", energy=terms)))
    assert (no.code, no.field) == (code, field)
    assert claims.energy.refuse_energy(None, {}) is None


def test_a_price_that_changes_within_an_hour_is_billed_to_the_microsecond() -> None:
    """8 GPUs on spot for an hour: 1.00 until 1,234.567 s, 5.00 after it. 8 x 1,234.567 / 3,600 = 2.743482 GPU-h,
    and 5.256518 at 5.00: 26.282589.
    """
    driver = plant.plant(contract("c1", "acme"))
    driver.run("g1", 8, tier=Tier.SPOT, walltime_s=7200)
    driver.ask(money.ApplyPriceList(plant.prices(2, spot=5 * MICROS, effective_at=driver.at + 1_234_567_000)))
    driver.later(hours=1).end("g1")
    (issued,) = driver.close()
    assert [(line.gpu_us, line.price_version, line.amount_micros) for line in issued.lines if line.gpu_us] == [
        (8 * 1_234_567_000, 1, 2_743_482), (8 * (3_600_000_000 - 1_234_567_000), 2, 26_282_589),
    ]  # fmt: skip
