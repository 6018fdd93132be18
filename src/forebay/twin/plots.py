"""How does an amount over time look? As a picture in SVG, made of text, that needs nothing beside the page it is in.

Colours are named (`var(--line)`): the page says what they are, by day and by night.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 960, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 10, 30
_HOUR, _DAY = 3600, 86_400
#: Distances between marks on the axis of time, seconds.
_STEPS = (
    60, 300, 900, _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 5 * _DAY, 10 * _DAY, 30 * _DAY,
    90 * _DAY, 365 * _DAY,
)  # fmt: skip


def figure(
    title: str,
    unit: str,
    slice_s: int,
    amounts: Sequence[float],
    most: float = 0,
    most_told: str = "",
    note: str = "",
) -> str:
    """A figure of one amount, slice by slice, with a dashed line at `most` where that is not 0."""
    top = nice(max([most, *amounts], default=0) or 1)
    span_s = max(1, len(amounts)) * slice_s
    wide, high = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM

    def x(at_s: float) -> float:
        return _LEFT + wide * at_s / span_s

    def y(amount: float) -> float:
        return _TOP + high * (1 - amount / top)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">']
    for tick in range(5):
        amount = top * tick / 4
        place = f"{y(amount):.1f}"
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{place}" y2="{place}"/>')
        parts.append(
            f'<text class="tick" x="{_LEFT - 8}" y="{place}" dy="4" text-anchor="end">{number_told(amount)}</text>'
        )
    step_s = next((step for step in _STEPS if span_s / step <= 9), span_s)
    for mark in range(int(span_s // step_s) + 1):
        mark_at = f"{x(mark * step_s):.1f}"
        anchor = "start" if mark == 0 else "middle"
        parts.append(
            f'<text class="tick" x="{mark_at}" y="{HEIGHT - 8}" text-anchor="{anchor}">{_after(mark * step_s)}</text>'
        )
    path = "".join(
        f"{'L' if place else 'M'}{x(place * slice_s):.1f},{y(amount):.1f}H{x((place + 1) * slice_s):.1f}"
        for place, amount in enumerate(amounts)
    )
    if path:
        parts.append(f'<path class="area" d="{path}V{y(0):.1f}H{x(0):.1f}Z"/><path class="line" d="{path}"/>')
    if most:
        place = f"{y(most):.1f}"
        parts.append(f'<line class="most" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{place}" y2="{place}"/>')
        below = f"{y(most) + 13:.1f}"
        parts.append(
            f'<text class="tick" x="{WIDTH - _RIGHT}" y="{below}" text-anchor="end">{escape(most_told)}</text>'
        )
    for number, amount in enumerate(amounts):
        # What a reader points at is told in words.
        parts.append(
            f'<rect class="hit" x="{x(number * slice_s):.1f}" y="{_TOP}" width="{wide / len(amounts):.2f}"'
            f' height="{high}"><title>{_after(number * slice_s)}: {number_told(amount)} {escape(unit)}</title></rect>'
        )
    parts.append("</svg>")
    under = f"<p>{escape(note)}</p>" if note else ""
    caption = f"<figcaption>{escape(title)} <span>{escape(unit)}</span></figcaption>"
    return f"<figure>{caption}{''.join(parts)}{under}</figure>"


def nice(amount: float) -> float:
    """The next round number whose quarters are round."""
    scale = 1.0
    while scale * 10 <= amount:
        scale *= 10
    while scale > amount:
        scale /= 10
    return next(
        step * scale
        for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10, 12)
        if step * scale >= amount * 0.9999
    )


def number_told(amount: float) -> str:
    """A number on an axis."""
    if amount >= 10 or amount == int(amount):
        return f"{amount:,.0f}"
    return f"{amount:.3g}"


def _after(seconds: int) -> str:
    """Time since the start: days, or hours and minutes."""
    if not seconds:
        return "start"
    days, rest = divmod(seconds, _DAY)
    hours, minutes = divmod(rest // 60, 60)
    if days and not rest:
        return f"day {days}"
    clock = f"{hours:02d}:{minutes:02d}"
    return f"day {days}, {clock}" if days else clock
