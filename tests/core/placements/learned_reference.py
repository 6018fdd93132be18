"""The policies with learned estimates once more, slow and plain: every end is kept, and counted anew when asked.

Written from docs/reference/policies.md, not from the code, and shared with nothing but the tests. A job whose
`walltime_s` is 0 asks for no limit.
"""

from __future__ import annotations

import math

from tests.core.placements.reference import GRACE_S, Job, Plant, Reserving

#: A year, the limit of who asks for none.
YEAR_S = 366 * 24 * 3600
#: Bounds of the buckets: 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, ...
BOUNDS = [quarter * 2**power for power in range(24) for quarter in (4, 5, 6, 7)]


class Learning(Plant):
    """Jobs without a limit are taken to run for what nine of ten ran that were alike."""

    def __post_init__(self) -> None:
        super().__post_init__()
        #: Jobs that are over, with how long they ran, in order.
        self.over: list[tuple[Job, int]] = []
        self.open: set[str] = set()

    def run(self, jobs: list[Job]) -> dict[str, int]:
        coming = sorted(jobs, key=lambda job: job.submit_s)
        while coming or self.running:
            begins = [job.submit_s for job in coming[:1]]
            now = min([*begins, *(each.end_s for each in self.running), *self.overruns().values()])
            self.move_on(now)
            for each in sorted((r for r in self.running if r.end_s == now), key=lambda r: r.job.name):
                self.running.remove(each)
                self.over.append((each.job, each.job.duration_s))
                self.free = [free + each.place.get(node, 0) for node, free in enumerate(self.free)]
                self.turn(now)
            while coming and coming[0].submit_s == now:
                self.waiting.append(self.with_estimate(coming.pop(0)))
                self.turn(now)
        return self.starts_s

    def overruns(self) -> dict[str, int]:
        """When each that runs passes its estimate."""
        return {each.job.name: each.limit_s - GRACE_S for each in self.running if each.job.name in self.open}

    def move_on(self, now: int) -> None:
        """Who runs past its estimate is taken to run twice as long."""
        late = [each for each in self.running if self.overruns().get(each.job.name) == now]
        for each in late:
            each.limit_s += each.job.walltime_s
            each.job = each.job._replace(walltime_s=2 * each.job.walltime_s)
        if late:
            self.turn(now)

    def with_estimate(self, job: Job) -> Job:
        if job.walltime_s:
            return job
        self.open.add(job.name)
        for alike in (
            [
                ran
                for other, ran in self.over
                if job.user and other.user == job.user and self.size(other, job)
            ],
            [ran for other, ran in self.over if self.size(other, job)],
            [ran for _, ran in self.over],
        ):
            if len(alike) >= 10:
                longest = sorted(alike)[math.ceil(len(alike) * 9 / 10) - 1]
                return job._replace(walltime_s=next(bound for bound in BOUNDS if bound > max(longest, 4)))
        return job._replace(walltime_s=YEAR_S)

    def size(self, one: Job, other: Job) -> bool:
        return math.floor(math.log2(one.gpus)) == math.floor(math.log2(other.gpus))


class LearningReserving(Learning, Reserving):
    """The same with a reservation for everybody."""


def learning(order: str) -> type[Learning]:
    """The plain program for an order."""
    return LearningReserving if order == "conservative" else Learning
