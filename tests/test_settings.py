"""Settings are checked where they are made."""

from dataclasses import asdict, replace

import pytest

from harness.errors import UsageError
from harness.option import declared
from harness.settings import Settings


@pytest.mark.parametrize(
    "changes",
    [
        {"limit": 0},
        {"repetitions": 0},
        {"min_runs": 0},
        {"min_seconds": -1.0},
        {"precision": 0.0},
        {"sustained": 0.1},
    ],
)
def test_a_number_out_of_range_names_the_option_and_what_was_found(quick, changes):
    name, value = next(iter(changes.items()))
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')}: found {value:g}"):
        replace(quick, **changes)


def test_what_excludes_each_other_is_refused():
    with pytest.raises(UsageError, match="use just one of --no-latency and --no-accuracy"):
        Settings(latency=False, accuracy=False)
    with pytest.raises(UsageError, match="use just one of --mlperf and --sustained"):
        Settings(mlperf=True, sustained=60.0)


def test_a_record_keeps_every_setting_and_the_cores():
    assert asdict(Settings()).keys() == {one.name for one in declared(Settings)} | {"cores"}


def test_the_work_is_shared_out_over_the_processes():
    settings = Settings(repetitions=4, min_runs=50, min_seconds=2.0)
    assert (settings.processes, settings.runs_a_process, settings.seconds_a_process) == (4, 13, 0.5)
    assert Settings(mlperf=True).processes == Settings(sustained=90.0).processes == 1
    assert Settings(sustained=90.0).seconds_a_process == 90.0


def test_a_precision_is_sought_only_where_processes_may_be_added():
    assert Settings(precision=1.0).seeks_precision
    assert not any(
        one.seeks_precision
        for one in (Settings(), Settings(precision=1.0, mlperf=True), Settings(precision=1.0, sustained=9.0))
    )
