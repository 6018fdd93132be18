"""Taxes of an account as a document."""

from __future__ import annotations

import pytest

from forebay.core import ids, money
from forebay.feeds import commands, reading, tree
from tests.core.plant import utc

TEXT = """\
forebay: 1
kind: Taxes
account: acme
zone: Europe/Helsinki
rates:
  - {jurisdiction: FI, rate: 25.5 %, start: 2026-01-01, number: FI1234567-8, evidence: 'VAT act, section 84'}
  - {jurisdiction: SE, rate: 25 %, start: 2026-07-01T00:00:00Z, reverse_charge: true}
"""


def wanted(text: str) -> commands.Wanted:
    (document,) = reading.documents(text, "t.yaml")
    return commands.command_of(document, commands.Setting(0))


def test_the_rates_of_an_account() -> None:
    assert wanted(TEXT).command == money.ApplyTaxes(
        ids.TenantId("acme"),
        (
            money.TaxRate("FI", 255_000, utc(2025, 12, 31, 22), False, "FI1234567-8", "VAT act, section 84"),
            money.TaxRate("SE", 250_000, utc(2026, 7), True),
        ),
    )


@pytest.mark.parametrize(
    ("right", "wrong", "where"),
    [
        ("25.5 %", "25.5", "t.yaml:6:30: rates[0].rate: "),
        ("25 %", "101 %", "t.yaml:7:30: rates[1].rate: "),
        ("start: 2026-01-01", "start: soon", "t.yaml:6:45: rates[0].start: "),
        ("account: acme", "account: a.b", "t.yaml:3:10: account: "),
    ],
)
def test_what_is_wrong_is_told_with_its_place(right: str, wrong: str, where: str) -> None:
    with pytest.raises(tree.DocumentError) as error:
        wanted(TEXT.replace(right, wrong))
    assert str(error.value).startswith(where)
