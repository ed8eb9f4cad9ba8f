"""`--delegate gpu` on this computer: what ran, what it left, what it refuses, and what its figures are worth."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert.schema_py_generated import (
    AddOptionsT,
    MaximumMinimumOptionsT,
    MulOptionsT,
    ShapeOptionsT,
    SubOptionsT,
    TensorType,
)

from harness.delegates import parse_delegate
from harness.drivers.checkup.host import check_gpu
from harness.drivers.local_gpu import DRIVER_VARIABLES, NO_DRIVER, find_gpu, why_unavailable
from harness.rows.verdict import judge
from harness.runtime import load_runtime, make_interpreter
from harness.session import carry_out
from harness.tflite.known_faults import faults_of
from harness.tflite.model import describe
from harness.worker.compiled import COMPILED
from harness.worker.gpu import GpuInterpreter
from tests.benchmarks.bench_forecasts import compare
from tests.support.layouts import ROWS, Layout
from tests.support.paths import MODELS

FLOAT32 = MODELS / "shapes" / "shapes_float32.tflite"
LITERT, REFUSED = "ai-edge-litert 2.3.0", "computed-sizes-off-the-gpu"
OPTIONS = {"ADD": AddOptionsT, "SUB": SubOptionsT, "MUL": MulOptionsT, "MAXIMUM": MaximumMinimumOptionsT}
OTHER_KERNELS = 0.04
"""Float arithmetic in place of 8-bit, and half precision: what may differ between scores."""


@pytest.fixture
def run(prepared, recorder, gpu, quick):
    """Run models over a few images and return their records."""

    def measure(*models, delegates=("gpu",), accuracy=True):
        settings = replace(quick, accuracy=accuracy, limit=12)
        asked = prepared(models=models, delegates=delegates, settings=settings, repetitions=1)
        return carry_out(asked, recorder).records

    return measure


def test_a_model_that_ends_in_a_custom_operator_is_partial_with_what_was_left(run):
    on_cpu, on_gpu = run("shapes-float32", delegates=("cpu:1", "gpu"))
    assert (on_gpu.status, on_gpu.delegate.actual) == ("partial", "gpu")
    assert (on_gpu.delegate.delegated_nodes, on_gpu.delegate.total_nodes) == (54, 55)
    assert "left to the CPU: TFLite_Detection_PostProcess" in on_gpu.reasons[0]
    maps = [record.accuracy.figures.map for record in (on_cpu, on_gpu)]
    assert maps[1] == pytest.approx(maps[0], abs=OTHER_KERNELS)


def test_a_program_in_a_gpus_place_is_named_and_its_latency_proves_nothing(run):
    (record,) = run("shapes-float32", accuracy=False)
    assert record.delegate.software and "SwiftShader" in record.delegate.hardware
    judgment = judge(record, None)
    assert judgment.verdict == "unverified"
    assert any("says nothing of a GPU" in reason for reason in judgment.reasons)


def test_a_model_of_computed_sizes_is_refused_whole_with_the_reason(run, tmp_path):
    layout = Layout()
    options = ShapeOptionsT()
    options.outType = TensorType.INT32
    size = layout.operator("SHAPE", [layout.boxes], [3], "int32", options)
    size = layout.binary("ADD", size, layout.constant([0, 0, 0], "int32"))
    boxes = layout.operator("RESHAPE", [layout.boxes, size], [1, ROWS, 4])
    model = tmp_path / "computed.tflite"
    layout.write(model, [boxes, layout.scores])
    (record,) = run(str(model), accuracy=False)
    assert record.status == "failed"
    assert "takes tensors of fixed size only and refuses the whole model" in record.reasons[0]
    assert "whose size is computed (1 RESHAPE)" in record.reasons[1]


@pytest.mark.parametrize(
    ("by", "taken"), [("SHAPE", True), ("MUL", True), ("ADD", False), ("SUB", False), ("MAXIMUM", False)]
)
def test_the_rule_for_computed_sizes_is_the_accelerators(gpu, tmp_path, by, taken):
    layout, options = Layout(), ShapeOptionsT()
    options.outType = TensorType.INT32
    size = layout.operator("SHAPE", [layout.boxes], [3], "int32", options)
    if by != "SHAPE":
        neutral = layout.constant([int(by == "MUL")] * 3, "int32")
        size = layout.operator(by, [size, neutral], [3], "int32", OPTIONS[by]())
    model = tmp_path / "computed.tflite"
    layout.write(model, [layout.operator("RESHAPE", [layout.boxes, size], [1, ROWS, 4]), layout.scores])
    facts = describe(model)
    assert (facts.computed_sizes.words == "") == taken and not facts.computed_sizes.possible
    assert bool([one for one in faults_of(facts, LITERT, 1, "gpu") if one.fault.name == REFUSED]) != taken
    if taken:
        GpuInterpreter(load_runtime(), str(model), 1, float32=False)
    else:
        with pytest.raises(RuntimeError, match="Failed to modify graph with delegate"):
            GpuInterpreter(load_runtime(), str(model), 1, float32=False)


@pytest.mark.parametrize("model", ["float32", "float16", "dynamic_range", "full_integer"])
def test_what_is_forecast_is_what_the_accelerator_takes(gpu, model):
    rows = list(compare([MODELS / "shapes" / f"shapes_{model}.tflite"]))
    verdicts = {row["accelerator"].split(" ")[0]: row["verdict"] for row in rows}
    assert (verdicts["cpu"], verdicts["gpu"]) == ("right", "right"), rows


def test_a_driver_that_does_not_load_is_a_failure_with_what_to_do(run, tmp_path, monkeypatch):
    broken = tmp_path / "broken.json"
    broken.write_text(
        json.dumps(
            {"file_format_version": "1.0.0", "ICD": {"library_path": "./no.so", "api_version": "1.1.0"}}
        )
    )
    for name in DRIVER_VARIABLES:
        monkeypatch.setenv(name, str(broken))
    (record,) = run("shapes-float32", accuracy=False)
    assert record.status == "failed" and "no GPU was found" in record.reasons[0]
    assert "VK_DRIVER_FILES" in record.reasons[0]


@pytest.mark.parametrize("spelling", ["gpu", "gpu:fp16", "gpu:fp32"])
@pytest.mark.parametrize("model", ["float32", "dynamic_range", "full_integer"])
def test_each_inference_gives_the_outputs_of_its_own_input(gpu, repository, model, spelling):
    file = str(MODELS / "shapes" / f"shapes_{model}.tflite")
    runtime = load_runtime()
    on_gpu = GpuInterpreter(runtime, file, 1, parse_delegate(spelling).option("precision") == "fp32")
    on_cpu = make_interpreter(runtime, file, "cpu", 1)
    images = _photographs(on_cpu, 3)
    for image in (*images, images[0]):
        scores = []
        for interpreter in (on_cpu, on_gpu):
            (begin,) = interpreter.get_input_details()
            interpreter.set_tensor(begin["index"], image)
            interpreter.invoke()
            values = [interpreter.get_tensor(end["index"]) for end in interpreter.get_output_details()]
            scores.append(np.sort(values[2].reshape(-1))[::-1][:3])
            assert [value.shape for value in values] == [(1, 150, 4), (1, 150), (1, 150), (1,)]
        np.testing.assert_allclose(scores[1], scores[0], atol=OTHER_KERNELS)


def _photographs(interpreter, n):
    """Images of the bundled data set, as the model takes them."""
    from PIL import Image

    (begin,) = interpreter.get_input_details()
    files = sorted((MODELS / "shapes" / "dataset" / "images").glob("*.jpg"))[:n]
    pixels = [
        np.asarray(Image.open(file).convert("RGB").resize((144, 144)), np.float32)[None] for file in files
    ]
    scale = 1.0 if begin["dtype"] == np.uint8 else 1 / 127.5
    return [(p * scale - (0 if scale == 1.0 else 1)).astype(begin["dtype"]) for p in pixels]


def test_an_input_of_another_type_or_shape_is_refused_where_litert_copies_its_bytes(gpu):
    interpreter = GpuInterpreter(load_runtime(), str(FLOAT32), 1, float32=False)
    index = interpreter.get_input_details()[0]["index"]
    for value in (np.zeros((1, 144, 144, 3), np.uint8), np.zeros((1, 3, 144, 144), np.float32)):
        with pytest.raises(ValueError, match=r"expected float32 \[1, 144, 144, 3\]"):
            interpreter.set_tensor(index, value)
    with pytest.raises(ValueError, match="no input or output"):
        interpreter.set_tensor(10_000, value)


def test_the_compilers_words_end_where_the_model_is_compiled(gpu, capfd):
    GpuInterpreter(load_runtime(), str(FLOAT32), 1, float32=False)
    words, _, behind = capfd.readouterr().err.partition(COMPILED)
    assert "54 operations will run on the GPU" in words and "will run on the GPU" not in behind


def test_what_the_gpu_needs_is_told_before_a_run(gpu, monkeypatch, tmp_path):
    assert find_gpu().drivers == ("vk_swiftshader_icd",) and why_unavailable(parse_delegate("gpu")) is None
    assert "vk_swiftshader_icd" in check_gpu().found
    assert "an interface of phones" in why_unavailable(parse_delegate("gpu:fp16:cl"))
    for name in DRIVER_VARIABLES:
        monkeypatch.setenv(name, str(tmp_path))
    assert why_unavailable(parse_delegate("gpu")) == NO_DRIVER
    assert NO_DRIVER in check_gpu().found


def test_a_run_without_a_driver_skips_the_cell_and_measures_the_others(run, monkeypatch, tmp_path):
    for name in DRIVER_VARIABLES:
        monkeypatch.setenv(name, str(tmp_path))
    on_cpu, on_gpu = run("shapes-float32", delegates=("cpu:1", "gpu"), accuracy=False)
    assert (on_cpu.status, on_gpu.status, on_gpu.reasons) == ("ok", "skipped", (NO_DRIVER,))
