"""The part of the story in which a tenant causes loss, or did not, and another claims a credit."""

from __future__ import annotations

from forebay.core import timeline
from forebay.core.claims import SignContract, Unit
from forebay.core.claims.service_levels import Crediting, Rung, ServiceLevel, ServiceUnit
from forebay.core.ids import TrancheId
from forebay.core.money import ClaimCredit, ExcludeLoss, WithdrawExclusion
from forebay.core.units import DAY_US, HOUR_US
from tests.core import plant
from tests.core.plant import Driver


def exclude(driver: Driver) -> None:
    """A tenant caused loss, or did not; another claims the credit of its month."""
    on_claim = ServiceLevel(
        ServiceUnit.NODE, (Rung(999_000, 50_000),), crediting=Crediting.ON_CLAIM, claim_s=86_400
    )
    start = timeline.month_end(driver.at)
    plan = plant.tranche(
        "claimed", unit=Unit.NODE, start_at=driver.at, end_at=start + 90 * DAY_US, service=on_claim
    )
    driver.ask(SignContract(plant.contract("c-claimed", "hugo", plan), override="for the story"))
    driver.until(start)
    name = TrancheId("claimed")
    since = start - HOUR_US
    driver.ask(ExcludeLoss(name, since, start, (), "its driver", "ticket 17"), plant.FINANCE)
    driver.ask(WithdrawExclusion("EXC-000001", "it was ours"), plant.FINANCE)
    driver.ask(ClaimCredit(name, timeline.month_start(since)), plant.tenant("hugo"))
