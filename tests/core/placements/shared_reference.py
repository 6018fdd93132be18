"""Projects, priorities and fair share once more, slow and plain: all that ever ran is looked at for every question.

Written from docs/reference/policies.md, not from the code, and shared with nothing but the tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from typing import NamedTuple

from tests.core.placements.reference import Held, Job, Plant, Reserving


class Part(NamedTuple):
    """A project: what it belongs to, its weight, its caps, and its users with their weights."""

    parent: str = ""
    shares: int = 1
    cap: int = 0
    user_cap: int = 0
    users: tuple[tuple[str, int], ...] = ()


class Ran(NamedTuple):
    """A job held its GPUs within [start_s, end_s)."""

    job: Job
    start_s: int
    end_s: int


def half(parts: int, of: int) -> int:
    """2 to the power of -parts/of in 32 binary places, cut off."""
    with localcontext() as context:
        context.prec = 60
        return int(Decimal(2) ** (Decimal(-parts) / of) * 2**32)


@dataclass
class Shared(Plant):
    """The same plant, whose jobs belong to projects. Users inherit nothing here: a project lists them or does not."""

    parts: dict[str, Part] = field(default_factory=dict)
    #: Class -> how far behind it stands, seconds.
    behind_s: dict[str, int] = field(default_factory=dict)
    half_life_s: int = 0
    weigh_s: int = 3600
    age_s: int = 3600
    everyone: list[Job] = field(default_factory=list)
    ran: list[Ran] = field(default_factory=list)
    #: (project, user) -> use as weighed last, in GPU-seconds, and the step that follows.
    used: dict[tuple[str, str], int] = field(default_factory=dict)
    steps: dict[tuple[str, str], int] = field(default_factory=dict)
    weighed_s: int | None = None

    def run(self, jobs: list[Job]) -> dict[str, int]:
        """When each job starts."""
        self.numbers = {job: number for number, job in enumerate(jobs)}
        instants = sorted({job.submit_s for job in jobs})
        weigh_at: int | None = None
        while instants or self.running:
            now = min([*instants[:1], *(each.end_s for each in self.running)])
            if weigh_at is not None and weigh_at <= now:
                now = weigh_at
                self.weigh(now)
                self.turn(now)
                weigh_at += self.weigh_s
                continue
            for each in sorted((r for r in self.running if r.end_s == now), key=lambda r: r.job.name):
                self.running.remove(each)
                self.free = [free + each.place.get(node, 0) for node, free in enumerate(self.free)]
                if not self.running and not self.everyone:
                    weigh_at = None
                self.turn(now)
            if instants[:1] == [now]:
                instants.pop(0)
            for job in jobs:
                if job.submit_s == now:
                    self.everyone.append(job)
                    if weigh_at is None:
                        begun = now // self.weigh_s * self.weigh_s
                        self.weighed_s = begun if self.weighed_s is None else self.weighed_s
                        weigh_at = begun + self.weigh_s
                    self.turn(now)
        return self.starts_s

    def turn(self, now: int) -> None:
        """As before, of those only who may start."""
        while True:
            ordered = sorted(self.everyone, key=self.place)
            self.waiting = [job for job in ordered if self.may_start(job, ordered)]
            if not self.places_one(now):
                return

    def start(self, now: int, job: Job, place: dict[int, int]) -> None:
        """A job runs from here on."""
        super().start(now, job, place)
        self.everyone.remove(job)
        self.ran.append(Ran(job, now, now + job.duration_s))

    # The order.

    def place(self, job: Job) -> tuple[int, int]:
        """By the instant that a job counts from, then by submission."""
        user = job.user if self.parts[job.project].users else ""
        step = self.steps.get((job.project, user), 0)
        return job.submit_s + self.behind_s.get(job.priority, 0) + step * self.age_s, self.numbers[job]

    def above(self, project: str) -> list[str]:
        """A project and all that it belongs to."""
        return [project, *self.above(self.parts[project].parent)] if project else []

    # Caps.

    def caps_of(self, job: Job) -> list[tuple[str, str, int]]:
        """What a job counts to that has a cap."""
        chain = self.above(job.project)
        caps = [(name, "", self.parts[name].cap) for name in chain]
        caps += [(name, job.user, self.parts[name].user_cap) for name in chain if job.user]
        return [cap for cap in caps if cap[2]]

    def may_start(self, job: Job, ordered: list[Job]) -> bool:
        """Whether no cap holds a job back, or one before it that counts to the same."""
        for name, user, most in self.caps_of(job):
            left = most - sum(each.job.gpus for each in self.running if self.counts(each.job, name, user))
            if job.gpus > left:
                return False
            before = ordered[: ordered.index(job)]
            if any(left < other.gpus <= most for other in before if self.counts(other, name, user)):
                return False
        return True

    def counts(self, job: Job, name: str, user: str) -> bool:
        """Whether a job counts to a project, or to a user within it."""
        return name in self.above(job.project) and user in ("", job.user)

    # Fair share.

    def weigh(self, now: int) -> None:
        """Use is brought up, and everybody stands anew."""
        if not self.half_life_s:
            return
        since = self.weighed_s
        assert since is not None
        times, of = (now - since) // self.weigh_s, self.half_life_s // self.weigh_s
        whole: dict[tuple[str, str], int] = {}
        for name in ["", *self.parts]:
            for user in ["", *sorted({each.job.user for each in self.ran})]:
                fresh = sum(
                    each.job.gpus * max(0, min(each.end_s, now) - max(each.start_s, since))
                    for each in self.ran
                    if (not name or self.counts(each.job, name, user))
                )
                held = self.used.get((name, user), 0) + fresh
                whole[name, user] = ((held >> (times // of)) * half(times % of, of)) >> 32
        self.used, self.weighed_s, self.steps = whole, now, {}
        for name, part in self.parts.items():
            for user in [user for user, _ in part.users] or [""]:
                fair = whole["", ""]
                used = whole.get((name, user), 0)
                for each in self.above(name):
                    beside = [
                        other for other in self.parts.values() if other.parent == self.parts[each].parent
                    ]
                    fair *= self.parts[each].shares
                    used *= sum(other.shares for other in beside)
                if user:
                    fair *= dict(part.users)[user]
                    used *= sum(shares for _, shares in part.users)
                self.steps[name, user] = min(16, 8 * used // fair) if fair else 0


class SharedReserving(Shared, Reserving):
    """Conservative backfill of those whom no cap holds back: all are planned for anew once one of them starts."""

    def turn(self, now: int) -> None:
        """Plan until nobody starts."""
        while self.starts_one(now):
            pass

    def starts_one(self, now: int) -> bool:
        """Give everybody a time and a place, in order, until the first whose time is now: it starts."""
        ordered = sorted(self.everyone, key=self.place)
        held = [Held(each.job.name, now, each.limit_s, self.on[each.job.name]) for each in self.running]
        for job in ordered:
            if self.may_start(job, ordered):
                mine, place = self.earliest(now, job, held)
                held.append(mine)
                if mine.start_s == now:
                    self.on[job.name] = mine.gpus
                    # `Plant.start` takes it off those who wait.
                    self.waiting = [job]
                    self.start(now, job, place)
                    return True
        return False
