"""The engine that measures with benchmark_model, through the stand-in, on this computer and on a fake device."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from harness.accuracy.coco import evaluate
from harness.accuracy.dataset import find_dataset
from harness.bench.engines.base import Engine
from harness.bench.engines.native.batches import PartialBatches
from harness.bench.engines.native.engine import PLAIN, NativeEngine
from harness.bench.engines.native.tool import DeviceFiles, NativeTool, ProbedTool
from harness.bench.engines.python_worker import PythonWorker
from harness.bench.plan import Cell
from harness.cards import Model
from harness.delegates import parse_delegate
from harness.drivers.benchmark_tool.binaries import tool_from_file
from harness.drivers.fake import FakeDevice, Fault
from harness.drivers.local import LocalDevice
from harness.errors import DeviceLostError, MeasurementError, UsageError
from harness.recognize.find import find_model
from harness.records.status import conclude
from harness.settings import Settings
from harness.tflite.model import describe
from harness.workspace import find_workspace
from tests.support.launcher import make_launcher

SETTINGS = Settings(repetitions=1, min_runs=3, min_seconds=0.01)


@pytest.fixture(scope="module")
def shapes(repository):
    """The bundled example as a cell, with the first images of its dataset."""

    def make(delegate="cpu:1", model="shapes-float32", n_images=2, settings=SETTINGS):
        found = find_model(model, find_workspace(repository))
        dataset = find_dataset(found.dataset_path).limited(n_images) if n_images else None
        facts = describe(found.file)
        return Cell(1, found, facts, "local", parse_delegate(delegate), settings, dataset)

    return make


@pytest.fixture
def native(tmp_path):
    """Make an engine whose tool plays what is given."""

    def make(device=None, **plays):
        folder = tmp_path / "tool"
        folder.mkdir(exist_ok=True)
        return NativeEngine(
            NativeTool(device or LocalDevice(), tool_from_file(make_launcher(folder, **plays)))
        )

    return make


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "run" / ".scratch" / "cell-0"
    folder.mkdir(parents=True)
    return folder


def ignore(done, total):
    """Progress that nobody looks at."""


class ShellDevice(LocalDevice):
    """This computer with another shell."""

    def __init__(self, shell):
        super().__init__()
        self._shell = shell.split()

    def run(self, argv, **settings):
        assert argv[0] == "sh"
        return super().run([*self._shell, *argv[1:]], **settings)


class CountedDevice(FakeDevice):
    """Counts round trips: calls, and what a push says and sends besides."""

    @property
    def round_trips(self):
        return sum(self.calls[action] for action in ("push", "run", "pull"))


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


@pytest.mark.parametrize(("how", "status"), [("works", "ok"), ("slightly", "ok"), ("badly", "incorrect")])
def test_outputs_of_an_accelerator_are_held_against_the_cpus(how, status, native, shapes, scratch):
    facts = native(gpu=how).time(shapes("gpu", n_images=2), 0, scratch).facts
    assert facts.status == status
    assert any("gives other detections than the CPU" in reason for reason in facts.reasons) == (
        status != "ok"
    )


def test_an_accelerator_with_wrong_outputs_has_no_accuracy(native, shapes, scratch):
    with pytest.raises(MeasurementError, match="other detections than the CPU") as caught:
        native(gpu="badly").infer(shapes("gpu"), scratch, ignore)
    assert caught.value.status == "incorrect"


@pytest.mark.parametrize("model", ["shapes-float32", "shapes-full-integer"])
def test_the_map_on_the_device_equals_the_local_one(model, native, shapes, scratch, tmp_path):
    cell = shapes(model=model, n_images=6)
    seen = []
    found = native().infer(cell, scratch, lambda done, total: seen.append((done, total)))
    other = tmp_path / "local"
    other.mkdir()
    local = PythonWorker(LocalDevice()).infer(cell, other, ignore)
    figures = [
        evaluate(cell.dataset.annotations, one.detections, cell.dataset.image_ids, "hotcoco").figures
        for one in (found, local)
    ]
    assert figures[0] == figures[1]
    assert figures[0].map > 0.1
    assert found.detections.read_bytes() == local.detections.read_bytes()
    assert (found.n_images, found.unreadable, seen[-1]) == (6, (), (6, 6))
    assert found.delegate.actual == "xnnpack"
    assert found.runtime.startswith("benchmark_model tflite sha256:")


def test_an_accelerator_that_fell_back_has_no_accuracy(native, shapes, scratch):
    with pytest.raises(MeasurementError, match="unsupported on this platform") as caught:
        native(gpu="refused").infer(shapes("gpu"), scratch, ignore)
    assert caught.value.status == "fallback"


def test_a_crash_in_the_middle_of_a_batch_names_the_image(native, shapes, scratch):
    with pytest.raises(MeasurementError, match="image 1 of the batch: benchmark_model crashed with SIGSEGV"):
        native(gpu="crash").infer(shapes("gpu"), scratch, ignore)


def test_a_dataset_goes_through_in_batches_and_is_resumed_where_it_was_lost(
    native, shapes, scratch, monkeypatch, tmp_path
):
    monkeypatch.setattr("harness.bench.engines.native.batches.BATCH_IMAGES", 1)
    cell = shapes(n_images=3)
    lost = FakeDevice(folder=_made(tmp_path / "phone"), faults=[Fault("lost", "push", at=3)])
    with pytest.raises(DeviceLostError):
        native(lost).infer(cell, scratch, ignore)
    again = FakeDevice(folder=tmp_path / "phone")
    found = native(again).infer(cell, scratch, ignore)
    assert again.calls["push"] == 1, "two of three batches were kept"
    whole = _made(tmp_path / "whole" / ".scratch" / "x")
    assert native().infer(cell, whole, ignore).detections.read_bytes() == found.detections.read_bytes()
    assert not (scratch.parent.with_name(".partial") / cell.id).exists()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def test_a_warm_cell_takes_two_round_trips_and_a_cold_one_three(native, shapes, scratch, tmp_path):
    device = CountedDevice(folder=_made(tmp_path / "phone"))
    engine = native(device)
    engine.time(shapes(), 0, scratch)
    cold = device.round_trips
    engine.time(shapes(), 1, scratch)
    assert (cold, device.round_trips - cold) == (3, 2)


@pytest.mark.parametrize(
    "shell", [s for s in ("dash", "bash", "mksh", "busybox sh") if shutil.which(s.split()[0])]
)
def test_any_plain_shell_will_do(shell, native, shapes, scratch):
    engine = native(ShellDevice(shell), gpu="partial")
    facts = engine.time(shapes("gpu", n_images=0), 0, scratch).facts
    assert (facts.status, facts.delegate.delegated_nodes) == ("partial", 54)
    assert engine.infer(shapes(n_images=2), scratch, ignore).n_images == 2


def test_a_batch_takes_three_round_trips(native, shapes, scratch, tmp_path):
    device = CountedDevice(folder=_made(tmp_path / "phone"))
    engine = native(device)
    engine.time(shapes(), 0, scratch)
    before = device.round_trips
    engine.infer(shapes(n_images=3), scratch, ignore)
    assert device.round_trips - before == 4, "push, run, pull, and one to clean up at the end"


def test_nothing_is_left_on_the_device(native, shapes, scratch, monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(_made(tmp_path / "tmp")))
    engine = native()
    engine.time(shapes(), 0, scratch)
    engine.infer(shapes(), scratch, ignore)
    assert list((tmp_path / "tmp").glob("harness-run-*")) == []


def test_a_tool_that_cannot_be_started_is_a_failure_that_says_so(shapes, scratch, tmp_path):
    tool = tmp_path / "benchmark_model"
    tool.write_text("#!/bin/sh\necho hello; exit 3\n")
    tool.chmod(0o755)
    with pytest.raises(MeasurementError, match=r"is no benchmark_model: .*hello"):
        NativeEngine(NativeTool(LocalDevice(), tool_from_file(tool))).time(shapes(), 0, scratch)


def test_a_tool_that_is_no_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match="--benchmark-binary"):
        tool_from_file(tmp_path / "nothing")


def test_a_delegate_without_its_library_is_refused_before_it_runs(native, shapes, scratch):
    with pytest.raises(MeasurementError, match=r"libQnnTFLiteDelegate\.so"):
        native().time(shapes("qnn:htp"), 0, scratch)


def test_an_external_library_that_is_not_there_is_a_failure_that_names_it(native, shapes, scratch):
    facts = native().time(shapes("external:/nowhere/libx.so", n_images=0), 0, scratch).facts
    assert facts.status == "failed"
    assert "/nowhere/libx.so" in facts.reasons[0]


def test_threads_that_lose_detections_are_incorrect(native, shapes, scratch, repository, tmp_path):
    """LiteRT's regular NMS on two threads, as in the worker's own check; with fast NMS two threads are right."""
    source, regular = repository / "models" / "shapes" / "shapes_float32.tflite", tmp_path / "regular.tflite"
    edit = [sys.executable, "-m", "harness", "edit", "nms", str(source), "--regular", "-o", str(regular)]
    subprocess.run(edit, check=True, capture_output=True)
    fast = shapes("cpu:2", n_images=4)
    assert native().time(fast, 0, scratch).facts.status == "ok"
    cell = replace(fast, model=replace(fast.model, file=regular), facts=describe(regular))
    facts = native().time(cell, 0, scratch).facts
    assert facts.status == "incorrect" and "other detections than one thread" in facts.reasons[0]


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


def test_a_real_external_library_that_computes_wrong_is_incorrect(native, shapes, scratch, delegate_library):
    cell = shapes(f"external:{delegate_library}")
    delegate = replace(cell.delegate, options=(*cell.delegate.options, ("option.wrong", "1")))
    facts = native().time(replace(cell, delegate=delegate), 0, scratch).facts
    assert facts.status == "incorrect" and "gives other detections than the CPU" in facts.reasons[0]


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


def test_the_cpus_to_run_on_are_told_to_taskset(native, shapes, scratch):
    engine = native()
    engine.tool.cpu_mask = "1"
    assert engine.time(shapes(), 0, scratch).facts.status == "ok"


def test_a_partial_or_fallen_back_process_is_the_cells(native, shapes, scratch):
    from harness.bench.cell_record import new_record

    facts = native(gpu="partial").time(shapes("gpu", n_images=0), 0, scratch).facts
    record = new_record(shapes("gpu"), LocalDevice().describe(), "run")
    status, reasons = conclude(msgspec.structs.replace(record, processes=(facts,)))
    assert status == "partial"
    assert "54 of 55 nodes" in reasons[0]


def test_a_partial_accuracy_run_is_the_cells(shapes):
    from harness.bench.cell_record import new_record
    from harness.records.records import AccuracyFacts, DelegateFacts

    record = new_record(shapes("gpu"), LocalDevice().describe(), "run")
    delegate = DelegateFacts(requested="gpu", actual="gpu", delegated_nodes=54, total_nodes=55)
    accuracy = AccuracyFacts(status="ok", dataset="d", annotations_sha256="0", n_images=1, delegate=delegate)
    assert conclude(msgspec.structs.replace(record, accuracy=accuracy))[0] == "partial"


def test_a_flavour_that_cannot_be_fed_is_timed_and_says_that_its_outputs_were_not_checked(
    native, shapes, scratch
):
    engine = native(gpu="works")
    engine.tool.program = replace(engine.tool.program, flavour="litert")
    facts = engine.time(shapes("gpu"), 0, scratch).facts
    assert (facts.status, facts.delegate.actual) == ("fallback", "cpu"), (
        "the stand-in is of the other flavour"
    )
    unchecked = engine.check(shapes("gpu"), scratch)
    assert unchecked.wrong == () and "cannot be fed images" in unchecked.remark
    with pytest.raises(MeasurementError, match="accuracy needs the flavour tflite"):
        engine.infer(shapes("cpu"), scratch, ignore)


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


@pytest.mark.parametrize(
    "settings", [Settings(mlperf=True), Settings(sustained=10.0)], ids=["mlperf", "sustained"]
)
def test_what_needs_every_sample_is_refused(settings, native, shapes, scratch):
    with pytest.raises(MeasurementError, match="keeps them to itself"):
        native().time(shapes(settings=settings), 0, scratch)


def test_outputs_of_no_fixed_size_are_refused(native, shapes, scratch):
    cell = shapes()
    outputs = (replace(cell.facts.outputs[0], shape=(1, -1, 4)), *cell.facts.outputs[1:])
    with pytest.raises(MeasurementError, match="no fixed size"):
        native().infer(replace(cell, facts=replace(cell.facts, outputs=outputs)), scratch, ignore)


def test_a_kept_batch_that_is_damaged_is_run_again(tmp_path):
    kept = PartialBatches(tmp_path)
    (tmp_path / "k.json").write_text('{"images": [')
    assert kept.load("k") is None
    assert kept.load("absent") is None


def test_the_published_figures_of_a_real_model_come_back_through_the_tool(
    native, shared_data, repository, scratch
):
    card = find_model("coco-ssd-mobilenet-v1-quant", find_workspace(repository)).card
    file = shared_data / "models" / "ssd_mobilenet_v1_coco_quant.tflite"
    dataset = find_dataset(shared_data / "coco50")
    cell = Cell(1, Model(card, file), describe(file), "local", parse_delegate("cpu:1"), SETTINGS, dataset)
    found = native().infer(cell, scratch, ignore)
    figures = evaluate(dataset.annotations, found.detections, dataset.image_ids, "pycocotools").figures
    assert (round(figures.map, 3), round(figures.ap50, 3)) == (0.193, 0.326)


def test_libraries_are_linked_into_one_folder_and_told_to_the_tool(native, shapes, scratch, tmp_path):
    names = ("libQnnHtp.so", "libQnnHtpV73Skel.so", "libQnnSystem.so", "libQnnTFLiteDelegate.so")
    folder = _made(tmp_path / "tool")
    for name in names:
        (folder / name).touch()
    engine = native()
    bench, placed = (
        ProbedTool("/d", "tflite"),
        DeviceFiles("/t/benchmark_model", "/m/x.tflite", tuple(f"/h/{n}" for n in names)),
    )
    argv = engine.tool.command(shapes("qnn:htp"), placed, bench, "token", PLAIN)
    lib = "/d/harness-run-token/lib"
    assert f"--external_delegate_path={lib}/libQnnTFLiteDelegate.so" in argv
    assert f"--external_delegate_options=backend_type:htp;library_path:{lib}/libQnnHtp.so" in argv
    assert engine.tool.environment(placed, bench, "token")["LD_LIBRARY_PATH"] == lib
    facts = engine.time(shapes("qnn:htp", n_images=0), 0, scratch).facts
    assert (facts.status, facts.delegate.actual) == ("fallback", "xnnpack"), "empty libraries take no node"
