"""When the periods of a minimum commitment are, and which commitments are refused."""

from __future__ import annotations

import pytest

from forebay.core.claims import SignContract
from forebay.core.claims.commitments import Commitment, commitment_periods, refuse_commitment
from forebay.core.timeline import Interval
from tests.core import plant
from tests.core.plant import contract, utc

START = utc(2026)


def test_the_periods_of_a_commitment() -> None:
    assert list(commitment_periods(Commitment(1, 3, utc(2025, 11), 2))) == [
        Interval(utc(2025, 11), utc(2026, 2)), Interval(utc(2026, 2), utc(2026, 5)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "agreed"),
    [
        ("micros", Commitment(0, 1, START, 1)),
        ("micros", Commitment(10**18 + 1, 1, START, 1)),
        ("months", Commitment(1, 0, START, 1)),
        ("months", Commitment(1, 601, START, 1)),
        ("periods", Commitment(1, 1, START, 0)),
        ("periods", Commitment(1, 12, START, 51)),
        ("start_at", Commitment(1, 1, START + 1, 1)),
        ("start_at", Commitment(1, 1, -1, 1)),
    ],
)
def test_a_broken_commitment_is_refused(field: str, agreed: Commitment) -> None:
    driver = plant.plant(contract("c0", "nobody"))
    no = driver.refused(SignContract(contract("c1", "acme", commitment=agreed)))
    assert (no.code, no.field) == ("bad_commitment", f"commitment.{field}")


def test_no_commitment_is_refused_nothing() -> None:
    assert refuse_commitment(None) is None
