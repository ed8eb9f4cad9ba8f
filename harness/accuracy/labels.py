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


def category_ids(classes: npt.NDArray[np.integer], labels: Labels) -> npt.NDArray[np.int64]:
    """Turn class indices [N] into category ids [N].

    Raises:
        ModelError: `map = "coco80"` and a class outside 0…79.
    """
    shifted = classes.astype(np.int64) + labels.offset
    if labels.map is None:
        return shifted
    wrong = shifted[(shifted < 0) | (shifted >= COCO80_TO_90.size)]
    if wrong.size:
        raise ModelError(
            f"labels: class {int(wrong[0])} found, but the card maps 80 classes (0…79); correct its [labels]"
        )
    return COCO80_TO_90[shifted]
