"""The bundled models: what their cards say is so, measured here without the harness's own pipeline."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.interpreters import list_nodes
from tests.support.paths import MODELS

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

litert = pytest.importorskip("ai_edge_litert.interpreter")

QUANTIZATIONS = ("float32", "float16", "dynamic-range", "full-integer")


def card(quantization: str) -> dict[str, Any]:
    return tomllib.loads((MODELS / f"shapes-{quantization}.toml").read_text())


def file(quantization: str) -> Path:
    return MODELS / str(card(quantization)["source"]["path"])


def interpreter(quantization: str, delegate: bool = True) -> Any:
    resolver = litert.OpResolverType
    kind = resolver.AUTO if delegate else resolver.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    made = litert.Interpreter(str(file(quantization)), num_threads=1, experimental_op_resolver_type=kind)
    made.allocate_tensors()
    return made


def outputs(model: Any, image: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    (entry,) = model.get_input_details()
    pixels = image if entry["dtype"] == np.uint8 else (image.astype(np.float32) - 127.5) / np.float32(127.5)
    model.set_tensor(entry["index"], pixels[None])
    model.invoke()
    return [model.get_tensor(out["index"]) for out in model.get_output_details()]


def weights(quantization: str) -> dict[str, int]:
    """Count the elements of the constants with two dimensions or more, by type, anchors included."""
    model = interpreter(quantization, delegate=False)
    made = {t for op in list_nodes(model) for t in op["outputs"]} | {
        entry["index"] for entry in model.get_input_details()
    }
    found: dict[str, int] = {}
    for tensor in model.get_tensor_details():
        if tensor["index"] not in made and len(tensor["shape"]) > 1:
            kind = np.dtype(tensor["dtype"]).name
            found[kind] = found.get(kind, 0) + int(np.prod(tensor["shape"]))
    return found


def mean_average_precision(quantization: str) -> float:
    coco, cocoeval = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    settings = card(quantization)
    folder = MODELS / settings["dataset"]["path"]
    truth = coco.COCO(str(folder / "instances_val.json"))
    model, side, rows = interpreter(quantization), settings["input"]["width"], []
    for number, entry in truth.imgs.items():
        with Image.open(folder / "images" / entry["file_name"]) as opened:
            image = np.asarray(opened.convert("RGB").resize((side, side), Image.Resampling.BILINEAR))
        boxes, classes, scores, count = outputs(model, image)
        corners = np.clip(boxes[0], 0, 1) * ([entry["height"], entry["width"]] * 2)
        for k in range(int(count[0])):
            y, x, bottom, right = corners[k]
            rows.append([number, x, y, right - x, bottom - y, scores[0, k], classes[0, k] + 1])
    scoring = cocoeval.COCOeval(truth, truth.loadRes(np.array(rows)), "bbox")
    scoring.evaluate()
    scoring.accumulate()
    scoring.summarize()
    return float(scoring.stats[0])


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_each_file_is_the_one_its_card_names(quantization: str) -> None:
    content = file(quantization).read_bytes()
    assert hashlib.sha256(content).hexdigest() == card(quantization)["source"]["sha256"]


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_each_map_is_the_one_its_card_publishes(
    quantization: str, capsys: pytest.CaptureFixture[str]
) -> None:
    published = {entry["metric"]: entry["value"] for entry in card(quantization)["published"]}
    measured = mean_average_precision(quantization)
    # kernels differ in the last bits between processors, and decoded JPEGs between Pillow versions
    assert measured == pytest.approx(published["map"], abs=0.005)


def published_map(quantization: str) -> float:
    return float(next(e["value"] for e in card(quantization)["published"] if e["metric"] == "map"))


def test_float32_reaches_a_map_of_60() -> None:
    assert published_map("float32") >= 0.60


def test_full_integer_stays_within_3_points_of_float32_and_float16_within_half_a_point() -> None:
    assert published_map("full-integer") >= published_map("float32") - 0.03
    assert published_map("float16") == pytest.approx(published_map("float32"), abs=0.005)


def test_the_files_are_small_and_quantization_makes_them_smaller() -> None:
    sizes = {quantization: file(quantization).stat().st_size for quantization in QUANTIZATIONS}
    assert sizes["float32"] < 600_000
    assert max(sizes["float16"], sizes["dynamic-range"], sizes["full-integer"]) < 0.7 * sizes["float32"]


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_outputs_are_float_boxes_classes_scores_and_count_in_tf1_order(quantization: str) -> None:
    model = interpreter(quantization)
    settings = card(quantization)
    side = settings["input"]["width"]
    boxes, classes, scores, count = outputs(model, np.full((side, side, 3), 90, np.uint8))
    assert boxes.shape == (1, 150, 4)
    assert classes.shape == scores.shape == (1, 150)
    assert count.shape == (1,)
    assert all(out["dtype"] == np.float32 for out in model.get_output_details())
    operator = next(op for op in list_nodes(model) if len(op["outputs"]) == 4)
    assert operator["op_name"] == "TFLite_Detection_PostProcess"
    assert list(operator["outputs"]) == [out["index"] for out in model.get_output_details()]


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_xnnpack_and_the_builtin_kernels_find_the_same_objects(quantization: str) -> None:
    folder = MODELS / card(quantization)["dataset"]["path"] / "images"
    side = card(quantization)["input"]["width"]
    with Image.open(folder / "000001.jpg") as opened:
        image = np.asarray(opened.convert("RGB").resize((side, side), Image.Resampling.BILINEAR))
    fast, plain = (outputs(interpreter(quantization, delegate), image) for delegate in (True, False))
    sure = plain[2][0] > 0.5
    assert sure.any()
    # the last bits differ, so detections of nearly equal scores may swap places
    away = abs(plain[0][0][sure][:, None] - fast[0][0][None]).max(axis=2).min(axis=1)
    # integer kernels round otherwise: a step of the box codes moves a corner by a few hundredths of the side
    assert (away < (0.05 if quantization == "full-integer" else 0.03)).all(), away


def test_each_quantization_holds_the_weights_its_name_says() -> None:
    assert set(weights("float32")) <= {"float32", "int32"}
    assert weights("float16").get("float16", 0) > 50_000
    assert weights("dynamic-range")["int8"] > 40_000
    assert weights("full-integer")["int8"] > 50_000


def test_full_integer_computes_in_int8_up_to_the_post_processing() -> None:
    model = interpreter("full-integer", delegate=False)
    assert [entry["dtype"] for entry in model.get_input_details()] == [np.uint8]
    types = {tensor["index"]: tensor["dtype"] for tensor in model.get_tensor_details()}
    islands = [
        op["op_name"] for op in list_nodes(model) if any(types[t] == np.float32 for t in op["outputs"])
    ]
    assert islands == ["DEQUANTIZE", "DEQUANTIZE", "TFLite_Detection_PostProcess"]


def test_dynamic_range_keeps_float_activations() -> None:
    model = interpreter("dynamic-range", delegate=False)
    types = {tensor["index"]: tensor["dtype"] for tensor in model.get_tensor_details()}
    hybrid = [
        op
        for op in list_nodes(model)
        if types[op["inputs"][0]] == np.float32 and any(types[t] == np.int8 for t in op["inputs"] if t >= 0)
    ]
    assert len(hybrid) > 5


def test_the_labels_file_and_the_cards_name_the_categories_of_the_dataset() -> None:
    from tests.example_training.draw import CATEGORIES

    assert (MODELS / "shapes" / "labels.txt").read_text().splitlines() == list(CATEGORIES)
    for quantization in QUANTIZATIONS:
        assert card(quantization)["labels"] == {"offset": 1, "names": list(CATEGORIES)}


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore")
def test_the_recipe_trains_two_steps_and_exports_all_four(tmp_path: Path) -> None:
    tensorflow = pytest.importorskip("tensorflow", reason="TensorFlow is not installed (extra `convert`)")
    from tests.example_training import export, train
    from tests.example_training.network import Network

    network = Network()
    training = train.Training(images=8, batch=4, steps=2, workers=1)
    # to make a graph of a step takes ten times as long as to take two; `tests.example_training.train` makes one
    tensorflow.config.run_functions_eagerly(True)
    try:
        model = train.fit(train.render("train", 8, network.side, workers=1), network, training)
    finally:
        tensorflow.config.run_functions_eagerly(False)
    model.save_weights(tmp_path / "shapes.weights.h5")
    module = export.load_module(tmp_path / "shapes.weights.h5", network)
    export.export(module, network, tmp_path, calibration_images=4)
    for quantization in export.QUANTIZATIONS:
        made = litert.Interpreter(str(tmp_path / f"shapes_{quantization}.tflite"))
        made.allocate_tensors()
        found = outputs(made, np.zeros((network.side, network.side, 3), np.uint8))
        assert [value.shape for value in found] == [(1, 150, 4), (1, 150), (1, 150), (1,)]
