"""Does what a contract says of shortfalls contradict what another says? Both are named, and from when to when.

Two clauses contradict each other where both hold for one stock at one instant and no order keeps both: each is
served before the other, several make a circle, or somebody is served before a tranche that shares ratably with all.
It is not a matter of supply: no reason signs it all the same. Of the clauses of contracts that are signed, those are
looked at that would hold then: also in versions that are yet to take effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from forebay.core import timeline
from forebay.core.claims import calendar as calendars
from forebay.core.claims import ranking
from forebay.core.claims.calendar import Calendar, Stock
from forebay.core.claims.contracts import Standing, State, term
from forebay.core.claims.ranking import Party
from forebay.core.claims.serving import Serving, ShortfallTerms, clause_text
from forebay.core.claims.terms import ContractPlan, Shorting
from forebay.core.ids import Refusal, TrancheId
from forebay.core.timeline import INSTANT_MAX, Interval


class _Member(NamedTuple):
    """A tranche of a stock, and from when to when it is served as its clause says."""

    party: Party
    tranche: TrancheId
    when: Interval
    #: Where the clause stands in the contract that is looked at; "" for any other.
    where: str


class _Edge(NamedTuple):
    """Whose clause puts one member before another."""

    says: int
    high: int
    low: int


# What is written.


def refuse_shortfall(state: State, plan: ContractPlan, *, theirs: bool = False) -> Refusal | None:
    """What is wrong with the clauses by themselves. Refuses, for that of the contract and then each tranche's:
    bad_shortfall (nothing is said, somebody is named twice, or its own contract or customer, or it shares ratably and
    is served after somebody), unknown_contract (neither a contract nor a customer has the name; `theirs`: those of
    its seller are not known here).
    """
    known = {*state.contracts, *state.customers}
    for says, where in _clauses(plan):
        names = (*says.before, *says.after)
        told = ""
        if says.served is None and not names:
            told = "it says when it is served, or before or after whom"
        elif len(set(names)) < len(names):
            told = "it names nobody twice"
        elif plan.id in names or plan.tenant in names:
            told = "it is served before or after others, not itself"
        elif says.served is Serving.RATABLY and says.after:
            told = f"what is served ratably is not served after {says.after[0]}"
        if told:
            return Refusal("bad_shortfall", f"contract {plan.id}, shortfall: {told}", where)
        for name in () if theirs else names:
            if name not in known:
                told = f"contract {plan.id}, shortfall: neither a contract nor a customer is called {name}"
                return Refusal("unknown_contract", told, where)
    return None


def refuse_unsettled(state: State, stated: ContractPlan, names: Iterable[TrancheId]) -> Refusal | None:
    """no_shortfall_policy, for the first of these tranches of which nobody could say when it goes short: the policy
    has no rule, and its clause says no more than before or after whom it is served, or there is none.
    """
    if state.policy.shorting is not Shorting.NONE:
        return None
    wanted = set(names)
    for place, each in enumerate(stated.tranches):
        says = ranking.says_of(stated, each)
        if each.id in wanted and (says is None or says.served is None):
            told = (
                f"promise policy {state.policy.version} has no rule for who goes short, and tranche {each.id} has no "
                f"clause that says when it is served"
            )
            return Refusal("no_shortfall_policy", told, f"tranches[{place}].shortfall")
    return None


def said_otherwise(last: ContractPlan, plan: ContractPlan) -> list[TrancheId]:
    """Tranches for which another clause holds than in the version before."""
    before = {each.id: ranking.says_of(last, each) for each in last.tranches}
    return [each.id for each in plan.tranches if ranking.says_of(plan, each) != before.get(each.id)]


def _clauses(plan: ContractPlan) -> Iterator[tuple[ShortfallTerms, str]]:
    if plan.shortfall is not None:
        yield plan.shortfall, "shortfall"
    for place, each in enumerate(plan.tranches):
        if each.shortfall is not None:
            yield each.shortfall, f"tranches[{place}].shortfall"


# What others say.


def refuse_contradicting(
    state: State, calendar: Calendar, stated: ContractPlan, placed: ContractPlan, since: int
) -> Refusal | None:
    """clauses_contradict, for the first stock and instant at which clauses contradict each other once this contract
    holds, from `since` on. `stated` is its text; `placed` the same with a site and a SKU for each tranche.
    """
    if not calendar.speaking and not ranking.said_once([stated]):
        return None
    for stock in dict.fromkeys(calendars.stock_of(each) for each in placed.tranches):
        members = [*_signed(state, calendar.tranches(stock), stated), *_new(stated, placed, stock, since)]
        for start in sorted({each.when.start for each in members if _matters(each, members)}):
            present = [each for each in members if each.when.start <= start < each.when.end]
            found = _conflict(present)
            if found:
                where = next(each.where for each in present if each.where)
                return _refusal([present[each] for each in found], stock, start, where)
    return None


def _matters(one: _Member, members: Sequence[_Member]) -> bool:
    """Whether a clause is its own, or is about it by name."""
    names = (one.party.contract, one.party.tenant)
    return one.party.says is not None or any(
        name in (*each.party.says.before, *each.party.says.after)
        for each in members
        if each.party.says is not None
        for name in names
    )


def _signed(state: State, names: Iterable[TrancheId], stated: ContractPlan) -> Iterator[_Member]:
    """Those of these tranches that are of other contracts, in each version that holds or will hold."""
    for tranche in (state.tranches[name] for name in names):
        if tranche.contract == stated.id or tranche.standing is Standing.ENDED:
            continue
        window = term(tranche.plan)
        versions = state.versions[tranche.contract]
        ends = [*(each.effective_at for each in versions[1:]), INSTANT_MAX]
        for version, end_at in zip(versions, ends, strict=True):
            first = version is versions[0]
            start = window.start if first else max(window.start, version.effective_at)
            texts = {each.id: each for each in version.plan.tranches}
            # What a right added has no text of its own.
            own = texts.get(tranche.plan.id, tranche.plan)
            party = Party(tranche.contract, tranche.tenant, ranking.says_of(version.plan, own))
            if start < min(window.end, end_at):
                yield _Member(party, tranche.plan.id, Interval(start, min(window.end, end_at)), "")


def _new(stated: ContractPlan, placed: ContractPlan, stock: Stock, since: int) -> Iterator[_Member]:
    texts = {each.id: (place, each) for place, each in enumerate(stated.tranches)}
    for each in placed.tranches:
        place, text = texts[each.id]
        when = Interval(max(each.start_at, since), each.end_at)
        if calendars.stock_of(each) == stock and when.start < when.end:
            where = f"tranches[{place}].shortfall" if text.shortfall or not stated.shortfall else "shortfall"
            party = Party(stated.id, stated.tenant, ranking.says_of(stated, text))
            yield _Member(party, each.id, when, where)


def _conflict(present: Sequence[_Member]) -> list[int]:
    """Members whose clauses contradict each other because of the new contract; none where they do not."""
    edges = [
        _Edge(here, *((here, there) if place == ranking.BEFORE else (there, here)))
        for here, one in enumerate(present)
        if one.party.says is not None
        for there, other in enumerate(present)
        if (place := ranking.places(one.party, other.party)) != ranking.SILENT
    ]
    new = [here for here, one in enumerate(present) if one.where]
    for edge in edges:
        if ranking.shares_ratably(present[edge.low].party) and {edge.high, edge.low} & set(new):
            return [edge.low, edge.says]
    for here in new:
        found = _circle(edges, here)
        if found:
            return found
    return []


def _circle(edges: Sequence[_Edge], start: int) -> list[int]:
    """Whose clauses lead from a member back to it, along the shortest way."""
    paths: dict[int, list[int]] = {start: []}
    turns = [start]
    for here in turns:
        for edge in edges:
            if edge.high != here:
                continue
            path = [*paths[here], edge.says]
            if edge.low == start:
                return list(dict.fromkeys(path))
            if edge.low not in paths:
                paths[edge.low] = path
                turns.append(edge.low)
    return []


def _refusal(found: Sequence[_Member], stock: Stock, start: int, where: str) -> Refusal:
    parts = []
    for each in found:
        assert each.party.says is not None, "it is a clause that contradicts another"
        parts.append(
            f"contract {each.party.contract} ({clause_text(each.party.says)!r}, tranche {each.tranche})"
        )
    end = min(each.when.end for each in found)
    told = (
        f"{' and '.join(parts)} contradict each other: {stock.sku} at {stock.site} from {timeline.text(start)} until "
        f"{timeline.text(end)}"
    )
    blamed = next((each.where for each in found if each.where), where)
    return Refusal("clauses_contradict", told, blamed)
