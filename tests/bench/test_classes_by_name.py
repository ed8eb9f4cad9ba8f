"""However a data set numbers, orders, spells and lays out its classes, a model has the same mAP on it, or is refused.

The truth is pycocotools' on detections mapped by hand (`tests/support/class_worlds.py`). Images are inferred once.
"""

import json
import shutil
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import Phase, event, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from harness.accuracy.annotations import read_annotations
from harness.accuracy.classes import Choice
from harness.accuracy.dataset import find_dataset
from harness.accuracy.dataset_accuracy import evaluate_on
from harness.accuracy.interpreters import InterpreterEngine, make_here
from harness.accuracy.labels import LEFT_OUT, category_ids
from harness.accuracy.pipeline import Recipe, detect
from harness.accuracy.prepare import Preparation
from harness.bench.accuracy_checks import judged
from harness.bench.subjects import match_subject
from harness.cards import Labels
from harness.detectors.base import ModelContext
from harness.detectors.registry import make_decoder
from harness.edit.card_toml import to_toml
from harness.edit.files import edit_cut
from harness.errors import HarnessError
from harness.recognize.find import find_model
from harness.records.records import AccuracyFacts
from harness.tflite.model import describe
from harness.vocabulary import Status
from harness.workspace import bundled_workspace
from tests.support.class_worlds import (
    LAYOUTS,
    Box,
    Form,
    Seen,
    World,
    forms,
    images_of,
    parts,
    right_map,
    write,
)
from tests.support.model_metadata import with_archive
from tests.support.paths import MODELS

pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")

N_IMAGES = 16
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring")
LIKE_COCOS = ("traffic light", "potted plant", "tv", "couch", "dining table", "airplane")
BUNDLED = ("float32", "float16", "dynamic-range", "full-integer")
REAL = {"ssd_mobilenet_v1_coco_quant": "data/models", "yolov8n_3_own_classes": "cases/models"}
NAMED_ELSEWHERE = (
    "label file",
    "background first",
    "metadata.json",
    "temp_meta.txt",
    "cut",
    "cut, label file",
)
VARIANTS = (*BUNDLED, *NAMED_ELSEWHERE, "like coco's", *REAL)


@dataclass(frozen=True)
class Variant:
    """A model as the harness finds it, what it sees in the images, and where those are."""

    model: object
    facts: object
    seen: Seen
    images: object

    @cached_property
    def right_map(self):
        """The right mAP in the whole world, however it is written down."""
        return right_map(self.seen.world, self.seen)


@pytest.fixture(scope="module")
def variants(tmp_path_factory):
    """Each model once, by its name in `VARIANTS`."""
    folder = tmp_path_factory.mktemp("variants")
    made = {}

    def variant(name):
        if name not in made:
            made[name] = _real(name, folder) if name in REAL else _shapes(name, folder)
        return made[name]

    return variant


def _shapes(name, folder):
    place, names = _shapes_file(name, folder)
    return _variant(place, MODELS / "shapes" / "dataset", names, folder / f"images of {name}")


def _shapes_file(name, folder):
    """Write a bundled model with names in another place; return what a user would name, and the names."""
    if name in BUNDLED:
        return MODELS / f"shapes-{name}.toml", SHAPES
    if name == "nameless":
        return MODELS / "shapes" / "shapes_float32.tflite", SHAPES
    data = (MODELS / "shapes" / "shapes_float32.tflite").read_bytes()
    bare, lines = folder / f"{name.replace('.', ' ')}.tflite", "\n".join(SHAPES)
    if name == "like coco's":
        card = find_model("shapes-float32", bundled_workspace()).card
        shutil.copy(MODELS / "shapes" / "shapes_float32.tflite", folder / "copy.tflite")
        labels = Labels(offset=1, names=LIKE_COCOS)
        card = changed(card, source=changed(card.source, path="copy.tflite"), labels=labels, dataset=None)
        (folder / "like.toml").write_text(to_toml(changed(card, published=()), "a test's"))
        return folder / "like.toml", LIKE_COCOS
    if name.startswith("cut"):
        edit_cut(find_model("shapes-float32", bundled_workspace()), bare)
        if name == "cut":
            return bare.with_suffix(".toml"), SHAPES
        data = bare.read_bytes()
    archives = {
        "label file": {"labels__txt": lines},
        "background first": {"labels__txt": "???\n" + lines},
        "metadata.json": {"metadata__json": json.dumps({"names": dict(enumerate(SHAPES))})},
        "temp_meta.txt": {"temp_meta__txt": repr({"names": dict(enumerate(SHAPES)), "task": "detect"})},
        "cut, label file": {"labels__txt": "background\n" + lines},
    }
    bare.write_bytes(with_archive(data, **archives[name]))
    return bare, SHAPES


def _real(name, folder):
    shared = MODELS.parents[1] / "shared"
    if not shared.is_dir():
        return None
    names = tuple(row["name"] for row in _coco50(shared)["categories"]) if name.startswith("ssd") else None
    model = shared / REAL[name] / f"{name}.tflite"
    names = _by_coco_id(shared) if name.startswith("ssd") else ("person", "car", "chair")
    return _variant(model, shared / "data" / "coco50", names, folder / f"images of {name}")


def _coco50(shared):
    return json.loads((shared / "data" / "coco50" / "instances_val2017.json").read_text())


def _by_coco_id(shared):
    """Class k of an SSD is COCO's category k + 1, by the documentation of its label map."""
    by_id = {row["id"]: row["name"] for row in _coco50(shared)["categories"]}
    return tuple(by_id.get(number, "") for number in range(1, 91))


def _variant(place, data, names, images):
    dataset = find_dataset(data, N_IMAGES)
    model = find_model(str(place), bundled_workspace())
    facts = describe(model.file)
    decoder = make_decoder(
        model.card.decoder,
        facts.outputs,
        ModelContext(model.card.input.width, model.card.input.height, model.file),
    )
    recipe = Recipe(Preparation(model.card.input, facts.inputs[0]), decoder, Labels())
    listed = ((image.id, image.file) for image in dataset.images)
    found = detect(listed, recipe, [InterpreterEngine(make_here(model.file))], 1)
    rows = np.concatenate(
        [
            np.column_stack([np.full(len(one.scores), one.image_id), one.boxes, one.scores, one.categories])
            for one in found
        ]
    ).astype(np.float64)
    world = _world(dataset, names)
    return Variant(model, facts, Seen(rows, names, world), images_of(world, dataset.image_folder, images))


def _world(dataset, names):
    """The annotations by the model's names; those of a data set with other classes are left out."""
    truth = read_annotations(dataset.annotations)
    own = (
        dict(zip(sorted(truth.categories), names, strict=False))
        if len(truth.categories) == len(names)
        else None
    )
    words = own or truth.categories
    rows = zip(truth.image_ids.tolist(), truth.category_ids.tolist(), truth.boxes, truth.crowd, strict=True)
    boxes = tuple(
        Box(image, tuple(int(value) for value in np.maximum(np.rint(box), 1)), words[category])
        for image, category, box, crowd in rows
        if image in dataset.image_ids and words[category] in names and not crowd
    )
    images = tuple((image.id, image.path.name, image.width, image.height) for image in dataset.images)
    return World(images, boxes, tuple(name for name in names if name))


def measured(variant, place, scratch, chosen=()):
    """The mAP as a run computes it, and what the run says of it."""
    dataset = find_dataset(place)
    subject = match_subject(variant.model, variant.facts, dataset, Choice(chosen))
    rows = variant.seen.rows
    ids = category_ids(rows[:, 6].astype(int), subject.model.card.labels)
    detections = [
        {"image_id": int(row[0]), "category_id": number, "bbox": row[1:5].tolist(), "score": row[5]}
        for row, number in zip(rows, ids.tolist(), strict=True)
        if number != LEFT_OUT
    ]
    (scratch / "detections.json").write_text(json.dumps(detections))
    matching = subject.matching
    result = evaluate_on(dataset, scratch / "detections.json", categories=matching.categories)
    facts = AccuracyFacts(status=Status.OK, dataset="d", annotations_sha256="", n_images=N_IMAGES)
    cell = SimpleNamespace(
        matching=matching, settings=SimpleNamespace(classes=chosen), model=subject.model, dataset=dataset
    )
    facts = judged(facts, cell, result)
    return SimpleNamespace(
        map=result.evaluation.figures.map, status=facts.status, reasons=facts.reasons, matched=matching.facts
    )


PROPERTY = settings(max_examples=16, phases=[Phase.explicit, Phase.generate], report_multiple_bugs=False)
"""To shrink an example takes minutes, and says no more."""


@PROPERTY
@given(data=st.data())
def test_every_form_of_a_data_set_gives_the_same_map_or_a_refusal(data, variants, tmp_path_factory):
    variant = variants(data.draw(st.sampled_from(VARIANTS), "model"))
    if variant is None:
        return
    world = data.draw(parts(variant.seen.world), "world")
    form = data.draw(forms(), "form")
    chosen = data.draw(
        st.just(()) | st.sets(st.sampled_from(world.names), min_size=1).map(sorted), "--classes"
    )
    folder = tmp_path_factory.mktemp("world")
    try:
        place = write(world, form, folder, variant.images)
        found = measured(variant, place, folder, tuple(chosen))
    except HarnessError as error:
        event(f"refused: {error}")
        return
    event(found.status)
    if found.status != Status.INCORRECT:
        expected = right_map(world.of(set(chosen) or set(world.names), ()), variant.seen)
        assert found.map == pytest.approx(expected, abs=1e-9)
        assert found.matched.matched_by == "name"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["float32", *REAL])
def test_every_layout_is_read(layout, name, variants, tmp_path):
    variant = variants(name)
    if variant is None:
        pytest.skip("the shared models are absent")
    world = variant.seen.world
    form = Form(layout, "by the alphabet", 0, 1, ("upper case", "hyphens"), "objects", words=True)
    found = measured(variant, write(world, form, tmp_path, variant.images), tmp_path)
    assert found.map == pytest.approx(variant.right_map, abs=1e-9)
    assert found.status == Status.OK
    assert all("in fewer than 10 images" in reason for reason in found.reasons)


@PROPERTY
@given(form=forms())
def test_numbers_without_names_give_the_same_map_or_say_that_they_are_doubtful(
    form, variants, tmp_path_factory
):
    variant = variants("nameless")
    folder = tmp_path_factory.mktemp("world")
    world = variant.seen.world
    try:
        found = measured(variant, write(world, form, folder, variant.images), folder)
    except HarnessError as error:
        event(f"refused: {error}")
        return
    event(found.status)
    right = found.map == pytest.approx(variant.right_map, abs=1e-9)
    assert right or found.status == Status.INCORRECT
