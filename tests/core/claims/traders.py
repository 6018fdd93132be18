"""A Hypothesis rule machine over promises: contracts, holds, rights, slips and racks that come, in any order.

After each step the driver asserts every invariant, and what may be promised is compared with a naive model: a loop
over days that knows nothing of step functions, and has all that it knows from the list of events.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from forebay.core import claims, ids, supply
from forebay.core.claims import (
    Short,
    ShortfallTerms,
    Spares,
    Unit,
    lateness,
    overdrawn,
    quotes,
    rights,
    workdays,
)
from forebay.core.claims.acceptance import PartLife
from forebay.core.claims.rights import RightKind, RightPlan
from forebay.core.ids import Asked, Command, Event, Refusal
from forebay.core.placements.gang import HOLDING, Ending, Phase, ReportGangEnded, SubmitGang, Tier
from forebay.core.supply import blocks
from forebay.core.units import DAY_US, MICROS, SECOND_US
from tests.core import auditor, machine, plant
from tests.core.claims import market
from tests.core.claims.market import NORTH, STOCK, day
from tests.core.plant import EDGE, OPERATOR, T0, contract, spec

DAYS = range(-1, 90, 2)
PARTIES = st.sampled_from(["acme", "bravo"])

CLAUSES = st.none() | st.sampled_from(
    [
        None, *map(ShortfallTerms, claims.Serving), ShortfallTerms(before=("c-base",)),
        ShortfallTerms(after=("acme",)), ShortfallTerms(claims.Serving.LAST, before=("bravo",)),
    ]
)  # fmt: skip

tranches = st.fixed_dictionaries(
    {
        "count": st.integers(1, 3),
        "start": st.sampled_from([-2, 0, 0, 5, 10, 20, 30]),
        "lasts": st.sampled_from([4, 20, 40]),
        "unit": st.sampled_from([Unit.RACK, Unit.RACK, Unit.NODE]),
        "ramp": st.sampled_from([0, 0, 3]),
        "late": st.sampled_from([None, market.late(2, 5, longstop=6)]),
        "lent": st.booleans(),
        "accepted": st.sampled_from(
            [None, None, market.accepted(), market.accepted(deemed=2, of="committed", after=9)]
        ),
        "relief": st.sampled_from([(), (market.relieved(cap=4), market.relieved("change_order"))]),
        "choice": st.sampled_from(["", "", "north south", "south north", "region"]),
        "handed_over": st.sampled_from([False, False, True]),
        "shortfall": CLAUSES,
    }
)
grants = st.lists(st.sampled_from([*RightKind, RightKind.CALL, RightKind.EXTENSION]), max_size=2)
PLACE = st.integers(0, 9)
DESK = ids.CalendarId("desk")
NOTICES = st.none() | st.builds(workdays.DayNotice, st.integers(1, 4), st.just(DESK), st.booleans())


def desk(version: int, *holidays: int) -> workdays.BusinessCalendar:
    """A calendar in UTC, with one day off in the week beside those that are named."""
    return workdays.BusinessCalendar(
        DESK, version, "UTC", (workdays.Weekday.WEDNESDAY,), holidays, 17 * 3600, T0 // DAY_US + 1000,
        (workdays.Offset(0, 0),),
    )  # fmt: skip


#: The hall of the other site.
ELSEWHERE = ids.HallId("south-h1")


class Traders(RuleBasedStateMachine):
    """A seller, two customers, and a site that is late."""

    def __init__(self) -> None:
        super().__init__()
        self.driver = market.market(stands=4, comes=4, on=12)
        # Somewhere else to be, for what leaves a choice.
        hall = plant.hall(ELSEWHERE, plant.rack("s1", on="south-f1"), plant.rack("s2", on="south-f1"))
        self.driver.ask(supply.ApplySite(plant.site("south", (plant.feed("south-f1"),), (hall,))))
        self.names = 0

    def name(self, kind: str) -> str:
        self.names += 1
        return f"{kind}{self.names}"

    def ask(self, command: Command) -> None:
        outcome = self.driver.handle(command)
        assert not (isinstance(outcome.answer, Refusal) and outcome.events)

    def pick(self, found: list[Any], place: int) -> Any:
        return found[place % len(found)] if found else None

    @initialize(lent=st.booleans(), deemed=st.sampled_from([-1, 0, 2]), start=st.sampled_from([0, 0, 3]))
    def first(self, lent: bool, deemed: int, start: int) -> None:
        terms = None if deemed < 0 else market.accepted(deemed=deemed, after=1)
        plan = market.promise(
            "base",
            4,
            unit=Unit.NODE,
            start=start,
            lending=plant.LENT if lent else None,
            acceptance=terms,
            relief=(market.relieved(cap=4),),
            late=market.late(2, 5, longstop=6),
        )
        self.ask(workdays.ApplyBusinessCalendar(desk(1)))
        refusal = market.refusal("base-rofr", opens_at=day(2), expires_at=day(9))
        self.ask(market.sign(contract("c-base", "acme", plan, rights=(refusal,))))

    # Promises

    @rule(
        of=PARTIES, parts=st.lists(tranches, max_size=2), granted=grants, override=st.booleans(), held=PLACE,
        notice=NOTICES, clause=CLAUSES,
    )  # fmt: skip
    def sign(
        self, of: str, parts: list[dict[str, Any]], granted: list[RightKind], override: bool, held: int,
        notice: workdays.DayNotice | None, clause: ShortfallTerms | None,
    ) -> None:  # fmt: skip
        plans = tuple(self.tranche(part) for part in parts)
        given = tuple(self.right(kind, plans) for kind in granted)
        if notice is not None:
            given = tuple(each and replace(each, notice_s=0, notice=notice) for each in given)
        own = [name for name, hold in self.driver.world.state.claims.holds.items() if hold.tenant == of]
        by_hold = self.pick(["", *own], held)
        plan = contract(
            self.name("c"),
            of,
            *plans,
            rights=tuple(each for each in given if each),
            caps=(market.cap(money=40_000),),
            shortfall=clause,
        )
        self.ask(market.sign(plan, by_hold, "we dare" if override else ""))

    @rule(of=PARTIES, part=tranches, kept=PLACE)
    def ask_for(self, of: str, part: dict[str, Any], kept: int) -> None:
        """What is offered to somebody may be signed, but for a right that is named with it; and a tranche that leaves
        a choice would be where the quote says.
        """
        world, made = self.driver.world, self.tranche(part | {"ramp": 0})
        if world.state.claims.policy.shorting is claims.Shorting.NONE:
            # What is asked for has no clause that says when it is served.
            return
        claimed, supplied = world.state.claims, world.state.supply
        sites = {"north south": ("north", "south"), "south north": ("south", "north")}.get(part["choice"], ())
        start_at = max(made.start_at, self.driver.at)
        request = quotes.Request(
            (market.HGX,), made.count, made.end_at - made.start_at, start_at, made.unit,
            tuple(map(ids.SiteId, sites)), tenant=ids.TenantId(of), signed_at=self.driver.at,
        )  # fmt: skip
        offers = quotes.quote(claimed, supplied, world.calendar, request)
        for offer in offers[kept % 4 :: 4]:
            right = any(each.kind == "refusal" for each in offer.obstacles)
            term = {"site": offer.site, "start_at": offer.start_at, "end_at": offer.end_at}
            plan = plant.tranche("asked", made.count, unit=made.unit, **term)
            answer = world.fork().handle(
                Asked(market.sign(contract("asked", of, plan)), OPERATOR), self.driver.at
            )
            refused = answer.answer.code if isinstance(answer.answer, Refusal) else ""
            sure = offer.confidence in (blocks.Confidence.P90, claimed.policy.confidence)
            assert refused == ("first_refusal" if right else "") or not sure, (offer, answer.answer)
        there = quotes.nominee(claimed, supplied, world.calendar, request, claimed.policy.confidence)
        plan = plant.tranche(
            "asked", made.count, unit=made.unit, site=ids.SiteId(""), sites=sites or ("north", "south"),
            start_at=start_at, end_at=start_at + request.term_us,
        )  # fmt: skip
        fork = world.fork()
        answer = fork.handle(Asked(market.sign(contract("asked", of, plan)), OPERATOR), self.driver.at)
        assert isinstance(answer.answer, Refusal) is (there is None), (there, answer.answer)
        if there is not None:
            chosen = fork.state.claims.tranches[plan.id].plan
            assert (chosen.site, chosen.sku) == there

    @rule(
        of=PARTIES,
        part=tranches,
        ago_h=st.sampled_from([0, 0, 7, 24, 100]),
        delivered=st.integers(0, 3),
        taken=st.integers(0, 2),
        sold=st.booleans(),
    )
    def open_contract(
        self, of: str, part: dict[str, Any], ago_h: int, delivered: int, taken: int, sold: bool
    ) -> None:
        """A contract that runs already is taken in, often with less than it was promised."""
        plan = self.tranche(part | {"start": part["start"] - 6, "lasts": part["lasts"] + 6})
        today = (self.driver.at - T0) // DAY_US
        call = market.call(self.name("r"), expires_at=day(today + 8), cap=ids.CapId("cap"))
        refusal = market.refusal(
            self.name("r"), answer_s=30 * 86_400, opens_at=day(today - 9), expires_at=day(today + 9)
        )
        cutover_at = self.driver.at - ago_h * 3600 * SECOND_US
        due = claims.cutover.units_due(plan, cutover_at)
        life = rights.Life.EXERCISED if taken == call.racks_max else rights.Life.DORMANT
        stated = [claims.opening.OpenedRight(call.id, life, taken)]
        if sold:
            offer = claims.opening.OpenedOffer(
                ids.HoldId(self.name("h")), ids.TenantId("carol"), NORTH, market.HGX, 4, day(today + 10),
                day(today + 90), 2 * MICROS, cutover_at + 20 * DAY_US,
            )  # fmt: skip
            stated.append(claims.opening.OpenedRight(refusal.id, rights.Life.OFFERED, offer=offer))
        opening = claims.Opening(
            cutover_at,
            billed_micros=9 * MICROS,
            prepaid_micros=MICROS,
            tranches=(claims.opening.OpenedTranche(plan.id, min(delivered, due)),) if due else (),
            caps=(claims.opening.OpenedCap(ids.CapId("cap"), MICROS),) if taken else (),
            rights=tuple(stated),
        )
        caps = (market.cap(money=40_000),)
        signed = contract(self.name("c"), of, plan, rights=(call, refusal), caps=caps)
        self.ask(claims.SignContract(signed, opening=opening))

    @rule(
        place=PLACE, which=PLACE, part=tranches, after=st.sampled_from([0, 0, 2, 9]), override=st.booleans(),
        what=st.sampled_from(
            ["price", "end", "end", "more", "restate", "add", "grant", "regrant", "take back", "withdraw", "clause"]
        ),
    )  # fmt: skip
    def amend(
        self, place: int, which: int, part: dict[str, Any], after: int, override: bool, what: str
    ) -> None:
        """A new version of a contract: another price, end, number or date, a tranche or a right more, a right on
        other terms or none, less spot.
        """
        state = self.driver.world.state.claims
        last = state.versions[self.pick(list(state.versions), place)][-1].plan
        effective_at = self.driver.at + after * DAY_US if after else 0
        made = self.tranche(part)
        tranches, granted = list(last.tranches), list(last.rights)
        if what == "add":
            tranches.append(made)
        elif what == "grant":
            right = self.right(list(RightKind)[which % len(RightKind)], last.tranches)
            granted += [right] if right else []
        elif what in ("regrant", "take back") and granted:
            right = granted.pop(which % len(granted))
            granted += [self.regranted(right, part)] if what == "regrant" else []
        elif tranches:
            place = which % len(tranches)
            tranches[place] = self.changed(tranches[place], made, what, effective_at or self.driver.at)
        plan = replace(
            last, version=last.version + 1, effective_at=effective_at, tranches=tuple(tranches),
            rights=tuple(granted), spot=last.spot and what != "withdraw",
            shortfall=part["shortfall"] if what == "clause" else last.shortfall,
        )  # fmt: skip
        self.ask(market.sign(plan, "", "we dare" if override else ""))

    def regranted(self, old: RightPlan, part: dict[str, Any]) -> RightPlan:
        """Another number, length, window and price."""
        today = (self.driver.at - T0) // DAY_US
        return replace(
            old, racks_max=part["count"] if old.racks_max else 0, racks_min=1,
            term_s=part["lasts"] * 86_400 if old.term_s else 0,
            opens_at=day(today + part["start"]) if old.opens_at else 0,
            expires_at=day(today + part["start"] + part["lasts"]) if old.expires_at else 0,
            price_micros_per_gpu_hour=MICROS,
        )  # fmt: skip

    def changed(
        self, old: claims.TranchePlan, made: claims.TranchePlan, what: str, since: int
    ) -> claims.TranchePlan:
        match what:
            case "price":
                step = claims.PriceStep(since + 3 * DAY_US, 1_500_000, None, 700_000)
                steps = [step] if old.start_at < step.at < old.end_at else []
                return replace(
                    old, price_micros_per_gpu_hour=1_000_000, price_steps=tuple(steps), late=made.late
                )
            case "end":
                return replace(old, end_at=made.end_at, price_steps=())
            case "more":
                due = old.deliveries or (claims.Delivery(old.start_at, old.count),)
                more = claims.Delivery(since + DAY_US, 1)
                return replace(old, deliveries=(*due, more), count=old.count + 1)
            case "restate":
                return replace(made, id=old.id)
            case "clause":
                return replace(old, shortfall=made.shortfall)
            case _:
                return replace(old, lending=None)

    def tranche(self, part: dict[str, Any]) -> claims.TranchePlan:
        today = (self.driver.at - T0) // DAY_US
        start = today + part["start"]
        count, ramp = part["count"], part["ramp"]
        deliveries: tuple[claims.Delivery, ...] = ()
        if ramp and count > 1:
            deliveries = (claims.Delivery(day(start), 1), claims.Delivery(day(start + ramp), count - 1))
        return market.promise(
            self.name("t"), count, start=start, end=start + part["lasts"], unit=part["unit"], late=part["late"],
            deliveries=deliveries, lending=plant.LENT if part["lent"] else None, acceptance=part["accepted"],
            relief=part["relief"], shortfall=part["shortfall"], **self.further(part),
        )  # fmt: skip

    def further(self, part: dict[str, Any]) -> dict[str, Any]:
        """A choice of where it is, and who schedules its work."""
        choice = part["choice"]
        told: dict[str, Any] = {"site": "" if choice else NORTH}
        if choice == "region":
            told["region"] = "nordics"
        else:
            told["sites"] = tuple(map(ids.SiteId, choice.split()))
        if part["handed_over"]:
            told["operation"] = claims.Operation.HANDED_OVER
        return told

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
                counts = list(rights.Unsold)[self.names % 2]
                return market.backstop(name, measure_at=day(today + 2), cap=ids.CapId("cap"), unsold=counts)
            case RightKind.EXTENSION:
                return market.extension(name, of=plans[0].id, notice_s=86_400) if plans else None
            case _:
                ends = {"ends_order": True} if len(plans) > 1 else {"first_ends_rest": True}
                return market.termination(name, of=plans[-1].id, **ends) if plans else None

    @rule(holidays=st.sets(st.integers(0, 40), max_size=6))
    def another_calendar(self, holidays: set[int]) -> None:
        """Notices that begin later are counted by it; offers that are open keep theirs."""
        known = self.driver.world.state.claims.calendars[DESK]
        off = sorted(T0 // DAY_US + each for each in holidays)
        self.ask(workdays.ApplyBusinessCalendar(desk(known.version + 1, *off)))

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

    @rule(place=PLACE, site=st.sampled_from(["north", "south"]))
    def nominate(self, place: int, site: str) -> None:
        """What leaves a choice is put elsewhere."""
        plans = [each.plan for each in self.driver.world.state.claims.tranches.values()]
        plan = self.pick([each for each in plans if claims.nomination.has_choice(each)] or plans, place)
        self.ask(claims.NominateTranche(plan.id, ids.SiteId(site), plan.sku))

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

    # What is handed over

    @rule(place=PLACE, ago_h=st.sampled_from([0, 0, 5]), count=st.integers(1, 3))
    def ready(self, place: int, ago_h: int, count: int) -> None:
        names = [
            name for name, held in self.driver.world.state.claims.tranches.items() if held.plan.acceptance
        ]
        if names:
            since = self.driver.at - ago_h * 3600 * SECOND_US
            name = self.pick(names, place)
            self.ask(replace(market.ready(count, name), effective_at=since))

    @rule(place=PLACE, ago_h=st.sampled_from([0, 0, 0, 5]), accepts=st.sampled_from([True, True, False]))
    def answer(self, place: int, ago_h: int, accepts: bool) -> None:
        self.ready(place, ago_h, 1 + place % 2)
        open_ = [
            (name, part.notice)
            for name, held in self.driver.world.state.claims.tranches.items()
            for part in held.parts
            if part.life is PartLife.READY
        ]
        if open_:
            name, notice = self.pick(open_, place)
            said = market.accept(notice, name) if accepts else market.reject(notice, name)
            self.ask(replace(said, effective_at=self.driver.at - ago_h * 3600 * SECOND_US))

    @rule(
        place=PLACE, ago=st.integers(0, 3), lasts=st.integers(1, 6), kind=st.sampled_from(claims.ReliefKind)
    )
    def held_up(self, place: int, ago: int, lasts: int, kind: claims.ReliefKind) -> None:
        today = (self.driver.at - T0) // DAY_US
        name = self.pick(list(self.driver.world.state.claims.tranches), place)
        self.ask(market.held_up(today - ago, today - ago + lasts, kind.value, name))

    @rule(
        shorting=st.sampled_from(list(claims.Shorting)),
        grace=st.sampled_from([0, 86_400, 5 * 86_400]),
        named=PLACE,
        kept=st.sampled_from([Spares.NONE, Spares.NONE, Spares.RACK, Spares.FEED]),
    )
    def policy(self, shorting: claims.Shorting, grace: int, named: int, kept: Spares) -> None:
        known = list(self.driver.world.state.claims.contracts)
        protected = (known[named],) if named < len(known) else ()
        market.policy(self.driver, shorting=shorting, notice_grace_s=grace, protected=protected, spares=kept)

    @rule(place=PLACE)
    def by_hand(self, place: int) -> None:
        """One rack's shortfall is given to another tranche, or the same is agreed."""
        recorded = self.driver.world.state.claims.shorts.get(STOCK, ())
        names = list(self.driver.world.state.claims.tranches)
        moved = [replace(each) for each in recorded]
        if moved and place % 2:
            moved[0] = Short(self.pick(names, place), moved[0].nodes, moved[0].start_at, moved[0].end_at)
        self.ask(market.allocate(*moved))

    @rule(which=PLACE, to=PLACE, moves=st.booleans())
    def rebind(self, which: int, to: int, moves: bool) -> None:
        """A plan gives a tranche the racks from one on, if they are its to have."""
        state = self.driver.world.state
        held = [each for each in state.claims.tranches.values() if each.runs and not each.ended_at]
        tranche = self.pick(held, which)
        if tranche is not None:
            size = claims.nodes_bound(tranche)
            version = claims.rebinding.version(state.claims, state.supply, STOCK)
            wanted = claims.Rebinding(tranche.plan.id, ((4 * to, size),))
            self.ask(claims.ProposeBinding(*STOCK, version, (wanted,), size * moves))

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
        over = overdrawn.overdrawn(overdrawn.overdrafts(world.state.claims, world.calendar, STOCK, world.now))
        for n in DAYS:
            for at in (day(n), day(n) + 7 * 3600 * SECOND_US):
                taken, left = sum(book.encumbered(at)), book.supply(at) - sum(book.promised(at))
                assert encumbered.at(at) == taken, n
                assert available.at(at) == left - taken - book.kept(at), n
                if at >= world.now:
                    assert over.at(at) == max(0, taken - max(0, left)), n

    @invariant()
    def nobody_has_more_than_is_due(self) -> None:
        world = self.driver.world
        for tranche in world.state.claims.tranches.values():
            if tranche.standing is not claims.Standing.ENDED:
                due = claims.contracts.nodes_due(tranche.plan, world.state.supply, self.driver.at)
                assert claims.nodes_bound(tranche) <= due

    @invariant()
    def lateness_is_that_of_every_day(self) -> None:
        world = self.driver.world
        for tranche in world.state.claims.tranches.values():
            if tranche.plan.acceptance is None and not tranche.reliefs:
                continue
            found = lateness.lateness(world.state.claims, world.state.supply, tranche, self.driver.at)
            for n in DAYS:
                at = day(n) + 7 * 3600 * SECOND_US
                told = sum(each.nodes for each in found.late if each.start_at <= at < each.end_at)
                if at < self.driver.at:
                    assert told == nodes_late(world, tranche, at), n

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
        #: Where each tranche is.
        self.where: dict[str, str] = {}
        self.ended: dict[str, int] = {}
        self.holds: dict[str, claims.Hold] = {}
        #: Calls and extensions that may still be used, and the racks that were called.
        self.rights: dict[str, RightPlan] = {}
        self.called: dict[str, int] = {}
        #: Their terms to come: of which contract, from which version on.
        self.to_come: dict[str, list[tuple[str, int, RightPlan]]] = {}
        self.desk = desk(0)
        self.spares = Spares.NONE
        for at, event in events:
            self.take(event, at)

    def take(self, event: Event, at: int) -> None:
        match event:
            case supply.RackAdded() if event.hall != ELSEWHERE:
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
                self.where |= {plan.id: plan.site for plan in event.plan.tranches}
                self.where |= {each.tranche: each.site for each in event.nominations}
                self.rights |= {right.id: right for right in event.plan.rights}
            case claims.ContractOpened():
                for stated in event.opening.rights:
                    self.called[stated.right] = stated.racks
                    if claims.opening.is_over(stated):
                        del self.rights[stated.right]
            case claims.ContractAmended():
                self.tranches |= {plan.id: plan for plan in event.tranches}
                self.where |= {plan.id: plan.site for plan in event.tranches}
                self.rights |= {right.id: right for right in event.rights}
                for right in event.regranted:
                    self.to_come.setdefault(right.id, []).append((event.plan.id, event.plan.version, right))
            case claims.AmendmentTookEffect():
                self.take_effect(event.contract, event.version)
            case claims.contracts.TrancheAdded():
                self.tranches[event.plan.id] = event.plan
                self.where[event.plan.id] = event.plan.site
            case claims.TrancheNominated():
                self.where[event.tranche] = event.site
            case claims.TrancheEnded():
                self.ended[event.tranche] = at
            case workdays.BusinessCalendarApplied():
                self.desk = event.calendar
            case claims.PromisePolicyApplied():
                self.spares = event.policy.spares
            case claims.CapacityHeld():
                self.holds[event.hold.id] = event.hold
            case claims.HoldReleased():
                del self.holds[event.hold]
            case rights.RightExercised():
                plan = self.rights[event.right]
                self.called[event.right] = self.called.get(event.right, 0) + event.racks
                whole = plan.kind is RightKind.EXTENSION or self.called[event.right] >= plan.racks_max
                if plan.kind is not RightKind.REFUSAL and whole:
                    del self.rights[event.right]
            case rights.RightWaived() | rights.RightLapsed() if not event.hold:
                del self.rights[event.right]

    def take_effect(self, contract: str, version: int) -> None:
        for name in [name for name in self.to_come if name in self.rights]:
            for of, since, plan in self.to_come[name]:
                if of == contract and since <= version:
                    self.rights[name] = plan
            self.to_come[name] = [
                each for each in self.to_come[name] if each[0] != contract or each[1] > version
            ]
            plan = self.rights[name]
            if plan.kind is RightKind.CALL and self.called.get(name, 0) >= plan.racks_max:
                del self.rights[name]

    def supply(self, at: int) -> int:
        comes = sum(racks for block, racks in self.comes.items() if self.dates[f"{block}-ready"] <= at)
        return 4 * (self.racks + comes)

    def kept(self, at: int) -> int:
        # All racks that stand are on one feed.
        kept = {Spares.NONE: 0, Spares.RACK: 4, Spares.FEED: 4 * max(1, self.racks)}[self.spares]
        return min(kept, self.supply(at))

    def notice_ends(self, plan: RightPlan, at: int) -> int:
        """As somebody finds it who turns the pages of a calendar in UTC."""
        if plan.notice is None:
            return at + plan.notice_s * SECOND_US
        page = at // DAY_US
        if at % DAY_US >= self.desk.closes_s * SECOND_US or not self.works(page):
            page += 1
        while not self.works(page):
            page += 1
        left = plan.notice.days
        while left or not self.works(page):
            page += 1
            left -= bool(left) and (self.works(page) or not plan.notice.business)
        return page * DAY_US + self.desk.closes_s * SECOND_US

    def works(self, page: int) -> bool:
        date = datetime.date(1970, 1, 1) + datetime.timedelta(page)
        return date.strftime("%A").lower() not in self.desk.weekend and page not in self.desk.holidays

    def promised(self, at: int) -> Iterator[int]:
        for name, plan in self.tranches.items():
            if self.where[name] == NORTH and at < min(plan.end_at, self.ended.get(name, plan.end_at)):
                parts = plan.deliveries or (claims.Delivery(plan.start_at, plan.count),)
                each = 4 if plan.unit is Unit.RACK else 1
                yield each * sum(part.count for part in parts if part.at <= at)

    def encumbered(self, at: int) -> Iterator[int]:
        for hold in self.holds.values():
            yield hold.nodes if hold.start_at <= at < hold.end_at else 0
        for name, now in self.rights.items():
            terms = [now, *(plan for _, _, plan in self.to_come.get(name, ()))]
            yield max(self.may_take(name, plan, at) for plan in terms)

    def may_take(self, name: str, plan: RightPlan, at: int) -> int:
        term_us = plan.term_s * SECOND_US
        if plan.kind is RightKind.CALL:
            opens_at, closes_at = (self.notice_ends(plan, each) for each in (plan.opens_at, plan.expires_at))
            return (
                4 * (plan.racks_max - self.called.get(name, 0)) if opens_at <= at < closes_at + term_us else 0
            )
        if plan.kind is RightKind.EXTENSION and plan.tranche not in self.ended:
            of = self.tranches[plan.tranche]
            here = self.where[plan.tranche] == NORTH and of.end_at <= at < of.end_at + term_us
            return of.count * (4 if of.unit is Unit.RACK else 1) if here else 0
        return 0


def nodes_late(world: Any, tranche: claims.Tranche, at: int) -> int:
    """Nodes of a tranche that were late at an instant that has passed: due by then as dates were moved, less what was
    accepted by then; or, more of them, short of what is due.
    """
    plan, name = tranche.plan, tranche.plan.id
    if at >= min(plan.end_at, tranche.ended_at or plan.end_at):
        return 0
    each = 4 if plan.unit is Unit.RACK else 1
    due = moved = 0
    for delivery in plan.deliveries or (claims.Delivery(plan.start_at, plan.count),):
        due += delivery.count * each * (delivery.at <= at)
        to = delivery.at
        covered: set[int] = set()
        for relief in sorted(tranche.reliefs, key=lambda relief: relief.start_at):
            if to >= relief.start_at:
                days = set(range(relief.start_at, relief.granted_until_at, DAY_US)) - covered
                covered |= days
                to += len(days) * DAY_US
        moved += delivery.count * each * (to <= at)
    recorded = world.state.claims.shorts.get(STOCK, ())
    short = sum(s.nodes for s in recorded if s.tranche == name and s.start_at <= at < s.end_at)
    late = max(0, short - (due - moved))
    if plan.acceptance is None:
        return int(late)
    accepted = sum(
        part.quantity * each
        for part in tranche.parts
        if 0 < (part.answered_at if part.life is PartLife.ACCEPTED else part.deemed_at) <= at
        and part.life is not PartLife.REJECTED
    )
    return int(max(late, moved - accepted))
