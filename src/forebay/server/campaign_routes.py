"""Maintenance campaigns over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from forebay.core import ids
from forebay.core.placements import campaigns
from forebay.server import campaign_bodies, campaign_views, problems
from forebay.server.calls import LIMIT_DEFAULT, LIMIT_MAX, OPERATOR, WORK, Caller, address

router = APIRouter()


@address(router, "GET", "/v1/campaigns", WORK, campaign_bodies.CampaignPage)
async def list_campaigns(
    call: Caller, limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT, cursor: str = ""
) -> Response:
    """Maintenance campaigns. A tenant sees those that touch its claims."""
    found = await call.read(lambda world: campaign_views.campaigns_seen(world, call.principal))
    return call.named_page(found, limit, str, "")


@address(router, "GET", "/v1/campaigns/{name}", WORK, campaign_bodies.CampaignBody)
async def show_campaign(call: Caller, name: str) -> Response:
    """One of them: for each claim its nodes, notices, consents and allowance, and how far it is."""
    found = dict(await call.read(lambda world: campaign_views.campaigns_seen(world, call.principal)))
    if name not in found:
        raise call.missing("campaign", name)
    return call.answer(found[name])


async def _decide(call: Caller, name: str, command: ids.Command) -> Response:
    answer = await call.submit(command)
    if isinstance(answer, ids.Refusal) and answer.code == "unknown_campaign":
        raise call.missing("campaign", name)
    if isinstance(answer, ids.Refusal):
        raise problems.refused(answer, call.principal)
    told: campaign_bodies.CampaignAnswer = {"campaign": name, "changed": answer.get("changed", True)}
    return call.answer(told)


def _reason(text: str) -> str:
    if len(text) > 500:
        raise problems.Failure("bad_body", "a reason has at most 500 characters")
    return text


@address(
    router, "POST", "/v1/campaigns/{name}/pause", OPERATOR, campaign_bodies.CampaignAnswer,
    takes=campaign_bodies.PostedCampaignVerb,
)  # fmt: skip
async def post_campaign_pause(call: Caller, name: str) -> Response:
    """No further wave begins until it is resumed."""
    posted = await call.posted(campaign_bodies.PostedCampaignVerb)
    return await _decide(call, name, campaigns.PauseCampaign(ids.CampaignId(name), _reason(posted.reason)))


@address(
    router, "POST", "/v1/campaigns/{name}/resume", OPERATOR, campaign_bodies.CampaignAnswer,
    takes=campaign_bodies.PostedCampaignVerb,
)  # fmt: skip
async def post_campaign_resume(call: Caller, name: str) -> Response:
    """It goes on; nodes that did not come back are left to their repair."""
    await call.posted(campaign_bodies.PostedCampaignVerb)
    return await _decide(call, name, campaigns.ResumeCampaign(ids.CampaignId(name)))


@address(
    router, "POST", "/v1/campaigns/{name}/cancel", OPERATOR, campaign_bodies.CampaignAnswer,
    takes=campaign_bodies.PostedCampaignVerb,
)  # fmt: skip
async def post_campaign_cancel(call: Caller, name: str) -> Response:
    """No further wave begins; what is being worked on is brought back."""
    posted = await call.posted(campaign_bodies.PostedCampaignVerb)
    return await _decide(call, name, campaigns.CancelCampaign(ids.CampaignId(name), _reason(posted.reason)))


@address(
    router, "POST", "/v1/campaigns/{name}/consent", WORK, campaign_bodies.CampaignAnswer,
    takes=campaign_bodies.PostedConsent,
)  # fmt: skip
async def post_campaign_consent(call: Caller, name: str) -> Response:
    """A tenant consents to the work on its claim, or does not."""
    posted = await call.posted(campaign_bodies.PostedConsent)
    answer = campaigns.AnswerCampaign(
        ids.CampaignId(name), ids.TrancheId(posted.tranche), posted.given, _reason(posted.reason)
    )
    return await _decide(call, name, answer)
