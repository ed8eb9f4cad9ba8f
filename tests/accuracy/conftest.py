"""Small random data sets with what makes matching hard."""

from types import SimpleNamespace

import pytest

from tests.support import random_data as made


@pytest.fixture(scope="session")
def random_data():
    """Makers of random data sets, and pycocotools' answer to them."""
    return SimpleNamespace(
        truth=made.make_truth,
        one_object=made.one_object,
        detections=made.make_detections,
        subset=made.make_subset,
        pycocotools=made.pycocotools,
    )
