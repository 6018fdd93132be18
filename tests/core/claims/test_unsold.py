"""What of a stock counts as unsold, as a backstop says it, against a model that looks at every day."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.core import claims
from forebay.core.claims import SignContract, Spares, quotes
from forebay.core.claims.rights import RightPlan, Unsold
from forebay.core.ids import CapId, Refusal
from forebay.core.units import MICROS
from tests.core.claims import market
from tests.core.claims.market import (
    STOCK,
    backstop,
    call,
    cap,
    day,
    extension,
    hold,
    keep,
    promise,
    sign,
    use,
)
from tests.core.plant import Driver, contract

NODES = 4
BY_EITHER = pytest.mark.parametrize("counts", list(Unsold))


def kinds(*plans: RightPlan, **more: Any) -> Driver:
    """Six racks: one promised, one held, one that may be called, one promised that may be extended; spares of one."""
    driver = market.market(contract("c1", "acme", rights=plans, **more), stands=6, comes=0)
    market.policy(driver, spares=Spares.RACK)
    driver.ask(sign(contract("c2", "bravo", promise("t2"), rights=(call("more", 1, expires_at=day(15)),))))
    driver.ask(
        sign(contract("c3", "carol", promise("t3", end=12), rights=(extension("on", "t3", notice_s=0),)))
    )
    keep(driver, hold(nodes=NODES, of="dora", expires_at=day(40), end=30))
    return driver.until(day(10))


@pytest.mark.parametrize(("counts", "racks"), [(Unsold.AVAILABLE, 1), (Unsold.NOT_SOLD, 3)])
def test_what_is_held_or_may_be_taken_is_unsold_where_the_right_says_so(counts: Unsold, racks: int) -> None:
    driver = kinds(backstop(unsold=counts))
    assert market.held_right(driver, "put").unsold == racks
    no = driver.refused(use("put", racks=racks + 1))
    assert (no.code, no.detail) == (
        "bad_quantity", f"right put may take from 1 to {racks} racks, not {racks + 1}",
    )  # fmt: skip
    assert driver.ask(use("put"))["count"] == racks
    # Putting asks no leave: what was kept for others is overdrawn then, and told.
    over = quotes.capacity_table(driver.world.state.claims, driver.world.state.supply, driver.world.calendar,
                                 day(11), 1, [STOCK])[0].overdrawn  # fmt: skip
    assert (over > 0) == (counts is Unsold.NOT_SOLD)


def test_what_was_kept_and_is_taken_before_the_notice_is_sold() -> None:
    driver = kinds(backstop(unsold=Unsold.NOT_SOLD))
    driver.ask(use("more", "called", racks=1))
    driver.ask(use("on", "longer"))
    no = driver.refused(use("put", racks=3))
    assert (no.code, no.detail) == ("bad_quantity", "right put may take from 1 to 2 racks, not 3")


def test_how_it_counts_stays_once_it_was_measured() -> None:
    driver = kinds(backstop(unsold=Unsold.NOT_SOLD))
    last = driver.world.state.claims.versions[contract("c1").id][-1].plan
    other = replace(last, version=2, rights=(backstop(),))
    no = driver.refused(SignContract(other))
    assert (no.code, no.field) == ("not_amendable", "rights[0].unsold")
    early = market.market(
        contract("c1", "acme", rights=(backstop(unsold=Unsold.NOT_SOLD),)), stands=6, comes=0
    )
    assert early.ask(SignContract(other))["signed"]
    assert market.held_right(early, "put").plan.unsold is Unsold.AVAILABLE


FREE, ALL = backstop("free", measure_at=day(3)), backstop("all", measure_at=day(3), unsold=Unsold.NOT_SOLD)
DEAR: dict[str, Any] = {"cap": CapId("cap"), "price_micros_per_gpu_hour": MICROS}


@pytest.mark.parametrize(
    ("plans", "racks"),
    [
        ((FREE,), 1),
        ((ALL,), 3),
        # Measured one by one: a rack by the one, and three of those that are left by the other.
        ((FREE, ALL), 4),
        ((replace(ALL, racks_max=1), FREE), 2),
        ((replace(ALL, racks_max=1), replace(FREE, racks_max=9)), 2),
        # A rack for ten days at a dollar costs 7,680, and the two share 16,000: two racks, whichever puts them.
        ((replace(ALL, **DEAR), replace(FREE, **DEAR)), 2),
        ((replace(FREE, **DEAR), replace(ALL, **DEAR)), 2),
    ],
)
def test_the_floor_is_what_each_could_put(plans: tuple[RightPlan, ...], racks: int) -> None:
    driver = kinds(*plans, caps=(cap(money=16_000),))
    state = driver.world.state
    (row,) = quotes.capacity_table(state.claims, state.supply, driver.world.calendar, day(13), 1, [STOCK])
    assert (row.promisable, row.backstop) == (1 * NODES, racks * NODES)


class Taken(NamedTuple):
    """Racks from a day on for a while, and what they are taken by."""

    racks: int
    start: int
    days: int
    by: str


takings = st.builds(
    Taken,
    st.integers(1, 3),
    st.integers(11, 25),
    st.integers(1, 12),
    st.sampled_from(["sale", "hold", "call"]),
)


@given(
    st.integers(1, 6), st.integers(0, 4), st.integers(11, 24), st.lists(takings, max_size=5), st.integers(0, 9),
    st.sampled_from(Unsold),
)  # fmt: skip
def test_what_is_measured_is_that_of_every_day(
    stands: int, comes: int, on: int, taken: list[Taken], open_days: int, counts: Unsold
) -> None:
    put = backstop(unsold=counts, expires_at=day(10 + open_days) if open_days else 0)
    driver = market.market(contract("c1", "acme", rights=(put,)), stands=stands, comes=comes, on=on)
    kept = []
    for number, each in enumerate(taken):
        name, start, end = f"x{number}", each.start, each.start + each.days
        match each.by:
            case "sale":
                sold = promise(name, each.racks, start, end)
                driver.ask(sign(contract(f"c-{name}", "bravo", sold), override="a test"))
            case "call":
                # It may be called on any day before its term, for as long as its term lasts.
                more = call(name, each.racks, notice_s=0, opens_at=day(start), expires_at=day(start) + 1,
                            term_s=each.days * market.DAY_S)  # fmt: skip
                driver.ask(sign(contract(f"c-{name}", "bravo", rights=(more,)), override="a test"))
            case _:
                wanted = hold(name, nodes=each.racks * NODES, start=start, end=end, expires_at=day(40))
                if isinstance(driver.handle(claims.HoldCapacity(wanted)).answer, Refusal):
                    continue
        kept.append(each)
    driver.until(day(10))

    def left(now: int) -> int:
        # What a call may take until its last moment reaches into the day after.
        return stands + (comes if now >= on else 0) - sum(
            each.racks
            for each in kept
            if (each.by == "sale" or counts is Unsold.AVAILABLE)
            and each.start <= now < each.start + each.days + (each.by == "call")
        )  # fmt: skip

    # A day's notice, for ten days; from any day on which notice may be given.
    starts = range(11, 11 + open_days + 1)
    racks = max(min(left(now) for now in range(start, start + 10)) for start in starts)
    assert market.held_right(driver, "put").unsold == max(0, racks)
