from __future__ import annotations

from forebay.core.claims import Unit
from forebay.core.units import DAY_US
from forebay.planner import alike
from tests.core.plant import T0
from tests.planner.estate import LATER, STOCK, Driver, estate, rows, runs, tranche


def posed(driver: Driver, *, settled: bool = False) -> alike.Case:
    state = driver.world.state
    return alike.pose(state.claims, state.supply, STOCK, driver.world.work(), driver.at, settled=settled)


def test_racks_of_a_row_and_feed_are_alike() -> None:
    found = posed(estate(tranche("t1", 1), at=rows(3, 2)))
    assert [(kind.feed, kind.row[1], kind.holders) for kind in found.kinds] == [
        ("f0", "row0", (0,)),
        ("f0", "row0", ()),
        ("f1", "row1", ()),
    ]
    assert list(found.sizes) == [1, 2, 2]
    assert found.had().tolist() == [[1, 0, 0]]
    assert found.allowed().all()


def test_work_and_what_is_out_of_service_set_racks_apart() -> None:
    driver = estate(tranche("t1", 1), tranche("t2", 1, **LATER), at=rows(5))
    driver.run("own", 8, tranche="t1")
    driver.run("od", 8, tenant="bravo")
    driver.fail(19)
    found = posed(driver)
    assert [
        (len(group), kind.busy, kind.barred) for group, kind in zip(found.groups, found.kinds, strict=True)
    ] == [
        (1, 1, False),
        (1, 1, True),
        (2, 0, False),
        (1, 0, True),
    ]
    # Who has not begun may take what is out of service today.
    assert found.allowed().tolist() == [[True, False, True, False], [True, True, True, True]]


def test_instants_are_the_last_starts_before_an_end() -> None:
    terms = [(0, 10), (2, 5), (3, 20), (5, 7), (12, 14), (14, 20)]
    driver = estate(
        *(
            tranche(f"t{n}", start_at=T0 + a * DAY_US, end_at=T0 + b * DAY_US)
            for n, (a, b) in enumerate(terms)
        )
    )
    found = posed(driver)
    assert [(instant - T0) // DAY_US for instant in found.instants] == [3, 5, 12, 14]
    assert found.spans == [(0, 2), (0, 1), (0, 4), (1, 2), (2, 3), (3, 4)]


def test_rests_share_racks_the_largest_first() -> None:
    sizes = (6, 9, 3, 5, 4)
    driver = estate(*(tranche(f"t{n}", size, unit=Unit.NODE, **LATER) for n, size in enumerate(sizes)))
    found = posed(driver)
    assert [(want.tranche, want.racks) for want in found.wants[:5]] == [
        ("t0", 1), ("t1", 2), ("t2", 0), ("t3", 1), ("t4", 1),
    ]  # fmt: skip
    assert [want.rests for want in found.wants[5:]] == [(("t2", 3), ("t1", 1)), (("t0", 2), ("t3", 1))]
    assert found.placed == {}


def test_parts_of_running_tranches_stay_and_take_in_others() -> None:
    driver = estate(tranche("t1", 5, unit=Unit.NODE), tranche("t2", 6, unit=Unit.NODE, **LATER))
    assert (runs(driver, "t1"), runs(driver, "t2")) == (((0, 5),), ((5, 6),))
    found = posed(driver)
    assert found.placed == {"t1": [(4, 1)], "t2": [(5, 1), (6, 1)]}
    assert [(want.tranche, want.racks) for want in found.wants] == [("t1", 1), ("t2", 1)]
    blocked = [
        (group[0].id, kind.blocked)
        for group, kind in zip(found.groups, found.kinds, strict=True)
        if kind.blocked
    ]
    assert blocked == [("r0-1", tuple(sorted(want.term for want in found.wants)))]
    place = next(place for place, kind in enumerate(found.kinds) if kind.blocked)
    assert not found.allowed()[:, place].any()


def test_settled_parts_stay_whoever_has_them() -> None:
    driver = estate(tranche("t1", 6, unit=Unit.NODE, **LATER), tranche("t2", 1, **LATER))
    assert posed(driver).placed == {}
    assert posed(driver, settled=True).placed == {"t1": [(4, 1), (5, 1)]}


def test_settled_rests_keep_off_racks_that_somebody_has() -> None:
    after = {"start_at": T0 + 60 * DAY_US, "end_at": T0 + 90 * DAY_US}
    third = tranche("t3", 1, unit=Unit.NODE, **after)
    driver = estate(tranche("t1", 2, unit=Unit.NODE, **LATER), tranche("t2", 1, **after), third, at=rows(2))
    assert (runs(driver, "t2"), runs(driver, "t3")) == (((0, 4),), ((4, 1),))
    state = driver.world.state.claims.fork()
    state.tranches[third.id] = state.tranches[third.id]._replace(runs=(), gpus=0)
    work = driver.world.work()
    found = alike.pose(state, driver.world.state.supply, STOCK, work, driver.at, settled=True)
    assert [want.rests for want in found.wants if want.rests] == [(("t3", 1),)]


def test_racks_with_fewer_nodes_take_rests_only() -> None:
    driver = estate(tranche("t1", 3, unit=Unit.NODE), at=rows(2, nodes=3))
    found = posed(driver)
    assert found.placed == {"t1": [(0, 1), (1, 1), (2, 1)]}
    assert found.groups == []


def test_which_racks_follows_from_how_many() -> None:
    terms = [(0, 10), (5, 20), (10, 30), (20, 40)]
    driver = estate(
        *(
            tranche(f"t{n}", 2, start_at=T0 + (a + 1) * DAY_US, end_at=T0 + (b + 1) * DAY_US)
            for n, (a, b) in enumerate(terms)
        ),
        at=rows(4),
    )
    found = posed(driver)
    racks = alike.racks_of(found, found.had())
    assert [[rack.first_node for rack in each] for each in racks] == [[0, 4], [8, 12], [0, 4], [8, 12]]
