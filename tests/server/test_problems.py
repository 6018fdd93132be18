"""Every reason for which the World refuses has its status, its exit status, and a title."""

import ast
from pathlib import Path

import pytest

from forebay.cli import failure
from forebay.core import ids
from forebay.server import problems

CORE = Path(problems.__file__).parents[1] / "core"


def codes() -> set[str]:
    """The codes that stand in the core."""
    found: set[str] = set()
    for path in CORE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refusal":
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    found.add(str(first.value))
    return found


def test_every_code_of_the_core_has_a_status() -> None:
    assert len(codes()) > 60
    assert codes() - set(problems.STATUS_OF_REFUSAL) == set()


@pytest.mark.parametrize("code", sorted(problems.STATUS_OF_REFUSAL))
def test_every_code_has_an_exit_status_that_fits(code: str) -> None:
    told = problems.STATUS_OF_REFUSAL[code]
    outcome = failure.status_of_refusal(code, told)
    sets = (failure._INFEASIBLE, failure._CONFLICT, failure._MISTAKE)
    assert sum(code in each for each in sets) == (0 if code == "forbidden" else 1)
    if outcome is failure.Status.FAILED:
        assert told in (404, 422)
    if outcome is failure.Status.CONFLICT and code != "key_reused":
        assert told == 409


def test_a_tenant_is_told_what_it_may_read() -> None:
    refusal = ids.Refusal("first_refusal", "birch comes first", "hold", "somebody comes first")
    tenant = ids.Principal("a", ids.Role.TENANT, ids.TenantId("acme"))
    assert problems.refused(refusal, tenant).detail == "somebody comes first"
    told = problems.refused(refusal, ids.Principal("o", ids.Role.OPERATOR))
    assert (told.status, told.errors) == (409, [{"pointer": "/hold", "detail": "birch comes first"}])
    assert problems.title("first_refusal", 409) == "Somebody else comes first"
    assert problems.title("too_late", 409) == "Too late"
