"""What is kept of a run on disk, and nothing else: facts, no summaries.

    RUN/run.json                    the run: environment, plan, versions
    RUN/cells/CELL/process-K.npy    samples of one measured process (written before the record that names it)
    RUN/cells/CELL/detections.json  COCO result format
    RUN/cells/CELL/operators.json   times of its operators, where they were asked for
    RUN/cells/CELL/record.json      the cell; replaced after each of its processes, `complete` at the last one
    RUN/damaged/CELL/               a cell that a resumed run found damaged, as it was; it is measured again

Every file is whole or absent (`harness.atomic`), so a run can be killed at any instant, read, and resumed.
Latency summaries are computed from the samples when a record is read (`harness.statistics.latency`); the COCO
figures are kept because they need the annotations, which may be elsewhere.

Format history (`FORMAT`):
    1   2026-11: first version. Since then, without a new number, because older programs pass over keys that they do
        not know: `operators` and `against` of a record; `unreadable_ids` and `checks` of its accuracy; `watched_s`
        of a process.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec

from harness import atomic
from harness.errors import RecordError, cannot_read
from harness.paths import exists, found_in
from harness.profiles import COMPUTERS
from harness.records.checks import Check
from harness.records.figures import CocoFigures
from harness.records.files import DAMAGED, checksum_of, read_whole
from harness.records.sealed import is_intact, lay_out, seal
from harness.records.telemetry import Telemetry, Whole
from harness.schema import look_into
from harness.settings import Settings
from harness.vocabulary import Status

if TYPE_CHECKING:
    from harness.records.samples import Samples

FORMAT = 1


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything stored: immutable. Unknown keys of a newer version are passed over when read."""


class ModelFacts(Fact, frozen=True, kw_only=True):
    """The model of a cell. `lineage` holds the hashes of what it was made from, as far as that was noted."""

    name: str
    sha256: str
    size_bytes: Whole
    quantization: str
    card: dict[str, Any]
    evidence: tuple[str, ...] = ()
    lineage: tuple[str, ...] = ()


class DeviceFacts(Fact, frozen=True, kw_only=True):
    """The device of a cell, as it described itself when the run began."""

    name: str
    kind: str
    model: str | None = None
    soc: str | None = None
    os: str | None = None
    abi: str | None = None
    facts: dict[str, str | int | float] = msgspec.field(default_factory=dict)

    @property
    def make(self) -> str | None:
        """Make of the device; None of a computer, whose model is its host name and says nothing of the hardware."""
        return None if self.kind in COMPUTERS else self.model


class LibraryFacts(Fact, frozen=True, kw_only=True):
    """A library that a delegate ran with, and the version that it states."""

    name: str
    sha256: str
    version: str | None = None


class DelegateFacts(Fact, frozen=True, kw_only=True):
    """What was asked for and what ran, with the evidence.

    `hardware` names the GPU where its runtime does; `software` says that a program on the CPU stood in for it.
    `partitions` counts the parts of the graph that a vendor's compiler made.
    `libraries` are those that lay beside the tool for it.
    """

    requested: str
    actual: str
    delegated_nodes: Whole | None = None
    total_nodes: Whole | None = None
    evidence: tuple[str, ...] = ()
    hardware: str | None = None
    software: bool = False
    partitions: Whole | None = None
    libraries: tuple[LibraryFacts, ...] = ()


class SummaryFacts(Fact, frozen=True, kw_only=True):
    """What a tool tells of the steady inferences of one process, where it keeps the samples to itself. In ns."""

    count: Whole
    mean_ns: Whole
    std_ns: Whole | None = None
    min_ns: Whole | None = None
    max_ns: Whole | None = None
    median_ns: Whole | None = None
    p5_ns: Whole | None = None
    p95_ns: Whole | None = None
    first_ns: Whole | None = None


class ProcessFacts(Fact, frozen=True, kw_only=True):
    """One process that measured a cell. Times in ns, memory in bytes; unknown is None.

    `steady_from` is the index of the first steady sample; None when no steady state was found. `device_lost` says that
    it failed because the device went away; a resumed run measures it again. `watched_s` is the time from the first
    inference's beginning to the last one's end: what sets in later is in none of its figures.
    `samples` names the file with the samples, `samples_crc32` is its checksum; `summary` stands in their place where
    a tool gives no samples.
    """

    index: Whole
    started_at: str
    status: Status
    reasons: tuple[str, ...] = ()
    delegate: DelegateFacts | None = None
    runtime: str | None = None
    init_ns: Whole | None = None
    first_inference_ns: Whole | None = None
    peak_memory_bytes: Whole | None = None
    steady_from: Whole | None = None
    samples: str | None = None
    samples_crc32: Whole | None = None
    summary: SummaryFacts | None = None
    duration_s: float | None = None
    watched_s: float | None = None
    device_lost: bool = False
    telemetry: Telemetry = Telemetry()


class ClassMatch(Fact, frozen=True, kw_only=True):
    """How a model's classes were matched with a data set's categories.

    `n_matched` of `n_categories` categories are evaluated; `unknown_to_model` names the others, `not_in_dataset` the
    classes that are no category. `source` says where the model's names come from, `remark` why ids had to do. `ids` is
    the category of each class, -1 for none; `unknown_ids` are those of classes taken by id that are no category.
    """

    matched_by: Literal["name", "id"]
    n_matched: Whole
    n_categories: Whole
    source: str = ""
    remark: str = ""
    unknown_to_model: tuple[str, ...] = ()
    not_in_dataset: tuple[str, ...] = ()
    ids: tuple[int, ...] = ()
    unknown_ids: tuple[int, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every class of both sides has its counterpart."""
        return not (self.unknown_to_model or self.not_in_dataset)


class AccuracyFacts(Fact, frozen=True, kw_only=True):
    """The accuracy of a cell on one dataset. `map_low` and `map_high` bound the mAP with 95 %, over images.

    `n_images` were evaluated; those of `unreadable_ids` could not be read, for the reasons of `unreadable`. `checks`
    say what contradicts the figures. `annotations` names the file that the annotations are in, without its ending,
    `detections` the file with the detections; `detections_crc32` is its checksum.
    """

    status: Status
    dataset: str
    annotations_sha256: str
    n_images: Whole
    reasons: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    engine: str | None = None
    figures: CocoFigures | None = None
    map_low: float | None = None
    map_high: float | None = None
    images_per_second: float | None = None
    delegate: DelegateFacts | None = None
    runtime: str | None = None
    detections: str | None = None
    detections_crc32: Whole | None = None
    device_lost: bool = False
    ap_per_category: dict[str, float | None] = msgspec.field(default_factory=dict)
    classes: ClassMatch | None = None
    unreadable_ids: tuple[Whole, ...] = ()
    checks: tuple[Check, ...] = ()
    annotations: str = ""


class OperatorTime(Fact, frozen=True, kw_only=True):
    """One operator of a graph as it was executed: its time of one inference in ns.

    `delegated` says that a delegate executed it and not a builtin kernel; `calls` how often one inference does.
    """

    kind: str
    name: str
    delegated: bool
    time_ns: Whole
    calls: Whole = 1


class OperatorProfile(Fact, frozen=True, kw_only=True):
    """The operators of a cell in the order of execution; a file of its own, because there can be hundreds."""

    operators: tuple[OperatorTime, ...]


class OperatorFacts(Fact, frozen=True, kw_only=True):
    """The untimed process that recorded the operators of a cell.

    `operators` names the file with its `OperatorProfile`, whose times are the mean of `n_inferences`.
    """

    status: Status
    reasons: tuple[str, ...] = ()
    runtime: str | None = None
    n_inferences: Whole | None = None
    operators: str | None = None
    device_lost: bool = False


class Record(Fact, frozen=True, kw_only=True):
    """Everything known of one cell. Until `complete`, some of its processes or its accuracy are still to come.

    `against` names the model of the same run that it was measured in turn with, and is to be compared with.
    """

    format: Whole
    run_id: str
    cell: str
    complete: bool
    started_at: str
    model: ModelFacts
    device: DeviceFacts
    delegate: DelegateFacts
    status: Status
    threads: Whole | None = None
    runtime: str | None = None
    reasons: tuple[str, ...] = ()
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    processes: tuple[ProcessFacts, ...] = ()
    accuracy: AccuracyFacts | None = None
    operators: OperatorFacts | None = None
    against: str | None = None


class RunFacts(Fact, frozen=True, kw_only=True):
    """The run as a whole, written before anything is measured."""

    format: Whole
    run_id: str
    started_at: str
    harness_version: str
    command: tuple[str, ...] = ()
    seed: Whole = 0
    request: dict[str, Any] = msgspec.field(default_factory=dict)
    plan: dict[str, Any] = msgspec.field(default_factory=dict)
    environment: dict[str, Any] = msgspec.field(default_factory=dict)


look_into(Record, ProcessFacts, OperatorProfile, RunFacts)

T = TypeVar("T", bound=Fact)


def save(path: Path, fact: Fact) -> None:
    """Write a fact so that it is whole or absent.

    Raises:
        OutputError: The file cannot be written.
    """
    atomic.write_bytes(path, seal(lay_out(fact)))


@lru_cache(maxsize=64)
def _check_settings(encoded: bytes) -> None:
    """Check the types of a record's settings; the cells of a run share them, and to look once is enough."""
    msgspec.json.decode(encoded, type=Settings)


def load(path: Path | str, kind: type[T]) -> T:
    """Read a fact.

    Raises:
        RecordError: The file is missing, not JSON, not as it was written, or does not fit; names the file and the key.
    """
    try:
        return parse(read_whole(path), path, kind)
    except OSError as error:
        raise RecordError(cannot_read(path, error)) from error


def parse(data: bytes, path: Path | str, kind: type[T]) -> T:
    """Return the fact that the bytes of a file hold; raises as `load` does."""
    try:
        if not is_intact(data):
            raise RecordError(f"{path}: {DAMAGED}: its checksum is not that of its content")
        fact = msgspec.json.decode(data, type=kind)
        if isinstance(fact, Record):
            _check_settings(msgspec.json.encode(fact.settings))
        return fact
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise RecordError(f"{path}: not a {kind.__name__} of this program: {error}") from error


class StoredRecord(msgspec.Struct, frozen=True):
    """A record and the folder it was read from, so that its samples and detections can be found."""

    record: Record
    folder: Path

    @property
    def files(self) -> list[str]:
        """The names of the record and of every file that it names."""
        record = self.record
        several = [process.samples for process in record.processes]
        several += [part.detections for part in (record.accuracy,) if part is not None]
        several += [part.operators for part in (record.operators,) if part is not None]
        return ["record.json", *filter(None, several)]

    def samples(self) -> list[Samples]:
        """Read the samples of every process that has some, in order."""
        from harness.records.samples import load_samples  # NumPy: a report of cached rows needs none

        return [load_samples(path, crc32) for path, crc32 in self.sample_files()]

    def sample_files(self) -> list[tuple[str, int | None]]:
        """Return the files with samples of every process that has some, and what their checksums are to be."""
        folder, several = str(self.folder), self.record.processes
        return [(f"{folder}/{_plain(p.samples)}", p.samples_crc32) for p in several if p.samples]

    def operators(self) -> tuple[OperatorTime, ...]:
        """Read the times of the operators; empty where there are none.

        Raises:
            RecordError: The file is missing, or is not one of ours.
        """
        facts = self.record.operators
        if facts is None or facts.operators is None:
            return ()
        return load(self.folder / _plain(facts.operators), OperatorProfile).operators

    @property
    def detections(self) -> Path | None:
        """The file with the detections, if there is one."""
        accuracy = self.record.accuracy
        if accuracy is None or accuracy.detections is None:
            return None
        return self.folder / _plain(accuracy.detections)

    def intact_detections(self) -> Path | None:
        """Return the file with the detections; None where there is none, or it was not kept.

        Raises:
            RecordError: It is not as it was written.
        """
        path, facts = self.detections, self.record.accuracy
        if path is None or facts is None or not os.path.lexists(path):
            return None
        if facts.detections_crc32 is not None and checksum_of(path) != facts.detections_crc32:
            raise RecordError(f"{path}: {DAMAGED}: its checksum is not the one in its record")
        return path

    def check_files(self) -> None:
        """Hold every file that the record names against its checksum, but for samples: see `samples`.

        Raises:
            RecordError: One is damaged; says which.
        """
        self.intact_detections()
        self.operators()


@lru_cache(maxsize=1024)
def _plain(name: str) -> str:
    """A record names files of its own folder only: it may come from somebody else."""
    if not name or name.startswith(".") or "/" in name or "\\" in name:
        raise RecordError(f"record names the file {name!r}, expected a plain file name in its own folder")
    return name


def load_run(folder: Path) -> RunFacts:
    """Read `run.json` of a run's folder."""
    return load(folder / "run.json", RunFacts)


def load_records(folder: Path) -> list[StoredRecord]:
    """Read all cells of a run that were begun, in the order they were planned (by cell name)."""
    found = found_in(folder / "cells", "*/record.json")
    return [StoredRecord(_checked(load(path, Record), path), path.parent) for path in found]


def _checked(record: Record, path: Path) -> Record:
    if record.format > FORMAT:
        raise RecordError(
            f"{path}: record format {record.format} is newer than this program's {FORMAT}; upgrade ondevice-harness"
        )
    return record


def is_finished(folder: Path) -> bool:
    """Whether every cell of a run's plan has a complete record."""
    try:
        planned = load_run(folder).plan.get("cells", [])
        return all(load(folder / "cells" / cell["cell"] / "record.json", Record).complete for cell in planned)
    except (RecordError, KeyError, TypeError):
        return False


def measured_nothing(folder: Path) -> bool:
    """Whether all cells of a run were skipped; one that has no record yet, or a damaged one, may have measured."""
    found = found_in(folder / "cells", "*/record.json")
    try:
        return bool(found) and all(load(path, Record).status == Status.SKIPPED for path in found)
    except RecordError:
        return False


def find_runs(folder: Path) -> list[Path]:
    """Return the runs below `folder` (or `folder` itself if it is one), oldest first."""
    if exists(folder / "run.json"):  # whatever it is: a damaged run is one, too
        return [folder]
    return sorted((path.parent for path in found_in(folder, "*/run.json")), key=lambda run: run.name)
