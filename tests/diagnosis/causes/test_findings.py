"""What every finding must hold: a rule, numbers, a remedy, and a command that does what it says."""

import shlex
from dataclasses import replace

import pytest

from harness.cards import load_card
from harness.cli.main import main
from harness.diagnosis.causes import CAUSES
from harness.diagnosis.findings import EFFORTS
from harness.edit.card_settings import with_settings
from tests.support.examining import examined
from tests.support.faults import library

IMAGES = 25


@pytest.fixture(scope="module")
def findings(workshop, scenes):
    """The first finding of some faults, one for each kind of remedy."""
    names = (
        "label_more",
        "one_detection",
        "joined_heads",
        "integer_outputs",
        "half_overflows",
        "wrong_input_stats",
    )
    return {
        name: examined(library.BUNDLED[name](workshop), IMAGES, 10, scenes).diagnosis.findings[0]
        for name in names
    }


def test_every_cause_can_be_imported_and_examined():
    from importlib import import_module

    for name, module in CAUSES.items():
        found = import_module(module)
        assert name == found.CAUSE
        assert callable(found.examine) and found.__doc__


def test_a_finding_says_why_and_what_to_do(findings):
    for finding in findings.values():
        assert finding.cause in CAUSES and finding.effort in EFFORTS
        assert finding.rule and finding.sentence and finding.remedy.sentence.endswith(".")
        assert finding.gain.second > finding.gain.first
        assert {number.name for number in finding.numbers} >= {"as it is", "without the cause", "gain"}


@pytest.mark.parametrize(
    "name", ["label_more", "one_detection", "joined_heads", "integer_outputs", "half_overflows"]
)
def test_the_command_runs_as_it_is_given(findings, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = findings[name].remedy.command
    assert shlex.split(shlex.join(command)) == list(command) and command[0] == "harness"
    more = ("--no-accuracy",) if command[1] == "quantize" else ()
    with pytest.raises(SystemExit) as ended:
        main([*command[1:], *more])
    assert ended.value.code in {0, None}
    assert (tmp_path / command[command.index("-o") + 1]).is_file()


def test_the_cards_command_gives_the_card_that_was_measured(workshop, findings):
    remedy = findings["label_more"].remedy
    settings = [part for part in remedy.command if "=" in part]
    before = load_card(library.BUNDLED["label_more"](workshop).broken).card
    assert with_settings(before, settings) == remedy.fix.card


def test_the_image_input_that_is_written_anew_means_what_it_says(workshop, tmp_path):
    """`quantized_input_stats` (127.5, 127.5): pixel 0 means -1, pixel 255 means 1."""
    from harness.diagnosis.runs.input_scale import with_input_scale
    from harness.tflite.model import describe

    for card in (
        library.BUNDLED["wrong_input_stats"](workshop).broken,
        library.HEALTHY["requantized"](workshop).broken,
    ):
        file = load_card(card).file
        changed = tmp_path / "changed.tflite"
        changed.write_bytes(with_input_scale(file.read_bytes(), 0.5, 3, file))
        info = describe(changed).inputs[0]
        assert (info.scale, info.zero_point) == (0.5, 3)


def test_bare_files_without_cards_tell_the_forums_case_too(workshop):
    """The worked-out card of the int8 file feeds pixels as they are, of which its input holds 0…255."""
    fault = library.BUNDLED["forum"](workshop)
    bare = [load_card(card).file for card in (fault.reference, fault.broken)]
    found = examined(replace(fault, reference=bare[0], broken=bare[1]), 40).diagnosis.findings
    assert {one.cause for one in found} == {"representative-data", "shared-output-scale", "qat-ignored"}
    sentence = next(one.sentence for one in found if one.cause == "representative-data")
    assert "calibrated for 0…255" in sentence and "gets -1…1" in sentence
