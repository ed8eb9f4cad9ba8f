"""The engine that measures with benchmark_model, through the stand-in, on this computer and on a fake device."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from harness.bench.engines.base import Engine
from harness.bench.engines.native.engine import PLAIN, NativeEngine, write_one_image
from harness.bench.engines.native.tool import NativeTool
from harness.drivers.benchmark_tool.binaries import flavour_in, tool_from_file
from harness.drivers.local import LocalDevice
from harness.errors import MeasurementError
from harness.records.status import status_of
from harness.settings import Settings
from tests.support.counted_device import CountedDevice

SETTINGS = Settings(repetitions=1, min_runs=3, min_seconds=0.01)


def ignore(done, total):
    """Progress that nobody looks at."""


def test_it_is_an_engine(native):
    engine: Engine = native()
    assert engine.tool.program.flavour is None


def test_a_process_gives_its_summary_and_what_ran(native, shapes, scratch):
    engine = native()
    timed = engine.time(shapes(), 2, scratch)
    facts = timed.facts
    assert timed.samples is None
    assert (facts.index, facts.status, facts.reasons) == (2, "ok", ())
    assert facts.runtime == f"benchmark_model tflite sha256:{engine.tool.program.sha256[:16]}"
    assert facts.summary.count >= 3
    assert 0 < facts.summary.min_ns <= facts.summary.median_ns <= facts.summary.max_ns
    assert facts.init_ns > 0
    assert facts.first_inference_ns > 0
    delegate = facts.delegate
    assert (delegate.requested, delegate.actual) == ("cpu:1", "xnnpack")
    assert (delegate.delegated_nodes, delegate.total_nodes) == (54, 55)
    assert delegate.evidence[0].startswith("runtime graph: of 55 nodes TfLiteXNNPackDelegate 54")
    assert None not in (facts.telemetry.before, facts.telemetry.after)


def test_the_facts_survive_being_stored(native, shapes, scratch):
    facts = native().time(shapes(), 0, scratch).facts
    assert msgspec.json.decode(msgspec.json.encode(facts), type=type(facts)) == facts


def test_the_reference_kernels_are_told_apart(native, shapes, scratch):
    facts = native().time(shapes("cpu-reference:1"), 0, scratch).facts
    assert (facts.status, facts.delegate.actual, facts.delegate.delegated_nodes) == ("ok", "cpu-reference", 0)


BEHAVIOURS = [
    # what the tool plays, status, what ran, what the reason says
    ({"gpu": "works"}, "ok", "gpu", ""),
    ({"gpu": "partial"}, "partial", "gpu", "took 54 of 55 nodes"),
    ({"gpu": "silent"}, "fallback", "xnnpack", "no node of the runtime graph"),
    ({"gpu": "refused"}, "fallback", "xnnpack", "GPU acceleration is unsupported on this platform."),
    ({"unknown": ["use_gpu"]}, "fallback", "xnnpack", "does not know --use_gpu=true"),
    (
        {"gpu": "works", "unknown": ["num_threads", "min_secs"]},
        "failed",
        "unknown",
        "does not know --min_secs",
    ),
    ({"gpu": "crash"}, "failed", "unknown", "crashed with SIGSEGV"),
    (
        {"gpu": "silent", "unknown": ["export_model_runtime_info", "model_runtime_info_output_file"]},
        *("fallback", "unknown", "neither the log nor a runtime graph"),
    ),
]


@pytest.mark.parametrize("case", BEHAVIOURS, ids=lambda case: str(case[0]))
def test_no_behaviour_of_the_tool_is_taken_for_the_delegate(case, native, shapes, scratch):
    plays, status, actual, reason = case
    facts = native(**plays).time(shapes("gpu", n_images=0), 0, scratch).facts
    assert (facts.status, facts.delegate.actual) == (status, actual)
    assert any(reason in sentence for sentence in facts.reasons) or not reason
    assert (facts.summary is None) == (status == "failed")


def test_a_hang_is_a_timeout_and_leaves_nothing_running(native, shapes, scratch, monkeypatch):
    monkeypatch.setattr("harness.bench.engines.native.tool.START_TIMEOUT_S", 2.0)
    cell = shapes("gpu", n_images=0, settings=replace(SETTINGS, min_seconds=0.0))
    monkeypatch.setattr(Settings, "patience_s", 0.1)
    facts = native(gpu="hang").time(cell, 0, scratch).facts
    assert (facts.status, facts.summary) == ("timeout", None)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def test_a_cell_takes_two_round_trips_warm_and_cold_and_one_more_where_the_tool_must_be_asked(
    native, shapes, scratch, tmp_path
):
    device = CountedDevice(folder=_made(tmp_path / "phone"))
    engine = native(device)
    engine.time(shapes(), 0, scratch)
    cold = device.round_trips
    engine.time(shapes(), 1, scratch)
    assert (cold, device.round_trips - cold) == (2, 2)
    asked = CountedDevice(folder=_made(tmp_path / "other"))
    tool = native(asked).tool
    tool.program.file.write_text(tool.program.file.read_text().replace("# use_xnnpack", "# "))
    flavour_in.cache_clear()
    NativeEngine(tool).time(shapes(), 0, scratch)
    assert asked.round_trips == 3


@pytest.mark.parametrize(
    "words", ["dispatch_library_path", "use_xnnpack external_delegate_path Signature to run"]
)
def test_what_the_log_says_of_the_tool_outweighs_what_its_file_says(words, native, shapes, scratch, tmp_path):
    device = CountedDevice(folder=_made(tmp_path / "phone"))
    engine = native(device)
    file = engine.tool.program.file
    file.write_text(file.read_text().replace("# use_xnnpack", f"# {words} #"))
    flavour_in.cache_clear()
    facts = engine.time(shapes("gpu"), 0, scratch).facts
    assert facts.status == "fallback", "the stand-in is of the flavour tflite, and has no GPU"
    assert engine.tool.probed.flavour == "tflite"


def test_a_tool_that_cannot_be_started_is_told_as_before(native, shapes, scratch):
    engine = native()
    engine.tool.program.file.write_text("# use_xnnpack external_delegate_path Signature to run\nexit 126\n")
    flavour_in.cache_clear()
    with pytest.raises(MeasurementError, match="cannot be started on the device, or is no benchmark_model"):
        engine.time(shapes(), 0, scratch)


def test_an_external_library_that_is_not_there_is_a_failure_that_names_it(native, shapes, scratch):
    facts = native().time(shapes("external:/nowhere/libx.so", n_images=0), 0, scratch).facts
    assert facts.status == "failed"
    assert "/nowhere/libx.so" in facts.reasons[0]


@pytest.mark.parametrize(
    ("take", "status", "nodes"), [("all", "ok", 55), ("CONV_2D", "partial", 20), ("none", "fallback", 0)]
)
def test_a_real_external_library_is_told_by_the_nodes_it_took(
    native, shapes, scratch, delegate_library, take, status, nodes
):
    """The tool is a stand-in, the library is real: compiled, pushed, loaded, and told its options."""
    cell = shapes(f"external:{delegate_library}")
    delegate = replace(cell.delegate, options=(*cell.delegate.options, ("option.take", take)))
    facts = native().time(replace(cell, delegate=delegate), 0, scratch).facts
    assert (facts.status, facts.delegate.delegated_nodes) == (status, nodes)
    assert take == "none" or facts.delegate.total_nodes == 55


def test_a_real_external_library_that_crashes_is_a_failure(native, shapes, scratch, delegate_library):
    cell = shapes(f"external:{delegate_library}", n_images=0)
    delegate = replace(cell.delegate, options=(*cell.delegate.options, ("option.crash", "invoke")))
    facts = native().time(replace(cell, delegate=delegate), 0, scratch).facts
    assert facts.status == "failed" and facts.delegate.actual == "unknown"


def test_an_external_library_that_is_there_and_does_nothing_is_a_fallback(native, shapes, scratch, tmp_path):
    library = tmp_path / "libx.so"
    library.write_bytes(b"not a library")
    facts = native().time(shapes(f"external:{library}", n_images=0), 0, scratch).facts
    assert (facts.status, facts.delegate.actual) == ("fallback", "xnnpack")


def test_a_partial_or_fallen_back_process_is_the_cells(native, shapes, scratch):
    from harness.bench.cell_record import new_record

    facts = native(gpu="partial").time(shapes("gpu", n_images=0), 0, scratch).facts
    record = new_record(shapes("gpu"), LocalDevice().describe(), "run")
    status, reasons = status_of(msgspec.structs.replace(record, processes=(facts,)))
    assert status == "partial"
    assert "54 of 55 nodes" in reasons[0]


def test_a_partial_accuracy_run_is_the_cells(shapes):
    from harness.bench.cell_record import new_record
    from harness.records.records import AccuracyFacts, DelegateFacts

    record = new_record(shapes("gpu"), LocalDevice().describe(), "run")
    delegate = DelegateFacts(requested="gpu", actual="gpu", delegated_nodes=54, total_nodes=55)
    accuracy = AccuracyFacts(status="ok", dataset="d", annotations_sha256="0", n_images=1, delegate=delegate)
    assert status_of(msgspec.structs.replace(record, accuracy=accuracy))[0] == "partial"


def test_a_tool_that_prints_no_median_is_refused_with_the_remedy(shapes, scratch, tmp_path):
    log = (
        "Running benchmark for at least 1 iterations and at least 0.5 seconds\n"
        "count=6 first=140706 curr=74599 min=74599 max=140706 avg=85791.2 std=24559\n\n"
        "Running benchmark for at least 50 iterations and at least 1 seconds\n"
        "count=50 first=74456 curr=74516 min=73909 max=75323 avg=74481.6 std=268\n\n"
        "Inference timings in us: Init: 18738, First inference: 140706, Warmup (avg): 85791.2, Inference (avg): 74481.6"
    )
    tool = tmp_path / "benchmark_model"
    tool.write_text(f"#!/bin/sh\necho 'Graph: [x]'; cat <<'END'\n{log}\nEND\n")
    tool.chmod(0o755)
    facts = (
        NativeEngine(NativeTool(LocalDevice(), tool_from_file(tool)))
        .time(shapes(n_images=0), 0, scratch)
        .facts
    )
    assert (facts.status, facts.summary) == ("failed", None)
    assert "prints no median" in facts.reasons[0]


@pytest.mark.parametrize("settings", [Settings(mlperf=True), Settings(switch_models=True)], ids=str)
def test_what_needs_every_sample_is_refused(settings, native, shapes, scratch):
    with pytest.raises(MeasurementError, match="keeps its samples to itself"):
        native().time(shapes(settings=settings), 0, scratch)


def test_the_outputs_of_a_sustained_load_are_checked_before_it_and_not_in_between(native, shapes, scratch):
    """The first process begins when the check is over; no later one is held up."""
    device = CountedDevice()
    engine = native(device, gpu="works")
    cell = shapes("gpu", settings=Settings(sustained=2.0))
    trips = []
    for repetition in range(3):
        before = device.round_trips
        facts = engine.time(cell, repetition, scratch).facts
        trips.append(device.round_trips - before)
        assert facts.status == "ok"
        assert facts.started_at.endswith("Z")
        assert "." in facts.started_at
    assert trips[0] > trips[1] == trips[2]


def test_a_delegate_that_falls_back_under_load_is_a_fallback(native, shapes, scratch):
    cell = shapes("gpu", settings=Settings(sustained=2.0))
    assert native(gpu="silent").time(cell, 0, scratch).facts.status == "fallback"


def test_an_input_with_a_colon_in_its_name_is_fed(native, shapes, scratch):
    cell = shapes()
    assert ":" in cell.facts.inputs[0].name, "the bundled example is a TF2 export"
    run = native().tool.run(cell, PLAIN, write_one_image(cell, scratch))
    assert (run.output.status, run.noise) == ("ok", "")
    name = cell.facts.inputs[0].name.replace(":", "::")
    assert ("Input value files", f"{name}:in.bin") in run.output.log.switches


def test_a_tool_that_refuses_the_name_of_an_input_is_timed_on_noise_and_says_so(native, shapes, scratch):
    engine, cell = native(input_names="no colon"), shapes("cpu:2")
    facts = engine.time(cell, 0, scratch).facts
    assert facts.status == "ok"
    assert facts.reasons[0].startswith("timed on the tool's own random inputs: this benchmark_model refuses")
    assert "cannot be fed images" in facts.reasons[1]
    with pytest.raises(
        MeasurementError, match="cannot be fed images: this benchmark_model refuses its input"
    ):
        engine.infer(shapes(), scratch, ignore)


def test_accuracy_with_a_tool_that_refuses_the_name_says_why_at_once(native, shapes, scratch):
    with pytest.raises(
        MeasurementError, match="cannot be fed images: this benchmark_model refuses its input"
    ):
        native(input_names="no colon").infer(shapes("cpu:2"), scratch, ignore)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda info: (info, info), "the model has 2 inputs"),
        (lambda info: (replace(info, shape=(-1, *info.shape[1:])),), "no fixed shape"),
        (lambda info: (replace(info, name="a,b"),), "at commas"),
    ],
)
def test_a_model_that_cannot_be_fed_is_timed_on_noise_and_says_why(change, why, native, shapes, scratch):
    cell = shapes()
    changed = replace(cell, facts=replace(cell.facts, inputs=change(cell.facts.inputs[0])))
    facts = native().time(changed, 0, scratch).facts
    assert facts.status == "ok"
    assert why in facts.reasons[0]
