"""Expected values from pycocotools' own curves, or worked out by hand after TIDE's definitions."""

import numpy as np
import pytest

from harness.accuracy.annotations import GroundTruth, ImageRow
from harness.accuracy.breakdown import break_down
from harness.accuracy.coco import evaluate
from harness.accuracy.detections import DetectionTable

BOX = (10, 10, 50, 50)
HALF = (10, 10, 20, 50)
"""IoU 0.4 with BOX."""
FAR = (200, 200, 50, 50)


def truth_of(*objects, images=(1, 2), categories=(1, 2)):
    """Objects are (image, category, box)."""
    boxes = np.array([box for _, _, box in objects], float).reshape(-1, 4)
    n = len(objects)
    return GroundTruth(
        path=None,
        sha256="",
        images=tuple(ImageRow(k) for k in images),
        categories={k: f"name {k}" for k in categories},
        info=None,
        ids=np.arange(1, n + 1),
        image_ids=np.array([image for image, _, _ in objects], np.int64),
        category_ids=np.array([category for _, category, _ in objects], np.int64),
        boxes=boxes,
        areas=boxes[:, 2] * boxes[:, 3],
        crowd=np.zeros(n, bool),
    )


def table_of(*found):
    """Detections are (image, category, box, score)."""
    rows = [(image, *box, score, category) for image, category, box, score in found]
    return DetectionTable(np.array(rows, float).reshape(-1, 7))


ONE, TWO = (1, 1, BOX), (2, 1, BOX)
OTHER = (2, 2, BOX)


@pytest.mark.parametrize(
    ("kind", "objects", "found", "before"),
    [
        ("localization", (ONE, TWO), [(1, 1, HALF, 0.9), (2, 1, BOX, 0.8)], 51 / 101 / 2),
        ("class", (ONE, OTHER), [(1, 2, BOX, 0.9), (2, 2, BOX, 0.8)], 0.25),
        ("both", (ONE, OTHER), [(1, 2, HALF, 0.9), (2, 2, BOX, 0.8)], 0.25),
        ("duplicate", (ONE, TWO), [(1, 1, BOX, 0.9), (1, 1, BOX, 0.85), (2, 1, BOX, 0.8)], (51 + 50 * 2 / 3) / 101),
        ("background", (ONE, TWO), [(1, 1, FAR, 0.9), (1, 1, BOX, 0.85), (2, 1, BOX, 0.8)], 2 / 3),
    ],
)  # fmt: skip
def test_an_error_is_of_its_kind_and_worth_what_its_repair_brings(kind, objects, found, before):
    """After the repair everything is right, but for `both`: it is taken out and its object stays missed."""
    truth, table = truth_of(*objects), table_of(*found)
    assert evaluate(truth, table).figures.ap50 == pytest.approx(before, abs=1e-9)
    counts = {error.name: error.count for error in break_down(truth, table).errors}
    assert counts == {**dict.fromkeys(counts, 0), kind: 1, "missed": int(kind == "both")}
    gain = {error.name: error.ap50_gain for error in break_down(truth, table).errors}[kind]
    assert gain == pytest.approx((0.5 if kind == "both" else 1.0) - before, abs=1e-9)


def test_a_missed_object_is_worth_the_recall_it_costs():
    result = break_down(truth_of(ONE, TWO), table_of((1, 1, BOX, 0.9)))
    errors = {error.name: error for error in result.errors}
    assert errors["missed"].count == 1
    assert errors["missed"].ap50_gain == pytest.approx(1 - 51 / 101, abs=1e-9)
    assert sum(error.count for error in result.errors) == 1


def test_all_kinds_are_named_as_in_the_paper_and_in_its_order():
    result = break_down(truth_of(ONE), table_of())
    names = ["localization", "class", "both", "duplicate", "background", "missed"]
    assert [error.name for error in result.errors] == names


@pytest.mark.parametrize("engine", ["harness", "hotcoco", "pycocotools"])
def test_classes_and_sizes_equal_pycocotools_on_random_data_sets(random_data, engine):
    random = np.random.default_rng(12)
    for _ in range(25):
        truth, pool = random_data.truth(random)
        table = random_data.detections(random, truth, pool)
        subset = random_data.subset(random, truth)
        result = break_down(truth, table, subset, engine)
        areas = {"all": (0, 1e10), "small": (0, 1024), "medium": (1024, 9216), "large": (9216, 1e10)}
        for name, area in areas.items():
            curves = random_data.pycocotools(truth, table, subset, area).eval
            precision, recall = curves["precision"][:, :, :, 0, 0], curves["recall"][:, :, 0, 0]
            for k, part in enumerate(result.classes):
                found = part.map if name == "all" else getattr(part, f"ap_{name}")
                assert found == known(precision[:, :, k])
            if name == "all":
                assert [part.ap50 for part in result.classes] == [known(p) for p in precision[0].T]
                assert [part.ar100 for part in result.classes] == [known(r) for r in recall.T]
            else:
                size = next(part for part in result.sizes if part.name == name)
                assert (size.map, size.ap75, size.ar100) == (
                    known(precision),
                    known(precision[5]),
                    known(recall),
                )


def known(values):
    values = np.asarray(values)
    return pytest.approx(values[values > -1].mean(), abs=1e-9) if (values > -1).any() else None


def test_curves_average_to_the_figures():
    truth = truth_of(ONE, TWO, (2, 2, FAR))
    table = table_of((1, 1, BOX, 0.9), (2, 1, HALF, 0.8), (2, 1, BOX, 0.5))
    figures, result = evaluate(truth, table).figures, break_down(truth, table)
    curves = {(curve.name, curve.iou): curve for curve in result.curves}
    assert set(curves) == {(n, t) for n in (None, "name 1", "name 2") for t in (None, 0.5, 0.75)}
    assert curves[None, None].precision.mean() == pytest.approx(figures.map, abs=1e-12)
    assert curves[None, 0.5].precision.mean() == pytest.approx(figures.ap50, abs=1e-12)
    at = curves["name 1", 0.5]
    assert at.recall[50] == 0.5
    assert at.precision[50:52].tolist() == pytest.approx([1.0, 2 / 3])  # one of one, then two of three


def test_a_class_without_objects_has_no_accuracy_and_no_curve():
    result = break_down(truth_of(ONE), table_of((1, 2, BOX, 0.9)))
    empty = result.classes[1]
    assert (empty.name, empty.annotations, empty.detections, empty.map) == ("name 2", 0, 1, None)
    assert "name 2" not in {curve.name for curve in result.curves}


def test_negative_ids_and_chosen_images_are_broken_down():
    truth = truth_of((-3, 0, BOX), (9, 5, BOX), images=(-3, 9), categories=(0, 5))
    table = table_of((-3, 0, BOX, 0.9), (9, 5, FAR, 0.9))
    result = break_down(truth, table, image_ids=[-3])
    assert [(part.annotations, part.detections) for part in result.classes] == [(1, 1), (0, 0)]
    assert sum(error.count for error in result.errors) == 0
