"""What a gang waits for, as lists tell it: the same as its explanation, in a word and two numbers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.rig import PRICES, SITE, Rig, contract, gang, rigged

#: fields of a gang that waits, what binds it
BOUND: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"gpus": 144}, {"code": "nodes", "level": "", "have": 32, "need": 36}),
    ({"gpus": 72, "tier": "dedicated", "tranche": "acme-t1"}, {"code": "nodes", "have": 17, "need": 18}),
]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        made.furnish()
        yield made


def listed(rig: Rig, name: str, client: Any = None) -> dict[str, Any]:
    items = (client or rig.acme).get("/v1/gangs").json()["items"]
    found: dict[str, Any] = next(each for each in items if each["id"] == name)
    return found


@pytest.mark.parametrize(("fields", "binds"), BOUND)
def test_it_is_what_the_explanation_says(rig: Rig, fields: dict[str, Any], binds: dict[str, Any]) -> None:
    assert rig.acme.post("/v1/gangs", json=gang("acme", "waits", **fields)).status_code == 201
    rig.pass_time(1)
    for client in (rig.acme, rig.operator):
        told = client.get("/v1/gangs/acme.waits/explain").json()["constraint"]
        assert listed(rig, "acme.waits", client)["waits_for"] == told
        assert told | binds | {"level": told["level"]} == told


def test_only_what_waits_waits_for_something(rig: Rig) -> None:
    assert "waits_for" not in listed(rig, "acme.own")
    assert "waits_for" not in rig.acme.get("/v1/gangs/acme.own").json()


def test_power_is_not_named_to_tenants(tmp_path: Path) -> None:
    with rigged(tmp_path) as rig:
        tight = SITE.replace("limit: 600 kW", "limit: 310 kW")
        assert rig.apply(tight, PRICES, contract("acme", "acme-t1")).status_code == 200
        assert (
            rig.acme.post("/v1/gangs", json=gang("acme", "waits", gpus=144, within="site")).status_code == 201
        )
        rig.settle()
        binds = listed(rig, "acme.waits", rig.operator)["waits_for"]
        assert (binds["code"], binds["level"]) == ("power", "feed a")
        assert listed(rig, "acme.waits")["waits_for"] == binds | {"level": ""}
