"""`forebay engines` and `forebay engine fence`, as somebody would use them whose engine fell silent."""

from __future__ import annotations

import time

from jsonschema import validate

from forebay.cli import outputs
from forebay.core import ids
from forebay.core.placements.heartbeats import ReportEngineHeard
from forebay.server.composition import PATIENCE_S
from tests.cli.desk import Desk
from tests.cli.rig import Lab, Shell
from tests.server.rig import PRICES, SITE, contract, gang

POLICY = "forebay: 1\nkind: Policy\nversion: 1\nfailing: {engine_silent: 100s, engine_fence: 10m}\n"
EDGE = ids.Principal("local", ids.Role.EDGE)


def test_a_silent_engine_is_told_and_fenced(desk: Desk) -> None:
    documents = "---\n".join((SITE, PRICES, contract("cedar", "cedar-t1"), POLICY))
    assert "no engine is watched" in desk("engines").err
    assert desk("apply", desk.file("lab.yaml", documents)).status == 0
    heard = ids.Asked(ReportEngineHeard("local"), EDGE)
    desk.rig.forebay.loop.submit(heard).result(PATIENCE_S)
    assert desk.rig.operator.post("/v1/gangs", json=gang("cedar", "one", gpus=4)).status_code == 201
    assert "local   all    heard" in desk("engines").out
    ran = desk("engine", "fence", "local", "--reason", "off")
    assert (ran.status, "it can be asked to stop its work" in ran.err) == (4, True), ran
    desk.rig.pass_time(200_000_000)
    told = desk("engines")
    assert "local   all    silent" in told.out
    assert "engine local is silent: it was last heard of at" in desk("status").out
    ran = desk("engines", "--json")
    validate(ran.json, outputs.OUTPUTS["engines"])
    assert (ran.json["items"][0]["gangs"], ran.json["items"][0]["leased"]) == (1, 1)
    assert "it counts as running, and starts" in desk("explain", "cedar.one").out
    ran = desk("engine", "fence", "local", "--reason", "its host is off")
    assert "local is fenced: 1 gang of it counted as running" in ran.err
    assert "has nothing that counts as running" in desk("engine", "fence", "local", "--reason", "again").err
    ran = desk("engine", "fence", "local", "--reason", "again", "--json")
    validate(ran.json, outputs.OUTPUTS["engine.fence"])
    told = desk("explain", "cedar.one")
    assert "nothing is started at" in told.out
    desk.rig.forebay.loop.submit(heard).result(PATIENCE_S)
    assert desk("explain", "cedar.one").out != told.out


MARKS = """import os, time
with open(os.environ["FOREBAY_PROGRESS_FILE"], "a") as file:
    print(1200, file=file, flush=True)
    time.sleep(600)
"""


def test_the_local_engine_says_that_it_is_there_and_how_far_its_gangs_got(shell: Shell) -> None:
    """A real server, engine and program: heartbeats and marks come every few seconds."""
    lab = Lab(shell)
    try:
        policy = "forebay: 1\nkind: Policy\nversion: 1\nfailing: {engine_silent: 1h, engine_fence: 1h, stuck: 1h}\n"
        lab.client.post("/v1/documents", {"documents": [{"name": "policy.yaml", "text": policy}]})
        lab.submit("birch", "marks", "", 1, MARKS)
        lab.wait("birch.marks", "running")
        deadline = time.monotonic() + 30
        while "(mark 1200)" not in (told := shell("explain", "birch.marks").out):
            assert time.monotonic() < deadline, told
        assert "local   all    heard" in shell("engines").out
        assert "local was heard of at" in shell("doctor").out
    finally:
        lab.close()
