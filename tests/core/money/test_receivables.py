"""What is open ties to the ledger, whatever was asked in whichever order; and what does not tie is found."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core import claims
from forebay.core.ids import InvoiceId, Refusal, TenantId
from forebay.core.money import (
    AllocateReceipt,
    Allocation,
    Entry,
    RecordReceipt,
    ReverseReceipt,
    TransactionPosted,
)
from forebay.core.money.receivables import Item, Receivables, check_receivables, post_items
from forebay.core.money.state import State
from forebay.core.units import DAY_US, MICROS
from tests.core import machine, plant
from tests.core.plant import Driver

ACME = TenantId("acme")
#: What is asked, of which receipt, for which invoice, and how much.
STEP = st.tuples(
    st.sampled_from(["record", "record", "allocate", "allocate", "reverse", "close"]),
    st.integers(1, 4), st.integers(1, 4), st.sampled_from([1, 50, 128, 384, 500]),
)  # fmt: skip


def asked(driver: Driver, what: str, receipt: int, invoice: int, amount: int) -> None:
    name, part = f"RCT-{receipt:06d}", (Allocation(f"INV-{invoice:06d}", amount * MICROS),)
    commands: dict[str, Callable[[], RecordReceipt | AllocateReceipt | ReverseReceipt]] = {
        "record": lambda: RecordReceipt(
            ACME, "USD", 400 * MICROS, driver.at - receipt * DAY_US, f"wire {receipt}", part[: amount % 2]
        ),
        "allocate": lambda: AllocateReceipt(name, part),
        "reverse": lambda: ReverseReceipt(name, "wrong"),
    }
    outcome = driver.handle(commands[what](), plant.FINANCE)
    assert not (isinstance(outcome.answer, Refusal) and outcome.events)


@settings(max_examples=15, derandomize=True, database=None, deadline=None)
@given(st.lists(STEP, max_size=10))
def test_open_items_tie_to_the_ledger_after_any_steps(steps: list[tuple[str, int, int, int]]) -> None:
    """The driver checks the World after each; here the same is summed from nothing but what was posted."""
    driver = plant.plant(plant.contract("c1", "acme", plant.tranche("t1", 1, unit=claims.Unit.NODE)))
    driver.later(days=1).close()
    for what, *rest in steps:
        if what == "close":
            driver.later(days=1).close()
        else:
            asked(driver, what, *rest)
    opened: dict[Item, int] = {}
    sums: dict[str, int] = {}
    for _, event in driver.events:
        if isinstance(event, TransactionPosted):
            post_items(opened, event)
            assert not sum(entry.amount_micros for entry in event.entries)
            for entry in event.entries:
                sums[entry.account] = sums.get(entry.account, 0) + entry.amount_micros
    own = driver.world.state.money.receivables
    assert opened == own.open
    assert all(micros > 0 for micros in opened.values())
    assert sum(opened.values()) == sums.get("receivable:acme", 0)
    assert sum(each.unallocated_micros for each in own.receipts.values()) == -sums.get("on_account:acme", 0)
    machine.same_when_replayed(driver.world, driver.events)
    machine.same_when_restored(driver.world)


def test_what_does_not_tie_is_found() -> None:
    own = Receivables({Item(ACME, "USD", "INV-000001"): 5})
    assert list(check_receivables(own, {("receivable:acme", "USD"): 4, ("cash", "USD"): 1})) == [
        "open items of receivable:acme in USD sum to 5, not 4"
    ]
    assert list(check_receivables(Receivables(), {("on_account:acme", "USD"): -3})) == [
        "open items of on_account:acme in USD sum to 0, not -3"
    ]


def test_what_names_no_invoice_is_an_item_of_its_own() -> None:
    opened = State().receivables.open
    entries = (Entry("receivable:acme", 5), Entry("receivable:acme", 2, "x"), Entry("revenue:spot", -7))
    post_items(opened, TransactionPosted("T1", "USD", 0, entries, ""))
    assert opened == {Item(ACME, "USD", ""): 5, Item(ACME, "USD", "x"): 2}
    post_items(opened, TransactionPosted("T2", "USD", 0, (Entry("receivable:acme", -2),), "", InvoiceId("x")))
    assert opened == {Item(ACME, "USD", ""): 5}
