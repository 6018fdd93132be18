"""Documents over HTTP: read and checked first, applied in an order that works, and the same again changes nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from forebay.server.composition import Permissions
from tests.server import rig as rigs
from tests.server.rig import PRICES, SITE, Rig, contract, problem, rigged

GANG = """\
forebay: 1
kind: Gang
name: train
tenant: acme
tier: dedicated
tranche: acme-t1
sku: gb300-nvl72
gpus: 4
walltime: 2h
program:
  argv: ["{python}", train.py]
"""


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        yield made


def seq(rig: Rig) -> int:
    return int(rig.operator.get("/v1/journal/head").json()["seq"])


def test_documents_are_applied_in_an_order_that_works_and_once(rig: Rig) -> None:
    texts = [GANG, contract("acme", "acme-t1"), PRICES, SITE]
    answer = rig.apply(*texts).json()
    assert [each["kind"] for each in answer["applied"]] == ["Site", "PriceList", "Contract", "Gang"]
    assert [each["changed"] for each in answer["applied"]] == [True] * 4
    assert [each["id"] for each in answer["applied"]] == ["lpp", "1", "acme-1", "acme.train"]
    rig.pass_time(rigs.HOUR)
    before = seq(rig)
    again = rig.apply(*texts).json()
    assert [each["changed"] for each in again["applied"]] == [False] * 4
    assert seq(rig) == before


def test_the_same_thing_twice_is_refused_at_both_places(rig: Rig) -> None:
    assert rig.apply(SITE, PRICES, contract("acme", "acme-t1")).status_code == 200
    before = seq(rig)
    for texts, first in (([f"{GANG}---\n{GANG}"], "0.yaml:3"), ([GANG, PRICES, GANG], "0.yaml:3")):
        body = problem(rig.apply(*texts), 409, "duplicate_id")
        (error,) = body["errors"]
        assert (
            error["detail"]
            == f"Gang acme.train stands twice in what is applied (first in {first}): one of them is meant"
        )
        assert (error["file"], error["line"]) == (("0.yaml", 15) if len(texts) == 1 else ("2.yaml", 3))
    assert "Site lpp stands twice" in problem(rig.apply(SITE, SITE), 409, "duplicate_id")["detail"]
    assert "PriceList 1 stands" in problem(rig.apply(PRICES, PRICES), 409, "duplicate_id")["detail"]
    other = GANG.replace("name: train", "name: eval")
    assert rig.apply(GANG, other).status_code == 200
    assert seq(rig) > before


@pytest.mark.parametrize("text", ["", "---\n", "# nothing but this\n"])
def test_a_file_without_a_document_is_named(rig: Rig, text: str) -> None:
    body = problem(rig.apply(SITE, text), 422, "bad_document")
    assert body["detail"] == "1.yaml: there is no document in it"


def test_a_gang_that_differs_is_refused_at_its_line(rig: Rig) -> None:
    assert rig.apply(SITE, PRICES, contract("acme", "acme-t1"), GANG).status_code == 200
    body = problem(rig.apply(GANG.replace("gpus: 4", "gpus: 8")), 409, "duplicate_id")
    assert body["errors"][0]["file"] == "0.yaml"


def test_a_dry_run_decides_and_changes_nothing(rig: Rig) -> None:
    before = seq(rig)
    answer = rig.apply(SITE, PRICES, contract("acme", "acme-t1"), GANG, dry_run=True).json()
    assert answer["dry_run"] is True
    assert [each["changed"] for each in answer["applied"]] == [True] * 4
    assert seq(rig) == before
    two = contract("acme", "acme-t1").replace("count: 1", "count: 5")
    body = problem(rig.apply(SITE, two, dry_run=True), 409, "oversold")
    assert body["applied"] == []
    assert body["errors"] == [
        {
            "pointer": "/tranches/0/count",
            "detail": body["errors"][0]["detail"],
            "code": "oversold",
            "file": "1.yaml",
            "line": 13,
            "column": 5,
        }
    ]
    assert seq(rig) == before


def test_nothing_is_applied_when_anything_cannot_be_read(rig: Rig) -> None:
    before = seq(rig)
    answer = rig.apply(SITE, PRICES.replace("4.20", "4.2000001"), GANG.replace("walltime: 2h", "walltime: 2"))
    body = problem(answer, 422, "bad_document")
    assert [(each["file"], each["line"], each["pointer"], each["code"]) for each in body["errors"]] == [
        ("1.yaml", 6, "/prices/0/price_per_gpu_hour", "too_precise"),
        ("2.yaml", 9, "/walltime", "bad_document"),
    ]
    assert seq(rig) == before


def test_nothing_is_applied_where_anything_is_refused(rig: Rig) -> None:
    before = seq(rig)
    wrong = SITE.replace("gb300-nvl72", "gb999").replace("id: lpp", "id: other").replace("{id: a,", "{id: b,")
    answer = rig.apply(SITE, PRICES, wrong.replace("utility", "u2").replace("feed: a", "feed: b"))
    body = problem(answer, 422, "unknown_sku")
    assert body["applied"] == []
    assert body["errors"][0]["line"] == 13
    # Also where both stand in one file, and where what is wrong is the last.
    two = contract("acme", "acme-t1").replace("count: 1", "count: 5")
    body = problem(rig.apply(f"{SITE}\n---\n{PRICES}\n---\n{two}"), 409, "oversold")
    assert (body["applied"], seq(rig)) == ([], before)
    assert rig.operator.get("/v1/nodes").json()["items"] == []


def test_a_key_of_a_call_that_was_refused_is_free(rig: Rig) -> None:
    two = contract("acme", "acme-t1").replace("count: 1", "count: 5")
    headers = {"Idempotency-Key": "k1"}
    for texts, status in ([SITE, two], 409), ([SITE, contract("acme", "acme-t1"), GANG], 200):
        documents = [{"name": f"{number}.yaml", "text": text} for number, text in enumerate(texts)]
        answer = rig.operator.post("/v1/documents", json={"documents": documents}, headers=headers)
        assert answer.status_code == status, answer.text
    # Asked again with its key it is answered as it was, the gang included.
    before = seq(rig)
    again = rig.operator.post("/v1/documents", json={"documents": documents}, headers=headers)
    assert (again.status_code, again.json(), seq(rig)) == (200, answer.json(), before)


def test_the_same_key_applies_once(rig: Rig) -> None:
    texts = [SITE, PRICES, contract("acme", "acme-t1"), GANG]
    documents = [{"name": f"{number}.yaml", "text": text} for number, text in enumerate(texts)]
    headers = {"Idempotency-Key": "k1"}
    first = rig.operator.post("/v1/documents", json={"documents": documents}, headers=headers)
    rig.pass_time(rigs.HOUR)
    second = rig.operator.post("/v1/documents", json={"documents": documents}, headers=headers)
    assert (first.status_code, first.json()) == (200, second.json())
    other = [documents[0] | {"text": SITE.replace("h1", "h2")}, *documents[1:]]
    problem(rig.operator.post("/v1/documents", json={"documents": other}, headers=headers), 422, "key_reused")


def test_programs_lie_where_the_operator_says(rig: Rig, tmp_path: Path) -> None:
    rig.apply(SITE, PRICES, contract("acme", "acme-t1"))
    (tmp_path / "code").mkdir()
    text = GANG + "  folder: code\n"
    document = {"name": "g.yaml", "text": text, "folder": str(tmp_path)}
    assert rig.operator.post("/v1/documents", json={"documents": [document]}).status_code == 200
    shown = rig.operator.get("/v1/gangs/acme.train").json()
    assert shown["program"]["folder"] == str((tmp_path / "code").resolve())
    relative = document | {"folder": "code"}
    problem(rig.operator.post("/v1/documents", json={"documents": [relative]}), 422, "bad_body")
    problem(rig.apply(text, client=rig.acme), 422, "bad_document")


def test_a_tenants_program_works_in_the_gangs_own_folder(rig: Rig) -> None:
    rig.apply(SITE, PRICES, contract("acme", "acme-t1"))
    assert rig.apply(GANG, client=rig.acme).status_code == 200
    assert rig.acme.get("/v1/gangs/acme.train").json()["program"]["folder"] == "/gangs/acme.train"


def test_an_installation_keeps_tenants_programs_out_unless_told_otherwise(tmp_path: Path) -> None:
    with rigged(tmp_path, permissions=Permissions()) as rig:
        rig.apply(SITE, PRICES, contract("acme", "acme-t1"))
        problem(rig.apply(GANG, client=rig.acme), 403, "forbidden")
        assert rig.apply(GANG).status_code == 200


#: body, status, code, pointer
BODIES = [
    ("{", 400, "bad_request", None),
    ("[]", 422, "bad_body", ""),
    ("{}", 422, "bad_body", ""),
    ('{"documents": 1}', 422, "bad_body", "/documents"),
    ('{"documents": [], "more": 1}', 422, "bad_body", ""),
    ('{"documents": [{"name": 1, "text": ""}]}', 422, "bad_body", "/documents/0/name"),
]


@pytest.mark.parametrize(("body", "status", "code", "pointer"), BODIES)
def test_bodies_that_are_none(rig: Rig, body: str, status: int, code: str, pointer: str | None) -> None:
    told = problem(rig.operator.post("/v1/documents", content=body), status, code)
    if pointer is not None:
        assert told["errors"][0]["pointer"] == pointer


def test_no_more_files_than_can_be(rig: Rig) -> None:
    documents = [{"name": "a", "text": ""}] * 201
    problem(rig.operator.post("/v1/documents", json={"documents": documents}), 413, "too_large")


#: A site and its schedule in one file: each names the other.
BOTH = f"""\
{SITE.replace("feed: a}", "feed: a, block: lpp-b1}")}---
forebay: 1
kind: Schedule
site: lpp
zone: UTC
milestones: [{{id: shell, planned: 2026-11-01, reached: 2026-11-20}}]
blocks: [{{id: lpp-b1, sku: gb300-nvl72, racks: 6, after: [shell]}}]
"""


def test_a_site_and_its_schedule_are_applied_at_once_and_once(rig: Rig) -> None:
    assert [each["changed"] for each in rig.apply(BOTH, dry_run=True).json()["applied"]] == [True, True]
    head, planned = BOTH.split("---\n")
    # Also from two files, whatever their order.
    answer = rig.apply(planned, head).json()
    assert [(each["kind"], each["id"], each["changed"]) for each in answer["applied"]] == [
        ("Site", "lpp", True), ("Schedule", "lpp", True),
    ]  # fmt: skip
    # It was estimated at once how sure the dates are.
    site = rig.operator.get("/v1/schedules/lpp").json()
    assert [each["id"] for each in site["blocks"]] == ["lpp-b1"]
    before = seq(rig)
    again = rig.apply(BOTH).json()
    assert [each["changed"] for each in again["applied"]] == [False, False]
    assert seq(rig) == before
    more = rig.apply(BOTH.replace("racks: 6", "racks: 7")).json()
    assert [each["changed"] for each in more["applied"]] == [False, True]


@pytest.mark.parametrize(
    ("old", "new", "code", "line", "pointer"),
    [
        ("racks: 6", "racks: 3", "block_full", 13, "/halls/0/racks/0"),
        ("after: [shell]", "after: [roof]", "unknown_milestone", 20, "/blocks/0/after"),
        ("reached: 2026-11-20", "reached: 2027-11-20", "future_fact", 19, "/milestones/0/reached"),
        ("block: lpp-b1", "block: lpp-b2", "unknown_block", 13, "/halls/0/racks/0/block"),
    ],
)
def test_of_a_site_and_its_schedule_nothing_is_applied_where_one_is_refused(
    rig: Rig, old: str, new: str, code: str, line: int, pointer: str
) -> None:
    before = seq(rig)
    body = problem(rig.apply(BOTH.replace(old, new)), 409 if code == "block_full" else 422, code)
    assert body["applied"] == []
    (error,) = body["errors"]
    assert (error["file"], error["line"]) == ("0.yaml", line)
    assert error["pointer"].startswith(pointer)
    assert seq(rig) == before


def test_the_difference_of_a_site_and_its_schedule(rig: Rig) -> None:
    posted = {"documents": [{"name": "a.yaml", "text": BOTH}]}
    told = rig.operator.post("/v1/documents/differences", json=posted).json()["documents"]
    assert [(each["kind"], each["state"], each["refused"]) for each in told] == [
        ("Site", "new", None), ("Schedule", "new", None),
    ]  # fmt: skip
    # What is refused is told of the one of both that is wrong.
    for old, new, refused in (
        ("racks: 6", "racks: 3", ["block_full", None]),
        ("after: [shell]", "after: [roof]", [None, "unknown_milestone"]),
    ):
        posted = {"documents": [{"name": "a.yaml", "text": BOTH.replace(old, new)}]}
        told = rig.operator.post("/v1/documents/differences", json=posted).json()["documents"]
        assert [each["refused"] and each["refused"]["code"] for each in told] == refused


def test_a_key_is_remembered_where_everything_was_recorded_already(rig: Rig) -> None:
    texts = [SITE, PRICES, contract("acme", "acme-t1"), GANG]
    assert rig.apply(*texts).status_code == 200
    documents = [{"name": f"{number}.yaml", "text": text} for number, text in enumerate(texts)]
    headers = {"Idempotency-Key": "k1"}
    first = rig.operator.post("/v1/documents", json={"documents": documents}, headers=headers)
    assert [each["changed"] for each in first.json()["applied"]] == [False] * 4
    # Each document with its key: asked again it changes nothing more.
    before = seq(rig)
    second = rig.operator.post("/v1/documents", json={"documents": documents}, headers=headers)
    assert (second.status_code, second.json(), seq(rig)) == (200, first.json(), before)
    for number, (old, new) in enumerate(
        (("h1", "h2"), ("4.20", "4.30"), ("2.35", "2.45"), ("gpus: 4", "gpus: 8"))
    ):
        other = list(documents)
        other[number] = documents[number] | {"text": texts[number].replace(old, new)}
        answer = rig.operator.post("/v1/documents", json={"documents": other}, headers=headers)
        problem(answer, 422, "key_reused")


CHAIN = """
forebay: 1
kind: Gang
name: %s
tenant: acme
tier: dedicated
tranche: acme-t1
sku: gb300-nvl72
gpus: 1
walltime: 1h
after: [%s]
%s
"""


def test_gangs_that_come_after_others_may_stand_before_them(rig: Rig) -> None:
    rig.apply(SITE, PRICES, contract("acme", "acme-t1"))
    chain = "---".join(
        (
            CHAIN % ("last", "{gang: many}", ""),
            CHAIN % ("many", "{gang: first}", "array: 0-1"),
            CHAIN % ("first", "", ""),
        )
    )
    applied = rig.apply(chain, client=rig.acme).json()["applied"]
    assert [each["id"] for each in applied] == ["acme.first", "acme.many", "acme.last"]
    again = rig.apply(chain, client=rig.acme).json()["applied"]
    assert [each["changed"] for each in again] == [False] * 3
    other = rig.apply(chain.replace("array: 0-1", "array: 0-2"), client=rig.acme)
    problem(other, 409, "duplicate_id")


def test_gangs_that_wait_for_each_other_are_refused_together(rig: Rig) -> None:
    rig.apply(SITE, PRICES, contract("acme", "acme-t1"))
    circle = "---".join(
        (CHAIN % ("first", "", ""), CHAIN % ("a", "{gang: b}", ""), CHAIN % ("b", "{gang: a}", ""))
    )
    told = problem(rig.apply(circle, client=rig.acme), 422, "dependency_cycle")
    assert told["errors"][0]["code"] == "dependency_cycle"
    assert "acme.a after acme.b after acme.a" in told["errors"][0]["detail"]
    assert rig.acme.get("/v1/gangs").json()["items"] == []


def test_an_array_of_programs_is_held_to_the_same_rule(tmp_path: Path) -> None:
    with rigged(tmp_path, permissions=Permissions()) as made:
        made.apply(SITE, PRICES, contract("acme", "acme-t1"))
        sweep = CHAIN % ("sweep", "", "array: 0-1\nprogram: {argv: [ls]}")
        problem(made.apply(sweep, client=made.acme), 403, "forbidden")
