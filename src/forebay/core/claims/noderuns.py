"""Runs of nodes, (first, count): put together, and taken from one another."""

from __future__ import annotations

import bisect


def joined_runs(*runs: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Runs (first, count) that do not overlap, in order, neighbours as one."""
    joined: list[tuple[int, int]] = []
    for first, count in sorted(runs):
        if joined and sum(joined[-1]) == first:
            joined[-1] = (joined[-1][0], joined[-1][1] + count)
        else:
            joined.append((first, count))
    return tuple(joined)


def runs_less(
    runs: tuple[tuple[int, int], ...], others: tuple[tuple[int, int], ...]
) -> tuple[tuple[int, int], ...]:
    """What is left of runs without the nodes of others, in order."""
    left: list[tuple[int, int]] = []
    taken = sorted(others)
    for first, count in sorted(runs):
        end = first + count
        for start, size in taken[max(0, bisect.bisect_right(taken, (first,)) - 1) :]:
            if start >= end:
                break
            if start > first:
                left.append((first, start - first))
            first = max(first, start + size)
        if first < end:
            left.append((first, end - first))
    return tuple(left)


def dated_less(
    runs: tuple[tuple[int, int, int], ...], gave: tuple[tuple[int, int], ...]
) -> tuple[tuple[int, int, int], ...]:
    """Runs (first, count, when) without those that were given up."""
    return tuple(
        (first, count, since)
        for start, nodes, since in runs
        for first, count in runs_less(((start, nodes),), gave)
    )


def nodes_in(runs: tuple[tuple[int, int], ...]) -> int:
    """Nodes in some runs."""
    return sum(count for _, count in runs)
