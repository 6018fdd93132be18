"""Why does a gang wait though there is room, and from when does it count? In words, for its own tenant to read.

A cap, a budget, a class and a step are among one tenant's gangs: what is told names nobody else's.
"""

from __future__ import annotations

from typing import NamedTuple

from forebay.core import timeline
from forebay.core.placements import schedule
from forebay.core.placements.caps import Barred
from forebay.core.placements.commons import commons_facts
from forebay.core.placements.ends import free_at
from forebay.core.placements.gang import Gang, Phase
from forebay.core.placements.projects import Node, nodes_of
from forebay.core.placements.queue import most_gpus
from forebay.core.placements.sharing import STEPS, Turns, share_standing, step_of
from forebay.core.units import HOUR_US, SECOND_US, counted

#: Most gangs that are named in one sentence.
NAMED_MAX = 8


class Withheld(NamedTuple):
    """What holds a gang back: (code, level, have, need), a sentence, further ones, and until when at the latest."""

    constraint: tuple[str, str, int, int]
    summary: str
    facts: list[str]
    expected: int | None


def tell(desk: schedule.Desk, gang: Gang, barred: Barred) -> Withheld:
    """What holds a gang back that waits."""
    if barred.spent is not None:
        return _budget_spent(desk, gang, barred)
    node, need = barred.node, most_gpus(gang.spec)
    assert node is not None, "a budget or a cap"
    name = f"{node.user} in project {node.project}" if node.user else f"project {node.project}"
    level = f"{node.project}/{node.user}" if node.user else node.project
    have = barred.most - barred.left
    held = f"{name} holds {have} of the {counted(barred.most, 'GPU')} that it may hold at once"
    holders = [
        other
        for other in schedule.holding(desk)
        if other.phase is not Phase.PENDING and other.phase is not Phase.ENDED and _counts(desk, other, node)
    ]
    facts = []
    if holders:
        named = [f"{other.spec.id} ({other.spec.gpus})" for other in holders[:NAMED_MAX]]
        facts.append(f"They are held by {', '.join(named)}{' ...' if len(holders) > NAMED_MAX else ''}.")
    if barred.behind:
        first = _first_behind(desk, gang, barred, node)
        before = most_gpus(first.spec)
        summary = f"Cap: {first.spec.id} comes before it and needs {counted(before, 'GPU')}; {held}."
        expected = _room_at(desk, holders, before - barred.left)
    else:
        summary = f"Cap: {counted(need, 'GPU')} {'is' if need == 1 else 'are'} needed; {held}."
        expected = _room_at(desk, holders, need - barred.left)
    if need > gang.spec.gpus:
        facts.append("Caps count the most that it takes of any kind of rack.")
    if barred.most < need:
        facts.append("It may never start unless that is raised: it is more than the whole of it.")
        expected = None
    return Withheld(("cap", level, barred.left, need), summary, facts, expected)


def _budget_spent(desk: schedule.Desk, gang: Gang, barred: Barred) -> Withheld:
    project = barred.spent
    assert project is not None
    assert project.budget is not None
    until_at = desk.state.sharing.spent[gang.spec.tenant, project.id]
    have_h = project.budget.gpu_s * SECOND_US // HOUR_US
    until = timeline.text(until_at)
    used = f"project {project.id} has used the {have_h} GPU-hours of its period"
    summary = f"Budget: {used}; the next begins at {until}."
    return Withheld(("budget", project.id, 0, have_h), summary, [], until_at)


def _counts(desk: schedule.Desk, gang: Gang, node: Node) -> bool:
    spec = gang.spec
    if spec.tenant != node.tenant or not spec.project:
        return False
    return node in nodes_of(desk.derived.held.divisions[spec.tenant], spec)


def _first_behind(desk: schedule.Desk, gang: Gang, barred: Barred, node: Node) -> Gang:
    """Who is held back by the same cap, and comes before it."""
    known, queue = desk.state.gangs, desk.derived.queue
    held = (
        other
        for other in known.values()
        if other.phase is Phase.PENDING
        and barred.left < most_gpus(other.spec) <= barred.most
        and not other.not_before > desk.at
        and _counts(desk, other, node)
    )
    return min(held, key=queue.place, default=gang)


def _room_at(desk: schedule.Desk, holders: list[Gang], need: int) -> int | None:
    """When so many more GPUs are free under a cap at the latest."""
    policy = desk.state.policy
    for other in sorted(holders, key=lambda other: free_at(other, policy)):
        need -= other.spec.gpus
        if need <= 0:
            return max(desk.at, free_at(other, policy))
    return None


def taken_facts(desk: schedule.Desk, gang: Gang) -> list[str]:
    """For whom a gang was stopped."""
    taker = desk.state.sharing.taken.get(gang.spec.id)
    return [] if taker is None else [f"Its place was taken by {taker}, of a higher class."]


def turn_facts(desk: schedule.Desk, gang: Gang) -> list[str]:
    """From when a gang of a project counts, and why."""
    spec, sharing = gang.spec, desk.state.sharing
    if not spec.project:
        return commons_facts(desk, gang)
    leaving = [
        other.spec.id
        for other in schedule.holding(desk)
        if sharing.taken.get(other.spec.id) == spec.id and other.phase is Phase.STOPPING
    ]
    division = desk.derived.held.divisions[spec.tenant]
    mine = division.priority_of(spec.priority)
    facts = taken_facts(desk, gang) + commons_facts(desk, gang)
    if leaving and mine is not None:
        names = ", ".join(leaving[:NAMED_MAX])
        facts.append(
            f"It takes the place of {names}, for priority {mine.name} may: it starts once they have left."
        )
    if mine is not None and mine.behind_s:
        facts.append(f"Priority {mine.name} counts as submitted {mine.behind_s} s later.")
    step = step_of(sharing, division, spec)
    if step:
        user = spec.user if division.users_of(spec.project) else ""
        node = Node(spec.tenant, spec.project, type(spec.user)(user))
        used, fair = share_standing(sharing.accounts, division, node)
        name = f"{user} in project {spec.project}" if user else f"Project {spec.project}"
        age_s = desk.state.policy.age_s
        share = f"{100 * used // fair} % of its share" if fair else "more than its share"
        facts.append(
            f"{name} has used {share}, step {step} of {STEPS}: it counts as submitted {step * age_s} s later."
        )
    turns = Turns(sharing, desk.derived.held.divisions, desk.state.policy, desk.state.commons)
    behind_us = turns.behind_us(spec)
    if behind_us and not gang.front:
        facts.append(f"So it counts from {timeline.text(gang.submitted_at + behind_us)}.")
    return facts
