"""Which kinds of rack may a gang run on? The one it asks for, or others in order of preference.

A gang that runs is one of the kind that it got: its recorded specification says that kind and number of GPUs, so that
power, metering and price follow. When it waits again, it asks as it did at first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from forebay.core.ids import Refusal, SkuId, TrancheId

if TYPE_CHECKING:
    from forebay.core.placements.gang import Spec

#: Kinds that one gang may name.
CHOICES_MAX = 16


@dataclass(slots=True, frozen=True)
class RackChoice:
    """A kind of rack, and how many GPUs of it do."""

    sku: SkuId
    gpus: int


def as_choice(spec: Spec, choice: int) -> Spec:
    """The gang as one of the kind that it got; 0 is what it asks for first."""
    if not spec.skus:
        return spec
    sku, gpus = spec.skus[choice].sku, spec.skus[choice].gpus
    return spec if (spec.sku, spec.gpus) == (sku, gpus) else replace(spec, sku=sku, gpus=gpus)


def variants(spec: Spec) -> Iterator[Spec]:
    """The gang once for each kind, as if that were all that it takes."""
    for each in spec.skus:
        yield replace(spec, sku=each.sku, gpus=each.gpus, skus=())


def capacities(spec: Spec) -> list[tuple[TrancheId, SkuId]]:
    """What a gang competes for: the nodes of a tranche, or of the pool ("" for that), of each of its kinds."""
    return [(spec.tranche, sku) for sku in ([each.sku for each in spec.skus] or [spec.sku])]


def as_of_tranche(spec: Spec, sku: SkuId) -> Spec:
    """A dedicated gang as one of its tranche's kind, where it takes that: there is nothing else there."""
    found = next((each for each in spec.skus if each.sku == sku), None)
    return spec if found is None else replace(spec, sku=found.sku, gpus=found.gpus, skus=())


def same_as_asked(known: Spec, asked: Spec) -> bool:
    """Whether a gang as recorded, whatever it got, is the one that is asked for."""
    if not asked.walltime_s:
        # What it got for a limit is not what it asked for.
        known = replace(known, walltime_s=0, estimate_s=0)
    if known == asked or not asked.skus:
        return known == asked
    return as_choice(known, 0) == asked or (bool(asked.tranche) and as_of_tranche(asked, known.sku) == known)


def refuse_choices(spec: Spec) -> Refusal | None:
    """bad_choice: the kinds of a gang that takes several are told each once, the first as what it asks for."""
    if len(spec.skus) > CHOICES_MAX or len({each.sku for each in spec.skus}) < len(spec.skus):
        return Refusal("bad_choice", f"at most {CHOICES_MAX} kinds of rack are meant, each once", "skus")
    if (spec.skus[0].sku, spec.skus[0].gpus) != (spec.sku, spec.gpus):
        return Refusal("bad_choice", f"the first of its kinds is not {spec.gpus} GPUs of {spec.sku}", "skus")
    return None
