"""What a user asks of a quantization becomes a job."""

from pathlib import Path
from typing import get_args

import pytest

from harness.errors import ModelError, UnknownNameError
from harness.quantization.modes import MODES
from harness.quantization.request import ModeName, Request, make_job
from harness.recognize.find import find_available
from harness.workspace import find_workspace


@pytest.fixture
def model(repository):
    return find_available("shapes-float32", find_workspace(repository))


def test_every_mode_can_be_asked_for():
    assert get_args(ModeName) == tuple(MODES)


def test_the_card_s_own_dataset_is_taken_unless_accuracy_is_not_wanted(model):
    job = make_job(model, Request(mode="float16", output=Path("out.tflite"), limit=7))
    assert job.mode.name == "float16" and len(job.dataset.images) == 7
    assert make_job(model, Request(accuracy=False)).dataset is None


def test_a_mode_that_does_not_exist_is_named(model):
    with pytest.raises(UnknownNameError, match="float16"):
        make_job(model, Request(mode="float17"))


def test_a_model_that_is_not_here_says_how_to_get_it(repository):
    with pytest.raises(ModelError, match="harness models fetch mobiledet-cpu"):
        find_available("mobiledet-cpu", find_workspace(repository))
