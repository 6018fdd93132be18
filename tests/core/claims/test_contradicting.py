"""Clauses on shortfall: what is refused of them, and who goes short by them as time goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from forebay.core import claims
from forebay.core.claims import Opening, Serving, ShortfallTerms, Shorting
from forebay.core.claims.opening import OpenedTranche
from forebay.core.ids import ContractId, RightId, SiteId, TrancheId
from tests.core import machine
from tests.core.claims import market
from tests.core.claims.market import allocate, call, code, day, promise, short, shorts, sign, slip, use
from tests.core.claims.test_nomination import N, S, choice, places
from tests.core.plant import Driver, contract

FIRST, LAST, RATABLY = (ShortfallTerms(served) for served in Serving)


def before(*names: str) -> ShortfallTerms:
    return ShortfallTerms(before=names)


def after(*names: str) -> ShortfallTerms:
    return ShortfallTerms(after=names)


def deal(name: str, says: ShortfallTerms | None = None, **terms: Any) -> claims.ContractPlan:
    """Contract `c1` of customer `a1` for one rack, and so on."""
    number = name[1:]
    made: claims.ContractPlan = contract(name, f"a{number}", promise(f"t{number}", **terms), shortfall=says)
    return made


def known(*plans: claims.ContractPlan) -> Driver:
    """Racks enough for everybody."""
    return market.market(*plans, stands=8, comes=0)


# What is written.


@pytest.mark.parametrize(
    ("says", "expected", "told"),
    [
        (ShortfallTerms(), "bad_shortfall", "it says when it is served, or before or after whom"),
        (ShortfallTerms(before=("c1",), after=("c1",)), "bad_shortfall", "it names nobody twice"),
        (before("c2"), "bad_shortfall", "it is served before or after others, not itself"),
        (after("a2"), "bad_shortfall", "it is served before or after others, not itself"),
        (
            ShortfallTerms(Serving.RATABLY, after=("c1",)),
            "bad_shortfall",
            "what is served ratably is not served after c1",
        ),
        (before("c9"), "unknown_contract", "neither a contract nor a customer is called c9"),
    ],
)
def test_every_clause_that_cannot_be(says: ShortfallTerms, expected: str, told: str) -> None:
    driver = known(deal("c1"))
    no = driver.refused(sign(deal("c2", says)))
    assert (no.code, no.field, told in no.detail) == (expected, "shortfall", True)
    own = contract("c2", "a2", promise("t2", shortfall=says), shortfall=FIRST)
    assert driver.refused(sign(own)).field == "tranches[0].shortfall"


def test_a_customer_is_named_as_a_contract_is() -> None:
    driver = known(deal("c1"))
    driver.ask(sign(deal("c2", before("a1"))))
    driver.ask(sign(deal("c3", after("c1"))))


# What others say.


@pytest.mark.parametrize(
    ("signed", "new", "told"),
    [
        (
            [deal("c1", FIRST)],
            deal("c2", FIRST, start=10, end=20),
            "tranche t1) contradict each other: hgx at north from 2026-01-11T00:00:00Z until 2026-01-21T00",
        ),
        ([deal("c1", LAST)], deal("c2", LAST), "c1 ('served last', tranche t1) and contract c2 ('served last'"),
        ([deal("c1", FIRST)], deal("c2", before("c1")), "c2 ('before c1', tranche t2) and contract c1 ('served f"),
        ([deal("c1", FIRST)], deal("c2", RATABLY), "c2 ('served ratably', tranche t2) and contract c1 ('served f"),
        ([deal("c1", RATABLY)], deal("c2", FIRST), "c1 ('served ratably', tranche t1) and contract c2 ('served f"),
        (
            [deal("c1"), deal("c2", before("c1")), deal("c3", before("c2"))],
            deal("c4", ShortfallTerms(before=("c3",), after=("c2",))),
            "contract c4 ('before c3, after c2', tranche t4) and contract c3 ('before c2', tranche t3) contradict",
        ),
    ],
)  # fmt: skip
def test_clauses_that_contradict_each_other(
    signed: list[claims.ContractPlan], new: claims.ContractPlan, told: str
) -> None:
    driver = known(*signed)
    no = driver.refused(sign(new))
    assert (no.code, no.field) == ("clauses_contradict", "shortfall")
    assert told in no.detail
    # It is not a matter of supply.
    assert code(driver, sign(new, override="all the same")) == "clauses_contradict"
    # Taken in as a contract that runs, it is the same.
    running = OpenedTranche(new.tranches[0].id, 0)
    began = new.tranches[0].start_at <= driver.at
    opening = Opening(driver.at, tranches=(running,) if began else ())
    assert code(driver, claims.SignContract(new, opening=opening)) == "clauses_contradict"


@pytest.mark.parametrize(
    ("signed", "new"),
    [
        # Not at one time, not of one stock, not of another customer.
        ([deal("c1", FIRST, end=10)], deal("c2", FIRST, start=10)),
        ([deal("c1", FIRST)], contract("c2", "a1", promise("t2"), shortfall=FIRST)),
        ([deal("c1", FIRST, unit=claims.Unit.NODE)], deal("c2", LAST)),
        # Who is last may be served after who shares ratably: it is no less than its share.
        ([deal("c1", RATABLY)], deal("c2", LAST)),
        ([deal("c1", RATABLY)], deal("c2", RATABLY)),
        # Whom a clause names comes before what it says of all.
        ([deal("c1", FIRST)], deal("c2", ShortfallTerms(Serving.FIRST, after=("c1",)))),
        ([deal("c1", LAST)], deal("c2", ShortfallTerms(Serving.LAST, before=("a1",)))),
        ([deal("c1", before("c0"))], deal("c2", after("c1"))),
    ],
)
def test_clauses_that_do_not(signed: list[claims.ContractPlan], new: claims.ContractPlan) -> None:
    known(*signed).ask(sign(new))


def test_a_silent_contract_may_close_a_circle() -> None:
    """It is named by two clauses that go together while it is not there."""
    driver = known(deal("c1", end=10), deal("c2", before("a1"), start=20))
    driver.ask(sign(deal("c3", ShortfallTerms(None, ("c2",), ("a1",)), start=20)))
    no = driver.refused(sign(contract("c4", "a1", promise("t4"))))
    assert (no.code, no.field) == ("clauses_contradict", "tranches[0].shortfall")
    assert (
        "contract c3 ('before c2, after a1', tranche t3) and contract c2 ('before a1', tranche t2)"
        in no.detail
    )
    driver.ask(sign(contract("c4", "a1", promise("t4", end=20))))


def test_an_amendment_contradicts_from_its_date_on() -> None:
    driver = known(deal("c1", FIRST, end=30), deal("c2"))
    text = driver.world.state.claims.contracts[ContractId("c2")]
    amended = replace(text, version=2, effective_at=day(20), shortfall=FIRST)
    no = driver.refused(sign(amended))
    assert (no.code, "from 2026-01-21T00:00:00Z until 2026-01-31T00:00:00Z" in no.detail) == (
        "clauses_contradict", True,
    )  # fmt: skip
    driver.ask(sign(replace(amended, effective_at=day(30))))
    # What is to come is looked at as well.
    late = driver.refused(sign(deal("c3", FIRST, start=40, end=50)))
    assert "contract c2 ('served first', tranche t2)" in late.detail
    driver.ask(sign(deal("c4", LAST, start=40, end=50)))
    # A version that takes effect when the term is over says nothing of it.
    text = driver.world.state.claims.contracts[ContractId("c1")]
    driver.ask(sign(replace(text, version=2, effective_at=day(35), shortfall=LAST)))
    assert code(driver, sign(deal("c5", FIRST, start=20, end=50))) == "clauses_contradict"
    driver.ask(sign(deal("c5", LAST, start=20, end=40)))


def test_who_goes_short_changes_as_an_amendment_takes_effect() -> None:
    driver = market.market(deal("c1", start=30, racks=2), deal("c2", start=30, racks=2), stands=2, comes=2)
    slip(driver, 60)
    assert shorts(driver) == [("t1", 4, 30, 60), ("t2", 4, 30, 60)]
    text = driver.world.state.claims.contracts[ContractId("c1")]
    driver.ask(sign(replace(text, version=2, effective_at=day(10), shortfall=LAST)))
    assert shorts(driver) == [("t1", 4, 30, 60), ("t2", 4, 30, 60)]
    driver.until(day(10))
    assert shorts(driver) == [("t1", 8, 30, 60)]
    text = driver.world.state.claims.contracts[ContractId("c1")]
    own = replace(text.tranches[0], shortfall=FIRST)
    driver.ask(sign(replace(text, version=3, effective_at=0, tranches=(own,))))
    assert shorts(driver) == [("t2", 8, 30, 60)]
    machine.same_when_replayed(driver.world, driver.events)
    machine.same_when_restored(driver.world)


def test_a_tranche_is_not_put_where_clauses_contradict_each_other() -> None:
    driver = places()
    driver.ask(sign(contract("c1", "acme", promise("other", 1, site=S), shortfall=FIRST)))
    driver.ask(sign(contract("c2", "bravo", choice("t1", 1, sites=(N, S), start=10), shortfall=FIRST)))
    elsewhere = claims.NominateTranche(TrancheId("t1"), SiteId("south"), market.HGX)
    no = driver.refused(elsewhere)
    assert (no.code, no.field) == ("clauses_contradict", "site")
    both = contract("c3", "carol", promise("x", 1), promise("y", 1, site=S), shortfall=LAST)
    driver.ask(sign(both, override="whatever there is"))


def test_what_a_right_adds_has_the_clause_of_its_contract_and_yields_to_an_earlier_one() -> None:
    driver = market.market(stands=2, comes=2, on=1)
    driver.ask(sign(contract("c1", "acme", rights=(call(racks=1),), shortfall=FIRST)))
    driver.ask(sign(deal("c2", FIRST, racks=3, start=2)))
    slip(driver, 300)
    assert shorts(driver) == [("t2", 4, 2, 300)]
    driver.ask(use("call", "new", racks=1))
    assert [name for name, *_ in shorts(driver)] == ["new", "t2"]
    assert driver.world.state.claims.rights[RightId("call")].racks == 1


# By hand, and what is told.


def test_a_clause_is_not_broken_by_hand() -> None:
    driver = market.market(
        deal("c1", FIRST, start=30), deal("c2", start=30, racks=2), deal("c3", start=30), stands=2, comes=2
    )
    slip(driver, 60)
    market.policy(driver, shorting=Shorting.SIGNING)
    assert shorts(driver) == [("t2", 4, 30, 60), ("t3", 4, 30, 60)]
    no = driver.refused(allocate(short("t1", 4, 30, 60), short("t3", 4, 30, 60)))
    assert (no.code, no.field) == ("bad_allocation", "shorts")
    assert "t1 goes short, and t2 has something left: contract c1 says 'served first'" in no.detail
    driver.ask(allocate(short("t2", 8, 30, 60)))
    assert shorts(driver) == [("t2", 8, 30, 60)]
    # A clause that comes later ends what was shared out by hand.
    text = driver.world.state.claims.contracts[ContractId("c3")]
    driver.ask(sign(replace(text, version=2, effective_at=0, shortfall=after("c2"))))
    assert (shorts(driver), driver.world.state.claims.by_hand) == ([("t2", 4, 30, 60), ("t3", 4, 30, 60)], {})


def test_who_shares_ratably_is_not_given_more_by_hand() -> None:
    driver = market.market(deal("c1", RATABLY, start=30, racks=2), deal("c2", start=30, racks=2))
    slip(driver, 60)
    no = driver.refused(allocate(short("t1", 8, 30, 60)))
    assert "t1 goes short of 8 nodes, and its share is 4: contract c1 says 'served ratably'" in no.detail
    driver.ask(allocate(short("t1", 4, 30, 60), short("t2", 4, 30, 60)))


def test_what_follows_from_two_clauses_is_not_broken_by_hand() -> None:
    driver = market.market(
        deal("c1", start=30),
        deal("c2", after("c1"), start=30),
        deal("c3", after("c2"), start=30),
        stands=1,
        comes=2,
    )
    slip(driver, 60)
    assert shorts(driver) == [("t2", 4, 30, 60), ("t3", 4, 30, 60)]
    no = driver.refused(allocate(short("t1", 4, 30, 60), short("t2", 4, 30, 60)))
    assert "t1 goes short, and t3 has something left: one clause follows from others" in no.detail
    driver = market.market(
        deal("c1", start=30),
        deal("c2", after("c1"), start=30),
        deal("c3", after("c2"), start=30),
        stands=2,
        comes=1,
    )
    slip(driver, 60)
    assert shorts(driver) == [("t3", 4, 30, 60)]
    no = driver.refused(allocate(short("t1", 4, 30, 60)))
    assert "t1 goes short, and t2 has something left: contract c2 says 'after c1'" in no.detail


def test_which_clauses_bear_on_who_goes_short() -> None:
    driver = market.market(deal("c1", FIRST, start=30), deal("c2", start=30, racks=3), stands=2, comes=2)
    slip(driver, 60)
    state = driver.world.state.claims
    found = claims.shortfall.decided(state, state.tranches[TrancheId("t2")], state.shorts[market.STOCK])
    assert found == ([("c1", "served first")], False)


# No policy.


def test_without_a_rule_only_what_clauses_settle_is_signed() -> None:
    driver = known(deal("c9"))
    market.policy(driver, shorting=Shorting.NONE)
    no = driver.refused(sign(deal("c1"), override="all the same"))
    assert (no.code, no.field) == ("no_shortfall_policy", "tranches[0].shortfall")
    assert "promise policy 1 has no rule for who goes short, and tranche t1 has no clause" in no.detail
    assert code(driver, sign(deal("c1", before("c9")))) == "no_shortfall_policy"
    driver.ask(sign(deal("c1", RATABLY)))
    driver.ask(sign(deal("c2", LAST)))
    assert code(driver, sign(replace(deal("c3", FIRST)))) == "clauses_contradict"
    text = driver.world.state.claims.contracts[ContractId("c1")]
    assert code(driver, sign(replace(text, version=2, shortfall=None, spot=False))) == "no_shortfall_policy"
    # What is signed already may be amended in all else.
    text = driver.world.state.claims.contracts[ContractId("c9")]
    driver.ask(sign(replace(text, version=2, spot=False)))
    shorter = replace(text.tranches[0], end_at=day(99))
    assert code(driver, sign(replace(text, version=3, tranches=(shorter,)))) == "no_shortfall_policy"


def test_what_nobody_settles_is_recorded_as_nobodys() -> None:
    driver = market.market(
        deal("c1", start=30), deal("c2", start=30), deal("c3", LAST, start=30), stands=2, comes=2
    )  # fmt: skip
    market.policy(driver, shorting=Shorting.NONE)
    slip(driver, 60)
    # Two stand for three: the clause settles it.
    assert (shorts(driver), driver.world.state.claims.unallocated) == ([("t3", 4, 30, 60)], {})
    driver = market.market(
        deal("c1", start=30, racks=2), deal("c2", start=30, racks=2), deal("c3", RATABLY, start=30, racks=2),
        deal("c4", LAST, start=30), stands=4, comes=4,
    )  # fmt: skip
    market.policy(driver, shorting=Shorting.NONE)
    slip(driver, 60)
    # Seven racks are promised, and four stand: one of them is dora's, two are to be shared by three, one ratably.
    assert shorts(driver) == [("t3", 4, 30, 60), ("t4", 4, 30, 60)]
    nobodys = {market.STOCK: (claims.Unallocated(4, day(30), day(60)),)}
    assert driver.world.state.claims.unallocated == nobodys
    assert driver.last(claims.ShortfallAssessed).unallocated == nobodys[market.STOCK]
    machine.same_when_replayed(driver.world, driver.events)
    machine.same_when_restored(driver.world)
    told = allocate(short("", 4, 30, 60), short("t3", 4, 30, 60), short("t4", 4, 30, 60))
    assert "what is shared out is somebody's" in driver.refused(told).detail
    driver.ask(allocate(short("t2", 4, 30, 60), short("t3", 4, 30, 60), short("t4", 4, 30, 60)))
    assert driver.world.state.claims.unallocated == {}
    assert shorts(driver) == [("t2", 4, 30, 60), ("t3", 4, 30, 60), ("t4", 4, 30, 60)]
    # More is missing: it is nobody's again, until a policy has a rule.
    slip(driver, 61)
    assert driver.world.state.claims.unallocated == {market.STOCK: (claims.Unallocated(4, day(30), day(61)),)}
    market.policy(driver, shorting=Shorting.SIGNING)
    assert driver.world.state.claims.unallocated == {}
    assert shorts(driver) == [("t2", 4, 30, 61), ("t3", 4, 30, 61), ("t4", 4, 30, 61)]


def test_what_is_handed_over_meanwhile_settles_it() -> None:
    driver = market.market(deal("c1", start=30, racks=2), deal("c2", start=30, racks=2), stands=2, comes=2)
    market.policy(driver, shorting=Shorting.NONE)
    slip(driver, 60)
    assert driver.world.state.claims.unallocated == {market.STOCK: (claims.Unallocated(8, day(30), day(60)),)}
    driver.until(day(31))
    assert (shorts(driver), driver.world.state.claims.unallocated) == ([("t2", 8, 30, 60)], {})


def test_without_a_rule_all_that_one_can_lose_is_settled() -> None:
    driver = market.market(deal("c1", start=30), deal("c2", start=30), stands=0, comes=2)
    market.policy(driver, shorting=Shorting.NONE)
    slip(driver, 60)
    assert (shorts(driver), driver.world.state.claims.unallocated) == (
        [("t1", 4, 30, 60), ("t2", 4, 30, 60)],
        {},
    )


def test_the_worked_example_of_the_page() -> None:
    """The example of docs/explanation/promises.md: clauses and the policy on one stock."""
    driver = market.market(
        deal("c1", racks=4, start=30), deal("c2", RATABLY, racks=4, start=30), deal("c3", racks=4, start=30),
        deal("c4", LAST, racks=4, start=30), stands=10, comes=6,
    )  # fmt: skip
    market.policy(driver, shorting=Shorting.SIGNING)
    slip(driver, 60)
    assert shorts(driver) == [("t2", 4, 30, 60), ("t3", 4, 30, 60), ("t4", 16, 30, 60)]
    page = (Path(__file__).parents[3] / "docs/explanation/promises.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in row.split("|")] for row in page.splitlines()]
    told = {row[1]: row[3] for row in rows if len(row) == 6 and row[1] in ("acme", "birch", "carol", "dora")}
    assert told == {"acme": "0", "birch": "1", "carol": "1", "dora": "4"}
