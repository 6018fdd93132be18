"""The tutorial says what happens: its commands are run in order, and what they print is compared with what it shows.

A block that begins with three backticks and `console` holds commands (`$ `) and what they print; `...` stands for
anything, as part of a line or as lines. A block marked `second-terminal` is started and left running until the end.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.rig import ROOT, Shell
from tests.cli.test_up import QUICKER, Telling

BLOCK = re.compile(r"^```console( second-terminal)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: How long the story has been told; that differs from run to run as well.
STAMP = re.compile(r"^\d\d:\d\d")
TUTORIALS = sorted((ROOT / "docs" / "tutorial").glob("*.md"))


def blocks(text: str) -> Iterator[tuple[str, str, bool]]:
    """Each command with what it prints, and whether it is left running."""
    for second, body in BLOCK.findall(text):
        first, _, expected = body.partition("\n")
        assert first.startswith("$ "), f"a block begins with a command: {first!r}"
        yield first[2:], expected, bool(second)


def matches(expected: str, printed: str) -> bool:
    """Whether the text is as shown; a line of dots stands for any lines, dots in a line for any text in it."""
    pattern = ""
    for line in expected.strip("\n").split("\n"):
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            shown = r"[^\n]*?".join(map(re.escape, line.split("...")))
            pattern += STAMP.sub(r"\\d\\d:\\d\\d", shown) + r" *\n"
    return re.fullmatch(pattern, printed.strip("\n") + "\n") is not None


@pytest.fixture
def checkout(tmp_path: Path) -> Shell:
    """A folder as one has it after a checkout; the example's times are shortened."""
    shell = Shell(tmp_path)
    for name in ("one_site", "deal"):
        shutil.copytree(ROOT / "examples" / name, tmp_path / "examples" / name)
    for name, changes in QUICKER.items():
        path = tmp_path / "examples" / "one_site" / name
        text = path.read_text()
        for said, instead in changes:
            text = text.replace(said, instead)
        path.write_text(text)
    launcher = tmp_path / "forebay"
    launcher.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m forebay.cli.main "$@"\n')
    launcher.chmod(0o755)
    return shell


@pytest.mark.slow
@pytest.mark.serial
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.name)
def test_the_tutorial_happens_as_it_says(path: Path, checkout: Shell) -> None:
    running: list[Telling] = []
    try:
        for command, expected, stays in blocks(path.read_text()):
            if stays:
                running.append(Telling(checkout, *command.split()[2:]))
                running[-1].until(expected.strip().splitlines()[-1].split("...")[0].strip())
                continue
            done = subprocess.run(
                ["bash", "-c", command], env=checkout.environment, cwd=checkout.home, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, timeout=120, check=False,
            )  # fmt: skip
            assert matches(expected, done.stdout), (
                f"$ {command}\n{done.stdout}\n--- but shown is ---\n{expected}"
            )
        for telling in running:
            assert telling.interrupt() in (0, 130)
    finally:
        for telling in running:
            telling.abandon()


@pytest.mark.parametrize(
    ("expected", "printed", "as_shown"),
    [
        ("a ... c\n", "a b c\n", True),
        ("a\n...\nc\n", "a\nb\nb\nc\n", True),
        ("a\n...\nc\n", "a\nc\n", True),
        ("a\n...\n", "a\nb\n", True),
        ("a\n", "a\nb\n", False),
        ("a ... c\n", "a\nc\n", False),
        ("(a)\n", "a\n", False),
        ("00:31  a\n", "01:02  a\n", True),
    ],
)
def test_what_counts_as_shown(expected: str, printed: str, as_shown: bool) -> None:
    assert matches(expected, printed) is as_shown
