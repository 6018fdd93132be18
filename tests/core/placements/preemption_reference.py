"""Classes that take the place of others once more, slow and plain, where nobody goes by anybody (`fifo`).

Written from docs/reference/projects.md, not from the code, and shared with nothing but the tests. Whoever is asked to
leave is gone at once, one after the other by name, and begins anew when it starts again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.core.placements.reference import Job, Plant, Running, less


@dataclass
class Preempting(Plant):
    """The same plant for one project, with classes of which some preempt."""

    #: Class -> how far behind it stands, seconds; the earlier come first.
    behind_s: dict[str, int] = field(default_factory=dict)
    preempts: frozenset[str] = frozenset()
    #: Job -> seconds between two checkpoints; 0 for none.
    checkpoint_s: dict[str, int] = field(default_factory=dict)
    front: set[str] = field(default_factory=set)
    #: Asked to leave, and still there.
    stopping: set[str] = field(default_factory=set)
    #: In the order in which they came: (second, job), and (second, who takes a place, its victims).
    began: list[tuple[int, str]] = field(default_factory=list)
    taken: list[tuple[int, str, tuple[str, ...]]] = field(default_factory=list)

    def run(self, jobs: list[Job]) -> dict[str, int]:
        """When each job starts for the last time."""
        self.numbers = {job.name: number for number, job in enumerate(jobs)}
        self.since: dict[str, int] = {}
        coming = list(jobs)
        while coming or self.running:
            now = min([*(job.submit_s for job in coming[:1]), *(each.end_s for each in self.running)])
            for name in sorted(each.job.name for each in self.running if each.end_s == now):
                # It may have been asked to leave when another one ended.
                for each in [one for one in self.running if one.job.name == name and one.end_s == now]:
                    self.leave(each)
                    self.turn(now)
            while coming and coming[0].submit_s == now:
                self.waiting.append(coming.pop(0))
                self.turn(now)
        return self.starts_s

    def leave(self, each: Running) -> None:
        self.running.remove(each)
        self.free = less(self.free, each.place, -1)

    def turn(self, now: int) -> None:
        """All who fit start, in order; then places are taken; who is asked to leave goes, and all that once more."""
        self.waiting.sort(key=self.place_of)
        super().turn(now)
        self.stopping |= self.take(now)
        for name in sorted(self.stopping):
            if name in self.stopping:
                self.stopping.discard(name)
                (gone,) = (each for each in self.running if each.job.name == name)
                self.leave(gone)
                self.waiting.append(gone.job)
                self.turn(now)

    def place_of(self, job: Job) -> tuple[bool, int, int]:
        since = job.submit_s + self.behind_s[job.priority]
        return job.name not in self.front, since, self.numbers[job.name]

    def start(self, now: int, job: Job, place: dict[int, int]) -> None:
        super().start(now, job, place)
        self.front.discard(job.name)
        self.since[job.name] = now
        self.began.append((now, job.name))

    def take(self, now: int) -> set[str]:
        """Who is asked to leave."""
        asked: set[str] = set()
        hopeless: set[tuple[int, str]] = set()
        free = self.free
        for each in self.running:
            free = less(free, each.place, -1) if each.job.name in self.stopping else free
        for job in self.waiting:
            if job.priority not in self.preempts or (job.gpus, job.priority) in hopeless:
                continue
            if self.choose(self.free, job.gpus) is not None:
                continue
            if self.choose(free, job.gpus) is None:
                chosen = self.victims(now, job, free, asked)
                if not chosen:
                    hopeless.add((job.gpus, job.priority))
                    continue
                for each in chosen:
                    free = less(free, each.place, -1)
                asked |= {each.job.name for each in chosen}
                self.front.add(job.name)
                self.taken.append((now, job.name, tuple(sorted(each.job.name for each in chosen))))
            place = self.choose(free, job.gpus)
            assert place is not None
            free = less(free, place, +1)
        return asked

    def victims(self, now: int, job: Job, free: list[int], asked: set[str]) -> list[Running]:
        later = [
            each
            for each in self.running
            if each.job.name not in asked | self.stopping
            and self.behind_s[each.job.priority] > self.behind_s[job.priority]
        ]
        later.sort(
            key=lambda each: (
                self.lost(now, each),
                -self.began.index((self.since[each.job.name], each.job.name)),
            )
        )
        chosen: list[Running] = []
        for each in later:
            chosen.append(each)
            if self.fits(free, chosen, job):
                break
        else:
            return []
        for each in reversed(list(chosen)):
            others = [one for one in chosen if one is not each]
            if self.fits(free, others, job):
                chosen = others
        return chosen

    def fits(self, free: list[int], gone: list[Running], job: Job) -> bool:
        for each in gone:
            free = less(free, each.place, -1)
        return self.choose(free, job.gpus) is not None

    def lost(self, now: int, each: Running) -> int:
        ran = now - self.since[each.job.name]
        step = self.checkpoint_s[each.job.name]
        return each.job.gpus * (ran % step if step else ran)
