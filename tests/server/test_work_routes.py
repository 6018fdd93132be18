"""Gangs over HTTP: submitting, what a rank wrote, and cancelling."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forebay.engines.simulated import Fate
from tests.server.rig import HOUR, PaperLogs, Rig, gang, problem, rigged


@pytest.fixture
def logs() -> PaperLogs:
    return PaperLogs()


@pytest.fixture
def rig(tmp_path: Path, logs: PaperLogs) -> Iterator[Rig]:
    def fate(effect: Any) -> Fate:
        return Fate(2 * HOUR if effect.gang == "acme.short" else None)

    with rigged(tmp_path, logs=logs, fates=fate) as made:
        made.furnish()
        yield made


#: fields that are changed, pointer, words
MISTAKES: list[tuple[dict[str, Any], str, str]] = [
    ({"gpus": 0}, "/gpus", "a whole number"),
    ({"gpus": 1.5}, "/gpus", "a whole number"),
    ({"walltime": 60}, "/walltime", "a duration"),
    ({"colour": "red"}, "/colour", "has no field"),
    ({"tier": "gold"}, "/tier", "is not one of these"),
    ({"program": {"argv": "ls"}}, "/program/argv", "a list is meant"),
    ({"program": {"argv": ["ls"], "folder": "x"}}, "/program/folder", "no folder may be named"),
    ({"sku": "none"}, "/sku", "is not in the catalogue"),
    ({"gpus": 1000}, "/gpus", "1000 GPUs"),
    ({"tier": "dedicated", "tranche": "none"}, "/tranche", "no tranche"),
]


@pytest.mark.parametrize(("fields", "pointer", "words"), MISTAKES)
def test_a_mistake_is_told_at_its_field(rig: Rig, fields: dict[str, Any], pointer: str, words: str) -> None:
    answer = rig.acme.post("/v1/gangs", json=gang("acme", "x") | fields)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert words in error["detail"]


def test_a_gang_is_a_tenants_own_by_default(rig: Rig) -> None:
    spec = gang("acme", "x")
    del spec["tenant"]
    assert rig.acme.post("/v1/gangs", json=spec).json() == {"gang": "acme.x"}
    assert rig.operator.post("/v1/gangs", json=spec).status_code == 422
    problem(rig.acme.post("/v1/gangs", json=spec), 409, "duplicate_id")


def log(rig: Rig, query: str = "") -> dict[str, Any]:
    answer = rig.acme.get(f"/v1/gangs/acme.own/logs{query}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_log_is_followed_without_losing_a_letter(rig: Rig, logs: PaperLogs) -> None:
    assert log(rig) == {"text": "", "next_offset": 0, "ended": False, "generation": 0}
    whole = "Jyväskylä € 😀\n" * 3
    logs.written["acme.own", 1] = whole.encode()
    text, offset = "", 0
    while offset < len(whole.encode()):
        part = log(rig, f"?offset={offset}&limit=5&generation=1")
        assert part["next_offset"] > offset
        text, offset = text + part["text"], part["next_offset"]
    assert text == whole
    assert log(rig, "?offset=-2")["text"].endswith("\n")
    logs.written["acme.own", 1] = b"\xff\xfe ok"
    assert log(rig)["text"] == "\ufffd\ufffd ok"


def test_a_log_that_ends_says_so(rig: Rig, logs: PaperLogs) -> None:
    logs.written["acme.own", 1] = b"one\n"
    assert log(rig)["ended"] is False
    rig.acme.post("/v1/gangs/acme.own/cancel")
    rig.pass_time(HOUR)
    assert log(rig) == {"text": "one\n", "next_offset": 4, "ended": True, "generation": 1}
    assert log(rig, "?limit=2")["ended"] is False
    logs.written["acme.own", 1] = "å".encode()[:1]
    assert log(rig) == {"text": "\ufffd", "next_offset": 1, "ended": True, "generation": 1}


#: query, words
NOT_THERE = [
    ("rank=9", "there is no rank 9 of acme.own: its ranks are 0 to 3"),
    ("rank=4", "its ranks are 0 to 3"),
    ("generation=7", "there is no start 7 of acme.own: it was started once"),
]


@pytest.mark.parametrize(("query", "words"), NOT_THERE)
def test_a_log_that_there_cannot_be(rig: Rig, logs: PaperLogs, query: str, words: str) -> None:
    logs.written["acme.own", 1] = b"one\n"
    answer = rig.acme.get(f"/v1/gangs/acme.own/logs?{query}")
    assert words in problem(answer, 422, "bad_parameter")["detail"]


def test_a_gang_that_has_run_can_be_told(rig: Rig) -> None:
    rig.acme.post("/v1/gangs", json=gang("acme", "short"))
    rig.pass_time(3 * HOUR)
    assert rig.acme.get("/v1/gangs/acme.short").json()["phase"] == "ended"
    told = rig.acme.get("/v1/gangs/acme.short/explain").json()
    assert told["summary"] == "It is over: every rank finished."
    rig.acme.post("/v1/gangs", json=gang("acme", "full", gpus=144))
    waits = rig.acme.get("/v1/gangs/acme.full/explain").json()
    assert waits["constraint"]["code"] == "nodes"
    assert waits["expected_start"] is None or waits["expected_start"].endswith("Z")


def test_without_logs_there_are_none(tmp_path: Path) -> None:
    with rigged(tmp_path) as rig:
        rig.furnish()
        problem(rig.acme.get("/v1/gangs/acme.own/logs"), 404, "no_logs")


def test_an_array_is_one_thing_over_http(rig: Rig) -> None:
    body = gang("acme", "sweep") | {"array": "0-3%2", "gpus": 1}
    assert rig.acme.post("/v1/gangs", json=body).json() == {"gang": "acme.sweep", "gangs": 4}
    (array,) = rig.acme.get("/v1/arrays").json()["items"]
    assert array["id"] == "acme.sweep"
    assert (array["gangs"], array["at_most"], array["phases"]["pending"]) == (4, 2, 2)
    waits = {each["id"]: each.get("waits_for", {}).get("code") for each in of(rig, "array=acme.sweep")}
    assert waits == {
        "acme.sweep.0": None,
        "acme.sweep.1": None,
        "acme.sweep.2": "array",
        "acme.sweep.3": "array",
    }
    assert {each["id"] for each in of(rig, "members=false")} == {"acme.own", "acme.more"}
    after = gang("acme", "last") | {"after": [{"gang": "sweep", "when": "ended"}]}
    assert rig.acme.post("/v1/gangs", json=after).status_code == 201
    last = next(each for each in of(rig, "members=false") if each["id"] == "acme.last")
    assert last["after"] == [{"gang": "acme.sweep", "when": "ended"}]
    assert last["waits_for"] == {"code": "dependency", "level": "", "have": 0, "need": 1}
    # Another's arrays are as if there were none.
    assert rig.birch.get("/v1/arrays").json()["items"] == []
    problem(rig.birch.post("/v1/gangs/acme.sweep/cancel", json={}), 404, "not_found")
    answer = rig.acme.post("/v1/gangs/acme.sweep/cancel", json={}).json()
    assert (answer["gang"], answer["gangs"]) == ("acme.sweep", 4)


def of(rig: Rig, query: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = rig.acme.get(f"/v1/gangs?{query}").json()["items"]
    return items
