"""`forebay terms`: what a contract says of lateness, availability, maintenance and remedies."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, deliveries, paper, risks, session

#: Who schedules the work of a tranche.
OPERATION = {
    "managed": "managed: forebay schedules its work",
    "handed_over": "handed over: its customer schedules its work, and nothing is lent",
}
REMEDIES = {"fee_discount": "discount on fees", "damages": "damages", "credit": "service credit"}


@command.command("terms", examples="forebay terms big-lab-1\nforebay terms big-lab-1 --at 2028-01-15")
@click.argument("contract")
@click.option(
    "--at", "at", default="", metavar="DATE", help="By the version that holds then; now when left out."
)
def terms_command(contract: str, at: str) -> None:
    """What a contract says of prices, service levels, lateness.

    Operators and finance see every contract, a tenant its own. What a step of a ladder comes to is told for the fee
    of 30 days of the whole tranche. An amendment changes nothing that is told for a day before it holds.
    """
    said = session.current()
    asked = {"at": at} if at else {}
    body = client.connect(said).get(f"/v1/contracts/{client.escaped(contract)}/terms", **asked)
    if said.json:
        said.emit("terms", body)
    else:
        click.echo(contract_text(body, said.colors()))


def contract_text(body: dict[str, Any], color: bool) -> str:
    """Tranche by tranche, then how remedies stand to each other."""
    told = [f"{body['contract']}, version {body['version']}, as of {paper.moment(body['at'])}", ""]
    for each in body["tranches"]:
        head = f"tranche {each['tranche']}"
        told += [click.style(head, bold=True) if color else head]
        told += [f"  {line}" for line in paper.facts(_facts(each)).splitlines()]
        told.append("")
    told.append(_remedies(body["remedies"]))
    if body["energy"] is not None:
        told.append(_energy(body["energy"]))
    if body["commitment"] is not None:
        told.append(_commitment(body["commitment"]))
    return "\n".join(told)


def _facts(tranche: dict[str, Any]) -> list[tuple[str, object]]:
    service, agreed, lending = tranche["service"], tranche["maintenance"], tranche["lending"]
    first, *others = tranche["choices"]
    pairs: list[tuple[str, object]] = [("where", first)]
    if others:
        pairs.append(("", f"before its term begins it may be {', or '.join(others)} instead"))
    pairs += _price(tranche["price"])
    pairs.append(("operation", OPERATION[tranche["operation"]]))
    if lending:
        share = paper.share(lending["owner_share_ppm"])
        pairs.append(
            ("lending", f"back within {paper.span(lending['reclaim_deadline_s'])}, {share} of the price")
        )
    pairs.append(("acceptance", deliveries.acceptance_text(tranche["acceptance"])))
    pairs.append(("lateness", risks.terms_text(tranche).removeprefix("late delivery: ")))
    if tranche["late"] and tranche["late"]["longstop_s"]:
        pairs.append(("longstop", paper.span(tranche["late"]["longstop_s"])))
    for number, each in enumerate(tranche["relief"]):
        within = f"notice within {paper.span(each['notice_s'])}, {paper.span(each['cap_s'])} at most"
        pairs.append(("" if number else "relief", f"{each['kind'].replace('_', ' ')}: {within}"))
    if tranche["shortfall"]:
        pairs.append(("too little", _place(tranche["shortfall"])))
    pairs += (
        _service(service) if service else [("service level", "none: nothing is promised about availability")]
    )
    if agreed is None:
        return [*pairs, ("maintenance", "none is agreed: all of it is downtime")]
    asks = ", with consent" if agreed["consent"] else ""
    notice = f", told {paper.span(agreed['notice_s'])} before" if agreed["notice_s"] else ""
    pairs.append(
        ("maintenance", f"{paper.span(agreed['allowed_s'])} a month{notice}{asks}; all else is downtime")
    )
    for window in agreed["windows"]:
        coming = f"; next {paper.moment(window['next_start'])}" if window["next_start"] else ""
        length = paper.span(window["length_s"])
        pairs.append(
            ("", f"{window['day']} {window['start']} for {length}, by the clocks of {agreed['zone']}{coming}")
        )
    return pairs


def _price(price: dict[str, Any]) -> list[tuple[str, object]]:
    steps = "".join(
        f", {paper.charge(each['price_per_gpu_hour'])} from {paper.day(each['at'])} on"
        for each in price["steps"]
    )
    pairs: list[tuple[str, object]] = [
        ("price", f"{paper.charge(price['price_per_gpu_hour'])} a GPU-hour{steps}"),
    ]
    if index := price["index"]:
        bounds = [f"not below {paper.charge(index['floor'])}"] if index["floor"] else []
        bounds += [f"not above {paper.charge(index['cap'])}"] if index["cap"] else []
        share = paper.share(index["share_ppm"])
        followed = f"{share} of it follows the index {index['index']}, stated at {index['base']}"
        pairs.append(("", ", ".join([followed, *bounds])))
    pairs.append(
        ("take or pay", f"{paper.share(price['take_or_pay_ppm'])} of what was deliverable, used or not")
    )
    return pairs


#: The place of a tranche beside all other customers, in words.
PLACE = {
    "first": "served before all other customers",
    "last": "served after all other customers",
    "ratably": "short by the same share as all other customers",
}


def _place(said: dict[str, Any]) -> str:
    named = " and ".join(f"{word} {', '.join(said[word])}" for word in ("before", "after") if said[word])
    if not said["served"]:
        return f"served {named}"
    return PLACE[said["served"]] + (f", but {named}" if named else "")


def _service(level: dict[str, Any]) -> list[tuple[str, object]]:
    healthy = f"{level['healthy_nodes']:,} of {paper.count(level['nodes'], 'node')}"
    by = f"by the {level['unit']}: it is available with {healthy} healthy"
    pairs: list[tuple[str, object]] = [("service level", by)]
    if level["replacement_s"]:
        span = paper.span(level["replacement_s"])
        pairs.append(("", f"a unit may be replaced within {span} of its failure: only after that it is down"))
    for rung in level["ladder"]:
        share = (
            f"below {paper.share(rung['below_ppm'])}: {paper.share(rung['credit_ppm'])} of the month's fee"
        )
        pairs.append(("", f"{share} ({paper.money(rung['of_30_days'])} of 30 days)"))
    if level["ladder"]:
        pairs.append(("credits", _credits(level)))
    if level["damages_per_gpu_day"]:
        pairs.append(("damages", f"{paper.money(level['damages_per_gpu_day'])} a GPU and day not available"))
    if level["chronic"]:
        chronic = level["chronic"]
        months = f"{chronic['months']} of {paper.count(chronic['of_months'], 'month')} in a row"
        pairs.append(("chronic failure", f"{months} below {paper.share(chronic['below_ppm'])}"))
    return pairs


def _credits(level: dict[str, Any]) -> str:
    told = "by themselves"
    if level["credits"] == "on_claim":
        told = f"on claim within {paper.span(level['claim_s'])} of the end of the month"
    if level["cap_month_ppm"]:
        told += f", at most {paper.share(level['cap_month_ppm'])} of a month's fee"
    if level["cap_total"]:
        told += f", at most {paper.money(level['cap_total'])} in all"
    return told + (", the sole remedy" if level["sole_remedy"] else "")


def _energy(agreed: dict[str, Any]) -> str:
    told = (
        f"energy: {paper.money(agreed['price_per_mwh'])} a MWh, at a PUE of {agreed['pue_ppm'] / 1_000_000:g}"
    )
    return f"{told}, by the index {agreed['index']}, stated at {agreed['base']}" if agreed["index"] else told


def _commitment(agreed: dict[str, Any]) -> str:
    months, periods = paper.count(agreed["months"], "month"), paper.count(agreed["periods"], "period")
    since = paper.day(agreed["start"])
    return f"minimum: {paper.money(agreed['amount'])} in each of {periods} of {months}, from {since}"


def _remedies(agreed: dict[str, Any] | None) -> str:
    if agreed is None:
        return "remedies: at most one kind is granted"
    order = ", then ".join(REMEDIES[remedy] for remedy in agreed["order"])
    settled = "set off against what is owed" if agreed["settlement"] == "set_off" else "paid out"
    month = f", at most {paper.money(agreed['cap_month'])} a month" if agreed["cap_month"] else ""
    total = f", at most {paper.money(agreed['cap_total'])} in all" if agreed["cap_total"] else ""
    return f"remedies: {order}; {settled}{month}{total}"
