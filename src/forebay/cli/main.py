"""The command line: `forebay COMMAND ...`. What every command shares; the commands are in modules of their own.

Data goes to stdout, messages to stderr. However a command ends, it ends with a status of `failure.Status` and without
a traceback; only a bug of ours shows one.
"""

from __future__ import annotations

import errno
import itertools
import os
import sys
from collections.abc import Sequence

import click

from forebay import __version__
from forebay.cli import catalogue, command, session
from forebay.cli.failure import Failed, Status

EXAMPLES = """
    forebay up examples/one_site            run a small world and watch it
    forebay status                          what runs, what waits, what is free
    forebay explain acme.train              why a gang waits, or why it runs where it does
    forebay invoice INV-000001              an invoice with every line
"""


def _print_version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        click.echo(f"forebay {__version__}")
        context.exit()


@click.group(
    "forebay",
    cls=command.LazyGroup,
    sections=catalogue.SECTIONS,
    examples=EXAMPLES,
    invoke_without_command=True,
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
@click.pass_context
def cli(context: click.Context) -> None:
    """The capacity control plane for AI factories: supply, claims, placements, usage and money in one journal."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def run_line(arguments: Sequence[str]) -> int:
    """Run one command line; the exit status."""
    said = session.Session()
    # Before the line is understood: what is wrong with it is to be told as JSON, too.
    said.json = "--json" in itertools.takewhile(lambda word: word != "--", arguments)
    try:
        status = cli.main(
            list(arguments), "forebay", "_FOREBAY_COMPLETE", standalone_mode=False, obj=said
        )  # fmt: skip
        sys.stdout.flush()
    except Failed as failure:
        said.fail(failure)
        return failure.status
    except click.UsageError as error:
        said.fail(_usage(error))
        return Status.USAGE
    except click.ClickException as error:
        said.fail(Failed(error.format_message()))
        return Status.FAILED
    except (KeyboardInterrupt, click.Abort):
        said.say("\nforebay: stopped")
        return Status.INTERRUPTED
    except (BrokenPipeError, command.NobodyReads):
        return _broken_pipe()
    except OSError as error:
        if error.filename is None and error.errno not in (errno.ENOSPC, errno.EBADF, errno.EIO):
            raise
        said.fail(Failed(f"{error.filename or 'the output cannot be written'}: {error.strerror}"))
        _discard_output()
        return Status.FAILED
    return status if isinstance(status, int) else Status.OK


def _broken_pipe() -> Status:
    _discard_output()
    return Status.BROKEN_PIPE


def _discard_output() -> None:
    """What is still in the buffer has no reader: the interpreter must not try again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)


def _usage(error: click.UsageError) -> Failed:
    text = error.format_message().replace("is not a valid integer range", "is not a whole number")
    where = error.ctx.command_path if error.ctx is not None else "forebay"
    return Failed(
        text[:1].lower() + text[1:],
        Status.USAGE,
        hint=f"`{where} --help` shows how it is used.",
        code="usage",
    )


def main() -> None:
    """The entry point."""
    # A shell may have closed them (`>&-`): what is said then goes nowhere.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for as long as we run
    sys.exit(run_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
