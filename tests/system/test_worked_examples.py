"""The invoices of docs/reference/worked-examples.md come out as they were worked out there by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forebay.core import claims, ids, money, supply, usage
from forebay.core.claims.acceptance import AcceptDelivery, GiveReadyNotice, Result
from forebay.core.placements.gang import Ending, Tier
from forebay.core.units import DAY_US, HOUR_US, MICROS
from forebay.feeds import commands, reading
from tests.cli.rig import ROOT
from tests.core import plant
from tests.core.plant import LENT, Driver, contract, tranche, utc

Billed = tuple[str, int, int]


def billed(invoice: money.InvoiceIssued) -> list[Billed]:
    """Kind, exact micro-units, cents of each line."""
    return [(line.kind, line.amount_micros, line.amount_minor) for line in invoice.lines]


def test_a_lent_rack_that_its_owner_wants_back_within_the_hour() -> None:
    driver = plant.plant(contract("c1", "acme", tranche("t1", lending=LENT)), contract("c2", "bravo"))
    driver.run("pool", 32, tenant="bravo", walltime_s=86_400)
    driver.run("borrows", 32, tenant="bravo", tier=Tier.SPOT, grace_s=60, walltime_s=86_400)
    assert driver.gang("borrows").lender == "t1"
    driver.later(24 * 60)
    driver.submit("own", 32, tranche="t1", walltime_s=86_400)
    driver.later(60).end("borrows", Ending.STOPPED)
    assert driver.phase("own") == "placed"
    driver.start("own")
    driver.later(35 * 60)
    invoices = {invoice.tenant: invoice for invoice in driver.close()}
    assert billed(invoices[ids.TenantId("bravo")]) == [
        ("on_demand", 96_000_000, 9600), ("spot", 13_333_333, 1333),
    ]  # fmt: skip
    acme = invoices[ids.TenantId("acme")]
    assert billed(acme) == [("dedicated", 64_000_000, 6400), ("lending_share", -5_333_333, -533)]
    assert (acme.total_minor, invoices[ids.TenantId("bravo")].total_minor) == (5867, 10_933)
    (book,) = driver.last(usage.PeriodClosed).tranches
    minute_us = 32 * HOUR_US // 60
    assert (book.lent_gpu_us, book.used_gpu_us, book.idle_gpu_us) == (25 * minute_us, 35 * minute_us, 0)
    balances = driver.world.state.money.balances
    assert balances["receivable:bravo", "USD"] == 109_330_000
    assert balances["receivable:acme", "USD"] == 58_670_000
    # 0.003333 that bravo does not pay, and 0.003333 that acme pays more, do away with each other.
    assert balances.get(("rounding", "USD"), 0) == 0


def month_of(driver: Driver, month: int, year: int = 2026) -> money.InvoiceIssued:
    """The invoice of a month, which its end by the calendar closes."""
    driver.until(plant.utc(year, month + 1) + HOUR_US)
    return driver.last(money.InvoiceIssued, lambda each: each.start == plant.utc(year, month))


def test_a_month_with_a_change_of_clocks() -> None:
    driver = plant.plant(contract("c1", "acme", tranche("t1")))
    assert driver.world.state.supply.sites[ids.SiteId("north")].zone == "Europe/Helsinki"
    for month, hours in ((3, 744), (10, 744), (11, 720)):
        invoice = month_of(driver, month)
        (line,) = invoice.lines
        assert line.gpu_us == 32 * hours * HOUR_US
        assert invoice.total_minor == 32 * hours * 200


#: The first tranche of the deal: 480 racks of 72 GPUs at 4.50, from 2027-09-01 in New York.
STARTS = utc(2027, 9, 1, 4)
TESTS = {
    "burn_in_hours": 72,
    "all_reduce_gb_per_s": 370,
    "storage_gb_per_s": 500,
    "healthy_nodes_per_rack": 17,
}


def the_deal() -> Driver:
    """The deal as `examples/deal` has it, without its second tranche, at a site where the racks stand already."""
    path = ROOT / "examples" / "deal" / "contracts.yaml"
    (document,) = reading.documents(path.read_text(), path.name)
    signed = commands.command_of(document, commands.Setting(0)).command
    assert isinstance(signed, claims.SignContract)
    first, _ = signed.plan.tranches
    assert signed.plan.payments is not None
    plan = replace(
        signed.plan,
        tranches=(first,),
        rights=(),
        payments=replace(signed.plan.payments, drawdown=(first.id,)),
    )
    driver = plant.opened(utc(2027, 8))
    rack_w = 200_000
    driver.ask(
        supply.ApplyCatalogue(
            (plant.sku("vr-nvl72", gpus_per_node=4, nodes_per_rack=18, healthy_nodes_min=16, rack_w=rack_w),)
        )
    )
    racks = (plant.rack(f"r{n}", of="vr-nvl72") for n in range(480))
    driver.ask(
        supply.ApplySite(
            plant.site(
                "lappeenranta", feeds=(plant.feed("f1", 480 * rack_w),), halls=(plant.hall("h1", *racks),)
            )
        )
    )
    driver.ask(claims.SignContract(plan))
    return driver


def accepted_after(driver: Driver, days: int) -> None:
    """All racks are ready and accepted so many days after the term began."""
    driver.until(STARTS + days * DAY_US)
    results = tuple(Result(name, value * MICROS) for name, value in TESTS.items())
    tranche_id = ids.TrancheId("big-lab-fi")
    driver.ask(GiveReadyNotice(tranche_id, 480, results))
    driver.ask(AcceptDelivery(tranche_id))


@pytest.mark.parametrize(
    ("days", "september", "october"),
    [
        (8, [("dedicated", 81_492_480)], [("dedicated", 115_706_880)]),
        (20, [("dedicated", 36_702_720), ("late_discount", -7_464_960)], [("dedicated", 115_706_880)]),
        (40, [], [("dedicated", 77_760_000), ("late_discount", -14_805_504), ("late_discount", -7_589_376)]),
    ],
)
def test_the_first_month_of_the_deal_that_starts_late(
    days: int, september: list[tuple[str, int]], october: list[tuple[str, int]]
) -> None:
    driver = the_deal()
    accepted_after(driver, days)
    driver.until(utc(2027, 11))
    told = {issued.start: issued for issued in driver.issued()}
    for month, lines in ((9, september), (10, october)):
        invoice = told.get(utc(2027, month))
        lines_of = () if invoice is None else invoice.lines
        # Nobody pays ahead in this example: interest on that is another matter.
        found = [(line.kind, line.amount_minor) for line in lines_of if line.kind != "late_interest"]
        assert found == [(kind, dollars * 100) for kind, dollars in lines]
    discounts = sum(dollars for kind, dollars in (*september, *october) if kind == "late_discount")
    balances = driver.world.state.money.balances
    assert balances.get(("revenue:late_discounts", "USD"), 0) == -discounts * MICROS


def test_a_correction_after_close() -> None:
    driver = plant.plant(contract("c1", "acme", tranche("t1")))
    acme, usd = ids.TenantId("acme"), 1_000_000
    march = month_of(driver, 3)
    assert march.total_minor == 47_616_00
    for _, each in driver.events.copy():
        if isinstance(each, money.InvoiceIssued) and each.invoice != march.invoice:
            driver.ask(money.VoidInvoice(each, "no part of the example"), plant.FINANCE)
    driver.until(plant.utc(2026, 4) + 24 * HOUR_US)
    paid = (money.Allocation(march.invoice, 47_000 * usd),)
    driver.ask(money.RecordReceipt(acme, "USD", 47_000 * usd, driver.at, "wire 1", paid), plant.FINANCE)
    driver.until(plant.utc(2026, 4) + 48 * HOUR_US)
    driver.fail(0, ago_s=72 * 3600)
    driver.recover(0, ago_s=36 * 3600)
    part = (money.LineCredit(1, 800_00),)
    note = driver.ask(money.IssueCreditNote(march, part, "for the trouble"), plant.FINANCE)
    assert (note["total_minor"], note["left_minor"]) == (800_00, 184_00)
    april = month_of(driver, 4)
    assert billed(april) == [
        ("dedicated", 45_888 * usd, 45_888_00), ("correction", -384 * usd, -384_00),
    ]  # fmt: skip
    rest = (money.Allocation(april.invoice, 184 * usd),)
    driver.ask(money.AllocateCreditNote(note["note"], rest), plant.FINANCE)
    state = driver.world.state.money
    assert {item.invoice: micros for item, micros in state.receivables.open.items()} == {
        april.invoice: 45_320 * usd
    }
    balances = {name: micros // usd for (name, _), micros in state.balances.items() if micros}
    assert balances == {"receivable:acme": 45_320, "revenue:dedicated": -92_320, "cash": 47_000}
    in_march = [
        event.invoice
        for _, event in driver.events
        if isinstance(event, money.TransactionPosted)
        and plant.utc(2026, 3) <= event.effective_at < plant.utc(2026, 4)
        and event.entries[0].amount_micros > 0
    ]
    assert in_march == [march.invoice]
