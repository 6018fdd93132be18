"""How is it told who goes short: tranche by tranche what changed, as a table, and what it costs in all?"""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import paper

PROVISIONAL = (
    "P50 and P90 are provisional until they are estimated again for the schedule as it is now: until then each is "
    "the later of the old one and the date by which we reckon."
)


def moved_text(moved: list[dict[str, Any]], confidence: str, color: bool) -> str:
    """Blocks that come at another date: by which we reckon, and by which promises are measured."""
    if not moved:
        return "no block comes at another date"
    rows = []
    for each in moved:
        cells = [each["block"], each["sku"], f"{each['racks']:,}", f"{each['gpus']:,}"]
        for before, after, days in (("before", "after", "days"), ("sure_before", "sure_after", "sure_days")):
            moved_by = "" if each[days] is None else f"{each[days]:+,}" if each[days] else "0"
            # An estimate is good to the day.
            cells += [paper.date(each[before]) or "no date", paper.date(each[after]) or "no date", moved_by]
        rows.append(cells)
    sure = confidence.upper()
    headers = ("BLOCK", "SKU", "RACKS", "GPUS", "FROM", "TO", "DAYS", f"{sure} FROM", f"{sure} TO", "DAYS")
    return paper.table(headers, rows, right="  rr  r  r", color=color)


def changes_text(changes: list[dict[str, Any]], color: bool, would: bool = False) -> str:
    """Who goes short in another way, a paragraph a tranche."""
    if not changes:
        return "no promise goes short by it that did not before"
    told = []
    for change in changes:
        before, after = change["before"], change["after"]
        shown = after or before
        title = f"{shown['tranche']} ({shown['tenant']}, contract {shown['contract']}): {_verb(before, after, would)}"
        told.append(click.style(title, fg="red" if after else "green") if color else title)
        if after:
            told += [f"  {line}" for line in _paragraph(before, after)]
    return "\n".join(told)


def _verb(before: dict[str, Any] | None, after: dict[str, Any] | None, would: bool) -> str:
    if after is None:
        return "would go short no more" if would else "goes short no more"
    if before is None:
        return "would go short" if would else "goes short"
    cost, was = _cost(after), _cost(before)
    missing = after["gpu_hours"] - before["gpu_hours"] or cost - was
    more = "more" if missing > 0 else "less" if missing < 0 else "otherwise"
    return f"would go short {more}" if would else f"goes short {more}"


def _cost(risk: dict[str, Any]) -> float:
    return sum(float(risk[name]["amount"]) for name in ("fees", "damages", "discount"))


def _paragraph(before: dict[str, Any] | None, after: dict[str, Any]) -> list[str]:
    pairs = []
    for number, part in enumerate(after["parts"]):
        much = paper.extent(part["nodes"], part["gpus"], after["nodes_per_rack"])
        until = f"until {paper.day(part['end'])}" if part["end"] else "with no end in sight"
        pairs.append(("misses" if not number else "", f"{much} from {paper.day(part['start'])} {until}"))
    was = before or {"fees": None, "damages": None, "discount": None}
    pairs.append(("fees not charged", _money(after["fees"], was["fees"])))
    pairs.append(("terms", terms_text(after)))
    if after["late"]:
        reached = ", the cap: no more falls due" if after["capped"] else ""
        owed = remedy(after)
        pairs.append((owed, _money(after[owed], was[owed]) + reached))
    if after["longstop"]:
        pairs.append(("longstop", f"{paper.day(after['longstop'])}: from then on the customer may end it"))
    elif after["late"] and after["late"]["longstop_s"]:
        pairs.append(("longstop", "not reached"))
    return paper.facts(pairs).splitlines()


def _money(now: dict[str, str], was: dict[str, str] | None) -> str:
    return paper.money(now) + (f" (was {paper.money(was)})" if was and was != now else "")


def terms_text(risk: dict[str, Any]) -> str:
    """The terms that apply, in words."""
    late = risk["late"]
    if not late:
        return "the contract is silent about lateness: no damages, and no fees for what is missing"
    cap = f", at most {paper.money(late['cap'])}" if late["cap"] else ", without a cap"
    grace = f"after {paper.span(late['grace_s'])} of grace " if late["grace_s"] else ""
    if late["discount_ppm_per_day"]:
        share = paper.share(late["discount_ppm_per_day"])
        return f"late delivery: {grace}{share} of a day's fee taken off later fees for each day{cap}"
    return f"late delivery: {grace}{paper.money(late['damages_per_gpu_day'])} a GPU and day{cap}"


def remedy(risk: dict[str, Any]) -> str:
    """What is owed for what is late, by its field: a discount where there is one, else damages."""
    terms = risk.get("late") or {"discount_ppm_per_day": 0}
    return "discount" if terms["discount_ppm_per_day"] or float(risk["discount"]["amount"]) else "damages"


def remedy_header(items: list[dict[str, Any]]) -> str:
    """The name of a column with the one or the other."""
    found = {remedy(each) for each in items if each.get("late", each)} or {"damages"}
    return " OR ".join(sorted(found)).upper()


def totals_text(totals: list[dict[str, Any]], lead: str = "in all") -> str:
    """What all shortfalls cost, currency by currency."""
    if not totals:
        return f"{lead}: nobody goes short"
    return "\n".join(f"{lead}: {_total(each)}" for each in totals)


def _total(each: dict[str, Any]) -> str:
    if not float(each["total"]["amount"]):
        return "no fees are lost by it, and nothing is owed"
    remedies = [
        f"{paper.money(each[name])} of {told}"
        for name, told in (("damages", "damages"), ("discount", "discounts"))
        if float(each[name]["amount"])
    ]
    fees = f"{paper.money(each['fees'])} of fees not charged"
    if not remedies:
        return f"{fees}, and no damages"
    return ", ".join([fees, *remedies, f"together {paper.money(each['total'])}"])
