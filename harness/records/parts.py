"""The parts of a record that no row has, as the JSON that they lie on disk in.

Cells share them: one that has the same bytes as an earlier one need not be understood again.
"""

from __future__ import annotations

from typing import Any

import msgspec

from harness.records.records import Fact, Record

_NOTHING = b"null"
_NO_SETTINGS = b"{}"


class ProcessParts(Fact, frozen=True, kw_only=True):
    """What ran in a process."""

    index: int
    delegate: msgspec.Raw = msgspec.Raw(_NOTHING)


class AccuracyParts(Fact, frozen=True, kw_only=True):
    """What ran for the accuracy."""

    delegate: msgspec.Raw = msgspec.Raw(_NOTHING)


class RecordParts(Fact, frozen=True, kw_only=True):
    """The model, the device, the settings and what ran; the rest of a record is passed over."""

    model: msgspec.Raw
    device: msgspec.Raw
    delegate: msgspec.Raw
    settings: msgspec.Raw = msgspec.Raw(_NO_SETTINGS)
    processes: tuple[ProcessParts, ...] = ()
    accuracy: AccuracyParts | None = None

    @property
    def delegates(self) -> tuple[tuple[str, bytes], ...]:
        """What ran, with whom it ran for: nobody for the cell as a whole, then its processes and the accuracy."""
        found = [("", self.delegate)]
        found += [(f"process {process.index + 1}", process.delegate) for process in self.processes]
        found += [("accuracy", part.delegate) for part in (self.accuracy,) if part is not None]
        return tuple([(who, told) for who, facts in found if (told := bytes(facts)) != _NOTHING])


def parts_of(record: Record) -> RecordParts:
    """Return the parts of a record that is in memory."""
    accuracy = record.accuracy
    return RecordParts(
        model=_json(record.model),
        device=_json(record.device),
        delegate=_json(record.delegate),
        settings=_json(record.settings),
        processes=tuple(ProcessParts(index=p.index, delegate=_json(p.delegate)) for p in record.processes),
        accuracy=None if accuracy is None else AccuracyParts(delegate=_json(accuracy.delegate)),
    )


def _json(part: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(part))
