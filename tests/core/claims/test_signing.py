"""What is signed, held and refused, against what will be there; and the policy of promises."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core import claims, ids, supply, timeline
from forebay.core.claims import Lending, PromisePolicy, Shorting, Unit
from forebay.core.claims.rights import Cap, RightKind
from forebay.core.ids import CapId, Command, ContractId, HoldId, SiteId, SkuId, TenantId, TrancheId
from forebay.core.supply.blocks import Confidence
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import DAY_US, SECOND_US
from tests.core import plant
from tests.core.claims import market
from tests.core.claims.market import (
    backstop,
    call,
    cap,
    come,
    day,
    extension,
    forecast,
    hold,
    keep,
    late,
    offer,
    promise,
    ramp,
    reach,
    refusal,
    right,
    shorts,
    sign,
    slip,
    termination,
)
from tests.core.plant import FINANCE, T0, Driver, contract, tranche

# Refusals. A document that breaks every rule is mended rule by rule: what is refused next is the next rule.

Mend = Callable[[Any], Any]


def refused_in_order(driver: Driver, command: Command, rules: list[tuple[str, str, Mend]]) -> Any:
    """Ask, and mend what was refused, one after the other; the command that breaks none."""
    for place, (code, field, mend) in enumerate(rules):
        no = driver.refused(command)
        assert (no.code, no.field) == (code, field), (place, no.detail)
        command = mend(command)
    return command


def plan_of(**terms: Any) -> Mend:
    return lambda command: replace(command, plan=replace(command.plan, **terms))


def tranche_of(place: int, **terms: Any) -> Mend:
    return lambda command: plan_of(tranches=_mended(command.plan.tranches, place, terms))(command)


def cap_of(place: int, **terms: Any) -> Mend:
    return lambda command: plan_of(caps=_mended(command.plan.caps, place, terms))(command)


def right_of(place: int, **terms: Any) -> Mend:
    return lambda command: plan_of(rights=_mended(command.plan.rights, place, terms))(command)


def of(**terms: Any) -> Mend:
    return lambda command: replace(command, **terms)


def _mended(each: tuple[Any, ...], place: int, terms: dict[str, Any]) -> tuple[Any, ...]:
    return (*each[:place], replace(each[place], **terms), *each[place + 1 :])


def test_every_refusal_of_a_signing_in_its_order() -> None:
    driver = market.market(contract("old", "carol", promise("taken"), rights=(refusal("rofr"),)), stands=3)
    driver.ask(supply.ApplyCatalogue((plant.sku("other"),)))
    keep(driver, hold("theirs", "carol"))
    keep(driver, hold("euros", "bravo", nodes=1, start=30, currency="EUR", end=40))
    broken = promise(
        "!", 0, site="?", sku="?", deliveries=(claims.Delivery(T0 - 9, 0),), end=0, lending=Lending(0, 0),
        price_micros_per_gpu_hour=-1, late=claims.Late(-1, 0),
    )  # fmt: skip
    plan = contract(
        "old", "!", broken, seller="!", version=1, currency="XXX",
        caps=(Cap(CapId("!"), 0), cap("cap")),
        rights=(right("!", RightKind.CALL, racks_max=-1), backstop("void", sku=ids.SkuId("other"))),
    )  # fmt: skip
    rules: list[tuple[str, str, Mend]] = [
        ("contract_differs", "version", plan_of(id="a b", version=2)),
        ("bad_id", "id", plan_of(id="new")),
        ("bad_id", "seller", plan_of(seller="us")),
        ("bad_id", "tenant", plan_of(tenant="a.b")),
        ("bad_id", "tenant", plan_of(tenant="bravo")),
        ("bad_quantity", "version", plan_of(version=1, effective_at=T0)),
        ("bad_effective", "effective_at", plan_of(effective_at=0)),
        ("unknown_currency", "currency", plan_of(currency="USD")),
        ("bad_id", "tranches[0].id", tranche_of(0, id="taken")),
        ("duplicate_id", "tranches[0].id", tranche_of(0, id="t1")),
        ("unknown_site", "tranches[0].site", tranche_of(0, site="north")),
        ("unknown_sku", "tranches[0].sku", tranche_of(0, sku="hgx")),
        ("bad_quantity", "tranches[0].count", tranche_of(0, count=9)),
        ("bad_quantity", "tranches[0].deliveries", tranche_of(0, deliveries=(claims.Delivery(T0 - 9, 9),))),
        ("bad_quantity", "tranches[0].deliveries", tranche_of(0, deliveries=())),
        ("bad_term", "tranches[0].end", tranche_of(0, end_at=day(30))),
        ("bad_price", "tranches[0].price", tranche_of(0, price_micros_per_gpu_hour=1)),
        ("bad_lending", "tranches[0].lending", tranche_of(0, lending=None)),
        ("bad_late", "tranches[0].late", tranche_of(0, late=None)),
        ("unknown_hold", "hold", of(hold="theirs")),
        ("unknown_hold", "hold", of(hold="euros")),
        ("other_currency", "currency", of(hold="")),
        ("bad_id", "caps[0].id", cap_of(0, id="cap")),
        ("bad_quantity", "caps[0].micros", cap_of(0, micros=1)),
        ("duplicate_id", "caps[1].id", cap_of(1, id="other")),
        ("bad_id", "rights[0].id", right_of(0, id="rofr")),
        ("duplicate_id", "rights[0].id", right_of(0, id="call")),
        ("bad_quantity", "rights[0].racks_max", right_of(0, racks_max=0)),
        ("bad_scope", "rights[0].site", right_of(0, site="north", sku="hgx")),
        ("bad_term", "rights[0].term_s", right_of(0, term_s=9)),
        ("bad_quantity", "rights[0].racks_max", right_of(0, racks_max=2)),
        ("bad_quantity", "rights[0].racks_max", right_of(0, expires_at=day(9))),
        ("bad_scope", "rights[1].sku", right_of(1, sku="hgx")),
        ("first_refusal", "hold", of()),
    ]
    command = refused_in_order(driver, sign(plan, "absent"), rules)
    free = market.market(contract("old", "carol", promise("taken")), stands=3)
    rest: list[tuple[str, str, Mend]] = [
        ("oversold", "tranches[0].count", tranche_of(0, count=1)),
        ("oversold", "rights[0]", right_of(0, racks_max=1)),
    ]
    command = refused_in_order(free, command, rest)
    assert free.ask(command)["signed"]


def test_a_tranche_in_broken_racks_is_refused_after_everything_else() -> None:
    today = promise("a", 3, end=1, unit=Unit.NODE)
    driver = market.market(contract("c1", "acme", today, promise("b", 2, unit=Unit.NODE)), comes=0)
    command = sign(
        contract("c2", "bravo", promise("c", start=1, end=9), rights=(call(racks=1, opens_at=day(1)),))
    )
    rules: list[tuple[str, str, Mend]] = [
        ("oversold", "rights[0]", plan_of(rights=())),
        ("no_whole_racks", "tranches[0].count", tranche_of(0, unit=Unit.NODE)),
    ]
    driver.ask(refused_in_order(driver, command, rules))


@pytest.mark.parametrize(
    ("parts", "terms"),
    [
        ([(0, 1), (5, 0)], {}),
        ([(0, 1), (5, 1)], {"count": 3}),
        ([(0, 1), (5, 1)], {"start_at": day(-1)}),
        ([(0, 1), (5, 1), (5, 1)], {}),
        ([(0, 1), (6, 1), (5, 1)], {}),
        ([(0, 1), (30, 1)], {"end_at": day(30)}),
    ],
)
def test_deliveries_that_cannot_be_meant(parts: list[tuple[int, int]], terms: dict[str, Any]) -> None:
    driver = market.market()
    plan = replace(ramp(*parts), **terms)
    no = driver.refused(sign(contract("c1", "acme", plan)))
    assert (no.code, no.field) == ("bad_quantity", "tranches[0].deliveries")


HUGE = 51 * 366 * 86_400


@pytest.mark.parametrize(
    "late",
    [
        claims.Late(-1, 0), claims.Late(HUGE, 0), claims.Late(0, -1), claims.Late(0, claims.PRICE_MICROS_MAX + 1),
        claims.Late(0, 0, -1), claims.Late(0, 0, 10**19), claims.Late(0, 0, 0, -1), claims.Late(0, 0, 0, HUGE),
    ],
)  # fmt: skip
def test_terms_for_lateness_that_cannot_be_meant(late: claims.Late) -> None:
    assert market.code(market.market(), sign(contract("c1", "acme", promise(late=late)))) == "bad_late"


LATE = late(longstop=30)


@pytest.mark.parametrize(
    ("plan", "code", "field"),
    [
        (call(racks=10**6 + 1), "bad_quantity", "racks_max"),
        (call(racks_min=0), "bad_quantity", "racks_max"),
        (call(racks=2, racks_min=3), "bad_quantity", "racks_min"),
        (refusal(racks_min=10**6 + 1), "bad_quantity", "racks_max"),
        (call(notice_s=-1), "bad_quantity", ""),
        (call(term_s=HUGE), "bad_quantity", ""),
        (refusal(waiver_s=HUGE), "bad_quantity", ""),
        (call(price_micros_per_gpu_hour=-1), "bad_price", "price"),
        (call(cap=CapId("absent")), "unknown_cap", "cap"),
        (call(opens_at=-1), "bad_term", ""),
        (call(expires_at=INSTANT_MAX + 1), "bad_term", ""),
        (backstop(measure_at=-1), "bad_term", ""),
        (call(opens_at=day(10)), "bad_term", "expires_at"),
        (backstop(expires_at=day(10)), "bad_term", "expires_at"),
        (call(expires_at=T0), "bad_term", "expires_at"),
        (extension(of="absent"), "bad_scope", "tranche"),
        (extension(of=""), "bad_scope", "tranche"),
        (extension(term_s=0), "bad_term", "term_s"),
        (extension(notice_s=365 * 86_400), "bad_term", "notice_s"),
        (extension(opens_at=day(360)), "bad_term", "notice_s"),
        (termination(of="prompt"), "bad_scope", "tranche"),
        (termination(of="graced"), "bad_scope", "tranche"),
        (refusal(site="?"), "bad_scope", "site"),
        (refusal(sku="?"), "bad_scope", "sku"),
        (refusal(answer_s=0), "bad_term", "notice_s"),
        (call(site=""), "bad_scope", "site"),
        (backstop(sku=""), "bad_scope", "site"),
        (call(term_s=0), "bad_term", "term_s"),
        (call(racks=0), "bad_quantity", "racks_max"),
        (call(expires_at=0), "bad_quantity", "racks_max"),
        (backstop(measure_at=0), "bad_term", "measure_at"),
    ],
)
def test_rights_that_cannot_be_granted(plan: Any, code: str, field: str) -> None:
    tranches = (promise("t1", late=LATE), promise("prompt"), promise("graced", late=late(1)))
    driver = market.market(stands=4)
    no = driver.refused(sign(contract("c1", "acme", *tranches, rights=(plan,))))
    assert (no.code, no.field) == (code, f"rights[0]{'.' if field else ''}{field}"), no.detail


def test_every_kind_of_right_is_granted() -> None:
    tranches = (promise("t1", late=LATE, end=100),)
    granted = (
        refusal(),
        call(),
        backstop(expires_at=day(20)),
        extension(),
        termination(),
        refusal("any", site=""),
    )
    driver = market.market(contract("c1", "acme", *tranches, rights=granted), stands=6)
    assert list(driver.world.state.claims.rights) == ["rofr", "call", "put", "longer", "out", "any"]


def test_a_name_is_taken_once_within_a_contract_too() -> None:
    driver = market.market()
    twice = driver.refused(sign(contract("c1", "acme", rights=(refusal("a"), refusal("a")))))
    assert (twice.code, twice.field) == ("duplicate_id", "rights[1].id")


# Over the calendar


def test_what_is_to_come_may_be_signed_from_its_date_on() -> None:
    driver = market.market(contract("c1", "acme", promise("t1", 2)))
    no = driver.refused(sign(contract("c2", "bravo", promise("t2", 2, start=29))))
    assert no.detail == (
        "tranche t2 promises 8 nodes of hgx at north; 0 can be promised over its term at P90; it fits from "
        "2026-01-31T00:00:00Z on"
    )
    answer = driver.ask(sign(contract("c2", "bravo", promise("t2", 2, start=30))))
    assert answer == {"contract": "c2", "signed": True, "tranches": {"t2": []}}
    assert (market.available(driver, 29), market.available(driver, 30)) == (0, 0)


def test_the_policy_says_how_sure_it_has_to_be() -> None:
    driver = market.market(contract("c1", "acme", promise("t1", 2)))
    forecast(driver, p50=40, p90=90)
    early = sign(contract("c2", "bravo", promise("t2", 2, start=40)))
    assert "it fits from 2026-04-01T00:00:00Z on" in driver.refused(early).detail
    market.policy(driver, confidence=Confidence.P50)
    driver.ask(early)
    record = driver.last(claims.ContractSigned)
    assert (record.policy, record.confidence, record.override) == (1, Confidence.P50, "")
    # At P90 the same promise is at risk. It stays signed, and who goes short is on the record.
    market.policy(driver, confidence=Confidence.P90)
    assert shorts(driver) == [("t2", 8, 40, 90)]
    assert driver.last(claims.ShortfallAssessed).policy == 2
    assert driver.world.state.claims.tranches[TrancheId("t2")].standing is claims.Standing.SIGNED


def test_a_ramp_takes_what_is_there_part_by_part() -> None:
    driver = market.market(stands=2, comes=2, on=30)
    no = driver.refused(sign(contract("c1", "acme", ramp((0, 2), (29, 2)))))
    assert no.detail.endswith("8 can be promised over its term at P90; it fits from 2026-01-02T00:00:00Z on")
    driver.ask(sign(contract("c1", "acme", ramp((0, 2), (30, 2)))))
    assert market.bound(driver) == [(0, 8)]
    assert driver.book() == (0, 0, 0)
    assert [market.available(driver, on) for on in (0, 29, 30, 365)] == [0, 0, 0, 4]


def test_a_ramp_that_began_before_counts_from_now() -> None:
    driver = market.market(stands=2, comes=2, on=30).later(days=10)
    driver.ask(sign(contract("c1", "acme", ramp((0, 1), (5, 1), (30, 2)))))
    assert market.bound(driver) == [(0, 8)]


def test_tranches_of_one_contract_take_from_each_other() -> None:
    driver = market.market(stands=2, comes=2, on=30)
    first, second = promise("t1", 2, end=40), promise("t2", 2, start=30, end=60)
    no = driver.refused(sign(contract("c1", "acme", first, second, promise("t3", 1, start=35))))
    assert (no.code, no.field) == ("oversold", "tranches[2].count")
    assert no.detail.endswith("0 can be promised over its term at P90; it fits from 2026-02-10T00:00:00Z on")
    driver.ask(sign(contract("c1", "acme", first, second, promise("t3", 1, start=40))))


def test_a_contract_in_another_currency_is_not_what_was_held() -> None:
    driver = market.market(comes=0)
    keep(driver, hold(nodes=8, end=365, currency="EUR"))
    no = driver.refused(sign(contract("c1", "bravo", promise("t1", 2)), "h1", "all the same"))
    assert (no.code, no.field, no.detail) == (
        "other_currency", "currency", "hold h1 names its price in EUR, contract c1 is in USD"
    )  # fmt: skip
    driver.ask(sign(contract("c1", "bravo", promise("t1", 2), currency="EUR"), "h1"))


def test_a_hold_is_used_up() -> None:
    driver = market.market(comes=0)
    keep(driver, hold(nodes=8, end=365))
    plan = contract("c1", "bravo", promise("t1", 2))
    assert driver.refused(sign(plan)).code == "oversold"
    assert market.code(driver, sign(contract("c1", "carol", promise("t1", 2)), "h1")) == "unknown_hold"
    driver.ask(sign(plan, "h1"))
    assert driver.last(claims.HoldReleased).reason == "signed: c1"
    assert driver.world.state.claims.holds == {}
    assert market.encumbered(driver, 1) == 0


def test_a_hold_makes_room_for_as_much_as_it_keeps() -> None:
    driver = market.market(comes=0, skus=(plant.sku(), plant.sku("other")))
    keep(driver, hold("full", "carol", nodes=8, end=365))
    assert (
        "8 can be promised" in driver.refused(sign(contract("c1", "carol", promise("t1", 3)), "full")).detail
    )
    other = promise("t1", sku="other")
    assert "0 can be promised" in driver.refused(sign(contract("c1", "carol", other), "full")).detail


def test_signing_beyond_supply_on_the_record() -> None:
    driver = market.market(contract("c1", "acme", promise("t1", 2)), comes=0)
    over = sign(contract("c2", "bravo", promise("t2", 2)), override="the board decided so")
    assert driver.ask(over)["tranches"] == {"t2": []}
    assert driver.last(claims.ContractSigned).override == "the board decided so"
    kinds = [type(event).__name__ for at, event in driver.events[-3:]]
    assert kinds == ["ContractSigned", "TrancheStarted", "ShortfallAssessed"]
    assert shorts(driver) == [("t2", 8, 0, 365)]
    # What has passed to a tranche stays with it.
    assert (market.bound(driver, "t1"), market.bound(driver, "t2")) == ([(0, 8)], [])


def test_an_override_that_is_not_needed_is_not_recorded() -> None:
    driver = market.market(comes=0)
    driver.ask(sign(contract("c1", "acme", promise("t1", 2)), override="to be sure"))
    assert driver.last(claims.ContractSigned).override == ""


def test_an_override_is_for_oversold_and_broken_racks_only() -> None:
    driver = market.market(contract("c0x", "carol", rights=(refusal(),)))
    no = driver.refused(sign(contract("c1", "acme", promise("t1")), override="anyway"))
    assert no.code == "first_refusal"
    assert no.told_to(ids.Principal("b", ids.Role.TENANT, TenantId("bravo"))) == (
        "this capacity has to be offered to somebody else first"
    )


def test_erosion_makes_it_at_risk_and_not_invalid() -> None:
    driver = market.market(contract("c1", "acme", promise("t1", 4, start=30, end=100)))
    assert shorts(driver) == []
    slip(driver, 50)
    assert shorts(driver) == [("t1", 8, 30, 50)]
    slip(driver, 20)
    assert shorts(driver) == []
    assert driver.world.state.claims.tranches[TrancheId("t1")].standing is claims.Standing.SIGNED


def test_a_call_that_is_granted_must_fit_beside_the_tranches() -> None:
    driver = market.market(stands=3, comes=0)
    no = driver.refused(sign(contract("c1", "acme", promise("t1", 2), rights=(call(racks=2),))))
    assert (no.code, no.field) == ("oversold", "rights[0]")
    assert no.detail == (
        "right call may take 8 nodes of hgx at north; 4 can be promised over its window at P90"
    )
    driver.ask(sign(contract("c1", "acme", promise("t1", 2), rights=(call(racks=1),))))
    assert [market.available(driver, on) for on in (1, 20, 21)] == [0, 0, 1]
    no = driver.refused(sign(contract("c2", "bravo", promise("t2", end=9), rights=(extension(of="t2"),))))
    assert no.field == "tranches[0].count"


def test_an_extension_that_is_granted_must_fit_behind_its_tranche() -> None:
    driver = market.market(contract("c1", "acme", promise("t1", 2, start=20, end=40)), comes=0)
    plan = contract("c2", "bravo", promise("t2", 1, end=15), rights=(extension(of="t2"),))
    assert driver.refused(sign(plan)).field == "rights[0]"
    driver.ask(sign(replace(plan, rights=(extension(of="t2", term_s=5 * 86_400),))))
    assert [market.available(driver, on) for on in (14, 19, 20)] == [1, 1, 0]


def test_a_call_on_what_comes_later_counts_from_its_earliest_start() -> None:
    driver = market.market(stands=1, comes=2, on=5)
    driver.ask(sign(contract("c1", "acme", promise("t1", 1))))
    lead = call(racks=2, notice_s=5 * 86_400)
    assert driver.refused(sign(contract("c2", "bravo", rights=(call(racks=2),)))).field == "rights[0]"
    driver.ask(sign(contract("c2", "bravo", rights=(lead,))))


asked_terms = st.lists(
    st.tuples(st.integers(1, 4), st.integers(-5, 60), st.integers(1, 60), st.booleans()),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(asked_terms, st.integers(0, DAY_US))
def test_the_date_that_a_refusal_names_is_true_and_the_first(
    asked: list[tuple[int, int, int, bool]], odd: int
) -> None:
    driver = market.market(stands=2, comes=2, on=30)
    driver.until(T0 + odd)
    for n, (racks, start, length, ramped) in enumerate(asked):
        start_at = day(start) + odd
        parts = (claims.Delivery(start_at, 1), claims.Delivery(start_at + DAY_US // 2, racks - 1))
        plan = tranche(
            f"t{n}", racks, start_at=start_at, end_at=start_at + length * DAY_US,
            deliveries=parts if ramped and racks > 1 else (),
        )  # fmt: skip
        outcome = driver.handle(sign(contract(f"c{n}", "acme", plan)))
        if not isinstance(outcome.answer, ids.Refusal) or outcome.answer.code != "oversold":
            continue
        found = re.search(r"it fits from (\S+) on", outcome.answer.detail)
        first = timeline.instant(datetime.fromisoformat(found.group(1))) if found else INSTANT_MAX
        for at in (first, first - SECOND_US, first - DAY_US):
            moved = replace(
                plan, start_at=at, end_at=at + plan.end_at - start_at,
                deliveries=tuple(replace(part, at=part.at - start_at + at) for part in plan.deliveries),
            )  # fmt: skip
            if driver.at <= at and max(start_at, driver.at) <= at < moved.end_at <= INSTANT_MAX:
                world = driver.world.fork()
                answer = world.handle(
                    ids.Asked(sign(contract("cx", "acme", moved)), plant.OPERATOR), driver.at
                ).answer
                fits = not isinstance(answer, ids.Refusal) or answer.code == "no_whole_racks"
                assert fits is (at == first)


# Holds


def test_every_refusal_of_a_hold_in_its_order() -> None:
    driver = market.market(comes=0)
    first = keep(driver, hold("h1", nodes=4))
    broken = hold("!", "!", nodes=0, start=0, end=0, site=SiteId("?"), sku=SkuId("?"), expires_at=T0,
                  price_micros_per_gpu_hour=-1, currency="")  # fmt: skip

    def held(**terms: Any) -> Mend:
        return lambda command: replace(command, hold=replace(command.hold, **terms))

    rules: list[tuple[str, str, Mend]] = [
        ("bad_id", "id", held(id="h1")),
        ("bad_id", "tenant", held(tenant="acme")),
        ("duplicate_id", "id", held(id="h2")),
        ("unknown_site", "site", held(site="north")),
        ("unknown_sku", "sku", held(sku="hgx")),
        ("bad_quantity", "nodes", held(nodes=5)),
        ("bad_term", "end_at", held(end_at=day(20))),
        ("bad_term", "end_at", held(expires_at=day(2))),
        ("bad_price", "price", held(price_micros_per_gpu_hour=1)),
        ("unknown_currency", "currency", held(currency="EUR")),
        ("oversold", "nodes", held(nodes=4)),
    ]
    command = refused_in_order(driver, claims.HoldCapacity(broken), rules)
    assert driver.ask(command) == {"hold": "h2", "changed": True}
    assert driver.ask(claims.HoldCapacity(first)) == {"hold": "h1", "changed": False}
    for end, until in ((INSTANT_MAX + 1, day(2)), (day(20), INSTANT_MAX + 1)):
        no = driver.refused(claims.HoldCapacity(hold("h3", end_at=end, expires_at=until)))
        assert no.code == "bad_term"


def test_a_hold_encumbers_until_it_expires() -> None:
    driver = market.market(comes=0)
    keep(driver, hold(nodes=8))
    assert driver.refused(claims.HoldCapacity(hold("h2"))).detail == (
        "4 nodes of hgx at north are to be held; 0 can be promised"
    )
    driver.until(day(5) - 1)
    assert market.encumbered(driver, 6) == 2
    driver.until(day(5))
    assert market.encumbered(driver, 6) == 0
    assert driver.last(claims.HoldReleased).reason == "expired"
    keep(driver, hold("h2", expires_at=day(9)))


def test_a_hold_is_given_up() -> None:
    driver = market.market(comes=0)
    keep(driver, hold())
    assert driver.ask(claims.ReleaseHold(HoldId("h1")), FINANCE) == {"hold": "h1", "changed": True}
    assert driver.last(claims.HoldReleased).reason == "given up"
    assert market.code(driver, claims.ReleaseHold(HoldId("h1"))) == "unknown_hold"
    # Its due time means nothing any more, also where another takes its name.
    keep(driver, hold(expires_at=day(9)))
    driver.until(day(6))
    assert list(driver.world.state.claims.holds) == ["h1"]


def test_what_is_on_offer_is_not_given_up() -> None:
    driver = market.market(contract("c1", "acme", rights=(refusal(),)), comes=0)
    keep(driver, hold())
    offer(driver)
    no = driver.refused(claims.ReleaseHold(HoldId("h1")))
    assert (no.code, no.detail) == ("on_offer", "hold h1 is on offer to acme until 2026-01-01T01:00:00Z")


# The policy


def test_every_refusal_of_a_policy_in_its_order() -> None:
    driver = market.market(contract("c1", "acme"))
    market.policy(driver)
    wrong = PromisePolicy(1, notice_grace_s=-1, protected=(ContractId("c1"), ContractId("absent")))

    def policy_of(**terms: Any) -> Mend:
        return lambda command: replace(command, policy=replace(command.policy, **terms))

    rules: list[tuple[str, str, Mend]] = [
        ("bad_quantity", "notice_grace_s", policy_of(notice_grace_s=HUGE)),
        ("bad_quantity", "notice_grace_s", policy_of(notice_grace_s=0)),
        ("policy_version", "version", policy_of(version=2)),
        ("unknown_contract", "protected", policy_of(protected=(ContractId("c1"),))),
    ]
    command = refused_in_order(driver, claims.ApplyPromisePolicy(wrong), rules)
    assert driver.ask(command) == {"version": 2, "changed": True}
    assert driver.ask(command) == {"version": 2, "changed": False}


def test_without_a_policy_the_defaults_hold() -> None:
    driver = market.market()
    assert driver.world.state.claims.policy == PromisePolicy(0, Confidence.P90, Shorting.PRO_RATA, (), 86_400)


def test_racks_that_came_are_known_at_the_next_signing() -> None:
    driver = market.market(contract("c1", "acme", promise("t1", 2)), comes=2, on=30)
    reach(driver)
    come(driver, 2)
    assert driver.ask(sign(contract("c2", "bravo", promise("t2", 2))))["tranches"] == {"t2": [[8, 8]]}


def test_what_was_quoted_is_signed_under_the_same_policy() -> None:
    driver = market.market()
    driver.ask(claims.ApplyPromisePolicy(PromisePolicy(1)))
    plan = contract("c1", "acme", promise("t1", 1))
    driver.ask(claims.ApplyPromisePolicy(PromisePolicy(2, confidence=Confidence.P50)))
    refusal = driver.refused(claims.SignContract(plan, policy=1))
    assert (refusal.code, refusal.field) == ("policy_version", "policy")
    assert refusal.detail == "promise policy version 2 is in force, not 1: ask for a quote anew"
    assert driver.ask(claims.SignContract(plan, policy=2))["signed"] is True
    # Once signed, it is; and a new version is held to it as well.
    assert driver.ask(claims.SignContract(plan, policy=1))["signed"] is False
    assert driver.refused(claims.SignContract(replace(plan, version=2), policy=1)).code == "policy_version"
    assert driver.ask(claims.SignContract(replace(plan, version=2), policy=2))["version"] == 2
