"""The columns with figures of the result table, each with the text of its cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from harness import units
from harness.report.lines import Line

REFERENCE = "ref"


class Field(NamedTuple):
    """A column with figures.

    `show` gives the text of each line, `MISSING` where it is unknown; a column that is unknown everywhere is left out.
    `weight` says which are left out first when the terminal is too narrow (the lightest; 0: only where there is room).
    """

    title: str
    weight: int
    show: Callable[[Sequence[Line]], list[str]]
    style: str = ""


def _of(column: str, form: Callable[[Any], str]) -> Callable[[Sequence[Line]], list[str]]:
    return lambda lines: [form(line.row[column]) for line in lines]


def _each(form: Callable[[Line], str]) -> Callable[[Sequence[Line]], list[str]]:
    return lambda lines: list(map(form, lines))


def _interval(line: Line) -> str:
    return units.interval(line.row["latency_median_low_ms"], line.row["latency_median_high_ms"])


def _map_interval(line: Line) -> str:
    low, high = line.row["map_low"], line.row["map_high"]
    return units.MISSING if None in (low, high) else f"{units.metric(low)}–{units.metric(high)}"


def _half_width(line: Line) -> str:
    low, middle, high = (line.row[f"latency_median{part}_ms"] for part in ("_low", "", "_high"))
    if None in (low, high) or not middle:
        return units.MISSING
    return f"±{100 * max(high - middle, middle - low) / middle:.1f}%"


def _map_change(line: Line) -> str:
    return REFERENCE if line.change.is_reference else units.signed_metric(line.change.map_difference)


def _speed_change(line: Line) -> str:
    ratio = line.change.speed_ratio
    if line.change.is_reference:
        return REFERENCE
    return units.MISSING if ratio is None else f"{units.rate(ratio)}×"


INTERVAL = Field("95 % int.\nms", 6, _each(_interval), "dim")
HALF_WIDTH = Field("95 %\nint.", 6, _each(_half_width), "dim")
"""The interval's longer side in percent of the median, which takes fewer columns than its bounds."""

FIELDS = (
    Field("size\n", 5, _of("size_bytes", units.size)),
    Field("median\nms", 9, _of("latency_median_ms", units.milliseconds)),
    INTERVAL,
    Field("p90\nms", 4, _of("latency_p90_ms", units.milliseconds)),
    Field("FPS\n1/s", 3, _of("fps", units.rate)),
    Field("peak\nMiB", 2, _of("peak_memory_mb", units.megabytes)),
    Field("mAP\n0…1", 9, _of("map", units.metric)),
    Field("mAP\n95 % int.", 0, _each(_map_interval), "dim"),
    Field("AP50\n0…1", 1, _of("ap50", units.metric)),
    Field("Δ mAP\nvs f32", 7, _each(_map_change)),
    Field("speed\nvs f32", 0, _each(_speed_change)),
)
