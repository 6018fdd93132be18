from __future__ import annotations

import pytest

from forebay.core import ids
from forebay.core.ids import Principal, Refusal, Role
from tests.core.plant import OPERATOR, tenant


@pytest.mark.parametrize("name", ["a", "r01-n03", "A.b_c-9", "9" * 80])
def test_names_that_may_be_ids(name: str) -> None:
    assert ids.valid_name(name)
    assert ids.refuse_name(name, "id") is None


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a/b", "a..b", "ä", "a\n", "9" * 81])
def test_names_that_may_not(name: str) -> None:
    assert not ids.valid_name(name)
    refusal = ids.refuse_name(name, "plan.id")
    assert refusal is not None
    assert (refusal.code, refusal.field) == ("bad_id", "plan.id")


@pytest.mark.parametrize(
    ("tenant_detail", "principal", "told"),
    [
        ("for all", tenant("acme"), "for all"),
        ("for all", OPERATOR, "names others"),
        ("for all", Principal("f", Role.FINANCE), "names others"),
        ("", tenant("acme"), "names others"),
    ],
)
def test_a_tenant_is_told_its_own_sentence(tenant_detail: str, principal: Principal, told: str) -> None:
    assert Refusal("code", "names others", "", tenant_detail).told_to(principal) == told
