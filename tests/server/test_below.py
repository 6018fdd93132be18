"""A part of a site over HTTP: what is told, to whom, and what is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from forebay.core import ids
from tests.server.rig import SCHEDULE, Rig, problem, rigged

PLACED = SCHEDULE.replace("after: [grid, shell]", "after: [grid, shell], hall: h1, feed: a")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        made.furnish()
        made.promise()
        yield made


def test_a_feed_with_its_site(rig: Rig) -> None:
    path = "/v1/capacity?from=2027-06-15&months=2&under=lpp/a"
    answer = rig.finance.get(path)
    body = answer.json()
    under = body["under"]
    assert (under["path"], under["kind"], under["name"], under["row"]) == ("lpp/a", "feed", "a", "")
    assert [stock["site"] for stock in body["stocks"]] == ["lpp"]
    (stock,) = under["stocks"]
    (june, july) = stock["months"]
    # Four racks stand; six are to come, nobody says on which feed.
    assert (june["supply_p50"], june["unplaced_p50"], stock["gpus_unplaced"]) == (72, 108, 108 * 4)
    assert (june["month"], june["start"]) == ("2027-06", "2027-06-15T00:00:00Z")
    # Twelve racks are promised from July on; four of them are bound, and the site has less than that.
    assert {each["tenant"] for each in stock["bound"]} == {"acme", "birch"}
    assert (july["bound"], july["unbound"]) == (72, 0)
    assert july["promisable"] == july["site_promisable"] == -36
    assert rig.finance.get(path, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    # Its site is named twice.
    assert rig.finance.get(f"{path}&site=lpp").json() == body
    # The schedule says where they come.
    assert rig.apply(PLACED).status_code == 200
    (block,) = rig.operator.get("/v1/schedules/lpp").json()["blocks"]
    assert (block["hall"], block["row"], block["feed"], block["loop"]) == ("h1", "", "a", "")
    (stock,) = rig.finance.get(path).json()["under"]["stocks"]
    assert (stock["months"][0]["supply_p50"], stock["gpus_unplaced"]) == (180, 0)
    # Ten racks are to hang on a feed that has power for less than five.
    assert (stock["months"][0]["unbound"], stock["months"][0]["powered"]) == (180, 80)


def test_parts_that_are_not_known_are_refused(rig: Rig) -> None:
    for path, code, told in (
        ("?under=moon/h1", "unknown_site", "there is no site moon (there are: lpp)"),
        (
            "?under=lpp/h2",
            "unknown_subtree",
            "no hall, feed or loop h2 at lpp (there are: halls h1; feeds a, utility)",
        ),
        ("?under=lpp/h1&site=moon", "bad_parameter", "lpp/h1 is a part of site lpp, not of moon"),
        ("?under=lpp/h1&sku=abacus", "bad_parameter", "there is no SKU abacus"),
    ):
        assert told in problem(rig.operator.get(f"/v1/capacity{path}"), 422, code)["detail"]
    block = PLACED.replace("hall: h1", "hall: h7")
    no = problem(rig.apply(block), 422, "unknown_hall")
    assert no["errors"][0]["pointer"].endswith("/blocks/0/hall")
    assert "there is no hall h7 at lpp (there are: h1)" in no["detail"]


def test_a_tenant_is_told_nothing(rig: Rig) -> None:
    client = rig.client(ids.Role.TENANT, "acme-9", "acme")
    for path in ("lpp/h1", "lpp/nowhere"):
        told = problem(client.get(f"/v1/capacity?under={path}"), 403, "forbidden")
        assert "h1" not in told["detail"]
