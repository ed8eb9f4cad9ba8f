"""The drawn dataset: deterministic, exactly annotated, and the same as the one that is stored."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.example_training import draw
from tests.support.paths import DATASET

LISTS = {"images", "annotations"}


@pytest.fixture(scope="module")
def scenes() -> list[draw.Scene]:
    return [draw.draw_scene("val", index) for index in range(24)]


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DATASET / "instances_val.json").read_text())
    return document


def independent_mask(shape: draw.Shape, height: int, width: int) -> np.ndarray[Any, Any]:
    """Decide each pixel in the shape's own frame: by half-planes and conics, not by edges."""
    y, x = np.mgrid[:height, :width] + 0.5
    cos, sin = math.cos(shape.angle), math.sin(shape.angle)
    dx, dy = x - shape.centre[0], y - shape.centre[1]
    u, v = (cos * dx + sin * dy) / shape.radii[0], (cos * dy - sin * dx) / shape.radii[1]
    inside: np.ndarray[Any, Any]
    match draw.CATEGORIES[shape.category - 1]:
        case "circle":
            inside = u * u + v * v < 1
        case "ring":
            inside = (u * u + v * v < 1) & (u * u + v * v > draw.RING_HOLE**2)
        case "square":
            inside = np.maximum(abs(u), abs(v)) < 0.85
        case "triangle":
            inside = (v < 0.75) & (abs(u) < 0.92 * (v + 1) / 1.75)
        case "cross":
            across, along = np.minimum(abs(u), abs(v)), np.maximum(abs(u), abs(v))
            inside = (across < draw.CROSS_ARM) & (along < 1)
        case "star":
            inside = in_star(u, v)
    return inside


def in_star(u: np.ndarray[Any, Any], v: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Fold the plane into one tenth of the star, where its edge is a single line."""
    turn = np.arctan2(u, -v) % (2 * math.pi / 5)
    turn = np.minimum(turn, 2 * math.pi / 5 - turn)
    radius = np.hypot(u, v)
    across, along = radius * np.sin(turn), radius * np.cos(turn)
    waist = draw.STAR_WAIST * np.array([math.sin(math.pi / 5), math.cos(math.pi / 5)])
    return across < waist[0] * (1 - along) / (1 - waist[1])


def test_drawing_the_same_image_twice_gives_the_same_pixels_and_boxes() -> None:
    first, second = draw.draw_scene("val", 3), draw.draw_scene("val", 3)
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.boxes, second.boxes)
    assert first.shapes == second.shapes


def test_boxes_and_areas_are_those_of_an_independently_computed_mask(scenes: list[draw.Scene]) -> None:
    seen = set()
    for scene in scenes:
        for shape, box, area in zip(scene.shapes, scene.boxes, scene.areas, strict=True):
            rows, columns = np.nonzero(independent_mask(shape, *scene.image.shape[:2]))
            tight = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
            assert box.tolist() == tight
            assert area == len(rows)
            seen.add(shape.category)
    assert seen == set(range(1, len(draw.CATEGORIES) + 1))


def test_no_object_is_nearly_wholly_hidden(scenes: list[draw.Scene]) -> None:
    for scene in scenes:
        masks = [independent_mask(shape, *scene.image.shape[:2]) for shape in scene.shapes]
        for k, mask in enumerate(masks):
            hidden = np.any([np.zeros_like(mask), *masks[k + 1 :]], axis=0)
            assert (mask & ~hidden).sum() >= draw.Recipe().min_visible * mask.sum()


def test_boxes_lie_in_the_image(stored: dict[str, Any]) -> None:
    sizes = {image["id"]: (image["width"], image["height"]) for image in stored["images"]}
    for annotation in stored["annotations"]:
        x, y, w, h = annotation["bbox"]
        width, height = sizes[annotation["image_id"]]
        assert 0 <= x < x + w <= width
        assert 0 <= y < y + h <= height
        assert 0 < annotation["area"] <= w * h


def test_objects_cover_all_three_of_cocos_sizes(stored: dict[str, Any]) -> None:
    areas = np.array([annotation["area"] for annotation in stored["annotations"]])
    counts = np.histogram(areas, [0, 32**2, 96**2, math.inf])[0]
    assert (counts > len(areas) / 10).all(), counts


def test_every_category_is_common(stored: dict[str, Any]) -> None:
    counts = np.bincount([annotation["category_id"] for annotation in stored["annotations"]])
    assert counts[0] == 0
    assert len(counts) == len(draw.CATEGORIES) + 1 >= 7
    assert counts[1:].min() >= 60


def test_splits_share_no_image() -> None:
    digests = [draw.draw_scene(split, index).image.tobytes() for split in draw.SPLITS for index in range(6)]
    assert len(set(digests)) == len(digests)


def test_the_stored_annotations_are_exactly_what_the_code_draws(stored: dict[str, Any]) -> None:
    """Of every third image; `-m tests.example_training.draw` draws all."""
    own = [{**one, "id": 0, "image_id": 0} for one in stored["annotations"]]
    of = [one["image_id"] for one in stored["annotations"]]
    for number in range(1, draw.VAL_IMAGES + 1, 3):
        drawn = draw.coco_document([draw.draw_scene("val", number - 1)])
        expected = [{**one, "id": 0, "image_id": 0} for one in drawn["annotations"]]
        assert [one for one, image in zip(own, of, strict=True) if image == number] == expected
        assert stored["images"][number - 1] == drawn["images"][0] | {
            "id": number,
            "file_name": f"{number:06d}.jpg",
        }
    assert {key: stored[key] for key in drawn if key not in LISTS} == {
        key: drawn[key] for key in drawn if key not in LISTS
    }
    assert [one["id"] for one in stored["annotations"]] == list(range(1, len(of) + 1))
    assert [one["id"] for one in stored["images"]] == list(range(1, draw.VAL_IMAGES + 1))


def test_the_stored_pixels_are_what_the_code_draws_but_for_jpeg(stored: dict[str, Any]) -> None:
    for index in range(0, draw.VAL_IMAGES, 20):
        with Image.open(DATASET / "images" / stored["images"][index]["file_name"]) as image:
            decoded = np.asarray(image.convert("RGB"), np.float64)
        drawn = draw.draw_scene("val", index).image
        assert decoded.shape == drawn.shape
        assert abs(decoded - drawn).mean() < 10


def test_the_stored_file_is_read_by_pycocotools(capsys: pytest.CaptureFixture[str]) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    truth = coco.COCO(str(DATASET / "instances_val.json"))
    assert len(truth.getImgIds()) == draw.VAL_IMAGES
    assert sorted(truth.getCatIds()) == list(range(1, len(draw.CATEGORIES) + 1))
    assert len(truth.loadAnns(truth.getAnnIds())) == len(truth.anns) > 500


def test_the_stored_folder_holds_only_the_dataset_and_is_under_4_mb(stored: dict[str, Any]) -> None:
    files = [path for path in DATASET.rglob("*") if path.is_file()]
    names = {image["file_name"] for image in stored["images"]} | {"instances_val.json"}
    assert {path.name for path in files} == names
    assert sum(path.stat().st_size for path in files) < 4_000_000


def test_the_dataset_says_what_it_is_and_under_which_licence(stored: dict[str, Any]) -> None:
    assert stored["info"]["seed"] == draw.SEED
    assert "harness.example.draw" in stored["info"]["contributor"]
    assert stored["licenses"][0]["name"] == "CC0-1.0"


def test_writing_a_dataset_gives_the_same_files_twice(tmp_path: Path) -> None:
    for name in ("a", "b"):
        draw.main(["--out", str(tmp_path / name), "--count", "2"])
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 3
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)
