"""Placements behind what was metered, told again from the events, where racks come to a tranche bit by bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from forebay.core import claims, money, usage
from forebay.core.ids import TrancheId
from forebay.core.placements.gang import Ending, Tier
from forebay.core.units import DAY_US, HOUR_US
from forebay.server import history
from forebay.server.retelling import Retelling
from tests.core import plant
from tests.core.plant import LENT, T0, contract, tranche

LONG: dict[str, Any] = {"walltime_s": 30 * 86_400}


def test_racks_that_pass_over_while_a_term_runs() -> None:
    ramp = tranche("t1", 2, deliveries=(claims.Delivery(T0, 1), claims.Delivery(T0 + 10 * HOUR_US, 1)))
    driver = plant.plant(contract("c1", "acme", ramp), contract("c2", "bravo"))
    driver.run("pool", 16, tenant="bravo", **LONG)
    driver.until(T0 + 11 * HOUR_US).end("pool", Ending.STOPPED)
    driver.later(hours=1).run("own", 64, tranche="t1", **LONG)
    # News from before the rack passed over is none of the tranche's.
    driver.later(hours=2).fail(4, ago_s=9 * 3600)
    driver.later(hours=1).close()
    told = Retelling()
    for seq, (at, event) in enumerate(driver.events, 1):
        told.apply(event, at, seq)
    line = next(each for each in driver.last(usage.PeriodClosed).tranches if each.tranche == "t1")
    assert line.entitled_gpu_us == 32 * 15 * HOUR_US + 32 * 5 * HOUR_US
    pieces = told.closing.books[TrancheId("t1"), 0]
    assert sum(piece.gpu_us for piece in pieces) == line.used_gpu_us


def test_every_line_of_a_tranche_is_what_is_behind_it_price_by_price() -> None:
    """A price that changes twice, a share of take-or-pay, spot that is withdrawn, and news that come late."""
    steps = (claims.PriceStep(T0 + 10 * DAY_US, 1_000_000, None, 500_000),)
    first = tranche("t1", 2, price_steps=steps, take_or_pay_ppm=500_000, lending=LENT)
    plan = contract("c1", "acme", first)
    driver = plant.plant(plan, contract("c2", "bravo"))
    driver.run("own", 16, tranche="t1", **LONG)
    driver.run("borrows", 8, tenant="bravo", tier=Tier.SPOT, **LONG)
    cheaper = replace(first, price_micros_per_gpu_hour=500_000, price_steps=(), lending=None)
    driver.ask(
        claims.SignContract(
            replace(plan, version=2, effective_at=T0 + 20 * DAY_US, tranches=(cheaper,), spot=False)
        )
    )
    driver.until(T0 + 25 * DAY_US).fail(0, ago_s=8 * 86_400)
    driver.until(T0 + 33 * DAY_US).recover(0, ago_s=7 * 86_400)
    driver.until(T0 + 60 * DAY_US)
    told, seen = Retelling(), []
    for seq, (at, event) in enumerate(driver.events, 1):
        told.apply(event, at, seq)
        if isinstance(event, money.InvoiceIssued):
            for n, line in enumerate(event.lines, 1):
                # It asserts that what is behind a line is the line.
                behind = history._explained(told, event, seq, n, plant.OPERATOR)
                assert behind["gpu_us"] == line.gpu_us or line.kind == "lending_share"
                assert behind["contract"]["version"] == line.contract_version
                seen.append(
                    (line.kind, line.contract_version, {each["use"] for each in behind["placements"]})
                )
    dedicated = [(version, uses) for kind, version, uses in seen if kind == "dedicated"]
    assert [version for version, _ in dedicated[:3]] == [1, 1, 2]
    assert all("idle" in uses for _, uses in dedicated)
    assert any("unpaid" in uses for _, uses in dedicated)
    assert {kind for kind, _, _ in seen} >= {"dedicated", "correction", "spot", "lending_share"}
