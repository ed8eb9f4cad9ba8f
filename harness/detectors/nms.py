"""Non-maximum suppression on the host, equal to what the models' own operators do.

`regular` and `fast` are the two algorithms of `TFLite_Detection_PostProcess` (TensorFlow,
`tensorflow/lite/kernels/detection_postprocess.cc`), `class-aware` is that of YOLO exports; `none` keeps the best
scores, as models do that are trained to give each object once (DETR and its kind). Detections of equal
score stand in the order of class and box, as the operator gives them. Only where `fast` gives several classes for
one box, and their scores are equal, is the operator's order that of `std::partial_sort`, which C++ leaves open.

The result is the best `max_detections` only, and a box can be suppressed only by a better one, so candidates are
taken in descending order of their scores, a few hundred at a time, until enough are kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np
import numpy.typing as npt

from harness.cards import NmsSpec
from harness.errors import ModelError

Kind = Literal["regular", "fast", "class-aware", "none"]
Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]

_BLOCK = 64
"""Candidates whose overlaps are computed at once: a larger square has more pairs that nobody asks for."""
_FIRST = 4
_MORE = 8
_FEW_COLUMNS = 16
_MOST_PAIRS = 1 << 16
"""Pairs of one class up to which all are computed at once: boxes of many classes have few."""
_MOST_SHARED = 512
"""Candidates up to which several suppressions share what overlaps: of more, most pairs are never asked for."""
_WORD = 8
"""Bytes that NumPy turns into a whole number at once."""
_DENSE = 0.2
"""Share of pairs of one class above which computing all pairs is faster than picking those."""


@dataclass(frozen=True)
class NmsSettings:
    """What is kept.

    Attributes:
        kind: `regular`: each class by itself, at most `detections_per_class` of it; `fast`: each box with its
            best class, whatever the class; `class-aware`: as `regular`, without a limit a class; `none`: nothing
            is suppressed.
        score_threshold: Lowest score that is kept.
        iou_threshold: Overlap above which the lower score goes; above 0, at most 1.
        max_detections: Boxes an image (`fast`: boxes before their classes are told apart).
        detections_per_class: Boxes a class, for `regular`.
        classes_per_detection: Classes that are given for each kept box, for `fast`.
    """

    kind: Kind = "regular"
    score_threshold: float = 0.0
    iou_threshold: float = 0.5
    max_detections: int = 100
    detections_per_class: int = 100
    classes_per_detection: int = 1

    def __post_init__(self) -> None:
        counts = (self.max_detections, self.detections_per_class, self.classes_per_detection)
        if not 0 < self.iou_threshold <= 1 or min(counts) < 1:
            raise ModelError(
                f"decoder.nms: found {self}, expected an IoU threshold above 0 and up to 1 and counts of at least 1"
            )


@dataclass(frozen=True)
class Kept:
    """What suppression leaves, best score first.

    Attributes:
        boxes: int [K], rows of the boxes that were given.
        classes: int [K], columns of the scores that were given.
        scores: float32 [K].
    """

    boxes: Indices
    classes: Indices
    scores: Floats


class Overlaps:
    """Which of some boxes overlap too much: each pair is looked at once for several suppressions of the same boxes.

    Args:
        boxes: float32 [N, 4], as for `suppress`.
        settings: Those of the suppressions; for others than `fast` nothing is shared.
    """

    def __init__(self, boxes: Floats, settings: NmsSettings) -> None:
        self._boxes, self._limit = boxes, np.float32(settings.iou_threshold)
        self._known: Indices = np.empty(0, np.intp)
        self._places = np.full(len(boxes), -1, np.intp)
        self._rows: list[int] = []
        """For each known box a bit for each that was known when it was added, itself among them."""

    def take(self, candidates: Indices, most: int) -> Indices:
        """Take boxes in order, dropping each that overlaps a taken one too much; return their places, ascending."""
        new = candidates[self._places[candidates] < 0]
        if new.size:
            self._add(new)
        kept: list[int] = []
        taken = gone = 0
        for place, known in enumerate(self._places[candidates].tolist()):
            row = self._rows[known]
            if gone >> known & 1 or row & taken:
                continue
            kept.append(place)
            if len(kept) == most:
                break
            taken |= 1 << known
            gone |= row
        return np.array(kept, np.intp)

    def _add(self, new: Indices) -> None:
        n = len(self._known)
        self._known = np.concatenate([self._known, new])
        self._places[new] = np.arange(n, len(self._known))
        a, b = _columns(self._boxes, new), _columns(self._boxes, self._known)
        above = _above(a[:, :, None], b[:, None, :], self._limit)
        self._rows += _as_bits(above)


def settings_for(spec: NmsSpec, default: NmsSettings) -> NmsSettings:
    """Return a card's settings; what it leaves open is the family's."""
    given = {name: getattr(spec, name) for name in spec.__struct_fields__ if getattr(spec, name) is not None}
    unknown = {given.get("kind", "regular")} - set(get_args(Kind))
    if unknown:
        raise ModelError(f"decoder.nms.kind: found {given['kind']!r}, expected one of {get_args(Kind)}")
    return NmsSettings(**{**{name: getattr(default, name) for name in spec.__struct_fields__}, **given})


def suppress(
    boxes: Floats,
    scores: Floats,
    settings: NmsSettings,
    weights: Floats | None = None,
    overlaps: Overlaps | None = None,
    best: Floats | None = None,
) -> Kept:
    """Keep the best boxes.

    Args:
        boxes: float32 [N, 4], two opposite corners with the lower one first, in any unit and axis order.
        scores: float32 [N, C], without a background column. Scores that are not numbers are never kept.
        settings: What to keep.
        weights: float32 [N] that each box's scores are multiplied with (YOLO's objectness); None for 1.
        overlaps: Those of the boxes, where they are suppressed several times with other scores; None else.
        best: float32 [N], `greatest_of_rows` of the scores where it is known; None else.
    """
    if not scores.size:
        return Kept(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.float32))
    best, scores = _best_of_rows(scores, best)
    if weights is not None:
        best = best * weights
    if settings.kind == "fast":
        return _fast(boxes, scores, weights, best, settings, overlaps)
    if settings.kind == "none":
        return _best(scores, weights, settings)
    return _by_class(boxes, scores, weights, best, settings)


def least_needed(scores: Floats, n_classes: int, settings: NmsSettings) -> np.float32 | None:
    """Return the score of what was taken last; None where there was room for more.

    What scores less, with all of its classes, cannot have changed what is kept.

    Args:
        scores: Those of `Kept`.
        n_classes: Columns of the scores that were given to `suppress`.
        settings: Those that were given to it.
    """
    n = min(settings.classes_per_detection, n_classes) if settings.kind == "fast" else 1
    if len(scores) < settings.max_detections * n:
        return None
    return np.float32(scores[::n].min())


def _best_of_rows(scores: Floats, best: Floats | None) -> tuple[Floats, Floats]:
    """Return each box's best score, and the scores with -inf for what is not a number."""
    best = greatest_of_rows(scores) if best is None else best
    if np.isnan(best).any():
        scores = np.where(np.isnan(scores), np.float32(-np.inf), scores)
        best = greatest_of_rows(scores)
    return best, scores


def greatest_of_rows(scores: Floats) -> Floats:
    """Return each row's greatest number, float32 [N]: of few columns column by column, which is far faster."""
    if not 0 < scores.shape[1] <= _FEW_COLUMNS:
        return cast("Floats", scores.max(axis=1))
    best = scores[:, 0].copy()
    for column in scores.T[1:]:
        np.maximum(best, column, out=best)
    return best


def _by_class(
    boxes: Floats, scores: Floats, weights: Floats | None, best: Floats, settings: NmsSettings
) -> Kept:
    per_class = settings.detections_per_class if settings.kind == "regular" else settings.max_detections
    for rows, least in _growing(best, settings):
        places, classes, found = _at_least(scores, weights, rows, least)
        order = np.lexsort((places, classes, -found))
        classes, candidates = classes[order], rows[places[order]]
        kept = _greedy(boxes[candidates], classes, settings, per_class)
        if kept.size == settings.max_detections:
            break
    return Kept(candidates[kept], classes[kept], found[order][kept])


def _at_least(
    scores: Floats, weights: Floats | None, rows: Indices, least: np.float32
) -> tuple[Indices, Indices, Floats]:
    """Return the pairs of a row and a class with so high a score: places in `rows`, classes and scores."""
    by_columns = scores.T.flags.c_contiguous  # as they lie in memory: only so they are read at full speed
    values = scores.T[:, rows] if by_columns else scores[rows]
    if weights is not None:
        values = values * (weights[rows] if by_columns else weights[rows, None])
    flat = values.reshape(-1)
    chosen = np.flatnonzero(flat >= least)
    first, second = np.divmod(chosen, values.shape[1])
    places, classes = (second, first) if by_columns else (first, second)
    return places, classes, flat[chosen]


def _best(scores: Floats, weights: Floats | None, settings: NmsSettings) -> Kept:
    """Keep the best pairs of box and class."""
    values = (scores if weights is None else scores * weights[:, None]).reshape(-1)
    found = np.flatnonzero(values >= np.float32(settings.score_threshold))
    order = found[np.argsort(-values[found], kind="stable")[: settings.max_detections]]
    boxes, classes = np.divmod(order, scores.shape[1])
    return Kept(boxes, classes, values[order])


def _fast(
    boxes: Floats,
    scores: Floats,
    weights: Floats | None,
    best: Floats,
    settings: NmsSettings,
    overlaps: Overlaps | None,
) -> Kept:
    for rows, _ in _growing(best, settings):
        values = best[rows]
        order = np.argsort(-values, kind="stable")
        candidates = rows[order]
        if overlaps is not None and candidates.size <= _MOST_SHARED:
            kept = overlaps.take(candidates, settings.max_detections)
        else:
            kept = _greedy(boxes[candidates], None, settings, settings.max_detections)
        if kept.size == settings.max_detections:
            break
    chosen = candidates[kept]
    n = min(settings.classes_per_detection, scores.shape[1])
    classes = np.argsort(-scores[chosen], axis=1, kind="stable")[:, :n]
    values = np.take_along_axis(scores[chosen], classes, axis=1)
    if weights is not None:
        values = values * weights[chosen, None]
    return Kept(np.repeat(chosen, n), classes.reshape(-1), values.reshape(-1))


def _growing(best: Floats, settings: NmsSettings) -> Iterator[tuple[Indices, np.float32]]:
    """Yield the boxes whose best score is among the top few hundred, then more of them, at last all.

    With them comes the least score that is completely covered: no box that is left out has a better one.
    """
    least = np.float32(settings.score_threshold)
    rows = np.flatnonzero(best >= least)
    wanted = max(_FIRST * settings.max_detections, _BLOCK)
    while rows.size > wanted:
        values = best[rows]
        bound = np.partition(values, rows.size - wanted)[rows.size - wanted]
        chosen = rows[values >= bound]
        if chosen.size == rows.size:
            break
        yield chosen, bound
        wanted *= _MORE
    yield rows, least


def _greedy(boxes: Floats, classes: Indices | None, settings: NmsSettings, per_class: int) -> Indices:
    """Take candidates in order, dropping each that overlaps a taken one of its class too much.

    Args:
        boxes: float32 [N, 4], best score first.
        classes: int [N]; None when boxes suppress each other whatever their class.
        settings: Threshold and number of boxes.
        per_class: Boxes a class that are taken.

    Returns:
        int [K], the places of the boxes that are kept, ascending.
    """
    if classes is not None:
        firsts, seconds = _pairs(classes)
        if firsts is not None:
            return _sparse(boxes, classes, firsts, seconds, settings, per_class)
    kept: list[int] = []
    counts: Counter[int] = Counter()
    for start in range(0, len(boxes), _BLOCK):
        block = slice(start, min(start + _BLOCK, len(boxes)))
        earlier = np.array([*kept, *range(block.start, block.stop)], np.intp)
        above = _overlap(boxes, classes, earlier, block, settings)
        by_kept = above[: len(kept)].any(axis=0, keepdims=True)
        gone, *rows = _as_bits(np.concatenate([by_kept, above[len(kept) :]]))
        numbers = None if classes is None else classes[block].tolist()
        for place, row in enumerate(rows):
            if gone >> place & 1:
                continue
            if numbers is not None:
                if counts[numbers[place]] >= per_class:
                    continue
                counts[numbers[place]] += 1
            kept.append(start + place)
            if len(kept) == settings.max_detections:
                return np.array(kept, np.intp)
            gone |= row
    return np.array(kept, np.intp)


def _as_bits(table: npt.NDArray[np.bool_]) -> list[int]:
    """Return each row as a whole number, the first column its lowest bit: Python compares a row at once."""
    packed = np.packbits(table, axis=1, bitorder="little")
    n, width = packed.shape
    if width <= _WORD:
        words = np.zeros((n, _WORD), np.uint8)
        words[:, :width] = packed
        return cast("list[int]", words.view("<u8")[:, 0].tolist())
    data = packed.tobytes()
    return [int.from_bytes(data[at : at + width], "little") for at in range(0, len(data), width)]


def _pairs(classes: Indices) -> tuple[Indices | None, Indices]:
    """Return all pairs of candidates of one class, the better one first; None where they are too many."""
    order = np.argsort(classes, kind="stable")
    _, starts, counts = np.unique(classes[order], return_index=True, return_counts=True)
    before = np.arange(len(classes)) - np.repeat(starts, counts)
    if int(before.sum()) > _MOST_PAIRS:
        return None, order
    seconds = np.repeat(np.arange(len(classes)), before)
    ends = np.cumsum(before)
    firsts = (
        np.arange(len(seconds))
        - np.repeat(ends - before, before)
        + np.repeat(np.repeat(starts, counts), before)
    )
    return order[firsts], order[seconds]


def _sparse(
    boxes: Floats,
    classes: Indices,
    firsts: Indices,
    seconds: Indices,
    settings: NmsSettings,
    per_class: int,
) -> Indices:
    """Take candidates in order as `_greedy` does, from the pairs that overlap too much."""
    over = _above(boxes[firsts].T, boxes[seconds].T, np.float32(settings.iou_threshold))
    worse: dict[int, list[int]] = {}
    for first, second in zip(firsts[over].tolist(), seconds[over].tolist(), strict=True):
        worse.setdefault(first, []).append(second)
    free = bytearray(b"\x01") * len(boxes)
    kept: list[int] = []
    counts = [0] * (int(classes.max(initial=-1)) + 1)
    for place, number in enumerate(classes.tolist()):
        if not free[place] or counts[number] >= per_class:
            continue
        counts[number] += 1
        kept.append(place)
        if len(kept) == settings.max_detections:
            break
        for other in worse.get(place, ()):
            free[other] = 0
    return np.array(kept, np.intp)


def _overlap(
    boxes: Floats, classes: Indices | None, first: Indices, block: slice, settings: NmsSettings
) -> npt.NDArray[np.bool_]:
    """Return [len(first), block] whether two boxes of one class overlap by more than the threshold."""
    limit = np.float32(settings.iou_threshold)
    a, b = _columns(boxes, first), _columns(boxes, block)
    if classes is None:
        return _above(a[:, :, None], b[:, None, :], limit)
    same = classes[first][:, None] == classes[block][None]
    if np.count_nonzero(same) > _DENSE * same.size:
        return cast("npt.NDArray[np.bool_]", same & _above(a[:, :, None], b[:, None, :], limit))
    i, j = np.nonzero(same)
    same[i, j] = _above(a[:, i], b[:, j], limit)
    return cast("npt.NDArray[np.bool_]", same)


def _columns(boxes: Floats, rows: Indices | slice) -> Floats:
    """Return [4, n], each side of the boxes as one piece of memory: so they are compared far faster."""
    return np.ascontiguousarray(boxes[rows].T)


def iou(a: Floats, b: Floats) -> Floats:
    """Compute the intersection over union of boxes [4, …] and [4, …], broadcast against each other.

    In float32 and in the order of operations of `ComputeIntersectionOverUnion` in the operator's source.
    """
    # Where a box has no area, the common area is 0 and the ratio 0 or not a number: never above a threshold.
    return cast("Floats", np.nan_to_num(_ratio(a, b), copy=False, nan=0.0))


def _above(a: Floats, b: Floats, limit: np.float32) -> npt.NDArray[np.bool_]:
    """Tell where the intersection over union is above a limit, itself above 0; what is no number is not."""
    return np.greater(_ratio(a, b), limit)


def _ratio(a: Floats, b: Floats) -> Floats:
    """Compute the intersection over union, as far as possible in place: what is written anew takes the time."""
    zero = np.float32(0)
    common, height, start = np.minimum(a[2], b[2]), np.minimum(a[3], b[3]), np.maximum(a[0], b[0])
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        common = _less(common, start)
        common *= _less(height, np.maximum(a[1], b[1], out=start))
        area_a = np.maximum(a[2] - a[0], zero) * np.maximum(a[3] - a[1], zero)
        area_b = np.maximum(b[2] - b[0], zero) * np.maximum(b[3] - b[1], zero)
        union = np.add(area_a, area_b, out=height)
        union -= common
        np.divide(common, union, out=common)
    return common


def _less(end: Floats, start: Floats) -> Floats:
    """Subtract in place where it leaves more than 0: to compare with an array is far faster than with one number."""
    np.maximum(end, start, out=end)
    end -= start
    return end
