"""What may a policy document say of how tenants share?"""

from __future__ import annotations

import msgspec

from forebay.core.ids import TenantId
from forebay.core.placements import among
from forebay.feeds import forms


class AmongEntry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Fair share among tenants, on demand and on spot."""

    #: How long until half of what a tenant used is forgotten; left out for no fair share.
    half_life: forms.Seconds = 0
    #: How often use is weighed.
    weigh: forms.Seconds = 3600
    #: How much waiting makes up for one step of use.
    age: forms.Seconds = 3600
    #: Tenants that are to have more than one share, and how many.
    shares: dict[forms.Name, forms.Many] = {}


def among_of(entry: AmongEntry) -> among.AmongTenants:
    """What it says, as it is recorded: tenants by name."""
    shares = tuple(among.TenantShare(TenantId(name), entry.shares[name]) for name in sorted(entry.shares))
    return among.AmongTenants(entry.half_life, entry.weigh, entry.age, shares)
