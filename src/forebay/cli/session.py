"""What was said on the command line that holds for every command: where the server is, and how to print.

Global options stand before or after the command's name. They are options of every command, kept in one `Session`.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

import click

from forebay.cli.failure import Failed


@dataclass(slots=True)
class Session:
    """The global options of one run of `forebay`."""

    #: Folder of one world's state; "" to look for it.
    state: str = ""
    #: Address of a server; "" to look for one.
    server: str = ""
    token_file: str = ""
    json: bool = False
    no_color: bool = False
    quiet: bool = False
    no_input: bool = False

    def emit(self, schema: str, body: dict[str, Any]) -> None:
        """Print one JSON document that names its schema."""
        import json

        click.echo(json.dumps({"schema": f"forebay.{schema}/1", **body}, indent=2, ensure_ascii=False))

    def emit_line(self, schema: str, body: dict[str, Any]) -> None:
        """Print one line of a stream of JSON documents."""
        import json

        click.echo(json.dumps({"schema": f"forebay.{schema}/1", **body}, ensure_ascii=False))

    def say(self, text: str) -> None:
        """A message for people, to stderr; none with -q."""
        if not self.quiet:
            click.echo(text, err=True)

    def warn(self, text: str) -> None:
        """A message that -q does not silence."""
        click.echo(text, err=True)

    def fail(self, failure: Failed) -> None:
        """Print why the command could not do its work."""
        if self.json:
            import json

            told: dict[str, Any] = {
                "schema": "forebay.error/1",
                "code": failure.code,
                "message": failure.message,
            }
            told |= {"hint": failure.hint, "errors": failure.errors}
            if "offers" in failure.body:
                told["offers"] = failure.body["offers"]
            click.echo(json.dumps(told, ensure_ascii=False), err=True)
        else:
            for line in failure.lines():
                click.echo(line, err=True)

    def colors(self) -> bool:
        """Whether stdout may be coloured."""
        if self.no_color or self.json or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            return False
        return sys.stdout.isatty()

    def progress_shown(self) -> bool:
        """Whether a progress bar makes sense: stderr is a terminal and nobody asked for quiet."""
        return not self.quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def may_ask(self) -> bool:
        """Whether somebody is there who could answer a question."""
        return not self.no_input and sys.stdin.isatty()


def current() -> Session:
    """The session of the command that runs."""
    return of(click.get_current_context())


def of(context: click.Context) -> Session:
    """The session that a context belongs to."""
    root = context.find_root()
    if not isinstance(root.obj, Session):
        root.obj = Session()
    return root.obj


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Keep what was said; a default never replaces it."""
    if value not in (None, False, ""):
        setattr(of(context), str(parameter.name), value)


def global_options() -> list[click.Option]:
    """The options that every command takes."""

    def flag(*names: str, told: str) -> click.Option:
        return click.Option(names, is_flag=True, expose_value=False, is_eager=True, callback=_keep, help=told)

    def text(*names: str, meta: str, told: str) -> click.Option:
        return click.Option(
            names, metavar=meta, expose_value=False, is_eager=True, callback=_keep, help=told, default=""
        )

    return [
        text("--state", meta="DIR", told="State folder of one world (or FOREBAY_STATE)."),
        text("--server", meta="URL", told="Address of a server (or FOREBAY_SERVER)."),
        text("--token-file", meta="FILE", told="File that holds a token (or FOREBAY_TOKEN_FILE)."),
        flag("--json", told="Print JSON; its schemas are in docs/reference/cli.md."),
        flag("--no-color", told="No colours (or NO_COLOR)."),
        flag("-q", "--quiet", told="No messages, only data and errors."),
        flag("--no-input", told="Never ask a question."),
    ]
