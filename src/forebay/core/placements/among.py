"""How do tenants stand to each other in the lanes that they share? What a policy says of it; off until it does."""

from __future__ import annotations

from dataclasses import dataclass

from forebay.core.ids import Refusal, TenantId

#: Tenants that a policy may name, and the most that each may weigh.
TENANTS_MAX = 10_000
SHARES_MAX = 1_000_000
_YEAR_S = 366 * 24 * 3600
#: Most instants of weighing in a half-life.
_HALVES_MAX = 1024


@dataclass(slots=True)
class TenantShare:
    """A tenant that is to have so many times what one has that is not named."""

    tenant: TenantId
    shares: int


@dataclass(slots=True)
class AmongTenants:
    """Who of all tenants had less goes first, on demand and on spot (docs/reference/tenants.md)."""

    #: How fast use is forgotten: half of it in so many seconds; 0 for no fair share among tenants.
    half_life_s: int = 0
    #: Between two instants at which use is weighed, seconds: `half_life_s` is a multiple of it.
    weigh_s: int = 3600
    #: Seconds of waiting that make up for one step of use.
    age_s: int = 3600
    #: Who has more than one share.
    shares: tuple[TenantShare, ...] = ()


def refuse_among(among: AmongTenants) -> Refusal | None:
    """What a policy may not say of tenants: bad_quantity, duplicate_id."""
    for name, value, least in (("weigh_s", among.weigh_s, 60), ("age_s", among.age_s, 0)):
        if not least <= value <= _YEAR_S:
            told = f"{name} is {value}; from {least} to {_YEAR_S} is meant"
            return Refusal("bad_quantity", told, "policy.among")
    if among.half_life_s % among.weigh_s or not 0 <= among.half_life_s <= _HALVES_MAX * among.weigh_s:
        told = (
            f"half_life_s is {among.half_life_s}; 0, or up to {_HALVES_MAX} times weigh_s ({among.weigh_s}) and a"
            " multiple of it, is meant"
        )
        return Refusal("bad_quantity", told, "policy.among")
    if len(among.shares) > TENANTS_MAX:
        return Refusal("bad_quantity", f"at most {TENANTS_MAX} tenants are meant", "policy.among")
    for each in among.shares:
        if not 1 <= each.shares <= SHARES_MAX:
            told = f"shares of {each.tenant} are {each.shares}; from 1 to {SHARES_MAX} are meant"
            return Refusal("bad_quantity", told, "policy.among")
    if len({each.tenant for each in among.shares}) < len(among.shares):
        return Refusal("duplicate_id", "a tenant is named twice", "policy.among")
    return None
