"""Class indices become category ids."""

import numpy as np
import pytest

from harness.accuracy.labels import COCO80_TO_90, category_ids
from harness.cards import Labels
from harness.errors import ModelError


def test_an_offset_is_added():
    assert category_ids(np.array([0, 89]), Labels(offset=1)).tolist() == [1, 90]


def test_the_80_classes_map_to_the_ids_that_coco_uses(shared_data):
    """The annotation file lists the categories in use; the contiguous classes count through them in order."""
    import json

    truth = json.loads((shared_data / "coco50" / "instances_val2017.json").read_text())
    expected = sorted(category["id"] for category in truth["categories"])
    assert category_ids(np.arange(80), Labels(map="coco80")).tolist() == expected


def test_there_are_80_ids_from_1_to_90():
    assert len(COCO80_TO_90) == 80
    assert (COCO80_TO_90[0], COCO80_TO_90[11], COCO80_TO_90[79]) == (1, 13, 90)


@pytest.mark.parametrize("bad", [-1, 80])
def test_a_class_outside_the_80_is_an_error_that_names_it(bad):
    with pytest.raises(ModelError, match=str(bad)):
        category_ids(np.array([3, bad]), Labels(map="coco80"))
