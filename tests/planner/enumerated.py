"""Small stocks, and every binding there could be: for plans to be compared with.

What is enumerated here knows nothing of groups, of instants or of a solver: it tries each rack for each tranche, and
prices what comes out by the rules in words.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from hypothesis import strategies as st

from forebay.core import claims, supply
from forebay.core.ids import TrancheId
from forebay.core.units import DAY_US
from forebay.planner.spreading import Weights
from tests.core.plant import T0, contract, feed, hall, rack, site
from tests.planner.estate import Driver, estate, tranche

#: Moves are cheap enough that some pay.
LIGHT = Weights(move=0.3, work=0.4)
Bound = dict[TrancheId, tuple[int, ...]]


def racks_of(driver: Driver, name: str) -> tuple[int, ...]:
    """Racks that a tranche has: all have four nodes."""
    runs = driver.world.state.claims.tranches[TrancheId(name)].runs
    return tuple(node // 4 for first, count in runs for node in range(first, first + count, 4))


def wanted(driver: Driver) -> dict[TrancheId, int]:
    """Racks that each tranche is to have: what it is owed, without what it is recorded to go short of."""
    state = driver.world.state
    return {
        name: max(
            len(racks_of(driver, name)),
            claims.binding.nodes_owed(state.claims, state.supply, each, driver.at) // 4,
        )
        for name, each in state.claims.tranches.items()
    }


def price(driver: Driver, bound: Bound, weights: Weights) -> float:
    """What a binding of whole racks costs: what is missing, or lost with the worst feed, row and loop; and moves."""
    state, found = driver.world.state, 0.0
    known = [state.supply.racks[name] for name in state.supply.rack_order]
    busy, owed = driver.world.work().nodes, wanted(driver)
    for name, has in bound.items():
        held = state.claims.tranches[name]
        found += weights.short * (owed[name] - len(has))
        lost: list[tuple[float, list[str]]] = [
            (weights.feed, [known[each].feed for each in has]),
            (weights.row, [known[each].row for each in has]),
            (weights.loop, [known[each].loop for each in has if known[each].loop]),
        ]
        for weight, names in lost:
            found += weight * max(map(names.count, names), default=0)
        for gone in set(racks_of(driver, name)) - set(has):
            if held.standing is claims.Standing.LIVE:
                work = sum(node in busy for node in range(4 * gone, 4 * gone + 4))
                found += weights.move + weights.work * work
            else:
                found += weights.change
    return found


def every(driver: Driver) -> Iterator[Bound]:
    """Every binding that the World would take: whole racks, nobody less than it has, no rack twice, power for all."""
    state = driver.world.state
    known = [state.supply.racks[name] for name in state.supply.rack_order]
    room_w = supply.room_w(state.supply)
    held = dict(state.claims.tranches)
    owed = wanted(driver)
    choices = []
    for name in held:
        least = len(racks_of(driver, name))
        choices.append(
            [
                has
                for size in range(least, owed[name] + 1)
                for has in itertools.combinations(range(len(known)), size)
            ]
        )
    for picked in itertools.product(*choices):
        bound = dict(zip(held, picked, strict=True))
        fine = True
        for when in sorted({each.plan.start_at for each in held.values()}):
            there = [
                one for name, has in bound.items() for one in has
                if held[name].plan.start_at <= when < held[name].plan.end_at
            ]  # fmt: skip
            fine = fine and len(there) == len(set(there))
            for on in {one.feed for one in known}:
                nodes = sum(4 for one in there if known[one].feed == on)
                fine = fine and nodes * 8_000 <= room_w[supply.PowerLevel("feed", on)]
        if fine:
            yield bound


def built(draw: st.DrawFn) -> Driver:
    """Four or five racks on two feeds, one of which may be weak; up to three tranches, of which some run."""
    count = draw(st.integers(4, 5))
    racks = [
        rack(f"r{n}", on=draw(st.sampled_from(["f0", "f1"])), row=draw(st.sampled_from("ab")),
             loop=draw(st.sampled_from(["", "l0", "l1"])))
        for n in range(count)
    ]  # fmt: skip
    weak = count * 1_000 + draw(st.integers(1, 5)) * 32_000
    driver = estate(at=site(feeds=[feed("f0", 10**6), feed("f1", weak)], halls=[hall("h1", *racks)]))
    for n in range(draw(st.integers(1, 3))):
        start = T0 + draw(st.sampled_from([0, 10, 20])) * DAY_US
        plan = tranche(
            f"t{n}",
            draw(st.integers(1, 3)),
            start_at=start,
            end_at=start + draw(st.sampled_from([10, 30])) * DAY_US,
        )
        driver.handle(claims.SignContract(contract(f"c{n}", "acme", plan), override="as far as it goes"))
    for name, each in driver.world.state.claims.tranches.items():
        if each.standing is claims.Standing.LIVE and each.gpus:
            driver.submit(f"g-{name}", draw(st.sampled_from([8, each.gpus])), tranche=name)
    return driver


def fewest(rests: list[int]) -> int:
    """The fewest racks of four that hold these rests, each whole: by trying all orders."""
    best = len(rests)
    for order in set(itertools.permutations(rests)):
        racks: list[int] = []
        for rest in order:
            if racks and racks[-1] + rest <= 4:
                racks[-1] += rest
            else:
                racks.append(rest)
        best = min(best, len(racks))
    return best
