"""Records that older versions wrote still load: one run of each format, kept as it was written.

A new format adds a folder to `tests/records_formats/`, made by `harness run`; none is ever changed or removed.
"""

import json

import pytest

from harness.errors import RecordError
from harness.records import records
from harness.rows import frame
from tests.support.paths import RECORDS_FORMATS as FORMATS


@pytest.mark.parametrize("number", range(1, records.FORMAT + 1))
def test_a_run_of_every_format_so_far_is_kept_and_loads_with_its_figures(number):
    (row,) = frame.load_results(FORMATS / str(number)).to_dict("records")
    assert row["status"] == "ok"
    assert row["latency_median_ms"] > 0 and row["n_samples"] > 0
    assert 0 < row["map"] < 1
    (stored,) = frame.read_results([FORMATS / str(number)]).records
    assert stored.record.format == number
    assert stored.detections.is_file() and stored.samples()


def test_the_figures_of_format_1_are_those_that_it_was_kept_with():
    (row,) = frame.load_results(FORMATS / "1").to_dict("records")
    assert row["model"] == "shapes-float32" and row["delegate_actual"] == "xnnpack"
    assert row["latency_median_ms"] == pytest.approx(0.57461)
    assert row["map"] == pytest.approx(0.5728513083747504)


def test_keys_of_a_newer_version_are_passed_over_and_a_newer_format_is_refused(tmp_path):
    (stored,) = frame.read_results([FORMATS / "1"]).records
    data = json.loads((stored.folder / "record.json").read_text(encoding="utf-8"))
    path = tmp_path / "record.json"
    path.write_text(json.dumps({**data, "surprise": 1}), encoding="utf-8")
    assert records.load(path, records.Record).model.name == "shapes-float32"
    cell = tmp_path / "run" / "cells" / "0001"
    cell.mkdir(parents=True)
    (tmp_path / "run" / "run.json").write_text("{}")
    (cell / "record.json").write_text(json.dumps({**data, "format": records.FORMAT + 1}), encoding="utf-8")
    assert "upgrade ondevice-harness" in frame.read_results([tmp_path / "run"]).warnings[0]
    with pytest.raises(RecordError, match="upgrade"):
        records.load_records(tmp_path / "run")
