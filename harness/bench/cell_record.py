"""The record of a cell as it grows: empty, with one more part, without what a lost device left behind."""

from __future__ import annotations

from dataclasses import asdict

import msgspec
from msgspec.structs import replace

from harness.bench.plan import Cell
from harness.cards import Model, load_card
from harness.delegates import UNKNOWN
from harness.drivers.base import DeviceInfo
from harness.hashing import known_hash
from harness.paths import is_file
from harness.records.records import FORMAT, DelegateFacts, DeviceFacts, ModelFacts, Record
from harness.records.status import merged_delegate, status_of
from harness.records.store import now
from harness.tflite.lineage import ancestors
from harness.vocabulary import Status


def new_record(cell: Cell, info: DeviceInfo, run_id: str) -> Record:
    """Return the record of a cell of which nothing is measured yet."""
    return Record(
        format=FORMAT,
        run_id=run_id,
        cell=cell.id,
        complete=False,
        started_at=now(),
        model=_model_facts(cell),
        device=_device_facts(info),
        delegate=DelegateFacts(requested=str(cell.delegate), actual=UNKNOWN),
        status=Status.SKIPPED,
        threads=cell.delegate.threads,
        reasons=("not measured yet",),
        settings=asdict(cell.settings),
        against=cell.against,
    )


def _model_facts(cell: Cell) -> ModelFacts:
    return ModelFacts(
        name=cell.model.name,
        sha256=cell.facts.sha256,
        size_bytes=cell.facts.size_bytes,
        quantization=cell.facts.quantization,
        card=msgspec.to_builtins(cell.model.card),
        evidence=(*cell.facts.quantization_evidence, *cell.model.evidence),
        lineage=(*ancestors(cell.facts.sha256), *_stated_version(cell.model)),
    )


def _stated_version(model: Model) -> tuple[str, ...]:
    """Return the hash of the float version that a card names, where its own card lies beside it and says it."""
    name = model.card.version_of
    if name is None or model.origin is None or not is_file(model.origin.with_name(f"{name}.toml")):
        return ()
    version = load_card(model.origin.with_name(f"{name}.toml"))
    sha256 = version.card.source.sha256 or (known_hash(version.file) if version.available else None)
    return () if sha256 is None else (sha256,)


def _device_facts(info: DeviceInfo) -> DeviceFacts:
    return DeviceFacts(
        name=info.name,
        kind=info.kind,
        model=info.model,
        soc=info.soc,
        os=info.os,
        abi=info.abi,
        facts=dict(info.facts),
    )


def with_status(record: Record) -> Record:
    """Return a record whose status, reasons, runtime and delegate follow from its parts."""
    status, reasons = status_of(record)
    parts = (part for part in (*record.processes, record.accuracy) if part is not None)
    return replace(
        record,
        status=status,
        reasons=reasons,
        runtime=next((part.runtime for part in parts if part.runtime), None),
        delegate=merged_delegate(record, record.delegate.requested),
    )


def has_lost_device(record: Record) -> bool:
    """Whether a part failed because the device went away."""
    parts = (*record.processes, record.operators, record.accuracy)
    return any(part.device_lost for part in parts if part is not None)


def without_cut_load(record: Record) -> Record:
    """Drop the processes of a sustained load that was cut: the device has cooled since, so it begins anew."""
    return replace(record, processes=(), complete=False)


def without_lost(record: Record) -> Record:
    """Drop what failed because the device went away: it may be back."""
    if not has_lost_device(record):
        return record
    accuracy, operators = record.accuracy, record.operators
    return replace(
        record,
        processes=tuple(process for process in record.processes if not process.device_lost),
        accuracy=None if accuracy is None or accuracy.device_lost else accuracy,
        operators=None if operators is None or operators.device_lost else operators,
        complete=False,
    )
