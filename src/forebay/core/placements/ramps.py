"""How fast may the load of a feed rise? So many watts a minute, as the policy says; 0 for as fast as may be.

Each start below a feed takes its watts from what the feed may take on: `ramp_w_per_minute` a minute, and no more than
one minute's worth at once. A gang of more than that starts alone, when nothing is left of what was taken on before;
and the next start waits until its watts are paid off. So in any stretch of time the starts below a feed draw no more
than the rate times the stretch, one minute's worth and the largest gang.

Who is held up is not overtaken: while the first in order waits for a feed, nobody behind it starts below that feed.
What is known of a feed is one instant, at which all that it took on is paid off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from forebay.core import supply
from forebay.core.ids import FeedId
from forebay.core.placements.gang import Run
from forebay.core.placements.index import Index
from forebay.core.units import MINUTE_US, SECOND_US

#: So often who is held up by a ramp is looked at again.
STEP_US = 10 * SECOND_US


def taken_on(
    known: Mapping[FeedId, int], supplied: supply.State, runs: Iterable[Run], gpu_w: int, rate: int, at: int
) -> dict[FeedId, int]:
    """When all that feeds took on is paid off, after a start at `at`: those that still have something to pay off."""
    drawn: dict[FeedId, int] = {}
    for first, count, mask in runs:
        node, end = first, first + count
        while node < end:
            rack = supply.rack_of(supplied, node)
            here = min(end, rack.first_node + rack.nodes) - node
            for feed in supply.feed_path(supplied, rack.feed):
                drawn[feed.id] = drawn.get(feed.id, 0) + here * mask.bit_count() * gpu_w
            node += here
    found = {feed: paid_at for feed, paid_at in known.items() if paid_at > at}
    for feed_id, watts in drawn.items():
        found[feed_id] = found.get(feed_id, at) + -(-watts * MINUTE_US // rate)
    return found


def ramp_rooms(known: Mapping[FeedId, int], index: Index, rate: int, at: int) -> Iterator[tuple[int, int]]:
    """Levels that are still paying off at `at`, and the watts that each may take on all the same."""
    for feed, paid_at in known.items():
        if rate and paid_at > at:
            yield index.plant.level_of_feed[feed], max(0, MINUTE_US - (paid_at - at)) * rate // MINUTE_US


def may_start_at(paid_at: int, watts: int, rate: int) -> int:
    """When a feed may take on so many watts, by its ramp alone."""
    if watts >= rate:
        return paid_at
    return paid_at - MINUTE_US + -(-watts * MINUTE_US // rate)


def next_look(known: Mapping[FeedId, int], seen_at: int) -> int | None:
    """When to look again at who is held up; None where nothing is being paid off any more."""
    last_at = max(known.values(), default=0)
    if last_at <= seen_at:
        return None
    return min(last_at, (seen_at // STEP_US + 1) * STEP_US)
