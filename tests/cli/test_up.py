"""A world from a folder: the whole story with real processes, cut short by Ctrl-C or kill -9, and gone on with."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forebay.engines import gang_folders, supervisor
from tests.cli.rig import ROOT, Shell

PATIENCE_S = 90
#: What makes the example quick: file -> (what it says, what it says here).
QUICKER = {
    "gangs/train.yaml": [("400, --step-ms, 250", "90, --step-ms, 100"), ("-every, 5", "-every, 0.5")],
    "gangs/finetune.yaml": [("75, --step-ms, 250", "8, --step-ms, 100"), ("-every, 5", "-every, 0.5")],
    "gangs/sweep.yaml": [("260, --step-ms, 250", "60, --step-ms, 100"), ("-every, 5", "-every, 0.5")],
    "gangs/eval.yaml": [("60, --step-ms, 250", "15, --step-ms, 100")],
    "policy.yaml": [("turnover: 2s", "turnover: 1s")],
    "scenario.yaml": [("after: 10s", "after: 2s")],
}


@pytest.fixture
def project(shell: Shell) -> Path:
    """The example, with its times shortened."""
    folder = shell.home / "one_site"
    shutil.copytree(ROOT / "examples" / "one_site", folder)
    for name, changes in QUICKER.items():
        text = (folder / name).read_text()
        for said, instead in changes:
            assert said in text, (name, said)
            text = text.replace(said, instead)
        (folder / name).write_text(text)
    return folder


class Telling:
    """A `forebay up` that runs; its lines are read as they come."""

    def __init__(self, shell: Shell, *arguments: str) -> None:
        self.process = shell.start("up", *arguments, PYTHONUNBUFFERED="1")
        self.text = ""
        # Should it hang, its end makes every read below end too.
        self._watchdog = threading.Timer(PATIENCE_S, self.process.kill)
        self._watchdog.start()

    def abandon(self) -> None:
        """End it, whatever it does."""
        self._watchdog.cancel()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def until(self, pattern: str) -> str:
        """Read up to the first line that matches."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.text += line
            if re.search(pattern, line):
                return line
        raise AssertionError(f"it ended without {pattern!r}:\n{self.text}")

    def end(self) -> int:
        """Read what is left; the exit status."""
        assert self.process.stdout is not None
        self.text += self.process.stdout.read()
        self.process.stdout.close()
        status = self.process.wait()
        self._watchdog.cancel()
        assert "Traceback" not in self.text, self.text
        return status

    def interrupt(self) -> int:
        """Ctrl-C, and the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.end()


def living(state: Path) -> dict[str, list[int]]:
    """Gangs whose ranks are alive -> process ids."""
    boot = supervisor.boot_id()
    folders = gang_folders.GangFolders(state / "engine")
    found: dict[str, list[int]] = {}
    for gang in folders.gangs():
        for generation in folders.generations(gang):
            started = gang_folders.read_started(folders.of_generation(gang, generation))
            pids = [who.pid for who in started["ranks"] if supervisor.is_alive(who, boot)] if started else []
            if pids:
                found[gang] = pids
    return found


Up = Callable[..., Telling]


@pytest.fixture
def up(shell: Shell) -> Iterator[Up]:
    """Starts `forebay up`; what a failed test leaves running is ended."""
    made: list[Telling] = []

    def start(*arguments: str) -> Telling:
        made.append(Telling(shell, *arguments))
        return made[-1]

    yield start
    for telling in made:
        telling.abandon()
    for state in shell.worlds.glob("*"):
        for pids in living(state).values():
            for pid in pids:
                os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.serial
def test_the_story_with_a_ctrl_c_in_it(shell: Shell, project: Path, up: Up) -> None:
    state = shell.worlds / "one_site"
    first = up("one_site")
    first.until(r"rank 2 of acme.train was killed \(signal 9\)")
    first.until(r"acme.train runs: all 4 ranks are up")
    assert shell("status", "--json").json["gangs"]["running"] >= 2
    assert first.interrupt() == 130
    assert "asked to save and stop" in first.text
    assert "everything is kept; go on with: forebay up one_site" in first.text
    assert living(state) == {}
    assert not (state / "server.json").exists()
    assert "Start it again: forebay up one_site" in shell("status").err

    second = up("one_site")
    second.until(r"acme wants its lent capacity back for acme.eval")
    second.until(r"birch.sweep has left the lent nodes")
    assert second.end() == 0
    told = first.text + second.text
    assert "goes on after record" in second.text
    assert told.count("was killed (signal 9)") == 1
    assert re.search(r"acme.train: resumed from step \d+ with 4 ranks", told)
    for gang in ("acme.train", "acme.eval", "birch.finetune", "birch.sweep"):
        assert f"{gang} is done: every rank finished" in told
        assert told.count(f"{gang}: ") >= 1
    assert "INV-000001 to acme" in second.text
    assert "share of lending" in second.text
    assert "INV-000002 to birch" in second.text
    assert living(state) == {}
    story = [line for line in told.splitlines() if re.match(r"\d\d:\d\d  |       ", line)]
    assert max(map(len, story)) <= 100
    assert shell("journal", "verify").status == 0
    assert shell("doctor").status == 0

    third = up("one_site")
    assert third.end() == 0
    assert "this story has been told to its end" in third.text
    assert "--fresh" in third.text

    fresh = up("one_site", "--fresh")
    fresh.until(r"acme.train: a training run")
    assert fresh.interrupt() == 130
    (aside,) = shell.worlds.glob("one_site.aside-*")
    assert (aside / "journal.sqlite").stat().st_size > 0
    assert shell("journal", "verify", "--state", str(aside)).status == 0


STEADY = """\
forebay: 1
kind: Scenario
title: Two that run for a while
steps:
  - submit: gangs/train.yaml
  - submit: gangs/sweep.yaml
  - wait: {gang: birch.sweep, is: running}
  - wait: {gang: acme.train, is: ended}
"""


@pytest.mark.slow
@pytest.mark.serial
def test_work_goes_on_while_forebay_is_gone(shell: Shell, project: Path, up: Up) -> None:
    state = shell.worlds / "one_site"
    (project / "scenario.yaml").write_text(STEADY)
    for name in ("train", "sweep"):
        path = project / "gangs" / f"{name}.yaml"
        path.write_text(re.sub(r"--steps, \d+", "--steps, 3000", path.read_text()))
    killed = up("one_site")
    killed.until(r"birch.sweep runs: all 4 ranks are up")
    before = living(state)
    assert {gang: len(pids) for gang, pids in before.items()} == {"acme.train": 4, "birch.sweep": 4}

    # While it runs: a second one only watches, and no other server gets the journal.
    watching = up("one_site")
    watching.until(r"is running already")
    other = subprocess.run(
        [sys.executable, "-P", "-m", "forebay.server", "--state", str(state), "--port", "0"],
        env=shell.environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert other.returncode == 1
    assert "is open for writing by another forebay" in other.stderr

    killed.process.kill()
    killed.end()
    watching.until(r"the world has stopped")
    assert watching.end() == 0
    assert living(state) == before
    assert "work runs without a server: acme.train, birch.sweep" in shell("doctor").out

    # Taken up again, left by SIGTERM, taken up again: the same processes all the while. Then Ctrl-C.
    for sent, left in ((signal.SIGTERM, before), (signal.SIGINT, {})):
        again = up("one_site")
        again.until(r"what was running is taken up again")
        again.until(r"acme.train: step ")
        assert living(state) == before
        again.process.send_signal(sent)
        assert again.end() == 130
        assert "starts again" not in again.text
        assert living(state) == left
    assert shell("doctor").status == 0


GHOST = """\
forebay: 1
kind: Gang
name: ghost
tenant: birch
tier: on_demand
sku: gb300-nvl72
gpus: 1
walltime: 1m
program: {argv: [/no/such/program]}
"""
STORY = """\
forebay: 1
kind: Scenario
title: Nobody there
steps:
  - submit: gangs/ghost.yaml
  - wait: {gang: birch.ghost, is: ended, within: 30s}
"""


@pytest.mark.slow
def test_a_program_that_does_not_exist(project: Path, up: Up) -> None:
    (project / "gangs" / "ghost.yaml").write_text(GHOST)
    (project / "scenario.yaml").write_text(STORY)
    telling = up("one_site", "--port", "0")
    assert telling.end() == 0
    assert "birch.ghost cannot be started: " in telling.text
    assert "/no/such/program" in telling.text


@pytest.mark.slow
def test_a_state_folder_that_was_moved(shell: Shell, project: Path, up: Up) -> None:
    (project / "scenario.yaml").unlink()
    first = up("one_site", "--port", "0")
    first.until("Serving on")
    assert first.interrupt() == 0
    (shell.worlds / "one_site").rename(shell.home / "elsewhere")
    project.rename(shell.home / "renamed")
    second = up("renamed", "--port", "0", "--state", str(shell.home / "elsewhere"))
    assert second.until("^one_site$")
    second.until("goes on after record")
    second.until("Serving on")
    assert second.interrupt() == 0


@pytest.mark.slow
def test_without_a_scenario_it_serves(shell: Shell, project: Path, up: Up) -> None:
    (project / "scenario.yaml").unlink()
    telling = up("one_site", "--port", "0", "--json", "--keep-days", "30")
    telling.until("Serving on http://127.0.0.1:")
    assert shell("jobs", "--json").json["items"] == []
    assert telling.interrupt() == 0
    assert "serve it again with: forebay up one_site --keep-days 30" in telling.text


STUBBORN = """\
forebay: 1
kind: Gang
name: stubborn
tenant: birch
tier: on_demand
sku: gb300-nvl72
gpus: 1
walltime: 10m
grace: 1h
program:
  argv:
    - "{python}"
    - -c
    - |
      import signal, time
      signal.signal(signal.SIGTERM, signal.SIG_IGN)
      print("not listening", flush=True)
      time.sleep(600)
"""


@pytest.mark.slow
def test_a_second_ctrl_c_does_not_wait(project: Path, up: Up) -> None:
    (project / "gangs" / "ghost.yaml").write_text(STUBBORN)
    story = STORY.replace("birch.ghost, is: ended, within: 30s", "birch.stubborn, is: ended")
    (project / "scenario.yaml").write_text(story)
    telling = up("one_site", "--port", "0")
    telling.until("birch.stubborn: not listening")
    telling.process.send_signal(signal.SIGINT)
    telling.until("1 gang is asked to save and stop")
    assert telling.interrupt() == 130
    assert "1 gang still to stop: killed when the grace is over" in telling.text


@pytest.mark.slow
def test_over_tls(shell: Shell, project: Path, up: Up, needs: Callable[[str, object, str], None]) -> None:
    needs("tls", shutil.which("openssl"), "no openssl to make a certificate with")
    (project / "scenario.yaml").unlink()
    made = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    named = "-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout site.key -out site.crt"
    command = ["openssl", "req", *made.split(), *named.split()]
    subprocess.run(command, cwd=shell.home, check=True, capture_output=True, timeout=60)
    telling = up("one_site", "--port", "0", "--tls-cert", "site.crt", "--tls-key", "site.key")
    address = telling.until("listens on https://127.0.0.1:").split()[-1]
    telling.until("Serving on")
    here = shell("status", "--json")
    assert here.status == 0, here.err
    token = str(shell.worlds / "one_site" / "operator.token")
    elsewhere = ["status", "--server", address, "--token-file", token, "--state", str(shell.home)]
    untrusted = shell(*elsewhere)
    assert untrusted.status == 6
    assert "SSL_CERT_FILE" in untrusted.err
    assert shell(*elsewhere, SSL_CERT_FILE=str(shell.home / "site.crt")).status == 0
    assert telling.interrupt() == 0
    assert "--tls-cert site.crt" in telling.text


def test_a_port_in_use(shell: Shell, project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ran = shell("up", "one_site", "--port", port)
    assert ran.status == 1
    assert f"port {port} on 127.0.0.1 is in use" in ran.err
    assert "--port" in ran.err


def test_other_machines_only_over_tls(shell: Shell, project: Path) -> None:
    ran = shell("up", "one_site", "--host", "0.0.0.0", "--port", "0")
    assert ran.status == 1
    assert "--tls-cert" in ran.err


#: file, what is written over what it says, what the message names
MISTAKES = [
    ("site.yaml", ("limit: 400 kW", "limit: 400 kWh"), "site.yaml:21:"),
    ("scenario.yaml", ("is: running}", "is: runing}"), "scenario.yaml:10:"),
    (
        "scenario.yaml",
        ("- submit: gangs/train.yaml", "- sumbit: gangs/train.yaml"),
        "there is no field 'sumbit'",
    ),
]


@pytest.mark.parametrize(("name", "change", "told"), MISTAKES)
def test_a_mistake_is_named(
    name: str, change: tuple[str, str], told: str, shell: Shell, project: Path
) -> None:
    path = project / name
    assert change[0] in path.read_text()
    path.write_text(path.read_text().replace(*change))
    ran = shell("up", "one_site", "--port", "0")
    assert ran.status == 1
    assert told in ran.err
    assert "Traceback" not in ran.err
