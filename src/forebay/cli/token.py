"""`forebay token`: who may ask. Works on the state folder; a server notices at once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import click

from forebay.cli import command, paper, places, session
from forebay.cli.failure import Failed, Status
from forebay.core import ids
from forebay.server import auth

EXAMPLES = """
    forebay token create --role tenant --tenant acme -o acme.token
    forebay token list
    forebay token revoke 4f1c22ab
"""


@command.group("token", examples=EXAMPLES)
def token_group() -> None:
    """Create, list and revoke tokens.

    Only a digest of each token is kept: it can be shown once, when it is made.
    """


@contextlib.contextmanager
def _tokens() -> Iterator[auth.Tokens]:
    folder = places.local_state(session.current())
    try:
        yield auth.Tokens(folder)
    except auth.AuthError as error:
        raise Failed(str(error), code="token") from None


@token_group.command("create", examples=EXAMPLES.strip().splitlines()[0])
@click.option(
    "--role", required=True, type=click.Choice([str(role) for role in auth.ROLES]), help="What it may do."
)
@click.option("--tenant", default="", metavar="NAME", help="Whose it is, for the role tenant.")
@click.option(
    "--name", default="", metavar="NAME", help="An opaque name for who bears it (never a person's)."
)
@click.option(
    "-o", "--out", default="", metavar="FILE", help="Write it there (mode 0600) instead of printing it."
)
def _create(role: str, tenant: str, name: str, out: str) -> None:
    """Make a token, and show it once."""
    said = session.current()
    if (role == ids.Role.TENANT) is not bool(tenant):
        raise Failed(
            "the role tenant goes with --tenant NAME, and no other role does", Status.USAGE, code="usage"
        )
    handle = _private(Path(out)) if out else -1
    with _tokens() as tokens:
        made, plain = tokens.add(ids.Role(role), name or tenant or role, tenant)
    if out:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(plain + "\n")
    if said.json:
        body = {"id": made.id, "role": role, "tenant": tenant, "actor": made.actor}
        said.emit("token.created", body | ({"file": out} if out else {"token": plain}))
        return
    if not out:
        click.echo(plain)
    said.say(f"token {made.id} is made" + (f" and written to {out}" if out else "; it cannot be shown again"))


def _private(path: Path) -> int:
    """Open a new file that nobody else can read; one that is there stays as it is."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise Failed(
            f"{path} exists already: name another file", Status.CONFLICT, code="file_exists"
        ) from None


@token_group.command("list", examples="forebay token list\nforebay token list --json")
def _list() -> None:
    """List tokens: who bears them, never what they are."""
    said = session.current()
    with _tokens() as tokens:
        known = tokens.known()
    if said.json:
        items = [{"id": t.id, "role": str(t.role), "tenant": t.tenant, "actor": t.actor} for t in known]
        said.emit("token.list", {"items": items})
        return
    rows = [(each.id, str(each.role), each.tenant, each.actor) for each in known]
    click.echo(paper.table(("TOKEN", "ROLE", "TENANT", "NAME"), rows, color=said.colors()))


@token_group.command("revoke", examples="forebay token revoke 4f1c22ab")
@click.argument("token")
def _revoke(token: str) -> None:
    """Take a token away; its bearer is refused at once."""
    said = session.current()
    with _tokens() as tokens:
        gone = tokens.revoke(token)
    if said.json:
        said.emit("token.revoked", {"id": gone.id, "role": str(gone.role), "tenant": gone.tenant})
    else:
        said.say(f"token {gone.id} ({gone.role}{f', {gone.tenant}' if gone.tenant else ''}) is revoked")
