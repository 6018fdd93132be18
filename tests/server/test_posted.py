"""What several addresses read from a body in the same way."""

import pytest

from forebay.server import posted, problems


def test_a_date_is_midnight_in_the_zone_that_is_meant() -> None:
    assert posted.instant_of("2026-01-02", "from") == 1_767_312_000_000_000
    assert posted.instant_of("2026-01-02T01:00:00+01:00", "from") == 1_767_312_000_000_000
    assert posted.instant_of("2026-01-02", "from", zone="Europe/Helsinki") == 1_767_304_800_000_000


def test_a_parameter_may_be_missing_and_a_field_may_not() -> None:
    assert posted.instant_of("", "from", "bad_parameter") == 0
    with pytest.raises(problems.Failure, match="from"):
        posted.instant_of("", "from")


@pytest.mark.parametrize("text", ["soon", "2026-13-01", "2026-02-30"])
def test_what_is_no_date_is_told_with_its_field(text: str) -> None:
    with pytest.raises(problems.Failure) as caught:
        posted.instant_of(text, "received_at")
    assert caught.value.errors[0]["pointer"] == "/received_at"


def test_words_are_few() -> None:
    posted.refuse_long("x" * posted.WORDS_MAX, "reason")
    with pytest.raises(problems.Failure, match="reason: at most 500 characters"):
        posted.refuse_long("x" * (posted.WORDS_MAX + 1), "reason")
