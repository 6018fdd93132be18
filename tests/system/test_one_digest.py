"""One input, two hosts: the server with its threads, HTTP and SQLite, and the twin; both give one digest."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from starlette.testclient import TestClient

from forebay.core import ids
from forebay.core.placements import gang as gangs
from forebay.core.units import SECOND_US
from forebay.core.world import World
from forebay.engines.simulated import Fate, SimulatedEngine
from forebay.journals.digest import DigestJournal
from forebay.journals.sqlite import SqliteJournal
from forebay.server import app, auth, composition
from forebay.twin.clock import VirtualClock
from forebay.twin.driver import Twin

START = 1_800_000_000 * SECOND_US

SITE = """
forebay: 1
kind: Site
id: lab
title: A small site
region: north
jurisdiction: FI
zone: Europe/Helsinki
feeds: [{id: main, limit: 1 MW}]
halls:
  - id: h1
    racks:
      - {id: r1, sku: gb300-nvl72, feed: main, nodes: 4}
      - {id: r2, sku: gb300-nvl72, feed: main, nodes: 4}
---
forebay: 1
kind: PriceList
version: 1
currency: USD
prices:
  - {tier: on_demand, sku: gb300-nvl72, price_per_gpu_hour: "6.00"}
  - {tier: spot, sku: gb300-nvl72, price_per_gpu_hour: "2.25"}
---
forebay: 1
kind: Contract
id: acme-1
version: 1
seller: us
tenant: acme
currency: USD
tranches:
  - {id: t1, site: lab, sku: gb300-nvl72, unit: node, count: 4,
     start: 2027-01-15T08:00:00Z, end: 2027-02-15T00:00:00Z,
     price_per_gpu_hour: "2.35", lending: {reclaim_deadline: 60s, owner_share: 50 %}}
---
forebay: 1
kind: Contract
id: beta-1
version: 1
seller: us
tenant: beta
currency: USD
on_demand: true
spot: true
"""


def fate(effect: gangs.RunGang) -> Fate:
    """Some finish, some fail once, some run until they are stopped."""
    if effect.gang.endswith("fails") and effect.generation == 1:
        return Fate(40 * SECOND_US, gangs.Ending.FAILED, 2, -9, "rank 2 was killed")
    if effect.gang.endswith("long"):
        return Fate(None, stop_us=5 * SECOND_US)
    return Fate(90 * SECOND_US)


class Noting(World):
    """A World that writes down what it is asked and told, by people and by the engine, in the order it hears it."""

    heard: ClassVar[list[tuple[int, ids.Asked]]] = []

    def handle(self, asked: ids.Asked, at: int) -> ids.Outcome:
        self.heard.append((at, asked))
        return super().handle(asked, at)


class Silent:
    """An engine that does nothing: what the other one reported is among what is asked."""

    def release(self, effects: Sequence[ids.Effect]) -> None:
        """Nothing is made true."""

    def resync(self, desired: Sequence[ids.Effect]) -> None:
        """Nothing is made true."""

    def reports(self, at: int) -> list[ids.Asked]:
        """Nothing is seen."""
        return []

    def acknowledge(self, reports: Sequence[ids.Asked]) -> None:
        """Nothing was reported."""

    def next_report(self) -> int | None:
        """Never."""
        return None


class Server:
    """The live server on a clock that the test moves; its World writes down what it hears."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        self.clock = VirtualClock(START)
        self.engine = SimulatedEngine(self.clock, fate)
        Noting.heard.clear()
        tokens = auth.Tokens(folder)
        self.forebay = composition.Forebay(
            SqliteJournal(folder / "journal.sqlite"), tokens, lambda forebay: self.engine, clock=self.clock,
            machine=Noting,
        )  # fmt: skip
        self.forebay.start("lab")
        tokens.first_operator()
        plain = (folder / "operator.token").read_text().strip()
        self.http = TestClient(app.create(self.forebay), headers={"Authorization": f"Bearer {plain}"})

    def turn(self) -> None:
        """Wait until the loop has done what is due now."""
        for _ in range(3):
            self.forebay.loop.nudge()
            self.forebay.loop.read(lambda world: None).result(10)

    def run_until(self, at: int) -> None:
        """Let time pass as it does in the twin: from one thing that happens to the next."""
        while True:
            self.turn()
            due = [
                self.forebay.loop.read(lambda world: world.next_wake()).result(10),
                self.engine.next_report(),
            ]
            known = [when for when in due if when is not None]
            if not known or min(known) >= at:
                break
            self.clock.advance_to(min(known))
        self.clock.advance_to(at)

    def post(self, path: str, body: dict[str, Any], key: str) -> None:
        """Ask over HTTP."""
        answer = self.http.post(path, json=body, headers={"Idempotency-Key": key})
        assert answer.status_code < 300, answer.text


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "state")
    yield made
    made.forebay.close()


def gang(name: str, tenant: str, tier: str, gpus: int, **more: Any) -> dict[str, Any]:
    """A gang document."""
    document = {
        "forebay": 1,
        "kind": "Gang",
        "name": name,
        "tenant": tenant,
        "tier": tier,
        "sku": "gb300-nvl72",
    }
    return {**document, "gpus": gpus, "walltime": "1h", **more}


def test_server_and_twin_give_one_digest_for_one_input(server: Server) -> None:
    server.post("/v1/documents", {"documents": [{"name": "site.yaml", "text": SITE}]}, "documents")
    server.run_until(START + 5 * SECOND_US)
    server.post("/v1/gangs", gang("fails", "acme", "dedicated", 8, tranche="t1"), "1")
    # Two at one instant, from two threads: the order in which they were heard is what was written down.
    both = [
        threading.Thread(target=server.post, args=("/v1/gangs", gang(name, "beta", tier, 8), name))
        for name, tier in (("od", "on_demand"), ("borrower-long", "spot"))
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    server.run_until(START + 20 * SECOND_US)
    server.post("/v1/gangs", gang("filler", "beta", "on_demand", 8, restarts=0), "2")
    server.post("/v1/gangs", gang("lent-long", "beta", "spot", 8, grace="10s"), "3")
    server.run_until(START + 30 * SECOND_US)
    server.post("/v1/gangs", gang("wants", "acme", "dedicated", 8, tranche="t1"), "4")
    server.run_until(START + 300 * SECOND_US)
    server.post("/v1/periods/close", {"reason": "test"}, "5")
    server.turn()
    seq, digest = server.forebay.journal.head()

    clock = VirtualClock(START)
    twin = Twin(clock, Silent(), DigestJournal())
    for at, asked in list(Noting.heard):
        twin.run_until(at)
        clock.advance_to(at)
        twin.step(asked)
    assert twin.journal.head() == (seq, digest)
    kinds = {record.data.split(b'"', 2)[1] for record in server.forebay.journal.read()}
    assert {b"LoanReclaimed", b"GangEnded", b"InvoiceIssued"} <= kinds
