"""How is a thing printed for people? Tables, units, times, money; colours where they are wanted."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import click

from forebay.core import units

#: Colours of phases and states.
COLORS = {
    "running": "green",
    "live": "green",
    "ok": "green",
    "healthy": "green",
    "placed": "cyan",
    "pending": "yellow",
    "stopping": "yellow",
    "cordoned": "yellow",
    "draining": "yellow",
    "warn": "yellow",
    "provisional": "yellow",
    "short": "red",
    "overdrawn": "red",
    "failed": "red",
    "fail": "red",
}


def width() -> int:
    """Columns to print in."""
    return min(shutil.get_terminal_size((100, 24)).columns, 140)


def table(
    headers: Sequence[str], rows: Iterable[Sequence[object]], *, right: str = "", color: bool = False
) -> str:
    """Columns under headers, two spaces apart. `right` has an "r" in the place of each column of numbers, and an "R"
    where a negative one is bad news.
    """
    body = [[str(cell) for cell in row] for row in rows]
    widths = [max([len(header), *(len(row[place]) for row in body)]) for place, header in enumerate(headers)]
    sides = right.ljust(len(headers))

    def line(cells: Sequence[str], head: bool) -> str:
        padded = [
            cell.rjust(size) if side in "rR" else cell.ljust(size)
            for cell, size, side in zip(cells, widths, sides, strict=True)
        ]
        if color and head:
            return "  ".join(click.style(cell, bold=True) for cell in padded)
        if color:
            padded = [_painted(cell, side) for cell, side in zip(padded, sides, strict=True)]
        return "  ".join(padded).rstrip()

    return "\n".join([line(headers, True), *(line(row, False) for row in body)])


def _painted(cell: str, side: str) -> str:
    plain = cell.strip()
    if side == "R" and plain.startswith("-"):
        return click.style(cell, fg="red", bold=True)
    return click.style(cell, fg=COLORS[plain]) if plain in COLORS else cell


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Names and values, one pair a line."""
    rows = [(name, str(value)) for name, value in pairs]
    size = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name:<{size}}  {value}".rstrip() for name, value in rows)


def power(power_w: int) -> str:
    """`132 kW`, `1.2 MW`."""
    for unit, size in (("GW", 10**9), ("MW", 10**6), ("kW", 10**3)):
        if abs(power_w) >= size:
            return f"{_short(power_w / size)} {unit}"
    return f"{power_w} W"


def _short(value: float) -> str:
    """Three digits that matter, or all before the point."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 1:
        return f"{value:.1f}".removesuffix(".0")
    return f"{value:.4f}".rstrip("0").removesuffix(".") or "0"


def span(seconds: float) -> str:
    """A length of time, as documents spell it: `8s`, `2m05s`, `3h20m`, `4d02h`; at most two units, rounded down."""
    left = max(0, round(seconds))
    for (unit, size), (below, part) in pairwise((("d", 86400), ("h", 3600), ("m", 60), ("s", 1))):
        if left >= size:
            whole, rest = divmod(left, size)
            return f"{whole}{unit}" + (f"{rest // part:02d}{below}" if rest >= part else "")
    return f"{left}s"


def moment(at: int | str | None) -> str:
    """An instant (microseconds, or RFC 3339) as RFC 3339 in UTC, to the second; "" for none."""
    if not at:
        return ""
    if isinstance(at, int):
        when = datetime.datetime.fromtimestamp(at // 1_000_000, tz=datetime.UTC)
    else:
        try:
            when = datetime.datetime.fromisoformat(at)
        except ValueError:
            return at
        if when.tzinfo is None:
            when = when.replace(tzinfo=datetime.UTC)
    return when.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def zone_lines(body: dict[str, Any]) -> list[str]:
    """In which zone dates were read that named none, if there were any, and not as they are shown."""
    zone = body.get("zone") or "UTC"
    return [] if zone == "UTC" else [f"the date that was said is meant in {zone}; times here are UTC"]


def day(at: int | str | None) -> str:
    """An instant as a date where it is midnight UTC, else as `moment`; "" for none."""
    return moment(at).removesuffix("T00:00:00Z")


def date(at: int | str | None) -> str:
    """The day of an instant in UTC, for what is good to the day; "" for none."""
    return moment(at)[:10]


def amount(amount_minor: int, currency: str) -> str:
    """Minor units as an amount: `1,234.50 USD`."""
    digits = units.MINOR_DIGITS.get(currency, 2)
    sign, left = ("-", -amount_minor) if amount_minor < 0 else ("", amount_minor)
    whole, rest = divmod(left, 10**digits)
    return f"{sign}{whole:,}{f'.{rest:0{digits}d}' if digits else ''} {currency}"


def count(number: int, noun: str) -> str:
    """`1 gang`, `2 gangs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def charge(given: dict[str, str] | None) -> str:
    """An amount as the server gives it, to the last digit: `12.50 USD`, `0.067219 USD`; "" for none."""
    return f"{given['amount']} {given['currency']}" if given else ""


def money(given: dict[str, str] | None) -> str:
    """An amount as the server gives it, to the currency's minor unit: `134,369,280.00 USD`; "" for none."""
    if given is None:
        return ""
    return f"{Decimal(given['amount']):,.{units.MINOR_DIGITS.get(given['currency'], 2)}f} {given['currency']}"


def share(ppm: int) -> str:
    """Parts per million as a share: `99.9 %`."""
    return f"{(Decimal(ppm) / 10_000).normalize():f} %"


def extent(nodes: int, gpus: int, nodes_per_rack: int) -> str:
    """How much: `34,560 GPUs (480 racks)`, or in nodes where racks are not whole."""
    racks, rest = divmod(nodes, nodes_per_rack)
    return f"{gpus:,} GPUs ({count(nodes, 'node') if rest else count(racks, 'rack')})"


def gpu_hours(texts: Iterable[str]) -> list[str]:
    """A column of GPU-hours (decimals, "" for none), all with two places; with six where one would be 0.00 else."""
    return _column([(text, 2) for text in texts])


def charges(given: Iterable[dict[str, str] | None]) -> list[str]:
    """A column of money as the server gives it, with the places of its currency; with six where one would vanish."""
    amounts = list(given)
    told = _column(
        [
            (each["amount"], units.MINOR_DIGITS.get(each["currency"], 2)) if each else ("", 2)
            for each in amounts
        ]
    )
    return [f"{text} {each['currency']}" if each else "" for text, each in zip(told, amounts, strict=True)]


def prices(texts: Iterable[str]) -> list[str]:
    """A column of prices (decimals, "" for none), to the last digit and all with as many places."""
    known = list(texts)
    places = max((len(text.partition(".")[2]) for text in known), default=0)
    return [f"{Decimal(text):.{places}f}" if text else "" for text in known]


def _column(cells: list[tuple[str, int]]) -> list[str]:
    """Decimals with so many places each, rounded half to even."""
    short = [f"{Decimal(text):.{places}f}" if text else "" for text, places in cells]
    if any(
        text and Decimal(text) and not Decimal(told) for (text, _), told in zip(cells, short, strict=True)
    ):
        return [f"{Decimal(text):.6f}" if text else "" for text, _ in cells]
    return short


def wrapped(text: str, room: int = 8) -> list[str]:
    """A sentence in lines that fit beside `room` columns; all but the first are indented more than it."""
    import textwrap

    indent = len(text) - len(text.lstrip()) + 2
    return textwrap.wrap(text, width() - room, subsequent_indent=" " * indent) or [""]
