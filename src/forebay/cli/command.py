"""What does each command of `forebay` share: global options, examples first in its help, a hand when a name is wrong.

Modules of commands are imported when their command is used: `forebay --help` reads its texts from `catalogue`.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from forebay.cli import session

GLOBAL_TITLE = "Global options, before or after the command"
SETTINGS = {"help_option_names": ["-h", "--help"]}
HELP_COLUMNS_MAX = 100


class NobodyReads(Exception):
    """Whoever read the output has gone."""


class PlainCommand(click.Command):
    """A command whose help begins with examples and which takes the global options too."""

    def __init__(self, *args: Any, examples: str = "", **settings: Any) -> None:
        width = {"terminal_width": _help_columns()}
        settings["context_settings"] = SETTINGS | width | settings.get("context_settings", {})
        super().__init__(*args, **settings)
        self.examples = examples
        for parameter in self.params:
            if isinstance(parameter, click.Option) and isinstance(parameter.type, click.IntRange):
                parameter.metavar = parameter.metavar or "N"
        self._globals = session.global_options()

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Its own options, then the global ones that it does not have itself."""
        own = super().get_params(ctx)
        taken = {name for parameter in own for name in parameter.opts}
        return [*own, *(option for option in self._globals if not taken.intersection(option.opts))]

    def own_globals(self) -> list[click.Option]:
        """The global options."""
        return self._globals

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What it does in a sentence, examples, then the rest."""
        text = inspect.cleandoc(self.help or "")
        first, _, rest = text.partition("\n\n")
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(first)
        _write_examples(formatter, self.examples)
        if rest:
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(rest)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Its own options in full, the global ones by name."""
        rows = [
            record
            for parameter in super().get_params(ctx)
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx)) is not None
        ]
        if rows:
            with formatter.section("Options"):
                formatter.write_dl(rows)
        self.format_commands_of(ctx, formatter)
        names = ", ".join(option.opts[0] for option in self._globals)
        with formatter.section(f"{GLOBAL_TITLE} (forebay --help)"):
            formatter.write_text(names)

    def format_commands_of(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Sub-commands, for a group."""


class CommandGroup(PlainCommand, click.Group):
    """A command with sub-commands."""

    command_class = PlainCommand

    def format_commands_of(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Its sub-commands."""
        click.Group.format_commands(self, ctx, formatter)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The sub-command; a name that is none gets the nearest that is."""
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing and not name.startswith("-"):
            raise click.UsageError(
                f"there is no command {name!r}.{_meant(name, self.list_commands(ctx))}", ctx
            )
        return super().resolve_command(ctx, args)


class LazyGroup(CommandGroup):
    """The root: its commands are named in a table and imported when they are used.

    `sections` are (title, rows); a row is (name, "module:attribute", what it does).
    """

    def __init__(
        self, *args: Any, sections: Sequence[tuple[str, Sequence[tuple[str, str, str]]]], **settings: Any
    ):
        super().__init__(*args, **settings)
        self.sections = sections
        self._where = {name: where for _, rows in sections for name, where, _ in rows}

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. A broken pipe is kept from click, which would exit with a status of its own."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise NobodyReads from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order of the help."""
        return list(self._where)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        where = self._where.get(cmd_name)
        if where is None:
            return None
        module, _, attribute = where.partition(":")
        found = getattr(importlib.import_module(module), attribute)
        assert isinstance(found, click.Command)
        return found

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Commands by section, then the global options in full."""
        for title, rows in self.sections:
            with formatter.section(title):
                formatter.write_dl([(name, told) for name, _, told in rows])
        with formatter.section(GLOBAL_TITLE):
            options = [*click.Command.get_params(self, ctx), *self.own_globals()]
            formatter.write_dl([r for option in options if (r := option.get_help_record(ctx)) is not None])


def _help_columns() -> int:
    """How wide help is printed. Not by shutil, which would take a tenth of the time that `--help` has."""
    columns = os.environ.get("COLUMNS", "")
    try:
        found = int(columns) if columns.isdigit() else os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError, AttributeError):
        found = 80
    return min(found - 2, HELP_COLUMNS_MAX)


def _meant(name: str, known: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, known, n=2, cutoff=0.65)
    if near:
        return f" Did you mean {' or '.join(near)}?"
    return " `forebay --help` lists them."


def _write_examples(formatter: click.HelpFormatter, examples: str) -> None:
    lines = [line.strip() for line in examples.strip().splitlines()]
    if lines:
        with formatter.section("Examples"):
            for line in lines:
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")


def command(name: str, examples: str, **settings: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Declare a command: its name and its examples, one a line."""
    return click.command(name, cls=PlainCommand, examples=examples, **settings)


def group(name: str, examples: str, **settings: Any) -> Callable[[Callable[..., Any]], CommandGroup]:
    """Declare a command that has sub-commands."""
    return click.group(name, cls=CommandGroup, examples=examples, **settings)
