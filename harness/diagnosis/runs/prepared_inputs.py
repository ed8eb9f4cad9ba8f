"""Pictures at the size of an input, kept for the preparations and models that are fed them: decoding takes its time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from harness.accuracy.dataset import ImageEntry
from harness.accuracy.prepare import Geometry, Preparation, Tensor
from harness.cards import InputSpec
from harness.tflite.tensor_info import TensorInfo

BUDGET = 256 << 20
"""Bytes of pictures that are kept: 200 of a YOLO's size, or 1,000 of a small SSD's."""
_Placed = tuple[npt.NDArray[np.uint8], Geometry]


@dataclass
class PreparedInputs:
    """Pictures by the way that they were placed in an input, and by image.

    Attributes:
        budget: Bytes of pictures that may still be kept.
    """

    budget: int = BUDGET
    _kept: dict[InputSpec, dict[int, _Placed]] = field(default_factory=dict, repr=False)

    def of(self, spec: InputSpec, info: TensorInfo) -> OneInput:
        """Return the inputs for a card's preparation and a model's first input."""
        placing = replace(spec, channels="rgb", mean=None, std=None)
        return OneInput(self, Preparation(spec, info), self._kept.setdefault(placing, {}))


@dataclass(frozen=True)
class OneInput:
    """What one preparation makes of images; used by several threads."""

    inputs: PreparedInputs
    preparation: Preparation
    kept: dict[int, _Placed]

    def load(self, image: ImageEntry) -> tuple[Tensor, Geometry]:
        """Decode and prepare an image, or prepare what was kept of it; nothing may write into the input.

        Raises:
            UnreadableImageError: It is not an image that can be decoded.
        """
        found = self.kept.get(image.id)
        if found is None:
            found = self.preparation.load_placed(image.file)
            found[0].flags.writeable = False
            if found[0].nbytes <= self.inputs.budget:
                self.inputs.budget -= found[0].nbytes
                self.kept[image.id] = found
        return self.preparation.of_placed(found[0]), found[1]
