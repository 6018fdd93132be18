"""A World small enough to see through, with everything that the loop and the codec must carry.

Accounts hold amounts; `Spend` may be refused; `Remind` sets a timer that a wake turns into an event; `Crash` raises
after it has changed the state, as a bug of ours would, and so does a timer of the account "bomb".
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, NamedTuple, NewType, Self

from forebay.core import ids

AccountId = NewType("AccountId", str)


class Mood(StrEnum):
    CALM = "calm"
    LOUD = "loud"


class Run(NamedTuple):
    first: int
    nodes: int
    mask: int


@dataclass(slots=True)
class Pay(ids.Command):
    account: AccountId
    amount: int


@dataclass(slots=True)
class Spend(ids.Command):
    account: AccountId
    amount: int
    #: Payments that it is split into: a command of several events.
    parts: int = 1


@dataclass(slots=True)
class Remind(ids.Command):
    account: AccountId
    due: int
    #: The reminder sets another one this long after, so often.
    again_us: int = 0
    times: int = 0
    mood: Mood = Mood.CALM


@dataclass(slots=True)
class Crash(ids.Command):
    text: str = "crash"


@dataclass(slots=True)
class Paid(ids.Event):
    account: AccountId
    amount: int
    runs: tuple[Run, ...] = ()
    notes: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Reminded(ids.Event):
    VERSION: ClassVar[int] = 3
    account: AccountId
    due: int
    number: int
    mood: Mood = Mood.CALM


@dataclass(slots=True)
class ReminderSet(ids.Event):
    account: AccountId
    due: int
    again_us: int
    times: int
    mood: Mood
    bomb: bool = False
    inner: Inner | None = None


@dataclass(slots=True)
class Inner:
    words: tuple[str, ...] = ()


@dataclass(slots=True)
class Want(ids.Effect):
    account: AccountId
    generation: int
    amount: int


@dataclass(slots=True)
class Account:
    amount: int = 0
    generation: int = 0
    #: Passes 64 bits soon.
    turnover: int = 0


@dataclass(slots=True)
class Bank:
    accounts: dict[AccountId, Account] = field(default_factory=dict)
    moods: dict[tuple[AccountId, int], Mood] = field(default_factory=dict)


@dataclass(slots=True)
class State:
    now: int = 0
    seq: int = 0
    bank: Bank = field(default_factory=Bank)
    reminders: dict[int, ReminderSet] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    last: Inner | None = None


class World:
    EVENTS: tuple[type[ids.Event], ...] = (Paid, Reminded, ReminderSet)
    STATE: type = State

    def __init__(self) -> None:
        self._state = State()
        self._heap: list[tuple[int, int]] = []

    @property
    def state(self) -> State:
        return self._state

    @classmethod
    def restore(cls, state: State) -> Self:
        world = cls()
        world._state = state
        world._heap = [(each.due, number) for number, each in state.reminders.items()]
        heapq.heapify(world._heap)
        return world

    @property
    def now(self) -> int:
        return self._state.now

    @property
    def seq(self) -> int:
        return self._state.seq

    def handle(self, asked: ids.Asked, at: int) -> ids.Outcome:
        match asked.command:
            case Pay(account, amount):
                return self._decided([Paid(account, amount, (Run(1, amount, 255),), {"z": 1, "a": 2})], at)
            case Spend(account, amount, parts):
                have = self._state.bank.accounts.get(account, Account()).amount
                if have < amount:
                    return ids.Outcome([], [], ids.Refusal("short", f"{have} of {amount}"))
                return self._decided([Paid(account, -(amount // parts)) for _ in range(parts)], at)
            case Remind(account, due, again_us, times, mood):
                return self._decided(
                    [ReminderSet(account, due, again_us, times, mood, account == "bomb")], at
                )
            case Crash(text):
                self._state.bank.accounts[AccountId("dirt")] = Account(666)
                self._state.seq += 1
                raise RuntimeError(text)
        raise AssertionError(asked)

    def wake(self, at: int, seen_at: int = 0) -> ids.Outcome:
        assert at >= self.now
        due, number = self._heap[0]
        reminder = self._state.reminders[number]
        if reminder.bomb:
            raise RuntimeError("bomb")
        events: list[ids.Event] = [Reminded(reminder.account, due, number, reminder.mood)]
        if reminder.times:
            again = due + reminder.again_us
            events.append(
                ReminderSet(reminder.account, again, reminder.again_us, reminder.times - 1, Mood.LOUD)
            )
        return self._decided(events, at)

    def next_wake(self) -> int | None:
        while self._heap and self._heap[0][1] not in self._state.reminders:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def apply(self, event: ids.Event, at: int) -> None:
        state = self._state
        assert at >= state.now
        state.seq += 1
        state.now = at
        match event:
            case Paid(account, amount, runs):
                old = state.bank.accounts.get(account, Account())
                state.bank.accounts[account] = Account(
                    old.amount + amount, old.generation + 1, (old.turnover + abs(amount)) * 7
                )
                state.runs += runs
                state.last = Inner((account,))
            case ReminderSet():
                state.reminders[state.seq] = event
                heapq.heappush(self._heap, (event.due, state.seq))
            case Reminded(account, _, number, mood):
                del state.reminders[number]
                state.bank.moods[account, at] = mood

    def check(self) -> None:
        assert all(each.amount >= 0 for each in self._state.bank.accounts.values())

    def desired(self) -> list[ids.Effect]:
        return [Want(name, each.generation, each.amount) for name, each in self._state.bank.accounts.items()]

    def _decided(self, events: list[ids.Event], at: int) -> ids.Outcome:
        effects: list[ids.Effect] = []
        for event in events:
            self.apply(event, at)
            if isinstance(event, Paid):
                account = self._state.bank.accounts[event.account]
                effects.append(Want(event.account, account.generation, account.amount))
        return ids.Outcome(events, effects, {"seq": self.seq})


#: The toy's turnover grows without end; a long benchmark would only measure big integers.
class Counting(World):
    """The same without turnover."""

    def apply(self, event: ids.Event, at: int) -> None:
        super().apply(event, at)
        if isinstance(event, Paid):
            self._state.bank.accounts[event.account].turnover = 0
            self._state.runs.clear()
