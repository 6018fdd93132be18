"""What it is worth: prices with dates, invoices that can be added up by hand, and a ledger that sums to zero."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from forebay.core import claims, money, timeline, usage
from forebay.core.claims import SignContract
from forebay.core.ids import InvoiceId, SkuId, TenantId
from forebay.core.money import ApplyPriceList, CloseBillingPeriod, InvoiceIssued, Price, PriceList
from forebay.core.placements.gang import SubmitGang, Tier
from forebay.core.units import DAY_US, HOUR_US, MICROS, decimal_text
from forebay.core.world import World
from tests.core import kept, plant
from tests.core.plant import LENT, T0, Driver, contract, feed, hall, prices, rack, site, spec, tranche, utc

LONG = 40 * 86_400


def rows(invoice: InvoiceIssued) -> list[tuple[str, int, int, int]]:
    """(kind, GPU-hours, micro-units, minor units)"""
    return [
        (line.kind, line.gpu_us // HOUR_US, line.amount_micros, line.amount_minor) for line in invoice.lines
    ]


def of(invoices: list[InvoiceIssued], name: str) -> InvoiceIssued:
    return next(invoice for invoice in invoices if invoice.tenant == name)


def balances(driver: Driver) -> dict[str, int]:
    return {account: micros for (account, _), micros in driver.world.state.money.balances.items()}


# Price lists


@pytest.mark.parametrize(
    ("listed", "code", "field"),
    [
        (prices(3, 9, currency="XXX"), "prices_differ", "version"),
        (prices(3, effective_at=T0 + 7), "prices_differ", "version"),
        (prices(2, currency="XXX"), "price_version", "version"),
        (prices(0), "price_version", "version"),
        (prices(4, -1, currency="XXX"), "unknown_currency", "currency"),
        (prices(4, -1), "bad_price", "prices[0]"),
        (prices(4, claims.PRICE_MICROS_MAX + 1), "bad_price", "prices[0]"),
        (
            PriceList(4, "USD", 0, (Price(Tier.SPOT, SkuId("a"), 1), Price(Tier.DEDICATED, SkuId("a"), 1))),
            "bad_price", "prices[1]",
        ),
        (
            PriceList(4, "USD", 0, (*prices().prices, Price(Tier.SPOT, SkuId("hgx"), -1))),
            "bad_price", "prices[2]",
        ),
        (
            PriceList(4, "USD", 0, (*prices().prices, Price(Tier.SPOT, SkuId("hgx"), 1))),
            "duplicate_price", "prices[2]",
        ),
    ],
)  # fmt: skip
def test_a_price_list_is_refused(listed: PriceList, code: str, field: str) -> None:
    driver = plant.plant()
    driver.ask(ApplyPriceList(prices(3)))
    refusal = driver.refused(ApplyPriceList(listed))
    assert (refusal.code, refusal.field) == (code, field)


def test_the_same_list_twice_changes_nothing() -> None:
    driver = plant.plant()
    dated = prices(2, effective_at=T0 + DAY_US)
    assert driver.ask(ApplyPriceList(dated)) == {"version": 2, "changed": True}
    assert driver.ask(ApplyPriceList(dated)) == {"version": 2, "changed": False}
    assert driver.ask(ApplyPriceList(prices(2))) == {"version": 2, "changed": False}
    assert driver.count(usage.PriceSegmentStarted) == 1
    driver.later(days=1)
    assert driver.last(usage.PriceSegmentStarted).segment == 2
    assert driver.world.state.money.held_since == {1: T0, 2: T0 + DAY_US}


def test_of_two_lists_with_one_date_the_higher_version_holds() -> None:
    driver = plant.plant()
    for version in (9, 10):
        driver.ask(ApplyPriceList(prices(version, effective_at=T0 + DAY_US)))
    driver.later(days=1)
    assert driver.world.state.usage.spans[-1].segment == 10


def test_a_list_is_looked_up_by_segment_tier_sku_and_currency() -> None:
    state = plant.plant().world.state.money
    hgx = SkuId("hgx")
    assert money.price(state, 1, Tier.SPOT, hgx, "USD") == (1, MICROS)
    assert money.price(state, 1, Tier.SPOT, SkuId("x"), "USD") is None
    assert money.price(state, 1, Tier.SPOT, hgx, "EUR") is None
    assert money.price(state, 0, Tier.SPOT, hgx, "USD") is None


def test_work_that_nobody_could_bill_is_not_taken_in() -> None:
    driver = plant.plant(
        contract("c1", "acme", tranche("t1")), contract("c2", "bravo", currency="EUR"), priced=False
    )
    submit = SubmitGang(spec("g!"))
    # Before everything else that may be wrong with it.
    assert driver.refused(submit).code == "no_price"
    driver.submit("own", 8, tranche="t1")
    driver.ask(ApplyPriceList(prices(1)))
    assert driver.refused(submit).code == "bad_id"
    assert driver.refused(SubmitGang(spec("g1", tenant="bravo"))).code == "no_price"


def test_work_goes_on_at_the_last_price_there_was() -> None:
    driver = plant.plant()
    driver.run("g1", 8, walltime_s=LONG)
    driver.later(hours=1).ask(ApplyPriceList(prices(2, of="other")))
    driver.ask(SignContract(contract("a0", "acme", currency="EUR")))
    # More of it is taken in as well.
    assert driver.submit("g2", 64).phase.value == "pending"
    driver.later(hours=1)
    invoice = driver.close()[0]
    assert rows(invoice) == [("on_demand", 8, 24 * MICROS, 2400)] * 2
    assert [(line.price_version, line.clause) for line in invoice.lines] == [
        (1, "price list 1: on_demand hgx")
    ] * 2
    assert driver.world.state.usage.spans[-1].segment == 2


# Invoices


def test_two_prices_in_one_period() -> None:
    driver = plant.plant()
    driver.ask(ApplyPriceList(prices(2, 4 * MICROS, effective_at=T0 + 2 * HOUR_US)))
    driver.run("g1", 8, walltime_s=LONG)
    driver.later(hours=5)
    invoice = driver.close()[0]
    assert rows(invoice) == [("on_demand", 16, 48 * MICROS, 4800), ("on_demand", 24, 96 * MICROS, 9600)]
    assert (invoice.start, invoice.end, invoice.total_minor) == (T0, T0 + 5 * HOUR_US, 14_400)
    assert balances(driver) == {"receivable:acme": 144 * MICROS, "revenue:on_demand": -144 * MICROS}


def test_lines_are_rounded_once_and_the_difference_is_a_line() -> None:
    driver = plant.plant(priced=False)
    driver.ask(ApplyPriceList(prices(1, 4_000, 4_000)))
    driver.run("g1", 1)
    driver.run("g2", 1, tier=Tier.SPOT)
    driver.later(hours=1)
    invoice = driver.close()[0]
    # 0.004 + 0.004: nothing each in cents, one cent together.
    assert rows(invoice) == [("on_demand", 1, 4000, 0), ("spot", 1, 4000, 0), ("rounding", 0, 0, 1)]
    assert (invoice.charges_minor, invoice.credits_minor, invoice.total_minor) == (1, 0, 1)
    assert invoice.lines[-1].text == "lines are rounded one by one; exactly they sum to 0.008"
    assert balances(driver) == {
        "receivable:acme": 10_000, "revenue:on_demand": -4000, "revenue:spot": -4000, "rounding": -2000,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("currency", "price", "minor"),
    [
        ("JPY", 2_500_000, 2),
        ("JPY", 3_500_000, 4),
        ("KWD", 2_500, 2),
        ("KWD", 1_234_500, 1234),
        ("EUR", 5_000, 0),
    ],
)
def test_minor_units(currency: str, price: int, minor: int) -> None:
    driver = plant.plant(contract(currency=currency), priced=False)
    driver.ask(ApplyPriceList(prices(1, price, currency=currency)))
    driver.run("g1", 1)
    driver.later(hours=1)
    invoice = driver.close()[0]
    assert (invoice.currency, invoice.total_minor) == (currency, minor)


def test_take_or_pay() -> None:
    """What was deliverable is paid, used or not; what was not deliverable is not."""
    driver = plant.plant(contract("c1", "acme", tranche("t1")))
    driver.run("own", 8, tranche="t1")
    driver.later(hours=1).end("own")
    driver.later(hours=1).fail(0)
    driver.later(hours=2)
    invoice = driver.close()[0]
    # 4 h of 32 GPUs, less 2 h of 8: 112 GPU-hours at 2.00.
    assert rows(invoice) == [("dedicated", 112, 224 * MICROS, 22_400)]
    line = invoice.lines[0]
    assert (line.clause, line.claim) == ("tranches[t1].price_per_gpu_hour", "t1")
    assert line.energy_uj == 8 * HOUR_US * 1000
    assert line.text == (
        "32 GPUs dedicated: 128.00 GPU-h entitled - 16.00 undeliverable = 112.00 GPU-h x 2.00; "
        "used 8.00, lent 0.00, idle 104.00"
    )


def test_lending_is_shared() -> None:
    driver = plant.plant(contract("c1", "acme", tranche("t1", 2, lending=LENT)), contract("c2", "bravo"))
    driver.run("b1", 10, tenant="bravo", tier=Tier.SPOT)
    driver.later(hours=1)
    invoices = driver.close()
    assert rows(of(invoices, "bravo")) == [("spot", 10, 10 * MICROS, 1000)]
    # 64 GPUs at 2.00, less 40 % of what bravo pays.
    assert rows(of(invoices, "acme")) == [
        ("dedicated", 64, 128 * MICROS, 12_800), ("lending_share", 0, -4 * MICROS, -400),
    ]  # fmt: skip
    owner = of(invoices, "acme")
    assert (owner.charges_minor, owner.credits_minor, owner.total_minor) == (12_800, 400, 12_400)
    assert owner.lines[1].text == "share of lending: 10.00 GPU-h lent x 1.00 x 40.00 %"
    # Neither invoice names the other party.
    assert "bravo" not in repr(owner)
    assert "acme" not in repr(of(invoices, "bravo"))
    assert balances(driver) == {
        "receivable:acme": 124 * MICROS, "revenue:dedicated": -128 * MICROS, "expense:lending_share": 4 * MICROS,
        "receivable:bravo": 10 * MICROS, "revenue:spot": -10 * MICROS,
    }  # fmt: skip


def test_a_correction_of_a_closed_period() -> None:
    driver = plant.plant()
    driver.run("g1", 8, walltime_s=LONG)
    driver.later(hours=4).close()
    driver.later(hours=1).end("g1", ago_s=3 * 3600)
    invoice = driver.close()[0]
    assert rows(invoice) == [("correction", -16, -48 * MICROS, -4800)]
    assert (invoice.charges_minor, invoice.credits_minor, invoice.total_minor) == (0, 4800, -4800)
    assert invoice.lines[0].text == (
        "correction of the period from 2026-01-01T00:00:00Z: on demand: -16.00 GPU-h x 3.00 (0 starts)"
    )
    assert balances(driver)["receivable:acme"] == 48 * MICROS


def test_undeliverable_time_that_is_learned_of_late_is_given_back() -> None:
    driver = plant.plant(contract("c1", "acme", tranche("t1")))
    driver.later(hours=4)
    assert driver.close()[0].total_minor == 25_600
    driver.later(hours=1).fail(0, ago_s=3 * 3600)
    invoice = driver.close()[0]
    assert rows(invoice) == [("dedicated", 24, 48 * MICROS, 4800), ("correction", -16, -32 * MICROS, -3200)]
    line = invoice.lines[1]
    assert (line.start, line.end, line.clause) == (
        T0, T0 + 4 * HOUR_US, "tranches[t1].price_per_gpu_hour",
    )  # fmt: skip
    said = "correction of the period from 2026-01-01T00:00:00Z: 16.00 GPU-h were"
    assert line.text == f"{said} undeliverable, and paid, x 2.00"
    # It was well again after an hour, as it turns out.
    driver.recover(0, ago_s=2 * 3600)
    driver.later(hours=1)
    lines = driver.close()[0].lines
    assert [(each.kind, each.gpu_us // HOUR_US) for each in lines] == [
        ("dedicated", 32), ("correction", 8), ("correction", 8),
    ]  # fmt: skip
    assert lines[1].text.endswith("8.00 GPU-h were deliverable after all, x 2.00")
    # Paid for: six hours of 32, less one of 8.
    assert sum(driver.world.state.money.balances[mark] for mark in driver.world.state.money.balances) == 0
    assert balances(driver)["receivable:acme"] == (6 * 32 - 8) * 2 * MICROS


def test_what_is_kept_free_is_not_billed() -> None:
    driver = plant.plant(contract("c1", "acme", tranche("t1")))
    driver.later(hours=1)
    for node in range(4):
        driver.cordon(node)
    driver.later(hours=2)
    # One hour of 32 GPUs at 2.00; then two of none.
    assert rows(driver.close()[0]) == [("dedicated", 32, 64 * MICROS, 6400)]
    driver.later(hours=1)
    assert rows(driver.close()[0]) == [("dedicated", 0, 0, 0)]


def test_a_correction_says_when_and_from_what() -> None:
    """A node fails an hour before the close and is reported an hour after it: 8 GPU-hours at 2.00 come back."""
    driver = plant.plant(contract("c1", "acme", tranche("t1")))
    driver.later(hours=4).close()
    driver.later(hours=1).fail(0, ago_s=2 * 3600)
    invoice = driver.close()[0]
    assert rows(invoice) == [("dedicated", 24, 48 * MICROS, 4800), ("correction", -8, -16 * MICROS, -1600)]
    closed = driver.last(usage.PeriodClosed)
    line = invoice.lines[1]
    assert closed.reason == "test"
    assert closed.tranches[line.source_tranche].period_start == line.start == T0
    assert (line.end, line.tier, line.price_version) == (invoice.start, Tier.DEDICATED, 0)
    posted = driver.last(money.TransactionPosted)
    assert (posted.invoice, posted.effective_at) == (invoice.invoice, invoice.end - 1)
    assert {entry.account: entry.amount_micros for entry in posted.entries} == {
        "receivable:acme": 32 * MICROS, "revenue:dedicated": -32 * MICROS,
    }  # fmt: skip


def test_each_seller_counts_its_own_invoices() -> None:
    driver = plant.plant(
        contract("c1", "acme", tranche("t1")), contract("c2", "acme", tranche("t2"), seller="them")
    )
    for hour in (1, 2):
        driver.later(hours=1)
        assert [(each.invoice, each.seller, each.number, each.total_minor) for each in driver.close()] == [
            (f"INV-{2 * hour - 1:06d}", "them", hour, 6400), (f"INV-{2 * hour:06d}", "us", hour, 6400),
        ]  # fmt: skip


def test_a_price_list_is_recorded_with_the_instant_from_which_it_holds() -> None:
    driver = plant.plant(priced=False)
    driver.later(hours=1)
    for version, dated, holds in ((1, 0, driver.at), (2, T0, driver.at), (3, driver.at + 7, driver.at + 7)):
        driver.ask(ApplyPriceList(prices(version, effective_at=dated)))
        assert driver.last(money.PriceListApplied).prices.effective_at == holds


def test_a_tranche_that_was_signed_late_is_billed_from_then() -> None:
    driver = plant.plant(contract("c2", "bravo"))
    driver.later(hours=5)
    driver.ask(SignContract(contract("c1", "acme", tranche("t1", end_at=T0 + 8 * HOUR_US))))
    driver.later(hours=10)
    line = driver.close()[0].lines[0]
    assert (line.start, line.end, line.gpu_us) == (T0 + 5 * HOUR_US, T0 + 8 * HOUR_US, 96 * HOUR_US)


def test_one_invoice_a_currency() -> None:
    driver = plant.plant(contract("c1", "acme"), contract("c2", "acme", tranche("t1"), currency="EUR"))
    driver.run("g1", 8)
    driver.later(hours=1)
    assert [(each.invoice, each.currency, each.total_minor) for each in driver.close()] == [
        ("INV-000001", "EUR", 6400), ("INV-000002", "USD", 2400),
    ]  # fmt: skip


def test_what_costs_nothing_is_invoiced_and_not_posted() -> None:
    driver = plant.plant(priced=False)
    driver.ask(ApplyPriceList(prices(1, 0, 0)))
    driver.run("g1", 8)
    driver.later(hours=1)
    assert driver.close()[0].total_minor == 0
    assert driver.count(money.TransactionPosted) == 0


# Periods


def test_a_period_closes_with_the_month() -> None:
    driver = plant.plant()
    driver.run("g1", 8, walltime_s=LONG)
    driver.until(utc(2026, 2) - 1)
    assert driver.count(usage.PeriodClosed) == 0
    driver.until(utc(2026, 2, 2))
    closed = driver.last(usage.PeriodClosed)
    assert (closed.start, closed.end) == (T0, utc(2026, 2))
    assert driver.last(InvoiceIssued).total_minor == 31 * 24 * 8 * 300
    driver.close()
    driver.until(utc(2026, 3))
    assert [e.end for _, e in driver.events if isinstance(e, usage.PeriodClosed)] == [
        utc(2026, 2), utc(2026, 2, 2), utc(2026, 3),
    ]  # fmt: skip


def test_an_empty_period_is_not_closed() -> None:
    driver = plant.plant()
    assert driver.refused(CloseBillingPeriod("again")).code == "empty_period"


# What `check` finds


def _ledger(world: World) -> None:
    world.state.money.balances["rounding", "USD"] = 7


def _total(world: World) -> None:
    issued = world.state.money.invoices
    issued[InvoiceId("INV-000001")] = issued[InvoiceId("INV-000001")]._replace(charges_minor=1, total_minor=2)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (_ledger, ["the ledger in USD sums to 7"]),
        (
            _total,
            [
                "invoice INV-000001 is not its charges less its credits",
                "invoice INV-000001 is not the sum of its lines",
            ],
        ),
    ],
)
def test_damage_is_found(damage: Callable[[World], None], found: list[str]) -> None:
    driver = plant.plant()
    driver.run("g1", 8)
    driver.later(hours=1).close()
    world = driver.world.fork()
    damage(world)
    assert list(money.check(world.state.money)) == found


# As people read it


def invoice_text(invoice: InvoiceIssued) -> str:
    """An invoice as plain text, for comparison."""
    term = f"{timeline.text(invoice.start)} to {timeline.text(invoice.end)}"
    said = [f"{invoice.invoice} for {invoice.tenant}, {term}, rated by rules {invoice.rating}"]
    for line in invoice.lines:
        whose = f"{line.contract} v{line.contract_version}, {line.clause}"
        said.append(
            f"  {line.kind}: {decimal_text(line.amount_micros)} = {line.amount_minor} minor ({whose})"
        )
        said.append(f"      {line.text}")
    sums = f"{invoice.charges_minor} - {invoice.credits_minor} = {invoice.total_minor}"
    said.append(f"  charges - credits: {sums} minor {invoice.currency}")
    return "\n".join(said) + "\n"


def test_an_invoice_reads_well() -> None:
    halls = (hall("h1", rack("r1"), rack("r2"), rack("r3", on="f2")),)
    driver = plant.plant(
        contract("frame-1", "acme", tranche("core", 2, price_micros_per_gpu_hour=2_345_678, lending=LENT)),
        contract("frame-2", "bravo"),
        sites=(site("north", (feed("f1"), feed("f2", 24_000)), halls),),
    )
    driver.ask(ApplyPriceList(prices(2, 3_333_333, 1_111_111, effective_at=utc(2026, 1, 20))))
    driver.run("train", 32, tranche="core", walltime_s=LONG)
    driver.run("serve", 16, walltime_s=LONG)
    driver.run("guest", 8, tenant="bravo", tier=Tier.SPOT, walltime_s=LONG)
    driver.until(utc(2026, 1, 10)).fail(0)
    driver.later(20).end("train")
    driver.later(hours=7).recover(0)
    driver.until(utc(2026, 2))
    driver.end("guest", ago_s=12_345)
    driver.later(days=3)
    driver.end("serve")
    driver.close()
    issued = driver.issued()
    text = "\n".join(invoice_text(each) for each in issued if each.tenant == TenantId("acme"))
    kept.compare("invoices.txt", text)
    assert sum(driver.world.state.money.balances.values()) == 0
