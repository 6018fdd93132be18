"""A tenant divides what it may use: the tree of its projects, and the queue with its order, to the letter."""

from __future__ import annotations

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk, golden

#: Prices and a contract on demand; the racks that stand.
OPEN = """\
forebay: 1
kind: PriceList
version: 1
currency: USD
prices: [{tier: on_demand, sku: duo, price_per_gpu_hour: 4.20}]
---
forebay: 1
kind: Contract
id: dune-1
seller: us
tenant: acme
currency: USD
on_demand: true
---
forebay: 1
kind: Policy
version: 1
half_life: 7d
weigh: 1h
age: 30m
"""
PROJECTS = """\
forebay: 1
kind: Projects
tenant: acme
version: 1
priorities:
  - {name: urgent, preempts: true}
  - {name: normal, behind: 4h}
projects:
  - id: research
    shares: 3
    gpus: 48
    gang_gpus: 40
    walltime: 7d
    users: [{id: u-17, shares: 2}, {id: u-18}]
    budget: {gpu_hours: 20000, every: 30d, begins: 2026-11-01T00:00:00Z}
  - {id: research.vision, parent: research, gpus_per_user: 40}
  - {id: support, tiers: [on_demand], priorities: [normal]}
"""


def test_projects_and_the_queue(desk: Desk) -> None:
    assert desk("projects").err == "nobody divides what it may use: no document of projects is in force\n"
    assert desk("queue").err == "nobody waits\n"
    for name, text in (("open", OPEN), ("projects", PROJECTS)):
        told = desk("apply", desk.file(f"{name}.yaml", text))
        assert told.status == 0, told.err
    asked = (
        ("one", "40", "research.vision", "u-17", "normal"), ("two", "16", "research", "u-18", "urgent"),
        ("three", "48", "support", "", ""), ("four", "8", "research", "u-18", ""),
    )  # fmt: skip
    for name, gpus, project, user, priority in asked:
        options = ["--name", name, "--gpus", gpus, "--project", project]
        options += ["--user", user] if user else []
        options += ["--priority", priority] if priority else []
        told = desk(
            "submit", "--tenant", "acme", "--tier", "on_demand", "--sku", "duo", *options, "--", "true"
        )
        assert told.status == 0, told.err
    projects, queue = desk("projects", "acme").out, desk("queue").out
    golden("projects", f"{projects}\n{queue}")
    assert desk("projects", by="acme").out == projects
    assert desk("queue", by="acme").out == queue
    assert desk("queue", by="birch").err == "nobody waits\n"
    assert desk("projects", "acme", by="birch").status == 1
    for name, arguments in (
        ("projects.list", ("projects",)), ("projects.show", ("projects", "acme")), ("queue", ("queue",)),
    ):  # fmt: skip
        validate(desk(*arguments, "--json").json, outputs.OUTPUTS[name])


def test_what_is_over_a_limit_is_told_with_its_number(desk: Desk) -> None:
    for name, text in (("open", OPEN), ("projects", PROJECTS)):
        assert desk("apply", desk.file(f"{name}.yaml", text)).status == 0
    common = ["submit", "--tenant", "acme", "--tier", "on_demand", "--sku", "duo", "--project"]
    told = desk(*common, "research", "--user", "u-17", "--gpus", "41", "--", "true")
    assert told.status == 3
    assert "--gpus: 41 GPUs are asked for; a gang of project research may hold 40" in told.err
    told = desk(*common, "support", "--gpus", "4", "--priority", "urgent", "--", "true")
    assert told.status == 1
    assert "project support has no priority urgent" in told.err
