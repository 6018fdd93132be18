"""`forebay campaigns` and `forebay campaign`: maintenance of many nodes, in waves."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import apply, client, command, paper, session
from forebay.cli.failure import Failed, Status

EXAMPLES = """
    forebay campaign plan firmware.yaml        what it would do to whom; changes nothing
    forebay apply firmware.yaml
    forebay campaign show firmware-24-9
    forebay campaign pause firmware-24-9 --reason "storm"
    forebay campaign consent firmware-24-9 acme-train
"""


@command.command("campaigns", examples="forebay campaigns\nforebay campaigns --json")
def campaigns_command() -> None:
    """List maintenance campaigns, and how far they are."""
    said = session.current()
    items = client.connect(said).pages("/v1/campaigns")
    if said.json:
        said.emit("campaigns", {"items": items})
        return
    if not items:
        said.say("there is no maintenance campaign")
        return
    rows = [
        (
            each["id"],
            each["work"],
            each["phase"],
            f"{each['waves_begun']}/{each['waves_begun'] + each['waves_left']}",
            str(each["nodes_done"]),
            each["next"] or "",
            each["reason"].replace("_", " "),
        )
        for each in items
    ]
    headers = ("CAMPAIGN", "WORK", "STATE", "WAVES", "DONE", "NEXT", "WHY")
    click.echo(paper.table(headers, rows, right="   rr", color=said.colors()))


@command.group("campaign", examples=EXAMPLES)
def campaign_group() -> None:
    """Maintenance of many nodes in waves: plan, show, pause, resume, cancel; consent to it."""


@campaign_group.command("plan", examples="forebay campaign plan firmware.yaml")
@click.argument("path", metavar="FILE")
def _plan(path: str) -> None:
    """What a campaign would do to each claim; nothing is changed.

    It is refused where a notice comes too late, an allowance is overdrawn or no window is open, unless the document
    says `despite` that.
    """
    said = session.current()
    found = client.connect(said)
    documents = apply.sendable(found, apply.read(path))
    answer = found.post("/v1/documents", {"documents": documents, "dry_run": True})
    plans = [each for each in answer["applied"] if each["kind"] == "Campaign"]
    if not plans:
        raise Failed(f"there is no Campaign in {path}", Status.USAGE, code="usage")
    if said.json:
        said.emit("campaign.plan", answer)
        return
    for each in plans:
        body = each["answer"]
        if not body["changed"]:
            click.echo(f"campaign {each['id']} is in force already: `forebay campaign show {each['id']}`")
            continue
        waves, nodes = paper.count(body["waves"], "wave"), paper.count(body["nodes"], "node")
        click.echo(f"campaign {each['id']}: {nodes} in {waves}, {body['start']} to {body['end']}")
        click.echo(_claims(body["claims"], said.colors()))


def _claims(claims: list[dict[str, Any]], color: bool) -> str:
    if not claims:
        return "no claim is hit"
    rows = [
        (
            each["tranche"],
            each["tenant"],
            str(len(each["nodes"])),
            str(each["at_once"]),
            each["first"],
            f"sent {each['noticed']}"
            if each["noticed"]
            else f"{each['notify']} (by {each['latest_notice']})",
            each["consent"].replace("_", " "),
            _allowance(each),
        )
        for each in claims
    ]
    headers = ("TRANCHE", "TENANT", "NODES", "AT ONCE", "FROM", "NOTICE", "CONSENT", "ALLOWANCE")
    lines = [paper.table(headers, rows, right="  rr", color=color)]
    lines += [f"warning: {over['overrun']}: {over['detail']}" for each in claims for over in each["overruns"]]
    return "\n".join(lines)


def _allowance(claim: dict[str, Any]) -> str:
    if claim["allowed_s"] is None:
        return "none agreed"
    return "; ".join(
        f"{month['month']}: uses {paper.span(month['agreed_s'])}, done {paper.span(month['done_s'])},"
        f" left {paper.span(month['left_s'])}"
        for month in claim["months"]
    )


@campaign_group.command("show", examples="forebay campaign show firmware-24-9")
@click.argument("name")
def _show(name: str) -> None:
    """For each claim its nodes, notices, consents and allowance; and how far the campaign is."""
    said = session.current()
    body = client.connect(said).get(f"/v1/campaigns/{client.escaped(name)}")
    if said.json:
        said.emit("campaign.show", body)
        return
    why = f" ({body['reason'].replace('_', ' ')})" if body["reason"] else ""
    slipped = ", the last takes longer than it should" if body["slipped"] else ""
    pairs: list[tuple[str, object]] = [
        ("campaign", body["id"]),
        ("work", body["work"]),
        ("state", f"{body['phase']}{why}"),
        ("between", f"{body['start']} and {body['end']}"),
        ("waves", f"{body['waves_begun']} begun, {body['waves_left']} to come{slipped}"),
        ("nodes done", body["nodes_done"]),
    ]
    if body["next"]:
        pairs.append(("next wave", body["next"]))
    words = {"draining": "being emptied", "out": "worked on", "failed": "not come back", "left": "left out"}
    pairs += [(told, " ".join(body[key])) for key, told in words.items() if body[key]]
    click.echo(paper.facts(pairs))
    click.echo(_claims(body["claims"], said.colors()))


def _ask(verb: str, name: str, posted: dict[str, Any], done: str, said_as: str = "") -> None:
    said = session.current()
    answer = client.connect(said).post(f"/v1/campaigns/{client.escaped(name)}/{verb}", posted)
    if said.json:
        said.emit(f"campaign.{said_as or verb}", answer)
    else:
        said.say(f"campaign {name} {done}" if answer["changed"] else f"campaign {name}: it was so already")


_reason = click.option("--reason", default="", metavar="TEXT", help="Why, for the record.")


@campaign_group.command("pause", examples='forebay campaign pause firmware-24-9 --reason "storm"')
@click.argument("name")
@_reason
def _pause(name: str, reason: str) -> None:
    """No further wave begins; one that runs is brought to its end."""
    _ask("pause", name, {"reason": reason}, "is paused: no further wave begins")


@campaign_group.command("resume", examples="forebay campaign resume firmware-24-9")
@click.argument("name")
def _resume(name: str) -> None:
    """It goes on; nodes that did not come back are left to their repair."""
    _ask("resume", name, {}, "goes on")


@campaign_group.command("cancel", examples="forebay campaign cancel firmware-24-9")
@click.argument("name")
@_reason
def _cancel(name: str, reason: str) -> None:
    """No further wave begins, for good; what is being worked on is brought back."""
    _ask("cancel", name, {"reason": reason}, "is cancelled: what is worked on is brought back")


@campaign_group.command("consent", examples="forebay campaign consent firmware-24-9 acme-train")
@click.argument("name")
@click.argument("tranche")
@_reason
def _consent(name: str, tranche: str, reason: str) -> None:
    """A tenant consents to the work on its tranche."""
    _ask("consent", name, {"tranche": tranche, "given": True, "reason": reason}, f"may touch {tranche}")


@campaign_group.command(
    "refuse", examples='forebay campaign refuse firmware-24-9 acme-train --reason "release"'
)
@click.argument("name")
@click.argument("tranche")
@_reason
def _refuse(name: str, tranche: str, reason: str) -> None:
    """A tenant does not consent: its nodes are left out."""
    posted = {"tranche": tranche, "given": False, "reason": reason}
    _ask("consent", name, posted, f"leaves {tranche} out", "refuse")
