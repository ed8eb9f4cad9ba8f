"""Each layout of one trained detector: a bare file is read rightly or refused, a card reads it; never another mAP."""

import re

import numpy as np
import pytest

from harness.accuracy.coco import evaluate
from harness.accuracy.dataset import find_dataset
from harness.accuracy.interpreters import InterpreterEngine
from harness.accuracy.pipeline import Recipe
from harness.accuracy.prepare import Preparation
from harness.cards import Labels, load_card
from harness.detectors.base import ModelContext
from harness.detectors.registry import make_decoder
from harness.edit.files import edit_nms
from harness.edit.nms import NmsChange
from harness.recognize.card import infer_card
from harness.runtime import load_runtime, make_interpreter
from harness.tflite.model import describe
from tests.support.paths import DATASET, MODELS

pytest.importorskip("ai_edge_litert", reason="layouts are written with its schema classes")
from tests.support.layout_table import CASES

N_IMAGES = 24
SAME = 1e-3


class Bench:
    """The images, prepared once as the bundled model wants them, and its mAP on them."""

    def __init__(self, folder):
        self.model = load_card(MODELS / "shapes-float32.toml")
        self.dataset = find_dataset(DATASET).limited(N_IMAGES)
        info = describe(self.model.file).inputs[0]
        self.preparation = Preparation(self.model.card.input, info)
        self.inputs = [(image.id, *self.preparation.load(image.path)) for image in self.dataset.images]
        self.pictures = [image.path for image in self.dataset.images[:6]]
        self.truth = self.map_of(self.model.file, [self.model.card.decoder])[0]
        regular = folder / "regular.tflite"
        edit_nms(self.model.file, regular, NmsChange(True, 1e-8, 0.6, 100, 100))
        self.regular = self.map_of(regular, [self.model.card.decoder])[0]

    def map_of(self, path, decoders):
        """Return the mAP of one file under several decoders."""
        if not decoders:
            return []
        infos = describe(path).outputs
        context = ModelContext(self.model.card.input.width, self.model.card.input.height, path)
        engine = InterpreterEngine(make_interpreter(load_runtime(), str(path), "cpu", 1))
        recipes = [
            Recipe(self.preparation, make_decoder(spec, infos, context), Labels(offset=1))
            for spec in decoders
        ]
        rows = [[] for _ in recipes]
        for image_id, tensor, geometry in self.inputs:
            outputs = engine.infer(tensor)
            for recipe, found in zip(recipes, rows, strict=True):
                one = recipe.decode(image_id, outputs, geometry)
                ids = np.full(len(one.scores), image_id)
                found.append(np.column_stack([ids, one.boxes, one.scores, one.categories]))
        annotations, ids = self.dataset.annotations, self.dataset.image_ids
        return [evaluate(annotations, np.concatenate(found), ids).figures.map for found in rows]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("truth"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_layout_is_read_rightly_or_refused(case, bench, tmp_path):
    path = tmp_path / "model.tflite"
    case.write(path)
    card = infer_card(path, bench.pictures).card
    found = "refused" if card.decoder.name == "none" else "read"
    decoders = [
        spec for spec in (None if found == "refused" else card.decoder, case.card) if spec is not None
    ]
    truth = bench.regular if case.regular else bench.truth
    assert bench.map_of(path, decoders) == [pytest.approx(truth, abs=SAME)] * len(decoders)
    assert found == case.bare


def test_the_documented_table_is_the_one_that_is_tested():
    text = (MODELS / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- conformance -->\n(.*?)<!-- /conformance -->", text, re.DOTALL).group(1)
    assert shown == documented()


def documented():
    """Write the table as it stands in models/README.md."""
    lines = ["| layout | a bare file is | decoder of a card |", "|---|---|---|"]
    lines += [f"| {case.name} | {case.bare} | {_name(case)} |" for case in CASES]
    return "\n".join(lines) + "\n"


def _name(case):
    return "none" if case.card is None else f"`{case.card.name}`"
