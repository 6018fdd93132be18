"""What if this were submitted, or that failed? On a copy of the World, run forward; nothing is recorded."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from forebay.core import claims, ids, money, supply
from forebay.core.claims import prices
from forebay.core.ids import GangId, Principal, Role
from forebay.core.placements import checkpoints
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import Gang, Phase, Tier
from forebay.core.units import DAY_US, MICROS, SECOND_US
from forebay.core.world import World
from forebay.server import (
    amounts,
    applying,
    bodies,
    power_bodies,
    power_routes,
    problems,
    views,
    what_if_bodies,
)
from forebay.server.calls import OPERATOR, WORK, Call, Caller, address
from forebay.server.posted import wrong
from forebay.twin import ahead

router = APIRouter()
HORIZON_S_MAX = 366 * 86_400
WEEK_US = 7 * DAY_US
OPERATING = Principal("what-if", Role.OPERATOR)


@address(router, "POST", "/v1/what-if/submit", WORK, what_if_bodies.TriedWork, takes=what_if_bodies.PostedTry)
async def try_submitting(call: Caller) -> Response:
    """What if these gangs were submitted: when and where would they start, and who would make room or wait?"""
    posted = await call.posted(what_if_bodies.PostedTry)
    _refuse_horizon(posted.horizon_s)
    wanted = await applying.asked_for(call, bodies.PostedDocuments(posted.documents))
    strange = [each.want.document for each in wanted if each.want.document.kind != "Gang"]
    if strange or not wanted:
        told = f"a {strange[0].kind} is not a gang" if strange else "there is no gang to submit"
        raise problems.Failure("bad_body", told)

    def run(world: World) -> what_if_bodies.TriedWork:
        at = max(call.forebay.clock.now(), world.now)
        before, copy = world.fork(), world.fork()
        before.wake(at)
        copy.wake(at)
        known = set(copy.state.placements.gangs)
        applying.try_on(copy, call, wanted, at)
        new = [name for name in copy.state.placements.gangs if name not in known]
        return _compared(
            call, f"submitting {', '.join(each.want.about for each in wanted)}", before, copy, new, at,
            at + posted.horizon_s * SECOND_US,
        )  # fmt: skip

    return call.answer(await call.read(run))


@address(
    router, "POST", "/v1/what-if/fail", OPERATOR, what_if_bodies.TriedWork, takes=what_if_bodies.PostedFault
)
async def try_failing(call: Caller) -> Response:
    """What if a part of the plant failed: which gangs stop, when they start again, and which claims go short."""
    posted = await call.posted(what_if_bodies.PostedFault)
    _refuse_horizon(posted.horizon_s)
    kinds = ("node", *(kind.value for kind in supply.DomainKind))
    if posted.kind not in kinds:
        raise wrong("kind", f"{posted.kind} is not one of {', '.join(kinds)}")

    def run(world: World) -> what_if_bodies.TriedWork:
        at = max(call.forebay.clock.now(), world.now)
        before, copy = world.fork(), world.fork()
        before.wake(at)
        copy.wake(at)
        answer = copy.handle(ids.Asked(_failure(call, world, posted, at), OPERATING), at).answer
        if isinstance(answer, ids.Refusal):
            raise problems.refused(answer, call.principal)
        what = f"{posted.kind} {posted.name} failing"
        return _compared(call, what, before, copy, [], at, at + posted.horizon_s * SECOND_US)

    return call.answer(await call.read(run))


@address(
    router, "POST", "/v1/what-if/curtail", OPERATOR, what_if_bodies.TriedWork,
    takes=power_bodies.PostedCurtailment,
)  # fmt: skip
async def try_curtailing(call: Caller) -> Response:
    """What if a feed or a loop had to carry less: what is shed, when it starts again, and which claims go short."""
    posted = await call.posted(power_bodies.PostedCurtailment)
    command = power_routes.command_to_curtail(posted, posted.id or "what-if")

    def run(world: World) -> what_if_bodies.TriedWork:
        at = max(call.forebay.clock.now(), world.now)
        before, copy = world.fork(), world.fork()
        before.wake(at)
        copy.wake(at)
        answer = copy.handle(ids.Asked(command, OPERATING), at).answer
        if isinstance(answer, ids.Refusal):
            raise problems.refused(answer, call.principal)
        through = max(at, answer["start_at"]) + command.respond_s * SECOND_US
        what = f"{posted.feed or posted.loop} carrying {posted.to or posted.less + ' less'}"
        horizon = max(through, command.end_at) + WEEK_US
        return _compared(call, what, before, copy, [], at, horizon, through)

    return call.answer(await call.read(run))


def _refuse_horizon(horizon_s: int) -> None:
    if not 1 <= horizon_s <= HORIZON_S_MAX:
        raise wrong("horizon_s", f"from 1 to {HORIZON_S_MAX} seconds are meant, not {horizon_s}")


def _failure(call: Call, world: World, posted: what_if_bodies.PostedFault, at: int) -> ids.Command:
    known = world.state.supply
    if posted.kind == "node":
        node = supply.node_named(known, posted.name)
        if node is None:
            raise call.missing("node", posted.name)
        return supply.ReportNodeHealth(node, False, "what if", at)
    kind = supply.DomainKind(posted.kind)
    if not supply.health.known(known, supply.FaultDomain(kind, posted.name)):
        raise call.missing(posted.kind, posted.name)
    return supply.ReportDomainHealth(kind, posted.name, False, "what if", at)


# What differs.


def _compared(
    call: Call,
    what: str,
    before: World,
    after: World,
    new: list[GangId],
    at: int,
    horizon: int,
    through: int = 0,
) -> what_if_bodies.TriedWork:
    """Both are run on; whoever may see a gang reads what becomes of it."""
    was = {name: gang for name, gang in before.state.placements.gangs.items() if _sees(call, gang)}
    # Before both are run on: what a claim lacks right away.
    short = _claims_short(before, after, at) if call.principal.role is Role.OPERATOR else []
    tried = {name: after.state.placements.gangs[name] for name in new}
    told = {name: _summary(after, call.principal, gang) for name, gang in tried.items()}
    lost_gpu_us = {
        name: checkpoints.lost_gpu_us(gang, after.state.placements.lending.checkpoints.get(name), at)
        for name, gang in after.state.placements.gangs.items()
        if gang.phase is Phase.STOPPING
    }
    tossed = {
        name: (at, gang.reason)
        for name, gang in after.state.placements.gangs.items()
        if name in was and gang.phase is Phase.STOPPING and was[name].phase in (Phase.PLACED, Phase.RUNNING)
    }
    waiting = [name for name, gang in was.items() if gang.phase is Phase.PENDING]
    watched = [*new, *tossed, *waiting]
    then = ahead.run_on(after, (), [n for n in watched if _waits(after, n)], at, horizon, through)
    otherwise = ahead.run_on(before, (), waiting, at, horizon, through)
    stops = tossed | {n: each for n, each in then.stopped.items() if n in was and n not in otherwise.stopped}
    lost_gpu_us |= then.lost_gpu_us
    stopped = [
        _moved(was[n], *stops[n], lost_gpu_us.get(n, 0), then.placed.get(n), None) for n in sorted(stops)
    ]
    delayed = [
        _moved(was[n], None, "", 0, then.placed.get(n), otherwise.placed.get(n))
        for n in sorted(waiting)
        if n in otherwise.placed and n not in stops and then.placed.get(n) != otherwise.placed[n]
    ]
    placed_at = then.placed | {n: at for n, gang in tried.items() if gang.phase is not Phase.PENDING}
    return {
        "what": what,
        "at": amounts.when(at),
        "until": amounts.when(then.until),
        "settled": then.settled,
        "gangs": [_tried(after, tried[n], placed_at.get(n), then.where.get(n), told[n], at) for n in new],
        "stopped": stopped,
        "delayed": delayed,
        "claims": short,
    }


def _sees(call: Call, gang: Gang) -> bool:
    return call.principal.role is Role.OPERATOR or gang.spec.tenant == call.principal.tenant


def _waits(world: World, name: GangId) -> bool:
    gang = world.state.placements.gangs[name]
    return gang.phase is Phase.PENDING or (gang.phase is Phase.STOPPING and gang.again)


def _summary(world: World, principal: Principal, gang: Gang) -> str:
    if gang.phase is not Phase.PENDING:
        return ""
    told = world.explain(gang.spec.id, principal)
    return "" if isinstance(told, ids.Refusal) else str(told["summary"])


def _moved(
    gang: Gang, stops: int | None, reason: str, lost_gpu_us: int, starts: int | None, otherwise: int | None
) -> what_if_bodies.MovedGang:
    return {
        "gang": gang.spec.id,
        "gpus": gang.spec.gpus,
        "stops": amounts.when(stops) if stops is not None else None,
        "reason": reason,
        "lost_gpu_s": lost_gpu_us // SECOND_US,
        "starts": amounts.when(starts) if starts is not None else None,
        "otherwise": amounts.when(otherwise) if otherwise is not None else None,
    }


def _tried(
    world: World,
    gang: Gang,
    starts: int | None,
    where: tuple[ids.SiteId, tuple[gangs.Run, ...]] | None,
    summary: str,
    at: int,
) -> what_if_bodies.TriedGang:
    runs = where[1] if where is not None else gang.runs
    site = where[0] if where is not None else gang.site
    return {
        "gang": gang.spec.id,
        "gpus": gang.spec.gpus,
        "starts": amounts.when(starts) if starts is not None else None,
        "site": site if starts is not None else "",
        "nodes": views.node_names(world, runs) if starts is not None else [],
        "summary": summary,
        "price_per_hour": _price(world, gang, at),
    }


def _price(world: World, gang: Gang, at: int) -> str:
    spec, state = gang.spec, world.state
    if spec.tier is Tier.DEDICATED:
        return ""
    contract = claims.contract_for(state.claims, spec.tenant, spot=spec.tier is Tier.SPOT)
    if contract is None:
        return ""
    rate = money.price(state.money, state.usage.spans[-1].segment, spec.tier, spec.sku, contract.currency)
    return "" if rate is None else _hourly(spec.gpus * rate.micros, contract.currency)


def _hourly(micros: int, currency: str) -> str:
    return f"{micros // MICROS}.{micros % MICROS * 100 // MICROS:02d} {currency}"


def _claims_short(before: World, after: World, at: int) -> list[what_if_bodies.ShortClaim]:
    found: list[what_if_bodies.ShortClaim] = []
    for name, tranche in sorted(after.state.claims.tranches.items()):
        if tranche.standing is not claims.Standing.LIVE:
            continue
        then, was = after.state.usage.books[name].undeliverable, before.state.usage.books[name].undeliverable
        if then <= was:
            continue
        nodes = [node for first, count in tranche.runs for node in range(first, first + count)]
        index = after.placed.index
        idle = sum(
            1 for node in nodes if index.usable[node] and index.free[node] == index.plant.full_mask[node]
        )
        hourly = (then - was) * prices.price_at(tranche.plan, at).price_micros_per_gpu_hour
        found.append(
            {
                "tranche": name,
                "undeliverable_gpus": then,
                "undeliverable_gpus_before": was,
                "idle_nodes": idle,
                "price_per_hour": _hourly(hourly, after.state.claims.contracts[tranche.contract].currency),
            }
        )
    return found
