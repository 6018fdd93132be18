"""The World: one pure state machine, from the substation to the invoice. Read this first.

A *command* goes in (asked of us, or a fact reported to us); *events* come out (recorded, past tense), with *effects*
(desired state for an edge) and an answer, or a *refusal* by value. `handle` and `wake` decide; each event passes at
once through `apply`, the only mutator, live and on replay. There is no clock here: time comes in as `at`, integer
microseconds since the Unix epoch, and never decreases.

    supply  ->  claims  ->  placements  ->  usage  ->  money
    what exists   who may use   what runs     what was   what it
    and when      how much,     where         delivered  is worth
                  until when

Each stage owns one state object and sees only the stages to its left. What a later stage does about an earlier one's
event stands here, in `apply`, in that order. What follows from the state (the index of free capacity, the queue, the
heaps of due times) is derived: it is never stored, and `restore` makes it again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, get_args

from forebay.core import claims, learned, money, permissions, supply, usage
from forebay.core.claims import (
    acceptance,
    amendments,
    binding,
    dealings,
    effective,
    exercise,
    handover,
    prices,
    rebinding,
    refusals,
    renomination,
    rented_dues,
    rights,
    shortfall,
    signing,
    workdays,
)
from forebay.core.claims.calendar import Calendar, Stock, stock_of
from forebay.core.digests import body_digest
from forebay.core.ids import (
    Answer,
    Asked,
    Command,
    Effect,
    Event,
    FeedId,
    GangId,
    MilestoneId,
    Outcome,
    Principal,
    Refusal,
    Role,
    SiteId,
    TrancheId,
    refuse_name,
)
from forebay.core.placements import (
    arrays,
    campaigning,
    campaigns,
    checking,
    checkpoints,
    datasets,
    divisions,
    downtimes,
    enacting,
    ended,
    explain,
    foreign,
    heartbeats,
    hosts,
    ordering,
    previews,
    projects,
    schedule,
    sharing,
    shedding,
    sheddings,
    silence,
    upkeep,
    upstream,
)
from forebay.core.placements import gang as gangs
from forebay.core.placements import state as placing
from forebay.core.placements.at_work import AtWork
from forebay.core.placements.commons import TenantsWeighed
from forebay.core.placements.substitutes import same_as_asked
from forebay.core.supply import blocks, together
from forebay.core.supply import schedule as plans
from forebay.core.timeline import INSTANT_MAX, Due, Interval, first_meant
from forebay.core.units import DAY_US

#: How long an idempotency key is remembered.
KEY_WINDOW_US = DAY_US
#: Later than any instant.
NEVER = INSTANT_MAX + 1


@dataclass(slots=True)
class OpenWorld(Command):
    """Begin: the first command of every journal. The name prefixes the ids that this World makes."""

    name: str


@dataclass(slots=True)
class WorldOpened(Event):
    """A journal begins."""

    name: str


@dataclass(slots=True)
class KeyUsed(Event):
    """A command with this idempotency key was answered, whether it changed anything or not: asked again, it answers
    the same. One that was refused uses no key.
    """

    #: Whose key it is: the tenant's, or the actor's where there is none.
    scope: str
    key: str
    #: Digest of the command's body: the same key with another body is refused.
    body: str
    answer: dict[str, Any]


@dataclass(slots=True)
class KeyedAnswer:
    """What a key was used for."""

    at: int
    body: str
    answer: dict[str, Any]


@dataclass(slots=True)
class WorldState:
    """All that is recorded: what a snapshot holds."""

    #: Raised when `apply` comes to mean something else: snapshots of the older meaning are not used.
    FOLD: ClassVar[int] = 1

    name: str = ""
    now: int = 0
    seq: int = 0
    #: (scope, key) -> answer, in the order they were used.
    keys: dict[tuple[str, str], KeyedAnswer] = field(default_factory=dict)
    supply: supply.State = field(default_factory=supply.State)
    claims: claims.State = field(default_factory=claims.State)
    placements: placing.State = field(default_factory=placing.State)
    usage: usage.State = field(default_factory=usage.State)
    money: money.State = field(default_factory=money.State)


NOBODY: frozenset[Role] = frozenset()
#: By a name of its own: to read a member of an enum takes ten times as long.
_TENANT = Role.TENANT
#: Who may ask for what.
MAY: dict[type[Command], frozenset[Role]] = {
    OpenWorld: frozenset({Role.OPERATOR}),
    **permissions.ALLOWED,
}


#: What is decided about work and nodes alone: most of what is ever asked.
WORK: dict[type[Command], Callable[[schedule.Desk, Any], Answer | Refusal]] = {
    gangs.ReportGangStarted: schedule.report_started,
    gangs.ReportGangEnded: schedule.report_ended,
    checkpoints.ReportCheckpoint: schedule.report_checkpoint,
    gangs.CancelGang: lambda desk, command: arrays.cancel_any(desk, command.gang),
    gangs.ApplyPolicy: lambda desk, command: enacting.apply_policy(desk, command.policy),
    projects.ApplyProjects: divisions.apply_projects,
    supply.storage.ApplyStorage: datasets.apply_storage,
    **upkeep.DECIDED,
    **shedding.CURTAILING,
    **campaigning.DECIDED_CAMPAIGNS,
    **silence.ENGINE_DECIDED,
}


#: What an engine is told at once.
_TOLD: frozenset[type[Event]] = frozenset({gangs.GangPlaced, gangs.GangStopping, heartbeats.EngineHeard})


class World:
    """Everything forebay knows, and the only code that changes it."""

    STATE = WorldState

    def __init__(self, state: WorldState | None = None) -> None:
        self.state = state or WorldState()
        self._events: list[Event] = []
        self._effects: list[Effect] = []
        self._seen_at = 0
        self._derive()

    @classmethod
    def restore(cls, state: WorldState) -> World:
        """A World from a snapshot's state; everything derived is made again."""
        return cls(state)

    def fork(self) -> World:
        """A copy for a what-if: containers are its own, records are shared and never changed in place."""
        own = self.state
        return World(
            WorldState(
                own.name, own.now, own.seq, own.keys.copy(), own.supply.fork(), own.claims.fork(),
                own.placements.fork(), own.usage.fork(), own.money.fork(),
            )
        )  # fmt: skip

    def _derive(self) -> None:
        state = self.state
        self._held = placing.derive_held(state.placements)
        self._placed: placing.Derived | None = None
        self._made_desk: schedule.Desk | None = None
        self._calendar: Calendar | None = None
        self._claim_dues = claims.dues(state.claims)
        self._money_dues = money.dues_of_books(self._books())
        #: What `next_wake` found, kept until the next event; and of it what is not about a gang, kept until the next
        #: event that is not: those are rare. None where it has to be found anew.
        self._due_next: int | None = None
        self._due_beside: int | None = None

    @property
    def placed(self) -> placing.Derived:
        """What is free and who waits: made at the first question, for a fold asks none, and then kept up."""
        if self._placed is None:
            state = self.state
            self._placed = placing.derive(state.placements, state.supply, state.claims, self._held)
        return self._placed

    @property
    def calendar(self) -> Calendar:
        """What is there, promised and left over time: made at the first question, and then kept up."""
        if self._calendar is None:
            self._calendar = Calendar(self.state.supply, self.state.claims)
        return self._calendar

    @property
    def now(self) -> int:
        """Time of the last record, microseconds since the Unix epoch."""
        return self.state.now

    @property
    def seq(self) -> int:
        """Sequence of the last event."""
        return self.state.seq

    # 1. A command is handled: who may, whether it was handled before, then the stage it belongs to.

    def handle(self, asked: Asked, at: int) -> Outcome:
        """Decide about one command at `at` (not before `now`). Events are applied when it returns."""
        own = self.state
        assert at >= own.now, "time never decreases"
        command, by = asked.command, asked.by
        kind = type(command)
        if by.role not in MAY.get(kind, NOBODY) or not own.name or kind is OpenWorld:
            refusal = self._refuse(command, by)
            if refusal is not None:
                return self._outcome(refusal)
        if asked.key:
            known = own.keys.get((key_scope(by), asked.key))
            if known is not None and known.at + KEY_WINDOW_US > at:
                return self._outcome(_again(known, asked))
        desk, calendar = self._made_desk, self._calendar
        if desk is None or calendar is None:
            # The calendar is made before anything changes, for it follows the events.
            desk, calendar = self._desk(at), self.calendar
        desk.at = at
        if by.role is _TENANT:
            not_own = foreign.refuse_foreign(own.placements, own.claims, command, by)
            if not_own is not None:
                return self._outcome(not_own)
        # Work is most of what is ever asked: it is looked up, all else is searched for.
        about_work = WORK.get(kind)
        answer = self._decide(asked, desk) if about_work is None else about_work(desk, command)
        if not isinstance(answer, Refusal):
            if calendar.touched or calendar.signed:
                self._share(calendar, effective.since_when(command, at), at)
            placed = desk.derived
            if desk.state.campaigns:
                campaigning.follow(desk)
            if placed.stirred or placed.arrivals or placed.backoff or placed.kept:
                ordering.run_pass(desk)
            if about_work is None and isinstance(command, claims.SignContract) and answer["signed"]:
                answer["tranches"] = signing.bound_runs(self.state.claims, command.plan)
            if asked.key:
                # Also where nothing changed: asked again, it must answer the same, and stand for nothing else.
                self._emit(KeyUsed(key_scope(by), asked.key, body_digest(command), answer), at)
        return self._outcome(answer)

    def _refuse(self, command: Command, by: Principal) -> Refusal | None:
        """Refusals that come before every other: forbidden, already_open, bad_id (of the World), not_open."""
        if by.role not in MAY.get(type(command), NOBODY):
            return Refusal("forbidden", f"{type(command).__name__} is not for the role {by.role}")
        if isinstance(command, OpenWorld):
            if self.state.name:
                return Refusal("already_open", "this journal has begun already")
            return refuse_name(command.name, "name")
        return Refusal("not_open", "this journal has not begun: open it first")

    def _decide(self, asked: Asked, desk: schedule.Desk) -> Answer | Refusal:
        command = asked.command
        if isinstance(command, (gangs.SubmitGang, gangs.SubmitArray)):
            return self._submit(command, desk)
        state, emit, at = self.state, desk.emit, desk.at
        about_money = money.DECIDED_MONEY.get(type(command))
        if about_money is not None:
            return about_money(self._books(), command, asked.by, at, emit)
        beside = dealings.decide_dealing(state.claims, state.supply, command, at, emit)
        if beside is not None:
            return beside
        match command:
            case OpenWorld():
                emit(WorldOpened(command.name))
                return {"world": command.name}
            case supply.ApplyCatalogue():
                return supply.apply_catalogue(state.supply, command, emit)
            case supply.ApplySite() if command.schedule is not None:
                return together.apply_both(state.supply, command, self._held_by(at), at, emit)
            case supply.ApplySite():
                return supply.apply_site(state.supply, command, self._held_by(at), emit)
            case blocks.ApplySchedule():
                return plans.apply_schedule(state.supply, command, at, emit)
            case blocks.ReportForecast():
                return plans.report_forecast(state.supply, command, emit)
            case blocks.ReportReached():
                return plans.report_reached(state.supply, command, at, emit)
            case blocks.RecordForecast():
                return plans.record_forecast(state.supply, command, emit)
            case claims.ApplyPromisePolicy():
                return signing.apply_promise_policy(state.claims, command.policy, emit)
            case workdays.ApplyBusinessCalendar():
                return workdays.apply_business_calendar(state.claims.calendars, command, emit)
            case claims.AllocateShortfall():
                answer = shortfall.allocate(state.claims, state.supply, self.calendar, command, at, emit)
                if not isinstance(answer, Refusal):
                    # Racks that are not handed over yet are bound as was agreed.
                    self.calendar.touched.add(Stock(command.site, command.sku))
                return answer
            case claims.ProposeBinding():
                return self._rebind(command, desk)
            case claims.NominateTranche():
                return renomination.nominate_tranche(state.claims, state.supply, command, at, emit)
            case claims.HoldCapacity():
                return signing.hold_capacity(state.claims, state.supply, self.calendar, command, at, emit)
            case claims.ReleaseHold():
                return signing.release_hold(state.claims, command.hold, emit)
            case rights.OfferSale():
                return refusals.offer_sale(state.claims, self.calendar, command, at, emit)
            case rights.WaiveRight():
                return exercise.waive(state.claims, command, at, emit)
            case rights.ExerciseRight():
                answer = exercise.exercise(state.claims, state.supply, self.calendar, command, at, emit)
                if not isinstance(answer, Refusal):
                    for name in answer.get("ended", ()):
                        schedule.end_tranche(desk, TrancheId(name))
                return answer
            case prices.PublishIndex():
                billed = usage.closed_periods(state.usage)
                return prices.publish(state.claims.indices, command, billed, at, emit)
            case claims.SignContract() if amendments.is_amendment(state.claims, command.plan):
                since = state.usage.period_start
                return amendments.amend(state.claims, state.supply, self.calendar, command, since, at, emit)
            case claims.SignContract():
                return self._sign(command, desk)
        raise AssertionError(f"{type(command).__name__} may be asked and is not decided")

    def _sign(self, command: claims.SignContract, desk: schedule.Desk) -> Answer | Refusal:
        state, emit, at = self.state, desk.emit, desk.at
        answer = signing.sign(state.claims, state.supply, self.calendar, command, at, emit)
        if not isinstance(answer, Refusal) and answer["signed"]:
            if command.opening is not None:
                money.open_books(state.money, command.plan, command.opening, emit)
            for plan in command.plan.tranches:
                if plan.start_at <= at:
                    schedule.take_over(desk, state.claims.tranches[plan.id].runs)
        return answer

    def _held_by(self, at: int) -> Callable[[FeedId], int]:
        """What a feed must be able to carry: what it does, with what is reserved now, or is promised for later."""
        index, held = self.placed.index, self.state.claims.tranches.values()
        plans = [(tranche.plan, tranche.runs) for tranche in held]
        promised = claims.promised_w(plans, self.state.supply, Interval(at, INSTANT_MAX))

        def held_w(feed: FeedId) -> int:
            level = index.plant.level_of_feed[feed]
            later_w = index.plant.level_base_w[level] + promised.get(supply.PowerLevel("feed", feed), 0)
            return max(index.load_w[level] + index.reserved_w[level], later_w)

        return held_w

    def _submit(self, command: gangs.SubmitGang | gangs.SubmitArray, desk: schedule.Desk) -> Answer | Refusal:
        """Money first: work that nobody could bill is not taken in."""
        spec = command.spec
        placed = self.state.placements
        if isinstance(command, gangs.SubmitArray):
            if command.again and arrays.same_array(placed, command):
                return {"gang": spec.id, "gangs": len(command.indices), "changed": False}
        elif command.again and spec.id in placed.gangs and same_as_asked(placed.gangs[spec.id].spec, spec):
            return {"gang": spec.id, "changed": False}
        made_id = GangId(f"{self.state.name}-g{self.state.seq + 1}")
        kinds = [each.sku for each in spec.skus] or [spec.sku]
        for sku in kinds if spec.tier is not gangs.Tier.DEDICATED else ():
            if sku not in self.state.supply.skus:
                continue
            contract = claims.contract_for(self.state.claims, spec.tenant, spot=spec.tier is gangs.Tier.SPOT)
            if contract is not None:
                no = money.refuse_unpriced(self.state.money, self.state.usage, contract, spec.tier, sku)
                if no is not None:
                    return no
        if isinstance(command, gangs.SubmitArray):
            return arrays.submit_array(desk, command)
        return schedule.submit(desk, spec, made_id)

    def _rebind(self, command: claims.ProposeBinding, desk: schedule.Desk) -> Answer | Refusal:
        """Nodes change hands by a plan: in a tranche whose term runs, work moves with them."""
        state, at = self.state, desk.at
        changes: list[claims.TrancheRebound] = []

        def emit(event: Event) -> None:
            assert isinstance(event, claims.TrancheRebound)
            changes.append(event)
            self._emit(event, at)

        answer = rebinding.rebind(state.claims, state.supply, command, self.work(), at, emit)
        schedule.move_over(desk, changes)
        return answer

    # 2. Time passes: what fell due is done, in order of (due, stage, id).

    def next_wake(self) -> int | None:
        """When something falls due next; it may be earlier than `now`, and is then due at once."""
        found = self._due_next
        if found is None:
            beside = self._due_beside
            if beside is None or beside < self.state.now:
                looked = (self._due_supply(), self._due_claim(), self._due_money())
                beside = self._due_beside = min((due.at for due in looked if due is not None), default=NEVER)
            gang = placing.first_due(self._placed or self.placed, self.state.placements)
            found = beside if gang is None or beside < gang.at else gang.at
            power = self._due_power()
            self._due_next = found = found if power is None else min(found, power.at)
        return None if found == NEVER else found

    def wake(self, at: int, seen_at: int = 0) -> Outcome:
        """Do everything that is due by `at` (not before `now`). `seen_at` is what the clock shows, when it is later:
        what fell due while nobody looked is done at its own time.
        """
        assert at >= self.now, "time never decreases"
        self._seen_at = max(at, seen_at)
        self._due_next = self._due_beside = None
        calendar, since, moved = self.calendar, at, False
        while True:
            looked = (
                self._due_supply(), self._due_claim(), self._due_power(), self._due_gang(), self._due_money(),
            )  # fmt: skip
            stages = [
                (due.at, stage, due) for stage, due in enumerate(looked) if due is not None and due.at <= at
            ]
            if not stages:
                break
            due_at, stage, due = min(stages)
            if stage == 0:
                # A date of supply that passed while nobody looked counts from when it passed.
                since, moved = min(since, due_at), True
            elif moved:
                # Who goes short of it is known before a term begins, and somebody has what others miss.
                self._share(calendar, since, at)
                moved = False
            wakes = (self._wake_supply, self._wake_claim, self._wake_power, self._wake_gang, self._wake_money)
            wakes[stage](due, at)
        self._share(calendar, since, at)
        campaigning.follow(self._desk(at))
        ordering.run_pass(self._desk(at))
        return self._outcome({})

    def _due_supply(self) -> Due | None:
        found = self.calendar.next_expected() if self.state.supply.schedules else None
        return None if found is None else Due(found[0], found[1], found[2], 0)

    def _due_claim(self) -> Due | None:
        def meant(due: Due) -> bool:
            # A delivery leaves no record of its own: one that lies behind us was looked at, also before a restart.
            passed = due.what == "tranche_delivery" and due.at < self.now
            return not passed and claims.meant(self.state.claims, due)

        return first_meant(self._claim_dues, meant)

    def _due_power(self) -> Due | None:
        state = self.state
        found = shedding.power_due(state.supply, state.placements, self._placed or self.placed)
        if state.placements.campaigns or state.placements.engines.known:
            found = silence.or_beside(found, state.placements)
        return datasets.copy_due(state.supply, found) if state.supply.storage.copying else found

    def _wake_power(self, due: Due, at: int) -> None:
        if due.what == "copy":
            datasets.wake_copy(self._desk(at))
        else:
            silence.wake_beside(self._desk(at), due)

    def _due_gang(self) -> Due | None:
        return placing.first_due(self.placed, self.state.placements)

    def _due_money(self) -> Due | None:
        return first_meant(self._money_dues, lambda due: money.meant_by_books(self._books(), due))

    def _wake_supply(self, due: Due, at: int) -> None:
        outlook = self.calendar.outlook(SiteId(due.what))
        assert outlook is not None, "what falls due is planned"
        plans.overdue(outlook, MilestoneId(due.about), at, lambda event: self._emit(event, at))

    def _wake_claim(self, due: Due, at: int) -> None:
        self._claim_dues.pop()
        state = self.state

        def emit(event: Event) -> None:
            self._emit(event, at)

        if due.what in ("deadline", "measure"):
            exercise.fall_due(state.claims, state.supply, self.calendar, due, self._seen_at, emit)
            return
        if due.what == "acceptance":
            handover.stay_silent(state.claims, due, self._seen_at, at, emit)
            return
        if due.what.startswith(rented_dues.PREFIX):
            rented_dues.fall_due_rented(state.claims, state.supply, due, self._seen_at, at, emit)
            return
        tranche = TrancheId(due.about)
        if due.what == "billing":
            emit(acceptance.BillingStarted(tranche, due.stamp))
            return
        if due.what == "tranche_delivery":
            self.calendar.touched.add(stock_of(state.claims.tranches[tranche].plan))
            return
        claims.wake(state.claims, due, emit)
        if due.what == "tranche_start":
            schedule.take_over(self._desk(at), state.claims.tranches[tranche].runs)
        elif due.what == "tranche_end":
            schedule.end_tranche(self._desk(at), tranche)

    def _wake_gang(self, due: Due, at: int) -> None:
        by = divisions if due.what in divisions.WAKES else upkeep if due.what == "return" else schedule
        by.wake(self._desk(at), due)

    def _wake_money(self, due: Due, at: int) -> None:
        self._money_dues.pop()
        money.wake_books(self._books(), due, at, lambda event: self._emit(event, at))

    # 3. Who goes short is recorded and what came is bound; then whatever can be placed now is placed.

    def _share(self, calendar: Calendar, since: int, at: int) -> None:
        """What was decided or reported took effect at `since`: now, or before."""
        claimed, supplied = self.state.claims, self.state.supply

        def emit(event: Event) -> None:
            self._emit(event, at)

        while calendar.touched or calendar.signed:
            stocks = shortfall.reassess(claimed, supplied, calendar, since, emit)
            stocks = [stock for stock in stocks if calendar.holdings.racks(stock.site, stock.sku)]
            for event in binding.bind_more(claimed, supplied, calendar, stocks, at):
                emit(event)
                tranche = claimed.tranches[event.tranche]
                if isinstance(event, claims.TrancheUnbound) and stock_of(tranche.plan) not in stocks:
                    calendar.touched.add(stock_of(tranche.plan))
                if isinstance(event, claims.TrancheBound) and tranche.standing is claims.Standing.LIVE:
                    schedule.take_over(self._desk(at), event.runs)
                    # What has passed to a tranche stays with it: others go short first.
                    calendar.touched.add(stock_of(tranche.plan))

    # 4. Every event passes here, live and on replay: supply first, money last.

    def apply(self, event: Event, at: int) -> None:
        """The only mutator. `at` is the event's time of record."""
        state = self.state
        state.now = at
        state.seq += 1
        self._due_next = None
        self._APPLY[type(event)](self, event, at)

    def _apply_supply(self, event: Event, at: int) -> None:
        state = self.state
        self._due_beside = None
        turns = supply.apply(state.supply, event, at)
        if type(event) is blocks.MilestoneReached:
            money.note_demands(self._books(), self._money_dues, event)
        learned.books_follow_supply(
            state.usage, self._held, state.placements, state.claims, state.supply, event, turns, at
        )
        if self._calendar is not None:
            self._calendar.follow(event)
        if self._placed is not None:
            upstream.on_supply(self._placed, state.supply, event, turns)

    def _apply_claims(self, event: Event, at: int) -> None:
        state, held = self.state, self._held
        self._due_beside = None
        before = usage.in_service(state.claims, event)
        claims.apply(state.claims, state.supply, self._claim_dues, event, at)
        money.note_demands(self._books(), self._money_dues, event)
        if self._calendar is not None:
            self._calendar.follow(event)
        usage.on_tranche(state.usage, held, state.placements, state.claims, state.supply, before, event, at)
        if self._placed is not None:
            upstream.on_claims(self._placed, state.claims, event)

    def _apply_gang(self, event: placing.GangEvent, at: int) -> None:
        state, placed = self.state, self._placed
        placements, supplied, kind = state.placements, state.supply, type(event)
        if kind in learned.METERED:
            learned.books_follow_gang(state.usage, placements, state.claims, supplied, event, at)
        placing.RECORDED[kind](placements, self._held, supplied, event, at, state.seq)
        if placed is not None:
            placing.reindex(placed, placements, supplied, event)

    def _apply_share(self, event: sharing.ShareEvent | TenantsWeighed, at: int) -> None:
        placing.apply_share(self.state.placements, self._held, self._placed, event, at)

    def _apply_shedding(self, event: sheddings.SheddingEvent, at: int) -> None:
        sheddings.applied(self.state.placements.sheddings, event, at)

    def _apply_beside(self, event: Event, at: int) -> None:
        downtimes.note_campaign(self.state.usage.downtimes, event, at)
        silence.apply_beside(self.state.placements, self._placed, self.state.supply, event, at)

    def _apply_usage(self, event: Event, at: int) -> None:
        state = self.state
        self._due_beside = None
        usage.record_use(state.usage, state.placements, state.supply, event, at)
        money.apply(state.money, self._money_dues, event, at, state.seq)
        if isinstance(event, usage.PeriodClosed):
            ended.drop_ended(state.placements)

    def _apply_money(self, event: Event, at: int) -> None:
        self._due_beside = None
        money.apply(self.state.money, self._money_dues, event, at, self.state.seq)

    def _apply_own(self, event: Event, at: int) -> None:
        self._due_beside = None
        if isinstance(event, WorldOpened):
            self.state.name = event.name
            usage.begin(self.state.usage, at)
            money.start_period(self.state.money, self._money_dues, at)
        else:
            assert isinstance(event, KeyUsed)
            self._remember(event, at)

    _APPLY: ClassVar[dict[type[Event], Callable[[World, Any, int], None]]] = {
        **dict.fromkeys((WorldOpened, KeyUsed), _apply_own),
        **dict.fromkeys(supply.EVENTS, _apply_supply),
        **dict.fromkeys(claims.EVENTS, _apply_claims),
        **dict.fromkeys(placing.EVENTS, _apply_gang),
        **dict.fromkeys((*sharing.SHARE_EVENTS, TenantsWeighed), _apply_share),
        **dict.fromkeys(get_args(sheddings.SheddingEvent), _apply_shedding),
        **dict.fromkeys((*campaigns.EVENTS, *heartbeats.ENGINE_EVENTS), _apply_beside),
        **dict.fromkeys(usage.EVENTS, _apply_usage),
        **dict.fromkeys(money.EVENTS, _apply_money),
    }
    #: Every kind of event there is; its kind is its class name.
    EVENTS: tuple[type[Event], ...] = tuple(_APPLY)

    def _remember(self, event: KeyUsed, at: int) -> None:
        keys = self.state.keys
        keys.pop((event.scope, event.key), None)
        keys[event.scope, event.key] = KeyedAnswer(at, event.body, event.answer)
        while keys[oldest := next(iter(keys))].at + KEY_WINDOW_US <= at:
            del keys[oldest]

    def _emit(self, event: Event, at: int) -> None:
        self.apply(event, at)
        self._events.append(event)

    def _tell(self, event: Any) -> None:
        """The engine is to make it true."""
        placed, held = self.state.placements, self.state.claims.tranches
        if type(event) is heartbeats.EngineHeard:
            self._effects += silence.told_again(placed, held, event)
            return
        gang, leases = placed.gangs[event.gang], placed.engines.leases
        self._effects.append(schedule.effect_of(gang, self.state.seq, placed.shed, held, leases))

    def _emit_now(self, event: Event) -> None:
        """An event of what is decided at the desk, at its instant."""
        desk = self._made_desk
        assert desk is not None, "events are given at a desk"
        state, at, kind = self.state, desk.at, type(event)
        # As `apply` does: written out, for nearly every event comes this way.
        state.now = at
        state.seq += 1
        self._due_next = None
        self._APPLY[kind](self, event, at)
        self._events.append(event)
        if kind in _TOLD:
            self._tell(event)

    def _outcome(self, answer: Answer | Refusal) -> Outcome:
        events, effects = self._events, self._effects
        if events:
            assert not isinstance(answer, Refusal), "a refusal comes before the first event"
            self._events = []
        else:
            events = []
        if effects:
            self._effects = []
        else:
            effects = []
        return Outcome(events, effects, answer)

    # 5. Questions.

    def work(self) -> rebinding.Work:
        """Where work is to run on: what a plan about racks has to know."""
        known = self.state.placements
        any_work = AtWork(known, self._held, *gangs.Tier)
        return rebinding.Work(any_work, AtWork(known, self._held, gangs.Tier.ON_DEMAND))

    def desired(self) -> list[Effect]:
        """The whole desired state for the engines."""
        placed, held = self.state.placements, self.state.claims.tranches
        holding = (gang for gang in placed.gangs.values() if gang.phase in gangs.HOLDING)
        in_order, leases = sorted(holding, key=lambda gang: gang.order), placed.engines.leases
        return [schedule.effect_of(gang, gang.placed_seq, placed.shed, held, leases) for gang in in_order]

    def explain(self, name: GangId, principal: Principal) -> dict[str, Any] | Refusal:
        """Why a gang waits, runs or is over. Refuses: unknown_gang (also for a tenant's view of another's)."""
        gang = self.state.placements.gangs.get(name)
        hidden = principal.role is Role.TENANT and gang is not None and gang.spec.tenant != principal.tenant
        if gang is None or hidden or principal.role not in (Role.OPERATOR, Role.TENANT):
            return Refusal("unknown_gang", f"there is no gang {name}", "gang")
        return explain.explain(self._desk(self.state.now), gang, principal)

    def loans(self, at: int) -> list[previews.Loan]:
        """Everything that is lent, as it stands at `at`."""
        return previews.loans(self._desk(at))

    def preview_reclaim(
        self, tranche: TrancheId, gpus: int, within: gangs.Level, slice_gpus: int, at: int
    ) -> previews.Preview | Refusal:
        """Who would go if somebody of the owner wanted so many GPUs at `at`; decided on a copy."""
        copy = self.fork()
        desk = replace(self._desk(at), state=copy.state.placements, derived=copy.placed)
        return previews.preview_reclaim(desk, tranche, gpus, within, slice_gpus)

    def open_offers(self, principal: Principal) -> list[dict[str, Any]]:
        """What a tenant may take at the moment by its rights of first refusal; nothing for anybody else."""
        return refusals.open_offers(self.state.claims, principal.tenant) if principal.tenant else []

    def check(self) -> None:
        """Assert every invariant that the state can show. Costs O(state): for tests, the twin and the doctor."""
        state = self.state
        wrong = [
            *supply.check(state.supply),
            *claims.check(state.claims, state.supply),
            *rebinding.check_bound(state.claims, state.supply),
            *shortfall.check_shorts(state.claims, state.supply, self.calendar, state.now),
            *checking.check(state.placements, self.placed, state.supply, state.claims),
            *schedule.check(self._desk(state.now)),
            *shedding.check_sheddings(self._desk(state.now)),
            *hosts.check_holds(state.placements, self.placed),
            *silence.check_beside(state.placements, self.placed, state.supply),
            *usage.check(state.usage, state.placements, state.claims, state.supply, state.now),
            *money.check(state.money),
        ]
        assert not wrong, "; ".join(wrong)

    def _desk(self, at: int) -> schedule.Desk:
        """The one desk, at this instant: there is no other as long as one decides."""
        desk = self._made_desk
        if desk is None:
            state = self.state
            desk = self._made_desk = schedule.Desk(
                state.placements, self.placed, state.supply, state.claims, self._emit_now, at
            )
        desk.at = at
        return desk

    def _books(self) -> money.Books:
        return money.Books(self.state.money, self.state.usage, self.state.claims, self.state.supply)


def key_scope(by: Principal) -> str:
    """Keys of one tenant are one's own business; so are those of each actor without a tenant."""
    return f"tenant:{by.tenant}" if by.tenant else f"actor:{by.actor}"


def _again(known: KeyedAnswer, asked: Asked) -> Answer | Refusal:
    """What a command answers whose key was used before."""
    if known.body != body_digest(asked.command):
        return Refusal("key_reused", f"the idempotency key {asked.key} was used for another command", "key")
    return known.answer
