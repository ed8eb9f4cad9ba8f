"""Find the rows that are worth shipping, and the change that a quantization made.

Two rules are kept here and nowhere else:

* Family: two models are versions of one another where that is known of their files or said by their cards
  (`identity`). Of two of which neither is known, names decide that differ only in the trailing words that name a
  quantization (`ssd-float32`, `ssd_int8`, `ssd-full-integer`; see `QUANTIZATION_WORDS`); a table says so. The
  quantization itself is not taken from the name: the `quantization` column states it.
* Comparable rows: rows of one device for the Pareto front; rows of one device, delegate, runtime and family for the
  change against float32. Accuracy figures are compared only on the same dataset and number of images.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import itemgetter
from typing import Any

from harness.vocabulary import MEASURED, Quantization, Status

Row = Mapping[str, Any]
MoreAccurate = Callable[[Row, Row], bool]
"""Whether the mAP of the first of two rows is shown to be the higher one."""
STAR, HOLLOW = "★", "☆"

QUANTIZATION_WORDS = (
    "float32", "float16", "fp32", "fp16", "float", "f32", "f16",
    "dynamic-range", "dynamic", "drq", "dr", "weight-only", "wo",
    "full-integer-float-io", "full-integer", "integer", "int8", "int16", "uint8", "i8", "u8", "int16x8",
    "qat-uint8", "qat", "ptq", "quantized", "quant", "q", "mixed",
)  # fmt: skip
"""Words at the end of a name that say how the model is quantized; `-`, `_` and `.` separate words alike."""

_WORDS = "|".join(
    sorted((re.escape(w).replace(r"\-", "[-_.]") for w in QUANTIZATION_WORDS), key=len, reverse=True)
)
_front_of = itemgetter("device", "dataset", "n_images")
_SUFFIX = re.compile(rf"(?:[-_.](?:{_WORDS}))+$", re.IGNORECASE)


@dataclass(frozen=True)
class Change:
    """A row compared with the float32 version of its model on the same device and delegate.

    Attributes:
        is_reference: Whether this row is the float32 version itself.
        by_name: Whether only the names of the models say that they are versions of one.
        map_difference: mAP minus the float32 version's; None when unknown or not comparable.
        speed_ratio: Speed divided by the float32 version's; None when unknown or not comparable.
    """

    is_reference: bool = False
    by_name: bool = False
    map_difference: float | None = None
    speed_ratio: float | None = None


_REFERENCE, _UNKNOWN = Change(is_reference=True), Change()


@lru_cache(maxsize=4096)
def family(name: str) -> str:
    """Return a model's name without the trailing words that name its quantization, in lower case."""
    return _SUFFIX.sub("", name).lower()


def optimal(rows: Sequence[Row]) -> list[bool]:
    """Return which rows are Pareto-optimal: no row of the device is as good in both and better in one.

    Only rows with status `ok`, a median latency and an mAP take part; equal rows are all optimal.
    """
    best = {index for group in _groups(rows) for index in _front(rows, group)}
    return [index in best for index in range(len(rows))]


def more_accurate(first: Row, second: Row) -> bool:
    """Whether the intervals of two mAPs lie apart, the first one above."""
    low, high = first["map_low"], second["map_high"]
    return low is not None and high is not None and low > high


def marks(rows: Sequence[Row], is_shown: MoreAccurate = more_accurate) -> list[str]:
    """Return `★` for a row whose place on the front is shown, `☆` for one on it by its figures only, else nothing.

    It is shown where every other row of the device is slower with all of its interval, or has the lower mAP by
    `is_shown`.
    """
    found = [""] * len(rows)
    group_of = {index: group for group in _groups(rows) for index in _front(rows, group)}
    # In the order of the rows: `is_shown` may look at so many pairs and no more.
    for index in sorted(group_of):
        found[index] = _mark(rows[index], (rows[other] for other in group_of[index]), is_shown)
    return found


def _mark(row: Row, others: Iterable[Row], is_shown: MoreAccurate) -> str:
    rivals = (other for other in others if other is not row and not _is_faster(row, other))
    return STAR if all(is_shown(row, rival) for rival in rivals) else HOLLOW


def _is_faster(first: Row, second: Row) -> bool:
    """Whether the intervals of two medians lie apart, the first one below."""
    high, low = first["latency_median_high_ms"], second["latency_median_low_ms"]
    return high is not None and low is not None and high < low


def _groups(rows: Iterable[Row]) -> Iterable[list[int]]:
    """Return the places of the rows of each front."""
    found: dict[tuple[Any, ...], list[int]] = {}
    for index, row in enumerate(rows):
        if _takes_part(row):
            found.setdefault(_front_of(row), []).append(index)
    return found.values()


def changes(rows: Sequence[Row], identities: Mapping[str, str] | None = None) -> list[Change]:
    """Return each row's change against float32; empty where no float32 version was measured, or more than one.

    Args:
        rows: Rows with the public columns.
        identities: What versions of one model share, by the hash of each, where that is known.
    """
    known = identities or {}
    references: dict[tuple[Any, ...], list[Row]] = {}
    for row in (row for row in rows if _is_float32(row) and row["status"] in MEASURED):
        references.setdefault(_versions(row, known), []).append(row)
        references.setdefault((row["run_id"], *_versions(row, known)), []).append(row)
    return [_change(row, references, known) for row in rows]


def _takes_part(row: Row) -> bool:
    return row["status"] == Status.OK and row["latency_median_ms"] is not None and row["map"] is not None


def _front(rows: Sequence[Row], group: Iterable[int]) -> Iterator[int]:
    """Yield the optimal rows: from the fastest on, each more accurate than all before, or equal to the last such."""
    last: tuple[float, float] | None = None
    for place, index in sorted((_place(rows[index]), index) for index in group):
        if last is None or place == last or place[1] < last[1]:
            last = place
            yield index


def _place(row: Row) -> tuple[float, float]:
    return row["latency_median_ms"], -row["map"]


def _change(
    row: Row, references: Mapping[tuple[Any, ...], Sequence[Row]], known: Mapping[str, str]
) -> Change:
    if _is_float32(row):
        return _REFERENCE
    key = _versions(row, known)
    candidates = references.get((row["run_id"], *key)) or references.get(key, ())
    if len(candidates) != 1:
        return _UNKNOWN
    change = _against(row, candidates[0])
    says = change.map_difference is not None or change.speed_ratio is not None
    return replace(change, by_name=says and row.get("model_sha256") not in known)


def _against(row: Row, reference: Row) -> Change:
    comparable = _same(row, reference, "dataset", "n_images")
    return Change(
        map_difference=_both(row, reference, "map", lambda new, old: new - old) if comparable else None,
        speed_ratio=_both(row, reference, "latency_median_ms", lambda new, old: old / new if new else None),
    )


def _both(row: Row, reference: Row, column: str, combine: Callable[[Any, Any], float | None]) -> float | None:
    new, old = row[column], reference[column]
    return None if new is None or old is None else combine(new, old)


def _versions(row: Row, known: Mapping[str, str]) -> tuple[Any, ...]:
    """Return the key that comparable versions of one model share: its identity, or its name where none is known."""
    identity = known.get(row.get("model_sha256") or "")
    place = (row["device"], row["delegate_requested"], row["runtime"], identity is None)
    name = row["model"] or ""  # unknown of a record from elsewhere
    return *place, family(name) if identity is None else (identity, _settings_of(name))


def _settings_of(name: str) -> str:
    """Return the settings of NMS that a name holds: only rows of the same ones are compared."""
    return name.partition("[")[2]


def _is_float32(row: Row) -> bool:
    return _names_float32(row["quantization"] or "")


@lru_cache(maxsize=1024)
def _names_float32(quantization: str) -> bool:
    """Whether a quantization is float32; it may carry a remark in brackets."""
    return quantization.partition("[")[0].partition("(")[0].strip() == Quantization.FLOAT32


def _same(first: Row, second: Row, *names: str) -> bool:
    return all(first[name] == second[name] for name in names)
