"""Images are named by their ids or by their files' names, and what is neither is refused."""

from dataclasses import replace

import pytest

from harness.accuracy.annotations import ImageRow
from harness.accuracy.image_ids import images_meant, read_image_ids
from harness.errors import UsageError
from tests.support.random_data import one_object


@pytest.fixture
def truth():
    rows = (ImageRow(1, "val/a.jpg"), ImageRow(2, "val/b.jpg"), ImageRow(30, "val/0004.png"))
    return replace(one_object((1, 1, 5, 5)), images=rows)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("val/b.jpg", [2]),
        ("b.jpg\n\na\n", [2, 1]),
        ('["b.jpg", 1]', [2, 1]),
        ("images\\val\\b.jpg", [2]),
        ("1\n0004", [1, 30]),
        ("77", [77]),  # whether there is such an image is for others to say
    ],
)
def test_a_file_names_images_by_their_ids_or_files(truth, tmp_path, text, ids):
    (tmp_path / "ids.txt").write_text(text)
    assert read_image_ids(tmp_path / "ids.txt", truth) == ids


def test_what_is_no_image_is_counted_and_named(truth):
    with pytest.raises(
        UsageError, match=r"2 of 3 are neither the id nor the file name of an image of one: c.jpg, d"
    ):
        images_meant(["a.jpg", "c.jpg", "d"], truth)


def test_a_number_that_is_the_id_of_one_image_and_the_name_of_another_is_refused(truth):
    crossed = replace(truth, images=(ImageRow(1, "2.jpg"), ImageRow(2, "1.jpg")))
    with pytest.raises(UsageError, match="'1' is the id of one image of one and the name of another"):
        images_meant(["1"], crossed)
    assert images_meant([1, "1.jpg"], crossed) == [1, 2]
