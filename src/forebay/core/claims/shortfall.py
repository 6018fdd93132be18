"""Who goes short, of how many nodes, and when, where more is promised than there will be?

A shortfall is a normal state: a slip, a failure or a signature on the record makes one. Between two changes of the
calendar the excess is constant, and is shared out among the tranches that promise something then: as their contracts
say (`ranking`), and where these are silent by the seller's policy. Those it protects are touched last; the others by
the priority that our overlay of their contract gives them, and then in the order of the rule. What has passed to a
tranche whose term runs stays with it while there is somebody who still waits for more. Everybody loses whole units of
its shape, and nobody a unit that could be left to it.

There is always a policy, for without one the defaults hold; one that has no rule (`none`) leaves what clauses do not
settle to nobody, and that is recorded too. An operator may share out one stock by hand instead, as far as no clause
is broken by it, and that stands until there is more or less to share.

What was short before now is history, and stays as it was recorded: racks that come today were not there yesterday.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from forebay.core import supply
from forebay.core.claims import contracts, inforce, overlays, prices, ranking
from forebay.core.claims.calendar import ALWAYS, Calendar, Stock
from forebay.core.claims.contracts import Standing, State, Tranche
from forebay.core.claims.parties import Overlay
from forebay.core.claims.ranking import Decided, Lot, Party
from forebay.core.claims.serving import ShortfallTerms
from forebay.core.claims.shorts import AllocateShortfall, Short, ShortfallAssessed, Unallocated
from forebay.core.claims.terms import PPM, PromisePolicy, Shorting
from forebay.core.ids import Answer, ContractId, Refusal, TrancheId
from forebay.core.timeline import INSTANT_MAX, Interval, summed, text
from forebay.core.units import DAY_US, HOUR_US, SECOND_US, divide_half_even


class _Owed(NamedTuple):
    """What a tranche is owed at an instant."""

    tranche: Tranche
    nodes: int
    #: Nodes of one unit of its shape.
    unit: int
    #: Of these nodes, those that have passed to it.
    held: int
    #: What its contract says of its place; None where it is silent.
    says: ShortfallTerms | None = None

    @property
    def party(self) -> Party:
        """As far as clauses speak of it."""
        return Party(self.tranche.contract, self.tranche.tenant, self.says)


#: In the place of a tranche: nobody says who goes short.
NOBODY = TrancheId("")
NO_OVERLAYS: Mapping[ContractId, Overlay] = {}
#: Nodes that each tranche goes short of at an instant.
_Share = dict[TrancheId, int]


def recorded(state: State, stock: Stock) -> tuple[Short, ...]:
    """What is recorded to be missing of a stock: who goes short, and what nobody is said to go short of."""
    open_to = state.unallocated.get(stock, ())
    missing = (Short(NOBODY, each.nodes, each.start_at, each.end_at) for each in open_to)
    return (*missing, *state.shorts.get(stock, ()))


def assess(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    stock: Stock,
    since: int,
    window: Interval = ALWAYS,
) -> tuple[Short, ...]:
    """Everybody who goes short of a stock, in order of tranche and time, neighbours that are equal as one: until
    `since`, and outside of a window in which something changed, as recorded; else by what is promised and what there
    will be. First what NOBODY is said to go short of.
    """
    known = recorded(state, stock)
    if stock in state.by_hand:
        if not disagreement(state, supplied, calendar, stock, known, since):
            return known
        window = ALWAYS
    window = Interval(max(since, window.start), max(since, window.end))
    if _is_met(state, calendar, stock, window, known):
        return known
    found = [Short(each.tranche, each.nodes, each.start_at, min(each.end_at, window.start)) for each in known]
    found += [Short(each.tranche, each.nodes, max(each.start_at, window.end), each.end_at) for each in known]
    for start_at, end_at, excess, present in _stretches(state, supplied, calendar, stock, window):
        shares = _shared(state.policy, present, excess, state.overlays) if excess else {}
        found += [Short(name, nodes, start_at, end_at) for name, nodes in shares.items()]
    return _joined(found)


def _is_met(
    state: State, calendar: Calendar, stock: Stock, window: Interval, recorded: tuple[Short, ...]
) -> bool:
    """Whether there is enough for everybody within a window, and nothing else is recorded."""
    if any(each.start_at < window.end and each.end_at > window.start for each in recorded):
        return False
    left = calendar.uncommitted(stock, state.policy.confidence)
    return window.start >= window.end or left.least(window) >= 0


def _stretches(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    stock: Stock,
    window: Interval,
    more: Iterable[int] = (),
) -> Iterator[tuple[int, int, int, list[_Owed]]]:
    """Each stretch of time within a window in which nothing changes: from when, until when, how much too much is
    promised, and who is owed something if it is, in order of signing. A stretch ends at the instants `more` as well.
    """
    left = calendar.uncommitted(stock, state.policy.confidence)
    changes: dict[int, list[tuple[int, int, Tranche]]] = {}
    for place, name in enumerate(calendar.tranches(stock) if min(left.values) < 0 else ()):
        tranche = state.tranches[name]
        if contracts.term(tranche.plan).overlaps(window):
            for when, nodes in contracts.commitment(tranche, supplied):
                changes.setdefault(when, []).append((place, nodes, tranche))
    levels = dict(left)
    instants = {window.start, *more, *levels, *changes}
    ordered = sorted(instant for instant in instants if instant < window.end)
    level, owed = 0, dict[int, _Owed]()
    for start_at, end_at in zip(ordered, [*ordered[1:], window.end], strict=True):
        # Kept up from the beginning: what somebody is owed is not looked for anew at each instant.
        level = levels.get(start_at, level)
        for place, nodes, tranche in changes.get(start_at, ()):
            before = owed.pop(place, None)
            after = nodes + (before.nodes if before else 0)
            if after:
                owed[place] = _owed(state, tranche, after, supplied)
        if start_at >= window.start:
            present = [owed[place] for place in sorted(owed)] if level < 0 else []
            yield start_at, end_at, max(0, -level), present


def _owed(state: State, tranche: Tranche, nodes: int, supplied: supply.State) -> _Owed:
    live = tranche.standing is Standing.LIVE
    held = min(nodes, contracts.nodes_bound(tranche)) if live else 0
    says = ranking.says_of(state.contracts[tranche.contract], tranche.plan)
    return _Owed(tranche, nodes, contracts.nodes_each(tranche.plan, supplied), held, says)


def _joined(shorts: Iterable[Short]) -> tuple[Short, ...]:
    """In order of tranche and time, neighbours that are equal as one; what lasts for nothing is left out."""
    found: list[Short] = []
    for each in sorted(shorts, key=lambda each: (each.tranche, each.start_at)):
        last = found[-1] if found else None
        if each.start_at >= each.end_at:
            continue
        if last and (last.tranche, last.nodes, last.end_at) == (each.tranche, each.nodes, each.start_at):
            found[-1] = Short(last.tranche, last.nodes, last.start_at, each.end_at)
        else:
            found.append(each)
    return tuple(found)


def _shared(
    policy: PromisePolicy,
    present: list[_Owed],
    excess: int,
    private: Mapping[ContractId, Overlay] = NO_OVERLAYS,
) -> _Share:
    """How the excess falls on those who are owed something: all of it, in whole units of each; first on what they
    wait for, then on what they have.
    """
    waits = [
        owed._replace(nodes=owed.nodes - owed.held) if owed.held else owed
        for owed in present
        if owed.held < owed.nodes
    ]
    has = [owed._replace(nodes=owed.held) for owed in present if owed.held]
    shares, turns = _shared_among(policy, waits, excess, private)
    lost, more_turns = _shared_among(policy, has, excess - sum(shares.values()), private)
    # A large unit may have taken more than was missing: then smaller ones get theirs back, who loses last first.
    over = sum(shares.values()) + sum(lost.values()) - excess
    for part, in_turn in ((lost, more_turns), (shares, turns)):
        for owed in reversed(in_turn):
            name = owed.tranche.plan.id
            back = min(part.get(name, 0), over // owed.unit * owed.unit)
            part[name] = part.get(name, 0) - back
            over -= back
    for name, nodes in lost.items():
        shares[name] = shares.get(name, 0) + nodes
    return {name: nodes for name, nodes in shares.items() if nodes}


def _shared_among(
    policy: PromisePolicy, present: list[_Owed], excess: int, private: Mapping[ContractId, Overlay]
) -> tuple[_Share, list[_Owed]]:
    """How as much of the excess as there is falls on these; and who loses first. Those whom clauses put after others
    lose first, all that they have.
    """
    shares: _Share = {}
    turns: list[_Owed] = []
    for among in _ranks(present) if excess > 0 else ():
        lost, in_turn = _shared_in_rank(policy, among, max(0, excess - sum(shares.values())), private)
        shares |= lost
        turns += in_turn
    return shares, turns


def _ranks(present: list[_Owed]) -> list[list[_Owed]]:
    """By when they lose; where all contracts are silent, which is usual, all at once."""
    if all(owed.says is None for owed in present):
        return [present]
    return [[present[each] for each in rank] for rank in ranking.ranks([owed.party for owed in present])]


def _shared_in_rank(
    policy: PromisePolicy, present: list[_Owed], excess: int, private: Mapping[ContractId, Overlay]
) -> tuple[_Share, list[_Owed]]:
    """Among those whom no clause puts before one another: who shares ratably loses its share of the whole, the policy
    shares out the rest.
    """
    ratable = [owed for owed in present if owed.says and ranking.shares_ratably(owed.party)]
    of_all, _ = _pro_rata(present, excess) if ratable else ({}, [])
    own = {owed.tranche.plan.id: of_all[owed.tranche.plan.id] for owed in ratable}
    present = [owed for owed in present if owed.tranche.plan.id not in own]
    excess = max(0, excess - sum(own.values()))
    protected = {name: place for place, name in enumerate(policy.protected)}
    exposed = [owed for owed in present if owed.tranche.contract not in protected]
    shielded = sorted(
        (owed for owed in present if owed.tranche.contract in protected),
        key=lambda owed: (-protected[owed.tranche.contract], owed.tranche.plan.id),
    )
    shares: _Share = {}
    turns: list[_Owed] = []
    # Overlays say whose contracts are touched first; within these, and where they say nothing, the rule.
    for names in overlays.priorities(private, {owed.tranche.contract for owed in exposed}):
        among = [owed for owed in exposed if owed.tranche.contract in names]
        lost, in_turn = _by_rule(policy, among, max(0, excess - sum(shares.values())))
        shares |= lost
        turns += in_turn
    _lose_in_turn(shares, shielded, excess)
    return shares | own, [*turns, *shielded, *ratable]


def _by_rule(policy: PromisePolicy, exposed: list[_Owed], excess: int) -> tuple[_Share, list[_Owed]]:
    if policy.shorting is Shorting.PRO_RATA:
        return _pro_rata(exposed, excess)
    shares: _Share = {}
    turns = _turns(policy, exposed)
    if policy.shorting is Shorting.NONE and len(turns) > 1 and excess < sum(owed.nodes for owed in turns):
        return ({NOBODY: excess} if excess else {}), turns
    _lose_in_turn(shares, turns, excess)
    return shares, turns


def shed_first(state: State) -> list[TrancheId]:
    """Tranches whose terms run, in the order in which they go short where something is missing to all alike."""
    live = (tranche for tranche in state.tranches.values() if tranche.standing is Standing.LIVE)
    present = [
        _Owed(each, 1, 1, 1, ranking.says_of(state.contracts[each.contract], each.plan)) for each in live
    ]
    _, turns = _shared_among(state.policy, present, 1, state.overlays)
    return [owed.tranche.plan.id for owed in turns]


def _lose_in_turn(shares: _Share, turns: list[_Owed], excess: int) -> None:
    missing = excess - sum(shares.values())
    for owed in turns:
        if missing <= 0:
            break
        lost = min(owed.nodes, -(-missing // owed.unit) * owed.unit)
        shares[owed.tranche.plan.id] = lost
        missing -= lost


def _turns(policy: PromisePolicy, exposed: list[_Owed]) -> list[_Owed]:
    """Who loses first; who signed last where the rule does not tell. `exposed` is in order of signing."""
    latest_first = exposed[::-1]
    if policy.shorting is not Shorting.LEAST_DAMAGES:
        return latest_first
    return sorted(latest_first, key=lambda owed: damages_micros_per_gpu_day(owed.tranche))


def damages_micros_per_gpu_day(tranche: Tranche) -> int:
    """What a GPU that is missing for a day costs, after grace and under the cap: damages, or a discount on fees."""
    late = tranche.plan.late
    if late is None:
        return 0
    return late.damages_micros_per_gpu_day or discount_micros_per_gpu_day(tranche)


def discount_micros_per_gpu_day(tranche: Tranche) -> int:
    """What is taken off the fees for a GPU that is missing for a day, rounded once (half to even)."""
    plan = tranche.plan
    share_ppm = plan.late.discount_ppm_per_day if plan.late else 0
    return divide_half_even(24 * plan.price_micros_per_gpu_hour * share_ppm, PPM)


def _pro_rata(exposed: list[_Owed], excess: int) -> tuple[_Share, list[_Owed]]:
    """The same share of what each is owed, in whole units, by largest remainder; and who loses a unit more first:
    the largest remainder, then who signed last.
    """
    total = sum(owed.nodes for owed in exposed)
    excess = min(excess, total)
    shares = {owed.tranche.plan.id: excess * owed.nodes // total // owed.unit * owed.unit for owed in exposed}
    latest_first = exposed[::-1]
    turns = sorted(latest_first, key=lambda owed: shares[owed.tranche.plan.id] * total - excess * owed.nodes)
    missing = excess - sum(shares.values())
    for owed in turns:
        if missing > 0:
            shares[owed.tranche.plan.id] += owed.unit
            missing -= owed.unit
    return shares, turns


# By hand.


def allocate(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    command: AllocateShortfall,
    at: int,
    emit: supply.Emit,
) -> Answer | Refusal:
    """Share out a stock by hand from now on. Refuses: unknown_site, unknown_sku, no_reason, bad_allocation (it is not
    what there is to share). What is said of the time before now changes nothing.
    """
    stock = Stock(command.site, command.sku)
    if stock.site not in supplied.sites:
        return Refusal("unknown_site", f"there is no site {stock.site}", "site")
    if stock.sku not in supplied.skus:
        return Refusal("unknown_sku", f"SKU {stock.sku} is not in the catalogue", "sku")
    if not command.reason:
        return Refusal("no_reason", "what is shared out by hand is so for a reason", "reason")
    wrong = disagreement(state, supplied, calendar, stock, command.shorts, at)
    if any(each.tranche == NOBODY for each in command.shorts):
        wrong = "what is shared out is somebody's"
    if wrong:
        return Refusal("bad_allocation", f"{stock.sku} at {stock.site}: {wrong}", "shorts")
    known = recorded(state, stock)
    before = [Short(each.tranche, each.nodes, each.start_at, min(each.end_at, at)) for each in known]
    after = [Short(each.tranche, each.nodes, max(each.start_at, at), each.end_at) for each in command.shorts]
    shorts = _joined([*before, *after])
    if shorts == known and state.by_hand.get(stock) == command.reason:
        return {"site": stock.site, "sku": stock.sku, "changed": False}
    emit(_assessed(state.policy, stock, shorts, command.reason))
    return {"site": stock.site, "sku": stock.sku, "changed": True}


def disagreement(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    stock: Stock,
    shorts: tuple[Short, ...],
    since: int,
) -> str:
    """Why these are not the shortfalls that there are to share from `since` on; "" when they are: all of the excess,
    in whole units, nobody short of more than it is owed, nor of a unit that could be left to it, and every clause
    on shortfall kept.
    """
    told = {
        name: summed(
            change
            for each in shorts
            if each.tranche == name
            for change in ((each.start_at, each.nodes), (each.end_at, -each.nodes))
        )
        for name in sorted({each.tranche for each in shorts})
    }
    changes = [start for steps in told.values() for start in steps.starts]
    window = Interval(since, INSTANT_MAX)
    for at, _, excess, present in _stretches(state, supplied, calendar, stock, window, changes):
        wrong = _wrong(present, excess, {name: steps.at(at) for name, steps in told.items()})
        if wrong:
            return f"from {text(at)} on {wrong}"
    return ""


def _wrong(present: list[_Owed], excess: int, told: Mapping[TrancheId, int]) -> str:
    owed = {each.tranche.plan.id: each for each in present}
    total = sum(told.values())
    if not excess:
        return f"nothing is to be shared, and {total} nodes are" if any(told.values()) else ""
    for name, nodes in told.items():
        if name == NOBODY and 0 <= nodes <= excess:
            continue
        most = owed[name].nodes if name in owed else 0
        if not 0 <= nodes <= most:
            return f"tranche {name} cannot go short of {nodes} nodes, for it is owed {most}"
        if nodes and nodes % owed[name].unit:
            return f"tranche {name} goes short of whole units of {owed[name].unit} nodes, not of {nodes}"
        if nodes and total - owed[name].unit >= excess:
            return f"{excess} nodes are to be shared and {total} are: tranche {name} may keep one unit more"
    if total < excess:
        return f"{excess} nodes are to be shared, and {total} are"
    waiting = sum(each.nodes - each.held for each in present)
    told_first = {name: min(told.get(name, 0), each.nodes - each.held) for name, each in owed.items()}
    first = [
        Lot(name, each.party, each.nodes - each.held, told_first[name], each.unit)
        for name, each in owed.items()
        if each.held < each.nodes
    ]
    then = [
        Lot(name, each.party, each.held, told.get(name, 0) - told_first[name], each.unit)
        for name, each in owed.items()
        if each.held
    ]
    return ranking.broken(first, excess) or ranking.broken(then, max(0, excess - waiting))


# What it costs.


class Cost(NamedTuple):
    """What a shortfall of one tranche costs its seller, micro-units of the contract's currency."""

    #: Fees that cannot be charged.
    fees_micros: int
    #: Damages under the late-delivery terms; 0 where the contract is silent.
    damages_micros: int
    #: Whether the cap of the terms was reached.
    capped: bool
    #: When the customer may end the tranche; 0 for never, or where it does not last that long.
    longstop_at: int
    #: What the late-delivery terms take off later fees, in the place of damages.
    discount_micros: int = 0


def cost(tranche: Tranche, supplied: supply.State, shorts: tuple[Short, ...]) -> Cost:
    """What all shortfalls of one tranche cost together.

    Damages run for each GPU that is missing, day by day and to the microsecond, from the end of its grace on, which
    begins when it goes missing, under the terms of that instant. They stop at the cap of the terms in force. So does
    a discount, which contracts agree in their place.
    """
    plan = tranche.plan
    gpus_per_node = supplied.skus[plan.sku].gpus_per_node
    fees = damages = discount = 0
    longstop_at = 0
    for start_at, end_at, nodes in late_layers(shorts):
        gpus = nodes * gpus_per_node
        fees += gpus * prices.exact_cost(plan, start_at, end_at)
        late = inforce.late_at(tranche, start_at)
        if late is None:
            continue
        from_at = min(start_at + late.grace_s * SECOND_US, end_at)
        damages += gpus * (end_at - from_at) * late.damages_micros_per_gpu_day
        discount += gpus * prices.exact_cost(plan, from_at, end_at) * late.discount_ppm_per_day
        stop_at = start_at + late.longstop_s * SECOND_US
        if late.longstop_s and stop_at < end_at:
            longstop_at = min(longstop_at or stop_at, stop_at)
    fees_micros = divide_half_even(fees, HOUR_US)
    damages_micros = divide_half_even(damages, DAY_US)
    discount_micros = divide_half_even(discount, HOUR_US * PPM)
    cap_micros = plan.late.cap_micros if plan.late else 0
    capped = bool(cap_micros) and damages_micros + discount_micros >= cap_micros
    if capped:
        damages_micros = min(damages_micros, cap_micros)
        discount_micros = min(discount_micros, cap_micros - damages_micros)
    return Cost(fees_micros, damages_micros, capped, longstop_at, discount_micros)


def late_layers(shorts: tuple[Short, ...]) -> list[tuple[int, int, int]]:
    """Shortfalls of one tranche as (start, end, nodes), each node missing throughout; who missed longest is served
    first."""
    changes = sorted(
        change for short in shorts for change in ((short.start_at, short.nodes), (short.end_at, -short.nodes))
    )
    found: list[tuple[int, int, int]] = []
    missing: list[tuple[int, int]] = []
    level = summed(changes)
    before = 0
    for at, nodes in level:
        if nodes > before:
            missing.append((at, nodes - before))
        back = before - nodes
        while back > 0:
            since, count = missing.pop(0)
            served = min(back, count)
            found.append((since, at, served))
            back -= served
            if served < count:
                missing.insert(0, (since, count - served))
        before = nodes
    return found


def decided(state: State, tranche: Tranche, shorts: tuple[Short, ...]) -> Decided:
    """What decides how much a tranche goes short, beside the others of its stock then: clauses, or the policy."""
    since, until = min(each.start_at for each in shorts), max(each.end_at for each in shorts)
    stock, window = (tranche.plan.site, tranche.plan.sku), Interval(since, until)
    parties = {
        name: Party(each.contract, each.tenant, ranking.says_of(state.contracts[each.contract], each.plan))
        for name, each in state.tranches.items()
        if (each.plan.site, each.plan.sku) == stock and contracts.term(each.plan).overlaps(window)
    }
    return ranking.deciding(parties, tranche.plan.id)


def missing_since(shorts: tuple[Short, ...], at: int) -> int | None:
    """Since when the node of a tranche is missing that is missing longest at an instant; None when none is."""
    return min((start for start, end, _ in late_layers(shorts) if start <= at < end), default=None)


def reassess(
    state: State, supplied: supply.State, calendar: Calendar, since: int, emit: supply.Emit
) -> list[Stock]:
    """Look at every stock that changed, and record who goes short from `since` on where that changed; what was
    looked at.
    """
    touched = calendar.changed()
    for stock, window in touched:
        shorts = assess(state, supplied, calendar, stock, since, window)
        if shorts != recorded(state, stock):
            emit(_assessed(state.policy, stock, shorts))
    return [stock for stock, _ in touched]


def _assessed(
    policy: PromisePolicy, stock: Stock, shorts: tuple[Short, ...], reason: str = ""
) -> ShortfallAssessed:
    nobodys = tuple(
        Unallocated(each.nodes, each.start_at, each.end_at) for each in shorts if each.tranche == NOBODY
    )
    return ShortfallAssessed(
        stock.site, stock.sku, policy.version, policy.confidence,
        tuple(each for each in shorts if each.tranche != NOBODY), reason, nobodys,
    )  # fmt: skip


def nodes_short(state: State, tranche: Tranche, at: int) -> int:
    """Nodes that a tranche is recorded to go short of at an instant."""
    shorts = state.shorts.get((tranche.plan.site, tranche.plan.sku), ())
    name = tranche.plan.id
    return sum(each.nodes for each in shorts if each.tranche == name and each.start_at <= at < each.end_at)


def check_shorts(state: State, supplied: supply.State, calendar: Calendar, now: int) -> Iterator[str]:
    """Invariant 4, of promises: from now on each excess is a recorded shortfall, and nothing else is one."""
    for stock in sorted({*calendar.stocks(), *map(Stock._make, (*state.shorts, *state.unallocated))}):
        known = recorded(state, stock)
        if assess(state, supplied, calendar, stock, now) != known:
            yield f"{stock.sku} at {stock.site}: shortfalls differ from what is promised and what there will be"
        wrong = disagreement(state, supplied, calendar, stock, known, now)
        if wrong:
            yield f"{stock.sku} at {stock.site}: {wrong}"
