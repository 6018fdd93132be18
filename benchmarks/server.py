"""How many durable commands a second over HTTP? Sixty-four clients submit gangs to a real server on SQLite.

    python benchmarks/server.py [--clients 64] [--seconds 5] [--folder DIR]

One gang holds the plant, so that the others queue: what is timed is the command, its commit and its answer. The same
commands straight to the loop are timed by benchmarks/journal.py; both rates belong side by side.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROJECT = """
forebay: 1
kind: Site
id: bench
title: Bench
region: none
jurisdiction: FI
zone: UTC
feeds: [{id: main, limit: 1 MW}]
halls: [{id: h1, racks: [{id: r1, sku: gb300-nvl72, feed: main, nodes: 1}]}]
---
forebay: 1
kind: PriceList
version: 1
currency: USD
prices: [{tier: on_demand, sku: gb300-nvl72, price_per_gpu_hour: "6.00"}]
---
{forebay: 1, kind: Contract, id: acme-1, version: 1, seller: us, tenant: acme, currency: USD, on_demand: true}
"""
PROCESSES = 4


def gang(name: str, gpus: int = 4) -> dict[str, Any]:
    """A gang that sleeps, were it ever placed."""
    program = {"argv": ["/bin/sleep", "600"]}
    named = {"forebay": 1, "kind": "Gang", "name": name, "tenant": "acme", "tier": "on_demand"}
    return {**named, "sku": "gb300-nvl72", "gpus": gpus, "walltime": "1h", "grace": "1s", "program": program}


class Client:
    """One keep-alive connection."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def post(self, path: str, body: dict[str, Any], key: str) -> float:
        """Ask, and the seconds it took."""
        began = time.perf_counter()
        self._connection.request("POST", path, json.dumps(body), {**self._headers, "Idempotency-Key": key})
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{answer.status}: {text[:500]!r}")
        return time.perf_counter() - began


def load(port: int, token: str, part: int, clients: int, seconds: float, out: Any) -> None:
    """One process of clients."""
    took: list[float] = []

    def work(client: int) -> None:
        mine = Client(port, token)
        end = time.perf_counter() + seconds
        number = 0
        while time.perf_counter() < end:
            number += 1
            name = f"p{part}-c{client}-{number}"
            took.append(mine.post("/v1/gangs", gang(name), name))

    threads = [threading.Thread(target=work, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out.put(took)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        (folder / "project").mkdir()
        (folder / "project" / "site.yaml").write_text(PROJECT)
        state = folder / "state"
        command = [
            sys.executable,
            "-m",
            "forebay.cli.main",
            "up",
            str(folder / "project"),
            "--stay",
            "--port",
            "0",
        ]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [*command, "--state", str(state)], stdout=log, stderr=log, env=environment
            )
        try:
            measure(state, options.clients, options.seconds)
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)


def measure(state: Path, clients: int, seconds: float) -> None:
    """Wait for the server, load it, print."""
    deadline = time.monotonic() + 60
    while True:
        try:
            told = json.loads((state / "server.json").read_text())
            port = int(told["address"].rsplit(":", 1)[1].rstrip("/"))
            token = (state / "operator.token").read_text().strip()
            Client(port, token).post("/v1/gangs", gang("first"), "first")
            break
        except (OSError, ValueError, RuntimeError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    out: Any = multiprocessing.Queue()
    each = clients // PROCESSES
    parts = [
        multiprocessing.Process(target=load, args=(port, token, part, each, seconds, out))
        for part in range(PROCESSES)
    ]
    began = time.perf_counter()
    for part in parts:
        part.start()
    took = sorted(value for _ in parts for value in out.get())
    wall = time.perf_counter() - began
    for part in parts:
        part.join()
    p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    rate = len(took) / wall
    print(
        f"durable commands over HTTP   {rate:,.0f} a second, {each * PROCESSES} clients on the same machine"
    )
    print(f"  answer                     p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms")
    Client(port, token).post("/v1/gangs/acme.first/cancel", {}, "cancel")


if __name__ == "__main__":
    main()
