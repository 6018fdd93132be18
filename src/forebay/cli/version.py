"""`forebay version`: this program's version, and its server's when one is found."""

from __future__ import annotations

import platform
from typing import Any

import click

from forebay import __version__
from forebay.cli import client, command, session
from forebay.cli.failure import Failed


@command.command("version", examples="forebay version\nforebay version --json")
def version_command() -> None:
    """Print the version of this program and of its server."""
    said = session.current()
    body: dict[str, Any] = {"version": __version__, "python": platform.python_version(), "server": None}
    try:
        found = client.connect(said)
        body["server"] = {"address": found.address, "version": str(found.get("/v1/version")["version"])}
    except Failed:
        pass  # no server is no reason to fail here
    if said.json:
        said.emit("version", body)
        return
    click.echo(f"forebay {__version__} (Python {body['python']})")
    if body["server"]:
        click.echo(f"server  {body['server']['version']} at {body['server']['address']}")
