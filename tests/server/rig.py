"""A forebay in memory with two tenants who must not know of each other, and clients who speak to it over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from forebay.core import ids
from forebay.engines.simulated import Fate, SimulatedEngine
from forebay.journals.memory import MemoryJournal
from forebay.loop import ports
from forebay.server import app, auth
from forebay.server.composition import Forebay, Logs, Permissions
from forebay.twin.clock import VirtualClock

#: 1 December 2026, 08:00 UTC.
START = 1_796_112_000_000_000
SECOND, HOUR = 1_000_000, 3_600_000_000
PATIENCE_S = 60.0

SITE = """\
forebay: 1
kind: Site
id: lpp
title: Lappeenranta
jurisdiction: FI
zone: Europe/Helsinki
feeds:
  - {id: utility, limit: 1.2 MW}
  - {id: a, parent: utility, limit: 600 kW}
halls:
  - id: h1
    racks:
      - {id: "r[01-04]", sku: gb300-nvl72, feed: a}
"""
PRICES = """\
forebay: 1
kind: PriceList
version: 1
currency: USD
prices:
  - {tier: on_demand, sku: gb300-nvl72, price_per_gpu_hour: 4.20}
  - {tier: spot, sku: gb300-nvl72, price_per_gpu_hour: 1.50}
"""


def contract(tenant: str, tranche: str, currency: str = "USD") -> str:
    return f"""\
forebay: 1
kind: Contract
id: {tenant}-1
seller: us
tenant: {tenant}
currency: {currency}
on_demand: true
spot: true
tranches:
  - id: {tranche}
    site: lpp
    sku: gb300-nvl72
    count: 1
    start: now
    term: 60d
    price_per_gpu_hour: 2.35
    lending: {{reclaim_deadline: 5m, owner_share: 40 %}}
"""


SCHEDULE = """\
forebay: 1
kind: Schedule
site: lpp
zone: UTC
milestones: [{id: grid, planned: 2027-06-01}, {id: shell, planned: 2027-05-01}]
blocks: [{id: lpp-b1, sku: gb300-nvl72, racks: 6, after: [grid, shell]}]
"""


def promise(tenant: str) -> str:
    """Six racks in a year, with terms for lateness, and rights of every kind that a tenant may use."""
    return f"""\
forebay: 1
kind: Contract
id: {tenant}-2
seller: us
tenant: {tenant}
currency: USD
zone: UTC
tranches:
  - id: {tenant}-far
    site: lpp
    sku: gb300-nvl72
    count: 6
    start: 2027-07-01
    term: 365d
    price_per_gpu_hour: 2.35
    late: {{grace: 10d, damages_per_gpu_day: 10, cap: 50000, longstop: 60d}}
rights:
  - {{id: {tenant}-ends, kind: termination, tranche: {tenant}-far}}
  - {{id: {tenant}-longer, kind: extension, tranche: {tenant}-far, notice: 5d, term: 30d}}
"""


def refusal(tenant: str) -> str:
    """A right of first refusal on everything."""
    return f"""\
forebay: 1
kind: Contract
id: {tenant}-3
seller: us
tenant: {tenant}
currency: USD
rights:
  - {{id: {tenant}-first, kind: refusal, notice: 5d, waiver: 10d}}
"""


def gang(tenant: str, name: str, **fields: Any) -> dict[str, Any]:
    spec = {
        "name": name,
        "tenant": tenant,
        "tier": "on_demand",
        "sku": "gb300-nvl72",
        "gpus": 4,
        "walltime": "30d",
    }
    return spec | fields


def held(name: str, tenant: str) -> dict[str, Any]:
    """A rack for a week."""
    return {
        "id": name, "tenant": tenant, "site": "lpp", "sku": "gb300-nvl72", "nodes": 18, "start": "2026-12-02",
        "end": "2026-12-09", "expires": "2026-12-08", "price_per_gpu_hour": "3.5",
    }  # fmt: skip


class PaperLogs:
    """Logs as they would be on disk, written by the test."""

    def __init__(self) -> None:
        self.written: dict[tuple[str, int], bytes] = {}

    def read_log(
        self, gang_id: str, rank: int, generation: int | None = None, offset: int = 0, limit: int = 65536
    ) -> tuple[bytes, int]:
        data = self.written[gang_id, generation or self.generations(gang_id)[-1]]
        start = max(0, len(data) + offset) if offset < 0 else offset
        part = data[start : start + limit]
        return part, start + len(part)

    def generations(self, gang_id: str) -> list[int]:
        return sorted(number for name, number in self.written if name == gang_id)


class Rig:
    """The forebay, its clock, and a client for each caller."""

    def __init__(
        self,
        state: Path,
        fates: Callable[[Any], Fate] = lambda effect: Fate(None),
        permissions: Permissions | None = None,
        logs: Logs | None = None,
        journal: ports.Journal | None = None,
        binds: bool = False,
    ) -> None:
        self.clock = VirtualClock(START)
        self.tokens = auth.Tokens(state)
        self.engine = SimulatedEngine(self.clock, fates)
        self.forebay = Forebay(
            journal or MemoryJournal(), self.tokens, lambda forebay: self.engine, clock=self.clock, logs=logs,
            work_folder=lambda gang_id: f"/gangs/{gang_id}",
            permissions=permissions or Permissions(tenant_programs=True), binds=binds,
        )  # fmt: skip
        self.forebay.start("lab")
        self.app: FastAPI = app.create(self.forebay)
        self.operator = self.client(ids.Role.OPERATOR, "op")
        self.finance = self.client(ids.Role.FINANCE, "fin")
        self.acme = self.client(ids.Role.TENANT, "a1", "acme")
        self.birch = self.client(ids.Role.TENANT, "b1", "birch")
        self.nobody = TestClient(self.app, raise_server_exceptions=False)

    def client(self, role: ids.Role, actor: str, tenant: str = "") -> TestClient:
        _, plain = self.tokens.add(role, actor, tenant)
        return TestClient(
            self.app, headers={"Authorization": f"Bearer {plain}"}, raise_server_exceptions=False
        )

    def apply(self, *texts: str, client: TestClient | None = None, **more: Any) -> Any:
        documents = [{"name": f"{number}.yaml", "text": text} for number, text in enumerate(texts)]
        return (client or self.operator).post("/v1/documents", json={"documents": documents, **more})

    def furnish(self) -> None:
        """Two tenants with a tranche, work, and an invoice each."""
        answer = self.apply(SITE, PRICES, contract("acme", "acme-t1"), contract("birch", "birch-t1"))
        assert answer.status_code == 200, answer.text
        for tenant in ("acme", "birch"):
            own = {"tier": "dedicated", "tranche": f"{tenant}-t1", "title": f"the work of {tenant}"}
            for spec in (gang(tenant, "own", **own), gang(tenant, "more", gpus=8)):
                answer = self.operator.post("/v1/gangs", json=spec)
                assert answer.status_code == 201, answer.text
        self.pass_time(HOUR)
        assert self.operator.post("/v1/periods/close").status_code == 200

    def promise(self) -> None:
        """Two tenants who go short by another's share, a hold for each, and a refusal on offer to the first."""
        assert self.apply(SCHEDULE, promise("acme")).status_code == 200
        more = {"documents": [{"name": "b.yaml", "text": promise("birch")}], "override": "a test"}
        assert self.operator.post("/v1/contracts", json=more).status_code == 200
        assert self.apply(refusal("acme"), refusal("birch")).status_code == 200
        for tenant in ("acme", "birch"):
            body = held(f"{tenant}-hold", tenant)
            assert self.operator.post("/v1/holds", json=body).status_code == 201
        for tenant, other in (("acme", "birch"), ("birch", "acme")):
            posted = {"hold": f"{other}-hold"}
            answer = self.operator.post(f"/v1/rights/{tenant}-first/offer", json=posted)
            assert answer.status_code == 200, answer.text

    def pass_time(self, length: int) -> None:
        """Let so much time pass, stopping at everything that happens meanwhile."""
        self.settle()
        end = self.clock.now() + length
        while self.clock.now() < end:
            due = [self.forebay.loop.read(lambda world: world.next_wake()).result(PATIENCE_S)]
            due.append(self.engine.next_report())
            self.clock.advance_to(min([end, *(each for each in due if each is not None)]))
            self.settle()

    def settle(self) -> None:
        """Until the loop has done all that is due now."""
        while True:
            self.forebay.nudge()
            for _ in range(2):  # a turn serves reads before it decides: the second comes after
                due = self.forebay.loop.read(lambda world: world.next_wake()).result(PATIENCE_S)
            later = [due, self.engine.next_report()]
            if all(each is None or each > self.clock.now() for each in later):
                return


@contextmanager
def rigged(state: Path, **how: Any) -> Iterator[Rig]:
    rig = Rig(state, **how)
    try:
        yield rig
    finally:
        rig.forebay.close()


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The problem details of an answer, which must be these."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), (
        answer.text
    )
    body: dict[str, Any] = json.loads(answer.text)
    assert (body["status"], body["code"], body["type"]) == (status, code, f"urn:forebay:problem:{code}"), body
    return body
