"""How is a curtailment announced, begun and ended? What one is stands in `curtailments`."""

from __future__ import annotations

from collections.abc import Iterator

from forebay.core.ids import Answer, CurtailmentId, Event, FeedId, LoopId, Refusal, refuse_name
from forebay.core.supply.curtailments import (
    Carrier,
    CurtailedLevel,
    Curtailment,
    CurtailmentBegan,
    CurtailmentEnded,
    CurtailPower,
    PowerCurtailed,
)
from forebay.core.supply.plant import WATTS_MAX, Emit, State
from forebay.core.timeline import INSTANT_MAX, text
from forebay.core.units import SECOND_US

#: A day: who may take longer is not in a hurry.
RESPONSE_S_MAX = 24 * 3600


def curtail(state: State, command: CurtailPower, at: int, emit: Emit) -> Answer | Refusal:
    """Announce a curtailment, and let it begin where that is now. Refuses: bad_id, duplicate_id, unknown_feed or
    unknown_loop, bad_quantity (watts, response time), bad_interval.
    """
    no = refuse_name(command.id, "id") or _refuse_level(state, command) or _refuse_times(command, at)
    if no is not None:
        return no
    start_at = max(command.start_at, at) if command.start_at else at
    shed_at = max(at, start_at - command.respond_s * SECOND_US)
    emit(
        PowerCurtailed(
            command.id, command.carrier, command.name, command.most_w, command.less_w, start_at,
            command.end_at or INSTANT_MAX, command.respond_s, command.reason, shed_at,
        )
    )  # fmt: skip
    if shed_at <= at:
        emit(CurtailmentBegan(command.id))
    return {"curtailment": command.id, "shed_at": shed_at, "start_at": start_at}


def _refuse_level(state: State, command: CurtailPower) -> Refusal | None:
    if command.id in state.curtailments:
        return Refusal("duplicate_id", f"curtailment {command.id} is known already", "id")
    level = CurtailedLevel(command.carrier, command.name)
    limit_w = limit_of(state, level)
    if limit_w is None:
        kind = "feed" if command.carrier is Carrier.FEED else "loop"
        return Refusal(f"unknown_{kind}", f"there is no {level.told()}", "name")
    if (command.most_w < 0) is (command.less_w <= 0):
        told = "a curtailment says either how many watts are left, or how many are taken off"
        return Refusal("bad_quantity", told, "most_w")
    if max(command.most_w, command.less_w) > WATTS_MAX or command.most_w < -1 or command.less_w < 0:
        return Refusal("bad_quantity", f"watts of curtailment {command.id} are out of range", "most_w")
    if command.most_w >= limit_w:
        told = f"{level.told()} carries {limit_w} W at the most as it is"
        return Refusal("bad_quantity", told, "most_w")
    return None


def _refuse_times(command: CurtailPower, at: int) -> Refusal | None:
    if not 0 <= command.respond_s <= RESPONSE_S_MAX:
        told = f"a response time is {command.respond_s} s; from 0 to {RESPONSE_S_MAX} is meant"
        return Refusal("bad_quantity", told, "respond_s")
    if not (0 <= command.start_at <= INSTANT_MAX and 0 <= command.end_at <= INSTANT_MAX):
        return Refusal(
            "bad_interval", "a curtailment begins and ends at instants that calendars know", "start_at"
        )
    if command.end_at and command.end_at <= max(command.start_at, at):
        return Refusal(
            "bad_interval", f"it would be over at {text(command.end_at)}, before it begins", "end_at"
        )
    return None


def end_curtailment(state: State, name: CurtailmentId, emit: Emit) -> Answer | Refusal:
    """A curtailment is over, or does not come. Refuses: unknown_curtailment."""
    if name not in state.curtailments:
        return Refusal("unknown_curtailment", f"there is no curtailment {name}", "id")
    emit(CurtailmentEnded(name, lifted=True))
    return {"curtailment": name}


def next_curtailment(state: State) -> tuple[int, CurtailmentId] | None:
    """What begins or ends next, and when."""
    dues = ((each.end_at if each.begun else each.shed_at, name) for name, each in state.curtailments.items())
    return min((due for due in dues if due[0] < INSTANT_MAX), default=None)


def curtailment_due(state: State, name: CurtailmentId, at: int, emit: Emit) -> None:
    """A curtailment begins, or ends: both at once where nobody looked meanwhile."""
    held = state.curtailments[name]
    over = held.end_at <= at
    emit(CurtailmentEnded(name, lifted=False) if over else CurtailmentBegan(name))


# The only way state changes, live and on replay.


def apply_curtailment(state: State, event: Event, at: int) -> None:
    """Apply one event of this kind."""
    match event:
        case PowerCurtailed():
            level = CurtailedLevel(event.carrier, event.name)
            state.curtailments[event.curtailment] = Curtailment(
                event.curtailment, level, event.most_w, event.less_w, event.start_at, event.end_at,
                event.respond_s, event.reason, at, event.shed_at,
            )  # fmt: skip
        case CurtailmentBegan():
            held = state.curtailments[event.curtailment]
            state.curtailments[event.curtailment] = held._replace(begun=True)
        case CurtailmentEnded():
            del state.curtailments[event.curtailment]


# Questions


def limit_of(state: State, level: CurtailedLevel) -> int | None:
    """What a level is built for, in watts; None where there is no such level."""
    if level.carrier is Carrier.FEED:
        feed = state.feeds.get(FeedId(level.name))
        return None if feed is None else feed.limit_w
    loop = state.loops.get(LoopId(level.name))
    if loop is None:
        return None
    return loop.liquid_w if level.carrier is Carrier.LIQUID else loop.air_w


def check_curtailments(state: State) -> Iterator[str]:
    """What is wrong with the books of this part, in words."""
    for name, each in state.curtailments.items():
        if limit_of(state, each.level) is None:
            yield f"curtailment {name} is of {each.level.told()}, which does not exist"
        if not each.announced_at <= each.shed_at <= each.start_at < each.end_at:
            yield f"curtailment {name} sheds at {each.shed_at}, begins at {each.start_at}, ends at {each.end_at}"
