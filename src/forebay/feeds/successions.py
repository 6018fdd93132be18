"""Gangs that come after others, and arrays of gangs, as documents write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from forebay.core import ids
from forebay.core.placements import chains, gang
from forebay.feeds import gang_parts, tree

if TYPE_CHECKING:
    from forebay.feeds import commands

T = TypeVar("T")
#: `0-99`, `1,3,5-7`, each with `%10` for at most ten at once.
ARRAY_RULE = "numbers such as '0-99' or '1,3,5-7', with '%10' at the end for at most ten of them at once"
_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")


class BadArray(ValueError):
    """An array that is not written as `ARRAY_RULE` says, or has too many gangs."""


def array_of(text: str) -> tuple[tuple[int, ...], int]:
    """The indices of an array, and how many of its gangs may be at work at once (0 for all). Raises `BadArray`."""
    numbers, percent, most = text.partition("%")
    if percent and (not re.fullmatch("[0-9]{1,9}", most) or int(most) < 1):
        raise BadArray(f"{text!r} is no array: {ARRAY_RULE} are meant")
    indices: list[int] = []
    for part in numbers.split(","):
        found = _RANGE.fullmatch(part.strip())
        if found is None:
            raise BadArray(f"{text!r} is no array: {ARRAY_RULE} are meant")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise BadArray(f"{part.strip()} runs backwards")
        if len(indices) + last - first >= chains.ARRAY_MAX:
            raise BadArray(f"an array has at most {chains.ARRAY_MAX} gangs")
        indices += range(first, last + 1)
    return tuple(indices), int(most) if percent else 0


def after_of(entries: Sequence[gang_parts.AfterEntry], tenant: str) -> tuple[chains.After, ...]:
    """Gangs by their ids; one that is named without its tenant is of the same."""
    names = (each.gang if each.gang.startswith(f"{tenant}.") else f"{tenant}.{each.gang}" for each in entries)
    return tuple(chains.After(ids.GangId(name), each.when) for name, each in zip(names, entries, strict=True))


def in_succession(wanted: Sequence[commands.Wanted], items: Sequence[T]) -> list[T]:
    """The same, each gang behind those that it comes after; all else stays where it is.

    Raises `tree.DocumentError` where gangs wait for each other in a circle.
    """
    by_name = {want.about: place for place, want in enumerate(wanted) if _names_of(want) is not None}
    places = [place for place, want in enumerate(wanted) if _names_of(want) is not None]
    ordered: list[int] = []
    done: set[int] = set()
    for start in places:
        # Those on the way from `start`, each with the ones that it still has to be put behind.
        way: list[tuple[int, list[int]]] = (
            [(start, _before(wanted[start], by_name))] if start not in done else []
        )
        while way:
            here, before = way[-1]
            following = next((each for each in before if each not in done), None)
            if following is None:
                way.pop()
                done.add(here)
                ordered.append(here)
                continue
            circle = [place for place, _ in way]
            if following in circle:
                raise tree.DocumentError([_circle(wanted, circle[circle.index(following) :])])
            way.append((following, _before(wanted[following], by_name)))
    result = list(items)
    for place, chosen in zip(places, ordered, strict=True):
        result[place] = items[chosen]
    return result


def _names_of(want: commands.Wanted) -> tuple[chains.After, ...] | None:
    """What a gang comes after; None for what is no gang."""
    command = want.command
    return command.spec.after if isinstance(command, (gang.SubmitGang, gang.SubmitArray)) else None


def _before(want: commands.Wanted, by_name: dict[str, int]) -> list[int]:
    return [by_name[each.gang] for each in _names_of(want) or () if each.gang in by_name]


def _circle(wanted: Sequence[commands.Wanted], circle: list[int]) -> tree.Problem:
    names = " after ".join(wanted[place].about for place in [*circle, circle[0]])
    told = f"gangs wait for each other in a circle: {names}"
    return wanted[circle[0]].document.problem(("after",), told, "dependency_cycle")
