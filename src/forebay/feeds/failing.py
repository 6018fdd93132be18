"""What may a policy document say of what fails?"""

from __future__ import annotations

import msgspec

from forebay.core.claims.terms import SpareScope
from forebay.core.placements import failing
from forebay.feeds import forms


class FailingEntry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What is done about what fails. What is left out is off."""

    #: Checks that a repaired node has to pass before it may have work.
    checks: list[forms.Name] = []
    #: A node that failed so often within the window is quarantined until somebody releases it.
    lemon_failures: forms.FewOrNone = 0
    #: The window.
    lemon_window: forms.Seconds = 604_800
    #: How long the hosts of a gang that lost a node, and spares for what it lost, are kept for it.
    hold: forms.Seconds = 0
    #: From how far a spare may come, where a tranche does not say another.
    spare: SpareScope = SpareScope.SITE
    #: A gang that reported progress once and reports none for so long is flagged as stuck.
    stuck: forms.Seconds = 0
    #: Whether it is stopped then, and started again.
    stuck_restarts: bool = False
    #: An engine that is not heard of for so long counts as silent.
    engine_silent: forms.Seconds = 0
    #: Runs end by themselves where their engine got no answer for so long, and start again once that is sure.
    engine_fence: forms.Seconds = 0


def failing_of(entry: FailingEntry) -> failing.Failing:
    """What it says, as it is recorded."""
    return failing.Failing(
        tuple(entry.checks), entry.lemon_failures, entry.lemon_window, entry.hold, entry.spare, entry.stuck,
        entry.stuck_restarts, entry.engine_silent, entry.engine_fence,
    )  # fmt: skip
