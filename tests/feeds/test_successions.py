"""Arrays as they are written, and gangs in the order in which they can be taken in."""

from __future__ import annotations

import pytest

from forebay.core.placements import gang
from forebay.feeds import commands, reading, successions, tree

GANG = "{{forebay: 1, kind: Gang, name: {}, tier: spot, sku: hgx, gpus: 8, walltime: 1h{}}}"


def wanted(*gangs: tuple[str, str]) -> list[commands.Wanted]:
    text = "\n---\n".join(GANG.format(name, more) for name, more in gangs)
    setting = commands.Setting(0, tenant="acme")
    return [commands.command_of(document, setting) for document in reading.documents(text, "gangs.yaml")]


@pytest.mark.parametrize(
    ("text", "indices", "at_most"),
    [("0-3", (0, 1, 2, 3), 0), ("7", (7,), 0), ("1,3, 5-6%2", (1, 3, 5, 6), 2)],
)
def test_arrays(text: str, indices: tuple[int, ...], at_most: int) -> None:
    command = wanted(("a", f", array: '{text}'"))[0].command
    assert isinstance(command, gang.SubmitArray)
    assert (command.spec.id, command.indices, command.at_most) == ("acme.a", indices, at_most)


@pytest.mark.parametrize("text", ["0-", "a", "1-3%", "1-3%0", "3-1", "-4", "0-10000", "1;2"])
def test_what_is_no_array(text: str) -> None:
    with pytest.raises(tree.DocumentError) as caught:
        wanted(("a", f", array: '{text}'"))
    problem = caught.value.problems[0]
    assert (problem.code, problem.line) == ("bad_array", 1)


def test_after_names_gangs_of_the_same_tenant() -> None:
    command = wanted(("b", ", after: [{gang: a}, {gang: acme.c, when: ended}]"))[0].command
    assert isinstance(command, gang.SubmitGang)
    assert [(each.gang, each.when) for each in command.spec.after] == [
        ("acme.a", "completed"),
        ("acme.c", "ended"),
    ]


def test_who_comes_after_others_is_put_behind_them() -> None:
    made = wanted(
        ("d", ", after: [{gang: b}, {gang: c}]"),
        ("b", ", after: [{gang: a}]"),
        ("c", ", array: 0-3, after: [{gang: a}, {gang: elsewhere}]"),
        ("a", ""),
    )
    assert [each.about for each in successions.in_succession(made, made)] == [
        "acme.a",
        "acme.b",
        "acme.c",
        "acme.d",
    ]
    assert successions.in_succession(made[3:], ["a"]) == ["a"]


def test_a_circle_is_named() -> None:
    made = wanted(
        ("x", ", after: [{gang: a}]"), ("a", ", after: [{gang: b}]"),
        ("b", ", after: [{gang: c}]"), ("c", ", after: [{gang: a}]"),
    )  # fmt: skip
    with pytest.raises(tree.DocumentError) as caught:
        successions.in_succession(made, made)
    problem = caught.value.problems[0]
    assert problem.code == "dependency_cycle"
    assert problem.detail == (
        "gangs wait for each other in a circle: acme.a after acme.b after acme.c after acme.a"
    )
    assert problem.line == 3


def test_kinds_of_rack_and_deadlines() -> None:
    text = "{forebay: 1, kind: Gang, name: a, tier: spot, gpus: 72, walltime: 1h, zone: UTC, start_by: 2026-12-01,"
    text += (
        " skus: [{sku: gb300}, {sku: h200, gpus: 64}], finish_by: '2026-12-02T00:00:00+02:00', within: block}"
    )
    (document,) = reading.documents(text, "gang.yaml")
    command = commands.command_of(document, commands.Setting(0, tenant="acme")).command
    assert isinstance(command, gang.SubmitGang)
    spec = command.spec
    assert (spec.sku, spec.gpus, spec.within) == ("gb300", 72, "block")
    assert [(each.sku, each.gpus) for each in spec.skus] == [("gb300", 72), ("h200", 64)]
    assert spec.finish_by - spec.start_by == 22 * 3600 * 10**6


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (", gpus: 8", "sku: 'sku' is missing"),
        (", gpus: 8, sku: a, skus: [{sku: b}]", "one of both is to be left out"),
        (", skus: [{sku: b}]", "'gpus' is missing"),
        (", sku: a", "gpus: 'gpus' is missing"),
    ],
)
def test_what_kind_of_rack_is_meant(more: str, told: str) -> None:
    text = f"{{forebay: 1, kind: Gang, name: a, tier: spot, walltime: 1h{more}}}"
    (document,) = reading.documents(text, "gang.yaml")
    with pytest.raises(tree.DocumentError) as caught:
        commands.command_of(document, commands.Setting(0, tenant="acme"))
    assert told in caught.value.problems[0].sentence()
