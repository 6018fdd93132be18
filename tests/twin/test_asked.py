"""Words of the command line become one setup, or every combination of what is varied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from forebay.core.placements.gang import Level, Order, Tier
from forebay.feeds import tree
from forebay.twin import asked, plants, replay
from forebay.twin.asked import ReplayWords
from forebay.twin.faults import FailureRate, Rates

ONE_SITE = Path(__file__).parents[2] / "examples" / "one_site"
MAP = """
forebay: 1
kind: TraceMap
rules:
  - {match: "vc*", gpus_from: 8, tenant: acme, tier: dedicated, within: rack, checkpoint: 10m}
"""
RATES = """
forebay: 1
kind: FailureRates
node: {mtbf: 100h, repair: 2h, source: our own log}
restart: 60s
"""


def test_a_plant_of_gpus() -> None:
    setup = ReplayWords(gpus=64, policy="easy_depth", depth=5, load="1.5", price="3").setup()
    assert (setup.policy, setup.load_ppm, setup.plant.price_micros) == (
        "easy_depth, depth 5",
        1_500_000,
        3_000_000,
    )
    assert setup.mapping.checkpoint_s == 0
    assert ReplayWords(gpus=64).setup().policy == "overtake"


def test_an_estate_with_what_is_said_beside_it(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text(MAP)
    (tmp_path / "rates.yaml").write_text(RATES)
    words = ReplayWords(
        estate=(ONE_SITE,), map=tmp_path / "map.yaml", seed=3, rates=tmp_path / "rates.yaml", tier=Tier.SPOT
    )
    setup = words.setup()
    (rule,) = setup.mapping.rules
    assert (rule.match, rule.gpus_from, rule.tier, rule.within, rule.checkpoint_s) == (
        "vc*", 8, Tier.DEDICATED, Level.RACK, 600,
    )  # fmt: skip
    assert setup.rates == Rates(FailureRate(360_000, 7200, "our own log"), restart_s=60)
    assert (setup.mapping.tier, setup.mapping.checkpoint_s) == (Tier.SPOT, asked.CHECKPOINT_S)
    assert setup.policy == ""


def test_a_policy_document(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("forebay: 1\nkind: Policy\nversion: 9\norder: conservative\n")
    assert ReplayWords(gpus=8, policy=str(path)).setup().policy == "conservative"
    assert ReplayWords(estate=(ONE_SITE,), policy=str(path)).setup().policy == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({}, "one of --gpus and --estate is meant"),
        ({"gpus": 8, "estate": (ONE_SITE,)}, "one of --gpus and --estate is meant"),
        ({"gpus": 12}, "a multiple of 8 is meant"),
        ({"gpus": 8, "price": "cheap"}, "--price: 'cheap'"),
        ({"gpus": 8, "policy": "easiest"}, "neither a policy .* nor a file"),
        ({"gpus": 8, "power": "lots"}, "--power: 'lots'"),
        ({"gpus": 8, "power": "0 %"}, "leaves nothing"),
        ({"gpus": 8, "curtail": ("substation",)}, "--curtail substation: FEED=SHARE:AFTER:FOR"),
        ({"gpus": 8, "curtail": ("substation=half:1d:1h",)}, "'half'"),
        ({"gpus": 8, "load": "x"}, "--load: 'x'"),
        ({"gpus": 8, "load": "0"}, "--load: '0'"),
        ({"gpus": 8, "checkpoint": "soon"}, "--checkpoint: 'soon'"),
        ({"gpus": 8, "map": Path("/nowhere/map.yaml")}, "No such file"),
        ({"estate": (ONE_SITE,), "power": "50 %"}, "--power is for a plant of --gpus"),
        ({"estate": (ONE_SITE,), "begins": "soon"}, "--begin: 'soon'"),
    ],
)
def test_what_cannot_be_meant(words: dict[str, Any], says: str) -> None:
    with pytest.raises(asked.BadReplay, match=says):
        ReplayWords(**words).setup()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (MAP + "---\n" + MAP.lstrip(), "one TraceMap is meant, and here are 2"),
        ("forebay: 1\nkind: Policy\nversion: 2\n", "'Policy' is not a kind of document"),
        (MAP.replace("tier: dedicated", "tier: gold"), "'gold' is not one of these"),
    ],
)
def test_a_map_that_does_not_read(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "map.yaml").write_text(text)
    with pytest.raises(tree.DocumentError, match=says):
        ReplayWords(gpus=8, map=tmp_path / "map.yaml").setup()


def test_every_combination() -> None:
    found = asked.variations(ReplayWords(gpus=64, seed=1), ["gpus=64,128", "policy=fifo,easy", "seed=1-2"])
    assert len(found) == 8
    assert found[0].values == {"gpus": "64", "policy": "fifo", "seed": "1"}
    assert (found[-1].setup.policy, found[-1].setup.seed) == ("easy", 2)
    tiers = asked.variations(
        ReplayWords(gpus=64), ["tier=spot", "checkpoint=1h", "power=90 %", "load=2", "price=3"]
    )
    assert tiers[0].setup.mapping.tier is Tier.SPOT
    assert tiers[0].setup.plant.price_micros == 3 * plants.PRICE_MICROS // 2
    assert (
        asked.variations(ReplayWords(gpus=64, policy="easy_depth"), ["depth=2"])[0].setup.policy
        == "easy_depth, depth 2"
    )
    assert Order.EASY.value == "easy"


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (["color=red"], "NAME=VALUE,VALUE is meant"),
        (["gpus"], "NAME=VALUE,VALUE is meant"),
        (["gpus=8", "gpus=16"], "once"),
        (["gpus=many"], "'many' is not one of its values"),
        (["tier=gold"], "'gold' is not one of its values"),
        (["seed=1-2000"], "more than 1000 values"),
        (["seed=1-600", "gpus=8,16"], "1200 variations are more than 1000"),
    ],
)
def test_variations_that_cannot_be_meant(said: list[str], says: str) -> None:
    with pytest.raises(asked.BadReplay, match=says):
        asked.variations(ReplayWords(gpus=64), said)


def test_curtailments_are_varied_too() -> None:
    none, some = asked.variations(ReplayWords(gpus=64), ["curtail=none,substation=70%:5d:12h"])
    assert none.setup.curtailments == ()
    assert some.setup.curtailments == (replay.LessPower("substation", 700_000, 432_000, 43_200),)


def test_a_name_that_is_not_varied() -> None:
    with pytest.raises(asked.BadReplay, match="known are gpus"):
        ReplayWords(gpus=8).varied("color", "red")


def test_estimates_are_named_and_varied() -> None:
    found = asked.variations(ReplayWords(gpus=64, policy="easy"), ["estimates=requested,learned"])
    assert [each.setup.policy for each in found] == ["easy", "easy, estimates learned"]
    with pytest.raises(asked.BadReplay, match="'guessed' is not one of its values"):
        asked.variations(ReplayWords(gpus=64), ["estimates=guessed"])
