"""`forebay fail` and `forebay repair`: nodes, and what fails with all that hangs on it; what is done about them."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session

KINDS = ("node", "rack", "switch", "loop", "feed", "hall", "site")

_reason = click.option("--reason", default="", metavar="TEXT", help="Why, for the record.")
_since = click.option("--since", default="", metavar="TIME", help="Since when (RFC 3339); now when left out.")


@command.command(
    "fail",
    examples='forebay fail rack r01 --reason "pump stopped"\nforebay fail feed a --since 2026-12-01T08:00:00Z',
)
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@_reason
@_since
def fail_command(kind: str, name: str, reason: str, since: str) -> None:
    """Report that a node, or a part of the plant with all that hangs on it, has failed.

    Gangs on what went out start again elsewhere, whole.
    """
    _report("fail", kind, name, reason, since)


@command.command("repair", examples="forebay repair rack r01\nforebay repair node r01-n02")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@_reason
@_since
def repair_command(kind: str, name: str, reason: str, since: str) -> None:
    """Report that a node, or a part of the plant, is well again.

    A node that failed by itself stays out when what it hangs on comes back. Where the policy asks for checks, a
    repaired node has work again once it passed them (`forebay node check`).
    """
    _report("restore", kind, name, reason, since)


def _report(verb: str, kind: str, name: str, reason: str, since: str) -> None:
    said = session.current()
    body = {"reason": reason, "effective_at": since}
    where = (
        f"/v1/nodes/{client.escaped(name)}"
        if kind == "node"
        else f"/v1/domains/{kind}/{client.escaped(name)}"
    )
    answer = client.connect(said).post(f"{where}/{verb}", body)
    told = {
        "kind": kind,
        "name": name,
        "changed": answer["changed"],
        "nodes": answer.get("nodes", int(answer["changed"])),
    }
    if said.json:
        said.emit("repair" if verb == "restore" else "fail", told)
    elif not answer["changed"]:
        said.say(f"{kind} {name} was so already")
    elif kind == "node":
        said.say(f"{name} is recorded as {'repaired' if verb == 'restore' else 'failed'}")
    else:
        done = "came back" if verb == "restore" else "went out"
        said.say(
            f"{kind} {name} {'is well again' if verb == 'restore' else 'failed'}: "
            f"{paper.count(told['nodes'], 'node')} {done} with it"
        )


def list_out() -> None:
    """Print the nodes that are out, and the parts of the plant that are."""
    said = session.current()
    api = client.connect(said)
    items, parts = list(api.pages("/v1/nodes/out")), api.get("/v1/domains/out")["items"]
    if said.json:
        said.emit("node.out", {"items": items, "domains": parts})
        return
    rows = [_row(each) for each in items]
    headers = ("NODE", "STATE", "SINCE", "TICKET", "EXPECTED", "REPLACE BY", "WHY")
    click.echo(paper.table(headers, rows, color=said.colors()))
    for part in parts:
        why = f": {part['reason']}" if part["reason"] else ""
        nodes = paper.count(part["nodes"], "node")
        said.say(f"{part['kind']} {part['name']} is out since {part['since']}, with {nodes}{why}")


def _row(node: dict[str, Any]) -> tuple[str, ...]:
    state = node["condition"]
    if node["cordoned"]:
        state = "cordoned" if state == "healthy" else f"{state}, cordoned"
    doing = ", ".join(each for each in (node["cause"], node["part"]) if each)
    ticket = f"{node['ticket']} ({doing})" if doing else node["ticket"]
    return (
        node["name"], state, node["since"] or "", ticket, node["expected_at"] or "", node["replace_by"] or "",
        node["reason"],
    )  # fmt: skip


@command.command("check", examples="forebay node check r01-n02 burn-in --passed")
@click.argument("node")
@click.argument("check")
@click.option("--passed/--failed", required=True, help="What came of it.")
@click.option("--evidence", default="", metavar="TEXT", help="What was seen.")
def check_command(node: str, check: str, passed: bool, evidence: str) -> None:
    """Report a check of a repaired node: passed, or failed."""
    said = session.current()
    body = {"check": check, "passed": passed, "evidence": evidence}
    answer = client.connect(said).post(f"/v1/nodes/{client.escaped(node)}/check", body)
    if said.json:
        said.emit("node.check", answer)
    elif not passed:
        said.say(f"{node} failed {check}: it stays out until it is repaired again")
    elif answer["missing"]:
        said.say(f"{node} passed {check}; it has still to pass {', '.join(answer['missing'])}")
    else:
        said.say(f"{node} passed {check}, and with that all its checks")


@command.command("ticket", examples='forebay node ticket r01-n02 --ticket T-17 --cause "dead fan" --part fan')
@click.argument("node")
@click.option("--ticket", required=True, metavar="ID", help="What the repair is called where it is tracked.")
@click.option("--cause", default="", metavar="TEXT", help="What is wrong.")
@click.option("--part", default="", metavar="TEXT", help="What is replaced.")
@click.option("--expected", default="", metavar="TIME", help="When the node is expected back (RFC 3339).")
def ticket_command(node: str, ticket: str, cause: str, part: str, expected: str) -> None:
    """Say what is being done about a node that is out.

    When it is expected back counts in the expected start of whoever waits for it.
    """
    said = session.current()
    body = {"ticket": ticket, "cause": cause, "part": part, "expected_at": expected}
    answer = client.connect(said).post(f"/v1/nodes/{client.escaped(node)}/ticket", body)
    if said.json:
        said.emit("node.ticket", answer)
    else:
        said.say(f"{node} carries {ticket}")


@command.command("progress", examples="forebay progress acme.train 12000")
@click.argument("gang")
@click.argument("mark", type=click.IntRange(0))
def progress_command(gang: str, mark: int) -> None:
    """Report how far a gang got: a number that grows, such as its step.

    A gang that reported once and then reports nothing larger for as long as the policy says is stuck.
    """
    said = session.current()
    answer = client.connect(said).post(f"/v1/gangs/{client.escaped(gang)}/progress", {"mark": mark})
    if said.json:
        said.emit("progress", answer)
    else:
        said.say(f"{gang} is at {mark}" if answer["changed"] else f"{gang} was there already")


@command.command(
    "wiped",
    examples='forebay node wiped r01-n02\nforebay node wiped r01-n02 --failed "disk 3 does not answer"',
)
@click.argument("node")
@click.option(
    "--failed", default="", metavar="TEXT", help="It failed: what was seen. The node is quarantined."
)
def wiped_command(node: str, failed: str) -> None:
    """Report that a node which a gang left is wiped and checked, or that this failed.

    Once all nodes that the gang left are reported, they return before their time. With `wipe_reported: true` in the
    policy a node of which nothing is reported in time is quarantined too.
    """
    said = session.current()
    body = {"passed": not failed, "evidence": failed}
    answer = client.connect(said).post(f"/v1/nodes/{client.escaped(node)}/wiped", body)
    if said.json:
        said.emit("node.wiped", answer)
    elif not answer["changed"]:
        said.say(f"{node} was so already")
    else:
        said.say(f"{node} is {'quarantined: its wipe failed' if failed else 'wiped and checked'}")
