"""What was agreed on a day that has passed, or will hold on one that is to come."""

from __future__ import annotations

from typing import Any

from forebay.core import claims
from forebay.core.claims import maintenance, remedies, rights, service_levels
from forebay.core.claims.service_levels import Availability, Rung, ServiceLevel, ServiceUnit
from forebay.core.ids import ContractId, RightId, TrancheId
from forebay.core.units import MICROS
from tests.core.claims.market import call, day, extension, late, promise, relieved, use
from tests.core.claims.test_amendments import amended, signed
from tests.core.plant import Driver

C1 = ContractId("c1")


def level(credit_ppm: int) -> ServiceLevel:
    return ServiceLevel(ServiceUnit.NODE, (Rung(990_000, credit_ppm),))


def agreed(driver: Driver, on: int, name: str = "t1") -> Any:
    state = driver.world.state.claims
    return claims.tranche_at(state, state.tranches[TrancheId(name)], day(on))


def credit_micros(driver: Driver, on: int) -> int:
    """For a month at 98 % whose fee was 1000.00."""
    month = Availability(98, 100)
    return service_levels.credit(agreed(driver, on).service, month, 1000 * MICROS).micros


def test_terms_of_every_kind_are_those_of_their_day() -> None:
    first = promise(
        "t1",
        1,
        service=level(100_000),
        maintenance=maintenance.Maintenance(3600),
        late=late(1),
        take_or_pay_ppm=900_000,
    )
    driver = signed(first, stands=3)
    second = promise(
        "t1", 1, service=level(250_000), maintenance=None, late=late(2), relief=(relieved(),),
        price_micros_per_gpu_hour=MICROS, price_steps=(claims.PriceStep(day(30), 3 * MICROS, None, 500_000),),
    )  # fmt: skip
    order = (remedies.Remedy.CREDIT, remedies.Remedy.DAMAGES)
    amended(
        driver, tranches=(second, promise("t2", 1, start=15)), effective_at=day(10),
        remedies=remedies.Remedies(order, remedies.Settlement.SET_OFF),
    )  # fmt: skip
    # Before it holds, after it holds, and later: the same answers.
    for today in (0, 12, 40):
        driver.until(day(today))
        before, after, stepped = (agreed(driver, on) for on in (9, 10, 30))
        assert (before.late, after.late) == (late(1), late(2))
        assert (before.maintenance, after.maintenance) == (maintenance.Maintenance(3600), None)
        assert (before.relief, after.relief) == ((), (relieved(),))
        prices = [(each.price_micros_per_gpu_hour, each.take_or_pay_ppm) for each in (before, after, stepped)]
        assert prices == [(2 * MICROS, 900_000), (MICROS, 1_000_000), (3 * MICROS, 500_000)]
        assert [credit_micros(driver, on) // MICROS for on in (9, 10)] == [100, 250]
        assert (agreed(driver, 9, "t2"), agreed(driver, 10, "t2").count) == (None, 1)
        state = driver.world.state.claims
        said = [claims.contract_at(state, C1, day(on)).remedies for on in (9, 10)]
        assert [each and each.order for each in said] == [None, order]


def test_what_a_right_made_keeps_its_terms() -> None:
    driver = signed(promise("t1", 1, end=20), rights=(call(), extension()), stands=4)
    driver.ask(use("call", "more", racks=1))
    amended(driver, tranches=(promise("t1", 1, end=20, late=late(3)),), effective_at=day(5))
    assert agreed(driver, 9, "more") is driver.world.state.claims.tranches[TrancheId("more")].plan


def test_only_rights_of_the_contract_that_is_amended_change() -> None:
    driver = signed(promise("t1", 1), rights=(call("mine", 1),), stands=6)
    other = signed_too(driver)
    amended(driver, rights=(call("mine", 2),), effective_at=day(3))
    driver.until(day(4))
    held = driver.world.state.claims.rights
    assert (held[RightId("mine")].to_come, len(held[other].to_come)) == ((), 1)


def signed_too(driver: Driver) -> RightId:
    """Another contract, with a right whose terms change later."""
    plan = claims.ContractPlan(
        ContractId("c2"), 1, "us", driver.world.state.claims.contracts[C1].tenant, "USD",
        rights=(call("theirs", 1),),
    )  # fmt: skip
    driver.ask(claims.SignContract(plan))
    assert isinstance(driver.world.state.claims.rights[RightId("theirs")], rights.Right)
    more = claims.ContractPlan(
        ContractId("c2"), 2, "us", plan.tenant, "USD", rights=(call("theirs", 2),), effective_at=day(6)
    )
    driver.ask(claims.SignContract(more))
    return RightId("theirs")
