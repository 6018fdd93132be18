"""Readings over HTTP: each answered for itself, metered, billed; nothing lost or counted twice by a kill."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forebay.core import ids
from forebay.feeds.cloud_events import ENERGY, GPU, POWER
from forebay.journals.readings import SqliteReadings
from forebay.loop.readings import Metered, Reading, ReadingKind
from forebay.server.reading_routes import BATCH, ONE
from tests.server.rig import HOUR, START, Rig, problem, rigged

MINUTE = 60_000_000


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        made.furnish()
        yield made


def moment(minute: int) -> str:
    """RFC 3339, so many minutes after the start."""
    return f"2026-12-01T{8 + minute // 60:02d}:{minute % 60:02d}:00Z"


def event(name: str, subject: str, minute: int, kind: str = ENERGY, **data: float) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": name, "source": "bmc", "type": kind, "subject": subject,
        "time": moment(minute), "data": data,
    }  # fmt: skip


def post(rig: Rig, events: Any, media_type: str = BATCH) -> Any:
    meter = rig.client(ids.Role.METER, "m1")
    return meter.post("/v1/readings", json=events, headers={"Content-Type": media_type})


def test_each_reading_is_answered_for_itself(rig: Rig) -> None:
    answer = post(
        rig,
        [
            event("1", "r01-n01", 0, wh=1000),
            event("1", "r01-n01", 0, wh=1000),
            event("2", "r09-n01", 0, wh=1),
            event("3", "r01-n99", 0, wh=1),
            event("4", "r01-n01", 600, wh=1),
            event("5", "r01-n01", 1, POWER, watts=10**6),
            event("6", "r01", 1, POWER, watts=60_000),
            event("7", "utility", 1, wh=5),
            event("8", "r01-n01/3", 1, GPU, energy_mj=4, util=90),
            event("9", "r01-n01/4", 1, GPU, energy_mj=4),
            event("10", "r01", 1, GPU, energy_mj=4),
            event("11", "r01-n01", 2, wh=-1),
            {"id": "12"},
            event("13", "r01-n01", 3, wh=1) | {"source": "other"},
            event("14", "r01-n01", 3, wh=1) | {"time": "2026-11-20T00:00:00Z"},
        ],
    ).json()
    assert (answer["accepted"], answer["duplicate"], answer["refused"]) == (4, 1, 10)
    assert [(each["index"], each["result"], each["code"], each["field"]) for each in answer["items"]] == [
        (1, "duplicate", "", ""),
        (2, "refused", "unknown_rack", "subject"),
        (3, "refused", "unknown_node", "subject"),
        (4, "refused", "clock_ahead", "time"),
        (5, "refused", "impossible", "data.watts"),
        (9, "refused", "unknown_gpu", "subject"),
        (10, "refused", "unknown_rack", "subject"),
        (11, "refused", "impossible", "data.wh"),
        (12, "refused", "bad_event", "source"),
        (13, "refused", "other_source", "source"),
        (14, "refused", "too_late", "time"),
    ]
    assert post(rig, event("20", "r01-n01", 4, wh=1001), ONE).json()["accepted"] == 1
    assert post(rig, event("20", "r01-n01", 4, wh=1001), "application/json").json()["duplicate"] == 1
    items = rig.finance.get("/v1/readings").json()["items"]
    assert {each["source"]: each["counts"].get("accepted") for each in items} == {
        "bmc": 5, "m1": None, "other": None,
    }  # fmt: skip
    assert items[0]["counts"]["clock_ahead"] == 1


def test_who_may_and_what_is_read(rig: Rig) -> None:
    problem(rig.acme.post("/v1/readings", json=[]), 403, "forbidden")
    problem(rig.acme.get("/v1/readings"), 403, "forbidden")
    problem(rig.client(ids.Role.METER, "m2").post("/v1/gangs", json={}), 403, "forbidden")
    problem(post(rig, [], "text/plain"), 415, "bad_request")
    meter = rig.client(ids.Role.METER, "m3")
    problem(meter.post("/v1/readings", content=b"[{", headers={"Content-Type": BATCH}), 400, "bad_request")
    assert post(rig, []).json()["accepted"] == 0


def test_a_batch_that_was_stored_and_not_recorded_is_recorded_once(rig: Rig) -> None:
    """What a kill between the two steps leaves behind, and what a kill after the second leaves behind."""
    store = rig.forebay.metering.store
    node = Metered(ReadingKind.ENERGY, "r01-n01", 0, 10**6)
    store.file("bmc", [Reading("a", node, START, 5), Reading("b", node, START + MINUTE, 9)], rig.clock.now())
    assert store.pending() is not None
    assert post(rig, [event("c", "r01-n01", 2, wh=0.000_000_01)]).json()["accepted"] == 1
    assert store.pending() is None

    def told() -> tuple[int, int]:
        books = rig.forebay.loop.read(lambda world: world.state.usage.energy).result(60)
        return books.counts["bmc"], sum(each.energy_uj for each in books.nodes[ids.NodeIndex(0)].told)

    assert told() == (3, 31)
    seq = rig.forebay.loop.read(lambda world: world.seq).result(60)
    assert isinstance(store, SqliteReadings)
    store._database.execute("UPDATE batches SET recorded = 0 WHERE batch = 2")
    rig.forebay.metering.settle(rig.forebay.loop, ids.Principal("forebay", ids.Role.OPERATOR))
    assert (told(), rig.forebay.loop.read(lambda world: world.seq).result(60)) == ((3, 31), seq)


def test_any_order_and_duplicates_give_the_same_invoice(tmp_path: Path) -> None:
    """180 readings of six nodes in five minutes each: in order, and shuffled with a third of them twice."""
    nodes = [f"r01-n{n:02d}" for n in range(1, 7)]
    events = [
        event(f"{node}.{minute}", node, minute, wh=minute * (90 + place))
        for place, node in enumerate(nodes)
        for minute in range(60, 120, 2)
    ]
    bills: list[Any] = []
    for seed in (None, 1, 2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        with rigged(folder) as rig:
            rig.furnish()
            rig.pass_time(HOUR)
            sent = [*events]
            if seed is not None:
                sent = [*events, *events[::3]]
                random.Random(seed).shuffle(sent)
            for first in range(0, len(sent), 50):
                assert post(rig, sent[first : first + 50]).json()["refused"] == 0
            assert rig.operator.post("/v1/periods/close").status_code == 200
            issued = rig.operator.get("/v1/invoices").json()["items"]
            bills.append([rig.operator.get(f"/v1/invoices/{each['id']}").json() for each in issued])
    assert any(line["energy_source"] == "mixed" for bill in bills[0] for line in bill["lines"])
    assert bills[1] == bills[0]
    assert bills[2] == bills[0]
