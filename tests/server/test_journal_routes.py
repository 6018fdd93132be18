"""The journal over HTTP: pages, and a long poll that is answered as soon as there is something."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from forebay.loop import codec, ports
from forebay.server.tail import Tail
from tests.server.rig import PATIENCE_S, Rig, gang, problem, rigged


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        made.furnish()
        yield made


def test_the_journal_reads_whole_in_pages(rig: Rig) -> None:
    whole = rig.operator.get("/v1/journal?limit=1000").json()
    assert whole["next_after"] is None
    paged: list[Any] = []
    after: int | None = 0
    while after is not None:
        page = rig.operator.get(f"/v1/journal?after={after}&limit=3").json()
        paged += page["items"]
        after = page["next_after"]
    assert paged == whole["items"]
    assert [each["seq"] for each in paged] == list(range(1, len(paged) + 1))
    head = rig.operator.get("/v1/journal/head").json()
    assert (head["seq"], head["digest"]) == (paged[-1]["seq"], paged[-1]["digest"])
    assert paged[0]["body"] == {"name": "lab"}
    assert rig.operator.get(f"/v1/journal?after={head['seq']}").json() == {"items": [], "next_after": None}
    digest = codec.GENESIS
    for record in rig.forebay.journal.read():
        digest = codec.chain(digest, record.data)
    assert digest.hex() == head["digest"]


def test_events_are_told_as_they_come(rig: Rig) -> None:
    seq = rig.operator.get("/v1/journal/head").json()["seq"]
    assert rig.operator.get(f"/v1/events?after={seq}").json() == {"items": [], "next_after": seq}
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(rig.operator.get, f"/v1/events?after={seq}&wait=60")
        assert rig.acme.post("/v1/gangs", json=gang("acme", "x")).status_code == 201
        body = answer.result(PATIENCE_S).json()
    assert body["items"][0]["kind"] == "GangSubmitted"
    assert body["next_after"] == body["items"][-1]["seq"]


def test_a_wait_ends_when_forebay_closes(rig: Rig) -> None:
    seq = rig.operator.get("/v1/journal/head").json()["seq"]
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(rig.operator.get, f"/v1/events?after={seq}&wait=60")
        while not answer.done():
            rig.forebay.tail.wake()
        assert answer.result(PATIENCE_S).json() == {"items": [], "next_after": seq}


@pytest.mark.parametrize("query", ["after=-1", "wait=61", "limit=0", "after=x"])
def test_parameters_that_cannot_be(rig: Rig, query: str) -> None:
    problem(rig.operator.get(f"/v1/events?{query}"), 422, "bad_parameter")


def test_a_tail_tells_everybody_until_they_leave() -> None:
    tail = Tail(3)
    heard: list[str] = []
    first = tail.listen(lambda: heard.append("first"))
    tail.listen(lambda: heard.append("second"))
    tail.publish([ports.Stored(4, b"", b""), ports.Stored(5, b"", b"")])
    tail.leave(first)
    tail.wake()
    assert tail.seq == 5
    assert heard == ["first", "second", "second"]
