"""A better plan than a quick one, by a solver (HiGHS), with a bound on how much better any could be.

Whole numbers x[want, group] of racks, and for each want the racks u that it goes without, the racks f and r that it
loses with its worst feed and row, and the racks m[want, group] that it gives up:

    minimise  short * u + feed * f + row * r + (cost of a move) * m
    sum over groups of x + u = racks wanted
    sum over the groups of a feed (of a row) of x <= f (r)
    m >= had - x
    at each instant: sum over the wants that are there of x <= racks of the group, for each group
    the same over the groups below a level of power <= racks that it carries beside what else is promised there

A model of the whole stock gives a bound. Where that is too large for the time there is, the wants that pay most above
their own bound are planned anew together, as many as fit, and the others stay.

Solver objects do not leave this file.
"""

from __future__ import annotations

from typing import NamedTuple

import highspy
import numpy as np
from numpy.typing import NDArray

from forebay.planner import spreading
from forebay.planner.alike import Case, Counts
from forebay.planner.spreading import Weights

#: Whole-number columns of a model that can be worked on in a minute.
COLUMNS_MAX = 20_000


class Solved(NamedTuple):
    """A plan, and what every plan costs at least."""

    counts: Counts
    cost: float
    bound: float
    #: Whether a solver made it better.
    solved: bool
    #: What the solver said at its end; "" where none was asked.
    status: str = ""

    @property
    def gap(self) -> float:
        """How much of the cost may be more than it had to be, from 0 to 1."""
        return max(0.0, self.cost - self.bound) / self.cost if self.cost else 0.0


def improve(posed: Case, start: Counts, weights: Weights, seconds: float, gap: float) -> Solved:
    """The plan, or a better one: until the gap is small enough or the time is over. A plan that would be refused is
    worse than any that would not.
    """
    paid, least = spreading.costs(posed, start, weights), spreading.bounds(posed, weights)
    first = Solved(start, float(paid.sum()), float(least.sum()), False)
    wrong = _refusable(posed, start)
    if (first.gap <= gap and not wrong) or not posed.groups or seconds <= 0:
        return first
    free = np.argsort(least - paid, kind="stable")[: max(2, COLUMNS_MAX // len(posed.groups))]
    model = _Model(posed, start, sorted(int(number) for number in free), weights)
    counts, bound, status = model.run(start, seconds, gap)
    whole = len(free) == len(posed.wants)
    cost = float(spreading.costs(posed, counts, weights).sum())
    bound = max(first.bound, bound) if whole else first.bound
    if cost < first.cost or (wrong and not _refusable(posed, counts)):
        return Solved(counts, cost, bound, True, status)
    return first._replace(bound=bound, status=status)


def _refusable(posed: Case, counts: Counts) -> bool:
    """Whether somebody would have fewer racks than now, or a level of power carry more than it can."""
    carried = [np.zeros(len(posed.instants), dtype=np.int64) for _ in posed.ceilings]
    for number, (first, last) in enumerate(posed.spans):
        for level, ceiling in zip(carried, posed.ceilings, strict=True):
            level[first:last] += int(counts[number][ceiling.below].sum())
    overdrawn = any(
        (level > ceiling.racks).any() for level, ceiling in zip(carried, posed.ceilings, strict=True)
    )
    return overdrawn or bool((counts.sum(axis=1) < posed.had().sum(axis=1)).any())


class _Model:
    """Rows and columns, as they are added."""

    def __init__(self, posed: Case, start: Counts, free: list[int], weights: Weights) -> None:
        self.free = free
        self.lower: list[float] = []
        self.upper: list[float] = []
        self.costs: list[float] = []
        self.whole: list[bool] = []
        self.rows: list[tuple[float, float]] = []
        self.starts: list[int] = [0]
        self.columns: list[int] = []
        self.values: list[float] = []
        #: (Need, group) -> its column.
        self.x: dict[tuple[int, int], int] = {}
        self._wants(posed, weights)
        self._capacity(posed, start)
        self._power(posed, start)

    def column(self, cost: float, upper: float, *, lower: float = 0.0, whole: bool = False) -> int:
        self.costs.append(cost)
        self.lower.append(lower)
        self.upper.append(upper)
        self.whole.append(whole)
        return len(self.costs) - 1

    def row(self, columns: list[int], values: list[float], lower: float, upper: float) -> None:
        self.columns += columns
        self.values += values
        self.starts.append(len(self.columns))
        self.rows.append((lower, upper))

    def _wants(self, posed: Case, weights: Weights) -> None:
        known = spreading.domains(posed).weighed(weights)
        allowed, had, sizes = posed.allowed(), posed.had(), posed.sizes
        moves, shorts = spreading.move_costs(posed, weights), spreading.short_costs(posed, weights)
        for number in self.free:
            wanted = posed.wants[number].racks
            groups = [int(place) for place in np.flatnonzero(allowed[number])]
            for place in groups:
                most = min(wanted, int(sizes[place]))
                self.x[number, place] = self.column(0.0, most, whole=True)
            held = int(had[number].sum())
            short = self.column(float(shorts[number]), max(0, wanted - held))
            own = [self.x[number, place] for place in groups]
            self.row([*own, short], [1.0] * (len(own) + 1), wanted, wanted)
            for weight, of in known:
                open_ = np.where(allowed[number], sizes, 0)
                rooms = spreading.sum_by(of, open_)
                peak = self.column(weight, wanted)
                least = spreading.least_peak(rooms, max(0, wanted - spreading.elsewhere(of, open_)))
                self.row([peak, short], [1.0, 1.0], least, np.inf)
                for domain in range(len(rooms)):
                    there = [self.x[number, place] for place in groups if of[place] == domain]
                    if there:
                        self.row([peak, *there], [1.0] + [-1.0] * len(there), 0.0, np.inf)
            for place in groups:
                if had[number, place]:
                    gone = self.column(float(moves[number, place]), np.inf)
                    self.row([gone, self.x[number, place]], [1.0, 1.0], float(had[number, place]), np.inf)

    def _capacity(self, posed: Case, start: Counts) -> None:
        """What those who stay have is gone; the rest is shared, at each instant."""
        used = np.zeros((len(posed.groups), len(posed.instants)), dtype=np.int64)
        for number in set(range(len(posed.wants))) - set(self.free):
            first, last = posed.spans[number]
            used[:, first:last] += start[number][:, None]
        for place in range(len(posed.groups)):
            seen: set[tuple[tuple[int, ...], int]] = set()
            for instant in range(len(posed.instants)):
                there = tuple(
                    self.x[number, place]
                    for number in self.free
                    if posed.spans[number][0] <= instant < posed.spans[number][1]
                    and (number, place) in self.x
                )
                left = len(posed.groups[place]) - int(used[place, instant])
                if there and (there, left) not in seen:
                    seen.add((there, left))
                    self.row(list(there), [1.0] * len(there), -np.inf, left)

    def _power(self, posed: Case, start: Counts) -> None:
        """No level of power carries more racks than it can, at each instant."""
        staying = set(range(len(posed.wants))) - set(self.free)
        for ceiling in posed.ceilings:
            left, below = ceiling.racks.copy(), [key for key in self.x if ceiling.below[key[1]]]
            for number in staying:
                first, last = posed.spans[number]
                left[first:last] -= int(start[number][ceiling.below].sum())
            seen: set[tuple[tuple[int, ...], int]] = set()
            for instant in range(len(posed.instants)):
                there = tuple(
                    self.x[number, place]
                    for number, place in below
                    if posed.spans[number][0] <= instant < posed.spans[number][1]
                )
                if there and (there, int(left[instant])) not in seen:
                    seen.add((there, int(left[instant])))
                    self.row(list(there), [1.0] * len(there), -np.inf, float(left[instant]))

    def run(self, start: Counts, seconds: float, gap: float) -> tuple[Counts, float, str]:
        """The best plan found from `start` on, what every plan of this model costs at least, and how it ended."""
        solver = highspy.Highs()  # type: ignore[no-untyped-call]
        for option, value in (
            ("output_flag", False), ("time_limit", float(seconds)), ("mip_rel_gap", gap), ("random_seed", 1),
        ):  # fmt: skip
            solver.setOptionValue(option, value)
        solver.passModel(self._lp())
        self._begin(solver, start)
        solver.run()
        counts = start.copy()
        found = solver.getSolution()
        if found.value_valid:
            for (number, place), column in self.x.items():
                counts[number, place] = round(found.col_value[column])
        bound = float(solver.getInfo().mip_dual_bound)
        status = str(solver.modelStatusToString(solver.getModelStatus()))
        return counts, bound if np.isfinite(bound) else 0.0, status

    def _lp(self) -> highspy.HighsLp:
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(self.costs), len(self.rows)
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = (
            _array(self.costs),
            _array(self.lower),
            _array(self.upper),
        )
        lp.row_lower_ = _array([lower for lower, _ in self.rows])
        lp.row_upper_ = _array([upper for _, upper in self.rows])
        lp.integrality_ = [
            highspy.HighsVarType.kInteger if whole else highspy.HighsVarType.kContinuous
            for whole in self.whole
        ]
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.array(self.starts, dtype=np.int32)
        lp.a_matrix_.index_ = np.array(self.columns, dtype=np.int32)
        lp.a_matrix_.value_ = _array(self.values)
        return lp

    def _begin(self, solver: highspy.Highs, start: Counts) -> None:
        """Tell the solver of the plan that there is: the whole numbers, it finds the rest."""
        columns = np.array(list(self.x.values()), dtype=np.int32)
        values = np.array([float(start[key]) for key in self.x])
        solver.setSolution(len(columns), columns, values)


def _array(values: list[float]) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)
