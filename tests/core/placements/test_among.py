"""What a policy says of how tenants stand: `test_commons` has the rows that are refused."""

from __future__ import annotations

from forebay.core import ids
from forebay.core.placements.among import SHARES_MAX, AmongTenants, TenantShare, refuse_among


def test_what_makes_sense_is_not_refused() -> None:
    most = TenantShare(ids.TenantId("a"), SHARES_MAX)
    assert refuse_among(AmongTenants()) is None
    assert refuse_among(AmongTenants(1024 * 60, 60, 0, (most,))) is None
