"""Who goes short, of how many nodes, and when, where more is promised than there will be?

A shortfall is a normal state: a slip, a failure or a signature on the record makes one. Between two changes of the
calendar the excess is constant, and the seller's policy shares it out among the tranches that promise something then:
those it protects are touched last; the others in the order of the rule. What has passed to a tranche whose term runs
stays with it while there is somebody who still waits for more. Everybody loses whole units of its shape, and nobody a
unit that could be left to it. There is always a policy, for without one the defaults hold; an operator may
share out one stock by hand instead, and that stands until there is more or less to share.

What was short before now is history, and stays as it was recorded: racks that come today were not there yesterday.
Clauses that contradict each other are not looked for here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from forebay.core import supply
from forebay.core.claims import contracts
from forebay.core.claims.calendar import Calendar, Stock
from forebay.core.claims.contracts import Short, Standing, State, Tranche
from forebay.core.claims.terms import PromisePolicy, Shorting
from forebay.core.ids import Answer, Refusal, TrancheId
from forebay.core.timeline import INSTANT_MAX, summed, text
from forebay.core.units import DAY_US, SECOND_US, divide_half_even


class _Owed(NamedTuple):
    """What a tranche is owed at an instant."""

    tranche: Tranche
    nodes: int
    #: Nodes of one unit of its shape.
    unit: int
    #: Of these nodes, those that have passed to it.
    held: int


#: Nodes that each tranche goes short of at an instant.
_Share = dict[TrancheId, int]


def assess(
    state: State, supplied: supply.State, calendar: Calendar, stock: Stock, since: int
) -> tuple[Short, ...]:
    """Everybody who goes short of a stock, in order of tranche and time, neighbours that are equal as one: until
    `since` as recorded, from then on by what is promised and what there will be.
    """
    recorded = state.shorts.get(stock, ())
    if stock in state.by_hand and not disagreement(state, supplied, calendar, stock, recorded, since):
        return recorded
    found = [Short(each.tranche, each.nodes, each.start_at, min(each.end_at, since)) for each in recorded]
    for start_at, end_at, excess, present in _stretches(state, supplied, calendar, stock, since):
        shares = _shared(state.policy, present, excess)
        found += [Short(name, nodes, start_at, end_at) for name, nodes in shares.items()]
    return _joined(found)


def _stretches(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    stock: Stock,
    since: int,
    more: Iterable[int] = (),
) -> Iterator[tuple[int, int, int, list[_Owed]]]:
    """Each stretch of time from `since` on in which nothing changes: from when, until when, how much too much is
    promised, and who is owed something if it is, in order of signing. A stretch ends at the instants `more` as well.
    """
    left = calendar.supply(stock, state.policy.confidence).minus(calendar.committed(stock))
    short = min(left.values) < 0
    tranches = [state.tranches[name] for name in calendar.tranches(stock)] if short else []
    owed = [summed(contracts.commitment(tranche, supplied)) for tranche in tranches]
    instants = {since, *more, *left.starts, *(start for steps in owed for start in steps.starts)}
    ordered = sorted(instant for instant in instants if since <= instant < INSTANT_MAX)
    for start_at, end_at in zip(ordered, [*ordered[1:], INSTANT_MAX], strict=True):
        excess = max(0, -left.at(start_at))
        present = []
        if excess:
            levels = ((tranche, steps.at(start_at)) for tranche, steps in zip(tranches, owed, strict=True))
            present = [_owed(tranche, nodes, supplied) for tranche, nodes in levels if nodes]
        yield start_at, end_at, excess, present


def _owed(tranche: Tranche, nodes: int, supplied: supply.State) -> _Owed:
    live = tranche.standing is Standing.LIVE
    held = min(nodes, contracts.nodes_bound(tranche)) if live else 0
    return _Owed(tranche, nodes, contracts.nodes_each(tranche.plan, supplied), held)


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


def _shared(policy: PromisePolicy, present: list[_Owed], excess: int) -> _Share:
    """How the excess falls on those who are owed something: all of it, in whole units of each; first on what they
    wait for, then on what they have.
    """
    waits = [owed._replace(nodes=owed.nodes - owed.held) for owed in present if owed.held < owed.nodes]
    has = [owed._replace(nodes=owed.held) for owed in present if owed.held]
    shares, turns = _shared_among(policy, waits, excess)
    lost, more_turns = _shared_among(policy, has, excess - sum(shares.values()))
    for name, nodes in lost.items():
        shares[name] = shares.get(name, 0) + nodes
    # A large unit may have taken more than was missing: then smaller ones get theirs back, who loses last first.
    over = sum(shares.values()) - excess
    for owed in reversed([*turns, *more_turns]):
        name = owed.tranche.plan.id
        back = min(shares.get(name, 0), over // owed.unit * owed.unit)
        shares[name] = shares.get(name, 0) - back
        over -= back
    return {name: nodes for name, nodes in shares.items() if nodes}


def _shared_among(policy: PromisePolicy, present: list[_Owed], excess: int) -> tuple[_Share, list[_Owed]]:
    """How as much of the excess as there is falls on these; and who loses first."""
    if excess <= 0:
        return {}, []
    protected = {name: place for place, name in enumerate(policy.protected)}
    exposed = [owed for owed in present if owed.tranche.contract not in protected]
    shielded = sorted(
        (owed for owed in present if owed.tranche.contract in protected),
        key=lambda owed: (-protected[owed.tranche.contract], owed.tranche.plan.id),
    )
    if policy.shorting is Shorting.PRO_RATA:
        shares, turns = _pro_rata(exposed, excess)
    else:
        shares, turns = {}, _turns(policy, exposed)
        _lose_in_turn(shares, turns, excess)
    _lose_in_turn(shares, shielded, excess)
    return shares, [*turns, *shielded]


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
    if policy.shorting is Shorting.SIGNING:
        return latest_first
    return sorted(latest_first, key=lambda owed: damages_micros_per_gpu_day(owed.tranche))


def damages_micros_per_gpu_day(tranche: Tranche) -> int:
    """What a GPU that is missing for a day costs, after grace and under the cap."""
    return tranche.plan.late.damages_micros_per_gpu_day if tranche.plan.late else 0


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
    command: contracts.AllocateShortfall,
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
    if wrong:
        return Refusal("bad_allocation", f"{stock.sku} at {stock.site}: {wrong}", "shorts")
    recorded = state.shorts.get(stock, ())
    before = [Short(each.tranche, each.nodes, each.start_at, min(each.end_at, at)) for each in recorded]
    after = [Short(each.tranche, each.nodes, max(each.start_at, at), each.end_at) for each in command.shorts]
    shorts = _joined([*before, *after])
    if shorts == recorded and state.by_hand.get(stock) == command.reason:
        return {"site": stock.site, "sku": stock.sku, "changed": False}
    policy = state.policy
    emit(
        contracts.ShortfallAssessed(
            stock.site, stock.sku, policy.version, policy.confidence, shorts, command.reason
        )
    )
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
    in whole units, nobody short of more than it is owed, nor of a unit that could be left to it.
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
    for at, _, excess, present in _stretches(state, supplied, calendar, stock, since, changes):
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
        most = owed[name].nodes if name in owed else 0
        if not 0 <= nodes <= most:
            return f"tranche {name} cannot go short of {nodes} nodes, for it is owed {most}"
        if nodes and nodes % owed[name].unit:
            return f"tranche {name} goes short of whole units of {owed[name].unit} nodes, not of {nodes}"
        if nodes and total - owed[name].unit >= excess:
            return f"{excess} nodes are to be shared and {total} are: tranche {name} may keep one unit more"
    return f"{excess} nodes are to be shared, and {total} are" if total < excess else ""


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


def cost(tranche: Tranche, supplied: supply.State, shorts: tuple[Short, ...]) -> Cost:
    """What all shortfalls of one tranche cost together.

    Damages run for each GPU that is missing, day by day and to the microsecond, from the end of its grace on, which
    begins when it goes missing. They stop at the cap.
    """
    plan = tranche.plan
    gpus_per_node = supplied.skus[plan.sku].gpus_per_node
    fees_us = damages_us = 0
    longstop_at = 0
    for start_at, end_at, nodes in _layers(shorts):
        fees_us += nodes * gpus_per_node * (end_at - start_at)
        if plan.late is None:
            continue
        from_at = start_at + plan.late.grace_s * SECOND_US
        damages_us += nodes * gpus_per_node * max(0, end_at - from_at)
        stop_at = start_at + plan.late.longstop_s * SECOND_US
        if plan.late.longstop_s and stop_at < end_at:
            longstop_at = min(longstop_at or stop_at, stop_at)
    fees_micros = divide_half_even(fees_us * plan.price_micros_per_gpu_hour, 3600 * SECOND_US)
    damages_micros = divide_half_even(damages_us * damages_micros_per_gpu_day(tranche), DAY_US)
    cap_micros = plan.late.cap_micros if plan.late else 0
    capped = bool(cap_micros) and damages_micros >= cap_micros
    return Cost(
        fees_micros, min(damages_micros, cap_micros) if capped else damages_micros, capped, longstop_at
    )


def _layers(shorts: tuple[Short, ...]) -> list[tuple[int, int, int]]:
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


def missing_since(shorts: tuple[Short, ...], at: int) -> int | None:
    """Since when the node of a tranche is missing that is missing longest at an instant; None when none is."""
    return min((start for start, end, _ in _layers(shorts) if start <= at < end), default=None)


def reassess(
    state: State, supplied: supply.State, calendar: Calendar, since: int, emit: supply.Emit
) -> list[Stock]:
    """Look at every stock that changed, and record who goes short from `since` on where that changed; what was
    looked at.
    """
    touched, calendar.touched = sorted(calendar.touched), set()
    for stock in touched:
        shorts = assess(state, supplied, calendar, stock, since)
        if shorts != state.shorts.get(stock, ()):
            policy = state.policy
            emit(
                contracts.ShortfallAssessed(stock.site, stock.sku, policy.version, policy.confidence, shorts)
            )
    return touched


def nodes_short(state: State, tranche: Tranche, at: int) -> int:
    """Nodes that a tranche is recorded to go short of at an instant."""
    shorts = state.shorts.get((tranche.plan.site, tranche.plan.sku), ())
    name = tranche.plan.id
    return sum(each.nodes for each in shorts if each.tranche == name and each.start_at <= at < each.end_at)


def check_shorts(state: State, supplied: supply.State, calendar: Calendar, now: int) -> Iterator[str]:
    """Invariant 4, of promises: from now on each excess is a recorded shortfall, and nothing else is one."""
    for stock in sorted({*calendar.stocks(), *map(Stock._make, state.shorts)}):
        if assess(state, supplied, calendar, stock, now) != state.shorts.get(stock, ()):
            yield f"{stock.sku} at {stock.site}: shortfalls differ from what is promised and what there will be"
        wrong = disagreement(state, supplied, calendar, stock, state.shorts.get(stock, ()), now)
        if wrong:
            yield f"{stock.sku} at {stock.site}: {wrong}"
