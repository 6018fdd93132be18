"""Quotes and holds."""

import pytest
from jsonschema import validate

from forebay.cli import outputs
from forebay.cli.offer import obstacle_text, term_text
from tests.cli.desk import Desk, golden

WISH = ["--sku", "duo", "--racks", "20", "--term", "1y", "--not-before", "2027-03-01"]


def test_a_quote_ranks_offers_and_says_what_is_in_the_way(desk: Desk) -> None:
    before = desk.seq()
    golden("quote", desk("quote", *WISH, "--price", "4", "--for", "cedar").out)
    # What stands in the way of others does not stand in that of the holder of the right.
    assert "birch-first" not in desk("quote", *WISH, "--for", "birch").out
    told = desk("quote", *WISH, "--jurisdiction", "NO", "--json").json
    validate(told, outputs.OUTPUTS["quote"])
    assert [(each["site"], each["cost"]) for each in told["items"]] == [("fjord", None)]
    assert desk.seq() == before


def test_units_and_places(desk: Desk) -> None:
    for arguments, nodes in (
        (["--gpus", "30"], 8),
        (["--nodes", "7"], 7),
        (["--racks", "4"], 8),
    ):
        ran = desk(
            "quote", "--sku", "duo,hgx-h100", *arguments, "--term", "30d", "--region", "north", "--json"
        )
        assert [(each["site"], each["nodes"]) for each in ran.json["items"]] == [("fjord", nodes)], ran.err
    assert "28 GPUs (7 nodes)" in desk("quote", "--sku", "duo", "--nodes", "7", "--term", "30d").out


def test_nothing_fits(desk: Desk) -> None:
    ran = desk("quote", "--sku", "duo", "--racks", "5000", "--term", "3y")
    assert ran.status == 3
    assert "5,000 racks of duo for 1095d, not before 2026-12-01T08:00:00Z: nothing fits" in ran.out
    assert (
        desk("quote", "--sku", "duo", "--racks", "1", "--term", "1d", "--not-after", "2026-11-01").status == 3
    )


def test_a_hold_keeps_the_first_offer_that_can_be_signed(desk: Desk) -> None:
    ran = desk("quote", *WISH, "--for", "cedar", "--hold", "cedar-1", "--keep", "7d", "--site", "mesa")
    assert "held as cedar-1 until 2026-12-08T08:00:00Z" in ran.out
    told = desk("hold", "list", "--json").json
    validate(told, outputs.OUTPUTS["hold.list"])
    assert told["items"][0]["nodes"] == 40
    assert "cedar-1  cedar  mesa  duo  160 GPUs (20 racks)  2028-06-15" in desk("hold").out
    more = desk("quote", *WISH, "--for", "cedar", "--hold", "cedar-2", "--site", "mesa", "--json").json
    validate(more, outputs.OUTPUTS["quote"])
    assert more["hold"]["id"] == "cedar-2"
    assert (
        "earlier but for hold cedar-1, which keeps capacity"
        in desk("quote", "--sku", "duo", "--racks", "90", "--term", "9y").out
    )
    released = desk("hold", "release", "cedar-2", "--json").json
    validate(released, outputs.OUTPUTS["hold.release"])
    assert desk("hold", "release", "cedar-1").err == "cedar-1 is held no longer\n"
    ran = desk("hold", "release", "cedar-1")
    assert (ran.status, ran.err) == (1, "forebay: there is no hold cedar-1\n")
    assert desk("hold").err == "nothing is held\n"


MISTAKES = [
    (["--sku", "duo", "--term", "1y"], 2, "say one of --racks, --nodes and --gpus"),
    (["--sku", "duo", "--racks", "1", "--gpus", "1", "--term", "1y"], 2, "say one of --racks, --nodes and --gpus"),
    ([*WISH, "--hold", "x"], 2, "--hold keeps it for somebody: say --for TENANT"),
    ([*WISH, "--for", "cedar", "--hold", "x", "--keep", "long"], 2, "--keep: 'long' is not a duration"),
    ([*WISH, "--for", "cedar", "--hold", "a/b"], 1, "'a/b' is not an id"),
    (["--sku", "trio", "--racks", "1", "--term", "1y"], 1, "there is no SKU trio; known: duo, "),
    ([*WISH, "--site", "moon"], 1, "there is no site moon; known: fjord, mesa"),
    ([*WISH, "--region", "east"], 1, "there is no region east; known: north, south"),
    ([*WISH, "--jurisdiction", "FI"], 1, "there is no jurisdiction FI; known: NO, US"),
    (["--sku", "duo", "--racks", "1", "--term", "long"], 1, "term: 'long' is not a duration, such as"),
    (["--sku", "duo", "--racks", "1", "--term", "0d"], 1, "a term lasts for something"),
    ([*WISH, "--price", "much"], 1, "price_per_gpu_hour: 'much' is not a price"),
    ([*WISH, "--price", "4", "--currency", "XXX"], 1, "XXX is not one of USD, EUR"),
]  # fmt: skip


def test_mistakes_say_what_would_be_right(desk: Desk) -> None:
    for arguments, status, told in MISTAKES:
        ran = desk("quote", *arguments)
        assert ran.status == status, ran.err
        assert told in ran.err
    assert desk("quote", *WISH, by="acme").status == 5
    assert desk("hold", by="acme").status == 5


def test_even_odds_cannot_be_held(desk: Desk) -> None:
    desk.rig.apply("forebay: 1\nkind: PromisePolicy\nversion: 2\nconfidence: p50\n")
    told = desk("quote", *WISH, "--json").json
    assert {(each["confidence"], each["signable"]) for each in told["items"]} == {("p50", True)}


@pytest.mark.parametrize(("said", "meant"), [("3y", "1095d"), ("90d", "90d"), ("y", "y")])
def test_years(said: str, meant: str) -> None:
    assert term_text(said) == meant


def test_an_obstacle_without_an_end() -> None:
    assert (
        obstacle_text({"kind": "provisional", "id": "x", "until": None}) == "the dates of x are provisional"
    )
