"""The rows of outputs that can matter: most of a detector's candidates never reach the score that the card asks for.

The worker leaves out rows whose scores stay below a threshold; here they are put back as rows of nothing, whose scores
are 0, in the places that they had. So a decoder sees a table of the same size, in which the same rows pass, and its
detections are the same to the last digit. What must hold for that is made sure of:

* The threshold is that of the card, lowered by a little, in the tensor's own values, and above 0.
* Of YOLOv5's kind the objectness decides, which bounds the score only where no class score is above 1: that is looked
  at in the whole outputs of some images, and again in every row that comes.
* Decoders that look at all boxes for their unit find those of a whole table in the rows of nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.cards import ModelCard
from harness.detectors import boxes_scores, yolo
from harness.detectors.base import Decoder, ModelContext, dequantize
from harness.detectors.heads import HeadDecoder
from harness.errors import MeasurementError
from harness.native.job import Cut
from harness.native.protocol import Outputs
from harness.tflite.tensor_info import TensorInfo

Tensors = list[npt.NDArray[np.generic]]
WITH_OBJECTNESS = frozenset({"yolov5", "yolov6", "yolox"})
WITHOUT = frozenset({"yolov8", "yolo11", "rtdetr"})
MOST_CLASS_SCORE = 1.01
"""Sigmoids that are computed in integers can end a little above 1."""
LOWERED = 1 - 1e-4
"""Of the threshold: more than any rounding can make of it."""


@dataclass(frozen=True)
class RowCut:
    """A cut of one model's outputs.

    Attributes:
        command: What the worker is told; outputs by LiteRT's places.
        nothing: Whole outputs in the model's order, in which no row has a score.
        axes: (place in the model's order, place in LiteRT's, axis of the rows) of each output that is cut.
        places: LiteRT's place of each output, in the model's order.
        bounded: Index and columns of class scores that must not pass 1; None where that does not matter.
    """

    command: Cut
    nothing: Tensors
    axes: tuple[tuple[int, int, int], ...]
    places: tuple[int, ...]
    bounded: tuple[int, slice, TensorInfo] | None = None

    def restore(self, outputs: Outputs) -> Tensors:
        """Put the rows that came back into their places among rows of nothing.

        Raises:
            MeasurementError: A class score above 1 came, so that rows may have been left out that matter.
        """
        cut = {mine: axis for mine, _, axis in self.axes}
        whole = []
        for mine, place in enumerate(self.places):
            value = outputs.tensors[place]
            whole.append(
                value
                if outputs.rows is None or mine not in cut
                else self._filled(mine, value, outputs, cut[mine])
            )
        self._check(outputs)
        return whole

    def _filled(
        self, mine: int, rows: npt.NDArray[np.generic], outputs: Outputs, axis: int
    ) -> npt.NDArray[np.generic]:
        table = self.nothing[mine].copy()
        matrix = np.moveaxis(table, axis, 0).reshape(table.shape[axis], -1)
        assert np.shares_memory(matrix, table)
        matrix[outputs.rows] = rows
        return table

    def _check(self, outputs: Outputs) -> None:
        if self.bounded is None:
            return
        mine, columns, info = self.bounded
        rows = outputs.tensors[self.places[mine]]
        if (
            outputs.rows is not None
            and rows.size
            and dequantize(rows[:, columns], info).max() > MOST_CLASS_SCORE
        ):
            raise MeasurementError(
                "a class score above 1 came, so candidates cannot be told by their objectness: state the card's "
                "decoder.activation"
            )


def plan_cut(
    card: ModelCard,
    decoder: Decoder,
    infos: Sequence[TensorInfo],
    places: Sequence[int],
    whole: Sequence[Tensors],
) -> RowCut | None:
    """Plan how a model's outputs are cut; None where they are not.

    Args:
        card: The model's.
        decoder: The one that reads them.
        infos: The outputs in the model's order, with their real sizes.
        places: LiteRT's place of each of them.
        whole: The whole outputs of some images.
    """
    if not isinstance(decoder, HeadDecoder) or not whole or card.decoder.activation == "softmax":
        return None
    threshold = decoder.settings.score_threshold
    if card.decoder.name in WITH_OBJECTNESS:
        threshold /= MOST_CLASS_SCORE
    found = _columns(card, infos)
    if found is None or not 0 < threshold <= 1:
        return None
    decider, axis, first, last, followers = found
    info = infos[decider]
    least = _raw(_before(card.decoder.activation, threshold), info)
    bounded = _bounded(card, decider, info)
    if least is None or (
        bounded is not None and not _stays_bounded(bounded, whole, axis, card.decoder.activation)
    ):
        return None
    axes = ((decider, places[decider], axis), *((mine, places[mine], at) for mine, at in followers))
    command = Cut(places[decider], axis, first, last, least, tuple((place, at) for _, place, at in axes[1:]))
    nothing = _nothing(whole[0], decider, axis, _scores(card), least)
    plain = bounded is not None and card.decoder.activation == "none"
    return RowCut(command, nothing, axes, tuple(places), bounded if plain else None)


def _columns(
    card: ModelCard, infos: Sequence[TensorInfo]
) -> tuple[int, int, int, int, tuple[tuple[int, int], ...]] | None:
    """Return the output that decides, the axis of its rows, its first and last deciding column, and who follows."""
    name, context = card.decoder.name, ModelContext(card.input.width, card.input.height)
    if name in WITH_OBJECTNESS | WITHOUT:
        first = 5 if name in WITH_OBJECTNESS else 4
        decider = yolo.find_output(infos, name, first + 1 + card.decoder.extra_columns)
        shape = infos[decider].shape
        axis = len(shape) - (1 if yolo.columns_first(shape, context) else 2)
        last = shape[-2:][1 if axis == len(shape) - 2 else 0] - card.decoder.extra_columns
        chosen = (4, 5) if name in WITH_OBJECTNESS else (4, last)
        return (decider, axis, *chosen, ()) if _flat(shape, axis) else None
    if name != "boxes-scores":
        return None
    at = boxes_scores.positions(card.decoder, infos)
    boxes, scores = infos[at["boxes"]].shape, infos[at["scores"]].shape
    if len(boxes) != 3 or len(scores) != 3 or boxes[2] != 4 or scores[1] != boxes[1] or scores[0] != 1:
        return None
    classes = range(scores[2])[boxes_scores.without_background(card.decoder, scores[2])]
    return at["scores"], 1, classes.start, classes.stop, ((at["boxes"], 1),)


def _flat(shape: tuple[int, ...], axis: int) -> bool:
    """Whether all axes but the rows' and one other have the size 1, so that a row is a list of numbers."""
    return sum(size != 1 for at, size in enumerate(shape) if at != axis) <= 1


def _before(activation: str, threshold: float) -> float:
    """Return the value whose activation is the threshold, lowered by a little."""
    lowered = threshold * LOWERED
    return math.log(lowered / (1 - lowered)) if activation == "sigmoid" else lowered


def _raw(real: float, info: TensorInfo) -> float | None:
    """Return the least value of the tensor that stands for so much or more; None where it cannot be told."""
    dtype = np.dtype(info.dtype)
    if np.issubdtype(dtype, np.floating):
        return float(np.nextafter(np.float32(real), np.float32(-np.inf))) if dtype == np.float32 else None
    if info.scale is None or dtype.itemsize > 4:
        return None
    return float(math.ceil(real / info.scale) + (info.zero_point or 0))


def _scores(card: ModelCard) -> slice:
    """Return all columns that are scores: they are nothing in rows that were left out."""
    return slice(4, None) if card.decoder.name in WITH_OBJECTNESS | WITHOUT else slice(None)


def _bounded(card: ModelCard, decider: int, info: TensorInfo) -> tuple[int, slice, TensorInfo] | None:
    if card.decoder.name not in WITH_OBJECTNESS:
        return None
    return decider, slice(5, -card.decoder.extra_columns or None), info


def _stays_bounded(
    bounded: tuple[int, slice, TensorInfo], whole: Sequence[Tensors], axis: int, activation: str
) -> bool:
    """Whether no class score of some images is above 1; a sigmoid makes sure of it."""
    mine, columns, info = bounded
    if activation == "sigmoid":
        return True
    tables = (np.moveaxis(one[mine], axis, 0).reshape(one[mine].shape[axis], -1) for one in whole)
    return all(
        float(dequantize(table[:, columns], info).max(initial=0)) <= MOST_CLASS_SCORE for table in tables
    )


def _nothing(whole: Tensors, decider: int, axis: int, scores: slice, least: float) -> Tensors:
    """Return outputs of an image whose scores lie below the threshold; its boxes stay, for who looks for their unit."""
    nothing = [value.copy() for value in whole]
    table = nothing[decider]
    matrix = np.moveaxis(table, axis, 0).reshape(table.shape[axis], -1)
    assert np.shares_memory(matrix, table)
    matrix[:, scores] = _below(least, table.dtype)
    return nothing


def _below(least: float, dtype: np.dtype[Any]) -> Any:
    """Return a value below the threshold that stands for no score, whatever is applied to it."""
    if np.issubdtype(dtype, np.floating):
        return min(0.0, least - 100.0) if least < 0 else 0.0
    return max(np.iinfo(dtype).min, int(least) - 1)
