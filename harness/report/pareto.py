"""Which rows are worth shipping, and what a quantization changed.

Two rules are kept here and nowhere else:

* Family: two models are versions of one another when their names differ only in the trailing words that name
  a quantization (`ssd-float32`, `ssd_int8`, `ssd-full-integer`; see `QUANTIZATION_WORDS`). A name's
  quantization is not read off its name: the `quantization` column says it.
* What may be held against what: rows of one device for the Pareto front; rows of one device, delegate,
  runtime and family for the change against float32. Accuracy figures meet only on the same dataset and number
  of images.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]

QUANTIZATION_WORDS = (
    "float32", "float16", "fp32", "fp16", "float", "f32", "f16",
    "dynamic-range", "dynamic", "drq", "dr", "weight-only", "wo",
    "full-integer-float-io", "full-integer", "integer", "int8", "int16", "uint8", "i8", "u8", "int16x8",
    "qat-uint8", "qat", "ptq", "quantized", "quant", "q", "mixed",
)  # fmt: skip
"""The words that end a name and say how the model is quantized; `-`, `_` and `.` separate words alike."""

_WORDS = "|".join(
    sorted((re.escape(w).replace(r"\-", "[-_.]") for w in QUANTIZATION_WORDS), key=len, reverse=True)
)
_SUFFIX = re.compile(rf"(?:[-_.](?:{_WORDS}))+$", re.IGNORECASE)


@dataclass(frozen=True)
class Change:
    """A row held against the float32 version of its model on the same device and delegate.

    Attributes:
        is_reference: This row is the float32 version itself.
        map_difference: mAP minus the float32 version's; None when unknown or not comparable.
        speed_ratio: How many times faster than the float32 version; None when unknown or not comparable.
    """

    is_reference: bool = False
    map_difference: float | None = None
    speed_ratio: float | None = None


def family(name: str) -> str:
    """Return a model's name without the trailing words that name its quantization, in lower case."""
    return _SUFFIX.sub("", name).lower()


def optimal(rows: Sequence[Row]) -> list[bool]:
    """Say which rows are Pareto-optimal: no row of the device is as good in both and better in one.

    Only rows with status `ok`, a median latency and an mAP take part; equal rows are all optimal.
    """
    return [_takes_part(row) and not any(_beats(other, row) for other in rows) for row in rows]


def changes(rows: Sequence[Row]) -> list[Change]:
    """Return each row's change against float32; empty where there is no float32 version, or more than one."""
    return [_change(row, rows) for row in rows]


def _takes_part(row: Row) -> bool:
    return row["status"] == "ok" and row["latency_median_ms"] is not None and row["map"] is not None


def _beats(other: Row, row: Row) -> bool:
    if not _takes_part(other) or not _same(other, row, "device", "dataset", "n_images"):
        return False
    faster = row["latency_median_ms"] - other["latency_median_ms"]
    better = other["map"] - row["map"]
    return bool(faster >= 0 and better >= 0 and (faster > 0 or better > 0))


def _change(row: Row, rows: Sequence[Row]) -> Change:
    if _is_float32(row):
        return Change(is_reference=True)
    siblings = [other for other in rows if _is_float32(other) and _are_versions(row, other)]
    own_run = [other for other in siblings if _same(other, row, "run_id")]
    candidates = own_run or siblings
    if len(candidates) != 1:
        return Change()
    return _against(row, candidates[0])


def _against(row: Row, reference: Row) -> Change:
    comparable = _same(row, reference, "dataset", "n_images")
    return Change(
        map_difference=_both(row, reference, "map", lambda new, old: new - old) if comparable else None,
        speed_ratio=_both(row, reference, "latency_median_ms", lambda new, old: old / new if new else None),
    )


def _both(row: Row, reference: Row, column: str, combine: Callable[[Any, Any], float | None]) -> float | None:
    new, old = row[column], reference[column]
    return None if new is None or old is None else combine(new, old)


def _are_versions(row: Row, other: Row) -> bool:
    return _same(row, other, "device", "delegate_requested", "runtime") and family(row["model"]) == family(
        other["model"]
    )


def _is_float32(row: Row) -> bool:
    """The quantization may carry a remark in brackets."""
    return (row["quantization"] or "").partition("[")[0].partition("(")[0].strip() == "float32"


def _same(first: Row, second: Row, *names: str) -> bool:
    return all(first[name] == second[name] for name in names)
