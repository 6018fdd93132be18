"""Every command line ends with a status that can be told apart, and never with a traceback."""

import json
import os
import pty
import re
import subprocess

import pytest
from jsonschema import validate

from forebay.cli import catalogue, outputs
from tests.cli.rig import Shell, write_journal

COMMANDS = [name for _, rows in catalogue.SECTIONS for name, _, _ in rows]
#: command line, exit status, what the message says
WRONG = [
    (["jurnal"], 2, "Did you mean journal?"),
    (["xyzzy"], 2, "`forebay --help` lists them"),
    (["journal", "verfy"], 2, "Did you mean verify?"),
    (["journal", "show"], 2, "missing argument 'SEQ'"),
    (["--colour"], 2, "no such option"),
    (["completion", "tcsh"], 2, "'tcsh' is not one of 'bash', 'zsh', 'fish'"),
    (["schema", "Sight"], 2, "Known are Estate, Catalogue, Site"),
    (["up", ".", "--token-file", "x"], 2, "--token-file would change nothing"),
    (["journal", "verify"], 1, "there is no world in"),
    (["status"], 6, "forebay up examples/one_site"),
    (["status", "--server", "127.0.0.1:1"], 5, "no token"),
    (["jobs", "--state", "nowhere"], 6, "no server runs on the state folder"),
]


def test_help_lists_every_command(shell: Shell) -> None:
    ran = shell("--help")
    assert ran.status == 0
    assert ran.err == ""
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", ran.out, re.MULTILINE), name


def test_without_a_command_it_helps(shell: Shell) -> None:
    assert shell().out == shell("--help").out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_begins_its_help_with_examples(name: str, shell: Shell) -> None:
    ran = shell(name, "-h")
    assert ran.status == 0, ran.err
    assert re.search(r"^Examples:\n  forebay ", ran.out, re.MULTILINE) or "Examples:\n  eval" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 110


@pytest.mark.parametrize(("arguments", "status", "message"), WRONG, ids=lambda value: str(value)[:40])
def test_what_is_wrong_is_told(arguments: list[str], status: int, message: str, shell: Shell) -> None:
    ran = shell(*arguments)
    assert ran.status == status, ran
    assert message in ran.err
    assert ran.out == ""
    assert "Traceback" not in ran.err


def test_a_failure_as_json(shell: Shell) -> None:
    ran = shell("status", "--json")
    assert ran.status == 6
    assert '"schema": "forebay.error/1"' in ran.err
    assert '"hint": "Start one: forebay up examples/one_site"' in ran.err


#: What is not understood, with --json wherever it may stand.
MISSPELT = [
    ["jurnal", "--json"],
    ["--json", "jurnal"],
    ["status", "--bogus", "--json"],
    ["journal", "show", "--json"],
]


@pytest.mark.parametrize("arguments", MISSPELT, ids=" ".join)
def test_what_is_not_understood_as_json(arguments: list[str], shell: Shell) -> None:
    ran = shell(*arguments)
    assert (ran.status, ran.out) == (2, "")
    told = json.loads(ran.err)
    validate(told, outputs.OUTPUTS["error"])
    assert told["code"] == "usage"


def test_what_follows_two_dashes_is_not_ours(shell: Shell) -> None:
    ran = shell("submit", "--gpu", "1", "--", "echo", "--json")
    assert ran.status == 2
    assert ran.err.startswith("forebay: no such option")


def test_version(shell: Shell) -> None:
    assert re.fullmatch(r"forebay \d+\.\d+\.\d+\n", shell("--version").out)


def test_global_options_stand_before_and_after(shell: Shell) -> None:
    write_journal(shell.worlds / "lab")
    before, after = shell("--json", "journal", "digest"), shell("journal", "digest", "--json")
    between = shell("journal", "--json", "digest")
    assert before.json == after.json == between.json
    assert before.json["schema"] == "forebay.journal.digest/1"


def test_starting_imports_nothing_heavy(shell: Shell) -> None:
    probe = (
        "import sys; from forebay.cli import main; [main.run_line([word]) for word in ('--help', 'status', 'jobs')]\n"
        "heavy = {'fastapi', 'uvicorn', 'yaml', 'msgspec', 'numpy', 'duckdb', 'sqlite3', 'asyncio', 'starlette'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    command = [*shell.command()[:2], "-c", probe]
    done = subprocess.run(
        command, env=shell.environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_reader_that_leaves_is_no_error(shell: Shell) -> None:
    write_journal(shell.worlds / "lab")
    command = " ".join([*shell.command("journal", "tail"), "|", "head", "-c", "1"])
    piped = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}; echo ${{PIPESTATUS[0]}}"],
        env=shell.environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert piped.stderr == ""
    assert piped.stdout.splitlines()[-1].lstrip("{ ") in ("0", "141")


#: environment, arguments, whether escape codes are printed to a terminal
COLOURED = [
    ({"TERM": "xterm"}, [], True),
    ({"TERM": "xterm", "NO_COLOR": "1"}, [], False),
    ({"TERM": "xterm", "NO_COLOR": ""}, [], True),
    ({"TERM": "dumb"}, [], False),
    ({"TERM": "xterm"}, ["--no-color"], False),
]


@pytest.mark.parametrize(("environment", "arguments", "coloured"), COLOURED)
def test_colours_only_where_they_are_wanted(
    environment: dict[str, str], arguments: list[str], coloured: bool, shell: Shell
) -> None:
    write_journal(shell.worlds / "lab")
    leader, follower = pty.openpty()
    subprocess.run(
        shell.command("token", "list", *arguments),
        env=shell.environment | environment, stdout=follower, stdin=subprocess.DEVNULL, check=True, timeout=60,
    )  # fmt: skip
    os.close(follower)
    assert (b"\x1b[" in os.read(leader, 65536)) is coloured
    os.close(leader)
    shell.environment |= environment
    assert "\x1b[" not in shell("token", "list").out
