"""Measure on a device of the farm: each process to start is a step that the device's host performs."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from harness.accuracy.dataset import ImageEntry
from harness.bench.engines.base import DatasetInference, OnProgress, ProfiledOperators, TimedProcess
from harness.bench.plan import Cell
from harness.errors import DeviceError, FarmError, IncomparableError, MeasurementError
from harness.farm.cells import Catalog, images_for_timing, make_subject
from harness.farm.file_transfer import LocalFile
from harness.farm.link import Link
from harness.farm.shards import Shards
from harness.farm.wire import Inferences, Offer, Outcome, Result, Step, StepKind, Tools, encode
from harness.records.records import DelegateFacts
from harness.records.samples import from_bytes
from harness.worker.results import OutputCheck


@dataclass
class FarmEngine:
    """Engine that measures on one device of a farm.

    Attributes:
        link: The connection.
        offer: The device.
        run: The run's id.
        catalog: The files of this computer that the hosts may need.
        tools: The programs that measure there.
        shards: Distributes the images of cells for any device of a kind.
        patient: Whether a step waits for a device that went away; not for a cell that another device may take.
        runtimes: The runtime of each cell so far, by the cell's id: a cell's figures must come from one runtime.
    """

    link: Link
    offer: Offer
    run: str
    catalog: Catalog
    tools: Tools
    shards: Shards
    patient: bool = True
    runtimes: dict[str, str] = field(default_factory=dict)
    _done: tuple[str, ...] = ()

    def time(self, cell: Cell, repetition: int, scratch: Path) -> TimedProcess:
        """Time a cell once.

        Raises:
            DeviceGoneError: The device was not seen for the stated wait; it ends the device's part.
        """
        result = self._step(cell, "time", images_for_timing(cell), repetition)
        assert result.process is not None
        process = result.process
        self._same_runtime(cell, process.runtime)
        process = msgspec.structs.replace(process, delegate=_as_asked(process.delegate, cell))
        return TimedProcess(process, None if result.samples is None else from_bytes(result.samples))

    def infer(self, cell: Cell, scratch: Path, on_progress: OnProgress) -> DatasetInference:
        """Run a cell over its images; where any device of a kind may, others take a part of them."""
        found = self.shards.infer(self, cell, scratch, on_progress)
        self._same_runtime(cell, found.runtime)
        return found

    def operators(self, cell: Cell, scratch: Path) -> ProfiledOperators:
        """Record the operators of a cell in one process on this device."""
        result = self._step(cell, "operators", images_for_timing(cell), 0)
        assert result.operators is not None
        found = result.operators
        return ProfiledOperators(found.operators, found.runtime, found.n_inferences)

    def check(self, cell: Cell, scratch: Path) -> OutputCheck:
        """Let the host hold the outputs of a cell against one CPU thread's, on this device."""
        result = self._step(cell, "check", images_for_timing(cell), 0)
        assert result.check is not None
        return result.check

    def infer_part(self, cell: Cell, images: Sequence[ImageEntry]) -> Inferences:
        """Run a cell over some of its images, on this device."""
        result = self._step(cell, "infer", images, 0)
        assert result.inferences is not None
        found = result.inferences
        delegate = _as_asked(found.delegate, cell)
        assert delegate is not None
        return msgspec.structs.replace(found, delegate=delegate, detections=zlib.decompress(found.detections))

    def _step(
        self, cell: Cell, what: StepKind, images: Sequence[ImageEntry] | None, repetition: int
    ) -> Result:
        subject = make_subject(cell, self.catalog, images)
        content = hashlib.sha256(msgspec.msgpack.encode((subject, self.tools))).hexdigest()[:16]
        key = f"{self.run}/{cell.id}/{what}-{repetition}/{content}"
        step = Step(
            key=key,
            run=self.run,
            device=self.offer.name,
            what=what,
            subject=subject,
            tools=self.tools,
            repetition=repetition,
            done=self._done,
        )
        sources = {file.sha256: LocalFile(file, self.catalog.paths[file.sha256]) for file in step.files()}
        result = self.link.perform(self.offer, key, encode(step), sources, self.patient)
        # Shards are on the disk only once all of a cell's are together: they are kept until the run's end.
        self._done = (key,) if what == "time" else ()
        _raise_failure(result, self.offer.name)
        self.patient = True
        return result

    def _same_runtime(self, cell: Cell, runtime: str | None) -> None:
        before = self.runtimes.setdefault(cell.id, runtime or "")
        if runtime is not None and before not in {"", runtime}:
            raise IncomparableError("runtime", before, runtime, "parts of a cell")


def _raise_failure(result: Result, device: str) -> None:
    """Raise the error that a result reports."""
    if result.outcome == Outcome.DONE:
        return
    if result.outcome == Outcome.FAILED:
        raise MeasurementError(result.message, result.status)
    if result.outcome == Outcome.REFUSED:
        raise FarmError(result.message)
    raise DeviceError(device, result.message)


def _as_asked(delegate: DelegateFacts | None, cell: Cell) -> DelegateFacts | None:
    """Put the requested delegate as the user wrote it: a host's path of a library means nothing here."""
    if delegate is None:
        return None
    return msgspec.structs.replace(delegate, requested=str(cell.delegate))
