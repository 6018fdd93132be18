"""An invoice line leads down to its placements; their GPU-time sums to it exactly, whatever happened meanwhile."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core import claims, ids, money, supply
from forebay.core.placements import gang as gangs
from forebay.core.world import OpenWorld, World
from forebay.engines.simulated import EngineFaults, Fate, SimulatedEngine
from forebay.journals.memory import MemoryJournal
from forebay.loop.loop import Loop
from forebay.loop.replay import Replay
from forebay.server import bills, history
from forebay.server.tellings import Tellings
from forebay.twin.clock import VirtualClock
from tests.server import rig as rigs
from tests.server.rig import HOUR, PRICES, SECOND, SITE, START, Rig, contract, gang, problem, rigged

OPERATOR = ids.Principal("op", ids.Role.OPERATOR)
MINUTE = 60 * SECOND


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        yield made


def test_the_chain_from_a_line_to_its_placements(rig: Rig) -> None:
    rig.furnish()
    told = rig.acme.get("/v1/invoices/INV-000001/lines/1/explain").json()
    assert told["line"]["clause"] == "tranches[acme-t1].price_per_gpu_hour"
    assert told["contract"]["id"] == "acme-1"
    assert told["price_list"] is None
    assert [(each["use"], each["gang"], each["gpus"]) for each in told["placements"]] == [
        ("own", "acme.own", 4),
        ("idle", "", 0),
    ]
    assert told["placements"][0]["nodes"] == ["r01-n01"]
    assert told["placements"][0]["ended"] is None
    assert sum(each["gpu_us"] for each in told["placements"]) == told["line"]["gpu_us"] == 72 * HOUR
    on_demand = rig.acme.get("/v1/invoices/INV-000001/lines/2/explain").json()
    assert on_demand["line"]["kind"] == "on_demand"
    assert on_demand["price_list"]["version"] == 1
    assert [(each["gang"], each["gpu_us"]) for each in on_demand["placements"]] == [("acme.more", 8 * HOUR)]
    assert on_demand["gpu_hours"] == "8.00"
    records = rig.operator.get(f"/v1/journal?after={on_demand['closed_by'] - 1}&limit=2").json()["items"]
    assert records[0]["kind"] == "PeriodClosed"
    for n in ("0", "9", "-1"):
        problem(rig.acme.get(f"/v1/invoices/INV-000001/lines/{n}/explain"), 404, "not_found")


def test_the_owner_of_a_loan_does_not_learn_whose_work_it_was(rig: Rig) -> None:
    # Two of four racks are tranches; the pool is filled, so that spot work borrows.
    rig.apply(rigs.SITE, PRICES, rigs.contract("acme", "acme-t1"), rigs.contract("birch", "birch-t1"))
    rig.operator.post("/v1/gangs", json=gang("birch", "fill", gpus=144))
    rig.operator.post("/v1/gangs", json=gang("birch", "own", tier="dedicated", tranche="birch-t1", gpus=72))
    rig.operator.post("/v1/gangs", json=gang("birch", "loan", tier="spot", grace="10s"))
    rig.pass_time(HOUR)
    assert rig.birch.get("/v1/gangs/birch.loan").json()["borrowed"] is True
    rig.operator.post("/v1/periods/close")
    number = rig.acme.get("/v1/invoices").json()["items"][0]["id"]
    lines = {line["kind"]: line for line in rig.acme.get(f"/v1/invoices/{number}").json()["lines"]}
    assert set(lines) == {"dedicated", "lending_share"}
    for kind, line in lines.items():
        answer = rig.acme.get(f"/v1/invoices/{number}/lines/{line['n']}/explain")
        assert "birch" not in answer.text
        lent = [each for each in answer.json()["placements"] if each["use"] == "lent"]
        assert [(each["gang"], each["generation"], each["gpu_us"]) for each in lent] == [
            ("other work", 0, 4 * HOUR)
        ], kind
        whole = rig.finance.get(f"/v1/invoices/{number}/lines/{line['n']}/explain").json()
        assert [each["gang"] for each in whole["placements"] if each["use"] == "lent"] == ["birch.loan"]
    (borrower,) = rig.birch.get("/v1/invoices").json()["items"]
    spot = next(
        line
        for line in rig.birch.get(f"/v1/invoices/{borrower['id']}").json()["lines"]
        if line["kind"] == "spot"
    )
    answer = rig.birch.get(f"/v1/invoices/{borrower['id']}/lines/{spot['n']}/explain")
    assert "acme" not in answer.text
    assert [each["gang"] for each in answer.json()["placements"]] == ["birch.loan"]


# Whatever happens: a World under a simulated engine that reports late, closes, price changes, failures.


class Story:
    """A World and an engine, driven without threads."""

    def __init__(self, seed: int, fates: list[Fate]) -> None:
        self.clock = VirtualClock(START)
        self.journal = MemoryJournal()
        self.replay = Replay(World)
        faults = EngineFaults(seed=seed, late_reports=400, repeated_reports=100, delay_us_max=2 * HOUR)
        self.engine = SimulatedEngine(
            self.clock,
            lambda effect: fates[(seed + effect.generation) % len(fates)],
            start_us=SECOND,
            faults=faults,
        )
        self.loop = Loop(self.replay, self.clock, self.journal, self.engine)
        self.versions = 1
        for command in _furniture():
            assert isinstance(self.ask(command), dict), command

    def ask(self, command: ids.Command) -> Any:
        return self.loop.step([ids.Asked(command, OPERATOR)])[0]

    def pass_time(self, length: int) -> None:
        end = self.clock.now() + length
        while self.clock.now() < end:
            due = [
                each for each in (self.loop.world.next_wake(), self.engine.next_report()) if each is not None
            ]
            self.clock.advance_to(max(min([end, *due]), self.clock.now() + 1))
            self.loop.step()

    def close(self) -> None:
        self.ask(money.CloseBillingPeriod("test"))


def _furniture() -> list[ids.Command]:
    sku, site = ids.SkuId("s"), ids.SiteId("lpp")
    racks = tuple(supply.RackPlan(ids.RackId(f"r{n}"), sku, ids.FeedId("a")) for n in range(3))
    lending = claims.Lending(600, 400_000)

    def contract(
        tenant: str, unit: claims.Unit, count: int, currency: str = "USD", later: int = 0
    ) -> claims.ContractPlan:
        tranche = claims.TranchePlan(
            ids.TrancheId(f"{tenant}-t{later or ''}"), site, sku, unit, count, START + later * HOUR,
            START + (40 - later) * HOUR, 2_345_678, lending,
        )  # fmt: skip
        name, pooled = ids.ContractId(f"{tenant}-{currency}"), currency == "USD"
        return claims.ContractPlan(name, 1, "us", ids.TenantId(tenant), currency, (tranche,), pooled, pooled)

    return [
        OpenWorld("w"),
        supply.ApplyCatalogue((supply.Sku(sku, "s", 4, 4, 16_000, 0, 1000, 4),)),
        supply.ApplySite(
            supply.SitePlan(
                site, "", "", "FI", "UTC", (supply.FeedPlan(ids.FeedId("a"), 10**6),),
                (supply.HallPlan(ids.HallId("h"), racks),),
            )
        ),
        gangs.ApplyPolicy(gangs.Policy(version=2, turnover_s=120)),
        _prices(1),
        claims.SignContract(contract("acme", claims.Unit.RACK, 1)),
        claims.SignContract(contract("birch", claims.Unit.NODE, 3)),
        # Another currency, and a term that begins while others may be on its nodes.
        claims.SignContract(contract("acme", claims.Unit.NODE, 2, "EUR", 8)),
    ]  # fmt: skip


def _prices(version: int) -> ids.Command:
    tiers = (gangs.Tier.ON_DEMAND, gangs.Tier.SPOT)
    prices = tuple(money.Price(tier, ids.SkuId("s"), 1_234_567 * version) for tier in tiers)
    return money.ApplyPriceList(money.PriceList(version, "USD", 0, prices))


_steps = st.one_of(
    st.tuples(st.just("wait"), st.integers(1, 5 * HOUR)),
    st.tuples(
        st.just("submit"), st.sampled_from(["acme", "birch"]), st.sampled_from(list(gangs.Tier)), st.integers(1, 16)
    ),
    st.tuples(st.just("fail"), st.integers(0, 11), st.integers(0, 2 * HOUR)),
    st.tuples(st.just("restore"), st.integers(0, 11), st.integers(0, HOUR)),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
    st.just(("prices",)),
    st.just(("close",)),
)  # fmt: skip
_fates = st.builds(
    Fate,
    st.integers(SECOND, 6 * HOUR) | st.none(),
    st.sampled_from(list(gangs.Ending)),
    stop_us=st.integers(0, HOUR),
)


@settings(max_examples=60)
@given(
    st.integers(0, 1000), st.lists(_fates, min_size=1, max_size=4), st.lists(_steps, min_size=4, max_size=30)
)
def test_placements_sum_to_every_line_whatever_happens(
    seed: int, fates: list[Fate], steps: list[Any]
) -> None:
    _told_exactly(seed, fates, steps)


@pytest.mark.parametrize("seed", range(24))
def test_long_stories(seed: int) -> None:
    dice = random.Random(seed)
    fates = [
        Fate(
            dice.choice([None, dice.randint(1, 6 * HOUR)]),
            dice.choice(list(gangs.Ending)),
            stop_us=dice.randint(0, HOUR),
        )
        for _ in range(3)
    ]

    def step() -> Any:
        match dice.choice(["wait"] * 4 + ["submit"] * 4 + ["fail", "restore", "cancel", "prices", "close"]):
            case "wait":
                return "wait", dice.randint(1, 3 * HOUR)
            case "submit":
                tenant, tier = dice.choice(["acme", "birch"]), dice.choice(list(gangs.Tier))
                return "submit", tenant, tier, dice.randint(1, 16)
            case "fail" | "restore" as what:
                return what, dice.randint(0, 11), dice.randint(0, 2 * HOUR)
            case "cancel":
                return "cancel", dice.randint(0, 9)
            case what:
                return (what,)

    _told_exactly(seed, fates, [step() for _ in range(60)])


def _told_exactly(seed: int, fates: list[Fate], steps: list[Any]) -> None:
    """Live through it; then every line of every invoice is told by placements that sum to it."""
    story = Story(seed, fates)
    late = False
    for number, step in enumerate([*steps, ("wait", HOUR), ("close",), ("wait", 40 * HOUR), ("close",)]):
        late = late or step[0] in ("fail", "restore")
        _take(story, number, step)
    codec = story.replay.codec
    tellings = Tellings(story.journal, codec)
    # In any order: a telling goes on to a later close, and begins anew for an earlier one.
    for head in random.Random(seed).sample(
        heads := list(story.loop.world.state.money.invoices.values()), len(heads)
    ):
        issued = bills.issued(story.journal, codec, head.seq)
        assert (issued.invoice, len(issued.lines)) == (head.invoice, head.lines)
        for n, line in enumerate(issued.lines, 1):
            told = history.explain_line(tellings, head, head.seq, n, OPERATOR)
            sums = sum(each["gpu_us"] for each in told["placements"])
            assert sums == told["gpu_us"]
            if line.kind != "lending_share":
                assert sums == line.gpu_us
            assert late or all(each["use"] != "late_facts" for each in told["placements"])


def _take(story: Story, number: int, step: Any) -> None:
    now = story.clock.now()
    match step:
        case ("wait", length):
            story.pass_time(length)
        case ("submit", tenant, tier, gpus):
            tranche = ids.TrancheId(f"{tenant}-t" if tier is gangs.Tier.DEDICATED else "")
            name = ids.GangId(f"{tenant}.g{number}")
            spec = gangs.Spec(name, ids.TenantId(tenant), tier, ids.SkuId("s"), gpus, 4 * 3600, tranche)
            story.ask(gangs.SubmitGang(spec))
        case ("fail", node, ago):
            story.ask(supply.ReportNodeHealth(ids.NodeIndex(node), False, "test", now - ago))
        case ("restore", node, ago):
            story.ask(supply.ReportNodeHealth(ids.NodeIndex(node), True, "test", now - ago))
        case ("cancel", back):
            live = sorted(story.loop.world.state.placements.gangs)
            if live:
                story.ask(gangs.CancelGang(live[back % len(live)]))
        case ("prices",):
            story.versions += 1
            story.ask(_prices(story.versions))
        case ("close",):
            story.close()


def test_what_a_line_about_lateness_rests_on(rig: Rig) -> None:
    """Accepted after six days, of which two are grace: 4 x 72 GPUs x 10.00."""
    text = (
        contract("acme", "acme-late")
        .replace("start: now", "start: 2026-12-02")
        .replace("on_demand: true\n", "")
    )
    text = text.replace("forebay: 1\nkind: Contract", "forebay: 1\nkind: Contract\nzone: UTC", 1)
    text += "    late: {grace: 2d, damages_per_gpu_day: 10}\n    acceptance: {deemed: 5d, billing_from: acceptance}\n"
    answer = rig.apply(SITE, PRICES, text)
    assert answer.status_code == 200, answer.text
    rig.pass_time(7 * 24 * HOUR - 8 * HOUR)
    where = "/v1/deliveries/acme-late"
    assert rig.operator.post(f"{where}/ready", json={"count": 1, "results": {}}).status_code == 200
    assert rig.operator.post(f"{where}/accept", json={"notice": 1}).status_code == 200
    rig.pass_time(24 * 24 * HOUR)
    lines = rig.acme.get("/v1/invoices/INV-000001").json()["lines"]
    (line,) = [each for each in lines if each["kind"] == "late_damages"]
    assert line["amount"] == {"amount": "-2880.00", "currency": "USD"}
    told = rig.acme.get(f"/v1/invoices/INV-000001/lines/{line['n']}/explain").json()
    assert told["basis"] == [
        "1 racks due at 2026-12-02T00:00:00Z",
        "1 racks accepted at 2026-12-08T00:00:00Z (ready notice 1)",
        (
            "72 GPUs missing since 2026-12-02T00:00:00Z, 2.00 days of grace: late from 2026-12-04T00:00:00Z until "
            "2026-12-08T00:00:00Z, 288.00 GPU-days"
        ),
    ]
    assert told["placements"] == []
