"""How is a mistake told over HTTP? As RFC 9457 problem details, with one table from reasons to statuses.

`type` is a name, not an address: it does not change when documentation moves. docs/reference/http.md lists them all.
"""

from __future__ import annotations

import http
from collections.abc import Iterable
from typing import Any, NotRequired, TypedDict

import msgspec
from starlette.responses import Response

from forebay.core import ids
from forebay.feeds import tree
from forebay.loop.inbox import LoopError

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:forebay:problem:"

#: Status of each reason for which the World refuses: not for this role, unknown, against what is recorded, wrong.
STATUS_OF_REFUSAL = {
    "forbidden": 403,
    "unknown_gang": 404,
    "bad_array": 422,
    "bad_choice": 422,
    "reserved": 422,
    "deadline_passed": 409,
    "campaign_not_open": 409,
    "campaigns_overlap": 409,
    "dependency_cycle": 422,
    "dependency_failed": 409,
    "unknown_notice": 404,
    "unknown_right": 404,
    "already_ended": 409,
    "already_offered": 409,
    "already_open": 409,
    "below_floor": 409,
    "block_delivered": 409,
    "block_differs": 409,
    "calendar_version": 409,
    "block_full": 409,
    "by_acceptance": 409,
    "cap_reached": 409,
    "claim_too_late": 409,
    "closed_past": 409,
    "month_not_over": 409,
    "not_in_service": 409,
    "not_on_claim": 409,
    "unknown_exclusion": 404,
    "contract_differs": 409,
    "contract_version": 409,
    "delivered_already": 409,
    "document_version": 409,
    "duplicate_id": 409,
    "empty_period": 409,
    "future_receipt": 409,
    "not_over": 409,
    "dispute_closed": 409,
    "closed_period": 409,
    "entry_decided": 409,
    "same_person": 409,
    "kept_account": 409,
    "unbalanced": 422,
    "unknown_entry": 404,
    "disputed_already": 409,
    "nothing_disputed": 422,
    "nothing_settled": 422,
    "unknown_dispute": 404,
    "nothing_ahead": 409,
    "over_allocated": 409,
    "receipt_reversed": 409,
    "has_credit_notes": 409,
    "invoice_differs": 409,
    "invoice_paid": 409,
    "invoice_void": 409,
    "nothing_credited": 409,
    "over_credited": 409,
    "unknown_credit_note": 404,
    "unknown_line": 422,
    "reference_used": 409,
    "unknown_receipt": 404,
    "unknown_account": 404,
    "unknown_invoice": 404,
    "bad_amount": 422,
    "empty_reference": 422,
    "nothing_allocated": 422,
    "clauses_contradict": 409,
    "first_refusal": 409,
    "higher_priority": 409,
    "index_differs": 409,
    "milestone_reached": 409,
    "no_acceptance": 409,
    "no_estate": 409,
    "no_power": 409,
    "no_relief": 409,
    "no_whole_racks": 409,
    "moves_nothing": 409,
    "not_a_party": 409,
    "not_amendable": 409,
    "not_bound": 409,
    "not_exercisable": 409,
    "not_in_order": 409,
    "not_late": 409,
    "node_in_service": 409,
    "not_in_acceptance": 409,
    "not_being_wiped": 409,
    "not_open": 409,
    "not_running": 409,
    "not_silent": 409,
    "not_standing": 409,
    "not_ready": 409,
    "nothing_unsold": 409,
    "on_offer": 409,
    "opened_already": 409,
    "not_started": 409,
    "no_room": 409,
    "other_seller": 409,
    "over_limit": 409,
    "no_shortfall_policy": 409,
    "oversold": 409,
    "own_site": 409,
    "project_in_use": 409,
    "storage_version": 409,
    "dataset_in_use": 409,
    "pool_full": 409,
    "projects_version": 409,
    "policy_version": 409,
    "relief_used_up": 409,
    "price_version": 409,
    "prices_differ": 409,
    "rented_site": 409,
    "side_changes": 409,
    "signed_already": 409,
    "site_differs": 409,
    "sku_differs": 409,
    "stale_forecast": 409,
    "stale_generation": 409,
    "stale_plan": 409,
    "too_early": 409,
    "too_late": 409,
    "tranche_over": 409,
    "ambiguous_subtree": 422,
    "bad_acceptance": 422,
    "bad_allocation": 422,
    "bad_balance": 422,
    "bad_binding": 422,
    "bad_effective": 422,
    "bad_id": 422,
    "bad_interval": 422,
    "bad_late": 422,
    "bad_ladder": 422,
    "bad_lending": 422,
    "bad_maintenance": 422,
    "bad_commitment": 422,
    "bad_energy": 422,
    "bad_payments": 422,
    "bad_tax": 422,
    "bad_price": 422,
    "bad_projects": 422,
    "bad_link": 422,
    "no_link": 422,
    "outside_residency": 422,
    "bad_quantity": 422,
    "bad_relief": 422,
    "bad_right_state": 422,
    "bad_remedies": 422,
    "bad_scope": 422,
    "bad_service": 422,
    "bad_term": 422,
    "bad_shape": 422,
    "bad_shortfall": 422,
    "bad_tier": 422,
    "bad_unit": 422,
    "bad_zone": 422,
    "beyond_calendar": 422,
    "campaign_too_long": 422,
    "currency_differs": 422,
    "contradiction": 422,
    "duplicate_price": 422,
    "empty_scope": 422,
    "feed_cycle": 422,
    "foreign_overlay": 422,
    "fenced_generation": 409,
    "site_served": 409,
    "fits_later": 422,
    "future_fact": 422,
    "gang_too_large": 422,
    "gang_too_long": 422,
    "handed_over": 422,
    "incomplete_forecast": 422,
    "key_reused": 422,
    "late_notice": 422,
    "maintenance_not_agreed": 422,
    "milestone_cycle": 422,
    "never_fits": 422,
    "no_contract": 422,
    "no_date": 422,
    "no_index_value": 422,
    "no_price": 422,
    "no_evidence": 422,
    "no_reason": 422,
    "no_remedies": 422,
    "not_in_project": 422,
    "not_rented": 422,
    "nothing_to_maintain": 422,
    "other_currency": 422,
    "outside_scope": 422,
    "outside_windows": 422,
    "over_allowance": 422,
    "over_budget": 422,
    "over_delivered": 422,
    "own_notice": 422,
    "own_sale": 422,
    "sku_not_promised": 422,
    "test_failed": 422,
    "test_missing": 422,
    "tier_not_allowed": 422,
    "unknown_block": 422,
    "unknown_calendar": 422,
    "too_many_waves": 422,
    "unknown_campaign": 422,
    "unknown_cap": 422,
    "unknown_cause": 422,
    "unknown_contract": 422,
    "unknown_currency": 422,
    "unknown_curtailment": 422,
    "unknown_delivery": 422,
    "unknown_engine": 422,
    "unknown_feed": 422,
    "unknown_hall": 422,
    "unknown_hold": 422,
    "unknown_index": 422,
    "unknown_loop": 422,
    "unknown_milestone": 422,
    "unknown_domain": 422,
    "bad_metering": 422,
    "unknown_node": 422,
    "unknown_priority": 422,
    "unknown_project": 422,
    "unknown_dataset": 422,
    "unknown_pool": 422,
    "unknown_rack": 422,
    "unknown_site": 422,
    "unknown_sku": 422,
    "unknown_subtree": 422,
    "unknown_tenant": 422,
    "unknown_test": 422,
    "unknown_tranche": 422,
}
#: Reasons that the server itself gives, with their status and title.
OWN = {
    "bad_document": (422, "A document cannot be read"),
    "no_zone": (422, "A date without a zone"),
    "too_precise": (422, "Finer than is kept"),
    "bad_request": (400, "The request cannot be read"),
    "bad_body": (422, "The body is not as it should be"),
    "bad_parameter": (422, "A parameter is not as it should be"),
    "bad_cursor": (422, "The cursor is not one of ours"),
    "bad_key": (422, "The idempotency key is not as it should be"),
    "unauthorized": (401, "No valid token"),
    "forbidden": (403, "Not for this role"),
    "not_found": (404, "There is no such thing"),
    "method_not_allowed": (405, "The method is not for this address"),
    "ambiguous_name": (409, "Several things have this name"),
    "stale": (412, "It has changed since"),
    "too_large": (413, "The body is too large"),
    "unavailable": (503, "forebay cannot decide now"),
    "bug": (500, "A mistake of ours"),
}
#: Titles of what the World refuses, where the code does not speak for itself.
TITLES = {
    "key_reused": "The idempotency key was used for something else",
    "clauses_contradict": "Two contracts contradict each other",
    "first_refusal": "Somebody else comes first",
    "oversold": "More than there is",
    "below_floor": "Cheaper than we sell",
    "not_a_party": "A contract of two others",
    "never_fits": "It can never fit",
    "fits_later": "It can fit only after a delivery",
}


class ProblemError(TypedDict):
    """One thing that is wrong. `pointer` is a JSON pointer into the document or the body; `code` is its own reason,
    of a document.
    """

    pointer: str
    detail: str
    code: NotRequired[str]
    file: NotRequired[str]
    line: NotRequired[int]
    column: NotRequired[int]


class ProblemBody(TypedDict):
    """Problem details (RFC 9457). `code` is the reason; `errors` are the places it is about, where there are any."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: list[ProblemError]
    #: With 503: whether it may have been recorded all the same.
    may_have_landed: NotRequired[bool]
    #: With documents: what was applied before this one was refused.
    applied: NotRequired[list[dict[str, Any]]]
    #: With a contract that does not fit: offers (OfferBody) for the tranche that was refused.
    offers: NotRequired[list[dict[str, Any]]]


class Failure(Exception):
    """A request that is answered with a problem."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int = 0,
        errors: Iterable[ProblemError] = (),
        more: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = status or (OWN[code][0] if code in OWN else STATUS_OF_REFUSAL.get(code, 422))
        self.errors = list(errors)
        self.more = more or {}


def refused(refusal: ids.Refusal, principal: ids.Principal) -> Failure:
    """What the World refused, in words that this principal may read."""
    detail = refusal.told_to(principal)
    errors: list[ProblemError] = []
    if refusal.field:
        errors.append({"pointer": pointer(refusal.field), "detail": detail})
    return Failure(refusal.code, detail, errors=errors)


def unreadable(error: tree.DocumentError, code: str = "bad_document") -> Failure:
    """Documents that cannot be read: every place that is wrong, each with its own reason; one that they share is that
    of the whole.
    """
    codes = {problem.code for problem in error.problems}
    if code == "bad_document" and len(codes) == 1:
        (code,) = codes
    count = len(error.problems)
    detail = error.problems[0].sentence() + (f" (and {count - 1} more)" if count > 1 else "")
    return Failure(code, detail, errors=[located(problem) for problem in error.problems])


def located(problem: tree.Problem) -> ProblemError:
    """A problem of a document, with its file and line where there are any."""
    told: ProblemError = {"pointer": pointer(problem.path), "detail": problem.detail, "code": problem.code}
    if problem.file:
        told["file"] = problem.file
    if problem.line:
        told["line"], told["column"] = problem.line, problem.column
    return told


def undecided(error: LoopError) -> Failure:
    """The loop could not say what became of it."""
    advice = (
        "it may have been recorded: ask again with the same Idempotency-Key, which settles it"
        if error.may_have_landed
        else "nothing was recorded: ask again later"
    )
    return Failure("unavailable", f"{error}; {advice}", more={"may_have_landed": error.may_have_landed})


def pointer(path: str) -> str:
    """A field path (`tranches[0].count`) as a JSON pointer (RFC 6901)."""
    steps = path.replace("[", ".").replace("]", "").split(".") if path else []
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


def response(failure: Failure, instance: str) -> Response:
    """The failure as problem details about `instance`, the address that was asked."""
    body = {
        "type": TYPE + failure.code,
        "title": title(failure.code, failure.status),
        "status": failure.status,
        "detail": failure.detail,
        "instance": instance,
        "code": failure.code,
        "errors": failure.errors,
    } | failure.more
    headers = {"WWW-Authenticate": 'Bearer realm="forebay"'} if failure.status == 401 else {}
    return Response(msgspec.json.encode(body), failure.status, headers, MEDIA_TYPE)


def title(code: str, status: int) -> str:
    """A short heading, the same for all problems of one type."""
    if code in OWN and OWN[code][0] == status:
        return OWN[code][1]
    return TITLES.get(code, code.replace("_", " ").capitalize() or http.HTTPStatus(status).phrase)
