"""Diagnose matches both models' classes with the data set's by name, and reads images as they are annotated."""

import json
import shutil

import pytest
from PIL import Image

from harness.accuracy.dataset import find_dataset
from harness.diagnosis.classes import match_classes
from harness.diagnosis.diagnose import Case, gather
from harness.diagnosis.runs.model_pair import ModelPair, load_model
from harness.quantization import compare
from harness.recognize.find import find_model
from harness.workspace import Workspace
from tests.support.paths import MODELS, REPOSITORY

pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")
N_IMAGES = 12


@pytest.fixture
def pair():
    workspace = Workspace(REPOSITORY)
    names = {"float": "shapes-float32", "quantized": "shapes-full-integer"}
    return ModelPair(**{role: load_model(role, find_model(name, workspace)) for role, name in names.items()})


@pytest.fixture
def dataset(tmp_path):
    """The bundled data set with its categories numbered and annotations changed by a function."""
    shutil.copytree(MODELS / "shapes" / "dataset", tmp_path / "data")

    def make(number, keep=lambda name: True):
        path = tmp_path / "data" / "instances_val.json"
        data = json.loads(path.read_text(encoding="utf-8"))
        names = {one["id"]: one["name"] for one in data["categories"]}
        data["categories"] = [{**one, "id": number(one["id"])} for one in data["categories"]]
        data["annotations"] = [
            {**one, "category_id": number(one["category_id"])}
            for one in data["annotations"]
            if keep(names[one["category_id"]])
        ]
        path.write_text(json.dumps(data), encoding="utf-8")
        return find_dataset(tmp_path / "data").limited(N_IMAGES)

    return make


def maps_of(pair, dataset):
    said = []
    matched, categories = match_classes(pair, dataset, said.append)
    loss = gather(Case(matched, dataset, layer_images=0, categories=categories)).loss
    return loss.float.figures.map, loss.quantized.figures.map, said


def test_renumbered_categories_give_the_same_figures(pair, dataset):
    right = maps_of(pair, dataset(lambda number: number))
    assert right[0] > 0.3 and right[2] == []
    assert maps_of(pair, dataset(lambda number: 70 - 10 * number)) == right


def test_categories_that_the_model_does_not_know_are_said_and_left_out(pair, dataset):
    data = dataset(lambda number: number)
    path = data.annotations
    content = json.loads(path.read_text(encoding="utf-8"))
    content["categories"][0]["name"] = "banana"
    path.write_text(json.dumps(content), encoding="utf-8")
    data = find_dataset(path.parent).limited(N_IMAGES)
    _, categories = match_classes(pair, data, (said := []).append)
    assert categories == (2, 3, 4, 5, 6)
    assert len(said) == 2 and "5 of 6 classes" in said[0] and "banana" in said[0]


def test_quantize_compares_on_pictures_as_they_are_annotated(tmp_path):
    from harness.accuracy.image_files import ImageFile
    from harness.accuracy.prepare import Preparation
    from harness.cards import InputSpec
    from harness.tflite.tensor_info import TensorInfo

    picture = Image.new("RGB", (40, 20), "red")
    picture.paste("blue", (0, 0, 20, 20))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.png", exif=exif)
    preparation = Preparation(InputSpec(width=8, height=8), TensorInfo("x", (1, 8, 8, 3), "uint8"))
    upright, stored = (
        next(iter(compare.prepared(preparation, [ImageFile(tmp_path / "turned.png", size, as_stored=kept)])))
        for size, kept in (((20, 40), False), ((40, 20), True))
    )
    assert upright[0, 0].tolist() == [[0, 0, 255]] * 8, "the left half is above when it is upright"
    assert stored[0, :, 0].tolist() == [[0, 0, 255]] * 8
