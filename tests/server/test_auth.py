"""Tokens: only digests are kept, changes take effect at once, and a file that others may read is not trusted."""

import json
from pathlib import Path

import pytest

from forebay.core import ids
from forebay.server import auth


def test_a_token_is_known_by_its_digest_only(tmp_path: Path) -> None:
    tokens = auth.Tokens(tmp_path)
    made, plain = tokens.add(ids.Role.TENANT, "a1", "acme")
    assert tokens.principal(plain) == ids.Principal("a1", ids.Role.TENANT, ids.TenantId("acme"))
    for wrong in (plain[:-1], plain + "x", "", made.sha256, "\udcff", "é"):
        assert tokens.principal(wrong) is None
    path = tmp_path / "tokens.json"
    assert plain not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".new")] == []


def test_what_another_process_changes_takes_effect_at_once(tmp_path: Path) -> None:
    here, there = auth.Tokens(tmp_path), auth.Tokens(tmp_path)
    assert here.known() == ()
    made, plain = there.add(ids.Role.FINANCE, "f1")
    assert here.principal(plain) is not None
    other, _ = there.add(ids.Role.OPERATOR, "o1")
    assert there.revoke(made.id) == made
    assert here.principal(plain) is None
    assert here.known() == (other,)
    with pytest.raises(auth.AuthError, match="there is no token"):
        here.revoke(made.id)


def test_the_operators_own_token_is_made_once(tmp_path: Path) -> None:
    tokens = auth.Tokens(tmp_path)
    path = tokens.first_operator()
    assert path.stat().st_mode & 0o777 == 0o600
    plain = path.read_text().strip()
    principal = tokens.principal(plain)
    assert principal is not None
    assert principal.role is ids.Role.OPERATOR
    assert tokens.first_operator().read_text().strip() == plain
    assert len(tokens.known()) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_not_trusted(mode: int, tmp_path: Path) -> None:
    tokens = auth.Tokens(tmp_path)
    _, plain = tokens.add(ids.Role.OPERATOR, "o1")
    assert tokens.principal(plain) is not None
    (tmp_path / "tokens.json").chmod(mode)
    with pytest.raises(auth.AuthError, match="can be read by others"):
        tokens.principal(plain)


#: what stands in the file
DAMAGED = [
    "", "{", "[]", '{"format": 2, "tokens": []}', '{"tokens": [{}]}', '{"tokens": [], "more": 1}',
    json.dumps({"tokens": [{"id": "a", "sha256": "b", "actor": "c", "role": "edge"}]}),
    json.dumps({"tokens": [{"id": "a", "sha256": "b", "actor": "c", "role": "root"}]}),
]  # fmt: skip


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_file_lets_nobody_in(text: str, tmp_path: Path) -> None:
    auth.write_private(tmp_path / "tokens.json", text.encode())
    with pytest.raises(auth.AuthError):
        auth.Tokens(tmp_path).principal("x")


#: role, actor, tenant, words
REFUSED = [
    (ids.Role.EDGE, "e", "", "cannot have the role"),
    (ids.Role.CLOCK, "c", "", "cannot have the role"),
    (ids.Role.TENANT, "a", "", "names its tenant"),
    (ids.Role.OPERATOR, "a", "acme", "names its tenant"),
    (ids.Role.OPERATOR, "", "", None),
    (ids.Role.OPERATOR, "Jane Doe", "", "is not a name"),
    (ids.Role.TENANT, "a", "../b", "is not a name"),
    (ids.Role.TENANT, "a", "acme.train", "no '.' may stand"),
]


@pytest.mark.parametrize(("role", "actor", "tenant", "words"), REFUSED)
def test_tokens_that_cannot_be_made(
    role: ids.Role, actor: str, tenant: str, words: str | None, tmp_path: Path
) -> None:
    with pytest.raises(auth.AuthError, match=words or "is not a name"):
        auth.Tokens(tmp_path).add(role, actor, tenant)


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer x", "x"), ("bearer  x ", "x"), ("Basic x", ""), ("", ""), ("Bearer", ""), ("x", "")],
)
def test_where_the_token_stands(header: str, token: str) -> None:
    assert auth.bearer(header) == token
