"""Which engine measures where."""

import os
from dataclasses import replace

import pytest

from harness.bench.engines.board_worker import BoardWorker
from harness.bench.engines.native.engine import NativeEngine
from harness.bench.engines.native_worker import program
from harness.bench.engines.python_worker import PythonWorker
from harness.drivers.benchmark_tool import binaries
from harness.errors import UsageError
from harness.native.programs import NoProgramError
from harness.records.engines import engine_of
from harness.session import carry_out
from tests.support.launcher import make_launcher
from tests.support.worker_files import files, programs

__all__ = ["files", "programs"]


@pytest.fixture
def launch(tmp_path, repository):
    """Make a stand-in for one of the native tools something that can be started."""
    (tmp_path / "tool").mkdir()
    return lambda name="benchmark_model": make_launcher(tmp_path / "tool", name)


@pytest.fixture
def stand_in(launch):
    return launch()


def test_this_computer_is_measured_by_our_worker(prepared):
    assert [type(engine) for engine in prepared().engines] == [PythonWorker]


def test_a_benchmark_binary_is_used_on_any_device(prepared, stand_in):
    assert [type(engine) for engine in prepared(benchmark_binary=str(stand_in)).engines] == [NativeEngine]


def test_a_delegate_that_our_worker_lacks_is_not_skipped_where_a_native_tool_is_given(prepared, stand_in):
    assert all(cell.skip for cell in prepared(delegates=("hexagon",)).plan.cells)
    assert not any(
        cell.skip for cell in prepared(delegates=("hexagon",), benchmark_binary=str(stand_in)).plan.cells
    )


def test_a_binary_that_does_not_exist_is_wrong_use(prepared):
    with pytest.raises(UsageError, match="--benchmark-binary"):
        prepared(benchmark_binary="no/such/tool")


def test_the_native_tool_gives_the_same_accuracy_as_our_worker_and_a_figure_a_process(
    prepared, stand_in, recorder, quick
):
    settings = replace(quick, accuracy=True, limit=12)
    common = {"models": ("shapes-full-integer",), "delegates": ("cpu:1",), "settings": settings}
    native = carry_out(prepared(benchmark_binary=str(stand_in), **common), recorder).records[0]
    ours = carry_out(prepared(**common), recorder).records[0]
    assert native.accuracy.figures == ours.accuracy.figures
    assert native.runtime.startswith("benchmark_model tflite sha256:")
    assert native.status == "ok" and native.delegate.actual == ours.delegate.actual == "xnnpack"
    assert [process.summary.count > 0 for process in native.processes] == [True, True]


def test_the_evaluation_tool_is_used_for_accuracy_where_it_is_given_and_the_model_fits_it(
    prepared, launch, recorder, quick
):
    settings = replace(quick, accuracy=True, latency=False, limit=6)
    ready = prepared(
        models=("shapes-float32",),
        delegates=("cpu:1",),
        settings=settings,
        benchmark_binary=str(launch()),
        eval_binary=str(launch("eval_coco_object_detection")),
    )
    (record,) = carry_out(ready, recorder).records
    assert record.accuracy.runtime.startswith("eval_coco_object_detection sha256:")
    assert record.accuracy.figures.map > 0
    assert record.accuracy.delegate.actual == "unknown", "that tool does not tell what ran"


def test_a_board_whose_python_has_a_runtime_is_measured_by_our_worker(prepared, sshd):
    sshd.offer_python()
    (engine,) = prepared(devices=(sshd.url,)).engines
    assert isinstance(engine, BoardWorker)
    assert engine.cores == os.cpu_count()


@pytest.fixture
def no_worker(monkeypatch):
    """No worker in C is built."""

    def refuse(system, abi):
        raise NoProgramError("the worker of our own is not built here")

    monkeypatch.setattr(program, "find_program", refuse)


def test_a_board_without_one_is_measured_by_our_worker_in_c(
    prepared, sshd, recorder, quick, files, monkeypatch
):
    sshd.offer("python3", "exit 1")
    monkeypatch.setattr(program, "find_program", lambda system, abi: files.program)
    settings = replace(quick, accuracy=True, limit=4)
    common = {"models": ("shapes-full-integer",), "delegates": ("cpu:1",), "settings": settings}
    (ours,) = carry_out(prepared(devices=(sshd.url,), **common), recorder).records
    (local,) = carry_out(prepared(**common), recorder).records
    assert engine_of(ours) == "native-worker"
    assert ours.status == "ok"
    assert ours.accuracy.figures == local.accuracy.figures
    assert all(process.samples for process in ours.processes)


def test_an_engine_that_is_asked_for_measures_or_says_what_is_missing(prepared, sshd, stand_in, no_worker):
    sshd.offer("python3", "exit 1")
    assert [type(engine) for engine in prepared(engine="worker").engines] == [PythonWorker]
    with pytest.raises(UsageError, match=r"--engine worker: .*not built"):
        prepared(devices=(sshd.url,), engine="worker")
    chosen = prepared(engine="benchmark-model", benchmark_binary=str(stand_in))
    assert [type(engine) for engine in chosen.engines] == [NativeEngine]


def test_a_board_without_either_is_measured_with_benchmark_model_and_says_why(
    prepared, sshd, tmp_path, monkeypatch, no_worker, caplog
):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n")
    sshd.offer("python3", "exit 1")
    monkeypatch.setattr(binaries, "fetch_tool", lambda abi: binaries.tool_from_file(tool))
    ready = prepared(devices=(sshd.url,))
    assert isinstance(ready.engines[0], NativeEngine)
    assert "no Python was found" in ready.stations[0].info.reason
    assert "not built here" in caplog.text


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (
            '{"version": [3, 9, 2], "packages": {"numpy": "1.26", "tflite-runtime": "2.14"}}',
            "its Python is 3.9.2",
        ),
        ('{"version": [3, 11, 2], "packages": {"numpy": "1.26"}}', "its Python lacks ai-edge-litert"),
        ('{"version": [3, 11, 2], "packages": {"tflite-runtime": "2.14"}}', "its Python lacks numpy"),
        ("Segmentation fault", "no Python was found"),
    ],
)
def test_a_board_that_neither_can_measure_says_what_to_install(
    prepared, sshd, monkeypatch, told, reason, no_worker
):
    sshd.offer("python3", f"echo '{told}'")
    monkeypatch.setattr(binaries, "TOOLS", {})
    with pytest.raises(UsageError, match="venv ~/harness") as caught:
        prepared(devices=(sshd.url,))
    assert reason in str(caught.value)


def test_a_library_that_is_not_there_is_refused(prepared, sshd):
    sshd.offer("python3", "exit 1")
    with pytest.raises(UsageError, match=r"--litert-library: no/such/lib\.so is no file"):
        prepared(devices=(sshd.url,), litert_library="no/such/lib.so")
