"""What holds for every address: keys, tags, pages, and what is said when forebay cannot decide."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from forebay.loop import ports
from tests.loop.rig import Fault, FaultyJournal
from tests.server.rig import Rig, gang, problem, rigged


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        made.furnish()
        yield made


def test_a_key_is_answered_once_and_for_one_body(rig: Rig) -> None:
    key = {"Idempotency-Key": "order-1"}
    first = rig.acme.post("/v1/gangs", json=gang("acme", "k"), headers=key)
    assert first.headers["location"] == "/v1/gangs/acme.k"
    again = rig.acme.post("/v1/gangs", json=gang("acme", "k"), headers=key)
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (201, {"gang": "acme.k"})
    problem(rig.acme.post("/v1/gangs", json=gang("acme", "k", gpus=8), headers=key), 422, "key_reused")
    # Keys are a tenant's own.
    assert rig.birch.post("/v1/gangs", json=gang("birch", "k"), headers=key).status_code == 201
    for wrong in ("", "x" * 201):
        answer = rig.acme.post("/v1/gangs", json=gang("acme", "w"), headers={"Idempotency-Key": wrong})
        problem(answer, 422, "bad_key")


def test_a_node_fails_once_for_a_key_although_time_goes_on(rig: Rig) -> None:
    key = {"Idempotency-Key": "broken"}
    first = rig.operator.post("/v1/nodes/r04-n01/fail", json={"reason": "fan"}, headers=key)
    rig.pass_time(1_000_000)
    assert (
        rig.operator.post("/v1/nodes/r04-n01/fail", json={"reason": "fan"}, headers=key).json()
        == first.json()
    )
    assert first.json() == {"node": "r04-n01", "changed": True}
    problem(rig.operator.post("/v1/nodes/r04-n02/fail", headers=key), 422, "key_reused")
    node = next(each for each in _all(rig, "/v1/nodes?limit=1000") if each["name"] == "r04-n01")
    assert (node["healthy"], node["reason"]) == (False, "fan")
    # News that is older than what is known changes nothing.
    since = {"effective_at": "2026-12-01T07:59:00Z"}
    assert rig.operator.post("/v1/nodes/r04-n01/restore", json=since).json()["changed"] is False
    assert rig.operator.post("/v1/nodes/r04-n01/restore").json()["changed"] is True
    problem(rig.operator.post("/v1/nodes/r04-n01/restore", json={"effective_at": "soon"}), 422, "bad_body")
    problem(rig.operator.post("/v1/nodes/r99-n01/fail"), 404, "not_found")
    problem(rig.operator.post("/v1/nodes/r04-n01/fail", json={"reason": "x" * 501}), 422, "bad_body")


def test_nodes_are_cordoned_and_told_whether_that_was_news(rig: Rig) -> None:
    key = {"Idempotency-Key": "c1"}
    told = [
        rig.operator.post(f"/v1/nodes/r04-n02/{verb}", json={"reason": "fan"}).json()["changed"]
        for verb in ("cordon", "cordon", "uncordon", "uncordon", "drain")
    ]
    assert told == [True, False, True, False, True]
    told = [rig.operator.post("/v1/nodes/r04-n03/cordon", headers=key).json()["changed"] for _ in range(2)]
    assert told == [True, True]
    # What changed nothing is answered the same again too, though meanwhile it would change something.
    key = {"Idempotency-Key": "c2"}
    assert rig.operator.post("/v1/nodes/r04-n03/cordon", headers=key).json()["changed"] is False
    rig.operator.post("/v1/nodes/r04-n03/uncordon")
    assert rig.operator.post("/v1/nodes/r04-n03/cordon", headers=key).json()["changed"] is False
    problem(rig.operator.post("/v1/nodes/r04-n01/cordon", headers=key), 422, "key_reused")


def _all(rig: Rig, path: str) -> list[dict[str, object]]:
    items: list[dict[str, object]] = rig.operator.get(path).json()["items"]
    return items


def test_tags_tell_what_has_changed(rig: Rig) -> None:
    shown = rig.acme.get("/v1/gangs/acme.more")
    tag = shown.headers["etag"]
    same = rig.acme.get("/v1/gangs/acme.more", headers={"If-None-Match": f'"x", {tag}'})
    assert (same.status_code, same.headers["etag"], same.content) == (304, tag, b"")
    problem(rig.acme.post("/v1/gangs/acme.more/cancel", headers={"If-Match": '"old"'}), 412, "stale")
    assert rig.acme.post("/v1/gangs/acme.more/cancel", headers={"If-Match": tag}).status_code == 200
    problem(rig.acme.post("/v1/gangs/acme.more/cancel", headers={"If-Match": tag}), 412, "stale")
    rig.pass_time(1_000_000)
    assert rig.acme.get("/v1/gangs/acme.more").json()["phase"] == "ended"
    problem(rig.acme.post("/v1/gangs/acme.more/cancel", headers={"If-Match": "*"}), 409, "already_ended")


#: a list, and how many it holds at least
LISTS = [("gangs", 4), ("nodes", 72), ("contracts", 2), ("tranches", 2), ("prices", 1), ("invoices", 2)]


@pytest.mark.parametrize(("path", "count"), LISTS)
def test_pages_hold_everything_once(rig: Rig, path: str, count: int) -> None:
    whole = _all(rig, f"/v1/{path}?limit=1000")
    assert len(whole) == count
    paged: list[object] = []
    url: str | None = f"/v1/{path}?limit=1" if count < 10 else f"/v1/{path}?limit=30"
    while url is not None:
        answer = rig.operator.get(url)
        paged += answer.json()["items"]
        link = answer.headers.get("link")
        assert (link is None) is (answer.json()["next_cursor"] is None)
        url = None if link is None else link.removeprefix("<").removesuffix('>; rel="next"')
    assert paged == whole


def test_pages_keep_their_filter(rig: Rig) -> None:
    answer = rig.operator.get("/v1/gangs?tenant=acme&phase=running&limit=1")
    assert "tenant=acme" in answer.headers["link"]
    assert "phase=running" in answer.headers["link"]
    assert rig.operator.get("/v1/gangs?phase=pending").json()["items"] == []


@pytest.mark.parametrize("cursor", ["x", "WyIvdjEvbm9kZXMiLCAxXQ", "bnVsbA", "[]", "%00", "é"])
def test_cursors_that_are_not_ours(rig: Rig, cursor: str) -> None:
    problem(rig.operator.get("/v1/gangs", params={"cursor": cursor}), 422, "bad_cursor")


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "phase=asleep"])
def test_parameters_that_cannot_be(rig: Rig, query: str) -> None:
    body = problem(rig.operator.get(f"/v1/gangs?{query}"), 422, "bad_parameter")
    assert body["errors"][0]["pointer"] == "/" + query.partition("=")[0]


@pytest.mark.parametrize("may_have_landed", [True, False])
def test_what_is_said_when_forebay_cannot_decide(may_have_landed: bool, tmp_path: Path) -> None:
    journal = FaultyJournal()
    with rigged(tmp_path, journal=journal) as rig:
        rig.furnish()
        journal.plan = [Fault(ports.JournalError("the disk is gone", may_have_landed))]
        journal.head_error = ports.JournalError("the disk is gone")
        body = problem(rig.acme.post("/v1/gangs", json=gang("acme", "x")), 503, "unavailable")
        assert body["may_have_landed"] is may_have_landed
        assert ("same Idempotency-Key" in body["detail"]) is may_have_landed
        assert rig.nobody.get("/healthz").json() == {"status": "failing"}


def test_a_forebay_that_has_closed_says_so(rig: Rig) -> None:
    rig.forebay.close()
    problem(rig.acme.post("/v1/gangs", json=gang("acme", "x")), 503, "unavailable")
    problem(rig.acme.get("/v1/status"), 503, "unavailable")
    problem(rig.operator.get("/v1/journal/head"), 503, "unavailable")
