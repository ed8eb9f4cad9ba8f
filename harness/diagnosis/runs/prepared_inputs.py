"""Prepared inputs of images, kept for the many models that are fed the same: decoding a picture takes its time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from harness.accuracy.dataset import ImageEntry
from harness.accuracy.prepare import Geometry, Preparation, Tensor
from harness.cards import InputSpec
from harness.tflite.tensor_info import TensorInfo

BUDGET = 256 << 20
"""Bytes of inputs that are kept: those of 70 images of a YOLO in float32, or of 1,000 of a small SSD in integers."""


@dataclass
class PreparedInputs:
    """Inputs by their preparation and image.

    Attributes:
        budget: Bytes of inputs that may still be kept.
    """

    budget: int = BUDGET
    _kept: dict[tuple[Any, ...], dict[int, tuple[Tensor, Geometry]]] = field(default_factory=dict, repr=False)

    def of(self, spec: InputSpec, info: TensorInfo) -> _OfOneInput:
        """Return the inputs for a card's preparation and a model's first input, whatever that is called."""
        kept = self._kept.setdefault((spec, replace(info, name="")), {})
        return _OfOneInput(self, Preparation(spec, info), kept)


@dataclass(frozen=True)
class _OfOneInput:
    """What one preparation makes of images; used by several threads."""

    inputs: PreparedInputs
    preparation: Preparation
    kept: dict[int, tuple[Tensor, Geometry]]

    def load(self, image: ImageEntry) -> tuple[Tensor, Geometry]:
        """Decode and prepare an image, or return what was kept of it, which nothing may write into.

        Raises:
            UnreadableImageError: It is not an image that can be decoded.
        """
        found = self.kept.get(image.id)
        if found is None:
            found = self.preparation.load(image.file)
            found[0].flags.writeable = False
            if found[0].nbytes <= self.inputs.budget:
                self.inputs.budget -= found[0].nbytes
                self.kept[image.id] = found
        return found
