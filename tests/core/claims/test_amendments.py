"""New versions of signed contracts: what they may not change, what they take more, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from forebay.core import claims, money, supply
from forebay.core.claims import SignContract, rights
from forebay.core.claims.rights import RightKind
from forebay.core.ids import ContractId, HoldId, Refusal, RightId, SiteId, SkuId, TenantId, TrancheId
from forebay.core.placements.gang import SubmitGang, Tier
from forebay.core.timeline import INSTANT_MAX, month_start
from forebay.core.units import DAY_US, MICROS
from tests.core import plant
from tests.core.claims import market
from tests.core.claims.market import (
    STOCK,
    accepted,
    call,
    cap,
    day,
    extension,
    hold,
    keep,
    late,
    promise,
    ramp,
    refusal,
    shorts,
    sign,
    slip,
    termination,
)
from tests.core.plant import FINANCE, T0, Driver, contract

C1 = ContractId("c1")


def signed(*tranches: claims.TranchePlan, stands: int = 4, comes: int = 0, **terms: Any) -> Driver:
    """A contract c1 of acme, at the first day of a month."""
    return market.market(contract("c1", "acme", *tranches, **terms), stands=stands, comes=comes)


def text(driver: Driver, **changed: Any) -> claims.ContractPlan:
    """The next version of c1: the last one, with changes."""
    last = driver.world.state.claims.versions[C1][-1].plan
    return replace(last, **({"version": last.version + 1, "effective_at": 0} | changed))


def amended(driver: Driver, **changed: Any) -> dict[str, Any]:
    return driver.ask(SignContract(text(driver, **changed)), FINANCE)


def tranche_now(driver: Driver, name: str = "t1") -> claims.Tranche:
    return driver.world.state.claims.tranches[TrancheId(name)]


def committed(driver: Driver, *days: int) -> list[int]:
    """Racks that are promised on these days."""
    return [driver.world.calendar.committed(STOCK).at(day(n)) // 4 for n in days]


# What is refused, in its order.


def test_every_refusal_of_an_amendment_in_its_order() -> None:
    driver = signed(
        promise("t1", 1), promise("t2", 1, start=40), rights=(call(cap="cap"),), caps=(cap("cap", 10**6),),
        stands=5, comes=1,
    )  # fmt: skip
    driver.ask(sign(contract("c9", "carol", promise("theirs"), rights=(refusal("rofr"),))))
    keep(driver, hold("hers", "carol"))
    driver.later(days=9).ask(rights.ExerciseRight(RightId("call"), 0, TrancheId("called"), 1))
    driver.close()
    drawn = driver.world.state.claims.drawn[C1, cap("cap").id]
    broken = replace(
        text(driver), version=3, effective_at=T0 - 1, seller="them", tenant=TenantId("bravo"), currency="EUR",
        tranches=(promise("t1", 2, site="?", start=-5, end=10), promise("theirs", 0)),
        caps=(replace(cap("cap"), micros=drawn - 1),), rights=(call(racks=9, cap="cap", sku="?"),),
    )  # fmt: skip
    one, two = text(driver).tranches
    first, theirs = replace(broken.tranches[0], id=one.id), promise("theirs")
    unpriced = promise("t1", 1, price_micros_per_gpu_hour=-1)
    rules: list[tuple[str, str, dict[str, Any]]] = [
        ("contract_version", "version", {"version": 2}),
        ("bad_effective", "effective_at", {"effective_at": driver.at - 1}),
        ("bad_effective", "effective_at", {"effective_at": INSTANT_MAX + 1}),
        ("bad_effective", "effective_at", {"effective_at": day(20)}),
        ("not_amendable", "seller", {"seller": "us"}),
        ("not_amendable", "tenant", {"tenant": TenantId("acme")}),
        ("not_amendable", "currency", {"currency": "USD"}),
        ("not_amendable", "tranches", {"tranches": (first, two, broken.tranches[1])}),
        ("not_amendable", "rights[0].sku", {"rights": text(driver).rights}),
        ("not_amendable", "caps[0].micros", {"caps": ()}),
        ("not_amendable", "caps", {"caps": (replace(cap("cap"), micros=drawn),)}),
        ("not_amendable", "tranches[0].site", {"tranches": (promise("t1", 2, start=-5), two, promise("theirs", 0))}),
        ("not_amendable", "tranches[0].start_at", {"tranches": (promise("t1", 2), two, promise("theirs", 0))}),
        ("not_amendable", "tranches[0].deliveries", {"tranches": (promise("t1", 1, end=15), two, theirs)}),
        ("bad_term", "tranches[0].end", {"tranches": (unpriced, two, theirs)}),
        ("bad_price", "tranches[0].price", {"tranches": (one, promise("t2", 1, start=15), theirs)}),
        ("bad_term", "tranches[1].start_at", {"tranches": (one, two, theirs)}),
        ("duplicate_id", "tranches[2].id", {"tranches": (one, two, two)}),
        ("duplicate_id", "tranches[2].id", {"tranches": (one, two, promise("!"))}),
        ("bad_id", "tranches[2].id", {"tranches": (one, two, promise("new", 0))}),
        ("bad_quantity", "tranches[2].count", {"tranches": (one, two, promise("new", start=15))}),
        ("bad_term", "tranches[2].start_at", {"tranches": (one, two, promise("new", 1, start=25))}),
    ]  # fmt: skip
    plan = broken
    for code, field, mend in rules:
        no = driver.refused(SignContract(plan, hold=HoldId("hers")), FINANCE)
        assert (no.code, no.field) == (code, field), no.detail
        plan = replace(plan, **mend)
    rest: list[tuple[str, str, Callable[[SignContract], SignContract]]] = [
        ("unknown_hold", "hold", lambda asked: replace(asked, hold=HoldId(""), plan=replace(
            plan, rights=(*plan.rights, call("more", racks_max=-1, expires_at=day(15)))))),
        ("bad_quantity", "rights[1].racks_max", lambda asked: replace(asked, plan=replace(
            plan, rights=(*plan.rights, call("more", expires_at=day(15)))))),
        ("bad_term", "rights[1].expires_at", lambda asked: replace(asked, plan=plan)),
        ("first_refusal", "hold", lambda asked: asked),
    ]  # fmt: skip
    command = SignContract(plan, hold=HoldId("hers"))
    for code, field, mend_it in rest:
        no = driver.refused(command, FINANCE)
        assert (no.code, no.field) == (code, field), no.detail
        command = mend_it(command)
    assert driver.count(claims.ContractAmended) == 0


def test_what_is_over_when_a_version_holds_is_not_changed_by_it() -> None:
    driver = signed(promise("t1", end=10), promise("t2", end=20))
    past = text(driver, tranches=(promise("t1", end=30), promise("t2", end=20)), effective_at=day(10))
    assert driver.refused(SignContract(past)).field == "tranches[0]"
    driver.until(day(11))
    assert driver.refused(SignContract(replace(past, effective_at=0))).code == "not_amendable"
    # What is over may stay in the text.
    assert amended(driver, tranches=(promise("t1", end=10), promise("t2", end=30)))["version"] == 2
    assert committed(driver, 5, 15, 25, 35) == [2, 1, 1, 0]


def test_a_termination_keeps_the_longstop_of_its_tranche() -> None:
    driver = signed(promise("t1", late=late(longstop=30)), rights=(termination(),))
    no = driver.refused(SignContract(text(driver, tranches=(promise("t1", late=late(1)),))))
    assert (no.code, no.field) == ("bad_scope", "rights[0].tranche")
    assert driver.refused(SignContract(text(driver, tranches=(promise("t1"),)))).code == "bad_scope"
    amended(driver, tranches=(promise("t1", late=late(1, longstop=20)),))


def test_the_same_version_word_for_word_changes_nothing_and_other_words_are_refused() -> None:
    driver = signed(promise())
    first = driver.world.state.claims.contracts[C1]
    second = text(driver, on_demand=False)
    assert driver.ask(SignContract(second))["signed"]
    for known in (first, second):
        assert not driver.ask(SignContract(known))["signed"]
        assert driver.refused(SignContract(replace(known, spot=not known.spot))).code == "contract_differs"
    assert driver.refused(SignContract(replace(second, version=4))).code == "contract_version"
    later = text(driver, effective_at=day(9))
    driver.ask(SignContract(later))
    over = driver.refused(SignContract(text(driver, effective_at=day(8))))
    assert (over.code, over.field) == ("bad_effective", "effective_at")
    assert driver.ask(SignContract(text(driver, effective_at=day(9), spot=False)))["version"] == 4
    assert [each.plan.version for each in driver.world.state.claims.versions[C1]] == [1, 2, 3, 4]
    driver.until(day(9))
    assert driver.world.state.claims.contracts[C1].version == 4


# What it takes more.


def test_more_than_there_will_be_is_refused_unless_overridden() -> None:
    driver = signed(promise("t1", 2, end=20), promise("t2", 1, start=5, end=20), stands=3, comes=1)
    grown = ramp((0, 2), (5, 1), end=20, id=TrancheId("t1"))
    rows: list[tuple[tuple[claims.TranchePlan, ...], str]] = [
        ((grown, promise("t2", 1, start=5, end=20)), "tranches[0].count"),
        ((promise("t1", 2, end=20), promise("t2", 2, start=5, end=20)), "tranches[1].count"),
        ((*text(driver).tranches, promise("t3", 1, start=9, end=12)), "tranches[2].count"),
    ]
    for tranches, where in rows:
        no = driver.refused(SignContract(text(driver, tranches=tranches)))
        assert (no.code, no.field) == ("oversold", where)
    # What one gives up, another may take.
    less = promise("t2", 1, start=30, end=40)
    amended(driver, tranches=(grown, less))
    assert committed(driver, 1, 6, 25, 35) == [2, 3, 0, 1]
    driver.ask(
        SignContract(text(driver, tranches=(replace(grown, end_at=day(60)), less)), "the board said so")
    )
    assert driver.last(claims.ContractAmended).override == ""
    wanted = (replace(grown, end_at=day(60)), less, promise("t3", 2, start=30, end=40))
    driver.ask(SignContract(text(driver, tranches=wanted), "the board said so"))
    assert driver.last(claims.ContractAmended).override == "the board said so"
    assert sum(nodes for _, nodes, _, _ in shorts(driver)) > 0


def test_who_is_short_already_may_still_give_up_and_be_paid_less() -> None:
    driver = signed(promise("t1", 2, start=30, end=60), stands=1, comes=1)
    slip(driver, 45)
    assert shorts(driver)
    cheaper = promise("t1", 2, start=30, end=60, price_micros_per_gpu_hour=MICROS)
    amended(driver, tranches=(cheaper,))
    no = driver.refused(SignContract(text(driver, tranches=(replace(cheaper, start_at=day(29)),))))
    assert no.code == "oversold"
    amended(driver, tranches=(replace(cheaper, count=1),))
    assert not shorts(driver)


def test_a_right_that_is_added_is_checked_and_used_once_it_holds() -> None:
    driver = signed(promise("t1", 1, end=20), stands=2)
    more = (call(racks=2, expires_at=day(30), cap="cap"), extension(of="t1"))
    no = driver.refused(SignContract(text(driver, rights=more, caps=(cap("cap", 10**6),))))
    assert (no.code, no.field) == ("oversold", "rights[0]")
    granted = (call(racks=1, expires_at=day(30), cap="cap"), extension(of="t1"))
    no = driver.refused(SignContract(text(driver, rights=(*granted, extension("again", of="t1")))))
    assert no.code == "unknown_cap"
    no = driver.refused(
        SignContract(text(driver, rights=(*granted, extension("again", of="t1")), caps=(cap("cap", 10**6),)))
    )
    assert (no.code, no.field) == ("oversold", "rights[2]")
    amended(driver, rights=granted, caps=(cap("cap", 10**6),), effective_at=day(5))
    state = driver.world.state.claims
    assert claims.exercise.cap_left_micros(state, state.rights[RightId("call")]) == cap("cap", 10**6).micros
    early = driver.refused(rights.ExerciseRight(RightId("call"), 0, TrancheId("called"), 1))
    assert early.code == "too_early"
    driver.until(day(6)).ask(rights.ExerciseRight(RightId("call"), 0, TrancheId("called"), 1))
    assert state.contracts[C1].version == 2
    # A tranche that a right made may stand in a later text, and be extended there.
    made = tranche_now(driver, "called").plan
    longer = replace(made, end_at=made.end_at + DAY_US)
    amended(driver, tranches=(*text(driver).tranches, longer))
    assert tranche_now(driver, "called").plan == longer


def test_what_is_extended_moves_the_extension_behind_it() -> None:
    driver = signed(
        promise("t1", 1, end=20),
        promise("other", 1, start=20, end=40),
        rights=(extension(of="t1"),),
        stands=2,
    )
    driver.ask(sign(contract("c2", "bravo", promise("late", 1, start=30, end=60))))
    right = driver.world.state.claims.rights[RightId("longer")]
    no = driver.refused(
        SignContract(text(driver, tranches=(promise("t1", 1, end=30), promise("other", 1, start=20, end=40))))
    )
    assert (no.code, no.field) == ("oversold", "tranches")
    shorter = (promise("t1", 1, end=15), promise("other", 1, start=20, end=40))
    amended(driver, tranches=shorter)
    moved = driver.world.state.claims.rights[RightId("longer")]
    assert right.closes_at - moved.closes_at == 5 * DAY_US
    driver.until(day(16))
    assert tranche_now(driver).standing is claims.Standing.ENDED


def test_a_hold_of_the_customer_is_used_up() -> None:
    driver = signed(promise("t1", 1), stands=2)
    keep(driver, hold("mine", "acme", nodes=4))
    grown = text(driver, tranches=(ramp((0, 1), (2, 1), id=TrancheId("t1")),))
    assert driver.refused(SignContract(grown)).code == "oversold"
    driver.ask(
        SignContract(
            replace(grown, tranches=(*text(driver).tranches, promise("t2", 1, start=1, end=9))),
            hold=HoldId("mine"),
        )
    )
    assert not driver.world.state.claims.holds


def test_what_is_added_finds_whole_racks() -> None:
    loose = (promise("a", 3, end=1, unit=claims.Unit.NODE), promise("b", 2, unit=claims.Unit.NODE))
    driver = signed(*loose, stands=2)
    wanted = text(driver, tranches=(*loose, promise("c", 1, start=1, end=9)))
    no = driver.refused(SignContract(wanted))
    assert (no.code, no.field) == ("no_whole_racks", "tranches[2].count")
    driver.ask(SignContract(wanted, "they will be swapped"))
    assert driver.last(claims.ContractAmended).override == "they will be swapped"


# What follows.


def test_what_is_promised_follows_from_the_signature_on() -> None:
    driver = signed(promise("t1", 1, end=20), promise("t2", 1, start=40, end=60), comes=1)
    was = tranche_now(driver, "t2").runs
    wanted = (
        ramp((0, 1), (12, 2), id=TrancheId("t1"), end=50),
        promise("t2", 2, start=35, end=70),
        promise("t3", 1, start=10, end=15),
    )
    answer = amended(driver, tranches=wanted, effective_at=day(10))
    assert (answer["version"], answer["effective_at"]) == (2, day(10))
    assert driver.count(claims.TrancheUnbound) == 1
    assert was
    assert committed(driver, 0, 11, 12, 15, 36, 55, 65, 70) == [1, 2, 4, 3, 5, 2, 2, 0]
    driver.until(day(13))
    assert tranche_now(driver).gpus == 3 * 32
    assert tranche_now(driver, "t3").standing is claims.Standing.LIVE
    driver.until(day(51))
    standing = [tranche_now(driver, name).standing.value for name in ("t1", "t2", "t3")]
    assert standing == ["ended", "live", "ended"]
    assert tranche_now(driver, "t2").gpus == 64


def test_who_is_bound_to_the_racks_of_a_longer_term_gives_way() -> None:
    driver = signed(promise("t1", 1, end=20), stands=2)
    driver.ask(sign(contract("c2", "bravo", promise("next", 1, start=25, end=60))))
    (mine,), (next_,) = tranche_now(driver).runs, tranche_now(driver, "next").runs
    assert mine == next_
    amended(driver, tranches=(promise("t1", 1, end=40),))
    assert tranche_now(driver).runs == (mine,)
    assert tranche_now(driver, "next").runs != (mine,)
    assert tranche_now(driver, "next").gpus == 32


def test_a_tranche_that_is_yet_to_begin_may_be_moved() -> None:
    driver = signed(
        promise("t1", 1, start=10, end=40), promise("t0", 1), rights=(extension(of="t1"),), stands=2
    )
    driver.ask(supply.ApplyCatalogue((plant.sku("other"),)))
    moved = promise("t1", 1, start=12, end=40, sku="other")
    no = driver.refused(SignContract(text(driver, tranches=(moved, promise("t0", 1)))))
    assert (no.code, no.field) == ("oversold", "tranches[0].count")
    driver.ask(SignContract(text(driver, tranches=(moved, promise("t0", 1))), "it comes in time"))
    assert committed(driver, 11, 20) == [1, 1]
    calendar = driver.world.calendar
    other = STOCK._replace(sku=SkuId("other"))
    assert calendar.committed(other).at(day(20)) == 4
    assert calendar.encumbered(other).at(day(45)) == 4
    assert calendar.encumbered(STOCK).at(day(45)) == 0


def test_what_begins_with_its_signature_runs_at_once() -> None:
    driver = signed(promise("t1", 1), stands=2)
    amended(driver, tranches=(promise("t1", 1), promise("t2", 1)))
    assert tranche_now(driver, "t2").standing is claims.Standing.LIVE
    assert tranche_now(driver, "t2").gpus == 32


def test_terms_hold_from_the_date_of_the_version() -> None:
    driver = signed(promise("t1", 1, lending=plant.LENT), spot=True)
    stricter = promise("t1", 1, lending=replace(plant.LENT, owner_share_ppm=1), late=late(2, 3))
    amended(driver, tranches=(stricter,), effective_at=day(10))
    amended(driver, tranches=(replace(stricter, lending=None),), spot=False, effective_at=day(20))
    state = driver.world.state.claims
    acme = driver.world.state.claims.contracts[C1].tenant
    assert tranche_now(driver).plan.lending == plant.LENT
    driver.until(day(30))
    held = tranche_now(driver)
    assert (held.plan.lending, held.plan.late) == (None, late(2, 3))
    assert [claims.lending_at(held, day(n)) for n in (0, 10, 25)] == [
        plant.LENT,
        stricter.lending,
        stricter.lending,
    ]
    assert [claims.late_at(held, day(n)) for n in (9, 10)] == [None, late(2, 3)]
    assert claims.contract_for(state, acme, spot=True) is None
    versions = [claims.contract_of_use(state, acme, day(n), spot=True) for n in (9, 10, 25)]
    assert [each.version for each in versions if each] == [1, 2, 3]
    assert claims.contract_of_use(state, plant.tenant("x").tenant, 0, spot=True) is None
    assert claims.contract_at(state, C1, 0).version == 1
    assert driver.world.state.claims.contracts[C1].version == 3


def test_work_on_spot_goes_on_and_is_billed_though_new_work_is_not_taken_in() -> None:
    driver = signed(promise("own", 1), stands=4)
    driver.ask(money.ApplyPriceList(plant.prices(1)))
    spot = {"tenant": "acme", "tier": Tier.SPOT, "walltime_s": 40 * 86_400}
    driver.run("acme.runs", 8, **spot)
    amended(driver, spot=False, effective_at=day(10))
    driver.until(day(11))
    assert driver.refused(SubmitGang(plant.spec("acme.more", 8, **spot))).code == "no_contract"
    driver.until(month_start(day(32)))
    lines = driver.last(money.InvoiceIssued).lines
    told = [(line.contract_version, line.gpu_us // DAY_US) for line in lines if line.kind == "spot"]
    assert told == [(1, 80), (2, 21 * 8)]


# What it costs: worked out by hand in docs/explanation/promises.md.


def test_a_new_price_in_mid_month_is_billed_from_its_date_on() -> None:
    driver = signed(promise("t1", 1, price_micros_per_gpu_hour=2_100_000))
    driver.until(day(5))
    amended(driver, tranches=(promise("t1", 1, price_micros_per_gpu_hour=1_950_000),), effective_at=day(15))
    driver.until(month_start(day(32)))
    lines = driver.last(money.InvoiceIssued).lines
    told = [(line.contract_version, line.price_micros_per_gpu_hour, line.amount_minor) for line in lines]
    assert told == [(1, 2_100_000, 24_192_00), (2, 1_950_000, 23_961_60)]
    assert (lines[0].end, lines[1].start) == (day(15), day(15))
    assert "11520.00 GPU-h entitled" in lines[0].text
    assert "12288.00 GPU-h x 1.95 (from 2026-01-16" in lines[1].text


def test_a_price_may_hold_from_the_beginning_of_the_open_period() -> None:
    driver = signed(promise("t1", 1))
    driver.until(month_start(day(40)) + 9 * DAY_US)
    cheaper = promise("t1", 1, price_micros_per_gpu_hour=MICROS)
    amended(driver, tranches=(cheaper,), effective_at=month_start(day(40)))
    assert driver.world.state.claims.contracts[C1].version == 2
    driver.until(month_start(day(62)))
    (line,) = driver.last(money.InvoiceIssued).lines
    assert (line.contract_version, line.amount_minor) == (2, 28 * 24 * 32 * 100)


@pytest.mark.parametrize("days", [20, 40])
def test_late_news_is_billed_at_the_price_of_its_time(days: int) -> None:
    driver = signed(promise("t1", 1))
    amended(driver, tranches=(promise("t1", 1, price_micros_per_gpu_hour=MICROS),), effective_at=day(15))
    driver.until(day(days))
    driver.fail(0, ago_s=(days - 10) * 86_400)
    driver.recover(0, ago_s=(days - 19) * 86_400)
    driver.until(month_start(day(62)))
    lost = {}
    for issued in driver.issued():
        for line in issued.lines:
            hours = 32 * 24 * (line.end - line.start) // DAY_US - line.gpu_us // 3_600_000_000
            lost[line.kind, line.price_micros_per_gpu_hour, line.start] = (
                line.gpu_us // 3_600_000_000,
                hours,
            )
    if days == 20:
        assert lost["dedicated", 2 * MICROS, T0][1] == 5 * 24 * 8
        assert lost["dedicated", MICROS, day(15)][1] == 4 * 24 * 8
    else:
        corrections = {key[1]: hours for key, (hours, _) in lost.items() if key[0] == "correction"}
        assert corrections == {2 * MICROS: -5 * 24 * 8, MICROS: -4 * 24 * 8}


def test_damages_run_by_the_terms_of_when_it_went_missing() -> None:
    driver = signed(promise("t1", 2, start=30, end=60, late=late(0, 1)), stands=1, comes=1)
    slip(driver, 40)
    tranche = tranche_now(driver)
    state = driver.world.state
    before = claims.shortfall.cost(tranche, state.supply, state.claims.shorts[STOCK])
    driver.until(day(31))
    amended(driver, tranches=(promise("t1", 2, start=30, end=60, late=late(0, 5)),))
    after = claims.shortfall.cost(tranche_now(driver), state.supply, state.claims.shorts[STOCK])
    assert before == after
    assert before.damages_micros == 10 * 32 * MICROS


def test_kinds_of_rights() -> None:
    # A text with every kind stays what it was when nothing in it changes.
    driver = signed(
        promise("t1", late=late(longstop=9)),
        rights=(call(), extension(of="t1"), termination(), refusal()),
        stands=5,
    )
    kinds = {right.plan.kind for right in driver.world.state.claims.rights.values()}
    assert kinds == {RightKind.CALL, RightKind.EXTENSION, RightKind.TERMINATION, RightKind.REFUSAL}
    amended(driver, clauses=(claims.Clause("Audit", claims.Coverage.WATCHED, day(40)),))
    assert driver.world.calendar.encumbered(STOCK).at(day(12)) == 8


def test_what_others_signed_is_not_touched() -> None:
    driver = signed(promise("t1", 1), stands=2)
    driver.ask(supply.ApplyCatalogue((plant.sku("other"),)))
    driver.ask(sign(contract("c2", "bravo", promise("theirs", 1))))
    driver.ask(sign(contract("c3", "carol", promise("elsewhere", 1, sku="other")), override="it comes"))
    before = driver.world.calendar.tranches(STOCK)
    amended(driver, tranches=(promise("t1", 1, price_micros_per_gpu_hour=MICROS),), effective_at=day(5))
    assert driver.world.calendar.tranches(STOCK) == before == ["t1", "theirs"]
    driver.until(month_start(day(32)))
    lines = [line for issued in driver.issued() for line in issued.lines]
    told = [(line.claim, line.start, line.amount_minor) for line in lines if line.claim != "elsewhere"]
    assert told == [
        ("t1", T0, 5 * 24 * 32 * 200), ("t1", day(5), 26 * 24 * 32 * 100), ("theirs", T0, 31 * 24 * 32 * 200),
    ]  # fmt: skip


def test_a_cap_that_cannot_stand_is_not_added() -> None:
    driver = signed(promise("t1", 1), caps=(cap("cap"),))
    no = driver.refused(SignContract(text(driver, caps=(cap("cap"), cap("!")))))
    assert (no.code, no.field) == ("bad_id", "caps[1].id")
    amended(driver, caps=(cap("cap", 2000), cap("more")))
    assert [each.micros // MICROS for each in driver.world.state.claims.contracts[C1].caps] == [2000, 1000]


def test_who_has_the_power_of_a_longer_term_gives_way() -> None:
    """Five nodes have power: a rack now, and later a node of the same rack and the whole rack beside it."""
    north = plant.site(feeds=(plant.feed("f1", 43_000),), racks=3)
    later = promise("node", 1, start=25, end=30, unit=claims.Unit.NODE)
    mine = contract("c1", "acme", promise("t1", 1, end=20))
    driver = plant.plant(
        mine, contract("c2", "bravo", later, promise("rack", 1, start=25, end=60)), sites=(north,)
    )
    assert tranche_now(driver, "node").runs == ((0, 1),)
    assert tranche_now(driver, "rack").runs == ((4, 4),)
    amended(driver, tranches=(promise("t1", 1, end=40),))
    assert driver.count(claims.TrancheUnbound) == 2
    assert [tranche_now(driver, name).gpus for name in ("t1", "node", "rack")] == [32, 8, 0]


def test_a_version_that_nobody_saw_take_effect_is_billed_from_when_somebody_looked() -> None:
    driver = signed(promise("t1", 1))
    amended(driver, tranches=(promise("t1", 1, price_micros_per_gpu_hour=MICROS),), effective_at=day(15))
    outcome = driver.world.wake(day(20))
    driver.events += [(day(20), event) for event in outcome.events]
    driver.at = day(20)
    driver.until(month_start(day(32)))
    lines = driver.last(money.InvoiceIssued).lines
    assert [(line.start, line.price_micros_per_gpu_hour) for line in lines] == [
        (T0, 2 * MICROS), (day(20), MICROS),
    ]  # fmt: skip


# Where an amendment meets what else a contract may say.


def why(driver: Driver, code: str, command: SignContract) -> Refusal:
    answer = driver.refused(command, FINANCE)
    assert answer.code == code, answer
    return answer


def test_what_was_handed_over_stays_so() -> None:
    driver = signed(promise("t1", 2, end=60, acceptance=accepted()))
    driver.ask(market.ready(1))
    driver.ask(market.accept(1))
    before = tranche_now(driver)
    amended(driver, tranches=(replace(before.plan, price_micros_per_gpu_hour=MICROS),))
    after = tranche_now(driver)
    assert (after.parts, after.billed, bool(after.billed)) == (before.parts, before.billed, True)
    wrong = text(driver, tranches=(replace(after.plan, acceptance=None),))
    told = why(driver, "not_amendable", SignContract(wrong))
    assert (told.field, "its acceptance stays" in told.detail) == ("tranches[0].acceptance", True)


def test_no_fewer_are_due_than_were_handed_over_before_the_term() -> None:
    driver = signed(promise("t1", 2, start=40, acceptance=accepted()))
    driver.ask(market.ready(2))
    plan = tranche_now(driver).plan
    for changed, field in (
        (replace(plan, count=1), "deliveries"),
        (replace(plan, start_at=day(50)), "start_at"),
    ):
        told = why(driver, "not_amendable", SignContract(text(driver, tranches=(changed,))))
        assert told.field == f"tranches[0].{field}"
    assert amended(driver, tranches=(replace(plan, count=3),))["signed"]


def test_a_contract_that_ran_already_is_amended_and_billed_at_the_price_of_each_day() -> None:
    driver = market.market(stands=2, comes=0).until(day(5))
    steps = (claims.PriceStep(day(3), 1_500_000), claims.PriceStep(day(8), MICROS, None, 500_000))
    plan = contract("c1", "acme", promise("t1", 1, start=-20, end=40, price_steps=steps))
    opening = claims.Opening(day(1), tranches=(claims.opening.OpenedTranche(TrancheId("t1"), 1),))
    driver.ask(SignContract(plan, opening=opening), FINANCE)
    cheaper = replace(plan.tranches[0], price_steps=steps[:1])
    assert amended(driver, tranches=(cheaper,), effective_at=day(7))["version"] == 2
    assert tranche_now(driver).opened_at == day(1)
    other = replace(opening, billed_micros=MICROS)
    why(driver, "opened_already", SignContract(text(driver, effective_at=day(7)), opening=other))
    assert driver.ask(SignContract(text(driver, effective_at=day(7)), opening=opening), FINANCE)["signed"]
    driver.until(day(32))
    (issued,) = driver.issued()
    told = [
        ((line.start - T0) // DAY_US, line.price_micros_per_gpu_hour, line.gpu_us) for line in issued.lines
    ]
    hours = [(begin, price, hours // (32 * 24 * 3600 * 10**6)) for begin, price, hours in told]
    assert hours == [(1, 2 * MICROS, 2), (3, 1_500_000, 4), (7, 1_500_000, 24)]


def test_a_tranche_that_leaves_a_choice_stays_where_it_is_as_long_as_it_may() -> None:
    driver = signed(promise("t1", 1, start=40, site=SiteId(""), sites=(market.NORTH,)))
    last = text(driver).tranches[0]
    amended(driver, tranches=(replace(last, price_micros_per_gpu_hour=MICROS),))
    assert tranche_now(driver).plan.site == market.NORTH
    added = replace(last, id=TrancheId("t2"), sites=(), jurisdiction="nowhere")
    why(driver, "empty_scope", SignContract(text(driver, tranches=(*text(driver).tranches, added))))
    free = replace(last, id=TrancheId("t2"), count=2)
    assert amended(driver, tranches=(*text(driver).tranches, free))["signed"]
    assert tranche_now(driver, "t2").plan.site == market.NORTH
    again = promise("t2", 2, start=45, site=SiteId(""), sites=(market.NORTH,))
    driver.world.check()
    assert amended(driver, tranches=(text(driver).tranches[0], again))["signed"]


def test_what_is_extended_goes_on_at_its_last_price_and_with_its_terms() -> None:
    relief = (market.relieved(),)
    steps = (claims.PriceStep(day(9), MICROS, None, 700_000),)
    driver = signed(
        promise("t1", 1, end=20, relief=relief, price_steps=steps),
        rights=(extension("longer", notice_s=86_400),),
    )
    driver.until(day(10)).ask(market.use("longer", "t9"))
    plan = tranche_now(driver, "t9").plan
    assert (plan.price_micros_per_gpu_hour, plan.take_or_pay_ppm, plan.relief) == (MICROS, 700_000, relief)


def test_a_tranche_that_cannot_stay_where_it_is_goes_elsewhere_with_its_rights() -> None:
    plan = promise("t1", 1, start=40, site=SiteId(""), sites=(market.NORTH,))
    driver = signed(plan, rights=(extension("longer", notice_s=86_400),))
    hall = plant.hall("h9", plant.rack("r9", on="f9"))
    driver.ask(supply.ApplySite(plant.site("south", (plant.feed("f9"),), (hall,))))
    moved = replace(text(driver).tranches[0], sites=(SiteId("south"),))
    assert amended(driver, tranches=(moved,))["signed"]
    assert tranche_now(driver).plan.site == "south"
