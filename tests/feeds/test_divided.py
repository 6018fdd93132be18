"""Projects and priorities as a document writes them."""

from __future__ import annotations

from forebay.core.placements.projects import ApplyProjects, Budget, Spent
from tests.feeds.test_commands import wanted

TEXT = """\
forebay: 1
kind: Projects
tenant: acme
version: 3
zone: Europe/Helsinki
priorities: [{name: high, preempts: true}, {name: low, behind: 1d}]
projects:
  - {id: lab, gpus: 64, gpus_per_user: 16, gang_gpus: 32, walltime: 2d, tiers: [spot], priorities: [low]}
  - {id: sub, parent: lab, shares: 7, users: [{id: u1}], budget: {gpu_hours: 5, every: 30d, begins: 2026-01-01}}
"""


def test_a_document_of_projects() -> None:
    want = wanted(TEXT)
    assert want.about == "acme"
    assert isinstance(want.command, ApplyProjects)
    plan = want.command.plan
    lab, sub = plan.projects
    assert (lab.gpus_max, lab.user_gpus_max, lab.gang_gpus_max, lab.walltime_s_max) == (64, 16, 32, 172_800)
    assert (lab.tiers, lab.priorities, lab.budget) == (("spot",), ("low",), None)
    assert (sub.parent, sub.shares, sub.users[0].id, sub.users[0].shares) == ("lab", 7, "u1", 1)
    # Midnight in Helsinki.
    assert sub.budget == Budget(5 * 3600, 30 * 86_400, 1_767_218_400_000_000, Spent.WAIT)
    assert [(each.name, each.behind_s, each.preempts) for each in plan.priorities] == [
        ("high", 0, True), ("low", 86_400, False),
    ]  # fmt: skip
