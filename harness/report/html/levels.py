"""Draw the chart of a diagnosis: the SNR of every tensor in the order of execution, as SVG text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from harness.text import clean

WIDTH, HEIGHT = 1120, 300
LEFT, RIGHT, TOP, BOTTOM = 54, 16, 14, 40
BROKEN_DB, MOST_DB, LEAST_DB = 10.0, 60.0, -20.0
_TICKS = (-20, 0, 10, 20, 40, 60)


def chart(layers: Mapping[str, Any]) -> str:
    """Draw the tensors that differ; those that are equal in both models lie at the upper edge."""
    found = layers["layers"]
    points = [(_x(k, len(found)), _y(layer["snr_db"])) for k, layer in enumerate(found)]
    marks = "".join(
        _mark(layer, at, layer["name"] == layers["first_break"])
        for layer, at in zip(found, points, strict=True)
    )
    trace = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    name = escape(_words(layers))
    return (
        f'<svg class="levels" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{name}">{_axes()}<polyline class="trace" points="{trace}"></polyline>{marks}</svg>'
    )


def _words(layers: Mapping[str, Any]) -> str:
    known = [layer["snr_db"] for layer in layers["layers"] if layer["snr_db"] is not None]
    low = f", the lowest {min(known):.1f} dB" if known else ""
    return f"Signal-to-noise ratio of {len(layers['layers'])} tensors from the input to the outputs{low}"


def _x(place: int, n: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (place + 0.5) / max(n, 1)


def _y(value: float | None) -> float:
    level = MOST_DB if value is None else min(max(value, LEAST_DB), MOST_DB)
    return TOP + (HEIGHT - TOP - BOTTOM) * (MOST_DB - level) / (MOST_DB - LEAST_DB)


def _axes() -> str:
    parts = []
    for tick in _TICKS:
        y = _y(float(tick))
        kind = "limit" if tick == BROKEN_DB else "grid"
        parts.append(
            f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"></line>'
        )
        parts.append(f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick}</text>')
    low = HEIGHT - BOTTOM
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{low}" y2="{low}"></line>')
    parts.append(f'<text class="axis-title" x="{LEFT}" y="{HEIGHT - 14}">input</text>')
    parts.append(
        f'<text class="axis-title" x="{WIDTH - RIGHT}" y="{HEIGHT - 14}" text-anchor="end">outputs</text>'
    )
    middle = (LEFT + WIDTH) / 2
    title = (
        "SNR in dB of each tensor, in the order of execution; the dashed line is where it counts as broken"
    )
    parts.append(
        f'<text class="axis-title" x="{middle:.0f}" y="{HEIGHT - 14}" text-anchor="middle">{title}</text>'
    )
    return "".join(parts)


def _mark(layer: Mapping[str, Any], at: Sequence[float], first: bool) -> str:
    broken = layer["snr_db"] is not None and layer["snr_db"] < BROKEN_DB
    kind = "first" if first else "broken" if broken else "whole"
    level = "equal on both sides" if layer["snr_db"] is None else f"{layer['snr_db']:.1f} dB"
    title = escape(clean(f"{layer['name']} ({layer['operator']}): {level}"))
    radius = 6 if first else 4 if broken else 3
    return f'<circle class="{kind}" cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{radius}"><title>{title}</title></circle>'
