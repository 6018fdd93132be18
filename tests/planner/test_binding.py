from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core import claims
from forebay.core.claims import Unit
from forebay.core.ids import Refusal
from forebay.core.placements.gang import Tier
from forebay.core.units import DAY_US
from forebay.planner import binding
from forebay.planner.binding import Domain, Merits, Proposal
from tests.core.plant import T0, contract, feed, hall, rack, site
from tests.planner.estate import LATER, STOCK, Driver, estate, rows, runs, tranche


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
    assert report.before == Merits(short=0, worst_feed=32, worst_row=32, broken=0, stranded=0, spares=8)
    assert report.after == Merits(short=0, worst_feed=16, worst_row=8, broken=0, stranded=0, spares=8)
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


def test_a_plan_that_lacks_power_is_not_proposed() -> None:
    """Spread over both feeds would be better; the second one carries no work."""
    racks = [rack(f"r{n}", on=f"f{n // 4}", row=f"row{n // 4}") for n in range(8)]
    dark = site(feeds=[feed("f0", 10**6), feed("f1", 4_000)], halls=[hall("h1", *racks)])
    made = proposed(estate(tranche("t1", 4, **LATER), at=dark))
    assert (made.command, made.report.how) == (None, "kept")


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
    assert made.report.after == Merits(0, 0, 0, 0, 0, 16)
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
