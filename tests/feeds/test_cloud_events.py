"""CloudEvents that are readings, and each way in which one is not."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from forebay.feeds import cloud_events
from forebay.feeds.cloud_events import ENERGY, GPU, POWER, Fault, ReadingTold
from forebay.loop.readings import ReadingKind


def event(**more: Any) -> dict[str, Any]:
    known = {
        "specversion": "1.0", "id": "7", "source": "bmc", "type": ENERGY, "subject": "r1-n01",
        "time": "1970-01-01T01:00:00.5+01:00", "data": {"wh": 2},
    }  # fmt: skip
    return known | more


def read(**more: Any) -> ReadingTold | Fault:
    return cloud_events.event_of(json.dumps(event(**more)).encode())


def test_each_kind_of_reading() -> None:
    assert read() == ReadingTold("bmc", "7", ReadingKind.ENERGY, "r1-n01", 500_000, 7_200_000_000, 0)
    assert read(data={"joules": 0.000001}) == ReadingTold(
        "bmc", "7", ReadingKind.ENERGY, "r1-n01", 500_000, 1, 0
    )
    assert read(type=POWER, data={"watts": 12.9}, datacontenttype="application/json") == ReadingTold(
        "bmc", "7", ReadingKind.POWER, "r1-n01", 500_000, 0, 12
    )
    gpu = read(type=GPU, specversion="1.0.2", data={"energy_mj": 3, "util": 100})
    assert gpu == ReadingTold("bmc", "7", ReadingKind.GPU, "r1-n01", 500_000, 3000, 100)
    without = read(type=GPU, data={"energy_mj": 3})
    assert isinstance(without, ReadingTold)
    assert without.gauge == 0


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"type": "other"}, "unknown_type", "type"),
        ({"specversion": "0.3"}, "bad_event", "specversion"),
        ({"id": ""}, "bad_event", "id"),
        ({"source": "x" * 201}, "bad_event", "source"),
        ({"subject": 5}, "bad_event", "subject"),
        ({"time": "1970-01-01T01:00:00"}, "bad_event", "time"),
        ({"time": "yesterday"}, "bad_event", "time"),
        ({"data": {}}, "bad_event", "data.joules"),
        ({"data": {"wh": "much"}}, "bad_event", "data.wh"),
        ({"type": POWER}, "bad_event", "data.watts"),
        ({"type": GPU, "data": {"energy_mj": 9223372036854775794}}, "sentinel", "data.energy_mj"),
        ({"type": GPU, "data": {"energy_mj": 1, "util": 2147483632}}, "sentinel", "data.util"),
        ({"data": {"wh": -1}}, "impossible", "data.wh"),
        ({"data": {"wh": 2**62}}, "impossible", "data.wh"),
        ({"type": GPU, "data": {"energy_mj": 1, "util": 101}}, "impossible", "data.util"),
    ],
)
def test_what_is_no_reading(wrong: dict[str, Any], code: str, field: str) -> None:
    found = read(**wrong)
    assert isinstance(found, Fault)
    assert (found.code, found.field) == (code, field)


def test_one_bad_event_does_not_lose_the_others() -> None:
    missing = event()
    del missing["source"]
    found = cloud_events.batch_of(json.dumps([event(), missing, event(id="8")]).encode())
    assert [type(each) for each in found] == [ReadingTold, Fault, ReadingTold]
    assert isinstance(found[1], Fault)
    assert found[1].field == "source"
    with pytest.raises(msgspec.DecodeError):
        cloud_events.batch_of(b"[{]")
    with pytest.raises(msgspec.DecodeError):
        cloud_events.event_of(b"{")
