"""A journal of every release, that every later one must read: `python -m tests.recorded.make 0.1.0`.

Made once, when a release is; never made again, whatever the code becomes. A folder holds `records.txt` (the bytes of
each record, one a line), `digest` (the chain's, hex) and `end.json` (what the World must know at the end of it).
`shapes.txt` has a line for each version of each kind of event; lines are added, never changed.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from forebay.core import claims, ids, money, supply
from forebay.core.ids import Effect
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import Ending, Tier
from forebay.core.units import DAY_US, MICROS
from forebay.core.world import World
from forebay.journals.memory import MemoryJournal
from forebay.loop import codec, ports, schema
from forebay.twin.clock import VirtualClock
from forebay.twin.driver import Twin
from tests.core import plant, story
from tests.core.plant import EDGE, LENT, Driver

FOLDER = Path(__file__).parent
SHAPES = FOLDER / "shapes.txt"


# The story


def told() -> Driver:
    """Three months at one provider, and then whatever those did not have: every kind of event is in it."""
    driver = story.told()
    _sign(driver)
    _reclaim_overdue(driver)
    _correct(driver)
    _use_names_again(driver)
    return driver.later(days=40)


def _sign(driver: Driver) -> None:
    """Another seller and another currency, clauses, a tranche of nodes at the other site."""
    nodes = plant.tranche(
        "south-1", 3, site="south", unit=claims.Unit.NODE, start_at=driver.at, end_at=driver.at + 90 * DAY_US,
        price_micros_per_gpu_hour=1_234_567, lending=LENT,
    )  # fmt: skip
    clauses = (
        claims.Clause("Uptime of 99 % of a month", claims.Coverage.WATCHED),
        claims.Clause("Délai de préavis", claims.Coverage.NOT_HANDLED),
    )
    driver.ask(claims.SignContract(plant.contract("c3", "carol", nodes, seller="them", clauses=clauses)))
    driver.ask(claims.SignContract(plant.contract("c4", "dora", currency="EUR", spot=False)))
    driver.ask(money.ApplyPriceList(plant.prices(3, 5 * MICROS, 0, currency="EUR")), plant.FINANCE)


def _reclaim_overdue(driver: Driver) -> None:
    """A borrower does not leave in time, and its owner gives up waiting."""
    driver.run("dora.fails", 8, tenant="dora", sites=("north",), restarts_max=0)
    driver.run("fills-south", 8, tenant="bravo", sites=("south",), walltime_s=3600)
    driver.run("carol.own", 8, tenant="carol", tranche="south-1")
    driver.run("borrows", 16, tenant="bravo", tier=Tier.SPOT, sites=("south",), walltime_s=86_400)
    program = gangs.Program(("python3", "train.py", "é \U0001f600"), {"LR": "3e-4"}, "/srv", 500, 10**9)
    wants = plant.spec("carol.wants", 16, tenant="carol", tranche="south-1", program=program, title="Größer")
    driver.ask(gangs.SubmitGang(wants), plant.tenant("carol"), "carol-1")
    driver.later(400).cancel("carol.wants")
    driver.end("borrows", Ending.LOST)
    driver.end("carol.own", Ending.UNSTARTABLE)
    failed = gangs.ReportGangEnded(
        ids.GangId("dora.fails"), 1, driver.at, "sim", Ending.FAILED, 3, -9, "rank 3 was killed"
    )
    driver.ask(failed, EDGE)


def _correct(driver: Driver) -> None:
    """News of a node, and of a gang's end, that come after their period was closed."""
    node = driver.world.state.claims.tranches[ids.TrancheId("south-1")].runs[0][0]
    driver.later(hours=4).close()
    driver.later(hours=1).fail(node, ago_s=2 * 3600)
    driver.end("fills-south", Ending.STOPPED, ago_s=3 * 3600)
    driver.cordon(node + 1)
    driver.later(hours=3).recover(node, ago_s=600)
    driver.uncordon(node + 1)


def _use_names_again(driver: Driver) -> None:
    driver.close()
    driver.run("carol.own", 8, tenant="carol", tranche="south-1", restarts_max=0)
    driver.later(60).end("carol.own", Ending.COMPLETED)
    driver.ask(supply.ApplyCatalogue((plant.sku("small", gpus_per_node=1),)), key="catalogue")


# The recording


class _Idle:
    """An edge that does nothing: what it would report is in the story."""

    def release(self, effects: Sequence[Effect]) -> None: ...

    def resync(self, desired: Sequence[Effect]) -> None: ...

    def reports(self, at: int) -> list[ids.Asked]:
        return []

    def acknowledge(self, reports: Sequence[ids.Asked]) -> None: ...

    def next_report(self) -> int | None:
        return None


def recorded(driver: Driver) -> tuple[list[ports.Stored], World]:
    """The journal that the loop writes when it is asked the same at the same instants, and its World."""
    clock = VirtualClock(driver.asked[0][0])
    twin = Twin(clock, _Idle(), MemoryJournal())
    for at, asked in driver.asked:
        twin.run_until(at)
        clock.advance_to(at)
        twin.step(asked)
    twin.run_until(driver.at + 1)
    return list(twin.journal.read()), twin.world


def facts(world: World) -> dict[str, Any]:
    """What a recording is held to: as JSON."""
    state = world.state
    return {
        "seq": world.seq,
        "now": world.now,
        "invoices": {
            name: [issued.seller, issued.number, issued.tenant, issued.currency, issued.total_minor]
            for name, issued in state.money.invoices.items()
        },
        "balances": {
            f"{account} {currency}": micros for (account, currency), micros in state.money.balances.items()
        },
        "gangs": {
            gang.spec.id: [gang.phase.value, gang.generation] for gang in state.placements.gangs.values()
        },
        "tranches": {
            name: [tranche.standing.value, tranche.gpus] for name, tranche in state.claims.tranches.items()
        },
        "nodes_failed": sorted(state.supply.failed),
        "next_wake": world.next_wake(),
    }


def shape(kind: type[ids.Event]) -> str:
    """SHA-256 (hex) of the names and types of all that is recorded with a kind of event."""
    return hashlib.sha256(schema.describe(kind).encode()).hexdigest()


def known_shapes() -> dict[tuple[str, int], str]:
    """(kind, version) -> its shape, as kept."""
    lines = SHAPES.read_text(encoding="utf-8").splitlines() if SHAPES.exists() else []
    return {(kind, int(version)): known for kind, version, known in map(str.split, lines)}


def main(version: str) -> None:
    """Write the folder of a release, and the shapes that are new in it."""
    folder = FOLDER / version
    folder.mkdir()
    records, world = recorded(told())
    (folder / "records.txt").write_bytes(b"".join(record.data + b"\n" for record in records))
    _, digest = codec.verify(records)
    (folder / "digest").write_text(digest.hex() + "\n", encoding="utf-8")
    (folder / "end.json").write_text(json.dumps(facts(world), indent=1) + "\n", encoding="utf-8")
    shapes = {(kind.__name__, kind.VERSION): shape(kind) for kind in World.EVENTS} | known_shapes()
    text = "".join(f"{kind} {number} {known}\n" for (kind, number), known in sorted(shapes.items()))
    SHAPES.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
