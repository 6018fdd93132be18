"""The reference deal: every file of it loads, its second part in three readings, and both sides of its first part.

Its tables are held against its documents in tests/feeds/test_tables.py; its stories are told by the tutorial.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from forebay.cli import scenario, what_if
from forebay.core import claims
from forebay.feeds import commands, coverage, folder, reading
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
    """Its World, with the very file that the provider signed, and the index that one of its prices follows."""
    state = tmp_path / "customer"
    state.mkdir()
    with rigged(state) as made:
        shared = [(DEAL / name).read_text() for name in ("power_index.yaml", "contracts.yaml")]
        answer = made.apply(*texts(CUSTOMER), *shared)
        assert answer.status_code == 200, answer.text
        yield made


def what_if_signed(rig: Rig, reading: str) -> dict[str, Any]:
    text = (DEAL / "second_part" / f"{reading}.yaml").read_text()
    posted = {"documents": [{"name": f"{reading}.yaml", "text": text}], "months": 48}
    answer = rig.operator.post("/v1/what-if/sign", json=posted)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def plan_of(path: Path) -> claims.ContractPlan:
    (document,) = reading.documents(path.read_text(), path.name)
    signed = commands.command_of(document, commands.Setting(0)).command
    assert isinstance(signed, claims.SignContract)
    return signed.plan


#: Files beside those that `up` applies: whose World, what goes before, and for what each is refused; "" for nothing.
ALONE = [
    ("second_part/refusal.yaml", "provider", (), ""),
    ("second_part/call.yaml", "provider", (), ""),
    ("second_part/backstop.yaml", "provider", (), ""),
    ("too_much/acme-2.yaml", "provider", (), "oversold"),
    ("too_much/acme-3.yaml", "provider", (), ""),
    ("first_racks/hall.yaml", "provider", (), ""),
    ("first_racks/amendment.yaml", "provider", ("first_racks/hall.yaml",), ""),
    ("customer/teams/training.yaml", "customer", (), ""),
]


def test_every_file_is_read_by_somebody() -> None:
    applied = {path for root in (DEAL, CUSTOMER) for path in root.glob("*.yaml")}
    assert set(DEAL.rglob("*.yaml")) == applied | {DEAL / name for name, *_ in ALONE}
    for root in (DEAL, CUSTOMER):
        assert scenario.load(root / "scenario.yaml").as_of


@pytest.mark.parametrize("whose", ["provider", "customer"])
def test_all_files_once_more_change_nothing(whose: str, request: pytest.FixtureRequest) -> None:
    rig: Rig = request.getfixturevalue(whose)
    shared = [(DEAL / name).read_text() for name in ("power_index.yaml", "contracts.yaml")]
    files = texts(DEAL) if whose == "provider" else [*texts(CUSTOMER), *shared]
    before = rig.operator.get("/v1/journal/head").json()
    answer = rig.apply(*files)
    assert answer.status_code == 200, answer.text
    assert [each for each in answer.json()["applied"] if each["changed"]] == []
    assert len(answer.json()["applied"]) >= len(files)
    assert rig.operator.get("/v1/journal/head").json() == before


@pytest.mark.parametrize(("name", "whose", "beside", "code"), ALONE, ids=[each[0] for each in ALONE])
def test_a_file_that_is_applied_later(
    name: str, whose: str, beside: tuple[str, ...], code: str, request: pytest.FixtureRequest
) -> None:
    answer = request.getfixturevalue(whose).apply(*((DEAL / each).read_text() for each in (*beside, name)))
    if code:
        problem(answer, 409, code)
    else:
        assert answer.status_code == 200, answer.text


def test_the_contract_says_what_one_of_its_size_says() -> None:
    plan = plan_of(DEAL / "contracts.yaml")
    told = coverage.covered(plan)
    assert [each.term for each in told.modelled] == [
        "capacity for a term at a price", "late", "acceptance", "operation", "service", "maintenance", "price steps",
        "deliveries", "index", "right of termination", "right of extension", "relief", "remedies", "payments",
        "Dedicated racks",
    ]  # fmt: skip
    assert (len(told.watched), len(told.not_handled)) == (3, 5)
    fees = sum(
        each.count * 72 * (each.end_at - each.start_at) // 3_600_000_000 * each.price_micros_per_gpu_hour
        for each in plan.tranches
    )
    # 11.9 billion before the lower price of two years: 34,560 GPUs for 730.5 days at 0.10 less.
    assert fees // 10**15 == 11
    assert round(fees / 10**15, 1) == 11.9


def test_the_amendment_says_the_same_and_adds_eight_racks(provider: Rig) -> None:
    first, second = (plan_of(DEAL / name) for name in ("contracts.yaml", "first_racks/amendment.yaml"))
    assert replace(first, version=2, tranches=(*first.tranches, second.tranches[-1])) == second
    texts = [(DEAL / "first_racks" / name).read_text() for name in ("hall.yaml", "amendment.yaml")]
    assert provider.apply(*texts).status_code == 200
    results = {
        "burn_in_hours": "96", "all_reduce_gb_per_s": "352", "storage_gb_per_s": "14", "healthy_nodes_per_rack": "18",
    }  # fmt: skip
    where = "/v1/deliveries/big-lab-first"
    posted = {"count": 8, "results": results}
    refused = problem(provider.operator.post(f"{where}/ready", json=posted), 422, "test_failed")
    assert "all_reduce_gb_per_s" in refused["detail"]
    again = posted | {"results": results | {"all_reduce_gb_per_s": "374"}}
    answer = provider.operator.post(f"{where}/ready", json=again)
    assert answer.status_code == 200, answer.text
    answer = provider.operator.post(f"{where}/accept", json={"notice": 1})
    assert answer.status_code == 200, answer.text
    told = provider.operator.get(where).json()
    assert [part["life"] for part in told["parts"]] == ["accepted"]


def test_what_the_slip_costs_and_an_override_on_the_record(provider: Rig) -> None:
    shell = provider.operator.get("/v1/schedules/lappeenranta").json()
    (before,) = [each["date"] for each in shell["milestones"] if each["id"] == "shell-1"]
    moved = datetime.datetime.fromisoformat(before) + datetime.timedelta(days=60)
    answer = provider.operator.post(
        "/v1/schedules/lappeenranta/milestones/shell-1/forecast",
        json={"forecast_at": moved.isoformat(), "reason": "a winter without concrete"},
    )
    assert answer.status_code == 200, answer.text
    told = provider.operator.get("/v1/shortfalls").json()["items"]
    # Until 17 September: a fifth of a day's fee for 5 days and 20 hours after grace; acme's contract is silent.
    assert [(each["tranche"], each["gpus"], each["discount"]["amount"]) for each in told] == [
        ("acme-fi", 2_160, "0.00"), ("big-lab-fi", 34_560, "4354560.00"),
    ]  # fmt: skip
    text = (DEAL / "too_much" / "acme-3.yaml").read_text()
    posted: dict[str, Any] = {"documents": [{"name": "acme-3.yaml", "text": text}]}
    problem(provider.operator.post("/v1/contracts", json=posted), 409, "oversold")
    posted["override"] = "acme knows of the slip"
    assert provider.operator.post("/v1/contracts", json=posted).status_code == 200
    events = provider.operator.get("/v1/events?limit=500").json()["items"]
    assert [each["body"]["override"] for each in events if each["body"].get("override")] == [
        "acme knows of the slip"
    ]


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
    for read_as, allowed in (("backstop", True), ("call", True), ("refusal", False)):
        assert provider.apply((DEAL / "second_part" / f"{read_as}.yaml").read_text()).status_code == 200
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
    # A day of the contract begins in New York: 34,560 GPUs for 50 days after 10 of grace, at a fifth of 108.00 a day,
    # taken off later fees.
    assert answer.json()["zone"] == "America/New_York"
    assert told[0]["late"][0]["discount"] == {"amount": "37324800.00", "currency": "USD"}
    assert told[0]["late"][0]["damages"] == {"amount": "0.00", "currency": "USD"}
    # So are the terms, and what falls due when.
    for about in ("terms", "payments"):
        told = [rig.operator.get(f"/v1/contracts/big-lab-1/{about}").json() for rig in (provider, customer)]
        assert told[0] == told[1]


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
