"""News that comes late, twice and in any order: the books take each fact from when it took effect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core import ids, money, supply, usage
from forebay.core.claims import PriceStep
from forebay.core.claims.service_levels import Rung, ServiceLevel, ServiceUnit
from forebay.core.ids import Command, Refusal
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import Ending
from forebay.core.placements.unheard import GangStartLearned
from forebay.core.supply import NodeHealthLearned
from forebay.core.units import HOUR_US, MICROS, SECOND_US
from forebay.exports import canonical
from forebay.loop import codec
from tests.core import auditor, plant
from tests.core.plant import EDGE, T0, Driver, contract, tranche, utc
from tests.core.test_usage import book, lines

LEVEL = ServiceLevel(ServiceUnit.NODE, (Rung(999_000, 50_000), Rung(950_000, 250_000)))
GPU_H = HOUR_US
DAYS = 86_400


class Told(NamedTuple):
    """A fact took effect so many seconds into the month, and is reported so much later."""

    at_s: int
    fact: tuple[str, ...]
    late_s: int


def command(driver: Driver, told: Told) -> Command:
    """The report of a fact."""
    kind, about, *_ = told.fact
    since = T0 + told.at_s * SECOND_US
    if kind in ("fail", "recover"):
        return supply.ReportNodeHealth(ids.NodeIndex(int(about)), kind == "recover", "xid", since)
    if kind == "start":
        return gangs.ReportGangStarted(ids.GangId(about), 1, since, "sim")
    return gangs.ReportGangEnded(ids.GangId(about), 1, since, "sim", Ending.COMPLETED)


def billed(reports: Sequence[Told], take_or_pay_ppm: int) -> tuple[Driver, list[money.InvoiceIssued]]:
    """Work is placed on the first of January; then only facts come; then the month is over."""
    steps = (PriceStep(utc(2026, 1, 11), 3 * MICROS, take_or_pay_ppm=take_or_pay_ppm),)
    owned = tranche(
        count=2, service=LEVEL, take_or_pay_ppm=take_or_pay_ppm, price_steps=steps, lending=plant.LENT
    )
    driver = plant.plant(
        contract("c1", "acme", owned), contract("c2", "bravo"), sites=(plant.site(racks=3),)
    )  # fmt: skip
    driver.policy(start_timeout_s=60 * 86_400, interruptions_max=0)
    driver.submit("own", 16, tranche="t1", walltime_s=300 * DAYS)
    driver.submit("pool", 24, tenant="bravo", walltime_s=300 * DAYS)
    driver.submit("small", 4, tranche="t1", walltime_s=300 * DAYS)
    for told in sorted(reports, key=lambda each: (each.at_s + each.late_s, each.late_s, each.fact)):
        driver.until(max(driver.at, T0 + (told.at_s + told.late_s) * SECOND_US))
        outcome = driver.handle(command(driver, told), EDGE)
        assert not isinstance(outcome.answer, Refusal) or outcome.answer.code == "stale_generation"
    driver.until(utc(2026, 2))
    auditor.same_books(driver.world, driver.events)
    assert auditor.metered_use(driver.world, driver.events) == auditor.naive_use(driver.world, driver.events)
    assert rebuilt(driver) == invoices(driver)
    return driver, driver.issued()


def invoices(driver: Driver) -> list[bytes]:
    """Every invoice, byte for byte; the ledger is zero, and each is its charges less its credits."""
    for each in driver.issued():
        assert (
            each.total_minor
            == each.charges_minor - each.credits_minor
            == sum(x.amount_minor for x in each.lines)
        )
    assert not sum(driver.world.state.money.balances.values())
    return [canonical.invoice_bytes(each) for each in driver.issued()]


def rebuilt(driver: Driver) -> list[bytes]:
    """The same from the bytes of a journal."""
    known, operator = codec.Codec((money.InvoiceIssued,)), plant.OPERATOR
    records = known.encode(0, codec.GENESIS, driver.at, "close", operator, 0, driver.issued())
    events = (known.decode(codec.envelope(record)) for record in records)
    return [canonical.invoice_bytes(each) for each in events if isinstance(each, money.InvoiceIssued)]


#: Instants of the month, all of them different.
instants = st.lists(st.integers(0, 20 * DAYS), min_size=12, max_size=12, unique=True).map(sorted)
delays = st.lists(st.sampled_from([0, 1, 3600, 5 * DAYS, 9 * DAYS]), min_size=28, max_size=28)


def facts_of(at_s: Sequence[int], nodes: tuple[str, str]) -> list[tuple[int, tuple[str, ...]]]:
    one, other = nodes
    return [
        (at_s[0], ("start", "own")), (at_s[1], ("start", "pool")), (at_s[2], ("fail", one)),
        (at_s[3], ("start", "small")), (at_s[4], ("recover", one)), (at_s[5], ("fail", other)),
        (at_s[6], ("fail", one)), (at_s[7], ("end", "pool")), (at_s[8], ("recover", one)),
        (at_s[9], ("recover", other)), (at_s[10], ("end", "small")), (at_s[11], ("end", "own")),
    ]  # fmt: skip


def reports(at_s: Sequence[int], late_s: Sequence[int], nodes: tuple[str, str]) -> list[Told]:
    """Each fact once, and some of them twice."""
    facts = facts_of(at_s, nodes)
    return [Told(*each, late) for each, late in zip((*facts, *facts, *facts[:4]), late_s, strict=True)]


@settings(max_examples=12, deadline=None, derandomize=True, database=None)
@given(instants, delays, delays, st.sampled_from([1_000_000, 400_000]))
def test_any_order_of_the_same_facts_gives_the_same_invoice(
    at_s: list[int], late_s: list[int], otherwise_s: list[int], share_ppm: int
) -> None:
    """On nodes where nothing runs (one of two racks, and so on): nothing is decided, and every byte is the same."""
    idle = ("4", "6")
    in_time = [Told(*each, 0) for each in facts_of(at_s, idle)]
    driver, first = billed(in_time, share_ppm)
    assert len(first) == 2
    for order in (late_s, otherwise_s):
        other, _ = billed(reports(at_s, order, idle), share_ppm)
        assert invoices(other) == invoices(driver)


def amounts(driver: Driver) -> list[tuple[str, int]]:
    return [
        (line.kind, line.amount_micros)
        for invoice in driver.issued()
        for line in invoice.lines
        if line.kind in ("dedicated", "service_credit")
    ]


@settings(max_examples=8, deadline=None, derandomize=True, database=None)
@given(instants, delays)
def test_where_work_was_stopped_for_it_what_is_owed_is_the_same(at_s: list[int], late_s: list[int]) -> None:
    """A node with work on it fails: who runs where afterwards is decided when it is known. What was deliverable, and
    the credit for what was not, does not depend on that.
    """
    in_time, _ = billed([Told(*each, 0) for each in facts_of(at_s, ("0", "6"))], 1_000_000)
    late, _ = billed(reports(at_s, late_s, ("0", "6")), 1_000_000)
    assert amounts(late) == amounts(in_time)


# Health, news by news


def held() -> Driver:
    return plant.plant(contract("c1", "acme", tranche()))


def test_a_repair_that_is_heard_of_before_its_failure() -> None:
    driver = held()
    driver.later(hours=10)
    driver.recover(1, ago_s=2 * 3600)
    driver.fail(1, ago_s=5 * 3600)
    learned = driver.last(NodeHealthLearned)
    assert (learned.since_at, learned.until_at) == (T0 + 5 * GPU_H, T0 + 8 * GPU_H)
    assert book(driver) == (320, 0, 0, 320 - 24, 24)
    assert driver.world.state.supply.failed == {}
    # Once more, it is known.
    seq = driver.world.seq
    driver.fail(1, ago_s=5 * 3600)
    assert driver.world.seq == seq


def test_a_failure_that_lasted_less_long_than_was_known() -> None:
    """Out from 2 to 9, as it seemed; it was well from 4 to 6 in between."""
    driver = held()
    driver.later(hours=10)
    driver.fail(1, ago_s=8 * 3600)
    driver.fail(1, ago_s=4 * 3600)
    driver.recover(1, ago_s=3600)
    assert book(driver)[4] == 7 * 8
    driver.recover(1, ago_s=6 * 3600)
    assert book(driver)[4] == 5 * 8
    known = driver.world.state.usage.downtimes.out[ids.NodeIndex(1)]
    assert [((each.start_at - T0) // GPU_H, (each.end_at - T0) // GPU_H) for each in known] == [
        (2, 4),
        (6, 9),
    ]
    # It was never out at all.
    driver.recover(1, ago_s=8 * 3600 - 1)
    driver.recover(1, ago_s=4 * 3600 - 1)
    assert driver.world.state.usage.books[ids.TrancheId("t1")].undeliverable_gpu_us == 2 * 8 * SECOND_US


def test_news_of_a_node_reaches_back_to_the_last_change_of_what_it_hangs_on() -> None:
    driver = held()
    driver.later(hours=10)
    driver.recover(1, ago_s=3600)
    driver.domain("rack", "r1", False, ago_s=6 * 3600)
    # While its rack is out, what the node does by itself changes nothing.
    driver.fail(1, ago_s=3 * 3600)
    assert driver.last(NodeHealthLearned).since_at == driver.last(NodeHealthLearned).until_at
    driver.domain("rack", "r1", True, ago_s=5 * 3600)
    assert book(driver)[4] == 32
    driver.fail(1, ago_s=7 * 3600)
    learned = driver.last(NodeHealthLearned)
    assert (learned.since_at, learned.until_at) == (T0 + 5 * GPU_H, T0 + 7 * GPU_H)
    assert book(driver)[4] == 32 + 16


def test_news_over_work_that_went_on() -> None:
    """Four GPUs are used from the second hour on: of three hours out two took them."""
    driver = held()
    driver.later(hours=2)
    driver.run("g1", 4, tranche="t1", walltime_s=86_400)
    node = driver.nodes("g1")[0]
    driver.later(hours=8)
    driver.recover(node, ago_s=6 * 3600)
    driver.fail(node, ago_s=9 * 3600)
    assert book(driver) == (320, 24, 0, 272, 24)


def test_news_older_than_all_that_is_kept_comes_too_late() -> None:
    driver = held()
    driver.later(days=1)
    for ago_s in range(200, 72, -2):
        driver.fail(1, ago_s=ago_s)
        driver.recover(1, ago_s=ago_s - 1)
    seq = driver.world.seq
    driver.fail(1, ago_s=86_000)
    assert driver.world.seq == seq


def test_a_poll_that_finds_what_is_known_is_no_fact() -> None:
    driver = held()
    driver.later(hours=1)
    seq = driver.world.seq
    driver.ask(supply.ReportNodeHealth(ids.NodeIndex(1), True, "", 0), EDGE)
    assert driver.world.seq == seq
    driver.ask(supply.ReportNodeHealth(ids.NodeIndex(1), False, "xid", 0), EDGE)
    assert driver.world.state.supply.health_since[ids.NodeIndex(1)] == driver.at


def test_news_about_a_term_that_is_over_and_a_node_that_came_later() -> None:
    owned = tranche(end_at=T0 + 6 * HOUR_US)
    driver = plant.plant(
        contract("c1", "acme", owned), contract("c2", "acme", tranche("t2", start_at=T0 + 8 * HOUR_US))
    )
    driver.later(hours=10)
    first = driver.world.state.claims.tranches[ids.TrancheId("t1")].runs[0][0]
    driver.recover(first, ago_s=7 * 3600)
    driver.fail(first, ago_s=8 * 3600)
    assert driver.world.state.usage.books[ids.TrancheId("t1")].undeliverable_gpu_us == 8 * GPU_H
    assert driver.world.state.usage.books[ids.TrancheId("t2")].undeliverable_gpu_us == 0


def test_news_from_before_what_it_hangs_on_changed_says_nothing() -> None:
    driver = held()
    driver.later(hours=10)
    driver.fail(1, ago_s=8 * 3600)
    driver.recover(1, ago_s=6 * 3600)
    driver.domain("rack", "r1", False, ago_s=4 * 3600)
    driver.domain("rack", "r1", True, ago_s=3 * 3600)
    driver.recover(1, ago_s=7 * 3600)
    learned = driver.last(NodeHealthLearned)
    assert learned.since_at == learned.until_at
    assert book(driver)[4] == 16 + 32


# Work


def test_an_end_after_the_term_and_its_close() -> None:
    """What a gang held beyond the term was never used by it; and its book may be gone."""
    for closed in (False, True):
        driver = plant.plant(contract("c1", "acme", tranche(end_at=T0 + 2 * HOUR_US)))
        driver.run("g1", 16, tranche="t1", walltime_s=86_400)
        driver.later(hours=4)
        if closed:
            driver.close()
            driver.later(hours=1).close()
        driver.end("g1", Ending.STOPPED, ago_s=2 * 3600 + 1800)
        if not closed:
            assert driver.world.state.usage.books[ids.TrancheId("t1")].used_gpu_us == 24 * GPU_H


def test_a_start_that_is_heard_of_after_the_end() -> None:
    driver = plant.plant()
    driver.submit("g1", 8, walltime_s=86_400)
    driver.policy(start_timeout_s=86_400)
    driver.later(hours=5)
    driver.end("g1", ago_s=3600)
    assert lines(driver) == []
    report = gangs.ReportGangStarted(ids.GangId("g1"), 1, T0 + HOUR_US, "sim")
    assert driver.ask(report, EDGE) == {"gang": "g1", "changed": True}
    assert driver.last(GangStartLearned).ended_at == T0 + 4 * HOUR_US
    assert lines(driver) == [(1, 0, 24 * GPU_H, 1)]
    assert driver.refused(report, EDGE).code == "stale_generation"


@pytest.mark.parametrize("ending", [Ending.UNSTARTABLE, Ending.COMPLETED])
def test_a_start_of_what_could_not_be_started_or_of_a_period_that_is_closed(ending: Ending) -> None:
    driver = plant.plant()
    driver.submit("g1", 8)
    driver.later(60)
    driver.end("g1", ending)
    if ending is Ending.COMPLETED:
        driver.close()
    report = gangs.ReportGangStarted(ids.GangId("g1"), 1, T0, "sim")
    assert driver.handle(report, EDGE).events == []


def test_what_was_held_since_its_end_was_idle() -> None:
    """16 GPUs from the start on, over at the second hour as is heard at the tenth; a change of price cuts
    the book at the sixth.
    """
    steps = (PriceStep(T0 + 6 * HOUR_US, 3 * MICROS),)
    driver = plant.plant(contract("c1", "acme", tranche(price_steps=steps)))
    driver.run("g1", 16, tranche="t1", walltime_s=86_400)
    driver.later(hours=10)
    driver.end("g1", ago_s=8 * 3600)
    used = [
        (each.used_gpu_us // GPU_H, each.idle_gpu_us // GPU_H)
        for each in usage.tranche_lines(driver.world.state.usage, driver.at)
    ]
    assert used == [(32, 160), (0, 128)]
