"""A plan is carried out: everything is kept, and a cell that fails takes no other down."""

import shutil
import signal
import sys
import threading
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from harness.bench.engines.base import ProfiledOperators, TimedProcess
from harness.bench.engines.python_worker import PythonWorker
from harness.bench.plan import Plan
from harness.bench.run import Runner
from harness.drivers.local import LocalDevice
from harness.errors import DeviceLostError, HostFaultError, MeasurementError, OutputError
from harness.records.records import Record, load, load_records
from harness.records.samples import make_samples
from harness.records.store import RunStore, new_run_folder
from harness.session import carry_out
from harness.worker.results import OutputCheck


class Scripted:
    """An engine that gives steady samples at once, except where the script says otherwise."""

    def __init__(self, ok_process, script=None, spread=0.001):
        self.ok, self._script, self._spread, self.calls = ok_process, script or {}, spread, []

    def time(self, cell, repetition, scratch):
        self.calls.append((cell.id, repetition))
        what = self._script.get((cell.index, repetition))
        if isinstance(what, BaseException):
            raise what
        chance = np.random.default_rng(cell.index * 100 + repetition)
        level = 1e6 * (1 + self._spread * chance.standard_normal())
        durations = (level * (1 + 0.01 * chance.standard_normal(30))).astype(np.int64)
        return TimedProcess(
            self.ok(repetition, duration_s=0.1), make_samples(np.cumsum(durations), durations, 1)
        )

    def infer(self, cell, scratch, on_progress):
        raise MeasurementError("the script holds no images")

    def operators(self, cell, scratch):
        return ProfiledOperators((), "scripted", 30)

    def check(self, cell, scratch):
        return OutputCheck()


@pytest.fixture
def runner(prepared, recorder, ok_process):
    def make(script=None, spread=0.001, store=None, **changes):
        ready = prepared(**changes)
        store = store or RunStore(new_run_folder(ready.results))
        engine = Scripted(ok_process, script, spread)
        return Runner(ready.plan, engine, ready.stations[0].info, store, recorder), engine, store

    return make


def records_of(store):
    return [stored.record for stored in load_records(store.folder)]


def test_every_cell_is_measured_in_as_many_processes_as_asked_for(runner):
    it, engine, store = runner()
    it.run()
    assert Counter(cell for cell, _ in engine.calls) == Counter({cell.id: 2 for cell in it.plan.cells})
    records = records_of(store)
    assert [record.complete for record in records] == [True] * 4
    assert {record.status for record in records} == {"ok"}
    assert all(len(stored.samples()) == 2 for stored in load_records(store.folder))


def test_repetitions_are_interleaved_in_rounds_of_seeded_order(runner):
    it, engine, _ = runner()
    it.run()
    rounds = [engine.calls[:4], engine.calls[4:]]
    for turn, calls in enumerate(rounds):
        assert {repetition for _, repetition in calls} == {turn}
        assert len({cell for cell, _ in calls}) == 4
    again, engine_again, _ = runner()
    again.run()
    assert engine_again.calls == engine.calls
    orders = {tuple(cell.index for cell in Plan(it.plan.cells, seed).in_turn(0)) for seed in range(20)}
    assert len(orders) > 5


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MeasurementError("the worker died of SIGSEGV"), "failed"),
        (MeasurementError("gave no result", status="timeout"), "timeout"),
        (DeviceLostError("phone", "the connection was closed"), "failed"),
        (OSError(22, "Invalid argument"), "failed"),
        (MeasurementError("the worker died of SIGTERM", may_pass=True), "failed"),
    ],
)
def test_a_cell_that_fails_is_not_tried_again_and_takes_no_other_down(runner, error, status):
    it, engine, store = runner({(2, 0): error})
    it.run()
    records = records_of(store)
    assert [record.status for record in records] == ["ok", status, "ok", "ok"]
    assert str(error) in records[1].reasons[0]
    assert Counter(cell for cell, _ in engine.calls)[it.plan.cells[1].id] == 1
    passes = isinstance(error, DeviceLostError) or getattr(error, "may_pass", False)
    assert records[1].complete != passes, "a lost device may come back"


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        OSError(5, "Input/output error"),
        HostFaultError("No space left on device"),
        OutputError("result.json: cannot be written (Read-only file system)"),
    ],
    ids=str,
)
def test_a_fault_of_this_computer_ends_the_run_and_is_no_verdict_on_a_cell(runner, error):
    it, engine, store = runner({(2, 1): error})
    with pytest.raises((HostFaultError, OutputError)):
        it.run()
    before = {cell for cell, _ in engine.calls}
    assert all(record.status == "ok" and not record.complete for record in records_of(store)[1:2])
    again, engine_again, _ = runner(store=store)
    again.run()
    assert {record.status for record in records_of(store)} == {"ok"}
    assert len(engine.calls) - 1 + len(engine_again.calls) == 8 and before


def test_a_cell_that_fails_while_the_folder_is_gone_ends_the_run(runner):
    it, _, store = runner()

    def time(cell, repetition, scratch):
        shutil.rmtree(store.folder)
        raise MeasurementError("the worker ended with exit code 1")

    it.engine.time = time
    with pytest.raises(OutputError, match="cannot be written"):
        it.run()


def test_a_cell_that_fails_while_its_model_is_gone_ends_the_run(runner, tmp_path, repository):
    model = tmp_path / "model.tflite"
    shutil.copy(repository / "models" / "shapes" / "shapes_float32.tflite", model)
    it, _, store = runner(models=(str(model),))

    def time(cell, repetition, scratch):
        model.unlink()
        raise MeasurementError("the worker could not open the model")

    it.engine.time = time
    with pytest.raises(HostFaultError, match=r"model\.tflite: cannot be read"):
        it.run()
    assert not records_of(store)


def test_what_was_measured_before_a_failure_stays_on_disk(runner):
    it, _, store = runner({(3, 1): MeasurementError("crashed")})
    it.run()
    stored = load_records(store.folder)[2]
    assert stored.record.status == "failed" and len(stored.samples()) == 1


def test_a_record_is_on_disk_after_each_process_and_before_the_next_begins(runner):
    it, _, store = runner()
    counts = []
    inner = it.engine.time

    def spying(cell, repetition, scratch):
        counts.append(sum(len(record.processes) for record in records_of(store)))
        return inner(cell, repetition, scratch)

    it.engine.time = spying
    it.run()
    assert counts == list(range(8))


def test_an_interrupted_run_goes_on_where_it_stopped_and_measures_nothing_twice(runner, ok_process):
    it, engine, store = runner({(1, 1): KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        it.run()
    before = set(engine.calls) - {(it.plan.cells[0].id, 1)}
    partial = records_of(store)
    assert not all(record.complete for record in partial)
    again, engine_again, _ = runner(store=store)
    again.run()
    assert before.isdisjoint(engine_again.calls)
    assert len(before) + len(engine_again.calls) == 8
    done = records_of(store)
    assert all(record.complete and len(record.processes) == 2 for record in done)
    assert [process.index for process in done[0].processes] == [0, 1]


def test_a_finished_run_that_is_resumed_measures_nothing(runner):
    it, _, store = runner()
    it.run()
    again, engine, _ = runner(store=store)
    again.run()
    assert engine.calls == []


def test_stopping_from_outside_leaves_no_failure_behind(runner):
    it, engine, store = runner()
    stop = threading.Event()
    inner = it.engine.time

    def then_stop(cell, repetition, scratch):
        if len(engine.calls) == 3:
            stop.set()
            raise DeviceLostError("local", "closed")
        return inner(cell, repetition, scratch)

    it.engine.time = then_stop
    it.run(stop)
    assert sum(len(record.processes) for record in records_of(store)) == 3
    assert {record.status for record in records_of(store)} == {"ok"}


def test_with_a_precision_processes_are_added_until_the_median_is_known_well_enough(runner, quick, recorder):
    settings = replace(quick, precision=1.0, max_seconds=1000)
    it, engine, store = runner(spread=0.01, settings=settings, repetitions=3)
    it.run()
    from harness.rows.summary import summarize_record
    from harness.statistics.latency import half_width_percent

    widths = [half_width_percent(summarize_record(stored)) for stored in load_records(store.folder)]
    assert all(width <= 1.0 for width in widths)
    assert len(engine.calls) > 12
    assert recorder.total == len(engine.calls) == len(recorder.finished)


def test_a_precision_that_is_out_of_reach_ends_at_the_time_limit(runner, quick):
    settings = replace(quick, precision=0.001, max_seconds=0.55)
    it, engine, store = runner(spread=0.05, settings=settings, repetitions=2)
    it.run()
    # each process took 0.1 s: after six of them 0.6 s are over
    assert Counter(cell for cell, _ in engine.calls) == Counter({cell.id: 6 for cell in it.plan.cells})
    assert all(record.complete for record in records_of(store))


def test_what_failed_because_the_device_went_away_is_measured_again_when_the_run_is_resumed(runner):
    lost = DeviceLostError("phone", "the connection was closed")
    it, _, store = runner({(1, 0): lost, (2, 1): lost, (3, 0): MeasurementError("crashed")})
    it.run()
    first = records_of(store)
    assert [record.status for record in first] == ["failed", "failed", "failed", "ok"]
    assert [record.complete for record in first] == [False, False, True, True]
    again, engine, _ = runner(store=store)
    again.run()
    ids = [cell.id for cell in it.plan.cells]
    assert sorted(engine.calls) == sorted([(ids[0], 0), (ids[0], 1), (ids[1], 1)])
    second = records_of(store)
    assert [record.status for record in second] == ["ok", "ok", "failed", "ok"]
    assert all(record.complete for record in second)


def test_a_skipped_cell_has_a_record_with_the_reason(runner):
    it, engine, store = runner(delegates=("cpu:1", "hexagon"))
    it.run()
    skipped = [record for record in records_of(store) if record.status == "skipped"]
    assert len(skipped) == 2 and all("hexagon" in record.reasons[0] for record in skipped)
    assert len(engine.calls) == 4


def test_a_delegate_that_did_not_run_is_a_fallback(runner, ok_process):
    it, engine, store = runner()
    from harness.records.records import DelegateFacts

    engine.ok = lambda index, **changes: ok_process(
        index,
        delegate=DelegateFacts(
            requested="cpu:1", actual="cpu-reference", evidence=("lists 0 DELEGATE nodes",)
        ),
        **changes,
    )
    it.run()
    first = records_of(store)[0]
    assert first.status == "fallback" and "lists 0 DELEGATE nodes" in first.reasons[0]


class Sabotaged(LocalDevice):
    """This computer, where the worker of one model is replaced by a program that misbehaves."""

    def __init__(self, model, program):
        super().__init__()
        self._model, self._program = model, program

    def run(self, argv, *, timeout_s, on_line=None, env=None):
        from pathlib import Path

        if self._model in Path(argv[-1]).read_text():
            argv = [sys.executable, "-c", self._program]
            timeout_s = 1.5 if "sleep" in self._program else timeout_s
        return super().run(argv, timeout_s=timeout_s, on_line=on_line, env=env)


@pytest.mark.parametrize(
    ("program", "status", "reason"),
    [
        ("import ctypes; ctypes.string_at(0)", "failed", "SIGSEGV"),
        ("import os; os.abort()", "failed", "SIGABRT"),
        ("import time; time.sleep(60)", "timeout", "no result within"),
        ("import os; os.kill(os.getpid(), 9)", "failed", "memory runs out"),
        ("raise SystemExit(3)", "failed", "exit code 3"),
        ("print('hello')", "failed", "exit code 0"),
    ],
)
def test_a_worker_that_crashes_or_hangs_is_one_failed_cell(prepared, recorder, program, status, reason):
    ready = prepared(delegates=("cpu:1",), repetitions=1)
    store = RunStore(new_run_folder(ready.results))
    device = Sabotaged("full_integer", program)
    Runner(ready.plan, PythonWorker(device), ready.stations[0].info, store, recorder).run()
    good, bad = records_of(store)
    assert good.status == "ok" and len(load_records(store.folder)[0].samples()) == 1
    assert bad.status == status and reason in bad.reasons[0]


def test_a_worker_that_eats_memory_past_its_limit_is_one_failed_cell(prepared, recorder, quick):
    """8 MiB of data are less than the worker has already, so whatever it asks for next is refused."""
    ready = prepared(delegates=("cpu:1",), settings=replace(quick, memory_limit_mb=8), repetitions=1)
    outcome = carry_out(ready, recorder)
    assert {record.status for record in outcome.records} == {"failed"}
    assert all(
        "memory" in record.reasons[0].lower() or "limit" in record.reasons[0] for record in outcome.records
    )


def test_a_real_run_keeps_every_sample_and_says_what_ran(prepared, recorder):
    outcome = carry_out(prepared(), recorder)
    assert not outcome.failed and len(outcome.records) == 4
    for stored in load_records(outcome.folder):
        record = stored.record
        expected = "xnnpack" if record.delegate.requested == "cpu:1" else "cpu-reference"
        assert record.delegate.actual == expected
        assert 0 < record.delegate.total_nodes < 200
        for process, samples in zip(record.processes, stored.samples(), strict=True):
            assert process.init_ns > 0 and process.peak_memory_bytes > 2**20
            assert process.first_inference_ns == samples["duration_ns"][0]
            assert (np.diff(samples["start_ns"]) >= samples["duration_ns"][:-1]).all()
    assert {path.name for path in outcome.folder.iterdir()} == {"run.json", "cells"}


def test_accuracy_of_the_bundled_example_equals_a_plain_loop_with_pycocotools(
    prepared, recorder, repository, quick
):
    """The independent loop: one interpreter, Pillow, pycocotools; nothing of the harness."""
    ready = prepared(
        models=("shapes-full-integer",),
        delegates=("cpu:1",),
        settings=replace(quick, accuracy=True, latency=False),
    )
    outcome = carry_out(ready, recorder)
    figures = outcome.records[0].accuracy.figures
    expected = plain_map(repository, "shapes_full_integer")
    assert figures.map == pytest.approx(expected, abs=1e-3)


def plain_map(repository, model):
    import contextlib
    import io
    import json

    from PIL import Image
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    interpreter_module = pytest.importorskip("ai_edge_litert.interpreter")
    folder = repository / "models" / "shapes"
    truth = json.loads((folder / "dataset" / "instances_val.json").read_text())
    interpreter = interpreter_module.Interpreter(str(folder / f"{model}.tflite"))
    interpreter.allocate_tensors()
    detail = interpreter.get_input_details()[0]
    size = tuple(detail["shape"][1:3][::-1])
    found = []
    for image in truth["images"]:
        picture = Image.open(folder / "dataset" / "images" / image["file_name"]).convert("RGB")
        tensor = np.asarray(picture.resize(size, Image.BILINEAR))
        assert detail["dtype"] == np.uint8, "the card feeds the pixels themselves"
        interpreter.set_tensor(detail["index"], tensor[None])
        interpreter.invoke()
        boxes, classes, scores, count = (
            interpreter.get_tensor(o["index"])[0] for o in interpreter.get_output_details()
        )
        for (y0, x0, y1, x1), k, score in list(zip(boxes, classes, scores, strict=True))[
            : int(np.ravel(count)[0])
        ]:
            x0, x1 = (float(np.clip(x, 0, 1)) * image["width"] for x in (x0, x1))
            y0, y1 = (float(np.clip(y, 0, 1)) * image["height"] for y in (y0, y1))
            row = {"image_id": image["id"], "category_id": int(k) + 1, "score": float(score)}
            found.append({**row, "bbox": [x0, y0, x1 - x0, y1 - y0]})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(folder / "dataset" / "instances_val.json"))
        evaluation = COCOeval(coco, coco.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[0]


def test_signals_are_named(prepared):
    from harness.bench.engines.worker_process import how_it_ended

    assert "SIGSEGV" in how_it_ended(-signal.SIGSEGV, None)
    assert "was lost" in how_it_ended(None, None)


def test_a_record_reads_back_as_it_was_written(runner):
    it, _, store = runner()
    it.run()
    for path in store.folder.glob("cells/*/record.json"):
        record = load(path, Record)
        store.save_record(record)
        assert load(path, Record) == record
