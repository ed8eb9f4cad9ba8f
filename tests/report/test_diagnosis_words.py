"""What a diagnosis says where causes explain little or nothing of a loss; all figures by hand."""

import pytest

from harness.report.diagnosis_words import also_seen_lines, layer_name, left_after, remainder_lines, side_name

LOSS = {"decision": "worse", "map": 0.3}
LEFT = {
    "map": 0.2,
    "share": 2 / 3,
    "part": "boxes",
    "part_loss": 0.15,
    "part_meaning": "where the boxes are",
    "layer": "net/block3/conv;net/block3/bias",
    "layer_loss": 0.11,
    "looked_for": ["anchors", "few-bits"],
}


def a_diagnosis(**changes):
    found = {"float": {}, "loss": LOSS, "layers": None, "causes": [], "also_seen": [], "remainder": None}
    return {**found, **changes}


@pytest.mark.parametrize(
    ("gain", "words"),
    [(0.25, ""), (0.2, ""), (0.1, "0.200 of the 0.300 lost remain"), (None, "")],
)
def test_a_headline_says_when_more_than_a_third_of_the_loss_remains(gain, words):
    assert left_after({"gain": gain}, LOSS) == words
    assert left_after({"gain": gain}, {"decision": "~", "map": 0.3}) == ""


def test_what_no_cause_explains_is_said_with_its_place_and_what_was_looked_for():
    first, part, layer, looked_for = remainder_lines(a_diagnosis(remainder=LEFT))
    assert first == "No cause explains the loss of 0.200."
    assert "boxes (0.150): where the boxes are" in part
    assert layer == "The layer that costs most alone: net/block3/conv (0.110)."
    assert looked_for == "Looked for, and not found: anchors, few-bits."


def test_what_a_cause_leaves_is_said_as_a_share():
    lines = remainder_lines(a_diagnosis(causes=[{}], remainder={**LEFT, "layer": None, "part": None}))
    assert lines[0] == "0.200 of the loss (67%) remain unexplained."


def test_of_a_sound_pair_there_is_nothing_to_explain():
    (line,) = remainder_lines(a_diagnosis(loss={"decision": "~", "map": 0.0}))
    assert line.startswith("Nothing to explain")
    assert "Name the float model" in remainder_lines(a_diagnosis(float=None))[0]
    assert "Less than half a point" in remainder_lines(a_diagnosis(loss={**LOSS, "map": 0.004}))[0]


def test_what_explains_nothing_is_a_sentence_without_a_command():
    seen = [{"cause": "shared-output-scale", "sentence": "one tensor for both"}]
    assert also_seen_lines(a_diagnosis(also_seen=seen)) == [
        "Also seen, explains nothing: shared-output-scale (one tensor for both)."
    ]


def test_a_float_file_is_not_called_quantized():
    models = {"quantized": {"quantization": "float16"}, "float": {"quantization": "float32"}}
    assert side_name(models, "quantized") == "other" and side_name(models, "float") == "float"
    assert side_name({"quantized": {"quantization": "full-integer"}}, "quantized") == "quantized"


def test_a_layer_is_called_by_the_end_of_its_first_name():
    assert layer_name("a/b;c/d") == "a/b"
    assert layer_name("x" * 50 + "/end", 10) == "…xxxxx/end"
