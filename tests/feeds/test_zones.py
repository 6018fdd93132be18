"""Offsets of a zone, each with its first instant."""

from __future__ import annotations

import datetime
import zoneinfo

from forebay.core import timeline
from forebay.core.claims.workdays import Offset
from forebay.feeds import quantities, zones


def test_offsets_change_when_clocks_do() -> None:
    found = zones.offsets("Europe/Helsinki", quantities.day_number("2027-12-31"))
    told = [(timeline.text(each.since_at), each.ahead_s) for each in found]
    assert told[0] == ("2000-01-01T00:00:00Z", 7200)
    assert told[-4:] == [
        ("2026-03-29T01:00:00Z", 10_800), ("2026-10-25T01:00:00Z", 7200),
        ("2027-03-28T01:00:00Z", 10_800), ("2027-10-31T01:00:00Z", 7200),
    ]  # fmt: skip
    assert zones.offsets("UTC", 30_000) == (Offset(found[0].since_at, 0),)
    # Half an hour of summer time, and a day that was skipped.
    assert {each.ahead_s for each in zones.offsets("Australia/Lord_Howe", 20_000)} == {37_800, 39_600}
    assert [each.ahead_s for each in zones.offsets("Pacific/Apia", 15_500)][-1] == 13 * 3600


def test_they_are_those_of_every_day() -> None:
    place = zoneinfo.ZoneInfo("America/Chicago")
    found = zones.offsets("America/Chicago", quantities.day_number("2030-01-01"))
    for day in range(quantities.day_number("2020-01-01"), quantities.day_number("2030-01-01")):
        at = day * 86_400 + 43_200
        ahead = datetime.datetime.fromtimestamp(at, place).utcoffset()
        assert ahead is not None
        assert [each for each in found if each.since_at <= at * 1_000_000][
            -1
        ].ahead_s == ahead.total_seconds()
