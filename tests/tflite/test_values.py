"""real = scale × (q − zero point): by hand, and there and back again."""

import numpy as np
import pytest

from harness.tflite.graph import Graph, Quantization, Subgraph, Tensor
from harness.tflite.values import input_stats, real_range, real_values, to_integers, to_real


def constant(values, quantization):
    raw = np.asarray(values)
    tensor = Tensor(0, "weights", raw.shape, raw.shape, raw.dtype.name, quantization, 1, True)
    graph = Graph(3, "", (Subgraph("", (tensor,), (), (), ()),), {}, {1: memoryview(raw.tobytes())})
    return graph, tensor


def test_real_values_are_the_scale_times_the_distance_from_the_zero_point():
    assert to_real(np.array([0, 128, 255], np.uint8), 0.5, 128).tolist() == [-64.0, 0.0, 63.5]
    assert to_real(np.array([-128, 127], np.int8), 2.0, -128).tolist() == [0.0, 510.0]


def test_real_values_can_be_written_to_memory_that_is_there():
    out = np.empty(2, np.float32)
    found = to_real(np.array([1, 2], np.int16), 0.25, 0, out=out)
    assert np.shares_memory(found, out) and out.tolist() == [0.25, 0.5]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16"])
def test_every_integer_survives_the_way_to_its_real_value_and_back(dtype):
    limits = np.iinfo(dtype)
    values = np.arange(limits.min, limits.max + 1).astype(dtype)
    real = to_real(values, 0.037, 3, np.float64)
    assert (to_integers(real, 0.037, 3, dtype) == values).all()
    assert (float(real[0]), float(real[-1])) == pytest.approx(real_range(dtype, 0.037, 3))


def test_what_an_integer_cannot_hold_is_clipped():
    assert to_integers(np.array([-9.0, 0.4, 9.0]), 0.01, None, "int8").tolist() == [-128, 40, 127]


def test_a_constant_with_a_scale_a_channel_has_its_own_step_in_each():
    stored = Quantization(scales=(1.0, 0.5), zero_points=(0, 10), axis=1)
    found = real_values(*constant(np.array([[2, 12], [4, 14]], np.int8), stored))
    assert found.tolist() == [[2.0, 1.0], [4.0, 2.0]]
    assert real_values(*constant(np.array([1.5], np.float16), None)).tolist() == [1.5]


def test_the_stats_of_the_converter_are_those_of_pixels_also_for_int8():
    assert input_stats("uint8", 1 / 127.5, 127) == pytest.approx((127, 127.5))
    assert input_stats("int8", 1 / 127.5, -1) == pytest.approx((127, 127.5))
    assert input_stats("int16", 1.0, 0) is None and input_stats("uint8", None, None) is None
    assert real_range("float32", 1.0, 0) is None and real_range("int8", 0.0, 0) is None
