"""The training's configuration: protocol buffer text, read without the package that defines it."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.diagnosis.causes.pipeline_config import MAX_DEPTH, Message, parse, read_training, training
from harness.errors import UsageError

# The forum's kind of file: comments, both brackets, lists, a colon before a message, single quotes, joined strings
SSD = """
# SSD with MobileNet v2
model {
  ssd {
    num_classes: 3
    image_resizer { fixed_shape_resizer { height: 514 width: 614 } }
    feature_extractor: < type: 'ssd_mobilenet_v2_keras'; depth_multiplier: 1.0 >
    anchor_generator { ssd_anchor_generator { aspect_ratios: [1.0, 2.0, 0.5], min_scale: 0.2 } }
    post_processing {
      batch_non_max_suppression { score_threshold: 1e-8, iou_threshold: 0.6f max_total_detections: 100 }
    }
  }
}
train_input_reader { label_map_path: "a/" "b.pbtxt" }
graph_rewriter { quantization { delay: 48000 weight_bits: 8 activation_bits: 8 } }
"""


def test_what_a_diagnosis_needs_is_found():
    found = training(parse(SSD))
    assert found.size == (614, 514)
    assert found.keeps_aspect is False
    assert found.num_classes == 3
    assert found.feature_extractor == "ssd_mobilenet_v2_keras"
    assert (found.score_threshold, found.iou_threshold, found.max_detections) == (1e-8, 0.6, 100)
    assert found.asks_for_qat and found.quantization_delay == 48000


def test_a_rewriter_without_a_delay_has_that_of_its_definition():
    assert training(parse("graph_rewriter { quantization {} }")).quantization_delay == 500_000


def test_no_rewriter_asks_for_no_training():
    assert not training(parse("model { ssd { num_classes: 90 } }")).asks_for_qat
    assert not training(parse("graph_rewriter {}")).asks_for_qat


def test_other_models_than_ssd_are_read_too():
    text = "model { center_net { num_classes: 90 image_resizer { keep_aspect_ratio_resizer { max_dimension: 512 } } } }"
    found = training(parse(text))
    assert (found.num_classes, found.keeps_aspect, found.size) == (90, True, None)


def test_strings_side_by_side_are_one_and_lists_are_values_of_one_field():
    message = parse(SSD)
    assert message.text("train_input_reader", "label_map_path") == "a/b.pbtxt"
    generator = next(message.messages("model", "ssd", "anchor_generator", "ssd_anchor_generator"))
    assert generator.fields["aspect_ratios"] == ["1.0", "2.0", "0.5"]


def test_extensions_and_any_messages_are_kept():
    message = parse("[some.extension] { a: 1 } detail { [type.googleapis.com/x.Y] { b: 2 } }")
    assert message.number("some.extension", "a") == 1
    assert next(message.messages("detail", "type.googleapis.com/x.Y")).number("b") == 2


@pytest.mark.parametrize(
    ("text", "line"),
    [("model {\n ssd {", 2), ("a: 1\n}\n", 2), ("x: \x00", 1), ('{"json": 1}', 1), ("a: :", 1)],
)
def test_what_is_something_else_is_refused_with_the_line(text, line):
    with pytest.raises(UsageError, match=rf"pipeline.config, line {line}: .*pipeline.config of the training"):
        parse(text)


def test_messages_in_one_another_without_end_are_refused():
    with pytest.raises(UsageError, match="more than"):
        parse("a {" * (MAX_DEPTH + 2) + "}" * (MAX_DEPTH + 2))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"missing\.config: cannot be read \(No such file"):
        read_training(tmp_path / "missing.config")


def test_without_a_file_nothing_is_known():
    assert read_training(None) is None


NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
TEXTS = st.from_regex(r"[A-Za-z0-9_.]{1,8}", fullmatch=True)
TREES = st.recursive(
    st.dictionaries(NAMES, TEXTS, max_size=3),
    lambda inner: st.dictionaries(NAMES, st.one_of(TEXTS, inner), max_size=4),
    max_leaves=12,
)


def written(tree, quote):
    parts = []
    for name, value in tree.items():
        if isinstance(value, dict):
            parts.append(f"{name} {{ {written(value, quote)} }}")
        else:
            parts.append(f"{name}: {quote}{value}{quote}")
    return "\n".join(parts)


def plain(message):
    return {
        name: plain(values[0]) if isinstance(values[0], Message) else values[0]
        for name, values in message.fields.items()
    }


@given(TREES, st.sampled_from(["", '"', "'"]))
def test_whatever_is_written_is_read_back(tree, quote):
    assert plain(parse(written(tree, quote))) == tree


@given(st.text(max_size=80) | st.text(alphabet="ab1:{}<>[]\"' \n#,;", max_size=60))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(UsageError):
        training(parse(text))
