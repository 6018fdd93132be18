"""A journal of every release, that every later one must read: `python -m tests.recorded.make 0.1.0`.

Made once, when a release is; never made again, whatever the code becomes. A folder holds `records.txt` (the bytes of
each record, one a line), `digest` (the chain's, hex) and `end.json` (what the World must know at the end of it).
`shapes.txt` has a line for each version of each kind of event; lines are added, never changed.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from forebay.core import claims, ids, money, supply
from forebay.core.claims import (
    deliveries,
    maintenance,
    offers,
    parties,
    payments,
    remedies,
    rights,
    service_levels,
    workdays,
)
from forebay.core.claims.calendar import Stock
from forebay.core.claims.maintenance import Maintenance
from forebay.core.ids import Effect
from forebay.core.placements import campaigns, chains, heartbeats, wipes
from forebay.core.placements import gang as gangs
from forebay.core.placements.checkpoints import ReportCheckpoint
from forebay.core.placements.failing import Failing
from forebay.core.placements.gang import Ending, Tier
from forebay.core.supply import blocks
from forebay.core.units import DAY_US, MICROS, SECOND_US
from forebay.core.world import World
from forebay.exports import canonical
from forebay.journals.memory import MemoryJournal, Shelf
from forebay.loop import codec, ports, schema
from forebay.server import bills
from forebay.twin.clock import VirtualClock
from forebay.twin.driver import Twin
from tests.core import plant, story
from tests.core.placements import campaigners
from tests.core.plant import EDGE, LENT, Driver
from tests.recorded import ahead, collected, divided, estimated, excluded, late, metered, stored

FOLDER = Path(__file__).parent
SHAPES = FOLDER / "shapes.txt"


# The story


def told() -> Driver:
    """Three months at one provider, and then whatever those did not have: every kind of event is in it."""
    driver = story.told()
    _sign(driver)
    _reclaim_overdue(driver)
    _correct(driver)
    _use_names_again(driver)
    divided.divide(driver)
    metered.read(driver)
    estimated.learn(driver)
    estimated.share_alike(driver)
    stored.bring_data(driver)
    _chain(driver)
    _promise(driver)
    _hand_over(driver)
    _rent(driver)
    _amend(driver)
    _agree(driver)
    ahead.contest(driver)
    driver.later(days=40)
    _break(driver)
    _fall_silent(driver)
    _curtail(driver)
    late.hear(driver)
    _maintain(driver)
    excluded.exclude(driver)
    _offer(driver, "h3")
    driver.ask(_told_of(driver, nodes=2), plant.FINANCE)
    _open(driver)
    collected.collect(driver)
    ahead.pay_ahead(driver)
    ahead.write_off(driver)
    # What is open now is to be answered while nobody looks: no time passes any more.
    _wait_for_an_answer(driver)
    return driver


def _break(driver: Driver) -> None:
    """A switch takes racks out with it; a node fails twice, is quarantined, repaired, checked and released."""
    halls = (plant.hall("west-h1", plant.rack("w1", on="fw"), plant.rack("w2", on="fw")),)
    switch = supply.SwitchPlan(ids.SwitchId("w-s1"), (ids.RackId("w1"), ids.RackId("w2")))
    driver.ask(supply.ApplySite(replace(plant.site("west", (plant.feed("fw"),), halls), switches=(switch,))))
    node = ids.NodeIndex(driver.world.state.supply.racks[ids.RackId("w1")].first_node)
    driver.policy(failing=Failing(("burn-in",), lemon_failures=2, hold_s=600, stuck_s=600))
    driver.run("broad", 24, sites=("west",))
    lost = ids.NodeIndex(driver.nodes("broad")[0])
    driver.fail(lost)
    driver.end("broad", Ending.STOPPED)
    driver.start("broad")
    driver.ask(gangs.ReportGangProgress(ids.GangId("broad"), 1200, source="sim"), EDGE)
    driver.later(700).end("broad")
    driver.recover(lost)
    driver.ask(supply.ReportNodeCheck(lost, "burn-in", True), EDGE)
    driver.domain("switch", "w-s1", False)
    driver.later(60).domain("switch", "w-s1", True, ago_s=10)
    driver.ask(supply.ReportNodeDegraded(node, True, "ecc"), EDGE)
    for _ in range(2):
        driver.later(60).fail(node)
        driver.ask(supply.TicketNode(node, "T-17", "dead fan", "fan", driver.at + DAY_US))
        driver.later(60).recover(node)
    driver.ask(supply.ReleaseNode(node, "board replaced"))
    driver.ask(supply.ReportNodeCheck(node, "burn-in", True, "24 h"), EDGE)


def _fall_silent(driver: Driver) -> None:
    """The engine of a site is silent, fenced with its lease, and back."""
    held = driver.world.state.placements.policy.failing
    driver.policy(failing=replace(held, engine_silent_s=100, engine_fence_s=60))
    heard = heartbeats.ReportEngineHeard("west-engine", (ids.SiteId("west"),))
    driver.ask(heard, EDGE)
    driver.run("alone", 8, sites=("west",), walltime_s=86_400)
    driver.later(180)
    driver.ask(heartbeats.FenceEngine("west-engine", "switched off"))
    driver.ask(heard, EDGE)
    driver.start("alone")
    driver.end("alone")
    driver.policy(failing=held)


def _curtail(driver: Driver) -> None:
    """A site with a cooling loop has less power for a while; what is shed is late, and comes back."""
    feeds = [plant.feed("fl", 40_000)]

    def lee(loop: str) -> supply.SitePlan:
        racks = (plant.rack("l1", on="fl", loop="lee-l1"), plant.rack("l2", on="fl", loop=loop))
        loops = (supply.LoopPlan(ids.LoopId("lee-l1"), 60_000, 60_000),)
        return plant.site("lee", feeds, (plant.hall("lee-h1", *racks),), loops=loops)

    driver.ask(supply.ApplySite(lee("")))
    driver.ask(supply.ApplySite(lee("lee-l1")))
    driver.run("bravo.warm", 16, tenant="bravo", sites=("lee",), walltime_s=86_400, grace_s=600)
    driver.run("bravo.cool", 16, tenant="bravo", sites=("lee",), walltime_s=86_400)
    driver.curtail("heat", "fl", 20_000)
    driver.later(61).end("bravo.cool", Ending.STOPPED)
    begins = driver.at + 3600 * SECOND_US
    driver.curtail("grid", "fl", less_w=1_000, start_at=begins, end_at=begins + 60 * SECOND_US)
    driver.lift("heat")
    driver.later(hours=2).curtail("pump", "loop/lee-l1", 1_000, respond_s=600)


def _maintain(driver: Driver) -> None:
    """Campaigns at sites of their own: one with a slip, a node that breaks and a pause, one that is cancelled."""
    for name in ("moor", "fell"):
        halls = (
            plant.hall(
                f"{name}-h1",
                plant.rack(f"{name[0]}1", on=f"f-{name}"),
                plant.rack(f"{name[0]}2", on=f"f-{name}"),
            ),
        )
        driver.ask(supply.ApplySite(plant.site(name, (plant.feed(f"f-{name}"),), halls)))
    agreed = Maintenance(allowed_s=36_000, consent=True)
    term = plant.tranche(
        "moor-1", site="moor", start_at=driver.at, end_at=driver.at + 30 * DAY_US, maintenance=agreed
    )
    driver.ask(claims.SignContract(plant.contract("c-moor", "acme", term)))
    begins = driver.at + 3600 * SECOND_US
    for name in ("moor", "fell"):
        part = (campaigns.CampaignPart(supply.DomainKind.SITE, name),)
        command = campaigners.plan(name, parts=part, start_at=begins, end_at=begins + DAY_US, failures_max=0)
        driver.ask(
            campaigns.ApplyCampaign(command, (campaigns.TrancheWindows(term.id, ((begins, begins + 1),)),))
        )
    driver.later(hours=1)
    driver.ask(campaigners.consent(of="moor-1", name="moor"), plant.tenant("acme"))
    driver.ask(campaigns.CancelCampaign(ids.CampaignId("fell"), "wrong version"))
    driver.later(hours=2)
    node = driver.world.state.placements.campaigns[ids.CampaignId("moor")].out[0]
    driver.recover(node)
    driver.ask(supply.ReportNodeCheck(node, "burn-in", False, "link down"), EDGE)
    driver.ask(campaigns.ResumeCampaign(ids.CampaignId("moor")))
    for _ in range(4):
        campaigners.repaired(driver)
        driver.later(hours=1)


def _sign(driver: Driver) -> None:
    """Another seller and another currency, clauses, a tranche of nodes at the other site."""
    nodes = plant.tranche(
        "south-1", 3, site="south", unit=claims.Unit.NODE, start_at=driver.at, end_at=driver.at + 90 * DAY_US,
        price_micros_per_gpu_hour=1_234_567, lending=LENT,
    )  # fmt: skip
    clauses = (
        claims.Clause("Uptime of 99 % of a month", claims.Coverage.WATCHED),
        claims.Clause("Délai de préavis", claims.Coverage.NOT_HANDLED),
    )
    driver.ask(claims.SignContract(plant.contract("c3", "carol", nodes, seller="them", clauses=clauses)))
    driver.ask(claims.SignContract(plant.contract("c4", "dora", currency="EUR", spot=False)))
    driver.ask(money.ApplyPriceList(plant.prices(3, 5 * MICROS, 0, currency="EUR")), plant.FINANCE)


def _reclaim_overdue(driver: Driver) -> None:
    """A borrower does not leave in time, and its owner gives up waiting."""
    driver.run("dora.fails", 8, tenant="dora", sites=("north",), restarts_max=0)
    driver.run("fills-south", 8, tenant="bravo", sites=("south",), walltime_s=3600)
    driver.run("carol.own", 8, tenant="carol", tranche="south-1")
    driver.run("borrows", 16, tenant="bravo", tier=Tier.SPOT, sites=("south",), walltime_s=86_400)
    driver.later(30).ask(ReportCheckpoint(ids.GangId("borrows"), 1, driver.at - 10 * SECOND_US, "sim"), EDGE)
    program = gangs.Program(("python3", "train.py", "é \U0001f600"), {"LR": "3e-4"}, "/srv", 500, 10**9)
    wants = plant.spec("carol.wants", 16, tenant="carol", tranche="south-1", program=program, title="Größer")
    driver.ask(gangs.SubmitGang(wants), plant.tenant("carol"), "carol-1")
    driver.later(400).cancel("carol.wants")
    driver.end("borrows", Ending.LOST)
    driver.ask(wipes.ReportWipe(ids.NodeIndex(driver.nodes("borrows")[0]), True), EDGE)
    driver.end("carol.own", Ending.UNSTARTABLE)
    failed = gangs.ReportGangEnded(
        ids.GangId("dora.fails"), 1, driver.at, "sim", Ending.FAILED, 3, -9, "rank 3 was killed"
    )
    driver.ask(failed, EDGE)


def _correct(driver: Driver) -> None:
    """News of a node, and of a gang's end, that come after their period was closed."""
    node = driver.world.state.claims.tranches[ids.TrancheId("south-1")].runs[0][0]
    driver.later(hours=4).close()
    driver.later(hours=1).fail(node, ago_s=2 * 3600)
    driver.end("fills-south", Ending.STOPPED, ago_s=3 * 3600)
    driver.cordon(node + 1)
    driver.later(hours=3).recover(node, ago_s=600)
    driver.uncordon(node + 1)


def _use_names_again(driver: Driver) -> None:
    driver.close()
    driver.run("carol.own", 8, tenant="carol", tranche="south-1", restarts_max=0)
    driver.later(60).end("carol.own", Ending.COMPLETED)
    driver.ask(supply.ApplyCatalogue((plant.sku("small", gpus_per_node=1),)), key="catalogue")


def _chain(driver: Driver) -> None:
    """An array, two of it at once, what comes after it, and what can never start."""
    each = plant.spec("dora.sweep", 8, tenant="dora", restarts_max=0, walltime_s=600)
    driver.ask(gangs.SubmitArray(each, (1, 2, 5), 2))
    for name, when in (("next", chains.Precondition.COMPLETED), ("tidy", chains.Precondition.ENDED)):
        driver.submit(f"dora.{name}", 8, tenant="dora", after=(chains.After(each.id, when),))
    for index in (2, 1, 5):
        driver.later(60).end(f"dora.sweep.{index}", Ending.COMPLETED if index == 1 else Ending.FAILED)
    driver.cancel("dora.tidy")


EAST, HGX = ids.SiteId("east"), ids.SkuId("hgx")


def _promise(driver: Driver) -> None:
    """A third site is planned and slips; rights are granted, offered, let pass, used, and lapse."""
    at, milestone = driver.at, ids.MilestoneId("ready")
    halls = (plant.hall("east-h1", plant.rack("e1", on="fe", loop="east-l1"), plant.rack("e2", on="fe")),)
    driver.ask(supply.ApplySite(plant.site("east", (plant.feed("fe"),), halls)))
    cause = blocks.Cause(ids.CauseId("vendor"), 500_000, 100_000, 86_400)
    planned = blocks.MilestonePlan(milestone, "racks", (), at + 10 * DAY_US, 86_400, 3600, 7200, (cause.id,))
    coming = blocks.BlockPlan(ids.BlockId("b1"), HGX, 2, (milestone,), ids.HallId("east-h1"))
    plan = blocks.SchedulePlan(EAST, (planned,), (coming,), (), (cause,), 1_200_000)
    driver.ask(blocks.ApplySchedule(plan))
    quantiles = (
        (blocks.MilestoneQuantile(milestone, at + 11 * DAY_US, at + 15 * DAY_US),),
        (blocks.BlockQuantile(coming.id, at + 11 * DAY_US, at + 15 * DAY_US),),
    )
    driver.ask(blocks.RecordForecast(EAST, 1, "delays/1 seed 1", 2000, *quantiles), EDGE)
    driver.ask(claims.ApplyPromisePolicy(claims.PromisePolicy(1, blocks.Confidence.P50)))
    _rebind(driver)
    _count_days(driver)
    _grant(driver)
    driver.ask(blocks.ReportForecast(EAST, milestone, at + 20 * DAY_US, "the vendor is late"))
    _offer(driver, "h1")
    driver.ask(rights.WaiveRight(ids.RightId("erin-first")), plant.tenant("erin"))
    _offer(driver, "h2")
    driver.later(days=3)
    driver.ask(rights.ExerciseRight(ids.RightId("erin-call"), 0, ids.TrancheId("erin-2"), 1))
    driver.later(days=15).ask(blocks.ReportReached(EAST, milestone, driver.at - 60, "handed over"), EDGE)
    later = plant.rack("e3", on="fe"), plant.rack("e4", on="fe")
    came = plant.hall("east-h1", *(replace(each, block=coming.id) for each in later))
    driver.ask(supply.ApplySite(plant.site("east", (plant.feed("fe"),), (came,))))
    spared = claims.PromisePolicy(2, blocks.Confidence.P50, spares=claims.Spares.RACK)
    driver.ask(claims.ApplyPromisePolicy(spared))


def _count_days(driver: Driver) -> None:
    """Notices of days: a calendar, with the offsets of its zone."""
    day = driver.at // DAY_US
    calendar = workdays.BusinessCalendar(
        ids.CalendarId("helsinki"), 1, "Europe/Helsinki", (workdays.Weekday.SATURDAY, workdays.Weekday.SUNDAY),
        (day + 2,), 17 * 3600, day + 1000, (workdays.Offset(0, 7200), workdays.Offset(driver.at + 9 * DAY_US, 10800)),
    )  # fmt: skip
    driver.ask(workdays.ApplyBusinessCalendar(calendar))


def _grant(driver: Driver) -> None:
    """One contract with a ramp, terms for lateness, and a right of every kind."""
    at = driver.at
    # It begins later, and has to give up the rack that it is bound to for now.
    later = plant.tranche("finn-1", 1, site="east", start_at=at + 10 * DAY_US, end_at=at + 20 * DAY_US)
    driver.ask(claims.SignContract(plant.contract("c6", "finn", later)))
    parts = (claims.Delivery(at + DAY_US, 2), claims.Delivery(at + 16 * DAY_US, 2))
    first = plant.tranche(
        "erin-1", 4, site="east", start_at=at + DAY_US, end_at=at + 200 * DAY_US, deliveries=parts,
        late=claims.Late(86_400, 5 * MICROS, 1000 * MICROS, 30 * 86_400),
    )  # fmt: skip
    shared = rights.Cap(ids.CapId("cap"), 10**6 * MICROS)
    taken: dict[str, Any] = {
        "site": EAST,
        "sku": HGX,
        "price_micros_per_gpu_hour": 2 * MICROS,
        "cap": shared.id,
    }

    def right(kind: rights.RightKind, **terms: Any) -> rights.RightPlan:
        return rights.RightPlan(ids.RightId(f"erin-{terms.pop('name', kind.value)}"), kind, **terms)

    granted = (
        right(rights.RightKind.REFUSAL, name="first", site=EAST, notice_s=3600, waiver_s=86_400),
        right(
            rights.RightKind.CALL, racks_max=1, notice_s=86_400, term_s=10 * 86_400,
            expires_at=at + 30 * DAY_US, **taken,
        ),
        right(rights.RightKind.BACKSTOP, notice_s=86_400, term_s=86_400, measure_at=at + 25 * DAY_US, **taken),
        right(
            rights.RightKind.EXTENSION, tranche=first.id, term_s=86_400,
            notice=workdays.DayNotice(5, ids.CalendarId("helsinki")),
        ),
        right(rights.RightKind.TERMINATION, tranche=first.id, ends_order=True),
    )  # fmt: skip
    driver.ask(
        claims.SignContract(
            plant.contract("c5", "erin", first, rights=granted, caps=(shared,)), "two racks are still to come"
        )
    )


def _open(driver: Driver) -> None:
    """A contract that ran already is taken in, two days after its cutover."""
    cutover_at = driver.at - 2 * DAY_US
    runs = plant.tranche(
        "hugo-1", 1, site="south", unit=claims.Unit.NODE, start_at=driver.at - 30 * DAY_US,
        end_at=driver.at + 60 * DAY_US,
    )  # fmt: skip
    called = rights.RightPlan(
        ids.RightId("hugo-call"), rights.RightKind.CALL, EAST, HGX, racks_max=3, cap=ids.CapId("hugo-cap"),
        price_micros_per_gpu_hour=2 * MICROS, expires_at=driver.at + 300 * DAY_US, term_s=86_400,
    )  # fmt: skip
    plan = plant.contract(
        "c8", "hugo", runs, rights=(called,), caps=(rights.Cap(ids.CapId("hugo-cap"), 10**6 * MICROS),)
    )
    opening = claims.Opening(
        cutover_at, "USD", 9_000 * MICROS, 100 * MICROS, 200 * MICROS, 50 * MICROS, 300 * MICROS, 40 * MICROS,
        30 * MICROS,
        (claims.opening.OpenedInvoice("2025-117", 700 * MICROS, cutover_at - DAY_US, cutover_at + 29 * DAY_US),),
        (claims.opening.OpenedTranche(runs.id, 1, cutover_at - 28 * DAY_US),),
        (claims.opening.OpenedCap(ids.CapId("hugo-cap"), 1_000 * MICROS),),
        (claims.opening.OpenedRight(called.id, rights.Life.DORMANT, 1),),
    )  # fmt: skip
    driver.ask(claims.SignContract(plan, opening=opening), plant.FINANCE)
    driver.later(days=1).close()


def _amend(driver: Driver) -> None:
    """A contract whose price has steps and follows an index; then a new version of it, and one to come."""
    at, name, power = driver.at, ids.ContractId("c9"), ids.IndexId("power")
    values = tuple(claims.IndexValue(at - n * DAY_US, (100 + n) * MICROS) for n in (70, 40, 1))
    driver.ask(claims.PublishIndex(power, values), plant.FINANCE)
    follows = claims.Indexed(power, 100 * MICROS, 300_000, MICROS, 3 * MICROS)
    steps = (claims.PriceStep(at + 9 * DAY_US, 1_950_000, follows, 800_000),)
    first = plant.tranche(
        "hana-1", 1, site="south", unit=claims.Unit.NODE, start_at=at, end_at=at + 38 * DAY_US, index=follows,
        price_steps=steps, take_or_pay_ppm=800_000,
    )  # fmt: skip
    plan = plant.contract(name, "hana", first)
    driver.ask(claims.SignContract(plan, "a rack is still to come"))
    call = rights.RightPlan(
        ids.RightId("hana-call"), rights.RightKind.CALL, ids.SiteId("south"), HGX, racks_max=1, term_s=86_400,
        expires_at=at + 50 * DAY_US,
    )  # fmt: skip
    watched = claims.Clause("Audit", claims.Coverage.WATCHED, at + 90 * DAY_US)
    amended = replace(
        plan, version=2, effective_at=at + 20 * DAY_US, rights=(call,), clauses=(watched,), spot=False
    )
    driver.ask(claims.SignContract(amended, "a rack is still to come"))
    cheaper = replace(first, price_micros_per_gpu_hour=MICROS, price_steps=(), late=claims.Late(0, MICROS))
    longer = replace(call, racks_max=2, notice_s=86_400, expires_at=at + 60 * DAY_US)
    third = replace(amended, version=3, effective_at=at + 25 * DAY_US, tranches=(cheaper,), rights=(longer,))
    driver.ask(claims.SignContract(third, "a rack is still to come"))
    driver.ask(claims.SignContract(replace(third, version=4, effective_at=at + 30 * DAY_US, rights=())))


def _hand_over(driver: Driver) -> None:
    """A node is ready, rejected, ready again and accepted; a date moves."""
    at, name = driver.at, ids.TrancheId("iris-1")
    tests = (
        claims.AcceptanceTest("burn_in_hours", 72 * MICROS),
        claims.AcceptanceTest("storage_ms", 1_500_000, claims.Direction.AT_MOST),
    )
    nodes = plant.tranche(
        name, 1, site="south", unit=claims.Unit.NODE, start_at=at + DAY_US, end_at=at + 30 * DAY_US,
        late=claims.Late(0, MICROS),
        acceptance=claims.AcceptanceTerms(tests, 3 * 86_400, claims.BillingFrom.READY, 86_400),
        relief=(claims.ReliefTerms(claims.ReliefKind.CUSTOMER_DELAY, 86_400, 2 * 86_400),),
    )  # fmt: skip
    shared = (claims.ReliefTerms(claims.ReliefKind.FORCE_MAJEURE, 86_400, 86_400),)
    driver.ask(claims.SignContract(plant.contract("c10", "iris", nodes, relief=shared), "for the record"))
    driver.ask(
        claims.relief.ReportRelief(name, claims.ReliefKind.CUSTOMER_DELAY, at, at + DAY_US, "no cables", at)
    )
    results = (
        claims.acceptance.Result("burn_in_hours", 100 * MICROS),
        claims.acceptance.Result("storage_ms", 1_250_000),
    )
    driver.later(days=2).ask(claims.acceptance.GiveReadyNotice(name, 1, results))
    driver.ask(claims.acceptance.RejectDelivery(name, "a link flaps", 1), plant.tenant("iris"))
    driver.later(hours=5).ask(claims.acceptance.GiveReadyNotice(name, 1, results, driver.at - 60))
    driver.ask(claims.acceptance.AcceptDelivery(name, 2), plant.tenant("iris"))
    driver.later(days=10)


def _wait_for_an_answer(driver: Driver) -> None:
    """Somebody is to answer a notice while forebay is down."""
    hall = plant.hall("west-h1", plant.rack("w1", on="fw"))
    driver.ask(supply.ApplySite(plant.site("west", (plant.feed("fw"),), (hall,))))
    name = ids.TrancheId("iris-2")
    terms = claims.AcceptanceTerms((), 86_400)
    nodes = plant.tranche(
        name, 1, site="west", unit=claims.Unit.NODE, start_at=driver.at, end_at=driver.at + 30 * DAY_US,
        acceptance=terms,
    )  # fmt: skip
    driver.ask(claims.SignContract(plant.contract("c11", "iris", nodes), "for the record"))
    driver.ask(claims.acceptance.GiveReadyNotice(name, 1))


def _agree(driver: Driver) -> None:
    """A contract with every further term: a tranche that is handed over, and one that leaves a choice."""
    at = driver.at
    driver.ask(claims.ApplyPromisePolicy(claims.PromisePolicy(3, blocks.Confidence.P50)))
    ladder = (service_levels.Rung(999_000, 100_000), service_levels.Rung(950_000, 1_000_000))
    level = service_levels.ServiceLevel(
        service_levels.ServiceUnit.TRANCHE, ladder, 3, 4 * 3600, service_levels.Crediting.ON_CLAIM, 30 * 86_400,
        500_000, 10**6 * MICROS, True, 0, service_levels.Chronic(2, 6, 980_000),
    )  # fmt: skip
    window = maintenance.WeeklyWindow(workdays.Weekday.SUNDAY, 7200, 4 * 3600)
    first = plant.tranche(
        "jane-1", 4, site="south", unit=claims.Unit.NODE, start_at=at + 200 * DAY_US, end_at=at + 260 * DAY_US,
        late=claims.Late(86_400, 0, 0, 0, 500_000), operation=claims.Operation.HANDED_OVER, service=level,
        maintenance=maintenance.Maintenance(8 * 3600, 72 * 3600, (window,), "Europe/Helsinki"),
    )  # fmt: skip
    agreed = remedies.Remedies(
        (remedies.Remedy.CREDIT, remedies.Remedy.FEE_DISCOUNT), remedies.Settlement.SET_OFF, 10**9, 10**12
    )
    paid = payments.PaymentTerms(
        payments.BillingTime.ADVANCE, 30 * 86_400, 10**9, at + DAY_US, (payments.Prepayment(at, 10**9),),
        (payments.MilestonePayment(EAST, ids.MilestoneId("ready"), 100_000),), (first.id,),
        payments.Guarantee("a bank", 10**10, at + 300 * DAY_US), 80_000, 500_000, 900_000,
    )  # fmt: skip
    choice = plant.tranche(
        "jane-2", 1, site="", sites=(ids.SiteId("south"), ids.SiteId("north")), unit=claims.Unit.NODE,
        start_at=at + 261 * DAY_US, end_at=at + 300 * DAY_US,
    )  # fmt: skip
    first.shortfall = claims.ShortfallTerms(claims.Serving.LAST, before=("c3",))
    signed = plant.contract(
        "c12", "jane", first, choice, remedies=agreed, payments=paid,
        shortfall=claims.ShortfallTerms(after=("carol",)),
    )  # fmt: skip
    driver.ask(claims.SignContract(signed, "for the record"))
    has = driver.world.state.claims.tranches[choice.id].plan.site
    (other,) = {*choice.sites} - {has}
    driver.ask(claims.NominateTranche(choice.id, other, choice.sku))


def _rebind(driver: Driver) -> None:
    """A plan gives a tranche that is yet to begin another rack."""
    at, name = driver.at, ids.TrancheId("gina-1")
    later = plant.tranche(name, 1, site="east", start_at=at + 300 * DAY_US, end_at=at + 400 * DAY_US)
    driver.ask(claims.SignContract(plant.contract("c7", "gina", later)))
    state = driver.world.state
    (has,) = state.claims.tranches[name].runs
    wanted = next(
        (rack.first_node, rack.nodes)
        for rack in state.supply.racks.values()
        if rack.site == EAST and rack.first_node != has[0]
    )
    version = claims.rebinding.version(state.claims, state.supply, Stock(EAST, HGX))
    driver.ask(claims.ProposeBinding(EAST, HGX, version, (claims.Rebinding(name, (wanted,)),)))


def _offer(driver: Driver, name: str) -> None:
    """A sale to somebody else is held, and offered to the holder of a refusal."""
    held = claims.Hold(
        ids.HoldId(name), ids.TenantId("bravo"), EAST, HGX, 1, driver.at + 205 * DAY_US, driver.at + 210 * DAY_US,
        driver.at + DAY_US, 3 * MICROS, "USD",
    )  # fmt: skip
    driver.ask(claims.HoldCapacity(held), plant.FINANCE)
    driver.ask(rights.OfferSale(ids.RightId("erin-first"), held.id), plant.FINANCE)


def _rent(driver: Driver) -> None:
    """We say who we are, rent from somebody else, are told of dates, and keep some things to ourselves."""
    at, first = driver.at, ids.TrancheId("far-1")
    driver.ask(parties.ApplyEstate(parties.Estate(1, "us", "The provider", ("them",))))
    behind = parties.Behind(ids.TrancheId("erin-1"), 1, EAST, ids.MilestoneId("ready"))
    private = parties.Overlay(
        ids.ContractId("c5"), 1, "us", 1_900_000, 250_000, 3, blocks.Confidence.P90, (behind,), "é"
    )
    driver.ask(parties.ApplyOverlay(private))
    parts = (claims.Delivery(at + 5 * DAY_US, 2), claims.Delivery(at + 30 * DAY_US, 3))
    plan = plant.tranche(
        first, 5, site="far", start_at=at + 5 * DAY_US, end_at=at + 100 * DAY_US, deliveries=parts,
        late=claims.Late(86_400, 5 * MICROS, 1000 * MICROS, 30 * 86_400),
    )  # fmt: skip
    granted = (
        rights.RightPlan(
            ids.RightId("far-call"), rights.RightKind.CALL, ids.SiteId("far"), HGX, racks_max=4, term_s=86_400 * 10,
            notice_s=86_400, expires_at=at + 20 * DAY_US, price_micros_per_gpu_hour=MICROS,
        ),
        rights.RightPlan(ids.RightId("far-longer"), rights.RightKind.EXTENSION, tranche=first, term_s=86_400),
        rights.RightPlan(
            ids.RightId("far-first"), rights.RightKind.REFUSAL, ids.SiteId("far"), notice_s=3600, waiver_s=86_400
        ),
    )  # fmt: skip
    rental = plant.contract("c8", "us", plan, seller="far-away", rights=granted)
    driver.ask(claims.SignContract(rental))
    driver.ask(deliveries.NotifyDelivery(first, 2, at + 35 * DAY_US, reason="a transformer"), plant.FINANCE)
    driver.ask(deliveries.ForecastDelivery(first, 2, at + 33 * DAY_US, at + 60 * DAY_US, "our own"))
    driver.ask(rights.ExerciseRight(ids.RightId("far-call"), 0, ids.TrancheId("far-2"), 2))
    driver.ask(rights.WaiveRight(ids.RightId("far-longer")))
    _be_offered(driver)
    driver.later(days=6)
    driver.ask(_told_of(driver, nodes=5), plant.FINANCE)
    driver.ask(deliveries.ReportDelivered(first, 1, driver.at - 60, "signed by both"), plant.FINANCE)
    more = plant.tranche(
        ids.TrancheId("far-3"), 1, site="far", start_at=driver.at + DAY_US, end_at=at + 90 * DAY_US
    )
    another = rights.RightPlan(
        ids.RightId("far-out"), rights.RightKind.EXTENSION, tranche=more.id, term_s=86_400
    )
    amended = replace(
        rental, version=2, effective_at=driver.at, tranches=(plan, more), rights=(*granted, another)
    )
    driver.ask(claims.SignContract(amended))


def _told_of(driver: Driver, nodes: int = 4, days: int = 40) -> offers.ReceiveOffer:
    start_at = driver.at + DAY_US
    sale = offers.OfferedSale(ids.SiteId("far"), HGX, nodes, start_at, start_at + days * DAY_US, 2 * MICROS)
    return offers.ReceiveOffer(ids.RightId("far-first"), sale)


def _be_offered(driver: Driver) -> None:
    """What somebody else would buy is offered to us first: let pass, told of again, and better; taken, and not
    answered.
    """
    driver.ask(_told_of(driver), plant.FINANCE)
    driver.ask(rights.WaiveRight(ids.RightId("far-first")))
    driver.ask(_told_of(driver, nodes=3), plant.FINANCE)
    driver.ask(_told_of(driver, days=50), plant.FINANCE)
    driver.ask(rights.ExerciseRight(ids.RightId("far-first"), 0, ids.TrancheId("far-matched")))
    driver.ask(_told_of(driver, nodes=6), plant.FINANCE)


# The recording


#: In the end forebay is down for so long: clocks that ran out meanwhile are resumed.
DOWN_US = 7 * DAY_US


class _Idle:
    """An edge that does nothing: what it would report is in the story."""

    def release(self, effects: Sequence[Effect]) -> None: ...

    def resync(self, desired: Sequence[Effect]) -> None: ...

    def reports(self, at: int) -> list[ids.Asked]:
        return []

    def acknowledge(self, reports: Sequence[ids.Asked]) -> None: ...

    def next_report(self) -> int | None:
        return None


def recorded(driver: Driver) -> tuple[list[ports.Stored], World]:
    """The journal that the loop writes when it is asked the same at the same instants, and its World."""
    clock = VirtualClock(driver.asked[0][0])
    twin = Twin(clock, _Idle(), MemoryJournal())
    for at, asked in driver.asked:
        twin.run_until(at)
        clock.advance_to(at)
        twin.step(asked)
    twin.run_until(driver.at + 1)
    clock.advance_to(driver.at + DOWN_US)
    twin.step()
    return list(twin.journal.read()), twin.world


def facts(world: World, records: Sequence[ports.Stored]) -> dict[str, Any]:
    """What a recording is held to: as JSON."""
    state, journal, known = world.state, MemoryJournal(Shelf(list(records))), codec.Codec(World.EVENTS)
    return {
        "seq": world.seq,
        "now": world.now,
        "invoices": {
            name: [
                issued.seller,
                issued.number,
                issued.tenant,
                issued.currency,
                canonical.invoice_digest(bills.issued(journal, known, issued.seq)),
                issued.total_minor,
            ]
            for name, issued in state.money.invoices.items()
        },
        "balances": {
            f"{account} {currency}": micros for (account, currency), micros in state.money.balances.items()
        },
        "gangs": {
            gang.spec.id: [gang.phase.value, gang.generation] for gang in state.placements.gangs.values()
        },
        "tranches": {
            name: [tranche.standing.value, tranche.gpus] for name, tranche in state.claims.tranches.items()
        },
        "nodes_failed": sorted(state.supply.failed),
        "next_wake": world.next_wake(),
    }


def shape(kind: type[ids.Event]) -> str:
    """SHA-256 (hex) of the names and types of all that is recorded with a kind of event."""
    return hashlib.sha256(schema.describe(kind).encode()).hexdigest()


def known_shapes() -> dict[tuple[str, int], str]:
    """(kind, version) -> its shape, as kept."""
    lines = SHAPES.read_text(encoding="utf-8").splitlines() if SHAPES.exists() else []
    return {(kind, int(version)): known for kind, version, known in map(str.split, lines)}


def main(version: str) -> None:
    """Write the folder of a release, and the shapes that are new in it."""
    folder = FOLDER / version
    folder.mkdir()
    records, world = recorded(told())
    (folder / "records.txt").write_bytes(b"".join(record.data + b"\n" for record in records))
    _, digest = codec.verify(records)
    (folder / "digest").write_text(digest.hex() + "\n", encoding="utf-8")
    (folder / "end.json").write_text(json.dumps(facts(world, records), indent=1) + "\n", encoding="utf-8")
    shapes = {(kind.__name__, kind.VERSION): shape(kind) for kind in World.EVENTS} | known_shapes()
    text = "".join(f"{kind} {number} {known}\n" for (kind, number), known in sorted(shapes.items()))
    SHAPES.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
