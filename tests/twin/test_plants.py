"""A plant is made up of GPUs, or read from the documents that `forebay apply` takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from forebay.core.placements.gang import Order, Policy
from forebay.core.world import World
from forebay.engines.simulated import SimulatedEngine
from forebay.feeds import tree
from forebay.journals.digest import DigestJournal
from forebay.twin import plants
from forebay.twin.clock import VirtualClock
from forebay.twin.driver import Twin

ROOT = Path(__file__).parents[2]
ONE_SITE = ROOT / "examples" / "one_site"


def world(plant: plants.ReplayPlant, tenants: list[str] | None = None) -> World:
    clock = VirtualClock(plant.begins_at)
    twin = Twin(clock, SimulatedEngine(clock, {}), DigestJournal())
    plants.apply(twin, plant, tenants or [])
    twin.world.check()
    return twin.world


def test_a_plant_of_gpus_has_feeds_of_sixteen_racks_and_the_power_it_needs() -> None:
    supplied = world(plants.of_gpus(1000)).state.supply
    assert len(supplied.racks) == 32
    assert sum(rack.nodes for rack in supplied.racks.values()) == 125
    assert {feed: held.parent for feed, held in supplied.feeds.items()} == {
        "substation": "", "feed-0000": "substation", "feed-0001": "substation",
    }  # fmt: skip
    assert supplied.feeds["substation"].limit_w == 32 * 10_000 + 1000 * 700  # type: ignore[index]


def test_less_power_than_it_needs() -> None:
    supplied = world(plants.of_gpus(1000, power_ppm=500_000)).state.supply
    assert supplied.feeds["substation"].limit_w == 510_000  # type: ignore[index]


def test_the_plant_of_documents() -> None:
    plant = plants.of_documents([ONE_SITE])
    assert plant.begins_at == plants.EPOCH_US
    made = world(plant, ["acme", "lab"])
    assert sorted(made.state.claims.contracts) == ["acme-2026", "birch-2026", "contract-lab"]
    assert made.state.placements.policy.overtake_s == 900
    assert plant.price_micros == 0


def test_a_policy_takes_the_place_of_the_documents() -> None:
    ordered = world(plants.of_documents([ONE_SITE], order=Order.EASY_DEPTH, depth=7)).state.placements.policy
    assert (ordered.order, ordered.depth, ordered.overtake_s, ordered.version) == (
        Order.EASY_DEPTH,
        7,
        900,
        3,
    )
    whole = world(plants.of_documents([ONE_SITE], policy=Policy(overtake_s=5))).state.placements.policy
    assert (whole.order, whole.overtake_s, whole.version) == (Order.OVERTAKE, 5, 3)


def test_without_a_price_list_all_costs_the_same() -> None:
    made = world(plants.of_documents([ONE_SITE / "site.yaml"], price_micros=3_000_000))
    (prices,) = made.state.money.price_lists.values()
    assert {price.price_micros_per_gpu_hour for price in prices.prices} == {3_000_000}


def test_a_trace_begins_with_the_first_tranche_that_has_a_date(tmp_path: Path) -> None:
    text = (ONE_SITE / "contract.yaml").read_text().replace("start: now", "start: 2026-03-01T00:00:00Z")
    (tmp_path / "contract.yaml").write_text(text)
    paths = [ONE_SITE / "site.yaml", tmp_path / "contract.yaml"]
    assert plants.of_documents(paths).begins_at == 1_772_323_200_000_000
    assert plants.of_documents(paths, "2026-02-01T00:00:00Z").begins_at == 1_769_904_000_000_000


def test_a_site_and_its_schedule_come_together(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(
        (ONE_SITE / "site.yaml")
        .read_text()
        .replace("        row: A\n", "        row: A\n        block: b1\n")
    )
    (tmp_path / "schedule.yaml").write_text(
        "forebay: 1\nkind: Schedule\nsite: saimaa-1\nzone: UTC\nmilestones:\n"
        "  - {id: m1, kind: ready_for_service, planned: 2017-09-01, reached: 2017-09-01}\n"
        "blocks:\n  - {id: b1, sku: gb300-nvl72, racks: 2, after: [m1], feed: busway-a}\n"
    )
    made = world(plants.of_documents([tmp_path]))
    assert {rack.block for rack in made.state.supply.racks.values()} == {"b1"}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("site.yaml", "forebay: 1\nkind: Site\n", "'id' is missing"),
        ("site.txt", None, "No such file"),
        ("policy.yaml", "forebay: 1\nkind: Policy\nversion: 2\n", "there is no Site in these documents"),
        (
            "contract.yaml",
            (ONE_SITE / "contract.yaml").read_text().replace("term: 1095d", ""),
            "one of 'end'",
        ),
    ],
)
def test_documents_that_do_not_hold_are_told_at_their_line(
    tmp_path: Path, name: str, text: str | None, says: str
) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(tree.DocumentError, match=says):
        plants.of_documents([path])


def test_what_the_world_refuses_is_told_at_its_line() -> None:
    plant = plants.of_documents([ONE_SITE / "site.yaml", ONE_SITE / "contract.yaml"])
    clock = VirtualClock(plant.begins_at)
    twin = Twin(clock, SimulatedEngine(clock, {}), DigestJournal())
    large = plants.of_documents([ROOT / "examples" / "deal" / "contracts.yaml", ONE_SITE / "site.yaml"])
    with pytest.raises(tree.DocumentError, match=r"contracts\.yaml:\d+:\d+: "):
        plants.apply(twin, large, [])


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"#" * (tree.BYTES_MAX + 1))
    with pytest.raises(tree.DocumentError, match="bytes are more than a document may have"):
        plants.of_documents([path])
