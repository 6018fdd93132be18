"""What documents ask of the World, and the way back from a refusal to its line."""

from pathlib import Path
from typing import Any

import pytest

from forebay.core import claims, ids, money, supply
from forebay.core.placements import gang
from forebay.feeds import commands, reading, tree
from tests.feeds.test_reading import GANG

NOW = 1_800_000_000_000_000
DAY = 86_400_000_000

SITE = """\
forebay: 1
kind: Site
id: lpp
jurisdiction: FI
feeds:
  - {id: utility, limit: 1.2 MW}
  - {id: a, parent: utility, limit: 600 kW, base: 10 kW}
halls:
  - id: h1
    racks:
      - {id: x1, sku: s, feed: a}
      - id: r[08-11]
        sku: s
        feed: a
"""
CONTRACT = """\
forebay: 1
kind: Contract
id: c1
seller: us
tenant: acme
currency: USD
tranches:
  - {id: t1, site: lpp, sku: s, count: 2, start: now, term: 30d, price_per_gpu_hour: 2.85}
  - id: t2
    site: lpp
    sku: s
    unit: node
    count: 1
    start: 2027-03-01T00:00:00Z
    end: 2027-04-01T00:00:00+02:00
    price_per_gpu_hour: "1.000001"
    lending: {reclaim_deadline: 5m, owner_share: 40 %}
"""


def wanted(text: str, **how: Any) -> commands.Wanted:
    (document,) = reading.documents(text, "d.yaml")
    return commands.command_of(document, commands.Setting(NOW, **how))


def mistake(text: str, **how: Any) -> tree.Problem:
    with pytest.raises(tree.DocumentError) as error:
        wanted(text, **how)
    return error.value.problems[0]


def test_a_site() -> None:
    command = wanted(SITE).command
    assert isinstance(command, supply.ApplySite)
    assert [feed.limit_w for feed in command.plan.feeds] == [1_200_000, 600_000]
    assert [rack.id for rack in command.plan.halls[0].racks] == ["x1", "r08", "r09", "r10", "r11"]


@pytest.mark.parametrize("rack", ["r[3-1]", "r[1-99999]", "r[a-b]", "r 1", "[1-2]..x"])
def test_racks_that_cannot_be_named(rack: str) -> None:
    problem = mistake(SITE.replace("r[08-11]", f"'{rack}'"))
    assert (problem.path, problem.line) == ("halls[0].racks[1].id", 12)


#: document, field of a refusal, path and line in the document
BACK = [
    (SITE, "feeds[1].limit_w", "feeds[1].limit", 7),
    (SITE, "halls[0].racks[0].sku", "halls[0].racks[0].sku", 11),
    (SITE, "halls[0].racks[3].sku", "halls[0].racks[1].sku", 13),
    (SITE, "halls[0].racks[4].limit_w", "halls[0].racks[1].limit", 12),
    (SITE, "", "", 2),
    (CONTRACT, "tranches[1].count", "tranches[1].count", 13),
    (CONTRACT, "tranches[1].price", "tranches[1].price_per_gpu_hour", 16),
    (CONTRACT, "tranches[1].end", "tranches[1].end", 15),
    (GANG, "walltime_s", "walltime", 8),
    (GANG, "restarts_max", "restarts", 1),
]


@pytest.mark.parametrize(("text", "where", "path", "line"), BACK)
def test_a_refusal_is_told_at_its_line(text: str, where: str, path: str, line: int) -> None:
    problem = wanted(text).problem(ids.Refusal("no", "no", where), "no")
    assert problem.path == path
    assert problem.line == max(line, 1) if path else problem.line == 1


def test_a_contract_signed_now_stays_signed_then() -> None:
    first = wanted(CONTRACT).command
    assert isinstance(first, claims.SignContract)
    one, two = first.plan.tranches
    assert (one.start_at, one.end_at) == (NOW, NOW + 30 * DAY)
    assert two.start_at == 1803859200000000
    assert two.end_at == 1806530400000000
    assert (one.price_micros_per_gpu_hour, two.price_micros_per_gpu_hour) == (2_850_000, 1_000_001)
    assert two.lending == claims.Lending(300, 400_000)
    (document,) = reading.documents(CONTRACT)
    later = commands.Setting(NOW + DAY, {"t1": one.start_at, "t2": two.start_at})
    assert commands.command_of(document, later).command == first


#: what is replaced in the contract, by what, path of the problem, words
CONTRACT_MISTAKES = [
    ("start: now, term: 30d", "start: now", "tranches[0]", "one of 'end'"),
    (
        "start: now, term: 30d",
        "start: now, term: 30d, end: 2027-01-01T00:00:00Z",
        "tranches[0]",
        "one of 'end'",
    ),
    ("start: now, term: 30d", "start: now, end: now", "tranches[0].end", "for a start only"),
    ("start: now, term: 30d", "start: 2027-01-01, term: 30d", "tranches[0].start", "has no zone"),
]


@pytest.mark.parametrize(("old", "new", "path", "words"), CONTRACT_MISTAKES)
def test_terms_that_cannot_be(old: str, new: str, path: str, words: str) -> None:
    problem = mistake(CONTRACT.replace(old, new))
    assert (problem.path, problem.line) == (path, 8)
    assert words in problem.detail


def test_dates_are_meant_in_the_documents_zone() -> None:
    text = CONTRACT.replace("currency: USD", "currency: USD\nzone: Europe/Helsinki").replace(
        "start: now", "start: 2027-01-01"
    )
    command = wanted(text).command
    assert isinstance(command, claims.SignContract)
    assert command.plan.tranches[0].start_at == 1798754400000000


def test_prices_and_policies() -> None:
    prices = wanted(
        "forebay: 1\nkind: PriceList\nversion: 3\ncurrency: USD\n"
        "prices: [{tier: spot, sku: s, price_per_gpu_hour: 1.5}]"
    ).command
    assert prices == money.ApplyPriceList(
        money.PriceList(3, "USD", 0, (money.Price(gang.Tier.SPOT, ids.SkuId("s"), 1_500_000),))
    )
    policy = wanted("forebay: 1\nkind: Policy\nversion: 2\novertake: 15m").command
    assert policy == gang.ApplyPolicy(gang.Policy(2, 900, 5, 600, 0, 600, 10))


def program_of(text: str, **how: Any) -> gang.Program:
    command = wanted(text, **how).command
    assert isinstance(command, gang.SubmitGang)
    assert command.spec.program is not None
    return command.spec.program


def test_programs(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    plain = program_of(GANG, folder=tmp_path)
    assert plain.argv == ("python", "train.py", "100", "0.5", "true")
    assert plain.folder == str(tmp_path.resolve())
    placed = GANG.replace("[python,", "['{python}', '{python}',") + "  folder: code\n"
    assert program_of(placed, folder=tmp_path, python="/opt/py").argv[:2] == ("/opt/py", "{python}")
    assert program_of(placed, folder=tmp_path).folder == str((tmp_path / "code").resolve())
    script = GANG.replace("[python, train.py, 100, 0.5, true]", "'echo $RANK'\n  shell: true")
    assert program_of(script).argv == ("/bin/sh", "-c", "echo $RANK")
    assert program_of(GANG, work_folder=lambda name: f"/w/{name}").folder == "/w/acme.train"


#: folder that is named, words of the refusal
OUTSIDE = [
    ("..", "leads out"), ("code/../..", "leads out"), ("/etc", "absolute"), ("out", "leads out"),
    ("none", "no folder"), ("file", "not a folder"), ("loop", "no folder"), ("code/../../{base}x", "no folder"),
]  # fmt: skip


@pytest.mark.parametrize(("named", "words"), OUTSIDE)
def test_folders_that_lead_out(named: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "out").symlink_to("/")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    problem = mistake(GANG + f"  folder: '{named}'\n", folder=tmp_path)
    assert (problem.path, problem.line) == ("program.folder", 13)
    assert words in problem.detail


#: what is replaced in the gang, by what, path, words
GANG_MISTAKES = [
    ("[python, train.py, 100, 0.5, true]", "python train.py", "program.argv", "a list is meant"),
    ("[python, train.py, 100, 0.5, true]", "[]", "program.argv", "a command is missing"),
    ("memory: 2 GiB", "shell: true", "program.shell", "goes with one text"),
    ("EPOCHS: 3", "'A=B': 3", "program.env.A=B", "environment variable"),
    ("memory: 2 GiB", "folder: code", "program.folder", "no folder may be named"),
    ("tenant: acme\n", "", "tenant", "whose gang"),
    ("name: train", f"name: {'x' * 79}", "name", "its id would be"),
]


@pytest.mark.parametrize(("old", "new", "path", "words"), GANG_MISTAKES)
def test_gangs_that_cannot_be(old: str, new: str, path: str, words: str) -> None:
    problem = mistake(GANG.replace(old, new))
    assert problem.path == path
    assert words in problem.detail


def test_a_tenant_need_not_say_who_it_is() -> None:
    assert wanted(GANG.replace("tenant: acme\n", ""), tenant="birch").about == "birch.train"


def test_what_changed_is_told_by_the_answer() -> None:
    assert commands.answer_changed("Site", {"added": 2})
    assert not commands.answer_changed("Site", {"added": 0})
    assert not commands.answer_changed("Contract", {"signed": False})
    assert not commands.answer_changed("Policy", {"changed": False})
    assert commands.answer_changed("Gang", {"gang": "x"})
