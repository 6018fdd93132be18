"""Who is served before whom, as contracts say it; and who goes short then, against a naive model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.core import claims
from forebay.core.claims import PromisePolicy, Serving, ShortfallTerms, Shorting, ranking, shortfall
from forebay.core.claims.ranking import Party
from forebay.core.ids import ContractId, TenantId, TrancheId
from tests.core.claims.market import promise

PRO_RATA, SIGNING, LEAST = Shorting.PRO_RATA, Shorting.SIGNING, Shorting.LEAST_DAMAGES
FIRST, LAST, RATABLY = Serving.FIRST, Serving.LAST, Serving.RATABLY


def says(served: Serving | None = None, before: str = "", after: str = "") -> ShortfallTerms:
    return ShortfallTerms(served, tuple(before.split()), tuple(after.split()))


def party(n: int, clause: ShortfallTerms | None = None) -> Party:
    """Contract `c1` of customer `a1`, and so on."""
    return Party(ContractId(f"c{n}"), TenantId(f"a{n}"), clause)


@pytest.mark.parametrize(
    ("clauses", "expected"),
    [
        ([None, None], [[0, 1]]),
        ([says(FIRST), None, None], [[1, 2], [0]]),
        ([None, says(LAST), None], [[1], [0, 2]]),
        ([says(FIRST), says(LAST), None], [[1], [2], [0]]),
        ([says(RATABLY), None], [[0, 1]]),
        ([says(before="c2"), None, None], [[1], [0, 2]]),
        ([says(before="a2"), None, None], [[1], [0, 2]]),
        ([None, says(after="c1"), None], [[1], [0, 2]]),
        # One clause follows from others.
        ([says(before="c2"), says(before="c3"), None], [[2], [1], [0]]),
        # Whom it names comes before what it says of all.
        ([says(FIRST, after="c3"), None, None], [[1], [0], [2]]),
        ([says(FIRST), says(FIRST, after="c1"), None], [[2], [1], [0]]),
        ([says(LAST, before="c2"), None, None], [[1], [0], [2]]),
        # Of clauses that contradict each other that of the one known first holds.
        ([says(FIRST), says(FIRST)], [[1], [0]]),
        ([says(before="c2"), says(before="c3"), says(before="c1")], [[2], [1], [0]]),
    ],
)
def test_who_loses_when(clauses: list[ShortfallTerms | None], expected: list[list[int]]) -> None:
    assert ranking.ranks([party(n, each) for n, each in enumerate(clauses, 1)]) == expected


def test_a_contract_is_not_ranked_against_itself_nor_a_customer_unless_by_name() -> None:
    one, other = party(1, says(FIRST)), Party(ContractId("c9"), TenantId("a1"))
    assert ranking.places(one, one) == ranking.places(one, other) == ranking.SILENT
    assert ranking.places(party(1, says(before="c9")), other) == ranking.BEFORE
    assert ranking.places(party(1, says(RATABLY)), party(2)) == ranking.SILENT


def test_the_clause_of_a_tranche_stands_in_the_place_of_its_contracts() -> None:
    plain, own = promise(), promise(shortfall=says(LAST))
    silent, plan = (claims.ContractPlan(ContractId("c"), 1, "us", TenantId("a"), "USD") for _ in range(2))
    plan.shortfall = says(FIRST)
    assert ranking.says_of(silent, plain) is None
    assert (ranking.says_of(plan, plain), ranking.says_of(plan, own)) == (says(FIRST), says(LAST))


# How an excess is shared: tranches as (nodes that they wait for, nodes that they have, nodes of a unit, clause).

Owed = tuple[int, int, int, ShortfallTerms | None]


def shared(policy: PromisePolicy, excess: int, owed: list[Owed]) -> list[int]:
    """Nodes that each goes short of; that no clause is broken by it is checked."""
    present = [
        shortfall._Owed(
            claims.Tranche(promise(f"t{n}"), ContractId(f"c{n}"), TenantId(f"a{n}"), claims.Standing.LIVE),
            waits + has, unit, has, clause,
        )
        for n, (waits, has, unit, clause) in enumerate(owed, 1)
        if waits + has
    ]  # fmt: skip
    found = shortfall._shared(policy, present, excess)
    assert shortfall._wrong(present, excess, found) == ""
    return [found.get(TrancheId(f"t{n}"), 0) for n in range(1, len(owed) + 1)]


def rule(shorting: Shorting = Shorting.PRO_RATA, *protected: int) -> PromisePolicy:
    return PromisePolicy(1, shorting=shorting, protected=tuple(ContractId(f"c{n}") for n in protected))


@pytest.mark.parametrize(
    ("policy", "excess", "owed", "expected"),
    [
        # Served first: short only when all others have nothing left.
        (rule(), 4, [(8, 0, 4, says(FIRST)), (8, 0, 4, None), (8, 0, 4, None)], [0, 0, 4]),
        (rule(), 20, [(8, 0, 4, says(FIRST)), (8, 0, 4, None), (8, 0, 4, None)], [4, 8, 8]),
        # Served last, whatever the policy protects: contracts come first.
        (rule(Shorting.SIGNING, 1), 4, [(8, 0, 4, says(LAST)), (8, 0, 4, None)], [4, 0]),
        # After one: the others are as they were.
        (rule(), 6, [(4, 0, 1, None), (4, 0, 1, says(after="c1")), (4, 0, 1, None)], [1, 4, 1]),
        # Ratably: its own share, and the policy has the rest.
        (rule(Shorting.SIGNING), 6, [(4, 0, 1, None), (4, 0, 1, None), (4, 0, 1, says(RATABLY))], [0, 4, 2]),
        (
            rule(Shorting.SIGNING, 2),
            6,
            [(4, 0, 1, None), (4, 0, 1, None), (4, 0, 1, says(RATABLY))],
            [4, 0, 2],
        ),
        (rule(), 6, [(4, 0, 1, says(LAST)), (4, 0, 1, None), (4, 0, 1, says(RATABLY))], [4, 1, 1]),
        # What somebody has is not taken for who is served first and waits.
        (rule(), 4, [(4, 0, 4, says(FIRST)), (0, 8, 4, None)], [4, 0]),
        (rule(), 8, [(4, 4, 4, says(FIRST)), (0, 8, 4, None)], [4, 4]),
        # A unit that is larger than what is left below it is lost all the same; nobody loses more than that.
        (rule(), 2, [(4, 0, 4, says(FIRST)), (1, 0, 1, None)], [4, 0]),
    ],
)
def test_how_clauses_share_an_excess(
    policy: PromisePolicy, excess: int, owed: list[Owed], expected: list[int]
) -> None:
    assert shared(policy, excess, owed) == expected


NAMES = ["", "", "c1", "a2", "c3"]
clauses = st.none() | st.builds(
    says, st.sampled_from([None, *Serving]), st.sampled_from(NAMES), st.sampled_from(NAMES)
)
owing = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([1, 1, 3, 4]), clauses).map(
        lambda each: (each[0] * each[2], each[1] * each[2], each[2], each[3])
    ),
    min_size=1, max_size=5,
)  # fmt: skip


@given(owing, st.integers(1, 50), st.sampled_from([PRO_RATA, SIGNING, LEAST]), st.sets(st.integers(1, 5)))
def test_no_clause_is_broken_and_all_is_shared(
    owed: list[Owed], excess: int, shorting: Shorting, protected: set[int]
) -> None:
    """Contradictions included: then those known first hold."""
    excess = min(excess, sum(waits + has for waits, has, _, _ in owed))
    if excess:
        found = shared(rule(shorting, *sorted(protected)), excess, owed)
        assert sum(found) >= excess


@given(owing, st.integers(1, 50))
def test_the_same_as_a_naive_model_node_by_node(owed: list[Owed], excess: int) -> None:
    """With nodes as units, and the policy that takes from who signed last: one node after the other is taken from
    whoever may lose one: of those that others are served before, somebody with the longest chain above.
    """
    owed = [
        (waits, has, 1, None if clause and clause.served is RATABLY else clause)
        for waits, has, _, clause in owed
    ]
    excess = min(excess, sum(waits + has for waits, has, _, _ in owed))
    found = shared(rule(Shorting.SIGNING), excess, owed) if excess else [0] * len(owed)
    lost = [0] * len(owed)
    for _ in range(excess):
        waiting = [n for n, (waits, _, _, _) in enumerate(owed) if lost[n] < waits]
        having = [n for n, (waits, has, _, _) in enumerate(owed) if waits <= lost[n] < waits + has]
        losers = waiting or having
        # Who has lost all that it waits for stands in nobody's way, and is in nobody's chain.
        turn = [n for n, (waits, has, _, _) in enumerate(owed) if (waits if waiting else has)]
        pairs = chosen_pairs([party(n + 1, owed[n][3]) for n in turn], turn)
        lost[max(losers, key=lambda n: (chain(n, pairs), n))] += 1
    assert found == lost


def chosen_pairs(parties: list[Party], names: list[int]) -> set[tuple[int, int]]:
    """(Before, after), as clauses say, in order of signing, without those that contradict an earlier one."""
    pairs: set[tuple[int, int]] = set()
    for one, here in zip(parties, names, strict=True):
        for other, there in zip(parties, names, strict=True):
            place = ranking.places(one, other)
            high, low = (here, there) if place == ranking.BEFORE else (there, here)
            if place != ranking.SILENT and not leads(pairs, low, high):
                pairs.add((high, low))
    return pairs


def leads(pairs: set[tuple[int, int]], high: int, low: int) -> bool:
    return any(one == high and (other == low or leads(pairs, other, low)) for one, other in pairs)


def chain(name: int, pairs: set[tuple[int, int]]) -> int:
    return max((1 + chain(high, pairs) for high, low in pairs if low == name), default=0)


# What is told.


@pytest.mark.parametrize(
    ("clause", "told"),
    [
        (says(FIRST), "served first"),
        (says(LAST, before="c2 c3"), "served last, before c2, c3"),
        (says(after="acme"), "after acme"),
    ],
)
def test_a_clause_in_words(clause: ShortfallTerms, told: str) -> None:
    assert claims.serving.clause_text(clause) == told


def test_which_clauses_speak_of_a_tranche() -> None:
    parties: dict[TrancheId, Any] = {
        TrancheId("t1"): party(1, says(FIRST)),
        TrancheId("t2"): party(2),
        TrancheId("t3"): party(3, says(after="c1")),
    }
    assert ranking.deciding(parties, TrancheId("t2")) == ([("c1", "served first")], True)
    assert ranking.deciding(parties, TrancheId("t3")) == ([("c3", "after c1"), ("c1", "served first")], True)
    parties = {TrancheId("t1"): party(1), TrancheId("t2"): party(2), TrancheId("t3"): party(3, says(RATABLY))}
    assert ranking.deciding(parties, TrancheId("t2")) == ([], True)
    assert ranking.deciding(parties, TrancheId("t3")) == ([("c3", "served ratably")], False)
