"""What shape has an answer about how free capacity lies? As `bodies`."""

from __future__ import annotations

from typing import TypedDict


class FragmentsBody(TypedDict):
    """What is free of one kind of rack at one site, and how it lies. Power and cooling are not counted."""

    #: Whose nodes these are; "" for the pool.
    tranche: str
    sku: str
    site: str
    free_gpus: int
    #: Nodes, and racks, of which all GPUs are free.
    whole_nodes: int
    whole_racks: int
    #: By level (node, rack, row, block, hall, site): the largest gang that fits within one such place now.
    largest: dict[str, int]
    #: Of a million free GPUs, how many lie on nodes that are partly used.
    node_ppm: int
    #: Of a million free GPUs, how many lie in racks that are not wholly free.
    rack_ppm: int


class FragmentationBody(TypedDict):
    """How free capacity lies, by site, kind of rack and owner."""

    items: list[FragmentsBody]
