"""What is told of a gang that waits for power or cooling, or was stopped for it."""

from __future__ import annotations

from typing import Any

from forebay.core import ids, supply
from forebay.core.ids import Principal
from forebay.core.placements.gang import Ending, Level, Tier
from forebay.core.units import SECOND_US
from tests.core import plant
from tests.core.plant import LENT, OPERATOR, T0, Driver, contract, feed, hall, rack, site, tranche


def explained(driver: Driver, name: str, by: Principal = OPERATOR) -> dict[str, Any]:
    told = driver.world.explain(ids.GangId(name), by)
    assert isinstance(told, dict)
    return told


def curtailed(**terms: Any) -> Driver:
    driver = plant.plant(sites=[site(feeds=[feed("f1", 66_000)])])
    driver.run("g1", 32, walltime_s=86_400, grace_s=600)
    driver.curtail("heat", "f1", 20_000, end_at=T0 + 7200 * SECOND_US, **terms)
    return driver


def test_a_gang_that_was_shed_says_by_what_rule_and_curtailment() -> None:
    driver = curtailed()
    told = explained(driver, "g1")
    assert told["summary"].startswith(
        "It is stopping, because there was less power for a while; it is killed at "
    )
    # A minute to respond, of which a tenth is kept for the report of its end.
    assert "2026-01-01T00:00:54Z" in told["summary"]
    rule = "after spot and loans on demand goes, the latest placed first"
    assert told["facts"][-1] == (
        f"It was shed under curtailment heat of feed f1, heat: {rule}. It had 54 s to save its work, of the 600 s"
        " that it asks for."
    )
    driver.end("g1", Ending.STOPPED)
    told = explained(driver, "g1")
    assert told["constraint"] == {"code": "power", "level": "feed f1", "have": 2_000, "need": 8_000}
    assert told["expected_start"] == T0 + 7200 * SECOND_US
    assert (
        "Feed f1 may carry 20000 W instead of 66000 W until 2026-01-01T02:00:00Z (curtailment heat, heat)."
        in told["facts"]
    )
    assert "It comes back from the restore queue, before work that has not run." in told["facts"]


def test_a_tenant_is_told_no_names() -> None:
    driver = curtailed()
    driver.end("g1", Ending.STOPPED)
    told = explained(driver, "g1", plant.tenant("acme"))
    assert told["constraint"]["level"] == ""
    text = " ".join(told["facts"])
    assert "f1" not in text
    assert "heat" not in text
    assert "The power supply there is curtailed until 2026-01-01T02:00:00Z." in told["facts"]


def test_a_limit_to_come_is_told_with_its_date() -> None:
    driver = plant.plant(sites=[site(feeds=[feed("f1", 66_000)])])
    driver.curtail("grid", "f1", 20_000, start_at=T0 + 7200 * SECOND_US, reason="")
    driver.submit("g1", 32, walltime_s=86_400)
    told = explained(driver, "g1")
    assert told["expected_start"] is None
    assert told["facts"] == [
        "From 2026-01-01T02:00:00Z feed f1 may carry only 20000 W until that is lifted (curtailment grid)."
    ]
    hidden = explained(driver, "g1", plant.tenant("acme"))
    assert hidden["facts"] == [
        "From 2026-01-01T02:00:00Z the power supply there is curtailed until that is lifted."
    ]


def test_whose_power_went_to_a_claim() -> None:
    own = contract("c1", "acme", tranche("t1", lending=LENT))
    driver = plant.plant(own, contract("c2", "bravo"), sites=[site(feeds=[feed("f1", 66_000)])])
    driver.run("spot", 16, tier=Tier.SPOT, tenant="bravo")
    driver.run("demand", 16, tenant="bravo")
    driver.curtail("heat", "f1", 34_000)
    driver.submit("own", 32, tranche="t1")
    assert "Its power" not in (told := " ".join(explained(driver, "spot")["facts"]))
    assert "its power went to own, which runs on its own claim" in told
    hidden = " ".join(explained(driver, "spot", plant.tenant("bravo"))["facts"])
    assert "its power went to other work" in hidden
    driver.end("spot", Ending.STOPPED)
    driver.end("demand", Ending.STOPPED)
    driver.start("own")
    driver.curtail("more", "f1", 3_000)
    assert "claims go last, in contract order" in " ".join(explained(driver, "own")["facts"])


def test_loans_and_spot_name_their_class() -> None:
    own = contract("c1", "acme", tranche("t1", lending=LENT))
    driver = plant.plant(own, contract("c2", "bravo"), sites=[site(feeds=[feed("f1", 66_000)])])
    driver.run("spot", 32, tier=Tier.SPOT, tenant="bravo")
    driver.run("loan", 32, tier=Tier.SPOT, tenant="bravo")
    driver.curtail("heat", "f1", 3_000)
    assert "spot on the pool goes first" in " ".join(explained(driver, "spot")["facts"])
    assert "what runs on lent capacity goes" in " ".join(explained(driver, "loan")["facts"])


def cooled(liquid_w: int) -> Driver:
    halls = [hall("h1", rack("r1", on="f1", loop="cdu"), rack("r2", on="f1"))]
    loops = [supply.LoopPlan(ids.LoopId("cdu"), liquid_w, 100_000)]
    feeds = [feed("f1", 66_000)]
    return plant.plant(
        sites=[site(feeds=feeds, halls=halls, loops=loops)], skus=[plant.sku(liquid_ppm=750_000)]
    )


def test_a_loop_that_has_too_little_is_named_with_its_number() -> None:
    driver = cooled(18_000)
    # 750 W of the rack and 6 kW a node go into its liquid: two nodes, and of the next one 7 GPUs.
    driver.submit("g1", 32, within=Level.RACK)
    driver.submit("g2", 32, within=Level.RACK)
    assert driver.nodes("g1") == [4, 5, 6, 7]
    told = explained(driver, "g2")
    assert told["constraint"] == {
        "code": "cooling",
        "level": "loop cdu (liquid)",
        "have": 17_250,
        "need": 24_000,
    }
    assert (
        told["summary"]
        == "Cooling: loop cdu (liquid) takes 17250 W of heat more, the next node gives 24000 W."
    )
    assert explained(driver, "g2", plant.tenant("acme"))["summary"] == (
        "Cooling: the cooling there takes 17250 W of heat more, the next node gives 24000 W."
    )
    assert driver.submit("g3", 16).phase == "placed"
    assert driver.submit("g4", 7).phase == "placed"
    assert driver.submit("g5", 1).phase == "pending"


def test_a_loop_that_is_shed_for_nothing_else_is_told_as_what_it_can_take() -> None:
    feeds, skus = [feed("f1", 66_000)], [plant.sku(liquid_ppm=750_000)]
    halls = [hall("h1", rack("r1", on="f1"), rack("r2", on="f1"))]
    driver = plant.plant(sites=[site(feeds=feeds, halls=halls)], skus=skus)
    driver.run("g1", 32)
    loops = [supply.LoopPlan(ids.LoopId("cdu"), 10_000, 100_000)]
    halls = [hall("h1", rack("r1", on="f1", loop="cdu"), rack("r2", on="f1"))]
    driver.ask(supply.ApplySite(site(feeds=feeds, halls=halls, loops=loops)))
    assert "It was shed under what loop cdu (liquid) can take:" in " ".join(explained(driver, "g1")["facts"])


def test_power_is_told_of_only_where_it_binds() -> None:
    driver = cooled(18_000)
    driver.curtail("heat", "f1", 66_000 - 1)
    driver.run("g1", 32, within=Level.RACK)
    driver.submit("g2", 32, within=Level.RACK)
    # It waits for the loop, and the feed is not in the way; then for nodes.
    assert explained(driver, "g2")["facts"] == []
    driver.submit("g3", 16)
    driver.submit("g4", 32, within=Level.RACK)
    driver.lift("heat")
    driver.fail(2)
    driver.fail(3)
    assert explained(driver, "g2")["constraint"]["code"] in ("nodes", "gpus")
    assert not any("may carry" in fact for fact in explained(driver, "g2")["facts"])


def test_a_feed_above_a_loop_may_be_what_binds() -> None:
    driver = cooled(30_000)
    driver.curtail("heat", "f1", 20_000)
    driver.submit("g1", 24)
    assert explained(driver, "g1")["constraint"] == {
        "code": "power",
        "level": "feed f1",
        "have": 2_000,
        "need": 8_000,
    }


def test_a_curtailed_loop_is_told_as_that() -> None:
    driver = cooled(30_000)
    driver.run("g1", 32, within=Level.RACK)
    driver.run("g2", 32, within=Level.RACK)
    driver.curtail("pump", "loop/cdu", 10_000, reason="a pump failed")
    (on_loop,) = [gang.spec.id for gang in driver.live() if gang.runs[0].first == 0]
    text = " ".join(explained(driver, on_loop)["facts"])
    assert "It was shed under curtailment pump of loop cdu (liquid), a pump failed:" in text
