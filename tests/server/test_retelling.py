"""Placements behind what was metered, told again from the events, where racks come to a tranche bit by bit."""

from __future__ import annotations

from typing import Any

from forebay.core import claims, usage
from forebay.core.ids import TrancheId
from forebay.core.placements.gang import Ending
from forebay.core.units import HOUR_US
from forebay.server.retelling import Retelling
from tests.core import plant
from tests.core.plant import T0, contract, tranche

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
    pieces = told.closing.books[TrancheId("t1")]
    assert sum(piece.gpu_us for piece in pieces) == line.used_gpu_us
