"""What the compiler printed, read: counts, refused operators with QNN's reason, and any text without an exception."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.npu.compiler_log import CompilerLog, parse
from tests.support.npu import recorded

COUNTS = {
    # log                     taken  of  partitions  refused by name
    "shapes_full_integer": (57, 58, 1, 0),
    "shapes_dynamic_range": (37, 55, 18, 17),
    "shapes_int16x8": (37, 69, 13, 31),
    "fpnlite": (184, 219, 16, 30),
    "shapes_weight_only4": (74, 75, 1, 0),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_those_of_the_log(name):
    log = parse(*recorded(name))
    assert (log.taken, log.operators, log.partitions, len(log.refused)) == COUNTS[name]
    assert log.soc == "SM8650" and log.sdk == "v2.51.0.260929181845"


def test_a_refused_operator_comes_with_its_tensors_types_and_qnns_words():
    first = parse(*recorded("shapes_dynamic_range")).refused[0]
    assert (first.index, first.name, first.node, len(first.inputs)) == (6, "Conv2d", "Conv2d", 3)
    assert [value.type for value in first.values] == ["FLOAT_32", "SFIXED_POINT_8", "FLOAT_32"]
    assert first.values[1].shape == (1, 1, 32, 48) and first.values[1].quantized == "per-channel-quant"
    assert first.says.startswith("Unsupported input/output datatypes requested for the HTP Op 'Conv2d'")


def test_a_fused_activation_is_named_as_the_node_that_failed():
    nodes = [one.node for one in parse(*recorded("shapes_int16x8")).refused]
    assert nodes.count("ElementWiseNeuron/ReluMinMax") == 12 and nodes.count("DepthWiseConv2d") == 19


def test_the_end_of_one_operators_block_is_not_the_begin_of_the_nexts():
    shapes = [one for one in parse(*recorded("fpnlite")).refused if one.name == "Shape"]
    assert len(shapes) == 15 and not any(one.node or one.values for one in shapes)


def test_why_a_model_cannot_be_compiled_at_all_is_kept():
    log = parse(*recorded("shapes_weight_only4"))
    assert "Op Dequantize does not support per-channel quant tensor" in log.problems and not log.binaries
    assert parse(*recorded("shapes_full_integer", "SM9999")).problems == ("Unexpected SoC model: SM9999",)


def test_versions_that_do_not_fit_are_named():
    remarks = parse(*recorded("shapes_full_integer")).version_remarks
    assert (
        "Qnn backend library is version 5.51.0, LiteRT was built with 5.50.0" in remarks and len(remarks) == 3
    )


def test_an_empty_log_says_nothing():
    assert parse("") == CompilerLog()


LINES = sorted({line for name in COUNTS for text in recorded(name) for line in text.splitlines()})


A_LINE = st.integers(0, len(LINES) - 1).map(lambda index: LINES[index])
"""By its number: Hypothesis writes out what it samples from, and refuses to where that is as long as these."""


@given(st.lists(st.one_of(A_LINE, st.text(max_size=80)), max_size=40), st.data())
def test_any_lines_in_any_order_are_read(lines, data):
    cut = [
        line[: data.draw(st.integers(0, len(line)))] if data.draw(st.booleans()) else line for line in lines
    ]
    log = parse("\n".join(cut), "\n".join(reversed(cut)))
    assert all(one.index >= 0 for one in log.refused) and (log.taken is None) == (log.operators is None)


@given(st.binary(max_size=400))
def test_any_bytes_are_read(data):
    text = data.decode("utf-8", "replace")
    assert parse(text, text).refused == ()
