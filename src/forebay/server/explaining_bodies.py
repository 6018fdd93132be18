"""What does an answer to "why" look like, of whatever has a name?

Annotations are not postponed in this file: what may be missing is known at run time (`__required_keys__`).
"""

from typing import NotRequired, TypedDict

from forebay.server.bodies import ConstraintBody, GangExplanation
from forebay.server.campaign_bodies import CampaignBody
from forebay.server.health_bodies import OutNodeBody


class Explanation(TypedDict):
    """Why something is as it is: a sentence, and further ones."""

    #: gang, array, project, node or campaign.
    kind: str
    #: Of a project with its tenant: acme/lab.
    name: str
    summary: str
    facts: list[str]
    #: Of an array: what those of its gangs have in common that wait for room, and when the first of them starts.
    constraint: NotRequired[ConstraintBody]
    expected_start: NotRequired[str | None]
    #: The same in full, by its kind; a node only to an operator.
    gang: NotRequired[GangExplanation]
    node: NotRequired[OutNodeBody]
    campaign: NotRequired[CampaignBody]
