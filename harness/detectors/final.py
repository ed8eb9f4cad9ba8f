"""What final detections must be like, whatever family gives them: else they are something else."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.cards import DecoderSpec
from harness.errors import ModelError

Floats = npt.NDArray[np.float32]
_ABOVE_ONE = 1.01
"""Sigmoids computed in integers can end a little above 1."""
_INTEGRAL = 0.01


def check_final(decoder: str, scores: Floats, classes: Floats) -> npt.NDArray[np.int64]:
    """Return the classes as integers.

    Raises:
        ModelError: The scores exceed 1, or the classes are no whole numbers: the columns mean something else, or a
            quantizer has squeezed classes and scores into one scale.
    """
    if not scores.size:
        return np.empty(0, np.int64)
    whole = np.rint(classes)
    off = float(np.abs(classes - whole).max())
    greatest = float(scores.max())
    if greatest > _ABOVE_ONE or off > _INTEGRAL or float(whole.min()) < 0:
        raise ModelError(
            f"decoder {decoder}: scores reach {greatest:.4g} and classes lie up to {off:.3g} beside whole numbers "
            f"(the least is {float(classes.min()):.4g}); expected scores of 0…1 and whole classes: the outputs mean "
            "something else (correct the card's decoder.order), or quantization has destroyed them"
        )
    return whole.astype(np.int64)


def limits(spec: DecoderSpec) -> tuple[float, int | None]:
    """Return the score that a detection must exceed and how many are kept; None for all.

    Raises:
        ModelError: The card wants final detections suppressed again.
    """
    if spec.nms.kind not in {None, "none"}:
        raise ModelError(
            f"decoder {spec.name}: its detections are final, so decoder.nms.kind can only be none, not {spec.nms.kind}"
        )
    return spec.nms.score_threshold or 0.0, spec.nms.max_detections
