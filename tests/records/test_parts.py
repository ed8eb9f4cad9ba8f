"""What no row has of a record is the same read alone as with the rest of it."""

import msgspec
import pytest

from harness.errors import RecordError
from harness.records import records
from harness.records.files import DAMAGED
from harness.records.parts import RecordParts, parts_of
from harness.rows import frame, reading


def understood(parts):
    """What the bytes of the parts say, however they are laid out."""
    told = [msgspec.json.decode(part) for part in (parts.model, parts.device, parts.settings)]
    return told, [(who, msgspec.json.decode(facts)) for who, facts in parts.delegates]


def test_parts_are_the_same_read_alone_as_of_the_whole_record(make_run):
    run = make_run()
    run.example()
    alone, whole = reading.read_rows([run.folder]).parts, frame.read_results([run.folder]).parts
    assert list(map(understood, alone)) == list(map(understood, whole))


def test_they_say_for_whom_a_delegate_ran_and_leave_out_where_that_is_unknown(make_run):
    run = make_run()
    folder = run.cell(n_processes=2)
    record = records.load(folder / "record.json", records.Record)
    first, second = (msgspec.structs.replace(process, delegate=None) for process in record.processes)
    second = msgspec.structs.replace(second, delegate=record.delegate)
    accuracy = records.AccuracyFacts(
        status="ok", dataset="d", annotations_sha256="b" * 64, n_images=1, delegate=record.delegate
    )
    record = msgspec.structs.replace(record, processes=(first, second), accuracy=accuracy)
    records.save(folder / "record.json", record)
    for parts in (parts_of(record), records.load(folder / "record.json", RecordParts)):
        assert [who for who, _ in parts.delegates] == ["", "process 2", "accuracy"]
        assert {msgspec.json.decode(facts, type=records.DelegateFacts) for _, facts in parts.delegates} == {
            record.delegate
        }


def test_parts_of_a_record_that_was_damaged_since_are_refused(make_run):
    run = make_run()
    folder = run.cell()
    found = reading.read_rows([run.folder])
    whole = (folder / "record.json").read_bytes()
    (folder / "record.json").write_bytes(whole.replace(b'"complete"', b'"complets"'))
    with pytest.raises(RecordError, match=DAMAGED):
        list(found.parts)
