"""Edited models give what the original gives, and keep every byte that the edit does not name."""

import contextlib
import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from harness.accuracy.interpreters import InterpreterEngine, make_here
from harness.accuracy.pipeline import Recipe
from harness.accuracy.prepare import Preparation
from harness.cards import load_card
from harness.detectors.base import ModelContext
from harness.detectors.registry import make_decoder
from harness.edit.attach import HeadFormat, attach, head_format
from harness.edit.check import run_once
from harness.edit.cut import cut, lay_open
from harness.edit.files import edit_attach, edit_cut, edit_nms, find_heads_and_anchors, read_anchors
from harness.edit.nms import NmsChange
from harness.edit.shapes import change_nms
from harness.errors import ModelError, OutputError
from harness.recognize.card import infer_card
from harness.tflite import reader
from harness.tflite.model import describe, load
from harness.worker.tensors import input_infos, output_infos

litert = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")
pytestmark = pytest.mark.usefixtures("quick_trials")
BUNDLED = ("shapes_float32", "shapes_float16", "shapes_dynamic_range", "shapes_full_integer")


@pytest.fixture(params=[*BUNDLED, "ssd_mobilenet_v1_coco_quant"])
def source(request, repository):
    """A real model that ends in NMS."""
    if request.param in BUNDLED:
        return repository / "models" / "shapes" / f"{request.param}.tflite"
    return request.getfixturevalue("shared_data") / "models" / f"{request.param}.tflite"


@pytest.fixture
def ssd(shared_data):
    return shared_data / "models" / "ssd_mobilenet_v1_coco_quant.tflite"


def interpreter(path):
    made = litert.Interpreter(str(path), num_threads=1)
    made.allocate_tensors()
    return made


def run(path, seed=0):
    """Return the outputs for a random input, by name."""
    made = interpreter(path)
    (detail,) = made.get_input_details()
    random = np.random.default_rng(seed)
    image = random.uniform(-1, 1, detail["shape"]) if detail["dtype"] == np.float32 else None
    made.set_tensor(
        detail["index"],
        image.astype(np.float32) if image is not None else random.integers(0, 256, detail["shape"], np.uint8),
    )
    made.invoke()
    return [made.get_tensor(one["index"]) for one in made.get_output_details()]


def buffers(path):
    """Return the content of every constant, by its tensor."""
    graph = load(path)[1]
    return {t.index: bytes(graph.data(t)) for t in graph.primary.tensors if t.constant}


def assert_old_bytes_are_kept(before, after):
    """Every constant of the old file is in the new one under its index, and the old file as a whole."""
    old, new = buffers(before), buffers(after)
    assert old and all(new[index] == content for index, content in old.items())
    assert before.read_bytes() in after.read_bytes() or len(before.read_bytes()) == len(after.read_bytes())


def test_cut_then_attach_gives_the_detections_of_the_original(source, tmp_path):
    heads, whole = tmp_path / "heads.tflite", tmp_path / "whole.tflite"
    edit_cut(infer_card(source), heads)
    model = load_card(tmp_path / "heads.toml")
    settings, anchors = find_heads_and_anchors(model, None)
    edit_attach(heads, whole, anchors, settings)
    order = {0: "boxes", 1: "classes", 2: "scores", 3: "count"}
    for seed in range(3):
        original = sorted(run(source, seed), key=lambda v: (v.ndim, v.shape))
        again = sorted(run(whole, seed), key=lambda v: (v.ndim, v.shape))
        for place, (one, other) in enumerate(zip(original, again, strict=True)):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-6, err_msg=order[place])
    assert describe(whole).postprocess == describe(source).postprocess
    assert_old_bytes_are_kept(source, heads)
    assert_old_bytes_are_kept(heads, whole)


def test_a_cut_model_has_the_operators_inputs_as_outputs_and_their_signature(source, tmp_path):
    output = tmp_path / "heads.tflite"
    edit_cut(infer_card(source), output)
    before, after = describe(source), describe(output)
    assert after.postprocess is None and after.n_operators < before.n_operators
    assert after.inputs == before.inputs and after.quantization == before.quantization
    boxes, scores = after.outputs
    assert boxes.shape[2] == 4 and scores.shape[:2] == boxes.shape[:2]
    assert np.load(tmp_path / "heads.anchors.npy").shape == boxes.shape[1:]
    made = interpreter(output)
    for signature in made.get_signature_list().values():
        assert signature["outputs"] == ["boxes", "scores"]


def detections(model, prepared):
    """Return the detections of each prepared image, decoded as the model's card says."""
    made = interpreter(model.file)
    size = model.card.input
    context = ModelContext(size.width, size.height, model.file)
    decoder = make_decoder(model.card.decoder, output_infos(made), context)
    recipe, engine = Recipe(None, decoder, model.card.labels), InterpreterEngine(made)
    return {
        image_id: recipe.decode(image_id, engine.infer(tensor), geometry)
        for image_id, tensor, geometry in prepared
    }


@pytest.fixture(scope="module")
def coco50(shared_data):
    folder = shared_data / "coco50"
    truth = json.loads((folder / "instances_val2017.json").read_text("utf-8"))
    return folder / "instances_val2017.json", [
        (entry["id"], next(folder.rglob(entry["file_name"]))) for entry in truth["images"]
    ]


def mean_ap(found, annotations):
    """Return pycocotools' mAP."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    rows = [
        {"image_id": one.image_id, "category_id": int(c), "bbox": b.tolist(), "score": float(s)}
        for one in found.values()
        for b, s, c in zip(one.boxes, one.scores, one.categories, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotations))
        evaluation = COCOeval(truth, truth.loadRes(rows), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


@pytest.fixture(scope="module")
def edited(shared_data, coco50, tmp_path_factory):
    """The SSD and what edits make of it, each with its detections on 50 images of COCO."""
    folder = tmp_path_factory.mktemp("edited")
    source = shared_data / "models" / "ssd_mobilenet_v1_coco_quant.tflite"
    edit_cut(infer_card(source), folder / "heads.tflite")
    model = load_card(folder / "heads.toml")
    settings, anchors = find_heads_and_anchors(model, None)
    edit_attach(folder / "heads.tflite", folder / "whole.tflite", anchors, settings)
    edit_nms(source, folder / "hundred.tflite", NmsChange(max_detections=100, score_threshold=1e-8))
    edit_nms(
        source,
        folder / "hundred-regular.tflite",
        NmsChange(regular=True, max_detections=100, score_threshold=1e-8),
    )
    names = ("whole", "hundred", "hundred-regular")
    models = {"original": infer_card(source), "heads": model}
    models |= {name: infer_card(folder / f"{name}.tflite") for name in names}
    preparation = Preparation(models["original"].card.input, input_infos(interpreter(source))[0])
    prepared = [(image_id, *preparation.load(path)) for image_id, path in coco50[1]]
    found = {name: detections(one, prepared) for name, one in models.items()}
    return found, {name: mean_ap(one, coco50[0]) for name, one in found.items()}


@pytest.mark.parametrize("name", ["heads", "whole"])
def test_on_coco_a_cut_model_with_host_nms_and_a_re_attached_one_give_the_same_detections(edited, name):
    found, ap = edited
    for image_id, one in found["original"].items():
        other = found[name][image_id]
        # in shares of the image: pixels differ by up to 640 times as much
        scale = max(1.0, np.abs(one.boxes).max(initial=1.0))
        np.testing.assert_allclose(other.boxes / scale, one.boxes / scale, rtol=0, atol=1e-4)
        np.testing.assert_allclose(other.scores, one.scores, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(other.categories, one.categories)
    assert ap[name] == pytest.approx(ap["original"], abs=1e-3)
    assert ap["original"] == pytest.approx(0.193, abs=5e-4)


def test_ten_boxes_an_image_cost_accuracy(edited):
    """More boxes raise mAP, and class-by-class NMS raises it further."""
    _, ap = edited
    assert ap["hundred"] > ap["original"] + 0.01
    assert ap["hundred-regular"] > ap["hundred"]


def test_new_nms_options_are_in_the_file_and_nothing_else_changes(source, tmp_path):
    output = tmp_path / "out.tflite"
    change = NmsChange(
        regular=True, score_threshold=0.25, iou_threshold=0.5, max_detections=7, detections_per_class=3
    )
    before = source.read_bytes()
    edit_nms(source, output, change)
    old, new = describe(source), describe(output)
    assert new.postprocess == replace(
        old.postprocess,
        use_regular_nms=True,
        nms_score_threshold=0.25,
        nms_iou_threshold=0.5,
        max_detections=7,
        detections_per_class=3,
    )
    assert buffers(source) == buffers(output)
    slots = 7 * new.postprocess.max_classes_per_detection  # the kernel keeps so many for each box
    assert sorted(v.shape for v in run(output)) == [(1,), (1, slots), (1, slots), (1, slots, 4)]
    assert source.read_bytes() == before


def stating(network, n):
    """Let a detector's file state the shapes of its outputs, and quantize one of them behind the operator."""
    shapes = ([1, n, 4], [1, n], [1, n], [1])
    for index, shape in zip(network.graph.operators[-1].outputs, shapes, strict=True):
        network.graph.tensors[index].shape = shape
    scores = network.graph.operators[-1].outputs[2]
    quantized = network.operator("QUANTIZE", [scores], [network.tensor("q", [1, n], 3, None, 1 / 255, 0)])
    network.graph.outputs = [quantized if index == scores else index for index in network.graph.outputs]
    return network


def test_output_shapes_that_the_file_states_follow_the_number_of_boxes(make_detector, write_model, tmp_path):
    source, output = write_model(stating(make_detector(), 10)), tmp_path / "out.tflite"
    edit_nms(source, output, NmsChange(max_detections=30))
    graph = load(output)[1]
    assert [graph.primary.tensors[index].shape for index in graph.primary.outputs] == [
        (1, 30, 4),
        (1, 30),
        (1, 30),
        (1,),
    ]
    assert buffers(source) == buffers(output)
    assert sorted(v.shape for v in run(output)) == [(1,), (1, 30), (1, 30), (1, 30, 4)]


def test_shapes_that_are_right_already_leave_the_file_as_long_as_it_was(make_detector, write_model):
    source = write_model(stating(make_detector(), 10))
    data = source.read_bytes()
    changed = change_nms(data, NmsChange(regular=True), source)
    assert len(changed) == len(data) and changed != data


def test_a_labels_archive_behind_the_model_survives_every_edit(make_detector, with_archive, write_model):
    source = write_model(
        with_archive(stating(make_detector(n_classes=2), 10).bytes(), labels__txt="cat\ndog\n")
    )
    data = source.read_bytes()
    found = cut(data, source)
    again = attach(found.data, found.anchors, head_format(found.decoder("a.npy"), source), source)
    for result in (found.data, again, change_nms(data, NmsChange(max_detections=20), source)):
        with zipfile.ZipFile(io.BytesIO(result)) as archive:
            assert archive.read("labels.txt") == b"cat\ndog\n" and archive.testzip() is None


def test_other_outputs_of_the_model_stay_behind_the_heads(make_detector, write_model):
    network = make_detector()
    extra = network.logistic(network.graph.operators[0].outputs[0])
    network.graph.outputs = [*network.graph.outputs, extra]
    source = write_model(network)
    result = write_model(cut(source.read_bytes(), source).data, "cut.tflite")
    assert [info.name for info in describe(result).outputs][2:] == ["logistic"]
    assert len(run(result)) == 3


def test_int8_heads_and_logits_are_made_ready_for_the_operator(make_network, write_model):
    network = make_network()
    image = network.input([1, 6, 4], dtype=9, scale=0.1, zero_point=3)
    logits = network.tensor("logits", [1, 6, 3])
    network.graph.inputs.append(logits)
    boxes = network.operator("RELU", [image], [network.tensor("boxes", [1, 6, 4], 9, None, 0.1, 3)])
    scores = network.operator("NEG", [logits], [network.tensor("scores", [1, 6, 3])])
    network.graph.outputs = [boxes, scores]
    source = write_model(network)
    anchors = np.full((6, 4), 0.5, np.float32)
    result = attach(source.read_bytes(), anchors, HeadFormat(activation="sigmoid"), source)
    found = describe(write_model(result, "out.tflite"))
    names = dict(found.operators)
    assert names["DEQUANTIZE"] == names["LOGISTIC"] == 1 and found.postprocess.num_classes == 2
    assert run_once(result, source) is None


@pytest.mark.parametrize(
    ("anchors", "heads", "said"),
    [
        (np.zeros((5, 4), np.float32), HeadFormat(), "found anchors"),
        (np.full((96, 4), np.nan, np.float32), HeadFormat(), "found anchors"),
        (np.zeros((96, 4), np.float32), HeadFormat(order="scores,boxes"), "are no boxes"),
        (np.zeros((96, 4), np.float32), HeadFormat(activation="softmax"), "softmax"),
    ],
)
def test_heads_that_do_not_fit_are_refused(make_detector, write_model, anchors, heads, said):
    source = write_model(make_detector(postprocess=False))
    with pytest.raises(ModelError, match=said):
        attach(source.read_bytes(), anchors, heads, source)


def test_a_model_with_its_nms_is_not_given_a_second_one_and_one_without_it_has_none_to_cut(
    make_detector, write_model
):
    whole, raw = write_model(make_detector()), write_model(make_detector(postprocess=False), "raw.tflite")
    with pytest.raises(ModelError, match="already"):
        attach(whole.read_bytes(), np.zeros((96, 4), np.float32), HeadFormat(), whole)
    with pytest.raises(ModelError, match="found 0 operators"):
        cut(raw.read_bytes(), raw)
    with pytest.raises(ModelError, match="found 0 operators"):
        change_nms(raw.read_bytes(), NmsChange(regular=True), raw)


def test_a_decoder_that_the_operator_cannot_do_is_refused(shared_data):
    path = shared_data / "models" / "ssd_mobilenet_v2_fpnlite_10_256_int8.tflite"
    with pytest.raises(ModelError, match="corner-offsets"):
        find_heads_and_anchors(infer_card(path), None)


def test_fields_of_a_newer_schema_are_not_lost_silently(make_detector, write_model, monkeypatch):
    from harness.edit import graph as edit_graph

    source = write_model(make_detector())
    monkeypatch.setattr(edit_graph, "SUBGRAPH", "uuu")
    with pytest.raises(ModelError, match="newer schema"):
        cut(source.read_bytes(), source)


@pytest.mark.parametrize("place", ["same", "link", "card"])
def test_the_input_is_never_written_over(make_detector, write_model, tmp_path, place):
    source = write_model(make_detector())
    before = source.read_bytes()
    output = source
    if place == "link":
        output = tmp_path / "link.tflite"
        output.hardlink_to(source)
    edit = edit_cut if place == "card" else edit_nms
    arguments = (
        (infer_card(source), tmp_path / "model.toml")
        if place == "card"
        else (source, output, NmsChange(regular=True))
    )
    with pytest.raises(OutputError):
        edit(*arguments)
    assert source.read_bytes() == before


def test_a_card_that_exists_is_kept_unless_forced(make_detector, write_model, tmp_path):
    source, output = write_model(make_detector()), tmp_path / "heads.tflite"
    (tmp_path / "heads.toml").write_text("mine")
    with pytest.raises(OutputError, match="--force"):
        edit_cut(infer_card(source), output)
    assert (tmp_path / "heads.toml").read_text() == "mine" and not output.exists()
    edit_cut(infer_card(source), output, force=True)
    assert load_card(tmp_path / "heads.toml").card.decoder.name == "ssd-raw"


def test_a_result_that_does_not_run_is_not_written(make_detector, write_model, tmp_path):
    network = make_detector(postprocess=False)
    network.postprocess(*network.graph.outputs, 5)  # with 91 columns of scores
    source, output = write_model(network), tmp_path / "out.tflite"
    with pytest.raises(ModelError, match="does not run"):
        edit_nms(source, output, NmsChange(regular=True))
    assert not output.exists() and list(tmp_path.iterdir()) == [source]


def test_a_model_that_cannot_run_here_is_edited_and_said_so(make_detector, write_model, tmp_path):
    network = make_detector()
    source = network.graph.operators[0].outputs[0]
    network.operator("FlexThing", [source], [network.tensor("flex", [1])])
    edited = edit_nms(write_model(network), tmp_path / "out.tflite", NmsChange(regular=True))
    assert "FlexThing" in edited.not_run and (tmp_path / "out.tflite").is_file()


def test_a_write_that_fails_leaves_nothing(make_detector, write_model, tmp_path, monkeypatch):
    source, output = write_model(make_detector()), tmp_path / "out.tflite"

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.atomic.os.fsync", fail)
    with pytest.raises(OutputError, match="No space left"):
        edit_nms(source, output, NmsChange(regular=True))
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00v\x00{"])
def test_anchors_that_cannot_be_read_are_refused(tmp_path, content):
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"a\.npy"):
        read_anchors(path)
    np.save(path, np.zeros((3, 5)))
    with pytest.raises(ModelError, match=r"\[3, 5\]"):
        read_anchors(path)


def test_the_card_of_a_cut_model_says_what_the_operator_did(source, tmp_path):
    edit_cut(infer_card(source), tmp_path / "heads.tflite")
    card, options = load_card(tmp_path / "heads.toml").card, describe(source).postprocess
    nms = card.decoder.nms
    assert (nms.kind, nms.max_detections) == ("fast", options.max_detections)
    assert (nms.score_threshold, nms.iou_threshold) == (
        options.nms_score_threshold,
        options.nms_iou_threshold,
    )
    assert card.decoder.background and card.source.sha256 == describe(tmp_path / "heads.tflite").sha256
    assert card.input == infer_card(source).card.input and card.labels == infer_card(source).card.labels
    assert reader.read_bytes(tmp_path / "heads.tflite")


def test_a_model_that_is_laid_open_gives_its_outputs_and_those_of_the_cut_one_to_the_last_bit(
    source, tmp_path
):
    data = source.read_bytes()
    (tmp_path / "cut.tflite").write_bytes(cut(data, source).data)
    (tmp_path / "opened.tflite").write_bytes(lay_open(data, source))
    info = describe(source).inputs[0]
    image = np.random.default_rng(0).uniform(-1, 1, info.shape) * (1 if info.dtype == "float32" else 127)
    tensor = (image if info.dtype != "uint8" else image + 127).astype(info.dtype)
    files = (source, tmp_path / "cut.tflite", tmp_path / "opened.tflite")
    own, heads, both = (InterpreterEngine(make_here(file)).infer(tensor) for file in files)
    assert len(both) == len(own) + 2
    for found, expected in zip(both, [*own, *heads[:2]], strict=True):
        assert np.array_equal(found, expected)
