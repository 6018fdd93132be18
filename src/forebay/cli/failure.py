"""How does a command end that could not do its work? With a status that a script can tell apart, and a sentence that
says what would be right.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any


class Status(IntEnum):
    """Exit statuses of every command; listed in docs/reference/cli.md."""

    OK = 0
    FAILED = 1
    USAGE = 2
    #: The plant, or a promise made on it, does not allow it.
    INFEASIBLE = 3
    #: It contradicts what is recorded already.
    CONFLICT = 4
    #: No token, or one that may not.
    AUTH = 5
    NO_SERVER = 6
    #: Ended by Ctrl-C.
    INTERRUPTED = 130
    #: Nobody reads the output any more.
    BROKEN_PIPE = 141


#: What each status means, for people.
MEANING = {
    Status.OK: "done",
    Status.FAILED: "it failed: what was asked for does not exist, is not well-formed, or something broke",
    Status.USAGE: "the command line is not understood",
    Status.INFEASIBLE: "infeasible: the plant, or what is promised on it, does not allow it",
    Status.CONFLICT: "it contradicts what is recorded already",
    Status.AUTH: "no token, or one that may not do this",
    Status.NO_SERVER: "no server was found, or it does not answer",
    Status.INTERRUPTED: "ended by Ctrl-C",
    Status.BROKEN_PIPE: "nobody reads the output any more",
}

#: Refusals for want of capacity, of power, or of what may still be promised.
_INFEASIBLE = frozenset(
    {
        "below_floor",
        "block_full",
        "cap_reached",
        "clauses_contradict",
        "first_refusal",
        "never_fits",
        "fits_later",
        "no_power",
        "no_whole_racks",
        "not_standing",
        "nothing_unsold",
        "over_limit",
        "no_shortfall_policy",
        "oversold",
        "gang_too_large",
        "gang_too_long",
        "over_budget",
    }
)
#: Refusals because something else is recorded already, or is not yet.
_CONFLICT = frozenset(
    {
        "already_ended",
        "already_offered",
        "already_open",
        "block_delivered",
        "block_differs",
        "by_acceptance",
        "calendar_version",
        "claim_too_late",
        "closed_past",
        "month_not_over",
        "not_in_service",
        "not_on_claim",
        "contract_differs",
        "contract_version",
        "delivered_already",
        "deadline_passed",
        "dependency_failed",
        "document_version",
        "duplicate_id",
        "empty_period",
        "future_receipt",
        "not_over",
        "dispute_closed",
        "closed_period",
        "entry_decided",
        "same_person",
        "kept_account",
        "disputed_already",
        "nothing_ahead",
        "over_allocated",
        "receipt_reversed",
        "has_credit_notes",
        "invoice_differs",
        "invoice_paid",
        "invoice_void",
        "nothing_credited",
        "over_credited",
        "reference_used",
        "higher_priority",
        "index_differs",
        "key_reused",
        "milestone_reached",
        "moves_nothing",
        "no_acceptance",
        "no_estate",
        "no_relief",
        "not_a_party",
        "not_amendable",
        "not_bound",
        "not_exercisable",
        "not_in_order",
        "not_late",
        "node_in_service",
        "not_in_acceptance",
        "not_being_wiped",
        "not_open",
        "campaign_not_open",
        "campaigns_overlap",
        "not_running",
        "not_silent",
        "site_served",
        "fenced_generation",
        "not_ready",
        "on_offer",
        "opened_already",
        "not_started",
        "no_room",
        "other_seller",
        "own_site",
        "policy_version",
        "price_version",
        "prices_differ",
        "relief_used_up",
        "rented_site",
        "side_changes",
        "signed_already",
        "site_differs",
        "sku_differs",
        "stale_forecast",
        "stale_generation",
        "stale_plan",
        "too_early",
        "too_late",
        "tranche_over",
        "project_in_use",
        "dataset_in_use",
        "storage_version",
        "pool_full",
        "projects_version",
    }
)
#: Refusals because what was asked for does not exist or is not well-formed.
_MISTAKE = frozenset(
    {
        "ambiguous_subtree",
        "bad_acceptance",
        "bad_allocation",
        "bad_array",
        "bad_amount",
        "bad_balance",
        "empty_reference",
        "nothing_allocated",
        "nothing_disputed",
        "unbalanced",
        "nothing_settled",
        "bad_binding",
        "bad_choice",
        "bad_effective",
        "bad_id",
        "bad_interval",
        "bad_late",
        "bad_ladder",
        "bad_lending",
        "bad_maintenance",
        "bad_commitment",
        "bad_energy",
        "bad_payments",
        "bad_price",
        "bad_quantity",
        "bad_shape",
        "bad_shortfall",
        "bad_right_state",
        "bad_relief",
        "bad_remedies",
        "bad_scope",
        "bad_service",
        "bad_tax",
        "bad_term",
        "bad_tier",
        "bad_unit",
        "bad_zone",
        "beyond_calendar",
        "campaign_too_long",
        "currency_differs",
        "dependency_cycle",
        "contradiction",
        "duplicate_price",
        "empty_scope",
        "feed_cycle",
        "foreign_overlay",
        "future_fact",
        "handed_over",
        "incomplete_forecast",
        "late_notice",
        "maintenance_not_agreed",
        "milestone_cycle",
        "no_contract",
        "no_date",
        "no_index_value",
        "no_price",
        "no_evidence",
        "no_reason",
        "no_remedies",
        "not_rented",
        "nothing_to_maintain",
        "other_currency",
        "outside_scope",
        "outside_windows",
        "over_allowance",
        "over_delivered",
        "own_notice",
        "own_sale",
        "reserved",
        "sku_not_promised",
        "test_failed",
        "test_missing",
        "unknown_block",
        "unknown_calendar",
        "too_many_waves",
        "unknown_campaign",
        "unknown_account",
        "unknown_invoice",
        "unknown_exclusion",
        "unknown_receipt",
        "unknown_dispute",
        "unknown_entry",
        "unknown_line",
        "unknown_credit_note",
        "unknown_cap",
        "unknown_cause",
        "unknown_contract",
        "unknown_currency",
        "unknown_curtailment",
        "unknown_engine",
        "unknown_delivery",
        "unknown_feed",
        "unknown_gang",
        "unknown_hall",
        "unknown_hold",
        "unknown_index",
        "unknown_loop",
        "unknown_milestone",
        "unknown_domain",
        "bad_metering",
        "unknown_node",
        "unknown_rack",
        "unknown_notice",
        "unknown_right",
        "unknown_site",
        "unknown_sku",
        "unknown_subtree",
        "unknown_test",
        "unknown_tranche",
        "bad_projects",
        "bad_link",
        "no_link",
        "outside_residency",
        "unknown_dataset",
        "unknown_pool",
        "not_in_project",
        "tier_not_allowed",
        "unknown_priority",
        "unknown_project",
        "unknown_tenant",
    }
)


class Failed(Exception):
    """A command ends here: `message` says what is wrong, `hint` what to do about it.

    `errors` are places in documents: {file, line, column, pointer, detail}, as far as they are known; for what was
    said on the command line {option, pointer, detail}, and of tables {file, sheet, row, column_name, cell, detail}.
    """

    def __init__(
        self,
        message: str,
        status: Status = Status.FAILED,
        *,
        hint: str = "",
        code: str = "",
        errors: list[dict[str, Any]] | None = None,
        body: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.hint = hint
        self.code = code or status.name.lower()
        self.errors = errors or []
        #: The whole problem that the server answered with.
        self.body = body or {}

    def lines(self) -> list[str]:
        """What is printed for people."""
        told = [f"forebay: {self.message}"]
        for error in self.errors:
            detail = str(error.get("detail") or "")
            if detail and detail not in self.message:
                told.append(f"  {place_of(error)}{detail}")
        if self.hint:
            told.append(f"  {self.hint}")
        return told


def place_of(error: dict[str, Any]) -> str:
    """`site.yaml:12:7: ` as far as it is known, the cell of a table, or the option that it is about; else ""."""
    if option := error.get("option"):
        return f"{option}: "
    if words := error.get("cell"):
        return f"{words}: "
    parts = [str(error[name]) for name in ("file", "line", "column") if error.get(name)]
    place = ":".join(parts)
    pointer = str(error.get("pointer") or "")
    if pointer:
        place = f"{place}: {pointer}" if place else pointer
    return f"{place}: " if place else ""


def status_of_refusal(code: str, http_status: int) -> Status:
    """The exit status for a problem that the server answered with."""
    if http_status in (401, 403) or code == "forbidden":
        return Status.AUTH
    if code in _INFEASIBLE:
        return Status.INFEASIBLE
    if code in _MISTAKE:
        return Status.FAILED
    if code in _CONFLICT or http_status in (409, 412):
        return Status.CONFLICT
    return Status.FAILED
