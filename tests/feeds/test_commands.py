"""What documents ask of the World, and the way back from a refusal to its line."""

from pathlib import Path
from typing import Any

import pytest

from forebay.core import claims, ids, money, supply
from forebay.core.claims.terms import SpareScope
from forebay.core.placements import gang
from forebay.core.placements.failing import Failing
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


HANDED = """\
forebay: 1
kind: Contract
id: c1
seller: us
tenant: acme
currency: USD
tranches:
  - id: t1
    site: s
    sku: x
    count: 1
    start: now
    term: 9d
    price_per_gpu_hour: 2
    late: {longstop: 9d}
    acceptance:
      tests: [{name: burn_in_hours, at_least: 72}, {name: storage_ms, at_most: 1.5}]
      deemed: 10d
      billing_from: ready
      billing_after: 36h
    relief: [{kind: change_order, notice: 5d, cap: 20d}]
rights: [{id: out, kind: termination, tranche: t1, first_ends_rest: true}]
relief: [{kind: force_majeure, notice: 10d, cap: 90d}]
"""


def test_how_it_is_handed_over() -> None:
    command = wanted(HANDED).command
    assert isinstance(command, claims.SignContract)
    (tranche,) = command.plan.tranches
    tests = (
        claims.AcceptanceTest("burn_in_hours", 72_000_000),
        claims.AcceptanceTest("storage_ms", 1_500_000, claims.Direction.AT_MOST),
    )
    assert tranche.acceptance == claims.AcceptanceTerms(
        tests, 10 * 86_400, claims.BillingFrom.READY, 36 * 3600
    )
    assert tranche.relief == (claims.ReliefTerms(claims.ReliefKind.CHANGE_ORDER, 5 * 86_400, 20 * 86_400),)
    assert command.plan.relief == (
        claims.ReliefTerms(claims.ReliefKind.FORCE_MAJEURE, 10 * 86_400, 90 * 86_400),
    )
    assert command.plan.rights[0].first_ends_rest


@pytest.mark.parametrize("test", ["{name: a}", "{name: a, at_least: 1, at_most: 2}"])
def test_a_test_has_one_threshold(test: str) -> None:
    problem = mistake(HANDED.replace("{name: storage_ms, at_most: 1.5}", test))
    assert (problem.path, problem.line) == ("tranches[0].acceptance.tests[1]", 17)
    assert "one of 'at_least' and 'at_most'" in problem.detail


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
    policy = wanted("forebay: 1\nkind: Policy\nversion: 2\norder: easy_depth\ndepth: 7").command
    assert policy == gang.ApplyPolicy(gang.Policy(2, order=gang.Order.EASY_DEPTH, depth=7))
    text = (
        "failing: {checks: [burn-in], lemon_failures: 3, lemon_window: 7d, hold: 10m, spare: row, stuck: 1h,"
        " engine_silent: 2m, engine_fence: 10m}"
    )
    policy = wanted(f"forebay: 1\nkind: Policy\nversion: 2\n{text}").command
    assert policy == gang.ApplyPolicy(
        gang.Policy(2, failing=Failing(("burn-in",), 3, 604_800, 600, SpareScope.ROW, 3600, False, 120, 600))
    )


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("depth: 0", "depth: '0' is not a whole number from 1 to 1000000"),
        ("order: esay", "order: 'esay' is not one of these; did you mean 'easy'?"),
        ("backoff: -5s", "backoff: '-5s' is not a duration"),
    ],
)
def test_impossible_policies(line: str, told: str) -> None:
    with pytest.raises(tree.DocumentError) as error:
        wanted(f"forebay: 1\nkind: Policy\nversion: 2\n{line}")
    assert told in str(error.value)


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


BUSINESS_DAYS = """\
forebay: 1
kind: BusinessCalendar
id: helsinki
zone: Europe/Helsinki
closes: 17:00
holidays: [2026-12-25, 2026-12-24]
until: 2030-12-31
"""
BY_DAYS = (
    CONTRACT
    + """\
rights:
  - {id: first, kind: refusal, site: lpp, notice: {business_days: 5, calendar: helsinki}}
  - {id: any, kind: refusal, site: lpp, notice: {calendar_days: 10, calendar: helsinki}}
  - {id: hour, kind: refusal, site: lpp, notice: 1h}
"""
)


def test_a_calendar_of_business_days_comes_with_the_offsets_of_its_zone() -> None:
    command = wanted(BUSINESS_DAYS).command
    assert isinstance(command, claims.workdays.ApplyBusinessCalendar)
    calendar = command.calendar
    assert (calendar.id, calendar.version, calendar.closes_s) == ("helsinki", 1, 17 * 3600)
    assert calendar.weekend == (claims.workdays.Weekday.SATURDAY, claims.workdays.Weekday.SUNDAY)
    assert [each - calendar.holidays[0] for each in calendar.holidays] == [0, 1]
    assert {each.ahead_s for each in calendar.offsets} == {7200, 10_800}
    one_day = wanted(BUSINESS_DAYS + "weekend: [friday]\n").command
    assert isinstance(one_day, claims.workdays.ApplyBusinessCalendar)
    assert one_day.calendar.weekend == (claims.workdays.Weekday.FRIDAY,)


def test_notices_in_days_of_a_calendar() -> None:
    command = wanted(BY_DAYS).command
    assert isinstance(command, claims.SignContract)
    helsinki = ids.CalendarId("helsinki")
    assert [(right.notice_s, right.notice) for right in command.plan.rights] == [
        (0, claims.workdays.DayNotice(5, helsinki)),
        (0, claims.workdays.DayNotice(10, helsinki, business=False)),
        (3600, None),
    ]


@pytest.mark.parametrize(
    ("text", "wrong", "told"),
    [
        (
            BUSINESS_DAYS.replace("17:00", "25:00"),
            "5:9",
            "closes: '25:00' is not a time of day, such as '17:00'",
        ),
        (
            BUSINESS_DAYS.replace("17:00", "5 pm"),
            "5:9",
            "closes: '5 pm' is not a time of day, such as '17:00'",
        ),
        (BUSINESS_DAYS.replace("2030-12-31", "1999-12-31"), "7:8", "a year from 2000 to 2199 is meant"),
        (BUSINESS_DAYS.replace("2030-12-31", "soon"), "7:8", "'soon' is not a date, such as '2026-12-24'"),
        (BUSINESS_DAYS.replace("2026-12-25", "2026-13-25"), "6:12", "'2026-13-25' is not a date"),
        (
            BY_DAYS.replace("business_days: 5, ", ""),
            "19:",
            "one of 'business_days' and 'calendar_days' is meant",
        ),
        (BY_DAYS.replace("calendar_days: 10", "business_days: 1, calendar_days: 1"), "20:", "one of"),
        (
            BY_DAYS.replace("calendar_days: 10, calendar: helsinki", "calendar_days: 1"),
            "20:",
            "'calendar' is missing",
        ),
    ],
)
def test_mistakes_about_days(text: str, wrong: str, told: str) -> None:
    with pytest.raises(tree.DocumentError) as error:
        wanted(text)
    assert told in str(error.value)
    assert f":{wrong}" in str(error.value)


STEP = "price_steps: [{at: 2027-06-01, price_per_UNIT_hour: 2}]"
CHIPS = """\
forebay: 1
kind: Contract
id: c
seller: us
tenant: acme
currency: USD
zone: UTC
tranches:
  - {id: t1, site: s, sku: duo, count: 1, start: 2027-01-01, end: 2028-01-01, PRICES}
"""


@pytest.mark.parametrize(
    ("prices", "told"),
    [
        ("count: 1", "'count' stands here twice"),
        ("unit: rack", "tranches[0]: one of 'price_per_gpu_hour' and 'price_per_superchip_hour' is meant"),
        ("price_per_gpu_hour: 2, price_per_superchip_hour: 4", "tranches[0]: one of 'price_per_gpu_hour'"),
        ("price_per_superchip_hour: 4", "tranches[0]: 'gpus_per_superchip' is missing"),
        ("price_per_gpu_hour: 2, gpus_per_superchip: 2", "this goes with 'price_per_superchip_hour'"),
        (
            "price_per_superchip_hour: 4.000001, gpus_per_superchip: 2",
            "4.000001 for 2 GPUs is no whole number of millionths each: 4.00 or 4.000002 is",
        ),
        (
            "price_per_superchip_hour: 4, gpus_per_superchip: 2, " + STEP.replace("UNIT", "gpu"),
            "tranches[0].price_steps[0]: the prices of one tranche are for one unit: an hour of a superchip",
        ),
        (
            "price_per_gpu_hour: 4, " + STEP.replace("UNIT", "superchip"),
            "tranches[0].price_steps[0]: the prices of one tranche are for one unit: an hour of a GPU",
        ),
    ],
)  # fmt: skip
def test_prices_of_one_unit(prices: str, told: str) -> None:
    with pytest.raises(tree.DocumentError) as error:
        wanted(CHIPS.replace("PRICES", prices))
    assert told in str(error.value)


def test_a_price_for_a_superchip_is_one_for_its_gpus() -> None:
    steps = "price_steps: [{at: 2027-06-01, price_per_superchip_hour: 3.90}]"
    text = CHIPS.replace("PRICES", f"price_per_superchip_hour: 4.20, gpus_per_superchip: 2, {steps}")
    command: Any = wanted(text).command
    (plan,) = command.plan.tranches
    assert (plan.price_micros_per_gpu_hour, plan.superchip_gpus) == (2_100_000, 2)
    assert [step.price_micros_per_gpu_hour for step in plan.price_steps] == [1_950_000]


#: A contract with every date, amount and quantity that it may have; each line is made wrong in turn.
ALL = """\
forebay: 1
kind: Contract
id: c
seller: us
tenant: acme
currency: USD
zone: UTC
version: 2
effective: 2027-02-01
tranches:
  - id: t1
    site: s
    sku: duo
    count: 2
    start: 2027-01-01
    term: 365d
    price_per_gpu_hour: 2.10
    price_steps:
      - at: 2027-06-01
        price_per_gpu_hour: 1.95
    take_or_pay: 80 %
    index:
      id: power
      base: 100
      share: 30 %
      cap_per_gpu_hour: 2.40
      floor_per_gpu_hour: 1.80
    deliveries:
      - at: 2027-03-01
        count: 2
    late:
      grace: 10d
      damages_per_gpu_day: 5
      cap: 1000
rights:
  - id: r1
    kind: call
    opens: 2027-01-02
    expires: 2027-05-01
    measured: 2027-04-01
    racks: 2
    notice: 30d
caps:
  - id: cap
    amount: 1000
clauses:
  - title: Audit
    coverage: watched
    date: 2027-09-01
"""
DATES = [line.split(": ")[0].strip(" -") for line in ALL.splitlines() if ": 2027-" in line]
BAD = [
    *((": 2.10", text, "price_per_gpu_hour") for text in ("2.1000001", "-2", "1e3", "10000000000")),
    (": 1.95", "1.9500001", "price_steps[0].price_per_gpu_hour"),
    (": 2.40", "2.4000001", "index.cap_per_gpu_hour"), (": 1.80", "-1", "index.floor_per_gpu_hour"),
    (": 100\n", "0\n", "index.base"), (": 100\n", "0.0000001\n", "index.base"),
    (": 30 %", "130 %", "index.share"), (": 30 %", "0.3", "index.share"), (": 80 %", "-80 %", "take_or_pay"),
    (": 5\n", "5.0000001\n", "late.damages_per_gpu_day"), (": 10d", "-10d", "late.grace"),
    *((": 2\n    start", f"{text}\n    start", "count") for text in ("-2", "0", "2.5", "10000001")),
    (": 365d", "99999999999d", "term"), (": 365d", "70000d", "term"),
]  # fmt: skip


def test_the_contract_that_is_made_wrong_is_right() -> None:
    command: Any = wanted(ALL).command
    assert min(command.plan.effective_at, command.plan.clauses[0].watch_at) > 0
    assert len(DATES) == 8


@pytest.mark.parametrize("place", range(8))
def test_a_date_without_a_zone_is_told_at_its_line(place: int) -> None:
    lines = ALL.replace("zone: UTC\n", "").splitlines()
    dated = [number for number, line in enumerate(lines) if ": 2027-" in line]
    for number in dated:
        if number != dated[place]:
            lines[number] += "T00:00:00Z"
    problem = mistake("\n".join(lines))
    assert (problem.file, problem.line) == ("d.yaml", dated[place] + 1)
    assert problem.path.endswith(DATES[place])
    assert "has no zone: write an offset" in problem.detail


@pytest.mark.parametrize(("written", "instead", "field"), BAD)
def test_a_quantity_that_cannot_be_is_told_at_its_line(written: str, instead: str, field: str) -> None:
    problem = mistake(ALL.replace(written, f": {instead}", 1))
    line = ALL[: ALL.index(written)].count("\n") + 1
    assert (problem.file, problem.line, problem.path) == ("d.yaml", line, f"tranches[0].{field}")
    assert "is meant" in problem.detail or "is not" in problem.detail or "at most" in problem.detail


def test_a_cap_is_an_amount_of_whole_micro_units() -> None:
    problem = mistake(ALL.replace("amount: 1000", "amount: 1000.0000001"))
    assert (problem.path, "more digits than a micro-unit" in problem.detail) == ("caps[0].amount", True)
