"""A Hypothesis rule machine over the World: anything may be asked or reported at any time, in any order.

After each step the driver asserts every invariant. At the end a run is audited: a naive model meters the same, a
replay of the events gives the same state, and a restored World decides the same.
"""

from __future__ import annotations

import copy
from collections.abc import Set
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from forebay.core import claims, ids, money, supply
from forebay.core.claims import payments
from forebay.core.claims.terms import SpareScope
from forebay.core.ids import Asked, Command, Event, Principal, Refusal
from forebay.core.placements import campaigns, chains, heartbeats, wipes
from forebay.core.placements import gang as gangs
from forebay.core.placements.checkpoints import ReportCheckpoint
from forebay.core.placements.failing import Failing
from forebay.core.placements.gang import HOLDING, Ending, Gang, Level, Phase, Tier
from forebay.core.placements.substitutes import RackChoice
from forebay.core.supply import blocks, storage
from forebay.core.units import DAY_US, MICROS, SECOND_US
from forebay.core.world import World
from tests.core import auditor, inspector, plant
from tests.core.placements import campaigners
from tests.core.plant import EDGE, OPERATOR

TENANTS = ("acme", "bravo")
SMALL = plant.sku(
    "s4",
    gpus_per_node=4,
    nodes_per_rack=3,
    rack_w=13_000,
    rack_base_w=100,
    healthy_nodes_min=3,
    liquid_ppm=700_001,
)
SINGLE = plant.sku("s1", gpus_per_node=1, nodes_per_rack=4, rack_w=4_100, rack_base_w=100)
SPANS = st.sampled_from([0, 1, 7, 60, 299, 300, 600, 3600, 90_000, 20 * 86_400])
LATE = st.sampled_from([0, 0, 0, 1, 50, 4000, 40 * 86_400])

terms = st.fixed_dictionaries(
    {
        "count": st.integers(1, 2),
        "unit": st.sampled_from(list(claims.Unit)),
        "sku": st.sampled_from(["s4", "s4", "s1"]),
        "lending": st.sampled_from([None, plant.LENT, claims.Lending(40, 333_333)]),
        "begins": st.sampled_from([-86_400, 0, 0, 100, 100, 86_400]),
        "lasts": st.sampled_from([100, 86_400, 40 * 86_400]),
    }
)
works = st.fixed_dictionaries(
    {
        "gpus": st.sampled_from([1, 1, 2, 3, 4, 5, 8, 12, 13, 16]),
        "walltime_s": st.sampled_from([1, 60, 3600, 90_000]),
        "within": st.sampled_from([Level.SITE, Level.SITE, Level.HALL, Level.BLOCK, Level.RACK, Level.NODE]),
        "slice_gpus": st.sampled_from([0, 0, 0, 0, 0, 0, 4]),
        "datasets": st.sampled_from([(), (), (), (), ("web",), ("web", "logs")]),
        "checkpoint_store": st.sampled_from(["", "", "", "", "any", "n1", "s1"]),
        "grace_s": st.sampled_from([0, 30, 300]),
        "restarts_max": st.sampled_from([0, 1, 3]),
        "sites": st.sampled_from([(), (), ("north",), ("south", "north")]),
        "checkpoint_s": st.sampled_from([0, 0, 40]),
        "sku": st.sampled_from(["s4", "s4", "s1"]),
        "tier": st.sampled_from(list(Tier)),
        "tenant": st.sampled_from(TENANTS),
    }
)


class Machine(RuleBasedStateMachine):
    """Everybody at once: two tenants, an operator, an engine that lies about nothing but when."""

    #: Whether nodes may be reported late.
    late_health = False
    #: Whether there is maintenance.
    maintained = True
    #: How the engine keeps time, and which invariants are held against the events after each step.
    driven: type[plant.Driver] = plant.Driver
    inspectors: tuple[type[inspector.Inspector], ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.driver = plant.opened(kind=self.driven)
        self.inspection = inspector.Inspection(*(kind() for kind in self.inspectors))
        self.names = 0
        self.version = 0

    # How a run begins

    @initialize(
        limits=st.lists(st.sampled_from([8_500, 13_300, 17_000, 40_000]), min_size=4, max_size=4),
        cooled=st.sampled_from([(40_000, 40_000), (17_100, 7_300), (9_000, 40_000), (17_100, 4_000)]),
    )
    def build(self, limits: list[int], cooled: tuple[int, int]) -> None:
        ask = self.driver.ask
        ask(supply.ApplyCatalogue((SMALL, SINGLE)))
        main, left, right, south = limits
        feeds = (
            plant.feed("m", 2 * main, base_w=50),
            plant.feed("l", left, "m"),
            plant.feed("r", right, "m"),
        )
        halls = (
            plant.hall(
                "h1",
                plant.rack("r1", "s4", "l", loop="l1", spine="s"),
                plant.rack("r2", "s4", "r", loop="l2", spine="s"),
            ),
            plant.hall(
                "h2", plant.rack("r3", "s4", "r", loop="l2"), plant.rack("r4", "s1", "l", limit_w=3_100)
            ),
        )
        switch = supply.SwitchPlan(ids.SwitchId("s1"), (ids.RackId("r2"), ids.RackId("r4")))
        # Of one loop the capacity is known: all its racks are on one feed, so that the limits form a tree.
        self.loops = (supply.LoopPlan(ids.LoopId("l2"), *cooled),)
        self.feeds, self.halls, self.switches, self.came = feeds, halls, (switch,), 0
        self.apply_north()
        # Two racks more are to come in the north, tomorrow or whenever that slips to.
        ready = plant.milestone("ready", on=1)
        ask(blocks.ApplySchedule(plant.schedule(ready, plant.block("b1", "ready", racks=2, of="s4"))))
        there = plant.hall("h3", plant.rack("r5", "s4", "s"), plant.rack("r6", "s1", "s"))
        ask(supply.ApplySite(plant.site("south", (plant.feed("s", south),), (there,))))
        self.price_lists(3 * MICROS, 1 * MICROS + 1, 0)
        self.store(("n1",), False, 4)
        # Both have a term from the start, and acme lends.
        half_a_day = plant.T0 + 43_200 * SECOND_US
        bravo = plant.tranche(
            "base-b", 2, sku="s4", site="south", unit=claims.Unit.NODE, end_at=half_a_day, lending=plant.LENT
        )
        for unit, count in ((claims.Unit.RACK, 2), (claims.Unit.RACK, 1), (claims.Unit.NODE, 2)):
            # As much as there is power for.
            acme = plant.tranche("base-a", count, unit=unit, sku="s4", lending=plant.LENT)
            signed = self.driver.handle(claims.SignContract(plant.contract("c-acme", "acme", acme)))
            if not isinstance(signed.answer, Refusal):
                break
        ask(claims.SignContract(plant.contract("c-bravo", "bravo", bravo)))

    # What people ask

    def give_name(self, kind: str) -> str:
        self.names += 1
        return f"{kind}{self.names}"

    @rule(
        asked=st.lists(works, min_size=1, max_size=4),
        place=st.integers(0, 5),
        key=st.sampled_from(["", "", "k1", "k2"]),
    )
    def submit(self, asked: list[dict[str, Any]], place: int, key: str) -> None:
        for work in asked:
            spec = plant.spec(self.give_name(f"{work['tenant']}.g"), **work)
            if spec.tier is Tier.DEDICATED:
                own = [t for t in self.driver.world.state.claims.tranches.values() if t.tenant == spec.tenant]
                chosen = own[place % len(own)].plan
                spec = replace(spec, tranche=chosen.id, sku=chosen.sku, sites=())
            self.ask(gangs.SubmitGang(spec), plant.tenant(spec.tenant), key)

    @rule(
        holds=st.sampled_from([("n1",), ("s1",), ("n1", "s1")]),
        slow=st.booleans(),
        room=st.sampled_from([1, 4]),
    )
    def store(self, holds: tuple[str, ...], slow: bool, room: int) -> None:
        """Data lies elsewhere from here on, and is copied in a second or in an hour."""
        self.names += 1
        tb, north, south = 10**12, ids.SiteId("north"), ids.SiteId("south")
        pools = (
            storage.StoragePool(ids.PoolId("n1"), north, "nvme", 4 * tb),
            storage.StoragePool(ids.PoolId("s1"), south, "nvme", room * tb),
        )
        per_s = tb // 3600 if slow else tb
        links = storage.SiteLink(north, south, per_s, 80_000), storage.SiteLink(south, north, per_s)
        data = (
            storage.Dataset(ids.DatasetId("web"), tb, tuple(map(ids.PoolId, holds))),
            storage.Dataset(ids.DatasetId("logs"), tb, (ids.PoolId("n1"),), ("north",)),
        )
        self.ask(storage.ApplyStorage(storage.StoragePlan(self.names, "EUR", pools, links, data)))

    @rule(
        of=st.sampled_from(TENANTS),
        tier=st.sampled_from(list(Tier)),
        gpus=st.sampled_from([4, 4, 8, 12]),
        times=st.integers(1, 6),
    )
    def fill(self, of: str, tier: Tier, gpus: int, times: int) -> None:
        """The same gang many times, so that capacity runs short, is lent and called back."""
        work: dict[str, Any] = {"tenant": of, "tier": tier, "sku": "s4", "walltime_s": 86_400}
        if tier is Tier.DEDICATED:
            work["tranche"] = f"base-{of[0]}"
        for _ in range(times):
            spec = plant.spec(self.give_name(f"{of}.f"), gpus, **work)
            self.ask(gangs.SubmitGang(spec), plant.tenant(of))

    @rule(
        owner=st.sampled_from(TENANTS),
        grace_s=st.sampled_from([0, 30, 300, 301]),
        gpus=st.sampled_from([2, 4, 8]),
        sites=st.sampled_from([(), (), ("north",), ("south",)]),
        own=st.lists(st.sampled_from([1, 4, 5, 8, 12]), min_size=1, max_size=3),
    )
    def lend_and_want_back(
        self, owner: str, grace_s: int, gpus: int, sites: tuple[str, ...], own: list[int]
    ) -> None:
        """On spot all is taken that can be had; then the owner comes."""
        by = TENANTS[owner == TENANTS[0]]
        work: dict[str, Any] = {"sku": "s4", "walltime_s": 86_400, "grace_s": grace_s}
        for _ in range(80 // gpus):
            name = self.give_name(f"{by}.l")
            self.ask(gangs.SubmitGang(plant.spec(name, gpus, tenant=by, tier=Tier.SPOT, sites=sites, **work)))
            taken = self.driver.world.state.placements.gangs.get(ids.GangId(name))
            if taken is None or taken.phase is Phase.PENDING:
                break
        for size in own:
            spec = plant.spec(
                self.give_name(f"{owner}.o"), size, tenant=owner, tranche=f"base-{owner[0]}", **work
            )
            self.ask(gangs.SubmitGang(spec), plant.tenant(owner))

    @rule(
        work=works,
        places=st.lists(st.integers(0, 30), max_size=2),
        when=st.sampled_from(list(chains.Precondition)),
        count=st.sampled_from([0, 0, 1, 3, 5]),
        other=st.sampled_from([0, 0, 2, 4]),
        by_s=st.sampled_from([0, 0, -5, 100, 4000, 100_000]),
        finish=st.booleans(),
        at_most=st.integers(0, 3),
    )
    def chain(
        self,
        work: dict[str, Any],
        places: list[int],
        when: chains.Precondition,
        count: int,
        at_most: int,
        other: int,
        by_s: int,
        finish: bool,
    ) -> None:
        """A gang, or an array, that comes after others, takes other racks as well, or has a deadline."""
        named = [gang.spec.id for place in places if (gang := self.pick(place, set(Phase))) is not None]
        arrays = [*self.driver.world.state.placements.chains.arrays]
        named += arrays[-1:] if len(places) > 1 else []
        after = tuple(chains.After(name, when) for name in named)
        terms = work | {"tier": Tier.SPOT if other == 4 else Tier.ON_DEMAND}
        if other:
            second = ids.SkuId("s1" if work["sku"] == "s4" else "s4")
            terms["skus"] = RackChoice(work["sku"], work["gpus"]), RackChoice(second, other)
        if by_s:
            terms["finish_by" if finish else "start_by"] = self.driver.at + by_s * SECOND_US
        spec = plant.spec(self.give_name(f"{work['tenant']}.a"), after=after, **terms)
        command = gangs.SubmitArray(spec, tuple(range(count)), at_most) if count else gangs.SubmitGang(spec)
        self.ask(command, plant.tenant(spec.tenant))

    @rule(place=st.integers(0, 30))
    def cancel_array(self, place: int) -> None:
        arrays = [*self.driver.world.state.placements.chains.arrays]
        if arrays:
            self.ask(gangs.CancelGang(arrays[place % len(arrays)]))

    @rule(places=st.lists(st.integers(0, 30), min_size=1, max_size=3))
    def cancel(self, places: list[int]) -> None:
        for place in places:
            gang = self.pick(place, set(Phase))
            if gang is not None:
                self.ask(gangs.CancelGang(gang.spec.id))

    @rule(
        term=terms,
        of=st.sampled_from(TENANTS),
        at=st.sampled_from(["north", "north", "south"]),
        two=st.booleans(),
    )
    def sign(self, term: dict[str, Any], of: str, at: str, two: bool) -> None:
        begins = self.driver.at + term["begins"] * SECOND_US
        ends = max(begins, self.driver.at) + term["lasts"] * SECOND_US
        kept = {name: value for name, value in term.items() if name not in ("begins", "lasts")}
        plans = [
            plant.tranche(self.give_name("t"), site=at, start_at=begins, end_at=ends, **kept)
            for _ in range(1 + two)
        ]
        # Some pay ahead: what their use draws on, and a deposit.
        ahead = (payments.Prepayment(self.driver.at, 7 * MICROS), payments.Prepayment(ends, 5 * MICROS))
        terms = payments.PaymentTerms(
            payments.BillingTime.ARREARS,
            86_400,
            deposit_micros=MICROS,
            prepayments=ahead,
            interest_ppm=90_000,
        )
        signed = plant.contract(self.give_name("c"), of, *plans, payments=terms if two else None)
        self.ask(claims.SignContract(signed))

    @rule(
        what=st.sampled_from(["prices", "close", "policy", "receipt", "credit", "taxes"]),
        within_s=st.sampled_from([-10, 0, 60, 90_000]),
        price=st.integers(0, 3 * MICROS),
        overtake_s=st.sampled_from([0, 100, 3600]),
        turnover_s=st.sampled_from([0, 0, 20]),
        start_timeout_s=st.sampled_from([5, 600, 600]),
        interruptions_max=st.sampled_from([0, 1, 10]),
        order=st.sampled_from(list(gangs.Order)),
        restart_s=st.sampled_from([0, 60]),
        scrub_s=st.sampled_from([0, 0, 7]),
        reclaim_ramp_s=st.sampled_from([0, 0, 5]),
        scrub_pool=st.booleans(),
        wipe_reported=st.booleans(),
        depth=st.sampled_from([1, 3]),
        ramp_w_per_minute=st.sampled_from([0, 0, 4_000, 60_000]),
        failing=st.sampled_from(
            [
                Failing(),
                Failing(checks=("burn-in", "nccl"), hold_s=300),
                Failing(("nccl",), lemon_failures=2, hold_s=90_000, spare=SpareScope.RACK),
                Failing(hold_s=600, stuck_s=600, stuck_restarts=True),
                Failing(hold_s=600, engine_silent_s=400),
                Failing(hold_s=600, engine_silent_s=400, engine_fence_s=1200),
            ]
        ),
    )
    def office(self, what: str, within_s: int, price: int, **times: Any) -> None:
        if what == "prices":
            self.price_lists(price, price // 3, within_s)
        elif what == "close":
            self.driver.later(60)
            self.ask(money.CloseBillingPeriod("machine"))
        elif what == "receipt":
            self.receive(1 + price % MICROS)
        elif what == "taxes":
            rate = money.TaxRate("FI", price % 300_000, self.driver.at, reverse_charge=price % 5 == 0)
            self.ask(money.ApplyTaxes(ids.TenantId("acme"), (rate,)), plant.FINANCE)
        elif what == "credit":
            self.put_right(price)
        else:
            self.driver.policy(**times)

    def receive(self, cents: int) -> None:
        """Money comes, perhaps for an invoice that is open, and perhaps too much; the last but one was wrong."""
        own = self.driver.world.state.money.receivables
        item = next(iter(own.open), None)
        account = item.account if item is not None else ids.TenantId("acme")
        currency = item.currency if item is not None else "USD"
        part = (money.Allocation(item.invoice, cents * 5_000),) if item is not None else ()
        reference = self.give_name("wire")
        self.ask(
            money.RecordReceipt(account, currency, cents * 10_000, self.driver.at, reference, part),
            plant.FINANCE,
        )
        for name, what in list(self.driver.world.state.money.ahead.pools):
            self.ask(money.ReturnAhead(name, what, reference), plant.FINANCE)
        count = len(own.receipts)
        if count > 1:
            self.ask(money.AllocateReceipt(f"RCT-{count:06d}", part), plant.FINANCE)
            self.ask(money.ReverseReceipt(f"RCT-{count - 1:06d}", "of another customer"), plant.FINANCE)

    def put_right(self, cents: int) -> None:
        """The last invoice is credited in part, or void, with another in its place or without."""
        issued = self.driver.issued()
        if not issued:
            return
        last = issued[-1]
        part = (money.LineCredit(1, 1 + cents % 1_000),) if cents % 3 else ()
        if cents % 2:
            self.ask(money.VoidInvoice(last, "machine", bool(cents % 5)), plant.FINANCE)
        else:
            self.ask(money.IssueCreditNote(last, part, "machine"), plant.FINANCE)
            note = f"CN-{len(self.driver.world.state.money.credits.notes):06d}"
            to = (money.Allocation(issued[0].invoice, cents * 10_000),)
            self.ask(money.AllocateCreditNote(note, to), plant.FINANCE)

    @rule(
        ago_s=st.sampled_from([60, 4000, 40 * 86_400]),
        node=st.integers(-1, 9),
        other=st.integers(1, 3),
        month=st.integers(0, 2),
    )
    def blame(self, ago_s: int, node: int, other: int, month: int) -> None:
        """What was missing was the tenant's own; or not after all; and a credit is claimed."""
        name = ids.TrancheId("base-a")
        end = self.driver.at - ago_s * SECOND_US // 2
        nodes = ((node, other),) if node >= 0 else ()
        command = money.ExcludeLoss(name, end - ago_s * SECOND_US, end, nodes, "its driver", "ticket")
        self.ask(command, plant.FINANCE)
        self.ask(money.WithdrawExclusion(f"EXC-{other:06d}", "ours"), plant.FINANCE)
        self.ask(money.ClaimCredit(name, plant.utc(2026, 1 + month)), plant.tenant("acme"))

    def price_lists(self, on_demand: int, spot: int, within_s: int) -> None:
        self.version += 1
        listed = tuple(
            money.Price(tier, ids.SkuId(sku), price)
            for sku in ("s4", "s1")
            for tier, price in ((Tier.ON_DEMAND, on_demand), (Tier.SPOT, spot))
        )
        since = self.driver.at + within_s * SECOND_US
        self.ask(money.ApplyPriceList(money.PriceList(self.version, "USD", since, listed)))

    # What happens

    @rule(span=SPANS)
    def pass_time(self, span: int) -> None:
        self.driver.later(span)

    @rule(
        places=st.lists(st.integers(0, 30), min_size=1, max_size=4),
        late_s=LATE,
        older=st.sampled_from([0, 0, 0, 1]),
    )
    def start(self, places: list[int], late_s: int, older: int) -> None:
        since = self.driver.at - late_s * SECOND_US
        for place in places:
            gang = self.pick(place, HOLDING)
            if gang is not None:
                report = gangs.ReportGangStarted(gang.spec.id, gang.generation - older, since, "sim")
                self.ask(report, EDGE)

    @rule(
        places=st.lists(st.integers(0, 30), min_size=1, max_size=3),
        ending=st.sampled_from([*Ending, Ending.FAILED]),
        late_s=LATE,
        older=st.sampled_from([0, 0, 0, 1]),
    )
    def end(self, places: list[int], ending: Ending, late_s: int, older: int) -> None:
        since = self.driver.at - late_s * SECOND_US
        for place in places:
            gang = self.pick(place, HOLDING)
            if gang is not None:
                generation = gang.generation - older
                self.ask(gangs.ReportGangEnded(gang.spec.id, generation, since, "sim", ending), EDGE)

    @rule(
        places=st.lists(st.integers(0, 30), min_size=1, max_size=4),
        late_s=LATE,
        older=st.sampled_from([0, 0, 1]),
    )
    def checkpoint(self, places: list[int], late_s: int, older: int) -> None:
        since = self.driver.at - late_s * SECOND_US
        for place in places:
            gang = self.pick(place, HOLDING)
            if gang is not None:
                self.ask(ReportCheckpoint(gang.spec.id, gang.generation - older, since, "sim"), EDGE)

    @rule(stop=st.booleans(), start=st.booleans())
    def engine_obeys(self, stop: bool, start: bool) -> None:
        """All that is to stop stops, all that is to run starts."""
        for gang in self.driver.live():
            if gang.phase is Phase.STOPPING and stop:
                self.driver.end(gang.spec.id, Ending.STOPPED)
            elif gang.phase is Phase.PLACED and start:
                self.driver.start(gang.spec.id)

    @rule(
        nodes=st.lists(st.integers(0, 20), min_size=1, max_size=3),
        what=st.sampled_from(["fail", "fail", "recover", "cordon", "drain", "uncordon"]),
        late_s=LATE,
    )
    def floor(self, nodes: list[int], what: str, late_s: int) -> None:
        state = self.driver.world.state.supply
        since = self.driver.at - (late_s if self.late_health else 0) * SECOND_US
        if what == "fail":
            for node in nodes:
                self.ask(supply.ReportNodeHealth(ids.NodeIndex(node), False, "xid", since), EDGE)
        elif what == "recover":
            for failed in sorted(state.failed)[:2]:
                self.ask(supply.ReportNodeHealth(failed, True, "", since), EDGE)
        elif what == "uncordon":
            for cordoned in sorted(state.cordoned)[:2]:
                self.driver.uncordon(cordoned)
        else:
            for node in nodes:
                self.ask(supply.CordonNode(ids.NodeIndex(node), "", drain=what == "drain"))

    @rule(
        what=st.sampled_from(["slip", "slip", "ready", "come", "come"]),
        by_s=st.sampled_from([-86_400, 0, 60, 3600, 86_400, 20 * 86_400]),
    )
    def delivery(self, what: str, by_s: int) -> None:
        """What is to come slips, is ready, or stands there."""
        north = ids.SiteId("north")
        if what == "slip":
            expected = max(self.driver.at, plant.day(1)) + by_s * SECOND_US
            self.ask(blocks.ReportForecast(north, ids.MilestoneId("ready"), expected, "late"))
        elif what == "ready":
            self.ask(blocks.ReportReached(north, ids.MilestoneId("ready"), self.driver.at))
        elif self.came < 2:
            self.came += 1
            come = plant.rack(f"come{self.came}", "s4", "r", block="b1")
            self.halls = (*self.halls[:-1], replace(self.halls[-1], racks=(*self.halls[-1].racks, come)))
            self.apply_north()

    def apply_north(self) -> None:
        north = plant.site("north", self.feeds, self.halls, loops=self.loops)
        self.ask(supply.ApplySite(replace(north, switches=self.switches)))

    @invariant()
    def inspected(self) -> None:
        """Whoever looks on has nothing to say."""
        self.inspection.see(self.driver.events, self.driver.at)

    @rule(
        kind=st.sampled_from(list(supply.DomainKind)),
        place=st.integers(0, 5),
        healthy=st.sampled_from([False, False, True]),
        late_s=LATE,
    )
    def trip(self, kind: supply.DomainKind, place: int, healthy: bool, late_s: int) -> None:
        """A part of the plant fails with all that hangs on it, or is well again: the one that is out the longest."""
        names = {
            supply.DomainKind.RACK: ["r1", "r2", "r3", "r4", "r5", "r6"],
            supply.DomainKind.SWITCH: ["s1"],
            supply.DomainKind.LOOP: ["l1", "l2"],
            supply.DomainKind.FEED: ["m", "l", "r", "s"],
            supply.DomainKind.HALL: ["h1", "h2", "h3"],
            supply.DomainKind.SITE: ["north", "south"],
        }
        since = self.driver.at - (late_s if self.late_health else 0) * SECOND_US
        out = self.driver.world.state.supply.health.out
        domain = (kind, names[kind][place % len(names[kind])])
        if healthy and out:
            domain = next(iter(out))
        self.ask(supply.ReportDomainHealth(*domain, healthy, "tripped", since), EDGE)

    @rule(
        node=st.integers(0, 20),
        what=st.sampled_from(["quarantine", "release", "degrade", "mend", "check", "fail_check", "ticket"]),
    )
    def care(self, node: int, what: str) -> None:
        health = self.driver.world.state.supply.health
        index = ids.NodeIndex(node)
        if what == "quarantine":
            self.ask(supply.QuarantineNode(index, "suspect"))
        elif what == "release":
            for quarantined in sorted(health.quarantined)[:2]:
                self.ask(supply.ReleaseNode(quarantined, ""))
        elif what in ("degrade", "mend"):
            chosen = index if what == "degrade" else next(iter(health.degraded), index)
            self.ask(supply.ReportNodeDegraded(chosen, what == "degrade", "ecc"), EDGE)
        elif what == "ticket":
            self.ask(supply.TicketNode(index, "T-1", "", "", self.driver.at + 600 * SECOND_US))
        else:
            for repaired, missing in sorted(health.missing.items())[:2]:
                self.ask(supply.ReportNodeCheck(repaired, missing[0], what == "check"), EDGE)

    @rule(
        name=st.sampled_from(["k1", "k2", "k3"]),
        level=st.sampled_from(["feed m", "feed m", "feed l", "feed r", "feed s", "liquid l2", "air l2"]),
        share=st.sampled_from([0, 10, 50, 90]),
        off=st.booleans(),
        begins_s=st.sampled_from([0, 0, 300, 4000, 90_000]),
        lasts_s=st.sampled_from([0, 60, 3600, 86_400]),
        respond_s=st.sampled_from([0, 20, 600]),
    )
    def curtail(
        self, name: str, level: str, share: int, off: bool, begins_s: int, lasts_s: int, respond_s: int
    ) -> None:
        """Less power for a while, at once or later."""
        carrier, _, name_of = level.partition(" ")
        power = self.driver.world.state.supply
        if carrier == "feed":
            limit_w = power.feeds[ids.FeedId(name_of)].limit_w * share // 100
        else:
            loop = power.loops[ids.LoopId(name_of)]
            limit_w = (loop.liquid_w if carrier == "liquid" else loop.air_w) * share // 100
        start_at = self.driver.at + begins_s * SECOND_US if begins_s else 0
        end_at = (start_at or self.driver.at) + lasts_s * SECOND_US if lasts_s else 0
        most_w, less_w = (-1, limit_w) if off else (limit_w, 0)
        self.ask(
            supply.CurtailPower(
                ids.CurtailmentId(name),
                supply.Carrier(carrier),
                name_of,
                most_w,
                less_w,
                start_at,
                end_at,
                respond_s,
            )
        )

    @rule(name=st.sampled_from(["k1", "k2", "k3"]))
    def lift(self, name: str) -> None:
        self.ask(supply.EndCurtailment(ids.CurtailmentId(name)))

    @rule(
        name=st.sampled_from(["m1", "m2"]),
        part=st.sampled_from([("site", "north"), ("site", "south"), ("feed", "l"), ("feed", "r")]),
        begins_s=st.sampled_from([1, 1, 60, 300]),
        takes_s=st.sampled_from([60, 3600]),
        unit=st.sampled_from(list(campaigns.WaveUnit)),
        most=st.integers(1, 3),
        failures=st.integers(0, 1),
    )
    def maintain(
        self, name: str, part: tuple[str, str], begins_s: int, takes_s: int, unit: campaigns.WaveUnit, most: int,
        failures: int,
    ) -> None:  # fmt: skip
        """A campaign, whatever contracts say."""
        if not self.maintained:
            return
        parts = (campaigns.CampaignPart(supply.DomainKind(part[0]), part[1]),)
        start_at = self.driver.at + begins_s * SECOND_US
        command = campaigners.plan(
            name, parts=parts, start_at=start_at, end_at=start_at + DAY_US, takes_s=takes_s, unit=unit,
            units_max=most, failures_max=failures, despite=tuple(campaigns.Overrun),
        )  # fmt: skip
        self.ask(campaigns.ApplyCampaign(command))

    @rule(
        name=st.sampled_from(["m1", "m2"]), what=st.sampled_from(["pause", "resume", "cancel", "yes", "no"]),
        tranche=st.integers(0, 5),
    )  # fmt: skip
    def steer(self, name: str, what: str, tranche: int) -> None:
        """Somebody has a say in a campaign."""
        campaign = ids.CampaignId(name)
        verbs = {
            "pause": campaigns.PauseCampaign, "resume": campaigns.ResumeCampaign,
            "cancel": campaigns.CancelCampaign,
        }  # fmt: skip
        if what in verbs:
            self.ask(verbs[what](campaign))
            return
        known = sorted(self.driver.world.state.claims.tranches)
        if known:
            self.ask(campaigners.consent(what == "yes", known[tranche % len(known)], name))

    @rule(number=st.integers(0, 20), passed=st.sampled_from([True, True, False]))
    def wipe(self, number: int, passed: bool) -> None:
        """Somebody says what became of a node that a gang left."""
        world = self.driver.world
        left = sorted(
            node for name in world.placed.held.wiped
            for node in wipes.nodes_of_gang(world.state.placements.gangs[name])
        )  # fmt: skip
        if left:
            self.ask(wipes.ReportWipe(left[number % len(left)], passed, "wear"), EDGE)

    @rule(after_s=st.sampled_from([0, 30, 4000]), fails=st.booleans())
    def bring_back(self, after_s: int, fails: bool) -> None:
        """Time goes on to a wave; what is worked on is well again, or one of its nodes is not."""
        for campaign in list(self.driver.world.state.placements.campaigns.values())[:1]:
            self.driver.until(max(self.driver.at, campaign.next_at) + after_s * SECOND_US)
        if not fails:
            campaigners.repaired(self.driver)
            return
        for node, missing in sorted(self.driver.world.state.supply.health.missing.items())[:1]:
            self.ask(supply.ReportNodeCheck(node, missing[0], False), EDGE)

    @rule(place=st.integers(0, 30), mark=st.integers(0, 3))
    def progress(self, place: int, mark: int) -> None:
        gang = self.pick(place, {Phase.RUNNING})
        if gang is not None:
            self.ask(gangs.ReportGangProgress(gang.spec.id, mark, gang.generation), EDGE)

    @rule(fences=st.booleans(), beats=st.booleans())
    def engine(self, fences: bool, beats: bool) -> None:
        """The engine says that it is there, or somebody fences it."""
        if fences:
            self.ask(heartbeats.FenceEngine("sim", "off"))
        if beats:
            self.ask(heartbeats.ReportEngineHeard("sim"), EDGE)

    # What is needed for it

    def pick(self, place: int, phases: Set[Phase]) -> Gang | None:
        known = [g for g in self.driver.world.state.placements.gangs.values() if g.phase in phases]
        return known[place % len(known)] if known else None

    def ask(self, command: Command, by: Principal = OPERATOR, key: str = "") -> None:
        outcome = self.driver.handle(command, by, key)
        assert not (isinstance(outcome.answer, Refusal) and outcome.events)

    # How a run is judged

    def teardown(self) -> None:
        world, events = self.driver.world, self.driver.events
        assert auditor.metered_use(world, events) == auditor.naive_use(world, events)
        auditor.same_books(world, events)
        same_when_replayed(world, events)
        same_when_restored(world)
        never_over_the_day(world)


class LateMachine(Machine):
    """The same where news about nodes may be old."""

    late_health = True

    @rule(
        closes=st.booleans(),
        span=st.sampled_from([600, 4000, 90_000]),
        news=st.lists(
            st.tuples(st.integers(0, 20), st.booleans(), st.sampled_from([0, 1, 300, 3601, 100_000])),
            min_size=1,
            max_size=6,
        ),
        cordons=st.lists(st.tuples(st.integers(0, 20), st.booleans(), st.integers(0, 700)), max_size=5),
    )
    def after_an_outage(
        self,
        closes: bool,
        span: int,
        news: list[tuple[int, bool, int]],
        cordons: list[tuple[int, bool, int]],
    ) -> None:
        """Nothing was heard of the floor for a while, over the end of a period perhaps; nodes were kept free and let
        go again meanwhile. Then all comes at once.
        """
        for node, away, wait_s in cordons:
            self.driver.later(wait_s)
            cordoned = sorted(self.driver.world.state.supply.cordoned)
            if away or not cordoned:
                self.ask(supply.CordonNode(ids.NodeIndex(node), ""))
            else:
                self.driver.uncordon(cordoned[node % len(cordoned)])
        self.driver.later(span)
        if closes:
            self.ask(money.CloseBillingPeriod("machine"))
            self.driver.later(200)
        for node, healthy, ago_s in news:
            since = self.driver.at - ago_s * SECOND_US
            self.ask(supply.ReportNodeHealth(ids.NodeIndex(node), healthy, "xid", since), EDGE)


def same_when_replayed(world: World, events: list[tuple[int, Event]]) -> None:
    """Folding the events gives the state, its order included, and leaves the events as they were."""
    before = [repr(event) for _, event in events]
    again = World()
    for at, event in events:
        again.apply(event, at)
    assert repr(again.state) == repr(world.state)
    assert again.state == world.state
    again.check()
    assert before == [repr(event) for _, event in events]


def same_when_restored(world: World) -> None:
    """A World from a copy of the state decides what the original decides; a fork's future is its own."""
    state = repr(world.state)
    futures = [
        future(each) for each in (world.fork(), World.restore(copy.deepcopy(world.state)), world.fork())
    ]
    assert futures[0] == futures[1] == futures[2]
    assert repr(world.state) == state
    assert future(world) == futures[0]


def future(world: World) -> list[tuple[int, str]]:
    """Some days more, in which everything that holds GPUs ends, and a gang of each tenant arrives."""
    at = world.now
    seen: list[tuple[int, str]] = []

    def ask(command: Command, by: Principal) -> None:
        seen.extend((at, repr(event)) for event in world.handle(Asked(command, by), at).events)

    for day in range(3):
        at += DAY_US
        while (due := world.next_wake()) is not None and due <= at:
            moment = max(due, world.now)
            seen.extend((moment, repr(event)) for event in world.wake(moment).events)
        for name in TENANTS:
            ask(
                gangs.SubmitGang(plant.spec(f"late-{day}-{name}", 4, tenant=name, sku="s4", tier=Tier.SPOT)),
                OPERATOR,
            )
        for gang in plant.live(world):
            if gang.phase in HOLDING:
                ask(gangs.ReportGangEnded(gang.spec.id, gang.generation, at, "sim", Ending.STOPPED), EDGE)
        world.check()
    return seen


def never_over_the_day(world: World) -> None:
    """The ledger is zero, and what was invoiced is what stands in the accounts."""
    state = world.state.money
    for currency in {currency for _, currency in state.balances}:
        assert sum(micros for (_, c), micros in state.balances.items() if c == currency) == 0
    for name in TENANTS:
        billed = (each for each in state.invoices.values() if each.invoice not in state.credits.voided)
        owed = sum(invoice.total_minor for invoice in billed if invoice.tenant == name)
        owed -= sum(note.total_minor for note in state.credits.notes.values() if note.tenant == name)
        stand = (each for each in state.receivables.receipts.values() if not each.reversed_at)
        paid = sum(part.amount_micros for each in stand if each.account == name for part in each.allocated)
        assert state.balances.get((f"receivable:{name}", "USD"), 0) == owed * 10_000 - paid
