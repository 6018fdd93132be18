"""Who is served before whom when there is too little, as contracts say it?

A clause speaks of one tranche, or of all tranches of its contract, and of others on the same stock at one time.
`served: first` puts it before every tranche of another customer, `last` after; `before` and `after` name contracts or
customers, and come before what is said of all. One clause follows from others: who is served before somebody is
served before all who come after him. Who is put after nobody goes short last, and the longer the chain of those
before somebody, the sooner he does.

Clauses that contradict each other are refused when they are signed (`contradicting`). What a right adds later was
signed by then: of two clauses that contradict each other all the same, that of the tranche known first holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from forebay.core.claims.serving import Serving, ShortfallTerms, clause_text
from forebay.core.claims.terms import ContractPlan, TranchePlan
from forebay.core.ids import ContractId, TenantId, TrancheId

BEFORE, SILENT, AFTER = -1, 0, 1


class Party(NamedTuple):
    """A tranche, as far as clauses speak of it."""

    contract: ContractId
    tenant: TenantId
    #: What holds for it; None where its contract is silent.
    says: ShortfallTerms | None = None


class Lot(NamedTuple):
    """What a tranche is owed, and goes short of, on one turn: of what it waits for, or of what it has."""

    name: str
    party: Party
    nodes: int
    lost: int
    #: Nodes of one unit of its shape.
    unit: int


def says_of(contract: ContractPlan, tranche: TranchePlan) -> ShortfallTerms | None:
    """The clause that holds for a tranche: its own, else that of its contract."""
    return tranche.shortfall or contract.shortfall


def said_once(plans: Iterable[ContractPlan]) -> bool:
    """Whether any version of a contract has a clause on shortfall."""
    return any(plan.shortfall or any(each.shortfall for each in plan.tranches) for plan in plans)


def places(one: Party, other: Party) -> int:
    """Where the clause of one tranche puts it, beside another: BEFORE, AFTER, or SILENT."""
    says = one.says
    if says is None or one.contract == other.contract:
        return SILENT
    if other.contract in says.before or other.tenant in says.before:
        return BEFORE
    if other.contract in says.after or other.tenant in says.after:
        return AFTER
    if one.tenant == other.tenant:
        return SILENT
    return {Serving.FIRST: BEFORE, Serving.LAST: AFTER}.get(says.served or Serving.RATABLY, SILENT)


def seniors(parties: Sequence[Party]) -> list[set[int]]:
    """Of each tranche, in order of signing, those that are served before it."""
    above: list[set[int]] = [set() for _ in parties]
    below: list[set[int]] = [set() for _ in parties]
    for here, one in enumerate(parties):
        for there, other in enumerate(parties) if one.says else ():
            place = places(one, other)
            high, low = (here, there) if place == BEFORE else (there, here)
            if place == SILENT or low in above[high]:
                continue
            over, under = {high, *above[high]}, {low, *below[low]}
            for each in under:
                above[each] |= over
            for each in over:
                below[each] |= under
    return above


def ranks(parties: Sequence[Party]) -> list[list[int]]:
    """Tranches by when they lose: first those with the longest chain of others before them; in order of signing."""
    if all(party.says is None for party in parties):
        return [list(range(len(parties)))]
    above = seniors(parties)
    depth: dict[int, int] = {}
    for each in sorted(range(len(parties)), key=lambda each: len(above[each])):
        depth[each] = 1 + max((depth[senior] for senior in above[each]), default=-1)
    return [
        [each for each in range(len(parties)) if depth[each] == n] for n in sorted({*depth.values()})[::-1]
    ]


def shares_ratably(party: Party) -> bool:
    """Whether a clause says that a tranche goes short by the same share as all others."""
    return party.says is not None and party.says.served is Serving.RATABLY


def broken(lots: Sequence[Lot], excess: int) -> str:
    """Which clause is not kept by what each loses of an excess on one turn, in words; "" where all are."""
    if all(lot.party.says is None for lot in lots):
        return ""
    above = seniors([lot.party for lot in lots])
    total = sum(lot.nodes for lot in lots)
    excess = min(excess, total)
    for here, lot in enumerate(lots):
        juniors = [other for other, over in enumerate(above) if here in over]
        left = sum(lots[other].nodes - lots[other].lost for other in juniors)
        if lot.lost and left >= lot.unit:
            other = next(other for other in juniors if lots[other].nodes > lots[other].lost)
            return (
                f"tranche {lot.name} goes short, and {lots[other].name} has something left: "
                f"{_why(lots[here].party, lots[other].party)}"
            )
        most = -(-excess * lot.nodes // (total * lot.unit)) * lot.unit
        if shares_ratably(lot.party) and not above[here] and lot.lost > most:
            return (
                f"tranche {lot.name} goes short of {lot.lost} nodes, and its share is {most}: contract "
                f"{lot.party.contract} says {clause_text(ShortfallTerms(Serving.RATABLY))!r}"
            )
    return ""


def _why(senior: Party, junior: Party) -> str:
    """The clause that puts one before another."""
    for one, other, place in ((senior, junior, BEFORE), (junior, senior, AFTER)):
        if one.says is not None and places(one, other) == place:
            return f"contract {one.contract} says {clause_text(one.says)!r}"
    return "one clause follows from others"


class Decided(NamedTuple):
    """What decides how much a tranche loses."""

    #: Whose clauses speak of it beside others, and what they say: its own, and theirs.
    clauses: list[tuple[ContractId, str]]
    #: Whether something is left to the policy: somebody else loses with it of whom no clause says more.
    by_policy: bool


def deciding(parties: Mapping[TrancheId, Party], name: TrancheId) -> Decided:
    """What decides how much one of these tranches loses."""
    one, names = parties[name], list(parties)
    found: dict[tuple[ContractId, str], None] = {}
    if one.says is not None:
        found[one.contract, clause_text(one.says)] = None
    for other in parties.values():
        if other.says is not None and places(other, one) != SILENT:
            found[other.contract, clause_text(other.says)] = None
    rank = next(rank for rank in ranks(list(parties.values())) if names.index(name) in rank)
    open_to = [names[each] for each in rank if not shares_ratably(parties[names[each]])]
    return Decided(list(found), name in open_to and len(open_to) > 1)
