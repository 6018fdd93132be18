from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core import claims, supply
from forebay.core.claims import Unit
from forebay.core.ids import Refusal, TrancheId
from forebay.core.placements.gang import Tier
from forebay.core.units import DAY_US
from forebay.planner import binding
from forebay.planner.binding import Domain, Merits, Proposal
from forebay.planner.spreading import Weights
from tests.core.claims import market
from tests.core.plant import T0, contract, feed, hall, rack, site
from tests.planner.enumerated import LIGHT, built, every, fewest, price, racks_of
from tests.planner.estate import LATER, STOCK, Driver, estate, rows, runs, sku, tranche


def proposed(driver: Driver, seconds: float = 5.0, gap: float = 0.0) -> Proposal:
    state = driver.world.state
    return binding.propose(
        state.claims, state.supply, STOCK, driver.world.work(), driver.at, seconds=seconds, gap=gap
    )


def taken(driver: Driver) -> Proposal:
    """A plan that the World takes; a second one then finds no more to do."""
    made = proposed(driver)
    assert made.command is not None
    answer = driver.ask(made.command)
    assert answer["moves"] == made.report.work_moved == made.command.moves
    again = proposed(driver)
    assert again.command is None
    assert again.report.before == made.report.after
    return made


def test_a_plan_spreads_what_has_not_begun() -> None:
    driver = estate(tranche("t1", 4, **LATER), tranche("t2", 4, **LATER))
    assert (runs(driver, "t1"), runs(driver, "t2")) == (((0, 16),), ((16, 16),))
    report = taken(driver).report
    assert report.before == Merits(
        0, worst_feed=32, worst_row=32, broken=0, stranded=0, spares=8, spare_nodes=32
    )
    assert report.after == Merits(
        0, worst_feed=16, worst_row=8, broken=0, stranded=0, spares=8, spare_nodes=32
    )
    assert (report.moved, report.work_moved, report.changed) == (0, 0, 24)
    assert report.gap == 0


def test_a_plan_leaves_alone_what_runs() -> None:
    driver = estate(tranche("t1", 4), tranche("t2", 4, **LATER))
    driver.run("own", 32, tranche="t1")
    report = taken(driver).report
    assert (report.moved, report.work_moved, report.changed) == (0, 0, 8)
    assert runs(driver, "t1") == ((0, 16),)


def test_a_plan_puts_parts_together() -> None:
    sizes = (6, 9, 7, 5, 5)
    driver = estate(*(tranche(f"t{n}", size, unit=Unit.NODE, **LATER) for n, size in enumerate(sizes)))
    driver.ask(
        claims.ProposeBinding(
            *STOCK,
            claims.rebinding.version(driver.world.state.claims, driver.world.state.supply, STOCK),
            tuple(
                claims.Rebinding(driver.world.state.claims.tranches[f"t{n}"].plan.id, ((start, size),))  # type: ignore[index]
                for n, (start, size) in enumerate(zip((0, 8, 20, 28, 36), sizes, strict=True))
            ),
        )
    )
    report = taken(driver).report
    assert (report.before.broken, report.before.stranded) == (5, 2 + 3 + 1 + 3 + 3)
    assert (report.after.broken, report.after.stranded) == (0, 0)
    assert report.after.spares == 8


def test_a_plan_binds_what_signing_could_not() -> None:
    """There are racks enough, but two of them are begun."""
    parts = [tranche(f"t{n}", 2, unit=Unit.NODE, **LATER) for n in (1, 2)]
    driver = estate(*parts, at=rows(2, 2))
    state = driver.world.state
    version = claims.rebinding.version(state.claims, state.supply, STOCK)
    driver.ask(claims.ProposeBinding(*STOCK, version, (claims.Rebinding(parts[1].id, ((4, 2),)),)))
    third = contract("c3", "acme", tranche("t3", 3, **LATER))
    driver.ask(claims.SignContract(third, override="to be put together"))
    report = taken(driver).report
    assert (report.before.short, report.after.short) == (4, 0)
    assert sum(count for _, count in runs(driver, "t3")) == 12


def weak_second(limit_w: int, base_w: int = 0) -> supply.SitePlan:
    """Four racks on each of two feeds; the second carries so much."""
    racks = [rack(f"r{n}", on=f"f{n // 4}", row=f"row{n // 4}") for n in range(8)]
    feeds = [feed("f0", 10**6), feed("f1", limit_w, base_w=base_w)]
    return site(feeds=feeds, halls=[hall("h1", *racks)])


def on_second(driver: Driver, name: str = "t1") -> int:
    """Racks of a tranche on the second feed."""
    return sum(min(4, first + count - node) // 4 for first, count in runs(driver, name)
               for node in range(first, first + count, 4) if node >= 16)  # fmt: skip


def test_where_there_is_no_power_nothing_is_planned() -> None:
    """Spread over both feeds would be better; the second one carries no work."""
    made = proposed(estate(tranche("t1", 4, **LATER), at=weak_second(4_000)))
    assert (made.command, made.report.how) == (None, "kept")


def test_the_example_of_the_documentation() -> None:
    """Eight racks on two feeds of four; then the second carries work on one rack only."""
    base_w, rack_w = 4 * sku().rack_base_w, 32 * sku().gpu_w
    for carries, second, lost in ((4, 2, 8), (1, 1, 12)):
        driver = estate(tranche("t1", 4, **LATER), at=weak_second(base_w + carries * rack_w))
        report = taken(driver).report
        assert (on_second(driver), report.before.worst_feed, report.after.worst_feed) == (second, 16, lost)


@pytest.mark.parametrize(("racks", "seconds"), [(1, 0.0), (1, 5.0), (3, 0.0), (3, 5.0)])
def test_a_plan_takes_no_more_than_a_feed_carries(racks: int, seconds: float) -> None:
    """Two tranches would be spread two and two; the second feed carries work on `racks` racks only."""
    base_w, rack_w = 4 * sku().rack_base_w, 32 * sku().gpu_w
    plans = [tranche(f"t{n}", 4, **LATER) for n in (1, 2)]
    driver = estate(at=weak_second(base_w + racks * rack_w))
    for plan in plans[: 1 + (racks == 3)]:
        driver.handle(
            claims.SignContract(contract(f"c-{plan.id}", "acme", plan), override="as far as it goes")
        )
    made = proposed(driver, seconds=seconds)
    assert made.command is not None
    driver.ask(made.command)
    assert sum(on_second(driver, name) for name in driver.world.state.claims.tranches) == racks


def test_power_that_another_kind_of_rack_draws_is_left_to_it() -> None:
    base_w, rack_w = 5 * sku().rack_base_w, 32 * sku().gpu_w
    plan = weak_second(base_w + 2 * rack_w)
    other = rack("x1", of="twin", on="f1", row="rowx")
    plan.halls = (*plan.halls, hall("h2", other))
    driver = estate(at=plan, skus=(sku(), sku("twin")), priced=False)
    twin = tranche("tx", 1, sku="twin", **LATER)
    driver.ask(claims.SignContract(contract("cx", "acme", twin)))
    driver.ask(claims.SignContract(contract("c1", "acme", tranche("t1", 4, **LATER))))
    taken(driver)
    assert on_second(driver) == 1


def test_cooling_loops_are_spread_over_as_well() -> None:
    """Both loops run through every row."""
    racks = [rack(f"r{n}", on="f0", row="row0", loop=f"l{n // 4}") for n in range(8)]
    driver = estate(tranche("t1", 4, **LATER), at=site(feeds=[feed("f0", 10**6)], halls=[hall("h1", *racks)]))
    report = taken(driver).report
    assert (report.before.worst_loop, report.after.worst_loop) == (16, 8)
    assert report.domains["loop"] == Domain(4, True)
    assert "nodes lost with the worst cooling loop of each tranche: 16 -> 8" in report.text()


def test_racks_whose_loop_is_not_known_are_lost_with_no_loop() -> None:
    racks = [rack(f"r{n}", on="f0", row="row0", loop="l0" if n < 4 else "") for n in range(8)]
    driver = estate(tranche("t1", 4, **LATER), at=site(feeds=[feed("f0", 10**6)], halls=[hall("h1", *racks)]))
    report = taken(driver).report
    assert (report.before.worst_loop, report.after.worst_loop, report.gap) == (16, 0, 0)


def test_spares_that_are_missing_are_told() -> None:
    driver = estate(tranche("t1", 11, **LATER))
    market.policy(driver, spares=claims.Spares.FEED)
    report = proposed(driver).report
    assert (report.spares_for, report.spares_needed, report.after.spare_nodes) == ("feed", 32, 20)
    assert report.spares_missing == 12
    assert "20 spare nodes, 32 are to be kept as the largest feed has: 12 are missing" in report.text()
    # What is out of service is no spare.
    driver.fail(63)
    assert proposed(driver).report.spares_missing == 13


def test_a_plan_that_keeps_still_moves_nothing_that_runs() -> None:
    """Where moves cost next to nothing, what runs would be spread."""
    driver = estate(tranche("t1", 4), tranche("t2", 4, **LATER))
    driver.run("own", 128, tranche="t1")
    light = Weights(move=0.01, work=0.01)
    state, work = driver.world.state, driver.world.work()
    moving, still = (
        binding.propose(
            state.claims, state.supply, STOCK, work, driver.at, seconds=2.0, weights=light, still=each
        )
        for each in (False, True)
    )
    assert (moving.report.moved, moving.report.work_moved, moving.report.after.worst_row) == (12, 12, 8)
    assert (still.report.moved, still.report.after.worst_row) == (0, 24)
    for made, expected in ((moving, 12), (still, 0)):
        assert made.command is not None
        assert made.command.moves == expected


def test_a_plan_keeps_off_what_is_out_and_what_runs_on_demand() -> None:
    driver = estate(tranche("t0", 1, end_at=T0 + DAY_US), at=rows(4))
    driver.run("od", 8, tenant="bravo", walltime_s=10**6)
    driver.fail(8)
    driver.ask(claims.SignContract(contract("c1", "acme", tranche("t1", 9, unit=Unit.NODE)), override="soon"))
    driver.later(days=1)
    held = driver.world.state.claims.tranches["t1"]  # type: ignore[index]
    assert held.runs == ((4, 9),)
    assert proposed(driver).command is None


def test_too_few_racks_to_put_parts_together_still_are_spread() -> None:
    """Whole racks for shared parts would cost somebody a rack: so the parts stay, and the rest is planned."""
    early = {"start_at": T0 + 10 * DAY_US, "end_at": T0 + 30 * DAY_US}
    driver = estate(
        tranche("t1", 2, unit=Unit.NODE, **early),
        tranche("t2", 3, unit=Unit.NODE, **LATER),
        tranche("t3", 3, start_at=T0 + 10 * DAY_US, end_at=T0 + 60 * DAY_US),
        at=rows(2, 2),
    )
    made = proposed(driver)
    assert made.report.after.short == 0


def test_nothing_to_do_is_told() -> None:
    made = proposed(estate())
    assert made.command is None
    assert made.report.how == "kept"
    assert made.report.after == Merits(0, 0, 0, 0, 0, 16, spare_nodes=64)
    assert made.report.domains == {
        "rack": Domain(1, True), "row": Domain(4, True), "feed": Domain(8, True), "hall": Domain(16, True),
    }  # fmt: skip


def test_the_report_is_told_in_words() -> None:
    driver = estate(tranche("t1", 12, **LATER))
    assert (
        proposed(driver).report.text()
        == """\
hgx at north: spread
  cost 9.0, at least 9.0 (gap 0.00 %)
  nodes short: 0 -> 0
  nodes lost with the worst feed of each tranche: 32 -> 24
  nodes lost with the worst row of each tranche: 16 -> 12
  racks in parts: 0 -> 0
  nodes stranded on them: 0 -> 0
  nodes given up by running tranches: 0 (0 with work)
  nodes given up by others: 12
  4 spare racks cover the largest rack (1 racks)
  4 spare racks cover the largest row (4 racks)
  4 spare racks do not cover the largest feed (8 racks)
  4 spare racks do not cover the largest hall (16 racks)"""
    )


def test_a_plan_made_for_what_was_is_refused_and_made_again() -> None:
    driver = estate(tranche("t1", 4, **LATER))
    old = proposed(driver).command
    assert old is not None
    driver.ask(claims.SignContract(contract("c2", "acme", tranche("t2", 1))))
    assert driver.refused(old).code == "stale_plan"
    taken(driver)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_plan_is_taken(data: st.DataObject) -> None:
    """The planner's rules and the World's are written twice: here they meet."""
    nodes = data.draw(st.sampled_from([0, 0, 0, 3]))
    at = rows(*data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)), nodes=nodes)
    driver = estate(at=at)
    for step in range(data.draw(st.integers(1, 12))):
        match data.draw(st.sampled_from(["sign", "sign", "sign", "gang", "fail", "later", "plan"])):
            case "sign":
                start = driver.at + data.draw(st.integers(0, 20)) * DAY_US
                unit = data.draw(st.sampled_from(Unit))
                plan = tranche(
                    f"t{step}", data.draw(st.integers(1, 5 if unit is Unit.RACK else 17)), unit=unit,
                    start_at=start, end_at=start + data.draw(st.integers(1, 30)) * DAY_US,
                )  # fmt: skip
                override = data.draw(st.sampled_from(["", "racks are to come"]))
                driver.handle(claims.SignContract(contract(f"c{step}", "acme", plan), override=override))
            case "gang":
                live = [
                    name
                    for name, held in driver.world.state.claims.tranches.items()
                    if held.standing is claims.Standing.LIVE and held.gpus >= 8
                ]
                own = data.draw(st.sampled_from([*live, None]))
                if own is not None:
                    driver.submit(f"g{step}", 8, tranche=own)
                else:
                    tier = data.draw(st.sampled_from([Tier.SPOT, Tier.ON_DEMAND]))
                    driver.submit(f"g{step}", 8, tenant="bravo", tier=tier, walltime_s=10**6)
            case "fail":
                driver.fail(data.draw(st.integers(0, driver.world.state.supply.nodes - 1)))
            case "later":
                driver.later(days=data.draw(st.integers(1, 12)))
            case _:
                pass
        if data.draw(st.booleans()):
            made = proposed(driver, seconds=data.draw(st.sampled_from([0.0, 2.0])))
            if made.command is not None:
                answer = driver.handle(made.command).answer
                assert not isinstance(answer, Refusal), answer
                assert proposed(driver).report.before == made.report.after


# Against every binding there could be


@settings(max_examples=60, deadline=None)
@given(st.composite(built)(), st.sampled_from([Weights(), LIGHT]))
def test_no_binding_is_cheaper_than_the_plan(driver: Driver, weights: Weights) -> None:
    state = driver.world.state
    made = binding.propose(
        state.claims,
        state.supply,
        STOCK,
        driver.world.work(),
        driver.at,
        seconds=10.0,
        gap=0.0,
        weights=weights,
    )
    cheapest = min(price(driver, bound, weights) for bound in every(driver))
    planned = {name: racks_of(driver, name) for name in state.claims.tranches}
    for each in made.command.bindings if made.command else ():
        planned[each.tranche] = tuple(
            node // 4 for first, count in each.runs for node in range(first, first + count, 4)
        )
    assert price(driver, planned, weights) <= cheapest + 1e-6
    if made.command:
        driver.ask(made.command)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=5), st.data())
def test_no_binding_strands_less(sizes: list[int], data: st.DataObject) -> None:
    """Tranches of nodes with one term, scattered: as few racks are left begun as can be."""
    later = {"start_at": T0 + 30 * DAY_US, "end_at": T0 + 60 * DAY_US, "unit": Unit.NODE}
    driver = estate(
        *(tranche(f"t{n}", size, **later) for n, size in enumerate(sizes)),
        at=site(feeds=[feed("f0", 10**7)], halls=[hall("h1", *(rack(f"r{n}", on="f0") for n in range(10)))]),
    )
    nodes = data.draw(st.permutations(range(40)))
    bindings, place = [], 0
    for n, size in enumerate(sizes):
        mine = sorted(nodes[place : place + size])
        place += size
        bindings.append(
            claims.Rebinding(TrancheId(f"t{n}"), claims.joined_runs(*((node, 1) for node in mine)))
        )
    state = driver.world.state
    version = claims.rebinding.version(state.claims, state.supply, STOCK)
    driver.ask(claims.ProposeBinding(*STOCK, version, tuple(bindings)))
    report = binding.propose(
        state.claims, state.supply, STOCK, driver.world.work(), driver.at, gap=0.0
    ).report
    # All have one term: rests smaller than a rack share as few racks as can hold them.
    whole = sum(size // 4 for size in sizes)
    least = fewest([size % 4 for size in sizes if size % 4])
    assert report.after.spares == 10 - whole - least
    assert report.after.stranded == 4 * least - sum(size % 4 for size in sizes)
