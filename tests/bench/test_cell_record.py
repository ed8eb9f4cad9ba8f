"""The record of a cell follows from its parts."""

from msgspec.structs import replace

from harness.bench.cell_record import has_lost_device, new_record, with_status, without_lost
from harness.drivers.local import LocalDevice
from harness.records.records import OperatorFacts


def record_of(prepared, *processes, **changes):
    cell = prepared().plan.cells[0]
    return replace(new_record(cell, LocalDevice().describe(), "run"), processes=processes, **changes)


def test_a_cell_begins_as_skipped_because_it_was_not_measured_yet(prepared):
    record = record_of(prepared)
    assert (record.status, record.reasons, record.complete) == ("skipped", ("not measured yet",), False)
    assert record.settings["repetitions"] == 2 and record.delegate.requested == "cpu:1"


def test_status_runtime_and_delegate_are_those_of_its_parts(prepared, ok_process):
    record = with_status(record_of(prepared, ok_process(0), ok_process(1)))
    assert (record.status, record.runtime, record.delegate.actual) == (
        "ok",
        "ai-edge-litert 2.3.0",
        "xnnpack",
    )
    failed = with_status(
        replace(record, processes=(ok_process(0), ok_process(1, status="failed", reasons=("x",))))
    )
    assert (failed.status, failed.reasons) == ("failed", ("x",))


def test_what_a_lost_device_left_behind_is_dropped_and_the_rest_is_kept(prepared, ok_process):
    lost = ok_process(1, status="failed", device_lost=True)
    operators = OperatorFacts(status="failed", device_lost=True)
    record = record_of(prepared, ok_process(0), lost, operators=operators, complete=True)
    assert has_lost_device(record)
    kept = without_lost(record)
    assert kept.processes == (ok_process(0),) and kept.operators is None and not kept.complete
    assert without_lost(kept) is kept
