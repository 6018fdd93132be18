"""Events become sentences; the kinds that say nothing new say nothing."""

from typing import Any

import pytest

from forebay.cli import narrate
from forebay.core.world import World

SPEC = {
    "id": "a.train",
    "tenant": "a",
    "tier": "dedicated",
    "gpus": 8,
    "tranche": "t1",
    "restarts_max": 3,
    "title": "a run",
}
ENDED: dict[str, Any] = {
    "gang": "a.train", "generation": 1, "ending": "failed", "again": True, "not_before": 0, "rank": 2,
    "exit_status": -9, "evidence": "",
}  # fmt: skip
LENDING = {"reclaim_deadline_s": 20, "owner_share_ppm": 400_000}
TRANCHE = {"id": "t1", "count": 3, "unit": "node", "price_micros_per_gpu_hour": 2_350_000, "lending": LENDING}
#: kind, body, sentences
STORY: list[tuple[str, dict[str, Any], list[str]]] = [
    ("WorldOpened", {"name": "lab"}, []),
    ("SkuCatalogued", {"sku": {"id": "x", "gpus_per_node": 4}}, []),
    ("SkuCatalogued", {"sku": {"id": "one", "gpus_per_node": 1}}, []),
    ("RackAdded", {"rack": "r01", "first_node": 0, "nodes": 2, "sku": "x", "limit_w": 132_000},
     ["rack r01 is live: 2 nodes, 8 GPUs (x), at most 132 kW"]),
    ("ContractSigned",
     {"plan": {"id": "c", "seller": "us", "tenant": "a", "currency": "USD", "spot": True, "tranches": [TRANCHE]}},
     ["contract c binds us and a", "  3 nodes for itself, as tranche t1, at 2.35 USD a GPU-hour",
      "  idle parts may be lent, back within 20s; 40 % of the price is a's", "  a may run on spot"]),
    ("GangSubmitted", {"spec": SPEC}, ["a.train: a run", "  a asks for 8 GPUs on its tranche t1"]),
    ("GangPlaced", {"gang": "a.train", "generation": 1, "lender": "", "runs": [[0, 2, 15]]},
     ["a.train starts on r01-n01, r01-n02"]),
    ("GangStarted", {"gang": "a.train", "generation": 1}, ["a.train runs: all 8 ranks are up"]),
    ("GangEnded", ENDED, ["rank 2 of a.train was killed (signal 9)",
                          "  a gang runs whole or not at all: it starts again, from its checkpoint"]),
    ("GangPlaced", {"gang": "a.train", "generation": 2, "lender": "t1", "runs": [[1, 1, 15]]},
     ["a.train starts again on r01-n02: idle capacity of a, lent", "  a gets it back within 20s whenever it wants"]),
    ("LoanReclaimed", {"tranche": "t1", "gang": "a.train", "for_gang": "a.eval"},
     ["a wants its lent capacity back for a.eval", "  a.train has 20s to save its work and leave"]),
    ("GangStopping", {"gang": "a.train", "reason": "reclaim", "again": True}, []),
    ("GangEnded", ENDED | {"ending": "stopped"}, ["a.train has left the lent nodes and waits in the queue for room"]),
    ("GangEnded", ENDED | {"ending": "unstartable", "evidence": "no such file"},
     ["a.train cannot be started: no such file", "  another try would end the same: it is over"]),
    ("PriceListApplied",
     {"prices": {"currency": "USD", "prices": [{"tier": "spot", "price_micros_per_gpu_hour": 1_605_000}]}},
     ["prices in USD for a GPU-hour: spot 1.605"]),
    ("RackAdded", {"rack": "r02", "first_node": 2, "nodes": 1, "sku": "one", "limit_w": 1000},
     ["rack r02 is live: 1 node, 1 GPU (one), at most 1 kW"]),
    ("InvoiceIssued", {"invoice": "INV-000001", "tenant": "a", "total_minor": 1234, "currency": "USD"},
     ["INV-000001 is issued to a: 12.34 USD"]),
    ("KeyUsed", {"tenant": "", "key": "k", "body": "b", "answer": {}}, []),
]  # fmt: skip


def test_a_story() -> None:
    narrator = narrate.Narrator()
    for kind, body, sentences in STORY:
        assert narrator.tell(kind, body) == sentences, kind


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"exit_status": 3}, "rank 2 of a.train ended with status 3"),
        ({"rank": -1, "evidence": "gone"}, "a.train failed (gone)"),
        (
            {"ending": "lost", "evidence": "host restarted"},
            "a.train was lost with its machine's processes (host restarted)",
        ),
    ],
)
def test_how_gangs_fail(body: dict[str, Any], sentence: str) -> None:
    told = narrate.Narrator().tell("GangEnded", ENDED | body | {"again": False})
    assert told == [sentence, "  no restart is left: it is over"]


def test_every_kind_it_knows_is_one() -> None:
    kinds = {event.__name__ for event in World.EVENTS}
    assert set(narrate.Narrator._SENTENCES) <= kinds
