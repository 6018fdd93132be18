"""What was delivered of what a tranche is entitled to, in a calendar month (UTC)? By the microsecond, unit by unit.

A *unit* (of the service level: node, rack, or the tranche) is due while its nodes are in service, and missing while
fewer of its nodes are well than have to be. Missing time counts as one of these, the first that fits: within the time
to replace the unit; loss that the tenant caused, where the unit would not be missing without it; relief that was
granted to the tranche; maintenance that was agreed, where the same holds; or down. Only the last is missed: the
rest is told with its reason, and who decided.

What was shed for want of power is missing, too, and nothing but relief excuses it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from forebay.core import claims, supply
from forebay.core.claims import inforce, maintenance, outages
from forebay.core.claims.clauses import healthy_nodes, service_nodes
from forebay.core.claims.service_levels import Availability, ServiceLevel, ServiceUnit
from forebay.core.ids import NodeIndex, TrancheId
from forebay.core.money.exclusions import Exclusion, standing_of
from forebay.core.placements.downtimes import CURTAILMENT, MAINTENANCE, Downtimes, Outage
from forebay.core.supply.plant import rack_of
from forebay.core.timeline import Interval
from forebay.core.units import SECOND_US

#: The cause of what the tenant did itself.
BY_TENANT = "tenant"
#: What is measured where a contract promises nothing: each node by itself.
UNPROMISED = ServiceLevel(ServiceUnit.NODE, ())


class LossKind(StrEnum):
    """As what it counts that a unit was missing: only the last is missed."""

    REPLACEMENT = "replacement"
    TENANT = "tenant"
    RELIEF = "relief"
    MAINTENANCE = "maintenance"
    DOWN = "down"


class Loss(NamedTuple):
    """A unit was missing, for one cause, counted in one way."""

    start_at: int
    end_at: int
    #: The first node of the unit.
    unit: NodeIndex
    #: As in `Outage`: of what went out first.
    cause: str
    reason: str
    counted: LossKind
    #: Why it counts so, and who decided; "" for an ordinary failure.
    decided: str


class Delivered(NamedTuple):
    """A month of a tranche, as far as it is known."""

    tranche: TrancheId
    month: Interval
    #: Until when it was measured: its end, or now.
    until_at: int
    level: ServiceLevel
    #: Unit-microseconds that were due.
    due_us: int
    losses: tuple[Loss, ...]

    def lost_us(self, counted: LossKind) -> int:
        """Unit-microseconds that count as one kind."""
        return sum(each.end_at - each.start_at for each in self.losses if each.counted is counted)

    @property
    def availability(self) -> Availability:
        """What was available of what was due: all but what counts as down."""
        return Availability(self.due_us - self.lost_us(LossKind.DOWN), self.due_us)


class UnitMonth(NamedTuple):
    """A unit over a month: since when each of its nodes was in service, and when they were out."""

    name: NodeIndex
    due: tuple[Interval, ...]
    out: tuple[Outage, ...]


def measured(
    known: Downtimes,
    claimed: claims.State,
    supplied: supply.State,
    name: TrancheId,
    month: Interval,
    at: int,
    excluded: Sequence[Exclusion] = (),
) -> Delivered:
    """What was delivered to a tranche in a month, as known `at` an instant; `excluded` is what its tenant caused."""
    tranche = claimed.tranches[name]
    plan = inforce.tranche_at(claimed, tranche, month.end - 1) or tranche.plan
    level = plan.service or UNPROMISED
    span = Interval(month.start, max(month.start, min(month.end, at)))
    spare = service_nodes(supplied, plan, level) - healthy_nodes(supplied, plan, level)
    pieces = _maintenance(known, plan, name, span)
    reliefs = [
        (Interval(each.start_at, each.granted_until_at), f"relief: {each.kind.value}, {each.reason}")
        for each in tranche.reliefs
    ]
    due_us = 0
    losses: list[Loss] = []
    for unit in units(known, supplied, level, name, span, excluded):
        due_us += sum(each.end - each.start for each in unit.due)
        if unit.out:
            losses += _losses(level, unit, spare, pieces, reliefs)
    return Delivered(name, month, span.end, level, due_us, tuple(sorted(losses)))


def units(
    known: Downtimes,
    supplied: supply.State,
    level: ServiceLevel,
    name: TrancheId,
    span: Interval,
    excluded: Sequence[Exclusion] = (),
) -> Iterator[UnitMonth]:
    """The units of a tranche that were due within a stretch of time, in order of their nodes."""
    found: dict[int, list[tuple[NodeIndex, Interval]]] = {}
    for stint in known.served.get(name, ()):
        due = Interval(max(stint.start_at, span.start), min(stint.end_at, span.end))
        if due.start >= due.end:
            continue
        for number in range(stint.first, stint.first + stint.nodes):
            node = NodeIndex(number)
            if level.unit is ServiceUnit.NODE:
                key = number
            else:
                key = rack_of(supplied, node).first_node if level.unit is ServiceUnit.RACK else -1
            found.setdefault(key, []).append((node, due))
    for _, stints in sorted(found.items()):
        yield UnitMonth(
            min(node for node, _ in stints),
            tuple(outages.missing((due for _, due in stints), 0)),
            tuple(
                sorted(
                    part
                    for node, due in stints
                    for each in _out(known, name, node, due)
                    for part in _by_whom(each, standing_of(excluded, node))
                )
            ),
        )


def _out(known: Downtimes, name: TrancheId, node: NodeIndex, due: Interval) -> Iterator[Outage]:
    """When a node of a tranche was out: not after it was of it, but since before, if it came so. And when it was well
    but its work had given up its power.
    """
    out = [each for each in known.out.get(node, ()) if each.start_at < due.end]
    yield from (each._replace(end_at=min(each.end_at, due.end)) for each in out)
    for each in known.curtailed.get((name, node), ()):
        if max(each.start_at, due.start) < min(each.end_at, due.end):
            whole = Interval(max(each.start_at, due.start), min(each.end_at, due.end))
            for part in outages.stretches_without(
                whole, (Interval(other.start_at, other.end_at) for other in out)
            ):
                yield each._replace(start_at=part.start, end_at=part.end)


def _by_whom(out: Outage, excluded: Iterable[Exclusion]) -> Iterator[Outage]:
    """The parts of an outage, with those that the tenant caused told as such; of several decisions the first."""
    left = [out]
    for each in excluded:
        rest = []
        for part in left:
            inside = part._replace(
                start_at=max(part.start_at, each.start_at), end_at=min(part.end_at, each.end_at)
            )
            if inside.start_at >= inside.end_at:
                rest.append(part)
                continue
            told = f"{each.id}: {each.reason}; decided by {each.decided_by} ({each.evidence})"
            yield inside._replace(cause=BY_TENANT, reason=told)
            around = (part._replace(end_at=inside.start_at), part._replace(start_at=inside.end_at))
            rest += [side for side in around if side.start_at < side.end_at]
        left = rest
    yield from left


def _maintenance(
    known: Downtimes, plan: claims.TranchePlan, name: TrancheId, span: Interval
) -> list[maintenance.MaintenancePiece]:
    """What of the planned work on a tranche in a month was agreed, and what was not."""
    works = []
    notices = known.notices.get(name, ())
    for stint in known.served.get(name, ()):
        for number in range(stint.first, stint.first + stint.nodes):
            for out in known.out.get(NodeIndex(number), ()):
                start, end = (
                    max(out.start_at, stint.start_at, span.start), min(out.end_at, stint.end_at, span.end),
                )  # fmt: skip
                if out.cause == MAINTENANCE and start < end:
                    told = [
                        each.at
                        for each in notices
                        if each.at <= out.start_at and each.start_at <= out.start_at
                        and any(first <= number < first + count for first, count in each.nodes)
                    ]  # fmt: skip
                    # Told before the work, and not before this part of it began.
                    noticed_at = max(told) + start - out.start_at if told else 0
                    works.append(maintenance.WorkDone(start, end, noticed_at))
    if not works:
        return []
    if plan.maintenance is None:
        return [
            maintenance.MaintenancePiece(work.start_at, work.end_at, maintenance.CountedAs.OVER_ALLOWANCE)
            for work in works
        ]
    windows = [Interval(*each) for each in known.windows.get(name, ())]
    return maintenance.split(plan.maintenance, works, windows, span)


def _losses(
    level: ServiceLevel, unit: UnitMonth, spare: int, works: Sequence[maintenance.MaintenancePiece],
    reliefs: Sequence[tuple[Interval, str]],
) -> Iterator[Loss]:  # fmt: skip
    """How each stretch counts in which a unit was missing."""
    changes = {edge for each in (*unit.due, *(relief for relief, _ in reliefs)) for edge in each}
    changes |= {edge for out in unit.out for edge in out[:2]} | {edge for work in works for edge in work[:2]}
    failures = outages.missing((Interval(each.start_at, each.end_at) for each in unit.out), spare)
    found: list[Loss] = []
    for failure in failures:
        replaced_at = min(failure.end, failure.start + level.replacement_s * SECOND_US)
        inside = {edge for edge in changes if failure.start < edge < failure.end}
        for start, end in itertools.pairwise(sorted({*inside, *failure, replaced_at})):
            if not any(due.start <= start < due.end for due in unit.due):
                continue
            here = [each for each in unit.out if each.start_at <= start < each.end_at]
            relief = next((told for when, told in reliefs if when.start <= start < when.end), "")
            first = here[0]
            counted, decided = _counted(start, replaced_at, relief, spare, here, works)
            loss = Loss(start, end, unit.name, first.cause, first.reason, counted, decided)
            if found and found[-1].end_at == start and found[-1][2:] == loss[2:]:
                loss = found.pop()._replace(end_at=end)
            found.append(loss)
    yield from found


def _counted(
    start: int, replaced_at: int, relief: str, spare: int, here: Sequence[Outage],
    works: Iterable[maintenance.MaintenancePiece],
) -> tuple[LossKind, str]:  # fmt: skip
    # Nothing is replaced where there is no power for it.
    failed_too = sum(each.cause != CURTAILMENT for each in here) > spare
    if start < replaced_at and failed_too:
        return LossKind.REPLACEMENT, "within the time to replace a unit"
    if sum(each.cause != BY_TENANT for each in here) <= spare:
        return LossKind.TENANT, next(each.reason for each in here if each.cause == BY_TENANT)
    if relief:
        return LossKind.RELIEF, relief
    failed = sum(each.cause not in (MAINTENANCE, BY_TENANT) for each in here)
    if failed > spare:
        return LossKind.DOWN, ""
    # Work on a node that was not its own when it began was never told.
    never = maintenance.CountedAs.LATE_NOTICE
    counted = next((each.counted for each in works if each.start_at <= start < each.end_at), never)
    if counted is maintenance.CountedAs.ALLOWED:
        return LossKind.MAINTENANCE, "agreed: told in time, within the windows and the hours of the month"
    return LossKind.DOWN, f"maintenance that was not agreed: {counted.value}"
