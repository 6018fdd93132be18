"""Who may ask, what is asked again, what falls due when, and that a fold of the events is the World again."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from forebay.core import claims, energy, money, supply, timeline, usage
from forebay.core.claims import SignContract
from forebay.core.digests import body_digest
from forebay.core.ids import (
    CLOCK,
    Asked,
    CalendarId,
    CampaignId,
    Command,
    ContractId,
    CurtailmentId,
    GangId,
    HoldId,
    IndexId,
    InvoiceId,
    MilestoneId,
    NodeIndex,
    Principal,
    Refusal,
    RightId,
    Role,
    SiteId,
    SkuId,
    TenantId,
    TrancheId,
)
from forebay.core.placements import campaigns, heartbeats, projects, sharing, upstream, wipes
from forebay.core.placements import gang as gangs
from forebay.core.placements import state as placing
from forebay.core.placements.checkpoints import ReportCheckpoint
from forebay.core.placements.commons import TenantsWeighed
from forebay.core.placements.gang import Ending, Policy, SubmitGang
from forebay.core.supply import blocks
from forebay.core.timeline import Dues
from forebay.core.units import DAY_US, HOUR_US, SECOND_US
from forebay.core.world import KEY_WINDOW_US, MAY, KeyUsed, OpenWorld, World, WorldState
from tests.core import kept, machine, plant, story
from tests.core.placements import campaigners
from tests.core.plant import (
    EDGE,
    FINANCE,
    OPERATOR,
    T0,
    Driver,
    contract,
    prices,
    site,
    spec,
    tenant,
    tranche,
    utc,
)

NO_INVOICE = money.InvoiceIssued(
    InvoiceId("INV-000001"), "us", 1, TenantId("acme"), "USD", T0, T0 + 1, (), 0, 0, 0, 1
)
#: One of each command, as it might be asked.
COMMANDS: list[Command] = [
    OpenWorld("x"),
    supply.ApplyCatalogue(()),
    supply.ApplySite(site()),
    supply.ReportNodeHealth(NodeIndex(0), True, "", T0),
    supply.ReportDomainHealth(supply.DomainKind.RACK, "r1", True, "", T0),
    supply.ReportNodeDegraded(NodeIndex(0), True, ""),
    supply.ReportNodeCheck(NodeIndex(0), "nccl", True),
    supply.QuarantineNode(NodeIndex(0), ""),
    supply.ReleaseNode(NodeIndex(0), ""),
    supply.TicketNode(NodeIndex(0), "T-1"),
    supply.CordonNode(NodeIndex(0), ""),
    supply.UncordonNode(NodeIndex(0)),
    gangs.ReportGangProgress(GangId("g1"), 1),
    wipes.ReportWipe(NodeIndex(0), True),
    blocks.ApplySchedule(blocks.SchedulePlan(SiteId("north"), (), ())),
    blocks.ReportForecast(SiteId("north"), MilestoneId("grid"), T0),
    blocks.ReportReached(SiteId("north"), MilestoneId("grid"), T0),
    blocks.RecordForecast(SiteId("north"), 1, "planner", 1000, (), ()),
    claims.ApplyPromisePolicy(claims.PromisePolicy()),
    claims.AllocateShortfall(SiteId("north"), SkuId("hgx"), (), ""),
    claims.workdays.ApplyBusinessCalendar(
        claims.workdays.BusinessCalendar(CalendarId("desk"), 1, "UTC", (), (), 1, 1, ())
    ),
    SignContract(contract()),
    claims.ProposeBinding(SiteId("north"), SkuId("hgx"), "", ()),
    claims.NominateTranche(TrancheId("t1"), SiteId("north"), SkuId("hgx")),
    claims.HoldCapacity(
        claims.Hold(HoldId("h1"), TenantId("acme"), SiteId("north"), SkuId("hgx"), 1, T0, T0 + 1, T0 + 1)
    ),
    claims.ReleaseHold(HoldId("h1")),
    claims.parties.ApplyEstate(claims.parties.Estate(1, "us")),
    claims.parties.ApplyOverlay(claims.parties.Overlay(ContractId("c1"), 1, "us")),
    claims.deliveries.NotifyDelivery(TrancheId("t1"), 1, T0),
    claims.deliveries.ReportDelivered(TrancheId("t1"), 1, T0),
    claims.deliveries.ForecastDelivery(TrancheId("t1"), 1, T0, T0),
    claims.rights.OfferSale(RightId("r1"), HoldId("h1")),
    claims.offers.ReceiveOffer(
        RightId("r1"), claims.offers.OfferedSale(SiteId("north"), SkuId("hgx"), 1, T0, T0 + 1, 1)
    ),
    claims.rights.ExerciseRight(RightId("r1"), T0),
    claims.rights.WaiveRight(RightId("r1"), T0),
    claims.acceptance.GiveReadyNotice(TrancheId("t1"), 1),
    claims.acceptance.AcceptDelivery(TrancheId("t1")),
    claims.acceptance.RejectDelivery(TrancheId("t1"), "links flap"),
    claims.relief.ReportRelief(TrancheId("t1"), claims.ReliefKind.CHANGE_ORDER, T0, T0 + 1, "more power"),
    supply.CurtailPower(
        CurtailmentId("heat"),
        supply.Carrier.FEED,
        "f1",
        most_w=1,
        less_w=0,
        start_at=0,
        end_at=0,
        respond_s=60,
    ),
    supply.EndCurtailment(CurtailmentId("heat")),
    campaigns.ApplyCampaign(campaigners.plan()),
    campaigns.PauseCampaign(CampaignId("fw")),
    campaigns.ResumeCampaign(CampaignId("fw")),
    campaigns.CancelCampaign(CampaignId("fw")),
    campaigners.consent(),
    heartbeats.ReportEngineHeard("en"),
    heartbeats.FenceEngine("en"),
    supply.storage.ApplyStorage(supply.storage.StoragePlan(1, "USD", ())),
    gangs.ApplyPolicy(Policy()),
    projects.ApplyProjects(projects.ProjectsPlan(TenantId("acme"), 1, ())),
    SubmitGang(spec()),
    gangs.SubmitArray(spec(), (0,)),
    gangs.CancelGang(GangId("g1")),
    gangs.ReportGangStarted(GangId("g1"), 1, T0, "sim"),
    gangs.ReportGangEnded(GangId("g1"), 1, T0, "sim", Ending.FAILED),
    ReportCheckpoint(GangId("g1"), 1, T0, "sim"),
    energy.AcceptReadings("bmc", 1, T0, T0, 1, ""),
    claims.PublishIndex(IndexId("power"), ()),
    money.ApplyPriceList(prices()),
    money.ApplyTaxes(TenantId("acme"), ()),
    money.CloseBillingPeriod(""),
    money.RecordReceipt(TenantId("acme"), "USD", 1, T0, "wire 1"),
    money.AllocateReceipt("RCT-000001", ()),
    money.ReverseReceipt("RCT-000001", "entered twice"),
    money.ReturnAhead(ContractId("c1"), money.Advance.DEPOSIT, "wire 2"),
    money.IssueCreditNote(NO_INVOICE, (), "agreed"),
    money.AllocateCreditNote("CN-000001", ()),
    money.VoidInvoice(NO_INVOICE, "misprint"),
    money.OpenDispute(NO_INVOICE, (), "too much"),
    money.SettleDispute("DSP-000001", False, "as agreed"),
    money.WithdrawDispute("DSP-000001", "a mistake"),
    money.ProposeEntry("USD", (), "bad debt", T0),
    money.ApproveEntry("ENT-000001"),
    money.RejectEntry("ENT-000001", "not ours"),
    money.ExcludeLoss(TrancheId("t1"), T0, T0 + 1, (), "its driver", "ticket 17"),
    money.WithdrawExclusion("EXC-000001", "it was ours"),
    money.ClaimCredit(TrancheId("t1"), T0),
]


# Who may


def test_every_command_has_a_row_and_the_default_is_no() -> None:
    assert [type(command) for command in COMMANDS] == list(MAY)
    driver = plant.plant()
    driver.run("g1")
    driver.later(1)
    for command in COMMANDS:
        for role in Role:
            world = driver.world.fork()
            answer = world.handle(Asked(command, Principal("p", role, TenantId("acme"))), driver.at).answer
            forbidden = isinstance(answer, Refusal) and answer.code == "forbidden"
            assert forbidden is (role not in MAY[type(command)]), (command, role)
    unknown = driver.world.handle(Asked(Command(), OPERATOR), driver.at).answer
    assert isinstance(unknown, Refusal)
    assert unknown.code == "forbidden"


@pytest.mark.parametrize(
    ("is_open", "command", "by", "code"),
    [
        (False, OpenWorld("a b"), EDGE, "forbidden"),
        (True, OpenWorld("a b"), OPERATOR, "already_open"),
        (False, OpenWorld("a b"), OPERATOR, "bad_id"),
        (False, OpenWorld(""), OPERATOR, "bad_id"),
        (False, SubmitGang(spec("", sku="?")), tenant("bravo"), "not_open"),
        (False, SubmitGang(spec("", sku="?")), FINANCE, "forbidden"),
        (True, SubmitGang(spec("a b", sku="?")), tenant("bravo"), "forbidden"),
        (True, SubmitGang(spec("a b", sku="?")), tenant("acme"), "bad_id"),
        (True, SubmitGang(spec("bravo.g", sku="?")), tenant("acme"), "bad_id"),
        (True, SubmitGang(spec("", sku="?")), tenant("acme"), "unknown_sku"),
    ],
)
def test_what_comes_before_everything_else(is_open: bool, command: Command, by: Principal, code: str) -> None:
    driver = plant.plant() if is_open else Driver()
    assert driver.refused(command, by).code == code


def test_a_tenant_cannot_tell_what_is_anothers_from_what_is_not() -> None:
    driver = plant.plant(contract("c1", "acme", tranche("t1")), contract("c2", "bravo"))
    driver.run("theirs")
    for name in ("theirs", "absent"):
        refusal = driver.refused(gangs.CancelGang(GangId(name)), tenant("bravo"))
        assert refusal == Refusal("unknown_gang", f"there is no gang {name}", "gang")
        hidden = driver.world.explain(GangId(name), tenant("bravo"))
        assert hidden == refusal
    for name in ("t1", "t9"):
        refusal = driver.refused(SubmitGang(spec("bravo.g", tenant="bravo", tranche=name)), tenant("bravo"))
        assert refusal.detail == f"bravo has no tranche {name} (it has: none)"
    assert driver.refused(SubmitGang(spec("g")), tenant("bravo")).field == "tenant"
    driver.ask(gangs.CancelGang(GangId("theirs")), tenant("acme"))


# Asked again


def test_the_same_key_and_body_answers_the_same_and_does_nothing() -> None:
    driver = plant.plant()
    first = driver.ask(SubmitGang(spec("")), tenant("acme"), "k1")
    driver.later(10)
    before = driver.world.seq
    assert driver.ask(SubmitGang(spec("")), tenant("acme"), "k1") == first
    assert driver.world.seq == before


def test_the_same_key_answers_even_when_the_gang_is_gone() -> None:
    driver = plant.plant()
    driver.submit("full", 64)
    driver.submit("g1", 8)
    first = driver.ask(gangs.CancelGang(GangId("g1")), tenant("acme"), "k1")
    driver.later(10).close()
    assert driver.ask(gangs.CancelGang(GangId("g1")), tenant("acme"), "k1") == first
    assert driver.refused(gangs.CancelGang(GangId("g1")), tenant("acme"), "k2").code == "unknown_gang"


def test_a_key_with_another_body_is_refused() -> None:
    driver = plant.plant()
    driver.ask(SubmitGang(spec("acme.g1")), tenant("acme"), "k1")
    refusal = driver.refused(SubmitGang(spec("acme.g1", title="other")), tenant("acme"), "k1")
    assert (refusal.code, refusal.field) == ("key_reused", "key")


def test_a_body_is_known_by_what_it_says() -> None:
    told = spec("g1", program=gangs.Program(("train", "-v"), {"B": "2", "A": "1"}))
    digest = body_digest(SubmitGang(told))
    assert digest == body_digest(
        SubmitGang(spec("g1", program=gangs.Program(("train", "-v"), {"A": "1", "B": "2"})))
    )
    assert digest != body_digest(
        SubmitGang(spec("g1", program=gangs.Program(("train", "-v"), {"A": "1", "B": "3"})))
    )
    # A default that is written out says nothing more; so a field that is added later changes no digest.
    assert body_digest(SubmitGang(spec("g1"))) == body_digest(SubmitGang(spec("g1", title="", grace_s=30)))
    assert body_digest(SubmitGang(spec("g1"))) != body_digest(SubmitGang(spec("g1", grace_s=31)))
    # The same on every machine and every Python, whatever it thinks that a character is.
    told = spec("g1", title="Größe \U0001f600")
    assert body_digest(SubmitGang(told)) == (
        "1:41cfc4ab4ad37adc6f8dffd84b9af138d57ff3e0386ed66979f8c3ec3171d138"
    )


def test_keys_are_each_tenants_own() -> None:
    driver = plant.plant(contract("c1", "acme"), contract("c2", "bravo"))
    driver.ask(SubmitGang(spec("acme.g1")), tenant("acme"), "k1")
    driver.ask(SubmitGang(spec("bravo.g2", tenant="bravo")), tenant("bravo"), "k1")
    driver.ask(supply.CordonNode(NodeIndex(0), ""), OPERATOR, "k1")
    assert list(driver.world.state.keys) == [
        ("tenant:acme", "k1"), ("tenant:bravo", "k1"), ("actor:op-1", "k1"),
    ]  # fmt: skip


def test_a_key_is_forgotten_after_its_window() -> None:
    driver = plant.plant()
    driver.ask(SubmitGang(spec("g1")), OPERATOR, "k1")
    driver.later(1).ask(SubmitGang(spec("g2")), OPERATOR, "k2")
    driver.until(T0 + KEY_WINDOW_US - 1)
    assert driver.refused(SubmitGang(spec("g3")), OPERATOR, "k1").code == "key_reused"
    driver.until(T0 + KEY_WINDOW_US)
    driver.ask(SubmitGang(spec("g3")), OPERATOR, "k1")
    assert list(driver.world.state.keys) == [("actor:op-1", "k2"), ("actor:op-1", "k1")]
    driver.later(1).ask(SubmitGang(spec("g4")), OPERATOR, "k4")
    assert list(driver.world.state.keys) == [("actor:op-1", "k1"), ("actor:op-1", "k4")]


def test_a_refusal_uses_no_key() -> None:
    driver = plant.plant()
    driver.refused(SubmitGang(spec("g1", sku="?")), OPERATOR, "k1")
    driver.ask(SubmitGang(spec("g1")), OPERATOR, "k1")
    assert driver.count(KeyUsed) == 1
    assert driver.last(KeyUsed).body == body_digest(SubmitGang(spec("g1")))


def test_what_changed_nothing_uses_its_key() -> None:
    driver = plant.plant()
    first = driver.ask(supply.UncordonNode(NodeIndex(0)), OPERATOR, "k1")
    assert first == {"node": 0, "changed": False}
    driver.cordon(0)
    # Asked again it answers as it did, and does nothing, although now there would be something to do.
    assert driver.ask(supply.UncordonNode(NodeIndex(0)), OPERATOR, "k1") == first
    assert 0 in driver.world.state.supply.cordoned
    assert driver.refused(supply.UncordonNode(NodeIndex(1)), OPERATOR, "k1").code == "key_reused"
    # Without a key, what changes nothing leaves no record.
    before = driver.world.seq
    driver.ask(supply.UncordonNode(NodeIndex(1)))
    assert driver.world.seq == before


# Time


def test_time_never_decreases() -> None:
    driver = plant.plant()
    with pytest.raises(AssertionError, match="time never decreases"):
        driver.world.handle(Asked(supply.CordonNode(NodeIndex(0), ""), OPERATOR), T0 - 1)
    with pytest.raises(AssertionError, match="time never decreases"):
        driver.world.wake(T0 - 1)


def test_an_empty_world_waits_for_nothing() -> None:
    world = World()
    assert world.next_wake() is None
    assert world.wake(T0).events == []
    world.check()


def test_what_falls_due_at_one_instant_comes_by_stage() -> None:
    at = utc(2026, 2)
    driver = plant.plant(contract("c1", "acme", tranche("t1", end_at=at), tranche("t2", start_at=at)))
    driver.ask(money.ApplyPriceList(prices(2, effective_at=at)))
    driver.until(at - 100 * SECOND_US).run("g1", 8, tranche="t1", walltime_s=100)
    driver.until(at)
    kinds = [type(event).__name__ for when, event in driver.events if when == at]
    assert kinds == ["TrancheEnded", "GangStopping", "TrancheStarted", "PeriodClosed", "InvoiceIssued",
                     "TransactionPosted", "PriceSegmentStarted"]  # fmt: skip
    assert driver.gang("g1").reason == "claim_ended"


def test_an_edge_that_was_late_is_caught_up_in_order() -> None:
    """After an outage everything that fell due meanwhile is done at once, in its order."""
    driver = plant.plant(
        contract("c1", "acme", tranche("t1", start_at=T0 + HOUR_US, end_at=T0 + 2 * HOUR_US))
    )
    world = driver.world
    outcome = world.wake(T0 + DAY_US)
    assert [type(event) for event in outcome.events] == [claims.TrancheStarted, claims.TrancheEnded]
    world.check()


# Questions


def test_explanations_are_for_operators_and_owners() -> None:
    driver = plant.plant()
    driver.run("g1")
    for principal in (OPERATOR, tenant("acme")):
        told = driver.world.explain(GangId("g1"), principal)
        assert not isinstance(told, Refusal)
        assert told["phase"] == "running"
    for principal in (FINANCE, EDGE, CLOCK, tenant("bravo")):
        assert isinstance(driver.world.explain(GangId("g1"), principal), Refusal)


def test_a_stage_leaves_the_events_of_others_alone() -> None:
    driver = plant.plant()
    state = driver.world.fork().state
    before = repr(state)
    event = KeyUsed(TenantId(""), "k", "", {})
    supply.apply(state.supply, event)
    claims.apply(state.claims, state.supply, Dues(), event, T0)
    upstream.on_claims(driver.world.fork().placed, state.claims, event)
    upstream.on_supply(driver.world.fork().placed, state.supply, event)
    usage.apply(state.usage, event, T0)
    usage.meter_gang(state.usage, state.placements, state.claims, state.supply, event, T0)
    money.apply(state.money, Dues(), event, T0, 1)
    assert repr(state) == before


def test_damage_is_found() -> None:
    driver = plant.plant()
    driver.run("g1")
    world = driver.world.fork()
    world.state.supply.nodes = 9
    with pytest.raises(AssertionError, match="racks hold 8 nodes, not 9"):
        world.check()


def test_every_event_kind_is_applied_by_one_stage() -> None:
    work = [
        placing.EVENTS,
        sharing.SHARE_EVENTS,
        (TenantsWeighed,),
        campaigns.EVENTS,
        heartbeats.ENGINE_EVENTS,
    ]
    stages = [supply.EVENTS, claims.EVENTS, *work, usage.EVENTS, money.EVENTS]
    counted = Counter(kind for stage in stages for kind in stage)
    assert set(counted.values()) == {1}
    assert len(World.EVENTS) == len(counted) + 2
    assert World.STATE is WorldState
    assert all(kind.VERSION >= 1 for kind in World.EVENTS)


# A whole story


def test_a_whole_story_gives_the_same_journal_as_ever() -> None:
    driver = story.told()
    kinds = Counter(type(event).__name__ for _, event in driver.events)
    digest = hashlib.sha256("\n".join(f"{at} {event!r}" for at, event in driver.events).encode()).hexdigest()
    text = "".join(f"{kind} {count}\n" for kind, count in sorted(kinds.items()))
    text += f"last at {timeline.text(driver.events[-1][0])}\n{digest}\n"
    kept.compare("story.txt", text)


def test_events_stay_as_they_were_recorded() -> None:
    driver = story.told()
    texts = [repr(event) for _, event in driver.events]
    again = World()
    for at, event in driver.events:
        again.apply(event, at)
    assert [repr(event) for _, event in driver.events] == texts
    for world in (again, driver.world):
        machine.future(world)
    assert [repr(event) for _, event in driver.events] == texts


def test_a_fold_a_snapshot_and_a_fork_are_the_world() -> None:
    driver = story.told()
    machine.same_when_replayed(driver.world, driver.events)
    machine.same_when_restored(driver.world)


def test_a_fork_is_another_future() -> None:
    driver = plant.plant()
    driver.run("g1", 8)
    before = repr(driver.world.state)
    twin = driver.world.fork()
    twin.handle(Asked(SubmitGang(spec("g2")), OPERATOR, "k"), driver.at)
    twin.handle(Asked(supply.CordonNode(NodeIndex(3), ""), OPERATOR), driver.at)
    twin.handle(Asked(supply.ReportNodeHealth(NodeIndex(4), False, "", driver.at), EDGE), driver.at)
    twin.handle(Asked(SignContract(contract("c9", "bravo", tranche("t9"))), OPERATOR), driver.at)
    twin.wake(driver.at + 40 * DAY_US)
    assert repr(driver.world.state) == before
    assert driver.world.now == T0
    twin.check()


# Anything in any order


def run_machine(kind: type[RuleBasedStateMachine], examples: int, steps: int) -> None:
    run_state_machine_as_test(
        kind,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, derandomize=True, database=None, deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


@pytest.mark.parametrize("kind", [machine.Machine, machine.LateMachine])
def test_anything_in_any_order(kind: type[machine.Machine]) -> None:
    run_machine(kind, examples=15, steps=30)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [machine.Machine, machine.LateMachine])
def test_anything_in_any_order_at_length(kind: type[machine.Machine]) -> None:
    run_machine(kind, examples=40, steps=50)


def test_the_same_gang_again_changes_nothing_where_it_may() -> None:
    driver = plant.plant()
    spec = plant.spec("acme.train")
    driver.ask(gangs.SubmitGang(spec))
    before = driver.world.seq
    assert driver.ask(gangs.SubmitGang(spec, again=True)) == {"gang": "acme.train", "changed": False}
    assert driver.world.seq == before
    assert driver.refused(gangs.SubmitGang(spec)).code == "duplicate_id"
    other = plant.spec("acme.train", 16)
    assert driver.refused(gangs.SubmitGang(other, again=True)).code == "duplicate_id"
    assert driver.ask(gangs.SubmitGang(plant.spec("acme.eval"), again=True)) == {"gang": "acme.eval"}
