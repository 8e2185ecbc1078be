"""A small drawing for a dashboard's card: always the same for the same name, drawn from no data."""

from __future__ import annotations

import random
from itertools import pairwise

from markupsafe import Markup

_WIDTH, _HEIGHT = 320, 180


def thumbnail(name: str) -> Markup:
    """An SVG of one of four kinds of chart, in the colours of the page."""
    # Decoration, so any generator will do; seeded with a text it is the same in every process.
    chance = random.Random(name)
    draw = chance.choice((_line, _bars, _dots, _area))
    return Markup(
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="xMidYMid slice" '
        f'aria-hidden="true">{draw(chance)}</svg>'
    )


def _colours(chance: random.Random) -> tuple[str, str]:
    first, second = chance.sample(range(1, 7), 2)
    return f"var(--data-{first})", f"var(--data-{second})"


def _walk(chance: random.Random, points: int) -> list[tuple[int, int]]:
    step = _WIDTH / (points - 1)
    height = chance.uniform(70, 120)
    found = []
    for number in range(points):
        found.append((round(number * step), round(height)))
        height = min(145, max(35, height + chance.uniform(-38, 38)))
    return found


def _curve(points: list[tuple[int, int]]) -> str:
    path = f"M{points[0][0]} {points[0][1]}"
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (x0 + x1) // 2
        path += f"C{middle} {y0} {middle} {y1} {x1} {y1}"
    return path


def _line(chance: random.Random) -> str:
    one, two = _colours(chance)
    points = _walk(chance, 9)
    marked = "".join(
        f'<circle cx="{x}" cy="{y}" r="5"/>' for x, y in chance.sample(points[1:-1], 2)
    )
    return (
        f'<path d="{_curve(points)}" fill="none" stroke="{one}" stroke-width="3"/>'
        f'<g fill="{two}">{marked}</g>'
    )


def _area(chance: random.Random) -> str:
    one, two = _colours(chance)
    back, front = _walk(chance, 7), [(x, min(165, y + 35)) for x, y in _walk(chance, 7)]
    close = f"V{_HEIGHT}H0Z"
    return (
        f'<path d="{_curve(back)}{close}" fill="{one}" fill-opacity=".35"/>'
        f'<path d="{_curve(front)}{close}" fill="{two}" fill-opacity=".55"/>'
    )


def _bars(chance: random.Random) -> str:
    one, _ = _colours(chance)
    bars = ""
    for number in range(6):
        height = round(chance.uniform(30, 125))
        bars += f'<rect x="{38 + number * 42}" y="{160 - height}" width="30" height="{height}"/>'
    return f'<g fill="{one}" fill-opacity=".8">{bars}</g>'


def _dots(chance: random.Random) -> str:
    one, two = _colours(chance)
    dots = ""
    for number in range(14):
        x, y, r = (round(chance.uniform(*ends)) for ends in ((24, 296), (24, 156), (4, 18)))
        dots += f'<circle cx="{x}" cy="{y}" r="{r}" fill="{two if number % 4 == 0 else one}"/>'
    return f'<g fill-opacity=".5">{dots}</g>'
