"""Why is it as it is? Of arrays, projects, nodes and campaigns: what holds them up, since when, until when, for whom.

Whoever asks gets sentences made of what one may see anyway: a tenant reads of its own arrays, projects and claims, of
nodes of its own claims and of those that its work runs on, and of everything else nothing, not even that it is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from forebay.core import supply
from forebay.core.ids import (
    CampaignId,
    GangId,
    NodeIndex,
    Principal,
    ProjectId,
    Role,
    TenantId,
    TrancheId,
    UserId,
)
from forebay.core.placements import campaigns, chains, sharing
from forebay.core.placements.gang import HOLDING, Gang, Phase
from forebay.core.placements.index import each_node
from forebay.core.placements.projects import Division, Node, Project, Spent
from forebay.core.units import HOUR_US, SECOND_US, counted
from forebay.core.world import World
from forebay.server import amounts, campaign_views, health_views, sight, views
from forebay.server.explaining_bodies import Explanation
from forebay.server.health_bodies import OutNodeBody

#: What can be explained, in the order in which it is told where several have one name.
KINDS = ("gang", "array", "project", "node", "campaign")
#: Things that are named in one sentence.
NAMED_MAX = 8


class Named(NamedTuple):
    """Something that can be explained: of a project the tenant comes first (`acme/lab`)."""

    kind: str
    name: str


def called(world: World, principal: Principal, name: str) -> list[Named]:
    """Everything that is called so, that can be explained, and that the principal may see."""
    placed = world.state.placements
    found = []
    if principal.role not in (Role.OPERATOR, Role.TENANT):
        return []
    gang = placed.gangs.get(GangId(name))
    if gang is not None and sight.owns(principal, gang.spec.tenant):
        found.append(Named("gang", name))
    array = placed.chains.arrays.get(GangId(name))
    if array is not None and sight.owns(principal, array.tenant):
        found.append(Named("array", name))
    tenant, slash, project = name.rpartition("/")
    for owner, division in sorted(world.placed.held.divisions.items()):
        known = ProjectId(project) in division.by_id and (not slash or owner == tenant)
        if known and sight.owns(principal, owner):
            found.append(Named("project", f"{owner}/{project}"))
    node = supply.node_named(world.state.supply, name)
    if node is not None and (principal.role is Role.OPERATOR or _knows(world, principal, node)):
        found.append(Named("node", name))
    if any(each == name for each, _ in campaign_views.campaigns_seen(world, principal)):
        found.append(Named("campaign", name))
    return found


def _knows(world: World, principal: Principal, node: NodeIndex) -> bool:
    """Whether a node is of a claim of the tenant's, or has work of it."""
    tranche = world.state.claims.tranches.get(_owner(world, node))
    return (tranche is not None and tranche.tenant == principal.tenant) or any(
        gang.spec.tenant == principal.tenant for gang in _on(world, node)
    )


def explained(world: World, principal: Principal, thing: Named) -> Explanation:
    """Why one of them is as it is; the principal may see it."""
    match thing.kind:
        case "gang":
            told = views.gang_explanation(world, principal, thing.name)
            assert told is not None, "it is there and may be seen"
            return _body(thing, told["summary"], told["facts"]) | {"gang": told}
        case "array":
            return _array(world, principal, thing)
        case "project":
            return _project(world, principal, thing)
        case "node":
            return _node(world, principal, thing)
        case _:
            return _campaign(world, principal, thing)


def _body(thing: Named, summary: str, facts: Iterable[str]) -> Explanation:
    return {"kind": thing.kind, "name": thing.name, "summary": summary, "facts": list(facts)}


def _names(names: Iterable[str]) -> str:
    known = list(names)
    return f"{', '.join(known[:NAMED_MAX])}{f' and {len(known) - NAMED_MAX} more' if len(known) > NAMED_MAX else ''}"


# Arrays.


def _array(world: World, principal: Principal, thing: Named) -> Explanation:
    """How many of it wait, run and are over; and what those have in common that wait for room."""
    placed = world.state.placements
    array = placed.chains.arrays[GangId(thing.name)]
    known = (placed.gangs.get(array.member(place)) for place in range(len(array.indices)))
    members = [gang for gang in known if gang is not None]
    pending = [gang for gang in members if gang.phase is Phase.PENDING]
    holding = sum(gang.phase in HOLDING for gang in members)
    ended = len(array.indices) - len(pending) - holding
    failed = f" ({array.failed} of them did not complete)" if array.failed else ""
    wait = "waits" if len(pending) == 1 else "wait"
    summary = (
        f"Of its {counted(len(array.indices), 'gang')} {len(pending)} {wait}, {holding} hold GPUs and"
        f" {ended} are over{failed}."
    )
    facts = []
    by_code: dict[str, list[Gang]] = {}
    for gang in pending:
        by_code.setdefault(_waits_for(world, gang), []).append(gang)
    turn = by_code.pop("array", [])
    if array.at_most < len(array.indices):
        facts.append(f"At most {array.at_most} of it wait in the queue or hold GPUs at one time.")
    if turn:
        facts.append(f"{_first(turn)} until one of these is over.")
    body = _body(thing, summary, facts)
    for code, gangs in sorted(by_code.items()):
        # Its gangs are alike: what holds up the first of them holds up all.
        first = min(gangs, key=lambda gang: gang.order)
        told = views.gang_explanation(world, principal, first.spec.id)
        assert told is not None, "it waits and may be seen"
        body["facts"] += [f"{_first(gangs)} like {first.spec.id}: {told['summary']}"]
        if code == "room":
            body["constraint"] = told["constraint"]
            body["expected_start"] = told["expected_start"]
    return body


def _first(gangs: list[Gang]) -> str:
    return f"{counted(len(gangs), 'gang')} {'waits' if len(gangs) == 1 else 'wait'}"


def _waits_for(world: World, gang: Gang) -> str:
    """For what a gang of an array waits, as far as its gangs differ in that."""
    if gang.returns_at:
        return "turnover"
    if gang.not_before > world.now:
        return "backoff"
    known = world.state.placements.chains
    if not chains.may_queue(known, gang.spec):
        return "dependency" if gang.spec.id in known.waits else "array"
    return "room"


# Projects.


def _project(world: World, principal: Principal, thing: Named) -> Explanation:
    """Caps, budgets, and who waits because of them."""
    tenant, _, name = thing.name.partition("/")
    division = world.placed.held.divisions[TenantId(tenant)]
    project = division.by_id[ProjectId(name)]
    placed, queue = world.state.placements, world.placed.queue
    inside = [
        gang
        for gang in placed.gangs.values()
        if gang.spec.tenant == tenant and gang.spec.project and project in division.above(gang.spec.project)
    ]
    pending = sorted((gang for gang in inside if gang.phase is Phase.PENDING), key=lambda gang: gang.order)
    held: dict[str, list[Gang]] = {}
    for gang in pending:
        barred = queue.barred(gang, placed.gangs)
        if barred is not None and barred.spent is not None:
            held.setdefault(f"the budget of project {barred.spent.id}", []).append(gang)
        elif barred is not None and barred.node is not None:
            who = f"{barred.node.user} in project" if barred.node.user else "project"
            held.setdefault(f"the cap of {who} {barred.node.project}", []).append(gang)
    others = len(pending) - sum(map(len, held.values()))
    gpus = sum(gang.spec.gpus for gang in inside if gang.phase in HOLDING)
    because = len(pending) - others
    summary = (
        f"It holds {counted(gpus, 'GPU')}; {_first(pending)}, {because} of them because of a cap or a budget."
    )
    facts = []
    for why, gangs in sorted(held.items()):
        names = _names(f"{gang.spec.id} ({gang.spec.gpus})" for gang in gangs)
        facts.append(f"{_first(gangs)} because of {why}: {names}.")
    if others:
        facts.append(
            f"{counted(others, 'gang')} of it {'waits' if others == 1 else 'wait'} for something else."
        )
    for each in division.above(project.id):
        facts += _limits(world, division, each)
    return _body(thing, summary, facts)


def _limits(world: World, division: Division, project: Project) -> Iterator[str]:
    """The cap and the budget of a project, with what is left of them."""
    known, tenant = world.state.placements.sharing, division.plan.tenant
    account = known.accounts.get(Node(tenant, project.id, UserId("")), sharing.Account(since_at=world.now))
    if project.gpus_max:
        yield f"Project {project.id} holds {account.gpus} of the {counted(project.gpus_max, 'GPU')} of its cap."
    if project.user_gpus_max:
        yield f"Each user may hold {counted(project.user_gpus_max, 'GPU')} in project {project.id}."
    if project.budget is None:
        return
    at = max(world.now, account.since_at)
    used = sharing.brought_up(account, project.budget, at).period_gpu_us
    have, next_at = project.budget.gpu_s * SECOND_US, sharing.period_end(project.budget, at)
    told = f"Project {project.id} has used {used // HOUR_US} of the {have // HOUR_US} GPU-hours of its budget"
    next_ = f"the next begins at {amounts.when(next_at)}"
    if (tenant, project.id) not in known.spent:
        yield f"{told}; {next_}."
    elif project.budget.then is Spent.STOP:
        yield f"{told}. It is spent: what ran was stopped, and nothing of it starts before; {next_}."
    else:
        yield f"{told}. It is spent: what runs goes on, and nothing more of it starts before; {next_}."


# Nodes.


def _owner(world: World, node: NodeIndex) -> TrancheId:
    return TrancheId(world.placed.index.owner[node])


def _on(world: World, node: NodeIndex) -> list[Gang]:
    """Gangs that hold GPUs of a node, those included that left it and after which it is wiped."""
    placed, held = world.state.placements, world.placed.held
    names = [*held.on_node.get(node, ())]
    names += [name for name in sorted(held.wiped) if node in _nodes_of(placed.gangs[name])]
    return [placed.gangs[name] for name in names]


def _nodes_of(gang: Gang) -> set[int]:
    return {node for node, _ in each_node(gang.runs)}


def _node(world: World, principal: Principal, thing: Named) -> Explanation:
    """Whether it is in service, why not, and until when; who holds it, who waits for it, and who will."""
    known = world.state.supply
    node = supply.node_named(known, thing.name)
    assert node is not None, "it is there"
    whole, owner = principal.role is Role.OPERATOR, _owner(world, node)
    out = health_views.out_body(world, node)
    condition = out["condition"].replace("_", " ")
    reason = out["reason"].removeprefix(f"{condition}: ") if whole else ""
    why = f": {reason}" if reason else ""
    if node in known.failed:
        summary = f"It is out since {out['since']}, {condition}{why}."
    elif node in known.cordoned:
        summary = f"It takes no new work{why}."
    else:
        summary = "It is in service."
    own = owner in world.state.claims.tranches and sight.owns(
        principal, world.state.claims.tranches[owner].tenant
    )
    facts = [*_repair(out, whole=whole, own=own)]
    if whole or own:
        facts.append(f"It is of tranche {owner}." if owner else "It is of the pool.")
    facts += _work(world, principal, node)
    facts += _to_come(world, principal, node)
    body = _body(thing, summary, facts)
    if whole:
        body["node"] = out
    return body


def _repair(out: OutNodeBody, *, whole: bool, own: bool) -> Iterator[str]:
    """What is being done about a node, and until when."""
    if out["ticket"]:
        parts = [out["cause"], f"part {out['part']}" if out["part"] else ""]
        told = f" ({', '.join(each for each in parts if each)})" if whole and any(parts) else ""
        ticket = f"Ticket {out['ticket']}{told}" if whole else "A ticket"
        back = f"back by {out['expected_at']}" if out["expected_at"] else "no return is expected yet"
        yield f"{ticket} is open: {back}."
    elif out["since"]:
        yield "No ticket is open for it, so no return is expected yet."
    if out["replace_by"] and (whole or own):
        yield f"By the contract another has to stand in its place by {out['replace_by']}."
    if whole and out["missing_checks"]:
        yield f"It has yet to pass: {', '.join(out['missing_checks'])}."
    if whole and out["failures"]:
        yield f"It failed {counted(out['failures'], 'time')} since it was last released."


def _work(world: World, principal: Principal, node: NodeIndex) -> Iterator[str]:
    """Who is on it, for whom they were called back, and for whom it is kept."""
    placed = world.state.placements
    others = 0
    for gang in _on(world, node):
        if not sight.owns(principal, gang.spec.tenant):
            others += 1
            continue
        gpus = sum(mask.bit_count() for each, mask in each_node(gang.runs) if each == node)
        lent = f", lent by tranche {gang.lender}" if gang.lender and principal.role is Role.OPERATOR else ""
        if gang.returns_at:
            yield f"{gang.spec.id} left it: it is wiped and checked until {amounts.when(gang.returns_at)}."
        else:
            yield f"{gang.spec.id} holds {counted(gpus, 'GPU')} of it ({gang.phase.value}{lent})."
        called = placed.lending.evicted.get(gang.spec.id)
        if called is not None and called.deadline_at and principal.role is Role.OPERATOR:
            due = amounts.when(called.deadline_at)
            yield f"{gang.spec.id} was called back for {called.for_gang}, on tranche {called.tranche}: due by {due}."
    if others:
        yield "Other work holds GPUs of it."
    if not _on(world, node):
        yield "Nothing runs on it."
    kept_for = world.placed.kept.get(node)
    if kept_for is not None:
        hold, gang = placed.holds[kept_for], placed.gangs[kept_for]
        spare = any(first <= node < first + count for first, count in hold.spares)
        what = "a spare" if spare else "one of its hosts"
        who = kept_for if sight.owns(principal, gang.spec.tenant) else "other work"
        yield f"It is kept for {who} until {amounts.when(hold.until_at)}, as {what}."


def _to_come(world: World, principal: Principal, node: NodeIndex) -> Iterator[str]:
    """Maintenance that it is in, or that is to come, and how many wait for such capacity."""
    for campaign in world.state.placements.campaigns.values():
        if not campaign_views.may_see(campaign, principal):
            continue
        if node in (*campaign.draining, *campaign.out):
            word = "emptied for" if node in campaign.draining else "worked on by"
            yield f"It is {word} campaign {campaign.plan.id} ({campaign.plan.work})."
        for at, nodes in campaign.starts():
            if node in campaigns.run_nodes(nodes):
                name = f"Campaign {campaign.plan.id} ({campaign.plan.work})"
                yield f"{name} comes to it at {amounts.when(at)} at the earliest."
    owner = _owner(world, node)
    tranche = world.state.claims.tranches.get(owner)
    if tranche is not None and sight.owns(principal, tranche.tenant):
        waits = [
            gang for gang in world.state.placements.gangs.values()
            if gang.phase is Phase.PENDING and gang.spec.tranche == owner
        ]  # fmt: skip
        if waits:
            names = _names(gang.spec.id for gang in sorted(waits, key=lambda gang: gang.order))
            yield f"{_first(waits)} for nodes of tranche {owner}: {names}."


# Campaigns.


def _campaign(world: World, principal: Principal, thing: Named) -> Explanation:
    """How far it is, what it waits for, and who still has to say something."""
    body = dict(campaign_views.campaigns_seen(world, principal))[thing.name]
    known = world.state.placements
    campaign = known.campaigns.get(CampaignId(thing.name)) or known.past_campaigns[CampaignId(thing.name)]
    in_all = body["waves_begun"] + body["waves_left"]
    why = f" ({body['reason']})" if body["reason"] else ""
    summary = f"{body['work']}: it is {body['phase']}{why}, {body['waves_begun']} of {counted(in_all, 'wave')} begun."
    facts = []
    if campaign.busy:
        late = ", longer than it should" if body["slipped"] else ""
        facts.append(f"Wave {body['waves_begun']} goes on since {amounts.when(campaign.wave_at)}{late}.")
    for nodes, word in (("draining", "being emptied"), ("out", "worked on"), ("failed", "not back after it")):
        names = body[nodes]  # type: ignore[literal-required]
        if names:
            facts.append(
                f"{counted(len(names), 'node')} {'is' if len(names) == 1 else 'are'} {word}: {_names(names)}."
            )
    holders = [
        gang for node in campaign.draining for gang in _on(world, node) if sight.owns(principal, gang.spec.tenant)
    ]  # fmt: skip
    for name in dict.fromkeys(gang.spec.id for gang in holders):
        gang = known.gangs[name]
        gone = "" if not gang.stopping_at else amounts.when(gang.stopping_at + gang.spec.grace_s * SECOND_US)
        facts.append(f"It waits for {name} ({gang.phase.value}{f', gone by {gone}' if gone else ''}).")
    if campaign.busy and body["slipped"] and body["waves_left"]:
        facts.append("The next wave begins once this one is over.")
    elif body["phase"] == "running" and body["next"]:
        facts.append(f"The next wave begins at {body['next']}, if none slips.")
    for claim in body["claims"] if body["phase"] in ("running", "paused") else ():
        if claim["consent"] in ("asked", "refused"):
            said = "has yet to consent" if claim["consent"] == "asked" else "does not consent"
            its = counted(len(claim["nodes"]), "node")
            facts.append(f"Tranche {claim['tranche']} {said}: its {its} are left out until it does.")
        facts += [f"Tranche {claim['tranche']}: {each['detail']}." for each in claim["overruns"]]
    if body["left"]:
        facts.append(f"Left out for want of consent: {_names(body['left'])}.")
    made = _body(thing, summary, facts)
    made["campaign"] = body
    return made
