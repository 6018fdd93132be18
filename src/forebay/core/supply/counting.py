"""What is a kind of rack counted in? GPUs, which are packages, or superchips of one or more GPUs. Never dies."""

from __future__ import annotations

from enum import StrEnum


class Counted(StrEnum):
    """What a kind of rack is counted in, for customers."""

    GPU = "gpu"
    SUPERCHIP = "superchip"


def superchips_fit(counts: Counted, gpus_per_superchip: int, gpus_per_node: int) -> bool:
    """Whether a node is made of whole superchips, and they are known where they are counted."""
    if not gpus_per_superchip:
        return counts is Counted.GPU
    return gpus_per_superchip > 0 and gpus_per_node % gpus_per_superchip == 0
