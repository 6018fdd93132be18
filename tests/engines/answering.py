"""A local engine in a process of its own, whose heartbeats are answered: run with its state folder and a lease."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from forebay.engines.local import LocalEngine
from tests.engines.local_bench import run_gang, shell


def main(state: str, lease_s: int) -> None:
    """Answer as the loop does, for as long as this process is let."""
    engine = LocalEngine(Path(state), "node-{}".format, lambda: None, heartbeat_s=0.1)
    engine.release([run_gang("a", 1, shell("exec sleep 60"), grace_s=0, lease_s=lease_s)])
    while True:
        engine.acknowledge(engine.reports(0))
        time.sleep(0.05)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
