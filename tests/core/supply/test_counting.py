"""What a kind of rack is counted in."""

from __future__ import annotations

import pytest

from forebay.core.supply.counting import Counted, superchips_fit


@pytest.mark.parametrize(
    ("counts", "per_superchip", "per_node", "fits"),
    [
        (Counted.GPU, 0, 8, True),
        (Counted.SUPERCHIP, 0, 8, False),
        (Counted.GPU, 2, 8, True),
        (Counted.SUPERCHIP, 2, 8, True),
        (Counted.SUPERCHIP, 8, 8, True),
        (Counted.SUPERCHIP, 3, 8, False),
        (Counted.GPU, -2, 8, False),
    ],
)
def test_a_node_is_made_of_whole_superchips(
    counts: Counted, per_superchip: int, per_node: int, fits: bool
) -> None:
    assert superchips_fit(counts, per_superchip, per_node) is fits
