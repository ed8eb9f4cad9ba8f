"""Faults that are known beforehand: told of the right models, runtimes and threads, and still there."""

from dataclasses import replace
from importlib import metadata

import pytest

from harness.delegates import parse_delegate
from harness.tflite.computed_sizes import ComputedSizes
from harness.tflite.fault_conditions import CONDITIONS, changed_classes
from harness.tflite.known_faults import Versions, faults_of, faults_of_version, faults_table, known_faults
from harness.tflite.model import describe
from harness.tflite.tensor_info import TensorInfo
from tests.support.fault_probes import ELSEWHERE, PROBES
from tests.support.networks import FLOAT32, INT8, Network, detector
from tests.support.paths import MODELS, REPOSITORY

LITERT = "ai-edge-litert 2.3.0"


def wrong(found):
    """Those that make rows incorrect."""
    return [one for one in found if one.incorrect]


@pytest.fixture(scope="module")
def regular():
    """The description of a model with regular NMS over six classes."""
    facts = describe(MODELS / "shapes" / "shapes_float32.tflite")
    return replace(facts, postprocess=replace(facts.postprocess, use_regular_nms=True))


def test_the_class_that_several_threads_lose_is_named(regular):
    found, *_ = faults_of(regular, LITERT, 2)
    assert found.incorrect and found.fault.name == "regular-nms-loses-a-class"
    assert found.sentence.startswith("regular NMS on 2 threads never reports class 2")
    assert "harness edit nms --fast" in found.sentence


@pytest.mark.parametrize("threads", [1, 6, 8])
def test_one_thread_and_as_many_as_classes_lose_none(regular, threads):
    assert not wrong(faults_of(regular, LITERT, threads))


@pytest.mark.parametrize("threads", [2, 3, 4, 5])
def test_fast_nms_loses_none(regular, threads):
    fast = replace(regular, postprocess=replace(regular.postprocess, use_regular_nms=False))
    assert not wrong(faults_of(fast, LITERT, threads)) and not wrong(faults_of(fast))


@pytest.mark.parametrize(
    ("runtime", "held"),
    [
        ("ai-edge-litert 2.3.0", True),
        ("ai-edge-litert 2.4.0.dev20261026", True),
        ("ai-edge-litert 2.5.0", False),
        ("ai-edge-litert 2.2.9", False),
        ("ai-edge-litert-nightly 2.3.0", False),
        ("ai-edge-litert", False),
        ("benchmark_model sha256:0123", False),
    ],
)
def test_versions_are_compared_as_numbers(runtime, held):
    assert Versions(name="ai-edge-litert", first="2.3", last="2.4").holds(runtime) is held


@pytest.mark.parametrize(
    "runtime", ["benchmark_model tflite sha256:0123", "eval_coco_object_detection sha256:0123"]
)
def test_a_tool_that_never_tells_its_version_is_known_by_its_name(regular, runtime):
    (found,) = wrong(faults_of(regular, runtime, 4))
    assert "never reports class 4" in found.sentence
    assert not wrong(faults_of(regular, "another_tool 1.0", 4))


@pytest.fixture(scope="module")
def rounded(regular):
    """The description of a model of 90 classes whose class output is int8, with room up to 17."""
    names = {0: "boxes", 1: "classes", 2: "scores", 3: "count"}
    outputs = tuple(TensorInfo(name, (1, 10), "int8", 17 / 255, -128) for name in names.values())
    options = replace(regular.postprocess, num_classes=90, use_regular_nms=False)
    return replace(regular, outputs=outputs, places=tuple(names), postprocess=options)


def test_class_numbers_that_their_scale_cuts_are_an_error_whatever_runs_them(rounded):
    for runtime, delegate in ((LITERT, "cpu"), ("benchmark_model tflite sha256:0123", "nnapi"), (None, None)):
        (found,) = wrong(faults_of(rounded, runtime, 1, delegate))
        assert found.sentence.startswith("72 of 90 class numbers cannot be told from others")
        assert "holds class 18 as 17" in found.sentence


def _behind_class_numbers(network, *steps):
    """Let the class numbers of a network pass through operators that change their type; each (name, dtype, scale)."""
    own = network.graph.outputs[1]
    for at, (name, dtype, scale) in enumerate(steps):
        made = network.tensor(f"classes{at}", [], dtype, scale=scale, zero_point=-128 if scale else 0)
        network.graph.outputs[1] = network.operator(name, [network.graph.outputs[1]], [made])
    assert network.graph.outputs[1] != own
    return network.bytes()


@pytest.mark.parametrize(("room", "wrong_ones"), [(17, 72), (89, 0)])
def test_class_numbers_that_are_cut_inside_the_graph_are_found_though_the_output_is_float(
    tmp_path, room, wrong_ones
):
    path = tmp_path / "inside.tflite"
    steps = (("QUANTIZE", INT8, room / 255), ("DEQUANTIZE", FLOAT32, None))
    path.write_bytes(_behind_class_numbers(detector(90), *steps))
    facts = describe(path)
    assert facts.outputs[1].dtype == "float32" and facts.places == (0, 1, 2, 3)
    sentences = [one.sentence for one in wrong(faults_of(facts, LITERT, 1, "cpu"))]
    assert len(sentences) == bool(wrong_ones)
    for sentence in sentences:
        assert sentence.startswith(f"{wrong_ones} of 90 class numbers")
        assert "the int8 tensor 'classes0' before the output holds class 18 as 17" in sentence


def test_the_reshape_that_an_npu_reads_as_unsigned_is_told_of_its_backend_alone(tmp_path):
    network, path = Network(), tmp_path / "five.tflite"
    source = network.input([1, 2, 4, 5, 4], INT8, "anchors", scale=0.008, zero_point=-62)
    network.graph.outputs = [network.reshape(source, [1, 40, 4], "flat")]
    path.write_bytes(network.bytes())
    facts = describe(path)
    runtime = "ai-edge-litert 2.3.0 with onnxruntime-qnn 2.7.0, QNN v2.51.0"
    (found,) = faults_of(facts, runtime, 1, "npu")
    assert found.fault.name == "signed-reshape-off-by-128" and "('anchors')" in found.sentence
    assert not list(faults_of(facts, LITERT, 1, "npu")) and not list(faults_of(facts, runtime, 1, "cpu"))
    openvino = parse_delegate("npu:openvino:gpu").kind_and_maker
    assert not list(faults_of(facts, None, 1, openvino)) and list(faults_of(facts, None, 1, "npu"))


@pytest.mark.parametrize(
    ("scale", "zero", "dtype", "n"),
    [
        (1.0, 0, "uint8", 90),
        (89 / 255, -128, "int8", 90),
        (0.5, -128, "int8", 100),
        (None, None, "float32", 90),
    ],
)
def test_a_scale_that_holds_every_class_changes_none(scale, zero, dtype, n):
    assert not changed_classes(TensorInfo("classes", (1, 10), dtype, scale, zero), n)


def test_a_scale_above_one_merges_neighbours():
    assert changed_classes(TensorInfo("classes", (1, 10), "uint8", 2.0, 0), 4) == {1: 2, 3: 4}


def test_the_gpu_alone_is_told_of_sizes_that_are_computed(regular):
    computed = replace(regular, computed_sizes=ComputedSizes((("RESHAPE", 15), ("TILE", 5))))
    (found,) = (one for one in faults_of(computed, LITERT, 1, "gpu") if not one.fault.avoided)
    assert "(15 RESHAPE, 5 TILE)" in found.sentence and not found.incorrect
    assert not wrong(faults_of(computed, LITERT, 1, "cpu"))


def test_every_fault_is_whole():
    for fault in known_faults():
        assert fault.condition in CONDITIONS and fault.runtimes
        assert all(parse_delegate(one).kind_and_maker == one for one in fault.delegates)
        assert fault.source.startswith("https://") or (REPOSITORY / fault.source).is_file(), fault.name
        assert "{" not in fault.in_general


def test_the_table_of_the_documents_is_the_file():
    assert faults_table() in (REPOSITORY / "devices" / "README.md").read_text(encoding="utf-8")


def test_every_fault_is_looked_for():
    assert {fault.name for fault in known_faults()} == {*PROBES, *ELSEWHERE}


@pytest.mark.parametrize(
    "fault", [one for one in known_faults() if one.name in PROBES], ids=lambda fault: fault.name
)
def test_what_is_installed_still_has_the_fault(fault):
    """Where this fails, the fault is gone: end its versions in `known_faults.toml` with the last that had it."""
    name = fault.runtimes[0].name
    try:
        version = f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        pytest.skip(f"{name} is not installed")
    assert PROBES[fault.name]() == (fault in faults_of_version(version)), f"{version}: {fault.name}"
