"""What few images do to an mAP is said."""

from dataclasses import replace

import numpy as np
import pytest

from harness.accuracy.annotations import ImageRow
from harness.accuracy.bootstrap import Interval, interval, map_interval
from harness.accuracy.coco import clusters_of
from harness.accuracy.few_images import remarks
from tests.accuracy.test_bootstrap import sample

EVEN = Interval(0.5, 0.4, 0.6)


@pytest.fixture
def truth(random_data):
    """A function that gives annotations in which class k is in as many images as said, of 40."""

    def make(*counts):
        one = random_data.one_object((10, 10, 50, 50))
        images = np.concatenate([np.arange(count) for count in counts])
        n = len(images)
        return replace(
            one,
            images=tuple(ImageRow(number) for number in range(40)),
            categories={k: f"c{k}" for k in range(len(counts))},
            ids=np.arange(1, n + 1),
            image_ids=images,
            category_ids=np.repeat(np.arange(len(counts)), counts),
            boxes=np.tile([10.0, 10.0, 50.0, 50.0], (n, 1)),
            areas=np.full(n, 2500.0),
            crowd=np.zeros(n, bool),
        )

    return make


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((30, 40, 10), None),
        (
            (30, 40, 9),
            "1 of 3 classes are in fewer than 10 images: their AP is mostly chance; compare models",
        ),
        (
            (30, 2, 1, 5),
            "3 of 4 classes are in fewer than 10 images, 2 of them in fewer than 3: mAP is usually 0.02-",
        ),
    ],
)
def test_classes_in_few_images_are_counted(truth, counts, said):
    found = list(remarks(truth(*counts), range(40), EVEN))
    assert found == [] if said is None else found[0].startswith(said)


def test_an_interval_to_one_side_explains_itself(truth):
    (found,) = remarks(truth(30), range(40), Interval(0.5, 0.3, 0.52))
    assert "lies mostly below the mAP of 0.500" in found
    assert "too high" in found


def test_images_of_a_video_are_one_draw_and_others_stand_for_themselves(truth):
    videos = [1, 1, 2, None, 2]
    clips = replace(truth(5), images=tuple(ImageRow(k, video_id=video) for k, video in enumerate(videos)))
    found = clusters_of(clips, range(5))
    assert [found[0] == found[1], found[2] == found[4], len(set(found.tolist()))] == [True, True, 3]
    assert clusters_of(truth(5), range(5)) is None


def test_frames_that_show_the_same_tell_no_more_than_one_of_them():
    """Each of 60 images four times: drawn by frame the interval is half as wide as by clip."""
    random = np.random.default_rng(1)
    (one,) = sample(random, 60)[0]
    many = 4
    truth_images = np.concatenate([60 * k + one.truth_images for k in range(many)])
    images = (one.images[:, None] + 60 * np.arange(many)).ravel()
    hits = tuple((hit[:, None] * many + np.arange(many)).ravel() for hit in one.hits)
    clip = replace(one, truth_images=truth_images, images=images, hits=hits)
    clusters = np.arange(60 * many) % 60
    single, frames = interval([one], 60), interval([clip], 60 * many)
    clips = interval([clip], 60 * many, clusters=clusters)
    assert clips.high - clips.low == pytest.approx(single.high - single.low, rel=0.15)
    assert frames.high - frames.low < 0.7 * (clips.high - clips.low)


def test_the_annotations_of_videos_give_the_interval_of_their_clips(random_data):
    random = np.random.default_rng(3)
    truth, pool = random_data.truth(random)
    table = random_data.detections(random, truth, pool)
    all_one = replace(truth, images=tuple(replace_video(row, 7) for row in truth.images))
    assert map_interval(truth, table).low is not None
    assert map_interval(all_one, table).low is None, "one clip says nothing of the next"


def replace_video(row, video):
    return ImageRow(row.id, row.file_name, row.width, row.height, video)
