"""What is each metered sum worth? The lines of a period: an exact quantity times a price, rounded once, half-even."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from forebay.core import claims, supply, timeline, usage
from forebay.core.books import TrancheBook
from forebay.core.claims import prices as pricing
from forebay.core.ids import TrancheId
from forebay.core.money.invoices import Line
from forebay.core.money.pieces import Pieces, pieces_of
from forebay.core.money.rates import price
from forebay.core.money.state import State
from forebay.core.placements.gang import Tier
from forebay.core.units import HOUR_US, decimal_text, divide_half_even, gpu_time_cost_micros, micros_to_minor


class Books(NamedTuple):
    """What rating reads: the stages below, at the close."""

    money: State
    usage: usage.State
    claims: claims.State
    supply: supply.State


def rated_lines(books: Books, closed: usage.PeriodClosed) -> Iterator[tuple[claims.ContractPlan, Line]]:
    """Every line of the period with the contract it is billed under."""
    unused = unused_paid(books.claims, books.usage, closed.tranches, told=True)
    pieces = pieces_of(closed)
    for place, tranche in enumerate(closed.tranches):
        if tranche.entitled_gpu_us or tranche.undeliverable_gpu_us or unused[place]:
            yield _tranche_line(books, closed, place, tranche, unused[place], pieces)
    for place, metered in enumerate(closed.lines):
        if metered.tier is Tier.DEDICATED:
            continue
        yield _use_line(books, closed, place, metered)
        if metered.lender:
            yield _share_line(books, closed, place, metered)


def unused_paid(
    claimed: claims.State, used: usage.State, lines: Sequence[usage.TrancheLine], *, told: bool
) -> list[int]:
    """GPU-microseconds that are paid though nobody used them, of each line of a tranche: of its whole period, and for
    a correction how many more, or fewer, than before. `told`: the books have these lines in them.
    """
    found = [0] * len(lines)
    periods: dict[tuple[TrancheId, int], list[int]] = {}
    for place, line in enumerate(lines):
        periods.setdefault((line.tranche, line.period_start), []).append(place)
    for places in periods.values():
        own = [lines[place] for place in places]
        before = pricing.unused_due(_piece(claimed, used, line, -1 if told else 0) for line in own)
        after = pricing.unused_due(_piece(claimed, used, line, 0 if told else 1) for line in own)
        for place, less, more in zip(places, before, after, strict=True):
            found[place] = more - less
    return found


def _piece(claimed: claims.State, used: usage.State, line: usage.TrancheLine, sign: int) -> pricing.Stretch:
    """All that the books know of what a line is about, with the line (1), without it (-1), or as they are (0)."""
    known = used.closed.get((line.tranche, line.since or line.period_start), TrancheBook(0, 0))
    deliverable = known.entitled_gpu_us - known.lost_gpu_us
    deliverable += sign * (line.entitled_gpu_us - line.undeliverable_gpu_us)
    share_ppm = _stated(claimed, line).take_or_pay_ppm
    return pricing.Stretch(deliverable, known.used_gpu_us + sign * line.used_gpu_us, share_ppm)


def tranche_rate(claimed: claims.State, line: usage.TrancheLine) -> pricing.HourPrice:
    """What a GPU-hour of a line of a tranche costs, and why."""
    return pricing.rate(claimed.tranches[line.tranche].plan, _began(claimed, line), claimed.indices)


def _began(claimed: claims.State, line: usage.TrancheLine) -> int:
    """From when on a line of a tranche is billed at its price."""
    tranche = claimed.tranches[line.tranche]
    # What ran already is billed from its cutover on, which may lie before the period that it was taken in in.
    taken_in = bool(tranche.opened_at) and tranche.started_at >= line.period_start
    since = line.since or (tranche.opened_at if taken_in else line.period_start)
    return max(since, tranche.opened_at or tranche.started_at)


def _stated(claimed: claims.State, line: usage.TrancheLine) -> claims.PriceStep:
    return pricing.price_at(claimed.tranches[line.tranche].plan, _began(claimed, line))


def _tranche_line(
    books: Books,
    closed: usage.PeriodClosed,
    place: int,
    line: usage.TrancheLine,
    unused_us: int,
    pieces: Pieces,
) -> tuple[claims.ContractPlan, Line]:
    """Take-or-pay: what was deliverable is paid, used or not, up to its share; what was not deliverable is not."""
    tranche, began_at = books.claims.tranches[line.tranche], _began(books.claims, line)
    contract = claims.contract_at(books.claims, tranche.contract, began_at)
    rate, reason = tranche_rate(books.claims, line)
    late = line.period_start != closed.start
    billed_us = line.used_gpu_us + unused_us
    share_ppm = _stated(books.claims, line).take_or_pay_ppm
    text = _tranche_text(_gpus_served(books, tranche), line, billed_us, unused_us, share_ppm, late)
    chip = tranche.plan.superchip_gpus
    if chip:
        much = f"{hours_of(abs(billed_us), chip)} superchip-h of {chip} GPUs"
        text = f"{text.removesuffix(',')} = {much} x {decimal_text(rate * chip)}"
    else:
        text += f" x {decimal_text(rate)}"
    text += f" ({reason})" if reason else ""
    if not late:
        text += f"; used {hours(line.used_gpu_us)}, lent {hours(line.lent_gpu_us)}, idle {hours(line.idle_gpu_us)}"
    start, end = _service(closed, line.period_start)
    if not late:
        # A tranche that was signed after its term began is entitled from then on, one that ran already when it was
        # taken in from the cutover on, one that is accepted from the start of billing on, one that was ended until
        # then.
        cuts = (since for since in pieces.cuts[line.tranche] if since > began_at)
        end = min(closed.end, tranche.ended_at or closed.end, *cuts)
        start = began_at
        billed_at = min((at for _, _, at in tranche.billed), default=tranche.started_at)
        if billed_at > tranche.started_at:
            start = max(start, billed_at)
    energy_uj, source = pieces.energy_of(line)
    amount_micros = gpu_time_cost_micros(billed_us, rate)
    return contract, Line(
        "correction" if late else "dedicated", contract.id, contract.version,
        f"tranches[{line.tranche}].price_per_gpu_hour", line.tranche, Tier.DEDICATED, tranche.plan.sku,
        tranche.plan.site, 0, start, end, source_tranche=place, gpu_us=billed_us, energy_uj=energy_uj,
        price_micros_per_gpu_hour=rate, amount_micros=amount_micros,
        amount_minor=micros_to_minor(amount_micros, contract.currency),
        text=_corrected(closed, line.period_start, text), energy_source=source,
    )  # fmt: skip


def _gpus_served(books: Books, tranche: claims.Tranche) -> str:
    """How many GPUs a tranche pays for: all that it has, or those that it accepted."""
    if tranche.plan.acceptance is None:
        return str(tranche.gpus)
    nodes = sum(count for _, count in claims.billed_runs(tranche))
    return f"{nodes * books.supply.skus[tranche.plan.sku].gpus_per_node} of {tranche.gpus}"


def _tranche_text(
    gpus: str, line: usage.TrancheLine, billed_us: int, unused_us: int, share_ppm: int, late: bool
) -> str:
    """How the hours of a tranche's line came about."""
    share = "" if share_ppm == claims.PPM else f" (take-or-pay {decimal_text(share_ppm * 100)} %)"
    if late:
        word = "undeliverable, and paid" if billed_us < 0 else "deliverable after all"
        return f"{hours(abs(billed_us))} GPU-h were {word}{share},"
    told = (
        f"{gpus} GPUs dedicated: {hours(line.entitled_gpu_us)} GPU-h entitled - "
        f"{hours(line.undeliverable_gpu_us)} undeliverable{_curtailed(line)} = "
    )
    if share_ppm == claims.PPM:
        return f"{told}{hours(billed_us)} GPU-h"
    return (
        f"{told}{hours(line.entitled_gpu_us - line.undeliverable_gpu_us)} GPU-h; {hours(line.used_gpu_us)} used + "
        f"{hours(unused_us)} unused{share} = {hours(billed_us)} GPU-h"
    )


def _curtailed(line: usage.TrancheLine) -> str:
    return f" ({hours(line.curtailed_gpu_us)} of it curtailed)" if line.curtailed_gpu_us else ""


def _use_line(
    books: Books, closed: usage.PeriodClosed, place: int, line: usage.UsageLine
) -> tuple[claims.ContractPlan, Line]:
    """Use on demand or on spot, at the list that was in force."""
    contract, version, rate = _rate(books, line)
    tier = "spot" if line.tier is Tier.SPOT else "on demand"
    starts = f"{line.starts} start{'s' if line.starts != 1 else ''}"
    text = f"{tier}: {hours(line.gpu_us)} GPU-h x {decimal_text(rate)} ({starts})"
    start, end = _service(closed, line.period_start)
    amount_micros = gpu_time_cost_micros(line.gpu_us, rate)
    # Whose idle capacity it ran on is another tenant's affair: the line does not say.
    return contract, Line(
        line.tier.value if line.period_start == closed.start else "correction", contract.id, contract.version,
        f"price list {version}: {line.tier} {line.sku}", TrancheId(""), line.tier, line.sku, line.site, version,
        start, end, source_line=place, gpu_us=line.gpu_us, energy_uj=line.energy_uj, price_micros_per_gpu_hour=rate,
        amount_micros=amount_micros, amount_minor=micros_to_minor(amount_micros, contract.currency),
        text=_corrected(closed, line.period_start, text), energy_source=line.energy_source,
    )  # fmt: skip


def _share_line(
    books: Books, closed: usage.PeriodClosed, place: int, line: usage.UsageLine
) -> tuple[claims.ContractPlan, Line]:
    """The owner's share of what a borrower of its idle capacity pays; a credit."""
    tranche = books.claims.tranches[line.lender]
    since = line.since or line.period_start
    contract = claims.contract_at(books.claims, tranche.contract, since)
    lending = claims.lending_at(tranche, since)
    assert lending is not None, "a tranche that does not lend has no borrowers"
    _, version, rate = _rate(books, line)
    share_micros = divide_half_even(line.gpu_us * rate * lending.owner_share_ppm, HOUR_US * claims.PPM)
    percent = decimal_text(lending.owner_share_ppm * 100)
    text = f"share of lending: {hours(line.gpu_us)} GPU-h lent x {decimal_text(rate)} x {percent} %"
    start, end = _service(closed, line.period_start)
    return contract, Line(
        "lending_share", contract.id, contract.version, f"tranches[{line.lender}].lending.owner_share",
        line.lender, Tier.SPOT, line.sku, line.site, version, start, end, source_line=place,
        price_micros_per_gpu_hour=rate, amount_micros=-share_micros,
        amount_minor=micros_to_minor(-share_micros, contract.currency),
        text=_corrected(closed, line.period_start, text),
    )  # fmt: skip


def _service(closed: usage.PeriodClosed, period_start: int) -> tuple[int, int]:
    """When a line's use was: in the period that is closed, or, for a correction, before it."""
    return (closed.start, closed.end) if period_start == closed.start else (period_start, closed.start)


def _corrected(closed: usage.PeriodClosed, period_start: int, text: str) -> str:
    return (
        text
        if period_start == closed.start
        else f"correction of the period from {timeline.text(period_start)}: {text}"
    )


def _rate(books: Books, line: usage.UsageLine) -> tuple[claims.ContractPlan, int, int]:
    """The contract, the price list and the price that a line is billed at."""
    since = line.since or line.period_start
    contract = claims.contract_of_use(books.claims, line.tenant, since, spot=line.tier is Tier.SPOT)
    assert contract is not None, "use without a contract is never taken in"
    found = price(books.money, line.segment, line.tier, line.sku, contract.currency)
    assert found is not None, "use without a price is never taken in"
    return contract, *found


def hours(gpu_us: int) -> str:
    """GPU-microseconds as GPU-hours with six places, for people."""
    return hours_of(gpu_us, 1)


def hours_of(gpu_us: int, gpus: int) -> str:
    """The same as hours of something that has so many GPUs."""
    return decimal_text(divide_half_even(gpu_us * 1_000_000, HOUR_US * gpus))
