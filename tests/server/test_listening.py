"""Starting and stopping a real forebay: a journal on disk, work that goes on without it, and where it may listen."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from forebay.core import ids
from forebay.journals.sqlite import SqliteJournal
from forebay.loop import ports
from forebay.server import auth, listening
from forebay.server.composition import StartError
from forebay.server.listening import Options
from tests.conftest import Needs
from tests.server.rig import PATIENCE_S, PRICES, SITE, contract

GANG = """\
forebay: 1
kind: Gang
name: train
tenant: acme
tier: dedicated
tranche: acme-t1
sku: gb300-nvl72
gpus: 2
walltime: 10m
grace: 5s
program:
  argv: ["{python}", -u, work.py]
"""
WORK = "import os, time\nprint('rank', os.environ['RANK'], os.environ['FOREBAY_NODE'])\ntime.sleep(600)\n"


def client(address: str, state: Path) -> httpx2.Client:
    token = (state / "operator.token").read_text().strip()
    return httpx2.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE_S)


def until(found: Callable[[], Any]) -> Any:
    """Ask again until there is an answer: real processes take their time."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("it did not come")


@pytest.mark.serial
def test_work_goes_on_while_forebay_is_away(tmp_path: Path) -> None:
    state, project = tmp_path / "state", tmp_path / "project"
    project.mkdir()
    (project / "work.py").write_text(WORK)
    texts = [SITE, PRICES, contract("acme", "acme-t1"), GANG]
    documents = [{"name": f"{n}.yaml", "text": text, "folder": str(project)} for n, text in enumerate(texts)]

    first = listening.start(Options(state, port=0, world="lab"))
    try:
        found = listening.whereabouts(state)
        assert found is not None
        assert (found.address, found.pid, found.world) == (first.address, os.getpid(), "lab")
        assert (state / "server.json").stat().st_mode & 0o777 == 0o600
        with client(first.address, state) as http:
            assert http.post("/v1/documents", json={"documents": documents}).status_code == 200
            until(lambda: http.get("/v1/gangs/acme.train").json()["phase"] == "running")
            said = until(lambda: http.get("/v1/gangs/acme.train/logs?rank=1").json()["text"])
            assert said == "rank 1 r01-n01\n"
            with pytest.raises(ports.Locked):
                listening.start(Options(state, port=0))
    finally:
        first.close()
    assert listening.whereabouts(state) is None
    assert not (state / "server.json").exists()
    assert not list(state.glob("*.new"))

    second = listening.start(Options(state, port=0))
    try:
        with client(second.address, state) as http:
            shown = http.get("/v1/gangs/acme.train").json()
            assert (shown["phase"], shown["generation"]) == ("running", 1)
            assert http.post("/v1/gangs/acme.train/cancel").json()["gang"] == "acme.train"
            until(lambda: http.get("/v1/gangs/acme.train").json()["phase"] == "ended")
            assert http.get("/v1/gangs/acme.train/logs").json()["ended"] is True
    finally:
        second.close()
    journal = SqliteJournal(state / "journal.sqlite")
    assert journal.head()[0] > 0
    journal.close()


@pytest.mark.serial
def test_in_the_background_and_stopped(tmp_path: Path) -> None:
    found = listening.spawn(Options(tmp_path, port=0, world="lab"))
    try:
        assert found.pid != os.getpid()
        with client(found.address, tmp_path) as http:
            assert http.get("/healthz").json() == {"status": "ok"}
            _, plain = auth.Tokens(tmp_path).add(ids.Role.FINANCE, "f1")
            assert http.get("/v1/ledger", headers={"Authorization": f"Bearer {plain}"}).status_code == 200
        with pytest.raises(StartError, match="open"):
            listening.spawn(Options(tmp_path, port=0))
    finally:
        assert listening.stop(tmp_path) is True
    assert listening.stop(tmp_path) is False
    assert listening.whereabouts(tmp_path) is None


@pytest.mark.serial
def test_what_a_killed_server_left_does_not_count(tmp_path: Path) -> None:
    found = listening.spawn(Options(tmp_path, port=0))
    os.kill(found.pid, signal.SIGKILL)
    until(lambda: listening.whereabouts(tmp_path) is None)
    again = listening.spawn(Options(tmp_path, port=0))
    assert again.world == "forebay"
    assert listening.stop(tmp_path)


def test_a_world_keeps_its_name(tmp_path: Path) -> None:
    listening.start(Options(tmp_path / "lab", port=0, world="lab")).close()
    (tmp_path / "lab").rename(tmp_path / "moved")
    again = listening.start(Options(tmp_path / "moved", port=0, world="moved"))
    assert again.running.forebay.world == "lab"
    again.close()
    with pytest.raises(StartError, match="cannot name a World"):
        listening.start(Options(tmp_path / "new", port=0, world="a b"))


#: options, words
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"host": "0.0.0.0"}, "give --tls-cert and --tls-key"),
    ({"host": "::"}, "give --tls-cert and --tls-key"),
    ({"host": "no.such.host.invalid"}, "is no address"),
    ({"tls_cert": Path("x")}, "go together"),
    ({"host": "127.0.0.1", "port": 70000}, "is no port"),
]


@pytest.mark.parametrize(("how", "words"), REFUSED)
def test_where_it_does_not_listen(how: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(StartError, match=words):
        listening.start(Options(tmp_path / "state", **({"port": 0} | how)))
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("said", ["soon", "0", "-1", "1.5", "36501", "٣"])
def test_how_long_things_are_kept_is_a_number_of_days(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOREBAY_KEEP_DAYS", said)
    with pytest.raises(StartError, match="FOREBAY_KEEP_DAYS"):
        listening.start(Options(tmp_path / "state", port=0))
    assert not (tmp_path / "state").exists()
    monkeypatch.setenv("FOREBAY_KEEP_DAYS", "30")
    listening.start(Options(tmp_path / "state", port=0)).close()


def test_plans_are_made_unasked_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREBAY_BINDING", "never")
    with pytest.raises(StartError, match="FOREBAY_BINDING is 'never': auto or manual is meant"):
        listening.start(Options(tmp_path / "state", port=0))
    assert not (tmp_path / "state").exists()
    for said in ("manual", "auto"):
        monkeypatch.setenv("FOREBAY_BINDING", said)
        listening.start(Options(tmp_path / "state", port=0)).close()


@pytest.mark.parametrize(("option", "around", "kept"), [(0, "", 14), (0, "30", 30), (3, "30", 3), (3, "", 3)])
def test_how_long_things_are_kept_is_said_by_the_option_first(
    option: int, around: str, kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOREBAY_KEEP_DAYS", around)
    here = listening.start(Options(tmp_path / "state", port=0, keep_days=option))
    here.close()
    assert here.running.keep_days == kept


@pytest.mark.parametrize("option", [-1, 36_501])
def test_no_option_keeps_things_for_ever(option: int, tmp_path: Path) -> None:
    with pytest.raises(StartError, match="--keep-days"):
        listening.start(Options(tmp_path / "state", port=0, keep_days=option))
    assert not (tmp_path / "state").exists()


def test_beyond_loopback_with_a_certificate(tmp_path: Path, needs: Needs) -> None:
    needs("tls", shutil.which("openssl"), "no openssl to make a certificate with")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    words = (
        "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run(["openssl", *words.split(), "-out", cert, "-keyout", key], check=True, capture_output=True)
    with pytest.raises(StartError, match="cannot be used"):
        listening.start(Options(tmp_path / "x", port=0, tls_cert=cert, tls_key=tmp_path / "none"))
    with pytest.raises(StartError, match="cannot be used"):
        listening.start(Options(tmp_path / "x", port=0, tls_cert=key, tls_key=cert))
    here = listening.start(Options(tmp_path / "state", "0.0.0.0", 0, tls_cert=cert, tls_key=key))
    try:
        assert here.address.startswith("https://0.0.0.0:")
        address = here.address.replace("0.0.0.0", "127.0.0.1")
        with httpx2.Client(verify=ssl.create_default_context(cafile=cert)) as http:
            assert http.get(f"{address}/healthz").json() == {"status": "ok"}
    finally:
        here.close()


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StartError, match=f"port {port} on 127.0.0.1 is in use"):
            listening.start(Options(tmp_path, port=port))


def test_tokens_that_others_may_read_keep_it_from_starting(tmp_path: Path) -> None:
    auth.Tokens(tmp_path).first_operator()
    (tmp_path / "tokens.json").chmod(0o644)
    with pytest.raises(auth.AuthError, match="can be read by others"):
        listening.start(Options(tmp_path, port=0))
    (tmp_path / "tokens.json").chmod(0o600)
    listening.start(Options(tmp_path, port=0)).close()
