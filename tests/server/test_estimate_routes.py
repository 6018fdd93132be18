"""What was learned of run times: each sees its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from forebay.core.units import SECOND_US
from forebay.server import estimate_routes
from tests.core.placements.test_likely import TEN, taught
from tests.core.plant import OPERATOR, tenant
from tests.server.rig import Rig, problem, rigged


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        made.furnish()
        yield made


def test_books_and_error_of_each_tenant_to_whom_they_belong() -> None:
    driver = taught(*TEN)
    for name, seconds, user in (("sooner", 60, ""), ("longer", 8000, ""), ("one", 10, "u1")):
        driver.run(name, 8 if not user else 1, walltime_s=0, user=user)
        driver.until(driver.at + seconds * SECOND_US).end(name)
    seen = estimate_routes.estimates_seen(driver.world, OPERATOR)
    assert (seen["learned"], seen["ends_least"]) == (True, 10)
    (acme,) = seen["items"]
    assert acme["tenant"] == "acme"
    assert [(each["user"], each["gpus_from"], each["gpus_to"], each["ends"], each["tells"])
            for each in acme["run_times"]] == [
        ("", 0, 0, 13, True), ("", 1, 1, 1, False), ("u1", 1, 1, 1, False), ("", 8, 15, 12, True),
    ]  # fmt: skip
    # Of thirteen, seven ended within 112 s, and twelve within 5120 s.
    assert (acme["run_times"][0]["p50_s"], acme["run_times"][0]["p90_s"]) == (112, 5120)
    error = acme["error"]
    assert (error["judged"], error["longer"]) == (3, 1)
    assert error["longer_s"] == 8000 - 1024
    assert error["sooner_s"] > 0
    assert estimate_routes.estimates_seen(driver.world, tenant("acme"))["items"] == [acme]
    assert estimate_routes.estimates_seen(driver.world, OPERATOR, "bravo")["items"] == []
    assert estimate_routes.estimates_seen(driver.world, tenant("bravo"))["items"] == []


def test_nothing_was_learned(rig: Rig) -> None:
    body = rig.acme.get("/v1/estimates").json()
    assert body == {"learned": False, "ends_least": 10, "items": []}
    problem(rig.finance.get("/v1/estimates"), 403, "forbidden")
