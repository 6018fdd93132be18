"""What was delivered by the month, and the credit that follows: by hand, and against the rules read one by one."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core import money
from forebay.core.claims import SignContract, remedies, service_levels
from forebay.core.claims.service_levels import Crediting, Rung, ServiceLevel, ServiceUnit
from forebay.core.ids import TrancheId
from forebay.core.money import credits as crediting
from forebay.core.money import delivered
from forebay.core.timeline import Interval
from forebay.core.units import MICROS, SECOND_US
from tests.core import plant
from tests.core.plant import Driver, contract, tranche, utc

JANUARY = Interval(utc(2026), utc(2026, 2))
#: 5 % below 99.9 %, 25 % below 95 %.
LADDER = (Rung(999_000, 50_000), Rung(950_000, 250_000))
T1 = TrancheId("t1")


def level(**terms: Any) -> ServiceLevel:
    return ServiceLevel(**({"unit": ServiceUnit.NODE, "ladder": LADDER} | terms))


def held(service: ServiceLevel | None = None, count: int = 1, **terms: Any) -> Driver:
    """A tranche of racks of four nodes, for a year, at 2.00."""
    of_contract = {key: terms.pop(key) for key in ("remedies", "relief") if key in terms}
    plan = tranche(count=count, service=service or level(), **terms)
    return plant.plant(contract("c1", "acme", plan, **of_contract))


def out(driver: Driver, node: int, seconds: int) -> None:
    driver.fail(node)
    driver.later(seconds).recover(node)


def month(driver: Driver, start: int = JANUARY.start, name: str = "t1") -> money.MonthDelivered:
    state = driver.world.state
    books = money.Books(state.money, state.usage, state.claims, state.supply)
    (found,) = money.months_delivered(books, [TrancheId(name)], start, driver.at)
    found_again = delivered.measured(
        state.usage.downtimes,
        state.claims,
        state.supply,
        TrancheId(name),
        found.delivered.month,
        driver.at,
        state.money.exclusions.of(TrancheId(name)),
    )
    assert found.delivered == found_again
    return found


def credit_lines(driver: Driver) -> list[money.Line]:
    return [line for invoice in driver.issued() for line in invoice.lines if line.kind == "service_credit"]


def test_99_87_percent_against_a_ladder_of_99_9_and_95() -> None:
    """One rack of four nodes, 32 GPUs, in January: 4 x 744 h = 10,713,600 s due. A node is out for 13,928 s: the
    month has 10,699,672 / 10,713,600 = 99.869997 %, which is below 99.9 % and not below 95 %. Billed are
    32 x 744 h - 8 x 13,928 s = 23,808 - 30.951111 = 23,777.048889 GPU-h x 2.00 = 47,554.097778; 5 % of it are
    2,377.704889, on the invoice 2,377.70.
    """
    driver = held()
    driver.later(days=9)
    out(driver, 2, 13_928)
    driver.until(JANUARY.end)
    (line,) = credit_lines(driver)
    assert (line.amount_micros, line.amount_minor) == (-2_377_704_889, -237_770)
    assert line.clause == "tranches[t1].service.ladder[0]"
    assert line.text == (
        "service credit for 2026-01: 99.869997 % available (10699672000000 of 10713600000000 node-microseconds), "
        "below 99.90 %: 5.00 % of 47554.097778"
    )
    (invoice,) = driver.issued()
    # With the cent that rounding line by line makes too much.
    assert (invoice.credits_minor, invoice.total_minor) == (237_771, 4_517_639)
    balances = driver.world.state.money.balances
    assert balances["revenue:service_credits", "USD"] == 2_377_704_889
    assert balances["revenue:dedicated", "USD"] == -47_554_097_778
    told = month(driver)
    assert told.given
    assert told.due == (47_554_097_778, (50_000, 2_377_704_889, False), 0)
    (loss,) = told.delivered.losses
    assert (loss.cause, loss.reason, loss.counted) == ("node", "xid 79", "down")
    assert loss.end_at - loss.start_at == 13_928 * SECOND_US


@pytest.mark.parametrize(
    ("seconds", "micros"),
    # 0.1 % of 10,713,600 s are 10,713.6 s: that is not below; 5 % are 535,680 s: that is still the first step.
    [(10_713, 0), (10_714, 2_378_419_111), (535_680, 2_261_760_000), (535_681, 11_308_798_889)],
)
def test_the_lowest_step_counts_alone(seconds: int, micros: int) -> None:
    """At 535,681 s 8 x 535,681 / 3,600 = 1,190.402222 GPU-h are not billed: 25 % of 45,235.195556."""
    driver = held()
    out(driver, 0, seconds)
    driver.until(JANUARY.end)
    assert [-line.amount_micros for line in credit_lines(driver)] == ([micros] if micros else [])


def test_a_month_without_a_clause_is_told_and_not_credited() -> None:
    driver = plant.plant(contract("c1", "acme", tranche()))
    out(driver, 0, 5 * 86_400)
    driver.until(JANUARY.end)
    assert not credit_lines(driver)
    told = month(driver)
    assert told.due.credit.micros == 0
    assert told.delivered.level.ladder == ()
    assert crediting.percent(told.delivered.availability) == "95.967741"
    assert crediting.percent(service_levels.Availability(0, 0)) == "100.00"


def test_what_is_not_counted_is_told_and_service_before_the_month_is_another_matter() -> None:
    driver = held(level(replacement_s=3600, cap_total_micros=100_000 * MICROS), end_at=utc(2026, 2, 2))
    driver.ask(SignContract(contract("c2", "acme", tranche("t2", end_at=utc(2026, 1, 2)))))
    out(driver, 2, 3_600 + 13_928)
    driver.until(utc(2026, 3))
    (line,) = credit_lines(driver)
    assert line.text.endswith("; not counted: replacement 3600000000")
    state = driver.world.state
    books = money.Books(state.money, state.usage, state.claims, state.supply)
    names = [TrancheId("t1"), TrancheId("t2")]
    assert [
        each.delivered.tranche for each in money.months_delivered(books, names, utc(2026, 2), driver.at)
    ] == ["t1"]


def test_a_period_that_is_closed_within_a_month_waits_for_the_month() -> None:
    driver = held()
    out(driver, 0, 86_400)
    driver.later(days=9)
    so_far = month(driver)
    # Ten days of 32 GPUs, without one day of 8: 7,488 GPU-h; the month is at 97.5 %, and would cost 5 %.
    assert so_far.due == (7_488 * 2 * MICROS, (50_000, 748_800_000, False), 0)
    driver.close()
    assert not credit_lines(driver)
    before = month(driver)
    assert before.due == so_far.due
    assert not before.given
    driver.until(JANUARY.end)
    (line,) = credit_lines(driver)
    # 24 h of 8 GPUs are not billed: 23,616 GPU-h, of both invoices, and 5 % of them.
    assert line.amount_micros == -23_616 * 2 * MICROS // 20
    after = month(driver)
    assert after.due.base_micros == 23_616 * 2 * MICROS
    assert after.delivered.losses == before.delivered.losses


@pytest.mark.parametrize(
    ("terms", "micros"),
    [
        ({"cap_month_ppm": 10_000}, 475_540_978),
        ({"cap_total_micros": 7 * MICROS}, 7 * MICROS),
        # Claimed it would be, and nobody claims.
        ({"crediting": Crediting.ON_CLAIM, "claim_s": 86_400}, 0),
    ],
)
def test_caps_and_claims(terms: dict[str, Any], micros: int) -> None:
    driver = held(level(**terms))
    out(driver, 2, 13_928)
    driver.until(JANUARY.end)
    found = credit_lines(driver)
    assert [-line.amount_micros for line in found] == ([micros] if micros else [])
    assert all(
        line.text.endswith(f", capped at {'7.00' if micros == 7 * MICROS else '475.540978'}")
        for line in found
    )
    out(driver, 2, 13_928)
    driver.until(utc(2026, 3))
    assert len(credit_lines(driver)) == (2 if "cap_month_ppm" in terms else len(found))


def test_the_cap_of_all_remedies_of_a_contract() -> None:
    terms = remedies.Remedies(
        (remedies.Remedy.CREDIT,), remedies.Settlement.SET_OFF, cap_month_micros=3_000 * MICROS,
        cap_total_micros=5_000 * MICROS,
    )  # fmt: skip
    driver = held(remedies=terms)
    more = contract("c9", "acme", tranche("t2", service=level()))
    driver.ask(SignContract(more))
    for node in (2, 6):
        driver.fail(node)
    driver.later(13_928)
    for node in (2, 6):
        driver.recover(node)
    driver.until(JANUARY.end)
    assert [(line.claim, -line.amount_micros) for line in credit_lines(driver)] == [
        ("t1", 2_377_704_889), ("t2", 2_377_704_889),
    ]  # fmt: skip
    for _ in range(2):
        out(driver, 2, 13_928)
        driver.until(utc(2026, 3) if driver.at < utc(2026, 3) else utc(2026, 4))
    own = [-line.amount_micros for line in credit_lines(driver) if line.claim == "t1"]
    assert len(own) == 3
    assert sum(own) == 5_000 * MICROS
