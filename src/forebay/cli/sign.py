"""`forebay sign`: contracts of files, if they can be kept."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import apply, client, command, contracts, offer, overdrafts, paper, risks, session
from forebay.cli.failure import Failed

EXAMPLES = """
    forebay sign contract.yaml --dry-run           whether it fits, and whom it would make short
    forebay sign contract.yaml --hold acme-offer   what is held for this customer is used up
    forebay sign contract.yaml --policy 3          as it was quoted, under promise policy 3
    forebay sign contract.yaml --override "board decision 12: the grid is sure"
"""


@command.command("sign", examples=EXAMPLES)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--hold", default="", metavar="NAME", help="The hold that the contract uses up.")
@click.option(
    "--override",
    default="",
    metavar="REASON",
    help="Sign although more is promised than there will be; the reason is recorded.",
)
@click.option("--policy", type=click.IntRange(min=1), metavar="VERSION",
              help="Only under this version of the promise policy: the one of the quote.")  # fmt: skip
@click.option("-n", "--dry-run", is_flag=True, help="Decide on a copy; record nothing.")
def sign_command(files: tuple[str, ...], hold: str, override: str, policy: int | None, dry_run: bool) -> None:
    """Sign contracts of files, if they can be kept.

    A contract that promises more than there will be, at the confidence of the promise policy, is refused, with what
    would fit and from when on. What is signed already, word for word, changes nothing.
    """
    said = session.current()
    found = client.connect(said)
    more = {"hold": hold, "override": override, "policy": policy or 0, "dry_run": dry_run}
    body = post_contracts(found, "/v1/contracts", files, more)
    if said.json:
        said.emit("sign", body)
    else:
        click.echo(signing_text(body, said.colors()))


def post_contracts(
    found: client.Client, path: str, files: tuple[str, ...], more: dict[str, Any]
) -> dict[str, Any]:
    """Post the contracts of files; a refusal says where and from when on they would fit. Raises `Failed`."""
    documents = [document for file in files for document in apply.read(file)]
    try:
        body: dict[str, Any] = found.post(path, {"documents": apply.sendable(found, documents)} | more)
    except Failed as failure:
        if "offers" in failure.body:
            failure.hint = _instead(failure.body["offers"])
        raise
    return body


def _instead(offers: list[dict[str, Any]]) -> str:
    """Where the whole tranche would fit, or that it does nowhere."""
    if not offers:
        return "It fits nowhere, at P50 or P90; `forebay capacity` tells what is left."
    lines = []
    sure = [each for each in offers if each["signable"]]
    for each in sure or offers:
        signable = "" if each["signable"] else ", which is not sure enough to be signed"
        much = paper.extent(each["nodes"], each["gpus"], each["nodes_per_rack"])
        lines.append(
            f"{much} would fit at {each['site']} from {paper.day(each['start'])} on, at "
            f"{each['confidence'].upper()}{signable}"
        )
        lines += [f"    {offer.obstacle_text(obstacle)}" for obstacle in each["obstacles"]]
    lines.append("--override REASON signs it all the same, on the record.")
    return "\n  ".join(lines)


def signing_text(body: dict[str, Any], color: bool) -> str:
    """What was signed, and whom it makes short."""
    told = []
    for each in body["applied"]:
        done = "would be signed" if body["dry_run"] else "signed"
        told.append(
            f"Contract {each['id']}: {done if each['changed'] else 'signed already, nothing changes'}"
        )
        if each["changed"]:
            told += contracts.coverage_text(each["coverage"])
    if body["risks"]:
        told += [
            "",
            risks.changes_text(body["risks"], color, body["dry_run"]),
            "",
            risks.totals_text(body["totals"]),
        ]
    elif any(each["changed"] for each in body["applied"]):
        told.append(risks.changes_text([], color))
    if body["overdrawn"]:
        told += ["", overdrafts.overdraft_changes_text(body["overdrawn"], color, body["dry_run"])]
    return "\n".join(told)
