"""A float model that rounds as a quantized one does."""

import numpy as np
import pytest

from harness.cards import load_card
from harness.diagnosis.layers.emulate import (
    Emulator,
    QuantizationParameters,
    QuantizedParts,
    parameters_for_range,
)
from harness.diagnosis.layers.quantization_map import map_quantization, round_per_channel
from harness.diagnosis.runs.changes import Change
from harness.diagnosis.runs.model_pair import ModelPair, load_model
from harness.errors import ModelError
from harness.tflite.model import describe, load
from harness.tflite.values import real_values
from tests.support.examining import examined
from tests.support.faults import library


@pytest.fixture(scope="module")
def float_model(repository):
    return load_model("float", load_card(repository / "models" / "shapes-float32.toml"))


@pytest.fixture(scope="module")
def quantized_model(repository):
    return load_model("quantized", load_card(repository / "models" / "shapes-full-integer.toml"))


@pytest.mark.parametrize(
    ("low", "high", "scale", "zero_point"),
    [(-1.0, 1.0, 2 / 255, 0), (0.0, 6.0, 6 / 255, -128), (2.0, 5.1, 0.02, -128), (0.0, 0.0, 1.0, -128)],
)
def test_a_range_is_stored_with_zero_in_it(low, high, scale, zero_point):
    found = parameters_for_range(low, high)
    assert found.scale == pytest.approx(scale)
    assert abs(found.zero_point - zero_point) <= 1  # -1…1 has its zero between two steps
    assert found.range[0] <= min(low, 0) + found.scale and found.range[1] >= max(high, 0) - found.scale


def emulated_by(data, parts, path):
    return Emulator(data, path).with_parts(parts)


def run(data, image):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    return {d["name"]: interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()}


def test_a_rounded_input_is_the_rounded_input(float_model):
    """The model gives what it gives for an image that NumPy has rounded."""
    image = np.random.default_rng(0).uniform(-1, 1, (1, 144, 144, 3)).astype(np.float32)
    stored = QuantizationParameters(0.25, 0)
    (index,) = float_model.graph.primary.inputs
    data = float_model.file.read_bytes()
    emulated = run(emulated_by(data, QuantizedParts({index: stored}), float_model.file), image)
    rounded = (np.clip(np.round(image / 0.25), -128, 127) * 0.25).astype(np.float32)
    expected = run(data, rounded)
    for name, values in expected.items():
        assert emulated[name] == pytest.approx(values, abs=1e-4)


@pytest.fixture
def pair_of_parts(float_model, quantized_model):
    mapping = map_quantization(ModelPair(float_model, quantized_model))
    activations = list(mapping.activations.items())
    weights = {one.float_index: one.values for one in mapping.weights[:2]}
    return float_model, [
        QuantizedParts(dict(activations[:1]), weights),
        QuantizedParts(dict(activations[-3:])),
    ]


def test_replaced_weights_are_those_that_compute(float_model):
    """All-zero weights and biases in the class heads give the score of sigmoid(0) to every box."""
    graph = float_model.graph.primary
    heads = [
        index
        for operator in graph.operators
        if "class" in graph.tensors[operator.outputs[0]].name and operator.name == "CONV_2D"
        for index in operator.inputs[1:]
    ]
    zeros = {index: np.zeros(graph.tensors[index].shape, np.float32) for index in heads}
    emulated = emulated_by(float_model.file.read_bytes(), QuantizedParts(weights=zeros), float_model.file)
    scores = [
        v for v in run(emulated, np.zeros((1, 144, 144, 3), np.float32)).values() if v.shape == (1, 150)
    ]
    assert any(np.allclose(values[values > 0], 0.5) and (values > 0).any() for values in scores)


def test_a_model_that_is_quantized_in_parts_again_and_again_is_as_it_was_each_time(pair_of_parts):
    float_model, parts = pair_of_parts
    data, path = float_model.file.read_bytes(), float_model.file
    emulator = Emulator(data, path)
    for some in (*parts, *reversed(parts)):
        assert emulator.with_parts(some) == emulated_by(data, some, path)


def test_a_quantized_part_is_described_as_its_file_would_be(pair_of_parts, tmp_path):
    float_model, parts = pair_of_parts
    emulator, file = Emulator(float_model.file.read_bytes(), float_model.file), tmp_path / "some.tflite"
    file.write_bytes(emulator.with_parts(parts[0]))
    found, read = emulator.describe(file.read_bytes(), file), describe(file)
    for name in ("path", "sha256", "size_bytes", "inputs", "postprocess", "places"):
        assert getattr(found, name) == getattr(read, name)
    assert [one.shape for one in found.outputs] == [one.shape for one in read.outputs]


def test_the_whole_comes_near_the_quantized_model(workshop):
    result = examined(library.HEALTHY["full-integer"](workshop), 40)
    evidence = result.diagnosis.evidence
    pair = evidence.pair
    data = emulated_by(pair.float.file.read_bytes(), map_quantization(pair).parts(), pair.float.file)
    file = workshop.folder / "whole.tflite"
    file.write_bytes(data)
    found = evidence.runs.detections(pair.float, Change("emulated", file=file))
    assert abs(evidence.runs.compare(evidence.loss.quantized.detections, found).difference) < 0.01


def test_every_activation_and_weight_of_the_example_is_mapped(float_model, quantized_model):
    mapping = map_quantization(ModelPair(float_model, quantized_model))
    assert len(mapping.weights) == 39 and all(layer.n_scales > 1 for layer in mapping.weights)
    for layer in mapping.weights:
        step = np.abs(layer.float_values).max() / 127
        assert np.abs(layer.values - layer.float_values).max() <= step


def test_without_a_float_model_there_is_nothing_to_emulate(float_model, quantized_model):
    assert map_quantization(ModelPair(None, quantized_model)) is None
    assert map_quantization(ModelPair(quantized_model, float_model)) is None
    assert map_quantization(ModelPair(float_model, float_model)) is None


def test_one_scale_a_channel_keeps_small_channels():
    """127 steps to the greatest of each channel: 0.01 is 127 steps of its own, and 0 steps of the other's."""
    values = np.array([[1.27, -1.0], [0.01, -0.006]], np.float32)
    found = round_per_channel(values, axis=0)
    assert found[0].tolist() == pytest.approx([1.27, -1.0])
    assert found[1].tolist() == pytest.approx([0.01, -76 * 0.01 / 127])


def test_stored_weights_stand_for_scale_times_q_less_zero_point(repository):
    _, graph = load(repository / "models" / "shapes" / "shapes_full_integer.tflite")
    tensor = next(t for t in graph.primary.tensors if t.constant and t.quantization and t.dtype == "int8")
    raw = np.frombuffer(bytes(graph.data(tensor)), np.int8).reshape(tensor.shape)
    axis, k = tensor.quantization.axis, 1
    expected = (
        np.take(raw, k, axis).astype(float) - tensor.quantization.zero_points[k]
    ) * tensor.quantization.scales[k]
    assert np.take(real_values(graph, tensor), k, axis) == pytest.approx(expected)


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(ModelError):
        emulated_by(
            b"\0\0\0\0TFL3" + bytes(40),
            QuantizedParts({0: QuantizationParameters(1.0, 0)}),
            tmp_path / "x.tflite",
        )
