"""CenterNet's peaks, computed by hand."""

import numpy as np
import pytest

from harness.cards import DecoderSpec, NmsSpec
from harness.detectors.registry import make_decoder
from harness.errors import ModelError
from harness.tflite.tensor_info import TensorInfo


def test_peaks_become_boxes_and_their_neighbours_do_not():
    heat = np.zeros((1, 4, 8, 2), np.float32)
    heat[0, 1, 2, 1], heat[0, 1, 3, 1], heat[0, 3, 7, 0] = 0.9, 0.8, 0.5
    sizes, offsets = np.zeros((1, 4, 8, 2), np.float32), np.zeros((1, 4, 8, 2), np.float32)
    sizes[0, 1, 2], offsets[0, 1, 2] = [1.0, 2.0], [0.5, 0.25]  # height, width; y, x
    sizes[0, 3, 7] = [2.0, 2.0]
    given = {"heatmap": heat, "offsets": offsets, "sizes": sizes}
    for order in ("heatmap,sizes,offsets", "offsets,heatmap,sizes"):
        tensors = [given[role] for role in order.split(",")]
        spec = DecoderSpec(name="centernet", order=order, nms=NmsSpec(score_threshold=0.1))
        found = make_decoder(spec, [TensorInfo("", t.shape, "float32") for t in tensors])(tensors)
        assert found.classes.tolist() == [1, 0]
        np.testing.assert_allclose(found.scores, [0.9, 0.5])
        x, y = (2 + 0.25) / 8, (1 + 0.5) / 4
        np.testing.assert_allclose(
            found.boxes[0], [x - 1 / 8, y - 0.5 / 4, x + 1 / 8, y + 0.5 / 4], rtol=1e-6
        )


def test_outputs_that_are_no_maps_are_refused():
    with pytest.raises(ModelError, match="centernet"):
        make_decoder(DecoderSpec(name="centernet"), [TensorInfo("", (1, 4, 4, 2), "float32")])
