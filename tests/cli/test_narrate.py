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
TRANCHE = {"id": "t1", "site": "lab", "count": 3, "unit": "node", "start_at": 1_767_225_600_000_000,
           "price_micros_per_gpu_hour": 2_350_000, "lending": LENDING}  # fmt: skip
SALE = {"site": "lake", "sku": "hgx", "nodes": 4, "start_at": 1_767_225_600_000_000,
        "end_at": 1_767_312_000_000_000, "price_micros_per_gpu_hour": 2_000_000}  # fmt: skip
VALUE = {"published_at": 1_767_139_200_000_000, "value_micros": 103_200_000}
#: kind, body, sentences
STORY: list[tuple[str, dict[str, Any], list[str]]] = [
    ("WorldOpened", {"name": "lab"}, []),
    ("OfferReceived", {"right": "first", "deadline_at": 1_767_229_200_000_000, "sale": SALE},
     ["right first: we are offered 4 nodes of hgx at lake, 2026-01-01 to 2026-01-02, until 2026-01-01T01:00:00Z"]),
    ("CoveredOfferReceived", {"right": "first", "sale": SALE},
     ["right first: we are told again of 4 nodes of hgx at lake, 2026-01-01 to 2026-01-02, which we let pass"]),
    ("ReceivedOfferLapsed", {"right": "first", "until_at": 1}, ["right first: nobody answered in time, it lapses"]),
    ("EstateApplied", {"estate": {"party": "lab", "title": ""}}, ["we are lab"]),
    ("EstateApplied", {"estate": {"party": "lab", "title": "The lab"}}, ["we are lab (The lab)"]),
    ("OverlayApplied", {"overlay": {"contract": "c", "notes": "secret"}}, ["we keep terms of our own on c"]),
    ("CapacityRented",
     {"plan": {"id": "c", "seller": "them", "tranches": [
         {"id": "t9", "count": 2, "unit": "rack", "sku": "x", "site": "far", "start_at": 0}]}},
     ["we rent from them by contract c", "  2 racks of x at far from 1970-01-01 on, as tranche t9"]),
    ("RentedRightUsed", {"right": "r", "made": {"id": "t8"}, "ended": []}, ["right r is used: tranche t8"]),
    ("RentedRightUsed", {"right": "r", "made": None, "ended": ["t8", "t9"]},
     ["right r is used, which ends t8, t9"]),
    ("RentedRightWaived", {"right": "r"}, ["right r: the holder lets it pass"]),
    ("DeliveryNotified", {"tranche": "t9", "delivery": 2, "expected_at": 86400000000, "reason": "storm"},
     ["delivery 2 of t9 is notified for 1970-01-02 (storm)"]),
    ("DeliveryMade", {"tranche": "t9", "delivery": 2, "effective_at": 0},
     ["delivery 2 of t9 is delivered since 1970-01-01"]),
    ("DeliveryForecast", {"tranche": "t9", "delivery": 2, "p50_at": 0, "p90_at": 86400000000},
     ["we expect delivery 2 of t9 by 1970-01-01, or 1970-01-02 in nine cases of ten"]),
    ("DeliveryOverdue", {"tranche": "t9", "delivery": 2, "expected_at": 253402300799000000},
     ["delivery 2 of t9 did not come: we count on it from no date on"]),
    ("SkuCatalogued", {"sku": {"id": "x", "gpus_per_node": 4}}, []),
    ("SkuCatalogued", {"sku": {"id": "one", "gpus_per_node": 1}}, []),
    ("RackAdded", {"rack": "r01", "first_node": 0, "nodes": 2, "sku": "x", "limit_w": 132_000},
     ["rack r01 is live: 2 nodes, 8 GPUs (x), at most 132 kW"]),
    ("NodeHealthChanged", {"node": 0, "healthy": False, "reason": "fan", "checks": []}, ["r01-n01 failed (fan)"]),
    ("NodeHealthChanged", {"node": 0, "healthy": True, "reason": "", "checks": ["nccl"]},
     ["r01-n01 was repaired; it has yet to pass nccl"]),
    ("NodeHealthChanged", {"node": 0, "healthy": True, "reason": "", "checks": []}, ["r01-n01 is well again"]),
    ("NodeHealthLearned", {"node": 0, "healthy": False, "reason": "xid", "since_at": 0, "until_at": 3_600_000_000},
     ["r01-n01 had failed from 1970-01-01T00:00:00Z until 1970-01-01T01:00:00Z, as is known by now (xid)"]),
    ("NodeHealthLearned", {"node": 0, "healthy": True, "reason": "", "since_at": 0, "until_at": 3_600_000_000},
     ["r01-n01 was well from 1970-01-01T00:00:00Z until 1970-01-01T01:00:00Z, as is known by now"]),
    ("NodeHealthLearned", {"node": 0, "healthy": True, "reason": "", "since_at": 7, "until_at": 7}, []),
    ("GangStartLearned", {"gang": "g1", "effective_at": 0, "ended_at": 3_600_000_000},
     ["g1 had run from 1970-01-01T00:00:00Z until 1970-01-01T01:00:00Z, as is known by now"]),
    ("DomainHealthChanged", {"kind": "rack", "name": "r01", "healthy": False, "reason": "pump"},
     ["rack r01 failed, with all that hangs on it (pump)"]),
    ("DomainHealthChanged", {"kind": "rack", "name": "r01", "healthy": True, "reason": ""},
     ["rack r01 is well again"]),
    ("NodeDegraded", {"node": 0, "degraded": True, "reason": "ecc"},
     ["r01-n01 is degraded: it takes no new work (ecc)"]),
    ("NodeDegraded", {"node": 0, "degraded": False, "reason": ""}, ["r01-n01 is degraded no more"]),
    ("NodeChecked", {"node": 0, "check": "nccl", "passed": False, "evidence": "41 GB/s"},
     ["r01-n01 failed nccl (41 GB/s)"]),
    ("NodeQuarantined", {"node": 0, "reason": "it failed 3 times"},
     ["r01-n01 is quarantined until it is released (it failed 3 times)"]),
    ("NodeReleased", {"node": 0, "reason": ""}, ["r01-n01 is quarantined no more"]),
    ("HostsHeld", {"gang": "g", "hosts": [[0, 2]], "spares": [[4, 1]], "until_at": 0},
     ["g is to start again: 2 nodes of its own and 1 spare are kept for it"]),
    ("HostsReleased", {"gang": "g", "reason": "timeout"}, ["nothing is kept for g any more (timeout)"]),
    ("HostsReleased", {"gang": "g", "reason": "over"}, []),
    ("GangProgressed", {"gang": "g", "mark": 7}, []),
    ("GangStuck", {"gang": "g", "mark": 7, "since_at": 0},
     ["g is stuck: it has not got beyond mark 7 since 1970-01-01T00:00:00Z"]),
    ("EngineHeard", {"engine": "local", "sites": [], "back": False}, []),
    ("EngineHeard", {"engine": "local", "sites": [], "back": True}, ["engine local is heard of again"]),
    ("EngineSilent", {"engine": "local", "heard_at": 0, "fence_at": 0},
     ["engine local is silent: it was last heard of at 1970-01-01T00:00:00Z"]),
    ("EngineSilent", {"engine": "local", "heard_at": 0, "fence_at": 60_000_000},
     [("engine local is silent: it was last heard of at 1970-01-01T00:00:00Z; leases there are over at"
       " 1970-01-01T00:01:00Z")]),
    ("EngineFenced", {"engine": "local", "by_lease": True, "reason": "", "generations": [["g", 1]]},
     ["engine local is fenced, its leases are over: 1 gang"]),
    ("EngineFenced", {"engine": "local", "by_lease": False, "reason": "off", "generations": []},
     ["engine local is fenced, by hand (off): 0 gangs"]),
    ("GangOverran", {"gang": "g", "generation": 1, "estimate_s": 7200},
     ["g runs longer than it was taken to: from here on it is taken to run for 2h"]),
    ("NodeTicketed", {"node": 0, "ticket": "T-17", "cause": "dead fan", "part": "fan 3"},
     ["r01-n01 carries ticket T-17 (dead fan, fan 3)"]),
    ("ContractSigned",
     {"plan": {"id": "c", "seller": "us", "tenant": "a", "currency": "USD", "spot": True, "tranches": [TRANCHE]}},
     ["contract c binds us and a",
      "  3 nodes at lab from 2026-01-01 on: tranche t1, 2.35 USD a GPU-hour",
      "  idle parts may be lent, back within 20s; 40 % of the price is a's", "  a may run on spot"]),
    ("ContractOpened",
     {"contract": "c", "opening": {"at": 0, "tranches": [{"tranche": "t1", "delivered": 2}],
                                   "rights": [{"right": "r1", "life": "waived"}]}},
     ["contract c runs already; this is how it stood:", "  2 delivered of tranche t1", "  right r1 is waived"]),
    ("TrancheStarted", {"tranche": "t1", "since_at": 1_767_225_600_000_000, "gpus": 8},
     ["tranche t1 of a runs already: its 8 GPUs are billed here from 2026-01-01T00:00:00Z on"]),
    ("ContractSigned",
     {"plan": {"id": "d", "seller": "us", "tenant": "a", "currency": "USD", "tranches": []},
      "nominations": [{"tranche": "t2", "site": "north", "sku": "x"}]},
     ["contract d binds us and a", "  tranche t2 leaves a choice: it is x at north"]),
    ("TrancheNominated",
     {"tranche": "t2", "contract": "d", "site": "south", "sku": "x", "from_site": "north", "from_sku": "x"},
     ["tranche t2 leaves a choice: it is x at south now, and x at north no more"]),
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
    ("TrancheRebound", {"tranche": "t1", "gave": [[0, 2], [6, 1]], "took": [[8, 3]]},
     ["a plan gives tranche t1 other racks: 3 nodes of them are new"]),
    ("ShortfallAssessed",
     {"site": "s", "sku": "x", "reason": "agreed", "shorts": [{"tranche": "t1", "start_at": 1_798_761_600_000_000}]},
     ["more x at s is promised than there will be from 2027-01-01 on",
      "  t1 goes short, as was shared out by hand: agreed"]),
    ("ShortfallAssessed",
     {"site": "s", "sku": "x", "shorts": [], "unallocated": [{"nodes": 8, "start_at": 1_798_761_600_000_000}]},
     ["more x at s is promised than there will be",
      "  8 nodes are missing from 2027-01-01 on, and nothing says who goes short"]),
    ("ShortfallAssessed", {"site": "s", "sku": "x", "reason": "", "shorts": []},
     ["nobody goes short of x at s any more"]),
    ("InvoiceIssued", {"invoice": "INV-000001", "tenant": "a", "total_minor": 1234, "currency": "USD"},
     ["INV-000001 is issued to a: 12.34 USD"]),
    ("ContractAmended",
     {"plan": {"id": "c", "version": 2}, "effective_at": 1_768_521_600_000_000, "override": "agreed",
      "tranches": [TRANCHE | {"end_at": 1_798_761_600_000_000}], "rights": [{"id": "r", "kind": "call"}],
      "regranted": [{"id": "s", "kind": "refusal"}], "withdrawn": ["u"]},
     ["contract c is amended: version 2 holds from 2026-01-16 on", "  tranche t1: 3 nodes until 2027-01-01",
      "  right r (call)", "  right s (refusal), on other terms", "  right u is withdrawn",
      "  signed beyond what can be promised: agreed"]),
    ("RightLapsed", {"right": "u"}, ["right u is withdrawn, it lapses"]),
    ("AmendmentTookEffect", {"contract": "c", "version": 2}, ["version 2 of contract c holds from here on"]),
    ("TranchePriceChanged", {"tranche": "t1"}, ["another price holds for tranche t1 from here on"]),
    ("IndexPublished", {"index": "power", "values": [VALUE]},
     ["index power: 103.20 of 2025-12-31"]),
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
