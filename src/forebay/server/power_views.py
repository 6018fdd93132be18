"""Power, cooling and curtailments as the World has them, ready for JSON."""

from __future__ import annotations

from forebay.core import timeline
from forebay.core.ids import SiteId
from forebay.core.placements import headroom, schedule, shedding
from forebay.core.supply import Curtailment
from forebay.core.timeline import INSTANT_MAX
from forebay.core.world import World
from forebay.server import power_bodies as bodies


def power_body(world: World, site: str) -> bodies.PowerBody | None:
    """A site's power, or every site's where none is named; None where there is no such site."""
    supplied = world.state.supply
    if site and site not in supplied.sites:
        return None
    names = [SiteId(site)] if site else sorted(supplied.sites)
    desk = schedule.Desk(
        world.state.placements, world.placed, supplied, world.state.claims, lambda event: None, world.now
    )
    return {
        "sites": [
            {
                "site": name,
                "levels": [_level(room) for room in headroom.headrooms(world.placed.index, supplied, name)],
            }
            for name in names
        ],
        "sheddings": [
            {
                "carrier": each.level.carrier.value, "name": each.level.name, "curtailment": each.curtailment,
                "opened": timeline.text(each.opened_at), "excess_w": each.excess_w,
                "left_w": max(0, -world.placed.index.headroom_w(world.placed.index.level_of(each.level))),
                "deadline": timeline.text(each.deadline_at), "overdue": each.overdue,
            }
            for _, each in sorted(world.state.placements.sheddings.items())
        ],
        "curtailments": curtailed(world),
        "restore_queue": [
            {
                "gang": gang.spec.id, "tenant": gang.spec.tenant, "tier": gang.spec.tier.value,
                "gpus": gang.spec.gpus, "curtailment": desk.state.shed[gang.spec.id].curtailment,
            }
            for gang in shedding.restore_queue(desk)
        ],
    }  # fmt: skip


def _level(room: headroom.Headroom) -> bodies.LevelRoom:
    return {
        "carrier": room.level.carrier.value, "name": room.level.name, "parent": room.parent,
        "limit_w": room.limit_w, "effective_w": room.effective_w, "base_w": room.base_w, "load_w": room.load_w,
        "reserved_w": room.reserved_w, "headroom_w": room.headroom_w, "usable_w": room.usable_w,
        "stranded_w": room.stranded_w, "stranded_nodes_w": room.nodes_w, "stranded_below_w": room.below_w,
        "stranded_above_w": room.above_w,
    }  # fmt: skip


def curtailed(world: World) -> list[bodies.CurtailmentBody]:
    """Curtailments that are announced or hold, in order of announcement."""
    return [_curtailment(each) for each in world.state.supply.curtailments.values()]


def _curtailment(each: Curtailment) -> bodies.CurtailmentBody:
    return {
        "id": each.id, "carrier": each.level.carrier.value, "name": each.level.name,
        "most_w": None if each.most_w < 0 else each.most_w, "less_w": each.less_w,
        "start": timeline.text(each.start_at),
        "end": None if each.end_at >= INSTANT_MAX else timeline.text(each.end_at), "respond_s": each.respond_s,
        "reason": each.reason, "sheds": timeline.text(each.shed_at), "begun": each.begun,
    }  # fmt: skip
