"""Pair rows with the figures that others published of the same model on the same device.

A published row comes along where its model was measured, and on its device, if it names one. Devices are called by many
names: a profile's own, what the device calls itself, and the profile's `aliases`. Accuracy does not depend on a device,
so figures without one are paired with every row of their model; latencies only where device and delegate are the same.
An accuracy is divided only where both are shown to be of the same images (`same_images`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from harness.delegates import CPU, CPU_REFERENCE, EDGETPU
from harness.profiles import list_profiles
from harness.rows.same_images import Evaluated, Key, why_other_images
from harness.vocabulary import FLOAT_WEIGHTS, MEASURED, Quantization
from harness.workspace import Workspace, bundled_workspace

Row = Mapping[str, Any]
Aliases = Mapping[str, Sequence[str]]
"""Other names of a kind of device, with `*`, by the name of its profile."""

NOTE = "published_note"
"""Says why a figure has no ratio."""
FIGURES = ("published_latency_ms", "latency_vs_published", "published_map", "map_vs_published")
COLUMNS = (*FIGURES, NOTE)
"""The published figure, and the measured one divided by it; a row has them only where rows are paired."""
_INTEGERS = frozenset({Quantization.FULL_INTEGER, Quantization.FULL_INTEGER_FLOAT_IO, Quantization.QAT_UINT8})
_INTEGER_WEIGHTS = frozenset({Quantization.DYNAMIC_RANGE, Quantization.WEIGHT_ONLY})
_NUMBERS = (FLOAT_WEIGHTS, _INTEGERS, _INTEGER_WEIGHTS)
"""What a file of some quantization holds: two of one name that hold other numbers are not one model."""
_ANY_PORT = (CPU, CPU_REFERENCE, EDGETPU)
"""Delegates of which publications say no threads and no port."""


@dataclass(frozen=True)
class Pair:
    """A published row, and one of your own that it belongs to.

    Attributes:
        published: The published row.
        own: The row that was measured; None where nothing fits its delegate.
        latency_ratio: Measured median divided by the published latency; None where either is unknown.
        map_ratio: Measured mAP divided by the published one; None where either is unknown, or of other images.
        note: Why there is no ratio where both figures are known.
    """

    published: Row
    own: Row | None = None
    latency_ratio: float | None = None
    map_ratio: float | None = None
    note: str = ""


def known_aliases(workspace: Workspace) -> dict[str, tuple[str, ...]]:
    """Return the aliases of the profiles that came with the program, and of the workspace's, which go before them."""
    places = (bundled_workspace(), workspace)
    return {profile.name: profile.data.aliases for place in places for profile in list_profiles(place)}


def make_pairs(
    rows: Sequence[Row],
    published: Iterable[Row],
    makes: Mapping[str, str | None],
    aliases: Aliases,
    known: Mapping[Key, Evaluated] | None = None,
) -> list[Pair]:
    """Return the published rows of what was measured, each with every row that it belongs to.

    Args:
        rows: Your rows.
        published: Rows of published figures.
        makes: What each device calls itself, by its name in the rows.
        aliases: Of the device profiles.
        known: What the rows were evaluated on, beyond their columns.
    """
    names = {row["device"]: _names(row["device"], makes.get(row["device"]), aliases) for row in rows}
    pairs = []
    for figure in published:
        of_model = [row for row in rows if _same_model(row["model"], figure["model"])]
        here = [row for row in of_model if _on(figure["device"], names[row["device"]])]
        fitting = [row for row in here if _same_delegate(row["delegate_requested"], figure)]
        if figure["device"] is None:  # of it, only the accuracy can be held against a row
            fitting = [row for row in fitting if None not in (row["map"], figure["map"])]
        pairs += [_pair(figure, row, known or {}) for row in fitting] or [Pair(figure)] * bool(here)
    return pairs


def with_columns(rows: Sequence[Row], pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Return rows with `COLUMNS`, from the first pair of each that says the figure."""
    found: dict[int, dict[str, Any]] = {}
    for pair in pairs:
        own = found.setdefault(id(pair.own), dict.fromkeys(COLUMNS))
        latency = (
            pair.published["latency_mean_ms"] if pair.published["device"] else None,
            pair.latency_ratio,
        )
        values = dict(
            zip(COLUMNS, (*latency, pair.published["map"], pair.map_ratio, pair.note or None), strict=True)
        )
        own.update({name: value for name, value in values.items() if own[name] is None})
    return [{**row, **found.get(id(row), dict.fromkeys(COLUMNS))} for row in rows]


def _names(device: str, make: str | None, aliases: Aliases) -> frozenset[str]:
    """Return all patterns of a device's name, in lower case."""
    own = {name.lower() for name in (device, make) if name}
    for profile, others in aliases.items():
        patterns = {profile.lower(), *map(str.lower, others)}
        if device.partition(":")[0] == profile or (make and _fits(make.lower(), patterns)):
            own |= patterns
    return frozenset(own)


def _on(published: str | None, names: frozenset[str]) -> bool:
    return published is None or _fits(published.lower(), names)


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _same_model(own: str, published: str) -> bool:
    """Whether both are one model, with the same kind of suppression where both say it: `ssd [fast NMS]`."""
    name, _, settings = own.partition("[")
    theirs, _, variant = published.partition(" [")
    kind = variant.partition(" ")[0]
    return name.strip() == theirs and (not (variant and settings) or kind in settings)


def _same_delegate(own: str | None, figure: Row) -> bool:
    """Whether a row ran what a figure names; a figure of no device is of all of them."""
    theirs = figure["delegate_requested"]
    if theirs is None or figure["device"] is None:
        return True
    return own == theirs or (theirs in _ANY_PORT and (own or "").startswith(f"{theirs}:"))


def _pair(figure: Row, row: Row, known: Mapping[Key, Evaluated]) -> Pair:
    if row["status"] not in MEASURED:
        return Pair(figure, row)
    if not _same_numbers(row.get("quantization"), figure["quantization"]):
        return Pair(
            figure,
            row,
            note=f"no ratio: the published file is {figure['quantization']}, yours {row['quantization']}",
        )
    latency = figure["latency_mean_ms"] if figure["device"] else None
    note = "" if None in (row["map"], figure["map"]) else why_other_images(row, figure, known)
    ratio = None if note else _ratio(row["map"], figure["map"])
    return Pair(figure, row, _ratio(row["latency_median_ms"], latency), ratio, note)


def _same_numbers(own: str | None, published: str | None) -> bool:
    """Whether two files of one name may be one model: not where one holds floats and the other integers."""
    kinds = [(text or "").partition("[")[0].partition("(")[0].strip() for text in (own, published)]
    return len({numbers for numbers in _NUMBERS for kind in kinds if kind in numbers}) < 2


def _ratio(measured: float | None, published: float | None) -> float | None:
    return None if measured is None or not published else measured / published
