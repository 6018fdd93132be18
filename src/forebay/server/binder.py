"""Who plans which tranche has which racks, once signing has bound them first fit? A thread beside the loop.

After something was recorded, and then nothing for a moment, it looks which stocks are not as the last plan left them,
plans those on a copy of the World (`planner.binding`), and hands each plan in as an operator would: as a command that
the World checks again. A plan that went stale meanwhile is made again. By itself it takes nothing from a tranche
whose term runs; an operator may ask for a plan that does.

The journal holds what was decided (`TrancheRebound`, with the version that the plan was made for). Why it was decided
so is told by the report of the plan: the newest of each stock is kept here, and is gone with the process.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from forebay.core import claims, ids
from forebay.core.claims.calendar import Stock
from forebay.core.world import World
from forebay.loop import ports
from forebay.loop.follower import Follower, Stopped
from forebay.loop.inbox import LoopError
from forebay.loop.loop import Loop
from forebay.server.tail import Tail

if TYPE_CHECKING:
    # A solver is loaded by who plans, not by who starts.
    from forebay.planner.binding import BindingReport

T = TypeVar("T")

BINDER = ids.Principal("binder", ids.Role.OPERATOR)
#: For so long nothing is recorded before it is planned; and at the latest after so long, seconds.
QUIET_S, LONGEST_S = 2.0, 20.0
#: How long the solver may take for one stock, seconds, and how far from the best a plan may be: one in so many.
SOLVE_S, GAP = 30.0, 0.001
#: How often a plan is made again that went stale.
AGAIN_MAX = 5
#: Longest wait for the end of the thread, seconds.
STOP_S = 1.0
#: Longest wait for an answer, seconds.
ANSWER_S = 60.0

_log = logging.getLogger(__name__)


class Wish(NamedTuple):
    """How a plan is to be made."""

    seconds: float = SOLVE_S
    gap: float = GAP
    #: Whether tranches whose term runs may have to give up nodes.
    moves: bool = False
    #: Whether it is only to be shown.
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan that was made, and what became of it."""

    stock: Stock
    #: When, and after which record.
    at: int
    seq: int
    report: BindingReport
    #: "taken"; "kept" where nothing was to be gained; "tried" where it was only to be shown; "refused".
    outcome: str
    #: Why it was refused; "" where it was not.
    detail: str
    #: Tranches that have other nodes by it.
    tranches: tuple[ids.TrancheId, ...]
    #: How often it was made, for it went stale.
    made: int


class Binder:
    """Plans stocks, when they change and when it is asked to. With `by_itself` False only when it is asked to."""

    def __init__(
        self, loop: Loop[World], follower: Follower[World], clock: ports.Clock, tail: Tail, *, by_itself: bool
    ) -> None:
        self._loop = loop
        self._follower = follower
        self._clock = clock
        self._tail = tail
        self._by_itself = by_itself
        self._grown = threading.Event()
        self._stopping = threading.Event()
        #: One plan at a time: each may use all processors.
        self._planning = threading.Lock()
        self._listening = 0
        #: The version in which the last plan left each stock.
        self._left: dict[Stock, str] = {}
        self._newest: dict[Stock, Planned] = {}
        self._thread = threading.Thread(target=self._run, name="binder", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        if self._by_itself:
            self._listening = self._tail.listen(self._grown.set)
            self._grown.set()
            self._thread.start()

    def stop(self) -> None:
        """Look no more. A plan that is being made is not waited for: nobody takes it."""
        self._stopping.set()
        if self._thread.is_alive():
            self._grown.set()
            self._tail.leave(self._listening)
            self._thread.join(STOP_S)

    def newest(self) -> dict[Stock, Planned]:
        """The last plan of each stock that was planned since the start, shown ones left out."""
        return dict(self._newest)

    def plan(self, stock: Stock, wish: Wish, by: ids.Principal = BINDER) -> Planned:
        """Plan a stock and hand the plan in. Raises `LoopError`, `Stopped`, `TimeoutError`."""
        with self._planning:
            for made in range(1, AGAIN_MAX + 1):
                planned, command = self._made(stock, wish, made)
                if command is not None and not wish.dry_run:
                    asked = ids.Asked(command, by)
                    answer = self._loop.submit(asked).result(ANSWER_S)
                    if isinstance(answer, ids.Refusal) and answer.code == "stale_plan" and made < AGAIN_MAX:
                        continue
                    planned = _decided(planned, answer)
                if not wish.dry_run:
                    self._newest[stock] = planned
                    self._left[stock] = self._ask(lambda world: _version(world, stock))
                return planned
        raise AssertionError("the last plan that is made is told")

    def _made(self, stock: Stock, wish: Wish, made: int) -> tuple[Planned, claims.ProposeBinding | None]:
        """A plan on a copy of the World, for what is known now."""
        from forebay.planner import binding

        at = self._clock.now()
        copy = self._ask(lambda world: world.fork())
        state = copy.state
        proposal = binding.propose(
            state.claims, state.supply, stock, copy.work(), max(at, copy.now), seconds=wish.seconds, gap=wish.gap,
            still=not wish.moves,
        )  # fmt: skip
        command = proposal.command
        names = tuple(each.tranche for each in command.bindings) if command else ()
        outcome = "tried" if wish.dry_run else "kept"
        return Planned(stock, at, copy.seq, proposal.report, outcome, "", names, made), command

    def settle(self) -> None:
        """Plan every stock that is not as the last plan left it, now. What cannot be planned stays as it is."""
        try:
            for stock, version in self._ask(_versions):
                if self._left.get(stock) != version and not self._stopping.is_set():
                    planned = self.plan(stock, Wish())
                    _log.info("%s of %s: %s", stock.sku, stock.site, planned.outcome)
        except (LoopError, Stopped, TimeoutError, CancelledError) as error:
            # Whoever stops the loop says so; whatever else ends it is told by it.
            _log.info("racks stay as they are bound: %s", error)
        except Exception:
            # A plan is a proposal: a mistake in making one takes nothing from anybody, and the next may do.
            _log.exception("racks stay as they are bound")

    def _ask(self, function: Callable[[World], T]) -> T:
        """Ask the follower, once it has seen all that was decided by now."""
        seq = self._loop.read(lambda world: world.seq).result(ANSWER_S)
        answer, _ = self._follower.read(function, seq, ANSWER_S)
        return answer

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._grown.wait()
            # Signing one contract is seldom all: the plan waits until nothing comes for a moment.
            waited = 0.0
            while self._grown.is_set() and waited < LONGEST_S and not self._stopping.is_set():
                self._grown.clear()
                self._stopping.wait(QUIET_S)
                waited += QUIET_S
            if not self._stopping.is_set():
                self.settle()


def _decided(planned: Planned, answer: ids.Answer | ids.Refusal) -> Planned:
    outcome, detail = "taken", ""
    if isinstance(answer, ids.Refusal):
        outcome, detail = "refused", f"{answer.code}: {answer.detail}"
    return Planned(
        planned.stock, planned.at, planned.seq, planned.report, outcome, detail,
        planned.tranches if outcome == "taken" else (), planned.made,
    )  # fmt: skip


def _version(world: World, stock: Stock) -> str:
    return claims.rebinding.version(world.state.claims, world.state.supply, stock)


def _versions(world: World) -> list[tuple[Stock, str]]:
    """Every stock of which something is promised, as it is."""
    held = world.state.claims.tranches.values()
    stocks = {
        Stock(tranche.plan.site, tranche.plan.sku)
        for tranche in held
        if tranche.standing is not claims.Standing.ENDED
    }
    return [(stock, _version(world, stock)) for stock in sorted(stocks)]
