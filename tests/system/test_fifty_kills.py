"""Invariant 6 the hard way: forebay is killed fifty times while work runs and commands come in.

What was acknowledged is there; what was not happened whole or not at all; no rank is orphaned, none runs twice.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.serial, pytest.mark.slow]

KILLS = 50
RANKS = 2
PROJECT = """
forebay: 1
kind: Site
id: lab
title: Kill test
region: north
jurisdiction: FI
zone: UTC
feeds: [{id: main, limit: 1 MW}]
halls:
  - id: h1
    racks: [{id: r1, sku: gb300-nvl72, feed: main, nodes: 8}]
---
forebay: 1
kind: Policy
version: 2
backoff: 1s
---
forebay: 1
kind: PriceList
version: 1
currency: USD
prices:
  - {tier: on_demand, sku: gb300-nvl72, price_per_gpu_hour: "6.00"}
---
forebay: 1
kind: Contract
id: acme-1
version: 1
seller: us
tenant: acme
currency: USD
on_demand: true
"""
#: A rank: holds an exclusive lock for as long as it lives, and writes down when somebody else has it.
RANK = """
import fcntl, os, sys, time
name = f"{sys.argv[1]}/{os.environ['FOREBAY_GANG']}.{os.environ['RANK']}"
lock = open(name + ".lock", "w")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    open(name + ".double", "a").write(f"{os.getpid()}\\n")
    sys.exit(3)
while True:
    time.sleep(60)
"""


@dataclass
class Story:
    """What the client asked, and what it was told."""

    submitted: dict[str, str] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    #: Asked to cancel, and no answer came.
    doubtful: set[str] = field(default_factory=set)
    #: Asked, and no answer came: key -> gang name.
    unanswered: dict[str, str] = field(default_factory=dict)


class Killed:
    """A forebay that is killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self.project.mkdir()
        (self.project / "site.yaml").write_text(PROJECT)
        self.state = folder / "state"
        self.marks = folder / "marks"
        self.marks.mkdir()
        self.rank = folder / "rank.py"
        self.rank.write_text(RANK)
        self.log = (folder / "log").open("ab")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it may be killed before it is ready."""
        command = [sys.executable, "-m", "forebay.cli.main", "up", str(self.project), "--stay"]
        self.process = subprocess.Popen(
            [*command, "--state", str(self.state), "--port", "0"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True,
        )  # fmt: skip

    def kill(self) -> None:
        """kill -9, at once."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None, key: str = "") -> Any:
        """One request. Raises OSError when nobody answers, `HTTPError` when the answer is no."""
        address = json.loads((self.state / "server.json").read_text())["address"]
        token = (self.state / "operator.token").read_text().strip()
        request = urllib.request.Request(
            address.rstrip("/") + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        if key:
            request.add_header("Idempotency-Key", key)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def ready(self) -> None:
        """Wait until it serves the project."""

        def serves() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, "forebay ended by itself; see the log beside the state"
            try:
                return bool(self.ask("GET", "/v1/contracts")["items"])
            except (OSError, ValueError, KeyError, http.client.HTTPException):
                return False

        until(serves, 60)

    def gangs(self) -> dict[str, str]:
        """Every gang and its phase."""
        return {item["id"]: item["phase"] for item in self.ask("GET", "/v1/gangs?limit=1000")["items"]}

    def ranks(self) -> list[tuple[str, int]]:
        """(gang, rank) of every rank process that lives."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if str(self.rank).encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                        pairs = (entry / "environ").read_bytes().split(b"\0")
                        given = dict(pair.decode().split("=", 1) for pair in pairs if b"=" in pair)
                        if "RANK" in given:
                            found.append((given["FOREBAY_GANG"], int(given["RANK"])))
                except OSError:
                    continue
        return sorted(found)

    def submit(self, story: Story, number: int) -> None:
        """Submit a gang; it counts only when the answer came."""
        name, key = f"job{number}", f"submit-{number}"
        story.unanswered[key] = name
        document = {
            "forebay": 1, "kind": "Gang", "name": name, "tenant": "acme", "tier": "on_demand", "sku": "gb300-nvl72",
            "gpus": RANKS, "walltime": "1h", "grace": "1s", "restarts": 1000,
            "program": {"argv": [sys.executable, "-S", str(self.rank), str(self.marks)]},
        }  # fmt: skip
        told = self.ask("POST", "/v1/gangs", document, key)
        story.submitted[name] = told["id"] if "id" in told else told["gang"]
        del story.unanswered[key]

    def cancel(self, story: Story, gang: str) -> None:
        """Cancel a gang; it counts only when the answer came."""
        story.doubtful.add(gang)
        self.ask("POST", f"/v1/gangs/{gang}/cancel", {}, f"cancel-{gang}")
        story.cancelled.add(gang)
        story.doubtful.discard(gang)


def until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{condition.__name__} does not hold after {seconds} s"
        time.sleep(0.05)


@pytest.fixture
def forebay(tmp_path: Path) -> Iterator[Killed]:
    made = Killed(tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.send_signal(signal.SIGINT)
        made.process.wait(60)
    made.log.close()
    for entry in Path("/proc").iterdir():  # whatever a failed test left behind, and only that
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            try:
                if str(tmp_path).encode() in (entry / "cmdline").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)
            except OSError:
                continue


def test_fifty_kills_lose_nothing_and_double_nothing(forebay: Killed) -> None:
    dice = random.Random(6)
    story = Story()
    numbers = iter(range(10_000))
    for kill in range(KILLS):
        forebay.start()
        if kill % 5 != 4:  # every fifth time it dies while it starts
            forebay.ready()
        over = threading.Event()
        client = threading.Thread(target=_work, args=(forebay, story, numbers, random.Random(kill), over))
        client.start()
        time.sleep(dice.uniform(0.02, 0.7))  # the random point
        forebay.kill()
        over.set()
        client.join()
    forebay.start()
    forebay.ready()

    # Acknowledged is there; not acknowledged is there whole, or not at all: asking again settles it.
    known = forebay.gangs()
    assert len(story.submitted) > 20, "the test did not get to ask enough"
    assert {gang for gang in story.submitted.values() if gang not in known} == set()
    for name in list(story.unanswered.values()):
        forebay.submit(story, int(name.removeprefix("job")))
    assert len(forebay.gangs()) == len(story.submitted)
    for gang in sorted(story.doubtful):
        forebay.cancel(story, gang)

    # Every gang that is to run does, with each rank once; what was cancelled does not.
    def settled() -> bool:
        phases = forebay.gangs()
        running = [gang for gang, phase in phases.items() if phase == "running"]
        expected = sorted((gang, rank) for gang in running for rank in range(RANKS))
        wanted = {gang for gang in story.submitted.values() if gang not in story.cancelled}
        return {g for g, phase in phases.items() if phase == "ended"} == story.cancelled and (
            forebay.ranks() == expected and len(running) == min(len(wanted), 8 * 4 // RANKS)
        )

    until(settled, 120)
    assert list(forebay.marks.glob("*.double")) == []

    # It all stops when asked, and nothing is left.
    for gang in set(story.submitted.values()) - story.cancelled:
        forebay.cancel(story, gang)
    until(lambda: set(forebay.gangs().values()) == {"ended"}, 120)
    assert forebay.ranks() == []
    assert list(forebay.marks.glob("*.double")) == []
    assert forebay.process is not None
    forebay.process.send_signal(signal.SIGINT)
    forebay.process.wait(60)
    verified = subprocess.run(
        [sys.executable, "-m", "forebay.cli.main", "journal", "verify", "--state", str(forebay.state)],
        check=False,
    )
    assert verified.returncode == 0


def _work(
    forebay: Killed, story: Story, numbers: Iterator[int], dice: random.Random, over: threading.Event
) -> None:
    """Submit and cancel until the server is gone."""
    while not over.is_set():
        try:
            live = sorted(set(story.submitted.values()) - story.cancelled)
            if len(live) > 6 or (live and dice.random() < 0.3):
                forebay.cancel(story, dice.choice(live))
            else:
                forebay.submit(story, next(numbers))
        except urllib.error.HTTPError as error:
            # Shutting down, or a gang that is over already: nothing was promised.
            if error.code not in (409, 503):
                raise
        except (OSError, ValueError, http.client.HTTPException):
            if over.wait(0.05):
                return
        time.sleep(0.02)
