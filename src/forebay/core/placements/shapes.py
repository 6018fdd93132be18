"""Can a gang have the shape that it asks for at all?"""

from __future__ import annotations

from forebay.core.ids import Refusal
from forebay.core.placements.gang import LEVELS, Level, Spec


def refuse_shape(spec: Spec, gpus_per_node: int) -> Refusal | None:
    """A wish for nearness is nearer than what is required; slices are whole nodes, and make up the gang."""
    near, within = LEVELS.index(spec.near), LEVELS.index(spec.within)
    if near > within and spec.near is not Level.SITE:
        told = f"near is {spec.near}, which is wider than within ({spec.within}); a nearer level is meant"
        return Refusal("bad_shape", told, "near")
    if spec.slice_gpus and (
        spec.slice_gpus < 0 or spec.slice_gpus % gpus_per_node or spec.gpus % spec.slice_gpus
    ):
        told = (
            f"slice_gpus is {spec.slice_gpus}; a multiple of {gpus_per_node} (the GPUs of a node of {spec.sku}) is"
            f" meant, of which {spec.gpus} is a multiple"
        )
        return Refusal("bad_shape", told, "slice_gpus")
    return None
