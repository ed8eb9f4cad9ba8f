"""Running sums against the formulas on whole arrays, and against a second reading of a real model."""

import math
import warnings

import numpy as np
import pytest

from harness.accuracy.dataset import find_dataset
from harness.diagnosis.layers.layers import TensorPair
from harness.diagnosis.layers.matching import match_tensors
from harness.diagnosis.layers.tensors import (
    ComparablePair,
    Sums,
    TensorStorage,
    comparable,
    compare,
    storage_of,
    to_layers,
)
from harness.diagnosis.runs.model_pair import ModelPair, load_model
from harness.diagnosis.runs.prepared_inputs import PreparedInputs
from harness.recognize.find import find_model
from harness.tflite.graph import Quantization, Tensor
from harness.workspace import find_workspace

PAIR = TensorPair(0, 0, "x", "x", "CONV_2D", 0, "name")


def tensor(dtype, quantization=None, n=1000):
    return Tensor(0, "x", (1, n), (1, n), dtype, quantization, 0, False)


def one(scale=0.05, zero_point=-10, n=1000):
    how = Quantization((scale,), (zero_point,))
    return ComparablePair(
        PAIR,
        TensorStorage(tensor("float32", n=n), None, 0),
        TensorStorage(tensor("int8", how, n), scale, zero_point),
    )


def quantized(values, scale, zero_point):
    return np.clip(np.rint(values / scale) + zero_point, -128, 127).astype(np.int8)


def test_the_figures_are_those_of_the_formulas_on_all_values_at_once():
    values = np.random.default_rng(0).normal(1, 4, (5, 1000)).astype(np.float32)
    stored_values = quantized(values, 0.05, -10)
    pair = one()
    sums = Sums.empty([pair])
    for a, b in zip(values, stored_values, strict=True):
        sums.add([sums.of_pair(pair, a, b)])
    layer = next(to_layers([pair], sums))
    real = (stored_values.astype(np.float64) + 10) * 0.05
    exact = values.astype(np.float64)
    error = real - exact
    assert layer.snr_db == pytest.approx(10 * math.log10((exact**2).sum() / (error**2).sum()), abs=1e-3)
    lengths = np.linalg.norm(exact) * np.linalg.norm(real)
    assert layer.cosine == pytest.approx((exact * real).sum() / lengths, abs=1e-6)
    assert layer.mean_error == pytest.approx(error.mean(), abs=1e-6)
    low, high = (-128 + 10) * 0.05, (127 + 10) * 0.05
    assert (layer.range_low, layer.range_high) == pytest.approx((low, high))
    outside = (exact < low - 0.025) | (exact > high + 0.025)
    assert layer.clipped == pytest.approx(outside.mean()) and outside.any()
    assert (layer.float_min, layer.float_max) == pytest.approx((exact.min(), exact.max()))
    assert (layer.quantized_min, layer.quantized_max) == pytest.approx((real.min(), real.max()))


def test_the_range_use_is_the_share_of_the_range_that_is_spanned():
    pair = one(scale=0.1, zero_point=-128, n=2)  # 0 … 25.5
    sums = Sums.empty([pair])
    sums.add([sums.of_pair(pair, np.array([5.1, 10.2], np.float32), np.array([-77, -26], np.int8))])
    assert next(to_layers([pair], sums)).range_use == pytest.approx(0.2)


def test_no_digit_of_the_sums_depends_on_the_thread_that_an_image_was_summed_up_in():
    values = np.random.default_rng(1).normal(0, 1, (4, 1000)).astype(np.float32)
    pair = one()
    whole, threads = Sums.empty([pair]), [Sums.empty([pair]), Sums.empty([pair])]
    for k, a in enumerate(values):
        whole.add([whole.of_pair(pair, a, quantized(a, 0.05, -10))])
        threads[0].add([threads[k % 2].of_pair(pair, a, quantized(a, 0.05, -10))])
    assert np.array_equal(threads[0].totals, whole.totals)
    assert np.array_equal(threads[0].ends, whole.ends)
    assert threads[0].n_images == 4


def test_equal_tensors_have_no_noise_and_tensors_of_zeros_no_ratio():
    pair = ComparablePair(
        PAIR, TensorStorage(tensor("float32"), None, 0), TensorStorage(tensor("float32"), None, 0)
    )
    for values, cosine in ((np.ones(1000, np.float32), 1.0), (np.zeros(1000, np.float32), None)):
        sums = Sums.empty([pair])
        sums.add([sums.of_pair(pair, values, values.copy())])
        layer = next(to_layers([pair], sums))
        assert layer.snr_db is None and layer.cosine == cosine
        assert layer.range_use is None and layer.clipped is None


def test_values_that_are_no_numbers_are_counted_and_left_out():
    pair = ComparablePair(
        PAIR, TensorStorage(tensor("float32", n=4), None, 0), TensorStorage(tensor("float32", n=4), None, 0)
    )
    sums = Sums.empty([pair])
    sums.add(
        [sums.of_pair(pair, np.array([1, 2, 3, 4], np.float32), np.array([1, np.inf, np.nan, 5], np.float32))]
    )
    layer = next(to_layers([pair], sums))
    assert layer.not_finite == 0.5
    assert layer.snr_db == pytest.approx(10 * math.log10((1 + 16) / 1))


def test_numbers_whose_squares_float32_cannot_hold_are_summed_all_the_same():
    pair = ComparablePair(
        PAIR, TensorStorage(tensor("float32", n=2), None, 0), TensorStorage(tensor("float32", n=2), None, 0)
    )
    sums = Sums.empty([pair])
    sums.add([sums.of_pair(pair, np.array([1e30, 1], np.float32), np.array([-3e38, 1], np.float32))])
    layer = next(to_layers([pair], sums))
    assert layer.not_finite == 0 and layer.snr_db == pytest.approx(20 * math.log10(1e30 / 3e38), abs=1e-6)


def test_numbers_without_real_values_are_not_compared():
    assert storage_of(tensor("int32")) is None
    assert storage_of(tensor("int8")) is None
    assert storage_of(tensor("int8", Quantization((0.1, 0.2), (0, 0), 0))) is None


def test_a_real_model_s_figures_are_those_of_a_plain_second_reading(repository):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    workspace = find_workspace(str(repository))
    models = [find_model(name, workspace) for name in ("shapes-float32", "shapes-full-integer")]
    pair = ModelPair(load_model("float", models[0]), load_model("quantized", models[1]))
    graphs = [model.graph for model in pair.models]
    pairs = comparable(match_tensors(*graphs), *(graph.primary for graph in graphs))
    images = find_dataset(repository / "models/shapes/dataset").images[:2]
    layers = list(to_layers(pairs, compare(pair, pairs, images, PreparedInputs(), lambda *_: None)))

    from PIL import Image

    readers = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of the memory that preserved tensors take
        for model in pair.models:
            reader = Interpreter(
                model_path=str(model.file), experimental_preserve_all_tensors=True,
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )  # fmt: skip
            reader.allocate_tensors()
            readers.append(reader)
    chosen = [layer for layer in layers if layer.pair.operator in {"INPUT", "DEPTHWISE_CONV_2D", "LOGISTIC"}][
        :6
    ]
    signal, noise = np.zeros(len(chosen)), np.zeros(len(chosen))
    for image in images:
        pixels = np.asarray(
            Image.open(image.path).convert("RGB").resize((144, 144), Image.Resampling.BILINEAR)
        )
        feeds = [((pixels - 127.5) / 127.5).astype(np.float32)[None], pixels[None]]
        for reader, feed in zip(readers, feeds, strict=True):
            reader.set_tensor(reader.get_input_details()[0]["index"], feed)
            reader.invoke()
        for k, layer in enumerate(chosen):
            a = readers[0].get_tensor(layer.pair.float).astype(np.float64)
            b = readers[1].get_tensor(layer.pair.quantized).astype(np.float64)
            b = (b - layer.zero_point) * layer.scale
            signal[k] += (a**2).sum()
            noise[k] += ((a - b) ** 2).sum()
    assert [layer.snr_db for layer in chosen] == pytest.approx(10 * np.log10(signal / noise), abs=0.01)
