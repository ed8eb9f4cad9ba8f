"""What is read wrongly on purpose is named with its figure; what is read rightly raises no doubt."""

import numpy as np
import pytest
from msgspec.structs import replace

from harness.accuracy import misread
from harness.accuracy.annotations import read_annotations
from harness.accuracy.bootstrap import map_interval
from harness.accuracy.dataset import find_dataset
from harness.accuracy.detections import DetectionTable
from harness.accuracy.doubts import doubts
from harness.accuracy.interpreters import InterpreterEngine, make_here
from harness.accuracy.pipeline import Recipe, detect
from harness.accuracy.prepare import Preparation
from harness.accuracy.published import against_published
from harness.cards import load_card
from harness.detectors.base import ModelContext
from harness.detectors.registry import make_decoder
from harness.tflite.model import describe
from tests.support.paths import MODELS

pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")
COORDINATES, LABELS, CHANCE = "coordinates read wrongly", "labels read wrongly", "no better than chance"
SCORES, PUBLISHED = "scores above 1", "other than published"


def table_of(card, model, images):
    """Run the bundled model as a card says."""
    facts = describe(model.file)
    context = ModelContext(card.input.width, card.input.height, model.file)
    decoder = make_decoder(card.decoder, facts.outputs, context)
    recipe = Recipe(Preparation(card.input, facts.inputs[0]), decoder, card.labels)
    found = detect(
        [(image.id, image.path) for image in images], recipe, [InterpreterEngine(make_here(model.file))], 1
    )
    rows = [
        np.column_stack([np.full(len(one.boxes), one.image_id), one.boxes, one.scores, one.categories])
        for one in found
    ]
    return DetectionTable(np.concatenate(rows).astype(np.float64))


@pytest.fixture(scope="module")
def model():
    return load_card(MODELS / "shapes-float32.toml")


@pytest.fixture(scope="module")
def dataset(model):
    return find_dataset(model.dataset_path)


@pytest.fixture(scope="module")
def truth(dataset):
    return read_annotations(dataset.annotations)


@pytest.fixture(scope="module")
def right(model, dataset):
    return table_of(model.card, model, dataset.images)


@pytest.fixture
def found_in(model, dataset, truth):
    """The doubts of detections of all images of the bundled data set: their names, and whether one is certain."""

    def look(table, published=False):
        kept = DetectionTable(table.rows[np.isin(table.category_ids, list(truth.categories))])
        found = doubts(truth, kept, dataset.image_ids)
        if published:
            interval = map_interval(truth, kept, dataset.image_ids)
            found += tuple(against_published(model, dataset, interval))
        assert all(any(letter.isdigit() for letter in doubt.reason) for doubt in found), "each has its figure"
        return {doubt.name: doubt.certain for doubt in found}

    return look


def corners_less_sizes(boxes, sizes):
    return np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])


# fmt: off
WRONG_BOXES = {
    "x and y swapped":            misread.swapped,
    "x and y swapped in pixels":  lambda boxes, sizes: boxes[:, [1, 0, 3, 2]],
    "corners for sizes":          misread.sizes_as_corners,
    "sizes for corners":          corners_less_sizes,
    "centers for corners":        misread.not_centers,
    "corners for centers":        misread.centers,
    "shares for pixels":          lambda boxes, sizes: boxes / np.tile(sizes, 2),
    "images of half the size":    misread.scaled(0.5),
    "images of twice the size":   misread.scaled(2.0),
    "boxes of half the size":     misread.resized(0.5),
    "boxes of twice the size":    misread.resized(2.0),
    "mirrored":                   misread.mirrored,
    "upside down":                misread.upside_down,
    "turned by 180°":             misread.half_turn,
    "turned by 90°":              misread.left_turn,
    "turned by 90° the other way": misread.right_turn,
}
WRONG_LABELS = {
    "one too low":          lambda ids: ids - 1,
    "one too high":         lambda ids: ids + 1,
    "by the alphabet":      lambda ids: np.array([0, 1, 4, 5, 6, 2, 3])[ids],
    "two exchanged":        lambda ids: np.array([0, 2, 1, 3, 4, 5, 6])[ids],
    "of another model":     lambda ids: np.random.default_rng(0).integers(1, 7, len(ids)),
    "all the same":         np.ones_like,
}
WRONG_INPUTS = {
    "0…1 for -1…1":   {"mean": (0.0,) * 3, "std": (255.0,) * 3},
    "pixels":         {"mean": (0.0,) * 3, "std": (1.0,) * 3},
    "ImageNet's":     {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)},
    "letterboxed":    {"resize": "letterbox"},
}
# fmt: on


def test_a_right_reading_raises_no_doubt(right, found_in):
    assert found_in(right, published=True) == {}


@pytest.mark.parametrize("wrong", WRONG_BOXES)
def test_boxes_read_wrongly_are_named_for_certain(wrong, right, truth, found_in):
    sizes = {row.id: (row.width, row.height) for row in truth.images}
    rows = right.rows.copy()
    rows[:, 1:5] = WRONG_BOXES[wrong](
        right.boxes, np.array([sizes[number] for number in right.image_ids], float)
    )
    assert found_in(DetectionTable(rows[(rows[:, 3:5] > 0).all(axis=1)]))[COORDINATES]


def test_a_padding_that_was_forgotten_is_a_reason(right, truth, found_in):
    sizes = {row.id: (row.width, row.height) for row in truth.images}
    rows = right.rows.copy()
    at = np.array([sizes[number] for number in right.image_ids], float)
    rows[:, 1:5] = misread.not_padded(0.5)(right.boxes, at)
    assert COORDINATES in found_in(DetectionTable(rows))


@pytest.mark.parametrize("wrong", WRONG_LABELS)
def test_labels_read_wrongly_are_named_for_certain(wrong, right, found_in):
    rows = right.rows.copy()
    rows[:, 6] = WRONG_LABELS[wrong](right.category_ids)
    assert found_in(DetectionTable(rows))[LABELS]


@pytest.mark.parametrize("wrong", WRONG_INPUTS)
def test_an_input_prepared_wrongly_is_held_against_what_the_card_publishes(wrong, model, dataset, found_in):
    card = replace(model.card, input=replace(model.card.input, **WRONG_INPUTS[wrong]))
    assert PUBLISHED in found_in(table_of(card, model, dataset.images), published=True)


def test_classes_taken_for_scores_show_as_scores_above_1(model, dataset, found_in):
    card = replace(model.card, decoder=replace(model.card.decoder, order="boxes,scores,classes,count"))
    assert found_in(table_of(card, model, dataset.images))[SCORES]


def test_detections_of_other_images_are_no_better_than_chance(right, found_in):
    rows = right.rows.copy()
    rows[:, 0] = np.roll(np.unique(rows[:, 0]), 1)[np.unique(rows[:, 0], return_inverse=True)[1]]
    assert found_in(DetectionTable(rows))[CHANCE]


def test_no_detection_at_all_is_no_mean_of_nothing(right, found_in):
    assert found_in(DetectionTable(right.rows[:0]))["nothing found"]


def test_a_few_images_with_detections_of_many_raise_no_doubt(right, dataset, truth):
    few = DetectionTable(right.rows[np.isin(right.image_ids, dataset.image_ids[:30])])
    assert doubts(truth, few, dataset.image_ids) == ()
