"""Whether a tranche fits: what is left over its term, whole racks, and power, each told with its figures."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core import claims, supply
from forebay.core.claims import Unit, fitting, nomination
from forebay.core.ids import Refusal
from forebay.core.supply.blocks import Confidence
from tests.core import plant
from tests.core.claims import market
from tests.core.claims.market import call, day, promise, ramp, sign
from tests.core.plant import Driver, contract


def racks_for(driver: Driver, *tranches: claims.TranchePlan, at: int = 0) -> Any:
    """Nodes for each, or why not."""
    state = driver.world.state
    plan = contract("c9", "acme", *tranches)
    found = fitting.bind(state.claims, state.supply, driver.world.calendar, plan, Confidence.P90, day(at))
    return found if isinstance(found, Refusal) else {name: list(runs) for name, runs in found.items()}


def test_one_after_the_other() -> None:
    driver = market.market(stands=3, comes=0)
    found = racks_for(
        driver, promise("a", 1), promise("b", 5, unit=Unit.NODE), promise("c", 1, start=400, end=401)
    )
    assert found == {"a": [(0, 4)], "b": [(4, 5)], "c": [(0, 4)]}


def test_racks_to_come_count_and_are_bound_later() -> None:
    driver = market.market(stands=1, comes=2, on=30)
    assert racks_for(driver, promise("a", 3, start=30)) == {"a": [(0, 4)]}
    assert racks_for(driver, ramp((0, 1), (30, 2))) == {"t1": [(0, 4)]}
    no = racks_for(driver, promise("a", 3, start=29))
    assert (no.code, no.field) == ("no_whole_racks", "tranches[0].count")
    assert no.detail == "tranche a promises 3 whole racks; 1 are wholly free over its term"


def test_where_nothing_stands() -> None:
    driver = market.market(comes=0)
    driver.ask(supply.ApplyCatalogue((plant.sku("gb"),)))
    assert racks_for(driver, promise("a", 1, sku="gb")).code == "no_whole_racks"
    assert racks_for(driver, promise("a", 1, sku="gb", unit=Unit.NODE)) == {"a": []}


def test_power_for_all_of_them() -> None:
    feed = plant.feed("f1", 2_000 + 32_000)
    driver = plant.plant(contract("c0", "nobody"), sites=(plant.site(feeds=(feed,)),))
    assert racks_for(driver, promise("a", 1)) == {"a": [(0, 4)]}
    no = racks_for(driver, promise("a", 1), promise("b", 1))
    assert (no.code, no.field) == ("no_power", "tranches[1].count")
    assert no.detail == (
        "tranche b promises 4 nodes of hgx, 8000 W each; of those that are free over its term 0 have power that "
        "nobody else is promised: feed f1 has no more"
    )


@pytest.mark.parametrize(
    ("racks", "term", "told"),
    [
        (2, (0, 365), ""),
        (3, (0, 365), "12 nodes of hgx at north; 8 can be promised over its term at P90; it fits from 2026-01-31"),
        (5, (0, 365), "20 nodes of hgx at north; 8 can be promised over its term at P90"),
        (5, (40, 365), "20 nodes of hgx at north; 16 can be promised over its term at P90"),
    ],
)  # fmt: skip
def test_what_is_left_over_its_term(racks: int, term: tuple[int, int], told: str) -> None:
    driver = market.market()
    left = nomination.Left(driver.world.calendar, Confidence.P90, None)
    plan = promise("a", racks, *term)
    no = fitting.refuse_oversold(left, driver.world.state.supply, plan, day(0), Confidence.P90, "tranches[0]")
    assert (no.detail if no else "").startswith(f"tranche a promises {told}" if told else "")
    assert (no is None) is (told == "")


def test_what_a_right_may_take() -> None:
    driver = market.market(comes=0)
    no = driver.refused(sign(contract("c1", "acme", promise("a", 1), rights=(call(racks=2),))))
    assert (no.code, no.field) == ("oversold", "rights[0]")
    assert (
        no.detail == "right call may take 8 nodes of hgx at north; 4 can be promised over its window at P90"
    )
