"""One address that says why, of whatever has a name; and which of several is meant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.rig import Rig, gang, problem, rigged


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        made.furnish()
        yield made


def test_a_name_is_found_out(rig: Rig) -> None:
    rig.birch.post("/v1/gangs", json=gang("birch", "small", tier="on_demand", gpus=1))
    told = rig.birch.get("/v1/explain?name=birch.small").json()
    assert (told["kind"], told["gang"]) == ("gang", rig.birch.get("/v1/gangs/birch.small/explain").json())
    assert told["summary"] == told["gang"]["summary"]
    node = rig.operator.get("/v1/nodes").json()["items"][0]["name"]
    assert rig.operator.get(f"/v1/explain?name={node}").json()["kind"] == "node"


def test_what_may_not_be_seen_is_not_there(rig: Rig) -> None:
    rig.birch.post("/v1/gangs", json=gang("birch", "small", tier="on_demand", gpus=1))
    for name in ("birch.small", "nothing", "r99-n01"):
        refused = rig.acme.get(f"/v1/explain?name={name}")
        assert refused.json()["detail"] == f"there is nothing called {name} that can be explained"
        problem(refused, 404, "not_found")
    problem(rig.acme.get("/v1/explain?name=birch.small&kind=gang"), 404, "not_found")
    problem(rig.acme.get("/v1/explain?name=birch.small&kind=rack"), 422, "bad_parameter")
    problem(rig.finance.get("/v1/explain?name=birch.small"), 403, "forbidden")


def test_several_things_of_one_name(rig: Rig) -> None:
    rig.birch.post("/v1/gangs", json=gang("birch", "lab", tier="on_demand", gpus=1))
    name = "birch.lab"
    document = f"forebay: 1\nkind: Projects\ntenant: birch\nversion: 1\nprojects:\n  - id: {name}\n"
    rig.apply(document)
    refused = rig.birch.get(f"/v1/explain?name={name}")
    problem(refused, 409, "ambiguous_name")
    assert refused.json()["detail"] == f"several are called {name}: gang {name}, project birch/{name}"
    assert rig.birch.get(f"/v1/explain?name={name}&kind=project").json()["name"] == f"birch/{name}"
