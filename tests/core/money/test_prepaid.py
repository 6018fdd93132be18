"""Prepayments and deposits: asked for by themselves, paid, drawn by fees, and what is left goes back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from forebay.core import claims, money, supply
from forebay.core.claims import payments
from forebay.core.claims.service_levels import Rung, ServiceLevel, ServiceUnit
from forebay.core.ids import ContractId, InvoiceId, MilestoneId, SiteId, TenantId, TrancheId
from forebay.core.money import Advance, AheadRequested, Allocation, RecordReceipt, ReturnAhead, ReverseReceipt
from forebay.core.money.prepaid import AdvancePool, Requested, check_ahead, left_micros
from forebay.core.placements import gang as gangs
from forebay.core.supply import blocks
from forebay.core.units import DAY_US, MICROS
from tests.core import plant
from tests.core.plant import FINANCE, T0, Driver, contract, day, tranche, utc

ACME = TenantId("acme")
C1 = ContractId("c1")


def terms(**given: Any) -> payments.PaymentTerms:
    """Fees are to be paid within 30 days."""
    return payments.PaymentTerms(payments.BillingTime.ARREARS, 30 * 86_400, **given)


def node(name: str = "t1", **given: Any) -> claims.TranchePlan:
    """One node of 8 GPUs at 2.00: 384.00 a day."""
    return tranche(name, 1, unit=claims.Unit.NODE, **given)


def prepaid(*tranches: claims.TranchePlan, **given: Any) -> Driver:
    """1,000.00 are prepaid on the first day."""
    known: dict[str, Any] = {"prepayments": (payments.Prepayment(T0, 1_000 * MICROS),)}
    return plant.plant(contract("c1", "acme", *(tranches or (node(),)), payments=terms(**known | given)))


def pay(driver: Driver, invoice: str, amount: int, reference: str = "") -> str:
    answer = driver.ask(
        RecordReceipt(
            ACME, "USD", amount * MICROS, driver.at, reference or invoice,
            (Allocation(invoice, amount * MICROS),),
        ), FINANCE,
    )  # fmt: skip
    return str(answer["receipt"])


def balance(driver: Driver) -> dict[str, str]:
    found = driver.world.state.money.balances
    return {account: f"{micros / MICROS:.2f}" for (account, _), micros in sorted(found.items()) if micros}


def lines(driver: Driver, place: int = -1) -> list[tuple[str, str, int]]:
    return [(line.kind, line.claim, line.amount_minor) for line in driver.issued()[place].lines]


def left(driver: Driver, what: Advance = Advance.PREPAYMENT) -> int:
    own = driver.world.state.money
    return left_micros(own.receivables, own.ahead.pools[C1, what]) // MICROS


def test_it_is_billed_on_its_date_paid_drawn_and_shown() -> None:
    driver = prepaid()
    request = driver.last(AheadRequested)
    assert (request.contract, request.what, request.amount_micros) == (C1, Advance.PREPAYMENT, 1_000 * MICROS)
    asked = driver.issued()[0]
    assert (asked.invoice, asked.number, asked.total_minor, asked.due_at) == ("INV-000001", 1, 100_000, T0)
    assert (asked.lines[0].kind, asked.lines[0].clause) == ("prepayment", "payments.prepayments[0]")
    assert balance(driver) == {"receivable:acme": "1000.00", "prepayments:acme": "-1000.00"}
    pay(driver, "INV-000001", 1_000)
    assert balance(driver) == {"cash": "1000.00", "prepayments:acme": "-1000.00"}
    driver.later(days=1).close()
    assert lines(driver) == [("dedicated", "t1", 38_400), ("prepayment_drawn", "t1", -38_400)]
    assert driver.issued()[-1].lines[1].text == (
        "drawn from what is prepaid, for t1: 384.00 of 384.00; 616.00 is left"
    )
    assert balance(driver) == {
        "cash": "1000.00", "prepayments:acme": "-616.00", "revenue:dedicated": "-384.00",
    }  # fmt: skip
    # What is left does not cover three days: the rest is to be paid.
    driver.later(days=3).close()
    assert lines(driver) == [("dedicated", "t1", 115_200), ("prepayment_drawn", "t1", -61_600)]
    assert balance(driver)["receivable:acme"] == "536.00"
    assert left(driver) == 0
    driver.later(days=1).close()
    assert lines(driver) == [("dedicated", "t1", 38_400)]


def test_only_what_is_paid_is_drawn() -> None:
    driver = prepaid()
    driver.later(days=1).close()
    assert lines(driver) == [("dedicated", "t1", 38_400)]
    receipt = pay(driver, "INV-000001", 100)
    driver.later(days=1).close()
    assert lines(driver) == [("dedicated", "t1", 38_400), ("prepayment_drawn", "t1", -10_000)]
    # A receipt that was wrong: what was drawn is drawn, and nothing is left until so much is paid again.
    driver.ask(ReverseReceipt(receipt, "of another customer"), FINANCE)
    assert left(driver) == 0
    pay(driver, "INV-000001", 150, "once more")
    assert left(driver) == 50


def test_tranches_draw_in_the_order_of_the_contract() -> None:
    driver = prepaid(node("t1"), node("t2"), node("t3"), drawdown=(TrancheId("t3"), TrancheId("t1")))
    pay(driver, "INV-000001", 500)
    driver.later(days=1).close()
    drawn = [line for line in driver.issued()[-1].lines if line.kind == "prepayment_drawn"]
    assert [(line.claim, line.amount_minor, line.clause) for line in drawn] == [
        ("t3", -38_400, "payments.drawdown[0]"), ("t1", -11_600, "payments.drawdown[1]"),
    ]  # fmt: skip


def test_where_none_is_named_use_without_a_tranche_draws_last() -> None:
    driver = prepaid()
    pay(driver, "INV-000001", 1_000)
    driver.run("g1", 8)
    driver.later(hours=1).end("g1")
    driver.later(hours=23).close()
    assert lines(driver)[-2:] == [("prepayment_drawn", "t1", -38_400), ("prepayment_drawn", "", -2_400)]


def test_a_credit_is_not_paid_out_by_way_of_a_prepayment() -> None:
    """A lent rack earns more than is owed for it: what is payable is the bound, not the fee."""
    lent = tranche("t1", 2, lending=claims.Lending(300, 1_000_000), price_micros_per_gpu_hour=500_000)
    driver = prepaid(lent)
    pay(driver, "INV-000001", 1_000)
    driver.ask(claims.SignContract(contract("c2", "bravo")))
    driver.ask(gangs.SubmitGang(plant.spec("b1", 64, tenant="bravo", tier=gangs.Tier.SPOT)))
    driver.start("b1")
    driver.later(hours=1).close()
    own = next(each for each in driver.issued() if each.tenant == ACME and each.number > 1)
    assert [line.kind for line in own.lines] == ["dedicated", "lending_share"]
    assert own.total_minor < 0


def test_a_milestone_is_billed_when_it_is_reached_and_to_be_paid_as_fees_are() -> None:
    paid = payments.MilestonePayment(SiteId("north"), MilestoneId("power"), share_ppm=100_000)
    driver = plant.plant(contract("c2", "bravo"))
    driver.ask(blocks.ApplySchedule(plant.schedule(plant.milestone("power", on=5))))
    plan = node("t1", start_at=day(10), end_at=day(20))
    agreed = terms(milestones=(paid,))
    driver.ask(claims.SignContract(contract("c1", "acme", plan, payments=agreed)))
    driver.until(day(6))
    assert driver.issued() == []
    driver.ask(blocks.ReportReached(SiteId("north"), MilestoneId("power"), day(5), "energised"))
    (asked,) = driver.issued()
    # A tenth of ten days at 384.00.
    assert (asked.total_minor, asked.due_at) == (38_400, day(36))
    assert asked.lines[0].clause == "payments.milestones[0]"
    again = type(driver.world).restore(driver.world.state)
    assert again.next_wake() == driver.world.next_wake()


def test_a_deposit_is_kept_and_goes_back_when_the_contract_is_over() -> None:
    driver = prepaid(
        node(end_at=day(2)), deposit_micros=500 * MICROS, deposit_at=day(1), refund_ppm=500_000,
    )  # fmt: skip
    pay(driver, "INV-000001", 1_000)
    driver.until(day(1))
    assert lines(driver) == [("deposit", "", 50_000)]
    assert balance(driver)["deposits:acme"] == "-500.00"
    back = ReturnAhead(C1, Advance.DEPOSIT, "wire back")
    driver.until(day(2))
    assert driver.refused(back, FINANCE).code == "not_over"
    driver.later(days=1).close()
    # Nobody paid it: nothing can go back.
    assert driver.refused(back, FINANCE).code == "nothing_ahead"
    pay(driver, "INV-000002", 500)
    assert driver.ask(back, FINANCE)["returned_micros"] == 500 * MICROS
    assert "deposits:acme" not in balance(driver)
    # Of what is prepaid and not drawn (1,000 - 768) the contract gives half back.
    answer = driver.ask(replace(back, what=Advance.PREPAYMENT), FINANCE)
    assert (answer["returned_micros"], answer["kept_micros"]) == (116 * MICROS, 116 * MICROS)
    assert balance(driver) == {
        "cash": "884.00", "revenue:dedicated": "-768.00", "revenue:prepayments_kept": "-116.00",
    }  # fmt: skip
    assert driver.refused(replace(back, what=Advance.PREPAYMENT), FINANCE).code == "nothing_ahead"
    assert driver.refused(replace(back, contract=ContractId("c7")), FINANCE).code == "unknown_contract"
    assert driver.refused(replace(back, reference=" "), FINANCE).code == "empty_reference"


def test_an_amendment_may_ask_for_more_and_never_asks_twice() -> None:
    driver = prepaid(prepayments=(payments.Prepayment(T0, 10 * MICROS), payments.Prepayment(T0, 20 * MICROS)))
    assert [each.total_minor for each in driver.issued()] == [1_000, 2_000]
    known = driver.world.state.claims.contracts[C1]
    more = (*known.payments.prepayments, payments.Prepayment(day(3), 30 * MICROS))  # type: ignore[union-attr]
    driver.until(day(1))
    changed = replace(known, version=2, payments=terms(prepayments=more), effective_at=day(5))
    driver.ask(claims.SignContract(changed))
    driver.until(day(4))
    assert len(driver.issued()) == 2
    driver.until(day(5))
    # Its date is past when the version takes effect: it is due at once.
    assert [(each.total_minor, each.due_at) for each in driver.issued()[2:]] == [(3_000, day(5))]


def test_what_is_withdrawn_before_its_date_is_not_asked_for() -> None:
    driver = prepaid(prepayments=(payments.Prepayment(day(3), 10 * MICROS),))
    known = driver.world.state.claims.contracts[C1]
    driver.ask(claims.SignContract(replace(known, version=2, payments=None)))
    driver.until(day(4))
    assert driver.issued() == []


def test_what_ran_already_brings_along_what_it_paid() -> None:
    driver = plant.opened()
    driver.ask(supply.ApplyCatalogue((plant.sku(),)))
    driver.ask(supply.ApplySite(plant.site()))
    driver.ask(money.ApplyPriceList(plant.prices()))
    plan = contract(
        "c1", "acme", tranche("t1", 1, start_at=T0 - 10 * DAY_US),
        payments=terms(prepayments=(payments.Prepayment(T0 - 9 * DAY_US, 900 * MICROS),)),
    )  # fmt: skip
    held = (claims.opening.OpenedTranche(TrancheId("t1"), 1),)
    opening = claims.Opening(T0, prepaid_micros=100 * MICROS, deposit_micros=50 * MICROS, tranches=held)
    driver.ask(claims.SignContract(plan, opening=opening))
    assert driver.issued() == []
    assert left(driver) == 100
    assert left(driver, Advance.DEPOSIT) == 50


def note(driver: Driver, issued: money.InvoiceIssued, *credited: tuple[int, int]) -> None:
    parts = tuple(money.LineCredit(n, minor) for n, minor in credited)
    driver.ask(money.IssueCreditNote(issued, parts, "agreed"), FINANCE)


def test_what_is_credited_or_void_was_never_drawn() -> None:
    driver = prepaid()
    pay(driver, "INV-000001", 1_000)
    driver.later(days=1).close()
    assert left(driver) == 616
    driver.ask(money.VoidInvoice(driver.issued()[-1], "wrong customer"), FINANCE)
    assert left(driver) == 1_000
    (other,) = driver.later(days=1).close()[-1:]
    assert left(driver) == 616
    driver.ask(money.VoidInvoice(other, "misprint", reissue=True), FINANCE)
    assert left(driver) == 616
    # Half of the fee is taken back, and with it half of what it drew.
    again = driver.issued()[-1]
    note(driver, again, (1, 30_000), (2, -29_200))
    assert left(driver) == 908
    assert balance(driver)["prepayments:acme"] == "-908.00"


def test_a_request_may_be_credited_void_and_made_again() -> None:
    driver = prepaid()
    (asked,) = driver.issued()
    driver.ask(money.VoidInvoice(asked, "misprint", reissue=True), FINANCE)
    again = driver.issued()[-1]
    pool = driver.world.state.money.ahead.pools[C1, Advance.PREPAYMENT]
    assert [(each.invoice, each.amount_micros) for each in pool.requested] == [("INV-000002", 1_000 * MICROS)]
    note(driver, again, (1, 40_000))
    pay(driver, "INV-000002", 600)
    assert left(driver) == 600
    driver.later(days=1)
    assert len(driver.issued()) == 2


def test_a_request_that_is_void_is_not_made_again_by_itself() -> None:
    driver = prepaid(deposit_micros=5 * MICROS, deposit_at=T0)
    for issued in driver.issued():
        driver.ask(money.VoidInvoice(issued, "not agreed"), FINANCE)
    driver.later(days=1).close()
    assert lines(driver) == [("dedicated", "t1", 38_400)]
    assert balance(driver) == {"receivable:acme": "384.00", "revenue:dedicated": "-384.00"}


def test_a_deposit_that_is_credited_is_owed_no_more() -> None:
    driver = prepaid(prepayments=(), deposit_micros=5 * MICROS, deposit_at=T0)
    driver.later(days=1).close()
    note(driver, driver.issued()[0], (1, 500))
    note(driver, driver.issued()[1], (1, 400))
    assert left(driver, Advance.DEPOSIT) == 0


def test_a_pool_that_does_not_tie_is_found() -> None:
    pool = AdvancePool(ACME, "USD", (Requested("1", InvoiceId("INV-1"), 5),), drawn_micros=2)
    account = ("prepayments:acme", "USD")
    assert list(check_ahead({(C1, Advance.PREPAYMENT): pool}, {account: -3})) == []
    (told,) = check_ahead({(C1, Advance.PREPAYMENT): pool}, {})
    assert told == "pools of prepayments:acme in USD sum to -3, not 0"


def test_a_prepaid_late_tranche_from_cash_to_deferred_to_revenue_to_credit() -> None:
    """docs/reference/worked-examples.md, step by step, each tied to the trial balance."""
    level = ServiceLevel(ServiceUnit.NODE, (Rung(999_000, 50_000),))
    plan = tranche("t1", 1, start_at=utc(2026, 1, 11), end_at=utc(2026, 3), service=level)
    driver = plant.opened()
    driver.ask(supply.ApplyCatalogue((plant.sku(),)))
    driver.ask(supply.ApplySite(plant.site(halls=(plant.hall("h1"),))))
    racks = plant.schedule(plant.milestone("racks", on=10), plant.block("b1", "racks"))
    driver.ask(blocks.ApplySchedule(racks))
    agreed = terms(prepayments=(payments.Prepayment(utc(2026, 1, 5), 30_000 * MICROS),))
    driver.ask(
        claims.SignContract(contract("c1", "acme", plan, payments=agreed, on_demand=False, spot=False))
    )
    # 1. Asked for: owed, and a liability.
    driver.until(utc(2026, 1, 5))
    assert balance(driver) == {"receivable:acme": "30000.00", "prepayments:acme": "-30000.00"}
    # 2. Paid: cash.
    pay(driver, "INV-000001", 30_000)
    assert balance(driver) == {"cash": "30000.00", "prepayments:acme": "-30000.00"}
    # 3. The rack comes on the 16th, five days late.
    driver.until(utc(2026, 1, 16))
    driver.ask(supply.ApplySite(plant.site(halls=(plant.hall("h1", plant.rack("r1", block="b1")),))))
    driver.ask(blocks.ReportReached(SiteId("north"), MilestoneId("racks"), driver.at, "came"))
    driver.until(utc(2026, 2))
    assert lines(driver) == [("dedicated", "t1", 2_457_600), ("prepayment_drawn", "t1", -2_457_600)]
    assert balance(driver) == {
        "cash": "30000.00", "prepayments:acme": "-5424.00", "revenue:dedicated": "-24576.00",
    }  # fmt: skip
    # 4. In February a node is out for a day.
    driver.until(utc(2026, 2, 10)).fail(0)
    driver.later(days=1).recover(0)
    driver.until(utc(2026, 3))
    assert lines(driver) == [
        ("dedicated", "t1", 4_262_400), ("service_credit", "t1", -213_120), ("prepayment_drawn", "t1", -542_400),
    ]  # fmt: skip
    assert balance(driver) == {
        "cash": "30000.00", "receivable:acme": "35068.80", "revenue:dedicated": "-67200.00",
        "revenue:service_credits": "2131.20",
    }  # fmt: skip
    # 5. It is paid.
    driver.later(days=30)
    pay(driver, "INV-000003", 35_068, "first")
    assert balance(driver)["receivable:acme"] == "0.80"


def test_a_prepayment_is_taxed_when_it_is_asked_for_and_a_deposit_never() -> None:
    """20 %: 200.00 on 1,000.00; what is drawn lowers what is taxed later by as much."""
    driver = plant.plant(contract("c2", "acme"))
    driver.ask(money.ApplyTaxes(ACME, (money.TaxRate("FI", 200_000, T0),)))
    agreed = terms(
        prepayments=(payments.Prepayment(T0, 1_000 * MICROS),), deposit_micros=5 * MICROS, deposit_at=T0
    )
    driver.ask(claims.SignContract(contract("c1", "acme", node(), payments=agreed)))
    assert sorted(each.total_minor for each in driver.issued()) == [500, 120_000]
    asked = next(each.invoice for each in driver.issued() if each.total_minor == 120_000)
    pay(driver, asked, 1_200)
    assert left(driver) == 1_000
    driver.later(days=1).close()
    own = next(each for each in driver.issued()[2:] if each.tenant == ACME)
    assert own.total_minor == 0
