"""Shells can read what is printed for them, and complete with it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.rig import Shell


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_script_parses(name: str, shell: Shell, tmp_path: Path) -> None:
    ran = shell("completion", name)
    assert ran.status == 0
    assert "_FOREBAY_COMPLETE" in ran.out
    script = tmp_path / "script"
    script.write_text(ran.out)
    if shutil.which(name):
        subprocess.run([name, "-n", str(script)], check=True, timeout=30)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("forebay jou", {"journal"}),
        ("forebay journal ", {"digest", "show", "tail", "verify"}),
        ("forebay completion f", {"fish"}),
        ("forebay status --j", {"--json"}),
    ],
)
def test_what_is_completed(words: str, expected: set[str], shell: Shell) -> None:
    count = len(words.split(" ")) - 1
    ran = shell(COMP_WORDS=words, COMP_CWORD=str(count), _FOREBAY_COMPLETE="bash_complete")
    assert {line.partition(",")[2] for line in ran.out.splitlines()} == expected
