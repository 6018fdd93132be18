"""Racks are planned beside the loop: by itself, on demand, and again where a plan went stale."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forebay.core import claims, ids
from forebay.core.claims.calendar import Stock
from forebay.server import binder
from forebay.server.binder import Binder, Planned, Wish
from tests.server.hall import HALL, SKU, later
from tests.server.rig import Rig, rigged

FELL = Stock(ids.SiteId("fell"), ids.SkuId(SKU))


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        assert made.apply(HALL, later("acme", 4), later("birch", 2)).status_code == 200
        yield made


def seq(rig: Rig) -> int:
    return int(rig.operator.get("/v1/journal/head").json()["seq"])


def feeds(rig: Rig) -> dict[str, list[int]]:
    """Racks of each tranche on each feed."""
    (stock,) = rig.operator.get("/v1/bindings").json()["stocks"]
    return {each["tranche"]: [place["nodes"] // 18 for place in each["feeds"]] for each in stock["tranches"]}


def test_what_changed_is_planned_and_then_left_alone(rig: Rig) -> None:
    assert feeds(rig) == {"acme-fell": [4], "birch-fell": [2]}
    rig.forebay.binder.settle()
    assert feeds(rig) == {"acme-fell": [2, 2], "birch-fell": [1, 1]}
    planned = rig.forebay.binder.newest()[FELL]
    assert (planned.outcome, planned.made, planned.tranches) == ("taken", 1, ("acme-fell", "birch-fell"))
    assert (planned.report.before.worst_loop, planned.report.after.worst_loop) == (36 + 36, 36 + 18)
    rebound = [
        each["body"]
        for each in rig.operator.get("/v1/journal?limit=1000").json()["items"]
        if each["kind"] == "TrancheRebound"
    ]
    assert {body["version"] for body in rebound} == {planned.report.version}
    before = seq(rig)
    rig.forebay.binder.settle()
    assert (seq(rig), rig.forebay.binder.newest()[FELL]) == (before, planned)
    # Somebody signs: the stock is another one.
    assert rig.apply(later("cedar", 1)).status_code == 200
    rig.forebay.binder.settle()
    assert rig.forebay.binder.newest()[FELL].report.version != planned.report.version


def test_it_plans_by_itself_once_nothing_comes_for_a_moment(tmp_path: Path) -> None:
    with rigged(tmp_path, binds=True) as rig:
        rebound = threading.Event()

        def look() -> None:
            if rig.forebay.binder.newest():
                rebound.set()

        assert rig.apply(HALL, later("acme", 4)).status_code == 200
        rig.forebay.tail.listen(look)
        for _ in range(60):
            # The plan is told once it is recorded: a moment later, at the next record.
            if rebound.wait(0.5):
                break
            look()
        assert feeds(rig) == {"acme-fell": [2, 2]}


class Hurried(Binder):
    """While the first plans are made, somebody else signs."""

    def __init__(self, rig: Rig, times: int) -> None:
        made = rig.forebay
        super().__init__(made.loop, made.follower, made.clock, made.tail, by_itself=False)
        self.rig = rig
        self.tenants = [f"tenant{number}" for number in range(times)]

    def _made(self, stock: Stock, wish: Wish, made: int) -> tuple[Planned, claims.ProposeBinding | None]:
        planned = super()._made(stock, wish, made)
        if self.tenants:
            # It begins once the others are over.
            assert self.rig.apply(later(self.tenants.pop(), 1, "2030-01-01")).status_code == 200
        return planned


def test_a_plan_that_went_stale_is_made_again(rig: Rig) -> None:
    planned = Hurried(rig, 2).plan(FELL, Wish(seconds=1.0))
    assert (planned.outcome, planned.made, planned.detail) == ("taken", 3, "")
    assert feeds(rig)["acme-fell"] == [2, 2]


def test_a_plan_that_goes_stale_again_and_again_is_given_up(rig: Rig) -> None:
    planned = Hurried(rig, 99).plan(FELL, Wish(seconds=0.0))
    assert (planned.outcome, planned.made, planned.tranches) == ("refused", binder.AGAIN_MAX, ())
    assert planned.detail.startswith("stale_plan: ")
    assert feeds(rig)["acme-fell"] == [4]


def test_what_only_is_shown_is_neither_taken_nor_kept(rig: Rig) -> None:
    before = seq(rig)
    planned = rig.forebay.binder.plan(FELL, Wish(seconds=0.0, dry_run=True))
    assert (planned.outcome, len(planned.tranches), seq(rig)) == ("tried", 2, before)
    assert rig.forebay.binder.newest() == {}


def test_what_runs_is_left_to_who_runs_it(rig: Rig) -> None:
    """Its racks would be spread if it had not begun; it is only asked for that by an operator."""
    rig.pass_time(40 * 86_400 * 1_000_000)
    rig.forebay.binder.settle()
    assert feeds(rig) == {"acme-fell": [4], "birch-fell": [2]}
    assert rig.forebay.binder.newest()[FELL].report.moved == 0


def test_who_has_stopped_plans_nothing(rig: Rig) -> None:
    rig.forebay.close()
    rig.forebay.binder.settle()
    assert rig.forebay.binder.newest() == {}


# Over HTTP


def solve(rig: Rig, **posted: Any) -> Any:
    return rig.operator.post(f"/v1/bindings/fell/{SKU}/solve", json=posted)


def test_a_plan_is_told_with_its_reasons(rig: Rig) -> None:
    assert rig.apply("forebay: 1\nkind: PromisePolicy\nversion: 1\nspares: feed\n").status_code == 200
    plan = solve(rig, seconds=2).json()
    assert (plan["outcome"], plan["tranches"]) == ("taken", ["acme-fell", "birch-fell"])
    assert (plan["before"]["worst_feed"], plan["after"]["worst_feed"]) == (108, 54)
    assert (plan["spares"], plan["spares_needed"], plan["spares_missing"]) == ("feed", 72, 36)
    assert {each["kind"]: each["covered"] for each in plan["domains"]} == {
        "rack": True, "row": False, "feed": False, "hall": False, "loop": False,
    }  # fmt: skip
    (stock,) = rig.operator.get(f"/v1/bindings?site=fell&sku={SKU}").json()["stocks"]
    assert stock["plan"] == plan
    assert stock["version"] != plan["version"]
    acme = stock["tranches"][0]
    assert [len(acme[name]) for name in ("racks", "rows", "feeds", "loops")] == [4, 2, 2, 2]
    assert (acme["promised"], acme["owed"], acme["bound"]) == (72, 72, 72)
    assert rig.operator.get("/v1/bindings?site=moon").json() == {"stocks": []}
    again = solve(rig, seconds=0, moves=True).json()
    assert (again["outcome"], again["how"], again["tranches"]) == ("kept", "kept", [])


#: What is posted, and what is answered.
WRONG: list[tuple[str, dict[str, Any], int, str]] = [
    (f"fell/{SKU}", {"seconds": -1}, 422, "bad_body"),
    (f"fell/{SKU}", {"seconds": 601}, 422, "bad_body"),
    (f"fell/{SKU}", {"gap_ppm": 1_000_001}, 422, "bad_body"),
    (f"fell/{SKU}", {"second": 1}, 422, "bad_body"),
    (f"moon/{SKU}", {}, 404, "not_found"),
    ("fell/h1", {}, 404, "not_found"),
]


def test_mistakes(rig: Rig) -> None:
    before = seq(rig)
    for path, posted, status, code in WRONG:
        answer = rig.operator.post(f"/v1/bindings/{path}/solve", json=posted)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert seq(rig) == before
    rig.forebay.loop.stop()
    assert solve(rig).status_code == 503
