"""`forebay schema`: what may stand in a document, for editors and for people."""

from __future__ import annotations

import json

import click

from forebay.cli import command, session
from forebay.cli.failure import Failed, Status

EXAMPLES = """
    forebay schema                                       the kinds of document
    forebay schema Gang > gang.schema.json               the JSON Schema of one
    forebay schema any > forebay.schema.json             one for files that may hold any kind
"""
#: Stands for every kind.
ANY = "any"


@command.command("schema", examples=EXAMPLES)
@click.argument("kind", required=False, default="")
def schema_command(kind: str) -> None:
    """Print the JSON Schema of a kind of document.

    Without a kind: which kinds there are. The output for a kind is the schema itself, with or without --json; the one
    for `any` holds for a document of whatever kind.
    """
    from forebay.feeds import kinds, schemas

    said = session.current()
    names = {name.lower(): name for name in kinds.KINDS}
    if kind.lower() == ANY:
        click.echo(json.dumps(schemas.any_kind(), indent=2, ensure_ascii=False))
    elif kind:
        name = names.get(kind.lower())
        if name is None:
            known = ", ".join([*kinds.KINDS, ANY])
            raise Failed(
                f"{kind!r} is not a kind of document", Status.USAGE, hint=f"Known are {known}.", code="usage"
            )
        click.echo(json.dumps(schemas.schema(name), indent=2, ensure_ascii=False))
    elif said.json:
        said.emit("schema", {"kinds": list(kinds.KINDS), "any": schemas.any_kind()})
    else:
        for each in kinds.KINDS.values():
            first = (each.__doc__ or "").strip().splitlines()[0]
            click.echo(f"{each.__name__.removesuffix('Document'):<10}  {first}")
        click.echo(f"{ANY:<10}  One schema for a document of any of these kinds.")
