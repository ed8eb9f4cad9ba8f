"""How a model is quantized: each kind made by a tool that makes it, or by hand where no tool is at hand."""

import numpy as np
import pytest

from harness.tflite.model import describe
from tests.support.paths import MODELS

UINT8, INT8 = 3, 9


@pytest.mark.parametrize("postprocess", [True, False])
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("dynamic_wi8_afp32", "dynamic-range"),
        ("dynamic_wi4_afp32", "dynamic-range"),
        ("weight_only_wi8_afp32", "weight-only"),
        ("weight_only_wi4_afp32", "weight-only"),
        ("static_wi8_ai8", "full-integer"),
        ("static_wi8_ai16", "full-integer"),
        ("static_float_io", "full-integer-float-io"),
        ("two_layers_static", "mixed"),
        ("float16", "float16"),
    ],
)
def test_what_the_quantizer_makes_is_recognised(
    make_detector, write_model, quantize, postprocess, kind, expected
):
    source = write_model(make_detector(postprocess=postprocess), "float.tflite")
    description = describe(write_model(quantize(source, kind), "quantized.tflite"))
    assert description.quantization == expected, description.quantization_evidence


def test_a_float_model_is_float32(make_detector, write_model):
    description = describe(write_model(make_detector()))
    assert description.quantization == "float32"
    assert "5 of 5 weight tensors are float32." in description.quantization_evidence


def test_float16_weights_behind_dequantize_are_float16(make_detector, write_model):
    assert describe(write_model(make_detector(stored="float16"))).quantization == "float16"


def conv_with_weights(network, source, channels, dtype):
    depth, scale = network.shape(source)[3], None if dtype == np.float32 else 0.01
    weights = network.constant("w", np.ones((channels, 1, 1, depth), dtype), scale=scale)
    output = network.tensor("conv", [*network.shape(source)[:3], channels])
    return network.operator("CONV_2D", [source, weights, -1], [output])


@pytest.mark.parametrize(
    ("float_channels", "expected"),
    [
        (15, "dynamic-range"),
        (64, "mixed"),
    ],  # 64 x 15 = 960 elements, 64 x 64 = 4096: converters leave < 1024 in float
)
def test_weights_that_the_converter_leaves_in_float_decide_only_when_they_are_large(
    make_network, write_model, float_channels, expected
):
    network = make_network()
    last = conv_with_weights(network, network.input([1, 8, 8, 64]), 64, np.int8)
    network.graph.outputs = [conv_with_weights(network, last, float_channels, np.float32)]
    assert describe(write_model(network)).quantization == expected


def quantized_conv(network, source, zero_point, dtype=np.uint8):
    """Add a 1×1 convolution whose weights and output have one type and one scale each."""
    depth, code = network.shape(source)[3], UINT8 if dtype == np.uint8 else INT8
    values = np.full((8, 1, 1, depth), 7, dtype)
    weights = network.constant("w", values, scale=0.02, zero_point=zero_point)
    bias = network.constant("b", np.zeros(8, np.int32), scale=0.001)
    shape = [*network.shape(source)[:3], 8]
    output = network.tensor("conv", shape, code, scale=0.1, zero_point=3)
    return network.operator("CONV_2D", [source, weights, bias], [output])


@pytest.mark.parametrize(
    ("dtype", "zero_point", "expected"),
    [(np.uint8, 117, "qat-uint8"), (np.uint8, 128, "full-integer"), (np.int8, 0, "full-integer")],
)
def test_asymmetric_uint8_weights_tell_training_from_post_training(
    make_network, write_model, dtype, zero_point, expected
):
    network = make_network()
    source = network.input([1, 8, 8, 3], UINT8 if dtype == np.uint8 else INT8, scale=1 / 128, zero_point=5)
    network.graph.outputs = [
        quantized_conv(network, quantized_conv(network, source, zero_point, dtype), zero_point, dtype)
    ]
    assert describe(write_model(network)).quantization == expected


def test_a_float_sigmoid_at_the_end_does_not_make_a_small_model_mixed(make_network, write_model):
    network = make_network()
    last = network.input([1, 8, 8, 3], INT8, scale=1 / 128)
    for _ in range(4):
        last = quantized_conv(network, last, 0, np.int8)
    floats = network.tensor("real", network.shape(last))
    network.operator("DEQUANTIZE", [last], [floats])
    network.graph.outputs = [network.logistic(floats)]
    assert describe(write_model(network)).quantization == "full-integer"


@pytest.mark.parametrize(
    ("fed", "expected"), [(UINT8, "qat-uint8"), (0, "full-integer")], ids=["fed uint8", "fed float"]
)
def test_a_compiled_model_is_told_by_what_postprocess_is_fed(make_network, write_model, fed, expected):
    network = make_network()
    source = network.input([1, 32, 48, 3], UINT8, scale=1 / 128, zero_point=128)
    quantization = {"scale": 0.1} if fed else {}
    boxes = network.tensor("boxes", [1, 8, 4], fed, **quantization)
    scores = network.tensor("scores", [1, 8, 91], fed, **quantization)
    network.operator("edgetpu-custom-op", [source], [boxes, scores], custom_options=b"compiled")
    network.postprocess(boxes, scores, 90)
    description = describe(write_model(network))
    assert description.quantization == expected
    assert description.edgetpu


def test_a_model_without_computing_operators_is_unknown(make_network, write_model):
    network = make_network()
    network.graph.outputs = [network.reshape(network.input([1, 4]), [4], "flat")]
    assert describe(write_model(network)).quantization == "unknown"


def test_every_judgement_has_evidence(shared_models):
    for path in shared_models:
        evidence = describe(path).quantization_evidence
        assert evidence
        assert all(sentence.endswith(".") for sentence in evidence)


def bundled():
    return sorted((MODELS / "shapes").glob("*.tflite"))


@pytest.mark.parametrize("path", bundled(), ids=lambda path: path.stem)
def test_the_bundled_models_are_what_their_names_say(path):
    expected = next(
        kind
        for kind in ("float32", "float16", "dynamic-range", "full-integer")
        if kind in path.stem.replace("_", "-")
    )
    description = describe(path)
    assert description.quantization == expected, description.quantization_evidence
