"""A Hypothesis rule machine over promises: contracts, holds, rights, slips and racks that come, in any order.

After each step the driver asserts every invariant, and what may be promised is compared with a naive model: a loop
over days that knows nothing of step functions, and has all that it knows from the list of events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from forebay.core import claims, ids, supply
from forebay.core.claims import Short, Unit, rights
from forebay.core.claims.rights import RightKind, RightPlan
from forebay.core.ids import Asked, Command, Event, Refusal
from forebay.core.placements.gang import HOLDING, Ending, Phase, ReportGangEnded, SubmitGang, Tier
from forebay.core.supply import blocks
from forebay.core.units import DAY_US, SECOND_US
from tests.core import auditor, machine, plant
from tests.core.claims import market
from tests.core.claims.market import NORTH, STOCK, day
from tests.core.plant import EDGE, T0, contract, spec

DAYS = range(-1, 90, 2)
PARTIES = st.sampled_from(["acme", "bravo"])

tranches = st.fixed_dictionaries(
    {
        "count": st.integers(1, 3),
        "start": st.sampled_from([-2, 0, 0, 5, 10, 20, 30]),
        "lasts": st.sampled_from([4, 20, 40]),
        "unit": st.sampled_from([Unit.RACK, Unit.RACK, Unit.NODE]),
        "ramp": st.sampled_from([0, 0, 3]),
        "late": st.sampled_from([None, market.late(2, 5, longstop=6)]),
        "lent": st.booleans(),
    }
)
grants = st.lists(st.sampled_from([*RightKind, RightKind.CALL, RightKind.EXTENSION]), max_size=2)
PLACE = st.integers(0, 9)


class Traders(RuleBasedStateMachine):
    """A seller, two customers, and a site that is late."""

    def __init__(self) -> None:
        super().__init__()
        self.driver = market.market(stands=4, comes=4, on=12)
        self.names = 0

    def name(self, kind: str) -> str:
        self.names += 1
        return f"{kind}{self.names}"

    def ask(self, command: Command) -> None:
        outcome = self.driver.handle(command)
        assert not (isinstance(outcome.answer, Refusal) and outcome.events)

    def pick(self, found: list[Any], place: int) -> Any:
        return found[place % len(found)] if found else None

    @initialize(lent=st.booleans())
    def first(self, lent: bool) -> None:
        plan = market.promise("base", 1, lending=plant.LENT if lent else None)
        refusal = market.refusal("base-rofr", opens_at=day(2), expires_at=day(9))
        self.ask(market.sign(contract("c-base", "acme", plan, rights=(refusal,))))

    # Promises

    @rule(
        of=PARTIES, parts=st.lists(tranches, max_size=2), granted=grants, override=st.booleans(), held=PLACE
    )
    def sign(
        self, of: str, parts: list[dict[str, Any]], granted: list[RightKind], override: bool, held: int
    ) -> None:
        plans = tuple(self.tranche(part) for part in parts)
        given = tuple(self.right(kind, plans) for kind in granted)
        own = [name for name, hold in self.driver.world.state.claims.holds.items() if hold.tenant == of]
        by_hold = self.pick(["", *own], held)
        plan = contract(
            self.name("c"),
            of,
            *plans,
            rights=tuple(each for each in given if each),
            caps=(market.cap(money=40_000),),
        )
        self.ask(market.sign(plan, by_hold, "we dare" if override else ""))

    def tranche(self, part: dict[str, Any]) -> claims.TranchePlan:
        today = (self.driver.at - T0) // DAY_US
        start = today + part["start"]
        count, ramp = part["count"], part["ramp"]
        deliveries: tuple[claims.Delivery, ...] = ()
        if ramp and count > 1:
            deliveries = (claims.Delivery(day(start), 1), claims.Delivery(day(start + ramp), count - 1))
        return market.promise(
            self.name("t"), count, start=start, end=start + part["lasts"], unit=part["unit"], late=part["late"],
            deliveries=deliveries, lending=plant.LENT if part["lent"] else None,
        )  # fmt: skip

    def right(self, kind: RightKind, plans: tuple[claims.TranchePlan, ...]) -> RightPlan | None:
        name, today = self.name("r"), (self.driver.at - T0) // DAY_US
        match kind:
            case RightKind.REFUSAL:
                return market.refusal(
                    name, answer_s=86_400, expires_at=day(today + 6), opens_at=day(today + 2)
                )
            case RightKind.CALL:
                return market.call(
                    name,
                    expires_at=day(today + 8),
                    opens_at=day(today + 1),
                    cap=ids.CapId("cap"),
                    racks_min=1,
                )
            case RightKind.BACKSTOP:
                return market.backstop(name, measure_at=day(today + 2), cap=ids.CapId("cap"))
            case RightKind.EXTENSION:
                return market.extension(name, of=plans[0].id, notice_s=86_400) if plans else None
            case _:
                return market.termination(name, of=plans[-1].id, ends_order=len(plans) > 1) if plans else None

    @rule(
        of=PARTIES,
        nodes=st.integers(1, 8),
        start=st.integers(0, 20),
        lasts=st.integers(1, 30),
        kept=st.integers(1, 9),
    )
    def hold(self, of: str, nodes: int, start: int, lasts: int, kept: int) -> None:
        today = (self.driver.at - T0) // DAY_US
        held = market.hold(
            self.name("h"), of, nodes, today + start, today + start + lasts, expires_at=day(today + kept)
        )
        self.ask(claims.HoldCapacity(held))

    @rule(place=PLACE)
    def let_go(self, place: int) -> None:
        held = self.pick(list(self.driver.world.state.claims.holds), place)
        if held:
            self.ask(claims.ReleaseHold(held))

    @rule(place=PLACE, which=PLACE)
    def offer(self, place: int, which: int) -> None:
        state = self.driver.world.state.claims
        held = self.pick(list(state.holds), place)
        refusals = [name for name, right in state.rights.items() if right.plan.kind is RightKind.REFUSAL]
        if held:
            self.ask(rights.OfferSale(self.pick(refusals, which), held))

    @rule(
        nodes=st.sampled_from([4, 4, 8]), answer=st.sampled_from(["use", "waive", "wait", "wait long"]),
        better=st.booleans(),
    )  # fmt: skip
    def deal(self, nodes: int, answer: str, better: bool) -> None:
        """Something is held, offered to whoever has a refusal, and signed if it may be."""
        today = (self.driver.at - T0) // DAY_US
        held = market.hold(self.name("h"), "carol", nodes, today + 1, today + 30, expires_at=day(today + 3))
        self.ask(claims.HoldCapacity(held))
        for name in list(self.driver.world.state.claims.rights):
            self.ask(rights.OfferSale(name, held.id))
            right = self.driver.world.state.claims.rights[name]
            if right.life is rights.Life.OFFERED and answer == "use":
                self.ask(rights.ExerciseRight(name, 0, ids.TrancheId(self.name("x"))))
            elif right.life is rights.Life.OFFERED and answer == "waive":
                self.ask(rights.WaiveRight(name))
        if answer == "wait":
            self.driver.later(days=2)
        elif answer == "wait long":
            self.outage(9)
        price = held.price_micros_per_gpu_hour - better
        plan = market.promise(
            self.name("t"), nodes // 4, start=today + 1, end=today + 30, price_micros_per_gpu_hour=price
        )
        self.ask(market.sign(contract(self.name("c"), "carol", plan), held.id))

    @rule(which=PLACE, ago_h=st.sampled_from([0, 0, 0, 5, 30]), waives=st.sampled_from([False, False, True]))
    def notice(self, which: int, ago_h: int, waives: bool) -> None:
        held = self.driver.world.state.claims.rights
        open_ = [
            right
            for right in held.values()
            if right.life is rights.Life.OFFERED
            or (right.life is rights.Life.DORMANT and right.plan.kind is not RightKind.REFUSAL)
        ]
        right = self.pick(open_, which)
        if right is None:
            return
        since = self.driver.at - ago_h * 3600 * SECOND_US
        racks = 1 if right.plan.kind is RightKind.CALL else 0
        used = rights.ExerciseRight(right.plan.id, since, ids.TrancheId(self.name("x")), racks)
        self.ask(rights.WaiveRight(right.plan.id, since) if waives else used)

    @rule(
        shorting=st.sampled_from(list(claims.Shorting)),
        grace=st.sampled_from([0, 86_400, 5 * 86_400]),
        named=PLACE,
    )
    def policy(self, shorting: claims.Shorting, grace: int, named: int) -> None:
        known = list(self.driver.world.state.claims.contracts)
        protected = (known[named],) if named < len(known) else ()
        market.policy(self.driver, shorting=shorting, notice_grace_s=grace, protected=protected)

    @rule(place=PLACE)
    def by_hand(self, place: int) -> None:
        """One rack's shortfall is given to another tranche, or the same is agreed."""
        recorded = self.driver.world.state.claims.shorts.get(STOCK, ())
        names = list(self.driver.world.state.claims.tranches)
        moved = [replace(each) for each in recorded]
        if moved and place % 2:
            moved[0] = Short(self.pick(names, place), moved[0].nodes, moved[0].start_at, moved[0].end_at)
        self.ask(market.allocate(*moved))

    # The site

    @rule(to=st.integers(1, 40))
    def slip(self, to: int) -> None:
        today = (self.driver.at - T0) // DAY_US
        self.ask(blocks.ReportForecast(NORTH, ids.MilestoneId("b1-ready"), day(today + to), "late"))

    @rule(ago_h=st.sampled_from([0, 0, 30, 100]))
    def reach(self, ago_h: int) -> None:
        since = self.driver.at - ago_h * 3600 * SECOND_US
        self.ask(blocks.ReportReached(NORTH, ids.MilestoneId("b1-ready"), since))

    @rule(racks=st.integers(1, 2))
    def racks_come(self, racks: int) -> None:
        stands = supply.standing(self.driver.world.state.supply).get(NORTH, supply.Stands())
        if stands.blocks.get(ids.BlockId("b1"), 0) + racks <= 3:
            market.come(self.driver, racks)

    @rule(node=st.integers(0, 31), well=st.booleans(), ago_h=st.sampled_from([0, 2, 60]))
    def health(self, node: int, well: bool, ago_h: int) -> None:
        since = self.driver.at - ago_h * 3600 * SECOND_US
        self.ask_of_edge(supply.ReportNodeHealth(ids.NodeIndex(node), well, "xid", since))

    def ask_of_edge(self, command: Command) -> None:
        self.driver.handle(command, EDGE)

    # Work, so that somebody is in the way

    @rule(gpus=st.sampled_from([8, 32, 40]), tier=st.sampled_from(list(Tier)), place=PLACE)
    def submit(self, gpus: int, tier: Tier, place: int) -> None:
        made = spec(self.name("g"), gpus, tier=tier, walltime_s=20 * 86_400)
        if tier is Tier.DEDICATED:
            name = self.pick(list(self.driver.world.state.claims.tranches), place)
            tenant = self.driver.world.state.claims.tranches[name].tenant
            made = replace(made, tranche=name, tenant=tenant)
        self.ask(SubmitGang(made))

    @rule()
    def engine_obeys(self) -> None:
        for gang in self.driver.live():
            if gang.phase is Phase.STOPPING:
                self.driver.end(gang.spec.id, Ending.STOPPED)
            elif gang.phase is Phase.PLACED:
                self.driver.start(gang.spec.id)

    # Time

    @rule(hours=st.sampled_from([1, 12, 24, 24, 60, 120]))
    def pass_time(self, hours: int) -> None:
        self.driver.later(hours=hours)

    @rule(days=st.integers(1, 9))
    def outage(self, days: int) -> None:
        """Nobody looks for a while; then all that fell due is done at once."""
        until = self.driver.at + days * DAY_US
        outcome = self.driver.world.wake(until)
        self.driver.events += [(until, event) for event in outcome.events]
        self.driver.until(until)
        self.driver.world.check()

    # How it is judged

    @invariant()
    def the_same_may_be_promised(self) -> None:
        world = self.driver.world
        available = world.calendar.available(STOCK, world.state.claims.policy.confidence)
        encumbered = world.calendar.encumbered(STOCK)
        book = Book(self.driver.events)
        for n in DAYS:
            for at in (day(n), day(n) + 7 * 3600 * SECOND_US):
                assert encumbered.at(at) == sum(book.encumbered(at)), n
                assert available.at(at) == book.available(at), n

    @invariant()
    def nobody_has_more_than_is_due(self) -> None:
        world = self.driver.world
        for tranche in world.state.claims.tranches.values():
            if tranche.standing is not claims.Standing.ENDED:
                due = claims.contracts.nodes_due(tranche.plan, world.state.supply, self.driver.at)
                assert claims.nodes_bound(tranche) <= due

    def teardown(self) -> None:
        world, events = self.driver.world, self.driver.events
        auditor.same_books(world, events)
        machine.same_when_replayed(world, events)
        futures = [self.future(each) for each in (world.fork(), type(world).restore(world.fork().state))]
        assert futures[0] == futures[1]

    def future(self, world: Any) -> list[str]:
        """A month more, in which nobody asks for anything and the last racks come."""
        seen: list[Event] = []
        for _ in range(10):
            at = self.driver.at = max(self.driver.at, world.now) + 3 * DAY_US
            while (due := world.next_wake()) is not None and due <= at:
                seen += world.wake(max(due, world.now)).events
            for gang in plant.live(world):
                if gang.phase in HOLDING:
                    report = ReportGangEnded(gang.spec.id, gang.generation, at, "sim", Ending.STOPPED)
                    seen += world.handle(Asked(report, EDGE), at).events
            world.check()
        self.driver.at -= 30 * DAY_US
        return [repr(event) for event in seen]


class Book:
    """What events say is there, promised and spoken for, looked up instant by instant."""

    def __init__(self, events: list[tuple[int, Event]]) -> None:
        self.racks = 0
        self.comes: dict[str, int] = {}
        self.dates: dict[str, int] = {}
        self.tranches: dict[str, claims.TranchePlan] = {}
        self.ended: dict[str, int] = {}
        self.holds: dict[str, claims.Hold] = {}
        #: Calls and extensions that may still be used, and the racks that were called.
        self.rights: dict[str, RightPlan] = {}
        self.called: dict[str, int] = {}
        for at, event in events:
            self.take(event, at)

    def take(self, event: Event, at: int) -> None:
        match event:
            case supply.RackAdded():
                self.racks += 1
                if event.block:
                    self.comes[event.block] -= 1
            case blocks.SchedulePlanned():
                self.comes = {block.id: block.racks for block in event.plan.blocks}
                self.dates = {milestone.id: milestone.planned_at for milestone in event.plan.milestones}
            case blocks.MilestoneForecast():
                self.dates[event.milestone] = event.forecast_at
            case blocks.MilestoneReached():
                self.dates[event.milestone] = event.effective_at
            case claims.ContractSigned():
                self.tranches |= {plan.id: plan for plan in event.plan.tranches}
                self.rights |= {right.id: right for right in event.plan.rights}
            case claims.contracts.TrancheAdded():
                self.tranches[event.plan.id] = event.plan
            case claims.TrancheEnded():
                self.ended[event.tranche] = at
            case claims.CapacityHeld():
                self.holds[event.hold.id] = event.hold
            case claims.HoldReleased():
                del self.holds[event.hold]
            case rights.RightExercised():
                plan = self.rights[event.right]
                self.called[event.right] = self.called.get(event.right, 0) + event.racks
                whole = plan.kind is RightKind.EXTENSION or self.called[event.right] == plan.racks_max
                if plan.kind is not RightKind.REFUSAL and whole:
                    del self.rights[event.right]
            case rights.RightWaived() | rights.RightLapsed() if not event.hold:
                del self.rights[event.right]

    def available(self, at: int) -> int:
        comes = sum(racks for block, racks in self.comes.items() if self.dates[f"{block}-ready"] <= at)
        return 4 * (self.racks + comes) - sum(self.promised(at)) - sum(self.encumbered(at))

    def promised(self, at: int) -> Iterator[int]:
        for name, plan in self.tranches.items():
            if at < min(plan.end_at, self.ended.get(name, plan.end_at)):
                parts = plan.deliveries or (claims.Delivery(plan.start_at, plan.count),)
                each = 4 if plan.unit is Unit.RACK else 1
                yield each * sum(part.count for part in parts if part.at <= at)

    def encumbered(self, at: int) -> Iterator[int]:
        for hold in self.holds.values():
            yield hold.nodes if hold.start_at <= at < hold.end_at else 0
        for name, plan in self.rights.items():
            term_us, lead_us = plan.term_s * SECOND_US, plan.notice_s * SECOND_US
            if (
                plan.kind is RightKind.CALL
                and plan.opens_at + lead_us <= at < plan.expires_at + lead_us + term_us
            ):
                yield 4 * (plan.racks_max - self.called.get(name, 0))
            elif plan.kind is RightKind.EXTENSION and plan.tranche not in self.ended:
                of = self.tranches[plan.tranche]
                nodes = of.count * (4 if of.unit is Unit.RACK else 1)
                yield nodes if of.end_at <= at < of.end_at + term_us else 0
