"""A site that cannot have the data says why."""

from __future__ import annotations

from forebay.core import ids
from tests.core import plant
from tests.core.placements.test_datasets import data, reads, storage, two_sites


def test_a_site_that_no_link_leads_to() -> None:
    driver = two_sites()
    driver.ask(storage(1, data("southern", 1, "s1")))
    driver.submit("acme.full", 32, **reads("southern"))
    driver.submit("acme.next", 8, **reads("southern"))
    told = driver.world.explain(ids.GangId("acme.next"), plant.OPERATOR)
    assert not isinstance(told, ids.Refusal)
    lies = "dataset southern lies at south, and no link leads from there to north"
    assert f"It cannot run at north: {lies}." in told["facts"]
