"""What does each command print with --json? One JSON Schema (draft 2020-12) for each name in "schema".

`forebay.NAME/1` stands in every document that is printed. Fields are only added within a version. Where a command
hands on what the server answers, the schema is made from the type of that answer.
"""

from __future__ import annotations

import types
import typing
from typing import Any

from forebay.server import (
    availability_bodies,
    binding_bodies,
    bodies,
    business_day_bodies,
    campaign_bodies,
    contract_bodies,
    cost_bodies,
    crediting_bodies,
    delivery_bodies,
    dispute_bodies,
    draft_bodies,
    engine_bodies,
    entry_bodies,
    estimate_bodies,
    explaining_bodies,
    fragmentation_bodies,
    goodput_bodies,
    health_bodies,
    ledger_bodies,
    loan_bodies,
    offer_bodies,
    payable_bodies,
    power_bodies,
    prepaid_bodies,
    project_bodies,
    promise_bodies,
    reading_bodies,
    receivable_bodies,
    side_bodies,
    storage_bodies,
    tax_bodies,
    term_bodies,
    what_if_bodies,
)

_JSON = {str: "string", int: "integer", bool: "boolean", type(None): "null"}


def _value(hint: Any) -> dict[str, Any]:
    """The schema of a type of `server.bodies`."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.NotRequired:
        return _value(args[0])
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_value(each) for each in args]}
    if origin is list:
        return {"type": "array", "items": _value(args[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _value(args[1])}
    if hint is Any:
        return {}
    if typing.is_typeddict(hint):
        return _members(hint)
    return {"type": _JSON[hint]}


def _members(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _value(hint) for name, hint in hints.items()},
        "required": [name for name, hint in hints.items() if not _is_optional(hint)],
    }


def _is_optional(hint: Any) -> bool:
    return typing.get_origin(hint) is typing.NotRequired


def _document(name: str, members: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """The schema of one document: what it says, and what it is."""
    properties = {"schema": {"const": f"forebay.{name}/1"}} | {
        key: hint if isinstance(hint, dict) else _value(hint) for key, hint in members.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": [key for key in properties if key not in optional],
    }


def _body(name: str, kind: Any) -> dict[str, Any]:
    """The schema of an answer of the server that is handed on."""
    hints = typing.get_type_hints(kind, include_extras=True)
    # Not __optional_keys__, which knows nothing of annotations that are postponed to texts.
    return _document(name, hints, tuple(key for key, hint in hints.items() if _is_optional(hint)))


def _table(**members: Any) -> dict[str, Any]:
    """An object with these members, all of them there."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {key: _value(hint) for key, hint in members.items()},
        "required": list(members),
    }


def _list(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


_BEARER = _table(id=str, role=str, tenant=str, actor=str)
#: Where something is wrong in a document, as far as that is known; or in which option of the command line; or, for
#: tables, in which sheet, row and column, with `cell` for all of it in words.
_PLACE = {
    "type": "object",
    "properties": {
        "detail": {"type": "string"},
        "pointer": {"type": "string"},
        "code": {"type": "string"},
        "file": {"type": "string"},
        "line": {"type": "integer"},
        "column": {"type": "integer"},
        "option": {"type": "string"},
        "sheet": {"type": "string"},
        "row": {"type": "integer"},
        "column_name": {"type": "string"},
        "cell": {"type": "string"},
    },
}

#: A hold as it was asked for.
_HELD = _table(**promise_bodies.PostedHold.__annotations__)
_SERVER = {"anyOf": [_table(address=str, version=str), {"type": "null"}]}

#: What failures cost a replay.
_RELIABILITY = _table(
    seed=int | None, failures=list[dict[str, int | str]], restarts=int, jobs_stopped=int, lost_gpu_hours=str,
    goodput_ppm=int, productive_ppm_of_held=int, ettr_ppm=int, ettr_ppm_of_stopped=int,
)  # fmt: skip
#: Over time, in slices of equal length.
_SERIES = _table(
    start_s=int, slice_s=int, gpus_held=list[int], watts=list[int], jobs_waiting=list[int], gpus_waiting=list[int],
    gpus_down=list[int], gpus_free=list[int], fragmentation_ppm=list[int],
)  # fmt: skip

_DOCUMENTS: dict[str, dict[str, Any]] = {
    "version": {"version": str, "python": str, "server": _SERVER},
    "doctor": {"healthy": bool, "checks": _list(_table(check=str, result=str, detail=str, advice=str))},
    "import.written": {"files": _list(_table(file=str, kind=str, id=str, changed=bool))},
    "jobs": {"items": list[bodies.GangBody]},
    "export.close": {"period": str, "files": _list(_table(table=str, file=str, bytes=int))},
    "export.focus": {
        "version": str, "format": str, "files": _list(_table(dataset=str, file=str, bytes=int)), "metadata": str,
    },
    "projects.list": {"items": list[project_bodies.ProjectsBody]},
    "queue": {"items": list[project_bodies.QueuedBody]},
    "loans": {"items": list[loan_bodies.LoanBody]},
    "cancel": {"items": list[bodies.Cancelled]},
    "logs": {"gang": str, "rank": int, "text": str, "next_offset": int, "ended": bool, "generation": int},
    "submit": {"gangs": list[str], "dry_run": bool},
    "node.list": {"items": list[bodies.NodeBody]},
    "campaigns": {"items": list[campaign_bodies.CampaignBody]},
    "readings": {"items": list[reading_bodies.ReadingsOfSource]},
    "readings.import": {
        "accepted": int, "duplicate": int, "refused": int, "items": list[reading_bodies.ReadingProblem],
    },
    "engines": {"items": list[engine_bodies.EngineHeardBody]},
    "curtailments": {"items": list[power_bodies.CurtailmentBody]},
    "node.out": {"items": list[health_bodies.OutNodeBody], "domains": list[health_bodies.DomainBody]},
    "schedule": {"items": list[promise_bodies.ScheduleBody]},
    "binding.solve": {"items": list[binding_bodies.PlanBody]},
    "hold.list": {"items": list[promise_bodies.HoldBody]},
    "overlays": {"items": list[side_bodies.OverlayBody]},
    "rights.list": {"items": list[promise_bodies.RightBody]},
    "contracts.list": {"items": list[bodies.ContractBody]},
    "calendars.list": {"items": list[business_day_bodies.BusinessCalendarBody]},
    "contracts.watch": {"items": list[contract_bodies.WatchedBody]},
    "deliveries": {"items": list[delivery_bodies.DeliveryBody]},
    "invoice.list": {"items": list[bodies.InvoiceSummary]},
    "entry.list": {"items": list[entry_bodies.ManualEntryBody]},
    "dispute.list": {"items": list[dispute_bodies.DisputeBody]},
    "exclusion.list": {"items": list[availability_bodies.ExclusionBody]},
    "receipt.list": {"items": list[receivable_bodies.ReceiptBody]},
    "credit-note.list": {"items": list[crediting_bodies.CreditNoteSummary]},
    "ledger.account": {"account": str, "items": list[ledger_bodies.StatementEntry]},
    "journal.verify": {"records": int, "digest": str, "path": str, "passed_at": int},
    "journal.digest": {"seq": int, "digest": str},
    "journal.record": {
        "seq": int, "at": int, "kind": str, "version": int, "command_id": str, "place": int, "places": int,
        "actor": str, "role": str, "tenant": str, "cause": int, "body": dict[str, Any], "digest": str,
    },
    "token.list": {"items": _list(_BEARER)},
    "token.revoked": {"id": str, "role": str, "tenant": str},
    "replay": {
        "trace": str, "plant": str, "policy": str, "jobs": int, "refused": int,
        "refusals": _list(_table(reason=str, jobs=int, example=str)),
        "broken_rows": int, "broken": _list(_PLACE), "gpus": int, "span_s": int,
        "wait_s": dict[str, int], "wait_s_by_gpus": dict[str, dict[str, int]],
        "wait_s_by_tenant": dict[str, dict[str, int]],
        "slowdown_milli": dict[str, int], "slowdown_milli_by_gpus": dict[str, dict[str, int]],
        "slowdown_milli_by_tenant": dict[str, dict[str, int]],
        "gpu_hours": str, "utilisation_ppm": int, "utilisation_ppm_while_jobs_arrive": int,
        "energy_kwh": int, "energy_kwh_work": int, "limit_w": int,
        "price_per_gpu_hour": str, "invoiced": dict[str, str], "invoiced_total": str, "currency": str,
        "ends": _list(_table(reason=str, jobs=int)),
        "stops": _list(_table(reason=str, stops=int, lost_gpu_hours=str)),
        "estimates": dict[str, int] | None, "reliability": _RELIABILITY, "series": _SERIES,
        "events": int, "digest": str, "machine": {"type": "object"},
    },
    "replay.vary": {"varied": list[str], "runs": _list({"type": "object"}), "machine": {"type": "object"}},
    "schema": {"kinds": list[str], "any": dict[str, Any]},
    "up": {"event": str, "elapsed_s": {"type": "number"}, "text": str},
}  # fmt: skip
_BODIES: dict[str, Any] = {
    "status": bodies.StatusBody,
    "apply": bodies.DocumentsBody,
    "import": bodies.DocumentsBody,
    "import.diff": bodies.DifferencesBody,
    "explain.gang": bodies.GangExplanation,
    "explain.other": explaining_bodies.Explanation,
    "explain.line": bodies.LineExplanation,
    "node.cordon": bodies.NodeAnswer,
    "node.drain": bodies.NodeAnswer,
    "power": power_bodies.PowerBody,
    "engine.fence": engine_bodies.FenceAnswer,
    "campaign.show": campaign_bodies.CampaignBody,
    "campaign.plan": bodies.DocumentsBody,
    "campaign.pause": campaign_bodies.CampaignAnswer,
    "campaign.resume": campaign_bodies.CampaignAnswer,
    "campaign.cancel": campaign_bodies.CampaignAnswer,
    "campaign.consent": campaign_bodies.CampaignAnswer,
    "campaign.refuse": campaign_bodies.CampaignAnswer,
    "curtail": power_bodies.CurtailmentAnswer,
    "curtail.end": power_bodies.CurtailmentOver,
    "node.uncordon": bodies.NodeAnswer,
    "node.fail": bodies.NodeAnswer,
    "node.restore": bodies.NodeAnswer,
    "node.quarantine": bodies.NodeAnswer,
    "node.release": bodies.NodeAnswer,
    "node.degrade": bodies.NodeAnswer,
    "node.mend": bodies.NodeAnswer,
    "node.ticket": bodies.NodeAnswer,
    "node.wiped": bodies.NodeAnswer,
    "node.check": health_bodies.CheckAnswer,
    "progress": health_bodies.ProgressAnswer,
    "fail": health_bodies.DomainAnswer,
    "repair": health_bodies.DomainAnswer,
    "invoice": bodies.InvoiceBody,
    "invoice.close": bodies.PeriodClosedBody,
    "invoice.draft": draft_bodies.DraftsBody,
    "costs": cost_bodies.CostsBody,
    "availability": availability_bodies.AvailabilitiesBody,
    "goodput": goodput_bodies.GoodputsBody,
    "claim-credit": availability_bodies.ClaimAnswer,
    "exclusion.record": availability_bodies.ExclusionAnswer,
    "exclusion.withdraw": availability_bodies.ExclusionAnswer,
    "ledger": ledger_bodies.LedgerBody,
    "comparison": payable_bodies.ComparisonBody,
    "entry.propose": entry_bodies.ManualEntryAnswer,
    "entry.approve": entry_bodies.ManualEntryAnswer,
    "entry.reject": entry_bodies.ManualEntryAnswer,
    "dispute.open": dispute_bodies.DisputeAnswer,
    "dispute.settle": dispute_bodies.DisputeAnswer,
    "dispute.withdraw": dispute_bodies.DisputeAnswer,
    "prepayments": prepaid_bodies.AheadBody,
    "refund": prepaid_bodies.ReturnAnswer,
    "invoice.void": crediting_bodies.VoidAnswer,
    "credit-note": crediting_bodies.CreditNoteBody,
    "explain.credit": crediting_bodies.CreditExplanation,
    "credit-note.issue": crediting_bodies.CreditNoteAnswer,
    "credit-note.allocate": crediting_bodies.CreditNoteLeft,
    "payables": payable_bodies.PayablesBody,
    "receivables": receivable_bodies.ReceivablesBody,
    "taxes": tax_bodies.TaxesBody,
    "receipt.record": receivable_bodies.ReceiptAnswer,
    "receipt.allocate": receivable_bodies.ReceiptAnswer,
    "receipt.reverse": receivable_bodies.ReceiptAnswer,
    "capacity": promise_bodies.CapacityBody,
    "slip": promise_bodies.MilestoneReport,
    "reached": promise_bodies.MilestoneReport,
    "hold.release": promise_bodies.HoldAnswer,
    "sign": promise_bodies.SigningBody,
    "contracts.show": contract_bodies.ContractStory,
    "projects.show": project_bodies.ProjectsBody,
    "calendars.show": business_day_bodies.BusinessCalendarBody,
    "shortfall": promise_bodies.ShortfallsBody,
    "shortfall.allocate": promise_bodies.AllocationBody,
    "ready": delivery_bodies.ReadyAnswer,
    "accept": delivery_bodies.AcceptedAnswer,
    "reject": delivery_bodies.RejectedAnswer,
    "relief": delivery_bodies.ReliefAnswer,
    "nominate": term_bodies.NominationBody,
    "payments": term_bodies.PaymentsBody,
    "rights.offer": promise_bodies.SaleOffer,
    "rights.offered": offer_bodies.ReceivedOffer,
    "rights.exercise": promise_bodies.RightUsed,
    "rights.waive": promise_bodies.RightPassed,
    "binding": binding_bodies.BindingsBody,
    "datasets": storage_bodies.StorageBody,
    "fragmentation": fragmentation_bodies.FragmentationBody,
    "estimates": estimate_bodies.EstimatesBody,
    "terms": term_bodies.TermsBody,
    "what-if": promise_bodies.WhatIfBody,
    "what-if.work": what_if_bodies.TriedWork,
    "what-if.reclaim": loan_bodies.ReclaimPreview,
    "checkpoint": loan_bodies.CheckpointTaken,
    "suppliers": side_bodies.SuppliersBody,
    "entitlements": side_bodies.EntitlementsBody,
    "delivery": side_bodies.DeliveryReport,
}

#: Name -> JSON Schema.
OUTPUTS: dict[str, dict[str, Any]] = {
    **{name: _document(name, members) for name, members in _DOCUMENTS.items()},
    **{name: _body(name, kind) for name, kind in _BODIES.items()},
    "quote": _document(
        "quote",
        typing.get_type_hints(promise_bodies.QuoteBody) | {"hold": _HELD},
        ("hold",),
    ),
    "error": _document(
        "error",
        {
            "code": str,
            "message": str,
            "hint": str,
            "errors": _list(_PLACE),
            "offers": list[promise_bodies.OfferBody],
        },
        ("offers",),
    ),
    "token.created": _document(
        "token.created",
        {"id": str, "role": str, "tenant": str, "actor": str, "token": str, "file": str},
        ("token", "file"),
    ),
}
