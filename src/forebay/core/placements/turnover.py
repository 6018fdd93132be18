"""How long does it take until nodes that a gang leaves may have somebody else's work? Part by part, by the policy.

A borrower that is called back has its grace; then its nodes are wiped and checked, and then their owner's load ramps
up. All of it has to fit in the reclaim deadline, or the loan is not made.
"""

from __future__ import annotations

from typing import NamedTuple

from forebay.core.placements.gang import Gang, Policy, Spec, Tier
from forebay.core.units import SECOND_US


class Away(NamedTuple):
    """From the call until the owner has its nodes at work, part by part, seconds."""

    grace_s: int
    turnover_s: int
    scrub_s: int
    check_s: int
    ramp_s: int

    @property
    def total_s(self) -> int:
        """All of it."""
        return sum(self)

    def told(self) -> str:
        """In words, without what takes no time: the longest part first."""
        words = ("grace", "wiping and checking", "wiping", "checking", "power ramp")
        parts = sorted(zip(self, words, strict=True), key=lambda part: -part[0])
        return ", ".join(f"{word} {seconds} s" for seconds, word in parts if seconds)


def away(spec: Spec, policy: Policy) -> Away:
    """How long a gang would be in the way of whoever lends to it."""
    return Away(spec.grace_s, policy.turnover_s, policy.scrub_s, policy.check_s, policy.reclaim_ramp_s)


def wipe_s(policy: Policy) -> int:
    """To wipe and check nodes between two tenants."""
    return policy.turnover_s + policy.scrub_s + policy.check_s


def wiped_for_s(policy: Policy, spec: Spec, lender: str) -> int:
    """For how long nodes that a gang leaves are wiped and checked: lent ones always, the pool's by the policy."""
    if lender or (policy.scrub_pool and spec.tier is not Tier.DEDICATED):
        return wipe_s(policy)
    return 0


def returns_at(policy: Policy, gang: Gang, at: int) -> int:
    """Until when the nodes that a gang leaves at `at` are wiped and checked; 0 where they are not."""
    seconds = wiped_for_s(policy, gang.spec, gang.lender)
    return at + seconds * SECOND_US if seconds else 0
