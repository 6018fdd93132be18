"""Scenarios are read with their mistakes named, and their progress is kept."""

from pathlib import Path

import pytest

from forebay.cli import scenario
from forebay.cli.failure import Failed
from tests.cli.rig import ROOT

HEAD = "forebay: 1\nkind: Scenario\ntitle: T\nsteps:\n"
#: steps, what the message says, and where
WRONG = [
    ("  - {submit: a.yaml, close: x}\n", "exactly one of submit, apply, kill", 5),
    ("  - {say: hello}\n", "exactly one of", 5),
    ("  - {sumbit: a.yaml}\n", "there is no field 'sumbit' here", 5),
    ("  - {submit: a.yaml, after: soon}\n", "'soon' is not a duration", 5),
    ("  - {wait: {gang: a.b, is: gone}}\n", "'is' knows pending, placed, running", 5),
    ("  - {wait: {is: ended}}\n", "'gang' and 'is' are meant", 5),
    ("  - submit: a.yaml\n  - {kill: {gang: a.b, rank: two}}\n", "the number of a rank", 6),
    ("  - [1]\n", "fields are meant here", 5),
]


@pytest.mark.parametrize(("steps", "told", "line"), WRONG)
def test_mistakes(steps: str, told: str, line: int, tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(HEAD + steps)
    with pytest.raises(Failed) as failed:
        scenario.load(path)
    (error,) = failed.value.errors
    assert told in error["detail"]
    assert error["line"] == line


def test_what_is_no_scenario(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    for text in ("", "forebay: 1\nkind: Site\n", HEAD.replace("steps:\n", "steps: 3\n"), "a: [1\n"):
        path.write_text(text)
        with pytest.raises(Failed, match="is not a scenario"):
            scenario.load(path)


def test_the_example() -> None:
    told = scenario.load(ROOT / "examples" / "one_site" / "scenario.yaml")
    assert [step.action for step in told.steps[:3]] == ["submit"] * 3
    assert {step.rank for step in told.steps if step.action == "kill"} == {2}
    assert told.steps[-1].action == "close"


def test_progress_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(HEAD + "  - submit: a.yaml\n  - submit: b.yaml\n")
    told, kept = scenario.load(path), tmp_path / "progress.json"
    first = scenario.Progress(kept, told)
    one, two = told.steps
    first.begin(one)
    first.finish(one)
    first.begin(two)
    again = scenario.Progress(kept, told)
    assert (again.done, again.was_begun(two), again.finished) == (1, True, False)
    assert again.key(one) == first.key(one) != again.key(two)
    again.finish(two)
    assert scenario.Progress(kept, told).finished


def test_another_story_begins_at_its_start(tmp_path: Path) -> None:
    path, kept = tmp_path / "scenario.yaml", tmp_path / "progress.json"
    path.write_text(HEAD + "  - submit: a.yaml\n")
    told = scenario.load(path)
    scenario.Progress(kept, told).finish(told.steps[0])
    path.write_text(HEAD + "  - submit: b.yaml\n")
    other = scenario.Progress(kept, scenario.load(path))
    assert (other.done, other.other) == (0, True)
    kept.write_text("half a fi")
    assert not scenario.Progress(kept, told).finished
