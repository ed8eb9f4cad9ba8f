"""Every expected figure comes from pycocotools itself, run on the same files, or is computed by hand."""

import contextlib
import io
import json
import os

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from harness.accuracy.annotations import read_annotations
from harness.accuracy.coco import evaluate, refuse_unknown_ids
from harness.accuracy.detections import DetectionWriter, load_detections
from harness.errors import DatasetError, UsageError

EXAMPLES = int(os.environ.get("HARNESS_PROPERTY_EXAMPLES", "80"))
"""More: HARNESS_PROPERTY_EXAMPLES=5000 pytest tests/accuracy/test_coco.py"""
ENGINES = ("harness", "hotcoco", "pycocotools")
PUBLISHED = (0.505, 0.697, 0.573, 0.586, 0.519, 0.501, 0.387, 0.594, 0.595, 0.640, 0.566, 0.564)
"""https://github.com/cocodataset/cocoapi, pycocoEvalDemo: bbox, 100 images of val2014."""


def reference(annotations, detections, image_ids=None):
    """Run pycocotools as its users do, on the files."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotations))
        found = truth.loadRes(str(detections)) if json.loads(detections.read_text()) else COCO()
        evaluation = COCOeval(truth, found, "bbox")
        if image_ids is not None:
            evaluation.params.imgIds = list(image_ids)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def values(figures):
    return [-1.0 if value is None else value for value in msgspec.structs.astuple(figures)]


def annotation(number, image=1, category=1, box=(10, 10, 50, 50), **more):
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": list(box),
        "area": box[2] * box[3],
        "iscrowd": 0,
        **more,
    }


def detection(image=1, category=1, box=(10, 10, 50, 50), score=0.9):
    return {"image_id": image, "category_id": category, "bbox": list(box), "score": score}


def write_truth(path, annotations, images=(1, 2), categories=(1,)):
    document = {
        "images": [{"id": k} for k in images],
        "annotations": list(annotations),
        "categories": [{"id": k, "name": f"name {k}"} for k in categories],
    }
    path.write_text(json.dumps(document))
    return path


# -- equal to pycocotools ----------------------------------------------------------------------------------------

IMAGES, CATEGORIES = (0, 3, 7, 12), (0, 2, 5)
GRID = st.integers(0, 6).map(lambda k: 10.0 * k)
"""Boxes on a grid have IoUs of exactly 0.5 and 0.75, the thresholds themselves."""
FREE = st.floats(0, 250, allow_nan=False, width=32).map(lambda v: round(v, 2))
BOXES = st.tuples(*[GRID] * 4) | st.tuples(*[FREE] * 4)
SCORES = st.sampled_from([0.1, 0.5, 0.9]) | st.floats(0, 1, width=32)


def exactly(elements, sizes):
    """Lists whose lengths are spread evenly; hypothesis alone prefers short ones, which say little here."""
    return sizes.flatmap(lambda n: st.lists(elements, min_size=n, max_size=n))


@st.composite
def cases(draw):
    """Annotations, detections and image ids: crowds, ties, repeated boxes, classes without truth, nothing at all."""
    images, categories = st.sampled_from(IMAGES), st.sampled_from(CATEGORIES[: draw(st.integers(1, 3))])
    boxes = draw(st.lists(BOXES, min_size=1, max_size=6))
    box = st.sampled_from(boxes) | BOXES
    truth = st.tuples(images, categories, box, st.sampled_from([0, 0, 0, 1]), st.sampled_from([1.0, 0.4]))
    found = st.tuples(images, categories, box, SCORES)
    annotations = [
        annotation(k + 1, i, c, b, iscrowd=crowd, area=b[2] * b[3] * share)
        for k, (i, c, b, crowd, share) in enumerate(draw(exactly(truth, st.integers(0, 14))))
    ]
    detections = [detection(*values) for values in draw(exactly(found, st.integers(0, 40)))]
    subset = draw(st.none() | st.lists(st.sampled_from(IMAGES), min_size=1, max_size=4, unique=True))
    return annotations, detections, subset


@settings(max_examples=EXAMPLES, deadline=None, derandomize="HARNESS_PROPERTY_EXAMPLES" not in os.environ)
@given(case=cases())
def test_all_engines_equal_pycocotools_on_any_small_data_set(case, tmp_path_factory):
    annotations, detections, subset = case
    folder = tmp_path_factory.getbasetemp()
    truth = write_truth(folder / "truth.json", annotations, IMAGES, CATEGORIES)
    (folder / "found.json").write_text(json.dumps(detections))
    expected = reference(truth, folder / "found.json", subset)
    for engine in ENGINES:
        result = evaluate(truth, folder / "found.json", subset, engine)
        assert values(result.figures) == pytest.approx(expected.stats.tolist(), abs=1e-9)
        assert result.n_images == len(IMAGES if subset is None else subset)
        for k, ap in enumerate(result.ap_per_category.values()):
            known = expected.eval["precision"][:, :, k, 0, 2]
            assert ap == (pytest.approx(known.mean(), abs=1e-9) if (known > -1).any() else None)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_published_figures_of_cocoapi_are_reproduced(shared_data, engine):
    folder = shared_data / "cocoapi_demo"
    result = evaluate(
        folder / "instances_val2014_100.json",
        folder / "instances_val2014_fakebbox100_results.json",
        engine=engine,
    )
    assert [round(value, 3) for value in values(result.figures)] == list(PUBLISHED)
    assert result.n_images == 100
    assert result.engine.split()[0] == engine


@pytest.mark.parametrize("engine", ENGINES)
def test_a_subset_of_the_demo_equals_pycocotools(shared_data, engine):
    folder = shared_data / "cocoapi_demo"
    truth = folder / "instances_val2014_100.json"
    found = folder / "instances_val2014_fakebbox100_results.json"
    subset = sorted(row.id for row in read_annotations(truth).images)[10:47]
    expected, result = reference(truth, found, subset), evaluate(truth, found, subset, engine)
    assert values(result.figures) == pytest.approx(expected.stats.tolist(), abs=1e-9)
    precision = expected.eval["precision"][:, :, :, 0, 2]
    averages = [float(p.mean()) if (p > -1).any() else None for p in np.moveaxis(precision, 2, 0)]
    assert list(result.ap_per_category.values()) == pytest.approx(averages, abs=1e-9)


def test_what_the_writer_wrote_equals_pycocotools_on_that_file(tmp_path, shared_data):
    truth = shared_data / "coco50" / "instances_val2017.json"
    known = read_annotations(truth)
    random = np.random.default_rng(3)
    with DetectionWriter(tmp_path / "found.json") as writer:
        for row in known.images:
            of = known.image_ids == row.id
            boxes = known.boxes[of] + random.normal(0, 4, known.boxes[of].shape)
            writer.add(row.id, boxes, random.random(of.sum(), np.float32), known.category_ids[of])
    expected = reference(truth, tmp_path / "found.json").stats.tolist()
    result = evaluate(truth, tmp_path / "found.json")
    assert 0.2 < result.figures.map < 0.9
    assert values(result.figures) == pytest.approx(expected, abs=1e-9)


# -- computed by hand --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_a_perfect_detection_has_ap_one(tmp_path, engine):
    truth = write_truth(tmp_path / "a.json", [annotation(1)])
    assert evaluate(truth, [detection()], engine=engine).figures.map == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("engine", ENGINES)
def test_half_of_the_objects_found_is_51_of_101_recalls(tmp_path, engine):
    truth = write_truth(tmp_path / "a.json", [annotation(1), annotation(2, image=2)])
    figures = evaluate(truth, [detection()], engine=engine).figures
    assert figures.map == pytest.approx(51 / 101, abs=1e-9)
    assert figures.ar100 == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_overlap_of_72_percent_is_found_at_five_of_ten_thresholds(tmp_path, engine):
    truth = write_truth(tmp_path / "a.json", [annotation(1, box=(0, 0, 100, 100))])
    figures = evaluate(truth, [detection(box=(0, 0, 72, 100))], engine=engine).figures
    assert (figures.ap50, figures.ap75) == (pytest.approx(1.0, abs=1e-9), 0)
    assert figures.map == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("side", "name"), [(31, "small"), (33, "medium"), (95, "medium"), (97, "large")])
def test_an_object_counts_in_the_class_of_its_area(tmp_path, engine, side, name):
    box = (0, 0, side, side)
    truth = write_truth(tmp_path / "a.json", [annotation(1, box=box)])
    figures = evaluate(truth, [detection(box=box)], engine=engine).figures
    for other in ("small", "medium", "large"):
        expected = pytest.approx(1.0, abs=1e-9) if other == name else None
        assert getattr(figures, f"ap_{other}") == expected
        assert getattr(figures, f"ar_{other}") == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_no_detections_is_zero_where_there_are_objects_and_unknown_elsewhere(tmp_path, engine):
    truth = write_truth(tmp_path / "a.json", [annotation(1)], categories=(1, 2))
    result = evaluate(truth, [], engine=engine)
    assert result.figures.map == 0
    assert result.figures.ap_medium == 0  # 50 × 50 px
    assert result.figures.ap_small is None
    assert result.figures.ap_large is None
    assert result.ap_per_category == {"name 1": 0, "name 2": None}


@pytest.mark.parametrize("engine", ENGINES)
def test_images_without_annotations_have_no_figures(tmp_path, engine):
    truth = write_truth(tmp_path / "a.json", [annotation(1, image=1)])
    figures = evaluate(truth, [detection(image=2)], image_ids=[2], engine=engine).figures
    assert set(msgspec.structs.astuple(figures)) == {None}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_detection_on_a_crowd_counts_for_nothing(tmp_path, engine):
    crowd = annotation(2, box=(100, 100, 80, 80), iscrowd=1)
    truth = write_truth(tmp_path / "a.json", [annotation(1), crowd])
    on_crowd = detection(box=(110, 110, 20, 20), score=0.99)
    assert evaluate(truth, [on_crowd, detection()], engine=engine).figures.map == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("engine", ENGINES)
def test_area_and_crowd_flag_may_be_absent(tmp_path, engine):
    bare = {key: value for key, value in annotation(1).items() if key not in ("area", "iscrowd")}
    truth = write_truth(tmp_path / "a.json", [bare])
    assert evaluate(truth, [detection()], engine=engine).figures.ap_medium == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_annotation_with_id_zero_counts_as_in_pycocotools_with_a_warning(tmp_path, engine):
    truth = write_truth(tmp_path / "a.json", [annotation(0), annotation(1, image=2)])
    (tmp_path / "d.json").write_text(json.dumps([detection(), detection(image=2)]))
    result = evaluate(truth, tmp_path / "d.json", engine=engine)
    assert result.figures.map == pytest.approx(reference(truth, tmp_path / "d.json").stats[0], abs=1e-9)
    assert result.figures.map < 0.9
    assert "id 0" in result.warnings[0]


@pytest.mark.parametrize("side", [1e-300, 1e-160, 1e-9, 0.0, -5.0, 1e10, 1e155, 1e200, 1e308])
def test_boxes_that_no_camera_sees_count_as_in_pycocotools_without_a_warning(tmp_path, side):
    boxes = ((0, 0, side, side), (-side / 2, 0, side, side), (0, 0, side, 32), (10, 10, 50, 50))
    rows = [annotation(k + 1, category=k, box=box, area=1024.0 * k) for k, box in enumerate(boxes)]
    del rows[0]["area"]
    if side > 1e100:
        del rows[0]  # an area that no float holds is refused where it is written
    truth = write_truth(tmp_path / "a.json", rows, categories=range(4))
    found = [detection(category=k, box=box) for k, box in enumerate(boxes)]
    (tmp_path / "d.json").write_text(json.dumps(found))
    with np.errstate(all="ignore"):
        dense = [row | {"area": row.get("area", row["bbox"][2] * row["bbox"][3])} for row in rows]
        stats = reference(
            write_truth(tmp_path / "dense.json", dense, categories=range(4)), tmp_path / "d.json"
        ).stats
    assert values(evaluate(truth, tmp_path / "d.json").figures) == pytest.approx(stats.tolist(), abs=1e-9)


def test_negative_ids_are_evaluated(tmp_path):
    truth = write_truth(tmp_path / "a.json", [annotation(5, image=-2)], images=(-2, 4))
    assert evaluate(truth, [detection(image=-2)]).figures.map == pytest.approx(1.0, abs=1e-9)


# -- the interface -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_a_file_a_table_an_array_and_objects_give_the_same_figures(tmp_path, engine):
    truth = write_truth(tmp_path / "a.json", [annotation(1), annotation(2, image=2)])
    objects = [detection(score=0.3), detection(image=2, box=(14, 10, 50, 50), score=0.8)]
    (tmp_path / "d.json").write_text(json.dumps(objects))
    array = np.array([[1, 10, 10, 50, 50, 0.3, 1], [2, 14, 10, 50, 50, 0.8, 1]])
    ways = [tmp_path / "d.json", load_detections(tmp_path / "d.json"), array, objects]
    results = [evaluate(truth, way, engine=engine).figures for way in ways]
    assert results == [results[0]] * 4
    assert evaluate(read_annotations(truth), array, engine=engine).figures == results[0]


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_is_printed(tmp_path, engine, capfd):
    truth = write_truth(tmp_path / "a.json", [annotation(1)])
    evaluate(truth, [detection(), detection(category=99)], engine=engine)
    assert capfd.readouterr() == ("", "")


def test_the_engine_is_named_with_its_version(tmp_path):
    import hotcoco

    import harness

    truth = write_truth(tmp_path / "a.json", [annotation(1)])
    assert evaluate(truth, [], engine="hotcoco").engine == f"hotcoco {hotcoco.__version__}"
    assert evaluate(truth, []).engine == f"harness {harness.__version__}"


def test_repeated_image_ids_count_once(tmp_path):
    truth = write_truth(tmp_path / "a.json", [annotation(1)])
    assert evaluate(truth, [detection()], image_ids=[1, 1]).n_images == 1


def test_detections_of_unknown_categories_are_left_out_with_a_warning(tmp_path):
    truth = write_truth(tmp_path / "a.json", [annotation(1)])
    result = evaluate(truth, [detection(), detection(category=91), detection(category=92)])
    assert result.figures.map == pytest.approx(1.0, abs=1e-9)
    assert result.warnings == (
        "2 of 3 detections have 2 category id(s) that are not in the annotations and count for nothing: 91, 92",
    )


def test_detections_of_unknown_categories_can_be_refused(tmp_path):
    truth = read_annotations(write_truth(tmp_path / "a.json", [annotation(1)], categories=(1, 90)))
    (tmp_path / "d.json").write_text(json.dumps([detection(category=91)]))
    with pytest.raises(
        DatasetError, match=r"1 of 1 detections .* 91; expected its category ids \(2 from 1 to 90\)"
    ):
        refuse_unknown_ids(truth, load_detections(tmp_path / "d.json"))


@pytest.mark.parametrize("engine", ENGINES)
def test_detections_of_unknown_images_are_an_error(tmp_path, engine):
    truth = write_truth(tmp_path / "a.json", [annotation(1)])
    found = [detection(image=k) for k in (1, 77, 78, 79, 80)]
    with pytest.raises(DatasetError, match=r"4 of 5 detections are of 4 image id\(s\) .*: 77, 78, 79, …"):
        evaluate(truth, found, engine=engine)


def test_image_ids_that_are_not_annotated_are_an_error(tmp_path):
    truth = write_truth(tmp_path / "a.json", [annotation(1)])
    with pytest.raises(UsageError, match=r"2 of 3 image ids are not in .*: 8, 9"):
        evaluate(truth, [], image_ids=[9, 1, 8])


def test_an_empty_list_of_image_ids_is_an_error_not_all_images(tmp_path):
    truth = write_truth(tmp_path / "a.json", [annotation(1)])
    with pytest.raises(UsageError, match="no image ids"):
        evaluate(truth, [], image_ids=[])


def test_two_categories_of_one_name_stay_apart(tmp_path):
    document = json.loads(write_truth(tmp_path / "a.json", [annotation(1)], categories=(1, 2)).read_text())
    for category in document["categories"]:
        category["name"] = "cat"
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert evaluate(tmp_path / "a.json", []).ap_per_category == {"cat (1)": 0, "cat (2)": None}
