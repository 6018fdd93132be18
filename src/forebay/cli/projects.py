"""`forebay projects`: how a tenant divides what it may use, and who has had how much."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session

EXAMPLES = """
    forebay projects                       every tenant's; a tenant's own
    forebay projects acme
    forebay projects acme --json
"""


@command.command("projects", examples=EXAMPLES)
@click.argument("tenant", default="", metavar="[TENANT]")
def projects_command(tenant: str) -> None:
    """How a tenant divides what it may use: a tree of projects with shares, caps, budgets and use.

    STEP is from 0, for who has had nothing, to 16, for twice its share and more: a gang counts as submitted so many
    times the policy's `age` later. `forebay apply` puts a document of projects in force.
    """
    said = session.current()
    found = client.connect(said)
    if tenant:
        items = [found.get(f"/v1/projects/{client.escaped(tenant)}")]
    else:
        items = found.pages("/v1/projects")
    if said.json:
        if tenant:
            said.emit("projects.show", items[0])
        else:
            said.emit("projects.list", {"items": items})
        return
    if not items:
        said.say("nobody divides what it may use: no document of projects is in force")
    click.echo("\n\n".join(_told(each, said.colors()) for each in items), nl=bool(items))


def _told(body: dict[str, Any], color: bool) -> str:
    classes = [
        f"{each['name']} ({paper.span(each['behind_s'])} behind{', preempts' if each['preempts'] else ''})"
        for each in body["priorities"]
    ]
    share = "none: the policy names no half-life"
    if body["fair_share"]:
        share = f"half of what was used is forgotten in {paper.span(body['half_life_s'])}"
        share += f"; a step is {paper.span(body['age_s'])}"
        share += f"; weighed at {paper.moment(body['weighed_at'])}" if body["weighed_at"] else ""
    pairs: list[tuple[str, object]] = [
        ("tenant", f"{body['tenant']}, version {body['version']}"),
        ("fair share", share),
    ]
    if classes:
        pairs.append(("priorities", f"{', '.join(classes)}; {body['priority']} where none is named"))
    headers = (
        "PROJECT",
        "SHARES",
        "USED",
        "OF SHARE",
        "STEP",
        "GPUS",
        "CAP",
        "RUN",
        "WAIT",
        "BUDGET",
        "LIMITS",
    )
    rows = [row for project in body["projects"] for row in _rows(project)]
    return f"{paper.facts(pairs)}\n\n{paper.table(headers, rows, right=' rrrrrrrr', color=color)}"


def _rows(project: dict[str, Any]) -> list[list[object]]:
    indent = "  " * project["depth"]
    rows = [
        [
            f"{indent}{project['id']}",
            *_share(project),
            project["running"],
            project["waiting"],
            _budget(project),
            _limits(project),
        ]
    ]
    rows += [[f"{indent}  @{user['id']}", *_share(user), "", "", "", ""] for user in project["users"]]
    return rows


def _share(each: dict[str, Any]) -> list[object]:
    used = paper.gpu_hours([each["used_gpu_hours"]])[0]
    of_share = f"{each['of_share_ppm'] // 10_000} %"
    return [each["shares"], used, of_share, each["step"], each["gpus"], each["gpus_max"] or "-"]


def _budget(project: dict[str, Any]) -> str:
    budget = project["budget"]
    if budget is None:
        return "-"
    used, most = paper.gpu_hours([budget["used_gpu_hours"], budget["gpu_hours"]])
    spent = ", spent" if budget["spent"] else ""
    return f"{used.strip()} of {most.strip()} h until {paper.moment(budget['ends_at'])}{spent}"


def _limits(project: dict[str, Any]) -> str:
    told = []
    if project["gang_gpus_max"]:
        told.append(f"{project['gang_gpus_max']} GPUs a gang")
    if project["user_gpus_max"]:
        told.append(f"{project['user_gpus_max']} a user")
    if project["walltime_s_max"]:
        told.append(f"{paper.span(project['walltime_s_max'])} a gang")
    told += [", ".join(each) for each in (project["tiers"], project["priorities"]) if each]
    return "; ".join(told) or "-"
