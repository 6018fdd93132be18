"""Borrowers on a few racks by hand, and the cheapest victims by trying every set."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from hypothesis import strategies as st

from forebay.core import ids
from forebay.core.placements import search
from forebay.core.placements.borrowers import Borrower, LoanBook
from forebay.core.placements.gang import Level, Run
from forebay.core.placements.index import Index, each_node, gpus_of
from forebay.core.placements.search import Misfit, Want
from forebay.core.placements.victims import Scene
from tests.core.placements import racks

OWNER = "t1"
AT = 100_000

#: A gang to come: GPUs, how near, whose (0: the owner's own), its age, its interval, and whether it leaves again.
SIZES = [1, 2, 3, 4, 4, 5, 8, 8, 12, 16]
NEAR = [Level.SITE, Level.RACK]
WHOSE = [0, 1, 1, 1, 1, 1]
INTERVALS = [0, 0, 10, 17, -1]
LEAVES = [False, False, False, True]
Arrival = tuple[int, Level, int, int, int, bool]
arriving = st.tuples(
    st.sampled_from(SIZES),
    st.sampled_from(NEAR),
    st.sampled_from(WHOSE),
    st.integers(0, 60),
    st.sampled_from(INTERVALS),
    st.sampled_from(LEAVES),
)
#: Shapes by the rule that chooses for them.
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("whole racks", {"gpus": 12, "slice_gpus": 12}),
    ("whole racks", {"gpus": 24, "slice_gpus": 12}),
    ("whole racks", {"gpus": 36, "slice_gpus": 12}),
    ("whole racks", {"gpus": 24, "slice_gpus": 12, "within": Level.HALL}),
    ("whole racks", {"gpus": 12, "within": Level.RACK}),
    ("one node", {"gpus": 1}),
    ("one node", {"gpus": 3}),
    ("one node", {"gpus": 4}),
    ("part of a rack", {"gpus": 8, "within": Level.RACK}),
    ("part of a rack", {"gpus": 16, "slice_gpus": 8}),
    ("nodes anywhere", {"gpus": 8}),
    ("nodes anywhere", {"gpus": 9}),
    ("nodes anywhere", {"gpus": 16}),
    ("nodes anywhere", {"gpus": 24}),
    ("nodes in one hall", {"gpus": 16, "within": Level.HALL}),
]
EXACT = ("whole racks", "one node")


@dataclass
class Small:
    """Five racks of three nodes of four GPUs in two halls; some of it lent."""

    scene: Scene
    borrowers: list[Borrower]

    def fits(self, want: Want, gone: tuple[Borrower, ...]) -> bool:
        index = self.scene.index
        for each in gone:
            index.release(each.runs, 1)
        found = search.locate(index, want)
        for each in gone:
            index.take(each.runs, 1)
        return not isinstance(found, Misfit)

    def best(self, want: Want) -> int | None:
        """The least that it costs, over all sets; None where none is enough."""
        sets = [
            some for count in range(len(self.borrowers) + 1) for some in combinations(self.borrowers, count)
        ]
        sets.sort(key=self.scene.total)
        return next((self.scene.total(some) for some in sets if self.fits(want, some)), None)


def made(arrivals: list[Arrival], out: int = -1, restart: int = 5) -> Small:
    """Gangs come in this order, as far as there is room; some leave again."""
    index = racks.made([("h1", "f", 3)] * 3 + [("h2", "f", 3)] * 2, gpus_per_node=4)
    index.set_owner([(0, 15)], OWNER)
    book = LoanBook()
    borrowers: list[Borrower] = []
    gone: list[tuple[Run, ...]] = []
    for number, (gpus, within, lent, age, period, leaves) in enumerate(arrivals):
        runs = search.locate(index, wanted(gpus=gpus, within=within))
        if isinstance(runs, Misfit):
            continue
        index.take(runs, 1)
        if leaves:
            gone.append(runs)
            continue
        name = ids.GangId(f"g{number}")
        if lent and len(borrowers) < 8:
            borrowers.append(borrower(index, name, runs, number, age, period))
            book.enter(borrowers[-1])
    for runs in gone:
        index.release(runs, 1)
    if out >= 0:
        index.set_usable(out, False)
    return Small(Scene(book, index, AT, restart), borrowers)


def borrower(
    index: Index, name: ids.GangId, runs: tuple[Run, ...], seq: int, age: int, period: int
) -> Borrower:
    by_rack: dict[int, int] = {}
    for node, mask in each_node(runs):
        rack = index.plant.rack_of_node[node]
        by_rack[rack] = by_rack.get(rack, 0) + mask.bit_count()
    return Borrower(name, gpus_of(runs), runs, seq, tuple(sorted(by_rack.items())), AT - age, period)


def wanted(**terms: Any) -> Want:
    return racks.want(**({"owner": OWNER} | terms))


def drawn(draw: random.Random) -> Small:
    """The same by chance."""
    arrivals = [
        (
            draw.choice(SIZES), draw.choice(NEAR), draw.choice(WHOSE), draw.randint(0, 60), draw.choice(INTERVALS),
            draw.choice(LEAVES),
        )
        for _ in range(draw.randint(6, 22))
    ]  # fmt: skip
    return made(arrivals, draw.choice([-1, -1, -1, 3]))
