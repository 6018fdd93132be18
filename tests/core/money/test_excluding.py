"""Loss that a tenant caused, credits on claim, and what becomes known after the close: by hand."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core.claims import SignContract, Unit
from forebay.core.claims.service_levels import Crediting
from forebay.core.ids import Command, Role, TrancheId
from forebay.core.money import ClaimCredit, ExcludeLoss, LossKind, WithdrawExclusion
from forebay.core.money.exclusions import revised_since
from forebay.core.units import HOUR_US, SECOND_US
from tests.core import plant
from tests.core.money.test_credits import JANUARY, T1, credit_lines, held, level, month, out
from tests.core.plant import FINANCE, OPERATOR, T0, Driver, contract, tranche, utc

#: What a node that was out for 13,928 s in January costs (test_credits works it out).
CREDIT = 2_377_704_889


def exclude(**terms: Any) -> ExcludeLoss:
    known: dict[str, Any] = {
        "tranche": T1, "start_at": utc(2026, 1, 10), "end_at": utc(2026, 1, 11), "nodes": ((2, 1),),
        "reason": "its driver update", "evidence": "ticket 17",
    }  # fmt: skip
    return ExcludeLoss(**(known | terms))


def missed(**terms: Any) -> Driver:
    """A node was out for 13,928 s on the tenth of January; it is the twelfth."""
    driver = held(level(**terms))
    driver.later(days=9)
    out(driver, 2, 13_928)
    return driver.until(utc(2026, 1, 12))


def test_what_the_tenant_caused_is_not_missed_and_says_who_decided() -> None:
    driver = missed()
    assert driver.ask(exclude(), FINANCE) == {"exclusion": "EXC-000001", "changed": True}
    assert driver.ask(exclude(), FINANCE) == {"exclusion": "EXC-000001", "changed": False}
    (loss,) = month(driver).delivered.losses
    assert (loss.counted, loss.cause) == (LossKind.TENANT, "tenant")
    assert loss.decided == "EXC-000001: its driver update; decided by fin-1 (ticket 17)"
    driver.until(JANUARY.end)
    assert not credit_lines(driver)
    # Hours in which the node was out are not billed all the same.
    assert driver.issued()[0].lines[0].amount_micros == 47_554_097_778


def test_only_its_time_and_its_nodes_are_excluded() -> None:
    driver = missed()
    half = utc(2026, 1, 10) + 10_000 * SECOND_US
    driver.ask(exclude(end_at=half))
    driver.ask(exclude(nodes=((0, 1),)))
    driver.ask(exclude(nodes=(), start_at=utc(2026, 1, 5), end_at=utc(2026, 1, 6)))
    # The same hour again, by another decision: the first counts.
    driver.ask(exclude(end_at=half + 1, nodes=(), reason="again"))
    told = month(driver).delivered
    assert [(each.counted, (each.end_at - each.start_at) // SECOND_US) for each in told.losses] == [
        (LossKind.TENANT, 10_000), (LossKind.TENANT, 0), (LossKind.DOWN, 3_927),
    ]  # fmt: skip
    assert told.lost_us(LossKind.TENANT) == 10_000 * SECOND_US + 1


def test_a_unit_that_would_be_missing_without_it_is_down() -> None:
    driver = held(level(healthy_nodes_min=1))
    driver.later(days=9)
    driver.fail(1)
    out(driver, 2, 13_928)
    driver.until(utc(2026, 1, 12))
    driver.ask(exclude())
    kinds = {(each.unit, each.counted) for each in month(driver).delivered.losses}
    assert kinds == {(1, LossKind.DOWN), (2, LossKind.TENANT)}


def test_news_after_the_close_is_open_and_comes_with_the_next() -> None:
    """January gave 2,377.704889. In February it turns out that the tenant did it: the next close takes it back; then
    it is withdrawn, and the credit is given again.
    """
    driver = missed().until(JANUARY.end)
    assert [line.amount_micros for line in credit_lines(driver)] == [-CREDIT]
    driver.later(days=3)
    driver.ask(exclude())
    told = month(driver)
    assert (told.due.credit.micros, told.posted_micros, told.open_micros) == (0, CREDIT, -CREDIT)
    driver.until(utc(2026, 3))
    line = credit_lines(driver)[-1]
    assert (line.amount_micros, line.amount_minor, line.start) == (CREDIT, 237_770, JANUARY.start)
    assert line.clause == "tranches[t1].service"
    assert line.text == (
        "service credit for 2026-01: 100.00 % available (10713600000000 of 10713600000000 node-microseconds), below "
        "no step of the ladder; not counted: tenant 13928000000; as is known by now 0.00 are due, 2377.704889 were "
        "given"
    )
    told = month(driver)
    assert (told.posted_micros, told.open_micros, told.given) == (0, 0, False)
    driver.ask(WithdrawExclusion("EXC-000001", "it was our update"))
    assert driver.ask(WithdrawExclusion("EXC-000001", "it was our update"))["changed"] is False
    assert month(driver).open_micros == CREDIT
    driver.until(utc(2026, 4))
    assert [line.amount_micros for line in credit_lines(driver)] == [-CREDIT, CREDIT, -CREDIT]
    assert driver.world.state.money.balances["revenue:service_credits", "USD"] == CREDIT
    # May is the last in which January is looked at.
    driver.until(utc(2026, 5) - 1)
    assert month(driver).open_micros == 0
    driver.ask(exclude(nodes=()))
    driver.until(utc(2026, 5))
    assert driver.refused(WithdrawExclusion("EXC-000002", "no")).code == "closed_past"
    assert [line.amount_micros for line in credit_lines(driver)][-1] == CREDIT


def test_late_news_of_a_node_after_the_close_is_credited_with_the_next() -> None:
    """The hours that were not deliverable after all are taken back, and the credit is one of what is left."""
    driver = held().until(JANUARY.end)
    driver.later(days=1)
    driver.recover(2, ago_s=2 * 86_400)
    driver.fail(2, ago_s=2 * 86_400 + 13_928)
    assert month(driver).open_micros == 2_380_800_000
    driver.until(utc(2026, 3))
    (line,) = credit_lines(driver)
    assert -line.amount_micros == CREDIT
    assert month(driver).due.base_micros == 47_554_097_778


def test_a_credit_on_claim_is_given_when_it_was_claimed_in_time() -> None:
    driver = missed(crediting=Crediting.ON_CLAIM, claim_s=30 * 86_400)
    acme = plant.tenant("acme")
    assert driver.refused(ClaimCredit(T1, JANUARY.start), acme).code == "month_not_over"
    driver.until(JANUARY.end)
    told = month(driver)
    assert (told.due.credit.micros, told.open_micros) == (CREDIT, 0)
    assert told.claim_until_at == JANUARY.end + 30 * 86_400 * SECOND_US
    driver.later(days=5)
    assert driver.ask(ClaimCredit(T1, JANUARY.start), acme) == {"tranche": "t1", "changed": True}
    assert driver.ask(ClaimCredit(T1, JANUARY.start), acme) == {"tranche": "t1", "changed": False}
    told = month(driver)
    assert (told.open_micros, told.claim_until_at) == (CREDIT, 0)
    driver.until(utc(2026, 3))
    (line,) = credit_lines(driver)
    assert (line.amount_micros, line.start) == (-CREDIT, JANUARY.start)
    assert line.text.endswith("; as is known by now 2377.704889 are due, 0.00 were given")


CLAIM = ClaimCredit(T1, JANUARY.start)


@pytest.mark.parametrize(
    ("command", "code", "field"),
    [
        (exclude(tranche=TrancheId("t9")), "unknown_tranche", "tranche"),
        (exclude(reason=" "), "no_reason", "reason"),
        (exclude(evidence=""), "no_evidence", "evidence"),
        (exclude(end_at=utc(2026, 1, 10)), "bad_interval", "end"),
        (exclude(end_at=utc(2026, 2, 2)), "future_fact", "end"),
        (exclude(start_at=utc(2025, 10) - 1), "closed_past", "start"),
        (exclude(nodes=((9, 1),)), "not_in_service", "nodes"),
        (exclude(start_at=utc(2025, 12), end_at=utc(2025, 12, 2), nodes=()), "not_in_service", "start"),
        (WithdrawExclusion("EXC-000009", "x"), "unknown_exclusion", "exclusion"),
        (WithdrawExclusion("EXC-000001", ""), "no_reason", "reason"),
        (ClaimCredit(TrancheId("t9"), JANUARY.start), "unknown_tranche", "tranche"),
        (ClaimCredit(T1, JANUARY.start + 1), "month_not_over", "month"),
        (CLAIM, "not_on_claim", "tranche"),
        (ClaimCredit(TrancheId("t2"), JANUARY.start), "not_on_claim", "tranche"),
        (ClaimCredit(TrancheId("t3"), JANUARY.start), "claim_too_late", "month"),
    ],
)
def test_what_is_refused(command: Command, code: str, field: str) -> None:
    driver = missed()
    driver.ask(exclude())
    claimed = level(crediting=Crediting.ON_CLAIM, claim_s=3600)
    for plan in (tranche("t2", unit=Unit.NODE), tranche("t3", unit=Unit.NODE, service=claimed)):
        signed = contract(f"of-{plan.id}", "acme", plan)
        driver.ask(SignContract(signed))
    driver.until(JANUARY.end + HOUR_US)
    refusal = driver.refused(command)
    assert (refusal.code, refusal.field) == (code, field)


def test_who_may() -> None:
    driver = missed().until(JANUARY.end)
    bravo = plant.tenant("bravo")
    assert driver.refused(exclude(), plant.tenant("acme")).code == "forbidden"
    assert driver.refused(CLAIM, bravo).code == "unknown_tranche"
    assert OPERATOR.role is Role.OPERATOR
    assert revised_since(T0) == utc(2025, 10)
