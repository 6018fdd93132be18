"""What fell due of what we rent is done in order, each at its own time."""

from __future__ import annotations

from dataclasses import replace

from forebay.core.claims import rented_dues
from forebay.core.ids import TrancheId
from tests.core.claims import market, sides
from tests.core.claims.market import day, promise, sign
from tests.core.claims.test_exercise import down


def test_each_is_done_at_its_own_time() -> None:
    handed = promise("t2", 1, start=2, acceptance=market.accepted(deemed=1))
    plan = sides.rental(promise(start=6), handed, rights=(market.refusal(answer_s=86_400),))
    driver = sides.customer(plan)
    amended = replace(
        plan, version=2, effective_at=day(5), tranches=(replace(plan.tranches[0], end_at=day(50)), handed)
    )
    driver.ask(sign(amended))
    driver.ask(sides.received())
    driver.later(hours=1)
    driver.ask(market.ready(of="t2"))
    # At the deadline of the offer and of our silence, a day of grace each.
    driver.until(day(7))
    names = [type(event).__name__ for _, event in driver.events]
    wanted = [
        "DeliveryOverdue", "ReceivedOfferLapsed", "DeliveryAccepted", "RentalTermsChanged", "DeliveryOverdue",
    ]  # fmt: skip
    assert [name for name in names if name in wanted] == wanted
    assert driver.world.state.claims.rented.tranches[TrancheId("t1")].plan.end_at == day(50)
    assert rented_dues.PREFIX == "rented_"
    assert down(driver, day(8)) == []
