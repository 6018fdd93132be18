"""Why somebody stands where it does, in a few words; the whole list is with the projects."""

from __future__ import annotations

import pytest

from forebay.cli import queue

#: in front, seconds behind, step; what is told
ORDERS = [
    (True, 0, 0, "in front: it ran before"),
    (False, 0, 0, "submitted"),
    (False, 3600, 0, "submitted, and 1h by priority later"),
    (False, 0, 5, "submitted, and step 5 of use later"),
    (False, 3600, 5, "submitted, and 1h by priority and step 5 of use later"),
]


@pytest.mark.parametrize(("front", "behind_s", "step", "told"), ORDERS)
def test_why_it_stands_there(front: bool, behind_s: int, step: int, told: str) -> None:
    assert queue.order({"front": front, "behind_s": behind_s, "step": step}) == told
