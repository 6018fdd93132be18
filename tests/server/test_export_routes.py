"""FOCUS over HTTP: each dataset passes the lint of the toolkit, ties to the invoices, and shows a tenant its own."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import focus_data_toolkit
import pytest

from forebay.exports.focus_columns import COLUMNS, FocusDataset
from forebay.loop import ports
from tests.server.rig import (
    HOUR,
    PRICES,
    SCHEDULE,
    SECOND,
    SITE,
    Rig,
    contract,
    gang,
    problem,
    promise,
    refusal,
    rigged,
)

#: How the toolkit names datasets, alone and among others.
NAMES = {
    FocusDataset.COST_AND_USAGE: ("CostAndUsage", "Cost and Usage"),
    FocusDataset.CONTRACT_COMMITMENT: ("ContractCommitment", "Contract Commitment"),
    FocusDataset.BILLING_PERIOD: ("BillingPeriod", "Billing Period"),
    FocusDataset.INVOICE_DETAIL: ("InvoiceDetail", "Invoice Detail"),
}
Rows = list[dict[str, str]]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        yield made


def busy(rig: Rig) -> None:
    """Two periods closed: dedicated, used and not, on demand, spot that borrows, another currency, odd seconds."""
    parts = (
        SITE, SCHEDULE, PRICES, PRICES.replace("version: 1", "version: 2").replace("USD", "EUR"),
        contract("acme", "acme-t1"), contract("birch", "birch-t1", "EUR"), promise("acme"), refusal("acme"),
    )  # fmt: skip
    answer = rig.apply(*parts)
    assert answer.status_code == 200, answer.text
    own = {"tier": "dedicated", "tranche": "acme-t1"}
    for asked in (
        gang("acme", "own", gpus=8, **own), gang("acme", "more", gpus=7), gang("acme", "rest", gpus=137, tier="spot"),
        gang("birch", "spot", gpus=64, tier="spot"),
    ):  # fmt: skip
        assert rig.operator.post("/v1/gangs", json=asked).status_code == 201
    rig.pass_time(HOUR + 1_234_567)
    assert rig.operator.post("/v1/periods/close").status_code == 200
    rig.pass_time(3 * HOUR + 7 * SECOND)
    assert rig.operator.post("/v1/periods/close").status_code == 200


def exported(client: Any, dataset: FocusDataset, query: str = "") -> Rows:
    answer = client.get(f"/v1/exports/focus/{dataset.value}{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == f'attachment; filename="{dataset.value}.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.text.splitlines()[0] == ",".join(column.name for column in COLUMNS[dataset])
    return rows


def linted(dataset: FocusDataset, rows: Rows) -> None:
    report = focus_data_toolkit.lint_focus_1_4_structure(NAMES[dataset][0], rows)
    assert report.ok, report.messages()


def test_all_four_datasets_pass_the_lint_alone_and_together(rig: Rig) -> None:
    busy(rig)
    got = {dataset: exported(rig.finance, dataset) for dataset in FocusDataset}
    for dataset, rows in got.items():
        linted(dataset, rows)
    bundle = {NAMES[dataset][1]: rows for dataset, rows in got.items()}
    report = focus_data_toolkit.validate_dataset_bundle(bundle, invoice_detail_authoritative=True)
    assert not report.diagnostics
    assert "reconcile_invoice_detail" in report.checks_run


def test_sums_are_the_invoices_to_the_minor_unit(rig: Rig) -> None:
    busy(rig)
    rows, details = (
        exported(rig.finance, dataset)
        for dataset in (FocusDataset.COST_AND_USAGE, FocusDataset.INVOICE_DETAIL)
    )
    invoices = rig.finance.get("/v1/invoices").json()["items"]
    assert len(invoices) == 4
    for each in invoices:
        total = Decimal(each["total"]["amount"])
        own = [row for row in rows if row["InvoiceId"] == each["id"]]
        assert sum(Decimal(row["BilledCost"]) for row in own) == total
        assert sum(Decimal(row["EffectiveCost"]) for row in own) == total
        assert sum(Decimal(row["BilledCost"]) for row in details if row["InvoiceId"] == each["id"]) == total
        assert {row["BillingCurrency"] for row in own} == {each["total"]["currency"]}


def test_what_is_paid_unused_bears_its_cost(rig: Rig) -> None:
    """72 GPUs for 3,601.234567 s at 2.35, of which 8 are used: 169.258025 in all, 18.806447 of it used."""
    busy(rig)
    invoice = next(
        each for each in rig.finance.get("/v1/invoices").json()["items"] if each["tenant"] == "acme"
    )
    rows = [
        row for row in exported(rig.finance, FocusDataset.COST_AND_USAGE)
        if row["InvoiceId"] == invoice["id"] and row["x_Kind"] == "dedicated"
    ]  # fmt: skip
    told = [
        (row["ChargeCategory"], row["CapacityReservationStatus"], row["BilledCost"], row["EffectiveCost"])
        for row in rows
    ]
    assert told == [
        ("Purchase", "", "169.26", "0"),
        ("Usage", "Used", "0", "18.806447"),
        ("Usage", "Unused", "0", "150.453553"),
    ]
    hours = [Decimal(row["PricingQuantity"]) for row in rows]
    assert hours[0] == hours[1] + hours[2] == Decimal("72.02469134")


def test_a_month_and_a_tenant(rig: Rig) -> None:
    busy(rig)
    rows = exported(rig.finance, FocusDataset.COST_AND_USAGE)
    assert exported(rig.finance, FocusDataset.COST_AND_USAGE, "?period=2026-12") == rows
    own = exported(rig.acme, FocusDataset.COST_AND_USAGE)
    assert own == [row for row in rows if row["BillingAccountId"] == "acme"]
    assert own == exported(rig.finance, FocusDataset.COST_AND_USAGE, "?tenant=acme")
    assert {row["x_BillingAccountId"] for row in exported(rig.acme, FocusDataset.CONTRACT_COMMITMENT)} == {
        "acme"
    }
    states = [row["BillingPeriodStatus"] for row in exported(rig.acme, FocusDataset.BILLING_PERIOD)]
    assert states == ["Closed", "Closed", "Open"]


def test_nothing_there_is_said_in_words(rig: Rig) -> None:
    for dataset in (FocusDataset.COST_AND_USAGE, FocusDataset.INVOICE_DETAIL):
        told = problem(rig.finance.get(f"/v1/exports/focus/{dataset.value}"), 404, "not_found")
        assert told["detail"] == "no invoice is issued yet"
    busy(rig)
    address = "/v1/exports/focus/cost_and_usage"
    told = problem(rig.finance.get(f"{address}?period=2026-11"), 404, "not_found")
    assert told["detail"] == "no invoice is issued for a period that began in 2026-11"
    told = problem(rig.finance.get("/v1/exports/focus/billing_period?period=2026-11"), 404, "not_found")
    assert told["detail"] == "no billing period began in 2026-11"
    told = problem(rig.finance.get(f"{address}?tenant=cedar"), 404, "not_found")
    assert told["detail"] == "there is no contract with a tenant cedar"
    # To a tenant another's name is as one that nobody has.
    told = problem(rig.acme.get(f"{address}?tenant=birch"), 404, "not_found")
    assert told["detail"] == "there is no contract with a tenant birch"
    told = problem(rig.finance.get(f"{address}?period=12.2026"), 422, "bad_parameter")
    assert told["errors"] == [{"pointer": "/period", "detail": "'12.2026' is not a month like 2026-11"}]
    told = problem(rig.finance.get("/v1/exports/focus/costs"), 404, "not_found")
    assert "there are cost_and_usage, contract_commitment, billing_period, invoice_detail" in told["detail"]


def test_a_journal_that_cannot_be_read_is_said_before_the_answer_begins(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy(rig)

    def broken() -> Iterator[ports.Stored]:
        raise ports.JournalError("the disk is gone")

    monkeypatch.setattr(rig.forebay.journal, "read", broken)
    told = problem(rig.finance.get("/v1/exports/focus/cost_and_usage"), 503, "unavailable")
    assert told["detail"] == "the journal cannot be read: the disk is gone"


def test_a_service_credit_passes_the_lint(rig: Rig) -> None:
    service = "    service: {unit: node, ladder: [{below: 99.9 %, credit: 5 %}]}\n"
    assert rig.apply(SITE, PRICES, contract("acme", "acme-t1") + service).status_code == 200
    assert rig.operator.post("/v1/nodes/r01-n01/fail").status_code == 200
    rig.pass_time(31 * 24 * HOUR)
    rows = exported(rig.finance, FocusDataset.COST_AND_USAGE)
    linted(FocusDataset.COST_AND_USAGE, rows)
    (credit,) = (row for row in rows if row["x_Kind"] == "service_credit")
    assert credit["ChargeCategory"] == "Credit"
    assert credit["BilledCost"].startswith("-")
    assert credit["x_Clause"] == "tranches[acme-t1].service.ladder[0]"
