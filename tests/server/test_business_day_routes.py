"""Business calendars over HTTP: who sees which, and on which day a notice counts as received."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.rig import HOUR, SITE, Rig, contract, problem, rigged

DESK = (
    "forebay: 1\nkind: BusinessCalendar\nid: {}\nzone: Europe/Helsinki\ncloses: '17:00'\nuntil: 2030-12-31\n"
)
LONGER = """\
rights:
  - {{id: {0}-first, kind: extension, tranche: {0}-t, term: 9d, notice: {{business_days: 3, calendar: {1}}}}}
"""


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        days = [DESK.format(name) + "holidays: [2026-12-02]\n" for name in ("east", "west")]
        signed = [
            contract(tenant, f"{tenant}-t") + LONGER.format(tenant, name)
            for tenant, name in (("acme", "east"), ("birch", "west"))
        ]
        answer = made.apply(SITE, *days, *signed)
        assert answer.status_code == 200, answer.text
        yield made


def test_by_which_days(rig: Rig) -> None:
    east, west = rig.finance.get("/v1/calendars").json()["items"]
    assert east == {
        "id": "east", "version": 1, "zone": "Europe/Helsinki", "closes": "17:00", "weekend": ["saturday", "sunday"],
        "holidays": ["2026-12-02"], "until": "2030-12-31", "open": True, "received": "2026-12-01",
        "rights": ["acme-first"],
    }  # fmt: skip
    assert west["rights"] == ["birch-first"]
    assert rig.operator.get("/v1/calendars/west").json() == west
    page = rig.operator.get("/v1/calendars?limit=1").json()
    assert [each["id"] for each in page["items"]] == ["east"]
    following = rig.operator.get(f"/v1/calendars?limit=1&cursor={page['next_cursor']}").json()
    assert ([each["id"] for each in following["items"]], following["next_cursor"]) == (["west"], None)
    # At five in Helsinki, which is three in UTC, the day is over; the next one is a holiday.
    rig.pass_time(7 * HOUR)
    told = rig.operator.get("/v1/calendars/west").json()
    assert (told["open"], told["received"]) == (False, "2026-12-03")


def test_a_tenant_sees_those_of_its_own_rights(rig: Rig) -> None:
    assert [each["id"] for each in rig.acme.get("/v1/calendars").json()["items"]] == ["east"]
    assert rig.birch.get("/v1/calendars/west").json()["rights"] == ["birch-first"]
    problem(rig.acme.get("/v1/calendars/west"), 404, "not_found")
    problem(rig.operator.get("/v1/calendars/moon"), 404, "not_found")
    problem(rig.nobody.get("/v1/calendars"), 401, "unauthorized")
