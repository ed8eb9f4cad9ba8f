"""Probing finds the right reading of a model whose card is wrong, and leaves a right one alone."""

import json
import shutil
from dataclasses import replace

import pytest
from msgspec.structs import replace as replaced

from harness.accuracy.dataset import find_dataset
from harness.accuracy.interpreters import InterpreterEngine
from harness.cards import (
    AnchorSpec,
    DecoderSpec,
    InputSpec,
    Labels,
    ModelCard,
    NmsSpec,
    Published,
    Source,
    load_card,
)
from harness.cli.main import main
from harness.edit.card_toml import to_toml
from harness.errors import JobError, UsageError
from harness.recognize.card import infer_card
from harness.recognize.probe import ReadingScore, distinct, probe, winner
from harness.recognize.readings import decoders, in_range, labels, normalizations, resizes, settled
from harness.tflite.model import describe
from tests.support.paths import MODELS

litert = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")
N_IMAGES = 24


def status_of(arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


@pytest.fixture(scope="module")
def example():
    model = load_card(MODELS / "shapes-float32.toml")
    return model, find_dataset(model.dataset_path)


def test_a_right_card_is_left_as_it_is(example):
    model, dataset = example
    scores = probe(model, dataset, N_IMAGES)
    assert scores[0].best
    assert scores[0].reading == "as the card says"
    assert (scores[0].card.labels, scores[0].card.input) == (model.card.labels, model.card.input)
    assert [one.best for one in scores].count(True) == 1
    assert {"method", "channels", "letterbox", "input"} <= {
        one.reading.split(";")[0].split()[0] for one in scores
    }


def test_wrong_labels_and_a_wrong_input_are_both_put_right(example):
    model, dataset = example
    wrong = replaced(
        model.card,
        labels=Labels(offset=0),
        input=replaced(model.card.input, mean=(0.0,) * 3, std=(1.0,) * 3),
    )
    steps = []
    scores = probe(replace(model, card=wrong), dataset, N_IMAGES, lambda *step: steps.append(step))
    best = scores[0].card
    assert best.labels.offset == model.card.labels.offset
    assert (best.input.mean, best.input.std) == (model.card.input.mean, model.card.input.std)
    assert "labels class + 1" in scores[0].reading
    assert "input -1…1" in scores[0].reading
    first = next(one for one in scores if one.reading == "as the card says")
    assert scores[0].rank[0] > first.rank[0] + 0.1
    total = steps[0][1]
    assert [step[:2] for step in steps] == [(n, total) for n in range(1, total + 1)]


def test_names_that_both_sides_have_leave_no_number_to_try(example):
    model, dataset = example
    card = replaced(model.card, labels=replaced(model.card.labels, offset=0))
    scores = probe(replace(model, card=card), dataset, N_IMAGES)
    assert (scores[0].reading, scores[0].card) == ("as the card says", card)
    assert scores[0].map > 0.4
    assert not any("labels" in one.reading for one in scores)


def test_names_that_only_the_model_has_leave_no_reading_by_number(example):
    model, dataset = example
    names = tuple(f"Form {letter}" for letter in "ABCDEF")
    card = replaced(model.card, labels=replaced(model.card.labels, names=names))
    with pytest.raises(JobError, match="no reading of shapes-float32 works: none of the model's 6 classes"):
        probe(replace(model, card=card), dataset, 8)


@pytest.mark.parametrize("offset", [0, 1])
def test_without_names_the_right_numbers_beat_exchanged_ones(example, offset):
    model, dataset = example
    card = replaced(model.card, labels=Labels(offset=offset))
    best = probe(replace(model, card=card), dataset, N_IMAGES)[0]
    assert best.best and best.card.labels.offset == 1


def test_numbers_that_mean_other_classes_are_no_reading(example, tmp_path):
    model, dataset = example
    truth = json.loads(dataset.annotations.read_text())
    for row in truth["annotations"]:
        row["category_id"] = (
            1 + row["id"] % 6
        )  # as of a model whose classes have nothing to do with the data set's
    (tmp_path / "instances.json").write_text(json.dumps(truth))
    (tmp_path / "images").symlink_to(dataset.image_folder)
    card = replaced(model.card, labels=Labels(offset=1))
    best = probe(replace(model, card=card), find_dataset(tmp_path), N_IMAGES)[0]
    assert not best.best and "can be chance" in best.doubt


def test_outputs_of_a_preparation_are_read_again_without_another_inference(example, monkeypatch):
    model, dataset = example
    calls = []
    infer = InterpreterEngine.infer
    monkeypatch.setattr(InterpreterEngine, "infer", lambda self, x: calls.append(1) or infer(self, x))
    wrong = replaced(model.card, input=replaced(model.card.input, mean=(0.0,) * 3, std=(9e9,) * 3))
    evidence = ("decoder.order: boxes,classes,scores,count.",)
    steps = []
    probe(replace(model, card=wrong, evidence=evidence), dataset, 5, lambda *step: steps.append(step))
    assert len(calls) == steps[-1][0] == steps[-1][1]


def test_no_reading_works_where_none_is_better_than_chance(shared_data, example, tmp_path, capsys):
    dataset, card = example[1], tmp_path / "new.toml"
    truth = json.loads(dataset.annotations.read_text())
    for category in truth["categories"]:
        category["name"] = str(category["id"])  # no names, which would settle it
    (tmp_path / "instances.json").write_text(json.dumps(truth))
    (tmp_path / "images").symlink_to(dataset.image_folder)
    file = str(shared_data / "models" / "ssd_mobilenet_v1_coco_quant.tflite")
    arguments = ["models", "probe", file, "--dataset", str(tmp_path), "--limit", "8", "--write", str(card)]
    assert status_of([*arguments, "--format", "json"]) == 1
    told = capsys.readouterr()
    assert not any(row["best"] for row in json.loads(told.out))
    assert "no reading of ssd_mobilenet_v1_coco_quant works" in told.err
    assert "can be chance" in told.err
    assert not card.exists()


def test_a_model_of_other_classes_is_refused_before_anything_is_tried(shared_data, example, capsys):
    file = str(shared_data / "models" / "ssd_mobilenet_v2_fpnlite_10_256_int8.tflite")
    assert status_of(["models", "probe", file, "--dataset", str(example[0].dataset_path)]) == 1
    told = capsys.readouterr()
    assert not told.out and "none of the model's 80 classes (person, bicycle" in told.err


def test_wrong_boxes_are_put_right_where_the_file_does_not_settle_them(shared_data):
    dataset = find_dataset(shared_data / "coco50")
    model = infer_card(shared_data / "models" / "ssd_mobilenet_v2_fpnlite_10_256_int8.tflite")
    wrong = replaced(model.card, decoder=replaced(model.card.decoder, box_format="yxyx"))
    scores = probe(replace(model, card=wrong, evidence=()), dataset, 8)
    assert scores[0].card.decoder.box_format == "xyxy"


def test_a_model_of_no_family_cannot_be_probed(example):
    model, dataset = example
    card = replaced(model.card, decoder=DecoderSpec(name="none"))
    with pytest.raises(UsageError, match="nothing to try"):
        probe(replace(model, card=card), dataset)


def test_images_without_annotations_cannot_decide(example):
    model, dataset = example
    images = tuple(replace(image, n_annotations=0) for image in dataset.images)
    with pytest.raises(UsageError, match="no image has annotations"):
        probe(model, replace(dataset, images=images))


def test_only_more_than_chance_overrules_the_first_reading(example):
    card = example[0].card
    scores = {"first": 0.300, "a": 0.309, "b": 0.305}
    scores = [ReadingScore(name, card, value, value, 1) for name, value in scores.items()]
    assert winner(scores).reading == "first"
    assert winner([*scores, ReadingScore("c", card, 0.335, 0.5, 1)]).reading == "c"
    assert (
        winner([ReadingScore("x", card, 0.0, 0.0, 1), ReadingScore("y", card, 0.002, 0.0, 1)]).reading == "y"
    )
    assert winner([ReadingScore("x", card, None, None, 0)]).reading == "x"


def test_readings_of_the_same_detections_are_shown_once(example):
    card = example[0].card
    scores = [
        ReadingScore("a", card, 0.1, 0.2, 5, best=True),
        ReadingScore("b", card, 0.1, 0.2, 5),
        ReadingScore("c", card, 0.1, 0.2, 6),
    ]
    assert [one.reading for one in distinct(scores)] == ["a", "c"]


def test_evidence_that_hedges_settles_nothing():
    evidence = (
        "decoder.order: boxes,scores.",
        "decoder.activation: none; nothing in the file speaks against scores of 0…1.",
        "decoder.background: 7 columns; the first is taken for the background.",
        "labels: unknown.",
    )
    assert settled(evidence) == {"order"}


def test_what_is_settled_is_not_varied(shared_data):
    path = shared_data / "models" / "ssd_mobilenet_v2_fpnlite_10_256_int8.tflite"
    model, facts = infer_card(path), describe(path)
    every = [
        reading.words.split()[0] for reading in decoders(model.card, facts, frozenset()) if reading.words
    ]
    assert set(every) == {"box_format", "box_coding", "activation", "background", "scales"}
    known = {reading.words.split(" ")[0] for reading in decoders(model.card, facts, settled(model.evidence))}
    assert known == {"", "scales"}


def test_integer_inputs_that_take_pixels_have_one_normalization(shared_data):
    path = shared_data / "models" / "yolov5n-int8.tflite"
    assert list(normalizations(infer_card(path).card, describe(path))) == []


def test_each_reading_of_the_labels_and_of_the_size_is_another(example):
    card = example[0].card
    meanings = [(one.card.labels.offset, one.card.labels.map) for one in labels(card)]
    assert len(set(meanings)) == len(meanings) == 4
    assert [one.words for one in resizes(card, None)] == ["letterbox", "letterbox at the corner"]


@pytest.mark.parametrize(
    ("spec", "ends", "fits"),
    [
        (Labels(map="coco80"), (0, 79), True),
        (Labels(map="coco80"), (0, 80), False),
        (Labels(map="coco80", offset=-1), (0, 5), False),
        (Labels(map="coco80", offset=-1), (1, 80), True),
        (Labels(offset=1), (0, 900), True),
        (Labels(ids=(3, 1)), (0, 1), True),
        (Labels(ids=(3, 1)), (0, 2), False),
    ],
)
def test_a_reading_of_the_labels_that_has_no_category_is_left_out(spec, ends, fits):
    assert in_range(spec, *ends) is fits


def test_a_written_card_reads_back_as_the_same(tmp_path):
    card = ModelCard(
        name="a.b",
        source=Source(path='x "y"/é.tflite', sha256="0" * 64),
        input=InputSpec(width=3, height=4, resize="letterbox", mean=(1.0, 2.5, 1e-8), std=(1.0, 1.0, 255.0)),
        decoder=DecoderSpec(
            name="ssd-raw",
            background=True,
            nms=NmsSpec(kind="fast", score_threshold=1e-8),
            anchors=AnchorSpec(source="ssd", feature_maps=(19, 10), reduce_lowest=False),
        ),
        labels=Labels(offset=-1, names=("???", 'a "b"', "tab\tnewline\n")),
        published=(
            Published(metric="map", value=0.25, source="s"),
            Published(metric="ap50", value=0.5, source="t"),
        ),
    )
    path = tmp_path / "card.toml"
    path.write_text(to_toml(card, "one\ntwo"), encoding="utf-8")
    assert path.read_text(encoding="utf-8").startswith("# one two\n")
    assert load_card(path).card == card


def test_the_command_shows_the_readings_and_writes_the_winner(example, tmp_path, capsys):
    model = example[0]
    file = tmp_path / "bare.tflite"
    shutil.copy(model.file, file)
    card = tmp_path / "cards" / "bare.toml"
    arguments = ["models", "probe", str(file), "--dataset", str(model.dataset_path), "--limit", "8"]
    assert status_of([*arguments, "--write", str(card), "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0].keys() == {"reading", "map", "ap50", "n_detections", "best"}
    assert rows[0]["best"]
    written = load_card(card)
    assert written.file.resolve() == file
    assert written.card.input == infer_card(file).card.input
    assert status_of([*arguments, "--write", str(card)]) == 2
    assert "already" in capsys.readouterr().err


def test_the_command_needs_images(example, capsys):
    assert status_of(["models", "probe", str(example[0].file)]) == 2
    assert "--dataset" in capsys.readouterr().err
