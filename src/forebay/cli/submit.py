"""`forebay submit`: gangs from files, or a command as a gang."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import apply, client, command, session
from forebay.cli.failure import Failed, Status, place_of

EXAMPLES = """
    forebay submit gangs/train.yaml
    forebay submit --tenant acme --tranche acme-t1 --sku gb300-nvl72 --gpus 8 --name train -- python3 train.py
    forebay submit --tenant birch --tier spot --sku gb300-nvl72 --gpus 1 -- sleep 60
"""
#: What a gang is called that was not read from a file.
COMMAND_LINE = "command line"
#: Stands for no limit of time.
NO_LIMIT = "none"

LEVELS = ["node", "rack", "row", "block", "hall", "site"]


@command.command("submit", examples=EXAMPLES, context_settings={"ignore_unknown_options": False})
@click.argument("what", nargs=-1, required=True, metavar="FILE...|-- COMMAND...")
@click.option("--tenant", default="", metavar="NAME", help="Whose gang it is; a tenant's token says it.")
@click.option("--tier", type=click.Choice(["dedicated", "on_demand", "spot"]), help="By which claim it runs.")
@click.option("--tranche", default="", metavar="NAME", help="The tranche that it runs on (tier dedicated).")
@click.option("--sku", default="", metavar="NAME", help="Which kind of rack it needs.")
@click.option("--gpus", type=click.IntRange(min=1), help="How many GPUs; one rank is started for each.")
@click.option("--name", default="", metavar="NAME", help="Its name; its id is TENANT.NAME.")
@click.option("--walltime", default="1h", show_default=True, metavar="TIME|none",
              help="How long it may run; `none` where the policy allows that.")  # fmt: skip
@click.option(
    "--grace", default="30s", show_default=True, metavar="TIME", help="From the request to stop to the kill."
)
@click.option("--within", type=click.Choice(LEVELS), help="How near its GPUs must be.")
@click.option("--near", type=click.Choice(LEVELS), help="How near they are to be where they can.")
@click.option(
    "--slice-gpus", type=click.IntRange(min=1), metavar="NUMBER",
    help="Its GPUs come in slices of so many, each within one rack.",
)  # fmt: skip
@click.option(
    "--start-by", default="", metavar="TIME", help="It is withdrawn where it has not started by then."
)
@click.option(
    "--finish-by",
    default="",
    metavar="TIME",
    help="It is withdrawn where its walltime does not end by then any more.",
)
@click.option(
    "--after", multiple=True, metavar="GANG", help="A gang that has to complete first; several may be named."
)
@click.option(
    "--array", default="", metavar="NUMBERS", help="A gang for each number: 0-99, or 0-99%10 for ten at once."
)
@click.option("--project", default="", metavar="NAME", help="The project of its tenant that it counts to.")
@click.option("--user", default="", metavar="ID", help="Who asks, by an opaque id.")
@click.option("--priority", default="", metavar="NAME", help="Its class of priority.")
@click.option("-n", "--dry-run", is_flag=True, help="Check it, and say whether it would be taken in.")
def submit_command(what: tuple[str, ...], dry_run: bool, gpus: int | None, **fields: Any) -> None:
    """Submit gangs from files, or a command as a gang.

    A command is run as it is, without a shell, once for each GPU, in a folder of the gang's own.
    """
    said = session.current()
    if gpus is None:
        documents = [document for path in what for document in apply.read(path)]
    else:
        documents = [{"name": COMMAND_LINE, "text": _document(what, gpus, fields)}]
    found = client.connect(said)
    posted = {"documents": apply.sendable(found, documents), "dry_run": dry_run}
    try:
        answer = found.post("/v1/documents", posted)
    except Failed as failure:
        raise (failure if gpus is None else _by_option(failure)) from None
    gangs = [each for each in answer["applied"] if each["kind"] == "Gang"]
    if said.json:
        said.emit("submit", {"gangs": [each["id"] for each in gangs], "dry_run": dry_run})
        return
    for each in gangs:
        click.echo(each["id"])
    if gangs and not dry_run:
        said.say(f"taken in; `forebay explain {gangs[0]['id']}` tells where it is")


def _by_option(failure: Failed) -> Failed:
    """The same failure, told of the options that were given and not of places in a document that nobody wrote."""
    errors = []
    for error in failure.errors:
        field = str(error.get("pointer") or "").strip("/").split("/")[0]
        option = {"id": "--name", "program": "COMMAND", "": ""}.get(field, f"--{field.replace('_', '-')}")
        errors.append(
            {"option": option, "pointer": error.get("pointer", ""), "detail": error.get("detail", "")}
        )
    if not errors:
        return failure
    message = f"{place_of(errors[0])}{errors[0]['detail']}"
    return Failed(message, failure.status, code=failure.code, errors=errors)


def _document(argv: tuple[str, ...], gpus: int, fields: dict[str, Any]) -> str:
    """A gang document, as JSON, which is YAML too."""
    import json
    import os

    tier = fields["tier"] or ("dedicated" if fields["tranche"] else "")
    missing = [name for name, value in (("--sku", fields["sku"]), ("--tier or --tranche", tier)) if not value]
    if missing:
        raise Failed(f"a command as a gang needs {' and '.join(missing)} too", Status.USAGE, code="usage")
    body: dict[str, Any] = {"forebay": 1, "kind": "Gang", "tier": tier, "gpus": gpus}
    body |= {name: value for name, value in fields.items() if value and name not in ("tier", "after")}
    if body["walltime"] == NO_LIMIT:
        del body["walltime"]
    if fields["after"]:
        body["after"] = [{"gang": name} for name in fields["after"]]
    body["name"] = fields["name"] or f"{os.path.basename(argv[0]).strip('{}') or 'job'}-{os.urandom(3).hex()}"
    body["program"] = {"argv": list(argv)}
    return json.dumps(body)
