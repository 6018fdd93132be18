"""Fair share among tenants once more, slow and plain: all that ever ran is looked at for every question.

Written from docs/reference/tenants.md, not from the code, and shared with nothing but the tests. A job's tenant
begins its name: `bravo.j1`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.core.placements.reference import Job, Plant, Reserving
from tests.core.placements.shared_reference import Ran, half


@dataclass
class OfTenants(Plant):
    """The same plant, shared by tenants of which each has so many shares."""

    shares: dict[str, int] = field(default_factory=dict)
    half_life_s: int = 0
    weigh_s: int = 3600
    age_s: int = 3600

    def run(self, jobs: list[Job]) -> dict[str, int]:
        self.numbers = {job.name: number for number, job in enumerate(jobs)}
        self.ran: list[Ran] = []
        self.used: dict[str, int] = {}
        self.steps: dict[str, int] = {}
        coming, weigh_at, weighed = list(jobs), -1, -1
        while coming or self.running:
            begins = [job.submit_s for job in coming[:1]]
            now = min([*begins, *(each.end_s for each in self.running)])
            if 0 <= weigh_at <= now:
                self.weigh(weighed, weigh_at)
                weighed, now = weigh_at, weigh_at
                weigh_at += self.weigh_s
                self.turn(now)
                continue
            for each in sorted((r for r in self.running if r.end_s == now), key=lambda r: r.job.name):
                self.running.remove(each)
                self.free = [free + each.place.get(node, 0) for node, free in enumerate(self.free)]
                if not self.running and not self.waiting:
                    weigh_at = -1
                self.turn(now)
            while coming and coming[0].submit_s == now:
                if weigh_at < 0:
                    begun = now // self.weigh_s * self.weigh_s
                    weighed, weigh_at = max(weighed, begun if weighed < 0 else weighed), begun + self.weigh_s
                self.waiting.append(coming.pop(0))
                self.turn(now)
        return self.starts_s

    def turn(self, now: int) -> None:
        self.waiting.sort(key=self.counts_from)
        super().turn(now)

    def counts_from(self, job: Job) -> tuple[int, int]:
        return job.submit_s + self.steps.get(tenant(job), 0) * self.age_s, self.numbers[job.name]

    def start(self, now: int, job: Job, place: dict[int, int]) -> None:
        super().start(now, job, place)
        self.ran.append(Ran(job, now, now + job.duration_s))

    def weigh(self, since: int, now: int) -> None:
        """What each had is brought up, and forgotten by halves; then all stand anew."""
        times, of = (now - since) // self.weigh_s, self.half_life_s // self.weigh_s
        holding = {tenant(each.job) for each in self.running}
        for name in {tenant(each.job) for each in self.ran}:
            fresh = sum(
                each.job.gpus * max(0, min(each.end_s, now) - max(each.start_s, since))
                for each in self.ran
                if tenant(each.job) == name
            )
            held = self.used.get(name, 0) + fresh
            self.used[name] = ((held >> (times // of)) * half(times % of, of)) >> 32
        present = [name for name, used in self.used.items() if used or name in holding]
        all_shares = sum(self.shares.get(name, 1) for name in present)
        total = sum(self.used[name] for name in present)
        self.steps = {
            name: min(16, 8 * self.used[name] * all_shares // (total * self.shares.get(name, 1)))
            for name in present
            if total
        }


class OfTenantsReserving(OfTenants, Reserving):
    """The same with a reservation for everybody who waits."""


def tenant(job: Job) -> str:
    return job.name.partition(".")[0]
