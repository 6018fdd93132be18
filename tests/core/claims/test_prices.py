"""Prices with steps, an index and take-or-pay: each worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forebay.core import claims, money, supply, usage
from forebay.core.claims import Indexed, IndexValue, PriceStep, PublishIndex, SignContract, prices
from forebay.core.claims.prices import Stretch
from forebay.core.ids import IndexId, InvoiceId
from forebay.core.timeline import month_start
from forebay.core.units import HOUR_US, MICROS
from tests.core.claims.market import day, extension, late, market, promise, shorts, sign, slip, terms_of, use
from tests.core.plant import EDGE, FINANCE, T0, Driver, contract, hall, rack, site, sku, utc

POWER = IndexId("power")
GPU_H = HOUR_US


def step(on: int, price: int, **terms: Any) -> PriceStep:
    return PriceStep(day(on), price, **terms)


def value(on: int, points: float) -> IndexValue:
    return IndexValue(day(on), int(points * MICROS))


def following(**terms: Any) -> Indexed:
    """A third of the price follows."""
    known: dict[str, Any] = {"index": POWER, "base_micros": 100 * MICROS, "share_ppm": 300_000}
    return Indexed(**(known | terms))


def publish(driver: Driver, *values: IndexValue, index: IndexId = POWER) -> dict[str, Any]:
    return driver.ask(PublishIndex(index, values), FINANCE)


def bills(driver: Driver) -> list[money.Line]:
    return [line for each in driver.issued() for line in each.lines]


# Steps


def test_the_price_of_an_instant_is_that_of_the_last_step() -> None:
    plan = promise(price_steps=(step(10, 3), step(20, 2)), price_micros_per_gpu_hour=5)
    found = [prices.price_at(plan, day(n)).price_micros_per_gpu_hour for n in (-9, 0, 9, 10, 19, 20, 400)]
    assert found == [5, 5, 5, 3, 3, 2, 2]
    assert prices.cost_of_term(plan, 2, day(9), day(21)) == 2 * 24 * (5 + 10 * 3 + 2)
    assert prices.next_change(plan, day(10)) == day(20)
    assert prices.next_change(plan, day(20)) is prices.next_change(replace(plan, end_at=day(9)), T0) is None


def test_an_amended_price_keeps_what_was_before() -> None:
    old = promise(price_steps=(step(10, 3), step(20, 2)), price_micros_per_gpu_hour=5, late=late(1))
    new = promise(price_micros_per_gpu_hour=4, price_steps=(step(5, 9), step(40, 1)), end=500)
    merged = prices.amended(old, new, day(15))
    assert merged.price_steps == (step(10, 3), step(15, 9), step(40, 1))
    assert (merged.price_micros_per_gpu_hour, merged.end_at, merged.late) == (5, day(500), old.late)
    assert prices.amended(old, replace(old, end_at=day(9)), day(15)).price_steps == old.price_steps
    assert prices.amended(old, new, T0) == new
    other = promise(price_micros_per_gpu_hour=3, take_or_pay_ppm=1)
    assert prices.amended(old, other, day(15)).price_steps == (step(10, 3), step(15, 3, take_or_pay_ppm=1))


def test_a_step_is_billed_from_its_instant_on() -> None:
    driver = market(
        contract("c1", "acme", promise(price_steps=(step(10, MICROS), step(31, 3 * MICROS)))), comes=0
    )
    driver.until(day(35))
    assert driver.count(claims.TranchePriceChanged) == 2
    driver.close()
    told = [
        (line.price_micros_per_gpu_hour, line.gpu_us // GPU_H, line.start, line.end) for line in bills(driver)
    ]
    assert told == [
        (2 * MICROS, 10 * 24 * 32, T0, day(10)),
        (MICROS, 21 * 24 * 32, day(10), day(31)),
        (3 * MICROS, 4 * 24 * 32, day(31), day(35)),
    ]
    texts = [line.text for line in bills(driver)]
    assert "x 1.00 (from 2026-01-11T00:00:00Z on)" in texts[1]


def test_energy_of_a_period_is_shared_by_use() -> None:
    driver = market(contract("c1", "acme", promise(price_steps=(step(10, MICROS),))), comes=0)
    driver.run("acme.g", 8, tranche="t1", walltime_s=40 * 86_400)
    driver.until(day(31))
    first, second = bills(driver)
    assert first.energy_uj // 10 == second.energy_uj // 21 > 0


def test_what_goes_on_costs_what_the_tranche_costs_then() -> None:
    plan = promise(end=20, price_steps=(step(10, MICROS, take_or_pay_ppm=500_000),))
    driver = market(contract("c1", "acme", plan, rights=(extension(),)), comes=0)
    driver.ask(use("longer"))
    new = terms_of(driver)
    assert (new.price_micros_per_gpu_hour, new.price_steps, new.take_or_pay_ppm) == (MICROS, (), 500_000)


def test_fees_that_cannot_be_charged_follow_the_steps() -> None:
    plan = promise("t1", 2, start=30, end=60, price_steps=(step(35, MICROS),))
    driver = market(contract("c1", "acme", plan), stands=1, comes=1)
    slip(driver, 40)
    assert shorts(driver) == [("t1", 4, 30, 40)]
    state = driver.world.state
    (known,) = state.claims.shorts.values()
    cost = claims.shortfall.cost(state.claims.tranches[plan.id], state.supply, known)
    assert cost.fees_micros == 32 * 24 * (5 * 2 + 5) * MICROS


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"price_steps": (step(20, 1), step(10, 1))}, "bad_price", "price_steps"),
    ({"price_steps": (step(10, 1), step(10, 1))}, "bad_price", "price_steps"),
    ({"price_steps": (step(0, 1),)}, "bad_price", "price_steps"),
    ({"price_steps": (step(365, 1),)}, "bad_price", "price_steps"),
    ({"price_steps": (step(9, 1), step(10, -1))}, "bad_price", "price_steps[1].price"),
    ({"price_steps": (step(9, claims.PRICE_MICROS_MAX + 1),)}, "bad_price", "price_steps[0].price"),
    ({"take_or_pay_ppm": -1}, "bad_price", "take_or_pay_ppm"),
    (
        {"price_steps": (step(9, 1, take_or_pay_ppm=10**6 + 1),)},
        "bad_price",
        "price_steps[0].take_or_pay_ppm",
    ),
    ({"index": following(base_micros=0)}, "bad_price", "index"),
    ({"index": following(base_micros=10**18 + 1)}, "bad_price", "index"),
    ({"index": following(share_ppm=0)}, "bad_price", "index"),
    ({"index": following(share_ppm=10**6 + 1)}, "bad_price", "index"),
    ({"index": following(price_micros_min=-1)}, "bad_price", "index"),
    ({"index": following(price_micros_min=3, price_micros_max=2)}, "bad_price", "index"),
    ({"index": following(price_micros_max=claims.PRICE_MICROS_MAX + 1)}, "bad_price", "index"),
    ({"index": following(index=IndexId("steel"))}, "unknown_index", "index"),
    ({"price_steps": (step(9, 1, index=following(index=IndexId("steel"))),)}, "unknown_index", "index"),
    ({"index": following()}, "no_index_value", "index"),
]


@pytest.mark.parametrize(("terms", "code", "field"), REFUSED)
def test_a_price_that_cannot_stand_is_refused(terms: dict[str, Any], code: str, field: str) -> None:
    driver = market(comes=0)
    driver.later(days=3)
    publish(driver, value(2, 100))
    no = driver.refused(sign(contract("c1", "acme", promise(**terms))))
    assert (no.code, no.field) == (code, f"tranches[0].{field}"), no.detail


# Index


def test_the_price_of_a_month_follows_the_last_value_before_it() -> None:
    driver = market(comes=0)
    publish(driver, value(-40, 100), value(-1, 110))
    driver.ask(sign(contract("c1", "acme", promise(index=following(), price_micros_per_gpu_hour=2_100_001))))
    driver.until(day(5))
    publish(driver, value(5, 90))
    driver.until(month_start(day(62)))
    january, february = bills(driver)
    # 2.100001 x (70 % + 30 % x 110 / 100) = 2.16300103, and x (70 % + 30 % x 90 / 100) = 2.03700097
    assert january.price_micros_per_gpu_hour == 2_163_001
    assert february.price_micros_per_gpu_hour == 2_037_001
    assert (
        "2.100001 x (70.00 % + 30.00 % x 110.00 / 100.00) = 2.163001, index power of 2025-12-31"
        in january.text
    )
    assert "x 2.037001 (" in february.text


@pytest.mark.parametrize(
    ("bounds", "price", "told"),
    [
        ({"price_micros_max": 2 * MICROS}, 2 * MICROS, ", at most 2.00"),
        ({"price_micros_max": 3 * MICROS}, 2_060_000, "= 2.06, index"),
        ({"price_micros_min": 3 * MICROS}, 3 * MICROS, ", at least 3.00"),
        ({"price_micros_min": 2_060_000}, 2_060_000, "= 2.06, index"),
    ],
)  # fmt: skip
def test_a_price_stays_within_its_bounds(bounds: dict[str, int], price: int, told: str) -> None:
    plan = promise(index=following(**bounds), price_steps=(step(9, 2 * MICROS, index=following(**bounds)),))
    rate = prices.rate(plan, day(10), {POWER: (value(-1, 110),)})
    assert rate.micros == price
    assert told in rate.reason
    assert rate.reason.startswith("from 2026-01-10")


def test_what_is_published_is_known_once() -> None:
    driver = market(comes=0)
    driver.later(days=40)
    assert publish(driver, value(1, 100), value(9, 110)) == {"index": "power", "changed": True, "values": 2}
    assert publish(driver, value(1, 100)) == {"index": "power", "changed": False, "values": 2}
    assert publish(driver, value(5, 105))["values"] == 3
    assert [known.published_at for known in driver.world.state.claims.indices[POWER]] == [
        day(1),
        day(5),
        day(9),
    ]
    assert driver.count(claims.IndexPublished) == 2


WRONG: list[tuple[IndexId, tuple[IndexValue, ...], str, str]] = [
    (IndexId("!"), (), "bad_id", "index"),
    (POWER, (), "bad_quantity", "values"),
    (POWER, (value(9, 1), value(9, 1)), "bad_quantity", "values"),
    (POWER, (value(9, 1), value(8, 1)), "bad_quantity", "values"),
    (POWER, (value(9, 1), value(41, 0)), "bad_quantity", "values[1].value_micros"),
    (POWER, (IndexValue(-1, 1),), "bad_quantity", "values[0].value_micros"),
    (POWER, (IndexValue(1, 10**18 + 1),), "bad_quantity", "values[0].value_micros"),
    (POWER, (value(41, 1),), "future_fact", "values[0].published_at"),
    (POWER, (value(-30, 101),), "index_differs", "values[0].value_micros"),
    (POWER, (value(-2, 100),), "closed_past", "values"),
]


@pytest.mark.parametrize(("index", "values", "code", "field"), WRONG)
def test_a_value_that_cannot_stand_is_refused(
    index: IndexId, values: tuple[IndexValue, ...], code: str, field: str
) -> None:
    driver = market(comes=0)
    publish(driver, value(-30, 100))
    driver.later(days=40)
    no = driver.refused(PublishIndex(index, values), FINANCE)
    assert (no.code, no.field) == (code, field), no.detail
    assert driver.refused(PublishIndex(index, values), EDGE).code == "forbidden"
    # One that comes after all months that were billed is no such case.
    publish(driver, value(31, 100))


# Take-or-pay


@pytest.mark.parametrize(
    ("pieces", "paid"),
    [
        ([Stretch(100, 30, 10**6)], [70]),
        ([Stretch(100, 30, 800_000)], [50]),
        ([Stretch(100, 90, 800_000)], [0]),
        ([Stretch(100, 0, 0)], [0]),
        ([Stretch(100, 100, 500_000), Stretch(100, 0, 500_000)], [0, 0]),
        ([Stretch(100, 20, 500_000), Stretch(100, 0, 500_000)], [80, 0]),
        ([Stretch(100, 90, 500_000), Stretch(100, 0, 900_000)], [10, 40]),
        ([], []),
    ],
)
def test_what_is_paid_though_nobody_used_it(pieces: list[Stretch], paid: list[int]) -> None:
    assert prices.unused_due(pieces) == paid


def test_take_or_pay_is_settled_over_the_period() -> None:
    driver = market(contract("c1", "acme", promise(take_or_pay_ppm=500_000)), comes=0)
    driver.run("acme.g", 16, tranche="t1", walltime_s=10 * 86_400)
    driver.until(day(10)).end("acme.g")
    driver.until(day(31))
    (line,) = bills(driver)
    # 32 GPUs x 744 h = 23,808 h; half of it is 11,904 h, of which 16 x 240 = 3,840 h were used.
    assert line.gpu_us == 11_904 * GPU_H
    assert line.amount_minor == 11_904 * 200
    assert "3840.00 used + 8064.00 unused (take-or-pay 50.00 %) = 11904.00 GPU-h x 2.00" in line.text
    driver.until(day(32)).fail(0, ago_s=5 * 86_400)
    driver.until(month_start(day(62)))
    correction = next(line for line in bills(driver) if line.kind == "correction")
    # 8 GPUs were missing for 4 days of January: half of their 768 h are not paid.
    assert correction.gpu_us == -384 * GPU_H
    assert "(take-or-pay 50.00 %)" in correction.text


def test_what_is_used_beyond_the_share_is_paid() -> None:
    plan = promise(take_or_pay_ppm=100_000, price_steps=(step(10, MICROS, take_or_pay_ppm=100_000),))
    driver = market(contract("c1", "acme", plan), comes=0)
    driver.run("acme.g", 32, tranche="t1", walltime_s=40 * 86_400)
    driver.until(day(31))
    told = [(line.gpu_us // GPU_H, line.price_micros_per_gpu_hour) for line in bills(driver)]
    assert told == [(10 * 24 * 32, 2 * MICROS), (21 * 24 * 32, MICROS)]
    # A correction of what was used in January is paid in full, and only at the price of its time.
    driver.until(day(32)).fail(0, ago_s=2 * 86_400)
    driver.until(month_start(day(62)))
    told = [
        (line.gpu_us // GPU_H, line.price_micros_per_gpu_hour)
        for line in bills(driver)
        if line.kind == "correction"
    ]
    assert told == [(-8 * 24, MICROS)]
    assert InvoiceId("INV-000002") in driver.world.state.money.invoices


def test_the_price_of_an_open_period_is_told_before_it_is_billed() -> None:
    driver = market(contract("c1", "acme", promise(take_or_pay_ppm=500_000)), comes=0)
    driver.until(day(4))
    state = driver.world.state
    lines = usage.tranche_lines(state.usage, driver.at)
    assert money.unused_paid(state.claims, state.usage, lines, told=False) == [4 * 24 * 16 * GPU_H]
    assert money.tranche_rate(state.claims, lines[0]) == prices.HourPrice(2 * MICROS, "")
    assert driver.ask(SignContract(state.claims.contracts[contract("c1", "acme").id]))["signed"] is False


def test_a_start_in_the_middle_of_a_month_needs_a_value_before_the_month() -> None:
    driver = market(comes=0)
    driver.until(utc(2026, 3, 10))
    publish(driver, value(65, 100))
    no = driver.refused(sign(contract("c1", "acme", promise(start=70, index=following()))))
    assert no.code == "no_index_value"
    assert "2026-03-01" in no.detail
    driver.ask(sign(contract("c1", "acme", promise(start=95, index=following()))))


# Superchips


def test_an_hour_of_a_superchip_is_never_one_of_a_gpu() -> None:
    driver = market(comes=0)
    duo = sku("duo", gpus_per_superchip=2, counts=supply.Counted.SUPERCHIP)
    driver.ask(supply.ApplyCatalogue((duo,)))
    plan = promise(superchip_gpus=2)
    no = driver.refused(sign(contract("c1", "acme", plan)))
    assert (no.code, no.field) == ("bad_unit", "tranches[0].gpus_per_superchip")
    assert "SKU hgx counts GPUs" in no.detail
    no = driver.refused(sign(contract("c1", "acme", replace(plan, sku=duo.id, superchip_gpus=4))))
    assert "SKU duo has 2 GPUs a superchip" in no.detail
    driver.ask(sign(contract("c1", "acme", replace(plan, sku=duo.id)), override="it comes"))
    driver.ask(supply.ApplySite(site(halls=(hall("h7", rack("r7", of="duo")),))))
    driver.until(day(31))
    (line,) = bills(driver)
    assert " = 11904.00 superchip-h of 2 GPUs x 4.00; used" in line.text
    driver.until(day(32)).fail(8, ago_s=2 * 86_400)
    driver.until(month_start(day(62)))
    correction = next(line for line in bills(driver) if line.kind == "correction")
    assert "192.00 GPU-h were undeliverable, and paid = 96.00 superchip-h of 2 GPUs x 4.00" in correction.text


@pytest.mark.parametrize(
    "figures",
    [
        {"counts": supply.Counted.SUPERCHIP},
        {"gpus_per_superchip": 3},
        {"gpus_per_superchip": -1},
    ],
)
def test_superchips_that_no_node_is_made_of(figures: dict[str, Any]) -> None:
    no = market(comes=0).refused(supply.ApplyCatalogue((sku("odd", **figures),)))
    assert (no.code, no.field) == ("bad_quantity", "skus[0].gpus_per_superchip")
