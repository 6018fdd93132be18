"""Who goes first: start times equal, job by job, those of a slow and plain reference, with and without topology."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from forebay.core.placements.gang import Ending, Order, Phase, Policy, Tier
from forebay.core.units import SECOND_US
from tests.core import plant
from tests.core.placements.reference import GRACE_S, Job, reference
from tests.core.plant import Driver, feed, hall, rack, site, sku

COUNTS_ONLY = (1, 8)
TOPOLOGY = (8, 4)


def built(per_node: int, per_rack: int, order: Order, overtake_s: int = 3600, depth: int = 100) -> Driver:
    """Two racks, with power for everything."""
    racks = tuple(rack(f"r{n}") for n in range(2))
    kind = sku(gpus_per_node=per_node, nodes_per_rack=per_rack, healthy_nodes_min=per_rack)
    return plant.plant(
        skus=(kind,),
        sites=(site("north", (feed("f1", 10**9),), (hall("h1", *racks),)),),
        policy=Policy(overtake_s=overtake_s, order=order, depth=depth),
    )


def starts(
    driver: Driver,
    jobs: list[Job],
    *,
    of_tenants: bool = False,
    tier: Tier = Tier.ON_DEMAND,
    tiers: Mapping[str, Tier] | None = None,
) -> dict[str, int]:
    """When each job starts in the World, seconds from the first instant. Its tenant's name may begin its own."""
    origin = driver.at
    durations = {job.name: job.duration_s for job in jobs}
    ends: dict[str, int] = {}
    found: dict[str, int] = {}

    def look(now: int) -> None:
        for gang in driver.live():
            if gang.phase is Phase.PLACED:
                driver.start(gang.spec.id)
                found[gang.spec.id] = now
                ends[gang.spec.id] = now + durations[gang.spec.id]

    instants = sorted({job.submit_s for job in jobs})
    while instants or ends:
        now = min([*instants[:1], *ends.values()])
        while (due := driver.world.next_wake()) is not None and due <= origin + now * SECOND_US:
            driver.until(due)
            look((due - origin) // SECOND_US)
            # Who was placed then may end before anything else happens.
            now = min([*instants[:1], *ends.values()])
        driver.until(origin + now * SECOND_US)
        for name in sorted(name for name, end in ends.items() if end == now):
            del ends[name]
            driver.end(name)
            look(now)
        if instants[:1] == [now]:
            instants.pop(0)
        for job in jobs:
            if job.submit_s == now:
                counts_to: dict[str, Any] = {
                    "project": job.project,
                    "user": job.user,
                    "priority": job.priority,
                    "tier": (tiers or {}).get(job.name, tier),
                }
                if of_tenants:
                    counts_to["tenant"] = job.name.partition(".")[0]
                driver.submit(job.name, job.gpus, walltime_s=job.walltime_s, **counts_to)
                look(now)
    return found


def trace(seed: int, count: int, most: int, gap_s: int) -> list[Job]:
    """Jobs that keep a plant of `most` GPUs full: many small, some as large as the plant."""
    dice = random.Random(seed)
    at, jobs = 0, []
    sizes = [size for size in (1, 1, 1, 2, 3, 4, 8, 8, 12, 16, 20, 32, 64) if size <= most]
    for number in range(count):
        at += dice.choice((0, 1, dice.randrange(gap_s)))
        duration_s = dice.randrange(1, 400)
        walltime_s = duration_s + dice.choice((0, 1, dice.randrange(1000)))
        jobs.append(Job(f"j{number:03d}", at, dice.choice(sizes), walltime_s, duration_s))
    return jobs


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize(("per_node", "per_rack"), [COUNTS_ONLY, TOPOLOGY])
@pytest.mark.parametrize("seed", [1, 2])
def test_start_times_equal_the_references(order: Order, per_node: int, per_rack: int, seed: int) -> None:
    gpus = 2 * per_node * per_rack
    jobs = trace(seed, 60, gpus, 20 if gpus > 16 else 120)
    said = starts(built(per_node, per_rack, order, 200, 3), jobs)
    plain = reference(order.value)(2 * per_rack, per_node, per_rack, order.value, 200, 3)
    assert said == plain.run(jobs)
    assert len(said) == len(jobs)


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(1, 16), st.integers(0, 60), st.integers(1, 60)), max_size=10
    ),
    st.sampled_from(list(Order)),
    st.sampled_from([COUNTS_ONLY, (4, 2)]),
)
def test_whatever_comes(rows: list[tuple[int, int, int, int]], order: Order, shape: tuple[int, int]) -> None:
    rows.sort()
    jobs = [Job(f"j{n:02d}", at, gpus, run + more, run) for n, (at, gpus, more, run) in enumerate(rows)]
    plain = reference(order.value)(2 * shape[1], *shape, order.value, 40, 1)
    assert starts(built(*shape, order, 40, 1), jobs) == plain.run(jobs)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 7), st.integers(1, 300)), max_size=25),
    st.integers(10, 16),
    st.sampled_from(list(Order)),
    st.sampled_from([COUNTS_ONLY, (4, 2)]),
)
@example([(n, 7, 300) for n in range(25)], 16, Order.OVERTAKE, COUNTS_ONLY)
@example([(n, 7, 300) for n in range(25)], 16, Order.EASY, COUNTS_ONLY)
def test_no_large_gang_starves(
    rows: list[tuple[int, int, int]], large: int, order: Order, shape: tuple[int, int]
) -> None:
    """A stream of small gangs, each of which would fit beside the last, against a large one that comes early on.

    Its bound, as the page of the policy states it: with W the longest that anybody may take, its grace included, it
    starts within W of being the first, `overtake_s` later where that may be.
    """
    overtake_s = 100
    first = [Job(f"a{n}", 0, gpus, limit, limit) for n, (_, gpus, limit) in enumerate(rows[:3])]
    rest = [Job(f"s{n:02d}", 1 + 10 * n + at, gpus, run, run) for n, (at, gpus, run) in enumerate(rows[3:])]
    jobs = [*first, Job("large", 1, large, 50, 50), *sorted(rest, key=lambda job: job.submit_s)]
    longest_s = max(job.walltime_s for job in jobs) + GRACE_S
    # Of those before it one at most waits for others, for two of them always fit.
    bound_s = 2 * longest_s + (overtake_s if order is Order.OVERTAKE else 0)
    assert starts(built(*shape, order, overtake_s, 2), jobs)["large"] - 1 <= bound_s


def trickle(number: int) -> Job:
    """One after the other, each while the last one still runs."""
    return Job(f"s{number:03d}", 2 + 25 * number, 4, 100, 100)


def bursts(number: int) -> Job:
    """Five at a time, just before others are gone, and then at the very instant."""
    return Job(f"s{number:03d}", 200 * (1 + number // 5) - (number < 5), 3, 200, 200)


def shadows(number: int) -> Job:
    """So short that they are gone before the first may start, and there is always one."""
    return Job(f"s{number:03d}", 2 + 4 * number, 4, 5, 5)


def fillers(number: int) -> Job:
    """As large as what is left beside others, for as long as anybody may be there."""
    return Job(f"s{number:03d}", 2 + 50 * number, (4, 8, 4, 2, 6)[number % 5], 200, 200)


def liars(number: int) -> Job:
    """They ask for little, and stay until they are stopped: at their limit, and all of their grace."""
    limit_s = 10 + number % 3
    return Job(f"s{number:03d}", 2 + 7 * number, 1 + number % 7, limit_s, limit_s + GRACE_S)


STREAMS = [trickle, bursts, shadows, fillers, liars]


def kept_out_s(
    stream: Callable[[int], Job], order: Order, tier: Tier, shape: tuple[int, int], overtake_s: int
) -> int:
    """How long a gang waits that wants all there is, beside a stream of small ones that goes on for 700 s."""
    small = [job for job in map(stream, range(200)) if job.submit_s < 700]
    jobs = [Job("a", 0, 12, 200, 200), Job("large", 1, 16, 50, 50), *small]
    found = starts(built(*shape, order, overtake_s, 2), jobs, tier=tier)
    assert len(found) == len(jobs)
    return found["large"] - 1


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize(
    ("tier", "shape"),
    [(Tier.ON_DEMAND, COUNTS_ONLY), (Tier.ON_DEMAND, (4, 2)), (Tier.SPOT, COUNTS_ONLY)],
)
def test_no_stream_keeps_a_large_gang_out(
    stream: Callable[[int], Job], order: Order, tier: Tier, shape: tuple[int, int]
) -> None:
    """The bound of the page, to the second: it is the first of its lane, and nobody takes longer than 230 s."""
    bound_s = 200 + GRACE_S + (100 if order is Order.OVERTAKE else 0)
    assert kept_out_s(stream, order, tier, shape, 100) <= bound_s


@pytest.mark.parametrize("stream", STREAMS)
def test_each_of_these_streams_would_keep_it_out_if_it_could_be_overtaken_for_ever(
    stream: Callable[[int], Job],
) -> None:
    assert kept_out_s(stream, Order.OVERTAKE, Tier.ON_DEMAND, COUNTS_ONLY, 10**6) > 200 + GRACE_S + 100


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("order", list(Order))
def test_no_stream_on_spot_keeps_on_demand_out(stream: Callable[[int], Job], order: Order) -> None:
    """Spot comes behind: however it fits, the large gang in front of it starts within the bound."""
    driver = built(*COUNTS_ONLY, order, 100, 2)
    small = [job for job in map(stream, range(200)) if job.submit_s < 700]
    jobs = [Job("a", 0, 12, 200, 200), Job("large", 1, 16, 50, 50), *small]
    tiers = {job.name: Tier.SPOT for job in small}
    bound_s = 200 + GRACE_S + (100 if order is Order.OVERTAKE else 0)
    assert starts(driver, jobs, tiers=tiers)["large"] - 1 <= bound_s


def test_easy_lets_by_what_does_not_delay_the_first() -> None:
    """By hand: sixteen GPUs one by one; twelve are taken until 1,030 s."""
    driver = built(*COUNTS_ONLY, Order.EASY)
    driver.run("long", 12, walltime_s=1000)
    driver.submit("first", 14, walltime_s=100)
    # Four are free, two of them for ever: the first needs only fourteen at 1,030 s.
    driver.submit("short", 2, walltime_s=1000)
    driver.submit("late", 2, walltime_s=1001)
    driver.submit("later", 1, walltime_s=1001)
    assert driver.phases("first", "short", "late", "later") == ["pending", "placed", "placed", "pending"]


def test_easy_promises_nothing_to_who_comes_behind_a_new_arrival() -> None:
    """Spot waits with a promise; then on demand arrives, which comes before it and may delay it."""
    driver = built(*COUNTS_ONLY, Order.EASY)
    driver.run("long", 12, walltime_s=1000)
    driver.submit("spot", 14, tier=Tier.SPOT)
    driver.submit("behind", 3, walltime_s=9000, tier=Tier.SPOT)
    driver.submit("before", 3, walltime_s=9000)
    assert driver.phases("spot", "behind", "before") == ["pending", "pending", "placed"]


def test_easy_holds_back_who_failed_too() -> None:
    """Of two in front the first does not fit until the long one is gone, and the second would delay it."""
    driver = built(*COUNTS_ONLY, Order.EASY)
    for name, gpus in (("first", 14), ("second", 3)):
        driver.run(name, gpus, walltime_s=9000)
        driver.end(name, Ending.FAILED)
        driver.start(name)
        driver.end(name, Ending.FAILED)
    driver.run("long", 12, walltime_s=1000)
    driver.later(5)
    assert [driver.gang(name).front for name in ("first", "second")] == [True, True]
    assert driver.phases("first", "second") == ["pending", "pending"]


def test_easy_where_nothing_can_be_promised() -> None:
    """What waits for a repair holds nobody back."""
    driver = built(*COUNTS_ONLY, Order.EASY)
    driver.fail(0)
    driver.submit("all", 16)
    driver.submit("long", 8, walltime_s=10**6)
    assert driver.phases("all", "long") == ["pending", "placed"]
