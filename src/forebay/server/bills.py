"""Who may see what of the money? As `views`: what a principal may not see is as if it did not exist."""

from __future__ import annotations

from forebay.core import claims, money, units, usage
from forebay.core.ids import InvoiceId, Principal, SkuId, TenantId
from forebay.core.money.receivables import Item
from forebay.core.placements.gang import Tier
from forebay.core.world import World
from forebay.loop import codec, ports
from forebay.server import amounts, bodies, sight


def open_period(world: World, principal: Principal, at: int) -> bodies.OpenPeriod:
    """What the open period holds so far, carried to `at`. Not final: prices and corrections may still come."""
    state = world.state
    tranches: list[bodies.TrancheAccrual] = []
    lines = usage.tranche_lines(state.usage, at)
    unused = money.unused_paid(state.claims, state.usage, lines, told=False)
    for line, unused_us in zip(lines, unused, strict=True):
        held = state.claims.tranches[line.tranche]
        if not sight.owns(principal, held.tenant):
            continue
        rate = money.tranche_rate(state.claims, line)
        cost = units.gpu_time_cost_micros(line.used_gpu_us + unused_us, rate.micros)
        tranches.append(
            {
                "tranche": line.tranche,
                "tenant": held.tenant,
                "entitled_gpu_us": line.entitled_gpu_us,
                "used_gpu_us": line.used_gpu_us,
                "lent_gpu_us": line.lent_gpu_us,
                "idle_gpu_us": line.idle_gpu_us,
                "undeliverable_gpu_us": line.undeliverable_gpu_us,
                "entitled_gpu_hours": amounts.gpu_hour_text(line.entitled_gpu_us),
                "amount": amounts.exact(cost, state.claims.contracts[held.contract].currency),
            }
        )
    return {
        "start": amounts.when(state.usage.period_start),
        "end": amounts.when(state.money.period_end),
        "use": _use(world, principal, at),
        "tranches": tranches,
    }


def _use(world: World, principal: Principal, at: int) -> list[bodies.UseAccrual]:
    """Use without a tranche; whose idle capacity it ran on is not told."""
    state = world.state
    sums: dict[tuple[str, Tier, str, str, int, int], int] = {}
    for line in usage.lines(state.usage, state.supply, at):
        if line.tier is not Tier.DEDICATED and sight.owns(principal, line.tenant):
            mark = (
                line.tenant,
                line.tier,
                line.sku,
                line.site,
                line.segment,
                line.since or line.period_start,
            )
            sums[mark] = sums.get(mark, 0) + line.gpu_us
    made: list[bodies.UseAccrual] = []
    for (tenant, tier, sku, site, segment, since), gpu_us in sums.items():
        contract = claims.contract_of_use(state.claims, TenantId(tenant), since, spot=tier is Tier.SPOT)
        found = None
        if contract is not None:
            found = money.price(state.money, segment, tier, SkuId(sku), contract.currency)
        made.append(
            {
                "tenant": tenant,
                "tier": tier.value,
                "sku": sku,
                "site": site,
                "segment": segment,
                "gpu_us": gpu_us,
                "gpu_hours": amounts.gpu_hour_text(gpu_us),
                "amount": None
                if found is None or contract is None
                else amounts.exact(units.gpu_time_cost_micros(gpu_us, found.micros), contract.currency),
            }
        )
    return made


def price_lists(world: World, principal: Principal) -> list[tuple[int, bodies.PriceListBody]]:
    """Every price list by version: the same for everybody."""
    state, segment = world.state.money, world.state.usage.spans[-1].segment
    return [(version, price_list_body(state, version, segment)) for version in sorted(state.price_lists)]


def price_list_body(state: money.State, version: int, segment: int) -> bodies.PriceListBody:
    """A price list as applied; `segment` is the one in force."""
    listed = state.price_lists[version]
    return {
        "version": listed.version,
        "currency": listed.currency,
        "effective_at": amounts.when_or_none(listed.effective_at),
        "held_since": amounts.when_or_none(state.held_since.get(version, 0)),
        "in_force": version == segment,
        "prices": [
            {
                "tier": price.tier.value,
                "sku": price.sku,
                "price_per_gpu_hour": amounts.exact(price.price_micros_per_gpu_hour, listed.currency),
            }
            for price in listed.prices
        ],
    }


def invoices(world: World, principal: Principal) -> list[tuple[str, bodies.InvoiceSummary]]:
    """Invoices by number, without their lines."""
    own = world.state.money
    return [
        (
            number,
            {
                "id": number,
                "tenant": each.tenant,
                "start": amounts.when(each.start),
                "end": amounts.when(each.end),
                "charges": amounts.minor(each.charges_minor, each.currency),
                "credits": amounts.minor(each.credits_minor, each.currency),
                "total": amounts.minor(each.total_minor, each.currency),
                "lines": each.lines,
                "due_at": amounts.when(own.receivables.billed[each.tenant, each.invoice].due_at),
                "open": amounts.exact(open_micros(own, each), each.currency),
                "state": _state(own, each),
            },
        )
        for number, each in sorted(own.invoices.items())
        if sight.owns(principal, each.tenant)
    ]


def open_micros(own: money.State, head: money.InvoiceHead) -> int:
    """What is not paid of an invoice."""
    return own.receivables.open.get(Item(head.tenant, head.currency, head.invoice), 0)


def _state(own: money.State, head: money.InvoiceHead) -> str:
    if head.invoice in own.credits.voided:
        return "void"
    if open_micros(own, head):
        return "open"
    return "credited" if own.credits.invoices.get(head.invoice) == head.total_minor else "paid"


def head(world: World, principal: Principal, number: str) -> money.InvoiceHead | None:
    """What is known of an invoice without its record."""
    found = world.state.money.invoices.get(InvoiceId(number))
    return found if found is not None and sight.owns(principal, found.tenant) else None


def first_seq(world: World, head: money.InvoiceHead) -> int:
    """The record by which the lines of an invoice were billed first: another one's, where that became void."""
    known = world.state.money.invoices
    while head.replaces:
        head = known[head.replaces]
    return head.seq


def beside(world: World, head: money.InvoiceHead) -> tuple[int, str]:
    """When an invoice is due, and why it is void ("" where it is not)."""
    own = world.state.money
    void = own.credits.voided.get(head.invoice)
    return own.receivables.billed[head.tenant, head.invoice].due_at, void.reason if void is not None else ""


def issued(journal: ports.Journal, known: codec.Codec, seq: int) -> money.InvoiceIssued:
    """The invoice that a record issued, whole. Raises `ports.JournalError`. Never call it from the loop."""
    stored = next(journal.read(after=seq - 1, limit=1), None)
    event = None if stored is None else known.decode(codec.envelope(stored))
    if not isinstance(event, money.InvoiceIssued):
        raise ports.JournalError(f"record {seq} issued an invoice, and does not read as one")
    return event


def invoice(found: money.InvoiceIssued, due_at: int, void: str = "") -> bodies.InvoiceBody:
    """One invoice as it was issued, and why it is `void`; its digest, which takes longer, is left to the caller."""
    return {
        "id": found.invoice,
        "seller": found.seller,
        "number": found.number,
        "tenant": found.tenant,
        "start": amounts.when(found.start),
        "end": amounts.when(found.end),
        "charges": amounts.minor(found.charges_minor, found.currency),
        "credits": amounts.minor(found.credits_minor, found.currency),
        "total": amounts.minor(found.total_minor, found.currency),
        "rating": found.rating,
        "lines": [line_body(line, n, found.currency) for n, line in enumerate(found.lines, 1)],
        "brought_forward": [
            {
                "contract": each.contract,
                "at": amounts.when(each.at),
                "account": each.account.partition(":")[0],
                "number": each.number,
                "due_at": amounts.when_or_none(each.due_at),
                "balance": amounts.exact(each.amount_micros, found.currency),
            }
            for each in found.brought_forward
        ],
        "due_at": amounts.when(due_at),
        "digest": "",
        "void": void,
        "replaces": found.replaces,
    }


def line_body(line: money.Line, n: int, currency: str) -> bodies.InvoiceLine:
    """One line of an invoice; `n` counts from 1."""
    return {
        "n": n,
        "kind": line.kind,
        "contract": line.contract,
        "contract_version": line.contract_version,
        "clause": line.clause,
        "claim": line.claim,
        "sku": line.sku,
        "site": line.site,
        "tier": "" if line.tier is None else line.tier.value,
        "price_version": line.price_version,
        "start": amounts.when(line.start),
        "end": amounts.when(line.end),
        "gpu_us": line.gpu_us,
        "gpu_hours": amounts.gpu_hour_text(line.gpu_us),
        "energy_kwh": amounts.kilowatt_hours(line.energy_uj),
        "energy_source": line.energy_source.value,
        "price_per_gpu_hour": amounts.exact(line.price_micros_per_gpu_hour, currency),
        "exact": amounts.exact(line.amount_micros, currency),
        "amount": amounts.minor(line.amount_minor, currency),
        "text": line.text,
    }
