"""How is a thing printed for people? Tables, units, times, money; colours where they are wanted."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Iterable, Sequence

import click

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
    "failed": "red",
    "fail": "red",
}


def width() -> int:
    """Columns to print in."""
    return min(shutil.get_terminal_size((100, 24)).columns, 140)


def table(
    headers: Sequence[str], rows: Iterable[Sequence[object]], *, right: str = "", color: bool = False
) -> str:
    """Columns under headers, two spaces apart. `right` has an "r" in the place of each column of numbers."""
    body = [[str(cell) for cell in row] for row in rows]
    widths = [max([len(header), *(len(row[place]) for row in body)]) for place, header in enumerate(headers)]
    sides = right.ljust(len(headers))

    def line(cells: Sequence[str], head: bool) -> str:
        padded = [
            cell.rjust(size) if side == "r" else cell.ljust(size)
            for cell, size, side in zip(cells, widths, sides, strict=True)
        ]
        if color and head:
            return "  ".join(click.style(cell, bold=True) for cell in padded)
        if color:
            padded = [
                click.style(cell, fg=COLORS[plain]) if (plain := cell.strip()) in COLORS else cell
                for cell in padded
            ]
        return "  ".join(padded).rstrip()

    return "\n".join([line(headers, True), *(line(row, False) for row in body)])


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


def gpu_hours(gpu_us: int) -> str:
    """GPU-microseconds as GPU-hours: `0.0213 GPU-h`, `1,240 GPU-h`."""
    return f"{_short(gpu_us / 3.6e9)} GPU-h"


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
    """A length of time: `8 s`, `2 min 5 s`, `3 h 20 min`, `4 d 2 h`."""
    left = max(0, round(seconds))
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def moment(at: int | str | None, *, seconds: bool = True) -> str:
    """An instant (microseconds, or RFC 3339) in local time with its zone; "" for none."""
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
    local = when.astimezone()
    return local.strftime("%Y-%m-%d %H:%M:%S %Z" if seconds else "%Y-%m-%d %H:%M %Z")


def clock(at: int) -> str:
    """An instant as local time of day, `09:15:03`; the zone is stated by whoever heads the column."""
    return datetime.datetime.fromtimestamp(at // 1_000_000, tz=datetime.UTC).astimezone().strftime("%H:%M:%S")


def zone() -> str:
    """The name of the local zone."""
    return datetime.datetime.now(tz=datetime.UTC).astimezone().strftime("%Z")


def amount(amount_minor: int, currency: str, digits: int = 2) -> str:
    """Minor units as an amount: `1,234.50 USD`."""
    sign, left = ("-", -amount_minor) if amount_minor < 0 else ("", amount_minor)
    whole, rest = divmod(left, 10**digits)
    return f"{sign}{whole:,}{f'.{rest:0{digits}d}' if digits else ''} {currency}"


def count(number: int, noun: str) -> str:
    """`1 gang`, `2 gangs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def charge(given: dict[str, str] | None) -> str:
    """An amount as the server gives it: `12.50 USD`; "" for none."""
    return f"{given['amount']} {given['currency']}" if given else ""


def time_of_day(at: str | None) -> str:
    """An instant (RFC 3339) as local time of day; "" for none."""
    return datetime.datetime.fromisoformat(at).astimezone().strftime("%H:%M:%S") if at else ""


def wrapped(text: str, room: int = 8) -> list[str]:
    """A sentence in lines that fit beside `room` columns; all but the first are indented more than it."""
    import textwrap

    indent = len(text) - len(text.lstrip()) + 2
    return textwrap.wrap(text, width() - room, subsequent_indent=" " * indent) or [""]
