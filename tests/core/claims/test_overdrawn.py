"""Which holds and rights may take more than there will be: what tranches leave, rights by priority, holds last."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core import claims
from forebay.core.claims import overdrawn
from forebay.core.timeline import INSTANT_MAX
from tests.core.claims import market
from tests.core.claims.market import STOCK, call, day, extension, hold, keep, promise, sign, slip
from tests.core.plant import Driver, contract


def found(driver: Driver) -> list[tuple[str, int, float, float]]:
    """Who, racks, from which day, until which."""

    def told(at: int) -> float:
        return 9999 if at == INSTANT_MAX else (at - day(0)) / 86_400_000_000

    state = driver.world.state.claims
    each = overdrawn.overdrafts(state, driver.world.calendar, STOCK, driver.world.now)
    return [(one.id, one.nodes // 4, told(one.window.start), told(one.window.end)) for one in each]


def test_a_slip_that_leaves_enough_for_tranches_and_too_little_for_rights() -> None:
    # Two racks stand, two come on day 30. A tranche has two until day 45 and may go on for ten days; two more may be
    # called between day 30 and day 40, with a day's notice and for ten days. Before the slip all fit.
    driver = market.market(
        contract(
            "c1", "acme", promise("t1", 2, 0, 45),
            rights=(extension(), call(opens_at=day(30), expires_at=day(40))),
        ),
    )  # fmt: skip
    keep(driver, hold(nodes=4, start=55, end=60))
    assert found(driver) == []
    slip(driver, 50)
    assert driver.world.state.claims.shorts == {}
    # The extension was granted first: it has what the tranche leaves from day 45 on, and the call nothing until then.
    assert found(driver) == [("call", 2, 31, 50)]
    # Later still: the call lasts until day 51 at most, and what is held has the racks that stand from day 55 on.
    slip(driver, 70)
    assert found(driver) == [("call", 2, 31, 51)]


def test_priority_comes_before_signing_and_holds_come_last() -> None:
    rights = (
        call("late", 1, priority=2, expires_at=day(40)),
        call("first", 1, priority=1, expires_at=day(40)),
    )
    driver = market.market(contract("c1", "acme", rights=rights), stands=1, on=1)
    keep(driver, hold(nodes=4, start=1, end=20))
    slip(driver, 30)
    assert found(driver) == [("late", 1, 0, 30), ("h1", 1, 1, 20)]
    # A tranche takes more than is there: that is a shortfall, and rights have nothing left while it lasts.
    driver.ask(sign(contract("c2", "bravo", promise("t2", 2, 2, 20)), override="a test"))
    assert [each.nodes for each in driver.world.state.claims.shorts[STOCK]] == [4]
    assert found(driver) == [
        ("first", 1, 2, 20), ("late", 1, 0, 30), ("h1", 1, 1, 20)
    ]  # fmt: skip


def test_what_is_used_is_a_tranche_that_goes_short() -> None:
    driver = market.market(
        contract("c1", "acme", rights=(call(opens_at=day(3), expires_at=day(9)),)), stands=0, on=1
    )
    slip(driver, 8)
    assert found(driver) == [("call", 2, 4, 8)]
    driver.until(day(4))
    driver.ask(market.use("call", racks=2, start_at=day(6)))
    assert found(driver) == []
    assert [each.start_at for each in driver.world.state.claims.shorts[STOCK]] == [day(6)]


def test_of_what_is_past_nothing_is_told() -> None:
    driver = market.market(
        contract("c1", "acme", rights=(call(opens_at=day(3), expires_at=day(9)),)), stands=0, on=1
    )
    slip(driver, 8)
    state = driver.world.state.claims
    (each,) = overdrawn.overdrafts(state, driver.world.calendar, STOCK, day(5))
    assert each.window == (day(5), day(8))


days = st.integers(0, 30)


@settings(max_examples=30, deadline=None)
@given(
    promised=st.lists(st.tuples(days, st.integers(1, 3)), max_size=3),
    calls=st.lists(st.tuples(days, st.integers(1, 3), st.integers(0, 2)), max_size=4),
    holds=st.lists(st.tuples(days, st.integers(1, 3)), max_size=2),
    moved=st.integers(1, 40),
)
def test_day_by_day_it_is_what_may_be_taken_beyond_what_tranches_leave(
    promised: list[tuple[int, int]],
    calls: list[tuple[int, int, int]],
    holds: list[tuple[int, int]],
    moved: int,
) -> None:
    granted = tuple(
        call(f"k{n}", racks, opens_at=day(at), expires_at=day(at + 5), priority=priority)
        for n, (at, racks, priority) in enumerate(calls)
    )
    tranches = tuple(promise(f"t{n}", racks, at, at + 12) for n, (at, racks) in enumerate(promised))
    driver = market.market(comes=4, on=1)
    keeping = [hold(f"h{n}", nodes=4 * racks, start=at, end=at + 9) for n, (at, racks) in enumerate(holds)]
    for each in keeping:
        driver.handle(claims.HoldCapacity(each))
    driver.handle(sign(contract("c1", "acme", *tranches, rights=granted), override="a test"))
    slip(driver, moved)
    state, calendar = driver.world.state.claims, driver.world.calendar
    parts = overdrawn.overdrafts(state, calendar, STOCK, driver.world.now)
    total = overdrawn.overdrawn(parts)
    for n in range(70):
        at = day(n)
        takes = [each for each in calendar.encumbrances(STOCK) if each.window.start <= at < each.window.end]
        plans = [each.plan for each in state.tranches.values()]
        owed = sum(4 * plan.count for plan in plans if plan.start_at <= at < plan.end_at)
        room = max(0, 8 + 16 * (n >= moved) - owed)
        assert total.at(at) == max(0, sum(each.nodes for each in takes) - room), n
    assert all(part.nodes > 0 for part in parts)
