"""Who may see what of contracts, their versions and their clauses? As `views`: what may not be seen is not there."""

from __future__ import annotations

from forebay.core import claims, units
from forebay.core.ids import ContractId, Principal
from forebay.core.units import DAY_US
from forebay.core.world import World
from forebay.feeds import coverage
from forebay.feeds import differences as comparing
from forebay.server import amounts, bodies, contract_bodies, sides, sight, views
from forebay.server.promises import SELLERS


def contract_story(world: World, name: str, principal: Principal) -> contract_bodies.ContractStory | None:
    """A contract as it holds now, and its versions; None where there is none to be seen."""
    state = world.state.claims
    plan = state.contracts.get(ContractId(name))
    known = state.versions.get(ContractId(name), ())
    if plan is None and principal.role in SELLERS:
        # One under which we rent.
        plan = state.rented.contracts.get(ContractId(name))
        known = state.rented.versions.get(ContractId(name), ())
    if plan is None or not sight.owns(principal, plan.tenant):
        return None
    before = (None, *known[:-1])
    return {
        "contract": views.contract_body(plan),
        "versions": [_version(old, new, plan.version) for old, new in zip(before, known, strict=True)],
    }


def _version(old: claims.Version | None, new: claims.Version, in_force: int) -> contract_bodies.SignedVersion:
    found = None if old is None else comparing.compare(old.plan, new.plan)
    ours = ("version", "effective")
    return {
        "version": new.plan.version,
        "effective": amounts.when(new.effective_at),
        "signed": amounts.when(new.signed_at),
        "in_force": new.plan.version == in_force,
        "added": [] if found is None else found.added,
        "removed": [] if found is None else found.removed,
        "changed": [
            {"thing": each.thing, "field": each.field, "old": each.old, "new": each.new}
            for each in (found.changed if found else ())
            if each.field not in ours
        ],
    }


def coverage_body(plan: claims.ContractPlan) -> bodies.CoverageBody:
    """What is done about all that a contract says."""
    found = coverage.covered(plan)
    return {
        "modelled": [{"term": each.term, "about": list(each.about)} for each in found.modelled],
        "watched": [{"title": each.title, "date": amounts.when_or_none(each.at)} for each in found.watched],
        "not_handled": list(found.not_handled),
    }


def watched(world: World, principal: Principal, at: int) -> list[tuple[str, contract_bodies.WatchedBody]]:
    """Clauses that are watched, of the versions in force, and offers to us that are open, in order of their dates."""
    state = world.state.claims
    rented = state.rented.contracts.values() if principal.role in SELLERS else ()
    found = [
        (each.at, plan, each.title)
        for plan in (*state.contracts.values(), *rented)
        if sight.owns(principal, plan.tenant)
        for each in coverage.covered(plan).watched
    ]
    found += sides.offers_to_answer(world) if principal.role in SELLERS else []
    found.sort(key=lambda each: (each[0], each[1].id, each[2]))
    return [
        (
            f"{number:09d}",
            {
                "contract": plan.id,
                "tenant": plan.tenant,
                "title": title,
                "date": amounts.when_or_none(due_at),
                "days": (due_at - at) // DAY_US if due_at else None,
            },
        )
        for number, (due_at, plan, title) in enumerate(found)
    ]


def indices(world: World) -> list[tuple[str, contract_bodies.IndexBody]]:
    """Indices by name: what is published is known to everybody."""
    return [
        (
            name,
            {
                "id": name,
                "values": [
                    {
                        "published": amounts.when(each.published_at),
                        "value": units.decimal_text(each.value_micros),
                    }
                    for each in values
                ],
            },
        )
        for name, values in sorted(world.state.claims.indices.items())
    ]
