"""Who tells what happens in a world, and plays its scenario? A client of the server, like any other.

A `Teller` listens to the events and prints sentences; a `Player` does the steps of a scenario, and listens while it
waits. Neither decides anything: what they do goes through the HTTP interface, but for the faults of a story.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from forebay.cli import apply, client, narrate, paper, scenario, session
from forebay.cli.failure import Failed
from forebay.engines import gang_folders, supervisor

#: How often the last word of each running gang is shown, seconds.
WORD_EVERY_S = 8.0
#: Racks of one site that are told one by one.
ALIKE_MAX = 3
#: Longest wait for one event, seconds.
LISTEN_S = 1


class Teller:
    """Prints what happens, each line with the time since the start. `since` is the last record that is known;
    `between` is called between two looks, and may end the listening by what it raises.
    """

    def __init__(
        self,
        found: client.Client,
        said: session.Session,
        since: int,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        self.client = found
        self._between = between
        self._said = said
        self._since = since
        self._after = 0
        self._began = time.monotonic()
        self._narrator = narrate.Narrator()
        #: Of what kind the last event was, and how many of that kind came after its first.
        self._kind, self._alike = "", 0
        #: Running gang -> what of its log was shown.
        self._words: dict[str, _Word] = {}

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def say(self, text: str, event: str = "say") -> None:
        """A line of its own, from whoever tells the story."""
        if self._said.json:
            self._said.emit_line("up", {"event": event, "elapsed_s": round(self.elapsed_s, 3), "text": text})
        elif not self._said.quiet:
            click.echo()
            for line in paper.wrapped(f"       {text}", 4):
                line = f"       {line.strip()}"
                click.echo(click.style(line, bold=True) if self._said.colors() else line)

    def show(self, text: str) -> None:
        """What a command printed, as it is."""
        if self._said.json:
            line = {"event": "output", "elapsed_s": round(self.elapsed_s, 3), "text": text.rstrip()}
            self._said.emit_line("up", line)
        elif not self._said.quiet:
            click.echo(text.rstrip())

    def listen(self, wait_s: float) -> None:
        """Tell what was recorded meanwhile; wait up to `wait_s` for the first of it."""
        deadline = time.monotonic() + wait_s
        while True:
            self._between()
            left = max(0.0, deadline - time.monotonic())
            page = self.client.get("/v1/events", after=self._after, wait=int(min(LISTEN_S, left)), limit=500)
            for record in page["items"]:
                self._tell(record)
            self._tell_rest()
            self._after = page["next_after"]
            self._show_words()
            if time.monotonic() >= deadline:
                return
            if left < LISTEN_S and not page["items"]:
                time.sleep(min(left, 0.2))

    def _tell(self, record: dict[str, Any]) -> None:
        kind, body = record["kind"], record["body"]
        lines = self._narrator.tell(kind, body)
        gang = body.get("gang", "")
        if kind == "GangStarted":
            self._words[gang] = _Word(body["generation"], self.elapsed_s)
        elif kind == "GangEnded":
            self._words.pop(gang, None)
        if record["seq"] <= self._since or not lines:
            return
        if kind == self._kind == "RackAdded":
            self._alike += 1
            if self._alike >= ALIKE_MAX:
                return
        else:
            self._tell_rest()
            self._kind, self._alike = kind, 0
        self._print(lines, kind)

    def _tell_rest(self) -> None:
        """A site of many racks is not told rack by rack."""
        if self._alike >= ALIKE_MAX:
            self._print([f"and {self._alike - ALIKE_MAX + 1} more racks like these"], self._kind)
        self._kind, self._alike = "", 0

    def _print(self, lines: list[str], event: str) -> None:
        if self._said.json:
            text = " ".join(line.strip() for line in lines)
            self._said.emit_line("up", {"event": event, "elapsed_s": round(self.elapsed_s, 3), "text": text})
        elif not self._said.quiet:
            minutes, seconds = divmod(int(self.elapsed_s), 60)
            stamp = f"{minutes:02d}:{seconds:02d}"
            if self._said.colors():
                stamp = click.style(stamp, dim=True)
            shown = [part for line in lines for part in paper.wrapped(line)]
            for place, part in enumerate(shown):
                click.echo(f"{stamp if place == 0 else '     '}  {part}")

    def _show_words(self) -> None:
        """Now and then, the last line that rank 0 of each running gang wrote."""
        for gang, word in self._words.items():
            if self.elapsed_s < word.next_s:
                continue
            word.next_s = self.elapsed_s + 1
            with contextlib.suppress(Failed):
                part = self.client.get(
                    f"/v1/gangs/{client.escaped(gang)}/logs",
                    rank=0, offset=word.offset, limit=65536, generation=word.generation,
                )  # fmt: skip
                word.offset = part["next_offset"]
                lines = [line.strip() for line in part["text"].splitlines() if line.strip()]
                resumed = next((line for line in lines if line.startswith("resumed")), "")
                if lines:
                    word.next_s = self.elapsed_s + WORD_EVERY_S
                    self._print([f"  {gang}: {(resumed or lines[-1])[:70]}"], "log")


class _Word:
    """How much of a gang's log was shown, and when to look again."""

    def __init__(self, generation: int, now_s: float) -> None:
        self.generation = generation
        self.offset = 0
        self.next_s = now_s + 1


class Player:
    """Does the steps of a scenario, from where it was left."""

    def __init__(self, teller: Teller, project: Path, engine: Path, progress: scenario.Progress) -> None:
        self._teller = teller
        self._client = teller.client
        self._project = project
        self._folders = gang_folders.GangFolders(engine)
        self._state = engine.parent
        self._progress = progress

    def play(self) -> None:
        """Every step that is not done yet. Raises `Failed` when a condition is not met in time."""
        for step in self._progress.scenario.steps[self._progress.done :]:
            if step.after_s and not self._progress.was_begun(step):
                self._teller.listen(step.after_s)
            if step.when is not None:
                self._await(step.when)
            if step.say and not self._progress.was_begun(step):
                self._teller.say(step.say)
            self._do(step)
            self._progress.finish(step)
        self._teller.listen(0)

    def _do(self, step: scenario.Step) -> None:
        key = self._progress.key(step)
        match step.action:
            case "submit" | "apply":
                self._progress.begin(step)
                path = self._project / step.subject
                if not path.is_file():
                    raise Failed(
                        f"scenario.yaml names {step.subject}, and there is no such file", code="bad_document"
                    )
                self._client.post("/v1/documents", {"documents": [apply.read_file(path)]}, key)
            case "kill":
                if not self._progress.was_begun(step):
                    self._progress.begin(step)
                    self._kill(step.gang, step.rank)
            case "cordon" | "uncordon":
                self._progress.begin(step)
                node = f"/v1/nodes/{client.escaped(step.subject)}"
                self._client.post(f"{node}/{step.action}", {"reason": "scenario"}, key)
            case "close":
                self._progress.begin(step)
                self._client.post("/v1/periods/close", {"reason": step.subject}, key)
            case "wait":
                assert step.wait is not None, "the reader makes a condition of it"
                self._await(step.wait)
            case "run":
                self._run(step)
        self._teller.listen(0)

    def _run(self, step: scenario.Step) -> None:
        """A command of forebay, as one would type it in the project's folder, shown with what it says."""
        self._teller.listen(0)
        self._teller.say(f"$ forebay {step.subject}", "command")
        words = [sys.executable, "-P", "-m", "forebay.cli.main", *shlex.split(step.subject)]
        env = os.environ | {"FOREBAY_STATE": str(self._state)}
        done = subprocess.run(words, cwd=self._project, env=env, capture_output=True, text=True, check=False)
        self._teller.show(done.stdout + done.stderr)
        if (done.returncode != 0) is not step.refused:
            wanted = "to be refused" if step.refused else "to go through"
            raise Failed(f"`forebay {step.subject}` was {wanted}: the story cannot go on", code="story_stuck")

    def _kill(self, gang: str, rank: int) -> None:
        pid = self._pid(gang, rank)
        if pid is None:
            self._teller.say(f"There is no rank {rank} of {gang} left that could be killed.")
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def _pid(self, gang: str, rank: int) -> int | None:
        """Process id of a living rank."""
        boot = supervisor.boot_id()
        for generation in reversed(self._folders.generations(gang)):
            started = gang_folders.read_started(self._folders.of_generation(gang, generation))
            if started is None:
                continue
            ranks = started["ranks"]
            alive = rank < len(ranks) and supervisor.is_alive(ranks[rank], boot)
            return ranks[rank].pid if alive else None
        return None

    def _await(self, condition: scenario.Condition) -> None:
        deadline = time.monotonic() + condition.within_s
        while not self._holds(condition):
            if time.monotonic() >= deadline:
                within = paper.span(condition.within_s)
                raise Failed(
                    f"{condition.gang} is not {' or '.join(condition.states)} after {within}: "
                    "the story cannot go on",
                    hint=f"`forebay explain {condition.gang}` tells what it waits for.",
                    code="story_stuck",
                )
            self._teller.listen(0.4)

    def _holds(self, condition: scenario.Condition) -> bool:
        try:
            gang = self._client.get(f"/v1/gangs/{client.escaped(condition.gang)}")
        except Failed as error:
            if error.code == "not_found":
                return False
            raise
        if gang["phase"] == "ended" or gang["phase"] in condition.states:
            return True
        if "lent" in condition.states and gang["borrowed"]:
            return True
        return "checkpointed" in condition.states and self._checkpointed(condition.gang)

    def _checkpointed(self, gang: str) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return any((self._folders.of_gang(gang) / "checkpoints").iterdir())
        return False
