"""By which rule was a gang told to leave, and on what evidence? In words, with the numbers that the rule went by."""

from __future__ import annotations

from forebay.core import supply, timeline
from forebay.core.ids import NodeIndex
from forebay.core.placements import deadlines, turnover
from forebay.core.placements.campaigns import Campaign
from forebay.core.placements.checkpoints import lost_gpu_us
from forebay.core.placements.gang import Gang, Phase
from forebay.core.placements.index import each_node
from forebay.core.placements.lending import Eviction
from forebay.core.placements.schedule import Desk
from forebay.core.units import HOUR_US, SECOND_US, counted

#: The rule behind each reason.
RULES = {
    "reclaim": "lent capacity goes back when its owner needs it; those leave who lose the least work in all",
    "claim_started": "when a term begins, its nodes are the claim's",
    "claim_power": "when a term begins, its power is the claim's: spot leaves first, and the latest placed",
    "claim_ended": "when a term ends, its nodes go back to the pool",
    "rebound": "work moves with its claim, and leaves nodes that are another's",
    "node_failed": "a gang is whole or not at all: what loses a node starts again elsewhere",
    "quarantine": "a quarantined node has no work",
    "drain": "a node that is drained has no work",
    "engine_silent": "what a silent engine had starts again once it is over for sure",
    "start_timeout": "what the engine does not start in time is stopped and started again",
    "maintenance": "a campaign empties its nodes wave by wave",
    "preempted": "a class that may takes the place of later ones of its own tenant; who loses the least work goes",
    "stuck": "what reports no progress for so long is stopped and started again",
    "budget": "what a project has beyond its budget is stopped, where its tenant says so",
    "curtailed": "when a level may carry less, those stop whose turn it is, as few as it takes",
    "walltime": "nothing runs beyond its limit of time",
}
#: Reasons that lie in the nodes that a gang had.
_OF_NODES = frozenset({
    "node_failed", "quarantine", "drain", "maintenance", "claim_started", "rebound", "claim_ended",
})  # fmt: skip
#: Nodes that are named in one sentence.
NAMED_MAX = 8


def by_rule(desk: Desk, gang: Gang, *, whole: bool) -> list[str]:
    """Sentences about the last eviction of a gang; none where it was never evicted. `whole` names others."""
    known = desk.state.lending.evicted.get(gang.spec.id)
    if known is None:
        return []
    rule = RULES.get(known.reason)
    facts = [f"By the rule: {rule}."] if rule else []
    facts += numbers(desk, gang, known.reason, whole=whole)
    # While it stops it may still make a checkpoint: `explain` says what it stands to lose.
    if gang.phase is not Phase.STOPPING:
        at, lost = timeline.text(known.at), _gpu_s(known.lost_gpu_us)
        facts.append(f"At {at} that cost it {lost} of work since its last checkpoint.")
    if known.deadline_at:
        facts.append(_called_back(gang, known, whole=whole))
    return facts


def before_this_start(desk: Desk, gang: Gang, *, whole: bool) -> list[str]:
    """The same of one that runs again since."""
    facts = by_rule(desk, gang, whole=whole)
    if not facts:
        return []
    return ["It was evicted before this start.", *facts]


def numbers(desk: Desk, gang: Gang, reason: str, *, whole: bool) -> list[str]:
    """What the rule behind a reason went by, of a gang that stops, or stopped; as it is known now."""
    spec, policy = gang.spec, desk.state.policy
    if reason in _OF_NODES and gang.phase in (Phase.PLACED, Phase.RUNNING):
        # The nodes that it left are not on record any more.
        return []
    told = ""
    match reason:
        case "node_failed" | "quarantine" | "drain":
            return _nodes_out(desk, gang, whole)
        case "maintenance":
            return _campaigns(desk, gang, whole)
        case "claim_started" | "rebound":
            return _passed(desk, gang, whole)
        case "claim_power":
            watts = spec.gpus * desk.supplied.skus[spec.sku].gpu_w
            told = f"Its {counted(spec.gpus, 'GPU')} drew {watts} W, which the claim may draw now."
        case "curtailed":
            return _curtailed(desk, gang)
        case "start_timeout":
            most = policy.interruptions_max
            told = f"The engine has {policy.start_timeout_s} s to start a gang; such ends count, {most} at the most."
        case "stuck":
            told = f"Without progress for {policy.failing.stuck_s} s a gang counts as stuck."
        case "walltime":
            told = f"Its limit of time is {spec.walltime_s} s."
        case "budget" if spec.project:
            return _budgets(desk, gang)
        case deadlines.DEADLINE_PASSED:
            told = f"It had to start by {timeline.text(deadlines.start_before(gang))}."
        case "dependency_failed":
            names = ", ".join(each.gang for each in spec.after[:NAMED_MAX])
            told = f"It was to come after {names}."
        case "claim_ended" if spec.tranche:
            ended = timeline.text(desk.claimed.tranches[spec.tranche].plan.end_at)
            told = f"The term of tranche {spec.tranche} was signed until {ended}."
    return [told] if told else []


def _nodes_out(desk: Desk, gang: Gang, whole: bool) -> list[str]:
    """Which of its nodes are out, or take no more work."""
    supplied = desk.supplied
    told = []
    for node, _ in each_node(gang.runs):
        why = supplied.failed.get(NodeIndex(node), supplied.cordoned.get(NodeIndex(node)))
        if why is not None:
            told.append(f"{supply.node_name(supplied, node)}{f' ({why})' if whole and why else ''}")
    if not told:
        return ["All of its nodes are in service again."]
    more = f" and {len(told) - NAMED_MAX} more" if len(told) > NAMED_MAX else ""
    are = "is" if len(told) == 1 else "are"
    return [
        f"Of its {counted(len(each_node(gang.runs)), 'node')} {', '.join(told[:NAMED_MAX])}{more} {are} out."
    ]


def _campaigns(desk: Desk, gang: Gang, whole: bool) -> list[str]:
    """The waves that emptied its nodes, as long as they go on."""
    mine = {node for node, _ in each_node(gang.runs)}
    known = [(each, mine & {*each.draining, *each.out}) for each in desk.state.campaigns.values()]
    return [_wave(campaign, len(nodes), whole) for campaign, nodes in known if nodes]


def _wave(campaign: Campaign, nodes: int, whole: bool) -> str:
    name = f"campaign {campaign.plan.id} ({campaign.plan.work})" if whole else campaign.plan.work
    waves = f"wave {campaign.begun} of {campaign.begun + len(campaign.waves)}"
    when = f"begun {timeline.text(campaign.wave_at)}, takes {campaign.plan.takes_s} s"
    return f"{counted(nodes, 'node')} of its own in {name}: {waves}, {when}."


def _passed(desk: Desk, gang: Gang, whole: bool) -> list[str]:
    """To whom its nodes passed."""
    owners: dict[str, int] = {}
    for node, _ in each_node(gang.runs):
        owner = desk.derived.index.owner[node]
        if owner and owner != gang.spec.tranche:
            owners[owner] = owners.get(owner, 0) + 1
    if not whole:
        return [f"{counted(sum(owners.values()), 'node')} of its own passed to other work."] if owners else []
    return [
        f"{counted(count, 'node')} of its own passed to tranche {name}."
        for name, count in sorted(owners.items())
    ]


def _curtailed(desk: Desk, gang: Gang) -> list[str]:
    """What it gave back. By which order it was its turn is told with the curtailment (`explain_power`)."""
    watts = gang.spec.gpus * desk.supplied.skus[gang.spec.sku].gpu_w
    shed = desk.state.shed.get(gang.spec.id)
    if shed is None:
        return []
    return [f"It drew {watts} W; by {timeline.text(shed.deadline_at)} the level had to be under its limit."]


def _budgets(desk: Desk, gang: Gang) -> list[str]:
    spec, spent = gang.spec, desk.state.sharing.spent
    above = desk.derived.held.divisions[spec.tenant].above(spec.project)
    known = [(each.id, each.budget, spent.get((spec.tenant, each.id))) for each in above]
    return [
        f"Project {name} has {budget.gpu_s * SECOND_US // HOUR_US} GPU-hours a period; the next begins at"
        f" {timeline.text(until_at)}."
        for name, budget, until_at in known
        if budget is not None and until_at is not None
    ]


def _called_back(gang: Gang, known: Eviction, *, whole: bool) -> str:
    to = f"{known.for_gang}, on tranche {known.tranche}" if whole else "other work"
    late = ", and is late" if gang.reclaim_at < 0 else ""
    return f"What it borrowed was called back for {to}: due by {timeline.text(known.deadline_at)}{late}."


def on_loan(desk: Desk, gang: Gang) -> list[str]:
    """What a borrower that runs has to expect, in numbers; nothing for one that does not borrow."""
    if not gang.lender or gang.phase is Phase.STOPPING:
        return []
    lending = desk.claimed.tranches[gang.lender].plan.lending
    takes = turnover.away(gang.spec, desk.state.policy)
    within = "" if lending is None else f" of the {lending.reclaim_deadline_s} s after which it is due back"
    lost = lost_gpu_us(gang, desk.state.lending.checkpoints.get(gang.spec.id), desk.at)
    parts = f" ({takes.told()})" if takes.total_s else ""
    return [
        f"It may be called back at any time: that takes up to {takes.total_s} s{within}{parts}.",
        f"Called back at {timeline.text(desk.at)} it would lose {_gpu_s(lost)} of work.",
    ]


def _gpu_s(gpu_us: int) -> str:
    return f"{gpu_us // SECOND_US} GPU-seconds"
