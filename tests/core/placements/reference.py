"""The policies once more, slow and plain: free GPUs of each node in a list, everybody tried at every turn.

Written from docs/reference/policies.md, not from the code, and shared with nothing but the tests.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import NamedTuple

#: Between the limit of time and the kill, seconds: what a gang asks for unless it says otherwise.
GRACE_S = 30


class Job(NamedTuple):
    """A gang on demand. It runs for `duration_s`, which no decision sees."""

    name: str
    submit_s: int
    gpus: int
    walltime_s: int
    duration_s: int
    project: str = ""
    user: str = ""
    priority: str = ""


Place = dict[int, int]


@dataclass
class Running:
    """A job in its place, with the latest it may be there."""

    job: Job
    place: Place
    end_s: int
    limit_s: int


@dataclass
class Plant:
    """Nodes of `per_node` GPUs, `per_rack` of them to a rack, in order."""

    nodes: int
    per_node: int
    per_rack: int
    order: str
    overtake_s: int = 3600
    #: Without a limit unless the order has one.
    depth: int = 100
    #: Once the first has waited so long, nobody goes by it; None where that does not count.
    patience_s: int | None = None
    free: list[int] = field(init=False)
    running: list[Running] = field(default_factory=list)
    waiting: list[Job] = field(default_factory=list)
    starts_s: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.free = [self.per_node] * self.nodes

    def run(self, jobs: list[Job]) -> dict[str, int]:
        """When each job starts."""
        instants = sorted({job.submit_s for job in jobs})
        while instants or self.running:
            now = min([*instants[:1], *(each.end_s for each in self.running)])
            for each in sorted((r for r in self.running if r.end_s == now), key=lambda r: r.job.name):
                self.running.remove(each)
                self.free = less(self.free, each.place, -1)
                self.turn(now)
            if instants[:1] == [now]:
                instants.pop(0)
            for job in jobs:
                if job.submit_s == now:
                    self.waiting.append(job)
                    self.turn(now)
        return self.starts_s

    def turn(self, now: int) -> None:
        """The first in order that may start is placed, again and again until there is none."""
        while self.places_one(now):
            pass

    def places_one(self, now: int) -> bool:
        """Everybody who waits is tried, in order, until one may start."""
        first: Job | None = None
        then_s, then = 0, self.free
        for job in self.waiting[: self.depth + 1 if self.order == "easy_depth" else None]:
            place = self.choose(self.free, job.gpus)
            if place is None:
                waited_s = now - job.submit_s
                if self.order == "fifo" or (self.order == "overtake" and waited_s >= self.overtake_s):
                    return False
                if self.order in ("easy", "easy_depth") and first is None:
                    first = job
                    then_s, then = self.promise(now, job)
                    if self.out_of_patience(now, job):
                        return False
                continue
            if first is not None:
                gone = now + job.walltime_s + GRACE_S <= then_s
                if not gone and self.choose(less(then, place, +1), first.gpus) is None:
                    continue
            self.start(now, job, place)
            return True
        return False

    def out_of_patience(self, now: int, job: Job) -> bool:
        """Whether nobody goes by a job any more."""
        return self.patience_s is not None and now - job.submit_s >= self.patience_s

    def start(self, now: int, job: Job, place: Place) -> None:
        """A job runs from here on."""
        self.waiting.remove(job)
        self.free = less(self.free, place, +1)
        self.starts_s[job.name] = now
        limit_s = now + job.walltime_s + GRACE_S
        self.running.append(Running(job, place, now + job.duration_s, limit_s))

    def promise(self, now: int, job: Job) -> tuple[int, list[int]]:
        """When a job fits if all run to their limit and nothing else starts, and what is free then."""
        for limit_s in sorted({each.limit_s for each in self.running}):
            free = self.free
            for each in self.running:
                free = less(free, each.place, -1) if each.limit_s <= limit_s else free
            if self.choose(free, job.gpus) is not None:
                return max(now, limit_s), free
        raise AssertionError("the plant is large enough for every job")

    def choose(self, free: list[int], gpus: int) -> Place | None:
        """Where a gang goes, by the words of the policy."""
        whole, rest = divmod(gpus, self.per_node)
        if gpus <= self.per_node:
            whole, rest = 0, gpus
        place: Place = {}
        if whole:
            empty = [node for node in range(self.nodes) if free[node] == self.per_node]
            if len(empty) < whole:
                return None
            racks = [list(group) for _, group in itertools.groupby(empty, lambda node: node // self.per_rack)]
            tight = [rack for rack in racks if len(rack) >= whole]
            if tight:
                chosen = min(tight, key=len)[:whole]
            else:
                chosen = list(itertools.chain(*sorted(racks, key=len, reverse=True)))[:whole]
            place = dict.fromkeys(chosen, self.per_node)
        if rest:
            holding = [node for node in range(self.nodes) if free[node] >= rest and node not in place]
            if not holding:
                return None
            place[min(holding, key=lambda node: free[node])] = rest
        return place


class Held(NamedTuple):
    """Single GPUs, each a node and a number on it, that a job has or is to have within [start_s, end_s)."""

    name: str
    start_s: int
    end_s: int
    gpus: frozenset[tuple[int, int]]


class Reserving(Plant):
    """Conservative backfill: at every turn everybody is given a time and a place, in order."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.on: dict[str, frozenset[tuple[int, int]]] = {}

    def turn(self, now: int) -> None:
        """Plan for everybody anew, until nobody starts."""
        while self.plan(now):
            pass

    def plan(self, now: int) -> bool:
        """Plan for everybody; whose time is now starts. Whether somebody did."""
        before, awaited = len(self.waiting), False
        held = [Held(each.job.name, now, each.limit_s, self.on[each.job.name]) for each in self.running]
        for job in list(self.waiting):
            mine, place = self.earliest(now, job, held)
            held.append(mine)
            if mine.start_s > now:
                awaited |= self.out_of_patience(now, job)
            elif not awaited:
                self.on[job.name] = mine.gpus
                self.start(now, job, place)
        return len(self.waiting) < before

    def earliest(self, now: int, job: Job, held: list[Held]) -> tuple[Held, Place]:
        """The earliest time, and the place, that is free for as long as the job may take."""
        for at in sorted({now, *(each.end_s for each in held)}):
            end_s = at + job.walltime_s + GRACE_S
            beside = [each.gpus for each in held if each.start_s < end_s and each.end_s > at]
            taken = frozenset().union(*beside)
            free = [self.per_node - sum(1 for on, _ in taken if on == node) for node in range(self.nodes)]
            place = self.choose(free, job.gpus)
            if place is not None:
                chosen: set[tuple[int, int]] = set()
                for node, count in place.items():
                    mine = [(node, gpu) for gpu in range(self.per_node) if (node, gpu) not in taken]
                    chosen.update(mine[:count])
                return Held(job.name, at, end_s, frozenset(chosen)), place
        raise AssertionError("the plant is large enough for every job")


def reference(order: str) -> type[Plant]:
    """The plain program for an order."""
    return Reserving if order == "conservative" else Plant


def less(free: list[int], place: Place, sign: int) -> list[int]:
    """What is free with a place taken (1), or given back (-1)."""
    left = list(free)
    for node, gpus in place.items():
        left[node] -= sign * gpus
    return left
