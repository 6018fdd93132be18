"""What does the journal tell about what is no longer in the World? Records, and what an invoice line rests on.

Reads the journal from its first record, on the caller's thread: never call it from the loop.
"""

from __future__ import annotations

from typing import Any

import msgspec

from forebay.core import claims, money, supply, usage
from forebay.core.ids import Principal, Role
from forebay.core.placements.gang import Run
from forebay.core.placements.index import each_node
from forebay.loop import codec, ports
from forebay.server import amounts, bills, bodies, views
from forebay.server.retelling import Closing, Piece, Retelling
from forebay.server.tellings import Tellings


def records(journal: ports.Journal, after: int, limit: int) -> list[bodies.RecordBody]:
    """Records after a sequence, decoded. Raises `ports.JournalError`."""
    return [_record(stored) for stored in journal.read(after, limit)]


def _record(stored: ports.Stored) -> bodies.RecordBody:
    envelope = codec.envelope(stored)
    body: Any = msgspec.Raw(bytes(envelope.body))
    return {
        "seq": envelope.seq,
        "at": amounts.when(envelope.at),
        "kind": envelope.kind,
        "version": envelope.version,
        "command": envelope.command_id,
        "place": envelope.place,
        "places": envelope.places,
        "actor": envelope.actor,
        "role": envelope.role,
        "tenant": envelope.tenant,
        "cause": envelope.cause,
        "body": body,
        "digest": stored.digest.hex(),
    }


def explain_line(
    tellings: Tellings, head: money.InvoiceHead, until: int, n: int, principal: Principal
) -> bodies.LineExplanation:
    """What line `n` (from 1) of an invoice rests on; `until` is `bills.first_seq`. Raises LookupError,
    `ports.JournalError`.

    The caller has seen to it that the principal may see the invoice, and that it has such a line.
    """
    return tellings.about(head, until, lambda told, issued: _explained(told, issued, head.seq, n, principal))


def _explained(
    told: Retelling, issued: money.InvoiceIssued, seq: int, n: int, principal: Principal
) -> bodies.LineExplanation:
    line, closing = issued.lines[n - 1], told.closing
    source = _source(closing, line)
    shares: list[bodies.PlacementShare] = []
    if isinstance(source, usage.TrancheLine):
        late = source.period_start != closing.event.start
        pieces = [] if late else closing.books.get((source.tranche, source.since), [])
        shares = [_share(told, piece, "lent" if piece.lent else "own", principal) for piece in pieces]
        shares += _rest(source, shares)
        # What take-or-pay does not ask for.
        unpaid_us = line.gpu_us - sum(share["gpu_us"] for share in shares)
        shares += [_unplaced("unpaid", unpaid_us)] if unpaid_us else []
    elif source is not None:
        pieces = closing.meters.get(
            (usage.key_of_line(source), source.segment, source.period_start, source.since), []
        )
        use = "lent" if line.kind == "lending_share" else "own"
        shares = [_share(told, piece, use, principal) for piece in pieces]
    gpu_us = sum(share["gpu_us"] for share in shares)
    meant = source.gpu_us if isinstance(source, usage.UsageLine) else line.gpu_us
    assert gpu_us == meant, f"line {n} of {issued.invoice}: placements sum to {gpu_us}, the line to {meant}"
    return {
        "invoice": issued.invoice,
        "line": bills.line_body(line, n, issued.currency),
        "contract": views.contract_body(_version(told, line), told.claims.openings.get(line.contract)),
        "price_list": bills.price_list_body(told.money, line.price_version, told.segment)
        if line.price_version
        else None,
        "closed_by": closing.seq,
        "issued_by": seq,
        "gpu_us": gpu_us,
        "gpu_hours": amounts.gpu_hour_text(gpu_us),
        "placements": shares,
        "basis": money.late_facts(told.claims, told.supply, line, closing.event.end)
        if line.kind in money.LATE_LINES
        else [],
    }


def _version(told: Retelling, line: money.Line) -> claims.ContractPlan:
    """The version of the contract that a line was billed under."""
    known = told.claims.versions[line.contract]
    return next(each.plan for each in known if each.plan.version == line.contract_version)


def _source(closing: Closing, line: money.Line) -> usage.TrancheLine | usage.UsageLine | None:
    """What a line was made from; None for a rounding."""
    if line.source_tranche >= 0:
        return closing.event.tranches[line.source_tranche]
    return closing.event.lines[line.source_line] if line.source_line >= 0 else None


def _share(told: Retelling, piece: Piece, use: str, principal: Principal) -> bodies.PlacementShare:
    """One placement; for a tenant, another's is "other work"."""
    hidden = principal.role is Role.TENANT and piece.tenant != principal.tenant
    return {
        "gang": "other work" if hidden else piece.gang,
        "generation": 0 if hidden else piece.generation,
        "use": use,
        "nodes": _names(told.supply, piece.runs),
        "gpus": piece.gpus,
        "started": amounts.when(piece.start),
        "ended": amounts.when_or_none(piece.end),
        "gpu_us": piece.gpu_us,
        "gpu_hours": amounts.gpu_hour_text(piece.gpu_us),
    }


def _names(supplied: supply.State, runs: tuple[Run, ...]) -> list[str]:
    nodes = [node for node, _ in each_node(runs)]
    return [supply.node_name(supplied, node) for node in nodes[: views.NODES_MAX]]


def _rest(line: usage.TrancheLine, shares: list[bodies.PlacementShare]) -> list[bodies.PlacementShare]:
    """What no placement stands behind: idle time, which is paid all the same, and what facts about nodes that came
    late took from, or gave back to, placements that nobody can name any more.
    """
    used_gpu_us = sum(share["gpu_us"] for share in shares if share["use"] == "own")
    lent_gpu_us = sum(share["gpu_us"] for share in shares if share["use"] == "lent")
    rest = [_unplaced("idle", line.idle_gpu_us)]
    late_us = line.used_gpu_us - used_gpu_us + line.lent_gpu_us - lent_gpu_us
    return [*rest, _unplaced("late_facts", late_us)] if late_us else rest


def _unplaced(use: str, gpu_us: int) -> bodies.PlacementShare:
    return {
        "gang": "",
        "generation": 0,
        "use": use,
        "nodes": [],
        "gpus": 0,
        "started": None,
        "ended": None,
        "gpu_us": gpu_us,
        "gpu_hours": amounts.gpu_hour_text(gpu_us),
    }
