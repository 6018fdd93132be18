"""`forebay completion SHELL`: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click

from forebay.cli import command

EXAMPLES = """
    eval "$(forebay completion bash)"                                    in ~/.bashrc
    eval "$(forebay completion zsh)"                                     in ~/.zshrc
    forebay completion fish > ~/.config/fish/completions/forebay.fish
"""


@command.command("completion", examples=EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(context: click.Context, shell: str) -> None:
    """Print completions for bash, zsh or fish."""
    from click import shell_completion

    made = {
        "bash": shell_completion.BashComplete,
        "zsh": shell_completion.ZshComplete,
        "fish": shell_completion.FishComplete,
    }[shell](context.find_root().command, {}, "forebay", "_FOREBAY_COMPLETE")
    # The template only: `source()` of bash would first run a bash to ask for its version.
    click.echo(made.source_template % made.source_vars())
