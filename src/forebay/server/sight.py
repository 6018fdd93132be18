"""Whose things may a principal see? The one rule that every view asks; the default is no."""

from __future__ import annotations

from forebay.core.ids import Principal, Role


def owns(principal: Principal, tenant: str) -> bool:
    """Whether what belongs to this tenant is visible: to operators, finance, and the tenant itself."""
    if principal.role in (Role.OPERATOR, Role.FINANCE):
        return True
    return principal.role is Role.TENANT and bool(tenant) and principal.tenant == tenant
