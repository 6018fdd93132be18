"""What do changes of supply and of claims do to the index of free capacity?"""

from __future__ import annotations

from collections.abc import Sequence

from forebay.core import claims, supply
from forebay.core.ids import Event
from forebay.core.placements import limits
from forebay.core.placements.index import POOL
from forebay.core.placements.state import Derived


def on_supply(
    derived: Derived, supplied: supply.State, event: Event, turns: Sequence[supply.NodeTurn] = ()
) -> None:
    """What a change of supply does to the index; `turns` are nodes that it took out or brought back."""
    derived.ends.moved = True
    index = derived.index
    derived.most.clear()
    derived.bounds.coming, derived.bounds.suspect = None, True
    match event:
        case supply.FeedAdded():
            index.add_feed(supplied.feeds[event.feed])
            index.add_base_load(supply.feed_path(supplied, event.feed), event.base_w)
        case supply.RackAdded():
            rack = supplied.racks[event.rack]
            index.add_rack(rack, supplied.skus[rack.sku], supply.feed_path(supplied, rack.feed))
            if rack.site in derived.barred:
                for node in range(rack.first_node, rack.first_node + rack.nodes):
                    index.set_usable(node, False)
            derived.stirred = True
        case supply.storage.StorageApplied() | supply.storage.CopyFinished():
            derived.stirred = True
        case _:
            derived.stirred |= limits.follow_supply(derived.bounds, index, supplied, event)
    for turn in turns:
        seen = turn.node not in derived.kept and not (
            derived.barred and supply.rack_of(supplied, turn.node).site in derived.barred
        )
        index.set_usable(turn.node, not (turn.now[0] or turn.now[1]) and seen)
        # Also where a node goes out: who waits for lent nodes may need others now.
        derived.stirred = True


def on_claims(derived: Derived, claimed: claims.State, event: Event) -> None:
    """What a change of claims does to the index: nodes change their owner."""
    derived.ends.moved = True
    match event:
        case claims.TrancheBound() if claimed.tranches[event.tranche].standing is claims.Standing.LIVE:
            derived.index.set_owner(event.runs, event.tranche)
            derived.stirred = True
        case claims.TrancheStarted():
            derived.index.set_owner(claimed.tranches[event.tranche].runs, event.tranche)
            derived.stirred = True
        case claims.TrancheRebound() if claimed.tranches[event.tranche].standing is claims.Standing.LIVE:
            # A node that it gave up may be another tranche's already, by the same plan.
            nodes = (n for first, count in event.gave for n in range(first, first + count))
            given = [(n, 1) for n in nodes if derived.index.owner[n] == event.tranche]
            derived.index.set_owner(given, POOL)
            derived.index.set_owner(event.took, event.tranche)
            derived.stirred = True
        case claims.TrancheEnded() if claimed.tranches[event.tranche].started_at:
            derived.index.set_owner(claimed.tranches[event.tranche].runs, POOL)
            derived.stirred = True
