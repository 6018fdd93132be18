"""Refusals become exit statuses that a script can tell apart."""

import pytest

from forebay.cli.failure import MEANING, Failed, Status, place_of, status_of_refusal


@pytest.mark.parametrize(
    ("code", "http", "status"),
    [
        ("unauthorized", 401, Status.AUTH),
        ("forbidden", 403, Status.AUTH),
        ("never_fits", 422, Status.INFEASIBLE),
        ("oversold", 409, Status.INFEASIBLE),
        ("over_limit", 409, Status.INFEASIBLE),
        ("contract_differs", 409, Status.CONFLICT),
        ("key_reused", 422, Status.CONFLICT),
        ("anything", 409, Status.CONFLICT),
        ("unknown_gang", 404, Status.FAILED),
        ("bad_document", 422, Status.FAILED),
        ("unavailable", 503, Status.FAILED),
    ],
)
def test_statuses(code: str, http: int, status: Status) -> None:
    assert status_of_refusal(code, http) is status


def test_every_status_has_a_meaning() -> None:
    assert set(MEANING) == set(Status)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ({"file": "a.yaml", "line": 3, "column": 7, "pointer": "/x"}, "a.yaml:3:7: /x: "),
        ({"pointer": "/x"}, "/x: "),
        ({"file": "a.yaml"}, "a.yaml: "),
        ({}, ""),
    ],
)
def test_places(error: dict[str, object], text: str) -> None:
    assert place_of(error) == text


def test_the_same_is_not_said_twice() -> None:
    once = Failed(
        "a.yaml:3: it is wrong",
        errors=[{"file": "a.yaml", "line": 3, "detail": "it is wrong"}],
        hint="Do so.",
    )
    assert once.lines() == ["forebay: a.yaml:3: it is wrong", "  Do so."]
    two = Failed("wrong", errors=[{"file": "a.yaml", "detail": "one"}, {"file": "b.yaml", "detail": "two"}])
    assert two.lines() == ["forebay: wrong", "  a.yaml: one", "  b.yaml: two"]
