"""What does it cost to say who is called back for 4,096 GPUs, and how far is that from the least that can be lost?

usage: python benchmarks/victims.py [--quick]

Fleets of NVL72-like racks (18 nodes of 4 GPUs) that one tranche owns, lent whole to gangs of 1 to 288 GPUs, which
make a checkpoint every 10, 30 or 60 minutes or never. Again and again up to a minute passes, some gangs leave and
others come, and somebody of the owner wants room. Timed is all of one decision, in milliseconds of one processor: the
scratch copy of the index, the choice, and the place that is found then. Below, on small cases, the same choice is
held against every set of gangs there is.
"""

from __future__ import annotations

import gc
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from benchmarks import search as fleets

from forebay.core import ids
from forebay.core.placements import search, victims
from forebay.core.placements.borrowers import Borrower, LoanBook
from forebay.core.placements.gang import Level, Run
from forebay.core.placements.index import each_node
from forebay.core.placements.search import Misfit, Want
from forebay.core.units import SECOND_US
from forebay.server.listening import COLLECT_AFTER
from tests.core.placements import lenders

OWNER = "t1"
HOUR_S = 3600
SIZES = (1, 1, 1, 2, 2, 4, 4, 4, 4, 8, 8, 8, 16, 16, 36) * 8 + (72, 72, 144, 288)
INTERVALS_S = (0, 600, 1800, 1800, 3600)
ROUNDS = 200


class Lent:
    """A fleet that is lent."""

    def __init__(self, racks: int, borrowers: int) -> None:
        self.draw = random.Random(1)
        self.index = fleets.fleet(racks)
        # There is power for all that is promised: else it could not have been signed.
        self.index.limit_w[:] = [limit_w * 5 // 4 for limit_w in self.index.limit_w]
        self.index.set_owner([(0, racks * fleets.NODES)], OWNER)
        self.book = LoanBook()
        self.at = 10 * HOUR_S * SECOND_US
        self.count = 0
        while len(self.book.staying) < borrowers and self.borrow(self.draw.choice(SIZES)):
            pass
        # What is left goes to the smallest: nothing is idle.
        while self.borrow(72) or self.borrow(8) or self.borrow(1):
            pass

    def borrow(self, gpus: int) -> bool:
        """One more, that started some time ago; whether there is room for it."""
        found = search.locate(self.index, self.want(gpus, Level.RACK if gpus <= 72 else Level.SITE))
        if isinstance(found, Misfit):
            return False
        self.count += 1
        name = ids.GangId(f"g{self.count}")
        self.index.take(found, fleets.GPU_W)
        interval_s = self.draw.choice(INTERVALS_S)
        age_us = self.draw.randrange(5 * HOUR_S) * SECOND_US
        self.book.enter(self.borrower(name, found, self.at - age_us, interval_s * SECOND_US))
        return True

    def borrower(self, name: ids.GangId, runs: tuple[Run, ...], since: int, period_us: int) -> Borrower:
        """As it stands in the book."""
        by_rack: dict[int, int] = {}
        for node, mask in each_node(runs):
            rack = self.index.plant.rack_of_node[node]
            by_rack[rack] = by_rack.get(rack, 0) + mask.bit_count()
        gpus = sum(by_rack.values())
        return Borrower(name, gpus, runs, self.count, tuple(sorted(by_rack.items())), since, period_us)

    def leave(self, name: ids.GangId) -> int:
        """Somebody has left; how many GPUs it had."""
        gone = self.book.staying[name]
        self.book.leave(name)
        self.index.release(gone.runs, fleets.GPU_W)
        return gone.gpus

    def pass_time(self) -> None:
        """Up to a minute, in which a few hundred leave and as many come."""
        self.at += self.draw.randrange(1, 60) * SECOND_US
        names = list(self.book.staying)
        left = [self.leave(name) for name in self.draw.sample(names, min(300, len(names) // 20))]
        for gpus in left:
            self.borrow(gpus)

    def want(self, gpus: int, within: Level = Level.SITE, slice_gpus: int = 0) -> Want:
        """A shape on the tranche."""
        return Want(OWNER, fleets.SKU, fleets.SITE, gpus, within, fleets.GPU_W, Level.SITE, slice_gpus)

    def decide(self, want: Want) -> tuple[float, float, int]:
        """Seconds of one decision, of a processor and of the clock, and how many are called back."""
        begin, since = time.process_time(), time.perf_counter()
        scratch = self.index.scratch()
        scene = victims.Scene(self.book, scratch, self.at, 60 * SECOND_US)
        chosen = victims.pick(scene, want)
        for each in chosen:
            scratch.release(each.runs, fleets.GPU_W)
        found = search.locate(scratch, want)
        took, passed = time.process_time() - begin, time.perf_counter() - since
        assert not isinstance(found, Misfit), found
        return took, passed, len(chosen)


def measure(racks: int, borrowers: int, rounds: int) -> None:
    """One line for each shape."""
    lent = Lent(racks, borrowers)
    gpus = racks * fleets.NODES * fleets.GPUS
    # As a server does it: what there is at the start is never looked at again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    shapes = [
        ("4,104 in whole racks", lent.want(4_104, slice_gpus=72)),
        ("4,096 anywhere", lent.want(4_096)),
        ("4,096 in one hall", lent.want(4_096, Level.HALL)),
        ("4,096 in parts of 64", lent.want(4_096, slice_gpus=64)),
        ("72 in one rack", lent.want(72, Level.RACK)),
        ("4 on one node", lent.want(4, Level.NODE)),
    ]
    for name, want in shapes:
        if want.gpus * 4 > gpus:
            continue
        lent.decide(want)
        took, passed, called = [], [], 0
        for _ in range(rounds):
            lent.pass_time()
            spent, clock, count = lent.decide(want)
            took.append(spent * 1e3)
            passed.append(clock * 1e3)
            called += count
        took.sort()
        passed.sort()
        print(
            f"{gpus:>9,} {len(lent.book.staying):>9,}  {name:<22} {took[len(took) // 2]:>7.1f} ms"
            f" {took[len(took) * 99 // 100]:>7.1f} ms {passed[len(passed) * 99 // 100]:>7.1f} ms"
            f" {called // rounds:>8,}",
            flush=True,
        )


def gaps(cases: int) -> None:
    """How much dearer than the best of all sets, by kind of shape."""
    draw, told = random.Random(1), dict[str, list[float]]()
    for _ in range(cases):
        small = lenders.drawn(draw)
        kind, terms = draw.choice(lenders.KINDS)
        want = lenders.wanted(**terms)
        best = None if small.fits(want, ()) else small.best(want)
        if best:
            chosen = victims.pick(small.scene, want)
            assert small.fits(want, tuple(chosen))
            told.setdefault(kind, []).append(small.scene.total(chosen) / best)
    print(f"{'':22} {'cases':>6} {'best':>8} {'mean':>7} {'worst':>7}")
    for kind, found in sorted(told.items()):
        best_of = sum(ratio == 1 for ratio in found) / len(found)
        mean = sum(found) / len(found)
        print(f"{kind:22} {len(found):>6,} {best_of:>8.1%} {mean:>7.3f} {max(found):>7.2f}")


def main() -> None:
    """Print both tables."""
    quick = "--quick" in sys.argv
    print(
        f"{'GPUs':>9} {'borrowers':>9}  {'shape':<22} {'median':>10} {'p99':>10} {'clock p99':>10} {'called':>8}"
    )
    for racks in (140, 1_400, 14_000):
        measure(racks, racks * 80 // 14, ROUNDS // 10 if quick else ROUNDS)
    print(
        "\nwhat is lost, over the least that could be lost (five racks, up to eight borrowers, every set tried)"
    )
    gaps(500 if quick else 6_000)


if __name__ == "__main__":
    main()
