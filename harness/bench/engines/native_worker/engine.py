"""The engine that measures with our own worker in C: every sample, and whole datasets, on devices without Python.

A warm cell takes two round trips, a push that finds everything there and one process; the first of a model takes two
more for what proves what ran.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np

from harness import atomic
from harness.accuracy.detections import DetectionWriter
from harness.bench.engines.base import DatasetInference, OnProgress, ProfiledOperators, TimedProcess
from harness.bench.engines.cell_jobs import latency_job
from harness.bench.engines.inputs import prepare_inputs
from harness.bench.engines.native_worker import evidence, timing
from harness.bench.engines.native_worker.check import Checker, infer, recipe_of
from harness.bench.engines.native_worker.cut import plan_cut
from harness.bench.engines.native_worker.feeds import places_of, random_inputs, sized
from harness.bench.engines.native_worker.place import PlacedWorker, StartedWorker
from harness.bench.engines.native_worker.shell import with_machine
from harness.bench.engines.native_worker.stream import Chunks, Stream, StreamedDataset, through
from harness.bench.engines.operators import parse_summary
from harness.bench.plan import Cell
from harness.delegates import Delegate
from harness.errors import MeasurementError
from harness.native.job import input_file, operators_command
from harness.paths import exists
from harness.records.records import DelegateFacts, OperatorTime, ProcessFacts
from harness.records.samples import make_samples, watched_s
from harness.records.store import now
from harness.settings import DEFAULT_MIN_RUNS
from harness.vocabulary import Status
from harness.worker.results import OutputCheck

OPERATORS_S = 180.0
EVIDENCE_RUNS = 1
"""Inferences that prove what ran."""


@dataclass
class NativeWorkerEngine:
    """Measures cells with the worker in C.

    Attributes:
        worker: On the device.
    """

    worker: PlacedWorker
    _checker: Checker = field(init=False)
    _profiles: dict[tuple[str, str], tuple[OperatorTime, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._checker = Checker(self.worker)

    def time(self, cell: Cell, repetition: int, scratch: Path) -> TimedProcess:
        """Time a cell in a process of its own, and check the outputs of what was timed.

        Raises:
            MeasurementError: The worker crashed, hung, or could not run the model; says which.
            DeviceError: The device went away, or has no room.
        """
        _refuse(cell)
        started_at = now()
        images = _images(cell, scratch)
        rows = self._proof(cell)
        job = latency_job(cell, images, repetition, scratch)
        further = [] if images is None else [_raw(images)]
        with self.worker.started(cell, cell.delegate, watched=True, further=further) as started:
            self._feed(started, cell, images, job.seed)
            trace = timing.measure(started.session, job)
            checked = self._check(started, cell)
            started.session.end()
            log = started.session.log
        samples = make_samples(
            trace.starts,
            trace.durations,
            trace.durations.size if trace.steady_from is None else trace.steady_from,
        )
        remarks = tuple(filter(None, [checked.remark]))
        facts = ProcessFacts(
            index=repetition,
            started_at=started_at,
            status=Status.INCORRECT if checked.wrong else Status.OK,
            reasons=checked.wrong or remarks,
            delegate=_facts(cell.delegate, started, rows, log),
            runtime=self.worker.runtime(started.compiled.interface),
            init_ns=started.compiled.init_ns,
            first_inference_ns=int(trace.durations[0]),
            peak_memory_bytes=trace.states[-1].peak_bytes if trace.states else None,
            steady_from=trace.steady_from,
            duration_s=trace.span_ns / 1e9,
            watched_s=watched_s(samples),
            telemetry=with_machine(timing.telemetry(trace), log, started.token),
        )
        return TimedProcess(facts, samples)

    def infer(self, cell: Cell, scratch: Path, on_progress: OnProgress) -> DatasetInference:
        """Run a cell over its dataset in one process, to which the images are sent one after the other.

        Raises:
            MeasurementError: The worker failed, or the outputs of the first images are wrong.
            DeviceError: The device went away, or has no room.
        """
        assert cell.dataset is not None
        _refuse(cell)
        rows, done, total = self._proof(cell), count(1), len(cell.dataset.images)
        path = scratch / "detections.json"
        with self.worker.started(cell, cell.delegate) as started, DetectionWriter(path) as writer:
            stream = self._stream(started, cell, lambda: on_progress(next(done), total))
            into = StreamedDataset(writer)
            runtime = self.worker.runtime(started.compiled.interface)
            chunks = Chunks(scratch.parent.with_name(".partial") / cell.id, _subject(cell, runtime))
            through(stream, cell.dataset.images, chunks, into)
            started.session.end()
            log = started.session.log
        chunks.drop()
        n_images = total - len(into.unreadable)
        return DatasetInference(
            detections=path,
            n_images=n_images,
            unreadable=tuple(into.unreadable.values()),
            seconds=into.seconds * total / into.n_new if into.n_new else 0.0,
            delegate=_facts(cell.delegate, started, rows, log),
            runtime=runtime,
            unreadable_ids=tuple(into.unreadable),
        )

    def operators(self, cell: Cell, scratch: Path) -> ProfiledOperators:
        """Record the times of a cell's operators with LiteRT's profiler.

        Raises:
            MeasurementError: It told none, or the worker failed.
            DeviceError: The device went away, or has no room.
        """
        images = _images(cell, scratch)
        found, interface = self._profiled(cell, images, DEFAULT_MIN_RUNS)
        runtime = self.worker.runtime(interface)
        if not found:
            raise MeasurementError(f"the profiler of {runtime} told no operators of {cell.delegate}")
        return ProfiledOperators(found, runtime, DEFAULT_MIN_RUNS)

    def check(self, cell: Cell, scratch: Path) -> OutputCheck:
        """Infer a few inputs and compare; a process that times a cell does the same after it.

        Raises:
            MeasurementError: The worker failed.
            DeviceError: The device went away, or has no room.
        """
        with self.worker.started(cell, cell.delegate) as started:
            checked = self._check(started, cell)
            started.session.end()
        return checked

    def _check(self, started: StartedWorker, cell: Cell) -> OutputCheck:
        shapes = sized(cell.facts.inputs, started.inputs, places_of(cell.facts.inputs, started.inputs))
        inputs = self._checker.inputs(cell, shapes)
        return self._checker.check(cell, inputs, infer(started, cell, inputs))

    def _stream(self, started: StartedWorker, cell: Cell, on_image: Callable[[], None]) -> Stream:
        """Check the first images, and make the stream for all of them."""
        given = places_of(cell.facts.inputs, started.inputs)
        shapes = sized(cell.facts.inputs, started.inputs, given)
        places = places_of(cell.facts.outputs, started.outputs)
        inputs = self._checker.inputs(cell, shapes)
        whole = infer(started, cell, inputs)
        checked = self._checker.check(cell, inputs, whole)
        if checked.wrong:
            raise MeasurementError("; ".join(checked.wrong), status=Status.INCORRECT)
        infos = sized(cell.facts.outputs, started.outputs, places)
        recipe = recipe_of(cell, infos)
        cut = plan_cut(cell.model.card, recipe.decoder, infos, places, whole)
        threads = cell.settings.cores + 1
        stream = Stream(started.session, recipe, places, cut, threads, on_image)
        stream.begin()
        return stream

    def _feed(self, started: StartedWorker, cell: Cell, images: Path | None, seed: int) -> None:
        """Give a process that times its inputs: images that lie there, seeded values for the rest."""
        given = places_of(cell.facts.inputs, started.inputs)
        shapes = sized(cell.facts.inputs, started.inputs, given)
        commands = random_inputs(shapes, given, seed, first=images is None)
        if images is not None:
            n = len(np.load(images, mmap_mode="r", allow_pickle=False))
            commands += input_file(given[0], n, started.files[0])
        started.session.send(commands)

    def _proof(self, cell: Cell) -> tuple[OperatorTime, ...]:
        """Return what the profiler tells of a model on the CPU, asked once; nothing of an accelerator."""
        if not cell.delegate.is_cpu:
            return ()
        key = (cell.facts.sha256, cell.delegate.kind)
        if key not in self._profiles:
            self._profiles[key] = self._profiled(cell, None, EVIDENCE_RUNS)[0]
        return self._profiles[key]

    def _profiled(self, cell: Cell, images: Path | None, runs: int) -> tuple[tuple[OperatorTime, ...], str]:
        """Return the operators that a process with the profiler tells, and LiteRT's version."""
        further = [] if images is None else [_raw(images)]
        with self.worker.started(cell, cell.delegate, profile=True, further=further) as started:
            self._feed(started, cell, images, cell.settings.seed)
            command = started.session.deadline(OPERATORS_S) + operators_command(runs, 0.0)
            text = started.session.text(command, OPERATORS_S)
            started.session.end()
        return parse_summary(text, runs), started.compiled.interface


def _facts(
    delegate: Delegate, started: StartedWorker, rows: tuple[OperatorTime, ...], log: str
) -> DelegateFacts:
    if delegate.is_cpu:
        return evidence.cpu_facts(delegate, started.compiled, rows)
    return evidence.accelerator_facts(delegate, started.compiled, log)


def _images(cell: Cell, scratch: Path) -> Path | None:
    """Return prepared images as a .npy file; None where the model takes none."""
    return prepare_inputs(cell, scratch.parent)


def _raw(images: Path) -> Path:
    """Return the same values one behind another, without NumPy's header."""
    path = images.with_suffix(".raw")
    if not exists(path):
        atomic.write_bytes(path, np.load(images, allow_pickle=False).tobytes())
    return path


def _refuse(cell: Cell) -> None:
    """Refuse what the plan did not: `harness.bench.skips` says it before the run."""
    if cell.settings.switch_models:
        raise MeasurementError(
            "--switch-models needs two models in one process, and the worker runs one: leave it out"
        )
    if not cell.facts.inputs:
        raise MeasurementError("the model has no input, expected an image input")


def _subject(cell: Cell, runtime: str) -> str:
    """Return what the detections of an image depend on."""
    card = cell.model.card
    options = " ".join(map(str, cell.delegate.options))
    return "\0".join(
        map(str, (runtime, cell.facts.sha256, cell.delegate, options, card.input, card.decoder, card.labels))
    )
