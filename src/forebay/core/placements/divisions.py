"""What is decided about projects: putting a tenant's document in force, and what falls due of shares and budgets."""

from __future__ import annotations

from forebay.core.ids import Answer, Refusal, UserId
from forebay.core.placements import commons, sharing
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import Phase
from forebay.core.placements.projects import ApplyProjects, Node, ProjectsApplied, nodes_of, refuse_plan
from forebay.core.placements.schedule import Desk
from forebay.core.timeline import Due

#: What falls due here.
WAKES = sharing.WAKES | {commons.WEIGH_TENANTS}


def apply_projects(desk: Desk, command: ApplyProjects) -> Answer | Refusal:
    """Put a tenant's projects in force. Refuses: unknown_tenant, and what `refuse_plan` does."""
    plan, held = command.plan, desk.state.sharing.plans.get(command.plan.tenant)
    if plan == held:
        return {"tenant": plan.tenant, "version": plan.version, "changed": False}
    if all(contract.tenant != plan.tenant for contract in desk.claimed.contracts.values()):
        return Refusal("unknown_tenant", f"{plan.tenant} has no contract here", "tenant")
    in_use = {
        gang.spec.project
        for gang in desk.state.gangs.values()
        if gang.spec.tenant == plan.tenant and gang.spec.project and gang.phase is not Phase.ENDED
    }
    no = refuse_plan(plan, held, in_use)
    if no is not None:
        return no
    desk.emit(ProjectsApplied(plan))
    return {"tenant": plan.tenant, "version": plan.version, "changed": True}


def wake(desk: Desk, due: Due) -> None:
    """Use is to be weighed, of projects or of tenants, or a budget is spent, or begins anew."""
    if due.what == commons.WEIGH_TENANTS:
        assert desk.state.commons is not None, "it falls due while use is kept"
        desk.emit(commons.weigh_tenants(desk.state.commons, due.at))
        return
    divisions = desk.derived.held.divisions
    event = sharing.fall_due_share(desk.state.sharing, divisions, desk.state.policy, due)
    desk.emit(event)
    if isinstance(event, sharing.BudgetSpent) and sharing.stops(divisions, event):
        budget = Node(event.tenant, event.project, UserId(""))
        for name in list(desk.derived.held.gangs):
            gang = desk.state.gangs[name]
            own = gang.spec.project and gang.spec.tenant == event.tenant and gang.phase is not Phase.STOPPING
            if own and budget in nodes_of(divisions[event.tenant], gang.spec):
                desk.emit(gangs.GangStopping(name, gang.generation, "budget", again=True))
