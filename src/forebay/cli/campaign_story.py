"""What events of maintenance campaigns say, in sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from forebay.cli import paper
from forebay.core import timeline

Body = dict[str, Any]


def _nodes(runs: list[list[int]]) -> str:
    return paper.count(sum(count for _, count in runs), "node")


def _planned(body: Body) -> list[str]:
    plan = body["plan"]
    waves = paper.count(len(body["waves"]), "wave")
    return [f"campaign {plan['id']}: {plan['work']}, {waves} from {timeline.text(plan['start_at'])} on"]


def _notice(body: Body) -> list[str]:
    begins = timeline.text(body["start_at"])
    return [f"{body['tenant']} is told of campaign {body['campaign']} on {body['tranche']} from {begins} on"]


def _consent(body: Body) -> list[str]:
    said = "consents" if body["given"] else "does not consent"
    return [f"{body['tranche']} {said} to campaign {body['campaign']}"]


def _began(body: Body) -> list[str]:
    left = f"; {_nodes(body['left'])} left out for want of consent" if body["left"] else ""
    return [f"campaign {body['campaign']}: wave {body['wave']} begins, {_nodes(body['nodes'])}{left}"]


def _failed(body: Body) -> list[str]:
    return [f"campaign {body['campaign']}: a node does not come back ({body['reason']})"]


def _slipped(body: Body) -> list[str]:
    return [f"campaign {body['campaign']}: wave {body['wave']} takes longer, {_nodes(body['nodes'])} to go"]


def _ended(body: Body) -> list[str]:
    return [f"campaign {body['campaign']}: wave {body['wave']} is over"]


def _paused(body: Body) -> list[str]:
    why = f" ({body['reason']})" if body["reason"] else ""
    return [f"campaign {body['campaign']} is paused{why}"]


def _resumed(body: Body) -> list[str]:
    return [f"campaign {body['campaign']} goes on"]


def _cancelled(body: Body) -> list[str]:
    why = f" ({body['reason']})" if body["reason"] else ""
    return [f"campaign {body['campaign']} is cancelled{why}"]


def _over(body: Body) -> list[str]:
    left = f", {_nodes(body['left'])} not touched" if body["left"] else ""
    return [f"campaign {body['campaign']} is over: {body['outcome'].replace('_', ' ')}{left}"]


#: By kind of event.
CAMPAIGN_SENTENCES: dict[str, Callable[[Body], list[str]]] = {
    "CampaignPlanned": _planned,
    "NoticeSent": _notice,
    "ConsentAnswered": _consent,
    "WaveStarted": _began,
    "MaintenanceFailed": _failed,
    "WaveSlipped": _slipped,
    "WaveEnded": _ended,
    "CampaignPaused": _paused,
    "CampaignResumed": _resumed,
    "CampaignCancelled": _cancelled,
    "CampaignEnded": _over,
}
