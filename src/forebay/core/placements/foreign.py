"""What may a tenant ask about? Its own things only; somebody else's is told exactly as what does not exist."""

from __future__ import annotations

from forebay.core import claims
from forebay.core.claims import acceptance, rights
from forebay.core.ids import Command, GangId, Principal, Refusal
from forebay.core.placements import campaigns, chains, checkpoints, projects
from forebay.core.placements import gang as gangs
from forebay.core.placements.state import State

OWN_NOTICE = "a notice that its sender enters is received then: leave its time out"


def refuse_foreign(placed: State, claimed: claims.State, command: Command, by: Principal) -> Refusal | None:
    """Of a tenant: its own things only; somebody else's is told exactly as what does not exist."""
    match command:
        case gangs.SubmitGang() | gangs.SubmitArray() if command.spec.tenant != by.tenant:
            return Refusal("forbidden", "a tenant submits gangs of its own", "tenant")
        case gangs.SubmitGang() | gangs.SubmitArray() if not _in_names_of(command.spec.id, by):
            return Refusal("bad_id", f"the id of a gang of {by.tenant} begins with {by.tenant}.", "id")
        case projects.ApplyProjects() if command.plan.tenant != by.tenant:
            return Refusal("forbidden", "a tenant applies projects of its own", "tenant")
        case gangs.CancelGang() | checkpoints.ReportCheckpoint() | gangs.ReportGangProgress():
            if chains.tenant_of(placed.chains, placed.gangs, command.gang) != by.tenant:
                return Refusal("unknown_gang", f"there is no gang {command.gang}", "gang")
        case rights.ExerciseRight() | rights.WaiveRight():
            right = claimed.rights.get(command.right)
            if right is None or right.tenant != by.tenant or rights.holder(right) is rights.Side.SELLER:
                return Refusal("unknown_right", f"there is no right {command.right}", "right")
            if command.effective_at:
                return Refusal("own_notice", OWN_NOTICE, "effective_at")
        case campaigns.AnswerCampaign():
            tranche = claimed.tranches.get(command.tranche)
            if tranche is None or tranche.tenant != by.tenant:
                return Refusal("unknown_tranche", f"there is no tranche {command.tranche}", "tranche")
            open_ = placed.campaigns.get(command.campaign) or placed.past_campaigns.get(command.campaign)
            if open_ is None or all(hit.tenant != by.tenant for hit in open_.hits):
                return Refusal("unknown_campaign", f"there is no campaign {command.campaign}", "campaign")
        case acceptance.AcceptDelivery() | acceptance.RejectDelivery():
            tranche = claimed.tranches.get(command.tranche)
            if tranche is None or tranche.tenant != by.tenant:
                return Refusal("unknown_tranche", f"there is no tranche {command.tranche}", "tranche")
            if command.effective_at:
                return Refusal("own_notice", OWN_NOTICE, "effective_at")
    return None


def _in_names_of(gang: GangId, by: Principal) -> bool:
    return not gang or gang.startswith(f"{by.tenant}.")
