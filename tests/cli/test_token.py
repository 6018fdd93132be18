"""Tokens are made, listed and revoked in the state folder; what they are is shown once."""

import stat

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.rig import Shell, write_journal


def test_a_token_from_its_making_to_its_end(shell: Shell) -> None:
    folder = write_journal(shell.worlds / "lab").parent
    made = shell("token", "create", "--role", "tenant", "--tenant", "acme", "--json").json
    validate(made, outputs.OUTPUTS["token.created"])
    listed = shell("token", "list", "--json").json
    validate(listed, outputs.OUTPUTS["token.list"])
    assert listed["items"] == [{"id": made["id"], "role": "tenant", "tenant": "acme", "actor": "acme"}]
    assert made["token"] not in (folder / "tokens.json").read_text()
    assert "acme" in shell("token", "list").out
    gone = shell("token", "revoke", made["id"], "--json").json
    validate(gone, outputs.OUTPUTS["token.revoked"])
    assert shell("token", "list", "--json").json["items"] == []
    assert shell("token", "revoke", made["id"]).status == 1


def test_a_token_in_a_file(shell: Shell) -> None:
    write_journal(shell.worlds / "lab")
    path = shell.home / "ops.token"
    ran = shell("token", "create", "--role", "operator", "-o", str(path))
    assert (ran.status, ran.out) == (0, "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith("forebay_")
    again = shell("token", "create", "--role", "operator", "-o", str(path))
    assert again.status == 4
    assert len(shell("token", "list", "--json").json["items"]) == 1


def test_a_token_is_not_asked_for_where_none_is_read(shell: Shell) -> None:
    write_journal(shell.worlds / "lab")
    (shell.home / "x.token").write_text("forebay_x")
    ran = shell("token", "list", "--token-file", "x.token")
    assert (ran.status, ran.out) == (2, "")
    assert "reads the state folder itself: --token-file would change nothing" in ran.err


def test_a_tenant_is_named_for_tenants_only(shell: Shell) -> None:
    write_journal(shell.worlds / "lab")
    assert shell("token", "create", "--role", "tenant").status == 2
    assert shell("token", "create", "--role", "operator", "--tenant", "acme").status == 2
