"""How numbers are printed."""

import inspect

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import units

FORMATTERS = [
    function
    for name, function in vars(units).items()
    if inspect.isfunction(function) and function.__module__ == units.__name__ and not name.startswith("_")
]


@pytest.mark.parametrize("function", FORMATTERS, ids=lambda function: function.__name__)
def test_an_unknown_value_is_a_dash_and_never_a_number(function) -> None:
    required = [None] * len(inspect.signature(function).parameters)
    assert function(*required) == units.MISSING


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0.0, "0.000"), (0.1234, "0.123"), (0.9994, "0.999"), (0.9996, "1.00"), (1.234, "1.23"),
        (9.994, "9.99"), (9.996, "10.0"), (12.34, "12.3"), (99.94, "99.9"), (99.96, "100"), (1234.4, "1,234"),
    ],
)  # fmt: skip
def test_latencies_have_three_significant_digits(value: float, printed: str) -> None:
    assert units.milliseconds(value) == printed


@settings(deadline=None)  # the machine may be busy
@given(st.floats(min_value=0.1, max_value=999))
def test_a_printed_latency_is_within_half_a_percent_of_the_value(value: float) -> None:
    assert float(units.milliseconds(value)) == pytest.approx(value, rel=0.0055)


@settings(deadline=None)  # the machine may be busy
@given(st.floats(min_value=1, max_value=999.4))
def test_a_printed_latency_has_exactly_three_digits(value: float) -> None:
    assert sum(character.isdigit() for character in units.milliseconds(value)) == 3


@pytest.mark.parametrize(
    ("size", "printed"),
    [
        (0, "0 kB"), (512, "1 kB"), (999_499, "999 kB"), (999_500, "1.0 MB"), (4_183_312, "4.2 MB"),
        (999_940_000, "999.9 MB"), (999_960_000, "1.00 GB"), (2_500_000_000, "2.50 GB"),
    ],
)  # fmt: skip
def test_sizes_change_their_unit_where_rounding_would_reach_it(size: int, printed: str) -> None:
    assert units.size(size) == printed


@pytest.mark.parametrize(
    ("seconds", "printed"),
    [
        (0.44, "0.4 s"), (9.94, "9.9 s"), (9.96, "10 s"), (119.4, "119 s"), (119.6, "2 min 00 s"),
        (200, "3 min 20 s"), (3599.7, "1 h 00 min"), (7500, "2 h 05 min"),
    ],
)  # fmt: skip
def test_durations_change_their_form_where_rounding_would_reach_it(seconds: float, printed: str) -> None:
    assert units.duration(seconds) == printed


def test_the_other_quantities_have_their_customary_form() -> None:
    assert units.interval(1.5, 22.25) == "1.50–22.2"
    assert units.interval(None, 2) == units.interval(1, None) == units.MISSING
    assert units.metric(0.19349) == "0.193"
    assert units.signed_metric(-0.0121) == "-0.012"
    assert units.percent(4.6) == "+5%"
    assert units.percent_change(-4.56) == "-4.6%"
    assert units.share(0.0456) == "4.6%"
    assert units.decibels(31.25) == "31.2"
    assert units.rate(12.34) == "12.3"
    assert units.rate(99.96) == "100"
    assert units.megabytes(1234.5) == "1,234"
    assert units.count(36366) == "36,366"
