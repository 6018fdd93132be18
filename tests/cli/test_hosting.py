"""A server of `forebay up`: whoever proposes to its loop stops before the loop does."""

import logging
from pathlib import Path

import pytest

from forebay.cli import hosting
from forebay.server import listening
from tests.cli.rig import ROOT

#: Often enough to meet the instant at which somebody is still asking the loop.
TIMES = 5
SITES = sorted((ROOT / "examples" / "deal").glob("*.yaml"))


@pytest.mark.parametrize("time", range(TIMES))
def test_a_world_that_stops_says_nothing_of_dates(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, time: int
) -> None:
    host = hosting.Host(listening.Options(tmp_path / "deal", port=0, world="deal"), any_port=False)
    client = host.client("")
    try:
        texts = [
            {"name": path.name, "text": path.read_text()} for path in SITES if path.name != "scenario.yaml"
        ]
        client.post("/v1/documents", {"documents": texts})
        with caplog.at_level(logging.WARNING):
            assert host.stop_work(lambda count: None) == 0
    finally:
        client.close()
        host.close()
    assert [each.getMessage() for each in caplog.records] == []
