"""Which images a model is calibrated with again."""

from types import SimpleNamespace

import numpy as np
import pytest

from harness.accuracy.dataset import find_dataset
from harness.cards import load_card
from harness.diagnosis.remedies.samples import MOST, calibration, given_faults, sound_representative
from tests.example_training.draw import draw_scene, jpeg
from tests.support.faults import library


@pytest.fixture(scope="module")
def evidence(workshop):
    """Makes what the choice depends on."""
    model = SimpleNamespace(card=load_card(workshop.float_card).card)

    def make(representative=None, limit=None):
        dataset = find_dataset(workshop.dataset).limited(limit)
        return SimpleNamespace(
            pair=SimpleNamespace(float=model, quantized=model), dataset=dataset, representative=representative
        )

    return make


def test_images_that_are_not_evaluated_are_preferred(evidence):
    case = evidence(limit=60)
    found = calibration(case)
    evaluated = {image.path.resolve() for image in case.dataset.images}
    assert not evaluated & {file.resolve() for file in found.data.files}
    assert MOST // 2 <= len(found.data.files) <= MOST
    assert "other images" in found.remark


def test_for_want_of_others_the_evaluated_ones_are_taken_and_that_is_said(evidence):
    found = calibration(evidence())
    assert "evaluated too" in found.remark


def test_sound_images_of_the_users_are_taken(evidence, tmp_path):
    for index in range(12):
        (tmp_path / f"{index}.jpg").write_bytes(jpeg(draw_scene("calibration", index).image))
    found = calibration(evidence(tmp_path))
    assert found.data.source == tmp_path and not found.remark
    assert len(found.data.files) == 12


def test_faulty_ones_are_not_and_their_fault_is_named(workshop, evidence):
    samples = library.BUNDLED["pixels_calibrate_told"](workshop).representative
    assert np.load(samples).max() > 200
    case = evidence(samples)
    assert "wrong-range" in {fault.name for fault in given_faults(case)}
    assert sound_representative(case) is None
    assert calibration(case).remark


def test_what_cannot_be_read_is_passed_over(evidence, tmp_path):
    assert sound_representative(evidence(tmp_path / "missing")) is None
