"""Times of single operators: from LiteRT's own profiler, from benchmark_model, and kept apart from latency."""

from dataclasses import replace
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bench.engines import operators
from harness.bench.engines.native.engine import NativeEngine
from harness.bench.engines.native.tool import NativeTool
from harness.bench.engines.python_worker import PythonWorker
from harness.bench.plan import Cell
from harness.delegates import parse_delegate
from harness.drivers.benchmark_tool.binaries import tool_from_file
from harness.drivers.benchmark_tool.profile_text import parse_profile
from harness.drivers.local import LocalDevice
from harness.errors import MeasurementError, RecordError
from harness.recognize.find import find_model
from harness.records.records import Record, load, load_records
from harness.records.status import status_of
from harness.rows.frame import read_results
from harness.runtime import Runtime, load_runtime
from harness.session import carry_out
from harness.settings import Settings
from harness.tflite.model import describe
from harness.tflite.reader import read_bytes, read_graph
from harness.worker import operators as worker
from harness.worker.jobs import OperatorsJob
from harness.workspace import find_workspace
from tests.support.launcher import make_launcher
from tests.support.paths import RECORDS_FORMATS

SUMMARY = """\
===== Run Order =====
     [node type]  [start]  [first]  [avg ms]  [%]  [cdf%]  [mem KB] [times called]  [Name]
  Delegate/Convolution (NHWC, F32) IGEMM  0.000  0.060  0.062  7.9%  7.9%  0.000  10  [Delegate]:0
     TFLite_Detection_PostProcess      0.000      1.000      1.500    90.0%    97.9%      0.000   10   [Builtin]:64
     TfLiteGpuDelegateV2      0.000      0.010      0.010     2.1%   100.0%      0.000   20   boxes, classes:70

===== Top by Computation Time =====
     TFLite_Detection_PostProcess      0.000      1.000      1.500    90.0%    97.9%      0.000   10   [Builtin]:64
"""


@pytest.fixture(scope="module")
def cell(repository):
    def make(delegate="cpu:1", model="shapes-float32"):
        found = find_model(model, find_workspace(repository))
        settings = Settings(min_runs=3, min_seconds=0.01, operators=True)
        return Cell(1, found, describe(found.file), "local", parse_delegate(delegate), settings)

    return make


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "run" / ".scratch" / "cell-0"
    folder.mkdir(parents=True)
    return folder


def test_a_summary_gives_the_time_of_one_inference_in_the_order_of_execution():
    first, second, third = operators.parse_summary(SUMMARY, 10)
    assert (first.kind, first.delegated, first.time_ns) == ("Convolution (NHWC, F32) IGEMM", True, 62_000)
    assert (second.kind, second.delegated, second.calls) == ("TFLite_Detection_PostProcess", False, 1)
    assert second.time_ns == 1_500_000
    assert (third.delegated, third.calls, third.time_ns) == (True, 2, 20_000)
    assert third.name == "boxes, classes:70"


@given(st.text(), st.integers(1, 50))
def test_no_text_breaks_the_reader(text, n):
    assert all(one.time_ns >= 0 for one in operators.parse_summary(f"===== Run Order =====\n{text}", n))


@pytest.mark.parametrize(("delegate", "delegated"), [("cpu:1", True), ("cpu-reference:1", False)])
def test_our_worker_records_the_operators_that_ran(cell, scratch, delegate, delegated):
    found = PythonWorker(LocalDevice()).operators(cell(delegate), scratch)
    assert found.runtime.startswith("ai-edge-litert ") and found.n_inferences >= 50
    assert any(one.delegated for one in found.operators) is delegated
    last = found.operators[-1]
    assert (last.kind, last.delegated) == ("TFLite_Detection_PostProcess", False)
    assert sum(one.time_ns for one in found.operators) > 10_000


def test_the_builtin_kernels_are_the_operators_of_the_file(cell, scratch):
    asked = cell("cpu-reference:1", "shapes-full-integer")
    found = PythonWorker(LocalDevice()).operators(asked, scratch)
    assert len(found.operators) == len(graph_of(asked.model.file).operators)


def test_a_delegate_that_the_profiler_does_not_know_is_refused_with_the_way_out(cell, scratch):
    with pytest.raises(MeasurementError, match="--benchmark-binary"):
        PythonWorker(LocalDevice()).operators(cell("external:/lib/libsomething.so"), scratch)


def test_a_runtime_without_a_profiler_says_which_one_has_it(tmp_path):
    old = Runtime("tflite-runtime", "2.14.0", SimpleNamespace(__file__=str(tmp_path / "interpreter.py")))
    job = OperatorsJob("model.tflite", "cpu", 1, None, 1, 0.0, str(tmp_path))
    with pytest.raises(RuntimeError, match=r"tflite-runtime 2.14.0 has no operator profiler.*2\.3"):
        worker.run(job, old)


def test_a_file_that_litert_cannot_open_is_told_by_the_call_that_failed(tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"\0" * 64)
    job = OperatorsJob(str(tmp_path / "model.tflite"), "cpu", 1, None, 1, 0.0, str(tmp_path))
    with pytest.raises(RuntimeError, match="LiteRtCreateModelFromFile gave status"):
        worker.run(job, load_runtime())


def test_the_native_tool_records_them_too(cell, scratch, repository, tmp_path):
    engine = NativeEngine(NativeTool(LocalDevice(), tool_from_file(make_launcher(tmp_path))))
    found = engine.operators(cell(), scratch)
    assert found.runtime == engine.runtime
    assert len(found.operators) == len(graph_of(cell().model.file).operators)
    assert found.operators[-1].kind == "TFLite_Detection_PostProcess"


def test_the_real_tools_words_tell_delegate_from_kernel(repository):
    log = repository.parent / "shared" / "data" / "benchmark_model_logs" / "op_profiling_stdout.txt"
    if not log.exists():
        pytest.skip("shared data is absent")
    rows = [operators.from_tool(row) for row in parse_profile(log.read_text(encoding="utf-8"))]
    assert all(one.delegated for one in rows if "NHWC" in one.kind)
    assert not any(one.name.startswith("Delegate/") for one in rows)
    # The tool's own sum of its averages, the last line of its summary by node type, is 100 %.
    assert sum(one.time_ns for one in rows) == pytest.approx(4.79e6, rel=0.02)


def test_a_run_keeps_them_beside_the_record_and_apart_from_its_figures(prepared, recorder, quick):
    outcome = carry_out(
        prepared(models=("shapes-float32",), delegates=("cpu:1",), settings=replace(quick, operators=True)),
        recorder,
    )
    (stored,) = load_records(outcome.folder)
    assert [kind for *_, kind, _ in recorder.tasks] == ["latency", "latency", "operators"]
    assert recorder.total == 3 and stored.record.complete
    facts = stored.record.operators
    assert (facts.status, facts.operators) == ("ok", "operators.json")
    assert len(stored.operators()) > 10
    assert len(stored.record.processes) == 2


def test_operators_that_cannot_be_recorded_are_told_and_cost_the_cell_nothing(
    prepared, recorder, quick, monkeypatch
):
    monkeypatch.setattr("harness.bench.engines.python_worker.SHORT_JOB_TIMEOUT_S", 0.01)
    outcome = carry_out(
        prepared(models=("shapes-float32",), delegates=("cpu:1",), settings=replace(quick, operators=True)),
        recorder,
    )
    (stored,) = load_records(outcome.folder)
    assert stored.record.operators.status == "timeout" and stored.record.operators.reasons
    assert stored.record.status == "ok" and stored.record.complete
    assert status_of(stored.record)[0] == "ok"
    assert stored.operators() == ()


def test_a_record_of_before_has_none_and_one_that_names_a_file_elsewhere_is_refused():
    (stored,) = read_results([RECORDS_FORMATS / "1"]).records
    assert stored.record.operators is None and stored.operators() == ()
    facts = {"status": "ok", "operators": "../../secret.json"}
    data = {**msgspec.to_builtins(load(stored.folder / "record.json", Record)), "operators": facts}
    other = replace_record(stored, msgspec.convert(data, Record))
    with pytest.raises(RecordError, match="plain file name"):
        other.operators()


def test_a_run_with_operators_is_kept_and_loads():
    (stored,) = read_results([RECORDS_FORMATS / "1-operators"]).records
    kinds = [one.kind for one in stored.operators()]
    assert kinds[-1] == "TFLite_Detection_PostProcess" and len(kinds) == 55


def graph_of(file):
    return read_graph(read_bytes(file), file).subgraphs[0]


def replace_record(stored, record):
    return msgspec.structs.replace(stored, record=record)
