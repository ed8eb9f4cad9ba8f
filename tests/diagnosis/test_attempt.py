"""`--try`: the remedies carried out in a folder of their own, and measured."""

import hashlib
from dataclasses import replace

import pytest
from msgspec.structs import replace as with_entries

from harness.cards import load_card
from harness.diagnosis.attempt import carry_out, check_folder
from harness.diagnosis.findings import CutPostProcess, Remedy
from harness.errors import OutputError
from harness.tflite.model import describe
from tests.support.examining import examined
from tests.support.faults import library

IMAGES = 60


@pytest.fixture(scope="module")
def forum(workshop):
    return library.BUNDLED["forum"](workshop)


@pytest.fixture(scope="module")
def case(forum):
    return examined(forum, IMAGES)


@pytest.fixture(scope="module")
def attempts(case, tmp_path_factory):
    return carry_out(case.diagnosis, tmp_path_factory.mktemp("try") / "new")


def test_the_forums_case_is_brought_back_to_the_float_model(case, attempts):
    """0…255 calibrated a model of -1…1, and boxes and scores share a scale."""
    before, after = case.diagnosis.evidence.loss, attempts[0].difference.second
    assert before.quantized.interval.map < 0.15
    assert abs(after - before.float.interval.map) < 0.03
    assert attempts[0].difference.low > 0


def test_what_was_quantized_for_one_cause_is_not_quantized_again_for_the_next(attempts):
    again = [attempt for attempt in attempts if attempt.finding.cause == "representative-data"]
    assert [attempt.difference for attempt in again] == [None]
    assert "which is done" in again[0].sentence


def test_the_written_card_finds_the_written_model(attempts):
    card, file = attempts[0].files
    model = load_card(card)
    assert model.file.resolve() == file.resolve()
    assert describe(model.file).quantization.startswith(("full-integer", "mixed"))


def test_files_of_the_user_are_left_as_they_are(workshop, scenes, tmp_path):
    fault = library.BUNDLED["one_detection"](workshop)
    files = [fault.reference, fault.broken, load_card(fault.reference).file, load_card(fault.broken).file]
    hashes = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    (attempt,) = carry_out(examined(fault, 20, scenes=scenes).diagnosis, tmp_path / "try")
    assert hashes == [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    assert all(tmp_path in file.parents for file in attempt.files)
    assert describe(load_card(attempt.files[0]).file).postprocess.max_detections == 50


def test_a_place_with_something_in_it_is_refused(case, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for folder in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(OutputError, match="exists already"):
            check_folder(folder)
        with pytest.raises(OutputError, match="exists already"):
            carry_out(case.diagnosis, folder)
    check_folder(tmp_path / "new")


def test_a_remedy_that_fails_takes_the_others_not_down(workshop, scenes, tmp_path):
    """Cutting PostProcess twice fails the second time; the finding behind it is tried all the same."""
    diagnosis = examined(library.BUNDLED["integer_outputs"](workshop), 20, scenes=scenes).diagnosis
    cut = diagnosis.findings[0]
    assert isinstance(cut.remedy.fix, CutPostProcess)
    tried = carry_out(replace(diagnosis, findings=(cut, replace(cut, cause="again"))), tmp_path / "try")
    assert tried[0].difference.low > 0
    assert tried[1].difference is None and "could not be carried out" in tried[1].sentence


def test_what_does_harm_is_dropped(workshop, scenes, tmp_path):
    """A card one label off, on top of a right one."""
    diagnosis = examined(library.BUNDLED["label_less"](workshop), 20, scenes=scenes).diagnosis
    right = diagnosis.findings[0]
    card = right.remedy.fix.card
    worse = with_entries(card, labels=with_entries(card.labels, offset=2))
    wrong = replace(
        right, cause="wrong", remedy=Remedy("", None, True, replace(right.remedy.fix, card=worse))
    )
    tried = carry_out(replace(diagnosis, findings=(right, wrong)), tmp_path / "try")
    assert "kept" in tried[0].sentence
    assert "dropped" in tried[1].sentence and tried[1].difference.high < 0


def test_advice_alone_is_not_tried(workshop, scenes, tmp_path):
    """Without a float model a shared scale can only be told."""
    fault = replace(library.BUNDLED["joined_heads"](workshop), reference=None)
    diagnosis = examined(fault, 20, scenes=scenes).diagnosis
    assert diagnosis.findings[0].cause == "shared-output-scale"
    assert carry_out(diagnosis, tmp_path / "try") == ()
