"""What a gate may forbid."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.comparison.expression import Condition, parse
from harness.comparison.measures import MEASURES
from harness.errors import HarnessError, UnknownNameError, UsageError
from harness.rows.columns import BY_NAME


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("latency_median_ms > 5%", Condition("latency_median_ms", True, 5.0, True)),
        ("latency_median_ms>0.5", Condition("latency_median_ms", True, 0.5, False)),
        (" map  <  -0.005 ", Condition("map", False, -0.005, False)),
        ("map < -2 %", Condition("map", False, -2.0, True)),
        ("fps < -1e1%", Condition("fps", False, -10.0, True)),
        ("size_bytes > 0", Condition("size_bytes", True, 0.0, False)),
        ("peak_memory_mb > +.5", Condition("peak_memory_mb", True, 0.5, False)),
    ],
)
def test_an_expression_is_a_column_a_side_and_a_number(text, condition):
    assert parse(text) == condition
    assert parse(str(condition)) == condition


@pytest.mark.parametrize("column", MEASURES)
def test_every_column_that_can_be_judged_is_a_public_one(column):
    assert column in BY_NAME
    assert parse(f"{column} > 1%").column == column


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected COLUMN > NUMBER"),
        ("latency_median_ms", "expected COLUMN > NUMBER"),
        ("latency_median_ms > 5% or True", "expected COLUMN > NUMBER"),
        ("latency_median_ms >= 5%", "expected COLUMN > NUMBER"),
        ("__import__('os').system('true') > 1", "expected COLUMN > NUMBER"),
        ("map < nan", "expected COLUMN > NUMBER"),
        ("map > 1_0", "expected COLUMN > NUMBER"),
        ("map < ٥", "expected COLUMN > NUMBER"),
        ("latency_median > 5%", "Did you mean latency_median_ms"),
        ("ap50 < -0.1", "cannot be gated; these can: latency_median_ms"),
        ("latency_median_ms < 5%", "would fail where nothing changed"),
        ("map > -0.1", "would fail where nothing changed"),
    ],
)
def test_anything_else_is_wrong_use_and_says_what_is_expected(text, said):
    with pytest.raises(UsageError, match=said) as error:
        parse(text)
    assert error.value.exit_status == 2


def test_a_misspelt_column_names_what_is_near():
    with pytest.raises(UnknownNameError, match="latency_p90_ms"):
        parse("latency_p9_ms > 1%")


@given(st.text())
def test_no_text_at_all_is_anything_but_a_condition_or_an_error_of_ours(text):
    with contextlib.suppress(HarnessError):
        assert isinstance(parse(text), Condition)
