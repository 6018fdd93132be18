"""Loans, what a call would take back, and checkpoints: as people read them."""

from __future__ import annotations

from typing import Any

from jsonschema import validate

from forebay.cli import loans, outputs
from tests.cli.desk import Desk

LOAN: dict[str, Any] = {
    "gang": "b.run", "tenant": "b", "tranche": "t1", "phase": "running", "gpus": 72,
    "since": "2026-12-01T08:00:00Z", "back_at": "2026-12-01T09:01:00Z", "due_at": None, "late": False,
    "lost_gpu_s": 5400,
}  # fmt: skip
PREVIEW: dict[str, Any] = {
    "tranche": "t1", "gpus": 8, "victims": [{"gang": "b.run", "tenant": "b", "gpus": 72, "lost_gpu_s": 5400}],
    "leaving": ["b.old"], "lost_gpu_s": 5400, "back_at": "2026-12-01T09:01:00Z", "due_at": "2026-12-01T09:05:00Z",
}  # fmt: skip


def test_the_table_of_loans() -> None:
    due = LOAN | {"due_at": "2026-12-01T09:05:00Z", "gang": ""}
    text = loans.loans_text([LOAN, due, LOAN | {"late": True, "tranche": ""}], color=False)
    header, first, second, third = text.splitlines()
    assert header.split()[:2] == ["LENT", "BY"]
    assert first.split()[:4] == ["t1", "b.run", "running", "72"]
    assert first.endswith("1.50 GPU-h")
    assert "other work" in second
    assert "due 2026-12-01" in second
    assert third.startswith("another's")
    assert " late " in third


def test_who_would_go() -> None:
    text = loans.preview_text(PREVIEW, color=False)
    assert "b.run" in text
    assert "leaving anyway: b.old" in text
    assert text.endswith("1.50 GPU-h of work would be lost")
    nobody = PREVIEW | {"victims": [], "leaving": []}
    assert loans.preview_text(nobody, color=False) == "8 GPUs of t1 are free now: nobody has to go"
    only = PREVIEW | {"leaving": []}
    assert "leaving" not in loans.preview_text(only, color=False)
    assert "WOULD GO" not in loans.preview_text(PREVIEW | {"victims": []}, color=False)


def test_asked_for(desk: Desk) -> None:
    assert desk("loans").err == "nothing is lent\n"
    ran = desk("loans", "--json")
    validate(ran.json, outputs.OUTPUTS["loans"])
    assert "there is no tranche nowhere" in desk("what-if", "reclaim", "nowhere", "--gpus", "8").err
    assert "there is no gang acme.none" in desk("checkpoint", "acme.none").err
