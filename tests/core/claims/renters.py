"""A Hypothesis rule machine over what is rented: contracts, notices, forecasts, rights and time, in any order.

After each step the driver asserts every invariant, and what is there at the provider's site is compared with a naive
model: a loop over days that knows nothing of step functions, and has all that it knows from the list of events.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from forebay.core import claims, ids
from forebay.core.claims import acceptance, deliveries, offers, rented, rights
from forebay.core.claims.acceptance import PartLife
from forebay.core.claims.parties import OverlayApplied
from forebay.core.claims.rights import Life, RightKind
from forebay.core.ids import Command, Event, Refusal
from forebay.core.supply.blocks import Confidence
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import DAY_US
from tests.core import auditor, machine
from tests.core.claims import market, sides
from tests.core.claims.market import day
from tests.core.plant import T0, Driver

DAYS = range(0, 80, 2)
PLACE = st.integers(0, 9)
FAR = st.integers(0, 99)
SURE = st.sampled_from([None, Confidence.P50, Confidence.P90])


class Renters(RuleBasedStateMachine):
    """A customer with a site of its own, teams, and a provider that is late."""

    def __init__(self) -> None:
        super().__init__()
        self.driver: Driver = sides.customer()
        self.names = 0

    def name(self, kind: str) -> str:
        self.names += 1
        return f"{kind}{self.names}"

    def today(self) -> int:
        return (self.driver.at - T0) // DAY_US

    def ask(self, command: Command) -> None:
        outcome = self.driver.handle(command)
        assert not (isinstance(outcome.answer, Refusal) and outcome.events)

    def pick(self, found: list[Any], place: int) -> Any:
        return found[place % len(found)]

    def part(self, place: int, sold: bool = False) -> tuple[Any, int]:
        """A delivery of a tranche that is rented, or perhaps sold."""
        known = self.driver.world.state.claims
        plans = [each.plan for each in known.rented.tranches.values()]
        plans += [each.plan for each in known.tranches.values()] if sold else []
        parts = [
            (plan.id, number)
            for plan in plans
            for number, _ in enumerate(deliveries.committed(plan), 1)
            if not known.deliveries.get((plan.id, number), deliveries.UNKNOWN).delivered_at or place > 90
        ]
        return self.pick(parts, place) if parts else (ids.TrancheId("none"), 1)

    @initialize(start=st.integers(1, 9), sure=SURE)
    def first(self, start: int, sure: Confidence | None) -> None:
        """Something is rented, with a right of every kind, and promised on to a team."""
        plan = market.ramp(
            (start, 2), (start + 6, 3), end=60, late=market.late(1, 5, longstop=4),
            acceptance=market.accepted(deemed=2) if sure else None,
        )  # fmt: skip
        given = (
            market.call(racks=4, expires_at=day(40), cap=ids.CapId("cap")),
            market.extension(), market.termination(), market.refusal(answer_s=2 * market.DAY_S),
            market.backstop(cap=ids.CapId("cap")),
        )  # fmt: skip
        self.ask(market.sign(sides.rental(plan, rights=given, caps=(market.cap(money=90_000),))))
        if sure:
            self.ask(sides.overlay(confidence=sure))
        self.ask(market.sign(sides.internal("first", 1, start, 50)))

    @rule(
        racks=st.integers(1, 4), start=st.integers(-3, 30), lasts=st.integers(5, 40), ramp=st.booleans(),
        kinds=st.lists(st.sampled_from(list(RightKind)), max_size=3), node=st.booleans(),
        deemed=st.sampled_from([None, 0, 3]),
    )  # fmt: skip
    def rent(
        self, racks: int, start: int, lasts: int, ramp: bool, kinds: list[RightKind], node: bool,
        deemed: int | None,
    ) -> None:  # fmt: skip
        today = self.today()
        start += today
        parts: tuple[claims.Delivery, ...] = ()
        if ramp and racks > 1:
            parts = (claims.Delivery(day(start), 1), claims.Delivery(day(start + 3), racks - 1))
        plan = market.promise(
            self.name("t"), racks, start, start + lasts, deliveries=parts, late=market.late(1, 5, longstop=4),
            unit=claims.Unit.NODE if node else claims.Unit.RACK, relief=(market.relieved(cap=9),),
            acceptance=None if deemed is None else market.accepted(deemed=deemed),
        )  # fmt: skip
        make: dict[RightKind, Any] = {
            RightKind.CALL: lambda name: market.call(
                name, racks=3, expires_at=day(today + 20), cap=ids.CapId("cap")
            ),
            RightKind.BACKSTOP: lambda name: market.backstop(
                name, measure_at=day(today + 2), cap=ids.CapId("cap")
            ),
            RightKind.EXTENSION: lambda name: market.extension(name, of=plan.id, notice_s=86_400),
            RightKind.TERMINATION: lambda name: market.termination(name, of=plan.id, ends_order=ramp),
            RightKind.REFUSAL: market.refusal,
        }
        given = tuple(make[kind](self.name("r")) for kind in kinds)
        cap = (market.cap(money=60_000),)
        self.ask(market.sign(sides.rental(plan, name=self.name("c"), rights=given, caps=cap)))

    @rule(
        place=PLACE,
        more=st.integers(-1, 2),
        days=st.integers(-6, 6),
        adds=st.booleans(),
        ends=st.integers(-4, 9),
    )
    def amend(self, place: int, more: int, days: int, adds: bool, ends: int) -> None:
        """A new version, signed in advance, or recorded late; more or less of it, later or sooner over."""
        known = self.driver.world.state.claims.rented
        last = self.pick(list(known.versions.values()), place)[-1].plan
        plan, *rest = last.tranches
        count = max(1, plan.count + more)
        parts = plan.deliveries and (*plan.deliveries[:-1], claims.Delivery(day(self.today() + 9), 1))
        plan = dataclasses.replace(
            plan,
            count=sum(part.count for part in parts) or count,
            deliveries=parts,
            end_at=plan.end_at + ends * DAY_US,
        )
        added = (market.promise(self.name("t"), 1, self.today() + 7, self.today() + 30),) if adds else ()
        right = (market.extension(self.name("r"), of=plan.id, notice_s=86_400),) if adds else ()
        self.ask(
            market.sign(
                dataclasses.replace(
                    last, version=last.version + 1, effective_at=max(0, day(self.today() + days)),
                    tranches=(plan, *rest, *added), rights=(*last.rights, *right),
                )
            )
        )  # fmt: skip

    @rule(racks=st.integers(1, 4), start=st.integers(0, 30), lasts=st.integers(5, 40), dares=st.booleans())
    def promise_to_a_team(self, racks: int, start: int, lasts: int, dares: bool) -> None:
        today = self.today()
        plan = sides.internal(self.name("team"), racks, today + start, today + start + lasts)
        self.ask(market.sign(plan, override="we dare" if dares else ""))

    @rule(place=FAR, to=st.integers(-5, 40), ago=st.integers(0, 9))
    def notice(self, place: int, to: int, ago: int) -> None:
        name, number = self.part(place, sold=place > 80)
        heard = max(1, self.driver.at - ago * DAY_US)
        self.ask(sides.notice(self.today() + to, name, number, effective_at=heard))

    @rule(place=FAR, ago=st.integers(0, 9))
    def deliver(self, place: int, ago: int) -> None:
        self.ask(sides.handed(self.today() - ago, *self.part(place)))

    def handed_over(self, place: int) -> rented.RentedTranche:
        """A tranche with terms for acceptance, if there is one."""
        known = list(self.driver.world.state.claims.rented.tranches.values())
        return self.pick([each for each in known if each.plan.acceptance] or known, place)  # type: ignore[no-any-return]

    @rule(place=FAR, count=st.integers(1, 3), ago=st.sampled_from([0, 0, 1, 9]))
    def ready(self, place: int, count: int, ago: int) -> None:
        name = self.handed_over(place).plan.id
        self.ask(market.ready(count, of=name, on=max(0, self.today() - ago)))

    @rule(
        place=FAR,
        late=st.integers(0, 4),
        ago=st.sampled_from([0, 0, 1]),
        accepts=st.sampled_from([True, True, False]),
    )
    def answer(self, place: int, late: int, ago: int, accepts: bool) -> None:
        tranche = self.handed_over(place)
        open_ = [part.notice for part in tranche.parts if part.life is PartLife.READY]
        notice = self.pick(open_, late) if open_ else late
        said = market.accept if accepts else market.reject
        self.ask(said(notice, of=tranche.plan.id, on=max(0, self.today() - ago)))

    @rule(place=FAR, ago=st.integers(0, 12), lasts=st.integers(1, 12))
    def relieve(self, place: int, ago: int, lasts: int) -> None:
        name, _ = self.part(place, sold=place > 80)
        start = max(0, self.today() - ago)
        self.ask(market.held_up(start, start + lasts, of=name))

    @rule(place=FAR, p50=st.integers(-5, 40), more=st.integers(0, 20))
    def expect(self, place: int, p50: int, more: int) -> None:
        self.ask(sides.expect(self.today() + p50, self.today() + p50 + more, *self.part(place)))

    @rule(place=PLACE, racks=st.integers(0, 3), ago=st.integers(0, 2), waives=st.booleans())
    def use(self, place: int, racks: int, ago: int, waives: bool) -> None:
        name = self.pick(list(self.driver.world.state.claims.rented.rights), place)
        since = self.driver.at - ago * DAY_US
        used = market.use(name, self.name("x"), racks=racks, effective_at=since)
        offered = self.driver.world.state.claims.rented.rights[name].life is Life.OFFERED
        self.ask(rights.WaiveRight(name, since) if waives and (offered or place > 8) else used)

    @rule(
        place=PLACE, nodes=st.integers(1, 5), start=st.integers(-2, 6), price=st.integers(1, 2),
        ago=st.sampled_from([0, 0, 1, 3]), anew=st.booleans(),
    )  # fmt: skip
    def offer(self, place: int, nodes: int, start: int, price: int, ago: int, anew: bool) -> None:
        """The seller tells us of a sale to somebody else, the same or a better one."""
        known = self.driver.world.state.claims.rented.rights
        refusals = [name for name, right in known.items() if right.plan.kind is RightKind.REFUSAL]
        name = self.pick(refusals if place else list(known), place)
        start += self.today()
        told = sides.sale(nodes, start, start + 9, price=price * 1_000_000)
        since = max(0, self.driver.at - ago * DAY_US)
        self.ask(offers.ReceiveOffer(name, told, since if ago else 0, anew))

    @rule(place=PLACE, sure=SURE, priority=st.integers(0, 2))
    def overlay(self, place: int, sure: Confidence | None, priority: int) -> None:
        known = self.driver.world.state.claims
        name = self.pick([*known.rented.contracts, *known.contracts], place)
        before = known.overlays.get(name)
        version = before.version + 1 if before else 1
        self.ask(sides.overlay(name, version=version, confidence=sure, priority=priority))

    @rule(sure=st.sampled_from(list(Confidence)))
    def policy(self, sure: Confidence) -> None:
        market.policy(self.driver, confidence=sure)

    @rule(days=st.sampled_from([1, 3, 8]))
    def pass_time(self, days: int) -> None:
        self.driver.later(days=days)

    @invariant()
    def the_same_is_there(self) -> None:
        shelf = Shelf(self.driver.events)
        for sure in Confidence:
            steps = self.driver.world.calendar.supply(sides.THERE, sure)
            for n in DAYS:
                assert steps.at(day(n)) == shelf.nodes(day(n), sure), n

    @invariant()
    def an_offer_is_open_until_it_is_answered_or_over(self) -> None:
        """By the list of events alone; and what is open still has its clock, or a grace, ahead of it."""
        open_: dict[str, offers.OfferReceived] = {}
        for _, event in self.driver.events:
            match event:
                case offers.OfferReceived():
                    assert event.right not in open_
                    open_[event.right] = event
                case offers.ReceivedOfferLapsed():
                    del open_[event.right]
                case rented.RentedRightWaived():
                    open_.pop(event.right, None)
                case rented.RentedRightUsed():
                    for gone in (event.right, *event.lapsed):
                        open_.pop(gone, None)
        known = self.driver.world.state.claims
        assert {name: each.sale for name, each in known.rented.offers.open.items()} == {
            name: offered.sale for name, offered in open_.items()
        }
        for name, offered in open_.items():
            right = known.rented.rights[ids.RightId(name)]
            assert (right.life, right.deadline_at) == (Life.OFFERED, offered.deadline_at)
            due = offers.answer_due(right, known.policy.notice_grace_s)
            assert due is not None
            assert due.at >= self.driver.at

    @invariant()
    def what_is_counted_on_has_come_or_is_still_to_come(self) -> None:
        """No date by which we count on something lies behind us, unless it came."""
        known = self.driver.world.state.claims
        for tranche in known.rented.tranches.values():
            assert all(due.at >= self.driver.at for due in rented.still_due(tranche, known.deliveries))

    def teardown(self) -> None:
        auditor.same_books(self.driver.world, self.driver.events)
        machine.same_when_replayed(self.driver.world, self.driver.events)
        again = type(self.driver.world).restore(self.driver.world.fork().state)
        assert again.next_wake() == self.driver.world.next_wake()


def parts_of(plan: claims.TranchePlan) -> list[claims.Delivery]:
    """What a tranche is to bring, and when."""
    return list(plan.deliveries) or [claims.Delivery(plan.start_at, plan.count)]


class Shelf:
    """What events say is there, looked up instant by instant."""

    def __init__(self, events: list[tuple[int, Event]]) -> None:
        self.plans: dict[str, tuple[str, claims.TranchePlan]] = {}
        self.contract_of: dict[str, str] = {}
        self.ended: dict[str, int] = {}
        self.sure: dict[str, Confidence | None] = {}
        self.notified: dict[tuple[str, int], int] = {}
        self.came: dict[tuple[str, int], int] = {}
        self.own: dict[tuple[str, int], tuple[int, int, bool]] = {}
        self.gone: dict[tuple[str, int], int] = {}
        self.ready: dict[tuple[str, int], int] = {}
        #: When each single unit was accepted.
        self.accepted: dict[str, list[int]] = {}
        for _, event in events:
            self.take(event)

    def take(self, event: Event) -> None:
        match event:
            case rented.CapacityRented():
                for plan in event.plan.tranches:
                    self.plans[plan.id] = (event.plan.id, plan)
                for right in event.plan.rights:
                    self.contract_of[right.id] = event.plan.id
            case rented.RentalAmended():
                for plan in event.tranches:
                    before = parts_of(self.plans[plan.id][1]) if plan.id in self.plans else []
                    for number, stated in enumerate(parts_of(plan)):
                        if number >= len(before) or before[number] != stated:
                            self.gone.pop((plan.id, number + 1), None)
                    self.plans[plan.id] = (event.plan.id, plan)
                for right in event.rights:
                    self.contract_of[right.id] = event.plan.id
            case rented.RentedRightUsed():
                if event.made is not None:
                    self.plans[event.made.id] = (self.contract_of[event.right], event.made)
                self.ended |= dict.fromkeys(event.ended, event.effective_at)
            case OverlayApplied():
                self.sure[event.overlay.contract] = event.overlay.confidence
            case deliveries.DeliveryNotified():
                part = (event.tranche, event.delivery)
                self.notified[part] = event.expected_at
                if part in self.own:
                    self.own[part] = (*self.own[part][:2], True)
                self.gone.pop(part, None)
            case deliveries.DeliveryForecast():
                part = (event.tranche, event.delivery)
                self.own[part] = (event.p50_at, event.p90_at, False)
                self.gone.pop(part, None)
            case deliveries.DeliveryMade():
                self.came[event.tranche, event.delivery] = event.effective_at
            case acceptance.ReadyNoticeGiven():
                self.ready[event.tranche, event.notice] = event.count
            case acceptance.DeliveryAccepted():
                count = self.ready[event.tranche, event.notice]
                self.accepted.setdefault(event.tranche, []).extend([event.effective_at] * count)
            case deliveries.DeliveryOverdue():
                self.gone[event.tranche, event.delivery] = event.expected_at

    def nodes(self, at: int, asked: Confidence) -> int:
        total = 0
        for contract, plan in self.plans.values():
            if at >= min(plan.end_at, self.ended.get(plan.id, INSTANT_MAX)):
                continue
            sure = self.sure.get(contract) or asked
            parts = parts_of(plan)
            accepted = sorted(self.accepted.get(plan.id, []))
            for number, part in enumerate(parts, 1):
                for _ in range(part.count):
                    come_at = accepted.pop(0) if accepted else self.date((plan.id, number), part.at, sure)
                    total += (4 if plan.unit is claims.Unit.RACK else 1) if come_at <= at else 0
        return total

    def date(self, part: tuple[str, int], committed_at: int, sure: Confidence) -> int:
        if part in self.came:
            return self.came[part]
        said = self.notified.get(part, committed_at)
        if part in self.own:
            p50_at, p90_at, stale = self.own[part]
            own = p90_at if sure is Confidence.P90 else p50_at
            said = max(own, said) if stale else own
        return max(said, self.gone.get(part, 0))
