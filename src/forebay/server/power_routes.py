"""Power, cooling and curtailments over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from forebay.core import ids, supply, timeline
from forebay.feeds import quantities
from forebay.server import power_bodies, power_views, problems
from forebay.server.calls import OPERATOR, Caller, address

router = APIRouter()


@address(router, "GET", "/v1/power", OPERATOR, power_bodies.PowerBody)
async def show_power(call: Caller, site: str = "") -> Response:
    """What each feed and loop may carry, carries and has left, what is stranded, shed, and to come back."""
    found = await call.read(lambda world: power_views.power_body(world, site))
    if found is None:
        raise call.missing("site", site)
    return call.answer(found)


@address(router, "GET", "/v1/curtailments", OPERATOR, power_bodies.CurtailmentPage)
async def list_curtailments(call: Caller) -> Response:
    """Curtailments that are announced or hold."""
    return call.answer({"items": await call.glance(power_views.curtailed)})


@address(
    router, "POST", "/v1/curtailments", OPERATOR, power_bodies.CurtailmentAnswer, status=201,
    takes=power_bodies.PostedCurtailment,
)  # fmt: skip
async def post_curtailment(call: Caller) -> Response:
    """A feed or a loop is to carry less for a while."""
    posted = await call.posted(power_bodies.PostedCurtailment)
    made = await call.glance(lambda world: f"{world.state.name}-c{world.seq + 1}")
    answer = await call.decided(command_to_curtail(posted, posted.id or made))
    told: power_bodies.CurtailmentAnswer = {
        "curtailment": answer["curtailment"], "start": timeline.text(answer["start_at"]),
        "sheds": timeline.text(answer["shed_at"]),
    }  # fmt: skip
    return call.answer(told, 201)


def command_to_curtail(posted: power_bodies.PostedCurtailment, name: str) -> supply.CurtailPower:
    """What is posted, as a command. Raises `problems.Failure`."""
    if bool(posted.feed) is bool(posted.loop):
        raise problems.Failure("bad_body", "a curtailment names either a feed or a loop")
    if len(posted.reason) > 500:
        raise problems.Failure("bad_body", "a reason has at most 500 characters")
    carrier = supply.Carrier.AIR if posted.air else supply.Carrier.LIQUID
    read = {
        "to": (posted.to, quantities.watts, -1), "less": (posted.less, quantities.watts, 0),
        "start": (posted.start, quantities.instant_us, 0), "end": (posted.end, quantities.instant_us, 0),
        "respond_within": (posted.respond_within, quantities.seconds, 0),
    }  # fmt: skip
    values = {}
    for field, (text, reader, missing) in read.items():
        try:
            values[field] = reader(text) if text else missing
        except quantities.Malformed as error:
            errors: list[problems.ProblemError] = [{"pointer": f"/{field}", "detail": str(error)}]
            raise problems.Failure("bad_body", str(error), errors=errors) from None
    return supply.CurtailPower(
        ids.CurtailmentId(name), supply.Carrier.FEED if posted.feed else carrier, posted.feed or posted.loop,
        values["to"], values["less"], values["start"], values["end"], values["respond_within"], posted.reason,
    )  # fmt: skip


@address(
    router, "POST", "/v1/curtailments/{name}/end", OPERATOR, power_bodies.CurtailmentOver,
    takes=power_bodies.PostedLifting,
)  # fmt: skip
async def post_curtailment_end(call: Caller, name: str) -> Response:
    """A curtailment is over, or does not come."""
    await call.posted(power_bodies.PostedLifting)
    answer = await call.submit(supply.EndCurtailment(ids.CurtailmentId(name)))
    if isinstance(answer, ids.Refusal) and answer.code == "unknown_curtailment":
        raise call.missing("curtailment", name)
    if isinstance(answer, ids.Refusal):
        raise problems.refused(answer, call.principal)
    told: power_bodies.CurtailmentOver = {"curtailment": name}
    return call.answer(told)
