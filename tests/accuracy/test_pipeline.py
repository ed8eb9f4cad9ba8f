"""Images go in, detections come out: in order, with all threads, and without taking a bad image for a good one."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.accuracy.interpreters import IN_FLIGHT_PER_THREAD
from harness.accuracy.pipeline import Recipe, detect
from harness.accuracy.prepare import Geometry, Preparation
from harness.cards import InputSpec, Labels
from harness.detectors.base import Detections
from harness.tflite.tensor_info import TensorInfo

INFO = TensorInfo("image", (1, 4, 4, 3), "uint8")


class Echo:
    """An engine that gives back the first pixel, and notices when two threads use it at once."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self._delay_s, self._lock, self.calls = delay_s, threading.Lock(), 0

    def infer(self, tensor):
        assert self._lock.acquire(blocking=False), "two threads in one engine"
        try:
            time.sleep(self._delay_s * (tensor[0, 0, 0, 0] % 3))
            self.calls += 1
            return [tensor[:, 0, 0, 0].copy()]
        finally:
            self._lock.release()


def decode(outputs):
    value = int(outputs[0][0])
    return Detections(np.array([[0.0, 0.0, 0.5, 0.5]]), np.array([0.5], np.float32), np.array([value]))


@pytest.fixture
def images(tmp_path: Path):
    found = []
    for index in range(24):
        path = tmp_path / f"{index}.png"
        Image.new("RGB", (8, 8), (index, 0, 0)).save(path)
        found.append((100 + index, path))
    return found


@pytest.fixture
def recipe():
    return Recipe(Preparation(InputSpec(width=4, height=4), INFO), decode, Labels(offset=1))


@pytest.mark.parametrize(("n_engines", "threads"), [(1, 1), (2, 2), (1, 4), (3, 8)])
def test_results_come_in_the_order_of_the_images_whatever_the_threads(images, recipe, n_engines, threads):
    engines = [Echo(0.002) for _ in range(n_engines)]
    found = list(detect(images, recipe, engines, threads))
    assert [image.image_id for image in found] == [image_id for image_id, _ in images]
    assert [image.categories.tolist() for image in found] == [[index + 1] for index in range(24)]
    assert sum(engine.calls for engine in engines) == 24


def test_boxes_come_out_as_x_y_width_height_in_pixels_of_the_image(images, recipe):
    found = next(iter(detect(images[:1], recipe, [Echo()], 1)))
    assert found.boxes.tolist() == [[0.0, 0.0, 4.0, 4.0]]


def test_an_unreadable_image_is_reported_and_the_others_go_on(images, recipe):
    images[3][1].write_bytes(b"broken")
    found = list(detect(images, recipe, [Echo()], 2))
    assert [image.image_id for image in found if image.problem] == [103]
    assert "3.png" in found[3].problem
    assert len(found) == 24


def test_detections_that_are_not_finite_or_without_area_are_dropped(images):
    boxes = np.array([[0, 0, 1, 1], [0.5, 0.5, 0.5, 0.9], [np.nan, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3]])
    scores = np.array([0.9, 0.8, 0.7, np.inf, 0.6])
    recipe = Recipe(
        Preparation(InputSpec(width=4, height=4), INFO),
        lambda _: Detections(boxes, scores, np.arange(5)),
        Labels(),
    )
    found = next(iter(detect(images[:1], recipe, [Echo()], 1)))
    assert found.categories.tolist() == [0]


def test_several_results_for_an_image_come_out_as_each_by_itself(recipe):
    chance = np.random.default_rng(7)
    found = [
        Detections(chance.uniform(-0.2, 1.2, (n, 4)), chance.random(n), chance.integers(0, 5, n))
        for n in (3, 0, 5, 1)
    ]
    at = Geometry(8, 6, 4, 4, 0.5, 0.5)
    several = recipe.finish_several(7, found, at)
    assert sum(len(one.scores) for one in several) not in {0, 9}  # some are dropped
    for one, alone in zip(several, (recipe.finish(7, each, at) for each in found), strict=True):
        assert one.image_id == 7
        for name in ("boxes", "scores", "categories"):
            assert np.array_equal(getattr(one, name), getattr(alone, name))


def test_few_images_are_under_way_at_once_however_many_there_are(images, recipe):
    taken = []

    def endless():
        for number in range(10_000):
            taken.append(number)
            yield images[number % len(images)]

    results = detect(endless(), recipe, [Echo(), Echo()], 2)
    for _ in range(50):
        next(results)
    results.close()
    assert len(taken) <= 50 + 2 * IN_FLIGHT_PER_THREAD


def test_an_engine_that_fails_ends_the_run_with_its_own_error(images, recipe):
    class Broken:
        def infer(self, tensor):
            raise RuntimeError("kernel failed")

    with pytest.raises(RuntimeError, match="kernel failed"):
        list(detect(images, recipe, [Broken()], 2))
