"""Folding float16 constants changes no value, and adds the signature that calibration runs a model by."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from harness.errors import ModelError
from harness.quantization import fold
from harness.tflite.model import describe, load

interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")


def run(data, seed=0):
    engine = interpreter.Interpreter(model_content=data, num_threads=1)
    engine.allocate_tensors()
    entry = engine.get_input_details()[0]
    values = np.random.default_rng(seed).uniform(-1, 1, entry["shape"]).astype(np.float32)
    engine.set_tensor(entry["index"], values)
    engine.invoke()
    return [engine.get_tensor(out["index"]) for out in engine.get_output_details()]


def test_a_folded_float16_model_is_float32_and_gives_the_same_outputs(repository, tmp_path):
    path = repository / "models" / "shapes" / "shapes_float16.tflite"
    data = fold.to_float32(path.read_bytes(), path)
    folded = tmp_path / "folded.tflite"
    folded.write_bytes(data)
    description, graph = load(folded)
    assert (describe(path).quantization, description.quantization) == ("float16", "float32")
    assert "DEQUANTIZE" not in dict(description.operators)
    assert "float16" not in {tensor.dtype for tensor in graph.primary.tensors}
    for before, after in zip(run(path.read_bytes()), run(data), strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_float32_model_with_a_signature_is_left_as_it_is(repository):
    path = repository / "models" / "shapes" / "shapes_float32.tflite"
    data = path.read_bytes()
    assert fold.to_float32(data, path) is data


def test_a_model_without_a_signature_gets_one_of_its_tensors_names(shared_data):
    path = shared_data / "models" / "yolov5n-fp16.tflite"
    engine = interpreter.Interpreter(model_content=fold.to_float32(path.read_bytes(), path))
    assert engine.get_signature_list() == {
        "serving_default": {"inputs": ["input_1"], "outputs": ["Identity"]}
    }


@pytest.mark.parametrize("name", ["full_integer", "dynamic_range"])
def test_a_quantized_source_is_refused_by_its_kind(repository, name):
    path = repository / "models" / "shapes" / f"shapes_{name}.tflite"
    kind = describe(path).quantization
    with pytest.raises(ModelError, match=f"found a {kind} model, expected float32"):
        fold.check_float(path, kind)


def test_damaged_bytes_are_a_model_error(repository):
    path = repository / "models" / "shapes" / "shapes_float32.tflite"
    with pytest.raises(ModelError):
        fold.to_float32(path.read_bytes()[:2000], Path("cut.tflite"))


def test_the_labels_behind_a_model_are_found_whole(repository):
    path = repository / "models" / "shapes" / "shapes_float32.tflite"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("labels.txt", "circle\nsquare\n")
    assert fold.members_behind(path.read_bytes(), path) == {}
    behind = fold.members_behind(path.read_bytes() + archive.getvalue(), path)
    assert behind == {"labels.txt": b"circle\nsquare\n"}
