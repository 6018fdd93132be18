"""What is paid of a tranche that is delivered in part, used a little, and out for a day: by hand."""

from __future__ import annotations

from forebay.core.units import HOUR_US
from tests.core.claims import market
from tests.core.claims.market import accept, accepted, promise, ready
from tests.core.plant import contract, utc


def test_take_or_pay_is_of_what_was_accepted_and_deliverable() -> None:
    """Two of three racks are accepted, a node of them is out for a day, 8 GPUs work for ten hours. Entitled are
    64 GPUs x 744 h = 47,616 GPU-h, 192 of them undeliverable; 80 % of 47,424 are 37,939.2 at 2.00: 75,878.40.
    """
    plan = promise("t1", 3, take_or_pay_ppm=800_000, acceptance=accepted())
    driver = market.market(contract("c1", "acme", plan), stands=4, comes=0)
    driver.ask(ready(2))
    driver.ask(accept())
    driver.run("g1", 8, tranche="t1", walltime_s=36_000)
    driver.later(hours=10).end("g1")
    first, count, _ = driver.world.state.claims.tranches[plan.id].billed[0]
    free = first + count - 1
    driver.fail(free)
    driver.later(days=1).recover(free)
    driver.until(utc(2026, 2))
    (line,) = driver.issued()[0].lines
    assert line.gpu_us == 379_392 * HOUR_US // 10
    assert line.amount_minor == 7_587_840
    assert line.text == (
        "64 of 96 GPUs dedicated: 47616.00 GPU-h entitled - 192.00 undeliverable = 47424.00 GPU-h; 80.00 used + "
        "37859.20 unused (take-or-pay 80.00 %) = 37939.20 GPU-h x 2.00; used 80.00, lent 0.00, idle 47344.00"
    )
