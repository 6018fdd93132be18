"""`forebay node` and `forebay drain`: nodes, and what is done to them."""

from __future__ import annotations

import click

from forebay.cli import client, command, failing, paper, session

EXAMPLES = """
    forebay node list
    forebay node drain r01-n02 --reason "cable replaced"
    forebay node restore r01-n02
"""


@command.group("node", examples=EXAMPLES)
def node_group() -> None:
    """List nodes; cordon, drain, fail, restore or quarantine one.

    A node is called after its rack and its place in it: r01-n02.
    """


@node_group.command("list", examples="forebay node list\nforebay node list --out")
@click.option(
    "--out", is_flag=True, help="Only those that may have no new work, and what is done about them."
)
def _list(out: bool) -> None:
    """List nodes with what runs on them."""
    if out:
        failing.list_out()
        return
    said = session.current()
    items = client.connect(said).pages("/v1/nodes")
    if said.json:
        said.emit("node.list", {"items": items})
        return
    rows = []
    for node in items:
        state = node["condition"]
        if state == "healthy" and node["cordoned"]:
            state = "cordoned"
        used = f"{node['gpus_used']}/{node['gpus']}"
        rows.append(
            (node["name"], node["sku"], state, used, node["tranche"], " ".join(node["gangs"]), node["reason"])
        )
    headers = ("NODE", "SKU", "STATE", "GPUS", "TRANCHE", "GANGS", "WHY")
    click.echo(paper.table(headers, rows, right="   r", color=said.colors()))


def _act(verb: str, node: str, reason: str, done: str) -> None:
    """Ask for one thing about one node."""
    said = session.current()
    answer = client.connect(said).post(f"/v1/nodes/{client.escaped(node)}/{verb}", {"reason": reason})
    if said.json:
        said.emit(f"node.{verb}", answer)
    elif answer["changed"]:
        said.say(f"{node} {done}")
    else:
        undo = "; `forebay node uncordon` ends a cordon or a drain" if verb == "restore" else ""
        said.say(f"{node} was so already{undo}")


_reason = click.option("--reason", default="", metavar="TEXT", help="Why, for the record.")


@node_group.command("cordon", examples="forebay node cordon r01-n02 --reason suspect")
@click.argument("node")
@_reason
def _cordon(node: str, reason: str) -> None:
    """No new work on a node; what runs there stays."""
    _act("cordon", node, reason, "takes no new work")


@node_group.command("drain", examples="forebay node drain r01-n02 --reason maintenance")
@click.argument("node")
@_reason
def _drain(node: str, reason: str) -> None:
    """No new work on a node, and what runs there is moved away."""
    _act("drain", node, reason, "is being emptied: its work moves to other nodes")


@node_group.command("uncordon", examples="forebay node uncordon r01-n02")
@click.argument("node")
@_reason
def _uncordon(node: str, reason: str) -> None:
    """The node may have work again."""
    _act("uncordon", node, reason, "takes work again")


@node_group.command("fail", examples='forebay node fail r01-n02 --reason "fell off the network"')
@click.argument("node")
@_reason
def _fail(node: str, reason: str) -> None:
    """Report that a node has failed: its gangs start again elsewhere."""
    _act("fail", node, reason, "is recorded as failed")


@node_group.command("restore", examples="forebay node restore r01-n02")
@click.argument("node")
@_reason
def _restore(node: str, reason: str) -> None:
    """Report that a node is well again."""
    _act("restore", node, reason, "is recorded as healthy")


@node_group.command("quarantine", examples='forebay node quarantine r01-n02 --reason "fails again and again"')
@click.argument("node")
@_reason
def _quarantine(node: str, reason: str) -> None:
    """Take a node out until it is released; its work moves away."""
    _act("quarantine", node, reason, "is quarantined: it is out until it is released")


@node_group.command("release", examples='forebay node release r01-n02 --reason "board replaced"')
@click.argument("node")
@_reason
def _release(node: str, reason: str) -> None:
    """Quarantine a node no more; its failures are forgotten."""
    _act("release", node, reason, "is quarantined no more")


@node_group.command("degrade", examples="forebay node degrade r01-n02 --reason ecc")
@click.argument("node")
@_reason
def _degrade(node: str, reason: str) -> None:
    """Report that a node is degraded: what runs there goes on, nothing new is started."""
    _act("degrade", node, reason, "is degraded: it takes no new work")


@node_group.command("mend", examples="forebay node mend r01-n02")
@click.argument("node")
@_reason
def _mend(node: str, reason: str) -> None:
    """Report that a node is degraded no more."""
    _act("mend", node, reason, "is degraded no more")


node_group.add_command(failing.check_command)
node_group.add_command(failing.wiped_command)
node_group.add_command(failing.ticket_command)


@command.command("drain", examples="forebay drain r01-n02 --reason maintenance")
@click.argument("node")
@_reason
def drain_command(node: str, reason: str) -> None:
    """Move the work off a node (the same as `node drain`)."""
    _act("drain", node, reason, "is being emptied: its work moves to other nodes")
