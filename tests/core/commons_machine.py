"""The rule machine where tenants are to have fair shares of what they share, or are not any more."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from forebay.core import ids
from forebay.core.placements.among import AmongTenants, TenantShare
from tests.core.divided_machine import DividedMachine
from tests.core.machine import TENANTS


class CommonsMachine(DividedMachine):
    """The same with fair share among tenants, beside that among projects."""

    @rule(
        half_life_s=st.sampled_from([0, 600, 7200]),
        age_s=st.sampled_from([0, 60, 3600]),
        of=st.sampled_from(TENANTS),
        shares=st.sampled_from([1, 5]),
    )
    def share_alike(self, half_life_s: int, age_s: int, of: str, shares: int) -> None:
        weights = (TenantShare(ids.TenantId(of), shares),)
        self.driver.policy(among=AmongTenants(half_life_s, 600, age_s, weights))
