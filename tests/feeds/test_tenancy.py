"""What a policy document says of limits of time, estimates and how tenants share."""

from __future__ import annotations

import pytest

from forebay.core.placements.among import AmongTenants, TenantShare
from forebay.core.placements.estimates import Estimates
from forebay.core.placements.gang import ApplyPolicy, Policy
from forebay.feeds import commands, reading, tree

HEAD = "forebay: 1\nkind: Policy\nversion: 2\n"


def policy(text: str) -> Policy:
    (document,) = reading.documents(HEAD + text, "p.yaml")
    command = commands.command_of(document, commands.Setting(0)).command
    assert isinstance(command, ApplyPolicy)
    return command.policy


def test_what_is_left_out_is_off() -> None:
    assert policy("") == Policy(2)
    assert policy("among_tenants: {}") == Policy(2)


def test_all_of_it() -> None:
    said = policy(
        "estimates: learned\nwalltime_default: 4h\nwalltime_max: 7d\nestimates_wait: 2d\n"
        "among_tenants: {half_life: 7d, weigh: 30m, age: 2h, shares: {birch: 2, acme: 3}}\n"
    )
    assert said.estimates is Estimates.LEARNED
    assert (said.walltime_s_default, said.walltime_s_max, said.estimates_wait_s) == (14_400, 604_800, 172_800)
    shares = tuple(TenantShare(name, each) for name, each in (("acme", 3), ("birch", 2)))  # type: ignore[arg-type]
    assert said.among == AmongTenants(604_800, 1800, 7200, shares)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("estimates: guessed", "estimates"),
        ("walltime_max: -1h", "walltime_max"),
        ("walltime_default: soon", "walltime_default"),
        ("among_tenants: {half_life: 7d, shares: {acme: 0}}", "among_tenants.shares.acme"),
        ("among_tenants: {half_life: 7d, shares: {acme: -2}}", "among_tenants.shares.acme"),
        ("among_tenants: {half_life: 7d, shares: {acme: 1.5}}", "among_tenants.shares.acme"),
        ("among_tenants: {weights: {acme: 2}}", "among_tenants.weights"),
    ],
)
def test_what_cannot_be_meant_is_told_at_its_place(text: str, path: str) -> None:
    with pytest.raises(tree.DocumentError) as error:
        policy(text)
    assert [each.path for each in error.value.problems] == [path]
