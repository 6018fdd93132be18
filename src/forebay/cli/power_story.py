"""What do events of power and cooling mean, in sentences?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from forebay.cli import paper
from forebay.core import timeline

Body = dict[str, Any]


def level_name(carrier: str, name: str) -> str:
    """A feed, or one side of a cooling loop, in words."""
    return f"feed {name}" if carrier == "feed" else f"loop {name} ({carrier})"


def _level(body: Body) -> str:
    return level_name(body["carrier"], body["name"])


def _loop(body: Body) -> list[str]:
    liquid, air = paper.power(body["liquid_w"]), paper.power(body["air_w"])
    return [f"{body['site']}: loop {body['loop']} takes {liquid} of heat into liquid, {air} into air"]


def _curtailed(body: Body) -> list[str]:
    watts = f"{paper.power(body['less_w'])} less"
    if body["most_w"] >= 0:
        watts = f"{paper.power(body['most_w'])} at the most"
    until = "" if body["end_at"] >= timeline.INSTANT_MAX else f" until {timeline.text(body['end_at'])}"
    why = f" ({body['reason']})" if body["reason"] else ""
    return [f"{_level(body)} is to carry {watts} from {timeline.text(body['start_at'])}{until}{why}"]


def _began(body: Body) -> list[str]:
    return [f"curtailment {body['curtailment']} begins: nothing more is placed against it"]


def _over(body: Body) -> list[str]:
    how = "is lifted" if body["lifted"] else "is over"
    return [f"curtailment {body['curtailment']} {how}: what was shed comes back"]


def _opened(body: Body) -> list[str]:
    excess, deadline = paper.power(body["excess_w"]), timeline.text(body["deadline_at"])
    return [f"{_level(body)} carries {excess} too much: that is to be gone by {deadline}"]


def _overdue(body: Body) -> list[str]:
    return [
        f"{_level(body)} still carries {paper.power(body['excess_w'])} too much, and was to be down by now"
    ]


def _closed(body: Body) -> list[str]:
    return [f"{_level(body)} carries no more than it may"]


def _shed(body: Body) -> list[str]:
    whom = f" to {body['for_gang']}" if body["for_gang"] else ""
    return [f"{body['gang']} gives up its power{whom}: it has {paper.span(body['grace_s'])} to save its work"]


#: By kind of event.
POWER_SENTENCES: dict[str, Callable[[Body], list[str]]] = {
    "LoopAdded": _loop,
    "PowerCurtailed": _curtailed,
    "CurtailmentBegan": _began,
    "CurtailmentEnded": _over,
    "SheddingOpened": _opened,
    "SheddingOverdue": _overdue,
    "SheddingClosed": _closed,
    "GangShed": _shed,
}
