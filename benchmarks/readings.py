"""What does it cost to take in readings: decode, store, meter, record?

    python benchmarks/readings.py [--readings 10000000]

A counter on each of 1,000 nodes, read every minute, ten readings of each node in a batch; each batch is decoded from
CloudEvents, checked, stored durably, metered, and decided by the World, where gangs hold every node. Every 20th
reading comes a batch late. Making the events is not counted. Each size is a process of its own.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
sys.path.insert(0, str(Path(__file__).parents[1]))

from forebay.core import ids, supply
from forebay.feeds import cloud_events
from forebay.journals.readings import SqliteReadings
from forebay.loop.readings import ReadingKind
from forebay.server.metering import Metering, meter_of
from forebay.twin.clock import VirtualClock
from tests.core import plant

#: What is aimed at for ten million.
TARGET_S, TARGET_MB = 120, 2048
SIZES = (100_000, 1_000_000)
NODES, EACH = 1000, 10
METER = ids.Principal("bench", ids.Role.METER)
MINUTE_US = 60_000_000


class Direct:
    """The World, asked without a loop; events are dropped."""

    def __init__(self, driver: plant.Driver) -> None:
        self.world, self.at = driver.world, driver.at

    def submit(self, asked: ids.Asked) -> Future[ids.Answer | ids.Refusal]:
        """Decide at once."""
        done: Future[ids.Answer | ids.Refusal] = Future()
        done.set_result(self.world.handle(asked, self.at).answer)
        return done


def bodies(names: list[str], start: int, count: int) -> Iterator[tuple[int, bytes]]:
    """Batches as they are posted, and when the last reading in each was made."""
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    late: list[str] = []
    for first in range(0, count // len(names), EACH):
        events = late
        waiting: list[str] = []
        for minute in range(first, first + EACH):
            moment = (epoch + dt.timedelta(microseconds=start + minute * MINUTE_US)).isoformat()
            for place, name in enumerate(names):
                event = (
                    f'{{"specversion":"1.0","id":"{minute:08d}{place:05d}","source":"bench","type":'
                    f'"{cloud_events.ENERGY}","subject":"{name}","time":"{moment}","data":{{"wh":{minute * 90}}}}}'
                )
                (waiting if (minute * 7 + place) % 20 == 0 else events).append(event)
        late = waiting
        yield start + (first + EACH) * MINUTE_US, f"[{','.join(events)}]".encode()


def fleet() -> plant.Driver:
    """A thousand nodes with a gang on each rack."""
    driver = plant.plant()
    racks = [plant.rack(f"b{number}", on="f9") for number in range(NODES // 4)]
    driver.ask(
        supply.ApplySite(plant.site("big", (plant.feed("f9", 10**8),), (plant.hall("big-h1", *racks),)))
    )
    for number in range(NODES // 4):
        driver.run(f"g{number}", 32, walltime_s=40 * 86_400)
    return driver


def measure(count: int) -> None:
    """Take in so many readings, and print what it cost."""
    driver = fleet()
    known = driver.world.state.supply
    names = [supply.node_name(known, node) for node in range(known.nodes - NODES, known.nodes)]
    clock = VirtualClock(driver.at)
    recorder = Direct(driver)
    spent, batches, taken = 0.0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteReadings(Path(folder) / "readings.sqlite")
        metering = Metering(store, clock)
        for at, body in bodies(names, driver.at, count):
            clock.advance_to(at)
            recorder.at = at
            began = time.perf_counter()
            told = cloud_events.batch_of(body)
            meters = {
                (ReadingKind.ENERGY, name): meter_of(driver.world, ReadingKind.ENERGY, name) for name in names
            }
            outcomes = metering.take(recorder, meters, told, METER)
            spent += time.perf_counter() - began
            batches += 1
            taken += sum(each.result == "accepted" for each in outcomes)
            assert taken, outcomes[0]
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        store.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(
        f"{taken:>11,} readings in {batches:,} batches: {spent:6.1f} s, {taken / spent:9,.0f}/s, "
        f"{memory:,} MB of memory, {size >> 20:,} MB on disk",
        flush=True,
    )
    if count >= 10_000_000:
        verdict = "met" if spent < TARGET_S and memory < TARGET_MB else "not met"
        print(f"target of {TARGET_S} s and {TARGET_MB} MB: {verdict}")


def main() -> None:
    """Measure each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=0)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.here:
        measure(said.readings)
        return
    for size in (said.readings,) if said.readings else SIZES:
        subprocess.run([sys.executable, __file__, "--here", "--readings", str(size)], check=True)


if __name__ == "__main__":
    main()
