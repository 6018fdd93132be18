"""kill -9 while a billing period is closed: it is open or closed, and never between.

Thirty customers are billed by one close: ninety records and more, whole or not at all.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forebay.core import money
from forebay.core.ids import Event
from forebay.core.usage import PeriodClosed
from forebay.core.world import World
from forebay.journals.sqlite import SqliteReader
from forebay.loop import codec
from forebay.loop.replay import Replay
from tests.system.test_fifty_kills import Killed

pytestmark = [pytest.mark.serial, pytest.mark.slow]

KILLS = 8
CUSTOMERS = 30
SITE = """\
forebay: 1
kind: Site
id: lab
title: Kill test
region: north
jurisdiction: FI
zone: UTC
feeds: [{id: main, limit: 2 MW}]
halls:
  - id: h1
    racks:
"""
RACK = "      - {id: r%d, sku: gb300-nvl72, feed: main, nodes: 18}\n"
CONTRACT = """\
---
forebay: 1
kind: Contract
id: %(name)s-1
version: 1
seller: us
tenant: %(name)s
currency: USD
tranches:
  - id: %(name)s-t1
    site: lab
    sku: gb300-nvl72
    unit: node
    count: 1
    start: now
    term: 1095d
    price_per_gpu_hour: "2.35"
"""


@pytest.fixture
def forebay(tmp_path: Path) -> Iterator[Killed]:
    made = Killed(tmp_path)
    contracts = "".join(CONTRACT % {"name": f"c{number:02d}"} for number in range(CUSTOMERS))
    racks = "".join(RACK % number for number in range(2))
    (made.project / "site.yaml").write_text(SITE + racks + contracts)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()
    made.log.close()


def told(journal: Path) -> list[Event]:
    """Every event on disk, whole commands only; what they fold to holds every invariant."""
    reader, known = SqliteReader(journal), codec.Codec(World.EVENTS)
    codec.verify(reader.read())
    Replay(World).latest(reader).world.check()
    events = [known.decode(codec.envelope(record)) for record in reader.read()]
    reader.close()
    return events


def billed(events: list[Event]) -> list[list[str]]:
    """For each period that was closed the customers billed, each of whom must be billed and posted once."""
    periods: list[list[str]] = []
    posted: list[str] = []
    for event in events:
        if isinstance(event, PeriodClosed):
            periods.append([])
        elif isinstance(event, money.InvoiceIssued):
            periods[-1].append(event.tenant)
        elif isinstance(event, money.TransactionPosted):
            posted.append(event.invoice)
    assert len(posted) == len(set(posted)) == sum(map(len, periods))
    return periods


def test_a_period_is_open_or_closed_whenever_forebay_is_killed(forebay: Killed) -> None:
    dice = random.Random(5)
    customers = [f"c{number:02d}" for number in range(CUSTOMERS)]
    for kill in range(KILLS):
        forebay.start()
        forebay.ready()
        answers: list[Any] = []

        def close(key: str = f"close-{kill}", heard: list[Any] = answers) -> None:
            try:
                heard.append(forebay.ask("POST", "/v1/periods/close", {"reason": "test"}, key))
            except (OSError, ValueError, http.client.HTTPException):
                return

        client = threading.Thread(target=close)
        client.start()
        time.sleep(dice.uniform(0.0, 0.025))  # the random point
        forebay.kill()
        client.join()
        periods = billed(told(forebay.state / "journal.sqlite"))
        assert len(periods) in {kill, kill + 1}
        assert all(period == customers for period in periods)
        assert len(periods) > kill or not answers, "it was acknowledged and is not there"

        # Asked again under the same key, it is closed once.
        forebay.start()
        forebay.ready()
        close()
        assert len(answers[-1]["invoices"]) == CUSTOMERS
        invoices = forebay.ask("GET", "/v1/invoices?limit=1000")["items"]
        assert [each["id"] for each in invoices] == [
            f"INV-{n + 1:06d}" for n in range((kill + 1) * CUSTOMERS)
        ]
        forebay.kill()
