"""What would have to be otherwise for a gang that waits to fit now? Found by trying, one thing at a time.

Each is a change that whoever asks may make by oneself (fewer GPUs, a wider level, another site), tried against the
index as it is; and what the binding constraint lacks, as a number. Nothing is promised by it: who goes before it is
the policy's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from forebay.core.placements import easing
from forebay.core.placements.gang import LEVELS, Gang, Spec, Tier
from forebay.core.placements.schedule import Desk, Fit, find
from forebay.core.placements.search import Misfit
from forebay.core.units import counted

#: "Within one hall".
_ONE = {level: f"one {level}" for level in LEVELS}


def relaxed(desk: Desk, gang: Gang, misfit: Misfit, whole: bool) -> list[dict[str, Any]]:
    """Changes after which it would fit now, each alone: {change, value, text}; and what is short. `whole` names
    levels and sites that are not the gang's own.
    """
    spec = gang.spec
    found = [_short(spec, misfit, whole)]
    most = _largest(desk, gang)
    if most:
        found.append(_change("gpus", most, f"With {counted(most, 'GPU')} it would fit now."))
    further = LEVELS[LEVELS.index(spec.within) + 1 :]
    wider = next((level for level in further if _fits(desk, gang, within=level)), None)
    if wider is not None:
        text = f"Within {_ONE[wider]}, and not only within {_ONE[spec.within]}, it would fit now."
        found.append(_change("within", wider.value, text))
    if whole and spec.tier is not Tier.DEDICATED and spec.sites:
        others = [site for site in desk.supplied.sites if site not in spec.sites]
        fits = [site for site in others if _fits(desk, gang, sites=(site,))]
        found += [_change("sites", site, f"At {site} it would fit now.") for site in fits]
    return found


def _change(change: str, value: str | int, text: str) -> dict[str, Any]:
    return {"change": change, "value": value, "text": text}


def _short(spec: Spec, misfit: Misfit, whole: bool) -> dict[str, Any]:
    """What the binding constraint lacks at the least."""
    lacks = misfit.need - misfit.have
    match misfit.constraint:
        case "power":
            where = misfit.level if whole else "the power supply there"
            return _change("power", lacks, f"It needs at least {lacks} W more at {where}.")
        case "nodes":
            text = f"It needs {counted(lacks, 'wholly free node')} more within {_ONE[spec.within]}."
            return _change("nodes", lacks, text)
        case "slices":
            text = f"It needs room for {counted(lacks, 'slice')} more of {spec.slice_gpus} GPUs"
            return _change("slices", lacks, f"{text} within {_ONE[spec.within]}.")
        case _ if misfit.level and not misfit.have:
            return _change("free_gpus", lacks, f"It needs {counted(lacks, 'free GPU')} more.")
        case _:
            return _change("free_gpus", lacks, f"It needs {counted(lacks, 'GPU')} more, free on one node.")


def _fits(desk: Desk, gang: Gang, **otherwise: Any) -> bool:
    spec = replace(gang.spec, **otherwise)
    if LEVELS.index(spec.near) > LEVELS.index(spec.within):
        spec = replace(spec, near=spec.within)
    if easing.short(desk.derived.index, easing.roots_of(desk, spec)):
        return False
    return isinstance(find(desk, gang._replace(spec=spec)), Fit)


def _largest(desk: Desk, gang: Gang) -> int:
    """The most GPUs with which it would fit now; 0 for none. What fits with some fits with fewer: so by halves."""
    unit = gang.spec.slice_gpus or 1
    if gang.spec.gpus > desk.supplied.skus[gang.spec.sku].gpus_per_node and not gang.spec.slice_gpus:
        # In whole nodes: what is left over is not worth another search.
        unit = desk.supplied.skus[gang.spec.sku].gpus_per_node
    low, high = 0, -(-gang.spec.gpus // unit)
    while high - low > 1:
        middle = (low + high) // 2
        if _fits(desk, gang, gpus=middle * unit):
            low = middle
        else:
            high = middle
    return low * unit
