"""What happens in a world that tells a story? The steps of `scenario.yaml`, and which of them were done.

    forebay: 1
    kind: Scenario
    title: ...
    as_of: 2026-11-22T00:00:00Z            # for a world that only plans: the date at which it begins
    steps:
      - submit: gangs/train.yaml           # exactly one of submit, apply, kill, cordon, uncordon, close, wait, run
        say: What a reader should know.    # printed before it
        after: 5s                          # pause since the step before
        when: {gang: acme.train, is: running}      # and not before this holds

`run` is a forebay command as one would type it, such as `capacity --months 12`; with `expect: refused` it has to be
refused. Files are those of the folder.

`when` and `wait` know gangs that are `running`, `pending`, `ended`, ... or that have `checkpointed`, and give up
after `within` (5 minutes unless told otherwise). A gang that has ended is past every state.

Progress is kept beside the journal, and every step has an idempotency key: a story that was cut short goes on where
it was, and nothing in it happens twice.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forebay.cli.failure import Failed
from forebay.feeds import quantities, tree

ACTIONS = ("submit", "apply", "kill", "cordon", "uncordon", "close", "wait", "run")
STATES = ("pending", "placed", "running", "stopping", "ended", "checkpointed", "lent")
WITHIN_S = 300


@dataclass(slots=True)
class Condition:
    """A gang is to be in one of these states."""

    gang: str
    states: tuple[str, ...]
    within_s: int = WITHIN_S


@dataclass(slots=True)
class Step:
    """One step of a story."""

    place: int
    action: str
    #: A path, a node, a reason; "" for kill and wait.
    subject: str = ""
    say: str = ""
    after_s: int = 0
    when: Condition | None = None
    #: For wait: what is waited for. For kill: the gang and its rank.
    wait: Condition | None = None
    gang: str = ""
    rank: int = 0
    #: For run: whether it has to be refused.
    refused: bool = False


@dataclass(slots=True)
class Scenario:
    """A story: its steps, and a digest that tells it from another."""

    title: str
    steps: list[Step]
    digest: str
    #: The date at which its world begins, microseconds since the Unix epoch; 0 for today.
    as_of: int = 0


def load(path: Path) -> Scenario:
    """Read a scenario. Raises `Failed` that names file, line and field, and what would be right."""
    text = path.read_text(encoding="utf-8")
    try:
        documents = tree.from_yaml(text, path.name)
        if len(documents) != 1:
            raise tree.DocumentError([tree.Problem("one document is meant", file=path.name)])
        return _Reader(path.name).scenario(documents[0], hashlib.sha256(text.encode()).hexdigest())
    except tree.DocumentError as error:
        errors = [
            {"file": found.file or path.name, "line": found.line, "column": found.column, "pointer": found.path,
             "detail": found.detail}
            for found in error.problems
        ]  # fmt: skip
        raise Failed(
            f"{path.name} is not a scenario that can be played", code="bad_document", errors=errors
        ) from None


class _Reader:
    """Turns the tree of a scenario into steps."""

    def __init__(self, file: str) -> None:
        self._file = file

    def _no(self, detail: str, path: str, place: tree.Place) -> tree.DocumentError:
        return tree.DocumentError([tree.Problem(detail, path, place.line, place.column, self._file)])

    def scenario(self, root: tree.Node, digest: str) -> Scenario:
        fields = self._fields(root, "", ("forebay", "kind", "title", "as_of", "steps"))
        if self._text(fields, "kind", "") != "Scenario":
            raise self._no("kind: Scenario is meant", "kind", root.place)
        found = fields.get("steps")
        if not isinstance(found, tree.Sequence):
            raise self._no("a list of steps is meant", "steps", root.place)
        steps = [self._step(node, place) for place, node in enumerate(found.items)]
        return Scenario(self._text(fields, "title", ""), steps, digest, self._as_of(fields))

    def _as_of(self, fields: dict[str, tree.Node]) -> int:
        text = self._text(fields, "as_of", "")
        if not text:
            return 0
        try:
            return quantities.instant_us(text, "UTC")
        except quantities.Malformed as error:
            raise self._no(str(error), "as_of", fields["as_of"].place) from None

    def _fields(self, node: tree.Node, path: str, known: tuple[str, ...]) -> dict[str, tree.Node]:
        if not isinstance(node, tree.Mapping):
            raise self._no(f"fields are meant here: {', '.join(known)}", path, node.place)
        for name, (place, _) in node.entries.items():
            if name not in known:
                where = f"{path}.{name}" if path else name
                raise self._no(f"there is no field {name!r} here; known are {', '.join(known)}", where, place)
        return {name: value for name, (_, value) in node.entries.items()}

    def _text(self, fields: dict[str, tree.Node], name: str, path: str) -> str:
        node = fields.get(name)
        if node is None:
            return ""
        if not isinstance(node, tree.Scalar):
            raise self._no("a word or a sentence is meant", f"{path}{name}", node.place)
        return " ".join(node.text.split())

    def _step(self, node: tree.Node, place: int) -> Step:
        path = f"steps[{place}]"
        fields = self._fields(node, path, ("say", "after", "when", "expect", *ACTIONS))
        actions = [name for name in ACTIONS if name in fields]
        if len(actions) != 1:
            raise self._no(f"exactly one of {', '.join(ACTIONS)} is meant", path, node.place)
        step = Step(place, actions[0], say=self._text(fields, "say", f"{path}."))
        step.after_s = self._seconds(fields, "after", path, 0)
        if "when" in fields:
            step.when = self._condition(fields["when"], f"{path}.when")
        if "expect" in fields:
            if step.action != "run" or self._text(fields, "expect", f"{path}.") != "refused":
                raise self._no("only a run may say 'expect: refused'", f"{path}.expect", node.place)
            step.refused = True
        value = fields[step.action]
        if step.action == "wait":
            step.wait = self._condition(value, f"{path}.wait")
        elif step.action == "kill":
            target = self._fields(value, f"{path}.kill", ("gang", "rank"))
            step.gang = self._text(target, "gang", f"{path}.kill.")
            rank = self._text(target, "rank", f"{path}.kill.") or "0"
            if not rank.isascii() or not rank.isdigit():
                raise self._no("the number of a rank is meant, from 0", f"{path}.kill.rank", value.place)
            step.rank = int(rank)
        else:
            step.subject = self._text(fields, step.action, f"{path}.")
        return step

    def _condition(self, node: tree.Node, path: str) -> Condition:
        fields = self._fields(node, path, ("gang", "is", "within"))
        states = tuple(self._text(fields, "is", f"{path}.").split(" or "))
        unknown = [state for state in states if state not in STATES]
        gang = self._text(fields, "gang", f"{path}.")
        if unknown or not gang:
            raise self._no(f"'gang' and 'is' are meant; 'is' knows {', '.join(STATES)}", path, node.place)
        return Condition(gang, states, self._seconds(fields, "within", path, WITHIN_S))

    def _seconds(self, fields: dict[str, tree.Node], name: str, path: str, default: int) -> int:
        text = self._text(fields, name, f"{path}.")
        if not text:
            return default
        try:
            return quantities.seconds(text)
        except quantities.Malformed as error:
            raise self._no(str(error), f"{path}.{name}", fields[name].place) from None


class Progress:
    """Which steps of a story were done: a small file beside the journal, replaced whole at each step."""

    def __init__(self, path: Path, scenario: Scenario) -> None:
        self._path = path
        self.scenario = scenario
        held = _held(path)
        self.other = bool(held) and held.get("scenario") != scenario.digest
        self._begun = int(held.get("begun", 0)) if held and not self.other else 0
        self._done = int(held.get("done", 0)) if held and not self.other else 0

    @property
    def done(self) -> int:
        """Steps that are behind us."""
        return self._done

    @property
    def finished(self) -> bool:
        """Whether the story was told to its end."""
        return self._done >= len(self.scenario.steps)

    def was_begun(self, step: Step) -> bool:
        """Whether a run before this one began this step, and did not say that it ended."""
        return self._begun > step.place

    def begin(self, step: Step) -> None:
        """A step that must not happen twice is about to happen."""
        self._begun = step.place + 1
        self._write()

    def finish(self, step: Step) -> None:
        """A step is behind us."""
        self._done = step.place + 1
        self._write()

    def key(self, step: Step) -> str:
        """The idempotency key of a step."""
        return f"scenario-{self.scenario.digest[:16]}-{step.place}"

    def _write(self) -> None:
        draft = self._path.with_name(self._path.name + ".new")
        held = {"scenario": self.scenario.digest, "begun": self._begun, "done": self._done}
        with draft.open("w", encoding="utf-8") as file:
            json.dump(held, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)


def _held(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
