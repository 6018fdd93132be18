"""By when does a gang have to start, and what if it does not?

A deadline is about starting: it withdraws who still waits, and never stops what runs. Nobody goes first for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from forebay.core import timeline
from forebay.core.ids import Refusal
from forebay.core.placements.estimates import taken_s
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import SECOND_US

if TYPE_CHECKING:
    from forebay.core.placements.gang import Gang, Spec

#: Why a gang leaves the queue that did not start in time.
DEADLINE_PASSED = "deadline_passed"


def refuse_deadlines(spec: Spec, at: int) -> Refusal | None:
    """bad_quantity, deadline_passed."""
    for name, value in (("start_by", spec.start_by), ("finish_by", spec.finish_by)):
        if not 0 <= value <= INSTANT_MAX:
            return Refusal("bad_quantity", f"{name} is {value}; an instant is meant, or 0 for none", name)
    if 0 < spec.start_by <= at:
        told = f"it is to start before {timeline.text(spec.start_by)}, which has passed"
        return Refusal(DEADLINE_PASSED, told, "start_by")
    if spec.finish_by and spec.finish_by - taken_s(spec) * SECOND_US <= at:
        told = (
            f"it {'is taken to' if spec.estimate_s else 'may'} run for {taken_s(spec)} s and is to finish by"
            f" {timeline.text(spec.finish_by)}: it would have"
            f" had to start before {timeline.text(spec.finish_by - taken_s(spec) * SECOND_US)}"
        )
        return Refusal(DEADLINE_PASSED, told, "finish_by")
    return None


def start_before(gang: Gang) -> int:
    """When a gang that still waits is withdrawn; 0 for never.

    At `start_by`, or when its whole limit of time (or its estimate, where it asked for no limit) does not fit before
    `finish_by` any more. One that has run before may need less: it waits until `finish_by`.
    """
    spec = gang.spec
    if gang.generation > gang.generation_before:
        return spec.finish_by
    latest = spec.finish_by - taken_s(spec) * SECOND_US if spec.finish_by else 0
    return min(spec.start_by, latest) if spec.start_by and latest else spec.start_by or latest


def slack_s(gang: Gang, expected: int | None) -> int | None:
    """Seconds between the start that is expected and the last instant that does; None where either is not known."""
    before = start_before(gang)
    return None if expected is None or not before else (before - expected) // SECOND_US


def fact(gang: Gang, expected: int | None) -> str:
    """The deadline of a gang that waits, in words."""
    before, slack = start_before(gang), slack_s(gang, expected)
    told = f"It is withdrawn if it has not started by {timeline.text(before)}"
    if slack is None:
        return f"{told}; no start is known."
    return f"{told}: {abs(slack)} s {'after' if slack >= 0 else 'before'} its expected start."
