"""What did capacity cost, by tenant, site or project? Issued invoices, split by the placements behind each line.

A line is split over its placements by GPU-time, to the micro-unit, by largest remainder; of a tranche's line, what
was used is split so, and the rest is nobody's: it was paid and not used. So the sums are those of the invoices,
however they are grouped. Reads the journal from its first record: never call it from the loop.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from forebay.core import money, units, usage
from forebay.core.ids import InvoiceId, Principal
from forebay.core.world import World
from forebay.loop import codec, ports
from forebay.server import amounts, sight
from forebay.server.cost_bodies import CostBody, CostsBody
from forebay.server.focusing import month_of
from forebay.server.retelling import HEARD, Piece, Retelling

#: What costs may be grouped by.
GROUPS = ("tenant", "contract", "claim", "class", "site", "sku", "project", "user", "month")
#: What a charge belongs to, in the order asked for.
Group = tuple[str, ...]


class CostPart(NamedTuple):
    """A share of a line."""

    gang: str
    micros: int
    used_us: int = 0
    unused_us: int = 0
    lent_us: int = 0
    unused_micros: int = 0


#: Kinds of events that costs are told from.
_HEARD = HEARD | {money.InvoiceIssued.__name__, money.CreditNoteIssued.__name__}


@dataclass(slots=True)
class _Sum:
    micros: int = 0
    used_us: int = 0
    unused_us: int = 0
    lent_us: int = 0
    unused_micros: int = 0

    def add(self, part: CostPart | _Sum) -> None:
        self.micros += part.micros
        self.used_us += part.used_us
        self.unused_us += part.unused_us
        self.lent_us += part.lent_us
        self.unused_micros += part.unused_micros


def costs_of(
    journal: ports.Journal,
    known: codec.Codec,
    principal: Principal,
    by: tuple[str, ...],
    period: str = "",
    tenant: str = "",
    uncounted: Collection[InvoiceId] = (),
) -> CostsBody:
    """Costs of what a principal may see, without invoices that do not count. Raises `ports.JournalError`."""
    sums: dict[tuple[Group, str], _Sum] = {}
    told = Retelling()
    for stored in journal.read():
        envelope = codec.envelope(stored)
        if envelope.kind not in _HEARD:
            continue
        event = known.decode(envelope)
        told.apply(event, envelope.at, envelope.seq)
        if not isinstance(event, money.InvoiceIssued | money.CreditNoteIssued):
            continue
        if not sight.owns(principal, event.tenant) or event.invoice in uncounted:
            continue
        if isinstance(event, money.CreditNoteIssued):
            if tenant in ("", event.tenant) and period in ("", month_of(envelope.at)):
                for credited in event.lines:
                    group = tuple(_named(name, told, event, credited, "") for name in by)
                    less = CostPart("", -units.minor_to_micros(credited.amount_minor, event.currency))
                    sums.setdefault((group, event.currency), _Sum()).add(less)
            continue
        if tenant not in ("", event.tenant) or period not in ("", month_of(event.start)):
            continue
        for line in event.lines:
            for part in cost_parts(told, line, event.currency):
                group = tuple(_named(name, told, event, line, part.gang) for name in by)
                sums.setdefault((group, event.currency), _Sum()).add(part)
    totals: dict[tuple[Group, str], _Sum] = {}
    for (_, currency), each in sums.items():
        totals.setdefault(((), currency), _Sum()).add(each)
    return {
        "by": list(by),
        "period": period,
        "items": [_body(*each) for each in sorted(sums.items(), key=_dearest)],
        "totals": [_body(*each) for each in sorted(totals.items(), key=_dearest)],
    }


def _dearest(item: tuple[tuple[Group, str], _Sum]) -> tuple[str, int, Group]:
    (group, currency), each = item
    return currency, -each.micros, group


def uncounted_now(world: World) -> frozenset[InvoiceId]:
    """Invoices that do not count: what is void, unless another is in its place that is not, and that other."""
    own = world.state.money
    instead = {head.replaces: head.invoice for head in own.invoices.values() if head.replaces}

    def counts(name: InvoiceId) -> bool:
        """Whether the last of a chain is not void: then its first tells what it is for."""
        while name in instead:
            name = instead[name]
        return name not in own.credits.voided

    return frozenset(name for name, head in own.invoices.items() if head.replaces or not counts(name))


def _named(
    name: str,
    told: Retelling,
    invoice: money.InvoiceIssued | money.CreditNoteIssued,
    line: money.Line | money.CreditedLine,
    gang: str,
) -> str:
    match name:
        case "tenant":
            return invoice.tenant
        case "contract":
            return line.contract
        case "claim":
            return line.claim
        case "class":
            return str(line.tier or "")
        case "site":
            return line.site
        case "sku":
            return line.sku
        case "month":
            return month_of(line.start)
    spec = told.spec_of(gang) if gang else None
    if spec is None:
        return ""
    return spec.project if name == "project" else spec.user


def cost_parts(told: Retelling, line: money.Line, currency: str) -> Iterator[CostPart]:
    """A line, split: its cost as billed, and every GPU-microsecond of it once."""
    total = units.minor_to_micros(line.amount_minor, currency)
    closing = told.closing
    if line.source_tranche >= 0:
        book = closing.event.tranches[line.source_tranche]
        late = book.period_start != closing.event.start
        pieces = [] if late else closing.books.get((book.tranche, book.since), [])
        yield from _tranche(line, book, [piece for piece in pieces if not piece.lent], total)
    elif line.source_line >= 0 and line.kind != "lending_share":
        source = closing.event.lines[line.source_line]
        mark = (usage.key_of_line(source), source.segment, source.period_start, source.since)
        yield from _split(closing.meters.get(mark, []), line.gpu_us, total)
    else:
        yield CostPart("", total)


def _tranche(line: money.Line, book: usage.TrancheLine, own: list[Piece], total: int) -> Iterator[CostPart]:
    unused_us = line.gpu_us - book.used_gpu_us
    used = (
        units.gpu_time_cost_micros(book.used_gpu_us, line.price_micros_per_gpu_hour) if unused_us else total
    )
    yield from _split(own, book.used_gpu_us, used)
    if unused_us:
        lent_us = min(book.lent_gpu_us, unused_us)
        yield CostPart("", total - used, 0, unused_us, lent_us, total - used)


def _split(pieces: list[Piece], gpu_us: int, total: int) -> Iterator[CostPart]:
    """An amount over GPU-time by largest remainder; what no placement stands behind is nobody's."""
    rest_us = gpu_us - sum(piece.gpu_us for piece in pieces)
    weights = [(piece.gang, piece.gpu_us) for piece in pieces] + ([("", rest_us)] if rest_us else [])
    if not gpu_us:
        yield CostPart("", total)
        return
    shares = [divmod(total * weight, gpu_us) for _, weight in weights]
    left = total - sum(whole for whole, _ in shares)
    # Whoever is cut off most gets the next micro-unit; of two alike, the first.
    sign = 1 if gpu_us > 0 else -1
    order = sorted(range(len(shares)), key=lambda place: (-sign * shares[place][1], place))
    more = set(order[:left])
    for place, (gang, weight) in enumerate(weights):
        yield CostPart(gang, shares[place][0] + (place in more), weight)


def _body(key: tuple[Group, str], each: _Sum) -> CostBody:
    group, currency = key
    price = None
    if each.used_us > 0:
        price = amounts.exact(units.divide_half_even(each.micros * units.HOUR_US, each.used_us), currency)
    return {
        "group": list(group),
        "cost": amounts.exact(each.micros, currency),
        "used_gpu_hours": amounts.gpu_hour_text(each.used_us),
        "unused_gpu_hours": amounts.gpu_hour_text(each.unused_us),
        "lent_gpu_hours": amounts.gpu_hour_text(each.lent_us),
        "unused_cost": amounts.exact(each.unused_micros, currency),
        "per_used_gpu_hour": price,
    }
