"""Class index of a model → category id of the dataset."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.cards import Labels
from harness.errors import ModelError

COCO80_TO_90 = np.array(
    [i for i in range(1, 91) if i not in {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}],
    dtype=np.int64,
)
"""COCO category ids of the 80 classes in use, in order; the ten missing ids were never annotated (cocoapi, 2014)."""


LEFT_OUT = -1
"""Stands for the category of a class that the data set does not have."""


def category_ids(classes: npt.NDArray[np.integer], labels: Labels) -> npt.NDArray[np.int64]:
    """Turn class indices [N] into category ids [N]; `LEFT_OUT` for classes that the data set does not have.

    Raises:
        ModelError: A class outside the card's list: of `ids`, or 0…79 with `map = "coco80"`.
    """
    if labels.ids is not None:
        return _listed(classes.astype(np.int64), labels.ids)
    shifted = classes.astype(np.int64) + labels.offset
    if labels.map != "coco80":
        return shifted
    wrong = shifted[(shifted < 0) | (shifted >= COCO80_TO_90.size)]
    if wrong.size:
        raise ModelError(
            f"labels: class {int(wrong[0])} found, but the card maps 80 classes (0…79); correct its [labels]"
        )
    return COCO80_TO_90[shifted]


def _listed(classes: npt.NDArray[np.int64], ids: tuple[int, ...]) -> npt.NDArray[np.int64]:
    wrong = classes[(classes < 0) | (classes >= len(ids))]
    if wrong.size:
        raise ModelError(
            f"labels: class {int(wrong[0])} found, but {len(ids)} classes are known (0…{len(ids) - 1}); correct the "
            "card's [labels] or its decoder"
        )
    return np.asarray(ids, np.int64)[classes]
