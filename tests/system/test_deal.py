"""The reference deal: every file of it loads, its second part in three readings, and both sides of its first part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forebay.cli import what_if
from forebay.feeds import folder
from tests.cli.rig import ROOT
from tests.server.rig import Rig, problem, rigged

DEAL = ROOT / "examples" / "deal"
CUSTOMER = DEAL / "customer"
PROVIDER = "forebay: 1\nkind: Estate\nparty: provider\n"


def texts(path: Path) -> list[str]:
    """The documents of a folder as `forebay up` applies them."""
    return [file.text for file in folder.Folder.read(path).files]


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Rig]:
    state = tmp_path / "provider"
    state.mkdir()
    with rigged(state) as made:
        answer = made.apply(*texts(DEAL))
        assert answer.status_code == 200, answer.text
        yield made


@pytest.fixture
def customer(tmp_path: Path) -> Iterator[Rig]:
    """Its World, with the very file that the provider signed."""
    state = tmp_path / "customer"
    state.mkdir()
    with rigged(state) as made:
        answer = made.apply(*texts(CUSTOMER), (DEAL / "contracts.yaml").read_text())
        assert answer.status_code == 200, answer.text
        yield made


def what_if_signed(rig: Rig, reading: str) -> dict[str, Any]:
    text = (DEAL / "second_part" / f"{reading}.yaml").read_text()
    posted = {"documents": [{"name": f"{reading}.yaml", "text": text}], "months": 48}
    answer = rig.operator.post("/v1/what-if/sign", json=posted)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_the_second_part_in_three_readings(provider: Rig) -> None:
    """Of 600 racks in Birmingham a refusal leaves all to be promised, a call 200, and a backstop is a floor."""
    told = {name: what_if_signed(provider, name) for name in ("refusal", "call", "backstop")}
    assert told["refusal"]["capacity"] == []
    racks = {
        name: {
            (change["site"], change["before"]["promisable"] // 18, change["after"]["promisable"] // 18)
            for change in body["capacity"]
            if change["before"]["supply_p90"] == change["after"]["supply_p90"] == 600 * 18
        }
        for name, body in told.items()
    }
    assert racks["call"] == {("birmingham", 600, 200)}
    assert racks["backstop"] == {("birmingham", 600, 600)}
    months = told["backstop"]["capacity"]
    assert {change["before"]["backstop"] for change in months} == {0}
    assert {change["after"]["backstop"] // 18 for change in months} == {600}
    assert what_if.what_if_text(told["refusal"], "racks", False).endswith(
        "what can be promised stays as it is"
    )
    assert "600  -> 200" in what_if.what_if_text(told["call"], "racks", False)
    assert "BACKSTOP" in what_if.what_if_text(told["backstop"], "racks", False)
    # Each may be signed, and a sale to somebody else meets only the refusal.
    sale = (DEAL / "too_much" / "acme-2.yaml").read_text().replace("lappeenranta", "birmingham")
    sale = sale.replace("count: 400", "count: 150").replace("2027-09-01", "2029-09-01")
    posted = {"documents": [{"name": "sale.yaml", "text": sale}]}
    for reading, allowed in (("backstop", True), ("call", True), ("refusal", False)):
        assert provider.apply((DEAL / "second_part" / f"{reading}.yaml").read_text()).status_code == 200
        answer = provider.operator.post("/v1/what-if/sign", json=posted)
        assert answer.status_code == (200 if allowed else 409)
    problem(provider.operator.post("/v1/contracts", json=posted), 409, "first_refusal")


def test_both_sides_of_the_first_part(provider: Rig, customer: Rig) -> None:
    # Who we are may be said later, as long as no contract changes sides by it.
    assert provider.apply(PROVIDER).status_code == 200
    problem(provider.apply(PROVIDER.replace("provider", "big-lab").replace("Estate", "Estate\nversion: 2")), 409,
            "side_changes")  # fmt: skip
    notice = {"expected_at": "2027-10-31", "received_at": "2026-11-20", "reason": "the shell slips"}
    for rig in (provider, customer):
        answer = rig.operator.post("/v1/tranches/big-lab-fi/deliveries/1/notice", json=notice)
        assert answer.status_code == 200, answer.text
    told = [rig.operator.get("/v1/contracts/big-lab-1/entitlements").json() for rig in (provider, customer)]
    assert told[0] == told[1]
    # 34,560 GPUs for 49 days and 20 hours after 10 of grace, at 21.60 a day.
    assert told[0]["late"][0]["damages"] == {"amount": "37200384.00", "currency": "USD"}


def test_the_customer_promises_its_team_what_it_rents(customer: Rig) -> None:
    text = (CUSTOMER / "teams" / "training.yaml").read_text()
    assert customer.apply(text).status_code == 200
    body = customer.operator.get("/v1/suppliers?from=2028-06-02&months=1").json()
    shares = {each["supplier"]: each["gpus_p90"] for each in body["months"][0]["suppliers"]}
    assert shares == {"": 43_200, "provider": 480 * 72 + 200 * 72, "second-cloud": 1290 * 72}
    more = text.replace("training", "serving").replace("count: 450", "count: 31")
    problem(customer.apply(more), 409, "oversold")
    regions = customer.operator.post(
        "/v1/quotes", json={"skus": ["vr-nvl72"], "racks": 30, "term": "100d", "jurisdictions": ["FI"]}
    ).json()["items"]
    assert [(each["site"], each["start"]) for each in regions] == [("lappeenranta", "2027-09-01T04:00:00Z")]
