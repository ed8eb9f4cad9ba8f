"""Graphs of the Object Detection API with their loops: what is found in them, and what both halves give."""

import numpy as np
import pytest
from PIL import Image

import harness
from harness.conversion import carving, detection_api
from harness.conversion.facts import Order
from harness.conversion.graph_def import inspect_graph
from harness.conversion.graph_edit import GraphRun
from harness.errors import ModelError
from harness.runtime import load_runtime, make_interpreter
from harness.tflite.anchors import find_anchors
from harness.tflite.model import describe
from tests.support.detection_graph import IOU, MOST, SCORE

pytestmark = pytest.mark.tensorflow
CONFIG = """model { ssd { post_processing { batch_non_max_suppression {
  score_threshold: 1e-8
  max_detections_per_class: 20
  max_total_detections: 30
} } } }"""


@pytest.fixture(scope="module")
def definition(tensorflow, inference_graph):
    graph = tensorflow.compat.v1.GraphDef()
    graph.ParseFromString(inference_graph.read_bytes())
    return graph


@pytest.fixture(scope="module")
def both(inference_graph, repository, tmp_path_factory):
    """The model with post-processing that one call makes, and the rows that it gives."""
    output = tmp_path_factory.mktemp("both") / "ssd.tflite"
    return output, harness.convert(
        inference_graph, card="shapes-float32", output=output, workspace=repository
    )


def picture(repository):
    files = sorted((repository / "models" / "shapes" / "dataset" / "images").iterdir())
    image = Image.open(files[3]).convert("RGB").resize((144, 144), Image.Resampling.BILINEAR)
    return np.asarray(image)[None]


def outputs_of(file, image):
    engine = make_interpreter(load_runtime(), str(file), "cpu", 1)
    engine.set_tensor(engine.get_input_details()[0]["index"], image)
    engine.invoke()
    return [engine.get_tensor(entry["index"]) for entry in engine.get_output_details()]


def test_one_command_gives_the_detections_that_the_graph_gives(both, definition, tensorflow, repository):
    pixels = picture(repository)
    names = ["detection_boxes", "detection_scores", "detection_classes", "num_detections"]
    boxes, scores, classes, count = GraphRun(definition, tensorflow).values(names, {"image_tensor": pixels})
    found = outputs_of(both[0], (pixels / 127.5 - 1).astype(np.float32))
    assert found[3][0] == count[0] > 2
    n = int(count[0])
    np.testing.assert_allclose(found[0][0, :n], boxes[0, :n], atol=1e-5)
    np.testing.assert_allclose(found[2][0, :n], scores[0, :n], atol=1e-5)
    np.testing.assert_array_equal(found[1][0, :n] + 1, classes[0, :n])


def test_the_raw_heads_lie_beside_it_with_anchors_and_a_card(both):
    output, rows = both
    raw = output.with_name("ssd-raw.tflite")
    assert list(rows["model"]) == ["frozen_inference_graph.pb", "ssd", "ssd-raw"]
    assert [info.shape for info in describe(raw).outputs] == [(1, 1756, 4), (1, 1756, 7)]
    assert np.load(raw.with_name("ssd-raw.anchors.npy")).shape == (1756, 4)
    assert "ssd-raw" in raw.with_suffix(".toml").read_text()


def test_the_settings_are_those_of_the_graph(both):
    options = describe(both[0]).postprocess
    assert (options.max_detections, options.use_regular_nms, options.num_classes) == (MOST, True, 6)
    assert (options.nms_score_threshold, options.nms_iou_threshold) == pytest.approx((SCORE, IOU))


def test_the_cut_the_heads_and_the_anchors_are_found(definition, tensorflow, repository):
    found = detection_api.find_detector(definition, None, None, None, tensorflow)
    assert (found.cut, found.boxes, found.scores) == (
        "Preprocessor/sub",
        "Squeeze",
        "Postprocessor/convert_scores",
    )
    assert (found.size, found.mean, found.std) == ((144, 144), (127.5,) * 3, (127.5,) * 3)
    own = find_anchors(repository / "models" / "shapes" / "shapes_float32.tflite")
    np.testing.assert_allclose(found.anchors, own, atol=1e-6)
    assert "144×144" in found.notes()[0] and "1756 anchors" in found.notes()[1]


def test_what_the_graph_does_not_tell_the_configuration_beside_it_does(definition, tensorflow, tmp_path):
    config = tmp_path / "pipeline.config"
    config.write_text(CONFIG)
    options = detection_api.find_detector(definition, None, None, config, tensorflow).options
    assert (options.detections_per_class, options.max_detections) == (20, 30)
    assert options.nms_score_threshold == pytest.approx(SCORE)


def test_the_graph_is_listed_with_its_cut(inference_graph, definition):
    found = inspect_graph(inference_graph)
    assert (found["nodes"], found["cut"]) == (len(definition.node), "Preprocessor/sub")
    assert found["inputs"] == ["image_tensor uint8 [?, ?, ?, 3]"]
    assert "detection_boxes" in found["outputs"]


def test_a_cut_of_the_users_own_is_taken(definition, tensorflow):
    asked = order(inputs=("Preprocessor/sub",), outputs=("Squeeze", "concat_1"))
    carved = carving.carve(definition, asked, tensorflow)
    assert carved.outputs == asked.outputs
    assert {node.op for node in carved.graph.node}.isdisjoint({"Enter", "Sigmoid", "NonMaxSuppressionV3"})
    assert "[1, 144, 144, 3]" in carved.notes[0]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"outputs": ("detection_boxes",)}, "still has loops.*--outputs"),
        ({"inputs": ("Preprocessor/subb",)}, "no node 'Preprocessor/subb'; there is Preprocessor/sub"),
    ],
)
def test_a_cut_that_cannot_be_is_refused_with_what_can(definition, tensorflow, asked, says):
    with pytest.raises(ModelError, match=says):
        carving.carve(definition, order(**asked), tensorflow)


def test_a_graph_whose_boxes_are_coded_otherwise_is_refused_by_that(definition, tensorflow):
    graph = tensorflow.compat.v1.GraphDef()
    graph.CopyFrom(definition)
    for node in graph.node:
        if node.op == "Exp":
            node.op = "Softplus"
    with pytest.raises(ModelError, match="not coded as centre and size"):
        detection_api.find_detector(graph, None, None, None, tensorflow)


def order(**settings):
    return Order(source="graph.pb", kind="frozen-graph", mode="float32", output="", **settings)
