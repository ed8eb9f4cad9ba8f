"""An option that nothing in a plan would use is refused, and says what it is for."""

from dataclasses import replace

import pytest

from harness.bench.request import Request, with_given
from harness.bench.unused import refuse_unused
from harness.errors import UsageError
from harness.settings import Settings
from tests.support.launcher import make_launcher


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"litert_library": "lib.so"},
            "--litert-library changes nothing here: local is measured with our own worker",
        ),
        (
            {"eval_binary": "tool"},
            "--eval-binary changes nothing here: .*--engine benchmark-model and a data set",
        ),
        ({"cpu_mask": "f0"}, "--cpu-mask changes nothing here: .*start the harness itself with taskset"),
        ({"max_start_temp": 37.0}, "--max-start-temp changes nothing here: .*temperature can be read"),
    ],
)
def test_on_this_computer_what_is_for_phones_is_refused(prepared, changes, words):
    with pytest.raises(UsageError, match=words):
        prepared(**changes)


def test_what_a_native_tool_uses_is_taken_with_it(prepared, tmp_path):
    tool = str(make_launcher(tmp_path))
    evaluation = str(make_launcher(tmp_path, "eval_coco_object_detection"))
    assert prepared(benchmark_binary=tool, cpu_mask="1").engines
    with pytest.raises(UsageError, match="--eval-binary"):
        prepared(benchmark_binary=tool, eval_binary=evaluation)
    settings = Settings(repetitions=1, limit=2)
    assert prepared(benchmark_binary=tool, eval_binary=evaluation, settings=settings).engines


def test_a_start_at_a_temperature_takes_a_device_that_tells_its_own(prepared):
    (here,) = prepared().stations
    warm = replace(here, info=replace(here.info, facts={"hottest_c": 40.0}))
    cells = prepared().plan.cells
    request = Request(max_start_temp=37.0)
    refuse_unused(request, [warm], cells)
    with pytest.raises(UsageError):
        refuse_unused(request, [here], cells)


def test_where_nothing_is_tried_nothing_is_refused(prepared):
    ready = prepared(delegates=("hexagon",), cpu_mask="f0")
    assert all(cell.skip for cell in ready.plan.cells)


def test_on_a_farm_no_library_of_litert_is_taken():
    with pytest.raises(UsageError, match="--litert-library: on a farm"):
        with_given(Request(), {"scheduler": "tcp://127.0.0.1:1", "litert_library": "lib.so"})
