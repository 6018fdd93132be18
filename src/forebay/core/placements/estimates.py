"""How long does a gang run that asks for no limit of time? Learned from what ended, tenant by tenant, with its error.

Theory of operation. Each end that was the gang's own doing is counted in up to three books: that of its tenant's user
and size, of its tenant and size, and of its tenant. A book counts run times in buckets, four to each doubling, so an
estimate is at most a quarter too long, and no book grows. When a gang without a limit is taken in, it is given an
*estimate*: the time within which nine of ten in the nearest book that holds enough ended. It stands in the gang's own
specification from then on, and is what backfill goes by (docs/reference/policies.md). A gang that runs past it is
taken to run twice as long, and twice as long again, up to its limit.

How long a gang will really run is never asked: all of this is from reports of ends that lie in the past.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from forebay.core.ids import Event, GangId, Refusal, TenantId, UserId
from forebay.core.timeline import Due
from forebay.core.units import SECOND_US

if TYPE_CHECKING:
    from forebay.core.placements.gang import Gang, Policy, Spec
    from forebay.core.placements.state import Derived, State

#: The longest that any gang may run.
LIMIT_S_MAX = 366 * 24 * 3600
#: So many ends have to be in a book before it tells anything.
ENDS_LEAST = 10
#: When a book holds so many, each of its counts is halved: what was long ago counts less and less.
ENDS_MOST = 512
#: Books at the most: beyond, the one that was written to longest ago is given up.
BOOKS_MAX = 4096
#: What backfill goes by, percent of a book.
PERCENT = 90
#: Ends that are a gang's own doing, or its tenant's: others tell nothing about how long it would have run.
_TOLD_BY = frozenset({"completed", "failed", "walltime", "cancelled"})
#: Run times are counted from 4 s on, in four buckets to each doubling.
_FIRST = 4
_BUCKETS = 4 * (LIMIT_S_MAX.bit_length() - _FIRST.bit_length() + 1)


class Estimates(StrEnum):
    """By what backfill takes a gang to be gone (docs/reference/policies.md)."""

    #: By its limit of time.
    REQUESTED = "requested"
    #: By its limit of time where it asked for one, else by what was learned of its tenant.
    LEARNED = "learned"


@dataclass(slots=True)
class GangOverran(Event):
    """A generation runs past what it was taken to run for: from here on that is `estimate_s` from its start."""

    gang: GangId
    generation: int
    estimate_s: int


class RunKind(NamedTuple):
    """What runs alike: a tenant's gangs, those of one size, or those of one size and user."""

    tenant: TenantId
    #: "" for all.
    user: UserId
    #: Binary digits of the number of GPUs; 0 for all sizes.
    size: int


class RunTimes(NamedTuple):
    """How long what runs alike ran: how many ended, and in which bucket of time each."""

    ends: int
    counts: tuple[int, ...]


class EstimateError(NamedTuple):
    """How far a tenant's gangs ran past their estimates, or ended before."""

    #: Gangs that had a learned estimate, and have ended.
    judged: int = 0
    #: Those of them that ran longer, and by how many seconds in all.
    over: int = 0
    over_s: int = 0
    #: By how many seconds the others ended before.
    spare_s: int = 0


@dataclass(slots=True)
class Learned:
    """What was learned of run times, and how wrong it was."""

    #: The one that was written to last comes last.
    books: dict[RunKind, RunTimes] = field(default_factory=dict)
    errors: dict[TenantId, EstimateError] = field(default_factory=dict)
    #: Gangs that ran past their estimate and are not over: what it was at first.
    late: dict[GangId, int] = field(default_factory=dict)

    def fork(self) -> Learned:
        """A copy whose containers are its own."""
        return Learned(self.books.copy(), self.errors.copy(), self.late.copy())


# Buckets.


def bucket_of(ran_s: int) -> int:
    """The bucket that a run time falls in."""
    ran_s = min(max(ran_s, _FIRST), LIMIT_S_MAX)
    power = ran_s.bit_length() - 3
    return 4 * power + (ran_s >> power) - _FIRST


def bound_s(bucket: int) -> int:
    """The first whole second that is longer than all in a bucket."""
    power, quarter = divmod(bucket, 4)
    return (quarter + 1 + _FIRST) << power


def quantile_s(book: RunTimes, percent: int, first: int = 0) -> int | None:
    """Within how many seconds so many percent ended, of those in a bucket or a later one; None where none are."""
    left = sum(book.counts[first:])
    if not left:
        return None
    rank, passed = -(-left * percent // 100), 0
    for bucket in range(first, _BUCKETS):
        passed += book.counts[bucket]
        if passed >= rank:
            return bound_s(bucket)
    raise AssertionError("some percent of what is there is there")


# What is learned.


def kinds_of(spec: Spec) -> Iterator[RunKind]:
    """What a gang runs like, the nearest first."""
    size = spec.gpus.bit_length()
    if spec.user:
        yield RunKind(spec.tenant, spec.user, size)
    yield RunKind(spec.tenant, UserId(""), size)
    yield RunKind(spec.tenant, UserId(""), 0)


def learn(learned: Learned, gang: Gang, reason: str, ended_at: int) -> None:
    """A generation of a gang is over, for a reason."""
    if reason not in _TOLD_BY or not gang.started_at:
        return
    spec, ran_s = gang.spec, -((gang.started_at - ended_at) // SECOND_US)
    _judge(learned, spec, ran_s)
    bucket, books = bucket_of(ran_s), learned.books
    for kind in kinds_of(spec):
        book = books.pop(kind, None)
        ends, counts = book if book is not None else (0, (0,) * _BUCKETS)
        if ends >= ENDS_MOST:
            counts = tuple(count >> 1 for count in counts)
            ends = sum(counts)
        books[kind] = RunTimes(ends + 1, (*counts[:bucket], counts[bucket] + 1, *counts[bucket + 1 :]))
    while len(books) > BOOKS_MAX:
        del books[next(iter(books))]


def _judge(learned: Learned, spec: Spec, ran_s: int) -> None:
    """How wrong an estimate was."""
    first_s = learned.late.get(spec.id, spec.estimate_s)
    if not first_s or first_s >= spec.walltime_s:
        return
    was = learned.errors.get(spec.tenant) or EstimateError()
    over_s = max(0, ran_s - first_s)
    learned.errors[spec.tenant] = EstimateError(
        was.judged + 1, was.over + (over_s > 0), was.over_s + over_s, was.spare_s + max(0, first_s - ran_s)
    )


def book_for(learned: Learned, spec: Spec) -> RunTimes | None:
    """The nearest book that tells how long a gang runs; None where none holds enough."""
    for kind in kinds_of(spec):
        book = learned.books.get(kind)
        if book is not None and book.ends >= ENDS_LEAST:
            return book
    return None


# What a gang is given.


def limited(spec: Spec, policy: Policy, learned: Learned, limits_s: list[int]) -> Spec:
    """A gang that asks for no limit of time, with the one that it gets, and its estimate; as it is, where it has to
    ask for one. `limits_s` are those of its projects.
    """
    learns = policy.estimates is Estimates.LEARNED
    limit_s = policy.walltime_s_default or (policy.walltime_s_max or LIMIT_S_MAX if learns else 0)
    if spec.walltime_s or not limit_s:
        return replace(spec, estimate_s=0) if spec.estimate_s else spec
    limit_s = min([limit_s, *limits_s])
    estimate_s = limit_s if learns else 0
    book = book_for(learned, spec) if learns else None
    if book is not None:
        told_s = quantile_s(book, PERCENT)
        assert told_s is not None, "it holds enough"
        estimate_s = min(limit_s, told_s)
    return replace(spec, walltime_s=limit_s, estimate_s=estimate_s)


def taken_s(spec: Spec) -> int:
    """For how long after its start backfill takes a gang to run."""
    return spec.estimate_s or spec.walltime_s


def overruns_at(gang: Gang) -> int:
    """When a gang that runs passes its estimate; 0 where it has none, or that is its limit."""
    spec = gang.spec
    return gang.started_at + spec.estimate_s * SECOND_US if 0 < spec.estimate_s < spec.walltime_s else 0


def overrun(gang: Gang) -> GangOverran:
    """It has: it is taken to run twice as long, up to its limit."""
    longer_s = min(2 * gang.spec.estimate_s, gang.spec.walltime_s)
    return GangOverran(gang.spec.id, gang.generation, longer_s)


def record_overran(
    state: State, held: object, supplied: object, event: GangOverran, at: int, seq: int
) -> None:
    """What that records."""
    gang = state.gangs[event.gang]
    state.learned.late.setdefault(event.gang, gang.spec.estimate_s)
    state.gangs[event.gang] = gang._replace(spec=replace(gang.spec, estimate_s=event.estimate_s))


def after_overran(derived: Derived, state: State, supplied: object, event: GangOverran) -> None:
    """Whoever counts on its end is promised another instant: others may go by meanwhile."""
    push_estimate(derived, state.gangs[event.gang])
    derived.stirred = True


def push_estimate(derived: Derived, gang: Gang) -> None:
    """When it passes its estimate falls due."""
    if passed := overruns_at(gang):
        derived.dues.push(Due(passed, "estimate", gang.spec.id, gang.generation))


def waited_enough(policy: Policy, gang: Gang, at: int) -> bool:
    """Whether a gang that does not fit has waited so long that estimates do not let anybody go by it."""
    return policy.estimates is Estimates.LEARNED and (
        at - gang.submitted_at >= policy.estimates_wait_s * SECOND_US
    )


def refuse_limit(spec: Spec, policy: Policy) -> Refusal | None:
    """bad_quantity, gang_too_long."""
    if not spec.walltime_s:
        told = (
            "no limit of time is asked for, and the policy in force has none to give: say how long it may run"
        )
        return Refusal("bad_quantity", told, "walltime_s")
    if not 1 <= spec.walltime_s <= LIMIT_S_MAX:
        told = f"it is to run for {spec.walltime_s} s; from 1 to {LIMIT_S_MAX} s (366 days) is meant"
        return Refusal("bad_quantity", told, "walltime_s")
    most_s = policy.walltime_s_max
    if most_s and spec.walltime_s > most_s:
        told = f"{spec.walltime_s} s are asked for; a gang may run {most_s} s here"
        return Refusal("gang_too_long", told, "walltime_s")
    return None


def refuse_terms(policy: Policy) -> Refusal | None:
    """Whether limits and estimates of a policy make sense: bad_quantity."""
    for name, value in (
        ("walltime_s_default", policy.walltime_s_default),
        ("walltime_s_max", policy.walltime_s_max),
        ("estimates_wait_s", policy.estimates_wait_s),
    ):
        if not 0 <= value <= LIMIT_S_MAX:
            told = f"{name} is {value}; from 0 to {LIMIT_S_MAX} is meant"
            return Refusal("bad_quantity", told, f"policy.{name}")
    if policy.walltime_s_max and policy.walltime_s_default > policy.walltime_s_max:
        told = (
            f"walltime_s_default is {policy.walltime_s_default}, longer than walltime_s_max"
            f" ({policy.walltime_s_max})"
        )
        return Refusal("bad_quantity", told, "policy.walltime_s_default")
    return None
