"""What the tests of the command line share: run it for real, in a state folder of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forebay.cli import hosting
from forebay.core import ids, supply
from forebay.core.world import OpenWorld, World
from forebay.journals import sqlite
from forebay.loop import codec
from forebay.server import listening
from forebay.server.composition import Permissions

ROOT = Path(__file__).resolve().parents[2]
OPERATOR = ids.Principal("operator", ids.Role.OPERATOR)
#: 2026-11-22T08:00:00Z
START = 1_795_334_400_000_000


@dataclass(frozen=True)
class Ran:
    """How one command line ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.out, self.err
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Shell:
    """Runs `forebay` as a process, away from whatever worlds this machine has."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.worlds = home / "state" / "forebay"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
            "PYTHONPATH": str(ROOT / "src"),
            "TZ": "UTC",
            "LANG": "C.UTF-8",
        }
        if "PYTHONDONTWRITEBYTECODE" in os.environ:
            self.environment["PYTHONDONTWRITEBYTECODE"] = "1"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "forebay.cli.main", *arguments]

    def __call__(
        self, *arguments: str, cwd: Path | None = None, timeout_s: float = 60, **environment: str
    ) -> Ran:
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment | environment,
            cwd=cwd or self.home,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """The same, still running; output and messages in one stream."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment | environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def write_journal(folder: Path) -> Path:
    """A journal of two commands in a state folder: a world opened, and a SKU catalogued."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "journal.sqlite"
    journal = sqlite.SqliteJournal(path)
    world, writer, digest = World(), codec.Codec(World.EVENTS), codec.GENESIS
    sku = supply.Sku(ids.SkuId("x1"), "X1", 4, 2, 10_000, 1_000, 1_000, 2)
    for number, asked in enumerate((OpenWorld(folder.name), supply.ApplyCatalogue((sku,)))):
        seq = world.seq
        outcome = world.handle(ids.Asked(asked, OPERATOR), START + number)
        records = writer.encode(seq, digest, START + number, f"c{seq + 1}", OPERATOR, 0, outcome.events)
        journal.append(seq, records)
        digest = records[-1].digest
    journal.close()
    return path


#: A site of two racks, a customer with a tranche that may be lent, one without, and prices.
DOCUMENTS = """
forebay: 1
kind: Site
id: lab-1
jurisdiction: FI
feeds:
  - {id: main, limit: 1 MW}
halls:
  - id: hall
    racks:
      - {id: 'r[01-02]', sku: gb300-nvl72, feed: main, nodes: 2}
---
forebay: 1
kind: Contract
id: acme-1
seller: us
tenant: acme
currency: USD
tranches:
  - id: acme-t1
    site: lab-1
    sku: gb300-nvl72
    unit: node
    count: 2
    start: now
    term: 30d
    price_per_gpu_hour: 2.00
    lending: {reclaim_deadline: 20s, owner_share: 40 %}
---
forebay: 1
kind: Contract
id: birch-1
seller: us
tenant: birch
currency: USD
on_demand: true
spot: true
---
forebay: 1
kind: PriceList
version: 1
currency: USD
prices:
  - {tier: on_demand, sku: gb300-nvl72, price_per_gpu_hour: 4}
  - {tier: spot, sku: gb300-nvl72, price_per_gpu_hour: 1}
"""
#: Prints who it is, and ends.
HELLO = "import os; print('hello from rank', os.environ['RANK'])"
#: Runs until it is asked to stop.
SLEEP = "import time; print('asleep', flush=True); time.sleep(600)"


class Lab:
    """A world with a server in this process, some work done and invoiced, and some that runs or waits."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.state = shell.worlds / "lab"
        self.state.mkdir(parents=True, mode=0o700)
        options = listening.Options(
            self.state, port=0, world="lab", permissions=Permissions(tenant_programs=True)
        )
        self.host = hosting.Host(options, any_port=False)
        self.client = self.host.client("")
        self.client.post("/v1/documents", {"documents": [{"name": "lab.yaml", "text": DOCUMENTS}]})
        self.submit("acme", "hello", "acme-t1", 2, HELLO)
        self.submit("birch", "hello", "", 1, HELLO)
        self.wait("acme.hello", "ended")
        self.wait("birch.hello", "ended")
        self.client.post("/v1/periods/close", {"reason": "test"})
        self.submit("acme", "long", "acme-t1", 4, SLEEP)
        self.submit("birch", "long", "", 2, SLEEP)
        self.submit("birch", "large", "", 8, SLEEP)
        self.wait("acme.long", "running")
        self.wait("birch.long", "running")
        self.tokens = {tenant: self._token(tenant) for tenant in ("acme", "birch")}

    def _token(self, tenant: str) -> str:
        path = self.shell.home / f"{tenant}.token"
        assert (
            self.shell("token", "create", "--role", "tenant", "--tenant", tenant, "-o", str(path)).status == 0
        )
        return str(path)

    def submit(self, tenant: str, name: str, tranche: str, gpus: int, program: str) -> None:
        tier = "dedicated" if tranche else "on_demand"
        body = {
            "name": name,
            "tenant": tenant,
            "tier": tier,
            "sku": "gb300-nvl72",
            "gpus": gpus,
            "walltime": "6h",
        }
        body |= {"grace": "2s", "program": {"argv": ["{python}", "-c", program]}}
        self.client.post("/v1/gangs", body | ({"tranche": tranche} if tranche else {}))

    def wait(self, gang: str, phase: str) -> None:
        """Until the gang is in that phase; told by events, not by the clock."""
        after = 0
        for _ in range(200):
            if self.client.get(f"/v1/gangs/{gang}")["phase"] == phase:
                return
            after = self.client.get("/v1/events", after=after, wait=1, limit=1000)["next_after"]
        raise AssertionError(f"{gang} is not {phase}: {self.client.get(f'/v1/gangs/{gang}')}")

    def as_tenant(self, tenant: str, *arguments: str) -> Ran:
        """The command line of somebody who has a tenant's token and nothing else."""
        return self.shell("--server", self.host.address, "--token-file", self.tokens[tenant], *arguments)

    def close(self) -> None:
        self.client.close()
        self.host.stop_work(lambda count: None)
        self.host.close()
