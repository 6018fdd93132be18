"""What the opening of a contract that runs already says, as a document and as the core keeps it."""

import pytest

from forebay.core import claims
from forebay.core.claims import opening
from forebay.core.claims.rights import Life
from forebay.core.ids import CapId, HoldId, RackId, RightId, SiteId, SkuId, TenantId, TrancheId
from forebay.feeds import commands, quantities, reading, tree

HEAD = """\
forebay: 1
kind: Contract
id: c1
seller: us
tenant: acme
currency: USD
zone: Europe/Helsinki
"""
WHOLE = """\
opening:
  at: 2026-12-01
  currency: USD
  billed: 700000.50
  deferred: 1
  prepaid: 2
  prepaid_drawn: 3
  deposit: 4
  credited: 6
  credit_open: 5
  invoices: [{number: '117', open: 24800, issued: 2026-11-30, due: 2026-12-31}]
  tranches: [{tranche: t1, delivered: 4, accepted: 2026-03-05, racks: ['r[01-03]', spare]}]
  caps: [{cap: cap, drawn: 9}]
  rights:
    - {right: put, state: dormant, unsold: 0}
    - right: first
      state: offered
      offer: {hold: h, tenant: birch, site: s, sku: k, nodes: 8, start: 2027-01-01, end: 2027-02-01,
              price_per_gpu_hour: 2.5, answer_by: 2026-12-05T12:00:00Z}
"""


def read(text: str) -> claims.Opening | None:
    (document,) = reading.documents(HEAD + text, "c.yaml")
    command = commands.command_of(document, commands.Setting(0)).command
    assert isinstance(command, claims.SignContract)
    return command.opening


def at(text: str, zone: str = "Europe/Helsinki") -> int:
    return quantities.instant_us(text, zone)


def test_everything_that_can_be_said() -> None:
    micros = 1_000_000
    offer = opening.OpenedOffer(
        HoldId("h"), TenantId("birch"), SiteId("s"), SkuId("k"), 8, at("2027-01-01"), at("2027-02-01"), 2_500_000,
        at("2026-12-05T12:00:00Z"),
    )  # fmt: skip
    assert read(WHOLE) == claims.Opening(
        at("2026-12-01"), "USD", 700_000_500_000, micros, 2 * micros, 3 * micros, 4 * micros, 6 * micros, 5 * micros,
        (opening.OpenedInvoice("117", 24_800 * micros, at("2026-11-30"), at("2026-12-31")),),
        (
            opening.OpenedTranche(
                TrancheId("t1"), 4, at("2026-03-05"), tuple(map(RackId, ("r01", "r02", "r03", "spare")))
            ),
        ),
        (opening.OpenedCap(CapId("cap"), 9 * micros),),
        (
            opening.OpenedRight(RightId("put"), Life.DORMANT, unsold=0),
            opening.OpenedRight(RightId("first"), Life.OFFERED, offer=offer),
        ),
    )  # fmt: skip


def test_what_is_left_out_is_nothing() -> None:
    assert read("") is None
    assert read("opening: {at: 2026-12-01}\n") == claims.Opening(at("2026-12-01"))
    told = read(
        "opening: {at: 2026-12-01, tranches: [{tranche: t1, delivered: 0}], invoices: [{number: a, open: 1}]}\n"
    )
    assert told is not None
    assert (told.tranches[0].accepted_at, told.invoices[0].due_at) == (0, 0)


@pytest.mark.parametrize(
    ("text", "path", "why"),
    [
        ("opening: {billed: 1}\n", "opening", "'at' is missing"),
        ("opening: {at: now}\n", "opening.at", "'now' is meant for a start only"),
        ("opening: {at: 2026-12-01, billed: -1}\n", "opening.billed", "'-1' is not"),
        (
            "opening: {at: 2026-12-01, rights: [{right: r, state: asleep}]}\n",
            "opening.rights[0].state",
            "not one of",
        ),
        (
            "opening: {at: 2026-12-01, tranches: [{tranche: t, delivered: 1, racks: ['r[5-1]']}]}\n",
            "opening.tranches[0].racks",
            "from 1 to 20000 are meant",
        ),
    ],
)
def test_a_mistake_is_told_where_it_stands(text: str, path: str, why: str) -> None:
    with pytest.raises(tree.DocumentError) as error:
        read(text)
    (problem,) = error.value.problems
    assert problem.path == path
    assert why in problem.detail
