"""A forebay whose clock stands still, served to the command line: what it prints can be compared to the letter.

The deal is small and nobody's: one site that stands half and is built out, one that is to come, two customers with
tranches, terms for lateness and rights.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import uvicorn

from forebay.core import ids
from tests.cli.rig import Ran, Shell
from tests.server.rig import Rig

GOLDEN = Path(__file__).parent / "golden"
#: Racks of 2 nodes with 4 GPUs each: figures that can be checked by hand.
DEAL = """\
forebay: 1
kind: Catalogue
skus:
  - {id: duo, title: Two nodes, gpus_per_node: 4, nodes_per_rack: 2, rack_power: 100 kW, base_power: 10 kW,
     gpu_power: 10 kW, healthy_nodes: 2}
---
forebay: 1
kind: Site
id: fjord
title: The fjord
region: north
jurisdiction: NO
feeds: [{id: fjord-main, limit: 50 MW}]
halls: []
---
forebay: 1
kind: Schedule
site: fjord
zone: UTC
pue: 1.25
milestones:
  - {id: first-hall, planned: 2026-11-01, reached: 2026-11-15}
  - {id: grid, kind: grid, planned: 2027-05-01}
  - {id: racks, planned: 2027-04-01}
  - {id: acceptance, after: [grid, racks], duration: 30d}
power:
  - {id: fjord-line, kind: grid, contracted: 2 MW, connected: 1.5 MW, start: first-hall}
  - {id: fjord-upgrade, kind: grid, contracted: 8 MW, start: grid}
blocks:
  - {id: fjord-b1, sku: duo, racks: 10, after: [first-hall]}
  - {id: fjord-b2, sku: duo, racks: 40, after: [acceptance]}
---
forebay: 1
kind: Site
id: mesa
title: The mesa
region: south
jurisdiction: US
feeds: [{id: mesa-main, limit: 50 MW}]
halls: []
---
forebay: 1
kind: Schedule
site: mesa
zone: UTC
milestones:
  - {id: permit, planned: 2027-02-01}
  - {id: plant, after: [permit], duration: {p50: 365d, p90: 500d}}
blocks:
  - {id: mesa-b1, sku: duo, racks: 100, after: [plant]}
---
forebay: 1
kind: PromisePolicy
version: 1
"""
#: The first block stands: once its schedule is known.
STANDS = """\
forebay: 1
kind: Site
id: fjord
title: The fjord
region: north
jurisdiction: NO
feeds: [{id: fjord-main, limit: 50 MW}]
halls:
  - id: fjord-h1
    racks: [{id: 'f[01-10]', sku: duo, feed: fjord-main, block: fjord-b1}]
"""
CONTRACTS = """\
forebay: 1
kind: Contract
id: acme-1
seller: us
tenant: acme
currency: USD
zone: UTC
tranches:
  - id: acme-fjord
    site: fjord
    sku: duo
    count: 30
    start: 2027-07-01
    term: 1000d
    price_per_gpu_hour: 4.00
    late: {grace: 10d, damages_per_gpu_day: 20, cap: 100000, longstop: 60d}
rights:
  - {id: acme-ends, kind: termination, tranche: acme-fjord}
  - {id: acme-goes-on, kind: extension, tranche: acme-fjord, notice: 90d, term: 365d}
---
forebay: 1
kind: Contract
id: birch-1
seller: us
tenant: birch
currency: EUR
zone: UTC
tranches:
  - {id: birch-fjord, site: fjord, sku: duo, count: 10, start: 2027-08-01, term: 500d, price_per_gpu_hour: 5}
caps:
  - {id: more, amount: 15000000000}
rights:
  - {id: birch-call, kind: call, site: mesa, sku: duo, racks: 20, racks_min: 5, cap: more, price_per_gpu_hour: 4,
     notice: 30d, opens: 2028-06-01, expires: 2028-12-01, term: 365d}
  - {id: birch-first, kind: refusal, site: mesa, notice: 10d, waiver: 20d, opens: 2026-01-01, expires: 2030-01-01}
"""
#: More than there will be at the fjord.
TOO_MUCH = """\
forebay: 1
kind: Contract
id: cedar-1
seller: us
tenant: cedar
currency: USD
zone: UTC
tranches:
  - {id: cedar-fjord, site: fjord, sku: duo, count: 15, start: 2027-09-01, term: 365d, price_per_gpu_hour: 3}
"""


class Desk:
    """The server, its clock, and the command line of each role."""

    def __init__(self, home: Path) -> None:
        self.shell = Shell(home)
        state = home / "desk"
        state.mkdir()
        self.rig = Rig(state)
        for text in (DEAL, STANDS, CONTRACTS):
            answer = self.rig.apply(text)
            assert answer.status_code == 200, answer.text
        self.tokens = {
            name: self._token(role, tenant)
            for name, role, tenant in (
                ("operator", ids.Role.OPERATOR, ""),
                ("finance", ids.Role.FINANCE, ""),
                ("acme", ids.Role.TENANT, "acme"),
                ("birch", ids.Role.TENANT, "birch"),
            )
        }
        settings = uvicorn.Config(self.rig.app, "127.0.0.1", 0, log_level="error", lifespan="off")
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.01)
            assert self._thread.is_alive(), "the server did not start"
        ((host, port, *_),) = [each.getsockname() for each in self._server.servers[0].sockets]
        self.address = f"http://{host}:{port}"

    def _token(self, role: ids.Role, tenant: str) -> str:
        name = tenant or role.value
        _, plain = self.rig.tokens.add(role, name, tenant)
        path = self.shell.home / f"{name}.token"
        path.write_text(plain + "\n")
        return str(path)

    def __call__(self, *arguments: str, by: str = "operator", **more: Any) -> Ran:
        return self.shell("--server", self.address, "--token-file", self.tokens[by], *arguments, **more)

    def file(self, name: str, text: str) -> str:
        """A file for the command line to read."""
        path = self.shell.home / name
        path.write_text(text)
        return str(path)

    def seq(self) -> int:
        """The last record: grows with whatever is recorded."""
        return int(self.rig.operator.get("/v1/journal/head").json()["seq"])

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self.rig.forebay.close()


def golden(name: str, told: str) -> None:
    """What is printed is as the file says. Where a change is meant, FOREBAY_GOLDEN=write writes it anew."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("FOREBAY_GOLDEN") == "write":
        path.write_text(told, encoding="utf-8")
    assert told == path.read_text(encoding="utf-8"), f"{path.name} differs"
