"""How is a replay shown to people who want to see it? As one page with pictures, which needs no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from forebay.twin import plots

TENANTS_SHOWN = 40
_STYLE = """
:root{--ink:#1b1f24;--soft:#5b6570;--paper:#fff;--card:#f5f7f9;--rule:#dde2e7;--line:#0b6e99;--area:#0b6e9926;--most:#b4531a}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#9aa5b0;--paper:#14181c;--card:#1d2329;--rule:#313a43;
--line:#5ab4dc;--area:#5ab4dc33;--most:#e39a63}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1120px;margin:0 auto;padding:32px 24px 64px}h1{font-size:26px;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:18px;margin:36px 0 10px}.sub{color:var(--soft);margin:0 0 20px;overflow-wrap:anywhere}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(210px,1fr));gap:12px}
.card{background:var(--card);border-radius:8px;padding:12px 14px}.card b{display:block;font-size:20px;font-weight:600}
.card span{color:var(--soft);font-size:13px}figure{margin:18px 0 0}figcaption{font-weight:600}
figcaption span,figure p{color:var(--soft);font-weight:400;font-size:13px}figure p{margin:2px 0 0}
svg{width:100%;height:auto;display:block}.grid{stroke:var(--rule)}.tick{fill:var(--soft);font-size:12px}
.area{fill:var(--area)}.line{fill:none;stroke:var(--line);stroke-width:1.5}
.most{stroke:var(--most);stroke-dasharray:5 4}
.hit{fill:transparent}.hit:hover{fill:var(--area)}.wide{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:0 0 14px}table.full{width:100%}
table.full td,table.full th{padding:5px 6px}
th,td{padding:5px 10px;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
th{color:var(--soft);font-weight:500;font-size:13px}th:first-child,td:first-child{text-align:left;padding-left:0}
th.words{text-align:left}td.words{text-align:left;white-space:normal;overflow-wrap:anywhere}footer{margin-top:40px;color:var(--soft);font-size:13px;overflow-wrap:anywhere}
"""
_COLUMNS = ("mean", "p50", "p90", "p99", "max")


def html(report: dict[str, Any]) -> str:
    """The page of a report, as `ReplayReport.as_json` gives it."""
    body = [
        f"<h1>Replay of {escape(report['trace'] or 'a trace')}</h1>",
        f'<p class="sub">{escape(report["plant"])}, policy {escape(report["policy"])}</p>',
        _cards(report),
        *_pictures(report),
        *_waits(report),
        *_failures(report),
        *_outcomes(report),
        *_money(report),
        _footer(report),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Replay of {escape(report['trace'])}</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _cards(report: dict[str, Any]) -> str:
    waits, reliability = report["wait_s"], report["reliability"]
    cards = [
        (f"{report['jobs'] - report['refused']:,}", f"jobs of {report['jobs']:,}"),
        (_span(waits.get("mean", 0)), f"mean wait; p90 {_span(waits.get('p90', 0))}"),
        (f"{report['slowdown_milli'].get('p50', 0) / 1000:,.2f}", "median bounded slowdown"),
        (
            _percent(report["utilisation_ppm_while_jobs_arrive"]),
            f"of {report['gpus']:,} GPUs in use, while jobs came",
        ),
        (
            f"{report['energy_kwh'] / 1000:,.0f} MWh",
            f"energy; {report['energy_kwh_work'] / 1000:,.0f} for work",
        ),
        (
            f"{_amount(report['invoiced_total'].split('.')[0])} {report['currency']}",
            f"invoiced to {len(report['invoiced'])}",
        ),
    ]
    if reliability and reliability["seed"] is not None:
        cards += [
            (_percent(reliability["ettr_ppm"], 2), "effective training time ratio"),
            (_hours(reliability["lost_gpu_hours"]), f"GPU-hours lost; {reliability['restarts']:,} restarts"),
        ]
    return (
        '<div class="cards">'
        + "".join(
            f'<div class="card"><b>{escape(value)}</b><span>{escape(label)}</span></div>'
            for value, label in cards
        )
        + "</div>"
    )


def _pictures(report: dict[str, Any]) -> Iterable[str]:
    series = report["series"]
    if not series or not series["watts"]:
        return
    yield "<h2>Over time</h2>"
    slice_s, gpus = series["slice_s"], report["gpus"]
    each = f"means over {_span(slice_s)}"
    yield plots.figure("GPUs in use", each, slice_s, series["gpus_held"], gpus, f"{gpus:,} GPUs")
    if any(series["gpus_down"]):
        yield plots.figure("GPUs out of order", each, slice_s, series["gpus_down"])
    limit_mw = report["limit_w"] / 1e6
    megawatts = [watts / 1e6 for watts in series["watts"]]
    shown = limit_mw if limit_mw <= 3 * max(megawatts) else 0
    over = (
        "" if shown else f"The limit at the root of the electrical tree is {plots.number_told(limit_mw)} MW."
    )
    yield plots.figure(
        "Power", f"MW, {each}", slice_s, megawatts, shown, f"limit {plots.number_told(limit_mw)} MW", over
    )
    yield plots.figure("Jobs that wait", each, slice_s, series["jobs_waiting"])
    yield plots.figure(
        "Fragmentation", "% of free GPUs, at the start of each slice", slice_s,
        [share / 10_000 for share in series["fragmentation_ppm"]], 0, "",
        "The share of free GPUs that stand on partly used nodes, where no gang of whole nodes could use them.",
    )  # fmt: skip


def _waits(report: dict[str, Any]) -> Iterable[str]:
    if not report["wait_s_by_gpus"]:
        return
    yield "<h2>By size</h2>"
    yield _both(report, "gpus", "GPUs", list(report["wait_s_by_gpus"]))
    tenants = sorted(
        report["wait_s_by_tenant"], key=lambda each: (-report["wait_s_by_tenant"][each]["count"], each)
    )
    yield "<h2>By tenant</h2>"
    yield _both(report, "tenant", "tenant", tenants[:TENANTS_SHOWN])
    if len(tenants) > TENANTS_SHOWN:
        yield f"<p>{len(tenants) - TENANTS_SHOWN} more are in the JSON report.</p>"


def _both(report: dict[str, Any], by: str, word: str, names: Sequence[str]) -> str:
    rows = []
    for name in names:
        waits = report[f"wait_s_by_{by}"][name]
        slow = report[f"slowdown_milli_by_{by}"].get(name, {})
        rows.append(
            [
                name, f"{waits['count']:,}", *(_span(waits[column]) for column in _COLUMNS),
                *(f"{slow[column] / 1000:,.2f}" if slow else "" for column in ("mean", "p50", "p99")),
            ]
        )  # fmt: skip
    heads = (word, "jobs", *(f"wait {column}" for column in _COLUMNS), "slowdown mean", "p50", "p99")
    return _table(heads, rows)


def _failures(report: dict[str, Any]) -> Iterable[str]:
    reliability = report["reliability"]
    if reliability and reliability["failures"]:
        yield f"<h2>Failures, seed {reliability['seed']}</h2>"
        rows = [
            [each["kind"], f"{each['failures']:,}", f"{each['node_hours_out']:,}", each["rate"]]
            for each in reliability["failures"]
        ]
        yield _table(("what failed", "times", "node-hours out", "rate"), rows, words=(3,))
        told = [
            ("goodput: work that came to its end, of all GPU-time", _percent(reliability["goodput_ppm"])),
            ("of all GPU-time held", _percent(reliability["productive_ppm_of_held"], 2)),
            ("ETTR: of the time from first placement to the end", _percent(reliability["ettr_ppm"], 2)),
            (
                f"ETTR of the {reliability['jobs_stopped']:,} jobs that were stopped",
                _percent(reliability["ettr_ppm_of_stopped"], 2),
            ),
            ("restarts", f"{reliability['restarts']:,}"),
        ]  # fmt: skip
        yield _table(("what it cost", ""), [list(pair) for pair in told])
    if report["stops"]:
        yield "<h2>Stopped, and queued again</h2>"
        rows = [
            [each["reason"], f"{each['stops']:,}", _hours(each["lost_gpu_hours"])] for each in report["stops"]
        ]
        yield _table(("why", "times", "GPU-hours lost"), rows)


def _outcomes(report: dict[str, Any]) -> Iterable[str]:
    if report["ends"]:
        yield "<h2>How jobs ended</h2>"
        yield _table(("end", "jobs"), [[each["reason"], f"{each['jobs']:,}"] for each in report["ends"]])
    if report["refusals"]:
        yield "<h2>Not taken in</h2>"
        rows = [[each["reason"], f"{each['jobs']:,}", each["example"]] for each in report["refusals"]]
        yield _table(("reason", "jobs", "the first was told"), rows, words=(2,))
    if report["broken_rows"]:
        yield f"<h2>Broken rows: {report['broken_rows']:,}</h2>"
        rows = [
            [f"{name} {each[name]}", each["detail"]]
            for each in report["broken"]
            for name in ("line", "row")
            if name in each
        ]
        yield _table(("where", "why"), rows, words=(1,))


def _money(report: dict[str, Any]) -> Iterable[str]:
    if report["invoiced"]:
        yield "<h2>Money</h2>"
        ordered = sorted(report["invoiced"].items(), key=lambda pair: (-float(pair[1]), pair[0]))
        rows = [
            [tenant, f"{_amount(amount)} {report['currency']}"] for tenant, amount in ordered[:TENANTS_SHOWN]
        ]
        yield _table(("tenant", "invoiced"), rows)


def _footer(report: dict[str, Any]) -> str:
    digest = f", digest {report['digest']}" if report["digest"] else ""
    return (
        f"<footer><p>{report['events']:,} records{escape(digest)}. The same trace, plant and seed give the same."
        "</p><p>A wait is from submission to the first placement. The bounded slowdown of a job is its time from"
        " submission to its end over what it ran, which counts as 10 s at least. Percentiles are nearest-rank, to one"
        " part in 2,000.</p></footer>"
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], words: Sequence[int] = ()) -> str:
    def cell(place: int, text: str) -> str:
        kind = ' class="words"' if place in words else ""
        return f"<td{kind}>{escape(text)}</td>"

    head = "".join(
        f'<th class="{"words" if place in words else ""}">{escape(text)}</th>'
        for place, text in enumerate(heads)
    )
    body = "".join(f"<tr>{''.join(cell(place, text) for place, text in enumerate(row))}</tr>" for row in rows)
    full = ' class="full"' if len(heads) > 4 else ""
    return f'<div class="wide"><table{full}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _span(seconds: int) -> str:
    """A duration in its two largest units."""
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s" if seconds and minutes < 10 else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def _percent(ppm: int, digits: int = 1) -> str:
    return f"{ppm / 10_000:.{digits}f} %"


def _hours(text: str) -> str:
    return f"{float(text):,.1f}"


def _amount(text: str) -> str:
    whole, dot, cents = text.partition(".")
    return f"{int(whole):,}{dot}{cents}"
