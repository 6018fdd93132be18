"""Every address, for every role, with one's own and a foreign tenant's things: the default is no.

`ROWS` has a row for each address that the application serves; one that has none fails the first test.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema
import openapi_spec_validator
import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from forebay.server import app as application
from tests.server.rig import PaperLogs, Rig, contract, gang, held, problem, rigged

EVERYBODY, BOOKS, WORK, OPERATOR = "oft", "of", "ot", "o"
#: Words by which a body would tell that the other tenant exists.
FOREIGN = ("birch", "INV-000002", "b1")


@dataclass(frozen=True)
class Row:
    """An address: who may ask ("" for anybody), and ids that stand for its parameters."""

    roles: str
    own: dict[str, str]
    foreign: dict[str, str] | None = None
    body: Any = None
    status: int = 200
    #: A query for which the foreign tenant's things are asked for.
    query: str = ""
    #: What the second caller of a POST is told.
    again: int = 409


OWN_GANG, FOREIGN_GANG = {"name": "acme.own"}, {"name": "birch.own"}
OWN_LINE, FOREIGN_LINE = {"number": "INV-000001", "n": "1"}, {"number": "INV-000002", "n": "1"}
NODE = {"name": "r04-n01"}
SALE_TEXT = (
    "forebay: 1\nkind: Contract\nid: cedar-1\nseller: us\ntenant: cedar\ncurrency: USD\non_demand: true\n"
)
SALE = {"documents": [{"name": "sale.yaml", "text": SALE_TEXT}]}
READING = {
    "id": "1", "source": "bmc", "type": "forebay.reading.energy.v1", "subject": "r04-n01",
    "time": "2026-12-01T08:00:00Z", "data": {"wh": 100},
}  # fmt: skip
SHARES = [{"tranche": "acme-far", "racks": 2}]
GANG_TEXT = "forebay: 1\nkind: Gang\n" + "".join(
    f"{key}: {value}\n" for key, value in gang("acme", "filed", project="acme-lab").items()
)

HELD_UP = {"kind": "change_order", "start": "2026-12-01", "end": "2026-12-02", "reason": "more power"}

#: Days by which a right of one tenant is counted, which begins long after all else here.
DAYS = "forebay: 1\nkind: BusinessCalendar\nid: {}-days\nzone: UTC\ncloses: '17:00'\nuntil: 2035-12-31\n"
MAINTAINED = """\
forebay: 1
kind: Campaign
id: {0}-fw
work: firmware
parts: [{{kind: rack, id: {1}}}]
start: 2026-12-20T00:00:00Z
end: 2026-12-21T00:00:00Z
takes: 1h
at_once: 1
"""
COUNTED = """\
forebay: 1
kind: Contract
id: {0}-counted
seller: us
tenant: {0}
currency: USD
zone: UTC
rights:
  - {{id: {0}-late, kind: refusal, site: lpp, opens: 2034-01-01, notice: {{business_days: 3, calendar: {0}-days}}}}
"""

ROWS: dict[tuple[str, str], Row] = {
    ("POST", "/v1/documents"): Row(EVERYBODY, {}, body={"documents": []}),
    ("POST", "/v1/documents/differences"): Row(EVERYBODY, {}, body={"documents": []}),
    ("GET", "/v1/schemas"): Row(EVERYBODY, {}),
    ("GET", "/v1/schemas/{kind}"): Row(EVERYBODY, {"kind": "Gang"}),
    ("GET", "/v1/version"): Row("", {}),
    ("GET", "/healthz"): Row("", {}),
    ("GET", "/openapi.json"): Row("", {}),
    ("POST", "/v1/gangs"): Row(WORK, {}, body=gang("acme", "posted", project="acme-lab"), status=201),
    ("GET", "/v1/gangs"): Row(WORK, {}, query="?tenant=birch"),
    ("GET", "/v1/gangs/{name}"): Row(WORK, OWN_GANG, FOREIGN_GANG),
    ("POST", "/v1/gangs/{name}/cancel"): Row(WORK, {"name": "acme.more"}, {"name": "birch.more"}),
    ("GET", "/v1/gangs/{name}/explain"): Row(WORK, OWN_GANG, FOREIGN_GANG),
    ("GET", "/v1/explain"): Row(WORK, {}, query=f"?name={OWN_GANG['name']}"),
    ("GET", "/v1/gangs/{name}/logs"): Row(WORK, OWN_GANG, FOREIGN_GANG),
    ("POST", "/v1/gangs/{name}/checkpoint"): Row(WORK, OWN_GANG, FOREIGN_GANG, body={}),
    ("GET", "/v1/loans"): Row(WORK, {}),
    ("GET", "/v1/projects"): Row(EVERYBODY, {}),
    ("GET", "/v1/projects/{tenant}"): Row(EVERYBODY, {"tenant": "acme"}, {"tenant": "birch"}),
    ("GET", "/v1/queue"): Row(WORK, {}, query="?tenant=birch"),
    ("GET", "/v1/status"): Row(EVERYBODY, {}),
    ("GET", "/v1/names/{name}"): Row(EVERYBODY, {"name": "acme-t1"}, {"name": "birch-t1"}),
    ("GET", "/v1/engine"): Row(OPERATOR, {}),
    ("GET", "/v1/power"): Row(OPERATOR, {}),
    ("GET", "/v1/curtailments"): Row(OPERATOR, {}),
    ("POST", "/v1/curtailments"): Row(
        OPERATOR, {}, body={"id": "heat", "feed": "a", "to": "500 kW"}, status=201
    ),
    ("POST", "/v1/curtailments/{name}/end"): Row(OPERATOR, {"name": "heat"}, body={}, again=404),
    ("GET", "/v1/campaigns"): Row(WORK, {}),
    ("GET", "/v1/campaigns/{name}"): Row(WORK, {"name": "acme-fw"}, {"name": "birch-fw"}),
    ("POST", "/v1/campaigns/{name}/consent"): Row(
        WORK, {"name": "acme-fw"}, body={"tranche": "acme-t1", "given": True}
    ),
    ("POST", "/v1/campaigns/{name}/pause"): Row(OPERATOR, {"name": "acme-fw"}, body={}),
    ("POST", "/v1/campaigns/{name}/resume"): Row(OPERATOR, {"name": "acme-fw"}, body={}),
    ("POST", "/v1/campaigns/{name}/cancel"): Row(OPERATOR, {"name": "acme-fw"}, body={}, again=409),
    ("GET", "/v1/nodes"): Row(OPERATOR, {}),
    ("POST", "/v1/nodes/{name}/cordon"): Row(OPERATOR, NODE),
    ("POST", "/v1/nodes/{name}/drain"): Row(OPERATOR, NODE),
    ("POST", "/v1/nodes/{name}/uncordon"): Row(OPERATOR, NODE),
    ("POST", "/v1/nodes/{name}/fail"): Row(OPERATOR, NODE),
    ("POST", "/v1/nodes/{name}/restore"): Row(OPERATOR, NODE),
    ("GET", "/v1/nodes/out"): Row(OPERATOR, {}),
    ("GET", "/v1/domains/out"): Row(OPERATOR, {}),
    ("POST", "/v1/domains/{kind}/{name}/fail"): Row(OPERATOR, {"kind": "rack", "name": "r04"}),
    ("POST", "/v1/domains/{kind}/{name}/restore"): Row(OPERATOR, {"kind": "rack", "name": "r04"}),
    ("GET", "/v1/stuck"): Row(WORK, {}),
    ("GET", "/v1/engines"): Row(OPERATOR, {}),
    ("POST", "/v1/engines/{name}/fence"): Row(
        OPERATOR, {"name": "none"}, body={"reason": "it is off"}, status=404
    ),
    ("POST", "/v1/gangs/{name}/progress"): Row(WORK, OWN_GANG, FOREIGN_GANG, body={"mark": 1}),
    ("POST", "/v1/nodes/{name}/quarantine"): Row(OPERATOR, NODE),
    ("POST", "/v1/nodes/{name}/ticket"): Row(OPERATOR, NODE, body={"ticket": "T-1"}),
    ("POST", "/v1/nodes/{name}/release"): Row(OPERATOR, NODE),
    ("POST", "/v1/nodes/{name}/degrade"): Row(OPERATOR, NODE),
    ("POST", "/v1/nodes/{name}/mend"): Row(OPERATOR, NODE),
    ("POST", "/v1/nodes/{name}/wiped"): Row(OPERATOR, NODE, body={}, status=409),
    ("POST", "/v1/nodes/{name}/check"): Row(OPERATOR, NODE, body={"check": "x", "passed": True}, status=409),
    ("GET", "/v1/contracts"): Row(EVERYBODY, {}),
    ("GET", "/v1/contracts/{name}"): Row(EVERYBODY, {"name": "acme-1"}, {"name": "birch-1"}),
    ("GET", "/v1/clauses/watched"): Row(EVERYBODY, {}),
    ("GET", "/v1/indices"): Row(EVERYBODY, {}),
    ("GET", "/v1/contracts/{name}/terms"): Row(EVERYBODY, {"name": "acme-1"}, {"name": "birch-1"}),
    ("GET", "/v1/contracts/{name}/payments"): Row(EVERYBODY, {"name": "acme-1"}, {"name": "birch-1"}),
    ("GET", "/v1/tranches"): Row(EVERYBODY, {}),
    ("POST", "/v1/tranches/{name}/nomination"): Row(BOOKS, {"name": "acme-t1"}, body={}, status=409),
    ("GET", "/v1/prices"): Row(EVERYBODY, {}),
    ("GET", "/v1/invoices"): Row(EVERYBODY, {}),
    ("GET", "/v1/drafts"): Row(EVERYBODY, {}),
    ("GET", "/v1/invoices/{number}/canonical"): Row(
        EVERYBODY, {"number": "INV-000001"}, {"number": "INV-000002"}
    ),
    ("GET", "/v1/invoices/{number}"): Row(EVERYBODY, {"number": "INV-000001"}, {"number": "INV-000002"}),
    ("GET", "/v1/invoices/{number}/lines/{n}/explain"): Row(EVERYBODY, OWN_LINE, FOREIGN_LINE),
    ("GET", "/v1/ledger"): Row(BOOKS, {}),
    ("GET", "/v1/availability"): Row(EVERYBODY, {}),
    ("GET", "/v1/goodput"): Row(WORK, {}),
    # There is none: tests/cli/test_exclusions.py goes through its life.
    ("GET", "/v1/exclusions"): Row(EVERYBODY, {}),
    ("POST", "/v1/exclusions"): Row(
        BOOKS,
        {},
        status=422,
        body={
            "tranche": "nowhere",
            "start": "2026-11-01",
            "end": "2026-11-02",
            "reason": "x",
            "evidence": "y",
        },
    ),
    ("POST", "/v1/exclusions/{exclusion}/withdraw"): Row(
        BOOKS, {"exclusion": "EXC-000009"}, body={"reason": "wrong"}, status=404
    ),
    ("POST", "/v1/availability/claim"): Row(
        EVERYBODY, {}, body={"tranche": "nowhere", "month": "2026-11"}, status=422
    ),
    ("GET", "/v1/costs"): Row(EVERYBODY, {}, query="?by=project,site"),
    ("GET", "/v1/exports/close/{table}"): Row(BOOKS, {"table": "entries"}),
    ("GET", "/v1/exports/focus/{dataset}"): Row(EVERYBODY, {"dataset": "cost_and_usage"}),
    ("GET", "/v1/ledger/accounts/{account}"): Row(BOOKS, {"account": "receivable:acme"}),
    ("GET", "/v1/readings"): Row(BOOKS, {}),
    ("POST", "/v1/readings"): Row("om", {}, body=[READING]),
    ("GET", "/v1/receivables"): Row(EVERYBODY, {}),
    ("GET", "/v1/taxes"): Row(EVERYBODY, {}),
    ("POST", "/v1/invoices/{number}/credit-notes"): Row(
        BOOKS, {"number": "INV-000001"}, body={"reason": "agreed", "lines": [{"line": 1, "amount": "0.01"}]}
    ),
    # It has a credit note by then: tests/server/test_crediting_routes.py goes through all of it.
    ("POST", "/v1/invoices/{number}/void"): Row(
        BOOKS, {"number": "INV-000001"}, body={"reason": "wrong"}, status=409
    ),
    ("GET", "/v1/credit-notes"): Row(EVERYBODY, {}),
    ("GET", "/v1/credit-notes/{note}"): Row(EVERYBODY, {"note": "CN-000009"}, status=404),
    ("GET", "/v1/credit-notes/{note}/canonical"): Row(EVERYBODY, {"note": "CN-000009"}, status=404),
    ("GET", "/v1/credit-notes/{note}/lines/{n}/explain"): Row(
        EVERYBODY, {"note": "CN-000009", "n": "1"}, status=404
    ),
    ("POST", "/v1/credit-notes/{note}/allocate"): Row(
        BOOKS, {"note": "CN-000009"}, body={"allocate": []}, status=404
    ),
    # Nothing is rented here: tests/cli/test_disputes.py has what is.
    ("GET", "/v1/payables/{contract}"): Row(BOOKS, {"contract": "nowhere"}, status=404),
    ("GET", "/v1/receipts"): Row(EVERYBODY, {}),
    ("GET", "/v1/prepayments"): Row(EVERYBODY, {}),
    ("GET", "/v1/disputes"): Row(EVERYBODY, {}),
    ("GET", "/v1/entries"): Row(BOOKS, {}),
    ("POST", "/v1/entries"): Row(
        BOOKS,
        {},
        body={"currency": "USD", "sides": [], "text": "nothing", "effective": "2026-12-01T08:00:00Z"},
        status=422,
    ),
    # tests/cli/test_entries.py goes through the life of one.
    ("POST", "/v1/entries/{entry}/approve"): Row(BOOKS, {"entry": "ENT-000009"}, body={}, status=404),
    ("POST", "/v1/entries/{entry}/reject"): Row(
        BOOKS, {"entry": "ENT-000009"}, body={"reason": "wrong"}, status=404
    ),
    # tests/cli/test_contesting.py goes through the life of one.
    ("POST", "/v1/invoices/{number}/disputes"): Row(
        EVERYBODY,
        {"number": "INV-000001"},
        {"number": "INV-000002"},
        body={"lines": [{"line": 1, "amount": "0.01"}], "reason": "too much"},
    ),
    ("POST", "/v1/disputes/{dispute}/settle"): Row(
        BOOKS, {"dispute": "DSP-000009"}, body={"outcome": "seller", "reason": "x"}, status=404
    ),
    ("POST", "/v1/disputes/{dispute}/withdraw"): Row(
        EVERYBODY, {"dispute": "DSP-000009"}, body={"reason": "wrong"}, status=404
    ),
    # Nothing is paid ahead here: tests/cli/test_prepayments.py has what is.
    ("POST", "/v1/contracts/{name}/refund"): Row(
        BOOKS, {"name": "acme-1"}, body={"what": "deposit", "reference": "w2"}, status=409
    ),
    ("POST", "/v1/receipts"): Row(
        BOOKS,
        {},
        body={
            "account": "acme",
            "currency": "USD",
            "amount": "5",
            "received": "2026-12-01",
            "reference": "w1",
        },
    ),
    # There is none: tests/server/test_receivable_routes.py goes through its life.
    ("POST", "/v1/receipts/{receipt}/allocate"): Row(
        BOOKS, {"receipt": "RCT-000009"}, body={"allocate": []}, status=404
    ),
    ("POST", "/v1/receipts/{receipt}/reverse"): Row(
        BOOKS, {"receipt": "RCT-000009"}, body={"reason": "wrong"}, status=404
    ),
    ("GET", "/v1/journal"): Row(OPERATOR, {}),
    ("GET", "/v1/journal/head"): Row(OPERATOR, {}),
    ("GET", "/v1/events"): Row(OPERATOR, {}),
    ("GET", "/v1/capacity"): Row(BOOKS, {}),
    ("GET", "/v1/schedules"): Row(BOOKS, {}),
    ("GET", "/v1/schedules/{site}"): Row(BOOKS, {"site": "lpp"}),
    ("POST", "/v1/schedules/{site}/milestones/{milestone}/forecast"): Row(
        OPERATOR, {"site": "lpp", "milestone": "shell"}, body={"forecast_at": "2027-05-02"}
    ),
    ("POST", "/v1/schedules/{site}/milestones/{milestone}/reached"): Row(
        OPERATOR, {"site": "lpp", "milestone": "shell"}, body={"reached_at": "2026-12-01"}
    ),
    ("POST", "/v1/what-if/slip"): Row(
        BOOKS, {}, body={"site": "lpp", "milestone": "grid", "forecast_at": "2027-08-01"}
    ),
    ("POST", "/v1/what-if/submit"): Row(
        WORK, {}, body={"documents": [{"name": "gang.yaml", "text": GANG_TEXT}]}
    ),
    ("POST", "/v1/what-if/fail"): Row(OPERATOR, {}, body={"kind": "node", "name": "r04-n01"}),
    ("POST", "/v1/what-if/curtail"): Row(OPERATOR, {}, body={"feed": "a", "to": "500 kW"}),
    ("GET", "/v1/what-if/reclaim"): Row(OPERATOR, {}, query="?tranche=acme-t1&gpus=4"),
    ("POST", "/v1/what-if/sign"): Row(BOOKS, {}, body=SALE),
    ("POST", "/v1/quotes"): Row(BOOKS, {}, body={"skus": ["gb300-nvl72"], "racks": 1, "term": "30d"}),
    ("GET", "/v1/holds"): Row(BOOKS, {}),
    ("POST", "/v1/holds"): Row(BOOKS, {}, body=held("more", "birch"), status=201),
    ("POST", "/v1/holds/{name}/release"): Row(BOOKS, {"name": "more"}, again=404),
    ("POST", "/v1/contracts"): Row(BOOKS, {}, body=SALE),
    ("GET", "/v1/shortfalls"): Row(EVERYBODY, {}),
    ("POST", "/v1/shortfalls/{site}/{sku}"): Row(
        OPERATOR, {"site": "lpp", "sku": "gb300-nvl72"}, body={"shares": SHARES, "reason": "agreed"}
    ),
    ("GET", "/v1/bindings"): Row(OPERATOR, {}),
    ("GET", "/v1/fragmentation"): Row(OPERATOR, {}),
    ("GET", "/v1/estimates"): Row(WORK, {}, query="?tenant=birch"),
    ("GET", "/v1/storage"): Row(WORK, {}),
    ("GET", "/v1/arrays"): Row(WORK, {}, query="?tenant=birch"),
    ("POST", "/v1/bindings/{site}/{sku}/solve"): Row(
        OPERATOR, {"site": "lpp", "sku": "gb300-nvl72"}, body={"seconds": 1}
    ),
    ("GET", "/v1/rights"): Row(EVERYBODY, {}),
    ("GET", "/v1/rights/{name}"): Row(EVERYBODY, {"name": "acme-first"}, {"name": "birch-first"}),
    ("POST", "/v1/rights/{name}/offer"): Row(
        BOOKS, {"name": "acme-first"}, body={"hold": "birch-hold"}, status=409
    ),
    ("POST", "/v1/rights/{name}/offered"): Row(
        BOOKS,
        {"name": "acme-first"},
        body={
            "site": "lab",
            "sku": "gb300-nvl72",
            "nodes": 1,
            "start": "2028-01-01",
            "end": "2029-01-01",
            "price_per_gpu_hour": "2",
        },
        status=422,
    ),
    ("POST", "/v1/rights/{name}/exercise"): Row(
        EVERYBODY, {"name": "acme-longer"}, {"name": "birch-longer"}, body={}
    ),
    ("POST", "/v1/rights/{name}/waive"): Row(
        EVERYBODY, {"name": "acme-first"}, {"name": "birch-first"}, body={}
    ),
    ("GET", "/v1/deliveries"): Row(EVERYBODY, {}),
    ("GET", "/v1/deliveries/{tranche}"): Row(EVERYBODY, {"tranche": "acme-t1"}, {"tranche": "birch-t1"}),
    ("POST", "/v1/deliveries/{tranche}/ready"): Row(
        "o", {"tranche": "acme-t1"}, body={"count": 1}, status=409
    ),
    ("POST", "/v1/deliveries/{tranche}/accept"): Row(
        "ot", {"tranche": "acme-t1"}, {"tranche": "birch-t1"}, body={}, status=409
    ),
    ("POST", "/v1/deliveries/{tranche}/reject"): Row(
        "ot", {"tranche": "acme-t1"}, {"tranche": "birch-t1"}, body={"reason": "links flap"}, status=409
    ),
    ("POST", "/v1/deliveries/{tranche}/relief"): Row("o", {"tranche": "acme-t1"}, body=HELD_UP, status=409),
    ("GET", "/v1/estate"): Row(BOOKS, {}),
    ("GET", "/v1/suppliers"): Row(BOOKS, {}),
    ("GET", "/v1/overlays"): Row(BOOKS, {}),
    ("GET", "/v1/calendars"): Row(EVERYBODY, {}),
    ("GET", "/v1/calendars/{name}"): Row(EVERYBODY, {"name": "acme-days"}, {"name": "birch-days"}),
    ("GET", "/v1/contracts/{name}/entitlements"): Row(EVERYBODY, {"name": "acme-2"}, {"name": "birch-2"}),
    ("POST", "/v1/tranches/{tranche}/deliveries/{number}/notice"): Row(
        BOOKS, {"tranche": "acme-far", "number": "1"}, body={"expected_at": "2027-08-01"}
    ),
    ("POST", "/v1/tranches/{tranche}/deliveries/{number}/delivered"): Row(
        BOOKS, {"tranche": "acme-t1", "number": "1"}, body={"at": "2026-12-01"}
    ),
    # What we deliver ourselves we do not forecast as if it were rented.
    ("POST", "/v1/tranches/{tranche}/deliveries/{number}/forecast"): Row(
        OPERATOR, {"tranche": "acme-t1", "number": "1"}, body={"p50": "2027-08-01"}, status=422
    ),
    # Last: it closes the period that the others look at.
    ("POST", "/v1/periods/close"): Row(BOOKS, {}),
}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    logs = PaperLogs()
    logs.written = {("acme.own", 1): b"step 1\n", ("birch.own", 1): b"birch was here\n"}
    with rigged(tmp_path_factory.mktemp("state"), logs=logs) as made:
        made.furnish()
        made.promise()
        for tenant in ("acme", "birch"):
            projects = f"forebay: 1\nkind: Projects\ntenant: {tenant}\nversion: 1\nprojects: [{{id: {tenant}-lab}}]\n"
            answer = made.apply(DAYS.format(tenant), COUNTED.format(tenant), projects)
            assert answer.status_code == 200, answer.text
            answer = made.apply(MAINTAINED.format(tenant, {"acme": "r01", "birch": "r02"}[tenant]))
            assert answer.status_code == 200, answer.text
        yield made


def ask(client: TestClient, method: str, path: str, parameters: dict[str, str], row: Row) -> Any:
    url = path.format(**parameters)
    return client.request(method, url, json=row.body) if method == "POST" else client.get(url + row.query)


def test_every_address_has_a_row(rig: Rig) -> None:
    served = {(method, route.path) for route in _routes(rig) for method in route.methods or ()}
    assert served == set(ROWS)


def _routes(rig: Rig) -> list[APIRoute]:
    found: list[APIRoute] = []
    for route in rig.app.routes:
        found += _flat(route)
    return found


def _flat(route: Any) -> list[APIRoute]:
    if isinstance(route, APIRoute):
        return [route]
    inner = getattr(route, "routes", None) or getattr(getattr(route, "original_router", None), "routes", [])
    return [each for one in inner for each in _flat(one)]


@pytest.mark.parametrize(("method", "path"), ROWS)
def test_without_a_token_there_is_nothing(rig: Rig, method: str, path: str) -> None:
    row = ROWS[method, path]
    answer = ask(rig.nobody, method, path, row.own, row)
    if not row.roles:
        assert answer.status_code == 200
        return
    body = problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == 'Bearer realm="forebay"'
    absent = ask(rig.nobody, method, path, dict.fromkeys(row.own, "none"), row)
    assert body | {"instance": ""} == absent.json() | {"instance": ""}
    wrong = TestClient(rig.app, headers={"Authorization": "Bearer forebay_wrong"})
    assert ask(wrong, method, path, row.own, row).json() == body


@pytest.mark.parametrize(("method", "path"), ROWS)
def test_each_role_gets_what_is_for_it_and_no_more(rig: Rig, method: str, path: str) -> None:
    row = ROWS[method, path]
    for letter, client in (("t", rig.acme), ("f", rig.finance), ("o", rig.operator)):
        answer = ask(client, method, path, row.own, row)
        if letter in row.roles or not row.roles:
            # A tenant posts the gang first; the operator is told that it exists.
            assert answer.status_code in (
                row.status,
                row.again if row.body or method == "POST" else row.status,
            ), answer.text
            if answer.status_code == row.status < 400:
                _as_stated(rig, method, path, answer)
        else:
            problem(answer, 403, "forbidden")
        if letter == "t":
            _tells_nothing(answer.text)


@pytest.mark.parametrize(("method", "path"), [key for key, row in ROWS.items() if row.foreign])
def test_what_is_foreign_is_as_what_is_not(rig: Rig, method: str, path: str) -> None:
    row = ROWS[method, path]
    assert row.foreign
    foreign = ask(rig.acme, method, path, row.foreign, row)
    absent_ids = {key: _other(value) for key, value in row.foreign.items()}
    absent = ask(rig.acme, method, path, absent_ids, row)
    problem(foreign, 404, "not_found")
    told, expected = foreign.text, absent.text
    for key, value in row.foreign.items():
        told = told.replace(value, f"<{key}>")
        expected = expected.replace(absent_ids[key], f"<{key}>")
    assert told == expected
    _tells_nothing(told)
    assert _headers(foreign) == _headers(absent)
    # The same for one whose it is: there it is.
    assert ask(rig.birch, method, path, row.foreign, row).status_code in (200, 409)


def _other(value: str) -> str:
    """An id of the same length that nothing has."""
    return value if value.isdigit() else value.replace("birch", "bench").replace("000002", "000009")


def _headers(answer: Any) -> dict[str, str]:
    return {key: value for key, value in answer.headers.items() if key != "x-request-id"}


def _tells_nothing(text: str) -> None:
    said = re.sub("[0-9a-f]{64}", "", text)  # the letters of a digest say nothing
    for word in FOREIGN:
        assert word not in said


def _as_stated(rig: Rig, method: str, path: str, answer: Any) -> None:
    """The body has the shape that the OpenAPI document states."""
    if path == "/openapi.json":
        return
    document = application.openapi(rig.app)
    operation = document["paths"][path][method.lower()]
    content = operation["responses"][str(answer.status_code)]["content"]
    if "text/csv" in content:
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        return
    stated = content["application/json"]["schema"]
    schema = {**stated, "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(json.loads(answer.text))


def test_a_tenant_cannot_act_on_what_is_foreign(rig: Rig) -> None:
    answer = rig.acme.post("/v1/gangs", json=gang("birch", "x"))
    problem(answer, 403, "forbidden")
    _tells_nothing(answer.text)
    answer = rig.apply("forebay: 1\nkind: Gang\n" + json.dumps(gang("birch", "x"))[1:-1], client=rig.acme)
    assert answer.status_code in (403, 422)
    _tells_nothing(answer.text.replace(json.dumps(gang("birch", "x")), ""))
    # A tranche of the other's is as one that nobody has.
    told = [
        rig.acme.post("/v1/gangs", json=gang("acme", "x", tier="dedicated", tranche=name)).text.replace(
            name, ""
        )
        for name in ("birch-t1", "bench-t1")
    ]
    assert told[0] == told[1]
    _tells_nothing(told[0])
    # So is a name that only the other has used.
    assert rig.acme.post("/v1/gangs", json=gang("acme", "birch", project="acme-lab")).status_code == 201


def test_lists_of_a_tenant_hold_its_own(rig: Rig) -> None:
    for path, key in (
        ("gangs", "tenant"),
        ("contracts", "tenant"),
        ("tranches", "tenant"),
        ("invoices", "tenant"),
        ("rights", "tenant"),
        ("deliveries", "tenant"),
    ):
        items = rig.acme.get(f"/v1/{path}").json()["items"]
        assert {each[key] for each in items} == {"acme"}, path
    assert rig.acme.get("/v1/gangs?tenant=birch").json() == {"items": [], "next_cursor": None}
    status = rig.acme.get("/v1/status").json()
    assert "sites" not in status
    assert [each["tranche"] for each in status["tranches"]][-1] == "acme-t1"
    assert {each["tenant"] for each in status["tranches"]} == {"acme"}
    assert "acme-far" in [each["tranche"] for each in rig.acme.get("/v1/shortfalls").json()["items"]]
    assert {each["tenant"] for each in rig.acme.get("/v1/shortfalls").json()["items"]} == {"acme"}
    assert "policy" not in rig.acme.get("/v1/shortfalls").json()
    assert "gangs" not in rig.finance.get("/v1/status").json()
    whole = rig.operator.get("/v1/status").json()
    assert [site["gpus"] for site in whole["sites"]] == [288]
    assert {each["tenant"] for each in whole["tranches"]} == {"acme", "birch"}


#: name, kinds that operator, finance and the tenant acme see
NAMES = [
    ("acme.own", ["gang"], [], ["gang"]),
    ("acme-t1", ["tranche"], ["tranche"], ["tranche"]),
    ("acme-1", ["contract"], ["contract"], ["contract"]),
    ("INV-000001", ["invoice"], ["invoice"], ["invoice"]),
    ("acme", ["tenant"], ["tenant"], ["tenant"]),
    ("birch.own", ["gang"], [], []),
    ("birch", ["tenant"], ["tenant"], []),
    ("INV-000002", ["invoice"], ["invoice"], []),
    ("acme-first", ["right"], ["right"], ["right"]),
    ("birch-first", ["right"], ["right"], []),
    ("birch-hold", ["hold"], ["hold"], []),
    ("grid", ["milestone"], ["milestone"], []),
    ("lpp-b1", ["block"], ["block"], []),
    ("lpp", ["site"], [], []),
    ("r01", ["rack"], [], []),
    ("r01-n01", ["node"], [], []),
    ("r99", [], [], []),
]


@pytest.mark.parametrize(("name", "operator", "finance", "tenant"), NAMES)
def test_a_name_is_told_to_whom_it_may_be(
    rig: Rig, name: str, operator: list[str], finance: list[str], tenant: list[str]
) -> None:
    for client, kinds in ((rig.operator, operator), (rig.finance, finance), (rig.acme, tenant)):
        answer = client.get(f"/v1/names/{name}")
        if kinds:
            assert answer.json() == {"name": name, "kinds": kinds}
        else:
            problem(answer, 404, "not_found")


def test_kinds_of_documents_are_for_roles(rig: Rig) -> None:
    problem(rig.apply("forebay: 1\nkind: Policy\nversion: 9\n", client=rig.finance), 403, "forbidden")
    problem(rig.apply(contract("acme", "t9"), client=rig.acme), 403, "forbidden")
    assert rig.apply(GANG_TEXT, client=rig.acme).status_code == 200
    documents = [{"name": "g.yaml", "text": GANG_TEXT, "folder": "/etc"}]
    problem(rig.acme.post("/v1/documents", json={"documents": documents}), 403, "forbidden")


def test_the_openapi_document_is_valid(rig: Rig) -> None:
    document = rig.nobody.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    openapi_spec_validator.validate(document)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            row = ROWS[method.upper(), path]
            letters = {"operator": "o", "finance": "f", "tenant": "t", "meter": "m"}
            assert {letters[role] for role in operation["x-roles"]} == set(row.roles)
            assert ("security" in operation) is bool(row.roles)


def test_addresses_that_are_none(rig: Rig) -> None:
    problem(rig.nobody.get("/v1/none"), 404, "not_found")
    problem(rig.operator.delete("/v1/gangs"), 405, "method_not_allowed")
    problem(rig.operator.get("/docs"), 404, "not_found")
    problem(rig.operator.get("/v1/gangs/"), 404, "not_found")


def test_every_answer_has_a_request_id(rig: Rig) -> None:
    assert (
        rig.operator.get("/v1/version", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    )
    made = rig.operator.get("/v1/version", headers={"X-Request-Id": "<script>"}).headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", made)
    assert rig.nobody.get("/v1/status").headers["cache-control"] == "no-store"


def test_a_body_has_bounds(rig: Rig) -> None:
    large = b" " * (application.BODY_BYTES_MAX + 1)
    problem(rig.operator.post("/v1/documents", content=large), 413, "too_large")

    def parts() -> Iterator[bytes]:
        for _ in range(9):
            yield b" " * (1 << 20)

    problem(rig.operator.post("/v1/documents", content=parts()), 413, "too_large")
    deep = b'{"documents": ' + b"[" * 100_000
    problem(rig.operator.post("/v1/documents", content=deep), 422, "bad_body")
    problem(
        rig.operator.post("/v1/gangs", content=b'{"name": ' + b"[" * 90 + b"]" * 90 + b"}"),
        400,
        "bad_request",
    )


def test_a_mistake_of_ours_is_a_problem_too(rig: Rig) -> None:
    broken = application.create(rig.forebay)

    @broken.get("/broken")
    async def break_down() -> None:
        raise RuntimeError("secret")

    client = TestClient(broken, raise_server_exceptions=False)
    body = problem(client.get("/broken"), 500, "bug")
    assert "secret" not in json.dumps(body)


def test_schemas_are_served(rig: Rig) -> None:
    assert set(rig.acme.get("/v1/schemas").json()["schemas"]) == {
        "BusinessCalendar", "Campaign", "Catalogue", "Contract", "Estate", "Gang", "Notice", "Overlay", "Policy",
        "PriceIndex", "PriceList", "Projects", "PromisePolicy", "Schedule", "Site", "Storage",
        "Taxes",
    }  # fmt: skip
    assert len(rig.acme.get("/v1/schemas/any").json()["oneOf"]) == 17
    problem(rig.acme.get("/v1/schemas/gang"), 404, "not_found")
