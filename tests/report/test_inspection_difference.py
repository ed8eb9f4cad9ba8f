"""What differs between two models fits a screen."""

from rich.console import Console

from harness.report.consoles import make_console
from harness.report.inspection_difference import MOST_LINES, sheet
from harness.tflite.inspect.model import inspect
from tests.support.paths import REPOSITORY

SHAPES = REPOSITORY / "models" / "shapes"


def lines(first, second, width=80):
    console: Console = make_console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(sheet(inspect(SHAPES / first), inspect(SHAPES / second)))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_it_has_at_most_25_lines_of_80_columns_and_says_where_the_rest_is():
    for second in ("shapes_full_integer.tflite", "shapes_float16.tflite", "shapes_dynamic_range.tflite"):
        shown = lines("shapes_float32.tflite", second)
        assert len(shown) <= MOST_LINES and max(map(len, shown)) <= 80
        assert "--format json" in shown[-1]


def test_it_names_what_differs_and_nothing_else():
    shown = {
        line.split("  ")[0]: line for line in lines("shapes_float32.tflite", "shapes_full_integer.tflite")
    }
    assert shown["quantization"].split() == ["quantization", "float32", "full-integer"]
    assert shown["hexagon takes"].split() == ["hexagon", "takes", "0", "of", "55", "55", "of", "58"]
    assert "CONV_2D" not in shown and "parameters" not in shown
