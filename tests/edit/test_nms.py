"""The NMS options inside a file: set, read back, run by the interpreter, and nothing else touched."""

import itertools

import numpy as np
import pytest
from flatbuffers import flexbuffers

from harness.edit.nms import patched, with_nms
from harness.errors import ModelError
from harness.tflite import metadata, postprocess, reader

litert = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")


def options(data, path="m.tflite"):
    return postprocess.parse(postprocess.find(reader.read_graph(data, path))[1].options)


def buffers(data):
    graph = reader.read_graph(data, "m.tflite")
    return {index: bytes(content) for index, content in graph.buffers.items()}


def run(data, image):
    interpreter = litert.Interpreter(model_content=data)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]).copy() for detail in interpreter.get_output_details()]


def test_a_value_is_written_over_the_old_one_and_no_other_byte_changes(make_detector):
    data = make_detector(n_classes=5).bytes()
    new = with_nms(data, regular=True, score_threshold=0.25, max_detections=7, iou_threshold=0.45)
    found = options(new)
    assert (found.use_regular_nms, found.max_detections, found.detections_per_class) == (True, 7, 100)
    assert (found.nms_score_threshold, found.nms_iou_threshold) == pytest.approx((0.25, 0.45))
    assert len(new) == len(data)
    assert sum(a != b for a, b in zip(data, new, strict=True)) <= 24  # two doubles and some single bytes
    assert buffers(new) == buffers(data)
    assert options(with_nms(new, regular=False)).use_regular_nms is False


def test_options_that_the_file_leaves_out_are_added_at_its_end(shared_data):
    data = (shared_data / "models" / "ssd_mobilenet_v1_coco_quant.tflite").read_bytes()
    new = with_nms(data, regular=True, detections_per_class=3)
    assert (options(new).use_regular_nms, options(new).detections_per_class) == (True, 3)
    assert options(data).num_classes == options(new).num_classes == 90
    assert buffers(new) == buffers(data)
    assert sum(a != b for a, b in zip(data, new, strict=False)) <= 4  # the offset of the options
    assert run(new, np.zeros((1, 300, 300, 3), np.uint8))[0].shape == (1, 10, 4)


def test_the_interpreter_obeys(make_detector):
    data = make_detector(n_classes=4).bytes()
    image = np.random.default_rng(1).uniform(-1, 1, (1, 32, 48, 3)).astype(np.float32)
    few, many = (run(with_nms(data, max_detections=n), image) for n in (3, 20))
    assert (few[0].shape, many[0].shape) == ((1, 3, 4), (1, 20, 4))
    assert run(with_nms(data, score_threshold=1.5), image)[3][0] == 0
    regular, fast = (run(with_nms(data, regular=value, max_detections=50), image) for value in (True, False))
    assert not np.array_equal(regular[1], fast[1])


def test_an_appended_archive_is_still_found(make_detector, with_archive):
    network = make_detector(n_classes=2)
    data = with_archive(_without_regular(network), labels__txt="cat\ndog\n")
    new = with_nms(data, regular=True)
    assert options(new).use_regular_nms is True
    assert metadata.read_metadata(new, b"").labels == ("cat", "dog")


def _without_regular(network):
    """Rewrite the options without the keys that TF1 exporters left out."""
    for operator in network.graph.operators:
        if operator.customOptions is not None:
            values = flexbuffers.Loads(bytes(bytearray(operator.customOptions)))
            del values["use_regular_nms"]
            operator.customOptions = np.frombuffer(bytes(flexbuffers.Dumps(values)), np.uint8)
    return network.bytes()


@pytest.mark.parametrize("values", list(itertools.product([1, 300, 70_000], [0.5, 1], [True, False])))
def test_a_patched_map_reads_like_a_new_one(values):
    n, threshold, flag = values
    old = bytes(flexbuffers.Dumps({"n": 5, "t": 0.25, "b": False, "z": 3, "name": "x"}))
    new = patched(old, {"n": n, "t": float(threshold), "b": flag})
    assert flexbuffers.Loads(new) == {"n": n, "t": threshold, "b": flag, "z": 3, "name": "x"}
    assert len(new) == len(old)


def test_a_map_without_a_key_or_without_room_is_not_patched():
    assert patched(bytes(flexbuffers.Dumps({"n": 5})), {"m": 1}) is None
    assert patched(bytes(flexbuffers.Dumps({"n": 5})), {"n": 300}) is None
    assert patched(bytes(flexbuffers.Dumps({"n": 5})), {"n": 0.5}) is None


def test_a_model_without_the_operator_is_refused(make_detector):
    with pytest.raises(ModelError, match="no operator TFLite_Detection_PostProcess"):
        with_nms(make_detector(postprocess=False).bytes(), regular=True, name="m")


@pytest.mark.parametrize(
    "change",
    [
        {"iou_threshold": 0.0},
        {"iou_threshold": 1.5},
        {"max_detections": 0},
        {"score_threshold": float("nan")},
    ],
)
def test_values_that_the_operator_refuses_are_refused(make_detector, change):
    with pytest.raises(ModelError, match="found"):
        with_nms(make_detector(n_classes=2).bytes(), **change)


def test_damaged_bytes_give_our_error_or_a_model(make_detector):
    data = make_detector(n_classes=2).bytes()
    random = np.random.default_rng(5)
    for _ in range(300):
        mutated = bytearray(data)
        for place in random.integers(0, len(data), 5):
            mutated[place] = random.integers(0, 256)
        try:
            options(with_nms(bytes(mutated), regular=True, detections_per_class=9))
        except (ModelError, TypeError):  # TypeError: the operator itself is gone, and `find` gives None
            continue
