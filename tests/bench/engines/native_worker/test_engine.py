"""The engine of the worker in C: samples, what ran, datasets, and what goes wrong."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from harness.bench.engines.native_worker.engine import NativeWorkerEngine
from harness.bench.engines.native_worker.place import PlacedWorker
from harness.bench.engines.python_worker import PythonWorker
from harness.drivers.local import LocalDevice
from harness.errors import MeasurementError
from harness.native.programs import Program
from tests.support.battery_service import CHARGE_UAH, UNTIL_READ, battery_service
from tests.support.counted_device import CountedDevice
from tests.support.processes import that_name, until


def ignore(done, total):
    """Progress that nobody looks at."""


def test_a_process_gives_every_sample_and_what_ran(engine, shapes, new_scratch):
    timed = engine.time(shapes(), 2, new_scratch())
    facts = timed.facts
    assert (facts.index, facts.status, facts.reasons) == (2, "ok", ())
    assert timed.samples["steady"].sum() >= 10
    assert timed.samples["duration_ns"][0] == facts.first_inference_ns > 0
    assert (np.diff(timed.samples["start_ns"]) >= timed.samples["duration_ns"][:-1]).all()
    assert facts.init_ns > 0
    assert facts.peak_memory_bytes > 2**20
    delegate = facts.delegate
    assert (delegate.requested, delegate.actual) == ("cpu:1", "xnnpack")
    assert (delegate.delegated_nodes, delegate.total_nodes) == (54, 55)
    assert facts.runtime.startswith("native worker ")
    assert " LiteRT 2." in facts.runtime
    assert facts.telemetry.before.probe_ns > 0
    assert msgspec.json.decode(msgspec.json.encode(facts), type=type(facts)) == facts


def test_a_sustained_load_comes_with_the_battery_s_gauge(files, shapes, new_scratch, tmp_path, monkeypatch):
    program = _program(tmp_path, f"({UNTIL_READ.replace('-ge 2', '-ge 1')}); exec {files.program.path}")
    engine = NativeWorkerEngine(PlacedWorker(LocalDevice(), replace(files, program=program)))
    monkeypatch.setenv("PATH", f"{battery_service(tmp_path / 'bin')}:{os.environ['PATH']}")
    cell = shapes(n_images=0)
    cell = replace(cell, settings=replace(cell.settings, sustained=1.0))
    telemetry = engine.time(cell, 0, new_scratch()).facts.telemetry
    assert telemetry.power[0].charge_uah == CHARGE_UAH
    assert telemetry.before.probe_ns > 0


@pytest.mark.parametrize("delegate", ["cpu:2", "cpu-reference:1"])
def test_what_ran_is_counted_as_the_worker_in_python_counts_it(engine, shapes, new_scratch, delegate):
    cell = shapes(delegate, n_images=0)
    ours = engine.time(cell, 0, new_scratch()).facts.delegate
    theirs = PythonWorker(LocalDevice()).time(cell, 0, new_scratch("python")).facts.delegate
    names = ("requested", "actual", "delegated_nodes", "total_nodes")
    assert [getattr(ours, name) for name in names] == [getattr(theirs, name) for name in names]


@pytest.mark.parametrize("model", ["shapes-float32", "shapes-full-integer"])
def test_detections_are_the_local_pipeline_s_to_the_last_digit(engine, shapes, new_scratch, model):
    cell = shapes("cpu:2", model=model)
    done = []
    ours = engine.infer(cell, new_scratch(), lambda n, total: done.append((n, total)))
    theirs = PythonWorker(LocalDevice()).infer(cell, new_scratch("python"), ignore)
    assert ours.detections.read_bytes() == theirs.detections.read_bytes()
    assert json.loads(ours.detections.read_text())
    assert (ours.n_images, ours.unreadable) == (6, ())
    assert done == [(n, 6) for n in range(1, 7)]
    assert ours.seconds > 0


def test_a_warm_cell_takes_two_round_trips(files, shapes, new_scratch, tmp_path):
    (tmp_path / "phone").mkdir()
    device = CountedDevice(folder=tmp_path / "phone")
    engine = NativeWorkerEngine(PlacedWorker(device, files))
    engine.time(shapes("cpu:2"), 0, new_scratch("0"))
    before = device.round_trips
    engine.time(shapes("cpu:2"), 1, new_scratch("1"))
    assert device.round_trips - before == 2
    before = device.round_trips
    engine.infer(shapes("cpu:2"), new_scratch("2"), ignore)
    assert device.round_trips - before == 2


def test_an_image_that_cannot_be_read_is_named_and_the_others_are_inferred(
    engine, shapes, new_scratch, tmp_path
):
    cell = shapes()
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    images = list(cell.dataset.images)
    images[2] = replace(images[2], path=broken)
    cell = replace(cell, dataset=replace(cell.dataset, images=tuple(images)))
    found = engine.infer(cell, new_scratch(), ignore)
    assert (found.n_images, found.unreadable_ids) == (5, (images[2].id,))
    assert "broken.jpg" in found.unreadable[0]


def test_operators_are_those_of_litert_s_profiler(engine, shapes, new_scratch):
    found = engine.operators(shapes(), new_scratch())
    assert sum(one.calls for one in found.operators if not one.delegated) == 1
    assert found.operators[-1].kind == "TFLite_Detection_PostProcess"
    assert found.n_inferences == 50


def test_a_file_that_is_no_model_is_refused_in_words(engine, shapes, new_scratch, tmp_path):
    cell = shapes()
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(b"TFL3 but nothing more")
    with pytest.raises(MeasurementError, match="model"):
        engine.check(replace(cell, model=replace(cell.model, file=bad)), new_scratch())


def _program(folder: Path, script: str) -> Program:
    path = folder / "worker"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Program(path, "0" * 64, "0" * 64)


ENDS = [
    # what the worker does        what is said of it
    ("echo 'out of luck' >&2; exit 3", "ended with exit code 3 (before its first word): out of luck"),
    ("kill -SEGV $$", "died of SIGSEGV"),
    (
        "echo 'ondevice-harness: stage compile' >&2; kill -ABRT $$",
        "died of SIGABRT (while the model was being compiled)",
    ),
    ("echo no frame of ours", "no frame of its own"),
]


@pytest.mark.parametrize(("script", "said"), ENDS)
def test_a_worker_that_ends_badly_is_one_failed_row_that_says_how(
    files, shapes, new_scratch, tmp_path, script, said
):
    worker = PlacedWorker(LocalDevice(), replace(files, program=_program(tmp_path, script)))
    with pytest.raises(MeasurementError) as caught:
        NativeWorkerEngine(worker).time(shapes(), 0, new_scratch())
    assert said in str(caught.value)
    assert caught.value.status == "failed"


def test_a_worker_that_hangs_is_ended_and_told_apart(files, shapes, new_scratch, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.bench.engines.native_worker.place.COMPILE_S", 0.3)
    (tmp_path / "empty").touch()
    program = _program(tmp_path, f"exec tail -f {tmp_path}/empty")
    with pytest.raises(MeasurementError) as caught:
        NativeWorkerEngine(PlacedWorker(LocalDevice(), replace(files, program=program))).time(
            shapes(), 0, new_scratch()
        )
    assert caught.value.status == "timeout"
    until(lambda: not that_name(tmp_path), "it lives on")


def test_a_dataset_that_was_cut_goes_on_with_what_is_kept(engine, shapes, new_scratch, monkeypatch):
    monkeypatch.setattr("harness.bench.engines.native_worker.stream.CHUNK", 2)
    cell = shapes()
    whole = engine.infer(cell, new_scratch("whole"), ignore).detections.read_bytes()

    def stop(done, total):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.infer(cell, new_scratch("cut"), stop)
    prepared = []
    kind = "harness.accuracy.prepare.Preparation.load_pixels"
    from harness.accuracy.prepare import Preparation

    load = Preparation.load_pixels
    monkeypatch.setattr(kind, lambda self, file: prepared.append(file) or load(self, file))
    again = engine.infer(cell, new_scratch("again"), ignore)
    assert again.detections.read_bytes() == whole
    assert len(prepared) == 2
    assert not (new_scratch("end").parent.with_name(".partial") / cell.id).exists()


def test_outputs_that_are_not_the_cpu_s_are_wrong_and_no_accuracy_is_made_of_them(
    engine, shapes, new_scratch, monkeypatch
):
    # private: what the CPU gives cannot be made wrong from outside
    monkeypatch.setattr(
        "harness.bench.engines.native_worker.check.Checker._of_one_thread",
        lambda self, cell, delegate, inputs: [
            [np.zeros(shape, np.float32) for shape in ((1, 150, 4), (1, 150), (1, 150), (1,))] for _ in inputs
        ],
    )
    cell = shapes("cpu:2")
    facts = engine.time(cell, 0, new_scratch("0")).facts
    assert facts.status == "incorrect"
    assert "gives other detections than one thread" in facts.reasons[0]
    with pytest.raises(MeasurementError) as caught:
        engine.infer(cell, new_scratch("1"), ignore)
    assert caught.value.status == "incorrect"


def test_signals_have_their_names_on_phones_and_here():
    from harness.bench.engines.native_worker.session import how_it_ended

    assert how_it_ended(-signal.SIGSEGV) == how_it_ended(128 + signal.SIGSEGV) == "died of SIGSEGV"
    assert how_it_ended(5) == "ended with exit code 5"
